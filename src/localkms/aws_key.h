/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_key.h - one key of AWS KMS: its record, and what is parsed of it for use.
 *
 * A key does not change: a change makes another one from an edited copy of the record (aws_keys.h publishes it). The record is
 * the JSON document that the store keeps; the key material is beside it, one after the other in the order of the
 * record's "materials" that are present.
 */
#pragma once

#include <jansson.h>

#include "base/secret.h"
#include "crypto/xaes.h"
#include "localkms/aws_policy.h"

enum {
    AWS_KEY_NAME_BYTES = 64, /* a UUID, or "mrk-" and 32 digits */
    AWS_MATERIAL_ID_BYTES = 65,
    AWS_MATERIAL_BYTES = 32,
    AWS_MATERIALS_MAX = 100,
    AWS_KEY_ARN_BYTES = 256,
};

/* In the record by name. Whether a key that lacks material is pending import is worked out, not written. */
enum aws_key_state {
    AWS_KEY_ENABLED,
    AWS_KEY_DISABLED,
    AWS_KEY_PENDING_DELETION,
    AWS_KEY_PENDING_IMPORT,
    AWS_KEY_GONE, /* a pending deletion whose time has come */
    AWS_KEY_STATE_COUNT,
};

enum aws_material_state {
    AWS_CURRENT,
    AWS_NON_CURRENT,
    AWS_PENDING_ROTATION,
    AWS_MATERIAL_STATE_COUNT
};

struct aws_material {
    char id[AWS_MATERIAL_ID_BYTES];
    enum aws_material_state state;
    int64_t expires_s;    /* 0: never */
    struct xaes_key *key; /* NULL: not present */
};

struct aws_key {
    char id[AWS_KEY_NAME_BYTES];
    char account[AWS_ACCOUNT_BYTES];
    char region[64];
    char arn[AWS_KEY_ARN_BYTES];
    bool is_external; /* origin EXTERNAL: material comes from outside */
    enum aws_key_state stored_state;
    int64_t deletion_s;
    int64_t rotation_s; /* when the next automatic rotation is due; 0: never */
    struct aws_policy *policy;
    struct aws_material *materials;
    size_t material_count;
    json_t *record;
    struct secret_pool *pool;

    struct aws_key
        *past; /* what it was before its last change, for a dialled delay of that; or NULL */
    uint64_t past_until_ms;
};

/* Where key schedules and slots come from. */
struct aws_vault {
    struct secret_pool *pool; /* of sizeof(struct xaes_key) */
    struct xaes_ctx *ctx;
};

/* aws_key_make(vault, record, material, ret): takes the record over, also when it fails. material: NULL when there is none.
 * FORMAT for a record that was not written here. */
ks_rc aws_key_make(const struct aws_vault *vault, json_t *record, const struct secret *material,
                   struct aws_key **ret) KS_MUST;
void aws_key_free(struct aws_key *k);
void aws_key_freep(struct aws_key **k);
/* aws_key_material(k, ret): all that is present, for the store; NULL when there is none. */
ks_rc aws_key_material(const struct aws_key *k, struct secret **ret) KS_MUST;

/* aws_key_state(k, now_s): as of now: missing or expired material and a deletion that is due count. */
enum aws_key_state aws_key_state(const struct aws_key *k, int64_t now_s);
/* aws_key_current(k): the material that encrypts; NULL when there is none. */
const struct aws_material *aws_key_current(const struct aws_key *k);
/* aws_key_find_material(k, id): by its id or the first 32 digits of it; NULL. */
const struct aws_material *aws_key_find_material(const struct aws_key *k, const char *id);

/* Names as AWS writes them: "Enabled", "CURRENT". *_from: false for another. */
const char *aws_key_state_name(enum aws_key_state state);
const char *aws_material_state_name(enum aws_material_state state);
