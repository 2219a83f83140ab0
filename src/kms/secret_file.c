/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/secret_file.c - small files that hold a secret.
 *
 * Invariant: no copy of the bytes outside guarded memory. Never writes.
 */
#include "kms/secret_file.h"

#include <stdio.h>
#include <string.h>

#include "kms/key_file.h"

enum { HOPS_MAX = 8 };

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

/* The path that a symlink at path leads to. */
static ks_rc follow(struct place *p, const char *path, char out[SECRET_FILE_PATH_BYTES])
{
    CLEANUP(buf_done) struct buf target = buf_init(SECRET_FILE_PATH_BYTES - 1);
    const char *slash = strrchr(path, '/');
    int dir_len = slash ? (int)(slash - path) + 1 : 0;

    TRY(p->io->ops->readlink(p->io, p->node, &target));
    const char *to = buf_text(&target);
    int n = snprintf(out, SECRET_FILE_PATH_BYTES, "%.*s%s", to[0] == '/' ? 0 : dir_len, path, to);
    return n > 0 && n < SECRET_FILE_PATH_BYTES ? KS_SUCCESS : ks_os(ENAMETOOLONG);
}

static ks_rc find(struct place *p, const char *path)
{
    char here[SECRET_FILE_PATH_BYTES], next[SECRET_FILE_PATH_BYTES], name[IO_NAME_BYTES + 1];
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

static ks_rc read_whole(struct place *p, struct secret_file_bounds bounds, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *bytes = NULL;
    struct stat st;
    size_t got = 0;

    TRY(p->io->ops->open(p->io, p->node, true, &p->file));
    TRY(p->io->ops->file_stat(p->io, p->file, &st));
    ENSURE(st.st_size >= (off_t)bounds.bytes_min && st.st_size <= (off_t)bounds.bytes_max,
           KS_E_CREDENTIAL, "it has %lld bytes; %s has %zu to %zu", (long long)st.st_size,
           bounds.kind, bounds.bytes_min, bounds.bytes_max);
    TRY(secret_new((size_t)st.st_size, &bytes));
    TRY(p->io->ops->pread(p->io, p->file, secret_bytes(bytes), (size_t)st.st_size, 0, &got));
    ENSURE(got == (size_t)st.st_size, KS_E_CREDENTIAL, "it became shorter while it was read");
    *ret = TAKE(bytes);
    return KS_SUCCESS;
}

ks_rc secret_file_read(struct io *io, const char *path, struct secret_file_bounds bounds,
                       struct secret **ret)
{
    CLEANUP(place_done) struct place p = {.io = io};

    TRY(find(&p, path));
    return read_whole(&p, bounds, ret);
}

static ks_rc first_line(const struct secret *whole, struct secret **ret)
{
    struct view line = secret_view(whole);
    const uint8_t *end = memchr(line.bytes, '\n', line.len);

    if (end)
        line.len = (size_t)(end - line.bytes);
    if (line.len && line.bytes[line.len - 1] == '\r')
        line.len--;
    ENSURE(line.len, KS_E_CREDENTIAL, "its first line is empty");
    return secret_copy(line, ret);
}

static ks_rc read_line(struct io *io, const char *path, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *whole = NULL;
    struct secret_file_bounds bounds = {1, SECRET_LINE_MAX, "such a file"};

    TRY(secret_file_read(io, path, bounds, &whole));
    return first_line(whole, ret);
}

ks_rc secret_line_read(struct io *io, const char *path, struct secret **ret)
{
    ks_rc rc = read_line(io, path, ret);

    if (ks_ok(rc) || rc.cls == KS_CLASS_LIMIT || rc.cls == KS_CLASS_BUG)
        return rc;
    char reason[256];
    snprintf(reason, sizeof reason, "%s", ks_text(rc));
    return ks_fail(KS_E_CREDENTIAL, "the file %.200s cannot be used: %s", path, reason);
}

ks_rc secret_file_in(const char *directory, const char *name, char ret[SECRET_FILE_PATH_BYTES])
{
    ENSURE(name[0] && !strchr(name, '/'), KS_E_USAGE, "\"%.60s\" names no credential", name);
    ENSURE(directory, KS_E_CREDENTIAL,
           "the service manager gives this process no credentials (CREDENTIALS_DIRECTORY is not "
           "set); add LoadCredential=%.60s:/PATH to the unit",
           name);
    int n = snprintf(ret, SECRET_FILE_PATH_BYTES, "%s/%s", directory, name);
    return n > 0 && n < SECRET_FILE_PATH_BYTES ? KS_SUCCESS : ks_os(ENAMETOOLONG);
}
