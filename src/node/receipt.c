/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/receipt.c - making and checking receipts.
 *
 * The text is built member by member: an object of a JSON library has no order that holds for ever.
 */
#include "node/receipt.h"

#include <stdio.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/json.h"

enum { SIGNATURE_MAX = 256, SIGNATURE_TEXT_MAX = 512, CERTIFICATE_MAX = 16384, UUID_BYTES = 16 };

/* A text with its quotes, as JSON has it. */
static ks_rc add_quoted(struct buf *out, const char *text)
{
    CLEANUP(json_decrefp) json_t *value = json_string(text);

    ENSURE(value, KS_E_USAGE, "a name in a receipt is no text");
    return json_write(value, false, out);
}

static ks_rc add_text(struct buf *out, const char *name, const char *text)
{
    TRY(buf_printf(out, ",\"%s\":", name));
    return add_quoted(out, text);
}

static ks_rc add_number(struct buf *out, const char *name, int64_t n)
{
    return buf_printf(out, ",\"%s\":%lld", name, (long long)n);
}

static ks_rc add_time(struct buf *out, const char *name, int64_t at_s)
{
    char text[CLOCK_TEXT_BYTES];

    clock_format(at_s, text);
    return add_text(out, name, text);
}

static ks_rc add_keys(struct buf *out, const struct wish *w)
{
    TRY(buf_printf(out, ",\"keys\":["));
    for (size_t i = 0; i < w->key_count; i++) {
        TRY(buf_printf(out, "%s{\"type\":", i ? "," : ""));
        TRY(add_quoted(out, w->keys[i].spec.type));
        TRY(add_text(out, "uri", w->keys[i].spec.uri));
        TRY(buf_printf(out, "}"));
    }
    return buf_printf(out, "]");
}

ks_rc receipt_text(const struct receipt_facts *f, struct buf *ret)
{
    const struct wish *w = f->wish;

    TRY(buf_printf(ret, "{\"keystead_receipt\":1"));
    TRY(add_text(ret, "id", f->id));
    TRY(add_text(ret, "organisation", w->organisation));
    TRY(add_text(ret, "cluster", w->cluster));
    TRY(add_text(ret, "region", w->region));
    TRY(add_text(ret, "volume", w->volume));
    TRY(add_text(ret, "node", f->node));
    TRY(add_text(ret, "reason", cause_name(f->cause)));
    TRY(add_time(ret, "asked_at", f->asked_s));
    TRY(add_time(ret, "locked_at", f->locked_s));
    TRY(add_number(ret, "duration_ms", f->duration_ms));
    TRY(add_number(ret, "handles_cut", f->handles_cut));
    TRY(add_number(ret, "engine_stopped_ms", f->engine_stopped_ms));
    TRY(add_keys(ret, w));
    TRY(add_number(ret, "goal", w->goal));
    return buf_printf(ret, "}");
}

ks_rc receipt_sign(struct view text, const struct key_pair *key, struct view certificate,
                   json_t **ret)
{
    CLEANUP(buf_done) struct buf signature = buf_init(SIGNATURE_MAX);
    CLEANUP(buf_done) struct buf encoded = buf_init(SIGNATURE_TEXT_MAX);

    TRY(key_pair_sign(key, text, &signature));
    TRY(base64_write(buf_view(&signature), BASE64_STANDARD, &encoded));
    json_t *receipt = json_pack("{s:s%, s:s%, s:s%}", "text", (const char *)text.bytes, text.len,
                                "signature", buf_text(&encoded), encoded.len, "certificate",
                                (const char *)certificate.bytes, certificate.len);
    ENSURE(receipt, KS_E_NO_MEMORY, "no memory for a receipt");
    *ret = receipt;
    return KS_SUCCESS;
}

/* --- checking --- */

static ks_rc read_parts(const json_t *receipt, const char **text, const char **certificate,
                        struct buf *signature)
{
    const char *encoded = "";
    ks_rc rc = json_get_text(receipt, "text", RECEIPT_TEXT_MAX, text);

    if (ks_ok(rc))
        rc = json_get_text(receipt, "signature", SIGNATURE_TEXT_MAX, &encoded);
    if (ks_ok(rc))
        rc = json_get_text(receipt, "certificate", CERTIFICATE_MAX, certificate);
    if (ks_ok(rc))
        rc = base64_read(view_text(encoded), BASE64_STANDARD, signature);
    return ks_ok(rc) ? rc : ks_fail(KS_E_FORMAT, "it is no receipt: %s", ks_text(rc));
}

static ks_rc read_claim(const char *text, json_t **ret)
{
    const struct json_limits limits = {RECEIPT_TEXT_MAX, 4};
    json_t *claim = NULL;
    int64_t version = 0;
    ks_rc rc = json_read(view_text(text), limits, "text of the receipt", &claim);

    if (ks_ok(rc))
        rc = json_get_int(claim, "keystead_receipt", 1, 1, &version);
    if (!ks_ok(rc)) {
        json_decref(claim);
        return ks_fail(KS_E_FORMAT, "it is no receipt: %s", ks_text(rc));
    }
    *ret = claim;
    return KS_SUCCESS;
}

ks_rc receipt_verify(const json_t *receipt, struct view authority, struct receipt_claim *ret)
{
    CLEANUP(buf_done) struct buf signature = buf_init(SIGNATURE_MAX);
    const char *text = "", *certificate = "";
    struct certificate_facts facts;

    TRY(read_parts(receipt, &text, &certificate, &signature));
    struct view pem = view_text(certificate);
    TRY(ks_wrap(certificate_is_issued_by(pem, authority, CERTIFICATE_CLIENT, 0),
                "the certificate of the node"));
    TRY(ks_wrap(certificate_verify(pem, view_text(text), buf_view(&signature)),
                "the signature of the receipt"));
    TRY(certificate_read(pem, &facts));
    TRY(read_claim(text, &ret->text));
    memcpy(ret->fingerprint, facts.fingerprint, sizeof ret->fingerprint);
    snprintf(ret->node, sizeof ret->node, "%s", facts.name);
    return KS_SUCCESS;
}

ks_rc receipt_id(struct random *random, char ret[ID_BYTES])
{
    uint8_t b[UUID_BYTES];

    TRY(random_fill(random, b, sizeof b));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(ret, ID_BYTES, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
             b[14], b[15]);
    return KS_SUCCESS;
}
