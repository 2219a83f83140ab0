/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key/local_key.h - the keys of a volume that are wrapped by its store key.
 *
 * The one place that says what each is bound to (docs/FORMAT.md, section "Keyring"), for the side that
 * wraps and the side that unwraps. Private to key/.
 */
#pragma once

#include "base/random.h"
#include "base/secret.h"
#include "key/keyring.h"

/* local_key_commit(k, store_key, ret): the public commitment to a store key of this volume. */
ks_rc local_key_commit(const struct keyring *k, struct view store_key,
                       uint8_t ret[KEYWRAP_COMMIT_BYTES]) KS_MUST;
/* local_key_check(k, store_key): WRONG_KEY when it is not the store key of k. */
ks_rc local_key_check(const struct keyring *k, struct view store_key) KS_MUST;

/* local_key_seal_data(k, store_key, key, random, d): wraps the data key of generation d->generation. */
ks_rc local_key_seal_data(const struct keyring *k, struct view store_key, struct view key,
                          struct random *random, struct keyring_data_key *d) KS_MUST;
/* local_key_open_data(k, store_key, d, ret): WRONG_KEY, AUTH name the generation. */
ks_rc local_key_open_data(const struct keyring *k, struct view store_key,
                          const struct keyring_data_key *d, struct secret **ret) KS_MUST;

/* local_key_seal_name(k, store_key, key, random): wraps the name key into k->name_key. */
ks_rc local_key_seal_name(struct keyring *k, struct view store_key, struct view key,
                          struct random *random) KS_MUST;
ks_rc local_key_open_name(const struct keyring *k, struct view store_key,
                          struct secret **ret) KS_MUST;
