/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/anchor.h - which version of a volume's keyring was there before, so that an older one is not taken for it.
 *
 * Kept by the node (node/wish.h) and by the control plane, each durably before it tells the other; both take what they hear by the same
 * rule. The sequence rises only by what a key has vouched for, and falls only when somebody has accepted an older keyring: that
 * is counted, and what was said under a lower count says nothing any more. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { ANCHOR_VOLUME_BYTES = 33, ANCHOR_ACCEPTED_MAX = INT32_MAX };

struct anchor {
    char
        volume[ANCHOR_VOLUME_BYTES]; /* the id that stands in the keyring, hex; "": none was seen */
    int64_t sequence;
    /* how often an older keyring was accepted, or the volume made anew; at most ANCHOR_ACCEPTED_MAX */
    int64_t accepted;
};

/* anchor_take(a, heard): whether a is another one now. */
bool anchor_take(struct anchor *a, const struct anchor *heard);
/* anchor_is_of(a, volume): whether a keyring with this id is this volume's; every one is while none was seen. */
bool anchor_is_of(const struct anchor *a, const char *volume);
/* anchor_holds(a, volume, sequence): whether this keyring is none that was put back: it is this volume's, and not older. */
bool anchor_holds(const struct anchor *a, const char *volume, int64_t sequence);
