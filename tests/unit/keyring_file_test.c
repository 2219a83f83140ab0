/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: one whole copy of the keyring is enough, the newer one wins, a forged one is told by its MAC
 * and does not replace a good one, a newer format is never undone, and two processes never hold
 * one keyring.
 */
#include "key_stub.h"

#include "io/atomic_file.h"
#include "key/keyring_file.h"

static const uint8_t mac_bytes[32] = {4, 5, 6};
static const char *const one_uri[] = {"a"};

struct world {
    struct test_dir dir;
    struct keyring *k;
    struct keyset *keys;
    struct keyring_file *file;
};

static struct view mac_key(void)
{
    return view_of(mac_bytes, sizeof mac_bytes);
}

static int begin(void **state)
{
    static struct world w;
    struct stub_service service;

    memset(&w, 0, sizeof w);
    stub_init(&service);
    check_ok(secret_init());
    dir_begin(&w.dir);
    check_ok(stub_keyring(&service, one_uri, 1, &w.k, &w.keys));
    check_ok(keyring_file_create(w.dir.io, w.dir.node, w.k, mac_key(), &w.file));
    *state = &w;
    return 0;
}

static int end(void **state)
{
    struct world *w = *state;

    keyring_file_close(w->file);
    keyset_free(w->keys);
    keyring_free(w->k);
    dir_end(&w->dir);
    return 0;
}

static void close_file(struct world *w)
{
    keyring_file_close(w->file);
    w->file = NULL;
}

static ks_rc reopen(struct world *w, bool is_exclusive)
{
    close_file(w);
    return keyring_file_open(w->dir.io, w->dir.node, is_exclusive, &w->file);
}

static void replace_with_label(struct world *w, const char *label)
{
    snprintf(w->k->label, sizeof w->k->label, "%s", label);
    check_ok(keyring_file_replace(w->file, w->k, mac_key()));
}

static bool has_same_copies(struct world *w)
{
    CLEANUP(buf_done) struct buf a = buf_init(1 << 20);
    CLEANUP(buf_done) struct buf b = buf_init(1 << 20);

    file_get(&w->dir, "keyring.0", &a);
    file_get(&w->dir, "keyring.1", &b);
    return view_is_equal(buf_view(&a), buf_view(&b));
}

/* Writes k as a copy by hand: with another sequence and another key, as an attacker or a crash would. */
static void put_copy(struct world *w, const char *name, uint64_t sequence, const char *label,
                     struct view key)
{
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    CLEANUP(buf_done) struct buf b = buf_init(KEYRING_BYTES_MAX);

    check_ok(keyring_copy(w->k, &k));
    k->sequence = sequence;
    snprintf(k->label, sizeof k->label, "%s", label);
    check_ok(keyring_write(k, key, &b));
    file_put(&w->dir, name, buf_view(&b));
}

static void check_current(struct world *w, uint64_t sequence, const char *label)
{
    assert_int_equal(keyring_file_current(w->file)->sequence, sequence);
    assert_string_equal(keyring_file_current(w->file)->label, label);
}

static void create__both_copies_are_there_and_open(void **state)
{
    struct world *w = *state;
    bool fell_back = true;

    assert_true(has_same_copies(w));
    check_ok(reopen(w, true));
    check_current(w, 1, "orders");
    check_ok(keyring_file_authenticate(w->file, mac_key(), &fell_back));
    assert_false(fell_back);
}

static void create__where_one_is__is_exists(void **state)
{
    struct world *w = *state;
    struct keyring_file *f = NULL;
    char path[160];

    close_file(w);
    check_rc(keyring_file_create(w->dir.io, w->dir.node, w->k, mac_key(), &f), EXISTS);
    snprintf(path, sizeof path, "%s/keyring.0", w->dir.path);
    assert_int_equal(unlink(path), 0);
    check_rc(keyring_file_create(w->dir.io, w->dir.node, w->k, mac_key(), &f), EXISTS);
    assert_null(f);
}

static void open__locked_by_another__is_busy_with_the_way_out(void **state)
{
    struct world *w = *state;
    struct keyring_file *f = NULL;

    ks_rc rc = keyring_file_open(w->dir.io, w->dir.node, true, &f);
    check_rc(rc, BUSY);
    check_text(rc, "keystead volume unmount");
    check_rc(keyring_file_create(w->dir.io, w->dir.node, w->k, mac_key(), &f), BUSY);
    assert_null(f);
    check_ok(keyring_file_open(w->dir.io, w->dir.node, false, &f)); /* reading needs no lock */
    keyring_file_close(f);
}

static void open__empty_directory__is_not_found(void **state)
{
    struct world *w = *state;

    close_file(w);
    dir_empty(w->dir.path);
    check_rc(reopen(w, false), NOT_FOUND);
    check_rc(reopen(w, true), NOT_FOUND);
}

static void open__one_copy_damaged_or_missing__uses_the_other_and_mends(void **state)
{
    static const char *const names[] = {"keyring.0", "keyring.1"};
    struct world *w = *state;
    bool fell_back;

    for (int i = 0; i < 4; i++) {
        file_flip(&w->dir, names[i % 2], 40 + 100 * (size_t)i);
        if (i >= 2)
            file_put(&w->dir, names[i % 2], view_of(NULL, 0));
        check_ok(reopen(w, true));
        check_current(w, 1, "orders");
        assert_false(has_same_copies(w));
        check_rc(keyring_file_mend(w->file), STATE); /* not before it is authentic */
        check_ok(keyring_file_authenticate(w->file, mac_key(), &fell_back));
        check_ok(keyring_file_mend(w->file));
        assert_true(has_same_copies(w));
    }
}

static void open__both_copies_damaged__is_corrupt_and_names_both(void **state)
{
    struct world *w = *state;

    file_flip(&w->dir, "keyring.0", 50);
    file_flip(&w->dir, "keyring.1", 500);
    ks_rc rc = reopen(w, true);
    check_rc(rc, CORRUPT);
    check_text(rc, "keyring.0");
    check_text(rc, "keyring.1");
    check_text(rc, "backup");
}

static void open__crash_between_the_copies__newer_wins(void **state)
{
    struct world *w = *state;

    put_copy(w, "keyring.0", 2, "newer", mac_key());
    check_ok(reopen(w, true));
    check_current(w, 2, "newer");
    put_copy(w, "keyring.1", 3, "newest", mac_key());
    check_ok(reopen(w, true));
    check_current(w, 3, "newest");
}

static void open__one_copy_is_of_a_newer_version__is_not_undone(void **state)
{
    struct world *w = *state;
    CLEANUP(buf_done) struct buf b = buf_init(1 << 20);

    file_get(&w->dir, "keyring.0", &b);
    b.bytes[8] = 2;
    check_ok(kdf_hash(view_of(b.bytes, b.len - 32), b.bytes + b.len - 32));
    file_put(&w->dir, "keyring.0", buf_view(&b));
    check_rc(reopen(w, true), NEWER_VERSION);
    check_rc(reopen(w, false), NEWER_VERSION);
}

static void open__version_field_damaged__is_damage(void **state)
{
    struct world *w = *state;

    file_flip(&w->dir, "keyring.1", 8);
    check_ok(reopen(w, true));
    check_current(w, 1, "orders");
}

static void open__copy_too_large__is_damage(void **state)
{
    struct world *w = *state;
    char path[160];

    snprintf(path, sizeof path, "%s/keyring.0", w->dir.path);
    assert_int_equal(truncate(path, KEYRING_BYTES_MAX + 1), 0);
    check_ok(reopen(w, true));
    check_current(w, 1, "orders");
}

static void replace__writes_both_copies_and_counts(void **state)
{
    struct world *w = *state;

    replace_with_label(w, "two");
    check_current(w, 2, "two");
    assert_true(has_same_copies(w));
    replace_with_label(w, "three");
    check_ok(reopen(w, true));
    check_current(w, 3, "three");
}

static void replace__keyring_that_breaks_a_rule__changes_nothing(void **state)
{
    struct world *w = *state;

    w->k->suite = 5;
    check_rc(keyring_file_replace(w->file, w->k, mac_key()), USAGE);
    check_current(w, 1, "orders");
    check_ok(reopen(w, true));
    check_current(w, 1, "orders");
}

static void replace__without_lock_or_authentication__is_state(void **state)
{
    struct world *w = *state;

    check_ok(reopen(w, true));
    check_rc(keyring_file_replace(w->file, w->k, mac_key()), STATE);
    check_ok(reopen(w, false));
    check_rc(keyring_file_replace(w->file, w->k, mac_key()), STATE);
    check_rc(keyring_file_mend(w->file), STATE);
}

static void authenticate__newest_is_forged__falls_back_and_mends(void **state)
{
    static const uint8_t forger[32] = {66};
    struct world *w = *state;
    bool fell_back = false;

    put_copy(w, "keyring.1", UINT64_MAX, "forged", view_of(forger, 32));
    check_ok(reopen(w, true));
    check_current(w, UINT64_MAX, "forged");
    check_ok(keyring_file_authenticate(w->file, mac_key(), &fell_back));
    assert_true(fell_back);
    check_current(w, 1, "orders");
    replace_with_label(w, "after");
    check_current(w, 2, "after");
    assert_true(has_same_copies(w));
}

static void authenticate__both_forged__is_auth_and_writes_nothing(void **state)
{
    static const uint8_t forger[32] = {66};
    struct world *w = *state;
    bool fell_back = false;

    put_copy(w, "keyring.0", 8, "forged", view_of(forger, 32));
    put_copy(w, "keyring.1", 9, "forged too", view_of(forger, 32));
    check_ok(reopen(w, true));
    check_rc(keyring_file_authenticate(w->file, mac_key(), &fell_back), AUTH);
    assert_false(fell_back);
    check_rc(keyring_file_mend(w->file), STATE);
    check_current(w, 9, "forged too");
}

static void fall_back__without_another_copy__is_false(void **state)
{
    struct world *w = *state;

    check_ok(reopen(w, true));
    assert_false(keyring_file_fall_back(w->file));
    put_copy(w, "keyring.0", 2, "newer", mac_key());
    check_ok(reopen(w, true));
    assert_true(keyring_file_fall_back(w->file));
    check_current(w, 1, "orders");
    assert_true(keyring_file_fall_back(w->file));
    check_current(w, 2, "newer");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

/* One whose volume is another one takes the place of copy i. */
static void put_foreign(struct world *w, int i, uint64_t sequence)
{
    static const char *const names[] = {"keyring.0", "keyring.1"};
    CLEANUP(buf_done) struct buf bytes = buf_init(KEYRING_BYTES_MAX);
    CLEANUP(keyring_freep) struct keyring *foreign = NULL;

    check_ok(keyring_copy(w->k, &foreign));
    foreign->volume_id[0] ^= 1;
    foreign->sequence = sequence;
    check_ok(keyring_write(foreign, mac_key(), &bytes));
    check_ok(atomic_file_write(w->dir.io, w->dir.node, names[i], 0600, buf_view(&bytes)));
}

static void id_of(const struct keyring *k, char out[2 * KEYRING_ID_BYTES + 1])
{
    for (size_t i = 0; i < KEYRING_ID_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", k->volume_id[i]);
}

/* Newer or not, in either place: never used, also when the own one cannot be, and replaced. */
static void foreign_copy__kept_to_its_own__is_as_a_damaged_one(void **state)
{
    struct world *w = *state;
    static const uint8_t other_mac[32] = {7};
    char own[2 * KEYRING_ID_BYTES + 1];
    bool fell_back;

    id_of(w->k, own);
    for (int i = 0; i < 2; i++)
        for (uint64_t sequence = 1; sequence <= 9; sequence += 8) {
            put_foreign(w, i, sequence);
            check_ok(reopen(w, true));
            check_ok(keyring_file_keep_to(w->file, own));
            assert_string_equal(keyring_file_foreign(w->file), i ? "keyring.1" : "keyring.0");
            assert_string_equal(keyring_file_name(w->file), i ? "keyring.0" : "keyring.1");
            assert_memory_equal(keyring_file_current(w->file)->volume_id, w->k->volume_id,
                                KEYRING_ID_BYTES);
            assert_false(keyring_file_fall_back(w->file));
            check_rc(keyring_file_authenticate(w->file, view_of(other_mac, 32), &fell_back), AUTH);
            check_ok(keyring_file_authenticate(w->file, mac_key(), &fell_back));
            assert_false(fell_back || keyring_file_is_mended(w->file));
            check_ok(keyring_file_mend(w->file));
            check_ok(reopen(w, true));
            check_ok(keyring_file_keep_to(w->file, own));
            assert_null(keyring_file_foreign(w->file));
            assert_true(keyring_file_is_mended(w->file));
        }
}

static void foreign_copies__both__are_refused_with_both_ids(void **state)
{
    struct world *w = *state;
    char own[2 * KEYRING_ID_BYTES + 1], foreign[2 * KEYRING_ID_BYTES + 1];

    id_of(w->k, own);
    for (uint64_t sequence = 3; sequence < 5; sequence++) { /* the same, and differing ones */
        put_foreign(w, 0, 3);
        put_foreign(w, 1, sequence);
        check_ok(reopen(w, true));
        id_of(keyring_file_current(w->file), foreign);
        ks_rc rc = keyring_file_keep_to(w->file, own);
        check_rc(rc, FOREIGN);
        check_text(rc, own);
        check_text(rc, foreign);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(create__both_copies_are_there_and_open),
        TEST(create__where_one_is__is_exists),
        TEST(open__locked_by_another__is_busy_with_the_way_out),
        TEST(open__empty_directory__is_not_found),
        TEST(open__one_copy_damaged_or_missing__uses_the_other_and_mends),
        TEST(open__both_copies_damaged__is_corrupt_and_names_both),
        TEST(open__crash_between_the_copies__newer_wins),
        TEST(open__one_copy_is_of_a_newer_version__is_not_undone),
        TEST(open__version_field_damaged__is_damage),
        TEST(open__copy_too_large__is_damage),
        TEST(replace__writes_both_copies_and_counts),
        TEST(replace__keyring_that_breaks_a_rule__changes_nothing),
        TEST(replace__without_lock_or_authentication__is_state),
        TEST(authenticate__newest_is_forged__falls_back_and_mends),
        TEST(authenticate__both_forged__is_auth_and_writes_nothing),
        TEST(fall_back__without_another_copy__is_false),
        TEST(foreign_copy__kept_to_its_own__is_as_a_damaged_one),
        TEST(foreign_copies__both__are_refused_with_both_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
