/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/transfer.c - the way of a transfer through the two trees.
 *
 * First everything but directories, then, from the leaves to the root, what directories are: their attributes are set
 * on the receiving side, made durable, and the empty ones of the giving side removed.
 */
#include "volume/transfer.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "volume/transfer_int.h"

enum { ACL_MAX = 64 << 10 };

ks_rc transfer_report(struct transfer *t)
{
    if (!t->conf->progress || t->conf->progress(t->conf->arg, &t->result->progress))
        return KS_SUCCESS;
    t->result->is_interrupted = true;
    return ks_fail(KS_E_BUSY, "interrupted; start it again to go on");
}

/* --- the names in a directory --- */

struct names {
    char **list;
    size_t count, room;
};

static void names_done(struct names *n)
{
    for (size_t i = 0; i < n->count; i++)
        mem_free(n->list[i]);
    mem_free(n->list);
}

static ks_rc names_add(void *arg, const char *name)
{
    struct names *n = arg;

    if (n->count == n->room) {
        size_t room = n->room ? n->room * 2 : 32;
        TRY(mem_grow(room, sizeof *n->list, &n->list));
        n->room = room;
    }
    TRY(mem_text(name, &n->list[n->count]));
    n->count++;
    return KS_SUCCESS;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In order, so that two runs do the same. */
static ks_rc names_read(struct side *side, struct side_node *dir, struct names *ret)
{
    TRY(side->ops->list(side, dir, names_add, ret));
    if (ret->count)
        qsort(ret->list, ret->count, sizeof *ret->list, compare_names);
    return KS_SUCCESS;
}

static bool is_ours(const char *name)
{
    return strncmp(name, TRANSFER_NAME, strlen(TRANSFER_NAME)) == 0;
}

/* Unfinished copies of an earlier transfer, in either direction: what they were copies of is whole elsewhere. */
static ks_rc remove_unfinished(struct side *side, struct side_node *dir)
{
    CLEANUP(names_done) struct names names = {0};

    TRY(names_read(side, dir, &names));
    for (size_t i = 0; i < names.count; i++)
        if (is_ours(names.list[i]))
            TRY(side->ops->unlink(side, dir, names.list[i]));
    return KS_SUCCESS;
}

/* --- counting beforehand --- */

static ks_rc measure(struct transfer *t, struct side_node *dir);

static ks_rc measure_one(struct transfer *t, struct side_node *dir, const char *name)
{
    struct transfer_progress *p = &t->result->progress;
    struct side_node *node;
    struct stat st;
    ks_rc rc = KS_SUCCESS;

    TRY(t->from->ops->lookup(t->from, dir, name, &node, &st));
    if (S_ISDIR(st.st_mode))
        rc = measure(t, node);
    else
        p->objects_total++;
    if (S_ISREG(st.st_mode))
        p->bytes_total += (uint64_t)st.st_size;
    t->from->ops->release(t->from, node);
    return rc;
}

static ks_rc measure(struct transfer *t, struct side_node *dir)
{
    CLEANUP(names_done) struct names names = {0};

    TRY(names_read(t->from, dir, &names));
    for (size_t i = 0; i < names.count; i++)
        TRY(measure_one(t, dir, names.list[i]));
    return transfer_report(t);
}

/* --- directories --- */

static ks_rc remember_dir(struct transfer *t, const char *path, const struct stat *st)
{
    if (t->dir_count == t->dir_room) {
        size_t room = t->dir_room ? t->dir_room * 2 : 32;
        TRY(mem_grow(room, sizeof *t->dirs, &t->dirs));
        t->dir_room = room;
    }
    TRY(mem_text(path, &t->dirs[t->dir_count].path));
    t->dirs[t->dir_count++].st = *st;
    return KS_SUCCESS;
}

/* It has its owner and mode from the beginning, in case the way back is taken before the end. */
static ks_rc make_dir(struct transfer *t, const struct transfer_spot *spot, struct side_node *node,
                      const struct stat *st, struct side_node **ret)
{
    struct stat made;

    TRY(t->to->ops->mkdir(t->to, spot->to, spot->name));
    TRY(t->to->ops->lookup(t->to, spot->to, spot->name, ret, &made));
    ks_rc rc = copy_attributes(t, node, *ret, st);
    if (ks_ok(rc))
        rc = remember_dir(t, spot->path, st);
    if (!ks_ok(rc))
        t->to->ops->release(t->to, *ret);
    return rc;
}

/* Its times: those of the giving side, which change with what is taken out; so after an interruption the ones that
 * the receiving side has from then. */
static ks_rc enter_dir(struct transfer *t, const struct transfer_spot *spot, struct side_node *node,
                       const struct stat *st, struct side_node **ret)
{
    struct stat there, remembered = *st;
    ks_rc rc = t->to->ops->lookup(t->to, spot->to, spot->name, ret, &there);

    if (ks_is_os(rc, ENOENT))
        return make_dir(t, spot, node, st, ret);
    TRY(rc);
    remembered.st_atim = there.st_atim;
    remembered.st_mtim = there.st_mtim;
    if (!S_ISDIR(there.st_mode))
        rc = ks_fail(KS_E_EXISTS, "the other side has something else of this name; move it away");
    else if (there.st_dev != t->to_dev)
        rc = ks_fail(KS_E_UNSUPPORTED,
                     "another file system is mounted there on the other side; unmount it");
    if (ks_ok(rc))
        rc = remember_dir(t, spot->path, &remembered);
    if (!ks_ok(rc))
        t->to->ops->release(t->to, *ret);
    return rc;
}

static ks_rc move_dir(struct transfer *t, struct side_node *from, struct side_node *to,
                      const char *path);

static ks_rc move_subdir(struct transfer *t, const struct transfer_spot *spot,
                         struct side_node *node, const struct stat *st)
{
    struct side_node *to;

    TRY(ks_wrap(enter_dir(t, spot, node, st, &to), "%s", spot->path));
    ks_rc rc = move_dir(t, node, to, spot->path);
    t->to->ops->release(t->to, to);
    return rc;
}

static ks_rc move_one(struct transfer *t, const struct transfer_spot *spot)
{
    struct side_node *node;
    struct stat st;

    TRY(t->from->ops->lookup(t->from, spot->from, spot->name, &node, &st));
    ks_rc rc = S_ISDIR(st.st_mode) ? move_subdir(t, spot, node, &st)
                                   : ks_wrap(flush_add(t, spot, node, &st), "%s", spot->path);
    t->from->ops->release(t->from, node);
    return rc;
}

/* What is made in a directory with such a list gets its entries, and would be open to more than its mode let in before. */
static ks_rc check_no_default_acl(struct transfer *t, struct side_node *to, const char *path)
{
    CLEANUP(buf_done) struct buf acl = buf_init(ACL_MAX);
    ks_rc rc = t->to->ops->xattr_get(t->to, to, "system.posix_acl_default", &acl);

    ENSURE(!ks_ok(rc), KS_E_UNSUPPORTED,
           "%s%sthe directory on the other side has a default access control list, which would "
           "open to others what is moved there; remove it (setfacl -k) and start again",
           path, path[0] ? ": " : "");
    return ks_is_os(rc, ENODATA) || ks_is_os(rc, EOPNOTSUPP) ? KS_SUCCESS : rc;
}

static ks_rc move_dir(struct transfer *t, struct side_node *from, struct side_node *to,
                      const char *path)
{
    CLEANUP(names_done) struct names names = {0};

    TRY(check_no_default_acl(t, to, path));
    TRY(remove_unfinished(t->to, to));
    TRY(remove_unfinished(t->from, from));
    TRY(names_read(t->from, from, &names));
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP(mem_freep) char *below = NULL;
        TRY(mem_format(&below, "%s%s%s", path, path[0] ? "/" : "", names.list[i]));
        struct transfer_spot spot = {from, to, names.list[i], below};
        TRY(move_one(t, &spot));
    }
    return KS_SUCCESS;
}

/* --- the end --- */

static ks_rc finish_node(struct transfer *t, const struct transfer_dir *d, struct side_node *from)
{
    struct side_node *dir, *to;
    const char *name;
    struct stat st;

    TRY(side_walk(t->to, d->path, &dir, &name));
    ks_rc rc = t->to->ops->lookup(t->to, dir, name, &to, &st);
    side_leave(t->to, dir);
    TRY(rc);
    rc = copy_attributes(t, from, to, &d->st);
    t->to->ops->release(t->to, to);
    return rc;
}

static ks_rc finish_dir(struct transfer *t, const struct transfer_dir *d)
{
    struct side_node *dir, *from;
    const char *name;
    struct stat st;

    TRY(side_walk(t->from, d->path, &dir, &name));
    ks_rc rc = t->from->ops->lookup(t->from, dir, name, &from, &st);
    side_leave(t->from, dir);
    TRY(rc);
    rc = finish_node(t, d, from);
    t->from->ops->release(t->from, from);
    return rc;
}

static ks_rc drop_dir(struct transfer *t, const struct transfer_dir *d)
{
    struct side_node *dir;
    const char *name;

    TRY(side_walk(t->from, d->path, &dir, &name));
    ks_rc rc = t->from->ops->rmdir(t->from, dir, name);
    side_leave(t->from, dir);
    ENSURE(!ks_is_os(rc, ENOTEMPTY), KS_E_NOT_EMPTY,
           "something in it is left: it came meanwhile, or, in a volume, its name is damaged; "
           "keystead volume verify tells");
    return rc;
}

/* Parents were met before what is in them. */
static ks_rc finish_dirs(struct transfer *t)
{
    for (size_t i = t->dir_count; i-- > 0;)
        TRY(ks_wrap(finish_dir(t, &t->dirs[i]), "%s", t->dirs[i].path));
    TRY(t->to->ops->sync_all(t->to));
    for (size_t i = t->dir_count; i-- > 0;)
        TRY(ks_wrap(drop_dir(t, &t->dirs[i]), "%s", t->dirs[i].path));
    return t->from->ops->sync_all(t->from);
}

static ks_rc run(struct transfer *t)
{
    struct side_node *from = t->from->ops->root(t->from), *to = t->to->ops->root(t->to);
    struct stat st, to_st;

    TRY(t->from->ops->stat(t->from, from, &st));
    TRY(t->to->ops->stat(t->to, to, &to_st));
    t->to_dev = to_st.st_dev;
    if (t->conf->is_measured)
        TRY(measure(t, from));
    ks_rc rc = move_dir(t, from, to, "");
    if (!ks_ok(rc)) {
        /* What is copied need not be copied again; the first failure is the one to tell. */
        IGNORE(flush_all(t, false));
        return rc;
    }
    TRY(flush_all(t, true));
    TRY(ks_wrap(copy_attributes(t, from, to, &st), "the directory itself"));
    return finish_dirs(t);
}

static void transfer_done(struct transfer *t)
{
    flush_done(t);
    for (size_t i = 0; i < t->dir_count; i++)
        mem_free(t->dirs[i].path);
    mem_free(t->dirs);
    mem_free(t->chunk);
    mem_free(t->other);
}

ks_rc transfer_run(const struct transfer_conf *conf, struct transfer_result *ret)
{
    CLEANUP(transfer_done)
    struct transfer t = {.conf = conf, .result = ret, .from = conf->from, .to = conf->to};

    *ret = (struct transfer_result){0};
    TRY(mem_new(1, TRANSFER_CHUNK, &t.chunk));
    TRY(mem_new(1, TRANSFER_CHUNK, &t.other));
    ks_rc rc = run(&t);
    mem_wipe(t.chunk, TRANSFER_CHUNK);
    mem_wipe(t.other, TRANSFER_CHUNK);
    return rc;
}
