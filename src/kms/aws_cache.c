/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_cache.c - credentials of one origin, renewed ahead of their end.
 */
#include "kms/aws_cache.h"

#include <stdio.h>

enum {
    AHEAD_S = 300,       /* before their end */
    AHEAD_JITTER_S = 60, /* and up to this much earlier, so that hosts do not come in step */
    RETRY_MS = 30000,    /* after a renewal that failed */
    TEXT_BYTES = 512,
};

void aws_cache_init(struct aws_cache *c, const struct aws_cache_conf *conf)
{
    *c = (struct aws_cache){.http = conf->http,
                            .random = conf->random,
                            .fetch = conf->fetch,
                            .fetch_arg = conf->fetch_arg,
                            .renew_ms_max = conf->renew_ms_max};
    pthread_mutex_init(&c->mutex, NULL);
    clock_cond_init(&c->renewed);
}

void aws_cache_done(struct aws_cache *c)
{
    aws_credentials_unref(c->current);
    pthread_cond_destroy(&c->renewed);
    pthread_mutex_destroy(&c->mutex);
}

/* From 0 to max - 1. */
static uint64_t draw(struct aws_cache *c, uint64_t max)
{
    uint32_t n = 0;

    /* Without randomness it is merely not spread. */
    IGNORE(random_fill(c->random, &n, sizeof n));
    return max ? n % max : 0;
}

static bool has_expired(const struct aws_cache *c)
{
    return c->current->expires_s && aws_http_now_s(c->http) >= c->current->expires_s;
}

/* Ahead of the end by five minutes and a bit, or by half of what is left of a short life. */
static uint64_t renewal_ms(struct aws_cache *c, const struct aws_credentials *fresh)
{
    uint64_t now_ms = clock_boot_ms(c->http->clock), in_ms = UINT64_MAX;
    int64_t left_s = fresh->expires_s - aws_http_now_s(c->http);

    if (fresh->expires_s) {
        int64_t ahead_s = AHEAD_S + (int64_t)draw(c, AHEAD_JITTER_S);
        if (ahead_s > left_s / 2)
            ahead_s = left_s / 2;
        in_ms = left_s > 0 ? (uint64_t)(left_s - ahead_s) * 1000 : 0;
    }
    if (c->renew_ms_max && c->renew_ms_max < in_ms)
        in_ms = c->renew_ms_max - draw(c, c->renew_ms_max / 4);
    return in_ms == UINT64_MAX ? 0 : now_ms + in_ms;
}

static void drop(struct aws_cache *c)
{
    aws_credentials_unref(c->current);
    c->current = NULL;
}

/* What a renewal gave, into the cache. */
static ks_rc take(struct aws_cache *c, ks_rc rc, struct aws_credentials *fresh)
{
    if (ks_ok(rc)) {
        drop(c);
        c->current = fresh;
        c->renew_at_ms = renewal_ms(c, fresh);
        return rc;
    }
    if (rc.cls == KS_CLASS_DENIED || !c->current || has_expired(c)) {
        drop(c);
        return rc;
    }
    c->renew_at_ms = clock_boot_ms(c->http->clock) + RETRY_MS / 2 + draw(c, RETRY_MS / 2);
    return KS_SUCCESS;
}

/* With the lock held, but not while it fetches. */
static ks_rc renew(struct aws_cache *c, const struct kms_call *call)
{
    struct aws_credentials *fresh = NULL;

    c->is_renewing = true;
    pthread_mutex_unlock(&c->mutex);
    ks_rc rc = c->fetch(c->fetch_arg, call, &fresh);
    pthread_mutex_lock(&c->mutex);
    c->is_renewing = false;
    rc = take(c, rc, fresh);
    pthread_cond_broadcast(&c->renewed);
    return rc;
}

/* For another thread's renewal. */
static ks_rc wait_for_renewal(struct aws_cache *c, const struct kms_call *call)
{
    uint64_t now = clock_boot_ms(call->clock);

    if (!call->deadline_ms) {
        pthread_cond_wait(&c->renewed, &c->mutex);
        return KS_SUCCESS;
    }
    ENSURE(now < call->deadline_ms, KS_E_TIMEOUT, "no credentials in time");
    struct timespec until = clock_deadline(call->deadline_ms - now);
    int err = pthread_cond_timedwait(&c->renewed, &c->mutex, &until);
    ENSURE(err != ETIMEDOUT, KS_E_TIMEOUT, "no credentials in time");
    return KS_SUCCESS;
}

static ks_rc get_locked(struct aws_cache *c, const struct kms_call *call)
{
    for (;;) {
        bool is_usable = c->current && !has_expired(c);
        bool is_due = c->renew_at_ms && clock_boot_ms(c->http->clock) >= c->renew_at_ms;
        if (is_usable && (!is_due || c->is_renewing))
            return KS_SUCCESS;
        if (!c->is_renewing)
            return renew(c, call);
        TRY(wait_for_renewal(c, call));
    }
}

ks_rc aws_cache_get(struct aws_cache *c, const struct kms_call *call, struct aws_credentials **ret)
{
    pthread_mutex_lock(&c->mutex);
    ks_rc rc = get_locked(c, call);
    if (ks_ok(rc))
        *ret = aws_credentials_ref(c->current);
    pthread_mutex_unlock(&c->mutex);
    return rc;
}

void aws_cache_reject(struct aws_cache *c, const struct aws_credentials *used)
{
    pthread_mutex_lock(&c->mutex);
    if (c->current == used)
        drop(c);
    pthread_mutex_unlock(&c->mutex);
}

ks_rc aws_cache_use(struct aws_cache *c, const struct kms_call *call,
                    ks_rc (*use)(void *arg, const struct aws_credentials *, enum aws_cure *cure),
                    void *arg)
{
    CLEANUP(aws_credentials_unrefp) struct aws_credentials *first = NULL, *second = NULL;
    enum aws_cure cure = AWS_CURE_NONE;
    char text[TEXT_BYTES];

    TRY(aws_cache_get(c, call, &first));
    ks_rc rc = use(arg, first, &cure);
    if (ks_ok(rc) || cure != AWS_CURE_CREDENTIALS)
        return rc;
    snprintf(text, sizeof text, "%s", ks_text(rc));
    aws_cache_reject(c, first);
    TRY(aws_cache_get(c, call, &second));
    if (aws_credentials_is_same(first, second))
        return ks_fail((enum ks_code)rc.code, "%s", text);
    return use(arg, second, &cure);
}
