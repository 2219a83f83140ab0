/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/live.c - when nodes were heard, what engines' passwords are, and which requests failed, in memory.
 */
#include "control/live.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "control/id_map.h"
#include "control/message.h"

struct heard {
    struct live_heard_at last;
    bool is_new; /* since they were taken */
    size_t engine_count;
    char engines[LIVE_ENGINES_MAX][WORD_BYTES];
};

struct live {
    int64_t since; /* when this life began */
    pthread_mutex_t mutex;
    struct id_map nodes;     /* struct heard */
    struct id_map passwords; /* slots of the pool */
    struct id_map failed;    /* json_t */
    struct secret_pool *pool;
};

ks_rc live_new(int64_t now_s, struct live **ret)
{
    struct live *l;

    TRY(mem_new(1, sizeof *l, &l));
    ks_rc rc = secret_pool_new(LIVE_PASSWORD_BYTES, &l->pool);
    if (!ks_ok(rc)) {
        mem_free(l);
        return rc;
    }
    pthread_mutex_init(&l->mutex, NULL);
    l->since = now_s;
    *ret = l;
    return KS_SUCCESS;
}

void live_free(struct live *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->nodes.room; i++)
        mem_free(id_map_at(&l->nodes, i));
    id_map_clear(&l->nodes);
    id_map_clear(&l->passwords);
    for (size_t i = 0; i < l->failed.room; i++)
        json_decref(id_map_at(&l->failed, i));
    id_map_clear(&l->failed);
    secret_pool_free(l->pool);
    pthread_mutex_destroy(&l->mutex);
    mem_free(l);
}

static ks_rc heard_new(struct live *l, const char *node, struct heard **ret)
{
    struct heard *h;

    TRY(mem_new(1, sizeof *h, &h));
    ks_rc rc = id_map_put(&l->nodes, node, h);
    if (!ks_ok(rc)) {
        mem_free(h);
        return rc;
    }
    memcpy(h->last.node, node, strlen(node) + 1);
    *ret = h;
    return KS_SUCCESS;
}

static ks_rc find_heard(struct live *l, const char *node, struct heard **ret)
{
    *ret = id_map_get(&l->nodes, node);
    return *ret ? KS_SUCCESS : heard_new(l, node, ret);
}

ks_rc live_heard(struct live *l, const char *node, int64_t now_s)
{
    struct heard *h;

    pthread_mutex_lock(&l->mutex);
    ks_rc rc = find_heard(l, node, &h);
    if (ks_ok(rc)) {
        h->last.at = now_s;
        h->is_new = true;
    }
    pthread_mutex_unlock(&l->mutex);
    return rc;
}

int64_t live_last(struct live *l, const char *node, int64_t stored)
{
    pthread_mutex_lock(&l->mutex);
    const struct heard *h = id_map_get(&l->nodes, node);
    int64_t at = stored < l->since ? stored : l->since;
    if (h && h->last.at)
        at = h->last.at;
    pthread_mutex_unlock(&l->mutex);
    return at;
}

void live_cap(struct live *l, int64_t now_s)
{
    pthread_mutex_lock(&l->mutex);
    if (l->since > now_s)
        l->since = now_s;
    for (size_t i = 0; i < l->nodes.room; i++) {
        struct heard *h = id_map_at(&l->nodes, i);
        if (!h || h->last.at <= now_s)
            continue;
        h->last.at = now_s;
        h->is_new = true;
    }
    pthread_mutex_unlock(&l->mutex);
}

static size_t take_heard(struct live *l, struct live_heard_at *out)
{
    size_t n = 0;

    for (size_t i = 0; i < l->nodes.room; i++) {
        struct heard *h = id_map_at(&l->nodes, i);
        if (!h || !h->is_new)
            continue;
        h->is_new = false;
        out[n++] = h->last;
    }
    return n;
}

ks_rc live_take_heard(struct live *l, struct live_heard_at **ret, size_t *ret_count)
{
    struct live_heard_at *out = NULL;

    pthread_mutex_lock(&l->mutex);
    ks_rc rc = mem_new(l->nodes.count + 1, sizeof *out, &out);
    if (ks_ok(rc)) {
        *ret_count = take_heard(l, out);
        *ret = out;
    }
    pthread_mutex_unlock(&l->mutex);
    return rc;
}

ks_rc live_set_engines(struct live *l, const char *node, const char *const *names, size_t count)
{
    struct heard *h;

    ENSURE(count <= LIVE_ENGINES_MAX, KS_E_LIMIT, "more than %d engines", LIVE_ENGINES_MAX);
    pthread_mutex_lock(&l->mutex);
    ks_rc rc = find_heard(l, node, &h);
    if (ks_ok(rc)) {
        h->engine_count = count;
        for (size_t i = 0; i < count; i++)
            message_copy(h->engines[i], WORD_BYTES, names[i]);
    }
    pthread_mutex_unlock(&l->mutex);
    return rc;
}

static bool has_engine(const struct heard *h, const char *engine)
{
    for (size_t i = 0; i < h->engine_count; i++)
        if (strcmp(h->engines[i], engine) == 0)
            return true;
    return false;
}

bool live_has_engine(struct live *l, const char *engine)
{
    bool is_said = false, is_there = strcmp(engine, "none") == 0;

    pthread_mutex_lock(&l->mutex);
    for (size_t i = 0; i < l->nodes.room && !is_there; i++) {
        const struct heard *h = id_map_at(&l->nodes, i);
        if (!h)
            continue;
        is_said = is_said || h->engine_count;
        is_there = has_engine(h, engine);
    }
    pthread_mutex_unlock(&l->mutex);
    return is_there || !is_said;
}

static void forget_password(struct live *l, const char *volume)
{
    char *slot = id_map_take(&l->passwords, volume);

    if (slot)
        secret_pool_put(l->pool, slot);
}

static ks_rc keep_password(struct live *l, const char *volume, const char *password)
{
    void *slot = id_map_get(&l->passwords, volume);

    if (!slot) {
        TRY(secret_pool_get(l->pool, &slot));
        ks_rc rc = id_map_put(&l->passwords, volume, slot);
        if (!ks_ok(rc)) {
            secret_pool_put(l->pool, slot);
            return rc;
        }
    }
    mem_wipe(slot, LIVE_PASSWORD_BYTES);
    memcpy(slot, password, strlen(password));
    return KS_SUCCESS;
}

ks_rc live_set_password(struct live *l, const char *volume, const char *password)
{
    ENSURE(!password || strlen(password) < LIVE_PASSWORD_BYTES, KS_E_LIMIT,
           "a password of %d bytes or more", LIVE_PASSWORD_BYTES);
    ks_rc rc = KS_SUCCESS;
    pthread_mutex_lock(&l->mutex);
    if (password)
        rc = keep_password(l, volume, password);
    else
        forget_password(l, volume);
    pthread_mutex_unlock(&l->mutex);
    return rc;
}

bool live_password(struct live *l, const char *volume, char out[LIVE_PASSWORD_BYTES])
{
    pthread_mutex_lock(&l->mutex);
    const char *slot = id_map_get(&l->passwords, volume);
    if (slot)
        memcpy(out, slot, LIVE_PASSWORD_BYTES);
    pthread_mutex_unlock(&l->mutex);
    return slot != NULL;
}

static ks_rc keep_failed(struct live *l, const char *volume, json_t **copy)
{
    json_t *was = id_map_take(&l->failed, volume);
    ks_rc rc = *copy ? id_map_put(&l->failed, volume, *copy) : KS_SUCCESS;

    json_decref(was);
    if (ks_ok(rc))
        *copy = NULL;
    return rc;
}

ks_rc live_set_failed(struct live *l, const char *volume, const json_t *failed)
{
    json_t *copy = failed ? json_deep_copy(failed) : NULL;

    ENSURE(copy || !failed, KS_E_NO_MEMORY, "no memory for a report");
    pthread_mutex_lock(&l->mutex);
    ks_rc rc = keep_failed(l, volume, &copy);
    pthread_mutex_unlock(&l->mutex);
    json_decref(copy);
    return rc;
}

json_t *live_failed(struct live *l, const char *volume)
{
    pthread_mutex_lock(&l->mutex);
    json_t *failed = json_incref(id_map_get(&l->failed, volume));
    pthread_mutex_unlock(&l->mutex);
    return failed;
}
