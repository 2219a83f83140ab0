/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_keys.c - two arrays in order: keys by id, aliases by account, region and name.
 *
 * Ids are random and never given twice, so one order serves all accounts and regions, and a ciphertext finds its key by id
 * alone.
 */
#include "localkms/aws_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "localkms/dial.h"

enum { RECORD_BYTES_MAX = 4 << 20, RECORD_DEPTH_MAX = 16, ALIAS_PATH_BYTES = 400 };

static const char KEY_KIND[] = "aws-key", ALIAS_KIND[] = "aws-alias";

struct aws_keys {
    struct aws_vault vault;
    struct aws_key **keys;
    size_t key_count, key_room;
    struct aws_alias **aliases;
    size_t alias_count, alias_room;
};

/* ---- places ---- */

size_t aws_keys_from(const struct aws_keys *s, const char *id)
{
    size_t low = 0, high = s->key_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(s->keys[middle]->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct aws_key *aws_keys_at(const struct aws_keys *s, size_t place)
{
    return place < s->key_count ? s->keys[place] : NULL;
}

struct aws_key *aws_keys_find(const struct aws_keys *s, const char *id)
{
    struct aws_key *k = aws_keys_at(s, aws_keys_from(s, id));

    return k && strcmp(k->id, id) == 0 ? k : NULL;
}

static void alias_path(const char *account, const char *region, const char *name,
                       char out[ALIAS_PATH_BYTES])
{
    snprintf(out, ALIAS_PATH_BYTES, "%s/%s/%s", account, region, name);
}

static int compare_alias(const struct aws_alias *a, const char *account, const char *region,
                         const char *name)
{
    int by_account = strcmp(a->account, account);
    int by_region = by_account ? by_account : strcmp(a->region, region);

    return by_region ? by_region : strcmp(a->name, name);
}

size_t aws_alias_from(const struct aws_keys *s, const char *account, const char *region,
                      const char *name)
{
    size_t low = 0, high = s->alias_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_alias(s->aliases[middle], account, region, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct aws_alias *aws_alias_at(const struct aws_keys *s, size_t place)
{
    return place < s->alias_count ? s->aliases[place] : NULL;
}

const struct aws_alias *aws_alias_find(const struct aws_keys *s, const char *account,
                                       const char *region, const char *name)
{
    const struct aws_alias *a = aws_alias_at(s, aws_alias_from(s, account, region, name));

    return a && compare_alias(a, account, region, name) == 0 ? a : NULL;
}

/* ---- arrays; room is made before a change is committed, so that bringing the model in line cannot fail ---- */

static ks_rc make_room(void *array, size_t count, size_t *room)
{
    if (count < *room)
        return KS_SUCCESS;
    size_t more = *room ? 2 * *room : 64;
    TRY(mem_grow(more, sizeof(void *), array));
    *room = more;
    return KS_SUCCESS;
}

static void insert_key(struct aws_keys *s, struct aws_key *k)
{
    size_t place = aws_keys_from(s, k->id);

    memmove(s->keys + place + 1, s->keys + place, (s->key_count - place) * sizeof *s->keys);
    s->keys[place] = k;
    s->key_count++;
}

static void insert_alias(struct aws_keys *s, struct aws_alias *a)
{
    size_t place = aws_alias_from(s, a->account, a->region, a->name);

    memmove(s->aliases + place + 1, s->aliases + place,
            (s->alias_count - place) * sizeof *s->aliases);
    s->aliases[place] = a;
    s->alias_count++;
}

static void remove_alias_at(struct aws_keys *s, size_t place)
{
    mem_free(s->aliases[place]);
    s->alias_count--;
    memmove(s->aliases + place, s->aliases + place + 1,
            (s->alias_count - place) * sizeof *s->aliases);
}

/* ---- loading ---- */

static ks_rc load_key(void *arg, const struct lk_record *record)
{
    struct aws_keys *s = arg;
    struct aws_key *k;
    json_t *value;

    TRY(json_read(record->json, (struct json_limits){RECORD_BYTES_MAX, RECORD_DEPTH_MAX},
                  "record of a key", &value));
    TRY(ks_wrap(aws_key_make(&s->vault, value, record->secret, &k), "key %s", record->id));
    ks_rc rc = make_room(&s->keys, s->key_count, &s->key_room);
    if (ks_ok(rc))
        insert_key(s, k);
    else
        aws_key_free(k);
    return rc;
}

static ks_rc copy_text(const json_t *from, const char *name, char *out, size_t room)
{
    const char *text;

    TRY(json_get_text(from, name, room - 1, &text));
    memcpy(out, text, strlen(text) + 1);
    return KS_SUCCESS;
}

static ks_rc read_alias(const json_t *from, struct aws_alias *ret)
{
    TRY(copy_text(from, "account", ret->account, sizeof ret->account));
    TRY(copy_text(from, "region", ret->region, sizeof ret->region));
    TRY(copy_text(from, "name", ret->name, sizeof ret->name));
    TRY(copy_text(from, "target", ret->target, sizeof ret->target));
    TRY(json_get_int(from, "created", 0, INT64_MAX, &ret->created_s));
    return json_get_int(from, "changed", 0, INT64_MAX, &ret->changed_s);
}

static ks_rc load_alias(void *arg, const struct lk_record *record)
{
    struct aws_keys *s = arg;
    CLEANUP(mem_freep) struct aws_alias *a = NULL;
    CLEANUP(json_decrefp) json_t *value = NULL;

    TRY(json_read(record->json, (struct json_limits){RECORD_BYTES_MAX, RECORD_DEPTH_MAX},
                  "record of an alias", &value));
    TRY(mem_new(1, sizeof *a, &a));
    TRY(ks_wrap(read_alias(value, a), "alias %s", record->id));
    TRY(make_room(&s->aliases, s->alias_count, &s->alias_room));
    insert_alias(s, TAKE(a));
    return KS_SUCCESS;
}

ks_rc aws_keys_open(struct realm *r, struct aws_keys **ret)
{
    struct aws_keys *s;

    TRY(mem_new(1, sizeof *s, &s));
    ks_rc rc = secret_pool_new(sizeof(struct xaes_key), &s->vault.pool);
    if (ks_ok(rc))
        rc = xaes_ctx_new(&s->vault.ctx);
    if (ks_ok(rc))
        rc = lk_store_load(r->store, KEY_KIND, load_key, s);
    if (ks_ok(rc))
        rc = lk_store_load(r->store, ALIAS_KIND, load_alias, s);
    if (!ks_ok(rc)) {
        aws_keys_close(s);
        return rc;
    }
    *ret = s;
    return KS_SUCCESS;
}

void aws_keys_close(struct aws_keys *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->key_count; i++)
        aws_key_free(s->keys[i]);
    for (size_t i = 0; i < s->alias_count; i++)
        mem_free(s->aliases[i]);
    mem_free(s->keys);
    mem_free(s->aliases);
    xaes_ctx_free(s->vault.ctx);
    if (s->vault.pool)
        secret_pool_free(s->vault.pool);
    mem_free(s);
}

/* ---- changes ---- */

/* Puts k in its place; gives back what was there and is not needed any more. */
static struct aws_key *publish(struct realm *r, struct aws_key *k, uint64_t lag_ms)
{
    struct aws_keys *s = r->aws_keys;
    size_t place = aws_keys_from(s, k->id);
    struct aws_key *old = aws_keys_find(s, k->id);

    if (!old) {
        insert_key(s, k);
        return NULL;
    }
    s->keys[place] = k;
    if (lag_ms == 0)
        return old;
    struct aws_key *older = old->past;
    old->past = NULL;
    k->past = old;
    k->past_until_ms = realm_now_ms(r) + lag_ms;
    return older;
}

ks_rc aws_keys_put(struct realm *r, json_t *record, const struct secret *material,
                   bool is_destroying, const struct lk_event *event)
{
    CLEANUP(aws_key_freep) struct aws_key *k = NULL, *old = NULL;
    CLEANUP(buf_done) struct buf text = buf_init(RECORD_BYTES_MAX);
    struct aws_keys *s = r->aws_keys;

    TRY(aws_key_make(&s->vault, record, material, &k));
    TRY(json_write(k->record, true, &text));
    TRY(make_room(&s->keys, s->key_count, &s->key_room));
    struct lk_change change = {is_destroying ? LK_PUT_ANEW : LK_PUT,
                               {KEY_KIND, k->id, buf_view(&text), material}};
    TRY(realm_commit(r, &change, 1, event));
    uint64_t lag_ms = dial_lag_ms(
        r->dial,
        &(struct dial_subject){.account = k->account, .key = k->id, .operation = event->operation});
    realm_write(r);
    old = publish(r, TAKE(k), lag_ms);
    realm_unlock(r);
    return KS_SUCCESS;
}

static void remove_key(struct aws_keys *s, const char *id)
{
    size_t place = aws_keys_from(s, id);

    s->key_count--;
    memmove(s->keys + place, s->keys + place + 1, (s->key_count - place) * sizeof *s->keys);
    for (size_t i = s->alias_count; i > 0; i--)
        if (strcmp(s->aliases[i - 1]->target, id) == 0)
            remove_alias_at(s, i - 1);
}

ks_rc aws_keys_destroy(struct realm *r, const char *id, const struct lk_event *event)
{
    struct aws_keys *s = r->aws_keys;
    CLEANUP(mem_freep) struct lk_change *changes = NULL;
    CLEANUP(mem_freep) char(*paths)[ALIAS_PATH_BYTES] = NULL;
    struct aws_key *key = aws_keys_find(s, id);
    size_t count = 0;

    ENSURE(key, KS_E_NOT_FOUND, "no key %s", id);
    TRY(mem_new(s->alias_count + 1, sizeof *changes, &changes));
    TRY(mem_new(s->alias_count + 1, sizeof *paths, &paths));
    changes[count++] = (struct lk_change){LK_DELETE, {.kind = KEY_KIND, .id = key->id}};
    for (size_t i = 0; i < s->alias_count; i++) {
        const struct aws_alias *a = s->aliases[i];
        if (strcmp(a->target, id) != 0)
            continue;
        alias_path(a->account, a->region, a->name, paths[i]);
        changes[count++] = (struct lk_change){LK_DELETE, {.kind = ALIAS_KIND, .id = paths[i]}};
    }
    TRY(realm_commit(r, changes, count, event));
    realm_write(r);
    remove_key(s, key->id);
    realm_unlock(r);
    aws_key_free(key);
    return KS_SUCCESS;
}

ks_rc aws_alias_put(struct realm *r, const struct aws_alias *alias, const struct lk_event *event)
{
    struct aws_keys *s = r->aws_keys;
    CLEANUP(mem_freep) struct aws_alias *own = NULL;
    CLEANUP(buf_done) struct buf text = buf_init(RECORD_BYTES_MAX);
    char path[ALIAS_PATH_BYTES];

    CLEANUP(json_decrefp)
    json_t *record =
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "account", alias->account, "region",
                  alias->region, "name", alias->name, "target", alias->target, "created",
                  (json_int_t)alias->created_s, "changed", (json_int_t)alias->changed_s);
    ENSURE(record, KS_E_NO_MEMORY, "no memory for an alias");
    TRY(json_write(record, true, &text));
    TRY(mem_new(1, sizeof *own, &own));
    *own = *alias;
    TRY(make_room(&s->aliases, s->alias_count, &s->alias_room));
    alias_path(alias->account, alias->region, alias->name, path);
    struct lk_change change = {LK_PUT, {ALIAS_KIND, path, buf_view(&text), NULL}};
    TRY(realm_commit(r, &change, 1, event));
    realm_write(r);
    size_t place = aws_alias_from(s, own->account, own->region, own->name);
    if (aws_alias_find(s, own->account, own->region, own->name))
        *s->aliases[place] = *own;
    else
        insert_alias(s, TAKE(own));
    realm_unlock(r);
    return KS_SUCCESS;
}

ks_rc aws_alias_delete(struct realm *r, const struct aws_alias *alias, const struct lk_event *event)
{
    struct aws_keys *s = r->aws_keys;
    char path[ALIAS_PATH_BYTES];

    alias_path(alias->account, alias->region, alias->name, path);
    struct lk_change change = {LK_DELETE, {.kind = ALIAS_KIND, .id = path}};
    TRY(realm_commit(r, &change, 1, event));
    realm_write(r);
    remove_alias_at(s, aws_alias_from(s, alias->account, alias->region, alias->name));
    realm_unlock(r);
    return KS_SUCCESS;
}
