/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/cmek_spec.c - one table of key services, and what each wants of a spec.
 */
#include "control/cmek_spec.h"

#include <ctype.h>
#include <string.h>

#include "kms/aws_key.h"
#include "kms/azure_reply.h"

typedef void (*spec_rule)(const struct spec_rules *rules, const struct key_spec *spec,
                          struct faults *f);

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool has_suffix(const char *text, const char *suffix)
{
    size_t len = strlen(text), tail = strlen(suffix);

    return len >= tail && strcmp(text + len - tail, suffix) == 0;
}

/* It goes into requests, messages and terminals. */
static bool is_plain(const char *text)
{
    for (; *text; text++) {
        if (!isgraph((unsigned char)*text) || *text == '"' || *text == '\\')
            return false;
    }
    return true;
}

static bool is_word(const char *text, size_t len, const char *more)
{
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)text[i]) && !strchr(more, text[i]))
            return false;
    }
    return len > 0;
}

/* -- AWS ----------------------------------------------------------------------------------------------------------------- */

/* What an ARN names that is no key of KMS. */
static const char *arn_kind(const char *uri)
{
    static const struct {
        const char *part, *kind;
    } kinds[] = {
        {":alias/", "an alias; give the ARN of the key behind it"},
        {":role/", "an IAM role; it belongs into auth_principal"},
        {":user/", "an IAM user"},
        {":root", "an account"},
        {":secretsmanager:", "a secret"},
        {":s3:", "a bucket"},
        {":grant/", "a grant"},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strstr(uri, kinds[i].part))
            return kinds[i].kind;
    }
    return NULL;
}

/* A key in any region will do, as one key for several regions: which one is the customer's choice. */
static void check_aws(const struct spec_rules *rules, const struct key_spec *spec, struct faults *f)
{
    struct aws_key key;
    const char *kind = arn_kind(spec->uri);

    (void)rules;
    if (kind)
        faults_add(f, "\"%.100s\" is %s", spec->uri, kind);
    else if (!ks_ok(aws_key_parse(spec->uri, NULL, &key)) || !key.is_arn || key.is_alias)
        faults_add(f, "\"%.100s\" is no ARN of a key, as arn:aws:kms:REGION:ACCOUNT:key/ID",
                   spec->uri);
}

static void check_aws_principal(const struct spec_rules *rules, const struct key_spec *spec,
                                struct faults *f)
{
    char account[AWS_ACCOUNT_ID_BYTES];

    (void)rules;
    if (!ks_ok(aws_role_account(spec->auth_principal, account)))
        faults_add(f, "auth_principal \"%.80s\" is no role, as arn:aws:iam::ACCOUNT:role/NAME",
                   spec->auth_principal);
}

/* -- Google ---------------------------------------------------------------------------------------------------------------- */

static void check_gcp(const struct spec_rules *rules, const struct key_spec *spec, struct faults *f)
{
    static const char *const parts[] = {"projects/", "locations/", "keyRings/", "cryptoKeys/"};
    const char *at = spec->uri;
    bool is_good = true;

    (void)rules;
    if (strstr(at, "/cryptoKeyVersions/")) {
        faults_add(f, "\"%.100s\" names a version; leave /cryptoKeyVersions/... out", at);
        return;
    }
    for (size_t i = 0; i < 4 && is_good; i++) {
        is_good = has_prefix(at, parts[i]);
        at += is_good ? strlen(parts[i]) : 0;
        size_t len = strcspn(at, "/");
        is_good = is_good && is_word(at, len, "-_.:") && (at[len] == '/') == (i < 3);
        at += len + (at[len] == '/');
    }
    if (!is_good)
        faults_add(f, "\"%.100s\" is no key, as projects/P/locations/L/keyRings/R/cryptoKeys/K",
                   spec->uri);
}

/* Accounts on the way to the last one, separated by commas. */
static void check_gcp_principal(const struct spec_rules *rules, const struct key_spec *spec,
                                struct faults *f)
{
    const char *at = spec->auth_principal;

    (void)rules;
    while (*at) {
        size_t len = strcspn(at, ","), name = strcspn(at, "@,");
        bool is_good = name + 1 < len && is_word(at, name, "-_.") &&
                       is_word(at + name + 1, len - name - 1, "-.");
        if (!is_good) {
            faults_add(f,
                       "auth_principal \"%.80s\" is no service account, as "
                       "NAME@PROJECT.iam.gserviceaccount.com",
                       spec->auth_principal);
            return;
        }
        at += len + (at[len] == ',');
    }
}

/* -- Azure ------------------------------------------------------------------------------------------------------------------ */

static bool is_azure_host(const char *host)
{
    static const char *const suffixes[] = {
        ".vault.azure.net",      ".vault.azure.cn",      ".vault.usgovcloudapi.net",
        ".managedhsm.azure.net", ".managedhsm.azure.cn", ".managedhsm.usgovcloudapi.net",
    };

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (has_suffix(host, suffixes[i]))
            return true;
    }
    return false;
}

static void check_azure(const struct spec_rules *rules, const struct key_spec *spec,
                        struct faults *f)
{
    struct azure_key key;

    if (!ks_ok(azure_key_parse(spec->uri, &key)) ||
        (!rules->is_development && !is_azure_host(key.host)))
        faults_add(f, "\"%.100s\" is no key, as https://VAULT.vault.azure.net/keys/NAME/VERSION",
                   spec->uri);
}

static void check_azure_principal(const struct spec_rules *rules, const struct key_spec *spec,
                                  struct faults *f)
{
    char tenant[ID_BYTES] = "";
    size_t len = strcspn(spec->auth_principal, ";");

    for (size_t i = 0; i < len && i < sizeof tenant - 1; i++)
        tenant[i] = (char)tolower((unsigned char)spec->auth_principal[i]);
    if (len != ID_BYTES - 1 || !id_is_valid(tenant))
        faults_add(f, "auth_principal \"%.80s\" is no tenant id, as 8-4-4-4-12 hexadecimal digits",
                   spec->auth_principal);
    if (!rules->is_development && strstr(spec->auth_principal, "secret="))
        faults_add(f, "auth_principal may not name a secret of the node");
}

/* -- Vault ------------------------------------------------------------------------------------------------------------------- */

static void check_vault(const struct spec_rules *rules, const struct key_spec *spec,
                        struct faults *f)
{
    const char *path = strstr(spec->uri, "/v1/"), *keys = path ? strstr(path + 4, "/keys/") : NULL;
    bool is_tls = has_prefix(spec->uri, "https://") && path > spec->uri + strlen("https://");
    bool is_local = rules->is_development && has_prefix(spec->uri, "http://127.0.0.1");

    if ((!is_tls && !is_local) || !keys || keys == path + 4 || !keys[6] || strchr(spec->uri, '@'))
        faults_add(f, "\"%.100s\" is no key, as https://HOST/v1/MOUNT/keys/NAME", spec->uri);
}

/* Where a node takes the secret from, by the same rules as kms/vault_auth.h; NULL: from a file or a login of its own. */
static const char *vault_source(const char *principal)
{
    const char *at = strchr(principal, '@'), *option = strstr(principal, ";mount=");
    bool is_login = has_prefix(principal, "approle:") || has_prefix(principal, "kubernetes:");

    if (has_prefix(principal, "credential:"))
        return principal;
    return is_login && at && (!option || at < option) ? at + 1 : NULL;
}

/* A node sends what the principal names to the host that the uri names: so only what was put there for this organisation. */
static void check_vault_principal(const struct spec_rules *rules, const struct key_spec *spec,
                                  struct faults *f)
{
    const char *source = vault_source(spec->auth_principal);

    if (rules->is_development)
        return;
    if (!source || !has_prefix(source, "credential:") ||
        !has_prefix(source + strlen("credential:"), rules->organisation))
        faults_add(
            f,
            "auth_principal has to name a credential that the nodes have for this organisation, as "
            "credential:%s or approle:ROLE_ID@credential:%s",
            rules->organisation, rules->organisation);
}

/* -- the table ------------------------------------------------------------------------------------------------------------------ */

static void check_any(const struct spec_rules *rules, const struct key_spec *spec, struct faults *f)
{
    (void)rules;
    if (!spec->uri[0])
        faults_add(f, "the key has no uri");
}

static const struct service {
    const char *type, *provider; /* provider "": for clusters anywhere */
    spec_rule uri, principal;
    bool is_principal_needed, is_for_development;
} services[] = {
    {"AWS_KMS", "AWS", check_aws, check_aws_principal, true, false},
    {"GCP_CLOUD_KMS", "GCP", check_gcp, check_gcp_principal, true, false},
    {"AZURE_KEY_VAULT", "AZURE", check_azure, check_azure_principal, true, false},
    {"VAULT_TRANSIT", "", check_vault, check_vault_principal, false, false},
    {"NULL_KMS", "", check_any, NULL, false, true},
    {"FILE", "", check_any, NULL, false, true},
};

static const struct service *service_of(const char *type)
{
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        if (strcmp(services[i].type, type) == 0)
            return &services[i];
    }
    return NULL;
}

static void check_principal(const struct spec_rules *rules, const struct service *service,
                            const struct key_spec *spec, struct faults *f)
{
    bool is_vault = service->principal == check_vault_principal;

    if (!is_plain(spec->auth_principal))
        faults_add(f, "auth_principal has blanks or signs that it may not have");
    else if (service->principal && (spec->auth_principal[0] || is_vault))
        service->principal(rules, spec, f);
    else if (service->is_principal_needed && (rules->provider[0] || !rules->is_node_allowed))
        faults_add(f, "%s needs an auth_principal: as whom the key is used", service->type);
}

void spec_check(const struct spec_rules *rules, const struct key_spec *spec, struct faults *f)
{
    const struct service *service = service_of(spec->type);

    if (!service || (service->is_for_development && !rules->is_development)) {
        faults_add(f,
                   "\"%.30s\" is no type of key here; AWS_KMS, GCP_CLOUD_KMS, AZURE_KEY_VAULT and "
                   "VAULT_TRANSIT are",
                   spec->type);
        return;
    }
    if (rules->provider[0] && service->provider[0] &&
        strcmp(rules->provider, service->provider) != 0)
        faults_add(f, "a cluster at %s takes no key of type %s", rules->provider, service->type);
    if (!is_plain(spec->uri))
        faults_add(f, "the uri has blanks or signs that it may not have");
    else
        service->uri(rules, spec, f);
    check_principal(rules, service, spec, f);
}

bool spec_is_equal(const struct key_spec *a, const struct key_spec *b)
{
    return key_spec_is_same(a, b) && strcmp(a->auth_principal, b->auth_principal) == 0;
}

void specs_check(const struct spec_rules *rules, const struct key_spec *keys, size_t count,
                 struct faults *f)
{
    if (count == 0 || count > REGION_KEYS_MAX) {
        faults_add(f, "region %.40s: 1 to %d keys are needed, not %zu", rules->region,
                   REGION_KEYS_MAX, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct faults own = {0};
        spec_check(rules, &keys[i], &own);
        if (own.count)
            faults_add(f, "region %.40s: %s", rules->region, own.text);
        for (size_t k = 0; k < i; k++) {
            if (key_spec_is_same(&keys[k], &keys[i]))
                faults_add(f, "region %.40s: the same key twice", rules->region);
        }
    }
}
