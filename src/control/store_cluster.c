/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/store_cluster.c - clusters, their regions and the regions' keys in the store.
 */
#include "control/store_int.h"

ks_rc store_cluster_put(struct store_tx *tx, const struct cluster *row)
{
    store_touch(tx, row->id);
    return store_put(tx, Q_CLUSTER_PUT, row);
}

ks_rc store_cluster_get(struct store_view *v, const char *id, struct cluster *ret)
{
    return db_row(v->db, Q_CLUSTER, DB_ARGS(db_text(id)), ret);
}

ks_rc store_cluster_by_name(struct store_view *v, const char *organisation, const char *name,
                            struct cluster *ret)
{
    return db_row(v->db, Q_CLUSTER_BY_NAME, DB_ARGS(db_text(organisation), db_text(name)), ret);
}

/* [order][is_with_deleted]. Of those that are not deleted the time of deletion is 0: by it, they are as by number. */
static const enum store_query cluster_lists[STORE_CLUSTER_ORDER_COUNT][2] = {
    [STORE_CLUSTERS_BY_NUMBER] = {Q_CLUSTERS_BY_NUMBER, Q_CLUSTERS_BY_NUMBER_WITH},
    [STORE_CLUSTERS_BY_NAME] = {Q_CLUSTERS_BY_NAME, Q_CLUSTERS_BY_NAME_WITH},
    [STORE_CLUSTERS_BY_DELETED] = {Q_CLUSTERS_BY_NUMBER, Q_CLUSTERS_BY_DELETED_WITH},
};

ks_rc store_clusters(struct store_view *v, const struct store_clusters_ask *ask,
                     const struct store_page *page, struct cluster **ret, size_t *ret_count)
{
    struct store_from from = store_from(page);
    const struct db_arg args[] = {
        db_number(from.at),         db_number(from.number),
        db_text(from.text),         db_number(from.count_max),
        db_text(ask->organisation), db_text(ask->dialect ? ask->dialect : ""),
        {.kind = DB_ARG_END}};

    return db_rows(v->db, cluster_lists[ask->order][ask->is_with_deleted] + page->is_descending,
                   args, ret, ret_count);
}

ks_rc store_region_put(struct store_tx *tx, const struct region *row)
{
    store_touch(tx, row->cluster);
    return store_put(tx, Q_REGION_PUT, row);
}

ks_rc store_region_get(struct store_view *v, const char *cluster, const char *name,
                       struct region *ret)
{
    return db_row(v->db, Q_REGION, DB_ARGS(db_text(cluster), db_text(name)), ret);
}

ks_rc store_regions(struct store_view *v, const char *cluster, struct region **ret,
                    size_t *ret_count)
{
    return db_rows(v->db, Q_REGIONS, DB_ARGS(db_text(cluster)), ret, ret_count);
}

ks_rc store_region_delete(struct store_tx *tx, const char *cluster, const char *name)
{
    store_touch(tx, cluster);
    return store_change(tx, Q_REGION_DELETE, DB_ARGS(db_text(cluster), db_text(name)));
}

ks_rc store_region_key_put(struct store_tx *tx, const struct region_key *row)
{
    store_touch(tx, row->cluster);
    return store_put(tx, Q_REGION_KEY_PUT, row);
}

ks_rc store_region_key_get(struct store_view *v, const char *id, struct region_key *ret)
{
    return db_row(v->db, Q_REGION_KEY, DB_ARGS(db_text(id)), ret);
}

ks_rc store_region_keys(struct store_view *v, const char *cluster, const char *region,
                        struct region_key **ret, size_t *ret_count)
{
    if (region)
        return db_rows(v->db, Q_REGION_KEYS_OF_REGION, DB_ARGS(db_text(cluster), db_text(region)),
                       ret, ret_count);
    return db_rows(v->db, Q_REGION_KEYS, DB_ARGS(db_text(cluster)), ret, ret_count);
}
