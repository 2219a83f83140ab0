/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/azure_token.c - tokens of Microsoft Entra for Azure Key Vault.
 *
 * A token is fetched anew 5 minutes ahead of its end; when that fails, the old one is used until it has really run out.
 * Secrets stay in guarded and wiping memory.
 */
#include "kms/azure_token.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kms/secret_file.h"

#define METADATA "http://169.254.169.254/metadata/identity/oauth2/token"

enum {
    FORM_MAX = 32 * 1024,
    AHEAD_S = 300,
    PAUSE_MS = 30 * 1000, /* after a renewal that failed */
    METADATA_CONNECT_MS = 1000,
};

/* --- settings --- */

struct cloud {
    const char *suffix, *authority, *resource;
};

static const struct cloud clouds[] = {
    {".vault.azure.net", "https://login.microsoftonline.com", "https://vault.azure.net"},
    {".managedhsm.azure.net", "https://login.microsoftonline.com", "https://managedhsm.azure.net"},
    {".vault.azure.cn", "https://login.chinacloudapi.cn", "https://vault.azure.cn"},
    {".vault.usgovcloudapi.net", "https://login.microsoftonline.us",
     "https://vault.usgovcloudapi.net"},
};

static const struct cloud *cloud_of(const char *host)
{
    size_t len = strlen(host);

    for (size_t i = 0; i < sizeof clouds / sizeof clouds[0]; i++) {
        size_t n = strlen(clouds[i].suffix);
        if (len > n && strcmp(host + len - n, clouds[i].suffix) == 0)
            return &clouds[i];
    }
    return &clouds[0]; /* a private host that stands for a vault */
}

static ks_rc copy_id(const char *text, size_t len, char ret[AZURE_NAME_BYTES], const char *what)
{
    ENSURE(len < AZURE_NAME_BYTES &&
               strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") >=
                   len,
           KS_E_USAGE, "the %s in the principal is no id", what);
    memcpy(ret, text, len);
    ret[len] = 0;
    return KS_SUCCESS;
}

static ks_rc parse_option(const char *text, size_t len, struct azure_token *t)
{
    if (strncmp(text, "client=", 7) == 0)
        return copy_id(text + 7, len - 7, t->client, "client");
    ENSURE(strncmp(text, "secret=", 7) == 0 && len - 7 < sizeof t->source, KS_E_USAGE,
           "the principal is TENANT, TENANT;client=ID or TENANT;client=ID;secret=/PATH");
    memcpy(t->source, text + 7, len - 7);
    t->source[len - 7] = 0;
    ENSURE(t->source[0] == '/' || strncmp(t->source, "credential:", 11) == 0, KS_E_USAGE,
           "the secret in the principal is neither an absolute path nor credential:NAME");
    return KS_SUCCESS;
}

static ks_rc parse_principal(const char *principal, struct azure_token *t)
{
    size_t len = strcspn(principal, ";");

    TRY(copy_id(principal, len, t->tenant, "tenant"));
    while (principal[len]) {
        principal += len + 1;
        len = strcspn(principal, ";");
        TRY(parse_option(principal, len, t));
    }
    return KS_SUCCESS;
}

static ks_rc from_environment(struct azure_token *t, const char *name, char ret[AZURE_NAME_BYTES])
{
    const char *value = rest_env(t->rest, name);

    if (ret[0] || !value)
        return KS_SUCCESS;
    return copy_id(value, strlen(value), ret, name);
}

ks_rc azure_token_init(struct rest *rest, const char *principal, const char *host,
                       struct azure_token *t)
{
    const struct cloud *cloud = cloud_of(host);
    const char *authority = rest_env(rest, "AZURE_AUTHORITY_HOST");

    t->rest = rest;
    TRY(parse_principal(principal, t));
    TRY(from_environment(t, "AZURE_TENANT_ID", t->tenant));
    TRY(from_environment(t, "AZURE_CLIENT_ID", t->client));
    if (!authority)
        authority = cloud->authority;
    TRY(rest_check_url(authority, "AZURE_AUTHORITY_HOST"));
    size_t len = strlen(authority);
    while (len && authority[len - 1] == '/')
        len--;
    ENSURE(len < sizeof t->authority, KS_E_USAGE, "AZURE_AUTHORITY_HOST is too long");
    memcpy(t->authority, authority, len);
    snprintf(t->resource, sizeof t->resource, "%s", cloud->resource);
    return KS_SUCCESS;
}

void azure_token_done(struct azure_token *t)
{
    secret_free(TAKE(t->header));
}

/* --- requests --- */

static ks_rc read_source(const struct azure_token *t, struct secret **ret)
{
    char path[SECRET_FILE_PATH_BYTES];

    if (t->source[0] == '/')
        return secret_line_read(io_posix(), t->source, ret);
    TRY(secret_file_in(rest_env(t->rest, "CREDENTIALS_DIRECTORY"), t->source + 11, path));
    return secret_line_read(io_posix(), path, ret);
}

static bool has_client_secret(const struct azure_token *t)
{
    return t->source[0] || rest_env(t->rest, "AZURE_CLIENT_SECRET");
}

static bool uses_authority(const struct azure_token *t)
{
    return has_client_secret(t) || rest_env(t->rest, "AZURE_FEDERATED_TOKEN_FILE");
}

bool azure_token_needs_tenant(struct azure_token *t)
{
    pthread_mutex_lock(&t->mutex);
    bool is_needed = uses_authority(t) && !t->tenant[0];
    pthread_mutex_unlock(&t->mutex);
    return is_needed;
}

void azure_token_set_tenant(struct azure_token *t, const char *tenant)
{
    pthread_mutex_lock(&t->mutex);
    snprintf(t->tenant, sizeof t->tenant, "%s", tenant);
    pthread_mutex_unlock(&t->mutex);
}

static ks_rc add_secret(struct azure_token *t, struct buf *form)
{
    CLEANUP(secret_freep) struct secret *secret = NULL;
    const char *given = rest_env(t->rest, "AZURE_CLIENT_SECRET"),
               *file = rest_env(t->rest, "AZURE_FEDERATED_TOKEN_FILE");

    if (t->source[0])
        TRY(read_source(t, &secret));
    else if (given)
        TRY(secret_copy(view_text(given), &secret));
    if (secret)
        return rest_form("client_secret", secret_view(secret), form);
    TRY(secret_line_read(io_posix(), file, &secret));
    TRY(rest_form("client_assertion_type",
                  view_text("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), form));
    return rest_form("client_assertion", secret_view(secret), form);
}

static ks_rc ask_authority(struct azure_token *t, const struct kms_call *call,
                           struct rest_reply *ret)
{
    CLEANUP(buf_done) struct buf form = buf_init_wiping(FORM_MAX);
    CLEANUP(mem_freep) char *url = NULL, *scope = NULL;

    ENSURE(t->tenant[0] && t->client[0], KS_E_CREDENTIAL,
           "there is a secret for Azure, but no %s: name it in the principal or in %s",
           t->tenant[0] ? "client" : "tenant",
           t->tenant[0] ? "AZURE_CLIENT_ID" : "AZURE_TENANT_ID");
    TRY(mem_format(&url, "%s/%s/oauth2/v2.0/token", t->authority, t->tenant));
    TRY(mem_format(&scope, "%s/.default", t->resource));
    TRY(rest_form("grant_type", view_text("client_credentials"), &form));
    TRY(rest_form("client_id", view_text(t->client), &form));
    TRY(rest_form("scope", view_text(scope), &form));
    TRY(add_secret(t, &form));
    struct rest_request request = {.method = "POST", .url = url, .form = buf_view(&form)};
    return rest_send(t->rest, call, &request, ret);
}

/* The services of the platform: App Service names its own, virtual machines have a fixed address. */
static ks_rc ask_platform(struct azure_token *t, const struct kms_call *call,
                          struct rest_reply *ret)
{
    const char *endpoint = rest_env(t->rest, "IDENTITY_ENDPOINT"),
               *key = rest_env(t->rest, "IDENTITY_HEADER");
    bool is_app = endpoint && key;
    CLEANUP(buf_done) struct buf query = buf_init(1024);
    CLEANUP(mem_freep) char *url = NULL;
    struct http_header headers[] = {
        {is_app ? "X-IDENTITY-HEADER" : "Metadata", is_app ? key : "true"}, {NULL, NULL}};

    TRY(rest_form("api-version", view_text(is_app ? "2019-08-01" : "2018-02-01"), &query));
    TRY(rest_form("resource", view_text(t->resource), &query));
    if (t->client[0])
        TRY(rest_form("client_id", view_text(t->client), &query));
    TRY(mem_format(&url, "%s?%s", is_app ? endpoint : METADATA, buf_text(&query)));
    struct rest_request request = {.method = "GET",
                                   .url = url,
                                   .headers = headers,
                                   .connect_ms_max = is_app ? 0 : METADATA_CONNECT_MS};
    return rest_send(t->rest, call, &request, ret);
}

/* Entra's words say what is wrong with an application; they hold no secret. */
static ks_rc check_reply(const struct rest_reply *reply)
{
    char words[200];

    if (reply->status == 200) {
        ENSURE(reply->json, KS_E_BAD_REPLY, "the reply of the token service is no JSON object");
        return KS_SUCCESS;
    }
    rest_printable(json_string_value(json_object_get(reply->json, "error_description")), words,
                   sizeof words);
    if (reply->status == 429)
        return ks_fail(KS_E_THROTTLED, "the token service has too many requests");
    if (reply->status >= 500 || reply->status == 410 || reply->status == 408)
        return ks_fail(KS_E_UNREACHABLE, "the token service has a problem (status %d)",
                       reply->status);
    return ks_fail(KS_E_CREDENTIAL, "no token for the key service (status %d): %s", reply->status,
                   words[0] ? words : "no reason given");
}

static ks_rc make_header(const char *token, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *header = NULL;
    size_t len = strlen(token);

    TRY(secret_new(7 + len + 1, &header));
    memcpy(secret_bytes(header), "Bearer ", 7);
    memcpy(secret_bytes(header) + 7, token, len);
    *ret = TAKE(header);
    return KS_SUCCESS;
}

static ks_rc fetch(struct azure_token *t, const struct kms_call *call)
{
    CLEANUP(rest_reply_done) struct rest_reply reply = {.status = 0};
    struct secret *header;
    const char *token;
    int64_t seconds;

    TRY(uses_authority(t) ? ask_authority(t, call, &reply) : ask_platform(t, call, &reply));
    TRY(check_reply(&reply));
    TRY(azure_read_token(reply.json, &token, &seconds));
    TRY(make_header(token, &header));
    secret_free(t->header);
    t->header = header;
    uint64_t now = clock_boot_ms(call->clock);
    t->end_ms = now + (uint64_t)seconds * 1000;
    t->refresh_ms =
        now + (uint64_t)(seconds > 2 * AHEAD_S ? seconds - AHEAD_S : seconds / 2) * 1000;
    return KS_SUCCESS;
}

/* With a good token in hand the renewal may take half of the time that the call has left: a token service that hangs
 * must not hide what the vault says. */
static struct kms_call shorter(const struct kms_call *call, uint64_t now)
{
    struct kms_call c = *call;

    if (c.deadline_ms > now)
        c.deadline_ms = now + (c.deadline_ms - now) / 2;
    return c;
}

static ks_rc get_locked(struct azure_token *t, const struct kms_call *call, struct secret **ret)
{
    uint64_t now = clock_boot_ms(call->clock);
    bool is_good = t->header && now < t->end_ms;

    if (!is_good || now >= t->refresh_ms) {
        struct kms_call mine = is_good ? shorter(call, now) : *call;
        ks_rc rc = fetch(t, &mine);
        if (!ks_ok(rc) && !is_good)
            return rc;
        if (!ks_ok(rc))
            t->refresh_ms = now + PAUSE_MS;
    }
    return secret_copy(secret_view(t->header), ret);
}

ks_rc azure_token_get(struct azure_token *t, const struct kms_call *call, struct secret **ret)
{
    pthread_mutex_lock(&t->mutex);
    ks_rc rc = get_locked(t, call, ret);
    pthread_mutex_unlock(&t->mutex);
    return rc;
}

void azure_token_drop(struct azure_token *t, const struct secret *header)
{
    pthread_mutex_lock(&t->mutex);
    if (t->header && secret_is_equal(secret_view(t->header), secret_view(header)))
        secret_free(TAKE(t->header));
    pthread_mutex_unlock(&t->mutex);
}
