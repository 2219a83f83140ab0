/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: processes of "serve --dev" get what they are given and nothing of ours, are noticed when they end by themselves, and
 * are all gone when they are told to end, those that do not listen too.
 */
#include "cli/dev_process.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/json.h"
#include "base/mem.h"
#include "tmpdir.h"

static struct tmpdir dir;
static struct dev_processes processes;

static int setup(void **state)
{
    (void)state;
    dir = tmpdir_make();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tmpdir_remove(&dir);
    return 0;
}

static ks_rc start(enum dev_stage stage, const char *name, const char *script,
                   const char *const *env)
{
    return dev_start(&processes, &(struct dev_start){
                                     .stage = stage,
                                     .name = name,
                                     .log = tmpdir_path(&dir, name).text,
                                     .argv = (const char *const[]){"/bin/sh", "-c", script, NULL},
                                     .env = env});
}

static int end_all(void **state)
{
    (void)state;
    dev_end(&processes);
    return 0;
}

static const struct dev_process *wait_end(void)
{
    const struct dev_process *ended = NULL;

    while (!ended)
        ended = dev_ended(&processes);
    return ended;
}

static void start__environment__added_and_replaced(void **state)
{
    uint8_t said[256] = {0};

    (void)state;
    setenv("DEV_TEST_KEPT", "kept", 1);
    setenv("DEV_TEST_CHANGED", "before", 1);
    check_ok(start(DEV_KEYS, "env", "echo $DEV_TEST_KEPT $DEV_TEST_CHANGED $DEV_TEST_NEW; exit 3",
                   (const char *const[]){"DEV_TEST_CHANGED=after", "DEV_TEST_NEW=new", NULL}));
    const struct dev_process *ended = wait_end();
    assert_string_equal(ended->name, "env");
    assert_int_equal(WEXITSTATUS(ended->status), 3);
    file_get(ended->log, said, sizeof said - 1);
    assert_string_equal((const char *)said, "kept after new\n");
    assert_null(dev_ended(&processes));
    dev_tell_end(ended);
}

static void start__log_that_cannot_be_written__os_error(void **state)
{
    (void)state;
    ks_rc rc = dev_start(&processes,
                         &(struct dev_start){.name = "x",
                                             .log = tmpdir_path(&dir, "no/such").text,
                                             .argv = (const char *const[]){"/bin/true", NULL}});
    assert_true(ks_is_os(rc, ENOENT));
}

static void start__no_such_program__ends_at_once(void **state)
{
    (void)state;
    check_ok(dev_start(
        &processes, &(struct dev_start){.name = "none",
                                        .log = tmpdir_path(&dir, "none").text,
                                        .argv = (const char *const[]){"/no/such/program", NULL}}));
    assert_int_equal(WEXITSTATUS(wait_end()->status), 127);
}

static void start__more_than_there_is_room_for__limit(void **state)
{
    (void)state;
    for (int i = 0; i < DEV_PROCESSES_MAX; i++)
        check_ok(start(DEV_NODES, "many", "exec sleep 1000", NULL));
    check_rc(start(DEV_NODES, "many", "exit 0", NULL), LIMIT);
    dev_end(&processes);
    assert_int_equal(processes.count, 0);
}

static void end__later_stages_first(void **state)
{
    static const char says[] = "trap 'echo $0 >>\"$DEV_TEST_DIR/ended\"; exit 0' TERM; "
                               "touch \"$DEV_TEST_DIR/$0\"; while :; do sleep 0.02; done";
    static const char *const names[] = {"control", "keys", "node"};
    static const enum dev_stage stages[] = {DEV_CONTROL, DEV_KEYS, DEV_NODES};
    uint8_t said[64] = {0};

    (void)state;
    setenv("DEV_TEST_DIR", dir.path, 1);
    for (size_t i = 0; i < 3; i++)
        check_ok(dev_start(&processes,
                           &(struct dev_start){.stage = stages[i],
                                               .name = names[i],
                                               .log = tmpdir_path(&dir, "log").text,
                                               .argv = (const char *const[]){"/bin/sh", "-c", says,
                                                                             names[i], NULL}}));
    for (size_t i = 0; i < 3; i++)
        while (access(tmpdir_path(&dir, names[i]).text, F_OK) != 0)
            assert_null(dev_ended(&processes));
    dev_end(&processes);
    file_get(tmpdir_path(&dir, "ended").text, said, sizeof said - 1);
    assert_string_equal((const char *)said, "node\ncontrol\nkeys\n");
}

static void run__failure__carries_what_was_said(void **state)
{
    (void)state;
    ks_rc rc =
        dev_run((const char *const[]){"/bin/sh", "-c", "echo no such key >&2; exit 2", NULL}, NULL);
    check_rc(rc, STATE);
    check_text(rc, "no such key");
    check_rc(dev_run((const char *const[]){"/no/such/program", "a", "b", NULL}, NULL), NOT_FOUND);
}

static void run__json__given(void **state)
{
    json_t *said = NULL;

    (void)state;
    check_ok(
        dev_run((const char *const[]){"/bin/sh", "-c", "echo '{\"role\": \"r\"}'", NULL}, &said));
    assert_string_equal(json_string_value(json_object_get(said, "role")), "r");
    json_decref(said);
    check_rc(dev_run((const char *const[]){"/bin/sh", "-c", "echo words", NULL}, &said), USAGE);
}

static void program__this_one(void **state)
{
    char *path = NULL;

    (void)state;
    check_ok(dev_program(&path));
    assert_non_null(strstr(path, "dev_process_test"));
    mem_freep(&path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(start__environment__added_and_replaced, end_all),
        cmocka_unit_test_teardown(start__log_that_cannot_be_written__os_error, end_all),
        cmocka_unit_test_teardown(start__no_such_program__ends_at_once, end_all),
        cmocka_unit_test_teardown(start__more_than_there_is_room_for__limit, end_all),
        cmocka_unit_test_teardown(end__later_stages_first, end_all),
        cmocka_unit_test_teardown(run__failure__carries_what_was_said, end_all),
        cmocka_unit_test_teardown(run__json__given, end_all),
        cmocka_unit_test_teardown(program__this_one, end_all),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
