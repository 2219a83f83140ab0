/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_blob.c - sealing and opening ciphertexts, with one cipher state for each thread.
 */
#include "localkms/aws_blob.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/codec.h"
#include "base/mem.h"

enum { VERSION = 1, KIND_UUID = 1, KIND_MULTI_REGION = 2, HEAD_BYTES = 34, ID_BYTES = 16 };
enum { AAD_BYTES_MAX = HEAD_BYTES + AWS_CONTEXT_BYTES_MAX + 8 * AWS_CONTEXT_PAIRS_MAX };

/* ---- cipher states ---- */

static pthread_key_t ctx_key;
static bool has_ctx_key;

static void ctx_free(void *ctx)
{
    xaes_ctx_free(ctx);
}

static void make_ctx_key(void)
{
    has_ctx_key = pthread_key_create(&ctx_key, ctx_free) == 0;
}

static ks_rc get_ctx(struct xaes_ctx **ret)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    CLEANUP(xaes_ctx_freep) struct xaes_ctx *own = NULL;

    pthread_once(&once, make_ctx_key);
    ENSURE(has_ctx_key, KS_E_LIMIT, "too many thread keys");
    *ret = pthread_getspecific(ctx_key);
    if (*ret)
        return KS_SUCCESS;
    TRY(xaes_ctx_new(&own));
    ENSURE(pthread_setspecific(ctx_key, own) == 0, KS_E_NO_MEMORY, "no memory for a cipher");
    *ret = TAKE(own);
    return KS_SUCCESS;
}

/* ---- what is authenticated ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static ks_rc append_part(struct buf *aad, struct view part)
{
    uint8_t len[4];

    put_u32(len, (uint32_t)part.len);
    TRY(buf_append(aad, view_of(len, sizeof len)));
    return buf_append(aad, part);
}

static ks_rc append_context(struct buf *aad, const json_t *context)
{
    const char *names[AWS_CONTEXT_PAIRS_MAX], *name;
    json_t *value;
    size_t count = 0, bytes = 0;

    if (!context)
        return KS_SUCCESS;
    ENSURE(json_object_size(context) <= AWS_CONTEXT_PAIRS_MAX, KS_E_LIMIT,
           "more than %d pairs in the encryption context", AWS_CONTEXT_PAIRS_MAX);
    json_object_foreach((json_t *)(uintptr_t)context, name, value)
    {
        names[count++] = name;
        bytes += strlen(name) + json_string_length(value);
    }
    ENSURE(bytes <= AWS_CONTEXT_BYTES_MAX, KS_E_LIMIT, "the encryption context is too long");
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 0; i < count; i++) {
        value = json_object_get(context, names[i]);
        TRY(append_part(aad, view_text(names[i])));
        TRY(append_part(aad, view_of(json_string_value(value), json_string_length(value))));
    }
    return KS_SUCCESS;
}

/* ---- ids as bytes ---- */

static ks_rc append_hex(const char *text, size_t bytes, struct buf *ret)
{
    char digits[2 * ID_BYTES + 1];
    size_t len = 0;

    for (; *text && len < 2 * bytes; text++)
        if (*text != '-')
            digits[len++] = *text;
    return hex_read(view_of(digits, len), ret);
}

static ks_rc append_head(const struct aws_key *key, const struct aws_material *material,
                         struct buf *ret)
{
    bool is_multi_region = strncmp(key->id, "mrk-", 4) == 0;
    uint8_t head[2] = {VERSION, is_multi_region ? KIND_MULTI_REGION : KIND_UUID};

    TRY(buf_append(ret, view_of(head, sizeof head)));
    TRY(append_hex(key->id + (is_multi_region ? 4 : 0), ID_BYTES, ret));
    TRY(append_hex(material->id, ID_BYTES, ret));
    ENSURE(ret->len == HEAD_BYTES, KS_E_BUG, "the id of a key is malformed");
    return KS_SUCCESS;
}

static void write_uuid(const uint8_t *bytes, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < ID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = 0;
}

static ks_rc write_hex(const uint8_t *bytes, char *out)
{
    CLEANUP(buf_done) struct buf hex = buf_init(4 * ID_BYTES);

    TRY(hex_write(view_of(bytes, ID_BYTES), &hex));
    memcpy(out, buf_text(&hex), 2 * ID_BYTES + 1);
    return KS_SUCCESS;
}

ks_rc aws_blob_names(struct view blob, char ret_key_id[AWS_KEY_NAME_BYTES],
                     char ret_material_id[AWS_MATERIAL_ID_BYTES])
{
    ENSURE(blob.len >= AWS_BLOB_OVERHEAD && blob.bytes[0] == VERSION &&
               (blob.bytes[1] == KIND_UUID || blob.bytes[1] == KIND_MULTI_REGION),
           KS_E_FORMAT, "no ciphertext of this service");
    if (blob.bytes[1] == KIND_UUID) {
        write_uuid(blob.bytes + 2, ret_key_id);
    } else {
        memcpy(ret_key_id, "mrk-", 4);
        TRY(write_hex(blob.bytes + 2, ret_key_id + 4));
    }
    return write_hex(blob.bytes + 2 + ID_BYTES, ret_material_id);
}

/* ---- sealing and opening ---- */

ks_rc aws_blob_seal(const struct aws_key *key, const json_t *context, struct view plain,
                    struct random *random, struct buf *ret)
{
    CLEANUP(buf_done) struct buf aad = buf_init(AAD_BYTES_MAX);
    const struct aws_material *material = aws_key_current(key);
    struct xaes_ctx *ctx;
    uint8_t nonce[XAES_NONCE_BYTES], tag[XAES_TAG_BYTES], *tail;

    ENSURE(material && material->key, KS_E_BUG, "a key without material is used");
    TRY(get_ctx(&ctx));
    TRY(append_head(key, material, &aad));
    TRY(buf_append(ret, buf_view(&aad)));
    TRY(append_context(&aad, context));
    TRY(random_fill(random, nonce, sizeof nonce));
    TRY(buf_append(ret, view_of(nonce, sizeof nonce)));
    TRY(buf_extend(ret, XAES_TAG_BYTES + plain.len, &tail));
    TRY(xaes_seal(ctx, material->key, nonce, buf_view(&aad), plain, tail + XAES_TAG_BYTES, tag));
    memcpy(tail, tag, sizeof tag);
    return KS_SUCCESS;
}

ks_rc aws_blob_open(const struct aws_material *material, const json_t *context, struct view blob,
                    struct buf *ret)
{
    CLEANUP(buf_done) struct buf aad = buf_init(AAD_BYTES_MAX);
    struct xaes_ctx *ctx;
    uint8_t *tail;

    ENSURE(blob.len >= AWS_BLOB_OVERHEAD && material->key, KS_E_FORMAT, "no ciphertext");
    const uint8_t *nonce = blob.bytes + HEAD_BYTES, *tag = nonce + XAES_NONCE_BYTES;
    struct view sealed = view_of(blob.bytes + AWS_BLOB_OVERHEAD, blob.len - AWS_BLOB_OVERHEAD);
    TRY(get_ctx(&ctx));
    TRY(buf_append(&aad, view_of(blob.bytes, HEAD_BYTES)));
    TRY(append_context(&aad, context));
    TRY(buf_extend(ret, sealed.len, &tail));
    return xaes_open(ctx, material->key, nonce, buf_view(&aad), sealed, tag, tail);
}
