/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/dev_process.c - the processes of "serve --dev".
 */
#include "cli/dev_process.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/output.h"
#include "io/process.h"

enum {
    ENV_MAX = 512,
    END_MS = 120000,
    LOOK_MS = 50,
    RUN_MS = 60000,
    SAID_BYTES = 8192,
    TAIL_BYTES = 1500,
    DEPTH_MAX = 8,
};

ks_rc dev_program(char **ret)
{
    char path[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);

    if (len < 0)
        return ks_fail_os(errno, "this program's path");
    path[len] = '\0';
    return mem_text(path, ret);
}

/* ---- starting ---- */

/* What stands in front of the first '=' is the same. */
static bool is_same_name(const char *a, const char *b)
{
    size_t len = strcspn(a, "=");

    return strncmp(a, b, len) == 0 && b[len] == '=';
}

static ks_rc merge_env(const char *const *added, const char *out[ENV_MAX])
{
    size_t count = 0;

    for (; added && added[count]; count++)
        out[count] = added[count];
    size_t mine = count;
    for (char **at = environ; *at; at++) {
        bool is_added = false;
        for (size_t i = 0; i < mine; i++)
            is_added |= is_same_name(out[i], *at);
        if (is_added)
            continue;
        ENSURE(count + 1 < ENV_MAX, KS_E_LIMIT, "the environment has too many variables");
        out[count++] = *at;
    }
    out[count] = NULL;
    return KS_SUCCESS;
}

/* In the child, which shares nothing with the parent but open files: becomes the program or ends. */
static void become(int log, pid_t parent, const char *const *argv, const char *const *env)
{
    union {
        const char *const *in;
        char *const *out;
    } args = {argv}, environment = {env}; /* execve only reads them */
    sigset_t none;

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) /* it died before it was asked to be told */
        _exit(1);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (dup2(nothing, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 ||
        dup2(log, STDERR_FILENO) < 0)
        _exit(1);
    execve(argv[0], args.out, environment.out);
    _exit(127);
}

ks_rc dev_start(struct dev_processes *p, const struct dev_start *what)
{
    CLEANUP(mem_freep) const char **env = NULL;
    CLEANUP(mem_freep) char *log = NULL;
    struct dev_process *one = &p->all[p->count];
    pid_t parent = getpid();

    ENSURE(p->count < DEV_PROCESSES_MAX, KS_E_LIMIT, "too many regions");
    TRY(mem_new(ENV_MAX, sizeof *env, &env));
    TRY(merge_env(what->env, env));
    TRY(mem_text(what->log, &log));
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return ks_fail_os(errno, "%s", log);
    pid_t pid = fork();
    if (pid == 0)
        become(fd, parent, what->argv, env);
    close(fd);
    if (pid < 0)
        return ks_fail_os(errno, "%s cannot be started", what->name);
    *one = (struct dev_process){.stage = what->stage, .log = TAKE(log), .pid = pid};
    snprintf(one->name, sizeof one->name, "%s", what->name);
    p->count++;
    return KS_SUCCESS;
}

ks_rc dev_run(const char *const *argv, json_t **ret)
{
    CLEANUP(buf_done) struct buf said = buf_init(SAID_BYTES);
    int status = 0;

    TRY(process_run_told(argv, clock_boot_ms(clock_system()) + RUN_MS, clock_system(), &said,
                         &status));
    ENSURE(status == 0, KS_E_STATE, "keystead %s %s: %s", argv[1], argv[2], buf_text(&said));
    if (!ret)
        return KS_SUCCESS;
    return json_read(buf_view(&said), (struct json_limits){SAID_BYTES, DEPTH_MAX},
                     "what keystead said", ret);
}

/* ---- watching and ending ---- */

const struct dev_process *dev_ended(struct dev_processes *p)
{
    for (size_t i = 0; i < p->count; i++) {
        struct dev_process *one = &p->all[i];
        if (one->pid > 0 && waitpid(one->pid, &one->status, WNOHANG) == one->pid) {
            one->pid = 0;
            return one;
        }
    }
    return NULL;
}

void dev_tell_end(const struct dev_process *process)
{
    char text[TAIL_BYTES + 1];
    FILE *log = fopen(process->log, "re");

    if (!log)
        return;
    if (fseek(log, -TAIL_BYTES, SEEK_END) != 0) /* it is shorter */
        rewind(log);
    text[fread(text, 1, TAIL_BYTES, log)] = '\0';
    if (fclose(log) != 0)
        return;
    for (char *line = text; *line;) {
        size_t len = strcspn(line, "\n");
        bool is_last = line[len] == '\0';
        line[len] = '\0';
        fprintf(stderr, "  ");
        output_text(stderr, line);
        fputc('\n', stderr);
        line += len + !is_last;
    }
}

static void wait_one(struct dev_process *one, uint64_t deadline_ms)
{
    bool is_killed = false;

    while (waitpid(one->pid, &one->status, WNOHANG) == 0) {
        if (!is_killed && clock_boot_ms(clock_system()) > deadline_ms) {
            kill(-one->pid, SIGKILL);
            is_killed = true;
        }
        clock_sleep_ms(clock_system(), LOOK_MS);
    }
    one->pid = 0;
}

static void end_stage(struct dev_processes *p, enum dev_stage stage)
{
    uint64_t deadline_ms = clock_boot_ms(clock_system()) + END_MS;

    for (size_t i = 0; i < p->count; i++)
        if (p->all[i].stage == stage && p->all[i].pid > 0)
            kill(p->all[i].pid, SIGTERM);
    for (size_t i = 0; i < p->count; i++)
        if (p->all[i].stage == stage && p->all[i].pid > 0)
            wait_one(&p->all[i], deadline_ms);
}

void dev_end(struct dev_processes *p)
{
    for (int stage = DEV_STAGE_COUNT - 1; stage >= 0; stage--)
        end_stage(p, (enum dev_stage)stage);
    for (size_t i = 0; i < p->count; i++)
        mem_free(TAKE(p->all[i].log));
    p->count = 0;
}
