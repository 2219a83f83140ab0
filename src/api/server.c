/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/server.c - starting and stopping the listeners, and their certificates.
 */
#include "api/server.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/serve.h"
#include "base/log.h"
#include "base/mem.h"
#include "crypto/certificate.h"

enum {
    KEEPER_MS = 60 * 1000, /* between two looks at the age of the certificate */
    THREADS = 8,           /* a change waits for the disk; the others go on */
    API_CONNECTIONS = 4096,
    API_CONNECTIONS_PER_CLIENT = 1024,
    API_HEAD_BYTES = 32 * 1024,
    API_IDLE_SECONDS = 30,
    API_REQUEST_SECONDS = 20,
    NODE_CONNECTIONS = 20000,
    NODE_HEAD_BYTES = 8 * 1024,
    NODE_IDLE_SECONDS = 120,
    NODE_REQUEST_SECONDS = 60, /* a report of 4 MiB over a slow line */
    WAITING_MAX = NODE_CONNECTIONS + API_CONNECTIONS,
    WAITING_OF_ORGANISATION = 256,
    KEPT_MAX = 32768,             /* replies; a few dozen MiB when all are there */
    FAILURES_PER_SECOND = 5,      /* of one network */
    CONNECTIONS_PER_SECOND = 200, /* of one network, of the API */
    NODE_PER_SECOND = 100,        /* of one certificate */
    KEYS_OF_ORGANISATION = 4,     /* whose rates an organisation has together */
    PEM_BYTES_MAX = 64 * 1024,
    NAMES_BYTES = 2048,
    HOST_NAME_BYTES = 65,
};

static const struct api_dialect *const api_dialects[] = {&native_dialect, &crdb_dialect,
                                                         &node_join_dialect};
static const struct api_dialect *const node_dialects[] = {&node_dialect};

struct api_server {
    struct api api;
    struct listener listener, node_listener;
    struct http_server *http, *node_http;
    char names[NAMES_BYTES]; /* of the certificates */
    char url[API_URL_BYTES];
    int64_t renewed_from; /* wall seconds: when a third of the certificate's time is left */
    bool is_api_certified;

    pthread_t keeper;
    pthread_mutex_t mutex;
    pthread_cond_t ending_changed;
    bool is_ending, has_keeper;
};

static void told(void *arg, char kind, const char *id)
{
    struct api_server *s = arg;

    waiters_tell(s->api.waiters, kind, id);
}

/* ---- certificates ---- */

static bool is_any(const char *address)
{
    return strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
}

static ks_rc collect_names(struct api_server *s, const struct api_server_conf *conf)
{
    const char *more[] = {conf->names, is_any(conf->api.address) ? NULL : conf->api.address,
                          is_any(conf->nodes.address) ? NULL : conf->nodes.address};
    char host[HOST_NAME_BYTES] = "";
    size_t len;

    if (gethostname(host, sizeof host - 1) != 0 || !host[0])
        snprintf(host, sizeof host, "localhost");
    len = (size_t)snprintf(s->names, sizeof s->names, "localhost,127.0.0.1,::1,%s", host);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        size_t room = sizeof s->names - len;
        if (more[i] && more[i][0])
            len += (size_t)snprintf(s->names + len, room, ",%s", more[i]);
        ENSURE(len < sizeof s->names, KS_E_USAGE, "more names than a certificate takes");
    }
    return KS_SUCCESS;
}

struct identity {
    struct buf chain, key;
};

static void identity_done(struct identity *i)
{
    buf_done(&i->chain);
    buf_done(&i->key);
}

/* The chain goes up to the authority: by that a node knows, before it says a word, to whom it speaks. */
static ks_rc identity_make(struct api_server *s, struct identity *ret)
{
    struct certificate_facts facts;

    *ret = (struct identity){buf_init(PEM_BYTES_MAX), buf_init_wiping(PEM_BYTES_MAX)};
    TRY(control_server_certificate(s->api.control, s->names, &ret->chain, &ret->key));
    TRY(certificate_read(buf_view(&ret->chain), &facts));
    s->renewed_from = facts.not_after - (facts.not_after - facts.not_before) / 3;
    return buf_append(&ret->chain, view_text(control_authority(s->api.control)));
}

static ks_rc renew(struct api_server *s)
{
    CLEANUP(identity_done) struct identity fresh = {0};

    TRY(identity_make(s, &fresh));
    TRY(http_server_renew(s->node_http, buf_view(&fresh.chain), buf_view(&fresh.key)));
    if (s->is_api_certified)
        TRY(http_server_renew(s->http, buf_view(&fresh.chain), buf_view(&fresh.key)));
    return KS_SUCCESS;
}

static void renew_when_due(struct api_server *s)
{
    if (clock_wall_s(s->api.clock) < s->renewed_from)
        return;
    ks_rc rc = renew(s);
    if (ks_ok(rc))
        log_line(LOG_NOTICE, "the certificates of the listeners have been renewed");
    else
        log_line(LOG_ERROR, "renewing the certificates of the listeners: %s", ks_text(rc));
}

static void *keeper_main(void *arg)
{
    struct api_server *s = arg;

    pthread_mutex_lock(&s->mutex);
    while (!s->is_ending) {
        struct timespec until = clock_deadline(KEEPER_MS);
        pthread_cond_timedwait(&s->ending_changed, &s->mutex, &until);
        pthread_mutex_unlock(&s->mutex);
        renew_when_due(s);
        pthread_mutex_lock(&s->mutex);
    }
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

/* ---- listeners ---- */

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* A handshake costs more than a request. */
static bool admit_connection(void *listener, const char *network)
{
    const struct listener *l = listener;

    return limiter_take(l->api->connections, network) == 0;
}

static ks_rc start_api(struct api_server *s, const struct api_server_conf *conf,
                       const struct identity *own)
{
    struct http_server_conf http = {.address = conf->api.address,
                                    .port = conf->api.port,
                                    .cert_file = conf->cert_file,
                                    .key_file = conf->key_file,
                                    .threads = THREADS,
                                    .connections_max = API_CONNECTIONS,
                                    .connections_per_client_max = API_CONNECTIONS_PER_CLIENT,
                                    .idle_seconds_max = API_IDLE_SECONDS,
                                    .request_seconds_max = API_REQUEST_SECONDS,
                                    .admit = admit_connection,
                                    .head_bytes_max = API_HEAD_BYTES,
                                    .body_bytes_max = router_body_max(s->listener.router),
                                    .handle = api_serve,
                                    .too_large = api_serve_too_large,
                                    .arg = &s->listener};

    ENSURE(!conf->is_plain || is_loopback(conf->api.address), KS_E_USAGE,
           "%s is reached from elsewhere: keys would cross the network in clear; leave TLS on",
           conf->api.address);
    ENSURE(!conf->is_plain || !conf->cert_file, KS_E_USAGE,
           "a certificate is of no use without TLS");
    s->is_api_certified = !conf->is_plain && !conf->cert_file;
    if (s->is_api_certified) {
        http.cert_pem = buf_view(&own->chain);
        http.key_pem = buf_view(&own->key);
    }
    return http_server_start(&http, &s->http);
}

static ks_rc start_nodes(struct api_server *s, const struct api_server_conf *conf,
                         const struct identity *own)
{
    const struct http_server_conf http = {
        .address = conf->nodes.address,
        .port = conf->nodes.port,
        .cert_pem = buf_view(&own->chain),
        .key_pem = buf_view(&own->key),
        .client_ca_pem = view_text(control_authority(conf->control)),
        .threads = THREADS,
        .connections_max = NODE_CONNECTIONS,
        .idle_seconds_max = NODE_IDLE_SECONDS,
        .request_seconds_max = NODE_REQUEST_SECONDS,
        .head_bytes_max = NODE_HEAD_BYTES,
        .body_bytes_max = router_body_max(s->node_listener.router),
        .handle = api_serve,
        .too_large = api_serve_too_large,
        .arg = &s->node_listener};

    return http_server_start(&http, &s->node_http);
}

static void write_url(char *out, size_t room, bool is_tls, const char *host, uint16_t port)
{
    bool is_v6 = strchr(host, ':') != NULL;

    snprintf(out, room, is_v6 ? "%s://[%s]:%u" : "%s://%s:%u", is_tls ? "https" : "http", host,
             port);
}

/* The name by which others are told to reach a listener. */
static const char *host_of(const struct api_server_conf *conf, const struct api_listen *listen,
                           char room[HOST_BYTES])
{
    if (conf->names && conf->names[0]) {
        snprintf(room, HOST_BYTES, "%.*s", (int)strcspn(conf->names, ","), conf->names);
        return room;
    }
    if (!is_any(listen->address))
        return listen->address;
    return strcmp(listen->address, "::") == 0 ? "::1" : "127.0.0.1";
}

static void write_urls(struct api_server *s, const struct api_server_conf *conf)
{
    char room[HOST_BYTES];

    write_url(s->url, sizeof s->url, !conf->is_plain, host_of(conf, &conf->api, room),
              http_server_port(s->http));
    write_url(s->api.nodes_url, sizeof s->api.nodes_url, true, host_of(conf, &conf->nodes, room),
              http_server_port(s->node_http));
}

/* ---- start and stop ---- */

static ks_rc prepare(struct api_server *s, const struct api_server_conf *conf)
{
    struct api *a = &s->api;

    a->control = conf->control;
    a->clock = conf->clock;
    snprintf(a->backup_dir, sizeof a->backup_dir, "%s", conf->backup_dir);
    TRY(random_fill(conf->random, &a->life, sizeof a->life));
    uint32_t rate = conf->requests_per_second;
    TRY(limiter_new(rate, conf->clock, &a->keys));
    TRY(limiter_new(rate < UINT32_MAX / KEYS_OF_ORGANISATION ? rate * KEYS_OF_ORGANISATION : rate,
                    conf->clock, &a->organisations));
    TRY(limiter_new(NODE_PER_SECOND, conf->clock, &a->nodes));
    TRY(limiter_new(rate ? CONNECTIONS_PER_SECOND : 0, conf->clock, &a->connections));
    TRY(limiter_new(FAILURES_PER_SECOND, conf->clock, &a->failures));
    TRY(waiters_new(WAITING_MAX, WAITING_OF_ORGANISATION, &a->waiters));
    TRY(keeper_new(KEPT_MAX, &a->keeper));
    s->listener = (struct listener){.api = a,
                                    .dialects = api_dialects,
                                    .dialect_count = sizeof api_dialects / sizeof *api_dialects};
    s->node_listener = (struct listener){.api = a, .dialects = node_dialects, .dialect_count = 1};
    TRY(router_new(api_dialects, s->listener.dialect_count, &s->listener.router));
    TRY(router_new(node_dialects, 1, &s->node_listener.router));
    return collect_names(s, conf);
}

static ks_rc start(struct api_server *s, const struct api_server_conf *conf)
{
    CLEANUP(identity_done) struct identity own = {0};

    TRY(prepare(s, conf));
    TRY(identity_make(s, &own));
    control_watch(conf->control, told, s);
    TRY(start_api(s, conf, &own));
    TRY(start_nodes(s, conf, &own));
    write_urls(s, conf);
    int err = pthread_create(&s->keeper, NULL, keeper_main, s);
    if (err != 0)
        return ks_fail_os(err, "a thread");
    s->has_keeper = true;
    return KS_SUCCESS;
}

static void forget_news(void *arg, char kind, const char *id)
{
    (void)arg;
    (void)kind;
    (void)id;
}

ks_rc api_server_start(const struct api_server_conf *conf, struct api_server **ret)
{
    struct api_server *s;

    TRY(mem_new(1, sizeof *s, &s));
    pthread_mutex_init(&s->mutex, NULL);
    clock_cond_init(&s->ending_changed);
    ks_rc rc = start(s, conf);
    if (ks_ok(rc)) {
        *ret = s;
        return KS_SUCCESS;
    }
    control_watch(conf->control, forget_news, NULL);
    api_server_stop(s);
    api_server_free(s);
    return rc;
}

void api_server_stop(struct api_server *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->mutex);
    s->is_ending = true;
    pthread_cond_signal(&s->ending_changed);
    pthread_mutex_unlock(&s->mutex);
    if (s->has_keeper) /* it renews what the listeners show */
        pthread_join(s->keeper, NULL);
    s->has_keeper = false;
    http_server_stop(s->http);
    http_server_stop(s->node_http);
    s->http = s->node_http = NULL;
}

void api_server_free(struct api_server *s)
{
    if (!s)
        return;
    router_free(s->listener.router);
    router_free(s->node_listener.router);
    limiter_free(s->api.keys);
    limiter_free(s->api.organisations);
    limiter_free(s->api.nodes);
    limiter_free(s->api.connections);
    limiter_free(s->api.failures);
    waiters_free(s->api.waiters);
    keeper_free(s->api.keeper);
    pthread_cond_destroy(&s->ending_changed);
    pthread_mutex_destroy(&s->mutex);
    mem_free(s);
}

const char *api_server_url(const struct api_server *s)
{
    return s->url;
}

const char *api_server_nodes_url(const struct api_server *s)
{
    return s->api.nodes_url;
}
