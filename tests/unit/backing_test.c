/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a backing directory is made whole or not at all, each wrong directory is told by name and
 * with the way out, and probes, revokes and rotations do not wait for each other. A revoke is recorded without
 * any key, and whoever cannot find out about it is told so.
 */
#include "key_stub.h"

#include <pthread.h>

#include "io/crash.h"
#include "io/fault.h"
#include "kms/drv_fake.h"
#include "kms/file_store.h"
#include "volume/backing.h"

struct world {
    struct test_dir dir; /* the volume is made in dir/vol */
    char path[96];
    struct clock_manual clock;
    struct backing_conf conf;
    struct key_spec specs[2];
    struct backing_create create;
};

static struct key_spec fake_spec(const char *uri)
{
    struct key_spec spec = {"FAKE", "", ""};

    snprintf(spec.uri, sizeof spec.uri, "%s", uri);
    return spec;
}

static int begin(void **state)
{
    static struct world w;
    static const struct keyring_settings settings = {60000, 15000, 3600000, 0};

    memset(&w, 0, sizeof w);
    fake_reset();
    check_ok(secret_init());
    dir_begin(&w.dir);
    snprintf(w.path, sizeof w.path, "%s/vol", w.dir.path);
    clock_manual_init(&w.clock, 5000, 1900000000);
    w.conf = (struct backing_conf){
        .io = w.dir.io, .clock = &w.clock.clock, .random = random_system(), .path = w.path};
    w.specs[0] = fake_spec("k1");
    w.specs[1] = fake_spec("k2");
    w.create = (struct backing_create){.label = "orders",
                                       .block_payload = 3584,
                                       .settings = settings,
                                       .specs = w.specs,
                                       .spec_count = 2};
    *state = &w;
    return 0;
}

static int end(void **state)
{
    dir_end(&((struct world *)*state)->dir);
    return 0;
}

static void sub_path(const struct world *w, const char *name, char out[160])
{
    snprintf(out, 160, "%s/%s", w->path, name);
}

static void create_and_open(struct world *w, struct backing **b, struct keyset **keys)
{
    check_ok(backing_create(&w->conf, &w->create));
    check_ok(backing_open(&w->conf, true, b));
    check_ok(backing_unlock(*b, keys));
}

static void create__makes_everything_and_opens(void **state)
{
    struct world *w = *state;
    CLEANUP(backing_closep) struct backing *b = NULL;
    CLEANUP(keyset_freep) struct keyset *keys = NULL;
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    struct stat st;
    uint32_t id = 0;

    create_and_open(w, &b, &keys);
    check_ok(backing_keyring(b, &k));
    assert_string_equal(k->label, "orders");
    assert_int_equal(keyring_active_count(k), 2);
    check_ok(w->conf.io->ops->stat(w->conf.io, backing_tree(b), &st));
    assert_true(S_ISDIR(st.st_mode));
    check_ok(w->conf.io->ops->stat(w->conf.io, backing_long(b), &st));
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(stat(w->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_string_equal(backing_path(b), w->path);
    check_ok(backing_probe(b, &id));
    assert_int_equal(id, 1);
}

static void create__existing_empty_directory__is_taken(void **state)
{
    struct world *w = *state;

    assert_int_equal(mkdir(w->path, 0755), 0);
    check_ok(backing_create(&w->conf, &w->create));
}

static void create__where_a_volume_is__is_exists(void **state)
{
    struct world *w = *state;

    check_ok(backing_create(&w->conf, &w->create));
    uint64_t calls = fake_calls("k1");
    ks_rc rc = backing_create(&w->conf, &w->create);
    check_rc(rc, EXISTS);
    check_text(rc, w->path);
    assert_int_equal(fake_calls("k1"), calls); /* told before the key service was asked */
}

static void create__directory_with_something_else__is_not_empty(void **state)
{
    struct world *w = *state;
    char at[160];

    assert_int_equal(mkdir(w->path, 0755), 0);
    sub_path(w, "letters", at);
    assert_int_equal(mkdir(at, 0755), 0);
    ks_rc rc = backing_create(&w->conf, &w->create);
    check_rc(rc, NOT_EMPTY);
    check_text(rc, "letters");
    assert_int_equal(rmdir(at), 0);
    sub_path(w, "tree", at);
    assert_int_equal(mkdir(at, 0755), 0);
    sub_path(w, "tree/x", at);
    assert_int_equal(mkdir(at, 0755), 0);
    rc = backing_create(&w->conf, &w->create);
    check_rc(rc, NOT_EMPTY);
    check_text(rc, "tree/");
}

/* The same file system with another block size. */
static struct statvfs below;

static ks_rc statfs_below(struct io *io, struct io_node *dir, struct statvfs *ret)
{
    (void)io;
    (void)dir;
    *ret = below;
    return KS_SUCCESS;
}

static ks_rc create_on(struct world *w, unsigned long f_bsize, unsigned long f_frsize)
{
    struct io_ops ops = *w->conf.io->ops;
    struct io io = {&ops};
    struct backing_conf conf = w->conf;

    ops.statfs = statfs_below;
    below = (struct statvfs){.f_bsize = f_bsize, .f_frsize = f_frsize};
    conf.io = &io;
    return backing_create(&conf, &w->create);
}

static void create__blocks_that_are_no_pages__is_unsupported(void **state)
{
    static const unsigned long sizes[] = {512, 1024, 2048, 6144};
    struct world *w = *state;
    struct stat st;

    for (size_t n = 0; n < sizeof sizes / sizeof sizes[0]; n++) {
        ks_rc rc = create_on(w, sizes[n], sizes[n]);
        check_rc(rc, UNSUPPORTED);
        check_text(rc, w->path);
        check_text(rc, "mkfs.ext4 -b 4096");
        assert_int_equal(stat(w->path, &st), -1); /* nothing was made */
    }
    assert_int_equal(fake_calls("k1"), 0);
    assert_int_equal(mkdir(w->path, 0700), 0);
    check_rc(create_on(w, 1024, 1024), UNSUPPORTED);
}

/* tmpfs and xfs, btrfs with 64 KiB, ZFS, NFS, and one that says nothing. */
static void create__blocks_of_whole_pages__are_taken(void **state)
{
    static const unsigned long sizes[][2] = {
        {4096, 4096}, {65536, 65536}, {131072, 512}, {1048576, 1048576}, {0, 0}};
    struct world *w = *state;

    for (size_t n = 0; n < sizeof sizes / sizeof sizes[0]; n++) {
        CLEANUP(backing_closep) struct backing *b = NULL;
        CLEANUP(keyset_freep) struct keyset *keys = NULL;
        check_ok(create_on(w, sizes[n][0], sizes[n][1]));
        check_ok(backing_open(&w->conf, true, &b));
        check_ok(backing_unlock(b, &keys));
        check_ok(backing_remove(b));
    }
}

static void create__no_parent__is_not_found(void **state)
{
    struct world *w = *state;
    char path[160];

    sub_path(w, "deeper", path);
    w->conf.path = path;
    check_rc(backing_create(&w->conf, &w->create), NOT_FOUND);
    w->conf.path = "";
    check_class(backing_create(&w->conf, &w->create), USAGE);
}

static void create__key_service_refuses__leaves_nothing(void **state)
{
    static const enum fake_step deny[] = {FAKE_DISABLED};
    struct world *w = *state;
    struct stat st;

    fake_script("k2", deny, 1, true);
    check_rc(backing_create(&w->conf, &w->create), KEY_DISABLED);
    assert_int_equal(stat(w->path, &st), -1);
}

static void create__bad_values__are_usage(void **state)
{
    struct world *w = *state;
    struct backing_create create = w->create;
    char label[200];

    create.block_payload = 4096;
    check_rc(backing_create(&w->conf, &create), USAGE);
    create = w->create;
    create.settings.probe_ms = 1;
    check_rc(backing_create(&w->conf, &create), USAGE);
    create = w->create;
    create.spec_count = 0;
    check_rc(backing_create(&w->conf, &create), USAGE);
    create = w->create;
    create.label = "bad \x01 label";
    check_rc(backing_create(&w->conf, &create), USAGE);
    memset(label, 'x', sizeof label);
    label[sizeof label - 1] = 0;
    create.label = label;
    check_rc(backing_create(&w->conf, &create), USAGE);
}

static void open__no_directory_or_no_volume__is_not_found(void **state)
{
    struct world *w = *state;
    struct backing *b = NULL;

    ks_rc rc = backing_open(&w->conf, false, &b);
    check_rc(rc, NOT_FOUND);
    check_text(rc, w->path);
    assert_int_equal(mkdir(w->path, 0755), 0);
    rc = backing_open(&w->conf, false, &b);
    check_rc(rc, NOT_FOUND);
    check_text(rc, "keystead volume create");
    assert_null(b);
}

static void open__second_time_exclusively__is_busy(void **state)
{
    struct world *w = *state;
    CLEANUP(keyset_freep) struct keyset *newer = NULL;
    const uint32_t first = 1;
    CLEANUP(backing_closep) struct backing *b = NULL;
    CLEANUP(backing_closep) struct backing *reader = NULL;
    CLEANUP(keyset_freep) struct keyset *keys = NULL;
    struct backing *second = NULL;

    create_and_open(w, &b, &keys);
    ks_rc rc = backing_open(&w->conf, true, &second);
    check_rc(rc, BUSY);
    check_text(rc, w->path);
    check_text(rc, "keystead volume unmount");
    check_ok(backing_open(&w->conf, false, &reader));
    check_rc(backing_set_revoked(reader, true), STATE);
    check_rc(backing_remove_wrap(reader, keys, 1), STATE);
    check_rc(backing_destroy_data_keys(reader, keys, &first, 1, &newer), STATE);
    assert_null(newer);
    assert_null(second);
}

static void open__tree_is_missing__is_corrupt(void **state)
{
    struct world *w = *state;
    struct backing *b = NULL;
    char at[160];

    check_ok(backing_create(&w->conf, &w->create));
    sub_path(w, "tree", at);
    assert_int_equal(rmdir(at), 0);
    ks_rc rc = backing_open(&w->conf, true, &b);
    check_rc(rc, CORRUPT);
    check_text(rc, "tree/");
}

static void open__newer_version__names_the_volume(void **state)
{
    struct world *w = *state;
    struct backing *b = NULL;

    check_ok(backing_create(&w->conf, &w->create));
    for (int i = 0; i < 2; i++) {
        CLEANUP(buf_done) struct buf bytes = buf_init(1 << 20);
        const char *name = i ? "vol/keyring.1" : "vol/keyring.0";

        file_get(&w->dir, name, &bytes);
        bytes.bytes[8] = 2;
        file_put(&w->dir, name, buf_view(&bytes));
    }
    ks_rc rc = backing_open(&w->conf, true, &b);
    check_rc(rc, NEWER_VERSION);
    check_text(rc, w->path);
}

/* A keyring of another volume opens (it is whole), and its wraps tell by their context that a wrap was
 * moved into it. */
static void unlock__wrap_moved_from_another_volume__does_not_open(void **state)
{
    struct world *w = *state;
    CLEANUP(backing_closep) struct backing *b = NULL;
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    CLEANUP(buf_done) struct buf bytes = buf_init(KEYRING_BYTES_MAX);
    static const uint8_t forger[32] = {1};
    struct keyset *keys = NULL;

    check_ok(backing_create(&w->conf, &w->create));
    check_ok(backing_open(&w->conf, true, &b));
    check_ok(backing_keyring(b, &k));
    backing_close(TAKE(b));
    k->volume_id[0] ^= 1;
    check_ok(keyring_write(k, view_of(forger, 32), &bytes));
    file_put(&w->dir, "vol/keyring.0", buf_view(&bytes));
    file_put(&w->dir, "vol/keyring.1", buf_view(&bytes));
    check_ok(backing_open(&w->conf, true, &b));
    ks_rc rc = backing_unlock(b, &keys);
    check_class(rc, CORRUPT);
    check_text(rc, w->path);
    assert_null(keys);
}

static void changes__show_in_reports_and_after_reopening(void **state)
{
    struct world *w = *state;
    CLEANUP(backing_closep) struct backing *b = NULL;
    CLEANUP(keyset_freep) struct keyset *keys = NULL;
    CLEANUP(keyset_freep) struct keyset *newer = NULL;
    CLEANUP(keyset_freep) struct keyset *newest = NULL;
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    CLEANUP(keyset_freep) struct keyset *reduced = NULL;
    struct key_spec third = fake_spec("k3");
    struct keyring_settings settings = w->create.settings;
    const uint32_t first = 1;
    uint32_t id = 0;

    create_and_open(w, &b, &keys);
    assert_int_equal(backing_sequence(b), 1);
    check_ok(backing_rotate_cmek(b, keys, 1, NULL));
    assert_int_equal(backing_sequence(b), 2);
    check_ok(backing_rotate_data(b, keys, &newer));
    assert_int_equal(backing_sequence(b), 3);
    check_ok(backing_destroy_data_keys(b, newer, &first, 1, &reduced));
    assert_int_equal(backing_sequence(b), 4);
    check_ok(backing_rotate_store(b, reduced, &newest));
    assert_int_equal(backing_sequence(b), 5);
    check_ok(backing_add_wrap(b, newest, &third, &id));
    assert_int_equal(backing_sequence(b), 6);
    check_ok(backing_remove_wrap(b, newest, id));
    assert_int_equal(backing_sequence(b), 7);
    settings.grace_ms = 7;
    check_ok(backing_set_settings(b, newest, &settings));
    assert_int_equal(backing_sequence(b), 8);
    for (int i = 0; i < 2; i++) {
        keyring_free(TAKE(k));
        check_ok(backing_keyring(b, &k));
        assert_int_equal(k->sequence, 8);
        assert_int_equal(k->settings.grace_ms, 7);
        assert_int_equal(k->store_key_id, 2);
        assert_int_equal(k->data_key_count, 2);
        assert_int_equal(k->data_keys[0].state, DATA_KEY_DESTROYED);
        backing_close(TAKE(b));
        check_ok(backing_open(&w->conf, true, &b));
        assert_int_equal(backing_sequence(b), 0); /* nobody vouched for what was read */
    }
}

/* A directory is where the new contents of a copy are made. */
static void copy_cannot_be_written__is_named_until_it_is_mended(void **state)
{
    struct world *w = *state;
    CLEANUP(backing_closep) struct backing *b = NULL;
    CLEANUP(backing_closep) struct backing *reader = NULL;
    CLEANUP(keyset_freep) struct keyset *keys = NULL;
    CLEANUP(keyset_freep) struct keyset *newer = NULL;
    char path[160];

    create_and_open(w, &b, &keys);
    assert_null(backing_stale(b));
    sub_path(w, "keyring.1.tmp", path);
    assert_int_equal(mkdir(path, 0700), 0);
    check_ok(backing_rotate_data(b, keys, &newer)); /* nothing is lost for want of a second copy */
    assert_string_equal(backing_stale(b), "keyring.1");
    ks_rc rc = backing_mend(b);
    assert_int_equal(ks_errno(rc), EISDIR);
    check_text(rc, w->path);
    assert_int_equal(ks_errno(backing_settle(b)), EISDIR);
    assert_string_equal(backing_stale(b), "keyring.1");
    check_ok(backing_open(&w->conf, false, &reader));
    assert_null(backing_stale(reader)); /* nobody vouched for what was read */
    assert_int_equal(rmdir(path), 0);
    check_rc(backing_mend(reader), STATE);
    check_rc(backing_settle(reader), STATE);
    check_ok(backing_mend(b));
    assert_null(backing_stale(b));
    assert_true(backing_is_mended(b));
    check_ok(backing_settle(b));
}

static void open__below_the_minimum__is_rolled_back(void **state)
{
    struct world *w = *state;
    CLEANUP(backing_closep) struct backing *b = NULL;
    CLEANUP(keyset_freep) struct keyset *keys = NULL;
    CLEANUP(keyset_freep) struct keyset *newer = NULL;

    w->conf.sequence_min = 2;
    check_ok(backing_create(&w->conf, &w->create));
    check_rc(backing_open(&w->conf, true, &b), ROLLED_BACK);
    assert_null(b);
    w->conf.sequence_min = 1;
    check_ok(backing_open(&w->conf, true, &b));
    assert_int_equal(backing_sequence(b), 0);
    check_ok(backing_unlock(b, &keys));
    assert_int_equal(backing_sequence(b), 1);
    check_ok(backing_rotate_data(b, keys, &newer));
    assert_int_equal(backing_sequence(b), 2);
}

/* Before anything of it is used, whoever opens it and for what. */
static void open__kept_to_another_volume__is_foreign(void **state)
{
    struct world *w = *state;
    CLEANUP(backing_closep) struct backing *b = NULL;
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    char id[2 * KEYRING_ID_BYTES + 1];

    check_ok(backing_create(&w->conf, &w->create));
    check_ok(backing_open(&w->conf, false, &b));
    check_ok(backing_keyring(b, &k));
    backing_close(TAKE(b));
    for (size_t i = 0; i < KEYRING_ID_BYTES; i++)
        snprintf(id + 2 * i, 3, "%02x", k->volume_id[i]);
    w->conf.volume_id = id;
    for (int is_exclusive = 0; is_exclusive < 2; is_exclusive++) {
        check_ok(backing_open(&w->conf, is_exclusive, &b));
        assert_null(backing_foreign_name(b));
        backing_close(TAKE(b));
    }
    id[0] = id[0] == '0' ? '1' : '0';
    for (int is_exclusive = 0; is_exclusive < 2; is_exclusive++) {
        ks_rc rc = backing_open(&w->conf, is_exclusive, &b);
        check_rc(rc, FOREIGN);
        check_text(rc, id);
        assert_null(b);
    }
    w->conf.volume_id = NULL;
}

static void probe__after_bad_credentials__asks_with_new_ones(void **state)
{
    static const enum fake_step steps[] = {FAKE_EXPIRED, FAKE_GRANT};
    struct world *w = *state;
    CLEANUP(backing_closep) struct backing *b = NULL;
    CLEANUP(keyset_freep) struct keyset *keys = NULL;
    uint32_t id = 0;

    w->create.spec_count = 1;
    create_and_open(w, &b, &keys);
    fake_script("k1", steps, 2, false);
    check_rc(backing_probe(b, &id), CREDENTIAL);
    check_ok(backing_probe(b, &id));
    assert_int_equal(id, 1);
}

static void probe__outage__makes_one_attempt(void **state)
{
    static const enum fake_step steps[] = {FAKE_RESET};
    struct world *w = *state;
    CLEANUP(backing_closep) struct backing *b = NULL;
    CLEANUP(keyset_freep) struct keyset *keys = NULL;
    uint32_t id = 0;

    w->create.spec_count = 1;
    create_and_open(w, &b, &keys);
    fake_script("k1", steps, 1, true);
    uint64_t calls = fake_calls("k1");
    check_class(backing_probe(b, &id), UNREACHABLE);
    assert_int_equal(fake_calls("k1"), calls + 1);
}

static void check_revoked_s(struct world *w, int64_t wanted_s)
{
    CLEANUP(backing_closep) struct backing *reader = NULL;
    bool is_revoked = wanted_s == 0;
    int64_t s = -1;

    check_ok(backing_open(&w->conf, false, &reader));
    check_ok(backing_is_revoked(reader, &is_revoked));
    assert_int_equal(is_revoked, wanted_s != 0);
    check_ok(backing_revoked_s(reader, &s));
    assert_int_equal(s, wanted_s);
}

static void revoke__key_service_denies__is_recorded_and_ended(void **state)
{
    static const enum fake_step deny[] = {FAKE_DISABLED};
    struct world *w = *state;
    CLEANUP(backing_closep) struct backing *b = NULL;
    struct keyset *keys = NULL;

    check_ok(backing_create(&w->conf, &w->create));
    check_revoked_s(w, 0);
    fake_script("k1", deny, 1, true);
    fake_script("k2", deny, 1, true);
    check_ok(backing_open(&w->conf, true, &b));
    check_class(backing_unlock(b, &keys), DENIED);
    check_ok(backing_set_revoked(b, true));
    check_revoked_s(w, 1900000000);
    w->clock.now_s += 50;
    check_ok(backing_set_revoked(b, true)); /* the first time is the one that counts */
    check_revoked_s(w, 1900000000);
    check_ok(backing_set_revoked(b, false));
    check_revoked_s(w, 0);
    check_ok(backing_set_revoked(b, false));
    check_revoked_s(w, 0);
}

static void revoke__cannot_be_looked_for__is_an_error(void **state)
{
    struct world *w = *state;
    CLEANUP(backing_closep) struct backing *b = NULL;
    struct io *faulty = NULL;
    bool is_revoked;
    int64_t s;

    check_ok(backing_create(&w->conf, &w->create));
    check_ok(fault_new(w->conf.io, &faulty));
    w->conf.io = faulty;
    check_ok(backing_open(&w->conf, true, &b));
    fault_arm(faulty, 1, EIO, true);
    ks_rc rc = backing_is_revoked(b, &is_revoked);
    assert_true(ks_is_os(rc, EIO));
    check_text(rc, w->path);
    check_text(rc, "cannot tell whether it was revoked");
    assert_true(ks_is_os(backing_revoked_s(b, &s), EIO));
    rc = backing_set_revoked(b, true);
    assert_true(ks_is_os(rc, EIO));
    check_text(rc, "the revocation cannot be recorded");
    fault_arm(faulty, 0, 0, false);
    backing_close(TAKE(b));
    fault_free(faulty);
}

/* Or the new volume would be revoked from the beginning. */
static void create__over_a_record__is_not_empty(void **state)
{
    struct world *w = *state;
    char at[160];

    assert_int_equal(mkdir(w->path, 0755), 0);
    sub_path(w, "revoked", at);
    assert_int_equal(mkdir(at, 0755), 0);
    check_rc(backing_create(&w->conf, &w->create), NOT_EMPTY);
}

/* --- a key service that does something of ours while it is asked ------------------------------ */

static struct {
    struct backing *backing;
    struct keyset *keys;
    bool is_armed, is_changing; /* a change of the keyring as well */
    ks_rc revoked, probed, changed;
} during;

static void do_something(void)
{
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    uint32_t id;

    if (!during.is_armed)
        return;
    during.is_armed = false;
    during.probed = backing_probe(during.backing, &id);
    during.revoked = backing_set_revoked(during.backing, true);
    if (!during.is_changing)
        return;
    check_ok(backing_keyring(during.backing, &k));
    during.changed = backing_set_settings(during.backing, during.keys, &k->settings);
}

static ks_rc nosy_wrap(struct kms *kms, const struct kms_call *call,
                       const struct key_context *context, const struct secret *plain,
                       struct buf *ret_blob, char ret_version[KEY_VERSION_BYTES])
{
    do_something();
    return kms_driver_fake.wrap(kms, call, context, plain, ret_blob, ret_version);
}

static ks_rc nosy_unwrap(struct kms *kms, const struct kms_call *call,
                         const struct key_context *context, struct view blob, struct secret **ret)
{
    do_something();
    return kms_driver_fake.unwrap(kms, call, context, blob, ret);
}

/* All in one thread: if a revoke or a probe waited for the other, these tests would never end. */
static void revoke__during_a_rotation__does_not_wait(void **state)
{
    struct world *w = *state;
    CLEANUP(backing_closep) struct backing *b = NULL;
    CLEANUP(keyset_freep) struct keyset *keys = NULL;
    bool is_revoked = false;

    w->specs[0] = (struct key_spec){"NOSY", "n1", ""};
    create_and_open(w, &b, &keys);
    during.backing = b;
    during.is_armed = true;
    during.is_changing = false;
    check_ok(backing_rotate_cmek(b, keys, 0, NULL));
    assert_false(during.is_armed);
    check_ok(during.probed);
    check_ok(during.revoked);
    check_ok(backing_is_revoked(b, &is_revoked));
    assert_true(is_revoked);
}

/* Opening holds the keyring's file all the time that the key service takes. */
static void revoke__during_an_unlock__does_not_wait(void **state)
{
    struct world *w = *state;
    CLEANUP(backing_closep) struct backing *b = NULL;
    CLEANUP(keyset_freep) struct keyset *keys = NULL;

    w->specs[0] = (struct key_spec){"NOSY", "n1", ""};
    check_ok(backing_create(&w->conf, &w->create));
    check_ok(backing_open(&w->conf, true, &b));
    during.backing = b;
    during.is_armed = true;
    during.is_changing = false;
    check_ok(backing_unlock(b, &keys));
    assert_false(during.is_armed);
    check_ok(during.revoked);
}

static void settings__during_a_rotation__overtake_it(void **state)
{
    struct world *w = *state;
    CLEANUP(backing_closep) struct backing *b = NULL;
    CLEANUP(keyset_freep) struct keyset *keys = NULL;
    CLEANUP(keyring_freep) struct keyring *k = NULL;

    w->specs[0] = (struct key_spec){"NOSY", "n1", ""};
    create_and_open(w, &b, &keys);
    during.backing = b;
    during.keys = keys;
    during.is_armed = true;
    during.is_changing = true;
    ks_rc rc = backing_rotate_cmek(b, keys, 0, NULL);
    check_rc(rc, BUSY);
    check_text(rc, "try again");
    check_ok(during.probed);
    check_ok(during.changed);
    check_ok(backing_keyring(b, &k));
    assert_int_equal(k->sequence, 2);
    check_ok(backing_rotate_cmek(b, keys, 0, NULL));
}

/* --- a key store that opens with a passphrase -------------------------------------------------- */

/* Each stretching is preceded by one question for the passphrase, so the questions count them. */
struct sealed {
    struct world *w;
    char dir[512];
    unsigned asked;
    bool has_gone; /* nobody is there to be asked */
    struct backing *b;
    struct keyset *keys; /* NULL: not unlocked yet */
};

static ks_rc answer(void *arg, const char *what, struct secret **ret)
{
    struct sealed *s = arg;

    (void)what;
    ENSURE(!s->has_gone, KS_E_CREDENTIAL, "nobody is there");
    s->asked++;
    return secret_copy(view_text("correct horse"), ret);
}

static void make_key(const struct file_store_conf *conf, const char *name)
{
    CLEANUP(file_store_closep) struct file_store *store = NULL;
    struct file_key_info info;

    check_ok(file_store_open(conf, &store));
    check_ok(file_store_key_create(store, name, &info));
}

static void sealed_spec(const struct sealed *s, const char *name, struct key_spec *ret)
{
    *ret = (struct key_spec){"FILE", "", ""};
    snprintf(ret->uri, sizeof ret->uri, "%s#%s", s->dir, name);
}

/* A volume with two wraps, both by keys of one store. */
static void sealed_volume(struct world *w, struct sealed *s)
{
    struct file_store_conf conf = {.io = w->dir.io,
                                   .path = s->dir,
                                   .passphrase = answer,
                                   .passphrase_arg = s,
                                   .clock = &w->clock.clock,
                                   .random = random_system(),
                                   .pwhash_ops = 1,
                                   .pwhash_mem_bytes = 8192};
    char cwd[256];

    *s = (struct sealed){.w = w};
    assert_non_null(getcwd(cwd, sizeof cwd));
    snprintf(s->dir, sizeof s->dir, "%s/%s/store", cwd, w->dir.path);
    check_ok(file_store_create(&conf));
    make_key(&conf, "one");
    make_key(&conf, "two");
    sealed_spec(s, "one", &w->specs[0]);
    sealed_spec(s, "two", &w->specs[1]);
    w->conf.passphrase = answer;
    w->conf.passphrase_arg = s;
    check_ok(backing_create(&w->conf, &w->create));
    s->asked = 0;
}

/* Such a volume, opened and still locked. */
static int begin_sealed(void **state)
{
    static struct sealed s;

    begin(state);
    sealed_volume(*state, &s);
    check_ok(backing_open(&s.w->conf, true, &s.b));
    *state = &s;
    return 0;
}

static int end_sealed(void **state)
{
    struct sealed *s = *state;
    void *w = s->w;

    keyset_free(s->keys);
    backing_close(s->b);
    return end(&w);
}

static void passphrase__unlock_then_probes__stretched_once(void **state)
{
    struct sealed *s = *state;
    uint32_t id = 0;

    check_ok(backing_unlock(s->b, &s->keys));
    assert_int_equal(s->asked, 1);
    s->has_gone = true;
    check_ok(backing_probe(s->b, &id));
    check_ok(backing_rotate_cmek(s->b, s->keys, 0, NULL)); /* uses the other wrap's key as well */
    check_ok(backing_probe(s->b, &id));
    assert_int_equal(s->asked, 1);
}

/* A volume that was mounted locked is probed before it is unlocked. */
static void passphrase__probe_then_unlock__stretched_once(void **state)
{
    struct sealed *s = *state;
    uint32_t id = 0;

    check_ok(backing_probe(s->b, &id));
    check_ok(backing_unlock(s->b, &s->keys));
    assert_int_equal(s->asked, 1);
}

static void passphrase__closed__nothing_is_left_of_it(void **state)
{
    struct sealed *s = *state;

    check_ok(backing_unlock(s->b, &s->keys));
    backing_close(TAKE(s->b));
    keyset_free(TAKE(s->keys));
    s->has_gone = true;
    check_ok(backing_open(&s->w->conf, true, &s->b));
    check_rc(backing_unlock(s->b, &s->keys), CREDENTIAL);
    assert_int_equal(s->asked, 1);
}

/* --- power loss while a volume is made -------------------------------------------------------- */

static bool keep_all(void *arg, size_t i)
{
    (void)arg;
    (void)i;
    return true;
}

static void check_after_power_loss(struct world *w, struct io *rebuilt, size_t *ret_whole)
{
    CLEANUP(backing_closep) struct backing *b = NULL;
    CLEANUP(keyset_freep) struct keyset *keys = NULL;

    w->conf.io = rebuilt;
    ks_rc rc = backing_open(&w->conf, true, &b);
    if (ks_ok(rc)) {
        check_ok(backing_unlock(b, &keys));
        ++*ret_whole;
        return;
    }
    check_rc(rc, NOT_FOUND);
    create_and_open(w, &b, &keys);
}

static void create__power_loss_at_any_time__no_volume_or_a_whole_one(void **state)
{
    struct world *w = *state;
    struct io *io, *rebuilt;
    size_t states = 0, whole = 0;

    check_ok(crash_new(&io));
    w->conf.io = io;
    w->conf.path = "/vol";
    check_ok(backing_create(&w->conf, &w->create));
    for (size_t t = 0; t <= crash_time(io); t++) {
        size_t pages, metadata;

        crash_pending(io, t, &pages, &metadata);
        for (size_t kept = 0; kept <= metadata; kept++, states++) {
            check_ok(crash_rebuild(io, t, kept, keep_all, NULL, &rebuilt));
            check_after_power_loss(w, rebuilt, &whole);
            crash_free(rebuilt);
        }
    }
    print_message("%zu states, %zu with a whole volume\n", states, whole);
    assert_true(whole > 0 && whole < states);
    crash_free(io);
}

static int add_drivers(void **state)
{
    static struct kms_driver nosy;

    (void)state;
    nosy = kms_driver_fake;
    nosy.type = "NOSY";
    nosy.wrap = nosy_wrap;
    nosy.unwrap = nosy_unwrap;
    return ks_ok(kms_driver_add(&kms_driver_fake)) && ks_ok(kms_driver_add(&nosy)) ? 0 : -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
#define SEALED(name) cmocka_unit_test_setup_teardown(name, begin_sealed, end_sealed)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(create__makes_everything_and_opens),
        TEST(create__existing_empty_directory__is_taken),
        TEST(create__where_a_volume_is__is_exists),
        TEST(create__directory_with_something_else__is_not_empty),
        TEST(create__blocks_that_are_no_pages__is_unsupported),
        TEST(create__blocks_of_whole_pages__are_taken),
        TEST(create__no_parent__is_not_found),
        TEST(create__key_service_refuses__leaves_nothing),
        TEST(create__bad_values__are_usage),
        TEST(open__no_directory_or_no_volume__is_not_found),
        TEST(open__second_time_exclusively__is_busy),
        TEST(open__tree_is_missing__is_corrupt),
        TEST(open__newer_version__names_the_volume),
        TEST(unlock__wrap_moved_from_another_volume__does_not_open),
        TEST(changes__show_in_reports_and_after_reopening),
        TEST(copy_cannot_be_written__is_named_until_it_is_mended),
        TEST(open__below_the_minimum__is_rolled_back),
        TEST(open__kept_to_another_volume__is_foreign),
        TEST(probe__after_bad_credentials__asks_with_new_ones),
        TEST(probe__outage__makes_one_attempt),
        TEST(revoke__key_service_denies__is_recorded_and_ended),
        TEST(revoke__cannot_be_looked_for__is_an_error),
        TEST(create__over_a_record__is_not_empty),
        TEST(revoke__during_a_rotation__does_not_wait),
        TEST(revoke__during_an_unlock__does_not_wait),
        TEST(settings__during_a_rotation__overtake_it),
        SEALED(passphrase__unlock_then_probes__stretched_once),
        SEALED(passphrase__probe_then_unlock__stretched_once),
        SEALED(passphrase__closed__nothing_is_left_of_it),
        TEST(create__power_loss_at_any_time__no_volume_or_a_whole_one),
    };
    return cmocka_run_group_tests(tests, add_drivers, NULL);
}
