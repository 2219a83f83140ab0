/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/key_file.c - the file whose random bytes open a file key store.
 *
 * The bytes go from the file into guarded memory and nowhere else. Never overwrites a file.
 */
#include "kms/key_file.h"

#include <stdio.h>
#include <string.h>

#include "kms/secret_file.h"

enum { PATH_BYTES = 4096 };

/* A place in the file system and what is open there. */
struct place {
    struct io *io;
    struct io_node *dir, *node;
    struct io_file *file;
};

static void place_done(struct place *p)
{
    if (p->file)
        p->io->ops->close(p->io, p->file);
    if (p->node)
        p->io->ops->node_close(p->io, p->node);
    if (p->dir)
        p->io->ops->node_close(p->io, p->dir);
    *p = (struct place){.io = p->io};
}

ks_rc path_open_parent(struct io *io, const char *path, struct io_node **ret,
                       char name[IO_NAME_BYTES + 1])
{
    char dir[PATH_BYTES];
    size_t len = strlen(path);

    while (len > 1 && path[len - 1] == '/')
        len--;
    ENSURE(len > 0 && len < sizeof dir, KS_E_USAGE, "\"%.60s\" is no path", path);
    memcpy(dir, path, len);
    dir[len] = 0;
    char *slash = strrchr(dir, '/');
    const char *last = slash ? slash + 1 : dir;
    ENSURE(*last && strlen(last) <= IO_NAME_BYTES, KS_E_USAGE, "\"%.60s\" names no file", path);
    memcpy(name, last, strlen(last) + 1);
    if (slash)
        slash[slash == dir ? 1 : 0] = 0;
    return io->ops->open_root(io, slash ? dir : ".", ret);
}

ks_rc key_file_read(struct io *io, const char *path, struct secret **ret)
{
    struct secret_file_bounds bounds = {KEY_FILE_BYTES_MIN, KEY_FILE_BYTES_MAX,
                                        "a key file of random bytes"};
    ks_rc rc = secret_file_read(io, path, bounds, ret);

    if (ks_ok(rc) || rc.cls == KS_CLASS_LIMIT || rc.cls == KS_CLASS_BUG)
        return rc;
    char reason[256];
    snprintf(reason, sizeof reason, "%s", ks_text(rc));
    return ks_fail(KS_E_CREDENTIAL,
                   "key file %.200s cannot be used: %s; name the right one with --key-file", path,
                   reason);
}

static ks_rc write_new(struct place *p, const char *name, struct random *random)
{
    CLEANUP(secret_freep) struct secret *bytes = NULL;

    TRY(secret_new(KEY_FILE_BYTES_MIN, &bytes));
    TRY(random_fill(random, secret_bytes(bytes), KEY_FILE_BYTES_MIN));
    TRY(p->io->ops->create(p->io, p->dir, name, 0600, &p->node, &p->file));
    ks_rc rc = p->io->ops->pwrite(p->io, p->file, secret_bytes(bytes), KEY_FILE_BYTES_MIN, 0);
    if (ks_ok(rc))
        rc = p->io->ops->sync(p->io, p->file, false);
    if (ks_ok(rc))
        return p->io->ops->sync_dir(p->io, p->dir);
    /* Half a key file would be refused later with a puzzling text; the first failure is told. */
    IGNORE(p->io->ops->unlink(p->io, p->dir, name));
    return rc;
}

ks_rc key_file_make(struct io *io, const char *path, struct random *random)
{
    CLEANUP(place_done) struct place p = {.io = io};
    char name[IO_NAME_BYTES + 1];

    ks_rc rc = path_open_parent(io, path, &p.dir, name);
    if (ks_ok(rc))
        rc = io->ops->lookup(io, p.dir, name, &p.node, NULL);
    if (p.dir && ks_is_os(rc, ENOENT))
        rc = write_new(&p, name, random);
    return ks_wrap(rc, "cannot make the key file %.200s", path);
}
