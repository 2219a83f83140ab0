/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/stretched.h - root keys stretched from passphrases, which the clients of one volume hand to each other.
 *
 * Stretching takes most of a second and much memory on purpose. Who changes a volume and who probes it have clients of
 * their own for the same key store, and the second need not do what the first has done. A key is found under the
 * salt and the cost that it was stretched with and under no other, so a store that got another passphrase finds
 * none. Guarded memory only, wiped with the struct. Thread-safe; nobody waits here while another stretches.
 */
#pragma once

#include "base/secret.h"
#include "crypto/pwhash.h"

/* As many as a volume has wraps in use; one more takes the place of the oldest. */
enum { STRETCHED_MAX = 8 };

struct stretched;

ks_rc stretched_new(struct stretched **ret) KS_MUST;
/* stretched_free(s): wipes every key; NULL does nothing. */
void stretched_free(struct stretched *s);

/* stretched_find(s, salt, cost, key): whether there is one, as long as key; key is filled then, else left alone. s NULL:
 * there is none. */
bool stretched_find(struct stretched *s, const uint8_t salt[PWHASH_SALT_BYTES],
                    struct pwhash_cost cost, struct secret *key) KS_MUST;
/* stretched_keep(s, salt, cost, key): keeps a copy. The caller has proven key, by its store's commitment. s NULL: keeps
 * nothing. MEMLOCK, NO_MEMORY. */
ks_rc stretched_keep(struct stretched *s, const uint8_t salt[PWHASH_SALT_BYTES],
                     struct pwhash_cost cost, const struct secret *key) KS_MUST;
