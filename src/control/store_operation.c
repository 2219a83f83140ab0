/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/store_operation.c - operations with their steps, receipts, and what is due when, in the store.
 */
#include "control/store_int.h"

ks_rc store_operation_put(struct store_tx *tx, const struct operation *row)
{
    return store_put(tx, Q_OPERATION_PUT, row);
}

ks_rc store_operation_get(struct store_view *v, const char *id, struct operation *ret)
{
    return db_row(v->db, Q_OPERATION, DB_ARGS(db_text(id)), ret);
}

/* The query, and how many of the parameters it takes. */
static size_t operations_query(const struct store_operations_ask *ask, size_t *ret_args)
{
    *ret_args = ask->cluster || ask->kind ? 5 : ask->state ? 4 : 3;
    if (ask->cluster)
        return Q_OPERATIONS;
    if (ask->state)
        return ask->kind ? Q_OPERATIONS_ALL_OF_BOTH : Q_OPERATIONS_ALL_IN_STATE;
    return ask->kind ? Q_OPERATIONS_ALL_OF_KIND : Q_OPERATIONS_ALL;
}

ks_rc store_operations(struct store_view *v, const struct store_operations_ask *ask,
                       const struct store_page *page, struct operation **ret, size_t *ret_count)
{
    struct store_from from = store_from(page);
    const char *state = ask->state ? operation_state_name(*ask->state) : "",
               *kind = ask->kind ? operation_kind_name(*ask->kind) : "";

    struct db_arg args[] = {db_number(from.number),
                            db_number(from.count_max),
                            db_text(ask->cluster ? ask->cluster : ask->organisation),
                            db_text(state),
                            db_text(kind),
                            {.kind = DB_ARG_END}};
    size_t count, query = operations_query(ask, &count);

    args[count].kind = DB_ARG_END;
    return db_rows(v->db, query + page->is_descending, args, ret, ret_count);
}

ks_rc store_operations_running(struct store_view *v, const char *cluster,
                               const struct store_page *page, struct operation **ret,
                               size_t *ret_count)
{
    struct store_from from = store_from(page);

    if (cluster)
        return db_rows(v->db, Q_OPERATIONS_RUNNING_OF + page->is_descending,
                       DB_ARGS(db_number(from.number), db_number(from.count_max), db_text(cluster)),
                       ret, ret_count);
    return db_rows(v->db, Q_OPERATIONS_RUNNING + page->is_descending,
                   DB_ARGS(db_number(from.number), db_number(from.count_max)), ret, ret_count);
}

ks_rc store_operation_step_put(struct store_tx *tx, const struct operation_step *row)
{
    return store_put(tx, Q_OPERATION_STEP_PUT, row);
}

ks_rc store_operation_steps(struct store_view *v, const char *operation,
                            struct operation_step **ret, size_t *ret_count)
{
    return db_rows(v->db, Q_OPERATION_STEPS, DB_ARGS(db_text(operation)), ret, ret_count);
}

/* -- receipts -- */

ks_rc store_receipt_put(struct store_tx *tx, const struct receipt *row, bool *ret_is_new)
{
    ks_rc rc = store_put(tx, Q_RECEIPT_PUT, row);

    if (!ks_ok(rc) && !ks_is(rc, KS_E_EXISTS))
        return rc;
    *ret_is_new = ks_ok(rc);
    return KS_SUCCESS;
}

ks_rc store_receipts(struct store_view *v, const char *cluster, const char *operation,
                     const struct store_page *page, struct receipt **ret, size_t *ret_count)
{
    struct store_from from = store_from(page);
    const struct db_arg args[] = {db_number(from.at), db_text(from.text), db_number(from.count_max),
                                  db_text(cluster),   db_text(operation), {.kind = DB_ARG_END}};

    if (operation)
        return db_rows(v->db, Q_RECEIPTS_OF_OPERATION + page->is_descending, args, ret, ret_count);
    return db_rows(v->db, Q_RECEIPTS + page->is_descending,
                   DB_ARGS(args[0], args[1], args[2], args[3]), ret, ret_count);
}

/* -- what is old -- */

ks_rc store_operations_ended(struct store_view *v, int64_t before, uint32_t count_max,
                             struct operation **ret, size_t *ret_count)
{
    return db_rows(v->db, Q_OPERATIONS_ENDED, DB_ARGS(db_number(before), db_number(count_max)), ret,
                   ret_count);
}

ks_rc store_receipts_old(struct store_view *v, int64_t before, uint32_t count_max,
                         struct receipt **ret, size_t *ret_count)
{
    return db_rows(v->db, Q_RECEIPTS_OLD, DB_ARGS(db_number(before), db_number(count_max)), ret,
                   ret_count);
}

ks_rc store_operation_delete(struct store_tx *tx, const char *id)
{
    TRY(store_change(tx, Q_OPERATION_STEPS_DELETE, DB_ARGS(db_text(id))));
    return store_change(tx, Q_OPERATION_DELETE, DB_ARGS(db_text(id)));
}

ks_rc store_receipt_delete(struct store_tx *tx, const char *id)
{
    return store_change(tx, Q_RECEIPT_DELETE, DB_ARGS(db_text(id)));
}

/* -- what is due -- */

ks_rc store_due_put(struct store_tx *tx, const struct store_due *row)
{
    return store_put(tx, Q_DUE_PUT, row);
}

ks_rc store_due_get(struct store_view *v, const char *cluster, const char *region, const char *what,
                    struct store_due *ret)
{
    return db_row(v->db, Q_DUE, DB_ARGS(db_text(cluster), db_text(region), db_text(what)), ret);
}

ks_rc store_dues_until(struct store_view *v, int64_t at, uint32_t count_max, struct store_due **ret,
                       size_t *ret_count)
{
    return db_rows(v->db, Q_DUES_UNTIL, DB_ARGS(db_number(at), db_number(count_max)), ret,
                   ret_count);
}

ks_rc store_due_delete(struct store_tx *tx, const char *cluster, const char *region,
                       const char *what)
{
    if (!region || !what)
        return store_change(tx, Q_DUES_DELETE, DB_ARGS(db_text(cluster)));
    return store_change(tx, Q_DUE_DELETE,
                        DB_ARGS(db_text(cluster), db_text(region), db_text(what)));
}
