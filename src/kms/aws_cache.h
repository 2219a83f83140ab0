/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_cache.h - credentials of one origin, renewed ahead of their end.
 *
 * The call that finds them due renews them; others go on with those that are there. When a renewal fails, those that are
 * there are used until they have really expired; but a denial counts at once. Thread-safe.
 */
#pragma once

#include <pthread.h>

#include "base/random.h"
#include "kms/aws_errors.h"
#include "kms/aws_http.h"

struct aws_cache {
    pthread_mutex_t mutex;
    pthread_cond_t renewed;
    struct aws_http *http; /* AWS's clock */
    struct random *random; /* for jitter */
    /* fetch(arg, call, ret): new ones; called by one thread at a time. */
    ks_rc (*fetch)(void *arg, const struct kms_call *, struct aws_credentials **ret) KS_MUST;
    void *fetch_arg;
    uint32_t renew_ms_max;           /* also renewed at this age; 0: only for their end */
    struct aws_credentials *current; /* NULL: none yet */
    uint64_t renew_at_ms;            /* boot time; 0: never by itself */
    bool is_renewing;
};

/* What aws_cache_init needs; see struct aws_cache. */
struct aws_cache_conf {
    struct aws_http *http;
    struct random *random;
    ks_rc (*fetch)(void *arg, const struct kms_call *, struct aws_credentials **ret) KS_MUST;
    void *fetch_arg;
    uint32_t renew_ms_max;
};

void aws_cache_init(struct aws_cache *c, const struct aws_cache_conf *conf);
void aws_cache_done(struct aws_cache *c);

/* aws_cache_get(c, call, ret): usable ones; the caller gives them back with aws_credentials_unref. Results of fetch when there
 * are none; TIMEOUT when another thread does not get them before the call's deadline. */
ks_rc aws_cache_get(struct aws_cache *c, const struct kms_call *call,
                    struct aws_credentials **ret) KS_MUST;
/* aws_cache_reject(c, used): the service does not take these; they are not given out again unless they are fetched anew. */
void aws_cache_reject(struct aws_cache *c, const struct aws_credentials *used);

/*
 * aws_cache_use(c, call, use, arg): use(arg, credentials, cure) with credentials of c; once more with new ones if the
 * service took them for expired or unknown and others can be had. The result of the last.
 */
ks_rc aws_cache_use(struct aws_cache *c, const struct kms_call *call,
                    ks_rc (*use)(void *arg, const struct aws_credentials *, enum aws_cure *cure),
                    void *arg) KS_MUST;
