/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/api_key.c - texts of API keys, who a request is from, and when keys were last used.
 *
 * Invariant: whatever is wrong with a secret, the answer is the same, and the comparison takes as long.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/secret.h"
#include "control/account.h"
#include "control/control_int.h"
#include "control/store.h"
#include "crypto/hash.h"

enum { USES_SLOTS = 1024, USES_PROBES = 8, MINUTE_S = 60, SECRET_TEXT_LEN = 43 };

/* -- texts -- */

static ks_rc refuse(void)
{
    return ks_fail(KS_E_PERMISSION, "this is not a valid key");
}

ks_rc api_secret_make(struct random *random, const char *prefix, const char *id,
                      char ret[API_SECRET_TEXT_BYTES], uint8_t ret_hash[32])
{
    CLEANUP(buf_done) struct buf text = buf_init_wiping(64);
    uint8_t secret[KEY_SECRET_BYTES];

    TRY(random_fill(random, secret, sizeof secret));
    ks_rc rc = base64_write(view_of(secret, sizeof secret), BASE64_URL, &text);
    mem_wipe(secret, sizeof secret);
    TRY(rc);
    TRY(hash_sha256(buf_view(&text), ret_hash));
    snprintf(ret, API_SECRET_TEXT_BYTES, "%s_%s_%s", prefix, id, buf_text(&text));
    return KS_SUCCESS;
}

ks_rc api_secret_read(const char *text, const char *prefix, char ret_id[ID_BYTES],
                      uint8_t ret_hash[32])
{
    size_t head = strlen(prefix), len = strnlen(text, API_SECRET_TEXT_BYTES);
    char id[ID_BYTES];

    if (len != head + 1 + (ID_BYTES - 1) + 1 + SECRET_TEXT_LEN ||
        strncmp(text, prefix, head) != 0 || text[head] != '_' || text[head + ID_BYTES] != '_')
        return refuse();
    memcpy(id, text + head + 1, ID_BYTES - 1);
    id[ID_BYTES - 1] = '\0';
    if (!id_is_valid(id))
        return refuse();
    TRY(hash_sha256(view_text(text + head + 1 + ID_BYTES), ret_hash));
    memcpy(ret_id, id, sizeof id);
    return KS_SUCCESS;
}

/* -- what is kept of keys in memory -- */

struct key_use {
    char id[ID_BYTES]; /* "": none */
    int64_t at;
};

struct known_key {
    uint64_t version; /* of the store, when it was asked before row was read */
    struct store_api_key row;
};

struct key_uses {
    pthread_mutex_t mutex;
    bool has_some;
    uint64_t stored_ms;
    struct key_use slots[USES_SLOTS];   /* by the first digits of the id, which are random */
    struct known_key known[USES_SLOTS]; /* so too; the last one of each place */
};

ks_rc key_uses_new(struct key_uses **ret)
{
    TRY(mem_new(1, sizeof **ret, ret));
    pthread_mutex_init(&(*ret)->mutex, NULL);
    return KS_SUCCESS;
}

void key_uses_free(struct key_uses *u)
{
    if (u)
        pthread_mutex_destroy(&u->mutex);
    mem_free(u);
}

static size_t place_of(const char *id)
{
    size_t place = 0;

    for (int i = 0; i < 8 && id[i]; i++)
        place = place * 31 + (uint8_t)id[i];
    return place;
}

static bool recall(struct key_uses *u, const char *id, uint64_t version, struct store_api_key *ret)
{
    const struct known_key *known = &u->known[place_of(id) % USES_SLOTS];

    pthread_mutex_lock(&u->mutex);
    bool is_known = known->version == version && strcmp(known->row.key.id, id) == 0;
    if (is_known)
        *ret = known->row;
    pthread_mutex_unlock(&u->mutex);
    return is_known;
}

static void remember(struct key_uses *u, const struct store_api_key *row, uint64_t version)
{
    struct known_key *known = &u->known[place_of(row->key.id) % USES_SLOTS];

    pthread_mutex_lock(&u->mutex);
    known->version = version;
    known->row = *row;
    pthread_mutex_unlock(&u->mutex);
}

static void note(struct key_uses *u, const char *id, int64_t at)
{
    size_t place = place_of(id);

    for (size_t i = 0; i < USES_PROBES; i++) {
        struct key_use *slot = &u->slots[(place + i) % USES_SLOTS];
        if (slot->id[0] && strcmp(slot->id, id) != 0)
            continue;
        snprintf(slot->id, sizeof slot->id, "%s", id);
        slot->at = at;
        u->has_some = true;
        return;
    }
}

void key_uses_note(struct key_uses *u, const char *id, int64_t at)
{
    pthread_mutex_lock(&u->mutex);
    note(u, id, at);
    pthread_mutex_unlock(&u->mutex);
}

/* Takes what was noted into a new array; NULL when it is not time or there is nothing. */
static ks_rc take(struct key_uses *u, uint64_t now_ms, bool is_last, struct key_use **ret)
{
    struct key_use *taken = NULL;

    pthread_mutex_lock(&u->mutex);
    bool is_time = is_last || now_ms - u->stored_ms >= KEY_USES_STORE_MS;
    ks_rc rc = KS_SUCCESS;
    if (u->has_some && is_time)
        rc = mem_new(USES_SLOTS, sizeof *taken, &taken);
    if (taken) {
        memcpy(taken, u->slots, sizeof u->slots);
        memset(u->slots, 0, sizeof u->slots);
        u->has_some = false;
        u->stored_ms = now_ms;
    }
    pthread_mutex_unlock(&u->mutex);
    if (ks_ok(rc))
        *ret = taken;
    return rc;
}

ks_rc key_uses_store(struct control *c, bool is_last)
{
    CLEANUP(mem_freep) struct key_use *uses = NULL;
    CLEANUP(store_tx_end) struct store_tx *tx = NULL;

    TRY(take(c->uses, clock_boot_ms(c->clock), is_last, &uses));
    if (!uses)
        return KS_SUCCESS;
    TRY(store_tx_begin(c->store, &tx));
    store_tx_observe(tx);
    for (size_t i = 0; i < USES_SLOTS; i++)
        if (uses[i].id[0])
            TRY(store_api_key_used(tx, uses[i].id, uses[i].at));
    return store_tx_commit(&tx);
}

/* -- who it is -- */

static ks_rc read_key(struct control *c, const char *id, struct store_api_key *ret)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;

    TRY(store_view_begin(c->store, &v));
    return store_api_key_get(v, id, ret);
}

/* A row that was read before is taken while the store says that it is still so: a revoked key is noticed by the next request. */
static ks_rc find_key(struct control *c, const char *id, struct store_api_key *ret)
{
    uint64_t version = store_version(c->store, id);

    if (recall(c->uses, id, version, ret))
        return KS_SUCCESS;
    TRY(read_key(c, id, ret));
    remember(c->uses, ret, version);
    return KS_SUCCESS;
}

static bool is_good(const struct store_api_key *row, const uint8_t hash[32], int64_t now)
{
    bool is_same = secret_is_equal(view_of(row->hash, 32), view_of(hash, 32));

    return is_same && !row->key.is_revoked && (row->key.expires == 0 || now < row->key.expires);
}

ks_rc control_authenticate(struct control *c, const char *secret, struct caller *ret)
{
    struct store_api_key row = {0};
    char id[ID_BYTES];
    uint8_t hash[32];

    TRY(api_secret_read(secret, "ksk", id, hash));
    ks_rc rc = find_key(c, id, &row);
    if (!ks_is(rc, KS_E_NOT_FOUND))
        TRY(rc);
    int64_t now = clock_wall_s(c->clock);
    if (!is_good(&row, hash, now) || !ks_ok(rc))
        return refuse();
    if (row.key.last_used / MINUTE_S < now / MINUTE_S)
        key_uses_note(c->uses, id, now - now % MINUTE_S);
    memcpy(ret->key, row.key.id, sizeof ret->key);
    memcpy(ret->name, row.key.name, sizeof ret->name);
    memcpy(ret->organisation, row.key.organisation, sizeof ret->organisation);
    memcpy(ret->cluster, row.key.cluster, sizeof ret->cluster);
    ret->role = row.key.role;
    return KS_SUCCESS;
}
