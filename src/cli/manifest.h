/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/manifest.h - key specs of regions in a file, as the guides of managed databases have customers write them: YAML or JSON.
 *
 *     region_specs:
 *     - region: us-west-2
 *       key_spec: {type: AWS_KMS, uri: "arn:...", auth_principal: "arn:..."}
 *
 * A region that several keys shall open has key_specs, a list, instead.
 */
#pragma once

#include <jansson.h>

#include "base/rc.h"
#include "base/view.h"

/*
 * manifest_read(path, ret): "-" is standard input. *ret: [{"region": ..., "keys": [{"type", "uri", "auth_principal"}]}], checked for
 * form: every fault is USAGE and names file, place and what would be right: no such members, none where one must be, a region
 * twice, a text that is still the guide's {PLACEHOLDER}. What keys and regions there are, the control plane says.
 */
ks_rc manifest_read(const char *path, json_t **ret) KS_MUST;
/* manifest_parse(text, path, ret): the same of a text; path names it in errors. */
ks_rc manifest_parse(struct view text, const char *path, json_t **ret) KS_MUST;
