/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/agent.h - the agent of a node: brings its volumes to what the control plane wants, and tells it what is so.
 *
 * Everything can be cut off anywhere: what is to be done is found out anew from the wish, the disk and the volume processes. A revoke
 * is carried out before anything else and waits for nothing else.
 */
#pragma once

#include <sys/types.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/rc.h"

struct agent;

struct agent_conf {
    const char *dir;     /* absolute */
    const char *run_dir; /* of the control sockets, absolute */
    const char *program; /* this executable */
    const char *platform_key,
        *platform_principal;    /* "type:uri" and as whom; NULL: a key store in dir */
    const char *engines_dir;    /* templates */
    const char *engine_address; /* numeric; engines listen on it */
    uint16_t port_first, port_last;
    uid_t uid_first, uid_last; /* of organisations' engines */
    uint32_t volumes_max;      /* 0: what memory allows */
    uint64_t keep_deleted_ms, version_check_ms;
    bool is_leaving_running; /* at the end volumes and engines go on */
    bool is_swap_allowed, is_development;
    struct clock *clock;
    struct random *random;
};

/* agent_start(conf, ret): reads the directory and begins; NOT_FOUND before it has joined, BUSY, CORRUPT. */
ks_rc agent_start(const struct agent_conf *conf, struct agent **ret) KS_MUST;
/* agent_stop(a): ends engines and mounts, unless they are to go on. The rest goes with the process: a thread may hang in the network. */
void agent_stop(struct agent *a);
