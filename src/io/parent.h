/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/parent.h - paths that were given by people, as the directory that their last part is in.
 */
#pragma once

#include "io/io.h"

/* parent_open(io, path, ret, ret_name): "/a/b/" is "b" in "/a", "b" is "b" in ".". Give *ret back with node_close. USAGE for a path without a last
 * part, or too long; NOT_FOUND, with what to do, when the directory is not there. */
ks_rc parent_open(struct io *io, const char *path, struct io_node **ret,
                  char ret_name[IO_NAME_BYTES + 1]) KS_MUST;
/* parent_make_dir(io, path, mode): makes the last part of the path, durably. Success when it is there already, whatever it is. */
ks_rc parent_make_dir(struct io *io, const char *path, mode_t mode) KS_MUST;
