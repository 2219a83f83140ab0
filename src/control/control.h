/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/control.h - the control plane as those see it who ask: the APIs and the command line.
 *
 * Everything a caller may do to organisations, keys of the API, clusters, regions, CMEK, operations, nodes, and what it may
 * see. Each change is durable together with its audit event when the call returns, and the status that a caller reads
 * next already shows it. A caller sees nothing outside its scope: NOT_FOUND, as for what does not exist.
 *
 * Classes: USAGE (the text says what is wrong and what is possible), NOT_FOUND, EXISTS, STATE (names the current state),
 * BUSY (an operation is at work: try again later), LIMIT, IO. A failed call changed nothing. All functions are thread-safe.
 */
#pragma once

#include <jansson.h>

#include "base/clock.h"
#include "base/random.h"
#include "control/model.h"

struct control;

struct control_conf {
    const char *dir; /* state directory: control.db, authority.pem, authority.key */
    struct clock *clock;
    struct random *random;
    const char *engine;  /* of clusters that name none */
    bool is_development; /* allows FILE and NULL_KMS keys */
    /* lets keys at a provider do without auth_principal, in clusters of no provider: the nodes use them as themselves */
    bool is_node_identity_allowed;
    /* How long audit events, and operations that are over with receipts of locks that are over, are kept, in seconds; 0: for ever. Events and
     * receipts go to files in DIR/audit before they are removed (control/retention.h). */
    int64_t audit_keep_s, history_keep_s;
};

/* control_create(conf): a new state directory with store and certificate authority; dir is made, mode 0700. EXISTS; PERMISSION for a
 * directory that is another user's or that others may enter. */
ks_rc control_create(const struct control_conf *conf) KS_MUST;
/* control_open(conf, ret): NOT_FOUND when there is none, PERMISSION as above, BUSY when another process serves it, NEWER_VERSION; older ones are
 * migrated, after a copy. Starts the reconciler's thread. */
ks_rc control_open(const struct control_conf *conf, struct control **ret) KS_MUST;
void control_close(struct control *c);
void control_closep(struct control **c);
/* control_backup(c, path): a consistent copy of the store while it is in use. EXISTS. */
ks_rc control_backup(struct control *c, const char *path) KS_MUST;

/* -- the platform itself (control/platform.c) ------------------------------------------------------------------------ */

/* What changes of it; NULL: stays, "": is not told any more. */
struct platform_change {
    const char *aws_account, *aws_principal;
    const char *gcp_project, *gcp_service_account;
    const char *azure_client_id, *azure_application;
};
/* control_platform_get(c, ret): as whom the nodes come to key services, as far as it was told. Everybody may know. */
ks_rc control_platform_get(struct control *c, struct platform *ret) KS_MUST;
/* control_platform_change(c, by, change, ret): PERMISSION for all but administrators of the platform; USAGE for what cannot be, and for
 * a principal or service account that is not of the account or project. What changes nothing leaves no event. */
ks_rc control_platform_change(struct control *c, const struct caller *by,
                              const struct platform_change *change, struct platform *ret) KS_MUST;

/* -- organisations and keys of the API (control/account.c) ------------------------------------------------------- */

enum { API_SECRET_TEXT_BYTES = 128, SLICE_MAX = 500 };

ks_rc control_organisation_create(struct control *c, const struct caller *by, const char *name,
                                  struct organisation *ret) KS_MUST;
ks_rc control_organisation_get(struct control *c, const struct caller *by, const char *id,
                               struct organisation *ret) KS_MUST;

/* A part of a list. after: opaque, from the reply before; "" the first. before: of lists that go both ways, what after has to be for the
 * part before this one; "" when there is none. */
struct slice {
    char after[128], before[128];
    uint32_t count_max; /* 1..SLICE_MAX */
    bool is_descending;
};

ks_rc control_organisation_list(struct control *c, const struct caller *by, struct slice *slice,
                                struct organisation **ret, size_t *ret_count) KS_MUST;
/* control_api_key_create(c, by, wish, ret, ret_secret): wish gives scope, name, role, expires; none wider than the caller's own.
 * ret_secret: "ksk_<id>_<secret>", shown once; only a hash is kept. */
ks_rc control_api_key_create(struct control *c, const struct caller *by, const struct api_key *wish,
                             struct api_key *ret, char ret_secret[API_SECRET_TEXT_BYTES]) KS_MUST;
ks_rc control_api_key_list(struct control *c, const struct caller *by, struct slice *slice,
                           struct api_key **ret, size_t *ret_count) KS_MUST;
ks_rc control_api_key_revoke(struct control *c, const struct caller *by, const char *id) KS_MUST;
/* control_authenticate(c, secret, ret): PERMISSION for what is not a valid key that has not expired; says no more. Fills key, name,
 * scope, role. Compares in constant time. Made for every request: at most one read of the store. */
ks_rc control_authenticate(struct control *c, const char *secret, struct caller *ret) KS_MUST;

/* -- clusters and regions (control/cluster.c) ----------------------------------------------------------------------- */

struct region_wish {
    char name[NAME_BYTES];
    uint32_t node_count;
    size_t key_count; /* 0: no CMEK yet */
    struct key_spec keys[REGION_KEYS_MAX];
};

struct cluster_wish {
    char name[NAME_BYTES]; /* unique among the organisation's clusters that are not deleted */
    char provider[WORD_BYTES], engine[WORD_BYTES], dialect[WORD_BYTES];
    const char *extra; /* JSON object, or NULL */
    bool is_delete_protected;
    struct lease_terms lease; /* 0: the default of that term */
    struct rotation_terms rotation;
    size_t region_count;
    const struct region_wish *regions;
};

struct cluster_view {
    struct cluster cluster;
    size_t region_count;
    struct region *regions; /* by name */
    enum cmek_status status;
    char operation[ID_BYTES]; /* newest running operation; "" */
};
void cluster_view_free(struct cluster_view *v);
void cluster_view_freep(struct cluster_view **v);

/* control_cluster_create: USAGE for a region that no node serves (names those that are served). A second identical call while the
 * first is still CREATING gives that cluster; one that differs in anything, keys and defaults included, is EXISTS. */
ks_rc control_cluster_create(struct control *c, const struct caller *by,
                             const struct cluster_wish *wish, struct cluster_view **ret) KS_MUST;
ks_rc control_cluster_get(struct control *c, const struct caller *by, const char *id,
                          struct cluster_view **ret) KS_MUST;

enum cluster_order { CLUSTER_BY_CREATED, CLUSTER_BY_NAME, CLUSTER_BY_DELETED };
struct cluster_filter {
    enum cluster_order order;
    bool is_with_deleted;
    const char *dialect; /* NULL: all */
};
/* control_cluster_list: goes both ways. */
ks_rc control_cluster_list(struct control *c, const struct caller *by,
                           const struct cluster_filter *filter, struct slice *slice,
                           struct cluster_view ***ret, size_t *ret_count) KS_MUST;
void cluster_views_free(struct cluster_view **views, size_t count);

/* What changes; NULL or absent members stay. regions: all regions that the cluster is to have, new ones with their keys; a key for
 * a region that is there is USAGE. */
struct cluster_change {
    const bool *is_delete_protected;
    const char *extra;
    const struct lease_terms *lease;
    const struct rotation_terms *rotation;
    const char *name;
    size_t region_count; /* 0: regions stay */
    const struct region_wish *regions;
    int64_t revision; /* the one it must have now, else STATE; 0: any */
};
ks_rc control_cluster_change(struct control *c, const struct caller *by, const char *id,
                             const struct cluster_change *change,
                             struct cluster_view **ret) KS_MUST;
/* control_cluster_delete: STATE while it is protected. What is being deleted or is deleted: success. */
ks_rc control_cluster_delete(struct control *c, const struct caller *by, const char *id,
                             struct cluster_view **ret) KS_MUST;
/* control_volumes(c, by, cluster, ret, ret_count): its volumes, by region and ordinal. */
ks_rc control_volumes(struct control *c, const struct caller *by, const char *cluster,
                      struct cluster_volume **ret, size_t *ret_count) KS_MUST;
/* control_volume_detail(c, by, cluster, volume, ret): what the node last reported about wraps and generations, a JSON object. */
ks_rc control_volume_detail(struct control *c, const struct caller *by, const char *cluster,
                            const char *volume, json_t **ret) KS_MUST;
/* control_requests_failed(c, v): how many requests of a volume that control_volumes gave failed since its mount, by kind, as its node last
 * reported; a new reference, null when that is not known. */
json_t *control_requests_failed(struct control *c, const struct cluster_volume *v);
/* control_accept_rollback(c, by, cluster, volume, sequence, ret): the node may open the keyring of this sequence, which it refuses because a newer
 * one was there before; that is the newest from now on. STATE when it refuses none, or another one now. */
ks_rc control_accept_rollback(struct control *c, const struct caller *by, const char *cluster,
                              const char *volume, int64_t sequence,
                              struct cluster_volume *ret) KS_MUST;
/* control_connections(c, by, cluster, ret): [{"region","ordinal","host","port","uri","password"}], for operators; passwords are held in
 * memory only, as the nodes reported them. */
ks_rc control_connections(struct control *c, const struct caller *by, const char *cluster,
                          json_t **ret) KS_MUST;
/* control_region_names(c, ret, ret_count): regions that nodes serve, by name. */
ks_rc control_region_names(struct control *c, char (**ret)[NAME_BYTES], size_t *ret_count) KS_MUST;

/* -- CMEK (control/cmek.c) --------------------------------------------------------------------------------------------- */

struct cmek_region {
    struct region region;
    size_t key_count;
    struct region_key *keys; /* newest first, past ones behind */
};
struct cmek_view {
    char cluster[ID_BYTES];
    enum cluster_state state; /* of the cluster */
    enum cmek_status status;
    int64_t revision;
    size_t region_count;
    struct cmek_region *regions; /* by name */
};
void cmek_view_free(struct cmek_view *v);
void cmek_view_freep(struct cmek_view **v);

/* control_version(c, cluster): another number once the cluster, its regions or its keys have changed, sometimes without. What was read after
 * asking for it is still so while it is the same. Says nothing about who may see it. */
uint64_t control_version(struct control *c, const char *cluster);
ks_rc control_cmek_get(struct control *c, const struct caller *by, const char *cluster,
                       struct cmek_view **ret) KS_MUST;

enum cmek_verb {
    CMEK_ENABLE, /* specs for every region; of one that is enabled only the same spec is taken */
    CMEK_PUT, /* specs for some: enables or rotates; the same key again: rewraps to its newest version */
    CMEK_REVOKE,  /* all regions, or those named */
    CMEK_RESTORE, /* back from REVOKED by API */
    CMEK_DISABLE, /* back to the platform's key */
    CMEK_CHECK,   /* tries the specs on a node of each region; changes nothing */
    CMEK_ROTATE,  /* the level given */
    CMEK_VERB_COUNT,
};
enum rotate_level { LEVEL_CMEK, LEVEL_STORE, LEVEL_DATA, LEVEL_REENCRYPT };

struct region_spec {
    char region[NAME_BYTES];
    size_t key_count; /* 0 where the verb takes no keys */
    struct key_spec keys[REGION_KEYS_MAX];
};
struct cmek_ask {
    enum cmek_verb verb;
    enum rotate_level level; /* of CMEK_ROTATE */
    size_t region_count;     /* 0: all, where the verb takes no specs */
    const struct region_spec *regions;
    const char *check; /* operation id of a CHECK of these specs that went before; or NULL */
    int64_t revision;  /* as in cluster_change */
};
/*
 * control_cmek_ask(c, by, cluster, ask, ret): begins it. Status has changed when it returns; *ret is the operation that will
 * end it. A repeated ask that is under way or has nothing left to do succeeds: ret is an operation that is about every region
 * asked for, and runs while what is asked for is still at work in one of them. STATE names the status that does not allow it;
 * BUSY when another operation works on one of the regions; USAGE with every fault of the specs: unknown, missing, duplicate
 * regions, malformed or foreign keys, a cloud that is not the cluster's.
 */
ks_rc control_cmek_ask(struct control *c, const struct caller *by, const char *cluster,
                       const struct cmek_ask *ask, struct operation *ret) KS_MUST;
/* control_cmek_history(c, by, cluster, ret): [{"region","key":{...},"status","created_at","retired_at","volumes_active","volumes_unknown",
 * "is_safe_to_delete","because"}], newest first. Safe is a key (type and uri) that no region of this cluster needs under any of its rows. */
ks_rc control_cmek_history(struct control *c, const struct caller *by, const char *cluster,
                           json_t **ret) KS_MUST;

/* -- operations, receipts, audit (control/operation.c, control/audit.c) ------------------------------------------------ */

struct operation_view {
    struct operation operation;
    size_t step_count;
    struct operation_step *steps; /* by region */
};
void operation_view_free(struct operation_view *v);
void operation_view_freep(struct operation_view **v);
ks_rc control_operation_get(struct control *c, const struct caller *by, const char *id,
                            struct operation_view **ret) KS_MUST;
struct operation_filter {
    const char *cluster;               /* NULL: all that the caller may see */
    const enum operation_state *state; /* NULL: all */
    const enum operation_kind *kind;
};
/* control_operation_list(c, by, filter, slice, ret, ret_count): as they began. PERMISSION for the platform, which sees no cluster. */
ks_rc control_operation_list(struct control *c, const struct caller *by,
                             const struct operation_filter *filter, struct slice *slice,
                             struct operation **ret, size_t *ret_count) KS_MUST;
/* control_operation_cancel: STATE for one that is over, and for what cannot be undone (REVOKE, DELETE). A cancelled enable or
 * rotation goes back to the keys before; a re-encryption stops where it is. */
ks_rc control_operation_cancel(struct control *c, const struct caller *by, const char *id,
                               struct operation *ret) KS_MUST;
ks_rc control_receipt_list(struct control *c, const struct caller *by, const char *cluster,
                           const char *operation, struct slice *slice, struct receipt **ret,
                           size_t *ret_count) KS_MUST;
struct audit_filter {
    const char *cluster, *action; /* NULL: all; action may end with '*' */
    int64_t since, until;         /* wall seconds; 0: open */
};
ks_rc control_audit_list(struct control *c, const struct caller *by,
                         const struct audit_filter *filter, struct slice *slice,
                         struct audit_event **ret, size_t *ret_count) KS_MUST;
/* control_audit_behind(c, number, ret, ret_count): events of all scopes behind this one, up to SLICE_MAX, by number: for who has the state
 * directory. */
ks_rc control_audit_behind(struct control *c, int64_t number, struct audit_event **ret,
                           size_t *ret_count) KS_MUST;
/* control_audit_json(e), control_receipt_json(r): as the API, exports and archives write them; NULL when memory lacks. (control/record.c) */
json_t *control_audit_json(const struct audit_event *e);
json_t *control_receipt_json(const struct receipt *r);
/* control_audit_verify(c, ret_count): goes through the whole chain, from where retention has left it on; ret_count: its events. AUTH with the
 * number of the first event that does not fit. */
ks_rc control_audit_verify(struct control *c, int64_t *ret_count) KS_MUST;

/* -- repeated requests (control/idempotency.c) -------------------------------------------------------------------------- */

/* control_repeat_find(c, by, key, hash, ret_status, ret_body): the reply that was given to this Idempotency-Key; NOT_FOUND for a new
 * one; STATE when it came with another request; BUSY while the first is being answered. control_repeat_keep ends what find began. */
ks_rc control_repeat_find(struct control *c, const struct caller *by, const char *key,
                          const uint8_t hash[32], int *ret_status, struct buf *ret_body) KS_MUST;
void control_repeat_keep(struct control *c, const struct caller *by, const char *key, int status,
                         struct view body);

/* -- nodes (control/node.c, control/desired.c, control/report.c) ------------------------------------------------------- */

/* control_join_token_create(c, by, region, seconds, ret): "ksj_<id>_<secret>_<SHA-256 of the authority's certificate>", good once. */
ks_rc control_join_token_create(struct control *c, const struct caller *by, const char *region,
                                int64_t seconds, char ret[256]) KS_MUST;
/* control_node_join(c, token, request, name, address, ret): signs the request (PEM); reply of docs/NODES.md. PERMISSION for a token that is
 * unknown, used, expired. */
ks_rc control_node_join(struct control *c, const char *token, const char *request_pem,
                        const char *name, const char *address, json_t **ret) KS_MUST;
/* control_node_rejoin(c, token, ask, ret): a new certificate for a node whose own has expired; it stays that node and keeps its volumes. The
 * reply is as that of joining, and counts as that of control_node_renew. PERMISSION as above, and when it is not proved to be the node; USAGE when
 * the token is for another region. */
struct node_rejoin {
    const char *request;     /* PEM */
    const char *certificate; /* the node's last one, PEM, whenever it expired */
    const char *proof;       /* signature over request by that one's key, Base64 */
};
ks_rc control_node_rejoin(struct control *c, const char *token, const struct node_rejoin *ask,
                          json_t **ret) KS_MUST;
/* control_node_renew(c, node, request, ret): a new certificate for a node that has joined; the reply is as that of joining. It counts from its
 * first use on; until then the one before does. */
ks_rc control_node_renew(struct control *c, const char *node, const char *request_pem,
                         json_t **ret) KS_MUST;
ks_rc control_node_list(struct control *c, const struct caller *by, struct slice *slice,
                        struct node **ret, size_t *ret_count) KS_MUST;
/* control_node_remove: its certificate is good for nothing any more. STATE while it has volumes that are wanted, or takes others
 * away; what an away node did not take away is given up. */
ks_rc control_node_remove(struct control *c, const struct caller *by, const char *id) KS_MUST;
/* control_node_authenticate(c, fingerprint, ret): by SHA-256 of its certificate, hex. PERMISSION. */
ks_rc control_node_authenticate(struct control *c, const char *fingerprint,
                                struct node *ret) KS_MUST;
/* control_node_desired(c, node, since, ret): what it has to do that has a goal above since (docs/NODES.md); *ret NULL when nothing has. */
ks_rc control_node_desired(struct control *c, const char *node, int64_t since,
                           json_t **ret) KS_MUST;
/* control_node_report(c, node, report, ret): takes it in, as far as it is about this node's own volumes; ret: the reply of docs/NODES.md, which
 * names the parts that were refused. USAGE: nothing was taken. */
ks_rc control_node_report(struct control *c, const char *node, const json_t *report,
                          json_t **ret) KS_MUST;
/* control_authority(c): the certificate of the authority, PEM; as long as c. */
const char *control_authority(struct control *c);
/* control_server_certificate(c, names, ret_cert, ret_key): PEM of a certificate of 90 days for a listener, by the authority, and of its key
 * (a wiping buffer). names: comma-separated host names and addresses. Who listens asks again before it expires. */
ks_rc control_server_certificate(struct control *c, const char *names, struct buf *ret_cert,
                                 struct buf *ret_key) KS_MUST;

/*
 * control_watch(c, told, arg): from now on told(arg, kind, id) is called, from any thread, whenever a node has something new to do
 * (kind 'n', id of the node; "" all of them) or an operation moved (kind 'o', its id). It must only wake others.
 */
void control_watch(struct control *c, void (*told)(void *arg, char kind, const char *id),
                   void *arg);
