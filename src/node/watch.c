/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/watch.c - hears from volume processes that something changed, from all of them in one thread.
 *
 * A line says only that it is time to look; what is so is asked for. A conversation that ends does, too. While a volume is not
 * watched it is looked at each second.
 */
#include <poll.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "fuse/control_line.h"
#include "node/agent_int.h"

enum { ROUND_MS = 500, LINE_MS = 2 /* a line comes in one piece; 0 would read nothing */ };

struct watch {
    struct watch *next;
    struct holding *h;
    struct control_line line;
    int fd;
    bool is_over;
};

static void watch_free(struct watch *w)
{
    control_line_done(&w->line);
    if (w->fd >= 0)
        close(w->fd);
    mem_free(w);
}

static ks_rc open_watch(struct holding *h, const char *socket, struct watch **ret)
{
    CLEANUP(json_decrefp) json_t *request = json_pack("{s:s}", "op", "watch");
    struct watch *w = NULL;

    ENSURE(request, KS_E_NO_MEMORY, "no memory for a request");
    TRY(mem_new(1, sizeof *w, &w));
    w->fd = -1;
    w->h = h;
    ks_rc rc = control_converse(socket, request, &w->fd);
    if (ks_ok(rc))
        rc = control_line_init(&w->line, w->fd);
    if (ks_ok(rc))
        *ret = w;
    else
        watch_free(w);
    return rc;
}

void watch_begin(struct agent *a, struct holding *h, const char *socket)
{
    struct watch *w = NULL;
    ks_rc rc = open_watch(h, socket, &w);

    if (!ks_ok(rc))
        return; /* it is looked at each second until this works */
    int process_fd = -1;
    /* only for the case that it does not lock */
    IGNORE(control_process(socket, &process_fd));
    pthread_mutex_lock(&a->mutex);
    if (process_fd >= 0) {
        if (h->process_fd >= 0)
            close(h->process_fd);
        h->process_fd = process_fd;
    }
    w->next = a->watches;
    a->watches = w;
    a->watch_count++;
    h->is_watched = true;
    pthread_mutex_unlock(&a->mutex);
}

/* What is there to be read; the last line tells as much as all of them. */
static bool take_lines(struct watch *w)
{
    bool is_news = false;

    for (;;) {
        CLEANUP(json_decrefp) json_t *line = NULL;
        ks_rc rc = control_line_read(&w->line, LINE_MS, &line);
        if (ks_is(rc, KS_E_TIMEOUT))
            return is_news;
        is_news = true;
        if (!ks_ok(rc) || !line || json_object_get(line, "ok")) {
            w->is_over = true;
            return true;
        }
    }
}

/* With the mutex: those that are over, or whose volume is about to be forgotten, go. */
static void drop_over(struct agent *a)
{
    struct watch **at = &a->watches;

    while (*at) {
        struct watch *w = *at;
        if (!w->is_over && !w->h->is_gone) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        a->watch_count--;
        w->h->is_watched = false;
        watch_free(w);
    }
}

/* The watches of this round; new ones come to the front of the list and are in the next. */
static size_t gather(struct agent *a, struct pollfd *fds, struct watch **of, size_t room)
{
    size_t n = 0;

    for (struct watch *w = a->watches; w && n < room; w = w->next, n++) {
        fds[n] = (struct pollfd){w->fd, POLLIN, 0};
        of[n] = w;
    }
    return n;
}

static void hear(struct agent *a, const struct pollfd *fds, struct watch *const *of, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fds[i].revents && take_lines(of[i])) {
            pthread_mutex_lock(&a->mutex);
            agent_stir(a, of[i]->h);
            pthread_mutex_unlock(&a->mutex);
        }
}

static ks_rc round_once(struct agent *a)
{
    CLEANUP(mem_freep) struct pollfd *fds = NULL;
    CLEANUP(mem_freep) struct watch **of = NULL;

    pthread_mutex_lock(&a->mutex);
    drop_over(a);
    size_t room = a->watch_count + 1, count = 0;
    ks_rc rc = mem_new(room, sizeof *fds, &fds);
    if (ks_ok(rc))
        rc = mem_new(room, sizeof *of, &of);
    if (ks_ok(rc))
        count = gather(a, fds, of, room);
    pthread_mutex_unlock(&a->mutex);
    if (poll(fds, (nfds_t)count, ROUND_MS) > 0)
        hear(a, fds, of, count);
    return rc;
}

void *agent_watcher(void *agent)
{
    struct agent *a = agent;
    bool is_ending = false;

    while (!is_ending) {
        ks_rc rc = round_once(a);
        if (!ks_ok(rc))
            log_line(LOG_ERROR, "volumes are not watched: %s", ks_text(rc));
        pthread_mutex_lock(&a->mutex);
        is_ending = a->is_ending;
        pthread_mutex_unlock(&a->mutex);
    }
    return NULL;
}
