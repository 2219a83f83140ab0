/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/rollback.c - accepting a keyring that is older than one that was there before, because somebody restored a backup on purpose.
 *
 * A program cannot tell that from a keyring that was put back to undo a rotation or a removed key. So it takes a person who says of one
 * volume which keyring it is, and the word is kept.
 */
#include <string.h>

#include "base/mem.h"
#include "control/cluster_int.h"
#include "control/message.h"

static ks_rc find_volume(struct store_view *v, const char *cluster, const char *volume,
                         struct cluster_volume *ret)
{
    ks_rc rc =
        id_is_valid(volume) ? store_volume_get(v, volume, ret) : ks_fail(KS_E_NOT_FOUND, "no id");

    if (ks_is(rc, KS_E_NOT_FOUND) || (ks_ok(rc) && strcmp(ret->cluster, cluster) != 0))
        return ks_fail(KS_E_NOT_FOUND, "cluster %s has no volume %.40s", cluster, volume);
    return rc;
}

/* Only what the caller has seen is accepted: another one may have been put there meanwhile. */
static ks_rc check_found(const struct cluster_volume *v, int64_t sequence)
{
    ENSURE(v->found > 0, KS_E_STATE,
           "volume %s is not refused because of its keyring: there is nothing to accept", v->id);
    ENSURE(v->found == sequence, KS_E_STATE,
           "the keyring that volume %s has now is of sequence %lld, not %lld; look at it again",
           v->id, (long long)v->found, (long long)sequence);
    ENSURE(v->found < v->anchor.sequence, KS_E_STATE,
           "the keyring that volume %s has now says that it is of sequence %lld, which is not "
           "older than the %lld that was there before: nothing vouches for that number",
           v->id, (long long)v->found, (long long)v->anchor.sequence);
    return KS_SUCCESS;
}

static ks_rc tell(struct work *w, const struct caller *by, const struct cluster *c,
                  const struct cluster_volume *v)
{
    char object[128] = "";

    message_put(object, sizeof object, "volume/%s", v->id);
    struct store_event event = {
        .action = "volume.accept_rollback",
        .organisation = c->organisation,
        .cluster = c->id,
        .object = object,
        .detail = json_pack("{s:s, s:s, s:I, s:I}", "region", v->region, "node", v->node, "from",
                            (json_int_t)v->anchor.sequence, "to", (json_int_t)v->found),
    };
    return store_tx_audit(w->tx, by, &event);
}

static ks_rc accept(struct work *w, struct cluster_volume *v)
{
    ENSURE(v->anchor.accepted < ANCHOR_ACCEPTED_MAX, KS_E_LIMIT,
           "keyrings of volume %s were accepted %lld times, which is the most that can be counted",
           v->id, (long long)v->anchor.accepted);
    v->anchor.sequence = v->found;
    v->anchor.accepted++;
    v->found = 0;
    TRY(wish_changed_of(w, v, 1));
    store_tx_observe(w->tx);
    return cluster_touch(w, v->cluster);
}

ks_rc control_accept_rollback(struct control *c, const struct caller *by, const char *cluster,
                              const char *volume, int64_t sequence, struct cluster_volume *ret)
{
    CLEANUP(work_abandon) struct work w = {0};
    CLEANUP(mem_freep) struct cluster *row = NULL;
    CLEANUP(mem_freep) struct cluster_volume *v = NULL;

    TRY(mem_new(1, sizeof *row, &row));
    TRY(mem_new(1, sizeof *v, &v));
    TRY(work_begin(c, &w));
    TRY(cluster_find(store_tx_view(w.tx), by, cluster, row));
    TRY(find_volume(store_tx_view(w.tx), cluster, volume, v));
    TRY(check_found(v, sequence));
    TRY(tell(&w, by, row, v));
    TRY(accept(&w, v));
    TRY(work_end(&w));
    *ret = *v;
    return KS_SUCCESS;
}
