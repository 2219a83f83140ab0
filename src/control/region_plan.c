/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/region_plan.c - compares the regions wanted with those there.
 */
#include "control/region_plan.h"

#include <string.h>

static const struct region *find_there(const struct region *there, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(there[i].name, name) == 0)
            return &there[i];
    return NULL;
}

static bool is_wished(const struct region_wish *wish, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(wish[i].name, name) == 0)
            return true;
    return false;
}

static bool has_cmek(const struct region *there, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (there[i].state != REGION_REMOVING && there[i].status != CMEK_DISABLED)
            return true;
    return false;
}

static void append(struct region_plan *p, enum plan_action action, const struct region_wish *wish,
                   const struct region *there)
{
    p->steps[p->count++] = (struct plan_step){action, wish, there};
    p->changes += action != PLAN_KEEP;
}

static enum plan_action action_of_old(const struct region *r, const struct region_wish *wish,
                                      struct faults *f)
{
    if (r->state == REGION_REMOVING)
        faults_add(f, "region %s is still being removed", r->name);
    if (wish->key_count)
        faults_add(f, "region %s is there already: its keys are changed with its CMEK, not here",
                   r->name);
    if (wish->node_count == r->node_count)
        return PLAN_KEEP;
    if (r->is_revoked && wish->node_count > r->node_count)
        faults_add(f, "region %s is revoked: restore it before it grows", r->name);
    return PLAN_SCALE;
}

static void check_new(const struct region_wish *wish, bool is_cmek, struct faults *f)
{
    if (is_cmek && !wish->key_count)
        faults_add(f, "region %s needs a key: the cluster's other regions have one", wish->name);
}

void region_plan_make(const struct region *there, size_t there_count,
                      const struct region_wish *wish, size_t wish_count, struct faults *f,
                      struct region_plan *ret)
{
    bool is_cmek = has_cmek(there, there_count);

    *ret = (struct region_plan){0};
    for (size_t i = 0; i < wish_count && i < REGIONS_MAX; i++) {
        const struct region *r = find_there(there, there_count, wish[i].name);
        if (!r)
            check_new(&wish[i], is_cmek, f);
        append(ret, r ? action_of_old(r, &wish[i], f) : PLAN_ADD, &wish[i], r);
    }
    for (size_t i = 0; i < there_count && i < REGIONS_MAX; i++)
        if (there[i].state != REGION_REMOVING && !is_wished(wish, wish_count, there[i].name))
            append(ret, PLAN_REMOVE, NULL, &there[i]);
}
