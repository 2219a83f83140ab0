/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/dev_process.h - the processes of "serve --dev": started, watched, ended stage by stage.
 *
 * Each is this program with other arguments, in a process group of its own so that Ctrl-C reaches only the one that ends them, and is
 * told to end when that one dies. Not thread-safe.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/rc.h"

enum { DEV_PROCESSES_MAX = 40, DEV_NAME_BYTES = 80 };

/* What is started later is ended earlier. */
enum dev_stage { DEV_KEYS, DEV_CONTROL, DEV_NODES, DEV_STAGE_COUNT };

struct dev_process {
    enum dev_stage stage;
    char name[DEV_NAME_BYTES]; /* "node us-west-2" */
    char *log;                 /* owned; where it writes to */
    pid_t pid;                 /* 0: ended */
    int status;                /* of waitpid, once it ended */
};

struct dev_processes {
    size_t count;
    struct dev_process all[DEV_PROCESSES_MAX];
};

/* dev_program(ret): path of this program. */
ks_rc dev_program(char **ret) KS_MUST;

struct dev_start {
    enum dev_stage stage;
    const char *name, *log;
    const char *const *argv;
    const char *const
        *env; /* "NAME=value" texts that are added to this process's, ended by NULL; may be NULL */
};
/* dev_start(p, what): starts it; does not wait for anything. */
ks_rc dev_start(struct dev_processes *p, const struct dev_start *what) KS_MUST;
/* dev_run(argv, ret): runs it to its end; *ret is the JSON it printed; NULL: none is expected. A failure carries what it printed. */
ks_rc dev_run(const char *const *argv, json_t **ret) KS_MUST;
/* dev_ended(p): the first one that has ended without being told; NULL: all run. */
const struct dev_process *dev_ended(struct dev_processes *p);
/* dev_tell_end(process): on standard error, what its log ends with. */
void dev_tell_end(const struct dev_process *process);
/* dev_end(p): tells those of the last stage to end and waits for them, then those of the stage before; kills what does not end in two
 * minutes. */
void dev_end(struct dev_processes *p);
