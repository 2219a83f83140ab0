/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/look.c - what is so with a volume: as its process says, else as its disk does.
 *
 * The process comes first, by the id that the node has noted. What lies in the backing directory by now may be another keyring, a
 * damaged one, or nothing: the process goes on with what it has read and opened before, and a revoke must reach it.
 */
#include <stdio.h>

#include "base/base64.h"
#include "base/mem.h"
#include "fuse/control.h"
#include "node/agent_int.h"
#include "volume/backing.h"

enum { STATUS_MS_MAX = 5000 };

/* --- its process --- */

/* "": nobody that is ours is known to listen. */
static void note_socket(struct job *j, const char *socket)
{
    char path[SOCKET_BYTES];

    snprintf(path, sizeof path, "%s", socket); /* it may be j's */
    pthread_mutex_lock(&j->a->mutex);
    memcpy(j->h->socket, path, sizeof path);
    memcpy(j->socket, path, sizeof path);
    pthread_mutex_unlock(&j->a->mutex);
}

/* Whoever listens there must serve this directory at this place, else it is not touched. */
static ks_rc check_identity(struct job *j)
{
    CLEANUP(mem_freep) char *backing = NULL, *mount = NULL;

    TRY(node_dir_volume_path(j->a->dir, j->h->id, "backing", &backing));
    TRY(node_dir_mount_path(j->a->dir, j->h->id, &mount));
    ENSURE(strcmp(j->seen.backing, backing) == 0, KS_E_STATE,
           "process %d serves another copy of this volume: %s; end one of them", j->seen.pid,
           j->seen.backing);
    ENSURE(strcmp(j->seen.mountpoint, mount) == 0, KS_E_STATE,
           "it is mounted at %s by process %d; unmount it there", j->seen.mountpoint, j->seen.pid);
    return KS_SUCCESS;
}

static ks_rc ask(struct job *j, const char *socket)
{
    CLEANUP(json_decrefp) json_t *request = json_pack("{s:s, s:b}", "op", "status", "handles", 0);
    CLEANUP(json_decrefp) json_t *status = NULL;

    ENSURE(request, KS_E_NO_MEMORY, "no memory for a request");
    TRY(control_call(socket, request, STATUS_MS_MAX, &status));
    TRY(seen_status(status, &j->seen));
    return check_identity(j);
}

static bool is_nobody(ks_rc rc)
{
    return ks_is(rc, KS_E_NOT_FOUND) || ks_is(rc, KS_E_STATE);
}

/* Sockets go by the id of the keyring that was mounted. Who listens at the one that is noted and says nothing is taken for its process. */
static ks_rc look_by_id(struct job *j, const uint8_t id[KEYRING_ID_BYTES], bool is_noted)
{
    CLEANUP(mem_freep) char *path = NULL;

    TRY(control_path(j->a->conf.run_dir, id, &path));
    ENSURE(strlen(path) < SOCKET_BYTES, KS_E_LIMIT,
           "the path of the control socket is too long: %s", path);
    ks_rc rc = ask(j, path);
    if (ks_ok(rc) || (is_noted && !is_nobody(rc)))
        note_socket(j, path);
    return rc;
}

static ks_rc look_by_note(struct job *j)
{
    CLEANUP(buf_done) struct buf id = buf_init(KEYRING_ID_BYTES + 1);

    if (!ks_ok(hex_read(view_text(j->deed.anchor.volume), &id)) || id.len != KEYRING_ID_BYTES)
        return ks_fail(KS_E_NOT_FOUND, "its own id is not known");
    return look_by_id(j, id.bytes, true);
}

ks_rc look_for_process(struct job *j)
{
    ks_rc rc = j->socket[0] ? ask(j, j->socket) : ks_fail(KS_E_NOT_FOUND, "it was not seen yet");

    if (!is_nobody(rc))
        return rc;
    note_socket(j, "");
    return look_by_note(j);
}

/* --- its disk --- */

/* Its own keyring, where there is a copy of that; else whatever lies there, which is told. */
static ks_rc open_backing(struct job *j, struct backing **ret)
{
    CLEANUP(mem_freep) char *path = NULL;
    const char *own = j->deed.anchor.volume;

    TRY(node_dir_volume_path(j->a->dir, j->h->id, "backing", &path));
    struct backing_conf conf = {.io = j->a->io,
                                .clock = j->a->clock,
                                .random = j->a->conf.random,
                                .path = path,
                                .volume_id = own[0] ? own : NULL};
    ks_rc rc = backing_open(&conf, false, ret);
    conf.volume_id = NULL;
    return ks_is(rc, KS_E_FOREIGN) ? backing_open(&conf, false, ret) : rc;
}

/* Somebody may have mounted by hand what lies there. The id on the disk may be another volume's, also while nothing is noted: so only who
 * says that it serves this volume's place counts, and one that says nothing is not taken for its process. */
static ks_rc look_by_keyring(struct job *j, const struct keyring *k)
{
    char id[ANCHOR_VOLUME_BYTES];

    seen_keyring_id(k, id);
    ks_rc rc = look_by_id(j, k->volume_id, false);
    bool is_its = ks_ok(rc) || anchor_is_of(&j->deed.anchor, id);
    return is_its ? rc : ks_fail(KS_E_NOT_FOUND, "nobody serves it");
}

static ks_rc look_at_backing(struct job *j)
{
    CLEANUP(backing_closep) struct backing *b = NULL;
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    bool is_revoked = false;

    TRY(open_backing(j, &b));
    TRY(backing_keyring(b, &k));
    ks_rc rc = look_by_keyring(j, k);
    if (!ks_is(rc, KS_E_NOT_FOUND))
        return rc;
    TRY(backing_is_revoked(b, &is_revoked));
    seen_keyring(k, is_revoked, &j->seen);
    j->seen.found_name = backing_keyring_name(b);
    j->seen.foreign_name = backing_foreign_name(b);
    return KS_SUCCESS;
}

/* Gone is told while it is wanted. One that is to be locked or taken away is, if its process still runs. */
static ks_rc check_there(struct job *j)
{
    bool is_wanted = j->deed.is_made && j->wish.is_present;

    if (j->seen.is_running)
        is_wanted = is_wanted && !j->wish.is_revoked;
    ENSURE(!is_wanted, KS_E_STATE,
           "its backing directory is gone: %s/volumes/%s/backing; bring it back, or delete the "
           "cluster",
           node_dir_path(j->a->dir), j->h->id);
    return KS_SUCCESS;
}

/* --- both --- */

/* What a key has vouched for is what comes next, or later. */
static void note_keyring(struct job *j)
{
    struct anchor now = {.sequence = j->seen.sequence, .accepted = j->deed.anchor.accepted};

    memcpy(now.volume, j->seen.keyring, sizeof now.volume);
    if (now.sequence > 0 && anchor_take(&j->deed.anchor, &now))
        j->is_deed_changed = true;
}

static void note_seen(struct job *j)
{
    if (!j->deed.is_made) {
        j->deed.is_made = true;
        j->is_deed_changed = true;
    }
    note_keyring(j);
}

/* It runs, whatever became of its disk. */
static ks_rc look_under_process(struct job *j)
{
    bool is_there = true;

    j->is_seen = true;
    note_seen(j);
    /* a disk that does not even say so is told by the process */
    IGNORE(node_dir_has_backing(j->a->dir, j->h->id, &is_there));
    j->seen.is_lost = !is_there;
    return is_there ? KS_SUCCESS : check_there(j);
}

static ks_rc look_at_disk(struct job *j)
{
    bool is_there = false;

    TRY(node_dir_has_backing(j->a->dir, j->h->id, &is_there));
    if (!is_there) {
        seen_done(&j->seen);
        j->is_seen = true;
        return check_there(j);
    }
    TRY(look_at_backing(j));
    j->is_seen = true;
    note_seen(j);
    return KS_SUCCESS;
}

ks_rc look_volume(struct job *j)
{
    ks_rc rc = look_for_process(j);

    j->is_seen = false;
    if (ks_is(rc, KS_E_NOT_FOUND))
        return look_at_disk(j);
    TRY(rc);
    return look_under_process(j);
}

ks_rc look_now(struct job *j)
{
    ks_rc rc =
        j->socket[0] ? ask(j, j->socket) : ks_fail(KS_E_NOT_FOUND, "its socket is not known");

    if (is_nobody(rc))
        return look_volume(j);
    j->is_seen = ks_ok(rc);
    return rc;
}
