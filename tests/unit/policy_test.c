/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the policy repeats what was not answered and nothing else, stays inside its
 * deadline by the clock it is given, counts what happened and leaves outputs of failed calls alone; a service in the
 * network is not asked while it is silent nor beyond the host's share, and the same question is asked once.
 */
#include "kms/policy.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "check.h"
#include "kms/drv_fake.h"

static const struct key_spec spec = {"FAKE", "key", ""};

struct fixture {
    struct clock_manual clock;
    struct random_seeded random;
    struct kms_options options;
    struct kms_client *client;
    struct secret *plain;
    struct buf blob;
    char version[KEY_VERSION_BYTES];
    struct key_context context;
};

static int setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){.blob = buf_init(KEY_BLOB_MAX)};
    clock_manual_init(&f.clock, 100000, 1800000000);
    random_seeded_init(&f.random, 1);
    f.options = (struct kms_options){
        .clock = &f.clock.clock, .random = &f.random.random, .timeout_ms = 3000, .attempts_max = 3};
    f.context.count = 1;
    f.context.pairs[0].name = "purpose";
    f.context.pairs[0].value = "test";
    fake_reset();
    check_ok(kms_client_open(&spec, &f.options, &f.client));
    check_ok(secret_copy(view_text("plain"), &f.plain));
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    kms_client_close(f->client);
    secret_free(f->plain);
    buf_done(&f->blob);
    return 0;
}

static ks_rc wrap(struct fixture *f)
{
    return kms_client_wrap(f->client, &f->context, f->plain, &f->blob, f->version);
}

static void script(const enum fake_step *steps, size_t count, bool is_repeating)
{
    fake_script("key", steps, count, is_repeating);
}

static void wrap__granted__one_attempt(void **state)
{
    struct fixture *f = *state;
    struct secret *got;

    check_ok(wrap(f));
    assert_string_equal(f->version, "1");
    check_ok(kms_client_unwrap(f->client, &f->context, buf_view(&f->blob), &got));
    check_bytes(secret_view(got), view_text("plain"));
    secret_free(got);
    assert_int_equal(fake_calls("key"), 2);
    assert_int_equal(kms_client_counters(f->client).granted, 2);
}

static void wrap__reset_then_granted__second_attempt_after_a_pause(void **state)
{
    const enum fake_step steps[] = {FAKE_RESET, FAKE_GRANT};
    struct fixture *f = *state;

    script(steps, 2, false);
    check_ok(wrap(f));
    assert_int_equal(fake_calls("key"), 2);
    assert_in_range(f->clock.now_ms, 100050, 100100);
    struct kms_counters n = kms_client_counters(f->client);
    assert_int_equal(n.calls, 1);
    assert_int_equal(n.attempts, 2);
    assert_int_equal(n.unreachable, 1);
    assert_int_equal(n.granted, 1);
}

static void wrap__always_throttled__gives_up_after_its_attempts(void **state)
{
    const enum fake_step step = FAKE_THROTTLE;
    struct fixture *f = *state;

    script(&step, 1, true);
    ks_rc rc = wrap(f);
    check_rc(rc, THROTTLED);
    check_text(rc, "FAKE:key");
    assert_int_equal(fake_calls("key"), 3);
}

static void wrap__denied__no_second_attempt(void **state)
{
    static const enum fake_step steps[] = {FAKE_DENY, FAKE_DISABLED, FAKE_PENDING, FAKE_DESTROYED,
                                           FAKE_NOT_FOUND};
    struct fixture *f = *state;

    script(steps, 5, false);
    for (uint64_t i = 1; i <= 5; i++) {
        check_class(wrap(f), DENIED);
        assert_int_equal(fake_calls("key"), i);
    }
    assert_int_equal(kms_client_counters(f->client).denied, 5);
    assert_int_equal(f->clock.now_ms, 100000);
}

static void wrap__no_credential__no_second_attempt(void **state)
{
    const enum fake_step step = FAKE_EXPIRED;
    struct fixture *f = *state;

    script(&step, 1, true);
    check_rc(wrap(f), CREDENTIAL);
    assert_int_equal(fake_calls("key"), 1);
}

static void unwrap__wrong_context__no_second_attempt(void **state)
{
    struct fixture *f = *state;
    struct secret *got = NULL;

    check_ok(wrap(f));
    f->context.pairs[0].value = "other";
    check_class(kms_client_unwrap(f->client, &f->context, buf_view(&f->blob), &got), CORRUPT);
    assert_null(got);
    assert_int_equal(fake_calls("key"), 2);
    assert_int_equal(kms_client_counters(f->client).other, 1);
}

static void wrap__hangs__within_the_deadline(void **state)
{
    const enum fake_step step = FAKE_HANG;
    struct fixture *f = *state;

    script(&step, 1, true);
    check_rc(wrap(f), TIMEOUT);
    assert_in_range(f->clock.now_ms, 100000, 103000);
    assert_true(fake_calls("key") >= 2); /* one that hangs leaves room for another */
}

static void wrap__hangs_once__answered_in_time(void **state)
{
    const enum fake_step steps[] = {FAKE_HANG, FAKE_GRANT};
    struct fixture *f = *state;

    script(steps, 2, false);
    check_ok(wrap(f));
    assert_in_range(f->clock.now_ms, 101000, 103000);
}

static void wrap__time_too_short_for_a_pause__one_attempt(void **state)
{
    const enum fake_step step = FAKE_RESET;
    struct fixture *f = *state;
    struct kms_client *client;

    f->options.timeout_ms = 40;
    check_ok(kms_client_open(&spec, &f->options, &client));
    script(&step, 1, true);
    check_rc(kms_client_wrap(client, &f->context, f->plain, &f->blob, f->version), UNREACHABLE);
    assert_int_equal(fake_calls("key"), 1);
    kms_client_close(client);
}

static void wrap__one_attempt_allowed__one_made(void **state)
{
    const enum fake_step step = FAKE_RESET;
    struct fixture *f = *state;
    struct kms_client *client;

    f->options.attempts_max = 1;
    check_ok(kms_client_open(&spec, &f->options, &client));
    script(&step, 1, true);
    check_rc(kms_client_wrap(client, &f->context, f->plain, &f->blob, f->version), UNREACHABLE);
    assert_int_equal(fake_calls("key"), 1);
    kms_client_close(client);
}

static void call__fails__outputs_untouched(void **state)
{
    const enum fake_step step = FAKE_DENY;
    struct fixture *f = *state;
    struct secret *got = NULL;

    check_ok(buf_append(&f->blob, view_text("before")));
    memcpy(f->version, "old", 4);
    script(&step, 1, true);
    check_rc(wrap(f), DENIED);
    check_bytes(buf_view(&f->blob), view_text("before"));
    assert_string_equal(f->version, "old");
    check_rc(kms_client_version(f->client, &f->context, f->version), DENIED);
    assert_string_equal(f->version, "old");
    check_rc(kms_client_unwrap(f->client, &f->context, view_text("x"), &got), DENIED);
    assert_null(got);
}

static void version__after_rotation__newest(void **state)
{
    struct fixture *f = *state;

    fake_rotate("key");
    check_ok(kms_client_version(f->client, &f->context, f->version));
    assert_string_equal(f->version, "2");
}

static void open__unknown_type__usage_with_the_known_ones(void **state)
{
    struct key_spec other = {"NONE", "x", ""};
    struct fixture *f = *state;
    struct kms_client *client = NULL;

    ks_rc rc = kms_client_open(&other, &f->options, &client);
    check_rc(rc, USAGE);
    check_text(rc, "FILE");
    assert_null(client);
    kms_client_close(NULL);
}

static void open__malformed_spec__usage_that_names_the_key(void **state)
{
    static const char *const uris[] = {"/srv/kms", "#name", "/srv/kms#", "/srv/kms#Bad Name",
                                       "relative#name"};
    struct fixture *f = *state;
    struct kms_client *client = NULL;
    struct key_spec other = {"FILE", "", ""};

    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        memcpy(other.uri, uris[i], strlen(uris[i]) + 1);
        ks_rc rc = kms_client_open(&other, &f->options, &client);
        check_rc(rc, USAGE);
        check_text(rc, uris[i]);
    }
    memcpy(other.uri, "/srv/kms#name", 14);
    memcpy(other.auth_principal, "relative", 9);
    check_rc(kms_client_open(&other, &f->options, &client), USAGE);
    assert_null(client);
}

static void driver_add__hole_in_the_table__bug(void **state)
{
    const struct kms_driver *found = NULL;
    struct kms_driver bad = kms_driver_fake;

    (void)state;
    bad.type = "BAD";
    bad.unwrap = NULL;
    check_rc(kms_driver_add(&bad), BUG);
    bad = kms_driver_fake;
    bad.type = "BAD";
    bad.abi = KMS_DRIVER_ABI + 1;
    check_rc(kms_driver_add(&bad), BUG);
    check_rc(kms_driver_find("BAD", &found), USAGE);
    check_rc(kms_driver_add(&kms_driver_fake), BUG); /* it is there already */
    assert_null(found);
}

/* --- a service in the network: the fake driver with a scope --- */

static struct kms_driver remote;
static uint32_t retry_after_ms;

static void remote_scope(const struct kms *kms, char ret[KMS_SCOPE_BYTES])
{
    (void)kms;
    snprintf(ret, KMS_SCOPE_BYTES, "remote:test");
}

static ks_rc remote_unwrap(struct kms *kms, const struct kms_call *call,
                           const struct key_context *context, struct view blob,
                           struct secret **ret_plain)
{
    snprintf(call->note->request_id, sizeof call->note->request_id, "id-%llu",
             (unsigned long long)fake_calls("key"));
    call->note->retry_after_ms = retry_after_ms;
    return kms_driver_fake.unwrap(kms, call, context, blob, ret_plain);
}

static void add_remote(void)
{
    remote = kms_driver_fake;
    remote.type = "REMOTE";
    remote.scope = remote_scope;
    remote.unwrap = remote_unwrap;
    check_ok(kms_driver_add(&remote));
}

static int setup_remote(void **state)
{
    static const struct key_spec remote_spec = {"REMOTE", "key", ""};

    setup(state);
    struct fixture *f = *state;
    check_ok(wrap(f));
    kms_client_close(f->client);
    f->options.attempts_max = 1;
    retry_after_ms = 0;
    check_ok(kms_client_open(&remote_spec, &f->options, &f->client));
    return 0;
}

static ks_rc unwrap(struct fixture *f)
{
    struct secret *got = NULL;
    ks_rc rc = kms_client_unwrap(f->client, &f->context, buf_view(&f->blob), &got);

    secret_free(got);
    return rc;
}

static struct kms_report report(struct fixture *f)
{
    struct kms_report r;

    kms_client_report(f->client, &r);
    return r;
}

static void remote__no_answers__fails_fast_and_asks_again_after_the_pause(void **state)
{
    const enum fake_step step = FAKE_RESET;
    struct fixture *f = *state;

    script(&step, 1, true);
    for (int i = 0; i < 5; i++)
        check_rc(unwrap(f), UNREACHABLE);
    uint64_t calls = fake_calls("key");
    ks_rc rc = unwrap(f);
    check_rc(rc, UNREACHABLE);
    check_text(rc, "asks again in 2000 ms");
    assert_int_equal(fake_calls("key"), calls);
    assert_int_equal(report(f).breaker, BREAKER_OPEN);
    assert_int_equal(report(f).refused, 1);
    f->clock.now_ms += 2000;
    script(&step, 0, false);
    check_ok(unwrap(f));
    assert_int_equal(report(f).breaker, BREAKER_CLOSED);
}

static void remote__denied_however_often__stays_denied_and_closed(void **state)
{
    const enum fake_step step = FAKE_DENY;
    struct fixture *f = *state;

    script(&step, 1, true);
    for (int i = 0; i < 20; i++)
        check_rc(unwrap(f), DENIED);
    assert_int_equal(report(f).breaker, BREAKER_CLOSED);
}

static void remote__denied_after_an_outage__told_as_denied_by_the_first_call(void **state)
{
    const enum fake_step reset = FAKE_RESET, disabled = FAKE_DISABLED;
    struct fixture *f = *state;

    script(&reset, 1, true);
    for (int i = 0; i < 6; i++)
        check_class(unwrap(f), UNREACHABLE);
    script(&disabled, 1, true);
    f->clock.now_ms += 2000;
    check_rc(unwrap(f), KEY_DISABLED);
    check_rc(unwrap(f), KEY_DISABLED);
    assert_int_equal(report(f).breaker, BREAKER_CLOSED);
}

static void remote__bad_credentials__do_not_open_the_breaker(void **state)
{
    const enum fake_step step = FAKE_EXPIRED;
    struct fixture *f = *state;

    script(&step, 1, true);
    for (int i = 0; i < 20; i++)
        check_rc(unwrap(f), CREDENTIAL);
    assert_int_equal(report(f).breaker, BREAKER_CLOSED);
}

static void remote__failure__names_the_request_and_keeps_its_id(void **state)
{
    const enum fake_step step = FAKE_DENY;
    struct fixture *f = *state;

    script(&step, 1, true);
    ks_rc rc = unwrap(f);
    check_text(rc, "REMOTE:key");
    check_text(rc, "request id-1");
    assert_string_equal(report(f).request_id, "id-1");
    assert_int_equal(report(f).answered_s, f->clock.now_s);
    assert_int_equal(report(f).operations[KMS_UNWRAP].denied, 1);
    assert_int_equal(report(f).operations[KMS_WRAP].calls, 0);
}

static void remote__told_to_wait__waits_so_long(void **state)
{
    static const struct key_spec remote_spec = {"REMOTE", "key", ""};
    const enum fake_step steps[] = {FAKE_THROTTLE, FAKE_GRANT};
    struct fixture *f = *state;

    kms_client_close(f->client);
    f->options.attempts_max = 3;
    check_ok(kms_client_open(&remote_spec, &f->options, &f->client));
    script(steps, 2, false);
    retry_after_ms = 1500;
    uint64_t began = f->clock.now_ms;
    check_ok(unwrap(f));
    assert_int_equal(f->clock.now_ms - began, 1500);
    script(steps, 2, false);
    retry_after_ms = 9000; /* beyond the deadline: no use in waiting */
    check_rc(unwrap(f), THROTTLED);
    assert_int_equal(f->clock.now_ms - began, 1500);
}

static void remote__host_share_used_up__waits_for_it_or_is_throttled(void **state)
{
    static const struct key_spec remote_spec = {"REMOTE", "key", ""};
    struct fixture *f = *state;

    kms_client_close(f->client);
    f->options.rate_per_s = 1;
    f->options.timeout_ms = 900;
    check_ok(kms_client_open(&remote_spec, &f->options, &f->client));
    check_ok(unwrap(f));
    check_ok(unwrap(f));
    uint64_t calls = fake_calls("key");
    ks_rc rc = unwrap(f);
    check_rc(rc, THROTTLED);
    check_text(rc, "remote:test");
    assert_int_equal(fake_calls("key"), calls);
    assert_int_equal(report(f).throttled, 1);
    assert_int_equal(report(f).breaker, BREAKER_CLOSED);
    f->clock.now_ms += 500;
    check_ok(unwrap(f)); /* half a second is waited for */
}

static void retries__outage_of_many_calls__stay_a_share_of_the_calls(void **state)
{
    const enum fake_step step = FAKE_THROTTLE;
    struct fixture *f = *state;

    script(&step, 1, true);
    for (int i = 0; i < 100; i++)
        check_rc(wrap(f), THROTTLED);
    /* 10 retries at once, one more for each ten calls */
    assert_in_range(fake_calls("key"), 110, 121);
    assert_true(report(f).retries_saved > 0);
}

struct asker {
    struct fixture *f;
    pthread_t thread;
    ks_rc rc;
};

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static ks_rc gated_unwrap(struct kms *kms, const struct kms_call *call,
                          const struct key_context *context, struct view blob,
                          struct secret **ret_plain)
{
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return kms_driver_fake.unwrap(kms, call, context, blob, ret_plain);
}

static void *ask(void *arg)
{
    struct asker *a = arg;

    a->rc = unwrap(a->f);
    return NULL;
}

static void remote__same_question_from_many_threads__asked_once(void **state)
{
    enum { ASKERS = 6 };
    struct asker askers[ASKERS];
    struct fixture *f = *state;
    uint64_t before = fake_calls("key");

    remote.unwrap = gated_unwrap;
    pthread_mutex_lock(&gate);
    for (int i = 0; i < ASKERS; i++) {
        askers[i] = (struct asker){.f = f};
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
    }
    while (report(f).shared < ASKERS - 1)
        sched_yield();
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < ASKERS; i++) {
        assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
        check_ok(askers[i].rc);
    }
    remote.unwrap = remote_unwrap;
    assert_int_equal(fake_calls("key") - before, 1);
}

static int group_setup(void **state)
{
    (void)state;
    check_ok(secret_init());
    check_ok(kms_driver_add(&kms_driver_fake));
    add_remote();
    return 0;
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define R(fn) cmocka_unit_test_setup_teardown(fn, setup_remote, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(wrap__granted__one_attempt),
        T(wrap__reset_then_granted__second_attempt_after_a_pause),
        T(wrap__always_throttled__gives_up_after_its_attempts),
        T(wrap__denied__no_second_attempt),
        T(wrap__no_credential__no_second_attempt),
        T(unwrap__wrong_context__no_second_attempt),
        T(wrap__hangs__within_the_deadline),
        T(wrap__hangs_once__answered_in_time),
        T(wrap__time_too_short_for_a_pause__one_attempt),
        T(wrap__one_attempt_allowed__one_made),
        T(call__fails__outputs_untouched),
        T(version__after_rotation__newest),
        T(open__unknown_type__usage_with_the_known_ones),
        T(open__malformed_spec__usage_that_names_the_key),
        T(driver_add__hole_in_the_table__bug),
        T(retries__outage_of_many_calls__stay_a_share_of_the_calls),
        R(remote__no_answers__fails_fast_and_asks_again_after_the_pause),
        R(remote__denied_however_often__stays_denied_and_closed),
        R(remote__denied_after_an_outage__told_as_denied_by_the_first_call),
        R(remote__bad_credentials__do_not_open_the_breaker),
        R(remote__failure__names_the_request_and_keeps_its_id),
        R(remote__told_to_wait__waits_so_long),
        R(remote__host_share_used_up__waits_for_it_or_is_throttled),
        R(remote__same_question_from_many_threads__asked_once),
    };

    return cmocka_run_group_tests(tests, group_setup, NULL);
}
