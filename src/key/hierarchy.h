/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key/hierarchy.h - opening the hierarchy from its wraps, and rotating each of its levels.
 *
 * Every change makes a whole new keyring and replaces the old one in one durable step, so a crash
 * leaves the old state or the new one and there is nothing to resume. New wraps are verified by really
 * unwrapping them before the keyring is written.
 */
#pragma once

#include <pthread.h>

#include "base/clock.h"
#include "base/random.h"
#include "key/keyring_file.h"
#include "key/keyset.h"
#include "key/service.h"

/* What all of these work with; borrowed. */
struct hierarchy {
    struct keyring_file *file;
    struct key_service *service;
    struct clock *clock;
    struct random *random;
    /* Held around each use of file, never while the key service is asked, so that a quick change does not
     * wait for a rotation that hangs. A change that finds the keyring changed meanwhile is BUSY and
     * changes nothing. NULL: nobody else uses file. */
    pthread_mutex_t *file_mutex;
    /* A keyring with a lower sequence is not opened: somebody has seen this one. 0: any is. */
    uint64_t sequence_min;
};

/* hierarchy_build(k, specs, count, service, ...): fills a new keyring: store key, first data key, name
 * key, one wrap per spec, each verified. k has its texts, settings, payload and volume id set. */
ks_rc hierarchy_build(struct keyring *k, const struct key_spec *specs, size_t count,
                      struct key_service *service, struct clock *clock, struct random *random,
                      struct keyset **ret) KS_MUST;

/* hierarchy_check_newest(k, sequence_min): ROLLED_BACK for a keyring below it. */
ks_rc hierarchy_check_newest(const struct keyring *k, uint64_t sequence_min) KS_MUST;

/*
 * hierarchy_open(h, ret): unwraps any one active wrap, checks commitment and MAC, opens the keyset.
 * When none opens: DENIED only if all were denied, else the most hopeful class (UNREACHABLE before
 * DENIED before CORRUPT), with each wrap's reason in the text. ROLLED_BACK for a keyring below h->sequence_min, before anybody is
 * asked for a key; a sequence that no key vouches for does not help it.
 */
ks_rc hierarchy_open(struct hierarchy *h, struct keyset **ret) KS_MUST;

/* hierarchy_probe(k, service, ret_wrap_id): really unwraps canaries until one is granted; classes as
 * hierarchy_open. Touches no secret but the canary. Thread-safe for an immutable k. */
ks_rc hierarchy_probe(const struct keyring *k, struct key_service *service,
                      uint32_t *ret_wrap_id) KS_MUST;

/*
 * hierarchy_settle(h): both copies of the keyring hold the newest change. A change has succeeded when one copy does; what it took away is
 * gone when the other does too. Tries once more to write a copy that is behind; when that fails the change stands all the same, and the
 * text says in which copy and what to do. rotate_cmek and remove_wrap end with it. After rotate_store and destroy_data_keys it is their
 * caller's, who first takes the new keyset into use: that is the one to work with, whatever this one says.
 */
ks_rc hierarchy_settle(struct hierarchy *h) KS_MUST;

/* hierarchy_rotate_cmek(h, keys, wrap_id, spec): the wrap (0: every active one) is replaced by one under
 * spec, or under the current version of the same CMEK when spec is NULL; the old one is retired.
 * NOT_FOUND, STATE; service errors leave everything as it was. */
ks_rc hierarchy_rotate_cmek(struct hierarchy *h, const struct keyset *keys, uint32_t wrap_id,
                            const struct key_spec *spec) KS_MUST;
/* hierarchy_rotate_store(h, keys, ret): a new store key under every active CMEK, all local keys
 * rewrapped; *ret is the new keyset. */
ks_rc hierarchy_rotate_store(struct hierarchy *h, const struct keyset *keys,
                             struct keyset **ret) KS_MUST;
/* hierarchy_rotate_data(h, keys, ret): a new generation; *ret is the new keyset. */
ks_rc hierarchy_rotate_data(struct hierarchy *h, const struct keyset *keys,
                            struct keyset **ret) KS_MUST;
/* hierarchy_destroy_data_keys(h, keys, generations, count, ret): these older data keys are gone for ever, in one
 * step; *ret is the new keyset. Blocks under them cannot be read any more: the caller has made sure that there are
 * none. NOT_FOUND; STATE for the newest and for destroyed ones. */
ks_rc hierarchy_destroy_data_keys(struct hierarchy *h, const struct keyset *keys,
                                  const uint32_t *generations, size_t count,
                                  struct keyset **ret) KS_MUST;
/* hierarchy_add_wrap(h, keys, spec, ret_id): EXISTS when spec has an active wrap, LIMIT. */
ks_rc hierarchy_add_wrap(struct hierarchy *h, const struct keyset *keys,
                         const struct key_spec *spec, uint32_t *ret_id) KS_MUST;
/* hierarchy_remove_wrap(h, keys, id): retires it; STATE for the last active one. */
ks_rc hierarchy_remove_wrap(struct hierarchy *h, const struct keyset *keys, uint32_t id) KS_MUST;
/* hierarchy_set_settings(h, keys, settings): USAGE for values out of range. */
ks_rc hierarchy_set_settings(struct hierarchy *h, const struct keyset *keys,
                             const struct keyring_settings *settings) KS_MUST;
