/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_kms.h - the operations of AWS KMS that are used, each one request about one key.
 *
 * Replies are checked before they are believed: an answer is about the key that was asked for, bytes have the length that
 * they may have. Plaintext goes from and to guarded memory; on its way it is only in buffers that are wiped. Thread-safe.
 */
#pragma once

#include "kms/aws_principal.h"

struct aws_kms {
    struct aws_http http;
    struct aws_key key;
    struct aws_endpoint endpoint;
    struct aws_principal principal;
};

/* aws_kms_init(k, conf): reads settings, asks nobody. k must not move afterwards. USAGE, CREDENTIAL. */
ks_rc aws_kms_init(struct aws_kms *k, const struct kms_conf *conf) KS_MUST;
/* aws_kms_done(k): also after an init that failed, if *k was zero before. */
void aws_kms_done(struct aws_kms *k);

/* aws_kms_describe(k, call, context, ret): the id of the current key material, or the key's ARN when AWS names none. DENIED classes
 * for a key that cannot be used in its state, USAGE for one of another kind. */
ks_rc aws_kms_describe(struct aws_kms *k, const struct kms_call *call,
                       const struct key_context *context, char ret[KEY_VERSION_BYTES]) KS_MUST;
/* aws_kms_encrypt(k, call, context, plain, ret, ret_arn): ciphertext, and the ARN of the key that made it. */
ks_rc aws_kms_encrypt(struct aws_kms *k, const struct kms_call *call,
                      const struct key_context *context, const struct secret *plain,
                      struct buf *ret, char ret_arn[KEY_VERSION_BYTES]) KS_MUST;
ks_rc aws_kms_decrypt(struct aws_kms *k, const struct kms_call *call,
                      const struct key_context *context, struct view blob,
                      struct secret **ret) KS_MUST;
/* Tried by "key check" only; what they give is dropped. */
ks_rc aws_kms_generate(struct aws_kms *k, const struct kms_call *call,
                       const struct key_context *context) KS_MUST;
ks_rc aws_kms_reencrypt(struct aws_kms *k, const struct kms_call *call,
                        const struct key_context *context, struct view blob) KS_MUST;

/* --- replies, for tests and fuzzing --- */

ks_rc aws_kms_read_describe(const struct aws_key *key, struct view body,
                            char ret[KEY_VERSION_BYTES]) KS_MUST;
ks_rc aws_kms_read_encrypt(const struct aws_key *key, struct view body, struct buf *ret,
                           char ret_arn[KEY_VERSION_BYTES]) KS_MUST;
ks_rc aws_kms_read_decrypt(const struct aws_key *key, struct view body,
                           struct secret **ret) KS_MUST;
