/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_volume_mount.c - keystead volume mount, keystead volume unmount.
 */
#include <poll.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/args.h"
#include "cli/ask.h"
#include "cli/daemon.h"
#include "cli/output.h"
#include "cli/passphrases.h"
#include "cli/target.h"
#include "fuse/keyring_json.h"
#include "fuse/mount.h"
#include "fuse/mount_point.h"

enum { UNMOUNT_TIMEOUT_MS = 60000 };

/* The paths of a mount, all absolute: the volume process works from the root directory. */
struct mount_paths {
    char *mountpoint, *run_dir, *log, *on_lock, *on_unlock;
};

static void mount_paths_done(struct mount_paths *p)
{
    mem_free(p->mountpoint);
    mem_free(p->run_dir);
    mem_free(p->log);
    mem_free(p->on_lock);
    mem_free(p->on_unlock);
}

static ks_rc take_program(const struct cli *cli, enum cli_opt opt, char **ret)
{
    if (!args_has(cli, opt))
        return KS_SUCCESS;
    TRY(resolve_absolute(cli->texts[opt], opt == OPT_ON_LOCK ? "--on-lock" : "--on-unlock", ret));
    if (access(*ret, X_OK) != 0)
        return ks_fail_os(errno, "--%s %s cannot be run", cli_options[opt].name, *ret);
    return KS_SUCCESS;
}

static ks_rc take_log(const struct cli *cli, const struct target *t, const char *run_dir,
                      char **ret)
{
    char id[TARGET_ID_BYTES], here[RESOLVE_PATH_BYTES];

    target_id(t->keyring, id);
    if (!args_has(cli, OPT_LOG))
        return mem_format(ret, "%s/%s.log", run_dir, id);
    if (cli->texts[OPT_LOG][0] == '/')
        return mem_text(cli->texts[OPT_LOG], ret);
    if (!getcwd(here, sizeof here))
        return ks_fail_os(errno, "the current directory");
    return mem_format(ret, "%s/%s", here, cli->texts[OPT_LOG]);
}

static ks_rc take_paths(struct cli *cli, const struct target *t, struct mount_paths *paths)
{
    TRY(mount_point_absolute(cli->args[1], &paths->mountpoint));
    TRY(resolve_run_dir(cli, &paths->run_dir));
    if (mkdir(paths->run_dir, 0755) != 0 && errno != EEXIST)
        return ks_fail_os(errno, "run directory %s", paths->run_dir);
    TRY(take_log(cli, t, paths->run_dir, &paths->log));
    TRY(take_program(cli, OPT_ON_LOCK, &paths->on_lock));
    return take_program(cli, OPT_ON_UNLOCK, &paths->on_unlock);
}

static ks_rc report(struct target *t, const char *mountpoint)
{
    const char *state = "OPEN";

    /* The mount is there whether or not it answers already; the state is an extra. */
    if (ks_ok(target_refresh(t)))
        state = json_string_value(json_object_get(t->status, "state"));
    if (t->cli->is_json)
        return output_json(json_pack("{s:s, s:o}", "state", state ? state : "OPEN", "mountpoint",
                                     json_text(mountpoint)));
    printf("volume ");
    output_text(stdout, t->keyring->label);
    printf(" is mounted at ");
    output_text(stdout, mountpoint);
    printf(", %s\n", state ? state : "OPEN");
    return KS_SUCCESS;
}

static ks_rc mount_foreground(struct cli *cli, const struct mount_conf *conf)
{
    CLEANUP(passphrases_done) struct passphrases kept;
    struct mount_conf keeping = *conf;

    passphrases_init(&kept, ask_passphrase, cli);
    keeping.backing.passphrase = passphrases_get;
    keeping.backing.passphrase_arg = &kept;
    return mount_run(&keeping);
}

static ks_rc check_rekey(const struct cli *cli)
{
    bool has_bound = args_has(cli, OPT_RATE) || args_has(cli, OPT_LATENCY);

    ENSURE(!has_bound || args_has(cli, OPT_AUTO_REKEY), KS_E_USAGE,
           "--rate and --latency belong to --auto-rekey, which is not given");
    ENSURE(cli->numbers[OPT_RATE] <= REKEY_MB_PER_S_MAX, KS_E_USAGE, "--rate is at most %d",
           REKEY_MB_PER_S_MAX);
    ENSURE(cli->numbers[OPT_LATENCY] <= REKEY_LATENCY_MS_MAX, KS_E_USAGE,
           "--latency is at most 60s");
    return KS_SUCCESS;
}

static ks_rc check_copy(const struct target *t)
{
    const json_t *volume = json_object_get(t->copy_status, "volume");
    const char *backing = json_string_value(json_object_get(volume, "backing")),
               *mountpoint = json_string_value(json_object_get(volume, "mountpoint"));

    if (!t->copy_status)
        return KS_SUCCESS;
    return ks_fail(KS_E_BUSY,
                   "%s is a copy of %s, which is mounted at %s: both have the volume's id, by "
                   "which its process is found; to mount "
                   "them beside each other give each a --run-dir of its own",
                   t->place.backing, backing ? backing : "another directory",
                   mountpoint ? mountpoint : "an unknown place");
}

static enum awake_wish awake_wish(const struct cli *cli)
{
    const char *word = args_has(cli, OPT_KEEP_AWAKE) ? cli->texts[OPT_KEEP_AWAKE] : "auto";

    if (strcmp(word, "auto") == 0)
        return AWAKE_AUTO;
    return strcmp(word, "on") == 0 ? AWAKE_ON : AWAKE_OFF;
}

ks_rc cmd_volume_mount(struct cli *cli)
{
    CLEANUP(target_done) struct target t = {0};
    CLEANUP(mount_paths_done) struct mount_paths paths = {0};

    TRY(target_init(cli, cli->args[0], &t));
    if (target_is_running(&t))
        return ks_fail(KS_E_BUSY, "%s is mounted already, at %s", t.place.backing,
                       t.place.mountpoint ? t.place.mountpoint : "a place not visible from here");
    TRY(check_copy(&t));
    if (t.place.mountpoint)
        TRY(target_check_idle(&t));
    TRY(take_paths(cli, &t, &paths));
    /* A dead mount on the same place is taken away by the new one: a restart needs nobody's help. */
    if (t.place.mountpoint && strcmp(t.place.mountpoint, paths.mountpoint) != 0)
        return ks_fail(
            KS_E_STATE,
            "%s is left mounted at %s by a volume process that died; clear that with: keystead "
            "volume unmount %s",
            t.place.backing, t.place.mountpoint, t.place.mountpoint);
    TRY(check_rekey(cli));
    struct mount_conf conf = {
        .is_rekeying = args_has(cli, OPT_AUTO_REKEY),
        .rekey_mb_per_s = (uint32_t)cli->numbers[OPT_RATE],
        .rekey_latency_ms = (uint32_t)cli->numbers[OPT_LATENCY],
        .backing = target_conf(cli, t.place.backing),
        .mountpoint = paths.mountpoint,
        .run_dir = paths.run_dir,
        .on_lock = paths.on_lock,
        .on_unlock = paths.on_unlock,
        .is_starting_locked = args_has(cli, OPT_START_LOCKED),
        .is_swap_allowed = args_has(cli, OPT_ALLOW_SWAP),
        .is_allow_other = geteuid() == 0,
        .is_ring_wanted = args_has(cli, OPT_IO_URING),
        .awake = awake_wish(cli),
        .ready_fd = -1,
    };
    conf.backing.sequence_min = cli->numbers[OPT_MIN_SEQUENCE];
    if (args_has(cli, OPT_FOREGROUND))
        return mount_foreground(cli, &conf);
    TRY(daemon_start(cli, &conf, paths.log));
    return report(&t, paths.mountpoint);
}

/* ---- unmount ---- */

/* Waits for the end of a process that is not our child. */
static ks_rc wait_end(int pidfd, json_int_t pid)
{
    struct pollfd end = {pidfd, POLLIN, 0};

    if (pidfd < 0) /* it has ended already */
        return KS_SUCCESS;
    int n = poll(&end, 1, UNMOUNT_TIMEOUT_MS);
    close(pidfd);
    ENSURE(n == 1, KS_E_BUSY, "the volume process %lld has not ended after %d s; see its log",
           (long long)pid, UNMOUNT_TIMEOUT_MS / 1000);
    return KS_SUCCESS;
}

static ks_rc run_fusermount(const char *mountpoint)
{
    int status = 0;
    pid_t child = fork();

    if (child < 0)
        return ks_fail_os(errno, "starting fusermount3");
    if (child == 0) {
        execlp("fusermount3", "fusermount3", "-u", "-z", "--", mountpoint, (char *)NULL);
        _exit(127);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    ENSURE(WIFEXITED(status) && WEXITSTATUS(status) == 0, KS_E_IO,
           "the dead mount at %s cannot be cleared: fusermount3 failed", mountpoint);
    return KS_SUCCESS;
}

/* The volume process died without unmounting; its mount point answers ENOTCONN until somebody clears it. */
static ks_rc clear_dead_mount(const char *mountpoint)
{
    if (umount2(mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW) != 0) {
        if (errno != EPERM)
            return ks_fail_os(errno, "clearing the dead mount at %s", mountpoint);
        TRY(run_fusermount(mountpoint));
    }
    printf("the volume process had died; its mount point ");
    output_text(stdout, mountpoint);
    printf(" is cleared\n");
    return KS_SUCCESS;
}

/* The backing directory cannot be read, so nobody knows which process to ask; the kernel knows the mount. */
static ks_rc unmount_blindly(const char *mountpoint, ks_rc why)
{
    fprintf(stderr, "keystead: %s\n", ks_text(why));
    TRY(mount_point_unmount(mountpoint, false));
    output_text(stdout, mountpoint);
    printf(" is unmounted\n");
    return KS_SUCCESS;
}

ks_rc cmd_volume_unmount(struct cli *cli)
{
    CLEANUP(target_done) struct target t = {0};
    ks_rc found = target_init(cli, cli->args[0], &t);

    if (!ks_ok(found) && !t.keyring && t.place.mountpoint)
        return unmount_blindly(t.place.mountpoint, found);
    TRY(found);
    if (!target_is_running(&t)) {
        TRY(target_check_idle(&t));
        ENSURE(t.place.mountpoint, KS_E_STATE, "%s is not mounted", t.place.backing);
        return clear_dead_mount(t.place.mountpoint);
    }
    const json_t *volume = json_object_get(t.status, "volume");
    json_int_t pid = json_integer_value(json_object_get(volume, "pid"));
    int pidfd = pid > 0 ? pidfd_open((pid_t)pid, 0) : -1;
    ks_rc rc = target_call(&t, json_pack("{s:s}", "op", "unmount"), NULL);
    if (!ks_ok(rc)) {
        if (pidfd >= 0)
            close(pidfd);
        return rc;
    }
    TRY(wait_end(pidfd, pid));
    printf("volume ");
    output_text(stdout, t.keyring->label);
    printf(" is unmounted\n");
    return KS_SUCCESS;
}
