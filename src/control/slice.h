/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/slice.h - parts of lists: between what callers pass on unread and where a list of the store goes on.
 *
 * A part goes on behind the last row that was given, by its key and not by its place, so that what comes and goes meanwhile makes
 * nothing appear twice and nothing that stays be left out.
 */
#pragma once

#include "control/control.h"
#include "control/store.h"

/* slice_begin(s, ret): the page to ask the store for, one row longer than the slice. USAGE for an after that was not ours and a
 * count out of bounds. */
ks_rc slice_begin(const struct slice *s, struct store_page *ret) KS_MUST;
/* slice_has_more(s, count): takes the row too many off count. After true slice_go_on must follow; after false s->after is "". */
bool slice_has_more(struct slice *s, size_t *count);
/* slice_go_on(s, place): sets after to behind the row in this place: those members that the store's list goes by, the others zero. */
ks_rc slice_go_on(struct slice *s, const struct store_page *place) KS_MUST;
/*
 * For lists that go both ways. slice_begin_both(s, ret, ret_is_back): after may also be the before of another part; then the store gives the
 * rows from the last of the part to its first, and whoever shows them turns them round. slice_end_both(s, is_back, ends) then sets after
 * and before.
 */
struct slice_ends {
    bool is_empty, has_more;       /* has_more: the store had a row too many */
    struct store_page first, last; /* of the rows that are shown, in the order of the store */
};
ks_rc slice_begin_both(const struct slice *s, struct store_page *ret, bool *ret_is_back) KS_MUST;
ks_rc slice_end_both(struct slice *s, bool is_back, const struct slice_ends *ends) KS_MUST;
/* slice_go_on_by_time(s, at, id): the same for lists that go by (at, text: id). */
ks_rc slice_go_on_by_time(struct slice *s, int64_t at, const char *id) KS_MUST;
