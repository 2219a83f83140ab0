/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/key_option.c - from options to key specs and settings.
 */
#include "cli/key_option.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/args.h"
#include "cli/resolve.h"

/* "DIR#NAME" with DIR made absolute. The name is what stands behind the last #. */
static ks_rc absolute_store(struct key_spec *spec)
{
    CLEANUP(mem_freep) char *dir = NULL, *uri = NULL;
    char *name = strrchr(spec->uri, '#');

    ENSURE(name && name != spec->uri && name[1] != '\0', KS_E_USAGE,
           "key file:%.200s names no key; write file:STOREDIR#KEYNAME, e.g. file:/srv/kms#orders",
           spec->uri);
    *name = '\0';
    TRY(resolve_absolute(spec->uri, "key store", &dir));
    *name = '#';
    TRY(mem_format(&uri, "%s%s", dir, name));
    ENSURE(strlen(uri) < sizeof spec->uri, KS_E_LIMIT, "the path of key store %.200s is too long",
           dir);
    memcpy(spec->uri, uri, strlen(uri) + 1);
    return KS_SUCCESS;
}

/* A role, a service account: whatever the key's service knows who asks by. */
static ks_rc set_principal(const char *principal, struct key_spec *spec)
{
    ENSURE(strcmp(spec->type, "FILE") != 0, KS_E_USAGE,
           "a key store is opened with --key-file, not with --auth-principal");
    ENSURE(strlen(principal) < sizeof spec->auth_principal, KS_E_LIMIT,
           "--auth-principal is longer than %zu bytes", sizeof spec->auth_principal - 1);
    snprintf(spec->auth_principal, sizeof spec->auth_principal, "%s", principal);
    return KS_SUCCESS;
}

ks_rc key_option_spec(const struct cli_key *key, struct key_spec *ret)
{
    CLEANUP(mem_freep) char *key_file = NULL;
    struct key_spec spec;

    TRY(key_spec_parse(key->spec, &spec));
    if (strcmp(spec.type, "FILE") == 0)
        TRY(absolute_store(&spec));
    if (key->key_file) {
        TRY(resolve_absolute(key->key_file, "key file", &key_file));
        ENSURE(strlen(key_file) < sizeof spec.auth_principal, KS_E_LIMIT,
               "the path of key file %.200s is too long", key_file);
        snprintf(spec.auth_principal, sizeof spec.auth_principal, "%s", key_file);
    }
    if (key->principal)
        TRY(set_principal(key->principal, &spec));
    *ret = spec;
    return KS_SUCCESS;
}

json_t *key_option_json(const struct key_spec *spec)
{
    return json_pack("{s:s, s:s, s:s}", "type", spec->type, "uri", spec->uri, "auth_principal",
                     spec->auth_principal);
}

static ks_rc take(const struct cli *cli, enum cli_opt opt, uint64_t unit_ms, uint32_t *field)
{
    if (!args_has(cli, opt))
        return KS_SUCCESS;
    ENSURE(cli->numbers[opt] % unit_ms == 0, KS_E_USAGE, "--%s is counted in whole seconds",
           cli_options[opt].name);
    ENSURE(cli->numbers[opt] / unit_ms <= UINT32_MAX, KS_E_USAGE, "--%s is too long a time",
           cli_options[opt].name);
    *field = (uint32_t)(cli->numbers[opt] / unit_ms);
    return KS_SUCCESS;
}

ks_rc key_option_settings(const struct cli *cli, struct keyring_settings *s)
{
    TRY(take(cli, OPT_LEASE, 1, &s->lease_ms_max));
    TRY(take(cli, OPT_PROBE, 1, &s->probe_ms));
    TRY(take(cli, OPT_GRACE, 1, &s->grace_ms));
    TRY(take(cli, OPT_ROTATE_DATA, 1000, &s->data_rotation_s));
    return keyring_settings_check(s);
}
