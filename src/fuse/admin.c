/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/admin.c - what the control socket can ask of a running volume (docs/CONTROL.md).
 *
 * Each operation is one function in one table. A member that an operation does not know is refused: a
 * misspelt option must not be taken for its default.
 */
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "fuse/admin_int.h"
#include "fuse/keyring_json.h"
#include "fuse/mount_point.h"

enum {
    LOCK_MS_MAX = 20000,   /* how long "lock" waits before it replies */
    UNLOCK_MS_MAX = 20000, /* and "unlock" */
    SURVEY_MS_MAX = 60000,
};

static ks_rc op_status(struct process *p, json_t *request, struct control_peer *peer, json_t **ret)
{
    const char *op;
    int wants_survey = 0, wants_handles = 1;

    (void)peer;
    UNPACK(request, "{s:s, s?b, s?b}", "op", &op, "survey", &wants_survey, "handles",
           &wants_handles);
    if (wants_survey)
        TRY(surveyor_wait(p->surveyor, surveyor_ask(p->surveyor), SURVEY_MS_MAX));
    return status_report(p, wants_handles, ret);
}

static ks_rc op_lock(struct process *p, json_t *request, struct control_peer *peer, json_t **ret)
{
    const char *op;
    bool is_recorded = false;

    (void)peer;
    UNPACK(request, "{s:s}", "op", &op);
    ks_rc rc = guard_revoke(p->guard, "revoked by request", &is_recorded);
    if (!ks_ok(rc))
        log_line(LOG_ERROR, "the revocation is not recorded: %s", ks_text(rc));
    TRY(guard_wait(p->guard, LEASE_LOCKED, LOCK_MS_MAX));
    TRY(rc);
    *ret = json_pack("{s:b}", "recorded", (int)is_recorded);
    return KS_SUCCESS;
}

/* The next probe decides, so it is made at once, and its answer is the reply. */
static ks_rc op_unlock(struct process *p, json_t *request, struct control_peer *peer, json_t **ret)
{
    struct prober_result probe;
    const char *op;

    (void)peer;
    (void)ret;
    UNPACK(request, "{s:s}", "op", &op);
    guard_restore(p->guard);
    TRY(prober_wait(p->prober, prober_kick(p->prober), UNLOCK_MS_MAX, &probe));
    if (!ks_ok(probe.rc))
        return ks_fail((enum ks_code)(probe.rc.code < KS_E_COUNT ? probe.rc.code : KS_E_IO), "%s",
                       probe.text);
    return guard_wait(p->guard, LEASE_OPEN, UNLOCK_MS_MAX);
}

/* ---- changes of the keyring: begun and ended by change(), which the guard lets happen or not ---- */

struct change {
    struct process *p;
    const struct keyset *keys;
    const struct key_spec *spec; /* NULL: none */
    uint32_t wrap;
    struct keyring_settings settings;
};

static ks_rc change(struct process *p, struct change *c, ks_rc (*make)(struct change *))
{
    TRY(guard_change_begin(p->guard));
    c->p = p;
    c->keys = volume_keys(p->volume);
    ks_rc rc = c->keys ? make(c) : ks_fail(KS_E_LOCKED, "the volume is locked");
    guard_change_end(p->guard);
    watcher_note(p->watcher);
    return rc;
}

static ks_rc rotate_cmek(struct change *c)
{
    return backing_rotate_cmek(c->p->backing, c->keys, c->wrap, c->spec);
}

static ks_rc rotate_store(struct change *c)
{
    CLEANUP(keyset_freep) struct keyset *newer = NULL;

    TRY(backing_rotate_store(c->p->backing, c->keys, &newer));
    TRY(volume_set_keys(c->p->volume, &newer));
    return backing_settle(c->p->backing);
}

static ks_rc rotate_data(struct change *c)
{
    CLEANUP(keyset_freep) struct keyset *newer = NULL;

    TRY(backing_rotate_data(c->p->backing, c->keys, &newer));
    return volume_set_keys(c->p->volume, &newer);
}

/* take_spec(object, ret): {"type","uri","auth_principal"?}; *ret is NULL without an object. */
static ks_rc take_spec(json_t *object, struct key_spec *room, const struct key_spec **ret)
{
    const char *type, *uri, *principal = "";

    *ret = NULL;
    if (!object || json_is_null(object))
        return KS_SUCCESS;
    UNPACK(object, "{s:s, s:s, s?s}", "type", &type, "uri", &uri, "auth_principal", &principal);
    ENSURE(strlen(type) < sizeof room->type && strlen(uri) < sizeof room->uri &&
               strlen(principal) < sizeof room->auth_principal,
           KS_E_LIMIT, "the key spec is too long");
    memset(room, 0, sizeof *room);
    memcpy(room->type, type, strlen(type));
    memcpy(room->uri, uri, strlen(uri));
    memcpy(room->auth_principal, principal, strlen(principal));
    *ret = room;
    return KS_SUCCESS;
}

static ks_rc take_wrap(json_int_t n, uint32_t *ret)
{
    ENSURE(n >= 0 && n <= UINT32_MAX, KS_E_USAGE, "there is no wrap %lld", (long long)n);
    *ret = (uint32_t)n;
    return KS_SUCCESS;
}

static ks_rc op_rotate(struct process *p, json_t *request, struct control_peer *peer, json_t **ret)
{
    static const struct {
        const char *level;
        ks_rc (*make)(struct change *);
        bool
            makes_generation; /* else nothing changes below: the data is neither read nor counted */
    } levels[] = {
        {"cmek", rotate_cmek, false}, {"store", rotate_store, false}, {"data", rotate_data, true}};
    const char *op, *level;
    json_int_t wrap = 0;
    json_t *spec = NULL;
    struct key_spec room;
    struct change c = {0};

    (void)peer;
    (void)ret;
    UNPACK(request, "{s:s, s:s, s?I, s?o}", "op", &op, "level", &level, "wrap", &wrap, "spec",
           &spec);
    TRY(take_spec(spec, &room, &c.spec));
    TRY(take_wrap(wrap, &c.wrap));
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (strcmp(levels[i].level, level) != 0)
            continue;
        TRY(change(p, &c, levels[i].make));
        log_line(LOG_NOTICE, "rotated: %s", level);
        admin_note_due(p);
        if (levels[i].makes_generation)
            surveyor_ask(p->surveyor);
        return KS_SUCCESS;
    }
    return ks_fail(KS_E_USAGE, "the level is cmek, store or data, not %s", level);
}

static ks_rc add_wrap(struct change *c)
{
    return backing_add_wrap(c->p->backing, c->keys, c->spec, &c->wrap);
}

static ks_rc op_add_wrap(struct process *p, json_t *request, struct control_peer *peer,
                         json_t **ret)
{
    const char *op;
    json_t *spec;
    struct key_spec room;
    struct change c = {0};

    (void)peer;
    UNPACK(request, "{s:s, s:o}", "op", &op, "spec", &spec);
    TRY(take_spec(spec, &room, &c.spec));
    ENSURE(c.spec, KS_E_USAGE, "add-wrap needs a key spec");
    TRY(change(p, &c, add_wrap));
    *ret = json_pack("{s:I}", "wrap", (json_int_t)c.wrap);
    return KS_SUCCESS;
}

static ks_rc remove_wrap(struct change *c)
{
    return backing_remove_wrap(c->p->backing, c->keys, c->wrap);
}

static ks_rc op_remove_wrap(struct process *p, json_t *request, struct control_peer *peer,
                            json_t **ret)
{
    const char *op;
    json_int_t wrap;
    struct change c = {0};

    (void)peer;
    (void)ret;
    UNPACK(request, "{s:s, s:I}", "op", &op, "wrap", &wrap);
    TRY(take_wrap(wrap, &c.wrap));
    return change(p, &c, remove_wrap);
}

static ks_rc set_settings(struct change *c)
{
    return backing_set_settings(c->p->backing, c->keys, &c->settings);
}

static ks_rc take_setting(json_t *request, const char *name, uint32_t *field)
{
    json_t *value = json_object_get(request, name);

    if (!value)
        return KS_SUCCESS;
    ENSURE(json_is_integer(value) && json_integer_value(value) >= 0 &&
               json_integer_value(value) <= UINT32_MAX,
           KS_E_USAGE, "%s is a number from 0 to %u", name, UINT32_MAX);
    *field = (uint32_t)json_integer_value(value);
    return KS_SUCCESS;
}

static ks_rc op_set(struct process *p, json_t *request, struct control_peer *peer, json_t **ret)
{
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    const char *op;
    json_t *any;
    struct change c = {0};

    (void)peer;
    (void)ret;
    UNPACK(request, "{s:s, s?o, s?o, s?o, s?o}", "op", &op, "lease_ms_max", &any, "probe_ms", &any,
           "grace_ms", &any, "data_rotation_s", &any);
    TRY(backing_keyring(p->backing, &k));
    c.settings = k->settings;
    TRY(take_setting(request, "lease_ms_max", &c.settings.lease_ms_max));
    TRY(take_setting(request, "probe_ms", &c.settings.probe_ms));
    TRY(take_setting(request, "grace_ms", &c.settings.grace_ms));
    TRY(take_setting(request, "data_rotation_s", &c.settings.data_rotation_s));
    TRY(keyring_settings_check(&c.settings));
    TRY(change(p, &c, set_settings));
    struct lease_conf lease = {c.settings.lease_ms_max, c.settings.grace_ms, 0};
    guard_set_lease(p->guard, &lease);
    prober_set_period(p->prober, c.settings.probe_ms);
    admin_note_due(p);
    return KS_SUCCESS;
}

/* The kernel writes everything back before it lets go; the reply comes when the keys are wiped and the
 * lock is free, from whoever ends the process. */
static ks_rc op_unmount(struct process *p, json_t *request, struct control_peer *peer, json_t **ret)
{
    const char *op;

    (void)ret;
    UNPACK(request, "{s:s}", "op", &op);
    TRY(mount_point_unmount(p->mountpoint, false));
    atomic_store(&p->is_detached, true);
    atomic_store(&p->is_ending, true);
    atomic_store(&p->farewell_fd, control_peer_take(peer));
    return KS_SUCCESS;
}

static ks_rc op_watch(struct process *p, json_t *request, struct control_peer *peer, json_t **ret)
{
    const char *op;

    (void)ret;
    UNPACK(request, "{s:s}", "op", &op);
    return watcher_add(p->watcher, peer);
}

/* ---- verify ---- */

struct verify {
    struct process *p;
    struct control_peer *peer;
};

static bool on_verify_progress(void *arg, uint64_t bytes_seen)
{
    struct verify *v = arg;
    CLEANUP(json_freep)
    json_t *line = json_pack("{s:{s:I}}", "progress", "bytes", (json_int_t)bytes_seen);

    /* Nobody listens any more: no need to go on. */
    return line && ks_ok(control_peer_send(v->peer, line)) && !atomic_load(&v->p->is_ending);
}

static void on_verify_damaged(void *arg, const char *path, uint64_t block, const char *what)
{
    struct verify *v = arg;
    json_t *at = block == UINT64_MAX ? json_null() : json_integer((json_int_t)block);
    CLEANUP(json_freep)
    json_t *line = json_pack("{s:{s:o, s:o, s:o}}", "damaged", "path", json_text(path), "block", at,
                             "what", json_text(what));

    if (!line)
        return;
    /* a peer that has gone ends the walk at the next progress line, and none of those before it waits again */
    IGNORE(control_peer_send(v->peer, line));
}

static void on_verify_unfinished(void *arg, const char *path)
{
    struct verify *v = arg;
    CLEANUP(json_freep)
    json_t *line = json_pack("{s:{s:o}}", "unfinished", "path", json_text(path));

    if (line)
        IGNORE(control_peer_send(v->peer, line)); /* as with damage */
}

static json_t *verify_reply(const struct survey *s)
{
    const struct {
        const char *name;
        uint64_t n;
    } fields[] = {
        {"files", s->files},
        {"directories", s->directories},
        {"other", s->other},
        {"blocks", s->blocks},
        {"holes", s->holes},
        {"bytes", s->bytes_seen},
        {"files_damaged", s->files_damaged},
        {"blocks_damaged", s->blocks_damaged},
        {"names_damaged", s->names_damaged},
        {"targets_damaged", s->targets_damaged},
        {"attributes_damaged", s->attributes_damaged},
        {"records_damaged", s->records_damaged},
        {"files_unfinished", s->files_unfinished},
    };
    json_t *reply = json_object();

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        json_object_set_new(reply, fields[i].name, json_integer((json_int_t)fields[i].n));
    return reply;
}

static ks_rc op_verify(struct process *p, json_t *request, struct control_peer *peer, json_t **ret)
{
    const char *op;
    struct verify v = {p, peer};
    struct survey survey = {0};
    struct survey_conf conf = {
        .io = p->io,
        .tree = backing_tree(p->backing),
        .long_names = backing_long(p->backing),
        .block_payload = p->block_payload,
        .volume = p->volume,
        .damaged = on_verify_damaged,
        .unfinished = on_verify_unfinished,
        .progress = on_verify_progress,
        .arg = &v,
    };

    UNPACK(request, "{s:s}", "op", &op);
    memcpy(conf.volume_id, p->volume_id_bytes, sizeof conf.volume_id);
    TRY(survey_run(&conf, &survey));
    *ret = verify_reply(&survey);
    survey_done(&survey);
    return KS_SUCCESS;
}

static const struct {
    const char *name;
    ks_rc (*run)(struct process *, json_t *request, struct control_peer *, json_t **ret);
    bool is_heard_ending; /* also while the volume is being unmounted, which may take a while */
} operations[] = {
    {"status", op_status, true},      {"lock", op_lock, true},
    {"unlock", op_unlock, false},     {"rotate", op_rotate, false},
    {"add-wrap", op_add_wrap, false}, {"remove-wrap", op_remove_wrap, false},
    {"set", op_set, false},           {"unmount", op_unmount, false},
    {"verify", op_verify, false},     {"rekey", admin_rekey, false},
    {"watch", op_watch, false},
};

ks_rc admin_handle(void *arg, json_t *request, struct control_peer *peer, json_t **ret)
{
    struct process *p = arg;
    const char *op = json_string_value(json_object_get(request, "op"));

    ENSURE(op, KS_E_USAGE, "a request needs a member \"op\"");
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        if (strcmp(operations[i].name, op) != 0)
            continue;
        ENSURE(operations[i].is_heard_ending || !atomic_load(&p->is_ending), KS_E_BUSY,
               "the volume is being unmounted");
        return operations[i].run(p, request, peer, ret);
    }
    return ks_fail(KS_E_UNSUPPORTED, "there is no operation \"%.64s\"", op);
}

/* The last one is the newest. */
static bool has_older_keys(const struct keyring *k)
{
    for (size_t i = 0; i + 1 < k->data_key_count; i++)
        if (k->data_keys[i].destroyed_s == 0)
            return true;
    return false;
}

void admin_note_due(struct process *p)
{
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    int64_t due = 0;

    /* without memory the old date stands */
    if (!ks_ok(backing_keyring(p->backing, &k)))
        return;
    atomic_store(&p->rekey.is_needed, has_older_keys(k));
    if (k->settings.data_rotation_s && k->data_key_count)
        due = k->data_keys[k->data_key_count - 1].created_s + k->settings.data_rotation_s;
    atomic_store(&p->rotation_due, due);
}

void admin_rotate_when_due(struct process *p)
{
    struct change c = {0};
    int64_t due = atomic_load(&p->rotation_due);

    if (due == 0 || clock_wall_s(p->clock) < due)
        return;
    ks_rc rc = change(p, &c, rotate_data);
    if (ks_is(rc, KS_E_STATE) || ks_is(rc, KS_E_BUSY))
        return; /* not now: locked, in grace, or somebody changes something; the next call tries again */
    if (ks_ok(rc))
        log_line(LOG_NOTICE, "a new data key: the rotation was due");
    else
        log_line(LOG_ERROR, "the rotation of the data key that is due failed: %s", ks_text(rc));
    admin_note_due(p);
    surveyor_ask(p->surveyor);
}
