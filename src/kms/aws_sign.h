/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_sign.h - Signature Version 4 of AWS, in header lines.
 *
 * libkms_message makes the canonical request and the text to sign. Neither the body nor the secret key is given to it,
 * because it frees its copies as they are.
 */
#pragma once

#include "base/view.h"
#include "kms/aws_credentials.h"
#include "net/http_client.h"

/* A request to be signed. All borrowed. */
struct aws_to_sign {
    const char *service, *region;
    const char *method, *host; /* host with its port when that is not the scheme's own */
    const char *path;          /* "/", with the query */
    size_t header_count;       /* to be signed beside host, date and session token */
    const struct http_header *headers;
    struct view body;
    int64_t now_s; /* AWS's clock */
};

enum { AWS_DATE_BYTES = 17, AWS_AUTHORIZATION_BYTES = 2048 };

/* What is added to the request, beside X-Amz-Security-Token. */
struct aws_signature {
    char date[AWS_DATE_BYTES]; /* X-Amz-Date */
    char authorization[AWS_AUTHORIZATION_BYTES];
};

/* aws_sign(request, credentials, ret): USAGE for what cannot be a request; NO_MEMORY, BUG. Thread-safe. */
ks_rc aws_sign(const struct aws_to_sign *request, const struct aws_credentials *credentials,
               struct aws_signature *ret) KS_MUST;
