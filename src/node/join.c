/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/join.c - joining a fleet, and the files that say who a node is.
 *
 * Key and certificate stand in one file, so that they are replaced together. node.json is written last: a directory without it is
 * no node's yet. A node whose certificate has expired proves who it is with that one's key, beside a new token.
 */
#include "node/join.h"

#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"
#include "kms/rest.h"
#include "net/http_client.h"

enum { REPLY_MAX = 256 * 1024, PEM_MAX = 64 * 1024, FINGERPRINT_LEN = 64, BODY_MAX = 64 * 1024 };

/* --- tokens --- */

static const char TOKEN_HEAD[] = "ksj_";

static bool is_fingerprint(const char *text)
{
    return strlen(text) == FINGERPRINT_LEN && strspn(text, "0123456789abcdef") == FINGERPRINT_LEN;
}

ks_rc join_token_read(struct view text, struct join_token *ret)
{
    const uint8_t *last;
    struct join_token t = {0};

    ENSURE(text.len > sizeof TOKEN_HEAD + FINGERPRINT_LEN && text.len <= JOIN_TOKEN_MAX &&
               memcmp(text.bytes, TOKEN_HEAD, sizeof TOKEN_HEAD - 1) == 0,
           KS_E_USAGE, "this is no join token: it begins with %s", TOKEN_HEAD);
    last = memrchr(text.bytes, '_', text.len);
    size_t head = (size_t)(last - text.bytes);
    ENSURE(text.len - head - 1 == FINGERPRINT_LEN, KS_E_USAGE,
           "the join token is cut: it does not end with a fingerprint");
    memcpy(t.fingerprint, last + 1, FINGERPRINT_LEN);
    ENSURE(is_fingerprint(t.fingerprint), KS_E_USAGE,
           "the join token is damaged: it does not end with a fingerprint");
    for (size_t i = 0; i < head; i++)
        ENSURE(text.bytes[i] > ' ' && text.bytes[i] < 0x7f && text.bytes[i] != '"', KS_E_USAGE,
               "the join token is damaged: it has characters that no token has");
    TRY(secret_copy(view_of(text.bytes, head), &t.head));
    *ret = t;
    return KS_SUCCESS;
}

void join_token_done(struct join_token *t)
{
    secret_free(t->head);
    *t = (struct join_token){0};
}

/* --- asking --- */

static ks_rc read_reply(struct http_reply *reply, const char *what, json_t **ret)
{
    const struct json_limits limits = {REPLY_MAX, 8};
    CLEANUP(json_decrefp) json_t *value = NULL;
    const char *detail = "";

    ks_rc rc = json_read(buf_view(&reply->body), limits, what, &value);
    if (reply->status == 200) {
        ENSURE(ks_ok(rc), KS_E_BAD_REPLY, "%s", ks_text(rc));
        *ret = TAKE(value);
        return KS_SUCCESS;
    }
    /* without a text the status alone is told */
    IGNORE(json_may_text(value, "detail", 400, &detail));
    enum ks_code code = reply->status == 401 || reply->status == 403 ? KS_E_PERMISSION
                        : reply->status < 500                        ? KS_E_USAGE
                                                                     : KS_E_UNREACHABLE;
    return ks_fail(code, "%s: the control plane answers %d%s%s", what, reply->status,
                   detail[0] ? ": " : "", detail);
}

struct question {
    struct http_client_conf client;
    const char *server, *method, *path, *what;
    struct view body;
};

static ks_rc ask(const struct question *q, json_t **ret)
{
    CLEANUP(http_client_freep) struct http_client *client = NULL;
    CLEANUP(http_reply_done) struct http_reply reply = {0};
    CLEANUP(mem_freep) char *url = NULL;
    size_t len = strlen(q->server);
    struct http_request request = {
        .method = q->method, .body = q->body, .reply_bytes_max = REPLY_MAX};

    while (len && q->server[len - 1] == '/')
        len--;
    TRY(mem_format(&url, "%.*s%s", (int)len, q->server, q->path));
    request.url = url;
    if (q->body.len)
        request.headers[request.header_count++] =
            (struct http_header){"Content-Type", "application/json"};
    TRY(http_client_new(&q->client, &client));
    TRY(http_client_send(client, &request, &reply));
    return read_reply(&reply, q->what, ret);
}

/* The certificate of the authority, proved by its fingerprint. */
static ks_rc fetch_authority(const struct join_conf *conf, struct buf *ret)
{
    const struct question q = {.client = {.clock = conf->clock, .is_unverified = true},
                               .server = conf->server,
                               .method = "GET",
                               .path = "/node/v1/authority",
                               .what = "fetching the authority"};
    CLEANUP(json_decrefp) json_t *reply = NULL;
    struct certificate_facts facts;
    const char *pem = "";

    TRY(ask(&q, &reply));
    ks_rc rc = json_get_text(reply, "authority", PEM_MAX, &pem);
    if (ks_ok(rc))
        rc = certificate_read(view_text(pem), &facts);
    ENSURE(ks_ok(rc), KS_E_BAD_REPLY, "%s shows no authority: %s", conf->server, ks_text(rc));
    ENSURE(strcmp(facts.fingerprint, conf->token->fingerprint) == 0, KS_E_AUTH,
           "%.200s is not the control plane that made this token: its authority has the "
           "fingerprint %s, the token "
           "names %s; nothing was sent to it",
           conf->server, facts.fingerprint, conf->token->fingerprint);
    return buf_append(ret, view_text(pem));
}

/* --- who we are --- */

ks_rc identity_request(const char *name, struct key_pair **ret_key, struct buf *ret_request)
{
    CLEANUP(key_pair_freep) struct key_pair *key = NULL;

    TRY(key_pair_new(&key));
    TRY(certificate_request_make(key, name, ret_request));
    *ret_key = TAKE(key);
    return KS_SUCCESS;
}

/* That a certificate is by our authority and for our key: else we could never use it. */
static ks_rc check_certificate(const struct key_pair *key, struct view certificate,
                               struct view authority)
{
    static const char sample[] = "the key of this certificate";
    CLEANUP(buf_done) struct buf signature = buf_init(256);

    TRY(certificate_is_issued_by(certificate, authority, CERTIFICATE_CLIENT, 0));
    TRY(key_pair_sign(key, view_text(sample), &signature));
    return ks_wrap(certificate_verify(certificate, view_text(sample), buf_view(&signature)),
                   "the certificate is for another key");
}

static ks_rc write_pem(struct node_dir *dir, const struct key_pair *key, const char *certificate)
{
    CLEANUP(buf_done) struct buf pem = buf_init_wiping(PEM_MAX);

    TRY(key_pair_write(key, &pem));
    TRY(buf_append(&pem, view_text(certificate)));
    return node_dir_write(dir, "node.pem", buf_view(&pem));
}

static const char *or_else(const char *text, const char *otherwise)
{
    return text ? text : otherwise;
}

static ks_rc write_facts(const struct join_conf *conf, const json_t *reply)
{
    CLEANUP(buf_done) struct buf text = buf_init(PEM_MAX);
    const char *node = "", *region = "", *url = "";

    TRY(json_get_text(reply, "node", ID_BYTES - 1, &node));
    TRY(json_get_text(reply, "region", NAME_BYTES - 1, &region));
    TRY(json_get_text(reply, "nodes_url", JOIN_URL_BYTES - 1, &url));
    ENSURE(id_is_valid(node), KS_E_BAD_REPLY, "the control plane gives no id");
    ENSURE(strncmp(url, "https://", 8) == 0, KS_E_BAD_REPLY,
           "the control plane names no https address for nodes: %.200s", url);
    CLEANUP(json_decrefp)
    json_t *facts = json_pack("{s:s, s:s, s:s, s:s, s:s}", "node", node, "name",
                              or_else(conf->name, conf->host), "region", region, "address",
                              or_else(conf->address, conf->host), "nodes_url", url);
    ENSURE(facts, KS_E_USAGE, "the name or address of the node is no UTF-8");
    TRY(json_write(facts, false, &text));
    return node_dir_write(conf->dir, "node.json", buf_view(&text));
}

/* more: members beside token and request, a new reference; NULL: no memory, or no UTF-8. */
static ks_rc send_request(const struct join_conf *conf, struct view request, json_t *more,
                          json_t **ret)
{
    CLEANUP(buf_done) struct buf body = buf_init_wiping(BODY_MAX);
    CLEANUP(mem_freep) char *own = NULL;
    struct view head = secret_view(conf->token->head);
    CLEANUP(json_decrefp) json_t *owned = more;
    CLEANUP(json_decrefp)
    json_t *ask_body = json_pack("{s:s%, s:s%}", "token", (const char *)head.bytes, head.len,
                                 "request", (const char *)request.bytes, request.len);

    ENSURE(owned && ask_body && json_object_update(ask_body, owned) == 0, KS_E_USAGE,
           "the name or address of the node is no UTF-8");
    TRY(json_write(ask_body, false, &body));
    TRY(node_dir_file(conf->dir, "authority.pem", &own));
    const struct question q = {
        .client = {.clock = conf->clock, .ca_file = conf->ca_file ? conf->ca_file : own},
        .server = conf->server,
        .method = "POST",
        .path = "/node/v1/join",
        .what = "joining",
        .body = buf_view(&body)};
    ks_rc rc = ask(&q, ret);
    if (ks_is(rc, KS_E_UNREACHABLE) && !conf->ca_file && strstr(ks_text(rc), "certificate"))
        return ks_wrap(rc, "if the certificate of --server is of another authority than the "
                           "fleet's own, name it with "
                           "--ca-file");
    return rc;
}

static ks_rc take_reply(const struct join_conf *conf, const struct key_pair *key,
                        struct view authority, const json_t *reply)
{
    const char *certificate = "";
    ks_rc rc = json_get_text(reply, "certificate", PEM_MAX, &certificate);

    ENSURE(ks_ok(rc), KS_E_BAD_REPLY, "joining: %s", ks_text(rc));
    TRY(check_certificate(key, view_text(certificate), authority));
    TRY(write_pem(conf->dir, key, certificate));
    return write_facts(conf, reply);
}

static ks_rc join_first(const struct join_conf *conf, const struct buf *authority)
{
    CLEANUP(buf_done) struct buf request = buf_init(PEM_MAX);
    CLEANUP(key_pair_freep) struct key_pair *key = NULL;
    CLEANUP(json_decrefp) json_t *reply = NULL;
    const char *name = or_else(conf->name, conf->host);

    TRY(node_dir_write(conf->dir, "authority.pem", buf_view(authority)));
    TRY(identity_request(name, &key, &request));
    json_t *more =
        json_pack("{s:s, s:s}", "name", name, "address", or_else(conf->address, conf->host));
    TRY(send_request(conf, buf_view(&request), more, &reply));
    return take_reply(conf, key, buf_view(authority), reply);
}

/* --- a certificate that has expired --- */

/* By the key of the certificate that has expired, over the request: who it is. */
static json_t *prove(const struct identity *old, struct view request)
{
    CLEANUP(buf_done) struct buf signature = buf_init(256), encoded = buf_init(512);
    ks_rc rc = key_pair_sign(old->key, request, &signature);

    if (ks_ok(rc))
        rc = base64_write(buf_view(&signature), BASE64_STANDARD, &encoded);
    if (!ks_ok(rc))
        return NULL;
    return json_pack("{s:s%, s:s%}", "certificate", (const char *)old->certificate.bytes,
                     old->certificate.len, "proof", (const char *)encoded.bytes, encoded.len);
}

static ks_rc join_again(const struct join_conf *conf, const struct buf *authority,
                        const struct identity *old)
{
    CLEANUP(buf_done) struct buf request = buf_init(PEM_MAX);
    CLEANUP(key_pair_freep) struct key_pair *key = NULL;
    CLEANUP(json_decrefp) json_t *reply = NULL;
    struct join_conf again = *conf;
    const char *node = "";

    ENSURE(view_is_equal(buf_view(authority), buf_view(&old->authority)), KS_E_AUTH,
           "%s has another authority than the fleet of %s; nothing was sent to it", conf->server,
           node_dir_path(conf->dir));
    again.name = old->name;
    again.address = or_else(conf->address, old->address);
    TRY(identity_request(old->name, &key, &request));
    TRY(send_request(&again, buf_view(&request), prove(old, buf_view(&request)), &reply));
    ks_rc rc = json_get_text(reply, "node", ID_BYTES - 1, &node);
    ENSURE(ks_ok(rc) && strcmp(node, old->node) == 0, KS_E_BAD_REPLY,
           "the control plane gives a certificate of another node");
    return take_reply(&again, key, buf_view(authority), reply);
}

ks_rc join(const struct join_conf *conf)
{
    CLEANUP(buf_done) struct buf authority = buf_init(PEM_MAX);
    CLEANUP(identity_done) struct identity old = {0};

    TRY(rest_check_url(conf->server, "--server"));
    ks_rc rc = identity_read(conf->dir, &old);
    if (ks_is(rc, KS_E_NOT_FOUND)) {
        TRY(fetch_authority(conf, &authority));
        return join_first(conf, &authority);
    }
    TRY(rc);
    ENSURE(identity_has_expired(&old, clock_wall_s(conf->clock)), KS_E_EXISTS,
           "%s has joined a fleet already, and its certificate is good", node_dir_path(conf->dir));
    TRY(fetch_authority(conf, &authority));
    return join_again(conf, &authority, &old);
}

ks_rc identity_replace(struct node_dir *dir, const struct key_pair *key, const json_t *reply)
{
    CLEANUP(buf_done) struct buf authority = buf_init(PEM_MAX);
    const char *certificate = "";

    ks_rc rc = json_get_text(reply, "certificate", PEM_MAX, &certificate);
    ENSURE(ks_ok(rc), KS_E_BAD_REPLY, "renewing: %s", ks_text(rc));
    TRY(node_dir_read(dir, "authority.pem", &authority));
    TRY(check_certificate(key, view_text(certificate), buf_view(&authority)));
    return write_pem(dir, key, certificate);
}

/* --- reading it again --- */

static ks_rc take_text(const json_t *facts, const char *name, char *room, size_t bytes)
{
    const char *text = "";

    TRY(json_get_text(facts, name, bytes - 1, &text));
    snprintf(room, bytes, "%s", text);
    return KS_SUCCESS;
}

static ks_rc read_facts(struct view text, struct identity *ret)
{
    CLEANUP(json_decrefp) json_t *facts = NULL;

    TRY(json_read(text, (struct json_limits){NODE_JSON_MAX, 4}, "node.json", &facts));
    TRY(take_text(facts, "node", ret->node, sizeof ret->node));
    TRY(take_text(facts, "name", ret->name, sizeof ret->name));
    TRY(take_text(facts, "region", ret->region, sizeof ret->region));
    TRY(take_text(facts, "address", ret->address, sizeof ret->address));
    return take_text(facts, "nodes_url", ret->nodes_url, sizeof ret->nodes_url);
}

/* The certificate behind the key in node.pem. */
static ks_rc split_pem(struct view pem, struct identity *ret)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    const uint8_t *at = memmem(pem.bytes, pem.len, begin, sizeof begin - 1);
    struct certificate_facts facts;

    ENSURE(at, KS_E_CORRUPT, "node.pem holds no certificate");
    size_t key_len = (size_t)(at - pem.bytes);
    TRY(key_pair_read(view_of(pem.bytes, key_len), &ret->key));
    TRY(buf_append(&ret->certificate, view_of(at, pem.len - key_len)));
    TRY(certificate_read(buf_view(&ret->certificate), &facts));
    ret->not_before = facts.not_before;
    ret->not_after = facts.not_after;
    return KS_SUCCESS;
}

static ks_rc read_all(struct node_dir *dir, struct identity *ret)
{
    CLEANUP(buf_done) struct buf facts = buf_init(NODE_JSON_MAX), pem = buf_init_wiping(PEM_MAX);

    ks_rc rc = node_dir_read(dir, "node.json", &facts);
    if (ks_is(rc, KS_E_NOT_FOUND))
        return ks_fail(KS_E_NOT_FOUND,
                       "%s is no node's yet; join a fleet with: keystead node join --server URL "
                       "--token-file FILE "
                       "--dir %s",
                       node_dir_path(dir), node_dir_path(dir));
    TRY(rc);
    rc = read_facts(buf_view(&facts), ret);
    ENSURE(ks_ok(rc), KS_E_CORRUPT, "node.json in %s is damaged: %s", node_dir_path(dir),
           ks_text(rc));
    TRY(node_dir_read(dir, "node.pem", &pem));
    TRY(split_pem(buf_view(&pem), ret));
    return node_dir_read(dir, "authority.pem", &ret->authority);
}

ks_rc identity_read(struct node_dir *dir, struct identity *ret)
{
    struct identity i = {.certificate = buf_init(PEM_MAX), .authority = buf_init(NODE_JSON_MAX)};
    ks_rc rc = read_all(dir, &i);

    if (ks_ok(rc))
        *ret = i;
    else
        identity_done(&i);
    return rc;
}

void identity_done(struct identity *i)
{
    key_pair_free(i->key);
    buf_done(&i->certificate);
    buf_done(&i->authority);
    *i = (struct identity){0};
}

bool identity_has_expired(const struct identity *i, int64_t now_s)
{
    return i->not_after <= now_s;
}

bool identity_is_aging(const struct identity *i, int64_t now_s)
{
    return i->not_after - now_s < (i->not_after - i->not_before) / 3;
}
