/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/yaml.c - from libyaml's events to values, one level of the document in one call.
 *
 * Recursion is bounded by the caller's depth. Whatever could mean two things to two readers is refused, never guessed.
 */
#include "base/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/mem.h"

struct reading {
    yaml_parser_t parser;
    struct json_limits limits;
    const char *what;
    unsigned depth;
};

static void done(struct reading *r)
{
    yaml_parser_delete(&r->parser);
}

static void json_drop(json_t **p)
{
    json_decref(*p);
}

/* ---- errors ---- */

static ks_rc refuse(const struct reading *r, yaml_mark_t at, const char *why)
{
    return ks_fail(KS_E_USAGE, "%s: line %zu, column %zu: %s", r->what, at.line + 1, at.column + 1,
                   why);
}

/* libyaml's own words are fixed texts: they quote nothing. */
static ks_rc refuse_syntax(const struct reading *r)
{
    const yaml_parser_t *p = &r->parser;

    if (p->error == YAML_MEMORY_ERROR)
        return ks_fail(KS_E_NO_MEMORY, "%s: no memory to read it", r->what);
    if (p->error == YAML_READER_ERROR)
        return ks_fail(KS_E_USAGE, "%s: byte %zu: %s", r->what, p->problem_offset,
                       p->problem ? p->problem : "no UTF-8");
    return refuse(r, p->problem_mark, p->problem ? p->problem : "no valid YAML");
}

static ks_rc no_memory(const struct reading *r)
{
    return ks_fail(KS_E_NO_MEMORY, "%s: no memory to read it", r->what);
}

/* ---- scalars ---- */

enum kind { KIND_TEXT, KIND_NULL, KIND_TRUE, KIND_FALSE };

static const struct {
    const char *text;
    enum kind kind;
} words[] = {
    {"", KIND_NULL},       {"~", KIND_NULL},      {"null", KIND_NULL},   {"Null", KIND_NULL},
    {"NULL", KIND_NULL},   {"true", KIND_TRUE},   {"True", KIND_TRUE},   {"TRUE", KIND_TRUE},
    {"false", KIND_FALSE}, {"False", KIND_FALSE}, {"FALSE", KIND_FALSE},
};

static const char *const float_words[] = {".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf", "+.INF",
                                          "-.inf", "-.Inf", "-.INF", ".nan",  ".NaN",  ".NAN"};

static bool is_integer(const char *text)
{
    const char *digits = text + (*text == '-');
    size_t count = strspn(digits, "0123456789");

    return count > 0 && digits[count] == 0 && (count == 1 || digits[0] != '0');
}

/* The exponent of a number, or nothing. */
static bool is_exponent(const char *text)
{
    if (*text != 'e' && *text != 'E')
        return *text == 0;
    text++;
    text += *text == '-' || *text == '+';
    size_t count = strspn(text, "0123456789");
    return count > 0 && text[count] == 0;
}

/* What the core schema, or YAML 1.1 before it, calls a number: with a sign, a point, an exponent, another base, leading zeros. */
static bool is_numeric(const char *text)
{
    static const char *const digits[] = {"01234567", "0123456789abcdefABCDEF"};

    for (size_t i = 0; i < sizeof float_words / sizeof *float_words; i++)
        if (strcmp(text, float_words[i]) == 0)
            return true;
    text += *text == '-' || *text == '+';
    if (text[0] == '0' && (text[1] == 'o' || text[1] == 'x')) {
        size_t count = strspn(text + 2, digits[text[1] == 'x']);
        return count > 0 && text[2 + count] == 0;
    }
    size_t whole = strspn(text, "0123456789");
    text += whole;
    size_t part = *text == '.' ? strspn(text + 1, "0123456789") : 0;
    bool has_point = *text == '.';
    text += has_point ? part + 1 : 0;
    return whole + part > 0 && is_exponent(text);
}

static ks_rc plain_value(const struct reading *r, const yaml_event_t *e, json_t **ret)
{
    const char *text = (const char *)e->data.scalar.value;

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i].text) == 0) {
            *ret =
                words[i].kind == KIND_NULL ? json_null() : json_boolean(words[i].kind == KIND_TRUE);
            return KS_SUCCESS;
        }
    if (is_integer(text)) {
        errno = 0;
        long long number = strtoll(text, NULL, 10);
        if (errno != 0)
            return refuse(r, e->start_mark, "a number beyond 64 bits; a text is put in quotes");
        *ret = json_integer(number);
        return *ret ? KS_SUCCESS : no_memory(r);
    }
    if (is_numeric(text))
        return refuse(r, e->start_mark,
                      "a number of a form that is read in several ways; a text is put in quotes");
    *ret = json_string(text);
    return *ret ? KS_SUCCESS : no_memory(r);
}

static ks_rc check_properties(const struct reading *r, const yaml_event_t *e, const void *anchor,
                              const void *tag)
{
    if (anchor)
        return refuse(r, e->start_mark, "anchors are not supported");
    if (tag)
        return refuse(r, e->start_mark, "tags are not supported");
    return KS_SUCCESS;
}

static ks_rc check_scalar(const struct reading *r, const yaml_event_t *e)
{
    TRY(check_properties(r, e, e->data.scalar.anchor, e->data.scalar.tag));
    if (memchr(e->data.scalar.value, 0, e->data.scalar.length))
        return refuse(r, e->start_mark, "a text with a NUL character");
    return KS_SUCCESS;
}

static ks_rc scalar_value(const struct reading *r, const yaml_event_t *e, json_t **ret)
{
    TRY(check_scalar(r, e));
    if (e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        return plain_value(r, e, ret);
    *ret = json_string((const char *)e->data.scalar.value);
    return *ret ? KS_SUCCESS : no_memory(r);
}

/* ---- structure ---- */

static ks_rc next_event(struct reading *r, yaml_event_t *ret)
{
    return yaml_parser_parse(&r->parser, ret) == 1 ? KS_SUCCESS : refuse_syntax(r);
}

static ks_rc read_value(struct reading *r, const yaml_event_t *first, json_t **ret);

static ks_rc read_items(struct reading *r, json_t *array)
{
    for (;;) {
        CLEANUP(yaml_event_delete) yaml_event_t e = {0};
        json_t *item = NULL;
        TRY(next_event(r, &e));
        if (e.type == YAML_SEQUENCE_END_EVENT)
            return KS_SUCCESS;
        TRY(read_value(r, &e, &item));
        if (json_array_append_new(array, item) != 0)
            return no_memory(r);
    }
}

static ks_rc read_member(struct reading *r, const yaml_event_t *name, json_t *object)
{
    CLEANUP(yaml_event_delete) yaml_event_t e = {0};
    json_t *value = NULL;

    if (name->type != YAML_SCALAR_EVENT)
        return refuse(r, name->start_mark, "the name of a member must be a text");
    TRY(check_scalar(r, name));
    const char *text = (const char *)name->data.scalar.value;
    if (json_object_get(object, text))
        return refuse(r, name->start_mark, "a member of this name was there before");
    TRY(next_event(r, &e));
    TRY(read_value(r, &e, &value));
    return json_object_set_new(object, text, value) == 0 ? KS_SUCCESS : no_memory(r);
}

static ks_rc read_members(struct reading *r, json_t *object)
{
    for (;;) {
        CLEANUP(yaml_event_delete) yaml_event_t e = {0};
        TRY(next_event(r, &e));
        if (e.type == YAML_MAPPING_END_EVENT)
            return KS_SUCCESS;
        TRY(read_member(r, &e, object));
    }
}

static ks_rc read_collection(struct reading *r, const yaml_event_t *first, json_t **ret)
{
    bool is_mapping = first->type == YAML_MAPPING_START_EVENT;
    CLEANUP(json_drop) json_t *value = is_mapping ? json_object() : json_array();

    if (!value)
        return no_memory(r);
    TRY(check_properties(
        r, first, is_mapping ? first->data.mapping_start.anchor : first->data.sequence_start.anchor,
        is_mapping ? first->data.mapping_start.tag : first->data.sequence_start.tag));
    ENSURE(++r->depth <= r->limits.depth_max, KS_E_LIMIT, "%s: nested deeper than %u", r->what,
           r->limits.depth_max);
    TRY(is_mapping ? read_members(r, value) : read_items(r, value));
    r->depth--;
    *ret = TAKE(value);
    return KS_SUCCESS;
}

static ks_rc read_value(struct reading *r, const yaml_event_t *first, json_t **ret)
{
    if (first->type == YAML_SCALAR_EVENT)
        return scalar_value(r, first, ret);
    if (first->type == YAML_ALIAS_EVENT)
        return refuse(r, first->start_mark, "aliases are not supported");
    return read_collection(r, first, ret);
}

/* The event must be the only one of its kind that can come here. */
static ks_rc expect(struct reading *r, yaml_event_type_t type, const char *why)
{
    CLEANUP(yaml_event_delete) yaml_event_t e = {0};

    TRY(next_event(r, &e));
    return e.type == type ? KS_SUCCESS : refuse(r, e.start_mark, why);
}

static ks_rc read_document_start(struct reading *r)
{
    CLEANUP(yaml_event_delete) yaml_event_t e = {0};

    TRY(next_event(r, &e));
    ENSURE(e.type == YAML_DOCUMENT_START_EVENT, KS_E_USAGE, "%s: is empty", r->what);
    if (e.data.document_start.tag_directives.start != e.data.document_start.tag_directives.end)
        return refuse(r, e.start_mark, "tags are not supported");
    return KS_SUCCESS;
}

static ks_rc read_stream(struct reading *r, json_t **ret)
{
    CLEANUP(yaml_event_delete) yaml_event_t e = {0};
    CLEANUP(json_drop) json_t *value = NULL;

    TRY(expect(r, YAML_STREAM_START_EVENT, "no YAML"));
    TRY(read_document_start(r));
    TRY(next_event(r, &e));
    TRY(read_value(r, &e, &value));
    TRY(expect(r, YAML_DOCUMENT_END_EVENT, "the document does not end here"));
    TRY(expect(r, YAML_STREAM_END_EVENT, "one document only"));
    *ret = TAKE(value);
    return KS_SUCCESS;
}

/* libyaml lacks some of JSON's escapes. */
static bool looks_like_json(struct view text)
{
    size_t i = 0;

    while (i < text.len && strchr(" \t\r\n", text.bytes[i]) && text.bytes[i])
        i++;
    return i < text.len && strchr("{[\"", text.bytes[i]) && text.bytes[i];
}

/* Line breaks in YAML 1.1, which libyaml reads, and characters of a text in 1.2. */
static ks_rc check_breaks(const struct reading *r, struct view text)
{
    static const char *const breaks[] = {"\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"};
    yaml_mark_t at = {0};

    for (size_t i = 0; i < sizeof breaks / sizeof *breaks; i++) {
        const uint8_t *found = memmem(text.bytes, text.len, breaks[i], strlen(breaks[i]));
        if (!found)
            continue;
        for (const uint8_t *c = text.bytes; c < found; c++) {
            at.column = *c == '\n' ? 0 : at.column + 1;
            at.line += *c == '\n';
        }
        return refuse(r, at, "a separator of lines that is no line feed");
    }
    return KS_SUCCESS;
}

ks_rc yaml_read(struct view text, struct json_limits limits, const char *what, json_t **ret)
{
    CLEANUP(done) struct reading r = {.limits = limits, .what = what};

    ENSURE(text.len <= limits.bytes_max, KS_E_LIMIT, "%s: longer than %zu bytes", what,
           limits.bytes_max);
    if (looks_like_json(text)) {
        ks_rc rc = json_read(text, limits, what, ret);
        if (!ks_is(rc, KS_E_USAGE))
            return rc;
    }
    TRY(check_breaks(&r, text));
    ENSURE(yaml_parser_initialize(&r.parser) == 1, KS_E_NO_MEMORY, "%s: no memory to read it",
           what);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, text.bytes, text.len);
    return read_stream(&r, ret);
}
