/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: on the whole way of a volume process (open the backing directory, unlock, mount, write, rotate every level
 * under writes, revoke, restore, unmount) each call of the file system below fails in turn, once and from then
 * on. Nobody crashes, leaks or hangs; each failure has a text; what was synced before is there afterwards, and
 * the volume opens again with a healthy disk.
 */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "fault_each.h"
#include "io/crash.h"
#include "kms/drv_fake.h"
#include "volume/backing.h"
#include "volume/volume.h"

enum { BYTES = 6000 };

static const struct caller me = {0, 0};

/* A volume process without its FUSE side. */
struct process {
    struct backing *backing;
    struct keyset *keys; /* until the volume has them */
    struct volume *volume;
};

static struct backing_conf conf_of(struct io *io)
{
    return (struct backing_conf){
        .io = io, .clock = clock_system(), .random = random_system(), .path = "/vol"};
}

static ks_rc start_volume(struct process *p, struct io *io)
{
    CLEANUP(keyring_freep) struct keyring *k = NULL;

    TRY(backing_keyring(p->backing, &k));
    struct volume_conf conf = {.io = io,
                               .clock = clock_system(),
                               .random = random_system(),
                               .tree = backing_tree(p->backing),
                               .long_names = backing_long(p->backing),
                               .block_payload = k->block_payload};
    memcpy(conf.volume_id, k->volume_id, sizeof conf.volume_id);
    TRY(volume_new(&conf, &p->volume));
    TRY(volume_set_keys(p->volume, &p->keys));
    volume_set_door(p->volume, VOLUME_OPEN);
    return KS_SUCCESS;
}

static ks_rc process_start(struct process *p, struct io *io)
{
    struct backing_conf conf = conf_of(io);

    *p = (struct process){0};
    TRY(backing_open(&conf, true, &p->backing));
    TRY(backing_unlock(p->backing, &p->keys));
    return start_volume(p, io);
}

static void process_end(struct process *p)
{
    if (p->volume)
        volume_set_door(p->volume, VOLUME_CLOSED);
    volume_free(p->volume);
    keyset_free(p->keys);
    backing_close(p->backing);
    *p = (struct process){0};
}

static ks_rc open_file(struct process *p, const char *name, bool is_new, struct inode **i,
                       struct handle **h)
{
    struct stat st;

    if (is_new)
        return volume_create(p->volume, volume_root(p->volume), name, 0600, &me, i, &st, h);
    TRY(volume_lookup(p->volume, volume_root(p->volume), name, i, &st));
    ks_rc rc = volume_open(p->volume, *i, false, h);
    if (!ks_ok(rc))
        volume_forget(p->volume, *i, 1);
    return rc;
}

static ks_rc write_file(struct process *p, const char *name, bool is_new, uint8_t byte)
{
    uint8_t data[BYTES];
    struct inode *i;
    struct handle *h;

    memset(data, byte, sizeof data);
    TRY(open_file(p, name, is_new, &i, &h));
    ks_rc rc = volume_write(p->volume, handle_inode(h), data, sizeof data, 0);
    if (ks_ok(rc))
        rc = volume_fsync(p->volume, handle_inode(h), false);
    volume_close(p->volume, h);
    volume_forget(p->volume, i, 1);
    return rc;
}

static ks_rc rotate(struct process *p,
                    ks_rc (*level)(struct backing *, const struct keyset *, struct keyset **))
{
    struct keyset *fresh = NULL;

    TRY(level(p->backing, volume_keys(p->volume), &fresh));
    ks_rc rc = volume_set_keys(p->volume, &fresh);
    keyset_free(fresh);
    return rc;
}

/* Everything goes on after a failure, as a process does that serves others. */
static ks_rc life(struct io *io)
{
    struct process p;
    ks_rc first = process_start(&p, io), rc;
    uint32_t id;

#define STEP(e)                                                                                    \
    do {                                                                                           \
        rc = (e);                                                                                  \
        if (!ks_ok(rc))                                                                            \
            assert_true(strlen(ks_text(rc)) > 3);                                                  \
        if (ks_ok(first))                                                                          \
            first = rc;                                                                            \
    } while (0)

    if (ks_ok(first)) {
        STEP(write_file(&p, "work", true, 2));
        STEP(backing_probe(p.backing, &id));
        STEP(backing_rotate_cmek(p.backing, volume_keys(p.volume), 0, NULL));
        STEP(rotate(&p, backing_rotate_store));
        STEP(rotate(&p, backing_rotate_data));
        STEP(write_file(&p, "work", false, 3));
        STEP(backing_set_revoked(p.backing, true));
        STEP(backing_set_revoked(p.backing, false));
    }
    process_end(&p);
    return first;
}

static void check_file(struct process *p, const char *name, bool must_be, const char *legal)
{
    static uint8_t got[BYTES + 1];
    struct inode *i;
    struct handle *h;
    size_t len;
    ks_rc rc = open_file(p, name, false, &i, &h);

    if (!must_be && ks_is_os(rc, ENOENT))
        return;
    check_ok(rc);
    check_ok(volume_read(p->volume, handle_inode(h), got, sizeof got, 0, &len));
    assert_true(len == BYTES || !must_be);
    for (size_t n = 0; n < len; n++)
        assert_non_null(memchr(legal, got[n], strlen(legal) + 1));
    volume_close(p->volume, h);
    volume_forget(p->volume, i, 1);
}

static void check_healthy(struct io *disk)
{
    struct process p;

    check_ok(process_start(&p, disk));
    check_file(&p, "kept", true, "\1\1");
    check_file(&p, "work", false, "\2\3");
    process_end(&p);
}

static struct io *disk_new(void)
{
    struct key_spec spec = {"FAKE", "k", ""};
    struct backing_create create = {.label = "life",
                                    .block_payload = 3584,
                                    .settings = {60000, 15000, 3600000, 0},
                                    .specs = &spec,
                                    .spec_count = 1};
    struct process p;
    struct io *disk;

    fake_reset();
    check_ok(crash_new(&disk));
    struct backing_conf conf = conf_of(disk);
    check_ok(backing_create(&conf, &create));
    check_ok(process_start(&p, disk));
    check_ok(write_file(&p, "kept", true, 1));
    process_end(&p);
    return disk;
}

/* Whether there was an n-th call. */
static bool run_with_fault(void *arg, const struct fault_case *c)
{
    struct io *disk = disk_new(), *faulty;

    (void)arg;
    check_ok(fault_new(disk, &faulty));
    fault_arm_case(faulty, c);
    ks_rc rc = life(faulty);
    bool has_failed = fault_name(faulty) != NULL;
    if (!has_failed)
        check_ok(rc); /* without a fault the whole life works */
    assert_true(!c->is_lasting || !has_failed || !ks_ok(rc));
    check_healthy(disk);
    fault_free(faulty);
    crash_free(disk);
    return has_failed;
}

static void life__each_call_fails__loses_nothing(void **state)
{
    (void)state;
    size_t tried = fault_each_kind(run_with_fault, NULL);
    print_message("%zu calls failed in turn\n", tried);
    assert_true(tried > 6 * 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(life__each_call_fails__loses_nothing),
    };

    check_ok(secret_init());
    check_ok(kms_driver_add(&kms_driver_fake));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
