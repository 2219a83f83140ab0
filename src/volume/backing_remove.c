/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/backing_remove.c - the end of a volume that holds nothing any more.
 *
 * Order: first it is proved to be empty; then what an empty volume does not need goes, the records of long names and what a crash
 * left aside of an object that was being made; then the keyring, durably; without it a directory is no volume, and what is left then is what an interrupted creation leaves too.
 */
#include "volume/backing_int.h"
#include "volume/making.h"

static ks_rc refuse(struct io *io, struct io_node *dir, const char *name)
{
    (void)io;
    (void)dir;
    return ks_fail(KS_E_NOT_EMPTY,
                   "the volume is not empty: %s/%s is left, maybe because its name is damaged; "
                   "keystead volume verify tells",
                   BACKING_TREE, name);
}

static ks_rc remove_file(struct io *io, struct io_node *dir, const char *name)
{
    ks_rc rc = io->ops->unlink(io, dir, name);

    return ks_is_os(rc, ENOENT) ? KS_SUCCESS : rc;
}

static ks_rc remove_long(struct io *io, struct io_node *dir, const char *name)
{
    return ks_wrap(making_clear(io, dir, name), BACKING_LONG "/%s", name);
}

static ks_rc remove_keyring(struct io *io, struct io_node *dir)
{
    TRY(remove_file(io, dir, "keyring.0"));
    TRY(remove_file(io, dir, "keyring.1"));
    return io->ops->sync_dir(io, dir);
}

ks_rc backing_remove(struct backing *b)
{
    struct io *io;
    struct io_node *dir = backing_dir(b, &io);

    TRY(backing_check_exclusive(b));
    TRY(backing_each(io, backing_tree(b), refuse));
    TRY(backing_each(io, backing_long(b), remove_long));
    TRY(remove_keyring(io, dir));
    TRY(io->ops->rmdir(io, dir, BACKING_LONG));
    TRY(io->ops->rmdir(io, dir, BACKING_TREE));
    TRY(remove_file(io, dir, "lock"));
    return io->ops->sync_dir(io, dir);
}
