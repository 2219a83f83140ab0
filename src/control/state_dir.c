/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/state_dir.c - making and opening the state directory.
 */
#include "control/state_dir.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 1024 };

/* "/a/b/" becomes "/a" and "b"; "b" becomes "." and "b". */
static ks_rc split(const char *dir, char parent[PATH_BYTES], char name[IO_NAME_BYTES + 1])
{
    int n = snprintf(parent, PATH_BYTES, "%s", dir);

    ENSURE(n > 0 && n < PATH_BYTES, KS_E_USAGE, "the path of the state directory has 1 to %d bytes",
           PATH_BYTES - 1);
    while (n > 1 && parent[n - 1] == '/')
        parent[--n] = '\0';
    char *slash = strrchr(parent, '/');
    const char *last = slash ? slash + 1 : parent;
    ENSURE(strlen(last) <= IO_NAME_BYTES, KS_E_USAGE,
           "the name of the state directory is too long");
    memcpy(name, last, strlen(last) + 1);
    if (!slash)
        memcpy(parent, ".", 2);
    else
        slash[slash == parent] = '\0';
    return KS_SUCCESS;
}

static ks_rc make(const char *dir)
{
    CLEANUP(state_dir_close) struct io_node *node = NULL;
    char parent[PATH_BYTES], name[IO_NAME_BYTES + 1];
    struct io *io = io_posix();

    TRY(split(dir, parent, name));
    TRY(io->ops->open_root(io, parent, &node));
    ks_rc rc = io->ops->mkdir(io, node, name, 0700);
    if (ks_is_os(rc, EEXIST))
        return KS_SUCCESS;
    TRY(rc);
    return io->ops->sync_dir(io, node);
}

ks_rc state_dir_make(const char *dir)
{
    return ks_wrap(make(dir), "state directory %.200s", dir);
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
        return ks_fail(KS_E_NOT_FOUND, "there is no state directory %.200s", dir);
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
