/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: whichever call of the file system below fails during a re-encryption, from its first look at the keyring to the
 * destruction of keys, it says so with that errno; no generation's key is destroyed while a block needs it; everything can be read, in the same mount and in the next one; and a
 * second re-encryption ends with one generation. No key is told to be destroyed that is still in a copy of the keyring.
 */
#include "check.h"

#include <string.h>

#include "base/mem.h"
#include "fault_each.h"
#include "io/crash.h"
#include "kms/drv_fake.h"
#include "volume/reencrypt.h"

enum { PAYLOAD = 3584, FILE_BYTES = 3 * PAYLOAD + 100 };

/* Files of both generations, one of the older generation below a directory, and one that is written in both. */
static const char *const names[] = {"old", "fresh", "both"};
enum { NAMES = sizeof names / sizeof names[0] };

/* A volume process without its FUSE side. */
struct process {
    struct io *io;
    struct backing *backing;
    struct volume *volume;
};

static struct backing_conf conf_of(struct io *io)
{
    return (struct backing_conf){
        .io = io, .clock = clock_system(), .random = random_system(), .path = "/vol"};
}

static void process_begin(struct process *p, struct io *io)
{
    CLEANUP(keyset_freep) struct keyset *keys = NULL;
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    struct backing_conf conf = conf_of(io);

    p->io = io;
    check_ok(backing_open(&conf, true, &p->backing));
    check_ok(backing_unlock(p->backing, &keys));
    check_ok(backing_keyring(p->backing, &k));
    struct volume_conf volume = {.io = io,
                                 .clock = clock_system(),
                                 .random = random_system(),
                                 .tree = backing_tree(p->backing),
                                 .long_names = backing_long(p->backing),
                                 .block_payload = PAYLOAD};
    memcpy(volume.volume_id, k->volume_id, sizeof volume.volume_id);
    check_ok(volume_new(&volume, &p->volume));
    check_ok(volume_set_keys(p->volume, &keys));
    volume_set_door(p->volume, VOLUME_OPEN);
}

static void process_end(struct process *p)
{
    volume_free(p->volume);
    backing_close(p->backing);
}

/* --- contents --- */

static void write_file(struct process *p, const char *name, size_t bytes)
{
    static const struct caller who = {0, 0};
    uint8_t data[FILE_BYTES];
    struct inode *i;
    struct stat st;

    memset(data, name[0], sizeof data);
    ks_rc rc = volume_lookup(p->volume, volume_root(p->volume), name, &i, &st);
    if (ks_is_os(rc, ENOENT))
        rc = volume_create(p->volume, volume_root(p->volume), name, 0600, &who, &i, &st, NULL);
    check_ok(rc);
    check_ok(volume_write(p->volume, i, data, bytes, 0));
    volume_forget(p->volume, i, 1);
}

static void check_contents(struct process *p)
{
    uint8_t want[FILE_BYTES], got[FILE_BYTES + 1];
    struct inode *i;
    struct stat st;
    size_t len;

    for (size_t n = 0; n < NAMES; n++) {
        memset(want, names[n][0], sizeof want);
        check_ok(volume_lookup(p->volume, volume_root(p->volume), names[n], &i, &st));
        check_ok(volume_read(p->volume, i, got, sizeof got, 0, &len));
        check_bytes(view_of(got, len), view_of(want, sizeof want));
        volume_forget(p->volume, i, 1);
    }
}

static void rotate(struct process *p)
{
    CLEANUP(keyset_freep) struct keyset *newer = NULL;

    check_ok(backing_rotate_data(p->backing, volume_keys(p->volume), &newer));
    check_ok(volume_set_keys(p->volume, &newer));
}

static struct io *template_new(void)
{
    static const struct key_spec spec = {"FAKE", "k", ""};
    const struct backing_create create = {.label = "orders",
                                          .block_payload = PAYLOAD,
                                          .settings = {60000, 15000, 3600000, 0},
                                          .specs = &spec,
                                          .spec_count = 1};
    struct process p;
    struct io *io;

    check_ok(crash_new(&io));
    struct backing_conf conf = conf_of(io);
    check_ok(backing_create(&conf, &create));
    process_begin(&p, io);
    write_file(&p, "old", FILE_BYTES);
    write_file(&p, "both", FILE_BYTES);
    rotate(&p);
    write_file(&p, "both", PAYLOAD);
    write_file(&p, "fresh", FILE_BYTES);
    process_end(&p);
    return io;
}

/* --- keys and who needs them --- */

static uint64_t blocks_of(struct process *p, uint32_t generation)
{
    CLEANUP(survey_done) struct survey s = {0};
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    uint64_t blocks = 0;

    check_ok(backing_keyring(p->backing, &k));
    struct survey_conf conf = {.io = p->io,
                               .tree = backing_tree(p->backing),
                               .long_names = backing_long(p->backing),
                               .block_payload = PAYLOAD,
                               .volume = p->volume,
                               .threads = 1};
    memcpy(conf.volume_id, k->volume_id, sizeof conf.volume_id);
    check_ok(survey_run(&conf, &s));
    assert_int_equal(s.files_damaged + s.blocks_damaged + s.names_damaged, 0);
    for (size_t n = 0; n < s.generation_count; n++)
        blocks += s.generations[n].generation == generation ? s.generations[n].blocks : 0;
    return blocks;
}

static bool is_destroyed(struct process *p)
{
    CLEANUP(keyring_freep) struct keyring *k = NULL;

    check_ok(backing_keyring(p->backing, &k));
    return keyring_find_data_key(k, 1)->state == DATA_KEY_DESTROYED;
}

static ks_rc reencrypt(struct process *p, enum reencrypt_fate *ret_fate)
{
    CLEANUP(reencrypt_done) struct reencrypt_result r = {0};
    const struct reencrypt_conf conf = {
        .backing = p->backing, .volume = p->volume, .io = p->io, .clock = clock_system()};
    ks_rc rc = reencrypt_run(&conf, &r);

    *ret_fate = r.count ? r.generations[0].fate : FATE_UNKNOWN;
    return rc;
}

/* --- one attempt --- */

/* As a mount that is started anew finds it. */
static void check_and_go_on(struct io *disk, bool is_told)
{
    enum reencrypt_fate fate;
    struct process p;

    process_begin(&p, disk);
    check_contents(&p);
    assert_true(is_destroyed(&p) || !is_told);
    if (is_destroyed(&p))
        assert_int_equal(blocks_of(&p, 1), 0);
    check_ok(reencrypt(&p, &fate));
    assert_true(is_destroyed(&p));
    assert_int_equal(blocks_of(&p, 1), 0);
    check_contents(&p);
    process_end(&p);
}

static bool try_one(void *arg, const struct fault_case *c)
{
    struct io *disk = fault_copy_of(arg), *faulty;
    enum reencrypt_fate fate;
    struct process p;

    check_ok(fault_new(disk, &faulty));
    process_begin(&p, faulty);
    fault_arm_case(faulty, c);
    ks_rc rc = reencrypt(&p, &fate);
    const char *failed = fault_name(faulty);
    fault_arm(faulty, 0, 0, false);
    if (!ks_ok(rc) && (!failed || ks_errno(rc) != c->err))
        fail_msg("%s at call %u: %s", failed ? failed : "nothing failed", (unsigned)c->n,
                 ks_text(rc));
    /* who is told that the key is gone can rely on it, and who is not told keeps the reason */
    assert_true(ks_ok(rc) ? fate == FATE_DESTROYED && is_destroyed(&p) : fate == FATE_UNKNOWN);
    assert_true(!ks_ok(rc) || !backing_stale(p.backing));
    check_contents(&p);
    process_end(&p);
    check_and_go_on(disk, ks_ok(rc));
    fault_free(faulty);
    crash_free(disk);
    return failed != NULL;
}

static void reencrypt__each_call_fails__loses_nothing_and_the_next_one_ends(void **state)
{
    struct io *template = template_new();

    (void)state;
    size_t tried = fault_each_kind(try_one, template) + fault_each_part(try_one, template);
    print_message("%zu calls failed in turn\n", tried);
    assert_true(tried > 10 * 60);
    crash_free(template);
}

/* The copy that the destruction writes second; a directory is where its new contents are made. */
static void reencrypt__second_copy_cannot_be_written__is_not_told_until_it_is(void **state)
{
    struct io *template = template_new(), *disk = fault_copy_of(template);
    enum reencrypt_fate fate;
    struct io_node *dir;
    struct process p;

    (void)state;
    process_begin(&p, disk);
    check_ok(disk->ops->open_root(disk, "/vol", &dir));
    check_ok(disk->ops->mkdir(disk, dir, "keyring.0.tmp", 0700));
    for (int again = 0; again < 2; again++) {
        ks_rc rc = reencrypt(&p, &fate);
        assert_int_equal(ks_errno(rc), EISDIR);
        check_text(rc, "the change stands in keyring.1, but keyring.0 may still hold");
        assert_int_equal(fate, FATE_UNKNOWN);
        assert_true(is_destroyed(&p)); /* in the copy that counts */
        assert_int_equal(keyset_data_key(volume_keys(p.volume), 1).len, 0);
        assert_string_equal(backing_stale(p.backing), "keyring.0");
    }
    check_ok(disk->ops->rmdir(disk, dir, "keyring.0.tmp"));
    check_ok(reencrypt(&p, &fate));
    assert_null(backing_stale(p.backing));
    check_contents(&p);
    disk->ops->node_close(disk, dir);
    process_end(&p);
    crash_free(disk);
    crash_free(template);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reencrypt__each_call_fails__loses_nothing_and_the_next_one_ends),
        cmocka_unit_test(reencrypt__second_copy_cannot_be_written__is_not_told_until_it_is),
    };

    check_ok(secret_init());
    check_ok(kms_driver_add(&kms_driver_fake));
    fake_reset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
