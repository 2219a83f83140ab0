/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: probes are made when asked for, tell what they found with its text, are counted so that whoever asks gets an
 * answer younger than the question, and a probe that hangs keeps nobody from ending.
 */
#include "fuse/prober.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "check.h"

enum { LONG_MS = 3600000, SOON_MS = 10000 };

static _Atomic uint64_t sleepy_now_ms;

struct service {
    ks_rc rc;
    pthread_mutex_t gate; /* a probe waits for it */
    uint64_t told;        /* sequence of the last result told */
    uint64_t began_ms;    /* of that */
    uint64_t shared_ms;   /* what peek says; 0: nothing */
    unsigned probes;
};

static ks_rc probe(void *arg, uint32_t *ret_wrap_id)
{
    struct service *s = arg;

    pthread_mutex_lock(&s->gate);
    pthread_mutex_unlock(&s->gate);
    s->probes++;
    if (ks_ok(s->rc))
        *ret_wrap_id = 3;
    else
        return ks_fail((enum ks_code)s->rc.code, "orders: no");
    return KS_SUCCESS;
}

static bool peek(void *arg, uint32_t *ret_wrap_id, uint64_t *ret_shared_ms)
{
    const struct service *s = arg;

    *ret_wrap_id = 7;
    *ret_shared_ms = s->shared_ms;
    return s->shared_ms != 0;
}

static void tell(void *arg, const struct prober_result *result)
{
    struct service *s = arg;

    s->told = result->sequence;
    s->began_ms = result->began_ms;
}

static struct prober *start(struct service *s, uint32_t period_ms)
{
    struct prober_conf conf = {clock_system(), random_system(), period_ms, probe, peek, tell, s};
    struct prober *p = NULL;

    pthread_mutex_init(&s->gate, NULL);
    check_ok(prober_start(&conf, &p));
    return p;
}

static void kick__granted__tells_which_wrap(void **unused)
{
    struct service s = {0};
    struct prober_result r;
    struct prober *p = start(&s, LONG_MS);

    (void)unused;
    prober_last(p, &r);
    assert_int_equal(r.sequence, 0);
    uint64_t ticket = prober_kick(p);
    check_ok(prober_wait(p, ticket, SOON_MS, &r));
    check_ok(r.rc);
    assert_int_equal(r.wrap_id, 3);
    assert_string_equal(r.text, "");
    assert_true(r.at_s > 0);
    assert_int_equal(s.told, r.sequence);
    assert_true(prober_stop(p, SOON_MS));
}

static void kick__denied__keeps_the_text(void **unused)
{
    struct service s = {.rc = ks_fail(KS_E_KEY_DISABLED, "x")};
    struct prober_result r;
    struct prober *p = start(&s, LONG_MS);

    (void)unused;
    check_ok(prober_wait(p, prober_kick(p), SOON_MS, &r));
    check_rc(r.rc, KEY_DISABLED);
    assert_string_equal(r.text, "orders: no");
    assert_int_equal(r.wrap_id, 0);
    assert_true(prober_stop(p, SOON_MS));
}

static void period__over__probes_by_itself(void **unused)
{
    struct service s = {0};
    struct prober_result r;
    struct prober *p = start(&s, 5);

    (void)unused;
    check_ok(prober_wait(p, 3, SOON_MS, &r));
    assert_true(r.sequence >= 3);
    assert_true(prober_stop(p, SOON_MS));
}

static void set_period__while_a_long_one_runs__probes_at_once_and_by_the_new_one(void **unused)
{
    struct service s = {0};
    struct prober_result r;
    struct prober *p = start(&s, LONG_MS);

    (void)unused;
    prober_set_period(p, 5);
    check_ok(prober_wait(p, 3, SOON_MS, &r));
    prober_set_period(p, LONG_MS);
    uint64_t ticket = prober_kick(p);
    check_ok(prober_wait(p, ticket, SOON_MS, &r));
    check_rc(prober_wait(p, ticket + 2, 20, &r), TIMEOUT);
    assert_true(prober_stop(p, SOON_MS));
}

static void kick__during_a_probe__asks_for_a_later_one(void **unused)
{
    struct service s = {0};
    struct prober_result r;
    struct prober *p = start(&s, LONG_MS);

    (void)unused;
    pthread_mutex_lock(&s.gate);
    uint64_t first = prober_kick(p), second = first;
    while (second == first) /* until the first one has begun */
        second = prober_kick(p);
    assert_int_equal(second, first + 1);
    check_rc(prober_wait(p, first, 0, &r), TIMEOUT);
    pthread_mutex_unlock(&s.gate);
    check_ok(prober_wait(p, second, SOON_MS, &r));
    assert_true(prober_stop(p, SOON_MS));
}

/* The host sleeps while it waits for the answer. */
static uint64_t sleepy_boot_ms(struct clock *c)
{
    (void)c;
    return atomic_load(&sleepy_now_ms);
}

static int64_t sleepy_wall_s(struct clock *c)
{
    (void)c;
    return 1;
}

static ks_rc sleepy_probe(void *arg, uint32_t *ret_wrap_id)
{
    (void)arg;
    *ret_wrap_id = 1;
    atomic_store(&sleepy_now_ms, 9000000);
    return KS_SUCCESS;
}

static void probe__takes_hours__tells_when_it_began(void **unused)
{
    struct clock clock = {sleepy_boot_ms, sleepy_wall_s, NULL};
    struct service s = {0};
    struct prober_conf conf = {&clock, random_system(), LONG_MS, sleepy_probe, NULL, tell, &s};
    struct prober_result r;
    struct prober *p = NULL;

    (void)unused;
    atomic_store(&sleepy_now_ms, 4711);
    check_ok(prober_start(&conf, &p));
    check_ok(prober_wait(p, prober_kick(p), SOON_MS, &r));
    assert_int_equal(r.began_ms, 4711);
    assert_int_equal(s.began_ms, 4711);
    assert_true(prober_stop(p, SOON_MS));
}

static void stop__probe_hangs__does_not_wait_for_it(void **unused)
{
    /* the thread outlives the test and ends with its process */
    static struct service s;
    struct prober *p = start(&s, LONG_MS);

    (void)unused;
    pthread_mutex_lock(&s.gate);
    uint64_t first = prober_kick(p);
    while (prober_kick(p) == first)
        ;
    assert_false(prober_stop(p, 1));
}

static void stop__nothing__is_fine(void **unused)
{
    (void)unused;
    assert_true(prober_stop(NULL, 0));
}

static void jitter__any__is_within_a_tenth_and_not_constant(void **unused)
{
    struct random_seeded random;
    uint32_t least = UINT32_MAX, most = 0;

    (void)unused;
    random_seeded_init(&random, 1);
    for (int i = 0; i < 1000; i++) {
        uint32_t ms = prober_jitter(15000, &random.random);
        assert_in_range(ms, 13500, 16500);
        least = ms < least ? ms : least;
        most = ms > most ? ms : most;
    }
    assert_true(most - least > 2500);
    assert_int_equal(prober_jitter(5, &random.random), 5);
}

static void turn__other_volume_has_probed__no_probe_of_its_own(void **unused)
{
    struct service s = {.shared_ms = 4711};
    struct prober_result r;
    struct prober *p = start(&s, 1);

    (void)unused;
    check_ok(prober_wait(p, 1, SOON_MS, &r));
    assert_int_equal(r.shared_ms, 4711);
    assert_int_equal(r.wrap_id, 7);
    check_ok(r.rc);
    assert_true(prober_stop(p, SOON_MS));
    assert_int_equal(s.probes, 0);
}

static void kick__other_volume_has_probed__a_real_probe_all_the_same(void **unused)
{
    struct service s = {.shared_ms = 4711};
    struct prober_result r;
    struct prober *p = start(&s, LONG_MS);

    (void)unused;
    check_ok(prober_wait(p, prober_kick(p), SOON_MS, &r));
    assert_int_equal(r.shared_ms, 0);
    assert_int_equal(r.wrap_id, 3);
    assert_true(prober_stop(p, SOON_MS));
    assert_int_equal(s.probes, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turn__other_volume_has_probed__no_probe_of_its_own),
        cmocka_unit_test(kick__other_volume_has_probed__a_real_probe_all_the_same),
        cmocka_unit_test(kick__granted__tells_which_wrap),
        cmocka_unit_test(kick__denied__keeps_the_text),
        cmocka_unit_test(period__over__probes_by_itself),
        cmocka_unit_test(set_period__while_a_long_one_runs__probes_at_once_and_by_the_new_one),
        cmocka_unit_test(kick__during_a_probe__asks_for_a_later_one),
        cmocka_unit_test(probe__takes_hours__tells_when_it_began),
        cmocka_unit_test(stop__probe_hangs__does_not_wait_for_it),
        cmocka_unit_test(stop__nothing__is_fine),
        cmocka_unit_test(jitter__any__is_within_a_tenth_and_not_constant),
    };

    return cmocka_run_group_tests_name("prober", tests, NULL, NULL);
}
