/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/survey_object.c - looking at what an object holds besides contents: attributes, the target of a symlink; and at
 * the records of long names.
 *
 * All of it is under the name key: without a volume there is nothing that could be told. Changes nothing, ever.
 */
#include <stdio.h>

#include "volume/survey_int.h"

/* Where what is damaged belongs to. */
struct place {
    struct survey_hand *hand;
    const char *path;
};

static void tell(const struct place *p, ks_rc why)
{
    survey_damaged(p->hand->all, p->path, UINT64_MAX, ks_text(why));
}

static void damaged_attribute(void *arg, ks_rc why)
{
    struct place *p = arg;

    p->hand->s.attributes_damaged++;
    tell(p, why);
}

ks_rc survey_attributes(struct survey_hand *hand, const char *path, struct io_node *node)
{
    struct volume *v = hand->all->conf->volume;
    struct place p = {hand, path};

    return v ? node_check_attributes(v, node, damaged_attribute, &p) : KS_SUCCESS;
}

static ks_rc check_target(struct volume *v, struct io_node *node)
{
    CLEANUP(buf_done) struct buf target = buf_init_wiping(TARGET_PLAIN_MAX + 1);

    VOLUME_OPERATION(v, NEED_OPEN);
    return node_target(v, node, &target);
}

ks_rc survey_target(struct survey_hand *hand, const char *path, struct io_node *node)
{
    struct volume *v = hand->all->conf->volume;
    ks_rc rc = v ? check_target(v, node) : KS_SUCCESS;

    if (rc.cls != KS_CLASS_CORRUPT)
        return rc;
    hand->s.targets_damaged++;
    tell(&(struct place){hand, path}, ks_wrap(rc, "the target of the symlink"));
    return KS_SUCCESS;
}

/* --- records of long names --- */

static ks_rc check_record(struct volume *v, const char *name)
{
    VOLUME_OPERATION(v, NEED_OPEN);
    return names_check_record(v->names, name);
}

static ks_rc take_record(struct survey_hand *hand, const char *name)
{
    char path[sizeof "long/" + IO_NAME_BYTES];
    ks_rc rc = check_record(hand->all->conf->volume, name);

    if (rc.cls != KS_CLASS_CORRUPT)
        return rc;
    snprintf(path, sizeof path, "long/%s", name);
    hand->s.records_damaged++;
    tell(&(struct place){hand, path}, rc);
    return KS_SUCCESS;
}

/* Objects that are being made lie there, too, and what a power loss left of them. */
static ks_rc take_records(struct survey_hand *hand, struct io_dir *stream)
{
    struct io *io = hand->all->conf->io;
    struct io_dirent e;

    for (;;) {
        TRY(io->ops->dir_next(io, stream, &e));
        if (e.name[0] == 0)
            return KS_SUCCESS;
        TRY(survey_progress(hand->all, 0));
        if (names_is_record(e.name))
            TRY(take_record(hand, e.name));
    }
}

ks_rc survey_records(struct survey_hand *hand)
{
    const struct survey_conf *conf = hand->all->conf;
    struct io_dir *stream;

    if (!conf->volume)
        return KS_SUCCESS;
    TRY(conf->io->ops->dir_open(conf->io, conf->long_names, &stream));
    ks_rc rc = take_records(hand, stream);
    conf->io->ops->dir_close(conf->io, stream);
    return rc;
}
