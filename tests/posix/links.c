/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/links.c - hard links, symbolic links, and files without a name.
 */
#include <stdio.h>

#include "suite.h"

static void hard_link(const void *row)
{
    enum thing thing = *(const enum thing *)row;

    make_thing(thing, "a");
    if (thing == A_DIRECTORY) {
        FAILS(EPERM, link("a", "b"));
        return;
    }
    OK(link("a", "b"));
    SAME(stat_of("a").st_nlink, 2);
    SAME(stat_of("b").st_nlink, 2);
    SAME(stat_of("a").st_ino, stat_of("b").st_ino);
    OK(unlink("a"));
    SAME(stat_of("b").st_nlink, 1);
    SAME(stat_of("b").st_mode & S_IFMT, thing_types[thing]);
}

static void both_names_are_one_file(void)
{
    put("a", "text");
    OK(mkdir("d", 0755));
    OK(link("a", "d/b"));
    OK(chmod("a", 0600));
    SAME(mode_of("d/b"), 0600);
    OK(truncate("d/b", 2));
    holds_text("a", "te");
    int fd = (int)OK(open("a", O_WRONLY | O_APPEND | O_CLOEXEC));
    SAME(write(fd, "st", 2), 2);
    holds_text("d/b", "test");
    SAME(stat_of("d/b").st_size, 4);
    SAME(stat_of("a").st_mtim.tv_nsec, stat_of("d/b").st_mtim.tv_nsec);
}

static void many_links(void)
{
    enum { LINKS = 1000 };
    char name[16];

    put("a", "text");
    for (int i = 0; i < LINKS; i++) {
        snprintf(name, sizeof name, "l%d", i);
        OK(link("a", name));
    }
    SAME(stat_of("l7").st_nlink, LINKS + 1);
    for (int i = 0; i < LINKS; i++) {
        snprintf(name, sizeof name, "l%d", i);
        OK(unlink(name));
    }
    SAME(stat_of("a").st_nlink, 1);
    holds_text("a", "text");
}

static void link_of_a_symlink(void)
{
    put("f", "text");
    OK(symlink("f", "s"));
    OK(link("s", "hard"));
    HOLDS(S_ISLNK(stat_of("hard").st_mode));
    OK(linkat(AT_FDCWD, "s", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
    HOLDS(S_ISREG(stat_of("followed").st_mode));
    SAME(stat_of("f").st_nlink, 2);
}

static void link_of_a_descriptor(void)
{
    put("f", "text");
    int fd = (int)OK(open("f", O_RDONLY | O_CLOEXEC));
    OK(linkat(fd, "", AT_FDCWD, "g", AT_EMPTY_PATH));
    SAME(stat_of("g").st_nlink, 2);
    OK(unlink("f"));
    OK(unlink("g"));
    FAILS(ENOENT, linkat(fd, "", AT_FDCWD, "h", AT_EMPTY_PATH));
}

static void another_file_system(void)
{
    char to[64];

    put("f", "text");
    snprintf(to, sizeof to, "/dev/shm/posix-suite-%d", getpid());
    FAILS(EXDEV, link("f", to));
    FAILS(EXDEV, rename("f", to));
    holds_text("f", "text");
}

static void link_bad_flags(void)
{
    put("f", "text");
    FAILS(EINVAL, linkat(AT_FDCWD, "f", AT_FDCWD, "g", 0x40000));
    FAILS(ENOENT, link("missing", "g"));
}

/* --- symbolic links --- */

static void target_of_length(const void *row)
{
    size_t len = *(const size_t *)row;
    char *target = calloc(1, len + 1), got[8192];

    HOLDS(target != NULL);
    memset(target, 't', len);
    OK(symlink(target, "s"));
    SAME(stat_of("s").st_size, len);
    SAME(readlink("s", got, sizeof got), len);
    HOLDS(memcmp(got, target, len) == 0);
    free(target);
}

static void target_of_4096_bytes(void)
{
    char target[4097] = {0};

    memset(target, 't', 4096);
    FAILS(ENAMETOOLONG, symlink(target, "s"));
}

static void target_is_any_bytes(void)
{
    char target[256], got[300];

    for (int i = 0; i < 255; i++)
        target[i] = (char)(i + 1);
    target[255] = 0;
    OK(symlink(target, "s"));
    SAME(readlink("s", got, sizeof got), 255);
    HOLDS(memcmp(target, got, 255) == 0);
}

static void short_buffer(void)
{
    char got[4] = "----";

    OK(symlink("target", "s"));
    SAME(readlink("s", got, 3), 3);
    HOLDS(memcmp(got, "tar-", 4) == 0);
    FAILS(EINVAL, readlink("s", got, 0));
    put("f", "text");
    FAILS(EINVAL, readlink("f", got, 4));
}

static void empty_target(void)
{
    FAILS(ENOENT, symlink("", "s"));
}

static void links_are_followed(void)
{
    OK(mkdir("d", 0755));
    put("d/f", "text");
    OK(symlink("d", "to_dir"));
    OK(symlink("../d/f", "d/up"));
    holds_text("to_dir/f", "text");
    holds_text("to_dir/up", "text");
    OK(mkdir("to_dir/new", 0755));
    HOLDS(S_ISDIR(stat_of("d/new").st_mode));
    FAILS(ENOTDIR, rmdir("to_dir"));
    OK(unlink("to_dir"));
    holds_text("d/f", "text");
}

static void forty_links_are_followed(void)
{
    char from[16], to[16];

    put("l40", "text");
    for (int i = 39; i >= 0; i--) {
        snprintf(from, sizeof from, "l%d", i);
        snprintf(to, sizeof to, "l%d", i + 1);
        OK(symlink(to, from));
    }
    holds_text("l0", "text");
}

static void owner_of_a_link(void)
{
    OK(symlink("target", "s"));
    OK(lchown("s", USER_A, GROUP_B));
    SAME(stat_of("s").st_uid, USER_A);
    SAME(stat_of("s").st_gid, GROUP_B);
    SAME(mode_of("s"), 0777);
}

/* --- files without a name --- */

static void unlinked_file_lives_on(void)
{
    int fd = (int)OK(open("x", O_RDWR | O_CREAT | O_CLOEXEC, 0644));

    SAME(write(fd, "text", 4), 4);
    OK(unlink("x"));
    SAME(stat_of_fd(fd).st_nlink, 0);
    put_pattern(fd, 0, 20000);
    holds_pattern(fd, 0, 20000);
    SAME(stat_of_fd(fd).st_size, 20000);
    OK(ftruncate(fd, 100));
    SAME(stat_of_fd(fd).st_size, 100);
    OK(fchmod(fd, 0600));
    OK(fchown(fd, USER_A, GROUP_A));
    OK(futimens(fd, NULL));
    OK(fsync(fd));
    SAME(stat_of_fd(fd).st_uid, USER_A);
    SAME(stat_of_fd(fd).st_mode & 07777, 0600);
    reread(fd);
    holds_pattern(fd, 0, 100);
    put("x", "new");
    SAME(stat_of_fd(fd).st_size, 100);
    holds_text("x", "new");
}

static void replaced_file_lives_on(void)
{
    put("a", "old");
    put("b", "new");
    int fd = (int)OK(open("a", O_RDONLY | O_CLOEXEC));
    OK(rename("b", "a"));
    char got[4];
    SAME(read(fd, got, 4), 3);
    HOLDS(memcmp(got, "old", 3) == 0);
    SAME(stat_of_fd(fd).st_nlink, 0);
    holds_text("a", "new");
}

static void unlinked_by_one_of_two_names(void)
{
    put("a", "text");
    OK(link("a", "b"));
    int fd = (int)OK(open("a", O_RDWR | O_CLOEXEC));
    OK(unlink("a"));
    SAME(stat_of_fd(fd).st_nlink, 1);
    SAME(pwrite(fd, "T", 1, 0), 1);
    holds_text("b", "Text");
}

static void reopened_by_proc(void)
{
    char path[64], got[8];

    put("x", "text");
    int fd = (int)OK(open("x", O_RDONLY | O_CLOEXEC));
    OK(unlink("x"));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int again = (int)OK(open(path, O_RDWR | O_CLOEXEC));
    SAME(pwrite(again, "T", 1, 0), 1);
    SAME(pread(fd, got, 8, 0), 4);
    SAME(got[0], 'T');
}

static const struct suite_test tests[] = {
    TEST(both_names_are_one_file),
    TEST(many_links),
    TEST(link_of_a_symlink),
    TEST(link_of_a_descriptor),
    TEST(another_file_system),
    TEST(link_bad_flags),
    TEST(target_of_4096_bytes),
    TEST(target_is_any_bytes),
    TEST(short_buffer),
    TEST(empty_target),
    TEST(links_are_followed),
    TEST(forty_links_are_followed),
    TEST(owner_of_a_link),
    TEST(unlinked_file_lives_on),
    TEST(replaced_file_lives_on),
    TEST(unlinked_by_one_of_two_names),
    TEST(reopened_by_proc),
};

void links_cases(void)
{
    static const size_t lengths[] = {1, 59, 60, 61, 255, 1000, 3000, 4000, 4094, 4095};

    for (enum thing thing = 0; thing < THING_COUNT; thing++)
        suite_case(hard_link, &thing, "hard_link__of_a_%s", thing_names[thing]);
    for (size_t i = 0; i < COUNT(lengths); i++)
        suite_case(target_of_length, &lengths[i], "symlink__target_of_%zu_bytes", lengths[i]);
    suite_tests(tests, COUNT(tests));
}
