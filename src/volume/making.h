/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/making.h - where a new object is made.
 *
 * A process that runs as root makes objects for others and gives them away: two operations of the host, between
 * which a power loss may come, and then the object would stand in its place with a wrong owner, closed to whom it
 * belongs. Such an object is therefore made aside, under a name of its own in the directory of long names, and gets
 * its place when it is complete. Everything else is made in its place. Private to volume/.
 */
#pragma once

#include "volume/volume_int.h"

enum { MAKING_NAME_BYTES = 16 };

struct making {
    struct volume *v;
    struct io_node *at; /* where the object is, or is to be made, and under which name */
    const char *name;
    struct io_node *dir; /* its place */
    const char *place;
    int spot; /* its number aside; -1: in place */
    char spot_name[MAKING_NAME_BYTES];
};

/* making_begin(v, dir, place, who, ret): where to make the object that is to be place (in cipher) in dir. place is
 * borrowed, and *ret points into itself: it must stay where it is. Paired with making_end, also when it fails. BUSY when too many are being made. */
ks_rc making_begin(struct volume *v, struct inode *dir, const char *place, const struct caller *who,
                   struct making *ret) KS_MUST;
/* making_finish(m): the object is complete: it gets its place, if it has not got it yet. EEXIST. */
ks_rc making_finish(struct making *m) KS_MUST;
/* making_take_back(m, type): removes it again, wherever it is. */
void making_take_back(struct making *m, mode_t type);
void making_end(struct making *m);

/* making_clear(io, long_names, name): removes from the directory of long names what is no directory, or the empty directory that a crash left of
 * a mkdir. Success when there is nothing; ENOTEMPTY for a directory that nobody made aside. */
ks_rc making_clear(struct io *io, struct io_node *long_names, const char *name) KS_MUST;

static inline bool making_is_aside(const struct making *m)
{
    return m->spot >= 0;
}
