/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/transfer_flush.c - the order in which copies become durable, get their names, and replace their originals.
 *
 * Invariant: an original is removed only when its copy has been durable, compared and named, and the name has
 * been durable. Originals with several names keep all of them until every one has its copy, so that a transfer that
 * was ended in between still knows that they belong together.
 */
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "volume/transfer_int.h"

/* --- names --- */

void side_leave(struct side *side, struct side_node *dir)
{
    if (dir && dir != side->ops->root(side))
        side->ops->release(side, dir);
}

ks_rc side_walk(struct side *side, const char *path, struct side_node **ret_dir,
                const char **ret_name)
{
    struct side_node *dir = side->ops->root(side), *next;
    char name[IO_NAME_BYTES + 1];
    const char *slash;
    struct stat st;

    for (; (slash = strchr(path, '/')); path = slash + 1) {
        snprintf(name, sizeof name, "%.*s", (int)(slash - path), path);
        ks_rc rc = side->ops->lookup(side, dir, name, &next, &st);
        side_leave(side, dir);
        TRY(rc);
        dir = next;
    }
    *ret_dir = dir;
    *ret_name = path;
    return KS_SUCCESS;
}

/* Calls work on the directory of path and the name in it. */
static ks_rc
at_path(struct side *side, const char *path,
        ks_rc (*work)(struct side *, struct side_node *dir, const char *name, void *arg), void *arg)
{
    struct side_node *dir;
    const char *name;

    TRY(side_walk(side, path, &dir, &name));
    ks_rc rc = work(side, dir, name, arg);
    side_leave(side, dir);
    return rc;
}

/* --- groups of names of one object --- */

static int compare_groups(const void *a, const void *b)
{
    const struct transfer_group *x = a, *y = b;

    if (x->dev != y->dev)
        return x->dev < y->dev ? -1 : 1;
    if (x->ino != y->ino)
        return x->ino < y->ino ? -1 : 1;
    return 0;
}

static void group_free(void *ptr)
{
    struct transfer_group *g = ptr;

    if (!g)
        return;
    mem_free(g->path);
    mem_free(g);
}

static void group_freep(struct transfer_group **g)
{
    group_free(*g);
}

static struct transfer_group *group_find(struct transfer *t, const struct stat *st)
{
    struct transfer_group key = {.dev = st->st_dev, .ino = st->st_ino};
    struct transfer_group **found = tfind(&key, &t->groups, compare_groups);

    return found ? *found : NULL;
}

static ks_rc group_new(struct transfer *t, const struct transfer_moved *m,
                       struct transfer_group **ret)
{
    CLEANUP(group_freep) struct transfer_group *g = NULL;

    TRY(mem_new(1, sizeof *g, &g));
    g->dev = m->st.st_dev;
    g->ino = m->st.st_ino;
    g->left = m->st.st_nlink - 1;
    TRY(mem_text(m->path, &g->path));
    memcpy(g->temp, m->temp, sizeof g->temp);
    ENSURE(tsearch(g, &t->groups, compare_groups), KS_E_NO_MEMORY, "out of memory");
    *ret = TAKE(g);
    return KS_SUCCESS;
}

/* One more name for an object whose first one is there. */
static ks_rc link_to_group(struct transfer *t, const struct transfer_spot *spot,
                           const struct transfer_group *g, const char *temp)
{
    struct side_node *dir, *node;
    const char *name;
    struct stat st;

    TRY(side_walk(t->to, g->path, &dir, &name));
    ks_rc rc = t->to->ops->lookup(t->to, dir, g->temp[0] ? g->temp : name, &node, &st);
    side_leave(t->to, dir);
    TRY(rc);
    rc = t->to->ops->link(t->to, node, spot->to, temp);
    t->to->ops->release(t->to, node);
    return rc;
}

/* --- adding --- */

static void moved_done(struct transfer_moved *m)
{
    mem_free(m->path);
}

static ks_rc append(struct transfer *t, struct transfer_moved *m)
{
    if (t->moved_count == t->moved_room) {
        size_t room = t->moved_room ? t->moved_room * 2 : 64;
        TRY(mem_grow(room, sizeof *t->moved, &t->moved));
        t->moved_room = room;
    }
    if (m->st.st_nlink > 1) {
        m->group = group_find(t, &m->st);
        if (m->group)
            m->group->left -= m->group->left > 0;
        else
            TRY(group_new(t, m, &m->group));
    }
    t->unnamed_count += m->temp[0] != '\0';
    t->moved[t->moved_count++] = *m;
    m->path = NULL;
    return KS_SUCCESS;
}

/* The name is there already: by an earlier transfer, or it is somebody else's. */
static ks_rc take_existing(struct transfer *t, struct side_node *node, const struct stat *st,
                           struct side_node *there, const struct stat *there_st)
{
    bool is_same;

    TRY(copy_compare(t, node, st, there, there_st, &is_same));
    ENSURE(is_same, KS_E_EXISTS,
           "the other side has another object of this name; move one of them away and start again");
    TRY(copy_attributes(t, node, there, st));
    if (S_ISREG(st->st_mode))
        t->result->progress.bytes += (uint64_t)st->st_size;
    return KS_SUCCESS;
}

static ks_rc link_object(struct transfer *t, const struct transfer_spot *spot,
                         const struct transfer_group *g, const char *temp)
{
    ks_rc rc = link_to_group(t, spot, g, temp);

    if (!ks_ok(
            rc)) /* it may be there though; what cannot be removed now is removed by the next transfer */
        IGNORE(t->to->ops->unlink(t->to, spot->to, temp));
    return rc;
}

static ks_rc copy_or_link(struct transfer *t, const struct transfer_spot *spot,
                          struct side_node *node, const struct stat *st, const char *temp)
{
    const struct transfer_group *g = st->st_nlink > 1 ? group_find(t, st) : NULL;

    if (!g)
        return copy_object(t, spot, node, st, temp);
    if (S_ISREG(st->st_mode))
        t->result->progress.bytes += (uint64_t)st->st_size;
    return link_object(t, spot, g, temp);
}

/* What was copied before may free the space that is missing now. */
static ks_rc copy_with_room(struct transfer *t, const struct transfer_spot *spot,
                            struct side_node *node, const struct stat *st, const char *temp)
{
    ks_rc rc = copy_or_link(t, spot, node, st, temp);

    if (!ks_is_os(rc, ENOSPC) || t->unnamed_count == 0)
        return rc;
    TRY(flush_all(t, false));
    return copy_or_link(t, spot, node, st, temp);
}

static ks_rc add(struct transfer *t, const struct transfer_spot *spot, struct side_node *node,
                 struct transfer_moved *m)
{
    struct side_node *there;
    struct stat there_st;

    TRY(mem_text(spot->path, &m->path));
    ks_rc rc = t->to->ops->lookup(t->to, spot->to, spot->name, &there, &there_st);
    if (ks_ok(rc)) {
        rc = take_existing(t, node, &m->st, there, &there_st);
        t->to->ops->release(t->to, there);
    } else if (ks_is_os(rc, ENOENT)) {
        snprintf(m->temp, sizeof m->temp, TRANSFER_NAME "%llu", (unsigned long long)t->serial++);
        rc = copy_with_room(t, spot, node, &m->st, m->temp);
    }
    TRY(rc);
    return append(t, m);
}

ks_rc flush_add(struct transfer *t, const struct transfer_spot *spot, struct side_node *node,
                const struct stat *st)
{
    CLEANUP(moved_done) struct transfer_moved m = {.st = *st};

    TRY(add(t, spot, node, &m));
    size_t max = t->conf->pending_max ? t->conf->pending_max : TRANSFER_PENDING_MAX;
    return t->unnamed_count < max ? KS_SUCCESS : flush_all(t, false);
}

/* --- flushing --- */

static ks_rc check_unchanged(const struct stat *a, const struct stat *b)
{
    ENSURE(a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
               a->st_mtim.tv_nsec == b->st_mtim.tv_nsec,
           KS_E_BUSY, "changed while it was copied; stop what uses it and start again");
    return KS_SUCCESS;
}

static ks_rc compare_nodes(struct transfer *t, const struct transfer_moved *m,
                           struct side_node *from_dir, const char *name, struct side_node *to_dir)
{
    struct side_node *from, *to;
    struct stat from_st, to_st;
    bool is_same = false;

    TRY(t->from->ops->lookup(t->from, from_dir, name, &from, &from_st));
    ks_rc rc = t->to->ops->lookup(t->to, to_dir, m->temp, &to, &to_st);
    if (ks_ok(rc)) {
        rc = copy_compare(t, from, &from_st, to, &to_st, &is_same);
        t->to->ops->release(t->to, to);
    }
    t->from->ops->release(t->from, from);
    TRY(rc);
    TRY(check_unchanged(&m->st, &from_st));
    ENSURE(is_same, KS_E_IO, "its copy read back is not the same; the disk may be failing");
    return KS_SUCCESS;
}

/* Reads the copy back from below, after it was made durable. */
static ks_rc check_copy(struct transfer *t, const struct transfer_moved *m)
{
    struct side_node *from_dir, *to_dir;
    const char *name;

    TRY(side_walk(t->from, m->path, &from_dir, &name));
    ks_rc rc = side_walk(t->to, m->path, &to_dir, &name);
    if (ks_ok(rc)) {
        rc = compare_nodes(t, m, from_dir, name, to_dir);
        side_leave(t->to, to_dir);
    }
    side_leave(t->from, from_dir);
    return rc;
}

static ks_rc name_work(struct side *side, struct side_node *dir, const char *name, void *arg)
{
    return side->ops->rename(side, dir, arg, name);
}

static ks_rc name_copy(struct transfer *t, struct transfer_moved *m)
{
    TRY(at_path(t->to, m->path, name_work, m->temp));
    if (m->group && strcmp(m->group->temp, m->temp) == 0)
        m->group->temp[0] = '\0';
    m->temp[0] = '\0';
    t->unnamed_count--;
    return KS_SUCCESS;
}

/* It may have waited long since it was compared: for its other names, or because its copy was there already. */
static ks_rc remove_work(struct side *side, struct side_node *dir, const char *name, void *arg)
{
    const struct transfer_moved *m = arg;
    struct side_node *node;
    struct stat st;

    TRY(side->ops->lookup(side, dir, name, &node, &st));
    side->ops->release(side, node);
    TRY(check_unchanged(&m->st, &st));
    return side->ops->unlink(side, dir, name);
}

static ks_rc name_all(struct transfer *t)
{
    for (size_t i = 0; i < t->moved_count; i++)
        if (t->moved[i].temp[0] != '\0')
            TRY(ks_wrap(check_copy(t, &t->moved[i]), "%s", t->moved[i].path));
    for (size_t i = 0; i < t->moved_count; i++)
        if (t->moved[i].temp[0] != '\0')
            TRY(ks_wrap(name_copy(t, &t->moved[i]), "%s", t->moved[i].path));
    return KS_SUCCESS;
}

static bool must_wait(const struct transfer_moved *m, bool is_end)
{
    return m->group && m->group->left > 0 && !is_end;
}

/* Keeps those that wait for their other names. */
static ks_rc remove_originals(struct transfer *t, bool is_end)
{
    ks_rc rc = KS_SUCCESS;
    size_t kept = 0;

    for (size_t i = 0; i < t->moved_count; i++) {
        struct transfer_moved *m = &t->moved[i];
        if (ks_ok(rc) && !must_wait(m, is_end)) {
            rc = ks_wrap(at_path(t->from, m->path, remove_work, m), "%s", m->path);
            if (ks_ok(rc)) {
                moved_done(m);
                t->result->progress.objects++;
                continue;
            }
        }
        t->moved[kept++] = *m;
    }
    t->moved_count = kept;
    return rc;
}

static void count_elsewhere(const void *node, VISIT visit, void *arg)
{
    const struct transfer_group *const *g = node;
    uint64_t *count = arg;

    if ((visit == postorder || visit == leaf) && (*g)->left > 0)
        (*count)++;
}

ks_rc flush_all(struct transfer *t, bool is_end)
{
    TRY(t->to->ops->sync_all(t->to));
    TRY(name_all(t));
    TRY(t->to->ops->sync_all(t->to));
    TRY(remove_originals(t, is_end));
    if (is_end)
        twalk_r(t->groups, count_elsewhere, &t->result->files_linked_elsewhere);
    return transfer_report(t);
}

void flush_done(struct transfer *t)
{
    for (size_t i = 0; i < t->moved_count; i++)
        moved_done(&t->moved[i]);
    mem_free(t->moved);
    tdestroy(t->groups, group_free);
}
