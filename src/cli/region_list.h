/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/region_list.h - regions of a cluster as they are written on the command line: "us-west-2:3,us-east-1".
 */
#pragma once

#include <jansson.h>

#include "base/rc.h"

/*
 * region_list_parse(text, ret): [{"name": "us-west-2", "node_count": 3}, {"name": "us-east-1", "node_count": 1}]. USAGE with an
 * example for another form, a region twice, 0 nodes. region_list_add_keys(regions, specs): the keys of manifest_read with their
 * regions; USAGE for a region that is not among them, and for one without keys.
 */
ks_rc region_list_parse(const char *text, json_t **ret) KS_MUST;
ks_rc region_list_add_keys(json_t *regions, const json_t *specs) KS_MUST;
