/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/http_exchange.c - what a handler sees of a request, and the answer it builds up.
 */
#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/http_server_int.h"

const char *http_method(const struct http_exchange *x)
{
    return x->method;
}

const char *http_path(const struct http_exchange *x)
{
    return x->path;
}

const char *http_query_text(const struct http_exchange *x)
{
    return x->query;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes one part of a query up to an end character; what follows a NUL in it is cut off. Returns the end. */
static const char *decode(const char *from, const char *ends, char *out)
{
    while (*from && !strchr(ends, *from)) {
        bool is_escape = from[0] == '%' && hex_digit(from[1]) >= 0 && hex_digit(from[2]) >= 0;
        *out++ = is_escape      ? (char)(hex_digit(from[1]) << 4 | hex_digit(from[2]))
                 : *from == '+' ? ' '
                                : *from;
        from += is_escape ? 3 : 1;
    }
    *out = 0;
    return from;
}

ks_rc http_query_decode(struct http_exchange *x)
{
    /* name NUL value NUL name NUL value NUL ... NUL; names that are empty are left out */
    TRY(mem_new(2 * strlen(x->query) + 4, 1, &x->query_decoded));
    char *out = x->query_decoded;
    for (const char *at = x->query; *at; at += *at == '&') {
        char *name = out;
        at = decode(at, "=&", name);
        char *value = name + strlen(name) + 1;
        if (*at == '=')
            at = decode(at + 1, "&", value);
        else
            *value = 0;
        out = *name ? value + strlen(value) + 1 : name;
    }
    *out = 0;
    return KS_SUCCESS;
}

const char *http_query(const struct http_exchange *x, const char *name)
{
    for (const char *at = x->query_decoded; *at;) {
        const char *value = at + strlen(at) + 1;
        if (strcmp(at, name) == 0)
            return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

const char *http_header(const struct http_exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

struct each_header {
    void (*each)(void *arg, const char *name, const char *value);
    void *arg;
};

static enum MHD_Result on_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    struct each_header *to = arg;

    (void)kind;
    to->each(to->arg, name, value ? value : "");
    return MHD_YES;
}

void http_header_each(const struct http_exchange *x,
                      void (*each)(void *arg, const char *name, const char *value), void *arg)
{
    struct each_header to = {each, arg};

    MHD_get_connection_values(x->connection, MHD_HEADER_KIND, on_header, &to);
}

struct view http_body(const struct http_exchange *x)
{
    return buf_view(&x->body);
}

/* An IPv4 client of an IPv6 socket is shown as what it is. */
void http_peer_write(const struct sockaddr *address, char out[INET6_ADDRSTRLEN])
{
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;

    if (address->sa_family == AF_INET)
        inet_ntop(AF_INET, &v4->sin_addr, out, INET6_ADDRSTRLEN);
    else if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
        inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, out, INET6_ADDRSTRLEN);
    else
        inet_ntop(AF_INET6, &v6->sin6_addr, out, INET6_ADDRSTRLEN);
}

void http_network_write(const struct sockaddr *address, char out[INET6_ADDRSTRLEN + 4])
{
    const struct sockaddr_in6 *v6 = (const void *)address;
    struct in6_addr half = {0};

    http_peer_write(address, out);
    if (address->sa_family == AF_INET || IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
        return;
    memcpy(half.s6_addr, v6->sin6_addr.s6_addr, sizeof half.s6_addr / 2);
    inet_ntop(AF_INET6, &half, out, INET6_ADDRSTRLEN);
    memcpy(out + strlen(out), "/64", sizeof "/64");
}

const char *http_peer_network(const struct http_exchange *x)
{
    return x->network;
}

const char *http_peer(const struct http_exchange *x)
{
    return x->peer;
}

/* ---- the answer ---- */

ks_rc http_answer_header(struct http_exchange *x, const char *name, const char *value)
{
    assert(!strpbrk(name, "\r\n:") && !strpbrk(value, "\r\n"));
    CLEANUP(mem_freep) char *own_name = NULL, *own_value = NULL;

    ENSURE(x->header_count < HTTP_ANSWER_HEADERS_MAX, KS_E_LIMIT, "more than %d headers",
           HTTP_ANSWER_HEADERS_MAX);
    TRY(mem_text(name, &own_name));
    TRY(mem_text(value, &own_value));
    x->headers[x->header_count].name = TAKE(own_name);
    x->headers[x->header_count].value = TAKE(own_value);
    x->header_count++;
    return KS_SUCCESS;
}

void http_answer(struct http_exchange *x, int status, const char *content_type, struct view body)
{
    assert(x->outcome == HTTP_UNDECIDED);
    bool is_complete = ks_ok(buf_append(&x->answer, body));

    if (is_complete && content_type)
        is_complete = ks_ok(http_answer_header(x, MHD_HTTP_HEADER_CONTENT_TYPE, content_type));
    x->status = status;
    x->outcome = is_complete ? HTTP_ANSWERED : HTTP_HUNG_UP;
}

void http_answer_later(struct http_exchange *x, uint64_t delay_ms,
                       void (*again)(void *arg, struct http_exchange *x, bool is_stopping),
                       void *arg)
{
    assert(x->outcome == HTTP_UNDECIDED);
    x->due_ms = clock_boot_ms(clock_system()) + delay_ms;
    x->again = again;
    x->again_arg = arg;
    x->outcome = HTTP_PUT_OFF;
}

void http_attach(struct http_exchange *x, void *arg, void (*done)(void *arg))
{
    assert(!x->attached_done);
    x->attached = arg;
    x->attached_done = done;
}

void http_hang_up(struct http_exchange *x, struct view after)
{
    assert(x->outcome == HTTP_UNDECIDED);
    x->outcome = HTTP_HUNG_UP;
    /* Without memory there is nothing to send: the connection is closed all the same. */
    IGNORE(buf_append(&x->raw, after));
}
