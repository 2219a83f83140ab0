/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a thread that was started runs what it was given, on a stack of the size that was asked for, and can
 * be waited for exactly if it is not a detached one; one that cannot be started says why.
 */
#include "base/thread.h"

#include <errno.h>
#include <semaphore.h>

#include "check.h"

enum { STACK_BYTES = 192 * 1024 };

static const size_t BEYOND_MEMORY = (size_t)1 << 62;

struct seen {
    size_t stack_bytes;
    int detach_state;
    sem_t has_run;
};

static void *look(void *arg)
{
    struct seen *seen = arg;
    pthread_attr_t attr;

    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
        (void)pthread_attr_getstacksize(&attr, &seen->stack_bytes);
        (void)pthread_attr_getdetachstate(&attr, &seen->detach_state);
        pthread_attr_destroy(&attr);
    }
    sem_post(&seen->has_run);
    return seen;
}

static void start__stack_and_argument__runs_with_both_and_is_joined(void **state)
{
    struct seen seen = {.detach_state = -1};
    void *result = NULL;
    pthread_t thread;

    (void)state;
    sem_init(&seen.has_run, 0, 0);
    check_ok(thread_start(STACK_BYTES, look, &seen, &thread));
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &seen);
    assert_int_equal(seen.detach_state, PTHREAD_CREATE_JOINABLE);
    assert_int_equal(seen.stack_bytes, STACK_BYTES);
    sem_destroy(&seen.has_run);
}

static void start_detached__stack_and_argument__runs_with_both_and_for_itself(void **state)
{
    static struct seen seen = {.detach_state =
                                   -1}; /* the thread may still be in it when the test ends */

    (void)state;
    sem_init(&seen.has_run, 0, 0);
    check_ok(thread_start_detached(STACK_BYTES, look, &seen));
    while (sem_wait(&seen.has_run) != 0)
        assert_int_equal(errno, EINTR);
    assert_int_equal(seen.detach_state, PTHREAD_CREATE_DETACHED);
    assert_int_equal(seen.stack_bytes, STACK_BYTES);
}

static void *wait_for(void *arg)
{
    sem_t *goes_on = arg;

    while (sem_wait(goes_on) != 0)
        assert_int_equal(errno, EINTR);
    sem_post(goes_on);
    return NULL;
}

static void join_within__ends_or_hangs__says_so(void **state)
{
    static sem_t goes_on; /* one that is left to itself may still be in it when the test ends */
    pthread_t thread;

    (void)state;
    sem_init(&goes_on, 0, 0);
    check_ok(thread_start(STACK_BYTES, wait_for, &goes_on, &thread));
    assert_false(thread_join_within(thread, 1));
    sem_post(&goes_on);
    check_ok(thread_start(STACK_BYTES, wait_for, &goes_on, &thread));
    assert_true(thread_join_within(thread, UINT32_MAX));
}

static void *never(void *arg)
{
    *(int *)arg = 1;
    return NULL;
}

static void start__no_room_for_the_stack__busy_without_a_text(void **state)
{
    pthread_t thread;
    int has_run = 0;

    (void)state;
    IGNORE(ks_fail(KS_E_BUG, "an older text")); /* only for its text */
    ks_rc rc = thread_start(BEYOND_MEMORY, never, &has_run, &thread);
    check_class(rc, BUSY);
    assert_true(ks_is_os(rc, EAGAIN));
    assert_string_equal(ks_text(rc), strerror(EAGAIN));
    check_class(thread_start_detached(BEYOND_MEMORY, never, &has_run), BUSY);
    assert_int_equal(has_run, 0);
}

static void start__stack_below_the_least__refused(void **state)
{
    pthread_t thread;
    int has_run = 0;

    (void)state;
    assert_true(ks_is_os(thread_start(1, never, &has_run, &thread), EINVAL));
    assert_int_equal(has_run, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start__stack_and_argument__runs_with_both_and_is_joined),
        cmocka_unit_test(start_detached__stack_and_argument__runs_with_both_and_for_itself),
        cmocka_unit_test(join_within__ends_or_hangs__says_so),
        cmocka_unit_test(start__no_room_for_the_stack__busy_without_a_text),
        cmocka_unit_test(start__stack_below_the_least__refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
