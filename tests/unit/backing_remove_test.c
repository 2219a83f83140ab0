/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a volume without files ends whatever a crash has left beside its tree, and one in which anything is that could be
 * somebody's stays a volume that opens.
 */
#include "io_help.h"

#include "io/crash.h"
#include "kms/drv_fake.h"
#include "volume/backing.h"

struct world {
    struct io *io;
    struct backing_conf conf;
};

static int begin(void **state)
{
    static const struct key_spec spec = {"FAKE", "k1", ""};
    static const struct backing_create how = {.label = "orders",
                                              .block_payload = 3584,
                                              .settings = {60000, 15000, 3600000, 0},
                                              .specs = &spec,
                                              .spec_count = 1};
    static struct world w;

    fake_reset();
    check_ok(crash_new(&w.io));
    w.conf = (struct backing_conf){
        .io = w.io, .clock = clock_system(), .random = random_system(), .path = "/vol"};
    check_ok(backing_create(&w.conf, &how));
    *state = &w;
    return 0;
}

static int end(void **state)
{
    struct world *w = *state;

    crash_free(w->io);
    return 0;
}

static ks_rc remove_volume(struct world *w)
{
    CLEANUP(backing_closep) struct backing *b = NULL;

    TRY(backing_open(&w->conf, true, &b));
    return backing_remove(b);
}

static void check_is_volume(struct world *w)
{
    CLEANUP(backing_closep) struct backing *b = NULL;
    CLEANUP(keyset_freep) struct keyset *keys = NULL;

    check_ok(backing_open(&w->conf, true, &b));
    check_ok(backing_unlock(b, &keys));
}

static void check_is_empty(struct world *w)
{
    struct io_node *root = help_root(w->io, "/");

    check_ok(w->io->ops->rmdir(w->io, root, "vol"));
    w->io->ops->node_close(w->io, root);
}

static void make_dir(struct world *w, const char *path, const char *name)
{
    struct io_node *dir = help_root(w->io, path);

    check_ok(w->io->ops->mkdir(w->io, dir, name, 0700));
    w->io->ops->node_close(w->io, dir);
}

static void make_file(struct world *w, const char *path, const char *name)
{
    struct io_node *dir = help_root(w->io, path);

    help_put(w->io, dir, name, "");
    w->io->ops->node_close(w->io, dir);
}

static void new_volume__nothing_is_left(void **state)
{
    struct world *w = *state;

    check_ok(remove_volume(w));
    check_is_empty(w);
}

static void crash_left_a_directory_aside__nothing_is_left(void **state)
{
    struct world *w = *state;

    make_dir(w, "/vol/long", "new.0");
    make_file(w, "/vol/long", "new.1");
    make_dir(w, "/vol/long", "new.2");
    check_ok(remove_volume(w));
    check_is_empty(w);
}

/* Nothing of ours makes such a one. */
static void directory_aside_is_not_empty__is_named_and_stays_a_volume(void **state)
{
    struct world *w = *state;

    make_dir(w, "/vol/long", "new.0");
    make_file(w, "/vol/long/new.0", "letter");
    ks_rc rc = remove_volume(w);
    assert_true(ks_is_os(rc, ENOTEMPTY));
    check_text(rc, "long/new.0: ");
    check_is_volume(w);
}

static void object_in_the_tree__not_empty_and_stays_a_volume(void **state)
{
    struct world *w = *state;

    make_dir(w, "/vol/tree", "x");
    ks_rc rc = remove_volume(w);
    check_rc(rc, NOT_EMPTY);
    check_text(rc, "tree/x is left");
    check_is_volume(w);
}

static int add_driver(void **state)
{
    (void)state;
    return ks_ok(secret_init()) && ks_ok(kms_driver_add(&kms_driver_fake)) ? 0 : -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(new_volume__nothing_is_left),
        TEST(crash_left_a_directory_aside__nothing_is_left),
        TEST(directory_aside_is_not_empty__is_named_and_stays_a_volume),
        TEST(object_in_the_tree__not_empty_and_stays_a_volume),
    };

    return cmocka_run_group_tests(tests, add_driver, NULL);
}
