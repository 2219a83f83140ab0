/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: any bytes taken as a keyring are refused as CORRUPT, NEWER_VERSION or LIMIT, or give a
 * keyring that is written back to the same bytes (but for the MAC, whose key is not there, and the
 * sum over it). Each input is tried as it is and with its sum put right, or nothing would get past
 * the sum.
 */
#include "fuzz.h"

#include <string.h>

#include "crypto/kdf.h"
#include "key/keyring.h"

enum { TAIL_BYTES = 2 * KEYRING_HASH_BYTES };

static void demand_same_again(struct view in, const struct keyring *k)
{
    CLEANUP(buf_done) struct buf again = buf_init(KEYRING_BYTES_MAX);
    CLEANUP(keyring_freep) struct keyring *back = NULL;
    static const uint8_t mac_key[KEYRING_HASH_BYTES];
    struct view key = view_of(mac_key, sizeof mac_key);

    fuzz_demand(ks_ok(keyring_write(k, key, &again)));
    fuzz_demand(again.len == in.len);
    fuzz_demand(memcmp(again.bytes, in.bytes, in.len - TAIL_BYTES) == 0);
    fuzz_demand(ks_ok(keyring_parse(buf_view(&again), &back)));
    fuzz_demand(ks_ok(keyring_check_mac(buf_view(&again), key)));
}

static void try_keyring(struct view in)
{
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    ks_rc rc = keyring_parse(in, &k);

    if (ks_ok(rc))
        demand_same_again(in, k);
    else
        fuzz_demand(rc.cls == KS_CLASS_CORRUPT || ks_is(rc, KS_E_NEWER_VERSION) ||
                    rc.cls == KS_CLASS_LIMIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_done) struct buf in = buf_init(KEYRING_BYTES_MAX + 1);

    try_keyring(view_of(data, size));
    if (size <= TAIL_BYTES || !ks_ok(buf_append(&in, view_of(data, size))))
        return 0;
    size_t summed = size - KEYRING_HASH_BYTES;
    fuzz_demand(ks_ok(kdf_hash(view_of(data, summed), in.bytes + summed)));
    try_keyring(buf_view(&in));
    return 0;
}
