/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_volume_rekey.c - keystead volume rekey: brings every block to the newest data key.
 *
 * The process that has the keys does the work: the volume process of a mounted volume, else this one under the
 * volume's lock. Both answer with the same JSON (fuse/rekey_reply.h).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/dashboard.h"
#include "cli/interrupt.h"
#include "cli/offline.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "fuse/control.h"
#include "fuse/rekey_reply.h"

enum { LINE_TIMEOUT_MS = 60000, BYTES_PER_MB = 1000 * 1000 };

static uint64_t number(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

/* ---- the two ways ---- */

static bool on_progress(void *arg, const struct reencrypt_progress *p)
{
    const struct progress_news news = {p->bytes_rewritten, p->bytes_total, p->rate, p->eta_s};

    progress_show(arg, &news, "%s", rekey_phase(p->phase));
    return !interrupt_came();
}

static uint64_t bytes_per_s(const struct cli *cli)
{
    return args_has(cli, OPT_RATE) ? cli->numbers[OPT_RATE] * BYTES_PER_MB : 0;
}

static ks_rc rekey_offline(struct target *t, struct progress *progress, json_t **ret)
{
    CLEANUP(offline_freep) struct volume *volume = NULL;
    CLEANUP(reencrypt_done) struct reencrypt_result result = {0};

    TRY(target_unlock(t));
    TRY(offline_volume(t, &volume));
    const struct reencrypt_conf conf = {
        .backing = t->backing,
        .volume = volume,
        .io = io_posix(),
        .clock = clock_system(),
        .bytes_per_s = bytes_per_s(t->cli),
        .progress = on_progress,
        .arg = progress,
    };
    interrupt_note();
    ks_rc rc = reencrypt_run(&conf, &result);
    if (!interrupt_came())
        TRY(rc);
    *ret = rekey_reply(&result);
    return KS_SUCCESS;
}

static void on_line(void *arg, json_t *line)
{
    const json_t *progress = json_object_get(line, "progress");
    struct progress_news news;

    progress_read(progress, &news);
    progress_show(arg, &news, "%s", dashboard_text(progress, "phase"));
}

static ks_rc rekey_running(struct target *t, struct progress *progress, json_t **ret)
{
    json_t *request = json_pack("{s:s, s:I, s:I}", "op", "rekey", "mb_per_s",
                                (json_int_t)t->cli->numbers[OPT_RATE], "latency_ms",
                                (json_int_t)t->cli->numbers[OPT_LATENCY]);

    ENSURE(request, KS_E_NO_MEMORY, "out of memory while a request was made");
    /* what ends this program ends the volume's work, too */
    interrupt_end("interrupted: what is re-encrypted stays so; start it again to go on\n");
    ks_rc rc = control_call_progress(t->socket, request, LINE_TIMEOUT_MS, on_line, progress, ret);
    json_decref(request);
    return rc;
}

/* ---- the answer ---- */

static ks_rc print_json(const json_t *reply)
{
    return output_json(json_pack(
        "{s:O, s:O, s:O, s:O, s:b}", "bytes_rewritten", json_object_get(reply, "bytes_rewritten"),
        "blocks_damaged", json_object_get(reply, "blocks_damaged"), "destroyed",
        json_object_get(reply, "destroyed"), "kept", json_object_get(reply, "kept"),
        "is_interrupted", (int)interrupt_came()));
}

static void print_generations(const json_t *reply)
{
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(reply, "destroyed"), i, one)
        printf("generation %" PRIu64 ": its key is destroyed; no block needs it\n",
               (uint64_t)json_integer_value(one));
    json_array_foreach(json_object_get(reply, "kept"), i, one)
    {
        printf("generation %" PRIu64 ": kept, %" PRIu64 " blocks left: ", number(one, "generation"),
               number(one, "blocks"));
        output_text(stdout, dashboard_text(one, "because"));
        putchar('\n');
    }
}

static void print_text(const json_t *reply)
{
    char bytes[OUTPUT_BYTES_TEXT];

    output_bytes(number(reply, "bytes_rewritten"), bytes);
    if (interrupt_came()) {
        printf("interrupted: %s re-encrypted; start it again to go on\n", bytes);
        return;
    }
    if (json_array_size(json_object_get(reply, "destroyed")) +
            json_array_size(json_object_get(reply, "kept")) ==
        0) {
        printf("nothing to re-encrypt: there is no older data key; to get a new one: keystead "
               "volume rotate PATH --level data\n");
        return;
    }
    printf("%s re-encrypted\n", bytes);
    print_generations(reply);
}

/* A key that had to be kept is an error, so that nobody takes the old keys for gone. */
static ks_rc check_kept(const struct target *t, const json_t *reply)
{
    const json_t *kept = json_object_get(reply, "kept");
    const char *reason = dashboard_text(json_array_get(kept, 0), "reason");
    bool is_damage = strcmp(reason, "HAS_BLOCKS") == 0 || strcmp(reason, "DAMAGE") == 0;

    ENSURE(json_array_size(kept) == 0, is_damage ? KS_E_CORRUPT : KS_E_BUSY,
           "volume %s: generation %" PRIu64 "%s kept: %s", t->keyring->label,
           number(json_array_get(kept, 0), "generation"),
           json_array_size(kept) > 1 ? " and others are" : " is",
           dashboard_text(json_array_get(kept, 0), "because"));
    return KS_SUCCESS;
}

static void decref(json_t **value)
{
    json_decref(*value);
}

ks_rc cmd_volume_rekey(struct cli *cli)
{
    CLEANUP(target_done) struct target t = {0};
    CLEANUP(decref) json_t *reply = NULL;
    struct progress progress = progress_begin();

    TRY(target_init(cli, cli->args[0], &t));
    ks_rc rc = target_is_running(&t) ? rekey_running(&t, &progress, &reply)
                                     : rekey_offline(&t, &progress, &reply);
    progress_clear(&progress);
    TRY(rc);
    if (cli->is_json)
        TRY(print_json(reply));
    else
        print_text(reply);
    if (interrupt_came()) {
        cli->exit_code = EXIT_INTERRUPTED;
        return KS_SUCCESS;
    }
    return check_kept(&t, reply);
}
