/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/suite.c - runs the cases of the conformance suite.
 *
 *     posix_suite [-f FAMILY] DIRECTORY
 *
 * Prints one line of TAP for each case; a note stands behind "#". Ends with 1 when a case failed. Works only below
 * DIRECTORY, which must be there and empty, and leaves it empty. Needs root: cases become other users.
 */
#include "suite.h"

#include <fts.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>

enum { CASE_SECONDS_MAX = 60, REPORT_BYTES = 4096 };

static const struct {
    const char *name;
    void (*run)(void);
} families[] = {
    {"paths", paths_cases},         {"types", types_cases},
    {"open", open_cases},           {"links", links_cases},
    {"rename", rename_cases},       {"modes", modes_cases},
    {"access", access_cases},       {"times", times_cases},
    {"data", data_cases},           {"direct", direct_cases},
    {"fallocate", fallocate_cases}, {"seek", seek_cases},
    {"copy", copy_cases},           {"map", map_cases},
    {"xattr", xattr_cases},         {"locks", locks_cases},
    {"dirs", dirs_cases},           {"names", names_cases},
    {"file_system", fs_cases},
};

static struct {
    const char *top;
    const char *family;
    unsigned count, failed;
    int report; /* the case writes here */
} suite;

/* --- what a case says: lines of N (note), F (failure), S (skipped) --- */

static SUITE_PRINTF(2, 0) void say(char kind, const char *fmt, va_list args)
{
    char line[512];

    line[0] = kind;
    vsnprintf(line + 1, sizeof line - 2, fmt, args);
    size_t len = strlen(line);
    for (size_t i = 0; i < len; i++)
        if (line[i] == '\n')
            line[i] = ' ';
    line[len] = '\n';
    if (write(suite.report, line, len + 1) < 0)
        _exit(3);
}

void suite_fail(const char *file, int line, const char *fmt, ...)
{
    char text[400];
    va_list args;

    (void)file;
    (void)line;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    va_start(args, fmt);
    say('F', fmt, args);
    va_end(args);
    fprintf(stderr, "%s:%d: %s\n", file, line, text);
    _exit(1);
}

void suite_skip(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say('S', fmt, args);
    va_end(args);
    _exit(2);
}

void suite_note(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say('N', fmt, args);
    va_end(args);
}

const char *suite_errno(int err)
{
    const char *name = err ? strerrorname_np(err) : "success";

    return name ? name : "an unknown errno";
}

long suite_ok(const char *file, int line, const char *text, long result)
{
    if (result < 0)
        suite_fail(file, line, "%s: %s", text, suite_errno(errno));
    return result;
}

void suite_fails(const char *file, int line, const char *text, long result, int want)
{
    int err = errno;

    if (result >= 0)
        suite_fail(file, line, "%s: succeeds, not %s", text, suite_errno(want));
    if (err != want)
        suite_fail(file, line, "%s: %s, not %s", text, suite_errno(err), suite_errno(want));
}

void suite_expect(const char *file, int line, const char *text, long result, int want)
{
    if (want == 0)
        suite_ok(file, line, text, result);
    else
        suite_fails(file, line, text, result, want);
}

void suite_same(const char *file, int line, const char *text, long long a, long long b)
{
    if (a != b)
        suite_fail(file, line, "not so: %s (%lld, %lld)", text, a, b);
}

/* --- processes of a case --- */

bool in_child(void)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        alarm(CASE_SECONDS_MAX);
        return true;
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        suite_fail(__FILE__, __LINE__, "cannot run a process: %s", suite_errno(errno));
    if (WIFSIGNALED(status))
        suite_fail(__FILE__, __LINE__, "the other process ended by signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        _exit(WEXITSTATUS(status)); /* it has said why */
    return false;
}

void wait_for_children(void)
{
    int status, first = 0;

    while (wait(&status) > 0)
        if (!first)
            first = WIFSIGNALED(status) ? 1 : WEXITSTATUS(status);
    if (first)
        _exit(first); /* it has said why */
}

bool become(uid_t uid, gid_t gid)
{
    if (!in_child())
        return false;
    OK(setgroups(0, NULL));
    OK(setresgid(gid, gid, gid));
    OK(setresuid(uid, uid, uid));
    return true;
}

void done(void)
{
    _exit(0);
}

const char *suite_top(void)
{
    return suite.top;
}

/* --- running them --- */

static void die(const char *what)
{
    fprintf(stderr, "posix_suite: %s: %s\n", what, strerror(errno));
    exit(3);
}

/* Walks with chdir: a case may leave paths behind that are longer than PATH_MAX. */
static void remove_tree(char *dir)
{
    char *const paths[] = {dir, NULL};
    FTS *walk = fts_open(paths, FTS_PHYSICAL, NULL);

    if (!walk)
        die(dir);
    for (const FTSENT *e; (e = fts_read(walk));)
        if (e->fts_info != FTS_D && remove(e->fts_accpath) != 0)
            die(e->fts_path);
    fts_close(walk);
}

/* What a case has said, as one line: its notes, or why it failed. */
static void gather(int fd, char *out, size_t room)
{
    char text[REPORT_BYTES];
    size_t len = 0, at = 0;
    ssize_t n;

    while (len < sizeof text - 1 && (n = read(fd, text + len, sizeof text - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = 0;
    out[0] = 0;
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = 0;
        int written = snprintf(out + at, room - at, "%s%s", at ? "; " : "", line + 1);
        if (written < 0 || (size_t)written >= room - at)
            break;
        at += (size_t)written;
    }
}

static void print_result(const char *name, int status, const char *said)
{
    bool is_skipped = WIFEXITED(status) && WEXITSTATUS(status) == 2;
    bool is_ok = is_skipped || (WIFEXITED(status) && WEXITSTATUS(status) == 0);

    suite.count++;
    suite.failed += !is_ok;
    printf("%s %u - %s.%s", is_ok ? "ok" : "not ok", suite.count, suite.family, name);
    if (is_skipped)
        printf(" # SKIP %s", said);
    else if (WIFSIGNALED(status))
        printf(" # signal %d%s%s", WTERMSIG(status), said[0] ? "; " : "", said);
    else if (said[0])
        printf(" # %s", said);
    printf("\n");
    fflush(stdout);
}

static void enter_case(const char *dir, int report)
{
    suite.report = report;
    umask(022);
    alarm(CASE_SECONDS_MAX);
    OK(chdir(dir));
}

static void run_in(const char *dir, void (*run)(const void *), const void *row, const char *name)
{
    char said[REPORT_BYTES];
    int ends[2], status;

    if (pipe2(ends, O_CLOEXEC) != 0)
        die("pipe");
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        close(ends[0]);
        enter_case(dir, ends[1]);
        run(row);
        _exit(0);
    }
    close(ends[1]);
    gather(ends[0], said, sizeof said);
    close(ends[0]);
    if (waitpid(pid, &status, 0) != pid)
        die("waitpid");
    print_result(name, status, said);
}

void suite_case(void (*run)(const void *), const void *row, const char *fmt, ...)
{
    char name[256], dir[4096];
    va_list args;

    va_start(args, fmt);
    vsnprintf(name, sizeof name, fmt, args);
    va_end(args);
    snprintf(dir, sizeof dir, "%s/case-%u", suite.top, suite.count + 1);
    if (mkdir(dir, 0755) != 0)
        die(dir);
    run_in(dir, run, row, name);
    remove_tree(dir);
}

static void run_plain(const void *row)
{
    const struct suite_test *test = row;

    test->run();
}

void suite_tests(const struct suite_test *tests, size_t count)
{
    for (size_t i = 0; i < count; i++)
        suite_case(run_plain, &tests[i], "%s", tests[i].name);
}

int main(int argc, char **argv)
{
    const char *only = NULL;

    if (argc == 4 && strcmp(argv[1], "-f") == 0)
        only = argv[2];
    else if (argc != 2)
        return fprintf(stderr, "usage: posix_suite [-f FAMILY] DIRECTORY\n"), 2;
    suite.top = argv[argc - 1];
    umask(0);
    printf("TAP version 13\n");
    for (size_t i = 0; i < COUNT(families); i++) {
        suite.family = families[i].name;
        if (!only || strcmp(only, suite.family) == 0)
            families[i].run();
    }
    printf("1..%u\n", suite.count);
    return suite.count == 0 ? 3 : suite.failed != 0;
}
