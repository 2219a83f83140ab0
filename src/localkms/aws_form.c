/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_form.c - fields of a form, decoded into one text.
 */
#include "localkms/aws_form.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "localkms/aws_canonical.h"

struct field {
    size_t name, value; /* in the text */
};

struct form {
    struct buf text; /* each name and value with a terminator */
    struct field fields[FORM_FIELDS_MAX];
    size_t count;
};

static const char *text_at(const struct form *f, size_t at)
{
    return (const char *)f->text.bytes + at;
}

static ks_rc decode(struct form *f, struct view raw, size_t *ret_at)
{
    *ret_at = f->text.len;
    TRY(canonical_decode(raw, &f->text));
    return buf_append(&f->text, view_of("", 1));
}

static ks_rc add_field(struct form *f, struct view pair)
{
    const uint8_t *equals = memchr(pair.bytes, '=', pair.len);
    struct view name = equals ? view_of(pair.bytes, (size_t)(equals - pair.bytes)) : pair;
    struct view value = equals ? view_of(equals + 1, pair.len - name.len - 1) : view_of(NULL, 0);
    struct field *field = &f->fields[f->count];

    ENSURE(f->count < FORM_FIELDS_MAX, KS_E_LIMIT, "more than %d fields", FORM_FIELDS_MAX);
    TRY(decode(f, name, &field->name));
    TRY(decode(f, value, &field->value));
    ENSURE(!form_get(f, text_at(f, field->name)), KS_E_USAGE, "a field is given twice");
    f->count++;
    return KS_SUCCESS;
}

/* What goes into records and answers must be UTF-8, as JSON and XML are. */
static ks_rc check_utf8(const struct form *f)
{
    json_t *probe = json_stringn((const char *)f->text.bytes, f->text.len);

    json_decref(probe);
    ENSURE(probe || f->text.len == 0, KS_E_USAGE, "not UTF-8");
    return KS_SUCCESS;
}

ks_rc form_parse(struct view text, struct form **ret)
{
    CLEANUP(form_freep) struct form *f = NULL;

    ENSURE(text.len <= FORM_BYTES_MAX, KS_E_LIMIT, "a form of %zu bytes", text.len);
    TRY(mem_new(1, sizeof *f, &f));
    f->text = buf_init(2 * FORM_BYTES_MAX);
    for (size_t at = 0; at < text.len;) {
        const uint8_t *from = text.bytes + at, *end = memchr(from, '&', text.len - at);
        size_t len = end ? (size_t)(end - from) : text.len - at;
        if (len > 0)
            TRY(add_field(f, view_of(from, len)));
        at += len + 1;
    }
    TRY(check_utf8(f));
    *ret = TAKE(f);
    return KS_SUCCESS;
}

void form_free(struct form *f)
{
    if (!f)
        return;
    buf_done(&f->text);
    mem_free(f);
}

void form_freep(struct form **f)
{
    form_free(*f);
    *f = NULL;
}

const char *form_get(const struct form *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(text_at(f, f->fields[i].name), name) == 0)
            return text_at(f, f->fields[i].value);
    return NULL;
}

const char *form_member(const struct form *f, const char *list, unsigned n, const char *part)
{
    char name[128];

    snprintf(name, sizeof name, "%s.member.%u%s%s", list, n, part ? "." : "", part ? part : "");
    return form_get(f, name);
}
