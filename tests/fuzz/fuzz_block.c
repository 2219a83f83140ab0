/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what a block says of itself (block_parse) is within bounds or refused as CORRUPT, and no bytes that
 * we did not seal are ever opened. Target functions: block_parse, block_open.
 */
#include "fuzz.h"

#include <string.h>

#include "base/mem.h"
#include "volume/block.h"

static void demand_never_opened(const uint8_t *page, uint32_t payload, const struct block_meta *m)
{
    static const uint8_t id[BLOCK_ID_BYTES], bytes[XAES_KEY_BYTES] = "a key that sealed nothing";
    struct block_place place = {id, id, 0, payload};
    uint8_t plain[BLOCK_BYTES];
    struct xaes_ctx *cipher;
    struct xaes_key key;

    fuzz_demand(ks_ok(xaes_ctx_new(&cipher)));
    fuzz_demand(ks_ok(xaes_key_init(&key, cipher, view_of(bytes, sizeof bytes))));
    ks_rc rc = block_open(cipher, &key, &place, m, page, plain);
    fuzz_demand(ks_is(rc, KS_E_AUTH) && mem_is_zero(plain, payload));
    xaes_ctx_free(cipher);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t payloads[] = {BLOCK_PAYLOAD_SECTORS, BLOCK_PAYLOAD_DENSE};
    uint8_t page[BLOCK_BYTES] = {0};
    struct block_meta m;
    enum page_kind kind;

    if (size < 1)
        return 0;
    uint32_t payload = payloads[data[0] & 1];
    /* the rest fills the metadata first, which is what is parsed */
    size_t meta = size - 1 < BLOCK_BYTES - payload ? size - 1 : BLOCK_BYTES - payload;
    memcpy(page + payload, data + 1, meta);
    ks_rc rc = block_parse(page, payload, &kind, &m);
    if (!ks_ok(rc)) {
        fuzz_demand(rc.cls == KS_CLASS_CORRUPT);
    } else if (kind == PAGE_WRITTEN) {
        fuzz_demand(m.length >= 1 && m.length <= payload && m.generation != 0);
        demand_never_opened(page, payload, &m);
    }
    return 0;
}
