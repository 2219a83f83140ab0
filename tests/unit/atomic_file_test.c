/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a file written with atomic_file_write is old or new and never anything else: after a power loss
 * at any time and with any choice, and after a failure of any one of its calls.
 */
#include "enumerate.h"
#include "io_help.h"

#include "io/atomic_file.h"
#include "io/fault.h"

enum { NEW_BYTES = 3 * IO_PAGE_BYTES + 100 };

static char new_bytes[NEW_BYTES];

struct fixture {
    struct io *io;
    struct io_node *root;
};

static int setup(void **state)
{
    static struct fixture f;

    memset(new_bytes, 'n', sizeof new_bytes);
    check_ok(crash_new(&f.io));
    f.root = help_root(f.io, "/");
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    f->io->ops->node_close(f->io, f->root);
    crash_free(f->io);
    return 0;
}

static struct view new_view(void)
{
    return view_of(new_bytes, sizeof new_bytes);
}

enum contents { NONE, OLD, NEW };

/* What the file "a" holds; anything else fails the test. */
static enum contents contents(struct io *io, struct io_node *root)
{
    struct buf got = buf_init(2 * NEW_BYTES);
    ks_rc rc = atomic_file_read(io, root, "a", 2 * NEW_BYTES, &got);
    enum contents found = NONE;

    if (ks_ok(rc)) {
        found = got.len == 3 ? OLD : NEW;
        check_bytes(buf_view(&got), found == OLD ? view_text("old") : new_view());
    } else {
        check_os(rc, ENOENT);
    }
    buf_done(&got);
    return found;
}

static void write__then_read__round_trip(void **state)
{
    struct fixture *f = *state;
    struct stat st;

    check_ok(atomic_file_write(f->io, f->root, "a", 0640, view_text("old")));
    assert_int_equal(contents(f->io, f->root), OLD);
    check_ok(atomic_file_write(f->io, f->root, "a", 0640, new_view()));
    assert_int_equal(contents(f->io, f->root), NEW);
    assert_false(help_exists(f->io, f->root, "a.tmp"));
    struct io_node *node = help_lookup(f->io, f->root, "a");
    check_ok(f->io->ops->stat(f->io, node, &st));
    assert_int_equal(st.st_mode, S_IFREG | 0640);
    f->io->ops->node_close(f->io, node);
}

static void write__empty__is_an_empty_file(void **state)
{
    struct fixture *f = *state;
    struct buf got = buf_init(10);

    check_ok(atomic_file_write(f->io, f->root, "a", 0600, view_of(NULL, 0)));
    check_ok(atomic_file_read(f->io, f->root, "a", 10, &got));
    assert_int_equal(got.len, 0);
    buf_done(&got);
}

static void write__on_the_host__round_trip(void **state)
{
    char path[64];

    (void)state;
    help_temp_dir(path);
    struct io_node *root = help_root(io_posix(), path);
    check_ok(atomic_file_write(io_posix(), root, "a", 0600, view_text("old")));
    check_ok(atomic_file_write(io_posix(), root, "a", 0600, new_view()));
    assert_int_equal(contents(io_posix(), root), NEW);
    io_posix()->ops->node_close(io_posix(), root);
    help_temp_remove(path);
}

static void write__left_over_tmp__is_replaced(void **state)
{
    struct fixture *f = *state;

    help_put(f->io, f->root, "a.tmp", "a much longer text than the one that is written now");
    check_ok(atomic_file_write(f->io, f->root, "a", 0600, view_text("old")));
    assert_string_equal(help_get(f->io, f->root, "a"), "old");
}

static void write__name_too_long__fails_with_the_name(void **state)
{
    struct fixture *f = *state;
    char name[IO_NAME_BYTES];

    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    ks_rc rc = atomic_file_write(f->io, f->root, name, 0600, view_text("x"));
    check_os(rc, ENAMETOOLONG);
    check_text(rc, "cannot write xxx");
}

static void read__limits_and_missing__say_which_file(void **state)
{
    struct fixture *f = *state;
    struct buf got = buf_init(100);

    check_ok(buf_append(&got, view_text("before")));
    help_put(f->io, f->root, "a", "0123456789");
    check_rc(atomic_file_read(f->io, f->root, "a", 9, &got), LIMIT);
    ks_rc rc = atomic_file_read(f->io, f->root, "none", 9, &got);
    check_os(rc, ENOENT);
    check_text(rc, "none");
    assert_string_equal(buf_text(&got), "before");
    check_ok(atomic_file_read(f->io, f->root, "a", 10, &got));
    assert_string_equal(buf_text(&got), "before0123456789");
    buf_done(&got);
}

static void read__not_a_regular_file__fails(void **state)
{
    struct fixture *f = *state;
    struct buf got = buf_init(100);

    check_ok(f->io->ops->mkdir(f->io, f->root, "d", 0700));
    check_ok(f->io->ops->symlink(f->io, f->root, "s", "d"));
    check_os(atomic_file_read(f->io, f->root, "d", 10, &got), EISDIR);
    check_os(atomic_file_read(f->io, f->root, "s", 10, &got), ELOOP);
}

static void read__any_call_fails__buf_unchanged(void **state)
{
    struct fixture *f = *state;
    struct io *io = NULL;

    help_put(f->io, f->root, "a", "old");
    check_ok(fault_new(f->io, &io));
    for (uint64_t n = 1;; n++) {
        struct buf got = buf_init(10);
        check_ok(buf_append(&got, view_text("x")));
        fault_arm(io, n, EIO, false);
        ks_rc rc = atomic_file_read(io, f->root, "a", 9, &got);
        bool is_over = ks_ok(rc);
        assert_string_equal(buf_text(&got), is_over ? "xold" : "x");
        buf_done(&got);
        if (is_over)
            break;
        check_os(rc, EIO);
        assert_true(n < 10);
    }
    fault_free(io);
}

struct times {
    size_t begun, done; /* of the write of the new contents */
};

static ks_rc check_old_or_new(void *arg, struct io *io, const struct crash_state *state)
{
    const struct times *times = arg;
    struct io_node *root = help_root(io, "/");
    enum contents found = contents(io, root);

    if (state->time >= times->done)
        assert_int_equal(found, NEW);
    else
        assert_true(found == OLD || found == NEW);
    if (state->time <= times->begun)
        assert_int_equal(found, OLD);
    /* and the next write works, whatever the crash left behind */
    check_ok(atomic_file_write(io, root, "a", 0600, view_text("old")));
    assert_int_equal(contents(io, root), OLD);
    io->ops->node_close(io, root);
    return KS_SUCCESS;
}

static void write__power_loss_at_any_time__old_or_new(void **state)
{
    struct fixture *f = *state;
    struct times times;

    check_ok(atomic_file_write(f->io, f->root, "a", 0600, view_text("old")));
    times.begun = crash_time(f->io);
    check_ok(atomic_file_write(f->io, f->root, "a", 0600, new_view()));
    times.done = crash_time(f->io);
    assert_true(crash_enumerate(f->io, times.begun, 10, 0, 1, check_old_or_new, &times) > 30);
}

static ks_rc count_mixtures(void *arg, struct io *io, const struct crash_state *state)
{
    struct io_node *root = help_root(io, "/");
    struct buf got = buf_init(2 * NEW_BYTES);
    size_t *mixtures = arg;

    (void)state;
    check_ok(atomic_file_read(io, root, "a", 2 * NEW_BYTES, &got));
    *mixtures += !view_is_equal(buf_view(&got), new_view());
    buf_done(&got);
    io->ops->node_close(io, root);
    return KS_SUCCESS;
}

/* The power loss test above must be able to fail: a write that forgets to sync the contents before
 * the rename leaves mixtures, in every state but the one with all four pages. */
static void write__without_its_sync__leaves_mixtures(void **state)
{
    struct fixture *f = *state;
    struct io_file *file = help_create(f->io, f->root, "a.tmp");
    size_t mixtures = 0;

    check_ok(f->io->ops->pwrite(f->io, file, new_bytes, sizeof new_bytes, 0));
    check_ok(f->io->ops->rename(f->io, f->root, "a.tmp", f->root, "a", 0));
    check_ok(f->io->ops->sync_dir(f->io, f->root));
    f->io->ops->close(f->io, file);
    size_t checked = crash_enumerate(f->io, crash_time(f->io), 10, 0, 1, count_mixtures, &mixtures);
    assert_int_equal(checked, 16);
    assert_int_equal(mixtures, 15);
}

static void write__any_call_fails__old_or_new_and_the_next_works(void **state)
{
    struct fixture *f = *state;
    struct io *io = NULL;
    uint64_t n = 0;
    ks_rc rc;

    check_ok(fault_new(f->io, &io));
    do {
        check_ok(atomic_file_write(f->io, f->root, "a", 0600, view_text("old")));
        n++;
        fault_arm(io, n, ENOSPC, n % 2);
        rc = atomic_file_write(io, f->root, "a", 0600, new_view());
        enum contents found = contents(f->io, f->root);
        if (ks_ok(rc)) {
            assert_int_equal(found, NEW);
        } else {
            check_os(rc, ENOSPC);
            check_text(rc, "cannot write a");
            /* only when the last step failed may the new contents be there */
            assert_int_equal(found, strcmp(fault_name(io), "sync_dir") == 0 ? NEW : OLD);
        }
    } while (!ks_ok(rc));
    assert_int_equal(n, 7);
    fault_free(io);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(write__then_read__round_trip),
        T(write__empty__is_an_empty_file),
        T(write__on_the_host__round_trip),
        T(write__left_over_tmp__is_replaced),
        T(write__name_too_long__fails_with_the_name),
        T(read__limits_and_missing__say_which_file),
        T(read__not_a_regular_file__fails),
        T(read__any_call_fails__buf_unchanged),
        T(write__power_loss_at_any_time__old_or_new),
        T(write__without_its_sync__leaves_mixtures),
        T(write__any_call_fails__old_or_new_and_the_next_works),
    };
#undef T

    return cmocka_run_group_tests(tests, NULL, NULL);
}
