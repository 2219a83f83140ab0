/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/json.c - jansson with bounds.
 */
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Documents carry keys as base64; nothing of them stays behind in freed memory. Before main, because values are made
 * before any is read. */
__attribute__((constructor)) static void use_wiping_memory(void)
{
    json_set_alloc_funcs(mem_wiped_new, mem_wiped_free);
}

/* jansson has a limit of its own (2048), far above what its callers here can bear. */
static ks_rc check_depth(struct view text, unsigned depth_max, const char *what)
{
    unsigned depth = 0;
    bool is_string = false;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.bytes[i];
        if (is_string && c == '\\')
            i++;
        else if (c == '"')
            is_string = !is_string;
        else if (!is_string && (c == '{' || c == '['))
            depth++;
        else if (!is_string && (c == '}' || c == ']') && depth > 0)
            depth--;
        ENSURE(depth <= depth_max, KS_E_LIMIT, "%s: nested deeper than %u", what, depth_max);
    }
    return KS_SUCCESS;
}

ks_rc json_read(struct view text, struct json_limits limits, const char *what, json_t **ret)
{
    json_error_t error;

    ENSURE(text.len <= limits.bytes_max, KS_E_LIMIT, "%s: longer than %zu bytes", what,
           limits.bytes_max);
    TRY(check_depth(text, limits.depth_max, what));
    json_t *value = json_loadb((const char *)text.bytes, text.len,
                               JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    ENSURE(value, KS_E_USAGE, "%s: no valid JSON at line %d, column %d", what, error.line,
           error.column);
    *ret = value;
    return KS_SUCCESS;
}

static int append(const char *bytes, size_t len, void *arg)
{
    struct buf *b = arg;

    return ks_ok(buf_append(b, view_of(bytes, len))) ? 0 : -1;
}

ks_rc json_write(const json_t *value, bool is_sorted, struct buf *ret)
{
    size_t before = ret->len;
    size_t flags = JSON_COMPACT | JSON_ENCODE_ANY | (is_sorted ? JSON_SORT_KEYS : 0);

    if (json_dump_callback(value, append, ret, flags) == 0)
        return KS_SUCCESS;
    ret->len = before;
    return ks_fail(KS_E_LIMIT, "the JSON text is too long or memory is short");
}

static const char *type_name(json_type type)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object",    [JSON_ARRAY] = "an array", [JSON_STRING] = "a string",
        [JSON_INTEGER] = "an integer",  [JSON_REAL] = "a number",  [JSON_TRUE] = "true or false",
        [JSON_FALSE] = "true or false", [JSON_NULL] = "null"};

    return names[type];
}

/* NULL when it is absent. */
static json_t *find(const json_t *object, const char *name)
{
    json_t *value = object ? json_object_get(object, name) : NULL;

    return value && !json_is_null(value) ? value : NULL;
}

static ks_rc missing(const char *name)
{
    return ks_fail(KS_E_USAGE, "\"%s\" is missing", name);
}

static ks_rc wrong(const char *name, json_type wanted)
{
    return ks_fail(KS_E_USAGE, "\"%s\" must be %s", name, type_name(wanted));
}

ks_rc json_may_text(const json_t *object, const char *name, size_t len_max, const char **ret)
{
    const json_t *value = find(object, name);

    if (!value)
        return KS_SUCCESS;
    if (!json_is_string(value))
        return wrong(name, JSON_STRING);
    ENSURE(json_string_length(value) <= len_max, KS_E_USAGE, "\"%s\" is longer than %zu bytes",
           name, len_max);
    *ret = json_string_value(value);
    return KS_SUCCESS;
}

ks_rc json_get_text(const json_t *object, const char *name, size_t len_max, const char **ret)
{
    return find(object, name) ? json_may_text(object, name, len_max, ret) : missing(name);
}

/* A string of digits with an optional sign. */
static bool parse_digits(const char *text, int64_t *ret)
{
    char *end;

    if (text[0] == '\0' || !strchr("-0123456789", text[0]))
        return false;
    errno = 0;
    *ret = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0';
}

ks_rc json_may_int(const json_t *object, const char *name, int64_t min, int64_t max, int64_t *ret)
{
    const json_t *value = find(object, name);
    int64_t number = 0;

    if (!value)
        return KS_SUCCESS;
    if (json_is_integer(value))
        number = json_integer_value(value);
    else if (!json_is_string(value) || !parse_digits(json_string_value(value), &number))
        return wrong(name, JSON_INTEGER);
    ENSURE(number >= min && number <= max, KS_E_USAGE, "\"%s\" must be from %lld to %lld", name,
           (long long)min, (long long)max);
    *ret = number;
    return KS_SUCCESS;
}

ks_rc json_get_int(const json_t *object, const char *name, int64_t min, int64_t max, int64_t *ret)
{
    return find(object, name) ? json_may_int(object, name, min, max, ret) : missing(name);
}

ks_rc json_may_bool(const json_t *object, const char *name, bool *ret)
{
    const json_t *value = find(object, name);

    if (!value)
        return KS_SUCCESS;
    if (!json_is_boolean(value))
        return wrong(name, JSON_TRUE);
    *ret = json_is_true(value);
    return KS_SUCCESS;
}

ks_rc json_may_object(const json_t *object, const char *name, json_t **ret)
{
    json_t *value = find(object, name);

    if (!value)
        return KS_SUCCESS;
    if (!json_is_object(value))
        return wrong(name, JSON_OBJECT);
    *ret = value;
    return KS_SUCCESS;
}

ks_rc json_get_object(const json_t *object, const char *name, json_t **ret)
{
    return find(object, name) ? json_may_object(object, name, ret) : missing(name);
}

ks_rc json_may_array(const json_t *object, const char *name, size_t count_max, json_t **ret)
{
    json_t *value = find(object, name);

    if (!value)
        return KS_SUCCESS;
    if (!json_is_array(value))
        return wrong(name, JSON_ARRAY);
    ENSURE(json_array_size(value) <= count_max, KS_E_USAGE, "\"%s\" has more than %zu members",
           name, count_max);
    *ret = value;
    return KS_SUCCESS;
}

ks_rc json_get_array(const json_t *object, const char *name, size_t count_max, json_t **ret)
{
    return find(object, name) ? json_may_array(object, name, count_max, ret) : missing(name);
}
