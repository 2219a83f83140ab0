/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: every known inode has its turn in each round, whatever memory and threads there are, and one whose drop fails or does not
 * end holds up no other.
 */
#include "fuse/invalidate.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/mem.h"
#include "check.h"
#include "volume_fixture.h"

enum { FILES = 3000, THREADS = 4 }; /* more files than the table has slots at first */

static atomic_bool has_no_threads, has_no_memory;

/* NOLINTBEGIN(bugprone-reserved-identifier) */
int __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int __wrap_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
void *__real_reallocarray(void *, size_t, size_t);
void *__wrap_reallocarray(void *, size_t, size_t);
void *__real_calloc(size_t, size_t);
void *__wrap_calloc(size_t, size_t);
/* NOLINTEND(bugprone-reserved-identifier) */

int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg)
{
    return has_no_threads ? EAGAIN : __real_pthread_create(ret, attr, run, arg);
}

void *__wrap_reallocarray(void *old, size_t n, size_t bytes)
{
    return has_no_memory ? NULL : __real_reallocarray(old, n, bytes);
}

void *__wrap_calloc(size_t n, size_t bytes)
{
    return has_no_memory ? NULL : __real_calloc(n, bytes);
}

struct bench {
    struct io *io;
    struct fixture_keys *keys;
    struct fixture *f;
    struct inode *inodes[FILES + 1]; /* the root is the last */
    struct handle *handles[FILES];
    /* of the round */
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    unsigned drops[FILES + 1], total;
    const struct inode *failing, *hanging; /* hanging: until all others had their turn */
    int err;
};

static size_t find(const struct bench *b, const struct inode *i)
{
    size_t n = 0;

    while (n <= FILES && b->inodes[n] != i)
        n++;
    assert_true(n <= FILES);
    return n;
}

static int drop(void *arg, const struct inode *i)
{
    struct bench *b = arg;

    pthread_mutex_lock(&b->mutex);
    b->drops[find(b, i)]++;
    b->total++;
    pthread_cond_broadcast(&b->cond);
    while (i == b->hanging && b->total <= FILES)
        pthread_cond_wait(&b->cond, &b->mutex);
    pthread_mutex_unlock(&b->mutex);
    return i == b->failing ? -b->err : 0;
}

static int setup(void **state)
{
    struct bench *b;
    char name[16];

    check_ok(mem_new(1, sizeof *b, &b));
    check_ok(fixture_in_memory(3584, &b->io, &b->keys, &b->f));
    for (size_t n = 0; n < FILES; n++) {
        snprintf(name, sizeof name, "%zu", n);
        check_ok(fixture_file(b->f, name, true, &b->inodes[n], &b->handles[n]));
    }
    b->inodes[FILES] = volume_root(b->f->v);
    pthread_mutex_init(&b->mutex, NULL);
    pthread_cond_init(&b->cond, NULL);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;

    for (size_t n = 0; n < FILES; n++)
        fixture_file_close(b->f, b->inodes[n], b->handles[n]);
    pthread_cond_destroy(&b->cond);
    pthread_mutex_destroy(&b->mutex);
    fixture_in_memory_free(b->io, b->keys, b->f);
    mem_free(b);
    return 0;
}

static ks_rc round_of(struct bench *b, unsigned threads)
{
    return invalidate_all(&(struct invalidate_conf){b->f->v, threads, drop, b});
}

static void expect_each(const struct bench *b, unsigned times)
{
    for (size_t n = 0; n <= FILES; n++)
        assert_int_equal(b->drops[n], times);
}

static void all__several_threads__each_inode_once_in_each_round(void **state)
{
    struct bench *b = *state;

    check_ok(round_of(b, THREADS));
    expect_each(b, 1);
    check_ok(round_of(b, INVALIDATE_THREADS_MAX));
    expect_each(b, 2);
}

static void all__neither_memory_nor_threads__each_inode_all_the_same(void **state)
{
    struct bench *b = *state;

    has_no_threads = has_no_memory = true;
    ks_rc rc = round_of(b, THREADS);
    has_no_threads = has_no_memory = false;
    check_ok(rc);
    expect_each(b, 1);
}

static void all__one_fails__is_told_after_all_others(void **state)
{
    struct bench *b = *state;

    b->failing = b->inodes[FILES / 2];
    b->err = ENOMEM;
    assert_true(ks_is_os(round_of(b, THREADS), ENOMEM));
    expect_each(b, 1);
}

static void all__kernel_does_not_know_one__is_no_failure(void **state)
{
    struct bench *b = *state;

    b->failing = b->inodes[0];
    b->err = ENOENT;
    check_ok(round_of(b, THREADS));
    expect_each(b, 1);
}

static void all__one_waits_for_the_disk__others_are_dropped_meanwhile(void **state)
{
    struct bench *b = *state;

    b->hanging = b->inodes[FILES / 2];
    check_ok(round_of(b, 2));
    expect_each(b, 1);
}

static void threads__as_many_as_are_of_use(void **unused)
{
    (void)unused;
    assert_int_equal(invalidate_threads(2, 1000), 2);
    assert_int_equal(invalidate_threads(128, 1000), INVALIDATE_THREADS_MAX);
    assert_int_equal(invalidate_threads(128, 3), 3);
    assert_int_equal(invalidate_threads(-1, 1000), 1);
    assert_int_equal(invalidate_threads(4, 0), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all__several_threads__each_inode_once_in_each_round, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(all__neither_memory_nor_threads__each_inode_all_the_same,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(all__one_fails__is_told_after_all_others, setup, teardown),
        cmocka_unit_test_setup_teardown(all__kernel_does_not_know_one__is_no_failure, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(all__one_waits_for_the_disk__others_are_dropped_meanwhile,
                                        setup, teardown),
        cmocka_unit_test(threads__as_many_as_are_of_use),
    };

    return cmocka_run_group_tests_name("invalidate", tests, NULL, NULL);
}
