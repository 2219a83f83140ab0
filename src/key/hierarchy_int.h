/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key/hierarchy_int.h - what opening and rotating the hierarchy share. Private to key/.
 */
#pragma once

#include "key/hierarchy.h"

/*
 * wrap_make(k, spec, store_key, service, now_s, random, ret): adds a wrap of store_key under spec to k, with
 * a fresh canary, both verified by unwrapping them again. On failure k may hold a half-made wrap and
 * must not be used any more.
 */
ks_rc wrap_make(struct keyring *k, const struct key_spec *spec, const struct secret *store_key,
                struct key_service *service, int64_t now_s, struct random *random,
                struct keyring_wrap **ret) KS_MUST;
/* wrap_open(k, w, service, ret): the store key from a wrap; its commitment is checked. */
ks_rc wrap_open(const struct keyring *k, const struct keyring_wrap *w, struct key_service *service,
                struct secret **ret) KS_MUST;
/* wrap_probe(k, w, service): unwraps the wrap's canary and compares it. */
ks_rc wrap_probe(const struct keyring *k, const struct keyring_wrap *w,
                 struct key_service *service) KS_MUST;

/* data_key_make(k, store_key, now_s, random): a new generation with a fresh key, the newest from now on. */
ks_rc data_key_make(struct keyring *k, struct view store_key, int64_t now_s,
                    struct random *random) KS_MUST;
/* store_key_make(random, ret): a fresh store key. */
ks_rc store_key_make(struct random *random, struct secret **ret) KS_MUST;
