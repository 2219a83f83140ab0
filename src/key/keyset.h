/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key/keyset.h - the keys of a volume in clear: store key, data keys by generation, name key.
 *
 * Exists only in the memory of the volume process (and of offline commands). Immutable; a rotation
 * makes a new one. keyset_free wipes all of it.
 */
#pragma once

#include "base/random.h"
#include "base/secret.h"
#include "key/keyring.h"

struct keyset;

/*
 * keyset_open(k, store_key, ret): checks the store key's commitment (WRONG_KEY), then unwraps every
 * data key that is not destroyed and the name key (WRONG_KEY, AUTH name the generation).
 * Takes over store_key on success only (*store_key becomes NULL).
 */
ks_rc keyset_open(const struct keyring *k, struct secret **store_key, struct keyset **ret) KS_MUST;
void keyset_free(struct keyset *s);
void keyset_freep(struct keyset **s);

struct view keyset_store_key(const struct keyset *s);
struct view keyset_name_key(const struct keyset *s); /* NAME_KEY_BYTES */
uint32_t keyset_newest(const struct keyset *s);      /* generation for new writes */
/* keyset_data_key(s, generation): its 32 bytes; an empty view when there is no such generation. */
struct view keyset_data_key(const struct keyset *s, uint32_t generation);
/* keyset_has_all_of(s, older): whether s has every generation that older has. */
bool keyset_has_all_of(const struct keyset *s, const struct keyset *older);
/* keyset_mac_key(s, ret): the 32-byte key of the keyring's MAC, derived from the store key. */
ks_rc keyset_mac_key(const struct keyset *s, struct secret **ret) KS_MUST;
/* keyring_mac_key(store_key, ret): the same from a bare store key. */
ks_rc keyring_mac_key(struct view store_key, struct secret **ret) KS_MUST;
