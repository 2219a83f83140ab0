/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what the writer writes the reader takes, to the byte; nothing else gets in. Each rule of
 * docs/FORMAT.md, section "Keyring", is broken on its own, each bit of a keyring is flipped, each
 * length is cut.
 */
#include "key_stub.h"

enum {
    AT_VERSION = 8,
    AT_SUITE = 10,
    AT_RESERVED_TIME = 48,
    AT_WRAPS = 256,
    AT_DATA_KEYS = 258,
    AT_RESERVED = 260,
};

static const uint8_t mac_bytes[32] = {1, 2, 3};
static const char *const two_uris[] = {"a", "b"};

static struct view mac_key(void)
{
    return view_of(mac_bytes, sizeof mac_bytes);
}

static struct keyring *sample(void)
{
    struct stub_service service;
    struct keyring *k = NULL;
    CLEANUP(keyset_freep) struct keyset *keys = NULL;

    stub_init(&service);
    check_ok(stub_keyring(&service, two_uris, 2, &k, &keys));
    return k;
}

static void sample_bytes(struct buf *ret)
{
    CLEANUP(keyring_freep) struct keyring *k = sample();

    check_ok(keyring_write(k, mac_key(), ret));
}

/* Puts the right sum back, so that what is behind it is tried. */
static void seal_sum(struct buf *b)
{
    check_ok(kdf_hash(view_of(b->bytes, b->len - 32), b->bytes + b->len - 32));
}

static void check_same(const struct keyring *a, const struct keyring *b)
{
    CLEANUP(buf_done) struct buf x = buf_init(KEYRING_BYTES_MAX);
    CLEANUP(buf_done) struct buf y = buf_init(KEYRING_BYTES_MAX);

    check_ok(keyring_write(a, mac_key(), &x));
    check_ok(keyring_write(b, mac_key(), &y));
    check_bytes(buf_view(&x), buf_view(&y));
}

static void parse__what_was_written__is_the_same(void **state)
{
    CLEANUP(keyring_freep) struct keyring *k = sample();
    CLEANUP(keyring_freep) struct keyring *back = NULL;
    CLEANUP(buf_done) struct buf b = buf_init(KEYRING_BYTES_MAX);
    struct keyring_data_key *d;

    (void)state;
    keyring_wrap_retire(&k->wraps[0], 1800000001);
    check_ok(keyring_add_data_key(k, &d));
    memset(d->wrapped, 3, sizeof d->wrapped);
    k->data_keys[0].state = DATA_KEY_DESTROYED;
    k->data_keys[0].destroyed_s = 1800000002;
    memset(k->data_keys[0].wrapped, 0, sizeof k->data_keys[0].wrapped);
    check_ok(keyring_write(k, mac_key(), &b));
    check_ok(keyring_parse(buf_view(&b), &back));
    check_same(k, back);
    assert_string_equal(back->label, "orders");
    assert_string_equal(back->wraps[1].spec.uri, "b");
    assert_int_equal(back->next_wrap_id, k->next_wrap_id);
    assert_int_equal(back->wraps[0].state, KEYRING_WRAP_RETIRED);
    check_ok(keyring_check_mac(buf_view(&b), mac_key()));
}

static void parse__biggest_keyring__fits(void **state)
{
    CLEANUP(keyring_freep) struct keyring *k = sample();
    CLEANUP(keyring_freep) struct keyring *back = NULL;
    CLEANUP(buf_done) struct buf b = buf_init(KEYRING_BYTES_MAX);
    struct keyring_data_key *d;
    struct keyring_wrap *w;

    (void)state;
    while (k->data_key_count < KEYRING_DATA_KEYS_MAX) {
        check_ok(keyring_add_data_key(k, &d));
        memset(d->wrapped, 3, sizeof d->wrapped);
    }
    while (k->wrap_count < KEYRING_WRAPS_MAX) {
        check_ok(keyring_add_wrap(k, &w));
        w->spec = stub_spec("x");
        memset(w->spec.uri, 'x', sizeof w->spec.uri - 1);
        w->store_key_id = 1;
        keyring_wrap_retire(w, 5);
    }
    check_ok(keyring_write(k, mac_key(), &b));
    check_ok(keyring_parse(buf_view(&b), &back));
    check_same(k, back);
}

static void parse__every_bit_flipped__is_refused(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(KEYRING_BYTES_MAX);
    struct keyring *k = NULL;

    (void)state;
    sample_bytes(&b);
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        b.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ks_rc rc = keyring_parse(buf_view(&b), &k);
        if (bit / 8 == AT_VERSION || bit / 8 == AT_VERSION + 1)
            assert_true(ks_is(rc, KS_E_NEWER_VERSION) || ks_is(rc, KS_E_FORMAT));
        else
            assert_int_equal(rc.cls, KS_CLASS_CORRUPT);
        assert_false(keyring_is_whole(buf_view(&b)));
        b.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_null(k);
}

/* With the sum put right, a flip is refused or changes a value and comes back as written. */
static void parse__every_bit_flipped_under_a_right_sum__is_refused_or_kept(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(KEYRING_BYTES_MAX);
    size_t taken = 0, refused = 0;

    (void)state;
    sample_bytes(&b);
    for (size_t bit = 0; bit < (b.len - 64) * 8; bit++) {
        CLEANUP(keyring_freep) struct keyring *k = NULL;
        CLEANUP(buf_done) struct buf again = buf_init(KEYRING_BYTES_MAX);

        b.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        seal_sum(&b);
        if (ks_ok(keyring_parse(buf_view(&b), &k))) {
            check_ok(keyring_write(k, mac_key(), &again));
            check_bytes(view_of(again.bytes, again.len - 64), view_of(b.bytes, b.len - 64));
            check_rc(keyring_check_mac(buf_view(&b), mac_key()), AUTH);
            taken++;
        } else {
            refused++;
        }
        b.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(taken > 0 && refused > 0);
}

static void parse__every_length__is_refused(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(KEYRING_BYTES_MAX);
    struct keyring *k = NULL;

    (void)state;
    sample_bytes(&b);
    for (size_t len = 0; len < b.len; len++) {
        CLEANUP(buf_done) struct buf cut = buf_init(KEYRING_BYTES_MAX);

        check_class(keyring_parse(view_of(b.bytes, len), &k), CORRUPT);
        if (len < 80)
            continue;
        check_ok(buf_append(&cut, view_of(b.bytes, len)));
        seal_sum(&cut);
        check_class(keyring_parse(buf_view(&cut), &k), CORRUPT);
    }
}

static void parse__too_long__is_limit_or_format(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(2 * KEYRING_BYTES_MAX);
    struct keyring *k = NULL;
    uint8_t *tail;

    (void)state;
    sample_bytes(&b);
    check_ok(buf_extend(&b, 1, &tail));
    seal_sum(&b);
    check_rc(keyring_parse(buf_view(&b), &k), FORMAT);
    check_ok(buf_extend(&b, KEYRING_BYTES_MAX, &tail));
    check_rc(keyring_parse(buf_view(&b), &k), LIMIT);
}

static void parse__newer_version__names_both_numbers_and_the_way_out(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(KEYRING_BYTES_MAX);
    struct keyring *k = NULL;

    (void)state;
    sample_bytes(&b);
    b.bytes[AT_VERSION] = 7; /* the sum is wrong now, and that is not what must be told */
    ks_rc rc = keyring_parse(buf_view(&b), &k);
    check_rc(rc, NEWER_VERSION);
    check_text(rc, "version 7");
    check_text(rc, "up to 1");
    check_text(rc, "newer keystead");
}

static void refuse_at(size_t at, uint8_t value)
{
    CLEANUP(buf_done) struct buf b = buf_init(KEYRING_BYTES_MAX);
    CLEANUP(keyring_freep) struct keyring *k = NULL;

    sample_bytes(&b);
    b.bytes[at] = value;
    seal_sum(&b);
    check_rc(keyring_parse(buf_view(&b), &k), FORMAT);
}

static void parse__counts_suite_and_reserved_bytes__are_checked(void **state)
{
    (void)state;
    refuse_at(0, 'X');
    refuse_at(AT_VERSION, 0);
    refuse_at(AT_SUITE, 2);
    refuse_at(AT_WRAPS, KEYRING_WRAPS_MAX + 1);
    refuse_at(AT_WRAPS, 0);
    refuse_at(AT_DATA_KEYS + 1, 0xff);
    refuse_at(AT_DATA_KEYS, 0);
    refuse_at(AT_RESERVED_TIME, 1);
    refuse_at(AT_RESERVED_TIME + 7, 1);
    refuse_at(AT_RESERVED, 1);
    refuse_at(AT_RESERVED + 23, 1);
}

/* One broken rule each; the writer must refuse, with the rule's name. */
struct breach {
    void (*commit)(struct keyring *);
    const char *part;
};

#define BREACH(name, statement)                                                                    \
    static void name(struct keyring *k)                                                            \
    {                                                                                              \
        statement;                                                                                 \
    }

BREACH(suite, k->suite = 9)
BREACH(payload, k->block_payload = 4096)
BREACH(sequence, k->sequence = 0)
BREACH(store_id, k->store_key_id = 0)
BREACH(no_id, memset(k->volume_id, 0, sizeof k->volume_id))
BREACH(created_early, k->created_s = -1)
BREACH(created_late, k->created_s = INT64_C(253402300800))
BREACH(label_control, k->label[0] = 0x1b)
BREACH(label_cut_utf8, snprintf(k->label, sizeof k->label, "\xc3"))
BREACH(label_c1, snprintf(k->label, sizeof k->label, "\xc2\x9b"))
BREACH(label_overlong, snprintf(k->label, sizeof k->label, "\xe0\x80\xaf"))
BREACH(label_surrogate, snprintf(k->label, sizeof k->label, "\xed\xa0\x80"))
BREACH(region_latin1, snprintf(k->region, sizeof k->region, "\xe4"))
BREACH(settings, k->settings.probe_ms = 1)
BREACH(wrap_state, k->wraps[0].state = (enum keyring_wrap_state)3)
BREACH(wrap_type, k->wraps[0].spec.type[0] = 's')
BREACH(wrap_no_type, k->wraps[0].spec.type[0] = 0)
BREACH(wrap_no_uri, k->wraps[0].spec.uri[0] = 0)
BREACH(wrap_version, k->wraps[0].key_version[0] = '\n')
BREACH(wrap_time, k->wraps[0].created_s = -5)
BREACH(wrap_active_retired, k->wraps[0].retired_s = 5)
BREACH(wrap_store, k->wraps[0].store_key_id = 2)
BREACH(wrap_old_store, k->store_key_id = 2)
BREACH(wrap_no_blob, k->wraps[0].blob_len = 0)
BREACH(wrap_no_canary, k->wraps[0].canary_len = 0)
BREACH(wrap_long_blob, k->wraps[0].blob_len = KEY_BLOB_MAX + 1)
BREACH(wrap_retired_blob, k->wraps[0].state = KEYRING_WRAP_RETIRED)
BREACH(wrap_retired_canary, keyring_wrap_retire(&k->wraps[0], 5); k->wraps[0].canary_hash[0] = 1)
BREACH(wrap_order, k->wraps[1].id = 1)
BREACH(wrap_zero, k->wraps[0].id = 0)
BREACH(wrap_next, k->next_wrap_id = 2)
BREACH(wrap_none, keyring_wrap_retire(&k->wraps[0], 5); keyring_wrap_retire(&k->wraps[1], 5))
BREACH(data_none, k->data_key_count = 0)
BREACH(data_not_newest, k->data_keys[0].state = DATA_KEY_OLDER)
BREACH(data_zero, k->data_keys[0].generation = 0)
BREACH(data_time, k->data_keys[0].created_s = -1)
BREACH(data_destroyed_time, k->data_keys[0].destroyed_s = 1)
BREACH(data_no_key, memset(k->data_keys[0].wrapped, 0, sizeof k->data_keys[0].wrapped))

static const struct breach breaches[] = {
    {suite, "suite"},
    {payload, "block size"},
    {sequence, "zero"},
    {store_id, "zero"},
    {no_id, "volume id"},
    {created_early, "time"},
    {created_late, "time"},
    {label_control, "UTF-8"},
    {label_cut_utf8, "UTF-8"},
    {label_c1, "UTF-8"},
    {label_overlong, "UTF-8"},
    {label_surrogate, "UTF-8"},
    {region_latin1, "UTF-8"},
    {settings, "settings"},
    {wrap_state, "state"},
    {wrap_type, "proper key"},
    {wrap_no_type, "proper key"},
    {wrap_no_uri, "proper key"},
    {wrap_version, "proper key"},
    {wrap_time, "time"},
    {wrap_active_retired, "time"},
    {wrap_store, "unknown store key"},
    {wrap_old_store, "older store key"},
    {wrap_no_blob, "ciphertext"},
    {wrap_no_canary, "ciphertext"},
    {wrap_long_blob, "too long"},
    {wrap_retired_blob, "ciphertext"},
    {wrap_retired_canary, "canary"},
    {wrap_order, "ascending"},
    {wrap_zero, "ascending"},
    {wrap_next, "next wrap"},
    {wrap_none, "no active wrap"},
    {data_none, "too few"},
    {data_not_newest, "newest"},
    {data_zero, "ascending"},
    {data_time, "time"},
    {data_destroyed_time, "destruction"},
    {data_no_key, "too few"},
};

static void write__each_rule_broken__is_refused_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof breaches / sizeof breaches[0]; i++) {
        CLEANUP(keyring_freep) struct keyring *k = sample();
        CLEANUP(buf_done) struct buf b = buf_init(KEYRING_BYTES_MAX);

        breaches[i].commit(k);
        ks_rc rc = keyring_write(k, mac_key(), &b);
        check_rc(rc, USAGE);
        check_text(rc, breaches[i].part);
        assert_int_equal(b.len, 0);
    }
}

static void write__too_many_active_wraps__is_refused(void **state)
{
    CLEANUP(keyring_freep) struct keyring *k = sample();
    CLEANUP(buf_done) struct buf b = buf_init(KEYRING_BYTES_MAX);
    struct keyring_wrap *w;

    (void)state;
    while (keyring_active_count(k) <= KEYRING_ACTIVE_MAX)
        check_ok(keyring_add_wrap(k, &w));
    check_rc(keyring_write(k, mac_key(), &b), USAGE);
}

static void write__texts_in_other_scripts__are_kept(void **state)
{
    CLEANUP(keyring_freep) struct keyring *k = sample();
    CLEANUP(keyring_freep) struct keyring *back = NULL;
    CLEANUP(buf_done) struct buf b = buf_init(KEYRING_BYTES_MAX);
    const char *text = "Gr\xc3\xbc\xc3\x9f"
                       "e \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x94\x91";

    (void)state;
    snprintf(k->label, sizeof k->label, "%s", text);
    check_ok(keyring_write(k, mac_key(), &b));
    check_ok(keyring_parse(buf_view(&b), &back));
    assert_string_equal(back->label, text);
}

static void check_mac__another_key_or_short_input__is_refused(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(KEYRING_BYTES_MAX);
    static const uint8_t other[32] = {9};

    (void)state;
    sample_bytes(&b);
    check_rc(keyring_check_mac(buf_view(&b), view_of(other, 32)), AUTH);
    check_rc(keyring_check_mac(view_of(b.bytes, 64), mac_key()), FORMAT);
}

static int setup(void **state)
{
    (void)state;
    return ks_ok(secret_init()) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__what_was_written__is_the_same),
        cmocka_unit_test(parse__biggest_keyring__fits),
        cmocka_unit_test(parse__every_bit_flipped__is_refused),
        cmocka_unit_test(parse__every_bit_flipped_under_a_right_sum__is_refused_or_kept),
        cmocka_unit_test(parse__every_length__is_refused),
        cmocka_unit_test(parse__too_long__is_limit_or_format),
        cmocka_unit_test(parse__newer_version__names_both_numbers_and_the_way_out),
        cmocka_unit_test(parse__counts_suite_and_reserved_bytes__are_checked),
        cmocka_unit_test(write__each_rule_broken__is_refused_by_name),
        cmocka_unit_test(write__too_many_active_wraps__is_refused),
        cmocka_unit_test(write__texts_in_other_scripts__are_kept),
        cmocka_unit_test(check_mac__another_key_or_short_input__is_refused),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
