/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_sts_reply.h - what AWS STS answers, in XML.
 */
#pragma once

#include "kms/aws_credentials.h"
#include "kms/aws_errors.h"

enum { AWS_REQUEST_ID_BYTES = 128, AWS_EXPIRATION_BYTES = 40, AWS_STS_REPLY_BYTES_MAX = 64 * 1024 };

/* What of it is of use; "" for what is not there. Holds secrets: kept in guarded memory. */
struct aws_sts_reply {
    char access_key[AWS_ACCESS_KEY_BYTES], secret_key[AWS_SECRET_KEY_BYTES];
    char token[AWS_TOKEN_BYTES], expiration[AWS_EXPIRATION_BYTES];
    char error_type[AWS_ERROR_TYPE_BYTES], error_message[AWS_ERROR_TEXT_BYTES];
    char request_id[AWS_REQUEST_ID_BYTES];
};

/*
 * aws_sts_reply_parse(text, ret): the reply to an action or an ErrorResponse. BAD_REPLY for what is not XML, is longer or
 * deeper than allowed, declares anything, says a thing twice or says more than fits; only an error's message is cut.
 * What passed through the parser is wiped.
 */
ks_rc aws_sts_reply_parse(struct view text, struct aws_sts_reply *ret) KS_MUST;
