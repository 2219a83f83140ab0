/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/stretched.c - a few keys in guarded memory, each under the salt and cost that made it.
 */
#include "kms/stretched.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"

struct kept {
    uint8_t salt[PWHASH_SALT_BYTES];
    struct pwhash_cost cost;
    struct secret *key; /* NULL: nothing is kept here yet */
};

struct stretched {
    pthread_mutex_t mutex;
    struct kept kept[STRETCHED_MAX];
    size_t next; /* the place that is free, or else the oldest's */
};

ks_rc stretched_new(struct stretched **ret)
{
    struct stretched *s;

    TRY(mem_new(1, sizeof *s, &s));
    pthread_mutex_init(&s->mutex, NULL);
    *ret = s;
    return KS_SUCCESS;
}

void stretched_free(struct stretched *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < STRETCHED_MAX; i++)
        secret_free(s->kept[i].key);
    pthread_mutex_destroy(&s->mutex);
    mem_free(s);
}

static bool is_from(const struct kept *k, const uint8_t *salt, struct pwhash_cost cost)
{
    return k->key && memcmp(k->salt, salt, PWHASH_SALT_BYTES) == 0 && k->cost.ops == cost.ops &&
           k->cost.mem_bytes == cost.mem_bytes;
}

static const struct secret *find_locked(const struct stretched *s, const uint8_t *salt,
                                        struct pwhash_cost cost)
{
    for (size_t i = 0; i < STRETCHED_MAX; i++)
        if (is_from(&s->kept[i], salt, cost))
            return s->kept[i].key;
    return NULL;
}

bool stretched_find(struct stretched *s, const uint8_t salt[PWHASH_SALT_BYTES],
                    struct pwhash_cost cost, struct secret *key)
{
    if (!s)
        return false;
    pthread_mutex_lock(&s->mutex);
    const struct secret *found = find_locked(s, salt, cost);
    bool is_found = found && secret_view(found).len == secret_view(key).len;
    if (is_found)
        memcpy(secret_bytes(key), secret_view(found).bytes, secret_view(found).len);
    pthread_mutex_unlock(&s->mutex);
    return is_found;
}

static ks_rc keep_locked(struct stretched *s, const uint8_t *salt, struct pwhash_cost cost,
                         const struct secret *key)
{
    struct kept *k = &s->kept[s->next];
    struct secret *copy;

    if (find_locked(s, salt, cost))
        return KS_SUCCESS; /* two clients stretched it side by side */
    TRY(secret_copy(secret_view(key), &copy));
    secret_free(k->key);
    *k = (struct kept){.cost = cost, .key = copy};
    memcpy(k->salt, salt, sizeof k->salt);
    s->next = (s->next + 1) % STRETCHED_MAX;
    return KS_SUCCESS;
}

ks_rc stretched_keep(struct stretched *s, const uint8_t salt[PWHASH_SALT_BYTES],
                     struct pwhash_cost cost, const struct secret *key)
{
    if (!s)
        return KS_SUCCESS;
    pthread_mutex_lock(&s->mutex);
    ks_rc rc = keep_locked(s, salt, cost, key);
    pthread_mutex_unlock(&s->mutex);
    return rc;
}
