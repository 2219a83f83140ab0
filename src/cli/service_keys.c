/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/service_keys.c - keys of a running key service.
 */
#include "cli/service_keys.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/args.h"
#include "cli/ask.h"
#include "cli/key_service.h"
#include "cli/output.h"
#include "fuse/keyring_json.h"

enum {
    KEY_ID_BYTES = 320,
    UUID_LEN = 36,
    DAYS_DEFAULT = 30,
    DAYS_MIN = 7,
    PAGE = 100,
    KEYS_MAX = 10000
};

/* What a reply says of a key; borrowed from it. */
struct key_report {
    const char *arn, *id, *state, *version, *description;
    int64_t created_s, deletion_s;
};

/* ---- names ---- */

static bool is_id(const char *name)
{
    return strncmp(name, "arn:", 4) == 0 || strncmp(name, "mrk-", 4) == 0 ||
           (strlen(name) == UUID_LEN && strspn(name, "0123456789abcdef-") == UUID_LEN);
}

static ks_rc key_id(const char *name, char out[KEY_ID_BYTES])
{
    int len = snprintf(out, KEY_ID_BYTES, "%s%s", is_id(name) ? "" : "alias/", name);

    ENSURE(len > 0 && len < KEY_ID_BYTES, KS_E_USAGE, "the name of the key is too long");
    return KS_SUCCESS;
}

/* ---- what a key is ---- */

static const char *state_name(const char *aws)
{
    static const char *const names[][2] = {{"Enabled", "ENABLED"},
                                           {"Disabled", "DISABLED"},
                                           {"PendingDeletion", "PENDING_DELETION"},
                                           {"PendingImport", "PENDING_IMPORT"},
                                           {"Unavailable", "UNAVAILABLE"}};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(aws, names[i][0]) == 0)
            return names[i][1];
    return aws;
}

/* Times of AWS are seconds, with or without a fraction. */
static int64_t seconds(const json_t *object, const char *name)
{
    return (int64_t)json_number_value(json_object_get(object, name));
}

static ks_rc read_report(const json_t *reply, struct key_report *ret)
{
    json_t *m = NULL;
    const char *state;

    *ret = (struct key_report){.version = "-", .description = ""};
    TRY(json_get_object(reply, "KeyMetadata", &m));
    TRY(json_get_text(m, "Arn", KEY_ID_BYTES, &ret->arn));
    TRY(json_get_text(m, "KeyId", KEY_ID_BYTES, &ret->id));
    TRY(json_get_text(m, "KeyState", 64, &state));
    TRY(json_may_text(m, "CurrentKeyMaterialId", 128, &ret->version));
    TRY(json_may_text(m, "Description", 8192, &ret->description));
    ret->state = state_name(state);
    ret->created_s = seconds(m, "CreationDate");
    ret->deletion_s = seconds(m, "DeletionDate");
    return KS_SUCCESS;
}

static ks_rc describe(struct key_service *s, const char *id, json_t **reply, struct key_report *ret)
{
    TRY(key_service_kms(s, "DescribeKey", json_pack("{s:s}", "KeyId", id), reply));
    return read_report(*reply, ret);
}

static json_t *report_json(const char *name, const struct key_report *k)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "name", name, "id", k->id, "arn",
                     k->arn, "state", k->state, "version", k->version, "created",
                     json_moment(k->created_s), "deletion", json_moment(k->deletion_s));
}

/* ---- commands ---- */

static ks_rc check_is_free(struct key_service *s, const char *name, const char *id)
{
    CLEANUP(json_decrefp) json_t *reply = NULL;
    struct key_report found;

    ENSURE(!is_id(name), KS_E_USAGE, "%s is no name for a new key; ids are given by the service",
           name);
    ks_rc rc = describe(s, id, &reply, &found);
    ENSURE(!ks_ok(rc), KS_E_EXISTS, "there is a key %s already: %s", name, found.arn);
    return ks_is(rc, KS_E_KEY_NOT_FOUND) ? KS_SUCCESS : rc;
}

ks_rc service_key_create(struct cli *cli)
{
    CLEANUP(key_service_done) struct key_service s = {0};
    CLEANUP(json_decrefp) json_t *reply = NULL;
    const char *name = cli->args[0];
    struct key_report made;
    char alias[KEY_ID_BYTES];

    TRY(key_id(name, alias));
    TRY(key_service_open(cli, &s));
    TRY(check_is_free(&s, name, alias));
    TRY(key_service_kms(&s, "CreateKey", json_pack("{s:s}", "Description", name), &reply));
    TRY(read_report(reply, &made));
    TRY(key_service_kms(&s, "CreateAlias",
                        json_pack("{s:s, s:s}", "AliasName", alias, "TargetKeyId", made.id), NULL));
    if (cli->is_json)
        return output_json(report_json(name, &made));
    printf("key %s made: %s\n", name, made.arn);
    printf("next: keystead volume create BACKING --key aws_kms:%s\n", made.arn);
    return KS_SUCCESS;
}

ks_rc service_key_show(struct cli *cli)
{
    CLEANUP(key_service_done) struct key_service s = {0};
    CLEANUP(json_decrefp) json_t *reply = NULL;
    char id[KEY_ID_BYTES], created[CLOCK_TEXT_BYTES], deletion[CLOCK_TEXT_BYTES];
    struct key_report k;

    TRY(key_id(cli->args[0], id));
    TRY(key_service_open(cli, &s));
    TRY(describe(&s, id, &reply, &k));
    if (cli->is_json)
        return output_json(report_json(cli->args[0], &k));
    clock_format(k.created_s, created);
    clock_format(k.deletion_s, deletion);
    printf("key ");
    output_text(stdout, cli->args[0]);
    putchar('\n');
    output_field("arn", "%s", k.arn);
    output_field("state", "%s", k.state);
    output_field("version", "%s", k.version);
    output_field("created", "%s", created);
    if (k.deletion_s != 0)
        output_field("deletion", "%s", deletion);
    return KS_SUCCESS;
}

/* One more page of an operation that lists; false in *ret_more after the last. */
static ks_rc next_page(struct key_service *s, const char *operation, const char *list, json_t *all,
                       char marker[KEY_ID_BYTES], bool *ret_more)
{
    CLEANUP(json_decrefp) json_t *reply = NULL;
    json_t *body = json_pack("{s:i}", "Limit", PAGE), *page = NULL;
    const char *next = "";

    if (body && marker[0])
        json_object_set_new(body, "Marker", json_string(marker));
    TRY(key_service_kms(s, operation, body, &reply));
    TRY(json_get_array(reply, list, PAGE, &page));
    TRY(json_may_text(reply, "NextMarker", KEY_ID_BYTES - 1, &next));
    ENSURE(json_array_extend(all, page) == 0, KS_E_NO_MEMORY, "out of memory");
    snprintf(marker, KEY_ID_BYTES, "%s", next);
    *ret_more = next[0] != '\0';
    return KS_SUCCESS;
}

static ks_rc list_all(struct key_service *s, const char *operation, const char *list, json_t *all)
{
    char marker[KEY_ID_BYTES] = "";
    bool has_more = true;

    while (has_more && json_array_size(all) < KEYS_MAX)
        TRY(next_page(s, operation, list, all, marker, &has_more));
    return KS_SUCCESS;
}

/* Its first alias without "alias/", else its id. */
static const char *name_of(const json_t *aliases, const char *id)
{
    const json_t *alias;
    size_t i;

    json_array_foreach(aliases, i, alias)
    {
        const char *target = json_string_value(json_object_get(alias, "TargetKeyId"));
        const char *name = json_string_value(json_object_get(alias, "AliasName"));
        if (target && name && strcmp(target, id) == 0 && strncmp(name, "alias/", 6) == 0)
            return name + 6;
    }
    return id;
}

static void add_row(struct table *table, const char *name, const struct key_report *k)
{
    char created[CLOCK_TEXT_BYTES], deletion[CLOCK_TEXT_BYTES];

    clock_format(k->created_s, created);
    clock_format(k->deletion_s, deletion);
    table_add(table, "%s", name);
    table_add(table, "%s", k->state);
    table_add(table, "%s", created);
    table_add(table, "%s", k->deletion_s == 0 ? "-" : deletion);
    table_add(table, "%s", k->arn);
}

/* table NULL: as JSON. */
static ks_rc list_one(struct key_service *s, const json_t *aliases, const json_t *key,
                      struct table *table, json_t *into)
{
    CLEANUP(json_decrefp) json_t *reply = NULL;
    struct key_report k;
    const char *id;

    TRY(json_get_text(key, "KeyId", KEY_ID_BYTES, &id));
    TRY(describe(s, id, &reply, &k));
    if (table)
        add_row(table, name_of(aliases, k.id), &k);
    else
        json_array_append_new(into, report_json(name_of(aliases, k.id), &k));
    return KS_SUCCESS;
}

ks_rc service_key_list(struct cli *cli)
{
    CLEANUP(key_service_done) struct key_service s = {0};
    CLEANUP(json_decrefp) json_t *aliases = json_array();
    CLEANUP(json_decrefp) json_t *keys = json_array();
    CLEANUP(json_decrefp) json_t *into = json_array();
    CLEANUP(table_freep) struct table *table = NULL;
    const json_t *key;
    size_t i;

    TRY(key_service_open(cli, &s));
    TRY(list_all(&s, "ListAliases", "Aliases", aliases));
    TRY(list_all(&s, "ListKeys", "Keys", keys));
    if (!cli->is_json)
        TRY(table_new("NAME|STATE|CREATED|DELETION|ARN", &table));
    json_array_foreach(keys, i, key) TRY(list_one(&s, aliases, key, table, into));
    return table ? table_print(table, 0) : output_json(json_pack("{s:O}", "keys", into));
}

ks_rc service_key_change(struct cli *cli, const char *operation, const char *meaning)
{
    CLEANUP(key_service_done) struct key_service s = {0};
    CLEANUP(json_decrefp) json_t *reply = NULL;
    char name[KEY_ID_BYTES];
    struct key_report k;
    CLEANUP(json_decrefp) json_t *after = NULL;

    TRY(key_id(cli->args[0], name));
    TRY(key_service_open(cli, &s));
    TRY(describe(&s, name, &reply, &k)); /* these operations take no alias */
    TRY(key_service_kms(&s, operation, json_pack("{s:s}", "KeyId", k.id), NULL));
    TRY(describe(&s, k.arn, &after, &k));
    printf("key ");
    output_text(stdout, cli->args[0]);
    printf(" is now %s; %s\n", k.state, meaning);
    return KS_SUCCESS;
}

ks_rc service_key_schedule_deletion(struct cli *cli)
{
    CLEANUP(key_service_done) struct key_service s = {0};
    CLEANUP(json_decrefp) json_t *reply = NULL;
    CLEANUP(json_decrefp) json_t *after = NULL;
    uint64_t days = args_has(cli, OPT_DAYS) ? cli->numbers[OPT_DAYS] : DAYS_DEFAULT;
    char name[KEY_ID_BYTES], deletion[CLOCK_TEXT_BYTES];
    struct key_report k;

    ENSURE(days >= DAYS_MIN && days <= DAYS_DEFAULT, KS_E_USAGE,
           "--days can be %d to %d for a key of a key service", DAYS_MIN, DAYS_DEFAULT);
    TRY(key_id(cli->args[0], name));
    TRY(key_service_open(cli, &s));
    TRY(describe(&s, name, &reply, &k));
    TRY(ask_confirmation(cli, cli->args[0],
                         "The key cannot be used from now on. Volumes that only it opens lock with "
                         "their next probe, and are lost for ever once it is destroyed."));
    TRY(key_service_kms(
        &s, "ScheduleKeyDeletion",
        json_pack("{s:s, s:I}", "KeyId", k.id, "PendingWindowInDays", (json_int_t)days), NULL));
    TRY(describe(&s, k.arn, &after, &k));
    clock_format(k.deletion_s, deletion);
    printf("key ");
    output_text(stdout, cli->args[0]);
    printf(" will be destroyed at %s; until then: keystead kms key cancel-deletion\n", deletion);
    return KS_SUCCESS;
}
