/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/copy_tree.h - a whole tree from one back end of io/io.h to another.
 *
 * Names, types, modes, owners, contents with their holes, hard links, symlinks and extended attributes; no times.
 */
#pragma once

#include "io/io.h"
#include "io/record.h"

/* copy_tree(from_io, from, to_io, to, map): fills the directory to, which is empty, with what is below from. map is a
 * map of to_io's objects: every copied object is put there under its inode number of from_io. */
ks_rc copy_tree(struct io *from_io, struct io_node *from, struct io *to_io, struct io_node *to,
                struct record_map *map) KS_MUST;
