/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/gcp_policy.c - getIamPolicy, setIamPolicy, testIamPermissions.
 *
 * The etag is a digest of the policy, so a client that read it before somebody else's change is told.
 */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "crypto/hash.h"
#include "localkms/gcp_call.h"

enum { POLICY_MAX = 512 * 1024, ETAG_RAW_BYTES = 8, PERMISSIONS_MAX = 100 };

static ks_rc etag_of(const struct goog_node *n, uint8_t ret[ETAG_RAW_BYTES])
{
    CLEANUP(buf_done) struct buf text = buf_init(POLICY_MAX);
    uint8_t sum[HASH_BYTES];

    if (n->policy)
        TRY(json_write(n->policy, true, &text));
    TRY(buf_printf(&text, "%lld", (long long)goog_number(n, "policies")));
    TRY(hash_sha256(buf_view(&text), sum));
    memcpy(ret, sum, ETAG_RAW_BYTES);
    return KS_SUCCESS;
}

static ks_rc add_etag(const struct goog_node *n, json_t *policy)
{
    CLEANUP(buf_done) struct buf text = buf_init(GOOG_ETAG_BYTES);
    uint8_t etag[ETAG_RAW_BYTES];

    ENSURE(policy, KS_E_NO_MEMORY, "no memory for a policy");
    TRY(etag_of(n, etag));
    TRY(base64_write(view_of(etag, sizeof etag), BASE64_STANDARD, &text));
    return goog_set(policy, "etag", json_string(buf_text(&text)));
}

static bool reply_policy(struct goog_call *c, const struct goog_node *n)
{
    json_t *policy = n->policy ? json_deep_copy(n->policy) : json_pack("{s:i}", "version", 1);

    if (goog_fail_rc(c, add_etag(n, policy)))
        return goog_reply(c, policy);
    json_decref(policy);
    return false;
}

bool goog_op_policy_get(struct goog_call *c)
{
    return reply_policy(c, c->node);
}

/* The first member of a policy that does not exist. */
struct search {
    const struct realm *realm;
    const char *missing;
};

static bool exists(void *arg, const char *member)
{
    static const char prefix[] = "serviceAccount:";
    struct search *s = arg;
    char name[GOOG_NAME_BYTES];

    if (strncmp(member, prefix, strlen(prefix)) != 0)
        return true;
    if (goog_account_name(member + strlen(prefix), name) && goog_find(s->realm, name))
        return true;
    s->missing = member + strlen(prefix);
    return false;
}

/* Clients write bytes in either alphabet of base64: it is the bytes that count. */
static bool check_etag(struct goog_call *c, const json_t *policy)
{
    CLEANUP(buf_done) struct buf bytes = buf_init(GOOG_ETAG_BYTES);
    const char *given = json_string_value(json_object_get(policy, "etag"));
    uint8_t etag[ETAG_RAW_BYTES];

    if (!given || !given[0])
        return true;
    if (!goog_fail_rc(c, etag_of(c->node, etag)))
        return false;
    return (ks_ok(base64_read(view_text(given), BASE64_STANDARD, &bytes)) &&
            view_is_equal(buf_view(&bytes), view_of(etag, sizeof etag))) ||
           goog_fail(c, GOOG_ABORTED,
                     "There were concurrent policy changes. Please retry the whole "
                     "read-modify-write with exponential backoff.");
}

static bool check_policy(struct goog_call *c, const json_t *policy)
{
    struct search search = {c->realm, NULL};
    char problem[GOOG_TEXT_BYTES];

    if (!policy || !goog_policy_check(policy, problem))
        return goog_fail(c, GOOG_INVALID_ARGUMENT, "%s",
                         policy ? problem : "The policy is missing.");
    if (!goog_policy_each(policy, exists, &search))
        return goog_fail(c, GOOG_INVALID_ARGUMENT, "Service account %.200s does not exist.",
                         search.missing);
    return check_etag(c, policy);
}

/* Only what is evaluated is kept. */
static ks_rc keep_policy(struct goog_node *n, const json_t *policy)
{
    json_t *bindings = json_object_get(policy, "bindings");

    json_decref(n->policy);
    n->policy = json_pack("{s:i,s:o}", "version", 1, "bindings",
                          bindings ? json_deep_copy(bindings) : json_array());
    ENSURE(n->policy, KS_E_NO_MEMORY, "no memory for a policy");
    return goog_set(n->own, "policies", json_integer(goog_number(n, "policies") + 1));
}

bool goog_op_policy_set(struct goog_call *c)
{
    const json_t *policy = goog_member(c, "policy");
    struct goog_node *node = NULL;

    if (!check_policy(c, policy))
        return false;
    if (!goog_fail_rc(c, goog_node_copy(c->node, &node)) ||
        !goog_fail_rc(c, keep_policy(node, policy)) || !reply_policy(c, node)) {
        goog_node_free(node);
        return false;
    }
    return goog_save(c, &node, 1);
}

bool goog_op_policy_test(struct goog_call *c)
{
    const json_t *asked = goog_member(c, "permissions"), *value;
    json_t *has = json_array();
    size_t i;

    if (json_array_size(asked) > PERMISSIONS_MAX) {
        json_decref(has);
        return goog_fail(c, GOOG_INVALID_ARGUMENT, "At most %d permissions.", PERMISSIONS_MAX);
    }
    json_array_foreach(asked, i, value) if (json_is_string(value) &&
                                            goog_may(c, c->name.text, json_string_value(value)))
        json_array_append_new(has, json_string(json_string_value(value)));
    if (json_array_size(has) > 0)
        return goog_reply(c, json_pack("{s:o}", "permissions", has));
    json_decref(has);
    return goog_reply(c, json_object());
}
