/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: who asks while the same question is out gets the answer of that call, a failure with its text
 * too; other questions and later ones are asked for themselves.
 */
#include "kms/flight.h"

#include <pthread.h>
#include <stdio.h>

#include "check.h"

static struct flight *f;

static int setup(void **state)
{
    (void)state;
    check_ok(flight_new(&f));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    flight_free(f);
    flight_free(NULL);
    return 0;
}

static struct flight_seat *join(const char *question, bool want_first)
{
    struct flight_seat *seat;
    bool is_first;

    check_ok(flight_join(f, view_text(question), &seat, &is_first));
    assert_int_equal(is_first, want_first);
    return seat;
}

struct waiter {
    pthread_t thread;
    struct flight_seat *seat;
    ks_rc rc;
    char text[600], version[KEY_VERSION_BYTES];
    struct secret *plain;
};

static void *wait_for_it(void *arg)
{
    struct waiter *w = arg;

    w->rc = flight_wait(f, w->seat, &w->plain, w->version);
    if (!ks_ok(w->rc))
        snprintf(w->text, sizeof w->text, "%s", ks_text(w->rc));
    return NULL;
}

/* count threads that have joined question and wait. */
static void start(struct waiter *w, unsigned count, const char *question)
{
    for (unsigned i = 0; i < count; i++) {
        w[i] = (struct waiter){.seat = join(question, false)};
        assert_int_equal(pthread_create(&w[i].thread, NULL, wait_for_it, &w[i]), 0);
    }
}

static void land__key__each_waiter_gets_a_copy(void **state)
{
    struct flight_answer answer = {KS_SUCCESS, NULL, "7"};
    struct flight_seat *seat = join("q", true);
    struct waiter w[4];
    struct secret *plain;

    (void)state;
    start(w, 4, "q");
    check_ok(secret_copy(view_text("the key"), &plain));
    answer.plain = plain;
    flight_land(f, seat, &answer);
    secret_free(plain);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(w[i].thread, NULL), 0);
        check_ok(w[i].rc);
        check_bytes(secret_view(w[i].plain), view_text("the key"));
        assert_string_equal(w[i].version, "7");
        secret_free(w[i].plain);
    }
    assert_int_equal(flight_waiting(f), 0);
}

static void land__failure__each_waiter_gets_class_code_and_text(void **state)
{
    struct flight_seat *seat = join("q", true);
    struct waiter w[2];

    (void)state;
    start(w, 2, "q");
    struct flight_answer answer = {ks_fail(KS_E_KEY_DISABLED, "arn:x is disabled"), NULL, ""};
    flight_land(f, seat, &answer);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(w[i].thread, NULL), 0);
        check_rc(w[i].rc, KEY_DISABLED);
        assert_string_equal(w[i].text, "arn:x is disabled");
        assert_null(w[i].plain);
    }
}

static void join__other_question_or_later__is_first(void **state)
{
    const struct flight_answer answer = {KS_SUCCESS, NULL, "1"};
    struct flight_seat *a = join("a", true), *b = join("b", true);

    (void)state;
    flight_land(f, a, &answer);
    a = join("a", true); /* nothing is kept */
    flight_land(f, b, &answer);
    flight_land(f, a, &answer);
}

static int group_setup(void **state)
{
    (void)state;
    check_ok(secret_init());
    return 0;
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(land__key__each_waiter_gets_a_copy),
        T(land__failure__each_waiter_gets_class_code_and_text),
        T(join__other_question_or_later__is_first),
    };

    return cmocka_run_group_tests(tests, group_setup, NULL);
}
