/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/shedder.h - keeps the number of known objects below what descriptors allow.
 *
 * Every object that the kernel remembers takes one of our descriptors, and the kernel remembers as many as memory
 * holds. Before the descriptors run out it is asked to drop what nobody uses.
 */
#pragma once

#include "volume/volume.h"

struct shedder;

struct shedder_conf {
    struct volume *volume; /* borrowed */
    size_t room;           /* objects that may be known without anything being done */
    /* drop(arg): asks the kernel; may wait for requests to be served. */
    ks_rc (*drop)(void *arg);
    void *arg;
};

/* shedder_start(conf, ret): a thread of its own for drop; conf is copied. */
ks_rc shedder_start(const struct shedder_conf *conf, struct shedder **ret) KS_MUST;
/* shedder_stop(s, timeout_ms): like sweeper_stop. Nobody may call shedder_look any more. */
bool shedder_stop(struct shedder *s, uint32_t timeout_ms);
/* shedder_look(s): has drop called when too many objects are known. Never waits: for the threads that serve
 * requests, after each. */
void shedder_look(struct shedder *s);

/* shedder_mark(room, known): from how many objects on the kernel is asked again, when known are left after it was:
 * those in use cannot be dropped. Pure. */
size_t shedder_mark(size_t room, size_t known);
