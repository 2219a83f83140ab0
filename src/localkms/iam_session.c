/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/iam_session.c - sessions: who they are for lies sealed in their tokens; what was opened is remembered.
 *
 * A session is remembered by its key id and the digest of its token, and forgotten an hour after it expired: until then
 * requests may still look at it.
 */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "localkms/iam_int.h"

enum {
    BUCKETS = 4096,
    SESSIONS_MAX = 65536,
    KEPT_S = 3600,
    PAYLOAD_MAX = 4096,
    TOKEN_MAX = 8192,
};

static const char PURPOSE[] = "aws session token v1";

struct session_table {
    pthread_mutex_t lock;
    struct iam_session *buckets[BUCKETS];
    size_t count;
    int64_t swept_s;
};

ks_rc session_table_new(struct session_table **ret)
{
    CLEANUP(mem_freep) struct session_table *t = NULL;

    TRY(mem_new(1, sizeof *t, &t));
    pthread_mutex_init(&t->lock, NULL);
    *ret = TAKE(t);
    return KS_SUCCESS;
}

static void session_free(struct iam *iam, struct iam_session *s)
{
    if (!s)
        return;
    if (s->secret)
        secret_pool_put(iam->secrets, s->secret);
    policy_free(s->policy);
    json_decref(s->policy_arns);
    mem_free(s);
}

void session_table_free(struct iam *iam, struct session_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct iam_session *s = t->buckets[i], *next; s; s = next) {
            next = s->next;
            session_free(iam, s);
        }
    pthread_mutex_destroy(&t->lock);
    mem_free(t);
}

/* ---- making ---- */

static void wiped_done(struct buf *b)
{
    if (b->bytes)
        mem_wipe(b->bytes, b->room);
    buf_done(b);
}

static json_t *payload(const struct iam_session_wish *w, const struct iam_key_pair *pair)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:I, s:I, s:s?, s:O?}", "k", pair->id,
                     "s", pair->secret, "a", w->account, "n", w->of ? w->of->name : "", "u",
                     w->of ? w->of->unique_id : "", "m", w->session_name ? w->session_name : "",
                     "r", w->session_name != NULL, "i", (json_int_t)w->issued_s, "e",
                     (json_int_t)w->expires_s, "p", w->policy, "g", w->policy_arns);
}

/* Room is made at once, so that no copy of the secret is left behind by growing. */
static ks_rc write_payload(const json_t *value, struct buf *ret)
{
    uint8_t *room;

    TRY(buf_extend(ret, PAYLOAD_MAX, &room));
    ret->len = 0;
    return json_write(value, false, ret);
}

ks_rc iam_session_make(struct iam *iam, const struct iam_session_wish *wish,
                       struct iam_key_pair *ret_pair, struct buf *ret_token)
{
    CLEANUP(iam_key_pair_wipe) struct iam_key_pair pair = {{0}, {0}};
    CLEANUP(wiped_done) struct buf plain = buf_init(PAYLOAD_MAX);
    CLEANUP(buf_done) struct buf sealed = buf_init(TOKEN_MAX);
    CLEANUP(json_freep) json_t *value = NULL;

    TRY(iam_make_id(iam, "ASIA", IAM_KEY_ID_BYTES - 1, pair.id));
    TRY(iam_make_secret(iam, pair.secret));
    value = payload(wish, &pair);
    ENSURE(value, KS_E_NO_MEMORY, "no memory for a session");
    TRY(write_payload(value, &plain));
    TRY(lk_store_seal(iam->realm->store, view_text(PURPOSE), buf_view(&plain), &sealed));
    TRY(base64_write(buf_view(&sealed), BASE64_STANDARD, ret_token));
    *ret_pair = pair;
    return KS_SUCCESS;
}

/* ---- opening ---- */

static ks_rc read_secret(struct iam *iam, const json_t *value, struct iam_session *s)
{
    const char *secret = NULL;
    void *slot = NULL;

    TRY(json_get_text(value, "s", IAM_SECRET_LEN, &secret));
    ENSURE(strlen(secret) == IAM_SECRET_LEN, KS_E_CORRUPT, "a session without a secret");
    TRY(secret_pool_get(iam->secrets, &slot));
    s->secret = slot;
    memcpy(s->secret, secret, IAM_SECRET_LEN);
    return KS_SUCCESS;
}

static ks_rc read_texts(const json_t *value, struct iam_session *s)
{
    const struct {
        const char *name;
        char *to;
        size_t bytes;
    } texts[] = {
        {"k", s->key_id, sizeof s->key_id},
        {"a", s->account, sizeof s->account},
        {"n", s->name, sizeof s->name},
        {"u", s->unique_id, sizeof s->unique_id},
        {"m", s->session_name, sizeof s->session_name},
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *text = NULL;
        TRY(json_get_text(value, texts[i].name, texts[i].bytes - 1, &text));
        snprintf(texts[i].to, texts[i].bytes, "%s", text);
    }
    return KS_SUCCESS;
}

static ks_rc read_payload(struct iam *iam, struct view text, struct iam_session *s)
{
    const struct json_limits limits = {PAYLOAD_MAX, 3};
    CLEANUP(json_freep) json_t *value = NULL;
    const char *policy = NULL;

    TRY(json_read(text, limits, "session", &value));
    TRY(read_texts(value, s));
    TRY(read_secret(iam, value, s));
    TRY(json_may_bool(value, "r", &s->is_role));
    TRY(json_get_int(value, "i", 0, INT64_MAX, &s->issued_s));
    TRY(json_get_int(value, "e", 0, INT64_MAX, &s->expires_s));
    TRY(json_may_text(value, "p", PAYLOAD_MAX, &policy));
    TRY(json_may_array(value, "g", IAM_ATTACHED_MAX, &s->policy_arns));
    json_incref(s->policy_arns);
    return policy ? policy_parse(view_text(policy), POLICY_IDENTITY, &s->policy) : KS_SUCCESS;
}

static ks_rc open_token(struct iam *iam, const char *token, struct iam_session *s)
{
    CLEANUP(buf_done) struct buf sealed = buf_init(TOKEN_MAX + 4);
    CLEANUP(secret_freep) struct secret *plain = NULL;

    ENSURE(strlen(token) <= TOKEN_MAX, KS_E_AUTH, "a session token too long");
    if (!ks_ok(base64_read(view_text(token), BASE64_STANDARD, &sealed)))
        return ks_fail(KS_E_AUTH, "a session token that is not base64");
    TRY(lk_store_unseal(iam->realm->store, view_text(PURPOSE), buf_view(&sealed), &plain));
    return read_payload(iam, secret_view(plain), s);
}

/* ---- remembering ---- */

static size_t bucket_of(const char *key_id)
{
    return hash_crc32c(view_text(key_id)) % BUCKETS;
}

/* Under the lock. */
static struct iam_session *find(const struct session_table *t, const char *key_id,
                                const uint8_t hash[HASH_BYTES])
{
    struct iam_session *s = t->buckets[bucket_of(key_id)];

    while (s && (strcmp(s->key_id, key_id) != 0 ||
                 !secret_is_equal(view_of(s->token_hash, HASH_BYTES), view_of(hash, HASH_BYTES))))
        s = s->next;
    return s;
}

/* Under the lock; at most once a minute. */
static void sweep(struct iam *iam, struct session_table *t, int64_t now_s)
{
    if (now_s < t->swept_s + 60 && now_s >= t->swept_s)
        return;
    t->swept_s = now_s;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct iam_session **at = &t->buckets[i]; *at;) {
            struct iam_session *s = *at;
            if (now_s < s->expires_s + KEPT_S) {
                at = &s->next;
                continue;
            }
            *at = s->next;
            t->count--;
            session_free(iam, s);
        }
}

/* Takes s over, unless another thread was faster. */
static const struct iam_session *remember(struct iam *iam, struct iam_session *s, int64_t now_s)
{
    struct session_table *t = iam->sessions;

    pthread_mutex_lock(&t->lock);
    sweep(iam, t, now_s);
    struct iam_session *known = find(t, s->key_id, s->token_hash);
    bool is_kept = !known && t->count < SESSIONS_MAX;
    if (is_kept) {
        struct iam_session **bucket = &t->buckets[bucket_of(s->key_id)];
        s->next = *bucket;
        *bucket = s;
        t->count++;
    }
    pthread_mutex_unlock(&t->lock);
    if (is_kept)
        return s;
    session_free(iam, s);
    return known;
}

ks_rc iam_session_find(struct iam *iam, const char *key_id, const char *token, int64_t now_s,
                       const struct iam_session **ret)
{
    struct session_table *t = iam->sessions;
    uint8_t hash[HASH_BYTES];
    struct iam_session *s = NULL;

    TRY(hash_sha256(view_text(token), hash));
    pthread_mutex_lock(&t->lock);
    *ret = find(t, key_id, hash);
    pthread_mutex_unlock(&t->lock);
    if (*ret)
        return KS_SUCCESS;
    TRY(mem_new(1, sizeof *s, &s));
    memcpy(s->token_hash, hash, HASH_BYTES);
    ks_rc rc = open_token(iam, token, s);
    if (ks_ok(rc) && strcmp(s->key_id, key_id) != 0)
        rc = ks_fail(KS_E_AUTH, "the token belongs to another access key");
    if (ks_ok(rc) && now_s >= s->expires_s + KEPT_S)
        rc = ks_fail(KS_E_STATE, "expired long ago");
    if (!ks_ok(rc)) {
        session_free(iam, s);
        return rc;
    }
    *ret = remember(iam, s, now_s);
    ENSURE(*ret, KS_E_LIMIT, "more than %d sessions", SESSIONS_MAX);
    return KS_SUCCESS;
}
