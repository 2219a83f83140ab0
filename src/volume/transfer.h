/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/transfer.h - moves a whole directory tree from one side to the other: plain into a volume, and back.
 *
 * At every moment, and after a power loss at any, each object is whole on one side or on both. A file is copied
 * under a name of ours, made durable, read back and compared, then given its name, made durable again, and only then
 * removed where it came from. So a name on the receiving side always stands for a whole object, and a transfer that
 * was ended by whatever goes on where it is started again.
 *
 * Moved are regular files with their holes, directories, symlinks, fifos, sockets and devices, with owner, mode,
 * times, extended attributes and hard links within the tree. An attribute that the other side cannot keep, as an access
 * control list, one that is damaged, and a default access control list on the receiving side end the transfer. Not moved:
 * attributes of symlinks, which io/ has none of; flags of chattr(1); space that is allocated and holds no data. Nobody
 * else may use either tree meanwhile: a file that changed while it was copied ends the transfer (BUSY) and stays where it
 * was.
 *
 * Names that begin with TRANSFER_NAME are ours: unfinished copies of earlier transfers, removed when met.
 */
#pragma once

#include "volume/side.h"

#define TRANSFER_NAME ".keystead-moving-"

struct transfer_progress {
    /* names of files, symlinks, ..., not directories; totals are 0 unless everything is measured first */
    uint64_t objects, objects_total;
    uint64_t bytes, bytes_total; /* contents of files; holes count */
};

struct transfer_conf {
    struct side *from, *to;
    bool is_measured;   /* first walks through everything, for the totals */
    size_t pending_max; /* objects that are made durable together; 0: 512 */
    /* progress(arg, p): after at most 1 MiB; false ends the transfer with BUSY. NULL: none */
    bool (*progress)(void *arg, const struct transfer_progress *p);
    void *arg;
};

struct transfer_result {
    struct transfer_progress progress;
    uint64_t
        files_linked_elsewhere; /* had hard links outside of the tree, which keep their contents */
    bool is_interrupted;        /* progress said to stop */
};

/*
 * transfer_run(conf, ret): moves everything below the roots; the roots themselves stay, the receiving one gets the
 * other's owner, mode and times. EXISTS when a name is taken on the other side by something else; both stay as they are.
 * UNSUPPORTED when another file system is mounted within the receiving side: its syncs would not reach it.
 * Errors of both sides, with the path. *ret is written in any case, as far as it came.
 */
ks_rc transfer_run(const struct transfer_conf *conf, struct transfer_result *ret) KS_MUST;
