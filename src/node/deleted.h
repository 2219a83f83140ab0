/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/deleted.h - how long the backing directories of deleted volumes are kept.
 *
 * Their age is time that this host ran, added up in the node's directory (deleted.json). The wall clock has no part in it: one that
 * jumps must not take away what could still be wanted. Time that the host was off does not count, so they are kept longer, never shorter.
 */
#pragma once

#include "node/dir.h"

struct deleted_conf {
    struct node_dir *dir;
    const char
        *boot; /* which boot of the host this is (io/program.h); "": not known, nothing ages */
    uint64_t now_ms; /* of this boot */
    uint64_t keep_ms;
};

/* deleted_sweep(conf, ret_count): removes those that have been there for keep_ms. To be called now and then; one that is seen for the first
 * time is new. What cannot be read of their ages counts as new, too. */
ks_rc deleted_sweep(const struct deleted_conf *conf, unsigned *ret_count) KS_MUST;
