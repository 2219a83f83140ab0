/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/wire_server.c - a thread that accepts, and one for each connection.
 *
 * All that the threads share is under one mutex; a reply is taken out of the script under it and sent without.
 */
#include "wire_server.h"

#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "wire_tls.h"

enum {
    REQUESTS_MAX = 4096,
    REPLIES_MAX = 512,
    CONNECTIONS_MAX = 1024,
    REQUEST_BYTES_MAX = 4 << 20
};

struct kept_request {
    struct wire_request request;
    struct buf bytes;
};

struct connection {
    struct wire_server *server;
    pthread_t thread;
    int fd; /* -1 once closed */
    SSL *ssl;
};

struct wire_server {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    SSL_CTX *tls;
    int listener;
    unsigned port;
    char url[64], certificate[4096];
    pthread_t thread;
    bool is_stopping;
    unsigned releases;
    struct wire_reply script[REPLIES_MAX];
    size_t script_at, script_count;
    struct kept_request *requests[REQUESTS_MAX];
    size_t request_count;
    struct connection connections[CONNECTIONS_MAX];
    size_t connection_count;
};

static void must(bool is_true)
{
    if (!is_true)
        abort();
}

static ssize_t receive(struct connection *c, void *room, size_t len)
{
    return c->ssl ? SSL_read(c->ssl, room, (int)len) : recv(c->fd, room, len, 0);
}

static bool send_all(struct connection *c, struct view v)
{
    for (size_t sent = 0; sent < v.len;) {
        ssize_t n = c->ssl ? SSL_write(c->ssl, v.bytes + sent, (int)(v.len - sent))
                           : send(c->fd, v.bytes + sent, v.len - sent, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        sent += (size_t)n;
    }
    return true;
}

static size_t content_length(const char *head)
{
    for (const char *line = head; (line = strchr(line, '\n'));) {
        line++;
        if (strncasecmp(line, "content-length:", 15) == 0)
            return (size_t)strtoul(line + 15, NULL, 10);
    }
    return 0;
}

/* More bytes into b; false when the peer is gone. */
static bool receive_more(struct connection *c, struct buf *b)
{
    char bytes[16384];
    ssize_t n = receive(c, bytes, sizeof bytes);

    return n > 0 && ks_ok(buf_append(b, view_of(bytes, (size_t)n)));
}

/* A whole request from the connection; head_len without the empty line. */
static bool read_request(struct connection *c, struct buf *b, size_t *head_len)
{
    const char *end;

    while (!(end = b->len ? strstr(buf_text(b), "\r\n\r\n") : NULL))
        if (!receive_more(c, b))
            return false;
    *head_len = (size_t)(end - buf_text(b)) + 2;
    size_t whole = *head_len + 2 + content_length(buf_text(b));
    while (b->len < whole)
        if (!receive_more(c, b))
            return false;
    return true;
}

/* Splits the bytes where they are: the head ends in NUL, its first line gives method and target. */
static struct kept_request *keep_request(struct buf *bytes, size_t head_len)
{
    struct kept_request *k;
    char *method, *rest;

    must(ks_ok(mem_new(1, sizeof *k, &k)));
    k->bytes = *bytes;
    *bytes = buf_init(REQUEST_BYTES_MAX);
    k->bytes.bytes[head_len] = 0;
    k->request.head = buf_text(&k->bytes);
    k->request.body = view_of(k->bytes.bytes + head_len + 2, k->bytes.len - head_len - 2);
    must(ks_ok(mem_text(k->request.head, &method)));
    rest = strchr(method, ' ');
    must(rest && strchr(rest + 1, ' '));
    *rest = 0;
    *strchr(rest + 1, ' ') = 0;
    k->request.method = method;
    k->request.target = rest + 1;
    return k;
}

static void free_request(struct kept_request *k)
{
    char *method;

    memcpy(&method, &k->request.method, sizeof method); /* it is ours */
    mem_free(method);
    buf_done(&k->bytes);
    mem_free(k);
}

static struct wire_reply copy_reply(const struct wire_reply *r)
{
    struct wire_reply copy = *r;
    void *bytes;

    must(ks_ok(mem_new(r->bytes.len, 1, &bytes)));
    if (r->bytes.len)
        memcpy(bytes, r->bytes.bytes, r->bytes.len);
    copy.bytes.bytes = bytes;
    return copy;
}

static void free_reply(struct wire_reply *r)
{
    void *bytes;

    memcpy(&bytes, &r->bytes.bytes, sizeof bytes); /* copy_reply made it */
    mem_free(bytes);
}

/* Keeps the request and takes the reply to it, which the caller frees. A release counts from the moment that others
 * can see the request. */
static struct wire_reply next_reply(struct wire_server *s, struct kept_request *k,
                                    unsigned *ret_releases)
{
    static const char none[] = "HTTP/1.1 500 No script\r\nContent-Length: 9\r\n\r\nno script";
    struct wire_reply reply = {view_text(none), WIRE_KEEP, true};

    pthread_mutex_lock(&s->mutex);
    must(s->request_count < REQUESTS_MAX);
    s->requests[s->request_count++] = k;
    *ret_releases = s->releases;
    if (s->script_at < s->script_count)
        reply = s->script[s->script_at];
    struct wire_reply copy = copy_reply(&reply);
    if (!reply.is_repeating)
        free_reply(&s->script[s->script_at++]);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
    return copy;
}

static void hang(struct wire_server *s, unsigned releases)
{
    pthread_mutex_lock(&s->mutex);
    while (!s->is_stopping && s->releases == releases)
        pthread_cond_wait(&s->changed, &s->mutex);
    pthread_mutex_unlock(&s->mutex);
}

/* Answers one request; whether the connection goes on. */
static bool answer(struct connection *c, struct kept_request *k)
{
    struct linger at_once = {1, 0};
    unsigned releases;
    struct wire_reply reply = next_reply(c->server, k, &releases);
    bool is_sent = send_all(c, reply.bytes);

    switch (reply.end) {
    case WIRE_KEEP:
    case WIRE_CLOSE:
        break;
    case WIRE_RESET:
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        break;
    case WIRE_HANG:
        hang(c->server, releases);
        break;
    }
    free_reply(&reply);
    return is_sent && reply.end == WIRE_KEEP;
}

static void connection_close(struct connection *c)
{
    pthread_mutex_lock(&c->server->mutex);
    close(c->fd);
    c->fd = -1;
    pthread_mutex_unlock(&c->server->mutex);
    SSL_free(c->ssl);
}

static void *serve(void *arg)
{
    struct connection *c = arg;
    CLEANUP(buf_done) struct buf bytes = buf_init(REQUEST_BYTES_MAX);
    size_t head_len;
    bool is_on = true;

    if (c->server->tls) {
        c->ssl = SSL_new(c->server->tls);
        must(c->ssl && SSL_set_fd(c->ssl, c->fd));
        is_on = SSL_accept(c->ssl) == 1;
    }
    while (is_on && read_request(c, &bytes, &head_len))
        is_on = answer(c, keep_request(&bytes, head_len));
    connection_close(c);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct wire_server *s = arg;
    int fd;

    while ((fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        pthread_mutex_lock(&s->mutex);
        must(s->connection_count < CONNECTIONS_MAX);
        struct connection *c = &s->connections[s->connection_count++];
        c->server = s;
        c->fd = fd;
        must(pthread_create(&c->thread, NULL, serve, c) == 0);
        pthread_mutex_unlock(&s->mutex);
    }
    return NULL;
}

static void start_listening(struct wire_server *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;

    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(s->listener >= 0 &&
         bind(s->listener, (struct sockaddr *)(void *)&address, sizeof address) == 0 &&
         listen(s->listener, 64) == 0 &&
         getsockname(s->listener, (struct sockaddr *)(void *)&address, &len) == 0);
    s->port = ntohs(address.sin_port);
    snprintf(s->url, sizeof s->url, "%s:%u", s->tls ? "https://localhost" : "http://127.0.0.1",
             s->port);
}

ks_rc wire_server_start(const struct wire_server_conf *conf, struct wire_server **ret)
{
    struct wire_server *s;

    TRY(mem_new(1, sizeof *s, &s));
    signal(SIGPIPE, SIG_IGN); /* SSL_write has no MSG_NOSIGNAL */
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->changed, NULL);
    if (conf && conf->is_tls)
        s->tls = wire_tls_new(s->certificate, sizeof s->certificate);
    start_listening(s);
    must(pthread_create(&s->thread, NULL, accept_all, s) == 0);
    *ret = s;
    return KS_SUCCESS;
}

static void end_connections(struct wire_server *s)
{
    pthread_mutex_lock(&s->mutex);
    s->is_stopping = true;
    pthread_cond_broadcast(&s->changed);
    for (size_t i = 0; i < s->connection_count; i++)
        if (s->connections[i].fd >= 0)
            shutdown(s->connections[i].fd, SHUT_RDWR);
    pthread_mutex_unlock(&s->mutex);
    for (size_t i = 0; i < s->connection_count; i++)
        pthread_join(s->connections[i].thread, NULL);
}

void wire_server_stop(struct wire_server *s)
{
    if (!s)
        return;
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
    end_connections(s);
    wire_server_forget(s);
    SSL_CTX_free(s->tls);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->mutex);
    mem_free(s);
}

void wire_server_stopp(struct wire_server **s)
{
    wire_server_stop(*s);
}

const char *wire_server_url(const struct wire_server *s)
{
    return s->url;
}

unsigned wire_server_port(const struct wire_server *s)
{
    return s->port;
}

const char *wire_server_certificate(const struct wire_server *s)
{
    return s->certificate;
}

void wire_server_push(struct wire_server *s, const struct wire_reply *reply)
{
    pthread_mutex_lock(&s->mutex);
    must(s->script_count < REPLIES_MAX);
    s->script[s->script_count++] = copy_reply(reply);
    pthread_mutex_unlock(&s->mutex);
}

void wire_server_answer(struct wire_server *s, int status, const char *headers, const char *body)
{
    CLEANUP(buf_done) struct buf text = buf_init(REQUEST_BYTES_MAX);
    struct wire_reply reply = {.end = WIRE_KEEP};

    must(ks_ok(buf_printf(&text, "HTTP/1.1 %d Scripted\r\n%sContent-Length: %zu\r\n\r\n%s", status,
                          headers, strlen(body), body)));
    reply.bytes = buf_view(&text);
    wire_server_push(s, &reply);
}

void wire_server_forget(struct wire_server *s)
{
    pthread_mutex_lock(&s->mutex);
    while (s->script_at < s->script_count)
        free_reply(&s->script[s->script_at++]);
    s->script_at = s->script_count = 0;
    while (s->request_count > 0)
        free_request(s->requests[--s->request_count]);
    pthread_mutex_unlock(&s->mutex);
}

void wire_server_release(struct wire_server *s)
{
    pthread_mutex_lock(&s->mutex);
    s->releases++;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

size_t wire_server_count(struct wire_server *s)
{
    pthread_mutex_lock(&s->mutex);
    size_t count = s->request_count;
    pthread_mutex_unlock(&s->mutex);
    return count;
}

void wire_server_wait(struct wire_server *s, size_t n)
{
    pthread_mutex_lock(&s->mutex);
    while (s->request_count < n)
        pthread_cond_wait(&s->changed, &s->mutex);
    pthread_mutex_unlock(&s->mutex);
}

const struct wire_request *wire_server_request(struct wire_server *s, size_t i)
{
    pthread_mutex_lock(&s->mutex);
    must(i < s->request_count);
    const struct wire_request *r = &s->requests[i]->request;
    pthread_mutex_unlock(&s->mutex);
    return r;
}

size_t wire_server_connections(struct wire_server *s)
{
    pthread_mutex_lock(&s->mutex);
    size_t count = s->connection_count;
    pthread_mutex_unlock(&s->mutex);
    return count;
}

bool wire_request_header(const struct wire_request *r, const char *name, char *room, size_t len)
{
    size_t name_len = strlen(name);

    room[0] = 0;
    for (const char *line = r->head; (line = strchr(line, '\n'));) {
        line++;
        if (strncasecmp(line, name, name_len) != 0 || line[name_len] != ':')
            continue;
        line += name_len + 1;
        line += strspn(line, " \t");
        snprintf(room, len, "%.*s", (int)strcspn(line, "\r\n"), line);
        return true;
    }
    return false;
}
