/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/file_store.h - keys in a directory, sealed under a passphrase or a key file.
 *
 * The key store of the "file" driver and of `keystead kms key`. One file per key holds its state and
 * its versions, authenticated as a whole and replaced atomically; the key material never leaves the
 * store. Another user may own the directory: readers need only read permission, writers take
 * its lock. The root record holds salt, KDF parameters and a commitment, so that a wrong passphrase is
 * told as such (WRONG_KEY).
 */
#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "base/rc.h"
#include "base/secret.h"
#include "io/io.h"
#include "kms/driver.h"

enum { FILE_STORE_NAME_BYTES = 64, FILE_STORE_VERSIONS_MAX = 1024 };

enum file_key_state {
    FILE_KEY_ENABLED = 1,
    FILE_KEY_DISABLED,
    FILE_KEY_PENDING_DELETION,
    FILE_KEY_DESTROYED,
};

struct file_key_info {
    char name[FILE_STORE_NAME_BYTES + 1]; /* [a-z0-9][a-z0-9._-]* */
    char id[33];                          /* 128-bit id, hex; survives nothing but the key itself */
    enum file_key_state state;
    uint32_t version; /* newest */
    int64_t created_s, changed_s;
    int64_t deletion_s; /* when a pending deletion takes place; 0 = none */
};

struct file_store; /* an opened store; one thread at a time */

struct file_store_conf {
    struct io *io;
    const char *path;
    const char *key_file; /* path of at least 32 random bytes; or NULL: a passphrase */
    ks_rc (*passphrase)(void *arg, const char *what, struct secret **ret) KS_MUST;
    void *passphrase_arg;
    struct stretched *stretched; /* looked into before anybody is asked; borrowed, may be NULL */
    struct clock *clock;
    struct random *random;
    uint64_t pwhash_ops, pwhash_mem_bytes; /* of a new store with a passphrase; 0: the default */
};

/* file_store_create(conf): a new store in path (made with mode 0700 if missing; EXISTS if it holds one). With
 * a key_file that does not exist, one is made (mode 0600, 32 random bytes). */
ks_rc file_store_create(const struct file_store_conf *conf) KS_MUST;
/* file_store_open(conf, ret): WRONG_KEY for another passphrase or key file, NOT_FOUND when there is no store. */
ks_rc file_store_open(const struct file_store_conf *conf, struct file_store **ret) KS_MUST;
void file_store_close(struct file_store *s);
void file_store_closep(struct file_store **s);

/* Management; each change is durable on return and serialised by the store's lock (BUSY after 5 s). */
ks_rc file_store_key_create(struct file_store *s, const char *name,
                            struct file_key_info *ret) KS_MUST;
ks_rc file_store_key_show(struct file_store *s, const char *name,
                          struct file_key_info *ret) KS_MUST;
/* calls each(arg, info) in order of name */
ks_rc file_store_key_list(struct file_store *s,
                          void (*each)(void *arg, const struct file_key_info *info),
                          void *arg) KS_MUST;
/* The transitions are a table; one it does not have is STATE and names the current state. Every one
 * of these is NOT_FOUND for a name that no key has; names of destroyed keys are never free again. */
ks_rc file_store_key_disable(struct file_store *s, const char *name) KS_MUST;
ks_rc file_store_key_enable(struct file_store *s, const char *name) KS_MUST;
ks_rc file_store_key_rotate(struct file_store *s, const char *name) KS_MUST;
/* days 0..365 (0: destroys now, key material is overwritten); default of the CLI is 30 */
ks_rc file_store_key_schedule_deletion(struct file_store *s, const char *name,
                                       unsigned days) KS_MUST;
/* the key is disabled afterwards: whoever cancels decides separately to enable it */
ks_rc file_store_key_cancel_deletion(struct file_store *s, const char *name) KS_MUST;

/* Use. Each reads the key's file anew, so a state change takes effect with the next call. A pending
 * deletion whose time has come counts as destroyed. Errors as in kms/driver.h: what stands in the
 * key's record is an answer (DENIED, also for a key that the store does not have); a store or key
 * file that cannot be read is UNREACHABLE or CREDENTIAL. */
ks_rc file_store_wrap(struct file_store *s, const char *name, struct view aad,
                      const struct secret *plain, struct buf *ret_blob,
                      uint32_t *ret_version) KS_MUST;
ks_rc file_store_unwrap(struct file_store *s, const char *name, struct view aad, struct view blob,
                        struct secret **ret_plain) KS_MUST;
/* file_store_version(s, name, ret): the newest version of a key that may be used. */
ks_rc file_store_version(struct file_store *s, const char *name, uint32_t *ret_version) KS_MUST;

const char *file_key_state_name(enum file_key_state state);
