/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/root.h - the root key of a state directory: 32 bytes that open it, from something that is kept elsewhere.
 *
 * Sources: a key file (also one that a service manager hands over as a credential), a passphrase, or a key at another key
 * service, an HSM above all, under which a random root key is wrapped. DIR/root.json says which, with the salt and the cost of the
 * passphrase, or the name of that key and the wrap; it holds no secret.
 */
#pragma once

#include "base/key_spec.h"
#include "base/random.h"
#include "base/secret.h"
#include "io/io.h"

enum { ROOT_BYTES = 32 };

struct root_conf {
    struct io *io;
    const char *dir;
    const char *key_file; /* at least 32 random bytes; NULL: a passphrase, or spec */
    const struct key_spec
        *spec; /* of a new directory: the key that wraps the root key; NULL: none */
    ks_rc (*passphrase)(void *arg, const char *what, struct secret **ret) KS_MUST;
    void *passphrase_arg;
    struct random *random;
    uint64_t pwhash_ops, pwhash_mem_bytes; /* of a new passphrase; 0: the default */
};

/* root_make(conf, ret): for a new state directory, which exists: writes DIR/root.json (EXISTS when it is there), and the
 * key file when that does not exist. */
ks_rc root_make(const struct root_conf *conf, struct secret **ret) KS_MUST;
/* root_open(conf, ret): NOT_FOUND when the directory has none, USAGE when it opens with the other source, CREDENTIAL,
 * FORMAT. Whether it is the right one shows when the store is opened. */
ks_rc root_open(const struct root_conf *conf, struct secret **ret) KS_MUST;
