/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/server.c - which protocol a request belongs to.
 */
#include "localkms/server.h"

#include <pthread.h>

#include "base/mem.h"
#include "localkms/admin.h"
#include "localkms/aws_call.h"
#include "localkms/aws_query.h"
#include "localkms/gcp_call.h"

enum { TICK_MS = 1000 };

static const struct lk_wire *const wires[] = {
    &admin_wire,
    &aws_kms_wire,
    &aws_query_wire,
    &goog_wire,
};

static void handle(void *arg, struct http_exchange *x)
{
    struct realm *r = arg;

    for (size_t i = 0; i < sizeof wires / sizeof *wires; i++)
        if (wires[i]->is_mine(x)) {
            wires[i]->handle(r, x);
            return;
        }
    http_answer(x, 404, "application/json", view_text("{\"message\":\"no such service here\"}"));
}

struct lk_server {
    struct realm *realm;
    struct http_server *http;
    pthread_t keeper;
    pthread_mutex_t mutex;
    pthread_cond_t ending_changed;
    bool is_ending, has_keeper;
};

static void *keeper_main(void *arg)
{
    struct lk_server *s = arg;

    pthread_mutex_lock(&s->mutex);
    while (!s->is_ending) {
        struct timespec until = clock_deadline(TICK_MS);
        pthread_cond_timedwait(&s->ending_changed, &s->mutex, &until);
        if (s->is_ending)
            break;
        pthread_mutex_unlock(&s->mutex);
        /* a store that fails is tried again; until then what is due counts as done for every use */
        IGNORE(aws_keys_tick(s->realm));
        IGNORE(goog_tick(s->realm));
        pthread_mutex_lock(&s->mutex);
    }
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

static ks_rc start(struct lk_server *s, const struct http_server_conf *conf)
{
    struct http_server_conf own = *conf;

    own.handle = handle;
    own.arg = s->realm;
    if (own.body_bytes_max == 0)
        own.body_bytes_max = LK_BODY_BYTES_MAX;
    int err = pthread_create(&s->keeper, NULL, keeper_main, s);
    if (err != 0)
        return ks_fail_os(err, "a thread");
    s->has_keeper = true;
    return http_server_start(&own, &s->http);
}

ks_rc lk_server_start(struct realm *r, const struct http_server_conf *conf, struct lk_server **ret)
{
    struct lk_server *s;

    TRY(mem_new(1, sizeof *s, &s));
    s->realm = r;
    pthread_mutex_init(&s->mutex, NULL);
    clock_cond_init(&s->ending_changed);
    ks_rc rc = start(s, conf);
    if (!ks_ok(rc)) {
        lk_server_stop(s);
        return rc;
    }
    *ret = s;
    return KS_SUCCESS;
}

void lk_server_stop(struct lk_server *s)
{
    if (!s)
        return;
    http_server_stop(s->http);
    pthread_mutex_lock(&s->mutex);
    s->is_ending = true;
    pthread_cond_signal(&s->ending_changed);
    pthread_mutex_unlock(&s->mutex);
    if (s->has_keeper)
        pthread_join(s->keeper, NULL);
    pthread_cond_destroy(&s->ending_changed);
    pthread_mutex_destroy(&s->mutex);
    mem_free(s);
}

uint16_t lk_server_port(const struct lk_server *s)
{
    return http_server_port(s->http);
}
