/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/record.h - a back end that writes down every change before it tells of it, and the way back: the same
 * changes made again on another back end.
 *
 * Use: record what a real process does to a real directory; then take a copy of the directory as it was before
 * into a crash back end (io/crash.h), replay the record there, and rebuild the directory as a power loss at any
 * time would leave it. For tests only.
 *
 * The record is in the layout of this machine: it is read where it was written. Changes are made one at a time,
 * each with its record, so the order in the record is the order in which they happened; whoever learns of a change
 * can find it within the bytes that the record has by then. Syncs are recorded and not made. Times are not
 * recorded.
 */
#pragma once

#include "io/io.h"

/* record_new(below, path, ret): passes everything on to below and appends to the file path of the host, which it
 * makes. Objects are those of below. IO class when the file cannot be made; later, a change that cannot be
 * recorded fails, though it was made. record_free leaves below alone. Thread-safe. */
ks_rc record_new(struct io *below, const char *path, struct io **ret) KS_MUST;
void record_free(struct io *io);

/* What stands for the recorded objects in another back end. */
struct record_map;

/* record_map_new(io, root, ret): an empty map of objects of io. Takes nothing over; record_map_free closes the nodes
 * it was given. */
ks_rc record_map_new(struct io *io, struct record_map **ret) KS_MUST;
void record_map_free(struct record_map *map);
/* record_map_put(map, ino, node): node stands for the recorded inode number from now on; takes node over on success. */
ks_rc record_map_put(struct record_map *map, uint64_t ino, struct io_node *node) KS_MUST;
/* record_map_get(map, ino): NULL when nothing stands for it. */
struct io_node *record_map_get(const struct record_map *map, uint64_t ino);

/* record_replay(map, path, done, arg): makes every change of a record again, in its order, and calls
 * done(arg, end, is_sync) after each with the number of bytes of the record so far. CORRUPT when the record does not
 * fit the objects; an incomplete last entry is left out. */
typedef void (*record_done_fn)(void *arg, uint64_t end, bool is_sync);
ks_rc record_replay(struct record_map *map, const char *path, record_done_fn done,
                    void *arg) KS_MUST;
