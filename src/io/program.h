/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/program.h - programs that run as another user: for a while (a step) or for long (a service), and all that they started.
 *
 * A program gets a session of its own, exactly the environment, the directory and the user that it is given, no descriptor but its three,
 * and can gain no privileges. It ends with us only if it is told to: a service outlives this process and is found again by who it is.
 * Whoever works in a directory belongs to the service that it was made for: children that went their own way are found by that.
 */
#pragma once

#include <signal.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/rc.h"

enum { PROGRAM_GROUPS_MAX = 64, PROGRAM_BOOT_BYTES = 40, PROGRAM_END_BYTES = 64 };

/* Who a program is to be. */
struct program_user {
    bool is_other; /* false: this process's own user, for who is not root */
    uid_t uid;
    gid_t gid;
    int group_count;
    gid_t groups[PROGRAM_GROUPS_MAX];
};

/* program_user_find(name, ret): NOT_FOUND; USAGE for root. Who is not root gets its own user whatever the name. */
ks_rc program_user_find(const char *name, struct program_user *ret) KS_MUST;

/* program_user_of(id, ret): the user and group with this number, of which no account needs to be there; USAGE for root. Who is not root gets
 * its own. */
ks_rc program_user_of(uid_t id, struct program_user *ret) KS_MUST;

struct program_conf {
    const char *const *argv; /* argv[0] is a path; NULL at the end */
    const char *const *env;  /* all of it: "NAME=value"; NULL at the end */
    const char *dir;         /* it starts in; entered as the user */
    const struct program_user *user;
    uint32_t files_max; /* descriptors; 0: as this process */
};

/*
 * program_run(conf, input, deadline_ms, cancel_fd, ret, ret_status): a step, to its end; input is what it reads, at most 32 KiB. The end of
 * what it printed, output and errors, stands in ret, at most ret->max_bytes of it. ret_status: exit code, or 128 + signal. TIMEOUT at the
 * deadline (boot time), STATE when cancel_fd (-1: none) became readable; OS errors. Its session is killed in each of these cases.
 */
ks_rc program_run(const struct program_conf *conf, struct view input, uint64_t deadline_ms,
                  int cancel_fd, struct buf *ret, int *ret_status) KS_MUST;

struct program; /* a service */

/* Who it is, for after a restart of this process. */
struct program_identity {
    pid_t pid;
    uint64_t start_ticks;          /* since boot */
    char boot[PROGRAM_BOOT_BYTES]; /* of which boot */
};

/* program_boot(ret): which boot of this host it is; "" when that cannot be found out. */
void program_boot(char ret[PROGRAM_BOOT_BYTES]);

/* program_start(conf, log_path, ret): its output and errors are appended to log_path. */
ks_rc program_start(const struct program_conf *conf, const char *log_path,
                    struct program **ret) KS_MUST;
/* program_adopt(identity, path, ret): NOT_FOUND unless that very process runs the program at path. */
ks_rc program_adopt(const struct program_identity *identity, const char *path,
                    struct program **ret) KS_MUST;
void program_identity(const struct program *p, struct program_identity *ret);
/* program_fd(p): readable when it has ended; owned by p. */
int program_fd(const struct program *p);
/* program_has_ended(p, ret): how, "exit code 1", "signal 9"; ret may be NULL. */
bool program_has_ended(struct program *p, char ret[PROGRAM_END_BYTES]);
/* program_signal(p, number): to it alone; nothing when it has ended. */
void program_signal(const struct program *p, int number);
/* program_free(p): it runs on, if it does. */
void program_free(struct program *p);

/* program_count(p, dir): processes that belong to it, itself included: in its session, its children, or at work in dir. p NULL: in dir alone. */
size_t program_count(const struct program *p, const char *dir);
/* program_kill_all(p, dir): SIGKILL to each of them. To be called until there are none: they may start others meanwhile. */
void program_kill_all(const struct program *p, const char *dir);

/* program_log_trim(path, bytes_max): when it is longer, keeps its last half in path.1 and empties it; who has it open writes on. Output of a moment
 * may be lost. */
ks_rc program_log_trim(const char *path, uint64_t bytes_max) KS_MUST;
/* program_log_tail(path, ret): appends its last bytes, at most what ret may still hold, from the beginning of a line. */
ks_rc program_log_tail(const char *path, struct buf *ret) KS_MUST;

/* program_glob(pattern, ret): the path of the program that matches and can be run, of several the one with the highest version in its name.
 * NOT_FOUND. */
ks_rc program_glob(const char *pattern, char **ret) KS_MUST;
