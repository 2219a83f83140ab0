/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/platform_options.c - the options of "serve setup" and "platform set" that say as whom nodes come to key services.
 */
#include "cli/platform_options.h"

#include <string.h>

#include "base/json.h"
#include "cli/args.h"

static const char NONE[] = "none";

static const char *given(const struct cli *cli, enum cli_opt opt)
{
    const char *text = cli->texts[opt];

    return text && strcmp(text, NONE) == 0 ? "" : text;
}

void platform_options_read(const struct cli *cli, struct platform_change *ret)
{
    *ret = (struct platform_change){.aws_account = given(cli, OPT_AWS_ACCOUNT),
                                    .aws_principal = given(cli, OPT_AWS_PRINCIPAL),
                                    .gcp_project = given(cli, OPT_GCP_PROJECT),
                                    .gcp_service_account = given(cli, OPT_GCP_SERVICE_ACCOUNT),
                                    .azure_client_id = given(cli, OPT_AZURE_CLIENT_ID),
                                    .azure_application = given(cli, OPT_AZURE_APPLICATION)};
}

static ks_rc put(json_t *body, const char *name, const char *text)
{
    if (!text)
        return KS_SUCCESS;
    json_t *value = text[0] ? json_string(text) : json_null();
    ENSURE(json_object_set_new(body, name, value) == 0, KS_E_USAGE, "%s is no UTF-8", name);
    return KS_SUCCESS;
}

ks_rc platform_options_write(const struct platform_change *change, json_t **ret)
{
    CLEANUP(json_decrefp) json_t *body = json_object();

    TRY(put(body, "aws_account", change->aws_account));
    TRY(put(body, "aws_principal", change->aws_principal));
    TRY(put(body, "gcp_project", change->gcp_project));
    TRY(put(body, "gcp_service_account", change->gcp_service_account));
    TRY(put(body, "azure_client_id", change->azure_client_id));
    TRY(put(body, "azure_application", change->azure_application));
    *ret = TAKE(body);
    return KS_SUCCESS;
}
