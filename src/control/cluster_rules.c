/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/cluster_rules.c - the form of a wish for a cluster.
 */
#include "control/cluster_rules.h"

#include <string.h>

#include "base/json.h"

enum {
    LEASE_MS_MIN = 200,
    LEASE_MS_MAX = 3600 * 1000,
    PROBE_MS_MIN = 100,
    GRACE_MS_MAX = 24 * 3600 * 1000,
    ROTATION_S_MIN = 3600,
    EXTRA_DEPTH_MAX = 32,
    SERVED_SHOWN = 12,
};
static const int64_t rotation_s_max = (int64_t)10 * 366 * 86400;

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_word(const char *text, size_t max)
{
    size_t len = strlen(text);

    for (const char *p = text; *p; p++)
        if (!is_lower(*p) && !(*p >= '0' && *p <= '9') && *p != '-')
            return false;
    return len && len <= max && is_lower(text[0]);
}

void rules_name(const char *name, struct faults *f)
{
    if (!is_word(name, CLUSTER_NAME_MAX))
        faults_add(f,
                   "a cluster's name has 1 to %d of a-z, 0-9 and '-' and begins with a letter; "
                   "\"%s\" does not",
                   CLUSTER_NAME_MAX, name);
}

void rules_engine(const char *engine, struct faults *f)
{
    if (!is_word(engine, WORD_BYTES - 1))
        faults_add(f, "\"%s\" is not the name of an engine", engine);
}

void rules_provider(const char *provider, struct faults *f)
{
    static const char *const known[] = {"", "AWS", "GCP", "AZURE"};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(provider, known[i]) == 0)
            return;
    faults_add(f, "provider \"%s\" is not one of AWS, GCP, AZURE", provider);
}

void rules_extra(const char *extra, struct faults *f)
{
    struct json_limits limits = {EXTRA_BYTES - 1, EXTRA_DEPTH_MAX};
    json_t *value;

    if (!extra)
        return;
    ks_rc rc = json_read(view_text(extra), limits, "extra", &value);
    if (!ks_ok(rc)) {
        faults_add(f, "%s", ks_text(rc));
        return;
    }
    if (!json_is_object(value))
        faults_add(f, "extra is not a JSON object");
    json_decref(value);
}

static void check_ms(int64_t value, int64_t min, int64_t max, const char *name, struct faults *f)
{
    if (value < min || value > max)
        faults_add(f, "%s of %lld; from %lld to %lld are possible", name, (long long)value,
                   (long long)min, (long long)max);
}

void rules_lease(struct lease_terms *terms, struct faults *f)
{
    if (!terms->lease_ms)
        terms->lease_ms = LEASE_MS_DEFAULT;
    if (!terms->probe_ms)
        terms->probe_ms =
            terms->lease_ms < LEASE_MS_DEFAULT ? terms->lease_ms / 4 : PROBE_MS_DEFAULT;
    if (!terms->grace_ms)
        terms->grace_ms = GRACE_MS_DEFAULT;
    check_ms(terms->lease_ms, LEASE_MS_MIN, LEASE_MS_MAX, "lease_ms", f);
    if (terms->probe_ms < PROBE_MS_MIN || terms->probe_ms > terms->lease_ms / 2)
        faults_add(f, "probe_ms of %lld; from %d to half of lease_ms (%lld) are possible",
                   (long long)terms->probe_ms, PROBE_MS_MIN, (long long)terms->lease_ms / 2);
    check_ms(terms->grace_ms, 1, GRACE_MS_MAX, "grace_ms", f);
}

static void check_period(int64_t seconds, const char *name, struct faults *f)
{
    if (seconds && (seconds < ROTATION_S_MIN || seconds > rotation_s_max))
        faults_add(f, "%s every %lld s; from an hour to ten years, or 0 for never, are possible",
                   name, (long long)seconds);
}

void rules_rotation(const struct rotation_terms *terms, struct faults *f)
{
    check_period(terms->cmek_s, "rotation of cmek", f);
    check_period(terms->store_s, "rotation of store", f);
    check_period(terms->data_s, "rotation of data", f);
    check_period(terms->reencrypt_s, "re-encryption", f);
}

/* "us-east-1, us-west-2": the first of them. */
static void list_served(const char (*served)[NAME_BYTES], size_t count, char *out, size_t room)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < count && i < SERVED_SHOWN && used + NAME_BYTES + 2 < room; i++) {
        size_t len = strlen(served[i]);
        if (i) {
            memcpy(out + used, ", ", 2);
            used += 2;
        }
        memcpy(out + used, served[i], len + 1);
        used += len;
    }
}

static bool is_served(const char *name, const char (*served)[NAME_BYTES], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, served[i]) == 0)
            return true;
    return false;
}

static bool is_named_before(const struct region_wish *regions, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (strcmp(regions[i].name, regions[at].name) == 0)
            return true;
    return false;
}

static void check_region(const struct region_wish *r, struct faults *f)
{
    if (r->node_count < 1 || r->node_count > REGION_NODES_MAX)
        faults_add(f, "%u nodes in region %s; from 1 to %d are possible", r->node_count, r->name,
                   REGION_NODES_MAX);
    if (r->key_count > REGION_KEYS_MAX)
        faults_add(f, "%zu keys for region %s; at most %d are possible", r->key_count, r->name,
                   REGION_KEYS_MAX);
}

void rules_regions(const struct region_wish *regions, size_t count,
                   const char (*served)[NAME_BYTES], size_t served_count, struct faults *f)
{
    char list[FAULTS_BYTES / 2];
    bool is_unserved = false;

    if (count < 1 || count > REGIONS_MAX)
        faults_add(f, "%zu regions; from 1 to %d are possible", count, REGIONS_MAX);
    for (size_t i = 0; i < count && i < REGIONS_MAX; i++) {
        check_region(&regions[i], f);
        if (is_named_before(regions, i))
            faults_add(f, "region %s is named twice", regions[i].name);
        else if (!is_served(regions[i].name, served, served_count)) {
            faults_add(f, "no node serves region \"%s\"", regions[i].name);
            is_unserved = true;
        }
    }
    if (!is_unserved)
        return;
    list_served(served, served_count, list, sizeof list);
    faults_add(f, served_count ? "regions with nodes: %s" : "no node has joined yet%s", list);
}

void rules_keys(const struct region_wish *regions, size_t count, const struct spec_rules *rules,
                struct faults *f)
{
    struct spec_rules of_region = *rules;

    for (size_t i = 0; i < count && i < REGIONS_MAX; i++) {
        of_region.region = regions[i].name;
        if (regions[i].key_count && regions[i].key_count <= REGION_KEYS_MAX)
            specs_check(&of_region, regions[i].keys, regions[i].key_count, f);
    }
}
