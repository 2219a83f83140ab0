/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a mount point is named absolutely whatever way it was given, and what cannot be mounted on is refused with
 * its name. (Dead and busy mounts need a kernel that mounts: tests/e2e.)
 */
#include "fuse/mount_point.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/mem.h"
#include "check.h"

struct fixture {
    char dir[64], sub[96], link[96], file[96];
};

static void setup(struct fixture *f)
{
    *f = (struct fixture){.dir = "/tmp/keystead-mount-XXXXXX"};
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->sub, sizeof f->sub, "%s/sub", f->dir);
    snprintf(f->link, sizeof f->link, "%s/link", f->dir);
    snprintf(f->file, sizeof f->file, "%s/file", f->dir);
    assert_int_equal(mkdir(f->sub, 0700), 0);
    assert_int_equal(symlink("sub", f->link), 0);
    close(open(f->file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static void teardown(struct fixture *f)
{
    unlink(f->link);
    unlink(f->file);
    rmdir(f->sub);
    assert_int_equal(rmdir(f->dir), 0);
}

static void absolute__link_and_dots__is_the_real_place(void **unused)
{
    struct fixture f;
    char roundabout[256], *got = NULL;

    (void)unused;
    setup(&f);
    snprintf(roundabout, sizeof roundabout, "%s/./sub/../link", f.dir);
    check_ok(mount_point_absolute(roundabout, &got));
    assert_string_equal(got, f.sub);
    mem_free(got);
    teardown(&f);
}

static void absolute__is_not_there__names_it(void **unused)
{
    char *got = NULL;

    (void)unused;
    ks_rc rc = mount_point_absolute("/nonexistent/place", &got);
    assert_true(ks_is_os(rc, ENOENT));
    check_text(rc, "/nonexistent/place");
    assert_null(got);
}

static void abort__of_no_mount__is_not_found(void **unused)
{
    (void)unused;
    if (geteuid() != 0)
        skip(); /* only root may */
    ks_rc rc = mount_point_abort(makedev(0, 0xfffff), -1);
    assert_true(ks_is_os(rc, ENOENT));
    check_text(rc, "1048575");
}

static bool has_ended(int fuse_fd)
{
    struct pollfd p = {.fd = fuse_fd};

    return poll(&p, 1, 0) == 1 && (p.revents & POLLERR);
}

/* A mount that nobody serves. */
static int mount_unserved(const char *path, dev_t *ret)
{
    char options[96];
    struct statx st;
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        skip();
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
    assert_int_equal(mount("test", path, "fuse.test", 0, options), 0);
    assert_int_equal(statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0, &st), 0);
    *ret = makedev(st.stx_dev_major, st.stx_dev_minor);
    return fd;
}

static void abort__when_ours_has_ended__leaves_who_has_the_number_now(void **unused)
{
    struct fixture f;
    dev_t device;

    (void)unused;
    if (geteuid() != 0)
        skip();
    setup(&f);
    int fd = mount_unserved(f.sub, &device), ended = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    check_ok(mount_point_abort(device, ended));
    assert_false(has_ended(fd));
    check_ok(mount_point_abort(device, fd));
    assert_true(has_ended(fd));
    close(ended);
    close(fd);
    assert_int_equal(umount2(f.sub, MNT_DETACH), 0);
    teardown(&f);
}

static void prepare__a_directory__is_fine(void **unused)
{
    struct fixture f;

    (void)unused;
    setup(&f);
    check_ok(mount_point_prepare(f.sub, "/backing"));
    teardown(&f);
}

static void prepare__a_file__is_refused(void **unused)
{
    struct fixture f;

    (void)unused;
    setup(&f);
    ks_rc rc = mount_point_prepare(f.file, "/backing");
    check_rc(rc, USAGE);
    check_text(rc, f.file);
    teardown(&f);
}

static void prepare__nothing_there__names_it(void **unused)
{
    (void)unused;
    ks_rc rc = mount_point_prepare("/nonexistent/place", "/backing");
    assert_true(ks_is_os(rc, ENOENT));
    check_text(rc, "/nonexistent/place");
}

static void unmount__not_a_mount__fails(void **unused)
{
    struct fixture f;

    (void)unused;
    setup(&f);
    assert_false(ks_ok(mount_point_unmount(f.sub, false)));
    teardown(&f);
}

static void drop_names__not_a_mount__fails(void **unused)
{
    struct fixture f;

    (void)unused;
    setup(&f);
    ks_rc rc = mount_point_drop_names(f.sub);
    assert_true(ks_is_os(rc, EINVAL) || ks_is_os(rc, EPERM)); /* the latter when not root */
    check_text(rc, f.sub);
    teardown(&f);
}

static void drop_names__nothing_there__fails(void **unused)
{
    (void)unused;
    assert_false(ks_ok(mount_point_drop_names("/nonexistent/place")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absolute__link_and_dots__is_the_real_place),
        cmocka_unit_test(absolute__is_not_there__names_it),
        cmocka_unit_test(abort__of_no_mount__is_not_found),
        cmocka_unit_test(abort__when_ours_has_ended__leaves_who_has_the_number_now),
        cmocka_unit_test(prepare__a_directory__is_fine),
        cmocka_unit_test(prepare__a_file__is_refused),
        cmocka_unit_test(prepare__nothing_there__names_it),
        cmocka_unit_test(unmount__not_a_mount__fails),
        cmocka_unit_test(drop_names__not_a_mount__fails),
        cmocka_unit_test(drop_names__nothing_there__fails),
    };

    return cmocka_run_group_tests_name("mount_point", tests, NULL, NULL);
}
