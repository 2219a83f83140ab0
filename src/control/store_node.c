/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/store_node.c - nodes and join tokens in the store.
 */
#include <string.h>

#include "control/store_int.h"

ks_rc store_node_put(struct store_tx *tx, const struct node *row)
{
    return store_put(tx, Q_NODE_PUT, row);
}

ks_rc store_node_get(struct store_view *v, const char *id, struct node *ret)
{
    return db_row(v->db, Q_NODE, DB_ARGS(db_text(id)), ret);
}

ks_rc store_node_by_certificate(struct store_view *v, const char *fingerprint, struct node *ret)
{
    return db_row(v->db, Q_NODE_BY_CERTIFICATE, DB_ARGS(db_text(fingerprint)), ret);
}

ks_rc store_nodes(struct store_view *v, const struct store_page *page, struct node **ret,
                  size_t *ret_count)
{
    struct store_from from = store_from(page);

    return db_rows(v->db, Q_NODES + page->is_descending,
                   DB_ARGS(db_number(from.at), db_text(from.text), db_number(from.count_max)), ret,
                   ret_count);
}

ks_rc store_nodes_of_region(struct store_view *v, const char *region, struct node **ret,
                            size_t *ret_count)
{
    return db_rows(v->db, Q_NODES_OF_REGION, DB_ARGS(db_text(region)), ret, ret_count);
}

ks_rc store_region_names(struct store_view *v, char (**ret)[NAME_BYTES], size_t *ret_count)
{
    struct db_words words = {.width = NAME_BYTES};

    TRY(db_words(v->db, Q_REGION_NAMES, DB_NO_ARGS, &words));
    *ret = (char(*)[NAME_BYTES])words.texts;
    *ret_count = words.count;
    return KS_SUCCESS;
}

ks_rc store_node_volume_count(struct store_view *v, const char *node, int64_t *ret)
{
    return db_value(v->db, Q_NODE_VOLUME_COUNT, DB_ARGS(db_text(node)), ret);
}

ks_rc store_join_token_put(struct store_tx *tx, const struct store_join_token *row)
{
    return store_put(tx, Q_JOIN_TOKEN_PUT, row);
}

ks_rc store_join_token_get(struct store_view *v, const char *id, struct store_join_token *ret)
{
    return db_row(v->db, Q_JOIN_TOKEN, DB_ARGS(db_text(id)), ret);
}

ks_rc store_join_tokens_expire(struct store_tx *tx, int64_t before)
{
    return store_change(tx, Q_JOIN_TOKENS_EXPIRE, DB_ARGS(db_number(before)));
}
