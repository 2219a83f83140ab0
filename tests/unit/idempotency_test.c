/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a request that is repeated with its Idempotency-Key gets the reply of the first, is told to wait while that is being
 * answered, and is done anew after a failure; a key never stands for two requests.
 */
#include "control_fixture.h"

static const uint8_t ONE[32] = {1}, TWO[32] = {2};

static struct caller key_caller(const char *id)
{
    struct caller by = caller_of("", "");

    PUT_TEXT(by.key, id);
    return by;
}

static ks_rc find(struct control_fixture *f, const char *word, const uint8_t hash[32],
                  struct buf *body)
{
    struct caller by = key_caller(CLUSTER);
    int status = 0;

    ks_rc rc = control_repeat_find(f->c, &by, word, hash, &status, body);
    if (ks_ok(rc))
        assert_int_equal(status, 201);
    return rc;
}

static void keep(struct control_fixture *f, const char *word, int status, const char *body)
{
    struct caller by = key_caller(CLUSTER);

    control_repeat_keep(f->c, &by, word, status, view_text(body));
}

static void find__answered_before__the_same_reply(void **state)
{
    struct control_fixture f;
    CLEANUP(buf_done) struct buf body = buf_init(100);

    (void)state;
    control_fixture_open(&f);
    check_rc(find(&f, "k", ONE, &body), NOT_FOUND);
    keep(&f, "k", 201, "{\"id\":1}");
    check_ok(find(&f, "k", ONE, &body));
    assert_string_equal(buf_text(&body), "{\"id\":1}");
    check_rc(find(&f, "other", ONE, &body), NOT_FOUND);
    control_fixture_close(&f);
}

static void find__empty_body__comes_back_empty(void **state)
{
    struct control_fixture f;
    CLEANUP(buf_done) struct buf body = buf_init(100);

    (void)state;
    control_fixture_open(&f);
    check_rc(find(&f, "k", ONE, &body), NOT_FOUND);
    keep(&f, "k", 201, "");
    check_ok(find(&f, "k", ONE, &body));
    assert_int_equal(body.len, 0);
    control_fixture_close(&f);
}

static void find__another_request__state(void **state)
{
    struct control_fixture f;
    CLEANUP(buf_done) struct buf body = buf_init(100);

    (void)state;
    control_fixture_open(&f);
    check_rc(find(&f, "k", ONE, &body), NOT_FOUND);
    check_rc(find(&f, "k", TWO, &body), STATE); /* while it is answered */
    keep(&f, "k", 201, "x");
    check_rc(find(&f, "k", TWO, &body), STATE); /* and afterwards */
    check_ok(find(&f, "k", ONE, &body));
    control_fixture_close(&f);
}

static void find__being_answered__busy(void **state)
{
    struct control_fixture f;
    CLEANUP(buf_done) struct buf body = buf_init(100);
    struct caller other = key_caller(VOLUME);
    int status;

    (void)state;
    control_fixture_open(&f);
    check_rc(find(&f, "k", ONE, &body), NOT_FOUND);
    check_rc(find(&f, "k", ONE, &body), BUSY);
    check_rc(control_repeat_find(f.c, &other, "k", ONE, &status, &body), NOT_FOUND);
    control_repeat_keep(f.c, &other, "k", 201, view_text("theirs"));
    keep(&f, "k", 201, "ours");
    check_ok(find(&f, "k", ONE, &body));
    assert_string_equal(buf_text(&body), "ours");
    control_fixture_close(&f);
}

static void keep__failed__done_anew(void **state)
{
    static const int statuses[] = {0, 302, 400, 409, 429, 500, 503};
    struct control_fixture f;
    CLEANUP(buf_done) struct buf body = buf_init(100);

    (void)state;
    control_fixture_open(&f);
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        check_rc(find(&f, "k", ONE, &body), NOT_FOUND);
        keep(&f, "k", statuses[i], "no");
    }
    check_rc(find(&f, "k", TWO, &body), NOT_FOUND);
    control_fixture_close(&f);
}

static void find__a_day_later__anew(void **state)
{
    struct control_fixture f;
    CLEANUP(buf_done) struct buf body = buf_init(100);

    (void)state;
    control_fixture_open(&f);
    check_rc(find(&f, "k", ONE, &body), NOT_FOUND);
    keep(&f, "k", 201, "x");
    f.store.clock.now_s += REPEAT_KEEP_S - 1;
    check_ok(find(&f, "k", ONE, &body));
    f.store.clock.now_s += 1;
    check_rc(find(&f, "k", TWO, &body), NOT_FOUND);
    f.store.clock.now_s += 1;
    keep(&f, "k", 201, "y");
    control_fixture_close(&f);
}

static void find__bad_key__usage(void **state)
{
    struct control_fixture f;
    CLEANUP(buf_done) struct buf body = buf_init(100);
    char word[REPEAT_WORD_BYTES + 1];

    (void)state;
    memset(word, 'k', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    control_fixture_open(&f);
    check_rc(find(&f, "", ONE, &body), USAGE);
    check_rc(find(&f, word, ONE, &body), USAGE);
    keep(&f, word, 201, "x");
    word[sizeof word - 2] = '\0';
    check_rc(find(&f, word, ONE, &body), NOT_FOUND);
    keep(&f, word, 201, "x");
    check_ok(find(&f, word, ONE, &body));
    control_fixture_close(&f);
}

static void keep__nothing_found_before__nothing(void **state)
{
    struct control_fixture f;
    CLEANUP(buf_done) struct buf body = buf_init(100);

    (void)state;
    control_fixture_open(&f);
    keep(&f, "k", 201, "x");
    check_rc(find(&f, "k", ONE, &body), NOT_FOUND);
    control_fixture_close(&f);
}

static void find__too_many_at_a_time__limit(void **state)
{
    struct control_fixture f;
    CLEANUP(buf_done) struct buf body = buf_init(100);
    struct caller by = key_caller(CLUSTER);
    char word[16];
    int status;

    (void)state;
    control_fixture_open(&f);
    for (int i = 0; i < REPEAT_RUNNING_MAX; i++) {
        snprintf(word, sizeof word, "%d", i);
        check_rc(control_repeat_find(f.c, &by, word, ONE, &status, &body), NOT_FOUND);
    }
    check_rc(control_repeat_find(f.c, &by, "more", ONE, &status, &body), LIMIT);
    control_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find__answered_before__the_same_reply),
        cmocka_unit_test(find__empty_body__comes_back_empty),
        cmocka_unit_test(find__another_request__state),
        cmocka_unit_test(find__being_answered__busy),
        cmocka_unit_test(keep__failed__done_anew),
        cmocka_unit_test(find__a_day_later__anew),
        cmocka_unit_test(find__bad_key__usage),
        cmocka_unit_test(keep__nothing_found_before__nothing),
        cmocka_unit_test(find__too_many_at_a_time__limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
