/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/survey.h - walking a whole backing tree: how many bytes each generation holds, and whether every
 * block is sound.
 *
 * Counting needs no key: a block says in clear which generation sealed it; names, targets of symlinks and attributes are not looked at
 * then. Verifying decrypts everything.
 * Both can run beside a working mount: verifying takes the locks that readers take. A count taken then is an upper bound for every generation but the
 * newest, because old ones only shrink.
 */
#pragma once

#include "base/clock.h"
#include "io/io.h"
#include "key/keyring.h"
#include "volume/volume.h"

enum { SURVEY_GENERATIONS_MAX = KEYRING_DATA_KEYS_MAX };

struct survey_generation {
    uint32_t generation;
    uint64_t blocks, bytes; /* bytes = blocks * 4096 on disk */
};

struct survey {
    uint64_t files, directories, other, blocks, holes, bytes_seen, files_damaged, blocks_damaged,
        names_damaged, targets_damaged, attributes_damaged,
        records_damaged, /* of long names, whether or not anything refers to them */
        /* unfinished: without a header, as a power loss leaves what was never made durable, or as one leaves it who zeroes the header;
         * what they hold counts to the generations it names, and cannot be verified */
        files_unfinished, blocks_unfinished;
    size_t generation_count;
    struct survey_generation *generations; /* owned; ascending */
};

struct survey_conf {
    struct io *io;
    struct io_node *tree, *long_names;
    uint8_t volume_id[KEYRING_ID_BYTES];
    uint32_t block_payload;
    /* Whose keys to verify with, door open; NULL: count only. Offline commands make one with volume_new,
     * volume_set_keys and volume_set_door; a mount gives its own, and a lock ends the walk with LOCKED. */
    struct volume *volume;
    unsigned
        threads; /* that look at files; 0: one for each processor when verifying, one when counting */
    /* damaged(arg, path, block, what): each damaged block; block UINT64_MAX: the file or name itself, the target of a symlink, an
     * attribute, and what says which. path is the plaintext path where names could be decrypted, else the backing path; "long/..." without
     * a slash in front is the record of a long name, which is also told with every name that needs it. In no particular order, from several threads,
     * one at a time, like progress. NULL: none */
    void (*damaged)(void *arg, const char *path, uint64_t block, const char *what);
    /* unfinished(arg, path): each unfinished file; path and threads as with damaged. NULL: none */
    void (*unfinished)(void *arg, const char *path);
    /* progress(arg, bytes_seen): about once per MiB, and of what has no bytes (names, records) once for a few hundred; false stops the walk with BUSY. NULL: none */
    bool (*progress)(void *arg, uint64_t bytes_seen);
    void *arg;
};

/* survey_run(conf, ret): damage is counted, not an error; IO and others end the walk. */
ks_rc survey_run(const struct survey_conf *conf, struct survey *ret) KS_MUST;
void survey_done(struct survey *s);
/* survey_is_sound(s): nothing of what was looked at is damaged. */
bool survey_is_sound(const struct survey *s);
