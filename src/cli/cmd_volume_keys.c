/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_volume_keys.c - keystead volume rotate, add-wrap, remove-wrap, set: changes of the keyring.
 *
 * A running volume makes the change itself; else it is made here under the volume's lock.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/ask.h"
#include "cli/key_option.h"
#include "cli/output.h"
#include "cli/target.h"

static void say(const struct target *t, const char *what)
{
    printf("volume ");
    output_text(stdout, t->keyring->label);
    printf(": %s\n", what);
}

/* Adds a member to a request under construction; a request that cannot be built becomes NULL. */
static void add(json_t **request, const char *key, json_t *value)
{
    if (*request && json_object_set_new(*request, key, value) == 0)
        return;
    json_decref(*request);
    *request = NULL;
}

/* ---- rotate ---- */

static ks_rc check_rotate(const struct cli *cli)
{
    bool is_cmek = strcmp(cli->texts[OPT_LEVEL], "cmek") == 0;

    ENSURE(is_cmek || (!args_has(cli, OPT_WRAP) && !args_has(cli, OPT_KEY)), KS_E_USAGE,
           "--wrap and --key belong to --level cmek");
    return KS_SUCCESS;
}

static ks_rc rotate_running(struct target *t, const struct key_spec *spec)
{
    const struct cli *cli = t->cli;
    json_t *request = json_pack("{s:s, s:s}", "op", "rotate", "level", cli->texts[OPT_LEVEL]);

    if (args_has(cli, OPT_WRAP))
        add(&request, "wrap", json_integer((json_int_t)cli->numbers[OPT_WRAP]));
    if (spec)
        add(&request, "spec", key_option_json(spec));
    return target_call(t, request, NULL);
}

static ks_rc rotate_offline(struct target *t, const struct key_spec *spec)
{
    CLEANUP(keyset_freep) struct keyset *newer = NULL;
    const char *level = t->cli->texts[OPT_LEVEL];

    TRY(target_unlock(t));
    if (strcmp(level, "cmek") == 0)
        return backing_rotate_cmek(t->backing, t->keys, (uint32_t)t->cli->numbers[OPT_WRAP], spec);
    if (strcmp(level, "data") == 0)
        return backing_rotate_data(t->backing, t->keys, &newer);
    TRY(backing_rotate_store(t->backing, t->keys, &newer));
    return backing_settle(t->backing);
}

ks_rc cmd_volume_rotate(struct cli *cli)
{
    CLEANUP(target_done) struct target t = {0};
    struct key_spec spec = {{0}, {0}, {0}};
    const struct key_spec *new_spec = cli->key_count > 0 ? &spec : NULL;
    char text[128];

    TRY(check_rotate(cli));
    if (new_spec)
        TRY(key_option_spec(&cli->keys[0], &spec));
    TRY(target_init(cli, cli->args[0], &t));
    TRY(target_is_running(&t) ? rotate_running(&t, new_spec) : rotate_offline(&t, new_spec));
    snprintf(text, sizeof text, "rotated at level %s", cli->texts[OPT_LEVEL]);
    say(&t, text);
    return KS_SUCCESS;
}

/* ---- wraps ---- */

static ks_rc add_running(struct target *t, const struct key_spec *spec, uint32_t *ret_id)
{
    json_t *request = json_pack("{s:s}", "op", "add-wrap");
    json_t *reply = NULL;

    add(&request, "spec", key_option_json(spec));
    TRY(target_call(t, request, &reply));
    *ret_id = (uint32_t)json_integer_value(json_object_get(reply, "wrap"));
    json_decref(reply);
    return KS_SUCCESS;
}

ks_rc cmd_volume_add_wrap(struct cli *cli)
{
    CLEANUP(target_done) struct target t = {0};
    struct key_spec spec;
    uint32_t id = 0;
    char text[64];

    TRY(key_option_spec(&cli->keys[0], &spec));
    TRY(target_init(cli, cli->args[0], &t));
    if (target_is_running(&t)) {
        TRY(add_running(&t, &spec, &id));
    } else {
        TRY(target_unlock(&t));
        TRY(backing_add_wrap(t.backing, t.keys, &spec, &id));
    }
    snprintf(text, sizeof text, "wrap %" PRIu32 " added", id);
    say(&t, text);
    return KS_SUCCESS;
}

ks_rc cmd_volume_remove_wrap(struct cli *cli)
{
    CLEANUP(target_done) struct target t = {0};
    uint32_t id = (uint32_t)cli->numbers[OPT_WRAP];
    char text[2560];

    TRY(target_init(cli, cli->args[0], &t));
    const struct keyring_wrap *w = keyring_find_wrap(t.keyring, id);
    ENSURE(w, KS_E_NOT_FOUND, "volume %s has no wrap %" PRIu32 "; see: keystead volume status %s",
           t.keyring->label, id, cli->args[0]);
    snprintf(text, sizeof text, "The key %s %s does not open the volume any more.", w->spec.type,
             w->spec.uri);
    TRY(ask_confirmation(cli, target_name(&t), text));
    if (target_is_running(&t)) {
        TRY(target_call(&t, json_pack("{s:s, s:I}", "op", "remove-wrap", "wrap", (json_int_t)id),
                        NULL));
    } else {
        TRY(target_unlock(&t));
        TRY(backing_remove_wrap(t.backing, t.keys, id));
    }
    snprintf(text, sizeof text, "wrap %" PRIu32 " removed", id);
    say(&t, text);
    return KS_SUCCESS;
}

/* ---- settings ---- */

static ks_rc set_running(struct target *t, const struct keyring_settings *s)
{
    const struct cli *cli = t->cli;
    json_t *request = json_pack("{s:s}", "op", "set");

    if (args_has(cli, OPT_LEASE))
        add(&request, "lease_ms_max", json_integer((json_int_t)s->lease_ms_max));
    if (args_has(cli, OPT_PROBE))
        add(&request, "probe_ms", json_integer((json_int_t)s->probe_ms));
    if (args_has(cli, OPT_GRACE))
        add(&request, "grace_ms", json_integer((json_int_t)s->grace_ms));
    if (args_has(cli, OPT_ROTATE_DATA))
        add(&request, "data_rotation_s", json_integer((json_int_t)s->data_rotation_s));
    return target_call(t, request, NULL);
}

ks_rc cmd_volume_set(struct cli *cli)
{
    CLEANUP(target_done) struct target t = {0};

    ENSURE(args_has(cli, OPT_LEASE) || args_has(cli, OPT_PROBE) || args_has(cli, OPT_GRACE) ||
               args_has(cli, OPT_ROTATE_DATA),
           KS_E_USAGE, "nothing to set; give --lease, --probe, --grace or --rotate-data");
    TRY(target_init(cli, cli->args[0], &t));
    struct keyring_settings settings = t.keyring->settings;
    TRY(key_option_settings(cli, &settings));
    if (target_is_running(&t)) {
        TRY(set_running(&t, &settings));
    } else {
        TRY(target_unlock(&t));
        TRY(backing_set_settings(t.backing, t.keys, &settings));
    }
    say(&t, "settings changed");
    return KS_SUCCESS;
}
