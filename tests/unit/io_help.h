/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/io_help.h - short words for tests of io: a temporary directory of the host, and whole
 * files and names in one call on any back end.
 */
#pragma once

#include "check.h"

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#include "io/io.h"

/* check_os(e, err): e is the errno err of the operating system. */
#define check_os(e, err)                                                                           \
    do {                                                                                           \
        ks_rc check_rc_ = (e);                                                                     \
        if (!ks_is_os(check_rc_, (err)))                                                           \
            fail_msg("%s: wanted %s, got %s %d: %s", #e, #err, ks_name(check_rc_),                 \
                     ks_errno(check_rc_), ks_ok(check_rc_) ? "" : ks_text(check_rc_));             \
    } while (0)

static inline int help_remove_one(const char *path, const struct stat *st, int flag,
                                  struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

/* help_temp_dir(path): makes a directory and writes its name to path. */
static inline void help_temp_dir(char path[64])
{
    snprintf(path, 64, "/tmp/keystead-io-XXXXXX");
    assert_non_null(mkdtemp(path));
}

static inline void help_temp_remove(const char *path)
{
    nftw(path, help_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline struct io_node *help_root(struct io *io, const char *path)
{
    struct io_node *root = NULL;

    check_ok(io->ops->open_root(io, path, &root));
    return root;
}

static inline struct io_node *help_lookup(struct io *io, struct io_node *dir, const char *name)
{
    struct io_node *node = NULL;

    check_ok(io->ops->lookup(io, dir, name, &node, NULL));
    return node;
}

/* help_create(io, dir, name): a new file, open. */
static inline struct io_file *help_create(struct io *io, struct io_node *dir, const char *name)
{
    struct io_file *file = NULL;

    check_ok(io->ops->create(io, dir, name, 0600, NULL, &file));
    return file;
}

static inline struct io_file *help_open(struct io *io, struct io_node *dir, const char *name)
{
    struct io_node *node = help_lookup(io, dir, name);
    struct io_file *file = NULL;

    check_ok(io->ops->open(io, node, false, &file));
    io->ops->node_close(io, node);
    return file;
}

/* help_put(io, dir, name, text): a new file with contents, not synced. */
static inline void help_put(struct io *io, struct io_node *dir, const char *name, const char *text)
{
    struct io_file *file = help_create(io, dir, name);

    check_ok(io->ops->pwrite(io, file, text, strlen(text), 0));
    io->ops->close(io, file);
}

static inline bool help_exists(struct io *io, struct io_node *dir, const char *name)
{
    struct io_node *node = NULL;
    ks_rc rc = io->ops->lookup(io, dir, name, &node, NULL);

    if (!ks_ok(rc))
        check_os(rc, ENOENT);
    else
        io->ops->node_close(io, node);
    return ks_ok(rc);
}

/* help_get(io, dir, name): the contents as text, at most 255 bytes, or "-" when there is no such
 * name; static storage. */
static inline const char *help_get(struct io *io, struct io_node *dir, const char *name)
{
    static char text[256];
    size_t len = 0;

    if (!help_exists(io, dir, name))
        return "-";
    struct io_file *file = help_open(io, dir, name);
    check_ok(io->ops->pread(io, file, text, sizeof text - 1, 0, &len));
    text[len] = '\0';
    io->ops->close(io, file);
    return text;
}

static inline uint64_t help_size(struct io *io, struct io_node *dir, const char *name)
{
    struct io_node *node = help_lookup(io, dir, name);
    struct stat st;

    check_ok(io->ops->stat(io, node, &st));
    io->ops->node_close(io, node);
    return (uint64_t)st.st_size;
}

/* help_byte(io, file, at): the byte there, or -1 at or behind the end. */
static inline int help_byte(struct io *io, struct io_file *file, uint64_t at)
{
    uint8_t byte;
    size_t len;

    check_ok(io->ops->pread(io, file, &byte, 1, at, &len));
    return len ? byte : -1;
}

/* help_fill(io, file, page, byte): writes one whole page. */
static inline void help_fill(struct io *io, struct io_file *file, uint64_t page, char byte)
{
    char bytes[IO_PAGE_BYTES];

    memset(bytes, byte, sizeof bytes);
    check_ok(io->ops->pwrite(io, file, bytes, sizeof bytes, page * IO_PAGE_BYTES));
}
