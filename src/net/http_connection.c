/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/http_connection.c - the connections of an HTTP server: what each owes by when, and who makes room when they get scarce.
 *
 * libmicrohttpd ends a connection on which nothing comes for a while. A client that sends a byte now and then would keep one for ever:
 * so each has a time by which its handshake and request, or its reading of the answer, must be over; it has none while its
 * request is being answered. When nearly all connections are taken, or too many have not asked for anything yet, the
 * network with the most of them (an IPv4 address, a /64 of IPv6) loses its oldest one for each that comes.
 *
 * Invariant: a connection is in the list, under the server's mutex, from before its handshake until libmicrohttpd is about to close its
 * socket: what is shut down here is never somebody else's socket.
 */
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/http_server_int.h"

enum { NETWORKS = 1024 }; /* those that meet in a slot count as one */

void http_owes(struct http_connection *c, uint64_t ms)
{
    if (c)
        atomic_store(&c->due_ms, ms ? clock_boot_ms(clock_system()) + ms : 0);
}

uint64_t http_network_of(const struct sockaddr *address)
{
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;
    uint32_t host;
    uint64_t network;

    if (address->sa_family == AF_INET)
        return UINT64_C(1) << 32 | v4->sin_addr.s_addr;
    memcpy(&host, v6->sin6_addr.s6_addr + 12, sizeof host);
    memcpy(&network, v6->sin6_addr.s6_addr, sizeof network);
    return IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) ? UINT64_C(1) << 32 | host : network;
}

/* -- ending; with the mutex held -- */

/* libmicrohttpd sees an end of what it reads, and closes. */
static void cut(struct http_connection *c)
{
    c->is_cut = true;
    shutdown(c->fd, SHUT_RDWR);
}

void http_cut_late(struct http_server *s, uint64_t now_ms)
{
    for (struct http_connection *c = s->connections.first; c; c = c->after) {
        uint64_t due = atomic_load(&c->due_ms);
        if (!c->is_cut && due > 0 && due <= now_ms)
            cut(c);
    }
}

static size_t slot_of(const struct http_connection *c)
{
    return (c->network * UINT64_C(0x9e3779b97f4a7c15)) >> 54;
}

/* Those that may be cut: they wait for their client, or it has not asked for anything at all. */
static bool is_idle(const struct http_connection *c, bool is_new_only)
{
    if (c->is_cut || (is_new_only && atomic_load(&c->has_asked)))
        return false;
    return atomic_load(&c->due_ms) > 0;
}

static void cut_one(struct http_server *s, bool is_new_only)
{
    uint32_t counts[NETWORKS] = {0};
    size_t most = 0;

    for (const struct http_connection *c = s->connections.first; c; c = c->after)
        if (is_idle(c, is_new_only) && ++counts[slot_of(c)] > counts[most])
            most = slot_of(c);
    for (struct http_connection *c = s->connections.first; c; c = c->after)
        if (is_idle(c, is_new_only) && slot_of(c) == most) {
            cut(c);
            return;
        }
}

static size_t count_new(const struct http_server *s)
{
    size_t count = 0;

    for (const struct http_connection *c = s->connections.first; c; c = c->after)
        count += !c->is_cut && !atomic_load(&c->has_asked);
    return count;
}

static void make_room(struct http_server *s)
{
    size_t many = s->connections_max - s->connections_max / 8, few = s->connections_max / 4;

    if (s->connections.count > few && count_new(s) > few)
        cut_one(s, true);
    else if (s->connections.count > many)
        cut_one(s, false);
}

/* -- beginning and end -- */

static void begin(struct http_server *s, struct http_connection *c)
{
    pthread_mutex_lock(&s->mutex);
    c->before = s->connections.last;
    *(c->before ? &c->before->after : &s->connections.first) = c;
    s->connections.last = c;
    if (s->connections.count++ == 0) /* the timer sleeps until there is one */
        pthread_cond_broadcast(&s->changed);
    make_room(s);
    pthread_mutex_unlock(&s->mutex);
}

static void end(struct http_server *s, struct http_connection *c)
{
    pthread_mutex_lock(&s->mutex);
    *(c->before ? &c->before->after : &s->connections.first) = c->after;
    *(c->after ? &c->after->before : &s->connections.last) = c->before;
    s->connections.count--;
    pthread_mutex_unlock(&s->mutex);
    mem_free(c);
}

struct http_connection *http_connection_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

static struct http_connection *make(struct http_server *s, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *address =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct http_connection *c = NULL;

    if (!fd || !address || !ks_ok(mem_new(1, sizeof *c, &c)))
        return NULL;
    c->server = s;
    c->fd = fd->connect_fd;
    c->network = http_network_of(address->client_addr);
    http_owes(c, s->request_ms_max);
    return c;
}

void http_on_connection(void *arg, struct MHD_Connection *connection, void **context,
                        enum MHD_ConnectionNotificationCode code)
{
    struct http_server *s = arg;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*context)
            end(s, *context);
        *context = NULL;
        return;
    }
    struct http_connection *c = make(s, connection);
    *context = c; /* NULL without memory: there will be no handshake, or no limit on its time */
    http_tls_begin(connection, c);
    if (c)
        begin(s, c);
}

enum MHD_Result http_on_accept(void *arg, const struct sockaddr *address, socklen_t len)
{
    struct http_server *s = arg;
    char network[INET6_ADDRSTRLEN + 4];

    (void)len;
    if (!s->admit)
        return MHD_YES;
    http_network_write(address, network);
    return s->admit(s->arg, network) ? MHD_YES : MHD_NO;
}
