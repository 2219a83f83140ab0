/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/wishes.c - what the control plane wants: heard over the long poll, kept for the time when nobody answers.
 */
#include <stdio.h>

#include "base/json.h"
#include "base/log.h"
#include "node/agent_int.h"
#include "node/pace.h"

enum {
    WAIT_S = 55,
    VOLUMES_MAX = 500,    /* of one answer */
    HOLDINGS_MAX = 20000, /* more than a host has memory for */
};

/* --- one wish --- */

/* Why it does not open is for its disk and its keys to say, not for the wish: that holds, and is told, until it was tried again, so that nobody
 * hears of it twice. An older keyring that was accepted is none of it any more. */
static bool is_failure_kept(const struct holding *h, const struct wish *w)
{
    bool is_opening = h->failed_step == STEP_MOUNT || h->failed_step == STEP_COUNT;
    bool is_to_open = w->is_present && !w->is_revoked;

    return is_opening && is_to_open && w->anchor.accepted <= h->deed.anchor.accepted;
}

/* A changed wish makes old failures meaningless; the others are tried again at once. */
static void forget_failures(struct holding *h, bool is_kept)
{
    if (is_kept)
        failure_retry(&h->failure);
    else
        failure_clear(&h->failure);
    for (size_t i = 0; i < KEY_FAILURES; i++)
        failure_clear(&h->key_failures[i]);
}

/* With the mutex. */
static void take_wish(struct agent *a, struct holding *h, const struct wish *w)
{
    bool is_revoke = w->is_revoked && !(h->has_wish && h->wish.is_revoked &&
                                        h->wish.serials.restore == w->serials.restore);

    if (is_revoke) {
        h->asked_s = clock_wall_s(a->clock);
        h->is_urgent = true;
    }
    /* a restore between two revokes that was not heard makes the second one a revoke of its own */
    bool is_other = !w->is_revoked || w->serials.restore != h->wish.serials.restore;
    if (is_other && h->deed.is_receipted) {
        h->deed.is_receipted = false;
        h->is_deed_saved = false;
    }
    bool is_kept = is_failure_kept(h, w);
    if (anchor_take(&h->deed.anchor, &w->anchor))
        h->is_deed_saved = false;
    h->wish = *w;
    h->has_wish = true;
    h->is_gone = h->is_gone_told = false;
    h->is_wish_saved = false;
    h->seen_seq++;
    forget_failures(h, is_kept);
    agent_stir(a, h);
}

static ks_rc add_holding(struct agent *a, const char *id, struct holding **ret)
{
    ENSURE(a->holding_count < HOLDINGS_MAX, KS_E_LIMIT,
           "this node has %d volumes, and takes no more", HOLDINGS_MAX);
    return agent_add(a, id, ret);
}

/* Said again: nothing is written, or tried at once, for that. */
static bool is_same_wish(const struct holding *h, const struct wish *w)
{
    CLEANUP(json_decrefp) json_t *before = h->has_wish && !h->is_gone ? wish_write(&h->wish) : NULL;
    CLEANUP(json_decrefp) json_t *now = before ? wish_write(w) : NULL;

    return now && json_equal(before, now);
}

void agent_wish(struct agent *a, const struct wish *w)
{
    pthread_mutex_lock(&a->mutex);
    struct holding *h = agent_find(a, w->volume);
    ks_rc rc = h ? KS_SUCCESS : add_holding(a, w->volume, &h);
    if (ks_ok(rc) && !is_same_wish(h, w))
        take_wish(a, h, w);
    urgent_wake(a);
    pthread_mutex_unlock(&a->mutex);
    if (!ks_ok(rc))
        log_line(LOG_ERROR, "volume %s: %s", w->volume, ks_text(rc));
}

/* --- after a start --- */

static void load_wish(struct agent *a, struct holding *h)
{
    CLEANUP(json_decrefp) json_t *text = NULL;
    ks_rc rc = node_dir_volume_read(a->dir, h->id, "wish.json", &text);

    if (ks_ok(rc))
        rc = wish_read(text, &h->wish);
    h->has_wish = ks_ok(rc) && strcmp(h->wish.volume, h->id) == 0;
    if (!h->has_wish)
        log_line(LOG_WARNING,
                 "volume %s waits for the control plane, because its wish cannot be read: %s",
                 h->id, ks_ok(rc) ? "it is of another volume" : ks_text(rc));
    h->asked_s = clock_wall_s(a->clock);
    h->is_urgent = h->has_wish && h->wish.is_revoked;
}

/* What cannot be read counts as made: better to miss a volume aloud than to make an empty one in its place. */
static void load_deed(struct agent *a, struct holding *h)
{
    CLEANUP(json_decrefp) json_t *text = NULL;
    ks_rc rc = node_dir_volume_read(a->dir, h->id, "deed.json", &text);

    if (ks_ok(rc))
        rc = deed_read(text, &h->deed);
    h->kept_anchor = h->deed.anchor;
    if (h->has_wish && anchor_take(&h->deed.anchor, &h->wish.anchor))
        h->is_deed_saved = false;
    if (ks_ok(rc) || ks_is(rc, KS_E_NOT_FOUND))
        return;
    h->deed.is_made = true;
    log_line(LOG_WARNING, "volume %s: %s", h->id, ks_text(rc));
}

static ks_rc load_one(void *arg, const char *id)
{
    struct agent *a = arg;
    struct holding *h = NULL;

    TRY(agent_add(a, id, &h));
    load_wish(a, h);
    load_deed(a, h);
    return KS_SUCCESS;
}

ks_rc agent_load(struct agent *a)
{
    return node_dir_volumes(a->dir, load_one, a);
}

/* --- listening --- */

static ks_rc take_volume(struct agent *a, const json_t *one, bool *ret_is_new)
{
    struct wish w;

    (void)ret_is_new; /* the revision tells */
    TRY(wish_read(one, &w));
    agent_wish(a, &w);
    return KS_SUCCESS;
}

static ks_rc take_check(struct agent *a, const json_t *one, bool *ret_is_new)
{
    struct wish_check c;

    TRY(wish_check_read(one, &c));
    if (check_begin(a, &c))
        *ret_is_new = true;
    return KS_SUCCESS;
}

/* Each item of an array of the answer; one that cannot be understood keeps no other from being heard. */
static void take_each(struct agent *a, const json_t *answer, const char *name,
                      ks_rc (*take)(struct agent *a, const json_t *one, bool *ret_is_new),
                      bool *ret_is_new)
{
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(answer, name), i, one)
    {
        ks_rc rc = take(a, one, ret_is_new);
        if (!ks_ok(rc))
            log_line(LOG_ERROR, "one of the %s of the control plane cannot be understood: %s", name,
                     ks_text(rc));
    }
}

/* ret_is_new: something in it was not known. */
static ks_rc take_answer(struct agent *a, const json_t *answer, bool *ret_is_new)
{
    int64_t revision = 0;

    TRY(json_get_int(answer, "revision", 0, INT64_MAX, &revision));
    take_each(a, answer, "volumes", take_volume, ret_is_new);
    take_each(a, answer, "checks", take_check, ret_is_new);
    pthread_mutex_lock(&a->mutex);
    if (a->revision != revision)
        *ret_is_new = true;
    a->revision = revision;
    a->is_synced =
        a->is_synced || json_array_size(json_object_get(answer, "volumes")) < VOLUMES_MAX;
    pthread_cond_broadcast(&a->news);
    pthread_mutex_unlock(&a->mutex);
    return KS_SUCCESS;
}

/* One line each time it changes. */
static void note_reach(struct agent *a, ks_rc rc)
{
    pthread_mutex_lock(&a->mutex);
    bool was_away = a->is_serve_away;
    a->is_serve_away = !ks_ok(rc);
    pthread_mutex_unlock(&a->mutex);
    if (!ks_ok(rc) && !was_away)
        log_line(LOG_WARNING, "the control plane is away; going on with what is known: %s",
                 ks_text(rc));
    else if (ks_ok(rc) && was_away)
        log_line(LOG_NOTICE, "the control plane is back");
}

/* Returns early at the end. */
static void pause_listening(struct agent *a, uint64_t ms)
{
    struct timespec until = clock_deadline(ms);

    pthread_mutex_lock(&a->mutex);
    while (!a->is_ending && pthread_cond_timedwait(&a->ended, &a->mutex, &until) == 0)
        ;
    pthread_mutex_unlock(&a->mutex);
}

/* --- a certificate that has expired --- */

static ks_rc explain_expired(struct agent *a)
{
    char region[NAME_BYTES], when[CLOCK_TEXT_BYTES];

    pthread_mutex_lock(&a->mutex);
    snprintf(region, sizeof region, "%s", a->identity.region);
    clock_format(a->identity.not_after, when);
    pthread_mutex_unlock(&a->mutex);
    return ks_fail(KS_E_STATE,
                   "the certificate of this node has expired at %s; set the clock if that is to "
                   "come, else make a join token for region %s and give it a new one, it keeps its "
                   "volumes: keystead node join --server URL --token-file FILE --dir %s",
                   when, region, node_dir_path(a->dir));
}

/* Somebody may have joined again meanwhile. */
static ks_rc find_newer(struct agent *a)
{
    struct identity newer, older;

    TRY(identity_read(a->dir, &newer));
    if (identity_has_expired(&newer, clock_wall_s(a->clock))) {
        identity_done(&newer);
        return explain_expired(a);
    }
    pthread_mutex_lock(&a->mutex);
    older = a->identity;
    a->identity = newer;
    pthread_mutex_unlock(&a->mutex);
    identity_done(&older);
    TRY(link_refresh(a->link));
    log_line(LOG_NOTICE, "this node has a new certificate");
    return KS_SUCCESS;
}

static ks_rc check_certificate(struct agent *a)
{
    pthread_mutex_lock(&a->mutex);
    bool has_expired = identity_has_expired(&a->identity, clock_wall_s(a->clock));
    pthread_mutex_unlock(&a->mutex);
    return has_expired ? find_newer(a) : KS_SUCCESS;
}

/* One question and what came of it. */
static ks_rc ask(struct agent *a, bool *ret_is_new)
{
    CLEANUP(json_decrefp) json_t *answer = NULL;

    TRY(check_certificate(a));
    pthread_mutex_lock(&a->mutex);
    int64_t since = a->revision;
    pthread_mutex_unlock(&a->mutex);
    uint64_t asked_ms = clock_boot_ms(a->clock);
    TRY(link_desired(a->link, since, WAIT_S, &answer));
    if (answer)
        return take_answer(a, answer, ret_is_new);
    *ret_is_new = clock_boot_ms(a->clock) - asked_ms >= PACE_MS; /* it has waited, as it was to */
    return KS_SUCCESS;
}

void *agent_listen(void *agent)
{
    struct agent *a = agent;
    struct pace pace = {0};
    unsigned failures = 0;

    for (;;) {
        bool is_new = false;
        pthread_mutex_lock(&a->mutex);
        bool is_ending = a->is_ending;
        pthread_mutex_unlock(&a->mutex);
        if (is_ending)
            return NULL;
        ks_rc rc = ask(a, &is_new);
        note_reach(a, rc);
        failures = ks_ok(rc) ? 0 : failures + 1;
        uint64_t pause_ms = failures ? failure_link_pause_ms(failures, a->conf.random)
                                     : pace_pause(&pace, clock_boot_ms(a->clock), is_new);
        if (pause_ms)
            pause_listening(a, pause_ms);
    }
}
