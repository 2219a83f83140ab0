/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/power.h - the engine of a volume, as the agent sees it: on or off.
 *
 * For volumes without an engine everything succeeds and nothing happens. Thread-safe.
 */
#pragma once

#include <sys/types.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/secret.h"
#include "control/model.h"

struct power;

struct power_conf {
    const char *engines_dir, *engine; /* template */
    const char *mountpoint, *state_dir, *address, *client_host, *cluster_name, *organisation;
    uint16_t port;
    struct clock *clock;
    struct random *random;
    /* owner(arg, organisation, ret): the user that engines of an organisation are */
    ks_rc (*owner)(void *arg, const char *organisation, uid_t *ret);
    void (*told)(void *arg); /* its state changed; from any thread; must only wake others */
    void *arg;
};

/* power_new(conf, ret): nothing is started yet. An engine that cannot be run is told by power_status, not here. */
ks_rc power_new(const struct power_conf *conf, struct power **ret) KS_MUST;
/* power_free(p, is_leaving_it): ends the engine, unless it is to go on without us. NULL does nothing. */
void power_free(struct power *p, bool is_leaving_it);

/* power_prepare(p): finds the engine, and takes over what an earlier life of the node left running: then it is on. Reads the disk; by one thread at
 * a time; before power_on, and again when it failed. */
void power_prepare(struct power *p);
/* power_on(p): wanted from now on; returns at once. Nothing, unless it is prepared. */
void power_on(struct power *p);
/* power_off(p, ms_max): not wanted any more; it has ms_max to end in order, then it is killed. True when nothing of it is left; false when that
 * takes POWER_KILL_MS longer, whatever hangs: it goes on, and may be asked again. Several threads may ask. */
enum { POWER_KILL_MS = 1000 };
bool power_off(struct power *p, uint32_t ms_max) KS_MUST;
/* power_is_on(p): power_on came after the last power_off. */
bool power_is_on(struct power *p);

struct power_status {
    enum engine_state state;
    char message[MESSAGE_BYTES];
    char connection[HOST_BYTES];
};
void power_status(struct power *p, struct power_status *ret);
/* power_password(p, ret): NOT_FOUND when there is none. Reads the volume: not with a mutex that others need. */
ks_rc power_password(struct power *p, struct secret **ret) KS_MUST;
