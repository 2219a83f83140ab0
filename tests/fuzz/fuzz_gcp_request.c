/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: any path gives a name that names what it was parsed from, or is refused; any document in the place of a policy
 * is refused or can be evaluated. The first byte chooses.
 */
#include "fuzz.h"

#include <string.h>

#include "base/json.h"
#include "localkms/gcp_name.h"
#include "localkms/gcp_roles.h"

enum { PATH_MAX_BYTES = 1024 };

static void read_path(const uint8_t *data, size_t size)
{
    char path[PATH_MAX_BYTES];
    struct goog_name n, again;

    if (size >= sizeof path)
        return;
    memcpy(path, data, size);
    path[size] = 0;
    if (!goog_name_parse(path, &n))
        return;
    fuzz_demand(n.project[0] && n.text[0] && n.kind < GOOG_KINDS);
    if (n.is_collection)
        return;
    fuzz_demand(goog_name_parse(n.text, &again));
    fuzz_demand(strcmp(n.text, again.text) == 0 && n.kind == again.kind && !again.verb[0]);
}

static bool count(void *arg, const char *member)
{
    size_t *n = arg;

    fuzz_demand(member != NULL);
    ++*n;
    return true;
}

static void read_policy(const uint8_t *data, size_t size)
{
    json_t *policy = NULL;
    char problem[GOOG_TEXT_BYTES] = "";
    size_t members = 0;

    if (!ks_ok(json_read(view_of(data, size), (struct json_limits){65536, 12}, "policy", &policy)))
        return;
    bool is_good = goog_policy_check(policy, problem);
    fuzz_demand(is_good == (problem[0] == 0));
    if (is_good) {
        fuzz_demand(goog_policy_each(policy, count, &members));
        bool may = goog_policy_allows(policy, "serviceAccount:a@b", "cloudkms.cryptoKeys.get");
        fuzz_demand(!may || members > 0);
    }
    json_decref(policy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 2)
        read_policy(data + 1, size - 1);
    else
        read_path(data + 1, size - 1);
    return 0;
}
