/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/transfer_int.h - what the parts of a transfer share. Private to transfer*.c.
 */
#pragma once

#include "volume/transfer.h"

enum {
    TRANSFER_CHUNK = 1 << 20,
    TRANSFER_PENDING_MAX = 512,
    TRANSFER_TEMP_BYTES = 48,
};

/* An object of the giving side with several names. */
struct transfer_group {
    dev_t dev;
    ino_t ino;
    uint64_t left; /* names that were not met yet */
    char *path;    /* of its first name on the receiving side */
    char temp
        [TRANSFER_TEMP_BYTES]; /* stands instead of the path's last part; "" when it has its name */
};

/* One name whose object is on the receiving side, and still on the giving one. */
struct transfer_moved {
    char *path;
    char temp[TRANSFER_TEMP_BYTES]; /* as above */
    struct stat st;                 /* on the giving side, before it was copied */
    struct transfer_group *group;   /* NULL: it has one name */
};

/* A directory: its times change while names in it come and go, and are set at the end. */
struct transfer_dir {
    char *path;
    struct stat st;
};

struct transfer {
    const struct transfer_conf *conf;
    struct transfer_result *result;
    struct side *from, *to;
    dev_t to_dev;           /* the one file system that sync_all makes durable */
    uint8_t *chunk, *other; /* TRANSFER_CHUNK each */
    struct transfer_moved *moved;
    size_t moved_count, moved_room;
    size_t unnamed_count; /* of them, those that wait for a flush */
    struct transfer_dir *dirs;
    size_t dir_count, dir_room;
    void *groups; /* a tree of <search.h> */
    uint64_t serial;
};

/* Both ends of a name: the directories of the two sides, and the name in them. */
struct transfer_spot {
    struct side_node *from, *to;
    const char *name, *path;
};

/* transfer_report(t): tells how far it is; BUSY when it is to stop. */
ks_rc transfer_report(struct transfer *t) KS_MUST;

/* transfer_copy.c: one object. */
/* copy_object(t, spot, node, st, temp): makes a copy of node under the name temp; removes it when that fails. */
ks_rc copy_object(struct transfer *t, const struct transfer_spot *spot, struct side_node *node,
                  const struct stat *st, const char *temp) KS_MUST;
/* copy_attributes(t, from, to, st): owner, mode, extended attributes, times. */
ks_rc copy_attributes(struct transfer *t, struct side_node *from, struct side_node *to,
                      const struct stat *st) KS_MUST;
/* copy_compare(t, from, from_st, to, to_st, ret): whether two objects are of one kind with the same contents. */
ks_rc copy_compare(struct transfer *t, struct side_node *from, const struct stat *from_st,
                   struct side_node *to, const struct stat *to_st, bool *ret_is_same) KS_MUST;

/* transfer_flush.c: what was copied and is not yet removed. */
/* flush_add(t, spot, node, st): copies the object, or finds it copied; removes it from the giving side some time later. */
ks_rc flush_add(struct transfer *t, const struct transfer_spot *spot, struct side_node *node,
                const struct stat *st) KS_MUST;
/* flush_all(t, is_end): makes all copies durable, checks and names them, and removes what they were made of. At the end
 * also objects that have names elsewhere. */
ks_rc flush_all(struct transfer *t, bool is_end) KS_MUST;
void flush_done(struct transfer *t);

/* side_walk(side, path, ret_dir, ret_name): the directory of path's last part; given back with side_leave. */
ks_rc side_walk(struct side *side, const char *path, struct side_node **ret_dir,
                const char **ret_name) KS_MUST;
void side_leave(struct side *side, struct side_node *dir);
