/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/board.h - what the processes of a user on this host tell each other of their probes of one key.
 *
 * So that many volumes under one key do not all ask for it all the time. Only two times are told: when the last probe that was
 * granted began, and when the last one failed, in whatever way. A grant counts only if it began after the last failure, so
 * each process finds out about a denial by asking itself.
 */
#pragma once

#include "base/clock.h"
#include "base/key_spec.h"

struct board; /* thread-safe */

/* board_open(dir, spec, clock, ret): of the key (type, uri and principal). Fails where processes cannot share: then there is no board. */
ks_rc board_open(const char *dir, const struct key_spec *spec, struct clock *clock,
                 struct board **ret) KS_MUST;
void board_close(struct board *b);
void board_closep(struct board **b);

/* board_granted(b, began_ms), board_failed(b): a real probe that began then (boot time) was granted; one failed now. */
void board_granted(struct board *b, uint64_t began_ms);
void board_failed(struct board *b);
/* board_grant_since(b, oldest_ms, ret_began_ms): whether a probe that began at oldest_ms or later was granted and none failed since
 * it began. */
bool board_grant_since(struct board *b, uint64_t oldest_ms, uint64_t *ret_began_ms);
