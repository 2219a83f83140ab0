/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_policy_int.h - a policy document in memory. Private to localkms/aws_policy*.c and aws_condition*.c.
 */
#pragma once

#include "localkms/aws_policy.h"

/* The wildcards of a pattern, once it is compiled: bytes that no document can hold. */
enum { GLOB_ANY = 1, GLOB_ONE = 2 };
enum { EXPANDED_BYTES = 4096, VALUES_MAX = 512 };

struct pattern {
    const char *text;  /* compiled: see aws_pattern.c */
    bool has_variable; /* holds "${...}", to be filled in for each request */
};

struct pattern_list {
    struct pattern *items;
    size_t count;
};

enum principal_kind { PRINCIPAL_ANY, PRINCIPAL_ACCOUNT, PRINCIPAL_EXACT, PRINCIPAL_OTHER };

struct principal {
    enum principal_kind kind;
    const char *text; /* account number; ARN or id; nothing that could be one of us */
};

enum condition_type {
    CONDITION_STRING,
    CONDITION_NO_CASE,
    CONDITION_LIKE,
    CONDITION_ARN,
    CONDITION_BOOL,
    CONDITION_NUMBER,
    CONDITION_DATE,
    CONDITION_IP,
    CONDITION_NULL,
};

/* Bits of what a comparison of numbers and dates may come to. */
enum { ORDER_LESS = 1, ORDER_SAME = 2, ORDER_MORE = 4 };

struct condition_operator {
    const char *name;
    enum condition_type type;
    unsigned orders;
    bool is_negated;
};

enum condition_set { SET_NONE, SET_ANY, SET_ALL };

struct condition {
    const struct condition_operator *kind;
    enum condition_set set;
    bool is_if_exists;
    const char *key;
    struct pattern_list values;
};

struct statement {
    bool is_allow;
    bool is_not_action, is_not_resource, is_not_principal;
    bool has_principal;
    struct pattern_list actions, resources;
    struct principal *principals;
    size_t principal_count;
    struct condition *conditions;
    size_t condition_count;
};

struct block; /* of the memory of a policy */

struct aws_policy {
    enum policy_kind kind;
    char *text;
    json_t *document;
    bool may_vary; /* 2012-10-17: variables are filled in */
    struct statement *statements;
    size_t statement_count;
    struct block *blocks;
};

/* policy_take(p, count, bytes, ret): memory that lives as long as the policy. */
ks_rc policy_take(struct aws_policy *p, size_t count, size_t bytes, void *ret_ptr) KS_MUST;

/* One request being asked about. */
struct question {
    const struct aws_identity *identity;
    const struct aws_access *access;
    bool is_uncertain; /* something did not fit: the answer is no */
};

/* The values of a condition key in a request. */
struct values {
    size_t count; /* 0: absent */
    const char *items[VALUES_MAX];
    char room[64]; /* of one that is made up */
};

/* values_find(q, key, ret): key in any case. values_one(q, key): the only value of a key; NULL when there is not exactly
 * one; room is used for it. */
void values_find(struct question *q, const char *key, struct values *ret);

enum pattern_form { PATTERN_PLAIN, PATTERN_GLOB };

/* pattern_compile(p, text, form, ret): USAGE for control characters and unfinished variables. */
ks_rc pattern_compile(struct aws_policy *p, const char *text, enum pattern_form form,
                      struct pattern *ret) KS_MUST;
/* pattern_expand(pattern, q, room): the compiled text with variables filled in (literally); NULL when one has no value:
 * nothing matches then. */
const char *pattern_expand(const struct pattern *pattern, struct question *q,
                           char room[EXPANDED_BYTES]);
/* glob(pattern, text, is_no_case): whether a compiled pattern covers the whole text. */
bool glob_match(const char *pattern, struct view text, bool is_no_case);

/* condition_parse(p, name, key, values, ret): "ForAnyValue:StringLikeIfExists"; the values of one key. */
ks_rc condition_parse(struct aws_policy *p, const char *name, const char *key, const json_t *values,
                      struct condition *ret) KS_MUST;
/* condition_holds(c, q): whether the request meets it. */
bool condition_holds(const struct condition *c, struct question *q);
