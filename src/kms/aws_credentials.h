/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_credentials.h - what a request to AWS is signed with.
 *
 * Immutable once made and counted by reference, so that calls that run side by side share one. The secret parts stand in
 * guarded memory. Never logged; no text of an error holds any of it but the access key's id.
 */
#pragma once

#include "base/secret.h"
#include "kms/aws_key.h"

enum {
    AWS_ACCESS_KEY_BYTES = 129, /* all with terminator */
    AWS_SECRET_KEY_BYTES = 257,
    AWS_TOKEN_BYTES = 8193,
};

struct aws_credentials {
    unsigned users; /* atomic */
    char access_key[AWS_ACCESS_KEY_BYTES];
    struct secret *secret_key; /* text */
    struct secret *token;      /* text with its terminator; NULL: none, long-term credentials */
    int64_t expires_s;         /* AWS's clock; 0: never */
};

/* What credentials are made of: borrowed. */
struct aws_credentials_parts {
    struct view access_key, secret_key;
    struct view token;      /* length 0: none */
    const char *expiration; /* NULL or "": never */
};

/* aws_credentials_new(parts, ret): CREDENTIAL for what cannot be credentials: empty, too long, control characters, an
 * expiration that is no time. The caller has the only reference. */
ks_rc aws_credentials_new(const struct aws_credentials_parts *parts,
                          struct aws_credentials **ret) KS_MUST;
/* aws_credentials_from_json(text, token_name, ret): AccessKeyId, SecretAccessKey, Expiration and the token by its name
 * ("Token", "SessionToken"), as the metadata services and programs give them. CREDENTIAL. */
ks_rc aws_credentials_from_json(struct view text, const char *token_name,
                                struct aws_credentials **ret) KS_MUST;
/* aws_credentials_is_same(a, b): whether a request signed with one is as good as with the other; NULL is like none. */
bool aws_credentials_is_same(const struct aws_credentials *a, const struct aws_credentials *b);

struct aws_credentials *aws_credentials_ref(struct aws_credentials *c);
/* aws_credentials_unref(c): wipes with the last reference; NULL does nothing. */
void aws_credentials_unref(struct aws_credentials *c);
void aws_credentials_unrefp(struct aws_credentials **c);
