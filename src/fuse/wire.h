/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/wire.h - the few bits of the kernel's protocol that libfuse 3.14 does not hand through.
 *
 * Without FUSE_HANDLE_KILLPRIV_V2 the kernel asks for the attribute security.capability before every
 * single write. libfuse cannot negotiate that flag, so it is put into the INIT reply on its way
 * out, and what it obliges us to (set-user-id bits end with a write) is read from requests on their way in.
 */
#pragma once

#include <fuse_lowlevel.h>

#include "base/rc.h"
#include "fuse/ring.h"

/*
 * wire_attach(se, is_ring_wanted, on_agreed, arg): takes over reading and writing of a session that has been mounted, and asks for
 * the io_uring transport when it is wanted. on_agreed(arg, is_ring) is called once, when the kernel has been given the answer to
 * its INIT and it is a yes; is_ring: whether requests come through rings from now on.
 */
ks_rc wire_attach(struct fuse_session *se, bool is_ring_wanted,
                  void (*on_agreed)(void *arg, bool is_ring), void *arg) KS_MUST;

/* wire_receive(ring, se, ret): ring_next for this thread; what the thread answers goes to that ring. */
int wire_receive(struct ring *ring, struct fuse_session *se, struct fuse_buf *ret);

/* wire_must_kill_suidgid(): whether the request this thread received last ends set-user-id and
 * set-group-id bits of the file it changes. */
bool wire_must_kill_suidgid(void);

/* wire_answers_at_once(): whether an answer of this thread leaves when it is given, and any thread may give it. One in a ring
 * leaves with the thread's next wait. */
bool wire_answers_at_once(void);
