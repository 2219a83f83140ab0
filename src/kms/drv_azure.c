/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/drv_azure.c - the driver for RSA keys in Azure Key Vault and Managed HSM.
 *
 * Spec: uri "https://NAME.vault.azure.net/keys/KEY[/VERSION]"; auth_principal as in kms/azure_token.h. Wraps with RSA-OAEP-256,
 * which takes no context, so the context is wrapped with the key. The service still wraps with a key that is
 * disabled and refuses only to unwrap: so each wrap is unwrapped once before it counts.
 *
 * Ciphertext: an envelope (kms/bound.h) with the key's name and version as reference, around the value.
 */
#include <stdio.h>

#include "base/base64.h"
#include "base/mem.h"
#include "kms/azure_token.h"
#include "kms/bound.h"

enum { TRIES = 2, TEXT_MAX = 8192, VALUE_BYTES_MAX = 1024 };

struct azure {
    struct kms base; /* first */
    struct rest rest;
    struct azure_token token;
    struct azure_key key;
};

static struct azure *of(struct kms *kms)
{
    return (struct azure *)(void *)kms;
}

/* --- requests --- */

static ks_rc make_url(const struct azure *d, enum azure_verb verb, const char *version, char **ret)
{
    static const char *const paths[] = {"", "/wrapkey", "/unwrapkey"};

    return mem_format(ret, "%s/keys/%s%s%s%s?api-version=7.4", d->key.base, d->key.name,
                      version[0] ? "/" : "", version, paths[verb]);
}

/* What a 401 says: a wrong tenant or domain is told, a missing tenant is learned. */
static ks_rc heed_challenge(struct azure *d, const struct rest_reply *reply)
{
    struct azure_challenge challenge;
    char header[1024];

    if (!http_reply_header(&reply->raw, "WWW-Authenticate", header, sizeof header))
        return KS_SUCCESS;
    TRY(azure_challenge_parse(header, &challenge));
    ENSURE(azure_challenge_is_for(&challenge, d->key.host), KS_E_CREDENTIAL,
           "the vault asks for a token of %.100s, which is not its own domain; none is given",
           challenge.resource);
    if (azure_token_needs_tenant(&d->token))
        azure_token_set_tenant(&d->token, challenge.tenant);
    return KS_SUCCESS;
}

static ks_rc attempt(struct azure *d, const struct kms_call *call, enum azure_verb verb,
                     const struct rest_request *request, struct rest_reply *ret,
                     bool *ret_is_refused)
{
    CLEANUP(rest_reply_done) struct rest_reply reply = {.status = 0};
    CLEANUP(secret_freep) struct secret *token = NULL;
    struct rest_request with_token = *request;

    if (!azure_token_needs_tenant(&d->token))
        TRY(azure_token_get(&d->token, call, &token));
    struct http_header headers[] = {
        {"Authorization", token ? (const char *)secret_view(token).bytes : NULL}, {NULL, NULL}};
    with_token.headers = token ? headers : NULL;
    TRY(rest_send(&d->rest, call, &with_token, &reply));
    *ret_is_refused = reply.status == 401;
    if (reply.status == 401) {
        if (token)
            azure_token_drop(&d->token, token);
        TRY(heed_challenge(d, &reply));
    }
    TRY(azure_answer(verb, &reply));
    *ret = reply;
    reply = (struct rest_reply){.status = 0};
    return KS_SUCCESS;
}

/* One request, and once more with another token when the first one was refused or the tenant was not known. */
static ks_rc ask(struct azure *d, const struct kms_call *call, enum azure_verb verb,
                 const char *version, const json_t *body, struct rest_reply *ret)
{
    CLEANUP(mem_freep) char *url = NULL;
    bool is_refused = true;
    ks_rc rc = KS_SUCCESS;

    TRY(make_url(d, verb, version, &url));
    struct rest_request request = {.method = body ? "POST" : "GET",
                                   .url = url,
                                   .json = body,
                                   .request_id_header = "x-ms-request-id"};
    for (int i = 0; i < TRIES && is_refused; i++) {
        is_refused = false;
        rc = attempt(d, call, verb, &request, ret, &is_refused);
    }
    return rc;
}

/* wrapkey or unwrapkey of bytes, with one version. */
static ks_rc use(struct azure *d, const struct kms_call *call, enum azure_verb verb,
                 const char *version, struct view bytes, struct rest_reply *ret)
{
    CLEANUP(buf_done) struct buf text = buf_init_wiping(TEXT_MAX);
    CLEANUP(json_decrefp) json_t *body = NULL;

    TRY(base64_write(bytes, BASE64_URL, &text));
    body = json_pack("{s:s, s:s%}", "alg", "RSA-OAEP-256", "value", buf_text(&text), text.len);
    ENSURE(body, KS_E_NO_MEMORY, "no memory for a request");
    return ask(d, call, verb, version, body, ret);
}

static ks_rc check_same_key(const struct azure *d, const struct azure_key *kid)
{
    ENSURE(strcmp(kid->name, d->key.name) == 0, KS_E_BAD_REPLY,
           "the service answered for another key than %s", d->key.name);
    return KS_SUCCESS;
}

/* A value that is no base64 makes a reply that cannot be understood. */
static ks_rc bad_value(ks_rc rc)
{
    if (ks_ok(rc) || rc.cls != KS_CLASS_USAGE)
        return rc;
    return ks_fail(KS_E_BAD_REPLY, "the value in the reply of the key service is no base64");
}

static ks_rc unwrap_value(struct azure *d, const struct kms_call *call,
                          const struct key_context *context, const struct envelope *e,
                          struct secret **ret)
{
    CLEANUP(rest_reply_done) struct rest_reply reply = {.status = 0};
    CLEANUP(secret_freep) struct secret *bound = NULL;
    struct azure_key kid;
    const char *value;
    const char *version = strchr(e->reference, '/');

    TRY(use(d, call, AZURE_UNWRAP, version ? version + 1 : "", e->ciphertext, &reply));
    TRY(azure_read_value(reply.json, &kid, &value));
    TRY(check_same_key(d, &kid));
    TRY(bad_value(base64_read_secret(view_text(value), BASE64_URL, &bound)));
    return bound_open(context, secret_view(bound), ret);
}

/* --- wrap --- */

static ks_rc wrap_value(struct azure *d, const struct kms_call *call,
                        const struct key_context *context, const struct secret *plain,
                        struct envelope *ret, struct buf *ret_bytes)
{
    CLEANUP(rest_reply_done) struct rest_reply reply = {.status = 0};
    CLEANUP(secret_freep) struct secret *bound = NULL;
    struct azure_key kid;
    const char *value;

    TRY(bound_plain(context, plain, &bound));
    TRY(use(d, call, AZURE_WRAP, d->key.version, secret_view(bound), &reply));
    TRY(azure_read_value(reply.json, &kid, &value));
    TRY(check_same_key(d, &kid));
    TRY(bad_value(base64_read(view_text(value), BASE64_URL, ret_bytes)));
    snprintf(ret->reference, sizeof ret->reference, "%s/%s", kid.name, kid.version);
    ret->ciphertext = buf_view(ret_bytes);
    return KS_SUCCESS;
}

static ks_rc azure_wrap(struct kms *kms, const struct kms_call *call,
                        const struct key_context *context, const struct secret *plain,
                        struct buf *ret_blob, char ret_version[KEY_VERSION_BYTES])
{
    CLEANUP(buf_done) struct buf bytes = buf_init(VALUE_BYTES_MAX);
    CLEANUP(secret_freep) struct secret *again = NULL;
    struct envelope e;

    TRY(wrap_value(of(kms), call, context, plain, &e, &bytes));
    TRY(unwrap_value(of(kms), call, context, &e, &again));
    ENSURE(secret_is_equal(secret_view(again), secret_view(plain)), KS_E_BAD_REPLY,
           "the service does not give back what it wrapped");
    TRY(envelope_write(&e, context, ret_blob));
    snprintf(ret_version, KEY_VERSION_BYTES, "%s", strchr(e.reference, '/') + 1);
    return KS_SUCCESS;
}

/* --- unwrap --- */

/* The reference becomes part of a URL, and anybody may have written it. */
static ks_rc check_reference(const struct azure *d, const struct envelope *e)
{
    CLEANUP(mem_freep) char *kid = NULL;
    struct azure_key key;

    TRY(mem_format(&kid, "%s/keys/%s", d->key.base, e->reference));
    if (!ks_ok(azure_key_parse(kid, &key)) || !key.version[0])
        return ks_fail(KS_E_FORMAT, "the wrapped key was not made by Azure Key Vault");
    ENSURE(strcmp(key.name, d->key.name) == 0, KS_E_WRONG_KEY,
           "the wrapped key belongs to the key %.100s", key.name);
    return KS_SUCCESS;
}

static ks_rc azure_unwrap(struct kms *kms, const struct kms_call *call,
                          const struct key_context *context, struct view blob,
                          struct secret **ret_plain)
{
    struct envelope e;

    TRY(envelope_read(blob, context, &e));
    TRY(check_reference(of(kms), &e));
    return unwrap_value(of(kms), call, context, &e, ret_plain);
}

/* --- version --- */

static ks_rc version_by_get(struct azure *d, const struct kms_call *call,
                            char ret[KEY_VERSION_BYTES])
{
    CLEANUP(rest_reply_done) struct rest_reply reply = {.status = 0};
    struct azure_key kid;
    bool is_enabled;

    TRY(ask(d, call, AZURE_GET, d->key.version, NULL, &reply));
    TRY(azure_read_key(reply.json, &kid, &is_enabled));
    TRY(check_same_key(d, &kid));
    ENSURE(is_enabled, KS_E_KEY_DISABLED, "the key's newest version is disabled");
    snprintf(ret, KEY_VERSION_BYTES, "%s", kid.version);
    return KS_SUCCESS;
}

/* Many grant wrapping and unwrapping, but not reading; a wrap tells its version too. */
static ks_rc version_by_use(struct kms *kms, const struct kms_call *call,
                            const struct key_context *context, char ret[KEY_VERSION_BYTES])
{
    CLEANUP(buf_done) struct buf blob = buf_init(KEY_BLOB_MAX);
    CLEANUP(secret_freep) struct secret *plain = NULL;

    TRY(secret_new(32, &plain));
    return azure_wrap(kms, call, context, plain, &blob, ret);
}

static ks_rc azure_version(struct kms *kms, const struct kms_call *call,
                           const struct key_context *context, char ret[KEY_VERSION_BYTES])
{
    ks_rc rc = version_by_get(of(kms), call, ret);

    return ks_is(rc, KS_E_DENIED) ? version_by_use(kms, call, context, ret) : rc;
}

/* --- the table --- */

static void azure_close(struct kms *kms)
{
    if (!kms)
        return;
    azure_token_done(&of(kms)->token);
    pthread_mutex_destroy(&of(kms)->token.mutex);
    rest_done(&of(kms)->rest);
    mem_free(kms);
}

static ks_rc start(const struct kms_conf *conf, struct azure *d)
{
    TRY(rest_init(conf, NULL, &d->rest));
    TRY(azure_key_parse(conf->spec->uri, &d->key));
    return azure_token_init(&d->rest, conf->spec->auth_principal, d->key.host, &d->token);
}

static ks_rc azure_open(const struct kms_conf *conf, struct kms **ret)
{
    struct azure *d;

    TRY(mem_new(1, sizeof *d, &d));
    d->base.driver = &kms_driver_azure;
    pthread_mutex_init(&d->token.mutex, NULL);
    ks_rc rc = start(conf, d);
    if (!ks_ok(rc)) {
        azure_close(&d->base);
        return rc;
    }
    *ret = &d->base;
    return KS_SUCCESS;
}

static void azure_scope(const struct kms *kms, char ret[KMS_SCOPE_BYTES])
{
    snprintf(ret, KMS_SCOPE_BYTES, "azure:%.200s",
             ((const struct azure *)(const void *)kms)->key.host);
}

static ks_rc try_get(struct kms *kms, const struct kms_call *call,
                     const struct key_context *context)
{
    char version[KEY_VERSION_BYTES];

    (void)context;
    return version_by_get(of(kms), call, version);
}

static ks_rc try_wrap(struct kms *kms, const struct kms_call *call,
                      const struct key_context *context)
{
    CLEANUP(buf_done) struct buf bytes = buf_init(VALUE_BYTES_MAX);
    CLEANUP(secret_freep) struct secret *plain = NULL;
    struct envelope e;

    TRY(secret_new(32, &plain));
    return wrap_value(of(kms), call, context, plain, &e, &bytes);
}

static ks_rc try_unwrap(struct kms *kms, const struct kms_call *call,
                        const struct key_context *context)
{
    char version[KEY_VERSION_BYTES];

    return version_by_use(kms, call, context, version);
}

static const struct kms_permission permissions[] = {
    {"wrapKey", "without it new wraps and rotations fail", true, try_wrap},
    {"unwrapKey", "without it volumes cannot be opened", true, try_unwrap},
    {"get", "without it each look for a newer version costs a wrap and an unwrap", false, try_get},
    {NULL, NULL, false, NULL},
};

const struct kms_driver kms_driver_azure = {
    .type = "AZURE_KEY_VAULT",
    .abi = KMS_DRIVER_ABI,
    .caps = KMS_CAP_VERSIONS,
    .open = azure_open,
    .wrap = azure_wrap,
    .unwrap = azure_unwrap,
    .version = azure_version,
    .close = azure_close,
    .scope = azure_scope,
    .permissions = permissions,
};
