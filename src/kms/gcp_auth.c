/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/gcp_auth.c - a cache of two access tokens.
 *
 * Invariant: a token for the principal was granted to us less than RECHECK_MS ago, or its service did not answer
 * since. A refusal drops it at once.
 */
#include "kms/gcp_auth.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum {
    RENEW_MS = 225 * 1000, /* the metadata server hands out a new token that long before the end */
    RECHECK_MS = 30 * 1000,
    PAUSE_MS = 15 * 1000, /* between two tries to renew a token that still lives */
    LAST_MS = 10 * 1000,  /* a token this close to its end is not used any more */
    PRINCIPAL_LIFETIME_S = 900,
};

struct slot {
    struct gcp_token token;
    uint64_t renew_ms, end_ms; /* boot time */
};

struct gcp_auth {
    pthread_mutex_t mutex; /* all below but net, target and texts */
    const struct gcp_net *net;
    char email[GCP_EMAIL_BYTES]; /* "": nobody else */
    char delegates[GCP_HOPS_MAX][GCP_EMAIL_BYTES + 32];
    size_t delegate_count;
    struct slot own, principal;
    uint64_t serial;
};

/* --- the principal --- */

static ks_rc check_email(const char *email, const char *whole)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_@";
    const char *at = strchr(email, '@');

    ENSURE(at && at > email && at[1] && !strchr(at + 1, '@') &&
               strspn(email, allowed) == strlen(email) && strlen(email) < GCP_EMAIL_BYTES,
           KS_E_USAGE,
           "\"%.200s\" is no service account; write its e-mail address, e.g. "
           "keys@project.iam.gserviceaccount.com, with those between us and it before it, "
           "separated by commas",
           whole);
    return KS_SUCCESS;
}

/* The account named before becomes a hop. */
static ks_rc add_hop(struct gcp_auth *a, const char *whole)
{
    if (!a->email[0])
        return KS_SUCCESS;
    ENSURE(a->delegate_count < GCP_HOPS_MAX, KS_E_USAGE, "\"%.200s\" has more than %d hops", whole,
           GCP_HOPS_MAX);
    snprintf(a->delegates[a->delegate_count++], sizeof a->delegates[0],
             "projects/-/serviceAccounts/%s", a->email);
    return KS_SUCCESS;
}

/* The last of the list is the one whose token we want. */
static ks_rc set_principal(struct gcp_auth *a, const char *list)
{
    for (const char *at = list; *list; at = strchr(at, ',') + 1) {
        size_t len = strcspn(at, ",");
        TRY(add_hop(a, list));
        ENSURE(len < sizeof a->email, KS_E_USAGE, "\"%.200s\" is too long", list);
        snprintf(a->email, sizeof a->email, "%.*s", (int)len, at);
        TRY(check_email(a->email, list));
        if (!at[len])
            break;
    }
    return KS_SUCCESS;
}

ks_rc gcp_auth_new(const struct gcp_net *net, const char *principal, struct gcp_auth **ret)
{
    struct gcp_auth *a;

    TRY(mem_new(1, sizeof *a, &a));
    pthread_mutex_init(&a->mutex, NULL);
    a->net = net;
    ks_rc rc = set_principal(a, principal);
    if (!ks_ok(rc)) {
        gcp_auth_free(a);
        return rc;
    }
    *ret = a;
    return KS_SUCCESS;
}

void gcp_auth_free(struct gcp_auth *a)
{
    if (!a)
        return;
    gcp_token_done(&a->own.token);
    gcp_token_done(&a->principal.token);
    pthread_mutex_destroy(&a->mutex);
    mem_free(a);
}

void gcp_grant_done(struct gcp_grant *g)
{
    buf_done(&g->bearer);
}

/* --- fetching; under the mutex --- */

static ks_rc fetch_own(struct gcp_auth *a, const struct kms_call *call, struct gcp_token *ret)
{
    return gcp_token_fetch(a->net, call, ret);
}

static ks_rc fetch_principal(struct gcp_auth *a, const struct kms_call *call, struct gcp_token *ret)
{
    struct gcp_target target = {.delegate_count = a->delegate_count,
                                .lifetime_s = PRINCIPAL_LIFETIME_S,
                                .asked = GCP_ASKED_PRINCIPAL};
    char url[GCP_URL_BYTES], endpoint[GCP_URL_BYTES];

    TRY(gcp_endpoint(a->net, GCP_IAM_CREDENTIALS, a->own.token.universe, endpoint));
    int len = snprintf(url, sizeof url, "%s/v1/projects/-/serviceAccounts/%s:generateAccessToken",
                       endpoint, a->email);
    ENSURE(len > 0 && len < (int)sizeof url, KS_E_USAGE, "the endpoint is too long");
    target.url = url;
    for (size_t i = 0; i < a->delegate_count; i++)
        target.delegates[i] = a->delegates[i];
    return ks_wrap(gcp_token_impersonate(a->net, call, &a->own.token, &target, ret),
                   "acting as %.200s", a->email);
}

static void fill(struct slot *s, const struct gcp_token *token, uint64_t now, uint64_t renew_ms)
{
    gcp_token_done(&s->token);
    s->token = *token;
    s->end_ms = now + (uint64_t)token->lifetime_s * 1000;
    s->renew_ms = renew_ms;
}

static uint64_t renew_own(uint32_t lifetime_s, uint64_t now)
{
    uint64_t lifetime = (uint64_t)lifetime_s * 1000;

    return now + (lifetime > 2 * RENEW_MS ? lifetime - RENEW_MS : lifetime / 2);
}

static uint64_t renew_principal(uint32_t lifetime_s, uint64_t now)
{
    uint64_t half = (uint64_t)lifetime_s * 1000 / 2;

    return now + (half < RECHECK_MS ? half : RECHECK_MS);
}

typedef ks_rc fetch_fn(struct gcp_auth *, const struct kms_call *, struct gcp_token *);

/* With a token in hand that lives, the renewal may take half of the time that the call has left. */
static struct kms_call shorter(const struct kms_call *call, uint64_t now)
{
    struct kms_call c = *call;

    if (c.deadline_ms > now)
        c.deadline_ms = now + (c.deadline_ms - now) / 2;
    return c;
}

static ks_rc refresh(struct gcp_auth *a, const struct kms_call *call, struct slot *s,
                     fetch_fn *fetch)
{
    uint64_t now = clock_boot_ms(a->net->clock);
    bool is_alive = s->token.text && now + LAST_MS < s->end_ms;
    struct kms_call mine = is_alive ? shorter(call, now) : *call;
    struct gcp_token token = {0};

    if (is_alive && now < s->renew_ms)
        return KS_SUCCESS;
    ks_rc rc = fetch(a, &mine, &token);
    if (ks_ok(rc)) {
        uint64_t renew = fetch == fetch_own ? renew_own(token.lifetime_s, now)
                                            : renew_principal(token.lifetime_s, now);
        fill(s, &token, now, renew);
        a->serial++;
        return rc;
    }
    if (is_alive && rc.cls == KS_CLASS_UNREACHABLE) {
        s->renew_ms = now + PAUSE_MS;
        return KS_SUCCESS;
    }
    gcp_token_done(&s->token);
    return rc;
}

/* A 401 for our own token means that it ended before its time: one new one is worth a try. */
static ks_rc refresh_principal(struct gcp_auth *a, const struct kms_call *call)
{
    bool was_in_hand = a->own.token.text != NULL;

    TRY(refresh(a, call, &a->own, fetch_own));
    ks_rc rc = refresh(a, call, &a->principal, fetch_principal);
    if (!ks_is(rc, KS_E_CREDENTIAL) || !was_in_hand)
        return rc;
    gcp_token_done(&a->own.token);
    TRY(refresh(a, call, &a->own, fetch_own));
    return refresh(a, call, &a->principal, fetch_principal);
}

static ks_rc refresh_all(struct gcp_auth *a, const struct kms_call *call)
{
    if (call->deadline_ms && clock_boot_ms(a->net->clock) >= call->deadline_ms)
        return ks_fail(KS_E_TIMEOUT, "the time for this call is over");
    if (a->email[0])
        return refresh_principal(a, call);
    return refresh(a, call, &a->own, fetch_own);
}

static ks_rc get(struct gcp_auth *a, const struct kms_call *call, struct gcp_grant *ret)
{
    TRY(refresh_all(a, call));
    const struct gcp_token *t = a->email[0] ? &a->principal.token : &a->own.token;
    struct gcp_grant g = {.bearer = buf_init_wiping(GCP_TOKEN_MAX + 16), .serial = a->serial};
    memcpy(g.universe, t->universe, sizeof g.universe);
    memcpy(g.quota_project, t->quota_project, sizeof g.quota_project);
    ks_rc rc = gcp_bearer(t->text, &g.bearer);
    if (ks_ok(rc))
        *ret = g;
    else
        gcp_grant_done(&g);
    return rc;
}

ks_rc gcp_auth_get(struct gcp_auth *a, const struct kms_call *call, struct gcp_grant *ret)
{
    pthread_mutex_lock(&a->mutex);
    ks_rc rc = get(a, call, ret);
    pthread_mutex_unlock(&a->mutex);
    return rc;
}

static void drop(struct gcp_auth *a)
{
    gcp_token_done(&a->own.token);
    gcp_token_done(&a->principal.token);
}

void gcp_auth_reject(struct gcp_auth *a, uint64_t serial)
{
    pthread_mutex_lock(&a->mutex);
    if (serial == a->serial)
        drop(a);
    pthread_mutex_unlock(&a->mutex);
}

ks_rc gcp_auth_try(struct gcp_auth *a, const struct kms_call *call)
{
    pthread_mutex_lock(&a->mutex);
    drop(a);
    ks_rc rc = refresh_all(a, call);
    pthread_mutex_unlock(&a->mutex);
    return rc;
}
