/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a process that is killed in the middle of its transactions loses nothing that it was told is durable, and leaves
 * no change without its event and no event without its change; nobody else has the store while it lives, and the next has
 * it as soon as it is dead.
 */
#include <signal.h>
#include <sys/wait.h>

#include "store_changes.h"

enum { ROUNDS = 60, ACKS_MAX = 25 };

/* In the child: changes until it is killed, telling each one that is durable. */
static void change_for_ever(const struct store_conf *conf, uint32_t number, int to)
{
    struct store *store;

    if (!ks_ok(store_open(conf, &store)))
        _exit(1);
    for (;;) {
        number++;
        if (!ks_ok(store_changes_make(store, number)) || write(to, &number, sizeof number) < 0)
            _exit(2);
    }
}

static uint32_t kill_after(struct store_fixture *f, uint32_t number, int acks)
{
    int pipes[2], status;
    uint32_t acked = number;

    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        close(pipes[0]);
        change_for_ever(&f->conf, number, pipes[1]);
    }
    close(pipes[1]);
    for (int i = 0; i < acks; i++)
        assert_int_equal(read(pipes[0], &acked, sizeof acked), sizeof acked);
    struct store *second = NULL;
    check_rc(store_open(&f->conf, &second), BUSY);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    while (read(pipes[0], &number, sizeof number) == (ssize_t)sizeof number)
        acked = number;
    close(pipes[0]);
    return acked;
}

static void killed_at_any_moment__nothing_told_is_lost_nothing_is_half(void **state)
{
    struct store_fixture f;
    uint32_t number = 0, seed = 1;

    (void)state;
    store_changes_open(&f);
    store_changes_shut(&f);
    for (int round = 0; round < ROUNDS; round++) {
        seed = seed * 1103515245 + 12345;
        uint32_t acked = kill_after(&f, number, 1 + (int)(seed >> 16) % ACKS_MAX);
        check_ok(store_open(&f.conf, &f.store));
        number = store_changes_count(f.store);
        assert_true(number == acked || number == acked + 1);
        store_changes_shut(&f);
    }
    store_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_moment__nothing_told_is_lost_nothing_is_half),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
