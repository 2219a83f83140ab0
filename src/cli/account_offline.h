/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/account_offline.h - the platform, organisations, API keys and the audit record in a state directory on which no "serve" runs.
 *
 * For whoever owns the directory: he is asked for no API key. Values are those that the API gives.
 */
#pragma once

#include <jansson.h>

#include "cli/cli.h"
#include "control/control.h"

/* All of them work on --dir; BUSY while a control plane serves it. *ret is the caller's. */
/* offline_platform_change(cli, change, ret): the platform's identities as they are after the change. */
ks_rc offline_platform_change(struct cli *cli, const struct platform_change *change,
                              json_t **ret) KS_MUST;
ks_rc offline_organisation_create(struct cli *cli, json_t **ret) KS_MUST;
ks_rc offline_organisation_list(struct cli *cli, json_t **ret) KS_MUST;
/* offline_apikey_create(cli, wish, ret): wish as the API takes it, its organisation by name or id; *ret has the member "secret". */
ks_rc offline_apikey_create(struct cli *cli, const json_t *wish, json_t **ret) KS_MUST;
ks_rc offline_apikey_list(struct cli *cli, json_t **ret) KS_MUST;
ks_rc offline_apikey_revoke(struct cli *cli, const char *id) KS_MUST;
/* offline_audit_export(cli, since, each): each(event) for every event at that time or later, by number; what it returns ends it. */
ks_rc offline_audit_export(struct cli *cli, int64_t since,
                           ks_rc (*each)(const json_t *event)) KS_MUST;
/* offline_audit_verify(cli, ret_count): AUTH for a record that was changed. */
ks_rc offline_audit_verify(struct cli *cli, int64_t *ret_count) KS_MUST;
