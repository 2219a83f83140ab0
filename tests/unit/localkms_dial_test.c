/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a rule of the dial acts on what it names, from when it says, for as long, as often; and on
 * nothing else. What cannot be a rule is refused.
 */
#include <stdlib.h>

#include "check.h"
#include "localkms/dial.h"

struct fixture {
    struct clock_manual clock;
    struct realm realm;
};

static void set_up(struct fixture *f, bool is_on)
{
    *f = (struct fixture){0};
    clock_manual_init(&f->clock, 1000, 1000);
    f->realm.clock = &f->clock.clock;
    f->realm.random = random_system();
    check_ok(dial_open(&f->realm, is_on, &f->realm.dial));
}

static void tear_down(struct fixture *f)
{
    dial_close(f->realm.dial);
}

static ks_rc add(struct fixture *f, const char *text)
{
    int64_t id;
    json_t *rule = json_loads(text, JSON_DECODE_ANY, NULL);

    assert_non_null(rule);
    ks_rc rc = dial_add(f->realm.dial, rule, &id);
    json_decref(rule);
    return rc;
}

static enum dial_effect ask(struct fixture *f, const char *account, const char *key,
                            const char *operation)
{
    return dial_refusal(f->realm.dial, &(struct dial_subject){account, key, operation});
}

static const struct {
    const char *rule, *account, *key, *operation;
    enum dial_effect want;
} cases[] = {
    {"{\"effect\":\"deny\"}", "1", "k", "kms:Decrypt", DIAL_DENY},
    {"{\"effect\":\"error\"}", NULL, NULL, NULL, DIAL_ERROR},
    {"{\"effect\":\"deny\",\"account\":\"1\"}", "1", "k", "kms:Decrypt", DIAL_DENY},
    {"{\"effect\":\"deny\",\"account\":\"1\"}", "2", "k", "kms:Decrypt", DIAL_NONE},
    {"{\"effect\":\"deny\",\"account\":\"1\"}", NULL, "k", "kms:Decrypt", DIAL_NONE},
    {"{\"effect\":\"throttle\",\"operation\":\"kms:*\"}", "1", "k", "kms:Encrypt", DIAL_THROTTLE},
    {"{\"effect\":\"throttle\",\"operation\":\"kms:*\"}", "1", "k", "sts:AssumeRole", DIAL_NONE},
    {"{\"effect\":\"throttle\",\"operation\":\"kms:Enc\"}", "1", "k", "kms:Encrypt", DIAL_NONE},
    {"{\"effect\":\"deny\",\"key\":\"k\"}", "1", "k", "kms:Encrypt", DIAL_DENY},
    {"{\"effect\":\"deny\",\"key\":\"arn:aws:kms:r:1:key/k\"}", "1", "k", "kms:Encrypt", DIAL_DENY},
    {"{\"effect\":\"deny\",\"key\":\"arn:aws:kms:r:1:key/kk\"}", "1", "k", "kms:Encrypt",
     DIAL_NONE},
    {"{\"effect\":\"latency\",\"ms\":5}", "1", "k", "kms:Encrypt", DIAL_NONE},
};

static void refusal__subjects__as_in_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        set_up(&f, true);
        check_ok(add(&f, cases[i].rule));
        assert_int_equal(ask(&f, cases[i].account, cases[i].key, cases[i].operation),
                         cases[i].want);
        tear_down(&f);
    }
}

static void refusal__after_and_for__only_then(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f, true);
    check_ok(add(&f, "{\"effect\":\"deny\",\"after_ms\":100,\"for_ms\":50}"));
    assert_int_equal(ask(&f, "1", "k", "o"), DIAL_NONE);
    f.clock.now_ms += 100;
    assert_int_equal(ask(&f, "1", "k", "o"), DIAL_DENY);
    f.clock.now_ms += 49;
    assert_int_equal(ask(&f, "1", "k", "o"), DIAL_DENY);
    f.clock.now_ms += 1;
    assert_int_equal(ask(&f, "1", "k", "o"), DIAL_NONE);
    tear_down(&f);
}

static void refusal__count__so_often(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f, true);
    check_ok(add(&f, "{\"effect\":\"error\",\"count\":2,\"operation\":\"o\"}"));
    assert_int_equal(ask(&f, "1", "k", "other"), DIAL_NONE);
    assert_int_equal(ask(&f, "1", "k", "o"), DIAL_ERROR);
    assert_int_equal(ask(&f, "1", "k", "o"), DIAL_ERROR);
    assert_int_equal(ask(&f, "1", "k", "o"), DIAL_NONE);
    tear_down(&f);
}

static void lag_and_skew__set__told(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f, true);
    assert_int_equal(dial_skew_ms(f.realm.dial), 0);
    check_ok(add(&f, "{\"effect\":\"lag\",\"ms\":60000,\"key\":\"k\"}"));
    check_ok(add(&f, "{\"effect\":\"skew\",\"ms\":-5000}"));
    assert_int_equal(dial_lag_ms(f.realm.dial, &(struct dial_subject){.key = "k"}), 60000);
    assert_int_equal(dial_lag_ms(f.realm.dial, &(struct dial_subject){.key = "other"}), 0);
    assert_int_equal(dial_skew_ms(f.realm.dial), -5000);
    assert_int_equal(realm_now_s(&f.realm), 995);
    tear_down(&f);
}

static void add__no_rule__usage(void **state)
{
    static const char *const wrong[] = {
        "1",
        "{}",
        "{\"effect\":\"none\"}",
        "{\"effect\":\"deny\",\"ms\":-1}",
        "{\"effect\":\"deny\",\"percent\":0}",
        "{\"effect\":\"deny\",\"count\":0}",
        "{\"effect\":\"deny\",\"keys\":\"k\"}",
        "{\"effect\":\"deny\",\"key\":7}",
    };
    struct fixture f;

    (void)state;
    set_up(&f, true);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_rc(add(&f, wrong[i]), USAGE);
    tear_down(&f);
}

static void add__dial_is_off__state(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f, false);
    check_rc(add(&f, "{\"effect\":\"deny\"}"), STATE);
    tear_down(&f);
}

static void add__too_many__limit(void **state)
{
    struct fixture f;
    ks_rc rc = KS_SUCCESS;

    (void)state;
    set_up(&f, true);
    for (int i = 0; i < 1000 && ks_ok(rc); i++)
        rc = add(&f, "{\"effect\":\"lag\"}");
    check_rc(rc, LIMIT);
    tear_down(&f);
}

static void remove__one_or_all__gone(void **state)
{
    struct fixture f;
    json_t *rules;

    (void)state;
    set_up(&f, true);
    for (int i = 0; i < 3; i++)
        check_ok(add(&f, "{\"effect\":\"deny\",\"key\":\"k\",\"count\":9}"));
    check_ok(dial_remove(f.realm.dial, 2));
    check_rc(dial_remove(f.realm.dial, 2), NOT_FOUND);
    check_ok(dial_list(f.realm.dial, &rules));
    assert_int_equal(json_array_size(rules), 2);
    json_decref(rules);
    check_ok(dial_remove(f.realm.dial, 0));
    assert_int_equal(ask(&f, "1", "k", "o"), DIAL_NONE);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusal__subjects__as_in_the_table),
        cmocka_unit_test(refusal__after_and_for__only_then),
        cmocka_unit_test(refusal__count__so_often),
        cmocka_unit_test(lag_and_skew__set__told),
        cmocka_unit_test(add__no_rule__usage),
        cmocka_unit_test(add__dial_is_off__state),
        cmocka_unit_test(add__too_many__limit),
        cmocka_unit_test(remove__one_or_all__gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
