/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/vault_auth.c - tokens for Vault and OpenBao.
 *
 * Tokens and secret ids are in guarded memory, on their way out in wiping memory. No error text holds any of them.
 */
#include "kms/vault_auth.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kms/secret_file.h"

#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount/token"

/* --- the principal --- */

static const char forms[] =
    "write nothing, /PATH, credential:NAME, approle:ROLE_ID@/PATH-OF-SECRET-ID or "
    "kubernetes:ROLE";

static ks_rc copy(const char *from, size_t len, char *to, size_t room, const char *what)
{
    ENSURE(len > 0 && len < room, KS_E_USAGE, "%s of the Vault principal is empty or too long",
           what);
    memcpy(to, from, len);
    to[len] = 0;
    return KS_SUCCESS;
}

static ks_rc check_mount(const char *mount)
{
    size_t len =
        strspn(mount, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-");

    ENSURE(mount[0] && mount[len] == 0 && !strstr(mount, ".."), KS_E_USAGE,
           "\"%.60s\" is no mount of an auth method", mount);
    return KS_SUCCESS;
}

static ks_rc check_source(const char *source)
{
    ENSURE(source[0] == '/' || strncmp(source, "credential:", 11) == 0, KS_E_USAGE,
           "\"%.60s\" is neither an absolute path nor credential:NAME", source);
    return KS_SUCCESS;
}

/* "ROLE[@SOURCE][;mount=NAME]" */
static ks_rc parse_login(const char *text, const char *mount, const char *source,
                         struct vault_auth *a)
{
    const char *option = strstr(text, ";mount="), *at = strchr(text, '@');
    size_t len = option ? (size_t)(option - text) : strlen(text);

    if (option)
        mount = option + 7;
    TRY(check_mount(mount));
    TRY(copy(mount, strlen(mount), a->mount, sizeof a->mount, "the mount"));
    size_t role_len = at && at < text + len ? (size_t)(at - text) : len;
    TRY(copy(text, role_len, a->role, sizeof a->role, "the role"));
    if (role_len < len)
        TRY(copy(at + 1, len - role_len - 1, a->source, sizeof a->source, "the file"));
    else
        TRY(copy(source, strlen(source), a->source, sizeof a->source,
                 "the file of the secret id (behind @)"));
    return check_source(a->source);
}

static ks_rc parse_principal(const char *principal, struct vault_auth *a)
{
    a->method = VAULT_TOKEN;
    if (!principal[0])
        return KS_SUCCESS;
    if (principal[0] == '/' || strncmp(principal, "credential:", 11) == 0)
        return copy(principal, strlen(principal), a->source, sizeof a->source, "the file");
    if (strncmp(principal, "approle:", 8) == 0) {
        a->method = VAULT_APPROLE;
        return parse_login(principal + 8, "approle", "", a);
    }
    if (strncmp(principal, "kubernetes:", 11) == 0) {
        a->method = VAULT_KUBERNETES;
        return parse_login(principal + 11, "kubernetes", SERVICE_ACCOUNT, a);
    }
    return ks_fail(KS_E_USAGE, "the principal \"%.60s\" is not known to Vault: %s", principal,
                   forms);
}

ks_rc vault_auth_init(struct rest *rest, const char *principal, struct vault_auth *a)
{
    a->rest = rest;
    return ks_wrap(parse_principal(principal, a), "auth principal");
}

void vault_auth_done(struct vault_auth *a)
{
    secret_free(TAKE(a->token));
}

/* --- where secrets come from --- */

static ks_rc read_source(const struct vault_auth *a, const char *source, struct secret **ret)
{
    char path[SECRET_FILE_PATH_BYTES];

    if (source[0] == '/')
        return secret_line_read(io_posix(), source, ret);
    TRY(secret_file_in(rest_env(a->rest, "CREDENTIALS_DIRECTORY"), source + 11, path));
    return secret_line_read(io_posix(), path, ret);
}

static ks_rc find_token(const struct vault_auth *a, struct secret **ret)
{
    static const char *const names[] = {"BAO_TOKEN", "VAULT_TOKEN"};
    CLEANUP(mem_freep) char *path = NULL;

    if (a->source[0])
        return read_source(a, a->source, ret);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *token = rest_env(a->rest, names[i]);
        if (token)
            return secret_copy(view_text(token), ret);
    }
    const char *file = rest_env(a->rest, "VAULT_TOKEN_FILE"), *home = rest_env(a->rest, "HOME");
    if (file)
        return secret_line_read(io_posix(), file, ret);
    ENSURE(home, KS_E_CREDENTIAL, "there is no token for Vault: set VAULT_TOKEN or name a file");
    TRY(mem_format(&path, "%s/.vault-token", home));
    return ks_wrap(secret_line_read(io_posix(), path, ret),
                   "there is no token for Vault in VAULT_TOKEN or VAULT_TOKEN_FILE");
}

/* --- requests --- */

static ks_rc send(const struct vault_auth *a, const struct kms_call *call, const char *path,
                  const struct secret *token, const json_t *body, struct rest_reply *ret)
{
    CLEANUP(mem_freep) char *url = NULL;
    struct http_header headers[] = {
        {"X-Vault-Request", "true"},
        {"X-Vault-Token", token ? (const char *)secret_view(token).bytes : NULL},
        {"X-Vault-Namespace", a->ns[0] ? a->ns : NULL},
        {NULL, NULL},
    };

    TRY(mem_format(&url, "%s/v1/auth/%s", a->base, path));
    struct rest_request request = {
        .method = body ? "POST" : "GET", .url = url, .headers = headers, .json = body};
    return rest_send(a->rest, call, &request, ret);
}

/* A copy with a terminator, as headers need it. */
static ks_rc terminated(struct view text, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *copy = NULL;

    ENSURE(text.len > 0 && text.len < VAULT_TOKEN_BYTES, KS_E_CREDENTIAL,
           "the token for Vault is empty or too long");
    for (size_t i = 0; i < text.len; i++)
        ENSURE(text.bytes[i] > ' ' && text.bytes[i] < 0x7f, KS_E_CREDENTIAL,
               "the token for Vault holds characters that no token has");
    TRY(secret_new(text.len + 1, &copy));
    memcpy(secret_bytes(copy), text.bytes, text.len);
    *ret = TAKE(copy);
    return KS_SUCCESS;
}

static void keep(struct vault_auth *a, struct secret *token, const struct vault_lease *lease,
                 const struct kms_call *call)
{
    uint64_t now = clock_boot_ms(call->clock), ms = (uint64_t)lease->seconds * 1000;

    if (token) {
        secret_free(a->token);
        a->token = token;
    }
    a->end_ms = ms ? now + ms : 0;
    a->renew_ms = ms && lease->is_renewable ? now + ms / 3 * 2 : 0;
}

/* What the token itself says about its time; without a right to ask it is used until it is refused. */
static void learn_lease(struct vault_auth *a, const struct kms_call *call)
{
    CLEANUP(rest_reply_done) struct rest_reply reply = {.status = 0};
    struct vault_lease lease = {.token = NULL};

    if (ks_ok(send(a, call, "token/lookup-self", a->token, NULL, &reply)) && reply.status == 200 &&
        reply.json && ks_ok(vault_read_lookup(reply.json, &lease)))
        keep(a, NULL, &lease, call);
}

/* The credential that the login sends, by method. */
static json_t *login_body(const struct vault_auth *a, struct view secret)
{
    const char *text = (const char *)secret.bytes;

    if (a->method == VAULT_APPROLE)
        return json_pack("{s:s, s:s%}", "role_id", a->role, "secret_id", text, secret.len);
    return json_pack("{s:s, s:s%}", "role", a->role, "jwt", text, secret.len);
}

/* Whatever keeps a login from succeeding is no answer about a key. */
static ks_rc not_about_a_key(ks_rc rc)
{
    char why[300];

    if (ks_ok(rc) || rc.cls == KS_CLASS_UNREACHABLE || rc.cls == KS_CLASS_LIMIT)
        return rc;
    snprintf(why, sizeof why, "%s", ks_text(rc));
    return ks_fail(KS_E_CREDENTIAL, "%s", why);
}

static ks_rc login(struct vault_auth *a, const struct kms_call *call)
{
    CLEANUP(rest_reply_done) struct rest_reply reply = {.status = 0};
    CLEANUP(secret_freep) struct secret *secret = NULL, *token = NULL;
    CLEANUP(json_decrefp) json_t *body = NULL;
    CLEANUP(mem_freep) char *path = NULL;
    struct vault_lease lease;

    TRY(read_source(a, a->source, &secret));
    body = login_body(a, secret_view(secret));
    ENSURE(body, KS_E_CREDENTIAL, "the secret for the login at %.60s is no text", a->mount);
    TRY(mem_format(&path, "%s/login", a->mount));
    TRY(send(a, call, path, NULL, body, &reply));
    TRY(ks_wrap(not_about_a_key(vault_answer(&reply, "login", NULL)), "auth method %.60s",
                a->mount));
    TRY(vault_read_login(reply.json, &lease));
    TRY(terminated(view_text(lease.token), &token));
    keep(a, TAKE(token), &lease, call);
    return KS_SUCCESS;
}

static ks_rc take_token(struct vault_auth *a, const struct kms_call *call)
{
    CLEANUP(secret_freep) struct secret *found = NULL, *token = NULL;
    struct vault_lease unknown = {.token = NULL};

    TRY(find_token(a, &found));
    TRY(terminated(secret_view(found), &token));
    keep(a, TAKE(token), &unknown, call);
    learn_lease(a, call);
    return KS_SUCCESS;
}

static ks_rc obtain(struct vault_auth *a, const struct kms_call *call)
{
    return a->method == VAULT_TOKEN ? take_token(a, call) : login(a, call);
}

/* A renewal that fails leaves the token as it is: it is good until its time is over, and half of what is left is
 * waited before the next one. */
static void renew(struct vault_auth *a, const struct kms_call *call)
{
    CLEANUP(rest_reply_done) struct rest_reply reply = {.status = 0};
    CLEANUP(json_decrefp) json_t *body = json_object();
    struct vault_lease lease;

    uint64_t now = clock_boot_ms(call->clock);
    a->renew_ms = now + (a->end_ms - now) / 2;
    if (body && ks_ok(send(a, call, "token/renew-self", a->token, body, &reply)) &&
        reply.status == 200 && reply.json && ks_ok(vault_read_login(reply.json, &lease)))
        keep(a, NULL, &lease, call);
}

static ks_rc get_locked(struct vault_auth *a, const struct kms_call *call, struct secret **ret)
{
    uint64_t now = clock_boot_ms(call->clock);

    if (a->token && a->end_ms && now >= a->end_ms)
        secret_free(TAKE(a->token));
    if (!a->token)
        TRY(obtain(a, call));
    else if (a->renew_ms && now >= a->renew_ms)
        renew(a, call);
    return secret_copy(secret_view(a->token), ret);
}

ks_rc vault_auth_get(struct vault_auth *a, const struct kms_call *call, struct secret **ret)
{
    pthread_mutex_lock(&a->mutex);
    ks_rc rc = get_locked(a, call, ret);
    pthread_mutex_unlock(&a->mutex);
    return rc;
}

void vault_auth_drop(struct vault_auth *a, const struct secret *token)
{
    pthread_mutex_lock(&a->mutex);
    if (a->token && secret_is_equal(secret_view(a->token), secret_view(token)))
        secret_free(TAKE(a->token));
    pthread_mutex_unlock(&a->mutex);
}

ks_rc vault_auth_is_alive(struct vault_auth *a, const struct kms_call *call,
                          const struct secret *token, bool *ret)
{
    CLEANUP(rest_reply_done) struct rest_reply reply = {.status = 0};
    enum vault_verdict verdict;

    TRY(send(a, call, "token/lookup-self", token, NULL, &reply));
    ks_rc rc = vault_answer(&reply, "token/lookup-self", &verdict);
    if (rc.cls == KS_CLASS_UNREACHABLE && !ks_is(rc, KS_E_CREDENTIAL))
        return rc;
    /* A token whose policies do not let it look at itself is told so, and is alive. */
    *ret = ks_ok(rc) || (ks_is(rc, KS_E_DENIED) && verdict == VAULT_FINAL);
    return KS_SUCCESS;
}
