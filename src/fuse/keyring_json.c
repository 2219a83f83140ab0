/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/keyring_json.c - what a keyring says, as JSON. Holds nothing secret.
 */
#include "fuse/keyring_json.h"

#include <stdio.h>

#include "base/clock.h"

enum { TEXT_BYTES = 4096 };

json_t *json_text(const char *text)
{
    json_t *exact = json_string(text);
    char ascii[TEXT_BYTES];

    if (exact)
        return exact;
    snprintf(ascii, sizeof ascii, "%s", text);
    for (char *at = ascii; *at; at++)
        if ((unsigned char)*at > 127)
            *at = '?';
    return json_string(ascii);
}

json_t *json_moment(int64_t wall_s)
{
    char text[CLOCK_TEXT_BYTES];

    if (wall_s == 0)
        return json_null();
    clock_format(wall_s, text);
    return json_string(text);
}

static const char *wrap_state(enum keyring_wrap_state state)
{
    switch (state) {
    case KEYRING_WRAP_ACTIVE:
        return "ACTIVE";
    case KEYRING_WRAP_RETIRED:
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

json_t *keyring_wraps_json(const struct keyring *k)
{
    json_t *array = json_array();

    for (size_t i = 0; array && i < k->wrap_count; i++) {
        const struct keyring_wrap *w = &k->wraps[i];
        array =
            append(array, json_pack("{s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "id",
                                    (json_int_t)w->id, "state", wrap_state(w->state), "type",
                                    w->spec.type, "uri", json_text(w->spec.uri), "auth_principal",
                                    json_text(w->spec.auth_principal), "key_version",
                                    json_text(w->key_version), "created", json_moment(w->created_s),
                                    "retired", json_moment(w->retired_s)));
    }
    return array;
}

static json_t *bytes_under(const struct counted_generations *counted, uint32_t generation)
{
    if (!counted->is_counted)
        return json_null();
    for (size_t i = 0; i < counted->count; i++)
        if (counted->counts[i].generation == generation)
            return json_integer((json_int_t)counted->counts[i].bytes);
    return json_integer(0);
}

static json_t *generation_json(const struct keyring_data_key *d,
                               const struct counted_generations *counted, bool is_whole)
{
    json_t *one = json_pack("{s:I, s:s, s:o, s:o}", "generation", (json_int_t)d->generation,
                            "state", data_key_state(d->state), "created", json_moment(d->created_s),
                            "bytes", bytes_under(counted, d->generation));

    if (!one || !is_whole)
        return one;
    if (json_object_set_new(one, "retired", json_moment(d->retired_s)) == 0 &&
        json_object_set_new(one, "destroyed", json_moment(d->destroyed_s)) == 0)
        return one;
    json_decref(one);
    return NULL;
}

json_t *keyring_generations_json(const struct keyring *k, const struct counted_generations *counted,
                                 bool is_whole)
{
    json_t *array = json_array();

    for (size_t i = 0; array && i < k->data_key_count; i++)
        array = append(array, generation_json(&k->data_keys[i], counted, is_whole));
    return array;
}
