/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/metrics.c - a status reply as metrics.
 */
#include "cli/metrics.h"

#include <inttypes.h>
#include <string.h>

#include "cli/dashboard.h"
#include "cli/output.h"

enum { LABEL_BYTES = 512 };

struct metric {
    const char *name, *type, *object, *key,
        *help; /* object: the member of the status that has key */
};

static const struct metric metrics[] = {
    {"reads_total", "counter", "counters", "reads", "Reads since the mount."},
    {"writes_total", "counter", "counters", "writes", "Writes since the mount."},
    {"syncs_total", "counter", "counters", "syncs", "Syncs since the mount."},
    {"read_bytes_total", "counter", "counters", "bytes_read", "Bytes read since the mount."},
    {"written_bytes_total", "counter", "counters", "bytes_written",
     "Bytes written since the mount."},
    {"blocks_corrupt_total", "counter", "counters", "blocks_corrupt",
     "Blocks that were read and are damaged or forged."},
    {"files_poisoned_total", "counter", "counters", "files_poisoned",
     "Files of which a sync failed: mount anew."},
    {"requests_refused_total", "counter", "counters", "requests_refused",
     "Requests refused because the volume is locked."},
    {"rekey_pauses_total", "counter", "counters", "rekey_pauses",
     "Rests of a re-encryption because others were held up."},
    {"awake_milliseconds_total", "counter", "counters", "awake_ms",
     "How long processors were kept from sleeping."},
    {"rekey_rewritten_bytes", "gauge", "rekey", "bytes_rewritten",
     "Bytes re-encrypted so far; only while it goes on."},
    {"rekey_older_bytes", "gauge", "rekey", "bytes_total",
     "Bytes to re-encrypt, as counted at the beginning; only while it goes on."},
};

static void print_head(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP keystead_volume_%s %s\n# TYPE keystead_volume_%s %s\n", name, help, name,
            type);
}

static const char *id_of(const json_t *status)
{
    return dashboard_text(json_object_get(status, "volume"), "id");
}

static void print_gauge(FILE *out, const json_t *status, const char *name, const char *help,
                        uint64_t value)
{
    print_head(out, name, "gauge", help);
    fprintf(out, "keystead_volume_%s{volume=\"%s\"} %" PRIu64 "\n", name, id_of(status), value);
}

/* Labels and states come from outside: quotes are escaped, and no control character gets through. */
static void print_label(FILE *out, const char *text)
{
    char escaped[LABEL_BYTES];
    size_t n = 0;

    for (; *text && n < sizeof escaped - 2; text++) {
        if (*text == '"' || *text == '\\')
            escaped[n++] = '\\';
        escaped[n++] = *text;
    }
    escaped[n] = '\0';
    output_text(out, escaped);
}

static void print_info(FILE *out, const json_t *status)
{
    print_head(out, "info", "gauge", "What it is called and how it is.");
    fprintf(out, "keystead_volume_info{volume=\"%s\",label=\"", id_of(status));
    print_label(out, dashboard_text(json_object_get(status, "volume"), "label"));
    fprintf(out, "\",state=\"");
    print_label(out, dashboard_text(status, "state"));
    fprintf(out, "\"} 1\n");
}

static void print_state(FILE *out, const json_t *status)
{
    const char *state = dashboard_text(status, "state");
    json_int_t left_ms =
        json_integer_value(json_object_get(json_object_get(status, "lease"), "left_ms"));

    print_gauge(out, status, "open", "1 while data can be read.",
                strcmp(state, "OPEN") == 0 || strcmp(state, "GRACE") == 0);
    print_gauge(out, status, "revoked", "1 from volume lock to volume unlock.",
                json_is_true(json_object_get(status, "revoked")));
    print_gauge(out, status, "lease_left_seconds",
                "Until it locks by itself if the key service grants nothing.",
                left_ms > 0 ? (uint64_t)left_ms / 1000 : 0);
}

static void print_metric(FILE *out, const json_t *status, const struct metric *m)
{
    const json_t *value = json_object_get(json_object_get(status, m->object), m->key);

    if (!json_is_integer(value))
        return;
    print_head(out, m->name, m->type, m->help);
    fprintf(out, "keystead_volume_%s{volume=\"%s\"} %" JSON_INTEGER_FORMAT "\n", m->name,
            id_of(status), json_integer_value(value));
}

static void print_failed(FILE *out, const json_t *status)
{
    json_t *failed = json_object_get(json_object_get(status, "counters"), "failed"), *count;
    const char *kind;

    if (json_object_size(failed) == 0)
        return;
    print_head(out, "requests_failed_total", "counter",
               "Requests that failed through no fault of who made them.");
    json_object_foreach(failed, kind, count)
    {
        fprintf(out, "keystead_volume_requests_failed_total{volume=\"%s\",kind=\"", id_of(status));
        print_label(out, kind);
        fprintf(out, "\"} %" JSON_INTEGER_FORMAT "\n", json_integer_value(count));
    }
}

ks_rc metrics_print(FILE *out, const json_t *status)
{
    print_info(out, status);
    print_state(out, status);
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++)
        print_metric(out, status, &metrics[i]);
    print_failed(out, status);
    ENSURE(fflush(out) == 0 && !ferror(out), KS_E_IO, "cannot write the metrics");
    return KS_SUCCESS;
}
