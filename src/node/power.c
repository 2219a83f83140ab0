/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/power.c - switching an engine.
 *
 * The template is read anew whenever it could not be used, so that installing an engine needs no restart of the node. An engine object is
 * made with the first start and kept: its log and its count of restarts go on.
 */
#include "node/power.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "node/engine.h"

struct power {
    struct power_conf conf;
    char *engines_dir, *engine, *mountpoint, *state_dir, *address, *client_host, *cluster_name,
        *organisation;
    pthread_mutex_t mutex;
    bool is_on;
    struct engine_template *kind;
    struct engine *process;
    char trouble[MESSAGE_BYTES]; /* why there is no engine */
};

static bool is_none(const struct power *p)
{
    return p->engine[0] == 0 || strcmp(p->engine, "none") == 0;
}

static ks_rc copy_texts(struct power *p, const struct power_conf *conf)
{
    TRY(mem_text(conf->engines_dir, &p->engines_dir));
    TRY(mem_text(conf->engine, &p->engine));
    TRY(mem_text(conf->mountpoint, &p->mountpoint));
    TRY(mem_text(conf->state_dir, &p->state_dir));
    TRY(mem_text(conf->address, &p->address));
    TRY(mem_text(conf->organisation, &p->organisation));
    TRY(mem_text(conf->client_host, &p->client_host));
    return mem_text(conf->cluster_name, &p->cluster_name);
}

ks_rc power_new(const struct power_conf *conf, struct power **ret)
{
    struct power *p = NULL;

    TRY(mem_new(1, sizeof *p, &p));
    pthread_mutex_init(&p->mutex, NULL);
    p->conf = *conf;
    ks_rc rc = copy_texts(p, conf);
    if (ks_ok(rc))
        *ret = p;
    else
        power_free(p, false);
    return rc;
}

void power_free(struct power *p, bool is_leaving_it)
{
    if (!p || !engine_free(p->process, is_leaving_it))
        return;
    engine_template_free(p->kind);
    pthread_mutex_destroy(&p->mutex);
    mem_free(p->engines_dir);
    mem_free(p->engine);
    mem_free(p->mountpoint);
    mem_free(p->state_dir);
    mem_free(p->address);
    mem_free(p->client_host);
    mem_free(p->cluster_name);
    mem_free(p->organisation);
    mem_free(p);
}

static ks_rc find_owner(void *power, uid_t *ret)
{
    struct power *p = power;

    return p->conf.owner(p->conf.arg, p->organisation, ret);
}

static ks_rc make_engine(struct power *p, const struct engine_template *kind, struct engine **ret)
{
    const struct engine_conf conf = {.kind = kind,
                                     .mountpoint = p->mountpoint,
                                     .state_dir = p->state_dir,
                                     .address = p->address,
                                     .client_host = p->client_host,
                                     .port = p->conf.port,
                                     .cluster_name = p->cluster_name,
                                     .owner = find_owner,
                                     .owner_arg = p,
                                     .clock = p->conf.clock,
                                     .random = p->conf.random,
                                     .told = p->conf.told,
                                     .arg = p->conf.arg};

    return engine_new(&conf, ret);
}

static ks_rc find_engine(struct power *p, struct engine_template **ret_kind, struct engine **ret)
{
    struct engine_template *kind = NULL;

    TRY(engine_template_load(p->engines_dir, p->engine, &kind));
    ks_rc rc = engine_template_check(kind);
    if (ks_ok(rc))
        rc = make_engine(p, kind, ret);
    if (ks_ok(rc))
        *ret_kind = kind;
    else
        engine_template_free(kind);
    return rc;
}

/* The disk is read without the mutex: nobody who asks how things are waits for it. */
void power_prepare(struct power *p)
{
    struct engine_template *kind = NULL;
    struct engine *process = NULL;
    struct engine_status status = {.phase = ENGINE_PHASE_IDLE};

    pthread_mutex_lock(&p->mutex);
    bool is_ready = is_none(p) || p->process;
    pthread_mutex_unlock(&p->mutex);
    if (is_ready)
        return;
    ks_rc rc = find_engine(p, &kind, &process);
    if (ks_ok(rc))
        engine_status(process, &status);
    pthread_mutex_lock(&p->mutex);
    snprintf(p->trouble, sizeof p->trouble, "%s", ks_ok(rc) ? "" : ks_text(rc));
    p->kind = kind;
    p->process = process;
    p->is_on = status.phase != ENGINE_PHASE_IDLE; /* one that an earlier life left running */
    pthread_mutex_unlock(&p->mutex);
}

void power_on(struct power *p)
{
    pthread_mutex_lock(&p->mutex);
    p->is_on = is_none(p) || p->process;
    if (p->process)
        engine_start(p->process);
    pthread_mutex_unlock(&p->mutex);
}

bool power_off(struct power *p, uint32_t ms_max)
{
    pthread_mutex_lock(&p->mutex);
    struct engine *process = p->process;
    p->is_on = false;
    pthread_mutex_unlock(&p->mutex);
    return !process || engine_stop(process, ms_max, ms_max + POWER_KILL_MS);
}

bool power_is_on(struct power *p)
{
    pthread_mutex_lock(&p->mutex);
    bool is_on = p->is_on;
    pthread_mutex_unlock(&p->mutex);
    return is_on;
}

static enum engine_state state_of(enum engine_phase phase)
{
    switch (phase) {
    case ENGINE_PHASE_STARTING:
        return ENGINE_STARTING;
    case ENGINE_PHASE_RUNNING:
        return ENGINE_RUNNING;
    case ENGINE_PHASE_FAILED:
        return ENGINE_FAILED;
    case ENGINE_PHASE_IDLE:
    case ENGINE_PHASE_STOPPING:
        break;
    }
    return ENGINE_STOPPED;
}

void power_status(struct power *p, struct power_status *ret)
{
    struct engine_status status;

    *ret = (struct power_status){.state = ENGINE_NONE};
    if (is_none(p))
        return;
    ret->state = ENGINE_STOPPED;
    pthread_mutex_lock(&p->mutex);
    if (p->trouble[0]) {
        ret->state = ENGINE_FAILED;
        snprintf(ret->message, sizeof ret->message, "%s", p->trouble);
    } else if (p->process) {
        engine_status(p->process, &status);
        ret->state = state_of(status.phase);
        snprintf(ret->message, sizeof ret->message, "%s", status.message);
        snprintf(ret->connection, sizeof ret->connection, "%s", status.connection);
    }
    pthread_mutex_unlock(&p->mutex);
}

ks_rc power_password(struct power *p, struct secret **ret)
{
    pthread_mutex_lock(&p->mutex);
    struct engine *process = p->process; /* lives as long as p */
    pthread_mutex_unlock(&p->mutex);
    return process ? engine_password(process, ret) : ks_fail(KS_E_NOT_FOUND, "there is no engine");
}
