/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_errors.h - what an error of AWS means: from its type to a result and a cure.
 */
#pragma once

#include "base/rc.h"
#include "net/http_client.h"

enum { AWS_ERROR_TYPE_BYTES = 128, AWS_ERROR_TEXT_BYTES = 400 };

/* What a driver may mend before it asks once more. */
enum aws_cure {
    AWS_CURE_NONE,
    AWS_CURE_CLOCK,       /* the service's time is in the reply's Date header */
    AWS_CURE_CREDENTIALS, /* others may have been issued meanwhile */
};

/* An error as it was found in a reply. */
struct aws_error {
    char type[AWS_ERROR_TYPE_BYTES];    /* "" when the reply names none */
    char message[AWS_ERROR_TEXT_BYTES]; /* may be "", may be cut */
};

/* aws_error_set(e, type, message): takes the bare name of the error out of the forms "NAME:URL" and "PREFIX#NAME"; control
 * characters become blanks. NULL: none. */
void aws_error_set(struct aws_error *e, const char *type, const char *message);
/* aws_error_read(reply, ret): the error of a KMS reply: header x-amzn-ErrorType, else "__type" of the JSON body. */
void aws_error_read(const struct http_reply *reply, struct aws_error *ret);
/*
 * aws_error_result(e, status, cure): the result by the table; never a success. A type that is not in the table is
 * UNREACHABLE for a status of 500 and more, else BAD_REPLY.
 */
ks_rc aws_error_result(const struct aws_error *e, int status, enum aws_cure *cure) KS_MUST;
