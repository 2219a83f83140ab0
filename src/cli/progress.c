/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/progress.c - the figures as text, and drawing the line.
 */
#include "cli/progress.h"

#include <stdarg.h>
#include <unistd.h>

#include "cli/duration.h"
#include "cli/interrupt.h"
#include "cli/output.h"

enum { LINE_BYTES = 512 };

/* ---- figures ---- */

/* Others may add to what is counted at the beginning: a total that is passed says nothing any more. */
static bool is_total_known(const struct progress_news *n)
{
    return n->total > 0 && n->done <= n->total;
}

static void format_left(uint64_t s, char out[DURATION_TEXT_BYTES])
{
    duration_format_rough(s < DURATION_MS_MAX / 1000 ? s * 1000 : DURATION_MS_MAX, out);
}

void progress_text(const struct progress_news *n, char out[PROGRESS_TEXT_BYTES])
{
    char done[OUTPUT_BYTES_TEXT], total[OUTPUT_BYTES_TEXT], rate[OUTPUT_BYTES_TEXT];
    char left[DURATION_TEXT_BYTES] = "";
    bool has_total = is_total_known(n);

    out[0] = '\0';
    if (n->done == 0 && n->total == 0)
        return;
    output_bytes(n->done, done);
    output_bytes(n->total, total);
    output_bytes(n->rate, rate);
    if (has_total && n->left_s > 0)
        format_left((uint64_t)n->left_s, left);
    snprintf(out, PROGRESS_TEXT_BYTES, "%s%s%s, %s/s%s%s%s", done, has_total ? " of " : "",
             has_total ? total : "", rate, left[0] ? ", " : "", left, left[0] ? " left" : "");
}

static uint64_t number(const json_t *object, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(object, key));

    return n > 0 ? (uint64_t)n : 0;
}

void progress_read(const json_t *rekey, struct progress_news *ret)
{
    const json_t *eta_s = json_object_get(rekey, "eta_s");

    *ret = (struct progress_news){
        .done = number(rekey, "bytes_rewritten"),
        .total = number(rekey, "bytes_total"),
        .rate = number(rekey, "rate"),
        .left_s = json_is_integer(eta_s) ? json_integer_value(eta_s) : -1,
    };
}

void progress_measure(struct progress *p, uint64_t done, uint64_t total, struct progress_news *ret)
{
    uint64_t now = clock_boot_ms(p->clock);

    if (done == 0)
        p->began_ms = now;
    uint64_t spent_ms = now - p->began_ms, rate = spent_ms > 0 ? done * 1000 / spent_ms : 0;
    *ret = (struct progress_news){.done = done, .total = total, .rate = rate, .left_s = -1};
    if (rate > 0 && is_total_known(ret))
        ret->left_s = (int64_t)((total - done) / rate);
}

/* ---- the line ---- */

struct progress progress_begin(void)
{
    struct clock *clock = clock_system();

    return (struct progress){.out = stderr,
                             .clock = clock,
                             .is_terminal = isatty(STDERR_FILENO),
                             .began_ms = clock_boot_ms(clock)};
}

/* The terminal shows "^C" where the cursor was, with or without a line of ours. */
static bool is_line_soiled(const struct progress *p)
{
    return p->is_line_open || (p->is_terminal && interrupt_came());
}

void progress_clear(struct progress *p)
{
    if (is_line_soiled(p))
        fprintf(p->out, "\r\033[K");
    p->is_line_open = false;
}

static void draw(struct progress *p, char line[LINE_BYTES])
{
    size_t width = output_width(p->out);

    if (width > 0) /* a full line would leave the cursor to the taste of the terminal */
        output_cut(line, width - 1);
    progress_clear(p);
    output_text(p->out, line);
    fflush(p->out);
    p->is_line_open = true;
}

void progress_draw(struct progress *p, const char *fmt, ...)
{
    char line[LINE_BYTES];
    va_list args;

    if (!p->is_terminal)
        return;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    draw(p, line);
}

static bool is_due(struct progress *p)
{
    uint64_t now = clock_boot_ms(p->clock);

    if (p->shown_ms != 0 && now - p->shown_ms < PROGRESS_EVERY_MS)
        return false;
    p->shown_ms = now;
    return true;
}

void progress_show(struct progress *p, const struct progress_news *n, const char *fmt, ...)
{
    char what[LINE_BYTES], figures[PROGRESS_TEXT_BYTES];
    va_list args;

    if (!p->is_terminal || !is_due(p))
        return;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    progress_text(n, figures);
    progress_draw(p, "%s%s%s", what, figures[0] ? ": " : "", figures);
}
