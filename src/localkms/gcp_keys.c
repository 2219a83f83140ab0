/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/gcp_keys.c - key rings and keys: made, shown, listed, changed.
 *
 * Symmetric keys only; what else Cloud KMS knows is refused by name, never taken and ignored.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"
#include "localkms/gcp_call.h"
#include "localkms/gcp_versions.h"

enum {
    PAGE_PRESET = 100,
    PAGE_MAX = 1000,
    LABELS_MAX = 64,
    DAY_S = 24 * 3600,
    DESTROY_S_PRESET = 30 * DAY_S,
    DESTROY_S_MAX = 120 * DAY_S,
};

const char *const goog_protection_levels[] = {NULL, "SOFTWARE", "HSM", ""};
static const char *const purposes[] = {NULL, "ENCRYPT_DECRYPT", ""};
static const char *const algorithms[] = {NULL, "GOOGLE_SYMMETRIC_ENCRYPTION", ""};

/* --- showing --- */

static ks_rc add_primary(const struct realm *r, const struct goog_node *key, int64_t now_s,
                         json_t *doc)
{
    char name[GOOG_NAME_BYTES + 40];

    if (!goog_number(key, "primary"))
        return KS_SUCCESS;
    goog_version_name(key->name, goog_number(key, "primary"), name);
    const struct goog_node *version = goog_find(r, name);
    return version ? goog_set(doc, "primary", goog_show(r, version, now_s)) : KS_SUCCESS;
}

static ks_rc add_state(const struct goog_node *n, int64_t now_s, json_t *doc)
{
    return goog_set(doc, "state", json_string(goog_state(n, now_s)));
}

json_t *goog_show(const struct realm *r, const struct goog_node *node, int64_t now_s)
{
    json_t *doc = json_deep_copy(node->doc);
    ks_rc rc = KS_SUCCESS;

    if (!doc)
        return NULL;
    if (node->kind == GOOG_CRYPTO_KEY)
        rc = add_primary(r, node, now_s, doc);
    else if (node->kind == GOOG_VERSION || node->kind == GOOG_IMPORT_JOB)
        rc = add_state(node, now_s, doc);
    if (ks_ok(rc))
        return doc;
    json_decref(doc);
    return NULL;
}

bool goog_op_get(struct goog_call *c)
{
    return goog_reply(c, goog_show(c->realm, c->node, c->now_s));
}

struct page {
    struct goog_call *call;
    json_t *members;
    size_t skip, room, seen;
};

static void add_member(void *arg, const struct goog_node *node)
{
    struct page *p = arg;

    if (p->seen >= p->skip && p->seen < p->skip + p->room)
        json_array_append_new(p->members, goog_show(p->call->realm, node, p->call->now_s));
    p->seen++;
}

static size_t number_of(const char *text, size_t preset, size_t max)
{
    char *end;
    unsigned long long n = text ? strtoull(text, &end, 10) : 0;

    return n == 0 || *end ? preset : n > max ? max : (size_t)n;
}

static json_t *page_reply(const struct page *p, const char *word)
{
    char token[24];
    json_t *reply = json_pack("{s:O}", word, p->members);

    if (!reply || p->seen <= p->skip + p->room)
        return reply;
    snprintf(token, sizeof token, "%zu", p->skip + p->room);
    if (!ks_ok(goog_set(reply, "nextPageToken", json_string(token)))) {
        json_decref(reply);
        return NULL;
    }
    return reply;
}

bool goog_op_list(struct goog_call *c)
{
    CLEANUP(json_decrefp) json_t *members = json_array();
    const char *filter = http_query(c->x, "filter");
    const char *word = c->name.kind == GOOG_ACCOUNT ? "accounts" : goog_kind_word(c->name.kind);
    struct page p = {.call = c, .members = members};

    if (filter && filter[0])
        return goog_fail(c, GOOG_INVALID_ARGUMENT, "Filters are not supported by this service.");
    p.room = number_of(http_query(c->x, "pageSize"), PAGE_PRESET, PAGE_MAX);
    p.skip = number_of(http_query(c->x, "pageToken"), 0, SIZE_MAX / 2);
    goog_each(c->realm, c->name.text, c->name.kind, add_member, &p);
    if (!goog_reply(c, page_reply(&p, word)))
        return false;
    if (c->name.kind == GOOG_ACCOUNT || c->name.kind == GOOG_ACCOUNT_KEY)
        return true;
    return goog_fail_rc(c, goog_set(c->reply, "totalSize", json_integer((json_int_t)p.seen)));
}

/* --- making --- */

/* The full name of a new member, from the query; ALREADY_EXISTS. */
bool goog_new_name(struct goog_call *c, const char *parameter, char ret[GOOG_NAME_BYTES])
{
    const char *id = http_query(c->x, parameter);
    char other[64];

    if (!id) { /* names of parameters are written in either way, too */
        snprintf(other, sizeof other, "%s",
                 strcmp(parameter, "keyRingId") == 0     ? "key_ring_id"
                 : strcmp(parameter, "cryptoKeyId") == 0 ? "crypto_key_id"
                                                         : "import_job_id");
        id = http_query(c->x, other);
    }
    if (!id || !goog_name_is_id(c->name.kind, id))
        return goog_fail(c, GOOG_INVALID_ARGUMENT,
                         "Invalid %s: 1 to 63 letters, digits, '_' and '-' are allowed.",
                         parameter);
    int len =
        snprintf(ret, GOOG_NAME_BYTES, "%s/%s/%s", c->name.text, goog_kind_word(c->name.kind), id);
    if (len >= GOOG_NAME_BYTES)
        return goog_fail(c, GOOG_INVALID_ARGUMENT, "The name is too long.");
    if (goog_find(c->realm, ret))
        return goog_fail(c, GOOG_ALREADY_EXISTS, "%s %s already exists.",
                         goog_kind_title(c->name.kind), ret);
    return true;
}

static ks_rc ring_node(const char *name, int64_t now_s, struct goog_node **ret)
{
    CLEANUP(goog_node_freep) struct goog_node *n = NULL;

    TRY(goog_node_new(GOOG_KEY_RING, name, &n));
    TRY(goog_set(n->doc, "createTime", goog_time(now_s)));
    *ret = TAKE(n);
    return KS_SUCCESS;
}

bool goog_op_ring_create(struct goog_call *c)
{
    struct goog_node *node = NULL;
    char name[GOOG_NAME_BYTES];

    if (!goog_new_name(c, "keyRingId", name) || !goog_fail_rc(c, ring_node(name, c->now_s, &node)))
        return false;
    if (!goog_reply(c, json_deep_copy(node->doc))) {
        goog_node_free(node);
        return false;
    }
    return goog_save(c, &node, 1);
}

/* What a new key is to be, checked. */
struct plan {
    const char *protection;
    int64_t destroy_s;
    bool is_import_only, has_version;
};

static bool check_template(struct goog_call *c, struct plan *p)
{
    const json_t *template = goog_member(c, "versionTemplate");
    const json_t *algorithm = json_object_get(template, "algorithm");
    const json_t *level = json_object_get(template, "protectionLevel");

    if (!level)
        level = json_object_get(template, "protection_level");
    if (algorithm && !goog_enum(algorithm, algorithms))
        return goog_fail(c, GOOG_INVALID_ARGUMENT,
                         "The only algorithm of this service is GOOGLE_SYMMETRIC_ENCRYPTION.");
    p->protection = level ? goog_enum(level, goog_protection_levels) : "SOFTWARE";
    return p->protection || goog_fail(c, GOOG_INVALID_ARGUMENT,
                                      "The protection levels of this service are SOFTWARE, HSM.");
}

static bool check_duration(struct goog_call *c, struct plan *p)
{
    const char *text = goog_body_text(c, "destroyScheduledDuration");
    char *end;

    p->destroy_s = DESTROY_S_PRESET;
    if (!text)
        return true;
    p->destroy_s = strtoll(text, &end, 10);
    return (strcmp(end, "s") == 0 && p->destroy_s >= DAY_S && p->destroy_s <= DESTROY_S_MAX) ||
           goog_fail(c, GOOG_INVALID_ARGUMENT,
                     "destroyScheduledDuration must be between 86400s and 10368000s.");
}

bool goog_check_labels(struct goog_call *c)
{
    const json_t *labels = goog_member(c, "labels");
    bool is_bad = labels && (!json_is_object(labels) || json_object_size(labels) > LABELS_MAX);
    const char *name;
    json_t *value;

    if (labels && !is_bad)
        json_object_foreach((json_t *)(uintptr_t)labels, name, value) is_bad |=
            !json_is_string(value) || strlen(name) > 63 || json_string_length(value) > 63;
    return !is_bad ||
           goog_fail(c, GOOG_INVALID_ARGUMENT,
                     "Labels are at most %d pairs of texts of at most 63 characters.", LABELS_MAX);
}

static bool is_true_text(const char *text)
{
    return text &&
           (strcmp(text, "true") == 0 || strcmp(text, "True") == 0 || strcmp(text, "1") == 0);
}

static bool make_plan(struct goog_call *c, struct plan *p)
{
    const json_t *purpose = goog_member(c, "purpose");

    *p = (struct plan){.is_import_only = json_is_true(goog_member(c, "importOnly"))};
    p->has_version = !is_true_text(http_query(c->x, "skipInitialVersionCreation"));
    if (!purpose || !goog_enum(purpose, purposes))
        return goog_fail(c, GOOG_INVALID_ARGUMENT,
                         "The only purpose of keys of this service is ENCRYPT_DECRYPT.");
    if (goog_member(c, "rotationPeriod") || goog_member(c, "nextRotationTime"))
        return goog_fail(c, GOOG_INVALID_ARGUMENT,
                         "This service does not rotate keys by itself; create versions.");
    if (p->is_import_only && p->has_version)
        return goog_fail(c, GOOG_INVALID_ARGUMENT,
                         "A key that is import only needs skipInitialVersionCreation.");
    return check_template(c, p) && check_duration(c, p) && goog_check_labels(c);
}

static ks_rc key_node(struct goog_call *c, const char *name, const struct plan *p,
                      struct goog_node **ret)
{
    CLEANUP(goog_node_freep) struct goog_node *n = NULL;
    const json_t *labels = goog_member(c, "labels");
    char duration[32];

    snprintf(duration, sizeof duration, "%llds", (long long)p->destroy_s);
    TRY(goog_node_new(GOOG_CRYPTO_KEY, name, &n));
    TRY(goog_set(n->doc, "purpose", json_string("ENCRYPT_DECRYPT")));
    TRY(goog_set(n->doc, "createTime", goog_time(c->now_s)));
    TRY(goog_set(n->doc, "versionTemplate",
                 json_pack("{s:s,s:s}", "protectionLevel", p->protection, "algorithm",
                           "GOOGLE_SYMMETRIC_ENCRYPTION")));
    TRY(goog_set(n->doc, "destroyScheduledDuration", json_string(duration)));
    if (labels)
        TRY(goog_set(n->doc, "labels", json_deep_copy(labels)));
    if (p->is_import_only)
        TRY(goog_set(n->doc, "importOnly", json_true()));
    TRY(goog_set(n->own, "destroySeconds", json_integer(p->destroy_s)));
    TRY(goog_set(n->own, "last", json_integer(p->has_version)));
    TRY(goog_set(n->own, "primary", json_integer(p->has_version)));
    *ret = TAKE(n);
    return KS_SUCCESS;
}

bool goog_op_key_create(struct goog_call *c)
{
    struct goog_node *nodes[2] = {NULL, NULL};
    char name[GOOG_NAME_BYTES];
    struct plan p;

    if (!goog_new_name(c, "cryptoKeyId", name) || !make_plan(c, &p) ||
        !goog_fail_rc(c, key_node(c, name, &p, &nodes[0])))
        return false;
    if (p.has_version && !goog_fail_rc(c, goog_version_node(c, nodes[0], 1, &nodes[1]))) {
        goog_node_free(nodes[0]);
        return false;
    }
    return goog_save(c, nodes, p.has_version ? 2 : 1) &&
           goog_reply(c, goog_show(c->realm, goog_find(c->realm, name), c->now_s));
}

/* --- changing --- */

static bool has_mask(const char *mask, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = mask; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strcspn(at, ",") == len && strncmp(at, word, len) == 0)
            return true;
    return false;
}

bool goog_op_key_patch(struct goog_call *c)
{
    const char *mask = http_query(c->x, "updateMask");
    const json_t *labels = goog_member(c, "labels");
    struct goog_node *node = NULL;

    if (!mask)
        mask = http_query(c->x, "update_mask");
    if (!mask || !has_mask(mask, "labels") || strchr(mask, ','))
        return goog_fail(c, GOOG_INVALID_ARGUMENT,
                         "Of a key only labels can be updated in this service.");
    if (!goog_check_labels(c) || !goog_fail_rc(c, goog_node_copy(c->node, &node)))
        return false;
    if (!goog_fail_rc(
            c, goog_set(node->doc, "labels", labels ? json_deep_copy(labels) : json_object()))) {
        goog_node_free(node);
        return false;
    }
    return goog_save(c, &node, 1) &&
           goog_reply(c, goog_show(c->realm, goog_find(c->realm, c->name.text), c->now_s));
}

bool goog_op_key_primary(struct goog_call *c)
{
    const char *id = goog_body_text(c, "cryptoKeyVersionId");
    char name[GOOG_NAME_BYTES + 40];
    struct goog_node *node = NULL;

    if (!id || !goog_name_is_id(GOOG_VERSION, id))
        return goog_fail(c, GOOG_INVALID_ARGUMENT, "Invalid cryptoKeyVersionId.");
    int64_t number = strtoll(id, NULL, 10);
    goog_version_name(c->node->name, number, name);
    const struct goog_node *version = goog_find(c->realm, name);
    if (!version)
        return goog_fail(c, GOOG_NOT_FOUND, "CryptoKeyVersion %s not found.", name);
    if (!goog_version_is_enabled(c, version))
        return false;
    if (!goog_fail_rc(c, goog_node_copy(c->node, &node)))
        return false;
    if (!goog_fail_rc(c, goog_set(node->own, "primary", json_integer(number)))) {
        goog_node_free(node);
        return false;
    }
    return goog_save(c, &node, 1) &&
           goog_reply(c, goog_show(c->realm, goog_find(c->realm, c->name.text), c->now_s));
}
