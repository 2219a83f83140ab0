/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/making.c - where a new object is made.
 *
 * Invariant: a spot is used by one operation at a time. What a crash has left in one is removed before the spot
 * is used for the first time; it is never anything but an empty object, so at most MAKING_SPOTS of them stay.
 */
#include "volume/making.h"

#include <stdio.h> /* RENAME_NOREPLACE */
#include <unistd.h>

static bool is_own(const struct caller *who)
{
    return who->uid == geteuid() && who->gid == getegid();
}

static ks_rc spot_take(struct volume *v, int *ret, bool *ret_is_clean)
{
    int spot = 0;

    pthread_mutex_lock(&v->spots_mutex);
    while (spot < MAKING_SPOTS && v->spots[spot].is_taken)
        spot++;
    if (spot < MAKING_SPOTS) {
        v->spots[spot].is_taken = true;
        *ret_is_clean = v->spots[spot].is_clean;
    }
    pthread_mutex_unlock(&v->spots_mutex);
    ENSURE(spot < MAKING_SPOTS, KS_E_BUSY, "more than %d objects are being made", MAKING_SPOTS);
    *ret = spot;
    return KS_SUCCESS;
}

static void spot_give_back(struct volume *v, int spot, bool is_clean)
{
    pthread_mutex_lock(&v->spots_mutex);
    v->spots[spot].is_taken = false;
    v->spots[spot].is_clean = is_clean;
    pthread_mutex_unlock(&v->spots_mutex);
}

ks_rc making_clear(struct io *io, struct io_node *long_names, const char *name)
{
    ks_rc rc = io->ops->unlink(io, long_names, name);

    if (ks_is_os(rc, EISDIR))
        rc = io->ops->rmdir(io, long_names, name);
    return ks_is_os(rc, ENOENT) ? KS_SUCCESS : rc;
}

static ks_rc go_aside(struct making *m)
{
    bool is_clean;

    TRY(spot_take(m->v, &m->spot, &is_clean));
    snprintf(m->spot_name, sizeof m->spot_name, "new.%d", m->spot);
    struct volume_conf *conf = &m->v->conf;
    ks_rc rc = is_clean ? KS_SUCCESS : making_clear(conf->io, conf->long_names, m->spot_name);
    if (!ks_ok(rc)) {
        spot_give_back(m->v, m->spot, false);
        m->spot = -1;
        return rc;
    }
    m->at = m->v->conf.long_names;
    m->name = m->spot_name;
    return KS_SUCCESS;
}

ks_rc making_begin(struct volume *v, struct inode *dir, const char *place, const struct caller *who,
                   struct making *ret)
{
    *ret = (struct making){
        .v = v, .at = dir->node, .name = place, .dir = dir->node, .place = place, .spot = -1};
    return is_own(who) ? KS_SUCCESS : go_aside(ret);
}

/* Nobody else makes this name meanwhile: the kernel makes one name of a directory at a time. */
static ks_rc move_if_free(struct making *m)
{
    struct io *io = m->v->conf.io;
    struct io_node *node;
    ks_rc rc = io->ops->lookup(io, m->dir, m->place, &node, NULL);

    if (ks_ok(rc)) {
        io->ops->node_close(io, node);
        return ks_os(EEXIST);
    }
    if (!ks_is_os(rc, ENOENT))
        return rc;
    return io->ops->rename(io, m->at, m->name, m->dir, m->place, 0);
}

ks_rc making_finish(struct making *m)
{
    struct io *io = m->v->conf.io;

    if (m->name == m->place)
        return KS_SUCCESS;
    ks_rc rc = io->ops->rename(io, m->at, m->name, m->dir, m->place, RENAME_NOREPLACE);
    if (ks_is_os(rc, EINVAL)) /* the host's file system has no such flag */
        rc = move_if_free(m);
    TRY(rc);
    m->at = m->dir;
    m->name = m->place;
    return KS_SUCCESS;
}

void making_take_back(struct making *m, mode_t type)
{
    struct io *io = m->v->conf.io;

    /* nothing better to do when this fails too: the error before it is what counts */
    IGNORE(S_ISDIR(type) ? io->ops->rmdir(io, m->at, m->name)
                         : io->ops->unlink(io, m->at, m->name));
}

/* A spot whose object got its place is empty. */
void making_end(struct making *m)
{
    if (m->v && making_is_aside(m))
        spot_give_back(m->v, m->spot, m->name == m->place);
}
