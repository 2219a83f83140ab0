/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/model.c - the names of what the model's values can be, and the order of statuses.
 */
#include "control/model.h"

#include <string.h>

static const char *const cmek_status_names[CMEK_STATUS_COUNT] = {
    [CMEK_DISABLED] = "DISABLED",
    [CMEK_ENABLING] = "ENABLING",
    [CMEK_ENABLED] = "ENABLED",
    [CMEK_ENABLE_FAILED] = "ENABLE_FAILED",
    [CMEK_ROTATING] = "ROTATING",
    [CMEK_ROTATE_FAILED] = "ROTATE_FAILED",
    [CMEK_REVOKING] = "REVOKING",
    [CMEK_REVOKED] = "REVOKED",
    [CMEK_REVOKE_FAILED] = "REVOKE_FAILED",
    [CMEK_DISABLING] = "DISABLING",
    [CMEK_DISABLE_FAILED] = "DISABLE_FAILED",
};

static const char *const access_names[ACCESS_COUNT] = {
    [ACCESS_NONE] = "NONE",       [ACCESS_OPEN] = "OPEN",     [ACCESS_GRACE] = "GRACE",
    [ACCESS_LOCKING] = "LOCKING", [ACCESS_LOCKED] = "LOCKED", [ACCESS_FAILED] = "FAILED",
};

static const char *const cause_names[CAUSE_COUNT] = {
    [CAUSE_NONE] = "NONE",     [CAUSE_REVOKED] = "REVOKED",
    [CAUSE_DENIED] = "DENIED", [CAUSE_UNREACHABLE] = "UNREACHABLE",
    [CAUSE_ERROR] = "ERROR",   [CAUSE_ROLLED_BACK] = "ROLLED_BACK",
};

static const char *const cluster_state_names[CLUSTER_STATE_COUNT] = {
    [CLUSTER_CREATING] = "CREATING",
    [CLUSTER_CREATED] = "CREATED",
    [CLUSTER_CREATION_FAILED] = "CREATION_FAILED",
    [CLUSTER_DELETING] = "DELETING",
    [CLUSTER_DELETED] = "DELETED",
};

static const char *const region_state_names[REGION_STATE_COUNT] = {
    [REGION_ADDING] = "ADDING",
    [REGION_READY] = "READY",
    [REGION_REMOVING] = "REMOVING",
};

static const char *const engine_state_names[ENGINE_STATE_COUNT] = {
    [ENGINE_NONE] = "NONE",       [ENGINE_STARTING] = "STARTING", [ENGINE_RUNNING] = "RUNNING",
    [ENGINE_STOPPED] = "STOPPED", [ENGINE_FAILED] = "FAILED",
};

static const char *const node_state_names[NODE_STATE_COUNT] = {
    [NODE_JOINED] = "JOINED",
    [NODE_REMOVED] = "REMOVED",
};

static const char *const operation_kind_names[OPERATION_KIND_COUNT] = {
    [OPERATION_CLUSTER_CREATE] = "CLUSTER_CREATE", [OPERATION_CLUSTER_DELETE] = "CLUSTER_DELETE",
    [OPERATION_REGION_ADD] = "REGION_ADD",         [OPERATION_REGION_REMOVE] = "REGION_REMOVE",
    [OPERATION_REGION_SCALE] = "REGION_SCALE",     [OPERATION_CMEK_ENABLE] = "CMEK_ENABLE",
    [OPERATION_CMEK_ROTATE] = "CMEK_ROTATE",       [OPERATION_CMEK_REVOKE] = "CMEK_REVOKE",
    [OPERATION_CMEK_RESTORE] = "CMEK_RESTORE",     [OPERATION_CMEK_DISABLE] = "CMEK_DISABLE",
    [OPERATION_CMEK_CHECK] = "CMEK_CHECK",         [OPERATION_ROTATE_STORE] = "ROTATE_STORE",
    [OPERATION_ROTATE_DATA] = "ROTATE_DATA",       [OPERATION_REENCRYPT] = "REENCRYPT",
};

static const char *const operation_state_names[OPERATION_STATE_COUNT] = {
    [OPERATION_RUNNING] = "RUNNING",
    [OPERATION_SUCCEEDED] = "SUCCEEDED",
    [OPERATION_FAILED] = "FAILED",
    [OPERATION_CANCELLED] = "CANCELLED",
};

static const char *const role_names[ROLE_COUNT] = {
    [ROLE_VIEWER] = "VIEWER",
    [ROLE_OPERATOR] = "OPERATOR",
    [ROLE_ADMIN] = "ADMIN",
};

static const char *const wrap_state_names[WRAP_STATE_COUNT] = {
    [WRAP_ABSENT] = "ABSENT",
    [WRAP_ACTIVE] = "ACTIVE",
    [WRAP_FAILED] = "FAILED",
};

/* The place of text among names; count when it is none of them. */
static size_t place_of(const char *const *names, size_t count, const char *text)
{
    size_t i = 0;

    while (i < count && (!text || strcmp(names[i], text) != 0))
        i++;
    return i;
}

const char *cmek_status_name(enum cmek_status status)
{
    return cmek_status_names[status];
}

bool cmek_status_parse(const char *text, enum cmek_status *ret)
{
    size_t i = place_of(cmek_status_names, CMEK_STATUS_COUNT, text);

    if (i == CMEK_STATUS_COUNT)
        return false;
    *ret = (enum cmek_status)i;
    return true;
}

const char *access_name(enum access access)
{
    return access_names[access];
}

bool access_parse(const char *text, enum access *ret)
{
    size_t i = place_of(access_names, ACCESS_COUNT, text);

    if (i == ACCESS_COUNT)
        return false;
    *ret = (enum access)i;
    return true;
}

const char *cause_name(enum cause cause)
{
    return cause_names[cause];
}

bool cause_parse(const char *text, enum cause *ret)
{
    size_t i = place_of(cause_names, CAUSE_COUNT, text);

    if (i == CAUSE_COUNT)
        return false;
    *ret = (enum cause)i;
    return true;
}

const char *cluster_state_name(enum cluster_state state)
{
    return cluster_state_names[state];
}

const char *region_state_name(enum region_state state)
{
    return region_state_names[state];
}

const char *engine_state_name(enum engine_state state)
{
    return engine_state_names[state];
}

bool engine_state_parse(const char *text, enum engine_state *ret)
{
    size_t i = place_of(engine_state_names, ENGINE_STATE_COUNT, text);

    if (i == ENGINE_STATE_COUNT)
        return false;
    *ret = (enum engine_state)i;
    return true;
}

const char *node_state_name(enum node_state state)
{
    return node_state_names[state];
}

const char *operation_kind_name(enum operation_kind kind)
{
    return operation_kind_names[kind];
}

bool operation_kind_parse(const char *text, enum operation_kind *ret)
{
    size_t i = place_of(operation_kind_names, OPERATION_KIND_COUNT, text);

    if (i == OPERATION_KIND_COUNT)
        return false;
    *ret = (enum operation_kind)i;
    return true;
}

bool operation_state_parse(const char *text, enum operation_state *ret)
{
    size_t i = place_of(operation_state_names, OPERATION_STATE_COUNT, text);

    if (i == OPERATION_STATE_COUNT)
        return false;
    *ret = (enum operation_state)i;
    return true;
}

const char *operation_state_name(enum operation_state state)
{
    return operation_state_names[state];
}

const char *role_name(enum role role)
{
    return role_names[role];
}

bool role_parse(const char *text, enum role *ret)
{
    size_t i = place_of(role_names, ROLE_COUNT, text);

    if (i == ROLE_COUNT)
        return false;
    *ret = (enum role)i;
    return true;
}

const char *wrap_state_name(enum wrap_state state)
{
    return wrap_state_names[state];
}

bool wrap_state_parse(const char *text, enum wrap_state *ret)
{
    size_t i = place_of(wrap_state_names, WRAP_STATE_COUNT, text);

    if (i == WRAP_STATE_COUNT)
        return false;
    *ret = (enum wrap_state)i;
    return true;
}

/* How much a status says about the whole that has it; the higher counts. */
static const int status_weight[CMEK_STATUS_COUNT] = {
    [CMEK_DISABLED] = 0,       [CMEK_ENABLED] = 1,        [CMEK_REVOKED] = 2,
    [CMEK_ENABLING] = 3,       [CMEK_ROTATING] = 4,       [CMEK_DISABLING] = 5,
    [CMEK_REVOKING] = 6,       [CMEK_ENABLE_FAILED] = 7,  [CMEK_ROTATE_FAILED] = 8,
    [CMEK_DISABLE_FAILED] = 9, [CMEK_REVOKE_FAILED] = 10,
};

bool cmek_status_is_moving(enum cmek_status status)
{
    return status_weight[status] >= status_weight[CMEK_ENABLING] &&
           status_weight[status] <= status_weight[CMEK_REVOKING];
}

bool cmek_status_is_failed(enum cmek_status status)
{
    return status_weight[status] >= status_weight[CMEK_ENABLE_FAILED];
}

enum cmek_status cmek_status_worst(enum cmek_status a, enum cmek_status b)
{
    return status_weight[a] >= status_weight[b] ? a : b;
}

bool id_is_valid(const char *text)
{
    static const char form[] = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";

    for (size_t i = 0; i < sizeof(form) - 1; i++) {
        bool is_hex = text[i] && strchr("0123456789abcdef", text[i]);
        if (form[i] == 'h' ? !is_hex : text[i] != form[i])
            return false;
    }
    return text[sizeof(form) - 1] == '\0';
}
