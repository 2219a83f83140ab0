/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_call.h - one request to AWS KMS (JSON 1.1), from the signature to the reply.
 *
 * An operation is a line of the table in aws_ops.c: its name, the permission it needs, how it locks the realm, in which
 * states of the key it may run, its parameters with their bounds. aws_call.c does for all of them what is common: signature,
 * parameters, key, permission, state, audit, reply. What is left is the run function.
 */
#pragma once

#include "localkms/aws_keys.h"
#include "localkms/server.h"

extern const struct lk_wire aws_kms_wire;

/* ---- errors ---- */

enum aws_fault {
    AWS_FAULT_NONE,
    AWS_ACCESS_DENIED,
    AWS_ALREADY_EXISTS,
    AWS_DEPENDENCY_TIMEOUT,
    AWS_DISABLED,
    AWS_DRY_RUN,
    AWS_EXPIRED_IMPORT_TOKEN,
    AWS_INCORRECT_KEY,
    AWS_INCORRECT_MATERIAL,
    AWS_INVALID_ALIAS_NAME,
    AWS_INVALID_ARN,
    AWS_INVALID_CIPHERTEXT,
    AWS_INVALID_GRANT_ID,
    AWS_INVALID_GRANT_TOKEN,
    AWS_INVALID_IMPORT_TOKEN,
    AWS_INVALID_KEY_USAGE,
    AWS_INVALID_MARKER,
    AWS_INVALID_STATE,
    AWS_INTERNAL_FAULT,
    AWS_LIMIT_EXCEEDED,
    AWS_MALFORMED_POLICY,
    AWS_NOT_FOUND,
    AWS_SERIALIZATION,
    AWS_TAG,
    AWS_THROTTLING,
    AWS_UNKNOWN_OPERATION,
    AWS_UNSUPPORTED,
    AWS_VALIDATION,
    AWS_CONFLICT,
    AWS_FAULT_COUNT,
};

/* ---- operations ---- */

enum aws_type { AWS_TEXT, AWS_BLOB, AWS_INTEGER, AWS_BOOLEAN, AWS_TIME, AWS_LIST, AWS_MAP };

struct aws_param {
    const char *name;
    enum aws_type type;
    int64_t min, max; /* length of texts, blobs (bytes), lists and maps; value of integers */
    bool is_required;
    const char *choices; /* "A|B"; NULL: any */
};

enum aws_lock {
    AWS_FREE, /* takes what it needs by itself */
    AWS_READ, /* the realm for reading */
    AWS_TURN, /* the turn of the realm */
};

/* States of the key in which an operation may run, as a set of bits. */
#define AWS_IN(state) (1u << AWS_KEY_##state)
#define AWS_IN_ANY                                                                                 \
    (AWS_IN(ENABLED) | AWS_IN(DISABLED) | AWS_IN(PENDING_DELETION) | AWS_IN(PENDING_IMPORT))

struct aws_call;
enum { AWS_PARAMS_MAX = 12 };

struct aws_op {
    const char *name, *action;
    bool (*run)(struct aws_call *c);
    enum aws_lock lock;
    unsigned states;           /* 0: the operation has no key, or finds it itself */
    const char *key_param;     /* names the key; NULL: none */
    bool is_cross_account;     /* may name a key of another account */
    bool has_grant;            /* may be granted */
    const char *context_param; /* encryption context; NULL: none */
    struct aws_param params[AWS_PARAMS_MAX];
};
/* aws_op_find(name): NULL when there is none. */
const struct aws_op *aws_op_find(const char *name);

struct aws_call {
    struct realm *realm;
    struct http_exchange *x;
    const struct aws_op *op;
    struct aws_identity who;
    int64_t now_s;
    char request_id[REALM_ID_BYTES];
    json_t *params;            /* as sent, checked against op->params */
    const struct aws_key *key; /* of op->key_param */
    json_t *reply;             /* set by run; NULL: an empty body */
    bool is_granted;           /* a grant allows it */

    enum aws_fault fault;
    char *message;
    const char *other_code; /* of a refusal by aws_auth, instead of fault */
    int other_status;
    char resource[AWS_KEY_ARN_BYTES + AWS_ALIAS_BYTES]; /* for the audit */
};

/* aws_fail(c, fault, fmt, ...): what the answer will be; always false. */
bool aws_fail(struct aws_call *c, enum aws_fault fault, const char *fmt, ...) KS_PRINTF(3, 4);
/* aws_fail_rc(c, rc): an internal failure; true for a success. */
bool aws_fail_rc(struct aws_call *c, ks_rc rc);
/* aws_reply(c, value): takes the reply over; an internal failure for NULL. */
bool aws_reply(struct aws_call *c, json_t *value);

/* Parameters, as checked: NULL, the preset or false when absent. */
const char *aws_text(const struct aws_call *c, const char *name);
int64_t aws_integer(const struct aws_call *c, const char *name, int64_t preset);
bool aws_boolean(const struct aws_call *c, const char *name);
const json_t *aws_member(const struct aws_call *c, const char *name);
/* aws_blob(c, name, ret): appends the bytes to ret. */
bool aws_blob(struct aws_call *c, const char *name, struct buf *ret) KS_MUST;

/* aws_event(c): what the audit says of this call when it succeeds; lives as long as the call. */
struct lk_event aws_event(struct aws_call *c);

/* aws_check(op, params, message): AWS_FAULT_NONE, or what is wrong with the parameters; message gets the text. */
enum aws_fault aws_check(const struct aws_op *op, const json_t *params, char **message);

/* ---- keys of a call (aws_resolve.c) ---- */

/* aws_resolve(c, text, ret): the key that an id, ARN, alias or alias ARN names, as uses see it now. */
bool aws_resolve(struct aws_call *c, const char *text, const struct aws_key **ret) KS_MUST;
/* aws_check_state(c, key, states): DisabledException, KMSInvalidStateException. */
bool aws_check_state(struct aws_call *c, const struct aws_key *key, unsigned states) KS_MUST;
/* aws_permit(c, action, key, context): by key policy, the caller's policies and grants. */
bool aws_permit(struct aws_call *c, const char *action, const struct aws_key *key,
                const json_t *context) KS_MUST;
/* aws_permit_account(c, action, resource): for what is no key: by the caller's policies alone. */
bool aws_permit_account(struct aws_call *c, const char *action, const char *resource) KS_MUST;
/* aws_asked(c, action, key): what policies may ask about the request beyond its encryption context, for aws_access.conditions;
 * key may be NULL. The caller owns it; NULL without memory, and then nothing may be decided (aws_asked.c). */
json_t *aws_asked(const struct aws_call *c, const char *action, const struct aws_key *key);
/* aws_seen(c, key): the key as uses see it: before a change whose dialled delay is not over. */
const struct aws_key *aws_seen(struct aws_call *c, const struct aws_key *key);

/* aws_granted(key, who, operation, context): whether a grant of the key allows it (aws_op_grant.c). */
bool aws_granted(const struct aws_key *key, const struct aws_identity *who, const char *operation,
                 const json_t *context);
