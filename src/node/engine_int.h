/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/engine_int.h - private to node/engine*.c: a template's parts, its texts with values put in, its place on the volume.
 */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "io/io.h"
#include "io/program.h"
#include "node/engine.h"

enum {
    ENGINE_NAME_BYTES = 33,
    ENGINE_TEXT_MAX = 64 * 1024, /* of a template, and of a file that it writes */
    ENGINE_STEPS_MAX = 8,
    ENGINE_FILES_MAX = 8,
    ENGINE_ARGS_MAX = 64,
    ENGINE_STOPS_MAX = 4,
    ENGINE_ENV_MAX = 32,
    ENGINE_PASSWORD_BYTES = 32,
    ENGINE_HOST_BYTES = 256,
};

/* ---- templates (engine_template.c) ---- */

struct engine_step {
    const char *program; /* a name of "programs"; NULL: nothing to run */
    const char *args[ENGINE_ARGS_MAX];
    size_t arg_count;
    const char *input, *expect; /* NULL: nothing to read; any output will do */
    uint32_t seconds;
};

struct engine_steps {
    struct engine_step steps[ENGINE_STEPS_MAX];
    size_t count;
};

struct engine_file {
    const char *name, *text;
};

struct engine_template {
    json_t *document; /* owns every text and object below */
    char name[ENGINE_NAME_BYTES];
    const char *hint, *connection;
    json_t *programs, *users, *environment, *directories;
    struct engine_file files[ENGINE_FILES_MAX];
    size_t file_count;
    struct engine_steps initialise, prepare;
    bool has_process, has_password;
    bool is_shared_user; /* runs as the first of its users whosever the engine is */
    struct engine_step start, ready;
    struct {
        int number;
        uint32_t seconds;
    } stops[ENGINE_STOPS_MAX];
    size_t stop_count;
    uint32_t files_max;
};

/* engine_template_parse(name, text, ret): the text of name.yml. */
ks_rc engine_template_parse(const char *name, struct view text,
                            struct engine_template **ret) KS_MUST;
/* engine_find_program(t, name, ret): NOT_FOUND with the template's hint. engine_find_user: the first of its users that is there. */
ks_rc engine_find_program(const struct engine_template *t, const char *name, char **ret) KS_MUST;
ks_rc engine_find_user(const struct engine_template *t, struct program_user *ret) KS_MUST;

/* ---- texts (engine_text.c) ---- */

/* What stands for {name} in a template's texts. */
struct engine_values {
    struct {
        const char *name, *value;
    } pairs[12];
    size_t count;
};

/* engine_text_check(text, may_be_secret): USAGE for a { that begins no known name. {password} and {password_sha256} only where
 * may_be_secret: not where other processes or people see it. */
ks_rc engine_text_check(const char *text, bool may_be_secret) KS_MUST;
/* engine_text_expand(text, values, ret): appended; {{ and }} are braces. */
ks_rc engine_text_expand(const char *text, const struct engine_values *values,
                         struct buf *ret) KS_MUST;

/* ---- the engine's place on the volume (engine_home.c) ---- */

/*
 * MOUNTPOINT/engine, root's:
 *   initialised    names the home that is complete; written last, durably
 *   home-N         the engine's own; N rises with each attempt to initialise
 *   conf           files that the template writes, anew before each start; the engine's to read
 *   log            its output, and the output of steps
 *   password       of its administrator
 */
struct engine_home {
    uint64_t device; /* of the volume: a path that leads elsewhere now is refused */
    char *path, *home, *conf,
        *log; /* MOUNTPOINT/engine and what is in it; home NULL until there is one */
    bool is_initialised, is_prepared;
    struct secret *password; /* NULL: none yet, or none at all */
};

/* engine_home_open(conf, ret): makes the directory. STATE when another engine lives there or nothing is mounted. Keeps nothing open on the volume. */
ks_rc engine_home_open(const struct engine_conf *conf, struct engine_home **ret) KS_MUST;
void engine_home_free(struct engine_home *h);
/* engine_home_admit(h, conf, owner): the engine may enter the volume, and with an owner (not 0) no other user. Not while one runs as somebody else. */
ks_rc engine_home_admit(struct engine_home *h, const struct engine_conf *conf, uid_t owner) KS_MUST;
/* engine_home_begin(h, t, user): a new, empty home for an attempt to initialise, its directories made. LIMIT after a hundred. */
ks_rc engine_home_begin(struct engine_home *h, const struct engine_template *t,
                        const struct program_user *user) KS_MUST;
/* engine_home_give(h, user): what is in the home and belonged to who had it before is the user's; nothing when the home is already. No process may
 * work in it. */
ks_rc engine_home_give(struct engine_home *h, const struct program_user *user) KS_MUST;
/* engine_home_commit(h, name, is_prepared): what is in the home is durable and complete from now on. */
ks_rc engine_home_commit(struct engine_home *h, const char *name, bool is_prepared) KS_MUST;
/* engine_home_password(h, random): makes the password when there is none. */
ks_rc engine_home_password(struct engine_home *h, struct random *random) KS_MUST;
/* engine_home_write(h, name, text, user): a file in conf that the engine may read, mode 0600. */
ks_rc engine_home_write(struct engine_home *h, const char *name, struct view text,
                        const struct program_user *user) KS_MUST;

/* ---- who runs (engine_pid.c) ---- */

/* What an agent that starts again must know of a process that goes on; it may not be able to read the volume. */
struct engine_pid {
    struct program_identity identity;
    char program[1024], home[1024], log[1024];
};

/* engine_pid_read(dir, ret): NOT_FOUND. dir: the engine's directory on the host. */
ks_rc engine_pid_read(const char *dir, struct engine_pid *ret) KS_MUST;
/* engine_pid_write(dir, pid): NULL: nobody. */
ks_rc engine_pid_write(const char *dir, const struct engine_pid *pid) KS_MUST;

/* ---- starting it (engine_start.c) ---- */

/* One life of an engine: from the open volume to the last of its processes. */
struct engine_life {
    const struct engine_conf *conf;
    bool
        is_adopted; /* it may run as another user than it would be started as: no step is run for it */
    uid_t owner;    /* 0: it runs as a user that its template names */
    struct program_user user;  /* who it is */
    struct program_user maker; /* who it is while it is initialised */
    struct engine_home *home;  /* NULL: not opened, or taken over */
    struct program *process;   /* NULL: none */
    struct engine_pid pid;     /* of process; home and log also before */
    int cancel_fd;             /* readable: give up */
    char host[64], probe_host[64], client_host[ENGINE_HOST_BYTES], port[8];
};

/* engine_life_init(life, conf, cancel_fd): USAGE for an address that is none or paths that a file of an engine cannot hold. */
ks_rc engine_life_init(struct engine_life *life, const struct engine_conf *conf,
                       int cancel_fd) KS_MUST;
/* engine_life_adopt(life): the process that an earlier life of the node left; NOT_FOUND. */
ks_rc engine_life_adopt(struct engine_life *life) KS_MUST;
/* engine_life_start(life): initialises when needed, writes the files, starts the process if it has one. STATE when it was cancelled. */
ks_rc engine_life_start(struct engine_life *life) KS_MUST;
/* engine_life_is_ready(life): takes connections, and its probe is content. */
bool engine_life_is_ready(struct engine_life *life);
/* engine_life_prepare(life): the steps for the first time that it is ready; nothing the other times. */
ks_rc engine_life_prepare(struct engine_life *life) KS_MUST;
/* engine_life_end(life): forgets process and place; there must be none of its processes left. */
void engine_life_end(struct engine_life *life);
/* engine_life_connection(life, room, len): for customers, without password. */
void engine_life_connection(const struct engine_life *life, char *room, size_t len);
/* engine_life_explain(life, why, room, len): why, and the end of its log, without the password. */
void engine_life_explain(const struct engine_life *life, const char *why, char *room, size_t len);
