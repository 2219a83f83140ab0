/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/store_tables.c - which member of a struct of the model stands in which column.
 */
#include "control/store_int.h"

/* The words of an enum of the model. */
#define WORDS(what, highest)                                                                       \
    static const char *what##_word(unsigned value)                                                 \
    {                                                                                              \
        return what##_name(value);                                                                 \
    }                                                                                              \
    static const struct db_names what##_words = {(highest), what##_word};

static_assert(sizeof(enum cmek_status) == sizeof(unsigned), "words are read as numbers");

WORDS(cmek_status, CMEK_STATUS_COUNT)
WORDS(access, ACCESS_COUNT)
WORDS(cause, CAUSE_COUNT)
WORDS(cluster_state, CLUSTER_STATE_COUNT)
WORDS(region_state, REGION_STATE_COUNT)
WORDS(engine_state, ENGINE_STATE_COUNT)
WORDS(node_state, NODE_STATE_COUNT)
WORDS(operation_kind, OPERATION_KIND_COUNT)
WORDS(operation_state, OPERATION_STATE_COUNT)
WORDS(role, ROLE_COUNT)
WORDS(wrap_state, WRAP_STATE_COUNT)

/* A column called name for member m of struct s. FIXED_ ones never change once a row is there. */
#define COLUMN(name, kind, s, m, words, fixed)                                                     \
    {                                                                                              \
        name, kind, offsetof(struct s, m), sizeof(((struct s *)0)->m), words, fixed                \
    }
#define TEXT_AS(name, s, m) COLUMN(name, DB_TEXT, s, m, NULL, false)
#define TEXT(s, m) COLUMN(#m, DB_TEXT, s, m, NULL, false)
#define FIXED_TEXT(s, m) COLUMN(#m, DB_TEXT, s, m, NULL, true)
#define NUMBER_AS(name, s, m) COLUMN(name, DB_INT64, s, m, NULL, false)
#define NUMBER(s, m) COLUMN(#m, DB_INT64, s, m, NULL, false)
#define FIXED_NUMBER(s, m) COLUMN(#m, DB_INT64, s, m, NULL, true)
#define COUNT(s, m) COLUMN(#m, DB_UINT32, s, m, NULL, false)
#define FLAG(s, m) COLUMN(#m, DB_BOOL, s, m, NULL, false)
#define BYTES(s, m) COLUMN(#m, DB_BYTES, s, m, NULL, false)
#define WORD(s, m, words) COLUMN(#m, DB_ENUM, s, m, &(words), false)

#define TABLE(table, s, what, key)                                                                 \
    const struct db_table store_table_##table = {                                                  \
        #table,                                                                                    \
        what,                                                                                      \
        key,                                                                                       \
        sizeof(struct s),                                                                          \
        sizeof table##_columns / sizeof table##_columns[0],                                        \
        table##_columns}

static const struct db_column organisation_columns[] = {
    FIXED_TEXT(organisation, id),
    TEXT(organisation, name),
    TEXT(organisation, label),
    NUMBER(organisation, created),
};
TABLE(organisation, organisation, "organisation", "id");

static const struct db_column platform_columns[] = {
    COLUMN("id", DB_INT64, store_platform, id, NULL, true),
    TEXT_AS("aws_account", store_platform, platform.aws_account),
    TEXT_AS("aws_principal", store_platform, platform.aws_principal),
    TEXT_AS("gcp_project", store_platform, platform.gcp_project),
    TEXT_AS("gcp_service_account", store_platform, platform.gcp_service_account),
    TEXT_AS("azure_client_id", store_platform, platform.azure_client_id),
    TEXT_AS("azure_application", store_platform, platform.azure_application),
    NUMBER_AS("updated", store_platform, platform.updated),
};
TABLE(platform, store_platform, "identity of the platform", "id");

static const struct db_column api_key_columns[] = {
    COLUMN("id", DB_TEXT, store_api_key, key.id, NULL, true),
    TEXT_AS("organisation", store_api_key, key.organisation),
    TEXT_AS("cluster", store_api_key, key.cluster),
    TEXT_AS("name", store_api_key, key.name),
    COLUMN("role", DB_ENUM, store_api_key, key.role, &role_words, false),
    NUMBER_AS("created", store_api_key, key.created),
    NUMBER_AS("expires", store_api_key, key.expires),
    NUMBER_AS("last_used", store_api_key, key.last_used),
    COLUMN("is_revoked", DB_BOOL, store_api_key, key.is_revoked, NULL, false),
    BYTES(store_api_key, hash),
};
TABLE(api_key, store_api_key, "API key", "id");

static const struct db_column node_columns[] = {
    FIXED_TEXT(node, id), TEXT(node, name),
    TEXT(node, region),   WORD(node, state, node_state_words),
    TEXT(node, address),  TEXT(node, certificate),
    TEXT(node, version),  NUMBER(node, joined),
    NUMBER(node, seen),
};
TABLE(node, node, "node", "id");

static const struct db_column join_token_columns[] = {
    FIXED_TEXT(store_join_token, id),  TEXT(store_join_token, region),
    BYTES(store_join_token, hash),     NUMBER(store_join_token, created),
    NUMBER(store_join_token, expires), NUMBER(store_join_token, used),
    TEXT(store_join_token, node),
};
TABLE(join_token, store_join_token, "join token", "id");

static const struct db_column cluster_columns[] = {
    FIXED_NUMBER(cluster, number),
    FIXED_TEXT(cluster, id),
    FIXED_TEXT(cluster, organisation),
    TEXT(cluster, name),
    WORD(cluster, state, cluster_state_words),
    TEXT(cluster, provider),
    TEXT(cluster, engine),
    TEXT(cluster, dialect),
    TEXT(cluster, creator),
    FLAG(cluster, is_delete_protected),
    NUMBER_AS("lease_ms", cluster, lease.lease_ms),
    NUMBER_AS("probe_ms", cluster, lease.probe_ms),
    NUMBER_AS("grace_ms", cluster, lease.grace_ms),
    NUMBER_AS("cmek_s", cluster, rotation.cmek_s),
    NUMBER_AS("store_s", cluster, rotation.store_s),
    NUMBER_AS("data_s", cluster, rotation.data_s),
    NUMBER_AS("reencrypt_s", cluster, rotation.reencrypt_s),
    COLUMN("is_rewrap_automatic", DB_BOOL, cluster, rotation.is_rewrap_automatic, NULL, false),
    TEXT(cluster, message),
    NUMBER(cluster, created),
    NUMBER(cluster, updated),
    NUMBER(cluster, deleted),
    NUMBER(cluster, revision),
    TEXT(cluster, extra),
};
TABLE(cluster, cluster, "cluster", "number");

static const struct db_column region_columns[] = {
    FIXED_TEXT(region, cluster),
    FIXED_TEXT(region, name),
    COUNT(region, node_count),
    WORD(region, state, region_state_words),
    WORD(region, status, cmek_status_words),
    FLAG(region, is_revoked),
    FLAG(region, is_platform_wanted),
    COUNT(region, serial_rewrap),
    COUNT(region, serial_store),
    COUNT(region, serial_data),
    COUNT(region, serial_reencrypt),
    COUNT(region, serial_restore),
    WORD(region, access, access_words),
    WORD(region, cause, cause_words),
    TEXT(region, message),
    NUMBER(region, created),
    NUMBER(region, updated),
};
TABLE(region, region, "region", "cluster, name");

static const struct db_column region_key_columns[] = {
    FIXED_TEXT(region_key, cluster),
    FIXED_TEXT(region_key, region),
    FIXED_NUMBER(region_key, number),
    FIXED_TEXT(region_key, id),
    TEXT_AS("key_type", region_key, spec.type),
    TEXT_AS("key_uri", region_key, spec.uri),
    TEXT_AS("key_principal", region_key, spec.auth_principal),
    WORD(region_key, status, cmek_status_words),
    FLAG(region_key, is_wanted),
    TEXT(region_key, version),
    TEXT(region_key, message),
    NUMBER(region_key, created),
    NUMBER(region_key, updated),
    NUMBER(region_key, retired),
};
TABLE(region_key, region_key, "key", "cluster, region, number");

static const struct db_column volume_columns[] = {
    FIXED_TEXT(cluster_volume, id),
    FIXED_TEXT(cluster_volume, cluster),
    FIXED_TEXT(cluster_volume, region),
    TEXT(cluster_volume, node),
    COUNT(cluster_volume, ordinal),
    FLAG(cluster_volume, is_wanted),
    NUMBER(cluster_volume, goal),
    NUMBER(cluster_volume, reached),
    WORD(cluster_volume, access, access_words),
    WORD(cluster_volume, cause, cause_words),
    TEXT(cluster_volume, message),
    COUNT(cluster_volume, done_rewrap),
    COUNT(cluster_volume, done_store),
    COUNT(cluster_volume, done_data),
    COUNT(cluster_volume, done_reencrypt),
    COUNT(cluster_volume, done_restore),
    FLAG(cluster_volume, is_platform),
    TEXT(cluster_volume, receipt),
    NUMBER(cluster_volume, receipt_after),
    TEXT(cluster_volume, failed_level),
    TEXT(cluster_volume, failed_class),
    TEXT(cluster_volume, failed_code),
    TEXT(cluster_volume, failed_message),
    NUMBER(cluster_volume, bytes_done),
    NUMBER(cluster_volume, bytes_total),
    NUMBER(cluster_volume, rate),
    WORD(cluster_volume, engine, engine_state_words),
    TEXT(cluster_volume, engine_message),
    TEXT(cluster_volume, host),
    COLUMN("port", DB_UINT16, cluster_volume, port, NULL, false),
    TEXT(cluster_volume, connection),
    TEXT_AS("keyring", cluster_volume, anchor.volume),
    NUMBER_AS("keyring_sequence", cluster_volume, anchor.sequence),
    NUMBER_AS("keyring_accepted", cluster_volume, anchor.accepted),
    NUMBER_AS("keyring_found", cluster_volume, found),
    NUMBER(cluster_volume, reported),
};
TABLE(volume, cluster_volume, "volume", "id");

static const struct db_column volume_key_columns[] = {
    FIXED_TEXT(volume_key, volume),
    FIXED_TEXT(volume_key, key),
    WORD(volume_key, state, wrap_state_words),
    TEXT(volume_key, version),
    TEXT(volume_key, error_class),
    TEXT(volume_key, error_code),
    TEXT(volume_key, message),
};
TABLE(volume_key, volume_key, "key of a volume", "volume, \"key\"");

static const struct db_column operation_columns[] = {
    FIXED_NUMBER(operation, number),
    FIXED_TEXT(operation, id),
    TEXT(operation, organisation),
    TEXT(operation, cluster),
    WORD(operation, kind, operation_kind_words),
    WORD(operation, state, operation_state_words),
    TEXT(operation, by),
    TEXT(operation, error_class),
    TEXT(operation, error_code),
    TEXT(operation, message),
    NUMBER(operation, bytes_done),
    NUMBER(operation, bytes_total),
    NUMBER(operation, eta_s),
    COUNT(operation, volumes_done),
    COUNT(operation, volumes_total),
    NUMBER(operation, created),
    NUMBER(operation, updated),
    NUMBER(operation, finished),
};
TABLE(operation, operation, "operation", "number");

static const struct db_column operation_step_columns[] = {
    FIXED_TEXT(operation_step, operation),
    FIXED_TEXT(operation_step, region),
    WORD(operation_step, state, operation_state_words),
    TEXT(operation_step, message),
    COUNT(operation_step, serial),
    COUNT(operation_step, volumes_done),
    COUNT(operation_step, volumes_total),
    NUMBER(operation_step, bytes_done),
    NUMBER(operation_step, bytes_total),
    NUMBER(operation_step, rate),
};
TABLE(operation_step, operation_step, "step of an operation", "operation, region");

static const struct db_column receipt_columns[] = {
    FIXED_TEXT(receipt, id),  TEXT(receipt, organisation), TEXT(receipt, cluster),
    TEXT(receipt, region),    TEXT(receipt, volume),       TEXT(receipt, node),
    TEXT(receipt, operation), NUMBER(receipt, at),         TEXT(receipt, text),
    TEXT(receipt, signature), TEXT(receipt, certificate),
};
TABLE(receipt, receipt, "receipt", "id");

static const struct db_column due_columns[] = {
    FIXED_TEXT(store_due, cluster),
    FIXED_TEXT(store_due, region),
    FIXED_TEXT(store_due, what),
    NUMBER(store_due, at),
};
TABLE(due, store_due, "schedule", "cluster, region, what");

static const struct db_column audit_columns[] = {
    FIXED_NUMBER(audit_event, number), NUMBER(audit_event, at),    TEXT(audit_event, organisation),
    TEXT(audit_event, cluster),        TEXT(audit_event, actor),   TEXT(audit_event, key),
    TEXT(audit_event, peer),           TEXT(audit_event, request), TEXT(audit_event, action),
    TEXT(audit_event, object),         TEXT(audit_event, detail),  TEXT(audit_event, chain),
};
TABLE(audit, audit_event, "event", "number");

static const struct db_column repeat_columns[] = {
    FIXED_TEXT(store_repeat, owner), FIXED_TEXT(store_repeat, word), BYTES(store_repeat, hash),
    COUNT(store_repeat, status),     NUMBER(store_repeat, at),
};
TABLE(repeat, store_repeat, "kept reply", "owner, word");
