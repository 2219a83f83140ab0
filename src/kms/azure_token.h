/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/azure_token.h - tokens of Microsoft Entra for Azure Key Vault (private to kms/azure_*, drv_azure).
 *
 * auth_principal: "[TENANT][;client=ID][;secret=/PATH or credential:NAME]". What is not said comes from AZURE_TENANT_ID and
 * AZURE_CLIENT_ID. How it is asked for, the first that is there:
 *   client secret    from ;secret= or AZURE_CLIENT_SECRET
 *   federated token  from AZURE_FEDERATED_TOKEN_FILE, read again each time (workload identity)
 *   App Service      IDENTITY_ENDPOINT and IDENTITY_HEADER
 *   virtual machine  the metadata service; ;client= or AZURE_CLIENT_ID names a user-assigned identity
 * The authority is AZURE_AUTHORITY_HOST, else that of the cloud the vault is in. Thread-safe.
 */
#pragma once

#include <pthread.h>

#include "kms/azure_reply.h"

struct azure_token {
    struct rest *rest;
    char tenant[AZURE_NAME_BYTES], client[AZURE_NAME_BYTES], source[KEY_PRINCIPAL_BYTES];
    char authority[AZURE_HOST_BYTES], resource[AZURE_HOST_BYTES];
    pthread_mutex_t mutex;       /* guards the rest and tenant; held while a token is fetched */
    struct secret *header;       /* "Bearer ..." with its terminator; NULL: none */
    uint64_t refresh_ms, end_ms; /* boot time */
};

/* azure_token_init(rest, principal, host, t): host is the vault's. USAGE. azure_token_done: of a zeroed one too. */
ks_rc azure_token_init(struct rest *rest, const char *principal, const char *host,
                       struct azure_token *t) KS_MUST;
void azure_token_done(struct azure_token *t);

/* azure_token_needs_tenant(t): nothing says for whom to ask, so the vault must: a request without a token makes it tell. */
bool azure_token_needs_tenant(struct azure_token *t);
/* azure_token_set_tenant(t, tenant): what the vault told. */
void azure_token_set_tenant(struct azure_token *t, const char *tenant);
/* azure_token_get(t, call, ret): the value of an Authorization header, with its terminator. CREDENTIAL, UNREACHABLE. */
ks_rc azure_token_get(struct azure_token *t, const struct kms_call *call,
                      struct secret **ret) KS_MUST;
/* azure_token_drop(t, header): it was refused; the next call fetches another. */
void azure_token_drop(struct azure_token *t, const struct secret *header);
