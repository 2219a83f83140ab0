/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: any bytes given as the record of a key in a file key store are refused as FORMAT or
 * NEWER_VERSION, or write back to just these bytes but for the MAC. Target functions:
 * file_record_parse, file_record_check_mac, file_record_write.
 */
#include "fuzz.h"

#include "kms/file_record.h"

static const uint8_t key[32] = "a key that made no MAC so far..";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(file_record_freep) struct file_record *record = NULL;
    CLEANUP(buf_done) struct buf again = buf_init(FILE_RECORD_MAX);
    struct view in = view_of(data, size), mac_key = view_of(key, sizeof key);

    fuzz_demand(file_record_check_mac(in, mac_key).cls == KS_CLASS_CORRUPT);
    ks_rc rc = file_record_parse(in, &record);
    if (!ks_ok(rc)) {
        fuzz_demand(ks_is(rc, KS_E_FORMAT) || ks_is(rc, KS_E_NEWER_VERSION));
        fuzz_demand(!record);
        return 0;
    }
    fuzz_demand(ks_ok(file_name_check(record->name)));
    fuzz_demand(record->version_count >= 1 && record->version_count <= FILE_STORE_VERSIONS_MAX);
    fuzz_demand(ks_ok(file_record_write(record, mac_key, &again)));
    fuzz_demand(again.len == size);
    fuzz_demand(view_is_equal(view_of(again.bytes, size - FILE_MAC_BYTES),
                              view_of(data, size - FILE_MAC_BYTES)));
    fuzz_demand(ks_ok(file_record_check_mac(buf_view(&again), mac_key)));
    return 0;
}
