/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: whichever call of the file system below fails while a volume is made or removed, it says so with that errno, and
 * what is left is either a whole volume, which opens, or no volume, and then one can be made there; so both can be tried
 * again.
 */
#include "check.h"

#include <string.h>

#include "fault_each.h"
#include "io/crash.h"
#include "kms/drv_fake.h"
#include "volume/backing.h"

static ks_rc create(struct io *io)
{
    static const struct key_spec spec = {"FAKE", "k", ""};
    const struct backing_conf conf = {
        .io = io, .clock = clock_system(), .random = random_system(), .path = "/vol"};
    const struct backing_create how = {.label = "orders",
                                       .block_payload = 3584,
                                       .settings = {60000, 15000, 3600000, 0},
                                       .specs = &spec,
                                       .spec_count = 1};

    return backing_create(&conf, &how);
}

static ks_rc open_volume(struct io *io, struct backing **ret)
{
    const struct backing_conf conf = {
        .io = io, .clock = clock_system(), .random = random_system(), .path = "/vol"};

    return backing_open(&conf, true, ret);
}

/* What an unlink of a file with a long name leaves, a record that no name needs any more, and a crash in a mkdir for somebody else. */
static void leave_rests(struct io *io)
{
    CLEANUP(backing_closep) struct backing *b = NULL;
    struct io_file *file;

    check_ok(open_volume(io, &b));
    check_ok(io->ops->create(io, backing_long(b), "record", 0600, NULL, &file));
    io->ops->close(io, file);
    check_ok(io->ops->mkdir(io, backing_long(b), "new.0", 0700));
}

static ks_rc remove_volume(struct io *io)
{
    CLEANUP(backing_closep) struct backing *b = NULL;

    TRY(open_volume(io, &b));
    return backing_remove(b);
}

/* Whether there is a volume; if so, it opens with its key. */
static bool is_volume(struct io *io)
{
    CLEANUP(backing_closep) struct backing *b = NULL;
    CLEANUP(keyset_freep) struct keyset *keys = NULL;
    ks_rc rc = open_volume(io, &b);

    if (ks_is(rc, KS_E_NOT_FOUND))
        return false;
    check_ok(rc);
    check_ok(backing_unlock(b, &keys));
    return true;
}

static bool run_with_fault(struct io *disk, const struct fault_case *c, ks_rc (*run)(struct io *),
                           ks_rc *ret)
{
    struct io *faulty;

    check_ok(fault_new(disk, &faulty));
    fault_arm_case(faulty, c);
    *ret = run(faulty);
    const char *failed = fault_name(faulty);
    if (!ks_ok(*ret) && (!failed || ks_errno(*ret) != c->err))
        fail_msg("%s at call %u: %s", failed ? failed : "nothing failed", (unsigned)c->n,
                 ks_text(*ret));
    fault_free(faulty);
    return failed != NULL;
}

static bool try_create(void *arg, const struct fault_case *c)
{
    struct io *disk;
    ks_rc rc;

    (void)arg;
    check_ok(crash_new(&disk));
    bool has_failed = run_with_fault(disk, c, create, &rc);
    bool is_there = is_volume(disk);
    assert_true(is_there || !ks_ok(rc));
    if (!is_there)
        check_ok(create(disk));
    check_ok(remove_volume(disk));
    assert_false(is_volume(disk));
    crash_free(disk);
    return has_failed;
}

static bool try_remove(void *arg, const struct fault_case *c)
{
    struct io *disk;
    ks_rc rc;

    (void)arg;
    check_ok(crash_new(&disk));
    check_ok(create(disk));
    leave_rests(disk);
    bool has_failed = run_with_fault(disk, c, remove_volume, &rc);
    if (is_volume(disk)) {
        assert_false(ks_ok(rc));
        check_ok(remove_volume(disk));
        assert_false(is_volume(disk));
    }
    check_ok(create(disk));
    assert_true(is_volume(disk));
    crash_free(disk);
    return has_failed;
}

static void create__each_call_fails__is_a_volume_or_can_become_one(void **state)
{
    (void)state;
    size_t tried = fault_each_kind(try_create, NULL) + fault_each_part(try_create, NULL);
    print_message("%zu calls failed in turn\n", tried);
    assert_true(tried > 10 * 15);
}

static void remove__each_call_fails__is_a_volume_or_can_become_one(void **state)
{
    (void)state;
    size_t tried = fault_each_kind(try_remove, NULL);
    print_message("%zu calls failed in turn\n", tried);
    assert_true(tried > 6 * 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(create__each_call_fails__is_a_volume_or_can_become_one),
        cmocka_unit_test(remove__each_call_fails__is_a_volume_or_can_become_one),
    };

    check_ok(secret_init());
    check_ok(kms_driver_add(&kms_driver_fake));
    fake_reset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
