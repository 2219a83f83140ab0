/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the crash back end rebuilds exactly the states that io/crash.h promises: small cases where the
 * set of states can be written down by hand and is compared as a whole.
 */
#include "enumerate.h"
#include "io_help.h"

#include <fcntl.h>

/* The states that were seen, each as a text, without doubles. */
enum { STATES_MAX = 64, STATE_BYTES = 128 };

struct seen {
    char texts[STATES_MAX][STATE_BYTES];
    size_t count, checked;
    const char *names; /* files to describe, one letter each */
};

static int setup(void **state)
{
    struct io *io = NULL;

    check_ok(crash_new(&io));
    *state = io;
    return 0;
}

static int teardown(void **state)
{
    crash_free(*state);
    return 0;
}

/* One letter for each page of an open file: its first byte, '.' for zeros; and the size. */
static void describe_file(struct io *io, struct io_node *root, const char *name, struct buf *ret)
{
    if (!help_exists(io, root, name)) {
        check_ok(buf_printf(ret, "%s- ", name));
        return;
    }
    struct io_file *file = help_open(io, root, name);
    uint64_t size = help_size(io, root, name);
    check_ok(buf_printf(ret, "%s:", name));
    for (uint64_t at = 0; at < size; at += IO_PAGE_BYTES) {
        int byte = help_byte(io, file, at);
        check_ok(buf_printf(ret, "%c", byte ? byte : '.'));
    }
    check_ok(buf_printf(ret, ",%u ", (unsigned)size));
    io->ops->close(io, file);
}

static ks_rc remember_state(void *arg, struct io *io, const struct crash_state *state)
{
    struct seen *s = arg;
    struct buf text = buf_init(STATE_BYTES - 1);
    struct io_node *root = help_root(io, "/");

    (void)state;
    for (const char *n = s->names; *n; n++)
        describe_file(io, root, (char[]){*n, '\0'}, &text);
    io->ops->node_close(io, root);
    s->checked++;
    size_t i = 0;
    while (i < s->count && strcmp(s->texts[i], buf_text(&text)) != 0)
        i++;
    assert_true(i < STATES_MAX);
    snprintf(s->texts[i], STATE_BYTES, "%s", buf_text(&text));
    if (i == s->count)
        s->count++;
    buf_done(&text);
    return KS_SUCCESS;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* All states from a time on are exactly those in want, which is sorted and ends with NULL. */
static void expect_states(struct io *io, size_t from, const char *names, const char *const *want)
{
    struct seen s = {.names = names};
    size_t i;

    size_t checked = crash_enumerate(io, from, 10, 0, 1, remember_state, &s);
    assert_int_equal(checked, s.checked);
    qsort(s.texts, s.count, STATE_BYTES, compare_texts);
    for (i = 0; i < s.count && want[i]; i++)
        assert_string_equal(s.texts[i], want[i]);
    if (i < s.count)
        fail_msg("a state that must not be: %s", s.texts[i]);
    if (want[i])
        fail_msg("a state that is missing: %s", want[i]);
}

#define EXPECT(io, from, names, ...)                                                               \
    expect_states(io, from, names, (const char *const[]){__VA_ARGS__, NULL})

/* A durable file of pages, one letter each; open. */
static struct io_file *durable(struct io *io, struct io_node *root, const char *name,
                               const char *pages)
{
    struct io_file *file = help_create(io, root, name);

    for (uint64_t i = 0; pages[i]; i++)
        help_fill(io, file, i, pages[i]);
    check_ok(io->ops->sync(io, file, false));
    return file;
}

#define WITH_ROOT()                                                                                \
    struct io *io = *state;                                                                        \
    struct io_node *root = help_root(io, "/")

static void write__without_sync__old_or_new(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "o");
    size_t from = crash_time(io);

    help_fill(io, a, 0, 'n');
    EXPECT(io, from, "a", "a:n,4096 ", "a:o,4096 ");
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void write__then_sync__only_new(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "o");

    help_fill(io, a, 0, 'n');
    check_ok(io->ops->sync(io, a, true));
    EXPECT(io, crash_time(io), "a", "a:n,4096 ");
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void write__sync_of_another_file__proves_nothing(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "o"), *b = durable(io, root, "b", "");

    help_fill(io, a, 0, 'n');
    check_ok(io->ops->sync(io, b, false));
    check_ok(io->ops->sync_dir(io, root));
    EXPECT(io, crash_time(io), "a", "a:n,4096 ", "a:o,4096 ");
    io->ops->close(io, a);
    io->ops->close(io, b);
    io->ops->node_close(io, root);
}

static void write__two_pages__four_states(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "oo");
    char two[2 * IO_PAGE_BYTES];

    memset(two, 'n', sizeof two);
    check_ok(io->ops->pwrite(io, a, two, sizeof two, 0));
    EXPECT(io, crash_time(io), "a", "a:nn,8192 ", "a:no,8192 ", "a:on,8192 ", "a:oo,8192 ");
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void write__same_page_twice__any_of_three(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "o");

    help_fill(io, a, 0, 'm');
    help_fill(io, a, 0, 'n');
    EXPECT(io, crash_time(io), "a", "a:m,4096 ", "a:n,4096 ", "a:o,4096 ");
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void write__before_and_after_sync__only_the_later_is_open(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "o");

    help_fill(io, a, 0, 'm');
    check_ok(io->ops->sync(io, a, false));
    help_fill(io, a, 0, 'n');
    EXPECT(io, crash_time(io), "a", "a:m,4096 ", "a:n,4096 ");
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void write__part_of_a_page__page_keeps_its_live_contents(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "o");
    struct io *rebuilt = NULL;
    size_t pages, metadata;

    check_ok(io->ops->pwrite(io, a, "XY", 2, 10));
    crash_pending(io, crash_time(io), &pages, &metadata);
    assert_int_equal(pages, 1);
    assert_int_equal(metadata, 0);
    check_ok(crash_rebuild(io, crash_time(io), 0, NULL, NULL, &rebuilt));
    struct io_node *new_root = help_root(rebuilt, "/");
    const char *text = help_get(rebuilt, new_root, "a");
    assert_memory_equal(text, "ooooooooooXYoooo", 16);
    rebuilt->ops->node_close(rebuilt, new_root);
    crash_free(rebuilt);
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void append__unaligned_end__size_is_the_logical_end(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "o");
    char bytes[5000];

    memset(bytes, 'n', sizeof bytes);
    check_ok(io->ops->pwrite(io, a, bytes, sizeof bytes, 4096));
    EXPECT(io, crash_time(io), "a", "a:o,4096 ", "a:o.n,9096 ", "a:on,8192 ", "a:onn,9096 ");
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void create__without_sync__there_or_not(void **state)
{
    WITH_ROOT();

    help_put(io, root, "a", "");
    EXPECT(io, 0, "a", "a- ", "a:,0 ");
    check_ok(io->ops->sync_dir(io, root));
    EXPECT(io, crash_time(io), "a", "a:,0 ");
    io->ops->node_close(io, root);
}

static void create__file_synced__name_is_durable_too(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "n");

    EXPECT(io, crash_time(io), "a", "a:n,4096 ");
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void create__dir_synced__contents_are_open(void **state)
{
    WITH_ROOT();

    help_put(io, root, "a", "n");
    check_ok(io->ops->sync_dir(io, root));
    EXPECT(io, crash_time(io), "a", "a:,0 ", "a:n,1 ");
    io->ops->node_close(io, root);
}

static void create__all_synced__nothing_is_open(void **state)
{
    WITH_ROOT();

    help_put(io, root, "a", "n");
    check_ok(io->ops->sync_all(io, root));
    EXPECT(io, crash_time(io), "a", "a:n,1 ");
    io->ops->node_close(io, root);
}

static void create__lost__pages_vanish_with_it(void **state)
{
    WITH_ROOT();

    help_put(io, root, "a", "n");
    EXPECT(io, crash_time(io), "a", "a- ", "a:,0 ", "a:n,1 ");
    io->ops->node_close(io, root);
}

static void metadata__three_creates__survive_as_a_prefix(void **state)
{
    WITH_ROOT();

    help_put(io, root, "a", "");
    help_put(io, root, "b", "");
    help_put(io, root, "c", "");
    EXPECT(io, crash_time(io), "abc", "a- b- c- ", "a:,0 b- c- ", "a:,0 b:,0 c- ",
           "a:,0 b:,0 c:,0 ");
    io->ops->node_close(io, root);
}

static void metadata__sync_of_a_file__covers_its_own_and_what_came_before(void **state)
{
    WITH_ROOT();
    struct io_file *a = help_create(io, root, "a"), *b = help_create(io, root, "b");

    help_put(io, root, "c", "");
    check_ok(io->ops->sync(io, b, false));
    EXPECT(io, crash_time(io), "abc", "a:,0 b:,0 c- ", "a:,0 b:,0 c:,0 ");
    io->ops->close(io, a);
    io->ops->close(io, b);
    io->ops->node_close(io, root);
}

static void metadata__sync_of_a_file_that_is_not_concerned__covers_nothing(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "o");

    help_put(io, root, "b", "");
    check_ok(io->ops->sync(io, a, false));
    EXPECT(io, crash_time(io), "ab", "a:o,4096 b- ", "a:o,4096 b:,0 ");
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void metadata__sync_of_another_directory__covers_nothing(void **state)
{
    WITH_ROOT();

    check_ok(io->ops->mkdir(io, root, "d", 0700));
    check_ok(io->ops->sync_dir(io, root));
    struct io_node *dir = help_lookup(io, root, "d");
    help_put(io, root, "a", "");
    check_ok(io->ops->sync_dir(io, dir));
    EXPECT(io, crash_time(io), "a", "a- ", "a:,0 ");
    check_ok(io->ops->rename(io, root, "a", dir, "a", 0));
    check_ok(io->ops->sync_dir(io, dir)); /* either directory of a move will do */
    EXPECT(io, crash_time(io), "a", "a- ");
    io->ops->node_close(io, dir);
    io->ops->node_close(io, root);
}

static void rename__sync_of_its_file__is_durable_unless_for_data_only(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "o");

    check_ok(io->ops->rename(io, root, "a", root, "b", 0));
    check_ok(io->ops->sync(io, a, true));
    EXPECT(io, crash_time(io), "ab", "a- b:o,4096 ", "a:o,4096 b- ");
    check_ok(io->ops->sync(io, a, false));
    EXPECT(io, crash_time(io), "ab", "a- b:o,4096 ");
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void truncate__data_sync__is_durable(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "oo");

    check_ok(io->ops->truncate(io, a, 100));
    check_ok(io->ops->sync(io, a, true));
    EXPECT(io, crash_time(io), "a", "a:o,100 ");
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void rename__over_a_file__never_neither_nor_a_mixture(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "o"), *b = durable(io, root, "b", "n");
    size_t from = crash_time(io);

    check_ok(io->ops->rename(io, root, "b", root, "a", 0));
    EXPECT(io, from, "ab", "a:n,4096 b- ", "a:o,4096 b:n,4096 ");
    check_ok(io->ops->sync_dir(io, root));
    EXPECT(io, crash_time(io), "ab", "a:n,4096 b- ");
    io->ops->close(io, a);
    io->ops->close(io, b);
    io->ops->node_close(io, root);
}

/* The classic mistake: the new name may come with none of the data. */
static void rename__contents_not_synced__may_be_empty(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "o");

    help_put(io, root, "b", "n");
    check_ok(io->ops->rename(io, root, "b", root, "a", 0));
    check_ok(io->ops->sync_dir(io, root));
    EXPECT(io, crash_time(io), "ab", "a:,0 b- ", "a:n,1 b- ");
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void rename__exchange__both_or_none(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "A"), *b = durable(io, root, "b", "B");

    check_ok(io->ops->rename(io, root, "a", root, "b", RENAME_EXCHANGE));
    EXPECT(io, crash_time(io), "ab", "a:A,4096 b:B,4096 ", "a:B,4096 b:A,4096 ");
    io->ops->close(io, a);
    io->ops->close(io, b);
    io->ops->node_close(io, root);
}

static void unlink__without_sync__file_may_come_back_whole(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "o");

    check_ok(io->ops->unlink(io, root, "a"));
    help_fill(io, a, 0, 'n');
    EXPECT(io, crash_time(io), "a", "a- ", "a:n,4096 ", "a:o,4096 ");
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void truncate__without_sync__old_or_new_size(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "oo");

    check_ok(io->ops->truncate(io, a, 100));
    EXPECT(io, crash_time(io), "a", "a:o,100 ", "a:oo,8192 ");
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void truncate__survives__earlier_page_write_is_gone(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "oo");

    help_fill(io, a, 1, 'n');
    check_ok(io->ops->truncate(io, a, 4096));
    EXPECT(io, crash_time(io), "a", "a:o,4096 ", "a:on,8192 ", "a:oo,8192 ");
    check_ok(io->ops->sync(io, a, false));
    EXPECT(io, crash_time(io), "a", "a:o,4096 ");
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void truncate__lost__later_page_write_still_applies(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "ooo");

    check_ok(io->ops->truncate(io, a, 0));
    help_fill(io, a, 1, 'n');
    EXPECT(io, crash_time(io), "a", "a:,0 ", "a:.n,8192 ", "a:ono,12288 ", "a:ooo,12288 ");
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void truncate__shrink_in_a_page_and_grow__no_old_bytes(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "o");

    check_ok(io->ops->truncate(io, a, 0));
    check_ok(io->ops->truncate(io, a, 4096));
    EXPECT(io, crash_time(io), "a", "a:,0 ", "a:.,4096 ", "a:o,4096 ");
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void extend__write_far_behind__missing_pages_are_zeros(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "o");

    help_fill(io, a, 1, 'x');
    help_fill(io, a, 3, 'y');
    EXPECT(io, crash_time(io), "a", "a:o,4096 ", "a:o..y,16384 ", "a:ox,8192 ", "a:ox.y,16384 ");
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

/* The file was long when the page was written, but the operation that made it so is lost: the page
 * brings the size to the end of the page, not to the old end. */
static void extend__allocation_lost__size_at_most_the_page_end(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "");

    check_ok(io->ops->fallocate(io, a, 0, 0, 16384));
    check_ok(io->ops->pwrite(io, a, "n", 1, 4096));
    EXPECT(io, crash_time(io), "a", "a:,0 ", "a:....,16384 ", "a:.n,8192 ", "a:.n..,16384 ");
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void punch__is_a_metadata_operation(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "oo");

    check_ok(io->ops->fallocate(io, a, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
    EXPECT(io, crash_time(io), "a", "a:.o,8192 ", "a:oo,8192 ");
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void write_zeros__over_data__old_or_zeros(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "oo");

    help_fill(io, a, 0, '\0');
    EXPECT(io, crash_time(io), "a", "a:.o,8192 ", "a:oo,8192 ");
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void metadata_and_pages__are_independent(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "o");

    help_put(io, root, "b", "");
    help_fill(io, a, 0, 'n');
    EXPECT(io, crash_time(io), "ab", "a:n,4096 b- ", "a:n,4096 b:,0 ", "a:o,4096 b- ",
           "a:o,4096 b:,0 ");
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void time__every_moment__shows_only_what_had_happened(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "o");
    size_t before = crash_time(io);

    help_fill(io, a, 0, 'm');
    check_ok(io->ops->sync(io, a, false));
    size_t pages, metadata;
    crash_pending(io, before, &pages, &metadata);
    assert_int_equal(pages, 0);
    crash_pending(io, before + 1, &pages, &metadata); /* written, but not synced by then */
    assert_int_equal(pages, 1);
    crash_pending(io, before + 2, &pages, &metadata);
    assert_int_equal(pages, 0);
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void attributes__xattr_and_mode__follow_the_prefix(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "");
    struct io *rebuilt = NULL;
    struct buf value = buf_init(16);
    struct stat st = {.st_mode = 0444};
    struct io_node *node = help_lookup(io, root, "a");

    check_ok(io->ops->xattr_set(io, node, "user.k", view_text("v"), 0));
    check_ok(io->ops->setattr(io, node, IO_ATTR_MODE, &st));
    check_ok(crash_rebuild(io, crash_time(io), 1, NULL, NULL, &rebuilt));
    struct io_node *new_root = help_root(rebuilt, "/");
    struct io_node *new_node = help_lookup(rebuilt, new_root, "a");
    check_ok(rebuilt->ops->xattr_get(rebuilt, new_node, "user.k", &value));
    assert_string_equal(buf_text(&value), "v");
    check_ok(rebuilt->ops->stat(rebuilt, new_node, &st));
    assert_int_equal(st.st_mode, S_IFREG | 0600);
    rebuilt->ops->node_close(rebuilt, new_node);
    rebuilt->ops->node_close(rebuilt, new_root);
    crash_free(rebuilt);
    buf_done(&value);
    io->ops->node_close(io, node);
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void directories__mkdir_symlink_link_rmdir__follow_the_prefix(void **state)
{
    WITH_ROOT();
    struct io_file *f = durable(io, root, "f", "x");
    struct io_node *node = help_lookup(io, root, "f");
    size_t pages, metadata;

    check_ok(io->ops->mkdir(io, root, "d", 0700));
    struct io_node *d = help_lookup(io, root, "d");
    check_ok(io->ops->link(io, node, d, "g"));
    check_ok(io->ops->symlink(io, d, "s", "g"));
    check_ok(io->ops->unlink(io, d, "s"));
    check_ok(io->ops->unlink(io, d, "g"));
    check_ok(io->ops->rmdir(io, root, "d"));
    crash_pending(io, crash_time(io), &pages, &metadata);
    assert_int_equal(metadata, 6);
    for (size_t kept = 0; kept <= 6; kept++) {
        struct io *rebuilt = NULL;
        check_ok(crash_rebuild(io, crash_time(io), kept, NULL, NULL, &rebuilt));
        struct io_node *r = help_root(rebuilt, "/");
        assert_int_equal(help_exists(rebuilt, r, "d"), kept >= 1 && kept < 6);
        if (kept >= 1 && kept < 6) {
            struct io_node *rd = help_lookup(rebuilt, r, "d");
            assert_int_equal(help_exists(rebuilt, rd, "g"), kept >= 2 && kept < 5);
            assert_int_equal(help_exists(rebuilt, rd, "s"), kept == 3);
            rebuilt->ops->node_close(rebuilt, rd);
        }
        rebuilt->ops->node_close(rebuilt, r);
        crash_free(rebuilt);
    }
    io->ops->node_close(io, d);
    io->ops->node_close(io, node);
    io->ops->close(io, f);
    io->ops->node_close(io, root);
}

static void rebuild__source_freed__the_new_one_lives_on(void **state)
{
    struct io *io = NULL, *rebuilt = NULL;
    size_t pages, metadata;

    (void)state;
    check_ok(crash_new(&io));
    struct io_node *root = help_root(io, "/");
    help_put(io, root, "a", "text");
    check_ok(crash_rebuild(io, crash_time(io), 1, NULL, NULL, &rebuilt));
    io->ops->node_close(io, root);
    crash_free(io);
    struct io_node *new_root = help_root(rebuilt, "/");
    assert_string_equal(help_get(rebuilt, new_root, "a"), "text");
    assert_int_equal(crash_time(rebuilt), 0);
    crash_pending(rebuilt, 0, &pages, &metadata);
    assert_int_equal(pages + metadata, 0);
    rebuilt->ops->node_close(rebuilt, new_root);
    crash_free(rebuilt);
}

/* A second power loss, during the recovery from the first. */
static void rebuild__of_a_rebuilt_one__starts_from_its_state(void **state)
{
    WITH_ROOT();
    struct io *once = NULL;
    struct io_file *a = durable(io, root, "a", "o");

    help_fill(io, a, 0, 'n');
    check_ok(crash_rebuild(io, crash_time(io), 0, NULL, NULL, &once));
    struct io_node *once_root = help_root(once, "/");
    struct io_file *again = help_open(once, once_root, "a");
    help_fill(once, again, 0, 'p');
    help_put(once, once_root, "b", "");
    EXPECT(once, crash_time(once), "ab", "a:n,4096 b- ", "a:n,4096 b:,0 ", "a:p,4096 b- ",
           "a:p,4096 b:,0 ");
    once->ops->close(once, again);
    once->ops->node_close(once, once_root);
    crash_free(once);
    assert_int_equal(help_byte(io, a, 0), 'n'); /* the source did not notice */
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void rebuild__unlinked_open_file__is_gone(void **state)
{
    WITH_ROOT();
    struct io *rebuilt = NULL;
    struct io_file *a = durable(io, root, "a", "o");
    struct stat st;

    check_ok(io->ops->unlink(io, root, "a"));
    help_fill(io, a, 0, 'n');
    check_ok(io->ops->sync(io, a, false));
    EXPECT(io, crash_time(io), "a", "a- ");
    check_ok(crash_rebuild(io, crash_time(io), 0, NULL, NULL, &rebuilt));
    struct io_node *new_root = help_root(rebuilt, "/");
    help_put(rebuilt, new_root, "b", ""); /* numbers are not given twice */
    struct io_node *b = help_lookup(rebuilt, new_root, "b");
    check_ok(rebuilt->ops->stat(rebuilt, b, &st));
    assert_int_equal(st.st_ino, 3);
    rebuilt->ops->node_close(rebuilt, b);
    rebuilt->ops->node_close(rebuilt, new_root);
    crash_free(rebuilt);
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void lock__after_power_loss__is_free(void **state)
{
    WITH_ROOT();
    struct io *rebuilt = NULL;
    struct io_file *a = durable(io, root, "a", "");

    check_ok(io->ops->lock(io, a));
    check_ok(crash_rebuild(io, crash_time(io), 0, NULL, NULL, &rebuilt));
    struct io_node *new_root = help_root(rebuilt, "/");
    struct io_file *again = help_open(rebuilt, new_root, "a");
    check_ok(rebuilt->ops->lock(rebuilt, again));
    rebuilt->ops->close(rebuilt, again);
    rebuilt->ops->node_close(rebuilt, new_root);
    crash_free(rebuilt);
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static ks_rc accept_state(void *arg, struct io *io, const struct crash_state *state)
{
    (void)arg, (void)io, (void)state;
    return KS_SUCCESS;
}

static void enumerate__many_pages__samples_are_the_same_each_time(void **state)
{
    WITH_ROOT();
    struct io_file *a = durable(io, root, "a", "oooooooo");
    struct seen one = {.names = "a"}, two = {.names = "a"};
    size_t end;

    for (uint64_t i = 0; i < 8; i++)
        help_fill(io, a, i, 'n');
    end = crash_time(io);
    assert_int_equal(crash_enumerate(io, end, 7, 20, 42, remember_state, &one), 22);
    assert_int_equal(crash_enumerate(io, end, 7, 20, 42, remember_state, &two), 22);
    assert_int_equal(one.count, two.count);
    assert_memory_equal(one.texts, two.texts, sizeof one.texts);
    assert_true(one.count > 10);
    assert_int_equal(crash_enumerate(io, end, 8, 0, 0, accept_state, NULL), 256);
    io->ops->close(io, a);
    io->ops->node_close(io, root);
}

static void state_text__names_the_state(void **state)
{
    const bool kept[] = {true, false, true};
    struct crash_state s = {
        .time = 7, .metadata = 2, .metadata_kept = 1, .pages = 3, .is_kept = kept};

    (void)state;
    assert_string_equal(crash_state_text(&s), "time 7, metadata 1 of 2, pages 101");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(write__without_sync__old_or_new),
        T(write__then_sync__only_new),
        T(write__sync_of_another_file__proves_nothing),
        T(write__two_pages__four_states),
        T(write__same_page_twice__any_of_three),
        T(write__before_and_after_sync__only_the_later_is_open),
        T(write__part_of_a_page__page_keeps_its_live_contents),
        T(append__unaligned_end__size_is_the_logical_end),
        T(create__without_sync__there_or_not),
        T(create__file_synced__name_is_durable_too),
        T(create__dir_synced__contents_are_open),
        T(create__all_synced__nothing_is_open),
        T(create__lost__pages_vanish_with_it),
        T(metadata__three_creates__survive_as_a_prefix),
        T(metadata__sync_of_a_file__covers_its_own_and_what_came_before),
        T(metadata__sync_of_a_file_that_is_not_concerned__covers_nothing),
        T(metadata__sync_of_another_directory__covers_nothing),
        T(rename__sync_of_its_file__is_durable_unless_for_data_only),
        T(truncate__data_sync__is_durable),
        T(rename__over_a_file__never_neither_nor_a_mixture),
        T(rename__contents_not_synced__may_be_empty),
        T(rename__exchange__both_or_none),
        T(unlink__without_sync__file_may_come_back_whole),
        T(truncate__without_sync__old_or_new_size),
        T(truncate__survives__earlier_page_write_is_gone),
        T(truncate__lost__later_page_write_still_applies),
        T(truncate__shrink_in_a_page_and_grow__no_old_bytes),
        T(extend__write_far_behind__missing_pages_are_zeros),
        T(extend__allocation_lost__size_at_most_the_page_end),
        T(punch__is_a_metadata_operation),
        T(write_zeros__over_data__old_or_zeros),
        T(metadata_and_pages__are_independent),
        T(time__every_moment__shows_only_what_had_happened),
        T(attributes__xattr_and_mode__follow_the_prefix),
        T(directories__mkdir_symlink_link_rmdir__follow_the_prefix),
        T(rebuild__source_freed__the_new_one_lives_on),
        T(rebuild__of_a_rebuilt_one__starts_from_its_state),
        T(rebuild__unlinked_open_file__is_gone),
        T(lock__after_power_loss__is_free),
        T(enumerate__many_pages__samples_are_the_same_each_time),
        T(state_text__names_the_state),
    };
#undef T

    return cmocka_run_group_tests(tests, NULL, NULL);
}
