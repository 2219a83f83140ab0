/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_profile.c - keystead profile ...: which control planes there are and with which key each is asked.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/output.h"
#include "cli/profile.h"
#include "kms/rest.h"

struct profiles {
    char *path;
    json_t *all;
};

static void profiles_done(struct profiles *p)
{
    mem_free(p->path);
    json_decref(p->all);
}

static ks_rc profiles_open(struct profiles *ret)
{
    TRY(profile_path(&ret->path));
    return profile_load(ret->path, &ret->all);
}

static json_t *profile_of(const struct profiles *p, const char *name)
{
    return json_object_get(json_object_get(p->all, "profiles"), name);
}

static ks_rc check_known(const struct profiles *p, const char *name)
{
    ENSURE(profile_of(p, name), KS_E_NOT_FOUND,
           "there is no profile \"%.63s\"; see: keystead profile list", name);
    return KS_SUCCESS;
}

/* A profile is used from other directories too. */
static ks_rc set_file(const struct cli *cli, json_t *profile, const char *name, enum cli_opt opt)
{
    char whole[PATH_MAX];

    if (!args_has(cli, opt))
        return KS_SUCCESS;
    if (!realpath(cli->texts[opt], whole))
        return ks_fail_os(errno, "--%s %s", cli_options[opt].name, cli->texts[opt]);
    ENSURE(json_object_set_new(profile, name, json_string(whole)) == 0, KS_E_USAGE,
           "--%s: the path is no UTF-8", cli_options[opt].name);
    return KS_SUCCESS;
}

ks_rc cmd_profile_set(struct cli *cli)
{
    CLEANUP(profiles_done) struct profiles p = {NULL, NULL};
    CLEANUP(json_decrefp) json_t *profile = json_pack("{s:s}", "server", cli->texts[OPT_SERVER]);
    const char *name = cli->args[0];

    TRY(profile_check_name(name));
    TRY(rest_check_url(cli->texts[OPT_SERVER], "--server"));
    ENSURE(profile, KS_E_USAGE, "--server is no UTF-8");
    TRY(set_file(cli, profile, "key_file", OPT_API_KEY_FILE));
    TRY(set_file(cli, profile, "ca_file", OPT_SERVER_CA_FILE));
    TRY(profiles_open(&p));
    bool is_set = json_object_set(json_object_get(p.all, "profiles"), name, profile) == 0 &&
                  json_object_set_new(p.all, "current", json_string(name)) == 0;
    ENSURE(is_set, KS_E_NO_MEMORY, "out of memory");
    TRY(profile_store(p.path, p.all));
    printf("profile %s set, and used from now on\n", name);
    return KS_SUCCESS;
}

static ks_rc print_profiles(const struct profiles *p, const char *current)
{
    CLEANUP(table_freep) struct table *table = NULL;
    const char *name;
    json_t *profile;

    TRY(table_new("NAME|USED|SERVER|KEY FILE|CA FILE", &table));
    json_object_foreach(json_object_get(p->all, "profiles"), name, profile)
    {
        const char *key = json_string_value(json_object_get(profile, "key_file"));
        const char *ca = json_string_value(json_object_get(profile, "ca_file"));
        table_add(table, "%s", name);
        table_add(table, "%s", current && strcmp(current, name) == 0 ? "yes" : "no");
        table_add(table, "%s", json_string_value(json_object_get(profile, "server")));
        table_add(table, "%s", key ? key : "-");
        table_add(table, "%s", ca ? ca : "-");
    }
    return table_print(table, 0);
}

ks_rc cmd_profile_list(struct cli *cli)
{
    CLEANUP(profiles_done) struct profiles p = {NULL, NULL};

    TRY(profiles_open(&p));
    if (cli->is_json)
        return output_json(json_incref(p.all));
    return print_profiles(&p, json_string_value(json_object_get(p.all, "current")));
}

ks_rc cmd_profile_use(struct cli *cli)
{
    CLEANUP(profiles_done) struct profiles p = {NULL, NULL};

    TRY(profiles_open(&p));
    TRY(check_known(&p, cli->args[0]));
    ENSURE(json_object_set_new(p.all, "current", json_string(cli->args[0])) == 0, KS_E_NO_MEMORY,
           "out of memory");
    TRY(profile_store(p.path, p.all));
    printf("profile %s is used from now on\n", cli->args[0]);
    return KS_SUCCESS;
}

ks_rc cmd_profile_remove(struct cli *cli)
{
    CLEANUP(profiles_done) struct profiles p = {NULL, NULL};

    TRY(profiles_open(&p));
    TRY(check_known(&p, cli->args[0]));
    const char *current = json_string_value(json_object_get(p.all, "current"));
    if (current && strcmp(current, cli->args[0]) == 0)
        json_object_set_new(p.all, "current", json_null());
    json_object_del(json_object_get(p.all, "profiles"), cli->args[0]);
    TRY(profile_store(p.path, p.all));
    printf("profile %s removed; its files stay\n", cli->args[0]);
    return KS_SUCCESS;
}
