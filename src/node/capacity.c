/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/capacity.c - memory is what volumes of a host share: it is counted before one is made or mounted, not when it is missing.
 */
#include "node/capacity.h"

#include <stdio.h>
#include <stdlib.h>

#include "node/agent_int.h"

enum { MEMINFO_MAX = 65536, KIB_PER_MIB = 1024 };

ks_rc capacity_available(struct view meminfo, uint64_t *ret_mib)
{
    static const char name[] = "MemAvailable:";
    const char *at = memmem(meminfo.bytes, meminfo.len, name, sizeof name - 1);
    char digits[32];

    ENSURE(at, KS_E_BAD_REPLY, "this host does not tell how much memory it has");
    at += sizeof name - 1;
    size_t left = meminfo.len - (size_t)(at - (const char *)meminfo.bytes);
    snprintf(digits, sizeof digits, "%.*s", (int)(left < 30 ? left : 30), at);
    char *end = NULL;
    unsigned long long kib = strtoull(digits, &end, 10);
    ENSURE(end != digits, KS_E_BAD_REPLY, "this host does not tell how much memory it has");
    *ret_mib = kib / KIB_PER_MIB;
    return KS_SUCCESS;
}

ks_rc capacity_judge(uint64_t available_mib, uint32_t volumes, uint32_t volumes_max)
{
    ENSURE(!volumes_max || volumes < volumes_max, KS_E_LIMIT,
           "this node has %u volumes, and --volumes allows no more: add a node to the region, or "
           "raise it",
           volumes);
    ENSURE(available_mib >= CAPACITY_VOLUME_MIB + CAPACITY_RESERVE_MIB, KS_E_LIMIT,
           "%llu MiB of memory are free on this node and one more volume needs %d, beside %d that "
           "stay free: add memory, "
           "or a node to the region",
           (unsigned long long)available_mib, CAPACITY_VOLUME_MIB, CAPACITY_RESERVE_MIB);
    return KS_SUCCESS;
}

/* Files of /proc have no size: read until the end. */
static ks_rc read_meminfo(struct io *io, struct buf *ret)
{
    struct io_node *dir = NULL, *node = NULL;
    struct io_file *file = NULL;
    struct stat st;
    uint8_t *tail;
    size_t got = 0;
    ks_rc rc = io->ops->open_root(io, "/proc", &dir);

    if (ks_ok(rc))
        rc = io->ops->lookup(io, dir, "meminfo", &node, &st);
    if (ks_ok(rc))
        rc = io->ops->open(io, node, true, &file);
    if (ks_ok(rc))
        rc = buf_extend(ret, MEMINFO_MAX, &tail);
    if (ks_ok(rc))
        rc = io->ops->pread(io, file, tail, MEMINFO_MAX, 0, &got);
    ret->len = ks_ok(rc) ? got : 0;
    if (file)
        io->ops->close(io, file);
    if (node)
        io->ops->node_close(io, node);
    if (dir)
        io->ops->node_close(io, dir);
    return ks_wrap(rc, "/proc/meminfo");
}

ks_rc capacity_check(struct agent *a)
{
    CLEANUP(buf_done) struct buf text = buf_init(MEMINFO_MAX);
    uint64_t available_mib = 0;
    uint32_t running = 0;

    TRY(read_meminfo(a->io, &text));
    TRY(capacity_available(buf_view(&text), &available_mib));
    pthread_mutex_lock(&a->mutex);
    for (struct holding *h = a->holdings; h; h = h->next)
        running += h->seen.is_running;
    pthread_mutex_unlock(&a->mutex);
    return capacity_judge(available_mib, running, a->conf.volumes_max);
}
