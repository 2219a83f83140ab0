/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/control_line.c - JSON objects, one per line, on a stream socket.
 */
#include "fuse/control_line.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"

ks_rc control_line_init(struct control_line *l, int fd)
{
    *l = (struct control_line){.fd = fd};
    return mem_new(1, CONTROL_LINE_MAX, &l->room);
}

void control_line_done(struct control_line *l)
{
    mem_freep(&l->room);
}

static ks_rc wait_for(int fd, short events, uint64_t deadline_ms)
{
    struct pollfd p = {fd, events, 0};
    int n;

    do {
        uint64_t now = clock_boot_ms(clock_system());
        n = now < deadline_ms ? poll(&p, 1, (int)(deadline_ms - now)) : 0;
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return ks_fail_os(errno, "the control socket");
    ENSURE(n > 0, KS_E_TIMEOUT, "nothing came through the control socket in time");
    return KS_SUCCESS;
}

static ks_rc parse(const char *text, size_t len, json_t **ret)
{
    json_error_t error;
    json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);

    ENSURE(object, KS_E_FORMAT, "a line of the control socket is not JSON: %s", error.text);
    if (!json_is_object(object)) {
        json_decref(object);
        return ks_fail(KS_E_FORMAT, "a line of the control socket is not a JSON object");
    }
    *ret = object;
    return KS_SUCCESS;
}

/* take_line(l, end, ret): parses the bytes before end and moves the rest to the front. */
static ks_rc take_line(struct control_line *l, const char *end, json_t **ret)
{
    size_t len = (size_t)(end - l->room);
    ks_rc rc = parse(l->room, len, ret);

    l->len -= len + 1;
    memmove(l->room, end + 1, l->len);
    return rc;
}

ks_rc control_line_read(struct control_line *l, int timeout_ms, json_t **ret)
{
    uint64_t deadline = clock_boot_ms(clock_system()) + (uint64_t)timeout_ms;

    for (;;) {
        const char *end = l->len ? memchr(l->room, '\n', l->len) : NULL;
        if (end)
            return take_line(l, end, ret);
        ENSURE(l->len < CONTROL_LINE_MAX, KS_E_LIMIT, "a line of the control socket is too long");
        TRY(wait_for(l->fd, POLLIN, deadline));
        ssize_t n = recv(l->fd, l->room + l->len, CONTROL_LINE_MAX - l->len, MSG_DONTWAIT);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return ks_fail_os(errno, "the control socket");
        ENSURE(n > 0 || l->len == 0, KS_E_FORMAT, "the control socket ended within a line");
        if (n == 0) {
            *ret = NULL;
            return KS_SUCCESS;
        }
        l->len += (size_t)n;
    }
}

static ks_rc send_all(int fd, const char *text, size_t len, uint32_t timeout_ms)
{
    uint64_t deadline = clock_boot_ms(clock_system()) + timeout_ms;

    while (len > 0) {
        TRY(wait_for(fd, POLLOUT, deadline));
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return ks_fail_os(errno, "the control socket");
        if (n > 0) {
            text += n;
            len -= (size_t)n;
        }
    }
    return KS_SUCCESS;
}

ks_rc control_line_write_within(int fd, json_t *object, uint32_t timeout_ms)
{
    CLEANUP(mem_freep) char *text = json_dumps(object, JSON_COMPACT);

    ENSURE(text, KS_E_NO_MEMORY, "no memory for a line of the control socket");
    size_t len = strlen(text);
    ENSURE(len < CONTROL_LINE_MAX, KS_E_LIMIT, "a line for the control socket is too long");
    text[len] = '\n'; /* in place of the terminator */
    return send_all(fd, text, len + 1, timeout_ms);
}

ks_rc control_line_write(int fd, json_t *object)
{
    return control_line_write_within(fd, object, CONTROL_WRITE_MS_MAX);
}

/* A text may hold bytes that are no UTF-8 (a path); JSON may not. */
static json_t *safe_text(const char *text)
{
    json_t *s = json_string(text);

    if (s)
        return s;
    char copy[512];
    size_t n = strnlen(text, sizeof copy - 1);
    for (size_t i = 0; i < n; i++)
        copy[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
    copy[n] = 0;
    return json_string(copy);
}

json_t *control_error(ks_rc rc)
{
    return json_pack("{s:b, s:{s:s, s:s, s:i, s:o}}", "ok", 0, "error", "class", ks_class_name(rc),
                     "code", ks_name(rc), "errno", ks_errno(rc), "message", safe_text(ks_text(rc)));
}

ks_rc control_result(json_t *reply)
{
    const char *code = "BUG", *message = "the volume process gave an answer that makes no sense";
    int err = 0;

    if (json_is_true(json_object_get(reply, "ok")))
        return KS_SUCCESS;
    if (json_unpack(reply, "{s:{s:s, s?i, s:s}}", "error", "code", &code, "errno", &err, "message",
                    &message) != 0)
        return ks_fail(KS_E_BUG, "%s", message);
    if (strcmp(code, "OS") == 0 && err > 0 && err < 4096)
        return ks_wrap(ks_os(err), "%s", message);
    enum ks_code known = ks_from_name(code);
    return ks_fail(known == KS_E_OK ? KS_E_BUG : known, "%s", message);
}
