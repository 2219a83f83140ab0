/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_pattern.c - wildcards and variables of policies.
 *
 * Compiling replaces '*' and '?' by two control characters, so that what a variable brings in is always taken literally,
 * whatever is in it.
 */
#include <ctype.h>
#include <string.h>

#include "localkms/aws_policy_int.h"

/* "${*}", "${?}" and "${$}" stand for the character itself. */
static bool is_escape(const char *p)
{
    return p[0] == '$' && p[1] == '{' && p[2] && strchr("*?$", p[2]) && p[3] == '}';
}

ks_rc pattern_compile(struct aws_policy *p, const char *text, enum pattern_form form,
                      struct pattern *ret)
{
    char *out = NULL;
    bool is_variable = false, has_variable = false;
    size_t n = 0;

    TRY(policy_take(p, strlen(text) + 1, 1, &out));
    for (const char *at = text; *at; at++) {
        ENSURE((uint8_t)*at >= ' ', KS_E_USAGE, "Syntax errors in policy.");
        if (p->may_vary && !is_variable && is_escape(at)) {
            out[n++] = at[2];
            at += 3;
            continue;
        }
        if (p->may_vary && at[0] == '$' && at[1] == '{')
            is_variable = has_variable = true;
        else if (*at == '}')
            is_variable = false;
        bool is_glob = form == PATTERN_GLOB && !is_variable;
        out[n++] = is_glob && *at == '*' ? GLOB_ANY : is_glob && *at == '?' ? GLOB_ONE : *at;
    }
    ENSURE(!is_variable, KS_E_USAGE, "Syntax errors in policy.");
    *ret = (struct pattern){out, has_variable};
    return KS_SUCCESS;
}

static bool add(char room[EXPANDED_BYTES], size_t *n, struct view text)
{
    if (text.len >= EXPANDED_BYTES - *n)
        return false;
    memcpy(room + *n, text.bytes, text.len);
    *n += text.len;
    return true;
}

/* The value of "key" or "key, 'default'"; NULL when there is none. One that does not fit leaves the question open. */
static const char *variable_value(struct view variable, struct question *q, char room[256])
{
    struct values values;
    const uint8_t *comma = memchr(variable.bytes, ',', variable.len);
    size_t len = comma ? (size_t)(comma - variable.bytes) : variable.len;
    char key[128];

    if (len >= sizeof key)
        return NULL;
    memcpy(key, variable.bytes, len);
    key[len] = '\0';
    values_find(q, key, &values);
    if (values.count == 1 && strlen(values.items[0]) < 256)
        return memcpy(room, values.items[0], strlen(values.items[0]) + 1);
    q->is_uncertain |= values.count == 1;
    if (values.count > 0 || !comma)
        return NULL;
    struct view preset = view_of(comma + 1, variable.len - len - 1);
    while (preset.len && preset.bytes[0] == ' ')
        preset = view_of(preset.bytes + 1, preset.len - 1);
    if (preset.len < 2 || preset.len > 255 || preset.bytes[0] != '\'' ||
        preset.bytes[preset.len - 1] != '\'')
        return NULL;
    memcpy(room, preset.bytes + 1, preset.len - 2);
    room[preset.len - 2] = '\0';
    return room;
}

const char *pattern_expand(const struct pattern *pattern, struct question *q,
                           char room[EXPANDED_BYTES])
{
    char value[256];
    size_t n = 0;

    if (!pattern->has_variable)
        return pattern->text;
    for (const char *at = pattern->text; *at;) {
        const char *variable = strstr(at, "${");
        size_t plain = variable ? (size_t)(variable - at) : strlen(at);
        const char *end = variable ? strchr(variable, '}') : NULL;
        const char *text =
            end ? variable_value(view_of(variable + 2, (size_t)(end - variable) - 2), q, value)
                : "";
        if (!text)
            return NULL;
        /* control characters would act as wildcards */
        if (strpbrk(text, "\1\2") || !add(room, &n, view_of(at, plain)) ||
            !add(room, &n, view_text(text))) {
            q->is_uncertain = true;
            return NULL;
        }
        at = end ? end + 1 : at + plain;
    }
    room[n] = '\0';
    return room;
}

static bool is_same(char a, uint8_t b, bool is_no_case)
{
    return is_no_case ? tolower((uint8_t)a) == tolower(b) : (uint8_t)a == b;
}

bool glob_match(const char *pattern, struct view text, bool is_no_case)
{
    const char *star = NULL;
    size_t at = 0, star_at = 0;

    while (at < text.len) {
        if (*pattern == GLOB_ANY) {
            star = ++pattern;
            star_at = at;
        } else if (*pattern &&
                   (*pattern == GLOB_ONE || is_same(*pattern, text.bytes[at], is_no_case))) {
            pattern++;
            at++;
        } else if (star) {
            pattern = star;
            at = ++star_at;
        } else {
            return false;
        }
    }
    while (*pattern == GLOB_ANY)
        pattern++;
    return *pattern == '\0';
}
