/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/crash/versions.h - what the contents of one file were over time, and which contents a power loss may leave.
 *
 * A state after k steps may show, byte by byte, any version from the durable one to the one after step k
 * (the step under way included). A byte that one of these versions does not have may also be zero: what a longer,
 * newer file has not got yet reads as a hole. No state is longer than the longest of them. After a completed sync only
 * one version is left.
 */
#pragma once

#include "base/rc.h"
#include "base/view.h"

enum { VERSION_BYTES_MAX = 40000, VERSIONS_MAX = 12 };

struct version {
    uint8_t bytes[VERSION_BYTES_MAX]; /* zeros behind size */
    size_t size;
    size_t time; /* crash_time when the step that made it was complete */
};

struct versions {
    struct version all[VERSIONS_MAX];
    size_t count; /* since the last sync, the durable one first */
};

/* versions_begin(v): one durable version, empty. */
void versions_begin(struct versions *v);
struct version *versions_newest(struct versions *v);
/* versions_next(v): a copy of the newest one, to be changed by the step under way. */
struct version *versions_next(struct versions *v);

/* Steps on contents, as the system calls of that name; the version they make. */
struct version *versions_write(struct versions *v, size_t at, size_t len, uint8_t byte);
struct version *versions_resize(struct versions *v, size_t size);
struct version *versions_zero(struct versions *v, size_t at, size_t len);

/* versions_done(v, time): the newest one is complete. versions_synced(v): and durable. */
void versions_done(struct versions *v, size_t time);
void versions_synced(struct versions *v);

/* versions_check(v, time, got): whether these may be the contents after a power loss at that time; CORRUPT with the
 * byte that must not be. */
ks_rc versions_check(const struct versions *v, size_t time, struct view got) KS_MUST;
