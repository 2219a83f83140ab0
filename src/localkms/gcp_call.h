/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/gcp_call.h - one request to Cloud KMS, IAM or the token services of Google, from its token to its answer.
 *
 * A route is a line of the table in gcp_routes.c: what is asked of which resource, the permission it needs, the members
 * its body may have, how it locks the realm. gcp_call.c does what is common to all; what is left is the run function.
 */
#pragma once

#include "localkms/dial.h"
#include "localkms/gcp_model.h"
#include "localkms/gcp_roles.h"
#include "localkms/server.h"

extern const struct lk_wire goog_wire;

/* The canonical codes of Google's errors, with their HTTP status. */
enum goog_code {
    GOOG_OK,
    GOOG_INVALID_ARGUMENT,
    GOOG_FAILED_PRECONDITION,
    GOOG_UNAUTHENTICATED,
    GOOG_PERMISSION_DENIED,
    GOOG_NOT_FOUND,
    GOOG_ALREADY_EXISTS,
    GOOG_ABORTED,
    GOOG_RESOURCE_EXHAUSTED,
    GOOG_INTERNAL,
    GOOG_UNAVAILABLE,
    GOOG_CODES,
};

enum goog_lock {
    GOOG_READ, /* the realm for reading */
    GOOG_TURN, /* the turn of the realm */
};

struct goog_call;

struct goog_route {
    const char *method;
    enum goog_kind kind;
    bool is_collection;
    const char *verb;       /* "" for none */
    const char *permission; /* NULL: the run function looks after it */
    enum goog_lock lock;
    bool (*run)(struct goog_call *c);
    const char *members; /* of the body, "a|b"; NULL: no body is read */
    /* prepare(c): what takes long, after the permission was looked at and before the lock; NULL: nothing */
    bool (*prepare)(struct goog_call *c);
};
/* goog_route_find(method, name): NULL when there is none. */
const struct goog_route *goog_route_find(const char *method, const struct goog_name *name);

struct goog_call {
    struct realm *realm;
    struct http_exchange *x;
    const struct goog_route *route;
    struct goog_name name;
    char caller[GOOG_EMAIL_BYTES + 24]; /* "serviceAccount:EMAIL"; "" before authentication */
    char request_id[REALM_ID_BYTES];
    int64_t now_s;
    json_t *body; /* NULL: none */
    const struct goog_node
        *node; /* what the name stands for; the parent for a collection, NULL for a location */
    json_t *reply;
    struct rsa *prepared; /* by the prepare function */

    enum goog_code code;
    char message[GOOG_TEXT_BYTES];
    json_t *details; /* of the error; NULL: none */
};

/* goog_refuse(c, code, fmt, ...): what the answer will be. goog_fail: the same, and false. */
void goog_refuse(struct goog_call *c, enum goog_code code, const char *fmt, ...) KS_PRINTF(3, 4);
#define goog_fail(...) (goog_refuse(__VA_ARGS__), false)
/* goog_fail_rc(c, rc): an internal failure, and false; true for a success. */
static inline bool goog_fail_rc(struct goog_call *c, ks_rc rc)
{
    return ks_ok(rc) || goog_fail(c, GOOG_INTERNAL, "%s", ks_text(rc));
}
/* goog_reply(c, value): takes the reply over; an internal failure for NULL. */
bool goog_reply(struct goog_call *c, json_t *value);
/* goog_permit(c, name, permission): the policies of name and of all above it, as uses see them now; PERMISSION_DENIED. */
bool goog_permit(struct goog_call *c, const char *name, const char *permission) KS_MUST;
bool goog_may(struct goog_call *c, const char *name, const char *permission) KS_MUST;
/* goog_event(c): what the audit says of this call when it succeeds; lives as long as the call. */
struct lk_event goog_event(struct goog_call *c);
/* goog_save(c, nodes, count): goog_commit for this call; an internal failure when it fails. */
bool goog_save(struct goog_call *c, struct goog_node **nodes, size_t count) KS_MUST;

/* Members of the body; the wire writes names in either way (JSON of protocol buffers). NULL when absent. */
const json_t *goog_member(const struct goog_call *c, const char *name);
const char *goog_body_text(const struct goog_call *c, const char *name);
/* goog_enum(value, names): the name for a name or number; NULL when it is none. names are in order of number, NULL in
 * gaps, ended by "". */
const char *goog_enum(const json_t *value, const char *const *names);
/* goog_text_time(s): a new JSON text of a time. */
json_t *goog_time(int64_t s);

/* Tokens (gcp_tokens.c). */
/* goog_authenticate(c): fills in caller; UNAUTHENTICATED. */
bool goog_authenticate(struct goog_call *c) KS_MUST;
/* goog_make_token(r, email, lifetime_s, ret): an access token of that service account. */
ks_rc goog_make_token(struct realm *r, const char *email, int64_t lifetime_s,
                      struct buf *ret) KS_MUST;
/* goog_token_endpoint(r, x): answers a request for a token (RFC 7523). */
void goog_token_endpoint(struct realm *r, struct http_exchange *x);
bool goog_op_generate_token(struct goog_call *c);

/* goog_settle(r): destroys material whose time has come; in the caller's turn or before anybody is served. */
ks_rc goog_settle(struct realm *r) KS_MUST;
/* goog_tick(r): the same, when something is due; takes the turn itself. */
ks_rc goog_tick(struct realm *r) KS_MUST;
/* goog_state(node, now_s): the state of a version now. */
const char *goog_state(const struct goog_node *node, int64_t now_s);

/* The run functions. */
bool goog_op_get(struct goog_call *c);
bool goog_op_list(struct goog_call *c);
bool goog_op_ring_create(struct goog_call *c);
bool goog_op_key_create(struct goog_call *c);
bool goog_op_key_patch(struct goog_call *c);
bool goog_op_key_primary(struct goog_call *c);
bool goog_op_version_create(struct goog_call *c);
bool goog_op_version_patch(struct goog_call *c);
bool goog_op_version_destroy(struct goog_call *c);
bool goog_op_version_restore(struct goog_call *c);
bool goog_op_encrypt(struct goog_call *c);
bool goog_op_decrypt(struct goog_call *c);
bool goog_prepare_job(struct goog_call *c);
bool goog_op_job_create(struct goog_call *c);
bool goog_op_import(struct goog_call *c);
bool goog_op_policy_get(struct goog_call *c);
bool goog_op_policy_set(struct goog_call *c);
bool goog_op_policy_test(struct goog_call *c);
bool goog_op_account_create(struct goog_call *c);
bool goog_op_account_switch(struct goog_call *c);
bool goog_op_account_delete(struct goog_call *c);
bool goog_prepare_account_key(struct goog_call *c);
bool goog_op_account_key_create(struct goog_call *c);

/* goog_show(r, node, now_s): a new document of a node as Google shows it, with what follows from other nodes. */
json_t *goog_show(const struct realm *r, const struct goog_node *node, int64_t now_s);

/*
 * goog_project_add(r, project, base_url, ret): a project and in it the service account "owner" with roles/owner; *ret is
 * its credentials file, which exists nowhere else. base_url is where this service is reached. EXISTS, USAGE. Takes the
 * turn itself.
 */
ks_rc goog_project_add(struct realm *r, const char *project, const char *base_url,
                       const struct lk_event *event, json_t **ret) KS_MUST;
/* goog_credentials(email, key_id, key, base_url, ret): a credentials file. */
ks_rc goog_credentials(const char *email, const char *key_id, const struct rsa *key,
                       const char *base_url, json_t **ret) KS_MUST;
/* goog_base_url(x, ret): "http://HOST" as the client addressed us. */
void goog_base_url(const struct http_exchange *x, char ret[GOOG_NAME_BYTES]);
/* goog_account_key_node(email, key, key_id, now_s, ret): the node of a key, with its public half only. */
ks_rc goog_account_key_node(const char *email, const struct rsa *key, const char *key_id,
                            int64_t now_s, struct goog_node **ret) KS_MUST;
