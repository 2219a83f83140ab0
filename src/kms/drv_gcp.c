/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/drv_gcp.c - the driver for keys in Google Cloud KMS.
 *
 * Spec: uri "projects/P/locations/L/keyRings/R/cryptoKeys/K", auth_principal "" or the service account as which the
 * key is used. The wrap's context is the additional authenticated data of the service. One attempt for each call; a
 * 401 is mended with a new token once, because a token may end before its time. Asks the service nothing at open.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kms/driver.h"
#include "kms/gcp_auth.h"
#include "kms/gcp_reply.h"

enum { BODY_MAX = 64 * 1024, PARTS = 8, TRIES = 2 };

struct gcp_driver {
    struct kms base; /* first */
    char key[KEY_URI_BYTES];
    char project[GCP_PROJECT_BYTES];
    struct gcp_net net;
    struct gcp_auth *auth;
};

static struct gcp_driver *of(struct kms *kms)
{
    return (struct gcp_driver *)(void *)kms;
}

/* --- the spec --- */

/* The parts of a resource name, between slashes; NULL: a name of those characters and at most that long. */
static const struct {
    const char *word, *allowed;
    size_t len_max;
} parts[PARTS] = {
    {"projects", NULL, 0},
    {NULL, "abcdefghijklmnopqrstuvwxyz0123456789-.:", 94},
    {"locations", NULL, 0},
    {NULL, "abcdefghijklmnopqrstuvwxyz0123456789-", 63},
    {"keyRings", NULL, 0},
    {NULL, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", 63},
    {"cryptoKeys", NULL, 0},
    {NULL, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", 63},
};

static bool fits_part(const char *at, size_t len, size_t part)
{
    if (parts[part].word)
        return len == strlen(parts[part].word) && memcmp(at, parts[part].word, len) == 0;
    return len > 0 && len <= parts[part].len_max && strspn(at, parts[part].allowed) == len;
}

static ks_rc malformed(const char *uri)
{
    const char *version = strstr(uri, "/cryptoKeyVersions");

    ENSURE(
        !version, KS_E_USAGE,
        "\"%.300s\" names a version; name the key, without %.80s: the service chooses the version",
        uri, version);
    return ks_fail(KS_E_USAGE,
                   "\"%.200s\" names no key; write it as "
                   "gcp_cloud_kms:projects/P/locations/L/keyRings/R/cryptoKeys/K",
                   uri);
}

static ks_rc check_uri(struct gcp_driver *d, const char *uri)
{
    const char *at = uri;

    for (size_t part = 0; part < PARTS; part++) {
        size_t len = strcspn(at, "/");
        bool is_last = part == PARTS - 1;
        if (!fits_part(at, len, part) || (at[len] == 0) != is_last)
            return malformed(uri);
        if (part == 1)
            snprintf(d->project, sizeof d->project, "%.*s", (int)len, at);
        at += len + (is_last ? 0 : 1);
    }
    memcpy(d->key, uri, strlen(uri) + 1);
    return KS_SUCCESS;
}

static void gcp_close(struct kms *kms)
{
    if (!kms)
        return;
    gcp_auth_free(of(kms)->auth);
    gcp_net_done(&of(kms)->net);
    mem_free(kms);
}

static ks_rc setup(struct gcp_driver *d, const struct kms_conf *conf)
{
    TRY(check_uri(d, conf->spec->uri));
    TRY(gcp_net_init(conf, &d->net));
    return gcp_auth_new(&d->net, conf->spec->auth_principal, &d->auth);
}

static ks_rc gcp_open(const struct kms_conf *conf, struct kms **ret)
{
    struct gcp_driver *d;

    TRY(mem_new(1, sizeof *d, &d));
    d->base.driver = &kms_driver_gcp;
    ks_rc rc = setup(d, conf);
    if (!ks_ok(rc)) {
        gcp_close(&d->base);
        return rc;
    }
    *ret = &d->base;
    return KS_SUCCESS;
}

static void gcp_scope(const struct kms *kms, char ret[KMS_SCOPE_BYTES])
{
    const struct gcp_driver *d = (const struct gcp_driver *)(const void *)kms;

    snprintf(ret, KMS_SCOPE_BYTES, "gcp:%s", d->project);
}

/* --- calls --- */

/* One request for the key; verb "" is a GET. */
static ks_rc send_once(struct gcp_driver *d, const struct kms_call *call, const char *verb,
                       const struct gcp_grant *grant, struct view body, struct http_reply *ret)
{
    char url[GCP_URL_BYTES], endpoint[GCP_URL_BYTES];

    TRY(gcp_endpoint(&d->net, GCP_KMS, grant->universe, endpoint));
    int len = snprintf(url, sizeof url, "%s/v1/%s%s", endpoint, d->key, verb);
    ENSURE(len > 0 && len < (int)sizeof url, KS_E_USAGE, "the endpoint is too long");
    struct gcp_request request = {.method = verb[0] ? "POST" : "GET",
                                  .url = url,
                                  .authorization = buf_text(&grant->bearer),
                                  .quota_project = grant->quota_project,
                                  .content_type = verb[0] ? "application/json" : NULL,
                                  .body = body};
    return gcp_send(&d->net, call, &request, ret);
}

static ks_rc ask(struct gcp_driver *d, const struct kms_call *call, const char *verb,
                 struct view body, struct http_reply *ret)
{
    for (int try = 1; try <= TRIES; try++) {
        CLEANUP(gcp_grant_done) struct gcp_grant grant = {0};
        CLEANUP(http_reply_done) struct http_reply reply = {0};
        TRY(gcp_auth_get(d->auth, call, &grant));
        TRY(send_once(d, call, verb, &grant, body, &reply));
        if (reply.status == 401)
            gcp_auth_reject(d->auth, grant.serial);
        if (reply.status == 401 && try < TRIES)
            continue;
        TRY(gcp_reply_rc(&reply, GCP_ASKED_KMS, call->note));
        *ret = reply;
        reply = (struct http_reply){0};
        return KS_SUCCESS;
    }
    return ks_fail(KS_E_BUG, "a request was not sent");
}

static ks_rc gcp_wrap(struct kms *kms, const struct kms_call *call,
                      const struct key_context *context, const struct secret *plain,
                      struct buf *ret_blob, char ret_version[KEY_VERSION_BYTES])
{
    CLEANUP(buf_done) struct buf aad = buf_init(KEY_BLOB_MAX);
    CLEANUP(buf_done) struct buf body = buf_init_wiping(BODY_MAX);
    CLEANUP(http_reply_done) struct http_reply reply = {0};
    struct gcp_driver *d = of(kms);

    TRY(key_context_aad(context, &aad));
    TRY(gcp_encrypt_body(secret_view(plain), buf_view(&aad), &body));
    TRY(ask(d, call, ":encrypt", buf_view(&body), &reply));
    return gcp_encrypt_reply(buf_view(&reply.body), d->key, ret_blob, ret_version);
}

static ks_rc gcp_unwrap(struct kms *kms, const struct kms_call *call,
                        const struct key_context *context, struct view blob,
                        struct secret **ret_plain)
{
    CLEANUP(buf_done) struct buf aad = buf_init(KEY_BLOB_MAX);
    CLEANUP(buf_done) struct buf body = buf_init_wiping(BODY_MAX);
    CLEANUP(http_reply_done) struct http_reply reply = {0};
    struct gcp_driver *d = of(kms);

    TRY(key_context_aad(context, &aad));
    TRY(gcp_decrypt_body(blob, buf_view(&aad), &body));
    TRY(ask(d, call, ":decrypt", buf_view(&body), &reply));
    return gcp_decrypt_reply(buf_view(&reply.body), ret_plain);
}

static ks_rc gcp_version(struct kms *kms, const struct kms_call *call,
                         const struct key_context *context, char ret[KEY_VERSION_BYTES])
{
    CLEANUP(http_reply_done) struct http_reply reply = {0};
    struct gcp_driver *d = of(kms);

    (void)context;
    TRY(ask(d, call, "", view_of(NULL, 0), &reply));
    return gcp_key_reply(buf_view(&reply.body), d->key, ret);
}

/* --- rights --- */

static ks_rc try_token(struct kms *kms, const struct kms_call *call,
                       const struct key_context *context)
{
    (void)context;
    return gcp_auth_try(of(kms)->auth, call);
}

/* Of a right on the key nothing can be said as long as nobody is there to have it. */
static ks_rc need_token(struct kms *kms, const struct kms_call *call)
{
    CLEANUP(gcp_grant_done) struct gcp_grant grant = {0};
    ks_rc rc = gcp_auth_get(of(kms)->auth, call, &grant);

    if (rc.cls == KS_CLASS_DENIED)
        return ks_fail(KS_E_CREDENTIAL, "it cannot be tried before we may act as the account");
    return rc;
}

static ks_rc make_blob(struct kms *kms, const struct kms_call *call,
                       const struct key_context *context, struct buf *ret)
{
    CLEANUP(secret_freep) struct secret *plain = NULL;
    char version[KEY_VERSION_BYTES];

    TRY(secret_copy(view_text("keystead key check"), &plain));
    return gcp_wrap(kms, call, context, plain, ret, version);
}

static ks_rc try_encrypt(struct kms *kms, const struct kms_call *call,
                         const struct key_context *context)
{
    CLEANUP(buf_done) struct buf blob = buf_init(KEY_BLOB_MAX);

    TRY(need_token(kms, call));
    return make_blob(kms, call, context, &blob);
}

/* Without the right to encrypt there is nothing to decrypt. The service looks at the right first and at the
 * ciphertext then, so its complaint about a wrong one says that the right is there. */
static ks_rc try_decrypt(struct kms *kms, const struct kms_call *call,
                         const struct key_context *context)
{
    CLEANUP(buf_done) struct buf blob = buf_init(KEY_BLOB_MAX);
    CLEANUP(secret_freep) struct secret *plain = NULL;

    TRY(need_token(kms, call));
    if (ks_ok(make_blob(kms, call, context, &blob)))
        return gcp_unwrap(kms, call, context, buf_view(&blob), &plain);
    ks_rc rc = gcp_unwrap(kms, call, context, view_text("no ciphertext"), &plain);
    return rc.cls == KS_CLASS_CORRUPT ? KS_SUCCESS : rc;
}

static ks_rc try_get(struct kms *kms, const struct kms_call *call,
                     const struct key_context *context)
{
    char version[KEY_VERSION_BYTES];

    TRY(need_token(kms, call));
    return gcp_version(kms, call, context, version);
}

static const struct kms_permission permissions[] = {
    {"iam.serviceAccounts.getAccessToken", "the key cannot be used as the service account", true,
     try_token},
    {"cloudkms.cryptoKeyVersions.useToEncrypt", "new volumes, wraps and rotations fail", true,
     try_encrypt},
    {"cloudkms.cryptoKeyVersions.useToDecrypt", "no volume under this key can be opened", true,
     try_decrypt},
    {"cloudkms.cryptoKeys.get", "new versions of the key go unnoticed", false, try_get},
    {NULL, NULL, false, NULL},
};

const struct kms_driver kms_driver_gcp = {
    .type = "GCP_CLOUD_KMS",
    .abi = KMS_DRIVER_ABI,
    .caps = KMS_CAP_CONTEXT | KMS_CAP_VERSIONS,
    .open = gcp_open,
    .wrap = gcp_wrap,
    .unwrap = gcp_unwrap,
    .version = gcp_version,
    .close = gcp_close,
    .scope = gcp_scope,
    .permissions = permissions,
};
