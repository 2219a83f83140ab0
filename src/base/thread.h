/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/thread.h - starts threads that need less stack than the system would give them.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"

/*
 * thread_start(stack_bytes, run, arg, ret): run(arg) in a thread of its own, which the caller joins or detaches.
 * Its stack is of stack_bytes, at least PTHREAD_STACK_MIN; signals are blocked as they are in the caller. Where there is no thread left
 * the class is BUSY, without a text: the caller says what it was for. Any thread.
 *
 * *ret may be written only after run has begun, so run does not look at it; after a failure it is not to be used.
 */
ks_rc thread_start(size_t stack_bytes, void *(*run)(void *), void *arg, pthread_t *ret) KS_MUST;

/* thread_start_detached(stack_bytes, run, arg): the same for one that nobody waits for. */
ks_rc thread_start_detached(size_t stack_bytes, void *(*run)(void *), void *arg) KS_MUST;

/* thread_join_within(thread, timeout_ms): whether it has ended by then. One that has not is left to itself (detached), and whatever
 * it uses must outlive it. */
bool thread_join_within(pthread_t thread, uint32_t timeout_ms) KS_MUST;
