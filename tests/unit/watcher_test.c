/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: who watches a volume hears at once what is so and what changes, always ends up with what is so now, holds up
 * nobody by not reading, and hears of its end; through the real control socket and its client.
 */
#include "fuse/watcher.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "check.h"
#include "fuse/control_line.h"

enum { SOON_MS = 5000, NO_NEWS_MS = 50, MANY = 20000 };

struct fixture {
    char dir[64], path[96];
    struct watcher *watcher;
    struct control_server *server;
    _Atomic int state, progress; /* progress 0: none */
    atomic_bool is_unable;
    atomic_int asked;
    char filler[8192];
};

static json_t *describe(void *arg)
{
    struct fixture *f = arg;
    int progress = f->progress;

    f->asked++;
    if (f->is_unable)
        return NULL;
    return json_pack("{s:i, s:s, s:o}", "state", f->state, "filler", f->filler, "progress",
                     progress ? json_pack("{s:i}", "bytes", progress) : json_null());
}

static ks_rc handle(void *arg, json_t *request, struct control_peer *peer, json_t **ret)
{
    struct fixture *f = arg;

    (void)ret;
    if (strcmp(json_string_value(json_object_get(request, "op")), "watch") == 0)
        return watcher_add(f->watcher, peer);
    return KS_SUCCESS;
}

static int setup(void **state)
{
    static struct fixture f;
    const struct watcher_conf conf = {describe, &f};

    memset(&f, 0, sizeof f);
    snprintf(f.dir, sizeof f.dir, "/tmp/keystead-watcher-XXXXXX");
    assert_non_null(mkdtemp(f.dir));
    snprintf(f.path, sizeof f.path, "%s/run/v.sock", f.dir);
    const struct control_server_conf server = {f.path, handle, &f};
    check_ok(watcher_start(&conf, &f.watcher));
    check_ok(control_server_start(&server, &f.server));
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char run[96];

    assert_true(control_server_stop(f->server, SOON_MS));
    watcher_free(f->watcher);
    snprintf(run, sizeof run, "%s/run", f->dir);
    rmdir(run);
    rmdir(f->dir);
    return 0;
}

struct heard {
    int sequence, state, progress;
};

static struct heard hear(struct control_watch *w)
{
    struct heard h = {0};
    json_t *line = NULL;

    check_ok(control_watch_next(w, SOON_MS, &line));
    h.sequence = (int)json_integer_value(json_object_get(line, "sequence"));
    h.state = (int)json_integer_value(json_object_get(line, "state"));
    h.progress =
        (int)json_integer_value(json_object_get(json_object_get(line, "progress"), "bytes"));
    json_decref(line);
    return h;
}

static void set(struct fixture *f, int value)
{
    f->state = value;
    watcher_note(f->watcher);
}

static void watch__begun__hears_what_is_so_and_each_change(void **state)
{
    struct fixture *f = *state;
    struct control_watch *a = NULL, *b = NULL;

    f->state = 7;
    check_ok(control_watch_open(f->path, &a));
    struct heard h = hear(a);
    assert_int_equal(h.state, 7);
    assert_int_equal(h.sequence, 1);
    check_ok(control_watch_open(f->path, &b));
    assert_int_equal(hear(b).sequence, 1); /* the same state, the same number */
    for (int i = 8; i < 20; i++) {
        set(f, i);
        assert_int_equal(hear(a).state, i);
        h = hear(b);
        assert_int_equal(h.state, i);
        assert_int_equal(h.sequence, i - 6);
    }
    control_watch_free(a);
    control_watch_free(b);
}

static void note__nothing_changed__nothing_is_said(void **state)
{
    struct fixture *f = *state;
    struct control_watch *w = NULL;
    json_t *line = NULL;

    check_ok(control_watch_open(f->path, &w));
    hear(w);
    for (int i = 0; i < 100; i++)
        watcher_note(f->watcher);
    check_rc(control_watch_next(w, NO_NEWS_MS, &line), TIMEOUT);
    set(f, 1);
    assert_int_equal(hear(w).sequence, 2);
    control_watch_free(w);
}

static void note__nobody_watches__nobody_is_asked(void **state)
{
    struct fixture *f = *state;
    struct control_watch *w = NULL;

    for (int i = 0; i < 100; i++)
        set(f, i);
    assert_int_equal(f->asked, 0);
    check_ok(control_watch_open(f->path, &w));
    assert_int_equal(hear(w).state, 99);
    control_watch_free(w);
}

static void progress__fast__is_told_now_and_then_and_its_end_at_once(void **state)
{
    struct fixture *f = *state;
    struct control_watch *w = NULL;
    int lines = 0;
    struct heard h;

    check_ok(control_watch_open(f->path, &w));
    hear(w);
    uint64_t began_ms = clock_boot_ms(clock_system());
    for (int i = 1; i <= MANY; i++) {
        f->progress = i;
        watcher_note(f->watcher);
    }
    f->progress = 0;
    watcher_note(f->watcher);
    do {
        h = hear(w);
        lines++;
    } while (h.progress != 0);
    uint64_t took_ms = clock_boot_ms(clock_system()) - began_ms;
    assert_true((uint64_t)lines <= 3 + took_ms / WATCHER_PROGRESS_MS);
    control_watch_free(w);
}

static void progress__the_last_of_it__is_told_without_another_note(void **state)
{
    struct fixture *f = *state;
    struct control_watch *w = NULL;
    struct heard h;

    f->progress = 1;
    check_ok(control_watch_open(f->path, &w));
    hear(w);
    f->progress = 2;
    watcher_note(f->watcher);
    f->progress = 3;
    watcher_note(f->watcher);
    do
        h = hear(w);
    while (h.progress != 3);
    control_watch_free(w);
}

static void change__during_progress__is_told_at_once(void **state)
{
    struct fixture *f = *state;
    struct control_watch *w = NULL;

    f->progress = 1;
    check_ok(control_watch_open(f->path, &w));
    hear(w);
    f->progress = 2;
    set(f, 5);
    struct heard h = hear(w);
    assert_int_equal(h.state, 5);
    assert_int_equal(h.progress, 2);
    control_watch_free(w);
}

/* The socket's buffers hold some of these lines of 8 KiB, not all. */
static void watch__not_reading__holds_up_nobody_and_catches_up(void **state)
{
    struct fixture *f = *state;
    struct control_watch *slow = NULL, *quick = NULL;
    struct heard h = {0};
    int lines = 0;

    memset(f->filler, 'x', sizeof f->filler - 1);
    check_ok(control_watch_open(f->path, &slow));
    check_ok(control_watch_open(f->path, &quick));
    hear(quick);
    for (int i = 1; i <= 300; i++) {
        set(f, i);
        assert_int_equal(hear(quick).state, i);
    }
    while (h.state != 300) {
        h = hear(slow);
        lines++;
    }
    assert_true(lines < 300);
    control_watch_free(slow);
    control_watch_free(quick);
}

static void watch__more_than_may__busy_and_conversations_go_on(void **state)
{
    struct fixture *f = *state;
    struct control_watch *w[WATCHERS_MAX + 1] = {NULL};
    json_t *request = json_pack("{s:s}", "op", "status"), *line = NULL;

    for (int i = 0; i < WATCHERS_MAX; i++) {
        check_ok(control_watch_open(f->path, &w[i]));
        hear(w[i]);
    }
    check_ok(control_watch_open(f->path, &w[WATCHERS_MAX]));
    check_rc(control_watch_next(w[WATCHERS_MAX], SOON_MS, &line), BUSY);
    check_ok(control_call(f->path, request, SOON_MS, &line));
    json_decref(line);
    json_decref(request);
    for (int i = 0; i <= WATCHERS_MAX; i++)
        control_watch_free(w[i]);
}

static void watch__others_went_away__their_places_are_free(void **state)
{
    struct fixture *f = *state;
    struct control_watch *w = NULL;

    for (int i = 0; i < 3 * WATCHERS_MAX; i++) {
        check_ok(control_watch_open(f->path, &w));
        hear(w);
        control_watch_free(w);
        watcher_note(f->watcher);
    }
}

static void watch__says_something_more__is_ended(void **state)
{
    struct fixture *f = *state;
    json_t *request = json_pack("{s:s}", "op", "watch"), *line = NULL;
    struct control_line room;
    int fd = -1;

    check_ok(control_converse(f->path, request, &fd));
    check_ok(control_line_init(&room, fd));
    check_ok(control_line_read(&room, SOON_MS, &line));
    json_decref(line);
    check_ok(control_line_write(fd, request));
    ks_rc rc = control_line_read(&room, SOON_MS, &line);
    assert_true((ks_ok(rc) && !line) || ks_is_os(rc, ECONNRESET));
    control_line_done(&room);
    close(fd);
    json_decref(request);
}

static void describe__cannot_now__is_asked_again(void **state)
{
    struct fixture *f = *state;
    struct control_watch *w = NULL;

    f->is_unable = true;
    check_ok(control_watch_open(f->path, &w));
    while (f->asked == 0)
        clock_sleep_ms(clock_system(), 1);
    f->is_unable = false;
    hear(w);
    control_watch_free(w);
}

static void stop__watched__ends_as_the_process_does(void **state)
{
    struct fixture *f = *state;
    struct control_watch *w = NULL;
    json_t *line = NULL;

    check_ok(control_watch_open(f->path, &w));
    hear(w);
    assert_true(control_server_stop(TAKE(f->server), SOON_MS));
    watcher_stop(f->watcher);
    watcher_note(f->watcher);
    check_rc(control_watch_next(w, SOON_MS, &line), NOT_FOUND);
    control_watch_free(w);
}

static void *cancel_run(void *arg)
{
    control_watch_cancel(arg);
    return NULL;
}

static void cancel__while_waiting__returns_at_once(void **state)
{
    struct fixture *f = *state;
    struct control_watch *w = NULL;
    json_t *line = NULL;
    pthread_t thread;

    check_ok(control_watch_open(f->path, &w));
    hear(w);
    assert_int_equal(pthread_create(&thread, NULL, cancel_run, w), 0);
    check_rc(control_watch_next(w, 60 * 1000, &line), STATE);
    pthread_join(thread, NULL);
    set(f, 1);
    check_rc(control_watch_next(w, 60 * 1000, &line), STATE);
    control_watch_free(w);
}

static void open__nobody_listens__not_found(void **state)
{
    struct control_watch *w = NULL;

    (void)state;
    check_rc(control_watch_open("/tmp/keystead-no-such.sock", &w), NOT_FOUND);
    assert_null(w);
    control_watch_free(w);
    watcher_note(NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(watch__begun__hears_what_is_so_and_each_change),
        T(note__nothing_changed__nothing_is_said),
        T(note__nobody_watches__nobody_is_asked),
        T(progress__fast__is_told_now_and_then_and_its_end_at_once),
        T(progress__the_last_of_it__is_told_without_another_note),
        T(change__during_progress__is_told_at_once),
        T(watch__not_reading__holds_up_nobody_and_catches_up),
        T(watch__more_than_may__busy_and_conversations_go_on),
        T(watch__others_went_away__their_places_are_free),
        T(watch__says_something_more__is_ended),
        T(describe__cannot_now__is_asked_again),
        T(stop__watched__ends_as_the_process_does),
        T(cancel__while_waiting__returns_at_once),
        cmocka_unit_test(open__nobody_listens__not_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
