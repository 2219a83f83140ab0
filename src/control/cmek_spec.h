/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/cmek_spec.h - whether a customer's key spec is one that could be used at all, before anybody is asked about it.
 *
 * Pure functions. What a spec may make a node read or send is decided here too: nodes have files and credentials of their own, and
 * none of them may end up at a service that a customer names.
 */
#pragma once

#include "control/control.h"
#include "control/faults.h"

struct spec_rules {
    const char *provider; /* of the cluster; "": any */
    const char
        *region; /* of the cluster, which the key has to be in where the provider has regions */
    const char *organisation; /* whose credentials may be named */
    bool is_development;
    bool
        is_node_allowed; /* keys at a provider need no principal where the cluster has no provider */
};

/* spec_check(rules, spec, f): everything that is wrong with it. */
void spec_check(const struct spec_rules *rules, const struct key_spec *spec, struct faults *f);
/* specs_check(rules, keys, count, f): 1 to REGION_KEYS_MAX of them, none twice. */
void specs_check(const struct spec_rules *rules, const struct key_spec *keys, size_t count,
                 struct faults *f);
/* spec_is_equal(a, b): same service, key and principal. */
bool spec_is_equal(const struct key_spec *a, const struct key_spec *b);
