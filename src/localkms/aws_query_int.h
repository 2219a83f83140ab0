/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_query_int.h - one request of IAM or STS on its way. Private to localkms/aws_query*.c, iam_op*.c, sts_op*.c.
 *
 * An operation is a line of a table: what it is called, what it is done to, its parameters with their bounds, the function
 * that does it. What is common (signature, parameters, permission, audit, answer) is done around it in aws_query.c.
 */
#pragma once

#include "localkms/aws_form.h"
#include "localkms/aws_query.h"
#include "localkms/aws_xml.h"
#include "localkms/iam_int.h"

enum query_fault {
    QUERY_NONE,
    QUERY_NO_SUCH_ENTITY,
    QUERY_EXISTS,
    QUERY_MALFORMED_POLICY,
    QUERY_DELETE_CONFLICT,
    QUERY_LIMIT,
    QUERY_VALIDATION,
    QUERY_INVALID_INPUT,
    QUERY_INVALID_ACTION,
    QUERY_MALFORMED,
    QUERY_PACKED_TOO_LARGE,
    QUERY_ACCESS_DENIED,
    QUERY_THROTTLING,
    QUERY_INTERNAL,
    QUERY_FAULTS,
};

/* Which characters a parameter may have; the text of each is in aws_query_check.c. */
enum query_charset {
    QUERY_ANY,
    QUERY_NAME,
    QUERY_WORD,
    QUERY_PATH,
    QUERY_EXTERNAL_ID,
    QUERY_NUMBER
};

struct query_param {
    const char *name;
    int64_t min, max; /* length, or value of a number */
    enum query_charset charset;
    bool is_required;
};

enum query_service { QUERY_IAM, QUERY_STS };

/* What the permission is about, and what is looked up beforehand. */
enum query_target {
    QUERY_SELF,   /* the operation sees to permissions by itself, or needs none */
    QUERY_ALL,    /* nothing in particular */
    QUERY_USER,   /* UserName; the caller when it is absent */
    QUERY_ROLE,   /* RoleName */
    QUERY_POLICY, /* PolicyArn, or PolicyName of a new one */
};

struct query_call;
enum { QUERY_PARAMS_MAX = 9 };

struct query_op {
    const char *name;
    bool (*run)(struct query_call *c);
    enum query_target target;
    bool makes_it; /* the target must not be there yet; without it, it must be */
    bool has_result;
    bool is_change; /* is in the audit through its commit */
    struct query_param params[QUERY_PARAMS_MAX];
};

struct query_call {
    struct realm *realm;
    struct iam *iam;
    struct http_exchange *x;
    enum query_service service;
    const struct query_op *op;
    struct form *form;
    struct aws_identity who;
    char request_id[REALM_ID_BYTES];
    char action[96];            /* "iam:CreateUser" */
    char resource[IAM_ARN_MAX]; /* of the target */
    struct iam_object *target;  /* NULL: is not there, or is root */
    struct xml xml;

    const char *code; /* NULL: no fault */
    int status;
    char message[2048];
};

/* query_fail(c, fault, fmt, ...): what the answer will be; always false. query_done(c, rc): true for a success; else what
 * became of it: limits and malformed policies are the caller's, all else is ours. */
bool query_fail(struct query_call *c, enum query_fault fault, const char *fmt, ...) KS_PRINTF(3, 4);
bool query_done(struct query_call *c, ks_rc rc);
/* query_text(c, name): a parameter as checked; NULL when absent. query_number(c, name, preset). */
const char *query_text(const struct query_call *c, const char *name);
int64_t query_number(const struct query_call *c, const char *name, int64_t preset);
/* query_event(c): what the audit says of the call when it succeeds; lives as long as the call. */
struct lk_event query_event(const struct query_call *c);
/* query_check(c): the parameters against the table, in AWS's words (aws_query_check.c). */
bool query_check(struct query_call *c);
/* query_permit(c): finds the target and asks for permission (aws_query_target.c). In the turn. */
bool query_permit(struct query_call *c);

/* query_page(c, kind, each): one page of the objects of an account, by Marker, MaxItems and PathPrefix: each writes one, as a
 * member. Writes IsTruncated and Marker behind the list, which is called list. */
bool query_page(struct query_call *c, enum iam_kind kind, const char *list,
                void (*each)(struct query_call *c, const struct iam_object *o));
/* query_policy(c, text, kind, bytes_max, what): whether text is a policy of at most bytes_max characters besides white space
 * and names only principals that exist. */
bool query_policy(struct query_call *c, const char *text, enum policy_kind kind, size_t bytes_max);
/* query_change(c, record): puts the changed record of the target in its place. Takes record over; NULL is no memory. */
bool query_change(struct query_call *c, enum iam_kind kind, json_t *record);

/* The tables; NULL-terminated by name. */
extern const struct query_op iam_user_ops[], iam_role_ops[], iam_policy_ops[], sts_ops[];
