/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/stress_check.c - compares a tree with the models of fsstress.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stress.h"

void stress_fail(const struct worker *w, const char *fmt, ...)
{
    char text[3 * PATH_BYTES];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    fprintf(stderr, "fsstress: worker %u, operation %" PRIu64 ": %s\n", w->number, w->now, text);
    _exit(1);
}

static void check_chunk(const struct worker *w, const struct object *o, unsigned index,
                        const uint8_t *got)
{
    uint8_t want[CHUNK_BYTES];

    stress_chunk(w, o, index, want);
    if (memcmp(got, want, CHUNK_BYTES) == 0)
        return;
    for (size_t i = 0; i < CHUNK_BYTES; i++)
        if (got[i] != want[i])
            stress_fail(
                w,
                "byte %zu of chunk %u is %02x, not %02x; it begins with \"%.60s\", not \"%.60s\"",
                i, index, got[i], want[i], (const char *)got, (const char *)want);
}

void stress_check_bytes(const struct worker *w, int fd, const struct object *o)
{
    size_t len = (size_t)o->size * CHUNK_BYTES;
    uint8_t *bytes = malloc(len + 1);

    if (!bytes)
        stress_fail(w, "no memory");
    ssize_t n = pread(fd, bytes, len + 1, 0);
    if (n != (ssize_t)len)
        stress_fail(w, "file %" PRIu64 ": a read gives %zd, not %zu: %s", o->id, n, len,
                    strerror(n < 0 ? errno : 0));
    for (unsigned i = 0; i < o->size; i++)
        check_chunk(w, o, i, bytes + (size_t)i * CHUNK_BYTES);
    free(bytes);
}

static void check_contents(const struct worker *w, const struct entry *e, const char *path)
{
    char want[NAME_BYTES], got[NAME_BYTES] = {0};

    if (e->type == A_SYMLINK) {
        stress_target(w, e->object, want);
        if (readlink(path, got, sizeof got - 1) < 0 || strcmp(got, want) != 0)
            stress_fail(w, "the target of %s is \"%s\", not \"%s\"", path, got, want);
        return;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        stress_fail(w, "open %s: %s", path, strerror(errno));
    stress_check_bytes(w, fd, &w->objects[e->object]);
    close(fd);
}

void stress_check_entry(const struct worker *w, const struct entry *e, bool is_with_contents)
{
    static const mode_t types[TYPE_COUNT] = {S_IFREG, S_IFDIR, S_IFLNK};
    const struct object *o = &w->objects[e->object];
    char path[PATH_BYTES];
    struct stat st;

    stress_path(w, e, path);
    if (lstat(path, &st) != 0)
        stress_fail(w, "stat %s: %s", path, strerror(errno));
    if ((st.st_mode & S_IFMT) != types[e->type])
        stress_fail(w, "%s has the type %o", path, st.st_mode);
    if (e->type == A_FILE && st.st_nlink != o->links)
        stress_fail(w, "%s has %lu links, not %u", path, (unsigned long)st.st_nlink, o->links);
    if (e->type == A_FILE && st.st_size != (off_t)o->size * CHUNK_BYTES)
        stress_fail(w, "%s has %lld bytes, not %u chunks", path, (long long)st.st_size, o->size);
    if (is_with_contents && e->type != A_DIRECTORY)
        check_contents(w, e, path);
}

/* --- directories: all that is there is known, and as much as is known is there --- */

static bool is_known(const struct worker *w, int parent, const char *name)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        const struct entry *e = &w->entries[i];
        if (e->is_used && e->parent == parent && strcmp(e->name, name) == 0)
            return true;
    }
    return false;
}

static unsigned count_in(const struct worker *w, int parent)
{
    unsigned count = 0;

    for (size_t i = 0; i < ENTRIES; i++)
        count += w->entries[i].is_used && w->entries[i].parent == parent;
    return count;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static void check_directory(const struct worker *w, int parent, const char *path)
{
    DIR *d = opendir(path);
    unsigned found = 0;

    if (!d)
        stress_fail(w, "opendir %s: %s", path, strerror(errno));
    for (const struct dirent *e; (e = readdir(d));) {
        if (is_dots(e->d_name))
            continue;
        if (!is_known(w, parent, e->d_name))
            stress_fail(w, "%s in %s should not be there", e->d_name, path);
        found++;
    }
    closedir(d);
    if (found != count_in(w, parent))
        stress_fail(w, "%s lists %u entries, not %u", path, found, count_in(w, parent));
}

void stress_check_listing(const struct worker *w, const struct entry *dir)
{
    char path[PATH_BYTES];

    stress_path(w, dir, path);
    check_directory(w, (int)(dir - w->entries), path);
}

void stress_check_tree(const struct worker *w)
{
    char path[PATH_BYTES];

    stress_root(w, path);
    check_directory(w, IN_OWN, path);
    for (size_t i = 0; i < ENTRIES; i++) {
        const struct entry *e = &w->entries[i];
        if (!e->is_used)
            continue;
        stress_check_entry(w, e, true);
        if (e->type == A_DIRECTORY)
            stress_check_listing(w, e);
    }
}

unsigned long stress_check_shared(const struct worker *workers, unsigned count)
{
    unsigned long all = 0, in_shared = 0, found = 0;
    DIR *d = opendir(stress_shared());

    for (unsigned i = 0; i < count; i++) {
        in_shared += count_in(&workers[i], IN_SHARED);
        for (size_t k = 0; k < ENTRIES; k++)
            all += workers[i].entries[k].is_used;
    }
    for (const struct dirent *e; d && (e = readdir(d));)
        found += !is_dots(e->d_name);
    if (!d || found != in_shared)
        stress_fail(&workers[0], "the shared directory lists %lu entries, not %lu", found,
                    in_shared);
    closedir(d);
    return all;
}
