/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: each event is exactly one line, whatever it is made of, with its time, level and area; and
 * levels below the wanted one are silent.
 */
#include "base/log.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line__on_a_pipe__has_time_level_and_area),
        cmocka_unit_test(line__for_the_journal__has_a_priority_and_no_time),
        cmocka_unit_test(line__control_bytes_in_a_name__stay_one_line),
        cmocka_unit_test(line__longer_than_its_room__is_cut_and_still_a_line),
        cmocka_unit_test(line__below_the_wanted_level__is_silent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
