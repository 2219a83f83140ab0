/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a rotation waits for no operation and takes nothing away from one; older keys go when the last operation that may use them has
 * ended; who asks is told when all that began before has.
 */
#include "check.h"

#include <pthread.h>

#include "base/mem.h"
#include "io/crash.h"
#include "volume/eras.h"
#include "volume_fixture.h"

struct bench {
    struct io *io;
    struct fixture_keys *keys;
    struct fixture *f;
    struct volume *v;
};

static int bench_new(void **state)
{
    struct bench *b;

    check_ok(mem_new(1, sizeof *b, &b));
    check_ok(fixture_in_memory(3584, &b->io, &b->keys, &b->f));
    b->v = b->f->v;
    *state = b;
    return 0;
}

static int bench_free(void **state)
{
    struct bench *b = *state;

    fixture_in_memory_free(b->io, b->keys, b->f);
    mem_free(b);
    return 0;
}

static struct era *enter(struct bench *b)
{
    struct era *e;

    check_ok(volume_enter(b->v, NEED_OPEN, &e));
    return e;
}

static void rotate(struct bench *b)
{
    check_ok(fixture_rotate(b->f, b->keys));
}

/* Whether some operation keeps the keys, or the count, of an earlier era. */
static bool is_older_kept(struct bench *b)
{
    return b->v->era_oldest != atomic_load(&b->v->era);
}

static void write_file(struct bench *b, const char *name)
{
    check_ok(fixture_write(b->f, name, true, "accounts", 8));
}

static void check_file(struct bench *b, const char *name)
{
    struct inode *i;
    struct handle *h;
    uint8_t got[16];
    size_t len;

    check_ok(fixture_file(b->f, name, false, &i, &h));
    check_ok(volume_read(b->v, handle_inode(h), got, sizeof got, 0, &len));
    check_bytes(view_of(got, len), view_text("accounts"));
    fixture_file_close(b->f, i, h);
}

static void rotation__beside_an_operation__leaves_it_its_keys_and_others_go_on(void **state)
{
    struct bench *b = *state;
    struct era *held = enter(b);
    const struct keyset *older = volume_keys(b->v);

    write_file(b, "before");
    rotate(b);
    assert_int_equal(keyset_newest(volume_keys(b->v)), 2);
    write_file(b, "after");
    check_file(b, "before");
    check_file(b, "after");
    assert_true(is_older_kept(b));
    assert_int_equal(keyset_newest(older), 1);
    assert_int_equal(keyset_data_key(older, 1).len, 32);
    volume_leave(b->v, held);
    assert_false(is_older_kept(b));
}

static void rotation__with_nobody_inside__keeps_nothing(void **state)
{
    struct bench *b = *state;

    rotate(b);
    assert_false(is_older_kept(b));
    rotate(b);
    assert_false(is_older_kept(b));
    assert_int_equal(keyset_newest(volume_keys(b->v)), 3);
}

/* Who began in between may use what came later, too. */
static void eras__end_in_the_order_in_which_they_began(void **state)
{
    struct bench *b = *state;
    struct era *first = enter(b);
    rotate(b);
    struct era *second = enter(b);
    const struct keyset *older = volume_keys(b->v);
    rotate(b);

    volume_leave(b->v, second);
    assert_true(is_older_kept(b));
    assert_int_equal(keyset_newest(older), 2);
    volume_leave(b->v, first);
    assert_false(is_older_kept(b));
}

static void era__with_the_same_keys__wipes_nothing_when_it_ends(void **state)
{
    struct bench *b = *state;
    struct era *held = enter(b);
    uint64_t number;

    check_ok(era_begin(b->v, &number));
    check_ok(era_begin(b->v, &number));
    volume_leave(b->v, held);
    assert_false(is_older_kept(b));
    assert_int_equal(keyset_data_key(volume_keys(b->v), 1).len, 32);
    write_file(b, "file");
    check_file(b, "file");
}

static void wait__for_who_began_before__and_for_nobody_else(void **state)
{
    struct bench *b = *state;
    struct era *before = enter(b);
    uint64_t number;

    check_ok(era_begin(b->v, &number));
    struct era *after = enter(b);
    check_rc(era_wait(b->v, number, 0), BUSY);
    volume_leave(b->v, before);
    check_ok(era_wait(b->v, number, 0));
    volume_leave(b->v, after);
}

struct passing {
    struct bench *b;
    struct era *held;
    unsigned told, leave_at; /* 0: says no more at once */
};

static bool on_pass(void *arg)
{
    struct passing *p = arg;

    if (++p->told == p->leave_at)
        volume_leave(p->b->v, p->held);
    return p->leave_at > 0;
}

static void pass__is_told_while_it_waits__and_ends_when_they_do(void **state)
{
    struct bench *b = *state;
    struct passing p = {.b = b, .held = enter(b), .leave_at = 2};

    check_ok(era_pass(b->v, on_pass, &p));
    assert_int_equal(p.told, 2);
    assert_false(is_older_kept(b));
    check_ok(era_pass(b->v, on_pass, &p));
    assert_int_equal(p.told, 2);
}

static void pass__nobody_wants_it_any_more__is_busy(void **state)
{
    struct bench *b = *state;
    struct passing p = {.b = b, .held = enter(b)};

    check_rc(era_pass(b->v, on_pass, &p), BUSY);
    assert_int_equal(p.told, 1);
    volume_leave(b->v, p.held);
}

/* --- a generation that is destroyed --- */

static void destroy(struct bench *b, uint32_t generation)
{
    struct keyset *keys;

    check_ok(fixture_keys_destroy(b->keys, generation));
    check_ok(fixture_keys_again(b->keys, &keys));
    check_ok(volume_set_keys(b->v, &keys));
}

static bool has_key(const struct inode *i, uint32_t generation)
{
    const struct file_key *k = i->keys;

    while (k && k->generation != generation)
        k = k->next;
    return k != NULL;
}

/* A file in use. No sweep comes to its block of generation 1, as if somebody put that back afterwards. */
static void write_under_two(struct bench *b, struct inode **ret, struct handle **ret_handle)
{
    check_ok(fixture_file(b->f, "file", true, ret, ret_handle));
    check_ok(volume_write(b->v, *ret, "older", 5, 0));
    rotate(b);
    check_ok(volume_write(b->v, *ret, "newer", 5, 3584));
    assert_true(has_key(*ret, 1) && has_key(*ret, 2));
}

static ks_rc read_at(struct bench *b, struct inode *i, uint64_t at)
{
    uint8_t got[5];
    size_t len;

    return volume_read(b->v, i, got, sizeof got, at, &len);
}

static void destroyed_generation__of_a_file_in_use__is_damage_and_wiped(void **state)
{
    struct bench *b = *state;
    struct inode *i;
    struct handle *h;

    write_under_two(b, &i, &h);
    check_ok(read_at(b, i, 0));
    destroy(b, 1);
    assert_false(has_key(i, 1));
    assert_true(has_key(i, 2));
    assert_null(b->v->spaces);
    check_class(read_at(b, i, 0), CORRUPT);
    check_ok(read_at(b, i, 3584));
    fixture_file_close(b->f, i, h);
}

/* It may have the key in hand, which is wiped behind it. Nobody is given it any more. */
static void destroyed_generation__beside_an_operation__is_wiped_after_it(void **state)
{
    struct bench *b = *state;
    struct inode *i;
    struct handle *h;

    write_under_two(b, &i, &h);
    struct era *held = enter(b);
    destroy(b, 1);
    volume_rest(b->v);
    assert_true(has_key(i, 1));
    check_class(read_at(b, i, 0), CORRUPT);
    check_ok(read_at(b, i, 3584));
    volume_leave(b->v, held);
    volume_rest(b->v);
    assert_false(has_key(i, 1));
    assert_true(has_key(i, 2));
    check_ok(read_at(b, i, 3584));
    fixture_file_close(b->f, i, h);
}

static void wipe__after_an_operation_that_outlived_a_rotation__leaves_no_key(void **state)
{
    struct bench *b = *state;
    struct keyset *keys;
    struct era *held = enter(b);

    rotate(b);
    volume_set_door(b->v, VOLUME_CLOSED);
    check_rc(volume_drain(b->v, 0), BUSY);
    volume_leave(b->v, held);
    check_ok(volume_drain(b->v, 0));
    volume_wipe(b->v);
    assert_null(volume_keys(b->v));
    assert_false(is_older_kept(b));
    check_ok(fixture_keys_again(b->keys, &keys));
    check_ok(volume_set_keys(b->v, &keys));
    volume_set_door(b->v, VOLUME_OPEN);
    write_file(b, "file");
    check_file(b, "file");
}

/* --- many at once --- */

enum { WORKERS = 4, ROTATIONS = 60, PASSES = 10 };

struct crowd {
    struct bench *b;
    atomic_bool is_over;
    atomic_ulong bad, good;
};

/* What it finds stays while it is inside. */
static void look(struct crowd *c)
{
    struct volume *v = c->b->v;
    struct era *e;

    if (!ks_ok(volume_enter(v, NEED_OPEN, &e))) {
        atomic_fetch_add(&c->bad, 1);
        return;
    }
    const struct keyset *keys = volume_keys(v);
    uint32_t newest = keyset_newest(keys);
    uint8_t first = keyset_data_key(keys, newest).bytes[0];
    sched_yield();
    bool is_same = keyset_newest(keys) == newest && keyset_data_key(keys, newest).bytes[0] == first;
    atomic_fetch_add(is_same ? &c->good : &c->bad, 1);
    volume_leave(v, e);
}

static void *run_looks(void *arg)
{
    struct crowd *c = arg;

    while (!atomic_load(&c->is_over))
        look(c);
    return NULL;
}

static bool go_on(void *arg)
{
    (void)arg;
    return true;
}

static void crowd__beside_rotations__never_loses_its_keys(void **state)
{
    struct crowd c = {.b = *state};
    pthread_t threads[WORKERS];

    for (unsigned n = 0; n < WORKERS; n++)
        assert_int_equal(pthread_create(&threads[n], NULL, run_looks, &c), 0);
    for (unsigned n = 0; n < ROTATIONS; n++) {
        rotate(c.b);
        if (n % (ROTATIONS / PASSES) == 0)
            check_ok(era_pass(c.b->v, go_on, NULL));
    }
    while (atomic_load(&c.good) < ROTATIONS)
        sched_yield();
    atomic_store(&c.is_over, true);
    for (unsigned n = 0; n < WORKERS; n++)
        pthread_join(threads[n], NULL);
    assert_int_equal(atomic_load(&c.bad), 0);
    assert_false(is_older_kept(c.b));
    assert_int_equal(keyset_newest(volume_keys(c.b->v)), ROTATIONS + 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, bench_new, bench_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rotation__beside_an_operation__leaves_it_its_keys_and_others_go_on),
        T(rotation__with_nobody_inside__keeps_nothing),
        T(eras__end_in_the_order_in_which_they_began),
        T(era__with_the_same_keys__wipes_nothing_when_it_ends),
        T(wait__for_who_began_before__and_for_nobody_else),
        T(pass__is_told_while_it_waits__and_ends_when_they_do),
        T(pass__nobody_wants_it_any_more__is_busy),
        T(destroyed_generation__of_a_file_in_use__is_damage_and_wiped),
        T(destroyed_generation__beside_an_operation__is_wiped_after_it),
        T(wipe__after_an_operation_that_outlived_a_rotation__leaves_no_key),
        T(crowd__beside_rotations__never_loses_its_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
