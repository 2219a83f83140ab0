/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/target.c - the volume that a command is about.
 */
#include "cli/target.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/args.h"
#include "cli/ask.h"
#include "fuse/control.h"

/* A rotation with an unreachable key service takes a few deadlines; nothing takes longer than this. */
enum { STATUS_TIMEOUT_MS = 10000, CALL_TIMEOUT_MS = 120000 };

void target_id(const struct keyring *k, char out[TARGET_ID_BYTES])
{
    for (size_t i = 0; i < KEYRING_ID_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", k->volume_id[i]);
}

const char *target_name(const struct target *t)
{
    return t->keyring->label[0] ? t->keyring->label : "yes";
}

struct backing_conf target_conf(struct cli *cli, const char *path)
{
    return (struct backing_conf){
        .io = io_posix(),
        .clock = clock_system(),
        .random = random_system(),
        .path = path,
        .passphrase = ask_passphrase,
        .passphrase_arg = cli,
        .is_development = args_has(cli, OPT_DEV),
        .volume_id = cli->texts[OPT_VOLUME_ID],
    };
}

void target_done(struct target *t)
{
    keyset_free(t->keys);
    backing_close(t->backing);
    keyring_free(t->keyring);
    json_decref(t->status);
    json_decref(t->copy_status);
    mem_free(t->socket);
    place_done(&t->place);
}

bool target_is_running(const struct target *t)
{
    return t->status != NULL;
}

static ks_rc call(const struct target *t, json_t *request, int timeout_ms, json_t **ret)
{
    json_t *reply = NULL;

    ENSURE(request, KS_E_NO_MEMORY, "out of memory while a request was made");
    ks_rc rc = control_call(t->socket, request, timeout_ms, &reply);
    json_decref(request);
    TRY(rc);
    if (ret)
        *ret = reply;
    else
        json_decref(reply);
    return KS_SUCCESS;
}

ks_rc target_call(struct target *t, json_t *request, json_t **ret)
{
    return call(t, request, CALL_TIMEOUT_MS, ret);
}

ks_rc target_refresh(struct target *t)
{
    json_t *status = NULL;

    TRY(call(t, json_pack("{s:s}", "op", "status"), STATUS_TIMEOUT_MS, &status));
    json_decref(t->status);
    t->status = status;
    return KS_SUCCESS;
}

/* Whether the process that answers serves another directory: volume processes go by the volume's id, which a copy has too. What cannot be
 * seen from here is taken for ours. */
static bool serves_a_copy(const struct target *t)
{
    CLEANUP(mem_freep) char *keyring = NULL;
    const char *backing =
        json_string_value(json_object_get(json_object_get(t->status, "volume"), "backing"));
    struct stat theirs, ours;

    return backing && ks_ok(mem_format(&keyring, "%s/keyring.0", backing)) &&
           access(keyring, F_OK) == 0 && stat(backing, &theirs) == 0 &&
           stat(t->place.backing, &ours) == 0 &&
           (theirs.st_dev != ours.st_dev || theirs.st_ino != ours.st_ino);
}

static ks_rc read_keyring(struct target *t)
{
    CLEANUP(backing_closep) struct backing *b = NULL;
    struct backing_conf conf = target_conf(t->cli, t->place.backing);

    TRY(backing_open(&conf, false, &b));
    return backing_keyring(b, &t->keyring);
}

ks_rc target_init(struct cli *cli, const char *path, struct target *t)
{
    CLEANUP(mem_freep) char *run_dir = NULL;

    t->cli = cli;
    TRY(resolve_place(path, &t->place));
    TRY(read_keyring(t));
    TRY(resolve_run_dir(cli, &run_dir));
    TRY(control_path(run_dir, t->keyring->volume_id, &t->socket));
    ks_rc rc = target_refresh(t);
    if (ks_ok(rc) && serves_a_copy(t))
        t->copy_status = TAKE(t->status);
    return ks_is(rc, KS_E_NOT_FOUND) ? KS_SUCCESS : rc;
}

static ks_rc open_locked(const struct target *t, struct backing **ret)
{
    struct backing_conf conf = target_conf(t->cli, t->place.backing);
    ks_rc rc = backing_open(&conf, true, ret);

    if (ks_is(rc, KS_E_BUSY))
        return ks_fail(
            KS_E_BUSY,
            "%s is in use by a process that does not answer at %s; if the volume was mounted "
            "with another --run-dir, give the same one here",
            t->place.backing, t->socket);
    return rc;
}

ks_rc target_check_idle(const struct target *t)
{
    CLEANUP(backing_closep) struct backing *b = NULL;

    return open_locked(t, &b);
}

ks_rc target_open(struct target *t)
{
    return open_locked(t, &t->backing);
}

ks_rc target_unlock(struct target *t)
{
    bool is_revoked = true;

    TRY(target_open(t));
    TRY(backing_is_revoked(t->backing, &is_revoked));
    ENSURE(!is_revoked, KS_E_LOCKED,
           "%s was revoked, so its keys are not used; give access back with: keystead volume "
           "unlock %s",
           t->place.backing, t->place.backing);
    return backing_unlock(t->backing, &t->keys);
}
