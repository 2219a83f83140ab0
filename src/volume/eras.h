/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/eras.h - which operations may still use which keys.
 *
 * Operations are counted by the era in which they began. An era begins with other keys, or when somebody has to know that
 * all that began before has ended. Keys are wiped when no operation of their era, or of an earlier one, is left; so an operation
 * may take whatever volume.keys is at the moment, as often as it likes. Who stands still, on a disk say, keeps
 * old keys in memory and those waiting who wait for the end of its era, and nobody else. Private to volume/.
 */
#pragma once

#include "volume/volume_int.h"

/* eras_init(v): the first era, without keys. eras_done(v): nobody is inside; wipes the keys. */
ks_rc eras_init(struct volume *v) KS_MUST;
void eras_done(struct volume *v);

/* era_enter(v): counts the caller in, to be given back with era_leave. Neither waits. */
struct era *era_enter(struct volume *v);
void era_leave(struct volume *v, struct era *e);

/* era_begin_with(v, keys): whoever begins from now on uses these, which are taken over; on failure they stay the caller's. */
ks_rc era_begin_with(struct volume *v, struct keyset **keys) KS_MUST;
/* era_begin(v, ret): the same keys, a new era; its number, for era_wait. */
ks_rc era_begin(struct volume *v, uint64_t *ret) KS_MUST;
/* era_wait(v, number, timeout_ms): every operation of earlier eras has ended; BUSY after the time-out. */
ks_rc era_wait(struct volume *v, uint64_t number, uint32_t timeout_ms) KS_MUST;

/* era_pass(v, progress, arg): begins an era and waits until all that began before has ended. progress is called now and then
 * meanwhile; BUSY when it says no more. */
ks_rc era_pass(struct volume *v, bool (*progress)(void *arg), void *arg) KS_MUST;

/* eras_have_one_keyset(v): whether everybody inside began with volume.keys. */
bool eras_have_one_keyset(struct volume *v);

/* eras_wipe(v): no keys any more; nobody is inside. */
void eras_wipe(struct volume *v);
