/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a volume process that does not lock is killed, that one and no other: neither one that ended before, nor whoever has its
 * number now. And a volume that is to be taken away is locked like any other when it is revoked, and else waits for who uses it.
 */
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "fuse/control_server.h"

#include "agent_fixture.h"

/* Whatever it is asked for fails, as with a disk that does. */
static ks_rc refuse(void *arg, json_t *request, struct control_peer *peer, json_t **ret)
{
    (void)arg, (void)request, (void)peer, (void)ret;
    return ks_fail(KS_E_IO, "the disk is gone");
}

/* In the child: tells that it is there, and is until it is killed. */
static void serve(const char *socket, int ready)
{
    const struct control_server_conf conf = {.path = socket, .handle = refuse};
    struct control_server *s;

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* it must not outlive a test that fails */
    if (socket && !ks_ok(control_server_start(&conf, &s)))
        _exit(1);
    if (write(ready, "", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

/* A process that listens there; socket NULL: that does not. */
static pid_t start(const char *socket)
{
    int ready[2];
    char byte;

    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ready[0]);
        serve(socket, ready[1]);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void reap(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static bool is_alive(pid_t pid)
{
    return waitpid(pid, NULL, WNOHANG) == 0;
}

static void end(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    reap(pid);
}

/* The process that was watched last has ended. */
static void watch_dead(struct agent_fixture *f, bool is_reaped)
{
    pid_t pid = start(NULL);

    f->h->process_fd = pidfd_open(pid, 0);
    assert_true(f->h->process_fd >= 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    if (is_reaped)
        reap(pid);
    else
        assert_int_equal(waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
}

static void check_kills_who_listens(struct agent_fixture *f, bool is_reaped)
{
    listen_at(f);
    watch_dead(f, is_reaped);
    pid_t listening = start(f->h->socket);
    struct job j = job_of(f);

    check_ok(urgent_insist(&j, ks_fail(KS_E_TIMEOUT, "it says nothing")));
    reap(listening);
}

static void revoke__the_watched_process_has_ended__kills_who_listens_now(void **state)
{
    check_kills_who_listens(*state, true);
}

static void revoke__the_watched_process_was_not_waited_for__kills_who_listens_now(void **state)
{
    check_kills_who_listens(*state, false);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

/* One that was started beside it is not what hangs. */
static void revoke__the_watched_process_is_there__kills_that_one(void **state)
{
    struct agent_fixture *f = *state;

    listen_at(f);
    pid_t watched = start(NULL), listening = start(f->h->socket);
    f->h->process_fd = pidfd_open(watched, 0);
    struct job j = job_of(f);

    check_ok(urgent_insist(&j, ks_fail(KS_E_TIMEOUT, "it says nothing")));
    reap(watched);
    assert_true(is_alive(listening));
    end(listening);
}

static void revoke__nobody_is_there_any_more__nobody_is_killed(void **state)
{
    struct agent_fixture *f = *state;
    pid_t other = start(NULL);

    listen_at(f);
    watch_dead(f, true);
    struct job j = job_of(f);
    assert_int_equal(urgent_process_of(&j), -1);
    assert_true(is_alive(other));
    end(other);
}

/* Until nobody has anything urgent to do any more, or a lock has failed once. */
static void wait_urgent(struct agent_fixture *f, bool is_failure_enough)
{
    for (bool is_over = false; !is_over; poll(NULL, 0, 1)) {
        pthread_mutex_lock(&f->a.mutex);
        is_over = f->a.urgent_threads == 0 || (is_failure_enough && f->h->is_lock_failing);
        pthread_mutex_unlock(&f->a.mutex);
    }
}

/* The revoke was not heard, or only together with this. */
static void deleted__and_revoked__is_locked_with_a_receipt(void **state)
{
    struct agent_fixture *f = *state;
    struct wish w = f->h->wish;

    f->h->wish.is_revoked = w.is_revoked = w.is_present = false;
    w.goal++;
    agent_wish(&f->a, &w);
    wait_urgent(f, false);
    assert_null(f->a.receipts); /* only deleted */
    w.is_revoked = true;
    w.goal++;
    agent_wish(&f->a, &w);
    wait_urgent(f, false);
    assert_non_null(f->a.receipts);
    assert_null(f->a.receipts->next);
}

static void deleted__while_its_lock_fails__is_tried_until_it_is_locked(void **state)
{
    struct agent_fixture *f = *state;

    listen_at(f);
    pid_t listening = start(f->h->socket); /* it refuses */
    f->h->wish.is_present = false;
    pthread_mutex_lock(&f->a.mutex);
    f->h->is_urgent = true;
    urgent_wake(&f->a);
    pthread_mutex_unlock(&f->a.mutex);
    wait_urgent(f, true);
    pthread_mutex_lock(&f->a.mutex);
    bool is_failing = f->h->is_lock_failing;
    pthread_mutex_unlock(&f->a.mutex);
    end(listening);
    wait_urgent(f, false);
    assert_true(is_failing);
    assert_non_null(f->a.receipts);
}

static ks_rc busy(void *arg, json_t *request, struct control_peer *peer, json_t **ret)
{
    (void)arg, (void)request, (void)peer, (void)ret;
    return ks_fail(KS_E_BUSY, "somebody has a file open");
}

static void deleted__somebody_has_a_file_open__is_ended_only_when_revoked(void **state)
{
    struct agent_fixture *f = *state;
    struct control_server_conf conf = {.path = f->h->socket, .handle = busy};
    struct control_server *server;
    int status;

    listen_at(f);
    check_ok(control_server_start(&conf, &server));
    pid_t watched = start(NULL);
    f->h->process_fd = pidfd_open(watched, 0);
    f->h->wish.is_present = f->h->wish.is_revoked = false;
    struct job gentle = job_of(f);
    check_rc(step_take(&gentle, STEP_UNMOUNT), BUSY);
    assert_true(is_alive(watched));
    f->h->wish.is_revoked = true;
    struct job j = job_of(f);
    ks_rc rc = step_take(&j, STEP_UNMOUNT);
    assert_true(control_server_stop(server, CONTROL_IDLE_MS_MAX));
    check_ok(rc);
    assert_int_equal(waitpid(watched, &status, 0), watched);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

#define T(name) cmocka_unit_test_setup_teardown(name, agent_setup, agent_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(revoke__the_watched_process_has_ended__kills_who_listens_now),
        T(revoke__the_watched_process_was_not_waited_for__kills_who_listens_now),
        T(revoke__the_watched_process_is_there__kills_that_one),
        T(revoke__nobody_is_there_any_more__nobody_is_killed),
        T(deleted__and_revoked__is_locked_with_a_receipt),
        T(deleted__while_its_lock_fails__is_tried_until_it_is_locked),
        T(deleted__somebody_has_a_file_open__is_ended_only_when_revoked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
