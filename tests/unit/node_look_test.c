/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the process of a volume is found by what the node has noted, whatever lies on its disk by now, and no other process is taken for it.
 * What the node notes of a volume that it makes is on the disk before the volume is.
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "fuse/control_server.h"
#include "volume/backing.h"

#include "agent_fixture.h"

#define OURS "00112233445566778899aabbccddeeff"

enum { PID = 17, PROGRAM_BYTES = 128 };

/* A process, and what it says that it serves. */
struct process {
    char socket[SOCKET_BYTES], id[ANCHOR_VOLUME_BYTES];
    const char *backing, *mount;
    unsigned locks;
    bool is_mute; /* answers, and says nothing of itself */
    struct control_server *server;
};

static ks_rc serve(void *arg, json_t *request, struct control_peer *peer, json_t **ret)
{
    struct process *p = arg;

    (void)peer;
    p->locks += strcmp(json_string_value(json_object_get(request, "op")), "status") != 0;
    if (p->is_mute) {
        *ret = json_pack("{s:b}", "ok", 1);
        return KS_SUCCESS;
    }
    *ret = json_pack(
        "{s:b, s:s, s:b, s:s, s:{s:I}, s:{s:s, s:s, s:s, s:i}, s:{s:i, s:i, s:i}, s:[]}", "ok", 1,
        "state", "OPEN", "revoked", 0, "cause", "NONE", "keyring", "sequence", (json_int_t)3,
        "volume", "id", p->id, "backing", p->backing, "mountpoint", p->mount, "pid", PID, "lease",
        "max_ms", 60000, "probe_ms", 15000, "grace_ms", 3600000, "wraps");
    return KS_SUCCESS;
}

/* A volume that is to be looked at, and a process that serves its place as soon as it is started. */
struct scene {
    struct agent_fixture *f;
    char *backing, *mount;
    struct process p;
    char foreign[ANCHOR_VOLUME_BYTES]; /* the id of another volume, once it was made */
};

static int setup(void **state)
{
    static struct scene s;

    agent_setup(state);
    s = (struct scene){.f = *state};
    s.f->a.conf.run_dir = s.f->tmp.path;
    check_ok(node_dir_prepare(s.f->a.dir, s.f->h->id));
    check_ok(node_dir_volume_path(s.f->a.dir, s.f->h->id, "backing", &s.backing));
    check_ok(node_dir_mount_path(s.f->a.dir, s.f->h->id, &s.mount));
    s.p = (struct process){.backing = s.backing, .mount = s.mount};
    *state = &s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    void *f = s->f;

    assert_true(control_server_stop(s->p.server, CONTROL_IDLE_MS_MAX));
    mem_free(s->backing);
    mem_free(s->mount);
    return agent_teardown(&f);
}

static void start(struct scene *s, const char *id)
{
    struct process *p = &s->p;

    snprintf(p->id, sizeof p->id, "%s", id);
    snprintf(p->socket, sizeof p->socket, "%s/%s.sock", s->f->tmp.path, p->id);
    const struct control_server_conf conf = {.path = p->socket, .handle = serve, .arg = p};
    check_ok(control_server_start(&conf, &p->server));
}

/* A volume there, and its id. */
static void make_volume(struct agent_fixture *f, const char *path, char id[ANCHOR_VOLUME_BYTES])
{
    const struct key_spec spec = {"NULL_KMS", "k", ""};
    const struct backing_conf conf = {.io = f->a.io,
                                      .clock = f->a.clock,
                                      .random = f->a.conf.random,
                                      .path = path,
                                      .is_development = true};
    const struct backing_create make = {.label = "v",
                                        .block_payload = 3584,
                                        .settings = {60000, 15000, 3600000, 0},
                                        .specs = &spec,
                                        .spec_count = 1};
    CLEANUP(backing_closep) struct backing *b = NULL;
    CLEANUP(keyring_freep) struct keyring *k = NULL;

    check_ok(backing_create(&conf, &make));
    check_ok(backing_open(&conf, false, &b));
    check_ok(backing_keyring(b, &k));
    seen_keyring_id(k, id);
}

static void note(struct agent_fixture *f, const char *id)
{
    f->h->deed = (struct deed){.is_made = true, .anchor = {.sequence = 3}};
    snprintf(f->h->deed.anchor.volume, sizeof f->h->deed.anchor.volume, "%s", id);
}

static void damage(const char *backing, const char *name)
{
    CLEANUP(mem_freep) char *path = NULL;

    check_ok(mem_format(&path, "%s/%s", backing, name));
    assert_int_equal(truncate(path, 5), 0);
}

/* The process of the volume that is noted. */
static void start_ours(struct scene *s)
{
    start(s, OURS);
    note(s->f, OURS);
}

/* Another volume lies there, and the process says that it serves that one. */
static void start_foreign(struct scene *s)
{
    make_volume(s->f, s->backing, s->foreign);
    start(s, s->foreign);
}

/* Foreign, damaged, not there: each has it found, twice: also without the socket of before. */
static void process__noted__is_found_whatever_lies_there(void **state)
{
    struct scene *s = *state;
    struct agent_fixture *f = s->f;

    start_ours(s);
    for (int i = 0; i < 3; i++) {
        struct job j = job_of(f);
        if (i == 1)
            make_volume(f, s->backing, s->foreign);
        if (i == 2) {
            damage(s->backing, "keyring.0");
            damage(s->backing, "keyring.1");
        }
        check_ok(look_volume(&j)); /* it is to be locked */
        assert_true(j.is_seen && j.seen.is_running);
        assert_int_equal(j.seen.pid, PID);
        assert_int_equal(j.seen.is_lost, i == 0);
        assert_string_equal(j.socket, s->p.socket);
        assert_string_equal(f->h->socket, s->p.socket);
        f->h->socket[0] = 0;
        seen_done(&j.seen);
    }
}

static void process__over_a_directory_that_is_gone__is_told_while_it_is_wanted(void **state)
{
    struct scene *s = *state;
    struct agent_fixture *f = s->f;
    enum access access;
    enum cause cause;
    char message[MESSAGE_BYTES];

    start_ours(s);
    f->h->wish.is_revoked = false;
    struct job j = job_of(f);
    ks_rc rc = look_volume(&j);
    check_rc(rc, STATE);
    check_text(rc, "backing directory is gone");
    assert_true(j.is_seen && j.seen.is_running && j.seen.is_lost);
    failure_note(&f->h->failure, rc, 0, f->a.conf.random);
    pass_show(&j);
    report_access(&f->a, f->h, &access, &cause, message);
    assert_int_equal(access, ACCESS_FAILED);
    assert_non_null(strstr(message, "backing directory is gone"));
}

/* The keyring that lies there is another volume's, whose process serves another place: it is not asked to lock. */
static void process__of_the_volume_whose_keyring_lies_there__is_not_taken(void **state)
{
    struct scene *s = *state;
    struct agent_fixture *f = s->f;

    s->p.backing = "/elsewhere";
    s->p.mount = "/there";
    start_foreign(s);
    note(f, OURS);
    struct job j = job_of(f);
    check_ok(look_volume(&j));
    assert_true(j.is_seen && !j.seen.is_running);
    assert_string_equal(j.seen.keyring, s->foreign);
    assert_string_equal(j.socket, "");
    seen_done(&j.seen);
}

/* By hand: it serves this place, with a keyring that is not the volume's. A revoke is for it too. */
static void process__that_serves_this_place_with_another_keyring__is_found(void **state)
{
    struct scene *s = *state;
    struct agent_fixture *f = s->f;

    start_foreign(s);
    note(f, OURS);
    struct job j = job_of(f);
    check_ok(look_volume(&j));
    assert_true(j.seen.is_running);
    assert_true(seen_is_rolled_back(&j.seen, &j.deed));
    assert_string_equal(j.deed.anchor.volume, OURS);
    assert_string_equal(j.socket, s->p.socket);
    seen_done(&j.seen);
}

/* What was found there before, or is noted: one that serves another directory, or the same one at another place, gets no lock. */
static void process__of_another_place__is_not_taken(void **state)
{
    struct scene *s = *state;
    struct agent_fixture *f = s->f;
    const struct {
        const char *backing, *mount, *told;
    } rows[] = {{"/copy", s->mount, "serves another copy of this volume: /copy"},
                {s->backing, "/there", "it is mounted at /there by process 17"}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s->p = (struct process){.backing = rows[i].backing, .mount = rows[i].mount};
        start_ours(s);
        memcpy(f->h->socket, s->p.socket, sizeof s->p.socket);
        struct job j = job_of(f);
        ks_rc rc = look_now(&j);
        check_rc(rc, STATE);
        check_text(rc, rows[i].told);
        assert_string_equal(j.socket, "");
        assert_string_equal(f->h->socket, "");
        assert_int_equal(s->p.locks, 0);
        seen_done(&j.seen);
        assert_true(control_server_stop(TAKE(s->p.server), CONTROL_IDLE_MS_MAX));
    }
}

static void copy_file(const char *from, const char *to, const char *name)
{
    CLEANUP(mem_freep) char *from_path = NULL, *to_path = NULL;
    char bytes[65536];

    check_ok(mem_format(&from_path, "%s/%s", from, name));
    check_ok(mem_format(&to_path, "%s/%s", to, name));
    FILE *in = fopen(from_path, "re"), *out = fopen(to_path, "we");
    assert_true(in && out);
    size_t len = fread(bytes, 1, sizeof bytes, in);
    assert_true(len > 0 && len < sizeof bytes);
    assert_int_equal(fwrite(bytes, 1, len, out), len);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

/* Beside a foreign one its own is looked at, and the other one is named; of two foreign ones the newest is. */
static void keyring__of_another_volume_in_one_place__its_own_is_looked_at(void **state)
{
    struct scene *s = *state;
    struct agent_fixture *f = s->f;
    CLEANUP(mem_freep) char *elsewhere = NULL;
    static const char *const names[] = {"keyring.0", "keyring.1"};
    char own[ANCHOR_VOLUME_BYTES];

    check_ok(node_dir_file(f->a.dir, "elsewhere", &elsewhere));
    make_volume(f, elsewhere, s->foreign);
    make_volume(f, s->backing, own);
    note(f, own);
    for (int i = 0; i < 2; i++) {
        copy_file(elsewhere, s->backing, names[i]);
        struct job j = job_of(f);
        check_ok(look_volume(&j));
        assert_string_equal(j.seen.keyring, i ? s->foreign : own);
        assert_string_equal(j.seen.found_name, i ? names[0] : names[1]);
        if (i)
            assert_null(j.seen.foreign_name); /* no copy is its own: that one is refused as such */
        else
            assert_string_equal(j.seen.foreign_name, names[0]);
        seen_done(&j.seen);
    }
}

/* It hangs, say. By the id that is noted it is the volume's process, and to be ended. */
static void process__noted_and_mute__is_taken(void **state)
{
    struct scene *s = *state;
    struct agent_fixture *f = s->f;

    s->p.is_mute = true;
    start_ours(s);
    struct job j = job_of(f);
    check_rc(look_volume(&j), BAD_REPLY);
    assert_false(j.is_seen);
    assert_string_equal(j.socket, s->p.socket);
    assert_string_equal(f->h->socket, s->p.socket);
}

/* By the id on the disk it may be another volume's: it gets no lock, and is not killed. */
static void process__of_the_keyring_that_lies_there_and_mute__is_not_taken(void **state)
{
    struct scene *s = *state;
    struct agent_fixture *f = s->f;

    s->p.is_mute = true;
    start_foreign(s);
    for (int i = 0; i < 2; i++) {
        note(f, i ? OURS : "");
        struct job j = job_of(f);
        ks_rc rc = look_volume(&j);
        if (i)
            check_ok(rc);
        else
            check_rc(rc, BAD_REPLY); /* it may be the volume's: nobody says that it does not run */
        assert_int_equal(j.is_seen, i);
        assert_false(j.seen.is_running);
        assert_string_equal(j.socket, "");
        assert_string_equal(f->h->socket, "");
        seen_done(&j.seen);
    }
    assert_int_equal(s->p.locks, 0);
}

/* --- made --- */

/* A program that "makes" what was made before. */
static void program_of(struct agent_fixture *f, const char *made, char path[PROGRAM_BYTES])
{
    snprintf(path, PROGRAM_BYTES, "%s/program", f->tmp.path);
    FILE *out = fopen(path, "we");

    assert_non_null(out);
    fprintf(out, "#!/bin/sh\nexec cp -r %s \"$3\"\n", made);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(path, 0700), 0);
    f->a.conf.program = path;
}

static void read_deed(struct agent_fixture *f, struct deed *ret)
{
    CLEANUP(json_decrefp) json_t *text = NULL;

    check_ok(node_dir_volume_read(f->a.dir, f->h->id, "deed.json", &text));
    check_ok(deed_read(text, ret));
}

static void check_noted(const struct anchor *a, const char *id, int64_t accepted)
{
    assert_string_equal(a->volume, id);
    assert_int_equal(a->sequence, 1);
    assert_int_equal(a->accepted, accepted);
}

static struct io_ops ops_of_disk;

/* All names but that of the volume can be given. */
static ks_rc rename_but_adopt(struct io *io, struct io_node *from_dir, const char *from,
                              struct io_node *to_dir, const char *to, unsigned flags)
{
    if (strcmp(to, "backing") == 0)
        return ks_fail_os(EIO, "rename");
    return ops_of_disk.rename(io, from_dir, from, to_dir, to, flags);
}

/* Nothing is at its place, and another one, that is gone for good, is noted. */
static void lose_volume(struct agent_fixture *f)
{
    note(f, OURS);
    f->h->deed.is_made = false;
    f->h->wish.is_platform = true;
    f->h->wish.serials.data = 2;
}

/* Cut off between the two: what stands on the disk is enough to know it for its own. */
static void made__cut_off_before_it_has_its_name__is_noted_already(void **state)
{
    struct scene *s = *state;
    struct agent_fixture *f = s->f;
    CLEANUP(mem_freep) char *source = NULL;
    const struct io_ops *disk = f->a.io->ops;
    struct io_ops failing = *disk;
    char program[PROGRAM_BYTES], id[ANCHOR_VOLUME_BYTES];
    struct deed kept;

    check_ok(node_dir_file(f->a.dir, "source", &source));
    make_volume(f, source, id);
    program_of(f, source, program);
    lose_volume(f);

    ops_of_disk = *disk;
    failing.rename = rename_but_adopt;
    f->a.io->ops = &failing;
    struct job j = job_of(f);
    ks_rc rc = step_take(&j, STEP_CREATE);
    f->a.io->ops = disk;
    assert_true(ks_is_os(rc, EIO));
    assert_false(j.deed.is_made);
    read_deed(f, &kept);
    assert_false(kept.is_made);
    assert_int_equal(kept.done.data, 2);
    check_noted(&kept.anchor, id, 1);
    check_noted(&f->h->deed.anchor, id, 1);

    /* as after the name was given and before that was noted */
    check_ok(node_dir_adopt(f->a.dir, f->h->id));
    f->h->deed = kept;
    struct job next = job_of(f);
    check_ok(look_volume(&next));
    assert_true(next.deed.is_made && next.is_deed_changed);
    check_noted(&next.deed.anchor, next.seen.keyring, 1);
    seen_done(&next.seen);
}

/* Brought back while another one was made in its place: what is noted of it must hold for it still. */
static void made__while_the_noted_one_came_back__nothing_is_noted(void **state)
{
    struct scene *s = *state;
    struct agent_fixture *f = s->f;
    CLEANUP(mem_freep) char *source = NULL;
    char program[PROGRAM_BYTES], id[ANCHOR_VOLUME_BYTES];

    check_ok(node_dir_file(f->a.dir, "source", &source));
    make_volume(f, source, id);
    program_of(f, source, program);
    lose_volume(f);
    make_volume(f, s->backing, id);
    struct job j = job_of(f);
    ks_rc rc = step_take(&j, STEP_CREATE);
    check_rc(rc, BUSY);
    check_text(rc, "came back");
    assert_int_equal(j.deed.done.data, 0);
    assert_string_equal(j.deed.anchor.volume, OURS);
    assert_string_equal(f->h->deed.anchor.volume, OURS);
    assert_false(j.is_deed_changed);
}

static void made__nothing_can_be_noted__has_no_name(void **state)
{
    struct scene *s = *state;
    struct agent_fixture *f = s->f;
    CLEANUP(mem_freep) char *source = NULL, *deed = NULL;
    char program[PROGRAM_BYTES], id[ANCHOR_VOLUME_BYTES];

    check_ok(node_dir_file(f->a.dir, "source", &source));
    make_volume(f, source, id);
    program_of(f, source, program);
    f->h->wish.is_platform = true;
    check_ok(node_dir_volume_path(f->a.dir, f->h->id, "deed.json", &deed));
    assert_int_equal(mkdir(deed, 0700), 0);
    struct job j = job_of(f);
    assert_false(ks_ok(step_take(&j, STEP_CREATE)));
    assert_int_equal(access(s->backing, F_OK), -1);
    assert_false(f->h->is_deed_saved);

    assert_int_equal(rmdir(deed), 0);
    struct job again = job_of(f);
    check_ok(step_take(&again, STEP_CREATE));
    assert_int_equal(access(s->backing, F_OK), 0);
    assert_true(again.deed.is_made);
    check_noted(&f->h->deed.anchor, id, 1); /* the first one was noted, if only in memory */
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(process__noted__is_found_whatever_lies_there),
        T(process__over_a_directory_that_is_gone__is_told_while_it_is_wanted),
        T(process__of_the_volume_whose_keyring_lies_there__is_not_taken),
        T(process__that_serves_this_place_with_another_keyring__is_found),
        T(process__of_another_place__is_not_taken),
        T(keyring__of_another_volume_in_one_place__its_own_is_looked_at),
        T(process__noted_and_mute__is_taken),
        T(process__of_the_keyring_that_lies_there_and_mute__is_not_taken),
        T(made__cut_off_before_it_has_its_name__is_noted_already),
        T(made__while_the_noted_one_came_back__nothing_is_noted),
        T(made__nothing_can_be_noted__has_no_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
