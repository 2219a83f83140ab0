/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/engine.h - a database engine on a mounted volume: from a template to a process that is looked after.
 *
 * The template (engines/NAME.yml, docs/ENGINES.md) says how an engine is found, initialised, started, asked whether it is ready,
 * and stopped. An engine runs as an unprivileged user that other engines need not share, in its own session, with its output in a log file of bounded size on the volume:
 * logs quote data. It is started only while the volume is open; when it ends by itself it is started again with growing pauses.
 */
#pragma once

#include <sys/types.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/rc.h"
#include "base/secret.h"

struct engine_template;
struct engine;

/* engine_template_load(dir, name, ret): from dir/NAME.yml. NOT_FOUND (lists those that are there), USAGE with file and member for one that is
 * malformed. "none" needs no file: no process at all. */
ks_rc engine_template_load(const char *dir, const char *name, struct engine_template **ret) KS_MUST;
void engine_template_free(struct engine_template *t);
/* engine_template_check(t): whether its programs and its user are there; NOT_FOUND says what to install. */
ks_rc engine_template_check(const struct engine_template *t) KS_MUST;
/* engine_templates(dir, each, arg): each template that can be read, with the result of its check. */
ks_rc engine_templates(const char *dir,
                       void (*each)(void *arg, const struct engine_template *t, ks_rc check),
                       void *arg) KS_MUST;
const char *engine_template_name(const struct engine_template *t);
/* engine_templates_find(ret): the directory of templates that belongs to this program: ../share/keystead/engines from where it is installed, or
 * engines/ of the tree that it was built in. NOT_FOUND. */
ks_rc engine_templates_find(char **ret) KS_MUST;

struct engine_conf {
    const struct engine_template *kind; /* must outlive the engine */
    const char *mountpoint; /* the mounted volume; the engine gets a directory of its own in it */
    const char *state_dir;  /* of this engine, on the host: who runs; mode 0700 */
    bool
        may_be_plain; /* mountpoint need not be one: for tests. Else nothing is ever written where no volume is mounted */
    const char *address;     /* numeric address it listens on */
    const char *client_host; /* under which clients reach this host; NULL: address */
    uint16_t port;
    const char *cluster_name;
    /* owner(owner_arg, ret): the user and group that the engine is, by number; asked before each start. NULL: the first of its template's users. */
    ks_rc (*owner)(void *owner_arg, uid_t *ret);
    void *owner_arg;
    struct clock *clock;
    struct random *random;
    /* told(arg): its state changed; from the engine's thread; must only wake others. */
    void (*told)(void *arg);
    void *arg;
};

enum engine_phase {
    ENGINE_PHASE_IDLE,     /* not wanted */
    ENGINE_PHASE_STARTING, /* initialising or not ready yet */
    ENGINE_PHASE_RUNNING,
    ENGINE_PHASE_STOPPING,
    ENGINE_PHASE_FAILED, /* ended by itself or cannot be started; will be tried again */
};

struct engine_status {
    enum engine_phase phase;
    char message[1024];   /* why it failed, with the end of its log; never a password */
    char connection[256]; /* without password; "" for none */
    uint32_t restarts;
};

/* engine_new(conf, ret): takes over a process that an earlier life of the node left running, when it is provably the same one; it is then wanted
 * until engine_stop. Copies conf's texts. Starts one thread. USAGE for an address that is none and for paths with other characters than letters,
 * digits and ._/+:@- , which the files of an engine could not hold. */
ks_rc engine_new(const struct engine_conf *conf, struct engine **ret) KS_MUST;
/* engine_start(e): wanted from now on. Returns at once. */
void engine_start(struct engine *e);
/* engine_stop(e, ms_max, wait_ms_max): not wanted any more: asked to end, and killed after ms_max. True: no process of it is left, but those
 * that the kernel did not let go within ten seconds more. False: that is not so yet after wait_ms_max, whatever hangs; it goes on. */
bool engine_stop(struct engine *e, uint32_t ms_max, uint32_t wait_ms_max);
void engine_status(struct engine *e, struct engine_status *ret);
/* engine_password(e, ret): of the engine's administrator, made at its initialisation, kept on the volume and in memory while it runs. NOT_FOUND for
 * engines without, while it is not wanted, before it was started, or after it was taken over while the volume is locked. */
ks_rc engine_password(struct engine *e, struct secret **ret) KS_MUST;
/* engine_free(e, is_leaving_it): stops it unless it is to go on running without us. NULL does nothing. False: its thread hangs, also after half a
 * minute; then it, its template and what its conf names are left for that thread. */
bool engine_free(struct engine *e, bool is_leaving_it);
