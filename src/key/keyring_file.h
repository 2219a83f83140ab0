/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key/keyring_file.h - the keyring's two copies on disk, and the lock that guards them.
 *
 * Files in the backing directory: "keyring.0", "keyring.1", "lock". A new keyring is written to one copy,
 * made durable, then to the other; the newest copy whose sum is right wins. The lock is taken
 * before anything is read (a keyring read before the lock may be old by the time it is used).
 */
#pragma once

#include "io/io.h"
#include "key/keyring.h"

struct keyring_file; /* thread-safe only through its owner */

/*
 * keyring_file_open(io, dir, is_exclusive, ret): takes the lock when is_exclusive (BUSY names the
 * way out), else reads without it. NOT_FOUND when dir holds no keyring; CORRUPT when neither copy is whole;
 * NEWER_VERSION. dir stays the caller's and must outlive it.
 */
ks_rc keyring_file_open(struct io *io, struct io_node *dir, bool is_exclusive,
                        struct keyring_file **ret) KS_MUST;
/* keyring_file_create(io, dir, k, mac_key, ret): EXISTS when there is one; holds the lock on return. */
ks_rc keyring_file_create(struct io *io, struct io_node *dir, struct keyring *k,
                          struct view mac_key, struct keyring_file **ret) KS_MUST;
void keyring_file_close(struct keyring_file *f);

/*
 * keyring_file_keep_to(f, volume_id): from now on a copy of another volume (its id, hex) is what a damaged one is: never current, nor fallen
 * back to, and replaced when the keyring is mended. FOREIGN when no copy is this volume's.
 */
ks_rc keyring_file_keep_to(struct keyring_file *f, const char *volume_id) KS_MUST;
/* keyring_file_foreign(f): the name of such a copy; NULL: there was none. */
const char *keyring_file_foreign(const struct keyring_file *f);

/* keyring_file_stale(f): the name of a copy that is not known to hold the current keyring; NULL: both do. */
const char *keyring_file_stale(const struct keyring_file *f);
/* keyring_file_is_mended(f): whether both copies are whole and the same. */
bool keyring_file_is_mended(const struct keyring_file *f);
/* The newest keyring as read or written last. */
const struct keyring *keyring_file_current(const struct keyring_file *f);
/* keyring_file_name(f): of the copy that holds it, for people: "keyring.0" or "keyring.1". */
const char *keyring_file_name(const struct keyring_file *f);

/*
 * keyring_file_authenticate(f, mac_key): checks the MAC of the current keyring; when it is wrong and the
 * other copy is whole and right under mac_key, that one becomes current; else AUTH. *ret_fell_back tells.
 * The store key may differ between copies: the caller repeats its unwrap after a fall-back.
 */
ks_rc keyring_file_authenticate(struct keyring_file *f, struct view mac_key,
                                bool *ret_fell_back) KS_MUST;
/* keyring_file_is_authentic(f): whether the current keyring was authenticated, or is one that we wrote. */
bool keyring_file_is_authentic(const struct keyring_file *f);
/* keyring_file_fall_back(f): makes the other copy current, for callers that find that no key opens the
 * newest one. False, and nothing changed, when there is no other whole copy that differs. */
bool keyring_file_fall_back(struct keyring_file *f);

/*
 * keyring_file_replace(f, k, mac_key): gives k the next sequence and makes it durable, copy by copy.
 * STATE without the lock or before keyring_file_authenticate.
 * When it fails before the first copy is durable the old keyring stands; when only the second copy fails,
 * it has succeeded, and the other stays as it was, with what the change took out of it, until keyring_file_mend, an open or
 * another replace writes it. Takes a copy of k.
 */
ks_rc keyring_file_replace(struct keyring_file *f, const struct keyring *k,
                           struct view mac_key) KS_MUST;
/* keyring_file_mend(f): rewrites a copy that is old or damaged from the current bytes. STATE without
 * the lock, and before the current keyring was authenticated: a forged copy must not replace a good one. */
ks_rc keyring_file_mend(struct keyring_file *f) KS_MUST;
