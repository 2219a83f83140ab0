/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/http_server.c - libmicrohttpd: listening, limits, the life of a request.
 *
 * A request is an exchange from its first line until its answer has been sent. It is touched by one server
 * thread at a time; while it waits (http_answer_later) libmicrohttpd has it suspended and only its place in the
 * list of waiting ones, under the server's mutex, is looked at by others. Bodies of both directions are wiped
 * when they are freed: they carry keys.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/http_server_int.h"

enum {
    HEAD_BYTES_PRESET = 64 * 1024,
    CONNECTIONS_PRESET = 4096,
    IDLE_SECONDS_PRESET = 60,
    REQUEST_SECONDS_PRESET = 30,
    ANSWER_SECONDS_PRESET = 300,
    LOOK_MS = 1000, /* between two looks at how late clients are */
    BACKLOG = 1024,
    STOP_MS_MAX = 10000,
};
enum { BODY_BYTES_PRESET = 1 << 20 };

/* ---- exchanges ---- */

static void buf_wipe(struct buf *b)
{
    if (b->bytes)
        mem_wipe(b->bytes, b->len);
    buf_done(b);
}

static void body_free(void *arg)
{
    struct buf *body = arg;

    buf_wipe(body);
    mem_free(body);
}

static void exchange_free(struct http_exchange *x)
{
    if (!x)
        return;
    if (x->attached_done)
        x->attached_done(x->attached);
    buf_wipe(&x->body);
    buf_wipe(&x->answer);
    buf_done(&x->raw);
    for (size_t i = 0; i < x->header_count; i++) {
        mem_free(x->headers[i].name);
        mem_free(x->headers[i].value);
    }
    mem_free(x->path);
    mem_free(x->query_decoded);
    mem_free(x);
}

/* The first that is heard of a request: its target as it was sent. What it returns comes back as *con_cls. */
static void *on_target(void *arg, const char *target, struct MHD_Connection *connection)
{
    struct http_server *s = arg;
    struct http_exchange *x = NULL;

    if (!ks_ok(mem_new(1, sizeof *x, &x)))
        return NULL;
    x->server = s;
    x->line = http_connection_of(connection);
    http_owes(x->line, s->request_ms_max);
    if (x->line)
        atomic_store(&x->line->has_asked, true);
    x->body = buf_init_wiping(s->body_bytes_max);
    x->answer = buf_init(SIZE_MAX / 4);
    x->raw = buf_init(SIZE_MAX / 4);
    if (!ks_ok(mem_text(target, &x->path))) {
        exchange_free(x);
        return NULL;
    }
    char *question = strchr(x->path, '?');
    x->query = question ? question + 1 : "";
    if (question)
        *question = 0;
    if (ks_ok(http_query_decode(x)))
        return x;
    exchange_free(x);
    return NULL;
}

static void on_end(void *arg, struct MHD_Connection *connection, void **con_cls,
                   enum MHD_RequestTerminationCode code)
{
    struct http_server *s = arg;
    struct http_exchange *x = *con_cls;

    (void)connection;
    (void)code;
    *con_cls = NULL;
    if (x) /* the next request may come at once or late, but not for ever */
        http_owes(x->line, s->idle_seconds_max * UINT64_C(1000) + s->request_ms_max);
    if (x && x->is_counted) {
        pthread_mutex_lock(&s->mutex);
        if (--s->active == 0 && s->is_stopping) /* nobody else waits for that */
            pthread_cond_broadcast(&s->changed);
        pthread_mutex_unlock(&s->mutex);
    }
    exchange_free(x);
}

/* ---- answering ---- */

/* The response outlives the exchange: it gets a body of its own. */
static struct MHD_Response *make_response(struct http_exchange *x)
{
    struct buf *body;

    if (!ks_ok(mem_new(1, sizeof *body, &body)))
        return NULL;
    *body = x->answer;
    x->answer = buf_init(0);
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        body->len, body->bytes, body_free, body);
    if (!response)
        body_free(body);
    return response;
}

static enum MHD_Result send_answer(struct http_exchange *x)
{
    struct MHD_Response *response = make_response(x);
    enum MHD_Result result = MHD_YES;

    if (!response)
        return MHD_NO;
    http_owes(x->line, x->server->answer_ms_max);
    for (size_t i = 0; i < x->header_count && result == MHD_YES; i++)
        result = MHD_add_response_header(response, x->headers[i].name, x->headers[i].value);
    if (result == MHD_YES)
        result = MHD_queue_response(x->connection, (unsigned)x->status, response);
    MHD_destroy_response(response);
    return result;
}

/* MHD_NO makes libmicrohttpd close the connection. */
static enum MHD_Result hang_up(struct http_exchange *x)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

    if (!info)
        return MHD_NO;
    if (x->raw.len > 0)
        http_send_raw(x, info->connect_fd);
    else /* the client sees a reset; should that fail, it sees an end */
        (void)connect(info->connect_fd, &nowhere, sizeof nowhere);
    return MHD_NO;
}

/* By the time they are due. Nearly all wait for the same while, so that their place is at the end or near it. */
static void queue_put(struct http_queue *q, struct http_exchange *x)
{
    struct http_exchange *before = x->due_ms == 0 ? NULL : q->last;

    while (before && before->due_ms > x->due_ms)
        before = before->before;
    x->before = before;
    x->after = before ? before->after : q->first;
    *(x->before ? &x->before->after : &q->first) = x;
    *(x->after ? &x->after->before : &q->last) = x;
    x->is_waiting = true;
}

static void queue_take(struct http_queue *q, struct http_exchange *x)
{
    *(x->before ? &x->before->after : &q->first) = x->after;
    *(x->after ? &x->after->before : &q->last) = x->before;
    x->is_waiting = false;
}

/* From here on the timer may have it called again; x is not touched any more. */
static enum MHD_Result put_off(struct http_exchange *x)
{
    struct http_server *s = x->server;

    MHD_suspend_connection(x->connection);
    pthread_mutex_lock(&s->mutex);
    if (x->is_woken || s->is_stopping)
        x->due_ms = 0;
    queue_put(&s->waiting, x);
    if (s->waiting.first == x) /* the timer sleeps for longer than that */
        pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
    return MHD_YES;
}

static enum MHD_Result conclude(struct http_exchange *x)
{
    switch (x->outcome) {
    case HTTP_ANSWERED:
        return send_answer(x);
    case HTTP_PUT_OFF:
        return put_off(x);
    case HTTP_UNDECIDED: /* a handler that forgot to answer */
    case HTTP_HUNG_UP:
        break;
    }
    return hang_up(x);
}

/* Whether it is still taken, and counted from now on until its answer has left. Its client has done its part. */
static bool admit(struct http_exchange *x)
{
    struct http_server *s = x->server;

    http_owes(x->line, 0);
    pthread_mutex_lock(&s->mutex);
    x->is_counted = !s->is_stopping;
    s->active += x->is_counted;
    pthread_mutex_unlock(&s->mutex);
    return x->is_counted;
}

static bool is_stopping(struct http_server *s)
{
    pthread_mutex_lock(&s->mutex);
    bool is = s->is_stopping;
    pthread_mutex_unlock(&s->mutex);
    return is;
}

/* What woke it so far is about what it will look at now. */
static void forget_wake(struct http_exchange *x)
{
    pthread_mutex_lock(&x->server->mutex);
    x->is_woken = false;
    pthread_mutex_unlock(&x->server->mutex);
}

static void refuse_length(struct http_exchange *x)
{
    if (x->server->too_large)
        x->server->too_large(x->server->arg, x);
    else
        http_answer(x, MHD_HTTP_CONTENT_TOO_LARGE, NULL, view_text(""));
}

static enum MHD_Result answer_whole(struct http_exchange *x)
{
    struct http_server *s = x->server;

    if (x->outcome == HTTP_ANSWERED)
        return MHD_YES;
    if (x->outcome == HTTP_PUT_OFF) {
        x->outcome = HTTP_UNDECIDED;
        forget_wake(x);
        x->again(x->again_arg, x, is_stopping(s));
        return conclude(x);
    }
    if (!admit(x))
        return MHD_NO;
    if (x->is_too_long)
        refuse_length(x);
    else
        s->handle(s->arg, x);
    return conclude(x);
}

/* ---- reading ---- */

static bool is_announced_too_long(const struct http_exchange *x)
{
    const char *text = http_header(x, "content-length");
    char *end;

    if (!text)
        return false;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    return errno != 0 || n > x->server->body_bytes_max;
}

/* The status of what is refused before its body is read; 0: nothing. */
static int early_refusal(const struct http_exchange *x)
{
    if (x->server->tls_ca && http_peer_certificate(x).len == 0)
        return MHD_HTTP_FORBIDDEN;
    return is_announced_too_long(x) ? MHD_HTTP_CONTENT_TOO_LARGE : 0;
}

static enum MHD_Result begin(struct http_exchange *x, struct MHD_Connection *connection,
                             const char *method)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    x->connection = connection;
    x->method = method;
    if (info) {
        http_peer_write(info->client_addr, x->peer);
        http_network_write(info->client_addr, x->network);
    }
    int status = early_refusal(x);
    if (status == 0)
        return MHD_YES;
    if (!admit(x))
        return MHD_NO;
    if (status == MHD_HTTP_CONTENT_TOO_LARGE)
        refuse_length(x);
    else
        http_answer(x, status, NULL, view_text(""));
    return conclude(x);
}

/* A body of unknown length that is too long is read on for as much again, then cut off. */
static enum MHD_Result take_part(struct http_exchange *x, const char *bytes, size_t len)
{
    x->received_bytes += len;
    if (x->received_bytes <= x->server->body_bytes_max)
        return ks_ok(buf_append(&x->body, view_of(bytes, len))) ? MHD_YES : MHD_NO;
    x->is_too_long = true;
    return x->received_bytes <= 2 * x->server->body_bytes_max ? MHD_YES : MHD_NO;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload_data,
                                  size_t *upload_data_size, void **con_cls)
{
    struct http_exchange *x = *con_cls;

    (void)arg;
    (void)url;
    (void)version;
    if (!x)
        return MHD_NO;
    if (!x->connection)
        return begin(x, connection, method);
    if (*upload_data_size > 0) {
        size_t len = *upload_data_size;
        *upload_data_size = 0;
        return take_part(x, upload_data, len);
    }
    return answer_whole(x);
}

/* ---- those that wait ---- */

/* Takes one whose time has come off the list; *ret_due is the earliest of the others otherwise. */
static struct http_exchange *take_due(struct http_server *s, uint64_t now, uint64_t *ret_due)
{
    struct http_exchange *x = s->waiting.first;

    *ret_due = x ? x->due_ms : UINT64_MAX;
    if (!x || x->due_ms > now)
        return NULL;
    queue_take(&s->waiting, x);
    return x;
}

static void sleep_until(struct http_server *s, uint64_t now, uint64_t due)
{
    if (due == UINT64_MAX) {
        pthread_cond_wait(&s->changed, &s->mutex);
        return;
    }
    struct timespec until = clock_deadline(due - now);
    pthread_cond_timedwait(&s->changed, &s->mutex, &until);
}

static void *timer_main(void *arg)
{
    struct http_server *s = arg;
    uint64_t due, look_ms = 0;

    pthread_mutex_lock(&s->mutex);
    while (!s->is_timer_ending) {
        uint64_t now = clock_boot_ms(clock_system());
        if (now >= look_ms) {
            http_cut_late(s, now);
            look_ms = now + LOOK_MS;
        }
        struct http_exchange *x = take_due(s, now, &due);
        if (s->connections.count > 0 && due > look_ms)
            due = look_ms;
        if (x) { /* out of the mutex: libmicrohttpd takes one of its own */
            pthread_mutex_unlock(&s->mutex);
            MHD_resume_connection(x->connection);
            pthread_mutex_lock(&s->mutex);
        } else {
            sleep_until(s, now, due);
        }
    }
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

void http_wake(struct http_exchange *x)
{
    struct http_server *s = x->server;

    pthread_mutex_lock(&s->mutex);
    x->is_woken = true;
    if (x->is_waiting && x->due_ms > 0) {
        queue_take(&s->waiting, x);
        x->due_ms = 0;
        queue_put(&s->waiting, x);
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->mutex);
}

/* ---- start and stop ---- */

static ks_rc make_address(const struct http_server_conf *conf, struct sockaddr_storage *ret,
                          socklen_t *ret_len)
{
    struct sockaddr_in *v4 = (void *)ret;
    struct sockaddr_in6 *v6 = (void *)ret;

    memset(ret, 0, sizeof *ret);
    if (inet_pton(AF_INET, conf->address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(conf->port);
        *ret_len = sizeof *v4;
        return KS_SUCCESS;
    }
    ENSURE(inet_pton(AF_INET6, conf->address, &v6->sin6_addr) == 1, KS_E_USAGE,
           "\"%.60s\" is no numeric address", conf->address);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(conf->port);
    *ret_len = sizeof *v6;
    return KS_SUCCESS;
}

static ks_rc bind_socket(struct http_server *s, const struct http_server_conf *conf)
{
    struct sockaddr_storage address;
    socklen_t len;
    int yes = 1;

    TRY(make_address(conf, &address, &len));
    s->fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0)
        return ks_fail_os(errno, "a socket");
    if (setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(s->fd, (struct sockaddr *)&address, len) != 0 || listen(s->fd, BACKLOG) != 0 ||
        getsockname(s->fd, (struct sockaddr *)&address, &len) != 0)
        return ks_fail_os(errno, "listening on %s port %u", conf->address, conf->port);
    struct sockaddr_in *v4 = (void *)&address; /* the port of both kinds is in the same place */
    s->port = ntohs(v4->sin_port);
    return KS_SUCCESS;
}

static ks_rc start_daemon(struct http_server *s, const struct http_server_conf *conf)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned threads = conf->threads ? conf->threads : (unsigned)(processors > 1 ? processors : 1);
    unsigned connections = (unsigned)s->connections_max;
    size_t head = conf->head_bytes_max ? conf->head_bytes_max : HEAD_BYTES_PRESET;
    struct MHD_OptionItem tls[HTTP_TLS_OPTIONS] = {{MHD_OPTION_END, 0, NULL}};

    if (http_is_tls_wanted(conf)) {
        TRY(http_tls_load(s, conf, tls));
        flags |= MHD_USE_TLS;
    }
    s->daemon = MHD_start_daemon(
        flags, 0, http_on_accept, s, on_request, s, MHD_OPTION_LISTEN_SOCKET, s->fd,
        MHD_OPTION_THREAD_POOL_SIZE, threads, MHD_OPTION_CONNECTION_LIMIT,
        connections < threads ? threads : connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        conf->connections_per_client_max, MHD_OPTION_CONNECTION_TIMEOUT, s->idle_seconds_max,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, head, MHD_OPTION_URI_LOG_CALLBACK, on_target, s,
        MHD_OPTION_NOTIFY_COMPLETED, on_end, s, MHD_OPTION_NOTIFY_CONNECTION, http_on_connection, s,
        MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
    ENSURE(s->daemon, KS_E_NO_MEMORY, "the HTTP server cannot start%s",
           http_is_tls_wanted(conf) ? "; are certificate and key a pair in PEM?" : "");
    s->fd = -1; /* the daemon's now */
    return KS_SUCCESS;
}

static void server_free(struct http_server *s)
{
    if (s->fd >= 0)
        close(s->fd);
    http_tls_done(s);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->mutex);
    mem_free(s);
}

static ks_rc start(struct http_server *s, const struct http_server_conf *conf)
{
    TRY(bind_socket(s, conf));
    int err = pthread_create(&s->timer, NULL, timer_main, s);
    if (err != 0)
        return ks_fail_os(err, "a thread");
    s->has_timer = true;
    return start_daemon(s, conf);
}

static uint32_t or_preset(uint32_t wanted, uint32_t preset)
{
    return wanted ? wanted : preset;
}

static void take_conf(struct http_server *s, const struct http_server_conf *conf)
{
    s->handle = conf->handle;
    s->too_large = conf->too_large;
    s->admit = conf->admit;
    s->arg = conf->arg;
    s->body_bytes_max = conf->body_bytes_max ? conf->body_bytes_max : BODY_BYTES_PRESET;
    s->connections_max = or_preset(conf->connections_max, CONNECTIONS_PRESET);
    s->idle_seconds_max = or_preset(conf->idle_seconds_max, IDLE_SECONDS_PRESET);
    s->request_ms_max =
        or_preset(conf->request_seconds_max, REQUEST_SECONDS_PRESET) * UINT64_C(1000);
    s->answer_ms_max = or_preset(conf->answer_seconds_max, ANSWER_SECONDS_PRESET) * UINT64_C(1000);
}

ks_rc http_server_start(const struct http_server_conf *conf, struct http_server **ret)
{
    struct http_server *s;

    TRY(mem_new(1, sizeof *s, &s));
    s->fd = -1;
    take_conf(s, conf);
    pthread_mutex_init(&s->mutex, NULL);
    clock_cond_init(&s->changed);
    ks_rc rc = start(s, conf);
    if (!ks_ok(rc)) {
        http_server_stop(s);
        return rc;
    }
    *ret = s;
    return KS_SUCCESS;
}

uint16_t http_server_port(const struct http_server *s)
{
    return s->port;
}

/* A client that does not read its answer is waited for only so long. */
static void drain(struct http_server *s)
{
    struct timespec until = clock_deadline(STOP_MS_MAX);
    int err = 0;

    pthread_mutex_lock(&s->mutex);
    s->is_stopping = true;
    for (struct http_exchange *x = s->waiting.first; x; x = x->after)
        x->due_ms = 0;
    pthread_cond_broadcast(&s->changed);
    while (s->waiting.first || (s->active > 0 && err != ETIMEDOUT))
        err = pthread_cond_timedwait(&s->changed, &s->mutex, &until);
    s->is_timer_ending = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

void http_server_stop(struct http_server *s)
{
    if (!s)
        return;
    /* Not quiesced first: the workers of libmicrohttpd may take the socket out of their epoll sets at the same moment as
     * the one who quiesces, and end the process over it. What comes in meanwhile is not admitted. */
    drain(s);
    if (s->has_timer)
        pthread_join(s->timer, NULL);
    if (s->daemon)
        MHD_stop_daemon(s->daemon);
    server_free(s);
}
