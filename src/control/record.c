/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/record.c - events and receipts as JSON, the same wherever they go: the API, exports, archives.
 *
 * Everything that the chain of an event is made of is in it, so that a copy can be checked without the store.
 */
#include "control/control.h"

static json_t *text_or_null(const char *text)
{
    return text[0] ? json_string(text) : json_null();
}

static json_t *time_json(int64_t at)
{
    char text[CLOCK_TEXT_BYTES];

    clock_format(at, text);
    return at ? json_string(text) : json_null();
}

json_t *control_receipt_json(const struct receipt *r)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:s, s:s}", "id", r->id, "cluster",
                     r->cluster, "region", r->region, "volume", r->volume, "node", r->node,
                     "operation", text_or_null(r->operation), "at", time_json(r->at), "text",
                     r->text, "signature", r->signature, "certificate", r->certificate);
}

json_t *control_audit_json(const struct audit_event *e)
{
    json_t *detail = json_loads(e->detail, 0, NULL);

    return json_pack("{s:I, s:o, s:o, s:o, s:s, s:o, s:s, s:o, s:s, s:s, s:o, s:s}", "number",
                     e->number, "at", time_json(e->at), "organisation",
                     text_or_null(e->organisation), "cluster", text_or_null(e->cluster), "actor",
                     e->actor, "key", text_or_null(e->key), "peer", e->peer, "request",
                     text_or_null(e->request), "action", e->action, "object", e->object, "detail",
                     detail ? detail : json_object(), "chain", e->chain);
}
