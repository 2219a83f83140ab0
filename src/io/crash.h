/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/crash.h - a file system in memory that can lose power.
 *
 * Method. The back end keeps two things: the live state, which a running program sees, and a log
 * of everything done since the beginning: page writes, metadata operations and syncs. A pwrite is
 * one page write for each 4096-byte page it touches, with the page as it was afterwards; everything else
 * that changes something (create, rename, truncate, punch, attributes, ...) is one metadata operation.
 * A state after a power loss "at time t" is rebuilt from the first t events of the log:
 *   - everything that a completed sync covered is there;
 *   - metadata operations that no sync covered survive as a prefix, in their order: the first m of
 *     them happened, the rest did not, for any m (a journal);
 *   - each page write that no sync covered, to a file that exists in that state, is there or not,
 *     independently of all others; of several writes to one page, any one (or none) is the last.
 * A sync of a file covers its page writes so far, and of the metadata operations the newest one that
 * concerns the file with all that were made before that one (one journal), not those that came later: what
 * concerns it is its making, its names, its attributes, its size and holes; for a sync of data only its
 * making, size and holes. Likewise a sync of a directory with what was done to its entries and to itself. A
 * sync of everything covers all there is. ext4 and XFS give no less, and often more.
 *
 * What survives is applied in the order in which it was made, to files and not to names. So:
 *   - page writes made before a surviving truncate or punch that cut them off are gone; page writes
 *     made after a truncate that did not survive still are there, on the longer file;
 *   - the size is what surviving metadata gives, but a surviving page write beyond it extends the file to
 *     the end that the file had then, at most to the end of that page; pages missing below are zeros;
 *   - files without a name are gone, and with them their pages.
 * Pages never tear, syncs never lie: that is the contract of io/io.h.
 *
 * Times are the numbers of events, owners are 0, modes are not cut by a umask and give no protection.
 */
#pragma once

#include "io/io.h"

/* crash_new(ret): an empty file system; its root is the path "/". Free with crash_free (NULL is fine), when
 * all its nodes, files and streams are closed. */
ks_rc crash_new(struct io **ret) KS_MUST;
void crash_free(struct io *io);

/* How many events are in the log: a power loss may happen after any number of them, 0..n. */
size_t crash_time(struct io *io);

/*
 * crash_pending(io, t, ret_pages, ret_metadata): the number of page writes and of metadata
 * operations that are not covered at time t, that is, the choices there are. t <= crash_time(io).
 */
void crash_pending(struct io *io, size_t t, size_t *ret_pages, size_t *ret_metadata);

/*
 * crash_rebuild(io, t, metadata_kept, page_kept, arg, ret): a new, independent crash file system
 * with the state after a power loss at time t in which the first metadata_kept pending metadata
 * operations survived, and exactly the pending page writes for which page_kept(arg, i) is true,
 * i counting the pending page writes in the order they were made (page_kept NULL: all of them). In the new
 * one everything is durable and its log is empty. O(state + t).
 */
ks_rc crash_rebuild(struct io *io, size_t t, size_t metadata_kept,
                    bool (*page_kept)(void *arg, size_t i), void *arg, struct io **ret) KS_MUST;
