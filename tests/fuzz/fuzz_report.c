/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: any report of a node, and any part of it, is refused as USAGE or LIMIT or can be read within its bounds; and any text given as a
 * key spec of any type is judged without harm.
 */
#include "fuzz.h"

#include <string.h>

#include "base/json.h"
#include "control/cmek_spec.h"
#include "control/report_read.h"

static void demand_refusal(ks_rc rc)
{
    fuzz_demand(ks_ok(rc) || rc.cls == KS_CLASS_USAGE || rc.cls == KS_CLASS_LIMIT);
}

static void demand_forms(const struct report *r)
{
    const json_t *one;
    size_t i;

    json_array_foreach(r->checks, i, one) demand_refusal(report_read_check(one));
    json_array_foreach(r->receipts, i, one) demand_refusal(report_read_receipt(one));
}

static void demand_bounds(const struct report *r)
{
    static struct report_volume v;
    const json_t *one;
    size_t i;

    json_array_foreach(r->volumes, i, one)
    {
        ks_rc rc = report_read_volume(one, &v);
        demand_refusal(rc);
        if (!ks_ok(rc))
            continue;
        fuzz_demand(id_is_valid(v.id) && v.key_count <= REPORT_KEYS_MAX && v.goal >= -1);
        fuzz_demand(v.port >= 0 && v.port <= UINT16_MAX && v.rate >= 0 && v.bytes_total >= 0);
        fuzz_demand(strlen(v.host) < HOST_BYTES && strlen(v.connection) < HOST_BYTES);
        for (size_t k = 0; k < v.key_count; k++)
            fuzz_demand(strlen(v.keys[k].version) < KEY_VERSION_BYTES && id_is_valid(v.keys[k].id));
    }
}

static void judge_spec(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"AWS_KMS", "GCP_CLOUD_KMS", "AZURE_KEY_VAULT",
                                        "VAULT_TRANSIT", "FILE"};
    struct spec_rules rules = {"", "us-west-2", "0a000000-0000-4000-8000-000000000001", size % 2,
                               size % 3 == 0};
    struct key_spec spec = {0};
    struct faults f = {0};
    size_t half = size / 2;

    if (half >= sizeof spec.uri)
        return;
    memcpy(spec.type, types[size % 5], strlen(types[size % 5]));
    memcpy(spec.uri, data, half);
    memcpy(spec.auth_principal, data + half, half);
    spec_check(&rules, &spec, &f);
    fuzz_demand(strlen(f.text) < sizeof f.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_limits limits = {1 << 20, 32};
    struct report r;
    json_t *document;

    judge_spec(data, size);
    if (!ks_ok(json_read(view_of(data, size), limits, "a report", &document)))
        return 0;
    ks_rc rc = report_read(document, &r);
    demand_refusal(rc);
    if (ks_ok(rc)) {
        demand_bounds(&r);
        demand_forms(&r);
    }
    json_decref(document);
    return 0;
}
