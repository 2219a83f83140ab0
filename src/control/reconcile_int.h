/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/reconcile_int.h - what the files of the reconciler share.
 */
#pragma once

#include "control/reconcile.h"

static inline struct rec_why rec_why_of(enum rec_reason reason, size_t volume, size_t key)
{
    return (struct rec_why){.reason = reason, .volume = (uint8_t)volume, .key = (uint8_t)key};
}

/* -- facts (control/reconcile_held.c) ------------------------------------------------------------------------------ */

bool rec_is_closed(const struct rec_volume *v);
bool rec_is_open(const struct rec_volume *v);
bool rec_is_denied(const struct rec_volume *v);
bool rec_has_status(const struct rec *r, enum cmek_status status); /* any key */
/* rec_any(r, test, ret): the first wanted volume for which it holds. */
bool rec_any(const struct rec *r, bool (*test)(const struct rec_volume *), size_t *ret);
/* rec_settle_access(r): the worst of the wanted volumes. */
void rec_settle_access(struct rec *r);
/* rec_next_serial(r, level): one that no volume has done yet. */
uint32_t rec_next_serial(const struct rec *r, enum rec_level level);
/* rec_is_patience_over(r): what is moving has been tried for as long as a key service may be silent. */
bool rec_is_patience_over(const struct rec *r);

/* -- what holds something up; the gravest reason; NOTHING when it is done (control/reconcile_held.c) -------------- */

struct rec_why rec_adding_held_up(const struct rec *r);
struct rec_why rec_dropping_held_up(const struct rec *r);
struct rec_why rec_opening_held_up(const struct rec *r);
struct rec_why rec_level_held_up(const struct rec *r, enum rec_level level, uint32_t serial);
struct rec_why rec_closing_held_up(const struct rec *r, size_t volume);
struct rec_why rec_key_held_up(const struct rec *r, size_t key);
struct rec_why rec_why_volume(const struct rec *r, size_t volume);
void rec_hold_up(struct rec_why *by, struct rec_why why);
bool rec_is_final(struct rec_why why); /* another attempt would end the same way */
bool rec_is_trying(
    struct rec_why why); /* attempts are made and fail, which is borne for some time only */

/* -- changes of keys (control/reconcile_change.c) -------------------------------------------------------------------- */

/* rec_wish_moves(r): no volume can have reached the wish as it is from now on. */
void rec_wish_moves(struct rec *r);
void rec_settle_adding(struct rec *r);
void rec_settle_dropping(struct rec *r);
/* rec_change_undo(r, new_ends, why): back to the openers before; what was coming in ends as given. */
void rec_change_undo(struct rec *r, enum cmek_status new_ends, struct rec_why why);
