/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/gcp_credentials.c - reads credentials files of Google's tools.
 *
 * Invariant: private keys, refresh tokens and client secrets leave the document into guarded memory; the document
 * is wiped. Starts no programs, whatever a file asks for, and asks nobody.
 */
#include "kms/gcp_credentials.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "kms/secret_file.h"

enum { FILE_MAX = 64 * 1024, DEPTH_MAX = 8, SECRET_TEXT_MAX = 8192, NESTED_MAX = 1 };

static const char TOKEN_URL[] = "https://oauth2.googleapis.com/token";

/* Required and optional texts of fixed room. */
static ks_rc take(const json_t *doc, const char *name, char *room, size_t len)
{
    const char *text;

    TRY(json_get_text(doc, name, len - 1, &text));
    ENSURE(text[0], KS_E_USAGE, "\"%s\" is empty", name);
    memcpy(room, text, strlen(text) + 1);
    return KS_SUCCESS;
}

static ks_rc may_take(const json_t *doc, const char *name, char *room, size_t len)
{
    const char *text = "";

    TRY(json_may_text(doc, name, len - 1, &text));
    memcpy(room, text, strlen(text) + 1);
    return KS_SUCCESS;
}

static ks_rc take_secret(const json_t *doc, const char *name, struct secret **ret)
{
    const char *text;

    TRY(json_get_text(doc, name, SECRET_TEXT_MAX, &text));
    ENSURE(text[0], KS_E_USAGE, "\"%s\" is empty", name);
    return secret_copy(view_text(text), ret);
}

/* Tokens and secrets go where the file says: only to a web address, and not to one with a user in it. */
static ks_rc check_url(const char *name, const char *url)
{
    bool is_web = strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0;

    ENSURE(is_web && !strpbrk(url, "@ \"\\#"), KS_E_USAGE, "\"%s\" is no web address", name);
    return KS_SUCCESS;
}

static ks_rc take_url(const json_t *doc, const char *name, char *room)
{
    TRY(take(doc, name, room, GCP_URL_BYTES));
    return check_url(name, room);
}

static ks_rc take_token_url(const json_t *doc, const char *name, struct gcp_credentials *c)
{
    TRY(may_take(doc, name, c->token_url, sizeof c->token_url));
    if (!c->token_url[0])
        memcpy(c->token_url, TOKEN_URL, sizeof TOKEN_URL);
    return check_url(name, c->token_url);
}

static ks_rc parse_service_account(const json_t *doc, struct gcp_credentials *c)
{
    const char *pem;

    TRY(take(doc, "client_email", c->email, sizeof c->email));
    TRY(may_take(doc, "private_key_id", c->key_id, sizeof c->key_id));
    TRY(take_token_url(doc, "token_uri", c));
    TRY(json_get_text(doc, "private_key", SECRET_TEXT_MAX, &pem));
    return ks_wrap(rsa_from_pem(view_text(pem), &c->key), "\"private_key\"");
}

static ks_rc parse_authorized_user(const json_t *doc, struct gcp_credentials *c)
{
    TRY(take(doc, "client_id", c->client_id, sizeof c->client_id));
    TRY(take_secret(doc, "client_secret", &c->client_secret));
    TRY(take_token_url(doc, "token_uri", c));
    return take_secret(doc, "refresh_token", &c->refresh_token);
}

static ks_rc parse_headers(const json_t *source, struct gcp_federation *f)
{
    json_t *headers = NULL, *value;
    const char *name;

    TRY(json_may_object(source, "headers", &headers));
    json_object_foreach(headers, name, value)
    {
        const char *text = json_string_value(value);
        ENSURE(f->header_count < GCP_SOURCE_HEADERS_MAX, KS_E_USAGE,
               "\"headers\" has more than %d members", GCP_SOURCE_HEADERS_MAX);
        ENSURE(text && strlen(name) < sizeof f->headers[0].name &&
                   strlen(text) < sizeof f->headers[0].value && !strpbrk(name, "\r\n: ") &&
                   !strpbrk(text, "\r\n"),
               KS_E_USAGE, "\"headers\" holds what is no header");
        memcpy(f->headers[f->header_count].name, name, strlen(name) + 1);
        memcpy(f->headers[f->header_count++].value, text, strlen(text) + 1);
    }
    return KS_SUCCESS;
}

static ks_rc parse_format(const json_t *source, struct gcp_federation *f)
{
    json_t *format = NULL;
    const char *type = "text";

    TRY(json_may_object(source, "format", &format));
    TRY(json_may_text(format, "type", 16, &type));
    if (strcmp(type, "json") == 0)
        return take(format, "subject_token_field_name", f->field, sizeof f->field);
    ENSURE(strcmp(type, "text") == 0, KS_E_USAGE, "\"format\" is neither text nor json");
    return KS_SUCCESS;
}

static ks_rc parse_source(const json_t *source, struct gcp_federation *f)
{
    static const char *const unsupported[][2] = {
        {"environment_id", "an AWS identity"},
        {"executable", "a program that prints a token"},
        {"certificate", "a client certificate"},
    };

    for (size_t i = 0; i < 3; i++)
        ENSURE(!json_object_get(source, unsupported[i][0]), KS_E_UNSUPPORTED,
               "federation by %s is not supported; use a token in a file or from a URL",
               unsupported[i][1]);
    TRY(parse_format(source, f));
    if (json_object_get(source, "file"))
        return take(source, "file", f->file, sizeof f->file);
    TRY(take_url(source, "url", f->url));
    return parse_headers(source, f);
}

static ks_rc parse_external_account(const json_t *doc, struct gcp_credentials *c)
{
    json_t *source = NULL;

    TRY(mem_new(1, sizeof *c->federation, &c->federation));
    struct gcp_federation *f = c->federation;
    TRY(take(doc, "audience", f->audience, sizeof f->audience));
    TRY(take(doc, "subject_token_type", f->subject_token_type, sizeof f->subject_token_type));
    TRY(take_url(doc, "token_url", c->token_url));
    TRY(may_take(doc, "workforce_pool_user_project", f->user_project, sizeof f->user_project));
    ENSURE(strspn(f->user_project, "abcdefghijklmnopqrstuvwxyz0123456789-:.") ==
               strlen(f->user_project),
           KS_E_USAGE, "\"workforce_pool_user_project\" is no project");
    if (json_object_get(doc, "service_account_impersonation_url"))
        TRY(take_url(doc, "service_account_impersonation_url", c->impersonation_url));
    TRY(json_get_object(doc, "credential_source", &source));
    return parse_source(source, f);
}

static ks_rc parse_any(const json_t *doc, int nesting, struct gcp_credentials *c) KS_MUST;

static ks_rc parse_impersonated(const json_t *doc, int nesting, struct gcp_credentials *c)
{
    json_t *delegates = NULL, *source = NULL;

    TRY(take_url(doc, "service_account_impersonation_url", c->impersonation_url));
    TRY(json_may_array(doc, "delegates", GCP_HOPS_MAX, &delegates));
    for (size_t i = 0; i < json_array_size(delegates); i++) {
        const char *text = json_string_value(json_array_get(delegates, i));
        ENSURE(text && strlen(text) < GCP_EMAIL_BYTES, KS_E_USAGE,
               "\"delegates\" holds what is no service account");
        memcpy(c->delegates[c->delegate_count++], text, strlen(text) + 1);
    }
    ENSURE(nesting < NESTED_MAX, KS_E_USAGE, "\"source_credentials\" are impersonated themselves");
    TRY(json_get_object(doc, "source_credentials", &source));
    TRY(mem_new(1, sizeof *c->source, &c->source));
    return ks_wrap(parse_any(source, nesting + 1, c->source), "\"source_credentials\"");
}

static const char *const kinds[] = {
    [GCP_SERVICE_ACCOUNT] = "service_account",
    [GCP_AUTHORIZED_USER] = "authorized_user",
    [GCP_EXTERNAL_ACCOUNT] = "external_account",
    [GCP_IMPERSONATED] = "impersonated_service_account",
};

static ks_rc find_kind(const json_t *doc, enum gcp_kind *ret)
{
    const char *type;

    TRY(json_get_text(doc, "type", 64, &type));
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i], type) == 0) {
            *ret = (enum gcp_kind)i;
            return KS_SUCCESS;
        }
    return ks_fail(KS_E_UNSUPPORTED,
                   "its type is none of service_account, authorized_user, external_account, "
                   "impersonated_service_account");
}

static ks_rc parse_any(const json_t *doc, int nesting, struct gcp_credentials *c)
{
    ENSURE(json_is_object(doc), KS_E_USAGE, "it is no JSON object");
    TRY(find_kind(doc, &c->kind));
    TRY(may_take(doc, "universe_domain", c->universe, sizeof c->universe));
    ENSURE(strspn(c->universe, "abcdefghijklmnopqrstuvwxyz0123456789-.") == strlen(c->universe),
           KS_E_USAGE, "\"universe_domain\" is no domain");
    TRY(may_take(doc, "quota_project_id", c->quota_project, sizeof c->quota_project));
    ENSURE(!strpbrk(c->quota_project, "\r\n "), KS_E_USAGE, "\"quota_project_id\" is no project");
    switch (c->kind) {
    case GCP_SERVICE_ACCOUNT:
        return parse_service_account(doc, c);
    case GCP_AUTHORIZED_USER:
        return parse_authorized_user(doc, c);
    case GCP_EXTERNAL_ACCOUNT:
        return parse_external_account(doc, c);
    case GCP_IMPERSONATED:
        return parse_impersonated(doc, nesting, c);
    }
    return ks_fail(KS_E_BUG, "credentials of kind %d", c->kind);
}

static ks_rc parse(struct view text, struct gcp_credentials *c)
{
    CLEANUP(json_decrefp) json_t *doc = NULL;
    struct json_limits limits = {FILE_MAX, DEPTH_MAX};

    TRY(json_read(text, limits, "the credentials", &doc));
    return parse_any(doc, 0, c);
}

/* What is wrong with a file of ours is never an answer about the customer's key. */
static ks_rc as_credential(ks_rc rc)
{
    char reason[320];

    if (ks_ok(rc) || (rc.cls != KS_CLASS_USAGE && rc.cls != KS_CLASS_IO))
        return rc;
    snprintf(reason, sizeof reason, "%s", ks_text(rc));
    return ks_fail(KS_E_CREDENTIAL, "%s", reason);
}

ks_rc gcp_credentials_parse(struct view text, struct gcp_credentials **ret)
{
    CLEANUP(gcp_credentials_freep) struct gcp_credentials *c = NULL;

    TRY(mem_new(1, sizeof *c, &c));
    TRY(as_credential(parse(text, c)));
    *ret = TAKE(c);
    return KS_SUCCESS;
}

static ks_rc read_file(const char *path, bool may_be_absent, struct gcp_credentials **ret)
{
    CLEANUP(secret_freep) struct secret *text = NULL;
    struct secret_file_bounds bounds = {2, FILE_MAX, "a credentials file"};
    ks_rc rc = secret_file_read(io_posix(), path, bounds, &text);

    if (may_be_absent && (ks_is_os(rc, ENOENT) || ks_is_os(rc, ENOTDIR))) {
        *ret = NULL;
        return KS_SUCCESS;
    }
    if (ks_ok(rc))
        rc = gcp_credentials_parse(secret_view(text), ret);
    return ks_wrap(as_credential(rc), "the credentials file %.200s", path);
}

/* Where gcloud auth application-default login puts them; false when there can be none. */
static bool gcloud_path(const struct gcp_net *net, char ret[GCP_PATH_BYTES])
{
    const char *config = gcp_env(net, "CLOUDSDK_CONFIG"), *home = gcp_env(net, "HOME");
    int len = 0;

    if (config)
        len = snprintf(ret, GCP_PATH_BYTES, "%s/application_default_credentials.json", config);
    else if (home)
        len = snprintf(ret, GCP_PATH_BYTES,
                       "%s/.config/gcloud/application_default_credentials.json", home);
    return len > 0 && len < GCP_PATH_BYTES && ret[0] == '/';
}

ks_rc gcp_credentials_find(const struct gcp_net *net, struct gcp_credentials **ret)
{
    const char *named = gcp_env(net, "GOOGLE_APPLICATION_CREDENTIALS");
    char path[GCP_PATH_BYTES];

    if (named)
        return read_file(named, false, ret);
    if (gcloud_path(net, path))
        return read_file(path, true, ret);
    *ret = NULL;
    return KS_SUCCESS;
}

void gcp_credentials_free(struct gcp_credentials *c)
{
    if (!c)
        return;
    gcp_credentials_free(c->source);
    rsa_free(c->key);
    secret_free(c->client_secret);
    secret_free(c->refresh_token);
    mem_free(c->federation);
    mem_free(c);
}

void gcp_credentials_freep(struct gcp_credentials **c)
{
    gcp_credentials_free(*c);
}
