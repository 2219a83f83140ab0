/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the system source fills all that was asked for and never says the same twice, also not in
 * a child after fork; the seeded one repeats itself exactly.
 */
#include "base/random.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "check.h"

static void system__large_request__filled_to_the_last_byte(void **state)
{
    enum { BYTES = 1 << 20, TAIL = 32 };
    CLEANUP(mem_freep) uint8_t *bytes = NULL;

    (void)state;
    check_ok(mem_new(BYTES, 1, &bytes));
    check_ok(random_fill(random_system(), bytes, BYTES));
    assert_false(mem_is_zero(bytes, TAIL));
    assert_false(mem_is_zero(bytes + BYTES - TAIL, TAIL));
}

static void system__nothing_asked__nothing_written(void **state)
{
    uint8_t byte = 7;

    (void)state;
    check_ok(random_fill(random_system(), &byte, 0));
    assert_int_equal(byte, 7);
}

static void system__after_fork__child_and_parent_differ(void **state)
{
    uint8_t mine[24], theirs[24], early[24];
    int ends[2], status;

    (void)state;
    check_ok(random_fill(random_system(), early, sizeof early));
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        ks_rc rc = random_fill(random_system(), theirs, sizeof theirs);
        ssize_t n = write(ends[1], theirs, sizeof theirs);
        _exit(ks_ok(rc) && n == (ssize_t)sizeof theirs ? 0 : 1);
    }
    check_ok(random_fill(random_system(), mine, sizeof mine));
    assert_int_equal(read(ends[0], theirs, sizeof theirs), sizeof theirs);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_memory_not_equal(mine, theirs, sizeof mine);
    assert_memory_not_equal(mine, early, sizeof mine);
    close(ends[0]);
    close(ends[1]);
}

static void seeded__same_seed__same_bytes(void **state)
{
    struct random_seeded a, b, c;
    uint8_t x[37], y[37], z[37];

    (void)state;
    random_seeded_init(&a, 1);
    random_seeded_init(&b, 1);
    random_seeded_init(&c, 2);
    check_ok(random_fill(&a.random, x, sizeof x));
    check_ok(random_fill(&b.random, y, sizeof y));
    check_ok(random_fill(&c.random, z, sizeof z));
    assert_memory_equal(x, y, sizeof x);
    assert_memory_not_equal(x, z, sizeof x);
    check_ok(random_fill(&a.random, y, sizeof y));
    assert_memory_not_equal(x, y, sizeof x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(system__large_request__filled_to_the_last_byte),
        cmocka_unit_test(system__nothing_asked__nothing_written),
        cmocka_unit_test(system__after_fork__child_and_parent_differ),
        cmocka_unit_test(seeded__same_seed__same_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
