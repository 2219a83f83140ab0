/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/pass.c - one pass over a volume: look, decide, take one step, merge.
 *
 * Workers take whichever volume is due. A pass works on copies; what somebody else changed meanwhile (a wish, a lock) wins, and the
 * next pass sees it.
 */
#include <poll.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "node/agent_int.h"

enum { LOOK_MS = 1000, LOOK_WATCHED_MS = 30000, STEPS_SOON_MS = 1, SAVE_AGAIN_MS = 20 };

/* --- what happened by itself --- */

static bool is_locked_as_wished(const struct job *j)
{
    const struct seen *s = &j->seen;

    return j->wish.is_present && j->wish.is_revoked &&
           (!s->is_made || (s->is_revoked && (!s->is_running || s->state == LEASE_LOCKED)));
}

static void prove(struct job *j, const struct prove_facts *facts)
{
    ks_rc rc = prove_lock(j, facts);

    if (!ks_ok(
            rc)) /* the next pass finds it missing still; what else is to be done does not wait for it */
        log_line(LOG_ERROR, "volume %s has no receipt yet: %s", j->h->id, ks_text(rc));
}

/* Locks that nobody has a receipt of: by the key service, or by an earlier life of this agent. */
static void prove_what_happened(struct job *j)
{
    struct prove_facts facts = {.cause = CAUSE_REVOKED, .asked_s = j->h->asked_s};
    char id[96];

    if (is_locked_as_wished(j) && !j->deed.is_receipted) {
        prove_lock_id(&j->seen, id);
        facts.is_ours = j->seen.lock_at[0] && strcmp(id, j->deed.last_lock) != 0;
        prove(j, &facts);
        return;
    }
    if (!j->seen.is_running || j->seen.state != LEASE_LOCKED || j->seen.is_revoked ||
        !j->seen.lock_at[0])
        return;
    prove_lock_id(&j->seen, id);
    if (strcmp(id, j->deed.last_lock) == 0)
        return;
    facts.cause = j->seen.lock_cause == CAUSE_DENIED ? CAUSE_DENIED : CAUSE_UNREACHABLE;
    facts.asked_s = 0;
    facts.is_ours = true;
    prove(j, &facts);
}

/* --- deciding --- */

/* Keys whose failure is not over yet are as if they were not missing now, but the wish is not reached. */
static bool find_missing_key(struct job *j, size_t *ret)
{
    uint64_t now_ms = clock_boot_ms(j->a->clock);
    const struct key_spec *spec;

    for (size_t i = 0; (spec = seen_wanted(&j->wish, &j->a->platform, i)); i++) {
        size_t slot = i < j->wish.key_count ? i : KEY_FAILURES - 1;
        if (!seen_key(&j->seen, spec) && j->key_until_ms[slot] <= now_ms &&
            !seen_is_overruled(&j->wish, &j->a->platform, i)) {
            *ret = i;
            return true;
        }
    }
    return false;
}

/* Access and keys are as wished; rotations go on behind it. What the key service refuses is as it can be. */
static bool is_reached(const struct job *j, const struct step_view *v)
{
    bool are_keys = v->keys_missing == 0 && v->keys_to_swap == 0 && v->keys_unwanted == 0;
    bool is_refused = v->state == LEASE_LOCKED && !v->is_revoked && j->seen.cause == CAUSE_DENIED;

    if (v->is_present && v->is_revoke_wanted) /* also when it cannot be mounted */
        return is_locked_as_wished(j);
    if (!v->is_present)
        return step_next(v) == STEP_IDLE;
    return v->is_running && are_keys && (v->state <= LEASE_GRACE || is_refused);
}

static enum step decide(struct job *j)
{
    struct step_view view;

    seen_view(&j->seen, &j->wish, &j->deed, &j->a->platform, &view);
    j->is_reached = is_reached(j, &view);
    view.is_rewrap_due = view.is_rewrap_due || j->is_newer;
    enum step step = step_next(&view);
    if (step == STEP_ADD_KEY && !find_missing_key(j, &j->key))
        return STEP_WAIT;
    if (step == STEP_REENCRYPT && j->is_rekeying)
        return STEP_WAIT;
    return step;
}

/* --- merging --- */

void power_told(void *agent)
{
    struct agent *a = agent;

    atomic_store(&a->is_engine_news, true);
    pthread_cond_broadcast(&a->work); /* who misses it looks within a second */
}

/* Opened when it is needed: what cannot be read must not keep volumes from being served. */
static ks_rc open_owners(struct agent *a)
{
    const struct owners_conf conf = {
        .dir = a->dir, .etc = "/etc", .first = a->conf.uid_first, .last = a->conf.uid_last};

    pthread_mutex_lock(&a->owners_mutex);
    ks_rc rc = a->owners ? KS_SUCCESS : owners_open(&conf, &a->owners);
    pthread_mutex_unlock(&a->owners_mutex);
    return rc;
}

ks_rc power_owner(void *agent, const char *organisation, uid_t *ret)
{
    struct agent *a = agent;

    TRY(open_owners(a));
    return owners_find(a->owners, organisation, ret);
}

/* The engine runs while the volume is open, its directory is there, and it is wanted so. With the mutex. */
static void steer_engine(struct agent *a, struct holding *h)
{
    bool is_open = h->seen.is_running && h->seen.state <= LEASE_GRACE && !h->seen.is_revoked &&
                   !h->seen.is_lost && !h->is_rolled_back;
    bool is_wanted = is_open && h->wish.is_present && !h->wish.is_revoked && !h->is_urgent &&
                     !h->is_locking && !h->is_closing && !a->is_ending;

    if (!h->power)
        return;
    if (!power_is_on(h->power)) {
        secret_free(h->password); /* it lies on the volume, and is locked with it */
        h->password = NULL;
    }
    if (is_wanted && !power_is_on(h->power))
        power_on(h->power);
    else if (!is_wanted && power_is_on(h->power) && !a->is_ending) {
        h->is_urgent = true;
        urgent_wake(a);
    }
}

static struct failure *failure_of(struct job *j, enum step step)
{
    struct holding *h = j->h;

    if (step != STEP_ADD_KEY)
        return &h->failure;
    return &h->key_failures[j->key < j->wish.key_count ? j->key : KEY_FAILURES - 1];
}

/* What a step gave. One that is decided no more has nothing to complain of. */
static void note_result(struct job *j, enum step step, ks_rc rc)
{
    struct holding *h = j->h;
    struct failure *f = failure_of(j, step);
    bool was_failing = !ks_ok(f->rc);

    if (step != STEP_ADD_KEY && h->failed_step != step)
        failure_clear(&h->failure);
    if (j->is_held_back)
        return;
    if (ks_ok(rc)) {
        failure_clear(f);
        return;
    }
    failure_note(f, rc, clock_boot_ms(j->a->clock), j->a->conf.random);
    if (step != STEP_ADD_KEY)
        h->failed_step = step;
    if (!was_failing)
        log_line(LOG_WARNING, "volume %s, %s: %s", h->id,
                 step == STEP_COUNT ? "look" : step_name(step), f->text);
}

static void schedule(struct job *j, enum step step)
{
    struct holding *h = j->h;
    uint64_t now_ms = clock_boot_ms(j->a->clock);

    bool is_quiet =
        h->is_watched && step == STEP_IDLE && h->seen.state == LEASE_OPEN && !h->is_save_failing;
    h->due_ms = now_ms + (j->is_more_due ? STEPS_SOON_MS : is_quiet ? LOOK_WATCHED_MS : LOOK_MS);
    if (step == STEP_COUNT && h->failure.until_ms > h->due_ms)
        h->due_ms = h->failure.until_ms;
}

void pass_show(struct job *j)
{
    struct holding *h = j->h;

    seen_done(&h->seen);
    h->seen = j->seen;
    h->is_seen = true;
    h->is_rolled_back = seen_is_rolled_back(&j->seen, &j->deed);
}

static void merge_seen(struct job *j)
{
    if (!j->is_seen)
        return;
    pass_show(j);
    j->seen = (struct seen){0};
}

static uint32_t later(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* Counts only rise, so that neither side loses what the other one did. What was proved is written down by who proved it. */
static void merge_deed(struct job *j)
{
    struct deed *to = &j->h->deed;
    struct wish_serials *done = &to->done, *did = &j->deed.done;

    if (!j->is_deed_changed)
        return;
    j->h->is_deed_saved = false;
    if (j->is_discarded) { /* a revoke that has its receipt needs no other one for what is gone */
        bool is_receipted = to->is_receipted;
        *to = j->deed;
        to->is_receipted = is_receipted;
        return;
    }
    to->is_made = to->is_made || j->deed.is_made;
    to->port = j->deed.port;
    /* only by the rule: what was heard or accepted meanwhile counts too */
    (void)anchor_take(&to->anchor, &j->deed.anchor);
    done->rewrap = later(done->rewrap, did->rewrap);
    done->store = later(done->store, did->store);
    done->data = later(done->data, did->data);
    done->reencrypt = later(done->reencrypt, did->reencrypt);
    done->restore = later(done->restore, did->restore);
}

static void merge(struct job *j, enum step step, ks_rc rc)
{
    struct agent *a = j->a;
    struct holding *h = j->h;

    pthread_mutex_lock(&a->mutex);
    bool is_current = h->seen_seq == j->seq;
    if (is_current)
        merge_seen(j);
    merge_deed(j);
    if (is_current) {
        note_result(j, step, rc);
        if (j->is_reached)
            h->deed.reached = j->wish.goal;
        /* not before its goal stands in the report, which is the last one about it */
        h->is_gone = step == STEP_IDLE && !h->wish.is_present && j->wish.goal == h->wish.goal;
        if (step == STEP_LOCK)
            h->is_urgent = true;
    }
    steer_engine(a, h);
    schedule(j, step);
    bool is_save_due = !h->is_deed_saved || !h->is_wish_saved;
    if (!is_current || h->is_stirred || (is_save_due && !h->is_save_failing))
        h->due_ms = 0;
    h->is_busy = false;
    h->is_news = true;
    pthread_cond_broadcast(&a->news);
    urgent_wake(a);
    agent_wake(a);
    pthread_mutex_unlock(&a->mutex);
}

/* --- a pass --- */

/* A failed step is held back until its time has come; others are not. */
static bool is_held_back(struct job *j, enum step step)
{
    pthread_mutex_lock(&j->a->mutex);
    const struct failure *f = &j->h->failure;
    bool is_held = !ks_ok(f->rc) && j->h->failed_step == step &&
                   f->until_ms > clock_boot_ms(j->a->clock) && step != STEP_ADD_KEY;
    pthread_mutex_unlock(&j->a->mutex);
    return is_held;
}

/* An engine needs a place in the network that is its own for ever. */
static void find_port(struct job *j)
{
    if (j->deed.port || j->wish.engine[0] == 0 || strcmp(j->wish.engine, "none") == 0)
        return;
    j->deed.port = port_find(j->a, j->h);
    j->is_deed_changed = j->deed.port != 0;
}

/* Once it is there: it is made with the engine's first start. */
static void take_password(struct job *j, struct power *p)
{
    struct secret *password = NULL;

    pthread_mutex_lock(&j->a->mutex);
    bool is_known = j->h->password != NULL;
    pthread_mutex_unlock(&j->a->mutex);
    if (is_known || !ks_ok(power_password(p, &password)))
        return;
    pthread_mutex_lock(&j->a->mutex);
    j->h->password = password;
    json_decref(j->h->told); /* the control plane is to hear it */
    j->h->told = NULL;
    pthread_mutex_unlock(&j->a->mutex);
}

static void ready_engine(struct job *j)
{
    struct power *p = j->h->power; /* made once, by passes only */

    if (j->wish.is_present)
        find_port(j);
    struct power_conf conf = {.engines_dir = j->a->conf.engines_dir,
                              .engine = j->wish.engine,
                              .address = j->a->conf.engine_address,
                              .client_host = j->a->identity.address,
                              .cluster_name = j->wish.cluster_name,
                              .organisation = j->wish.organisation,
                              .owner = power_owner,
                              .port = j->deed.port,
                              .clock = j->a->clock,
                              .random = j->a->conf.random,
                              .told = power_told,
                              .arg = j->a};
    CLEANUP(mem_freep) char *mount = NULL, *state = NULL;

    if (!p && j->seen.is_made && (j->wish.is_present || j->deed.port) &&
        ks_ok(node_dir_mount_path(j->a->dir, j->h->id, &mount)) &&
        ks_ok(node_dir_volume_path(j->a->dir, j->h->id, "engine", &state))) {
        conf.mountpoint = mount;
        conf.state_dir = state;
        if (ks_ok(power_new(&conf, &p))) {
            pthread_mutex_lock(&j->a->mutex);
            j->h->power = p;
            pthread_mutex_unlock(&j->a->mutex);
        }
    }
    if (p && !power_is_on(p))
        power_prepare(p);
    if (p && power_is_on(p))
        take_password(j, p);
}

/* What is not to be taken now is told by STEP_WAIT or is_held_back. */
static ks_rc act(struct job *j, enum step *ret_step)
{
    enum step step = decide(j);

    *ret_step = step;
    if (step == STEP_IDLE || step == STEP_WAIT || step == STEP_LOCK)
        return KS_SUCCESS;
    j->is_held_back = is_held_back(j, step);
    return j->is_held_back ? KS_SUCCESS : step_take(j, step);
}

static void watch(struct job *j)
{
    pthread_mutex_lock(&j->a->mutex);
    bool is_watched = j->h->is_watched || j->a->is_ending;
    pthread_mutex_unlock(&j->a->mutex);
    if (!is_watched && j->seen.is_running)
        watch_begin(j->a, j->h, j->socket);
}

static void pass(struct job *j)
{
    enum step step = STEP_COUNT; /* of looking */
    ks_rc rc = look_volume(j);

    if (ks_ok(rc))
        prove_what_happened(j);
    if (ks_ok(rc))
        watch(j);
    if (ks_ok(rc)) /* one that an earlier life left running is to end before its volume goes */
        ready_engine(j);
    if (ks_ok(rc))
        rc = act(j, &step);
    merge(j, step, rc);
}

/* --- keeping --- */

void save_begin(struct job *j)
{
    struct holding *h = j->h;

    j->is_wish_due = !h->is_wish_saved;
    j->is_deed_due = !h->is_deed_saved;
    h->is_wish_saved = h->is_deed_saved = true;
    h->is_saving = j->is_wish_due || j->is_deed_due;
}

static ks_rc save(struct job *j)
{
    struct agent *a = j->a;
    struct holding *h = j->h;
    ks_rc rc = KS_SUCCESS;

    if (j->is_wish_due)
        rc = node_dir_volume_write(a->dir, h->id, "wish.json", wish_write(&j->wish));
    if (ks_ok(rc) && j->is_deed_due)
        rc = node_dir_volume_write(a->dir, h->id, "deed.json", deed_write(&j->deed));
    pthread_mutex_lock(&a->mutex);
    bool is_told = h->is_save_failing;
    h->is_saving = false;
    h->is_save_failing = !ks_ok(rc);
    h->is_wish_saved = h->is_wish_saved && (ks_ok(rc) || !j->is_wish_due);
    h->is_deed_saved = h->is_deed_saved && (ks_ok(rc) || !j->is_deed_due);
    if (ks_ok(rc) && j->is_deed_due) {
        h->kept_anchor = j->deed.anchor;
        h->is_news = true;
    }
    pthread_mutex_unlock(&a->mutex);
    if (!ks_ok(rc) && !is_told)
        log_line(LOG_ERROR, "volume %s: what is wished cannot be kept: %s", h->id, ks_text(rc));
    return rc;
}

/* Before anything is done for a wish it is on the disk; without a disk it is done all the same. */
void save_end(struct job *j)
{
    if (j->is_wish_due || j->is_deed_due)
        IGNORE(save(j)); /* it is due again */
}

/* With the mutex, and its volume in nobody's hands. The wish is none of it: a newer one may be waiting. */
static void save_begin_deed(struct job *j)
{
    merge_deed(j);
    j->deed = j->h->deed;
    j->is_wish_due = false;
    j->is_deed_due = j->h->is_deed_saved = j->h->is_saving = true;
}

ks_rc save_deed(struct job *j)
{
    bool is_free = false;

    j->is_deed_changed = true;
    while (!is_free) {
        pthread_mutex_lock(&j->a->mutex);
        is_free = !j->h->is_saving;
        if (is_free)
            save_begin_deed(j);
        pthread_mutex_unlock(&j->a->mutex);
        if (!is_free)
            poll(NULL, 0, SAVE_AGAIN_MS);
    }
    return save(j);
}

/* --- workers --- */

/* With the mutex. */
static bool may_pass(const struct agent *a, const struct holding *h)
{
    return h->has_wish && !h->is_busy && !h->is_saving && !h->is_closing && !h->is_gone &&
           !a->is_ending;
}

/* The one that is due the longest; *ret_ms: when the next one is. */
static struct holding *find_due(struct agent *a, uint64_t *ret_ms)
{
    uint64_t now_ms = clock_boot_ms(a->clock), next_ms = now_ms + LOOK_MS;
    struct holding *found = NULL;

    for (struct holding *h = a->holdings; h; h = h->next) {
        if (!may_pass(a, h))
            continue;
        if (h->due_ms <= now_ms && (!found || h->due_ms < found->due_ms))
            found = h;
        if (h->due_ms < next_ms)
            next_ms = h->due_ms;
    }
    *ret_ms = next_ms > now_ms ? next_ms - now_ms : 0;
    return found;
}

static void hear_engines(struct agent *a)
{
    if (!atomic_exchange(&a->is_engine_news, false))
        return;
    for (struct holding *h = a->holdings; h; h = h->next)
        if (h->power)
            agent_stir(a, h);
}

/* With the mutex; returns with a job, or false at the end. */
static bool take_job(struct agent *a, struct job *j)
{
    struct holding *h = NULL;
    uint64_t left_ms;

    while (!a->is_ending) {
        hear_engines(a);
        h = find_due(a, &left_ms);
        if (h)
            break;
        struct timespec until = clock_deadline(left_ms + 1);
        pthread_cond_timedwait(&a->work, &a->mutex, &until);
    }
    if (!h)
        return false;
    h->is_busy = true;
    h->is_stirred = false;
    *j = (struct job){.a = a,
                      .h = h,
                      .seq = h->seen_seq,
                      .wish = h->wish,
                      .deed = h->deed,
                      .is_newer = h->is_newer,
                      .is_rekeying = h->is_rekeying};
    memcpy(j->socket, h->socket, sizeof j->socket);
    for (size_t i = 0; i < KEY_FAILURES; i++)
        j->key_until_ms[i] = h->key_failures[i].until_ms;
    save_begin(j);
    return true;
}

void *agent_worker(void *agent)
{
    struct agent *a = agent;
    struct job *j = NULL;

    if (!ks_ok(mem_new(1, sizeof *j, &j)))
        return NULL;
    pthread_mutex_lock(&a->mutex);
    while (take_job(a, j)) {
        pthread_mutex_unlock(&a->mutex);
        save_end(j);
        pass(j);
        seen_done(&j->seen);
        pthread_mutex_lock(&a->mutex);
    }
    pthread_mutex_unlock(&a->mutex);
    mem_free(j);
    return NULL;
}
