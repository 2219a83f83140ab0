/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/model.h - what the control plane knows about: plain values, every text bounded, no pointers into a store.
 *
 * What a customer asked for stands in clusters, regions and keys; what is so stands in volumes and nodes. The
 * reconciler (control/reconcile.h) brings the second to the first. No secret is ever among these.
 */
#pragma once

#include "base/key_spec.h"
#include "base/rc.h"
#include "control/anchor.h"

enum {
    ID_BYTES = 37, /* "1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11", lower case */
    NAME_BYTES = 65,
    WORD_BYTES = 33,      /* a cloud provider, an engine, a dialect */
    MESSAGE_BYTES = 1024, /* what people are told */
    EXTRA_BYTES = 16384,  /* a JSON object that a dialect keeps and gives back */
    REGIONS_MAX = 32,     /* of a cluster */
    REGION_KEYS_MAX = 4,  /* in force at a time; any one of them opens */
    WISH_KEYS_MAX =
        2 * REGION_KEYS_MAX,    /* while keys are changed, the old ones stand beside the new */
    RECEIPT_TEXT_BYTES = 20480, /* has room for so many with the longest names */
    REGION_NODES_MAX = 64,
    HOST_BYTES = 256,
};

/* The status of CMEK, of a key, a region, a cluster: the words of the public APIs. */
enum cmek_status {
    CMEK_DISABLED,
    CMEK_ENABLING,
    CMEK_ENABLED,
    CMEK_ENABLE_FAILED,
    CMEK_ROTATING,
    CMEK_ROTATE_FAILED,
    CMEK_REVOKING,
    CMEK_REVOKED,
    CMEK_REVOKE_FAILED,
    CMEK_DISABLING,
    CMEK_DISABLE_FAILED,
    CMEK_STATUS_COUNT,
};

/* Whether data can be read just now. */
enum access {
    ACCESS_NONE, /* not there (yet) */
    ACCESS_OPEN,
    ACCESS_GRACE, /* open, and the key service cannot be reached */
    ACCESS_LOCKING,
    ACCESS_LOCKED,
    ACCESS_FAILED, /* cannot be opened for a reason that is not the key's: disk, damage, configuration */
    ACCESS_COUNT,
};

/* Why access is not OPEN. */
enum cause {
    CAUSE_NONE,
    CAUSE_REVOKED,     /* by a call of our API */
    CAUSE_DENIED,      /* the key service says no */
    CAUSE_UNREACHABLE, /* the key service says nothing and the grace is over */
    CAUSE_ERROR,
    CAUSE_ROLLED_BACK, /* its keyring is older than one that was there before */
    CAUSE_COUNT,
};

enum cluster_state {
    CLUSTER_CREATING,
    CLUSTER_CREATED,
    CLUSTER_CREATION_FAILED,
    CLUSTER_DELETING,
    CLUSTER_DELETED, /* kept for the record */
    CLUSTER_STATE_COUNT,
};

enum region_state { REGION_ADDING, REGION_READY, REGION_REMOVING, REGION_STATE_COUNT };

/* Who may do what. A right is a role within a scope: of the platform, an organisation, a cluster. */
enum role { ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN, ROLE_COUNT };

struct organisation {
    char id[ID_BYTES]; /* the ExternalId of its volumes */
    char name[NAME_BYTES], label[NAME_BYTES];
    int64_t created;
};

/* As whom the nodes come to the customers' key services, for trust policies. Texts that were not told: "". */
struct platform {
    char aws_account[NAME_BYTES];         /* 12 digits */
    char aws_principal[HOST_BYTES];       /* ARN of the user or role, of that account */
    char gcp_project[NAME_BYTES];         /* id of the project */
    char gcp_service_account[HOST_BYTES]; /* its e-mail address */
    char azure_client_id[NAME_BYTES];     /* of the application, a UUID */
    char azure_application[NAME_BYTES];   /* its name, for people */
    int64_t updated;                      /* 0: never told */
};

/* An API key without its secret. organisation "": of the platform. cluster "": of all clusters. */
struct api_key {
    char id[ID_BYTES];
    char organisation[ID_BYTES], cluster[ID_BYTES];
    char name[NAME_BYTES];
    enum role role;
    int64_t created, expires, last_used; /* expires 0: never; last_used 0: never, to the minute */
    bool is_revoked;
};

/* Who asks: filled in by the API from the key, by the command line from the person. */
struct caller {
    char key[ID_BYTES]; /* id of the API key; "" for the local command line and the reconciler */
    char name[NAME_BYTES];
    char organisation[ID_BYTES], cluster[ID_BYTES]; /* scope, as in api_key */
    enum role role;
    char peer[64]; /* address; "" */
    char request[ID_BYTES];
};

struct lease_terms {
    int64_t lease_ms, probe_ms, grace_ms;
};

/* How often each level rotates by itself, in seconds; 0: only on demand. */
struct rotation_terms {
    int64_t cmek_s, store_s, data_s, reencrypt_s;
    bool is_rewrap_automatic; /* when the key service has a new version of the key */
};

struct cluster {
    char id[ID_BYTES];
    int64_t number; /* for dialects that count: unique, from 1 */
    char organisation[ID_BYTES];
    char name[NAME_BYTES];
    enum cluster_state state;
    char provider[WORD_BYTES]; /* "AWS", "GCP", "AZURE": its keys must be there; "": any */
    char engine[WORD_BYTES];   /* name of an engine template; "none": a volume alone */
    char dialect[WORD_BYTES];  /* the API that made it: "native", "cockroach" */
    char creator[ID_BYTES];
    bool is_delete_protected;
    struct lease_terms lease;
    struct rotation_terms rotation;
    char message[MESSAGE_BYTES];
    int64_t created, updated, deleted; /* deleted 0: not */
    int64_t revision; /* rises with every change of the cluster, its regions and keys: ETag */
    char extra[EXTRA_BYTES];
};

struct region {
    char cluster[ID_BYTES], name[NAME_BYTES];
    uint32_t node_count;
    enum region_state state;
    enum cmek_status status;
    bool is_revoked;         /* the customer's word, by API */
    bool is_platform_wanted; /* the platform's key is to open its volumes */
    /* How often each has been asked for; volumes do it when they are behind. */
    uint32_t serial_rewrap, serial_store, serial_data, serial_reencrypt, serial_restore;
    enum access access; /* the worst of its volumes */
    enum cause cause;
    char message[MESSAGE_BYTES];
    int64_t created, updated;
};

/* A key of a region, one that is in force or was. */
struct region_key {
    char id[ID_BYTES], cluster[ID_BYTES], region[NAME_BYTES];
    int64_t number; /* later keys have higher ones */
    struct key_spec spec;
    enum cmek_status status;
    bool is_wanted;                  /* volumes are to have a wrap under it */
    char version[KEY_VERSION_BYTES]; /* of the key service, as the volumes last reported; "" */
    char message[MESSAGE_BYTES];
    int64_t created, updated, retired; /* retired 0: in force */
};

enum node_state { NODE_JOINED, NODE_REMOVED, NODE_STATE_COUNT };

struct node {
    char id[ID_BYTES], name[NAME_BYTES], region[NAME_BYTES];
    enum node_state state;
    char address[HOST_BYTES]; /* where its engines are reached */
    char certificate[65];     /* SHA-256 of it, hex */
    char version[WORD_BYTES];
    int64_t joined,
        seen; /* seen: when it asked or reported last; kept in memory, stored now and then */
};

enum engine_state {
    ENGINE_NONE,
    ENGINE_STARTING,
    ENGINE_RUNNING,
    ENGINE_STOPPED, /* because the volume is locked or closed */
    ENGINE_FAILED,  /* is started again with growing pauses */
    ENGINE_STATE_COUNT,
};

/* One volume of a region on a node: what it is to be and what it was last reported to be. */
struct cluster_volume {
    char id[ID_BYTES], cluster[ID_BYTES], region[NAME_BYTES], node[ID_BYTES];
    uint32_t ordinal; /* 0.. within its region */
    bool is_wanted;   /* false: to be taken away */
    int64_t goal;     /* number of the wish that it has to reach; unique over all volumes, rising */
    int64_t reached;  /* last goal that the node reported as reached; -1: none */
    enum access access;
    enum cause cause;
    char message[MESSAGE_BYTES];
    uint32_t done_rewrap, done_store, done_data, done_reencrypt, done_restore;
    bool is_platform; /* has an active wrap under the platform's key */
    /* Proof of the last revocation by a call: one whose goal is above receipt_after; "" until it has come, be it before or after the
     * report that the volume is locked. */
    char receipt[ID_BYTES];
    int64_t receipt_after;
    /* A rotation that cannot be done now: "rewrap", "store", "data", "reencrypt"; "" none. */
    char failed_level[WORD_BYTES], failed_class[WORD_BYTES], failed_code[WORD_BYTES];
    char failed_message[MESSAGE_BYTES];
    int64_t bytes_done, bytes_total; /* of a running re-encryption; total 0: none */
    int64_t rate;                    /* bytes per second */
    enum engine_state engine;
    char engine_message[MESSAGE_BYTES];
    char host[HOST_BYTES];
    uint16_t port;
    char connection[HOST_BYTES]; /* connection string without a password */
    struct anchor anchor;        /* the newest keyring that was there, as far as this one knows */
    int64_t
        found; /* sequence of the keyring that its node refuses because it is older; 0: it does not */
    int64_t reported; /* when; 0: never */
};

/* What a node reported about one key on one volume. */
enum wrap_state { WRAP_ABSENT, WRAP_ACTIVE, WRAP_FAILED, WRAP_STATE_COUNT };
struct volume_key {
    char volume[ID_BYTES], key[ID_BYTES];
    enum wrap_state state;
    char version[KEY_VERSION_BYTES];
    char error_class[WORD_BYTES],
        error_code[WORD_BYTES]; /* of a failure: "DENIED", "KEY_DISABLED" */
    char message[MESSAGE_BYTES];
};

enum operation_kind {
    OPERATION_CLUSTER_CREATE,
    OPERATION_CLUSTER_DELETE,
    OPERATION_REGION_ADD,
    OPERATION_REGION_REMOVE,
    OPERATION_REGION_SCALE,
    OPERATION_CMEK_ENABLE,
    OPERATION_CMEK_ROTATE, /* to another key, or to the newest version of the same */
    OPERATION_CMEK_REVOKE,
    OPERATION_CMEK_RESTORE,
    OPERATION_CMEK_DISABLE,
    OPERATION_CMEK_CHECK,
    OPERATION_ROTATE_STORE,
    OPERATION_ROTATE_DATA,
    OPERATION_REENCRYPT,
    OPERATION_KIND_COUNT,
};

enum operation_state {
    OPERATION_RUNNING,
    OPERATION_SUCCEEDED,
    OPERATION_FAILED,
    OPERATION_CANCELLED,
    OPERATION_STATE_COUNT,
};

struct operation {
    char id[ID_BYTES], organisation[ID_BYTES], cluster[ID_BYTES];
    enum operation_kind kind;
    enum operation_state state;
    char by[ID_BYTES]; /* API key; "" the reconciler */
    char error_class[WORD_BYTES], error_code[WORD_BYTES];
    char message[MESSAGE_BYTES];
    int64_t bytes_done, bytes_total, eta_s; /* total 0: does not count in bytes; eta -1: unknown */
    uint32_t volumes_done, volumes_total;
    int64_t created, updated, finished;
    int64_t number; /* unique, rising */
};

/* The part of an operation in one region. */
struct operation_step {
    char operation[ID_BYTES], region[NAME_BYTES];
    enum operation_state state;
    char message[MESSAGE_BYTES];
    uint32_t serial; /* that the region's volumes must have done, for rotations */
    /* how far the region's volumes are, as of the last look while the step ran */
    uint32_t volumes_done, volumes_total;
    int64_t bytes_done, bytes_total, rate; /* of a re-encryption */
};

struct audit_event {
    int64_t number; /* rising, without gaps */
    int64_t at;
    char organisation[ID_BYTES], cluster[ID_BYTES];
    char actor[NAME_BYTES], key[ID_BYTES], peer[64], request[ID_BYTES];
    char action[NAME_BYTES]; /* "cluster.create", "cmek.revoke", "volume.locked" */
    char object[128];        /* "cluster/1f69...", "region/us-west-2" */
    char detail[2048];       /* JSON object */
    char chain[65];          /* SHA-256 over the chain before it and this event, hex */
};

/* A receipt of a node for a volume that was locked. The text is what was signed, to the byte. */
struct receipt {
    char id[ID_BYTES], organisation[ID_BYTES], cluster[ID_BYTES], region[NAME_BYTES];
    char volume[ID_BYTES], node[ID_BYTES],
        operation[ID_BYTES]; /* operation "": none asked for it */
    int64_t at;
    char text[RECEIPT_TEXT_BYTES]; /* JSON, canonical */
    char signature[256];           /* base64 of DER ECDSA-SHA256 */
    char certificate[4096];        /* of the node, PEM */
};

/* Names of the enums as they stand in APIs, documents and the store; parse: false for another text. */
const char *cmek_status_name(enum cmek_status status);
bool cmek_status_parse(const char *text, enum cmek_status *ret);
const char *access_name(enum access access);
bool access_parse(const char *text, enum access *ret);
const char *cause_name(enum cause cause);
bool cause_parse(const char *text, enum cause *ret);
const char *cluster_state_name(enum cluster_state state);
const char *region_state_name(enum region_state state);
const char *engine_state_name(enum engine_state state);
bool engine_state_parse(const char *text, enum engine_state *ret);
const char *node_state_name(enum node_state state);
const char *operation_kind_name(enum operation_kind kind);
bool operation_kind_parse(const char *text, enum operation_kind *ret);
const char *operation_state_name(enum operation_state state);
bool operation_state_parse(const char *text, enum operation_state *ret);
const char *role_name(enum role role);
bool role_parse(const char *text, enum role *ret);
const char *wrap_state_name(enum wrap_state state);
bool wrap_state_parse(const char *text, enum wrap_state *ret);

/* cmek_status_is_moving(s): an operation is at work: ENABLING, ROTATING, REVOKING, DISABLING. */
bool cmek_status_is_moving(enum cmek_status status);
bool cmek_status_is_failed(enum cmek_status status);
/* cmek_status_worst(a, b): a cluster's status out of its regions': any FAILED, then moving, then REVOKED, then
 * ENABLED, then DISABLED. */
enum cmek_status cmek_status_worst(enum cmek_status a, enum cmek_status b);
/* id_is_valid(text): a UUID as we write it. */
bool id_is_valid(const char *text);
