/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/hold.c - a lock on a directory; nothing is written into it.
 */
#include "io/hold.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/mem.h"

struct hold {
    int fd;
};

ks_rc hold_directory(const char *path, struct hold **ret)
{
    CLEANUP(hold_end) struct hold *h = NULL;

    TRY(mem_new(1, sizeof *h, &h));
    h->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (h->fd < 0)
        return ks_fail_os(errno, "%s", path);
    if (flock(h->fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? ks_fail(KS_E_BUSY, "another process holds %s", path)
                                    : ks_fail_os(errno, "%s", path);
    *ret = TAKE(h);
    return KS_SUCCESS;
}

void hold_end(struct hold **h)
{
    if (!*h)
        return;
    if ((*h)->fd >= 0)
        close((*h)->fd);
    mem_free(*h);
}
