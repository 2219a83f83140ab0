/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: every call of the file system below fails once, or fails for good, while a revocation is recorded or
 * its record is removed: a result that tells the truth. What reported success is durable, also when the power
 * goes right behind it; a failed revoke never removes a record; a second try that succeeds is durable.
 */
#include "check.h"

#include "fault_each.h"
#include "io/crash.h"
#include "volume/revoked.h"

enum { NOW = 1900000000 };

struct faulty {
    struct io *below, *io;
    struct io_node *dir;
};

static void begin(struct faulty *f, bool is_revoked)
{
    check_ok(crash_new(&f->below));
    check_ok(fault_new(f->below, &f->io));
    check_ok(f->io->ops->open_root(f->io, "/", &f->dir));
    if (is_revoked)
        check_ok(revoked_set(f->io, f->dir, NOW));
}

static void end(struct faulty *f)
{
    f->io->ops->node_close(f->io, f->dir);
    fault_free(f->io);
    crash_free(f->below);
}

static bool is_revoked_in(struct io *io)
{
    struct io_node *dir;
    bool is_revoked = false;

    check_ok(io->ops->open_root(io, "/", &dir));
    check_ok(revoked_check(io, dir, &is_revoked));
    io->ops->node_close(io, dir);
    return is_revoked;
}

static bool keep_none(void *arg, size_t i)
{
    (void)arg;
    (void)i;
    return false;
}

/* What a power loss leaves now, with nothing that was not synced. */
static bool is_revoked_after_power_loss(struct faulty *f)
{
    struct io *rebuilt;

    check_ok(crash_rebuild(f->below, crash_time(f->below), 0, keep_none, NULL, &rebuilt));
    bool is_revoked = is_revoked_in(rebuilt);
    crash_free(rebuilt);
    return is_revoked;
}

static ks_rc change(struct faulty *f, bool is_revoking)
{
    return is_revoking ? revoked_set(f->io, f->dir, NOW) : revoked_clear(f->io, f->dir);
}

static void check_truth(struct faulty *f, bool was_revoked, bool is_revoking, ks_rc rc)
{
    if (ks_ok(rc) || was_revoked == is_revoking) {
        assert_int_equal(is_revoked_in(f->below), is_revoking);
        assert_int_equal(is_revoked_after_power_loss(f), is_revoking);
    }
}

/* The state before and the change. */
struct attempt {
    bool was_revoked, is_revoking;
};

static bool try_fault(void *arg, const struct fault_case *c)
{
    const struct attempt *a = arg;
    bool was_revoked = a->was_revoked, is_revoking = a->is_revoking;
    struct faulty f;

    begin(&f, was_revoked);
    fault_arm_case(f.io, c);
    ks_rc rc = change(&f, is_revoking);
    bool has_failed = fault_name(f.io) != NULL;
    fault_arm(f.io, 0, 0, false);
    if (!has_failed)
        check_ok(rc);
    check_truth(&f, was_revoked, is_revoking, rc);
    check_ok(change(&f, is_revoking));
    check_truth(&f, was_revoked, is_revoking, KS_SUCCESS);
    end(&f);
    return has_failed;
}

static void fault__in_each_call__tells_the_truth(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        struct attempt a = {.was_revoked = variant & 1, .is_revoking = variant & 2};
        size_t tried = fault_each_kind(try_fault, &a);

        print_message("%s, %s before: %zu faults\n", a.is_revoking ? "revoke" : "restore",
                      a.was_revoked ? "revoked" : "not revoked", tried);
        assert_true(tried >= 6 * 2); /* at least the change itself and the sync of the directory */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fault__in_each_call__tells_the_truth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
