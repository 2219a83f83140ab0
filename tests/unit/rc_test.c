/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: every row of the table of errors translates as the table says, the class of an
 * errno decides the policy that the documents promise, and the text of a failure is the one that
 * belongs to it.
 */
#include "base/rc.h"

#include <pthread.h>

#include "check.h"

static void translate__each_row__as_in_the_table(void **state)
{
    (void)state;
#define KS_ERROR(name, c, err, http, exitc, words)                                                 \
    do {                                                                                           \
        ks_rc rc = {KS_CLASS_##c, KS_E_##name};                                                    \
        assert_int_equal(ks_errno(rc), err);                                                       \
        assert_int_equal(ks_http(rc), http);                                                       \
        assert_int_equal(ks_exit(rc), exitc);                                                      \
        assert_string_equal(ks_name(rc), #name);                                                   \
        assert_string_equal(ks_class_name(rc), #c);                                                \
        assert_int_equal(ks_from_name(#name), KS_E_##name);                                        \
    } while (0);
#include "base/errors.def"
#undef KS_ERROR
}

static void exit_code__each_row__is_the_one_of_its_class(void **state)
{
    static const int of_class[] = {0, 2, 3, 4, 5, 6, 7, 8, 70};

    (void)state;
#define KS_ERROR(name, c, err, http, exitc, words) assert_int_equal(exitc, of_class[KS_CLASS_##c]);
#include "base/errors.def"
#undef KS_ERROR
}

static void fail__any_code__has_its_class_and_text(void **state)
{
    ks_rc rc = ks_fail(KS_E_KEY_DISABLED, "key %s", "orders");

    (void)state;
    assert_false(ks_ok(rc));
    assert_int_equal(rc.cls, KS_CLASS_DENIED);
    assert_string_equal(ks_text(rc), "key orders");
}

static void text__of_a_result_that_did_not_fail_last__is_that_of_the_table(void **state)
{
    ks_rc old = ks_fail(KS_E_BUSY, "held by process 7");

    (void)state;
    check_rc(ks_fail(KS_E_CORRUPT, "block 3"), CORRUPT);
    assert_string_equal(ks_text(old), "in use by another process");
}

static void text__longer_than_its_room__is_cut(void **state)
{
    char words[2000];

    (void)state;
    memset(words, 'x', sizeof words - 1);
    words[sizeof words - 1] = 0;
    ks_rc rc = ks_fail(KS_E_IO, "%s", words);
    assert_int_equal(strlen(ks_text(rc)), 511);
    check_rc(ks_wrap(rc, "%s", words), IO);
    assert_int_equal(strlen(ks_text(rc)), 511);
}

static void fail__text_of_the_last_failure_as_argument__quoted(void **state)
{
    ks_rc rc = ks_fail(KS_E_USAGE, "no valid JSON");

    (void)state;
    rc = ks_fail(KS_E_BAD_REPLY, "the reply cannot be understood: %s", ks_text(rc));
    assert_string_equal(ks_text(rc), "the reply cannot be understood: no valid JSON");
}

static void wrap__failure__keeps_the_result_and_puts_the_object_before(void **state)
{
    ks_rc rc = ks_wrap(ks_fail(KS_E_AUTH, "block 3"), "file %s", "a");

    (void)state;
    check_rc(rc, AUTH);
    assert_string_equal(ks_text(rc), "file a: block 3");
}

static void wrap__success__passes_through(void **state)
{
    (void)state;
    check_ok(ks_wrap(KS_SUCCESS, "file %s", "a"));
}

static void os__errno__comes_back_with_the_class_it_stands_for(void **state)
{
    static const struct {
        int err;
        enum ks_class cls;
    } rows[] = {
        {EIO, KS_CLASS_IO},       {ENOSPC, KS_CLASS_LIMIT}, {EDQUOT, KS_CLASS_LIMIT},
        {ENOMEM, KS_CLASS_LIMIT}, {EMFILE, KS_CLASS_LIMIT}, {EBUSY, KS_CLASS_BUSY},
        {ENOENT, KS_CLASS_USAGE}, {EEXIST, KS_CLASS_USAGE}, {EACCES, KS_CLASS_USAGE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ks_rc rc = ks_os(rows[i].err);
        assert_int_equal(rc.cls, rows[i].cls);
        assert_int_equal(ks_errno(rc), rows[i].err);
        assert_true(ks_is_os(rc, rows[i].err));
        assert_string_equal(ks_name(rc), "OS");
    }
}

static void fail_os__with_text__says_what_the_system_said(void **state)
{
    ks_rc rc = ks_fail_os(ENOENT, "cannot open %s", "keyring.0");

    (void)state;
    assert_true(ks_is_os(rc, ENOENT));
    assert_string_equal(ks_text(rc), "cannot open keyring.0: No such file or directory");
}

static void os__after_a_failure_with_the_same_number__does_not_show_its_text(void **state)
{
    (void)state;
    assert_true(ks_is_os(ks_fail_os(ENOENT, "keyring.0"), ENOENT));
    assert_string_equal(ks_text(ks_os(ENOENT)), "No such file or directory");
}

static void from_name__unknown__is_bug(void **state)
{
    (void)state;
    assert_int_equal(ks_from_name("NO_SUCH_ERROR"), KS_E_BUG);
    assert_int_equal(ks_from_name(""), KS_E_BUG);
}

static void *fail_elsewhere(void *arg)
{
    *(ks_rc *)arg = ks_fail(KS_E_BUSY, "of the other thread");
    return NULL;
}

static void text__of_another_thread__is_not_mixed_up(void **state)
{
    ks_rc mine = ks_fail(KS_E_BUSY, "of this thread"), other;
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, &other), 0);
    pthread_join(thread, NULL);
    check_rc(other, BUSY);
    assert_string_equal(ks_text(mine), "of this thread");
}

static ks_rc tries(ks_rc rc, int *ret_reached)
{
    TRY(rc);
    *ret_reached = 1;
    return KS_SUCCESS;
}

static void try__failure__returns_it_unchanged(void **state)
{
    int reached = 0;

    (void)state;
    check_rc(tries(ks_fail(KS_E_LIMIT, "x"), &reached), LIMIT);
    assert_int_equal(reached, 0);
    check_ok(tries(KS_SUCCESS, &reached));
    assert_int_equal(reached, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(translate__each_row__as_in_the_table),
        cmocka_unit_test(exit_code__each_row__is_the_one_of_its_class),
        cmocka_unit_test(fail__any_code__has_its_class_and_text),
        cmocka_unit_test(text__of_a_result_that_did_not_fail_last__is_that_of_the_table),
        cmocka_unit_test(text__longer_than_its_room__is_cut),
        cmocka_unit_test(fail__text_of_the_last_failure_as_argument__quoted),
        cmocka_unit_test(wrap__failure__keeps_the_result_and_puts_the_object_before),
        cmocka_unit_test(wrap__success__passes_through),
        cmocka_unit_test(os__errno__comes_back_with_the_class_it_stands_for),
        cmocka_unit_test(fail_os__with_text__says_what_the_system_said),
        cmocka_unit_test(os__after_a_failure_with_the_same_number__does_not_show_its_text),
        cmocka_unit_test(from_name__unknown__is_bug),
        cmocka_unit_test(text__of_another_thread__is_not_mixed_up),
        cmocka_unit_test(try__failure__returns_it_unchanged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
