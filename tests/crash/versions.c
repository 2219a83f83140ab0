/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/crash/versions.c - the contents of a file over time.
 */
#include "versions.h"

#include <assert.h>
#include <string.h>

void versions_begin(struct versions *v)
{
    memset(&v->all[0], 0, sizeof v->all[0]);
    v->count = 1;
}

struct version *versions_newest(struct versions *v)
{
    return &v->all[v->count - 1];
}

struct version *versions_next(struct versions *v)
{
    assert(v->count < VERSIONS_MAX);
    v->all[v->count] = v->all[v->count - 1];
    v->all[v->count].time = SIZE_MAX; /* until it is done */
    return &v->all[v->count++];
}

struct version *versions_write(struct versions *v, size_t at, size_t len, uint8_t byte)
{
    struct version *n = versions_next(v);

    assert(at + len <= VERSION_BYTES_MAX);
    memset(n->bytes + at, byte, len);
    if (at + len > n->size)
        n->size = at + len;
    return n;
}

struct version *versions_resize(struct versions *v, size_t size)
{
    struct version *n = versions_next(v);

    assert(size <= VERSION_BYTES_MAX);
    if (size < n->size)
        memset(n->bytes + size, 0, n->size - size);
    n->size = size;
    return n;
}

struct version *versions_zero(struct versions *v, size_t at, size_t len)
{
    struct version *n = versions_next(v);
    size_t end = at + len < n->size ? at + len : n->size;

    if (at < end)
        memset(n->bytes + at, 0, end - at);
    return n;
}

void versions_done(struct versions *v, size_t time)
{
    versions_newest(v)->time = time;
}

void versions_synced(struct versions *v)
{
    v->all[0] = v->all[v->count - 1];
    v->count = 1;
}

/* The last version that may have begun to show at a time: one step is under way. */
static size_t newest_possible(const struct versions *v, size_t time)
{
    size_t n = 0;

    while (n + 1 < v->count && v->all[n].time <= time)
        n++;
    return n;
}

static bool byte_is_legal(const struct versions *v, size_t newest, size_t at, struct view got)
{
    bool is_there = at < got.len;

    for (size_t n = 0; n <= newest; n++) {
        const struct version *one = &v->all[n];
        bool is_in_version = at < one->size;
        if (is_there && (is_in_version ? one->bytes[at] == got.bytes[at] : got.bytes[at] == 0))
            return true;
        if (!is_there && !is_in_version)
            return true;
    }
    return false;
}

ks_rc versions_check(const struct versions *v, size_t time, struct view got)
{
    size_t newest = newest_possible(v, time), longest = 0;

    for (size_t n = 0; n <= newest; n++)
        longest = v->all[n].size > longest ? v->all[n].size : longest;
    ENSURE(got.len <= longest, KS_E_CORRUPT,
           "%zu bytes, more than the %zu of any version up to %zu", got.len, longest, newest);
    for (size_t at = 0; at < longest; at++)
        ENSURE(byte_is_legal(v, newest, at, got), KS_E_CORRUPT,
               "byte %zu of %zu is %u, in no version up to %zu of %zu", at, got.len,
               at < got.len ? got.bytes[at] : 0, newest, v->count);
    return KS_SUCCESS;
}
