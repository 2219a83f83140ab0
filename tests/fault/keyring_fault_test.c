/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: every call of the file system below fails once, or fails for good, during each change of a
 * keyring, its creation and its opening: no crash, no leak (under the address sanitizer), a result
 * that tells the truth. What reported success is durable, also when the power goes right behind it, and what it
 * took away is in neither copy; after a failure the volume opens with the old or the new state.
 */
#include "keyring_ops.h"

#include "fault_each.h"
#include "io/crash.h"

struct faulty {
    struct io *below, *io;
    struct ops_world world;
    uint8_t old_mac[KEYRING_HASH_BYTES];
};

static void faulty_begin(struct faulty *f, bool is_created)
{
    memset(f, 0, sizeof *f);
    check_ok(crash_new(&f->below));
    check_ok(fault_new(f->below, &f->io));
    ops_begin(&f->world, f->io);
    if (is_created) {
        check_ok(ops_create(&f->world));
        memcpy(f->old_mac, keyring_file_current(f->world.h.file)->mac, sizeof f->old_mac);
    }
}

static void faulty_end(struct faulty *f)
{
    ops_end(&f->world);
    fault_free(f->io);
    crash_free(f->below);
}

static bool keep_none(void *arg, size_t i)
{
    (void)arg;
    (void)i;
    return false;
}

/* The state that a power loss leaves now, with nothing that was not synced. */
static void lose_power(struct faulty *f, struct io **ret)
{
    check_ok(crash_rebuild(f->below, crash_time(f->below), 0, keep_none, NULL, ret));
}

/* What stands in io after the operation ended with rc. */
static void check_truth(struct faulty *f, struct io *io, ks_rc rc, const char *what)
{
    uint8_t mac[KEYRING_HASH_BYTES] = {0};
    bool is_create = mem_is_zero(f->old_mac, sizeof f->old_mac);
    ks_rc opened = ops_reopen(&f->world, io, mac);

    if (ks_is(opened, KS_E_NOT_FOUND) && is_create && !ks_ok(rc))
        return;
    if (!ks_ok(opened))
        fail_msg("%s: does not open: %s", what, ks_text(opened));
    if (ks_ok(rc) && memcmp(mac, f->old_mac, sizeof mac) == 0)
        fail_msg("%s: reported success, but the old state stands", what);
}

static bool try_fault(void *arg, const struct fault_case *c)
{
    const struct ops_op *op = arg;
    struct faulty f;
    struct io *after_power_loss = NULL;
    char what[160];

    faulty_begin(&f, op->run != ops_create);
    fault_arm_case(f.io, c);
    ks_rc rc = op->run(&f.world);
    const char *failed = fault_name(f.io);
    snprintf(what, sizeof what, "%s, call %llu (%s) fails %s with errno %d", op->name,
             (unsigned long long)c->n, failed ? failed : "none",
             c->is_lasting ? "for good" : "once", c->err);
    fault_arm(f.io, 0, 0, false);
    if (ks_ok(rc) && op->takes_away && !keyring_file_is_mended(f.world.h.file))
        fail_msg("%s: reported success, but what it took away is in %s", what,
                 keyring_file_stale(f.world.h.file));
    keyring_file_close(f.world.h.file);
    f.world.h.file = NULL;
    lose_power(&f, &after_power_loss);
    check_truth(&f, after_power_loss, rc, what);
    crash_free(after_power_loss);
    check_truth(&f, f.below, rc, what);
    if (!failed && !ks_ok(rc))
        fail_msg("%s: fails without a fault: %s", what, ks_text(rc));
    faulty_end(&f);
    return failed != NULL;
}

static void fault__in_each_operation__tells_the_truth(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPS_COUNT; i++) {
        struct ops_op op = ops_all[i];
        size_t tried = fault_each_kind(try_fault, &op);

        print_message("%s: %zu faults\n", ops_all[i].name, tried);
        assert_true(tried > 20);
    }
}

/* The second copy of the next change cannot be written: a directory is where its new contents are made. */
static void obstruct(struct faulty *f)
{
    check_ok(f->below->ops->mkdir(f->below, f->world.dir, "keyring.1.tmp", 0700));
}

static void check_obstructed(struct faulty *f, const struct ops_op *op)
{
    ks_rc rc = op->run(&f->world);

    if (op->takes_away) {
        assert_int_equal(ks_errno(rc), EISDIR);
        check_text(rc, "the change stands in keyring.0, but keyring.1 may still hold");
    } else {
        check_ok(rc);
    }
    assert_string_equal(keyring_file_stale(f->world.h.file), "keyring.1");
    assert_string_equal(keyring_file_name(f->world.h.file), "keyring.0");
    assert_memory_not_equal(keyring_file_current(f->world.h.file)->mac, f->old_mac,
                            sizeof f->old_mac);
    assert_int_equal(ks_errno(hierarchy_settle(&f->world.h)), EISDIR);
}

/* What takes something away must not be told as done while a copy still has it; what adds something is done. Either way
 * the change stands and the second copy is whole as soon as it can be written, by a settle or by the next opening. */
static void second_copy_cannot_be_written__only_what_takes_away_fails(void **state)
{
    (void)state;
    for (size_t n = 0; n < 2 * (OPS_COUNT - 1); n++) {
        const struct ops_op *op = &ops_all[1 + n / 2];
        uint8_t mac[KEYRING_HASH_BYTES], wanted[KEYRING_HASH_BYTES];
        struct faulty f;

        faulty_begin(&f, true);
        obstruct(&f);
        check_obstructed(&f, op);
        memcpy(wanted, keyring_file_current(f.world.h.file)->mac, sizeof wanted);
        check_ok(f.below->ops->rmdir(f.below, f.world.dir, "keyring.1.tmp"));
        if (n % 2) {
            check_ok(hierarchy_settle(&f.world.h));
            assert_null(keyring_file_stale(f.world.h.file));
        }
        keyring_file_close(f.world.h.file);
        f.world.h.file = NULL;
        check_ok(ops_reopen(&f.world, f.below, mac));
        assert_memory_equal(mac, wanted, sizeof mac);
        faulty_end(&f);
    }
}

static bool try_twice(void *arg, const struct fault_case *c)
{
    uint8_t mac[KEYRING_HASH_BYTES], wanted[KEYRING_HASH_BYTES];
    struct io *after_power_loss = NULL;
    struct faulty f;

    (void)arg;
    faulty_begin(&f, true);
    fault_arm_case(f.io, c);
    IGNORE(ops_store(&f.world)); /* whatever it told, what comes next must hold */
    bool has_failed = fault_name(f.io) != NULL;
    fault_arm(f.io, 0, 0, false);
    check_ok(ops_settings(&f.world));
    memcpy(wanted, keyring_file_current(f.world.h.file)->mac, sizeof wanted);
    keyring_file_close(f.world.h.file);
    f.world.h.file = NULL;
    lose_power(&f, &after_power_loss);
    check_ok(ops_reopen(&f.world, after_power_loss, mac));
    assert_memory_equal(mac, wanted, sizeof mac);
    crash_free(after_power_loss);
    faulty_end(&f);
    return has_failed;
}

/* After a failed change another one works, in the same process, and is durable. */
static void fault__then_another_change__is_durable(void **state)
{
    (void)state;
    assert_true(fault_each(try_twice, NULL, EIO, false) > 9);
}

static ks_rc open_world(struct faulty *f)
{
    CLEANUP(keyset_freep) struct keyset *keys = NULL;

    TRY(keyring_file_open(f->io, f->world.dir, true, &f->world.h.file));
    return hierarchy_open(&f->world.h, &keys);
}

/* Opening, which also mends a damaged copy, with its n-th call failing. */
static bool try_open_fault(void *arg, const struct fault_case *c)
{
    const bool *is_damaged = arg;
    struct faulty f;
    struct io_node *node;
    uint8_t mac[KEYRING_HASH_BYTES];

    faulty_begin(&f, true);
    keyring_file_close(f.world.h.file);
    f.world.h.file = NULL;
    if (*is_damaged) {
        check_ok(f.io->ops->lookup(f.io, f.world.dir, "keyring.0", &node, NULL));
        f.io->ops->node_close(f.io, node);
        check_ok(f.io->ops->unlink(f.io, f.world.dir, "keyring.0"));
    }
    fault_arm_case(f.io, c);
    IGNORE(open_world(&f)); /* it may fail or not: the volume must be as it was */
    bool has_failed = fault_name(f.io) != NULL;
    fault_arm(f.io, 0, 0, false);
    keyring_file_close(f.world.h.file);
    f.world.h.file = NULL;
    check_ok(ops_reopen(&f.world, f.below, mac));
    assert_memory_equal(mac, f.old_mac, sizeof mac);
    faulty_end(&f);
    return has_failed;
}

static void fault__while_opening__nothing_is_lost(void **state)
{
    size_t tried = 0;

    (void)state;
    for (int is_damaged = 0; is_damaged < 2; is_damaged++)
        tried += fault_each_kind(try_open_fault, &(bool){is_damaged});
    print_message("open: %zu faults\n", tried);
    assert_true(tried > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fault__in_each_operation__tells_the_truth),
        cmocka_unit_test(second_copy_cannot_be_written__only_what_takes_away_fails),
        cmocka_unit_test(fault__then_another_change__is_durable),
        cmocka_unit_test(fault__while_opening__nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
