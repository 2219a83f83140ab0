/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/store_volume.c - volumes, what nodes reported about keys on them, and documents in the store.
 */
#include "control/store_int.h"

ks_rc store_volume_put(struct store_tx *tx, const struct cluster_volume *row)
{
    return store_put(tx, Q_VOLUME_PUT, row);
}

ks_rc store_volume_get(struct store_view *v, const char *id, struct cluster_volume *ret)
{
    return db_row(v->db, Q_VOLUME, DB_ARGS(db_text(id)), ret);
}

ks_rc store_volumes(struct store_view *v, const char *cluster, const char *region,
                    struct cluster_volume **ret, size_t *ret_count)
{
    if (region)
        return db_rows(v->db, Q_VOLUMES_OF_REGION, DB_ARGS(db_text(cluster), db_text(region)), ret,
                       ret_count);
    return db_rows(v->db, Q_VOLUMES, DB_ARGS(db_text(cluster)), ret, ret_count);
}

ks_rc store_volumes_of_node(struct store_view *v, const char *node, int64_t since,
                            uint32_t count_max, struct cluster_volume **ret, size_t *ret_count)
{
    return db_rows(v->db, Q_VOLUMES_OF_NODE,
                   DB_ARGS(db_text(node), db_number(since), db_number(count_max)), ret, ret_count);
}

ks_rc store_volume_delete(struct store_tx *tx, const char *id)
{
    TRY(store_document_delete(tx, "volume", id));
    return store_change(tx, Q_VOLUME_DELETE, DB_ARGS(db_text(id)));
}

ks_rc store_volume_key_put(struct store_tx *tx, const struct volume_key *row)
{
    return store_put(tx, Q_VOLUME_KEY_PUT, row);
}

ks_rc store_volume_keys(struct store_view *v, const char *volume, struct volume_key **ret,
                        size_t *ret_count)
{
    return db_rows(v->db, Q_VOLUME_KEYS, DB_ARGS(db_text(volume)), ret, ret_count);
}

ks_rc store_volume_keys_of_cluster(struct store_view *v, const char *cluster,
                                   struct volume_key **ret, size_t *ret_count)
{
    return db_rows(v->db, Q_VOLUME_KEYS_OF_CLUSTER, DB_ARGS(db_text(cluster)), ret, ret_count);
}

ks_rc store_volume_key_delete(struct store_tx *tx, const char *volume, const char *key)
{
    return store_change(tx, Q_VOLUME_KEY_DELETE, DB_ARGS(db_text(volume), db_text(key)));
}

/* -- documents and settings -- */

ks_rc store_document_put(struct store_tx *tx, const struct store_document *document)
{
    ENSURE(document->text.len <= STORE_DOCUMENT_MAX, KS_E_LIMIT, "a document of %zu bytes",
           document->text.len);
    return store_change(tx, Q_DOCUMENT_PUT,
                        DB_ARGS(db_text(document->kind), db_text(document->id),
                                db_text(document->owner), db_long_text(document->text)));
}

ks_rc store_document_get(struct store_view *v, const char *kind, const char *id, struct buf *ret)
{
    return db_content(v->db, Q_DOCUMENT, DB_ARGS(db_text(kind), db_text(id)), ret);
}

ks_rc store_document_delete(struct store_tx *tx, const char *kind, const char *id)
{
    return store_change(tx, Q_DOCUMENT_DELETE, DB_ARGS(db_text(kind), db_text(id)));
}

ks_rc store_document_ids(struct store_view *v, const char *kind, const char *owner,
                         char (**ret)[ID_BYTES], size_t *ret_count)
{
    struct db_words words = {.width = ID_BYTES};

    if (owner)
        TRY(db_words(v->db, Q_DOCUMENT_IDS_OF, DB_ARGS(db_text(kind), db_text(owner)), &words));
    else
        TRY(db_words(v->db, Q_DOCUMENT_IDS, DB_ARGS(db_text(kind)), &words));
    *ret = (char(*)[ID_BYTES])words.texts;
    *ret_count = words.count;
    return KS_SUCCESS;
}

ks_rc store_setting_put(struct store_tx *tx, const char *name, const char *text)
{
    return store_change(tx, Q_SETTING_PUT, DB_ARGS(db_text(name), db_text(text)));
}

ks_rc store_setting_get(struct store_view *v, const char *name, struct buf *ret)
{
    return db_content(v->db, Q_SETTING, DB_ARGS(db_text(name)), ret);
}
