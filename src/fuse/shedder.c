/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/shedder.c - keeps the number of known objects below what descriptors allow.
 *
 * What the kernel drops it forgets, and that comes to us as ordinary requests, a little later. It may write back
 * before: so the thread that asks must not be one of those that serve.
 */
#include "fuse/shedder.h"

#include <stdatomic.h>

#include "base/log.h"
#include "base/mem.h"
#include "fuse/sweeper.h"

struct shedder {
    struct shedder_conf conf;
    _Atomic size_t mark;
    atomic_bool is_asked, has_failed;
    struct sweeper *sweeper;
};

size_t shedder_mark(size_t room, size_t known)
{
    return known < room ? room : known + room / 8 + 1;
}

static void shed(void *arg)
{
    struct shedder *s = arg;
    ks_rc rc = s->conf.drop(s->conf.arg);

    /* said once: it would fail again for the same reason */
    if (!ks_ok(rc) && !atomic_exchange(&s->has_failed, true))
        log_line(LOG_WARNING, "the kernel cannot be asked to remember fewer files: %s",
                 ks_text(rc));
    atomic_store(&s->mark, shedder_mark(s->conf.room, volume_inode_count(s->conf.volume)));
    atomic_store(&s->is_asked, false);
}

ks_rc shedder_start(const struct shedder_conf *conf, struct shedder **ret)
{
    CLEANUP(mem_freep) struct shedder *s = NULL;

    TRY(mem_new(1, sizeof *s, &s));
    s->conf = *conf;
    atomic_init(&s->mark, conf->room);
    TRY(sweeper_start(shed, s, &s->sweeper));
    *ret = TAKE(s);
    return KS_SUCCESS;
}

bool shedder_stop(struct shedder *s, uint32_t timeout_ms)
{
    if (!s)
        return true;
    if (!sweeper_stop(s->sweeper, timeout_ms))
        return false;
    mem_free(s);
    return true;
}

void shedder_look(struct shedder *s)
{
    size_t known = volume_inode_count(s->conf.volume);

    if (known < s->conf.room / 2)
        atomic_store(&s->mark, s->conf.room); /* what was in use no longer is */
    if (known < atomic_load(&s->mark) || atomic_exchange(&s->is_asked, true))
        return;
    sweeper_round(s->sweeper, 0);
}
