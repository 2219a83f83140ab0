/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/buf.h - bytes we own, with a bound given at birth.
 *
 * Growth beyond max_bytes is LIMIT, so nothing read from outside can grow without end. For text that may carry
 * a secret on its way to or from a key service there are wiping buffers; keys at rest are in struct secret.
 */
#pragma once

#include "base/rc.h"
#include "base/view.h"

struct buf {
    uint8_t *bytes;
    size_t len, room, max_bytes;
    bool is_wiping; /* no byte that was in it stays behind in the heap */
};

/* buf_init(max): an empty buffer that may hold max bytes. Cannot fail; allocates nothing. */
struct buf buf_init(size_t max_bytes);
/* buf_init_wiping(max): the same, and growth and buf_done wipe what they give back. */
struct buf buf_init_wiping(size_t max_bytes);
/* buf_done(b): frees the bytes; the buffer is empty and usable again. For CLEANUP. */
void buf_done(struct buf *b);
/* buf_append(b, v): adds bytes; LIMIT beyond max_bytes, NO_MEMORY; unchanged on failure. */
ks_rc buf_append(struct buf *b, struct view v) KS_MUST;
/* buf_printf(b, fmt, ...): appends formatted text (no terminator counted in len). */
ks_rc buf_printf(struct buf *b, const char *fmt, ...) KS_MUST KS_PRINTF(2, 3);
/* buf_extend(b, n, ret): n more bytes, uninitialised, at *ret; valid until the next growth. */
ks_rc buf_extend(struct buf *b, size_t n, uint8_t **ret_tail) KS_MUST;
/* buf_cut(b, len): only the first len bytes are left; what was behind them is as if it had never been there. */
void buf_cut(struct buf *b, size_t len);
/* buf_view(b): what is in it; valid until the next growth. */
struct view buf_view(const struct buf *b);
/* buf_text(b): the contents as a C string (a terminator is kept behind the last byte). */
const char *buf_text(const struct buf *b);
