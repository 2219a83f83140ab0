/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a scope gets its burst and then its rate, from all processes together, whatever a process that was
 * killed or a stranger left in the file.
 */
#include "kms/budget.h"

#include <sys/wait.h>

#include "io/shared_page.h"
#include "tmpdir.h"

static struct tmpdir tmp;
static struct clock_manual manual;
static struct path dir;
static struct budget_conf conf;

static int setup(void **state)
{
    (void)state;
    tmp = tmpdir_make();
    dir = tmpdir_path(&tmp, "kms");
    clock_manual_init(&manual, 5000, 1800000000);
    conf = (struct budget_conf){dir.text, "aws:111122223333:eu-west-1", 10, 5, &manual.clock};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tmpdir_remove(&tmp);
    return 0;
}

static struct budget *opened(void)
{
    struct budget *b;

    check_ok(budget_open(&conf, &b));
    return b;
}

static bool take(struct budget *b)
{
    uint64_t wait_ms;

    return budget_take(b, 0, &wait_ms);
}

/* How many are to be had at once. */
static unsigned take_all(struct budget *b)
{
    unsigned taken = 0;

    while (take(b))
        taken++;
    return taken;
}

/* How long the next one has to wait, if that is not too long. */
static uint64_t wait_for(struct budget *b, uint64_t wait_ms_max)
{
    uint64_t wait_ms = UINT64_MAX;

    return budget_take(b, wait_ms_max, &wait_ms) ? wait_ms : UINT64_MAX;
}

static void take__burst_then_rate(void **state)
{
    struct budget *b = opened();

    (void)state;
    assert_string_equal(budget_why(b), "");
    assert_int_equal(take_all(b), 5);
    assert_int_equal(wait_for(b, 99), UINT64_MAX);
    manual.now_ms += 99;
    assert_false(take(b));
    manual.now_ms += 1;
    assert_int_equal(take_all(b), 1);
    manual.now_ms += 1000000;
    assert_int_equal(take_all(b), 5);
    budget_close(b);
}

static void take__two_handles__one_bucket(void **state)
{
    struct budget *a = opened(), *b = opened();

    (void)state;
    assert_true(take(a));
    assert_int_equal(take_all(b), 4);
    assert_false(take(a));
    budget_close(a);
    budget_close(b);
}

/* A volume that must ask in time to stay open must not be overtaken again and again by others that come later. */
static void take__used_up__each_waits_its_turn(void **state)
{
    struct budget *a = opened(), *b = opened();

    (void)state;
    assert_int_equal(take_all(a), 5);
    assert_int_equal(wait_for(a, 1000), 100);
    assert_int_equal(wait_for(b, 1000), 200);
    manual.now_ms += 100;
    assert_int_equal(wait_for(b, 1000), 200);
    assert_int_equal(wait_for(a, 250), UINT64_MAX);
    assert_int_equal(wait_for(a, 300), 300);
    manual.now_ms += 300;
    assert_false(take(b));
    manual.now_ms += 100;
    assert_true(take(b));
    budget_close(a);
    budget_close(b);
}

static void take__any_patience__waits_no_longer_than_the_bound(void **state)
{
    struct budget *b = opened();
    uint64_t longest = 0, wait_ms;

    (void)state;
    while ((wait_ms = wait_for(b, UINT64_MAX)) != UINT64_MAX)
        longest = wait_ms;
    assert_int_equal(longest, BUDGET_WAIT_MS_MAX);
    budget_close(b);
}

static void take__other_scope__own_bucket(void **state)
{
    struct budget *a = opened(), *b;

    (void)state;
    conf.scope = "aws:111122223333:eu-west-2";
    b = opened();
    assert_int_equal(take_all(a), 5);
    assert_int_equal(take_all(b), 5);
    budget_close(a);
    budget_close(b);
}

static void take__from_many_processes__no_more_than_the_burst(void **state)
{
    enum { PROCESSES = 4 };
    pid_t pids[PROCESSES];
    int status, sum = 0;

    (void)state;
    conf.burst = 50;
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0)
            _exit((int)take_all(opened())); /* the handle dies with its process, as in a crash */
    }
    for (int i = 0; i < PROCESSES; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        sum += WEXITSTATUS(status);
    }
    assert_int_equal(sum, 50);
}

/* The page of scope "x", filled with value from offset on. */
static void fill_page(uint8_t value, size_t offset)
{
    uint8_t *page;

    check_ok(shared_page_open(dir.text, "budget-2d711642b726b04401627ca9", (void **)&page));
    memset(page + offset, value, SHARED_PAGE_BYTES - offset);
    shared_page_close(page);
}

/* Whatever is there, the bucket works and is never shut for longer than it takes to fill. */
static void take__malformed_page__bucket_is_full(void **state)
{
    static const uint8_t values[] = {0x00, 0x7f, 0x80, 0xff};

    (void)state;
    conf.scope = "x";
    for (size_t i = 0; i < sizeof values; i++) {
        fill_page(values[i], 0);
        struct budget *b = opened();
        assert_int_equal(take_all(b), 5);
        fill_page(values[i], 8); /* behind a good head */
        assert_int_equal(take_all(b), 5);
        budget_close(b);
    }
}

static void open__directory_cannot_be_made__budget_of_this_process(void **state)
{
    (void)state;
    struct path nowhere = tmpdir_path(&tmp, "no/where");
    conf.dir = nowhere.text;
    struct budget *b = opened();
    assert_non_null(strstr(budget_why(b), "no/where"));
    assert_int_equal(take_all(b), 5);
    budget_close(b);
    conf.dir = NULL;
    b = opened();
    assert_string_not_equal(budget_why(b), "");
    assert_int_equal(take_all(b), 5);
    budget_close(b);
}

static void open__no_requests_allowed__bug(void **state)
{
    struct budget *b = NULL;

    (void)state;
    conf.per_s = 0;
    check_rc(budget_open(&conf, &b), BUG);
    assert_null(b);
    budget_close(NULL);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(take__burst_then_rate),
        T(take__two_handles__one_bucket),
        T(take__used_up__each_waits_its_turn),
        T(take__any_patience__waits_no_longer_than_the_bound),
        T(take__other_scope__own_bucket),
        T(take__from_many_processes__no_more_than_the_burst),
        T(take__malformed_page__bucket_is_full),
        T(open__directory_cannot_be_made__budget_of_this_process),
        T(open__no_requests_allowed__bug),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
