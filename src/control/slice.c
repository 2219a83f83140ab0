/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/slice.c - the text that says where a list goes on: base64url of the place, two numbers and a text.
 */
#include "control/slice.h"

#include <assert.h>
#include <string.h>

#include "base/base64.h"
#include "base/codec.h"

enum {
    NUMBERS_BYTES = 16,
    AFTER_BYTES = sizeof((struct slice *)0)->after,
    PLACE_BYTES_MAX = NUMBERS_BYTES + NAME_BYTES,
};
static_assert(PLACE_BYTES_MAX * 4 / 3 + 3 < AFTER_BYTES,
              "every place fits, with what stands before it");

/* In front of a place to go back from; no letter of base64url. */
static const char BACK[] = "~";

static ks_rc refuse(void)
{
    return ks_fail(KS_E_USAGE, "the place to go on from is not one that was given here");
}

static ks_rc read_place(const char *after, struct store_page *ret)
{
    CLEANUP(buf_done) struct buf place = buf_init(PLACE_BYTES_MAX + 3);
    ks_rc rc = base64_read(view_text(after), BASE64_URL, &place);

    if (!ks_ok(rc) || place.len < NUMBERS_BYTES)
        return refuse();
    size_t len = place.len - NUMBERS_BYTES;
    const uint8_t *text = place.bytes + NUMBERS_BYTES;
    if (len >= sizeof ret->text || memchr(text, 0, len))
        return refuse();
    ret->at = (int64_t)get_u64(place.bytes);
    ret->number = (int64_t)get_u64(place.bytes + 8);
    memcpy(ret->text, text, len);
    ret->text[len] = '\0';
    return KS_SUCCESS;
}

ks_rc slice_begin(const struct slice *s, struct store_page *ret)
{
    struct store_page page = {.count_max = s->count_max + 1, .is_descending = s->is_descending};

    ENSURE(s->count_max >= 1 && s->count_max <= SLICE_MAX, KS_E_USAGE,
           "%u at a time; from 1 to %d are possible", s->count_max, SLICE_MAX);
    if (s->after[0])
        TRY(read_place(s->after, &page));
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

static ks_rc write_place(const struct store_page *place, const char *before, char ret[AFTER_BYTES])
{
    uint8_t bytes[PLACE_BYTES_MAX];
    CLEANUP(buf_done) struct buf out = buf_init(AFTER_BYTES);
    size_t len = strnlen(place->text, sizeof place->text);

    put_u64(bytes, (uint64_t)place->at);
    put_u64(bytes + 8, (uint64_t)place->number);
    memcpy(bytes + NUMBERS_BYTES, place->text, len);
    TRY(buf_append(&out, view_text(before)));
    TRY(base64_write(view_of(bytes, NUMBERS_BYTES + len), BASE64_URL, &out));
    memcpy(ret, buf_text(&out), out.len + 1);
    return KS_SUCCESS;
}

ks_rc slice_go_on(struct slice *s, const struct store_page *place)
{
    return write_place(place, "", s->after);
}

ks_rc slice_go_on_by_time(struct slice *s, int64_t at, const char *id)
{
    struct store_page place = {.at = at};

    memcpy(place.text, id, strnlen(id, sizeof place.text - 1));
    return slice_go_on(s, &place);
}

/* -- lists that go both ways -- */

ks_rc slice_begin_both(const struct slice *s, struct store_page *ret, bool *ret_is_back)
{
    struct slice turned = *s;
    bool is_back = s->after[0] == BACK[0];

    if (is_back) {
        memmove(turned.after, turned.after + 1, sizeof turned.after - 1);
        ENSURE(turned.after[0], KS_E_USAGE, "there is nothing to go back from");
        turned.is_descending = !s->is_descending;
    }
    TRY(slice_begin(&turned, ret));
    *ret_is_back = is_back;
    return KS_SUCCESS;
}

/* The row that is nearest to where the caller came from is the store's first one. */
ks_rc slice_end_both(struct slice *s, bool is_back, const struct slice_ends *ends)
{
    bool has_before = is_back ? ends->has_more : s->after[0] != '\0',
         has_after = is_back || ends->has_more;

    s->after[0] = s->before[0] = '\0';
    if (has_after && !ends->is_empty)
        TRY(write_place(is_back ? &ends->first : &ends->last, "", s->after));
    if (has_before && !ends->is_empty)
        TRY(write_place(is_back ? &ends->last : &ends->first, BACK, s->before));
    return KS_SUCCESS;
}
