/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/store.c - the SQLite file of the embedded key service.
 *
 * Invariant: a transaction is on the disk before it is acted upon (synchronous FULL, write-ahead log), and another
 * process cannot have the file open meanwhile (exclusive locking). What is deleted is overwritten (secure_delete), in
 * the log too, because a destroyed key must not be found in it. Secrets are never in the file but sealed.
 */
#include "localkms/store.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/keywrap.h"

enum { SCHEMA_VERSION = 1, PATH_BYTES = 4096, ROOT_BYTES = 32, AAD_BYTES_MAX = 4096 };

static const char REALM_AAD[] = "keystead kms realm v1";

struct lk_store {
    sqlite3 *db;
    struct secret *realm_key;
    struct random *random;
    pthread_mutex_t mutex; /* one statement at a time */
};

static const char SCHEMA[] =
    "CREATE TABLE realm (one INTEGER PRIMARY KEY CHECK (one = 1), wrapped_key BLOB NOT NULL);"
    "CREATE TABLE record (kind TEXT NOT NULL, id TEXT NOT NULL, json TEXT NOT NULL, sealed BLOB,"
    " PRIMARY KEY (kind, id)) WITHOUT ROWID;"
    "CREATE TABLE audit (seq INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL);";

/* ---- SQLite ---- */

static ks_rc fail_sql(sqlite3 *db, int err)
{
    const char *text = db ? sqlite3_errmsg(db) : sqlite3_errstr(err);

    switch (err & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ks_fail(KS_E_BUSY, "the state directory is in use by another process");
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return ks_fail(KS_E_CORRUPT, "the store is damaged: %s", text);
    case SQLITE_FULL:
        return ks_fail(KS_E_NO_SPACE, "the store cannot grow: %s", text);
    case SQLITE_NOMEM:
        return ks_fail(KS_E_NO_MEMORY, "the store: %s", text);
    default:
        return ks_fail(KS_E_IO, "the store: %s", text);
    }
}

static ks_rc run(sqlite3 *db, const char *sql)
{
    int err = sqlite3_exec(db, sql, NULL, NULL, NULL);

    return err == SQLITE_OK ? KS_SUCCESS : fail_sql(db, err);
}

static void statement_done(sqlite3_stmt **s)
{
    sqlite3_finalize(*s);
}

static ks_rc prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret)
{
    int err = sqlite3_prepare_v2(db, sql, -1, ret, NULL);

    return err == SQLITE_OK ? KS_SUCCESS : fail_sql(db, err);
}

/* One step of a statement that gives no row. */
static ks_rc finish(sqlite3 *db, sqlite3_stmt *s)
{
    int err = sqlite3_step(s);

    return err == SQLITE_DONE ? KS_SUCCESS : fail_sql(db, err);
}

static ks_rc read_number(sqlite3 *db, const char *sql, int64_t *ret)
{
    CLEANUP(statement_done) sqlite3_stmt *s = NULL;

    TRY(prepare(db, sql, &s));
    int err = sqlite3_step(s);
    if (err != SQLITE_ROW)
        return fail_sql(db, err);
    *ret = sqlite3_column_int64(s, 0);
    return KS_SUCCESS;
}

static ks_rc open_file(const char *dir, int flags, sqlite3 **ret)
{
    char path[PATH_BYTES];

    int n = snprintf(path, sizeof path, "%s/store.db", dir);
    ENSURE(n > 0 && n < PATH_BYTES, KS_E_USAGE, "the path of the state directory is too long");
    int err = sqlite3_open_v2(path, ret, flags | SQLITE_OPEN_NOMUTEX, NULL);
    return err == SQLITE_OK ? KS_SUCCESS : fail_sql(NULL, err);
}

static ks_rc set_up(sqlite3 *db)
{
    TRY(run(db, "PRAGMA locking_mode = EXCLUSIVE"));
    TRY(run(db, "PRAGMA journal_mode = WAL"));
    TRY(run(db, "PRAGMA synchronous = FULL"));
    TRY(run(db, "PRAGMA secure_delete = ON"));
    return run(db, "PRAGMA trusted_schema = OFF");
}

static void db_close(sqlite3 **db)
{
    sqlite3_close(*db);
}

/* ---- the realm key ---- */

static ks_rc store_realm_key(sqlite3 *db, struct view realm_key, const struct secret *root,
                             struct random *random)
{
    CLEANUP(statement_done) sqlite3_stmt *s = NULL;
    uint8_t wrapped[ROOT_BYTES + KEYWRAP_OVERHEAD];

    TRY(keywrap_seal(secret_view(root), view_text(REALM_AAD), realm_key, random, wrapped));
    TRY(prepare(db, "INSERT OR REPLACE INTO realm VALUES (1, ?)", &s));
    sqlite3_bind_blob(s, 1, wrapped, sizeof wrapped, SQLITE_TRANSIENT);
    return finish(db, s);
}

static ks_rc load_realm_key(struct lk_store *store, const struct secret *root)
{
    CLEANUP(statement_done) sqlite3_stmt *s = NULL;

    TRY(prepare(store->db, "SELECT wrapped_key FROM realm", &s));
    int err = sqlite3_step(s);
    ENSURE(err == SQLITE_ROW, KS_E_CORRUPT, "the store has no realm key");
    const void *wrapped = sqlite3_column_blob(s, 0);
    size_t len = (size_t)sqlite3_column_bytes(s, 0);
    ks_rc rc = keywrap_open(secret_view(root), view_text(REALM_AAD), view_of(wrapped, len),
                            &store->realm_key);
    if (ks_is(rc, KS_E_WRONG_KEY))
        return ks_fail(KS_E_WRONG_KEY, "this state directory was made with another root key");
    return ks_wrap(rc, "the realm key");
}

/* ---- making and opening ---- */

static ks_rc make(sqlite3 *db, const struct secret *root, struct random *random)
{
    CLEANUP(secret_freep) struct secret *realm_key = NULL;
    int64_t tables;

    TRY(set_up(db));
    TRY(read_number(db, "SELECT count(*) FROM sqlite_master", &tables));
    ENSURE(tables == 0, KS_E_EXISTS, "there is a store already");
    TRY(secret_new(ROOT_BYTES, &realm_key));
    TRY(random_fill(random, secret_bytes(realm_key), ROOT_BYTES));
    TRY(run(db, "BEGIN IMMEDIATE"));
    TRY(run(db, SCHEMA));
    TRY(store_realm_key(db, secret_view(realm_key), root, random));
    TRY(run(db, "PRAGMA user_version = 1"));
    return run(db, "COMMIT");
}

ks_rc lk_store_create(const char *dir, const struct secret *root, struct random *random)
{
    CLEANUP(db_close) sqlite3 *db = NULL;

    TRY(open_file(dir, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &db));
    return make(db, root, random);
}

static ks_rc check_version(sqlite3 *db)
{
    int64_t version;

    TRY(read_number(db, "PRAGMA user_version", &version));
    ENSURE(version <= SCHEMA_VERSION, KS_E_NEWER_VERSION,
           "the store has version %lld, this program knows %d", (long long)version, SCHEMA_VERSION);
    ENSURE(version == SCHEMA_VERSION, KS_E_NOT_FOUND,
           "the state directory was never finished; make it again with: keystead kms setup");
    return KS_SUCCESS;
}

ks_rc lk_store_open(const char *dir, const struct secret *root, struct random *random,
                    struct lk_store **ret)
{
    struct lk_store *s;

    TRY(mem_new(1, sizeof *s, &s));
    s->random = random;
    pthread_mutex_init(&s->mutex, NULL);
    ks_rc rc = open_file(dir, SQLITE_OPEN_READWRITE, &s->db);
    if (ks_ok(rc))
        rc = set_up(s->db);
    if (ks_ok(rc))
        rc = check_version(s->db);
    if (ks_ok(rc))
        rc = load_realm_key(s, root);
    if (!ks_ok(rc)) {
        lk_store_close(s);
        return ks_wrap(rc, "state directory %.200s", dir);
    }
    *ret = s;
    return KS_SUCCESS;
}

void lk_store_close(struct lk_store *s)
{
    if (!s)
        return;
    sqlite3_close(s->db);
    secret_free(s->realm_key);
    pthread_mutex_destroy(&s->mutex);
    mem_free(s);
}

ks_rc lk_store_new_root(struct lk_store *s, const struct secret *root)
{
    pthread_mutex_lock(&s->mutex);
    ks_rc rc = store_realm_key(s->db, secret_view(s->realm_key), root, s->random);
    pthread_mutex_unlock(&s->mutex);
    return rc;
}

/* ---- sealing ---- */

ks_rc lk_store_seal(struct lk_store *s, struct view purpose, struct view plain, struct buf *ret)
{
    uint8_t *tail;

    ENSURE(plain.len <= KEYWRAP_KEY_MAX, KS_E_LIMIT, "a secret of more than %d bytes",
           KEYWRAP_KEY_MAX);
    TRY(buf_extend(ret, keywrap_bytes(plain.len), &tail));
    ks_rc rc = keywrap_seal(secret_view(s->realm_key), purpose, plain, s->random, tail);
    if (!ks_ok(rc))
        ret->len -= keywrap_bytes(plain.len);
    return rc;
}

ks_rc lk_store_unseal(struct lk_store *s, struct view purpose, struct view sealed,
                      struct secret **ret)
{
    ks_rc rc = keywrap_open(secret_view(s->realm_key), purpose, sealed, ret);

    if (ks_is(rc, KS_E_WRONG_KEY) || ks_is(rc, KS_E_FORMAT))
        return ks_fail(KS_E_AUTH, "it was not sealed here");
    return rc;
}

/* A record's secret opens under its own kind and id only. */
static ks_rc write_purpose(const char *kind, const char *id, struct buf *ret)
{
    TRY(buf_append(ret, view_of(kind, strlen(kind) + 1)));
    return buf_append(ret, view_text(id));
}

/* ---- loading ---- */

static ks_rc load_row(struct lk_store *s, const char *kind, sqlite3_stmt *row,
                      ks_rc (*each)(void *arg, const struct lk_record *record), void *arg)
{
    CLEANUP(secret_freep) struct secret *secret = NULL;
    CLEANUP(buf_done) struct buf purpose = buf_init(AAD_BYTES_MAX);
    const char *id = (const char *)sqlite3_column_text(row, 0);
    struct view json = view_of(sqlite3_column_text(row, 1), (size_t)sqlite3_column_bytes(row, 1));
    struct view sealed = view_of(sqlite3_column_blob(row, 2), (size_t)sqlite3_column_bytes(row, 2));

    ENSURE(id && json.bytes, KS_E_NO_MEMORY, "no memory for a record");
    if (sealed.len > 0) {
        TRY(write_purpose(kind, id, &purpose));
        TRY(ks_wrap(lk_store_unseal(s, buf_view(&purpose), sealed, &secret), "%s %.200s", kind,
                    id));
    }
    return each(arg, &(struct lk_record){kind, id, json, secret});
}

static ks_rc load_all(struct lk_store *s, const char *kind,
                      ks_rc (*each)(void *arg, const struct lk_record *record), void *arg)
{
    CLEANUP(statement_done) sqlite3_stmt *row = NULL;
    int err;

    TRY(prepare(s->db, "SELECT id, json, sealed FROM record WHERE kind = ? ORDER BY id", &row));
    sqlite3_bind_text(row, 1, kind, -1, SQLITE_STATIC);
    while ((err = sqlite3_step(row)) == SQLITE_ROW)
        TRY(load_row(s, kind, row, each, arg));
    return err == SQLITE_DONE ? KS_SUCCESS : fail_sql(s->db, err);
}

ks_rc lk_store_load(struct lk_store *s, const char *kind,
                    ks_rc (*each)(void *arg, const struct lk_record *record), void *arg)
{
    pthread_mutex_lock(&s->mutex);
    ks_rc rc = load_all(s, kind, each, arg);
    pthread_mutex_unlock(&s->mutex);
    return rc;
}

/* ---- changing ---- */

static ks_rc put(struct lk_store *s, const struct lk_record *record)
{
    CLEANUP(statement_done) sqlite3_stmt *row = NULL;
    CLEANUP(buf_done) struct buf purpose = buf_init(AAD_BYTES_MAX);
    CLEANUP(buf_done) struct buf sealed = buf_init(KEYWRAP_KEY_MAX + KEYWRAP_OVERHEAD);

    if (record->secret) {
        TRY(write_purpose(record->kind, record->id, &purpose));
        TRY(lk_store_seal(s, buf_view(&purpose), secret_view(record->secret), &sealed));
    }
    TRY(prepare(s->db, "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?)", &row));
    sqlite3_bind_text(row, 1, record->kind, -1, SQLITE_STATIC);
    sqlite3_bind_text(row, 2, record->id, -1, SQLITE_STATIC);
    sqlite3_bind_text(row, 3, (const char *)record->json.bytes, (int)record->json.len,
                      SQLITE_STATIC);
    if (record->secret)
        sqlite3_bind_blob(row, 4, sealed.bytes, (int)sealed.len, SQLITE_STATIC);
    return finish(s->db, row);
}

static ks_rc delete (struct lk_store *s, const struct lk_record *record)
{
    CLEANUP(statement_done) sqlite3_stmt *row = NULL;

    TRY(prepare(s->db, "DELETE FROM record WHERE kind = ? AND id = ?", &row));
    sqlite3_bind_text(row, 1, record->kind, -1, SQLITE_STATIC);
    sqlite3_bind_text(row, 2, record->id, -1, SQLITE_STATIC);
    return finish(s->db, row);
}

static ks_rc write_audit(struct lk_store *s, struct view audit)
{
    CLEANUP(statement_done) sqlite3_stmt *row = NULL;

    TRY(prepare(s->db, "INSERT INTO audit (event) VALUES (?)", &row));
    sqlite3_bind_text(row, 1, (const char *)audit.bytes, (int)audit.len, SQLITE_STATIC);
    return finish(s->db, row);
}

static ks_rc write_all(struct lk_store *s, const struct lk_change *changes, size_t count,
                       struct view audit)
{
    for (size_t i = 0; i < count; i++)
        TRY(changes[i].verb == LK_DELETE ? delete (s, &changes[i].record)
                                         : put(s, &changes[i].record));
    TRY(write_audit(s, audit));
    return run(s->db, "COMMIT");
}

static bool is_destroying(const struct lk_change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (changes[i].verb != LK_PUT)
            return true;
    return false;
}

static ks_rc commit(struct lk_store *s, const struct lk_change *changes, size_t count,
                    struct view audit)
{
    TRY(run(s->db, "BEGIN IMMEDIATE"));
    ks_rc rc = write_all(s, changes, count, audit);
    if (!ks_ok(rc)) {
        /* The first failure is told; a transaction that is left open makes the next BEGIN fail. */
        IGNORE(run(s->db, "ROLLBACK"));
        return rc;
    }
    if (is_destroying(changes, count))
        /* what was destroyed leaves the log now; it is committed already, a failure only delays that */
        IGNORE(run(s->db, "PRAGMA wal_checkpoint(TRUNCATE)"));
    return KS_SUCCESS;
}

ks_rc lk_store_commit(struct lk_store *s, const struct lk_change *changes, size_t count,
                      struct view audit)
{
    pthread_mutex_lock(&s->mutex);
    ks_rc rc = commit(s, changes, count, audit);
    pthread_mutex_unlock(&s->mutex);
    return rc;
}

static ks_rc read_audit(struct lk_store *s, int64_t after, unsigned count_max,
                        ks_rc (*each)(void *arg, int64_t seq, const char *event), void *arg)
{
    CLEANUP(statement_done) sqlite3_stmt *row = NULL;
    int err;

    TRY(prepare(s->db, "SELECT seq, event FROM audit WHERE seq > ? ORDER BY seq LIMIT ?", &row));
    sqlite3_bind_int64(row, 1, after);
    sqlite3_bind_int64(row, 2, count_max);
    while ((err = sqlite3_step(row)) == SQLITE_ROW)
        TRY(each(arg, sqlite3_column_int64(row, 0), (const char *)sqlite3_column_text(row, 1)));
    return err == SQLITE_DONE ? KS_SUCCESS : fail_sql(s->db, err);
}

ks_rc lk_store_audit(struct lk_store *s, int64_t after, unsigned count_max,
                     ks_rc (*each)(void *arg, int64_t seq, const char *event), void *arg)
{
    pthread_mutex_lock(&s->mutex);
    ks_rc rc = read_audit(s, after, count_max, each, arg);
    pthread_mutex_unlock(&s->mutex);
    return rc;
}
