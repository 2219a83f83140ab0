/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/store_audit.c - the audit events: one chain of SHA-256 over all of them.
 *
 * The chain of an event is the hash of the chain before it and of every member of the event, each with its length, so that no
 * event can be changed, left out or put in without all behind it being made again. The setting "audit" holds number and chain of the
 * last one: events cut off from the end are noticed too. The oldest may be removed: the setting "audit_anchor" holds number and chain of the
 * last one that was, and the newest event "audit.prune" says the same. Times never go back: by number is by time.
 */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/codec.h"
#include "base/json.h"
#include "base/mem.h"
#include "control/store_int.h"
#include "crypto/hash.h"

enum { EVENT_BYTES_MAX = 8192, HEAD_BYTES_MAX = 128, VERIFY_ROWS = 256 };

static const char HEAD[] = "audit", ANCHOR[] = "audit_anchor", DOMAIN_TEXT[] = "keystead audit v1",
                  FIRST_CHAIN[] = "", PRUNE[] = "audit.prune";
static const char LEFT_OUT[] = "{\"is_left_out\":true}";

ks_rc store_chain(const char before[65], const struct audit_event *event, char ret[65])
{
    CLEANUP(buf_done) struct buf bytes = buf_init(EVENT_BYTES_MAX), hex = buf_init(128);
    const char *const texts[] = {event->organisation, event->cluster, event->actor,
                                 event->key,          event->peer,    event->request,
                                 event->action,       event->object,  event->detail};
    uint8_t hash[HASH_BYTES];
    struct wr w = wr_init(&bytes);

    wr_text16(&w, DOMAIN_TEXT);
    wr_text16(&w, before);
    wr_u64(&w, (uint64_t)event->number);
    wr_u64(&w, (uint64_t)event->at);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        wr_text16(&w, texts[i]);
    TRY(wr_done(&w));
    TRY(hash_sha256(buf_view(&bytes), hash));
    TRY(hex_write(view_of(hash, sizeof hash), &hex));
    snprintf(ret, 65, "%s", buf_text(&hex));
    return KS_SUCCESS;
}

/* -- appending -- */

/* Takes what fits; a name that is longer than its column is cut, because an event must not fail for that. */
static void set_text(char *to, size_t room, const char *text)
{
    size_t len = text ? strnlen(text, room - 1) : 0;

    memcpy(to, text ? text : "", len);
    to[len] = '\0';
}

static ks_rc set_detail(struct audit_event *event, const json_t *detail)
{
    CLEANUP(buf_done) struct buf text = buf_init(sizeof event->detail - 1);

    if (!detail) {
        set_text(event->detail, sizeof event->detail, "{}");
        return KS_SUCCESS;
    }
    ks_rc rc = json_write(detail, true, &text);
    if (!ks_ok(rc) && !ks_is(rc, KS_E_LIMIT))
        return rc;
    set_text(event->detail, sizeof event->detail, ks_ok(rc) ? buf_text(&text) : LEFT_OUT);
    return KS_SUCCESS;
}

static void set_caller(struct audit_event *event, const struct caller *by)
{
    set_text(event->actor, sizeof event->actor, by ? by->name : "keystead");
    set_text(event->key, sizeof event->key, by ? by->key : "");
    set_text(event->peer, sizeof event->peer, by ? by->peer : "");
    set_text(event->request, sizeof event->request, by ? by->request : "");
}

static ks_rc last_event(struct db *db, struct audit_event *ret)
{
    ks_rc rc = db_row(db, Q_EVENT_LAST, DB_NO_ARGS, ret);

    if (!ks_is(rc, KS_E_NOT_FOUND))
        return rc;
    memset(ret, 0, sizeof *ret);
    set_text(ret->chain, sizeof ret->chain, FIRST_CHAIN);
    return KS_SUCCESS;
}

/* A place in the chain, as a setting. */
static ks_rc put_place(struct store_tx *tx, const char *name, const struct audit_event *event)
{
    char text[HEAD_BYTES_MAX];

    snprintf(text, sizeof text, "%lld %s", (long long)event->number, event->chain);
    return store_setting_put(tx, name, text);
}

static ks_rc append(struct store_tx *tx, const struct caller *by, const struct store_event *told,
                    struct audit_event *event)
{
    struct audit_event before;
    int64_t now = clock_wall_s(tx->view.store->conf.clock);

    TRY(last_event(tx->view.db, &before));
    event->number = before.number + 1;
    event->at = now > before.at ? now : before.at;
    set_caller(event, by);
    set_text(event->organisation, sizeof event->organisation, told->organisation);
    set_text(event->cluster, sizeof event->cluster, told->cluster);
    set_text(event->action, sizeof event->action, told->action);
    set_text(event->object, sizeof event->object, told->object);
    TRY(set_detail(event, told->detail));
    TRY(store_chain(before.chain, event, event->chain));
    TRY(store_put(tx, Q_EVENT_PUT, event));
    TRY(put_place(tx, HEAD, event));
    tx->is_told = true;
    return KS_SUCCESS;
}

ks_rc store_tx_audit(struct store_tx *tx, const struct caller *by, const struct store_event *event)
{
    struct audit_event row = {0};

    ks_rc rc = append(tx, by, event, &row);
    json_decref(event->detail);
    return rc;
}

/* -- reading -- */

ks_rc store_events(struct store_view *v, const struct store_events_ask *ask,
                   struct audit_event **ret, size_t *ret_count)
{
    struct db_arg args[] = {db_number(ask->first),     db_number(ask->last),
                            db_number(ask->count_max), db_text(ask->organisation),
                            db_text(ask->cluster),     {.kind = DB_ARG_END}};
    size_t query = Q_EVENTS_OF_CLUSTER;

    if (ask->is_platform) {
        query = Q_EVENTS_PLATFORM;
        args[3].kind = DB_ARG_END;
    } else if (!ask->cluster) {
        query = Q_EVENTS;
        args[4].kind = DB_ARG_END;
    }
    return db_rows(v->db, query + ask->is_descending, args, ret, ret_count);
}

ks_rc store_event_since(struct store_view *v, int64_t at, int64_t *ret)
{
    struct audit_event last;
    ks_rc rc = db_value(v->db, Q_EVENT_SINCE, DB_ARGS(db_number(at)), ret);

    if (!ks_is(rc, KS_E_NOT_FOUND))
        return rc;
    TRY(last_event(v->db, &last));
    *ret = last.number + 1;
    return KS_SUCCESS;
}

ks_rc store_events_behind(struct store_view *v, int64_t number, uint32_t count_max,
                          struct audit_event **ret, size_t *ret_count)
{
    return db_rows(v->db, Q_EVENTS_BEHIND, DB_ARGS(db_number(number), db_number(count_max)), ret,
                   ret_count);
}

/* -- removing -- */

static bool read_anchor(const char *text, struct store_anchor *ret)
{
    long long number;
    int end = 0;

    if (sscanf(text, "%19lld %64[0-9a-f]%n", &number, ret->chain, &end) != 2 || text[end] != '\0')
        return false;
    ret->number = number;
    return number > 0 && strlen(ret->chain) == sizeof ret->chain - 1;
}

ks_rc store_events_anchor(struct store_view *v, struct store_anchor *ret)
{
    CLEANUP(buf_done) struct buf text = buf_init(HEAD_BYTES_MAX);
    struct store_anchor anchor = {0, ""};

    ks_rc rc = store_setting_get(v, ANCHOR, &text);
    if (!ks_ok(rc) && !ks_is(rc, KS_E_NOT_FOUND))
        return rc;
    ENSURE(!ks_ok(rc) || read_anchor(buf_text(&text), &anchor), KS_E_AUTH,
           "what is left of removed audit events cannot be read");
    *ret = anchor;
    return KS_SUCCESS;
}

ks_rc store_events_remove(struct store_tx *tx, const struct audit_event *last, const char *file)
{
    struct store_anchor before;

    TRY(store_events_anchor(&tx->view, &before));
    ENSURE(last->number > before.number, KS_E_BUG, "audit event %lld was removed already",
           (long long)last->number);
    struct store_event event = {
        .action = PRUNE,
        .object = "audit",
        .detail = json_pack("{s:I, s:I, s:s, s:s}", "first", (json_int_t)before.number + 1, "last",
                            (json_int_t)last->number, "chain", last->chain, "file", file),
    };
    TRY(store_tx_audit(tx, NULL, &event)); /* first: the chain goes on from the newest event */
    TRY(store_change(tx, Q_EVENTS_DELETE, DB_ARGS(db_number(last->number))));
    return put_place(tx, ANCHOR, last);
}

/* -- verifying -- */

struct chain {
    int64_t number; /* of the last event that fits */
    char text[65];
    struct store_anchor pruned; /* what the last event that tells of a removal says */
};

/* One that cannot be read says nothing, and the anchor will not fit it. */
static void note_prune(struct chain *chain, const struct audit_event *event)
{
    json_t *detail = json_loads(event->detail, 0, NULL);
    const char *text = json_string_value(json_object_get(detail, "chain"));

    chain->pruned.number = json_integer_value(json_object_get(detail, "last"));
    set_text(chain->pruned.chain, sizeof chain->pruned.chain, text);
    json_decref(detail);
}

static ks_rc verify_one(struct chain *chain, const struct audit_event *event)
{
    char want[65];

    ENSURE(event->number == chain->number + 1, KS_E_AUTH, "audit event %lld is missing",
           (long long)chain->number + 1);
    TRY(store_chain(chain->text, event, want));
    ENSURE(strcmp(want, event->chain) == 0, KS_E_AUTH,
           "audit event %lld is not what was written, or not where", (long long)event->number);
    chain->number = event->number;
    memcpy(chain->text, want, sizeof want);
    if (strcmp(event->action, PRUNE) == 0 && !event->key[0])
        note_prune(chain, event);
    return KS_SUCCESS;
}

static ks_rc verify_some(struct store_view *v, struct chain *chain, size_t *ret_count)
{
    CLEANUP(mem_freep) struct audit_event *events = NULL;

    ks_rc rc = store_events_behind(v, chain->number, VERIFY_ROWS, &events, ret_count);
    if (ks_is(rc, KS_E_CORRUPT))
        return ks_fail(KS_E_AUTH, "an audit event behind %lld is no event any more",
                       (long long)chain->number);
    TRY(rc);
    for (size_t i = 0; i < *ret_count; i++)
        TRY(verify_one(chain, &events[i]));
    return KS_SUCCESS;
}

static ks_rc verify_head(struct store_view *v, const struct chain *chain)
{
    CLEANUP(buf_done) struct buf head = buf_init(HEAD_BYTES_MAX);
    char want[HEAD_BYTES_MAX];

    ks_rc rc = store_setting_get(v, HEAD, &head);
    if (ks_is(rc, KS_E_NOT_FOUND) && chain->number == 0)
        return KS_SUCCESS;
    if (!ks_is(rc, KS_E_NOT_FOUND))
        TRY(rc);
    snprintf(want, sizeof want, "%lld %s", (long long)chain->number, chain->text);
    ENSURE(strcmp(buf_text(&head), want) == 0, KS_E_AUTH,
           "audit event %lld, or one behind it, is missing", (long long)chain->number + 1);
    return KS_SUCCESS;
}

static ks_rc verify_anchor(const struct chain *chain, const struct store_anchor *anchor)
{
    bool is_told =
        chain->pruned.number == anchor->number && strcmp(chain->pruned.chain, anchor->chain) == 0;

    ENSURE(is_told, KS_E_AUTH,
           "audit events up to %lld are missing, and none of those behind them tells so",
           (long long)anchor->number);
    return KS_SUCCESS;
}

ks_rc store_events_verify(struct store_view *v, int64_t *ret_count)
{
    struct chain chain = {0};
    struct store_anchor anchor;
    size_t count;

    TRY(store_events_anchor(v, &anchor));
    chain.number = anchor.number;
    memcpy(chain.text, anchor.chain, sizeof chain.text);
    do {
        TRY(verify_some(v, &chain, &count));
    } while (count > 0);
    TRY(verify_head(v, &chain));
    TRY(verify_anchor(&chain, &anchor));
    *ret_count = chain.number - anchor.number;
    return KS_SUCCESS;
}
