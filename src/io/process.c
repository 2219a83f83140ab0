/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/process.c - running another program and taking what it prints.
 *
 * posix_spawn starts it without a copy of this process's memory, in which keys may be (glibc: CLONE_VM, CLONE_VFORK).
 * The program gets a process group of its own, so that what it started goes with it. Nothing of it is left when the
 * function returns: neither a process nor a descriptor.
 */
#include "io/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

enum { CHUNK = 4096, SIGNAL_BASE = 128 };

struct process {
    pid_t pid;
    int out, pidfd;
    bool is_telling_errors; /* they go where the output goes */
};

static void process_end(struct process *p)
{
    if (p->out >= 0)
        close(p->out);
    if (p->pidfd >= 0)
        close(p->pidfd);
    if (p->pid <= 0)
        return;
    kill(-p->pid, SIGKILL);
    while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* Signals as a program expects to find them, whatever this process does with its own. */
static int set_attributes(posix_spawnattr_t *a)
{
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(a, &none);
    posix_spawnattr_setsigdefault(a, &all);
    posix_spawnattr_setpgroup(a, 0);
    return posix_spawnattr_setflags(a, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                           POSIX_SPAWN_SETPGROUP);
}

static int set_files(posix_spawn_file_actions_t *f, int out, bool is_telling_errors)
{
    int err = posix_spawn_file_actions_addopen(f, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

    if (!err)
        err = posix_spawn_file_actions_adddup2(f, out, STDOUT_FILENO);
    if (!err && is_telling_errors)
        err = posix_spawn_file_actions_adddup2(f, out, STDERR_FILENO);
    else if (!err)
        err = posix_spawn_file_actions_addopen(f, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    return err ? err : posix_spawn_file_actions_addclosefrom_np(f, STDERR_FILENO + 1);
}

static int spawn(const char *const *argv, int out, struct process *p)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    union {
        const char *const *in;
        char *const *out;
    } args = {argv}; /* posix_spawnp only reads them */

    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    int err = set_files(&files, out, p->is_telling_errors);
    if (!err)
        err = set_attributes(&attributes);
    if (!err)
        err = posix_spawnp(&p->pid, argv[0], &files, &attributes, args.out, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return err;
}

static ks_rc start(const char *const *argv, struct process *p)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0)
        return ks_fail_os(errno, "no pipe for %.200s", argv[0]);
    p->out = fds[0];
    int err = spawn(argv, fds[1], p);
    close(fds[1]);
    if (err) {
        p->pid = 0;
        return err == ENOENT ? ks_fail(KS_E_NOT_FOUND, "there is no program %.200s", argv[0])
                             : ks_fail_os(err, "%.200s cannot be started", argv[0]);
    }
    p->pidfd = pidfd_open(p->pid, 0);
    return p->pidfd >= 0 ? KS_SUCCESS : ks_fail_os(errno, "%.200s cannot be watched", argv[0]);
}

/* Waits until fd has something to say. */
static ks_rc wait_for(int fd, uint64_t deadline_ms, struct clock *clock)
{
    for (;;) {
        struct pollfd p = {fd, POLLIN, 0};
        uint64_t now = clock_boot_ms(clock);
        uint64_t left = deadline_ms > now ? deadline_ms - now : 0;

        ENSURE(!deadline_ms || left, KS_E_TIMEOUT, "it did not end in time");
        int n = poll(&p, 1, !deadline_ms ? -1 : left < INT32_MAX ? (int)left : INT32_MAX);
        if (n > 0)
            return KS_SUCCESS;
        if (n < 0 && errno != EINTR)
            return ks_fail_os(errno, "cannot wait for a program");
    }
}

static ks_rc read_some(int fd, struct buf *ret, bool *is_end)
{
    uint8_t chunk[CHUNK];
    ssize_t n = read(fd, chunk, sizeof chunk);

    if (n < 0 && errno != EINTR)
        return ks_fail_os(errno, "cannot read what a program prints");
    *is_end = n == 0;
    ks_rc rc = n > 0 ? buf_append(ret, view_of(chunk, (size_t)n)) : KS_SUCCESS;
    mem_wipe(chunk, sizeof chunk); /* it may have been a credential */
    return rc;
}

static ks_rc run(struct process *p, uint64_t deadline_ms, struct clock *clock, struct buf *ret)
{
    for (bool is_end = false; !is_end;) {
        TRY(wait_for(p->out, deadline_ms, clock));
        TRY(read_some(p->out, ret, &is_end));
    }
    return wait_for(p->pidfd, deadline_ms, clock);
}

/* finish(p, ret_status): takes its exit code, and what it has left behind away. */
static void finish(struct process *p, int *ret_status)
{
    int status = 0;

    kill(-p->pid, SIGKILL);
    while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
        ;
    p->pid = 0;
    *ret_status = WIFSIGNALED(status) ? SIGNAL_BASE + WTERMSIG(status) : WEXITSTATUS(status);
}

static ks_rc run_to_end(const char *const *argv, struct process *p, uint64_t deadline_ms,
                        struct clock *clock, struct buf *ret)
{
    size_t before = ret->len;

    TRY(start(argv, p));
    ks_rc rc = run(p, deadline_ms, clock, ret);
    if (!ks_ok(rc))
        ret->len = before;
    return ks_wrap(rc, "%.200s", argv[0]);
}

ks_rc process_run(const char *const *argv, uint64_t deadline_ms, struct clock *clock,
                  struct buf *ret, int *ret_status)
{
    CLEANUP(process_end) struct process p = {0, -1, -1, false};

    TRY(run_to_end(argv, &p, deadline_ms, clock, ret));
    finish(&p, ret_status);
    return KS_SUCCESS;
}

ks_rc process_run_told(const char *const *argv, uint64_t deadline_ms, struct clock *clock,
                       struct buf *ret, int *ret_status)
{
    CLEANUP(process_end) struct process p = {0, -1, -1, true};

    TRY(run_to_end(argv, &p, deadline_ms, clock, ret));
    finish(&p, ret_status);
    return KS_SUCCESS;
}
