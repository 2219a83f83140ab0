/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/engine_text.c - values in a template's texts.
 *
 * No language: a name in braces stands for a value, two braces for one. Which names there are is one table, and whether a
 * secret may stand somewhere is decided when the template is read.
 */
#include <string.h>

#include "node/engine_int.h"

enum { NAME_ROOM = 32 };

static const struct {
    const char *name;
    bool is_secret;
} known[] = {
    {"home", false},    {"conf", false},           {"address", false},     {"host", false},
    {"port", false},    {"probe_host", false},     {"client_host", false}, {"cluster", false},
    {"password", true}, {"password_sha256", true},
};

/* The name at the {, without its braces; false when there is none. */
static bool take_name(const char *at, char room[NAME_ROOM])
{
    size_t len = strcspn(at + 1, "}{\n");

    if (at[1 + len] != '}' || len == 0 || len >= NAME_ROOM)
        return false;
    memcpy(room, at + 1, len);
    room[len] = 0;
    return true;
}

static ks_rc check_name(const char *name, bool may_be_secret)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, name) == 0) {
            ENSURE(may_be_secret || !known[i].is_secret, KS_E_USAGE,
                   "{%s} stands only in files and input, where no other process sees it", name);
            return KS_SUCCESS;
        }
    return ks_fail(KS_E_USAGE, "there is no value {%s}", name);
}

ks_rc engine_text_check(const char *text, bool may_be_secret)
{
    char name[NAME_ROOM];

    while ((text = strpbrk(text, "{}"))) {
        if (text[0] == text[1]) {
            text += 2;
            continue;
        }
        ENSURE(text[0] == '{' && take_name(text, name), KS_E_USAGE,
               "a brace that belongs to no {value}; one alone is written twice");
        TRY(check_name(name, may_be_secret));
        text += strlen(name) + 2;
    }
    return KS_SUCCESS;
}

static ks_rc append_value(const char *name, const struct engine_values *values, struct buf *ret)
{
    for (size_t i = 0; i < values->count; i++)
        if (strcmp(values->pairs[i].name, name) == 0)
            return buf_append(ret, view_text(values->pairs[i].value));
    return ks_fail(KS_E_USAGE, "there is no {%s} yet", name);
}

ks_rc engine_text_expand(const char *text, const struct engine_values *values, struct buf *ret)
{
    char name[NAME_ROOM];

    for (;;) {
        size_t len = strcspn(text, "{}");
        TRY(buf_append(ret, view_of(text, len)));
        text += len;
        if (!*text)
            return KS_SUCCESS;
        if (text[0] == text[1]) {
            TRY(buf_append(ret, view_of(text, 1)));
            text += 2;
            continue;
        }
        ENSURE(take_name(text, name), KS_E_BUG, "a template that was not checked");
        TRY(append_value(name, values, ret));
        text += strlen(name) + 2;
    }
}
