/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/json.h - JSON (RFC 8259) from outside, read strictly: bounded in size and depth, no duplicate names,
 * nothing behind the value. And typed access to members, with errors that name them.
 *
 * The values are jansson's. They are borrowed from the document unless said otherwise.
 */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "base/rc.h"

struct json_limits {
    size_t bytes_max; /* of the text */
    unsigned depth_max;
};

/*
 * json_read(text, limits, what, ret): any value; the caller owns it (json_decref; json_decrefp for CLEANUP). USAGE when it is not
 * JSON (with line and column, never with the text, which may hold secrets), LIMIT beyond the limits.
 * what names the document in errors: "reply of the key service".
 */
ks_rc json_read(struct view text, struct json_limits limits, const char *what,
                json_t **ret) KS_MUST;
/* json_write(value, ret): appends the compact form to ret. NO_MEMORY, LIMIT. Sorted names with is_sorted. */
ks_rc json_write(const json_t *value, bool is_sorted, struct buf *ret) KS_MUST;

/*
 * Members of an object. The first form needs the member, json_may_* takes a missing or null one as absent
 * and leaves *ret as it was. USAGE with the name of the member for a wrong type, an absent member, a string
 * longer than len_max (one with a NUL inside is no valid JSON here), a number out of range. object may be NULL: no members.
 */
ks_rc json_get_text(const json_t *object, const char *name, size_t len_max,
                    const char **ret) KS_MUST;
ks_rc json_may_text(const json_t *object, const char *name, size_t len_max,
                    const char **ret) KS_MUST;
ks_rc json_get_int(const json_t *object, const char *name, int64_t min, int64_t max,
                   int64_t *ret) KS_MUST;
/* also takes a string of digits: Google writes int64 so */
ks_rc json_may_int(const json_t *object, const char *name, int64_t min, int64_t max,
                   int64_t *ret) KS_MUST;
ks_rc json_may_bool(const json_t *object, const char *name, bool *ret) KS_MUST;
ks_rc json_get_object(const json_t *object, const char *name, json_t **ret) KS_MUST;
ks_rc json_may_object(const json_t *object, const char *name, json_t **ret) KS_MUST;
ks_rc json_get_array(const json_t *object, const char *name, size_t count_max,
                     json_t **ret) KS_MUST;
ks_rc json_may_array(const json_t *object, const char *name, size_t count_max,
                     json_t **ret) KS_MUST;
