/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/store.c - opening the store, its views and its one transaction.
 *
 * Invariant: changes are made by the holder of writer_mutex only, through one connection; readers have connections of their own,
 * which SQLite opens for reading only. The lock file belongs to this process as long as the store is open.
 */
#include "control/store.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "control/store_int.h"
#include "crypto/hash.h"
#include "io/io.h"

static const char FILE_NAME[] = "control.db", LOCK_NAME[] = "control.lock";

#define SELECT(name, table, tail) {DB_SELECT, &store_table_##table, tail},
#define REPLACE(name, table) {DB_REPLACE, &store_table_##table, NULL},
#define INSERT(name, table) {DB_INSERT, &store_table_##table, NULL},
#define PLAIN(name, sql) {DB_PLAIN, NULL, sql},
const struct db_query store_queries[STORE_QUERY_COUNT] = {
#include "control/store_queries.def"
};
#undef SELECT
#undef REPLACE
#undef INSERT
#undef PLAIN

/* -- the state directory -- */

static void node_done(struct io_node **node)
{
    if (*node)
        io_posix()->ops->node_close(io_posix(), *node);
}

static ks_rc open_dir(const char *dir, struct io_node **ret)
{
    ks_rc rc = io_posix()->ops->open_root(io_posix(), dir, ret);

    if (ks_is_os(rc, ENOENT))
        return ks_fail(KS_E_NOT_FOUND, "there is no state directory %.300s", dir);
    return ks_wrap(rc, "state directory %.300s", dir);
}

/* A new empty file that nobody else may read, and its name durable. */
static ks_rc make_file(struct io_node *dir, const char *name)
{
    struct io *io = io_posix();
    struct io_file *file = NULL;

    ks_rc rc = io->ops->create(io, dir, name, 0600, NULL, &file);
    if (ks_is_os(rc, EEXIST))
        return ks_fail(KS_E_EXISTS, "%s exists already", name);
    TRY(ks_wrap(rc, "%s", name));
    io->ops->close(io, file);
    return ks_wrap(io->ops->sync_dir(io, dir), "%s", name);
}

static ks_rc find_file(struct io_node *dir, const char *name, struct io_node **ret)
{
    struct stat st;
    ks_rc rc = io_posix()->ops->lookup(io_posix(), dir, name, ret, &st);

    if (ks_is_os(rc, ENOENT))
        return ks_fail(KS_E_NOT_FOUND, "there is no %s in the state directory", name);
    return ks_wrap(rc, "%s", name);
}

static ks_rc take_lock(struct io_node *dir, struct io_file **ret)
{
    CLEANUP(node_done) struct io_node *node = NULL;
    struct io *io = io_posix();
    struct io_file *file = NULL;

    ks_rc rc = make_file(dir, LOCK_NAME);
    if (!ks_is(rc, KS_E_EXISTS))
        TRY(rc);
    TRY(find_file(dir, LOCK_NAME, &node));
    TRY(ks_wrap(io->ops->open(io, node, false, &file), "%s", LOCK_NAME));
    rc = io->ops->lock(io, file);
    if (ks_ok(rc)) {
        *ret = file;
        return rc;
    }
    io->ops->close(io, file);
    if (rc.cls == KS_CLASS_BUSY)
        return ks_fail(KS_E_BUSY, "the state directory is in use by another process");
    return ks_wrap(rc, "%s", LOCK_NAME);
}

static ks_rc path_in(const char *dir, const char *name, char *ret, size_t room)
{
    int n = snprintf(ret, room, "%s/%s", dir, name);

    ENSURE(n > 0 && (size_t)n < room, KS_E_USAGE, "the path of the state directory is too long");
    return KS_SUCCESS;
}

/* -- making and opening -- */

ks_rc store_create(const struct store_conf *conf)
{
    CLEANUP(node_done) struct io_node *dir = NULL;
    CLEANUP(db_closep) struct db *db = NULL;
    char path[4096];

    TRY(path_in(conf->dir, FILE_NAME, path, sizeof path));
    TRY(open_dir(conf->dir, &dir));
    TRY(make_file(dir, FILE_NAME));
    TRY(db_open(path, DB_READ_WRITE, store_queries, STORE_QUERY_COUNT, &db));
    return store_schema_migrate(db, &store_schema_now);
}

static void free_store(struct store *s)
{
    for (size_t i = 0; i < s->view_count; i++)
        db_close(s->views[i].db);
    db_close(s->tx.view.db); /* the last one brings the log into the file, which readers cannot */
    if (s->lock)
        io_posix()->ops->close(io_posix(), s->lock);
    node_done(&s->dir);
    pthread_mutex_destroy(&s->writer_mutex);
    pthread_mutex_destroy(&s->mutex);
    pthread_cond_destroy(&s->is_idle);
    mem_free(s);
}

static void init_threads(struct store *s)
{
    pthread_mutexattr_t attr;

    /* a thread that takes the transaction twice is told so, not stopped for ever */
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&s->writer_mutex, &attr);
    pthread_mutexattr_destroy(&attr);
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->is_idle, NULL);
}

/* Copies the store as it was before it is changed to this version. */
static ks_rc keep_old(struct store *s, int64_t version)
{
    char name[32], path[4200];

    snprintf(name, sizeof name, "%s.v%lld", FILE_NAME, (long long)version);
    TRY(path_in(s->conf.dir, name, path, sizeof path));
    ks_rc rc = make_file(s->dir, name);
    /* a copy that an earlier try left, which may be half a copy, is made again */
    if (!ks_is(rc, KS_E_EXISTS))
        TRY(rc);
    return ks_wrap(db_backup(s->tx.view.db, path), "%s", name);
}

static ks_rc bring_up(struct store *s, const struct store_schema *schema)
{
    int64_t version;

    TRY(store_schema_version(s->tx.view.db, schema, &version));
    if (version == schema->version)
        return KS_SUCCESS;
    if (version > 0)
        TRY(keep_old(s, version));
    return store_schema_migrate(s->tx.view.db, schema);
}

static ks_rc open_store(struct store *s, const struct store_schema *schema)
{
    CLEANUP(node_done) struct io_node *file = NULL;

    TRY(path_in(s->conf.dir, FILE_NAME, s->path, sizeof s->path));
    TRY(open_dir(s->conf.dir, &s->dir));
    TRY(find_file(s->dir, FILE_NAME, &file));
    TRY(take_lock(s->dir, &s->lock));
    TRY(db_open(s->path, DB_READ_WRITE, store_queries, STORE_QUERY_COUNT, &s->tx.view.db));
    return bring_up(s, schema);
}

ks_rc store_open_as(const struct store_conf *conf, const struct store_schema *schema,
                    struct store **ret)
{
    struct store *s;

    TRY(mem_new(1, sizeof *s, &s));
    s->conf = *conf;
    s->tx.view.store = s;
    init_threads(s);
    ks_rc rc = open_store(s, schema);
    if (!ks_ok(rc)) {
        free_store(s);
        return ks_wrap(rc, "%.300s", conf->dir);
    }
    s->conf.dir = NULL; /* the caller's; s->path is ours */
    *ret = s;
    return KS_SUCCESS;
}

ks_rc store_open(const struct store_conf *conf, struct store **ret)
{
    return store_open_as(conf, &store_schema_now, ret);
}

void store_close(struct store *s)
{
    if (s)
        free_store(s);
}

/* -- views -- */

/* Takes an idle connection or a place for a new one, which has no db yet. */
static struct store_view *take_view(struct store *s)
{
    struct store_view *v;

    pthread_mutex_lock(&s->mutex);
    while (s->idle_count == 0 && s->view_count == STORE_READERS_MAX)
        pthread_cond_wait(&s->is_idle, &s->mutex);
    if (s->idle_count > 0)
        v = s->idle[--s->idle_count];
    else
        v = &s->views[s->view_count++];
    pthread_mutex_unlock(&s->mutex);
    return v;
}

static void give_view(struct store *s, struct store_view *v)
{
    pthread_mutex_lock(&s->mutex);
    s->idle[s->idle_count++] = v;
    pthread_cond_signal(&s->is_idle);
    pthread_mutex_unlock(&s->mutex);
}

static ks_rc begin_view(struct store *s, struct store_view *v)
{
    v->store = s;
    if (!v->db)
        TRY(db_open(s->path, DB_READ_ONLY, store_queries, STORE_QUERY_COUNT, &v->db));
    return db_run(v->db, Q_BEGIN_READ, DB_NO_ARGS);
}

ks_rc store_view_begin(struct store *s, struct store_view **ret)
{
    struct store_view *v = take_view(s);

    ks_rc rc = begin_view(s, v);
    if (ks_ok(rc))
        *ret = v;
    else
        give_view(s, v);
    return rc;
}

void store_view_end(struct store_view **v)
{
    if (!*v)
        return;
    struct store *s = (*v)->store;
    if (db_is_in_transaction((*v)->db))
        /* a transaction that read only has nothing to lose */
        IGNORE(db_run((*v)->db, Q_COMMIT, DB_NO_ARGS));
    give_view(s, *v);
    *v = NULL;
}

/* -- the transaction -- */

ks_rc store_tx_begin(struct store *s, struct store_tx **ret)
{
    int err = pthread_mutex_lock(&s->writer_mutex);

    ENSURE(err == 0, KS_E_BUG, "a transaction within a transaction");
    ks_rc rc = db_run(s->tx.view.db, Q_BEGIN_WRITE, DB_NO_ARGS);
    if (!ks_ok(rc)) {
        pthread_mutex_unlock(&s->writer_mutex);
        return rc;
    }
    s->tx.is_changed = s->tx.is_told = false;
    memset(s->tx.is_touched, 0, sizeof s->tx.is_touched);
    *ret = &s->tx;
    return KS_SUCCESS;
}

struct store_view *store_tx_view(struct store_tx *tx)
{
    return &tx->view;
}

void store_tx_end(struct store_tx **tx)
{
    if (!*tx)
        return;
    struct store *s = (*tx)->view.store;
    if (db_is_in_transaction((*tx)->view.db))
        /* what went wrong before is told; if this fails too, SQLite has rolled back by itself */
        IGNORE(db_run((*tx)->view.db, Q_ROLLBACK, DB_NO_ARGS));
    pthread_mutex_unlock(&s->writer_mutex);
    *tx = NULL;
}

static ks_rc commit(struct store_tx *tx)
{
    ENSURE(!tx->is_changed || tx->is_told, KS_E_BUG, "a change that no event tells of");
    ks_rc rc = db_run(tx->view.db, Q_COMMIT, DB_NO_ARGS);
    /* after a failure too: what a failed commit left behind is known by reading only */
    for (size_t i = 0; tx->is_changed && i < STORE_VERSIONS; i++)
        if (tx->is_touched[i])
            atomic_fetch_add(&tx->view.store->versions[i], 1);
    return rc;
}

ks_rc store_tx_commit(struct store_tx **tx)
{
    ks_rc rc = commit(*tx);

    store_tx_end(tx);
    return rc;
}

/* FNV-1a */
static size_t version_slot(const char *id)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < ID_BYTES && id[i]; i++)
        hash = (hash ^ (uint8_t)id[i]) * 16777619u;
    return (hash ^ hash >> 16) % STORE_VERSIONS;
}

void store_touch(struct store_tx *tx, const char *id)
{
    tx->is_touched[version_slot(id)] = true;
}

uint64_t store_version(struct store *s, const char *id)
{
    return atomic_load(&s->versions[version_slot(id)]);
}

void store_tx_observe(struct store_tx *tx)
{
    tx->is_told = true;
}

ks_rc store_change(struct store_tx *tx, enum store_query query, const struct db_arg *args)
{
    tx->is_changed = true;
    return db_run(tx->view.db, query, args);
}

ks_rc store_put(struct store_tx *tx, enum store_query query, const void *row)
{
    tx->is_changed = true;
    return db_put(tx->view.db, query, row);
}

/* -- what all share -- */

static const char *const counter_names[STORE_COUNTER_COUNT] = {
    [STORE_GOAL] = "goal",
    [STORE_CLUSTER] = "cluster",
    [STORE_OPERATION] = "operation",
    [STORE_KEY] = "key",
};

ks_rc store_tx_next(struct store_tx *tx, enum store_counter counter, int64_t *ret)
{
    return db_value(tx->view.db, Q_COUNTER_NEXT, DB_ARGS(db_text(counter_names[counter])), ret);
}

ks_rc store_tx_raise(struct store_tx *tx, enum store_counter counter, int64_t least)
{
    return db_run(tx->view.db, Q_COUNTER_RAISE,
                  DB_ARGS(db_text(counter_names[counter]), db_number(least)));
}

ks_rc store_counter_get(struct store_view *v, enum store_counter counter, int64_t *ret)
{
    ks_rc rc = db_value(v->db, Q_COUNTER, DB_ARGS(db_text(counter_names[counter])), ret);

    if (!ks_is(rc, KS_E_NOT_FOUND))
        return rc;
    *ret = 0;
    return KS_SUCCESS;
}

ks_rc store_id(struct store *s, char ret[ID_BYTES])
{
    uint8_t b[16];

    TRY(random_fill(s->conf.random, b, sizeof b));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(ret, ID_BYTES, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
             b[14], b[15]);
    return KS_SUCCESS;
}

ks_rc store_tx_id(struct store_tx *tx, char ret[ID_BYTES])
{
    return store_id(tx->view.store, ret);
}

/* Behind every text that can be stored: the highest character of Unicode, which no name begins with. */
static const char TEXT_END[] = "\xf4\x8f\xbf\xbf";

struct store_from store_from(const struct store_page *page)
{
    bool is_start = page->at == 0 && page->number == 0 && page->text[0] == '\0';
    struct store_from from = {page->at, page->number, page->count_max, page->text};

    if (from.count_max > STORE_PAGE_MAX)
        from.count_max = STORE_PAGE_MAX;
    if (is_start && page->is_descending)
        return (struct store_from){INT64_MAX, INT64_MAX, from.count_max, TEXT_END};
    if (is_start)
        return (struct store_from){INT64_MIN, INT64_MIN, from.count_max, ""};
    return from;
}

/* The directory that path is in and its name there. */
static ks_rc split_path(const char *path, struct io_node **ret_dir, const char **ret_name)
{
    const char *slash = strrchr(path, '/');
    char folder[4096];

    size_t len = slash ? (size_t)(slash - path) : 0;
    ENSURE(len < sizeof folder, KS_E_USAGE, "the path of the copy is too long");
    snprintf(folder, sizeof folder, "%.*s", (int)len, path);
    *ret_name = slash ? slash + 1 : path;
    return io_posix()->ops->open_root(io_posix(), !slash ? "." : len > 0 ? folder : "/", ret_dir);
}

static ks_rc copy_to(struct store *s, const char *path)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;

    TRY(store_view_begin(s, &v));
    return db_backup(v->db, path);
}

ks_rc store_backup(struct store *s, const char *path)
{
    CLEANUP(node_done) struct io_node *dir = NULL;
    struct io *io = io_posix();
    const char *name;

    TRY(ks_wrap(split_path(path, &dir, &name), "%.300s", path));
    TRY(ks_wrap(make_file(dir, name), "%.300s", path));
    ks_rc rc = copy_to(s, path);
    if (!ks_ok(rc))
        /* what failed is told; half a copy is worth nothing */
        IGNORE(io->ops->unlink(io, dir, name));
    return ks_wrap(rc, "%.300s", path);
}
