/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/power.c - switching an engine; this node runs volumes without one only.
 */
#include "node/power.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

struct power {
    struct power_conf conf;
    char *engines_dir, *engine, *mountpoint, *state_dir, *address, *cluster_name;
    pthread_mutex_t mutex;
    bool is_on;
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
    if (!p)
        return;
    (void)is_leaving_it;
    pthread_mutex_destroy(&p->mutex);
    mem_free(p->engines_dir);
    mem_free(p->engine);
    mem_free(p->mountpoint);
    mem_free(p->state_dir);
    mem_free(p->address);
    mem_free(p->cluster_name);
    mem_free(p);
}

static ks_rc prepare(const struct power *p)
{
    return ks_fail(KS_E_UNSUPPORTED, "this node does not run engines: %s", p->engine);
}

void power_prepare(struct power *p)
{
    pthread_mutex_lock(&p->mutex);
    ks_rc rc = is_none(p) ? KS_SUCCESS : prepare(p);
    if (ks_ok(rc))
        p->trouble[0] = 0;
    else
        snprintf(p->trouble, sizeof p->trouble, "%s", ks_text(rc));
    pthread_mutex_unlock(&p->mutex);
}

void power_on(struct power *p)
{
    pthread_mutex_lock(&p->mutex);
    p->is_on = is_none(p);
    pthread_mutex_unlock(&p->mutex);
}

void power_off(struct power *p, uint32_t ms_max)
{
    pthread_mutex_lock(&p->mutex);
    p->is_on = false;
    pthread_mutex_unlock(&p->mutex);
    (void)ms_max;
}

bool power_is_on(struct power *p)
{
    pthread_mutex_lock(&p->mutex);
    bool is_on = p->is_on;
    pthread_mutex_unlock(&p->mutex);
    return is_on;
}

void power_status(struct power *p, struct power_status *ret)
{
    *ret = (struct power_status){.state = ENGINE_NONE};
    if (is_none(p))
        return;
    ret->state = ENGINE_STOPPED;
    pthread_mutex_lock(&p->mutex);
    if (p->trouble[0]) {
        ret->state = ENGINE_FAILED;
        snprintf(ret->message, sizeof ret->message, "%s", p->trouble);
    }
    pthread_mutex_unlock(&p->mutex);
}

ks_rc power_password(struct power *p, struct secret **ret)
{
    (void)p, (void)ret;
    return ks_fail(KS_E_NOT_FOUND, "there is no engine");
}
