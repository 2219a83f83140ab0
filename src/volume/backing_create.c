/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/backing_create.c - making a new volume.
 *
 * Order: the key services are asked first, so that a wrong key leaves nothing behind; then the
 * directories, durable; the keyring last. Without a keyring a directory is no volume, and a directory
 * that holds only what an interrupted attempt leaves is taken as empty, so that one can try again.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "key/hierarchy.h"
#include "volume/backing_int.h"

struct creation {
    struct io *io;
    struct io_node *dir;
    struct key_access *access;
    struct keyring *k;
    struct keyset *keys;
    struct keyring_file *file;
};

static void creation_done(struct creation *c)
{
    keyring_file_close(c->file);
    keyset_free(c->keys);
    keyring_free(c->k);
    key_access_free(c->access);
    if (c->dir)
        c->io->ops->node_close(c->io, c->dir);
}

/* --- the keyring ---------------------------------------------------------------------------- */

static ks_rc set_text(char out[KEYRING_LABEL_BYTES], const char *what, const char *text)
{
    if (!text)
        return KS_SUCCESS;
    ENSURE(strlen(text) < KEYRING_LABEL_BYTES, KS_E_USAGE, "the %s is longer than %d bytes", what,
           KEYRING_LABEL_BYTES - 1);
    memcpy(out, text, strlen(text) + 1);
    return KS_SUCCESS;
}

static ks_rc fill_keyring(const struct backing_conf *conf, const struct backing_create *create,
                          struct keyring *k)
{
    ENSURE(create->block_payload == 3584 || create->block_payload == 4032, KS_E_USAGE,
           "blocks of %u bytes; 3584 (default) and 4032 (dense) are possible",
           create->block_payload);
    TRY(keyring_settings_check(&create->settings));
    TRY(set_text(k->label, "label", create->label));
    TRY(set_text(k->organisation, "organisation", create->organisation));
    TRY(set_text(k->cluster, "cluster", create->cluster));
    TRY(set_text(k->region, "region", create->region));
    k->block_payload = create->block_payload;
    k->settings = create->settings;
    return random_fill(conf->random, k->volume_id, sizeof k->volume_id);
}

static ks_rc build_keyring(const struct backing_conf *conf, const struct backing_create *create,
                           struct creation *c)
{
    TRY(keyring_new(&c->k));
    TRY(fill_keyring(conf, create, c->k));
    TRY(backing_access(conf, NULL, 0, &c->access));
    TRY(hierarchy_build(c->k, create->specs, create->spec_count, key_access_service(c->access),
                        conf->clock, conf->random, &c->keys));
    c->k->sequence = 1;
    const char *problem = keyring_problem(c->k);
    ENSURE(!problem, KS_E_USAGE, "the volume cannot be made so: %s", problem);
    return KS_SUCCESS;
}

/* --- the directory -------------------------------------------------------------------------- */

/* Splits "a/b/" into "a" and "b"; "b" into "." and "b". */
static ks_rc split_path(const char *path, char **ret_parent, char name[IO_NAME_BYTES + 1])
{
    size_t end = strlen(path);

    while (end > 0 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    ENSURE(end > start && end - start <= IO_NAME_BYTES, KS_E_USAGE,
           "\"%.200s\" is no name for a directory", path);
    snprintf(name, IO_NAME_BYTES + 1, "%.*s", (int)(end - start), path + start);
    return start ? mem_format(ret_parent, "%.*s", (int)start, path) : mem_text(".", ret_parent);
}

static ks_rc make_dir_in(struct io *io, struct io_node *parent, const char *name)
{
    ks_rc rc = io->ops->mkdir(io, parent, name, 0700);

    if (ks_is_os(rc, EEXIST))
        return KS_SUCCESS;
    TRY(rc);
    return io->ops->sync_dir(io, parent);
}

static ks_rc make_dir(const struct backing_conf *conf)
{
    CLEANUP(mem_freep) char *parent_path = NULL;
    char name[IO_NAME_BYTES + 1];
    struct io_node *parent;

    TRY(split_path(conf->path, &parent_path, name));
    ks_rc rc = conf->io->ops->open_root(conf->io, parent_path, &parent);
    ENSURE(!ks_is_os(rc, ENOENT), KS_E_NOT_FOUND, "there is no directory %.200s to make it in",
           parent_path);
    TRY(rc);
    rc = make_dir_in(conf->io, parent, name);
    conf->io->ops->node_close(conf->io, parent);
    return ks_wrap(rc, "cannot make the directory");
}

static ks_rc open_or_make_dir(const struct backing_conf *conf, struct creation *c)
{
    ks_rc rc = c->io->ops->open_root(c->io, conf->path, &c->dir);

    if (!ks_is_os(rc, ENOENT))
        return rc;
    TRY(make_dir(conf));
    return c->io->ops->open_root(c->io, conf->path, &c->dir);
}

ks_rc backing_each(struct io *io, struct io_node *dir,
                   ks_rc (*each)(struct io *, struct io_node *, const char *))
{
    struct io_dirent entry;
    struct io_dir *stream;
    ks_rc rc;

    TRY(io->ops->dir_open(io, dir, &stream));
    do {
        rc = io->ops->dir_next(io, stream, &entry);
        if (ks_ok(rc) && entry.name[0] && strcmp(entry.name, ".") != 0 &&
            strcmp(entry.name, "..") != 0)
            rc = each(io, dir, entry.name);
    } while (ks_ok(rc) && entry.name[0]);
    io->ops->dir_close(io, stream);
    return rc;
}

static ks_rc refuse_any(struct io *io, struct io_node *dir, const char *name)
{
    (void)io;
    (void)dir;
    return ks_fail(KS_E_NOT_EMPTY, "it is not empty (%s)", name);
}

static ks_rc check_empty_subdir(struct io *io, struct io_node *dir, const char *name)
{
    struct io_node *sub;

    TRY(io->ops->lookup(io, dir, name, &sub, NULL));
    ks_rc rc = backing_each(io, sub, refuse_any);
    io->ops->node_close(io, sub);
    return ks_is(rc, KS_E_NOT_EMPTY) ? ks_fail(KS_E_NOT_EMPTY, "it is not empty (%s/)", name) : rc;
}

/* What may stand in a directory in which a volume is made: nothing but the traces of an attempt that a
 * crash or a failure ended. */
static ks_rc check_entry(struct io *io, struct io_node *dir, const char *name)
{
    static const char *const traces[] = {"lock", "keyring.0.tmp", "keyring.1.tmp"};

    if (strcmp(name, BACKING_TREE) == 0 || strcmp(name, BACKING_LONG) == 0)
        return check_empty_subdir(io, dir, name);
    if (strcmp(name, "keyring.0") == 0 || strcmp(name, "keyring.1") == 0)
        return KS_SUCCESS; /* keyring_file_create refuses these, under the lock */
    for (size_t i = 0; i < sizeof traces / sizeof traces[0]; i++)
        if (strcmp(name, traces[i]) == 0)
            return KS_SUCCESS;
    return refuse_any(io, dir, name);
}

static ks_rc check_no_volume(struct io *io, struct io_node *dir)
{
    for (int i = 0; i < 2; i++) {
        struct io_node *node;
        ks_rc rc = io->ops->lookup(io, dir, i ? "keyring.1" : "keyring.0", &node, NULL);

        if (ks_ok(rc)) {
            io->ops->node_close(io, node);
            return ks_fail(KS_E_EXISTS, "it is a volume already");
        }
        if (!ks_is_os(rc, ENOENT))
            return rc;
    }
    return KS_SUCCESS;
}

static ks_rc make_subdir(struct creation *c, const char *name)
{
    ks_rc rc = c->io->ops->mkdir(c->io, c->dir, name, 0700);

    return ks_is_os(rc, EEXIST) ? KS_SUCCESS : ks_wrap(rc, "cannot make %s/", name);
}

static ks_rc make_on_disk(const struct backing_conf *conf, struct creation *c)
{
    CLEANUP(secret_freep) struct secret *mac_key = NULL;

    TRY(open_or_make_dir(conf, c));
    TRY(check_no_volume(c->io, c->dir));
    TRY(backing_each(c->io, c->dir, check_entry));
    TRY(make_subdir(c, BACKING_TREE));
    TRY(make_subdir(c, BACKING_LONG));
    TRY(ks_wrap(c->io->ops->sync_dir(c->io, c->dir), "cannot sync the directory"));
    TRY(keyset_mac_key(c->keys, &mac_key));
    return keyring_file_create(c->io, c->dir, c->k, secret_view(mac_key), &c->file);
}

static ks_rc told(ks_rc rc)
{
    if (ks_is_os(rc, EROFS))
        return ks_fail(KS_E_READ_ONLY, "its file system is mounted read-only");
    if (ks_is_os(rc, EACCES) || ks_is_os(rc, EPERM))
        return ks_fail(KS_E_PERMISSION, "this user may not write there; make the directory and "
                                        "give it to this user, or run as its owner");
    return rc;
}

/* --- the file system below ------------------------------------------------------------------- */

/* f_bsize, and not f_frsize: that is the smallest piece of space, of which ZFS has 512 bytes though it writes whole records. Network and
 * copy-on-write file systems say how much they like to write at once, which is a multiple; 0 says nothing. */
static ks_rc check_block_size(struct io *io, struct io_node *dir)
{
    struct statvfs st;

    TRY(ks_wrap(io->ops->statfs(io, dir, &st), "cannot ask for the block size of its file system"));
    ENSURE(st.f_bsize % IO_PAGE_BYTES == 0, KS_E_UNSUPPORTED,
           "its file system has blocks of %lu bytes, so a power loss may leave a page of %d bytes "
           "half written; use a file system with blocks of %d bytes (mkfs.ext4 -b %d)",
           st.f_bsize, IO_PAGE_BYTES, IO_PAGE_BYTES, IO_PAGE_BYTES);
    return KS_SUCCESS;
}

/* What is not there yet gets its file system from where it will be made. */
static ks_rc open_or_parent(struct io *io, const char *path, struct io_node **ret)
{
    CLEANUP(mem_freep) char *parent_path = NULL;
    char name[IO_NAME_BYTES + 1];
    ks_rc rc = io->ops->open_root(io, path, ret);

    if (!ks_is_os(rc, ENOENT))
        return rc;
    TRY(split_path(path, &parent_path, name));
    return io->ops->open_root(io, parent_path, ret);
}

ks_rc backing_check_storage(struct io *io, const char *path)
{
    struct io_node *dir;
    ks_rc rc = open_or_parent(io, path, &dir);

    if (ks_is_os(rc, ENOENT))
        return KS_SUCCESS; /* told by who wants to make something there */
    if (ks_ok(rc)) {
        rc = check_block_size(io, dir);
        io->ops->node_close(io, dir);
    }
    return ks_wrap(told(rc), "%s", path);
}

/* --- all of it ------------------------------------------------------------------------------- */

/* Asked before the key services are, so that nobody types a passphrase for a volume that is there. */
static ks_rc check_before(const struct backing_conf *conf)
{
    struct io_node *dir;
    ks_rc rc = conf->io->ops->open_root(conf->io, conf->path, &dir);

    if (ks_is_os(rc, ENOENT))
        return KS_SUCCESS;
    TRY(rc);
    rc = check_no_volume(conf->io, dir);
    if (ks_ok(rc))
        rc = backing_each(conf->io, dir, check_entry);
    conf->io->ops->node_close(conf->io, dir);
    return rc;
}

ks_rc backing_create(const struct backing_conf *conf, const struct backing_create *create)
{
    CLEANUP(creation_done) struct creation c = {.io = conf->io};

    TRY(ks_wrap(told(check_before(conf)), "%s", conf->path));
    TRY(backing_check_storage(conf->io, conf->path));
    TRY(build_keyring(conf, create, &c));
    return ks_wrap(told(make_on_disk(conf, &c)), "%s", conf->path);
}
