/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/crdb_read.c - regions, nodes and keys out of the bodies of requests.
 *
 * Texts of keys are taken to the byte: clients compare what comes back. Whether a key, a region or a number makes sense is for control/.
 */
#include <string.h>

#include "api/crdb.h"
#include "base/json.h"
#include "base/mem.h"

static ks_rc copy(char *to, size_t bytes, const char *from, const char *what)
{
    size_t len = strlen(from);

    ENSURE(len < bytes, KS_E_USAGE, "\"%s\" is longer than %zu bytes", what, bytes - 1);
    memcpy(to, from, len + 1);
    return KS_SUCCESS;
}

static ks_rc read_spec(const json_t *from, struct region_spec *ret)
{
    const char *region, *type, *uri, *principal = "";
    struct key_spec *key = &ret->keys[0];
    json_t *spec = NULL;

    TRY(json_get_text(from, "region", NAME_BYTES - 1, &region));
    TRY(json_get_object(from, "key_spec", &spec));
    TRY(json_get_text(spec, "type", KEY_TYPE_BYTES - 1, &type));
    TRY(json_get_text(spec, "uri", KEY_URI_BYTES - 1, &uri));
    TRY(json_may_text(spec, "auth_principal", KEY_PRINCIPAL_BYTES - 1, &principal));
    ret->key_count = 1;
    TRY(copy(ret->region, sizeof ret->region, region, "region"));
    TRY(copy(key->type, sizeof key->type, type, "type"));
    TRY(copy(key->uri, sizeof key->uri, uri, "uri"));
    return copy(key->auth_principal, sizeof key->auth_principal, principal, "auth_principal");
}

ks_rc crdb_read_specs(const json_t *body, const char *name, struct region_spec **ret,
                      size_t *ret_count)
{
    CLEANUP(mem_freep) struct region_spec *specs = NULL;
    json_t *array = NULL;

    TRY(json_may_array(body, name, REGIONS_MAX, &array));
    size_t count = json_array_size(array);
    TRY(mem_new(count ? count : 1, sizeof *specs, &specs));
    for (size_t i = 0; i < count; i++)
        TRY(ks_wrap(read_spec(json_array_get(array, i), &specs[i]), "\"%s\", number %zu", name,
                    i + 1));
    *ret = TAKE(specs);
    *ret_count = count;
    return KS_SUCCESS;
}

ks_rc crdb_read_protection(const json_t *request, bool *ret, bool *ret_is_given)
{
    const char *word = NULL;

    TRY(json_may_text(request, "delete_protection", CRDB_TEXT_BYTES - 1, &word));
    bool is_given = word && strcmp(word, "DELETE_PROTECTION_STATE_UNSPECIFIED") != 0;
    bool is_on = is_given && strcmp(word, "ENABLED") == 0;
    ENSURE(!is_given || is_on || strcmp(word, "DISABLED") == 0, KS_E_USAGE,
           "\"delete_protection\" can be ENABLED or DISABLED");
    *ret = is_on;
    *ret_is_given = is_given;
    return KS_SUCCESS;
}

ks_rc crdb_read_nodes(json_t *nodes, struct region_wish **ret, size_t *ret_count)
{
    CLEANUP(mem_freep) struct region_wish *wishes = NULL;
    size_t count = json_object_size(nodes), i = 0;
    const char *name;
    const json_t *value;

    ENSURE(count > 0 && count <= REGIONS_MAX, KS_E_USAGE,
           "\"region_nodes\" must have 1 to %d regions", REGIONS_MAX);
    TRY(mem_new(count, sizeof *wishes, &wishes));
    json_object_foreach(nodes, name, value)
    {
        json_int_t number = json_integer_value(value);
        ENSURE(number > 0 && number <= REGION_NODES_MAX, KS_E_USAGE,
               "\"region_nodes\": the number of nodes of \"%.64s\" must be from 1 to %d", name,
               REGION_NODES_MAX);
        TRY(copy(wishes[i].name, sizeof wishes[i].name, name, "region_nodes"));
        wishes[i++].node_count = (uint32_t)number;
    }
    *ret = TAKE(wishes);
    *ret_count = count;
    return KS_SUCCESS;
}

/* ---- regions of a cluster that is there ---- */

static const struct cmek_region *region_of(const struct cmek_view *cmek, const char *name)
{
    for (size_t i = 0; i < cmek->region_count; i++)
        if (strcmp(cmek->regions[i].region.name, name) == 0)
            return &cmek->regions[i];
    return NULL;
}

static struct region_wish *wish_of(struct region_wish *wishes, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(wishes[i].name, name) == 0)
            return &wishes[i];
    return NULL;
}

static bool has_key(const struct cmek_region *r, const struct key_spec *spec)
{
    for (size_t i = 0; i < r->key_count; i++)
        if (r->keys[i].retired == 0 && key_spec_is_same(&r->keys[i].spec, spec) &&
            strcmp(r->keys[i].spec.auth_principal, spec->auth_principal) == 0)
            return true;
    return false;
}

/* A key that the region has already is only repeated; another one is a rotation, which is asked for elsewhere. */
static ks_rc check_present(const struct cmek_region *r, const struct region_spec *spec)
{
    ENSURE(has_key(r, &spec->keys[0]), KS_E_USAGE,
           "the region %s is there already: give only regions that are new, and change keys with "
           "PUT .../cmek",
           spec->region);
    return KS_SUCCESS;
}

static ks_rc join_specs(const struct region_spec *specs, size_t spec_count,
                        const struct cmek_view *cmek, struct region_wish *wishes, size_t count)
{
    for (size_t i = 0; i < spec_count; i++) {
        const struct cmek_region *present = region_of(cmek, specs[i].region);
        struct region_wish *wish = wish_of(wishes, count, specs[i].region);
        ENSURE(wish, KS_E_USAGE,
               "there is a key for the region %s, which is not in \"region_nodes\"",
               specs[i].region);
        if (present) {
            TRY(check_present(present, &specs[i]));
            continue;
        }
        ENSURE(wish->key_count == 0, KS_E_USAGE, "there are two keys for the region %s",
               specs[i].region);
        wish->key_count = 1;
        wish->keys[0] = specs[i].keys[0];
    }
    return KS_SUCCESS;
}

static ks_rc check_complete(const struct region_wish *wishes, size_t count,
                            const struct cmek_view *cmek)
{
    bool has_cmek = false;

    for (size_t i = 0; i < cmek->region_count; i++)
        has_cmek = has_cmek || cmek->regions[i].region.status != CMEK_DISABLED;
    for (size_t i = 0; has_cmek && i < count; i++)
        ENSURE(wishes[i].key_count > 0 || region_of(cmek, wishes[i].name), KS_E_USAGE,
               "the cluster has customer-managed keys: the new region %s needs one in "
               "\"dedicated.cmek_region_specs\"",
               wishes[i].name);
    return KS_SUCCESS;
}

/* The form of the guides: regions that are there stay, each other one is new. */
static ks_rc regions_of_guide(const struct region_spec *specs, size_t spec_count,
                              const struct cluster_view *view, struct region_wish **ret,
                              size_t *ret_count)
{
    CLEANUP(mem_freep) struct region_wish *wishes = NULL;
    size_t count = view->region_count;

    TRY(mem_new(count + spec_count, sizeof *wishes, &wishes));
    for (size_t i = 0; i < count; i++) {
        memcpy(wishes[i].name, view->regions[i].name, NAME_BYTES);
        wishes[i].node_count = view->regions[i].node_count;
    }
    for (size_t i = 0; i < spec_count; i++) {
        if (wish_of(wishes, count, specs[i].region))
            continue;
        memcpy(wishes[count].name, specs[i].region, NAME_BYTES);
        wishes[count++].node_count = wishes[0].node_count;
    }
    *ret = TAKE(wishes);
    *ret_count = count;
    return KS_SUCCESS;
}

ks_rc crdb_read_regions(const json_t *body, const struct cluster_view *view,
                        const struct cmek_view *cmek, struct region_wish **ret, size_t *ret_count)
{
    CLEANUP(mem_freep) struct region_wish *wishes = NULL;
    CLEANUP(mem_freep) struct region_spec *specs = NULL;
    json_t *dedicated = NULL, *nodes = NULL;
    size_t count, spec_count;

    TRY(json_may_object(body, "dedicated", &dedicated));
    TRY(json_may_object(dedicated, "region_nodes", &nodes));
    bool is_guide = json_object_get(body, "region_specs");
    TRY(crdb_read_specs(is_guide ? body : dedicated,
                        is_guide ? "region_specs" : "cmek_region_specs", &specs, &spec_count));
    *ret_count = 0;
    if (!nodes && spec_count == 0)
        return KS_SUCCESS;
    if (nodes)
        TRY(crdb_read_nodes(nodes, &wishes, &count));
    else
        TRY(regions_of_guide(specs, spec_count, view, &wishes, &count));
    TRY(join_specs(specs, spec_count, cmek, wishes, count));
    TRY(check_complete(wishes, count, cmek));
    *ret = TAKE(wishes);
    *ret_count = count;
    return KS_SUCCESS;
}
