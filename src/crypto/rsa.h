/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/rsa.h - RSA keys as key services use them: OAEP (RFC 8017), RS256 signatures, and the AES key wrap with
 * padding (RFC 5649) that goes with them in imports.
 */
#pragma once

#include "base/buf.h"
#include "base/rc.h"
#include "base/secret.h"

struct rsa; /* a key pair or a public key; immutable, thread-safe */

enum rsa_hash { RSA_SHA1, RSA_SHA256 }; /* of OAEP, and of its mask generation */

/* rsa_generate(bits, ret): 2048, 3072 or 4096; takes up to seconds. */
ks_rc rsa_generate(unsigned bits, struct rsa **ret) KS_MUST;
/* rsa_from_pem(pem, ret): PKCS#8 or PKCS#1 private key, or SPKI public key, unencrypted. USAGE for another. */
ks_rc rsa_from_pem(struct view pem, struct rsa **ret) KS_MUST;
/* rsa_from_der(der, ret): PKCS#8 private key. */
ks_rc rsa_from_der(struct view der, struct rsa **ret) KS_MUST;
void rsa_free(struct rsa *r);
void rsa_freep(struct rsa **r);

/* rsa_private_der(r, ret): PKCS#8, for sealing. USAGE for a public key. */
ks_rc rsa_private_der(const struct rsa *r, struct secret **ret) KS_MUST;
/* rsa_public_der(r, ret), rsa_public_pem: SPKI, appended. */
ks_rc rsa_public_der(const struct rsa *r, struct buf *ret) KS_MUST;
ks_rc rsa_public_pem(const struct rsa *r, struct buf *ret) KS_MUST;
unsigned rsa_bits(const struct rsa *r);

/* rsa_oaep_wrap(r, hash, plain, ret): empty label; LIMIT when plain is too long for the key. */
ks_rc rsa_oaep_wrap(const struct rsa *r, enum rsa_hash hash, struct view plain,
                    struct buf *ret) KS_MUST;
/* rsa_oaep_unwrap(r, hash, wrapped, ret): AUTH when it was not made for this key. */
ks_rc rsa_oaep_unwrap(const struct rsa *r, enum rsa_hash hash, struct view wrapped,
                      struct secret **ret) KS_MUST;
/* rsa_sign_rs256(r, data, ret): RSASSA-PKCS1-v1_5 with SHA-256, appended. */
ks_rc rsa_sign_rs256(const struct rsa *r, struct view data, struct buf *ret) KS_MUST;
/* rsa_verify_rs256(r, data, signature): AUTH when it is not one. */
ks_rc rsa_verify_rs256(const struct rsa *r, struct view data, struct view signature) KS_MUST;

/* kwp_wrap(kek, plain, ret), kwp_unwrap(kek, wrapped, ret): AES-KWP with a kek of 16, 24 or 32 bytes; AUTH. */
ks_rc kwp_wrap(struct view kek, struct view plain, struct buf *ret) KS_MUST;
ks_rc kwp_unwrap(struct view kek, struct view wrapped, struct secret **ret) KS_MUST;
