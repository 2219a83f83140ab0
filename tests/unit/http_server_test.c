/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the HTTP server gives its handler whole requests within its limits and nothing else, sends what the
 * handler answers, at once, later or never, and stops without losing an answer. The client is a socket.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "check.h"
#include "net/http_server_int.h"

enum { REPLY_BYTES = 1 << 20 };

struct fixture {
    struct http_server *server;
    void (*handle)(struct fixture *f, struct http_exchange *x);
    atomic_int calls, later_calls, stopping_calls, done_calls;
    struct http_exchange *_Atomic waiting;
    char seen[4096];
};

static void on_request(void *arg, struct http_exchange *x)
{
    struct fixture *f = arg;

    f->calls++;
    f->handle(f, x);
}

static void on_done(void *arg)
{
    struct fixture *f = arg;

    f->done_calls++;
}

static void start_with(struct fixture *f, struct http_server_conf conf,
                       void (*handle)(struct fixture *f, struct http_exchange *x))
{
    *f = (struct fixture){.handle = handle};
    conf.address = "127.0.0.1";
    conf.handle = on_request;
    conf.arg = f;
    conf.threads = 2;
    check_ok(http_server_start(&conf, &f->server));
}

static void start(struct fixture *f, void (*handle)(struct fixture *f, struct http_exchange *x))
{
    start_with(f, (struct http_server_conf){0}, handle);
}

static int dial(const struct fixture *f)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(http_server_port(f->server))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    size_t len = strlen(text);

    assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Everything until the server ends the connection; *ret_reset says how. */
static const char *hear(int fd, bool *ret_reset)
{
    static char reply[REPLY_BYTES];
    size_t len = 0;
    ssize_t n;

    while ((n = recv(fd, reply + len, sizeof reply - 1 - len, 0)) > 0)
        len += (size_t)n;
    if (ret_reset)
        *ret_reset = n < 0;
    reply[len] = 0;
    close(fd);
    return reply;
}

static const char *ask(const struct fixture *f, const char *request)
{
    int fd = dial(f);

    say(fd, request);
    return hear(fd, NULL);
}

static void check_status(const char *reply, int want)
{
    char line[32];

    snprintf(line, sizeof line, "HTTP/1.1 %d", want);
    if (strncmp(reply, line, strlen(line)) != 0)
        fail_msg("wanted %s, got: %.100s", line, reply);
}

/* ---- requests ---- */

static void note_header(void *arg, const char *name, const char *value)
{
    struct fixture *f = arg;
    size_t len = strlen(f->seen);

    snprintf(f->seen + len, sizeof f->seen - len, "%s=%s;", name, value);
}

static const char *or_none(const char *text)
{
    return text ? text : "(none)";
}

static void answer_all_parts(struct fixture *f, struct http_exchange *x)
{
    char text[1024];

    http_header_each(x, note_header, f);
    int n =
        snprintf(text, sizeof text, "%s|%s|%s|%s|%s|%s|%s|%s|%.*s|%d", http_method(x), http_path(x),
                 http_query_text(x), or_none(http_query(x, "a b")), or_none(http_query(x, "flag")),
                 or_none(http_query(x, "no")), or_none(http_header(x, "X-TWICE")), http_peer(x),
                 (int)http_body(x).len, (const char *)http_body(x).bytes, http_is_tls(x));
    check_ok(http_answer_header(x, "X-Own", "1"));
    http_answer(x, 201, "text/plain", view_of(text, (size_t)n));
}

static void request__all_parts__as_sent(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, answer_all_parts);
    const char *reply =
        ask(&f, "POST /a%2Fb/c?a+b=1%262&flag&=x&a%20b=3 HTTP/1.1\r\nHost: h\r\nX-Twice: one\r\n"
                "x-twice: two\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody");
    check_status(reply, 201);
    assert_non_null(strstr(reply, "\r\n\r\nPOST|/a%2Fb/c|a+b=1%262&flag&=x&a%20b=3|1&2||(none)|"
                                  "one|127.0.0.1|body|0"));
    assert_non_null(strstr(reply, "X-Own: 1\r\n"));
    assert_non_null(strstr(reply, "Content-Type: text/plain\r\n"));
    assert_non_null(strstr(f.seen, "Host=h;X-Twice=one;x-twice=two;"));
    http_server_stop(f.server);
}

static void request__chunked__is_put_together(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, answer_all_parts);
    const char *reply = ask(&f, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                                "Connection: close\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n");
    assert_non_null(strstr(reply, "|body|0"));
    http_server_stop(f.server);
}

static void request__two_on_one_connection__both_answered(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, answer_all_parts);
    const char *reply = ask(&f, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
                                "GET /2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_non_null(strstr(reply, "GET|/1|"));
    assert_non_null(strstr(reply, "GET|/2|"));
    http_server_stop(f.server);
}

static void request__no_http__not_handled(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, answer_all_parts);
    check_status(ask(&f, "\x16\x03\x01 nonsense\r\n\r\n"), 400);
    assert_int_equal(f.calls, 0);
    http_server_stop(f.server);
}

static void body__announced_too_long__413_unread(void **state)
{
    struct fixture f;

    (void)state;
    start_with(&f, (struct http_server_conf){.body_bytes_max = 8}, answer_all_parts);
    check_status(ask(&f, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n"
                         "Connection: close\r\n\r\n123456789"),
                 413);
    check_status(ask(&f, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n"
                         "Connection: close\r\n\r\n12345678"),
                 201);
    assert_int_equal(f.calls, 1);
    http_server_stop(f.server);
}

static void body__chunked_too_long__413_and_much_too_long__cut_off(void **state)
{
    struct fixture f;

    (void)state;
    start_with(&f, (struct http_server_conf){.body_bytes_max = 8}, answer_all_parts);
    check_status(ask(&f, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                         "Connection: close\r\n\r\n9\r\n123456789\r\n0\r\n\r\n"),
                 413);
    const char *reply = ask(&f, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                                "\r\n12\r\n123456789012345678\r\n0\r\n\r\n");
    assert_string_equal(reply, "");
    assert_int_equal(f.calls, 0);
    http_server_stop(f.server);
}

static void answer_too_large(void *arg, struct http_exchange *x)
{
    struct fixture *f = arg;

    f->later_calls++;
    http_answer(x, 413, "text/plain", view_text("at most 8"));
}

static void body__too_long_with_own_answer__given(void **state)
{
    struct fixture f;

    (void)state;
    start_with(&f, (struct http_server_conf){.body_bytes_max = 8, .too_large = answer_too_large},
               answer_all_parts);
    const char *reply = ask(&f, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n"
                                "Connection: close\r\n\r\n123456789");
    check_status(reply, 413);
    assert_non_null(strstr(reply, "at most 8"));
    reply = ask(&f, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                    "Connection: close\r\n\r\n9\r\n123456789\r\n0\r\n\r\n");
    check_status(reply, 413);
    assert_int_equal(f.later_calls, 2);
    assert_int_equal(f.calls, 0);
    http_server_stop(f.server);
}

static void head__too_long__refused(void **state)
{
    struct fixture f;
    static char request[200 * 1024];
    int len = snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: h\r\nX-Long: ");

    (void)state;
    memset(request + len, 'x', sizeof request - 1 - (size_t)len);
    start(&f, answer_all_parts);
    int fd = dial(&f);
    /* The server may have had enough before all of it is sent. */
    (void)send(fd, request, sizeof request - 1, MSG_NOSIGNAL);
    hear(fd, NULL);
    assert_int_equal(f.calls, 0);
    http_server_stop(f.server);
}

static void idle__too_long__connection_ends(void **state)
{
    struct fixture f;

    (void)state;
    start_with(&f, (struct http_server_conf){.idle_seconds_max = 1}, answer_all_parts);
    assert_non_null(ask(&f, "POST / HTTP/1.1\r\nHost: h\r\n"));
    assert_int_equal(f.calls, 0);
    http_server_stop(f.server);
}

static void connections__of_one_client__bounded(void **state)
{
    struct fixture f;

    (void)state;
    start_with(&f, (struct http_server_conf){.connections_per_client_max = 1, .connections_max = 8},
               answer_all_parts);
    int first = dial(&f);
    say(first, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    char byte;
    assert_int_equal(recv(first, &byte, 1, 0), 1); /* it is counted by now */
    assert_string_equal(hear(dial(&f), NULL), "");
    close(first);
    http_server_stop(f.server);
}

/* From another address of the loopback. */
static int dial_from(const struct fixture *f, uint32_t address)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(http_server_port(f->server))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    from.sin_addr.s_addr = htonl(address);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void connections__nearly_all_of_one_network__make_room_for_another(void **state)
{
    enum { ALL = 64, OTHER = 0x7f000002 };
    struct fixture f;
    int fds[ALL];

    (void)state;
    start_with(&f, (struct http_server_conf){.connections_max = ALL}, answer_all_parts);
    for (int i = 0; i < ALL; i++) { /* each has asked and stays, or begins to ask */
        fds[i] = dial(&f);
        say(fds[i], i % 2 ? "GET / HTTP/1.1\r\nHost: h\r\n\r\n" : "GET / HTTP/1.1\r\nHost: ");
    }
    for (int i = 0; i < 8; i++) {
        int fd = dial_from(&f, OTHER);
        say(fd, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        check_status(hear(fd, NULL), 201);
    }
    for (int i = 0; i < ALL; i++)
        close(fds[i]);
    http_server_stop(f.server);
}

static void connections__that_ask_for_nothing__make_room(void **state)
{
    enum { ALL = 64 };
    struct fixture f;
    int fds[ALL / 2];
    char byte;

    (void)state;
    start_with(&f, (struct http_server_conf){.connections_max = ALL}, answer_all_parts);
    for (int i = 0; i < ALL / 2; i++)
        fds[i] = dial(&f);
    assert_int_equal(recv(fds[0], &byte, 1, 0), 0); /* the oldest, and not after a time */
    say(fds[ALL / 2 - 1], "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    check_status(hear(fds[ALL / 2 - 1], NULL), 201);
    for (int i = 0; i < ALL / 2 - 1; i++)
        close(fds[i]);
    http_server_stop(f.server);
}

static bool admit_first(void *arg, const char *network)
{
    struct fixture *f = arg;

    snprintf(f->seen, sizeof f->seen, "%s", network);
    return f->done_calls++ == 0;
}

static void connections__not_admitted__are_closed_unread(void **state)
{
    struct fixture f;

    (void)state;
    start_with(&f, (struct http_server_conf){.admit = admit_first}, answer_all_parts);
    check_status(ask(&f, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), 201);
    assert_string_equal(hear(dial(&f), NULL), "");
    assert_int_equal(f.calls, 1);
    assert_string_equal(f.seen, "127.0.0.1");
    http_server_stop(f.server);
}

static void network__of_ipv6__is_half_of_the_address(void **state)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6}, other = v6, mapped = v6;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    char text[INET6_ADDRSTRLEN + 4];

    (void)state;
    assert_int_equal(inet_pton(AF_INET6, "2001:db8:1:2::3", &v6.sin6_addr), 1);
    assert_int_equal(inet_pton(AF_INET6, "2001:db8:1:2:ffff::1", &other.sin6_addr), 1);
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.7", &mapped.sin6_addr), 1);
    assert_int_equal(inet_pton(AF_INET, "192.0.2.7", &v4.sin_addr), 1);
    http_network_write((struct sockaddr *)&v6, text);
    assert_string_equal(text, "2001:db8:1:2::/64");
    http_network_write((struct sockaddr *)&mapped, text);
    assert_string_equal(text, "192.0.2.7");
    assert_true(http_network_of((struct sockaddr *)&v6) ==
                http_network_of((struct sockaddr *)&other));
    assert_true(http_network_of((struct sockaddr *)&mapped) ==
                http_network_of((struct sockaddr *)&v4));
    assert_true(http_network_of((struct sockaddr *)&v4) != http_network_of((struct sockaddr *)&v6));
}

/* ---- slow clients ---- */

/* Sends a byte as often as the server takes one; until it has had enough. */
static void drip(int fd, char byte)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};

    while (poll(&poller, 1, 50) == 0)
        if (send(fd, &byte, 1, MSG_NOSIGNAL) < 0)
            break;
    close(fd);
}

static void check_drip_ends(const char *begin)
{
    struct fixture f;

    start_with(&f, (struct http_server_conf){.idle_seconds_max = 60, .request_seconds_max = 1},
               answer_all_parts);
    int fd = dial(&f);
    say(fd, begin);
    drip(fd, 'x');
    assert_int_equal(f.calls, 0);
    http_server_stop(f.server);
}

static void head__a_byte_now_and_then__connection_ends(void **state)
{
    (void)state;
    check_drip_ends("");
    check_drip_ends("GET / HTTP/1.1\r\nHost: h\r\nX-Slow: ");
}

static void body__a_byte_now_and_then__connection_ends(void **state)
{
    (void)state;
    check_drip_ends("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
}

static void second_request__a_byte_now_and_then__connection_ends(void **state)
{
    struct fixture f;
    char part[512];

    (void)state;
    start_with(&f, (struct http_server_conf){.idle_seconds_max = 1, .request_seconds_max = 1},
               answer_all_parts);
    int fd = dial(&f);
    say(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(recv(fd, part, sizeof part, 0) > 0);
    drip(fd, 'G');
    assert_int_equal(f.calls, 1);
    http_server_stop(f.server);
}

static void answer_much(struct fixture *f, struct http_exchange *x)
{
    static char much[16 << 20];

    http_attach(x, f, on_done);
    http_answer(x, 200, "text/plain", view_of(much, sizeof much));
}

static void answer__read_a_byte_now_and_then__connection_ends(void **state)
{
    struct fixture f;
    char byte;

    (void)state;
    start_with(&f, (struct http_server_conf){.idle_seconds_max = 60, .answer_seconds_max = 1},
               answer_much);
    int fd = dial(&f);
    say(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    while (f.done_calls == 0) {
        (void)recv(fd, &byte, 1, MSG_DONTWAIT);
        sched_yield();
    }
    close(fd);
    http_server_stop(f.server);
}

/* ---- answers ---- */

static void again_answer(void *arg, struct http_exchange *x, bool is_stopping)
{
    struct fixture *f = arg;

    f->later_calls++;
    f->stopping_calls += is_stopping;
    http_answer(x, is_stopping ? 503 : 200, NULL, view_text("later"));
}

static void put_off_briefly(struct fixture *f, struct http_exchange *x)
{
    http_answer_later(x, 20, again_answer, f);
}

static void put_off_for_ever(struct fixture *f, struct http_exchange *x)
{
    http_answer_later(x, 3600 * 1000, again_answer, f);
    f->waiting = x;
}

static void again_twice(void *arg, struct http_exchange *x, bool is_stopping)
{
    struct fixture *f = arg;

    (void)is_stopping;
    f->later_calls++;
    http_answer_later(x, 1, again_answer, f);
}

static void put_off_twice(struct fixture *f, struct http_exchange *x)
{
    http_answer_later(x, 1, again_twice, f);
}

static void again__after_delay__answers(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, put_off_briefly);
    const char *reply = ask(&f, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    check_status(reply, 200);
    assert_non_null(strstr(reply, "\r\n\r\nlater"));
    assert_int_equal(f.calls, 1);
    http_server_stop(f.server);
}

static void again__puts_off_again__is_called_again(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, put_off_twice);
    check_status(ask(&f, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), 200);
    assert_int_equal(f.later_calls, 2);
    http_server_stop(f.server);
}

static struct http_exchange *await_waiting(struct fixture *f)
{
    while (!f->waiting)
        sched_yield();
    return f->waiting;
}

/* The handler's time is not the client's. */
static void put_off_for_long(struct fixture *f, struct http_exchange *x)
{
    http_answer_later(x, 2500, again_answer, f);
}

static void answer__that_takes_its_time__is_waited_for(void **state)
{
    struct fixture f;

    (void)state;
    start_with(&f,
               (struct http_server_conf){
                   .idle_seconds_max = 60, .request_seconds_max = 1, .answer_seconds_max = 1},
               put_off_for_long);
    check_status(ask(&f, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), 200);
    http_server_stop(f.server);
}

static void wake__waiting__answers_now(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, put_off_for_ever);
    int fd = dial(&f);
    say(fd, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    http_wake(await_waiting(&f));
    check_status(hear(fd, NULL), 200);
    http_server_stop(f.server);
}

static void answer_attached(struct fixture *f, struct http_exchange *x)
{
    http_attach(x, f, on_done);
    http_answer(x, 200, NULL, view_text("now"));
}

static void attach_and_put_off(struct fixture *f, struct http_exchange *x)
{
    http_attach(x, f, on_done);
    put_off_for_ever(f, x);
}

static void attach__answered__done_once(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, answer_attached);
    check_status(ask(&f, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), 200);
    http_server_stop(f.server);
    assert_int_equal(f.done_calls, 1);
}

static void attach__client_goes_away_while_waiting__done_once(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, attach_and_put_off);
    int fd = dial(&f);
    say(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    struct http_exchange *x = await_waiting(&f);
    const struct linger now = {.l_onoff = 1}; /* a reset, not an end */
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(fd);
    http_wake(x);
    while (f.done_calls == 0)
        sched_yield();
    http_server_stop(f.server);
    assert_int_equal(f.done_calls, 1);
}

/* Those that wait longer must not keep others from being called in time. */
static void put_off_by_path(struct fixture *f, struct http_exchange *x)
{
    uint64_t ms = strcmp(http_path(x), "/long") == 0 ? 3600 * 1000 : 20;

    http_answer_later(x, ms, again_answer, f);
    f->waiting = x;
}

static void again__behind_longer_ones__in_time(void **state)
{
    struct fixture f;
    int fds[8];

    (void)state;
    start(&f, put_off_by_path);
    for (int i = 0; i < 8; i++) {
        fds[i] = dial(&f);
        say(fds[i], "GET /long HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    check_status(ask(&f, "GET /short HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), 200);
    http_server_stop(f.server);
    for (int i = 0; i < 8; i++)
        check_status(hear(fds[i], NULL), 503);
}

static void stop__waiting__ends_with_is_stopping(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, put_off_for_ever);
    int fd = dial(&f);
    say(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    await_waiting(&f);
    http_server_stop(f.server);
    check_status(hear(fd, NULL), 503);
    assert_int_equal(f.stopping_calls, 1);
}

static void hang_raw(struct fixture *f, struct http_exchange *x)
{
    (void)f;
    http_hang_up(x, view_text("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"));
}

static void hang_silently(struct fixture *f, struct http_exchange *x)
{
    (void)f;
    http_hang_up(x, view_text(""));
}

static void hang_up__with_bytes__sent_raw(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, hang_raw);
    assert_string_equal(ask(&f, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
                        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    http_server_stop(f.server);
}

static void hang_up__without_bytes__reset(void **state)
{
    struct fixture f;
    bool is_reset;

    (void)state;
    start(&f, hang_silently);
    int fd = dial(&f);
    say(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_string_equal(hear(fd, &is_reset), "");
    assert_true(is_reset);
    http_server_stop(f.server);
}

static void add_many_headers(struct fixture *f, struct http_exchange *x)
{
    int added = 0;

    (void)f;
    while (ks_ok(http_answer_header(x, "X-More", "1")))
        added++;
    http_answer(x, added >= 16 ? 200 : 500, NULL, view_text(""));
}

static void answer_header__too_many__limit(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, add_many_headers);
    check_status(ask(&f, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), 200);
    http_server_stop(f.server);
}

/* ---- starting ---- */

static void start__port_in_use__says_which(void **state)
{
    struct fixture f;
    struct http_server *second = NULL;

    (void)state;
    start(&f, answer_all_parts);
    struct http_server_conf conf = {
        .address = "127.0.0.1", .port = http_server_port(f.server), .handle = on_request};
    ks_rc rc = http_server_start(&conf, &second);
    assert_true(ks_is_os(rc, EADDRINUSE));
    check_text(rc, "127.0.0.1 port ");
    assert_null(second);
    http_server_stop(f.server);
}

static void start__name_instead_of_address__usage(void **state)
{
    struct http_server *s = NULL;
    struct http_server_conf conf = {.address = "localhost", .handle = on_request};

    (void)state;
    check_rc(http_server_start(&conf, &s), USAGE);
}

static void start__certificate_missing__names_the_file(void **state)
{
    struct http_server *s = NULL;
    struct http_server_conf conf = {.address = "127.0.0.1",
                                    .handle = on_request,
                                    .cert_file = "/nonexistent/cert.pem",
                                    .key_file = "/nonexistent/key.pem"};

    (void)state;
    ks_rc rc = http_server_start(&conf, &s);
    check_rc(rc, USAGE);
    check_text(rc, "/nonexistent/cert.pem");
    conf.key_file = NULL;
    check_rc(http_server_start(&conf, &s), USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request__all_parts__as_sent),
        cmocka_unit_test(request__chunked__is_put_together),
        cmocka_unit_test(request__two_on_one_connection__both_answered),
        cmocka_unit_test(request__no_http__not_handled),
        cmocka_unit_test(body__announced_too_long__413_unread),
        cmocka_unit_test(body__chunked_too_long__413_and_much_too_long__cut_off),
        cmocka_unit_test(body__too_long_with_own_answer__given),
        cmocka_unit_test(head__too_long__refused),
        cmocka_unit_test(idle__too_long__connection_ends),
        cmocka_unit_test(connections__of_one_client__bounded),
        cmocka_unit_test(connections__nearly_all_of_one_network__make_room_for_another),
        cmocka_unit_test(connections__that_ask_for_nothing__make_room),
        cmocka_unit_test(connections__not_admitted__are_closed_unread),
        cmocka_unit_test(network__of_ipv6__is_half_of_the_address),
        cmocka_unit_test(head__a_byte_now_and_then__connection_ends),
        cmocka_unit_test(body__a_byte_now_and_then__connection_ends),
        cmocka_unit_test(second_request__a_byte_now_and_then__connection_ends),
        cmocka_unit_test(answer__read_a_byte_now_and_then__connection_ends),
        cmocka_unit_test(answer__that_takes_its_time__is_waited_for),
        cmocka_unit_test(again__after_delay__answers),
        cmocka_unit_test(again__puts_off_again__is_called_again),
        cmocka_unit_test(wake__waiting__answers_now),
        cmocka_unit_test(attach__answered__done_once),
        cmocka_unit_test(attach__client_goes_away_while_waiting__done_once),
        cmocka_unit_test(again__behind_longer_ones__in_time),
        cmocka_unit_test(stop__waiting__ends_with_is_stopping),
        cmocka_unit_test(hang_up__with_bytes__sent_raw),
        cmocka_unit_test(hang_up__without_bytes__reset),
        cmocka_unit_test(answer_header__too_many__limit),
        cmocka_unit_test(start__port_in_use__says_which),
        cmocka_unit_test(start__name_instead_of_address__usage),
        cmocka_unit_test(start__certificate_missing__names_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
