/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: every job is done exactly once or dropped exactly once, whatever fails, and the first failure is told with its
 * words.
 */
#include "volume/crew.h"

#include <stdatomic.h>

#include "check.h"

enum { JOBS = 2000 };

struct bench {
    struct crew *crew;
    atomic_uint done, dropped;
    atomic_uint workers[CREW_THREADS_MAX];
    unsigned fail_at; /* the job of this number; 0: none */
    bool is_splitting;
};

/* A job is its number: 1.. */
static void *job(uintptr_t number)
{
    return (void *)number;
}

static ks_rc work(void *arg, unsigned worker, void *what)
{
    struct bench *b = arg;
    uintptr_t number = (uintptr_t)what;

    atomic_fetch_add(&b->done, 1);
    atomic_fetch_add(&b->workers[worker], 1);
    ENSURE(number != b->fail_at, KS_E_CORRUPT, "job %u is bad", (unsigned)number);
    if (b->is_splitting && number <= JOBS)
        for (unsigned n = 0; n < 3; n++)
            TRY(crew_put_more(b->crew, job(JOBS + 1)));
    return KS_SUCCESS;
}

static void drop(void *arg, void *what)
{
    struct bench *b = arg;

    (void)what;
    atomic_fetch_add(&b->dropped, 1);
}

static void bench_start(struct bench *b, unsigned threads)
{
    struct crew_conf conf = {threads, work, drop, b};

    check_ok(crew_new(&conf, &b->crew));
}

static unsigned put_all(struct bench *b, ks_rc *ret)
{
    unsigned put = 0;

    *ret = KS_SUCCESS;
    while (put < JOBS && ks_ok(*ret))
        *ret = crew_put(b->crew, job(++put));
    return put;
}

static void jobs__on_any_number_of_threads__all_done(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 5; threads += 2) {
        struct bench b = {0};
        ks_rc rc;
        bench_start(&b, threads);
        assert_int_equal(put_all(&b, &rc), JOBS);
        check_ok(rc);
        check_ok(crew_end(b.crew, false));
        assert_int_equal(atomic_load(&b.done), JOBS);
        assert_int_equal(atomic_load(&b.dropped), 0);
        for (unsigned n = threads; n < CREW_THREADS_MAX; n++)
            assert_int_equal(atomic_load(&b.workers[n]), 0);
    }
}

static void jobs__that_make_more__all_done(void **state)
{
    struct bench b = {.is_splitting = true};
    ks_rc rc;

    (void)state;
    bench_start(&b, 3);
    assert_int_equal(put_all(&b, &rc), JOBS);
    check_ok(crew_end(b.crew, false));
    assert_int_equal(atomic_load(&b.done), 4 * JOBS);
}

static void failure__ends_the_work__and_is_told(void **state)
{
    struct bench b = {.fail_at = 7};
    ks_rc rc;

    (void)state;
    bench_start(&b, 2);
    unsigned put = put_all(&b, &rc);
    check_rc(rc, CORRUPT);
    assert_true(put < JOBS);
    rc = crew_end(b.crew, false);
    check_rc(rc, CORRUPT);
    check_text(rc, "job 7 is bad");
    assert_int_equal(atomic_load(&b.done) + atomic_load(&b.dropped), put);
}

static void end__giving_up__drops_what_waits(void **state)
{
    struct bench b = {0};

    (void)state;
    bench_start(&b, 1);
    for (unsigned n = 1; n <= 100; n++)
        check_ok(crew_put(b.crew, job(n)));
    check_ok(crew_end(b.crew, true));
    assert_int_equal(atomic_load(&b.done) + atomic_load(&b.dropped), 100);
}

static void end__without_jobs__at_once(void **state)
{
    struct bench b = {0};

    (void)state;
    bench_start(&b, CREW_THREADS_MAX + 4);
    check_ok(crew_end(b.crew, false));
    assert_in_range(crew_threads_default(), 1, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs__on_any_number_of_threads__all_done),
        cmocka_unit_test(jobs__that_make_more__all_done),
        cmocka_unit_test(failure__ends_the_work__and_is_told),
        cmocka_unit_test(end__giving_up__drops_what_waits),
        cmocka_unit_test(end__without_jobs__at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
