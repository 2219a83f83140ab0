/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: certificates of a fleet's authority hold what was ordered, are taken by the openssl command, by GnuTLS as
 * a server and by libcurl as a client, and whatever is of another authority, another purpose or another time is refused.
 */
#include "crypto/certificate.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "tmpdir.h"

enum { TEXT_MAX = 16 * 1024, ARGS_MAX = 24, YEAR = 365 * 86400, SKEW = 300 };

struct party {
    struct key_pair *key;
    struct buf key_pem, pem;
};

static struct {
    struct party authority, other_authority, server, client;
    int64_t now;
} fleet;

static struct view text_of(const struct party *p)
{
    return buf_view(&p->pem);
}

static void make_key(struct party *p)
{
    p->key_pem = buf_init_wiping(TEXT_MAX);
    p->pem = buf_init(TEXT_MAX);
    check_ok(key_pair_new(&p->key));
    check_ok(key_pair_write(p->key, &p->key_pem));
}

static void make_authority(struct party *p, const char *name)
{
    make_key(p);
    check_ok(certificate_authority_make(p->key, name, fleet.now, YEAR, random_system(), &p->pem));
}

static ks_rc issue_to(struct party *p, const struct party *authority,
                      const struct certificate_order *order)
{
    CLEANUP(buf_done) struct buf request = buf_init(TEXT_MAX);

    check_ok(certificate_request_make(p->key, "what it says of itself", &request));
    return certificate_issue(authority->key, text_of(authority), buf_view(&request), order,
                             random_system(), &p->pem);
}

static struct certificate_order order_for(enum certificate_use use, const char *name)
{
    return (struct certificate_order){
        use, name, use == CERTIFICATE_SERVER ? "localhost,127.0.0.1,::1,node-1.example" : NULL,
        fleet.now, 86400};
}

static void make_party(struct party *p, const struct party *authority,
                       const struct certificate_order *order)
{
    make_key(p);
    check_ok(issue_to(p, authority, order));
}

static void drop_party(struct party *p)
{
    key_pair_free(p->key);
    buf_done(&p->key_pem);
    buf_done(&p->pem);
}

static int make_fleet(void **state)
{
    (void)state;
    fleet.now = time(NULL);
    make_authority(&fleet.authority, "Fleet");
    make_authority(&fleet.other_authority, "Fleet");
    const struct certificate_order server = order_for(CERTIFICATE_SERVER, "serve"),
                                   client = order_for(CERTIFICATE_CLIENT, "node-1");
    make_party(&fleet.server, &fleet.authority, &server);
    make_party(&fleet.client, &fleet.authority, &client);
    return 0;
}

static int drop_fleet(void **state)
{
    (void)state;
    drop_party(&fleet.authority);
    drop_party(&fleet.other_authority);
    drop_party(&fleet.server);
    drop_party(&fleet.client);
    return 0;
}

/* ---- keys ---- */

static void key_pair__written_and_read__signs_for_the_same_certificate(void **state)
{
    CLEANUP(key_pair_freep) struct key_pair *again = NULL;
    CLEANUP(buf_done) struct buf signature = buf_init(256);

    (void)state;
    assert_non_null(strstr(buf_text(&fleet.client.key_pem), "-----BEGIN PRIVATE KEY-----"));
    check_ok(key_pair_read(buf_view(&fleet.client.key_pem), &again));
    check_ok(key_pair_sign(again, view_text("receipt"), &signature));
    check_ok(
        certificate_verify(text_of(&fleet.client), view_text("receipt"), buf_view(&signature)));
    check_rc(
        certificate_verify(text_of(&fleet.client), view_text("receipt."), buf_view(&signature)),
        AUTH);
    check_rc(certificate_verify(text_of(&fleet.server), view_text("receipt"), buf_view(&signature)),
             AUTH);
    signature.bytes[signature.len - 1] ^= 1;
    check_rc(certificate_verify(text_of(&fleet.client), view_text("receipt"), buf_view(&signature)),
             AUTH);
    check_rc(certificate_verify(text_of(&fleet.client), view_text("receipt"), view_text("")), AUTH);
    check_rc(certificate_verify(view_text("no"), view_text("receipt"), buf_view(&signature)),
             FORMAT);
}

static void key_pair_write__plain_buffer_or_too_small__nothing_written(void **state)
{
    CLEANUP(buf_done) struct buf plain = buf_init(TEXT_MAX), small = buf_init_wiping(10);

    (void)state;
    check_rc(key_pair_write(fleet.client.key, &plain), BUG);
    check_rc(key_pair_write(fleet.client.key, &small), LIMIT);
    assert_int_equal(plain.len + small.len, 0);
}

static void key_pair_read__not_a_p256_key__format(void **state)
{
    static char long_text[65 * 1024];
    CLEANUP(key_pair_freep) struct key_pair *key = NULL;

    (void)state;
    memset(long_text, 'x', sizeof long_text);
    check_rc(key_pair_read(view_text(""), &key), FORMAT);
    check_rc(key_pair_read(view_text("-----BEGIN PRIVATE KEY-----\nAAAA\n"), &key), FORMAT);
    check_rc(key_pair_read(text_of(&fleet.client), &key), FORMAT);
    check_rc(key_pair_read(view_of(long_text, sizeof long_text), &key), FORMAT);
    assert_null(key);
}

/* Runs the openssl command in dir with blank-separated arguments; its exit code. */
static int openssl(const struct tmpdir *dir, const char *args)
{
    char text[512], *argv[ARGS_MAX] = {NULL};
    size_t count = 0;
    int status = 0;

    argv[count++] = text;
    snprintf(text, sizeof text, "openssl %s", args);
    for (char *at = text; *at; at++)
        if (*at == ' ' && count + 1 < ARGS_MAX) {
            *at = 0;
            argv[count++] = at + 1;
        }
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        if (chdir(dir->path) == 0 && dup2(null, 1) == 1 && dup2(null, 2) == 2)
            execvp(argv[0], argv);
        _exit(127);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 127);
    return WEXITSTATUS(status);
}

static void put(const struct tmpdir *dir, const char *name, const struct buf *text)
{
    struct path p = tmpdir_path(dir, name);

    file_put(p.text, buf_view(text));
}

static void key_pair_read__other_curve_rsa_or_passphrase__format(void **state)
{
    static const char *const commands[] = {
        "ecparam -name secp384r1 -genkey -noout -out key",
        "ecparam -name prime256v1 -param_enc explicit -genkey -noout -out key",
        "genpkey -algorithm ED25519 -out key",
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key",
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 -pass pass:x -out key",
    };
    CLEANUP(key_pair_freep) struct key_pair *key = NULL;
    struct tmpdir dir = tmpdir_make();
    struct path p = tmpdir_path(&dir, "key");
    uint8_t text[TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        assert_int_equal(openssl(&dir, commands[i]), 0);
        check_rc(key_pair_read(view_of(text, file_get(p.text, text, sizeof text)), &key), FORMAT);
    }
    assert_int_equal(openssl(&dir, "ecparam -name prime256v1 -genkey -noout -out key"), 0);
    check_ok(key_pair_read(view_of(text, file_get(p.text, text, sizeof text)), &key));
    tmpdir_remove(&dir);
}

/* ---- what is in them ---- */

static void issue__ordered__facts_are_those_of_the_order(void **state)
{
    struct certificate_facts facts, authority;

    (void)state;
    check_ok(certificate_read(text_of(&fleet.client), &facts));
    check_ok(certificate_read(text_of(&fleet.authority), &authority));
    assert_string_equal(facts.name, "node-1");
    assert_int_equal(facts.not_before, fleet.now - SKEW);
    assert_int_equal(facts.not_after, fleet.now + 86400);
    assert_string_equal(authority.name, "Fleet");
    assert_int_equal(authority.not_after, fleet.now + YEAR);
    assert_string_not_equal(facts.fingerprint, authority.fingerprint);
    assert_int_equal(strspn(facts.fingerprint, "0123456789abcdef"), 64);
}

static void issue__beyond_the_authority__ends_with_it(void **state)
{
    struct certificate_order order = order_for(CERTIFICATE_CLIENT, "node-2");
    struct certificate_facts facts;
    struct party p;

    (void)state;
    order.seconds = 10 * (int64_t)YEAR;
    make_party(&p, &fleet.authority, &order);
    check_ok(certificate_read(text_of(&p), &facts));
    assert_int_equal(facts.not_after, fleet.now + YEAR);
    drop_party(&p);
}

static void issue__order_that_cannot_be__usage_and_nothing_written(void **state)
{
    static const char *const hosts[] = {"a b", "a,,b,-c", "exa$mple", "a\nb", ".x", "1.2.3.4/8"};
    char name[66];
    struct party p;

    (void)state;
    make_key(&p);
    memset(name, 'n', 65);
    name[65] = 0;
    const char *const names[] = {"", name, "line\nbreak", "\xff\xfe"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct certificate_order order = order_for(CERTIFICATE_CLIENT, names[i]);
        check_rc(issue_to(&p, &fleet.authority, &order), USAGE);
    }
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct certificate_order order = order_for(CERTIFICATE_SERVER, "n");
        order.alternates = hosts[i];
        check_rc(issue_to(&p, &fleet.authority, &order), USAGE);
    }
    struct certificate_order order = order_for(CERTIFICATE_CLIENT, "n");
    order.seconds = -SKEW;
    check_rc(issue_to(&p, &fleet.authority, &order), USAGE);
    assert_int_equal(p.pem.len, 0);
    drop_party(&p);
}

static void issue__authority_of_another_key__wrong_key(void **state)
{
    const struct certificate_order order = order_for(CERTIFICATE_CLIENT, "n");
    struct party mixed = fleet.authority, p;

    (void)state;
    mixed.key = fleet.other_authority.key;
    make_key(&p);
    check_rc(issue_to(&p, &mixed, &order), WRONG_KEY);
    mixed.pem = fleet.authority.key_pem;
    check_rc(issue_to(&p, &mixed, &order), FORMAT);
    drop_party(&p);
}

static ks_rc issue_for_file(const char *path)
{
    const struct certificate_order order = order_for(CERTIFICATE_CLIENT, "n");
    CLEANUP(buf_done) struct buf pem = buf_init(TEXT_MAX);
    uint8_t text[TEXT_MAX];

    return certificate_issue(fleet.authority.key, text_of(&fleet.authority),
                             view_of(text, file_get(path, text, sizeof text)), &order,
                             random_system(), &pem);
}

static void issue__request_of_openssl__only_p256_signed_by_itself(void **state)
{
    struct tmpdir dir = tmpdir_make();
    struct path p = tmpdir_path(&dir, "req");
    char text[TEXT_MAX];

    (void)state;
    assert_int_equal(
        openssl(&dir, "req -new -newkey rsa:2048 -nodes -keyout k -subj /CN=x -out req"), 0);
    check_rc(issue_for_file(p.text), FORMAT);
    assert_int_equal(openssl(&dir, "ecparam -name prime256v1 -genkey -noout -out k"), 0);
    assert_int_equal(openssl(&dir, "req -new -key k -subj /CN=evil/O=who -out req"), 0);
    check_ok(issue_for_file(p.text));
    size_t len = file_get(p.text, (uint8_t *)text, sizeof text - 1);
    text[len] = 0;
    char *end = strstr(text, "-----END");
    assert_non_null(end);
    end[-8] = end[-8] == 'A' ? 'B' : 'A'; /* within the signature */
    file_put(p.text, view_text(text));
    check_rc(issue_for_file(p.text), FORMAT);
    file_put(p.text, text_of(&fleet.client));
    check_rc(issue_for_file(p.text), FORMAT);
    file_put(p.text, view_text(""));
    check_rc(issue_for_file(p.text), FORMAT);
    tmpdir_remove(&dir);
}

static void request_make__bad_name__usage(void **state)
{
    CLEANUP(buf_done) struct buf pem = buf_init(TEXT_MAX);

    (void)state;
    check_rc(certificate_request_make(fleet.client.key, "", &pem), USAGE);
    check_rc(
        certificate_authority_make(fleet.client.key, "", fleet.now, YEAR, random_system(), &pem),
        USAGE);
}

static ks_rc no_random(struct random *r, void *out, size_t len)
{
    (void)r;
    (void)out;
    (void)len;
    return ks_fail(KS_E_IO, "no randomness");
}

static void make__no_randomness__fails(void **state)
{
    struct random none = {no_random};
    CLEANUP(buf_done) struct buf pem = buf_init(TEXT_MAX);

    (void)state;
    check_rc(certificate_authority_make(fleet.client.key, "n", fleet.now, YEAR, &none, &pem), IO);
    assert_int_equal(pem.len, 0);
}

static void read__der_and_pem_with_text_around__the_same_facts(void **state)
{
    struct tmpdir dir = tmpdir_make();
    struct path der = tmpdir_path(&dir, "der"), text = tmpdir_path(&dir, "text");
    struct certificate_facts pem_facts, facts;
    uint8_t bytes[TEXT_MAX];

    (void)state;
    put(&dir, "pem", &fleet.server.pem);
    assert_int_equal(openssl(&dir, "x509 -in pem -outform DER -out der"), 0);
    assert_int_equal(openssl(&dir, "x509 -in pem -text -out text"), 0);
    check_ok(certificate_read(text_of(&fleet.server), &pem_facts));
    size_t len = file_get(der.text, bytes, sizeof bytes - 1);
    check_ok(certificate_read(view_of(bytes, len), &facts));
    assert_memory_equal(&facts, &pem_facts, sizeof facts);
    check_rc(certificate_read(view_of(bytes, len + 1), &facts), FORMAT);
    check_rc(certificate_read(view_of(bytes, len - 1), &facts), FORMAT);
    len = file_get(text.text, bytes, sizeof bytes);
    check_ok(certificate_read(view_of(bytes, len), &facts));
    assert_string_equal(facts.fingerprint, pem_facts.fingerprint);
    tmpdir_remove(&dir);
}

static void read__no_certificate__format_and_output_alone(void **state)
{
    static const char *const texts[] = {
        "", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
    struct certificate_facts facts = {.name = "as it was"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        check_rc(certificate_read(view_text(texts[i]), &facts), FORMAT);
    assert_string_equal(facts.name, "as it was");
}

static void read__foreign_certificate_without_name__empty_name(void **state)
{
    struct tmpdir dir = tmpdir_make();
    struct path p = tmpdir_path(&dir, "pem");
    struct certificate_facts facts;
    uint8_t bytes[TEXT_MAX];

    (void)state;
    assert_int_equal(
        openssl(&dir, "req -x509 -newkey rsa:2048 -nodes -keyout k -subj /O=firm -days 2 -out pem"),
        0);
    struct view text = view_of(bytes, file_get(p.text, bytes, sizeof bytes));
    check_ok(certificate_read(text, &facts));
    assert_string_equal(facts.name, "");
    check_rc(certificate_verify(text, view_text("x"), view_text("y")), AUTH);
    tmpdir_remove(&dir);
}

/* ---- who gave them out ---- */

static ks_rc judge(const struct party *p, enum certificate_use use, int64_t now)
{
    return certificate_is_issued_by(text_of(p), text_of(&fleet.authority), use, now);
}

static void is_issued_by__own__within_its_time_and_purpose(void **state)
{
    (void)state;
    check_ok(judge(&fleet.client, CERTIFICATE_CLIENT, fleet.now));
    check_ok(judge(&fleet.server, CERTIFICATE_SERVER, fleet.now));
    check_ok(judge(&fleet.client, CERTIFICATE_CLIENT, 0));
    check_rc(judge(&fleet.client, CERTIFICATE_SERVER, fleet.now), AUTH);
    check_rc(judge(&fleet.server, CERTIFICATE_CLIENT, 0), AUTH);
    check_rc(judge(&fleet.client, CERTIFICATE_CLIENT, fleet.now - SKEW - 1), AUTH);
    check_rc(judge(&fleet.client, CERTIFICATE_CLIENT, fleet.now + 86401), AUTH);
    check_rc(judge(&fleet.client, CERTIFICATE_CLIENT, fleet.now + 2 * (int64_t)YEAR), AUTH);
}

static void is_issued_by__another_or_itself__auth(void **state)
{
    (void)state;
    check_rc(certificate_is_issued_by(text_of(&fleet.client), text_of(&fleet.other_authority),
                                      CERTIFICATE_CLIENT, fleet.now),
             AUTH);
    check_rc(judge(&fleet.authority, CERTIFICATE_CLIENT, fleet.now), AUTH);
    check_rc(certificate_is_issued_by(text_of(&fleet.client), text_of(&fleet.client),
                                      CERTIFICATE_CLIENT, fleet.now),
             AUTH);
    check_rc(
        certificate_is_issued_by(text_of(&fleet.client), view_text("x"), CERTIFICATE_CLIENT, 0),
        FORMAT);
    check_rc(
        certificate_is_issued_by(view_text("x"), text_of(&fleet.authority), CERTIFICATE_CLIENT, 0),
        FORMAT);
}

static void is_issued_by__certificate_of_a_node_as_authority__auth(void **state)
{
    const struct certificate_order order = order_for(CERTIFICATE_CLIENT, "below");
    struct party p;

    (void)state;
    make_party(&p, &fleet.client, &order);
    check_rc(certificate_is_issued_by(text_of(&p), text_of(&fleet.client), CERTIFICATE_CLIENT, 0),
             AUTH);
    check_rc(judge(&p, CERTIFICATE_CLIENT, 0), AUTH);
    drop_party(&p);
}

static void openssl_verify__agrees(void **state)
{
    struct tmpdir dir = tmpdir_make();

    (void)state;
    put(&dir, "ca", &fleet.authority.pem);
    put(&dir, "other", &fleet.other_authority.pem);
    put(&dir, "server", &fleet.server.pem);
    put(&dir, "client", &fleet.client.pem);
    assert_int_equal(openssl(&dir, "verify -x509_strict -CAfile ca -purpose sslclient client"), 0);
    assert_int_equal(openssl(&dir, "verify -x509_strict -CAfile ca -purpose sslserver "
                                   "-verify_hostname node-1.example server"),
                     0);
    assert_int_equal(openssl(&dir, "verify -x509_strict -CAfile ca -verify_ip ::1 server"), 0);
    assert_int_not_equal(openssl(&dir, "verify -CAfile ca -verify_ip 127.0.0.2 server"), 0);
    assert_int_not_equal(openssl(&dir, "verify -CAfile ca -purpose sslserver client"), 0);
    assert_int_not_equal(openssl(&dir, "verify -CAfile other -purpose sslclient client"), 0);
    tmpdir_remove(&dir);
}

/* ---- in handshakes ---- */

static void answer_name(void *arg, struct http_exchange *x)
{
    struct certificate_facts facts;

    (void)arg;
    if (ks_ok(certificate_read(http_peer_certificate(x), &facts)))
        http_answer(x, 200, "text/plain", view_text(facts.name));
    else
        http_answer(x, 500, NULL, view_text(""));
}

struct meeting {
    struct tmpdir dir;
    struct path ca, cert, key, trusted, client_cert, client_key;
    struct http_server *server;
};

static void make_paths(struct meeting *m)
{
    m->dir = tmpdir_make();
    m->ca = tmpdir_path(&m->dir, "ca");
    m->cert = tmpdir_path(&m->dir, "cert");
    m->key = tmpdir_path(&m->dir, "key");
    m->trusted = tmpdir_path(&m->dir, "trusted");
    m->client_cert = tmpdir_path(&m->dir, "client_cert");
    m->client_key = tmpdir_path(&m->dir, "client_key");
}

static void meeting_open(struct meeting *m, const struct party *server, const struct party *trusted)
{
    make_paths(m);
    file_put(m->ca.text, text_of(&fleet.authority));
    file_put(m->cert.text, text_of(server));
    file_put(m->key.text, buf_view(&server->key_pem));
    file_put(m->trusted.text, text_of(trusted));
    const struct http_server_conf conf = {.address = "127.0.0.1",
                                          .cert_file = m->cert.text,
                                          .key_file = m->key.text,
                                          .client_ca_file = m->ca.text,
                                          .threads = 1,
                                          .handle = answer_name};
    check_ok(http_server_start(&conf, &m->server));
}

static void meeting_close(struct meeting *m)
{
    http_server_stop(m->server);
    tmpdir_remove(&m->dir);
}

static ks_rc visit(struct meeting *m, const struct party *client, struct http_reply *ret)
{
    CLEANUP(http_client_freep) struct http_client *c = NULL;
    struct http_client_conf conf = {.ca_file = m->trusted.text};
    char url[64];

    if (client) {
        file_put(m->client_cert.text, text_of(client));
        file_put(m->client_key.text, buf_view(&client->key_pem));
        conf.cert_file = m->client_cert.text;
        conf.key_file = m->client_key.text;
    }
    snprintf(url, sizeof url, "https://127.0.0.1:%u/", http_server_port(m->server));
    const struct http_request request = {.method = "GET", .url = url};
    check_ok(http_client_new(&conf, &c));
    return http_client_send(c, &request, ret);
}

static void check_turned_away(struct meeting *m, const struct party *client)
{
    struct http_reply reply = {0};

    check_ok(visit(m, client, &reply));
    assert_int_equal(reply.status, 403);
    http_reply_done(&reply);
}

static void handshake__client_of_the_authority__is_known(void **state)
{
    struct http_reply reply = {0};
    struct meeting m;

    (void)state;
    meeting_open(&m, &fleet.server, &fleet.authority);
    check_ok(visit(&m, &fleet.client, &reply));
    assert_int_equal(reply.status, 200);
    assert_string_equal(buf_text(&reply.body), "node-1");
    http_reply_done(&reply);
    meeting_close(&m);
}

static void handshake__client_that_is_not_one__turned_away(void **state)
{
    struct certificate_order order = order_for(CERTIFICATE_CLIENT, "node-1");
    struct party foreign, expired;
    struct meeting m;

    (void)state;
    meeting_open(&m, &fleet.server, &fleet.authority);
    make_party(&foreign, &fleet.other_authority, &order);
    order.now -= 2 * (int64_t)86400;
    make_party(&expired, &fleet.authority, &order);
    check_turned_away(&m, NULL);
    check_turned_away(&m, &fleet.server);
    check_turned_away(&m, &foreign);
    check_turned_away(&m, &expired);
    drop_party(&foreign);
    drop_party(&expired);
    meeting_close(&m);
}

/* ---- certificates that are texts, and can be replaced ---- */

static void meeting_open_with_texts(struct meeting *m)
{
    make_paths(m);
    file_put(m->trusted.text, text_of(&fleet.authority));
    const struct http_server_conf conf = {.address = "127.0.0.1",
                                          .cert_pem = text_of(&fleet.server),
                                          .key_pem = buf_view(&fleet.server.key_pem),
                                          .client_ca_pem = text_of(&fleet.authority),
                                          .threads = 1,
                                          .handle = answer_name};
    check_ok(http_server_start(&conf, &m->server));
}

/* A client that connects and never says a word of TLS. */
static void handshake__that_does_not_come__connection_ends(void **state)
{
    const struct http_server_conf conf = {.address = "127.0.0.1",
                                          .cert_pem = text_of(&fleet.server),
                                          .key_pem = buf_view(&fleet.server.key_pem),
                                          .threads = 1,
                                          .request_seconds_max = 1,
                                          .handle = answer_name};
    struct sockaddr_in to = {.sin_family = AF_INET};
    struct http_server *server;
    char byte;

    (void)state;
    check_ok(http_server_start(&conf, &server));
    to.sin_port = htons(http_server_port(server));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(send(fd, "\x16\x03\x01", 3, MSG_NOSIGNAL), 3); /* a record begins */
    assert_true(recv(fd, &byte, 1, 0) <= 0);
    close(fd);
    http_server_stop(server);
}

static void handshake__texts_instead_of_files__the_same(void **state)
{
    struct http_reply reply = {0};
    struct meeting m;

    (void)state;
    meeting_open_with_texts(&m);
    check_ok(visit(&m, &fleet.client, &reply));
    assert_int_equal(reply.status, 200);
    assert_string_equal(buf_text(&reply.body), "node-1");
    http_reply_done(&reply);
    check_turned_away(&m, NULL);
    check_turned_away(&m, &fleet.server);
    meeting_close(&m);
}

static void renew__other_certificate__next_handshakes_show_it(void **state)
{
    const struct certificate_order order = order_for(CERTIFICATE_SERVER, "serve");
    struct http_reply reply = {0};
    struct party fresh;
    struct meeting m;

    (void)state;
    meeting_open_with_texts(&m);
    make_party(&fresh, &fleet.other_authority, &order);
    check_ok(http_server_renew(m.server, text_of(&fresh), buf_view(&fresh.key_pem)));
    check_class(visit(&m, &fleet.client, &reply), UNREACHABLE);
    file_put(m.trusted.text, text_of(&fleet.other_authority));
    check_ok(visit(&m, &fleet.client, &reply));
    assert_int_equal(reply.status, 200);
    http_reply_done(&reply);
    drop_party(&fresh);
    meeting_close(&m);
}

static void renew__no_pair_or_files__usage_and_as_before(void **state)
{
    struct view cert = text_of(&fleet.server), key = buf_view(&fleet.server.key_pem);
    struct http_reply reply = {0};
    struct meeting m;

    (void)state;
    meeting_open_with_texts(&m);
    check_rc(http_server_renew(m.server, cert, buf_view(&fleet.client.key_pem)), USAGE);
    check_rc(http_server_renew(m.server, view_text("no PEM"), key), USAGE);
    check_ok(visit(&m, &fleet.client, &reply));
    assert_int_equal(reply.status, 200);
    http_reply_done(&reply);
    meeting_close(&m);
    meeting_open(&m, &fleet.server, &fleet.authority);
    check_rc(http_server_renew(m.server, cert, key), USAGE);
    meeting_close(&m);
}

static void start__texts_that_are_no_pair__usage(void **state)
{
    struct http_server *s = NULL;
    const struct http_server_conf conf = {.address = "127.0.0.1",
                                          .cert_pem = text_of(&fleet.server),
                                          .key_pem = buf_view(&fleet.client.key_pem),
                                          .handle = answer_name};

    (void)state;
    check_rc(http_server_start(&conf, &s), USAGE);
    assert_null(s);
}

static void check_distrusted(const struct party *server, const struct party *trusted)
{
    struct http_reply reply = {0};
    struct meeting m;

    meeting_open(&m, server, trusted);
    check_class(visit(&m, &fleet.client, &reply), UNREACHABLE);
    meeting_close(&m);
}

static void handshake__server_that_is_not_one__client_goes_away(void **state)
{
    struct certificate_order order = order_for(CERTIFICATE_SERVER, "serve");
    struct party expired, elsewhere;

    (void)state;
    order.alternates = "elsewhere.example";
    make_party(&elsewhere, &fleet.authority, &order);
    order = order_for(CERTIFICATE_SERVER, "serve");
    order.now -= 2 * (int64_t)86400;
    make_party(&expired, &fleet.authority, &order);
    check_distrusted(&fleet.server, &fleet.other_authority);
    check_distrusted(&expired, &fleet.authority);
    check_distrusted(&elsewhere, &fleet.authority);
    drop_party(&expired);
    drop_party(&elsewhere);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_pair__written_and_read__signs_for_the_same_certificate),
        cmocka_unit_test(key_pair_write__plain_buffer_or_too_small__nothing_written),
        cmocka_unit_test(key_pair_read__not_a_p256_key__format),
        cmocka_unit_test(key_pair_read__other_curve_rsa_or_passphrase__format),
        cmocka_unit_test(issue__ordered__facts_are_those_of_the_order),
        cmocka_unit_test(issue__beyond_the_authority__ends_with_it),
        cmocka_unit_test(issue__order_that_cannot_be__usage_and_nothing_written),
        cmocka_unit_test(issue__authority_of_another_key__wrong_key),
        cmocka_unit_test(issue__request_of_openssl__only_p256_signed_by_itself),
        cmocka_unit_test(request_make__bad_name__usage),
        cmocka_unit_test(make__no_randomness__fails),
        cmocka_unit_test(read__der_and_pem_with_text_around__the_same_facts),
        cmocka_unit_test(read__no_certificate__format_and_output_alone),
        cmocka_unit_test(read__foreign_certificate_without_name__empty_name),
        cmocka_unit_test(is_issued_by__own__within_its_time_and_purpose),
        cmocka_unit_test(is_issued_by__another_or_itself__auth),
        cmocka_unit_test(is_issued_by__certificate_of_a_node_as_authority__auth),
        cmocka_unit_test(openssl_verify__agrees),
        cmocka_unit_test(handshake__client_of_the_authority__is_known),
        cmocka_unit_test(handshake__client_that_is_not_one__turned_away),
        cmocka_unit_test(handshake__server_that_is_not_one__client_goes_away),
        cmocka_unit_test(handshake__that_does_not_come__connection_ends),
        cmocka_unit_test(handshake__texts_instead_of_files__the_same),
        cmocka_unit_test(renew__other_certificate__next_handshakes_show_it),
        cmocka_unit_test(renew__no_pair_or_files__usage_and_as_before),
        cmocka_unit_test(start__texts_that_are_no_pair__usage),
    };

    return cmocka_run_group_tests(tests, make_fleet, drop_fleet);
}
