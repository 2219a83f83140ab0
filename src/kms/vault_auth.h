/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/vault_auth.h - tokens for Vault and OpenBao: where they come from, how they are kept alive (private to kms/vault_*,
 * drv_transit).
 *
 * By auth_principal:
 *   ""                          BAO_TOKEN or VAULT_TOKEN, else the file of VAULT_TOKEN_FILE, else ~/.vault-token
 *   "/PATH", "credential:NAME"  the token is the first line of that file, read again when it is no good any more
 *   "approle:ROLE_ID@SOURCE"    log in with a secret id from SOURCE, which is /PATH or credential:NAME
 *   "kubernetes:ROLE[@/PATH]"   log in with the service account's token
 * The last two take ";mount=NAME" for an auth method that is mounted elsewhere. A token that can be renewed is, when two
 * thirds of its time are over. Thread-safe.
 */
#pragma once

#include <pthread.h>

#include "kms/vault_answer.h"

enum vault_method { VAULT_TOKEN, VAULT_APPROLE, VAULT_KUBERNETES };

struct vault_auth {
    struct rest *rest;
    char base[REST_URL_BYTES / 2]; /* "https://host:port" */
    char ns[256];                  /* namespace; "" for none */
    enum vault_method method;
    char role[256], mount[128], source[KEY_PRINCIPAL_BYTES];
    pthread_mutex_t mutex;     /* guards the rest; held while somebody logs in */
    struct secret *token;      /* with its terminator; NULL: none yet */
    uint64_t renew_ms, end_ms; /* boot time; 0: never */
};

/* vault_auth_init(rest, principal, a): base and ns are set by the caller. USAGE with the forms. */
ks_rc vault_auth_init(struct rest *rest, const char *principal, struct vault_auth *a) KS_MUST;
void vault_auth_done(struct vault_auth *a);

/* vault_auth_get(a, call, ret): a copy of the token, with its terminator; logs in or renews when needed. CREDENTIAL; UNREACHABLE. */
ks_rc vault_auth_get(struct vault_auth *a, const struct kms_call *call,
                     struct secret **ret) KS_MUST;
/* vault_auth_drop(a, token): this one is no good; the next call gets another, if there is one. */
void vault_auth_drop(struct vault_auth *a, const struct secret *token);
/* vault_auth_is_alive(a, call, token, ret): whether the service knows the token. */
ks_rc vault_auth_is_alive(struct vault_auth *a, const struct kms_call *call,
                          const struct secret *token, bool *ret) KS_MUST;
