/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_auth.h - who sent an AWS request, and whether he may.
 *
 * Authentication is SigV4 (headers; also the query form) against the access keys of users and the sessions of assumed
 * roles. Authorisation is AWS's evaluation: an explicit Deny anywhere wins; within the key's account the key policy
 * must allow or delegate to IAM; across accounts both sides must allow; grants allow what they name.
 */
#pragma once

#include <jansson.h>

#include "base/rc.h"
#include "net/http_server.h"

enum { AWS_ARN_BYTES = 2048, AWS_ACCOUNT_BYTES = 13, AWS_KEY_ID_BYTES = 129 };

struct iam;        /* users, access keys, roles, sessions, policies of all accounts (iam.h) */
struct aws_policy; /* aws_policy.h */

enum aws_principal_kind { AWS_ROOT, AWS_USER, AWS_ROLE_SESSION };

/* Who asks, and from where. */
struct aws_identity {
    enum aws_principal_kind kind;
    char account[AWS_ACCOUNT_BYTES];
    char arn[AWS_ARN_BYTES]; /* arn:aws:sts::A:assumed-role/R/S for a session */
    /* what policies name: the user's or the role's ARN (aws:PrincipalArn) */
    char principal[AWS_ARN_BYTES];
    char user_id[130]; /* AIDA..., AROA...:session, or the account */
    char access_key[AWS_KEY_ID_BYTES];
    char region[64], service[64]; /* of the credential scope */
    char source_ip[64];
    bool is_tls;
    int64_t now_s;           /* when it was authenticated */
    int64_t token_issued_s;  /* of temporary credentials; 0: long-lived ones */
    bool is_limited;         /* temporary credentials of a user or root: they may not manage IAM */
    const void *iam_session; /* private to iam.h; NULL: nothing limits it further */
};

/* What is to be done, with which resource. */
struct aws_access {
    const char *action;   /* "kms:Decrypt" */
    const char *resource; /* ARN, or "*" */
    const char *account;  /* of the resource */
    /* what decides together with the policies of the caller; NULL: the resource has none, and they decide alone */
    const struct aws_policy *resource_policy;
    bool is_granted; /* a grant of the resource allows it to this identity */
    /* object of strings, or NULL: kms:EncryptionContext:*, kms:EncryptionContextKeys */
    const json_t *encryption_context;
    const char *via_service; /* or NULL */
    /* any other condition keys of the request: an object of strings and arrays of strings, "kms:KeySpec": "...",
     * "kms:GrantOperations": [...], "aws:ResourceTag/x": "..."; or NULL */
    const json_t *conditions;
};

/* Why not. The texts are AWS's own. */
struct aws_refusal {
    /* "AccessDeniedException", "IncompleteSignatureException", ... ; without "Exception" for STS, IAM */
    const char *code;
    int status;
    char message[2048];
};

/*
 * aws_authenticate(iam, x, now_s, ret, refusal): false with the refusal that AWS would give: missing or unknown key,
 * wrong signature, clock more than 5 minutes off, expired token, wrong service or region in the scope. Which service it must
 * be for, and in which form the refusal comes, follows from the request: KMS when there is an X-Amz-Target, else IAM or STS
 * by the Version parameter. Any thread.
 */
bool aws_authenticate(struct iam *iam, const struct http_exchange *x, int64_t now_s,
                      struct aws_identity *ret, struct aws_refusal *refusal) KS_MUST;
/*
 * aws_authorize(iam, identity, access, refusal): false with "User: ... is not authorized to perform: ...". What was changed
 * before the call counts: a policy that was edited, a key or role that was deleted. Any thread.
 */
bool aws_authorize(struct iam *iam, const struct aws_identity *identity,
                   const struct aws_access *access, struct aws_refusal *refusal) KS_MUST;
