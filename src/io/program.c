/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/program.c - a service: started or found again, watched, and ended with all that belongs to it.
 *
 * A child is waited for only in program_free, so until then its number is nobody else's and a signal to its session meets no
 * stranger. A process is killed through a descriptor that was opened before it was looked at, for the same reason.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/program_int.h"

enum { LOG_MODE = 0600, STAT_BYTES = 1024, FIELD_PARENT = 4, FIELD_SESSION = 6, FIELD_START = 22 };

static const char DELETED[] = " (deleted)";

/* ---- what /proc says ---- */

/* The whole of a small file of the kernel; false when it cannot be read. */
static bool read_small(const char *path, char *room, size_t len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    ssize_t n = read(fd, room, len - 1);
    close(fd);
    room[n > 0 ? n : 0] = 0;
    return n > 0;
}

/* The name of a program, in parentheses, may hold anything: fields count from its end. */
bool program_facts_read(pid_t pid, struct program_facts *ret)
{
    char path[64], text[STAT_BYTES], *save = NULL;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (!read_small(path, text, sizeof text))
        return false;
    char *at = strrchr(text, ')');
    if (!at || at[1] != ' ' || at[2] == 'Z' || at[2] == 'X')
        return false;
    int field = 3;
    for (char *word = strtok_r(at + 1, " ", &save); word;
         word = strtok_r(NULL, " ", &save), field++) {
        if (field == FIELD_PARENT)
            ret->parent = (pid_t)strtol(word, NULL, 10);
        if (field == FIELD_SESSION)
            ret->session = (pid_t)strtol(word, NULL, 10);
        if (field == FIELD_START)
            ret->start_ticks = strtoull(word, NULL, 10);
    }
    return field > FIELD_START;
}

static bool read_link(pid_t pid, const char *name, char *room, size_t len)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    ssize_t n = readlink(path, room, len - 1);
    room[n > 0 ? n : 0] = 0;
    return n > 0;
}

void program_boot(char room[PROGRAM_BOOT_BYTES])
{
    if (!read_small("/proc/sys/kernel/random/boot_id", room, PROGRAM_BOOT_BYTES))
        room[0] = 0;
    room[strcspn(room, "\n")] = 0;
}

/* ---- beginning ---- */

static ks_rc open_log(const char *path, int *ret)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, LOG_MODE);

    if (fd < 0)
        return ks_fail_os(errno, "the log %.300s", path);
    *ret = fd;
    return KS_SUCCESS;
}

static ks_rc adopt(pid_t pid, bool is_child, struct program **ret)
{
    struct program *p;

    TRY(mem_new(1, sizeof *p, &p));
    *p = (struct program){.identity.pid = pid, .is_child = is_child};
    p->pidfd = pidfd_open(pid, 0);
    if (p->pidfd < 0) {
        int err = errno;
        mem_free(p);
        return ks_fail_os(err, "process %d", (int)pid);
    }
    *ret = p;
    return KS_SUCCESS;
}

ks_rc program_start(const struct program_conf *conf, const char *log_path, struct program **ret)
{
    struct program_fds fds = {-1, -1};
    struct program_facts facts = {0};
    pid_t pid = 0;

    TRY(open_log(log_path, &fds.out));
    fds.in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ks_rc rc = fds.in >= 0 ? program_fork(conf, &fds, &pid) : ks_fail_os(errno, "/dev/null");
    close(fds.out);
    if (fds.in >= 0)
        close(fds.in);
    TRY(rc);
    rc = adopt(pid, true, ret);
    if (!ks_ok(rc)) {
        kill(-pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return rc;
    }
    if (program_facts_read(pid, &facts))
        (*ret)->identity.start_ticks = facts.start_ticks;
    program_boot((*ret)->identity.boot);
    return KS_SUCCESS;
}

static bool runs(pid_t pid, const char *path)
{
    char real[PATH_MAX], exe[PATH_MAX];

    if (!read_link(pid, "exe", exe, sizeof exe))
        return false;
    size_t len = strlen(exe), cut = sizeof DELETED - 1;
    if (len > cut && strcmp(exe + len - cut, DELETED) == 0)
        exe[len - cut] = 0; /* the program was replaced by a newer one meanwhile */
    return strcmp(exe, path) == 0 || (realpath(path, real) && strcmp(exe, real) == 0);
}

/* The descriptor is opened first: if the rest fits, it is of that process. */
ks_rc program_adopt(const struct program_identity *identity, const char *path, struct program **ret)
{
    char boot[PROGRAM_BOOT_BYTES];
    struct program_facts facts = {0};
    struct program *p = NULL;

    program_boot(boot);
    ENSURE(identity->pid > 1 && boot[0] && strcmp(boot, identity->boot) == 0, KS_E_NOT_FOUND,
           "it ran before the last boot");
    ks_rc rc = adopt(identity->pid, false, &p);
    ENSURE(ks_ok(rc), KS_E_NOT_FOUND, "it runs no more");
    if (!program_facts_read(identity->pid, &facts) || facts.start_ticks != identity->start_ticks ||
        !runs(identity->pid, path)) {
        program_free(p);
        return ks_fail(KS_E_NOT_FOUND, "process %d is another one now", (int)identity->pid);
    }
    p->identity = *identity;
    *ret = p;
    return KS_SUCCESS;
}

void program_identity(const struct program *p, struct program_identity *ret)
{
    *ret = p->identity;
}

int program_fd(const struct program *p)
{
    return p->pidfd;
}

/* ---- end ---- */

/* The process stays to be waited for. */
static void look(struct program *p)
{
    struct pollfd fd = {p->pidfd, POLLIN, 0};
    siginfo_t info = {0};

    if (p->has_ended || poll(&fd, 1, 0) != 1)
        return;
    p->has_ended = true;
    if (p->is_child && waitid(P_PIDFD, (id_t)p->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid)
        p->status = info.si_code == CLD_EXITED ? info.si_status << 8 : info.si_status;
}

bool program_has_ended(struct program *p, char ret[PROGRAM_END_BYTES])
{
    look(p);
    if (!p->has_ended || !ret)
        return p->has_ended;
    if (!p->is_child)
        snprintf(ret, PROGRAM_END_BYTES, "ended");
    else if (WIFSIGNALED(p->status))
        snprintf(ret, PROGRAM_END_BYTES, "signal %d", WTERMSIG(p->status));
    else
        snprintf(ret, PROGRAM_END_BYTES, "exit code %d", WEXITSTATUS(p->status));
    return true;
}

void program_signal(const struct program *p, int number)
{
    pidfd_send_signal(p->pidfd, number, NULL, 0);
}

void program_free(struct program *p)
{
    siginfo_t info;

    if (!p)
        return;
    look(p);
    if (p->is_child && p->has_ended)
        waitid(P_PIDFD, (id_t)p->pidfd, &info, WEXITED | WNOHANG);
    close(p->pidfd);
    mem_free(p);
}

/* ---- all that belongs to it ---- */

static bool is_below(const char *path, const char *dir)
{
    size_t len = strlen(dir);

    return strncmp(path, dir, len) == 0 && (path[len] == 0 || path[len] == '/');
}

/* Numbers of sessions count only while the service is there, or is a child that was not waited for: else they may be another's. */
static bool belongs(const struct program *p, const char *dir, pid_t pid)
{
    struct program_facts facts = {0};
    char at[PATH_MAX];

    if (pid == getpid() || !program_facts_read(pid, &facts))
        return false;
    if (read_link(pid, "cwd", at, sizeof at) && is_below(at, dir))
        return true;
    if (!p || (p->has_ended && !p->is_child))
        return false;
    pid_t first = p->identity.pid;
    return pid == first || facts.session == first || facts.parent == first;
}

static void kill_one(const struct program *p, const char *dir, pid_t pid)
{
    int fd = pidfd_open(pid, 0);

    if (fd < 0)
        return;
    if (belongs(p, dir, pid))
        pidfd_send_signal(fd, SIGKILL, NULL, 0);
    close(fd);
}

static size_t visit(const struct program *p, const char *dir, bool is_killing)
{
    DIR *proc = opendir("/proc");
    struct dirent *e;
    size_t count = 0;

    if (!proc)
        return 0;
    while ((e = readdir(proc))) {
        char *end;
        long pid = strtol(e->d_name, &end, 10);
        if (*end || pid <= 1 || !belongs(p, dir, (pid_t)pid))
            continue;
        count++;
        if (is_killing)
            kill_one(p, dir, (pid_t)pid);
    }
    closedir(proc);
    return count;
}

size_t program_count(const struct program *p, const char *dir)
{
    return visit(p, dir, false);
}

void program_kill_all(const struct program *p, const char *dir)
{
    visit(p, dir, true);
}
