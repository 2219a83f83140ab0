/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/hook.h - starting the operator's programs when a volume locks and unlocks.
 *
 * A small process of its own, forked before any key is loaded, so that no program ever starts from a copy of
 * memory that holds keys. It runs one program at a time, in the order told, and ends when we do.
 */
#pragma once

#include "base/rc.h"

struct hook;

enum hook_event { HOOK_LOCK = 'L', HOOK_UNLOCK = 'U' };

struct hook_conf {
    const char *on_lock, *on_unlock; /* paths of programs; NULL: none */
    const char *mountpoint;
    const char *volume_id; /* in hex */
};

/*
 * hook_start(conf, ret): forks the runner; *ret is NULL when there is nothing to run. A program is
 * started as: PROGRAM lock|unlock MOUNTPOINT VOLUME_ID, with those variables of the environment that docs/CONTROL.md names and
 * so without the credentials of key services. NOT_FOUND when a program cannot be run.
 */
ks_rc hook_start(const struct hook_conf *conf, struct hook **ret) KS_MUST;
/* hook_run(h, event): has the program started; does not wait. Lost (and logged) when the runner died. */
void hook_run(struct hook *h, enum hook_event event);
/* hook_end(h): lets the runner finish what it was told and end by itself. */
void hook_end(struct hook *h);
/* hook_wait(h): like hook_end, and waits for it. For tests. */
void hook_wait(struct hook *h);
