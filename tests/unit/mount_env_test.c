/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: whoever waits for a mount hears "OK" or the whole error as one line that the control client understands; the
 * service manager hears that we are ready; an ordinary user without a run directory is told what to set.
 */
#include "fuse/mount_env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "check.h"
#include "fuse/control_line.h"

static void read_end(int fd, char *out, size_t bytes)
{
    size_t len = 0;

    for (ssize_t n = 1; n > 0 && len < bytes - 1; len += (size_t)n)
        n = read(fd, out + len, bytes - 1 - len);
    out[len] = 0;
    close(fd);
}

static void ready__success__says_ok_and_closes(void **unused)
{
    int fds[2];
    char got[64];

    (void)unused;
    assert_int_equal(pipe(fds), 0);
    mount_ready(&fds[1], KS_SUCCESS);
    assert_int_equal(fds[1], -1);
    read_end(fds[0], got, sizeof got);
    assert_string_equal(got, "OK\n");
}

static void ready__failure__is_one_line_with_class_and_code(void **unused)
{
    int fds[2];
    char got[512];

    (void)unused;
    assert_int_equal(pipe(fds), 0);
    mount_ready(&fds[1], ks_fail(KS_E_KEY_DISABLED, "key \"a\"\nis disabled"));
    read_end(fds[0], got, sizeof got);
    assert_ptr_equal(strchr(got, '\n'), got + strlen(got) - 1);
    json_t *line = json_loads(got, 0, NULL);
    assert_non_null(line);
    ks_rc rc = control_result(line);
    check_rc(rc, KEY_DISABLED);
    check_text(rc, "key \"a\"\nis disabled");
    assert_string_equal(json_string_value(json_object_get(json_object_get(line, "error"), "class")),
                        "DENIED");
    json_decref(line);
}

static void ready__nobody_waits__does_nothing(void **unused)
{
    int none = -1;

    (void)unused;
    mount_ready(&none, KS_SUCCESS);
    assert_int_equal(none, -1);
}

static void notify__service_manager__hears_it(void **unused)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char dir[] = "/tmp/keystead-notify-XXXXXX", path[64], got[64] = {0};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)unused;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s", dir);
    memcpy(address.sun_path, path, strlen(path));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    setenv("NOTIFY_SOCKET", path, 1);
    mount_notify("READY=1");
    unsetenv("NOTIFY_SOCKET");
    mount_notify("not sent");
    assert_int_equal(recv(fd, got, sizeof got - 1, MSG_DONTWAIT), 7);
    assert_string_equal(got, "READY=1");
    assert_int_equal(recv(fd, got, sizeof got - 1, MSG_DONTWAIT), -1);
    close(fd);
    unlink(path);
    rmdir(dir);
}

static void run_dir__by_user(void **unused)
{
    char *dir = NULL;

    (void)unused;
    unsetenv("XDG_RUNTIME_DIR");
    if (geteuid() == 0) {
        check_ok(mount_run_dir(&dir));
        assert_string_equal(dir, "/run/keystead");
    } else {
        check_rc(mount_run_dir(&dir), USAGE);
        setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
        check_ok(mount_run_dir(&dir));
        assert_string_equal(dir, "/run/user/7/keystead");
    }
    mem_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ready__success__says_ok_and_closes),
        cmocka_unit_test(ready__failure__is_one_line_with_class_and_code),
        cmocka_unit_test(ready__nobody_waits__does_nothing),
        cmocka_unit_test(notify__service_manager__hears_it),
        cmocka_unit_test(run_dir__by_user),
    };

    return cmocka_run_group_tests_name("mount_env", tests, NULL, NULL);
}
