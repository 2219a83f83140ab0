/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/block.c - the pages of a backing file as bytes.
 *
 * Invariant: no page is accepted that we could not have written for exactly this place. Does no I/O.
 */
#include "volume/block.h"

#include "base/buf.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/secret.h"
#include "crypto/kdf.h"

static const char header_magic[] = "KSTDFILE";
static const char block_domain[8] = "KSBLOCK1";

enum {
    HEADER_FIELDS_BYTES = 8 + 2 + 2 + 4 + 2 * BLOCK_ID_BYTES,
    BLOCK_AAD_BYTES = 8 + 2 * BLOCK_ID_BYTES + 8 + 4 + 2 + 2,
};

static void read_header_fields(struct rd *r, struct file_header *h)
{
    rd_magic(r, header_magic);
    h->version = rd_u16(r);
    h->suite = rd_u16(r);
    h->payload = rd_u32(r);
    rd_bytes(r, h->volume_id, sizeof h->volume_id);
    rd_bytes(r, h->file_id, sizeof h->file_id);
}

static ks_rc check_header_mac(const uint8_t *page, struct view mac_key, struct view mac)
{
    uint8_t right[KDF_HASH_BYTES];

    if (mac_key.len == 0)
        return KS_SUCCESS;
    TRY(kdf_mac(mac_key, view_of(page, HEADER_FIELDS_BYTES), right));
    ENSURE(secret_is_equal(mac, view_of(right, sizeof right)), KS_E_AUTH,
           "the file header fails authentication");
    return KS_SUCCESS;
}

ks_rc header_parse(const uint8_t page[BLOCK_BYTES], struct view mac_key, enum page_kind *ret_kind,
                   struct file_header *ret)
{
    struct rd r = rd_init(view_of(page, BLOCK_BYTES));
    struct file_header h = {0};

    if (mem_is_zero(page, BLOCK_BYTES)) {
        *ret_kind = PAGE_ZERO;
        return KS_SUCCESS;
    }
    read_header_fields(&r, &h);
    struct view mac = rd_view(&r, HEADER_MAC_BYTES); /* stands here in every version */
    if (rd_ok(&r))
        TRY(check_header_mac(page, mac_key, mac));
    ENSURE(!rd_ok(&r) || h.version <= HEADER_VERSION, KS_E_NEWER_VERSION,
           "the file has format version %u; this program knows up to %d", h.version,
           HEADER_VERSION);
    rd_zero(&r, rd_left(&r));
    rd_expect(&r, h.version == HEADER_VERSION && h.suite == HEADER_SUITE,
              "unknown version or suite");
    TRY(rd_done(&r));
    *ret_kind = PAGE_WRITTEN;
    *ret = h;
    return KS_SUCCESS;
}

ks_rc header_write(const struct file_header *h, struct view mac_key, uint8_t ret_page[BLOCK_BYTES])
{
    CLEANUP(buf_done) struct buf out = buf_init(BLOCK_BYTES);
    struct wr w = wr_init(&out);
    uint8_t mac[KDF_HASH_BYTES];

    wr_bytes(&w, view_text(header_magic));
    wr_u16(&w, h->version);
    wr_u16(&w, h->suite);
    wr_u32(&w, h->payload);
    wr_bytes(&w, view_of(h->volume_id, sizeof h->volume_id));
    wr_bytes(&w, view_of(h->file_id, sizeof h->file_id));
    TRY(wr_done(&w));
    TRY(kdf_mac(mac_key, buf_view(&out), mac));
    wr_bytes(&w, view_of(mac, sizeof mac));
    wr_zero(&w, BLOCK_BYTES - out.len);
    TRY(wr_done(&w));
    memcpy(ret_page, out.bytes, BLOCK_BYTES);
    return KS_SUCCESS;
}

ks_rc block_parse(const uint8_t block[BLOCK_BYTES], uint32_t payload, enum page_kind *ret_kind,
                  struct block_meta *ret)
{
    const uint8_t *at = block + payload;
    struct block_meta m;

    if (mem_is_zero(at, BLOCK_META_BYTES) && mem_is_zero(block, BLOCK_BYTES)) {
        *ret_kind = PAGE_ZERO;
        return KS_SUCCESS;
    }
    memcpy(m.tag, at, sizeof m.tag);
    memcpy(m.nonce, at + 16, sizeof m.nonce);
    m.generation = get_u32(at + 40);
    m.length = get_u16(at + 44);
    m.flags = get_u16(at + 46);
    ENSURE(m.length >= 1 && m.length <= payload, KS_E_FORMAT, "a block says it holds %u bytes",
           m.length);
    ENSURE(m.generation != 0 && m.flags == 0, KS_E_FORMAT, "a block has unknown flags");
    ENSURE(mem_is_zero(at + BLOCK_META_BYTES, BLOCK_BYTES - payload - BLOCK_META_BYTES),
           KS_E_FORMAT, "reserved bytes of a block are not zero");
    *ret_kind = PAGE_WRITTEN;
    *ret = m;
    return KS_SUCCESS;
}

static struct view block_aad(const struct block_place *place, uint32_t generation, uint16_t length,
                             uint8_t out[BLOCK_AAD_BYTES])
{
    uint8_t *at = out;

    memcpy(at, block_domain, sizeof block_domain);
    at += sizeof block_domain;
    memcpy(at, place->volume_id, BLOCK_ID_BYTES);
    at += BLOCK_ID_BYTES;
    memcpy(at, place->file_id, BLOCK_ID_BYTES);
    at += BLOCK_ID_BYTES;
    put_u64(at, place->index);
    put_u32(at + 8, generation);
    put_u16(at + 12, length);
    put_u16(at + 14, 0);
    return view_of(out, BLOCK_AAD_BYTES);
}

ks_rc block_seal(struct xaes_ctx *c, const struct xaes_key *key, const struct block_place *place,
                 uint32_t generation, uint16_t length, const uint8_t nonce[XAES_NONCE_BYTES],
                 const uint8_t *plain, uint8_t ret_block[BLOCK_BYTES])
{
    uint8_t *at = ret_block + place->payload;
    uint8_t aad[BLOCK_AAD_BYTES];

    TRY(xaes_seal(c, key, nonce, block_aad(place, generation, length, aad),
                  view_of(plain, place->payload), ret_block, at));
    memcpy(at + 16, nonce, XAES_NONCE_BYTES);
    put_u32(at + 40, generation);
    put_u16(at + 44, length);
    put_u16(at + 46, 0);
    memset(at + BLOCK_META_BYTES, 0, BLOCK_BYTES - place->payload - BLOCK_META_BYTES);
    return KS_SUCCESS;
}

ks_rc block_open(struct xaes_ctx *c, const struct xaes_key *key, const struct block_place *place,
                 const struct block_meta *meta, const uint8_t block[BLOCK_BYTES],
                 uint8_t *ret_plain)
{
    uint8_t aad[BLOCK_AAD_BYTES];

    return xaes_open(c, key, meta->nonce, block_aad(place, meta->generation, meta->length, aad),
                     view_of(block, place->payload), meta->tag, ret_plain);
}
