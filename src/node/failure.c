/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/failure.c - what went wrong, when it is tried again, and what would mend it.
 */
#include <stdio.h>

#include "kms/driver.h"
#include "kms/grants.h"
#include "node/agent_int.h"

enum { BACKOFF_MS_MIN = 1000, BACKOFF_MS_MAX = 30000, TRIES_MAX = 16 };

uint64_t failure_backoff_ms(unsigned tries, struct random *random)
{
    uint64_t ms = BACKOFF_MS_MIN;
    uint32_t chance = 0;

    for (unsigned i = 1; i < tries && ms < BACKOFF_MS_MAX; i++)
        ms *= 2;
    if (ms > BACKOFF_MS_MAX)
        ms = BACKOFF_MS_MAX;
    /* without randomness all wait alike, which is no harm */
    IGNORE(random_fill(random, &chance, sizeof chance));
    return ms - ms / 4 + chance % (ms / 4);
}

void failure_note(struct failure *f, ks_rc rc, uint64_t now_ms, struct random *random)
{
    if (f->tries < TRIES_MAX)
        f->tries++;
    snprintf(f->text, sizeof f->text, "%s", ks_text(rc));
    f->rc = rc;
    f->until_ms = now_ms + failure_backoff_ms(f->tries, random);
}

void failure_clear(struct failure *f)
{
    f->rc = KS_SUCCESS;
    f->tries = 0;
    f->until_ms = 0;
    f->text[0] = 0;
}

/* The right that the message names, else the one that probes need. */
static const char *find_permission(const struct key_spec *spec, const char *message)
{
    const struct kms_driver *driver;
    const char *needed = NULL;

    if (!ks_ok(kms_driver_find(spec->type, &driver)) || !driver->permissions)
        return NULL;
    for (const struct kms_permission *p = driver->permissions; p->name; p++) {
        if (strstr(message, p->name))
            return p->name;
        if (p->is_required && (strstr(p->name, "ecrypt") || strstr(p->name, "nwrap")))
            needed = p->name;
    }
    return needed;
}

void failure_mend(const struct key_spec *spec, const char *organisation, ks_rc rc,
                  const char *message, struct buf *ret)
{
    const struct grants_values values = {.spec = spec,
                                         .external_id = organisation[0] ? organisation : NULL,
                                         .permission = find_permission(spec, message)};

    if (!ks_ok(rc) && !ks_ok(grants_mend(&values, rc, ret)))
        ret->len = 0;
}

void failure_explain(const struct key_spec *spec, const char *organisation, ks_rc rc,
                     const char *message, char out[MESSAGE_BYTES])
{
    CLEANUP(buf_done) struct buf mend = buf_init(MEND_MAX);

    failure_mend(spec, organisation, rc, message, &mend);
    int len = snprintf(out, MESSAGE_BYTES, "%s", message);
    if (mend.len && len > 0 && len < MESSAGE_BYTES)
        snprintf(out + len, MESSAGE_BYTES - (size_t)len, "\nto mend it: %s", buf_text(&mend));
}
