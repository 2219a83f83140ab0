/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/backing_remove.c - the end of a volume that holds nothing any more.
 *
 * Order: first it is proved to be empty, then the keyring goes, durably; without it a directory is no volume, and what
 * is left then is what an interrupted creation leaves too.
 */
#include <string.h>

#include "volume/backing_int.h"

struct emptying {
    struct io *io;
    struct io_node *dir;
};

static ks_rc each_entry(struct io *io, struct io_node *dir,
                        ks_rc (*each)(struct emptying *e, const char *name), struct emptying *e)
{
    struct io_dirent entry;
    struct io_dir *stream;
    ks_rc rc;

    TRY(io->ops->dir_open(io, dir, &stream));
    do {
        rc = io->ops->dir_next(io, stream, &entry);
        if (ks_ok(rc) && entry.name[0] && strcmp(entry.name, ".") != 0 &&
            strcmp(entry.name, "..") != 0)
            rc = each(e, entry.name);
    } while (ks_ok(rc) && entry.name[0]);
    io->ops->dir_close(io, stream);
    return rc;
}

static ks_rc refuse(struct emptying *e, const char *name)
{
    (void)e;
    (void)name;
    return ks_fail(KS_E_NOT_EMPTY, "the volume is not empty");
}

static ks_rc remove_file(struct emptying *e, const char *name)
{
    ks_rc rc = e->io->ops->unlink(e->io, e->dir, name);

    return ks_is_os(rc, ENOENT) ? KS_SUCCESS : rc;
}

static ks_rc remove_keyring(struct io *io, struct io_node *dir)
{
    struct emptying e = {io, dir};

    TRY(remove_file(&e, "keyring.0"));
    TRY(remove_file(&e, "keyring.1"));
    return io->ops->sync_dir(io, dir);
}

ks_rc backing_remove(struct backing *b)
{
    struct io *io;
    struct io_node *dir = backing_dir(b, &io);
    struct emptying long_names = {io, backing_long(b)}, top = {io, dir};

    TRY(backing_check_exclusive(b));
    TRY(each_entry(io, backing_tree(b), refuse, NULL));
    TRY(remove_keyring(io, dir));
    TRY(each_entry(io, backing_long(b), remove_file, &long_names));
    TRY(io->ops->rmdir(io, dir, BACKING_LONG));
    TRY(io->ops->rmdir(io, dir, BACKING_TREE));
    TRY(remove_file(&top, "lock"));
    return io->ops->sync_dir(io, dir);
}
