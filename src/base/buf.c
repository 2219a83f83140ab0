/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/buf.c - bytes we own, with a bound. One byte more than len is always allocated and zero,
 * so that the contents can be read as text.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

enum { FIRST_ROOM = 256 };

struct buf buf_init(size_t max_bytes)
{
    return (struct buf){.max_bytes = max_bytes};
}

struct buf buf_init_wiping(size_t max_bytes)
{
    return (struct buf){.max_bytes = max_bytes, .is_wiping = true};
}

void buf_done(struct buf *b)
{
    if (b->is_wiping && b->bytes)
        mem_wipe(b->bytes, b->room);
    mem_free(b->bytes);
    b->bytes = NULL;
    b->len = b->room = 0;
}

/* realloc would leave the old bytes where they were. */
static ks_rc grow_wiping(struct buf *b, size_t room)
{
    uint8_t *grown;

    TRY(mem_new(room, 1, &grown));
    if (b->bytes) {
        memcpy(grown, b->bytes, b->len);
        mem_wipe(b->bytes, b->room);
        mem_free(b->bytes);
    }
    b->bytes = grown;
    return KS_SUCCESS;
}

static ks_rc buf_reserve(struct buf *b, size_t more)
{
    size_t need, room = b->room ? b->room : FIRST_ROOM;

    ENSURE(more <= b->max_bytes - b->len, KS_E_LIMIT, "more than %zu bytes", b->max_bytes);
    need = b->len + more + 1;
    if (need <= b->room)
        return KS_SUCCESS;
    while (room < need)
        room *= 2;
    TRY(b->is_wiping ? grow_wiping(b, room) : mem_grow(room, 1, &b->bytes));
    b->room = room;
    return KS_SUCCESS;
}

ks_rc buf_extend(struct buf *b, size_t n, uint8_t **ret_tail)
{
    TRY(buf_reserve(b, n));
    *ret_tail = b->bytes + b->len;
    b->len += n;
    b->bytes[b->len] = 0;
    return KS_SUCCESS;
}

void buf_cut(struct buf *b, size_t len)
{
    if (len >= b->len)
        return;
    if (b->is_wiping)
        mem_wipe(b->bytes + len, b->len - len);
    b->len = len;
    b->bytes[len] = 0;
}

ks_rc buf_append(struct buf *b, struct view v)
{
    uint8_t *tail;

    TRY(buf_extend(b, v.len, &tail));
    if (v.len)
        memcpy(tail, v.bytes, v.len);
    return KS_SUCCESS;
}

ks_rc buf_printf(struct buf *b, const char *fmt, ...)
{
    CLEANUP(mem_freep) char *text = NULL;
    va_list args;

    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    ENSURE(n >= 0, KS_E_NO_MEMORY, "no memory for a text");
    ks_rc rc = buf_append(b, view_of(text, (size_t)n));
    if (b->is_wiping)
        mem_wipe(text, (size_t)n);
    return rc;
}

struct view buf_view(const struct buf *b)
{
    return view_of(b->bytes, b->len);
}

const char *buf_text(const struct buf *b)
{
    return b->bytes ? (const char *)b->bytes : "";
}
