/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_ini.c - the shared configuration files of AWS's tools.
 *
 * Grammar: "[kind name]" or "[name]", the name maybe in quotes; "name = value" from the first column; indented
 * "name = value" below a name without value; comments behind '#' or ';' at the begin of a line or behind a blank.
 */
#include "kms/aws_ini.h"

#include <strings.h>

/* Where the reader is. */
struct place {
    bool is_in_section, is_in_name;
};

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct view trim(struct view v)
{
    while (v.len > 0 && is_blank(v.bytes[0]))
        v = view_of(v.bytes + 1, v.len - 1);
    while (v.len > 0 && is_blank(v.bytes[v.len - 1]))
        v.len--;
    return v;
}

static struct view next_line(struct view *rest)
{
    const uint8_t *end = rest->len ? memchr(rest->bytes, '\n', rest->len) : NULL;
    size_t len = end ? (size_t)(end - rest->bytes) : rest->len;
    struct view line = view_of(rest->bytes, len);
    size_t used = len + (end ? 1 : 0);

    *rest = view_of(rest->bytes + used, rest->len - used);
    return line;
}

static struct view without_comment(struct view v)
{
    for (size_t i = 0; i < v.len; i++)
        if ((v.bytes[i] == '#' || v.bytes[i] == ';') && (i == 0 || is_blank(v.bytes[i - 1])))
            return view_of(v.bytes, i);
    return v;
}

static bool is_text(struct view v, const char *text)
{
    return v.len == strlen(text) && memcmp(v.bytes, text, v.len) == 0;
}

static bool is_name(struct view v, const char *text)
{
    return v.len == strlen(text) && strncasecmp((const char *)v.bytes, text, v.len) == 0;
}

static struct view without_quotes(struct view v)
{
    if (v.len >= 2 && (v.bytes[0] == '"' || v.bytes[0] == '\'') && v.bytes[v.len - 1] == v.bytes[0])
        return view_of(v.bytes + 1, v.len - 2);
    return v;
}

/* Whether a header line, from '[' on, is that of the section. */
static bool is_section(struct view line, const char *kind, const char *section)
{
    const uint8_t *end = memchr(line.bytes, ']', line.len);
    size_t first = 0;

    if (!end)
        return false;
    struct view inside = trim(view_of(line.bytes + 1, (size_t)(end - line.bytes) - 1));
    while (first < inside.len && !is_blank(inside.bytes[first]))
        first++;
    bool is_bare = first == inside.len;
    if (is_bare && (kind[0] == '\0' || strcmp(section, "default") == 0))
        return is_text(without_quotes(inside), section) &&
               (kind[0] == '\0' || strcmp(kind, "profile") == 0);
    struct view name = trim(view_of(inside.bytes + first, inside.len - first));
    return !is_bare && is_text(view_of(inside.bytes, first), kind) &&
           is_text(without_quotes(name), section);
}

/* "name = value"; false for a line without '='. */
static bool split(struct view line, struct view *name, struct view *value)
{
    const uint8_t *equals = memchr(line.bytes, '=', line.len);

    if (!equals)
        return false;
    size_t at = (size_t)(equals - line.bytes);
    *name = trim(view_of(line.bytes, at));
    *value = trim(without_comment(view_of(equals + 1, line.len - at - 1)));
    return true;
}

/* One line that is neither empty nor a header, of the right section; whether it holds what is looked for. */
static bool take_line(struct view line, const struct aws_ini_key *key, struct place *p,
                      struct view *ret)
{
    struct view name, value;
    bool is_indented = is_blank(line.bytes[0]);

    if (!split(line, &name, &value))
        return false;
    if (!is_indented)
        p->is_in_name = is_name(name, key->name);
    if (!p->is_in_name || is_indented != (key->sub != NULL) ||
        (key->sub && !is_name(name, key->sub)))
        return false;
    *ret = value;
    return true;
}

bool aws_ini_find(struct view text, const struct aws_ini_key *key, struct view *ret)
{
    struct place p = {false, false};
    bool is_found = false;

    while (text.len > 0) {
        struct view line = next_line(&text), bare = trim(line);
        if (bare.len == 0 || bare.bytes[0] == '#' || bare.bytes[0] == ';')
            continue;
        if (line.bytes[0] == '[')
            p = (struct place){is_section(bare, key->kind, key->section), false};
        else if (p.is_in_section && take_line(line, key, &p, ret))
            is_found = true;
    }
    return is_found;
}

bool aws_ini_has(struct view text, const char *kind, const char *section)
{
    while (text.len > 0) {
        struct view line = next_line(&text);
        if (line.len > 0 && line.bytes[0] == '[' && is_section(trim(line), kind, section))
            return true;
    }
    return false;
}
