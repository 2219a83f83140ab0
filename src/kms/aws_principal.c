/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_principal.c - as whom AWS is asked.
 */
#include "kms/aws_principal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum {
    RENEW_MS = 30000,
    SESSIONS_MAX = 1024,
    EXTERNAL_ID_MIN = 2,
    EXTERNAL_ID_MAX = 1224,
};

/* The role, assumed with one ExternalId. Never removed before the principal is. */
struct aws_role_session {
    struct aws_role_session *next;
    struct aws_principal *owner;
    char *external_id; /* NULL: none */
    struct aws_cache cache;
};

/* One attempt to assume the role. */
struct attempt {
    struct aws_role_session *session;
    const struct kms_call *call;
    struct aws_credentials **ret;
};

static ks_rc assume(void *arg, const struct aws_credentials *base, enum aws_cure *cure)
{
    struct attempt *a = arg;
    const struct aws_role role = {.arn = a->session->owner->role_arn,
                                  .session_name = AWS_SESSION_NAME,
                                  .external_id = a->session->external_id};

    return aws_sts_assume_role(&a->session->owner->chain.sts, a->call, &role, base, a->ret, cure);
}

/* Only "access denied" is an answer of the customer's account; the rest is about our credentials. */
static ks_rc classify(const struct aws_role_session *s, ks_rc rc)
{
    const char *role = s->owner->role_arn, *id = s->external_id;

    if (ks_ok(rc) || rc.cls == KS_CLASS_BUG || (rc.cls == KS_CLASS_LIMIT && !ks_is(rc, KS_E_LIMIT)))
        return rc;
    if (rc.cls == KS_CLASS_DENIED)
        return ks_fail(KS_E_DENIED,
                       "role %.120s may not be assumed (%s%.60s): its trust policy names another "
                       "principal or ExternalId, or this process lacks sts:AssumeRole: %.250s",
                       role, id ? "ExternalId " : "no ExternalId", id ? id : "", ks_text(rc));
    return ks_fail(rc.cls == KS_CLASS_UNREACHABLE ? (enum ks_code)rc.code : KS_E_CREDENTIAL,
                   "role %.120s: %s", role, ks_text(rc));
}

static ks_rc fetch_role(void *arg, const struct kms_call *call, struct aws_credentials **ret)
{
    struct aws_role_session *s = arg;
    struct attempt a = {s, call, ret};

    return classify(s, aws_cache_use(&s->owner->own, call, assume, &a));
}

static ks_rc fetch_own(void *arg, const struct kms_call *call, struct aws_credentials **ret)
{
    return aws_chain_fetch(arg, call, ret);
}

void aws_principal_init(struct aws_principal *p, const struct aws_chain *chain,
                        const char *role_arn)
{
    *p = (struct aws_principal){.chain = *chain, .random = random_system()};
    const struct aws_cache_conf conf = {
        .http = chain->sts.http, .random = p->random, .fetch = fetch_own, .fetch_arg = &p->chain};

    snprintf(p->role_arn, sizeof p->role_arn, "%s", role_arn);
    pthread_mutex_init(&p->mutex, NULL);
    aws_cache_init(&p->own, &conf);
}

void aws_principal_done(struct aws_principal *p)
{
    while (p->sessions) {
        struct aws_role_session *s = p->sessions;
        p->sessions = s->next;
        aws_cache_done(&s->cache);
        mem_free(s->external_id);
        mem_free(s);
    }
    aws_cache_done(&p->own);
    pthread_mutex_destroy(&p->mutex);
}

static bool is_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static ks_rc check_external_id(const char *id)
{
    size_t len = strlen(id);
    bool is_good = len >= EXTERNAL_ID_MIN && len <= EXTERNAL_ID_MAX;

    for (size_t i = 0; is_good && i < len; i++)
        is_good = isalnum((unsigned char)id[i]) || strchr("_+=,.@:/-", id[i]);
    ENSURE(is_good, KS_E_USAGE,
           "organisation \"%.60s\" cannot be an ExternalId of AWS: 2 to 1224 letters, digits and "
           "+=,.@:/_-",
           id);
    return KS_SUCCESS;
}

static ks_rc session_new(struct aws_principal *p, const char *external_id,
                         struct aws_role_session **ret)
{
    CLEANUP(mem_freep) struct aws_role_session *s = NULL;

    if (external_id)
        TRY(check_external_id(external_id));
    ENSURE(p->session_count < SESSIONS_MAX, KS_E_LIMIT, "more than %d organisations use one key",
           SESSIONS_MAX);
    TRY(mem_new(1, sizeof *s, &s));
    if (external_id)
        TRY(mem_text(external_id, &s->external_id));
    const struct aws_cache_conf conf = {.http = p->chain.sts.http,
                                        .random = p->random,
                                        .fetch = fetch_role,
                                        .fetch_arg = s,
                                        .renew_ms_max = RENEW_MS};
    s->owner = p;
    aws_cache_init(&s->cache, &conf);
    s->next = p->sessions;
    p->session_count++;
    *ret = p->sessions = TAKE(s);
    return KS_SUCCESS;
}

static ks_rc session_find(struct aws_principal *p, const char *external_id,
                          struct aws_role_session **ret)
{
    for (struct aws_role_session *s = p->sessions; s; s = s->next)
        if (is_same(s->external_id, external_id)) {
            *ret = s;
            return KS_SUCCESS;
        }
    return session_new(p, external_id, ret);
}

ks_rc aws_principal_use(
    struct aws_principal *p, const struct kms_call *call, const char *external_id,
    ks_rc (*use)(void *arg, const struct aws_credentials *, enum aws_cure *cure), void *arg)
{
    struct aws_role_session *s = NULL;

    if (!p->role_arn[0])
        return aws_cache_use(&p->own, call, use, arg);
    pthread_mutex_lock(&p->mutex);
    ks_rc rc = session_find(p, external_id, &s);
    pthread_mutex_unlock(&p->mutex);
    return ks_ok(rc) ? aws_cache_use(&s->cache, call, use, arg) : rc;
}
