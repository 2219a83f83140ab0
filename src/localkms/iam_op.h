/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/iam_op.h - what operations of IAM on users and roles have in common. Private to localkms/iam_op*.c.
 */
#pragma once

#include "localkms/aws_query_int.h"

/* Parameters that many operations have. */
#define IAM_OP_PATH                                                                                \
    {                                                                                              \
        "Path", 1, IAM_PATH_MAX, QUERY_PATH, false                                                 \
    }
#define IAM_OP_PAGE                                                                                \
    {"Marker", 1, 320, QUERY_ANY, false}, {"MaxItems", 1, 1000, QUERY_NUMBER, false},              \
    {                                                                                              \
        "PathPrefix", 1, IAM_PATH_MAX, QUERY_ANY, false                                            \
    }
#define IAM_OP_POLICY_NAME                                                                         \
    {                                                                                              \
        "PolicyName", 1, IAM_NAME_MAX, QUERY_NAME, true                                            \
    }
#define IAM_OP_DOCUMENT(name)                                                                      \
    {                                                                                              \
        name, 1, 131072, QUERY_ANY, true                                                           \
    }
/* What would restrict, and is not known here, must not be taken and forgotten. */
#define IAM_OP_BOUNDARY                                                                            \
    {                                                                                              \
        "PermissionsBoundary", 20, 2048, QUERY_ANY, false                                          \
    }

/* iam_op_new_entity(c, name_param, prefix): the record of a new user or role, with its tags; NULL: c has failed. */
json_t *iam_op_new_entity(struct query_call *c, const char *name_param, const char *prefix);
void iam_op_write_tags(struct query_call *c, const struct iam_object *o);
/* iam_op_check_bare(c): the target has no policies any more, and so may be deleted. */
bool iam_op_check_bare(struct query_call *c);
/* iam_op_set(c, record, name, text): record[name] = text; false when memory is short. */
bool iam_op_set(struct query_call *c, json_t *record, const char *name, const char *text);
