/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/dashboard.c - status and inspect replies as something people read.
 */
#include "cli/dashboard.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/duration.h"
#include "cli/output.h"
#include "cli/progress.h"

enum { BAR_CELLS = 20 };

const char *dashboard_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text && text[0] ? text : "-";
}

static uint64_t number(const json_t *object, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(object, key));

    return n > 0 ? (uint64_t)n : 0;
}

/* ---- parts ---- */

static void show_state(const json_t *status)
{
    const json_t *volume = json_object_get(status, "volume");

    printf("volume ");
    output_text(stdout, dashboard_text(volume, "label"));
    printf(": ");
    output_text(stdout, dashboard_text(status, "state"));
    printf("%s\n", json_is_true(json_object_get(status, "revoked")) ? " (revoked)" : "");
    output_field("id", "%s", dashboard_text(volume, "id"));
    output_field("backing", "%s", dashboard_text(volume, "backing"));
    if (json_is_integer(json_object_get(volume, "pid")))
        output_field("mounted at", "%s, process %" PRIu64 ", %" PRIu64 " open files",
                     dashboard_text(volume, "mountpoint"), number(volume, "pid"),
                     number(status, "handles"));
}

/* What went wrong since the mount, if anything did; the log says more. */
static void show_failures(const json_t *status)
{
    json_t *counters = json_object_get(status, "counters");
    json_t *failed = json_object_get(counters, "failed"), *count;
    uint64_t poisoned = number(counters, "files_poisoned");
    const char *kind;

    json_object_foreach(failed, kind, count)
    {
        if (json_integer_value(count) > 0)
            output_field("failed", "%" PRIu64 " requests, kind %s: see the log of the mount",
                         number(failed, kind), kind);
    }
    if (poisoned > 0)
        output_field("poisoned", "%" PRIu64 " files: a sync of them failed; mount anew", poisoned);
}

static void show_stale(const json_t *status)
{
    const char *stale =
        json_string_value(json_object_get(json_object_get(status, "keyring"), "stale"));

    if (stale)
        output_field(
            "keyring",
            "the copy %s is old or damaged and cannot be written: see the log of the mount", stale);
}

static void lease_bar(uint64_t left, uint64_t max, char out[BAR_CELLS + 1])
{
    uint64_t full = max > 0 ? (left < max ? left : max) * BAR_CELLS / max : 0;

    for (size_t i = 0; i < BAR_CELLS; i++)
        out[i] = i < full ? '#' : '-';
    out[BAR_CELLS] = '\0';
}

/* What is left is counted to the end of the grace, when there is one, so the bar is of that. */
static void show_lease(const json_t *status)
{
    const json_t *lease = json_object_get(status, "lease");
    uint64_t left = number(lease, "left_ms"), max = number(lease, "max_ms");
    char bar[BAR_CELLS + 1], left_text[DURATION_TEXT_BYTES], max_text[DURATION_TEXT_BYTES],
        grace[DURATION_TEXT_BYTES], probe[DURATION_TEXT_BYTES];
    bool is_grace = strcmp(dashboard_text(status, "state"), "GRACE") == 0;

    duration_format(max, max_text);
    duration_format(number(lease, "grace_ms"), grace);
    duration_format(number(lease, "probe_ms"), probe);
    duration_format_rough(left, left_text);
    lease_bar(left, is_grace || left > max ? number(lease, "grace_ms") : max, bar);
    if (left > 0)
        output_field("lease", "[%s] locks in %s without a new grant", bar, left_text);
    output_field("settings", "lease %s, probe every %s, grace %s", max_text, probe, grace);
}

static void show_probe(const json_t *status)
{
    const json_t *probe = json_object_get(status, "last_probe");

    if (!json_is_object(probe))
        return;
    output_field("last probe", "%s at %s, wrap %" PRIu64, dashboard_text(probe, "result"),
                 dashboard_text(probe, "at"), number(probe, "wrap"));
    const char *message = dashboard_text(probe, "message");
    if (strcmp(message, "-") != 0)
        output_field("", "%s", message);
}

/* One such wrap undoes all the others. */
static void warn_of_null_wraps(const json_t *wraps)
{
    const json_t *w;
    size_t i;

    json_array_foreach(wraps, i, w)
    {
        if (strcmp(dashboard_text(w, "type"), "NULL_KMS") != 0 ||
            strcmp(dashboard_text(w, "state"), "ACTIVE") != 0)
            continue;
        printf(
            "\nWARNING: NOT PROTECTED. Wrap %" PRIu64
            " is under NULL_KMS: the volume's key lies in "
            "clear in its keyring, whoever reads the backing directory reads the data, and nothing "
            "can be revoked.\n",
            number(w, "id"));
    }
}

static ks_rc show_wraps(const json_t *report)
{
    CLEANUP(table_freep) struct table *table = NULL;
    const json_t *wraps = json_object_get(report, "wraps");
    const json_t *w;
    size_t i;

    TRY(table_new(">WRAP|STATE|TYPE|KEY|VERSION|CREATED|RETIRED", &table));
    json_array_foreach(wraps, i, w)
    {
        table_add(table, "%" PRIu64, number(w, "id"));
        table_add(table, "%s", dashboard_text(w, "state"));
        table_add(table, "%s", dashboard_text(w, "type"));
        table_add(table, "%s", dashboard_text(w, "uri"));
        table_add(table, "%s", dashboard_text(w, "key_version"));
        table_add(table, "%s", dashboard_text(w, "created"));
        table_add(table, "%s", dashboard_text(w, "retired"));
    }
    printf("\n");
    TRY(table_print(table, 2));
    warn_of_null_wraps(wraps);
    return KS_SUCCESS;
}

static uint64_t total_bytes(const json_t *generations)
{
    uint64_t total = 0;
    const json_t *g;
    size_t i;

    json_array_foreach(generations, i, g) total += number(g, "bytes");
    return total;
}

static void add_generation(struct table *table, const json_t *g, uint64_t total)
{
    char bytes[OUTPUT_BYTES_TEXT];
    bool is_counted = json_is_integer(json_object_get(g, "bytes"));

    table_add(table, "%" PRIu64, number(g, "generation"));
    table_add(table, "%s", dashboard_text(g, "state"));
    table_add(table, "%s", dashboard_text(g, "created"));
    output_bytes(number(g, "bytes"), bytes);
    table_add(table, "%s", is_counted ? bytes : "-");
    if (is_counted && total > 0)
        table_add(table, "%.1f %%", 100.0 * (double)number(g, "bytes") / (double)total);
    else
        table_add(table, "-");
}

static ks_rc show_generations(const json_t *report)
{
    CLEANUP(table_freep) struct table *table = NULL;
    const json_t *generations = json_object_get(report, "generations");
    uint64_t total = total_bytes(generations);
    const json_t *g;
    size_t i;

    TRY(table_new(">GENERATION|STATE|CREATED|>BYTES|>SHARE", &table));
    json_array_foreach(generations, i, g) add_generation(table, g, total);
    printf("\n");
    TRY(table_print(table, 2));
    if (json_is_string(json_object_get(report, "generations_as_of")))
        printf("  bytes as of %s\n", dashboard_text(report, "generations_as_of"));
    return KS_SUCCESS;
}

/* Seconds since 1970 of "2026-11-21T22:07:55Z"; 0 when it is something else. */
static int64_t parse_time(const char *text)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);

    return end && *end == '\0' ? (int64_t)timegm(&tm) : 0;
}

static void show_rotation(const json_t *status, int64_t now_s)
{
    char rough[DURATION_TEXT_BYTES];
    const char *due = dashboard_text(status, "next_data_rotation");
    int64_t due_s = parse_time(due);

    printf("\n");
    if (due_s == 0) {
        output_field("next rotation", "of the data key: only on demand");
        return;
    }
    duration_format_rough((uint64_t)(due_s > now_s ? due_s - now_s : 0) * 1000, rough);
    if (due_s > now_s)
        output_field("next rotation", "of the data key: %s, in %s", due, rough);
    else
        output_field("next rotation", "of the data key: due since %s", due);
}

static void show_rekey(const json_t *status)
{
    const json_t *rekey = json_object_get(status, "rekey");
    char figures[PROGRESS_TEXT_BYTES];
    struct progress_news news;

    if (!json_is_object(rekey))
        return;
    progress_read(rekey, &news);
    progress_text(&news, figures);
    output_field("re-encrypts", "%s", figures[0] ? figures : "counting what is to be done");
}

static void show_receipt(const json_t *status)
{
    const json_t *receipt = json_object_get(status, "receipt");

    if (json_is_object(receipt))
        output_field("last lock", "%s, %s, took %" PRIu64 " ms, %" PRIu64 " open files cut off",
                     dashboard_text(receipt, "at"), dashboard_text(receipt, "reason"),
                     number(receipt, "duration_ms"), number(receipt, "handles_cut"));
}

/* What brings the volume from here to OPEN. */
static void show_hint(const json_t *status)
{
    const json_t *volume = json_object_get(status, "volume");
    const char *state = dashboard_text(status, "state");
    bool is_unmounted = strcmp(state, "UNMOUNTED") == 0;
    bool is_revoked = json_is_true(json_object_get(status, "revoked"));

    if (is_unmounted && json_is_string(json_object_get(volume, "mountpoint")))
        output_field("its process",
                     "has died; clear its mount point with: keystead volume unmount %s",
                     dashboard_text(volume, "mountpoint"));
    else if (is_revoked)
        output_field("to open it", "keystead volume unlock %s", dashboard_text(volume, "backing"));
    else if (strcmp(state, "LOCKED") == 0 || strcmp(state, "LOCKING") == 0)
        output_field("to open it", "enable one of its keys in the key service; it opens by itself "
                                   "with the next probe");
    else if (strcmp(state, "GRACE") == 0)
        output_field("to keep it", "make the key service reachable before the lease ends; the last "
                                   "probe says what is wrong");
    else if (is_unmounted)
        output_field("to open it", "keystead volume mount %s MOUNTPOINT",
                     dashboard_text(volume, "backing"));
}

/* ---- whole ---- */

ks_rc dashboard_status(const json_t *status, int64_t now_s)
{
    show_state(status);
    show_failures(status);
    show_stale(status);
    show_lease(status);
    show_probe(status);
    show_receipt(status);
    show_rekey(status);
    TRY(show_wraps(status));
    TRY(show_generations(status));
    show_rotation(status, now_s);
    show_hint(status);
    return KS_SUCCESS;
}

static void show_settings(const json_t *settings)
{
    char lease[DURATION_TEXT_BYTES], probe[DURATION_TEXT_BYTES], grace[DURATION_TEXT_BYTES],
        rotation[DURATION_TEXT_BYTES];

    duration_format(number(settings, "lease_ms_max"), lease);
    duration_format(number(settings, "probe_ms"), probe);
    duration_format(number(settings, "grace_ms"), grace);
    duration_format(number(settings, "data_rotation_s") * 1000, rotation);
    output_field("settings", "lease %s, probe every %s, grace %s, new data key %s%s", lease, probe,
                 grace, number(settings, "data_rotation_s") ? "every " : "only on demand",
                 number(settings, "data_rotation_s") ? rotation : "");
}

ks_rc dashboard_inspect(const json_t *inspect)
{
    static const char *const texts[] = {"id", "organisation", "cluster", "region", "created"};
    const json_t *volume = json_object_get(inspect, "volume");
    const json_t *survey = json_object_get(inspect, "survey");

    printf("volume ");
    output_text(stdout, dashboard_text(volume, "label"));
    printf("\n");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        output_field(texts[i], "%s", dashboard_text(volume, texts[i]));
    output_field("format",
                 "version %" PRIu64 ", suite %" PRIu64 ", %" PRIu64
                 " bytes of data in a block of 4096, keyring %" PRIu64,
                 number(inspect, "format_version"), number(volume, "suite"),
                 number(volume, "block_payload"), number(volume, "sequence"));
    output_field("store key", "%" PRIu64 ", created %s",
                 number(json_object_get(inspect, "store_key"), "id"),
                 dashboard_text(json_object_get(inspect, "store_key"), "created"));
    show_settings(json_object_get(inspect, "settings"));
    if (json_is_string(json_object_get(inspect, "revoked")))
        output_field("revoked", "since %s; only \"volume unlock\" ends it",
                     dashboard_text(inspect, "revoked"));
    if (json_is_object(survey))
        output_field("holds", "%" PRIu64 " files, %" PRIu64 " directories, %" PRIu64 " other",
                     number(survey, "files"), number(survey, "directories"),
                     number(survey, "other"));
    TRY(show_wraps(inspect));
    return show_generations(inspect);
}
