/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_check.c - the parameters of a request against the table, with errors in AWS's words.
 *
 * Blobs may be secrets: their text is never repeated in an error.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "localkms/aws_call.h"

enum { MESSAGE_BYTES_MAX = 8192, SHOWN_BYTES_MAX = 512 };

struct checker {
    struct buf text;
    unsigned errors;
};

/* "1 validation error detected: Value ... at ..." is put together in the end. */
static void note(struct checker *k, const struct aws_param *p, const char *shown, const char *fmt,
                 ...) KS_PRINTF(4, 5);

static void note(struct checker *k, const struct aws_param *p, const char *shown, const char *fmt,
                 ...)
{
    char constraint[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(constraint, sizeof constraint, fmt, args);
    va_end(args);
    /* A text that has become too long is cut: the number of errors is right all the same. */
    IGNORE(buf_printf(&k->text,
                      "%sValue %s%sat '%c%s' failed to satisfy constraint: Member must %s",
                      k->errors ? "; " : "", shown, shown[0] ? " " : "", tolower(p->name[0]),
                      p->name + 1, constraint));
    k->errors++;
}

static void quote(const char *text, char out[SHOWN_BYTES_MAX])
{
    snprintf(out, SHOWN_BYTES_MAX, "'%.480s'", text);
}

static bool is_choice(const char *choices, const char *text)
{
    size_t len = strlen(text);

    for (const char *at = choices; at; at = strchr(at, '|')) {
        at += *at == '|';
        if (len > 0 && strncmp(at, text, len) == 0 && (at[len] == '|' || at[len] == 0))
            return true;
    }
    return false;
}

static void note_choices(struct checker *k, const struct aws_param *p, const char *text)
{
    char list[512], shown[SHOWN_BYTES_MAX];
    size_t len = 0;

    for (const char *at = p->choices; *at && len < sizeof list - 3; at++) {
        if (*at == '|') {
            list[len++] = ',';
            list[len++] = ' ';
        } else {
            list[len++] = *at;
        }
    }
    list[len] = 0;
    quote(text, shown);
    note(k, p, shown, "satisfy enum value set: [%s]", list);
}

static void check_length(struct checker *k, const struct aws_param *p, size_t len,
                         const char *shown)
{
    if ((int64_t)len < p->min)
        note(k, p, shown, "have length greater than or equal to %lld", (long long)p->min);
    else if ((int64_t)len > p->max)
        note(k, p, shown, "have length less than or equal to %lld", (long long)p->max);
}

static size_t blob_bytes(const json_t *value)
{
    size_t len = json_string_length(value);
    const char *text = json_string_value(value);
    size_t pads = 0;

    while (pads < 2 && pads < len && text[len - 1 - pads] == '=')
        pads++;
    return len / 4 * 3 - (len >= 4 ? pads : 0);
}

static void check_text(struct checker *k, const struct aws_param *p, const json_t *value)
{
    char shown[SHOWN_BYTES_MAX];
    const char *text = json_string_value(value);

    quote(text, shown);
    if (p->choices && !is_choice(p->choices, text))
        note_choices(k, p, text);
    else if (!p->choices)
        check_length(k, p, json_string_length(value), shown);
}

static void check_integer(struct checker *k, const struct aws_param *p, const json_t *value)
{
    char shown[SHOWN_BYTES_MAX];
    int64_t number = (int64_t)json_integer_value(value);

    snprintf(shown, sizeof shown, "'%lld'", (long long)number);
    if (number < p->min)
        note(k, p, shown, "have value greater than or equal to %lld", (long long)p->min);
    else if (number > p->max)
        note(k, p, shown, "have value less than or equal to %lld", (long long)p->max);
}

static bool is_of_type(const json_t *value, enum aws_type type)
{
    switch (type) {
    case AWS_TEXT:
    case AWS_BLOB:
        return json_is_string(value);
    case AWS_INTEGER:
        return json_is_integer(value);
    case AWS_BOOLEAN:
        return json_is_boolean(value);
    case AWS_TIME:
        return json_is_number(value);
    case AWS_LIST:
        return json_is_array(value);
    case AWS_MAP:
        return json_is_object(value);
    }
    return false;
}

static void check_value(struct checker *k, const struct aws_param *p, json_t *value)
{
    switch (p->type) {
    case AWS_TEXT:
        check_text(k, p, value);
        break;
    case AWS_BLOB:
        check_length(k, p, blob_bytes(value), "");
        break;
    case AWS_INTEGER:
        check_integer(k, p, value);
        break;
    case AWS_LIST:
        check_length(k, p, json_array_size(value), "");
        break;
    case AWS_MAP:
        check_length(k, p, json_object_size(value), "");
        break;
    case AWS_BOOLEAN:
    case AWS_TIME:
        break;
    }
}

/* Lists and maps hold texts, or objects that their operation looks at. */
static bool are_members_texts(const struct aws_param *p, json_t *value)
{
    const char *name;
    json_t *member;

    if (p->type != AWS_MAP || strcmp(p->name, "Constraints") == 0)
        return true;
    json_object_foreach(value, name, member) if (!json_is_string(member)) return false;
    return true;
}

enum aws_fault aws_check(const struct aws_op *op, const json_t *params, char **message)
{
    static const char *const type_names[] = {"String",  "Blob",      "Integer", "Boolean",
                                             "Instant", "Structure", "Map"};
    struct checker k = {buf_init(MESSAGE_BYTES_MAX), 0};
    enum aws_fault fault = AWS_FAULT_NONE;

    for (const struct aws_param *p = op->params; p < op->params + AWS_PARAMS_MAX && p->name; p++) {
        json_t *value = json_object_get(params, p->name);
        if (!value || json_is_null(value)) {
            if (p->is_required)
                note(&k, p, "null", "not be null");
        } else if (!is_of_type(value, p->type) || !are_members_texts(p, value)) {
            fault = AWS_SERIALIZATION;
            /* without memory there is no text */
            IGNORE(mem_format(message, "The value of %s can not be converted to %s", p->name,
                              type_names[p->type]));
            break;
        } else {
            check_value(&k, p, value);
        }
    }
    if (fault == AWS_FAULT_NONE && k.errors > 0) {
        fault = AWS_VALIDATION;
        /* as above */
        IGNORE(mem_format(message, "%u validation error%s detected: %s", k.errors,
                          k.errors > 1 ? "s" : "", buf_text(&k.text)));
    }
    buf_done(&k.text);
    return fault;
}
