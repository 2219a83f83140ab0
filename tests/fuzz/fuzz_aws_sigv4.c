/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a request in any form, header or query, is refused with a code and a text, or gives a claim whose parts are terminated
 * and can be compared; no claim is signed by a key that nobody used.
 */
#include "fuzz.h"

#include <string.h>

#include "localkms/aws_sigv4.h"

enum { TEXT_BYTES = 4096, T0 = 1440938160 };

static void demand_judged(const struct sigv4_request *request, bool is_json)
{
    CLEANUP(sigv4_claim_done) struct sigv4_claim claim = {0};
    struct sigv4_wanted wanted = {T0, "kms", is_json};
    struct aws_refusal refusal = {0};
    uint8_t key[HASH_BYTES] = {1};
    bool is_signed = true;

    if (!sigv4_read(request, &wanted, &claim, &refusal)) {
        fuzz_demand(refusal.code && refusal.status >= 400 && refusal.message[0]);
        fuzz_demand(strlen(refusal.message) < sizeof refusal.message);
        return;
    }
    fuzz_demand(strcmp(claim.service, "kms") == 0);
    ks_rc rc = sigv4_is_signed(request, &claim, key, &is_signed);
    fuzz_demand(ks_ok(rc) ? !is_signed : rc.cls == KS_CLASS_LIMIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT_BYTES];

    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    struct sigv4_request request = {"POST",
                                    "/",
                                    "",
                                    4,
                                    {{"Host", "h"},
                                     {"X-Amz-Date", "20150830T123600Z"},
                                     {"X-My", text},
                                     {"Authorization", text}},
                                    {data, size}};
    demand_judged(&request, true);
    request.header_count = 3;
    request.query = text;
    request.path = text;
    demand_judged(&request, false);
    return 0;
}
