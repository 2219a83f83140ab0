/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/report.c - a keyring as JSON.
 */
#include "cli/report.h"

#include <string.h>

#include "cli/output.h"

ks_rc report_count(struct backing *b, const struct keyring *k, struct survey *ret)
{
    struct survey_conf conf = {
        .io = io_posix(),
        .tree = backing_tree(b),
        .long_names = backing_long(b),
        .block_payload = k->block_payload,
    };

    memcpy(conf.volume_id, k->volume_id, sizeof conf.volume_id);
    return survey_run(&conf, ret);
}

static const char *wrap_state(enum keyring_wrap_state state)
{
    switch (state) {
    case WRAP_ACTIVE:
        return "ACTIVE";
    case WRAP_RETIRED:
        return "RETIRED";
    }
    return "?";
}

static const char *data_key_state(enum keyring_data_key_state state)
{
    switch (state) {
    case DATA_KEY_NEWEST:
        return "NEWEST";
    case DATA_KEY_OLDER:
        return "OLDER";
    case DATA_KEY_DESTROYED:
        return "DESTROYED";
    }
    return "?";
}

/* Appends one, or drops the whole array: a short list must not look like a whole one. */
static json_t *append(json_t *array, json_t *one)
{
    if (!array || json_array_append_new(array, one) == 0)
        return array;
    json_decref(array);
    return NULL;
}

json_t *report_wraps(const struct keyring *k)
{
    json_t *array = json_array();

    for (size_t i = 0; array && i < k->wrap_count; i++) {
        const struct keyring_wrap *w = &k->wraps[i];
        array = append(array,
                       json_pack("{s:I, s:s, s:s, s:o, s:o, s:s, s:o, s:o}", "id",
                                 (json_int_t)w->id, "state", wrap_state(w->state), "type",
                                 w->spec.type, "uri", output_string(w->spec.uri), "auth_principal",
                                 output_string(w->spec.auth_principal), "key_version",
                                 w->key_version, "created", output_time(w->created_s), "retired",
                                 output_time(w->retired_s)));
    }
    return array;
}

static json_t *generation_bytes(const struct survey *survey, uint32_t generation)
{
    if (!survey)
        return json_null();
    for (size_t i = 0; i < survey->generation_count; i++)
        if (survey->generations[i].generation == generation)
            return json_integer((json_int_t)survey->generations[i].bytes);
    return json_integer(0);
}

json_t *report_generations(const struct keyring *k, const struct survey *survey, bool is_whole)
{
    json_t *array = json_array();

    for (size_t i = 0; array && i < k->data_key_count; i++) {
        const struct keyring_data_key *key = &k->data_keys[i];
        json_t *one =
            json_pack("{s:I, s:s, s:o, s:o}", "generation", (json_int_t)key->generation, "state",
                      data_key_state(key->state), "created", output_time(key->created_s), "bytes",
                      generation_bytes(survey, key->generation));
        if (one && is_whole &&
            (json_object_set_new(one, "retired", output_time(key->retired_s)) != 0 ||
             json_object_set_new(one, "destroyed", output_time(key->destroyed_s)) != 0)) {
            json_decref(one);
            one = NULL;
        }
        array = append(array, one);
    }
    return array;
}

static int64_t next_rotation(const struct keyring *k)
{
    if (k->settings.data_rotation_s == 0 || k->data_key_count == 0)
        return 0;
    return k->data_keys[k->data_key_count - 1].created_s + k->settings.data_rotation_s;
}

json_t *report_status(const struct target *t, int64_t revoked_s, const struct survey *survey)
{
    const struct keyring *k = t->keyring;
    char id[TARGET_ID_BYTES];

    target_id(k, id);
    return json_pack(
        "{s:b, s:{s:s, s:o, s:o, s:o, s:n}, s:s, s:b, s:{s:i, s:I, s:I, s:I}, s:n, s:o, s:o, s:o, "
        "s:o, s:n, s:i, s:n, s:n}",
        "ok", 1, "volume", "id", id, "label", output_string(k->label), "backing",
        output_string(t->place.backing), "mountpoint",
        t->place.mountpoint ? output_string(t->place.mountpoint) : json_null(), "pid", "state",
        "UNMOUNTED", "revoked", revoked_s != 0, "lease", "left_ms", 0, "max_ms",
        (json_int_t)k->settings.lease_ms_max, "grace_ms", (json_int_t)k->settings.grace_ms,
        "probe_ms", (json_int_t)k->settings.probe_ms, "last_probe", "wraps", report_wraps(k),
        "generations", report_generations(k, survey, false), "generations_as_of",
        output_time(survey ? clock_wall_s(clock_system()) : 0), "next_data_rotation",
        output_time(next_rotation(k)), "rekey", "handles", 0, "counters", "receipt");
}

static json_t *survey_json(const struct survey *s)
{
    if (!s)
        return json_null();
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "files", (json_int_t)s->files, "directories",
                     (json_int_t)s->directories, "other", (json_int_t)s->other, "blocks",
                     (json_int_t)s->blocks, "holes", (json_int_t)s->holes, "bytes",
                     (json_int_t)s->bytes_seen);
}

static json_t *settings_json(const struct keyring_settings *s)
{
    return json_pack("{s:I, s:I, s:I, s:I}", "lease_ms_max", (json_int_t)s->lease_ms_max,
                     "probe_ms", (json_int_t)s->probe_ms, "grace_ms", (json_int_t)s->grace_ms,
                     "data_rotation_s", (json_int_t)s->data_rotation_s);
}

static json_t *volume_json(const struct keyring *k)
{
    char id[TARGET_ID_BYTES];

    target_id(k, id);
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:i, s:I}", "id", id, "label",
                     output_string(k->label), "organisation", output_string(k->organisation),
                     "cluster", output_string(k->cluster), "region", output_string(k->region),
                     "created", output_time(k->created_s), "sequence", (json_int_t)k->sequence,
                     "suite", (int)k->suite, "block_payload", (json_int_t)k->block_payload);
}

json_t *report_inspect(const struct keyring *k, int64_t revoked_s, const struct survey *survey)
{
    return json_pack("{s:i, s:o, s:o, s:o, s:{s:I, s:o}, s:o, s:o, s:o}", "format_version",
                     KEYRING_VERSION, "volume", volume_json(k), "revoked", output_time(revoked_s),
                     "settings", settings_json(&k->settings), "store_key", "id",
                     (json_int_t)k->store_key_id, "created", output_time(k->store_key_created_s),
                     "wraps", report_wraps(k), "generations", report_generations(k, survey, true),
                     "survey", survey_json(survey));
}
