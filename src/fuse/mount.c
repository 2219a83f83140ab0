/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/mount.c - the life of the volume process, from its hardening to the last wipe.
 *
 * Puts the parts together and takes them apart. What hangs at the end (a probe of a dead network, a request or a change of the keyring on
 * a dead disk) is left behind for the end of the process to take, with everything it may still touch. A lock is heard and carried out
 * until the keys are wiped, so the control socket and the guard are the last to go.
 */
#include "fuse/mount.h"

#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "fuse/control_line.h"
#include "fuse/harden.h"
#include "fuse/mount_env.h"
#include "fuse/mount_point.h"
#include "fuse/process.h"
#include "fuse/rekeyer.h"

enum {
    LOCK_TRIES = 40, /* a process that is just ending still has the volume's lock */
    LOCK_PAUSE_MS = 50,
    HOUSEKEEPING_MS = 10000,
    STOP_MS_MAX = 20000, /* after a signal, for those who still have files open */
    FLUSH_MS_MAX = 4000,
    COUNT_MS_MAX = 500,
    DESCRIPTORS_AT_LEAST = 1024,
    OPEN_FILES_MAX = 4096, /* each may have a key in locked memory */
    PROBER_MS_MAX = 6000,
    DRAIN_MS_MAX = 5000,
    CONVERSATIONS_MS_MAX = 10000, /* a lock with its record is one */
    THREAD_MS_MAX = 6000,
};

/* ---- beginning ---- */

static ks_rc open_backing(struct process *p)
{
    ks_rc rc = backing_open(&p->conf->backing, true, &p->backing);

    for (int i = 0; i < LOCK_TRIES && ks_is(rc, KS_E_BUSY); i++) {
        clock_sleep_ms(p->clock, LOCK_PAUSE_MS);
        rc = backing_open(&p->conf->backing, true, &p->backing);
    }
    return rc;
}

/* A volume that is there, made before or copied, is better served than not. */
static void warn_of_storage(struct process *p)
{
    ks_rc rc = backing_check_storage(p->io, p->conf->backing.path);

    if (!ks_ok(rc))
        log_line(LOG_WARNING, "%s", ks_text(rc));
}

static void note_identity(struct process *p, const struct keyring *k)
{
    memcpy(p->volume_id_bytes, k->volume_id, sizeof p->volume_id_bytes);
    for (size_t i = 0; i < KEYRING_ID_BYTES; i++)
        snprintf(p->volume_id + 2 * i, 3, "%02x", k->volume_id[i]);
    p->block_payload = k->block_payload;
}

static ks_rc harden(struct process *p)
{
    /* An ordinary user mounts through fusermount3, which needs its set-user-id bit to work. */
    struct harden_conf conf = {p->conf->is_swap_allowed, geteuid() == 0};

    TRY(harden_process(&conf));
    return secret_init();
}

static ks_rc start_hook(struct process *p)
{
    struct hook_conf conf = {p->conf->on_lock, p->conf->on_unlock, p->mountpoint, p->volume_id};

    return hook_start(&conf, &p->hook);
}

static void on_alert(void *arg, const char *text)
{
    (void)arg;
    log_line(LOG_ERROR, "%s", text);
}

/* watch_backing(p): a directory that was removed under us still serves what is open, and says no such file of the
 * rest; only the operator can tell why. */
static void watch_backing(struct process *p)
{
    struct stat st;
    ks_rc rc = p->io->ops->stat(p->io, backing_tree(p->backing), &st);

    if (!ks_ok(rc))
        trouble_note(p->trouble, rc);
    else if (st.st_nlink == 0)
        trouble_note_kind(p->trouble, TROUBLE_GONE, "it was removed");
}

/* mend_keyring(p): a copy of the keyring that could not be written is tried again until it is: meanwhile the newest keys are on the disk
 * once, and what was destroyed may still be there. */
static void mend_keyring(struct process *p)
{
    const char *stale = backing_stale(p->backing);
    bool was_told = p->is_stale_told;
    ks_rc rc = stale ? backing_mend(p->backing) : KS_SUCCESS;

    p->is_stale_told = !ks_ok(rc);
    if (p->is_stale_told && !was_told)
        log_line(LOG_ERROR,
                 "the copy %s of the keyring is old or damaged and may hold keys that were "
                 "destroyed; it is tried again every %d s, make it writable: %s",
                 stale, HOUSEKEEPING_MS / 1000, ks_text(rc));
    if (ks_ok(rc) && (stale || was_told))
        log_line(LOG_NOTICE, "both copies of the keyring are whole again");
}

/* How many descriptors this process may have. Half are for objects that the kernel remembers: when these are more it is
 * made to drop some (start_shedder). Three quarters are for objects and backing files that stay open. The last eighth is no
 * object's: what a program wrote and the kernel keeps can be written back when everything else is used up. */
static size_t descriptor_limit(void)
{
    struct rlimit limit = {.rlim_cur = DESCRIPTORS_AT_LEAST};

    getrlimit(RLIMIT_NOFILE, &limit);
    return (size_t)limit.rlim_cur;
}

static void want_ahead(void *arg)
{
    struct process *p = arg;

    sweeper_ask(p->ahead);
}

static void look_ahead(void *arg)
{
    struct process *p = arg;

    volume_look_ahead(p->volume);
}

static ks_rc make_volume(struct process *p)
{
    struct volume_conf conf = {
        .io = p->io,
        .clock = p->clock,
        .random = p->random,
        .tree = backing_tree(p->backing),
        .long_names = backing_long(p->backing),
        .block_payload = p->block_payload,
        .is_read_ahead = true,
        .files_max = OPEN_FILES_MAX,
        .descriptors_max = descriptor_limit() / 4 * 3,
        .objects_max = descriptor_limit() / 8 * 7,
        .alert = on_alert,
        .want_ahead = want_ahead,
        .want_ahead_arg = p,
    };

    memcpy(conf.volume_id, p->volume_id_bytes, sizeof conf.volume_id);
    TRY(trouble_new(p->clock, on_alert, p, &p->trouble));
    TRY(volume_new(&conf, &p->volume));
    return sweeper_start(look_ahead, p, &p->ahead);
}

/* first_unlock(p, is_revoked, ret_granted): the keys, if the key service gives them. Whether a refusal ends the
 * mount is the operator's choice; damage always does. */
static ks_rc first_unlock(struct process *p, bool is_revoked, bool *ret_granted)
{
    bool may_start_locked = p->conf->is_starting_locked;

    *ret_granted = false;
    ENSURE(
        !is_revoked || may_start_locked, KS_E_LOCKED,
        "the volume was revoked: give access back with \"keystead volume unlock %s\", or mount it "
        "locked with --start-locked",
        p->backing_path);
    if (is_revoked)
        return KS_SUCCESS;
    ks_rc rc = lockdown_ops.unlock(p);
    *ret_granted = ks_ok(rc);
    if (may_start_locked && (rc.cls == KS_CLASS_DENIED || rc.cls == KS_CLASS_UNREACHABLE)) {
        log_line(LOG_WARNING, "starting locked: %s", ks_text(rc));
        p->refusal_cause = guard_cause_of(rc);
        return mem_text(ks_text(rc), &p->refusal);
    }
    return rc;
}

static ks_rc drop_names(void *arg)
{
    struct process *p = arg;

    return mount_point_drop_names(p->mountpoint);
}

/* The kernel takes a moment to forget. */
static ks_rc start_shedder(struct process *p)
{
    struct shedder_conf conf = {.volume = p->volume, .drop = drop_names, .arg = p};

    conf.room = descriptor_limit() / 2;
    return shedder_start(&conf, &p->shedder);
}

/* Only who asked for it hears that it cannot be had. */
static void start_awake(struct process *p)
{
    struct awake_machine machine = awake_this_machine();

    if (!awake_pays(p->conf->awake, &machine))
        return;
    ks_rc rc = awake_start(AWAKE_DEVICE, awake_latency_us(&machine), &p->awake);
    if (!ks_ok(rc) && p->conf->awake == AWAKE_ON)
        log_line(LOG_NOTICE, "processors cannot be kept awake: %s", ks_text(rc));
}

static ks_rc start_mount(struct process *p)
{
    struct session_conf conf = {
        .volume = p->volume,
        .trouble = p->trouble,
        .mountpoint = p->mountpoint,
        .source = p->backing_path,
        .is_allow_other = p->conf->is_allow_other,
        .is_ring_wanted = p->conf->is_ring_wanted,
        .threads = p->conf->threads,
    };

    TRY(mount_point_prepare(p->mountpoint, p->backing_path));
    TRY(start_shedder(p));
    start_awake(p);
    conf.shedder = p->shedder;
    conf.awake = p->awake;
    TRY(session_mount(&conf, &p->session));
    struct holders_conf holders = {p->clock, "/proc", session_device(p->session)};
    TRY(holders_start(&holders, &p->holders));
    return sweeper_start(lockdown_sweep, p, &p->sweeper);
}

/* start_guard(p, k, is_granted, is_revoked, asked_ms): the host may have slept since it asked for the keys. */
static ks_rc start_guard(struct process *p, const struct keyring *k, bool is_granted,
                         bool is_revoked, uint64_t asked_ms)
{
    struct guard_conf guard = {
        .clock = p->clock,
        .lease = {k->settings.lease_ms_max, k->settings.grace_ms, 0},
        .asked_ms = asked_ms,
        .ops = &lockdown_ops,
        .arg = p,
    };
    struct prober_conf prober = {
        .clock = p->clock,
        .random = p->random,
        .period_ms = k->settings.probe_ms,
        .probe = lockdown_probe,
        .peek = lockdown_peek,
        .tell = lockdown_tell,
        .arg = p,
    };
    const struct watcher_conf watcher = {status_watch, p};

    TRY(log_detach()); /* the guard logs, and must not wait for the disk that the log is on */
    TRY(watcher_start(&watcher, &p->watcher));
    TRY(guard_new(&guard, is_granted, is_revoked, &p->guard));
    if (p->refusal)
        guard_explain(p->guard, p->refusal_cause, p->refusal);
    guard_tick(p->guard);
    TRY(session_start(p->session));
    TRY(guard_start(p->guard));
    return prober_start(&prober, &p->prober);
}

static ks_rc start_helpers(struct process *p)
{
    CLEANUP(mem_freep) char *path = NULL;
    struct survey_conf survey = {
        .io = p->io,
        .tree = backing_tree(p->backing),
        .long_names = backing_long(p->backing),
        .block_payload = p->block_payload,
    };

    memcpy(survey.volume_id, p->volume_id_bytes, sizeof survey.volume_id);
    TRY(surveyor_start(&survey, p->clock, &p->surveyor));
    if (p->conf->is_rekeying)
        TRY(rekeyer_start(rekey_by_itself, p, &p->rekeyer));
    admin_note_due(p);
    surveyor_ask(p->surveyor);
    TRY(control_path(p->conf->run_dir, p->volume_id_bytes, &path));
    struct control_server_conf control = {.path = path, .handle = admin_handle, .arg = p};
    return control_server_start(&control, &p->control);
}

static void log_budget(void *arg, const struct key_spec *spec, const struct kms_report *report)
{
    (void)arg;
    if (report->is_remote && report->budget_why[0])
        log_line(LOG_WARNING,
                 "requests to %s are limited for this volume alone, not for the host: %s",
                 spec->type, report->budget_why);
}

static void ignore_key(void *arg, const struct key_spec *spec, const struct kms_report *report)
{
    (void)arg, (void)spec, (void)report;
}

static ks_rc start(struct process *p)
{
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    bool is_granted = false, is_revoked = false;

    TRY(mount_point_absolute(p->conf->mountpoint, &p->mountpoint));
    TRY(mount_point_absolute(p->conf->backing.path, &p->backing_path));
    TRY(open_backing(p));
    warn_of_storage(p);
    TRY(backing_is_revoked(p->backing, &is_revoked));
    TRY(backing_keyring(p->backing, &k));
    note_identity(p, k);
    TRY(start_hook(p));
    TRY(harden(p));
    TRY(make_volume(p));
    uint64_t asked_ms = clock_boot_ms(p->clock);
    TRY(first_unlock(p, is_revoked, &is_granted));
    backing_each_key(p->backing, &(struct backing_key_visit){log_budget, ignore_key, NULL});
    TRY(start_mount(p));
    TRY(start_guard(p, k, is_granted, is_revoked, asked_ms));
    TRY(start_helpers(p));
    session_tune(p->session);
    return KS_SUCCESS;
}

/* ---- serving ---- */

/* wait_for(p, fd, ms): whether fd (a signal) became readable; also returns when the mount ends. */
static bool wait_for(struct process *p, int fd, int ms)
{
    struct pollfd fds[2] = {{fd, POLLIN, 0}, {session_end_fd(p->session), POLLIN, 0}};

    if (poll(fds, 2, ms) <= 0)
        return false;
    return fd >= 0 && (fds[0].revents & POLLIN) != 0;
}

static ks_rc detach(struct process *p, bool is_lazy)
{
    TRY(mount_point_unmount(p->mountpoint, is_lazy));
    atomic_store(&p->is_detached, true);
    return KS_SUCCESS;
}

/* end_by_signal(p): unmounts. Whoever has files open gets time to close them; then they are cut off, with
 * everything written back. */
static void end_by_signal(struct process *p)
{
    ks_rc rc = detach(p, false);

    if (ks_ok(rc))
        return;
    log_line(LOG_WARNING, "%s; waiting up to %d s for that to end", ks_text(rc),
             STOP_MS_MAX / 1000);
    hook_run(p->hook, HOOK_LOCK);
    rc = detach(p, true);
    if (!ks_ok(rc))
        log_line(LOG_ERROR, "%s", ks_text(rc));
    wait_for(p, -1, STOP_MS_MAX);
}

static void serve(struct process *p, int signals)
{
    struct signalfd_siginfo info;

    while (!session_is_ended(p->session)) {
        if (wait_for(p, signals, HOUSEKEEPING_MS) &&
            read(signals, &info, sizeof info) == sizeof info) {
            log_line(LOG_NOTICE, "ending: signal %u", info.ssi_signo);
            atomic_store(&p->is_ending, true);
            mount_notify("STOPPING=1");
            end_by_signal(p);
            return;
        }
        admin_rotate_when_due(p);
        rekey_when_due(p);
        watch_backing(p);
        mend_keyring(p);
        volume_rest(p->volume);
    }
}

/* ---- end ---- */

/* cut_off(p): the mount could not be ended, because files are open in it: at least nothing is lost. */
static void cut_off(struct process *p)
{
    struct holders_found handles;

    holders_count(p->holders);
    holders_take(p->holders, COUNT_MS_MAX, &handles);
    log_line(LOG_WARNING, "ending with %s%llu handles open%s%s",
             handles.is_partial ? "at least " : "", (unsigned long long)handles.handles,
             handles.names[0] ? ", of " : "", handles.names);
    volume_set_door(p->volume, VOLUME_DRAINING);
    if (!sweeper_round(p->sweeper, FLUSH_MS_MAX))
        log_line(LOG_ERROR, "the kernel does not finish writing back: unsynced writes are lost");
}

/* wipe(p): whether no request was left that could still touch the volume. */
static bool wipe(struct process *p)
{
    ks_rc rc = volume_drain(p->volume, DRAIN_MS_MAX);
    if (ks_ok(rc))
        volume_wipe(p->volume);
    else
        log_line(LOG_ERROR, "ending: %s", ks_text(rc));
    return ks_ok(rc);
}

static void say_farewell(struct process *p)
{
    int fd = atomic_exchange(&p->farewell_fd, -1);

    if (fd < 0)
        return;
    json_t *reply = json_pack("{s:b}", "ok", 1);
    /* who asked may have gone */
    IGNORE(control_line_write(fd, reply));
    json_decref(reply);
    close(fd);
}

static bool has_ended(bool is_ended, const char *what)
{
    if (!is_ended)
        log_line(LOG_ERROR, "ending: %s hangs, so the keys go with the process", what);
    return is_ended;
}

/* stop_users(p): those who may use keys; false when one of them hangs, which then has all that it may touch. */
static bool stop_users(struct process *p)
{
    surveyor_end(p->surveyor);
    return has_ended(control_server_narrow(p->control, CONVERSATIONS_MS_MAX), "an operation") &&
           has_ended(rekeyer_stop(TAKE(p->rekeyer), THREAD_MS_MAX), "the re-encryption");
}

/* stop_threads(p): the rest, but the mount's own threads; the keys are wiped. Each needs only what is stopped behind it; false when
 * one of them hangs. */
static bool stop_threads(struct process *p)
{
    if (!control_server_stop(TAKE(p->control), CONVERSATIONS_MS_MAX) ||
        !prober_stop(TAKE(p->prober), PROBER_MS_MAX) || !guard_stop(p->guard, THREAD_MS_MAX))
        return false;
    if (p->volume)
        volume_wipe(p->volume); /* again: what an unlock that was under way brought in */
    watcher_stop(p->watcher);
    bool is_stopped = surveyor_stop(TAKE(p->surveyor), THREAD_MS_MAX);
    is_stopped = sweeper_stop(TAKE(p->sweeper), FLUSH_MS_MAX) && is_stopped;
    return holders_stop(TAKE(p->holders), FLUSH_MS_MAX) && is_stopped;
}

/* Whoever has unmounted a volume may pull the plug, as with any other file system. */
static void make_durable(struct process *p)
{
    ks_rc rc = backing_sync(p->backing);

    if (!ks_ok(rc))
        log_line(LOG_ERROR, "what was written last may not be durable: %s", ks_text(rc));
}

static void release(struct process *p)
{
    bool had_volume = p->volume != NULL;

    session_free(p->session);
    awake_stop(p->awake);
    guard_free(p->guard);
    watcher_free(p->watcher);
    /* a thread that hangs in the kernel may still look at the volume */
    bool is_alone = shedder_stop(TAKE(p->shedder), FLUSH_MS_MAX);
    if (sweeper_stop(TAKE(p->ahead), FLUSH_MS_MAX) && is_alone)
        volume_free(p->volume);
    trouble_free(p->trouble);
    if (had_volume)
        make_durable(p);
    backing_close(p->backing);
    hook_end(p->hook);
    say_farewell(p);
    mem_free(p->refusal);
    mem_free(p->mountpoint);
    mem_free(p->backing_path);
    mem_free(p);
}

/* A thread that the kernel keeps waiting for what only we could answer outlives the process, with the connection, and whoever
 * waits for an answer waits for ever. */
static void abort_requests(struct process *p)
{
    ks_rc rc = mount_point_abort(session_device(p->session), session_fd(p->session));

    if (!ks_ok(rc) && !ks_is_os(rc, ENOENT))
        log_line(LOG_ERROR, "requests that hang stay: %s", ks_text(rc));
}

/* finish(p): also for a process that failed half-way through its start. */
static void finish(struct process *p, bool was_started)
{
    bool is_mounted = was_started && !session_is_ended(p->session);

    atomic_store(&p->is_ending, true);
    guard_close(p->guard);
    if (is_mounted)
        cut_off(p);
    if (p->volume)
        volume_set_door(p->volume, VOLUME_CLOSED);
    bool is_stopped = stop_users(p) && (!p->volume || wipe(p)) && stop_threads(p);
    if (is_stopped && is_mounted)
        volume_rest(p->volume); /* times that were kept */
    if (is_stopped && !is_mounted) {
        release(p);
        return;
    }
    if (!is_stopped && was_started)
        abort_requests(p);
    say_farewell(p); /* the rest goes with the process */
}

static ks_rc block_signals(int *ret_fd)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    *ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (*ret_fd < 0)
        return ks_fail_os(errno, "no descriptor for signals");
    return KS_SUCCESS;
}

static void ready(struct process *p, int *ready_fd)
{
    struct guard_status status;

    guard_status(p->guard, &status);
    log_line(LOG_NOTICE, "%s is mounted on %s, %s", p->backing_path, p->mountpoint,
             lease_state_name(status.state));
    mount_ready(ready_fd, KS_SUCCESS);
    mount_notify("READY=1\nSTATUS=mounted");
    if (status.state == LEASE_OPEN)
        hook_run(p->hook, HOOK_UNLOCK);
}

static ks_rc say_again(ks_rc rc, const char *text)
{
    if (rc.code < KS_CODE_OS)
        return ks_fail((enum ks_code)rc.code, "%s", text);
    return ks_wrap(ks_os(rc.code - KS_CODE_OS), "%s", text);
}

ks_rc mount_run(const struct mount_conf *conf)
{
    struct process *p;
    int signals = -1, ready_fd = conf->ready_fd;

    TRY(block_signals(&signals));
    TRY(mem_new(1, sizeof *p, &p));
    p->conf = conf;
    p->clock = conf->backing.clock;
    p->random = conf->backing.random;
    p->io = conf->backing.io;
    atomic_store(&p->farewell_fd, -1);
    ks_rc rc = start(p);
    if (ks_ok(rc)) {
        ready(p, &ready_fd);
        serve(p, signals);
        log_line(LOG_NOTICE, "unmounted");
    } else {
        mount_ready(&ready_fd, rc);
    }
    CLEANUP(mem_freep) char *why = NULL;
    /* The text of a failure must survive the cleaning up; without memory the short one does. */
    IGNORE(mem_text(ks_text(rc), &why));
    finish(p, ks_ok(rc));
    log_flush(FLUSH_MS_MAX);
    close(signals);
    return ks_ok(rc) || !why ? rc : say_again(rc, why);
}
