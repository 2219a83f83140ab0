/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_chain.h - where the credentials of this process come from, by the rules of AWS's own tools.
 *
 * Environment, profile, web identity, container, instance metadata: the first that is configured counts, and if it fails
 * the next is not tried. Everything is looked at anew with each fetch. One thread at a time.
 */
#pragma once

#include "kms/aws_sts.h"

struct aws_chain {
    struct aws_env env;
    struct aws_sts sts;
};

/* aws_chain_fetch(chain, call, ret): CREDENTIAL with what was looked at or what is wrong; UNREACHABLE, TIMEOUT, THROTTLED when a
 * service that gives credentials gave no answer. Never DENIED: that is an answer about a key. */
ks_rc aws_chain_fetch(struct aws_chain *chain, const struct kms_call *call,
                      struct aws_credentials **ret) KS_MUST;

/* --- the sources, private to kms/aws_chain* --- */

/* NOT_FOUND: it is not configured. */
typedef ks_rc aws_chain_source(struct aws_chain *chain, const struct kms_call *call,
                               struct aws_credentials **ret) KS_MUST;

aws_chain_source
    aws_chain_environment; /* AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN */
aws_chain_source aws_chain_profile;      /* AWS_PROFILE in the shared files */
aws_chain_source aws_chain_web_identity; /* AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN */
aws_chain_source aws_chain_container;    /* AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, ..._FULL_URI */
aws_chain_source aws_chain_instance;     /* IMDSv2; never version 1 */

/* aws_chain_web_role(chain, call, role, token_file, ret): the role, with the token that stands in the file now. */
ks_rc aws_chain_web_role(struct aws_chain *chain, const struct kms_call *call,
                         const struct aws_role *role, const char *token_file,
                         struct aws_credentials **ret) KS_MUST;
/* aws_chain_process(call, command, ret): runs the command (words as in a shell, but there is none) and reads the
 * credentials that it prints. */
ks_rc aws_chain_process(const struct kms_call *call, struct view command,
                        struct aws_credentials **ret) KS_MUST;
/* aws_chain_get(chain, request, ret): the reply of a metadata service; 200 or a failure that says the status. */
ks_rc aws_chain_get(struct aws_chain *chain, const struct http_request *request,
                    struct http_reply *ret) KS_MUST;

#define AWS_SESSION_NAME "keystead"
