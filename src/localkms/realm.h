/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/realm.h - one opened state directory of the embedded key service: its store, and in memory the models that
 * answer (accounts and roles, AWS keys, Google keys), the audit log, the fault dial.
 *
 * Rule of the locks. Whoever answers from the models holds the realm for reading (realm_read) and does nothing slow
 * meanwhile. Whoever changes something takes the turn (realm_turn): one changer at a time. In his turn he may read the
 * models without more, checks what he wants, has the change made durable by realm_commit, and only then takes the
 * realm for writing (realm_write) to bring the model in line, which cannot fail. So the models never show what is
 * not durable, and no reader waits for a disk.
 */
#pragma once

#include <pthread.h>

#include "base/clock.h"
#include "io/io.h"
#include "localkms/store.h"

struct http_exchange;

/* The parts; each is owned by its own file and opened and closed through the table in realm.c. */
struct iam;      /* accounts, users, roles, sessions: iam.h */
struct aws_keys; /* keys and aliases of AWS KMS: aws_keys.h */
struct gcp;      /* key rings, service accounts: gcp_*.h */
struct lk_audit; /* audit.h */
struct dial;     /* dial.h */

struct realm_conf {
    const char *dir;           /* state directory, made by realm_create */
    const struct secret *root; /* 32 bytes, see root.h */
    struct clock *clock;       /* NULL: the system's */
    struct random *random;     /* NULL: the system's */
    bool is_dial_on;           /* whether faults may be dialled at all; off in production */
};

struct realm {
    struct clock *clock;
    struct random *random;
    struct io *io;
    struct io_node *dir;
    struct lk_store *store;
    struct lk_audit *audit;
    struct dial *dial;
    struct iam *iam;
    struct aws_keys *aws_keys;
    struct gcp *gcp;
    struct secret *admin_token; /* admin.h */
    pthread_mutex_t turn;
    pthread_rwlock_t model;
};

/* realm_make_directory(dir): with mode 0700, when there is none. */
ks_rc realm_make_directory(const char *dir) KS_MUST;
/* realm_create(conf): an empty store in the directory. EXISTS when it holds
 * one. */
ks_rc realm_create(const struct realm_conf *conf) KS_MUST;
/* realm_open(conf, ret): WRONG_KEY, BUSY when another process serves it, NOT_FOUND, CORRUPT, AUTH. */
ks_rc realm_open(const struct realm_conf *conf, struct realm **ret) KS_MUST;
void realm_close(struct realm *r);
void realm_closep(struct realm **r);

static inline void realm_read(struct realm *r)
{
    pthread_rwlock_rdlock(&r->model);
}

static inline void realm_write(struct realm *r)
{
    pthread_rwlock_wrlock(&r->model);
}

/* realm_unlock(r): the end of realm_read and realm_write. */
static inline void realm_unlock(struct realm *r)
{
    pthread_rwlock_unlock(&r->model);
}

static inline void realm_turn(struct realm *r)
{
    pthread_mutex_lock(&r->turn);
}

static inline void realm_turn_end(struct realm *r)
{
    pthread_mutex_unlock(&r->turn);
}

/* What the audit says of a change or a use. Texts are borrowed; NULL is left out. */
struct lk_event {
    const char *request_id;
    const char *principal; /* ARN or e-mail address of who asked */
    const char *account;
    const char *source;    /* address he asked from */
    const char *operation; /* "kms:Decrypt", "iam:CreateRole", ... */
    const char *resource;  /* ARN or name */
    const char *context;   /* encryption context or parameters, as JSON text; never a secret */
    const char *outcome;   /* "ok", or the error code that was answered */
};

/* realm_commit(r, changes, count, event): in his turn: all of it with its audit event is durable when this returns. */
ks_rc realm_commit(struct realm *r, const struct lk_change *changes, size_t count,
                   const struct lk_event *event) KS_MUST;

/* realm_now_s(r): wall time as this service believes it; the dial can bend it. */
int64_t realm_now_s(struct realm *r);
/* realm_now_ms(r): boot time. */
uint64_t realm_now_ms(struct realm *r);

enum { REALM_ID_BYTES = 37 };
/* realm_make_id(r, out): a random UUID (version 4) as text. */
ks_rc realm_make_id(struct realm *r, char out[REALM_ID_BYTES]) KS_MUST;
