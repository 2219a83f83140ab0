/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a grant on the board is one that really began in time, at the same key by the same principal, and that
 * no failure followed; nothing that a stranger or a crash left there is taken for a grant.
 */
#include "kms/board.h"

#include "io/shared_page.h"
#include "tmpdir.h"

static const struct key_spec spec = {"AWS_KMS", "arn:k", "arn:r"};
static struct tmpdir tmp;
static struct path dir;
static struct clock_manual manual;
static struct board *board;
static uint64_t began;

static int setup(void **state)
{
    (void)state;
    tmp = tmpdir_make();
    dir = tmpdir_path(&tmp, "kms");
    clock_manual_init(&manual, 50000, 1800000000);
    check_ok(board_open(dir.text, &spec, &manual.clock, &board));
    manual.now_ms = 100000;
    began = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    board_close(board);
    board_close(NULL);
    tmpdir_remove(&tmp);
    return 0;
}

static void grant__within_its_age__is_taken_with_its_beginning(void **state)
{
    (void)state;
    assert_false(board_grant_since(board, 0, &began));
    board_granted(board, 99000);
    assert_true(board_grant_since(board, 99000, &began));
    assert_int_equal(began, 99000);
    assert_false(board_grant_since(board, 99001, &began));
}

static void grant__that_began_before_a_failure__is_not_taken(void **state)
{
    (void)state;
    board_granted(board, 99000);
    board_failed(board);
    assert_false(board_grant_since(board, 0, &began));
    board_granted(board, 99999); /* a slow one that ends after the failure */
    assert_false(board_grant_since(board, 0, &began));
    manual.now_ms++;
    board_granted(board, 100001);
    assert_true(board_grant_since(board, 0, &began));
}

static void grant__older_one_told_later__does_not_hide_the_newer(void **state)
{
    (void)state;
    board_granted(board, 99500);
    board_granted(board, 99000);
    assert_true(board_grant_since(board, 99500, &began));
}

static void board__of_the_same_key__is_shared_and_of_another_is_not(void **state)
{
    static const struct key_spec others[] = {
        {"AWS_KMS", "arn:k", ""}, {"AWS_KMS", "arn:kk", "arn:r"}, {"GCP", "arn:k", "arn:r"}};
    struct board *other;

    (void)state;
    board_granted(board, 99000);
    check_ok(board_open(dir.text, &spec, &manual.clock, &other));
    assert_true(board_grant_since(other, 99000, &began));
    board_close(other);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        check_ok(board_open(dir.text, &others[i], &manual.clock, &other));
        assert_false(board_grant_since(other, 0, &began));
        board_close(other);
    }
}

static void garbage__any__is_no_grant_and_does_not_last(void **state)
{
    static const uint8_t values[] = {0x00, 0x01, 0x7f, 0xff};
    void *page;

    (void)state;
    check_ok(shared_page_open(dir.text, "probe-e9c23d813d270dac0ae2369a71ed4e9a", &page));
    for (size_t i = 0; i < sizeof values; i++) {
        memset(page, values[i], SHARED_PAGE_BYTES);
        assert_false(board_grant_since(board, 99000, &began));
        board_granted(board, manual.now_ms);
        manual.now_ms += 10;
        board_granted(board, manual.now_ms);
        assert_true(board_grant_since(board, manual.now_ms, &began));
    }
    shared_page_close(page);
}

static void open__directory_cannot_be_made__fails(void **state)
{
    struct board *none = NULL;

    (void)state;
    assert_false(
        ks_ok(board_open(tmpdir_path(&tmp, "no/where").text, &spec, &manual.clock, &none)));
    assert_null(none);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(grant__within_its_age__is_taken_with_its_beginning),
        T(grant__that_began_before_a_failure__is_not_taken),
        T(grant__older_one_told_later__does_not_hide_the_newer),
        T(board__of_the_same_key__is_shared_and_of_another_is_not),
        T(garbage__any__is_no_grant_and_does_not_last),
        T(open__directory_cannot_be_made__fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
