/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/fsops.c - metadata operations per second, for the rows that fio does not have.
 *
 *     fsops create|rename|read|stat|remove|tree DIRECTORY COUNT
 *
 * create writes COUNT files of 4 KiB, rename renames them to and fro, read opens and reads each, stat asks for
 * the attributes of each, remove removes them; tree makes COUNT empty files, 1 000 to a directory, and goes on where an earlier
 * one was interrupted. Prints operations per second. A benchmark tool: it stops at the first error.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FILE_BYTES = 4096, PATH_BYTES = 64, TREE_FILES = 1000 };

static char data[FILE_BYTES];

static void name_of(char out[PATH_BYTES], const char *kind, unsigned n)
{
    snprintf(out, PATH_BYTES, "%s-%u", kind, n);
}

static void do_create(unsigned n)
{
    char path[PATH_BYTES];
    name_of(path, "file", n);
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, sizeof data) != (ssize_t)sizeof data || close(fd) < 0)
        err(1, "create %s", path);
}

static void do_rename(unsigned n)
{
    char from[PATH_BYTES], to[PATH_BYTES];
    name_of(from, "file", n);
    name_of(to, "renamed", n);
    if (rename(from, to) < 0 || rename(to, from) < 0)
        err(1, "rename %s", from);
}

static void do_read(unsigned n)
{
    char path[PATH_BYTES];
    name_of(path, "file", n);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, data, sizeof data) != (ssize_t)sizeof data || close(fd) < 0)
        err(1, "read %s", path);
}

static void do_stat(unsigned n)
{
    char path[PATH_BYTES];
    struct stat st;
    name_of(path, "file", n);
    if (stat(path, &st) < 0 || st.st_size != FILE_BYTES)
        err(1, "stat %s", path);
}

static void do_remove(unsigned n)
{
    char path[PATH_BYTES];
    name_of(path, "file", n);
    if (unlink(path) < 0)
        err(1, "remove %s", path);
}

/* Makes the directory of the files from n on. True: an earlier call made it and went on to the next one. */
static bool tree_directory(unsigned n)
{
    char path[PATH_BYTES], next[PATH_BYTES];
    name_of(path, "dir", n / TREE_FILES);
    name_of(next, "dir", n / TREE_FILES + 1);
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        err(1, "make %s", path);
    return access(next, F_OK) == 0;
}

static void do_tree(unsigned n)
{
    static bool is_whole;
    char path[PATH_BYTES];

    if (n % TREE_FILES == 0)
        is_whole = tree_directory(n);
    if (is_whole)
        return;
    snprintf(path, sizeof path, "dir-%u/file-%u", n / TREE_FILES, n);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0 || close(fd) < 0)
        err(1, "make %s", path);
}

static const struct {
    const char *name;
    void (*run)(unsigned n);
    unsigned operations;
} kinds[] = {
    {"create", do_create, 1}, {"rename", do_rename, 2}, {"read", do_read, 1},
    {"stat", do_stat, 1},     {"remove", do_remove, 1}, {"tree", do_tree, 1},
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        errx(2, "usage: fsops create|rename|read|stat|remove|tree DIRECTORY COUNT");
    unsigned count = (unsigned)strtoul(argv[3], NULL, 10);
    if (chdir(argv[2]) < 0)
        err(1, "%s", argv[2]);
    memset(data, 'k', sizeof data);
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        if (strcmp(kinds[k].name, argv[1]) != 0)
            continue;
        double start = now();
        for (unsigned n = 0; n < count; n++)
            kinds[k].run(n);
        printf("%.1f\n", count * kinds[k].operations / (now() - start));
        return 0;
    }
    errx(2, "unknown operation %s", argv[1]);
}
