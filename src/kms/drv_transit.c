/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/drv_transit.c - the driver for keys in the transit engine of Vault and OpenBao.
 *
 * Spec: uri "https://HOST[:PORT]/v1/MOUNT/keys/NAME[?namespace=NS]", or "MOUNT/keys/NAME" with the address from BAO_ADDR or VAULT_ADDR;
 * auth_principal as in kms/vault_auth.h. Never creates a key: an encryption with a name that is not known would, so
 * the key is looked at before. A token that is no good is replaced once within a call.
 *
 * Ciphertext: an envelope (kms/bound.h) with "v3" as reference, around flags 1 (1: derived key) | text of the service. The
 * context is sent as associated data, for derived keys as context too, and is wrapped with the key for servers
 * that overlook associated data.
 */
#include <stdio.h>

#include "base/base64.h"
#include "base/codec.h"
#include "base/environment.h"
#include "base/mem.h"
#include "kms/bound.h"
#include "kms/vault_auth.h"

enum { NAME_BYTES = 256, TEXT_MAX = 16384, FLAG_DERIVED = 1, TRIES = 2 };

struct transit {
    struct kms base; /* first */
    struct rest rest;
    struct vault_auth auth;
    char mount[NAME_BYTES], name[NAME_BYTES];
};

static struct transit *of(struct kms *kms)
{
    return (struct transit *)(void *)kms;
}

/* --- the spec --- */

#define EXAMPLE "https://vault.example.com:8200/v1/transit/keys/orders"

static ks_rc check_part(const char *text, const char *what)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-";

    ENSURE(text[0] && text[strspn(text, allowed)] == 0 && !strstr(text, "..") && text[0] != '/',
           KS_E_USAGE, "\"%.60s\" is no %s of Vault; write the key as " EXAMPLE, text, what);
    return KS_SUCCESS;
}

static ks_rc copy(const char *from, size_t len, char *to, size_t room)
{
    ENSURE(len > 0 && len < room, KS_E_USAGE,
           "a part of the uri is empty or too long; write it as " EXAMPLE);
    memcpy(to, from, len);
    to[len] = 0;
    return KS_SUCCESS;
}

/* "MOUNT/keys/NAME" */
static ks_rc parse_path(struct transit *d, const char *path)
{
    const char *keys = strstr(path, "/keys/");

    ENSURE(keys, KS_E_USAGE, "the uri names no key of a transit engine; write it as " EXAMPLE);
    TRY(copy(path, (size_t)(keys - path), d->mount, sizeof d->mount));
    TRY(copy(keys + 6, strlen(keys + 6), d->name, sizeof d->name));
    TRY(check_part(d->mount, "mount"));
    ENSURE(!strchr(d->name, '/'), KS_E_USAGE, "\"%.60s\" is no name of a key", d->name);
    return check_part(d->name, "name of a key");
}

static ks_rc parse_namespace(struct transit *d, char *uri)
{
    static const char *const names[] = {"BAO_NAMESPACE", "VAULT_NAMESPACE"};
    char *query = strchr(uri, '?');
    const char *ns = NULL;

    if (query) {
        ENSURE(strncmp(query, "?namespace=", 11) == 0, KS_E_USAGE,
               "the uri has something else behind ? than namespace=; write it as " EXAMPLE);
        *query = 0;
        ns = query + 11;
    }
    for (size_t i = 0; i < 2 && !ns; i++)
        ns = rest_env(&d->rest, names[i]);
    if (!ns)
        return KS_SUCCESS;
    TRY(copy(ns, strlen(ns), d->auth.ns, sizeof d->auth.ns));
    return check_part(d->auth.ns, "namespace");
}

static ks_rc parse_full(struct transit *d, const char *uri)
{
    const char *path = strstr(uri, "/v1/");

    TRY(rest_check_url(uri, "the uri of the key"));
    ENSURE(path, KS_E_USAGE, "the uri has no /v1/; write it as " EXAMPLE);
    TRY(copy(uri, (size_t)(path - uri), d->auth.base, sizeof d->auth.base));
    return parse_path(d, path + 4);
}

static ks_rc parse_short(struct transit *d, const char *uri)
{
    const char *address = rest_env(&d->rest, "BAO_ADDR");

    if (!address)
        address = rest_env(&d->rest, "VAULT_ADDR");
    ENSURE(address, KS_E_USAGE,
           "the uri names no host and VAULT_ADDR is not set; write it as " EXAMPLE);
    TRY(rest_check_url(address, "VAULT_ADDR"));
    size_t len = strlen(address);
    while (len && address[len - 1] == '/')
        len--;
    TRY(copy(address, len, d->auth.base, sizeof d->auth.base));
    return parse_path(d, uri);
}

static ks_rc parse(struct transit *d, const struct key_spec *spec)
{
    char uri[KEY_URI_BYTES];

    memcpy(uri, spec->uri, sizeof uri);
    TRY(parse_namespace(d, uri));
    TRY(strstr(uri, "://") ? parse_full(d, uri) : parse_short(d, uri));
    return vault_auth_init(&d->rest, spec->auth_principal, &d->auth);
}

/* --- requests --- */

static ks_rc send(struct transit *d, const struct kms_call *call, const char *verb,
                  const json_t *body, const struct secret *token, struct rest_reply *ret)
{
    CLEANUP(mem_freep) char *url = NULL;
    struct http_header headers[] = {
        {"X-Vault-Request", "true"},
        {"X-Vault-Token", (const char *)secret_view(token).bytes},
        {"X-Vault-Namespace", d->auth.ns[0] ? d->auth.ns : NULL},
        {NULL, NULL},
    };

    TRY(mem_format(&url, "%s/v1/%s/%s/%s", d->auth.base, d->mount, verb, d->name));
    struct rest_request request = {
        .method = body ? "POST" : "GET", .url = url, .headers = headers, .json = body};
    return rest_send(&d->rest, call, &request, ret);
}

/* Whether a refused request was refused because of the token. */
static ks_rc is_token_bad(struct transit *d, const struct kms_call *call,
                          enum vault_verdict verdict, const struct secret *token, bool *ret)
{
    bool is_alive = true;

    if (verdict == VAULT_TOKEN_UNSURE)
        TRY(vault_auth_is_alive(&d->auth, call, token, &is_alive));
    *ret = verdict == VAULT_TOKEN_BAD || !is_alive;
    return KS_SUCCESS;
}

static ks_rc attempt(struct transit *d, const struct kms_call *call, const char *verb,
                     const json_t *body, struct rest_reply *ret, bool *ret_is_token_bad)
{
    CLEANUP(rest_reply_done) struct rest_reply reply = {.status = 0};
    CLEANUP(secret_freep) struct secret *token = NULL;
    enum vault_verdict verdict;

    TRY(vault_auth_get(&d->auth, call, &token));
    TRY(send(d, call, verb, body, token, &reply));
    ks_rc rc = vault_answer(&reply, verb, &verdict);
    if (ks_ok(rc)) {
        ENSURE(reply.json, KS_E_BAD_REPLY, "%s: the reply is empty", verb);
        *ret = reply;
        reply = (struct rest_reply){.status = 0};
        return KS_SUCCESS;
    }
    char why[400];
    snprintf(why, sizeof why, "%s", ks_text(rc));
    TRY(is_token_bad(d, call, verdict, token, ret_is_token_bad));
    if (!*ret_is_token_bad)
        return ks_fail((enum ks_code)rc.code, "%s", why);
    vault_auth_drop(&d->auth, token);
    return ks_fail(KS_E_CREDENTIAL, "the token is not valid (any more): %s", why);
}

static void note_request(const struct kms_call *call, const json_t *json)
{
    const char *id = NULL;

    if (call->note && ks_ok(json_may_text(json, "request_id", 100, &id)) && id)
        rest_printable(id, call->note->request_id, sizeof call->note->request_id);
}

/* One request, and once more with another token when the first one was no good. */
static ks_rc ask(struct transit *d, const struct kms_call *call, const char *verb,
                 const json_t *body, struct rest_reply *ret)
{
    bool is_bad = true;
    ks_rc rc = KS_SUCCESS;

    for (int i = 0; i < TRIES && is_bad; i++) {
        is_bad = false;
        rc = attempt(d, call, verb, body, ret, &is_bad);
    }
    if (ks_ok(rc))
        note_request(call, ret->json);
    return rc;
}

static ks_rc get_key(struct transit *d, const struct kms_call *call, struct vault_key *ret)
{
    CLEANUP(rest_reply_done) struct rest_reply reply = {.status = 0};
    struct vault_key key;

    TRY(ask(d, call, "keys", NULL, &reply));
    TRY(vault_read_key(reply.json, &key));
    ENSURE(!key.is_soft_deleted, KS_E_KEY_DISABLED,
           "the key is soft-deleted; restore it with keys/%.60s/soft-delete-restore", d->name);
    ENSURE(key.is_aead, KS_E_USAGE,
           "the key is of type %.60s; wraps need aes256-gcm96 without convergent encryption",
           key.type);
    *ret = key;
    return KS_SUCCESS;
}

/* --- wrap --- */

static ks_rc add_bytes(json_t *body, const char *name, struct view bytes)
{
    CLEANUP(buf_done) struct buf text = buf_init_wiping(TEXT_MAX);

    TRY(base64_write(bytes, BASE64_STANDARD, &text));
    ENSURE(json_object_set_new(body, name, json_stringn((const char *)text.bytes, text.len)) == 0,
           KS_E_NO_MEMORY, "no memory for a request");
    return KS_SUCCESS;
}

/* The context, in the fields that the key takes. */
static ks_rc add_context(json_t *body, const struct key_context *context, bool is_derived)
{
    CLEANUP(buf_done) struct buf aad = buf_init(KEY_BLOB_MAX);

    TRY(key_context_aad(context, &aad));
    TRY(add_bytes(body, "associated_data", buf_view(&aad)));
    return is_derived ? add_bytes(body, "context", buf_view(&aad)) : KS_SUCCESS;
}

static ks_rc encrypt(struct transit *d, const struct kms_call *call,
                     const struct key_context *context, const struct secret *plain, bool is_derived,
                     struct rest_reply *ret)
{
    CLEANUP(secret_freep) struct secret *bound = NULL;
    CLEANUP(json_decrefp) json_t *body = json_object();

    ENSURE(body, KS_E_NO_MEMORY, "no memory for a request");
    TRY(bound_plain(context, plain, &bound));
    TRY(add_bytes(body, "plaintext", secret_view(bound)));
    TRY(add_context(body, context, is_derived));
    return ask(d, call, "encrypt", body, ret);
}

static ks_rc write_blob(const struct key_context *context, const char *text, bool is_derived,
                        const char *version, struct buf *ret_blob)
{
    CLEANUP(buf_done) struct buf inner = buf_init(KEY_BLOB_MAX);
    struct wr w = wr_init(&inner);
    struct envelope e;

    wr_u8(&w, is_derived ? FLAG_DERIVED : 0);
    wr_bytes(&w, view_text(text));
    TRY(wr_done(&w));
    snprintf(e.reference, sizeof e.reference, "%s", version);
    e.ciphertext = buf_view(&inner);
    return envelope_write(&e, context, ret_blob);
}

static ks_rc transit_wrap(struct kms *kms, const struct kms_call *call,
                          const struct key_context *context, const struct secret *plain,
                          struct buf *ret_blob, char ret_version[KEY_VERSION_BYTES])
{
    CLEANUP(rest_reply_done) struct rest_reply reply = {.status = 0};
    char version_text[KEY_VERSION_BYTES];
    struct vault_key key;
    const char *text;
    int64_t version;

    TRY(get_key(of(kms), call, &key));
    TRY(encrypt(of(kms), call, context, plain, key.is_derived, &reply));
    TRY(vault_read_ciphertext(reply.json, &text, &version));
    snprintf(version_text, sizeof version_text, "v%lld", (long long)version);
    TRY(write_blob(context, text, key.is_derived, version_text, ret_blob));
    memcpy(ret_version, version_text, sizeof version_text);
    return KS_SUCCESS;
}

/* --- unwrap --- */

static ks_rc read_inner(const struct envelope *e, char text[VAULT_CIPHERTEXT_BYTES],
                        bool *ret_is_derived)
{
    struct rd r = rd_init(e->ciphertext);
    uint8_t flags = rd_u8(&r);
    struct view v = rd_view(&r, rd_left(&r));

    rd_expect(&r,
              flags <= FLAG_DERIVED && v.len > 0 && v.len < VAULT_CIPHERTEXT_BYTES &&
                  !memchr(v.bytes, 0, v.len),
              "was not made by a transit engine");
    TRY(rd_done(&r));
    memcpy(text, v.bytes, v.len);
    text[v.len] = 0;
    *ret_is_derived = flags == FLAG_DERIVED;
    return KS_SUCCESS;
}

static ks_rc transit_unwrap(struct kms *kms, const struct kms_call *call,
                            const struct key_context *context, struct view blob,
                            struct secret **ret_plain)
{
    CLEANUP(rest_reply_done) struct rest_reply reply = {.status = 0};
    CLEANUP(secret_freep) struct secret *bound = NULL;
    CLEANUP(json_decrefp) json_t *body = NULL;
    char text[VAULT_CIPHERTEXT_BYTES];
    struct envelope e;
    bool is_derived;

    TRY(envelope_read(blob, context, &e));
    TRY(read_inner(&e, text, &is_derived));
    body = json_pack("{s:s}", "ciphertext", text);
    ENSURE(body, KS_E_FORMAT, "the wrapped key was not made by a transit engine");
    TRY(add_context(body, context, is_derived));
    TRY(ask(of(kms), call, "decrypt", body, &reply));
    TRY(vault_read_plaintext(reply.json, &bound));
    return bound_open(context, secret_view(bound), ret_plain);
}

static ks_rc transit_version(struct kms *kms, const struct kms_call *call,
                             const struct key_context *context, char ret[KEY_VERSION_BYTES])
{
    struct vault_key key;

    (void)context;
    TRY(get_key(of(kms), call, &key));
    snprintf(ret, KEY_VERSION_BYTES, "v%lld", (long long)key.latest_version);
    return KS_SUCCESS;
}

/* --- the table --- */

static void transit_close(struct kms *kms)
{
    if (!kms)
        return;
    vault_auth_done(&of(kms)->auth);
    pthread_mutex_destroy(&of(kms)->auth.mutex);
    rest_done(&of(kms)->rest);
    mem_free(kms);
}

static const char *either(const struct kms_conf *conf, const char *bao, const char *vault)
{
    struct rest r = {NULL, conf->env ? conf->env : environment_get, conf->env_arg};
    const char *value = rest_env(&r, bao);

    return value ? value : rest_env(&r, vault);
}

static ks_rc transit_open(const struct kms_conf *conf, struct kms **ret)
{
    struct transit *d;

    TRY(mem_new(1, sizeof *d, &d));
    d->base.driver = &kms_driver_transit;
    pthread_mutex_init(&d->auth.mutex, NULL);
    ks_rc rc = rest_init(conf, either(conf, "BAO_CACERT", "VAULT_CACERT"), &d->rest);
    if (ks_ok(rc))
        rc = parse(d, conf->spec);
    if (!ks_ok(rc)) {
        transit_close(&d->base);
        return rc;
    }
    *ret = &d->base;
    return KS_SUCCESS;
}

static void transit_scope(const struct kms *kms, char ret[KMS_SCOPE_BYTES])
{
    const struct transit *d = (const struct transit *)(const void *)kms;

    snprintf(ret, KMS_SCOPE_BYTES, "vault:%.150s:%.80s", strstr(d->auth.base, "://") + 3,
             d->auth.ns);
}

static ks_rc try_read(struct kms *kms, const struct kms_call *call,
                      const struct key_context *context)
{
    char version[KEY_VERSION_BYTES];

    return transit_version(kms, call, context, version);
}

static ks_rc try_encrypt(struct kms *kms, const struct kms_call *call,
                         const struct key_context *context)
{
    CLEANUP(buf_done) struct buf blob = buf_init(KEY_BLOB_MAX);
    CLEANUP(secret_freep) struct secret *plain = NULL;
    char version[KEY_VERSION_BYTES];

    TRY(secret_new(32, &plain));
    return transit_wrap(kms, call, context, plain, &blob, version);
}

static ks_rc try_decrypt(struct kms *kms, const struct kms_call *call,
                         const struct key_context *context)
{
    CLEANUP(buf_done) struct buf blob = buf_init(KEY_BLOB_MAX);
    CLEANUP(secret_freep) struct secret *plain = NULL, *opened = NULL;
    char version[KEY_VERSION_BYTES];

    TRY(secret_new(32, &plain));
    TRY(transit_wrap(kms, call, context, plain, &blob, version));
    return transit_unwrap(kms, call, context, buf_view(&blob), &opened);
}

static const struct kms_permission permissions[] = {
    {"read MOUNT/keys/NAME", "without it new wraps and rotations fail", true, try_read},
    {"update MOUNT/encrypt/NAME", "without it new wraps and rotations fail", true, try_encrypt},
    {"update MOUNT/decrypt/NAME", "without it volumes cannot be opened", true, try_decrypt},
    {NULL, NULL, false, NULL},
};

const struct kms_driver kms_driver_transit = {
    .type = "VAULT_TRANSIT",
    .abi = KMS_DRIVER_ABI,
    .caps = KMS_CAP_CONTEXT | KMS_CAP_VERSIONS,
    .open = transit_open,
    .wrap = transit_wrap,
    .unwrap = transit_unwrap,
    .version = transit_version,
    .close = transit_close,
    .scope = transit_scope,
    .permissions = permissions,
};
