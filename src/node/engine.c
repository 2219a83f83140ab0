/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/engine.c - one thread that keeps an engine as it is wanted.
 *
 * The mutex guards the wish and what is told of the state; the life (node/engine_start.c) is the thread's own. Whoever changes
 * the wish makes wake_fd readable, which also interrupts whatever step is at work. Invariant: when engine_stop has said so, no
 * process of the engine is left and nothing of ours is open on the volume. The disk may keep the thread for ever, but nobody else.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"
#include "node/engine_int.h"

enum {
    STACK_BYTES = 1024 * 1024,
    LOOK_MS = 200, /* between two questions whether it is ready */
    HOUSEKEEPING_MS = 10000,
    LOG_BYTES_MAX = 16 << 20,
    PAUSE_MS_MIN = 1000,
    PAUSE_MS_MAX = 60000,
    STEADY_MS = 60000,      /* who ran so long begins with short pauses again */
    GONE_MS = 20,           /* between two looks whether all have gone */
    CHILDREN_MS_MAX = 5000, /* for its children, once it has ended as asked */
    KILL_MS_MAX = 10000,
    LEAVING_MS_MAX = 10000, /* of engine_free */
    FREE_MS_MAX = 30000,
};

struct engine {
    struct engine_conf conf;
    char *mountpoint, *state_dir, *address, *client_host, *cluster_name;
    int wake_fd;
    pthread_t thread;

    pthread_mutex_t mutex; /* for all of this */
    pthread_cond_t cond;   /* the state changed */
    bool is_wanted, is_ending, is_leaving;
    uint64_t stop_by_ms;
    struct engine_status status;
    struct secret *password;

    /* the thread's own */
    struct engine_life life;
    bool is_alive; /* the life has begun: there may be a process */
    bool is_ready;
    uint64_t began_ms, again_ms, pause_ms;
};

static uint64_t now_ms(const struct engine *e)
{
    return clock_boot_ms(e->conf.clock);
}

/* ---- telling ---- */

static void set_phase(struct engine *e, enum engine_phase phase, const char *message)
{
    pthread_mutex_lock(&e->mutex);
    e->status.phase = phase;
    snprintf(e->status.message, sizeof e->status.message, "%s", message);
    pthread_cond_broadcast(&e->cond);
    pthread_mutex_unlock(&e->mutex);
    if (e->conf.told)
        e->conf.told(e->conf.arg);
}

static void keep_password(struct engine *e)
{
    struct secret *copy = NULL;

    if (!e->life.home || !e->life.home->password ||
        !ks_ok(secret_copy(secret_view(e->life.home->password), &copy)))
        return;
    pthread_mutex_lock(&e->mutex);
    if (e->is_wanted) {
        struct secret *old = e->password;
        e->password = copy;
        copy = old;
    }
    pthread_mutex_unlock(&e->mutex);
    secret_free(copy);
}

/* ---- waiting ---- */

/* Until a wish comes, the process ends, or ms have passed; 0: no limit. */
static void wait_some(struct engine *e, uint64_t ms)
{
    struct pollfd fds[2] = {{e->wake_fd, POLLIN, 0},
                            {e->life.process ? program_fd(e->life.process) : -1, POLLIN, 0}};

    poll(fds, 2, ms == 0 ? -1 : (int)ms);
}

struct wish {
    bool is_wanted, is_ending, is_leaving;
    uint64_t stop_by_ms;
};

/* Makes wake_fd quiet again: what comes later makes it readable again. */
static struct wish take_wish(struct engine *e)
{
    eventfd_t count;

    pthread_mutex_lock(&e->mutex);
    (void)eventfd_read(e->wake_fd, &count); /* there may be none */
    struct wish w = {e->is_wanted, e->is_ending, e->is_leaving, e->stop_by_ms};
    pthread_mutex_unlock(&e->mutex);
    return w;
}

/* ---- the end ---- */

/* All of its processes; false when some do not go before the deadline. */
static bool wait_gone(struct engine *e, uint64_t deadline_ms)
{
    while (program_count(e->life.process, e->life.pid.home) > 0) {
        if (now_ms(e) >= deadline_ms)
            return false;
        clock_sleep_ms(e->conf.clock, GONE_MS);
    }
    return true;
}

static bool kill_all(struct engine *e)
{
    uint64_t deadline_ms = now_ms(e) + KILL_MS_MAX;

    do
        program_kill_all(e->life.process, e->life.pid.home);
    while (!wait_gone(e, now_ms(e) + GONE_MS) && now_ms(e) < deadline_ms);
    return wait_gone(e, now_ms(e));
}

static bool wait_ended(struct engine *e, uint64_t deadline_ms)
{
    struct pollfd p = {program_fd(e->life.process), POLLIN, 0};
    uint64_t now = now_ms(e);

    return poll(&p, 1, deadline_ms > now ? (int)(deadline_ms - now) : 0) == 1;
}

/* Signal by signal, as the template says. */
static void ask_to_end(struct engine *e, uint64_t deadline_ms)
{
    const struct engine_template *t = e->conf.kind;

    for (size_t i = 0; i < t->stop_count; i++) {
        uint64_t until_ms = now_ms(e) + (uint64_t)t->stops[i].seconds * 1000;
        if (now_ms(e) >= deadline_ms)
            return;
        program_signal(e->life.process, t->stops[i].number);
        if (wait_ended(e, until_ms < deadline_ms ? until_ms : deadline_ms))
            return;
    }
}

static void stop_now(struct engine *e, uint64_t deadline_ms)
{
    uint64_t children_ms = now_ms(e) + CHILDREN_MS_MAX;
    bool is_gone = true;

    set_phase(e, ENGINE_PHASE_STOPPING, "");
    if (e->life.process) {
        ask_to_end(e, deadline_ms);
        children_ms = now_ms(e) + CHILDREN_MS_MAX;
    }
    if (e->life.pid.home[0])
        is_gone =
            wait_gone(e, children_ms < deadline_ms ? children_ms : deadline_ms) || kill_all(e);
    engine_life_end(&e->life);
    e->is_alive = e->is_ready = false;
    set_phase(e, ENGINE_PHASE_IDLE,
              is_gone ? "" : "the kernel does not let go of one of its processes");
}

/* ---- failures ---- */

/* why is written before the life ends, which changes the text of the last failure. */
static void fail(struct engine *e, const char *why)
{
    char message[sizeof e->status.message];

    engine_life_explain(&e->life, why, message, sizeof message);
    if (e->life.pid.home[0])
        kill_all(e);
    engine_life_end(&e->life);
    if (e->is_ready && now_ms(e) - e->began_ms >= STEADY_MS)
        e->pause_ms = 0;
    e->pause_ms = e->pause_ms ? 2 * e->pause_ms : PAUSE_MS_MIN;
    if (e->pause_ms > PAUSE_MS_MAX)
        e->pause_ms = PAUSE_MS_MAX;
    e->again_ms = now_ms(e) + e->pause_ms;
    e->is_alive = e->is_ready = false;
    pthread_mutex_lock(&e->mutex);
    e->status.restarts++;
    e->status.connection[0] = 0;
    pthread_mutex_unlock(&e->mutex);
    set_phase(e, ENGINE_PHASE_FAILED, message);
}

/* A failure that came of a wish to stop is none: the next round stops. */
static void fail_rc(struct engine *e, ks_rc rc)
{
    char why[512];

    if (ks_is(rc, KS_E_STATE)) {
        struct pollfd p = {e->wake_fd, POLLIN, 0};
        if (poll(&p, 1, 0) == 1)
            return;
    }
    snprintf(why, sizeof why, "%s", ks_text(rc));
    fail(e, why);
}

/* ---- the beginning ---- */

/* What an earlier life left behind without a note of it must not work on the same files. */
static void clear_strays(struct engine *e)
{
    CLEANUP(mem_freep) char *root = NULL;

    if (ks_ok(mem_format(&root, "%s/engine", e->mountpoint)) && program_count(NULL, root) > 0) {
        snprintf(e->life.pid.home, sizeof e->life.pid.home, "%s", root);
        kill_all(e);
    }
}

static void begin(struct engine *e)
{
    set_phase(e, ENGINE_PHASE_STARTING, "");
    e->is_alive = true;
    e->began_ms = now_ms(e);
    clear_strays(e);
    ks_rc rc = engine_life_start(&e->life);
    if (!ks_ok(rc))
        fail_rc(e, rc);
}

static void become_ready(struct engine *e)
{
    ks_rc rc = engine_life_prepare(&e->life);

    if (!ks_ok(rc)) {
        fail_rc(e, rc);
        return;
    }
    e->is_ready = true;
    keep_password(e);
    pthread_mutex_lock(&e->mutex);
    engine_life_connection(&e->life, e->status.connection, sizeof e->status.connection);
    pthread_mutex_unlock(&e->mutex);
    set_phase(e, ENGINE_PHASE_RUNNING, "");
}

/* ---- while it runs ---- */

static void trim_log(struct engine *e)
{
    if (!e->life.process)
        return;
    /* one that cannot be cut, because the volume is locked say, is cut later */
    IGNORE(program_log_trim(e->life.pid.log, LOG_BYTES_MAX));
}

static void follow(struct engine *e)
{
    char end[PROGRAM_END_BYTES], why[128];

    if (e->life.process && program_has_ended(e->life.process, end)) {
        snprintf(why, sizeof why, "%s ended by itself: %s", e->conf.kind->name, end);
        fail(e, why);
    } else if (e->is_ready) {
        trim_log(e);
        wait_some(e, e->life.process ? HOUSEKEEPING_MS : 0);
    } else if (engine_life_is_ready(&e->life)) {
        become_ready(e);
    } else if (now_ms(e) - e->began_ms > (uint64_t)e->conf.kind->ready.seconds * 1000) {
        snprintf(why, sizeof why, "%s is not ready after %u seconds", e->conf.kind->name,
                 e->conf.kind->ready.seconds);
        fail(e, why);
    } else {
        wait_some(e, LOOK_MS);
    }
}

static void keep_running(struct engine *e)
{
    uint64_t now = now_ms(e);

    if (e->is_alive)
        follow(e);
    else if (now < e->again_ms)
        wait_some(e, e->again_ms - now);
    else
        begin(e);
}

static void rest(struct engine *e, const struct wish *w)
{
    pthread_mutex_lock(&e->mutex);
    bool is_idle = e->status.phase == ENGINE_PHASE_IDLE;
    e->status.connection[0] = 0;
    pthread_mutex_unlock(&e->mutex);
    if (e->is_alive || !is_idle)
        stop_now(e, w->stop_by_ms);
    e->again_ms = e->pause_ms = 0;
}

static void *engine_run(void *arg)
{
    struct engine *e = arg;

    for (;;) {
        struct wish w = take_wish(e);
        if (w.is_ending && w.is_leaving)
            return NULL;
        if (!w.is_wanted || w.is_ending)
            rest(e, &w);
        if (w.is_ending)
            return NULL;
        if (w.is_wanted)
            keep_running(e);
        else
            wait_some(e, 0);
    }
}

/* ---- from outside ---- */

static ks_rc copy_conf(struct engine *e, const struct engine_conf *conf)
{
    e->conf = *conf;
    TRY(mem_text(conf->mountpoint, &e->mountpoint));
    TRY(mem_text(conf->state_dir, &e->state_dir));
    TRY(mem_text(conf->address, &e->address));
    if (conf->client_host)
        TRY(mem_text(conf->client_host, &e->client_host));
    TRY(mem_text(conf->cluster_name, &e->cluster_name));
    e->conf.mountpoint = e->mountpoint;
    e->conf.state_dir = e->state_dir;
    e->conf.address = e->address;
    e->conf.client_host = e->client_host;
    e->conf.cluster_name = e->cluster_name;
    return KS_SUCCESS;
}

static void engine_done(struct engine *e)
{
    if (e->wake_fd >= 0)
        close(e->wake_fd);
    program_free(e->life.process);
    engine_home_free(e->life.home);
    secret_free(e->password);
    pthread_cond_destroy(&e->cond);
    pthread_mutex_destroy(&e->mutex);
    mem_free(e->mountpoint);
    mem_free(e->state_dir);
    mem_free(e->address);
    mem_free(e->client_host);
    mem_free(e->cluster_name);
    mem_free(e);
}

static ks_rc make(struct engine *e, const struct engine_conf *conf)
{
    TRY(copy_conf(e, conf));
    e->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (e->wake_fd < 0)
        return ks_fail_os(errno, "an engine");
    TRY(engine_life_init(&e->life, &e->conf, e->wake_fd));
    if (e->conf.kind->has_process && ks_ok(engine_life_adopt(&e->life))) {
        e->is_wanted = e->is_alive = true;
        e->began_ms = now_ms(e);
        e->status.phase = ENGINE_PHASE_STARTING;
    }
    return ks_wrap(thread_start(STACK_BYTES, engine_run, e, &e->thread), "no thread for an engine");
}

ks_rc engine_new(const struct engine_conf *conf, struct engine **ret)
{
    struct engine *e;

    TRY(mem_new(1, sizeof *e, &e));
    e->wake_fd = -1;
    pthread_mutex_init(&e->mutex, NULL);
    clock_cond_init(&e->cond);
    ks_rc rc = make(e, conf);
    if (ks_ok(rc))
        *ret = e;
    else
        engine_done(e);
    return rc;
}

/* With the mutex held. */
static void wake(struct engine *e)
{
    (void)eventfd_write(e->wake_fd, 1); /* a counter that is full is readable too */
}

void engine_start(struct engine *e)
{
    pthread_mutex_lock(&e->mutex);
    if (!e->is_wanted) {
        e->is_wanted = true;
        e->status.phase = ENGINE_PHASE_STARTING;
        wake(e);
    }
    pthread_mutex_unlock(&e->mutex);
}

bool engine_stop(struct engine *e, uint32_t ms_max, uint32_t wait_ms_max)
{
    struct timespec until = clock_deadline(wait_ms_max);
    int err = 0;

    pthread_mutex_lock(&e->mutex);
    if (e->is_wanted || e->status.phase != ENGINE_PHASE_IDLE) {
        e->is_wanted = false;
        e->stop_by_ms = now_ms(e) + ms_max;
        secret_free(e->password); /* it lies on the volume, and is locked with it */
        e->password = NULL;
        wake(e);
    }
    while (!e->is_wanted && e->status.phase != ENGINE_PHASE_IDLE && err == 0)
        err = pthread_cond_timedwait(&e->cond, &e->mutex, &until);
    bool is_off = e->status.phase == ENGINE_PHASE_IDLE;
    pthread_mutex_unlock(&e->mutex);
    return is_off;
}

void engine_status(struct engine *e, struct engine_status *ret)
{
    pthread_mutex_lock(&e->mutex);
    *ret = e->status;
    pthread_mutex_unlock(&e->mutex);
}

ks_rc engine_password(struct engine *e, struct secret **ret)
{
    pthread_mutex_lock(&e->mutex);
    ks_rc rc = e->password ? secret_copy(secret_view(e->password), ret)
                           : ks_fail(KS_E_NOT_FOUND, "%s has no password", e->conf.kind->name);
    pthread_mutex_unlock(&e->mutex);
    return rc;
}

bool engine_free(struct engine *e, bool is_leaving_it)
{
    if (!e)
        return true;
    pthread_mutex_lock(&e->mutex);
    e->is_ending = true;
    e->is_leaving = is_leaving_it;
    e->stop_by_ms = now_ms(e) + LEAVING_MS_MAX;
    wake(e);
    pthread_mutex_unlock(&e->mutex);
    struct timespec until = clock_deadline(FREE_MS_MAX);
    if (pthread_clockjoin_np(e->thread, NULL, CLOCK_MONOTONIC, &until) != 0)
        return false;
    engine_done(e);
    return true;
}
