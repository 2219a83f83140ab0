/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/codec.c - reading and writing bytes of a format with a sticky error.
 */
#include "base/codec.h"

#include "base/mem.h"

struct rd rd_init(struct view in)
{
    return (struct rd){.in = in};
}

static void rd_fail(struct rd *r, const char *problem)
{
    if (!r->problem)
        r->problem = problem;
}

struct view rd_view(struct rd *r, size_t len)
{
    if (!r->problem && len > r->in.len - r->at)
        rd_fail(r, "ends too early");
    if (r->problem)
        return view_of(NULL, 0);
    struct view v = view_of(r->in.bytes + r->at, len);
    r->at += len;
    return v;
}

void rd_bytes(struct rd *r, void *out, size_t len)
{
    struct view v = rd_view(r, len);

    if (v.len == len && len > 0)
        memcpy(out, v.bytes, len);
    else
        memset(out, 0, len);
}

uint8_t rd_u8(struct rd *r)
{
    uint8_t b[1];

    rd_bytes(r, b, sizeof b);
    return b[0];
}

uint16_t rd_u16(struct rd *r)
{
    uint8_t b[2];

    rd_bytes(r, b, sizeof b);
    return get_u16(b);
}

uint32_t rd_u32(struct rd *r)
{
    uint8_t b[4];

    rd_bytes(r, b, sizeof b);
    return get_u32(b);
}

uint64_t rd_u64(struct rd *r)
{
    uint8_t b[8];

    rd_bytes(r, b, sizeof b);
    return get_u64(b);
}

struct view rd_blob16(struct rd *r, size_t max)
{
    uint16_t len = rd_u16(r);

    if (len > max)
        rd_fail(r, "a field is longer than allowed");
    return rd_view(r, len);
}

static bool is_plain_text(struct view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.bytes[i] < 0x20 || v.bytes[i] == 0x7f)
            return false;
    return true;
}

void rd_text16(struct rd *r, char *out, size_t out_bytes)
{
    struct view v = rd_blob16(r, out_bytes - 1);

    memset(out, 0, out_bytes);
    if (!is_plain_text(v))
        rd_fail(r, "a text holds control characters");
    if (r->problem || v.len == 0)
        return;
    memcpy(out, v.bytes, v.len);
}

void rd_magic(struct rd *r, const char *magic)
{
    if (!view_is_equal(rd_view(r, strlen(magic)), view_text(magic)))
        rd_fail(r, "does not begin with the magic number");
}

void rd_zero(struct rd *r, size_t len)
{
    struct view v = rd_view(r, len);

    if (v.len && !mem_is_zero(v.bytes, v.len))
        rd_fail(r, "reserved bytes are not zero");
}

void rd_expect(struct rd *r, bool is_right, const char *problem)
{
    if (!is_right)
        rd_fail(r, problem);
}

size_t rd_left(const struct rd *r)
{
    return r->in.len - r->at;
}

bool rd_ok(const struct rd *r)
{
    return !r->problem;
}

ks_rc rd_done(const struct rd *r)
{
    ENSURE(!r->problem, KS_E_FORMAT, "%s (at byte %zu)", r->problem, r->at);
    ENSURE(r->at == r->in.len, KS_E_FORMAT, "%zu bytes too many", r->in.len - r->at);
    return KS_SUCCESS;
}

struct wr wr_init(struct buf *out)
{
    return (struct wr){.out = out};
}

void wr_bytes(struct wr *w, struct view v)
{
    if (ks_ok(w->rc))
        w->rc = buf_append(w->out, v);
}

void wr_u8(struct wr *w, uint8_t v)
{
    wr_bytes(w, view_of(&v, 1));
}

void wr_u16(struct wr *w, uint16_t v)
{
    uint8_t b[2];

    put_u16(b, v);
    wr_bytes(w, view_of(b, sizeof b));
}

void wr_u32(struct wr *w, uint32_t v)
{
    uint8_t b[4];

    put_u32(b, v);
    wr_bytes(w, view_of(b, sizeof b));
}

void wr_u64(struct wr *w, uint64_t v)
{
    uint8_t b[8];

    put_u64(b, v);
    wr_bytes(w, view_of(b, sizeof b));
}

void wr_blob16(struct wr *w, struct view v)
{
    if (ks_ok(w->rc) && v.len > UINT16_MAX)
        w->rc = ks_fail(KS_E_LIMIT, "a field of %zu bytes; at most 65535", v.len);
    wr_u16(w, (uint16_t)v.len);
    wr_bytes(w, v);
}

void wr_text16(struct wr *w, const char *text)
{
    wr_blob16(w, view_text(text));
}

void wr_zero(struct wr *w, size_t len)
{
    static const uint8_t zeros[64];

    for (size_t part; len > 0; len -= part) {
        part = len < sizeof zeros ? len : sizeof zeros;
        wr_bytes(w, view_of(zeros, part));
    }
}

ks_rc wr_done(const struct wr *w)
{
    return w->rc;
}
