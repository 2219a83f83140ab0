/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/reconcile_world.c - the world's moves, and the promises that are looked at after each.
 */
#include "reconcile_world.h"

#include <string.h>

static void promise(struct world *w, bool is_kept, const char *what)
{
    if (!is_kept && !w->broken)
        w->broken = what;
}

/* -- the store ------------------------------------------------------------------------------------------------------ */

static void load_volume(const struct world *w, const struct w_volume *from, const uint8_t *slots,
                        struct rec *r)
{
    struct rec_volume *v = &r->volumes[r->volume_count++];
    const struct w_report *s = &from->stored;

    v->is_wanted = from->is_wanted;
    v->is_current = s->reached >= from->goal;
    v->has_receipt = from->has_receipt;
    v->is_platform = s->is_platform;
    v->access = (enum access)s->access;
    v->cause = (enum cause)s->cause;
    v->failed_level = REC_REWRAP;
    v->failed_error = (enum rec_error)s->level_error;
    for (size_t l = 0; l < REC_LEVEL_COUNT; l++)
        v->done[l] = s->done[l];
    for (size_t k = 0; k < r->key_count; k++) {
        unsigned bit = 1U << slots[k];
        if (s->ids[slots[k]] != w->keys[slots[k]].id)
            continue;
        if (s->wraps & bit)
            v->wraps[k].state = WRAP_ACTIVE;
        else if (s->failed & bit)
            v->wraps[k] = (struct rec_wrap){WRAP_FAILED,
                                            s->failed_no & bit ? REC_ERROR_NO : REC_ERROR_SILENT};
    }
}

static void load(const struct world *w, struct rec *r, uint8_t slots[REC_KEYS_MAX])
{
    memset(r, 0, sizeof *r);
    r->now = w->now;
    r->region.status = (enum cmek_status)w->status;
    r->region.is_revoked = w->is_revoked;
    r->region.is_platform_wanted = w->is_platform_wanted;
    for (size_t l = 0; l < REC_LEVEL_COUNT; l++)
        r->region.serial[l] = w->serial[l];
    for (size_t k = 0; k < W_KEYS; k++) {
        if (!w->keys[k].is_used)
            continue;
        slots[r->key_count] = (uint8_t)k;
        r->keys[r->key_count++] = (struct rec_key){.status = (enum cmek_status)w->keys[k].status,
                                                   .is_wanted = w->keys[k].is_wanted,
                                                   .since = w->keys[k].since};
    }
    for (size_t i = 0; i < W_VOLUMES; i++) {
        if (w->volumes[i].is_used)
            load_volume(w, &w->volumes[i], slots, r);
    }
    for (size_t s = 0; s < W_STEPS; s++) {
        if (w->steps[s].is_used)
            r->steps[r->step_count++] =
                (struct rec_step){.kind = (enum operation_kind)w->steps[s].kind,
                                  .serial = w->steps[s].serial,
                                  .began = w->steps[s].began};
    }
}

static void add_step(struct world *w, enum operation_kind kind, uint32_t serial)
{
    for (size_t s = 0; s < W_STEPS; s++) {
        if (!w->steps[s].is_used) {
            w->steps[s] = (struct w_step){true, (uint8_t)kind, (uint8_t)serial, w->now};
            return;
        }
    }
    promise(w, false, "operations pile up");
}

static uint8_t wanted_keys(const struct world *w)
{
    uint8_t keys = 0;

    for (size_t k = 0; k < W_KEYS; k++) {
        if (w->keys[k].is_used && w->keys[k].is_wanted)
            keys |= (uint8_t)(1U << k);
    }
    return keys;
}

static bool new_key_slot(struct world *w, size_t *ret)
{
    for (size_t k = 0; k < W_KEYS; k++) {
        bool is_on_volume = false;
        for (size_t i = 0; i < W_VOLUMES; i++)
            is_on_volume |= w->volumes[i].exists && (w->volumes[i].wraps & (1U << k));
        if (!w->keys[k].is_used && !is_on_volume) {
            *ret = k;
            return true;
        }
    }
    return false;
}

static void save_keys(struct world *w, const struct rec *r, uint8_t slots[REC_KEYS_MAX], size_t had)
{
    for (size_t k = 0; k < r->key_count; k++) {
        size_t slot = k < had ? slots[k] : 0;
        if (k >= had) {
            if (!new_key_slot(w, &slot))
                return;
            slots[k] = (uint8_t)slot;
            w->keys[slot] = (struct w_key){.id = ++w->ids};
            w->moods[slot] = W_ALLOW;
            for (size_t i = 0; i < W_VOLUMES; i++) {
                w->volumes[i].failed &= (uint8_t) ~(1U << slot);
                w->volumes[i].failed_no &= (uint8_t) ~(1U << slot);
            }
        }
        w->keys[slot].status = (uint8_t)r->keys[k].status;
        w->keys[slot].is_wanted = r->keys[k].is_wanted;
        w->keys[slot].since = (int32_t)r->keys[k].since;
        w->keys[slot].is_used =
            r->keys[k].status != CMEK_DISABLED && r->keys[k].status != CMEK_ENABLE_FAILED;
    }
}

static void save_steps(struct world *w, const struct rec *r)
{
    size_t n = 0;

    for (size_t s = 0; s < W_STEPS; s++) {
        if (!w->steps[s].is_used)
            continue;
        if (r->steps[n].state != OPERATION_RUNNING)
            w->steps[s] = (struct w_step){0};
        n++;
    }
    if (r->is_reencrypt_due)
        add_step(w, OPERATION_REENCRYPT, r->region.serial[REC_REENCRYPT]);
}

/* went_back: a change of keys was given up. */
static bool went_back(const struct world *w, const struct world *before)
{
    if (before->is_platform_wanted && !w->is_platform_wanted && before->status == CMEK_DISABLING)
        return true;
    for (size_t k = 0; k < W_KEYS; k++) {
        if (before->keys[k].is_used && before->keys[k].status == CMEK_ENABLING &&
            !w->keys[k].is_used)
            return true;
    }
    return false;
}

/* An opener that leaves the wish leaves no volume behind. Where a change is given up, a volume that was made meanwhile may have the
 * new ones only; there it is the node that does not remove the last. */
static void check_openers(struct world *w, const struct world *before)
{
    uint8_t keys = wanted_keys(w);

    promise(w, keys || w->is_platform_wanted, "a wish names an opener");
    for (size_t i = 0; i < W_VOLUMES; i++) {
        const struct w_volume *v = &w->volumes[i];
        promise(w, !v->exists || v->wraps || v->has_platform, "a volume has an opener");
    }
    bool drops =
        (wanted_keys(before) & ~keys) || (before->is_platform_wanted && !w->is_platform_wanted);
    if (!drops || went_back(w, before))
        return;
    for (size_t i = 0; i < W_VOLUMES; i++) {
        const struct w_volume *v = &w->volumes[i];
        if (v->exists && v->is_wanted)
            promise(w, (v->wraps & keys) || (v->has_platform && w->is_platform_wanted),
                    "a volume has an opener that stays in the wish");
    }
}

static void check_status(struct world *w, const struct world *before, bool is_restored)
{
    bool is_off = w->status == CMEK_DISABLED || w->status == CMEK_ENABLE_FAILED;

    promise(w, rec_may_follow((enum cmek_status)before->status, (enum cmek_status)w->status),
            "statuses follow as the table says");
    promise(w, !is_off || (!wanted_keys(w) && w->is_platform_wanted),
            "nothing of the customer's is wanted when it is off");
    if (before->is_revoked && !is_restored) {
        promise(w, w->is_revoked, "revoked until restored");
        promise(w, before->status != CMEK_REVOKED || w->status == CMEK_REVOKED,
                "REVOKED until restored");
    }
    if (w->is_revoked)
        promise(w, w->status == CMEK_REVOKED || w->status == CMEK_REVOKING,
                "the status says so when it is revoked");
}

/* What a status claims is so on every volume. */
static void check_truth(struct world *w, const struct world *before)
{
    bool becomes_revoked = w->is_revoked && w->status == CMEK_REVOKED;
    bool is_enabled_now = w->status == CMEK_ENABLED && before->status != CMEK_ENABLED;

    if (before->status == CMEK_REVOKED && before->is_revoked)
        becomes_revoked = false;
    for (size_t i = 0; i < W_VOLUMES; i++) {
        const struct w_volume *v = &w->volumes[i];
        if (!v->is_used || !v->exists)
            continue;
        if (becomes_revoked)
            promise(w, !v->is_mounted || v->is_locked, "REVOKED means every volume is locked");
        if (is_enabled_now && v->is_wanted)
            promise(w, !v->has_platform, "ENABLED means the platform cannot open");
    }
}

static void check_settled(struct world *w, const struct rec *r)
{
    static struct rec again;

    again = *r;
    again.is_reencrypt_due = false;
    rec_settle(&again);
    promise(w, rec_wish_is_same(&again, r), "a second look has no other wishes");
    promise(w, again.region.status == r->region.status, "a second look has no other status");
    promise(w, !again.is_reencrypt_due, "a second look begins nothing");
    for (size_t s = 0; s < r->step_count; s++)
        promise(w, again.steps[s].state == r->steps[s].state, "a second look ends no step");
}

/* Takes r over: what the store would hold after the transaction. */
static void save(struct world *w, struct rec *r, uint8_t slots[REC_KEYS_MAX], bool is_restored)
{
    static struct rec old;
    uint8_t old_slots[REC_KEYS_MAX];
    struct world before = *w;

    load(w, &old, old_slots);
    rec_settle(r);
    check_settled(w, r);
    w->status = (uint8_t)r->region.status;
    w->is_revoked = r->region.is_revoked;
    w->is_platform_wanted = r->region.is_platform_wanted;
    for (size_t l = 0; l < REC_LEVEL_COUNT; l++)
        w->serial[l] = (uint8_t)r->region.serial[l];
    save_steps(w, r);
    save_keys(w, r, slots, old.key_count);
    if (!rec_wish_is_same(&old, r)) {
        w->goals++;
        for (size_t i = 0; i < W_VOLUMES; i++)
            w->volumes[i].goal = w->goals;
    }
    check_openers(w, &before);
    check_status(w, &before, is_restored);
    check_truth(w, &before);
}

static void settle(struct world *w)
{
    static struct rec r;
    uint8_t slots[REC_KEYS_MAX];

    load(w, &r, slots);
    save(w, &r, slots, false);
}

/* -- the customer --------------------------------------------------------------------------------------------------- */

static bool ask(struct world *w, enum rec_verb verb, enum rec_match match, enum rec_level level)
{
    static struct rec r;
    uint8_t slots[REC_KEYS_MAX];
    struct rec_ask a = {verb, match, level, 1};
    enum operation_kind kind;
    uint32_t serial;
    size_t slot, room = 0;

    for (size_t s = 0; s < W_STEPS; s++)
        room += !w->steps[s].is_used;
    if (room < 2 || !new_key_slot(w, &slot))
        return false;
    load(w, &r, slots);
    if (rec_rule_of(&r, &a) != REC_BEGIN || !rec_begin(&r, &a, &kind, &serial))
        return false;
    for (size_t s = 0; s < r.step_count; s++) {
        if (r.steps[s].kind == kind && kind >= OPERATION_ROTATE_STORE)
            return false; /* joined instead, by those who keep operations */
    }
    add_step(w, kind, serial);
    r.steps[r.step_count] = (struct rec_step){.kind = kind, .serial = serial, .began = w->now};
    /* steps are loaded in the order of their places: the new one has to stand where it is */
    static struct rec fresh;
    uint8_t unused[REC_KEYS_MAX];
    load(w, &fresh, unused);
    memcpy(r.steps, fresh.steps, sizeof r.steps);
    r.step_count = fresh.step_count;
    save(w, &r, slots, verb == REC_DO_RESTORE);
    return true;
}

static bool cancel(struct world *w, unsigned draw)
{
    static struct rec r;
    uint8_t slots[REC_KEYS_MAX];

    load(w, &r, slots);
    if (r.step_count == 0 || !rec_cancel(&r, draw % r.step_count))
        return false;
    save(w, &r, slots, false);
    return true;
}

/* -- the nodes -------------------------------------------------------------------------------------------------------- */

static bool may_use(const struct world *w, const struct w_volume *v, size_t k)
{
    return (v->wraps & (1U << k)) && w->moods[k] == W_ALLOW;
}

static bool may_open(const struct world *w, const struct w_volume *v)
{
    bool may = v->has_platform;

    for (size_t k = 0; k < W_KEYS; k++)
        may |= may_use(w, v, k);
    return may;
}

static void lock(struct w_volume *v, enum cause cause)
{
    v->is_receipt_due |= !v->is_locked || cause == CAUSE_REVOKED;
    v->is_locked = true;
    v->lock_cause = (uint8_t)cause;
}

/* The lease at work: what the key service says takes effect by itself. */
static void lease(const struct world *w, struct w_volume *v)
{
    bool is_silent = false;

    if (!v->exists || !v->is_mounted || v->was_revoked)
        return;
    if (may_open(w, v)) {
        v->is_locked = false;
        return;
    }
    for (size_t k = 0; k < W_KEYS; k++)
        is_silent |= (v->wraps & (1U << k)) && w->moods[k] == W_SILENT;
    lock(v, is_silent ? CAUSE_UNREACHABLE : CAUSE_DENIED);
}

static void make(const struct world *w, struct w_volume *v)
{
    v->failed = v->failed_no = 0;
    for (size_t k = 0; k < W_KEYS; k++) {
        if (!(v->wish.keys & (1U << k)) || w->moods[k] == W_ALLOW)
            continue;
        v->failed |= (uint8_t)(1U << k);
        v->failed_no |= (uint8_t)(w->moods[k] == W_DENY ? 1U << k : 0);
    }
    if (v->failed && !v->wish.is_platform)
        return;
    v->exists = v->is_mounted = true;
    v->is_locked = false;
    v->has_platform = v->wish.is_platform;
    v->wraps = v->wish.keys & (uint8_t)~v->failed;
    memcpy(v->done, v->wish.serial, sizeof v->done);
}

static void add_wrap(const struct world *w, struct w_volume *v, size_t k)
{
    uint8_t bit = (uint8_t)(1U << k);

    v->failed &= (uint8_t)~bit;
    v->failed_no &= (uint8_t)~bit;
    if (w->moods[k] == W_ALLOW) {
        v->wraps |= bit;
        return;
    }
    v->failed |= bit;
    v->failed_no |= w->moods[k] == W_DENY ? bit : 0;
}

/* One thing of what is left to do; false: nothing is. */
static bool work_on_wraps(const struct world *w, struct w_volume *v)
{
    for (size_t k = 0; k < W_KEYS; k++) {
        uint8_t bit = (uint8_t)(1U << k);
        if ((v->wish.keys & bit) && !(v->wraps & bit)) {
            add_wrap(w, v, k);
            return true;
        }
    }
    if (v->wish.is_platform && !v->has_platform) {
        v->has_platform = true;
        return true;
    }
    if (!(v->wraps & v->wish.keys) && !v->wish.is_platform)
        return false; /* never the last one */
    if (v->has_platform && !v->wish.is_platform) {
        v->has_platform = false;
        return true;
    }
    if (v->wraps & ~v->wish.keys) {
        v->wraps &= v->wish.keys;
        return true;
    }
    return false;
}

static bool work_on_levels(struct w_volume *v)
{
    for (size_t l = 0; l < REC_RESTORE; l++) {
        if (v->done[l] < v->wish.serial[l]) {
            v->done[l] = v->wish.serial[l];
            return true;
        }
    }
    return false;
}

static void verify(struct w_volume *v)
{
    bool is_done = v->wish.is_revoked ? v->is_locked || !v->exists
                                      : v->exists && v->wraps == v->wish.keys &&
                                            v->has_platform == v->wish.is_platform;

    if (!v->wish.is_present)
        is_done = !v->exists;
    if (is_done)
        v->reached = v->wish.goal;
}

static bool work(struct world *w, struct w_volume *v)
{
    if (v->wish.goal == 0)
        return false;
    if (!v->wish.is_present) {
        v->exists = v->is_mounted = false;
        v->wraps = 0;
    } else if (!v->exists && !v->wish.is_revoked) {
        make(w, v);
    } else if (v->exists && v->wish.is_revoked) {
        v->is_mounted = true;
        if (!v->was_revoked || !v->is_locked)
            lock(v, CAUSE_REVOKED);
        v->was_revoked = true;
    } else if (v->exists) {
        v->is_mounted = true;
        v->was_revoked = false;
        v->done[REC_RESTORE] = v->wish.serial[REC_RESTORE];
        lease(w, v);
        if (!v->is_locked && !work_on_wraps(w, v))
            (void)work_on_levels(v);
        lease(w, v);
    }
    verify(v);
    return true;
}

static void read_wish(struct world *w, struct w_volume *v)
{
    v->wish = (struct w_wish){.goal = v->goal,
                              .keys = wanted_keys(w),
                              .is_present = v->is_wanted,
                              .is_platform = w->is_platform_wanted,
                              .is_revoked = w->is_revoked};
    memcpy(v->wish.serial, w->serial, sizeof v->wish.serial);
}

static void tell(const struct world *w, size_t i, struct w_report *ret)
{
    const struct w_volume *v = &w->volumes[i];
    bool is_shut = v->exists && (!v->is_mounted || v->is_locked);

    *ret = (struct w_report){.is_used = true, .volume = (uint8_t)i, .reached = v->reached};
    ret->access = !v->exists ? ACCESS_NONE : is_shut ? ACCESS_LOCKED : ACCESS_OPEN;
    ret->cause = v->exists && is_shut && v->is_mounted ? v->lock_cause : CAUSE_NONE;
    ret->birth = v->birth;
    ret->has_receipt = v->is_receipt_due;
    ret->is_platform = v->has_platform;
    ret->wraps = v->wraps;
    ret->failed = v->failed;
    ret->failed_no = v->failed_no;
    memcpy(ret->done, v->done, sizeof ret->done);
    for (size_t k = 0; k < W_KEYS; k++)
        ret->ids[k] = w->keys[k].id;
}

static void deliver(struct world *w, const struct w_report *m)
{
    struct w_volume *v = &w->volumes[m->volume];

    if (!v->is_used || v->birth != m->birth)
        return;
    if (m->access == ACCESS_OPEN)
        v->has_receipt = false;
    v->has_receipt |= m->has_receipt && m->access == ACCESS_LOCKED;
    v->stored = *m;
    if (!v->is_wanted && m->access == ACCESS_NONE && m->reached >= v->goal)
        *v = (struct w_volume){0};
    settle(w);
}

static bool post(struct world *w, size_t i)
{
    for (size_t m = 0; m < W_MAIL; m++) {
        if (!w->mail[m].is_used) {
            tell(w, i, &w->mail[m]);
            return true;
        }
    }
    return false;
}

static void crash(struct w_volume *v)
{
    v->is_mounted = false;
    v->is_locked = true;
    v->lock_cause = CAUSE_ERROR;
    v->reached = -1;
    v->wish = (struct w_wish){0};
    v->is_receipt_due = false;
}

/* -- actions ------------------------------------------------------------------------------------------------------------ */

enum action {
    ACT_ENABLE,
    ACT_PUT,
    ACT_PUT_SAME,
    ACT_REVOKE,
    ACT_RESTORE,
    ACT_DISABLE,
    ACT_ROTATE_DATA,
    ACT_CANCEL,
    ACT_READ,
    ACT_WORK,
    ACT_REPORT,
    ACT_DELIVER,
    ACT_DELIVER_AGAIN,
    ACT_LOSE,
    ACT_CRASH,
    ACT_MOOD,
    ACT_TIME,
    ACT_LONG_TIME,
    ACT_ADD,
    ACT_REMOVE,
    ACT_COUNT,
};

static const char *const names[ACT_COUNT] = {
    "enable", "put",  "put same", "revoke",    "restore",    "disable",       "rotate data",
    "cancel", "read", "work",     "report",    "deliver",    "deliver again", "lose",
    "crash",  "mood", "time",     "long time", "add volume", "remove volume",
};

unsigned world_action_count(void)
{
    return ACT_COUNT;
}

const char *world_action_name(unsigned action)
{
    return names[action];
}

static bool mail_action(struct world *w, enum action action, unsigned draw)
{
    struct w_report *m = &w->mail[draw % W_MAIL], copy = *m;

    if (!m->is_used)
        return false;
    if (action != ACT_DELIVER_AGAIN)
        *m = (struct w_report){0};
    if (action != ACT_LOSE)
        deliver(w, &copy);
    return true;
}

static bool remove_volume(struct world *w, struct w_volume *v)
{
    if (!v->is_wanted)
        return false;
    v->is_wanted = false;
    v->goal = ++w->goals;
    settle(w);
    return true;
}

static bool volume_action(struct world *w, enum action action, unsigned draw)
{
    size_t i = draw % W_VOLUMES;
    struct w_volume *v = &w->volumes[i];

    if (action == ACT_ADD) {
        if (v->is_used)
            return false;
        *v = (struct w_volume){.is_used = true, .is_wanted = true, .goal = ++w->goals};
        v->birth = v->goal;
        v->stored.reached = v->reached = -1;
        settle(w);
        return true;
    }
    if (!v->is_used)
        return false;
    if (action == ACT_READ)
        read_wish(w, v);
    else if (action == ACT_WORK)
        return work(w, v);
    else if (action == ACT_REPORT)
        return post(w, i);
    else if (action == ACT_CRASH)
        crash(v);
    else
        return remove_volume(w, v);
    return true;
}

static bool set_mood(struct world *w, unsigned draw)
{
    size_t k = draw % W_KEYS;

    w->moods[k] = (uint8_t)(draw / W_KEYS % W_MOODS);
    for (size_t i = 0; i < W_VOLUMES; i++)
        lease(w, &w->volumes[i]);
    return true;
}

bool world_act(struct world *w, unsigned action, unsigned draw)
{
    switch ((enum action)action) {
    case ACT_ENABLE:
        return ask(w, REC_DO_ENABLE, REC_MATCH_NONE, 0);
    case ACT_PUT:
        return ask(w, REC_DO_PUT, REC_MATCH_NONE, 0);
    case ACT_PUT_SAME:
        return w->status != CMEK_DISABLED && w->status != CMEK_ENABLE_FAILED &&
               ask(w, REC_DO_PUT, REC_MATCH_FORCE, 0);
    case ACT_REVOKE:
        return ask(w, REC_DO_REVOKE, REC_MATCH_NONE, 0);
    case ACT_RESTORE:
        return ask(w, REC_DO_RESTORE, REC_MATCH_NONE, 0);
    case ACT_DISABLE:
        return ask(w, REC_DO_DISABLE, REC_MATCH_NONE, 0);
    case ACT_ROTATE_DATA:
        return ask(w, REC_DO_ROTATE_OTHER, REC_MATCH_NONE, REC_DATA);
    case ACT_CANCEL:
        return cancel(w, draw);
    case ACT_DELIVER:
    case ACT_DELIVER_AGAIN:
    case ACT_LOSE:
        return mail_action(w, (enum action)action, draw);
    case ACT_MOOD:
        return set_mood(w, draw);
    case ACT_TIME:
    case ACT_LONG_TIME:
        w->now += action == ACT_TIME ? 20 : REC_PATIENCE_S + 1;
        settle(w);
        return true;
    case ACT_READ:
    case ACT_WORK:
    case ACT_REPORT:
    case ACT_CRASH:
    case ACT_ADD:
    case ACT_REMOVE:
        return volume_action(w, (enum action)action, draw);
    case ACT_COUNT:
        break;
    }
    return false;
}

void world_begin(struct world *w, size_t volumes)
{
    memset(w, 0, sizeof *w);
    w->now = 1000000;
    w->is_platform_wanted = true;
    for (size_t i = 0; i < volumes; i++) {
        (void)volume_action(w, ACT_ADD, (unsigned)i);
        read_wish(w, &w->volumes[i]);
        (void)work(w, &w->volumes[i]);
        (void)work(w, &w->volumes[i]);
        struct w_report m;
        tell(w, i, &m);
        deliver(w, &m);
    }
}

void world_calm(struct world *w)
{
    enum { ROUNDS = 40 };

    memset(w->moods, W_ALLOW, sizeof w->moods);
    memset(w->mail, 0, sizeof w->mail);
    for (int round = 0; round < ROUNDS; round++) {
        w->now += 5;
        settle(w);
        for (size_t i = 0; i < W_VOLUMES; i++) {
            struct w_report m;
            if (!w->volumes[i].is_used)
                continue;
            read_wish(w, &w->volumes[i]);
            (void)work(w, &w->volumes[i]);
            tell(w, i, &m);
            deliver(w, &m);
        }
    }
    promise(w, !cmek_status_is_moving((enum cmek_status)w->status), "in calm all has ended");
    promise(w, w->status != CMEK_REVOKED || w->is_revoked, "in calm a denial is over");
    for (size_t s = 0; s < W_STEPS; s++)
        promise(w,
                !w->steps[s].is_used ||
                    (w->is_revoked && w->steps[s].kind >= OPERATION_ROTATE_STORE),
                "in calm every operation has ended");
    for (size_t i = 0; i < W_VOLUMES; i++) {
        const struct w_volume *v = &w->volumes[i];
        if (v->is_used && !w->is_revoked)
            promise(w, v->exists && v->is_mounted && !v->is_locked, "in calm all is open");
        if (v->is_used && w->is_revoked)
            promise(w, !v->exists || v->is_locked, "in calm what is revoked is locked");
    }
}
