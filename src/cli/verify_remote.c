/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/verify_remote.c - having a running volume verify itself.
 *
 * The one operation whose reply comes after other lines, so it reads the control socket itself. Closing
 * the connection is how it is stopped.
 */
#include "cli/verify_remote.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "fuse/control.h"

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static ks_rc connect_to(const char *path, int *ret_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    ENSURE(strlen(path) < sizeof address.sun_path, KS_E_LIMIT, "the socket's path %s is too long",
           path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    CLEANUP(close_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        return ks_fail_os(errno, "control socket %s", path);
    *ret_fd = fd;
    fd = -1;
    return KS_SUCCESS;
}

/* One line into line, without its end. A signal ends the wait. */
static ks_rc read_line(int fd, struct buf *pending, struct buf *line)
{
    for (;;) {
        const uint8_t *end = pending->len ? memchr(pending->bytes, '\n', pending->len) : NULL;
        if (end) {
            size_t len = (size_t)(end - pending->bytes);
            line->len = 0;
            TRY(buf_append(line, view_of(pending->bytes, len)));
            memmove(pending->bytes, end + 1, pending->len - len - 1);
            pending->len -= len + 1;
            return KS_SUCCESS;
        }
        uint8_t part[4096];
        ssize_t n = recv(fd, part, sizeof part, 0);
        if (n < 0)
            return ks_fail_os(errno, "waiting for the volume process");
        ENSURE(n > 0, KS_E_IO, "the volume process ended while it verified");
        TRY(buf_append(pending, view_of(part, (size_t)n)));
    }
}

static ks_rc take_error(const json_t *reply)
{
    const json_t *error = json_object_get(reply, "error");
    const char *code = json_string_value(json_object_get(error, "code"));
    const char *class = json_string_value(json_object_get(error, "class"));
    const char *message = json_string_value(json_object_get(error, "message"));
    enum ks_code found = code ? ks_from_name(code) : KS_E_BUG;

    if (found == KS_E_BUG && class) /* an errno: its class is the name of a code too */
        found = ks_from_name(class);
    return ks_fail(found == KS_E_OK ? KS_E_BUG : found, "%s",
                   message ? message : "the volume process gave no reason");
}

/* Whether the line was news; else it is the reply. */
static bool take_news(const json_t *line, const struct verify_listener *listener, bool *ret_goes_on)
{
    const json_t *progress = json_object_get(line, "progress");
    const json_t *damaged = json_object_get(line, "damaged");

    if (progress) {
        const json_t *bytes =
            json_is_object(progress) ? json_object_get(progress, "bytes") : progress;
        *ret_goes_on = listener->progress(listener->arg, (uint64_t)json_integer_value(bytes));
    } else if (json_is_object(damaged)) {
        const json_t *block = json_object_get(damaged, "block");
        const char *path = json_string_value(json_object_get(damaged, "path"));
        const char *what = json_string_value(json_object_get(damaged, "what"));
        listener->damaged(listener->arg, path ? path : "?",
                          json_is_integer(block) ? (uint64_t)json_integer_value(block) : UINT64_MAX,
                          what ? what : "damaged");
    }
    return progress || json_is_object(damaged);
}

ks_rc verify_remote(const char *socket, const struct verify_listener *listener, json_t **ret)
{
    static const char request[] = "{\"op\":\"verify\"}\n";
    CLEANUP(close_fd) int fd = -1;
    CLEANUP(buf_done) struct buf pending = buf_init(2 * CONTROL_LINE_MAX);
    CLEANUP(buf_done) struct buf line = buf_init(CONTROL_LINE_MAX);
    bool goes_on = true;

    TRY(connect_to(socket, &fd));
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)sizeof request - 1)
        return ks_fail_os(errno, "control socket %s", socket);
    while (goes_on) {
        TRY(read_line(fd, &pending, &line));
        json_t *parsed = json_loadb((const char *)line.bytes, line.len, 0, NULL);
        ENSURE(json_is_object(parsed), KS_E_FORMAT,
               "the volume process gave a line that is no JSON");
        if (take_news(parsed, listener, &goes_on)) {
            json_decref(parsed);
            continue;
        }
        if (json_is_true(json_object_get(parsed, "ok"))) {
            *ret = parsed;
            return KS_SUCCESS;
        }
        ks_rc rc = take_error(parsed);
        json_decref(parsed);
        return rc;
    }
    return ks_fail(KS_E_BUSY, "the verification was stopped");
}
