/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/vault_answer.c - what replies of Vault and OpenBao mean.
 *
 * Vault tells errors in words only, so the table is of status and words. A 403 is a denial only when it is clear that the
 * token was accepted: a token that has run out is no answer about a key.
 */
#include "kms/vault_answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"

enum { ERRORS_MAX = 16, WORDS_BYTES = 256, PLAIN_TEXT_MAX = 1024 };

struct line {
    int status;        /* 0: any from 400 on */
    const char *words; /* NULL: any */
    enum ks_code code;
    enum vault_verdict verdict;
    const char *hint;
};

/* The first line that fits counts. */
static const struct line lines[] = {
    {403, "invalid token", KS_E_CREDENTIAL, VAULT_TOKEN_BAD, "the token is not valid"},
    {403, "bad token", KS_E_CREDENTIAL, VAULT_TOKEN_BAD, "the token is not valid"},
    {403, "token is expired", KS_E_CREDENTIAL, VAULT_TOKEN_BAD, "the token has run out"},
    {400, "missing client token", KS_E_CREDENTIAL, VAULT_TOKEN_BAD, "the token is not valid"},
    {401, NULL, KS_E_CREDENTIAL, VAULT_TOKEN_BAD, "the token is not valid"},
    {403, "1 error occurred", KS_E_DENIED, VAULT_FINAL,
     "no policy of the token allows it; see keystead key grants"},
    {403, NULL, KS_E_DENIED, VAULT_TOKEN_UNSURE,
     "no policy of the token allows it; see keystead key grants"},
    {0, "encryption key not found", KS_E_KEY_NOT_FOUND, VAULT_FINAL, "there is no such key"},
    {0, "no existing key named", KS_E_KEY_NOT_FOUND, VAULT_FINAL, "there is no such key"},
    {404, NULL, KS_E_KEY_NOT_FOUND, VAULT_FINAL, "there is no such key or no such mount"},
    {0, "soft-deleted", KS_E_KEY_DISABLED, VAULT_FINAL,
     "the key is soft-deleted; restore it with keys/NAME/soft-delete-restore"},
    {0, "disallowed by policy (too old)", KS_E_KEY_DISABLED, VAULT_FINAL,
     "min_decryption_version of the key is above the version of this wrap"},
    {0, "version is too new", KS_E_WRONG_KEY, VAULT_FINAL,
     "the key has no such version; was it restored from an old backup?"},
    {0, "message authentication failed", KS_E_AUTH, VAULT_FINAL,
     "the wrapped key was not made by this key"},
    {0, "invalid ciphertext", KS_E_AUTH, VAULT_FINAL, "the wrapped key was not made by this key"},
    {0, "unable to decrypt", KS_E_AUTH, VAULT_FINAL, "the wrapped key was not made by this key"},
    {0, "Vault is sealed", KS_E_UNREACHABLE, VAULT_FINAL, "unseal it"},
    {0, "namespace is sealed", KS_E_UNREACHABLE, VAULT_FINAL, "unseal it"},
    {429, NULL, KS_E_THROTTLED, VAULT_FINAL, "too many requests"},
    {412, NULL, KS_E_UNREACHABLE, VAULT_FINAL, "this node has not caught up yet"},
    {472, NULL, KS_E_UNREACHABLE, VAULT_FINAL, "this node is a standby"},
    {473, NULL, KS_E_UNREACHABLE, VAULT_FINAL, "this node is a standby"},
    {301, NULL, KS_E_UNREACHABLE, VAULT_FINAL, "it wants to be asked elsewhere; name that address"},
    {302, NULL, KS_E_UNREACHABLE, VAULT_FINAL, "it wants to be asked elsewhere; name that address"},
    {307, NULL, KS_E_UNREACHABLE, VAULT_FINAL, "it wants to be asked elsewhere; name that address"},
    {308, NULL, KS_E_UNREACHABLE, VAULT_FINAL, "it wants to be asked elsewhere; name that address"},
    {408, NULL, KS_E_UNREACHABLE, VAULT_FINAL, "it did not get the request in time"},
    {405, NULL, KS_E_USAGE, VAULT_FINAL, "this mount is no transit engine"},
    {400, NULL, KS_E_USAGE, VAULT_FINAL, "it does not take the request"},
};

static const struct line *find(int status, const char *words)
{
    static const struct line other = {0, NULL, KS_E_UNREACHABLE, VAULT_FINAL,
                                      "the service has a problem"};

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const struct line *l = &lines[i];
        bool is_status = l->status ? l->status == status : status >= 400;
        if (is_status && (!l->words || strstr(words, l->words)))
            return l;
    }
    return &other;
}

/* The first of "errors", for people and for the table. */
static void words_of(const json_t *json, char ret[WORDS_BYTES])
{
    json_t *errors = NULL;

    ret[0] = 0;
    if (!ks_ok(json_may_array(json, "errors", ERRORS_MAX, &errors)))
        return;
    rest_printable(json_string_value(json_array_get(errors, 0)), ret, WORDS_BYTES);
}

/* Words count only from one who speaks like Vault: a proxy's page is no answer about a key. */
static bool is_vault(const struct rest_reply *reply)
{
    return json_is_array(json_object_get(reply->json, "errors"));
}

ks_rc vault_answer(const struct rest_reply *reply, const char *what, enum vault_verdict *ret)
{
    char words[WORDS_BYTES];

    if (ret)
        *ret = VAULT_FINAL;
    if (reply->status == 204)
        return KS_SUCCESS;
    if (reply->status == 200) {
        ENSURE(reply->json, KS_E_BAD_REPLY, "%s: the reply is no JSON object", what);
        return KS_SUCCESS;
    }
    bool is_about_us = reply->status >= 400 && reply->status < 500 && reply->status != 429;
    if (is_about_us && !is_vault(reply))
        return ks_fail(KS_E_BAD_REPLY, "%s: status %d, and not in the form of Vault", what,
                       reply->status);
    words_of(reply->json, words);
    const struct line *line = find(reply->status, words);
    if (ret)
        *ret = line->verdict;
    return ks_fail(line->code, "%s: %s (status %d%s%.200s)", what, line->hint, reply->status,
                   words[0] ? ": " : "", words);
}

/* A member that is not as it must be makes a reply that cannot be understood. */
static ks_rc understood(ks_rc rc)
{
    char why[200];

    if (ks_ok(rc) || rc.cls == KS_CLASS_LIMIT)
        return rc;
    snprintf(why, sizeof why, "%s", ks_text(rc));
    return ks_fail(KS_E_BAD_REPLY, "the reply of the key service: %s", why);
}

static bool takes_aad(const char *type)
{
    static const char *const types[] = {"aes256-gcm96", "aes128-gcm96", "chacha20-poly1305",
                                        "xchacha20-poly1305"};

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    return false;
}

static ks_rc read_key(const json_t *json, struct vault_key *k)
{
    bool is_convergent = false;
    const char *type;
    json_t *data;

    TRY(json_get_object(json, "data", &data));
    TRY(json_get_text(data, "type", sizeof k->type - 1, &type));
    TRY(json_get_int(data, "latest_version", 1, INT32_MAX, &k->latest_version));
    TRY(json_may_bool(data, "derived", &k->is_derived));
    TRY(json_may_bool(data, "soft_deleted", &k->is_soft_deleted));
    TRY(json_may_bool(data, "convergent_encryption", &is_convergent));
    rest_printable(type, k->type, sizeof k->type);
    k->is_aead = takes_aad(type) && !is_convergent;
    return KS_SUCCESS;
}

ks_rc vault_read_key(const json_t *json, struct vault_key *ret)
{
    struct vault_key k = {.latest_version = 0};

    TRY(understood(read_key(json, &k)));
    *ret = k;
    return KS_SUCCESS;
}

static ks_rc read_ciphertext(const json_t *json, const char **ret_text, int64_t *ret_version)
{
    json_t *data;
    const char *text;
    int64_t version = 0;

    TRY(json_get_object(json, "data", &data));
    TRY(json_get_text(data, "ciphertext", VAULT_CIPHERTEXT_BYTES - 1, &text));
    ENSURE(strncmp(text, "vault:v", 7) == 0, KS_E_USAGE, "ciphertext has another prefix");
    TRY(json_may_int(data, "key_version", 1, INT32_MAX, &version));
    if (!version && sscanf(text, "vault:v%9" SCNd64, &version) != 1)
        return ks_fail(KS_E_USAGE, "no key_version");
    ENSURE(version >= 1, KS_E_USAGE, "key_version is out of range");
    *ret_text = text;
    *ret_version = version;
    return KS_SUCCESS;
}

ks_rc vault_read_ciphertext(const json_t *json, const char **ret_text, int64_t *ret_version)
{
    return understood(read_ciphertext(json, ret_text, ret_version));
}

static ks_rc read_plaintext(const json_t *json, struct secret **ret)
{
    json_t *data;
    const char *text;

    TRY(json_get_object(json, "data", &data));
    TRY(json_get_text(data, "plaintext", PLAIN_TEXT_MAX, &text));
    return base64_read_secret(view_text(text), BASE64_STANDARD, ret);
}

ks_rc vault_read_plaintext(const json_t *json, struct secret **ret)
{
    return understood(read_plaintext(json, ret));
}

static ks_rc read_login(const json_t *json, struct vault_lease *l)
{
    json_t *auth;

    TRY(json_get_object(json, "auth", &auth));
    TRY(json_get_text(auth, "client_token", VAULT_TOKEN_BYTES - 1, &l->token));
    ENSURE(l->token[0], KS_E_USAGE, "client_token is empty");
    TRY(json_may_int(auth, "lease_duration", 0, INT32_MAX, &l->seconds));
    return json_may_bool(auth, "renewable", &l->is_renewable);
}

ks_rc vault_read_login(const json_t *json, struct vault_lease *ret)
{
    struct vault_lease l = {.token = NULL};

    TRY(understood(read_login(json, &l)));
    *ret = l;
    return KS_SUCCESS;
}

static ks_rc read_lookup(const json_t *json, struct vault_lease *l)
{
    json_t *data;

    TRY(json_get_object(json, "data", &data));
    TRY(json_may_int(data, "ttl", 0, INT32_MAX, &l->seconds));
    return json_may_bool(data, "renewable", &l->is_renewable);
}

ks_rc vault_read_lookup(const json_t *json, struct vault_lease *ret)
{
    struct vault_lease l = {.token = NULL};

    TRY(understood(read_lookup(json, &l)));
    *ret = l;
    return KS_SUCCESS;
}
