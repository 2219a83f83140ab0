/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/names.c - which names can be given, and that they come back as they were.
 */
#include <dirent.h>
#include <stdio.h>

#include "suite.h"

/* The only entry besides the dots. */
static void is_only_entry(const char *name)
{
    DIR *d = opendir(".");
    unsigned count = 0;

    HOLDS(d != NULL);
    for (const struct dirent *e; (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        HOLDS(strcmp(e->d_name, name) == 0);
        count++;
    }
    SAME(count, 1);
    closedir(d);
}

static void every_call(const char *name)
{
    put(name, "text");
    is_only_entry(name);
    holds_text(name, "text");
    OK(rename(name, "between"));
    OK(link("between", name));
    SAME(stat_of(name).st_nlink, 2);
    OK(unlink("between"));
    is_only_entry(name);
    OK(unlink(name));
    OK(mkdir(name, 0755));
    is_only_entry(name);
    OK(rmdir(name));
    OK(symlink(name, name));
    is_only_entry(name);
    OK(unlink(name));
}

static void length_of(const void *row)
{
    char name[256] = {0};

    memset(name, 'n', *(const size_t *)row);
    every_call(name);
}

static void two_byte_letters(const void *row)
{
    char name[256] = {0};
    size_t len = *(const size_t *)row;

    for (size_t i = 0; i + 1 < len; i += 2)
        memcpy(name + i, "\xc3\xbc", 2);
    if (len % 2)
        name[len - 1] = 'x';
    every_call(name);
}

static const struct odd_name {
    const char *title;
    const char *name;
} odd_names[] = {
    {"of_three_dots", "..."},
    {"of_a_blank", " "},
    {"with_a_new_line", "a\nb"},
    {"with_a_backslash", "a\\b"},
    {"that_is_not_utf_8", "\xff\xfe\x80"},
    {"beginning_with_a_dash", "-rf"},
    {"beginning_with_a_dot", ".hidden"},
    {"ending_with_a_dot", "a."},
    {"ending_with_a_blank", "a "},
    {"with_a_star", "*?[a]"},
    {"with_control_bytes", "\x01\x7f\x1b[0m"},
    {"keyring_0", "keyring.0"},
    {"keystead_json", "keystead.json"},
    {"tree", "tree"},
    {"long", "long"},
    {"lost_and_found", "lost+found"},
};

static void odd(const void *row)
{
    every_call(((const struct odd_name *)row)->name);
}

static void every_byte(void)
{
    for (int c = 1; c < 256; c++) {
        const char name[4] = {'x', (char)c, 'y', 0};
        if (c != '/')
            every_call(name);
    }
}

static void alike(void)
{
    static const char *const names[] = {"name",         "Name",  "NAME", "n\xc3\xa4me",
                                        "na\xcc\x88me", "name ", " name"};

    for (size_t i = 0; i < COUNT(names); i++)
        put(names[i], names[i]);
    for (size_t i = 0; i < COUNT(names); i++)
        holds_text(names[i], names[i]);
}

static void long_and_alike(void)
{
    char name[256] = {0}, last[2] = {0};

    memset(name, 'n', 254);
    for (int i = 0; i < 26; i++) {
        name[254] = last[0] = (char)('a' + i);
        put(name, last);
    }
    for (int i = 0; i < 26; i++) {
        name[254] = last[0] = (char)('a' + i);
        holds_text(name, last);
        OK(unlink(name));
    }
}

static void trailing_slashes(void)
{
    struct stat st;

    put("f", "text");
    OK(mkdir("d", 0755));
    OK(symlink("d", "to_d"));
    OK(symlink("f", "to_f"));
    OK(lstat("d/", &st));
    OK(lstat("to_d/", &st));
    HOLDS(S_ISDIR(st.st_mode));
    FAILS(ENOTDIR, lstat("f/", &st));
    FAILS(ENOTDIR, lstat("to_f/", &st));
    FAILS(EISDIR, open("new/", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    FAILS(ENOTDIR, unlink("f/"));
    FAILS(ENOENT, symlink("t", "new/"));
    FAILS(ENOENT, link("f", "new/"));
    FAILS(ENOTDIR, rmdir("to_d/"));
    OK(lstat("d/.//./../d///", &st));
}

static void deep_tree(void)
{
    enum { LEVELS = 60 };

    put("bottom", "text");
    for (int i = 0; i < LEVELS; i++) {
        OK(mkdir("a_level", 0755));
        OK(rename("bottom", "a_level/bottom"));
        OK(chdir("a_level"));
    }
    holds_text("bottom", "text");
    OK(unlink("bottom"));
    for (int i = 0; i < LEVELS; i++) {
        OK(chdir(".."));
        OK(rmdir("a_level"));
    }
}

/* Fifteen directories of 255 bytes, each with a slash, and a name. */
static void longest_path(void)
{
    enum { LEVELS = 15, STEP = 256 };
    char path[(LEVELS + 1) * STEP + 1] = {0};
    struct stat st;

    for (size_t i = 0; i < LEVELS; i++) {
        memset(path + i * STEP, 'p', STEP - 1);
        OK(mkdir(path, 0755));
        path[i * STEP + STEP - 1] = '/';
    }
    memset(path + LEVELS * STEP, 'q', STEP - 1);
    put(path, "text"); /* 4095 bytes */
    OK(lstat(path, &st));
    path[LEVELS * STEP] = '/';
    path[LEVELS * STEP + STEP - 1] = 'q';
    FAILS(ENAMETOOLONG, lstat(path, &st));
}

static const struct suite_test tests[] = {
    TEST(every_byte),       TEST(alike),     TEST(long_and_alike),
    TEST(trailing_slashes), TEST(deep_tree), TEST(longest_path),
};

void names_cases(void)
{
    static const size_t lengths[] = {1,   2,   15,  16,  17,  100, 142, 143, 144, 160, 174, 175,
                                     176, 177, 180, 190, 191, 200, 230, 250, 253, 254, 255};

    for (size_t i = 0; i < COUNT(lengths); i++) {
        suite_case(length_of, &lengths[i], "%zu_bytes", lengths[i]);
        suite_case(two_byte_letters, &lengths[i], "%zu_bytes_of_utf_8", lengths[i]);
    }
    for (size_t i = 0; i < COUNT(odd_names); i++)
        suite_case(odd, &odd_names[i], "name_%s", odd_names[i].title);
    suite_tests(tests, COUNT(tests));
}
