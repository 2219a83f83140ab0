/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_query_check.c - parameters of IAM and STS against the table, with errors in AWS's words.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "localkms/aws_query_int.h"

static const struct {
    const char *extra; /* allowed beside letters and digits; NULL: any character */
    const char *pattern;
} charsets[] = {
    [QUERY_ANY] = {NULL, ""},
    [QUERY_NAME] = {"_+=,.@-", "[\\w+=,.@-]+"},
    [QUERY_WORD] = {"_", "[\\w]+"},
    [QUERY_PATH] = {"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
                    "(\\u002F)|(\\u002F[\\u0021-\\u007F]+\\u002F)"},
    [QUERY_EXTERNAL_ID] = {"_+=,.@:/-", "[\\w+=,.@:\\/-]*"},
    [QUERY_NUMBER] = {"", "[0-9]+"},
};

struct checking {
    char text[1536];
    unsigned errors;
};

/* "Value 'x' at 'userName' failed to satisfy constraint: Member must ..." */
static void note(struct checking *k, const struct query_param *p, const char *value,
                 const char *constraint)
{
    size_t at = strlen(k->text);

    snprintf(k->text + at, sizeof k->text - at,
             "%sValue %s%.128s%s at '%c%s' failed to satisfy constraint: Member must %s",
             k->errors ? "; " : "", value ? "'" : "", value ? value : "null", value ? "'" : "",
             tolower((uint8_t)p->name[0]), p->name + 1, constraint);
    k->errors++;
}

static bool is_in_charset(const struct query_param *p, const char *value)
{
    const char *extra = charsets[p->charset].extra;
    size_t len = strlen(value);

    for (size_t i = 0; extra && i < len; i++)
        if (!isalnum((uint8_t)value[i]) && !strchr(extra, value[i]))
            return false;
    if (p->charset == QUERY_NUMBER)
        return len <= 9 && strspn(value, "0123456789") == len;
    return p->charset != QUERY_PATH || (len > 0 && value[0] == '/' && value[len - 1] == '/');
}

static void check_value(struct checking *k, const struct query_param *p, const char *value)
{
    bool is_number = p->charset == QUERY_NUMBER;
    int64_t measure = (int64_t)strlen(value);
    char constraint[160];

    if (!is_in_charset(p, value)) {
        snprintf(constraint, sizeof constraint, "satisfy regular expression pattern: %s",
                 charsets[p->charset].pattern);
        note(k, p, value, constraint);
        return;
    }
    if (is_number)
        measure = strtoll(value, NULL, 10);
    if (measure >= p->min && measure <= p->max)
        return;
    snprintf(constraint, sizeof constraint, "have %s %s than or equal to %" PRId64,
             is_number ? "value" : "length", measure < p->min ? "greater" : "less",
             measure < p->min ? p->min : p->max);
    note(k, p, value, constraint);
}

bool query_check(struct query_call *c)
{
    struct checking k = {"", 0};

    for (const struct query_param *p = c->op->params;
         p < c->op->params + QUERY_PARAMS_MAX && p->name; p++) {
        const char *value = form_get(c->form, p->name);
        if (value)
            check_value(&k, p, value);
        else if (p->is_required)
            note(&k, p, NULL, "not be null");
    }
    return k.errors == 0 || query_fail(c, QUERY_VALIDATION, "%u validation error%s detected: %s",
                                       k.errors, k.errors > 1 ? "s" : "", k.text);
}

const char *query_text(const struct query_call *c, const char *name)
{
    return form_get(c->form, name);
}

int64_t query_number(const struct query_call *c, const char *name, int64_t preset)
{
    const char *value = form_get(c->form, name);

    return value ? strtoll(value, NULL, 10) : preset;
}
