/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/gcp_reply.c - writes the requests and reads the replies of Cloud KMS.
 *
 * Invariant: nothing is handed on whose checksum was absent or wrong. Plaintext is in wiped memory only.
 */
#include "kms/gcp_reply.h"

#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"
#include "crypto/hash.h"

enum { BODY_MAX = 64 * 1024, DEPTH_MAX = 12, TEXT_MAX = 16 * 1024, PLAIN_MAX = 4096 };

static const char VERSIONS[] = "/cryptoKeyVersions/";

static ks_rc add_bytes(struct buf *out, const char *name, struct view bytes)
{
    TRY(buf_printf(out, "\"%s\":\"", name));
    TRY(base64_write(bytes, BASE64_STANDARD, out));
    return buf_printf(out, "\",\"%sCrc32c\":\"%u\"", name, hash_crc32c(bytes));
}

static ks_rc make_body(const char *name, struct view bytes, struct view aad, struct buf *ret)
{
    TRY(buf_append(ret, view_text("{")));
    TRY(add_bytes(ret, name, bytes));
    TRY(buf_append(ret, view_text(",")));
    TRY(add_bytes(ret, "additionalAuthenticatedData", aad));
    return buf_append(ret, view_text("}"));
}

ks_rc gcp_encrypt_body(struct view plain, struct view aad, struct buf *ret)
{
    return make_body("plaintext", plain, aad, ret);
}

ks_rc gcp_decrypt_body(struct view blob, struct view aad, struct buf *ret)
{
    return make_body("ciphertext", blob, aad, ret);
}

static ks_rc bad(ks_rc rc)
{
    char reason[320];

    if (ks_ok(rc) || (rc.cls != KS_CLASS_USAGE && !ks_is(rc, KS_E_LIMIT)))
        return rc;
    snprintf(reason, sizeof reason, "%s", ks_text(rc));
    return ks_fail(KS_E_BAD_REPLY, "%s", reason);
}

static ks_rc read_doc(struct view body, json_t **ret)
{
    CLEANUP(json_decrefp) json_t *doc = NULL;
    struct json_limits limits = {BODY_MAX, DEPTH_MAX};

    TRY(bad(json_read(body, limits, "the reply", &doc)));
    ENSURE(json_is_object(doc), KS_E_BAD_REPLY, "the reply is no JSON object");
    *ret = TAKE(doc);
    return KS_SUCCESS;
}

static ks_rc check_crc(const json_t *doc, const char *name, struct view bytes)
{
    int64_t crc = -1;

    TRY(bad(json_may_int(doc, name, 0, UINT32_MAX, &crc)));
    ENSURE(crc >= 0, KS_E_BAD_REPLY, "\"%s\" is missing", name);
    ENSURE(crc == hash_crc32c(bytes), KS_E_BAD_REPLY,
           "\"%s\" does not fit: the reply was damaged on its way", name);
    return KS_SUCCESS;
}

/* The service says that it received what we sent. */
static ks_rc check_verified(const json_t *doc, const char *name)
{
    bool is_verified = false;

    TRY(bad(json_may_bool(doc, name, &is_verified)));
    ENSURE(is_verified, KS_E_BAD_REPLY,
           "\"%s\" is not true: the request was damaged on its way, or not checked", name);
    return KS_SUCCESS;
}

static ks_rc check_version_name(const char *name, const char *key)
{
    size_t len = strlen(key), rest = strlen(VERSIONS);
    bool is_ours = strncmp(name, key, len) == 0 && strncmp(name + len, VERSIONS, rest) == 0;

    ENSURE(is_ours && name[len + rest] &&
               strspn(name + len + rest, "0123456789") == strlen(name + len + rest),
           KS_E_BAD_REPLY, "the reply is about another key");
    return KS_SUCCESS;
}

ks_rc gcp_encrypt_reply(struct view body, const char *key, struct buf *ret_blob,
                        char ret_version[KEY_VERSION_BYTES])
{
    CLEANUP(json_decrefp) json_t *doc = NULL;
    CLEANUP(buf_done) struct buf blob = buf_init(KEY_BLOB_MAX);
    const char *text, *name;

    TRY(read_doc(body, &doc));
    TRY(bad(json_get_text(doc, "name", KEY_VERSION_BYTES - 1, &name)));
    TRY(check_version_name(name, key));
    TRY(check_verified(doc, "verifiedPlaintextCrc32c"));
    TRY(check_verified(doc, "verifiedAdditionalAuthenticatedDataCrc32c"));
    TRY(bad(json_get_text(doc, "ciphertext", TEXT_MAX, &text)));
    TRY(bad(base64_read(view_text(text), BASE64_STANDARD, &blob)));
    ENSURE(blob.len, KS_E_BAD_REPLY, "\"ciphertext\" is empty");
    TRY(check_crc(doc, "ciphertextCrc32c", buf_view(&blob)));
    TRY(buf_append(ret_blob, buf_view(&blob)));
    memcpy(ret_version, name, strlen(name) + 1);
    return KS_SUCCESS;
}

ks_rc gcp_decrypt_reply(struct view body, struct secret **ret_plain)
{
    CLEANUP(json_decrefp) json_t *doc = NULL;
    CLEANUP(secret_freep) struct secret *plain = NULL;
    const char *text;

    TRY(read_doc(body, &doc));
    TRY(bad(json_get_text(doc, "plaintext", PLAIN_MAX, &text)));
    TRY(bad(base64_read_secret(view_text(text), BASE64_STANDARD, &plain)));
    TRY(check_crc(doc, "plaintextCrc32c", secret_view(plain)));
    *ret_plain = TAKE(plain);
    return KS_SUCCESS;
}

/* What a primary version that is not enabled means. */
static const struct {
    const char *state;
    enum ks_code code;
} states[] = {
    {"DISABLED", KS_E_KEY_DISABLED},
    {"DESTROY_SCHEDULED", KS_E_KEY_PENDING_DELETION},
    {"DESTROYED", KS_E_KEY_DESTROYED},
    {"PENDING_EXTERNAL_DESTRUCTION", KS_E_KEY_PENDING_DELETION},
    {"EXTERNAL_DESTRUCTION_FAILED", KS_E_KEY_PENDING_DELETION},
    {"PENDING_GENERATION", KS_E_UNREACHABLE},
    {"PENDING_IMPORT", KS_E_UNREACHABLE},
    {"IMPORT_FAILED", KS_E_KEY_DISABLED},
    {"GENERATION_FAILED", KS_E_KEY_DISABLED},
};

static ks_rc check_state(const char *name, const char *state)
{
    if (strcmp(state, "ENABLED") == 0)
        return KS_SUCCESS;
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strcmp(states[i].state, state) == 0)
            return ks_fail(states[i].code, "%.200s is in state %s", name, state);
    return ks_fail(KS_E_BAD_REPLY, "%.200s is in a state that is not known", name);
}

ks_rc gcp_key_reply(struct view body, const char *key, char ret_version[KEY_VERSION_BYTES])
{
    CLEANUP(json_decrefp) json_t *doc = NULL;
    const char *purpose, *name, *state;
    json_t *primary = NULL;

    TRY(read_doc(body, &doc));
    TRY(bad(json_get_text(doc, "purpose", 64, &purpose)));
    ENSURE(strcmp(purpose, "ENCRYPT_DECRYPT") == 0, KS_E_USAGE,
           "the purpose of the key is %.40s; use one with purpose ENCRYPT_DECRYPT", purpose);
    TRY(bad(json_may_object(doc, "primary", &primary)));
    ENSURE(primary, KS_E_KEY_DISABLED, "the key has no primary version");
    TRY(bad(json_get_text(primary, "name", KEY_VERSION_BYTES - 1, &name)));
    TRY(check_version_name(name, key));
    TRY(bad(json_get_text(primary, "state", 64, &state)));
    TRY(check_state(name, state));
    memcpy(ret_version, name, strlen(name) + 1);
    return KS_SUCCESS;
}
