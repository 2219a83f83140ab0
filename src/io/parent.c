/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/parent.c - opening the directory that something is to be made in.
 */
#include "io/parent.h"

#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 4096 };

static ks_rc split(const char *path, char parent[PATH_BYTES], char name[IO_NAME_BYTES + 1])
{
    int n = snprintf(parent, PATH_BYTES, "%s", path);

    ENSURE(n > 0 && n < PATH_BYTES, KS_E_USAGE, "a path has 1 to %d bytes", PATH_BYTES - 1);
    while (n > 1 && parent[n - 1] == '/')
        parent[--n] = '\0';
    char *slash = strrchr(parent, '/');
    const char *last = slash ? slash + 1 : parent;
    ENSURE(last[0] != '\0', KS_E_USAGE, "%s names no directory in another one", path);
    ENSURE(strlen(last) <= IO_NAME_BYTES, KS_E_USAGE, "a name has at most %d bytes", IO_NAME_BYTES);
    memcpy(name, last, strlen(last) + 1);
    if (!slash)
        memcpy(parent, ".", 2);
    else
        slash[slash == parent] = '\0';
    return KS_SUCCESS;
}

ks_rc parent_open(struct io *io, const char *path, struct io_node **ret,
                  char ret_name[IO_NAME_BYTES + 1])
{
    char parent[PATH_BYTES], name[IO_NAME_BYTES + 1];
    struct io_node *node;

    TRY(split(path, parent, name));
    ks_rc rc = io->ops->open_root(io, parent, &node);
    if (ks_is_os(rc, ENOENT))
        return ks_fail(KS_E_NOT_FOUND,
                       "the directory %.200s does not exist; make it first: mkdir -p %.200s",
                       parent, parent);
    TRY(rc);
    memcpy(ret_name, name, sizeof name);
    *ret = node;
    return KS_SUCCESS;
}

static ks_rc make(struct io *io, struct io_node *parent, const char *name, mode_t mode)
{
    ks_rc rc = io->ops->mkdir(io, parent, name, mode);

    if (ks_is_os(rc, EEXIST))
        return KS_SUCCESS;
    TRY(rc);
    return io->ops->sync_dir(io, parent);
}

ks_rc parent_make_dir(struct io *io, const char *path, mode_t mode)
{
    char name[IO_NAME_BYTES + 1];
    struct io_node *parent;

    TRY(parent_open(io, path, &parent, name));
    ks_rc rc = make(io, parent, name, mode);
    io->ops->node_close(io, parent);
    return rc;
}
