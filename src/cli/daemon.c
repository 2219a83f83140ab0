/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/daemon.c - starting the volume process in the background and waiting until it is ready.
 *
 * Wire form of the conversation about passphrases, child to parent: one byte for the length of what it is for,
 * and that text. Parent to child: two bytes of length, little-endian, and the passphrase; length 0: none.
 */
#include "cli/daemon.h"

#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/log.h"
#include "cli/ask.h"
#include "cli/passphrases.h"

enum { WHAT_MAX = 255, LINE_BYTES = 4096, LENGTH_BYTES = 2 };

struct channel {
    int ready[2]; /* parent reads 0, child writes 1 */
    int ask[2];   /* parent has 0, child has 1 */
};

static bool read_all(int fd, void *out, size_t len)
{
    uint8_t *at = out;

    while (len > 0) {
        ssize_t n = read(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool send_all(int fd, const void *in, size_t len)
{
    const uint8_t *at = in;

    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

/* ---- in the child ---- */

/* The passphrase function of the volume process; arg is the socket. */
static ks_rc ask_parent(void *arg, const char *what, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *answer = NULL;
    int fd = *(const int *)arg;
    size_t what_len = strnlen(what, WHAT_MAX);
    uint8_t length[LENGTH_BYTES] = {(uint8_t)what_len};

    bool is_asked = send_all(fd, length, 1) && send_all(fd, what, what_len);
    ENSURE(is_asked && read_all(fd, length, sizeof length), KS_E_CREDENTIAL,
           "nobody can be asked any more for the %s; mount the volume again", what);
    size_t len = get_u16(length);
    ENSURE(len > 0 && len <= ASK_PASSPHRASE_MAX, KS_E_CREDENTIAL, "nobody gave the %s", what);
    TRY(secret_new(len, &answer));
    ENSURE(read_all(fd, secret_bytes(answer), len), KS_E_CREDENTIAL, "nobody gave the %s", what);
    *ret = TAKE(answer);
    return KS_SUCCESS;
}

static void detach(int log_fd)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    setsid();
    if (chdir("/") != 0)
        _exit(ks_exit(ks_os(errno)));
    dup2(null_fd, STDIN_FILENO);
    dup2(null_fd, STDOUT_FILENO);
    dup2(log_fd, STDERR_FILENO);
    /* Neither is needed any more under its first number. */
    if (null_fd > STDERR_FILENO)
        close(null_fd);
    if (log_fd > STDERR_FILENO)
        close(log_fd);
}

static void run_child(const struct mount_conf *from, struct channel *channel, int log_fd)
{
    struct mount_conf conf = *from;

    close(channel->ready[0]);
    close(channel->ask[0]);
    detach(log_fd);
    conf.ready_fd = channel->ready[1];
    struct passphrases kept;
    passphrases_init(&kept, ask_parent, &channel->ask[1]);
    conf.backing.passphrase = passphrases_get;
    conf.backing.passphrase_arg = &kept;
    ks_rc rc = mount_run(&conf);
    passphrases_done(&kept);
    if (!ks_ok(rc))
        log_line(LOG_ERROR, "%s", ks_text(rc));
    exit(ks_exit(rc));
}

/* ---- in the parent ---- */

/* Answers one question of the child. A failure here is told to the child as "none". */
static ks_rc answer_child(struct cli *cli, int fd)
{
    CLEANUP(secret_freep) struct secret *passphrase = NULL;
    uint8_t length[LENGTH_BYTES] = {0};
    char what[WHAT_MAX + 1] = "";

    if (!read_all(fd, length, 1) || !read_all(fd, what, length[0]))
        return KS_SUCCESS; /* the child has ended; the other descriptors tell how */
    ks_rc rc = ask_passphrase(cli, what, &passphrase);
    size_t len = ks_ok(rc) ? secret_view(passphrase).len : 0;
    put_u16(length, (uint16_t)len);
    bool is_sent = send_all(fd, length, sizeof length);
    if (is_sent && len > 0)
        is_sent = send_all(fd, secret_bytes(passphrase), len);
    ENSURE(is_sent || !ks_ok(rc), KS_E_IO, "the volume process ended while a passphrase was asked");
    return rc;
}

static const char *text_of(const json_t *object, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : otherwise;
}

/* The line on ready_fd: "OK", or the error as one JSON object. */
static ks_rc judge(const char *line)
{
    if (strcmp(line, "OK") == 0)
        return KS_SUCCESS;
    json_t *reply = json_loads(line, 0, NULL);
    const json_t *error = json_object_get(reply, "error");
    enum ks_code code = ks_from_name(text_of(error, "code", "BUG"));
    if (code == KS_E_BUG) /* an errno of the child's: its class is the name of a code too */
        code = ks_from_name(text_of(error, "class", "BUG"));
    ks_rc rc = ks_fail(code == KS_E_OK ? KS_E_BUG : code, "%s", text_of(error, "message", line));
    json_decref(reply);
    return rc;
}

static ks_rc ended(pid_t child, const char *log_path)
{
    int status = 0;

    if (waitpid(child, &status, 0) == child && WIFSIGNALED(status))
        return ks_fail(KS_E_BUG,
                       "the volume process was killed by signal %d before it was ready; see %s",
                       WTERMSIG(status), log_path);
    return ks_fail(KS_E_BUG, "the volume process ended with code %d before it was ready; see %s",
                   WEXITSTATUS(status), log_path);
}

/* Waits for the line on ready_fd, answering questions meanwhile. The end of the child closes ready_fd. */
static ks_rc read_verdict(struct cli *cli, const struct channel *channel, char *line, size_t bytes,
                          ks_rc *ret_asked)
{
    struct pollfd fds[2] = {{channel->ready[0], POLLIN, 0}, {channel->ask[0], POLLIN, 0}};
    size_t len = 0;

    while (len < bytes - 1) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return ks_fail_os(errno, "waiting for the volume process");
        ks_rc asked = fds[1].revents != 0 ? answer_child(cli, channel->ask[0]) : KS_SUCCESS;
        if (!ks_ok(asked)) /* the child's end, seen later, is no reason to forget it */
            *ret_asked = asked;
        if (fds[1].revents & POLLHUP)
            fds[1].fd = -1;
        if (fds[0].revents == 0)
            continue;
        ssize_t n = read(channel->ready[0], line + len, 1);
        if (n == 0 || (n == 1 && line[len] == '\n'))
            break;
        len += n == 1;
    }
    line[len] = '\0';
    return KS_SUCCESS;
}

static ks_rc wait_ready(struct cli *cli, pid_t child, const struct channel *channel,
                        const char *log_path)
{
    ks_rc asked = KS_SUCCESS;
    char line[LINE_BYTES];

    TRY(read_verdict(cli, channel, line, sizeof line, &asked));
    if (!ks_ok(asked)) /* says more than the child's "no passphrase was given" */
        return asked;
    return line[0] == '\0' ? ended(child, log_path) : judge(line);
}

/* Ctrl-C before the mount is ready ends the child too, which has left the terminal's process group. */
static volatile sig_atomic_t starting;

static void stop_child(int signal_number)
{
    (void)signal_number;
    kill((pid_t)starting, SIGTERM);
    _exit(EXIT_INTERRUPTED);
}

static void watch_signals(pid_t child)
{
    struct sigaction stop = {.sa_handler = stop_child};

    starting = child;
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGHUP, &stop, NULL);
}

static void fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

ks_rc daemon_start(struct cli *cli, const struct mount_conf *conf, const char *log_path)
{
    struct channel channel;
    CLEANUP(fd_close)
    int log_fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);

    if (log_fd < 0)
        return ks_fail_os(errno, "log file %s", log_path);
    if (pipe2(channel.ready, O_CLOEXEC) != 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel.ask) != 0)
        return ks_fail_os(errno, "starting the volume process");
    fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        return ks_fail_os(errno, "starting the volume process");
    if (child == 0)
        run_child(conf, &channel, log_fd);
    watch_signals(child);
    close(channel.ready[1]);
    close(channel.ask[1]);
    ks_rc rc = wait_ready(cli, child, &channel, log_path);
    close(channel.ready[0]);
    close(channel.ask[0]);
    return rc;
}
