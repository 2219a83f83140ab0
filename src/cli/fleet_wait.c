/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/fleet_wait.c - commands and people: confirmations, secrets into files, waiting for what was begun.
 *
 * An operation belongs to the control plane: nothing that happens here ends it.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/ask.h"
#include "cli/fleet.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress.h"

enum { ASKED_EVERY_MS = 1000, PART_BYTES = PROGRESS_TEXT_BYTES + 2 };

/* ---- confirmations and secrets ---- */

ks_rc fleet_confirm(const struct cli *cli, const char *name, const char *warning)
{
    const char *given = cli->texts[OPT_YES_NAME];

    if (!given) {
        ENSURE(
            isatty(STDIN_FILENO), KS_E_USAGE,
            "\"%s\" needs to be confirmed and there is no terminal; add --yes NAME with the name "
            "that it is about",
            cli->command->name);
        return ask_confirmation(cli, name, warning);
    }
    ENSURE(strcmp(given, name) == 0, KS_E_USAGE,
           "--yes %.64s does not name what \"%s\" is about; nothing changed", given,
           cli->command->name);
    return KS_SUCCESS;
}

ks_rc fleet_check_new(const char *path)
{
    ENSURE(access(path, F_OK) != 0, KS_E_EXISTS, "%s is there already; it is not overwritten",
           path);
    return KS_SUCCESS;
}

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

ks_rc fleet_write_secret(const char *path, const char *text)
{
    CLEANUP(close_fd)
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    size_t len = strlen(text);

    if (fd < 0)
        return ks_fail_os(errno, "%s", path);
    ENSURE(write(fd, text, len) == (ssize_t)len && write(fd, "\n", 1) == 1, KS_E_IO,
           "%s cannot be written", path);
    return KS_SUCCESS;
}

/* ---- waiting ---- */

struct wait {
    const struct cli *cli;
    struct fleet_client *client;
    const char *id;
    struct progress progress;
    json_int_t bytes_before;
    uint64_t bytes_at_ms;
    double rate; /* bytes per second, smoothed */
};

/* Ends the program at once: a request to the control plane may be under way, and nothing here needs an end of its own. */
static void prepare_interrupt(const char *id)
{
    interrupt_end("the operation goes on; look at it with: keystead operation show %s\n"
                  "wait for it again with: keystead operation wait %s\n",
                  id, id);
}

static void measure(struct wait *w, json_int_t bytes, uint64_t now_ms)
{
    double seconds = (double)(now_ms - w->bytes_at_ms) / 1000;

    if (w->bytes_at_ms && seconds > 0 && bytes >= w->bytes_before) {
        double rate = (double)(bytes - w->bytes_before) / seconds;
        w->rate = w->rate > 0 ? 0.7 * w->rate + 0.3 * rate : rate;
    }
    w->bytes_before = bytes;
    w->bytes_at_ms = now_ms;
}

/* ", 1.0 GiB of 4.0 GiB, 100.0 MiB/s, 30s left"; "" when it is not about bytes. */
static void write_bytes(struct wait *w, const json_t *operation, char out[PART_BYTES])
{
    json_int_t done = fleet_number(operation, "bytes_done"),
               total = fleet_number(operation, "bytes_total");
    char figures[PROGRESS_TEXT_BYTES];

    out[0] = '\0';
    if (total <= 0)
        return;
    measure(w, done, clock_boot_ms(clock_system()));
    const struct progress_news news = {(uint64_t)done, (uint64_t)total, (uint64_t)w->rate,
                                       fleet_number(operation, "eta_s")};
    progress_text(&news, figures);
    snprintf(out, PART_BYTES, ", %s", figures);
}

static void show_progress(struct wait *w, const json_t *operation)
{
    char volumes[PART_BYTES] = "", bytes[PART_BYTES];

    if (fleet_number(operation, "volumes_total") > 0)
        snprintf(volumes, sizeof volumes,
                 ": %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " volumes",
                 fleet_number(operation, "volumes_done"), fleet_number(operation, "volumes_total"));
    write_bytes(w, operation, bytes);
    progress_draw(&w->progress, "%s%s%s", fleet_text(operation, "kind"), volumes, bytes);
}

const char *fleet_operation_of(const json_t *reply)
{
    const char *id = fleet_text(reply, "operation");

    if (strcmp(id, "-") == 0 && json_object_get(reply, "kind"))
        id = fleet_text(reply, "id");
    return strcmp(id, "-") == 0 ? NULL : id;
}

static ks_rc outcome(const json_t *operation)
{
    const char *state = fleet_text(operation, "state");
    const char *code = fleet_text(operation, "error.code");

    if (strcmp(state, "SUCCEEDED") == 0)
        return KS_SUCCESS;
    ENSURE(strcmp(state, "CANCELLED") != 0, KS_E_STATE, "the operation was cancelled");
    enum ks_code means = ks_from_name(code);
    return ks_fail(means == KS_E_BUG ? KS_E_STATE : means, "%s failed: %s",
                   fleet_text(operation, "kind"), fleet_text(operation, "message"));
}

/* Whether it is still at work; asks the control plane, which replies when something has changed or a second has passed. */
static ks_rc look(struct wait *w, json_t **ret, bool *ret_is_running)
{
    CLEANUP(buf_done) struct buf target = buf_init(FLEET_TARGET_BYTES);
    CLEANUP(json_decrefp) json_t *operation = NULL;

    TRY(fleet_target(&target, "operations", w->id));
    TRY(fleet_query(&target, "wait", "1"));
    TRY(fleet_get(w->client, buf_text(&target), &operation));
    *ret_is_running = strcmp(fleet_text(operation, "state"), "RUNNING") == 0;
    json_decref(*ret);
    *ret = TAKE(operation);
    return KS_SUCCESS;
}

/* Until it is over, or end_ms. */
static ks_rc follow(struct wait *w, uint64_t end_ms, json_t **ret)
{
    bool is_running = true;
    uint64_t now_ms;

    do {
        uint64_t asked_ms = clock_boot_ms(clock_system());
        TRY(look(w, ret, &is_running));
        if (is_running)
            show_progress(w, *ret);
        now_ms = clock_boot_ms(clock_system());
        ENSURE(!is_running || now_ms < end_ms, KS_E_BUSY,
               "the operation is not over after the time given; it goes on: keystead operation "
               "wait %s",
               w->id);
        if (is_running && now_ms - asked_ms < ASKED_EVERY_MS / 2)
            clock_sleep_ms(clock_system(), ASKED_EVERY_MS / 2);
    } while (is_running);
    return KS_SUCCESS;
}

ks_rc fleet_wait(const struct cli *cli, struct fleet_client *c, const char *id, json_t **ret)
{
    struct wait w = {.cli = cli, .client = c, .id = id, .progress = progress_begin()};
    uint64_t end_ms = UINT64_MAX;

    if (args_has(cli, OPT_TIMEOUT))
        end_ms = clock_boot_ms(clock_system()) + cli->numbers[OPT_TIMEOUT];
    prepare_interrupt(id);
    ks_rc rc = follow(&w, end_ms, ret);
    progress_clear(&w.progress);
    TRY(rc);
    return outcome(*ret);
}

static void print_operation(const struct cli *cli, const char *id, const char *state)
{
    printf("%s ", cli->command->name);
    output_text(stdout, cli->args[0]);
    printf(": %s", state);
    if (id) {
        printf("\n  operation ");
        output_text(stdout, id);
    }
    putchar('\n');
}

ks_rc fleet_begun(const struct cli *cli, struct fleet_client *c, json_t *reply)
{
    CLEANUP(json_decrefp) json_t *taken = reply;
    CLEANUP(json_decrefp) json_t *ended = NULL;
    const char *id = fleet_operation_of(taken);
    ks_rc rc = KS_SUCCESS;

    if (args_has(cli, OPT_WAIT) && id) {
        rc = fleet_wait(cli, c, id, &ended);
        if (!ks_ok(rc))
            return rc;
    }
    if (cli->is_json)
        return output_json(json_incref(ended ? ended : taken));
    print_operation(cli, id, ended || !id ? "done" : "begun");
    return rc;
}
