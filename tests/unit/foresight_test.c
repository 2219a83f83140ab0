/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a sync is foreseen where writes and syncs come in turn as they did before, nowhere else, and wrong guesses become
 * rare by themselves.
 */
#include "check.h"

#include "volume/foresight.h"

/* commit(f, n): n writes and a sync. Whether the sync was foreseen at the last write, and at no other. */
static bool commit(struct foresight *f, unsigned n)
{
    bool is_foreseen = false;

    while (n-- > 0) {
        assert_false(is_foreseen);
        is_foreseen = foresight_write(f);
    }
    foresight_sync(f);
    return is_foreseen;
}

static void teach(struct foresight *f, unsigned writes)
{
    for (unsigned k = 0; k <= FORESIGHT_STREAK_MIN; k++)
        assert_false(commit(f, writes));
}

static void log__one_write_for_each_sync__is_foreseen(void **state)
{
    struct foresight f = {0};

    (void)state;
    teach(&f, 1);
    assert_true(commit(&f, 1));
    assert_true(commit(&f, 1));
}

static void log__some_writes_for_each_sync__is_foreseen_at_the_last_one(void **state)
{
    struct foresight f = {0};

    (void)state;
    teach(&f, 3);
    assert_true(commit(&f, 3));
    assert_false(commit(&f, 2)); /* not so many this time */
    assert_false(commit(&f, 3));
}

static void many_writes__a_sync__are_no_commit(void **state)
{
    struct foresight f = {0};

    (void)state;
    for (unsigned k = 0; k < 100; k++)
        assert_false(commit(&f, FORESIGHT_WRITES_MAX + 1));
}

static void writes__without_syncs__are_guessed_wrong_once(void **state)
{
    struct foresight f = {0};
    unsigned guesses = 0;

    (void)state;
    teach(&f, 1);
    for (unsigned k = 0; k < 100000; k++)
        guesses += foresight_write(&f);
    assert_int_equal(guesses, 1);
}

/* batch(f, n): n writes and a sync. How often the disk should begin. */
static unsigned batch(struct foresight *f, unsigned n)
{
    unsigned begun = 0;

    while (n-- > 0) {
        assert_false(foresight_write(f));
        begun += foresight_may_begin(f);
    }
    foresight_sync(f);
    return begun;
}

static void batch__as_long_as_the_last__is_begun_in_time(void **state)
{
    struct foresight f = {0};

    (void)state;
    assert_int_equal(batch(&f, 32), 0); /* nothing is known yet */
    assert_int_equal(batch(&f, 32), 32 / FORESIGHT_BATCH);
    assert_int_equal(batch(&f, 100), 32 / FORESIGHT_BATCH); /* the sync is late: no more of it */
    assert_int_equal(batch(&f, 40), 40 / FORESIGHT_BATCH);
}

static void batch__too_short_or_without_end__is_not_begun(void **state)
{
    struct foresight f = {0};

    (void)state;
    batch(&f, FORESIGHT_BATCHED_MAX + 1);
    assert_int_equal(batch(&f, FORESIGHT_BATCHED_MAX + 1), 0);
    assert_int_equal(batch(&f, FORESIGHT_WRITES_MAX), 0);
    assert_false(foresight_write(&f));
    assert_false(foresight_may_begin(&f));
}

static void sync__without_a_write__changes_nothing(void **state)
{
    struct foresight f = {0};

    (void)state;
    teach(&f, 1);
    foresight_sync(&f);
    assert_true(commit(&f, 1));
}

/* After each wrong guess it takes longer, up to a bound, until one is believed again. */
static unsigned commits_until_foreseen(struct foresight *f)
{
    unsigned n = 1;

    while (!commit(f, 1))
        n++;
    return n;
}

static void guess__wrong_again_and_again__is_made_less_often(void **state)
{
    struct foresight f = {0};
    unsigned before = 0, now = 0;

    (void)state;
    for (unsigned k = 0; k < 10; k++) {
        before = now;
        now = commits_until_foreseen(&f);
        assert_true(now >= before);
        foresight_write(&f);
        foresight_write(&f); /* the sync was foreseen before this one */
    }
    assert_true(now > FORESIGHT_STREAK_MAX / 2);
    assert_true(now <= 2 * FORESIGHT_STREAK_MAX);
}

static void guess__right_for_long__is_trusted_again(void **state)
{
    struct foresight f = {0};

    (void)state;
    for (unsigned k = 0; k < 10; k++) {
        commits_until_foreseen(&f);
        foresight_write(&f);
        foresight_write(&f);
    }
    for (unsigned k = 0; k < 4 * FORESIGHT_STREAK_MAX; k++)
        commit(&f, 1);
    foresight_break(&f);
    assert_true(commits_until_foreseen(&f) <= FORESIGHT_STREAK_MIN + 1);
}

static void past__broken_off__is_no_guide(void **state)
{
    struct foresight f = {0};

    (void)state;
    teach(&f, 1);
    foresight_break(&f);
    assert_false(commit(&f, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log__one_write_for_each_sync__is_foreseen),
        cmocka_unit_test(batch__as_long_as_the_last__is_begun_in_time),
        cmocka_unit_test(batch__too_short_or_without_end__is_not_begun),
        cmocka_unit_test(log__some_writes_for_each_sync__is_foreseen_at_the_last_one),
        cmocka_unit_test(many_writes__a_sync__are_no_commit),
        cmocka_unit_test(writes__without_syncs__are_guessed_wrong_once),
        cmocka_unit_test(sync__without_a_write__changes_nothing),
        cmocka_unit_test(guess__wrong_again_and_again__is_made_less_often),
        cmocka_unit_test(guess__right_for_long__is_trusted_again),
        cmocka_unit_test(past__broken_off__is_no_guide),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
