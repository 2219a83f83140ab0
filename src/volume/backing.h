/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/backing.h - the backing directory of a volume as a whole.
 *
 * Layout:  keyring.0 keyring.1 lock   the keyring (key/keyring_file.h)
 *          revoked                    when access was revoked through us (volume/revoked.h)
 *          tree/                      the encrypted tree (volume/volume.h)
 *          long/                      names too long to be encrypted in place (volume/names.h)
 *
 * Brings io, kms and key together for the two users of a backing directory: the volume process and
 * offline commands. Thread-safe: changes are made one after another; a probe never waits for a change, and a
 * revoke waits for nothing. A change that another one overtook is BUSY and changes nothing.
 */
#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "io/io.h"
#include "key/keyring.h"
#include "key/keyset.h"
#include "kms/policy.h"

struct backing;

struct backing_conf {
    struct io *io;
    struct clock *clock;
    struct random *random;
    const char *path;
    /* asked for a passphrase of a key store; NULL when nobody can be asked */
    ks_rc (*passphrase)(void *arg, const char *what, struct secret **ret) KS_MUST;
    void *passphrase_arg;
    uint32_t kms_timeout_ms; /* 0: the default of kms/policy */
    bool is_development;     /* allows keys of type NULL_KMS, which protect nothing */
    uint64_t
        sequence_min; /* as in struct hierarchy: ROLLED_BACK when it is opened, and when a key opens it */
    const char *volume_id; /* hex: as keyring_file_keep_to: FOREIGN when it is opened; NULL: any */
};

struct backing_create {
    const char *label, *organisation, *cluster, *region; /* NULL = empty */
    uint32_t block_payload;                              /* 3584 or 4032 */
    struct keyring_settings settings;
    const struct key_spec *specs;
    size_t spec_count;
};

/* backing_create(conf, create): makes path (0700, may exist when empty), keyring, tree/ and long/, all
 * durable. EXISTS when it is a volume already, NOT_EMPTY, USAGE, those of backing_check_storage, and the key service's classes. */
ks_rc backing_create(const struct backing_conf *conf, const struct backing_create *create) KS_MUST;

/* backing_check_storage(io, path): UNSUPPORTED, with the way out, when the file system of path does not write pages of 4096 bytes
 * whole, as far as its block size tells. A path that is not there yet: that of the directory it would be in. */
ks_rc backing_check_storage(struct io *io, const char *path) KS_MUST;

/* backing_remove(b): ends a volume that has no file any more: its keyring, and with it every wrapped key, is removed
 * durably; then everything else in the directory but the directory. NOT_EMPTY while there is a file; STATE when not
 * opened exclusively. Afterwards b may only be closed. */
ks_rc backing_remove(struct backing *b) KS_MUST;

/* backing_open(conf, is_exclusive, ret): reads the keyring, uses no key. With is_exclusive the lock is
 * held until backing_close: BUSY when a volume process has it. NOT_FOUND when it is no volume. */
ks_rc backing_open(const struct backing_conf *conf, bool is_exclusive,
                   struct backing **ret) KS_MUST;
void backing_close(struct backing *b);
void backing_closep(struct backing **b);

/* backing_keyring(b, ret): a copy of the current keyring, for reports. */
ks_rc backing_keyring(struct backing *b, struct keyring **ret) KS_MUST;
/* backing_keyring_name(b): the file that it was read from when b was opened for reading: "keyring.0" or "keyring.1". */
const char *backing_keyring_name(const struct backing *b);
/* backing_foreign_name(b): the copy of the keyring that is another volume's than conf.volume_id; NULL: there was none. */
const char *backing_foreign_name(const struct backing *b);
/* backing_sequence(b): of the current keyring when a key has vouched for it, else 0: a number that stands on a disk says nothing. */
uint64_t backing_sequence(struct backing *b);
/* backing_is_mended(b): whether both copies of the keyring were whole and the same when it was opened, or are since. */
bool backing_is_mended(const struct backing *b);
/* backing_tree(b), backing_long(b): the directories; owned by b. */
struct io_node *backing_tree(struct backing *b);
struct io_node *backing_long(struct backing *b);
const char *backing_path(const struct backing *b);
/* backing_sync(b): all that was written to the backing directory so far is durable (and what else is on its file
 * system). */
ks_rc backing_sync(struct backing *b) KS_MUST;

/* backing_unlock(b, ret): hierarchy_open. The keyset is the caller's. */
ks_rc backing_unlock(struct backing *b, struct keyset **ret) KS_MUST;
/* backing_probe(b, ret_wrap_id): hierarchy_probe, one attempt per wrap, with key service clients of its own,
 * so that it waits neither for a change nor for that change's calls. */
ks_rc backing_probe(struct backing *b, uint32_t *ret_wrap_id) KS_MUST;

/* backing_each_key(b, visit): what became of the calls to each key service, of those that use keys and of the probes. */
struct backing_key_visit {
    void (*used)(void *arg, const struct key_spec *spec, const struct kms_report *report);
    void (*probed)(void *arg, const struct key_spec *spec, const struct kms_report *report);
    void *arg;
};
void backing_each_key(struct backing *b, const struct backing_key_visit *visit);

/* backing_set_revoked(b, is_revoked): records a revoke or its end, durably. Needs no key; waits for no key service
 * and no change of the keyring. STATE when not opened exclusively. */
ks_rc backing_set_revoked(struct backing *b, bool is_revoked) KS_MUST;
/* backing_is_revoked(b, ret): asks the disk. Who cannot find out gets an error and must not open the volume. */
ks_rc backing_is_revoked(struct backing *b, bool *ret) KS_MUST;
/* backing_revoked_s(b, ret): since when, for reports; 0 = not revoked. */
ks_rc backing_revoked_s(struct backing *b, int64_t *ret) KS_MUST;

/* backing_stale(b): the name of the copy of the keyring that is not the current one, once a key has vouched for that; NULL: both
 * are, or nobody knows. Waits for no change and no disk. */
const char *backing_stale(struct backing *b);
/* backing_mend(b): writes such a copy again. Needs no key. */
ks_rc backing_mend(struct backing *b) KS_MUST;

/* The changes of key/hierarchy.h, under the lock; keys is the keyset in use. STATE when not opened
 * exclusively. After rotate_store and destroy_data_keys: backing_settle. */
ks_rc backing_rotate_cmek(struct backing *b, const struct keyset *keys, uint32_t wrap_id,
                          const struct key_spec *spec) KS_MUST;
ks_rc backing_rotate_store(struct backing *b, const struct keyset *keys,
                           struct keyset **ret) KS_MUST;
ks_rc backing_rotate_data(struct backing *b, const struct keyset *keys,
                          struct keyset **ret) KS_MUST;
ks_rc backing_destroy_data_keys(struct backing *b, const struct keyset *keys,
                                const uint32_t *generations, size_t count,
                                struct keyset **ret) KS_MUST;
ks_rc backing_add_wrap(struct backing *b, const struct keyset *keys, const struct key_spec *spec,
                       uint32_t *ret_id) KS_MUST;
ks_rc backing_remove_wrap(struct backing *b, const struct keyset *keys, uint32_t id) KS_MUST;
ks_rc backing_settle(struct backing *b) KS_MUST;
ks_rc backing_set_settings(struct backing *b, const struct keyset *keys,
                           const struct keyring_settings *settings) KS_MUST;
