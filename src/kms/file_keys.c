/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/file_keys.c - the keys of a file key store and their states.
 *
 * Invariant: a record is replaced whole under the store's lock, and the old one is wiped. Readers
 * take no lock.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "base/mem.h"
#include "io/atomic_file.h"
#include "kms/file_session.h"

enum { DAYS_MAX = 365, DAY_S = 86400 };

enum action { DISABLE, ENABLE, ROTATE, SCHEDULE_DELETION, CANCEL_DELETION, ACTIONS };

static const char *const action_names[ACTIONS] = {"disable", "enable", "rotate",
                                                  "schedule-deletion", "cancel-deletion"};

/* What each action makes of each state; 0 where the table has no row. */
static const enum file_key_state transitions[FILE_KEY_DESTROYED + 1][ACTIONS] = {
    [FILE_KEY_ENABLED] = {[DISABLE] = FILE_KEY_DISABLED,
                          [ROTATE] = FILE_KEY_ENABLED,
                          [SCHEDULE_DELETION] = FILE_KEY_PENDING_DELETION},
    [FILE_KEY_DISABLED] =
        {[ENABLE] = FILE_KEY_ENABLED, [SCHEDULE_DELETION] = FILE_KEY_PENDING_DELETION},
    [FILE_KEY_PENDING_DELETION] = {[CANCEL_DELETION] = FILE_KEY_DISABLED},
};

const char *file_key_state_name(enum file_key_state state)
{
    switch (state) {
    case FILE_KEY_ENABLED:
        return "ENABLED";
    case FILE_KEY_DISABLED:
        return "DISABLED";
    case FILE_KEY_PENDING_DELETION:
        return "PENDING_DELETION";
    case FILE_KEY_DESTROYED:
        return "DESTROYED";
    }
    return "?";
}

/* --- changing a record --- */

struct old_copy {
    struct io *io;
    struct io_node *node;
    struct io_file *file;
    struct stat st;
};

static void old_copy_done(struct old_copy *o)
{
    if (o->file)
        o->io->ops->close(o->io, o->file);
    if (o->node)
        o->io->ops->node_close(o->io, o->node);
}

static ks_rc old_copy_open(struct old_copy *o, struct io_node *keys, const char *file)
{
    TRY(o->io->ops->lookup(o->io, keys, file, &o->node, &o->st));
    return o->io->ops->open(o->io, o->node, false, &o->file);
}

/* The replaced record has no name any more, but its blocks would still hold wrapped material. */
static ks_rc old_copy_wipe(struct old_copy *o)
{
    static const uint8_t zeros[4096];

    for (off_t at = 0; at < o->st.st_size; at += (off_t)sizeof zeros) {
        size_t left = (size_t)(o->st.st_size - at);
        TRY(o->io->ops->pwrite(o->io, o->file, zeros, left < sizeof zeros ? left : sizeof zeros,
                               (uint64_t)at));
    }
    return o->io->ops->sync(o->io, o->file, false);
}

static ks_rc write_record(struct file_session *f, const struct file_record *r, mode_t mode)
{
    CLEANUP(buf_done) struct buf bytes = buf_init(FILE_RECORD_MAX);
    char file[FILE_NAME_BYTES];

    snprintf(file, sizeof file, "%s.key", r->name);
    TRY(file_record_write(r, session_mac_key(f), &bytes));
    return ks_wrap(atomic_file_write(f->store->io, f->keys, file, mode, buf_view(&bytes)),
                   "key store %.200s", f->store->path);
}

/* The mode stays, so a reader whom an administrator let in stays in. */
static ks_rc replace_record(struct file_session *f, struct file_record *r)
{
    CLEANUP(old_copy_done) struct old_copy old = {.io = f->store->io};
    char file[FILE_NAME_BYTES];

    snprintf(file, sizeof file, "%s.key", r->name);
    TRY(ks_wrap(old_copy_open(&old, f->keys, file), "key record %s", file));
    r->changed_s = clock_wall_s(f->store->clock);
    TRY(write_record(f, r, old.st.st_mode & 0777));
    return ks_wrap(old_copy_wipe(&old),
                   "the change of key %s is made, but its old record could not be overwritten",
                   r->name);
}

static void destroy_material(struct file_record *r)
{
    for (uint32_t i = 0; i < r->version_count; i++)
        mem_wipe(r->versions[i].wrapped, FILE_WRAPPED_BYTES);
    r->state = FILE_KEY_DESTROYED;
    r->deletion_s = 0;
}

static ks_rc add_version(struct file_session *f, struct file_record *r)
{
    CLEANUP(secret_freep) struct secret *material = NULL;
    struct file_version *v;
    struct material_aad aad;

    TRY(secret_new(FILE_MATERIAL_BYTES, &material));
    TRY(random_fill(f->store->random, secret_bytes(material), FILE_MATERIAL_BYTES));
    TRY(file_record_add(r, &v));
    v->created_s = clock_wall_s(f->store->clock);
    return keywrap_seal(session_wrap_key(f), material_aad(r, r->version_count, &aad),
                        secret_view(material), f->store->random, v->wrapped);
}

static ks_rc not_allowed(const struct file_store *s, const struct file_record *r,
                         enum action action)
{
    return ks_fail(KS_E_STATE, "key %s in %.200s is %s; %s is not possible in this state", r->name,
                   s->path, file_key_state_name(file_record_state(r, s->clock)),
                   action_names[action]);
}

static ks_rc apply(struct file_session *f, struct file_record *r, enum action action, unsigned days)
{
    enum file_key_state next = transitions[r->state][action];

    if (!next)
        return not_allowed(f->store, r, action);
    r->state = next;
    r->deletion_s = 0;
    if (action == ROTATE)
        return add_version(f, r);
    if (action == SCHEDULE_DELETION)
        r->deletion_s = clock_wall_s(f->store->clock) + (int64_t)days * DAY_S;
    if (action == SCHEDULE_DELETION && days == 0)
        destroy_material(r);
    return KS_SUCCESS;
}

/* For people a missing key is a mistake in the command, not a denial. */
static ks_rc load_to_manage(struct file_session *f, const char *name, struct file_record **ret)
{
    ks_rc rc = session_load(f, name, ret);

    if (!ks_is(rc, KS_E_KEY_NOT_FOUND))
        return rc;
    return ks_fail(KS_E_NOT_FOUND,
                   "there is no key %s in %.200s; list its keys with: keystead kms key list "
                   "--store %.200s%s%.50s",
                   name, f->store->path, f->store->path, store_option(f->store),
                   store_option_value(f->store));
}

static ks_rc change(struct file_store *s, const char *name, enum action action, unsigned days)
{
    CLEANUP(session_end) struct file_session f = {.store = NULL};
    CLEANUP(file_record_freep) struct file_record *r = NULL;

    TRY(file_name_check(name));
    TRY(session_begin(s, &f));
    TRY(session_lock(&f));
    TRY(load_to_manage(&f, name, &r));
    if (file_record_is_due(
            r, s->clock)) { /* whoever comes first after the time does what was announced */
        destroy_material(r);
        TRY(replace_record(&f, r));
    }
    TRY(apply(&f, r, action, days));
    return replace_record(&f, r);
}

ks_rc file_store_key_disable(struct file_store *s, const char *name)
{
    return change(s, name, DISABLE, 0);
}

ks_rc file_store_key_enable(struct file_store *s, const char *name)
{
    return change(s, name, ENABLE, 0);
}

ks_rc file_store_key_rotate(struct file_store *s, const char *name)
{
    return change(s, name, ROTATE, 0);
}

ks_rc file_store_key_schedule_deletion(struct file_store *s, const char *name, unsigned days)
{
    ENSURE(days <= DAYS_MAX, KS_E_USAGE, "%u days; a deletion is at most %d days ahead", days,
           DAYS_MAX);
    return change(s, name, SCHEDULE_DELETION, days);
}

ks_rc file_store_key_cancel_deletion(struct file_store *s, const char *name)
{
    return change(s, name, CANCEL_DELETION, 0);
}

/* --- telling about keys --- */

static void hex_id(const uint8_t id[FILE_KEY_ID_BYTES], char out[2 * FILE_KEY_ID_BYTES + 1])
{
    for (int i = 0; i < FILE_KEY_ID_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", id[i]);
}

static void tell(const struct file_record *r, struct clock *clock, struct file_key_info *ret)
{
    *ret = (struct file_key_info){.state = file_record_state(r, clock),
                                  .version = r->version_count,
                                  .created_s = r->created_s,
                                  .changed_s = r->changed_s,
                                  .deletion_s = file_record_is_due(r, clock) ? 0 : r->deletion_s};
    memcpy(ret->name, r->name, sizeof ret->name);
    hex_id(r->id, ret->id);
}

static ks_rc new_record(struct file_session *f, const char *name, struct file_record **ret)
{
    CLEANUP(file_record_freep) struct file_record *r = NULL;

    TRY(mem_new(1, sizeof *r, &r));
    memcpy(r->name, name, strlen(name) + 1);
    TRY(random_fill(f->store->random, r->id, sizeof r->id));
    r->state = FILE_KEY_ENABLED;
    r->created_s = r->changed_s = clock_wall_s(f->store->clock);
    TRY(add_version(f, r));
    *ret = TAKE(r);
    return KS_SUCCESS;
}

ks_rc file_store_key_create(struct file_store *s, const char *name, struct file_key_info *ret)
{
    CLEANUP(session_end) struct file_session f = {.store = NULL};
    CLEANUP(file_record_freep) struct file_record *r = NULL;

    TRY(file_name_check(name));
    TRY(session_begin(s, &f));
    TRY(session_lock(&f));
    ks_rc rc = session_load(&f, name, &r);
    ENSURE(!ks_ok(rc), KS_E_EXISTS, "there is a key %s in %.200s already (%s)", name, s->path,
           file_key_state_name(file_record_state(r, s->clock)));
    if (!ks_is(rc, KS_E_KEY_NOT_FOUND))
        return rc;
    TRY(new_record(&f, name, &r));
    TRY(write_record(&f, r, 0600));
    tell(r, s->clock, ret);
    return KS_SUCCESS;
}

ks_rc file_store_key_show(struct file_store *s, const char *name, struct file_key_info *ret)
{
    CLEANUP(session_end) struct file_session f = {.store = NULL};
    CLEANUP(file_record_freep) struct file_record *r = NULL;

    TRY(file_name_check(name));
    TRY(session_begin(s, &f));
    TRY(load_to_manage(&f, name, &r));
    tell(r, s->clock, ret);
    return KS_SUCCESS;
}

struct names {
    char (*at)[FILE_STORE_NAME_BYTES + 1];
    size_t count, room;
};

static void names_done(struct names *n)
{
    mem_free(n->at);
}

static ks_rc names_add(struct names *n, const char *file)
{
    size_t len = strlen(file);

    if (len <= 4 || len - 4 > FILE_STORE_NAME_BYTES || strcmp(file + len - 4, ".key") != 0)
        return KS_SUCCESS; /* ".", "..", the temporary file of a writer */
    if (n->count == n->room) {
        size_t room = n->room ? 2 * n->room : 16;
        TRY(mem_grow(room, sizeof *n->at, &n->at));
        n->room = room;
    }
    memcpy(n->at[n->count], file, len - 4);
    n->at[n->count++][len - 4] = 0;
    return KS_SUCCESS;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static ks_rc read_names(struct file_session *f, struct names *n)
{
    struct io *io = f->store->io;
    struct io_dirent entry = {.ino = 0};
    struct io_dir *dir;

    TRY(io->ops->dir_open(io, f->keys, &dir));
    ks_rc rc = io->ops->dir_next(io, dir, &entry);
    while (ks_ok(rc) && entry.name[0]) {
        rc = names_add(n, entry.name);
        if (ks_ok(rc))
            rc = io->ops->dir_next(io, dir, &entry);
    }
    io->ops->dir_close(io, dir);
    if (n->count)
        qsort(n->at, n->count, sizeof *n->at, by_name);
    return rc;
}

/* One damaged record must not hide the other keys: it is told at the end. */
ks_rc file_store_key_list(struct file_store *s,
                          void (*each)(void *arg, const struct file_key_info *info), void *arg)
{
    CLEANUP(session_end) struct file_session f = {.store = NULL};
    CLEANUP(names_done) struct names names = {.count = 0};
    const char *bad = NULL;

    TRY(session_begin(s, &f));
    TRY(store_unreachable(s, read_names(&f, &names)));
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP(file_record_freep) struct file_record *r = NULL;
        struct file_key_info info;
        ks_rc rc = session_load(&f, names.at[i], &r);
        if (ks_ok(rc)) {
            tell(r, s->clock, &info);
            each(arg, &info);
        } else if (!bad && !ks_is(rc, KS_E_KEY_NOT_FOUND)) {
            bad = names.at[i];
        }
    }
    CLEANUP(file_record_freep) struct file_record *again = NULL;
    return bad ? session_load(&f, bad, &again) : KS_SUCCESS;
}
