/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/native_platform.c - as whom the nodes come to the customers' key services: for all to read, for the platform to say.
 */
#include "api/native.h"
#include "base/json.h"

ks_rc native_platform_get(struct api_call *call)
{
    struct platform p;

    TRY(control_platform_get(call->control, &p));
    return api_reply(call, 200, native_platform(&p));
}

/* An absent member stays, null takes it back. */
static ks_rc read_member(const json_t *body, const char *name, const char **ret)
{
    if (json_is_null(json_object_get(body, name)))
        *ret = "";
    return json_may_text(body, name, HOST_BYTES - 1, ret);
}

ks_rc native_platform_change(struct api_call *call)
{
    struct platform_change change = {0};
    struct platform p;
    const struct {
        const char *name;
        const char **to;
    } members[] = {
        {"aws_account", &change.aws_account},
        {"aws_principal", &change.aws_principal},
        {"gcp_project", &change.gcp_project},
        {"gcp_service_account", &change.gcp_service_account},
        {"azure_client_id", &change.azure_client_id},
        {"azure_application", &change.azure_application},
    };

    TRY(known_members(call->body, "aws_account,aws_principal,gcp_project,gcp_service_account,"
                                  "azure_client_id,azure_application"));
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        TRY(read_member(call->body, members[i].name, members[i].to));
    TRY(control_platform_change(call->control, &call->caller, &change, &p));
    return api_reply(call, 200, native_platform(&p));
}
