/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/passphrases.h - passphrases that a volume process was given, for when they are needed again.
 *
 * A volume process asks its key service from two places (changes and probes), and long after whoever typed the
 * passphrase has gone. Kept in guarded memory only, until the process ends; it is worth no more there than
 * the stretched key that the driver keeps beside it.
 */
#pragma once

#include <pthread.h>

#include "base/secret.h"
#include "key/keyring.h"

enum { PASSPHRASES_MAX = KEYRING_ACTIVE_MAX, PASSPHRASES_WHAT_BYTES = 256 };

struct passphrases {
    ks_rc (*ask)(void *arg, const char *what, struct secret **ret) KS_MUST;
    void *arg;
    pthread_mutex_t mutex; /* held while somebody is asked, so that nobody is asked twice */
    size_t count;
    struct {
        char what[PASSPHRASES_WHAT_BYTES];
        struct secret *passphrase;
    } kept[PASSPHRASES_MAX];
};

/* passphrases_init(p, ask, arg): nothing is kept yet; ask is asked for what is not. */
void passphrases_init(struct passphrases *p,
                      ks_rc (*ask)(void *arg, const char *what, struct secret **ret), void *arg);
void passphrases_done(struct passphrases *p);

/* passphrases_get(p, what, ret): the passphrase function of a backing_conf, with p as argument; thread-safe. Classes as ask. */
ks_rc passphrases_get(void *p, const char *what, struct secret **ret) KS_MUST;
