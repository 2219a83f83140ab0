/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/locks.c - flock(2), fcntl(2) locks of processes and of open files, and leases.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>

#include "suite.h"

static int open_x(int flags)
{
    return (int)OK(open("x", flags | O_CREAT | O_CLOEXEC, 0644));
}

static struct flock range(short type, off_t at, off_t len)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = len};
}

static int lock(int fd, short type, off_t at, off_t len)
{
    struct flock l = range(type, at, len);

    return fcntl(fd, F_SETLK, &l);
}

static int lock_open_file(int fd, short type, off_t at, off_t len)
{
    struct flock l = range(type, at, len);

    return fcntl(fd, F_OFD_SETLK, &l);
}

static int lock_whole(int fd, int how)
{
    return flock(fd, how | LOCK_NB);
}

/* --- flock --- */

static const struct flock_pair {
    const char *name;
    int first, second;
    bool is_refused;
} flock_pairs[] = {
    {"shared_and_shared", LOCK_SH, LOCK_SH, false},
    {"shared_and_exclusive", LOCK_SH, LOCK_EX, true},
    {"exclusive_and_shared", LOCK_EX, LOCK_SH, true},
    {"exclusive_and_exclusive", LOCK_EX, LOCK_EX, true},
};

static void flock_of_two(const void *row)
{
    const struct flock_pair *p = row;
    int a = open_x(O_RDONLY), b = open_x(O_RDONLY);

    OK(lock_whole(a, p->first));
    if (p->is_refused)
        FAILS(EWOULDBLOCK, lock_whole(b, p->second));
    else
        OK(lock_whole(b, p->second));
    OK(close(a));
    OK(lock_whole(b, p->second));
}

static void flock_is_of_the_open_file(void)
{
    int a = open_x(O_RDWR), copy = (int)OK(dup(a)), b = open_x(O_RDWR);

    OK(lock_whole(a, LOCK_EX));
    OK(lock_whole(copy, LOCK_EX));
    if (in_child()) {
        OK(lock_whole(a, LOCK_EX)); /* shared with its parent */
        done();
    }
    OK(close(copy));
    FAILS(EWOULDBLOCK, lock_whole(b, LOCK_EX));
    OK(lock_whole(a, LOCK_SH));
    OK(lock_whole(b, LOCK_SH));
    FAILS(EWOULDBLOCK, lock_whole(a, LOCK_EX));
    FAILS(EINVAL, flock(a, 0));
}

static void flock_and_fcntl_do_not_meet(void)
{
    int a = open_x(O_RDWR), b = open_x(O_RDWR);

    OK(lock_whole(a, LOCK_EX));
    if (in_child()) {
        OK(lock(b, F_WRLCK, 0, 0));
        done();
    }
}

/* --- fcntl --- */

static const struct range_pair {
    const char *name;
    short first, second;
    off_t at, len, other_at, other_len;
    bool is_refused;
} range_pairs[] = {
    {"read_and_read", F_RDLCK, F_RDLCK, 0, 10, 0, 10, false},
    {"read_and_write", F_RDLCK, F_WRLCK, 0, 10, 0, 10, true},
    {"write_and_read", F_WRLCK, F_RDLCK, 0, 10, 0, 10, true},
    {"write_and_write", F_WRLCK, F_WRLCK, 0, 10, 0, 10, true},
    {"side_by_side", F_WRLCK, F_WRLCK, 0, 10, 10, 10, false},
    {"one_byte_in_common", F_WRLCK, F_WRLCK, 0, 10, 9, 10, true},
    {"to_the_end", F_WRLCK, F_WRLCK, 100, 0, 1000000, 1, true},
    {"beyond_four_gib", F_WRLCK, F_WRLCK, 1LL << 40, 5, (1LL << 40) + 4, 5, true},
    {"before_the_start", F_WRLCK, F_WRLCK, 10, -5, 4, 2, true},
};

static void ranges_of_two_processes(const void *row)
{
    const struct range_pair *p = row;
    int fd = open_x(O_RDWR);

    OK(lock(fd, p->first, p->at, p->len));
    if (in_child()) {
        int other = open_x(O_RDWR);
        struct flock l = range(p->second, p->other_at, p->other_len);
        OK(fcntl(other, F_GETLK, &l));
        SAME(l.l_type, p->is_refused ? p->first : F_UNLCK);
        if (p->is_refused)
            SAME(l.l_pid, getppid());
        if (p->is_refused)
            FAILS(EAGAIN, lock(other, p->second, p->other_at, p->other_len));
        else
            OK(lock(other, p->second, p->other_at, p->other_len));
        done();
    }
}

static void ranges_of_two_open_files(const void *row)
{
    const struct range_pair *p = row;
    int a = open_x(O_RDWR), b = open_x(O_RDWR);

    OK(lock_open_file(a, p->first, p->at, p->len));
    struct flock l = range(p->second, p->other_at, p->other_len);
    OK(fcntl(b, F_OFD_GETLK, &l));
    SAME(l.l_type, p->is_refused ? p->first : F_UNLCK);
    if (p->is_refused) {
        SAME(l.l_pid, -1);
        FAILS(EAGAIN, lock_open_file(b, p->second, p->other_at, p->other_len));
    } else {
        OK(lock_open_file(b, p->second, p->other_at, p->other_len));
    }
    OK(close(a));
    OK(lock_open_file(b, p->second, p->other_at, p->other_len));
}

static void any_close_lets_go(void)
{
    int fd = open_x(O_RDWR);

    OK(lock(fd, F_WRLCK, 0, 0));
    OK(close(open_x(O_RDONLY)));
    if (in_child()) {
        OK(lock(open_x(O_RDWR), F_WRLCK, 0, 0));
        done();
    }
}

static void not_inherited(void)
{
    int fd = open_x(O_RDWR);

    OK(lock(fd, F_WRLCK, 0, 0));
    if (in_child()) {
        FAILS(EAGAIN, lock(fd, F_WRLCK, 0, 0));
        done();
    }
}

static void parts_are_unlocked(void)
{
    int fd = open_x(O_RDWR);

    OK(lock(fd, F_WRLCK, 0, 30));
    OK(lock(fd, F_UNLCK, 10, 10));
    OK(lock(fd, F_RDLCK, 20, 10));
    if (in_child()) {
        int other = open_x(O_RDWR);
        FAILS(EAGAIN, lock(other, F_WRLCK, 5, 1));
        OK(lock(other, F_WRLCK, 10, 10));
        OK(lock(other, F_RDLCK, 20, 10));
        FAILS(EAGAIN, lock(other, F_WRLCK, 20, 10));
        done();
    }
}

static void wrong_access_mode(void)
{
    int out = open_x(O_WRONLY), in = open_x(O_RDONLY);

    FAILS(EBADF, lock(out, F_RDLCK, 0, 1));
    FAILS(EBADF, lock(in, F_WRLCK, 0, 1));
    FAILS(EINVAL, lock(in, F_RDLCK, -5, 1));
}

static void waits_for_its_turn(void)
{
    int fd = open_x(O_RDWR), ends[2];
    char c = 0;

    OK(pipe2(ends, O_CLOEXEC));
    OK(lock(fd, F_WRLCK, 0, 0));
    if (fork() == 0) {
        int other = open_x(O_RDWR);
        struct flock l = range(F_WRLCK, 0, 0);
        SAME(write(ends[1], &c, 1), 1);
        OK(fcntl(other, F_SETLKW, &l));
        SAME(pread(other, &c, 1, 0), 1);
        SAME(c, 'x');
        done();
    }
    SAME(read(ends[0], &c, 1), 1);
    SAME(pwrite(fd, "x", 1, 0), 1);
    OK(lock(fd, F_UNLCK, 0, 0));
    wait_for_children();
}

/* Waits for a lock of one byte; whether it would have been for ever. */
static bool is_deadlock(int fd, off_t at)
{
    struct flock l = range(F_WRLCK, at, 1);

    if (fcntl(fd, F_SETLKW, &l) == 0)
        return false;
    if (errno != EDEADLK)
        suite_fail(__FILE__, __LINE__, "F_SETLKW: %s", suite_errno(errno));
    return true;
}

/* Whoever comes second is told; which of them that is cannot be known. */
static void two_wait_for_each_other(void)
{
    int fd = open_x(O_RDWR), ends[2];
    char c = 0;

    OK(pipe2(ends, O_CLOEXEC));
    OK(lock(fd, F_WRLCK, 0, 1));
    if (fork() == 0) {
        int other = open_x(O_RDWR);
        OK(lock(other, F_WRLCK, 1, 1));
        SAME(write(ends[1], &c, 1), 1);
        c = is_deadlock(other, 0);
        SAME(write(ends[1], &c, 1), 1);
        done();
    }
    SAME(read(ends[0], &c, 1), 1);
    bool is_first = is_deadlock(fd, 1);
    OK(lock(fd, F_UNLCK, 0, 2));
    SAME(read(ends[0], &c, 1), 1);
    SAME(is_first + c, 1);
    wait_for_children();
}

static void lease(void)
{
    put("x", "text");
    signal(SIGIO, SIG_IGN);
    int fd = (int)OK(open("x", O_RDONLY | O_CLOEXEC));
    int rc = fcntl(fd, F_SETLEASE, F_RDLCK);
    suite_note("a read lease: %s", suite_errno(rc == 0 ? 0 : errno));
    if (rc != 0)
        return;
    SAME(fcntl(fd, F_GETLEASE), F_RDLCK);
    FAILS(EWOULDBLOCK, open("x", O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    OK(fcntl(fd, F_SETLEASE, F_UNLCK));
}

static const struct suite_test tests[] = {
    TEST(flock_is_of_the_open_file),
    TEST(flock_and_fcntl_do_not_meet),
    TEST(any_close_lets_go),
    TEST(not_inherited),
    TEST(parts_are_unlocked),
    TEST(wrong_access_mode),
    TEST(waits_for_its_turn),
    TEST(two_wait_for_each_other),
    TEST(lease),
};

void locks_cases(void)
{
    for (size_t i = 0; i < COUNT(flock_pairs); i++)
        suite_case(flock_of_two, &flock_pairs[i], "flock__%s", flock_pairs[i].name);
    for (size_t i = 0; i < COUNT(range_pairs); i++) {
        suite_case(ranges_of_two_processes, &range_pairs[i], "fcntl__%s", range_pairs[i].name);
        suite_case(ranges_of_two_open_files, &range_pairs[i], "open_file__%s", range_pairs[i].name);
    }
    suite_tests(tests, COUNT(tests));
}
