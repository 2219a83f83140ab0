/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/faults.c - collects what is wrong with a request.
 */
#include "control/faults.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TAIL_BYTES = 24 }; /* "; and 1234 more" */

void faults_add(struct faults *f, const char *fmt, ...)
{
    char one[FAULTS_BYTES];
    size_t used = strlen(f->text);
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(one, sizeof one, fmt, args);
    va_end(args);
    f->count++;
    if (len < 0 || used + (size_t)len + 2 + TAIL_BYTES >= sizeof f->text) {
        f->dropped++;
        return;
    }
    if (used)
        used += (size_t)snprintf(f->text + used, sizeof f->text - used, "; ");
    memcpy(f->text + used, one, (size_t)len + 1);
}

ks_rc faults_take(struct faults *f, ks_rc rc)
{
    if (ks_ok(rc) || rc.cls != KS_CLASS_USAGE)
        return rc;
    faults_add(f, "%s", ks_text(rc));
    return KS_SUCCESS;
}

ks_rc faults_end(const struct faults *f)
{
    if (!f->count)
        return KS_SUCCESS;
    if (!f->text[0])
        return ks_fail(KS_E_USAGE, "%zu faults, each too long to show", f->count);
    if (f->dropped)
        return ks_fail(KS_E_USAGE, "%s; and %zu more", f->text, f->dropped);
    return ks_fail(KS_E_USAGE, "%s", f->text);
}
