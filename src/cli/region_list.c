/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/region_list.c - regions of a cluster as they are written on the command line.
 */
#include "cli/region_list.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "control/model.h"

static json_t *find(const json_t *regions, const char *name)
{
    json_t *region;
    size_t i;

    json_array_foreach(regions, i, region)
    {
        if (strcmp(json_string_value(json_object_get(region, "name")), name) == 0)
            return region;
    }
    return NULL;
}

/* The number behind the colon of "name:N"; 1 without one, 0 when it is none. */
static int node_count(const char *colon, size_t len)
{
    int n = 0;

    if (!colon)
        return 1;
    for (size_t i = 1; i < len; i++) {
        if (colon[i] < '0' || colon[i] > '9' || n > REGION_NODES_MAX)
            return 0;
        n = n * 10 + (colon[i] - '0');
    }
    return n <= REGION_NODES_MAX ? n : 0;
}

static ks_rc add_region(json_t *regions, const char *word, size_t len)
{
    char name[NAME_BYTES];
    const char *colon = memchr(word, ':', len);
    size_t name_len = colon ? (size_t)(colon - word) : len;
    int nodes = node_count(colon, len - name_len);

    ENSURE(name_len > 0 && name_len < sizeof name && nodes > 0, KS_E_USAGE,
           "\"%.*s\" is no region with its number of nodes (1 to %d); write: us-west-2:3,us-east-1",
           (int)(len < 80 ? len : 80), word, REGION_NODES_MAX);
    snprintf(name, sizeof name, "%.*s", (int)name_len, word);
    ENSURE(!find(regions, name), KS_E_USAGE, "region %s is there twice", name);
    ENSURE(json_array_append_new(regions,
                                 json_pack("{s:s, s:i}", "name", name, "node_count", nodes)) == 0,
           KS_E_USAGE, "region %s is no UTF-8", name);
    return KS_SUCCESS;
}

ks_rc region_list_parse(const char *text, json_t **ret)
{
    CLEANUP(json_decrefp) json_t *regions = json_array();

    ENSURE(regions, KS_E_NO_MEMORY, "out of memory");
    for (const char *at = text;; at++) {
        size_t len = strcspn(at, ",");
        TRY(add_region(regions, at, len));
        at += len;
        if (!*at)
            break;
    }
    ENSURE(json_array_size(regions) <= REGIONS_MAX, KS_E_LIMIT, "a cluster has %d regions at most",
           REGIONS_MAX);
    *ret = TAKE(regions);
    return KS_SUCCESS;
}

ks_rc region_list_add_keys(json_t *regions, const json_t *specs)
{
    json_t *spec, *region;
    size_t i;

    json_array_foreach(specs, i, spec)
    {
        const char *name = json_string_value(json_object_get(spec, "region"));
        region = find(regions, name);
        ENSURE(region, KS_E_USAGE,
               "the file has keys for region %s, which is not among the regions asked for", name);
        ENSURE(json_object_set(region, "keys", json_object_get(spec, "keys")) == 0, KS_E_NO_MEMORY,
               "out of memory");
    }
    json_array_foreach(regions, i, region)
        ENSURE(json_object_get(region, "keys"), KS_E_USAGE, "the file has no key for region %s",
               json_string_value(json_object_get(region, "name")));
    return KS_SUCCESS;
}
