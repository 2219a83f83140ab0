/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/gcp_token.h - fetches access tokens from Google (private to kms/gcp_*).
 *
 * One attempt each; keeps nothing. What refuses us a token for our own identity is CREDENTIAL, never an answer
 * about a key; only the service account that a customer lets us act as can deny.
 */
#pragma once

#include "base/secret.h"
#include "kms/gcp_credentials.h"

enum { GCP_TOKEN_MAX = 16 * 1024, GCP_LIFETIME_S_MAX = 12 * 3600 };

struct gcp_token {
    struct secret *text; /* printable, without blanks */
    uint32_t lifetime_s; /* from now on */
    char universe[GCP_UNIVERSE_BYTES], quota_project[GCP_PROJECT_BYTES];
};

void gcp_token_done(struct gcp_token *t);

/* gcp_token_fetch(net, call, ret): one for the identity that the environment gives us: an access token file, a
 * credentials file, or the metadata server. */
ks_rc gcp_token_fetch(const struct gcp_net *net, const struct kms_call *call,
                      struct gcp_token *ret) KS_MUST;

/* Whose token is wanted through generateAccessToken. */
struct gcp_target {
    const char *url;
    size_t delegate_count;
    const char *delegates[GCP_HOPS_MAX]; /* "projects/-/serviceAccounts/EMAIL", first hop first */
    uint32_t lifetime_s;
    enum gcp_asked asked; /* what a refusal means */
};

/* gcp_token_impersonate(net, call, as, target, ret): a token for target, asked with the token as. CREDENTIAL for a
 * 401: as has expired. */
ks_rc gcp_token_impersonate(const struct gcp_net *net, const struct kms_call *call,
                            const struct gcp_token *as, const struct gcp_target *target,
                            struct gcp_token *ret) KS_MUST;

/* gcp_bearer(token, ret): "Bearer TOKEN" for the Authorization header, appended. */
ks_rc gcp_bearer(const struct secret *text, struct buf *ret) KS_MUST;

/* gcp_token_parse(body, text, lifetime_s): a reply of a token endpoint, and gcp_token_parse_generated: one of
 * generateAccessToken, whose expireTime is compared with now_s. BAD_REPLY. */
ks_rc gcp_token_parse(struct view body, struct secret **ret_text, uint32_t *ret_lifetime_s) KS_MUST;
ks_rc gcp_token_parse_generated(struct view body, int64_t now_s, struct secret **ret_text,
                                uint32_t *ret_lifetime_s) KS_MUST;
