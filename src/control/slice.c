/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/slice.c - the text that says where a list goes on: base64url of "number:text".
 */
#include "control/slice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

static ks_rc read_key(const char *text, struct store_page *ret)
{
    char *end;

    errno = 0;
    long long number = strtoll(text, &end, 10);
    ENSURE(end != text && *end == ':' && !errno && strlen(end + 1) < sizeof ret->text, KS_E_USAGE,
           "the place to go on from is not one that was given here");
    ret->number = number;
    memcpy(ret->text, end + 1, strlen(end + 1) + 1);
    return KS_SUCCESS;
}

ks_rc slice_begin(const struct slice *s, struct store_page *ret)
{
    CLEANUP(buf_done) struct buf text = buf_init(sizeof s->after);
    struct store_page page = {.count_max = s->count_max + 1, .is_descending = s->is_descending};

    ENSURE(s->count_max >= 1 && s->count_max <= SLICE_MAX, KS_E_USAGE,
           "%u at a time; from 1 to %d are possible", s->count_max, SLICE_MAX);
    if (s->after[0]) {
        ks_rc rc = base64_read(view_text(s->after), BASE64_URL, &text);
        ENSURE(ks_ok(rc), KS_E_USAGE, "the place to go on from is not one that was given here");
        TRY(read_key(buf_text(&text), &page));
    }
    *ret = page;
    return KS_SUCCESS;
}

bool slice_has_more(struct slice *s, size_t *count)
{
    s->after[0] = '\0';
    if (*count <= s->count_max)
        return false;
    *count = s->count_max;
    return true;
}

ks_rc slice_go_on(struct slice *s, int64_t number, const char *text)
{
    char key[NAME_BYTES + 24];
    CLEANUP(buf_done) struct buf out = buf_init(sizeof s->after - 1);

    int len = snprintf(key, sizeof key, "%lld:%s", (long long)number, text);
    ENSURE(len > 0 && (size_t)len < sizeof key, KS_E_BUG, "a key of %d bytes in a list", len);
    TRY(base64_write(view_of(key, (size_t)len), BASE64_URL, &out));
    memcpy(s->after, buf_text(&out), out.len + 1);
    return KS_SUCCESS;
}
