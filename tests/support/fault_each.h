/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/fault_each.h - fails the first call of the file system below, then the second, ... until
 * an operation no longer makes that many.
 *
 * For tests with cmocka; header only. io/fault.h does the failing.
 */
#pragma once

#include <errno.h>

#include "io/crash.h"
#include "io/fault.h"

enum { FAULT_CALLS_MAX = 5000 };

/* How one attempt fails. */
struct fault_case {
    uint64_t n; /* which call, from 1 */
    int err;
    bool is_lasting; /* and all later ones too */
    uint64_t pages;  /* that a failing pwrite has written before: fault_write_part */
};

/* One attempt, from a fresh start: arms the fault, runs what is tested and checks what is left. Returns whether
 * there was an n-th call. */
typedef bool (*fault_try_fn)(void *arg, const struct fault_case *c);

static inline void fault_arm_case(struct io *io, const struct fault_case *c)
{
    fault_write_part(io, c->pages);
    fault_arm(io, c->n, c->err, c->is_lasting);
}

/* fault_copy_of(disk): another file system of io/crash.h with the same contents, for one attempt; crash_free. */
static inline struct io *fault_copy_of(struct io *disk)
{
    size_t now = crash_time(disk), pages, metadata;
    struct io *copy;

    crash_pending(disk, now, &pages, &metadata);
    check_ok(crash_rebuild(disk, now, metadata, NULL, NULL, &copy));
    return copy;
}

/* fault_each_as(try_one, arg, c): how many calls failed in turn, each as c says. */
static inline size_t fault_each_as(fault_try_fn try_one, void *arg, struct fault_case c)
{
    c.n = 1;
    while (c.n < FAULT_CALLS_MAX && try_one(arg, &c))
        c.n++;
    assert_true(c.n < FAULT_CALLS_MAX);
    return (size_t)c.n - 1;
}

static inline size_t fault_each(fault_try_fn try_one, void *arg, int err, bool is_lasting)
{
    return fault_each_as(try_one, arg, (struct fault_case){.err = err, .is_lasting = is_lasting});
}

/* fault_each_part(try_one, arg): the disk is full, once and for good, after the first page of a write, and before its
 * last; the sum. */
static inline size_t fault_each_part(fault_try_fn try_one, void *arg)
{
    static const uint64_t pages[] = {1, UINT64_MAX};
    struct fault_case c = {.err = ENOSPC};
    size_t tried = 0;

    for (size_t p = 0; p < sizeof pages / sizeof pages[0]; p++) {
        c.pages = pages[p];
        for (int is_lasting = 0; is_lasting < 2; is_lasting++) {
            c.is_lasting = is_lasting;
            tried += fault_each_as(try_one, arg, c);
        }
    }
    return tried;
}

/* fault_each_kind(try_one, arg): with each of EIO, ENOSPC and EDQUOT, once and for good; the sum. */
static inline size_t fault_each_kind(fault_try_fn try_one, void *arg)
{
    static const int errs[] = {EIO, ENOSPC, EDQUOT};
    size_t tried = 0;

    for (size_t e = 0; e < sizeof errs / sizeof errs[0]; e++)
        for (int is_lasting = 0; is_lasting < 2; is_lasting++)
            tried += fault_each(try_one, arg, errs[e], is_lasting);
    return tried;
}
