/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/store_account.c - organisations, keys of the API, and replies kept for repeated requests, in the store.
 */
#include "control/scope.h"
#include "control/store_int.h"

ks_rc store_organisation_put(struct store_tx *tx, const struct organisation *row)
{
    return store_put(tx, Q_ORGANISATION_PUT, row);
}

ks_rc store_organisation_get(struct store_view *v, const char *id, struct organisation *ret)
{
    return db_row(v->db, Q_ORGANISATION, DB_ARGS(db_text(id)), ret);
}

ks_rc store_organisations(struct store_view *v, const struct store_page *page,
                          struct organisation **ret, size_t *ret_count)
{
    struct store_from from = store_from(page);

    return db_rows(v->db, Q_ORGANISATIONS + page->is_descending,
                   DB_ARGS(db_number(from.at), db_text(from.text), db_number(from.count_max)), ret,
                   ret_count);
}

ks_rc store_platform_put(struct store_tx *tx, const struct platform *row)
{
    const struct store_platform one = {.id = 1, .platform = *row};

    return store_put(tx, Q_PLATFORM_PUT, &one);
}

ks_rc store_platform_get(struct store_view *v, struct platform *ret)
{
    struct store_platform one = {0};
    ks_rc rc = db_row(v->db, Q_PLATFORM, DB_NO_ARGS, &one);

    if (!ks_ok(rc) && !ks_is(rc, KS_E_NOT_FOUND))
        return rc;
    *ret = one.platform;
    return KS_SUCCESS;
}

ks_rc store_api_key_put(struct store_tx *tx, const struct store_api_key *row)
{
    store_touch(tx, row->key.id);
    return store_put(tx, Q_API_KEY_PUT, row);
}

ks_rc store_api_key_get(struct store_view *v, const char *id, struct store_api_key *ret)
{
    return db_row(v->db, Q_API_KEY, DB_ARGS(db_text(id)), ret);
}

ks_rc store_api_keys(struct store_view *v, const struct caller *by, const struct store_page *page,
                     struct store_api_key **ret, size_t *ret_count)
{
    struct store_from from = store_from(page);
    struct db_arg args[] = {db_number(from.at),        db_text(from.text),
                            db_number(from.count_max), db_text(by->organisation),
                            db_text(by->cluster),      {.kind = DB_ARG_END}};
    size_t query = Q_API_KEYS_CLUSTER;

    if (caller_is_platform(by)) {
        query = Q_API_KEYS_PLATFORM;
        args[3].kind = DB_ARG_END;
    } else if (by->cluster[0] == '\0') {
        query = Q_API_KEYS_ORGANISATION;
        args[4].kind = DB_ARG_END;
    }
    return db_rows(v->db, query + page->is_descending, args, ret, ret_count);
}

ks_rc store_api_key_used(struct store_tx *tx, const char *id, int64_t at)
{
    store_touch(tx, id);
    return store_change(tx, Q_API_KEY_USED, DB_ARGS(db_text(id), db_number(at)));
}

ks_rc store_repeat_put(struct store_tx *tx, const struct store_repeat *row, struct view body)
{
    TRY(store_put(tx, Q_REPEAT_PUT, row));
    return store_change(tx, Q_REPEAT_BODY_PUT,
                        DB_ARGS(db_text(row->owner), db_text(row->word), db_bytes(body)));
}

ks_rc store_repeat_get(struct store_view *v, const char *owner, const char *word,
                       struct store_repeat *ret)
{
    return db_row(v->db, Q_REPEAT, DB_ARGS(db_text(owner), db_text(word)), ret);
}

ks_rc store_repeat_body(struct store_view *v, const char *owner, const char *word, struct buf *ret)
{
    return db_content(v->db, Q_REPEAT_BODY, DB_ARGS(db_text(owner), db_text(word)), ret);
}

ks_rc store_repeats_expire(struct store_tx *tx, int64_t before)
{
    return store_change(tx, Q_REPEATS_EXPIRE, DB_ARGS(db_number(before)));
}
