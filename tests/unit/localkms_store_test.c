/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the store gives back exactly what was committed, all of a change or nothing, to the holder of the
 * root key only; and it notices secrets that were changed or moved.
 */
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>

#include "check.h"
#include "localkms/store.h"
#include "tmpdir.h"

static struct secret *make_root(uint8_t fill)
{
    struct secret *root;

    check_ok(secret_new(32, &root));
    memset(secret_bytes(root), fill, 32);
    return root;
}

struct fixture {
    struct tmpdir tmp;
    const char *dir;
    struct secret *root, *secret;
    struct lk_store *store;
};

static void open_again(struct fixture *f)
{
    lk_store_close(f->store);
    f->store = NULL;
    check_ok(lk_store_open(f->dir, f->root, random_system(), &f->store));
}

static void set_up(struct fixture *f)
{
    check_ok(secret_init());
    f->tmp = tmpdir_make();
    f->dir = f->tmp.path;
    f->root = make_root(1);
    f->secret = make_root(9);
    f->store = NULL;
    check_ok(lk_store_create(f->dir, f->root, random_system()));
    open_again(f);
}

static void tear_down(struct fixture *f)
{
    lk_store_close(f->store);
    secret_free(f->root);
    secret_free(f->secret);
    tmpdir_remove(&f->tmp);
}

static ks_rc put(struct fixture *f, const char *kind, const char *id, const char *json)
{
    struct lk_change change = {LK_PUT, {kind, id, view_text(json), f->secret}};

    return lk_store_commit(f->store, &change, 1, view_text("{}"));
}

struct found {
    int count;
    char ids[256];
    bool has_secret;
};

static ks_rc note(void *arg, const struct lk_record *record)
{
    struct found *found = arg;
    size_t len = strlen(found->ids);

    snprintf(found->ids + len, sizeof found->ids - len, "%s=%.*s;", record->id,
             (int)record->json.len, (const char *)record->json.bytes);
    found->count++;
    found->has_secret = record->secret && secret_view(record->secret).bytes[0] == 9;
    return KS_SUCCESS;
}

static struct found load(struct fixture *f, const char *kind)
{
    struct found found = {0};

    check_ok(lk_store_load(f->store, kind, note, &found));
    return found;
}

static void commit__several__all_there_after_reopening(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    check_ok(put(&f, "k", "b", "2"));
    check_ok(put(&f, "k", "a", "1"));
    check_ok(put(&f, "other", "c", "3"));
    check_ok(put(&f, "k", "a", "11"));
    open_again(&f);
    struct found found = load(&f, "k");
    assert_string_equal(found.ids, "a=11;b=2;");
    assert_true(found.has_secret);
    tear_down(&f);
}

static void commit__put_and_delete__both_or_neither(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    check_ok(put(&f, "k", "a", "1"));
    /* The second change cannot be: a secret that is too long. */
    struct secret *huge;
    check_ok(secret_new(5000, &huge));
    struct lk_change changes[] = {{LK_DELETE, {"k", "a", {0}, NULL}},
                                  {LK_PUT, {"k", "b", view_text("2"), huge}}};
    check_rc(lk_store_commit(f.store, changes, 2, view_text("{}")), LIMIT);
    assert_string_equal(load(&f, "k").ids, "a=1;");
    changes[1].record.secret = NULL;
    check_ok(lk_store_commit(f.store, changes, 2, view_text("{}")));
    open_again(&f);
    assert_string_equal(load(&f, "k").ids, "b=2;");
    secret_free(huge);
    tear_down(&f);
}

static ks_rc refuse(void *arg, const struct lk_record *record)
{
    (void)record;
    ++*(int *)arg;
    return ks_fail(KS_E_FORMAT, "no");
}

static void load__each_fails__ends_with_its_failure(void **state)
{
    struct fixture f;
    int calls = 0;

    (void)state;
    set_up(&f);
    check_ok(put(&f, "k", "a", "1"));
    check_ok(put(&f, "k", "b", "1"));
    check_rc(lk_store_load(f.store, "k", refuse, &calls), FORMAT);
    assert_int_equal(calls, 1);
    tear_down(&f);
}

static void open__other_root__wrong_key(void **state)
{
    struct fixture f;
    struct lk_store *second = NULL;

    (void)state;
    set_up(&f);
    struct secret *other = make_root(2);
    lk_store_close(f.store);
    f.store = NULL;
    check_rc(lk_store_open(f.dir, other, random_system(), &second), WRONG_KEY);
    open_again(&f);
    check_ok(lk_store_new_root(f.store, other));
    lk_store_close(f.store);
    f.store = NULL;
    check_rc(lk_store_open(f.dir, f.root, random_system(), &second), WRONG_KEY);
    check_ok(lk_store_open(f.dir, other, random_system(), &f.store));
    secret_free(other);
    tear_down(&f);
}

static void open__twice__busy(void **state)
{
    struct fixture f;
    struct lk_store *second = NULL;

    (void)state;
    set_up(&f);
    check_rc(lk_store_open(f.dir, f.root, random_system(), &second), BUSY);
    tear_down(&f);
}

static void create__twice__exists(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    lk_store_close(f.store);
    f.store = NULL;
    check_rc(lk_store_create(f.dir, f.root, random_system()), EXISTS);
    tear_down(&f);
}

static void create_and_open__no_directory__failure(void **state)
{
    struct secret *root = make_root(1);
    struct lk_store *store = NULL;

    (void)state;
    check_rc(lk_store_create("/nonexistent/dir", root, random_system()), IO);
    check_rc(lk_store_open("/nonexistent/dir", root, random_system(), &store), IO);
    secret_free(root);
}

/* Changes the closed store behind its back. */
static void meddle(struct fixture *f, const char *sql)
{
    char path[512];
    sqlite3 *db;

    lk_store_close(f->store);
    f->store = NULL;
    snprintf(path, sizeof path, "%s/store.db", f->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void load__secret_changed_or_moved__auth(void **state)
{
    static const char *const attacks[] = {
        "UPDATE record SET id = 'z'",
        "UPDATE record SET kind = 'k', sealed = zeroblob(104)",
        "UPDATE record SET sealed = substr(sealed, 1, 103) || x'00'",
        "UPDATE record SET sealed = x'00'",
    };

    (void)state;
    for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
        struct fixture f;
        struct found found = {0};
        set_up(&f);
        check_ok(put(&f, "k", "a", "1"));
        meddle(&f, attacks[i]);
        open_again(&f);
        check_rc(lk_store_load(f.store, "k", note, &found), AUTH);
        assert_int_equal(found.count, 0);
        tear_down(&f);
    }
}

static void open__newer_or_unfinished__refused(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    meddle(&f, "PRAGMA user_version = 2");
    check_rc(lk_store_open(f.dir, f.root, random_system(), &f.store), NEWER_VERSION);
    meddle(&f, "PRAGMA user_version = 0");
    check_rc(lk_store_open(f.dir, f.root, random_system(), &f.store), NOT_FOUND);
    tear_down(&f);
}

static void seal__other_purpose__auth(void **state)
{
    struct fixture f;
    struct secret *plain = NULL;
    CLEANUP(buf_done) struct buf sealed = buf_init(8192);

    (void)state;
    set_up(&f);
    check_ok(lk_store_seal(f.store, view_text("p"), view_text("text"), &sealed));
    open_again(&f);
    check_rc(lk_store_unseal(f.store, view_text("q"), buf_view(&sealed), &plain), AUTH);
    check_rc(lk_store_unseal(f.store, view_text("p"), view_text("short"), &plain), AUTH);
    check_ok(lk_store_unseal(f.store, view_text("p"), buf_view(&sealed), &plain));
    check_bytes(secret_view(plain), view_text("text"));
    secret_free(plain);
    check_rc(lk_store_seal(f.store, view_text("p"), view_of(f.dir, 5000), &sealed), LIMIT);
    tear_down(&f);
}

static ks_rc note_event(void *arg, int64_t seq, const char *event)
{
    char *all = arg;
    size_t len = strlen(all);

    snprintf(all + len, 256 - len, "%d:%s ", (int)seq, event);
    return KS_SUCCESS;
}

static void audit__events__in_order_and_from_a_place(void **state)
{
    struct fixture f;
    char all[256] = "";

    (void)state;
    set_up(&f);
    check_ok(lk_store_commit(f.store, NULL, 0, view_text("{\"a\":1}")));
    check_ok(lk_store_commit(f.store, NULL, 0, view_text("{\"b\":1}")));
    check_ok(lk_store_audit(f.store, 0, 10, note_event, all));
    assert_string_equal(all, "1:{\"a\":1} 2:{\"b\":1} ");
    all[0] = 0;
    check_ok(lk_store_audit(f.store, 1, 10, note_event, all));
    assert_string_equal(all, "2:{\"b\":1} ");
    tear_down(&f);
}

static ks_rc count_event(void *arg, int64_t seq, const char *event)
{
    int *count = arg;

    (void)seq;
    assert_string_equal(event, "{}");
    (*count)++;
    return KS_SUCCESS;
}

enum { CHANGES = 300 };

static void *change_often(void *arg)
{
    struct fixture *f = arg;

    for (int i = 0; i < CHANGES; i++)
        check_ok(put(f, "k", "a", "\"text\""));
    return NULL;
}

static void audit__read_while_others_commit__whole(void **state)
{
    struct fixture f;
    pthread_t thread;
    int count = 0;

    (void)state;
    set_up(&f);
    assert_int_equal(pthread_create(&thread, NULL, change_often, &f), 0);
    while (count < CHANGES) {
        count = 0;
        check_ok(lk_store_audit(f.store, 0, CHANGES, count_event, &count));
    }
    pthread_join(thread, NULL);
    tear_down(&f);
}

/* Whether the bytes are anywhere in the file. */
static bool file_holds(const char *dir, const char *name, const char *needle)
{
    static char bytes[4 << 20];
    char path[512];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    size_t len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return memmem(bytes, len, needle, strlen(needle)) != NULL;
}

static void commit__destroying__leaves_no_trace_in_the_files(void **state)
{
    struct fixture f;
    struct lk_change anew = {LK_PUT_ANEW, {"k", "a", view_text("\"new text\""), NULL}};
    struct lk_change delete = {LK_DELETE, {"k", "b", {0}, NULL}};

    (void)state;
    set_up(&f);
    check_ok(put(&f, "k", "a", "\"needle one in the haystack\""));
    check_ok(put(&f, "k", "b", "\"needle two in the haystack\""));
    assert_true(file_holds(f.dir, "store.db-wal", "needle one"));
    check_ok(lk_store_commit(f.store, &anew, 1, view_text("{}")));
    check_ok(lk_store_commit(f.store, &delete, 1, view_text("{}")));
    for (int i = 0; i < 2; i++) {
        const char *name = i ? "store.db-wal" : "store.db";
        assert_false(file_holds(f.dir, name, "needle one"));
        assert_false(file_holds(f.dir, name, "needle two"));
    }
    assert_true(file_holds(f.dir, "store.db", "new text"));
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commit__several__all_there_after_reopening),
        cmocka_unit_test(commit__put_and_delete__both_or_neither),
        cmocka_unit_test(load__each_fails__ends_with_its_failure),
        cmocka_unit_test(open__other_root__wrong_key),
        cmocka_unit_test(open__twice__busy),
        cmocka_unit_test(create__twice__exists),
        cmocka_unit_test(create_and_open__no_directory__failure),
        cmocka_unit_test(load__secret_changed_or_moved__auth),
        cmocka_unit_test(open__newer_or_unfinished__refused),
        cmocka_unit_test(seal__other_purpose__auth),
        cmocka_unit_test(audit__events__in_order_and_from_a_place),
        cmocka_unit_test(audit__read_while_others_commit__whole),
        cmocka_unit_test(commit__destroying__leaves_no_trace_in_the_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
