/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/hook.c - starting the operator's programs when a volume locks and unlocks.
 *
 * The runner holds no secret, no descriptor of the volume, and of the environment no more than it passes on. It only
 * logs how a program ended: a stop script that fails must not keep the volume open.
 */
#include "fuse/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

struct hook {
    int fd;
    pid_t pid;
};

/* All that is passed on of the environment: what a program needs to find others, speak the operator's language and reach the
 * service manager and us. Whatever a key service's credentials may be called, they are not among these. */
static const char *const passed_on[] = {
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG", /* and LC_... */
    "TZ",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "KEYSTEAD_RUN_DIR",
};

static bool is_passed_on(const char *entry)
{
    size_t len = strcspn(entry, "=");

    for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++)
        if (strlen(passed_on[i]) == len && memcmp(entry, passed_on[i], len) == 0)
            return true;
    return strncmp(entry, "LC_", 3) == 0;
}

/* The rest is wiped where it lies, because /proc shows it to programs of the same user. */
static void forget_environment(void)
{
    size_t kept = 0;

    for (char **entry = environ; entry && *entry; entry++) {
        if (is_passed_on(*entry))
            environ[kept++] = *entry;
        else
            mem_wipe(*entry, strlen(*entry));
    }
    if (environ)
        environ[kept] = NULL;
}

static ks_rc check_program(const char *path)
{
    if (path && access(path, X_OK) != 0)
        return ks_wrap(ks_fail_os(errno, "%s", path), "the hook program cannot be run");
    return KS_SUCCESS;
}

static void log_end(const char *program, const char *verb, int status)
{
    if (WIFSIGNALED(status))
        log_line(LOG_WARNING, "hook %s %s: killed by signal %d", program, verb, WTERMSIG(status));
    else
        log_line(WEXITSTATUS(status) ? LOG_WARNING : LOG_NOTICE, "hook %s %s: exit %d", program,
                 verb, WEXITSTATUS(status));
}

static void run_program(const struct hook_conf *conf, const char *program, const char *verb)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGTERM, SIG_DFL);
        signal(SIGINT, SIG_DFL);
        signal(SIGXFSZ, SIG_DFL);
        execl(program, program, verb, conf->mountpoint, conf->volume_id, (char *)NULL);
        _exit(127);
    }
    if (pid < 0) {
        log_line(LOG_ERROR, "hook %s %s: cannot start: %s", program, verb, strerror(errno));
        return;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    log_end(program, verb, status);
}

/* Ends when the volume process closes its end, or dies. */
static void runner_loop(const struct hook_conf *conf, int fd)
{
    char event;

    for (;;) {
        ssize_t n = read(fd, &event, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n != 1)
            return;
        if (event == HOOK_LOCK && conf->on_lock)
            run_program(conf, conf->on_lock, "lock");
        if (event == HOOK_UNLOCK && conf->on_unlock)
            run_program(conf, conf->on_unlock, "unlock");
    }
}

/* A group of its own, so that the terminal's and the service manager's signals to the volume process
 * leave it alive to start the stop script. */
static void runner_main(const struct hook_conf *conf, int fd)
{
    setpgid(0, 0);
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    prctl(PR_SET_NAME, "keystead-hook");
    forget_environment();
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (own < 0)
        _exit(1);
    if (own != 3) {
        dup3(own, 3, O_CLOEXEC);
        close(own);
    }
    close_range(4, ~0U, 0);
    runner_loop(conf, 3);
    _exit(0);
}

ks_rc hook_start(const struct hook_conf *conf, struct hook **ret)
{
    int fds[2];
    struct hook *h;

    *ret = NULL;
    if (!conf->on_lock && !conf->on_unlock)
        return KS_SUCCESS;
    TRY(check_program(conf->on_lock));
    TRY(check_program(conf->on_unlock));
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
        return ks_fail_os(errno, "cannot make a pipe for the hook runner");
    ks_rc rc = mem_new(1, sizeof *h, &h);
    pid_t pid = ks_ok(rc) ? fork() : -1;
    if (pid == 0) {
        close(fds[0]);
        runner_main(conf, fds[1]);
    }
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        TRY(rc);
        mem_free(h);
        return ks_fail_os(errno, "cannot start the hook runner");
    }
    *h = (struct hook){fds[0], pid};
    *ret = h;
    return KS_SUCCESS;
}

void hook_run(struct hook *h, enum hook_event event)
{
    char byte = (char)event;

    if (h && send(h->fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
        log_line(LOG_ERROR, "the hook runner is gone: the program for %s is not started",
                 event == HOOK_LOCK ? "lock" : "unlock");
}

void hook_end(struct hook *h)
{
    if (!h)
        return;
    close(h->fd);
    waitpid(h->pid, NULL, WNOHANG);
    mem_free(h);
}

void hook_wait(struct hook *h)
{
    pid_t pid = h ? h->pid : 0;

    if (!h)
        return;
    close(h->fd);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    mem_free(h);
}
