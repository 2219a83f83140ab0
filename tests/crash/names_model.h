/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/crash/names_model.h - a small volume on a crash file system beside a model of its tree, and steps that
 * change both.
 *
 * The model keeps the tree after each step, and for each file its contents (versions.h). It knows which tree is
 * durable: what a sync covers is what io/crash.h says, lifted to the plain tree: the newest change that
 * concerns the object, and all before it.
 */
#pragma once

#include "check.h"

#include "versions.h"
#include "volume_fixture.h"

enum {
    ROOT, /* the objects that are there at the start */
    DIR_D,
    FILE_A,
    FILE_B,
    FILE_LONG,
    FILE_C,
    FIRST_NEW,
    OBJECTS_MAX = 16,
    ENTRIES_MAX = 16,
    SNAPSHOTS_MAX = 16,
    NONE = 999,
};

struct object {
    mode_t type;
    uid_t owner;
    const char *target; /* of a symlink */
    struct versions data;
    struct inode *i;
    struct handle *h;
};

struct entry {
    size_t dir, object;
    const char *name;
};

/* What an object says of itself. */
struct attrs {
    mode_t mode;      /* permissions; of a symlink they mean nothing */
    time_t mtime;     /* as it was set; 0: something else has changed it since */
    const char *note; /* the value of user.note; NULL: none */
};

/* The tree after a step. */
struct snapshot {
    struct entry entries[ENTRIES_MAX];
    size_t count;
    struct attrs attrs[OBJECTS_MAX]; /* of each object */
    size_t time;                     /* crash_time when the step that made it was complete */
    uint64_t concerned;              /* bit n: a sync of object n makes it durable */
    uint64_t is_making;              /* of those: also a sync of data only */
};

struct world {
    struct io *io;
    struct fixture_keys *keys;
    struct fixture *f;
    struct object objects[OBJECTS_MAX];
    size_t object_count;
    struct snapshot snapshots[SNAPSHOTS_MAX];
    size_t snapshot_count, durable; /* the oldest one that may show */
    struct caller who;              /* makes what is made from now on */
    uint8_t filler;
    size_t states, mismatches;
    bool is_counting; /* mismatches are counted, not failures */
    char steps[512];
};

/* One operation; one that does not apply to the tree as it is does nothing. */
struct step {
    const char *text;
    void (*run)(struct world *, const struct step *);
    const char *what,
        *to; /* "a", "d/a", or "#2" for an object of the start, whatever its name is now */
    size_t at, len;
};

/* names_steps: every operation on names and contents that is tested; names_step_count of them. */
extern const struct step names_steps[];
extern const size_t names_step_count;

/* names_begin(w): a fresh file system with a durable volume: d/, d/c, a, b and a file with a long name, all open.
 * w->keys is there already. */
void names_begin(struct world *w);
void names_end(struct world *w);
/* names_step_done(w): notes that the step under way is complete; whether it made a new tree or new contents. */
bool names_step_done(struct world *w);
/* names_claim_durable(w, object): as after a sync of the object. */
void names_claim_durable(struct world *w, size_t object, bool is_data_only);

/* Steps for tests of the oracle. */
void names_do_rename(struct world *w, const struct step *s);
void names_do_rename_in_two_steps(struct world *w,
                                  const struct step *s); /* what must be seen to be wrong */
void names_do_write(struct world *w, const struct step *s);
