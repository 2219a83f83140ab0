/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/volume_fixture.h - an opened volume on any io back end, for tests.
 *
 * The keys are real ones under a key service that wraps by copying. The back end's root must be an empty
 * directory or hold the tree of an earlier fixture with the same keys.
 */
#pragma once

#include "io/io.h"
#include "key/keyset.h"
#include "volume/volume.h"

/* What stays the same over all openings of one volume. */
struct fixture_keys {
    struct keyring *keyring;
    struct keyset *keys; /* each opening gets a copy made from the keyring */
};

struct fixture {
    struct io *io;
    struct io_node *root, *tree, *long_names;
    struct volume *v;
    unsigned alerts;
};

ks_rc fixture_keys_new(uint32_t payload, struct fixture_keys **ret) KS_MUST;
/* fixture_keys_rotate(k): one more data key generation, for openings from now on. */
ks_rc fixture_keys_rotate(struct fixture_keys *k) KS_MUST;
/* fixture_keys_destroy(k, generation): that data key is gone, for openings from now on. */
ks_rc fixture_keys_destroy(struct fixture_keys *k, uint32_t generation) KS_MUST;
/* fixture_keys_again(k, ret): the same keys once more, for volume_set_keys. */
ks_rc fixture_keys_again(struct fixture_keys *k, struct keyset **ret) KS_MUST;
void fixture_keys_free(struct fixture_keys *k);

/* fixture_layout(io, path): makes tree/ and long/ under path, durable. */
ks_rc fixture_layout(struct io *io, const char *path) KS_MUST;
/* fixture_open(io, path, k, ret): the volume under path, door open. */
ks_rc fixture_open(struct io *io, const char *path, struct fixture_keys *k,
                   struct fixture **ret) KS_MUST;
void fixture_close(struct fixture *f);

/* fixture_in_memory(payload, ret_io, ret_keys, ret): a new volume on a disk in memory, which a crash may hit. It ends with
 * fixture_in_memory_free, with f as it is opened then, or NULL. */
ks_rc fixture_in_memory(uint32_t payload, struct io **ret_io, struct fixture_keys **ret_keys,
                        struct fixture **ret) KS_MUST;
void fixture_in_memory_free(struct io *io, struct fixture_keys *k, struct fixture *f);

/* fixture_rotate(f, k): one more data key generation, and f writes under it from now on. */
ks_rc fixture_rotate(struct fixture *f, struct fixture_keys *k) KS_MUST;

/* fixture_file(f, name, is_new, ret, ret_handle): a file of the root, created or looked up, and opened. Both are
 * given back with fixture_file_close. */
ks_rc fixture_file(struct fixture *f, const char *name, bool is_new, struct inode **ret,
                   struct handle **ret_handle) KS_MUST;
void fixture_file_close(struct fixture *f, struct inode *i, struct handle *h);
/* fixture_write(f, name, is_new, bytes, len): from the start of a file of the root, which is closed again. */
ks_rc fixture_write(struct fixture *f, const char *name, bool is_new, const void *bytes,
                    size_t len) KS_MUST;
