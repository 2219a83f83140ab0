/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: descriptors of a mount are counted whatever the namespace, nothing else is, and nobody waits for it.
 */
#include "fuse/holders.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/mem.h"
#include "check.h"

enum { SOON_MS = 10000, PATH_BYTES = 256, FULL_BYTES = PATH_BYTES + 64 };

/* A /proc of our own. */
struct bench {
    char proc[32];
    struct holders *h;
};

static void put_text(struct bench *b, const char *path, const char *text)
{
    char full[FULL_BYTES];

    snprintf(full, sizeof full, "%s/%s", b->proc, path);
    FILE *f = fopen(full, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void put_dir(struct bench *b, const char *path)
{
    char full[FULL_BYTES];

    snprintf(full, sizeof full, "%s/%s", b->proc, path);
    assert_int_equal(mkdir(full, 0700), 0);
}

static void put_link(struct bench *b, const char *path, const char *target)
{
    char full[FULL_BYTES];

    snprintf(full, sizeof full, "%s/%s", b->proc, path);
    assert_int_equal(symlink(target, full), 0);
}

/* put_process(b, pid, comm, space, root): without descriptors. */
static void put_process(struct bench *b, const char *pid, const char *comm, const char *space,
                        const char *root)
{
    static const char *const dirs[] = {"", "/fd", "/fdinfo", "/ns"};
    char path[PATH_BYTES];

    for (size_t k = 0; k < sizeof dirs / sizeof dirs[0]; k++) {
        snprintf(path, sizeof path, "%s%s", pid, dirs[k]);
        put_dir(b, path);
    }
    snprintf(path, sizeof path, "%s/comm", pid);
    put_text(b, path, comm);
    snprintf(path, sizeof path, "%s/ns/mnt", pid);
    put_link(b, path, space);
    snprintf(path, sizeof path, "%s/root", pid);
    put_link(b, path, root);
    snprintf(path, sizeof path, "%s/mountinfo", pid);
    put_text(b, path, "");
}

static void put_mounts(struct bench *b, const char *pid, const char *text)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof path, "%s/mountinfo", pid);
    put_text(b, path, text);
}

static void put_descriptor(struct bench *b, const char *pid, int fd, const char *target, int mount)
{
    char path[PATH_BYTES], text[PATH_BYTES];

    snprintf(path, sizeof path, "%s/fd/%d", pid, fd);
    put_link(b, path, target);
    snprintf(path, sizeof path, "%s/fdinfo/%d", pid, fd);
    snprintf(text, sizeof text, "pos:\t0\nflags:\t0100000\nmnt_id:\t%d\nino:\t5\n", mount);
    put_text(b, path, text);
}

static int bench_new(void **state)
{
    struct bench *b;

    check_ok(mem_new(1, sizeof *b, &b));
    snprintf(b->proc, sizeof b->proc, "/tmp/holders-XXXXXX");
    assert_non_null(mkdtemp(b->proc));
    put_process(b, "self", "volume\n", "mnt:[100]", "/");
    put_mounts(b, "self",
               "22 1 254:0 / / rw - ext4 /dev/vda rw\n"
               "40 22 0:57 / /volume rw shared:1 - fuse.keystead keystead:/b rw\n"
               "41 22 0:58 / /other rw - fuse.keystead keystead:/c rw\n");
    struct holders_conf conf = {clock_system(), b->proc, makedev(0, 57)};
    check_ok(holders_start(&conf, &b->h));
    *state = b;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st, (void)type, (void)where;
    return remove(path);
}

static int bench_free(void **state)
{
    struct bench *b = *state;

    assert_true(holders_stop(b->h, SOON_MS));
    assert_int_equal(nftw(b->proc, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    mem_free(b);
    return 0;
}

static struct holders_found count(struct bench *b)
{
    struct holders_found found;

    holders_count(b->h);
    holders_take(b->h, SOON_MS, &found);
    assert_false(found.is_partial);
    return found;
}

static void count__nobody__is_nothing(void **state)
{
    struct bench *b = *state;

    put_process(b, "300", "idle\n", "mnt:[100]", "/");
    struct holders_found found = count(b);
    assert_int_equal(found.handles, 0);
    assert_int_equal(found.processes, 0);
    assert_string_equal(found.names, "");
}

static void count__two_processes__counts_their_descriptors_and_names_them(void **state)
{
    struct bench *b = *state;

    put_process(b, "300", "postgres\n", "mnt:[100]", "/");
    put_descriptor(b, "300", 3, "/volume/a", 40);
    put_descriptor(b, "300", 4, "/volume/b (deleted)", 40);
    put_descriptor(b, "300", 5, "/other/a", 41);
    put_descriptor(b, "300", 6, "/etc/passwd", 22);
    put_descriptor(b, "300", 7, "socket:[40]", 40);
    put_process(b, "301", "evil\nname\x1b[2J\n", "mnt:[100]", "/");
    put_descriptor(b, "301", 0, "/volume", 40);
    struct holders_found found = count(b);
    assert_int_equal(found.handles, 3);
    assert_int_equal(found.processes, 2);
    assert_non_null(strstr(found.names, "postgres[300]"));
    assert_non_null(strstr(found.names, "evil[301]"));
}

static void count__bind_mount_in_another_namespace__is_found(void **state)
{
    struct bench *b = *state;

    put_process(b, "300", "container\n", "mnt:[200]", "/");
    put_mounts(b, "300", "90 80 0:57 /sub /data rw - fuse.keystead keystead:/b rw\n");
    put_descriptor(b, "300", 3, "/data/file", 90);
    put_descriptor(b, "300", 4, "/else", 91);
    assert_int_equal(count(b).handles, 1);
}

static void count__first_process_of_a_namespace_sees_a_part__the_next_is_asked(void **state)
{
    struct bench *b = *state;

    put_process(b, "300", "jailed\n", "mnt:[200]", "/run/empty");
    put_process(b, "301", "free\n", "mnt:[200]", "/");
    put_mounts(b, "301", "90 80 0:57 / /data rw - fuse.keystead keystead:/b rw\n");
    put_descriptor(b, "301", 3, "/data/file", 90);
    assert_int_equal(count(b).handles, 1);
}

static void count__many_processes__names_some(void **state)
{
    struct bench *b = *state;
    char pid[16];

    for (int n = 0; n < HOLDERS_NAMED_MAX + 3; n++) {
        snprintf(pid, sizeof pid, "%d", 300 + n);
        put_process(b, pid, "backend-of-long-name\n", "mnt:[100]", "/");
        put_descriptor(b, pid, 3, "/volume/a", 40);
    }
    struct holders_found found = count(b);
    assert_int_equal(found.handles, HOLDERS_NAMED_MAX + 3);
    assert_int_equal(found.processes, HOLDERS_NAMED_MAX + 3);
    assert_non_null(strstr(found.names, " and others"));
}

static void count__own_process__is_left_out(void **state)
{
    struct bench *b = *state;
    char pid[16];

    snprintf(pid, sizeof pid, "%d", getpid());
    put_process(b, pid, "keystead\n", "mnt:[100]", "/");
    put_descriptor(b, pid, 3, "/volume/a", 40);
    assert_int_equal(count(b).handles, 0);
}

static void look__counted_lately__is_not_counted_again(void **state)
{
    struct bench *b = *state;
    struct holders_found found;

    assert_int_equal(count(b).handles, 0);
    put_process(b, "300", "postgres\n", "mnt:[100]", "/");
    put_descriptor(b, "300", 3, "/volume/a", 40);
    holders_look(b->h, UINT64_MAX, &found);
    assert_int_equal(found.handles, 0);
    assert_int_equal(count(b).handles, 1);
    holders_look(b->h, UINT64_MAX, &found);
    assert_int_equal(found.handles, 1);
}

/* A /proc that does not answer: opening a fifo to read waits for somebody who writes. */
static void hang(struct bench *b, char path[FULL_BYTES])
{
    put_process(b, "300", "stuck\n", "mnt:[100]", "/");
    put_descriptor(b, "300", 3, "/volume/a", 40);
    snprintf(path, FULL_BYTES, "%s/300/fdinfo/3", b->proc);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
}

static void take__count_hangs__says_what_is_known(void **state)
{
    struct bench *b = *state;
    struct holders_found found;
    char path[FULL_BYTES];

    hang(b, path);
    holders_count(b->h);
    holders_take(b->h, 1, &found);
    assert_true(found.is_partial);
    assert_int_equal(found.handles, 0);
    int fd = open(path, O_WRONLY | O_CLOEXEC); /* returns when the count is there */
    assert_true(fd >= 0);
    close(fd);
    holders_take(b->h, SOON_MS, &found);
    assert_false(found.is_partial);
}

static void look__while_a_lock_counts__begins_no_other_count(void **state)
{
    struct bench *b = *state;
    struct holders_found found;
    char path[FULL_BYTES], other[PATH_BYTES];

    hang(b, path);
    holders_count(b->h);
    holders_look(b->h, 0, &found); /* would wait for the fifo twice */
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(unlink(path), 0);
    snprintf(other, sizeof other, "300/fdinfo/3");
    put_text(b, other, "mnt_id:\t40\n"); /* a count from here on would find it */
    holders_look(b->h, 0, &found);
    holders_take(b->h, SOON_MS, &found);
    assert_false(found.is_partial);
    assert_int_equal(found.handles, 0);
    assert_int_equal(count(b).handles, 1);
}

static void peek__nobody_counted_yet__says_nothing_and_counts_nothing(void **state)
{
    struct bench *b = *state;
    struct holders_found found = {.handles = 9};

    put_process(b, "300", "postgres\n", "mnt:[100]", "/");
    put_descriptor(b, "300", 3, "/volume/a", 40);
    holders_peek(b->h, &found);
    assert_int_equal(found.handles, 0);
    holders_take(b->h, SOON_MS, &found); /* waits for whatever count was asked for: none was */
    assert_int_equal(found.handles, 0);
    assert_int_equal(count(b).handles, 1);
}

static void peek__after_a_count__says_what_that_found(void **state)
{
    struct bench *b = *state;
    struct holders_found found;

    put_process(b, "300", "postgres\n", "mnt:[100]", "/");
    put_descriptor(b, "300", 3, "/volume/a", 40);
    assert_int_equal(count(b).handles, 1);
    put_descriptor(b, "300", 4, "/volume/b", 40);
    holders_peek(b->h, &found);
    assert_int_equal(found.handles, 1);
    assert_non_null(strstr(found.names, "postgres[300]"));
    assert_int_equal(count(b).handles, 2);
}

static void take__no_proc__is_partial(void **state)
{
    struct holders_conf conf = {clock_system(), "/nowhere", makedev(0, 57)};
    struct holders_found found;
    struct holders *h;

    (void)state;
    check_ok(holders_start(&conf, &h));
    holders_count(h);
    holders_take(h, SOON_MS, &found);
    assert_true(found.is_partial);
    assert_true(holders_stop(h, SOON_MS));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_new, bench_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(count__nobody__is_nothing),
        TEST(count__two_processes__counts_their_descriptors_and_names_them),
        TEST(count__bind_mount_in_another_namespace__is_found),
        TEST(count__first_process_of_a_namespace_sees_a_part__the_next_is_asked),
        TEST(count__many_processes__names_some),
        TEST(count__own_process__is_left_out),
        TEST(look__counted_lately__is_not_counted_again),
        TEST(take__count_hangs__says_what_is_known),
        TEST(look__while_a_lock_counts__begins_no_other_count),
        TEST(peek__nobody_counted_yet__says_nothing_and_counts_nothing),
        TEST(peek__after_a_count__says_what_that_found),
        cmocka_unit_test(take__no_proc__is_partial),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
