/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/ring.h - the kernel's requests over io_uring instead of read(2) and writev(2).
 *
 * Linux 6.14 and later, where the administrator allowed it (parameter enable_uring of the module fuse). The kernel has one
 * queue for each possible processor and gives a request to the queue of the processor it was made on, so that nobody
 * has to be woken on another one. A ring serves one queue with one buffer and belongs to one thread; one system call both
 * answers a request and waits for the next. INIT, forgets and interrupts still come through the device.
 */
#pragma once

#include <fuse_lowlevel.h>
#include <sys/uio.h>

#include "base/rc.h"

struct ring;

/* The bit of INIT's flags by which both sides agree on it. */
#define RING_INIT_FLAG (UINT64_C(1) << 41)

/* ring_queue_count(): how many queues the kernel will want served; 0 when it does not offer this transport. */
unsigned ring_queue_count(void);

/* ring_new(queue, ret): everything that can be had before the mount is agreed on: LIMIT, UNSUPPORTED (io_uring is forbidden here). */
ks_rc ring_new(unsigned queue, struct ring **ret) KS_MUST;
/* ring_free(r): wipes its buffer; NULL does nothing. */
void ring_free(struct ring *r);

/*
 * ring_next(r, fuse_fd, ret): sends the answer that waits, if any, and waits for a request. 1: *ret has it, in the ring's
 * own memory, until the next call. 0: the connection has ended, or never took this ring; -EINTR: a signal came. The first
 * call registers the ring. Only from the ring's thread.
 */
int ring_next(struct ring *r, int fuse_fd, struct fuse_buf *ret);
/* ring_is_refused(r): whether the kernel did not take the ring: requests come through the device then. */
bool ring_is_refused(const struct ring *r);
/* ring_answers(r, iov, count): whether this is the answer to the request that r gave last. */
bool ring_answers(const struct ring *r, const struct iovec *iov, int count);
/* ring_put(r, iov, count): keeps it for the next ring_next. Its length, or -EMSGSIZE. */
ssize_t ring_put(struct ring *r, const struct iovec *iov, int count);
/* ring_wipe(r): wipes what requests left in the buffer. False while a request or an answer is in it: again after the next
 * ring_next. From the ring's thread. */
bool ring_wipe(struct ring *r);
