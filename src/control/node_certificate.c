/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/node_certificate.c - nodes' certificates: signed, renewed, recognised.
 *
 * A node is known by the fingerprint of its certificate. A renewed certificate counts from its first use on, and with
 * that the one before counts no more: so a node that never got the reply is not shut out.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "control/authority.h"
#include "control/node_int.h"
#include "crypto/certificate.h"

static const char RENEWED[] =
    "certificate"; /* kind of document: a certificate that was not used yet */

ks_rc node_sign(struct control *c, const char *request_pem, const char *node, struct buf *ret_pem,
                char fingerprint[FINGERPRINT_BYTES])
{
    struct certificate_facts facts;

    ENSURE(strlen(request_pem) < CERTIFICATE_REQUEST_MAX, KS_E_USAGE,
           "a certificate request of more than %d bytes", CERTIFICATE_REQUEST_MAX);
    TRY(authority_sign_node(c->authority, request_pem, node, ret_pem));
    TRY(certificate_read(buf_view(ret_pem), &facts));
    memcpy(fingerprint, facts.fingerprint, FINGERPRINT_BYTES);
    return KS_SUCCESS;
}

ks_rc node_finish(struct work *w, const struct node *n, const struct buf *pem, json_t **ret)
{
    CLEANUP(json_decrefp)
    json_t *reply =
        json_pack("{s:s, s:s, s:s, s:s}", "node", n->id, "region", n->region, "certificate",
                  buf_text(pem), "authority", authority_pem(w->c->authority));

    ENSURE(reply, KS_E_NO_MEMORY, "no memory for a reply");
    TRY(work_end(w));
    *ret = TAKE(reply);
    return KS_SUCCESS;
}

/* -- certificates that are renewed ------------------------------------------------------------------------------------ */

/* Documents have short ids: the first 144 bits of the fingerprint; the text has all of it and the node. */
static void document_id(const char *fingerprint, char out[ID_BYTES])
{
    memcpy(out, fingerprint, ID_BYTES - 1);
    out[ID_BYTES - 1] = '\0';
}

ks_rc node_forget_renewed(struct work *w, const char *node)
{
    CLEANUP(mem_freep) char(*ids)[ID_BYTES] = NULL;
    size_t count;

    TRY(store_document_ids(store_tx_view(w->tx), RENEWED, node, &ids, &count));
    for (size_t i = 0; i < count; i++)
        TRY(store_document_delete(w->tx, RENEWED, ids[i]));
    return KS_SUCCESS;
}

ks_rc node_keep_renewed(struct work *w, const char *node, const char *fingerprint)
{
    char id[ID_BYTES], text[FINGERPRINT_BYTES + ID_BYTES];

    document_id(fingerprint, id);
    snprintf(text, sizeof text, "%s %s", fingerprint, node);
    struct store_document document = {RENEWED, id, node, view_text(text)};
    TRY(node_forget_renewed(w, node));
    return store_document_put(w->tx, &document);
}

ks_rc control_node_renew(struct control *c, const char *node, const char *request_pem, json_t **ret)
{
    CLEANUP(work_abandon) struct work w = {0};
    CLEANUP(buf_done) struct buf pem = buf_init(CERTIFICATE_PEM_MAX);
    struct node n;

    TRY(work_begin(c, &w));
    TRY(node_get_joined(store_tx_view(w.tx), node, &n));
    TRY(node_sign(c, request_pem, n.id, &pem, n.certificate));
    TRY(node_keep_renewed(&w, n.id, n.certificate));
    TRY(node_audit(&w, NULL, "node.renew", &n));
    return node_finish(&w, &n, &pem, ret);
}

/* -- who it is --------------------------------------------------------------------------------------------------------- */

static ks_rc refuse_certificate(void)
{
    return ks_fail(KS_E_PERMISSION, "this certificate is not one of a node that has joined");
}

static ks_rc find_by_certificate(struct store_view *v, const char *fingerprint, struct node *ret)
{
    ks_rc rc = store_node_by_certificate(v, fingerprint, ret);

    if (ks_ok(rc) && ret->state != NODE_JOINED)
        return refuse_certificate();
    return rc;
}

/* NOT_FOUND when it is not a renewed one. */
static ks_rc find_renewed(struct store_view *v, const char *fingerprint, char node[ID_BYTES])
{
    CLEANUP(buf_done) struct buf text = buf_init(FINGERPRINT_BYTES + ID_BYTES);
    char id[ID_BYTES];

    document_id(fingerprint, id);
    TRY(store_document_get(v, RENEWED, id, &text));
    ENSURE(text.len == FINGERPRINT_BYTES + ID_BYTES - 1 &&
               memcmp(text.bytes, fingerprint, FINGERPRINT_BYTES - 1) == 0,
           KS_E_NOT_FOUND, "another certificate");
    memcpy(node, text.bytes + FINGERPRINT_BYTES, ID_BYTES - 1);
    node[ID_BYTES - 1] = '\0';
    return KS_SUCCESS;
}

static ks_rc take_renewed(struct control *c, const char *fingerprint, struct node *ret)
{
    CLEANUP(work_abandon) struct work w = {0};
    char id[ID_BYTES];

    TRY(work_begin(c, &w));
    ks_rc rc = find_renewed(store_tx_view(w.tx), fingerprint, id);
    if (ks_is(rc, KS_E_NOT_FOUND)) /* another thread may have taken it meanwhile */
        return find_by_certificate(store_tx_view(w.tx), fingerprint, ret);
    TRY(rc);
    TRY(node_get_joined(store_tx_view(w.tx), id, ret));
    memcpy(ret->certificate, fingerprint, FINGERPRINT_BYTES);
    TRY(store_node_put(w.tx, ret));
    TRY(node_forget_renewed(&w, id));
    TRY(node_audit(&w, NULL, "node.renewed", ret));
    return work_end(&w);
}

static ks_rc look_up(struct control *c, const char *fingerprint, struct node *ret)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;
    char id[ID_BYTES];

    TRY(store_view_begin(c->store, &v));
    ks_rc rc = find_by_certificate(v, fingerprint, ret);
    if (!ks_is(rc, KS_E_NOT_FOUND))
        return rc;
    TRY(find_renewed(v, fingerprint, id));
    store_view_end(&v);
    return take_renewed(c, fingerprint, ret);
}

ks_rc control_node_authenticate(struct control *c, const char *fingerprint, struct node *ret)
{
    struct node n;

    if (strlen(fingerprint) != FINGERPRINT_BYTES - 1)
        return refuse_certificate();
    ks_rc rc = look_up(c, fingerprint, &n);
    if (ks_is(rc, KS_E_NOT_FOUND))
        return refuse_certificate();
    if (ks_ok(rc))
        *ret = n;
    return rc;
}
