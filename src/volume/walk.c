/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/walk.c - visiting every object of a backing tree.
 */
#include "volume/walk.h"

#include <string.h>

struct walk {
    struct io *io;
    const struct walk_visitor *visitor;
    void *arg;
};

static ks_rc walk_dir(struct walk *w, struct io_node *dir);

static ks_rc walk_object(struct walk *w, struct io_node *dir, const char *sealed)
{
    struct io *io = w->io;
    struct io_node *node;
    struct stat st;
    ks_rc rc = io->ops->lookup(io, dir, sealed, &node, &st);

    if (ks_is_os(rc, ENOENT))
        return KS_SUCCESS; /* removed meanwhile */
    TRY(rc);
    if (S_ISREG(st.st_mode))
        return w->visitor->file(w->arg, node, &st);
    rc = w->visitor->other(w->arg, node, &st);
    if (ks_ok(rc) && S_ISDIR(st.st_mode))
        rc = walk_dir(w, node);
    if (ks_ok(rc) && S_ISDIR(st.st_mode) && w->visitor->done)
        return w->visitor->done(w->arg, node, &st);
    io->ops->node_close(io, node);
    return rc;
}

static ks_rc walk_entry(struct walk *w, struct io_node *dir, const char *sealed)
{
    TRY(w->visitor->enter(w->arg, sealed));
    ks_rc rc = walk_object(w, dir, sealed);
    w->visitor->leave(w->arg);
    return rc;
}

static ks_rc walk_stream(struct walk *w, struct io_node *dir, struct io_dir *stream)
{
    struct io_dirent e;

    for (;;) {
        TRY(w->io->ops->dir_next(w->io, stream, &e));
        if (e.name[0] == 0)
            return KS_SUCCESS;
        if (strcmp(e.name, ".") != 0 && strcmp(e.name, "..") != 0)
            TRY(walk_entry(w, dir, e.name));
    }
}

static ks_rc walk_dir(struct walk *w, struct io_node *dir)
{
    struct io_dir *stream;

    TRY(w->io->ops->dir_open(w->io, dir, &stream));
    ks_rc rc = walk_stream(w, dir, stream);
    w->io->ops->dir_close(w->io, stream);
    return rc;
}

ks_rc walk_tree(struct io *io, struct io_node *dir, const struct walk_visitor *visitor, void *arg)
{
    struct walk w = {io, visitor, arg};

    return walk_dir(&w, dir);
}
