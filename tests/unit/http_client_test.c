/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: every line of the contract of net/http_client.h, against a server that answers well,
 * badly, late or not at all; and that what is sent is what was asked for.
 */
#include "net/http_client.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include "tmpdir.h"
#include "wire_server.h"

struct fixture {
    struct wire_server *server;
    struct http_client *client;
    struct http_reply reply;
    char url[HTTP_URL_MAX];
    struct http_request request;
};

static void start(struct fixture *f, const struct wire_server_conf *server,
                  const struct http_client_conf *client)
{
    check_ok(wire_server_start(server, &f->server));
    check_ok(http_client_new(client, &f->client));
    snprintf(f->url, sizeof f->url, "%s/path", wire_server_url(f->server));
    f->request = (struct http_request){.method = "GET", .url = f->url};
}

static int setup(void **state)
{
    static struct fixture f;
    const struct http_client_conf conf = {0};

    memset(&f, 0, sizeof f);
    start(&f, NULL, &conf);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    http_reply_done(&f->reply);
    http_client_free(f->client);
    wire_server_stop(f->server);
    return 0;
}

static ks_rc send_it(struct fixture *f)
{
    http_reply_done(&f->reply);
    return http_client_send(f->client, &f->request, &f->reply);
}

static void push(struct fixture *f, const char *text, enum wire_end end)
{
    const struct wire_reply reply = {view_text(text), end, false};

    wire_server_push(f->server, &reply);
}

static void send__any_status__is_a_reply(void **state)
{
    static const int statuses[] = {200, 204, 301, 400, 403, 404, 429, 500, 503, 599};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        wire_server_answer(f->server, statuses[i], "Location: http://127.0.0.1:1/\r\n",
                           statuses[i] == 204 ? "" : "the body");
        check_ok(send_it(f));
        assert_int_equal(f->reply.status, statuses[i]);
        assert_string_equal(buf_text(&f->reply.body), statuses[i] == 204 ? "" : "the body");
    }
    assert_int_equal(wire_server_connections(f->server), 1); /* kept alive, no redirect followed */
}

static void send__post__has_method_headers_and_body_as_given(void **state)
{
    struct fixture *f = *state;
    char value[100];

    wire_server_answer(f->server, 200, "", "");
    f->request.method = "POST";
    f->request.body = view_text("{\"a\":1}");
    f->request.header_count = 2;
    f->request.headers[0] = (struct http_header){"X-Amz-Target", "TrentService.Encrypt"};
    f->request.headers[1] = (struct http_header){"X-Empty", ""};
    check_ok(send_it(f));
    const struct wire_request *got = wire_server_request(f->server, 0);
    assert_string_equal(got->method, "POST");
    assert_string_equal(got->target, "/path");
    check_bytes(got->body, f->request.body);
    assert_true(wire_request_header(got, "x-amz-target", value, sizeof value));
    assert_string_equal(value, "TrentService.Encrypt");
    assert_true(wire_request_header(got, "x-empty", value, sizeof value));
    assert_true(wire_request_header(got, "content-length", value, sizeof value));
    assert_string_equal(value, "7");
    assert_true(wire_request_header(got, "user-agent", value, sizeof value));
    assert_int_equal(strncmp(value, "keystead/", 9), 0);
    assert_false(wire_request_header(got, "expect", value, sizeof value));
    assert_false(wire_request_header(got, "content-type", value, sizeof value));
}

static void send__large_body__is_sent_without_asking_first(void **state)
{
    static char large[300000];
    struct fixture *f = *state;
    char value[100];

    memset(large, 'x', sizeof large);
    wire_server_answer(f->server, 200, "", "");
    f->request.method = "PUT";
    f->request.body = view_of(large, sizeof large);
    check_ok(send_it(f));
    assert_false(
        wire_request_header(wire_server_request(f->server, 0), "expect", value, sizeof value));
    assert_int_equal(wire_server_request(f->server, 0)->body.len, sizeof large);
}

static void send__each_method__arrives(void **state)
{
    static const char *const methods[] = {"GET", "PUT", "POST", "DELETE", "PATCH", "LIST"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        wire_server_answer(f->server, 200, "", "x");
        f->request.method = methods[i];
        check_ok(send_it(f));
        assert_string_equal(wire_server_request(f->server, i)->method, methods[i]);
    }
}

static void send__header_with_line_break__usage_and_nothing_sent(void **state)
{
    struct fixture *f = *state;

    f->request.header_count = 1;
    f->request.headers[0] = (struct http_header){"X-A", "one\r\nX-B: two"};
    check_rc(send_it(f), USAGE);
    f->request.headers[0] = (struct http_header){"X-A: b\r\nX-C", "one"};
    check_rc(send_it(f), USAGE);
    assert_int_equal(wire_server_count(f->server), 0);
}

static void send__malformed_url_or_other_scheme__usage(void **state)
{
    static const char *const urls[] = {"",
                                       "nonsense",
                                       "http://",
                                       "ftp://host/x",
                                       "file:///etc/passwd",
                                       "http://[::1",
                                       "https://a b/"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        f->request.url = urls[i];
        check_rc(send_it(f), USAGE);
    }
}

static void send__name_that_does_not_resolve__unreachable(void **state)
{
    struct fixture *f = *state;

    f->request.url = "http://no-such-host.invalid/";
    ks_rc rc = send_it(f);
    check_rc(rc, UNREACHABLE);
    check_text(rc, "no-such-host.invalid");
}

static void send__nobody_listens__unreachable(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd =
        socket(AF_INET, SOCK_STREAM, 0); /* bound and not listening: nobody else gets the port */

    assert_int_equal(bind(fd, (struct sockaddr *)(void *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)(void *)&address, &len), 0);
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%u/", ntohs(address.sin_port));
    ks_rc rc = send_it(f);
    close(fd);
    check_rc(rc, UNREACHABLE);
    check_text(rc, "127.0.0.1");
}

static void send__connection_reset_or_closed_without_answer__unreachable(void **state)
{
    static const enum wire_end ends[] = {WIRE_RESET, WIRE_CLOSE};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        push(f, "", ends[i]);
        check_rc(send_it(f), UNREACHABLE);
    }
}

static void send__half_a_reply__unreachable(void **state)
{
    static const char *const halves[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof halves / sizeof halves[0]; i++) {
        push(f, halves[i], WIRE_CLOSE);
        check_rc(send_it(f), UNREACHABLE);
        push(f, halves[i], WIRE_RESET);
        check_rc(send_it(f), UNREACHABLE);
    }
}

static void send__no_http__bad_reply(void **state)
{
    static const char *const texts[] = {
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "\x01\x02\x03 garbage \xff\xfe that is long enough to be looked at\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nx",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        push(f, texts[i], WIRE_CLOSE);
        check_rc(send_it(f), BAD_REPLY);
    }
}

static void send__reply_beyond_the_bound__bad_reply_and_output_untouched(void **state)
{
    struct fixture *f = *state;

    f->request.reply_bytes_max = 8;
    wire_server_answer(f->server, 200, "", "12345678");
    check_ok(send_it(f));
    assert_string_equal(buf_text(&f->reply.body), "12345678");
    wire_server_answer(f->server, 200, "", "123456789");
    ks_rc rc = http_client_send(f->client, &f->request, &f->reply);
    check_rc(rc, BAD_REPLY);
    check_text(rc, "longer than 8 bytes");
    assert_string_equal(buf_text(&f->reply.body), "12345678");
}

static void send__head_beyond_the_bound__bad_reply(void **state)
{
    CLEANUP(buf_done) struct buf headers = buf_init(1 << 20);
    struct fixture *f = *state;

    for (int i = 0; i < 2000; i++)
        check_ok(buf_printf(
            &headers, "X-Header-%04d: sixty bytes of header, again and again and so on\r\n", i));
    wire_server_answer(f->server, 200, buf_text(&headers), "x");
    check_rc(send_it(f), BAD_REPLY);
}

static void send__interim_answer__only_the_last_head_counts(void **state)
{
    struct fixture *f = *state;
    char value[20];

    push(f,
         "HTTP/1.1 100 Continue\r\nX-First: 1\r\n\r\nHTTP/1.1 200 OK\r\nX-Second:  2 "
         "\r\nContent-Length: 0\r\n\r\n",
         WIRE_KEEP);
    check_ok(send_it(f));
    assert_int_equal(f->reply.status, 200);
    assert_false(http_reply_header(&f->reply, "X-First", value, sizeof value));
    assert_true(http_reply_header(&f->reply, "x-second", value, sizeof value));
    assert_string_equal(value, "2");
}

static void send__server_hangs__timeout_at_the_deadline(void **state)
{
    static const char *const starts[] = {"", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        push(f, starts[i], WIRE_HANG);
        f->request.deadline_ms = clock_boot_ms(clock_system()) + 50;
        check_rc(send_it(f), TIMEOUT);
    }
}

static void send__deadline_has_passed__timeout_and_nothing_sent(void **state)
{
    struct fixture *f = *state;

    f->request.deadline_ms = 1;
    check_rc(send_it(f), TIMEOUT);
    assert_int_equal(wire_server_count(f->server), 0);
}

static void send__connection_closed_while_idle__is_made_anew(void **state)
{
    struct fixture *f = *state;

    push(f, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", WIRE_CLOSE);
    wire_server_answer(f->server, 200, "", "again");
    check_ok(send_it(f));
    check_ok(send_it(f));
    assert_string_equal(buf_text(&f->reply.body), "again");
    assert_int_equal(wire_server_connections(f->server), 2);
}

static void *send_one(void *arg)
{
    struct fixture own = *(struct fixture *)arg;

    own.reply = (struct http_reply){0};
    own.request.url = own.url;
    ks_rc rc = http_client_send(own.client, &own.request, &own.reply);
    http_reply_done(&own.reply);
    return ks_ok(rc) ? arg : NULL;
}

/* No answer ends until all requests have arrived, so they really are side by side. */
static void send__from_many_threads__side_by_side(void **state)
{
    enum { THREADS = 8 };
    struct fixture *f = *state;
    pthread_t threads[THREADS];
    void *result;

    for (int i = 0; i < THREADS; i++)
        push(f, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end", WIRE_HANG);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_one, f), 0);
    wire_server_wait(f->server, THREADS);
    wire_server_release(f->server);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_non_null(result);
    }
    assert_int_equal(wire_server_connections(f->server), THREADS);
}

static void send__through_a_proxy__asks_the_proxy(void **state)
{
    struct fixture *f = *state;
    struct http_client *client;
    struct http_client_conf conf = {.proxy = wire_server_url(f->server),
                                    .no_proxy = "direct.invalid"};

    check_ok(http_client_new(&conf, &client));
    wire_server_answer(f->server, 200, "", "by proxy");
    f->request.url = "http://behind.invalid/x";
    check_ok(http_client_send(client, &f->request, &f->reply));
    assert_string_equal(wire_server_request(f->server, 0)->target, "http://behind.invalid/x");
    http_reply_done(&f->reply);
    f->request.url = "http://direct.invalid/x";
    check_rc(http_client_send(client, &f->request, &f->reply), UNREACHABLE);
    http_client_free(client);
}

struct tls_fixture {
    struct tmpdir dir;
    struct path ca;
    struct fixture f;
};

static void tls_start(struct tls_fixture *t, bool is_trusted)
{
    const struct wire_server_conf server = {.is_tls = true};
    struct http_client_conf conf = {0};

    t->dir = tmpdir_make();
    t->ca = tmpdir_path(&t->dir, "ca.pem");
    if (is_trusted)
        conf.ca_file = t->ca.text;
    start(&t->f, &server, &conf);
    file_put(t->ca.text, view_text(wire_server_certificate(t->f.server)));
    wire_server_answer(t->f.server, 200, "", "secret");
}

static void tls_stop(struct tls_fixture *t)
{
    void *f = &t->f;

    teardown(&f);
    tmpdir_remove(&t->dir);
}

static void send__certificate_of_a_known_authority__answered(void **state)
{
    struct tls_fixture t = {0};

    (void)state;
    tls_start(&t, true);
    t.f.request.url = t.f.url; /* the fixture has not moved since */
    check_ok(send_it(&t.f));
    assert_string_equal(buf_text(&t.f.reply.body), "secret");
    tls_stop(&t);
}

static void send__self_signed_certificate__unreachable_and_says_so(void **state)
{
    struct tls_fixture t = {0};

    (void)state;
    tls_start(&t, false);
    ks_rc rc = send_it(&t.f);
    check_rc(rc, UNREACHABLE);
    check_text(rc, "localhost");
    check_text(rc, "certificate");
    assert_int_equal(wire_server_count(t.f.server), 0);
    tls_stop(&t);
}

static void send__certificate_for_another_name__unreachable(void **state)
{
    struct tls_fixture t = {0};

    (void)state;
    tls_start(&t, true);
    snprintf(t.f.url, sizeof t.f.url, "https://127.0.0.1:%u/", wire_server_port(t.f.server));
    ks_rc rc = send_it(&t.f);
    check_rc(rc, UNREACHABLE);
    check_text(rc, "127.0.0.1");
    tls_stop(&t);
}

static void send__unverified__any_certificate_of_any_name(void **state)
{
    struct tls_fixture t = {0};
    struct http_client_conf conf = {.is_unverified = true};

    (void)state;
    tls_start(&t, true);
    http_client_free(t.f.client);
    check_ok(http_client_new(&conf, &t.f.client));
    snprintf(t.f.url, sizeof t.f.url, "https://127.0.0.1:%u/", wire_server_port(t.f.server));
    t.f.request.url = t.f.url;
    check_ok(send_it(&t.f));
    tls_stop(&t);
}

static void send__missing_client_certificate__credential(void **state)
{
    struct tls_fixture t = {0};
    struct http_client_conf conf = {.cert_file = "/nonexistent/cert.pem",
                                    .key_file = "/nonexistent/key.pem"};
    struct http_client *client;

    (void)state;
    tls_start(&t, true);
    conf.ca_file = t.ca.text;
    check_ok(http_client_new(&conf, &client));
    check_rc(http_client_send(client, &t.f.request, &t.f.reply), CREDENTIAL);
    http_client_free(client);
    tls_stop(&t);
}

static void header__cut_missing_and_of_any_case(void **state)
{
    struct http_reply reply = {.header = buf_init(1000)};
    char value[6];

    (void)state;
    assert_false(http_reply_header(&reply, "X-A", value, sizeof value));
    check_ok(buf_append(
        &reply.header,
        view_text(
            "HTTP/1.1 200 OK\r\nX-Ab: no\r\nx-a:\t long value \r\nX-A: second\r\nX-E:\r\n\r\n")));
    assert_true(http_reply_header(&reply, "X-A", value, sizeof value));
    assert_string_equal(value, "long ");
    assert_true(http_reply_header(&reply, "x-ab", value, sizeof value));
    assert_string_equal(value, "no");
    assert_true(http_reply_header(&reply, "X-E", value, sizeof value));
    assert_string_equal(value, "");
    assert_false(http_reply_header(&reply, "X-B", value, sizeof value));
    http_reply_done(&reply);
    http_reply_done(&reply);
}

int main(void)
{
#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(send__any_status__is_a_reply),
        WITH_SERVER(send__post__has_method_headers_and_body_as_given),
        WITH_SERVER(send__large_body__is_sent_without_asking_first),
        WITH_SERVER(send__each_method__arrives),
        WITH_SERVER(send__header_with_line_break__usage_and_nothing_sent),
        WITH_SERVER(send__malformed_url_or_other_scheme__usage),
        WITH_SERVER(send__name_that_does_not_resolve__unreachable),
        WITH_SERVER(send__nobody_listens__unreachable),
        WITH_SERVER(send__connection_reset_or_closed_without_answer__unreachable),
        WITH_SERVER(send__half_a_reply__unreachable),
        WITH_SERVER(send__no_http__bad_reply),
        WITH_SERVER(send__reply_beyond_the_bound__bad_reply_and_output_untouched),
        WITH_SERVER(send__head_beyond_the_bound__bad_reply),
        WITH_SERVER(send__interim_answer__only_the_last_head_counts),
        WITH_SERVER(send__server_hangs__timeout_at_the_deadline),
        WITH_SERVER(send__deadline_has_passed__timeout_and_nothing_sent),
        WITH_SERVER(send__connection_closed_while_idle__is_made_anew),
        WITH_SERVER(send__from_many_threads__side_by_side),
        WITH_SERVER(send__through_a_proxy__asks_the_proxy),
        cmocka_unit_test(send__certificate_of_a_known_authority__answered),
        cmocka_unit_test(send__self_signed_certificate__unreachable_and_says_so),
        cmocka_unit_test(send__certificate_for_another_name__unreachable),
        cmocka_unit_test(send__unverified__any_certificate_of_any_name),
        cmocka_unit_test(send__missing_client_certificate__credential),
        cmocka_unit_test(header__cut_missing_and_of_any_case),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
