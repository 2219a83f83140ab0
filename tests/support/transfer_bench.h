/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/transfer_bench.h - a small tree on its way between a plain directory and a volume.
 *
 * For tests with cmocka. The tree has a file without contents, a small one in a directory, one of several blocks with two
 * names, and a symlink; files have a mode and an extended attribute of their own.
 */
#pragma once

#include "volume/transfer.h"
#include "volume_fixture.h"

enum { TRANSFER_CONTENTS_MAX = 9000 };

struct transfer_bench {
    struct fixture_keys *keys;
    uint8_t bytes[TRANSFER_CONTENTS_MAX];
    bool is_release;
    size_t pending_max;
};

/* Both sides of one file system. */
struct transfer_sides {
    struct io_node *root, *dir;
    struct fixture *f;
    struct side_plain plain;
    struct side_volume volume;
};

/* transfer_bench_begin(b, is_release, pending_max, ret): a file system of io/crash.h with both sides and the tree,
 * durable, on the one that is to give it away. */
void transfer_bench_begin(struct transfer_bench *b, bool is_release, size_t pending_max,
                          struct io **ret);
void transfer_bench_end(struct transfer_bench *b, struct io *io);

/* transfer_sides_open(io, b, ret): both sides, as a program finds them that is started anew. */
ks_rc transfer_sides_open(struct io *io, struct transfer_bench *b,
                          struct transfer_sides *ret) KS_MUST;
void transfer_sides_close(struct io *io, struct transfer_sides *s);

/* transfer_move(b, s): the transfer. */
ks_rc transfer_move(struct transfer_bench *b, struct transfer_sides *s) KS_MUST;

/* transfer_check_somewhere(b, s): a name that stands for something stands for the whole of it, on either side, and one of
 * them has it. CORRUPT when not. */
ks_rc transfer_check_somewhere(struct transfer_bench *b, struct transfer_sides *s) KS_MUST;
/* transfer_check_moved(b, s): everything is on the receiving side, and nothing on the giving one. */
ks_rc transfer_check_moved(struct transfer_bench *b, struct transfer_sides *s) KS_MUST;
