/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/paths.c - every call that takes a path, with every kind of path that leads nowhere.
 */
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

#include "suite.h"

static int call_open(const char *p)
{
    return open(p, O_RDONLY | O_CLOEXEC);
}

static int call_open_create(const char *p)
{
    return open(p, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
}

static int call_open_exclusive(const char *p)
{
    return open(p, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
}

static int call_open_path(const char *p)
{
    return open(p, O_PATH | O_CLOEXEC);
}

static int call_opendir(const char *p)
{
    return open(p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int call_stat(const char *p)
{
    struct stat st;

    return stat(p, &st);
}

static int call_lstat(const char *p)
{
    struct stat st;

    return lstat(p, &st);
}

static int call_statx(const char *p)
{
    struct statx stx;

    return statx(AT_FDCWD, p, 0, STATX_BASIC_STATS, &stx);
}

static int call_statfs(const char *p)
{
    struct statfs st;

    return statfs(p, &st);
}

static int call_access(const char *p)
{
    return access(p, F_OK);
}

static int call_chmod(const char *p)
{
    return chmod(p, 0644);
}

static int call_chown(const char *p)
{
    return chown(p, 0, 0);
}

static int call_lchown(const char *p)
{
    return lchown(p, 0, 0);
}

static int call_utimensat(const char *p)
{
    return utimensat(AT_FDCWD, p, NULL, 0);
}

static int call_truncate(const char *p)
{
    return truncate(p, 0);
}

static int call_mkdir(const char *p)
{
    return mkdir(p, 0755);
}

static int call_mkfifo(const char *p)
{
    return mkfifo(p, 0644);
}

static int call_symlink(const char *p)
{
    return symlink("target", p);
}

static int call_link_from(const char *p)
{
    return link(p, "new");
}

static int call_link_to(const char *p)
{
    return link("file", p);
}

static int call_rename_from(const char *p)
{
    return rename(p, "new");
}

static int call_rename_to(const char *p)
{
    return rename("file", p);
}

static int call_exchange(const char *p)
{
    return renameat2(AT_FDCWD, "file", AT_FDCWD, p, RENAME_EXCHANGE);
}

static int call_unlink(const char *p)
{
    return unlink(p);
}

static int call_rmdir(const char *p)
{
    return rmdir(p);
}

static int call_readlink(const char *p)
{
    char to[16];

    return (int)readlink(p, to, sizeof to);
}

static int call_chdir(const char *p)
{
    return chdir(p);
}

static int call_getxattr(const char *p)
{
    char value[16];

    return (int)getxattr(p, "user.a", value, sizeof value);
}

static int call_setxattr(const char *p)
{
    return setxattr(p, "user.a", "v", 1, 0);
}

static int call_listxattr(const char *p)
{
    return (int)listxattr(p, NULL, 0);
}

static int call_removexattr(const char *p)
{
    return removexattr(p, "user.a");
}

/* What a call does with the last component of its path. */
enum { FOLLOWS = 1, CREATES = 2, ANY_THING = 4 };

static const struct path_call {
    const char *name;
    int (*call)(const char *path);
    unsigned does;
} calls[] = {
    {"open", call_open, FOLLOWS},
    {"open_create", call_open_create, FOLLOWS | CREATES},
    {"open_exclusive", call_open_exclusive, CREATES},
    {"open_path", call_open_path, FOLLOWS},
    {"opendir", call_opendir, FOLLOWS},
    {"stat", call_stat, FOLLOWS},
    {"lstat", call_lstat, 0},
    {"statx", call_statx, FOLLOWS},
    {"statfs", call_statfs, FOLLOWS},
    {"access", call_access, FOLLOWS},
    {"chmod", call_chmod, FOLLOWS},
    {"chown", call_chown, FOLLOWS},
    {"lchown", call_lchown, 0},
    {"utimensat", call_utimensat, FOLLOWS},
    {"truncate", call_truncate, FOLLOWS},
    {"mkdir", call_mkdir, CREATES},
    {"mkfifo", call_mkfifo, CREATES},
    {"symlink", call_symlink, CREATES},
    {"link_from", call_link_from, 0},
    {"link_to", call_link_to, CREATES},
    {"rename_from", call_rename_from, 0},
    {"rename_to", call_rename_to, CREATES | ANY_THING},
    {"exchange", call_exchange, ANY_THING},
    {"unlink", call_unlink, 0},
    {"rmdir", call_rmdir, 0},
    {"readlink", call_readlink, 0},
    {"chdir", call_chdir, FOLLOWS},
    {"getxattr", call_getxattr, FOLLOWS},
    {"setxattr", call_setxattr, FOLLOWS},
    {"listxattr", call_listxattr, FOLLOWS},
    {"removexattr", call_removexattr, FOLLOWS},
};

/* A path of more than PATH_MAX bytes, each component short. */
static const char *too_long_path(void)
{
    static char path[4200];

    for (size_t i = 0; i < sizeof path - 1; i++)
        path[i] = i % 2 ? '/' : '.';
    return path;
}

static const char *too_long_name(void)
{
    static char name[257];

    memset(name, 'n', sizeof name - 1);
    return name;
}

static const char *below_too_long_name(void)
{
    static char path[259];

    memset(path, 'n', 256);
    path[256] = '/';
    path[257] = 'x';
    return path;
}

static const struct bad_path {
    const char *name;
    const char *path; /* or made by: */
    const char *(*make)(void);
    int err;
} bad_paths[] = {
    {"an_empty_path", "", NULL, ENOENT},
    {"a_missing_directory", "missing/x", NULL, ENOENT},
    {"a_file_for_a_directory", "file/x", NULL, ENOTDIR},
    {"a_fifo_for_a_directory", "fifo/x", NULL, ENOTDIR},
    {"a_dangling_link_for_a_directory", "dangling/x", NULL, ENOENT},
    {"a_loop_for_a_directory", "loop/x", NULL, ELOOP},
    {"a_link_to_a_file_for_a_directory", "to_file/x", NULL, ENOTDIR},
    {"a_name_too_long", NULL, too_long_name, ENAMETOOLONG},
    {"a_directory_name_too_long", NULL, below_too_long_name, ENAMETOOLONG},
    {"a_path_too_long", NULL, too_long_path, ENAMETOOLONG},
};

struct pair {
    const struct path_call *call;
    const struct bad_path *bad;
};

static void scene(void)
{
    put("file", "text");
    OK(mkfifo("fifo", 0644));
    OK(symlink("missing", "dangling"));
    OK(symlink("loop", "loop"));
    OK(symlink("file", "to_file"));
}

static void leads_nowhere(const void *row)
{
    const struct pair *p = row;
    const char *path = p->bad->path ? p->bad->path : p->bad->make();

    scene();
    FAILS(p->bad->err, p->call->call(path));
}

static void last_is_missing(const void *row)
{
    const struct path_call *c = row;

    scene();
    FAILS(ENOENT, c->call("missing"));
}

static void last_is_a_loop(const void *row)
{
    const struct path_call *c = row;

    scene();
    FAILS(ELOOP, c->call("loop"));
}

static void last_dangles(const void *row)
{
    const struct path_call *c = row;

    scene();
    FAILS(ENOENT, c->call("dangling"));
}

static void no_pointer(const void *row)
{
    const struct path_call *c = row;

    scene();
    FAILS(EFAULT, c->call((const char *)1));
}

static void no_search_permission(const void *row)
{
    const struct path_call *c = row;

    scene();
    OK(chmod(".", 0777));
    OK(mkdir("closed", 0700));
    put("closed/x", "text");
    if (become(USER_A, GROUP_A)) {
        FAILS(EACCES, c->call("closed/x"));
        done();
    }
}

static void no_write_permission(const void *row)
{
    const struct path_call *c = row;

    scene();
    OK(chown("file", USER_A, GROUP_A));
    OK(mkdir("closed", 0755));
    OK(chmod(".", 0777));
    if (become(USER_A, GROUP_A)) {
        FAILS(EACCES, c->call("closed/new"));
        done();
    }
}

static void sixty_links_in_a_row(const void *row)
{
    const struct path_call *c = row;
    char from[16], to[16];

    scene();
    for (int i = 0; i < 60; i++) {
        snprintf(from, sizeof from, "l%d", i);
        snprintf(to, sizeof to, "l%d", i + 1);
        OK(symlink(to, from));
    }
    OK(symlink("file", "l60"));
    FAILS(ELOOP, c->call("l0"));
}

void paths_cases(void)
{
    for (size_t i = 0; i < COUNT(calls); i++) {
        const struct path_call *c = &calls[i];

        for (size_t k = 0; k < COUNT(bad_paths); k++) {
            struct pair p = {c, &bad_paths[k]};
            suite_case(leads_nowhere, &p, "%s__%s", c->name, bad_paths[k].name);
        }
        if (!(c->does & CREATES))
            suite_case(last_is_missing, c, "%s__a_missing_name", c->name);
        if (c->does & FOLLOWS)
            suite_case(last_is_a_loop, c, "%s__a_loop", c->name);
        if ((c->does & FOLLOWS) && !(c->does & CREATES))
            suite_case(last_dangles, c, "%s__a_dangling_link", c->name);
        if (c->does & FOLLOWS)
            suite_case(sixty_links_in_a_row, c, "%s__too_many_links", c->name);
        suite_case(no_pointer, c, "%s__no_address", c->name);
        suite_case(no_search_permission, c, "%s__no_search_permission", c->name);
        if (c->does & CREATES)
            suite_case(no_write_permission, c, "%s__no_write_permission", c->name);
    }
}
