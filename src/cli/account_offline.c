/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/account_offline.c - the platform, organisations, API keys and the audit record in a state directory on which no "serve" runs.
 */
#include "cli/account_offline.h"

#include <stdio.h>
#include <string.h>

#include "api/native_json.h"
#include "base/json.h"
#include "base/mem.h"

/* The person at the command line, who may do everything. */
static const struct caller owner = {.name = "command line", .role = ROLE_ADMIN};

static ks_rc open_control(const struct cli *cli, struct control **ret)
{
    const struct control_conf conf = {
        .dir = cli->texts[OPT_CONTROL_DIR], .clock = clock_system(), .random = random_system()};

    return control_open(&conf, ret);
}

/* ---- lists ---- */

static json_t *write_organisation(const void *value)
{
    return native_organisation(value);
}

static ks_rc read_organisations(struct control *c, struct slice *slice, json_t **ret)
{
    CLEANUP(mem_freep) struct organisation *all = NULL;
    size_t count = 0;

    TRY(control_organisation_list(c, &owner, slice, &all, &count));
    *ret = native_items(count, all, sizeof *all, write_organisation);
    return KS_SUCCESS;
}

static json_t *write_key(const void *value)
{
    return native_api_key(value);
}

static ks_rc read_keys(struct control *c, struct slice *slice, json_t **ret)
{
    CLEANUP(mem_freep) struct api_key *all = NULL;
    size_t count = 0;

    TRY(control_api_key_list(c, &owner, slice, &all, &count));
    *ret = native_items(count, all, sizeof *all, write_key);
    return KS_SUCCESS;
}

/* All there are, slice by slice. */
static ks_rc list_all(struct control *c,
                      ks_rc (*read)(struct control *c, struct slice *slice, json_t **ret),
                      json_t **ret)
{
    CLEANUP(json_decrefp) json_t *rows = json_array();
    struct slice slice = {.count_max = SLICE_MAX};

    do {
        CLEANUP(json_decrefp) json_t *part = NULL;
        TRY(read(c, &slice, &part));
        ENSURE(json_array_extend(rows, part) == 0, KS_E_NO_MEMORY, "out of memory");
    } while (slice.after[0]);
    *ret = TAKE(rows);
    return KS_SUCCESS;
}

/* ---- the platform ---- */

ks_rc offline_platform_change(struct cli *cli, const struct platform_change *change, json_t **ret)
{
    CLEANUP(control_closep) struct control *c = NULL;
    struct platform p;

    TRY(open_control(cli, &c));
    TRY(control_platform_change(c, &owner, change, &p));
    *ret = native_platform(&p);
    return KS_SUCCESS;
}

/* ---- organisations ---- */

ks_rc offline_organisation_create(struct cli *cli, json_t **ret)
{
    CLEANUP(control_closep) struct control *c = NULL;
    struct organisation made;

    TRY(open_control(cli, &c));
    TRY(control_organisation_create(c, &owner, cli->args[0], &made));
    *ret = native_organisation(&made);
    return KS_SUCCESS;
}

ks_rc offline_organisation_list(struct cli *cli, json_t **ret)
{
    CLEANUP(control_closep) struct control *c = NULL;

    TRY(open_control(cli, &c));
    return list_all(c, read_organisations, ret);
}

static ks_rc find_organisation(struct control *c, const char *text, char ret[ID_BYTES])
{
    CLEANUP(json_decrefp) json_t *rows = NULL;
    const char *id = NULL;
    json_t *row;
    size_t i, count = 0;

    TRY(list_all(c, read_organisations, &rows));
    json_array_foreach(rows, i, row)
    {
        const char *its = json_string_value(json_object_get(row, "id"));
        if (strcmp(its, text) == 0 ||
            strcmp(json_string_value(json_object_get(row, "name")), text) == 0) {
            id = its;
            count++;
        }
    }
    ENSURE(count == 1, KS_E_NOT_FOUND, "%zu organisations are \"%.64s\"", count, text);
    snprintf(ret, ID_BYTES, "%s", id);
    return KS_SUCCESS;
}

/* ---- API keys ---- */

static ks_rc read_wish(struct control *c, const json_t *wish, struct api_key *ret)
{
    const char *name, *role, *organisation = NULL, *expires = NULL;

    TRY(json_get_text(wish, "name", sizeof ret->name - 1, &name));
    TRY(json_get_text(wish, "role", WORD_BYTES, &role));
    TRY(json_may_text(wish, "organisation", NAME_BYTES, &organisation));
    TRY(json_may_text(wish, "expires_at", CLOCK_TEXT_BYTES, &expires));
    ENSURE(role_parse(role, &ret->role), KS_E_USAGE, "there is no role %.32s", role);
    ENSURE(!expires || clock_parse(expires, &ret->expires), KS_E_USAGE, "%.32s is no time",
           expires);
    snprintf(ret->name, sizeof ret->name, "%s", name);
    return organisation ? find_organisation(c, organisation, ret->organisation) : KS_SUCCESS;
}

ks_rc offline_apikey_create(struct cli *cli, const json_t *wish, json_t **ret)
{
    CLEANUP(control_closep) struct control *c = NULL;
    char secret[API_SECRET_TEXT_BYTES];
    struct api_key asked = {0}, made;

    TRY(open_control(cli, &c));
    TRY(read_wish(c, wish, &asked));
    TRY(control_api_key_create(c, &owner, &asked, &made, secret));
    *ret = native_api_key(&made);
    int failed = json_object_set_new(*ret, "secret", json_string(secret));
    mem_wipe(secret, sizeof secret);
    ENSURE(failed == 0, KS_E_NO_MEMORY, "out of memory");
    return KS_SUCCESS;
}

ks_rc offline_apikey_list(struct cli *cli, json_t **ret)
{
    CLEANUP(control_closep) struct control *c = NULL;

    TRY(open_control(cli, &c));
    return list_all(c, read_keys, ret);
}

ks_rc offline_apikey_revoke(struct cli *cli, const char *id)
{
    CLEANUP(control_closep) struct control *c = NULL;

    TRY(open_control(cli, &c));
    return control_api_key_revoke(c, &owner, id);
}

/* ---- audit ---- */

static ks_rc export_some(const struct audit_event *events, size_t count, int64_t since,
                         ks_rc (*each)(const json_t *event))
{
    for (size_t i = 0; i < count; i++) {
        CLEANUP(json_decrefp) json_t *event = control_audit_json(&events[i]);
        ENSURE(event, KS_E_NO_MEMORY, "out of memory");
        if (events[i].at >= since)
            TRY(each(event));
    }
    return KS_SUCCESS;
}

ks_rc offline_audit_export(struct cli *cli, int64_t since, ks_rc (*each)(const json_t *event))
{
    CLEANUP(control_closep) struct control *c = NULL;
    int64_t number = 0;
    size_t count;

    TRY(open_control(cli, &c));
    do {
        CLEANUP(mem_freep) struct audit_event *events = NULL;
        TRY(control_audit_behind(c, number, &events, &count));
        TRY(export_some(events, count, since, each));
        if (count)
            number = events[count - 1].number;
    } while (count);
    return KS_SUCCESS;
}

ks_rc offline_audit_verify(struct cli *cli, int64_t *ret_count)
{
    CLEANUP(control_closep) struct control *c = NULL;

    TRY(open_control(cli, &c));
    return control_audit_verify(c, ret_count);
}
