/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a guard that cannot start all of its threads leaves none behind.
 */
#include "fuse/guard.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "check.h"

static unsigned threads_left;
static atomic_uint threads_ended;
static struct {
    void *(*run)(void *);
    void *arg;
} thread; /* the one that is made */

/* NOLINTBEGIN(bugprone-reserved-identifier) */
int __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int __wrap_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
/* NOLINTEND(bugprone-reserved-identifier) */

static void *run_counted(void *unused)
{
    (void)unused;
    void *result = thread.run(thread.arg);
    atomic_fetch_add(&threads_ended, 1);
    return result;
}

int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg)
{
    if (threads_left == 0)
        return EAGAIN;
    threads_left--;
    thread.run = run;
    thread.arg = arg;
    return __real_pthread_create(ret, attr, run_counted, NULL);
}

static void ignore_change(void *arg)
{
    (void)arg;
}

static void start__any_thread_cannot_be_made__fails_and_can_be_freed(void **state)
{
    static const struct guard_ops ops = {
        .changed = ignore_change}; /* no other is called while it is locked */
    struct guard_conf conf = {.clock = clock_system(), .lease = {60000, 600000, 5000}, .ops = &ops};

    (void)state;
    for (unsigned made = 0; made < 2; made++) {
        struct guard *g = NULL;
        check_ok(guard_new(&conf, false, false, &g));
        threads_left = made;
        atomic_store(&threads_ended, 0);
        assert_true(ks_is_os(guard_start(g), EAGAIN));
        guard_free(g);
        assert_int_equal(atomic_load(&threads_ended), made);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start__any_thread_cannot_be_made__fails_and_can_be_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
