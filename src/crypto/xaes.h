/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/xaes.h - XAES-256-GCM (C2SP): AES-256-GCM with 192-bit nonces that may be random.
 *
 * Not committing: whoever opens with it must know by other means (a key commitment, see
 * crypto/keywrap.h) that it has the right key.
 */
#pragma once

#include "base/rc.h"
#include "base/view.h"

enum { XAES_KEY_BYTES = 32, XAES_NONCE_BYTES = 24, XAES_TAG_BYTES = 16 };

/* A key made ready for use. Plain data, secret: keep it in a secret_pool slot. */
struct xaes_key {
    uint8_t key[XAES_KEY_BYTES];
    uint8_t k1[16];  /* CMAC subkey, worked out once per key */
    uint64_t serial; /* tells a context whether it holds this key already; never 0 */
};

/* Cipher state of one thread at a time; holds key schedules, so it is wiped when freed. */
struct xaes_ctx;

/* xaes_ctx_new(ret): NO_MEMORY; BUG if OpenSSL lacks the ciphers. */
ks_rc xaes_ctx_new(struct xaes_ctx **ret) KS_MUST;
/* xaes_ctx_free(c): wipes every key schedule in it; NULL does nothing. */
void xaes_ctx_free(struct xaes_ctx *c);
void xaes_ctx_freep(struct xaes_ctx **c);

/* xaes_key_init(key, c, bytes): makes the 32 bytes ready. *key is written only on success. */
ks_rc xaes_key_init(struct xaes_key *key, struct xaes_ctx *c, struct view bytes) KS_MUST;

/*
 * xaes_seal(c, key, nonce, aad, pt, ret_ct, ret_tag): ret_ct gets pt.len bytes and may be pt itself.
 * The caller draws nonce fresh from base/random for every call.
 */
ks_rc xaes_seal(struct xaes_ctx *c, const struct xaes_key *key,
                const uint8_t nonce[XAES_NONCE_BYTES], struct view aad, struct view pt,
                uint8_t *ret_ct, uint8_t ret_tag[XAES_TAG_BYTES]) KS_MUST;

/*
 * xaes_open(c, key, nonce, aad, ct, tag, ret_pt): AUTH when anything was changed, and then ret_pt
 * (ct.len bytes, may be ct itself) is all zero: no unauthenticated byte is ever released.
 */
ks_rc xaes_open(struct xaes_ctx *c, const struct xaes_key *key,
                const uint8_t nonce[XAES_NONCE_BYTES], struct view aad, struct view ct,
                const uint8_t tag[XAES_TAG_BYTES], uint8_t *ret_pt) KS_MUST;
