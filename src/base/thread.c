/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/thread.c - the one place that knows the attributes of a thread.
 */
#include "base/thread.h"

#include "base/clock.h"

static ks_rc start(size_t stack_bytes, int detach_state, void *(*run)(void *), void *arg,
                   pthread_t *ret)
{
    pthread_attr_t attr;

    pthread_attr_init(&attr);
    int err = pthread_attr_setstacksize(&attr, stack_bytes);
    if (!err)
        err = pthread_attr_setdetachstate(&attr, detach_state);
    if (!err)
        err = pthread_create(ret, &attr, run, arg);
    pthread_attr_destroy(&attr);
    return err ? ks_os(err) : KS_SUCCESS;
}

ks_rc thread_start(size_t stack_bytes, void *(*run)(void *), void *arg, pthread_t *ret)
{
    return start(stack_bytes, PTHREAD_CREATE_JOINABLE, run, arg, ret);
}

ks_rc thread_start_detached(size_t stack_bytes, void *(*run)(void *), void *arg)
{
    pthread_t unused;

    return start(stack_bytes, PTHREAD_CREATE_DETACHED, run, arg, &unused);
}

bool thread_join_within(pthread_t thread, uint32_t timeout_ms)
{
    struct timespec until = clock_deadline(timeout_ms);

    if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) == 0)
        return true;
    pthread_detach(thread);
    return false;
}
