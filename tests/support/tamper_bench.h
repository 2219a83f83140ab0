/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/tamper_bench.h - two volumes on one disk in memory, as their users see them and as a meddler does.
 *
 * Both hold the files "one" and "two" with the same contents, under keys of their own. cmocka's setup and teardown, and
 * assertions inside.
 */
#pragma once

#include "io_help.h"

#include "volume/names.h"
#include "volume/survey.h"
#include "volume/volume.h"
#include "volume_fixture.h"

enum {
    TAMPER_PAYLOAD = 3584,
    TAMPER_PAGE = 4096,
    TAMPER_BLOCKS = 4,
    TAMPER_BYTES = TAMPER_BLOCKS * TAMPER_PAYLOAD
};

struct tamper {
    struct io *io;
    struct fixture_keys *keys, *other_keys;
    struct fixture *f, *other;
    uint8_t one[TAMPER_BYTES], two[TAMPER_BYTES];
    /* what the last survey told, and of that the last */
    unsigned told;
    char unfinished[64]; /* path of the last unfinished file */
    char path[2 * IO_NAME_BYTES], what[512];
    uint64_t block;
};

int tamper_setup(void **state);
int tamper_teardown(void **state);
/* tamper_restart(t): the first volume is opened again, and nothing is known of any file. */
void tamper_restart(struct tamper *t);

/* tamper_write(f, name, is_new, bytes, len, at): written by a user, and synced. */
void tamper_write(struct fixture *f, const char *name, bool is_new, const void *bytes, size_t len,
                  uint64_t at);
/* tamper_cipher(f, kind, name): the name in cipher, found as a meddler who knows the plain one would by trying. One of two static places. */
const char *tamper_cipher(struct fixture *f, enum name_kind kind, const char *name);

/* tamper_survey(t): of the first volume, with its keys. tamper_count(t): without them. */
struct survey tamper_survey(struct tamper *t);
struct survey tamper_count(struct tamper *t);
/* tamper_expect(t, files, blocks, names): that much is damaged, and nothing else. tamper_expect_beside: the same for what objects hold
 * besides contents. */
void tamper_expect(struct tamper *t, uint64_t files, uint64_t blocks, uint64_t names);
void tamper_expect_beside(struct tamper *t, uint64_t targets, uint64_t attributes,
                          uint64_t records);
/* tamper_expect_told(t, path, block, what): the last survey told one thing only, of that path and block, and what is part of why. */
void tamper_expect_told(const struct tamper *t, const char *path, uint64_t block, const char *what);
