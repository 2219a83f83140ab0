/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/fault.h - another back end whose n-th call fails.
 */
#pragma once

#include "io/io.h"

/*
 * fault_new(below, ret): passes every call on to below and counts those that can fail.
 * fault_arm(io, n, err, is_lasting): the n-th call from now (1 = the next) fails with errno err before
 * it reaches below; with is_lasting all later calls fail too. n = 0 disarms.
 * fault_write_part(io, pages): a pwrite that fails from now on has written that many of the pages it touches before, but
 * never the last one: so a disk is full. 0 again: nothing.
 * fault_hold(io, name): from now on calls of that name (as in struct io_ops) wait, as on a disk that stands still,
 * until fault_release(io). fault_wait_held(io, n) returns when n of them wait.
 * fault_count(io): how many calls were made since the last fault_arm. fault_name(io): the name of the
 * call that failed, or NULL. Thread-safe. fault_free leaves below alone.
 */
ks_rc fault_new(struct io *below, struct io **ret) KS_MUST;
void fault_free(struct io *io);
void fault_arm(struct io *io, uint64_t n, int err, bool is_lasting);
void fault_write_part(struct io *io, uint64_t pages);
void fault_hold(struct io *io, const char *name);
void fault_release(struct io *io);
void fault_wait_held(struct io *io, unsigned n);
uint64_t fault_count(struct io *io);
const char *fault_name(struct io *io);
