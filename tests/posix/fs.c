/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/fs.c - what is said about the file system as a whole, and calls that few use.
 */
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "suite.h"

static void note_result(const char *what, long rc)
{
    suite_note("%s: %s", what, suite_errno(rc >= 0 ? 0 : errno));
}

static void statvfs_is_sensible(void)
{
    struct statvfs st, of_file;
    struct statfs type;

    put("x", "text");
    OK(statvfs(".", &st));
    OK(statvfs("x", &of_file));
    OK(statfs(".", &type));
    SAME(st.f_namemax, 255);
    SAME(st.f_blocks, of_file.f_blocks);
    HOLDS(st.f_bsize >= 512 && st.f_frsize >= 512);
    HOLDS(st.f_blocks > 0 && st.f_bfree <= st.f_blocks && st.f_bavail <= st.f_bfree);
    HOLDS(st.f_files > 0 && st.f_ffree <= st.f_files);
    SAME(st.f_flag & ST_RDONLY, 0);
    suite_note("type %lx, block size %lu", (unsigned long)type.f_type, st.f_bsize);
}

static void space_is_used(void)
{
    enum { MANY = 64 << 20 };
    struct statvfs before, after;

    int fd = (int)OK(open("x", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    OK(fallocate(fd, 0, 0, MANY));
    OK(fsync(fd));
    OK(statvfs(".", &before));
    OK(ftruncate(fd, 0));
    OK(fsync(fd));
    OK(statvfs(".", &after));
    HOLDS(after.f_bfree * after.f_frsize > before.f_bfree * before.f_frsize);
}

static void one_device(void)
{
    OK(mkdir("d", 0755));
    put("d/x", "text");
    SAME(stat_of("d/x").st_dev, stat_of(".").st_dev);
    SAME(stat_of("d").st_dev, stat_of(".").st_dev);
    SAME(stat_of("d/x").st_blksize, 4096);
}

static void numbers_are_kept(void)
{
    put("x", "text");
    ino_t ino = stat_of("x").st_ino;
    HOLDS(ino != 0);
    int fd = (int)OK(open("x", O_RDWR | O_CLOEXEC));
    reread(fd);
    OK(rename("x", "y"));
    SAME(stat_of("y").st_ino, ino);
    SAME(stat_of_fd(fd).st_ino, ino);
}

static void statx_fields(void)
{
    struct statx x;

    put("x", "text");
    struct stat st = stat_of("x");
    OK(statx(AT_FDCWD, "x", 0, STATX_ALL, &x));
    SAME(x.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
    SAME(x.stx_ino, st.st_ino);
    SAME(x.stx_size, 4);
    SAME(x.stx_nlink, 1);
    SAME(x.stx_mode, st.st_mode);
    SAME(x.stx_mtime.tv_nsec, st.st_mtim.tv_nsec);
    suite_note("time of birth: %s", x.stx_mask & STATX_BTIME ? "yes" : "no");
    OK(statx(AT_FDCWD, "x", AT_STATX_DONT_SYNC, STATX_SIZE, &x));
    SAME(x.stx_size, 4);
    OK(statx(AT_FDCWD, "x", AT_STATX_FORCE_SYNC, STATX_SIZE, &x));
    SAME(x.stx_size, 4);
    FAILS(EINVAL, statx(AT_FDCWD, "x", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, 0, &x));
}

static void blocks_count_what_is_there(void)
{
    int fd = (int)OK(open("x", O_RDWR | O_CREAT | O_CLOEXEC, 0644));

    suite_note("empty: %lld blocks", (long long)stat_of_fd(fd).st_blocks);
    put_pattern(fd, 0, 1 << 20);
    OK(fsync(fd));
    HOLDS(stat_of_fd(fd).st_blocks > 0); /* or tar -S takes it for a hole */
    suite_note("while open: %s", stat_of_fd(fd).st_blocks * 512 >= 1 << 20 ? "all" : "too few");
    OK(close(fd));
    HOLDS(stat_of("x").st_blocks * 512 >= 1 << 20);
    HOLDS(stat_of("x").st_blocks * 512 < (1 << 20) + (1 << 18));
}

static void inode_flags(void)
{
    int flags = 0;

    put("x", "text");
    int fd = (int)OK(open("x", O_RDONLY | O_CLOEXEC));
    long rc = ioctl(fd, FS_IOC_GETFLAGS, &flags);
    note_result("FS_IOC_GETFLAGS", rc);
    if (rc < 0)
        return;
    int immutable = flags | FS_IMMUTABLE_FL;
    OK(ioctl(fd, FS_IOC_SETFLAGS, &immutable));
    int open_rc = open("x", O_WRONLY | O_CLOEXEC), err = errno;
    OK(ioctl(fd, FS_IOC_SETFLAGS, &flags));
    FAILS(EPERM, (errno = err, open_rc));
}

static void extents(void)
{
    struct fiemap map = {.fm_length = UINT64_MAX, .fm_flags = FIEMAP_FLAG_SYNC};

    put_bytes("x", 100000);
    int fd = (int)OK(open("x", O_RDONLY | O_CLOEXEC));
    note_result("FS_IOC_FIEMAP", ioctl(fd, FS_IOC_FIEMAP, &map));
}

static void handles(void)
{
    struct {
        struct file_handle h;
        unsigned char room[128];
    } handle = {.h.handle_bytes = 128};
    int mount_id;

    put("x", "text");
    note_result("name_to_handle_at", name_to_handle_at(AT_FDCWD, "x", &handle.h, &mount_id, 0));
}

static void unknown_ioctl(void)
{
    int bytes = 0;

    put("x", "text");
    int fd = (int)OK(open("x", O_RDONLY | O_CLOEXEC));
    FAILS(ENOTTY, ioctl(fd, 0x5401, &bytes)); /* TCGETS */
    note_result("FIGETBSZ", ioctl(fd, FIGETBSZ, &bytes));
    put_bytes("y", 1000);
    fd = (int)OK(open("y", O_RDONLY | O_CLOEXEC));
    OK(ioctl(fd, FIONREAD, &bytes));
    SAME(bytes, 1000);
}

static void changes_are_notified(void)
{
    char events[4096];
    uint32_t seen = 0;

    OK(mkdir("d", 0755));
    int fd = (int)OK(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    OK(inotify_add_watch(fd, "d", IN_CREATE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE));
    put("d/x", "text");
    OK(rename("d/x", "d/y"));
    OK(unlink("d/y"));
    long len = OK(read(fd, events, sizeof events));
    for (long at = 0; at < len;) {
        struct inotify_event e;
        memcpy(&e, events + at, sizeof e);
        seen |= e.mask;
        at += (long)(sizeof e + e.len);
    }
    SAME(seen, IN_CREATE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE);
}

static void many_open_files(void)
{
    enum { FILES = 500 };
    int fds[FILES];
    char name[16];

    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "f%d", i);
        fds[i] = (int)OK(open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644));
        put_pattern(fds[i], (uint64_t)i, 100);
    }
    for (int i = 0; i < FILES; i++)
        holds_pattern(fds[i], (uint64_t)i, 100);
}

static void root_of_the_mount(void)
{
    char above[4096];

    snprintf(above, sizeof above, "%s/..", suite_top());
    HOLDS(S_ISDIR(stat_of(suite_top()).st_mode));
    if (stat_of(suite_top()).st_dev == stat_of(above).st_dev)
        return; /* not a mount of its own */
    FAILS(EBUSY, rmdir(suite_top()));
}

static const struct suite_test tests[] = {
    TEST(statvfs_is_sensible),
    TEST(space_is_used),
    TEST(one_device),
    TEST(numbers_are_kept),
    TEST(statx_fields),
    TEST(blocks_count_what_is_there),
    TEST(inode_flags),
    TEST(extents),
    TEST(handles),
    TEST(unknown_ioctl),
    TEST(changes_are_notified),
    TEST(many_open_files),
    TEST(root_of_the_mount),
};

void fs_cases(void)
{
    suite_tests(tests, COUNT(tests));
}
