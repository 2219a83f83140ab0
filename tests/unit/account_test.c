/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: organisations and API keys are made, seen and revoked within the caller's scope only; a secret opens what its key
 * says and nothing when it is wrong, expired or revoked; the time of use is stored later.
 */
#include "control/store.h"
#include "control_fixture.h"

static struct organisation make_organisation(struct control_fixture *f, const char *name)
{
    struct caller platform = caller_of("", "");
    struct organisation o;

    check_ok(control_organisation_create(f->c, &platform, name, &o));
    return o;
}

/* A cluster with that number in an organisation. */
static void put_cluster(struct control_fixture *f, unsigned n, const char *organisation)
{
    CLEANUP(mem_freep) struct cluster *cluster = cluster_row(n);
    CLEANUP(store_tx_end) struct store_tx *tx = NULL;

    PUT_TEXT(cluster->organisation, organisation);
    check_ok(store_tx_begin(f->c->store, &tx));
    store_tx_observe(tx);
    check_ok(store_cluster_put(tx, cluster));
    check_ok(store_tx_commit(&tx));
}

static struct api_key key_wish(const char *organisation, const char *cluster, enum role role)
{
    struct api_key wish = {.role = role};

    PUT_TEXT(wish.organisation, organisation);
    PUT_TEXT(wish.cluster, cluster);
    PUT_TEXT(wish.name, "deploy");
    return wish;
}

static struct api_key make_key(struct control_fixture *f, const struct caller *by,
                               const char *organisation, char secret[API_SECRET_TEXT_BYTES])
{
    struct api_key wish = key_wish(organisation, "", ROLE_OPERATOR), key;

    check_ok(control_api_key_create(f->c, by, &wish, &key, secret));
    return key;
}

/* -- organisations -- */

static void organisation_create__by_the_platform__seen_by_its_keys_only(void **state)
{
    struct control_fixture f;
    struct organisation o, got, other;

    (void)state;
    control_fixture_open(&f);
    o = make_organisation(&f, "Acme GmbH & Co.");
    other = make_organisation(&f, "Other");
    assert_true(id_is_valid(o.id));
    assert_memory_equal(o.label, "acme-gmbh-co-", 13);
    assert_int_equal(o.created, 1000);
    struct caller own = caller_of(o.id, ""), foreign = caller_of(other.id, ""),
                  platform = caller_of("", "");
    check_ok(control_organisation_get(f.c, &own, o.id, &got));
    assert_string_equal(got.name, "Acme GmbH & Co.");
    check_ok(control_organisation_get(f.c, &platform, o.id, &got));
    check_rc(control_organisation_get(f.c, &foreign, o.id, &got), NOT_FOUND);
    check_rc(control_organisation_get(f.c, &platform, id_of("0a", 9).text, &got), NOT_FOUND);
    control_fixture_close(&f);
}

#define NAME_OF_32 "0123456789abcdef0123456789abcdef"

static void organisation_create__bad_name_or_caller__refused(void **state)
{
    static const char too_long[] = NAME_OF_32 NAME_OF_32 "x";
    static const char *const names[] = {"", " x", "x ", "a\nb", too_long};
    struct control_fixture f;
    struct organisation o;
    struct caller platform = caller_of("", ""), viewer = platform,
                  own = caller_of(ORGANISATION, "");

    (void)state;
    viewer.role = ROLE_OPERATOR;
    control_fixture_open(&f);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        check_rc(control_organisation_create(f.c, &platform, names[i], &o), USAGE);
    check_rc(control_organisation_create(f.c, &viewer, "x", &o), PERMISSION);
    check_rc(control_organisation_create(f.c, &own, "x", &o), PERMISSION);
    check_ok(control_organisation_create(f.c, &platform, "x", &o));
    check_rc(control_organisation_create(f.c, &platform, "x", &o), EXISTS);
    control_fixture_close(&f);
}

static void organisation_list__in_parts__each_once(void **state)
{
    struct control_fixture f;
    struct caller platform = caller_of("", "");
    struct slice slice = {.count_max = 2};
    struct organisation *rows;
    size_t count, seen = 0;
    char name[16];

    (void)state;
    control_fixture_open(&f);
    for (int i = 0; i < 5; i++) {
        f.store.clock.now_s += i % 2; /* some at the same time */
        snprintf(name, sizeof name, "o%d", i);
        make_organisation(&f, name);
    }
    do {
        check_ok(control_organisation_list(f.c, &platform, &slice, &rows, &count));
        seen += count;
        mem_free(rows);
    } while (slice.after[0]);
    assert_int_equal(seen, 5);
    slice.count_max = 0;
    check_rc(control_organisation_list(f.c, &platform, &slice, &rows, &count), USAGE);
    slice = (struct slice){.after = "?", .count_max = 2};
    check_rc(control_organisation_list(f.c, &platform, &slice, &rows, &count), USAGE);
    control_fixture_close(&f);
}

static void organisation_list__by_an_organisation__itself(void **state)
{
    struct control_fixture f;
    struct slice slice = {.count_max = 2};
    struct organisation *rows;
    size_t count;

    (void)state;
    control_fixture_open(&f);
    make_organisation(&f, "a");
    struct organisation b = make_organisation(&f, "b");
    struct caller own = caller_of(b.id, "");
    check_ok(control_organisation_list(f.c, &own, &slice, &rows, &count));
    assert_int_equal(count, 1);
    assert_string_equal(rows[0].id, b.id);
    mem_free(rows);
    own = caller_of(ORGANISATION, "");
    check_rc(control_organisation_list(f.c, &own, &slice, &rows, &count), NOT_FOUND);
    control_fixture_close(&f);
}

/* -- keys -- */

static void authenticate__right_secret__gives_the_keys_scope(void **state)
{
    struct control_fixture f;
    struct caller platform = caller_of("", ""), got = {0};
    char secret[API_SECRET_TEXT_BYTES];

    (void)state;
    control_fixture_open(&f);
    struct organisation o = make_organisation(&f, "a");
    struct api_key key = make_key(&f, &platform, o.id, secret);
    assert_memory_equal(secret, "ksk_", 4);
    assert_memory_equal(secret + 4, key.id, 36);
    check_ok(control_authenticate(f.c, secret, &got));
    assert_string_equal(got.key, key.id);
    assert_string_equal(got.name, "deploy");
    assert_string_equal(got.organisation, o.id);
    assert_string_equal(got.cluster, "");
    assert_int_equal(got.role, ROLE_OPERATOR);
    control_fixture_close(&f);
}

static void authenticate__anything_wrong__the_same_refusal(void **state)
{
    struct control_fixture f;
    struct caller platform = caller_of("", ""), got;
    char secret[API_SECRET_TEXT_BYTES], bad[API_SECRET_TEXT_BYTES + 8];

    (void)state;
    control_fixture_open(&f);
    make_key(&f, &platform, "", secret);
    check_ok(control_authenticate(f.c, secret, &got));
    for (size_t i = 0; i < strlen(secret); i++) {
        snprintf(bad, sizeof bad, "%s", secret);
        bad[i] = bad[i] == 'a' ? 'b' : 'a';
        ks_rc rc = control_authenticate(f.c, bad, &got);
        check_rc(rc, PERMISSION);
        assert_string_equal(ks_text(rc), "this is not a valid key");
    }
    snprintf(bad, sizeof bad, "%sx", secret);
    check_rc(control_authenticate(f.c, bad, &got), PERMISSION);
    snprintf(bad, sizeof bad, "%.60s", secret);
    check_rc(control_authenticate(f.c, bad, &got), PERMISSION);
    check_rc(control_authenticate(f.c, "", &got), PERMISSION);
    control_fixture_close(&f);
}

static void authenticate__expired__refused_from_that_second_on(void **state)
{
    struct control_fixture f;
    struct caller platform = caller_of("", ""), got;
    struct api_key wish = key_wish("", "", ROLE_VIEWER), key;
    char secret[API_SECRET_TEXT_BYTES];

    (void)state;
    control_fixture_open(&f);
    wish.expires = 1000;
    check_rc(control_api_key_create(f.c, &platform, &wish, &key, secret), USAGE);
    wish.expires = 1060;
    check_ok(control_api_key_create(f.c, &platform, &wish, &key, secret));
    f.store.clock.now_s = 1059;
    check_ok(control_authenticate(f.c, secret, &got));
    f.store.clock.now_s = 1060;
    check_rc(control_authenticate(f.c, secret, &got), PERMISSION);
    control_fixture_close(&f);
}

static void revoke__at_once_and_again__refused_and_fine(void **state)
{
    struct control_fixture f;
    struct caller platform = caller_of("", ""), got;
    char secret[API_SECRET_TEXT_BYTES];
    int64_t before, after;

    (void)state;
    control_fixture_open(&f);
    struct api_key key = make_key(&f, &platform, "", secret);
    check_ok(control_api_key_revoke(f.c, &platform, key.id));
    check_rc(control_authenticate(f.c, secret, &got), PERMISSION);
    check_ok(control_audit_verify(f.c, &before));
    check_ok(control_api_key_revoke(f.c, &platform, key.id));
    check_ok(control_audit_verify(f.c, &after));
    assert_int_equal(before, after);
    check_rc(control_api_key_revoke(f.c, &platform, id_of("ff", 1).text), NOT_FOUND);
    control_fixture_close(&f);
}

static void revoke__outside_the_scope__not_found(void **state)
{
    struct control_fixture f;
    struct caller platform = caller_of("", "");
    char secret[API_SECRET_TEXT_BYTES];

    (void)state;
    control_fixture_open(&f);
    struct organisation a = make_organisation(&f, "a"), b = make_organisation(&f, "b");
    struct api_key key = make_key(&f, &platform, a.id, secret);
    struct caller own = caller_of(a.id, ""), foreign = caller_of(b.id, ""),
                  narrow = caller_of(a.id, CLUSTER), operator_ = own;
    operator_.role = ROLE_OPERATOR;
    check_rc(control_api_key_revoke(f.c, &foreign, key.id), NOT_FOUND);
    check_rc(control_api_key_revoke(f.c, &narrow, key.id), NOT_FOUND);
    check_rc(control_api_key_revoke(f.c, &operator_, key.id), PERMISSION);
    check_ok(control_api_key_revoke(f.c, &own, key.id));
    control_fixture_close(&f);
}

static ks_rc try_create(struct control_fixture *f, struct caller by, struct api_key wish)
{
    struct api_key key;
    char secret[API_SECRET_TEXT_BYTES];

    return control_api_key_create(f->c, &by, &wish, &key, secret);
}

static void create__wider_than_the_own_scope__refused(void **state)
{
    struct control_fixture f;

    (void)state;
    control_fixture_open(&f);
    struct organisation a = make_organisation(&f, "a"), b = make_organisation(&f, "b");
    put_cluster(&f, 1, a.id);
    put_cluster(&f, 2, b.id);
    struct id_text of_a = id_of("0c", 1), of_b = id_of("0c", 2);
    struct caller own = caller_of(a.id, ""), narrow = caller_of(a.id, of_a.text),
                  platform = caller_of("", ""), operator_ = own;
    operator_.role = ROLE_OPERATOR;
    check_ok(try_create(&f, own, key_wish(a.id, "", ROLE_ADMIN)));
    check_ok(try_create(&f, own, key_wish(a.id, of_a.text, ROLE_ADMIN)));
    check_ok(try_create(&f, narrow, key_wish(a.id, of_a.text, ROLE_VIEWER)));
    check_rc(try_create(&f, narrow, key_wish(a.id, "", ROLE_VIEWER)), PERMISSION);
    check_rc(try_create(&f, own, key_wish(b.id, "", ROLE_VIEWER)), NOT_FOUND);
    check_rc(try_create(&f, own, key_wish(a.id, of_b.text, ROLE_VIEWER)), NOT_FOUND);
    check_rc(try_create(&f, own, key_wish("", "", ROLE_VIEWER)), NOT_FOUND);
    check_rc(try_create(&f, own, key_wish("", of_a.text, ROLE_VIEWER)), USAGE);
    check_rc(try_create(&f, operator_, key_wish(a.id, "", ROLE_VIEWER)), PERMISSION);
    check_rc(try_create(&f, platform, key_wish(a.id, of_a.text, ROLE_VIEWER)), NOT_FOUND);
    check_rc(try_create(&f, platform, key_wish(ORGANISATION, "", ROLE_VIEWER)), NOT_FOUND);
    control_fixture_close(&f);
}

static size_t count_keys(struct control_fixture *f, struct caller by, uint32_t at_a_time)
{
    struct slice slice = {.count_max = at_a_time, .is_descending = at_a_time % 2 == 0};
    struct api_key *keys;
    size_t count, all = 0;

    do {
        check_ok(control_api_key_list(f->c, &by, &slice, &keys, &count));
        all += count;
        mem_free(keys);
    } while (slice.after[0]);
    return all;
}

static void list__each_scope__its_own_keys(void **state)
{
    struct control_fixture f;

    (void)state;
    control_fixture_open(&f);
    struct organisation a = make_organisation(&f, "a"), b = make_organisation(&f, "b");
    put_cluster(&f, 1, a.id);
    struct id_text cluster = id_of("0c", 1);
    struct caller own = caller_of(a.id, ""), platform = caller_of("", "");
    check_ok(try_create(&f, platform, key_wish("", "", ROLE_ADMIN)));
    check_ok(try_create(&f, platform, key_wish(a.id, "", ROLE_ADMIN)));
    check_ok(try_create(&f, platform, key_wish(b.id, "", ROLE_ADMIN)));
    check_ok(try_create(&f, own, key_wish(a.id, cluster.text, ROLE_ADMIN)));
    for (uint32_t at_a_time = 1; at_a_time <= 4; at_a_time++) {
        assert_int_equal(count_keys(&f, platform, at_a_time), 3);
        assert_int_equal(count_keys(&f, own, at_a_time), 2);
        assert_int_equal(count_keys(&f, caller_of(a.id, cluster.text), at_a_time), 1);
        assert_int_equal(count_keys(&f, caller_of(b.id, ""), at_a_time), 1);
    }
    control_fixture_close(&f);
}

static int64_t last_used(struct control_fixture *f, const char *id)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;
    struct store_api_key row;

    check_ok(store_view_begin(f->c->store, &v));
    check_ok(store_api_key_get(v, id, &row));
    return row.key.last_used;
}

static void last_used__stored_later_to_the_minute(void **state)
{
    struct control_fixture f;
    struct caller platform = caller_of("", ""), got;
    char secret[API_SECRET_TEXT_BYTES];

    (void)state;
    control_fixture_open(&f);
    struct api_key key = make_key(&f, &platform, "", secret);
    f.store.clock.now_ms = 100000;
    check_ok(key_uses_store(f.c, false)); /* nothing yet */
    check_ok(control_authenticate(f.c, secret, &got));
    assert_int_equal(last_used(&f, key.id), 0);
    check_ok(key_uses_store(f.c, false));
    assert_int_equal(last_used(&f, key.id), 960); /* 1000 s, to the minute */
    f.store.clock.now_s = 1100;
    check_ok(control_authenticate(f.c, secret, &got));
    check_ok(key_uses_store(f.c, false)); /* too early */
    assert_int_equal(last_used(&f, key.id), 960);
    check_ok(key_uses_store(f.c, true));
    assert_int_equal(last_used(&f, key.id), 1080);
    control_fixture_close(&f);
}

static void key_uses__more_than_there_is_room_for__the_rest_is_forgotten(void **state)
{
    struct control_fixture f;

    (void)state;
    control_fixture_open(&f);
    for (unsigned i = 0; i < 3000; i++) {
        char id[ID_BYTES];
        check_ok(store_id(f.c->store, id));
        key_uses_note(f.c->uses, id, 60);
    }
    check_ok(key_uses_store(f.c, true));
    control_fixture_close(&f);
}

static ks_rc no_random(struct random *r, void *out, size_t len)
{
    (void)r, (void)out, (void)len;
    return ks_fail(KS_E_IO, "no random bytes");
}

static void create__no_random_bytes__fails(void **state)
{
    struct control_fixture f;
    struct random none = {no_random};
    struct caller platform = caller_of("", "");

    (void)state;
    control_fixture_open(&f);
    f.c->random = &none;
    check_rc(try_create(&f, platform, key_wish("", "", ROLE_ADMIN)), IO);
    assert_int_equal(count_keys(&f, platform, 5), 0);
    control_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(organisation_create__by_the_platform__seen_by_its_keys_only),
        cmocka_unit_test(organisation_create__bad_name_or_caller__refused),
        cmocka_unit_test(organisation_list__in_parts__each_once),
        cmocka_unit_test(organisation_list__by_an_organisation__itself),
        cmocka_unit_test(authenticate__right_secret__gives_the_keys_scope),
        cmocka_unit_test(authenticate__anything_wrong__the_same_refusal),
        cmocka_unit_test(authenticate__expired__refused_from_that_second_on),
        cmocka_unit_test(revoke__at_once_and_again__refused_and_fine),
        cmocka_unit_test(revoke__outside_the_scope__not_found),
        cmocka_unit_test(create__wider_than_the_own_scope__refused),
        cmocka_unit_test(list__each_scope__its_own_keys),
        cmocka_unit_test(last_used__stored_later_to_the_minute),
        cmocka_unit_test(key_uses__more_than_there_is_room_for__the_rest_is_forgotten),
        cmocka_unit_test(create__no_random_bytes__fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
