/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_sts.h - credentials of a role from AWS STS.
 */
#pragma once

#include "kms/aws_http.h"

struct aws_sts {
    struct aws_http *http;
    struct aws_endpoint endpoint;
    char region[AWS_REGION_BYTES];
};

enum {
    AWS_ROLE_SESSION_S_MIN = 900,
    AWS_ROLE_SESSION_S_MAX = 43200,
    AWS_ROLE_CHAINED_S_MAX = 3600
};

struct aws_role {
    const char *arn, *session_name;
    const char *external_id; /* NULL: none */
    uint32_t duration_s;     /* 0: STS's own, one hour */
};

/* aws_sts_assume_role(sts, call, role, base, ret, cure): signed with base. Results are those of the table of errors;
 * BAD_REPLY for a reply without credentials. */
ks_rc aws_sts_assume_role(const struct aws_sts *sts, const struct kms_call *call,
                          const struct aws_role *role, const struct aws_credentials *base,
                          struct aws_credentials **ret, enum aws_cure *cure) KS_MUST;
/* aws_sts_web_identity(sts, call, role, token, ret): not signed; the identity provider's token (text) is the proof. */
ks_rc aws_sts_web_identity(const struct aws_sts *sts, const struct kms_call *call,
                           const struct aws_role *role, const struct secret *token,
                           struct aws_credentials **ret) KS_MUST;
