/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: any text given as a key spec is refused as USAGE or LIMIT, or gives a spec whose own text
 * "type:uri" parses to the same spec.
 */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#include "base/key_spec.h"

enum { TEXT_BYTES = 6000 };

static void demand_same_again(const struct key_spec *spec)
{
    char text[TEXT_BYTES];
    struct key_spec again;

    snprintf(text, sizeof text, "%s:%s", spec->type, spec->uri);
    fuzz_demand(ks_ok(key_spec_parse(text, &again)));
    fuzz_demand(key_spec_is_same(spec, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT_BYTES];
    struct key_spec spec;

    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    ks_rc rc = key_spec_parse(text, &spec);
    if (ks_ok(rc))
        demand_same_again(&spec);
    else
        fuzz_demand(rc.cls == KS_CLASS_USAGE || rc.cls == KS_CLASS_LIMIT);
    return 0;
}
