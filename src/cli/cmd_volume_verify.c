/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_volume_verify.c - keystead volume verify: reads and authenticates everything.
 *
 * The process that has the keys does the work: the volume process of a mounted volume, else this one. Both
 * report through the same functions, so that the answer looks the same.
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
#include "cli/target.h"
#include "fuse/control.h"
#include "fuse/keyring_json.h"
#include "volume/survey.h"

enum { DAMAGE_LISTED_MAX = 1000, LINE_TIMEOUT_MS = 60000 };

struct verify {
    struct cli *cli;
    json_t *damaged, *unfinished; /* of a JSON answer */
    uint64_t damage_count, total;
    struct progress progress;
    bool was_mended,
        is_mended; /* of --repair: whether both copies of the keyring were, are whole */
};

/* ---- while it runs ---- */

static void show_progress(struct verify *v, uint64_t seen)
{
    struct progress_news news;

    progress_measure(&v->progress, seen, v->total, &news);
    progress_show(&v->progress, &news, "verifying, %" PRIu64 " damaged", v->damage_count);
}

static bool on_progress(void *arg, uint64_t seen)
{
    show_progress(arg, seen);
    return !interrupt_came();
}

static void on_damage(void *arg, const char *path, uint64_t block, const char *what)
{
    struct verify *v = arg;

    v->damage_count++;
    if (v->cli->is_json) {
        json_t *at = block == UINT64_MAX ? json_null() : json_integer((json_int_t)block);
        json_t *one = json_pack("{s:o, s:o, s:o}", "path", json_text(path), "block", at, "what",
                                json_text(what));
        if (v->damage_count <= DAMAGE_LISTED_MAX)
            json_array_append_new(v->damaged, one);
        else
            json_decref(one);
        return;
    }
    progress_clear(&v->progress);
    printf("damaged: ");
    output_text(stdout, path);
    if (block != UINT64_MAX)
        printf(" block %" PRIu64, block);
    printf(": ");
    output_text(stdout, what);
    putchar('\n');
}

static void on_unfinished(void *arg, const char *path)
{
    struct verify *v = arg;

    if (v->cli->is_json) {
        if (json_array_size(v->unfinished) < DAMAGE_LISTED_MAX)
            json_array_append_new(v->unfinished, json_text(path));
        return;
    }
    progress_clear(&v->progress);
    printf("unfinished: ");
    output_text(stdout, path);
    putchar('\n');
}

/* ---- repair ---- */

/* Without the lock nothing is mended: this is how it was found. */
static ks_rc look_at_keyring(struct verify *v, const struct target *t)
{
    struct backing_conf conf = target_conf(v->cli, t->place.backing);
    struct backing *b;

    TRY(backing_open(&conf, false, &b));
    v->was_mended = backing_is_mended(b);
    backing_close(b);
    return KS_SUCCESS;
}

/* Opening the keys under the lock mends a copy that is old or damaged; that it did is not taken for granted. */
static ks_rc unlock(struct verify *v, struct target *t)
{
    if (!args_has(v->cli, OPT_REPAIR))
        return target_unlock(t);
    TRY(look_at_keyring(v, t));
    TRY(target_unlock(t));
    v->is_mended = backing_is_mended(t->backing);
    ENSURE(v->is_mended, KS_E_IO,
           "a copy of the keyring of %s cannot be written again; the other one is whole",
           t->place.backing);
    return KS_SUCCESS;
}

static void print_repair(const struct verify *v, bool is_all_sound)
{
    if (!args_has(v->cli, OPT_REPAIR))
        return;
    printf(v->was_mended ? "the keyring needed no repair\n"
                         : "a copy of the keyring was old or damaged; both are whole now\n");
    if (!is_all_sound)
        printf("a damaged file is left as it is, because anything else would be a guess: restore "
               "it from a "
               "backup\n");
}

/* ---- the two ways ---- */

static ks_rc count_total(struct verify *v, struct survey_conf conf)
{
    CLEANUP(survey_done) struct survey s = {0};

    conf.volume = NULL;
    conf.damaged = NULL;
    conf.unfinished = NULL;
    conf.progress = NULL;
    TRY(survey_run(&conf, &s));
    v->total = s.bytes_seen;
    return KS_SUCCESS;
}

static ks_rc verify_offline(struct target *t, struct verify *v, struct survey *ret)
{
    CLEANUP(offline_freep) struct volume *volume = NULL;

    TRY(offline_volume(t, &volume));
    struct survey_conf conf = {
        .io = io_posix(),
        .tree = backing_tree(t->backing),
        .long_names = backing_long(t->backing),
        .block_payload = t->keyring->block_payload,
        .volume = volume,
        .damaged = on_damage,
        .unfinished = on_unfinished,
        .progress = on_progress,
        .arg = v,
    };
    memcpy(conf.volume_id, t->keyring->volume_id, sizeof conf.volume_id);
    if (v->progress.is_terminal) /* a walk without keys is fast, and gives the time that is left */
        TRY(count_total(v, conf));
    show_progress(v, 0);
    ks_rc rc = survey_run(&conf, ret);
    return interrupt_came() ? KS_SUCCESS : rc;
}

static void take_reply(const json_t *reply, struct survey *s)
{
    const struct {
        const char *key;
        uint64_t *field;
    } fields[] = {
        {"files", &s->files},
        {"directories", &s->directories},
        {"other", &s->other},
        {"blocks", &s->blocks},
        {"holes", &s->holes},
        {"bytes", &s->bytes_seen},
        {"files_damaged", &s->files_damaged},
        {"blocks_damaged", &s->blocks_damaged},
        {"names_damaged", &s->names_damaged},
        {"targets_damaged", &s->targets_damaged},
        {"attributes_damaged", &s->attributes_damaged},
        {"records_damaged", &s->records_damaged},
        {"files_unfinished", &s->files_unfinished},
    };

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        *fields[i].field = (uint64_t)json_integer_value(json_object_get(reply, fields[i].key));
}

/* A line before the reply: {"progress":{"bytes"}}, {"damaged":{"path","block","what"}} or {"unfinished":{"path"}}. */
static void on_line(void *arg, json_t *line)
{
    const json_t *progress = json_object_get(line, "progress");
    const json_t *damaged = json_object_get(line, "damaged");
    const json_t *unfinished = json_object_get(line, "unfinished");

    if (progress)
        show_progress(arg, (uint64_t)json_integer_value(json_object_get(progress, "bytes")));
    if (damaged) {
        const json_t *block = json_object_get(damaged, "block");
        on_damage(arg, dashboard_text(damaged, "path"),
                  json_is_integer(block) ? (uint64_t)json_integer_value(block) : UINT64_MAX,
                  dashboard_text(damaged, "what"));
    }
    if (unfinished)
        on_unfinished(arg, dashboard_text(unfinished, "path"));
}

/* What the volume process counted last, if it ever did. */
static uint64_t counted_bytes(const json_t *status)
{
    uint64_t total = 0;
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(status, "generations"), i, one) total +=
        (uint64_t)json_integer_value(json_object_get(one, "bytes"));
    return total;
}

static ks_rc verify_running(struct target *t, struct verify *v, struct survey *ret)
{
    json_t *request = json_pack("{s:s}", "op", "verify");
    json_t *reply = NULL;

    ENSURE(request, KS_E_NO_MEMORY, "out of memory while a request was made");
    v->total = counted_bytes(t->status);
    interrupt_end("interrupted\n"); /* what ends this program ends the volume's work, too */
    show_progress(v, 0);
    ks_rc rc = control_call_progress(t->socket, request, LINE_TIMEOUT_MS, on_line, v, &reply);
    json_decref(request);
    TRY(rc);
    take_reply(reply, ret);
    json_decref(reply);
    return KS_SUCCESS;
}

/* ---- the answer ---- */

static ks_rc print_json(const struct verify *v, const struct survey *s)
{
    return output_json(json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:O, s:O, s:b, s:b, "
        "s:b}",
        "files", (json_int_t)s->files, "directories", (json_int_t)s->directories, "other",
        (json_int_t)s->other, "blocks", (json_int_t)s->blocks, "holes", (json_int_t)s->holes,
        "bytes", (json_int_t)s->bytes_seen, "files_damaged", (json_int_t)s->files_damaged,
        "blocks_damaged", (json_int_t)s->blocks_damaged, "names_damaged",
        (json_int_t)s->names_damaged, "targets_damaged", (json_int_t)s->targets_damaged,
        "attributes_damaged", (json_int_t)s->attributes_damaged, "records_damaged",
        (json_int_t)s->records_damaged, "files_unfinished", (json_int_t)s->files_unfinished,
        "damaged", v->damaged, "unfinished", v->unfinished, "is_sound",
        survey_is_sound(s) && !interrupt_came(), "is_interrupted", (int)interrupt_came(),
        "is_keyring_mended", v->is_mended && !v->was_mended));
}

static ks_rc print_answer(const struct verify *v, const struct survey *s)
{
    char bytes[OUTPUT_BYTES_TEXT];

    if (v->cli->is_json)
        return print_json(v, s);
    output_bytes(s->bytes_seen, bytes);
    if (interrupt_came()) {
        printf("interrupted: %" PRIu64 " damaged places were found so far\n", v->damage_count);
        return KS_SUCCESS;
    }
    printf("%" PRIu64 " files, %" PRIu64 " directories, %" PRIu64 " other, %" PRIu64
           " blocks, %s: %s\n",
           s->files, s->directories, s->other, s->blocks, bytes,
           survey_is_sound(s) ? "all sound" : "DAMAGED");
    print_repair(v, survey_is_sound(s));
    if (s->files_unfinished > 0)
        printf("%" PRIu64
               " files were being written when the power failed and were never made durable; they "
               "are no damage. They read as empty, and a data key that their blocks name is kept: "
               "write or remove them, or restore one that was durable from a backup\n",
               s->files_unfinished);
    return KS_SUCCESS;
}

static void decref(json_t **value)
{
    json_decref(*value);
}

ks_rc cmd_volume_verify(struct cli *cli)
{
    CLEANUP(target_done) struct target t = {0};
    CLEANUP(survey_done) struct survey survey = {0};
    CLEANUP(decref) json_t *damaged = json_array();
    CLEANUP(decref) json_t *unfinished = json_array();
    struct verify v = {
        .cli = cli, .damaged = damaged, .unfinished = unfinished, .progress = progress_begin()};

    TRY(target_init(cli, cli->args[0], &t));
    ENSURE(!args_has(cli, OPT_REPAIR) || !target_is_running(&t), KS_E_BUSY,
           "%s is mounted: unmount it before it is repaired", cli->args[0]);
    ks_rc rc;
    if (target_is_running(&t)) {
        rc = verify_running(&t, &v, &survey);
    } else {
        TRY(unlock(&v, &t));
        interrupt_note();
        rc = verify_offline(&t, &v, &survey);
    }
    progress_clear(&v.progress);
    TRY(rc);
    TRY(print_answer(&v, &survey));
    if (interrupt_came()) {
        cli->exit_code = EXIT_INTERRUPTED;
        return KS_SUCCESS;
    }
    ENSURE(survey_is_sound(&survey), KS_E_CORRUPT,
           "volume %s is damaged: %" PRIu64 " files, %" PRIu64 " blocks, %" PRIu64
           " names, %" PRIu64 " symlink targets, %" PRIu64 " attributes, %" PRIu64
           " records of long names",
           t.keyring->label, survey.files_damaged, survey.blocks_damaged, survey.names_damaged,
           survey.targets_damaged, survey.attributes_damaged, survey.records_damaged);
    return KS_SUCCESS;
}
