/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/holders.c - who has files of a mount open, as /proc shows it.
 *
 * A descriptor's fdinfo names the mount it was opened through, and mountinfo of its process says which of these are of
 * our device; in another mount namespace, or through a bind mount, the same volume has other numbers. Neither asks the
 * file system that the descriptor is of, as stat would.
 */
#include "fuse/holders.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/mem.h"
#include "fuse/sweeper.h"

enum {
    MOUNTS_MAX = 1024, /* of the volume, in all namespaces */
    SPACES_MAX = 1024, /* namespaces that need not be read again */
    NAME_BYTES = 32,
    INFO_BYTES = 256,
    LINK_BYTES = 64,
    NICE_LAST = 19,
};

struct holders {
    struct holders_conf conf;
    struct sweeper *sweeper;
    /* of the counting thread */
    uint64_t deadline_ms;
    uint32_t mounts[MOUNTS_MAX];
    size_t mount_count;
    uint64_t spaces[SPACES_MAX];
    size_t space_count;

    pthread_mutex_t mutex;         /* of what follows */
    struct holders_found counting; /* the count that is under way */
    struct holders_found found;    /* the last one that ended */
    uint64_t began_ms;             /* of that one; 0: there was none */
    bool is_locking;               /* until holders_take */
};

static void dir_closep(DIR **d)
{
    if (*d)
        closedir(*d);
}

static void file_closep(FILE **f)
{
    if (*f)
        (void)fclose(*f);
}

static void fd_closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* open_dir(at, name): a directory to read, or NULL. */
static DIR *open_dir(int at, const char *name)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

    if (!d && fd >= 0)
        close(fd);
    return d;
}

static bool read_link(int at, const char *name, char out[static LINK_BYTES])
{
    ssize_t n = readlinkat(at, name, out, LINK_BYTES - 1);

    out[n > 0 ? n : 0] = 0;
    return n > 0;
}

/* read_text(at, name, out): the beginning of a small file. */
static bool read_text(int at, const char *name, char out[static INFO_BYTES])
{
    int fd = openat(at, name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, out, INFO_BYTES - 1) : -1;

    if (fd >= 0)
        close(fd);
    out[n > 0 ? n : 0] = 0;
    return n > 0;
}

static bool is_late(const struct holders *h)
{
    return clock_boot_ms(h->conf.clock) >= h->deadline_ms;
}

/* --- which mounts are ours --- */

static bool is_our_mount(const struct holders *h, uint32_t id)
{
    for (size_t k = 0; k < h->mount_count; k++)
        if (h->mounts[k] == id)
            return true;
    return false;
}

static void note_mount(struct holders *h, const char *line)
{
    unsigned id, dev_major, dev_minor;

    if (sscanf(line, "%u %*u %u:%u", &id, &dev_major, &dev_minor) != 3)
        return;
    if (makedev(dev_major, dev_minor) == h->conf.device && !is_our_mount(h, id) &&
        h->mount_count < MOUNTS_MAX)
        h->mounts[h->mount_count++] = id;
}

static bool is_known_space(const struct holders *h, uint64_t space)
{
    for (size_t k = 0; k < h->space_count; k++)
        if (h->spaces[k] == space)
            return true;
    return false;
}

/* learn_mounts(h, process): the mounts of its namespace. One process whose root is that of the namespace sees them all. */
static void learn_mounts(struct holders *h, int process)
{
    char link[LINK_BYTES], root[LINK_BYTES];
    uint64_t space = 0;

    if (read_link(process, "ns/mnt", link))
        space = strtoull(link + strcspn(link, "0123456789"), NULL, 10);
    if (space && is_known_space(h, space))
        return;
    int fd = openat(process, "mountinfo", O_RDONLY | O_CLOEXEC);
    CLEANUP(file_closep) FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
    char *line = NULL;
    size_t room = 0;
    while (f && getline(&line, &room, f) > 0)
        note_mount(h, line);
    free(line);
    if (!f && fd >= 0)
        close(fd);
    if (f && space && h->space_count < SPACES_MAX && read_link(process, "root", root) &&
        strcmp(root, "/") == 0)
        h->spaces[h->space_count++] = space;
}

/* --- descriptors --- */

static bool is_ours(const struct holders *h, int process, const char *descriptor)
{
    char path[NAME_BYTES], info[INFO_BYTES];

    snprintf(path, sizeof path, "fdinfo/%.20s", descriptor);
    if (!read_text(process, path, info))
        return false;
    const char *id = strstr(info, "mnt_id:");
    return id && is_our_mount(h, (uint32_t)strtoul(id + strlen("mnt_id:"), NULL, 10));
}

/* count_process(h, process): how many of its descriptors are ours; none when it may not be looked at. What has no path
 * (sockets, pipes) is told by its link alone. */
static uint64_t count_process(const struct holders *h, int process)
{
    CLEANUP(dir_closep) DIR *d = open_dir(process, "fd");
    char first[LINK_BYTES];
    uint64_t count = 0;

    for (struct dirent *e; d && (e = readdir(d)) && !is_late(h);)
        if (e->d_name[0] != '.' && read_link(dirfd(d), e->d_name, first) && first[0] == '/')
            count += is_ours(h, process, e->d_name);
    return count;
}

/* Names of processes are chosen by whoever started them. */
static void comm_of(int process, char out[static INFO_BYTES])
{
    if (!read_text(process, "comm", out))
        snprintf(out, INFO_BYTES, "?");
    out[strcspn(out, "\n")] = 0;
    out[NAME_BYTES - 1] = 0;
    for (char *c = out; *c; c++)
        if (!isgraph((unsigned char)*c))
            *c = '_';
}

static void note_process(struct holders *h, int process, const char *pid, uint64_t count)
{
    char comm[INFO_BYTES];

    comm_of(process, comm);
    pthread_mutex_lock(&h->mutex);
    struct holders_found *found = &h->counting;
    size_t len = strlen(found->names);
    if (found->processes < HOLDERS_NAMED_MAX)
        snprintf(found->names + len, sizeof found->names - len, "%s%.*s[%.10s]", len ? ", " : "",
                 NAME_BYTES, comm, pid);
    else if (found->processes == HOLDERS_NAMED_MAX)
        snprintf(found->names + len, sizeof found->names - len, " and others");
    found->handles += count;
    found->processes++;
    pthread_mutex_unlock(&h->mutex);
}

static void look_at_process(struct holders *h, int proc, const char *pid)
{
    CLEANUP(fd_closep) int process = openat(proc, pid, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (process < 0)
        return;
    learn_mounts(h, process);
    uint64_t count = h->mount_count ? count_process(h, process) : 0;
    if (count)
        note_process(h, process, pid, count);
}

static bool is_other_process(const char *name)
{
    return isdigit((unsigned char)name[0]) && strtol(name, NULL, 10) != (long)getpid();
}

/* look_at_all(h): whether it came to its end. Ours is the first namespace to be learnt: a mount of the volume is most likely
 * there. */
static bool look_at_all(struct holders *h)
{
    CLEANUP(dir_closep) DIR *d = open_dir(AT_FDCWD, h->conf.proc);

    if (!d)
        return false;
    CLEANUP(fd_closep) int self = openat(dirfd(d), "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (self >= 0)
        learn_mounts(h, self);
    for (struct dirent *e; (e = readdir(d)) && !is_late(h);)
        if (is_other_process(e->d_name))
            look_at_process(h, dirfd(d), e->d_name);
    return !is_late(h);
}

static void count(void *arg)
{
    struct holders *h = arg;
    uint64_t began_ms = clock_boot_ms(h->conf.clock);

    /* on a host with many volumes all of them may count at once: first comes what they are there for */
    (void)setpriority(PRIO_PROCESS, 0, NICE_LAST);
    h->deadline_ms = began_ms + HOLDERS_SCAN_MS_MAX;
    h->mount_count = h->space_count = 0;
    pthread_mutex_lock(&h->mutex);
    h->counting = (struct holders_found){.is_partial = true};
    pthread_mutex_unlock(&h->mutex);
    bool is_whole = look_at_all(h);
    pthread_mutex_lock(&h->mutex);
    h->counting.is_partial = !is_whole;
    h->found = h->counting;
    h->began_ms = began_ms;
    pthread_mutex_unlock(&h->mutex);
}

/* --- whoever wants to know --- */

ks_rc holders_start(const struct holders_conf *conf, struct holders **ret)
{
    CLEANUP(mem_freep) struct holders *h = NULL;

    TRY(mem_new(1, sizeof *h, &h));
    h->conf = *conf;
    pthread_mutex_init(&h->mutex, NULL);
    TRY(sweeper_start(count, h, &h->sweeper));
    *ret = TAKE(h);
    return KS_SUCCESS;
}

bool holders_stop(struct holders *h, uint32_t timeout_ms)
{
    if (!h)
        return true;
    if (!sweeper_stop(h->sweeper, timeout_ms))
        return false;
    pthread_mutex_destroy(&h->mutex);
    mem_free(h);
    return true;
}

void holders_count(struct holders *h)
{
    pthread_mutex_lock(&h->mutex);
    h->is_locking = true;
    pthread_mutex_unlock(&h->mutex);
    sweeper_ask(h->sweeper);
}

void holders_take(struct holders *h, uint32_t timeout_ms, struct holders_found *ret)
{
    bool is_done = sweeper_await(h->sweeper, timeout_ms);

    pthread_mutex_lock(&h->mutex);
    *ret = is_done ? h->found : h->counting;
    h->is_locking = false;
    pthread_mutex_unlock(&h->mutex);
    ret->is_partial = ret->is_partial || !is_done;
}

void holders_look(struct holders *h, uint64_t age_ms_max, struct holders_found *ret)
{
    uint64_t now = clock_boot_ms(h->conf.clock);

    pthread_mutex_lock(&h->mutex);
    bool is_fresh = h->began_ms && now - h->began_ms < age_ms_max;
    bool is_wanted = !is_fresh && !h->is_locking;
    if (is_wanted)
        sweeper_ask(h->sweeper);
    pthread_mutex_unlock(&h->mutex);
    if (is_wanted)
        sweeper_await(h->sweeper, HOLDERS_LOOK_MS_MAX);
    holders_peek(h, ret);
}

void holders_peek(struct holders *h, struct holders_found *ret)
{
    pthread_mutex_lock(&h->mutex);
    *ret = h->found;
    pthread_mutex_unlock(&h->mutex);
}
