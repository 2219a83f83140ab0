/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/drv_pkcs11.c - the driver for AES keys in PKCS#11 tokens: HSMs, smart cards, SoftHSM.
 *
 * Spec: the part of a PKCS#11 URI (RFC 7512) behind "pkcs11:", with module-path; auth_principal the file with the PIN, or
 * empty. A call makes one attempt, and once more with the module initialised anew when a session or device
 * had died meanwhile. Calls into a module cannot be cut off: its own time limits hold.
 *
 * Ciphertext: an envelope (kms/bound.h) with the key's CKA_ID as reference, around
 * way 1 | first 8 bytes of SHA-256 of the label | initial value 12 | what the token gave.
 */
#include <stdio.h>

#include "base/codec.h"
#include "base/mem.h"
#include "base/random.h"
#include "crypto/hash.h"
#include "kms/bound.h"
#include "kms/driver.h"
#include "kms/p11_key.h"

enum { ATTEMPTS = 2, LABEL_SUM_BYTES = 8 };

struct pkcs11 {
    struct kms base; /* first */
    struct p11_token token;
};

/* One call: what goes in and where the answer goes. */
struct work {
    ks_rc (*run)(struct p11_session *, const struct work *) KS_MUST;
    const struct key_context *context;
    const struct secret *plain;
    struct view blob;
    struct buf *ret_blob;
    char *version;
    struct secret **ret_plain;
};

/* The inner ciphertext. */
struct wrapped {
    enum p11_way way;
    uint8_t label_sum[LABEL_SUM_BYTES], iv[P11_IV_BYTES];
    struct view data;
};

static struct pkcs11 *of(struct kms *kms)
{
    return (struct pkcs11 *)(void *)kms;
}

static ks_rc check_deadline(const struct kms_call *call)
{
    if (call->deadline_ms && clock_boot_ms(call->clock) >= call->deadline_ms)
        return ks_fail(KS_E_TIMEOUT, "the time for this call is over");
    return KS_SUCCESS;
}

static ks_rc attempt(struct pkcs11 *d, const struct work *w, uint64_t *ret_broken)
{
    CLEANUP(p11_session_end) struct p11_session s = {.token = NULL};
    ks_rc rc = p11_session_begin(&d->token, &s);

    if (ks_ok(rc))
        rc = w->run(&s, w);
    *ret_broken = s.is_broken ? s.generation : 0;
    return rc;
}

static ks_rc run(struct kms *kms, const struct kms_call *call, const struct work *w)
{
    struct pkcs11 *d = of(kms);
    ks_rc rc = KS_SUCCESS;
    uint64_t broken = 1;

    for (int i = 0; i < ATTEMPTS && broken; i++) {
        TRY(check_deadline(call));
        rc = attempt(d, w, &broken);
        if (broken)
            p11_module_reset(d->token.module, broken);
    }
    return rc;
}

static void version_of(const struct p11_key *key, char ret[KEY_VERSION_BYTES])
{
    size_t at = (size_t)snprintf(ret, KEY_VERSION_BYTES, "%s", key->id_len ? "" : "-");

    for (size_t i = 0; i < key->id_len; i++)
        at += (size_t)snprintf(ret + at, KEY_VERSION_BYTES - at, "%02x", key->id[i]);
}

static ks_rc label_sum(const struct p11_key *key, uint8_t ret[LABEL_SUM_BYTES])
{
    uint8_t digest[HASH_BYTES];

    TRY(hash_sha256(view_of(key->label, key->label_len), digest));
    memcpy(ret, digest, LABEL_SUM_BYTES);
    return KS_SUCCESS;
}

/* --- wrap --- */

static ks_rc seal(struct p11_session *s, struct p11_use *use, const struct work *w, struct buf *ret)
{
    CLEANUP(secret_freep) struct secret *plain = NULL;

    if (use->way == P11_WAY_GCM)
        TRY(secret_copy(secret_view(w->plain), &plain));
    else
        TRY(bound_plain(w->context, w->plain, &plain));
    return p11_seal(s, use, plain, ret);
}

static ks_rc write_blob(const struct p11_use *use, struct view data, const struct work *w)
{
    CLEANUP(buf_done) struct buf inner = buf_init(KEY_BLOB_MAX);
    struct wr out = wr_init(&inner);
    struct envelope e;
    uint8_t sum[LABEL_SUM_BYTES];

    TRY(label_sum(use->key, sum));
    wr_u8(&out, (uint8_t)use->way);
    wr_bytes(&out, view_of(sum, sizeof sum));
    wr_bytes(&out, view_of(use->iv, sizeof use->iv));
    wr_bytes(&out, data);
    TRY(wr_done(&out));
    version_of(use->key, e.reference);
    e.ciphertext = buf_view(&inner);
    TRY(envelope_write(&e, w->context, w->ret_blob));
    memcpy(w->version, e.reference, KEY_VERSION_BYTES);
    return KS_SUCCESS;
}

static ks_rc run_wrap(struct p11_session *s, const struct work *w)
{
    CLEANUP(buf_done) struct buf aad = buf_init(KEY_BLOB_MAX), data = buf_init(KEY_BLOB_MAX);
    CLEANUP(mem_freep) struct p11_keys *keys = NULL;
    struct p11_use use = {.key = NULL};

    TRY(mem_new(1, sizeof *keys, &keys));
    TRY(p11_key_find(s, keys));
    use.key = &keys->keys[0];
    TRY(p11_key_way(s, use.key, &use.way));
    TRY(key_context_aad(w->context, &aad));
    use.aad = buf_view(&aad);
    TRY(random_fill(random_system(), use.iv, sizeof use.iv));
    TRY(seal(s, &use, w, &data));
    return write_blob(&use, buf_view(&data), w);
}

/* --- unwrap --- */

static ks_rc read_inner(const struct envelope *e, struct wrapped *ret)
{
    struct rd r = rd_init(e->ciphertext);
    uint8_t way = rd_u8(&r);

    rd_bytes(&r, ret->label_sum, sizeof ret->label_sum);
    rd_bytes(&r, ret->iv, sizeof ret->iv);
    ret->data = rd_view(&r, rd_left(&r));
    rd_expect(&r, way >= P11_WAY_GCM && way <= P11_WAY_WRAP, "was not made by a PKCS#11 token");
    ret->way = way;
    return rd_done(&r);
}

/*
 * The version that made the wrap. The envelope is whole, so a version that is gone while others of that
 * label are there is an answer: it was destroyed.
 */
static ks_rc choose(const struct p11_keys *keys, const struct envelope *e, const struct wrapped *in,
                    const struct p11_key **ret)
{
    char version[KEY_VERSION_BYTES];
    uint8_t sum[LABEL_SUM_BYTES];
    bool is_label_here = false;

    for (size_t i = 0; i < keys->count; i++) {
        TRY(label_sum(&keys->keys[i], sum));
        if (memcmp(sum, in->label_sum, sizeof sum) != 0)
            continue;
        is_label_here = true;
        version_of(&keys->keys[i], version);
        if (strcmp(version, e->reference) != 0)
            continue;
        *ret = &keys->keys[i];
        return KS_SUCCESS;
    }
    if (is_label_here)
        return ks_fail(KS_E_KEY_DESTROYED,
                       "the token has this key, but no longer its version with the id %.130s",
                       e->reference);
    return ks_fail(KS_E_WRONG_KEY, "the wrapped key belongs to another key of the token");
}

static ks_rc check_may_open(const struct p11_use *use)
{
    bool may = use->way == P11_WAY_GCM ? use->key->may_decrypt : use->key->may_unwrap;

    ENSURE(may, KS_E_KEY_DISABLED, "the key's attributes forbid %s",
           use->way == P11_WAY_GCM ? "CKA_DECRYPT" : "CKA_UNWRAP");
    return KS_SUCCESS;
}

static ks_rc open_blob(struct p11_session *s, struct p11_use *use, struct view data,
                       const struct work *w)
{
    CLEANUP(secret_freep) struct secret *opened = NULL;

    TRY(check_may_open(use));
    TRY(p11_open(s, use, data, &opened));
    if (use->way != P11_WAY_GCM)
        return bound_open(w->context, secret_view(opened), w->ret_plain);
    *w->ret_plain = TAKE(opened);
    return KS_SUCCESS;
}

static ks_rc run_unwrap(struct p11_session *s, const struct work *w)
{
    CLEANUP(buf_done) struct buf aad = buf_init(KEY_BLOB_MAX);
    CLEANUP(mem_freep) struct p11_keys *keys = NULL;
    struct p11_use use = {.key = NULL};
    struct envelope e;
    struct wrapped in;

    TRY(envelope_read(w->blob, w->context, &e));
    TRY(read_inner(&e, &in));
    TRY(mem_new(1, sizeof *keys, &keys));
    TRY(p11_key_find(s, keys));
    TRY(choose(keys, &e, &in, &use.key));
    TRY(key_context_aad(w->context, &aad));
    use.way = in.way;
    memcpy(use.iv, in.iv, sizeof use.iv);
    use.aad = buf_view(&aad);
    return open_blob(s, &use, in.data, w);
}

static ks_rc run_version(struct p11_session *s, const struct work *w)
{
    CLEANUP(mem_freep) struct p11_keys *keys = NULL;
    enum p11_way way;

    TRY(mem_new(1, sizeof *keys, &keys));
    TRY(p11_key_find(s, keys));
    TRY(p11_key_way(s, &keys->keys[0], &way));
    version_of(&keys->keys[0], w->version);
    return KS_SUCCESS;
}

/* --- the table --- */

static void pkcs11_close(struct kms *kms)
{
    if (!kms)
        return;
    p11_token_done(&of(kms)->token);
    pthread_mutex_destroy(&of(kms)->token.mutex);
    mem_free(kms);
}

static ks_rc pkcs11_open(const struct kms_conf *conf, struct kms **ret)
{
    struct pkcs11 *d;

    TRY(mem_new(1, sizeof *d, &d));
    d->base.driver = &kms_driver_pkcs11;
    pthread_mutex_init(&d->token.mutex, NULL);
    ks_rc rc = p11_token_init(conf, &d->token);
    if (!ks_ok(rc)) {
        pkcs11_close(&d->base);
        return rc;
    }
    *ret = &d->base;
    return KS_SUCCESS;
}

static ks_rc pkcs11_wrap(struct kms *kms, const struct kms_call *call,
                         const struct key_context *context, const struct secret *plain,
                         struct buf *ret_blob, char ret_version[KEY_VERSION_BYTES])
{
    struct work w = {.run = run_wrap,
                     .context = context,
                     .plain = plain,
                     .ret_blob = ret_blob,
                     .version = ret_version};
    size_t len = secret_view(plain).len;

    ENSURE(len >= 1 && len <= KEY_PLAIN_MAX, KS_E_USAGE, "%zu bytes; a key wraps 1 to %d", len,
           KEY_PLAIN_MAX);
    return run(kms, call, &w);
}

static ks_rc pkcs11_unwrap(struct kms *kms, const struct kms_call *call,
                           const struct key_context *context, struct view blob,
                           struct secret **ret_plain)
{
    struct work w = {.run = run_unwrap, .context = context, .blob = blob, .ret_plain = ret_plain};

    return run(kms, call, &w);
}

static ks_rc pkcs11_version(struct kms *kms, const struct kms_call *call,
                            const struct key_context *context, char ret[KEY_VERSION_BYTES])
{
    struct work w = {.run = run_version, .context = context, .version = ret};

    return run(kms, call, &w);
}

static void pkcs11_scope(const struct kms *kms, char ret[KMS_SCOPE_BYTES])
{
    const struct pkcs11 *d = (const struct pkcs11 *)(const void *)kms;

    snprintf(ret, KMS_SCOPE_BYTES, "pkcs11:%.200s", d->token.name);
}

static ks_rc try_find(struct kms *kms, const struct kms_call *call,
                      const struct key_context *context)
{
    char version[KEY_VERSION_BYTES];

    return pkcs11_version(kms, call, context, version);
}

static ks_rc try_wrap(struct kms *kms, const struct kms_call *call,
                      const struct key_context *context)
{
    CLEANUP(buf_done) struct buf blob = buf_init(KEY_BLOB_MAX);
    CLEANUP(secret_freep) struct secret *plain = NULL;
    char version[KEY_VERSION_BYTES];

    TRY(secret_new(32, &plain));
    return pkcs11_wrap(kms, call, context, plain, &blob, version);
}

static ks_rc try_unwrap(struct kms *kms, const struct kms_call *call,
                        const struct key_context *context)
{
    CLEANUP(buf_done) struct buf blob = buf_init(KEY_BLOB_MAX);
    CLEANUP(secret_freep) struct secret *plain = NULL, *opened = NULL;
    char version[KEY_VERSION_BYTES];

    TRY(secret_new(32, &plain));
    TRY(pkcs11_wrap(kms, call, context, plain, &blob, version));
    return pkcs11_unwrap(kms, call, context, buf_view(&blob), &opened);
}

static const struct kms_permission permissions[] = {
    {"find the key", "without it no volume can be opened", true, try_find},
    {"CKA_ENCRYPT or CKA_WRAP", "without it new wraps and rotations fail", true, try_wrap},
    {"CKA_DECRYPT or CKA_UNWRAP", "without it volumes cannot be opened", true, try_unwrap},
    {NULL, NULL, false, NULL},
};

const struct kms_driver kms_driver_pkcs11 = {
    .type = "PKCS11",
    .abi = KMS_DRIVER_ABI,
    .caps = KMS_CAP_VERSIONS,
    .open = pkcs11_open,
    .wrap = pkcs11_wrap,
    .unwrap = pkcs11_unwrap,
    .version = pkcs11_version,
    .close = pkcs11_close,
    .scope = pkcs11_scope,
    .permissions = permissions,
};
