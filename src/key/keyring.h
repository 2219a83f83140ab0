/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key/keyring.h - the keyring of a volume: what is in it and how it looks as bytes.
 *
 * Holds nothing secret: keys stand in it wrapped only. A sum over all bytes tells a torn or damaged
 * copy without any key; a MAC under a key derived from the store key tells a forged one once the store
 * key is there. Fields of a newer version are refused, never dropped. docs/FORMAT.md is normative.
 */
#pragma once

#include "base/key_spec.h"
#include "base/rc.h"
#include "base/view.h"
#include "crypto/keywrap.h"

enum {
    KEYRING_VERSION = 1,
    KEYRING_BYTES_MAX = 4 * 1024 * 1024,
    KEYRING_WRAPS_MAX =
        64, /* active and retired; the oldest retired one is dropped for a new one */
    KEYRING_ACTIVE_MAX = 8,
    KEYRING_DATA_KEYS_MAX = 4096,
    KEYRING_LABEL_BYTES = 128, /* texts with terminator */
    KEYRING_ID_BYTES = 16,
    KEYRING_HASH_BYTES = 32,
    DATA_KEY_BYTES = 32,
    STORE_KEY_BYTES = 32,
    NAME_KEY_BYTES = 64,
    CANARY_BYTES = 32,
};

enum keyring_wrap_state { KEYRING_WRAP_ACTIVE = 1, KEYRING_WRAP_RETIRED = 2 };
enum keyring_data_key_state { DATA_KEY_NEWEST = 1, DATA_KEY_OLDER = 2, DATA_KEY_DESTROYED = 3 };

/* One ciphertext of the store key under one CMEK, and a canary under the same CMEK for probes. */
struct keyring_wrap {
    uint32_t id; /* never used again within a volume */
    enum keyring_wrap_state state;
    uint32_t store_key_id;
    struct key_spec spec;
    char key_version[KEY_VERSION_BYTES];
    int64_t created_s, retired_s;
    uint8_t *blob; /* owned; a retired wrap keeps no blob (len 0): it can no longer open anything */
    size_t blob_len;
    uint8_t *canary_blob; /* owned */
    size_t canary_len;
    uint8_t canary_hash[KEYRING_HASH_BYTES]; /* SHA-256 of the canary's 32 bytes */
};

struct keyring_data_key {
    uint32_t generation; /* 1, 2, ...; never used again */
    enum keyring_data_key_state state;
    int64_t created_s, retired_s, destroyed_s;
    uint8_t wrapped[DATA_KEY_BYTES + KEYWRAP_OVERHEAD]; /* zeros when destroyed */
};

struct keyring_settings {
    uint32_t lease_ms_max;    /* default 60 000 */
    uint32_t probe_ms;        /* default 15 000; 100 .. lease_ms_max / 2 */
    uint32_t grace_ms;        /* default 3 600 000; 0 .. 86 400 000 */
    uint32_t data_rotation_s; /* default 30 days; 0 = only on demand */
};

struct keyring {
    uint8_t volume_id[KEYRING_ID_BYTES];
    uint64_t sequence; /* of this version of the keyring; each write adds one */
    char label[KEYRING_LABEL_BYTES];
    char organisation[KEYRING_LABEL_BYTES], cluster[KEYRING_LABEL_BYTES],
        region[KEYRING_LABEL_BYTES]; /* may be empty */
    int64_t created_s;
    uint16_t suite;         /* 1 = XAES-256-GCM blocks, AES-256-SIV names, HKDF-SHA-256 */
    uint32_t block_payload; /* bytes of plaintext in a 4096-byte block: 3584 or 4032 */
    struct keyring_settings settings;

    uint32_t store_key_id;
    int64_t store_key_created_s;
    uint8_t store_commit[KEYWRAP_COMMIT_BYTES];
    uint8_t name_key[NAME_KEY_BYTES + KEYWRAP_OVERHEAD];

    uint32_t next_wrap_id;
    size_t wrap_count;
    struct keyring_wrap *wraps; /* owned, in order of id */
    size_t data_key_count;
    struct keyring_data_key *data_keys; /* owned, in order of generation */

    uint8_t mac[KEYRING_HASH_BYTES];
    unsigned refs; /* the last; see keyring_ref. The rest of a shared keyring is never changed */
};

/* keyring_parse(in, ret): FORMAT, CORRUPT (the sum is wrong), NEWER_VERSION, LIMIT. *ret is whole or
 * untouched. */
ks_rc keyring_parse(struct view in, struct keyring **ret) KS_MUST;
/* keyring_write(k, mac_key, ret): its bytes, with mac and sum computed; mac_key is 32 bytes. USAGE for a
 * keyring that keyring_parse would refuse, so that none such ever gets to the disk. */
ks_rc keyring_write(const struct keyring *k, struct view mac_key, struct buf *ret) KS_MUST;
/* keyring_is_whole(in): whether the sum is right; true for whole keyrings of newer versions too. */
bool keyring_is_whole(struct view in);
/* keyring_problem(k): what is wrong with the values of k (static text), or NULL. */
const char *keyring_problem(const struct keyring *k);
/* keyring_check_mac(in, mac_key): AUTH when the bytes in were not written with mac_key. */
ks_rc keyring_check_mac(struct view in, struct view mac_key) KS_MUST;

ks_rc keyring_new(struct keyring **ret) KS_MUST; /* empty, default settings */
ks_rc keyring_copy(const struct keyring *k, struct keyring **ret) KS_MUST;
/* keyring_ref(k): shares k, for readers that must not wait for its owner; from any thread. Each
 * reference ends with keyring_free. */
struct keyring *keyring_ref(const struct keyring *k);
void keyring_free(struct keyring *k);
void keyring_freep(struct keyring **k);

/* Appends, with the next id or generation and state ACTIVE or NEWEST; pointers into the arrays die.
 * LIMIT when full. The newest data key becomes an older one. */
ks_rc keyring_add_wrap(struct keyring *k, struct keyring_wrap **ret) KS_MUST;
ks_rc keyring_add_data_key(struct keyring *k, struct keyring_data_key **ret) KS_MUST;
/* keyring_wrap_set(w, blob, canary): copies both into the wrap. */
ks_rc keyring_wrap_set(struct keyring_wrap *w, struct view blob, struct view canary) KS_MUST;
/* keyring_wrap_retire(w, now_s): drops the blobs, so that no copy written from now on opens with it. */
void keyring_wrap_retire(struct keyring_wrap *w, int64_t now_s);
struct keyring_wrap *keyring_find_wrap(const struct keyring *k, uint32_t id);
struct keyring_data_key *keyring_find_data_key(const struct keyring *k, uint32_t generation);
size_t keyring_active_count(const struct keyring *k);
/* keyring_settings_check(s): USAGE that names the field and its range. */
ks_rc keyring_settings_check(const struct keyring_settings *s) KS_MUST;

/* keyring_context(k, purpose, ids, ret): what a wrap of this volume is bound to. purpose is "store-key" or
 * "canary"; texts of ids live in the caller's struct. */
struct keyring_context_ids {
    char volume[2 * KEYRING_ID_BYTES + 1], store_key[16];
};
void keyring_context(const struct keyring *k, uint32_t store_key_id, const char *purpose,
                     struct keyring_context_ids *ids, struct key_context *ret);
