/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: any text given as YAML is refused as USAGE or LIMIT, or gives a value whose JSON is read by the YAML reader as the same value.
 */
#include "fuzz.h"

#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct json_limits limits = {64 * 1024, 16};
    CLEANUP(buf_done) struct buf text = buf_init(1 << 20);
    json_t *first = NULL, *again = NULL;

    ks_rc rc = yaml_read(view_of(data, size), limits, "text", &first);
    if (!ks_ok(rc)) {
        fuzz_demand(rc.cls == KS_CLASS_USAGE || rc.cls == KS_CLASS_LIMIT);
        return 0;
    }
    fuzz_demand(ks_ok(json_write(first, false, &text)));
    if (text.len <= limits.bytes_max) {
        fuzz_demand(ks_ok(yaml_read(buf_view(&text), limits, "text", &again)));
        fuzz_demand(json_equal(first, again));
    }
    json_decref(first);
    json_decref(again);
    return 0;
}
