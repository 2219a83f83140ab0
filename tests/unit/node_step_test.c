/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: from every state that a volume can be in, the steps lead to what is wished, and on no way there is a volume opened
 * that is to be locked, the last key that opens it taken, or one removed that is wanted.
 *
 * The model below does to a state what a step does to a volume.
 */
#include "node/step.h"

#include "check.h"

enum { STEPS_MAX = 40 };

static unsigned long states;

static void check_promises(const struct step_view *v, enum step step)
{
    if (v->is_present && v->is_revoke_wanted) {
        assert_int_not_equal(step, STEP_UNLOCK);
        assert_int_not_equal(step, STEP_CREATE);
        if (step == STEP_MOUNT) /* it comes up locked */
            assert_true(v->is_revoked);
    }
    if (step == STEP_DROP_KEY) {
        bool is_room_needed = v->keys_missing > 0 && v->keys_free == 0;
        assert_true(v->keys_held + v->keys_to_swap + v->keys_unwanted > 1);
        assert_true(is_room_needed || (v->keys_held > 0 && v->keys_missing == 0));
    }
    if (step == STEP_ADD_KEY)
        assert_true(v->keys_free > 0);
    if (step == STEP_REMOVE)
        assert_true(!v->is_present && !v->is_running);
    if (step >= STEP_SET)
        assert_true(v->is_running && v->state == LEASE_OPEN);
    if (step == STEP_UNMOUNT)
        assert_true(!v->is_present || (v->is_rolled_back && !v->is_revoke_wanted));
    if (step == STEP_UNMOUNT && v->is_revoke_wanted)
        assert_int_equal(v->state, LEASE_LOCKED);
    if (v->is_rolled_back && v->is_present && v->is_running)
        assert_true(step == STEP_UNMOUNT || step == STEP_LOCK || step == STEP_IDLE);
}

static void mount(struct step_view *v)
{
    v->is_running = true;
    v->state = v->is_revoked ? LEASE_LOCKED : LEASE_OPEN;
}

static void create(struct step_view *v)
{
    v->is_made = true;
    v->is_revoked = false;
    v->is_restore_due = v->is_rewrap_due = v->is_store_due = v->is_data_due = false;
    v->is_reencrypt_due = v->is_set_due = false;
}

static void take(struct step_view *v, enum step step)
{
    switch (step) {
    case STEP_UNMOUNT:
        v->is_running = v->is_rolled_back = false;
        break;
    case STEP_REMOVE:
        v->is_made = false;
        break;
    case STEP_CREATE:
        create(v);
        break;
    case STEP_RECORD:
        v->is_revoked = true;
        break;
    case STEP_MOUNT:
        mount(v);
        break;
    case STEP_LOCK:
        v->is_revoked = true;
        v->state = LEASE_LOCKED;
        break;
    case STEP_UNLOCK:
        v->is_revoked = false;
        v->state = LEASE_OPEN;
        break;
    case STEP_RESTORED:
        v->is_restore_due = false;
        break;
    case STEP_SET:
        v->is_set_due = false;
        break;
    case STEP_ADD_KEY:
        v->keys_missing--;
        v->keys_held++;
        v->keys_free--;
        break;
    case STEP_SWAP_KEY:
        v->keys_to_swap--;
        v->keys_held++;
        break;
    case STEP_DROP_KEY:
        v->keys_unwanted--;
        v->keys_free++;
        break;
    case STEP_REWRAP:
        v->is_rewrap_due = false;
        break;
    case STEP_STORE:
        v->is_store_due = false;
        break;
    case STEP_DATA:
        v->is_data_due = false;
        break;
    case STEP_REENCRYPT:
        v->is_reencrypt_due = false;
        break;
    case STEP_IDLE:
    case STEP_WAIT:
    case STEP_COUNT:
        break;
    }
}

/* What the world does while a volume waits: it drains, its key service answers. One that is revoked stays so. */
static void let_time_pass(struct step_view *v)
{
    if (v->state == LEASE_LOCKING)
        v->state = LEASE_LOCKED;
    else if (!v->is_revoked)
        v->state = LEASE_OPEN;
}

static void check_reached(const struct step_view *v)
{
    if (!v->is_present) {
        assert_false(v->is_made || v->is_running);
        return;
    }
    if (v->is_revoke_wanted) {
        assert_true(!v->is_made || (v->is_running && v->is_revoked && v->state == LEASE_LOCKED));
        return;
    }
    assert_true(v->is_made && v->is_running);
    assert_int_equal(v->keys_missing + v->keys_to_swap + v->keys_unwanted, 0);
    assert_false(v->is_restore_due || v->is_set_due || v->is_rewrap_due || v->is_store_due ||
                 v->is_data_due || v->is_reencrypt_due);
}

static bool is_without_wanted_key(const struct step_view *v)
{
    return v->keys_held == 0 && v->keys_missing == 0 && v->keys_to_swap == 0 &&
           v->keys_unwanted > 0;
}

/* A volume that somebody locked on its host, and that nobody restores. */
static bool is_locked_by_hand(const struct step_view *v)
{
    return v->is_revoked && !v->is_revoke_wanted && !v->is_restore_due;
}

static void follow(struct step_view v)
{
    enum step step = STEP_WAIT;

    states++;
    for (int i = 0; i < STEPS_MAX && step != STEP_IDLE; i++) {
        step = step_next(&v);
        check_promises(&v, step);
        take(&v, step);
        if (step == STEP_WAIT && (is_without_wanted_key(&v) || is_locked_by_hand(&v)))
            return; /* nothing may be done; the agent says so */
        if (step == STEP_WAIT)
            let_time_pass(&v);
    }
    assert_int_equal(step, STEP_IDLE);
    check_reached(&v);
}

static bool bit(unsigned bits, unsigned n)
{
    return (bits >> n & 1) != 0;
}

static struct step_view view_of_bits(unsigned bits, enum lease_state state)
{
    return (struct step_view){.is_present = bit(bits, 0),
                              .is_revoke_wanted = bit(bits, 1),
                              .is_restore_due = bit(bits, 2),
                              .is_rewrap_due = bit(bits, 3),
                              .is_store_due = bit(bits, 4),
                              .is_data_due = bit(bits, 5),
                              .is_reencrypt_due = bit(bits, 6),
                              .is_set_due = bit(bits, 7),
                              .is_made = bit(bits, 8),
                              .is_running = bit(bits, 8) && bit(bits, 9),
                              .is_revoked = bit(bits, 8) && bit(bits, 10),
                              .is_rolled_back =
                                  bit(bits, 8) && bit(bits, 9) && !bit(bits, 10) && bit(bits, 11),
                              .state = state};
}

/* With as much room for keys as there is in a volume that has room for all that are wanted, and one more. */
static void follow_room(struct step_view v)
{
    unsigned all = v.keys_held + v.keys_to_swap + v.keys_unwanted;
    unsigned wanted = v.keys_held + v.keys_to_swap + v.keys_missing;

    for (v.keys_free = 0; v.keys_free <= 2; v.keys_free++)
        if (all + v.keys_free >= wanted && all + v.keys_free > 1)
            follow(v);
}

/* With 0 to 2 keys of each kind. What the process of a revoked volume cannot be in is left out. */
static void follow_all_keys(struct step_view v)
{
    if (v.is_revoked && v.state < LEASE_LOCKING)
        return;
    for (unsigned keys = 0; keys < 81; keys++) {
        v.keys_held = keys % 3;
        v.keys_missing = keys / 3 % 3;
        v.keys_to_swap = keys / 9 % 3;
        v.keys_unwanted = keys / 27;
        follow_room(v);
    }
}

static void next__every_state__leads_to_the_wish(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 1u << 12; bits++)
        for (int s = LEASE_OPEN; s <= LEASE_LOCKED; s++)
            follow_all_keys(view_of_bits(bits, (enum lease_state)s));
    assert_true(states > 600000);
}

static void next__revoke_of_an_open_volume__locks_before_anything_else(void **state)
{
    struct step_view v = {.is_present = true,
                          .is_revoke_wanted = true,
                          .is_restore_due = true,
                          .is_set_due = true,
                          .keys_missing = 1,
                          .is_made = true,
                          .is_running = true,
                          .state = LEASE_OPEN};

    (void)state;
    assert_int_equal(step_next(&v), STEP_LOCK);
    v.state = LEASE_GRACE;
    assert_int_equal(step_next(&v), STEP_LOCK);
    v.state = LEASE_LOCKED; /* by its key service: the record is still to be made */
    assert_int_equal(step_next(&v), STEP_LOCK);
    v.is_revoked = true;
    assert_int_equal(step_next(&v), STEP_IDLE);
}

static void next__revoked_and_deleted__locks_before_it_unmounts(void **state)
{
    struct step_view v = {
        .is_revoke_wanted = true, .is_made = true, .is_running = true, .state = LEASE_OPEN};

    (void)state;
    assert_int_equal(step_next(&v), STEP_LOCK);
    v.state = LEASE_LOCKED; /* recorded or not: it goes */
    assert_int_equal(step_next(&v), STEP_UNMOUNT);
    v.is_revoke_wanted = false;
    v.state = LEASE_OPEN;
    assert_int_equal(step_next(&v), STEP_UNMOUNT);
}

static void next__only_unwanted_keys__nothing_is_dropped(void **state)
{
    const struct step_view v = {.is_present = true,
                                .is_made = true,
                                .is_running = true,
                                .state = LEASE_OPEN,
                                .keys_unwanted = 1};

    (void)state;
    assert_int_equal(step_next(&v), STEP_WAIT);
}

static void next__no_room_for_another_key__one_that_is_not_wanted_goes_first(void **state)
{
    struct step_view v = {.is_present = true,
                          .is_made = true,
                          .is_running = true,
                          .state = LEASE_OPEN,
                          .keys_unwanted = 8,
                          .keys_missing = 4};

    (void)state;
    assert_int_equal(step_next(&v), STEP_DROP_KEY);
    v.keys_unwanted = 7;
    v.keys_free = 1;
    assert_int_equal(step_next(&v), STEP_ADD_KEY);
}

static void next__keys_in_grace__wait(void **state)
{
    const struct step_view v = {.is_present = true,
                                .is_made = true,
                                .is_running = true,
                                .state = LEASE_GRACE,
                                .keys_held = 1,
                                .is_store_due = true};

    (void)state;
    assert_int_equal(step_next(&v), STEP_WAIT);
}

static void name__every_step__has_one(void **state)
{
    (void)state;
    for (int s = 0; s < STEP_COUNT; s++)
        assert_non_null(step_name((enum step)s));
    assert_null(step_level(STEP_SET));
    assert_string_equal(step_level(STEP_REWRAP), "rewrap");
    assert_string_equal(step_level(STEP_REENCRYPT), "reencrypt");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next__every_state__leads_to_the_wish),
        cmocka_unit_test(next__revoke_of_an_open_volume__locks_before_anything_else),
        cmocka_unit_test(next__revoked_and_deleted__locks_before_it_unmounts),
        cmocka_unit_test(next__only_unwanted_keys__nothing_is_dropped),
        cmocka_unit_test(next__no_room_for_another_key__one_that_is_not_wanted_goes_first),
        cmocka_unit_test(next__keys_in_grace__wait),
        cmocka_unit_test(name__every_step__has_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
