/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a control plane that is killed at any moment of any operation goes on where it was: after the next start, asked again if the call
 * had not been answered, everything ends as it was asked for, with an audit chain without gaps. Callers and nodes at the same time see
 * one order of things.
 *
 * The process is killed by a timer of its own that ends at a random microsecond. KEYSTEAD_CRASH_SEED and KEYSTEAD_CRASH_STATES draw others and more.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/environment.h"
#include "cmek_fixture.h"
#include "control/schedule.h"

enum { ROUNDS = 24, KILL_US_MAX = 60000 };

static struct cmek_fixture x;

static int set_up(void **state)
{
    (void)state;
    cmek_open(&x);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cmek_close(&x);
    return 0;
}

static void reopen(void)
{
    fleet_reopen(&x.fleet);
    for (size_t i = 0; i < CMEK_NODES; i++)
        fake_node_restart(x.nodes[i], x.fleet.c);
}

/* -- killed ---------------------------------------------------------------------------------------------------------- */

struct stage {
    const char *name;
    enum cmek_verb verb;
    const char *uri;
    enum cmek_status ends;
};

static const struct stage stages[] = {
    {"enable", CMEK_ENABLE, "k1", CMEK_ENABLED},   {"rotate", CMEK_PUT, "k2", CMEK_ENABLED},
    {"rewrap", CMEK_PUT, "k2", CMEK_ENABLED},      {"revoke", CMEK_REVOKE, NULL, CMEK_REVOKED},
    {"restore", CMEK_RESTORE, NULL, CMEK_ENABLED}, {"disable", CMEK_DISABLE, NULL, CMEK_DISABLED},
};
enum { STAGES = sizeof stages / sizeof stages[0] };

/* In the child: nobody hears of what fails here, it only has to be in the middle of something when it is killed. */
static void live_until_killed(const struct stage *stage, uint64_t us)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    struct itimerspec when = {.it_value = {.tv_nsec = (long)us * 1000 + 1}};
    timer_t timer;

    if (!ks_ok(control_open_quiet(&x.fleet.conf, &x.fleet.c)))
        _exit(1);
    for (size_t i = 0; i < CMEK_NODES; i++)
        fake_node_restart(x.nodes[i], x.fleet.c);
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
        timer_settime(timer, 0, &when, NULL) != 0)
        _exit(1);
    /* whatever comes of it */
    IGNORE(cmek_try(&x, stage->verb, stage->uri));
    IGNORE(fake_nodes_run(x.nodes, CMEK_NODES));
    _exit(0);
}

static bool is_killed_in(const struct stage *stage, uint64_t us)
{
    int status;

    control_closep(&x.fleet.c);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        live_until_killed(stage, us);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    reopen();
    return WIFSIGNALED(status);
}

static void check_chain(void)
{
    int64_t count;

    check_ok(control_audit_verify(x.fleet.c, &count));
}

static void check_nothing_runs(void)
{
    const struct operation_filter filter = {.cluster = x.cluster};
    struct slice slice = {.count_max = SLICE_MAX};
    struct operation *rows;
    size_t count;

    check_ok(control_operation_list(x.fleet.c, &x.fleet.viewer, &filter, &slice, &rows, &count));
    for (size_t i = 0; i < count; i++)
        assert_int_not_equal(rows[i].state, OPERATION_RUNNING);
    mem_free(rows);
}

static void finish(const struct stage *stage)
{
    cmek_run(&x);
    struct cmek_view *v = cmek_view(&x);
    bool is_done = v->status == stage->ends;
    cmek_view_free(v);
    /* a call without an answer is made again; where it had been taken this finds it done, or does the rewrap once more */
    if (!is_done || stage->ends == CMEK_ENABLED)
        cmek_ask(&x, stage->verb, stage->uri);
    cmek_run(&x);
    cmek_check_status(&x, stage->ends);
    check_nothing_runs();
    check_chain();
}

static long from_environment(const char *name, long otherwise)
{
    const char *text = environment_get(NULL, name);

    return text ? strtol(text, NULL, 10) : otherwise;
}

static void killed__in_each_operation__everything_ends_as_asked(void **state)
{
    long rounds = from_environment("KEYSTEAD_CRASH_STATES", ROUNDS);
    long seed = from_environment("KEYSTEAD_CRASH_SEED", 1), killed = 0;
    struct random_seeded random;
    uint32_t draw;

    (void)state;
    print_message("seed %ld\n", seed);
    random_seeded_init(&random, (uint64_t)seed);
    for (long i = 0; i < rounds; i++) {
        const struct stage *stage = &stages[i % STAGES];
        check_ok(random_fill(&random.random, &draw, sizeof draw));
        killed += is_killed_in(stage, draw % KILL_US_MAX);
        finish(stage);
    }
    print_message("%ld of %ld were killed\n", killed, rounds);
}

/* -- at the same time ------------------------------------------------------------------------------------------------- */

enum { ASKERS = 3, ASKS = 20 };

static void *ask_often(void *arg)
{
    static const enum cmek_verb verbs[] = {CMEK_PUT, CMEK_REVOKE, CMEK_RESTORE, CMEK_DISABLE,
                                           CMEK_ENABLE};
    const char *uri = arg;
    struct region_spec *specs;
    struct cmek_view *v;
    struct operation o;

    if (!ks_ok(mem_new(CMEK_REGIONS, sizeof *specs, &specs)))
        return NULL;
    for (size_t i = 0; i < CMEK_REGIONS; i++)
        cmek_key(&specs[i], cmek_region_names[i], uri);
    for (size_t i = 0; i < ASKS; i++) {
        enum cmek_verb verb = verbs[i % 5];
        bool takes_keys = verb == CMEK_PUT || verb == CMEK_ENABLE;
        struct cmek_ask ask = {verb, LEVEL_CMEK, takes_keys ? CMEK_REGIONS : 0, specs, NULL, 0};
        /* refused as often as not */
        IGNORE(control_cmek_ask(x.fleet.c, &x.fleet.admin, x.cluster, &ask, &o));
        if (ks_ok(control_cmek_get(x.fleet.c, &x.fleet.viewer, x.cluster, &v)))
            cmek_view_free(v);
    }
    mem_free(specs);
    return NULL;
}

static void callers_and_nodes__at_the_same_time__end_in_a_legal_state(void **state)
{
    static const char *const uris[ASKERS] = {"k1", "k2", "k3"};
    pthread_t threads[ASKERS];

    (void)state;
    for (size_t i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, (void *)(uintptr_t)uris[i]),
                         0);
    for (size_t i = 0; i < 60; i++) {
        bool is_moving;
        for (size_t n = 0; n < CMEK_NODES; n++)
            check_ok(fake_node_step(x.nodes[n], &is_moving));
    }
    for (size_t i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    cmek_run(&x);
    check_chain();
    struct cmek_view *v = cmek_view(&x);
    for (size_t i = 0; i < v->region_count; i++)
        assert_false(cmek_status_is_moving(v->regions[i].region.status));
    cmek_view_free(v);
}

/* -- by schedule ------------------------------------------------------------------------------------------------------- */

static size_t count_kind(enum operation_kind kind)
{
    const struct operation_filter filter = {.cluster = x.cluster};
    struct slice slice = {.count_max = SLICE_MAX};
    struct operation *rows;
    size_t count, found = 0;

    check_ok(control_operation_list(x.fleet.c, &x.fleet.viewer, &filter, &slice, &rows, &count));
    for (size_t i = 0; i < count; i++)
        found += rows[i].kind == kind;
    mem_free(rows);
    return found;
}

static void set_terms(int64_t store_s)
{
    struct rotation_terms terms = {.store_s = store_s};
    struct cluster_change change = {.rotation = &terms};
    struct cluster_view *v;

    check_ok(control_cluster_change(x.fleet.c, &x.fleet.admin, x.cluster, &change, &v));
    cluster_view_free(v);
}

static void a_schedule__due__rotates_and_what_was_missed_is_done_once(void **state)
{
    (void)state;
    set_terms(3600);
    check_ok(control_tick(x.fleet.c));
    assert_int_equal(count_kind(OPERATION_ROTATE_STORE), 0);
    cmek_later(&x, 3600);
    check_ok(control_tick(x.fleet.c));
    assert_int_equal(count_kind(OPERATION_ROTATE_STORE), 1);
    cmek_run(&x);
    cmek_later(&x, 10 * 3600); /* nothing ran meanwhile */
    reopen();
    check_ok(control_tick(x.fleet.c));
    check_ok(control_tick(x.fleet.c));
    assert_int_equal(count_kind(OPERATION_ROTATE_STORE), 2);
    cmek_run(&x);
    check_nothing_runs();
    set_terms(0);
    cmek_later(&x, 10 * 3600);
    check_ok(control_tick(x.fleet.c));
    assert_int_equal(count_kind(OPERATION_ROTATE_STORE), 2);
}

static void a_schedule__due_while_revoked__comes_after_the_restore(void **state)
{
    (void)state;
    cmek_ask(&x, CMEK_ENABLE, "k1");
    cmek_run(&x);
    cmek_ask(&x, CMEK_REVOKE, NULL);
    cmek_run(&x);
    set_terms(3600);
    cmek_later(&x, 3600);
    check_ok(control_tick(x.fleet.c));
    assert_int_equal(count_kind(OPERATION_ROTATE_STORE), 0);
    cmek_ask(&x, CMEK_RESTORE, NULL);
    cmek_run(&x);
    cmek_later(&x, 300);
    check_ok(control_tick(x.fleet.c));
    assert_int_equal(count_kind(OPERATION_ROTATE_STORE), 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(killed__in_each_operation__everything_ends_as_asked),
        TEST(callers_and_nodes__at_the_same_time__end_in_a_legal_state),
        TEST(a_schedule__due__rotates_and_what_was_missed_is_done_once),
        TEST(a_schedule__due_while_revoked__comes_after_the_restore),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
