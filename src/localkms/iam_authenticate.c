/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/iam_authenticate.c - who sent a request: from the signature to the identity.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "localkms/aws_refusal.h"
#include "localkms/iam_int.h"

static const char INVALID[] = "The security token included in the request is invalid.";
static const char EXPIRED[] = "The security token included in the request is expired";

/* A request on its way to an identity. */
struct arrival {
    struct iam *iam;
    const struct http_exchange *x;
    struct sigv4_wanted wanted;
    struct sigv4_claim claim;
    struct aws_identity who;
    char secret[IAM_SECRET_LEN];
    struct aws_refusal *refusal;
};

#define REFUSE(a, kind, ...) aws_refuse((a)->refusal, kind, (a)->wanted.is_json, __VA_ARGS__)

static void arrival_done(struct arrival *a)
{
    mem_wipe(a->secret, sizeof a->secret);
    sigv4_claim_done(&a->claim);
}

static void add_header(void *arg, const char *name, const char *value)
{
    struct sigv4_request *request = arg;

    if (request->header_count < SIGV4_HEADERS_MAX)
        request->headers[request->header_count] = (struct sigv4_header){name, value};
    request->header_count++;
}

/* Whether a form says which version of which service it speaks. */
static bool has_field(struct view form, const char *field)
{
    size_t len = strlen(field);

    for (size_t at = 0; at + len <= form.len;) {
        const uint8_t *p = form.bytes + at, *end = memchr(p, '&', form.len - at);
        size_t n = end ? (size_t)(end - p) : form.len - at;
        if (n == len && memcmp(p, field, len) == 0)
            return true;
        at += n + 1;
    }
    return false;
}

static struct sigv4_wanted wanted_of(const struct http_exchange *x, int64_t now_s)
{
    static const char IAM_VERSION[] = "Version=2010-05-08";
    bool is_json = http_header(x, "x-amz-target") != NULL;
    bool is_iam = has_field(http_body(x), IAM_VERSION) ||
                  has_field(view_text(http_query_text(x)), IAM_VERSION);

    return (struct sigv4_wanted){now_s, is_json ? "kms" : is_iam ? "iam" : "sts", is_json};
}

/* ---- whose credentials ---- */

static void be_root(struct aws_identity *who, const char *account)
{
    who->kind = AWS_ROOT;
    snprintf(who->account, sizeof who->account, "%s", account);
    snprintf(who->arn, sizeof who->arn, "arn:aws:iam::%s:root", account);
    snprintf(who->principal, sizeof who->principal, "%s", who->arn);
    snprintf(who->user_id, sizeof who->user_id, "%s", account);
}

static void be_user(struct aws_identity *who, const struct iam_object *user)
{
    who->kind = AWS_USER;
    snprintf(who->account, sizeof who->account, "%s", user->account);
    snprintf(who->arn, sizeof who->arn, "%s", user->arn);
    snprintf(who->principal, sizeof who->principal, "%s", user->arn);
    snprintf(who->user_id, sizeof who->user_id, "%s", user->unique_id);
}

static void be_role(struct aws_identity *who, const struct iam_object *role,
                    const char *session_name)
{
    who->kind = AWS_ROLE_SESSION;
    snprintf(who->account, sizeof who->account, "%s", role->account);
    snprintf(who->arn, sizeof who->arn, "arn:aws:sts::%s:assumed-role/%s/%s", role->account,
             role->name, session_name);
    snprintf(who->principal, sizeof who->principal, "%s", role->arn);
    snprintf(who->user_id, sizeof who->user_id, "%s:%s", role->unique_id, session_name);
}

/* Under the lock. */
static bool find_key(struct arrival *a)
{
    const struct iam_object *key = iam_find(a->iam, IAM_KEY, a->claim.access_key), *user;

    if (!key || !key->is_active)
        return false;
    memcpy(a->secret, key->secret, sizeof a->secret);
    if (key->owner[0] == '\0') {
        be_root(&a->who, key->account);
        return true;
    }
    user = iam_find_name(a->iam, IAM_USER, key->account, key->owner);
    if (user)
        be_user(&a->who, user);
    return user != NULL;
}

/* Under the lock. A role that was made anew under the old name is another one. */
static bool find_owner(struct arrival *a, const struct iam_session *s)
{
    const struct iam_object *o;

    if (s->name[0] == '\0') {
        be_root(&a->who, s->account);
        return iam_find(a->iam, IAM_ACCOUNT, s->account) != NULL;
    }
    o = iam_find_name(a->iam, s->is_role ? IAM_ROLE : IAM_USER, s->account, s->name);
    if (!o || strcmp(o->unique_id, s->unique_id) != 0)
        return false;
    if (s->is_role)
        be_role(&a->who, o, s->session_name);
    else
        be_user(&a->who, o);
    return true;
}

static bool find_long_lived(struct arrival *a)
{
    pthread_rwlock_rdlock(&a->iam->lock);
    bool is_found = find_key(a);
    pthread_rwlock_unlock(&a->iam->lock);
    return is_found || REFUSE(a, AWS_UNKNOWN_KEY, "%s", INVALID);
}

static bool find_session(struct arrival *a)
{
    const struct iam_session *s = NULL;
    ks_rc rc = iam_session_find(a->iam, a->claim.access_key, a->claim.token, a->wanted.now_s, &s);

    if (ks_is(rc, KS_E_STATE))
        return REFUSE(a, AWS_EXPIRED_TOKEN, "%s", EXPIRED);
    if (rc.cls == KS_CLASS_LIMIT)
        return REFUSE(a, AWS_INTERNAL, "%s", ks_text(rc));
    if (!ks_ok(rc))
        return REFUSE(a, AWS_UNKNOWN_KEY, "%s", INVALID);
    memcpy(a->secret, s->secret, sizeof a->secret);
    pthread_rwlock_rdlock(&a->iam->lock);
    bool is_found = find_owner(a, s);
    pthread_rwlock_unlock(&a->iam->lock);
    if (!is_found)
        return REFUSE(a, AWS_UNKNOWN_KEY, "%s", INVALID);
    a->who.token_issued_s = s->issued_s;
    a->who.is_limited = !s->is_role;
    a->who.iam_session = s->policy || s->policy_arns ? s : NULL;
    return a->wanted.now_s < s->expires_s || REFUSE(a, AWS_EXPIRED_TOKEN, "%s", EXPIRED);
}

/* ---- the order of things ---- */

static bool check_signature(struct arrival *a, const struct sigv4_request *request)
{
    uint8_t key[HASH_BYTES];
    bool is_signed = false;
    ks_rc rc = iam_signing_key(a->iam, &a->claim, a->secret, key);

    if (ks_ok(rc))
        rc = sigv4_is_signed(request, &a->claim, key, &is_signed);
    mem_wipe(key, sizeof key);
    if (!ks_ok(rc))
        return REFUSE(a, AWS_INTERNAL, "%s", ks_text(rc));
    return is_signed ||
           REFUSE(a, AWS_BAD_SIGNATURE,
                  "The request signature we calculated does not match the signature you provided. "
                  "Check your AWS Secret Access Key and signing method. Consult the service "
                  "documentation for details.");
}

static void keep_circumstances(struct arrival *a)
{
    struct aws_identity *who = &a->who;

    snprintf(who->access_key, sizeof who->access_key, "%s", a->claim.access_key);
    snprintf(who->region, sizeof who->region, "%s", a->claim.region);
    snprintf(who->service, sizeof who->service, "%s", a->claim.service);
    snprintf(who->source_ip, sizeof who->source_ip, "%s", http_peer(a->x));
    who->is_tls = http_is_tls(a->x);
    who->now_s = a->wanted.now_s;
}

bool aws_authenticate(struct iam *iam, const struct http_exchange *x, int64_t now_s,
                      struct aws_identity *ret, struct aws_refusal *refusal)
{
    CLEANUP(arrival_done)
    struct arrival a = {.iam = iam, .x = x, .wanted = wanted_of(x, now_s), .refusal = refusal};
    struct sigv4_request request = {http_method(x), http_path(x), http_query_text(x), 0,
                                    {{NULL, NULL}}, http_body(x)};

    http_header_each(x, add_header, &request);
    if (request.header_count > SIGV4_HEADERS_MAX)
        return REFUSE(&a, AWS_INCOMPLETE, "The request has more than %d headers.",
                      SIGV4_HEADERS_MAX);
    if (!sigv4_read(&request, &a.wanted, &a.claim, refusal))
        return false;
    if (!(a.claim.token ? find_session(&a) : find_long_lived(&a)))
        return false;
    if (!check_signature(&a, &request))
        return false;
    keep_circumstances(&a);
    *ret = a.who;
    return true;
}
