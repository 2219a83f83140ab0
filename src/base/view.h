/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/view.h - bytes that belong to somebody else.
 *
 * A view borrows; it never frees and never outlives what it points into.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct view {
    const uint8_t *bytes;
    size_t len;
};

static inline struct view view_of(const void *bytes, size_t len)
{
    return (struct view){bytes, len};
}

/* view_text(s): the bytes of a C string without its terminator. */
static inline struct view view_text(const char *s)
{
    return view_of(s, strlen(s));
}

/* view_is_equal(a, b): not in constant time; never for secrets (secret_eq is). */
static inline bool view_is_equal(struct view a, struct view b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.bytes, b.bytes, a.len) == 0);
}
