/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/e2e/recorded.c - the program itself, but recording what it does to the host's file system.
 *
 * Linked around the program with --wrap=io_posix: whoever asks for the host's file system gets a recording one
 * (io/record.h) in front of it when KEYSTEAD_TEST_RECORD names a file to be made, else the plain one. Never part of
 * the product.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/record.h"

struct io *__real_io_posix(void); /* NOLINT(bugprone-reserved-identifier): the linker's name */
struct io *__wrap_io_posix(void); /* NOLINT(bugprone-reserved-identifier) */

static struct io *recording;

static void begin(void)
{
    const char *path = getenv("KEYSTEAD_TEST_RECORD");

    recording = __real_io_posix();
    if (path && !ks_ok(record_new(__real_io_posix(), path, &recording))) {
        fprintf(stderr, "cannot make the record %s\n", path);
        abort();
    }
}

struct io *__wrap_io_posix(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, begin);
    return recording;
}
