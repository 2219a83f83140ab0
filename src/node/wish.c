/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/wish.c - wishes and deeds as JSON.
 */
#include "node/wish.h"

#include <stdio.h>

#include "base/json.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static ks_rc take_text(const json_t *object, const char *name, char *room, size_t bytes)
{
    const char *text = "";

    TRY(json_get_text(object, name, bytes - 1, &text));
    snprintf(room, bytes, "%s", text);
    return KS_SUCCESS;
}

static ks_rc take_optional(const json_t *object, const char *name, char *room, size_t bytes)
{
    const char *text = "";

    TRY(json_may_text(object, name, bytes - 1, &text));
    snprintf(room, bytes, "%s", text);
    return KS_SUCCESS;
}

static ks_rc take_id(const json_t *object, const char *name, char room[ID_BYTES])
{
    TRY(take_text(object, name, room, ID_BYTES));
    ENSURE(id_is_valid(room), KS_E_USAGE, "%s is no id", name);
    return KS_SUCCESS;
}

static ks_rc read_spec(const json_t *object, struct key_spec *ret)
{
    TRY(take_text(object, "type", ret->type, sizeof ret->type));
    TRY(take_text(object, "uri", ret->uri, sizeof ret->uri));
    return take_optional(object, "auth_principal", ret->auth_principal, sizeof ret->auth_principal);
}

/* --- serials --- */

static const struct {
    const char *name;
    size_t offset;
} serial_names[] = {
    {"rewrap", offsetof(struct wish_serials, rewrap)},
    {"store", offsetof(struct wish_serials, store)},
    {"data", offsetof(struct wish_serials, data)},
    {"reencrypt", offsetof(struct wish_serials, reencrypt)},
    {"restore", offsetof(struct wish_serials, restore)},
};

static ks_rc read_serials(const json_t *object, struct wish_serials *ret)
{
    json_t *serials = NULL;

    TRY(json_may_object(object, "serials", &serials));
    for (size_t i = 0; i < COUNT(serial_names); i++) {
        int64_t n = 0;
        TRY(json_may_int(serials, serial_names[i].name, 0, UINT32_MAX, &n));
        *(uint32_t *)(void *)((char *)ret + serial_names[i].offset) = (uint32_t)n;
    }
    return KS_SUCCESS;
}

static json_t *write_serials(const struct wish_serials *s)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "rewrap", (json_int_t)s->rewrap, "store",
                     (json_int_t)s->store, "data", (json_int_t)s->data, "reencrypt",
                     (json_int_t)s->reencrypt, "restore", (json_int_t)s->restore);
}

/* --- anchors --- */

static ks_rc read_anchor(const json_t *object, struct anchor *ret)
{
    json_t *keyring = NULL;

    TRY(json_may_object(object, "keyring", &keyring));
    TRY(take_optional(keyring, "volume", ret->volume, sizeof ret->volume));
    TRY(json_may_int(keyring, "sequence", 0, INT64_MAX, &ret->sequence));
    return json_may_int(keyring, "accepted", 0, ANCHOR_ACCEPTED_MAX, &ret->accepted);
}

json_t *anchor_write(const struct anchor *a)
{
    return json_pack("{s:s, s:I, s:I}", "volume", a->volume, "sequence", (json_int_t)a->sequence,
                     "accepted", (json_int_t)a->accepted);
}

/* --- wishes --- */

static ks_rc read_keys(const json_t *object, struct wish *ret)
{
    json_t *keys = NULL, *key;
    size_t i;

    TRY(json_may_array(object, "keys", WISH_KEYS_MAX, &keys));
    json_array_foreach(keys, i, key)
    {
        TRY(take_id(key, "id", ret->keys[i].id));
        TRY(read_spec(key, &ret->keys[i].spec));
    }
    ret->key_count = json_array_size(keys);
    return KS_SUCCESS;
}

static ks_rc read_lease(const json_t *object, struct lease_terms *ret)
{
    json_t *lease = NULL;

    TRY(json_may_object(object, "lease", &lease));
    TRY(json_may_int(lease, "lease_ms", 0, UINT32_MAX, &ret->lease_ms));
    TRY(json_may_int(lease, "probe_ms", 0, UINT32_MAX, &ret->probe_ms));
    return json_may_int(lease, "grace_ms", 0, UINT32_MAX, &ret->grace_ms);
}

static ks_rc read_names(const json_t *object, struct wish *w)
{
    TRY(take_optional(object, "organisation", w->organisation, sizeof w->organisation));
    TRY(take_optional(object, "cluster", w->cluster, sizeof w->cluster));
    TRY(take_optional(object, "cluster_name", w->cluster_name, sizeof w->cluster_name));
    TRY(take_optional(object, "region", w->region, sizeof w->region));
    return take_optional(object, "engine", w->engine, sizeof w->engine);
}

ks_rc wish_read(const json_t *object, struct wish *ret)
{
    struct wish w = {.is_present = true, .lease = {60000, 15000, 3600000}};
    const char *state = "";
    int64_t ordinal = 0;

    TRY(take_id(object, "volume", w.volume));
    TRY(json_get_int(object, "goal", 0, INT64_MAX, &w.goal));
    TRY(json_get_text(object, "state", 16, &state));
    ENSURE(strcmp(state, "PRESENT") == 0 || strcmp(state, "ABSENT") == 0, KS_E_USAGE,
           "state is PRESENT or ABSENT, not %s", state);
    w.is_present = strcmp(state, "PRESENT") == 0;
    TRY(read_names(object, &w));
    TRY(json_may_int(object, "ordinal", 0, UINT32_MAX, &ordinal));
    w.ordinal = (uint32_t)ordinal;
    TRY(read_keys(object, &w));
    TRY(json_may_bool(object, "platform", &w.is_platform));
    TRY(json_may_bool(object, "revoked", &w.is_revoked));
    TRY(json_may_bool(object, "rewrap_automatically", &w.is_rewrap_automatic));
    TRY(read_serials(object, &w.serials));
    TRY(read_lease(object, &w.lease));
    TRY(read_anchor(object, &w.anchor));
    *ret = w;
    return KS_SUCCESS;
}

static json_t *write_keys(const struct wish *w)
{
    json_t *keys = json_array();

    for (size_t i = 0; i < w->key_count; i++) {
        const struct wish_key *k = &w->keys[i];
        json_array_append_new(keys, json_pack("{s:s, s:s, s:s, s:s}", "id", k->id, "type",
                                              k->spec.type, "uri", k->spec.uri, "auth_principal",
                                              k->spec.auth_principal));
    }
    return keys;
}

json_t *wish_write(const struct wish *w)
{
    return json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:b, s:b, s:b, s:o, s:o, "
                     "s:{s:I, s:I, s:I}}",
                     "volume", w->volume, "goal", (json_int_t)w->goal, "state",
                     w->is_present ? "PRESENT" : "ABSENT", "organisation", w->organisation,
                     "cluster", w->cluster, "cluster_name", w->cluster_name, "region", w->region,
                     "engine", w->engine, "ordinal", (json_int_t)w->ordinal, "keys", write_keys(w),
                     "platform", w->is_platform, "revoked", w->is_revoked, "rewrap_automatically",
                     w->is_rewrap_automatic, "serials", write_serials(&w->serials), "keyring",
                     anchor_write(&w->anchor), "lease", "lease_ms", (json_int_t)w->lease.lease_ms,
                     "probe_ms", (json_int_t)w->lease.probe_ms, "grace_ms",
                     (json_int_t)w->lease.grace_ms);
}

/* --- deeds --- */

ks_rc deed_read(const json_t *object, struct deed *ret)
{
    struct deed d = {.reached = -1};
    int64_t port = 0;

    ENSURE(json_is_object(object), KS_E_USAGE, "it is no object");
    TRY(json_may_bool(object, "made", &d.is_made));
    TRY(json_may_bool(object, "receipted", &d.is_receipted));
    TRY(json_may_int(object, "port", 0, UINT16_MAX, &port));
    d.port = (uint16_t)port;
    TRY(take_optional(object, "last_lock", d.last_lock, sizeof d.last_lock));
    TRY(read_serials(object, &d.done));
    TRY(read_anchor(object, &d.anchor));
    *ret = d;
    return KS_SUCCESS;
}

json_t *deed_write(const struct deed *d)
{
    return json_pack("{s:b, s:b, s:i, s:s, s:o, s:o}", "made", d->is_made, "receipted",
                     d->is_receipted, "port", (int)d->port, "last_lock", d->last_lock, "serials",
                     write_serials(&d->done), "keyring", anchor_write(&d->anchor));
}

/* --- checks --- */

ks_rc wish_check_read(const json_t *object, struct wish_check *ret)
{
    json_t *keys = NULL, *key;
    size_t i;

    *ret = (struct wish_check){0};
    TRY(take_id(object, "check", ret->id));
    TRY(take_optional(object, "organisation", ret->organisation, sizeof ret->organisation));
    TRY(take_optional(object, "cluster", ret->cluster, sizeof ret->cluster));
    TRY(take_optional(object, "region", ret->region, sizeof ret->region));
    TRY(json_get_array(object, "keys", REGION_KEYS_MAX, &keys));
    json_array_foreach(keys, i, key) TRY(read_spec(key, &ret->keys[i]));
    ret->key_count = json_array_size(keys);
    return KS_SUCCESS;
}
