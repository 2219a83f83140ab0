/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/times.c - which call changes which time stamp, and utimensat(2).
 */
#include <dirent.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/xattr.h>

#include "suite.h"

enum { ATIME = 1, MTIME = 2, CTIME = 4 };

static int fd_x(int flags)
{
    return (int)OK(open("d/x", flags | O_CLOEXEC));
}

static void do_nothing(void)
{
    OK(close(fd_x(O_RDWR)));
}

static void do_read(void)
{
    char c;

    SAME(read(fd_x(O_RDONLY), &c, 1), 1);
}

static void do_write(void)
{
    SAME(write(fd_x(O_WRONLY), "T", 1), 1);
}

static void do_write_nothing(void)
{
    SAME(write(fd_x(O_WRONLY), "", 0), 0);
}

static void do_write_and_sync(void)
{
    int fd = fd_x(O_WRONLY);

    SAME(write(fd, "T", 1), 1);
    OK(fsync(fd));
}

static void do_truncate(void)
{
    OK(truncate("d/x", 2));
}

static void do_ftruncate_to_the_same(void)
{
    OK(ftruncate(fd_x(O_WRONLY), 4));
}

static void do_open_truncate(void)
{
    fd_x(O_WRONLY | O_TRUNC);
}

static void do_chmod(void)
{
    OK(chmod("d/x", 0600));
}

static void do_chown(void)
{
    OK(chown("d/x", USER_A, GROUP_A));
}

static void do_link(void)
{
    OK(link("d/x", "y"));
}

static void do_rename(void)
{
    OK(rename("d/x", "d/y"));
    OK(rename("d/y", "d/x"));
}

static void do_unlink_other_name(void)
{
    OK(unlink("other"));
}

static void do_setxattr(void)
{
    OK(setxattr("d/x", "user.a", "v", 1, 0));
}

static void do_fallocate(void)
{
    OK(fallocate(fd_x(O_WRONLY), 0, 0, 10000));
}

static void do_punch(void)
{
    OK(fallocate(fd_x(O_WRONLY), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 2));
}

static void do_map(void)
{
    char *map = mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd_x(O_RDWR), 0);

    HOLDS(map != MAP_FAILED);
    map[0] = 'T';
    OK(msync(map, 4, MS_SYNC));
    OK(munmap(map, 4));
}

static void do_copy_from(void)
{
    int to = (int)OK(open("y", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));

    SAME(copy_file_range(fd_x(O_RDONLY), NULL, to, NULL, 4, 0), 4);
}

static void do_copy_to(void)
{
    put("y", "text");
    int from = (int)OK(open("y", O_RDONLY | O_CLOEXEC));
    SAME(copy_file_range(from, NULL, fd_x(O_WRONLY), NULL, 4, 0), 4);
}

static void do_utimensat_now(void)
{
    OK(utimensat(AT_FDCWD, "d/x", NULL, 0));
}

static void do_utimensat_omit(void)
{
    const struct timespec omit[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};

    OK(utimensat(AT_FDCWD, "d/x", omit, 0));
}

static void do_stat(void)
{
    stat_of("d/x");
    OK(access("d/x", R_OK));
}

static void do_sync(void)
{
    OK(fsync(fd_x(O_RDONLY)));
}

static void do_list(void)
{
    DIR *d = opendir("d");

    HOLDS(d != NULL && readdir(d) != NULL);
    closedir(d);
}

static void do_create_beside(void)
{
    put("d/y", "text");
}

static void do_exchange(void)
{
    put("other_file", "text");
    OK(renameat2(AT_FDCWD, "d/x", AT_FDCWD, "other_file", RENAME_EXCHANGE));
    OK(renameat2(AT_FDCWD, "d/x", AT_FDCWD, "other_file", RENAME_EXCHANGE));
}

static const struct event {
    const char *name;
    void (*happen)(void);
    unsigned file, dir; /* which of their times change; access times are noted only */
} events[] = {
    {"open", do_nothing, 0, 0},
    {"read", do_read, 0, 0},
    {"write", do_write, MTIME | CTIME, 0},
    {"write_nothing", do_write_nothing, 0, 0},
    {"write_and_sync", do_write_and_sync, MTIME | CTIME, 0},
    {"truncate", do_truncate, MTIME | CTIME, 0},
    {"ftruncate_to_the_same", do_ftruncate_to_the_same, MTIME | CTIME, 0},
    {"open_truncate", do_open_truncate, MTIME | CTIME, 0},
    {"chmod", do_chmod, CTIME, 0},
    {"chown", do_chown, CTIME, 0},
    {"link", do_link, CTIME, 0},
    {"rename", do_rename, CTIME, MTIME | CTIME},
    {"exchange", do_exchange, CTIME, MTIME | CTIME},
    {"unlink_of_another_name", do_unlink_other_name, CTIME, 0},
    {"setxattr", do_setxattr, CTIME, 0},
    {"fallocate", do_fallocate, MTIME | CTIME, 0},
    {"punch_hole", do_punch, MTIME | CTIME, 0},
    {"shared_mapping", do_map, MTIME | CTIME, 0},
    {"copy_file_range_from", do_copy_from, 0, 0},
    {"copy_file_range_to", do_copy_to, MTIME | CTIME, 0},
    {"utimensat_now", do_utimensat_now, MTIME | CTIME, 0},
    {"utimensat_omit", do_utimensat_omit, 0, 0},
    {"stat", do_stat, 0, 0},
    {"fsync", do_sync, 0, 0},
    {"list", do_list, 0, 0},
    {"create_beside", do_create_beside, 0, MTIME | CTIME},
};

static unsigned changes(const struct stat *a, const struct stat *b)
{
    return (is_before(&a->st_atim, &b->st_atim) ? (unsigned)ATIME : 0) |
           (is_before(&a->st_mtim, &b->st_mtim) ? (unsigned)MTIME : 0) |
           (is_before(&a->st_ctim, &b->st_ctim) ? (unsigned)CTIME : 0);
}

static void say_atime(const char *what, unsigned changed)
{
    if (changed & ATIME)
        suite_note("access time of the %s changes", what);
}

static void times_change(const void *row)
{
    const struct event *e = row;

    OK(mkdir("d", 0755));
    put("d/x", "text");
    OK(link("d/x", "other"));
    set_old("d/x");
    set_old("d");
    struct stat file = stat_of("d/x"), dir = stat_of("d");
    next_tick();
    e->happen();
    struct stat file_now = stat_of("d/x"), dir_now = stat_of("d");
    SAME(changes(&file, &file_now) & (MTIME | CTIME), e->file);
    SAME(changes(&dir, &dir_now) & (MTIME | CTIME), e->dir);
    say_atime("file", changes(&file, &file_now));
    say_atime("directory", changes(&dir, &dir_now));
}

static void times_of_a_removed_directory(void)
{
    OK(mkdir("d", 0755));
    int fd = (int)OK(open("d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat before = stat_of_fd(fd);
    next_tick();
    OK(rmdir("d"));
    struct stat st = stat_of_fd(fd);
    HOLDS(is_before(&before.st_ctim, &st.st_ctim));
    SAME(st.st_nlink, 0);
}

/* Editions of POSIX differ. */
static void truncate_to_the_same_size(void)
{
    put("x", "text");
    set_old("x");
    struct stat before = stat_of("x");
    next_tick();
    OK(truncate("x", 4));
    struct stat st = stat_of("x");
    unsigned changed = changes(&before, &st);
    suite_note("modification time: %s, change time: %s", changed & MTIME ? "now" : "kept",
               changed & CTIME ? "now" : "kept");
}

/* --- utimensat --- */

static void utimens_of(const void *row)
{
    const struct timespec t[2] = {{1234567890, 123456789}, {987654321, 987654321}};

    make_thing(*(const enum thing *)row, "x");
    struct stat before = stat_of("x");
    next_tick();
    OK(utimensat(AT_FDCWD, "x", t, AT_SYMLINK_NOFOLLOW));
    struct stat st = stat_of("x");
    SAME(st.st_atim.tv_sec, t[0].tv_sec);
    SAME(st.st_atim.tv_nsec, t[0].tv_nsec);
    SAME(st.st_mtim.tv_sec, t[1].tv_sec);
    SAME(st.st_mtim.tv_nsec, t[1].tv_nsec);
    HOLDS(is_before(&before.st_ctim, &st.st_ctim));
}

static void only_one_of_the_times(void)
{
    const struct timespec atime[2] = {{5, 6}, {0, UTIME_OMIT}},
                          mtime[2] = {{0, UTIME_OMIT}, {7, 8}};
    const struct timespec now[2] = {{0, UTIME_OMIT}, {0, UTIME_NOW}};

    put("x", "text");
    set_old("x");
    OK(utimensat(AT_FDCWD, "x", atime, 0));
    SAME(stat_of("x").st_atim.tv_sec, 5);
    SAME(stat_of("x").st_mtim.tv_sec, OLD_SECONDS);
    OK(utimensat(AT_FDCWD, "x", mtime, 0));
    SAME(stat_of("x").st_atim.tv_sec, 5);
    SAME(stat_of("x").st_mtim.tv_nsec, 8);
    OK(utimensat(AT_FDCWD, "x", now, 0));
    SAME(stat_of("x").st_atim.tv_sec, 5);
    HOLDS(stat_of("x").st_mtim.tv_sec > OLD_SECONDS);
}

/* What was written, but not yet passed on, must not undo a time that was set afterwards. */
static void set_after_a_write(void)
{
    int fd = (int)OK(open("x", O_RDWR | O_CREAT | O_CLOEXEC, 0644));

    SAME(write(fd, "text", 4), 4);
    set_old("x");
    SAME(stat_of("x").st_mtim.tv_sec, OLD_SECONDS);
    OK(fsync(fd));
    OK(close(fd));
    SAME(stat_of("x").st_mtim.tv_sec, OLD_SECONDS);
    SAME(stat_of("x").st_mtim.tv_nsec, 0);
}

static const struct clock_row {
    const char *name;
    struct timespec at;
} clock_rows[] = {
    {"at_the_epoch", {0, 0}},
    {"before_1970", {-1000, 500}},
    {"before_1901", {-2200000000, 0}},
    {"after_2038", {2147483648, 1}},
    {"after_2106", {4294967296, 999999999}},
    {"in_2446", {15032385535, 999999999}},
    {"in_2447", {15064000000, 0}},
    {"in_9999", {253402300799, 0}},
};

static void time_is_kept(const void *row)
{
    const struct clock_row *r = row;
    const struct timespec t[2] = {r->at, r->at};

    put("x", "text");
    OK(utimensat(AT_FDCWD, "x", t, 0));
    struct stat st = stat_of("x");
    if (is_before(&r->at, &st.st_mtim) || is_before(&st.st_mtim, &r->at))
        suite_note("the modification time becomes %lld.%09ld", (long long)st.st_mtim.tv_sec,
                   st.st_mtim.tv_nsec);
    if (is_before(&r->at, &st.st_atim) || is_before(&st.st_atim, &r->at))
        suite_note("the access time becomes %lld.%09ld", (long long)st.st_atim.tv_sec,
                   st.st_atim.tv_nsec);
}

static void bad_times(void)
{
    const struct timespec bad[2] = {{0, 1000000000}, {0, 0}}, minus[2] = {{0, 0}, {0, -1}};

    put("x", "text");
    FAILS(EINVAL, utimensat(AT_FDCWD, "x", bad, 0));
    FAILS(EINVAL, utimensat(AT_FDCWD, "x", minus, 0));
    FAILS(EINVAL, utimensat(AT_FDCWD, "x", NULL, 0x40000));
}

static const struct utimens_right {
    const char *name;
    uid_t who;
    mode_t mode;
    int now, explicit, omit; /* errnos */
} rights[] = {
    {"owner", USER_A, 0, 0, 0, 0},
    {"writer", USER_B, 0666, 0, EPERM, 0},
    {"reader", USER_B, 0644, EACCES, EPERM, 0},
};

static void who_may_utimens(const void *row)
{
    const struct utimens_right *r = row;
    const struct timespec some[2] = {{1, 0}, {2, 0}}, now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
    const struct timespec omit[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
    const struct timespec mixed[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};

    put("x", "text");
    OK(chown("x", USER_A, GROUP_A));
    OK(chmod("x", r->mode));
    if (become(r->who, GROUP_B)) {
        EXPECT(r->now, utimensat(AT_FDCWD, "x", NULL, 0));
        EXPECT(r->now, utimensat(AT_FDCWD, "x", now, 0));
        EXPECT(r->explicit, utimensat(AT_FDCWD, "x", some, 0));
        EXPECT(r->explicit, utimensat(AT_FDCWD, "x", mixed, 0));
        EXPECT(r->omit, utimensat(AT_FDCWD, "x", omit, 0));
        done();
    }
}

static const struct suite_test tests[] = {
    TEST(times_of_a_removed_directory),
    TEST(truncate_to_the_same_size),
    TEST(only_one_of_the_times),
    TEST(set_after_a_write),
    TEST(bad_times),
};

void times_cases(void)
{
    for (size_t i = 0; i < COUNT(events); i++)
        suite_case(times_change, &events[i], "%s", events[i].name);
    for (enum thing thing = 0; thing < THING_COUNT; thing++)
        suite_case(utimens_of, &thing, "utimensat__of_a_%s", thing_names[thing]);
    for (size_t i = 0; i < COUNT(clock_rows); i++)
        suite_case(time_is_kept, &clock_rows[i], "utimensat__%s", clock_rows[i].name);
    for (size_t i = 0; i < COUNT(rights); i++)
        suite_case(who_may_utimens, &rights[i], "utimensat__by_a_%s", rights[i].name);
    suite_tests(tests, COUNT(tests));
}
