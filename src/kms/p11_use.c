/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/p11_use.c - sealing and opening a few bytes with a key that stays in its token.
 *
 * Key wrap works on objects only, so the bytes become a session object for the length of one call. It is destroyed
 * also when the call fails.
 */
#include "base/mem.h"
#include "kms/p11_key.h"

enum { TAG_BITS = 128, OUT_BYTES = 256, MECHANISM_KWP = 0x210b };

static CK_MECHANISM_TYPE mechanism_of(enum p11_way way)
{
    switch (way) {
    case P11_WAY_GCM:
        return CKM_AES_GCM;
    case P11_WAY_KWP:
        return MECHANISM_KWP;
    case P11_WAY_PAD:
        return CKM_AES_KEY_WRAP_PAD;
    case P11_WAY_WRAP:
        return CKM_AES_KEY_WRAP;
    }
    return 0;
}

/* The module takes pointers to bytes that it must not change; a copy keeps the promise of const. */
struct gcm {
    struct ck_gcm_params params;
    CK_MECHANISM mechanism;
    struct buf aad;
};

static void gcm_done(struct gcm *g)
{
    buf_done(&g->aad);
}

static ks_rc gcm_init(struct p11_use *use, struct gcm *g)
{
    g->aad = buf_init(KEY_BLOB_MAX);
    TRY(buf_append(&g->aad, use->aad));
    g->params = (struct ck_gcm_params){.iv_ptr = use->iv,
                                       .iv_len = sizeof use->iv,
                                       .iv_bits = 8 * sizeof use->iv,
                                       .aad_ptr = g->aad.bytes,
                                       .aad_len = g->aad.len,
                                       .tag_bits = TAG_BITS};
    g->mechanism = (CK_MECHANISM){CKM_AES_GCM, &g->params, sizeof g->params};
    return KS_SUCCESS;
}

static ks_rc gcm_seal(struct p11_session *s, struct p11_use *use, struct secret *plain,
                      struct buf *ret)
{
    CLEANUP(gcm_done) struct gcm g;
    uint8_t out[OUT_BYTES];
    CK_ULONG len = sizeof out;

    TRY(gcm_init(use, &g));
    TRY(p11_check(s, s->f->C_EncryptInit(s->handle, &g.mechanism, use->key->handle),
                  "C_EncryptInit"));
    TRY(p11_check(
        s, s->f->C_Encrypt(s->handle, secret_bytes(plain), secret_view(plain).len, out, &len),
        "C_Encrypt"));
    ENSURE(len == secret_view(plain).len + TAG_BITS / 8, KS_E_BAD_REPLY,
           "C_Encrypt gave %lu bytes for %zu", len, secret_view(plain).len);
    return buf_append(ret, view_of(out, len));
}

static ks_rc gcm_open(struct p11_session *s, struct p11_use *use, struct buf *ciphertext,
                      struct secret **ret)
{
    CLEANUP(gcm_done) struct gcm g;
    CLEANUP(secret_freep) struct secret *out = NULL;
    CK_ULONG len = OUT_BYTES;

    TRY(secret_new(OUT_BYTES, &out));
    TRY(gcm_init(use, &g));
    TRY(p11_check(s, s->f->C_DecryptInit(s->handle, &g.mechanism, use->key->handle),
                  "C_DecryptInit"));
    TRY(p11_check(
        s, s->f->C_Decrypt(s->handle, ciphertext->bytes, ciphertext->len, secret_bytes(out), &len),
        "C_Decrypt"));
    ENSURE(len + TAG_BITS / 8 == ciphertext->len, KS_E_BAD_REPLY,
           "C_Decrypt gave %lu bytes for %zu", len, ciphertext->len);
    return secret_copy(view_of(secret_bytes(out), len), ret);
}

/* The attributes of the object that stands for the bytes; the first four are also those of one that is unwrapped. */
struct object {
    CK_OBJECT_CLASS cls;
    CK_KEY_TYPE type;
    CK_BBOOL yes, no;
    CK_ATTRIBUTE attributes[6];
};

static void object_init(struct object *o)
{
    *o = (struct object){CKO_SECRET_KEY, CKK_GENERIC_SECRET, CK_TRUE, CK_FALSE, {{0, NULL, 0}}};
    o->attributes[0] = (CK_ATTRIBUTE){CKA_CLASS, &o->cls, sizeof o->cls};
    o->attributes[1] = (CK_ATTRIBUTE){CKA_KEY_TYPE, &o->type, sizeof o->type};
    o->attributes[2] = (CK_ATTRIBUTE){CKA_TOKEN, &o->no, sizeof o->no};
    o->attributes[3] = (CK_ATTRIBUTE){CKA_SENSITIVE, &o->no, sizeof o->no};
    o->attributes[4] = (CK_ATTRIBUTE){CKA_EXTRACTABLE, &o->yes, sizeof o->yes};
}

static ks_rc destroy(struct p11_session *s, CK_OBJECT_HANDLE object)
{
    return p11_check(s, s->f->C_DestroyObject(s->handle, object), "C_DestroyObject");
}

static ks_rc wrap_object(struct p11_session *s, struct p11_use *use, CK_OBJECT_HANDLE object,
                         struct buf *ret)
{
    CK_MECHANISM mechanism = {mechanism_of(use->way), NULL, 0};
    uint8_t out[OUT_BYTES];
    CK_ULONG len = sizeof out;

    TRY(p11_check(s, s->f->C_WrapKey(s->handle, &mechanism, use->key->handle, object, out, &len),
                  "C_WrapKey"));
    ENSURE(len > 0 && len <= sizeof out, KS_E_BAD_REPLY, "C_WrapKey gave %lu bytes", len);
    return buf_append(ret, view_of(out, len));
}

static ks_rc object_seal(struct p11_session *s, struct p11_use *use, struct secret *plain,
                         struct buf *ret)
{
    CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
    struct object o;

    object_init(&o);
    o.attributes[5] = (CK_ATTRIBUTE){CKA_VALUE, secret_bytes(plain), secret_view(plain).len};
    TRY(p11_check(s, s->f->C_CreateObject(s->handle, o.attributes, 6, &object), "C_CreateObject"));
    ks_rc rc = wrap_object(s, use, object, ret);
    ks_rc destroyed = destroy(s, object);
    TRY(rc);
    return destroyed;
}

static ks_rc object_value(struct p11_session *s, CK_OBJECT_HANDLE object, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *out = NULL;

    TRY(secret_new(OUT_BYTES, &out));
    CK_ATTRIBUTE value = {CKA_VALUE, secret_bytes(out), OUT_BYTES};
    TRY(p11_check(s, s->f->C_GetAttributeValue(s->handle, object, &value, 1),
                  "C_GetAttributeValue"));
    ENSURE(value.ulValueLen > 0 && value.ulValueLen <= OUT_BYTES, KS_E_BAD_REPLY,
           "the token gave a value of %lu bytes", value.ulValueLen);
    return secret_copy(view_of(secret_bytes(out), value.ulValueLen), ret);
}

static ks_rc object_open(struct p11_session *s, struct p11_use *use, struct buf *ciphertext,
                         struct secret **ret)
{
    CK_MECHANISM mechanism = {mechanism_of(use->way), NULL, 0};
    CLEANUP(secret_freep) struct secret *value = NULL;
    CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
    struct object o;

    object_init(&o);
    TRY(p11_check(s,
                  s->f->C_UnwrapKey(s->handle, &mechanism, use->key->handle, ciphertext->bytes,
                                    ciphertext->len, o.attributes, 5, &object),
                  "C_UnwrapKey"));
    ks_rc rc = object_value(s, object, &value);
    ks_rc destroyed = destroy(s, object);
    TRY(rc);
    TRY(destroyed);
    *ret = TAKE(value);
    return KS_SUCCESS;
}

ks_rc p11_seal(struct p11_session *s, struct p11_use *use, struct secret *plain, struct buf *ret)
{
    return use->way == P11_WAY_GCM ? gcm_seal(s, use, plain, ret) : object_seal(s, use, plain, ret);
}

ks_rc p11_open(struct p11_session *s, struct p11_use *use, struct view ciphertext,
               struct secret **ret)
{
    CLEANUP(buf_done) struct buf copy = buf_init(OUT_BYTES);

    ENSURE(ciphertext.len && ciphertext.len <= OUT_BYTES, KS_E_FORMAT,
           "a wrapped key of %zu bytes is not from a PKCS#11 token", ciphertext.len);
    TRY(buf_append(&copy, ciphertext));
    return use->way == P11_WAY_GCM ? gcm_open(s, use, &copy, ret) : object_open(s, use, &copy, ret);
}
