/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_account.c - keystead organisation ..., keystead apikey ...: who may ask the control plane for what.
 *
 * The secret of an API key goes from the reply into a file of its owner, and is never shown.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/account_offline.h"
#include "cli/args.h"
#include "cli/fleet.h"
#include "cli/output.h"
#include "control/model.h"

static const struct fleet_column organisation_columns[] = {
    {"NAME", "name", CELL_TEXT},
    {"ID", "id", CELL_TEXT},
    {"CREATED", "created_at", CELL_TEXT},
    {NULL, NULL, CELL_TEXT},
};

static const struct fleet_column key_columns[] = {
    {"NAME", "name", CELL_TEXT},
    {"ROLE", "role", CELL_TEXT},
    {"ORGANISATION", "organisation", CELL_TEXT},
    {"CLUSTER", "cluster", CELL_TEXT},
    {"REVOKED", "is_revoked", CELL_YES},
    {"EXPIRES", "expires_at", CELL_TEXT},
    {"LAST USED", "last_used_at", CELL_TEXT},
    {"ID", "id", CELL_TEXT},
    {NULL, NULL, CELL_TEXT},
};

static ks_rc make_organisation(struct cli *cli, json_t **ret)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;

    if (args_has(cli, OPT_CONTROL_DIR))
        return offline_organisation_create(cli, ret);
    TRY(fleet_open(cli, &c));
    return fleet_send(c, "POST", "/v1/organisations", json_pack("{s:s}", "name", cli->args[0]),
                      ret);
}

ks_rc cmd_organisation_create(struct cli *cli)
{
    CLEANUP(json_decrefp) json_t *reply = NULL;

    TRY(make_organisation(cli, &reply));
    if (cli->is_json)
        return output_json(TAKE(reply));
    printf("organisation ");
    output_text(stdout, fleet_text(reply, "name"));
    printf(" made\n");
    output_field("id", "%s", fleet_text(reply, "id"));
    return KS_SUCCESS;
}

ks_rc cmd_organisation_list(struct cli *cli)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;
    json_t *rows = NULL;

    if (args_has(cli, OPT_CONTROL_DIR)) {
        TRY(offline_organisation_list(cli, &rows));
    } else {
        TRY(fleet_open(cli, &c));
        TRY(fleet_list(c, "/v1/organisations", 0, &rows));
    }
    return fleet_show(cli, rows, "organisations", organisation_columns, "no organisations");
}

/* ---- API keys ---- */

/* Gives the id of what an option names to the member of the wish. */
static ks_rc add_scope(const struct cli *cli, struct fleet_client *c, enum cli_opt opt,
                       json_t *body)
{
    CLEANUP(json_decrefp) json_t *found = NULL;
    bool is_cluster = opt == OPT_OF_CLUSTER;

    if (!args_has(cli, opt))
        return KS_SUCCESS;
    if (!c) { /* offline: its name does */
        ENSURE(json_object_set_new(body, cli_options[opt].name, json_string(cli->texts[opt])) == 0,
               KS_E_USAGE, "--%s is no UTF-8", cli_options[opt].name);
        return KS_SUCCESS;
    }
    TRY(is_cluster ? fleet_find_cluster(c, cli->texts[opt], &found)
                   : fleet_find(c, "organisations", cli->texts[opt], &found));
    ENSURE(json_object_set(body, cli_options[opt].name, json_object_get(found, "id")) == 0,
           KS_E_NO_MEMORY, "out of memory");
    return KS_SUCCESS;
}

/* The API writes roles large. */
static void role_word(const struct cli *cli, char out[WORD_BYTES])
{
    const char *given = args_has(cli, OPT_ROLE) ? cli->texts[OPT_ROLE] : "operator";
    size_t len = strlen(given);

    for (size_t i = 0; i <= len && i < WORD_BYTES; i++)
        out[i] = (char)toupper((unsigned char)given[i]);
}

static ks_rc wish(const struct cli *cli, struct fleet_client *c, json_t **ret)
{
    char role[WORD_BYTES];
    char expires[CLOCK_TEXT_BYTES];

    role_word(cli, role);
    CLEANUP(json_decrefp)
    json_t *body = json_pack("{s:s, s:s}", "name", cli->args[0], "role", role);
    ENSURE(body, KS_E_USAGE, "the name is no UTF-8");
    TRY(add_scope(cli, c, OPT_OF_ORGANISATION, body));
    TRY(add_scope(cli, c, OPT_OF_CLUSTER, body));
    if (args_has(cli, OPT_EXPIRES)) {
        clock_format(clock_wall_s(clock_system()) + (int64_t)(cli->numbers[OPT_EXPIRES] / 1000),
                     expires);
        json_object_set_new(body, "expires_at", json_string(expires));
    }
    *ret = TAKE(body);
    return KS_SUCCESS;
}

static ks_rc make_key(struct cli *cli, json_t **ret)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;
    CLEANUP(json_decrefp) json_t *body = NULL;

    if (!args_has(cli, OPT_CONTROL_DIR)) {
        TRY(fleet_open(cli, &c));
        TRY(wish(cli, c, &body));
        return fleet_send(c, "POST", "/v1/api-keys", TAKE(body), ret);
    }
    ENSURE(!args_has(cli, OPT_OF_CLUSTER), KS_E_USAGE,
           "keys for one cluster are made over the API, without --dir");
    TRY(wish(cli, NULL, &body));
    return offline_apikey_create(cli, body, ret);
}

ks_rc cmd_apikey_create(struct cli *cli)
{
    CLEANUP(json_decrefp) json_t *reply = NULL;
    const char *secret;

    TRY(fleet_check_new(cli->texts[OPT_SECRET_FILE]));
    TRY(make_key(cli, &reply));
    TRY(json_get_text(reply, "secret", 512, &secret));
    TRY(fleet_write_secret(cli->texts[OPT_SECRET_FILE], secret));
    json_object_del(reply, "secret");
    if (cli->is_json)
        return output_json(TAKE(reply));
    printf("API key ");
    output_text(stdout, fleet_text(reply, "name"));
    printf(" made; it is in ");
    output_text(stdout, cli->texts[OPT_SECRET_FILE]);
    putchar('\n');
    output_field("id", "%s", fleet_text(reply, "id"));
    return KS_SUCCESS;
}

ks_rc cmd_apikey_list(struct cli *cli)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;
    json_t *rows = NULL;

    if (args_has(cli, OPT_CONTROL_DIR)) {
        TRY(offline_apikey_list(cli, &rows));
    } else {
        TRY(fleet_open(cli, &c));
        TRY(fleet_list(c, "/v1/api-keys", 0, &rows));
    }
    return fleet_show(cli, rows, "api_keys", key_columns, "no API keys");
}

ks_rc cmd_apikey_revoke(struct cli *cli)
{
    CLEANUP(fleet_client_freep) struct fleet_client *c = NULL;
    CLEANUP(buf_done) struct buf target = buf_init(FLEET_TARGET_BYTES);

    TRY(fleet_confirm(cli, cli->args[0], "Whoever uses this API key is refused from now on."));
    if (args_has(cli, OPT_CONTROL_DIR)) {
        TRY(offline_apikey_revoke(cli, cli->args[0]));
        printf("API key revoked\n");
        return KS_SUCCESS;
    }
    TRY(fleet_open(cli, &c));
    TRY(fleet_target(&target, "api-keys", cli->args[0]));
    TRY(fleet_call(c, "DELETE", buf_text(&target), NULL));
    printf("API key revoked\n");
    return KS_SUCCESS;
}
