/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/program_step.c - a program that is run to its end.
 */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/program_int.h"

enum { INPUT_MAX = 32 * 1024, CHUNK = 4096, SIGNAL_BASE = 128 };

struct step {
    const struct program_conf *conf;
    pid_t pid;
    int in, out, pidfd;
};

static void fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void step_end(struct step *s)
{
    fd_close(&s->in);
    fd_close(&s->out);
    fd_close(&s->pidfd);
    if (s->pid <= 0)
        return;
    kill(-s->pid, SIGKILL);
    while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* The whole input fits into a pipe, so nobody waits for it to be read. */
static ks_rc give_input(struct view input, int *ret_fd)
{
    int fds[2];

    ENSURE(input.len <= INPUT_MAX, KS_E_LIMIT, "an input of %zu bytes", input.len);
    if (pipe2(fds, O_CLOEXEC) != 0)
        return ks_fail_os(errno, "no pipe");
    ssize_t n = input.len ? write(fds[1], input.bytes, input.len) : 0;
    close(fds[1]);
    *ret_fd = fds[0];
    return n == (ssize_t)input.len ? KS_SUCCESS : ks_fail_os(errno, "an input for a program");
}

static ks_rc start(struct step *s, struct view input)
{
    int fds[2];

    TRY(give_input(input, &s->in));
    if (pipe2(fds, O_CLOEXEC) != 0)
        return ks_fail_os(errno, "no pipe");
    s->out = fds[0];
    const struct program_fds given = {s->in, fds[1]};
    ks_rc rc = program_fork(s->conf, &given, &s->pid);
    close(fds[1]);
    TRY(rc);
    s->pidfd = pidfd_open(s->pid, 0);
    return s->pidfd >= 0 ? KS_SUCCESS : ks_fail_os(errno, "%.200s", s->conf->argv[0]);
}

/* Keeps the end of it. */
static ks_rc keep(struct buf *ret, const uint8_t *bytes, size_t len)
{
    size_t excess = ret->len + len > ret->max_bytes ? ret->len + len - ret->max_bytes : 0;

    if (len > ret->max_bytes) {
        bytes += len - ret->max_bytes;
        len = ret->max_bytes;
        excess = ret->len;
    }
    if (excess > 0) {
        memmove(ret->bytes, ret->bytes + excess, ret->len - excess);
        buf_cut(ret, ret->len - excess);
    }
    return buf_append(ret, view_of(bytes, len));
}

static ks_rc take_output(struct step *s, struct buf *ret)
{
    uint8_t chunk[CHUNK];
    ssize_t n = read(s->out, chunk, sizeof chunk);

    if (n < 0 && errno != EINTR && errno != EAGAIN)
        return ks_fail_os(errno, "the output of %.200s", s->conf->argv[0]);
    if (n == 0)
        fd_close(&s->out); /* poll skips it from now on */
    return n > 0 ? keep(ret, chunk, (size_t)n) : KS_SUCCESS;
}

/* Until the program itself has ended: what it left behind may hold the pipe for ever. */
static ks_rc follow(struct step *s, uint64_t deadline_ms, int cancel_fd, struct buf *ret)
{
    for (;;) {
        struct pollfd fds[3] = {{s->out, POLLIN, 0}, {s->pidfd, POLLIN, 0}, {cancel_fd, POLLIN, 0}};
        uint64_t now = clock_boot_ms(clock_system());

        ENSURE(now < deadline_ms, KS_E_TIMEOUT, "%.200s did not end in time", s->conf->argv[0]);
        uint64_t left = deadline_ms - now;
        int n = poll(fds, 3, left < INT32_MAX ? (int)left : INT32_MAX);
        if (n < 0 && errno != EINTR)
            return ks_fail_os(errno, "cannot wait for %.200s", s->conf->argv[0]);
        if (n <= 0)
            continue;
        ENSURE(!fds[2].revents, KS_E_STATE, "%.200s was interrupted", s->conf->argv[0]);
        if (fds[0].revents)
            TRY(take_output(s, ret));
        else if (fds[1].revents)
            return KS_SUCCESS;
    }
}

ks_rc program_run(const struct program_conf *conf, struct view input, uint64_t deadline_ms,
                  int cancel_fd, struct buf *ret, int *ret_status)
{
    CLEANUP(step_end) struct step s = {conf, 0, -1, -1, -1};
    int status = 0;

    TRY(start(&s, input));
    TRY(follow(&s, deadline_ms, cancel_fd, ret));
    kill(-s.pid,
         SIGKILL); /* the rest of its session; it is not yet waited for, so the number is its own */
    while (waitpid(s.pid, &status, 0) < 0 && errno == EINTR)
        ;
    s.pid = 0;
    *ret_status = WIFSIGNALED(status) ? SIGNAL_BASE + WTERMSIG(status) : WEXITSTATUS(status);
    return KS_SUCCESS;
}
