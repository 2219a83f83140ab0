/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_refusal.h - refusals of authentication and authorisation, in the form of either wire.
 */
#pragma once

#include "localkms/aws_auth.h"

enum aws_refusal_kind {
    AWS_NO_TOKEN,      /* not signed at all */
    AWS_INCOMPLETE,    /* the signature is malformed */
    AWS_BAD_SIGNATURE, /* wrong, too old, for something else */
    AWS_UNKNOWN_KEY,
    AWS_EXPIRED_TOKEN,
    AWS_DENIED,
    AWS_INTERNAL,
};

/* aws_refuse(ret, kind, is_json, fmt, ...): fills it in; always false, so that it can be returned. is_json: KMS. */
bool aws_refuse(struct aws_refusal *ret, enum aws_refusal_kind kind, bool is_json, const char *fmt,
                ...) KS_PRINTF(4, 5);
