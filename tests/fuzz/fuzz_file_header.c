/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: any header page (header_parse) is refused with a class of its own, is all zero, or writes back
 * to what it says. Target functions: header_parse, header_write.
 */
#include "fuzz.h"

#include <string.h>

#include "volume/block.h"

static void demand_same_again(const struct file_header *h)
{
    static const uint8_t mac_key[32] = "any key will do for this";
    uint8_t page[BLOCK_BYTES];
    struct file_header again;
    enum page_kind kind;

    fuzz_demand(ks_ok(header_write(h, view_of(mac_key, sizeof mac_key), page)));
    fuzz_demand(ks_ok(header_parse(page, view_of(mac_key, sizeof mac_key), &kind, &again)));
    fuzz_demand(kind == PAGE_WRITTEN && memcmp(again.file_id, h->file_id, BLOCK_ID_BYTES) == 0);
    fuzz_demand(again.payload == h->payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t page[BLOCK_BYTES] = {0};
    struct file_header h;
    enum page_kind kind;

    memcpy(page, data, size < sizeof page ? size : sizeof page);
    ks_rc rc = header_parse(page, view_of(NULL, 0), &kind, &h);
    if (!ks_ok(rc))
        fuzz_demand(rc.cls == KS_CLASS_CORRUPT || ks_is(rc, KS_E_NEWER_VERSION));
    else if (kind == PAGE_WRITTEN)
        demand_same_again(&h);
    return 0;
}
