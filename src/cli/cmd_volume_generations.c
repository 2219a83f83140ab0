/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_volume_generations.c - keystead volume generations: what still needs which key.
 *
 * Counts by itself, without any key, beside a mount or not: each block says in clear which generation sealed it,
 * and the keyring says which customer key versions can open the volume. Changes nothing.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/dashboard.h"
#include "cli/output.h"
#include "cli/report.h"
#include "fuse/keyring_json.h"

enum { BECAUSE_BYTES = 320 };

static void decref(json_t **value)
{
    json_decref(*value);
}

/* ---- answers ---- */

/* {"answer": bool, "because": text} */
static json_t *answer(bool is_safe, const char *fmt, ...) KS_PRINTF(2, 3);
static json_t *answer(bool is_safe, const char *fmt, ...)
{
    char because[BECAUSE_BYTES];
    va_list args;

    va_start(args, fmt);
    vsnprintf(because, sizeof because, fmt, args);
    va_end(args);
    return json_pack("{s:b, s:o}", "answer", (int)is_safe, "because", json_text(because));
}

static uint64_t blocks_of(const struct survey *s, uint32_t generation)
{
    for (size_t i = 0; i < s->generation_count; i++)
        if (s->generations[i].generation == generation)
            return s->generations[i].blocks;
    return 0;
}

static json_t *answer_older(const struct survey *s, uint64_t blocks)
{
    if (blocks > 0)
        return answer(false, "%" PRIu64 " block%s; keystead volume rekey rewrites what needs it",
                      blocks, blocks == 1 ? " needs it" : "s need it");
    if (s->files_damaged > 0 || s->blocks_damaged > 0)
        return answer(false,
                      "no sound block needs it, but %" PRIu64 " blocks and %" PRIu64
                      " files are damaged and may; see keystead volume verify",
                      s->blocks_damaged, s->files_damaged);
    return answer(true, "no block needs it; keystead volume rekey looks again and destroys it");
}

static json_t *answer_data_key(const struct survey *s, const struct keyring_data_key *key)
{
    uint64_t blocks = blocks_of(s, key->generation);

    switch (key->state) {
    case DATA_KEY_NEWEST:
        return answer(false, "all writes use it");
    case DATA_KEY_OLDER:
        return answer_older(s, blocks);
    case DATA_KEY_DESTROYED:
        if (blocks > 0)
            return answer(
                true, "it is destroyed; %" PRIu64 " blocks that name it cannot be read any more",
                blocks);
        return answer(true, "it is destroyed already");
    }
    return json_null();
}

static bool is_same_key(const struct keyring_wrap *a, const struct keyring_wrap *b)
{
    return key_spec_is_same(&a->spec, &b->spec) && strcmp(a->key_version, b->key_version) == 0;
}

/* A retired wrap holds nothing any more, but another one may be under the same version of the same key. */
static json_t *answer_key(const struct keyring *k, const struct keyring_wrap *w)
{
    const struct keyring_wrap *active = NULL, *last = w;
    char retired[CLOCK_TEXT_BYTES];

    for (size_t i = 0; i < k->wrap_count; i++) {
        const struct keyring_wrap *other = &k->wraps[i];
        if (!is_same_key(other, w))
            continue;
        if (other->state == KEYRING_WRAP_ACTIVE)
            active = other;
        if (other->retired_s > last->retired_s)
            last = other;
    }
    if (active && keyring_active_count(k) == 1)
        return answer(false, "wrap %" PRIu32 " is under it, and nothing else opens the volume",
                      active->id);
    if (active)
        return answer(false,
                      "wrap %" PRIu32
                      " is under it: rotate or remove that one first; the volume has "
                      "others that open it",
                      active->id);
    clock_format(last->retired_s, retired);
    return answer(true, "no wrap is under it; only copies of the keyring from before %s need it",
                  retired);
}

/* ---- the report ---- */

/* Appends one, or drops the whole array: a short list must not look like a whole one. */
static void append(json_t **array, json_t *one)
{
    if (*array && one && json_array_append_new(*array, one) == 0)
        return;
    json_decref(*array);
    *array = NULL;
}

static json_t *report_data_keys(const struct keyring *k, const struct survey *s)
{
    json_t *array = report_generations(k, s, true);

    for (size_t i = 0; array && i < k->data_key_count; i++) {
        const struct keyring_data_key *key = &k->data_keys[i];
        json_t *one = json_array_get(array, i);
        json_t *more = json_pack("{s:I, s:o}", "blocks", (json_int_t)blocks_of(s, key->generation),
                                 "safe_to_delete", answer_data_key(s, key));
        if (!more || json_object_update(one, more) != 0)
            array = (json_decref(array), NULL);
        json_decref(more);
    }
    return array;
}

static json_t *wraps_under(const struct keyring *k, const struct keyring_wrap *w)
{
    json_t *ids = json_array();

    for (size_t i = 0; i < k->wrap_count; i++)
        if (is_same_key(&k->wraps[i], w))
            append(&ids, json_integer((json_int_t)k->wraps[i].id));
    return ids;
}

static bool is_first_of_its_key(const struct keyring *k, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_same_key(&k->wraps[i], &k->wraps[n]))
            return false;
    return true;
}

static json_t *report_keys(const struct keyring *k)
{
    json_t *array = json_array();

    for (size_t i = 0; i < k->wrap_count; i++) {
        const struct keyring_wrap *w = &k->wraps[i];
        if (is_first_of_its_key(k, i))
            append(&array,
                   json_pack("{s:s, s:o, s:o, s:o, s:o}", "type", w->spec.type, "uri",
                             json_text(w->spec.uri), "key_version", json_text(w->key_version),
                             "wraps", wraps_under(k, w), "safe_to_delete", answer_key(k, w)));
    }
    return array;
}

static json_t *report(const struct keyring *k, const struct survey *s)
{
    char id[TARGET_ID_BYTES];

    target_id(k, id);
    return json_pack("{s:{s:s, s:o}, s:o, s:o, s:{s:I, s:I}}", "volume", "id", id, "label",
                     json_text(k->label), "generations", report_data_keys(k, s), "keys",
                     report_keys(k), "damaged", "files", (json_int_t)s->files_damaged, "blocks",
                     (json_int_t)s->blocks_damaged);
}

/* ---- for people ---- */

static const char *safe_text(const json_t *one, char out[BECAUSE_BYTES + 8])
{
    const json_t *safe = json_object_get(one, "safe_to_delete");

    snprintf(out, BECAUSE_BYTES + 8, "%s: %s",
             json_is_true(json_object_get(safe, "answer")) ? "yes" : "no",
             dashboard_text(safe, "because"));
    return out;
}

static uint64_t number(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

static ks_rc print_data_keys(const json_t *generations)
{
    CLEANUP(table_freep) struct table *table = NULL;
    char safe[BECAUSE_BYTES + 8], bytes[OUTPUT_BYTES_TEXT];
    const json_t *g;
    size_t i;

    TRY(table_new(">GENERATION|STATE|>BLOCKS|>BYTES|CREATED|DESTROYED|SAFE TO DELETE", &table));
    json_array_foreach(generations, i, g)
    {
        output_bytes(number(g, "bytes"), bytes);
        table_add(table, "%" PRIu64, number(g, "generation"));
        table_add(table, "%s", dashboard_text(g, "state"));
        table_add(table, "%" PRIu64, number(g, "blocks"));
        table_add(table, "%s", bytes);
        table_add(table, "%s", dashboard_text(g, "created"));
        table_add(table, "%s", dashboard_text(g, "destroyed"));
        table_add(table, "%s", safe_text(g, safe));
    }
    return table_print(table, 2);
}

static void wrap_list(const json_t *ids, char out[128])
{
    const json_t *id;
    size_t i, used = 0;

    out[0] = '\0';
    json_array_foreach(ids, i, id)
    {
        int n = snprintf(out + used, 128 - used, "%s%" PRIu64, i ? "," : "",
                         (uint64_t)json_integer_value(id));
        used = used + (size_t)n < 127 ? used + (size_t)n : 127;
    }
}

static ks_rc print_keys(const json_t *keys)
{
    CLEANUP(table_freep) struct table *table = NULL;
    char safe[BECAUSE_BYTES + 8], wraps[128];
    const json_t *key;
    size_t i;

    TRY(table_new("TYPE|KEY|VERSION|WRAPS|SAFE TO DELETE", &table));
    json_array_foreach(keys, i, key)
    {
        wrap_list(json_object_get(key, "wraps"), wraps);
        table_add(table, "%s", dashboard_text(key, "type"));
        table_add(table, "%s", dashboard_text(key, "uri"));
        table_add(table, "%s", dashboard_text(key, "key_version"));
        table_add(table, "%s", wraps);
        table_add(table, "%s", safe_text(key, safe));
    }
    return table_print(table, 2);
}

static ks_rc print_report(const json_t *all)
{
    printf("volume ");
    output_text(stdout, dashboard_text(json_object_get(all, "volume"), "label"));
    printf("\n\n");
    TRY(print_data_keys(json_object_get(all, "generations")));
    printf("\n");
    return print_keys(json_object_get(all, "keys"));
}

ks_rc cmd_volume_generations(struct cli *cli)
{
    CLEANUP(place_done) struct place place = {NULL, NULL};
    CLEANUP(backing_closep) struct backing *b = NULL;
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    CLEANUP(survey_done) struct survey survey = {0};
    CLEANUP(decref) json_t *all = NULL;

    TRY(resolve_place(cli->args[0], &place));
    struct backing_conf conf = target_conf(cli, place.backing);
    TRY(backing_open(&conf, false, &b));
    TRY(backing_keyring(b, &k));
    TRY(report_count(b, k, &survey));
    all = report(k, &survey);
    ENSURE(all, KS_E_NO_MEMORY, "out of memory while the report was made");
    return cli->is_json ? output_json(json_incref(all)) : print_report(all);
}
