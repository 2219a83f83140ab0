/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: each event is exactly one line, whatever it is made of, with its time, level and area;
 * levels below the wanted one are silent; and who logs does not wait for whoever should read, once the log is detached.
 */
#include "base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"

enum { OUT_BYTES = 8192 };

static int saved_stderr, ends[2];

static void capture_begin(void)
{
    assert_int_equal(pipe(ends), 0);
    saved_stderr = dup(STDERR_FILENO);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
}

static void capture_end(char out[OUT_BYTES])
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(ends[1]);
    ssize_t n = read(ends[0], out, OUT_BYTES - 1);
    close(ends[0]);
    out[n < 0 ? 0 : n] = 0;
}

static void line__on_a_pipe__has_time_level_and_area(void **state)
{
    char out[OUT_BYTES];

    (void)state;
    unsetenv("JOURNAL_STREAM");
    log_setup("volume", LOG_INFO);
    capture_begin();
    log_line(LOG_WARNING, "probe %d failed", 3);
    capture_end(out);
    assert_int_equal(strlen(out), strlen("2026-11-21T22:07:55Z warning volume: probe 3 failed\n"));
    assert_string_equal(out + strlen("2026-11-21T22:07:55Z"), " warning volume: probe 3 failed\n");
}

static void line__for_the_journal__has_a_priority_and_no_time(void **state)
{
    char out[OUT_BYTES];

    (void)state;
    setenv("JOURNAL_STREAM", "8:1", 1);
    log_setup("volume", LOG_INFO);
    capture_begin();
    log_line(LOG_ERROR, "damaged");
    capture_end(out);
    unsetenv("JOURNAL_STREAM");
    assert_string_equal(out, "<3>volume: damaged\n");
}

static void line__control_bytes_in_a_name__stay_one_line(void **state)
{
    char out[OUT_BYTES];

    (void)state;
    log_setup("volume", LOG_INFO);
    capture_begin();
    log_line(LOG_NOTICE, "file %s", "a\nb\x1b[2Jc\r");
    capture_end(out);
    assert_non_null(strstr(out, "file a?b?[2Jc?\n"));
    assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
}

static void line__longer_than_its_room__is_cut_and_still_a_line(void **state)
{
    char out[OUT_BYTES], words[3000];

    (void)state;
    memset(words, 'x', sizeof words - 1);
    words[sizeof words - 1] = 0;
    log_setup("volume", LOG_INFO);
    capture_begin();
    log_line(LOG_NOTICE, "%s", words);
    capture_end(out);
    assert_true(strlen(out) <= 1024);
    assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
}

static void line__below_the_wanted_level__is_silent(void **state)
{
    char out[OUT_BYTES];

    (void)state;
    log_setup("volume", LOG_WARNING);
    capture_begin();
    log_line(LOG_INFO, "too much");
    log_line(LOG_WARNING, "enough");
    capture_end(out);
    assert_null(strstr(out, "too much"));
    assert_non_null(strstr(out, "enough"));
}

/* A pipe that nobody reads. Returns how many bytes are in it. */
static size_t fill_pipe(void)
{
    size_t filled = 0;
    ssize_t n;
    char dots[512];

    memset(dots, '.', sizeof dots);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    while ((n = write(ends[1], dots, sizeof dots)) > 0)
        filled += (size_t)n;
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
    return filled;
}

static void skip_bytes(FILE *in, size_t count)
{
    while (count-- > 0)
        assert_int_equal(fgetc(in), '.');
}

/* The last one: a log that is detached stays so. */
static void line__nobody_reads__nobody_waits_and_what_is_lost_is_told(void **state)
{
    enum { LINES = 1000 };
    char line[1100], words[400], want[64];
    unsigned next = 0, lost = 0;

    (void)state;
    memset(words, 'x', sizeof words - 1);
    words[sizeof words - 1] = 0;
    log_setup("volume", LOG_INFO);
    capture_begin();
    size_t filled = fill_pipe();
    check_ok(log_detach());
    check_ok(log_detach());
    for (unsigned i = 0; i < LINES; i++)
        log_line(LOG_NOTICE, "line %u %s", i, words);
    log_flush(1);
    FILE *in = fdopen(ends[0], "r");
    assert_non_null(in);
    skip_bytes(in, filled);
    while (fgets(line, sizeof line, in) &&
           sscanf(line, "volume: %u lines of this log were lost", &lost) != 1) {
        snprintf(want, sizeof want, " notice volume: line %u x", next++);
        assert_non_null(strstr(line, want));
    }
    assert_true(next > 100);
    assert_int_equal(next + lost, LINES);
    log_line(LOG_NOTICE, "after it");
    assert_non_null(fgets(line, sizeof line, in));
    assert_non_null(strstr(line, "after it\n"));
    log_flush(60000);
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(ends[1]);
    fclose(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line__on_a_pipe__has_time_level_and_area),
        cmocka_unit_test(line__for_the_journal__has_a_priority_and_no_time),
        cmocka_unit_test(line__control_bytes_in_a_name__stay_one_line),
        cmocka_unit_test(line__longer_than_its_room__is_cut_and_still_a_line),
        cmocka_unit_test(line__below_the_wanted_level__is_silent),
        cmocka_unit_test(line__nobody_reads__nobody_waits_and_what_is_lost_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
