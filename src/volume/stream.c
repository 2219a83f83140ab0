/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/stream.c - following what is written in order.
 */
#include "volume/stream.h"

static bool is_near(const struct stream *s, uint64_t at)
{
    return at + STREAM_DISORDER >= s->from && at <= s->to + STREAM_DISORDER;
}

void stream_write(struct stream *s, uint64_t at, uint64_t len)
{
    if (!is_near(s, at))
        *s = (struct stream){at, at, at};
    if (at < s->from)
        s->from = at;
    if (at + len > s->to)
        s->to = at + len;
}

bool stream_is_due(const struct stream *s)
{
    return s->to >= s->began + STREAM_LONG && s->to - s->from >= STREAM_PIECE;
}

void stream_take(struct stream *s, uint64_t *ret_at, uint64_t *ret_len)
{
    *ret_at = s->from;
    *ret_len = s->to - s->from;
    s->from = s->to;
}

void stream_sync(struct stream *s)
{
    s->began = s->from = s->to;
}
