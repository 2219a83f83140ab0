/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: every failure that is the operator's business is counted under its kind, and told in one line, at once and then
 * at most once in a while; what answers a request is neither.
 */
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fuse/trouble.h"

struct bench {
    struct clock_manual clock;
    struct trouble *t;
    unsigned lines;
    char last[1024];
};

static void hear(void *arg, const char *line)
{
    struct bench *b = arg;

    b->lines++;
    snprintf(b->last, sizeof b->last, "%s", line);
}

static int setup(void **state)
{
    static struct bench b;

    b.lines = 0;
    clock_manual_init(&b.clock, 1000, 1800000000);
    check_ok(trouble_new(&b.clock.clock, hear, &b, &b.t));
    *state = &b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;

    trouble_free(b->t);
    return 0;
}

static void note__each_kind__is_counted_and_told(void **state)
{
    static const struct {
        int err;
        enum trouble_kind kind;
        const char *text;
    } cases[] = {
        {EIO, TROUBLE_IO, "input/output"},     {ENOSPC, TROUBLE_NO_SPACE, "full"},
        {EDQUOT, TROUBLE_QUOTA, "quota"},      {EROFS, TROUBLE_READ_ONLY, "read-only"},
        {ESTALE, TROUBLE_GONE, "gone"},        {ENOMEM, TROUBLE_RESOURCES, "memory"},
        {EMFILE, TROUBLE_RESOURCES, "limits"},
    };
    struct bench *b = *state;

    for (size_t n = 0; n < 6; n++) {
        trouble_note(b->t, ks_os(cases[n].err));
        assert_int_equal(trouble_count(b->t, cases[n].kind), 1);
        assert_int_equal(b->lines, n + 1);
        assert_non_null(strstr(b->last, cases[n].text));
    }
    trouble_note(b->t, ks_os(EMFILE));
    assert_int_equal(trouble_count(b->t, TROUBLE_RESOURCES), 2);
    trouble_note(b->t, ks_fail(KS_E_BUG, "a bug"));
    assert_int_equal(trouble_count(b->t, TROUBLE_INTERNAL), 1);
}

static void note__answers_to_requests__are_nobodys_trouble(void **state)
{
    static const int errs[] = {ENOENT, EEXIST, ENOTEMPTY, EACCES, EFBIG, ENODATA, EKEYREVOKED};
    struct bench *b = *state;

    for (size_t n = 0; n < sizeof errs / sizeof errs[0]; n++)
        trouble_note(b->t, ks_os(errs[n]));
    trouble_note(b->t, KS_SUCCESS);
    trouble_note(b->t, ks_fail(KS_E_LOCKED, "locked"));
    trouble_note(b->t, ks_fail(KS_E_USAGE, "wrong"));
    for (int k = 0; k < TROUBLE_KINDS; k++)
        assert_int_equal(trouble_count(b->t, (enum trouble_kind)k), 0);
    assert_int_equal(b->lines, 0);
}

static void note__ten_thousand_times__is_one_line_and_then_one_a_minute(void **state)
{
    struct bench *b = *state;

    for (int n = 0; n < 10000; n++)
        trouble_note(b->t, ks_os(ENOSPC));
    assert_int_equal(b->lines, 1);
    assert_int_equal(trouble_count(b->t, TROUBLE_NO_SPACE), 10000);
    b->clock.now_ms += TROUBLE_SILENCE_MS - 1;
    trouble_note(b->t, ks_os(ENOSPC));
    assert_int_equal(b->lines, 1);
    b->clock.now_ms += 1;
    trouble_note(b->t, ks_os(ENOSPC));
    assert_int_equal(b->lines, 2);
    assert_non_null(strstr(b->last, "10001 failures"));
    trouble_note(b->t, ks_os(EIO)); /* another kind has its own line */
    assert_int_equal(b->lines, 3);
}

/* The volume tells each damaged block with its place. */
static void note__damage__is_counted_only(void **state)
{
    struct bench *b = *state;

    trouble_note(b->t, ks_fail(KS_E_AUTH, "a block"));
    trouble_note(b->t, ks_fail(KS_E_FOREIGN, "a file"));
    assert_int_equal(trouble_count(b->t, TROUBLE_DAMAGED), 2);
    assert_int_equal(b->lines, 0);
}

static void name__of_each_kind__is_there(void **state)
{
    (void)state;
    for (int k = 0; k < TROUBLE_KINDS; k++)
        assert_true(strlen(trouble_name((enum trouble_kind)k)) > 1);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(note__each_kind__is_counted_and_told),
        T(note__answers_to_requests__are_nobodys_trouble),
        T(note__ten_thousand_times__is_one_line_and_then_one_a_minute),
        T(note__damage__is_counted_only),
        T(name__of_each_kind__is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
