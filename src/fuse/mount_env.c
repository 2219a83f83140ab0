/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/mount_env.c - what the volume process takes from its surroundings.
 */
#include "fuse/mount_env.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "fuse/control_line.h"

ks_rc mount_run_dir(char **ret)
{
    const char *dir = getenv("XDG_RUNTIME_DIR");

    if (geteuid() == 0)
        return mem_text("/run/keystead", ret);
    ENSURE(dir && dir[0] == '/', KS_E_USAGE,
           "no place for the control socket: set XDG_RUNTIME_DIR or pass --run-dir DIR");
    return mem_format(ret, "%s/keystead", dir);
}

void mount_notify(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@')
        address.sun_path[0] = 0; /* a name in the abstract name space */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    ssize_t n = sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address, len);
    (void)n; /* best effort */
    close(fd);
}

static void write_all(int fd, const char *text)
{
    ssize_t n = write(fd, text, strlen(text));
    (void)n; /* whoever waited has gone: nobody to tell */
}

void mount_ready(int *fd, ks_rc rc)
{
    if (*fd < 0)
        return;
    if (ks_ok(rc)) {
        write_all(*fd, "OK\n");
    } else {
        json_t *error = control_error(rc);
        CLEANUP(mem_freep) char *text = error ? json_dumps(error, JSON_COMPACT) : NULL;
        write_all(*fd, text ? text : "{\"ok\":false}");
        write_all(*fd, "\n");
        json_decref(error);
    }
    close(*fd);
    *fd = -1;
}
