/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/key_file.c - the file whose random bytes open a file key store.
 *
 * The bytes go from the file into guarded memory and nowhere else. Never overwrites a file.
 */
#include "kms/key_file.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { PATH_BYTES = 4096, HOPS_MAX = 8 };

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

/* The path that a symlink at path leads to. */
static ks_rc follow(struct place *p, const char *path, char out[PATH_BYTES])
{
    CLEANUP(buf_done) struct buf target = buf_init(PATH_BYTES - 1);
    const char *slash = strrchr(path, '/');
    int dir_len = slash ? (int)(slash - path) + 1 : 0;

    TRY(p->io->ops->readlink(p->io, p->node, &target));
    const char *to = buf_text(&target);
    int n = snprintf(out, PATH_BYTES, "%.*s%s", to[0] == '/' ? 0 : dir_len, path, to);
    return n > 0 && n < PATH_BYTES ? KS_SUCCESS : ks_os(ENAMETOOLONG);
}

static ks_rc find(struct place *p, const char *path)
{
    char here[PATH_BYTES], next[PATH_BYTES], name[IO_NAME_BYTES + 1];
    struct stat st;

    ENSURE(strlen(path) < sizeof here, KS_E_USAGE, "the path is too long");
    memcpy(here, path, strlen(path) + 1);
    for (int hop = 0; hop < HOPS_MAX; hop++) {
        TRY(path_open_parent(p->io, here, &p->dir, name));
        TRY(p->io->ops->lookup(p->io, p->dir, name, &p->node, &st));
        if (!S_ISLNK(st.st_mode))
            return KS_SUCCESS;
        TRY(follow(p, here, next));
        memcpy(here, next, sizeof here);
        place_done(p);
    }
    return ks_os(ELOOP);
}

static ks_rc read_secret(struct place *p, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *bytes = NULL;
    struct stat st;
    size_t got = 0;

    TRY(p->io->ops->open(p->io, p->node, true, &p->file));
    TRY(p->io->ops->file_stat(p->io, p->file, &st));
    ENSURE(st.st_size >= KEY_FILE_BYTES_MIN && st.st_size <= KEY_FILE_BYTES_MAX, KS_E_CREDENTIAL,
           "it has %lld bytes; a key file has %d to %d, random ones", (long long)st.st_size,
           KEY_FILE_BYTES_MIN, KEY_FILE_BYTES_MAX);
    TRY(secret_new((size_t)st.st_size, &bytes));
    TRY(p->io->ops->pread(p->io, p->file, secret_bytes(bytes), (size_t)st.st_size, 0, &got));
    ENSURE(got == (size_t)st.st_size, KS_E_CREDENTIAL, "it became shorter while it was read");
    *ret = TAKE(bytes);
    return KS_SUCCESS;
}

ks_rc key_file_read(struct io *io, const char *path, struct secret **ret)
{
    CLEANUP(place_done) struct place p = {.io = io};
    ks_rc rc = find(&p, path);

    if (ks_ok(rc))
        rc = read_secret(&p, ret);
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
