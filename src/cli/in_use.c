/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/in_use.c - looks at every process through /proc.
 */
#include "cli/in_use.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, LINE_BYTES = 8192, NAME_BYTES = 64 };

static bool is_below(const char *path, const char *dir)
{
    size_t len = strlen(dir);

    return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static bool link_is_below(const char *link, const char *dir)
{
    char target[PATH_BYTES];
    ssize_t len = readlink(link, target, sizeof target - 1);

    if (len <= 0)
        return false;
    target[len] = '\0';
    return is_below(target, dir);
}

static bool has_open_file(const char *pid, const char *dir)
{
    char path[PATH_BYTES];
    struct dirent *entry;
    bool found = false;

    snprintf(path, sizeof path, "/proc/%s/fd", pid);
    DIR *fds = opendir(path);
    if (!fds)
        return false;
    while (!found && (entry = readdir(fds))) {
        snprintf(path, sizeof path, "/proc/%s/fd/%s", pid, entry->d_name);
        found = link_is_below(path, dir);
    }
    closedir(fds);
    return found;
}

static bool has_mapped_file(const char *pid, const char *dir)
{
    char path[PATH_BYTES], line[LINE_BYTES];
    bool found = false;

    snprintf(path, sizeof path, "/proc/%s/maps", pid);
    FILE *maps = fopen(path, "re");
    if (!maps)
        return false;
    while (!found && fgets(line, sizeof line, maps)) {
        const char *file = strchr(line, '/');
        line[strcspn(line, "\n")] = '\0';
        found = file && is_below(file, dir);
    }
    (void)fclose(maps);
    return found;
}

static bool stands_in(const char *pid, const char *dir)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof path, "/proc/%s/cwd", pid);
    return link_is_below(path, dir);
}

static void name_of(const char *pid, char out[NAME_BYTES])
{
    char path[PATH_BYTES];

    snprintf(out, NAME_BYTES, "?");
    snprintf(path, sizeof path, "/proc/%s/comm", pid);
    FILE *comm = fopen(path, "re");
    if (!comm)
        return;
    if (fgets(out, NAME_BYTES, comm))
        out[strcspn(out, "\n")] = '\0';
    (void)fclose(comm);
}

static ks_rc check_process(const char *pid, const char *dir)
{
    char name[NAME_BYTES], self[NAME_BYTES];

    snprintf(self, sizeof self, "%ld", (long)getpid());
    if (strcmp(pid, self) == 0)
        return KS_SUCCESS;
    bool is_user = has_open_file(pid, dir) || has_mapped_file(pid, dir);
    if (!is_user && !stands_in(pid, dir))
        return KS_SUCCESS;
    name_of(pid, name);
    return ks_fail(KS_E_BUSY, "%s is in use by process %s (%s), which %s; stop it first", dir, pid,
                   name, is_user ? "has a file of it open" : "stands in it");
}

ks_rc in_use_check(const char *path)
{
    ks_rc rc = KS_SUCCESS;
    struct dirent *entry;
    DIR *proc = opendir("/proc");

    ENSURE(proc, KS_E_UNSUPPORTED, "/proc is not there: who uses %s cannot be found out", path);
    while (ks_ok(rc) && (entry = readdir(proc)))
        if (isdigit((unsigned char)entry->d_name[0]))
            rc = check_process(entry->d_name, path);
    closedir(proc);
    return rc;
}
