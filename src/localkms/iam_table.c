/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/iam_table.c - all objects of IAM by their ids, and how they change.
 *
 * A change that could fail (memory, the store) fails before anything is visible.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "localkms/dial.h"
#include "localkms/iam_int.h"

static const char *const record_kinds[IAM_KINDS] = {
    [IAM_ACCOUNT] = "iam-account", [IAM_USER] = "iam-user", [IAM_ROLE] = "iam-role",
    [IAM_POLICY] = "iam-policy",   [IAM_KEY] = "iam-key",
};

enum { RECORD_BYTES_MAX = 4 << 20, RECORD_DEPTH_MAX = 6, KEYS_PER_USER = 2 };

/* ---- finding ---- */

size_t iam_from(const struct iam *iam, enum iam_kind kind, const char *prefix)
{
    const struct iam_table *t = &iam->tables[kind];
    size_t low = 0, high = t->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strcmp(t->items[mid]->id, prefix) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct iam_object *iam_find(const struct iam *iam, enum iam_kind kind, const char *id)
{
    const struct iam_table *t = &iam->tables[kind];
    size_t at = iam_from(iam, kind, id);

    return at < t->count && strcmp(t->items[at]->id, id) == 0 ? t->items[at] : NULL;
}

struct iam_object *iam_find_name(const struct iam *iam, enum iam_kind kind, const char *account,
                                 const char *name)
{
    char id[IAM_ID_BYTES];

    iam_record_id(account, name, id);
    return iam_find(iam, kind, id);
}

/* arn:aws:sts::A:assumed-role/R/S: the role, whatever its path is. */
static struct iam_object *find_session_role(const struct iam *iam, const char *account,
                                            const char *rest)
{
    char name[IAM_NAME_MAX + 1] = "";
    size_t len = strcspn(rest, "/");

    if (len >= sizeof name || rest[len] == '\0')
        return NULL;
    memcpy(name, rest, len);
    return iam_find_name(iam, IAM_ROLE, account, name);
}

struct iam_object *iam_find_arn(const struct iam *iam, const char *arn)
{
    static const struct {
        const char *prefix;
        enum iam_kind kind;
    } kinds[] = {{"user/", IAM_USER}, {"role/", IAM_ROLE}, {"policy/", IAM_POLICY}};
    char account[AWS_ACCOUNT_BYTES] = "";
    const char *rest = strlen(arn) > 13 ? arn + 13 : "", *slash = strrchr(arn, '/');
    size_t len = strcspn(rest, ":");

    if (len >= sizeof account || !slash || rest[len] != ':')
        return NULL;
    memcpy(account, rest, len);
    rest += len + 1;
    if (strncmp(arn, "arn:aws:sts::", 13) == 0 && strncmp(rest, "assumed-role/", 13) == 0)
        return find_session_role(iam, account, rest + 13);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strncmp(rest, kinds[i].prefix, strlen(kinds[i].prefix)) != 0)
            continue;
        struct iam_object *o = iam_find_name(iam, kinds[i].kind, account, slash + 1);
        return o && strcmp(o->arn, arn) == 0 ? o : NULL;
    }
    return NULL;
}

const struct iam_object *iam_seen(const struct iam *iam, const struct iam_object *o)
{
    return o && o->before && realm_now_ms(iam->realm) < o->before_until_ms ? o->before : o;
}

size_t iam_key_count(const struct iam *iam, const char *account, const char *owner)
{
    const struct iam_table *keys = &iam->tables[IAM_KEY];
    size_t n = 0;

    for (size_t i = 0; i < keys->count; i++)
        n += strcmp(keys->items[i]->account, account) == 0 &&
             strcmp(keys->items[i]->owner, owner) == 0;
    return n;
}

/* ---- changing ---- */

static ks_rc reserve(struct iam_table *t)
{
    size_t room = t->room ? 2 * t->room : 16;

    if (t->count < t->room)
        return KS_SUCCESS;
    TRY(mem_grow(room, sizeof *t->items, &t->items));
    t->room = room;
    return KS_SUCCESS;
}

/* The object that was in the place of o goes, or stays for as long as o is not to be seen yet. */
static void retire(struct iam *iam, struct iam_object *old, struct iam_object *o)
{
    if (o->before_until_ms == 0) {
        iam_object_free(iam, old);
        return;
    }
    iam_object_free(iam, old->before);
    old->before = NULL;
    o->before = old;
}

/* There is room. */
static void insert(struct iam *iam, struct iam_object *o)
{
    struct iam_table *t = &iam->tables[o->kind];
    size_t at = iam_from(iam, o->kind, o->id);

    if (at < t->count && strcmp(t->items[at]->id, o->id) == 0) {
        retire(iam, t->items[at], o);
    } else {
        memmove(t->items + at + 1, t->items + at, (t->count - at) * sizeof *t->items);
        t->count++;
    }
    t->items[at] = o;
}

static ks_rc reserve_locked(struct iam *iam, enum iam_kind kind)
{
    pthread_rwlock_wrlock(&iam->lock);
    ks_rc rc = reserve(&iam->tables[kind]);
    pthread_rwlock_unlock(&iam->lock);
    return rc;
}

static ks_rc commit(struct iam *iam, enum lk_verb verb, const struct iam_object *o,
                    const struct secret *secret, const struct lk_event *event)
{
    CLEANUP(buf_done) struct buf text = buf_init(RECORD_BYTES_MAX);
    struct lk_change change = {verb, {record_kinds[o->kind], o->id, {NULL, 0}, secret}};

    if (verb != LK_DELETE) {
        TRY(json_write(o->record, false, &text));
        change.record.json = buf_view(&text);
    }
    return realm_commit(iam->realm, &change, 1, event);
}

static uint64_t seen_from_ms(struct iam *iam, const struct iam_object *o,
                             const struct lk_event *event)
{
    const struct dial_subject subject = {o->account, o->name, event->operation};
    uint64_t lag_ms = o->name ? dial_lag_ms(iam->realm->dial, &subject) : 0;

    return lag_ms ? realm_now_ms(iam->realm) + lag_ms : 0;
}

ks_rc iam_put(struct iam *iam, enum iam_kind kind, json_t *record, const char *secret,
              const struct lk_event *event)
{
    CLEANUP(secret_freep) struct secret *kept = NULL;
    struct iam_object *o = NULL;

    if (secret)
        TRY(secret_copy(view_of(secret, IAM_SECRET_LEN), &kept));
    TRY(reserve_locked(iam, kind));
    TRY(iam_object_new(iam, kind, record, secret, &o));
    ks_rc rc = commit(iam, LK_PUT, o, kept, event);
    if (!ks_ok(rc)) {
        iam_object_free(iam, o);
        return rc;
    }
    o->before_until_ms = seen_from_ms(iam, o, event);
    pthread_rwlock_wrlock(&iam->lock);
    insert(iam, o);
    pthread_rwlock_unlock(&iam->lock);
    return KS_SUCCESS;
}

ks_rc iam_remove(struct iam *iam, struct iam_object *o, const struct lk_event *event)
{
    struct iam_table *t = &iam->tables[o->kind];

    TRY(commit(iam, LK_DELETE, o, NULL, event));
    pthread_rwlock_wrlock(&iam->lock);
    size_t at = iam_from(iam, o->kind, o->id);
    memmove(t->items + at, t->items + at + 1, (t->count - at - 1) * sizeof *t->items);
    t->count--;
    pthread_rwlock_unlock(&iam->lock);
    iam_object_free(iam, o);
    return KS_SUCCESS;
}

ks_rc iam_key_new(struct iam *iam, const char *account, const char *owner,
                  const struct lk_event *event, struct iam_key_pair *ret)
{
    CLEANUP(iam_key_pair_wipe) struct iam_key_pair pair = {{0}, {0}};
    CLEANUP(json_freep) json_t *record = NULL;

    ENSURE(iam_key_count(iam, account, owner) < KEYS_PER_USER, KS_E_LIMIT,
           "Cannot exceed quota for AccessKeysPerUser: %d", KEYS_PER_USER);
    TRY(iam_make_id(iam, "AKIA", IAM_KEY_ID_BYTES - 1, pair.id));
    TRY(iam_make_secret(iam, pair.secret));
    record = json_pack("{s:s, s:s, s:s, s:I, s:b}", "account", account, "user", owner, "id",
                       pair.id, "created", (json_int_t)realm_now_s(iam->realm), "active", 1);
    ENSURE(record, KS_E_NO_MEMORY, "no memory for an access key");
    TRY(iam_put(iam, IAM_KEY, record, pair.secret, event));
    *ret = pair;
    return KS_SUCCESS;
}

/* ---- loading ---- */

struct loading {
    struct iam *iam;
    enum iam_kind kind;
};

static ks_rc load_record(void *arg, const struct lk_record *record)
{
    const struct json_limits limits = {RECORD_BYTES_MAX, RECORD_DEPTH_MAX};
    const struct loading *l = arg;
    CLEANUP(json_freep) json_t *value = NULL;
    struct iam_object *o = NULL;
    const char *secret = NULL;

    if (l->kind == IAM_KEY) {
        ENSURE(record->secret && secret_view(record->secret).len == IAM_SECRET_LEN, KS_E_CORRUPT,
               "access key %.64s has no secret", record->id);
        secret = (const char *)secret_view(record->secret).bytes;
    }
    TRY(json_read(record->json, limits, record->id, &value));
    TRY(reserve(&l->iam->tables[l->kind]));
    TRY(ks_wrap(iam_object_new(l->iam, l->kind, value, secret, &o), "%s %.200s", record->kind,
                record->id));
    insert(l->iam, o);
    return KS_SUCCESS;
}

ks_rc iam_load(struct iam *iam)
{
    for (enum iam_kind kind = 0; kind < IAM_KINDS; kind++)
        TRY(lk_store_load(iam->realm->store, record_kinds[kind], load_record,
                          &(struct loading){iam, kind}));
    return KS_SUCCESS;
}

ks_rc iam_add_builtin(struct iam *iam, enum iam_kind kind, json_t *record)
{
    struct iam_object *o = NULL;

    TRY(reserve(&iam->tables[kind]));
    TRY(iam_object_new(iam, kind, record, NULL, &o));
    insert(iam, o);
    return KS_SUCCESS;
}
