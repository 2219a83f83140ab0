/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a report has what was seen of a volume since the last one that was accepted, and how many of its requests failed as its
 * process counts them.
 */
#include "base/json.h"
#include "base/mem.h"

#include "agent_fixture.h"
#include "node/link.h"

/* The control plane. */
static struct {
    json_t *report; /* the last one; NULL: none since it was taken */
    bool is_away;
} plane;

/* NOLINTBEGIN(bugprone-reserved-identifier) */
ks_rc __wrap_link_report(struct link *l, const json_t *report);
/* NOLINTEND(bugprone-reserved-identifier) */

ks_rc __wrap_link_report(struct link *l, const json_t *report)
{
    (void)l;
    json_decref(plane.report);
    plane.report = json_deep_copy(report);
    return plane.is_away ? ks_fail(KS_E_UNREACHABLE, "nobody listens") : KS_SUCCESS;
}

static int setup(void **state)
{
    agent_setup(state);
    struct agent_fixture *f = *state;
    f->a.check_results = json_array();
    f->a.identity.not_after = FIXTURE_NOW_S + 3600;
    f->h->is_seen = true;
    f->h->is_news = true;
    plane.report = NULL;
    plane.is_away = false;
    return 0;
}

static int teardown(void **state)
{
    struct agent_fixture *f = *state;

    json_decref(plane.report);
    json_decref(f->a.check_results);
    return agent_teardown(state);
}

/* What its process counts now: of requests that failed with "io"; -1: nothing. */
static void see_failed(struct agent_fixture *f, int io)
{
    json_decref(f->h->seen.requests_failed);
    f->h->seen.requests_failed = io < 0 ? NULL : json_pack("{s:i, s:i}", "io", io, "no_space", 0);
    f->h->is_news = true;
}

/* The volume in the report that is sent now, borrowed; NULL: nothing is sent. */
static json_t *tell_now(struct agent_fixture *f)
{
    json_decref(TAKE(plane.report));
    tell_last(&f->a);
    return json_array_get(json_object_get(plane.report, "volumes"), 0);
}

static void check_told(struct agent_fixture *f, json_int_t io)
{
    json_t *volume = tell_now(f), *failed = json_object_get(volume, "requests_failed");

    assert_string_equal(json_string_value(json_object_get(volume, "volume")), f->h->id);
    assert_int_equal(json_object_size(failed), 2);
    assert_int_equal(json_integer_value(json_object_get(failed, "io")), io);
}

static void failed_requests__counted__are_told_when_they_change(void **state)
{
    struct agent_fixture *f = *state;

    see_failed(f, 3);
    check_told(f, 3);
    see_failed(f, 3);
    assert_null(tell_now(f));
    assert_null(plane.report); /* nothing to tell is not told */
    see_failed(f, 4);
    check_told(f, 4);
}

static void failed_requests__not_counted__are_not_in_the_report(void **state)
{
    struct agent_fixture *f = *state;

    json_t *volume = tell_now(f);
    assert_non_null(volume);
    assert_null(json_object_get(volume, "requests_failed"));
    see_failed(f, 3);
    check_told(f, 3);
    see_failed(f, -1); /* it was locked */
    volume = tell_now(f);
    assert_non_null(volume);
    assert_null(json_object_get(volume, "requests_failed"));
}

static void report__not_accepted__is_told_again(void **state)
{
    struct agent_fixture *f = *state;

    see_failed(f, 3);
    plane.is_away = true;
    check_told(f, 3);
    check_told(f, 3);
    plane.is_away = false;
    check_told(f, 3);
    assert_null(tell_now(f));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(failed_requests__counted__are_told_when_they_change),
        TEST(failed_requests__not_counted__are_not_in_the_report),
        TEST(report__not_accepted__is_told_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
