/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: what is remembered of a keyring rises with what a key has vouched for, never falls but by an acceptance, and two who
 * remember come to the same, in whatever order they hear each other.
 */
#include "control/anchor.h"

#include <string.h>

#include "check.h"

#define OURS "00112233445566778899aabbccddeeff"
#define THEIRS "ff112233445566778899aabbccddeeff"

static void check_is(const struct anchor *a, const char *volume, int64_t sequence, int64_t accepted)
{
    assert_string_equal(a->volume, volume);
    assert_int_equal(a->sequence, sequence);
    assert_int_equal(a->accepted, accepted);
}

static void nothing_known__anything__is_taken_and_holds(void **state)
{
    struct anchor a = {0};

    (void)state;
    assert_true(anchor_holds(&a, OURS, 1));
    assert_true(anchor_is_of(&a, OURS));
    assert_false(anchor_take(&a, &(struct anchor){"", 0, 0}));
    assert_true(anchor_take(&a, &(struct anchor){OURS, 3, 0}));
    check_is(&a, OURS, 3, 0);
}

static void known__higher_is_taken__lower_foreign_or_nothing_is_not(void **state)
{
    static const struct anchor others[] = {{OURS, 4, 1}, {OURS, 5, 1},   {THEIRS, 900, 1},
                                           {"", 0, 1},   {OURS, 900, 0}, {THEIRS, 9, 0}};
    struct anchor a = {OURS, 5, 1};

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(anchor_take(&a, &others[i]));
        check_is(&a, OURS, 5, 1);
    }
    assert_true(anchor_take(&a, &(struct anchor){OURS, 6, 1}));
    check_is(&a, OURS, 6, 1);
    assert_true(anchor_holds(&a, OURS, 6));
    assert_true(anchor_holds(&a, OURS, 7));
    assert_false(anchor_holds(&a, OURS, 5));
    assert_false(anchor_holds(&a, THEIRS, 7));
    assert_true(anchor_is_of(&a, OURS)); /* whatever its sequence */
    assert_false(anchor_is_of(&a, THEIRS));
}

static void accepted__older_one__is_what_counts_from_then_on(void **state)
{
    struct anchor a = {OURS, 9, 0};

    (void)state;
    assert_true(anchor_take(&a, &(struct anchor){OURS, 2, 1}));
    check_is(&a, OURS, 2, 1);
    assert_false(anchor_take(&a, &(struct anchor){OURS, 9, 0})); /* said before it was accepted */
    assert_false(anchor_holds(&a, OURS, 1));
    assert_true(anchor_take(&a, &(struct anchor){"", 0, 2})); /* begins anew */
    assert_true(anchor_holds(&a, THEIRS, 1));
}

/* All pairs of a small world: whoever hears the other one first, both end with the same, and hearing again changes nothing. Only two that
 * saw different volumes under one count do not: each keeps its own. */
static void two__hear_each_other__agree(void **state)
{
    static const char *const volumes[] = {"", OURS};
    struct anchor all[18];
    size_t count = 0;

    (void)state;
    for (int v = 0; v < 2; v++)
        for (int64_t sequence = 1; sequence <= 3; sequence++)
            for (int64_t accepted = 0; accepted < 3; accepted++, count++) {
                all[count] = (struct anchor){.sequence = v ? sequence : 0, .accepted = accepted};
                memcpy(all[count].volume, volumes[v], strlen(volumes[v]) + 1);
            }
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++) {
            struct anchor a = all[i], b = all[k];
            (void)anchor_take(&a, &all[k]);
            (void)anchor_take(&b, &all[i]);
            check_is(&a, b.volume, b.sequence, b.accepted);
            assert_false(anchor_take(&a, &b));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_known__anything__is_taken_and_holds),
        cmocka_unit_test(known__higher_is_taken__lower_foreign_or_nothing_is_not),
        cmocka_unit_test(accepted__older_one__is_what_counts_from_then_on),
        cmocka_unit_test(two__hear_each_other__agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
