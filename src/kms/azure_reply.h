/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/azure_reply.h - names of keys in Azure Key Vault and what its replies mean (private to kms/azure_*, drv_azure).
 */
#pragma once

#include "kms/rest.h"

enum { AZURE_NAME_BYTES = 128, AZURE_HOST_BYTES = 256, AZURE_TOKEN_BYTES = 16 * 1024 };

/* "https://HOST[:PORT]/keys/NAME[/VERSION]", also as the service tells it (kid). */
struct azure_key {
    char base[AZURE_HOST_BYTES + 16];                       /* "https://host:port" */
    char host[AZURE_HOST_BYTES];                            /* without port */
    char name[AZURE_NAME_BYTES], version[AZURE_NAME_BYTES]; /* version "": the newest */
};
/* azure_key_parse(text, ret): USAGE with an example. */
ks_rc azure_key_parse(const char *text, struct azure_key *ret) KS_MUST;

enum azure_verb { AZURE_GET, AZURE_WRAP, AZURE_UNWRAP };

/* azure_answer(verb, reply): success for 200 with JSON, else the result by the one table. */
ks_rc azure_answer(enum azure_verb verb, const struct rest_reply *reply) KS_MUST;

/* azure_read_value(json, ret_kid, ret): kid and value of wrapkey and unwrapkey. azure_read_key: kid of a key and whether it is
 * enabled. BAD_REPLY when the fields are not what they must be. Texts are borrowed from json. */
ks_rc azure_read_value(const json_t *json, struct azure_key *ret_kid, const char **ret) KS_MUST;
ks_rc azure_read_key(const json_t *json, struct azure_key *ret_kid, bool *ret_is_enabled) KS_MUST;

/* What a 401 asks for. */
struct azure_challenge {
    char authority[AZURE_HOST_BYTES]; /* "https://login..." */
    char tenant[AZURE_NAME_BYTES];
    char resource[AZURE_HOST_BYTES]; /* "https://vault.azure.net" */
};
/* azure_challenge_parse(header, ret): of WWW-Authenticate. BAD_REPLY. */
ks_rc azure_challenge_parse(const char *header, struct azure_challenge *ret) KS_MUST;
/* azure_challenge_is_for(c, host): whether the resource is the domain that the vault is in: a token is not to be shown to
 * somebody it was not asked for. */
bool azure_challenge_is_for(const struct azure_challenge *c, const char *host);

/* azure_read_token(json, ret_token, ret_seconds): of every token endpoint. */
ks_rc azure_read_token(const json_t *json, const char **ret_token, int64_t *ret_seconds) KS_MUST;
