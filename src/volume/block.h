/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/block.h - how a file looks on the backing tree, page by page.
 *
 * A backing file is empty (an empty file), or one header page and then blocks. Every page is written
 * whole, so a power loss leaves each as it was or as it should be:
 *   header  magic 8 | version 2 | suite 2 | payload 4 | volume id 16 | file id 16 | MAC 32 | zeros
 *   block   payload P | tag 16 | nonce 24 | generation 4 | length 2 | flags 2 | zeros
 * length is how many bytes of the payload belong to the file, 1..P; the rest of the payload is zero.
 * An all-zero page is a hole (block) or was never durable (header). The size of the file is that of
 * all blocks up to the last one that is not a hole, plus that one's length; a shorter block before it
 * reads as zeros behind its length. docs/FORMAT.md is normative.
 */
#pragma once

#include "base/rc.h"
#include "base/view.h"
#include "crypto/xaes.h"

enum {
    BLOCK_BYTES = 4096,
    BLOCK_META_BYTES = 48,
    BLOCK_PAYLOAD_SECTORS = 3584, /* seven whole sectors: none is ever torn */
    BLOCK_PAYLOAD_DENSE = 4032,
    BLOCK_ID_BYTES = 16,
    HEADER_VERSION = 1,
    HEADER_SUITE = 1,
    HEADER_MAC_BYTES = 32,
};

struct file_header {
    uint16_t version, suite;
    uint32_t payload;
    uint8_t volume_id[BLOCK_ID_BYTES], file_id[BLOCK_ID_BYTES];
};

enum page_kind { PAGE_ZERO, PAGE_WRITTEN };

/* header_parse(page, mac_key, ret_kind, ret): PAGE_ZERO for an all-zero page, *ret untouched.
 * FORMAT, NEWER_VERSION, AUTH. mac_key empty: the MAC is not checked (inspection without keys). */
ks_rc header_parse(const uint8_t page[BLOCK_BYTES], struct view mac_key, enum page_kind *ret_kind,
                   struct file_header *ret) KS_MUST;
/* header_write(h, mac_key, ret_page): mac_key is 32 bytes. */
ks_rc header_write(const struct file_header *h, struct view mac_key,
                   uint8_t ret_page[BLOCK_BYTES]) KS_MUST;

/* What a block says of itself in clear; trusted only after block_open. */
struct block_meta {
    uint8_t tag[XAES_TAG_BYTES], nonce[XAES_NONCE_BYTES];
    uint32_t generation;
    uint16_t length, flags;
};

/* block_parse(block, payload, ret_kind, ret): PAGE_ZERO for a hole, *ret untouched. FORMAT for a length of
 * 0 or more than payload, generation 0, unknown flags, reserved bytes that are not zero. */
ks_rc block_parse(const uint8_t block[BLOCK_BYTES], uint32_t payload, enum page_kind *ret_kind,
                  struct block_meta *ret) KS_MUST;

/* Where a block belongs; part of what is authenticated. */
struct block_place {
    const uint8_t *volume_id, *file_id; /* BLOCK_ID_BYTES each */
    uint64_t index;
    uint32_t payload;
};

/* block_seal(c, key, place, generation, length, nonce, plain, ret_block): plain has place->payload bytes, of
 * which those from length on must be zero. */
ks_rc block_seal(struct xaes_ctx *c, const struct xaes_key *key, const struct block_place *place,
                 uint32_t generation, uint16_t length, const uint8_t nonce[XAES_NONCE_BYTES],
                 const uint8_t *plain, uint8_t ret_block[BLOCK_BYTES]) KS_MUST;
/* block_open(c, key, place, meta, block, ret_plain): place->payload bytes; AUTH, and then they are zero. */
ks_rc block_open(struct xaes_ctx *c, const struct xaes_key *key, const struct block_place *place,
                 const struct block_meta *meta, const uint8_t block[BLOCK_BYTES],
                 uint8_t *ret_plain) KS_MUST;
