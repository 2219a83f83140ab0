/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/yaml.h - YAML from people's files, as the same values that JSON gives (base/json.h). The only user of libyaml.
 *
 * A strict part of YAML 1.2: one document; mappings, sequences and scalars; names of a mapping are texts and stand once. No anchors,
 * aliases, tags. Plain scalars follow the core schema where it cannot surprise: null, ~ and nothing are null; true and false (and True,
 * TRUE, ...) are booleans; 0, -12 are integers; everything else is a text, "no" and "on" too. What other readers might
 * take for a number is refused with the advice to quote it: 007, 1.10, 1e3, 0x1f, .inf, and integers beyond 64 bits.
 * JSON is YAML. Not for secrets: libyaml's memory is not wiped.
 */
#pragma once

#include "base/json.h"

/*
 * yaml_read(text, limits, what, ret): as json_read. USAGE when it is not such YAML (with line and column from 1, never with the text),
 * LIMIT beyond the limits, NO_MEMORY. what names the document in errors.
 */
ks_rc yaml_read(struct view text, struct json_limits limits, const char *what,
                json_t **ret) KS_MUST;
