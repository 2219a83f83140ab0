/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/control_server.c - the listening end of the control socket.
 */
#include "fuse/control_server.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "fuse/control_line.h"

enum {
    STACK_BYTES = 1024 * 1024,
    BACKLOG = 16,
    PLACES = CONTROL_PEERS_MAX + CONTROL_LOCK_PEERS,
    ONLY_LOCK_MS_MAX = 1000, /* for the request of one who may only lock */
};

struct control_peer {
    struct control_server *server;
    int fd; /* -1: this place is free */
    bool is_taken, may_only_lock;
    bool is_lost; /* a line was not sent whole, so nothing may come behind it */
};

struct control_server {
    struct control_server_conf conf;
    char *path;
    int listen_fd, stop_fd;
    pthread_t thread;
    bool is_started;
    pthread_mutex_t mutex; /* for peers, is_narrow and is_stopping */
    pthread_cond_t cond;
    bool is_narrow, is_stopping;
    struct control_peer peers[PLACES];
};

/* Whether a line that failed never began. */
static bool is_unsent(ks_rc rc)
{
    return ks_is(rc, KS_E_LIMIT) || ks_is(rc, KS_E_NO_MEMORY);
}

ks_rc control_peer_send(struct control_peer *peer, json_t *object)
{
    if (peer->is_lost)
        return ks_os(EPIPE);
    ks_rc rc = control_line_write_within(peer->fd, object, peer->server->conf.write_ms_max);
    peer->is_lost = !ks_ok(rc) && !is_unsent(rc);
    return rc;
}

int control_peer_take(struct control_peer *peer)
{
    int fd = fcntl(peer->fd, F_DUPFD_CLOEXEC, 3);

    peer->is_taken = fd >= 0;
    return fd;
}

static void json_freep(json_t **j)
{
    json_decref(*j);
}

static ks_rc answer(struct control_peer *peer, json_t *request)
{
    struct control_server *s = peer->server;
    CLEANUP(json_freep) json_t *reply = NULL;
    ks_rc rc = s->conf.handle(s->conf.arg, request, peer, &reply);

    if (peer->is_taken)
        return ks_fail(KS_E_STATE, "the conversation was handed over");
    if (!ks_ok(rc)) {
        json_decref(reply);
        reply = control_error(rc);
    } else {
        if (!reply)
            reply = json_object();
        json_object_set_new(reply, "ok", json_true());
    }
    ENSURE(reply, KS_E_NO_MEMORY, "no memory for a reply");
    return control_peer_send(peer, reply);
}

static void tell_error(struct control_peer *peer, ks_rc rc)
{
    CLEANUP(json_freep) json_t *error = control_error(rc);

    /* it may not listen any more */
    IGNORE(control_peer_send(peer, error));
}

static bool is_narrow(struct control_server *s)
{
    pthread_mutex_lock(&s->mutex);
    bool is = s->is_narrow;
    pthread_mutex_unlock(&s->mutex);
    return is;
}

static ks_rc refuse_busy(struct control_server *s)
{
    return ks_fail(KS_E_BUSY, "%s",
                   is_narrow(s) ? "the volume is being unmounted"
                                : "too many conversations at once; try again");
}

/* Who asks for a lock by hand asks for the status before and after. */
static bool is_heard(struct control_server *s, const char *op)
{
    return strcmp(op, "lock") == 0 || (strcmp(op, "status") == 0 && is_narrow(s));
}

/* One request, and nothing but a lock, as long as others may ask for more. */
static void hear_lock(struct control_peer *peer)
{
    CLEANUP(control_line_done) struct control_line line = {.fd = -1};
    CLEANUP(json_freep) json_t *request = NULL;
    ks_rc rc = control_line_init(&line, peer->fd);

    if (ks_ok(rc))
        rc = control_line_read(&line, (int)peer->server->conf.only_lock_ms_max, &request);
    const char *op = json_string_value(json_object_get(request, "op"));
    if (ks_ok(rc) && op && is_heard(peer->server, op))
        rc = answer(peer, request);
    else if (ks_ok(rc) || ks_is(rc, KS_E_TIMEOUT)) /* a TIMEOUT would say that this process hangs */
        rc = refuse_busy(peer->server);
    if (!ks_ok(rc))
        tell_error(peer, rc);
}

/* converse(peer): until the peer ends it, is idle for too long, or sends garbage (which it is told). */
static void converse(struct control_peer *peer)
{
    CLEANUP(control_line_done) struct control_line line = {.fd = -1};
    ks_rc rc = control_line_init(&line, peer->fd);

    while (ks_ok(rc)) {
        CLEANUP(json_freep) json_t *request = NULL;
        rc = control_line_read(&line, CONTROL_IDLE_MS_MAX, &request);
        if (ks_ok(rc) && !request)
            return;
        if (ks_ok(rc)) {
            rc = answer(peer, request);
            continue;
        }
        tell_error(peer, rc);
    }
}

static void *peer_run(void *arg)
{
    struct control_peer *peer = arg;
    struct control_server *s = peer->server;

    if (peer->may_only_lock)
        hear_lock(peer);
    else
        converse(peer);
    pthread_mutex_lock(&s->mutex);
    close(peer->fd);
    peer->fd = -1;
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

static bool is_allowed(int fd)
{
    struct ucred who;
    socklen_t len = sizeof who;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
        return false;
    return who.uid == 0 || who.uid == geteuid();
}

/* place(s, fd): a free place for a conversation, or NULL. */
static struct control_peer *place(struct control_server *s, int fd)
{
    struct control_peer *found = NULL;

    pthread_mutex_lock(&s->mutex);
    for (int i = s->is_narrow ? CONTROL_PEERS_MAX : 0; i < PLACES && !s->is_stopping; i++)
        if (s->peers[i].fd < 0) {
            found = &s->peers[i];
            *found = (struct control_peer){
                .server = s, .fd = fd, .may_only_lock = i >= CONTROL_PEERS_MAX};
            break;
        }
    pthread_mutex_unlock(&s->mutex);
    return found;
}

static void turn_away(int fd, ks_rc rc)
{
    CLEANUP(json_freep) json_t *error = control_error(rc);

    /* a courtesy */
    IGNORE(control_line_write(fd, error));
    close(fd);
}

static void accept_one(struct control_server *s)
{
    int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return;
    if (!is_allowed(fd)) {
        turn_away(
            fd, ks_fail(KS_E_PERMISSION, "only root and the owner of the volume process may ask"));
        return;
    }
    struct control_peer *peer = place(s, fd);
    if (!peer) {
        turn_away(fd, refuse_busy(s));
        return;
    }
    if (!ks_ok(thread_start_detached(STACK_BYTES, peer_run, peer))) {
        pthread_mutex_lock(&s->mutex);
        peer->fd = -1;
        pthread_mutex_unlock(&s->mutex);
        turn_away(fd, ks_fail(KS_E_NO_MEMORY, "no thread left for a conversation"));
    }
}

static void *server_run(void *arg)
{
    struct control_server *s = arg;
    struct pollfd fds[2] = {{s->listen_fd, POLLIN, 0}, {s->stop_fd, POLLIN, 0}};

    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return NULL;
        if (fds[1].revents)
            return NULL;
        if (fds[0].revents)
            accept_one(s);
    }
}

/* The directory is ours alone; one that others may write to could have the socket replaced. */
static ks_rc make_directory(const char *socket_path)
{
    CLEANUP(mem_freep) char *dir = NULL;
    struct stat st;

    TRY(mem_text(socket_path, &dir));
    *strrchr(dir, '/') = 0;
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return ks_fail_os(errno, "cannot make the directory %s for the control socket", dir);
    if (stat(dir, &st) != 0)
        return ks_fail_os(errno, "%s", dir);
    ENSURE(
        S_ISDIR(st.st_mode) && (st.st_uid == geteuid() || st.st_uid == 0) &&
            (st.st_mode & (S_IWGRP | S_IWOTH)) == 0,
        KS_E_PERMISSION,
        "the directory %s for the control socket must belong to you and be writable by nobody else",
        dir);
    return KS_SUCCESS;
}

static ks_rc listen_on(struct control_server *s)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(s->path);

    ENSURE(len < sizeof address.sun_path && strchr(s->path, '/'), KS_E_LIMIT,
           "the path of the control socket is too long: %s", s->path);
    memcpy(address.sun_path, s->path, len);
    TRY(make_directory(s->path));
    s->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->listen_fd < 0)
        return ks_fail_os(errno, "cannot make a socket");
    unlink(s->path);
    /* The file is made with the mode of the socket. A umask would be that of every thread. */
    if (fchmod(s->listen_fd, 0600) != 0 ||
        bind(s->listen_fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(s->listen_fd, BACKLOG) != 0)
        return ks_fail_os(errno, "the control socket %s", s->path);
    return KS_SUCCESS;
}

static void server_freep(struct control_server **s)
{
    control_server_stop(*s, 0); /* not started */
}

ks_rc control_server_start(const struct control_server_conf *conf, struct control_server **ret)
{
    CLEANUP(server_freep) struct control_server *s = NULL;

    TRY(mem_new(1, sizeof *s, &s));
    s->conf = *conf;
    if (s->conf.write_ms_max == 0)
        s->conf.write_ms_max = CONTROL_WRITE_MS_MAX;
    if (s->conf.only_lock_ms_max == 0)
        s->conf.only_lock_ms_max = ONLY_LOCK_MS_MAX;
    s->listen_fd = -1;
    for (int i = 0; i < PLACES; i++)
        s->peers[i].fd = -1;
    pthread_mutex_init(&s->mutex, NULL);
    clock_cond_init(&s->cond);
    s->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (s->stop_fd < 0)
        return ks_fail_os(errno, "the control socket");
    TRY(mem_text(conf->path, &s->path));
    TRY(listen_on(s));
    int err = pthread_create(&s->thread, NULL, server_run, s);
    if (err)
        return ks_fail_os(err, "cannot start the thread of the control socket");
    s->is_started = true;
    *ret = TAKE(s);
    return KS_SUCCESS;
}

static bool has_peers(const struct control_server *s, int places)
{
    for (int i = 0; i < places; i++)
        if (s->peers[i].fd >= 0)
            return true;
    return false;
}

/* Those in the first places. Reading ends at once; an operation in progress is waited for, as it uses what is freed next.
 * With the mutex held. */
static bool end_conversations(struct control_server *s, int places, uint32_t timeout_ms)
{
    struct timespec until = clock_deadline(timeout_ms);
    int err = 0;

    for (int i = 0; i < places; i++)
        if (s->peers[i].fd >= 0)
            shutdown(s->peers[i].fd, SHUT_RD);
    while (has_peers(s, places) && err == 0)
        err = pthread_cond_timedwait(&s->cond, &s->mutex, &until);
    return !has_peers(s, places);
}

bool control_server_narrow(struct control_server *s, uint32_t timeout_ms)
{
    if (!s)
        return true;
    pthread_mutex_lock(&s->mutex);
    s->is_narrow = true;
    bool is_quiet = end_conversations(s, CONTROL_PEERS_MAX, timeout_ms);
    pthread_mutex_unlock(&s->mutex);
    return is_quiet;
}

/* Nobody is heard any more; whether nobody is at anything. */
static bool fall_silent(struct control_server *s, uint32_t timeout_ms)
{
    uint64_t one = 1;
    ssize_t n = write(s->stop_fd, &one, sizeof one);

    (void)n; /* an eventfd takes a 1 */
    pthread_join(s->thread, NULL);
    unlink(s->path);
    pthread_mutex_lock(&s->mutex);
    s->is_stopping = true;
    bool is_quiet = end_conversations(s, PLACES, timeout_ms);
    pthread_mutex_unlock(&s->mutex);
    return is_quiet;
}

bool control_server_stop(struct control_server *s, uint32_t timeout_ms)
{
    if (!s)
        return true;
    if (s->is_started && !fall_silent(s, timeout_ms))
        return false;
    if (s->listen_fd >= 0)
        close(s->listen_fd);
    if (s->stop_fd >= 0)
        close(s->stop_fd);
    pthread_cond_destroy(&s->cond);
    pthread_mutex_destroy(&s->mutex);
    mem_free(s->path);
    mem_free(s);
    return true;
}
