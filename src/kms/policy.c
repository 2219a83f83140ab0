/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/policy.c - deadlines, retries, breaker, budgets and counters around a driver's single attempts.
 *
 * Owns the only retry loop in front of a key service. Repeats what was not answered, never what
 * was answered: a denial, a wrong ciphertext or a missing credential is told at once. The mutex is held for decisions
 * and numbers, never while the service is asked.
 */
#include "kms/policy.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kms/budget.h"
#include "kms/flight.h"
#include "kms/run_dir.h"

enum {
    TIMEOUT_MS = 5000,
    ATTEMPTS = 3,
    PAUSE_MS = 100,
    RATE_PER_S = 100,
    BURST_S = 2, /* seconds of the rate that may be used at once */
    /* A retry takes RETRY_COST, a call gives RETRY_GAIN: in the long run one call in ten is repeated, after ten at once. */
    RETRY_COST = 10,
    RETRY_GAIN = 1,
    RETRIES_FULL = 10 * RETRY_COST,
    QUESTION_BYTES = 2 * KEY_BLOB_MAX,
};

/* A probe comes every 15 s by default and must find the breaker half open. */
static const struct breaker_conf breaker_conf = {
    .silences_max = 5, .pause_ms = 2000, .pause_ms_max = 10000};

struct kms_client {
    struct key_spec spec;
    const struct kms_driver *driver;
    struct kms *kms;
    struct clock *clock;
    struct random *random;
    uint32_t timeout_ms, attempts_max;
    char scope[KMS_SCOPE_BYTES]; /* "": not a service in the network */
    struct budget *budget;       /* NULL without scope */
    struct flight *flight;
    pthread_mutex_t turn;  /* around attempts of drivers without scope */
    pthread_mutex_t mutex; /* what follows */
    struct breaker breaker;
    uint32_t retries; /* in units of RETRY_COST */
    struct kms_report report;
};

/* One call with everything it needs, so that the loop is written once. */
struct work {
    enum kms_operation operation;
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

static ks_rc attempt(struct kms_client *c, const struct kms_call *call, const struct work *w)
{
    switch (w->operation) {
    case KMS_WRAP:
        return attempt_wrap(c, call, w);
    case KMS_UNWRAP:
        return c->driver->unwrap(c->kms, call, w->context, w->blob, w->ret_plain);
    case KMS_VERSION:
        return c->driver->version(c->kms, call, w->context, w->version);
    case KMS_OPERATIONS:
        break;
    }
    return ks_fail(KS_E_BUG, "an operation that does not exist");
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

/* What an attempt says about the service. A credential that is missing was not asked with; what failed on this
 * host says nothing. */
static enum breaker_event event_of(ks_rc rc)
{
    switch ((enum ks_class)rc.cls) {
    case KS_CLASS_UNREACHABLE:
        return ks_is(rc, KS_E_CREDENTIAL) ? BREAKER_NOTHING : BREAKER_SILENCE;
    case KS_CLASS_OK:
    case KS_CLASS_DENIED:
    case KS_CLASS_USAGE:
    case KS_CLASS_CORRUPT:
        return BREAKER_ANSWER;
    case KS_CLASS_BUSY:
    case KS_CLASS_IO:
    case KS_CLASS_LIMIT:
    case KS_CLASS_BUG:
        return BREAKER_NOTHING;
    }
    return BREAKER_NOTHING;
}

/* A credential that is missing now is missing in 100 ms too, and a person may have been asked. */
static bool may_retry(ks_rc rc)
{
    return rc.cls == KS_CLASS_UNREACHABLE && !ks_is(rc, KS_E_CREDENTIAL);
}

/* Doubles with each attempt; between half and all of it, so that hosts do not come back in step. */
static uint64_t pause_ms(struct kms_client *c, uint32_t attempts)
{
    uint64_t whole = (uint64_t)PAUSE_MS << (attempts < 8 ? attempts : 8);
    uint32_t draw = 0;

    /* Without randomness the pause is merely not spread. */
    IGNORE(random_fill(c->random, &draw, sizeof draw));
    return whole / 2 + draw % (whole / 2 + 1);
}

/* --- what is decided under the mutex --- */

/* Whether the breaker lets an attempt through. */
static ks_rc admit(struct kms_client *c)
{
    if (!kms_client_is_remote(c))
        return KS_SUCCESS;
    pthread_mutex_lock(&c->mutex);
    uint64_t now = clock_boot_ms(c->clock);
    bool is_admitted = breaker_admit(&c->breaker, now);
    c->report.refused += !is_admitted;
    struct breaker b = c->breaker;
    pthread_mutex_unlock(&c->mutex);
    ENSURE(is_admitted, KS_E_UNREACHABLE,
           "not asked: %u attempts in a row had no answer; asks again in %llu ms", b.silences,
           (unsigned long long)breaker_left_ms(&b, now));
    return KS_SUCCESS;
}

static void note_attempt(struct kms_client *c, const struct work *w, ks_rc rc,
                         const struct kms_note *note)
{
    pthread_mutex_lock(&c->mutex);
    struct kms_counters *n = &c->report.operations[w->operation];
    n->attempts++;
    count(n, rc);
    if (note->request_id[0])
        memcpy(c->report.request_id, note->request_id, sizeof c->report.request_id);
    if (event_of(rc) == BREAKER_ANSWER)
        c->report.answered_s = clock_wall_s(c->clock);
    if (kms_client_is_remote(c))
        breaker_tell(&c->breaker, &breaker_conf, event_of(rc), clock_boot_ms(c->clock));
    pthread_mutex_unlock(&c->mutex);
}

static void note_call(struct kms_client *c, const struct work *w)
{
    pthread_mutex_lock(&c->mutex);
    c->report.operations[w->operation].calls++;
    c->retries = c->retries + RETRY_GAIN < RETRIES_FULL ? c->retries + RETRY_GAIN : RETRIES_FULL;
    pthread_mutex_unlock(&c->mutex);
}

static bool take_retry(struct kms_client *c)
{
    pthread_mutex_lock(&c->mutex);
    bool is_taken = c->retries >= RETRY_COST;
    if (is_taken)
        c->retries -= RETRY_COST;
    else
        c->report.retries_saved++;
    pthread_mutex_unlock(&c->mutex);
    return is_taken;
}

/* --- one attempt --- */

/* Waits for a request of the host's share, as long as the deadline allows. */
static ks_rc take_request(struct kms_client *c, uint64_t deadline)
{
    uint64_t now = clock_boot_ms(c->clock), wait = 0;

    if (!c->budget)
        return KS_SUCCESS;
    if (now < deadline && budget_take(c->budget, deadline - now - 1, &wait)) {
        if (wait)
            clock_sleep_ms(c->clock, wait);
        return KS_SUCCESS;
    }
    pthread_mutex_lock(&c->mutex);
    c->report.throttled++;
    pthread_mutex_unlock(&c->mutex);
    return ks_fail(KS_E_THROTTLED, "not asked: this host's share of the requests to %s is used up",
                   c->scope);
}

/* Each attempt gets an equal share of the time that is left, so one that hangs leaves room for
 * another. */
static ks_rc attempt_in_time(struct kms_client *c, const struct work *w, uint32_t left,
                             uint64_t deadline, struct kms_note *note)
{
    uint64_t now = clock_boot_ms(c->clock);
    uint64_t share = deadline > now ? (deadline - now) / left : 0;
    struct kms_call call = {now + (share ? share : 1), c->clock, note};

    if (!kms_client_is_remote(c))
        pthread_mutex_lock(&c->turn);
    ks_rc rc = attempt(c, &call, w);
    if (!kms_client_is_remote(c))
        pthread_mutex_unlock(&c->turn);
    note_attempt(c, w, rc, note);
    if (!ks_ok(rc) && note->request_id[0])
        return ks_wrap(rc, "request %s", note->request_id);
    return rc;
}

static ks_rc run_attempts(struct kms_client *c, const struct work *w)
{
    uint64_t deadline = clock_boot_ms(c->clock) + c->timeout_ms;
    ks_rc rc = KS_SUCCESS;

    note_call(c, w);
    for (uint32_t made = 0; made < c->attempts_max; made++) {
        struct kms_note note = {"", 0};
        TRY(take_request(c, deadline));
        TRY(admit(c));
        rc = attempt_in_time(c, w, c->attempts_max - made, deadline, &note);
        uint64_t pause = pause_ms(c, made);
        if (pause < note.retry_after_ms)
            pause = note.retry_after_ms;
        bool is_last = made + 1 == c->attempts_max;
        if (is_last || !may_retry(rc) || clock_boot_ms(c->clock) + pause >= deadline ||
            !take_retry(c))
            break;
        clock_sleep_ms(c->clock, pause);
    }
    return rc;
}

static ks_rc run(struct kms_client *c, const struct work *w)
{
    return ks_wrap(run_attempts(c, w), "%s:%.200s", c->spec.type, c->spec.uri);
}

/* --- asked together, asked once --- */

static ks_rc question_of(const struct work *w, struct buf *ret)
{
    uint8_t operation = (uint8_t)w->operation;

    TRY(buf_append(ret, view_of(&operation, 1)));
    TRY(key_context_aad(w->context, ret));
    return buf_append(ret, w->blob);
}

static ks_rc run_shared(struct kms_client *c, const struct work *w)
{
    CLEANUP(buf_done) struct buf question = buf_init(QUESTION_BYTES);
    struct flight_answer answer = {KS_SUCCESS, NULL, ""};
    struct flight_seat *seat = NULL;
    bool is_first = false;

    TRY(question_of(w, &question));
    TRY(flight_join(c->flight, buf_view(&question), &seat, &is_first));
    if (!is_first) {
        pthread_mutex_lock(&c->mutex);
        c->report.shared++;
        pthread_mutex_unlock(&c->mutex);
        return flight_wait(c->flight, seat, w->ret_plain, w->version);
    }
    answer.rc = run(c, w);
    if (ks_ok(answer.rc) && w->ret_plain)
        answer.plain = *w->ret_plain;
    if (ks_ok(answer.rc) && w->version)
        memcpy(answer.version, w->version, sizeof answer.version);
    flight_land(c->flight, seat, &answer);
    return answer.rc;
}

/* --- clients --- */

static ks_rc open_budget(struct kms_client *c, const struct kms_options *options)
{
    uint32_t rate = options->rate_per_s ? options->rate_per_s : RATE_PER_S;
    char dir[KMS_RUN_DIR_BYTES];
    struct budget_conf conf = {options->is_sharing ? kms_run_dir(dir) : NULL, c->scope, rate,
                               rate * BURST_S, c->clock};

    if (!c->driver->scope)
        return KS_SUCCESS;
    c->driver->scope(c->kms, c->scope);
    TRY(budget_open(&conf, &c->budget));
    snprintf(c->report.budget_why, sizeof c->report.budget_why, "%s", budget_why(c->budget));
    return KS_SUCCESS;
}

static ks_rc open_driver(struct kms_client *c, const struct kms_options *options)
{
    struct kms_conf conf = {.spec = &c->spec,
                            .passphrase = options->passphrase,
                            .passphrase_arg = options->passphrase_arg,
                            .stretched = options->stretched,
                            .clock = c->clock,
                            .is_development = options->is_development};

    TRY(kms_driver_find(c->spec.type, &c->driver));
    return ks_wrap(c->driver->open(&conf, &c->kms), "%s:%.200s", c->spec.type, c->spec.uri);
}

ks_rc kms_client_open(const struct key_spec *spec, const struct kms_options *options,
                      struct kms_client **ret)
{
    CLEANUP(kms_client_closep) struct kms_client *c = NULL;

    TRY(mem_new(1, sizeof *c, &c));
    pthread_mutex_init(&c->turn, NULL);
    pthread_mutex_init(&c->mutex, NULL);
    c->spec = *spec;
    c->clock = options->clock ? options->clock : clock_system();
    c->random = options->random ? options->random : random_system();
    c->timeout_ms = options->timeout_ms ? options->timeout_ms : TIMEOUT_MS;
    c->attempts_max = options->attempts_max ? options->attempts_max : ATTEMPTS;
    c->retries = RETRIES_FULL;
    TRY(flight_new(&c->flight));
    TRY(open_driver(c, options));
    TRY(open_budget(c, options));
    *ret = TAKE(c);
    return KS_SUCCESS;
}

void kms_client_close(struct kms_client *c)
{
    if (!c)
        return;
    if (c->kms)
        c->driver->close(c->kms);
    budget_close(c->budget);
    flight_free(c->flight);
    pthread_mutex_destroy(&c->turn);
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
    struct work w = {.operation = KMS_WRAP,
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
        .operation = KMS_UNWRAP, .context = context, .blob = blob, .ret_plain = ret_plain};

    return run_shared(c, &w);
}

ks_rc kms_client_version(struct kms_client *c, const struct key_context *context,
                         char ret[KEY_VERSION_BYTES])
{
    char version[KEY_VERSION_BYTES] = "";
    struct work w = {.operation = KMS_VERSION, .context = context, .version = version};

    TRY(run_shared(c, &w));
    memcpy(ret, version, sizeof version);
    return KS_SUCCESS;
}

bool kms_client_is_remote(const struct kms_client *c)
{
    return c->driver->scope != NULL;
}

struct kms_counters kms_client_counters(struct kms_client *c)
{
    struct kms_report report;
    struct kms_counters sum = {0};

    kms_client_report(c, &report);
    for (int i = 0; i < KMS_OPERATIONS; i++) {
        const struct kms_counters *n = &report.operations[i];
        sum.calls += n->calls;
        sum.attempts += n->attempts;
        sum.granted += n->granted;
        sum.denied += n->denied;
        sum.unreachable += n->unreachable;
        sum.other += n->other;
    }
    return sum;
}

void kms_client_report(struct kms_client *c, struct kms_report *ret)
{
    pthread_mutex_lock(&c->mutex);
    *ret = c->report;
    ret->is_remote = kms_client_is_remote(c);
    ret->breaker = c->breaker.state;
    ret->silences = c->breaker.silences;
    ret->breaker_left_ms = breaker_left_ms(&c->breaker, clock_boot_ms(c->clock));
    pthread_mutex_unlock(&c->mutex);
}

const char *kms_operation_name(enum kms_operation operation)
{
    static const char *const names[KMS_OPERATIONS] = {"wrap", "unwrap", "version"};

    return names[operation];
}
