/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/target.h - the volume that a command is about: the running process, or the backing directory.
 *
 * Decides once which of the two it is. A running volume is talked to through its control socket; else the
 * backing directory is opened under its lock.
 */
#pragma once

#include <jansson.h>

#include "cli/resolve.h"
#include "volume/backing.h"

struct target {
    struct cli *cli;
    struct place place;
    struct keyring *keyring; /* as read without the lock; for reports */
    char *socket;
    json_t *status; /* the reply of the running process; NULL: there is none */
    json_t *
        copy_status; /* of a process that serves a copy of the volume, which goes by the same id; NULL: there is none */
    struct backing *backing; /* opened by target_open or target_unlock */
    struct keyset *keys;     /* by target_unlock */
};

/* target_init(cli, path, t): finds the volume, reads its keyring, asks whether it runs. t must be zeroed; target_done in
 * every case. */
ks_rc target_init(struct cli *cli, const char *path, struct target *t) KS_MUST;
void target_done(struct target *t);

/* target_is_running(t): whether a volume process serves it. */
bool target_is_running(const struct target *t);

/* target_call(t, request, ret): asks the running process; takes over request (NULL: out of memory); ret may be NULL. */
ks_rc target_call(struct target *t, json_t *request, json_t **ret) KS_MUST;
/* target_refresh(t): asks for the status again; NOT_FOUND when the process has ended. */
ks_rc target_refresh(struct target *t) KS_MUST;

/* target_open(t): takes the lock, for a change offline that needs no key. BUSY when a process that does not answer here
 * holds the volume. target_unlock(t): opens the keys as well. */
ks_rc target_open(struct target *t) KS_MUST;
ks_rc target_unlock(struct target *t) KS_MUST;

/* target_check_idle(t): that nobody holds the lock of a volume whose process does not answer; BUSY tells of another run
 * directory. A mount point of an idle volume is left over from a process that died. */
ks_rc target_check_idle(const struct target *t) KS_MUST;

/* target_conf(cli, path): how this program works with a backing directory. */
struct backing_conf target_conf(struct cli *cli, const char *path);

/* target_name(t): what the volume's owner types to confirm: its label, or "yes" when it has none. */
const char *target_name(const struct target *t);

enum { TARGET_ID_BYTES = 2 * KEYRING_ID_BYTES + 1 };
void target_id(const struct keyring *k, char out[TARGET_ID_BYTES]);
