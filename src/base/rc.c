/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/rc.c - results, their context text and their translations.
 *
 * Owns the per-thread text of the last failure. Never holds key material: callers pass names,
 * never contents.
 */
#include "base/rc.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 512 };

static _Thread_local struct {
    ks_rc rc;
    char text[TEXT_BYTES];
} last;

static const struct row {
    const char *name;
    enum ks_class cls;
    int err, http, exit_code;
    const char *text;
} table[KS_E_COUNT] = {
#define KS_ERROR(name, cls, err, http, exitc, text)                                                \
    [KS_E_##name] = {#name, KS_CLASS_##cls, err, http, exitc, text},
#include "base/errors.def"
#undef KS_ERROR
};

static const char *const class_names[] = {"OK",      "USAGE", "DENIED", "UNREACHABLE", "BUSY",
                                          "CORRUPT", "IO",    "LIMIT",  "BUG"};

/* What an errno means for policy, and how it leaves the process. The rest answers a request. */
static const struct {
    int err;
    enum ks_class cls;
    int http, exit_code;
} os_table[] = {
    {EIO, KS_CLASS_IO, 500, 7},       {ENXIO, KS_CLASS_IO, 500, 7},
    {ENODEV, KS_CLASS_IO, 500, 7},    {ESTALE, KS_CLASS_IO, 500, 7},
    {ENOSPC, KS_CLASS_LIMIT, 507, 8}, {EDQUOT, KS_CLASS_LIMIT, 507, 8},
    {EFBIG, KS_CLASS_LIMIT, 413, 8},  {ENOMEM, KS_CLASS_LIMIT, 503, 8},
    {EMFILE, KS_CLASS_LIMIT, 503, 8}, {ENFILE, KS_CLASS_LIMIT, 503, 8},
    {EBUSY, KS_CLASS_BUSY, 409, 5},   {EAGAIN, KS_CLASS_BUSY, 409, 5},
    {ENOENT, KS_CLASS_USAGE, 404, 2}, {EEXIST, KS_CLASS_USAGE, 409, 2},
    {EACCES, KS_CLASS_USAGE, 403, 2}, {EPERM, KS_CLASS_USAGE, 403, 2},
};

enum { OS_COUNT = sizeof os_table / sizeof os_table[0] };

static size_t os_find(int err)
{
    size_t i = 0;

    while (i < OS_COUNT && os_table[i].err != err)
        i++;
    return i;
}

static KS_PRINTF(2, 0) ks_rc remember(ks_rc rc, const char *fmt, va_list args)
{
    char text[TEXT_BYTES]; /* the arguments may quote the last one */

    vsnprintf(text, sizeof text, fmt, args);
    memcpy(last.text, text, strlen(text) + 1);
    last.rc = rc;
    return rc;
}

ks_rc ks_fail(enum ks_code code, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    ks_rc rc = remember((ks_rc){(uint16_t)table[code].cls, (uint16_t)code}, fmt, args);
    va_end(args);
    return rc;
}

ks_rc ks_os(int err)
{
    size_t i = os_find(err);
    enum ks_class cls = i < OS_COUNT ? os_table[i].cls : KS_CLASS_USAGE;

    last.rc = KS_SUCCESS;
    return (ks_rc){(uint16_t)cls, (uint16_t)(KS_CODE_OS + err)};
}

ks_rc ks_fail_os(int err, const char *fmt, ...)
{
    ks_rc rc = ks_os(err);
    va_list args;

    va_start(args, fmt);
    rc = remember(rc, fmt, args);
    va_end(args);
    size_t used = strlen(last.text);
    snprintf(last.text + used, sizeof last.text - used, ": %s", strerror(err));
    return rc;
}

ks_rc ks_wrap(ks_rc rc, const char *fmt, ...)
{
    char old[TEXT_BYTES], prefix[TEXT_BYTES];
    va_list args;

    if (ks_ok(rc))
        return rc;
    snprintf(old, sizeof old, "%s", ks_text(rc));
    va_start(args, fmt);
    vsnprintf(prefix, sizeof prefix, fmt, args);
    va_end(args);
    last.rc = rc;
    size_t used = strlen(prefix);
    memcpy(last.text, prefix, used + 1);
    int n = snprintf(last.text + used, sizeof last.text - used, ": %s", old);
    if (n < 0) /* a text that is too long only loses its end */
        last.text[used] = 0;
    return rc;
}

static const struct row *row_of(ks_rc rc)
{
    assert(rc.code < KS_E_COUNT);
    return &table[rc.code];
}

const char *ks_text(ks_rc rc)
{
    if (!ks_ok(rc) && last.rc.code == rc.code)
        return last.text;
    if (rc.code >= KS_CODE_OS)
        return strerror(rc.code - KS_CODE_OS);
    return row_of(rc)->text;
}

const char *ks_name(ks_rc rc)
{
    return rc.code >= KS_CODE_OS ? "OS" : row_of(rc)->name;
}

const char *ks_class_name(ks_rc rc)
{
    return class_names[rc.cls];
}

int ks_errno(ks_rc rc)
{
    return rc.code >= KS_CODE_OS ? rc.code - KS_CODE_OS : row_of(rc)->err;
}

int ks_http(ks_rc rc)
{
    if (rc.code < KS_CODE_OS)
        return row_of(rc)->http;
    size_t i = os_find(rc.code - KS_CODE_OS);
    return i < OS_COUNT ? os_table[i].http : 400;
}

int ks_exit(ks_rc rc)
{
    if (rc.code < KS_CODE_OS)
        return row_of(rc)->exit_code;
    size_t i = os_find(rc.code - KS_CODE_OS);
    return i < OS_COUNT ? os_table[i].exit_code : 2;
}

enum ks_code ks_from_name(const char *name)
{
    for (int i = 0; i < KS_E_COUNT; i++)
        if (strcmp(table[i].name, name) == 0)
            return (enum ks_code)i;
    return KS_E_BUG;
}
