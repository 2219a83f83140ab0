/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/dir.h - the directory of a node: who it is, what it holds.
 *
 *   node.json node.pem authority.pem   who it is (node/join.h); node.pem is its key and its certificate
 *   platform/                     the key store of its own key, unless another key was named
 *   volumes/ID/wish.json          what the control plane wants of a volume, as last received
 *   volumes/ID/deed.json          what the node alone knows about it
 *   volumes/ID/backing/           the volume; complete from the moment it has this name
 *   volumes/ID/new/               one that is being made
 *   volumes/ID/engine/            of its engine: log, password file
 *   volumes/ID/volume.log         of its process
 *   mounts/ID                     where it is mounted
 *   owners.json                   as which user the engines of each organisation run (node/owners.h)
 *   receipts/ID.json              not yet accepted by the control plane
 *   deleted/ID.TIME/              backing directories of volumes that were taken away
 *   deleted.json                  for how long each of them has been there (node/deleted.h)
 *   lock, join.lock               held by the agent, by who joins
 *
 * Engines run as other users and must get to their mount, so DIR and mounts/ can be entered by all; everything else is for the owner.
 */
#pragma once

#include <jansson.h>

#include "control/model.h"
#include "io/io.h"

struct node_dir;

enum { NODE_JSON_MAX = 1024 * 1024 };

/* node_dir_open(path, ret): path must be absolute; it and what is missing in it are made. Takes the lock: BUSY when another agent works
 * on it. */
ks_rc node_dir_open(const char *path, struct node_dir **ret) KS_MUST;
/* node_dir_open_to_join(path, ret): for who joins, also while an agent works on it: replaces documents of the directory itself, nothing of volumes. BUSY
 * when somebody else joins. */
ks_rc node_dir_open_to_join(const char *path, struct node_dir **ret) KS_MUST;
void node_dir_close(struct node_dir *d);
void node_dir_closep(struct node_dir **d);
const char *node_dir_path(const struct node_dir *d);

/* node_dir_file(d, name, ret): absolute path of something in it; a new text. */
ks_rc node_dir_file(const struct node_dir *d, const char *name, char **ret) KS_MUST;
/* Small files in the directory itself. NOT_FOUND. */
ks_rc node_dir_read(struct node_dir *d, const char *name, struct buf *ret) KS_MUST;
ks_rc node_dir_write(struct node_dir *d, const char *name, struct view data) KS_MUST;

/* JSON documents of a volume ("wish.json", "deed.json"). NOT_FOUND; CORRUPT for what is no JSON object. The volume's directory is
 * made when something is written. */
ks_rc node_dir_volume_read(struct node_dir *d, const char *id, const char *name,
                           json_t **ret) KS_MUST;
ks_rc node_dir_volume_write(struct node_dir *d, const char *id, const char *name,
                            json_t *value) KS_MUST;
/* node_dir_volume_path(d, id, name, ret): absolute path; a new text. */
ks_rc node_dir_volume_path(const struct node_dir *d, const char *id, const char *name,
                           char **ret) KS_MUST;
ks_rc node_dir_mount_path(const struct node_dir *d, const char *id, char **ret) KS_MUST;

/* node_dir_has_backing(d, id, ret). */
ks_rc node_dir_has_backing(struct node_dir *d, const char *id, bool *ret) KS_MUST;
/* node_dir_prepare(d, id): its directories are there, and nothing of an attempt to make it. */
ks_rc node_dir_prepare(struct node_dir *d, const char *id) KS_MUST;
/* node_dir_adopt(d, id): what was made becomes the volume; durable. */
ks_rc node_dir_adopt(struct node_dir *d, const char *id) KS_MUST;
/* node_dir_discard(d, id, now_s): moves its backing directory to deleted/ and forgets the rest of it. Can be repeated. */
ks_rc node_dir_discard(struct node_dir *d, const char *id, int64_t now_s) KS_MUST;
/* node_dir_deleted(d, each, arg): the name of each directory that was discarded. node_dir_deleted_remove(d, name): for good. */
ks_rc node_dir_deleted(struct node_dir *d, ks_rc (*each)(void *arg, const char *name),
                       void *arg) KS_MUST;
ks_rc node_dir_deleted_remove(struct node_dir *d, const char *name) KS_MUST;

/* node_dir_volumes(d, each, arg): the id of each volume. */
ks_rc node_dir_volumes(struct node_dir *d, ks_rc (*each)(void *arg, const char *id),
                       void *arg) KS_MUST;

/* Receipts, by id. */
ks_rc node_dir_receipt_write(struct node_dir *d, const char *id, json_t *receipt) KS_MUST;
ks_rc node_dir_receipts(struct node_dir *d, ks_rc (*each)(void *arg, const char *id, json_t *taken),
                        void *arg) KS_MUST;
ks_rc node_dir_receipt_remove(struct node_dir *d, const char *id) KS_MUST;
