/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: an engine is what is wanted of it, whatever goes wrong: its place on the volume is made once and durably, what fails is told with its
 * reason and tried again, a stop leaves nothing behind, and a password is told to nobody else. The engine is a shell here.
 */
#include "node/engine_int.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "check.h"
#include "tmpdir.h"

enum { SOON_MS = 20000, TEXT_BYTES = 4096 };

#define HEAD "name: fake\nhint: none\nusers: [nobody]\nprograms: {sh: [/bin/sh]}\n"
#define SLEEP "start: {program: sh, arguments: [-c, 'sleep 1000 & exec sleep 1000']}\n"

/* The system's clock, and ahead of it: by what a test says at once, or as soon as somebody sleeps on it. */
struct ahead_clock {
    struct clock clock;
    atomic_uint_fast64_t ahead_ms, leap_ms;
};

static uint64_t ahead_boot_ms(struct clock *c)
{
    struct ahead_clock *a = (struct ahead_clock *)(void *)c;

    return clock_boot_ms(clock_system()) + atomic_load(&a->ahead_ms);
}

static int64_t ahead_wall_s(struct clock *c)
{
    (void)c;
    return clock_wall_s(clock_system());
}

static void ahead_sleep_ms(struct clock *c, uint64_t ms)
{
    struct ahead_clock *a = (struct ahead_clock *)(void *)c;

    atomic_fetch_add(&a->ahead_ms, atomic_exchange(&a->leap_ms, 0));
    clock_sleep_ms(clock_system(), ms);
}

struct fixture {
    struct tmpdir dir;
    struct path mount, state;
    struct engine_template *kind;
    struct engine *engine;
    struct engine_conf conf;
    struct ahead_clock clock;
    int listener; /* what makes it ready: the port takes connections */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
};

static void told(void *arg)
{
    struct fixture *f = arg;

    pthread_mutex_lock(&f->mutex);
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->mutex);
}

static int setup(void **state)
{
    static struct fixture f;
    struct sockaddr_in any = {.sin_family = AF_INET};
    socklen_t len = sizeof any;

    memset(&f, 0, sizeof f);
    check_ok(secret_init());
    f.clock.clock = (struct clock){ahead_boot_ms, ahead_wall_s, ahead_sleep_ms};
    f.dir = tmpdir_make();
    assert_int_equal(chmod(f.dir.path, 0755), 0);
    f.mount = tmpdir_path(&f.dir, "mount");
    f.state = tmpdir_path(&f.dir, "state");
    assert_int_equal(mkdir(f.mount.text, 0700), 0);
    assert_int_equal(mkdir(f.state.text, 0700), 0);
    pthread_mutex_init(&f.mutex, NULL);
    clock_cond_init(&f.changed);
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    f.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(f.listener, (struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(listen(f.listener, 64), 0);
    assert_int_equal(getsockname(f.listener, (struct sockaddr *)&any, &len), 0);
    f.conf = (struct engine_conf){.mountpoint = f.mount.text,
                                  .state_dir = f.state.text,
                                  .may_be_plain = true,
                                  .address = "127.0.0.1",
                                  .port = ntohs(any.sin_port),
                                  .cluster_name = "orders \"1\"",
                                  .clock = &f.clock.clock,
                                  .random = random_system(),
                                  .told = told,
                                  .arg = &f};
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    engine_free(f->engine, false);
    engine_template_free(f->kind);
    assert_int_equal(program_count(NULL, f->mount.text), 0);
    close(f->listener);
    tmpdir_remove(&f->dir);
    return 0;
}

static void make(struct fixture *f, const char *text)
{
    engine_template_free(TAKE(f->kind));
    check_ok(engine_template_parse("fake", view_text(text), &f->kind));
    f->conf.kind = f->kind;
    check_ok(engine_new(&f->conf, &f->engine));
}

static void end(struct fixture *f, bool is_leaving_it)
{
    engine_free(TAKE(f->engine), is_leaving_it);
}

static struct engine_status wait_phase(struct fixture *f, enum engine_phase phase)
{
    struct timespec until = clock_deadline(SOON_MS);
    struct engine_status s;
    int err = 0;

    pthread_mutex_lock(&f->mutex);
    for (engine_status(f->engine, &s); s.phase != phase && !err; engine_status(f->engine, &s))
        err = pthread_cond_timedwait(&f->changed, &f->mutex, &until);
    pthread_mutex_unlock(&f->mutex);
    if (s.phase != phase)
        fail_msg("phase %d instead of %d: %s", s.phase, phase, s.message);
    return s;
}

static struct engine_status start(struct fixture *f)
{
    engine_start(f->engine);
    return wait_phase(f, ENGINE_PHASE_RUNNING);
}

static void stop_quick(struct fixture *f)
{
    assert_true(engine_stop(f->engine, 0, SOON_MS));
}

static void stop(struct fixture *f)
{
    struct engine_status s;

    stop_quick(f);
    engine_status(f->engine, &s);
    assert_int_equal(s.phase, ENGINE_PHASE_IDLE);
    assert_string_equal(s.connection, "");
    assert_int_equal(program_count(NULL, f->mount.text), 0);
}

static void check_fails(struct fixture *f, const char *why)
{
    engine_start(f->engine);
    struct engine_status s = wait_phase(f, ENGINE_PHASE_FAILED);
    if (!strstr(s.message, why))
        fail_msg("\"%s\" does not hold \"%s\"", s.message, why);
    assert_true(s.restarts >= 1);
    stop(f);
}

static struct path in_mount(const struct fixture *f, const char *name)
{
    struct path p;

    snprintf(p.text, sizeof p.text, "%.63s/mount/%.120s", f->dir.path, name);
    return p;
}

static void check_file(const struct fixture *f, const char *name, const char *want)
{
    struct path p = in_mount(f, name);
    char text[TEXT_BYTES];
    size_t n = file_get(p.text, (uint8_t *)text, sizeof text - 1);

    text[n] = 0;
    assert_string_equal(text, want);
}

static void start__again_and_again__is_initialised_and_prepared_once(void **state)
{
    struct fixture *f = *state;

    make(f, HEAD SLEEP "directories: [data]\nconnection: \"x://{host}:{cluster}\"\n"
                       "files:\n  - {name: a.conf, text: 'cluster {cluster}'}\n"
                       "initialise:\n  - {program: sh, arguments: [-c, 'echo i >> data/log']}\n"
                       "prepare:\n  - {program: sh, arguments: [-c, 'echo p >> data/log']}\n");
    for (int i = 0; i < 3; i++) {
        struct engine_status s = start(f);
        assert_string_equal(s.connection, "x://127.0.0.1:orders--1-");
        assert_int_equal(s.restarts, 0);
        engine_start(f->engine);
        stop(f);
        stop_quick(f);
    }
    check_file(f, "engine/home-1/data/log", "i\np\n");
    check_file(f, "engine/conf/a.conf", "cluster orders--1-");
    check_file(f, "engine/initialised",
               "{\"engine\":\"fake\",\"home\":\"home-1\",\"prepared\":true}");
    assert_int_not_equal(access(in_mount(f, "engine/home-2").text, F_OK), 0);
}

static void start__initialising_fails__new_home_with_each_attempt(void **state)
{
    struct fixture *f = *state;

    make(f,
         HEAD SLEEP "initialise:\n  - {program: sh, arguments: [-c, 'echo no space; exit 4']}\n");
    check_fails(f, "fake cannot be initialised: sh ended with exit code 4: no space");
    check_fails(f, "exit code 4");
    assert_int_equal(access(in_mount(f, "engine/home-2").text, F_OK), 0);
    assert_int_not_equal(access(in_mount(f, "engine/initialised").text, F_OK), 0);
}

static void start__step_says_something_else__fails(void **state)
{
    struct fixture *f = *state;

    make(f, HEAD SLEEP "prepare:\n  - {program: sh, input: 'echo one', expect: two}\n");
    check_fails(f, "fake cannot be prepared: sh did not say \"two\" but: one");
    check_file(f, "engine/initialised",
               "{\"engine\":\"fake\",\"home\":\"home-1\",\"prepared\":false}");
}

static void start__ends_by_itself__told_with_its_log_and_tried_again(void **state)
{
    struct fixture *f = *state;

    make(f, HEAD "start: {program: sh, arguments: [-c, 'sleep 1000 & echo the reason; exit 5']}\n"
                 "ready: {program: sh, input: exit 1}\n");
    check_fails(f, "fake ended by itself: exit code 5; its log ends with: the reason");
}

static void start__never_ready__fails_in_time(void **state)
{
    struct fixture *f = *state;

    make(f, HEAD SLEEP "ready: {program: sh, input: 'echo > asked; exit 1', seconds: 600}\n");
    engine_start(f->engine);
    while (access(in_mount(f, "engine/home-1/asked").text, F_OK) != 0)
        clock_sleep_ms(clock_system(), 5);
    atomic_store(&f->clock.ahead_ms, 600001);
    check_fails(f, "fake is not ready after 600 seconds");
}

static void start__program_goes_missing__says_what_to_install(void **state)
{
    struct fixture *f = *state;

    make(f, "name: fake\nhint: install it\nusers: [nobody]\nprograms: {x: [/no/such]}\n"
            "start: {program: x}\n");
    check_fails(f, "fake needs the program x, which is not here: install it");
}

static void start__nothing_mounted__writes_nothing(void **state)
{
    struct fixture *f = *state;

    f->conf.may_be_plain = false;
    make(f, HEAD SLEEP);
    check_fails(f, "no volume is mounted on");
    assert_int_not_equal(access(in_mount(f, "engine").text, F_OK), 0);
}

static void start__mountpoint_is_gone__fails(void **state)
{
    struct fixture *f = *state;

    make(f, HEAD SLEEP);
    assert_int_equal(rmdir(f->mount.text), 0);
    check_fails(f, "No such file or directory");
    assert_int_equal(mkdir(f->mount.text, 0700), 0);
}

static void start__damaged_notes__refused_not_done_over(void **state)
{
    struct fixture *f = *state;

    make(f, HEAD SLEEP "password: true\n");
    start(f);
    stop(f);
    file_put(in_mount(f, "engine/password").text, view_text("short"));
    check_fails(f, "is damaged");
    file_put(in_mount(f, "engine/initialised").text,
             view_text("{\"engine\":\"other\",\"home\":\"home-1\"}"));
    check_fails(f, "other lives on this volume already");
    file_put(in_mount(f, "engine/initialised").text,
             view_text("{\"engine\":\"fake\",\"home\":\"../x\"}"));
    check_fails(f, "names no home");
    file_put(in_mount(f, "engine/initialised").text, view_text("{"));
    check_fails(f, "no valid JSON");
    assert_int_not_equal(access(in_mount(f, "engine/home-2").text, F_OK), 0);
}

static void stop__while_a_step_is_at_work__returns_and_nothing_is_left(void **state)
{
    struct fixture *f = *state;

    make(f, HEAD SLEEP
         "initialise:\n  - {program: sh, arguments: [-c, 'echo > begun; sleep 1000']}\n");
    engine_start(f->engine);
    while (access(in_mount(f, "engine/home-1/begun").text, F_OK) != 0)
        clock_sleep_ms(clock_system(), 5);
    stop(f);
}

/* A dead disk keeps the engine's own thread; who locks the volume does not wait for it. */
static void stop__its_thread_hangs__says_so_and_ends_later(void **state)
{
    struct fixture *f = *state;
    struct path log = in_mount(f, "engine/log/engine.log");
    struct engine_status s;

    make(f, HEAD SLEEP);
    assert_int_equal(mkdir(in_mount(f, "engine").text, 0711), 0);
    assert_int_equal(mkdir(in_mount(f, "engine/log").text, 0711), 0);
    assert_int_equal(mkfifo(log.text, 0600), 0);
    engine_start(f->engine);
    while (access(in_mount(f, "engine/initialised").text, F_OK) != 0)
        clock_sleep_ms(clock_system(), 5);
    while (engine_stop(f->engine, 0, 100)) /* until it is where it opens the log */
        engine_start(f->engine);
    engine_status(f->engine, &s);
    assert_int_not_equal(s.phase, ENGINE_PHASE_IDLE);
    int fd = open(log.text, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    stop_quick(f);
    close(fd);
    assert_int_equal(unlink(log.text), 0);
    start(f);
    stop(f);
}

static void stop__listens_to_its_second_signal__ends_with_it(void **state)
{
    struct fixture *f = *state;
    char text[TEXT_BYTES] = "";

    make(f, HEAD
         "start: {program: sh, arguments: [-c, \"trap 'echo one' USR1; trap 'echo two; exit' USR2; "
         "echo up; while :; do sleep 0.02; done\"]}\n"
         "ready: {program: sh, arguments: [-c, 'grep -q up ../log/engine.log || true']}\n"
         "stop:\n  - {signal: USR1, seconds: 1}\n  - {signal: USR2, seconds: 20}\n");
    start(f);
    struct path log = in_mount(f, "engine/log/engine.log");
    while (!strstr(text, "up"))
        text[file_get(log.text, (uint8_t *)text, sizeof text - 1)] = 0;
    assert_true(engine_stop(f->engine, SOON_MS, SOON_MS));
    text[file_get(log.text, (uint8_t *)text, sizeof text - 1)] = 0;
    assert_string_equal(text, "up\none\ntwo\n");
}

static void password__made_once__kept_and_covered(void **state)
{
    struct fixture *f = *state;
    CLEANUP(secret_freep) struct secret *first = NULL, *second = NULL;

    make(f, HEAD "password: true\nfiles:\n  - {name: pw, text: '{password} {password_sha256}'}\n"
                 "start: {program: sh, arguments: [-c, 'cat \"$0\"; exit 1', '{conf}/pw']}\n"
                 "ready: {program: sh, input: exit 1}\n");
    check_rc(engine_password(f->engine, &first), NOT_FOUND);
    check_fails(f, "ends with: ********************************");
    end(f, false);
    make(f, HEAD SLEEP "password: true\n");
    start(f);
    check_ok(engine_password(f->engine, &first));
    stop(f);
    check_rc(engine_password(f->engine, &second),
             NOT_FOUND); /* not while its volume may be locked */
    start(f);
    check_ok(engine_password(f->engine, &second));
    assert_true(secret_is_equal(secret_view(first), secret_view(second)));
    struct path p = in_mount(f, "engine/password");
    uint8_t text[64];
    assert_int_equal(file_get(p.text, text, sizeof text), ENGINE_PASSWORD_BYTES);
    assert_memory_equal(text, secret_bytes(first), ENGINE_PASSWORD_BYTES);
    stop(f);
}

/* Its child has time to end as well, which passes in a leap here. */
static void free__runs_and_a_child_outlives_it__both_are_ended(void **state)
{
    struct fixture *f = *state;

    make(f,
         HEAD "start: {program: sh, arguments: [-c, 'sleep 1000 & echo > up; exec sleep 1000']}\n"
              "ready: {program: sh, input: 'test -e up'}\n");
    start(f);
    atomic_store(&f->clock.leap_ms, 5000);
    assert_true(engine_free(TAKE(f->engine), false));
    assert_int_equal(atomic_load(&f->clock.leap_ms), 0);
    assert_int_equal(program_count(NULL, f->mount.text), 0);
}

static void free__left_running__taken_over_by_the_next(void **state)
{
    struct fixture *f = *state;
    struct engine_pid before, after;

    make(f, "name: fake\nhint: none\nusers: [nobody]\nprograms: {sleep: [/bin/sleep]}\n"
            "start: {program: sleep, arguments: ['1000']}\n");
    start(f);
    check_ok(engine_pid_read(f->state.text, &before));
    struct engine_template *kind = TAKE(f->kind);
    end(f, true);
    assert_int_equal(program_count(NULL, f->mount.text), 1);
    f->kind = kind;
    check_ok(engine_new(&f->conf, &f->engine));
    assert_int_equal(wait_phase(f, ENGINE_PHASE_RUNNING).restarts, 0);
    check_ok(engine_pid_read(f->state.text, &after));
    assert_int_equal(before.identity.pid, after.identity.pid);
    stop(f);
    check_rc(engine_pid_read(f->state.text, &after), NOT_FOUND);
}

static void pid__damaged_or_missing__not_found(void **state)
{
    static const char *const texts[] = {"",   "{",           "{}",
                                        "[]", "{\"pid\":1}", "{\"pid\":7,\"start_ticks\":-1}"};
    struct fixture *f = *state;
    struct engine_pid pid;

    check_rc(engine_pid_read(f->state.text, &pid), NOT_FOUND);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        file_put(tmpdir_path(&f->dir, "state/running.json").text, view_text(texts[i]));
        check_rc(engine_pid_read(f->state.text, &pid), NOT_FOUND);
    }
    check_ok(engine_pid_write(f->state.text, NULL));
    check_ok(engine_pid_write(f->state.text, NULL));
    assert_false(ks_ok(engine_pid_read("/no/such", &pid)));
    assert_false(ks_ok(engine_pid_write("/no/such", &pid)));
}

static void start__told_how_its_host_is_called__tells_clients(void **state)
{
    static const struct {
        const char *address, *client_host, *connection;
    } cases[] = {
        {"0.0.0.0", "db7.example.com", "x://db7.example.com"},
        {"0.0.0.0", "2001:db8::7", "x://[2001:db8::7]"},
        {"0.0.0.0", NULL, "x://0.0.0.0"},
        {"127.0.0.1", "db7.example.com", "x://127.0.0.1"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        f->conf.address = cases[i].address;
        f->conf.client_host = cases[i].client_host;
        make(f, HEAD SLEEP "connection: \"x://{client_host}\"\n");
        assert_string_equal(start(f).connection, cases[i].connection);
        stop(f);
        end(f, false);
    }
}

static void new__conf_that_cannot_be__usage(void **state)
{
    struct fixture *f = *state;

    check_ok(engine_template_parse("fake", view_text(HEAD SLEEP), &f->kind));
    f->conf.kind = f->kind;
    f->conf.address = "localhost";
    check_rc(engine_new(&f->conf, &f->engine), USAGE);
    f->conf.address = "127.0.0.1";
    f->conf.mountpoint = "/with \"quotes\"";
    check_rc(engine_new(&f->conf, &f->engine), USAGE);
    f->conf.mountpoint = f->mount.text;
    f->conf.port = 0;
    check_rc(engine_new(&f->conf, &f->engine), USAGE);
    assert_null(f->engine);
}

static void none__wanted__runs_without_a_process_or_place(void **state)
{
    struct fixture *f = *state;

    check_ok(engine_template_load("/no/such", "none", &f->kind));
    f->conf.kind = f->kind;
    check_ok(engine_new(&f->conf, &f->engine));
    assert_string_equal(start(f).connection, "");
    stop(f);
    assert_int_not_equal(access(in_mount(f, "engine").text, F_OK), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(start__again_and_again__is_initialised_and_prepared_once),
        T(start__initialising_fails__new_home_with_each_attempt),
        T(start__step_says_something_else__fails),
        T(start__ends_by_itself__told_with_its_log_and_tried_again),
        T(start__never_ready__fails_in_time),
        T(start__program_goes_missing__says_what_to_install),
        T(start__nothing_mounted__writes_nothing),
        T(start__mountpoint_is_gone__fails),
        T(start__damaged_notes__refused_not_done_over),
        T(stop__while_a_step_is_at_work__returns_and_nothing_is_left),
        T(stop__its_thread_hangs__says_so_and_ends_later),
        T(stop__listens_to_its_second_signal__ends_with_it),
        T(password__made_once__kept_and_covered),
        T(free__runs_and_a_child_outlives_it__both_are_ended),
        T(free__left_running__taken_over_by_the_next),
        T(pid__damaged_or_missing__not_found),
        T(start__told_how_its_host_is_called__tells_clients),
        T(new__conf_that_cannot_be__usage),
        T(none__wanted__runs_without_a_process_or_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
