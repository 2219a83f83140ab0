/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/gcp_accounts.c - projects, service accounts and their keys.
 *
 * Of a key only the public half is kept; the private one leaves with the answer that made it.
 */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"
#include "crypto/rsa.h"
#include "localkms/gcp_call.h"

enum { PEM_MAX = 8192, KEY_BITS = 2048, KEY_ID_BYTES = 20, FILE_MAX = 16 * 1024 };

void goog_base_url(const struct http_exchange *x, char ret[GOOG_NAME_BYTES])
{
    const char *host = http_header(x, "host");

    snprintf(ret, GOOG_NAME_BYTES, "%s://%.400s", http_is_tls(x) ? "https" : "http",
             host ? host : "");
}

/* --- keys --- */

static ks_rc private_pem(const struct rsa *key, struct buf *ret)
{
    CLEANUP(secret_freep) struct secret *der = NULL;
    CLEANUP(buf_done) struct buf text = buf_init_wiping(PEM_MAX);

    TRY(rsa_private_der(key, &der));
    TRY(base64_write(secret_view(der), BASE64_STANDARD, &text));
    TRY(buf_append(ret, view_text("-----BEGIN PRIVATE KEY-----\n")));
    for (size_t at = 0; at < text.len; at += 64) {
        size_t n = text.len - at < 64 ? text.len - at : 64;
        TRY(buf_append(ret, view_of(text.bytes + at, n)));
        TRY(buf_append(ret, view_text("\n")));
    }
    return buf_append(ret, view_text("-----END PRIVATE KEY-----\n"));
}

ks_rc goog_credentials(const char *email, const char *key_id, const struct rsa *key,
                       const char *base_url, json_t **ret)
{
    CLEANUP(buf_done) struct buf pem = buf_init_wiping(PEM_MAX);
    char name[GOOG_NAME_BYTES], token_url[GOOG_NAME_BYTES + 8], project[GOOG_PROJECT_BYTES];

    TRY(private_pem(key, &pem));
    ENSURE(goog_account_name(email, name), KS_E_BUG, "the account %.200s", email);
    snprintf(project, sizeof project, "%.*s", (int)strcspn(name + 9, "/"), name + 9);
    snprintf(token_url, sizeof token_url, "%s/token", base_url);
    json_t *doc = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "type", "service_account",
                            "project_id", project, "private_key_id", key_id, "private_key",
                            buf_text(&pem), "client_email", email, "client_id", "0", "token_uri",
                            token_url, "universe_domain", "googleapis.com");
    ENSURE(doc, KS_E_NO_MEMORY, "no memory for credentials");
    *ret = doc;
    return KS_SUCCESS;
}

ks_rc goog_account_key_node(const char *email, const struct rsa *key, const char *key_id,
                            int64_t now_s, struct goog_node **ret)
{
    CLEANUP(goog_node_freep) struct goog_node *n = NULL;
    CLEANUP(buf_done) struct buf pem = buf_init(PEM_MAX);
    char account[GOOG_NAME_BYTES], name[2 * GOOG_NAME_BYTES];

    ENSURE(goog_account_name(email, account), KS_E_USAGE, "\"%.200s\" is no service account",
           email);
    snprintf(name, sizeof name, "%s/keys/%s", account, key_id);
    TRY(goog_node_new(GOOG_ACCOUNT_KEY, name, &n));
    TRY(rsa_public_pem(key, &pem));
    TRY(goog_set(n->own, "public", json_string(buf_text(&pem))));
    TRY(goog_set(n->doc, "keyAlgorithm", json_string("KEY_ALG_RSA_2048")));
    TRY(goog_set(n->doc, "keyType", json_string("USER_MANAGED")));
    TRY(goog_set(n->doc, "keyOrigin", json_string("GOOGLE_PROVIDED")));
    TRY(goog_set(n->doc, "validAfterTime", goog_time(now_s)));
    *ret = TAKE(n);
    return KS_SUCCESS;
}

static ks_rc make_key_id(struct realm *r, char ret[2 * KEY_ID_BYTES + 1])
{
    CLEANUP(buf_done) struct buf text = buf_init(2 * KEY_ID_BYTES + 1);
    uint8_t bytes[KEY_ID_BYTES];

    TRY(random_fill(r->random, bytes, sizeof bytes));
    TRY(hex_write(view_of(bytes, sizeof bytes), &text));
    memcpy(ret, buf_text(&text), text.len + 1);
    return KS_SUCCESS;
}

bool goog_prepare_account_key(struct goog_call *c)
{
    return goog_fail_rc(c, rsa_generate(KEY_BITS, &c->prepared));
}

static ks_rc make_account_key(struct goog_call *c, const char *email, struct goog_node **ret_node,
                              json_t **ret_file)
{
    char key_id[2 * KEY_ID_BYTES + 1], base[GOOG_NAME_BYTES];

    TRY(make_key_id(c->realm, key_id));
    goog_base_url(c->x, base);
    TRY(goog_credentials(email, key_id, c->prepared, base, ret_file));
    return goog_account_key_node(email, c->prepared, key_id, c->now_s, ret_node);
}

/* The answer carries the whole credentials file, in base64. */
static json_t *with_file(const struct goog_node *n, const json_t *file)
{
    CLEANUP(buf_done) struct buf text = buf_init_wiping(FILE_MAX);
    CLEANUP(buf_done) struct buf coded = buf_init_wiping(2 * FILE_MAX);
    json_t *doc = json_deep_copy(n->doc);

    if (!doc || !ks_ok(json_write(file, false, &text)) ||
        !ks_ok(base64_write(buf_view(&text), BASE64_STANDARD, &coded)) ||
        !ks_ok(goog_set(doc, "privateKeyData", json_string(buf_text(&coded)))) ||
        !ks_ok(goog_set(doc, "privateKeyType", json_string("TYPE_GOOGLE_CREDENTIALS_FILE")))) {
        json_decref(doc);
        return NULL;
    }
    return doc;
}

bool goog_op_account_key_create(struct goog_call *c)
{
    CLEANUP(json_decrefp) json_t *file = NULL;
    struct goog_node *node = NULL;

    if (!goog_fail_rc(c, make_account_key(c, goog_text(c->node, "email"), &node, &file)) ||
        !goog_reply(c, with_file(node, file))) {
        goog_node_free(node);
        return false;
    }
    return goog_save(c, &node, 1);
}

/* --- accounts --- */

static ks_rc account_node(struct realm *r, const char *email, const char *title,
                          struct goog_node **ret)
{
    CLEANUP(goog_node_freep) struct goog_node *n = NULL;
    char name[GOOG_NAME_BYTES], id[32];
    uint64_t number;

    ENSURE(goog_account_name(email, name), KS_E_USAGE, "\"%.200s\" is no service account", email);
    TRY(random_fill(r->random, &number, sizeof number));
    snprintf(id, sizeof id, "1%020llu", (unsigned long long)number);
    TRY(goog_node_new(GOOG_ACCOUNT, name, &n));
    TRY(goog_set(n->doc, "projectId", json_stringn(name + 9, strcspn(name + 9, "/"))));
    TRY(goog_set(n->doc, "uniqueId", json_string(id)));
    TRY(goog_set(n->doc, "email", json_string(email)));
    TRY(goog_set(n->doc, "displayName", json_string(title)));
    *ret = TAKE(n);
    return KS_SUCCESS;
}

/* 6 to 30 lower-case letters, digits and hyphens, a letter first and no hyphen last. */
static bool is_account_id(const char *id)
{
    size_t len = strlen(id);

    return len >= 6 && len <= 30 && id[0] >= 'a' && id[0] <= 'z' && id[len - 1] != '-' &&
           strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

bool goog_op_account_create(struct goog_call *c)
{
    const char *id = goog_body_text(c, "accountId");
    const char *title =
        json_string_value(json_object_get(goog_member(c, "serviceAccount"), "displayName"));
    char email[GOOG_EMAIL_BYTES], name[GOOG_NAME_BYTES];
    struct goog_node *node = NULL;

    if (!id || !is_account_id(id))
        return goog_fail(c, GOOG_INVALID_ARGUMENT,
                         "The account ID must have 6 to 30 characters, lower-case letters, digits "
                         "and hyphens.");
    snprintf(email, sizeof email, "%s@%s.iam.gserviceaccount.com", id, c->name.project);
    if (!goog_account_name(email, name))
        return goog_fail(c, GOOG_INVALID_ARGUMENT, "The account ID is too long.");
    if (goog_find(c->realm, name))
        return goog_fail(c, GOOG_ALREADY_EXISTS,
                         "Service account %s already exists within project %s.", id, c->name.text);
    if (!goog_fail_rc(c, account_node(c->realm, email, title ? title : "", &node)) ||
        !goog_reply(c, json_deep_copy(node->doc))) {
        goog_node_free(node);
        return false;
    }
    return goog_save(c, &node, 1);
}

bool goog_op_account_switch(struct goog_call *c)
{
    bool is_disabled = strcmp(c->name.verb, "disable") == 0;
    struct goog_node *node = NULL;

    if (!goog_fail_rc(c, goog_node_copy(c->node, &node)) ||
        !goog_fail_rc(c, goog_set(node->doc, "disabled", json_boolean(is_disabled)))) {
        goog_node_free(node);
        return false;
    }
    return goog_save(c, &node, 1) && goog_reply(c, json_object());
}

bool goog_op_account_delete(struct goog_call *c)
{
    struct lk_event event = goog_event(c);

    return goog_fail_rc(c, goog_remove(c->realm, c->name.text, &event)) &&
           goog_reply(c, json_object());
}

/* --- projects --- */

static ks_rc project_node(const char *name, const char *owner, struct goog_node **ret)
{
    CLEANUP(goog_node_freep) struct goog_node *n = NULL;
    char member[GOOG_EMAIL_BYTES + 24];

    snprintf(member, sizeof member, "serviceAccount:%s", owner);
    TRY(goog_node_new(GOOG_PROJECT, name, &n));
    n->policy = json_pack("{s:i,s:[{s:s,s:[s]}]}", "version", 1, "bindings", "role", "roles/owner",
                          "members", member);
    ENSURE(n->policy, KS_E_NO_MEMORY, "no memory for a project");
    *ret = TAKE(n);
    return KS_SUCCESS;
}

struct nodes {
    struct goog_node *at[3];
};

static void nodes_done(struct nodes *n)
{
    for (size_t i = 0; i < 3; i++)
        goog_node_free(n->at[i]);
}

struct owner {
    const char *email, *key_id;
    const struct rsa *key;
};

static ks_rc add_project(struct realm *r, const char *name, const struct owner *o,
                         const struct lk_event *event)
{
    CLEANUP(nodes_done) struct nodes n = {{NULL}};

    ENSURE(!goog_find(r, name), KS_E_EXISTS, "there is a %.200s already", name);
    TRY(project_node(name, o->email, &n.at[0]));
    TRY(account_node(r, o->email, "owner", &n.at[1]));
    TRY(goog_account_key_node(o->email, o->key, o->key_id, realm_now_s(r), &n.at[2]));
    return goog_commit(r, n.at, 3, event, 0);
}

ks_rc goog_project_add(struct realm *r, const char *project, const char *base_url,
                       const struct lk_event *event, json_t **ret)
{
    CLEANUP(rsa_freep) struct rsa *key = NULL;
    CLEANUP(json_decrefp) json_t *file = NULL;
    char name[GOOG_NAME_BYTES], email[GOOG_EMAIL_BYTES], key_id[2 * KEY_ID_BYTES + 1];

    ENSURE(goog_name_is_id(GOOG_PROJECT, project) && strlen(project) >= 4 && strlen(project) <= 30,
           KS_E_USAGE, "\"%.60s\" is no project: 4 to 30 lower-case letters, digits and hyphens",
           project);
    snprintf(name, sizeof name, "projects/%s", project);
    snprintf(email, sizeof email, "owner@%s.iam.gserviceaccount.com", project);
    TRY(rsa_generate(KEY_BITS, &key));
    TRY(make_key_id(r, key_id));
    TRY(goog_credentials(email, key_id, key, base_url, &file));
    realm_turn(r);
    ks_rc rc = add_project(r, name, &(struct owner){email, key_id, key}, event);
    realm_turn_end(r);
    TRY(rc);
    *ret = TAKE(file);
    return KS_SUCCESS;
}
