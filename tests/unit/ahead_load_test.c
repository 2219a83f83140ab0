/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: who asks for one file of a directory after another finds the next ones loaded, with the right sizes; nothing is loaded for a
 * single lookup, no more is listed and held than was agreed, what is held ends with a lock, with rest and at the latest
 * with the volume, and never keeps a removed file.
 */
#include "check.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/crash.h"
#include "volume/volume_int.h"
#include "volume_fixture.h"

enum { FILES = 200, THREADS = 4, ROUNDS = 20, INVENTED = 30000 };

/* A back end that counts what was opened, and whose directories may be longer than they are. */
static struct {
    struct io_ops ops;
    const struct io_ops *below;
    atomic_uint opened;
    unsigned lists, entries;    /* directories that were opened, and what was read of them */
    unsigned invented, left;    /* entries at the end of each list; of the present one */
    unsigned locks_at;          /* the door closes with that entry; 0: not */
    bool is_failing;            /* no entry can be read */
    struct volume *volume;      /* whose keys are looked for when something is closed, */
    unsigned closed, too_early; /* so often; while they were still there */
    void (*meanwhile)(void);    /* once, while the first file is on its way from the disk */
} counted;

static ks_rc counted_open(struct io *io, struct io_node *node, bool is_read_only,
                          struct io_file **ret)
{
    atomic_fetch_add(&counted.opened, 1);
    return counted.below->open(io, node, is_read_only, ret);
}

static ks_rc counted_dir_open(struct io *io, struct io_node *dir, struct io_dir **ret)
{
    counted.lists++;
    counted.left = counted.invented;
    return counted.below->dir_open(io, dir, ret);
}

/* A file far away from all others, with a name as long as any. */
static void invent(struct io_dirent *ret, unsigned n)
{
    *ret = (struct io_dirent){.ino = UINT32_MAX + (uint64_t)n, .type = S_IFREG};
    snprintf(ret->name, sizeof ret->name, "%0*u", IO_NAME_BYTES, n);
}

static ks_rc counted_dir_next(struct io *io, struct io_dir *dir, struct io_dirent *ret)
{
    if (counted.is_failing)
        return ks_os(EIO);
    TRY(counted.below->dir_next(io, dir, ret));
    if (ret->name[0] == 0 && counted.left > 0)
        invent(ret, counted.left--);
    if (++counted.entries == counted.locks_at)
        volume_set_door(counted.volume, VOLUME_DRAINING);
    return KS_SUCCESS;
}

static void counted_will_read(struct io *io, struct io_file *file, size_t len, uint64_t at)
{
    void (*meanwhile)(void) = TAKE(counted.meanwhile);

    if (meanwhile)
        meanwhile();
    counted.below->will_read(io, file, len, at);
}

static void note_close(void)
{
    struct volume *v = counted.volume;

    if (!v)
        return;
    counted.closed++;
    counted.too_early +=
        volume_keys(v) || v->names || v->key_pool || v->header_mac_key || v->attribute_key;
}

static void counted_close(struct io *io, struct io_file *file)
{
    note_close();
    counted.below->close(io, file);
}

static void counted_node_close(struct io *io, struct io_node *node)
{
    note_close();
    counted.below->node_close(io, node);
}

/* io goes through it from now on. */
static void count_for(struct io *io)
{
    const struct io_ops *below = io->ops;

    memset(&counted, 0, sizeof counted);
    counted.below = below;
    counted.ops = *below;
    counted.ops.open = counted_open;
    counted.ops.dir_open = counted_dir_open;
    counted.ops.dir_next = counted_dir_next;
    counted.ops.will_read = counted_will_read;
    counted.ops.close = counted_close;
    counted.ops.node_close = counted_node_close;
    io->ops = &counted.ops;
}

struct bench {
    struct io *io;
    struct fixture_keys *keys;
    struct fixture *f;
    struct volume *v;
    struct inode *dir;
    atomic_uint wanted;
    sem_t wake; /* as often */
    atomic_bool is_ending;
};

static void want(void *arg)
{
    struct bench *b = arg;

    atomic_fetch_add(&b->wanted, 1);
    sem_post(&b->wake);
}

static void name_of(char out[16], unsigned n)
{
    snprintf(out, 16, "file-%u", n);
}

/* Each is as long as its number, and one byte more. */
static void make_files(struct bench *b)
{
    struct caller me = {geteuid(), getegid()};
    static const uint8_t zeros[FILES];
    struct inode *i;
    struct stat st;
    char name[16];

    check_ok(volume_mkdir(b->v, volume_root(b->v), "dir", 0755, &me, &b->dir, &st));
    for (unsigned n = 0; n < FILES; n++) {
        name_of(name, n);
        check_ok(volume_create(b->v, b->dir, name, 0644, &me, &i, &st, NULL));
        check_ok(volume_write(b->v, i, zeros, n + 1, 0));
        volume_forget(b->v, i, 1);
    }
}

static int bench_new(void **state)
{
    struct bench *b;

    check_ok(mem_new(1, sizeof *b, &b));
    check_ok(fixture_in_memory(3584, &b->io, &b->keys, &b->f));
    count_for(b->io);
    b->v = b->f->v;
    assert_int_equal(sem_init(&b->wake, 0, 0), 0);
    make_files(b);
    b->v->conf.want_ahead = want;
    b->v->conf.want_ahead_arg = b;
    atomic_store(&counted.opened, 0);
    *state = b;
    return 0;
}

static int bench_free(void **state)
{
    struct bench *b = *state;

    counted.volume = NULL;
    fixture_in_memory_free(b->io, b->keys, b->f);
    sem_destroy(&b->wake);
    mem_free(b);
    return 0;
}

static struct inode *look_up(struct bench *b, unsigned n)
{
    struct inode *i;
    struct stat st;
    char name[16];

    name_of(name, n);
    check_ok(volume_lookup(b->v, b->dir, name, &i, &st));
    assert_int_equal(st.st_size, n + 1);
    return i;
}

static void ask_for(struct bench *b, unsigned from, unsigned to)
{
    for (unsigned n = from; n < to; n++)
        volume_forget(b->v, look_up(b, n), 1);
}

/* As the thread of the mount does it, when it was woken. */
static void serve(struct bench *b)
{
    if (atomic_exchange(&b->wanted, 0) > 0)
        volume_look_ahead(b->v);
}

/* Begins it, and has the first ones loaded. */
static void begin(struct bench *b)
{
    ask_for(b, 0, AHEAD_STREAK);
    assert_int_equal(atomic_load(&b->wanted), 1);
    serve(b);
    assert_int_equal(b->v->held_count, AHEAD_FIRST);
}

static void lookup__alone__loads_nothing_else(void **state)
{
    struct bench *b = *state;

    ask_for(b, 7, 7 + AHEAD_STREAK - 1);
    assert_int_equal(atomic_load(&b->wanted), 0);
    assert_int_equal(atomic_load(&counted.opened), AHEAD_STREAK - 1);
    assert_int_equal(volume_inode_count(b->v), 1); /* the directory */
}

static void lookups__one_after_another__find_the_next_ones_loaded(void **state)
{
    struct bench *b = *state;

    begin(b);
    for (unsigned n = AHEAD_STREAK; n < FILES; n++) {
        unsigned opened = atomic_load(&counted.opened);
        ask_for(b, n, n + 1);
        assert_int_equal(atomic_load(&counted.opened), opened);
        serve(b);
        assert_true(b->v->held_count <= AHEAD_MOST);
    }
    assert_int_equal(b->v->held_count, 0);
    assert_int_equal(atomic_load(&counted.opened), FILES); /* each once */
}

static void lookups__downwards__find_them_too(void **state)
{
    struct bench *b = *state;
    unsigned n = FILES;

    while (--n >= FILES - AHEAD_STREAK)
        ask_for(b, n, n + 1);
    serve(b);
    atomic_store(&counted.opened, 0);
    ask_for(b, n, n + 1);
    assert_int_equal(atomic_load(&counted.opened), 0);
}

static void lookups__elsewhere__are_followed(void **state)
{
    struct bench *b = *state;

    begin(b);
    ask_for(b, 100, 101);
    serve(b);
    atomic_store(&counted.opened, 0);
    ask_for(b, 101, 100 + AHEAD_FIRST);
    assert_int_equal(atomic_load(&counted.opened), 0);
}

static void check_size(struct bench *b, const char *name, off_t size)
{
    struct inode *i;
    struct stat st;

    check_ok(volume_lookup(b->v, b->dir, name, &i, &st));
    assert_int_equal(st.st_size, size);
    volume_forget(b->v, i, 1);
}

static void file__held_and_changed__has_its_new_size_ever_after(void **state)
{
    struct bench *b = *state;

    begin(b);
    struct inode *i = look_up(b, 10);
    ask_for(b, 0, 2); /* anew, and upwards, so that it comes by there */
    serve(b);
    check_ok(volume_truncate(b->v, i, 12345));
    check_size(b, "file-10", 12345);
    volume_forget(b->v, i, 1);
    serve(b);
    check_size(b, "file-10", 12345);
}

static void file__changed_and_loaded_again__has_its_new_size(void **state)
{
    struct bench *b = *state;

    begin(b);
    struct inode *i = look_up(b, 10);
    check_ok(volume_truncate(b->v, i, 12345));
    volume_forget(b->v, i, 1);
    ask_for(b, 0, 2);
    serve(b);
    atomic_store(&counted.opened, 0);
    check_size(b, "file-10", 12345);
    assert_int_equal(atomic_load(&counted.opened), 0);
}

static void file__held_and_removed__is_gone_with_its_last_user(void **state)
{
    struct bench *b = *state;
    size_t known;

    begin(b);
    known = volume_inode_count(b->v);
    struct inode *i = look_up(b, 10); /* without which the kernel removes nothing */
    assert_null(i->held_next);
    check_ok(volume_unlink(b->v, b->dir, "file-10"));
    volume_forget(b->v, i, 1);
    assert_int_equal(volume_inode_count(b->v), known - 1);
}

static void file__known_already__is_not_loaded_ahead(void **state)
{
    struct bench *b = *state;
    struct inode *i = look_up(b, AHEAD_STREAK + 1);

    ask_for(b, 0, AHEAD_STREAK);
    serve(b);
    assert_int_equal(i->refs, 1);
    assert_null(i->held_next);
    assert_false(atomic_load(&i->is_ahead));
    volume_forget(b->v, i, 1);
}

static struct {
    struct bench *b;
    struct inode *i;
} asker;

static void ask_for_the_first(void)
{
    asker.i = look_up(asker.b, AHEAD_STREAK);
}

static void file__asked_for_while_it_is_loaded__is_not_held(void **state)
{
    struct bench *b = *state;

    asker.b = b;
    counted.meanwhile = ask_for_the_first;
    ask_for(b, 0, AHEAD_STREAK);
    serve(b);
    assert_null(counted.meanwhile);
    assert_null(asker.i->held_next);
    assert_int_equal(asker.i->refs, 1);
    assert_true(b->v->held_count > 0);
    volume_forget(b->v, asker.i, 1);
}

static void directory__large__is_listed_only_as_far_as_was_asked_for(void **state)
{
    enum { MANY = AHEAD_STREAK * AHEAD_ENTRIES + 200 };
    struct caller me = {geteuid(), getegid()};
    struct bench *b = *state;
    struct inode *i;
    struct stat st;
    char name[24];

    for (unsigned n = 0; n < MANY; n++) {
        snprintf(name, sizeof name, "more-%u", n);
        check_ok(volume_create(b->v, b->dir, name, 0644, &me, &i, &st, NULL));
        volume_forget(b->v, i, 1);
    }
    ask_for(b, 0, AHEAD_STREAK);
    serve(b);
    assert_int_equal(b->v->ahead_run.listed, AHEAD_STREAK * AHEAD_ENTRIES);
    assert_int_equal(b->v->held_count, 0);
    ask_for(b, AHEAD_STREAK, AHEAD_STREAK + 2);
    serve(b);
    assert_true(b->v->ahead_run.is_listed);
    assert_null(b->v->ahead_run.stream);
    assert_int_equal(b->v->held_count, AHEAD_FIRST);
}

/* Far more than is kept of it. Once all that was kept is loaded it is listed again, for those around the file that was asked for last,
 * and then not before somebody asks elsewhere. */
static void directory__too_long_to_be_kept__is_listed_twice_and_not_for_ever(void **state)
{
    struct bench *b = *state;
    unsigned n = FILES;

    counted.invented = INVENTED;
    while (--n >= FILES - AHEAD_STREAK)
        ask_for(b, n, n + 1);
    b->v->ahead.asked = 20 * INVENTED / AHEAD_ENTRIES; /* as if it were so many */
    serve(b);
    assert_true(b->v->ahead_run.names.is_cut);
    assert_int_equal(counted.lists, 1);
    for (; n < FILES; n--) {
        ask_for(b, n, n + 1);
        serve(b);
    }
    assert_int_equal(atomic_load(&counted.opened), FILES); /* what was kept is what was asked for */
    assert_int_equal(counted.lists, 2);
    assert_true(b->v->ahead_run.is_listed);
    ask_for(b, FILES / 2, FILES / 2 + 1);
    serve(b);
    assert_true(b->v->held_count > 0);
    assert_int_equal(counted.lists, 2); /* which has those too */
}

static void lock__while_a_long_directory_is_listed__ends_that_soon(void **state)
{
    struct bench *b = *state;

    counted.invented = INVENTED;
    counted.volume = b->v;
    counted.locks_at = 5000;
    ask_for(b, 0, AHEAD_STREAK);
    b->v->ahead.asked = INVENTED;
    serve(b);
    assert_in_range(counted.entries, 5000, 10000);
    assert_null(b->v->ahead_run.dir);
    assert_null(b->v->ahead_run.stream);
    assert_int_equal(b->v->held_count, 0);
}

/* Closing a file that was removed may wait for the disk. */
static void lock__files_are_held__takes_the_keys_before_it_closes_them(void **state)
{
    struct bench *b = *state;

    begin(b);
    volume_set_door(b->v, VOLUME_CLOSED);
    counted.volume = b->v;
    volume_wipe(b->v);
    assert_int_equal(b->v->held_count, 0);
    assert_true(counted.closed >= AHEAD_FIRST);
    assert_int_equal(counted.too_early, 0);
}

static void lock__ends_it_and_nothing_stays(void **state)
{
    struct bench *b = *state;

    begin(b);
    volume_set_door(b->v, VOLUME_CLOSED);
    volume_wipe(b->v);
    assert_int_equal(b->v->held_count, 0);
    serve(b);
    assert_null(b->v->ahead_run.dir);
    assert_null(b->v->ahead_run.names.all);
    assert_int_equal(volume_inode_count(b->v), 1);
}

static void door__closed_while_files_are_wanted__loads_none(void **state)
{
    struct bench *b = *state;

    ask_for(b, 0, AHEAD_STREAK);
    volume_set_door(b->v, VOLUME_DRAINING);
    uint64_t refused = volume_counters_get(b->v).requests_refused;
    serve(b);
    assert_int_equal(b->v->held_count, 0);
    assert_null(b->v->ahead.dir);
    assert_int_equal(volume_counters_get(b->v).requests_refused, refused);
}

static void rest__nobody_asks__lets_go(void **state)
{
    struct bench *b = *state;

    begin(b);
    volume_rest(b->v); /* it was used since the call before */
    assert_int_equal(b->v->held_count, AHEAD_FIRST);
    volume_rest(b->v);
    assert_int_equal(b->v->held_count, 0);
    serve(b);
    assert_null(b->v->ahead_run.dir);
    assert_int_equal(volume_inode_count(b->v), 1);
}

static void objects__as_many_as_there_may_be__leave_no_room_for_it(void **state)
{
    struct bench *b = *state;

    b->v->conf.objects_max = 100;
    ask_for(b, 0, AHEAD_STREAK);
    serve(b);
    assert_int_equal(b->v->held_count, 0);
}

static void list__fails__is_silent_and_tried_again_another_time(void **state)
{
    struct bench *b = *state;

    counted.is_failing = true;
    ask_for(b, 0, AHEAD_STREAK);
    serve(b);
    assert_null(b->v->ahead.dir);
    assert_null(b->v->ahead_run.dir);
    assert_int_equal(b->f->alerts, 0);
    assert_int_equal(b->dir->refs, 1);
    counted.is_failing = false;
    begin(b);
}

static void directory__removed_before_it_is_listed__is_silent(void **state)
{
    struct bench *b = *state;

    ask_for(b, 0, AHEAD_STREAK);
    for (unsigned n = 0; n < FILES; n++) {
        char name[16];
        name_of(name, n);
        check_ok(volume_unlink(b->v, b->dir, name));
    }
    check_ok(volume_rmdir(b->v, volume_root(b->v), "dir"));
    serve(b);
    assert_int_equal(b->v->held_count, 0);
    assert_int_equal(b->f->alerts, 0);
    assert_null(b->v->ahead_run.stream);
}

/* --- all at once --- */

static void *serve_always(void *arg)
{
    struct bench *b = arg;

    for (sem_wait(&b->wake); !atomic_load(&b->is_ending); sem_wait(&b->wake))
        volume_look_ahead(b->v);
    return NULL;
}

static void *ask_always(void *arg)
{
    struct bench *b = arg;

    for (unsigned r = 0; r < ROUNDS; r++)
        ask_for(b, 0, FILES);
    return NULL;
}

static void files__asked_for_by_many_threads_while_they_are_loaded__are_right(void **state)
{
    struct bench *b = *state;
    pthread_t server, threads[THREADS];

    assert_int_equal(pthread_create(&server, NULL, serve_always, b), 0);
    for (unsigned t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, ask_always, b), 0);
    for (unsigned t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    atomic_store(&b->is_ending, true);
    sem_post(&b->wake);
    pthread_join(server, NULL);
    ahead_stop(b->v);
    atomic_store(&b->wanted, 1);
    serve(b);
    assert_int_equal(b->v->held_count, 0);
    assert_int_equal(volume_inode_count(b->v), 1);
    assert_int_equal(b->dir->refs, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_new, bench_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lookup__alone__loads_nothing_else),
        TEST(lookups__one_after_another__find_the_next_ones_loaded),
        TEST(lookups__downwards__find_them_too),
        TEST(lookups__elsewhere__are_followed),
        TEST(file__held_and_changed__has_its_new_size_ever_after),
        TEST(file__changed_and_loaded_again__has_its_new_size),
        TEST(file__held_and_removed__is_gone_with_its_last_user),
        TEST(file__known_already__is_not_loaded_ahead),
        TEST(file__asked_for_while_it_is_loaded__is_not_held),
        TEST(directory__large__is_listed_only_as_far_as_was_asked_for),
        TEST(directory__too_long_to_be_kept__is_listed_twice_and_not_for_ever),
        TEST(lock__while_a_long_directory_is_listed__ends_that_soon),
        TEST(lock__files_are_held__takes_the_keys_before_it_closes_them),
        TEST(lock__ends_it_and_nothing_stays),
        TEST(door__closed_while_files_are_wanted__loads_none),
        TEST(rest__nobody_asks__lets_go),
        TEST(objects__as_many_as_there_may_be__leave_no_room_for_it),
        TEST(list__fails__is_silent_and_tried_again_another_time),
        TEST(directory__removed_before_it_is_listed__is_silent),
        TEST(files__asked_for_by_many_threads_while_they_are_loaded__are_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
