/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/file_record.h - the two records of a file key store, as bytes (private to kms/file_*).
 *
 * Root record (DIR/store): id, KDF and its parameters, a commitment that binds all of them to the
 * root key, and a sum that tells damage without any key.
 * Key record (DIR/keys/NAME.key): state and wrapped versions of one key, and a MAC over all of it.
 */
#pragma once

#include "base/buf.h"
#include "base/rc.h"
#include "base/view.h"
#include "crypto/keywrap.h"
#include "crypto/pwhash.h"
#include "kms/file_store.h"

enum {
    FILE_ROOT_VERSION = 1,
    FILE_KEY_VERSION = 1,
    FILE_STORE_ID_BYTES = 16,
    FILE_KEY_ID_BYTES = 16,
    FILE_MATERIAL_BYTES = 32,
    FILE_WRAPPED_BYTES = FILE_MATERIAL_BYTES + KEYWRAP_OVERHEAD,
    FILE_MAC_BYTES = 32,
    FILE_ROOT_MAX = 4096,
    FILE_RECORD_MAX = 256 * 1024,
};

enum file_kdf { FILE_KDF_KEY_FILE = 1, FILE_KDF_PASSPHRASE = 2 };

struct file_root {
    uint8_t id[FILE_STORE_ID_BYTES];
    enum file_kdf kdf;
    int64_t created_s;
    struct pwhash_cost cost; /* zeros with a key file */
    uint8_t salt[PWHASH_SALT_BYTES];
    uint8_t commitment[KEYWRAP_COMMIT_BYTES];
};

/* file_root_parse(in, ret): FORMAT, NEWER_VERSION. Needs no key and proves nothing about one. */
ks_rc file_root_parse(struct view in, struct file_root *ret) KS_MUST;
ks_rc file_root_write(const struct file_root *r, struct buf *ret) KS_MUST;
/* file_root_commit(r, root_key, ret): the commitment of root_key to r's other fields. */
ks_rc file_root_commit(const struct file_root *r, struct view root_key,
                       uint8_t ret[KEYWRAP_COMMIT_BYTES]) KS_MUST;

/* Versions are numbered 1, 2, ... by their place. */
struct file_version {
    int64_t created_s;
    uint8_t wrapped[FILE_WRAPPED_BYTES]; /* zeros when destroyed */
};

struct file_record {
    char name[FILE_STORE_NAME_BYTES + 1];
    uint8_t id[FILE_KEY_ID_BYTES];
    enum file_key_state state;
    int64_t created_s, changed_s, deletion_s;
    uint32_t version_count;
    struct file_version *versions; /* owned */
};

/* file_record_parse(in, ret): FORMAT, NEWER_VERSION; does not look at the MAC. */
ks_rc file_record_parse(struct view in, struct file_record **ret) KS_MUST;
/* file_record_check_mac(in, mac_key): AUTH. */
ks_rc file_record_check_mac(struct view in, struct view mac_key) KS_MUST;
ks_rc file_record_write(const struct file_record *r, struct view mac_key, struct buf *ret) KS_MUST;
/* file_record_add(r, ret): one more version, zeroed; LIMIT. Pointers into versions die. */
ks_rc file_record_add(struct file_record *r, struct file_version **ret) KS_MUST;
void file_record_free(struct file_record *r);
void file_record_freep(struct file_record **r);

/* file_name_check(name): USAGE that says what names look like. */
ks_rc file_name_check(const char *name) KS_MUST;
