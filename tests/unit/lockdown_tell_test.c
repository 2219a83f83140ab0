/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what the prober tells reaches the guard as what it is: an answer of the time when it was asked for, the service's no, or
 * nothing that is said about the key.
 */
#include "fuse/process.h"

#include "check.h"

enum { START_MS = 1000000, GRACE_MS = 600000 };

static uint64_t now;

/* There is no keyring here of whose keys other volumes could be told. */
void probe_share_note(struct process *p, uint64_t began_ms, ks_rc rc, uint32_t wrap_id)
{
    (void)p, (void)began_ms, (void)rc, (void)wrap_id;
}

static uint64_t boot_ms(struct clock *c)
{
    (void)c;
    return now;
}

static int64_t wall_s(struct clock *c)
{
    (void)c;
    return 1;
}

static void do_nothing(void *arg)
{
    (void)arg;
}

static struct clock manual = {boot_ms, wall_s, NULL};
static const struct guard_ops ops = {
    .refuse = do_nothing, .open = do_nothing, .changed = do_nothing};

/* tell(result, after_ms, ret): an open volume hears it after_ms after its probe began. */
static void tell(struct prober_result result, uint64_t after_ms, struct guard_status *ret)
{
    struct guard_conf conf = {&manual, {60000, GRACE_MS, 0}, START_MS, &ops, NULL};
    struct process p = {.clock = &manual};

    now = START_MS;
    check_ok(guard_new(&conf, true, false, &p.guard));
    result.began_ms = START_MS + 1000;
    now = result.began_ms + after_ms;
    lockdown_tell(&p, &result);
    guard_status(p.guard, ret);
    guard_free(p.guard);
}

static void tell__granted__lease_counts_from_the_beginning_of_the_probe(void **state)
{
    struct guard_status s;

    (void)state;
    tell((struct prober_result){.rc = KS_SUCCESS}, 4000, &s);
    assert_int_equal(s.state, LEASE_OPEN);
    assert_int_equal(s.left_ms, GRACE_MS - 4000);
}

/* The host slept while the answer waited in a socket. */
static void tell__granted_before_a_long_sleep__locks(void **state)
{
    struct guard_status s;

    (void)state;
    tell((struct prober_result){.rc = KS_SUCCESS}, GRACE_MS + 1, &s);
    assert_int_equal(s.state, LEASE_LOCKING);
    assert_int_equal(s.cause, GUARD_CAUSE_UNREACHABLE);
}

static void tell__shared_grant__counts_from_the_beginning_of_that_probe(void **state)
{
    struct guard_status s;

    (void)state;
    tell((struct prober_result){.rc = KS_SUCCESS, .shared_ms = START_MS + 400}, 0, &s);
    assert_int_equal(s.state, LEASE_OPEN);
    assert_int_equal(s.left_ms, GRACE_MS - 600);
}

static void tell__denied__locks_with_the_text(void **state)
{
    struct guard_status s;

    (void)state;
    tell((struct prober_result){.rc = ks_fail(KS_E_KEY_DISABLED, "no"), .text = "disabled"}, 0, &s);
    assert_int_equal(s.state, LEASE_LOCKING);
    assert_int_equal(s.cause, GUARD_CAUSE_DENIED);
    assert_string_equal(s.message, "disabled");
}

static void tell__nothing_about_the_key__is_grace(void **state)
{
    static const struct {
        enum ks_code code;
        enum guard_cause cause;
    } rows[] = {
        {KS_E_TIMEOUT, GUARD_CAUSE_UNREACHABLE},
        {KS_E_NO_MEMORY, GUARD_CAUSE_ERROR},
        {KS_E_CORRUPT, GUARD_CAUSE_ERROR},
        {KS_E_BUG, GUARD_CAUSE_ERROR},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct guard_status s;

        tell((struct prober_result){.rc = ks_fail(rows[i].code, "x")}, 0, &s);
        assert_int_equal(s.state, LEASE_GRACE);
        assert_int_equal(s.cause, rows[i].cause);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tell__granted__lease_counts_from_the_beginning_of_the_probe),
        cmocka_unit_test(tell__granted_before_a_long_sleep__locks),
        cmocka_unit_test(tell__shared_grant__counts_from_the_beginning_of_that_probe),
        cmocka_unit_test(tell__denied__locks_with_the_text),
        cmocka_unit_test(tell__nothing_about_the_key__is_grace),
    };

    return cmocka_run_group_tests_name("lockdown_tell", tests, NULL, NULL);
}
