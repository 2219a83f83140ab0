/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: figures of progress say what is known and nothing else; the line is drawn on a terminal only, not too often, never wider than it, and can be
 * taken away again.
 */
#include "cli/progress.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "check.h"
#include "cli/interrupt.h"

#define MIB (UINT64_C(1) << 20)

/* ---- figures ---- */

static void text__what_is_known__is_said(void **state)
{
    static const struct {
        struct progress_news news;
        const char *text;
    } cases[] = {
        {{3 * MIB, 12 * MIB, MIB, 9}, "3.0 MiB of 12.0 MiB, 1.0 MiB/s, 9 s left"},
        {{3 * MIB, 12 * MIB, 0, -1}, "3.0 MiB of 12.0 MiB, 0 B/s"},
        {{0, 12 * MIB, 0, -1}, "0 B of 12.0 MiB, 0 B/s"},
        {{12 * MIB, 12 * MIB, MIB, 0}, "12.0 MiB of 12.0 MiB, 1.0 MiB/s"},
        {{3 * MIB, 0, MIB, -1}, "3.0 MiB, 1.0 MiB/s"},
        {{13 * MIB, 12 * MIB, MIB, 4}, "13.0 MiB, 1.0 MiB/s"}, /* others added to it */
        {{0, 0, 0, -1}, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[PROGRESS_TEXT_BYTES];
        progress_text(&cases[i].news, out);
        assert_string_equal(out, cases[i].text);
    }
}

static void text__numbers_as_large_as_they_come__fit(void **state)
{
    const struct progress_news news = {UINT64_MAX, UINT64_MAX, UINT64_MAX, INT64_MAX};
    char out[PROGRESS_TEXT_BYTES];

    (void)state;
    progress_text(&news, out);
    assert_string_equal(out, "16.0 EiB of 16.0 EiB, 16.0 EiB/s, 3650 days left");
}

static struct progress_news news_of(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);
    struct progress_news news;

    assert_non_null(json);
    progress_read(json, &news);
    json_decref(json);
    return news;
}

static void read__members_of_a_re_encryption__are_taken(void **state)
{
    struct progress_news news =
        news_of("{\"bytes_rewritten\":5,\"bytes_total\":50,\"rate\":10,\"eta_s\":4}");

    (void)state;
    assert_int_equal(news.done, 5);
    assert_int_equal(news.total, 50);
    assert_int_equal(news.rate, 10);
    assert_int_equal(news.left_s, 4);
}

static void read__without_a_time__it_is_not_known(void **state)
{
    (void)state;
    assert_int_equal(news_of("{\"bytes_rewritten\":5,\"eta_s\":null}").left_s, -1);
    assert_int_equal(news_of("{\"bytes_rewritten\":-5,\"rate\":\"x\"}").left_s, -1);
    assert_int_equal(news_of("{\"bytes_rewritten\":-5,\"rate\":\"x\"}").done, 0);
}

static void measure__rate_and_time_left__count_from_when_nothing_was_done(void **state)
{
    struct clock_manual clock;
    struct progress_news news;

    (void)state;
    clock_manual_init(&clock, 1000, 0);
    struct progress p = {.clock = &clock.clock, .began_ms = 1000};
    clock.now_ms += 60000; /* a passphrase is asked for */
    progress_measure(&p, 0, 12 * MIB, &news);
    assert_int_equal(news.rate, 0);
    assert_int_equal(news.left_s, -1);
    clock.now_ms += 3000;
    progress_measure(&p, 3 * MIB, 12 * MIB, &news);
    assert_int_equal(news.rate, MIB);
    assert_int_equal(news.left_s, 9);
    progress_measure(&p, 3 * MIB, 0, &news);
    assert_int_equal(news.rate, MIB);
    assert_int_equal(news.left_s, -1);
}

/* ---- the line ---- */

/* A terminal of 24 columns and what was shown on it. */
struct bench {
    int master;
    struct clock_manual clock;
    struct progress p;
    char shown[512];
};

static int bench_new(void **state)
{
    static struct bench b;
    struct winsize size = {.ws_col = 24, .ws_row = 5};

    memset(&b, 0, sizeof b);
    b.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(b.master >= 0 && grantpt(b.master) == 0 && unlockpt(b.master) == 0);
    int fd = open(ptsname(b.master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(fd >= 0 && ioctl(fd, TIOCSWINSZ, &size) == 0);
    clock_manual_init(&b.clock, 1000, 0);
    b.p = (struct progress){
        .out = fdopen(fd, "w"), .clock = &b.clock.clock, .is_terminal = true, .began_ms = 1000};
    assert_non_null(b.p.out);
    assert_int_equal(fcntl(b.master, F_SETFL, O_NONBLOCK), 0);
    *state = &b;
    return 0;
}

static int bench_free(void **state)
{
    struct bench *b = *state;

    fclose(b->p.out);
    close(b->master);
    return 0;
}

/* What was shown since the last time. */
static const char *shown(struct bench *b)
{
    fflush(b->p.out);
    ssize_t n = read(b->master, b->shown, sizeof b->shown - 1);
    b->shown[n > 0 ? n : 0] = '\0';
    return b->shown;
}

static void show(struct bench *b, uint64_t done)
{
    const struct progress_news news = {done, 12 * MIB, MIB, 9};

    progress_show(&b->p, &news, "at\x1b[2Jwork");
}

static void show__line__is_cut_at_the_terminal_and_drives_it_nowhere(void **state)
{
    struct bench *b = *state;

    show(b, 3 * MIB);
    assert_string_equal(shown(b), "at?[2Jwork: 3.0 MiB of ");
}

static void show__again_and_again__twice_a_second(void **state)
{
    struct bench *b = *state;

    show(b, MIB);
    assert_non_null(strstr(shown(b), "1.0 MiB"));
    b->clock.now_ms += PROGRESS_EVERY_MS - 1;
    show(b, 2 * MIB);
    assert_string_equal(shown(b), "");
    b->clock.now_ms += 1;
    show(b, 3 * MIB);
    assert_string_equal(shown(b), "\r\033[Kat?[2Jwork: 3.0 MiB of ");
}

static void clear__takes_the_line_away_once(void **state)
{
    struct bench *b = *state;

    progress_clear(&b->p);
    assert_string_equal(shown(b), "");
    show(b, MIB);
    shown(b);
    progress_clear(&b->p);
    assert_string_equal(shown(b), "\r\033[K");
    progress_clear(&b->p);
    assert_string_equal(shown(b), "");
}

/* The last test: what has come is never forgotten. */
static void clear__after_an_interrupt__takes_away_what_the_terminal_shows_of_it(void **state)
{
    struct bench *b = *state;

    interrupt_note();
    assert_false(interrupt_came());
    assert_int_equal(raise(SIGINT), 0);
    assert_true(interrupt_came());
    progress_clear(&b->p);
    assert_string_equal(shown(b), "\r\033[K");
    b->p.is_terminal = false;
    progress_clear(&b->p);
    assert_string_equal(shown(b), "");
}

static void show__no_terminal__shows_nothing(void **state)
{
    struct bench *b = *state;

    b->p.is_terminal = false;
    show(b, MIB);
    progress_draw(&b->p, "x");
    progress_clear(&b->p);
    assert_string_equal(shown(b), "");
}

static void show__nothing_known_yet__says_what_it_does(void **state)
{
    struct bench *b = *state;
    const struct progress_news news = {.left_s = -1};

    progress_show(&b->p, &news, "counting");
    assert_string_equal(shown(b), "counting");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_new, bench_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text__what_is_known__is_said),
        cmocka_unit_test(text__numbers_as_large_as_they_come__fit),
        cmocka_unit_test(read__members_of_a_re_encryption__are_taken),
        cmocka_unit_test(read__without_a_time__it_is_not_known),
        cmocka_unit_test(measure__rate_and_time_left__count_from_when_nothing_was_done),
        TEST(show__line__is_cut_at_the_terminal_and_drives_it_nowhere),
        TEST(show__again_and_again__twice_a_second),
        TEST(clear__takes_the_line_away_once),
        TEST(show__no_terminal__shows_nothing),
        TEST(show__nothing_known_yet__says_what_it_does),
        TEST(clear__after_an_interrupt__takes_away_what_the_terminal_shows_of_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
