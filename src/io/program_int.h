/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/program_int.h - private to io/program*.c: becoming another program.
 */
#pragma once

#include "io/program.h"

struct program_fds {
    int in, out;
};

/* program_fork(conf, fds, ret_pid): a child that runs conf's program, or an error and no child. */
ks_rc program_fork(const struct program_conf *conf, const struct program_fds *fds,
                   pid_t *ret_pid) KS_MUST;

/* What /proc says about a process; false when it is gone or a zombie. */
struct program_facts {
    pid_t parent, session;
    uint64_t start_ticks;
};
bool program_facts_read(pid_t pid, struct program_facts *ret);

struct program {
    struct program_identity identity;
    int pidfd;
    bool is_child; /* ours to wait for */
    bool has_ended;
    int status; /* of waitid, when has_ended and is_child */
};
