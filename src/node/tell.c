/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/tell.c - reports: what changed, as soon as it changed, and everything now and then.
 *
 * What was told is remembered only when it was accepted, so that nothing is lost while nobody listens.
 */
#include <stdio.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/version.h"
#include "node/agent_int.h"

enum {
    FULL_MS = 60000,
    IDLE_MS = 1000,
    PARTIAL_MAX = 200,
    RECEIPTS_MAX = 200, /* of one report, which is bounded; the others are in the next ones */
    RECEIPT_BYTES_MAX = 1024 * 1024,
};

/* A report under way: what has to be remembered when it is accepted. */
struct tidings {
    json_t *report, *volumes, *receipts;
    struct holding **about; /* holdings are forgotten by this thread only */
    json_t **told;
    size_t count, room;
    size_t check_count;
    bool is_full;
};

static void tidings_done(struct tidings *t)
{
    for (size_t i = 0; i < t->count; i++)
        json_decref(t->told[i]);
    json_decref(t->report);
    mem_free(t->about);
    mem_free(t->told);
}

/* --- gathering, with the mutex --- */

static bool is_tellable(const struct holding *h)
{
    return h->has_wish && (h->is_seen || h->is_gone || !ks_ok(h->failure.rc));
}

/* Everything may be told at once only when everything is known. */
static bool may_be_full(const struct agent *a)
{
    for (const struct holding *h = a->holdings; h; h = h->next)
        if (!is_tellable(h))
            return false;
    return a->is_synced;
}

/* The password is added to a copy: what is remembered must not hold it. */
static json_t *with_password(struct holding *h, json_t *volume)
{
    json_t *engine = json_object_get(volume, "engine");

    if (!h->password)
        return json_incref(volume);
    struct view text = secret_view(h->password);
    json_t *copy = json_copy(volume), *engine_copy = json_copy(engine);
    json_object_set_new(engine_copy, "password", json_stringn((const char *)text.bytes, text.len));
    json_object_set_new(copy, "engine", engine_copy);
    return copy;
}

static void add_details(struct holding *h, json_t *volume)
{
    if (h->seen.wraps_json && !json_equal(h->seen.wraps_json, h->told_wraps))
        json_object_set(volume, "wraps", h->seen.wraps_json);
    if (h->seen.generations && !json_equal(h->seen.generations, h->told_generations))
        json_object_set(volume, "generations", h->seen.generations);
}

static ks_rc add_volume(struct agent *a, struct tidings *t, struct holding *h)
{
    json_t *plain = report_volume(a, h);

    ENSURE(plain, KS_E_NO_MEMORY, "no memory for a report");
    h->is_news = false;
    json_t *whole = json_copy(plain);
    if (h->seen.requests_failed)
        json_object_set(whole, "requests_failed", h->seen.requests_failed);
    if (!t->is_full)
        add_details(h, whole);
    if (!t->is_full && json_equal(whole, h->told)) {
        json_decref(whole);
        json_decref(plain);
        return KS_SUCCESS;
    }
    json_array_append_new(t->volumes, with_password(h, whole));
    json_decref(plain);
    t->about[t->count] = h;
    t->told[t->count++] = whole;
    return KS_SUCCESS;
}

static ks_rc add_volumes(struct agent *a, struct tidings *t)
{
    for (struct holding *h = a->holdings; h; h = h->next) {
        bool is_due = t->is_full || (h->is_news && is_tellable(h));
        if (is_due && t->count < t->room)
            TRY(add_volume(a, t, h));
    }
    return KS_SUCCESS;
}

static void add_receipts(struct agent *a, struct tidings *t)
{
    size_t count = 0, bytes = 0;

    for (struct waiting_receipt *r = a->receipts;
         r && count < RECEIPTS_MAX && bytes < RECEIPT_BYTES_MAX; r = r->next) {
        json_array_append(t->receipts, r->receipt);
        r->is_sent = true;
        bytes += json_string_length(json_object_get(r->receipt, "text"));
        count++;
    }
}

static ks_rc gather(struct agent *a, struct tidings *t)
{
    uint64_t now_ms = clock_boot_ms(a->clock);

    t->is_full = (a->is_full_due || now_ms - a->full_ms >= FULL_MS) && may_be_full(a);
    t->room = t->is_full ? a->holding_count : PARTIAL_MAX;
    TRY(mem_new(t->room ? t->room : 1, sizeof *t->about, &t->about));
    TRY(mem_new(t->room ? t->room : 1, sizeof *t->told, &t->told));
    t->volumes = json_array();
    t->receipts = json_array();
    t->report = json_pack("{s:b, s:I, s:o, s:O, s:o, s:s, s:s}", "full", t->is_full, "revision",
                          (json_int_t)a->revision, "volumes", t->volumes, "checks",
                          a->check_results, "receipts", t->receipts, "version", keystead_version,
                          "address", a->identity.address);
    ENSURE(t->report, KS_E_NO_MEMORY, "no memory for a report");
    if (t->is_full && a->engines)
        json_object_set(t->report, "engines", a->engines);
    TRY(add_volumes(a, t));
    add_receipts(a, t);
    t->check_count = json_array_size(a->check_results);
    return KS_SUCCESS;
}

static bool is_empty(const struct tidings *t)
{
    return !t->is_full && t->count == 0 && t->check_count == 0 && json_array_size(t->receipts) == 0;
}

/* --- after it was accepted, with the mutex --- */

static void remember_details(struct holding *h, const json_t *told)
{
    json_t *wraps = json_object_get(told, "wraps"),
           *generations = json_object_get(told, "generations");

    if (wraps) {
        json_decref(h->told_wraps);
        h->told_wraps = json_incref(wraps);
    }
    if (generations) {
        json_decref(h->told_generations);
        h->told_generations = json_incref(generations);
    }
}

static void remember(struct holding *h, json_t *told)
{
    remember_details(h, told);
    json_object_del(told, "wraps");
    json_object_del(told, "generations");
    json_decref(h->told);
    h->told = json_incref(told);
}

/* Those that were accepted leave the list. */
static struct waiting_receipt *take_sent(struct agent *a)
{
    struct waiting_receipt **at = &a->receipts, *sent = NULL;

    while (*at) {
        struct waiting_receipt *r = *at;
        if (!r->is_sent) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        r->next = sent;
        sent = r;
    }
    return sent;
}

/* With the mutex, which is let go meanwhile: nobody waits for a disk. */
static void drop_receipts(struct agent *a)
{
    struct waiting_receipt *next, *r = take_sent(a);

    pthread_mutex_unlock(&a->mutex);
    for (; r; r = next) {
        next = r->next;
        ks_rc rc = node_dir_receipt_remove(a->dir, r->id);
        if (!ks_ok(rc)) /* it is told once more after the next start */
            log_line(LOG_WARNING, "%s", ks_text(rc));
        json_decref(r->receipt);
        mem_free(r);
    }
    pthread_mutex_lock(&a->mutex);
}

static void drop_checks(struct agent *a, size_t count)
{
    for (size_t i = 0; i < count; i++)
        json_array_remove(a->check_results, 0);
}

/* The report that was accepted said which goal the end was: one that was made before the end did not. */
static bool is_end_told(const struct holding *h, const json_t *told)
{
    return h->is_gone && json_integer_value(json_object_get(told, "goal")) == h->deed.reached;
}

/* Nobody else works on it or points to it. */
static bool is_forgettable(const struct holding *h)
{
    return h->is_gone && h->is_gone_told && !h->is_busy && !h->is_saving && !h->is_locking &&
           !h->is_proving && !h->is_rekeying && !h->is_watched;
}

static struct holding *find_forgettable(struct agent *a)
{
    for (struct holding *h = a->holdings; h; h = h->next)
        if (is_forgettable(h))
            return h;
    return NULL;
}

/* With the mutex, which is let go meanwhile. What cannot be removed is tried again after the next report about it. */
static void forget(struct agent *a, struct holding *h)
{
    struct power *power = h->power;

    h->is_busy = true;
    h->is_gone_told = false;
    h->power = NULL;
    pthread_mutex_unlock(&a->mutex);
    power_free(power, false);
    ks_rc rc = node_dir_discard(a->dir, h->id, clock_wall_s(a->clock));
    if (!ks_ok(rc))
        log_line(LOG_WARNING, "%s", ks_text(rc));
    pthread_mutex_lock(&a->mutex);
    h->is_busy = false;
    if (!h->is_gone) { /* it is wanted again */
        h->is_wish_saved = h->is_deed_saved = false;
        agent_stir(a, h);
    } else if (ks_ok(rc)) {
        agent_forget(a, h);
    }
}

static void forget_gone(struct agent *a)
{
    struct holding *h;

    while ((h = find_forgettable(a)))
        forget(a, h);
}

/* All of this is about what was sent: what came meanwhile is news. */
static void accepted(struct agent *a, struct tidings *t)
{
    for (size_t i = 0; i < t->count; i++) {
        struct holding *h = t->about[i];
        remember(h, t->told[i]);
        h->is_gone_told = is_end_told(h, t->told[i]);
    }
    drop_checks(a, t->check_count);
    if (t->is_full) {
        a->is_full_due = false;
        a->full_ms = clock_boot_ms(a->clock);
    }
    drop_receipts(a);
}

static void refused(struct agent *a, struct tidings *t)
{
    for (size_t i = 0; i < t->count; i++)
        t->about[i]->is_news = true;
    for (struct waiting_receipt *r = a->receipts; r; r = r->next)
        r->is_sent = false;
}

/* --- telling --- */

/* With the mutex, which is let go while it is sent. */
static ks_rc tell(struct agent *a, bool *ret_was_empty)
{
    CLEANUP(tidings_done) struct tidings t = {0};
    CLEANUP(json_decrefp) json_t *report = NULL;

    ENSURE(!identity_has_expired(&a->identity, clock_wall_s(a->clock)), KS_E_UNREACHABLE,
           "the certificate of this node has expired"); /* who listens says what to do */
    TRY(gather(a, &t));
    *ret_was_empty = is_empty(&t);
    if (*ret_was_empty)
        return KS_SUCCESS;
    report = json_incref(t.report);
    /* results that come meanwhile go into an array of their own */
    json_t *checks = json_copy(a->check_results);
    json_object_set_new(report, "checks", checks);
    pthread_mutex_unlock(&a->mutex);
    ks_rc rc = link_report(a->link, report);
    pthread_mutex_lock(&a->mutex);
    if (ks_ok(rc))
        accepted(a, &t);
    else
        refused(a, &t);
    return rc;
}

static void wait_ms(struct agent *a, uint64_t ms)
{
    struct timespec until = clock_deadline(ms);

    if (!a->is_ending)
        pthread_cond_timedwait(&a->news, &a->mutex, &until);
}

/* Whatever comes meanwhile waits too: nobody listens. */
static void back_off(struct agent *a, unsigned failures)
{
    struct timespec until = clock_deadline(failure_link_pause_ms(failures, a->conf.random));

    while (!a->is_ending && pthread_cond_timedwait(&a->ended, &a->mutex, &until) == 0)
        ;
}

void *agent_teller(void *agent)
{
    struct agent *a = agent;
    unsigned failures = 0;

    pthread_mutex_lock(&a->mutex);
    while (!a->is_ending) {
        bool was_empty = true;
        ks_rc rc = tell(a, &was_empty);
        forget_gone(a);
        if (!ks_ok(rc) && failures == 0 && rc.cls != KS_CLASS_UNREACHABLE)
            log_line(LOG_ERROR, "a report was not accepted: %s", ks_text(rc));
        failures = ks_ok(rc) ? 0 : failures + 1;
        if (failures)
            back_off(a, failures);
        else if (was_empty)
            wait_ms(a, IDLE_MS);
    }
    pthread_mutex_unlock(&a->mutex);
    return NULL;
}

void tell_last(struct agent *a)
{
    bool was_empty;

    pthread_mutex_lock(&a->mutex);
    if (!a->is_serve_away) {
        /* the control plane finds out by itself when it does not hear this */
        IGNORE(tell(a, &was_empty));
    }
    pthread_mutex_unlock(&a->mutex);
}
