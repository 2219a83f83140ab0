/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the two records of a file key store come back as they were written, and what
 * cannot be one is refused with the reason.
 */
#include "kms/file_record.h"

#include "base/codec.h"
#include "base/mem.h"
#include "check.h"

static const uint8_t mac_key_bytes[32] = {1, 2, 3};
static const struct view mac_key = {mac_key_bytes, sizeof mac_key_bytes};

static struct file_root sample_root(void)
{
    struct file_root r = {.kdf = FILE_KDF_PASSPHRASE,
                          .created_s = 1800000000,
                          .cost = {3, 256 << 20},
                          .commitment = {9}};

    memset(r.id, 1, sizeof r.id);
    memset(r.salt, 2, sizeof r.salt);
    return r;
}

static struct file_record *sample_record(uint32_t versions)
{
    struct file_record *r;
    struct file_version *v;

    check_ok(mem_new(1, sizeof *r, &r));
    memcpy(r->name, "orders", 7);
    memset(r->id, 5, sizeof r->id);
    r->state = FILE_KEY_ENABLED;
    r->created_s = 1;
    r->changed_s = 2;
    for (uint32_t i = 0; i < versions; i++) {
        check_ok(file_record_add(r, &v));
        v->created_s = i;
        memset(v->wrapped, (int)(i % 255) + 1, sizeof v->wrapped);
    }
    return r;
}

static void root__written_and_read__equal(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(FILE_ROOT_MAX), again = buf_init(FILE_ROOT_MAX);
    struct file_root in = sample_root(), out;

    (void)state;
    check_ok(file_root_write(&in, &b));
    check_ok(file_root_parse(buf_view(&b), &out));
    assert_int_equal(out.kdf, in.kdf);
    assert_int_equal(out.created_s, in.created_s);
    assert_int_equal(out.cost.mem_bytes, in.cost.mem_bytes);
    check_ok(file_root_write(&out, &again));
    check_bytes(buf_view(&again), buf_view(&b));
}

/* Writes r and mends nothing but the sum, so that only the field itself can be the reason. */
static ks_rc parse_as(const struct file_root *r)
{
    CLEANUP(buf_done) struct buf b = buf_init(FILE_ROOT_MAX);
    struct file_root out;

    check_ok(file_root_write(r, &b));
    return file_root_parse(buf_view(&b), &out);
}

static void root__fields_out_of_bounds__format(void **state)
{
    struct file_root r = sample_root();

    (void)state;
    check_ok(parse_as(&r));
    r.cost.mem_bytes = PWHASH_MEM_MAX + 1; /* would eat the host's memory */
    check_rc(parse_as(&r), FORMAT);
    r = sample_root();
    r.cost.ops = PWHASH_OPS_MAX + 1;
    check_rc(parse_as(&r), FORMAT);
    r = sample_root();
    r.kdf = (enum file_kdf)3;
    check_rc(parse_as(&r), FORMAT);
    r.kdf = FILE_KDF_KEY_FILE; /* which has no cost */
    check_rc(parse_as(&r), FORMAT);
    r.cost = (struct pwhash_cost){0, 0};
    check_ok(parse_as(&r));
}

static void root__cut_or_longer__format(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(FILE_ROOT_MAX);
    struct file_root in = sample_root(), out = in;

    (void)state;
    check_ok(file_root_write(&in, &b));
    for (size_t len = 0; len < b.len; len++)
        check_rc(file_root_parse(view_of(b.bytes, len), &out), FORMAT);
    check_ok(buf_append(&b, view_text("x")));
    check_rc(file_root_parse(buf_view(&b), &out), FORMAT);
}

static void root__version_two__newer_version(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(FILE_ROOT_MAX);
    struct file_root in = sample_root(), out;

    (void)state;
    check_ok(file_root_write(&in, &b));
    put_u16(b.bytes + 4, 2);
    check_rc(file_root_parse(buf_view(&b), &out), NEWER_VERSION);
    put_u16(b.bytes + 4, 0);
    check_rc(file_root_parse(buf_view(&b), &out), FORMAT);
}

static void root_commit__any_field__changes_it(void **state)
{
    struct file_root r = sample_root();
    uint8_t base[32], other[32];

    (void)state;
    check_ok(file_root_commit(&r, mac_key, base));
    r.commitment[0]++; /* is not part of itself */
    check_ok(file_root_commit(&r, mac_key, other));
    assert_memory_equal(base, other, 32);
    r.cost.ops++;
    check_ok(file_root_commit(&r, mac_key, other));
    assert_memory_not_equal(base, other, 32);
    r = sample_root();
    r.salt[15]++;
    check_ok(file_root_commit(&r, mac_key, other));
    assert_memory_not_equal(base, other, 32);
}

static void record__written_and_read__equal(void **state)
{
    static const uint32_t counts[] = {1, 2, FILE_STORE_VERSIONS_MAX};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        CLEANUP(buf_done)
        struct buf b = buf_init(FILE_RECORD_MAX), again = buf_init(FILE_RECORD_MAX);
        CLEANUP(file_record_freep) struct file_record *in = sample_record(counts[i]), *out = NULL;

        check_ok(file_record_write(in, mac_key, &b));
        check_ok(file_record_check_mac(buf_view(&b), mac_key));
        check_ok(file_record_parse(buf_view(&b), &out));
        assert_int_equal(out->version_count, counts[i]);
        assert_string_equal(out->name, "orders");
        check_ok(file_record_write(out, mac_key, &again));
        check_bytes(buf_view(&again), buf_view(&b));
    }
}

static void record__other_mac_key_or_too_short__refused(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(FILE_RECORD_MAX);
    CLEANUP(file_record_freep) struct file_record *in = sample_record(1);

    (void)state;
    check_ok(file_record_write(in, mac_key, &b));
    check_rc(file_record_check_mac(buf_view(&b), view_text("another key")), AUTH);
    check_rc(file_record_check_mac(view_of(b.bytes, 31), mac_key), FORMAT);
}

static void record__too_many_versions__limit(void **state)
{
    CLEANUP(file_record_freep) struct file_record *r = sample_record(FILE_STORE_VERSIONS_MAX);
    struct file_version *v = NULL;

    (void)state;
    check_rc(file_record_add(r, &v), LIMIT);
    assert_null(v);
}

static ks_rc parse_record_as(const struct file_record *r)
{
    CLEANUP(buf_done) struct buf b = buf_init(FILE_RECORD_MAX);
    CLEANUP(file_record_freep) struct file_record *out = NULL;

    check_ok(file_record_write(r, mac_key, &b));
    ks_rc rc = file_record_parse(buf_view(&b), &out);
    assert_true(ks_ok(rc) == (out != NULL));
    return rc;
}

static void record__contradictions__format(void **state)
{
    CLEANUP(file_record_freep) struct file_record *r = sample_record(2);

    (void)state;
    check_ok(parse_record_as(r));
    r->deletion_s = 5; /* without being pending */
    check_rc(parse_record_as(r), FORMAT);
    r->state = FILE_KEY_PENDING_DELETION;
    check_ok(parse_record_as(r));
    r->deletion_s = 0;
    check_rc(parse_record_as(r), FORMAT);
    r->state = FILE_KEY_DESTROYED; /* with material */
    check_rc(parse_record_as(r), FORMAT);
    memset(r->versions[0].wrapped, 0, FILE_WRAPPED_BYTES);
    check_rc(parse_record_as(r), FORMAT);
    memset(r->versions[1].wrapped, 0, FILE_WRAPPED_BYTES);
    check_ok(parse_record_as(r));
    r->state = FILE_KEY_ENABLED; /* without material */
    check_rc(parse_record_as(r), FORMAT);
}

static void record__unknown_state_or_name_or_no_version__format(void **state)
{
    CLEANUP(file_record_freep) struct file_record *r = sample_record(1);

    (void)state;
    r->state = (enum file_key_state)5;
    check_rc(parse_record_as(r), FORMAT);
    r->state = (enum file_key_state)0;
    check_rc(parse_record_as(r), FORMAT);
    r->state = FILE_KEY_ENABLED;
    memcpy(r->name, "../x", 5);
    check_rc(parse_record_as(r), FORMAT);
    memcpy(r->name, "x", 2);
    r->version_count = 0;
    check_rc(parse_record_as(r), FORMAT);
}

/* A count that promises more than the bytes hold must not be believed. */
static void record__cut_anywhere__format(void **state)
{
    CLEANUP(buf_done) struct buf b = buf_init(FILE_RECORD_MAX);
    CLEANUP(file_record_freep) struct file_record *in = sample_record(3), *out = NULL;

    (void)state;
    check_ok(file_record_write(in, mac_key, &b));
    for (size_t len = 0; len < b.len; len++)
        check_rc(file_record_parse(view_of(b.bytes, len), &out), FORMAT);
    check_ok(buf_append(&b, view_text("x")));
    check_rc(file_record_parse(buf_view(&b), &out), FORMAT);
    assert_null(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root__written_and_read__equal),
        cmocka_unit_test(root__fields_out_of_bounds__format),
        cmocka_unit_test(root__cut_or_longer__format),
        cmocka_unit_test(root__version_two__newer_version),
        cmocka_unit_test(root_commit__any_field__changes_it),
        cmocka_unit_test(record__written_and_read__equal),
        cmocka_unit_test(record__other_mac_key_or_too_short__refused),
        cmocka_unit_test(record__too_many_versions__limit),
        cmocka_unit_test(record__contradictions__format),
        cmocka_unit_test(record__unknown_state_or_name_or_no_version__format),
        cmocka_unit_test(record__cut_anywhere__format),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
