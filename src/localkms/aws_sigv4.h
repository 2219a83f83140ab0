/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_sigv4.h - whether a request carries the AWS Signature Version 4 it claims to carry.
 *
 * Both forms: the Authorization header, and the query parameters of a presigned request. Two steps, because the
 * secret of the key must be found in between: sigv4_read takes apart what the request says about itself,
 * sigv4_is_signed recomputes the signature over the request as it was received.
 *
 * Source: "Create a signed AWS API request" (IAM user guide), for services other than S3.
 */
#pragma once

#include "base/rc.h"
#include "base/view.h"
#include "crypto/hash.h"
#include "localkms/aws_auth.h"

enum {
    SIGV4_HEADERS_MAX = 64,
    SIGV4_SKEW_S = 300,
    SIGV4_EXPIRES_S_MAX = 604800,
    SIGV4_NAME_BYTES = 64,
    SIGV4_TIME_BYTES = 17,
};

struct sigv4_header {
    const char *name, *value;
};

/* The request as it was received. */
struct sigv4_request {
    const char *method, *path, *query; /* percent-encoded as sent; query without '?' */
    size_t header_count;
    struct sigv4_header headers[SIGV4_HEADERS_MAX];
    struct view body;
};

/* What it says about who signed it. */
struct sigv4_claim {
    bool is_query; /* a presigned request */
    char access_key[AWS_KEY_ID_BYTES];
    char time[SIGV4_TIME_BYTES]; /* 20150830T123600Z */
    char day[9], region[SIGV4_NAME_BYTES], service[SIGV4_NAME_BYTES];
    char signed_headers[1024];
    uint8_t signature[HASH_BYTES];
    const char *token; /* of temporary credentials; NULL: none */
    char *token_room;  /* what token points to, when it had to be decoded */
};

/* When a request is judged and what it must be for. */
struct sigv4_wanted {
    int64_t now_s;
    const char *service; /* of the credential scope */
    bool is_json;        /* which form the codes of refusals take */
};

/*
 * sigv4_read(request, wanted, ret, refusal): form, time (5 minutes either way, or until a presigned request expires),
 * scope, and that the headers that decide what is done are signed. False with AWS's refusal. sigv4_claim_done frees;
 * for CLEANUP.
 */
bool sigv4_read(const struct sigv4_request *request, const struct sigv4_wanted *wanted,
                struct sigv4_claim *ret, struct aws_refusal *refusal) KS_MUST;
void sigv4_claim_done(struct sigv4_claim *c);
/* sigv4_key(secret, claim, ret): the signing key of a secret access key for day, region and service of the claim. */
ks_rc sigv4_key(struct view secret, const struct sigv4_claim *claim,
                uint8_t ret[HASH_BYTES]) KS_MUST;
/* sigv4_is_signed(request, claim, key, ret): whether the signature is right; compared in constant time. LIMIT, NO_MEMORY. */
ks_rc sigv4_is_signed(const struct sigv4_request *request, const struct sigv4_claim *claim,
                      const uint8_t key[HASH_BYTES], bool *ret) KS_MUST;
