/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/gcp_token.c - the requests that give an access token, one function for each way.
 *
 * Invariant: assertions, subject tokens and tokens are in guarded or wiped memory only.
 */
#include "kms/gcp_token.h"

#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"
#include "kms/secret_file.h"

enum {
    BODY_MAX = 32 * 1024,
    DEPTH_MAX = 8,
    ASSERTION_S = 3600,
    METADATA_CONNECT_MS = 1000,
    FILE_LIFETIME_S = 300, /* nothing says how long such a token lives: it is read again before */
};

static const char SCOPE[] = "https://www.googleapis.com/auth/cloud-platform";
static const char FORM[] = "application/x-www-form-urlencoded";
static const char JSON[] = "application/json";

void gcp_token_done(struct gcp_token *t)
{
    secret_free(t->text);
    *t = (struct gcp_token){0};
}

ks_rc gcp_bearer(const struct secret *text, struct buf *ret)
{
    TRY(buf_append(ret, view_text("Bearer ")));
    return buf_append(ret, secret_view(text));
}

/* One more field of a form. Everything but the unreserved characters is escaped (RFC 3986). */
static ks_rc form_add(struct buf *form, const char *name, struct view value)
{
    static const char hex[] = "0123456789ABCDEF";
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    TRY(buf_printf(form, "%s%s=", form->len ? "&" : "", name));
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.bytes[i];
        const char escaped[3] = {'%', hex[c >> 4], hex[c & 15]};
        bool is_plain = c && strchr(plain, c);
        TRY(buf_append(form, is_plain ? view_of(&value.bytes[i], 1) : view_of(escaped, 3)));
    }
    return KS_SUCCESS;
}

/* --- replies --- */

static ks_rc bad(ks_rc rc)
{
    char reason[320];

    if (ks_ok(rc) || (rc.cls != KS_CLASS_USAGE && !ks_is(rc, KS_E_LIMIT)))
        return rc;
    snprintf(reason, sizeof reason, "%s", ks_text(rc));
    return ks_fail(KS_E_BAD_REPLY, "%s", reason);
}

/* It becomes part of a header line. */
static ks_rc keep_token(const char *text, struct secret **ret)
{
    size_t len = strlen(text), good = 0;

    while (text[good] > ' ' && text[good] <= '~')
        good++;
    ENSURE(len > 0 && good == len, KS_E_BAD_REPLY, "the token is empty or no printable text");
    return secret_copy(view_text(text), ret);
}

static ks_rc read_doc(struct view body, json_t **ret)
{
    struct json_limits limits = {GCP_REPLY_MAX, DEPTH_MAX};

    return bad(json_read(body, limits, "the reply with a token", ret));
}

ks_rc gcp_token_parse(struct view body, struct secret **ret_text, uint32_t *ret_lifetime_s)
{
    CLEANUP(json_decrefp) json_t *doc = NULL;
    int64_t lifetime_s = ASSERTION_S;
    const char *text;

    TRY(read_doc(body, &doc));
    TRY(bad(json_get_text(doc, "access_token", GCP_TOKEN_MAX, &text)));
    TRY(bad(json_may_int(doc, "expires_in", 0, INT32_MAX, &lifetime_s)));
    TRY(keep_token(text, ret_text));
    *ret_lifetime_s = (uint32_t)(lifetime_s < GCP_LIFETIME_S_MAX ? lifetime_s : GCP_LIFETIME_S_MAX);
    return KS_SUCCESS;
}

/* "2026-11-22T01:02:03Z", also with a fraction. */
static bool parse_time(const char *text, int64_t *ret_s)
{
    char whole[CLOCK_TEXT_BYTES];
    size_t len = strcspn(text, ".Z");

    if (len + 2 > sizeof whole)
        return false;
    snprintf(whole, sizeof whole, "%.*sZ", (int)len, text);
    return clock_parse(whole, ret_s);
}

/* The end is told by the clock of the service, which may differ from ours: what looks over or far off is
 * taken as one minute. Too short a time costs a request, too long a one a 401 that is mended. */
ks_rc gcp_token_parse_generated(struct view body, int64_t now_s, struct secret **ret_text,
                                uint32_t *ret_lifetime_s)
{
    CLEANUP(json_decrefp) json_t *doc = NULL;
    const char *text, *end;
    int64_t end_s;

    TRY(read_doc(body, &doc));
    TRY(bad(json_get_text(doc, "accessToken", GCP_TOKEN_MAX, &text)));
    TRY(bad(json_get_text(doc, "expireTime", 64, &end)));
    ENSURE(parse_time(end, &end_s), KS_E_BAD_REPLY, "\"expireTime\" is no time");
    TRY(keep_token(text, ret_text));
    int64_t left_s = end_s - now_s;
    *ret_lifetime_s = left_s > 0 && left_s <= GCP_LIFETIME_S_MAX ? (uint32_t)left_s : 60;
    return KS_SUCCESS;
}

/* --- requests --- */

static ks_rc post(const struct gcp_net *net, const struct kms_call *call,
                  const struct gcp_request *request, enum gcp_asked asked, struct http_reply *ret)
{
    TRY(gcp_send(net, call, request, ret));
    /* ids of token services would take the place of the key service's own */
    return gcp_reply_rc(ret, asked, NULL);
}

static ks_rc post_form(const struct gcp_net *net, const struct kms_call *call, const char *url,
                       const struct buf *form, struct gcp_token *ret)
{
    CLEANUP(http_reply_done) struct http_reply reply = {0};
    struct gcp_request request = {
        .method = "POST", .url = url, .content_type = FORM, .body = buf_view(form)};

    TRY(post(net, call, &request, GCP_ASKED_OWN, &reply));
    return gcp_token_parse(buf_view(&reply.body), &ret->text, &ret->lifetime_s);
}

/* One part of a JWT: JSON, base64url. */
static ks_rc jwt_part(json_t *object, struct buf *ret)
{
    CLEANUP(buf_done) struct buf text = buf_init(BODY_MAX);
    CLEANUP(json_decrefp) json_t *mine = object;

    ENSURE(mine, KS_E_NO_MEMORY, "no memory for an assertion");
    TRY(json_write(mine, false, &text));
    return base64_write(buf_view(&text), BASE64_URL, ret);
}

static ks_rc make_assertion(const struct gcp_credentials *c, int64_t now_s, struct buf *ret)
{
    CLEANUP(buf_done) struct buf signature = buf_init(1024);
    json_t *header =
        c->key_id[0] ? json_pack("{s:s,s:s,s:s}", "alg", "RS256", "typ", "JWT", "kid", c->key_id)
                     : json_pack("{s:s,s:s}", "alg", "RS256", "typ", "JWT");

    TRY(jwt_part(header, ret));
    TRY(buf_append(ret, view_text(".")));
    TRY(jwt_part(json_pack("{s:s,s:s,s:s,s:I,s:I}", "iss", c->email, "scope", SCOPE, "aud",
                           c->token_url, "iat", (json_int_t)now_s, "exp",
                           (json_int_t)now_s + ASSERTION_S),
                 ret));
    TRY(rsa_sign_rs256(c->key, buf_view(ret), &signature));
    TRY(buf_append(ret, view_text(".")));
    return base64_write(buf_view(&signature), BASE64_URL, ret);
}

static ks_rc fetch_service_account(const struct gcp_net *net, const struct kms_call *call,
                                   const struct gcp_credentials *c, struct gcp_token *ret)
{
    CLEANUP(buf_done) struct buf form = buf_init_wiping(BODY_MAX);
    CLEANUP(buf_done) struct buf assertion = buf_init_wiping(BODY_MAX);

    TRY(make_assertion(c, clock_wall_s(net->clock), &assertion));
    TRY(form_add(&form, "grant_type", view_text("urn:ietf:params:oauth:grant-type:jwt-bearer")));
    TRY(form_add(&form, "assertion", buf_view(&assertion)));
    return post_form(net, call, c->token_url, &form, ret);
}

static ks_rc fetch_authorized_user(const struct gcp_net *net, const struct kms_call *call,
                                   const struct gcp_credentials *c, struct gcp_token *ret)
{
    CLEANUP(buf_done) struct buf form = buf_init_wiping(BODY_MAX);

    TRY(form_add(&form, "grant_type", view_text("refresh_token")));
    TRY(form_add(&form, "client_id", view_text(c->client_id)));
    TRY(form_add(&form, "client_secret", secret_view(c->client_secret)));
    TRY(form_add(&form, "refresh_token", secret_view(c->refresh_token)));
    return post_form(net, call, c->token_url, &form, ret);
}

static ks_rc subject_from_json(const struct gcp_federation *f, struct view text,
                               struct secret **ret)
{
    CLEANUP(json_decrefp) json_t *doc = NULL;
    struct json_limits limits = {GCP_REPLY_MAX, DEPTH_MAX};
    const char *token;

    TRY(json_read(text, limits, "the subject token", &doc));
    TRY(json_get_text(doc, f->field, GCP_TOKEN_MAX, &token));
    return secret_copy(view_text(token), ret);
}

static ks_rc subject_of(const struct gcp_federation *f, struct view text, struct secret **ret)
{
    if (f->field[0])
        return subject_from_json(f, text, ret);
    while (text.len && (text.bytes[text.len - 1] == '\n' || text.bytes[text.len - 1] == '\r'))
        text.len--;
    ENSURE(text.len, KS_E_USAGE, "the subject token is empty");
    return secret_copy(text, ret);
}

static ks_rc subject_from_file(const struct gcp_federation *f, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *text = NULL;
    struct secret_file_bounds bounds = {1, GCP_REPLY_MAX, "a subject token"};
    ks_rc rc = secret_file_read(io_posix(), f->file, bounds, &text);

    if (ks_ok(rc))
        rc = subject_of(f, secret_view(text), ret);
    return ks_wrap(rc, "the file %.200s", f->file);
}

static ks_rc subject_from_url(const struct gcp_net *net, const struct kms_call *call,
                              const struct gcp_federation *f, struct secret **ret)
{
    CLEANUP(http_reply_done) struct http_reply reply = {0};
    struct gcp_request request = {.method = "GET", .url = f->url};

    for (size_t i = 0; i < f->header_count; i++)
        request.extra[i] = (struct http_header){f->headers[i].name, f->headers[i].value};
    TRY(gcp_send(net, call, &request, &reply));
    ENSURE(reply.status == 200, reply.status >= 500 ? KS_E_UNREACHABLE : KS_E_CREDENTIAL,
           "the source of the subject token answers with HTTP status %d", reply.status);
    return subject_of(f, buf_view(&reply.body), ret);
}

static ks_rc as_credential(ks_rc rc)
{
    char reason[400];

    if (ks_ok(rc) || (rc.cls != KS_CLASS_USAGE && rc.cls != KS_CLASS_IO))
        return rc;
    snprintf(reason, sizeof reason, "%s", ks_text(rc));
    return ks_fail(KS_E_CREDENTIAL, "%s", reason);
}

static ks_rc exchange_form(const struct gcp_federation *f, const struct secret *subject,
                           struct buf *ret)
{
    TRY(form_add(ret, "grant_type", view_text("urn:ietf:params:oauth:grant-type:token-exchange")));
    TRY(form_add(ret, "audience", view_text(f->audience)));
    TRY(form_add(ret, "scope", view_text(SCOPE)));
    TRY(form_add(ret, "requested_token_type",
                 view_text("urn:ietf:params:oauth:token-type:access_token")));
    TRY(form_add(ret, "subject_token", secret_view(subject)));
    TRY(form_add(ret, "subject_token_type", view_text(f->subject_token_type)));
    if (f->user_project[0]) {
        char options[GCP_PROJECT_BYTES + 32];
        snprintf(options, sizeof options, "{\"userProject\":\"%s\"}", f->user_project);
        TRY(form_add(ret, "options", view_text(options)));
    }
    return KS_SUCCESS;
}

static ks_rc fetch_external_account(const struct gcp_net *net, const struct kms_call *call,
                                    const struct gcp_credentials *c, struct gcp_token *ret)
{
    CLEANUP(buf_done) struct buf form = buf_init_wiping(BODY_MAX);
    CLEANUP(secret_freep) struct secret *subject = NULL;
    const struct gcp_federation *f = c->federation;

    TRY(as_credential(f->file[0] ? subject_from_file(f, &subject)
                                 : subject_from_url(net, call, f, &subject)));
    TRY(exchange_form(f, subject, &form));
    return post_form(net, call, c->token_url, &form, ret);
}

static ks_rc generate_body(const struct gcp_target *target, struct buf *ret)
{
    CLEANUP(json_decrefp) json_t *doc = NULL;
    json_t *delegates = json_array();
    char lifetime[16];
    int is_bad = 0;

    snprintf(lifetime, sizeof lifetime, "%us", target->lifetime_s);
    for (size_t i = 0; i < target->delegate_count; i++)
        is_bad |= json_array_append_new(delegates, json_string(target->delegates[i]));
    doc =
        json_pack("{s:[s],s:o,s:s}", "scope", SCOPE, "delegates", delegates, "lifetime", lifetime);
    ENSURE(doc && !is_bad, KS_E_NO_MEMORY, "no memory for a request");
    return json_write(doc, false, ret);
}

ks_rc gcp_token_impersonate(const struct gcp_net *net, const struct kms_call *call,
                            const struct gcp_token *as, const struct gcp_target *target,
                            struct gcp_token *ret)
{
    CLEANUP(buf_done) struct buf bearer = buf_init_wiping(GCP_TOKEN_MAX + 16);
    CLEANUP(buf_done) struct buf body = buf_init(BODY_MAX);
    CLEANUP(http_reply_done) struct http_reply reply = {0};
    struct gcp_token t = {0};

    TRY(generate_body(target, &body));
    TRY(gcp_bearer(as->text, &bearer));
    struct gcp_request request = {.method = "POST",
                                  .url = target->url,
                                  .authorization = buf_text(&bearer),
                                  .quota_project = as->quota_project,
                                  .content_type = JSON,
                                  .body = buf_view(&body)};
    TRY(post(net, call, &request, target->asked, &reply));
    TRY(gcp_token_parse_generated(buf_view(&reply.body), clock_wall_s(net->clock), &t.text,
                                  &t.lifetime_s));
    memcpy(t.universe, as->universe, sizeof t.universe);
    memcpy(t.quota_project, as->quota_project, sizeof t.quota_project);
    *ret = t;
    return KS_SUCCESS;
}

/* --- sources --- */

static ks_rc fetch_from_credentials(const struct gcp_net *net, const struct kms_call *call,
                                    const struct gcp_credentials *c, struct gcp_token *ret) KS_MUST;

static ks_rc fetch_one(const struct gcp_net *net, const struct kms_call *call,
                       const struct gcp_credentials *c, struct gcp_token *ret)
{
    switch (c->kind) {
    case GCP_SERVICE_ACCOUNT:
        return fetch_service_account(net, call, c, ret);
    case GCP_AUTHORIZED_USER:
        return fetch_authorized_user(net, call, c, ret);
    case GCP_EXTERNAL_ACCOUNT:
        return fetch_external_account(net, call, c, ret);
    case GCP_IMPERSONATED:
        return fetch_from_credentials(net, call, c->source, ret);
    }
    return ks_fail(KS_E_BUG, "credentials of kind %d", c->kind);
}

static ks_rc fetch_from_credentials(const struct gcp_net *net, const struct kms_call *call,
                                    const struct gcp_credentials *c, struct gcp_token *ret)
{
    CLEANUP(gcp_token_done) struct gcp_token t = {0};

    TRY(fetch_one(net, call, c, &t));
    memcpy(t.universe, c->universe, sizeof t.universe);
    memcpy(t.quota_project, c->quota_project, sizeof t.quota_project);
    if (c->impersonation_url[0]) {
        struct gcp_target target = {.url = c->impersonation_url,
                                    .delegate_count = c->delegate_count,
                                    .lifetime_s = ASSERTION_S,
                                    .asked = GCP_ASKED_OWN};
        for (size_t i = 0; i < c->delegate_count; i++)
            target.delegates[i] = c->delegates[i];
        return gcp_token_impersonate(net, call, &t, &target, ret);
    }
    *ret = t;
    t = (struct gcp_token){0};
    return KS_SUCCESS;
}

static ks_rc check_metadata(const struct http_reply *reply)
{
    char flavor[16];

    ENSURE(http_reply_header(reply, "Metadata-Flavor", flavor, sizeof flavor) &&
               strcmp(flavor, "Google") == 0,
           KS_E_BAD_REPLY, "what answers in the place of the metadata server is none of Google's");
    ENSURE(reply->status != 404, KS_E_CREDENTIAL,
           "the metadata server knows no service account of this machine");
    ENSURE(reply->status != 429, KS_E_THROTTLED, "the metadata server throttles");
    ENSURE(reply->status < 500, KS_E_UNREACHABLE, "the metadata server answers with HTTP status %d",
           reply->status);
    ENSURE(reply->status == 200, KS_E_CREDENTIAL, "the metadata server answers with HTTP status %d",
           reply->status);
    return KS_SUCCESS;
}

static ks_rc fetch_from_metadata(const struct gcp_net *net, const struct kms_call *call,
                                 struct gcp_token *ret)
{
    CLEANUP(http_reply_done) struct http_reply reply = {0};
    const char *host = gcp_env(net, "GCE_METADATA_HOST");
    char url[GCP_URL_BYTES];

    snprintf(url, sizeof url,
             "http://%.1000s/computeMetadata/v1/instance/service-accounts/default/token",
             host ? host : "metadata.google.internal");
    struct gcp_request request = {.method = "GET",
                                  .url = url,
                                  .extra = {{"Metadata-Flavor", "Google"}},
                                  .connect_ms_max = METADATA_CONNECT_MS};
    ks_rc rc = gcp_send(net, call, &request, &reply);
    if (ks_is(rc, KS_E_UNREACHABLE))
        return ks_fail(KS_E_CREDENTIAL,
                       "there are no credentials: GOOGLE_APPLICATION_CREDENTIALS names no file, "
                       "gcloud left none, and no metadata server answers at %.100s",
                       host ? host : "metadata.google.internal");
    TRY(rc);
    TRY(check_metadata(&reply));
    return gcp_token_parse(buf_view(&reply.body), &ret->text, &ret->lifetime_s);
}

static ks_rc fetch_from_file(const char *path, struct gcp_token *ret)
{
    CLEANUP(secret_freep) struct secret *line = NULL;

    TRY(secret_line_read(io_posix(), path, &line));
    struct view text = secret_view(line);
    for (size_t i = 0; i < text.len; i++)
        ENSURE(text.bytes[i] > ' ' && text.bytes[i] <= '~', KS_E_CREDENTIAL,
               "the file %.200s holds no access token", path);
    ret->text = TAKE(line);
    ret->lifetime_s = FILE_LIFETIME_S;
    return KS_SUCCESS;
}

static ks_rc fetch(const struct gcp_net *net, const struct kms_call *call, struct gcp_token *ret)
{
    CLEANUP(gcp_credentials_freep) struct gcp_credentials *c = NULL;
    const char *path = gcp_env(net, "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE");

    if (path)
        return fetch_from_file(path, ret);
    TRY(gcp_credentials_find(net, &c));
    return c ? fetch_from_credentials(net, call, c, ret) : fetch_from_metadata(net, call, ret);
}

ks_rc gcp_token_fetch(const struct gcp_net *net, const struct kms_call *call, struct gcp_token *ret)
{
    CLEANUP(gcp_token_done) struct gcp_token t = {0};
    const char *project = gcp_env(net, "GOOGLE_CLOUD_QUOTA_PROJECT");

    TRY(ks_wrap(fetch(net, call, &t), "fetching an access token"));
    if (project && strlen(project) < sizeof t.quota_project)
        memcpy(t.quota_project, project, strlen(project) + 1);
    *ret = t;
    t = (struct gcp_token){0};
    return KS_SUCCESS;
}
