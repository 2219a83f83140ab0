/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/volume_shot.h - what a small volume looks like from outside, to be compared with what it was.
 *
 * For tests with cmocka. Everything that a program can see is in it: names, kinds, owners, modes, links, extended
 * attributes, targets and contents.
 */
#pragma once

#include "volume_fixture.h"

/* The name whose contents stand apart, so that they can be compared block by block. */
#define SHOT_FILE "work"
#define SHOT_LONG_NAME                                                                             \
    "a name that is so long that its cipher text does not fit into a name of the file system "     \
    "below: "                                                                                      \
    "it is kept in a file of its own, and what stands in the directory is its hash; which takes "  \
    "more "                                                                                        \
    "calls, and each of them can fail"

enum { SHOT_TEXT_BYTES = 8192, SHOT_FILE_BYTES = 64000 };

struct shot {
    char text[SHOT_TEXT_BYTES]; /* a line for each name that may be there */
    uint8_t bytes[SHOT_FILE_BYTES];
    size_t len; /* of the contents of SHOT_FILE; zeros behind */
};

/* A modification time that shows in a shot. */
enum { SHOT_MTIME_S = 1234567 };

/* shot_take(f, ret): all of the volume; ends the test when something cannot be read, or when the root lists other names
 * than those that are looked for. */
void shot_take(struct fixture *f, struct shot *ret);
bool shot_is_same(const struct shot *a, const struct shot *b);
