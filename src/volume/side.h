/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/side.h - one side of a transfer (volume/transfer.h): a plain directory tree, or a volume.
 *
 * The two look the same to the transfer. Nodes and files belong to their side; every one that is given is given
 * back. Results as in io/io.h and volume/volume.h. One thread at a time. Private to volume/.
 */
#pragma once

#include "io/io.h"
#include "volume/volume.h"

struct side;
struct side_node; /* an object of the tree */
struct side_file; /* an open regular file */

struct side_ops {
    struct side_node *(*root)(struct side *); /* owned by the side; not given back */
    ks_rc (*lookup)(struct side *, struct side_node *dir, const char *name, struct side_node **ret,
                    struct stat *ret_stat) KS_MUST;
    void (*release)(struct side *, struct side_node *);
    ks_rc (*stat)(struct side *, struct side_node *, struct stat *ret) KS_MUST;
    /* list: calls each(arg, name) for every entry but "." and ".."; ends with its first failure. */
    ks_rc (*list)(struct side *, struct side_node *dir, ks_rc (*each)(void *arg, const char *name),
                  void *arg) KS_MUST;
    ks_rc (*readlink)(struct side *, struct side_node *, struct buf *ret) KS_MUST;

    ks_rc (*mkdir)(struct side *, struct side_node *dir, const char *name) KS_MUST; /* mode 0700 */
    ks_rc (*symlink)(struct side *, struct side_node *dir, const char *name,
                     const char *target) KS_MUST;
    ks_rc (*mknod)(struct side *, struct side_node *dir, const char *name, mode_t mode,
                   dev_t rdev) KS_MUST;
    ks_rc (*link)(struct side *, struct side_node *node, struct side_node *dir,
                  const char *name) KS_MUST;
    ks_rc (*unlink)(struct side *, struct side_node *dir, const char *name) KS_MUST;
    ks_rc (*rmdir)(struct side *, struct side_node *dir, const char *name) KS_MUST;
    /* rename: within one directory; EEXIST when to is there. */
    ks_rc (*rename)(struct side *, struct side_node *dir, const char *from, const char *to) KS_MUST;

    ks_rc (*setattr)(struct side *, struct side_node *, unsigned attrs,
                     const struct stat *) KS_MUST;
    /* xattr_list: all of them; CORRUPT when one is damaged, because what is not listed is lost with the original. */
    ks_rc (*xattr_list)(struct side *, struct side_node *, struct buf *ret) KS_MUST;
    ks_rc (*xattr_get)(struct side *, struct side_node *, const char *name,
                       struct buf *ret) KS_MUST;
    ks_rc (*xattr_set)(struct side *, struct side_node *, const char *name,
                       struct view value) KS_MUST;

    /* create: a new file, mode 0600, open for writing. open: for reading. */
    ks_rc (*create)(struct side *, struct side_node *dir, const char *name, struct side_node **ret,
                    struct side_file **ret_file) KS_MUST;
    ks_rc (*open)(struct side *, struct side_node *, struct side_file **ret) KS_MUST;
    void (*close)(struct side *, struct side_file *);
    ks_rc (*read)(struct side *, struct side_file *, void *out, size_t len, uint64_t at,
                  size_t *ret_len) KS_MUST;
    ks_rc (*write)(struct side *, struct side_file *, const void *in, size_t len,
                   uint64_t at) KS_MUST;
    /* resize: of the node of a file that nobody has open. */
    ks_rc (*resize)(struct side *, struct side_node *, uint64_t size) KS_MUST;
    /* seek: the next data or hole at or behind at; ENXIO when there is none. */
    ks_rc (*seek)(struct side *, struct side_file *, uint64_t at, enum io_seek what,
                  uint64_t *ret) KS_MUST;

    ks_rc (*sync_all)(struct side *) KS_MUST; /* everything done so far is durable */
};

/* Sides embed this first. */
struct side {
    const struct side_ops *ops;
};

/* A plain tree at an opened directory. Plain data; nothing to free. */
struct side_plain {
    struct side side;
    struct io *io;
    struct io_node *dir; /* borrowed */
};
void side_plain_init(struct side_plain *s, struct io *io, struct io_node *dir);

/* The tree of a volume with its door open. */
struct side_volume {
    struct side side;
    struct volume *v;
    struct io *io;
    struct io_node *tree; /* borrowed: for sync_all */
};
void side_volume_init(struct side_volume *s, struct volume *v, struct io *io, struct io_node *tree);
