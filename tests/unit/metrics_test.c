/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: every counter of a status is a metric that Prometheus can read, and nothing from outside breaks the text.
 */
#include "cli/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

#define ID "11112222-3333-4444-5555-666677778888"

static const char MOUNTED[] =
    "{\"volume\":{\"id\":\"" ID "\",\"label\":\"orders\"},\"state\":\"GRACE\",\"revoked\":false,"
    "\"lease\":{\"left_ms\":12900},\"rekey\":{\"bytes_rewritten\":7,\"bytes_total\":70},"
    "\"counters\":{"
    "\"reads\":1,\"writes\":2,\"syncs\":3,\"bytes_read\":4,\"bytes_written\":5,\"blocks_corrupt\":"
    "6,"
    "\"files_poisoned\":8,\"requests_refused\":9,\"rekey_pauses\":10,\"awake_ms\":13,\"failed\":{"
    "\"io\":11,"
    "\"damaged\":12}}}";

/* The text; to be freed. */
static char *print(const char *status)
{
    json_t *json = json_loads(status, 0, NULL);
    char *text = NULL;
    size_t len = 0;

    assert_non_null(json);
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    check_ok(metrics_print(out, json));
    assert_int_equal(fclose(out), 0);
    json_decref(json);
    return text;
}

static void check_line(const char *text, const char *line)
{
    const char *at = strstr(text, line);

    if (!at || (at != text && at[-1] != '\n') || at[strlen(line)] != '\n')
        fail_msg("no line \"%s\" in:\n%s", line, text);
}

static void a_mounted_volume__each_counter__is_a_metric(void **state)
{
    static const char *const lines[] = {
        "keystead_volume_info{volume=\"" ID "\",label=\"orders\",state=\"GRACE\"} 1",
        "keystead_volume_open{volume=\"" ID "\"} 1",
        "keystead_volume_revoked{volume=\"" ID "\"} 0",
        "keystead_volume_lease_left_seconds{volume=\"" ID "\"} 12",
        "keystead_volume_reads_total{volume=\"" ID "\"} 1",
        "keystead_volume_writes_total{volume=\"" ID "\"} 2",
        "keystead_volume_syncs_total{volume=\"" ID "\"} 3",
        "keystead_volume_read_bytes_total{volume=\"" ID "\"} 4",
        "keystead_volume_written_bytes_total{volume=\"" ID "\"} 5",
        "keystead_volume_blocks_corrupt_total{volume=\"" ID "\"} 6",
        "keystead_volume_rekey_rewritten_bytes{volume=\"" ID "\"} 7",
        "keystead_volume_rekey_older_bytes{volume=\"" ID "\"} 70",
        "keystead_volume_files_poisoned_total{volume=\"" ID "\"} 8",
        "keystead_volume_requests_refused_total{volume=\"" ID "\"} 9",
        "keystead_volume_rekey_pauses_total{volume=\"" ID "\"} 10",
        "keystead_volume_awake_milliseconds_total{volume=\"" ID "\"} 13",
        "keystead_volume_requests_failed_total{volume=\"" ID "\",kind=\"io\"} 11",
        "keystead_volume_requests_failed_total{volume=\"" ID "\",kind=\"damaged\"} 12",
        "# TYPE keystead_volume_requests_failed_total counter",
        "# TYPE keystead_volume_open gauge",
    };
    char *text = print(MOUNTED);

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        check_line(text, lines[i]);
    free(text);
}

static unsigned count(const char *text, const char *part)
{
    unsigned n = 0;

    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        n++;
    return n;
}

/* Each name has its HELP and TYPE once, directly before its samples, as the format asks. */
static void a_mounted_volume__each_name__is_introduced_once(void **state)
{
    char *text = print(MOUNTED), *copy = strdup(text), *rest = copy, last[128] = "", head[160];
    unsigned names = 0;

    (void)state;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        if (sscanf(line, "# TYPE %120s", last) == 1) {
            snprintf(head, sizeof head, "# HELP %s ", last);
            assert_int_equal(count(text, head), 1);
            names++;
        } else if (line[0] != '#') {
            assert_int_equal(strcspn(line, "{"), strlen(last));
            assert_memory_equal(line, last, strlen(last));
        }
    }
    assert_int_equal(names, 17);
    assert_int_equal(count(text, "# HELP "), 17);
    free(copy);
    free(text);
}

static void an_unmounted_volume__without_counters__says_that_it_is_not_open(void **state)
{
    char *text =
        print("{\"volume\":{\"id\":\"" ID "\",\"label\":\"orders\"},\"state\":\"UNMOUNTED\","
              "\"revoked\":true,\"lease\":{\"left_ms\":0},\"rekey\":null,\"counters\":null}");

    (void)state;
    check_line(text, "keystead_volume_open{volume=\"" ID "\"} 0");
    check_line(text, "keystead_volume_revoked{volume=\"" ID "\"} 1");
    assert_null(strstr(text, "_total"));
    assert_null(strstr(text, "rekey"));
    free(text);
}

static void a_label_with_everything__stays_within_its_quotes(void **state)
{
    char *text = print("{\"volume\":{\"id\":\"" ID "\",\"label\":\"a\\\"b\\\\c\\nd\\u001b[2J\"},"
                       "\"state\":\"OPEN\"}");

    (void)state;
    check_line(text, "keystead_volume_info{volume=\"" ID
                     "\",label=\"a\\\"b\\\\c?d?[2J\",state=\"OPEN\"} 1");
    free(text);
}

static void a_label_without_end__is_cut(void **state)
{
    char status[4096], label[3000];

    (void)state;
    memset(label, 'x', sizeof label);
    label[sizeof label - 1] = '\0';
    snprintf(status, sizeof status, "{\"volume\":{\"id\":\"" ID "\",\"label\":\"%s\"}}", label);
    char *text = print(status);
    char *line = strstr(text, "label=");
    assert_non_null(line);
    assert_true(strcspn(line, "\n") < 600);
    assert_non_null(strstr(line, "x\",state=\"-\"} 1\n"));
    free(text);
}

static void nowhere_to_write__is_told(void **state)
{
    json_t *json = json_loads(MOUNTED, 0, NULL);
    FILE *full = fopen("/dev/full", "w");

    (void)state;
    assert_non_null(full);
    check_rc(metrics_print(full, json), IO);
    fclose(full);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mounted_volume__each_counter__is_a_metric),
        cmocka_unit_test(a_mounted_volume__each_name__is_introduced_once),
        cmocka_unit_test(an_unmounted_volume__without_counters__says_that_it_is_not_open),
        cmocka_unit_test(a_label_with_everything__stays_within_its_quotes),
        cmocka_unit_test(a_label_without_end__is_cut),
        cmocka_unit_test(nowhere_to_write__is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
