/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/idempotency.c - the same request twice is done once: who is being answered now, and what was answered before.
 *
 * Invariant: a request is claimed in memory before the store is asked, and stays so until its reply is stored: between the two nobody
 * else takes it for a new one.
 */
#include "control/idempotency.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "control/control_int.h"
#include "control/store.h"

struct claim {
    struct claim *next;
    char owner[ID_BYTES];
    char word[REPEAT_WORD_BYTES];
    uint8_t hash[32];
};

struct repeats {
    pthread_mutex_t mutex;
    struct claim *claims;
    size_t count;
};

ks_rc repeats_new(struct repeats **ret)
{
    TRY(mem_new(1, sizeof **ret, ret));
    pthread_mutex_init(&(*ret)->mutex, NULL);
    return KS_SUCCESS;
}

void repeats_free(struct repeats *r)
{
    if (!r)
        return;
    while (r->claims) {
        struct claim *claim = r->claims;
        r->claims = claim->next;
        mem_free(claim);
    }
    pthread_mutex_destroy(&r->mutex);
    mem_free(r);
}

/* -- claims; with the mutex held -- */

static struct claim **find_claim(struct repeats *r, const char *owner, const char *word)
{
    struct claim **at = &r->claims;

    while (*at && (strcmp((*at)->owner, owner) != 0 || strcmp((*at)->word, word) != 0))
        at = &(*at)->next;
    return at;
}

static ks_rc add_claim(struct repeats *r, const struct store_repeat *wish)
{
    struct claim **at = find_claim(r, wish->owner, wish->word), *claim;

    if (*at && memcmp((*at)->hash, wish->hash, sizeof wish->hash) != 0)
        return ks_fail(KS_E_STATE, "this Idempotency-Key came with another request");
    ENSURE(!*at, KS_E_BUSY, "the request with this Idempotency-Key is being answered");
    ENSURE(r->count < REPEAT_RUNNING_MAX, KS_E_LIMIT, "too many requests at a time");
    TRY(mem_new(1, sizeof *claim, &claim));
    memcpy(claim->owner, wish->owner, sizeof claim->owner);
    memcpy(claim->word, wish->word, sizeof claim->word);
    memcpy(claim->hash, wish->hash, sizeof claim->hash);
    *at = claim;
    r->count++;
    return KS_SUCCESS;
}

static bool take_claim(struct repeats *r, const char *owner, const char *word, uint8_t hash[32])
{
    struct claim **at = find_claim(r, owner, word), *claim = *at;

    if (!claim)
        return false;
    *at = claim->next;
    r->count--;
    memcpy(hash, claim->hash, 32);
    mem_free(claim);
    return true;
}

static ks_rc begin_claim(struct repeats *r, const struct store_repeat *wish)
{
    pthread_mutex_lock(&r->mutex);
    ks_rc rc = add_claim(r, wish);
    pthread_mutex_unlock(&r->mutex);
    return rc;
}

static bool end_claim(struct repeats *r, const char *owner, const char *word, uint8_t hash[32])
{
    pthread_mutex_lock(&r->mutex);
    bool was_there = take_claim(r, owner, word, hash);
    pthread_mutex_unlock(&r->mutex);
    return was_there;
}

/* -- the store -- */

static ks_rc find_reply(struct control *c, const struct store_repeat *wish, int *ret_status,
                        struct buf *ret_body)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;
    struct store_repeat row;

    TRY(store_view_begin(c->store, &v));
    TRY(store_repeat_get(v, wish->owner, wish->word, &row));
    ENSURE(wish->at - row.at < REPEAT_KEEP_S, KS_E_NOT_FOUND, "its reply is not kept any more");
    ENSURE(memcmp(row.hash, wish->hash, sizeof row.hash) == 0, KS_E_STATE,
           "this Idempotency-Key came with another request");
    TRY(store_repeat_body(v, wish->owner, wish->word, ret_body));
    *ret_status = (int)row.status;
    return KS_SUCCESS;
}

static ks_rc set_word(const char *word, struct store_repeat *ret)
{
    size_t len = strnlen(word, REPEAT_WORD_BYTES);

    ENSURE(len >= 1 && len < REPEAT_WORD_BYTES, KS_E_USAGE,
           "an Idempotency-Key has from 1 to %d characters", REPEAT_WORD_BYTES - 1);
    memcpy(ret->word, word, len + 1);
    return KS_SUCCESS;
}

ks_rc control_repeat_find(struct control *c, const struct caller *by, const char *key,
                          const uint8_t hash[32], int *ret_status, struct buf *ret_body)
{
    struct store_repeat wish = {.at = clock_wall_s(c->clock)};
    uint8_t claimed[32];

    TRY(set_word(key, &wish));
    memcpy(wish.owner, by->key, sizeof wish.owner);
    memcpy(wish.hash, hash, sizeof wish.hash);
    TRY(begin_claim(c->repeats, &wish));
    ks_rc rc = find_reply(c, &wish, ret_status, ret_body);
    if (!ks_is(rc, KS_E_NOT_FOUND))
        (void)end_claim(c->repeats, wish.owner, wish.word, claimed);
    return rc;
}

static ks_rc store_reply(struct control *c, const struct store_repeat *row, struct view body)
{
    CLEANUP(store_tx_end) struct store_tx *tx = NULL;

    TRY(store_tx_begin(c->store, &tx));
    store_tx_observe(tx);
    TRY(store_repeats_expire(tx, row->at - REPEAT_KEEP_S));
    TRY(store_repeat_put(tx, row, body));
    return store_tx_commit(&tx);
}

/* The claim that is to be ended, with the hash that it was made with; false when there is none. */
static bool read_claim(struct repeats *r, struct store_repeat *row)
{
    pthread_mutex_lock(&r->mutex);
    const struct claim *claim = *find_claim(r, row->owner, row->word);
    if (claim)
        memcpy(row->hash, claim->hash, sizeof row->hash);
    pthread_mutex_unlock(&r->mutex);
    return claim != NULL;
}

void control_repeat_keep(struct control *c, const struct caller *by, const char *key, int status,
                         struct view body)
{
    struct store_repeat row = {.status = (uint32_t)status, .at = clock_wall_s(c->clock)};
    bool is_kept = status >= 200 && status < 300 && body.len <= REPEAT_BODY_MAX;

    if (!ks_ok(set_word(key, &row)))
        return;
    memcpy(row.owner, by->key, sizeof row.owner);
    if (!read_claim(c->repeats, &row))
        return;
    if (is_kept)
        /* the request was answered; a reply that is not kept makes a repeat find what it did */
        IGNORE(store_reply(c, &row, body));
    (void)end_claim(c->repeats, row.owner, row.word, row.hash);
}
