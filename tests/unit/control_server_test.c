/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: client and server of the control socket understand each other: replies, errors, progress; a long operation
 * keeps nobody else from an answer; garbage, too many peers and a dead process are handled; the socket is
 * private and goes away with the server.
 */
#include "fuse/control_server.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "check.h"
#include "fuse/control_line.h"

enum { SOON_MS = 5000 };

struct fixture {
    char dir[64], path[96];
    struct control_server *server;
    pthread_mutex_t gate; /* "wait" waits for it, and "flood" once nobody listens; each says so */
    sem_t is_stuck;
    ks_rc after; /* how the line behind the one that failed went */
};

/* Lines until one fails, and one more when it might be read. */
static void flood(struct fixture *f, struct control_peer *peer)
{
    static char text[CONTROL_LINE_MAX / 2];
    memset(text, 'x', sizeof text - 1);
    json_t *line = json_pack("{s:s}", "progress", text);

    while (ks_ok(control_peer_send(peer, line)))
        ;
    sem_post(&f->is_stuck);
    pthread_mutex_lock(&f->gate);
    pthread_mutex_unlock(&f->gate);
    f->after = control_peer_send(peer, line);
    json_decref(line);
}

static ks_rc handle(void *arg, json_t *request, struct control_peer *peer, json_t **ret)
{
    struct fixture *f = arg;
    const char *op = json_string_value(json_object_get(request, "op"));

    ENSURE(op, KS_E_USAGE, "no op");
    if (strcmp(op, "echo") == 0)
        *ret = json_deep_copy(request);
    if (strcmp(op, "fail") == 0)
        return ks_fail(KS_E_KEY_DISABLED, "the key is disabled");
    if (strcmp(op, "wait") == 0) {
        sem_post(&f->is_stuck);
        pthread_mutex_lock(&f->gate);
        pthread_mutex_unlock(&f->gate);
    }
    if (strcmp(op, "flood") == 0)
        flood(f, peer);
    if (strcmp(op, "count") == 0)
        for (int i = 1; i <= 3; i++) {
            json_t *line = json_pack("{s:i}", "progress", i);
            ks_rc rc = control_peer_send(peer, line);
            json_decref(line);
            TRY(rc);
        }
    return KS_SUCCESS;
}

/* Limits of 0 are the usual ones. */
static void setup_with(struct fixture *f, uint32_t write_ms_max, uint32_t only_lock_ms_max)
{
    *f = (struct fixture){.dir = "/tmp/keystead-control-XXXXXX"};
    pthread_mutex_init(&f->gate, NULL);
    sem_init(&f->is_stuck, 0, 0);
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/run/v.sock", f->dir);
    struct control_server_conf conf = {.path = f->path,
                                       .handle = handle,
                                       .arg = f,
                                       .write_ms_max = write_ms_max,
                                       .only_lock_ms_max = only_lock_ms_max};
    check_ok(control_server_start(&conf, &f->server));
}

static void setup(struct fixture *f)
{
    setup_with(f, 0, 0);
}

static void teardown(struct fixture *f)
{
    char run[96];

    assert_true(control_server_stop(f->server, SOON_MS));
    assert_int_not_equal(access(f->path, F_OK), 0);
    snprintf(run, sizeof run, "%s/run", f->dir);
    assert_int_equal(rmdir(run), 0);
    assert_int_equal(rmdir(f->dir), 0);
    pthread_mutex_destroy(&f->gate);
    sem_destroy(&f->is_stuck);
}

static ks_rc call(struct fixture *f, const char *op, json_t **ret)
{
    json_t *request = json_pack("{s:s}", "op", op);
    ks_rc rc = control_call(f->path, request, SOON_MS, ret);

    json_decref(request);
    return rc;
}

static void call__echo__comes_back_ok(void **unused)
{
    struct fixture f;
    json_t *reply = NULL;

    (void)unused;
    setup(&f);
    check_ok(call(&f, "echo", &reply));
    assert_true(json_is_true(json_object_get(reply, "ok")));
    assert_string_equal(json_string_value(json_object_get(reply, "op")), "echo");
    json_decref(reply);
    teardown(&f);
}

static void call__operation_fails__gives_its_code_and_text(void **unused)
{
    struct fixture f;
    json_t *reply = NULL;

    (void)unused;
    setup(&f);
    ks_rc rc = call(&f, "fail", &reply);
    check_rc(rc, KEY_DISABLED);
    check_text(rc, "the key is disabled");
    assert_null(reply);
    teardown(&f);
}

static void call__nobody_listens__is_not_found(void **unused)
{
    json_t *request = json_object(), *reply = NULL;

    (void)unused;
    check_rc(control_call("/tmp/keystead-no-such.sock", request, SOON_MS, &reply), NOT_FOUND);
    json_decref(request);
}

static void open__lines_come__until_closed(void **unused)
{
    struct fixture f;
    struct control_line line;
    json_t *request = json_pack("{s:s}", "op", "count"), *got = NULL;
    int fd = -1;

    (void)unused;
    setup(&f);
    check_ok(control_converse(f.path, request, &fd));
    check_ok(control_line_init(&line, fd));
    for (int i = 1; i <= 3; i++) {
        check_ok(control_line_read(&line, SOON_MS, &got));
        assert_int_equal(json_integer_value(json_object_get(got, "progress")), i);
        json_decref(got);
    }
    check_ok(control_line_read(&line, SOON_MS, &got));
    assert_true(json_is_true(json_object_get(got, "ok")));
    json_decref(got);
    control_line_done(&line);
    close(fd);
    json_decref(request);
    teardown(&f);
}

static void open__nobody_listens__is_not_found(void **unused)
{
    json_t *request = json_object();
    int fd = -1;

    (void)unused;
    check_rc(control_converse("/tmp/keystead-no-such.sock", request, &fd), NOT_FOUND);
    assert_int_equal(fd, -1);
    json_decref(request);
}

static void count_line(void *arg, json_t *line)
{
    int *sum = arg;

    *sum = *sum * 10 + (int)json_integer_value(json_object_get(line, "progress"));
}

static void call__with_progress__gets_each_line(void **unused)
{
    struct fixture f;
    int sum = 0;
    json_t *request = json_pack("{s:s}", "op", "count"), *reply = NULL;

    (void)unused;
    setup(&f);
    check_ok(control_call_progress(f.path, request, SOON_MS, count_line, &sum, &reply));
    assert_int_equal(sum, 123);
    json_decref(reply);
    json_decref(request);
    teardown(&f);
}

static int connect_raw(struct fixture *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path, f->path, strlen(f->path));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void put(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void call__while_another_operation_runs__is_answered(void **unused)
{
    struct fixture f;
    json_t *reply = NULL;

    (void)unused;
    setup(&f);
    pthread_mutex_lock(&f.gate);
    int slow = connect_raw(&f);
    put(slow, "{\"op\":\"wait\"}\n");
    check_ok(call(&f, "echo", &reply));
    json_decref(reply);
    pthread_mutex_unlock(&f.gate);
    close(slow);
    teardown(&f);
}

static void garbage__is_told_and_cut_off(void **unused)
{
    struct fixture f;
    char answer[512] = {0};
    json_t *reply = NULL;

    (void)unused;
    setup(&f);
    int fd = connect_raw(&f);
    put(fd, "GET / HTTP/1.1\n");
    size_t len = 0;
    for (ssize_t n = 1; n > 0 && len < sizeof answer - 1; len += (size_t)n)
        n = read(fd, answer + len, sizeof answer - 1 - len);
    assert_non_null(strstr(answer, "\"FORMAT\""));
    close(fd);
    check_ok(call(&f, "echo", &reply));
    json_decref(reply);
    teardown(&f);
}

/* What is there to read now. */
static void drain(int fd)
{
    char bytes[4096];

    while (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
}

/* A part of the line that failed may stand there, and whatever followed would be taken for its rest. */
static void peer__stops_listening__is_sent_nothing_more(void **unused)
{
    struct fixture f;
    char byte;

    (void)unused;
    setup_with(&f, 1, 0);
    pthread_mutex_lock(&f.gate);
    int fd = connect_raw(&f);
    put(fd, "{\"op\":\"flood\"}\n");
    assert_int_equal(sem_wait(&f.is_stuck), 0);
    drain(fd);
    assert_int_equal(shutdown(fd, SHUT_WR),
                     0); /* the conversation ends with the answer, if there is one */
    pthread_mutex_unlock(&f.gate);
    assert_int_equal(read(fd, &byte, 1), 0);
    close(fd);
    teardown(&f); /* waits for the conversation */
    assert_true(ks_is_os(f.after, EPIPE));
}

/* All places but those of a lock. */
static void fill(struct fixture *f, int fds[CONTROL_PEERS_MAX])
{
    for (int i = 0; i < CONTROL_PEERS_MAX; i++) {
        char byte;
        fds[i] = connect_raw(f);
        put(fds[i], "{\"op\":\"echo\"}\n");
        assert_int_equal(read(fds[i], &byte, 1), 1); /* it has its place now */
    }
}

static void close_all(int fds[CONTROL_PEERS_MAX])
{
    for (int i = 0; i < CONTROL_PEERS_MAX; i++)
        close(fds[i]);
}

static void peers__one_too_many__is_turned_away(void **unused)
{
    struct fixture f;
    int fds[CONTROL_PEERS_MAX];
    json_t *reply = NULL;

    (void)unused;
    setup(&f);
    fill(&f, fds);
    for (int i = 0; i < 2 * CONTROL_LOCK_PEERS; i++)
        check_rc(call(&f, i % 2 ? "echo" : "status", &reply), BUSY);
    check_ok(call(&f, "lock", &reply)); /* a revoke waits for nobody */
    json_decref(reply);
    close_all(fds);
    teardown(&f);
}

/* It is not told that the process hangs. */
static void peer__one_too_many_whose_request_does_not_come__is_turned_away(void **unused)
{
    struct fixture f;
    int fds[CONTROL_PEERS_MAX];
    char answer[512] = "";

    (void)unused;
    setup_with(&f, 0, 1);
    fill(&f, fds);
    int late = connect_raw(&f);
    for (size_t got = 0; !strchr(answer, '\n') && got < sizeof answer - 1;) {
        ssize_t n = read(late, answer + got, sizeof answer - 1 - got);
        assert_true(n > 0);
        got += (size_t)n;
    }
    assert_non_null(strstr(answer, "\"BUSY\""));
    close(late);
    close_all(fds);
    teardown(&f);
}

/* A conversation whose operation does not end until the gate is opened. */
static int begin_wait(struct fixture *f)
{
    int fd = connect_raw(f);

    pthread_mutex_lock(&f->gate);
    put(fd, "{\"op\":\"wait\"}\n");
    assert_int_equal(sem_wait(&f->is_stuck), 0);
    return fd;
}

static void narrow__lock_and_status_are_heard_and_nothing_else(void **unused)
{
    struct fixture f;
    char byte;
    json_t *reply = NULL;

    (void)unused;
    setup(&f);
    int idle = connect_raw(&f);
    put(idle, "{\"op\":\"lock\"}\n");
    assert_int_equal(read(idle, &byte, 1), 1); /* it has its place now */
    assert_true(control_server_narrow(f.server, UINT32_MAX));
    drain(idle);
    assert_int_equal(read(idle, &byte, 1), 0); /* ended, and no place is lost to it */
    close(idle);
    for (int i = 0; i < 2 * CONTROL_LOCK_PEERS; i++) {
        ks_rc rc = call(&f, "echo", &reply);
        check_rc(rc, BUSY);
        check_text(rc, "is being unmounted");
        check_ok(call(&f, "lock", &reply));
        json_decref(reply);
        check_ok(call(&f, "status", &reply));
        json_decref(reply);
    }
    teardown(&f);
}

static void narrow__operation_hangs__says_so_and_hears_locks(void **unused)
{
    struct fixture f;
    json_t *reply = NULL;

    (void)unused;
    setup(&f);
    int slow = begin_wait(&f);
    assert_false(control_server_narrow(f.server, 1));
    check_ok(call(&f, "lock", &reply));
    json_decref(reply);
    pthread_mutex_unlock(&f.gate);
    assert_true(control_server_narrow(f.server, UINT32_MAX));
    close(slow);
    teardown(&f);
}

static void stop__operation_hangs__is_left_behind(void **unused)
{
    static struct fixture f; /* what is left behind may still look at it when the test ends */
    static struct control_server *left;

    (void)unused;
    setup(&f);
    int slow = begin_wait(&f);
    left = TAKE(f.server);
    assert_false(control_server_stop(left, 1));
    pthread_mutex_unlock(&f.gate);
    char byte;
    while (read(slow, &byte, 1) > 0) /* its answer, and the end */
        ;
    close(slow);
    teardown(&f);
}

static void start__stale_socket__is_replaced(void **unused)
{
    struct fixture f;
    struct control_server *second = NULL;
    json_t *reply = NULL;

    (void)unused;
    setup(&f);
    struct control_server_conf conf = {.path = f.path, .handle = handle, .arg = &f};
    check_ok(control_server_start(&conf, &second));
    check_ok(call(&f, "echo", &reply));
    json_decref(reply);
    assert_true(control_server_stop(second, SOON_MS));
    teardown(&f);
}

static void start__directory_others_may_write__is_refused(void **unused)
{
    struct fixture f = {.dir = "/tmp/keystead-control-XXXXXX"};

    (void)unused;
    assert_non_null(mkdtemp(f.dir));
    assert_int_equal(chmod(f.dir, 0777), 0);
    snprintf(f.path, sizeof f.path, "%s/v.sock", f.dir);
    struct control_server_conf conf = {.path = f.path, .handle = handle, .arg = &f};
    check_rc(control_server_start(&conf, &f.server), PERMISSION);
    assert_int_equal(rmdir(f.dir), 0);
}

static void start__path_too_long__is_refused(void **unused)
{
    char path[300] = "/tmp/";
    struct control_server *server = NULL;

    (void)unused;
    memset(path + 5, 'x', sizeof path - 6);
    struct control_server_conf conf = {.path = path, .handle = handle};
    check_rc(control_server_start(&conf, &server), LIMIT);
}

/* In place of the C library's: the mask is the whole process's, and files that other threads make meanwhile would get it. */
mode_t umask(mode_t mask)
{
    (void)mask;
    fail_msg("the umask is changed under other threads");
    return 0;
}

static void socket__whatever_the_umask__is_private(void **unused)
{
    static const mode_t masks[] = {0, 022, 077};
    mode_t usual = (mode_t)syscall(SYS_umask, 0);
    struct fixture f;
    struct stat st;

    (void)unused;
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        syscall(SYS_umask, masks[i]);
        setup(&f);
        assert_int_equal(stat(f.path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        assert_int_equal(syscall(SYS_umask, masks[i]), masks[i]);
        teardown(&f);
    }
    syscall(SYS_umask, usual);
}

static void path__of_a_volume__is_its_id_in_hex(void **unused)
{
    const uint8_t id[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                            0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    char *path = NULL;

    (void)unused;
    check_ok(control_path("/run/x", id, &path));
    assert_string_equal(path, "/run/x/00112233445566778899aabbccddeeff.sock");
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(call__echo__comes_back_ok),
        cmocka_unit_test(call__operation_fails__gives_its_code_and_text),
        cmocka_unit_test(call__nobody_listens__is_not_found),
        cmocka_unit_test(open__lines_come__until_closed),
        cmocka_unit_test(open__nobody_listens__is_not_found),
        cmocka_unit_test(call__with_progress__gets_each_line),
        cmocka_unit_test(call__while_another_operation_runs__is_answered),
        cmocka_unit_test(garbage__is_told_and_cut_off),
        cmocka_unit_test(peer__stops_listening__is_sent_nothing_more),
        cmocka_unit_test(peers__one_too_many__is_turned_away),
        cmocka_unit_test(peer__one_too_many_whose_request_does_not_come__is_turned_away),
        cmocka_unit_test(narrow__lock_and_status_are_heard_and_nothing_else),
        cmocka_unit_test(narrow__operation_hangs__says_so_and_hears_locks),
        cmocka_unit_test(stop__operation_hangs__is_left_behind),
        cmocka_unit_test(start__stale_socket__is_replaced),
        cmocka_unit_test(start__directory_others_may_write__is_refused),
        cmocka_unit_test(start__path_too_long__is_refused),
        cmocka_unit_test(socket__whatever_the_umask__is_private),
        cmocka_unit_test(path__of_a_volume__is_its_id_in_hex),
    };

    return cmocka_run_group_tests_name("control_server", tests, NULL, NULL);
}
