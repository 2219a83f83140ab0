/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/p11_key.h - AES keys in a token, and what is done with them (private to kms/p11_*, drv_pkcs11).
 *
 * Keys with one label and different CKA_IDs are versions of one key: the highest id, read as a number, is the newest. All
 * functions need a session that is logged in and use it alone.
 */
#pragma once

#include "base/secret.h"
#include "kms/p11_token.h"

enum { P11_KEYS_MAX = 64, P11_ID_BYTES = 64, P11_LABEL_BYTES = 128, P11_IV_BYTES = 12 };

/* What a key can do here, in order of preference. Numbers are part of wraps. */
enum p11_way {
    P11_WAY_GCM = 1,  /* CKM_AES_GCM, the context as associated data */
    P11_WAY_KWP = 2,  /* CKM_AES_KEY_WRAP_KWP */
    P11_WAY_PAD = 3,  /* CKM_AES_KEY_WRAP_PAD, which some tokens mean as KWP */
    P11_WAY_WRAP = 4, /* CKM_AES_KEY_WRAP */
};

struct p11_key {
    CK_OBJECT_HANDLE handle;
    size_t id_len, label_len;
    uint8_t id[P11_ID_BYTES], label[P11_LABEL_BYTES];
    bool may_encrypt, may_decrypt, may_wrap, may_unwrap;
};

struct p11_keys {
    size_t count; /* 1 or more; the newest first */
    struct p11_key keys[P11_KEYS_MAX];
};

/* p11_key_find(s, ret): the AES keys that the token's URI names. KEY_NOT_FOUND for none, USAGE when two have the same id. */
ks_rc p11_key_find(struct p11_session *s, struct p11_keys *ret) KS_MUST;
/* p11_key_way(s, key, ret): how it wraps. KEY_DISABLED when its attributes forbid all ways, USAGE when the token
 * has no mechanism for those that are left. */
ks_rc p11_key_way(struct p11_session *s, const struct p11_key *key, enum p11_way *ret) KS_MUST;

/* One key, one way, one context. iv is used with GCM only. */
struct p11_use {
    const struct p11_key *key;
    enum p11_way way;
    uint8_t iv[P11_IV_BYTES];
    struct view aad;
};

/* p11_seal(s, use, plain, ret): appends the ciphertext; use->iv may be replaced by the token's own. With a way that takes no
 * context plain is bound to it already (kms/bound.h). */
ks_rc p11_seal(struct p11_session *s, struct p11_use *use, struct secret *plain,
               struct buf *ret) KS_MUST;
/* p11_open(s, use, ciphertext, ret): AUTH when this key did not make it; UNREACHABLE from tokens that tell no
 * difference. */
ks_rc p11_open(struct p11_session *s, struct p11_use *use, struct view ciphertext,
               struct secret **ret) KS_MUST;
