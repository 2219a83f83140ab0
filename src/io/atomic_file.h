/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/atomic_file.h - small files that are there whole, old or new, whatever happens.
 */
#pragma once

#include "io/io.h"

/* atomic_file_read(io, dir, name, max, ret): appends the whole file to ret; LIMIT if it is longer than
 * max; ks_is_os(rc, ENOENT) when there is none. */
ks_rc atomic_file_read(struct io *io, struct io_node *dir, const char *name, size_t max_bytes,
                       struct buf *ret) KS_MUST;

/*
 * atomic_file_write(io, dir, name, mode, data): writes name.tmp, syncs it, renames it over name and
 * syncs the directory. On success the new contents are durable; on failure or power loss the file
 * is old or new, never a mixture. A left-over name.tmp is replaced. One writer at a time.
 */
ks_rc atomic_file_write(struct io *io, struct io_node *dir, const char *name, mode_t mode,
                        struct view data) KS_MUST;
