/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/stress.h - the model of one thread of fsstress, and what compares the tree with it.
 *
 * An entry is a name in a directory, an object is what it names: a file has one entry or more. A file is made of chunks,
 * and each chunk says which file, chunk and version it is, so that a wrong one tells where it comes from.
 * A worker belongs to one thread; its functions end the process at a difference.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "rng.h"

enum {
    CHUNK_BYTES = 1000,
    CHUNKS_MAX = 200,
    ENTRIES = 160,
    NAME_BYTES = 256,
    PATH_BYTES = PATH_MAX,
    LEVELS_MAX = 8,
    IN_OWN = -1,    /* parents that are not entries: the worker's own directory */
    IN_SHARED = -2, /* and the one of all */
    WITH_OBJECT = ENTRIES,
};

enum type { A_FILE, A_DIRECTORY, A_SYMLINK, TYPE_COUNT };

struct object {
    unsigned links; /* 0: free */
    uint64_t id;
    unsigned size;                 /* in chunks */
    uint32_t versions[CHUNKS_MAX]; /* 0: zeros */
};

struct entry {
    bool is_used;
    enum type type;
    int parent; /* an entry, or IN_... */
    unsigned object;
    char name[NAME_BYTES];
};

struct worker {
    unsigned number;
    uint64_t now, ids;
    uint32_t version;
    struct rng rng;
    struct entry entries[ENTRIES];
    struct object objects[ENTRIES];
};

/* stress_workers(dir, count, seed): models of nothing yet; to be freed. NULL: no memory. */
struct worker *stress_workers(const char *dir, unsigned count, uint64_t seed);
/* stress_shared(): the directory of all. stress_root(w, path): the worker's own. */
const char *stress_shared(void);
void stress_root(const struct worker *w, char path[static PATH_BYTES]);
void stress_path(const struct worker *w, const struct entry *e, char path[static PATH_BYTES]);

void stress_fail(const struct worker *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));

/* stress_new_entry(w, type, object): with a new name in some directory, for an object that is there or a new one
 * (WITH_OBJECT). NULL: no room. */
struct entry *stress_new_entry(struct worker *w, enum type type, unsigned object);
/* stress_pick(w, type): any entry of the type, or NULL. */
struct entry *stress_pick(struct worker *w, enum type type);
void stress_drop(struct worker *w, struct entry *e);
/* stress_move(w, e): to a new name in some directory; false when that would be below itself or too deep. */
bool stress_move(struct worker *w, struct entry *e);
/* stress_may_replace(w, e, over): they are two objects, neither is inside the other, and it does not get too deep. */
bool stress_may_replace(const struct worker *w, const struct entry *e, const struct entry *over);
/* stress_replace(w, e, over): e takes over's name; over is gone. */
void stress_replace(struct worker *w, struct entry *e, struct entry *over);
bool stress_has_children(const struct worker *w, const struct entry *e);
/* stress_is_below(w, e, above): e is above or somewhere below it. */
bool stress_is_below(const struct worker *w, const struct entry *e, const struct entry *above);

/* stress_new_version(w, o, first, count): these chunks are written; the file grows to hold them. */
void stress_new_version(struct worker *w, struct object *o, unsigned first, unsigned count);
void stress_resize(struct object *o, unsigned size);
void stress_chunk(const struct worker *w, const struct object *o, unsigned index,
                  uint8_t out[static CHUNK_BYTES]);
void stress_target(const struct worker *w, unsigned object, char out[static NAME_BYTES]);

/* Comparing. stress_check_tree: all that the worker made. stress_check_shared: nothing else is in the directory
 * of all; the number of all entries. */
void stress_check_bytes(const struct worker *w, int fd, const struct object *o);
void stress_check_entry(const struct worker *w, const struct entry *e, bool is_with_contents);
void stress_check_listing(const struct worker *w, const struct entry *dir);
void stress_check_tree(const struct worker *w);
unsigned long stress_check_shared(const struct worker *workers, unsigned count);
