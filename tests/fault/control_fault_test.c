/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: whichever write, sync or truncation of the store fails, by a full disk or a broken one, once or for good: what fails
 * says so, what was said to be durable is there afterwards, and change and event are there together.
 */
#include <sqlite3.h>

#include "store_changes.h"

/* -- a file system below SQLite whose n-th change fails -- */

static struct {
    unsigned count, n; /* n 0: none fails */
    bool is_full, is_lasting;
} fault;

struct faulty_file {
    sqlite3_file base;
    sqlite3_file *real;
};

static sqlite3_vfs *real_vfs;

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct faulty_file *)(void *)file)->real;
}

static bool is_failing(void)
{
    if (fault.n == 0)
        return false;
    fault.count++;
    return fault.count == fault.n || (fault.is_lasting && fault.count > fault.n);
}

static int faulty_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
    if (is_failing())
        return fault.is_full ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    return real_of(file)->pMethods->xWrite(real_of(file), bytes, len, at);
}

static int faulty_sync(sqlite3_file *file, int flags)
{
    if (is_failing())
        return SQLITE_IOERR_FSYNC;
    return real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int faulty_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    if (is_failing())
        return SQLITE_IOERR_TRUNCATE;
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

/* The rest is passed on. */
#define PASS(name, params, ...)                                                                    \
    static int pass_##name params                                                                  \
    {                                                                                              \
        return real_of(file)->pMethods->name(real_of(file), ##__VA_ARGS__);                        \
    }
PASS(xRead, (sqlite3_file * file, void *to, int len, sqlite3_int64 at), to, len, at)
PASS(xFileSize, (sqlite3_file * file, sqlite3_int64 *ret), ret)
PASS(xLock, (sqlite3_file * file, int level), level)
PASS(xUnlock, (sqlite3_file * file, int level), level)
PASS(xCheckReservedLock, (sqlite3_file * file, int *ret), ret)
PASS(xFileControl, (sqlite3_file * file, int op, void *arg), op, arg)
PASS(xSectorSize, (sqlite3_file * file))
PASS(xDeviceCharacteristics, (sqlite3_file * file))
PASS(xShmMap, (sqlite3_file * file, int region, int size, int extend, void volatile **ret), region,
     size, extend, ret)
PASS(xShmLock, (sqlite3_file * file, int offset, int n, int flags), offset, n, flags)
PASS(xShmUnmap, (sqlite3_file * file, int is_deleted), is_deleted)

static void pass_xShmBarrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int pass_xClose(sqlite3_file *file)
{
    return real_of(file)->pMethods ? real_of(file)->pMethods->xClose(real_of(file)) : SQLITE_OK;
}

static const sqlite3_io_methods faulty_methods = {
    .iVersion = 2,
    .xClose = pass_xClose,
    .xRead = pass_xRead,
    .xWrite = faulty_write,
    .xTruncate = faulty_truncate,
    .xSync = faulty_sync,
    .xFileSize = pass_xFileSize,
    .xLock = pass_xLock,
    .xUnlock = pass_xUnlock,
    .xCheckReservedLock = pass_xCheckReservedLock,
    .xFileControl = pass_xFileControl,
    .xSectorSize = pass_xSectorSize,
    .xDeviceCharacteristics = pass_xDeviceCharacteristics,
    .xShmMap = pass_xShmMap,
    .xShmLock = pass_xShmLock,
    .xShmBarrier = pass_xShmBarrier,
    .xShmUnmap = pass_xShmUnmap,
};

static int faulty_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                       int *ret_flags)
{
    struct faulty_file *f = (struct faulty_file *)(void *)file;

    (void)vfs;
    f->real = (sqlite3_file *)(void *)(f + 1);
    int err = real_vfs->xOpen(real_vfs, name, f->real, flags, ret_flags);
    f->base.pMethods = err == SQLITE_OK ? &faulty_methods : NULL;
    return err;
}

static void install(void)
{
    static sqlite3_vfs vfs;

    real_vfs = sqlite3_vfs_find(NULL);
    vfs = *real_vfs;
    vfs.zName = "faulty";
    vfs.pNext = NULL;
    vfs.szOsFile = (int)sizeof(struct faulty_file) + real_vfs->szOsFile;
    vfs.xOpen = faulty_open;
    assert_int_equal(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
}

/* -- what is tried -- */

static void check_failure(ks_rc rc)
{
    if (!ks_ok(rc) && rc.cls != KS_CLASS_IO && rc.cls != KS_CLASS_LIMIT)
        fail_msg("%s: %s", ks_name(rc), ks_text(rc));
}

/* Opens the store and changes it four times, with what fails failing. The number of the last change that succeeded. */
static uint32_t change_with_faults(struct store_fixture *f, uint32_t done)
{
    ks_rc rc = store_open(&f->conf, &f->store);

    check_failure(rc);
    if (!ks_ok(rc))
        return done;
    for (int i = 0; i < 4; i++) {
        rc = store_changes_make(f->store, done + 1);
        check_failure(rc);
        done += ks_ok(rc);
    }
    fault.is_lasting = false; /* the process goes on reading, also when nothing can be written */
    assert_int_equal(store_changes_count(f->store), done);
    store_changes_shut(f);
    return done;
}

static bool try_one(unsigned n, bool is_full, bool is_lasting)
{
    struct store_fixture f;

    fault.n = 0;
    store_changes_open(&f);
    store_changes_shut(&f);
    fault.count = 0;
    fault.n = n;
    fault.is_full = is_full;
    fault.is_lasting = is_lasting;
    uint32_t done = change_with_faults(&f, 0);
    bool was_reached = fault.count >= n;
    fault.n = 0;
    check_ok(store_open(&f.conf, &f.store));
    uint32_t found = store_changes_count(f.store);
    assert_true(found == done || found == done + 1);
    check_ok(store_changes_make(f.store, found + 1));
    store_fixture_close(&f);
    return was_reached;
}

static void any_change_of_the_disk_fails__nothing_durable_is_lost(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        unsigned n = 1;
        while (try_one(n, kind & 1, kind & 2))
            n++;
        assert_true(n > 10);
        print_message("%u writes, syncs and truncations failed\n", n - 1);
    }
}

static void full_disk__said_so_and_over_when_there_is_room(void **state)
{
    struct store_fixture f;

    (void)state;
    fault.n = 0;
    store_changes_open(&f);
    fault.count = 0;
    fault.n = 1;
    fault.is_full = fault.is_lasting = true;
    check_rc(store_changes_make(f.store, 1), NO_SPACE);
    check_rc(store_changes_make(f.store, 1), NO_SPACE);
    check_class(store_backup(f.store, tmpdir_path(&f.tmp, "copy.db").text), LIMIT);
    fault.n = 0;
    check_ok(store_changes_make(f.store, 1));
    assert_int_equal(store_changes_count(f.store), 1);
    check_ok(
        store_backup(f.store, tmpdir_path(&f.tmp, "copy.db").text)); /* no half a copy in the way */
    store_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_change_of_the_disk_fails__nothing_durable_is_lost),
        cmocka_unit_test(full_disk__said_so_and_over_when_there_is_room),
    };

    install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
