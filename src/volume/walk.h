/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/walk.h - visiting every object of a backing tree.
 *
 * Objects that come or go meanwhile may be missed or met; nothing is locked. Private to volume/.
 */
#pragma once

#include "io/io.h"

struct walk_visitor {
    /* enter(arg, sealed), leave(arg): around each entry, so that a visitor can keep a path. */
    ks_rc (*enter)(void *arg, const char *sealed) KS_MUST;
    void (*leave)(void *arg);
    /* file(arg, node, st): a regular file; takes node over in any case. */
    ks_rc (*file)(void *arg, struct io_node *node, const struct stat *st) KS_MUST;
    /* other(arg, node, st): a directory, before what is in it, or something else. */
    ks_rc (*other)(void *arg, struct io_node *node, const struct stat *st) KS_MUST;
    /* done(arg, dir, st): everything in a directory below the one that the walk began at was visited; takes dir over in any case. NULL: none */
    ks_rc (*done)(void *arg, struct io_node *dir, const struct stat *st) KS_MUST;
};

/* walk_tree(io, dir, visitor, arg): everything below dir, depth first. The first failure ends it. */
ks_rc walk_tree(struct io *io, struct io_node *dir, const struct walk_visitor *visitor,
                void *arg) KS_MUST;
