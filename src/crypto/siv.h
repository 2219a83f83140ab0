/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/siv.h - AES-256-SIV (RFC 5297): deterministic authenticated encryption, for names.
 */
#pragma once

#include "base/rc.h"
#include "base/secret.h"
#include "base/view.h"

enum { SIV_KEY_BYTES = 64, SIV_TAG_BYTES = 16 };

struct siv; /* prepared key; thread-safe (locks inside); wiped when freed */

/* siv_new(key, ret): key is 64 bytes. */
ks_rc siv_new(struct view key, struct siv **ret) KS_MUST;
void siv_free(struct siv *s);

/* siv_seal(s, aad, pt, ret): ret gets SIV_TAG_BYTES + pt.len bytes, tag first. pt.len >= 1. */
ks_rc siv_seal(struct siv *s, struct view aad, struct view pt, uint8_t *ret) KS_MUST;
/* siv_open(s, aad, ct, ret): ret gets ct.len - SIV_TAG_BYTES bytes; AUTH if anything was changed. */
ks_rc siv_open(struct siv *s, struct view aad, struct view ct, uint8_t *ret) KS_MUST;
