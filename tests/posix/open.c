/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/open.c - open(2) and its flags.
 */
#include <stdio.h>
#include <sys/sendfile.h>

#include "suite.h"

/* What a plain open, read-only and without waiting, says to each thing, by flag. */
static const struct flag_row {
    const char *name;
    int flags;
    int err[THING_COUNT]; /* 0: opens */
} flag_rows[] = {
    /* file, directory, symlink (dangling), fifo, socket, char and block without a driver */
    {"read_only", O_RDONLY, {0, 0, ENOENT, 0, ENXIO, ENXIO, ENXIO}},
    {"write_only", O_WRONLY, {0, EISDIR, ENOENT, ENXIO, ENXIO, ENXIO, ENXIO}},
    {"read_write", O_RDWR, {0, EISDIR, ENOENT, 0, ENXIO, ENXIO, ENXIO}},
    {"directory", O_RDONLY | O_DIRECTORY, {ENOTDIR, 0, ENOENT, ENOTDIR, ENOTDIR, ENOTDIR, ENOTDIR}},
    {"no_follow", O_RDONLY | O_NOFOLLOW, {0, 0, ELOOP, 0, ENXIO, ENXIO, ENXIO}},
    {"path", O_PATH, {0, 0, ENOENT, 0, 0, 0, 0}},
    {"path_no_follow", O_PATH | O_NOFOLLOW, {0, 0, 0, 0, 0, 0, 0}},
    {"exclusive",
     O_WRONLY | O_CREAT | O_EXCL,
     {EEXIST, EEXIST, EEXIST, EEXIST, EEXIST, EEXIST, EEXIST}},
    {"create", O_WRONLY | O_CREAT, {0, EISDIR, 0, ENXIO, ENXIO, ENXIO, ENXIO}},
    {"truncate", O_WRONLY | O_TRUNC, {0, EISDIR, ENOENT, ENXIO, ENXIO, ENXIO, ENXIO}},
};

struct flag_case {
    const struct flag_row *row;
    enum thing thing;
};

static void open_says(const void *row)
{
    const struct flag_case *c = row;
    int err = c->row->err[c->thing];

    make_thing(c->thing, "x");
    int fd = open("x", c->row->flags | O_NONBLOCK | O_CLOEXEC, 0644), saved = errno;
    if (saved == EACCES && err == ENXIO && c->thing >= A_CHAR)
        return; /* mounted nodev, see types.null_device_works */
    EXPECT(err, (errno = saved, fd));
}

static void truncates(void)
{
    put("x", "text");
    OK(close((int)OK(open("x", O_WRONLY | O_CLOEXEC))));
    SAME(stat_of("x").st_size, 4);
    OK(close((int)OK(open("x", O_WRONLY | O_TRUNC | O_CLOEXEC))));
    SAME(stat_of("x").st_size, 0);
    put("y", "text");
    OK(close((int)OK(open("y", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600))));
    SAME(stat_of("y").st_size, 0);
    SAME(mode_of("y"), 0644);
}

static void exclusive_does_not_follow(void)
{
    OK(symlink("missing", "x"));
    FAILS(EEXIST, open("x", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    struct stat st;
    FAILS(ENOENT, lstat("missing", &st));
}

static void create_follows(void)
{
    OK(symlink("missing", "x"));
    OK(open("x", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    HOLDS(S_ISREG(stat_of("missing").st_mode));
}

static void access_mode_is_kept(void)
{
    char c = 'x';

    put("x", "text");
    int in = (int)OK(open("x", O_RDONLY | O_CLOEXEC));
    int out = (int)OK(open("x", O_WRONLY | O_CLOEXEC));
    int path = (int)OK(open("x", O_PATH | O_CLOEXEC));
    FAILS(EBADF, write(in, &c, 1));
    FAILS(EBADF, read(out, &c, 1));
    FAILS(EINVAL, ftruncate(in, 0));
    FAILS(EBADF, read(path, &c, 1));
    FAILS(EBADF, fchmod(path, 0600));
    FAILS(EBADF, ftruncate(path, 0));
    SAME(stat_of_fd(path).st_size, 4);
    SAME(fcntl(out, F_GETFL) & O_ACCMODE, O_WRONLY);
}

static void mode_binds_later_opens_only(void)
{
    OK(chmod(".", 0777));
    if (become(USER_A, GROUP_A)) {
        int fd = (int)OK(open("x", O_RDWR | O_CREAT | O_CLOEXEC, 0000));
        SAME(write(fd, "text", 4), 4);
        FAILS(EACCES, open("x", O_RDONLY | O_CLOEXEC));
        OK(fchmod(fd, 0400));
        SAME(write(fd, "more", 4), 4);
        OK(open("x", O_RDONLY | O_CLOEXEC));
        FAILS(EACCES, open("x", O_WRONLY | O_CLOEXEC));
        FAILS(EACCES, open("x", O_RDONLY | O_TRUNC | O_CLOEXEC));
        done();
    }
    SAME(stat_of("x").st_size, 8);
}

static void append_goes_to_the_end(void)
{
    put("x", "text");
    int a = (int)OK(open("x", O_WRONLY | O_APPEND | O_CLOEXEC));
    int b = (int)OK(open("x", O_WRONLY | O_APPEND | O_CLOEXEC));
    SAME(write(a, "A", 1), 1);
    SAME(write(b, "B", 1), 1);
    OK(lseek(a, 0, SEEK_SET));
    SAME(write(a, "A", 1), 1);
    SAME(lseek(a, 0, SEEK_CUR), 7);
    SAME(pwrite(b, "B", 1, 0), 1); /* on Linux: appended as well */
    holds_text("x", "textABAB");
}

static void append_set_later(void)
{
    put("x", "text");
    int fd = (int)OK(open("x", O_RDWR | O_CLOEXEC));
    OK(fcntl(fd, F_SETFL, O_APPEND));
    SAME(write(fd, "A", 1), 1);
    OK(fcntl(fd, F_SETFL, 0));
    SAME(pwrite(fd, "B", 1, 0), 1);
    holds_text("x", "BextA");
}

static void append_by_many(void)
{
    enum { WRITERS = 4, LINES = 200, LENGTH = 37 };

    put("x", "");
    for (int w = 0; w < WRITERS; w++) {
        if (fork() == 0) {
            int fd = (int)OK(open("x", O_WRONLY | O_APPEND | O_CLOEXEC));
            char line[LENGTH];
            memset(line, 'a' + w, sizeof line);
            line[LENGTH - 1] = '\n';
            for (int i = 0; i < LINES; i++)
                SAME(write(fd, line, sizeof line), LENGTH);
            done();
        }
    }
    wait_for_children();
    SAME(stat_of("x").st_size, WRITERS * LINES * LENGTH);
    char line[LENGTH];
    int fd = (int)OK(open("x", O_RDONLY | O_CLOEXEC));
    while (OK(read(fd, line, sizeof line)) > 0)
        for (int i = 0; i < LENGTH - 2; i++)
            SAME(line[i], line[0]);
}

static void busy_text(void)
{
    struct stat st;
    int ends[2];

    OK(pipe(ends)); /* the program reads from it, until we close our end */
    int from = (int)OK(open("/bin/cat", O_RDONLY | O_CLOEXEC));
    int to = (int)OK(open("x", O_WRONLY | O_CREAT | O_CLOEXEC, 0755));
    OK(fstat(from, &st));
    for (off_t left = st.st_size; left > 0;)
        left -= OK(sendfile(to, from, NULL, (size_t)left));
    pid_t pid = (pid_t)OK(fork());
    if (pid == 0) {
        execl("./x", "x", (char *)NULL);
        _exit(errno == ETXTBSY ? 0 : 1);
    }
    wait_for_children(); /* open for writing: not run */
    OK(close(to));
    pid = (pid_t)OK(fork());
    if (pid == 0) {
        int go[2] = {ends[0], ends[1]};
        OK(dup2(go[0], 0));
        close(go[0]);
        close(go[1]);
        execl("./x", "x", (char *)NULL);
        _exit(1);
    }
    OK(close(ends[0]));
    while (!runs(pid, "x"))
        continue;
    FAILS(ETXTBSY, open("x", O_WRONLY | O_CLOEXEC));
    FAILS(ETXTBSY, truncate("x", 0));
    OK(close(ends[1]));
    wait_for_children();
    OK(close((int)OK(open("x", O_WRONLY | O_CLOEXEC))));
}

static void temporary_file(void)
{
    int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0640);
    char path[64];

    if (fd < 0) {
        suite_note("O_TMPFILE: %s", suite_errno(errno));
        return;
    }
    suite_note("O_TMPFILE works");
    SAME(write(fd, "text", 4), 4);
    SAME(stat_of_fd(fd).st_nlink, 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    OK(linkat(AT_FDCWD, path, AT_FDCWD, "x", AT_SYMLINK_FOLLOW));
    holds_text("x", "text");
}

static void at_calls(void)
{
    OK(mkdir("d", 0755));
    put("f", "text");
    int d = (int)OK(open("d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    int f = (int)OK(open("f", O_RDONLY | O_CLOEXEC));
    OK(openat(d, "x", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    FAILS(ENOTDIR, openat(f, "x", O_RDONLY | O_CLOEXEC));
    FAILS(EBADF, openat(-1, "x", O_RDONLY | O_CLOEXEC));
    OK(openat(-1, "/", O_RDONLY | O_CLOEXEC));
    OK(mkdirat(d, "y", 0755));
    OK(renameat(d, "y", AT_FDCWD, "y"));
    OK(unlinkat(d, "x", 0));
    OK(unlinkat(AT_FDCWD, "y", AT_REMOVEDIR));
    FAILS(EINVAL, unlinkat(d, "x", 0x40000));
}

static void same_file_many_times(void)
{
    int fds[200];

    put("x", "text");
    for (size_t i = 0; i < COUNT(fds); i++)
        fds[i] = (int)OK(open("x", O_RDWR | O_CLOEXEC));
    SAME(pwrite(fds[3], "T", 1, 0), 1);
    char c;
    for (size_t i = 0; i < COUNT(fds); i++) {
        SAME(pread(fds[i], &c, 1, 0), 1);
        SAME(c, 'T');
        OK(close(fds[i]));
    }
}

static const struct suite_test tests[] = {
    TEST(truncates),
    TEST(exclusive_does_not_follow),
    TEST(create_follows),
    TEST(access_mode_is_kept),
    TEST(mode_binds_later_opens_only),
    TEST(append_goes_to_the_end),
    TEST(append_set_later),
    TEST(append_by_many),
    TEST(busy_text),
    TEST(temporary_file),
    TEST(at_calls),
    TEST(same_file_many_times),
};

void open_cases(void)
{
    for (size_t i = 0; i < COUNT(flag_rows); i++) {
        for (enum thing thing = 0; thing < THING_COUNT; thing++) {
            struct flag_case c = {&flag_rows[i], thing};
            suite_case(open_says, &c, "%s__of_a_%s", flag_rows[i].name, thing_names[thing]);
        }
    }
    suite_tests(tests, COUNT(tests));
}
