/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/native_read.c - wishes as the native API takes them.
 */
#include <stdio.h>
#include <string.h>

#include "api/native_json.h"
#include "base/json.h"
#include "base/mem.h"

enum { SECONDS_MAX = 10 * 366 * 86400, MS_MAX = 1000000000 };

static bool is_listed(const char *names, const char *name)
{
    size_t len = strlen(name);

    for (; *names; names += strcspn(names, ","), names += *names == ',')
        if (strcspn(names, ",") == len && strncmp(names, name, len) == 0)
            return true;
    return false;
}

ks_rc known_members(const json_t *object, const char *names)
{
    union {
        const json_t *from;
        json_t *to;
    } any = {object}; /* jansson's iterators take no const */

    for (void *at = json_object_iter(any.to); at; at = json_object_iter_next(any.to, at))
        ENSURE(is_listed(names, json_object_iter_key(at)), KS_E_USAGE,
               "\"%.40s\" is not known here; known are: %s", json_object_iter_key(at), names);
    return KS_SUCCESS;
}

ks_rc read_name(const json_t *object, const char *member, size_t room, char *ret)
{
    const char *text = NULL;

    TRY(json_get_text(object, member, room - 1, &text));
    ENSURE(text[0], KS_E_USAGE, "\"%s\" is empty", member);
    snprintf(ret, room, "%s", text);
    return KS_SUCCESS;
}

ks_rc read_lease(const json_t *body, const char *member, struct lease_terms *ret)
{
    json_t *terms = NULL;

    TRY(json_may_object(body, member, &terms));
    TRY(known_members(terms, "lease_ms,probe_ms,grace_ms"));
    TRY(json_may_int(terms, "lease_ms", 0, MS_MAX, &ret->lease_ms));
    TRY(json_may_int(terms, "probe_ms", 0, MS_MAX, &ret->probe_ms));
    return json_may_int(terms, "grace_ms", 0, MS_MAX, &ret->grace_ms);
}

ks_rc read_rotation(const json_t *terms, struct rotation_terms *ret)
{
    TRY(known_members(terms, "cmek_s,store_s,data_s,reencrypt_s,is_rewrap_automatic"));
    TRY(json_may_int(terms, "cmek_s", 0, SECONDS_MAX, &ret->cmek_s));
    TRY(json_may_int(terms, "store_s", 0, SECONDS_MAX, &ret->store_s));
    TRY(json_may_int(terms, "data_s", 0, SECONDS_MAX, &ret->data_s));
    TRY(json_may_int(terms, "reencrypt_s", 0, SECONDS_MAX, &ret->reencrypt_s));
    return json_may_bool(terms, "is_rewrap_automatic", &ret->is_rewrap_automatic);
}

/* ---- keys ---- */

static ks_rc read_key(const json_t *object, struct key_spec *ret)
{
    const char *principal = "";

    ENSURE(json_is_object(object), KS_E_USAGE, "a key must be an object");
    TRY(known_members(object, "type,uri,auth_principal"));
    TRY(read_name(object, "type", sizeof ret->type, ret->type));
    TRY(read_name(object, "uri", sizeof ret->uri, ret->uri));
    TRY(json_may_text(object, "auth_principal", sizeof ret->auth_principal - 1, &principal));
    snprintf(ret->auth_principal, sizeof ret->auth_principal, "%s", principal);
    return KS_SUCCESS;
}

static ks_rc read_keys(const json_t *object, struct key_spec keys[REGION_KEYS_MAX],
                       size_t *ret_count)
{
    json_t *array = NULL;

    TRY(json_may_array(object, "keys", REGION_KEYS_MAX, &array));
    size_t count = json_array_size(array);
    for (size_t i = 0; i < count; i++)
        TRY(read_key(json_array_get(array, i), &keys[i]));
    *ret_count = count;
    return KS_SUCCESS;
}

/* ---- regions ---- */

ks_rc read_region_wish(const json_t *object, struct region_wish *ret)
{
    int64_t nodes = 1;

    ENSURE(json_is_object(object), KS_E_USAGE, "a region must be an object");
    TRY(known_members(object, "name,node_count,keys"));
    TRY(read_name(object, "name", sizeof ret->name, ret->name));
    TRY(json_may_int(object, "node_count", 1, REGION_NODES_MAX, &nodes));
    ret->node_count = (uint32_t)nodes;
    return read_keys(object, ret->keys, &ret->key_count);
}

ks_rc read_region_wishes(const json_t *body, struct region_wish **ret, size_t *ret_count)
{
    CLEANUP(mem_freep) struct region_wish *wishes = NULL;
    json_t *array = NULL;

    TRY(json_get_array(body, "regions", REGIONS_MAX, &array));
    size_t count = json_array_size(array);
    ENSURE(count > 0, KS_E_USAGE, "\"regions\" is empty");
    TRY(mem_new(count, sizeof *wishes, &wishes));
    for (size_t i = 0; i < count; i++)
        TRY(ks_wrap(read_region_wish(json_array_get(array, i), &wishes[i]), "regions[%zu]", i));
    *ret = TAKE(wishes);
    *ret_count = count;
    return KS_SUCCESS;
}

static ks_rc read_region_spec(const json_t *object, struct region_spec *ret)
{
    ENSURE(json_is_object(object), KS_E_USAGE, "a region must be an object");
    TRY(known_members(object, "region,keys"));
    TRY(read_name(object, "region", sizeof ret->region, ret->region));
    return read_keys(object, ret->keys, &ret->key_count);
}

ks_rc read_region_specs(const json_t *body, struct region_spec **ret, size_t *ret_count)
{
    CLEANUP(mem_freep) struct region_spec *specs = NULL;
    json_t *array = NULL;

    TRY(json_may_array(body, "regions", REGIONS_MAX, &array));
    size_t count = json_array_size(array);
    if (count > 0)
        TRY(mem_new(count, sizeof *specs, &specs));
    for (size_t i = 0; i < count; i++)
        TRY(ks_wrap(read_region_spec(json_array_get(array, i), &specs[i]), "regions[%zu]", i));
    *ret = TAKE(specs);
    *ret_count = count;
    return KS_SUCCESS;
}
