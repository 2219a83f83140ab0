/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/urgent.c - revokes, and engines that must not outlive their open volume: at once, side by side, behind nothing.
 *
 * Threads are started as they are needed, one for a volume, and end when nothing is urgent any more. The engine gets a moment to end in
 * order; the lock does not wait longer than that, nor for a disk. A volume process that does not lock in its time is killed.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "fuse/control.h"
#include "fuse/mount_point.h"
#include "node/agent_int.h"

enum {
    ENGINE_MS_MAX = 2000,
    LOCK_CALL_MS = 10000, /* twice what a lock takes at most, whatever is in flight */
    AGAIN_MS = 20,
    TRIES = 250,       /* while the volume's process is just starting or ending */
    UNLOCK_TRIES = 50, /* a request is there by then; what it waits for may take longer */
    RETRY_MS = 500,
    STACK_BYTES = 1024 * 1024,
};

static bool is_locked(const struct job *j)
{
    const struct seen *s = &j->seen;

    return !s->is_made || (s->is_revoked && (!s->is_running || s->state == LEASE_LOCKED));
}

static ks_rc ask_lock(struct job *j)
{
    CLEANUP(json_decrefp) json_t *request = json_pack("{s:s}", "op", "lock");
    CLEANUP(json_decrefp) json_t *reply = NULL;

    ENSURE(request, KS_E_NO_MEMORY, "no memory for a request");
    ENSURE(j->socket[0], KS_E_NOT_FOUND, "it is not mounted");
    return control_call(j->socket, request, LOCK_CALL_MS, &reply);
}

static bool has_ended(int process)
{
    struct pollfd p = {process, POLLIN, 0};

    return poll(&p, 1, 0) != 0;
}

/* The one that was watched last, if it is the one that is there; else who listens now. */
int urgent_process_of(struct job *j)
{
    int process = -1;

    pthread_mutex_lock(&j->a->mutex);
    if (j->h->process_fd >= 0)
        process = fcntl(j->h->process_fd, F_DUPFD_CLOEXEC, 3);
    pthread_mutex_unlock(&j->a->mutex);
    if (process >= 0 && !has_ended(process))
        return process;
    if (process >= 0)
        close(process);
    process = -1;
    if (j->socket[0]) /* -1 says as much */
        IGNORE(control_process(j->socket, &process));
    return process;
}

/* Files that the kernel has in memory can be opened and read without any process. A failure is told once. */
static void cut_mount_off(struct job *j, bool *is_told)
{
    CLEANUP(mem_freep) char *point = NULL;
    ks_rc rc = node_dir_mount_path(j->a->dir, j->h->id, &point);

    if (ks_ok(rc))
        rc = mount_point_cut_off(point);
    if (!ks_ok(rc) && !*is_told)
        log_line(LOG_ERROR, "volume %s: the mount of its ended process stays: %s", j->h->id,
                 ks_text(rc));
    *is_told = *is_told || !ks_ok(rc);
}

/* It has had its time. If it is only the record that the disk does not take, it is locked. Else whatever hangs in it, its keys go with it:
 * it loses nothing that was acknowledged. */
ks_rc urgent_insist(struct job *j, ks_rc why)
{
    CLEANUP(mem_freep) char *text = NULL;
    bool is_told = false;

    TRY(mem_text(ks_text(why), &text));
    ks_rc rc = look_now(j);
    if (ks_is(rc, KS_E_STATE) || (ks_ok(rc) && is_locked(j)))
        return rc; /* one that serves another directory is not ours */
    int process = urgent_process_of(j);
    int err = process < 0 ? ESRCH : pidfd_send_signal(process, SIGKILL, NULL, 0) != 0 ? errno : 0;
    if (process >= 0)
        close(process);
    if (err)
        return ks_fail_os(err, "it does not lock, and its process cannot be killed");
    log_line(LOG_ERROR,
             "volume %s: its process does not lock, so it is killed, with the keys that it has: %s",
             j->h->id, text);
    cut_mount_off(j, &is_told);
    return KS_SUCCESS;
}

/* By its process, or by the record when there is none. Its lock is taken while a process starts or ends: then one of the two is
 * possible in a moment. */
static ks_rc lock_once(struct job *j)
{
    ks_rc rc = ask_lock(j);

    if (ks_is(rc, KS_E_TIMEOUT))
        return urgent_insist(j, rc);
    if (!ks_is(rc, KS_E_NOT_FOUND) && rc.cls != KS_CLASS_BUSY)
        return rc;
    TRY(look_now(j));
    if (is_locked(j) || j->seen.is_running)
        return KS_SUCCESS;
    rc = step_take(j, STEP_RECORD);
    return rc.cls == KS_CLASS_BUSY ? KS_SUCCESS : rc;
}

static bool is_unlocking(struct job *j)
{
    pthread_mutex_lock(&j->a->mutex);
    bool is = j->h->is_unlocking;
    pthread_mutex_unlock(&j->a->mutex);
    return is;
}

/* Until it is seen to be locked, and an "unlock" that was on its way is over or has come in before one of our "lock"s. */
static ks_rc lock_volume(struct job *j)
{
    bool is_told = false;

    for (int i = 0; i < TRIES; i++) {
        TRY(lock_once(j));
        TRY(look_now(j));
        if (is_locked(j) && (i >= UNLOCK_TRIES || !is_unlocking(j))) {
            if (!j->seen.is_running)
                cut_mount_off(j, &is_told);
            return KS_SUCCESS;
        }
        poll(NULL, 0, AGAIN_MS);
    }
    return ks_fail(KS_E_TIMEOUT, "it does not lock");
}

/* Also when it is to be taken away: who has it open might keep it from going. */
static bool is_wanted_locked(struct job *j)
{
    pthread_mutex_lock(&j->a->mutex);
    bool is = j->h->wish.is_revoked;
    pthread_mutex_unlock(&j->a->mutex);
    return is;
}

/* Whether to try again. From then on a pass that finds it locked, if not recorded, may say so in a receipt. */
static bool note_unlocked(struct job *j)
{
    bool is_wanted = is_wanted_locked(j);

    pthread_mutex_lock(&j->a->mutex);
    j->h->is_lock_failing = true;
    is_wanted = is_wanted && !j->a->is_ending;
    pthread_mutex_unlock(&j->a->mutex);
    return is_wanted;
}

/* Nobody else tries: a volume whose state cannot be found out is in nobody's pass. Nor may what is mounted there be read on when nobody is
 * found who serves it, though its notes and its disk say nothing: without its mount a volume process ends. */
static ks_rc lock_until_done(struct job *j)
{
    bool is_told = false, is_mount_told = false;

    for (;;) {
        ks_rc rc = lock_volume(j);
        if (ks_ok(rc))
            return rc;
        if (!is_told) /* before anything else fails, and takes the place of its text */
            log_line(LOG_ERROR, "volume %s is not locked yet: %s", j->h->id, ks_text(rc));
        is_told = true;
        if (!j->socket[0] && is_wanted_locked(j))
            cut_mount_off(j, &is_mount_told);
        if (!note_unlocked(j))
            return ks_fail(KS_E_BUSY, "it was not locked, and nobody tries any more");
        poll(NULL, 0, RETRY_MS);
    }
}

/* Before anything is written: it is locked, whether the disk takes that or not. */
static void show_locked(struct job *j)
{
    struct agent *a = j->a;
    struct holding *h = j->h;

    pthread_mutex_lock(&a->mutex);
    pass_show(j);
    j->seen.wraps_json = j->seen.generations = j->seen.requests_failed = NULL;
    h->seen_seq++;
    h->is_news = true;
    pthread_cond_broadcast(&a->news);
    pthread_mutex_unlock(&a->mutex);
}

/* The pass that would write it may be waiting for a key service, and what an older wish says must not be done after a restart. */
static void keep_wish(struct job *j)
{
    struct holding *h = j->h;
    bool is_due = true;

    for (int i = 0; i < TRIES && is_due; i++) {
        pthread_mutex_lock(&j->a->mutex);
        is_due = !h->is_wish_saved && h->wish.goal == j->wish.goal;
        bool is_free = !h->is_saving;
        if (is_due && is_free) {
            j->deed = h->deed;
            save_begin(j);
        }
        pthread_mutex_unlock(&j->a->mutex);
        if (is_due && is_free) {
            save_end(j);
            return;
        }
        if (is_due)
            poll(NULL, 0, AGAIN_MS);
    }
}

static ks_rc lock_and_prove(struct job *j, int64_t engine_stopped_ms)
{
    struct prove_facts facts = {.cause = CAUSE_REVOKED,
                                .asked_s = j->h->asked_s,
                                .engine_stopped_ms = engine_stopped_ms,
                                .is_urgent = true};
    char id[96];

    TRY(lock_until_done(j));
    show_locked(j);
    keep_wish(j);
    if (j->deed.is_receipted)
        return KS_SUCCESS;
    prove_lock_id(&j->seen, id);
    facts.is_ours = j->seen.lock_at[0] && strcmp(id, j->deed.last_lock) != 0;
    return prove_lock(j, &facts);
}

static void merge(struct job *j, int64_t engine_stopped_ms)
{
    struct agent *a = j->a;
    struct holding *h = j->h;

    pthread_mutex_lock(&a->mutex);
    h->engine_stopped_ms = engine_stopped_ms;
    h->is_locking = h->is_lock_failing = false;
    h->is_news = true;
    pthread_cond_broadcast(&a->news);
    agent_stir(a, h);
    pthread_mutex_unlock(&a->mutex);
}

/* How long it took; -1: it is not over, or not known: one that an earlier life of the agent left was not looked at yet. The lock does not wait. */
static int64_t stop_engine(struct job *j)
{
    uint64_t began_ms = clock_boot_ms(j->a->clock);

    if (!j->power)
        return j->deed.port ? -1 : 0;
    if (power_off(j->power, ENGINE_MS_MAX))
        return (int64_t)(clock_boot_ms(j->a->clock) - began_ms);
    log_line(LOG_ERROR, "volume %s: its engine does not end", j->h->id);
    return -1;
}

static void serve(struct job *j)
{
    ks_rc rc = KS_SUCCESS;
    int64_t stopped_ms = stop_engine(j);

    if (j->wish.is_revoked && is_wanted_locked(j)) /* still: its engine took a while */
        rc = lock_and_prove(j, stopped_ms);
    if (!ks_ok(rc))
        log_line(LOG_ERROR, "volume %s: %s", j->h->id, ks_text(rc));
    merge(j, stopped_ms);
    seen_done(&j->seen);
}

/* With the mutex. */
static struct holding *next_urgent(struct agent *a)
{
    for (struct holding *h = a->holdings; h; h = h->next)
        if (h->is_urgent && !h->is_locking && !h->is_gone && h->has_wish)
            return h;
    return NULL;
}

static void *run(void *arg)
{
    struct agent *a = arg;
    struct holding *h;
    struct job *j = NULL;
    bool is_able = ks_ok(mem_new(1, sizeof *j, &j));

    pthread_mutex_lock(&a->mutex);
    while (is_able && (h = next_urgent(a))) {
        h->is_urgent = false;
        h->is_locking = true;
        a->urgent_busy++;
        *j = (struct job){.a = a, .h = h, .wish = h->wish, .deed = h->deed, .power = h->power};
        memcpy(j->socket, h->socket, sizeof j->socket);
        pthread_mutex_unlock(&a->mutex);
        serve(j);
        pthread_mutex_lock(&a->mutex);
        a->urgent_busy--;
    }
    a->urgent_threads--;
    pthread_mutex_unlock(&a->mutex);
    mem_free(j);
    return NULL;
}

/* One for each volume: those that hang keep nobody else waiting. One that is starting has not taken its work yet. */
void urgent_wake(struct agent *a)
{
    unsigned wanted = 0;

    for (struct holding *h = a->holdings; h; h = h->next)
        wanted += h->is_urgent && !h->is_locking && !h->is_gone && h->has_wish;
    while (a->urgent_threads - a->urgent_busy < wanted) {
        if (!ks_ok(thread_start_detached(STACK_BYTES, run, a))) {
            log_line(LOG_ERROR, "no thread for what is urgent; it waits for others to end");
            return; /* those that run take it, and each pass asks again */
        }
        a->urgent_threads++;
    }
}
