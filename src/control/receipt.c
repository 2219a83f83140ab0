/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/receipt.c - whether a receipt is one.
 */
#include "control/receipt.h"

#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"
#include "control/authority.h"
#include "control/message.h"
#include "control/report_read.h"
#include "crypto/certificate.h"

enum { RECEIPT_DEPTH = 4, OPERATIONS_MAX = 200 };

static ks_rc copy_id(const json_t *o, const char *name, char ret[ID_BYTES])
{
    const char *text;

    TRY(json_get_text(o, name, ID_BYTES - 1, &text));
    ENSURE(id_is_valid(text), KS_E_USAGE, "a receipt's %s is no id", name);
    memcpy(ret, text, ID_BYTES);
    return KS_SUCCESS;
}

static ks_rc read_reason(const json_t *o, char ret[WORD_BYTES])
{
    static const char *const reasons[] = {"REVOKED", "DENIED", "UNREACHABLE", "ERROR"};
    const char *text;

    TRY(json_get_text(o, "reason", WORD_BYTES - 1, &text));
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (strcmp(reasons[i], text) == 0) {
            message_copy(ret, WORD_BYTES, text);
            return KS_SUCCESS;
        }
    }
    return ks_fail(KS_E_USAGE, "\"%.20s\" is no reason of a receipt", text);
}

static ks_rc read_fields(const json_t *o, struct receipt *ret, struct receipt_word *ret_word)
{
    const char *region, *locked;
    int64_t version;

    TRY(json_get_int(o, "keystead_receipt", 1, 1, &version));
    TRY(copy_id(o, "id", ret->id));
    TRY(copy_id(o, "organisation", ret->organisation));
    TRY(copy_id(o, "cluster", ret->cluster));
    TRY(copy_id(o, "volume", ret->volume));
    TRY(copy_id(o, "node", ret->node));
    TRY(json_get_text(o, "region", NAME_BYTES - 1, &region));
    message_copy(ret->region, sizeof ret->region, region);
    TRY(json_get_text(o, "locked_at", CLOCK_TEXT_BYTES, &locked));
    ENSURE(clock_parse(locked, &ret->at), KS_E_USAGE, "a receipt's locked_at is no time");
    TRY(json_get_int(o, "goal", 0, INT64_MAX, &ret_word->goal));
    return read_reason(o, ret_word->reason);
}

static ks_rc verify(struct control *c, const struct receipt *r)
{
    CLEANUP(buf_done) struct buf signature = buf_init(sizeof r->signature);
    struct certificate_facts facts;
    struct view pem = view_text(r->certificate), authority = view_text(authority_pem(c->authority));

    TRY(certificate_is_issued_by(pem, authority, CERTIFICATE_CLIENT, 0));
    TRY(certificate_read(pem, &facts));
    ENSURE(strcmp(facts.name, r->node) == 0, KS_E_AUTH, "it is signed by another node");
    TRY(base64_read(view_text(r->signature), BASE64_STANDARD, &signature));
    return certificate_verify(pem, view_text(r->text), buf_view(&signature));
}

ks_rc receipt_check_signature(struct control *c, const struct receipt *r)
{
    ks_rc rc = verify(c, r);

    if (rc.cls == KS_CLASS_CORRUPT || rc.cls == KS_CLASS_USAGE)
        return ks_fail(KS_E_USAGE, "receipt %s: %s", r->id, ks_text(rc));
    return rc;
}

/* To the byte, as it was signed. room is never too small: its form was looked at. */
static void copy_member(const json_t *one, const char *name, char *to, size_t room)
{
    const json_t *member = json_object_get(one, name);
    size_t len = json_string_length(member);

    if (len < room)
        memcpy(to, json_string_value(member), len);
}

ks_rc receipt_read(const char *node, const json_t *one, struct receipt *ret,
                   struct receipt_word *ret_word)
{
    struct json_limits limits = {sizeof ret->text, RECEIPT_DEPTH};
    json_t *o;

    TRY(report_read_receipt(one));
    memset(ret, 0, sizeof *ret);
    copy_member(one, "text", ret->text, sizeof ret->text);
    copy_member(one, "signature", ret->signature, sizeof ret->signature);
    copy_member(one, "certificate", ret->certificate, sizeof ret->certificate);
    TRY(json_read(view_text(ret->text), limits, "a receipt", &o));
    ks_rc rc = read_fields(o, ret, ret_word);
    json_decref(o);
    TRY(rc);
    ENSURE(strcmp(ret->node, node) == 0, KS_E_USAGE, "receipt %s is of another node", ret->id);
    return KS_SUCCESS;
}

/* -- keeping ------------------------------------------------------------------------------------------------------------- */

static ks_rc is_in_region(struct work *w, const char *operation, const char *region, bool *ret)
{
    CLEANUP(mem_freep) struct operation_step *steps = NULL;
    size_t count;

    TRY(store_operation_steps(store_tx_view(w->tx), operation, &steps, &count));
    *ret = false;
    for (size_t i = 0; i < count; i++)
        *ret |= strcmp(steps[i].region, region) == 0;
    return KS_SUCCESS;
}

ks_rc receipt_find_operation(struct work *w, struct receipt *r)
{
    CLEANUP(mem_freep) struct operation *rows = NULL;
    struct store_page page = {.count_max = OPERATIONS_MAX};
    size_t count;

    TRY(store_operations_running(store_tx_view(w->tx), r->cluster, &page, &rows, &count));
    for (size_t i = 0; i < count; i++) {
        bool is_it = false;
        if (rows[i].kind == OPERATION_CMEK_REVOKE)
            TRY(is_in_region(w, rows[i].id, r->region, &is_it));
        if (is_it)
            memcpy(r->operation, rows[i].id, ID_BYTES);
    }
    return KS_SUCCESS;
}

ks_rc receipt_keep(struct work *w, struct receipt *r, const char *reason, bool *ret_is_new)
{
    char object[128] = "";

    TRY(store_receipt_put(w->tx, r, ret_is_new));
    if (!*ret_is_new)
        return KS_SUCCESS;
    message_put(object, sizeof object, "volume/%s", r->volume);
    struct store_event event = {
        .action = "volume.receipt",
        .organisation = r->organisation,
        .cluster = r->cluster,
        .object = object,
        .detail = json_pack("{s:s, s:s, s:s}", "receipt", r->id, "reason", reason, "node", r->node),
    };
    return store_tx_audit(w->tx, NULL, &event);
}
