/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/tmpdir.h - a private directory for one test, gone afterwards.
 */
#pragma once

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#include "check.h"

struct tmpdir {
    char path[64];
};

static inline struct tmpdir tmpdir_make(void)
{
    struct tmpdir t = {"/tmp/keystead-test-XXXXXX"};

    assert_non_null(mkdtemp(t.path));
    return t;
}

static inline int tmpdir_remove_one(const char *path, const struct stat *st, int type,
                                    struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static inline void tmpdir_remove(const struct tmpdir *t)
{
    nftw(t->path, tmpdir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct path {
    char text[256];
};

/* tmpdir_path(t, name): the path of name in it. */
static inline struct path tmpdir_path(const struct tmpdir *t, const char *name)
{
    struct path p;

    snprintf(p.text, sizeof p.text, "%s/%s", t->path, name);
    return p;
}

/* file_get(path, out, room), file_put(path, bytes): whole small files. */
static inline size_t file_get(const char *path, uint8_t *out, size_t room)
{
    FILE *f = fopen(path, "rb");

    assert_non_null(f);
    size_t n = fread(out, 1, room, f);
    fclose(f);
    return n;
}

static inline void file_put(const char *path, struct view bytes)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes.bytes, 1, bytes.len, f), bytes.len);
    assert_int_equal(fclose(f), 0);
}
