/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/mount_point.c - the directory a volume is mounted on, seen from outside the mount.
 */
#include "fuse/mount_point.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <mntent.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define FILE_SYSTEM_TYPE "fuse.keystead"
#define SOURCE_PREFIX "keystead:"

ks_rc mount_point_absolute(const char *path, char **ret)
{
    char real[PATH_MAX], parent[PATH_MAX], base[PATH_MAX], copy[PATH_MAX];

    if (realpath(path, real))
        return mem_text(real, ret);
    if (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG)
        return ks_fail_os(errno, "the mount point %s", path);
    /* Its last part cannot be touched: a dead or locked mount. The way there can. */
    snprintf(copy, sizeof copy, "%s", path);
    snprintf(base, sizeof base, "%s", basename(copy));
    snprintf(copy, sizeof copy, "%s", path);
    if (!realpath(dirname(copy), parent))
        return ks_fail_os(errno, "the mount point %s", path);
    return mem_format(ret, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, base);
}

static void mounts_close(FILE **f)
{
    if (*f)
        endmntent(*f);
}

/* find_mount(path, ret_source, bytes): whether a volume is mounted on path, and which. */
static bool find_mount(const char *path, char *ret_source, size_t bytes)
{
    CLEANUP(mounts_close) FILE *f = setmntent("/proc/self/mounts", "re");
    struct mntent entry;
    char line[3 * PATH_MAX];
    bool is_found = false;

    /* the last one lies on top */
    while (f && getmntent_r(f, &entry, line, sizeof line)) {
        if (strcmp(entry.mnt_dir, path) != 0)
            continue;
        is_found = strcmp(entry.mnt_type, FILE_SYSTEM_TYPE) == 0;
        snprintf(ret_source, bytes, "%s", entry.mnt_fsname);
    }
    return is_found;
}

static ks_rc take_dead_mount_away(const char *path, const char *source)
{
    char mounted[2 * PATH_MAX];

    if (!find_mount(path, mounted, sizeof mounted))
        return KS_SUCCESS;
    bool is_ours = strncmp(mounted, SOURCE_PREFIX, strlen(SOURCE_PREFIX)) == 0 &&
                   strcmp(mounted + strlen(SOURCE_PREFIX), source) == 0;
    ENSURE(is_ours, KS_E_BUSY, "%s is in use by the volume %s; unmount that first", path, mounted);
    log_line(LOG_NOTICE, "taking away the mount that an ended process left on %s", path);
    return mount_point_unmount(path, true);
}

ks_rc mount_point_prepare(const char *path, const char *source)
{
    struct stat st;

    TRY(take_dead_mount_away(path, source));
    if (stat(path, &st) != 0 && errno == ENOTCONN)
        return ks_fail(KS_E_BUSY,
                       "%s carries a mount whose process has died; take it away with: "
                       "fusermount3 -u -z %s",
                       path, path);
    if (stat(path, &st) != 0)
        return ks_fail_os(errno, "the mount point %s", path);
    ENSURE(S_ISDIR(st.st_mode), KS_E_USAGE, "the mount point %s is not a directory", path);
    return KS_SUCCESS;
}

/* run_fusermount(path, is_lazy): its exit status; 127 when it cannot be started. Its complaints go to
 * our log. */
static int run_fusermount(const char *path, bool is_lazy)
{
    char program[] = "fusermount3", unmount[] = "-u", quiet[] = "-q", lazy[] = "-z", end[] = "--";
    CLEANUP(mem_freep) char *target = NULL;
    int status = 0;
    pid_t pid;

    if (!ks_ok(mem_text(path, &target)))
        return 127;
    char *args[] = {program, unmount, quiet, end, target, NULL, NULL};
    if (is_lazy) {
        args[3] = lazy;
        args[4] = end;
        args[5] = target;
    }
    if (posix_spawnp(&pid, program, NULL, NULL, args, environ) != 0)
        return 127;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 127;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* Reconfiguring a mount, even without any change, makes the kernel do it. */
ks_rc mount_point_drop_names(const char *path)
{
    int fd = fspick(AT_FDCWD, path, FSPICK_CLOEXEC | FSPICK_SYMLINK_NOFOLLOW | FSPICK_NO_AUTOMOUNT);

    if (fd < 0)
        return ks_fail_os(errno, "the mount on %s", path);
    int n = fsconfig(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0);
    int err = errno;
    close(fd);
    return n == 0 ? KS_SUCCESS : ks_fail_os(err, "the mount on %s", path);
}

/* The file system of the kernel's FUSE connections, mounted for us alone and nowhere; -1: errno. */
static int connections_open(void)
{
    int fd = fsopen("fusectl", FSOPEN_CLOEXEC);

    if (fd < 0)
        return -1;
    int mounted = fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0
                      ? fsmount(fd, FSMOUNT_CLOEXEC, 0)
                      : -1;
    int err = errno;
    close(fd);
    errno = err;
    return mounted;
}

/* Opened first and asked then: a connection that lives now had its number to itself all the while. */
static bool is_alive(int fuse_fd)
{
    struct pollfd p = {.fd = fuse_fd};

    return poll(&p, 1, 0) == 0 || (p.revents & (POLLERR | POLLNVAL)) == 0;
}

ks_rc mount_point_abort(dev_t device, int fuse_fd)
{
    char name[32];
    int all = connections_open();

    if (all < 0)
        return ks_fail_os(errno, "the kernel's FUSE connections");
    snprintf(name, sizeof name, "%u/abort", minor(device));
    int fd = openat(all, name, O_WRONLY | O_CLOEXEC);
    int err = fd < 0 || (is_alive(fuse_fd) && write(fd, "1", 1) != 1) ? errno : 0;
    if (fd >= 0)
        close(fd);
    close(all);
    return err == 0 ? KS_SUCCESS : ks_fail_os(err, "the FUSE connection %u", minor(device));
}

ks_rc mount_point_unmount(const char *path, bool is_lazy)
{
    if (umount2(path, UMOUNT_NOFOLLOW | (is_lazy ? MNT_DETACH : 0)) == 0)
        return KS_SUCCESS;
    int err = errno;
    ENSURE(
        err != EBUSY, KS_E_BUSY,
        "%s is in use: files are open or somebody's working directory is there (see: fuser -vm %s)",
        path, path);
    if (err != EPERM)
        return ks_fail_os(err, "cannot unmount %s", path);
    int status = run_fusermount(path, is_lazy);
    ENSURE(status != 127, KS_E_NOT_FOUND, "cannot unmount %s: fusermount3 is not installed", path);
    ENSURE(status == 0, KS_E_BUSY, "%s cannot be unmounted: it is probably in use", path);
    return KS_SUCCESS;
}

/* A forced unmount fails the requests first, even when it then says "busy". */
ks_rc mount_point_cut_off(const char *path)
{
    if (umount2(path, MNT_FORCE | UMOUNT_NOFOLLOW) == 0 || errno == EINVAL || errno == ENOENT)
        return KS_SUCCESS;
    IGNORE(mount_point_drop_names(path)); /* what stays in memory is out of reach all the same */
    ks_rc rc = mount_point_unmount(path, true);
    return ks_is_os(rc, EINVAL) ? KS_SUCCESS : rc;
}
