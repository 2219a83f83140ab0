/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/dirs.c - reading directories, also while they change, and their links.
 */
#include <dirent.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "suite.h"

enum { MANY = 3000 };

static DIR *open_dir(const char *name)
{
    DIR *d = opendir(name);

    if (!d)
        suite_fail(__FILE__, __LINE__, "opendir: %s", suite_errno(errno));
    return d;
}

static void many_files(int count)
{
    char name[32];

    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "file-%d", i);
        OK(close((int)OK(open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644))));
    }
}

/* Marks the number of a name; a name seen twice ends the case. */
static bool mark(const struct dirent *e, uint8_t *seen)
{
    int n;

    if (sscanf(e->d_name, "file-%d", &n) != 1)
        return false;
    HOLDS(n >= 0 && n < MANY);
    if (seen[n])
        suite_fail(__FILE__, __LINE__, "%s is listed twice", e->d_name);
    seen[n] = 1;
    return true;
}

static int count_marks(const uint8_t *seen)
{
    int count = 0;

    for (int i = 0; i < MANY; i++)
        count += seen[i];
    return count;
}

static void types_and_numbers(void)
{
    static const unsigned char types[THING_COUNT] = {DT_REG,  DT_DIR, DT_LNK, DT_FIFO,
                                                     DT_SOCK, DT_CHR, DT_BLK};
    unsigned found = 0;

    for (enum thing t = 0; t < THING_COUNT; t++)
        make_thing(t, thing_names[t]);
    DIR *d = open_dir(".");
    for (const struct dirent *e; (e = readdir(d));) {
        for (enum thing t = 0; t < THING_COUNT; t++) {
            if (strcmp(e->d_name, thing_names[t]) != 0)
                continue;
            SAME(e->d_type, types[t]);
            SAME(e->d_ino, stat_of(e->d_name).st_ino);
            found++;
        }
    }
    SAME(found, THING_COUNT);
    closedir(d);
}

static void dots(void)
{
    unsigned dot = 0, dot_dot = 0;

    OK(mkdir("d", 0755));
    DIR *d = open_dir("d");
    for (const struct dirent *e; (e = readdir(d));) {
        SAME(e->d_type, DT_DIR);
        if (strcmp(e->d_name, ".") == 0)
            SAME(e->d_ino, (dot++, stat_of("d").st_ino));
        else if (strcmp(e->d_name, "..") == 0)
            dot_dot++;
        else
            suite_fail(__FILE__, __LINE__, "%s in an empty directory", e->d_name);
    }
    SAME(dot, 1);
    SAME(dot_dot, 1);
    SAME(stat_of("d/..").st_ino, stat_of(".").st_ino);
    closedir(d);
}

static void each_is_listed_once(void)
{
    uint8_t seen[MANY] = {0};

    many_files(MANY);
    DIR *d = open_dir(".");
    for (const struct dirent *e; (e = readdir(d));)
        mark(e, seen);
    SAME(count_marks(seen), MANY);
    closedir(d);
}

static void removing_while_reading(void)
{
    uint8_t seen[MANY] = {0};

    many_files(MANY);
    DIR *d = open_dir(".");
    for (const struct dirent *e; (e = readdir(d));)
        if (mark(e, seen))
            OK(unlink(e->d_name));
    SAME(count_marks(seen), MANY);
    closedir(d);
    d = open_dir(".");
    for (const struct dirent *e; (e = readdir(d));)
        SAME(e->d_name[0], '.');
    closedir(d);
}

/* Those that are there all the time are listed once each, whatever else comes and goes. */
static void adding_while_reading(void)
{
    uint8_t seen[MANY] = {0};
    char name[32];
    int n = 0;

    many_files(MANY);
    DIR *d = open_dir(".");
    for (const struct dirent *e; (e = readdir(d)) && n < 4 * MANY;) {
        if (!mark(e, seen))
            continue;
        snprintf(name, sizeof name, "new-%d", n);
        OK(symlink("t", name));
        if (n % 2)
            OK(unlink(name));
        n++;
    }
    SAME(count_marks(seen), MANY);
    closedir(d);
}

static void renaming_while_reading(void)
{
    uint8_t seen[MANY] = {0};
    char name[32];

    many_files(500);
    DIR *d = open_dir(".");
    for (const struct dirent *e; (e = readdir(d));) {
        int n;
        if (sscanf(e->d_name, "file-%d", &n) != 1 || seen[n])
            continue;
        seen[n] = 1;
        snprintf(name, sizeof name, "other-%d", n);
        OK(rename(e->d_name, name));
    }
    SAME(count_marks(seen), 500);
    closedir(d);
}

static void positions_can_be_returned_to(void)
{
    enum { COUNT_OF_FILES = 700 };
    static long at[COUNT_OF_FILES + 2];
    static char names[COUNT_OF_FILES + 2][256];
    size_t count = 0;

    many_files(COUNT_OF_FILES);
    DIR *d = open_dir(".");
    for (;;) {
        long here = telldir(d);
        const struct dirent *e = readdir(d);
        if (!e)
            break;
        HOLDS(count < COUNT(at));
        at[count] = here;
        snprintf(names[count++], 256, "%s", e->d_name);
    }
    SAME(count, COUNT_OF_FILES + 2);
    for (size_t i = 0; i < count; i++) {
        size_t k = (i * 331) % count;
        seekdir(d, at[k]);
        const struct dirent *e = readdir(d);
        HOLDS(e != NULL && strcmp(e->d_name, names[k]) == 0);
    }
    closedir(d);
}

static void rewinding_shows_what_is_new(void)
{
    bool is_found = false;

    many_files(10);
    DIR *d = open_dir(".");
    while (readdir(d))
        continue;
    put("new", "text");
    OK(unlink("file-3"));
    rewinddir(d);
    for (const struct dirent *e; (e = readdir(d));) {
        HOLDS(strcmp(e->d_name, "file-3") != 0);
        is_found |= strcmp(e->d_name, "new") == 0;
    }
    HOLDS(is_found);
    closedir(d);
}

static void two_readers(void)
{
    uint8_t a[MANY] = {0}, b[MANY] = {0};

    many_files(MANY);
    DIR *one = open_dir("."), *two = open_dir(".");
    const struct dirent *e, *f;
    do {
        if ((e = readdir(one)))
            mark(e, a);
        if ((f = readdir(two)))
            mark(f, b);
    } while (e || f);
    SAME(count_marks(a), MANY);
    SAME(count_marks(b), MANY);
    closedir(one);
    closedir(two);
}

static void buffer_too_small(void)
{
    char room[8];
    int fd = (int)OK(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

    FAILS(EINVAL, syscall(SYS_getdents64, fd, room, sizeof room));
    put("x", "text");
    int file = (int)OK(open("x", O_RDONLY | O_CLOEXEC));
    FAILS(ENOTDIR, syscall(SYS_getdents64, file, room, sizeof room));
}

static void removed_directory_is_empty(void)
{
    OK(mkdir("d", 0755));
    DIR *d = open_dir("d");
    OK(rmdir("d"));
    int count = 0;
    while (readdir(d))
        count++;
    suite_note("%d entries", count);
    SAME(stat_of_fd(dirfd(d)).st_nlink, 0);
    FAILS(ENOENT, openat(dirfd(d), "x", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    closedir(d);
}

static void removing(void)
{
    OK(mkdir("d", 0755));
    OK(mkdir("d/e", 0755));
    FAILS(ENOTEMPTY, rmdir("d"));
    FAILS(EINVAL, rmdir("d/."));
    FAILS(ENOTEMPTY, rmdir("d/e/.."));
    OK(rmdir("d/e/"));
    put("d/f", "text");
    FAILS(ENOTEMPTY, rmdir("d"));
    OK(unlink("d/f"));
    OK(rmdir("d"));
    OK(mkdir("d", 0700));
    SAME(mode_of("d"), 0700);
}

static void links_of_directories(void)
{
    char name[16];

    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "d%d", i);
        OK(mkdir(name, 0755));
    }
    put("file", "text");
    SAME(stat_of(".").st_nlink, 102);
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "d%d", i);
        OK(rmdir(name));
    }
    SAME(stat_of(".").st_nlink, 52);
}

static void made_twice(void)
{
    OK(mkdir("d", 0755));
    FAILS(EEXIST, mkdir("d", 0755));
    FAILS(EEXIST, mkdir(".", 0755));
    FAILS(EEXIST, mkdir("..", 0755));
    FAILS(EEXIST, mkdir("d/", 0755));
    OK(mkdir("e/", 0755));
    OK(symlink("missing", "s"));
    FAILS(EEXIST, mkdir("s", 0755));
}

static const struct suite_test tests[] = {
    TEST(types_and_numbers),
    TEST(dots),
    TEST(each_is_listed_once),
    TEST(removing_while_reading),
    TEST(adding_while_reading),
    TEST(renaming_while_reading),
    TEST(positions_can_be_returned_to),
    TEST(rewinding_shows_what_is_new),
    TEST(two_readers),
    TEST(buffer_too_small),
    TEST(removed_directory_is_empty),
    TEST(removing),
    TEST(links_of_directories),
    TEST(made_twice),
};

void dirs_cases(void)
{
    suite_tests(tests, COUNT(tests));
}
