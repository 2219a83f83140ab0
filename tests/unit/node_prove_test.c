/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: each revoke gets one receipt, and none that another one followed stands for that one.
 */
#include "base/json.h"
#include "base/mem.h"

#include "agent_fixture.h"

static const struct prove_facts REVOKED = {
    .cause = CAUSE_REVOKED, .asked_s = FIXTURE_NOW_S, .is_urgent = true};

static size_t receipts(const struct agent_fixture *f)
{
    size_t count = 0;

    for (const struct waiting_receipt *r = f->a.receipts; r; r = r->next)
        count++;
    return count;
}

/* The number of the wish that the newest receipt is about. */
static json_int_t goal_of_the_last(const struct agent_fixture *f)
{
    const char *text = json_string_value(json_object_get(f->a.receipts->receipt, "text"));
    CLEANUP(json_decrefp) json_t *said = json_loads(text, 0, NULL);

    return json_integer_value(json_object_get(said, "goal"));
}

/* It was restored and revoked again while the lock went on. */
static void revoke_again(struct agent_fixture *f)
{
    f->h->wish.serials.restore++;
    f->h->wish.goal++;
}

static void receipt__of_the_revoke_in_force__is_the_only_one(void **state)
{
    struct agent_fixture *f = *state;
    struct job j = job_of(f);

    check_ok(prove_lock(&j, &REVOKED));
    assert_int_equal(receipts(f), 1);
    assert_int_equal(goal_of_the_last(f), 7);
    assert_true(f->h->deed.is_receipted);
    assert_false(f->h->is_proving);
    check_ok(prove_lock(&j, &REVOKED));
    assert_int_equal(receipts(f), 1);
}

static void receipt__of_a_revoke_that_another_followed__does_not_stand_for_it(void **state)
{
    struct agent_fixture *f = *state;
    struct job j = job_of(f);

    revoke_again(f);
    check_ok(prove_lock(&j, &REVOKED));
    assert_int_equal(receipts(f), 1);
    assert_int_equal(goal_of_the_last(f), 7);
    assert_false(f->h->deed.is_receipted);
    struct job later = job_of(f);
    check_ok(prove_lock(&later, &REVOKED));
    assert_int_equal(receipts(f), 2);
    assert_int_equal(goal_of_the_last(f), 8);
    assert_true(f->h->deed.is_receipted);
}

static void receipt__made_late_for_an_earlier_revoke__leaves_that_of_the_later_one(void **state)
{
    struct agent_fixture *f = *state;
    struct job late = job_of(f);
    const struct prove_facts denied = {.cause = CAUSE_DENIED, .is_urgent = true};

    revoke_again(f);
    struct job j = job_of(f);
    check_ok(prove_lock(&j, &REVOKED));
    assert_true(f->h->deed.is_receipted);
    check_ok(prove_lock(&late, &denied)); /* of the key service, which said no before */
    assert_int_equal(receipts(f), 2);
    assert_true(f->h->deed.is_receipted);
}

static void receipt__restored_meanwhile__the_next_revoke_has_none_yet(void **state)
{
    struct agent_fixture *f = *state;
    struct job j = job_of(f);

    f->h->wish.is_revoked = false;
    check_ok(prove_lock(&j, &REVOKED));
    assert_int_equal(receipts(f), 1);
    assert_false(f->h->deed.is_receipted);
}

/* A pass finds the lock of who is at it, or somebody writes one already. */
static void receipt__somebody_else_makes_it__is_left_to_them(void **state)
{
    struct agent_fixture *f = *state;
    struct job j = job_of(f);
    struct prove_facts of_a_pass = REVOKED;

    of_a_pass.is_urgent = false;
    f->h->is_locking = true;
    check_ok(prove_lock(&j, &of_a_pass));
    assert_int_equal(receipts(f), 0);
    f->h->is_proving = true;
    check_ok(prove_lock(&j, &REVOKED));
    assert_int_equal(receipts(f), 0);
    assert_true(f->h->is_proving);
    f->h->is_proving = false;
    f->h->is_lock_failing = true;
    check_ok(prove_lock(&j, &of_a_pass));
    assert_int_equal(receipts(f), 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, agent_setup, agent_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(receipt__of_the_revoke_in_force__is_the_only_one),
        T(receipt__of_a_revoke_that_another_followed__does_not_stand_for_it),
        T(receipt__made_late_for_an_earlier_revoke__leaves_that_of_the_later_one),
        T(receipt__restored_meanwhile__the_next_revoke_has_none_yet),
        T(receipt__somebody_else_makes_it__is_left_to_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
