/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/state_dir.c - making and opening the state directory.
 */
#include "control/state_dir.h"

#include <unistd.h>

#include "io/parent.h"

ks_rc state_dir_make(const char *dir)
{
    return ks_wrap(parent_make_dir(io_posix(), dir, 0700), "state directory %.200s", dir);
}

static ks_rc check_ours(struct io_node *node)
{
    struct io *io = io_posix();
    struct stat st;

    TRY(io->ops->stat(io, node, &st));
    ENSURE(st.st_uid == geteuid(), KS_E_PERMISSION,
           "it belongs to user %u, this process is user %u: run as its owner", (unsigned)st.st_uid,
           (unsigned)geteuid());
    ENSURE((st.st_mode & 077) == 0, KS_E_PERMISSION,
           "others may enter it (mode %04o): chmod 0700 it", (unsigned)st.st_mode & 07777);
    return KS_SUCCESS;
}

ks_rc state_dir_open(const char *dir, struct io_node **ret)
{
    CLEANUP(state_dir_close) struct io_node *node = NULL;
    struct io *io = io_posix();
    ks_rc rc = io->ops->open_root(io, dir, &node);

    if (ks_is_os(rc, ENOENT))
        return ks_fail(KS_E_NOT_FOUND,
                       "there is no state directory %.200s; make one with: keystead serve setup "
                       "--dir %.200s",
                       dir, dir);
    TRY(ks_wrap(rc, "state directory %.200s", dir));
    TRY(ks_wrap(check_ours(node), "state directory %.200s", dir));
    *ret = TAKE(node);
    return KS_SUCCESS;
}

void state_dir_close(struct io_node **dir)
{
    struct io *io = io_posix();

    if (*dir)
        io->ops->node_close(io, *dir);
    *dir = NULL;
}
