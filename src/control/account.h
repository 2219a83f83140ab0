/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/account.h - keys of the API from inside: what their text is made of, and when each was last used.
 *
 * A secret is 32 random bytes; the store has the SHA-256 of its text only, which is enough for a random one. When a key
 * was used is noted in memory and stored now and then, to the minute: no request waits for that, and a crash forgets it.
 */
#pragma once

#include "control/control.h"

struct key_uses;

enum { KEY_SECRET_BYTES = 32, KEY_USES_STORE_MS = 15000 };

/* api_secret_make(random, prefix, id, ret, ret_hash): "<prefix>_<id>_<secret>" and the hash of the secret in it. */
ks_rc api_secret_make(struct random *random, const char *prefix, const char *id,
                      char ret[API_SECRET_TEXT_BYTES], uint8_t ret_hash[32]) KS_MUST;
/* api_secret_read(text, prefix, ret_id, ret_hash): the opposite; PERMISSION for what does not have this form. The secret ends at the
 * end of the text. */
ks_rc api_secret_read(const char *text, const char *prefix, char ret_id[ID_BYTES],
                      uint8_t ret_hash[32]) KS_MUST;

ks_rc key_uses_new(struct key_uses **ret) KS_MUST;
void key_uses_free(struct key_uses *u);
/* key_uses_note(u, id, at): the key was used; forgets it when there is no room, the next use will tell. Any thread. */
void key_uses_note(struct key_uses *u, const char *id, int64_t at);
/* key_uses_store(c, is_last): stores what was noted, if the last time is KEY_USES_STORE_MS ago, or at once when is_last. For the ticker and the
 * end. */
ks_rc key_uses_store(struct control *c, bool is_last) KS_MUST;
