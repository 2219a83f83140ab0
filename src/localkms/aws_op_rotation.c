/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_op_rotation.c - new material for keys: on demand, by the calendar; and what happens by itself when its
 * time has come.
 */
#include <string.h>

#include "base/json.h"
#include "localkms/aws_ops.h"

enum { ON_DEMAND_MAX = 25, DAY_S = 86400, DAYS_PRESET = 365, LIMIT_PRESET = 100 };

static bool refuse_external(struct aws_call *c)
{
    return !c->key->is_external ||
           aws_fail(c, AWS_UNSUPPORTED,
                    "%s origin is EXTERNAL which is not valid for this operation.", c->key->arn);
}

static ks_rc make_fresh(struct random *random, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *fresh = NULL;

    TRY(secret_new(AWS_MATERIAL_BYTES, &fresh));
    TRY(random_fill(random, secret_bytes(fresh), AWS_MATERIAL_BYTES));
    *ret = TAKE(fresh);
    return KS_SUCCESS;
}

/* Adds random material to an edited record; ret is all material. */
static ks_rc rotate(struct realm *r, const struct aws_key *key, json_t *record, const char *how,
                    struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *fresh = NULL, *present = NULL;

    TRY(make_fresh(r->random, &fresh));
    TRY(aws_key_material(key, &present));
    return aws_material_rotate(record, present, fresh, how, realm_now_s(r), ret);
}

/* ---- on demand ---- */

static bool rotate_imported(struct aws_call *c, json_t *record)
{
    json_t *list = json_object_get(record, "materials"), *one;
    bool is_waiting = false;
    size_t i;

    json_array_foreach(list, i, one)
    {
        const char *state = json_string_value(json_object_get(one, "state"));
        bool is_next = strcmp(state, aws_material_state_name(AWS_PENDING_ROTATION)) == 0 &&
                       json_is_true(json_object_get(one, "present"));
        is_waiting |= is_next;
    }
    if (!is_waiting)
        return aws_fail(c, AWS_INVALID_STATE,
                        "No available key material pending rotation for the key: %s.", c->key->arn);
    json_array_foreach(list, i, one)
    {
        const char *state = json_string_value(json_object_get(one, "state"));
        bool is_next = strcmp(state, aws_material_state_name(AWS_PENDING_ROTATION)) == 0;
        json_object_set_new(
            one, "state",
            json_string(aws_material_state_name(is_next ? AWS_CURRENT : AWS_NON_CURRENT)));
        if (is_next) {
            json_object_set_new(one, "date", json_integer((json_int_t)c->now_s));
            json_object_set_new(one, "type", json_string("ON_DEMAND"));
        }
    }
    return true;
}

static bool rotate_own(struct aws_call *c, json_t *record)
{
    CLEANUP(secret_freep) struct secret *all = NULL;
    struct lk_event event = aws_event(c);

    if (!aws_fail_rc(c, rotate(c->realm, c->key, record, "ON_DEMAND", &all)))
        return false;
    c->key = NULL;
    return aws_fail_rc(c, aws_keys_put(c->realm, json_incref(record), all, false, &event));
}

bool aws_rotate_key_on_demand(struct aws_call *c)
{
    CLEANUP(json_decrefp) json_t *record = aws_edit(c);
    int64_t done = 0;

    if (!record || !aws_fail_rc(c, json_may_int(record, "on_demand", 0, ON_DEMAND_MAX, &done)))
        return false;
    if (done >= ON_DEMAND_MAX)
        return aws_fail(c, AWS_LIMIT_EXCEEDED, "A key can be rotated on demand %d times.",
                        ON_DEMAND_MAX);
    json_object_set_new(record, "on_demand", json_integer((json_int_t)done + 1));
    if (!aws_reply(c, json_pack("{s:s}", "KeyId", c->key->arn)))
        return false;
    if (!c->key->is_external)
        return rotate_own(c, record);
    return rotate_imported(c, record) && aws_publish(c, TAKE(record));
}

/* ---- by the calendar ---- */

bool aws_enable_key_rotation(struct aws_call *c)
{
    int64_t days = aws_integer(c, "RotationPeriodInDays", DAYS_PRESET);

    if (!refuse_external(c))
        return false;
    json_t *record = aws_edit(c);
    if (!record)
        return false;
    json_object_set_new(record, "rotation_days", json_integer((json_int_t)days));
    json_object_set_new(record, "rotation_next",
                        json_integer((json_int_t)c->now_s + (json_int_t)days * DAY_S));
    return aws_publish(c, record);
}

bool aws_disable_key_rotation(struct aws_call *c)
{
    if (!refuse_external(c))
        return false;
    json_t *record = aws_edit(c);
    if (!record)
        return false;
    json_object_del(record, "rotation_next");
    return aws_publish(c, record);
}

bool aws_get_key_rotation_status(struct aws_call *c)
{
    bool is_on = c->key->rotation_s != 0;
    json_t *reply = json_pack("{s:s, s:b}", "KeyId", c->key->arn, "KeyRotationEnabled", is_on);

    if (is_on) {
        json_object_set(reply, "RotationPeriodInDays",
                        json_object_get(c->key->record, "rotation_days"));
        json_object_set_new(reply, "NextRotationDate",
                            json_integer((json_int_t)c->key->rotation_s));
    }
    return aws_reply(c, reply);
}

/* ---- history ---- */

static json_t *show(const struct aws_key *key, const json_t *one)
{
    json_t *to =
        json_pack("{s:s, s:O}", "KeyId", key->arn, "KeyMaterialId", json_object_get(one, "id"));
    const json_t *expires = json_object_get(one, "expires");
    bool is_rotation = json_object_get(one, "type") != NULL;

    if (!to)
        return NULL;
    json_object_set(to, "KeyMaterialState", json_object_get(one, "state"));
    if (is_rotation) {
        json_object_set(to, "RotationDate", json_object_get(one, "date"));
        json_object_set(to, "RotationType", json_object_get(one, "type"));
    }
    if (!key->is_external)
        return to;
    bool is_present = json_is_true(json_object_get(one, "present"));
    json_object_set_new(to, "ImportState", json_string(is_present ? "IMPORTED" : "PENDING_IMPORT"));
    json_object_set(to, "KeyMaterialDescription", json_object_get(one, "description"));
    if (!is_present)
        return to;
    json_object_set_new(
        to, "ExpirationModel",
        json_string(expires ? "KEY_MATERIAL_EXPIRES" : "KEY_MATERIAL_DOES_NOT_EXPIRE"));
    if (expires)
        json_object_set_new(to, "ValidTo", json_integer(json_integer_value(expires)));
    return to;
}

/* The first material is no rotation: it is listed only when all material is asked for. */
bool aws_list_key_rotations(struct aws_call *c)
{
    const char *include = aws_text(c, "IncludeKeyMaterial"), *marker = aws_text(c, "Marker");
    bool is_all = include && strcmp(include, "ALL_KEY_MATERIAL") == 0;
    struct aws_page page = {json_array(), (size_t)aws_integer(c, "Limit", LIMIT_PRESET), NULL};
    bool is_found = marker == NULL;
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(c->key->record, "materials"), i, one)
    {
        const char *id = json_string_value(json_object_get(one, "id"));
        is_found |= marker && strcmp(marker, id) == 0;
        if (!is_found || (!is_all && !json_object_get(one, "type")))
            continue;
        if (json_array_size(page.list) == page.limit) {
            page.next = id;
            break;
        }
        json_array_append_new(page.list, show(c->key, one));
    }
    if (is_found)
        return aws_page_reply(c, "Rotations", &page);
    json_decref(page.list);
    return aws_fail(c, AWS_INVALID_MARKER, "The marker is not valid.");
}

/* ---- by itself ---- */

static bool is_expired(const struct aws_material *m, int64_t now_s)
{
    return m->key && m->expires_s != 0 && now_s >= m->expires_s;
}

static bool has_expired(const struct aws_key *key, int64_t now_s)
{
    for (size_t i = 0; i < key->material_count; i++)
        if (is_expired(&key->materials[i], now_s))
            return true;
    return false;
}

static struct lk_event event_of(const struct aws_key *key, const char *operation)
{
    return (struct lk_event){.principal = "the service itself",
                             .account = key->account,
                             .operation = operation,
                             .resource = key->arn,
                             .outcome = "ok"};
}

/* What has expired is destroyed: its place in the record stays, so that the same may be imported again. */
static ks_rc drop_expired(struct realm *r, const struct aws_key *key, int64_t now_s)
{
    CLEANUP(json_decrefp) json_t *record = json_deep_copy(key->record);
    CLEANUP(secret_freep) struct secret *rest = NULL;
    struct lk_event event = event_of(key, "kms:DeleteExpiredKeyMaterial");
    size_t kept = 0;

    ENSURE(record, KS_E_NO_MEMORY, "no memory for a key");
    TRY(secret_new(key->material_count * AWS_MATERIAL_BYTES, &rest));
    for (size_t i = 0; i < key->material_count; i++) {
        const struct aws_material *m = &key->materials[i];
        if (is_expired(m, now_s))
            json_object_set_new(json_array_get(json_object_get(record, "materials"), i), "present",
                                json_false());
        else if (m->key)
            memcpy(secret_bytes(rest) + AWS_MATERIAL_BYTES * kept++, m->key->key,
                   AWS_MATERIAL_BYTES);
    }
    CLEANUP(secret_freep) struct secret *present = NULL;
    if (kept > 0)
        TRY(secret_copy(view_of(secret_bytes(rest), kept * AWS_MATERIAL_BYTES), &present));
    return aws_keys_put(r, TAKE(record), present, true, &event);
}

static ks_rc rotate_due(struct realm *r, const struct aws_key *key, int64_t now_s)
{
    CLEANUP(json_decrefp) json_t *record = json_deep_copy(key->record);
    CLEANUP(secret_freep) struct secret *all = NULL;
    struct lk_event event = event_of(key, "kms:RotateKey");
    int64_t days = DAYS_PRESET;

    ENSURE(record, KS_E_NO_MEMORY, "no memory for a key");
    TRY(json_may_int(record, "rotation_days", 1, INT32_MAX, &days));
    TRY(rotate(r, key, record, "AUTOMATIC", &all));
    json_object_set_new(record, "rotation_next",
                        json_integer((json_int_t)now_s + (json_int_t)days * DAY_S));
    return aws_keys_put(r, TAKE(record), all, false, &event);
}

static ks_rc tick_key(struct realm *r, const struct aws_key *key, int64_t now_s, bool *ret_is_gone)
{
    *ret_is_gone = aws_key_state(key, now_s) == AWS_KEY_GONE;
    if (*ret_is_gone) {
        struct lk_event event = event_of(key, "kms:DeleteKey");
        return aws_keys_destroy(r, key->id, &event);
    }
    if (has_expired(key, now_s))
        return drop_expired(r, key, now_s);
    if (key->rotation_s != 0 && now_s >= key->rotation_s &&
        aws_key_state(key, now_s) == AWS_KEY_ENABLED)
        return rotate_due(r, key, now_s);
    return KS_SUCCESS;
}

ks_rc aws_keys_tick(struct realm *r)
{
    int64_t now_s = realm_now_s(r);
    ks_rc first = KS_SUCCESS;
    struct aws_key *key;

    realm_turn(r);
    for (size_t i = 0; (key = aws_keys_at(r->aws_keys, i));) {
        bool is_gone = false;
        ks_rc rc = tick_key(r, key, now_s, &is_gone);
        if (!ks_ok(rc) && ks_ok(first))
            first = rc;
        i += !is_gone || !ks_ok(rc);
    }
    realm_turn_end(r);
    return first;
}
