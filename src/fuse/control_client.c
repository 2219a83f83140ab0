/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/control_client.c - talking to a running volume process.
 */
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "fuse/control_line.h"
#include "fuse/mount_env.h"

ks_rc control_path(const char *run_dir, const uint8_t volume_id[16], char **ret)
{
    CLEANUP(mem_freep) char *standard = NULL;
    char hex[33];

    if (!run_dir) {
        TRY(mount_run_dir(&standard));
        run_dir = standard;
    }
    for (size_t i = 0; i < 16; i++) {
        static const char digits[] = "0123456789abcdef";
        hex[2 * i] = digits[volume_id[i] >> 4];
        hex[2 * i + 1] = digits[volume_id[i] & 15];
    }
    hex[32] = 0;
    return mem_format(ret, "%s/%s.sock", run_dir, hex);
}

static void fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

enum { CONNECT_MS_MAX = 3000 };

/* A process that is stopped takes nobody in: who wants to connect then waits for as long as sending may take. */
static void bound_sending(int fd, long ms)
{
    const struct timeval most = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
}

static ks_rc connect_to(const char *path, int *ret)
{
    CLEANUP(fd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);

    ENSURE(len < sizeof address.sun_path, KS_E_LIMIT,
           "the path of the control socket is too long: %s", path);
    memcpy(address.sun_path, path, len);
    if (fd < 0)
        return ks_fail_os(errno, "cannot make a socket");
    bound_sending(fd, CONNECT_MS_MAX);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int err = errno;
        ENSURE(err != ENOENT && err != ECONNREFUSED, KS_E_NOT_FOUND,
               "no volume process listens on %s", path);
        ENSURE(err != EAGAIN, KS_E_TIMEOUT, "the process that listens on %s takes nobody in", path);
        return ks_fail_os(err, "the control socket %s", path);
    }
    bound_sending(fd, 0);
    *ret = fd;
    fd = -1;
    return KS_SUCCESS;
}

/* ended(rc): a process that dies closes its socket in one of several ways, all of which mean that it is
 * not there any more. */
static ks_rc ended(ks_rc rc)
{
    if (!ks_is_os(rc, ECONNRESET) && !ks_is_os(rc, EPIPE))
        return rc;
    return ks_fail(KS_E_NOT_FOUND, "the volume process ended before it answered");
}

static ks_rc exchange(struct control_line *line, json_t *request, int timeout_ms,
                      void (*progress)(void *arg, json_t *line), void *arg, json_t **ret)
{
    json_t *reply = NULL;

    /* whoever is turned away may find the socket closed already, but what it was told is still there to be read */
    ks_rc sent = ended(control_line_write(line->fd, request));
    if (!ks_ok(sent) && !ks_is(sent, KS_E_NOT_FOUND))
        return sent;
    for (;;) {
        TRY(ended(control_line_read(line, timeout_ms, &reply)));
        if (!reply)
            return ended(ks_os(EPIPE));
        if (json_object_get(reply, "ok"))
            break;
        if (progress)
            progress(arg, reply);
        json_decref(reply);
    }
    ks_rc rc = control_result(reply);
    if (ks_ok(rc))
        *ret = reply;
    else
        json_decref(reply);
    return rc;
}

ks_rc control_call_progress(const char *path, json_t *request, int timeout_ms,
                            void (*progress)(void *arg, json_t *line), void *arg, json_t **ret)
{
    CLEANUP(fd_close) int fd = -1;
    CLEANUP(control_line_done) struct control_line line = {.fd = -1};

    TRY(connect_to(path, &fd));
    TRY(control_line_init(&line, fd));
    return exchange(&line, request, timeout_ms, progress, arg, ret);
}

ks_rc control_call(const char *path, json_t *request, int timeout_ms, json_t **ret)
{
    return control_call_progress(path, request, timeout_ms, NULL, NULL, ret);
}

ks_rc control_converse(const char *path, json_t *request, int *ret)
{
    CLEANUP(fd_close) int fd = -1;

    TRY(connect_to(path, &fd));
    TRY(ended(control_line_write(fd, request)));
    *ret = fd;
    fd = -1;
    return KS_SUCCESS;
}

ks_rc control_process(const char *path, int *ret)
{
    CLEANUP(fd_close) int fd = -1;
    struct ucred who;
    socklen_t len = sizeof who;

    TRY(connect_to(path, &fd));
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
        return ks_fail_os(errno, "the control socket %s", path);
    int process = pidfd_open(who.pid, 0);
    if (process < 0)
        return errno == ESRCH ? ks_fail(KS_E_NOT_FOUND, "the volume process has ended")
                              : ks_fail_os(errno, "process %d", (int)who.pid);
    /* one that ended meanwhile has hung up, and its number may be another's */
    struct pollfd hung_up = {fd, 0, 0};
    if (poll(&hung_up, 1, 0) != 0) {
        close(process);
        return ks_fail(KS_E_NOT_FOUND, "the volume process has ended");
    }
    *ret = process;
    return KS_SUCCESS;
}

/* ---- watching ---- */

struct control_watch {
    int fd;
    struct control_line line;
    atomic_bool is_cancelled;
};

ks_rc control_watch_open(const char *path, struct control_watch **ret)
{
    CLEANUP(control_watch_freep) struct control_watch *w = NULL;
    json_t *request = json_pack("{s:s}", "op", "watch");

    ENSURE(request, KS_E_NO_MEMORY, "no memory for a request");
    ks_rc rc = mem_new(1, sizeof *w, &w);
    if (ks_ok(rc)) {
        w->fd = -1;
        rc = control_converse(path, request, &w->fd);
    }
    json_decref(request);
    TRY(rc);
    TRY(control_line_init(&w->line, w->fd));
    *ret = TAKE(w);
    return KS_SUCCESS;
}

static ks_rc next_line(struct control_watch *w, int timeout_ms, json_t **ret)
{
    json_t *line = NULL;

    TRY(ended(control_line_read(&w->line, timeout_ms, &line)));
    if (!line)
        return ended(ks_os(EPIPE));
    if (!json_object_get(line, "ok")) {
        *ret = line;
        return KS_SUCCESS;
    }
    ks_rc rc = control_result(line);
    json_decref(line);
    return ks_ok(rc) ? ks_fail(KS_E_BAD_REPLY, "the volume process does not watch") : rc;
}

ks_rc control_watch_next(struct control_watch *w, int timeout_ms, json_t **ret)
{
    json_t *line = NULL;

    ks_rc rc = next_line(w, timeout_ms, &line);
    if (atomic_load(&w->is_cancelled)) {
        json_decref(line);
        return ks_fail(KS_E_STATE, "watching was cancelled");
    }
    if (ks_ok(rc))
        *ret = line;
    return rc;
}

void control_watch_cancel(struct control_watch *w)
{
    atomic_store(&w->is_cancelled, true);
    shutdown(w->fd, SHUT_RDWR);
}

void control_watch_free(struct control_watch *w)
{
    if (!w)
        return;
    fd_close(&w->fd);
    control_line_done(&w->line);
    mem_free(w);
}

void control_watch_freep(struct control_watch **w)
{
    control_watch_free(*w);
}
