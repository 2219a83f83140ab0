/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/http_client.c - requests over libcurl.
 *
 * Owns a stack of lanes. A lane is a curl multi handle, which keeps the connections, names and authorities that
 * its requests left; one thread uses it at a time. libcurl can share connections between handles of several
 * threads too, but says itself that this is not safe. Each request gets an easy handle of its own, so that
 * its buffers are given back, and libcurl's memory is wiped when it is given back: nothing of a reply stays.
 */
#include "net/http_client.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/version.h"
#include "crypto/tls.h"

enum {
    TIMEOUT_MS = 30000,
    REPLY_BYTES = 1024 * 1024,
    HEADER_BYTES = 64 * 1024,
    IDLE_LANES_MAX = 16,
    TEXT_BYTES = 300,
    PROBE_EVERY_S = 5, /* of a peer that says nothing */
};

struct lane {
    struct lane *next;
    CURLM *multi;
};

struct http_client {
    struct clock *clock;
    char *ca_file, *cert_file, *key_file, *proxy, *no_proxy, *user_agent;
    bool is_unverified;
    pthread_mutex_t mutex; /* idle */
    struct lane *idle;
    unsigned idle_count;
};

/* One request under way. */
struct transfer {
    struct http_client *client;
    CURL *easy;
    struct curl_slist *headers;
    struct http_reply reply;
    char error[CURL_ERROR_SIZE];
    char host[TEXT_BYTES];
    ks_rc rc; /* why a callback stopped the transfer */
};

/* What curl says and what it means here. Everything else is UNREACHABLE: it is no answer. */
static const struct {
    CURLcode said;
    enum ks_code means;
} meanings[] = {
    {CURLE_URL_MALFORMAT, KS_E_USAGE},
    /* the scheme was looked at before; this is an answer in HTTP/0.9 or in no protocol at all */
    {CURLE_UNSUPPORTED_PROTOCOL, KS_E_BAD_REPLY},
    {CURLE_WEIRD_SERVER_REPLY, KS_E_BAD_REPLY},
    {CURLE_BAD_CONTENT_ENCODING, KS_E_BAD_REPLY},
    {CURLE_OPERATION_TIMEDOUT, KS_E_TIMEOUT},
    {CURLE_OUT_OF_MEMORY, KS_E_NO_MEMORY},
    {CURLE_SSL_CERTPROBLEM, KS_E_CREDENTIAL},
    {CURLE_BAD_FUNCTION_ARGUMENT, KS_E_BUG},
    {CURLE_UNKNOWN_OPTION, KS_E_BUG},
};

static enum ks_code meaning(CURLcode said)
{
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (meanings[i].said == said)
            return meanings[i].means;
    return KS_E_UNREACHABLE;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool is_curl_ready;

static void start_curl(void)
{
    is_curl_ready =
        curl_global_init_mem(CURL_GLOBAL_DEFAULT, mem_wiped_new, mem_wiped_free, mem_wiped_grow,
                             mem_wiped_text, mem_wiped_new_many) == CURLE_OK;
}

static ks_rc copy_text(const char *text, char **ret)
{
    return text ? mem_text(text, ret) : KS_SUCCESS;
}

ks_rc http_client_new(const struct http_client_conf *conf, struct http_client **ret)
{
    CLEANUP(http_client_freep) struct http_client *c = NULL;

    pthread_once(&once, start_curl);
    ENSURE(is_curl_ready, KS_E_NO_MEMORY, "libcurl does not start");
    TRY(mem_new(1, sizeof *c, &c));
    pthread_mutex_init(&c->mutex, NULL);
    c->clock = conf->clock ? conf->clock : clock_system();
    c->is_unverified = conf->is_unverified;
    TRY(copy_text(conf->ca_file, &c->ca_file));
    TRY(copy_text(conf->cert_file, &c->cert_file));
    TRY(copy_text(conf->key_file, &c->key_file));
    TRY(copy_text(conf->proxy, &c->proxy));
    TRY(copy_text(conf->no_proxy, &c->no_proxy));
    TRY(conf->user_agent ? mem_text(conf->user_agent, &c->user_agent)
                         : mem_format(&c->user_agent, "keystead/%s", keystead_version));
    *ret = TAKE(c);
    return KS_SUCCESS;
}

static void lane_free(struct lane *l)
{
    if (l)
        curl_multi_cleanup(l->multi);
    mem_free(l);
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    while (c->idle) {
        struct lane *l = c->idle;
        c->idle = l->next;
        lane_free(l);
    }
    pthread_mutex_destroy(&c->mutex);
    mem_free(c->ca_file);
    mem_free(c->cert_file);
    mem_free(c->key_file);
    mem_free(c->proxy);
    mem_free(c->no_proxy);
    mem_free(c->user_agent);
    mem_free(c);
}

void http_client_freep(struct http_client **c)
{
    http_client_free(*c);
}

/* The lane used last has the connection that is most likely still open. */
static ks_rc lane_get(struct http_client *c, struct lane **ret)
{
    struct lane *l;

    pthread_mutex_lock(&c->mutex);
    l = c->idle;
    if (l) {
        c->idle = l->next;
        c->idle_count--;
    }
    pthread_mutex_unlock(&c->mutex);
    if (!l) {
        TRY(mem_new(1, sizeof *l, &l));
        l->multi = curl_multi_init();
        if (!l->multi) {
            mem_free(l);
            return ks_fail(KS_E_NO_MEMORY, "no memory for a connection");
        }
    }
    *ret = l;
    return KS_SUCCESS;
}

static void lane_put(struct http_client *c, struct lane *l)
{
    pthread_mutex_lock(&c->mutex);
    bool is_kept = c->idle_count < IDLE_LANES_MAX;
    if (is_kept) {
        l->next = c->idle;
        c->idle = l;
        c->idle_count++;
    }
    pthread_mutex_unlock(&c->mutex);
    if (!is_kept)
        lane_free(l);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;

    t->rc = buf_append(&t->reply.body, view_of(bytes, size * count));
    return ks_ok(t->rc) ? size * count : 0;
}

/* Also called for interim answers (100 Continue); what counts is the last head. */
static size_t on_header(char *bytes, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;

    if (size * count >= 5 && memcmp(bytes, "HTTP/", 5) == 0)
        t->reply.header.len = 0;
    t->rc = buf_append(&t->reply.header, view_of(bytes, size * count));
    return ks_ok(t->rc) ? size * count : 0;
}

static CURLcode on_tls(CURL *easy, void *context, void *arg)
{
    (void)easy, (void)arg;
    crypto_tls_wipe_plaintext(context);
    return CURLE_OK;
}

/* The host of url, for texts; a query may hold what must not be told. */
static ks_rc check_url(const char *url, struct transfer *t)
{
    CURLU *parsed = curl_url();
    char *scheme = NULL, *host = NULL;

    ENSURE(parsed, KS_E_NO_MEMORY, "no memory for a URL");
    bool is_url = strlen(url) < HTTP_URL_MAX &&
                  curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
                  curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                  curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK;
    bool is_http = is_url && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    if (is_url)
        snprintf(t->host, sizeof t->host, "%s", host);
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(parsed);
    ENSURE(is_url, KS_E_USAGE, "not a URL, or longer than %d bytes", HTTP_URL_MAX - 1);
    ENSURE(is_http, KS_E_USAGE, "the URL of %s is neither http nor https", t->host);
    return KS_SUCCESS;
}

static ks_rc add_line(struct transfer *t, const char *line)
{
    struct curl_slist *longer = curl_slist_append(t->headers, line);

    ENSURE(longer, KS_E_NO_MEMORY, "no memory for a header");
    t->headers = longer;
    return KS_SUCCESS;
}

/* curl's form of a header without value ends in ';' */
static ks_rc add_header(struct transfer *t, const struct http_header *h)
{
    CLEANUP(buf_done) struct buf line = buf_init_wiping(HEADER_BYTES);

    ENSURE(h->name[0] && !strpbrk(h->name, "\r\n: ") && !strpbrk(h->value, "\r\n"), KS_E_USAGE,
           "the header %.60s would break its line", h->name);
    TRY(h->value[0] ? buf_printf(&line, "%s: %s", h->name, h->value)
                    : buf_printf(&line, "%s;", h->name));
    return add_line(t, buf_text(&line));
}

static bool has_header(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (strcasecmp(request->headers[i].name, name) == 0)
            return true;
    return false;
}

static ks_rc set_headers(struct transfer *t, const struct http_request *request)
{
    ENSURE(request->header_count <= HTTP_HEADERS_MAX, KS_E_BUG, "too many headers");
    for (size_t i = 0; i < request->header_count; i++)
        TRY(add_header(t, &request->headers[i]));
    TRY(add_line(t, "Expect:"));
    if (!has_header(request, "Content-Type"))
        TRY(add_line(t, "Content-Type:"));
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    return KS_SUCCESS;
}

static void set_method(CURL *easy, const struct http_request *request)
{
    const char *method = request->method;
    bool has_body = request->body.len > 0 || strcmp(method, "POST") == 0 ||
                    strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;

    if (has_body) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                         request->body.len ? request->body.bytes : (const void *)"");
    } else if (strcmp(method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

static void set_tls(CURL *easy, const struct http_client *c)
{
    /* without a directory of authorities libcurl keeps what it has read of the file */
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    if (c->ca_file)
        curl_easy_setopt(easy, CURLOPT_CAINFO, c->ca_file);
    if (c->cert_file)
        curl_easy_setopt(easy, CURLOPT_SSLCERT, c->cert_file);
    if (c->key_file)
        curl_easy_setopt(easy, CURLOPT_SSLKEY, c->key_file);
    if (c->is_unverified) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls);
}

static void set_option(int fd, int level, int name, int value)
{
    /* without it the deadline of the request has to do */
    (void)setsockopt(fd, level, name, &value, sizeof value);
}

/* A peer that is gone, or that a router between has forgotten, is told from one that thinks. */
static int on_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
    (void)arg, (void)purpose;
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, PROBE_EVERY_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, PROBE_EVERY_S);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, HTTP_SILENT_MS_MAX);
    return CURL_SOCKOPT_OK;
}

static void set_times(struct transfer *t, const struct http_request *request, uint64_t left_ms)
{
    uint64_t connect_ms = request->connect_ms_max && request->connect_ms_max < left_ms
                              ? request->connect_ms_max
                              : left_ms;

    curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)left_ms);
    curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    /* a resolver that hangs is left behind instead of waited for */
    curl_easy_setopt(t->easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(t->easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
}

static void set_rest(struct transfer *t, const struct http_request *request)
{
    const struct http_client *c = t->client;

    curl_easy_setopt(t->easy, CURLOPT_URL, request->url);
    curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(t->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(t->easy, CURLOPT_PROXY, c->proxy ? c->proxy : "");
    curl_easy_setopt(t->easy, CURLOPT_NOPROXY, c->no_proxy ? c->no_proxy : "");
    curl_easy_setopt(t->easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(t->easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(t->easy, CURLOPT_USERAGENT, c->user_agent);
    curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
}

/* Moves the one transfer of the lane on until it has ended. */
static CURLcode transfer_run(struct lane *l, CURL *easy)
{
    CURLcode result = CURLE_FAILED_INIT;
    int running = 1, left;

    if (curl_multi_add_handle(l->multi, easy) != CURLM_OK)
        return CURLE_OUT_OF_MEMORY;
    while (running && curl_multi_perform(l->multi, &running) == CURLM_OK)
        if (running && curl_multi_poll(l->multi, NULL, 0, TIMEOUT_MS, NULL) != CURLM_OK)
            break;
    for (const CURLMsg *m; (m = curl_multi_info_read(l->multi, &left));)
        if (m->msg == CURLMSG_DONE)
            result = m->data.result;
    curl_multi_remove_handle(l->multi, easy);
    return result;
}

static ks_rc transfer_result(const struct transfer *t, CURLcode said)
{
    const char *why = t->error[0] ? t->error : curl_easy_strerror(said);

    if (said == CURLE_OK)
        return KS_SUCCESS;
    if (said == CURLE_WRITE_ERROR && !ks_ok(t->rc))
        return t->rc.code == KS_E_LIMIT
                   ? ks_fail(KS_E_BAD_REPLY, "%s: the reply is longer than %zu bytes", t->host,
                             t->reply.body.max_bytes)
                   : t->rc;
    return ks_fail(meaning(said), "%s: %s", t->host, why);
}

static void transfer_done(struct transfer *t)
{
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    http_reply_done(&t->reply);
}

static ks_rc transfer_prepare(struct transfer *t, const struct http_request *request)
{
    uint64_t now = clock_boot_ms(t->client->clock);
    uint64_t deadline = request->deadline_ms ? request->deadline_ms : now + TIMEOUT_MS;

    TRY(check_url(request->url, t));
    ENSURE(deadline > now, KS_E_TIMEOUT, "%s: no time is left to ask", t->host);
    t->easy = curl_easy_init();
    ENSURE(t->easy, KS_E_NO_MEMORY, "no memory for a request");
    set_rest(t, request);
    set_method(t->easy, request);
    set_tls(t->easy, t->client);
    set_times(t, request, deadline - now);
    return set_headers(t, request);
}

ks_rc http_client_send(struct http_client *c, const struct http_request *request,
                       struct http_reply *ret)
{
    size_t bytes_max = request->reply_bytes_max ? request->reply_bytes_max : REPLY_BYTES;
    CLEANUP(transfer_done)
    struct transfer t = {
        .client = c,
        .reply = {.body = buf_init_wiping(bytes_max), .header = buf_init_wiping(HEADER_BYTES)}};
    struct lane *l = NULL;
    long status = 0;

    TRY(transfer_prepare(&t, request));
    TRY(lane_get(c, &l));
    CURLcode said = transfer_run(l, t.easy);
    lane_put(c, l);
    TRY(transfer_result(&t, said));
    curl_easy_getinfo(t.easy, CURLINFO_RESPONSE_CODE, &status);
    t.reply.status = (int)status;
    *ret = t.reply;
    t.reply = (struct http_reply){0};
    return KS_SUCCESS;
}
