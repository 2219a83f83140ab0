/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_kms.c - keystead kms init, keystead kms key ...: managing a key store in a directory.
 *
 * With --dir they are about a running key service (cli/service_keys.h). Each command opens the store, does one thing and says in one line what it means for volumes.
 */
#include <inttypes.h>
#include <stdio.h>

#include "cli/args.h"
#include "cli/ask.h"
#include "cli/output.h"
#include "cli/service_keys.h"
#include "fuse/keyring_json.h"
#include "kms/file_store.h"

enum { DAYS_DEFAULT = 30, DAYS_MAX = 365 };

static struct file_store_conf store_conf(struct cli *cli)
{
    return (struct file_store_conf){
        .io = io_posix(),
        .path = cli->texts[OPT_STORE],
        .key_file = cli->texts[OPT_KEY_FILE],
        .passphrase = ask_passphrase,
        .passphrase_arg = cli,
        .clock = clock_system(),
        .random = random_system(),
    };
}

/* Keys are in a store, or in a service. */
static ks_rc check_place(const struct cli *cli)
{
    ENSURE(args_has(cli, OPT_STORE) != args_has(cli, OPT_DIR), KS_E_USAGE,
           "say where the key is: --store DIR for a key store, or --dir DIR for a running key "
           "service");
    return KS_SUCCESS;
}

static ks_rc check_one_secret(const struct cli *cli)
{
    ENSURE(!args_has(cli, OPT_KEY_FILE) || !args_has(cli, OPT_PASSPHRASE_FILE), KS_E_USAGE,
           "--key-file and --passphrase-file exclude each other: a store has the one or the other");
    return KS_SUCCESS;
}

static ks_rc open_store(struct cli *cli, struct file_store **ret)
{
    struct file_store_conf conf = store_conf(cli);

    TRY(check_one_secret(cli));
    return file_store_open(&conf, ret);
}

ks_rc cmd_kms_init(struct cli *cli)
{
    struct file_store_conf conf = store_conf(cli);

    TRY(check_one_secret(cli));
    conf.passphrase = ask_new_passphrase;
    TRY(file_store_create(&conf));
    printf("key store made in ");
    output_text(stdout, conf.path);
    if (conf.key_file) {
        printf("\nit opens with the key file ");
        output_text(stdout, conf.key_file);
        printf("; keep a copy of it in a safe place, away from this host");
    } else {
        printf("\nit opens with its passphrase; nobody can recover a lost one");
    }
    printf("\nnext: keystead kms key create NAME --store ");
    output_text(stdout, conf.path);
    if (conf.key_file) {
        printf(" --key-file ");
        output_text(stdout, conf.key_file);
    }
    putchar('\n');
    return KS_SUCCESS;
}

/* ---- showing keys ---- */

static json_t *key_json(const struct file_key_info *info)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:o, s:o, s:o}", "name", info->name, "id", info->id,
                     "state", file_key_state_name(info->state), "version",
                     (json_int_t)info->version, "created", json_moment(info->created_s), "changed",
                     json_moment(info->changed_s), "deletion", json_moment(info->deletion_s));
}

static void show_key(const struct file_key_info *info)
{
    char created[CLOCK_TEXT_BYTES], changed[CLOCK_TEXT_BYTES], deletion[CLOCK_TEXT_BYTES];

    clock_format(info->created_s, created);
    clock_format(info->changed_s, changed);
    clock_format(info->deletion_s, deletion);
    printf("key %s\n", info->name);
    output_field("id", "%s", info->id);
    output_field("state", "%s", file_key_state_name(info->state));
    output_field("version", "%" PRIu32, info->version);
    output_field("created", "%s", created);
    output_field("changed", "%s", changed);
    if (info->deletion_s != 0)
        output_field("deletion", "%s", deletion);
}

ks_rc cmd_kms_key_create(struct cli *cli)
{
    CLEANUP(file_store_closep) struct file_store *store = NULL;
    struct file_key_info info;

    TRY(check_place(cli));
    if (args_has(cli, OPT_DIR))
        return service_key_create(cli);
    TRY(open_store(cli, &store));
    TRY(file_store_key_create(store, cli->args[0], &info));
    if (cli->is_json)
        return output_json(key_json(&info));
    printf("key %s made: id %s, version %" PRIu32 "\n", info.name, info.id, info.version);
    printf("next: keystead volume create BACKING --key file:");
    output_text(stdout, cli->texts[OPT_STORE]);
    printf("#%s", info.name);
    if (args_has(cli, OPT_KEY_FILE)) {
        printf(" --key-file ");
        output_text(stdout, cli->texts[OPT_KEY_FILE]);
    }
    putchar('\n');
    return KS_SUCCESS;
}

ks_rc cmd_kms_key_show(struct cli *cli)
{
    CLEANUP(file_store_closep) struct file_store *store = NULL;
    struct file_key_info info;

    TRY(check_place(cli));
    if (args_has(cli, OPT_DIR))
        return service_key_show(cli);
    TRY(open_store(cli, &store));
    TRY(file_store_key_show(store, cli->args[0], &info));
    if (cli->is_json)
        return output_json(key_json(&info));
    show_key(&info);
    return KS_SUCCESS;
}

struct listing {
    json_t *keys;        /* of a JSON listing, else NULL */
    struct table *table; /* of a table, else NULL */
};

static void list_one(void *arg, const struct file_key_info *info)
{
    struct listing *listing = arg;
    char created[CLOCK_TEXT_BYTES], deletion[CLOCK_TEXT_BYTES];

    if (listing->keys) {
        /* A failed append leaves the listing short; json_array_append_new(NULL) is the same failure. */
        if (json_array_append_new(listing->keys, key_json(info)) != 0) {
            json_decref(listing->keys);
            listing->keys = NULL;
        }
        return;
    }
    if (!listing->table)
        return;
    clock_format(info->created_s, created);
    clock_format(info->deletion_s, deletion);
    table_add(listing->table, "%s", info->name);
    table_add(listing->table, "%s", file_key_state_name(info->state));
    table_add(listing->table, "%" PRIu32, info->version);
    table_add(listing->table, "%s", created);
    table_add(listing->table, "%s", info->deletion_s == 0 ? "-" : deletion);
    table_add(listing->table, "%s", info->id);
}

ks_rc cmd_kms_key_list(struct cli *cli)
{
    CLEANUP(file_store_closep) struct file_store *store = NULL;
    CLEANUP(table_freep) struct table *table = NULL;
    struct listing listing = {NULL, NULL};

    TRY(check_place(cli));
    if (args_has(cli, OPT_DIR))
        return service_key_list(cli);
    TRY(open_store(cli, &store));
    if (cli->is_json) {
        listing.keys = json_array();
        ks_rc rc = file_store_key_list(store, list_one, &listing);
        if (!ks_ok(rc)) {
            json_decref(listing.keys);
            return rc;
        }
        return output_json(listing.keys ? json_pack("{s:o}", "keys", listing.keys) : NULL);
    }
    TRY(table_new("NAME|STATE|>VERSION|CREATED|DELETION|ID", &table));
    listing.table = table;
    TRY(file_store_key_list(store, list_one, &listing));
    return table_print(table, 0);
}

/* ---- changing keys ---- */

/* Does one change to the key that is named in the arguments, and shows what it is now. */
static ks_rc change_key(struct cli *cli, ks_rc (*change)(struct file_store *, const char *),
                        const char *operation, const char *meaning)
{
    CLEANUP(file_store_closep) struct file_store *store = NULL;
    struct file_key_info info;

    TRY(check_place(cli));
    if (args_has(cli, OPT_DIR))
        return service_key_change(cli, operation, meaning);
    TRY(open_store(cli, &store));
    TRY(change(store, cli->args[0]));
    TRY(file_store_key_show(store, cli->args[0], &info));
    printf("key %s is now %s, version %" PRIu32 "; %s\n", info.name,
           file_key_state_name(info.state), info.version, meaning);
    return KS_SUCCESS;
}

ks_rc cmd_kms_key_disable(struct cli *cli)
{
    return change_key(cli, file_store_key_disable, "DisableKey",
                      "volumes that no other key opens lock with their next probe");
}

ks_rc cmd_kms_key_enable(struct cli *cli)
{
    return change_key(cli, file_store_key_enable, "EnableKey",
                      "volumes that locked because of it open with their next probe");
}

ks_rc cmd_kms_key_rotate(struct cli *cli)
{
    return change_key(cli, file_store_key_rotate, "RotateKeyOnDemand",
                      "volumes move to it with: keystead volume rotate PATH --level cmek");
}

ks_rc cmd_kms_key_cancel_deletion(struct cli *cli)
{
    return change_key(cli, file_store_key_cancel_deletion, "CancelKeyDeletion",
                      "use it again with: keystead kms key enable");
}

ks_rc cmd_kms_key_schedule_deletion(struct cli *cli)
{
    CLEANUP(file_store_closep) struct file_store *store = NULL;
    struct file_key_info info;
    uint64_t days = args_has(cli, OPT_DAYS) ? cli->numbers[OPT_DAYS] : DAYS_DEFAULT;
    char warning[256], deletion[CLOCK_TEXT_BYTES];

    TRY(check_place(cli));
    if (args_has(cli, OPT_DIR))
        return service_key_schedule_deletion(cli);
    ENSURE(days <= DAYS_MAX, KS_E_USAGE, "--days can be 0 to %d", DAYS_MAX);
    TRY(open_store(cli, &store));
    TRY(file_store_key_show(store, cli->args[0], &info));
    snprintf(
        warning, sizeof warning,
        "The key cannot be used from now on%s. Volumes that only it opens lock with their next "
        "probe, and are lost for ever once it is destroyed.",
        days == 0 ? ", and is destroyed at once" : "");
    TRY(ask_confirmation(cli, info.name, warning));
    TRY(file_store_key_schedule_deletion(store, info.name, (unsigned)days));
    TRY(file_store_key_show(store, info.name, &info));
    clock_format(info.deletion_s, deletion);
    if (info.state == FILE_KEY_DESTROYED)
        printf("key %s is destroyed\n", info.name);
    else
        printf("key %s will be destroyed at %s; until then: keystead kms key cancel-deletion %s\n",
               info.name, deletion, info.name);
    return KS_SUCCESS;
}
