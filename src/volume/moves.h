/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/moves.h - what gets another name while somebody walks the tree.
 *
 * A walk may miss an object that moves from a place it has not seen yet to one that it has. While a sweep
 * watches, every object is noted before it is renamed or linked, so that whoever must not miss any looks at
 * the noted ones too. Private to volume/.
 */
#pragma once

#include "volume/volume_int.h"

/* moves_watch(v): BUSY when somebody watches already. Who is inside by then may have found that nobody watches, and move something
 * yet: walk when they have left (eras.h). moves_end(v) forgets what was noted. */
ks_rc moves_watch(struct volume *v) KS_MUST;
void moves_end(struct volume *v);

/* moves_note(v, dir, sealed): the object of that name, if there is one, is about to move. moves_note_inode: the
 * same for a known one. Both do nothing while nobody watches, and never fail: what could not be noted is counted. */
void moves_note(struct volume *v, struct inode *dir, const char *sealed);
void moves_note_inode(struct volume *v, struct inode *i);

/* moves_set_done(v, i): the sweep needs not look at this object again: a file whose blocks all have the newest
 * generation, durably; a directory below which everything was looked at. moves_is_done(v, i) asks for it. */
void moves_set_done(struct volume *v, struct inode *i);
bool moves_is_done(struct volume *v, struct inode *i);

/* moves_take(v): one noted object with its reference, or NULL. moves_missed(v): how many could not be noted. */
struct inode *moves_take(struct volume *v);
uint64_t moves_missed(struct volume *v);
