/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/p11_token.h - a token found by its name, a login, and sessions (private to kms/p11_*, drv_pkcs11).
 *
 * A session belongs to one call at a time; a few idle ones are kept, which also keeps the login. Thread-safe.
 */
#pragma once

#include <pthread.h>

#include <p11-kit/uri.h>

#include "kms/driver.h"
#include "kms/p11_module.h"

enum { P11_IDLE_MAX = 4, P11_URI_PART_BYTES = 256 };

/* Where a PIN comes from. */
struct p11_pin {
    char file[KEY_PRINCIPAL_BYTES];      /* a path; or "" */
    char credential[P11_URI_PART_BYTES]; /* name of a systemd credential; or "" */
    const char *(*env)(void *arg, const char *name);
    void *env_arg;
    ks_rc (*ask)(void *arg, const char *what, struct secret **ret) KS_MUST; /* NULL: nobody */
    void *ask_arg;
};

struct p11_token {
    struct p11_module *module;
    P11KitUri *uri; /* what token and key must match; read only */
    char name[P11_URI_PART_BYTES];
    struct p11_pin pin;
    pthread_mutex_t mutex; /* guards the idle sessions */
    CK_SESSION_HANDLE idle[P11_IDLE_MAX];
    size_t idle_count;
    uint64_t idle_generation;
};

struct p11_session {
    struct p11_token *token; /* NULL: none */
    CK_FUNCTION_LIST *f;
    uint64_t generation;
    CK_SLOT_ID slot;
    CK_SESSION_HANDLE handle;
    bool is_broken; /* something transient happened: not to be used again */
};

/*
 * p11_token_init(conf, token): parses "pkcs11:" and the spec's uri (RFC 7512). Needed: module-path, and token or serial, and
 * object or id. USAGE for less, for parts that are not known and for a PIN in it (a spec is no place for a
 * secret). pin-source: file:/PATH, /PATH, or credential:NAME. p11_token_done: closes what is idle; of a zeroed token too.
 */
ks_rc p11_token_init(const struct kms_conf *conf, struct p11_token *token) KS_MUST;
void p11_token_done(struct p11_token *token);

/* p11_session_begin(token, ret): a session that is logged in. UNREACHABLE without token, CREDENTIAL, USAGE for a
 * name that several tokens bear. p11_session_end belongs behind it, also behind a failure. */
ks_rc p11_session_begin(struct p11_token *token, struct p11_session *ret) KS_MUST;
void p11_session_end(struct p11_session *s);

/* p11_check(s, rv, what): success or p11_error; marks the session when it is broken. */
ks_rc p11_check(struct p11_session *s, CK_RV rv, const char *what) KS_MUST;
