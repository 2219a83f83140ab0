/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: any text given as a policy is refused as USAGE or LIMIT with a message, or is a policy that can be asked, and whose
 * own text is accepted again and answers the same.
 */
#include "fuzz.h"

#include <string.h>

#include "localkms/aws_policy.h"

static struct policy_answer ask(const struct aws_policy *p)
{
    static const struct aws_identity who = {.kind = AWS_USER,
                                            .account = "111122223333",
                                            .arn = "arn:aws:iam::111122223333:user/alice",
                                            .principal = "arn:aws:iam::111122223333:user/alice",
                                            .user_id = "AIDA0000000000000000",
                                            .source_ip = "192.0.2.1",
                                            .now_s = 1900000000};
    struct policy_answer answer = {0};
    struct aws_access access = {.action = "kms:Decrypt",
                                .resource = "arn:aws:kms:eu-west-1:111122223333:key/1",
                                .account = "111122223333"};

    policy_ask(p, &who, &access, &answer);
    return answer;
}

static void demand_same_again(const struct aws_policy *p, enum policy_kind kind)
{
    CLEANUP(buf_done) struct buf text = buf_init(8 * POLICY_BYTES_MAX);
    struct policy_answer first = ask(p), second;
    struct aws_policy *again = NULL;

    fuzz_demand(ks_ok(policy_write(p, &text)));
    if (text.len > POLICY_BYTES_MAX) /* escapes made it longer */
        return;
    fuzz_demand(ks_ok(policy_parse(buf_view(&text), kind, &again)));
    second = ask(again);
    fuzz_demand(memcmp(&first, &second, sizeof first) == 0);
    policy_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum policy_kind kinds[] = {POLICY_IDENTITY, POLICY_TRUST, POLICY_KEY};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct aws_policy *p = NULL;
        ks_rc rc = policy_parse(view_of(data, size), kinds[i], &p);
        if (ks_ok(rc))
            demand_same_again(p, kinds[i]);
        else
            fuzz_demand((rc.cls == KS_CLASS_USAGE || rc.cls == KS_CLASS_LIMIT) && ks_text(rc)[0]);
        policy_free(p);
    }
    return 0;
}
