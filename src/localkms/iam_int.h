/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/iam_int.h - the model of IAM in memory. Private to localkms/iam*.c.
 *
 * An object is its record, a JSON object as it lies in the store, with what was parsed out of it. It never changes: a change
 * makes a new object of a changed record, commits the record, and puts the new object in the place of the old one. Whatever
 * a record says is checked in one place, when an object is made, be it read or new.
 */
#pragma once

#include <pthread.h>

#include "base/json.h"
#include "localkms/aws_policy.h"
#include "localkms/aws_sigv4.h"
#include "localkms/iam.h"

enum {
    IAM_NAME_MAX = 128,
    IAM_PATH_MAX = 512,
    IAM_ID_BYTES = 160, /* of a record: account/name */
    IAM_UNIQUE_BYTES = 22,
    IAM_ARN_MAX = 800,
    IAM_SECRET_LEN = 40,
    IAM_INLINE_MAX = 64,
    IAM_ATTACHED_MAX = 20,
};

enum iam_kind { IAM_ACCOUNT, IAM_USER, IAM_ROLE, IAM_POLICY, IAM_KEY, IAM_KINDS };

struct iam_object {
    enum iam_kind kind;
    char id
        [IAM_ID_BYTES]; /* "111122223333/name" in lower case; of a key its id; of an account its number */
    json_t *record;
    char *secret; /* IAM_SECRET_LEN bytes in a slot of the pool; of keys */

    /* parsed out of the record, borrowed or owned by the object */
    const char *account, *name, *path, *unique_id;
    char arn[IAM_ARN_MAX];
    int64_t created_s;
    struct aws_policy *document; /* trust of a role, text of a managed policy */
    struct aws_policy **inlines; /* in the order of the record */
    size_t inline_count;
    const char *attached[IAM_ATTACHED_MAX]; /* ARNs of managed policies */
    size_t attached_count;
    bool is_active;    /* keys */
    const char *owner; /* of a key: the name of the user, "" for root */

    /* what decides in its place until then, when a delay of changes is dialled; or NULL */
    struct iam_object *before;
    uint64_t before_until_ms;
};

struct iam_table {
    struct iam_object **items; /* ascending by id */
    size_t count, room;
};

struct iam_session;
struct session_table;
struct key_cache;

struct iam {
    struct realm *realm;
    pthread_rwlock_t lock; /* of tables; innermost but for those of the caches */
    struct iam_table tables[IAM_KINDS];
    struct secret_pool *secrets;
    struct session_table *sessions;
    struct key_cache *signing_keys;
};

static inline void json_freep(json_t **j)
{
    json_decref(*j);
    *j = NULL;
}

/* ---- objects (iam_object.c) ---- */

/* iam_object_new(iam, kind, record, secret, ret): takes a reference of record. CORRUPT for a record that no change could have
 * made. secret: of a key, else NULL. */
ks_rc iam_object_new(struct iam *iam, enum iam_kind kind, json_t *record, const char *secret,
                     struct iam_object **ret) KS_MUST;
void iam_object_free(struct iam *iam, struct iam_object *o);
/* iam_record_id(account, name, ret): the id of the record of a user, role or policy. */
void iam_record_id(const char *account, const char *name, char ret[IAM_ID_BYTES]);
/* iam_arn(kind, account, path, name, ret): "arn:aws:iam::A:role/path/name". */
void iam_arn(enum iam_kind kind, const char *account, const char *path, const char *name,
             char ret[IAM_ARN_MAX]);
/* iam_make_id(iam, prefix, len, ret): prefix and random letters and digits, len characters in all. */
ks_rc iam_make_id(struct iam *iam, const char *prefix, size_t len, char *ret) KS_MUST;
ks_rc iam_make_secret(struct iam *iam, char ret[IAM_SECRET_BYTES]) KS_MUST;

/* ---- tables (iam_table.c): under the lock, or in the turn ---- */

struct iam_object *iam_find(const struct iam *iam, enum iam_kind kind, const char *id);
struct iam_object *iam_find_name(const struct iam *iam, enum iam_kind kind, const char *account,
                                 const char *name);
/* iam_find_arn(iam, arn): the user, role or managed policy of this ARN; of a session's ARN its role. */
struct iam_object *iam_find_arn(const struct iam *iam, const char *arn);
/* iam_seen(iam, o): o as decisions see it now. */
const struct iam_object *iam_seen(const struct iam *iam, const struct iam_object *o);
/* iam_from(iam, kind, prefix): the place of the first object whose id is not before prefix. */
size_t iam_from(const struct iam *iam, enum iam_kind kind, const char *prefix);
ks_rc iam_load(struct iam *iam) KS_MUST;
/* iam_add_builtin(iam, kind, record): an object that is not in the store; while opening. */
ks_rc iam_add_builtin(struct iam *iam, enum iam_kind kind, json_t *record) KS_MUST;

/* Changes, in the turn: durable first, then visible. iam_put: a new or another record. iam_remove: takes it away. */
ks_rc iam_put(struct iam *iam, enum iam_kind kind, json_t *record, const char *secret,
              const struct lk_event *event) KS_MUST;
ks_rc iam_remove(struct iam *iam, struct iam_object *o, const struct lk_event *event) KS_MUST;
/* iam_key_new(iam, account, owner, event, ret): an access key for a user, or for root when owner is "". */
ks_rc iam_key_new(struct iam *iam, const char *account, const char *owner,
                  const struct lk_event *event, struct iam_key_pair *ret) KS_MUST;
/* iam_key_count(iam, account, owner) */
size_t iam_key_count(const struct iam *iam, const char *account, const char *owner);

/* iam_authorize_locked: aws_authorize, under the lock already. */
bool iam_authorize_locked(struct iam *iam, const struct aws_identity *identity,
                          const struct aws_access *access, struct aws_refusal *refusal) KS_MUST;

/* ---- sessions (iam_session.c) ---- */

struct iam_session {
    char key_id[IAM_KEY_ID_BYTES];
    char *secret; /* a slot of the pool */
    char account[AWS_ACCOUNT_BYTES];
    char name[IAM_NAME_MAX + 1]; /* of the role or user; "" for root */
    char unique_id[IAM_UNIQUE_BYTES];
    char session_name[65]; /* "" for GetSessionToken: the user himself */
    int64_t issued_s, expires_s;
    struct aws_policy *policy; /* or NULL */
    json_t *policy_arns;       /* managed policies that limit it too; or NULL */
    bool is_role;
    uint8_t token_hash[HASH_BYTES];
    struct iam_session *next;
};

struct iam_session_wish {
    const struct iam_object *of; /* role or user; NULL: root of account */
    const char *account;
    const char *session_name; /* NULL: no role */
    const char *policy;       /* text, parsed already; or NULL */
    json_t *policy_arns;      /* or NULL */
    int64_t issued_s, expires_s;
};

ks_rc session_table_new(struct session_table **ret) KS_MUST;
void session_table_free(struct iam *iam, struct session_table *t);
/* iam_session_make(iam, wish, ret_pair, ret_token): a new session; nothing is kept but the token. LIMIT when it is too long. */
ks_rc iam_session_make(struct iam *iam, const struct iam_session_wish *wish,
                       struct iam_key_pair *ret_pair, struct buf *ret_token) KS_MUST;
/* iam_session_find(iam, key_id, token, now_s, ret): the session of a token. It stays valid for an hour after it expired, at
 * least. AUTH for a token that was not made here, LIMIT when there are too many sessions. Expiry is not judged. */
ks_rc iam_session_find(struct iam *iam, const char *key_id, const char *token, int64_t now_s,
                       const struct iam_session **ret) KS_MUST;

/* ---- signing keys (iam_signing.c) ---- */

ks_rc key_cache_new(struct key_cache **ret) KS_MUST;
void key_cache_free(struct key_cache *c);
/* iam_signing_key(iam, claim, secret, ret): derived, or remembered from an earlier request of the day. */
ks_rc iam_signing_key(struct iam *iam, const struct sigv4_claim *claim, const char *secret,
                      uint8_t ret[HASH_BYTES]) KS_MUST;
