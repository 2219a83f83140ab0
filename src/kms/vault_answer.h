/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/vault_answer.h - what replies of Vault and OpenBao mean (private to kms/vault_*, drv_transit).
 */
#pragma once

#include "kms/rest.h"

enum vault_verdict {
    VAULT_FINAL,     /* the result stands */
    VAULT_TOKEN_BAD, /* the token is not known (any more) */
    VAULT_TOKEN_UNSURE, /* permission denied, and the server does not say whether token or policy is meant */
};

enum { VAULT_TOKEN_BYTES = 16 * 1024, VAULT_CIPHERTEXT_BYTES = 4096 };

/* vault_answer(reply, what, ret): success for 200 and 204, else the result by the one table, with the server's words.
 * BAD_REPLY for a reply without JSON where there must be some. ret may be NULL. */
ks_rc vault_answer(const struct rest_reply *reply, const char *what,
                   enum vault_verdict *ret) KS_MUST;

/* Fields of GET keys/NAME. */
struct vault_key {
    int64_t latest_version;
    bool is_derived, is_soft_deleted;
    bool is_aead; /* takes associated data */
    char type[64];
};
/* vault_read_key(json, ret), vault_read_ciphertext(json, ret_text, ret_version), vault_read_plaintext: BAD_REPLY when the fields are
 * not what they must be. Texts are borrowed from json. */
ks_rc vault_read_key(const json_t *json, struct vault_key *ret) KS_MUST;
ks_rc vault_read_ciphertext(const json_t *json, const char **ret_text,
                            int64_t *ret_version) KS_MUST;
ks_rc vault_read_plaintext(const json_t *json, struct secret **ret) KS_MUST;

/* A token as a login gives it, or as lookup-self tells of it. */
struct vault_lease {
    const char *token; /* NULL: the reply does not hold it */
    int64_t seconds;   /* 0: for ever */
    bool is_renewable;
};
ks_rc vault_read_login(const json_t *json, struct vault_lease *ret) KS_MUST;
ks_rc vault_read_lookup(const json_t *json, struct vault_lease *ret) KS_MUST;
