/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/codec.h - reading and writing bytes of a format, field by field.
 *
 * The error is sticky: read or write all fields, then ask once (rd_done, wr_done). After an error
 * reads give zeros and writes are dropped. Integers are little-endian. No struct overlays.
 */
#pragma once

#include "base/buf.h"
#include "base/rc.h"
#include "base/view.h"

struct rd {
    struct view in;
    size_t at;
    const char *problem; /* NULL while all is well; static text */
};

struct rd rd_init(struct view in);
uint8_t rd_u8(struct rd *r);
uint16_t rd_u16(struct rd *r);
uint32_t rd_u32(struct rd *r);
uint64_t rd_u64(struct rd *r);
/* rd_bytes(r, out, len): copies len bytes; zeros after an error. */
void rd_bytes(struct rd *r, void *out, size_t len);
/* rd_view(r, len): borrows len bytes of the input; empty after an error. */
struct view rd_view(struct rd *r, size_t len);
/* rd_blob16(r, max): a u16 length and that many bytes, at most max. */
struct view rd_blob16(struct rd *r, size_t max);
/* rd_text16(r, out, out_bytes): a blob16 of printable UTF-8 without NUL or control bytes, copied
 * and terminated; a text that does not fit is an error. */
void rd_text16(struct rd *r, char *out, size_t out_bytes);
/* rd_magic(r, magic): the bytes of magic (without terminator) stand here. */
void rd_magic(struct rd *r, const char *magic);
/* rd_zero(r, len): len bytes that must be zero. */
void rd_zero(struct rd *r, size_t len);
/* rd_expect(r, is_right, problem): a condition of the format; problem is static text. */
void rd_expect(struct rd *r, bool is_right, const char *problem);
size_t rd_left(const struct rd *r);
bool rd_ok(const struct rd *r);
/* rd_done(r): FORMAT with the first problem and its offset, also when bytes are left over. */
ks_rc rd_done(const struct rd *r) KS_MUST;

struct wr {
    struct buf *out;
    ks_rc rc;
};

struct wr wr_init(struct buf *out);
void wr_u8(struct wr *w, uint8_t v);
void wr_u16(struct wr *w, uint16_t v);
void wr_u32(struct wr *w, uint32_t v);
void wr_u64(struct wr *w, uint64_t v);
void wr_bytes(struct wr *w, struct view v);
/* wr_blob16(w, v): u16 length and bytes; LIMIT above 65535. */
void wr_blob16(struct wr *w, struct view v);
void wr_text16(struct wr *w, const char *text);
void wr_zero(struct wr *w, size_t len);
ks_rc wr_done(const struct wr *w) KS_MUST;

/* Fixed-place integers, for formats with fields at fixed offsets. */
static inline void put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void put_u32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static inline void put_u64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static inline uint16_t get_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | (uint16_t)p[1] << 8);
}

static inline uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t get_u64(const uint8_t *p)
{
    return (uint64_t)get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
}
