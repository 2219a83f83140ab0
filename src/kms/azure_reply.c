/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/azure_reply.c - names of keys in Azure Key Vault and what its replies mean.
 *
 * The table goes by status, then by error code and words. Replies that are not in the service's form are no answer
 * about a key. Never quotes values.
 */
#include "kms/azure_reply.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define EXAMPLE "https://NAME.vault.azure.net/keys/orders"

enum { WORDS_BYTES = 256, VALUE_MAX = 4096 };

/* --- names --- */

static bool is_name(const char *text, size_t len)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";

    for (size_t i = 0; i < len; i++)
        if (!strchr(allowed, text[i]))
            return false;
    return len > 0 && len < AZURE_NAME_BYTES;
}

static ks_rc parse_path(const char *path, struct azure_key *k)
{
    size_t name = strcspn(path, "/");
    const char *version = path[name] ? path + name + 1 : "";

    ENSURE(is_name(path, name) && (!path[name] || is_name(version, strlen(version))), KS_E_USAGE,
           "the uri names no key of a vault; write it as " EXAMPLE " or with /VERSION behind it");
    snprintf(k->name, sizeof k->name, "%.*s", (int)name, path);
    snprintf(k->version, sizeof k->version, "%s", version);
    return KS_SUCCESS;
}

ks_rc azure_key_parse(const char *text, struct azure_key *ret)
{
    struct azure_key k = {.base = ""};
    TRY(rest_check_url(text, "the uri of the key"));
    const char *host = strstr(text, "://");
    const char *path = strstr(host + 3, "/keys/");
    ENSURE(path && (size_t)(path - text) < sizeof k.base, KS_E_USAGE,
           "the uri names no key of a vault; write it as " EXAMPLE);
    snprintf(k.base, sizeof k.base, "%.*s", (int)(path - text), text);
    host = k.base + (host + 3 - text);
    size_t len = strcspn(host, ":");
    ENSURE(!strpbrk(host, "/?") && len < sizeof k.host, KS_E_USAGE,
           "the uri has more than a host before /keys/; write it as " EXAMPLE);
    snprintf(k.host, sizeof k.host, "%.*s", (int)len, host);
    TRY(parse_path(path + 6, &k));
    *ret = k;
    return KS_SUCCESS;
}

/* --- answers --- */

struct line {
    int status;
    const char *words; /* in code or message, any case; NULL: any */
    enum ks_code code;
    const char *hint;
};

/* The first line that fits counts. */
static const struct line lines[] = {
    {401, NULL, KS_E_CREDENTIAL, "the token is not accepted"},
    {403, "KeyDisabled", KS_E_KEY_DISABLED, "the key is disabled"},
    {403, "disabled", KS_E_KEY_DISABLED, "the key is disabled"},
    {403, "KeyNotYetValid", KS_E_KEY_DISABLED, "the key is not valid yet"},
    {403, "not yet valid", KS_E_KEY_DISABLED, "the key is not valid yet"},
    {403, "expired", KS_E_KEY_DISABLED, "the key has expired"},
    {403, "not permitted on this key", KS_E_KEY_DISABLED,
     "the key's operations (key_ops) lack wrapKey or unwrapKey"},
    {403, "ForbiddenByFirewall", KS_E_DENIED, "the vault's firewall does not let this host in"},
    {403, NULL, KS_E_DENIED, "no role or access policy allows it; see keystead key grants"},
    {404, "deleted", KS_E_KEY_PENDING_DELETION, "the key is deleted, but can be recovered"},
    {404, NULL, KS_E_KEY_NOT_FOUND, "there is no such key or version"},
    {409, "deleted", KS_E_KEY_PENDING_DELETION, "the key is deleted, but can be recovered"},
    {409, NULL, KS_E_UNREACHABLE, "the key is being changed"},
    {408, NULL, KS_E_UNREACHABLE, "it did not get the request in time"},
    {429, NULL, KS_E_THROTTLED, "too many requests"},
    {405, NULL, KS_E_USAGE, "this is no key vault"},
    {400, NULL, KS_E_USAGE, "it does not take the request; is the key an RSA key?"},
};

static bool has_words(const char *text, const char *words)
{
    size_t len = strlen(words);

    for (; *text; text++)
        if (strncasecmp(text, words, len) == 0)
            return true;
    return false;
}

static const struct line *find(int status, const char *words)
{
    static const struct line other = {0, NULL, KS_E_UNREACHABLE, "the service has a problem"};

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (lines[i].status == status && (!lines[i].words || has_words(words, lines[i].words)))
            return &lines[i];
    return &other;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

/* "CODE/INNER: message"; the inner error is written in two ways. False when it is not the service's form. */
static bool words_of(const json_t *json, char ret[WORDS_BYTES])
{
    char plain[WORDS_BYTES];
    const json_t *error = json_object_get(json, "error");
    const json_t *inner = json_object_get(error, "innererror");

    if (!inner)
        inner = json_object_get(error, "innerError");
    snprintf(plain, sizeof plain, "%.60s/%.60s: %.120s", text_of(error, "code"),
             text_of(inner, "code"), text_of(error, "message"));
    rest_printable(plain, ret, WORDS_BYTES);
    return text_of(error, "code")[0] != 0;
}

static const char *verb_name(enum azure_verb verb)
{
    switch (verb) {
    case AZURE_GET:
        return "get";
    case AZURE_WRAP:
        return "wrapKey";
    case AZURE_UNWRAP:
        return "unwrapKey";
    }
    return "";
}

ks_rc azure_answer(enum azure_verb verb, const struct rest_reply *reply)
{
    const char *name = verb_name(verb);
    char words[WORDS_BYTES];

    if (reply->status == 200) {
        ENSURE(reply->json, KS_E_BAD_REPLY, "%s: the reply is no JSON object", name);
        return KS_SUCCESS;
    }
    bool is_azure = words_of(reply->json, words);
    bool needs_form =
        reply->status >= 400 && reply->status < 500 && reply->status != 401 && reply->status != 429;
    ENSURE(is_azure || !needs_form, KS_E_BAD_REPLY, "%s: status %d, and not in the form of Azure",
           name, reply->status);
    /* What cannot be unwrapped is told as a bad parameter. */
    if (reply->status == 400 && verb == AZURE_UNWRAP)
        return ks_fail(KS_E_AUTH, "%s: the wrapped key was not made by this key (%.200s)", name,
                       words);
    const struct line *line = find(reply->status, words);
    return ks_fail(line->code, "%s: %s (status %d, %.200s)", name, line->hint, reply->status,
                   words);
}

/* --- fields --- */

static ks_rc understood(ks_rc rc)
{
    char why[200];

    if (ks_ok(rc) || rc.cls == KS_CLASS_LIMIT)
        return rc;
    snprintf(why, sizeof why, "%s", ks_text(rc));
    return ks_fail(KS_E_BAD_REPLY, "the reply of the key service: %s", why);
}

static ks_rc read_kid(const json_t *object, struct azure_key *ret)
{
    const char *kid;

    TRY(json_get_text(object, "kid", KEY_URI_BYTES - 1, &kid));
    TRY(azure_key_parse(kid, ret));
    ENSURE(ret->version[0], KS_E_USAGE, "kid has no version");
    return KS_SUCCESS;
}

ks_rc azure_read_value(const json_t *json, struct azure_key *ret_kid, const char **ret)
{
    struct azure_key kid;
    const char *value;

    TRY(understood(read_kid(json, &kid)));
    TRY(understood(json_get_text(json, "value", VALUE_MAX, &value)));
    ENSURE(value[0], KS_E_BAD_REPLY, "the reply of the key service: value is empty");
    *ret_kid = kid;
    *ret = value;
    return KS_SUCCESS;
}

ks_rc azure_read_key(const json_t *json, struct azure_key *ret_kid, bool *ret_is_enabled)
{
    json_t *key, *attributes = NULL;
    struct azure_key kid;
    bool is_enabled = true;

    TRY(understood(json_get_object(json, "key", &key)));
    TRY(understood(read_kid(key, &kid)));
    TRY(understood(json_may_object(json, "attributes", &attributes)));
    TRY(understood(json_may_bool(attributes, "enabled", &is_enabled)));
    *ret_kid = kid;
    *ret_is_enabled = is_enabled;
    return KS_SUCCESS;
}

/* --- challenges and tokens --- */

/* The value of name="value" or name=value; false when there is none or it does not fit. */
static bool parameter(const char *header, const char *name, char *out, size_t len)
{
    size_t name_len = strlen(name);

    for (const char *at = header; *at; at++) {
        if (strncasecmp(at, name, name_len) != 0 || at[name_len] != '=' ||
            (at > header && !strchr(" ,", at[-1])))
            continue;
        const char *value = at + name_len + 1;
        bool is_quoted = *value == '"';
        value += is_quoted;
        size_t value_len = strcspn(value, is_quoted ? "\"" : ", ");
        if (value_len == 0 || value_len >= len)
            return false;
        snprintf(out, len, "%.*s", (int)value_len, value);
        return true;
    }
    return false;
}

/* "https://login.example.com/TENANT" */
static bool split_authority(struct azure_challenge *c)
{
    char *host = strstr(c->authority, "://"), *path = host ? strchr(host + 3, '/') : NULL;

    if (!path)
        return false;
    size_t len = strcspn(path + 1, "/");
    if (!is_name(path + 1, len))
        return false;
    snprintf(c->tenant, sizeof c->tenant, "%.*s", (int)len, path + 1);
    *path = 0;
    return true;
}

/* Whether anything stands before the scope. */
static bool cut_scope(char *resource)
{
    char *scope = strstr(resource, "/.default");

    if (scope)
        *scope = 0;
    return resource[0] != 0;
}

ks_rc azure_challenge_parse(const char *header, struct azure_challenge *ret)
{
    struct azure_challenge c = {.authority = ""};

    ENSURE(strncasecmp(header, "Bearer ", 7) == 0 &&
               (parameter(header, "authorization", c.authority, sizeof c.authority) ||
                parameter(header, "authorization_uri", c.authority, sizeof c.authority)) &&
               (parameter(header, "resource", c.resource, sizeof c.resource) ||
                parameter(header, "scope", c.resource, sizeof c.resource)) &&
               split_authority(&c) && cut_scope(c.resource),
           KS_E_BAD_REPLY, "a 401 of the key service does not say what it wants");
    TRY(understood(rest_check_url(c.authority, "the authority in a 401")));
    *ret = c;
    return KS_SUCCESS;
}

bool azure_challenge_is_for(const struct azure_challenge *c, const char *host)
{
    if (strncmp(c->resource, "https://", 8) != 0)
        return false;
    const char *domain = c->resource + 8;
    size_t len = strcspn(domain, ":/"), host_len = strlen(host);
    if (len == 0 || host_len <= len)
        return host_len == len && strncasecmp(host, domain, len) == 0;
    return host[host_len - len - 1] == '.' && strncasecmp(host + host_len - len, domain, len) == 0;
}

ks_rc azure_read_token(const json_t *json, const char **ret_token, int64_t *ret_seconds)
{
    const char *token;
    int64_t seconds = 0;

    TRY(understood(json_get_text(json, "access_token", AZURE_TOKEN_BYTES - 1, &token)));
    TRY(understood(json_may_int(json, "expires_in", 0, 10000000, &seconds)));
    ENSURE(token[0], KS_E_BAD_REPLY, "the reply of the token service: access_token is empty");
    for (const char *c = token; *c; c++)
        ENSURE(*c > ' ' && *c < 0x7f, KS_E_BAD_REPLY,
               "the reply of the token service: access_token is no token");
    *ret_token = token;
    *ret_seconds = seconds;
    return KS_SUCCESS;
}
