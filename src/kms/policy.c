/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/policy.c - deadlines, retries and counters around a driver's single attempts.
 *
 * Owns the only retry loop in front of a key service. Repeats what was not answered, never what
 * was answered: a denial, a wrong ciphertext or a missing credential is told at once.
 */
#include "kms/policy.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"

enum { TIMEOUT_MS = 5000, ATTEMPTS = 3, PAUSE_MS = 100 };

struct kms_client {
    pthread_mutex_t mutex;
    struct key_spec spec;
    const struct kms_driver *driver;
    struct kms *kms;
    struct clock *clock;
    struct random *random;
    uint32_t timeout_ms, attempts_max;
    struct kms_counters counters;
};

/* One call with everything it needs, so that the loop is written once. */
struct work {
    ks_rc (*attempt)(struct kms_client *, const struct kms_call *, const struct work *);
    const struct key_context *context;
    const struct secret *plain;
    struct view blob;
    struct buf *ret_blob;
    char *version; /* KEY_VERSION_BYTES, scratch */
    struct secret **ret_plain;
};

static ks_rc attempt_wrap(struct kms_client *c, const struct kms_call *call, const struct work *w)
{
    size_t before = w->ret_blob->len;
    ks_rc rc = c->driver->wrap(c->kms, call, w->context, w->plain, w->ret_blob, w->version);

    if (!ks_ok(rc))
        w->ret_blob->len = before; /* a driver may fail half way through its answer */
    return rc;
}

static ks_rc attempt_unwrap(struct kms_client *c, const struct kms_call *call, const struct work *w)
{
    return c->driver->unwrap(c->kms, call, w->context, w->blob, w->ret_plain);
}

static ks_rc attempt_version(struct kms_client *c, const struct kms_call *call,
                             const struct work *w)
{
    return c->driver->version(c->kms, call, w->context, w->version);
}

static void count(struct kms_counters *n, ks_rc rc)
{
    switch ((enum ks_class)rc.cls) {
    case KS_CLASS_OK:
        n->granted++;
        break;
    case KS_CLASS_DENIED:
        n->denied++;
        break;
    case KS_CLASS_UNREACHABLE:
        n->unreachable++;
        break;
    case KS_CLASS_USAGE:
    case KS_CLASS_BUSY:
    case KS_CLASS_CORRUPT:
    case KS_CLASS_IO:
    case KS_CLASS_LIMIT:
    case KS_CLASS_BUG:
        n->other++;
        break;
    }
}

/* A credential that is missing now is missing in 100 ms too, and a person may have been asked. */
static bool may_retry(ks_rc rc)
{
    return rc.cls == KS_CLASS_UNREACHABLE && !ks_is(rc, KS_E_CREDENTIAL);
}

/* Doubles with each attempt; between half and all of it, so that hosts do not come back in step. */
static uint64_t pause_ms(struct kms_client *c, uint32_t attempt)
{
    uint64_t whole = (uint64_t)PAUSE_MS << (attempt < 8 ? attempt : 8);
    uint32_t draw = 0;

    /* Without randomness the pause is merely not spread. */
    IGNORE(random_fill(c->random, &draw, sizeof draw));
    return whole / 2 + draw % (whole / 2 + 1);
}

/* Each attempt gets an equal share of the time that is left, so one that hangs leaves room for
 * another. */
static ks_rc attempt_in_time(struct kms_client *c, const struct work *w, uint32_t left,
                             uint64_t deadline)
{
    uint64_t now = clock_boot_ms(c->clock);
    uint64_t share = deadline > now ? (deadline - now) / left : 0;
    struct kms_call call = {now + (share ? share : 1), c->clock, NULL};

    c->counters.attempts++;
    ks_rc rc = w->attempt(c, &call, w);
    count(&c->counters, rc);
    return rc;
}

static ks_rc run_locked(struct kms_client *c, const struct work *w)
{
    uint64_t deadline = clock_boot_ms(c->clock) + c->timeout_ms;
    ks_rc rc = KS_SUCCESS;

    c->counters.calls++;
    for (uint32_t attempt = 0; attempt < c->attempts_max; attempt++) {
        rc = attempt_in_time(c, w, c->attempts_max - attempt, deadline);
        uint64_t pause = pause_ms(c, attempt);
        bool is_last = attempt + 1 == c->attempts_max;
        if (is_last || !may_retry(rc) || clock_boot_ms(c->clock) + pause >= deadline)
            break;
        clock_sleep_ms(c->clock, pause);
    }
    return rc;
}

static ks_rc run(struct kms_client *c, const struct work *w)
{
    pthread_mutex_lock(&c->mutex);
    ks_rc rc = run_locked(c, w);
    pthread_mutex_unlock(&c->mutex);
    return ks_wrap(rc, "%s:%.200s", c->spec.type, c->spec.uri);
}

ks_rc kms_client_open(const struct key_spec *spec, const struct kms_options *options,
                      struct kms_client **ret)
{
    CLEANUP(kms_client_closep) struct kms_client *c = NULL;

    TRY(mem_new(1, sizeof *c, &c));
    pthread_mutex_init(&c->mutex, NULL);
    c->spec = *spec;
    c->clock = options->clock ? options->clock : clock_system();
    c->random = options->random ? options->random : random_system();
    c->timeout_ms = options->timeout_ms ? options->timeout_ms : TIMEOUT_MS;
    c->attempts_max = options->attempts_max ? options->attempts_max : ATTEMPTS;
    TRY(kms_driver_find(c->spec.type, &c->driver));
    struct kms_conf conf = {&c->spec, options->passphrase, options->passphrase_arg, c->clock};
    TRY(ks_wrap(c->driver->open(&conf, &c->kms), "%s:%.200s", c->spec.type, c->spec.uri));
    *ret = TAKE(c);
    return KS_SUCCESS;
}

void kms_client_close(struct kms_client *c)
{
    if (!c)
        return;
    if (c->kms)
        c->driver->close(c->kms);
    pthread_mutex_destroy(&c->mutex);
    mem_free(c);
}

void kms_client_closep(struct kms_client **c)
{
    kms_client_close(*c);
}

ks_rc kms_client_wrap(struct kms_client *c, const struct key_context *context,
                      const struct secret *plain, struct buf *ret_blob,
                      char ret_version[KEY_VERSION_BYTES])
{
    char version[KEY_VERSION_BYTES] = "";
    struct work w = {.attempt = attempt_wrap,
                     .context = context,
                     .plain = plain,
                     .ret_blob = ret_blob,
                     .version = version};

    TRY(run(c, &w));
    memcpy(ret_version, version, sizeof version);
    return KS_SUCCESS;
}

ks_rc kms_client_unwrap(struct kms_client *c, const struct key_context *context, struct view blob,
                        struct secret **ret_plain)
{
    struct work w = {
        .attempt = attempt_unwrap, .context = context, .blob = blob, .ret_plain = ret_plain};

    return run(c, &w);
}

ks_rc kms_client_version(struct kms_client *c, const struct key_context *context,
                         char ret[KEY_VERSION_BYTES])
{
    char version[KEY_VERSION_BYTES] = "";
    struct work w = {.attempt = attempt_version, .context = context, .version = version};

    TRY(run(c, &w));
    memcpy(ret, version, sizeof version);
    return KS_SUCCESS;
}

struct kms_counters kms_client_counters(struct kms_client *c)
{
    pthread_mutex_lock(&c->mutex);
    struct kms_counters counters = c->counters;
    pthread_mutex_unlock(&c->mutex);
    return counters;
}
