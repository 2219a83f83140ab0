/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: one client per key spec, kept while it is good; opened again once its credentials were not,
 * but not where a person would have to be asked again because of an outage.
 */
#include "key_stub.h"

#include "kms/drv_fake.h"
#include "volume/key_access.h"

static unsigned opened, closed;

static ks_rc counting_open(const struct kms_conf *conf, struct kms **ret)
{
    opened++;
    return kms_driver_fake.open(conf, ret);
}

static void counting_close(struct kms *kms)
{
    closed++;
    kms_driver_fake.close(kms);
}

struct world {
    struct key_access *access;
    struct key_service *service;
    struct key_spec spec;
};

static int begin(void **state)
{
    static struct world w;
    static struct clock_manual clock;
    const struct kms_options options = {.clock = &clock.clock, .attempts_max = 1};

    clock_manual_init(&clock, 5000, 1900000000);
    fake_reset();
    opened = closed = 0;
    check_ok(key_access_new(&options, &w.access));
    w.service = key_access_service(w.access);
    w.spec = (struct key_spec){"COUNTING", "k", ""};
    *state = &w;
    return 0;
}

static int end(void **state)
{
    key_access_free(((struct world *)*state)->access);
    assert_int_equal(opened, closed);
    return 0;
}

static ks_rc ask(struct world *w)
{
    char version[KEY_VERSION_BYTES];

    const struct key_context context = {1, {{"purpose", "canary"}}};

    return w->service->version(w->service, &w->spec, &context, version);
}

static void answer(struct world *w, enum fake_step step)
{
    fake_script(w->spec.uri, &step, 1, false);
}

static void wrap_and_unwrap__go_through_one_client(void **state)
{
    struct world *w = *state;
    CLEANUP(secret_freep) struct secret *plain = NULL;
    CLEANUP(secret_freep) struct secret *back = NULL;
    CLEANUP(buf_done) struct buf blob = buf_init(KEY_BLOB_MAX);
    const struct key_context context = {1, {{"purpose", "canary"}}};
    char version[KEY_VERSION_BYTES];

    check_ok(secret_copy(view_text("thirty-two bytes, as keys have.."), &plain));
    check_ok(w->service->wrap(w->service, &w->spec, &context, plain, &blob, version));
    assert_string_equal(version, "1");
    check_ok(w->service->unwrap(w->service, &w->spec, &context, buf_view(&blob), &back));
    assert_true(secret_is_equal(secret_view(plain), secret_view(back)));
    assert_int_equal(opened, 1);
}

static void specs__that_differ_in_key_or_principal__get_clients_of_their_own(void **state)
{
    struct world *w = *state;

    check_ok(ask(w));
    snprintf(w->spec.auth_principal, sizeof w->spec.auth_principal, "/key/file");
    check_ok(ask(w));
    snprintf(w->spec.uri, sizeof w->spec.uri, "other");
    check_ok(ask(w));
    check_ok(ask(w));
    assert_int_equal(opened, 3);
}

static void denial__keeps_the_client(void **state)
{
    struct world *w = *state;

    answer(w, FAKE_DISABLED);
    check_rc(ask(w), KEY_DISABLED);
    check_ok(ask(w));
    assert_int_equal(opened, 1);
}

static void bad_credentials__next_call_opens_anew(void **state)
{
    struct world *w = *state;

    answer(w, FAKE_EXPIRED);
    check_rc(ask(w), CREDENTIAL);
    assert_int_equal(closed, 1);
    check_ok(ask(w));
    assert_int_equal(opened, 2);
}

static void outage__with_a_principal__next_call_opens_anew(void **state)
{
    struct world *w = *state;

    snprintf(w->spec.auth_principal, sizeof w->spec.auth_principal, "/key/file");
    answer(w, FAKE_RESET);
    check_class(ask(w), UNREACHABLE);
    check_ok(ask(w));
    assert_int_equal(opened, 2);
}

static void outage__with_a_passphrase__does_not_ask_again(void **state)
{
    struct world *w = *state;

    answer(w, FAKE_RESET);
    check_class(ask(w), UNREACHABLE);
    check_ok(ask(w));
    assert_int_equal(opened, 1);
}

static void unknown_type__is_told(void **state)
{
    struct world *w = *state;

    snprintf(w->spec.type, sizeof w->spec.type, "NOSUCH");
    check_rc(ask(w), USAGE);
    assert_int_equal(opened, 0);
}

static int add_driver(void **state)
{
    static struct kms_driver counting;

    (void)state;
    counting = kms_driver_fake;
    counting.type = "COUNTING";
    counting.open = counting_open;
    counting.close = counting_close;
    return ks_ok(secret_init()) && ks_ok(kms_driver_add(&counting)) ? 0 : -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(wrap_and_unwrap__go_through_one_client),
        TEST(specs__that_differ_in_key_or_principal__get_clients_of_their_own),
        TEST(denial__keeps_the_client),
        TEST(bad_credentials__next_call_opens_anew),
        TEST(outage__with_a_principal__next_call_opens_anew),
        TEST(outage__with_a_passphrase__does_not_ask_again),
        TEST(unknown_type__is_told),
    };
    return cmocka_run_group_tests(tests, add_driver, NULL);
}
