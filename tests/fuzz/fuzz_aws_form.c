/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: any body of an IAM or STS request is refused as USAGE or LIMIT, or gives fields that are there under their names, once.
 */
#include "fuzz.h"

#include "localkms/aws_form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(form_freep) struct form *f = NULL;
    ks_rc rc = form_parse(view_of(data, size), &f);

    if (!ks_ok(rc)) {
        fuzz_demand(rc.cls == KS_CLASS_USAGE || rc.cls == KS_CLASS_LIMIT);
        return 0;
    }
    const char *action = form_get(f, "Action");
    fuzz_demand(!action || strlen(action) <= size);
    fuzz_demand(!form_member(f, "Tags", 1, "Key") || form_get(f, "Tags.member.1.Key"));
    return 0;
}
