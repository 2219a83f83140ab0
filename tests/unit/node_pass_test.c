/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what comes in while a pass is under way does not make it turn off what is right: a volume whose keyring was rotated just now keeps
 * its engine; a keyring that was put back is told by what was known when it was seen, and once only: also while a newer wish has it tried again.
 * And it turns off what is not: the engine of a volume whose directory is gone.
 */
#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "fuse/control_server.h"

#include "agent_fixture.h"

#define OURS "00112233445566778899aabbccddeeff"

enum { LOOKS_MAX = 8 };

/* The volume's process, and what it finds of its engine each time it is looked at. */
struct process {
    struct agent_fixture *f;
    int looks;
    int64_t sequences[LOOKS_MAX]; /* that it tells of; 0: the agent ends */
    bool is_wish_to_come;         /* while it is looked at first */
    bool is_engine_on[LOOKS_MAX];
    struct control_server *server;
};

static json_t *status_of(struct process *p, int64_t sequence)
{
    CLEANUP(mem_freep) char *backing = NULL, *mount = NULL;

    check_ok(node_dir_volume_path(p->f->a.dir, p->f->h->id, "backing", &backing));
    check_ok(node_dir_mount_path(p->f->a.dir, p->f->h->id, &mount));
    return json_pack(
        "{s:b, s:s, s:b, s:s, s:{s:I}, s:{s:s, s:s, s:s, s:i}, s:{s:i, s:i, s:i}, s:[]}", "ok", 1,
        "state", "OPEN", "revoked", 0, "cause", "NONE", "keyring", "sequence", (json_int_t)sequence,
        "volume", "id", OURS, "backing", backing, "mountpoint", mount, "pid", 17, "lease", "max_ms",
        60000, "probe_ms", 15000, "grace_ms", 3600000, "wraps");
}

static void end_agent(struct agent *a)
{
    pthread_mutex_lock(&a->mutex);
    a->is_ending = true;
    pthread_cond_broadcast(&a->work);
    pthread_mutex_unlock(&a->mutex);
}

/* Nobody has stopped it, or is about to. */
static bool is_engine_on(struct process *p)
{
    const struct holding *h = p->f->h;

    pthread_mutex_lock(&p->f->a.mutex);
    bool is_on = power_is_on(h->power) && !h->is_urgent && !h->is_locking;
    pthread_mutex_unlock(&p->f->a.mutex);
    return is_on;
}

static ks_rc serve(void *arg, json_t *request, struct control_peer *peer, json_t **ret)
{
    struct process *p = arg;
    int at = p->looks++;

    (void)request, (void)peer;
    ENSURE(at < LOOKS_MAX, KS_E_STATE, "it is looked at too often");
    p->is_engine_on[at] = is_engine_on(p);
    if (at == 0 && p->is_wish_to_come) {
        struct wish w = p->f->h->wish;
        w.goal++;
        agent_wish(&p->f->a, &w);
    }
    if (!p->sequences[at + 1])
        end_agent(&p->f->a);
    *ret = status_of(p, p->sequences[at]);
    return KS_SUCCESS;
}

/* It is open with its engine on, as after many passes; its keyring is noted. */
static void open_volume(struct agent_fixture *f, int64_t noted)
{
    const struct power_conf conf = {.engines_dir = "/",
                                    .engine = "none",
                                    .mountpoint = "/",
                                    .state_dir = "/",
                                    .address = "",
                                    .client_host = "",
                                    .cluster_name = "",
                                    .organisation = ""};
    CLEANUP(mem_freep) char *backing = NULL;
    struct holding *h = f->h;

    h->wish.is_revoked = false;
    h->wish.lease = (struct lease_terms){60000, 15000, 3600000};
    h->deed = (struct deed){.is_made = true, .anchor = {OURS, noted, 0}};
    h->seen = (struct seen){.is_made = true,
                            .is_running = true,
                            .keyring = OURS,
                            .sequence = noted,
                            .state = LEASE_OPEN};
    h->is_seen = h->is_wish_saved = h->is_deed_saved = h->is_watched = true;
    check_ok(node_dir_prepare(f->a.dir, h->id));
    check_ok(node_dir_volume_path(f->a.dir, h->id, "backing", &backing));
    if (mkdir(backing, 0700) != 0)
        assert_int_equal(errno, EEXIST);
    check_ok(power_new(&conf, &h->power));
    power_on(h->power);
}

/* The passes that p takes, one after another. */
static void run(struct agent_fixture *f, struct process *p)
{
    const struct control_server_conf conf = {.path = f->h->socket, .handle = serve, .arg = p};

    p->f = f;
    check_ok(control_server_start(&conf, &p->server));
    agent_worker(&f->a);
    assert_true(control_server_stop(p->server, CONTROL_IDLE_MS_MAX));
}

/* Until nobody has anything urgent to do, and its thread is over. */
static void wait_urgent(struct agent_fixture *f)
{
    unsigned threads = 1;

    while (threads > 0) {
        poll(NULL, 0, 1);
        pthread_mutex_lock(&f->a.mutex);
        threads = f->a.urgent_threads;
        pthread_mutex_unlock(&f->a.mutex);
    }
}

static void pass__rotated_while_a_wish_comes__keeps_the_engine_on(void **state)
{
    struct agent_fixture *f = *state;
    struct process p = {.sequences = {8, 8}, .is_wish_to_come = true};

    open_volume(f, 7);
    listen_at(f);
    run(f, &p);
    assert_int_equal(p.looks, 2);
    assert_true(p.is_engine_on[0]);
    assert_true(p.is_engine_on[1]);
    assert_true(is_engine_on(&p));
    assert_int_equal(f->h->deed.anchor.sequence, 8);
    assert_false(f->h->is_rolled_back);
}

/* Its process goes on with the files that it has open, but nothing that is written there can be found again. */
static void pass__directory_is_gone__ends_the_engine(void **state)
{
    struct agent_fixture *f = *state;
    struct process p = {.sequences = {8, 8}}; /* it is looked at again to note the 8 */
    CLEANUP(mem_freep) char *backing = NULL;

    open_volume(f, 7);
    check_ok(node_dir_volume_path(f->a.dir, f->h->id, "backing", &backing));
    assert_int_equal(rmdir(backing), 0);
    listen_at(f);
    run(f, &p);
    assert_int_equal(p.looks, 2);
    assert_true(p.is_engine_on[0]);
    assert_false(p.is_engine_on[1]);
    assert_true(f->h->seen.is_lost);
    wait_urgent(f);
    assert_false(power_is_on(f->h->power));
}

/* By the notes of then: what is noted later says nothing about it. */
static void shown__as_it_was_seen__is_judged_by_what_was_known_then(void **state)
{
    struct agent_fixture *f = *state;
    const struct seen seen = {
        .is_made = true, .is_running = true, .keyring = OURS, .sequence = 8, .state = LEASE_OPEN};

    for (int64_t noted = 7; noted <= 9; noted++) {
        struct job j = job_of(f);
        j.seen = seen;
        j.deed.anchor = (struct anchor){OURS, noted, 0};
        f->h->deed.anchor = (struct anchor){OURS, 9, 0};
        pass_show(&j);
        assert_true(f->h->is_seen);
        assert_int_equal(f->h->seen.sequence, 8);
        assert_int_equal(f->h->is_rolled_back, noted == 9);
    }
}

/* Its keyring was put back, and a mount was refused just now. */
static void refuse_mount(struct agent_fixture *f, enum step step)
{
    struct holding *h = f->h;

    h->wish.is_revoked = false;
    h->deed = (struct deed){.is_made = true, .anchor = {OURS, 9, 0}};
    h->seen = (struct seen){.is_made = true, .keyring = OURS, .found = 4, .state = LEASE_LOCKED};
    h->is_seen = true;
    h->failed_step = step;
    failure_note(&h->failure, ks_fail(KS_E_ROLLED_BACK, "older"), 1000, f->a.conf.random);
}

static void check_told(struct agent_fixture *f, enum access access, enum cause cause)
{
    char message[MESSAGE_BYTES];
    enum access told;
    enum cause why;

    report_access(&f->a, f->h, &told, &why, message);
    assert_int_equal(told, access);
    assert_int_equal(why, cause);
    assert_int_equal(message[0] != 0, access == ACCESS_FAILED);
}

/* A report between the wish and what comes of it would say that nothing is wrong, and the next one tell the same once more. */
static void refused__newer_wish__is_tried_at_once_and_told_as_it_was_until_then(void **state)
{
    struct agent_fixture *f = *state;
    const struct failure *failure = &f->h->failure;

    for (int i = 0; i < 2; i++) {
        refuse_mount(f, i ? STEP_COUNT : STEP_MOUNT);
        struct wish w = f->h->wish;
        w.goal++;
        w.anchor = (struct anchor){OURS, 9 + i, 0}; /* what is known of it rises */
        assert_true(failure->until_ms > 0);
        agent_wish(&f->a, &w);
        assert_int_equal(f->h->wish.goal, w.goal);
        assert_int_equal(failure->until_ms, 0);
        assert_int_equal(failure->tries, 0);
        check_told(f, ACCESS_FAILED, CAUSE_ROLLED_BACK);
        assert_true(f->h->is_stirred);
    }
}

/* What the wish is about is as if it had never failed. */
static void refused__wish_that_accepts_or_wants_something_else__is_forgotten(void **state)
{
    struct agent_fixture *f = *state;
    const struct {
        bool is_absent;
        int64_t accepted;
        enum step step;
    } rows[] = {{false, 1, STEP_MOUNT}, {true, 0, STEP_MOUNT}, {false, 0, STEP_SET}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        refuse_mount(f, rows[i].step);
        struct wish w = f->h->wish;
        w.goal++;
        w.is_present = !rows[i].is_absent;
        w.anchor = (struct anchor){OURS, 4, rows[i].accepted};
        agent_wish(&f->a, &w);
        assert_true(ks_ok(f->h->failure.rc));
        check_told(f, ACCESS_NONE, CAUSE_NONE);
        f->h->wish.is_present = true;
    }
}

/* It would be opened under who locks it for a revoke that a restore has ended, be locked by that one, and stay so. */
static void mount__while_it_is_being_locked__waits_and_is_no_failure(void **state)
{
    struct agent_fixture *f = *state;
    struct holding *h = f->h;

    f->a.conf.program = "/bin/false";
    f->a.conf.run_dir = f->tmp.path;
    h->wish.is_revoked = false;
    for (int i = 0; i < 3; i++) {
        struct job j = job_of(f);
        h->is_locking = i == 0;
        h->is_urgent = i == 1;
        ks_rc rc = step_take(&j, STEP_MOUNT);
        assert_int_equal(j.is_held_back, i < 2);
        assert_false(j.is_more_due);
        if (i < 2)
            check_ok(rc);
        else
            check_text(rc, "the command ended with 1"); /* it was tried */
    }
}

/* Opened by a mount that the revoke found under way: who locks it is about to, and without the restore it would stay locked. */
static void restored__while_it_is_being_locked__is_still_due(void **state)
{
    struct agent_fixture *f = *state;
    struct holding *h = f->h;

    h->wish.is_revoked = false;
    h->wish.serials.restore = 2;
    for (int i = 0; i < 3; i++) {
        struct job j = job_of(f);
        h->is_locking = i == 0;
        h->is_urgent = i == 1;
        check_ok(step_take(&j, STEP_RESTORED));
        assert_int_equal(j.is_held_back, i < 2);
        assert_int_equal(j.is_deed_changed, i == 2);
        assert_int_equal(j.deed.done.restore, i < 2 ? 0 : 2);
    }
}

/* Of one that is gone for good something is noted; no count can say any more that it holds for that one only. */
static void made_anew__more_often_than_can_be_counted__is_refused(void **state)
{
    struct job j = job_of(*state);

    j.deed.anchor = (struct anchor){OURS, 9, ANCHOR_ACCEPTED_MAX};
    ks_rc rc = step_take(&j, STEP_CREATE);
    check_rc(rc, LIMIT);
    check_text(rc, "more often than can be counted");
    assert_false(j.is_deed_changed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pass__rotated_while_a_wish_comes__keeps_the_engine_on,
                                        agent_setup, agent_teardown),
        cmocka_unit_test_setup_teardown(pass__directory_is_gone__ends_the_engine, agent_setup,
                                        agent_teardown),
        cmocka_unit_test_setup_teardown(shown__as_it_was_seen__is_judged_by_what_was_known_then,
                                        agent_setup, agent_teardown),
        cmocka_unit_test_setup_teardown(
            refused__newer_wish__is_tried_at_once_and_told_as_it_was_until_then, agent_setup,
            agent_teardown),
        cmocka_unit_test_setup_teardown(
            refused__wish_that_accepts_or_wants_something_else__is_forgotten, agent_setup,
            agent_teardown),
        cmocka_unit_test_setup_teardown(mount__while_it_is_being_locked__waits_and_is_no_failure,
                                        agent_setup, agent_teardown),
        cmocka_unit_test_setup_teardown(restored__while_it_is_being_locked__is_still_due,
                                        agent_setup, agent_teardown),
        cmocka_unit_test_setup_teardown(made_anew__more_often_than_can_be_counted__is_refused,
                                        agent_setup, agent_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
