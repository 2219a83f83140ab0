/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/report.c - a keyring as JSON.
 */
#include "cli/report.h"

#include <string.h>

#include "cli/output.h"
#include "fuse/keyring_json.h"

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

json_t *report_generations(const struct keyring *k, const struct survey *survey, bool is_whole)
{
    struct counted_generations counted = {NULL, 0, false};

    if (survey)
        counted = (struct counted_generations){survey->generations, survey->generation_count, true};
    return keyring_generations_json(k, &counted, is_whole);
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
        "{s:b, s:{s:s, s:o, s:o, s:o, s:n}, s:{s:n, s:n, s:n}, s:s, s:b, s:s, s:s, s:{s:i, s:I, "
        "s:I, "
        "s:I}, s:n, s:o, "
        "s:o, s:o, "
        "s:o, s:n, s:n, s:i, s:n, s:n}",
        "ok", 1, "volume", "id", id, "label", json_text(k->label), "backing",
        json_text(t->place.backing), "mountpoint",
        t->place.mountpoint ? json_text(t->place.mountpoint) : json_null(), "pid", "keyring",
        "sequence", "sequence_min", "stale", "state", "UNMOUNTED", "revoked", revoked_s != 0,
        "cause", revoked_s ? "REVOKED" : "NONE", "message", "", "lease", "left_ms", 0, "max_ms",
        (json_int_t)k->settings.lease_ms_max, "grace_ms", (json_int_t)k->settings.grace_ms,
        "probe_ms", (json_int_t)k->settings.probe_ms, "last_probe", "wraps", keyring_wraps_json(k),
        "generations", report_generations(k, survey, false), "generations_as_of",
        json_moment(survey ? clock_wall_s(clock_system()) : 0), "next_data_rotation",
        json_moment(next_rotation(k)), "rekey", "transport", "handles", 0, "counters", "receipt");
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
                     json_text(k->label), "organisation", json_text(k->organisation), "cluster",
                     json_text(k->cluster), "region", json_text(k->region), "created",
                     json_moment(k->created_s), "sequence", (json_int_t)k->sequence, "suite",
                     (int)k->suite, "block_payload", (json_int_t)k->block_payload);
}

json_t *report_inspect(const struct keyring *k, int64_t revoked_s, const struct survey *survey)
{
    return json_pack("{s:i, s:o, s:o, s:o, s:{s:I, s:o}, s:o, s:o, s:o}", "format_version",
                     KEYRING_VERSION, "volume", volume_json(k), "revoked", json_moment(revoked_s),
                     "settings", settings_json(&k->settings), "store_key", "id",
                     (json_int_t)k->store_key_id, "created", json_moment(k->store_key_created_s),
                     "wraps", keyring_wraps_json(k), "generations",
                     report_generations(k, survey, true), "survey", survey_json(survey));
}
