/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/stream.h - whether a file is being written in order, and which stretch of it should go to the disk by now.
 *
 * A sync at the end of a long file waits for all of it, while the disk had nothing to do before. So the disk is given what is
 * written in order piece by piece, but not the beginning of a file: many files are small, or removed soon. Requests may
 * come a little out of order. Pure: no I/O, no lock. A zeroed struct has seen nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream {
    uint64_t began;    /* where the writing in order did */
    uint64_t from, to; /* what no piece has covered yet */
};

enum {
    STREAM_LONG = 32 * 1024 * 1024, /* this far it is left alone */
    STREAM_PIECE = 4 * 1024 * 1024,
    STREAM_DISORDER = 8 * 1024 * 1024, /* a write farther away begins a stream of its own */
};

/* stream_write(s, at, len): a write ended. */
void stream_write(struct stream *s, uint64_t at, uint64_t len);
/* stream_is_due(s): whether there is a piece; stream_take(s, ret_at, ret_len) gives it, and it is not due again. */
bool stream_is_due(const struct stream *s);
void stream_take(struct stream *s, uint64_t *ret_at, uint64_t *ret_len);
/* stream_sync(s): everything goes to the disk now; what comes is a new stream. */
void stream_sync(struct stream *s);
