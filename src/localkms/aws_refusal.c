/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_refusal.c - refusals of authentication and authorisation: codes and statuses as a table.
 */
#include "localkms/aws_refusal.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *json, *query;
    int json_status, query_status;
} codes[] = {
    [AWS_NO_TOKEN] = {"MissingAuthenticationTokenException", "MissingAuthenticationToken", 400,
                      403},
    [AWS_INCOMPLETE] = {"IncompleteSignatureException", "IncompleteSignature", 400, 400},
    [AWS_BAD_SIGNATURE] = {"InvalidSignatureException", "SignatureDoesNotMatch", 400, 403},
    [AWS_UNKNOWN_KEY] = {"UnrecognizedClientException", "InvalidClientTokenId", 400, 403},
    [AWS_EXPIRED_TOKEN] = {"ExpiredTokenException", "ExpiredToken", 400, 403},
    [AWS_DENIED] = {"AccessDeniedException", "AccessDenied", 400, 403},
    [AWS_INTERNAL] = {"KMSInternalException", "ServiceFailure", 500, 500},
};

bool aws_refuse(struct aws_refusal *ret, enum aws_refusal_kind kind, bool is_json, const char *fmt,
                ...)
{
    va_list args;

    ret->code = is_json ? codes[kind].json : codes[kind].query;
    ret->status = is_json ? codes[kind].json_status : codes[kind].query_status;
    va_start(args, fmt);
    vsnprintf(ret->message, sizeof ret->message, fmt, args);
    va_end(args);
    return false;
}
