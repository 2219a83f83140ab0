/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: any bytes given as the root record of a file key store are refused as FORMAT or NEWER_VERSION, or
 * write back to just these bytes, with a cost within bounds. Target functions: file_root_parse,
 * file_root_write. To get past the sum, a second try is made with a sum that is right.
 */
#include "fuzz.h"

#include <string.h>

#include "crypto/kdf.h"
#include "kms/file_record.h"

enum { HASH = KDF_HASH_BYTES };

static void try_one(struct view in)
{
    CLEANUP(buf_done) struct buf again = buf_init(FILE_ROOT_MAX);
    struct file_root root;
    ks_rc rc = file_root_parse(in, &root);

    if (!ks_ok(rc)) {
        fuzz_demand(ks_is(rc, KS_E_FORMAT) || ks_is(rc, KS_E_NEWER_VERSION));
        return;
    }
    fuzz_demand(root.kdf == FILE_KDF_KEY_FILE || pwhash_cost_is_valid(root.cost));
    fuzz_demand(ks_ok(file_root_write(&root, &again)));
    fuzz_demand(view_is_equal(buf_view(&again), in));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t copy[FILE_ROOT_MAX];

    try_one(view_of(data, size));
    if (size < HASH || size > sizeof copy)
        return 0;
    memcpy(copy, data, size);
    fuzz_demand(ks_ok(kdf_hash(view_of(copy, size - HASH), copy + size - HASH)));
    try_one(view_of(copy, size));
    return 0;
}
