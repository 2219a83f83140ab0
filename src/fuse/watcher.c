/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/watcher.c - one thread, a descriptor for each who watches, and the line that was told last.
 *
 * The mutex guards the places; the thread alone reads and writes the conversations. Descriptors never block: a line goes out
 * whole, waits for its reader to catch up, or ends the conversation.
 */
#include "fuse/watcher.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/thread.h"

enum { STACK_BYTES = 512 * 1024, AGAIN_MS = 1000 };

static const char PROGRESS[] = "progress";

struct place {
    int fd;         /* -1: free */
    bool is_behind; /* has not got the present line */
};

struct watcher {
    struct watcher_conf conf;
    pthread_mutex_t mutex; /* for places and is_stopping */
    pthread_t thread;
    bool is_stopping, is_started;
    int wake_fd;
    struct place places[WATCHERS_MAX];
    /* the thread's own */
    json_t *told;
    uint64_t sequence, told_ms;
    struct buf line; /* of told */
};

void watcher_note(struct watcher *w)
{
    uint64_t one = 1;

    if (!w)
        return;
    ssize_t n = write(w->wake_fd, &one, sizeof one);
    (void)n; /* a counter that is full wakes too */
}

ks_rc watcher_add(struct watcher *w, struct control_peer *peer)
{
    struct place *free_place = NULL;
    ks_rc rc = KS_SUCCESS;

    pthread_mutex_lock(&w->mutex);
    for (int i = 0; i < WATCHERS_MAX && !w->is_stopping && !free_place; i++)
        if (w->places[i].fd < 0)
            free_place = &w->places[i];
    int fd = free_place ? control_peer_take(peer) : -1;
    if (!free_place)
        rc = ks_fail(KS_E_BUSY, "%d watch this volume already", WATCHERS_MAX);
    else if (fd < 0)
        rc = ks_fail(KS_E_LIMIT, "no descriptor left for watching");
    else
        *free_place = (struct place){fd, true};
    pthread_mutex_unlock(&w->mutex);
    watcher_note(w);
    return rc;
}

/* ---- what is told ---- */

static json_t *without_progress(json_t *object)
{
    json_t *copy = json_copy(object);

    if (copy)
        json_object_del(copy, PROGRESS);
    return copy;
}

static bool is_only_progress(json_t *a, json_t *b)
{
    const json_t *was = json_object_get(a, PROGRESS), *is = json_object_get(b, PROGRESS);
    json_t *rest_a = without_progress(a), *rest_b = without_progress(b);

    bool is_same = rest_a && rest_b && json_equal(rest_a, rest_b);
    json_decref(rest_a);
    json_decref(rest_b);
    /* that it begins and that it ends is told at once */
    return is_same && json_is_object(was) && json_is_object(is);
}

static ks_rc make_line(struct watcher *w, json_t *now)
{
    CLEANUP(buf_done) struct buf line = buf_init(CONTROL_LINE_MAX);

    json_object_set_new(now, "sequence", json_integer((json_int_t)w->sequence + 1));
    ks_rc rc = json_write(now, false, &line);
    json_object_del(now, "sequence");
    TRY(rc);
    TRY(buf_append(&line, view_text("\n")));
    struct buf old = w->line;
    w->line = line;
    line = old;
    w->sequence++;
    return KS_SUCCESS;
}

static void set_behind(struct watcher *w)
{
    pthread_mutex_lock(&w->mutex);
    for (int i = 0; i < WATCHERS_MAX; i++)
        w->places[i].is_behind = w->places[i].fd >= 0;
    pthread_mutex_unlock(&w->mutex);
}

static bool is_watched(struct watcher *w)
{
    bool is = false;

    pthread_mutex_lock(&w->mutex);
    for (int i = 0; i < WATCHERS_MAX && !is; i++)
        is = w->places[i].fd >= 0;
    pthread_mutex_unlock(&w->mutex);
    return is;
}

/* Asks what is so, and how long to wait until it is to be asked again; -1: until a note. */
static int refresh(struct watcher *w)
{
    uint64_t now_ms = clock_boot_ms(clock_system());

    if (!is_watched(w))
        return -1;
    json_t *now = w->conf.describe(w->conf.arg);
    if (!now)
        return AGAIN_MS;
    if (w->told && json_equal(now, w->told)) {
        json_decref(now);
        return -1;
    }
    uint64_t age_ms = now_ms - w->told_ms;
    if (w->told && age_ms < WATCHER_PROGRESS_MS && is_only_progress(w->told, now)) {
        json_decref(now);
        return (int)(WATCHER_PROGRESS_MS - age_ms);
    }
    ks_rc rc = make_line(w, now);
    if (!ks_ok(rc)) {
        json_decref(now);
        return AGAIN_MS;
    }
    json_decref(w->told);
    w->told = now;
    w->told_ms = now_ms;
    set_behind(w);
    return -1;
}

/* ---- conversations ---- */

static void drop(struct watcher *w, int i)
{
    pthread_mutex_lock(&w->mutex);
    close(w->places[i].fd);
    w->places[i].fd = -1;
    pthread_mutex_unlock(&w->mutex);
}

/* Whoever watches says nothing more; a word, or the end, ends it. */
static void serve_one(struct watcher *w, int i, short seen)
{
    pthread_mutex_lock(&w->mutex);
    struct place place = w->places[i];
    pthread_mutex_unlock(&w->mutex);

    if (seen & (POLLIN | POLLHUP | POLLERR)) {
        drop(w, i);
        return;
    }
    if (!place.is_behind || w->line.len == 0)
        return;
    ssize_t n = send(place.fd, w->line.bytes, w->line.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n != (ssize_t)w->line.len) {
        drop(w, i);
        return;
    }
    pthread_mutex_lock(&w->mutex);
    w->places[i].is_behind = false;
    pthread_mutex_unlock(&w->mutex);
}

/* The descriptors to wait for; those that are not there have -1, which poll skips. */
static bool gather(struct watcher *w, struct pollfd *fds)
{
    pthread_mutex_lock(&w->mutex);
    for (int i = 0; i < WATCHERS_MAX; i++) {
        bool has_news = w->places[i].is_behind && w->line.len > 0;
        fds[i] = (struct pollfd){w->places[i].fd, (short)(POLLIN | (has_news ? POLLOUT : 0)), 0};
    }
    bool is_stopping = w->is_stopping;
    pthread_mutex_unlock(&w->mutex);
    fds[WATCHERS_MAX] = (struct pollfd){w->wake_fd, POLLIN, 0};
    return !is_stopping;
}

static void *watcher_run(void *arg)
{
    struct watcher *w = arg;
    struct pollfd fds[WATCHERS_MAX + 1];
    uint64_t notes;
    int wait_ms = -1;

    while (gather(w, fds)) {
        int n = poll(fds, WATCHERS_MAX + 1, wait_ms);
        if (n < 0 && errno != EINTR)
            return NULL;
        if (n < 0)
            continue;
        if (n == 0 || fds[WATCHERS_MAX].revents) {
            ssize_t len = read(w->wake_fd, &notes, sizeof notes);
            (void)len; /* it only is to be empty again */
            wait_ms = refresh(w);
        }
        for (int i = 0; i < WATCHERS_MAX; i++)
            if (fds[i].fd >= 0)
                serve_one(w, i, n == 0 ? 0 : fds[i].revents);
    }
    return NULL;
}

/* ---- life ---- */

ks_rc watcher_start(const struct watcher_conf *conf, struct watcher **ret)
{
    struct watcher *w;

    TRY(mem_new(1, sizeof *w, &w));
    w->conf = *conf;
    w->line = buf_init(CONTROL_LINE_MAX);
    for (int i = 0; i < WATCHERS_MAX; i++)
        w->places[i].fd = -1;
    pthread_mutex_init(&w->mutex, NULL);
    w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ks_rc rc = w->wake_fd < 0 ? ks_os(errno) : KS_SUCCESS;
    if (ks_ok(rc))
        rc = thread_start(STACK_BYTES, watcher_run, w, &w->thread);
    w->is_started = ks_ok(rc);
    if (!w->is_started) {
        watcher_free(w);
        return ks_wrap(rc, "cannot start the thread that tells who watches");
    }
    *ret = w;
    return KS_SUCCESS;
}

void watcher_stop(struct watcher *w)
{
    if (!w || !w->is_started)
        return;
    pthread_mutex_lock(&w->mutex);
    w->is_stopping = true;
    pthread_mutex_unlock(&w->mutex);
    watcher_note(w);
    pthread_join(w->thread, NULL);
    w->is_started = false;
    for (int i = 0; i < WATCHERS_MAX; i++)
        if (w->places[i].fd >= 0)
            drop(w, i);
}

void watcher_free(struct watcher *w)
{
    if (!w)
        return;
    watcher_stop(w);
    if (w->wake_fd >= 0)
        close(w->wake_fd);
    pthread_mutex_destroy(&w->mutex);
    json_decref(w->told);
    buf_done(&w->line);
    mem_free(w);
}
