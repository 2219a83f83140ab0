/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/gcp_import.c - import jobs, and key material that comes in through them.
 *
 * A method is a line of a table. Material is looked at when it is imported; the answer says PENDING_IMPORT, as Google's
 * does, and who asks again sees how it ended.
 */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "crypto/rsa.h"
#include "localkms/gcp_versions.h"

enum { JOB_S = 3 * 24 * 3600, PEM_MAX = 2048, WRAPPED_MAX = 8192 };

/* In the order of Google's numbers, from 1. */
static const struct method {
    const char *name;
    unsigned bits;
    enum rsa_hash hash;
    bool has_aes; /* RSA wraps an AES key, that the material */
} methods[] = {
    {"RSA_OAEP_3072_SHA1_AES_256", 3072, RSA_SHA1, true},
    {"RSA_OAEP_4096_SHA1_AES_256", 4096, RSA_SHA1, true},
    {"RSA_OAEP_3072_SHA256_AES_256", 3072, RSA_SHA256, true},
    {"RSA_OAEP_4096_SHA256_AES_256", 4096, RSA_SHA256, true},
    {"RSA_OAEP_3072_SHA256", 3072, RSA_SHA256, false},
    {"RSA_OAEP_4096_SHA256", 4096, RSA_SHA256, false},
};
enum { METHODS = sizeof methods / sizeof *methods };

static const struct method *find_method(const json_t *value)
{
    for (int i = 0; i < METHODS; i++)
        if (json_is_integer(value)
                ? json_integer_value(value) == i + 1
                : json_is_string(value) && strcmp(json_string_value(value), methods[i].name) == 0)
            return &methods[i];
    return NULL;
}

/* --- jobs --- */

bool goog_prepare_job(struct goog_call *c)
{
    const struct method *m = find_method(goog_member(c, "importMethod"));

    if (!m)
        return goog_fail(c, GOOG_INVALID_ARGUMENT, "Invalid importMethod.");
    return goog_fail_rc(c, rsa_generate(m->bits, &c->prepared));
}

static ks_rc job_node(struct goog_call *c, const char *name, const char *protection,
                      struct goog_node **ret)
{
    CLEANUP(goog_node_freep) struct goog_node *n = NULL;
    CLEANUP(buf_done) struct buf pem = buf_init(PEM_MAX);
    const struct method *m = find_method(goog_member(c, "importMethod"));

    TRY(goog_node_new(GOOG_IMPORT_JOB, name, &n));
    TRY(rsa_public_pem(c->prepared, &pem));
    TRY(goog_set(n->doc, "importMethod", json_string(m->name)));
    TRY(goog_set(n->doc, "protectionLevel", json_string(protection)));
    TRY(goog_set(n->doc, "createTime", goog_time(c->now_s)));
    TRY(goog_set(n->doc, "generateTime", goog_time(c->now_s)));
    TRY(goog_set(n->doc, "expireTime", goog_time(c->now_s + JOB_S)));
    TRY(goog_set(n->doc, "state", json_string("ACTIVE")));
    TRY(goog_set(n->doc, "publicKey", json_pack("{s:s}", "pem", buf_text(&pem))));
    TRY(rsa_private_der(c->prepared, &n->secret));
    *ret = TAKE(n);
    return KS_SUCCESS;
}

bool goog_op_job_create(struct goog_call *c)
{
    const char *protection = goog_enum(goog_member(c, "protectionLevel"), goog_protection_levels);
    struct goog_node *node = NULL;
    char name[GOOG_NAME_BYTES];

    if (!goog_new_name(c, "importJobId", name))
        return false;
    if (!protection)
        return goog_fail(c, GOOG_INVALID_ARGUMENT,
                         "The protection levels of this service are SOFTWARE, HSM.");
    if (!goog_fail_rc(c, job_node(c, name, protection, &node)))
        return false;
    if (!goog_reply(c, goog_show(c->realm, node, c->now_s))) {
        goog_node_free(node);
        return false;
    }
    return goog_save(c, &node, 1);
}

/* --- imports --- */

static ks_rc unwrap(const struct goog_node *job, struct view wrapped, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *kek = NULL;
    CLEANUP(rsa_freep) struct rsa *key = NULL;
    const struct method *m = find_method(json_object_get(job->doc, "importMethod"));
    size_t first = m->bits / 8;

    TRY(rsa_from_der(secret_view(job->secret), &key));
    if (!m->has_aes)
        return rsa_oaep_unwrap(key, m->hash, wrapped, ret);
    ENSURE(wrapped.len > first, KS_E_AUTH, "%zu wrapped bytes", wrapped.len);
    TRY(rsa_oaep_unwrap(key, m->hash, view_of(wrapped.bytes, first), &kek));
    ENSURE(secret_view(kek).len == 32, KS_E_AUTH, "no AES-256 key");
    return kwp_unwrap(secret_view(kek), view_of(wrapped.bytes + first, wrapped.len - first), ret);
}

/* Tells the same material without keeping it. */
static ks_rc digest(struct goog_call *c, struct view material, struct buf *ret)
{
    uint8_t sum[HASH_BYTES];

    TRY(hash_hmac(goog_token_key(c->realm), material, sum));
    return hex_write(view_of(sum, sizeof sum), ret);
}

static bool find_job(struct goog_call *c, const struct goog_node **ret)
{
    const char *name = goog_body_text(c, "importJob");
    const struct goog_node *job = name ? goog_find(c->realm, name) : NULL;
    const json_t *template = json_object_get(c->node->doc, "versionTemplate");
    const char *protection = json_string_value(json_object_get(template, "protectionLevel"));
    char ring[GOOG_NAME_BYTES], key_ring[GOOG_NAME_BYTES];

    if (!name || !goog_permit(c, name, "cloudkms.importJobs.useToImport"))
        return name ? false : goog_fail(c, GOOG_INVALID_ARGUMENT, "importJob is missing.");
    if (!job || job->kind != GOOG_IMPORT_JOB)
        return goog_fail(c, GOOG_NOT_FOUND, "ImportJob %.300s not found.", name);
    memcpy(ring, job->name, sizeof ring);
    memcpy(key_ring, c->node->name, sizeof key_ring);
    if (!goog_name_parent(ring) || !goog_name_parent(key_ring) || strcmp(ring, key_ring) != 0)
        return goog_fail(c, GOOG_INVALID_ARGUMENT, "The ImportJob belongs to another KeyRing.");
    if (strcmp(goog_state(job, c->now_s), "ACTIVE") != 0)
        return goog_fail(c, GOOG_FAILED_PRECONDITION, "%s is not active, current state is: %s.",
                         job->name, goog_state(job, c->now_s));
    if (!protection || strcmp(goog_text(job, "protectionLevel"), protection) != 0)
        return goog_fail(c, GOOG_FAILED_PRECONDITION,
                         "The protection levels of the ImportJob and of the CryptoKey differ.");
    *ret = job;
    return true;
}

static bool take_wrapped(struct goog_call *c, struct buf *ret)
{
    static const char *const algorithms[] = {NULL, "GOOGLE_SYMMETRIC_ENCRYPTION", ""};
    const char *text = goog_body_text(c, "wrappedKey");

    if (!text)
        text = goog_body_text(c, "rsaAesWrappedKey");
    if (!goog_enum(goog_member(c, "algorithm"), algorithms))
        return goog_fail(c, GOOG_INVALID_ARGUMENT,
                         "The algorithm must be GOOGLE_SYMMETRIC_ENCRYPTION.");
    return (text && ks_ok(base64_read(view_text(text), BASE64_STANDARD, ret)) && ret->len) ||
           goog_fail(c, GOOG_INVALID_ARGUMENT, "Invalid value at 'wrapped_key' (TYPE_BYTES).");
}

/* What came out of the wrapping becomes the material of n, or the reason of its failure. */
static ks_rc fill(struct goog_call *c, const struct goog_node *job, struct view wrapped,
                  struct goog_node *n)
{
    CLEANUP(buf_done) struct buf sum = buf_init(2 * HASH_BYTES + 1);
    CLEANUP(secret_freep) struct secret *material = NULL;
    ks_rc rc = unwrap(job, wrapped, &material);
    const char *before = json_string_value(json_object_get(n->own, "digest"));
    const char *problem = NULL;

    if (!ks_ok(rc) && rc.cls != KS_CLASS_CORRUPT)
        return rc;
    if (!ks_ok(rc))
        problem = "The wrapped key cannot be unwrapped with the key of the import job.";
    else if (secret_view(material).len != GOOG_MATERIAL_BYTES)
        problem = "The key must have 32 bytes.";
    if (!problem)
        TRY(digest(c, secret_view(material), &sum));
    if (!problem && before && strcmp(before, buf_text(&sum)) != 0)
        problem = "The key is not the one that was imported before.";
    json_object_del(n->doc, "importFailureReason");
    TRY(goog_set(n->doc, "state", json_string(problem ? "IMPORT_FAILED" : "ENABLED")));
    if (problem)
        return goog_set(n->doc, "importFailureReason", json_string(problem));
    TRY(goog_set(n->doc, "importTime", goog_time(c->now_s)));
    TRY(goog_set(n->own, "digest", json_string(buf_text(&sum))));
    /* material that comes back opens what it sealed: it keeps its id */
    if (before)
        return secret_copy(secret_view(material), &n->secret);
    return goog_version_material(c, n, secret_view(material));
}

static ks_rc make_version(struct goog_call *c, const struct goog_node *job, struct view wrapped,
                          struct goog_node *ret[2])
{
    int64_t number = goog_number(c->node, "last") + 1;

    TRY(goog_node_copy(c->node, &ret[0]));
    TRY(goog_set(ret[0]->own, "last", json_integer(number)));
    TRY(goog_version_node(c, c->node, number, &ret[1]));
    secret_free(TAKE(ret[1]->secret));
    json_object_del(ret[1]->doc, "generateTime");
    TRY(goog_set(ret[1]->doc, "importJob", json_string(job->name)));
    TRY(goog_set(ret[1]->doc, "reimportEligible", json_true()));
    return fill(c, job, wrapped, ret[1]);
}

static bool find_target(struct goog_call *c, const char *name, const struct goog_node **ret)
{
    const struct goog_node *n = goog_find(c->realm, name);
    size_t len = strlen(c->node->name);

    if (!n || n->kind != GOOG_VERSION || strncmp(n->name, c->node->name, len) != 0 ||
        n->name[len] != '/')
        return goog_fail(c, GOOG_NOT_FOUND, "CryptoKeyVersion %.300s not found.", name);
    const char *state = goog_state(n, c->now_s);
    if ((strcmp(state, "DESTROYED") != 0 && strcmp(state, "IMPORT_FAILED") != 0) ||
        !goog_text(n, "importJob")[0])
        return goog_fail(c, GOOG_FAILED_PRECONDITION,
                         "%s cannot be imported again, current state is: %s.", n->name, state);
    *ret = n;
    return true;
}

static ks_rc remake_version(struct goog_call *c, const struct goog_node *job,
                            const struct goog_node *target, struct view wrapped,
                            struct goog_node **ret)
{
    TRY(goog_node_copy(target, ret));
    secret_free(TAKE((*ret)->secret));
    json_object_del((*ret)->doc, "destroyTime");
    json_object_del((*ret)->doc, "destroyEventTime");
    TRY(goog_set((*ret)->doc, "importJob", json_string(job->name)));
    return fill(c, job, wrapped, *ret);
}

static bool reply_pending(struct goog_call *c, const struct goog_node *version)
{
    if (!goog_reply(c, json_deep_copy(version->doc)))
        return false;
    json_object_del(c->reply, "importFailureReason");
    return goog_fail_rc(c, goog_set(c->reply, "state", json_string("PENDING_IMPORT")));
}

bool goog_op_import(struct goog_call *c)
{
    CLEANUP(buf_done) struct buf wrapped = buf_init(WRAPPED_MAX);
    const char *target_name = goog_body_text(c, "cryptoKeyVersion");
    const struct goog_node *job, *target = NULL;
    struct goog_node *nodes[2] = {NULL, NULL};
    bool is_again = target_name && target_name[0];
    ks_rc rc;

    if (!find_job(c, &job) || !take_wrapped(c, &wrapped) ||
        (is_again && !find_target(c, target_name, &target)))
        return false;
    rc = is_again ? remake_version(c, job, target, buf_view(&wrapped), &nodes[0])
                  : make_version(c, job, buf_view(&wrapped), nodes);
    if (!goog_fail_rc(c, rc) || !reply_pending(c, nodes[is_again ? 0 : 1])) {
        goog_node_free(nodes[0]);
        goog_node_free(nodes[1]);
        return false;
    }
    return goog_save(c, nodes, is_again ? 1 : 2);
}
