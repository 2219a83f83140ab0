/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/secret.h - bytes that must never leave this process's locked memory.
 *
 * A secret lives in libsodium's guarded heap: guard pages, canary, locked, left out of core files,
 * wiped when freed. There is no way to print one. A pool holds many small secrets of one size in
 * few guarded slabs, because each guarded allocation costs four pages.
 */
#pragma once

#include "base/rc.h"
#include "base/view.h"

struct secret;
struct secret_pool;

/* secret_init(): once per process before any secret; BUG if libsodium cannot start. */
ks_rc secret_init(void) KS_MUST;

/* secret_new(len, ret): len zeroed guarded bytes. MEMLOCK when they cannot be locked (the text
 * names the limit and the way out), NO_MEMORY, IO without random bytes for the canary. Free with secret_free. */
ks_rc secret_new(size_t len, struct secret **ret) KS_MUST;
/* secret_copy(v, ret): a new secret with these bytes; the caller wipes its own copy. */
ks_rc secret_copy(struct view v, struct secret **ret) KS_MUST;
/* secret_free(s): wipes and frees; NULL does nothing. */
void secret_free(struct secret *s);
void secret_freep(struct secret **s);

/* secret_bytes(s), secret_view(s): valid while the secret lives. */
uint8_t *secret_bytes(struct secret *s);
struct view secret_view(const struct secret *s);
/* secret_is_equal(a, b): constant time in the contents, not in the length. */
bool secret_is_equal(struct view a, struct view b);

/* secret_allow_swap(allow): with allow, memory that cannot be locked is used all the same. */
void secret_allow_swap(bool allow);

/*
 * secret_pool_new(slot_bytes, ret): a pool of secrets of one size (1..4096 bytes); thread-safe.
 * secret_pool_get: a zeroed slot; MEMLOCK, NO_MEMORY. secret_pool_put: wipes and gives back.
 * secret_pool_free: wipes and frees all, slots in use too; none may be touched afterwards.
 */
ks_rc secret_pool_new(size_t slot_bytes, struct secret_pool **ret) KS_MUST;
ks_rc secret_pool_get(struct secret_pool *p, void **ret_slot) KS_MUST;
void secret_pool_put(struct secret_pool *p, void *slot);
void secret_pool_free(struct secret_pool *p);
