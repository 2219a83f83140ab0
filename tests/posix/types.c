/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/types.c - making and removing each type of object.
 */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "suite.h"

static int bind_socket(const char *name)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    snprintf(to.sun_path, sizeof to.sun_path, "%s", name);
    return bind(fd, (const struct sockaddr *)&to, sizeof to);
}

static int make_exclusive(const char *name)
{
    return open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
}

static int make_directory(const char *name)
{
    return mkdir(name, 0755);
}

static int make_link(const char *name)
{
    return link("other", name);
}

static int make_symlink(const char *name)
{
    return symlink("target", name);
}

static int make_fifo(const char *name)
{
    return mkfifo(name, 0644);
}

static int make_regular_node(const char *name)
{
    return mknod(name, S_IFREG | 0644, 0);
}

static int make_char(const char *name)
{
    return mknod(name, S_IFCHR | 0644, makedev(240, 7));
}

static const struct maker {
    const char *name;
    int (*make)(const char *name);
    int err; /* when the name is taken */
} makers[] = {
    {"open_exclusive", make_exclusive, EEXIST},
    {"mkdir", make_directory, EEXIST},
    {"link", make_link, EEXIST},
    {"symlink", make_symlink, EEXIST},
    {"mkfifo", make_fifo, EEXIST},
    {"mknod_regular", make_regular_node, EEXIST},
    {"mknod_char", make_char, EEXIST},
    {"bind", bind_socket, EADDRINUSE},
};

struct taken {
    const struct maker *maker;
    enum thing thing;
};

static void name_is_taken(const void *row)
{
    const struct taken *t = row;

    put("other", "text");
    make_thing(t->thing, "x");
    struct stat before = stat_of("x");
    FAILS(t->maker->err, t->maker->make("x"));
    SAME(stat_of("x").st_ino, before.st_ino);
    SAME(stat_of("x").st_size, before.st_size);
}

static enum thing thing_of(const void *row)
{
    return *(const enum thing *)row;
}

static void is_what_was_made(const void *row)
{
    enum thing thing = thing_of(row);

    make_thing(thing, "x");
    struct stat st = stat_of("x");
    SAME(st.st_mode & S_IFMT, thing_types[thing]);
    SAME(st.st_mode & 07777, thing == A_SYMLINK ? 0777 : (thing == A_DIRECTORY ? 0755 : 0644));
    SAME(st.st_nlink, thing == A_DIRECTORY ? 2 : 1);
    SAME(st.st_uid, 0);
    SAME(st.st_gid, 0);
    if (thing == A_FILE)
        SAME(st.st_size, 4);
    if (thing == A_SYMLINK)
        SAME(st.st_size, 6);
    if (thing == A_CHAR || thing == A_BLOCK)
        SAME(st.st_rdev, makedev(240, 7));
}

static void times_are_now(const void *row)
{
    struct timespec before, after;

    OK(clock_gettime(CLOCK_REALTIME_COARSE, &before));
    make_thing(thing_of(row), "x");
    struct stat st = stat_of("x");
    next_tick();
    OK(clock_gettime(CLOCK_REALTIME, &after));
    HOLDS(!is_before(&st.st_mtim, &before) && is_before(&st.st_mtim, &after));
    HOLDS(!is_before(&st.st_ctim, &before) && is_before(&st.st_ctim, &after));
    HOLDS(!is_before(&st.st_atim, &before) && is_before(&st.st_atim, &after));
}

static void parent_changes(const void *row)
{
    OK(mkdir("d", 0755));
    set_old("d");
    struct stat before = stat_of("d");
    next_tick();
    make_thing(thing_of(row), "d/x");
    struct stat st = stat_of("d");
    HOLDS(is_before(&before.st_mtim, &st.st_mtim));
    HOLDS(is_before(&before.st_ctim, &st.st_ctim));
    set_old("d");
    before = stat_of("d");
    next_tick();
    OK(remove("d/x"));
    st = stat_of("d");
    HOLDS(is_before(&before.st_mtim, &st.st_mtim));
    HOLDS(is_before(&before.st_ctim, &st.st_ctim));
}

static bool is_device(enum thing thing)
{
    return thing == A_CHAR || thing == A_BLOCK;
}

static void users_object(const void *row)
{
    enum thing thing = thing_of(row);

    OK(chmod(".", 0777));
    if (is_device(thing)) {
        if (become(USER_A, GROUP_B)) {
            FAILS(EPERM, mknod("x", thing_types[thing] | 0644, makedev(240, 7)));
            done();
        }
        FAILS(ENOENT, access("x", F_OK));
        return;
    }
    if (become(USER_A, GROUP_B)) {
        make_thing(thing, "x");
        done();
    }
    SAME(stat_of("x").st_uid, USER_A);
    SAME(stat_of("x").st_gid, GROUP_B);
}

static void group_of_the_directory(const void *row)
{
    enum thing thing = thing_of(row);

    OK(mkdir("d", 0755));
    OK(chown("d", USER_A, GROUP_A));
    OK(chmod("d", 02777));
    make_thing(thing, "d/by_root");
    SAME(stat_of("d/by_root").st_uid, 0);
    SAME(stat_of("d/by_root").st_gid, GROUP_A);
    SAME(mode_of("d/by_root") & 02000, thing == A_DIRECTORY ? 02000 : 0);
    if (is_device(thing))
        return;
    if (become(USER_B, GROUP_B)) {
        make_thing(thing, "d/x");
        done();
    }
    SAME(stat_of("d/x").st_uid, USER_B);
    SAME(stat_of("d/x").st_gid, GROUP_A);
    SAME(mode_of("d/x") & 02000, thing == A_DIRECTORY ? 02000 : 0);
}

static void removed(const void *row)
{
    enum thing thing = thing_of(row);

    make_thing(thing, "x");
    if (thing == A_DIRECTORY) {
        FAILS(EISDIR, unlink("x"));
        OK(rmdir("x"));
    } else {
        FAILS(ENOTDIR, rmdir("x"));
        OK(unlink("x"));
    }
    struct stat st;
    FAILS(ENOENT, lstat("x", &st));
    FAILS(ENOENT, thing == A_DIRECTORY ? rmdir("x") : unlink("x"));
}

static void read_only_directory(const void *row)
{
    enum thing thing = thing_of(row);

    OK(mkdir("d", 0755));
    make_thing(thing, "d/x");
    if (become(USER_A, GROUP_A)) {
        FAILS(EACCES, thing == A_DIRECTORY ? rmdir("d/x") : unlink("d/x"));
        done();
    }
    stat_of("d/x");
}

/* --- what only some types do --- */

static void modes_follow_the_umask(void)
{
    umask(0);
    OK(close((int)OK(open("a", O_CREAT | O_WRONLY | O_CLOEXEC, 0777))));
    SAME(mode_of("a"), 0777);
    OK(mkdir("da", 01777));
    SAME(mode_of("da"), 01777);
    umask(0777);
    OK(close((int)OK(open("b", O_CREAT | O_WRONLY | O_CLOEXEC, 0777))));
    SAME(mode_of("b"), 0);
    umask(027);
    OK(close((int)OK(open("c", O_CREAT | O_WRONLY | O_CLOEXEC, 06777))));
    SAME(mode_of("c"), 06750);
    OK(mkdir("dc", 0777));
    SAME(mode_of("dc"), 0750);
    OK(mkfifo("f", 0666));
    SAME(mode_of("f"), 0640);
}

static void fifo_passes_bytes(void)
{
    char got[8];

    OK(mkfifo("fifo", 0600));
    FAILS(ENXIO, open("fifo", O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    int in = (int)OK(open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    int out = (int)OK(open("fifo", O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    SAME(write(out, "hello", 5), 5);
    SAME(read(in, got, sizeof got), 5);
    HOLDS(memcmp(got, "hello", 5) == 0);
    FAILS(ESPIPE, lseek(in, 0, SEEK_SET));
    SAME(stat_of("fifo").st_size, 0);
}

static void socket_connects(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int a = (int)OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    int b = (int)OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    char got[8];

    OK(bind(a, (const struct sockaddr *)&to, sizeof to));
    HOLDS(S_ISSOCK(stat_of("socket").st_mode));
    OK(listen(a, 1));
    OK(connect(b, (const struct sockaddr *)&to, sizeof to));
    int c = (int)OK(accept4(a, NULL, NULL, SOCK_CLOEXEC));
    SAME(write(b, "hello", 5), 5);
    SAME(read(c, got, sizeof got), 5);
    FAILS(ENXIO, open("socket", O_RDWR | O_CLOEXEC));
    OK(unlink("socket"));
    FAILS(ENOENT, connect(b, (const struct sockaddr *)&to, sizeof to));
}

static void null_device_works(void)
{
    OK(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
    int fd = open("null", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        suite_note("open of a device node: %s", suite_errno(errno));
        return;
    }
    SAME(write(fd, "x", 1), 1);
    suite_note("device nodes can be opened");
}

static void large_device_numbers(void)
{
    dev_t dev = makedev(0xabc, 0x12345);

    OK(mknod("x", S_IFBLK | 0600, dev));
    SAME(stat_of("x").st_rdev, dev);
}

static void mknod_of_a_directory(void)
{
    FAILS(EPERM, mknod("x", S_IFDIR | 0755, 0));
    FAILS(EINVAL, mknod("x", S_IFLNK | 0755, 0));
    OK(mknod("x", S_IFREG | 0640, 0));
    SAME(mode_of("x"), 0640);
    SAME(stat_of("x").st_size, 0);
    OK(mknod("y", 0600, 0));
    HOLDS(S_ISREG(stat_of("y").st_mode));
}

static const struct suite_test tests[] = {
    TEST(modes_follow_the_umask), TEST(fifo_passes_bytes),    TEST(socket_connects),
    TEST(null_device_works),      TEST(large_device_numbers), TEST(mknod_of_a_directory),
};

void types_cases(void)
{
    static const struct {
        const char *name;
        void (*run)(const void *thing);
    } each[] = {
        {"made", is_what_was_made},
        {"times_of_a_new_one", times_are_now},
        {"made_and_removed__directory_changes", parent_changes},
        {"made_by_a_user", users_object},
        {"made_in_a_set_group_id_directory", group_of_the_directory},
        {"removed", removed},
        {"removed_without_write_permission", read_only_directory},
    };

    for (enum thing thing = 0; thing < THING_COUNT; thing++) {
        for (size_t i = 0; i < COUNT(each); i++)
            suite_case(each[i].run, &thing, "%s__%s", thing_names[thing], each[i].name);
        for (size_t i = 0; i < COUNT(makers); i++) {
            struct taken t = {&makers[i], thing};
            suite_case(name_is_taken, &t, "%s__name_taken_by_a_%s", makers[i].name,
                       thing_names[thing]);
        }
    }
    suite_tests(tests, COUNT(tests));
}
