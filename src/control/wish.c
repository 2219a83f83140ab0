/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/wish.c - new goals for volumes whose wish has changed.
 */
#include "base/mem.h"
#include "control/control_int.h"
#include "control/store.h"

static ks_rc set_goal(struct work *w, struct cluster_volume *v)
{
    TRY(store_tx_next(w->tx, STORE_GOAL, &v->goal));
    TRY(store_volume_put(w->tx, v));
    work_tell(w, 'n', v->node);
    return KS_SUCCESS;
}

ks_rc wish_renew_lost(struct work *w, struct cluster_volume *v)
{
    if (v->reached <= v->goal)
        return KS_SUCCESS;
    TRY(store_tx_next(w->tx, STORE_GOAL, &v->goal));
    v->reached = GOAL_NONE;
    work_tell(w, 'n', v->node);
    return KS_SUCCESS;
}

ks_rc wish_changed_of(struct work *w, struct cluster_volume *volumes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        TRY(set_goal(w, &volumes[i]));
    return KS_SUCCESS;
}

ks_rc wish_changed(struct work *w, const char *cluster, const char *region)
{
    CLEANUP(mem_freep) struct cluster_volume *volumes = NULL;
    size_t count;

    TRY(store_volumes(store_tx_view(w->tx), cluster, region, &volumes, &count));
    return wish_changed_of(w, volumes, count);
}
