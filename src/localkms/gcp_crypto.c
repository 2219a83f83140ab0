/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/gcp_crypto.c - encrypt and decrypt; writer and reader of the ciphertext side by side.
 *
 * A ciphertext names the version and the material that made it, both authenticated, so decryption needs no search
 * and material that was imported anew under a number is told apart.
 */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/codec.h"
#include "base/json.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "crypto/xaes.h"
#include "localkms/gcp_versions.h"

enum {
    SOFTWARE_MAX = 64 * 1024,
    HSM_MAX = 8 * 1024,
    MAGIC_BYTES = 4,
    HEAD_BYTES = MAGIC_BYTES + 4 + GOOG_MATERIAL_ID_BYTES,
    OVERHEAD = HEAD_BYTES + XAES_NONCE_BYTES + XAES_TAG_BYTES,
    BYTES_ROOM = SOFTWARE_MAX + OVERHEAD + 4, /* decoding may need a little more than it gives */
    TEXT_MAX = 2 * BYTES_ROOM,
};

static const char MAGIC[] = "KGC1";

struct sealed {
    uint32_t version;
    uint8_t id[GOOG_MATERIAL_ID_BYTES];
    struct view head, nonce, tag, text;
};

static void key_wipe(struct xaes_key *k)
{
    mem_wipe(k, sizeof *k);
}

static ks_rc write_head(const struct goog_node *version, struct buf *ret)
{
    const char *id = json_string_value(json_object_get(version->own, "id"));
    const char *slash = strrchr(version->name, '/');
    unsigned long number = strtoul(slash + 1, NULL, 10);
    struct wr w = wr_init(ret);

    ENSURE(id, KS_E_BUG, "a version without material");
    wr_bytes(&w, view_text(MAGIC));
    wr_u32(&w, (uint32_t)number);
    TRY(wr_done(&w));
    return hex_read(view_text(id), ret);
}

static ks_rc read_sealed(struct view blob, struct sealed *ret)
{
    struct rd r = rd_init(blob);
    struct sealed s = {0};

    s.head = view_of(blob.bytes, blob.len < HEAD_BYTES ? blob.len : HEAD_BYTES);
    rd_magic(&r, MAGIC);
    s.version = rd_u32(&r);
    rd_bytes(&r, s.id, sizeof s.id);
    s.nonce = rd_view(&r, XAES_NONCE_BYTES);
    s.tag = rd_view(&r, XAES_TAG_BYTES);
    s.text = rd_view(&r, rd_left(&r));
    TRY(rd_done(&r));
    *ret = s;
    return KS_SUCCESS;
}

static ks_rc bind_aad(struct view head, struct view aad, struct buf *ret)
{
    TRY(buf_append(ret, head));
    return buf_append(ret, aad);
}

static ks_rc seal(struct realm *r, const struct goog_node *version, struct view aad,
                  struct view plain, struct buf *ret)
{
    CLEANUP(xaes_ctx_freep) struct xaes_ctx *c = NULL;
    CLEANUP(key_wipe) struct xaes_key k = {{0}, {0}, 0};
    CLEANUP(buf_done) struct buf bound = buf_init(BYTES_ROOM);
    uint8_t *nonce;

    TRY(write_head(version, ret));
    TRY(bind_aad(buf_view(ret), aad, &bound));
    TRY(buf_extend(ret, XAES_NONCE_BYTES + XAES_TAG_BYTES + plain.len, &nonce));
    TRY(random_fill(r->random, nonce, XAES_NONCE_BYTES));
    TRY(xaes_ctx_new(&c));
    TRY(xaes_key_init(&k, c, secret_view(version->secret)));
    return xaes_seal(c, &k, nonce, buf_view(&bound), plain,
                     nonce + XAES_NONCE_BYTES + XAES_TAG_BYTES, nonce + XAES_NONCE_BYTES);
}

static ks_rc unseal(const struct goog_node *version, struct view aad, const struct sealed *s,
                    struct buf *ret)
{
    CLEANUP(xaes_ctx_freep) struct xaes_ctx *c = NULL;
    CLEANUP(key_wipe) struct xaes_key k = {{0}, {0}, 0};
    CLEANUP(buf_done) struct buf bound = buf_init(BYTES_ROOM);
    uint8_t *plain;

    TRY(bind_aad(s->head, aad, &bound));
    TRY(buf_extend(ret, s->text.len, &plain));
    TRY(xaes_ctx_new(&c));
    TRY(xaes_key_init(&k, c, secret_view(version->secret)));
    return xaes_open(c, &k, s->nonce.bytes, buf_view(&bound), s->text, s->tag.bytes, plain);
}

/* --- requests --- */

/* A bytes field with its checksum; absent is empty. is_checked: whether a checksum came with it. */
static bool take_bytes(struct goog_call *c, const char *name, const char *field, struct buf *ret,
                       bool *is_checked)
{
    const json_t *value = goog_member(c, name);
    char crc_name[64];
    int64_t crc = -1;

    if (value && (!json_is_string(value) ||
                  !ks_ok(base64_read(view_of(json_string_value(value), json_string_length(value)),
                                     BASE64_STANDARD, ret))))
        return goog_fail(c, GOOG_INVALID_ARGUMENT,
                         "Invalid value at '%s' (TYPE_BYTES), Base64 decoding failed or it is "
                         "too long.",
                         field);
    snprintf(crc_name, sizeof crc_name, "%sCrc32c", name);
    const json_t *sum = goog_member(c, crc_name);
    *is_checked = sum != NULL;
    if (!sum)
        return true;
    CLEANUP(json_decrefp) json_t *box = json_pack("{s:O}", "v", sum);
    if (!ks_ok(json_may_int(box, "v", 0, UINT32_MAX, &crc)) || crc != hash_crc32c(buf_view(ret)))
        return goog_fail(c, GOOG_INVALID_ARGUMENT,
                         "The checksum in field %s_crc32c did not match the data in field %s.",
                         field, field);
    return true;
}

static const char *protection_of(const struct goog_node *version)
{
    return goog_text(version, "protectionLevel");
}

static bool check_size(struct goog_call *c, const struct goog_node *version, size_t plain,
                       size_t aad)
{
    bool is_hsm = strcmp(protection_of(version), "HSM") == 0;

    if (is_hsm ? plain + aad <= HSM_MAX : plain <= SOFTWARE_MAX && aad <= SOFTWARE_MAX)
        return true;
    return goog_fail(c, GOOG_INVALID_ARGUMENT,
                     "The plaintext and the additional authenticated data are too large for the "
                     "protection level %s.",
                     protection_of(version));
}

static const struct goog_node *version_of(struct goog_call *c, const struct goog_node *key,
                                          int64_t number)
{
    char name[GOOG_NAME_BYTES + 40];

    goog_version_name(key->name, number, name);
    return number ? goog_seen(c->realm, goog_find(c->realm, name)) : NULL;
}

/* The version that is named, or the primary one of the key that is. */
static const struct goog_node *version_to_encrypt(struct goog_call *c)
{
    const struct goog_node *n = goog_seen(c->realm, c->node);

    if (n->kind == GOOG_VERSION)
        return n;
    n = version_of(c, n, goog_number(n, "primary"));
    if (!n)
        goog_refuse(c, GOOG_FAILED_PRECONDITION, "The CryptoKey %s has no primary version.",
                    c->node->name);
    return n;
}

static bool reply_sealed(struct goog_call *c, const struct goog_node *version,
                         const struct buf *blob, const bool is_checked[2])
{
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    char crc[16];

    if (!goog_fail_rc(c, base64_write(buf_view(blob), BASE64_STANDARD, &text)))
        return false;
    snprintf(crc, sizeof crc, "%u", hash_crc32c(buf_view(blob)));
    return goog_reply(c,
                      json_pack("{s:s,s:s,s:s,s:b,s:b,s:s}", "name", version->name, "ciphertext",
                                buf_text(&text), "ciphertextCrc32c", crc, "verifiedPlaintextCrc32c",
                                is_checked[0], "verifiedAdditionalAuthenticatedDataCrc32c",
                                is_checked[1], "protectionLevel", protection_of(version)));
}

bool goog_op_encrypt(struct goog_call *c)
{
    CLEANUP(buf_done) struct buf plain = buf_init_wiping(BYTES_ROOM);
    CLEANUP(buf_done) struct buf aad = buf_init(BYTES_ROOM);
    CLEANUP(buf_done) struct buf blob = buf_init(BYTES_ROOM);
    const struct goog_node *version;
    bool is_checked[2];

    if (!take_bytes(c, "plaintext", "plaintext", &plain, &is_checked[0]) ||
        !take_bytes(c, "additionalAuthenticatedData", "additional_authenticated_data", &aad,
                    &is_checked[1]))
        return false;
    version = version_to_encrypt(c);
    if (!version || !goog_version_is_enabled(c, version) ||
        !check_size(c, version, plain.len, aad.len))
        return false;
    return goog_fail_rc(c, seal(c->realm, version, buf_view(&aad), buf_view(&plain), &blob)) &&
           reply_sealed(c, version, &blob, is_checked);
}

static bool has_id(const struct goog_node *version, const struct sealed *s)
{
    CLEANUP(buf_done) struct buf id = buf_init(GOOG_MATERIAL_ID_BYTES + 1);
    const char *text = json_string_value(json_object_get(version->own, "id"));

    return text && ks_ok(hex_read(view_text(text), &id)) &&
           view_is_equal(buf_view(&id), view_of(s->id, sizeof s->id));
}

static bool reply_plain(struct goog_call *c, const struct goog_node *version,
                        const struct buf *plain)
{
    CLEANUP(buf_done) struct buf text = buf_init_wiping(TEXT_MAX);
    const struct goog_node *key = goog_seen(c->realm, c->node);
    const char *number = strrchr(version->name, '/') + 1;
    char crc[16];

    if (!goog_fail_rc(c, base64_write(buf_view(plain), BASE64_STANDARD, &text)))
        return false;
    snprintf(crc, sizeof crc, "%u", hash_crc32c(buf_view(plain)));
    bool is_primary = strtoll(number, NULL, 10) == goog_number(key, "primary");
    return goog_reply(c, json_pack("{s:s,s:s,s:b,s:s}", "plaintext", buf_text(&text),
                                   "plaintextCrc32c", crc, "usedPrimary", is_primary,
                                   "protectionLevel", protection_of(version)));
}

bool goog_op_decrypt(struct goog_call *c)
{
    CLEANUP(buf_done) struct buf blob = buf_init(BYTES_ROOM);
    CLEANUP(buf_done) struct buf aad = buf_init(BYTES_ROOM);
    CLEANUP(buf_done) struct buf plain = buf_init_wiping(BYTES_ROOM);
    const struct goog_node *version = NULL;
    struct sealed s;
    bool is_checked;

    if (!take_bytes(c, "ciphertext", "ciphertext", &blob, &is_checked) ||
        !take_bytes(c, "additionalAuthenticatedData", "additional_authenticated_data", &aad,
                    &is_checked))
        return false;
    if (ks_ok(read_sealed(buf_view(&blob), &s)))
        version = version_of(c, goog_seen(c->realm, c->node), s.version);
    if (!version || !has_id(version, &s))
        return goog_fail(c, GOOG_INVALID_ARGUMENT,
                         "Decryption failed: verify that 'name' refers to the correct CryptoKey.");
    if (!goog_version_is_enabled(c, version))
        return false;
    ks_rc rc = unseal(version, buf_view(&aad), &s, &plain);
    if (ks_is(rc, KS_E_AUTH))
        return goog_fail(c, GOOG_INVALID_ARGUMENT,
                         "Decryption failed: verify that 'ciphertext' and "
                         "'additional_authenticated_data' are correct.");
    return goog_fail_rc(c, rc) && reply_plain(c, version, &plain);
}
