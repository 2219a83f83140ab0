/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/node_join.c - tokens to join with, and joining.
 *
 * A token is good once and for a time; of its secret only a hash is kept. Joining makes the node, its certificate and the end of
 * the token in one transaction.
 */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/secret.h"
#include "control/authority.h"
#include "control/message.h"
#include "control/node_int.h"
#include "crypto/certificate.h"
#include "crypto/hash.h"

enum {
    SECRET_BYTES = 32,
    SECRET_TEXT_BYTES = 2 * SECRET_BYTES + 1,
    TOKEN_S_MAX = 30 * 86400,
    SIGNATURE_MAX = 256,
};

static bool is_region_name(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");

    return len && len < NAME_BYTES && !text[len];
}

/* -- tokens ----------------------------------------------------------------------------------------------------------- */

static ks_rc make_secret(struct control *c, char text[SECRET_TEXT_BYTES], uint8_t hash[HASH_BYTES])
{
    uint8_t bytes[SECRET_BYTES];
    CLEANUP(buf_done) struct buf hex = buf_init_wiping(SECRET_TEXT_BYTES);

    TRY(random_fill(c->random, bytes, sizeof bytes));
    ks_rc rc = hex_write(view_of(bytes, sizeof bytes), &hex);
    mem_wipe(bytes, sizeof bytes);
    TRY(rc);
    memcpy(text, buf_text(&hex), SECRET_TEXT_BYTES);
    return hash_sha256(buf_view(&hex), hash);
}

static ks_rc audit_token(struct work *w, const struct caller *by,
                         const struct store_join_token *token)
{
    char object[128] = "";

    message_put(object, sizeof object, "join_token/%s", token->id);
    struct store_event event = {
        .action = "node.join_token",
        .object = object,
        .detail =
            json_pack("{s:s, s:I}", "region", token->region, "expires", (json_int_t)token->expires),
    };
    return store_tx_audit(w->tx, by, &event);
}

static ks_rc put_token(struct control *c, const struct caller *by, struct store_join_token *token,
                       int64_t seconds)
{
    CLEANUP(work_abandon) struct work w = {0};

    TRY(work_begin(c, &w));
    TRY(store_tx_id(w.tx, token->id));
    token->created = w.now;
    token->expires = w.now + seconds;
    TRY(store_join_token_put(w.tx, token));
    TRY(audit_token(&w, by, token));
    return work_end(&w);
}

ks_rc control_join_token_create(struct control *c, const struct caller *by, const char *region,
                                int64_t seconds, char ret[256])
{
    struct store_join_token token = {0};
    char secret[SECRET_TEXT_BYTES];

    TRY(node_check_platform(by, "resource"));
    ENSURE(is_region_name(region), KS_E_USAGE,
           "\"%.80s\" is not the name of a region: 1 to %d of a-z, 0-9 and '-'", region,
           NAME_BYTES - 1);
    ENSURE(seconds >= 1 && seconds <= TOKEN_S_MAX, KS_E_USAGE,
           "a token for %lld s; from 1 s to 30 days are possible", (long long)seconds);
    message_copy(token.region, sizeof token.region, region);
    TRY(make_secret(c, secret, token.hash));
    ks_rc rc = put_token(c, by, &token, seconds);
    if (ks_ok(rc))
        snprintf(ret, 256, "ksj_%s_%s_%s", token.id, secret, authority_fingerprint(c->authority));
    mem_wipe(secret, sizeof secret);
    return rc;
}

/* "ksj_<id>_<secret>", with or without the fingerprint behind it. */
static bool read_token(const char *text, char id[ID_BYTES], struct view *ret_secret)
{
    if (strlen(text) < 4 + ID_BYTES + SECRET_TEXT_BYTES - 1 || memcmp(text, "ksj_", 4) != 0 ||
        text[4 + ID_BYTES - 1] != '_')
        return false;
    memcpy(id, text + 4, ID_BYTES - 1);
    id[ID_BYTES - 1] = '\0';
    *ret_secret = view_of(text + 4 + ID_BYTES, SECRET_TEXT_BYTES - 1);
    char behind = text[4 + ID_BYTES + SECRET_TEXT_BYTES - 1];
    return (behind == '\0' || behind == '_') && id_is_valid(id);
}

static ks_rc refuse_token(void)
{
    return ks_fail(KS_E_PERMISSION,
                   "this token to join with is unknown, expired, or was used before");
}

/* PERMISSION for what is not a token that is good now. */
static ks_rc find_token(struct store_view *v, const char *text, int64_t now,
                        struct store_join_token *ret)
{
    char id[ID_BYTES];
    struct view secret;
    uint8_t hash[HASH_BYTES];

    if (!read_token(text, id, &secret))
        return refuse_token();
    TRY(hash_sha256(secret, hash));
    ks_rc rc = store_join_token_get(v, id, ret);
    if (ks_is(rc, KS_E_NOT_FOUND))
        return refuse_token();
    TRY(rc);
    if (!secret_is_equal(view_of(hash, sizeof hash), view_of(ret->hash, sizeof ret->hash)) ||
        ret->used || ret->expires <= now)
        return refuse_token();
    return KS_SUCCESS;
}

/* Before anything else: who has no token does not get to where changes wait for each other. */
static ks_rc check_token(struct control *c, const char *text)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;
    struct store_join_token token;

    TRY(store_view_begin(c->store, &v));
    return find_token(v, text, clock_wall_s(c->clock), &token);
}

/* -- joining ---------------------------------------------------------------------------------------------------------- */

static ks_rc put_joined(struct work *w, struct store_join_token *token, const struct node *n)
{
    struct caller by = {0};

    message_put(by.name, sizeof by.name, "node %s", n->id);
    token->used = w->now;
    memcpy(token->node, n->id, ID_BYTES);
    TRY(store_node_put(w->tx, n));
    TRY(store_join_token_put(w->tx, token));
    return node_audit(w, &by, "node.join", n);
}

static ks_rc join(struct work *w, const char *token_text, const char *request_pem, struct node *n,
                  struct buf *pem)
{
    struct store_join_token token;

    TRY(find_token(store_tx_view(w->tx), token_text, w->now, &token));
    memcpy(n->region, token.region, NAME_BYTES);
    n->joined = n->seen = w->now;
    TRY(store_tx_id(w->tx, n->id));
    TRY(node_sign(w->c, request_pem, n->id, pem, n->certificate));
    TRY(node_heard(w->c, n->id));
    return put_joined(w, &token, n);
}

ks_rc control_node_join(struct control *c, const char *token, const char *request_pem,
                        const char *name, const char *address, json_t **ret)
{
    CLEANUP(work_abandon) struct work w = {0};
    CLEANUP(buf_done) struct buf pem = buf_init(CERTIFICATE_PEM_MAX);
    struct node n = {.state = NODE_JOINED};

    ENSURE(node_text_is_plain(name, sizeof n.name), KS_E_USAGE,
           "the name of a node has 1 to %d printable characters without blanks", NAME_BYTES - 1);
    ENSURE(node_text_is_plain(address, sizeof n.address), KS_E_USAGE,
           "the address of a node is a host name or an address");
    message_copy(n.name, sizeof n.name, name);
    message_copy(n.address, sizeof n.address, address);
    TRY(check_token(c, token));
    TRY(work_begin(c, &w));
    TRY(join(&w, token, request_pem, &n, &pem));
    return node_finish(&w, &n, &pem, ret);
}

/* -- a certificate that has expired ----------------------------------------------------------------------------------- */

/* The certificate that it had is the one that is known, and whoever asks has its key. */
static ks_rc prove_node(struct control *c, const struct node_rejoin *ask, struct node *ret)
{
    CLEANUP(buf_done) struct buf signature = buf_init(SIGNATURE_MAX);
    struct view certificate = view_text(ask->certificate);
    struct certificate_facts facts;

    ks_rc rc = certificate_read(certificate, &facts);
    if (ks_ok(rc))
        rc = certificate_is_issued_by(certificate, view_text(authority_pem(c->authority)),
                                      CERTIFICATE_CLIENT, 0);
    if (ks_ok(rc))
        rc = base64_read(view_text(ask->proof), BASE64_STANDARD, &signature);
    if (ks_ok(rc))
        rc = certificate_verify(certificate, view_text(ask->request), buf_view(&signature));
    ENSURE(ks_ok(rc), KS_E_PERMISSION, "this is no proof of being a node: %s", ks_text(rc));
    return control_node_authenticate(c, facts.fingerprint, ret);
}

static ks_rc rejoin(struct work *w, const char *token_text, const char *request_pem, struct node *n,
                    struct buf *pem)
{
    struct store_join_token token;
    struct caller by = {0};

    TRY(find_token(store_tx_view(w->tx), token_text, w->now, &token));
    ENSURE(strcmp(token.region, n->region) == 0, KS_E_USAGE,
           "the token is for region %s; node %s is of region %s", token.region, n->id, n->region);
    TRY(node_get_joined(store_tx_view(w->tx), n->id, n));
    TRY(node_sign(w->c, request_pem, n->id, pem, n->certificate));
    TRY(node_keep_renewed(w, n->id, n->certificate));
    message_put(by.name, sizeof by.name, "node %s", n->id);
    token.used = w->now;
    memcpy(token.node, n->id, ID_BYTES);
    TRY(store_join_token_put(w->tx, &token));
    return node_audit(w, &by, "node.rejoin", n);
}

ks_rc control_node_rejoin(struct control *c, const char *token, const struct node_rejoin *ask,
                          json_t **ret)
{
    CLEANUP(work_abandon) struct work w = {0};
    CLEANUP(buf_done) struct buf pem = buf_init(CERTIFICATE_PEM_MAX);
    struct node n;

    TRY(check_token(c, token));
    TRY(prove_node(c, ask, &n));
    TRY(work_begin(c, &w));
    TRY(rejoin(&w, token, ask->request, &n, &pem));
    return node_finish(&w, &n, &pem, ret);
}
