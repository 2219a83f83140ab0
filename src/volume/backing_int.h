/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/backing_int.h - what opening and making a backing directory share. Private to backing*.c.
 */
#pragma once

#include "volume/backing.h"
#include "volume/key_access.h"

#define BACKING_TREE "tree"
#define BACKING_LONG "long"

/* backing_dir(b, ret_io): the directory itself, and the back end that it is on. */
struct io_node *backing_dir(struct backing *b, struct io **ret_io);
/* backing_each(io, dir, each): calls each(io, dir, name) for every entry but "." and ".." until one fails. */
ks_rc backing_each(struct io *io, struct io_node *dir,
                   ks_rc (*each)(struct io *, struct io_node *, const char *)) KS_MUST;
/* backing_check_exclusive(b): STATE when it was opened for reading only. */
ks_rc backing_check_exclusive(const struct backing *b) KS_MUST;

/* backing_access(conf, stretched, attempts_max, ret): key service clients as conf wants them. stretched: what they hand to
 * the others that have the same one, borrowed; NULL: nothing. attempts_max 0: the usual number. */
ks_rc backing_access(const struct backing_conf *conf, struct stretched *stretched,
                     uint32_t attempts_max, struct key_access **ret) KS_MUST;
