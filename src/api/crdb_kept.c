/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/crdb_kept.c - what clients say about a cluster that Keystead only remembers: plan, labels, hardware, versions, backups.
 *
 * It stands in the cluster's extra under "cockroach". Clients compare what they read with what they wrote, so every member comes back as
 * it went in. What would be a promise that nobody keeps (backups, upgrades, other plans) is refused by name.
 */
#include <stdio.h>
#include <string.h>

#include "api/crdb.h"
#include "base/json.h"

static const char place[] = "cockroach";

enum { LABEL_BYTES = 256 };

static ks_rc set(json_t *object, const char *name, json_t *value)
{
    ENSURE(json_object_set_new(object, name, value) == 0, KS_E_NO_MEMORY, "a cluster's members");
    return KS_SUCCESS;
}

static json_t *presets(void)
{
    return json_pack(
        "{s:s, s:{}, s:s, s:s, s:s, s:s, s:{s:s, s:i, s:i, s:i}, s:{}, s:{s:b, s:i, s:i, s:b}}",
        "plan", "ADVANCED", "labels", "parent_id", "root", "network_visibility", "PUBLIC",
        "cidr_range", "", "cockroach_version", "v25.2.0", "hardware", "machine_type", "",
        "num_virtual_cpus", 0, "storage_gib", 0, "disk_iops", 0, "region_machine_specs", "backups",
        "enabled", 0, "retention_days", 30, "frequency_minutes", 60, "is_retention_chosen", 0);
}

/* ---- the extra of a cluster ---- */

static ks_rc extra_open(const char *extra, json_t **ret)
{
    static const struct json_limits limits = {EXTRA_BYTES, API_JSON_DEPTH_MAX};

    if (extra[0])
        return json_read(view_text(extra), limits, "what is kept with the cluster", ret);
    *ret = json_object();
    ENSURE(*ret, KS_E_NO_MEMORY, "a cluster's members");
    return KS_SUCCESS;
}

ks_rc crdb_kept_open(const char *extra, json_t **ret)
{
    CLEANUP(json_decrefp) json_t *all = NULL, *kept = presets();

    ENSURE(kept, KS_E_NO_MEMORY, "a cluster's members");
    TRY(extra_open(extra, &all));
    json_t *stored = json_object_get(all, place);
    ENSURE(!stored || json_object_update(kept, stored) == 0, KS_E_NO_MEMORY, "a cluster's members");
    *ret = TAKE(kept);
    return KS_SUCCESS;
}

ks_rc crdb_kept_write(const char *extra, const json_t *kept, struct buf *ret)
{
    CLEANUP(json_decrefp) json_t *all = NULL;

    TRY(extra_open(extra, &all));
    TRY(set(all, place, json_deep_copy(kept)));
    TRY(json_write(all, true, ret));
    ENSURE(ret->len < EXTRA_BYTES, KS_E_LIMIT,
           "labels and specifications of the cluster are longer than %d bytes", EXTRA_BYTES - 1);
    return KS_SUCCESS;
}

const char *crdb_kept_engine(const json_t *kept)
{
    return json_string_value(json_object_get(json_object_get(kept, "labels"), "keystead-engine"));
}

/* ---- members that are taken over ---- */

static ks_rc take_text(const json_t *from, const char *name, json_t *kept)
{
    const char *text = NULL;

    TRY(json_may_text(from, name, CRDB_TEXT_BYTES - 1, &text));
    return text ? set(kept, name, json_string(text)) : KS_SUCCESS;
}

static ks_rc take_number(const json_t *from, const char *name, json_t *kept)
{
    int64_t number = -1;

    TRY(json_may_int(from, name, 0, INT32_MAX, &number));
    return number >= 0 ? set(kept, name, json_integer(number)) : KS_SUCCESS;
}

static ks_rc check_plan(const json_t *from)
{
    const char *plan = NULL;

    TRY(json_may_text(from, "plan", CRDB_TEXT_BYTES - 1, &plan));
    if (!plan || strcmp(plan, "PLAN_UNSPECIFIED") == 0)
        return KS_SUCCESS;
    /* DEDICATED and CUSTOM are its names in versions of before 2024-09-16 */
    bool is_ours = strcmp(plan, "ADVANCED") == 0 || strcmp(plan, "DEDICATED") == 0 ||
                   strcmp(plan, "CUSTOM") == 0;
    ENSURE(is_ours, KS_E_USAGE,
           "\"plan\" can only be ADVANCED: customer-managed keys are not there in others");
    return KS_SUCCESS;
}

static ks_rc take_labels(const json_t *from, json_t *kept)
{
    json_t *labels = NULL;
    const char *name;
    const json_t *value;

    TRY(json_may_object(from, "labels", &labels));
    if (!labels)
        return KS_SUCCESS;
    ENSURE(json_object_size(labels) <= CRDB_LABELS_MAX, KS_E_USAGE,
           "\"labels\" may have %d members", CRDB_LABELS_MAX);
    json_object_foreach(labels, name, value)
        ENSURE(json_is_string(value) && strlen(name) < LABEL_BYTES &&
                   json_string_length(value) < LABEL_BYTES,
               KS_E_USAGE, "the label \"%.64s\" must be a text, both of at most %d bytes", name,
               LABEL_BYTES - 1);
    return set(kept, "labels", json_deep_copy(labels));
}

/* Of each region its own machines; they are shown with it. */
static ks_rc take_region_machines(const json_t *dedicated, json_t *kept)
{
    CLEANUP(json_decrefp) json_t *taken = json_object();
    json_t *specs = NULL, *machine = NULL;
    const char *region;

    TRY(json_may_object(dedicated, "region_machine_specs", &specs));
    if (!specs)
        return KS_SUCCESS;
    ENSURE(json_object_size(specs) <= REGIONS_MAX, KS_E_USAGE,
           "\"region_machine_specs\" may have %d regions", REGIONS_MAX);
    json_object_foreach(specs, region, machine)
    {
        CLEANUP(json_decrefp) json_t *into = json_object();
        TRY(json_may_object(specs, region, &machine));
        TRY(take_text(machine, "machine_type", into));
        TRY(take_number(machine, "num_virtual_cpus", into));
        TRY(set(taken, region, TAKE(into)));
    }
    return set(kept, "region_machine_specs", TAKE(taken));
}

/* Of "machine_spec" the members stand one level higher in what is shown; old clients send them there, too. */
static ks_rc take_hardware(const json_t *dedicated, json_t *kept)
{
    json_t *hardware = NULL, *machine = NULL, *into = json_object_get(kept, "hardware");

    TRY(json_may_object(dedicated, "hardware", &hardware));
    TRY(json_may_object(hardware, "machine_spec", &machine));
    TRY(take_number(hardware, "storage_gib", into));
    TRY(take_number(hardware, "disk_iops", into));
    for (int i = 0; i < 2; i++) {
        const json_t *from = i == 0 ? hardware : machine;
        TRY(take_text(from, "machine_type", into));
        TRY(take_number(from, "num_virtual_cpus", into));
    }
    return take_region_machines(dedicated, kept);
}

/* "v25.2" and "v25.2.1" are versions; ret is the long form. */
static bool version_parse(const char *text, char ret[32])
{
    unsigned major, minor, patch = 0;
    int short_len = 0, long_len = 0;

    int fields = sscanf(text, "v%3u.%3u%n.%3u%n", &major, &minor, &short_len, &patch, &long_len);
    if (fields < 2 || (text[short_len] && (long_len == 0 || text[long_len])))
        return false;
    snprintf(ret, 32, "v%u.%u.%u", major, minor, patch);
    return true;
}

static ks_rc read_version(const json_t *from, char ret[32])
{
    const char *text = NULL;

    TRY(json_may_text(from, "cockroach_version", 31, &text));
    if (text && text[0])
        ENSURE(version_parse(text, ret), KS_E_USAGE, "invalid argument: unsupported version: %s",
               text);
    return KS_SUCCESS;
}

static ks_rc take_account(const json_t *spec, json_t *kept)
{
    json_t *account = NULL;

    TRY(json_may_object(spec, "customer_cloud_account", &account));
    return account ? set(kept, "customer_cloud_account", json_deep_copy(account)) : KS_SUCCESS;
}

ks_rc crdb_kept_create(const json_t *request, json_t *kept)
{
    json_t *spec = NULL, *dedicated = NULL;
    char version[32] = "";

    TRY(json_get_object(request, "spec", &spec));
    ENSURE(!json_object_get(spec, "serverless"), KS_E_USAGE,
           "\"spec.serverless\": only clusters with nodes of their own (\"dedicated\") have "
           "customer-managed keys");
    TRY(json_get_object(spec, "dedicated", &dedicated));
    TRY(check_plan(request)); /* where the guides have it */
    TRY(check_plan(spec));
    TRY(take_labels(spec, kept));
    TRY(take_text(spec, "parent_id", kept));
    TRY(take_account(spec, kept));
    TRY(take_hardware(dedicated, kept));
    TRY(take_text(dedicated, "network_visibility", kept));
    TRY(take_text(dedicated, "cidr_range", kept));
    TRY(read_version(dedicated, version));
    return version[0] ? set(kept, "cockroach_version", json_string(version)) : KS_SUCCESS;
}

/* Engines are upgraded on their nodes; a client that only repeats what is so is content. */
static ks_rc refuse_upgrade(const json_t *request, const json_t *kept)
{
    const char *status = NULL, *is = json_string_value(json_object_get(kept, "cockroach_version"));
    char version[32] = "";

    TRY(json_may_text(request, "upgrade_status", CRDB_TEXT_BYTES - 1, &status));
    TRY(read_version(request, version));
    bool is_same = !version[0] || strncmp(version, is, (size_t)(strrchr(is, '.') - is)) == 0;
    ENSURE(is_same && (!status || strcmp(status, "FINALIZED") == 0), KS_E_UNSUPPORTED,
           "versions of the engine are changed on its nodes, not by this call");
    return KS_SUCCESS;
}

ks_rc crdb_kept_patch(const json_t *request, json_t *kept)
{
    json_t *dedicated = NULL;

    TRY(json_may_object(request, "dedicated", &dedicated));
    TRY(refuse_upgrade(request, kept));
    TRY(check_plan(request));
    TRY(take_labels(request, kept));
    TRY(take_text(request, "parent_id", kept));
    return take_hardware(dedicated, kept);
}

/* ---- backups ---- */

json_t *crdb_kept_backups(const json_t *kept)
{
    json_t *shown = json_copy(json_object_get(kept, "backups"));

    if (shown)
        json_object_del(shown, "is_retention_chosen");
    return shown;
}

static ks_rc take_choice(const json_t *from, const char *name, const int *choices, json_t *into)
{
    int64_t number = -1;

    TRY(json_may_int(from, name, 1, INT32_MAX, &number));
    for (; number >= 0 && *choices; choices++)
        if (*choices == number)
            return set(into, name, json_integer(number));
    ENSURE(number < 0, KS_E_USAGE, "\"%s\" cannot be %lld", name, (long long)number);
    return KS_SUCCESS;
}

ks_rc crdb_kept_set_backups(const json_t *request, json_t *kept)
{
    static const int days[] = {2, 7, 30, 90, 365, 0}, minutes[] = {5, 10, 15, 30, 60, 240, 1440, 0};
    json_t *into = json_object_get(kept, "backups");
    json_int_t days_before = json_integer_value(json_object_get(into, "retention_days"));
    bool is_enabled = false;

    TRY(json_may_bool(request, "enabled", &is_enabled));
    ENSURE(!is_enabled, KS_E_UNSUPPORTED,
           "Keystead takes no backups: \"enabled\" can only be false; use those of the engine");
    TRY(take_choice(request, "frequency_minutes", minutes, into));
    TRY(take_choice(request, "retention_days", days, into));
    bool is_other = json_integer_value(json_object_get(into, "retention_days")) != days_before;
    ENSURE(!is_other || json_is_false(json_object_get(into, "is_retention_chosen")), KS_E_STATE,
           "\"retention_days\" can be chosen once; it is %lld", (long long)days_before);
    return is_other ? set(into, "is_retention_chosen", json_true()) : KS_SUCCESS;
}
