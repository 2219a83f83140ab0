/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/store.h - where the embedded key service keeps what it knows: records, and their secrets sealed.
 *
 * One SQLite file. A record is a kind, an id, a JSON text and sometimes a secret. Changes are committed together
 * with the audit event that tells of them, or not at all; kill -9 at any point loses nothing that was answered.
 * Secrets are sealed under the realm key, bound to kind and id; the realm key is wrapped by the root key.
 *
 * Everything is read once, at start; afterwards the model in memory answers and the store is only written.
 */
#pragma once

#include "base/buf.h"
#include "base/random.h"
#include "base/rc.h"
#include "base/secret.h"

struct lk_store;

struct lk_record {
    const char *kind, *id; /* "aws-key", "111122223333/eu-west-1/<uuid>" */
    struct view json;
    const struct secret *secret; /* NULL: none */
};

enum lk_verb {
    LK_PUT,
    LK_PUT_ANEW, /* what the record held before is to be destroyed: it leaves the file at once */
    LK_DELETE,   /* so does this */
};

struct lk_change {
    enum lk_verb verb;
    struct lk_record record; /* LK_DELETE: kind and id only */
};

/* lk_store_create(dir, root, random): a new store in an existing empty directory, its realm key wrapped under root
 * (32 bytes). EXISTS when there is one. */
ks_rc lk_store_create(const char *dir, const struct secret *root, struct random *random) KS_MUST;
/* lk_store_open(dir, root, random, ret): WRONG_KEY for another root, BUSY when another process has it, NEWER_VERSION,
 * CORRUPT. */
ks_rc lk_store_open(const char *dir, const struct secret *root, struct random *random,
                    struct lk_store **ret) KS_MUST;
void lk_store_close(struct lk_store *s);

/* lk_store_load(s, kind, each, arg): each record of a kind, in order of id; its parts live during the call only. Ends
 * with the first failure of each. AUTH when a secret was tampered with or moved. */
ks_rc lk_store_load(struct lk_store *s, const char *kind,
                    ks_rc (*each)(void *arg, const struct lk_record *record), void *arg) KS_MUST;
/* lk_store_commit(s, changes, count, audit): all or nothing, durable when it returns. audit: one JSON object. */
ks_rc lk_store_commit(struct lk_store *s, const struct lk_change *changes, size_t count,
                      struct view audit) KS_MUST;
/* lk_store_new_root(s, root): wraps the realm key under another root key. */
ks_rc lk_store_new_root(struct lk_store *s, const struct secret *root) KS_MUST;

/* lk_store_seal(s, purpose, plain, ret), lk_store_unseal: a text of at most 4096 bytes that leaves this service and comes back
 * (tokens): sealed under the realm key for one purpose. AUTH for what was not sealed here for that purpose. */
ks_rc lk_store_seal(struct lk_store *s, struct view purpose, struct view plain,
                    struct buf *ret) KS_MUST;
ks_rc lk_store_unseal(struct lk_store *s, struct view purpose, struct view sealed,
                      struct secret **ret) KS_MUST;

/* lk_store_audit(s, after, count_max, each, arg): the audit events of changes behind number after, in order. */
ks_rc lk_store_audit(struct lk_store *s, int64_t after, unsigned count_max,
                     ks_rc (*each)(void *arg, int64_t seq, const char *event), void *arg) KS_MUST;
