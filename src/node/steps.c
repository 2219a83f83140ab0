/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/steps.c - taking one step with a volume.
 *
 * What needs keys is done by the volume's process, or by a command of the same program in a process of its own: no key of a volume is
 * ever in the agent. Each step can be cut off and taken again.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "fuse/control.h"
#include "fuse/mount_point.h"
#include "io/process.h"
#include "node/agent_int.h"
#include "volume/backing.h"

enum {
    COMMAND_MS_MAX = 180000,
    CALL_MS_MAX = 60000,
    STOP_ENGINE_MS = 10000,
    OUTPUT_MAX = 65536,
    ARGS_MAX = 32,
    LABEL_BYTES = 127,
};

/* --- commands --- */

/* The arguments of a command; texts that were made for it are owned. */
struct command {
    const char *args[ARGS_MAX];
    size_t count;
    char *owned[ARGS_MAX];
    size_t owned_count;
};

static void command_done(struct command *c)
{
    for (size_t i = 0; i < c->owned_count; i++)
        mem_free(c->owned[i]);
}

static void add(struct command *c, const char *arg)
{
    if (c->count + 1 < ARGS_MAX)
        c->args[c->count++] = arg;
}

/* "--name=value" in one piece: a value is never taken for an option. */
static ks_rc add_option(struct command *c, const char *name, const char *value)
{
    char *text = NULL;

    ENSURE(c->owned_count < ARGS_MAX, KS_E_BUG, "too many arguments");
    TRY(mem_format(&text, "--%s=%s", name, value));
    c->owned[c->owned_count++] = text;
    add(c, text);
    return KS_SUCCESS;
}

static ks_rc add_ms(struct command *c, const char *name, int64_t ms)
{
    char text[32];

    snprintf(text, sizeof text, "%lldms", (long long)ms);
    return add_option(c, name, text);
}

/* The error that a command printed as JSON, on the last line; else what it printed. */
static ks_rc read_error(struct buf *out, int status)
{
    const struct json_limits limits = {OUTPUT_MAX, 8};
    CLEANUP(json_decrefp) json_t *value = NULL;
    const char *text = buf_text(out), *code = "", *message = "";
    json_t *error = NULL;

    ENSURE(out->len, KS_E_IO, "the command ended with %d and said nothing", status);
    while (out->len && out->bytes[out->len - 1] == '\n')
        out->len--;
    const uint8_t *line = out->len ? memrchr(out->bytes, '\n', out->len) : NULL;
    size_t at = line ? (size_t)(line - out->bytes) + 1 : 0;
    bool is_told =
        ks_ok(json_read(view_of(out->bytes + at, out->len - at), limits, "error", &value)) &&
        ks_ok(json_get_object(value, "error", &error)) &&
        ks_ok(json_get_text(error, "code", 64, &code)) &&
        ks_ok(json_get_text(error, "message", 4096, &message));
    if (!is_told)
        return ks_fail(KS_E_IO, "the command ended with %d: %.400s", status, text);
    enum ks_code known = ks_from_name(code);
    return ks_fail(known == KS_E_BUG || known == KS_E_OK ? KS_E_IO : known, "%s", message);
}

static ks_rc run(struct job *j, struct command *c)
{
    CLEANUP(buf_done) struct buf out = buf_init(OUTPUT_MAX);
    struct agent *a = j->a;
    int status = 0;

    TRY(add_option(c, "output", "json"));
    c->args[c->count] = NULL;
    TRY(process_run_told(c->args, clock_boot_ms(a->clock) + COMMAND_MS_MAX, a->clock, &out,
                         &status));
    return status == 0 ? KS_SUCCESS : read_error(&out, status);
}

static void begin(struct job *j, struct command *c, const char *verb)
{
    add(c, j->a->conf.program);
    add(c, "volume");
    add(c, verb);
}

static ks_rc add_freedoms(const struct agent *a, struct command *c)
{
    if (a->conf.is_swap_allowed)
        add(c, "--allow-swap");
    if (a->conf.is_development)
        add(c, "--dev");
    return KS_SUCCESS;
}

/* --- making it --- */

static ks_rc add_key(struct command *c, const struct key_spec *spec)
{
    CLEANUP(mem_freep) char *name = NULL;

    TRY(mem_format(&name, "%s:%s", spec->type, spec->uri));
    TRY(add_option(c, "key", name));
    if (!spec->auth_principal[0])
        return KS_SUCCESS;
    return add_option(c, strcmp(spec->type, "FILE") == 0 ? "key-file" : "auth-principal",
                      spec->auth_principal);
}

static ks_rc add_names(struct command *c, const struct wish *w)
{
    CLEANUP(mem_freep) char *label = NULL;

    TRY(mem_format(&label, "%.60s/%.50s/%u", w->cluster_name, w->region, w->ordinal));
    TRY(add_option(c, "label", label));
    if (w->organisation[0])
        TRY(add_option(c, "organisation", w->organisation));
    if (w->cluster[0])
        TRY(add_option(c, "cluster", w->cluster));
    if (w->region[0])
        TRY(add_option(c, "region", w->region));
    TRY(add_ms(c, "lease", w->lease.lease_ms));
    TRY(add_ms(c, "probe", w->lease.probe_ms));
    TRY(add_ms(c, "grace", w->lease.grace_ms));
    return add_ms(c, "rotate-data", 0);
}

static ks_rc create_under(struct job *j, const struct key_spec *spec)
{
    CLEANUP(command_done) struct command c = {0};
    CLEANUP(mem_freep) char *path = NULL;

    TRY(node_dir_prepare(j->a->dir, j->h->id));
    TRY(node_dir_volume_path(j->a->dir, j->h->id, "new", &path));
    begin(j, &c, "create");
    add(&c, path);
    TRY(add_names(&c, &j->wish));
    TRY(add_key(&c, spec));
    TRY(add_freedoms(j->a, &c));
    return run(j, &c);
}

/* One that is made anew counts as an acceptance: what was noted of the one before must not hold for it. So does each attempt that follows one
 * which was noted and got no name: another volume was noted with that. Only the number rises: nobody is told of it before one is made. */
static ks_rc check_countable(const struct job *j)
{
    const struct anchor *a = &j->deed.anchor;

    ENSURE(!a->volume[0] || a->accepted < ANCHOR_ACCEPTED_MAX, KS_E_LIMIT,
           "it was made anew, or older keyrings of it accepted, more often than can be counted");
    return KS_SUCCESS;
}

static ks_rc read_made(struct job *j, struct anchor *ret)
{
    CLEANUP(backing_closep) struct backing *b = NULL;
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    CLEANUP(mem_freep) char *path = NULL;

    TRY(node_dir_volume_path(j->a->dir, j->h->id, "new", &path));
    const struct backing_conf conf = {
        .io = j->a->io, .clock = j->a->clock, .random = j->a->conf.random, .path = path};
    TRY(backing_open(&conf, false, &b));
    TRY(backing_keyring(b, &k));
    seen_keyring_id(k, ret->volume);
    ret->sequence = (int64_t)k->sequence; /* its first: it says no more than that it is there */
    return KS_SUCCESS;
}

/* Making it took a while. The notes of what lies there again must not be replaced by those of what then gets no name. */
static ks_rc check_still_absent(const struct job *j)
{
    bool is_there = false;

    TRY(node_dir_has_backing(j->a->dir, j->h->id, &is_there));
    ENSURE(!is_there, KS_E_BUSY, "while it was made, its backing directory came back");
    return KS_SUCCESS;
}

/* On the disk before the volume has its name: whoever finds it there after a crash must know it for its own, also where another one, that is
 * gone for good, is noted: then this one begins anew. And a process that serves it is found by its id from then on. */
static ks_rc note_made(struct job *j)
{
    struct anchor *a = &j->deed.anchor, made = {.accepted = a->accepted + (a->volume[0] != 0)};

    TRY(read_made(j, &made));
    TRY(check_still_absent(j));
    *a = made;
    j->deed.done = j->wish.serials;
    TRY(save_deed(j));
    ENSURE(strcmp(a->volume, made.volume) == 0, KS_E_BUSY,
           "another keyring was accepted meanwhile");
    return KS_SUCCESS;
}

/* The platform's key first, which is here; else the first key that works. The others are added when it is there. */
static ks_rc create(struct job *j)
{
    ks_rc rc = ks_fail(KS_E_STATE, "there is no key to make it under");

    TRY(check_countable(j));
    TRY(capacity_check(j->a));
    if (j->wish.is_platform)
        rc = create_under(j, &j->a->platform);
    for (size_t i = 0; !ks_ok(rc) && i < j->wish.key_count; i++)
        rc = create_under(j, &j->wish.keys[i].spec);
    TRY(rc);
    TRY(note_made(j));
    TRY(node_dir_adopt(j->a->dir, j->h->id));
    j->deed.is_made = true;
    j->is_deed_changed = true;
    return KS_SUCCESS;
}

/* --- processes --- */

/* It must not write into the bare mount point, nor keep the volume from being unmounted. */
static ks_rc stop_engine(struct job *j)
{
    bool is_off = !j->h->power || power_off(j->h->power, STOP_ENGINE_MS);

    ENSURE(is_off, KS_E_BUSY,
           "its engine does not end; if this goes on, a disk or a program hangs");
    return KS_SUCCESS;
}

static ks_rc record(struct job *j)
{
    CLEANUP(command_done) struct command c = {0};
    CLEANUP(mem_freep) char *path = NULL;

    TRY(node_dir_volume_path(j->a->dir, j->h->id, "backing", &path));
    begin(j, &c, "lock");
    add(&c, path);
    add(&c, "--yes");
    TRY(add_option(&c, "run-dir", j->a->conf.run_dir));
    return run(j, &c);
}

/* What a foreign keyring opens is not this volume. Whether it is an older one of its own is for who opens it to say. */
static ks_rc add_anchor(struct job *j, struct command *c)
{
    const struct anchor *a = &j->deed.anchor;
    char sequence[32];

    if (!a->volume[0])
        return KS_SUCCESS;
    ENSURE(anchor_is_of(a, j->seen.keyring), KS_E_FOREIGN,
           "its keyring is that of another volume, %s; put back its own, of %s", j->seen.keyring,
           a->volume);
    if (j->seen.foreign_name)
        log_line(LOG_WARNING,
                 "volume %s: %s in its backing directory is the keyring of another volume; it is "
                 "mounted with the other copy, which is its own and replaces that one",
                 j->h->id, j->seen.foreign_name);
    TRY(add_option(c, "volume-id", a->volume));
    snprintf(sequence, sizeof sequence, "%lld", (long long)a->sequence);
    return add_option(c, "min-sequence", sequence);
}

/* Whoever locks it does not stop in the middle when a restore comes: what was mounted meanwhile would be locked by a revoke that holds no
 * more, and nobody would open it again. It has the next pass look again when it is done. */
static bool is_being_locked(struct job *j)
{
    pthread_mutex_lock(&j->a->mutex);
    bool is = j->h->is_locking || j->h->is_urgent;
    pthread_mutex_unlock(&j->a->mutex);
    return is;
}

static ks_rc mount_now(struct job *j)
{
    CLEANUP(command_done) struct command c = {0};
    CLEANUP(mem_freep) char *backing = NULL, *point = NULL, *log = NULL;

    TRY(capacity_check(j->a));
    TRY(node_dir_prepare(j->a->dir, j->h->id));
    TRY(node_dir_volume_path(j->a->dir, j->h->id, "backing", &backing));
    TRY(node_dir_volume_path(j->a->dir, j->h->id, "volume.log", &log));
    TRY(node_dir_mount_path(j->a->dir, j->h->id, &point));
    TRY(stop_engine(j));
    begin(j, &c, "mount");
    add(&c, backing);
    add(&c, point);
    add(&c, "--start-locked");
    TRY(add_option(&c, "log", log));
    TRY(add_option(&c, "run-dir", j->a->conf.run_dir));
    TRY(add_anchor(j, &c));
    TRY(add_freedoms(j->a, &c));
    return run(j, &c);
}

static ks_rc mount(struct job *j)
{
    j->is_held_back = is_being_locked(j);
    return j->is_held_back ? KS_SUCCESS : mount_now(j);
}

/* --- requests to its process; request is taken over, NULL: no memory --- */

static ks_rc call(struct job *j, json_t *request)
{
    CLEANUP(json_decrefp) json_t *owned = request, *reply = NULL;

    ENSURE(owned, KS_E_NO_MEMORY, "no memory for a request");
    ENSURE(j->socket[0], KS_E_STATE, "it is not mounted");
    return control_call(j->socket, owned, CALL_MS_MAX, &reply);
}

static json_t *spec_json(const struct key_spec *spec)
{
    return json_pack("{s:s, s:s, s:s}", "type", spec->type, "uri", spec->uri, "auth_principal",
                     spec->auth_principal);
}

/* Who still has files open in it gets as long as with any end of a volume process, and is cut off then. */
static ks_rc end_process(struct job *j)
{
    pthread_mutex_lock(&j->a->mutex);
    int fd = j->h->process_fd;
    int err = fd < 0 ? ESRCH : pidfd_send_signal(fd, SIGTERM, NULL, 0) != 0 ? errno : 0;
    pthread_mutex_unlock(&j->a->mutex);
    return err ? ks_fail_os(err, "its process cannot be ended") : KS_SUCCESS;
}

/* One that is only to be taken away waits for whoever uses it; not one that is to be closed. */
static ks_rc unmount(struct job *j)
{
    TRY(stop_engine(j));
    ks_rc rc = call(j, json_pack("{s:s}", "op", "unmount"));
    if (ks_is(rc, KS_E_BUSY) && (j->wish.is_present || j->wish.is_revoked))
        return end_process(j);
    return rc;
}

static ks_rc discard(struct job *j)
{
    CLEANUP(mem_freep) char *point = NULL;

    TRY(node_dir_mount_path(j->a->dir, j->h->id, &point));
    /* what a killed process left there would keep the directory; mostly nothing is, and removing tells what cannot be removed */
    IGNORE(mount_point_unmount(point, true));
    TRY(stop_engine(j));
    TRY(node_dir_discard(j->a->dir, j->h->id, clock_wall_s(j->a->clock)));
    j->deed = (struct deed){.reached = -1};
    j->is_deed_changed = j->is_discarded = true;
    return KS_SUCCESS;
}

/* A revoke that came meanwhile must not be followed by our "unlock": it is sent only while there is none. Who locks is told that one is on
 * its way, and locks until that has no effect any more. */
static ks_rc unlock(struct job *j)
{
    struct agent *a = j->a;

    pthread_mutex_lock(&a->mutex);
    bool is_allowed = !j->h->wish.is_revoked && !j->h->is_locking && !j->h->is_urgent;
    j->h->is_unlocking = is_allowed;
    pthread_mutex_unlock(&a->mutex);
    if (!is_allowed) { /* whoever locks it has the next pass look again, at what is wanted then */
        j->is_held_back = true;
        return KS_SUCCESS;
    }
    ks_rc rc = call(j, json_pack("{s:s}", "op", "unlock"));
    pthread_mutex_lock(&a->mutex);
    j->h->is_unlocking = false;
    pthread_mutex_unlock(&a->mutex);
    return rc;
}

/* It may be open only until who locks it gets there, for the revoke before: then the restore is still to be done. */
static ks_rc restored(struct job *j)
{
    j->is_held_back = is_being_locked(j);
    if (j->is_held_back)
        return KS_SUCCESS;
    j->deed.done.restore = j->wish.serials.restore;
    j->is_deed_changed = true;
    return KS_SUCCESS;
}

static ks_rc set(struct job *j)
{
    const struct lease_terms *t = &j->wish.lease;

    return call(j, json_pack("{s:s, s:I, s:I, s:I, s:i}", "op", "set", "lease_ms_max",
                             (json_int_t)t->lease_ms, "probe_ms", (json_int_t)t->probe_ms,
                             "grace_ms", (json_int_t)t->grace_ms, "data_rotation_s", 0));
}

static ks_rc add_wrap(struct job *j)
{
    const struct key_spec *spec = seen_wanted(&j->wish, &j->a->platform, j->key);

    ENSURE(spec, KS_E_BUG, "no key is missing");
    return call(j, json_pack("{s:s, s:o}", "op", "add-wrap", "spec", spec_json(spec)));
}

static ks_rc swap_wrap(struct job *j)
{
    const struct key_spec *spec;

    for (size_t i = 0; (spec = seen_wanted(&j->wish, &j->a->platform, i)); i++) {
        const struct seen_wrap *w = seen_key(&j->seen, spec);
        if (w && !seen_is_exact(w, spec) && !seen_is_overruled(&j->wish, &j->a->platform, i))
            return call(j, json_pack("{s:s, s:s, s:I, s:o}", "op", "rotate", "level", "cmek",
                                     "wrap", (json_int_t)w->id, "spec", spec_json(spec)));
    }
    return ks_fail(KS_E_BUG, "no key is to be swapped");
}

static ks_rc drop_wrap(struct job *j)
{
    const struct seen_wrap *w = seen_unwanted(&j->seen, &j->wish, &j->a->platform);

    ENSURE(w, KS_E_BUG, "no key is unwanted");
    return call(j, json_pack("{s:s, s:I}", "op", "remove-wrap", "wrap", (json_int_t)w->id));
}

/* --- rotations --- */

static ks_rc rotate(struct job *j, const char *level)
{
    TRY(call(j, json_pack("{s:s, s:s}", "op", "rotate", "level", level)));
    j->is_deed_changed = true;
    return KS_SUCCESS;
}

static ks_rc rewrap(struct job *j)
{
    TRY(rotate(j, "cmek"));
    j->deed.done.rewrap = j->wish.serials.rewrap;
    pthread_mutex_lock(&j->a->mutex);
    j->h->is_newer = false;
    pthread_mutex_unlock(&j->a->mutex);
    return KS_SUCCESS;
}

static ks_rc rotate_store(struct job *j)
{
    TRY(rotate(j, "store"));
    j->deed.done.store = j->wish.serials.store;
    return KS_SUCCESS;
}

static ks_rc rotate_data(struct job *j)
{
    TRY(rotate(j, "data"));
    j->deed.done.data = j->wish.serials.data;
    return KS_SUCCESS;
}

static ks_rc reencrypt(struct job *j)
{
    pthread_mutex_lock(&j->a->mutex);
    ks_rc rc = rekey_start(j->a, j->h);
    pthread_mutex_unlock(&j->a->mutex);
    return ks_is(rc, KS_E_BUSY) ? KS_SUCCESS : rc; /* its turn comes */
}

static ks_rc nothing(struct job *j)
{
    (void)j;
    return KS_SUCCESS;
}

static ks_rc (*const takers[STEP_COUNT])(struct job *j) = {
    [STEP_IDLE] = nothing,
    [STEP_WAIT] = nothing,
    [STEP_UNMOUNT] = unmount,
    [STEP_REMOVE] = discard,
    [STEP_CREATE] = create,
    [STEP_RECORD] = record,
    [STEP_MOUNT] = mount,
    [STEP_LOCK] = nothing,
    [STEP_UNLOCK] = unlock,
    [STEP_RESTORED] = restored,
    [STEP_SET] = set,
    [STEP_ADD_KEY] = add_wrap,
    [STEP_SWAP_KEY] = swap_wrap,
    [STEP_DROP_KEY] = drop_wrap,
    [STEP_REWRAP] = rewrap,
    [STEP_STORE] = rotate_store,
    [STEP_DATA] = rotate_data,
    [STEP_REENCRYPT] = reencrypt,
};

ks_rc step_take(struct job *j, enum step step)
{
    ks_rc rc = takers[step](j);

    j->is_more_due = ks_ok(rc) && step != STEP_REENCRYPT && !j->is_held_back;
    return rc;
}
