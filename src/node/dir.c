/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/dir.c - the directory of a node.
 *
 * Every document is replaced as a whole, so that it is old or new after a crash. A backing directory gets its name when it is complete
 * and loses it by one rename: there is no moment in which half a volume could be taken for a whole one.
 */
#include "node/dir.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/atomic_file.h"
#include "io/parent.h"

enum { MODE_OURS = 0700, MODE_ENTER = 0711, MODE_FILE = 0600, NAME_MAX_BYTES = 128 };

struct node_dir {
    struct io *io;
    char *path;
    struct io_node *root, *volumes, *mounts, *deleted, *receipts;
    struct io_file *lock;
};

/* --- small steps on the io seam --- */

static ks_rc lookup(struct node_dir *d, struct io_node *dir, const char *name, struct io_node **ret)
{
    struct stat st;

    return d->io->ops->lookup(d->io, dir, name, ret, &st);
}

static ks_rc make_dir(struct node_dir *d, struct io_node *dir, const char *name, mode_t mode)
{
    ks_rc rc = d->io->ops->mkdir(d->io, dir, name, mode);

    return ks_is_os(rc, EEXIST) ? KS_SUCCESS : ks_wrap(rc, "%s in %s", name, d->path);
}

static ks_rc open_sub(struct node_dir *d, const char *name, mode_t mode, struct io_node **ret)
{
    struct stat st = {.st_mode = mode};

    TRY(make_dir(d, d->root, name, mode));
    TRY(ks_wrap(lookup(d, d->root, name, ret), "%s in %s", name, d->path));
    return d->io->ops->setattr(d->io, *ret, IO_ATTR_MODE, &st);
}

static void node_close(struct node_dir *d, struct io_node *n)
{
    if (n)
        d->io->ops->node_close(d->io, n);
}

/* --- opening --- */

static ks_rc open_root(struct node_dir *d)
{
    struct io_node *above = NULL;
    struct stat st = {.st_mode = MODE_ENTER};
    char name[IO_NAME_BYTES + 1];

    ENSURE(d->path[0] == '/' && strrchr(d->path, '/')[1], KS_E_USAGE,
           "%s is no directory for a node", d->path);
    TRY(ks_wrap(parent_open(d->io, d->path, &above, name), "%s", d->path));
    ks_rc rc = make_dir(d, above, name, MODE_ENTER);
    if (ks_ok(rc))
        rc = d->io->ops->open_root(d->io, d->path, &d->root);
    if (ks_ok(rc))
        rc = d->io->ops->setattr(d->io, d->root, IO_ATTR_MODE, &st);
    node_close(d, above);
    return ks_wrap(rc, "%s", d->path);
}

static ks_rc take_lock(struct node_dir *d, const char *name, const char *whose)
{
    struct io_node *node = NULL;
    ks_rc rc = d->io->ops->create(d->io, d->root, name, MODE_FILE, NULL, &d->lock);

    if (ks_is_os(rc, EEXIST)) {
        rc = lookup(d, d->root, name, &node);
        if (ks_ok(rc))
            rc = d->io->ops->open(d->io, node, false, &d->lock);
        node_close(d, node);
    }
    TRY(ks_wrap(rc, "%s in %s", name, d->path));
    rc = d->io->ops->lock(d->io, d->lock);
    return rc.cls == KS_CLASS_BUSY ? ks_fail(KS_E_BUSY, "another %s works on %s", whose, d->path)
                                   : ks_wrap(rc, "%s in %s", name, d->path);
}

static ks_rc open_with(const char *path, const char *lock, const char *whose, struct node_dir **ret)
{
    CLEANUP(node_dir_closep) struct node_dir *d = NULL;

    TRY(mem_new(1, sizeof *d, &d));
    d->io = io_posix();
    TRY(mem_text(path, &d->path));
    TRY(open_root(d));
    TRY(take_lock(d, lock, whose));
    TRY(open_sub(d, "volumes", MODE_OURS, &d->volumes));
    TRY(open_sub(d, "mounts", MODE_ENTER, &d->mounts));
    TRY(open_sub(d, "deleted", MODE_OURS, &d->deleted));
    TRY(open_sub(d, "receipts", MODE_OURS, &d->receipts));
    *ret = TAKE(d);
    return KS_SUCCESS;
}

ks_rc node_dir_open(const char *path, struct node_dir **ret)
{
    return open_with(path, "lock", "keystead node", ret);
}

ks_rc node_dir_open_to_join(const char *path, struct node_dir **ret)
{
    return open_with(path, "join.lock", "keystead node join", ret);
}

void node_dir_close(struct node_dir *d)
{
    if (!d)
        return;
    node_close(d, d->volumes);
    node_close(d, d->mounts);
    node_close(d, d->deleted);
    node_close(d, d->receipts);
    if (d->lock)
        d->io->ops->close(d->io, d->lock);
    node_close(d, d->root);
    mem_free(d->path);
    mem_free(d);
}

void node_dir_closep(struct node_dir **d)
{
    node_dir_close(*d);
}

const char *node_dir_path(const struct node_dir *d)
{
    return d->path;
}

ks_rc node_dir_file(const struct node_dir *d, const char *name, char **ret)
{
    return mem_format(ret, "%s/%s", d->path, name);
}

/* --- documents --- */

static ks_rc read_file(struct node_dir *d, struct io_node *dir, const char *name, struct buf *ret)
{
    ks_rc rc = atomic_file_read(d->io, dir, name, NODE_JSON_MAX, ret);

    return ks_is_os(rc, ENOENT) ? ks_fail(KS_E_NOT_FOUND, "there is no %s in %s", name, d->path)
                                : ks_wrap(rc, "%s in %s", name, d->path);
}

static ks_rc read_json(struct node_dir *d, struct io_node *dir, const char *name, json_t **ret)
{
    CLEANUP(buf_done) struct buf text = buf_init_wiping(NODE_JSON_MAX);
    CLEANUP(json_decrefp) json_t *value = NULL;

    TRY(read_file(d, dir, name, &text));
    ks_rc rc = json_read(buf_view(&text), (struct json_limits){NODE_JSON_MAX, 16}, name, &value);
    ENSURE(ks_ok(rc) && json_is_object(value), KS_E_CORRUPT, "%s in %s is damaged: %s", name,
           d->path, ks_ok(rc) ? "it is no object" : ks_text(rc));
    *ret = TAKE(value);
    return KS_SUCCESS;
}

static ks_rc write_json(struct node_dir *d, struct io_node *dir, const char *name, json_t *value)
{
    CLEANUP(buf_done) struct buf text = buf_init_wiping(NODE_JSON_MAX);

    ENSURE(value, KS_E_NO_MEMORY, "no memory for %s", name);
    TRY(json_write(value, false, &text));
    return ks_wrap(atomic_file_write(d->io, dir, name, MODE_FILE, buf_view(&text)), "%s in %s",
                   name, d->path);
}

ks_rc node_dir_read(struct node_dir *d, const char *name, struct buf *ret)
{
    return read_file(d, d->root, name, ret);
}

ks_rc node_dir_write(struct node_dir *d, const char *name, struct view data)
{
    return ks_wrap(atomic_file_write(d->io, d->root, name, MODE_FILE, data), "%s in %s", name,
                   d->path);
}

ks_rc node_dir_volume_read(struct node_dir *d, const char *id, const char *name, json_t **ret)
{
    struct io_node *dir = NULL;
    ks_rc rc = lookup(d, d->volumes, id, &dir);

    ENSURE(!ks_is_os(rc, ENOENT), KS_E_NOT_FOUND, "there is no volume %s", id);
    TRY(rc);
    rc = read_json(d, dir, name, ret);
    node_close(d, dir);
    return rc;
}

static ks_rc open_volume(struct node_dir *d, const char *id, struct io_node **ret)
{
    TRY(make_dir(d, d->volumes, id, MODE_OURS));
    return ks_wrap(lookup(d, d->volumes, id, ret), "volume %s", id);
}

ks_rc node_dir_volume_write(struct node_dir *d, const char *id, const char *name, json_t *value)
{
    struct io_node *dir = NULL;
    ks_rc rc = open_volume(d, id, &dir);

    if (ks_ok(rc))
        rc = write_json(d, dir, name, value);
    node_close(d, dir);
    json_decref(value);
    return rc;
}

ks_rc node_dir_volume_path(const struct node_dir *d, const char *id, const char *name, char **ret)
{
    return mem_format(ret, "%s/volumes/%s/%s", d->path, id, name);
}

ks_rc node_dir_mount_path(const struct node_dir *d, const char *id, char **ret)
{
    return mem_format(ret, "%s/mounts/%s", d->path, id);
}

/* --- trees --- */

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Names may be removed meanwhile. */
static ks_rc each_name(struct node_dir *d, struct io_node *dir,
                       ks_rc (*each)(void *arg, const char *name), void *arg)
{
    struct io_dir *stream = NULL;
    struct io_dirent entry;
    ks_rc rc = d->io->ops->dir_open(d->io, dir, &stream);

    while (ks_ok(rc)) {
        rc = d->io->ops->dir_next(d->io, stream, &entry);
        if (!ks_ok(rc) || entry.name[0] == 0)
            break;
        if (!is_dot(entry.name))
            rc = each(arg, entry.name);
    }
    if (stream)
        d->io->ops->dir_close(d->io, stream);
    return rc;
}

struct removal {
    struct node_dir *dir;
    struct io_node *inside;
};

static ks_rc remove_entry(void *arg, const char *name)
{
    const struct removal *r = arg;
    struct io *io = r->dir->io;
    struct removal below = {.dir = r->dir};
    struct stat st;

    TRY(io->ops->lookup(io, r->inside, name, &below.inside, &st));
    if (!S_ISDIR(st.st_mode)) {
        node_close(r->dir, below.inside);
        return io->ops->unlink(io, r->inside, name);
    }
    ks_rc rc = each_name(r->dir, below.inside, remove_entry, &below);
    node_close(r->dir, below.inside);
    TRY(rc);
    return io->ops->rmdir(io, r->inside, name);
}

/* A tree by name; success when there is none. */
static ks_rc remove_tree(struct node_dir *d, struct io_node *dir, const char *name)
{
    struct removal r = {d, dir};
    ks_rc rc = remove_entry(&r, name);

    return ks_is_os(rc, ENOENT) ? KS_SUCCESS : ks_wrap(rc, "removing %s in %s", name, d->path);
}

static ks_rc has_name(struct node_dir *d, struct io_node *dir, const char *name, bool *ret)
{
    struct io_node *node = NULL;
    ks_rc rc = lookup(d, dir, name, &node);

    node_close(d, node);
    if (!ks_ok(rc) && !ks_is_os(rc, ENOENT))
        return rc;
    *ret = ks_ok(rc);
    return KS_SUCCESS;
}

ks_rc node_dir_has_backing(struct node_dir *d, const char *id, bool *ret)
{
    struct io_node *dir = NULL;
    ks_rc rc = lookup(d, d->volumes, id, &dir);

    if (ks_is_os(rc, ENOENT)) {
        *ret = false;
        return KS_SUCCESS;
    }
    if (ks_ok(rc))
        rc = has_name(d, dir, "backing", ret);
    node_close(d, dir);
    return ks_wrap(rc, "volume %s", id);
}

ks_rc node_dir_prepare(struct node_dir *d, const char *id)
{
    struct io_node *dir = NULL;
    ks_rc rc = open_volume(d, id, &dir);

    if (ks_ok(rc))
        rc = remove_tree(d, dir, "new");
    if (ks_ok(rc))
        rc = make_dir(d, dir, "engine", MODE_OURS);
    if (ks_ok(rc)) /* a dead mount answers mkdir with "exists" as well */
        rc = make_dir(d, d->mounts, id, MODE_OURS);
    node_close(d, dir);
    return rc;
}

ks_rc node_dir_adopt(struct node_dir *d, const char *id)
{
    struct io_node *dir = NULL;
    ks_rc rc = open_volume(d, id, &dir);

    if (ks_ok(rc))
        rc = d->io->ops->rename(d->io, dir, "new", dir, "backing", 0);
    if (ks_ok(rc))
        rc = d->io->ops->sync_dir(d->io, dir);
    if (ks_ok(rc))
        rc = d->io->ops->sync_dir(d->io, d->volumes);
    node_close(d, dir);
    return ks_wrap(rc, "volume %s", id);
}

static ks_rc move_backing(struct node_dir *d, const char *id, struct io_node *dir, int64_t now_s)
{
    char name[NAME_MAX_BYTES];
    bool has_it = false;

    TRY(has_name(d, dir, "backing", &has_it));
    if (!has_it)
        return KS_SUCCESS;
    snprintf(name, sizeof name, "%s.%lld", id, (long long)now_s);
    TRY(d->io->ops->rename(d->io, dir, "backing", d->deleted, name, 0));
    return d->io->ops->sync_dir(d->io, d->deleted);
}

ks_rc node_dir_discard(struct node_dir *d, const char *id, int64_t now_s)
{
    struct io_node *dir = NULL;
    ks_rc rc = lookup(d, d->volumes, id, &dir);

    if (ks_ok(rc))
        rc = move_backing(d, id, dir, now_s);
    node_close(d, dir);
    if (ks_ok(rc))
        rc = remove_tree(d, d->volumes, id);
    if (ks_is_os(rc, ENOENT))
        rc = KS_SUCCESS;
    if (ks_ok(rc))
        rc = d->io->ops->rmdir(d->io, d->mounts, id);
    if (ks_is_os(rc, ENOENT))
        rc = KS_SUCCESS;
    return ks_wrap(rc, "volume %s", id);
}

/* --- lists --- */

struct volumes_visit {
    ks_rc (*each)(void *arg, const char *id);
    void *arg;
};

static ks_rc visit_volume(void *arg, const char *name)
{
    const struct volumes_visit *v = arg;

    return id_is_valid(name) ? v->each(v->arg, name) : KS_SUCCESS;
}

ks_rc node_dir_volumes(struct node_dir *d, ks_rc (*each)(void *arg, const char *id), void *arg)
{
    struct volumes_visit v = {each, arg};

    return each_name(d, d->volumes, visit_volume, &v);
}

ks_rc node_dir_deleted(struct node_dir *d, ks_rc (*each)(void *arg, const char *name), void *arg)
{
    return each_name(d, d->deleted, each, arg);
}

ks_rc node_dir_deleted_remove(struct node_dir *d, const char *name)
{
    return remove_tree(d, d->deleted, name);
}

/* --- receipts --- */

static const char SUFFIX[] = ".json", UNFINISHED[] = ".json.tmp";

ks_rc node_dir_receipt_write(struct node_dir *d, const char *id, json_t *receipt)
{
    char name[NAME_MAX_BYTES];

    snprintf(name, sizeof name, "%s%s", id, SUFFIX);
    return write_json(d, d->receipts, name, receipt);
}

ks_rc node_dir_receipt_remove(struct node_dir *d, const char *id)
{
    char name[NAME_MAX_BYTES];

    snprintf(name, sizeof name, "%s%s", id, SUFFIX);
    ks_rc rc = d->io->ops->unlink(d->io, d->receipts, name);
    return ks_is_os(rc, ENOENT) ? KS_SUCCESS : ks_wrap(rc, "receipt %s", id);
}

struct receipts_visit {
    struct node_dir *dir;
    ks_rc (*each)(void *arg, const char *id, json_t *taken);
    void *arg;
};

static ks_rc visit_receipt(void *arg, const char *name)
{
    const struct receipts_visit *v = arg;
    json_t *receipt = NULL;
    char id[ID_BYTES];

    snprintf(id, sizeof id, "%s", name);
    if (!id_is_valid(id))
        return KS_SUCCESS;
    if (strcmp(name + strlen(id), UNFINISHED) ==
        0) /* of a write that was cut off: it is made again */
        return v->dir->io->ops->unlink(v->dir->io, v->dir->receipts, name);
    if (strcmp(name + strlen(id), SUFFIX) != 0)
        return KS_SUCCESS;
    ks_rc rc = read_json(v->dir, v->dir->receipts, name, &receipt);
    if (ks_is(rc,
              KS_E_CORRUPT)) { /* one that cannot be read must not keep volumes from being served */
        log_line(LOG_ERROR, "%s", ks_text(rc));
        return KS_SUCCESS;
    }
    TRY(rc);
    return v->each(v->arg, id, receipt);
}

ks_rc node_dir_receipts(struct node_dir *d, ks_rc (*each)(void *arg, const char *id, json_t *taken),
                        void *arg)
{
    struct receipts_visit v = {d, each, arg};

    return each_name(d, d->receipts, visit_receipt, &v);
}
