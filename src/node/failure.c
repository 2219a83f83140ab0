/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/failure.c - what went wrong, when it is tried again, and what would mend it.
 */
#include <stdio.h>
#include <string.h>

#include "kms/driver.h"
#include "kms/grants.h"
#include "node/agent_int.h"

enum { BACKOFF_MS_MIN = 1000, BACKOFF_MS_MAX = 30000, TRIES_MAX = 16, LINK_TRIES_MAX = 3 };

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

uint64_t failure_link_pause_ms(unsigned tries, struct random *random)
{
    return failure_backoff_ms(tries < LINK_TRIES_MAX ? tries : LINK_TRIES_MAX, random);
}

void failure_note(struct failure *f, ks_rc rc, uint64_t now_ms, struct random *random)
{
    if (f->tries < TRIES_MAX)
        f->tries++;
    snprintf(f->text, sizeof f->text, "%s", ks_text(rc));
    f->rc = rc;
    f->until_ms = now_ms + failure_backoff_ms(f->tries, random);
}

void failure_retry(struct failure *f)
{
    f->tries = 0;
    f->until_ms = 0;
}

void failure_clear(struct failure *f)
{
    failure_retry(f);
    f->rc = KS_SUCCESS;
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

/* --- what customers may read --- */

/* A path begins where a name of something else does not go on. */
static bool is_path_begin(const char *text, const char *at)
{
    return at[0] == '/' && at[1] && !strchr("/ ", at[1]) &&
           (at == text || strchr(" \n(:=", at[-1]));
}

static size_t path_len(const char *at)
{
    size_t len = strcspn(at, " \t\n\"'(),;#");

    while (len && strchr(":.", at[len - 1]))
        len--;
    return len;
}

/* Of one name only, as routes and the like have it, or of a key as its customer named it. */
static bool is_path_told(const char *at, size_t len, const struct key_spec *const *specs,
                         size_t count)
{
    char path[MESSAGE_BYTES];

    if (!memchr(at + 1, '/', len - 1))
        return true;
    if (len >= sizeof path)
        return false;
    snprintf(path, sizeof path, "%.*s", (int)len, at);
    for (size_t i = 0; i < count; i++)
        if (strstr(specs[i]->uri, path) || strstr(specs[i]->auth_principal, path))
            return true;
    return false;
}

void failure_hide_paths(const char *text, const struct key_spec *const *specs, size_t count,
                        char out[MESSAGE_BYTES])
{
    static const char hidden[] = "[path]";
    size_t used = 0;

    for (const char *at = text; *at && used + sizeof hidden < MESSAGE_BYTES;) {
        size_t len = is_path_begin(text, at) ? path_len(at) : 0;
        if (len == 0 || is_path_told(at, len, specs, count)) {
            out[used++] = *at++;
            continue;
        }
        bool is_prefix = strncmp(at + len, ": ", 2) == 0;
        memcpy(out + used, hidden, sizeof hidden - 1);
        used += is_prefix ? 0 : sizeof hidden - 1;
        at += len + (is_prefix ? 2 : 0);
    }
    out[used] = 0;
}
