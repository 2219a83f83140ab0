/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/program_fork.c - from a fork to another program.
 *
 * Between fork and exec only system calls are made: other threads of the parent may have held any lock. The calls that set
 * users go to the kernel directly, because glibc's would want to set them in threads that the child does not have.
 */
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/program_int.h"

enum { MASK = 077, PASSWD_BYTES = 16 * 1024 };

/* ---- users ---- */

static void own_user(struct program_user *ret)
{
    *ret = (struct program_user){.uid = geteuid(), .gid = getegid()};
}

ks_rc program_user_of(uid_t id, struct program_user *ret)
{
    ENSURE(id != 0, KS_E_USAGE, "the user 0 is root");
    if (geteuid() == 0)
        *ret = (struct program_user){.is_other = true, .uid = id, .gid = id};
    else
        own_user(ret);
    return KS_SUCCESS;
}

ks_rc program_user_find(const char *name, struct program_user *ret)
{
    CLEANUP(mem_freep) char *room = NULL;
    struct program_user user = {.is_other = true};
    struct passwd entry, *found = NULL;

    if (geteuid() != 0) {
        own_user(ret);
        return KS_SUCCESS;
    }
    TRY(mem_new(1, PASSWD_BYTES, &room));
    int err = getpwnam_r(name, &entry, room, PASSWD_BYTES, &found);
    ENSURE(!err && found, KS_E_NOT_FOUND, "there is no user %.64s", name);
    ENSURE(found->pw_uid != 0, KS_E_USAGE, "the user %.64s is root", name);
    user.uid = found->pw_uid;
    user.gid = found->pw_gid;
    user.group_count = PROGRAM_GROUPS_MAX;
    ENSURE(getgrouplist(name, user.gid, user.groups, &user.group_count) >= 0, KS_E_LIMIT,
           "the user %.64s is in more than %d groups", name, PROGRAM_GROUPS_MAX);
    *ret = user;
    return KS_SUCCESS;
}

/* ---- in the child ---- */

static void reset_signals(void)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int n = 1; n < NSIG; n++)
        sigaction(n, &standard, NULL); /* those that cannot be set stay */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool become_user(const struct program_user *user)
{
    if (!user->is_other)
        return true;
    return syscall(SYS_setgroups, user->group_count, user->groups) == 0 &&
           syscall(SYS_setresgid, user->gid, user->gid, user->gid) == 0 &&
           syscall(SYS_setresuid, user->uid, user->uid, user->uid) == 0;
}

static bool set_limits(uint32_t files_max)
{
    struct rlimit none = {0, 0}, files = {files_max, files_max};

    return setrlimit(RLIMIT_CORE, &none) == 0 &&
           (files_max == 0 || setrlimit(RLIMIT_NOFILE, &files) == 0 || errno == EPERM);
}

static bool place_fds(const struct program_fds *fds)
{
    return dup2(fds->in, STDIN_FILENO) >= 0 && dup2(fds->out, STDOUT_FILENO) >= 0 &&
           dup2(fds->out, STDERR_FILENO) >= 0 && close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
}

static const char *const stages[] = {"its session", "its descriptors", "its limits",
                                     "its user",    "its directory",   "the program"};

struct stumble {
    int stage, err;
};

/* Comes back only when a stage failed, and says which. */
static int become(const struct program_conf *conf, const struct program_fds *fds)
{
    union {
        const char *const *in;
        char *const *out;
    } argv = {conf->argv}, env = {conf->env}; /* execve only reads them */

    reset_signals();
    umask(MASK);
    if (setsid() < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return 0;
    if (!place_fds(fds))
        return 1;
    if (!set_limits(conf->files_max))
        return 2;
    if (!become_user(conf->user))
        return 3;
    if (chdir(conf->dir) != 0)
        return 4;
    execve(conf->argv[0], argv.out, env.out);
    return 5;
}

static void child(const struct program_conf *conf, const struct program_fds *fds, int tell)
{
    struct stumble s;

    s.stage = become(conf, fds);
    s.err = errno;
    ssize_t n = write(tell, &s, sizeof s);
    (void)n; /* nothing else can be told */
    _exit(127);
}

/* ---- in the parent ---- */

static ks_rc hear(int fd, const struct program_conf *conf)
{
    struct stumble s;
    ssize_t n;

    do
        n = read(fd, &s, sizeof s);
    while (n < 0 && errno == EINTR);
    if (n != sizeof s)
        return KS_SUCCESS; /* exec closed the other end */
    return ks_fail_os(s.err, "%.200s cannot be started: %s", conf->argv[0], stages[s.stage]);
}

ks_rc program_fork(const struct program_conf *conf, const struct program_fds *fds, pid_t *ret_pid)
{
    sigset_t all, before;
    int tell[2];

    if (pipe2(tell, O_CLOEXEC) != 0)
        return ks_fail_os(errno, "no pipe for %.200s", conf->argv[0]);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* no handler of ours runs in the child */
    pid_t pid = fork();
    if (pid == 0)
        child(conf, fds, tell[1]);
    int err = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(tell[1]);
    ks_rc rc =
        pid > 0 ? hear(tell[0], conf) : ks_fail_os(err, "%.200s cannot be started", conf->argv[0]);
    close(tell[0]);
    if (ks_ok(rc))
        *ret_pid = pid;
    else if (pid > 0)
        waitpid(pid, NULL, 0);
    return rc;
}
