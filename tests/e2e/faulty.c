/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/e2e/faulty.c - the program itself, on a file system that fails as it is told while it runs.
 *
 * Linked around the program with --wrap=io_posix: when KEYSTEAD_TEST_FAULTS names a file, each write and sync of the
 * backing directory looks there first. The file is a JSON list of what is armed (harness/faults.py writes it):
 * {"call": "sync", "ino": inode number of the backing object or 0 for any, "errno": 5, "times": 1}. A call that is met
 * fails with the errno before it reaches the file system; with errno 0 it is held like on a disk that stands still:
 * until whoever opens the fifo beside the file (its name and ".hold") for writing closes it again. times counts down
 * to 0. Never part of the product.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "io/io.h"

struct io *__real_io_posix(void); /* NOLINT(bugprone-reserved-identifier): the linker's name */
struct io *__wrap_io_posix(void); /* NOLINT(bugprone-reserved-identifier) */

enum { MET_NOTHING = -1, MET_HOLD = 0 }; /* else an errno */

static struct {
    struct io io; /* first */
    struct io_ops ops;
    struct io *below;
    const char *path;
} faulty;

static void check(bool is_ok, const char *what)
{
    if (is_ok)
        return;
    fprintf(stderr, "faults in %s: cannot %s: %s\n", faulty.path, what, strerror(errno));
    abort();
}

static json_int_t number(const json_t *rule, const char *name)
{
    return json_integer_value(json_object_get(rule, name));
}

static bool is_met(const json_t *rule, const char *call, uint64_t ino)
{
    uint64_t wanted = (uint64_t)number(rule, "ino");

    return number(rule, "times") > 0 && (wanted == 0 || wanted == ino) &&
           strcmp(json_string_value(json_object_get(rule, "call")), call) == 0;
}

/* use_up(rules, call, ino): the errno of the first rule that is met, which counts down. */
static int use_up(json_t *rules, const char *call, uint64_t ino)
{
    json_t *rule;
    size_t n;

    json_array_foreach(rules, n, rule)
    {
        if (is_met(rule, call, ino)) {
            json_object_set_new(rule, "times", json_integer(number(rule, "times") - 1));
            return (int)number(rule, "errno");
        }
    }
    return MET_NOTHING;
}

static void write_back(int fd, const json_t *rules)
{
    check(lseek(fd, 0, SEEK_SET) == 0 && ftruncate(fd, 0) == 0 && json_dumpfd(rules, fd, 0) == 0,
          "write them");
}

/* The file's lock is held meanwhile, by the tests too. */
static int meet(const char *call, uint64_t ino)
{
    int fd = open(faulty.path, O_RDWR | O_CLOEXEC);

    check(fd >= 0 && flock(fd, LOCK_EX) == 0, "open them");
    json_t *rules = json_loadfd(fd, 0, NULL);
    check(json_is_array(rules), "read them");
    int met = use_up(rules, call, ino);
    if (met != MET_NOTHING)
        write_back(fd, rules);
    json_decref(rules);
    close(fd);
    return met;
}

static void stand_still(void)
{
    char path[4096], byte;

    snprintf(path, sizeof path, "%s.hold", faulty.path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    check(fd >= 0 && read(fd, &byte, 1) == 0, "wait for the release");
    close(fd);
}

static ks_rc step(const char *call, const struct stat *st)
{
    int met = meet(call, st->st_ino);

    if (met == MET_HOLD)
        stand_still();
    return met > 0 ? ks_os(met) : KS_SUCCESS;
}

static ks_rc step_file(const char *call, struct io_file *file)
{
    struct stat st;

    TRY(faulty.below->ops->file_stat(faulty.below, file, &st));
    return step(call, &st);
}

static ks_rc faulty_pwrite(struct io *io, struct io_file *file, const void *in, size_t len,
                           uint64_t at)
{
    (void)io;
    TRY(step_file("pwrite", file));
    return faulty.below->ops->pwrite(faulty.below, file, in, len, at);
}

static ks_rc faulty_sync(struct io *io, struct io_file *file, bool is_data_only)
{
    (void)io;
    TRY(step_file("sync", file));
    return faulty.below->ops->sync(faulty.below, file, is_data_only);
}

static ks_rc faulty_sync_dir(struct io *io, struct io_node *dir)
{
    struct stat st;

    (void)io;
    TRY(faulty.below->ops->stat(faulty.below, dir, &st));
    TRY(step("sync_dir", &st));
    return faulty.below->ops->sync_dir(faulty.below, dir);
}

/* The other operations are those of the host's file system, which has one object for all. */
static void begin(void)
{
    faulty.path = getenv("KEYSTEAD_TEST_FAULTS");
    faulty.below = __real_io_posix();
    faulty.ops = *faulty.below->ops;
    if (faulty.path) {
        faulty.ops.pwrite = faulty_pwrite;
        faulty.ops.sync = faulty_sync;
        faulty.ops.sync_dir = faulty_sync_dir;
    }
    faulty.io.ops = &faulty.ops;
}

struct io *__wrap_io_posix(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, begin);
    return &faulty.io;
}
