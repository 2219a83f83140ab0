/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/file_session.h - one call's view of an opened file key store (private to kms/file_*).
 *
 * The store is looked at anew in each call: a store that was unmounted, replaced or locked with
 * another key file since is noticed, and with a key file no key stays in memory between calls.
 */
#pragma once

#include "kms/file_record.h"

enum { FILE_NAME_BYTES = FILE_STORE_NAME_BYTES + 5 }; /* NAME.key with its terminator */

struct file_store {
    struct io *io;
    char *path, *key_file; /* key_file NULL: a passphrase */
    ks_rc (*passphrase)(void *arg, const char *what, struct secret **ret) KS_MUST;
    void *passphrase_arg;
    struct stretched *stretched; /* what other clients stretched; may be NULL */
    struct clock *clock;
    struct random *random;
    struct secret *root_key; /* stretched from the passphrase; NULL with a key file */
};

struct file_session {
    struct file_store *store;
    struct io_node *dir, *keys;
    struct secret *subkeys; /* one for the MAC of records, one for wrapping material */
    struct io_node *lock_node;
    struct io_file *lock;
};

/* session_begin(s, ret): reads the root record and checks the root key. UNREACHABLE, CREDENTIAL,
 * WRONG_KEY, FORMAT, NEWER_VERSION. */
ks_rc session_begin(struct file_store *s, struct file_session *ret) KS_MUST;
/* session_lock(f): the store's lock, until session_end. BUSY after 5 s. */
ks_rc session_lock(struct file_session *f) KS_MUST;
void session_end(struct file_session *f);
struct view session_mac_key(const struct file_session *f);
struct view session_wrap_key(const struct file_session *f);

/* session_root_key(s, root, ret): the root key that the key file or passphrase gives with the salt and cost
 * of root; not checked. CREDENTIAL when it cannot be had. */
ks_rc session_root_key(struct file_store *s, const struct file_root *root,
                       struct secret **ret) KS_MUST;
/* store_unreachable(s, rc): rc, a failure of the operating system turned into UNREACHABLE. */
ks_rc store_unreachable(const struct file_store *s, ks_rc rc) KS_MUST;

/* session_load(f, name, ret): the record of a key. KEY_NOT_FOUND, UNREACHABLE, and CORRUPT classes. */
ks_rc session_load(struct file_session *f, const char *name, struct file_record **ret) KS_MUST;
/* file_record_is_due(r, clock): whether the time of its deletion has come.
 * file_record_state(r, clock): its state, with a deletion that is due counted as done. */
bool file_record_is_due(const struct file_record *r, struct clock *clock);
enum file_key_state file_record_state(const struct file_record *r, struct clock *clock);

/* What the wrapped material of a version is bound to: its key and its number. */
struct material_aad {
    uint8_t bytes[FILE_KEY_ID_BYTES + 4];
};
struct view material_aad(const struct file_record *r, uint32_t version, struct material_aad *out);

/* store_option(s), store_option_value(s): " --key-file " and its path, or two empty texts; to complete
 * the commands that texts propose. */
const char *store_option(const struct file_store *s);
const char *store_option_value(const struct file_store *s);
