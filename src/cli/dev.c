/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/dev.c - "serve --dev": the order of things, and the end of them.
 *
 * Whatever fails or ends, every process that was started is ended again, nodes first: they unmount.
 */
#include "cli/dev.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/dev_int.h"
#include "io/parent.h"
#include "kms/secret_file.h"

enum { WAIT_MS = 60000, LOOK_MS = 50, LOOK_NS = 200 * 1000 * 1000 };

static const char REGIONS_PRESET[] = "us-east-1,us-west-2,eu-west-1";

/* ---- what the parts share ---- */

ks_rc dev_path(const struct dev *d, const char *name, char **ret)
{
    return mem_format(ret, "%s/%s", d->dir, name);
}

bool dev_has(const struct dev *d, const char *name)
{
    CLEANUP(mem_freep) char *path = NULL;

    return ks_ok(dev_path(d, name, &path)) && access(path, F_OK) == 0;
}

ks_rc dev_read_url(const struct dev *d, const char *name, char ret[DEV_URL_BYTES])
{
    CLEANUP(secret_freep) struct secret *line = NULL;
    CLEANUP(mem_freep) char *path = NULL;

    TRY(dev_path(d, name, &path));
    TRY(secret_line_read(io_posix(), path, &line));
    struct view text = secret_view(line);
    snprintf(ret, DEV_URL_BYTES, "%.*s", (int)text.len, (const char *)text.bytes);
    return KS_SUCCESS;
}

static ks_rc ended(const struct dev_process *process)
{
    fprintf(stderr, "%s ended; its log, %s, says last:\n", process->name, process->log);
    dev_tell_end(process);
    return ks_fail(KS_E_STATE, "%s ended", process->name);
}

ks_rc dev_wait(struct dev *d, bool (*is_there)(void *arg), void *arg, const char *what)
{
    uint64_t end_ms = clock_boot_ms(clock_system()) + WAIT_MS;

    while (!is_there(arg)) {
        const struct dev_process *process = dev_ended(&d->processes);
        if (process)
            return ended(process);
        ENSURE(clock_boot_ms(clock_system()) < end_ms, KS_E_TIMEOUT, "%s is not there after %d s",
               what, WAIT_MS / 1000);
        clock_sleep_ms(clock_system(), LOOK_MS);
    }
    return KS_SUCCESS;
}

/* ---- beginning ---- */

static void done(struct dev *d)
{
    dev_end(&d->processes);
    fleet_client_free(d->platform);
    fleet_client_free(d->admin);
    for (size_t i = 0; i < d->region_count; i++)
        mem_free(d->regions[i]);
    mem_free(d->program);
    mem_free(d->dir);
}

static ks_rc take_regions(struct dev *d, const char *text)
{
    for (const char *at = text;; at++) {
        size_t len = strcspn(at, ",");
        ENSURE(len > 0 && len < 64 && strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789-") == len,
               KS_E_USAGE, "--regions %.80s: write names with commas between them: %s", text,
               REGIONS_PRESET);
        ENSURE(d->region_count < DEV_REGIONS_MAX, KS_E_LIMIT, "%d regions at most",
               DEV_REGIONS_MAX);
        TRY(mem_format(&d->regions[d->region_count], "%.*s", (int)len, at));
        d->region_count++;
        at += len;
        if (!*at)
            return KS_SUCCESS;
    }
}

static ks_rc make_dir(const char *path)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return ks_fail_os(errno, "%s", path);
    return KS_SUCCESS;
}

/* Engines run as users of their own and must get to the mounts below it; what is secret in there has its own mode. */
static ks_rc take_dir(struct dev *d, const char *text)
{
    CLEANUP(mem_freep) char *logs = NULL, *run = NULL;
    char whole[PATH_MAX];

    TRY(ks_wrap(parent_make_dir(io_posix(), text, 0755), "--dir %.200s", text));
    if (!realpath(text, whole))
        return ks_fail_os(errno, "--dir %s", text);
    TRY(mem_text(whole, &d->dir));
    TRY(dev_path(d, "logs", &logs));
    TRY(dev_path(d, "run", &run));
    TRY(make_dir(logs));
    return make_dir(run);
}

static ks_rc check_host(void)
{
    ENSURE(geteuid() == 0, KS_E_PERMISSION,
           "\"serve --dev\" needs root: its nodes mount volumes and start databases as users of "
           "their own");
    ENSURE(access("/dev/fuse", R_OK | W_OK) == 0, KS_E_PERMISSION,
           "\"serve --dev\" needs /dev/fuse to mount volumes: %s", strerror(errno));
    return KS_SUCCESS;
}

static ks_rc begin(struct cli *cli, struct dev *d)
{
    const char *regions = cli->texts[OPT_DEV_REGIONS];

    d->cli = cli;
    TRY(check_host());
    TRY(take_regions(d, regions ? regions : REGIONS_PRESET));
    TRY(dev_program(&d->program));
    return take_dir(d, cli->texts[OPT_SERVE_DIR]);
}

/* ---- running ---- */

/* Until a signal tells it to end, or one of the processes ends by itself. */
static ks_rc watch(struct dev *d, const sigset_t *ending)
{
    const struct timespec pause = {0, LOOK_NS};
    const struct dev_process *process = NULL;

    while (!process && sigtimedwait(ending, NULL, &pause) < 0)
        process = dev_ended(&d->processes);
    if (process)
        return ended(process);
    printf("\nending: databases stop, volumes are unmounted\n");
    fflush(stdout);
    return KS_SUCCESS;
}

ks_rc dev_run_fleet(struct cli *cli)
{
    CLEANUP(done) struct dev d = {0};
    sigset_t ending;

    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGHUP);
    TRY(begin(cli, &d));
    sigprocmask(SIG_BLOCK, &ending, NULL);
    TRY(dev_keys_start(&d));
    TRY(dev_control_start(&d));
    TRY(dev_keys_make(&d));
    TRY(dev_nodes_start(&d));
    dev_say(&d);
    fflush(stdout);
    return watch(&d, &ending);
}
