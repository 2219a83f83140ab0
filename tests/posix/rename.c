/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/rename.c - rename(2) and renameat2(2).
 */
#include <stdio.h>

#include "suite.h"

struct pair {
    enum thing from, to;
};

/* 0, or why one may not be put in place of the other. */
static int refusal(const struct pair *p)
{
    if (p->from == A_DIRECTORY && p->to != A_DIRECTORY)
        return ENOTDIR;
    return p->from != A_DIRECTORY && p->to == A_DIRECTORY ? EISDIR : 0;
}

static int rename_flags(const char *from, const char *to, unsigned flags)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, flags);
}

static void over(const void *row)
{
    const struct pair *p = row;
    struct stat st;

    make_thing(p->from, "a");
    make_thing(p->to, "b");
    ino_t ino = stat_of("a").st_ino;
    if (refusal(p)) {
        FAILS(refusal(p), rename("a", "b"));
        SAME(stat_of("a").st_ino, ino);
        SAME(stat_of("b").st_mode & S_IFMT, thing_types[p->to]);
        return;
    }
    OK(rename("a", "b"));
    FAILS(ENOENT, lstat("a", &st));
    SAME(stat_of("b").st_ino, ino);
    SAME(stat_of("b").st_nlink, p->from == A_DIRECTORY ? 2 : 1);
}

static void exchange(const void *row)
{
    const struct pair *p = row;

    make_thing(p->from, "a");
    OK(mkdir("d", 0755));
    make_thing(p->to, "d/b");
    ino_t a = stat_of("a").st_ino, b = stat_of("d/b").st_ino;
    OK(rename_flags("a", "d/b", RENAME_EXCHANGE));
    SAME(stat_of("a").st_ino, b);
    SAME(stat_of("d/b").st_ino, a);
    SAME(stat_of("d").st_nlink, p->from == A_DIRECTORY ? 3 : 2);
    SAME(stat_of(".").st_nlink, p->to == A_DIRECTORY ? 4 : 3);
}

static enum thing thing_of(const void *row)
{
    return *(const enum thing *)row;
}

static void to_a_new_name(const void *row)
{
    struct stat st;

    make_thing(thing_of(row), "a");
    OK(mkdir("d", 0755));
    ino_t ino = stat_of("a").st_ino;
    OK(rename("a", "d/b"));
    FAILS(ENOENT, lstat("a", &st));
    SAME(stat_of("d/b").st_ino, ino);
    OK(rename("d/b", "a"));
    SAME(stat_of("a").st_ino, ino);
}

static void no_replace(const void *row)
{
    enum thing thing = thing_of(row);

    make_thing(thing, "a");
    make_thing(thing, "b");
    FAILS(EEXIST, rename_flags("a", "b", RENAME_NOREPLACE));
    stat_of("a");
    OK(rename_flags("a", "c", RENAME_NOREPLACE));
    stat_of("c");
}

static void two_names_of_one_file(const void *row)
{
    enum thing thing = thing_of(row);

    make_thing(thing, "a");
    if (thing == A_DIRECTORY) {
        OK(rename("a", "a"));
        return;
    }
    OK(link("a", "b"));
    OK(rename("a", "b")); /* does nothing */
    SAME(stat_of("a").st_nlink, 2);
    SAME(stat_of("b").st_ino, stat_of("a").st_ino);
}

static void over_a_full_directory(void)
{
    OK(mkdir("a", 0755));
    OK(mkdir("b", 0755));
    put("b/x", "text");
    FAILS(ENOTEMPTY, rename("a", "b"));
    holds_text("b/x", "text");
    OK(unlink("b/x"));
    put("a/y", "text");
    OK(rename("a", "b"));
    holds_text("b/y", "text");
}

static void into_itself(void)
{
    OK(mkdir("a", 0755));
    OK(mkdir("a/b", 0755));
    OK(mkdir("a/b/c", 0755));
    FAILS(EINVAL, rename("a", "a/x"));
    FAILS(EINVAL, rename("a", "a/b/c/x"));
    FAILS(EINVAL, rename("a", "a/b"));
    FAILS(ENOTEMPTY, rename("a/b", "a"));
    FAILS(EINVAL, rename_flags("a", "a/b", RENAME_EXCHANGE));
    FAILS(EINVAL, rename_flags("a/b", "a", RENAME_EXCHANGE));
}

static void dots(void)
{
    OK(mkdir("a", 0755));
    FAILS(EBUSY, rename("a/.", "b"));
    FAILS(EBUSY, rename("a/..", "b"));
    FAILS(EBUSY, rename("a", "."));
    FAILS(EBUSY, rename("a", ".."));
}

static void bad_flags(void)
{
    put("a", "a");
    put("b", "b");
    FAILS(EINVAL, rename_flags("a", "b", RENAME_NOREPLACE | RENAME_EXCHANGE));
    FAILS(EINVAL, rename_flags("a", "b", 1U << 20));
    FAILS(ENOENT, rename_flags("a", "missing", RENAME_EXCHANGE));
    FAILS(ENOENT, rename_flags("missing", "a", RENAME_EXCHANGE));
    OK(rename_flags("a", "a", RENAME_EXCHANGE));
    FAILS(EEXIST, rename_flags("a", "a", RENAME_NOREPLACE));
    holds_text("a", "a");
}

static void whiteout(void)
{
    put("a", "text");
    int rc = rename_flags("a", "b", RENAME_WHITEOUT);
    suite_note("RENAME_WHITEOUT: %s", suite_errno(rc == 0 ? 0 : errno));
    holds_text(rc == 0 ? "b" : "a", "text");
}

static void trailing_slash(void)
{
    put("f", "text");
    OK(mkdir("d", 0755));
    FAILS(ENOTDIR, rename("f/", "g"));
    FAILS(ENOTDIR, rename("f", "g/"));
    OK(rename("d/", "e/"));
    HOLDS(S_ISDIR(stat_of("e").st_mode));
}

static void symlink_itself(void)
{
    put("f", "text");
    OK(symlink("f", "s"));
    put("g", "other");
    OK(rename("s", "t"));
    HOLDS(S_ISLNK(stat_of("t").st_mode));
    OK(rename("g", "t"));
    holds_text("t", "other");
    holds_text("f", "text");
}

static void links_of_directories(void)
{
    OK(mkdir("a", 0755));
    OK(mkdir("b", 0755));
    OK(mkdir("a/x", 0755));
    SAME(stat_of("a").st_nlink, 3);
    OK(rename("a/x", "b/x"));
    SAME(stat_of("a").st_nlink, 2);
    SAME(stat_of("b").st_nlink, 3);
    SAME(stat_of("b/x/..").st_ino, stat_of("b").st_ino);
    OK(mkdir("a/x", 0755));
    OK(rename("a/x", "b/x"));
    SAME(stat_of("a").st_nlink, 2);
    SAME(stat_of("b").st_nlink, 3);
}

static void open_file_keeps_working(void)
{
    put("a", "text");
    int fd = (int)OK(open("a", O_RDWR | O_CLOEXEC));
    OK(mkdir("d", 0755));
    OK(rename("a", "d/b"));
    SAME(pwrite(fd, "T", 1, 0), 1);
    holds_text("d/b", "Text");
    put("a", "other");
    SAME(stat_of_fd(fd).st_ino, stat_of("d/b").st_ino);
}

static void directory_in_use(void)
{
    OK(mkdir("a", 0755));
    OK(mkdir("a/in", 0755));
    put("a/in/f", "text");
    OK(chdir("a/in"));
    int fd = (int)OK(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    OK(rename("../../a", "../../b"));
    holds_text("f", "text");
    OK(openat(fd, "g", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    OK(chdir("../.."));
    stat_of("b/in/g");
}

/* Who moves a directory to another parent changes its "..", and needs write permission for that. */
static void directory_of_another_user(void)
{
    OK(mkdir("a", 0777));
    OK(mkdir("b", 0777));
    OK(chmod("a", 0777));
    OK(chmod("b", 0777));
    OK(mkdir("a/x", 0755));
    if (become(USER_A, GROUP_A)) {
        OK(rename("a/x", "a/y"));
        FAILS(EACCES, rename("a/y", "b/y"));
        done();
    }
}

static void long_chain(void)
{
    char from[16], to[16];

    put("f0", "text");
    for (int i = 0; i < 300; i++) {
        snprintf(from, sizeof from, "f%d", i);
        snprintf(to, sizeof to, "f%d", i + 1);
        OK(rename(from, to));
    }
    holds_text("f300", "text");
}

static void to_and_from_long_names(void)
{
    char name[256] = {0};

    memset(name, 'n', 255);
    put("a", "text");
    OK(rename("a", name));
    holds_text(name, "text");
    put("a", "other");
    OK(rename_flags("a", name, RENAME_EXCHANGE));
    holds_text("a", "text");
    holds_text(name, "other");
    OK(rename("a", name));
    holds_text(name, "text");
}

static const struct suite_test tests[] = {
    TEST(over_a_full_directory),
    TEST(into_itself),
    TEST(dots),
    TEST(bad_flags),
    TEST(whiteout),
    TEST(trailing_slash),
    TEST(symlink_itself),
    TEST(links_of_directories),
    TEST(open_file_keeps_working),
    TEST(directory_in_use),
    TEST(directory_of_another_user),
    TEST(long_chain),
    TEST(to_and_from_long_names),
};

void rename_cases(void)
{
    for (enum thing from = 0; from < THING_COUNT; from++) {
        const char *name = thing_names[from];

        suite_case(to_a_new_name, &from, "%s__to_a_new_name", name);
        suite_case(no_replace, &from, "%s__no_replace", name);
        suite_case(two_names_of_one_file, &from, "%s__two_names_of_one", name);
        for (enum thing to = 0; to < THING_COUNT; to++) {
            struct pair p = {from, to};
            suite_case(over, &p, "%s__over_a_%s", name, thing_names[to]);
            suite_case(exchange, &p, "%s__exchanged_with_a_%s", name, thing_names[to]);
        }
    }
    suite_tests(tests, COUNT(tests));
}
