/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/store_schema.c - the tables and indexes of control.db, and how an older version becomes the next one.
 *
 * What is here was written to somebody's disk: a version's text never changes any more. Each index serves the queries of
 * store_queries.def; rows that are read together stand together (regions and keys of a cluster).
 */
#include "control/store_int.h"

static const char VERSION_1[] =
    "CREATE TABLE setting (name TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"

    "CREATE TABLE organisation (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, label TEXT NOT "
    "NULL,"
    " created INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX organisation_created ON organisation (created, id);"

    "CREATE TABLE api_key (id TEXT PRIMARY KEY, organisation TEXT NOT NULL, cluster TEXT NOT NULL,"
    " name TEXT NOT NULL, role TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL,"
    " last_used INTEGER NOT NULL, is_revoked INTEGER NOT NULL, hash BLOB NOT NULL)"
    " STRICT, WITHOUT ROWID;"
    "CREATE INDEX api_key_created ON api_key (created, id);"
    "CREATE INDEX api_key_platform ON api_key (cluster, created, id);"
    "CREATE INDEX api_key_organisation ON api_key (organisation, created, id);"
    "CREATE INDEX api_key_cluster ON api_key (organisation, cluster, created, id);"

    "CREATE TABLE node (id TEXT PRIMARY KEY, name TEXT NOT NULL, region TEXT NOT NULL,"
    " state TEXT NOT NULL, address TEXT NOT NULL, certificate TEXT NOT NULL UNIQUE,"
    " version TEXT NOT NULL, joined INTEGER NOT NULL, seen INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX node_joined ON node (joined, id);"
    "CREATE INDEX node_region ON node (state, region, joined, id);"

    "CREATE TABLE join_token (id TEXT PRIMARY KEY, region TEXT NOT NULL, hash BLOB NOT NULL,"
    " created INTEGER NOT NULL, expires INTEGER NOT NULL, used INTEGER NOT NULL, node TEXT NOT "
    "NULL)"
    " STRICT, WITHOUT ROWID;"
    "CREATE INDEX join_token_expires ON join_token (expires);"

    "CREATE TABLE cluster (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " organisation TEXT NOT NULL REFERENCES organisation (id), name TEXT NOT NULL,"
    " state TEXT NOT NULL, provider TEXT NOT NULL, engine TEXT NOT NULL, dialect TEXT NOT NULL,"
    " creator TEXT NOT NULL, is_delete_protected INTEGER NOT NULL, lease_ms INTEGER NOT NULL,"
    " probe_ms INTEGER NOT NULL, grace_ms INTEGER NOT NULL, cmek_s INTEGER NOT NULL,"
    " store_s INTEGER NOT NULL, data_s INTEGER NOT NULL, reencrypt_s INTEGER NOT NULL,"
    " is_rewrap_automatic INTEGER NOT NULL, message TEXT NOT NULL, created INTEGER NOT NULL,"
    " updated INTEGER NOT NULL, deleted INTEGER NOT NULL, revision INTEGER NOT NULL,"
    " extra TEXT NOT NULL) STRICT;"
    "CREATE INDEX cluster_organisation ON cluster (organisation, number);"
    "CREATE INDEX cluster_name ON cluster (organisation, name, number);"
    "CREATE UNIQUE INDEX cluster_living ON cluster (organisation, name) WHERE deleted = 0;"
    "CREATE INDEX cluster_deleted ON cluster (organisation, deleted, number);"

    "CREATE TABLE region (cluster TEXT NOT NULL REFERENCES cluster (id), name TEXT NOT NULL,"
    " node_count INTEGER NOT NULL, state TEXT NOT NULL, status TEXT NOT NULL,"
    " is_revoked INTEGER NOT NULL, is_platform_wanted INTEGER NOT NULL,"
    " serial_rewrap INTEGER NOT NULL, serial_store INTEGER NOT NULL, serial_data INTEGER NOT NULL,"
    " serial_reencrypt INTEGER NOT NULL, serial_restore INTEGER NOT NULL, access TEXT NOT NULL,"
    " cause TEXT NOT NULL, message TEXT NOT NULL, created INTEGER NOT NULL,"
    " updated INTEGER NOT NULL, PRIMARY KEY (cluster, name)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE region_key (cluster TEXT NOT NULL REFERENCES cluster (id), region TEXT NOT NULL,"
    " number INTEGER NOT NULL, id TEXT NOT NULL UNIQUE, key_type TEXT NOT NULL,"
    " key_uri TEXT NOT NULL, key_principal TEXT NOT NULL, status TEXT NOT NULL,"
    " is_wanted INTEGER NOT NULL, version TEXT NOT NULL, message TEXT NOT NULL,"
    " created INTEGER NOT NULL, updated INTEGER NOT NULL, retired INTEGER NOT NULL,"
    " PRIMARY KEY (cluster, region, number DESC)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE volume (id TEXT PRIMARY KEY, cluster TEXT NOT NULL REFERENCES cluster (id),"
    " region TEXT NOT NULL, node TEXT NOT NULL REFERENCES node (id), ordinal INTEGER NOT NULL,"
    " is_wanted INTEGER NOT NULL, goal INTEGER NOT NULL, reached INTEGER NOT NULL,"
    " access TEXT NOT NULL, cause TEXT NOT NULL, message TEXT NOT NULL,"
    " done_rewrap INTEGER NOT NULL, done_store INTEGER NOT NULL, done_data INTEGER NOT NULL,"
    " done_reencrypt INTEGER NOT NULL, done_restore INTEGER NOT NULL, is_platform INTEGER NOT NULL,"
    " receipt TEXT NOT NULL, failed_level TEXT NOT NULL, failed_class TEXT NOT NULL,"
    " failed_code TEXT NOT NULL, failed_message TEXT NOT NULL,"
    " bytes_done INTEGER NOT NULL, bytes_total INTEGER NOT NULL, rate INTEGER NOT NULL,"
    " engine TEXT NOT NULL, engine_message TEXT NOT NULL, host TEXT NOT NULL, port INTEGER NOT "
    "NULL,"
    " connection TEXT NOT NULL, reported INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX volume_cluster ON volume (cluster, region, ordinal);"
    "CREATE INDEX volume_node ON volume (node, goal);"

    "CREATE TABLE volume_key (volume TEXT NOT NULL REFERENCES volume (id) ON DELETE CASCADE,"
    " \"key\" TEXT NOT NULL, state TEXT NOT NULL, version TEXT NOT NULL, error_class TEXT NOT NULL,"
    " error_code TEXT NOT NULL, message TEXT NOT NULL, PRIMARY KEY (volume, \"key\"))"
    " STRICT, WITHOUT ROWID;"
    "CREATE INDEX volume_key_key ON volume_key (\"key\", volume);"

    "CREATE TABLE operation (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " organisation TEXT NOT NULL, cluster TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL,"
    " \"by\" TEXT NOT NULL, error_class TEXT NOT NULL, error_code TEXT NOT NULL,"
    " message TEXT NOT NULL, bytes_done INTEGER NOT NULL, bytes_total INTEGER NOT NULL,"
    " eta_s INTEGER NOT NULL, volumes_done INTEGER NOT NULL, volumes_total INTEGER NOT NULL,"
    " created INTEGER NOT NULL, updated INTEGER NOT NULL, finished INTEGER NOT NULL) STRICT;"
    "CREATE INDEX operation_cluster ON operation (cluster, number);"
    "CREATE INDEX operation_state ON operation (state, number);"
    "CREATE INDEX operation_cluster_state ON operation (cluster, state, number);"
    "CREATE TABLE operation_step (operation TEXT NOT NULL REFERENCES operation (id),"
    " region TEXT NOT NULL, state TEXT NOT NULL, message TEXT NOT NULL, serial INTEGER NOT NULL,"
    " PRIMARY KEY (operation, region)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE receipt (id TEXT NOT NULL UNIQUE, organisation TEXT NOT NULL,"
    " cluster TEXT NOT NULL, region TEXT NOT NULL, volume TEXT NOT NULL, node TEXT NOT NULL,"
    " operation TEXT NOT NULL, at INTEGER NOT NULL, text TEXT NOT NULL, signature TEXT NOT NULL,"
    " certificate TEXT NOT NULL) STRICT;"
    "CREATE INDEX receipt_cluster ON receipt (cluster, at, id);"
    "CREATE INDEX receipt_operation ON receipt (operation, at, id);"

    "CREATE TABLE due (cluster TEXT NOT NULL REFERENCES cluster (id), region TEXT NOT NULL,"
    " what TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (cluster, region, what))"
    " STRICT, WITHOUT ROWID;"
    "CREATE INDEX due_at ON due (at);"

    "CREATE TABLE document (kind TEXT NOT NULL, id TEXT NOT NULL, owner TEXT NOT NULL,"
    " text TEXT NOT NULL, PRIMARY KEY (kind, id)) STRICT;"
    "CREATE INDEX document_owner ON document (kind, owner, id);"

    "CREATE TABLE audit (number INTEGER PRIMARY KEY, at INTEGER NOT NULL, organisation TEXT NOT "
    "NULL,"
    " cluster TEXT NOT NULL, actor TEXT NOT NULL, \"key\" TEXT NOT NULL, peer TEXT NOT NULL,"
    " request TEXT NOT NULL, action TEXT NOT NULL, object TEXT NOT NULL, detail TEXT NOT NULL,"
    " chain TEXT NOT NULL) STRICT;"
    "CREATE INDEX audit_organisation ON audit (organisation, number);"
    "CREATE INDEX audit_cluster ON audit (cluster, number);"
    "CREATE INDEX audit_at ON audit (at);"

    "CREATE TABLE repeat (owner TEXT NOT NULL, word TEXT NOT NULL, hash BLOB NOT NULL,"
    " status INTEGER NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL DEFAULT x'',"
    " PRIMARY KEY (owner, word)) STRICT;"
    "CREATE INDEX repeat_at ON repeat (at);";

static const char VERSION_2[] =
    "ALTER TABLE volume ADD COLUMN receipt_after INTEGER NOT NULL DEFAULT 0;";

static const char VERSION_3[] =
    "ALTER TABLE operation_step ADD COLUMN volumes_done INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE operation_step ADD COLUMN volumes_total INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE operation_step ADD COLUMN bytes_done INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE operation_step ADD COLUMN bytes_total INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE operation_step ADD COLUMN rate INTEGER NOT NULL DEFAULT 0;";

static const char VERSION_4[] =
    "CREATE TABLE platform (id INTEGER PRIMARY KEY CHECK (id = 1), aws_account TEXT NOT NULL,"
    " aws_principal TEXT NOT NULL, gcp_project TEXT NOT NULL, gcp_service_account TEXT NOT NULL,"
    " azure_client_id TEXT NOT NULL, azure_application TEXT NOT NULL, updated INTEGER NOT NULL)"
    " STRICT;"
    "CREATE INDEX operation_organisation ON operation (organisation, number);"
    "CREATE INDEX operation_organisation_state ON operation (organisation, state, number);"
    "CREATE INDEX operation_organisation_kind ON operation (organisation, kind, number);"
    "CREATE INDEX operation_organisation_both ON operation (organisation, kind, state, number);";

/* By which retention finds what is old, and which receipts volumes still stand on. */
static const char VERSION_5[] =
    "CREATE INDEX operation_finished ON operation (finished, number) WHERE finished > 0;"
    "CREATE INDEX receipt_at ON receipt (at, id);"
    "CREATE INDEX volume_receipt ON volume (receipt) WHERE receipt > '';";

static const char VERSION_6[] =
    "ALTER TABLE volume ADD COLUMN keyring TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE volume ADD COLUMN keyring_sequence INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE volume ADD COLUMN keyring_accepted INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE volume ADD COLUMN keyring_found INTEGER NOT NULL DEFAULT 0;";

static const char *const steps[STORE_SCHEMA_VERSION] = {VERSION_1, VERSION_2, VERSION_3,
                                                        VERSION_4, VERSION_5, VERSION_6};
const struct store_schema store_schema_now = {steps, STORE_SCHEMA_VERSION};

static ks_rc run_step(struct db *db, const struct store_schema *schema, int64_t version)
{
    CLEANUP(buf_done) struct buf sql = buf_init(64);

    TRY(db_script(db, schema->steps[version]));
    TRY(buf_printf(&sql, "PRAGMA user_version = %lld", (long long)version + 1));
    return db_script(db, buf_text(&sql));
}

static ks_rc run_steps(struct db *db, const struct store_schema *schema, int64_t version)
{
    for (; version < schema->version; version++)
        TRY(run_step(db, schema, version));
    return db_script(db, "COMMIT");
}

ks_rc store_schema_version(struct db *db, const struct store_schema *schema, int64_t *ret)
{
    TRY(db_pragma(db, "PRAGMA user_version", ret));
    ENSURE(*ret <= schema->version, KS_E_NEWER_VERSION,
           "the store has version %lld, this program knows %lld", (long long)*ret,
           (long long)schema->version);
    ENSURE(*ret >= 0, KS_E_CORRUPT, "the store has version %lld", (long long)*ret);
    return KS_SUCCESS;
}

ks_rc store_schema_migrate(struct db *db, const struct store_schema *schema)
{
    int64_t version;

    TRY(store_schema_version(db, schema, &version));
    TRY(db_script(db, "BEGIN IMMEDIATE"));
    ks_rc rc = run_steps(db, schema, version);
    if (!ks_ok(rc) && db_is_in_transaction(db))
        /* the first failure is told; what is left open ends with the connection */
        IGNORE(db_script(db, "ROLLBACK"));
    return rc;
}
