/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the kernel is asked to forget when too many objects are known, once at a time, and again only when it
 * can help.
 */
#include "fuse/shedder.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/mem.h"
#include "check.h"
#include "io/crash.h"
#include "volume_fixture.h"

enum { SOON_MS = 10000 };

struct bench {
    struct io *io;
    struct fixture_keys *keys;
    struct fixture *f;
    struct shedder *s;
    sem_t entered, may_go;
    atomic_uint calls;
    bool is_failing;
};

static ks_rc drop(void *arg)
{
    struct bench *b = arg;

    atomic_fetch_add(&b->calls, 1);
    if (b->is_failing)
        return ks_os(EPERM);
    sem_post(&b->entered);
    sem_wait(&b->may_go);
    return KS_SUCCESS;
}

static int bench_new(void **state)
{
    struct bench *b;

    check_ok(mem_new(1, sizeof *b, &b));
    sem_init(&b->entered, 0, 0);
    sem_init(&b->may_go, 0, 0);
    check_ok(fixture_in_memory(3584, &b->io, &b->keys, &b->f));
    *state = b;
    return 0;
}

static int bench_free(void **state)
{
    struct bench *b = *state;

    assert_true(shedder_stop(b->s, SOON_MS));
    fixture_in_memory_free(b->io, b->keys, b->f);
    mem_free(b);
    return 0;
}

static void start(struct bench *b, size_t room)
{
    struct shedder_conf conf = {b->f->v, room, drop, b};

    check_ok(shedder_start(&conf, &b->s));
}

static struct inode *known_file(struct bench *b, const char *name)
{
    struct inode *i;
    struct handle *h;

    check_ok(fixture_file(b->f, name, true, &i, &h));
    volume_close(b->f->v, h);
    return i;
}

static void mark__few_are_left__is_the_room(void **unused)
{
    (void)unused;
    assert_int_equal(shedder_mark(1000, 0), 1000);
    assert_int_equal(shedder_mark(1000, 999), 1000);
}

static void mark__all_are_in_use__is_a_good_deal_higher(void **unused)
{
    (void)unused;
    assert_int_equal(shedder_mark(1000, 1000), 1126);
    assert_int_equal(shedder_mark(1000, 5000), 5126);
    assert_int_equal(shedder_mark(0, 0), 1);
}

static void look__few_are_known__asks_nobody(void **state)
{
    struct bench *b = *state;

    start(b, 2);
    struct inode *i = known_file(b, "a");
    assert_int_equal(volume_inode_count(b->f->v), 1);
    shedder_look(b->s);
    assert_true(shedder_stop(TAKE(b->s), SOON_MS));
    assert_int_equal(b->calls, 0);
    volume_forget(b->f->v, i, 1);
    assert_int_equal(volume_inode_count(b->f->v), 0);
}

static void look__too_many_are_known__asks_once_at_a_time(void **state)
{
    struct bench *b = *state;

    start(b, 1);
    struct inode *i = known_file(b, "a");
    shedder_look(b->s);
    sem_wait(&b->entered);
    for (int n = 0; n < 100; n++)
        shedder_look(b->s);
    sem_post(&b->may_go);
    assert_true(shedder_stop(TAKE(b->s), SOON_MS));
    assert_int_equal(b->calls, 1);
    volume_forget(b->f->v, i, 1);
}

static void look__kernel_refuses__is_asked_again_the_next_time(void **state)
{
    enum { ROOM = 4 };
    struct bench *b = *state;
    struct inode *known[ROOM];
    char name[16];

    b->is_failing = true;
    start(b, ROOM);
    /* it takes more than one turn only while the first call is still ending */
    for (unsigned turn = 0; atomic_load(&b->calls) < 2; turn++) {
        for (unsigned n = 0; n < ROOM; n++) {
            snprintf(name, sizeof name, "%u-%u", turn, n);
            known[n] = known_file(b, name);
        }
        shedder_look(b->s);
        for (unsigned n = 0; n < ROOM; n++)
            volume_forget(b->f->v, known[n], 1);
        shedder_look(b->s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mark__few_are_left__is_the_room),
        cmocka_unit_test(mark__all_are_in_use__is_a_good_deal_higher),
        cmocka_unit_test_setup_teardown(look__few_are_known__asks_nobody, bench_new, bench_free),
        cmocka_unit_test_setup_teardown(look__too_many_are_known__asks_once_at_a_time, bench_new,
                                        bench_free),
        cmocka_unit_test_setup_teardown(look__kernel_refuses__is_asked_again_the_next_time,
                                        bench_new, bench_free),
    };

    return cmocka_run_group_tests_name("shedder", tests, NULL, NULL);
}
