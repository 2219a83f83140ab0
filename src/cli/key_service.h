/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/key_service.h - asking a running key service in its own protocol, as the root user of one of its accounts.
 *
 * Where it is and the access key come from its state directory: DIR/endpoint and DIR/ACCOUNT.credentials.
 */
#pragma once

#include "base/json.h"
#include "cli/cli.h"
#include "kms/aws_http.h"
#include "kms/aws_sts_reply.h"

struct key_service {
    struct aws_http http;
    struct aws_endpoint endpoint;
    struct aws_credentials *credentials;
    const char *account, *region; /* borrowed */
};

/* key_service_open(cli, ret): --dir, --account, --region, --ca-file. CREDENTIAL when no service runs there or the account has no
 * credentials file. key_service_done(s): for CLEANUP, also after a failure if *s was zero before. */
ks_rc key_service_open(struct cli *cli, struct key_service *ret) KS_MUST;
void key_service_done(struct key_service *s);

/* key_service_kms(s, operation, body, ret): an operation of AWS KMS; takes body over (NULL: out of memory). Errors as the
 * driver's table says, with the service's words. ret NULL: the reply is dropped. */
ks_rc key_service_kms(struct key_service *s, const char *operation, json_t *body,
                      json_t **ret) KS_MUST;
/* key_service_iam(s, form, ret): an action of AWS IAM, as a form. ret NULL: the reply is dropped; else what of it is of use, to
 * be wiped by the caller. */
ks_rc key_service_iam(struct key_service *s, struct view form, struct aws_sts_reply *ret) KS_MUST;

/* form_add(form, name, value): appends "name=value", the value percent-encoded. */
ks_rc form_add(struct buf *form, const char *name, const char *value) KS_MUST;
