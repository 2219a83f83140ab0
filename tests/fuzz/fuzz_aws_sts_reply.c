/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: any bytes as a reply of STS are refused as BAD_REPLY, with nothing of them kept, or give texts that end
 * where their room ends.
 */
#include "fuzz.h"

#include <string.h>

#include "base/mem.h"
#include "kms/aws_sts_reply.h"

static struct aws_sts_reply reply;

static void demand_bounded(void)
{
    fuzz_demand(memchr(reply.access_key, 0, sizeof reply.access_key));
    fuzz_demand(memchr(reply.secret_key, 0, sizeof reply.secret_key));
    fuzz_demand(memchr(reply.token, 0, sizeof reply.token));
    fuzz_demand(memchr(reply.expiration, 0, sizeof reply.expiration));
    fuzz_demand(memchr(reply.error_type, 0, sizeof reply.error_type));
    fuzz_demand(memchr(reply.error_message, 0, sizeof reply.error_message));
    fuzz_demand(memchr(reply.request_id, 0, sizeof reply.request_id));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ks_rc rc = aws_sts_reply_parse(view_of(data, size), &reply);

    fuzz_demand(ks_ok(rc) || ks_is(rc, KS_E_BAD_REPLY));
    if (ks_ok(rc))
        demand_bounded();
    else
        fuzz_demand(mem_is_zero(&reply, sizeof reply));
    return 0;
}
