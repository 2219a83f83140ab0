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

/* wire_attach(se, on_agreed, arg): takes over reading and writing of a session that has been mounted.
 * on_agreed(arg) is called once, when the kernel has been given the answer to its INIT and it is a yes. */
ks_rc wire_attach(struct fuse_session *se, void (*on_agreed)(void *arg), void *arg) KS_MUST;

/* wire_must_kill_suidgid(): whether the request this thread received last ends set-user-id and
 * set-group-id bits of the file it changes. */
bool wire_must_kill_suidgid(void);
