/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/access.c - who may do what: permission bits, sticky directories, access(2).
 */
#include <grp.h>
#include <stdio.h>

#include "suite.h"

enum { NEEDS_R = 4, NEEDS_W = 2, NEEDS_X = 1 };

static int try_read(void)
{
    return open("x", O_RDONLY | O_CLOEXEC);
}

static int try_write(void)
{
    return open("x", O_WRONLY | O_CLOEXEC);
}

static int try_both(void)
{
    return open("x", O_RDWR | O_CLOEXEC);
}

static int try_truncate(void)
{
    return truncate("x", 0);
}

static int try_access_r(void)
{
    return access("x", R_OK);
}

static int try_access_w(void)
{
    return access("x", W_OK);
}

static int try_access_x(void)
{
    return access("x", X_OK);
}

static int try_eaccess_rwx(void)
{
    return faccessat(AT_FDCWD, "x", R_OK | W_OK | X_OK, AT_EACCESS);
}

static int try_list(void)
{
    return open("x", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int try_search(void)
{
    struct stat st;

    return stat("x/in", &st);
}

static int try_chdir(void)
{
    return chdir("x");
}

static int try_create(void)
{
    return open("x/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
}

static int try_mkdir(void)
{
    return mkdir("x/new", 0755);
}

static int try_link(void)
{
    return link("mine", "x/new");
}

static int try_unlink(void)
{
    return unlink("x/in");
}

static int try_rename_within(void)
{
    return rename("x/in", "x/out");
}

static int try_rename_out(void)
{
    return rename("x/in", "out");
}

static const struct attempt {
    const char *name;
    int (*call)(void);
    unsigned needs;
    bool is_dir;
} attempts[] = {
    {"open_read", try_read, NEEDS_R, false},
    {"open_write", try_write, NEEDS_W, false},
    {"open_read_write", try_both, NEEDS_R | NEEDS_W, false},
    {"truncate", try_truncate, NEEDS_W, false},
    {"access_read", try_access_r, NEEDS_R, false},
    {"access_write", try_access_w, NEEDS_W, false},
    {"access_execute", try_access_x, NEEDS_X, false},
    {"access_all", try_eaccess_rwx, NEEDS_R | NEEDS_W | NEEDS_X, false},
    {"list", try_list, NEEDS_R, true},
    {"search", try_search, NEEDS_X, true},
    {"chdir", try_chdir, NEEDS_X, true},
    {"create", try_create, NEEDS_W | NEEDS_X, true},
    {"mkdir", try_mkdir, NEEDS_W | NEEDS_X, true},
    {"link", try_link, NEEDS_W | NEEDS_X, true},
    {"unlink", try_unlink, NEEDS_W | NEEDS_X, true},
    {"rename_within", try_rename_within, NEEDS_W | NEEDS_X, true},
    {"rename_out_of", try_rename_out, NEEDS_W | NEEDS_X, true},
};

static const struct role {
    const char *name;
    uid_t uid;
    gid_t gid;
    unsigned shift; /* which bits of the mode count */
} roles[] = {
    {"owner", USER_A, GROUP_A, 6},
    {"group", USER_B, GROUP_A, 3},
    {"other", USER_B, GROUP_B, 0},
};

struct right {
    const struct attempt *attempt;
    const struct role *role;
};

static void make_target(const struct right *r, mode_t mode)
{
    if (r->attempt->is_dir) {
        OK(mkdir("x", 0755));
        put("x/in", "text");
        OK(chown("x/in", r->role->uid, r->role->gid));
        put("mine", "text");
        OK(chown("mine", r->role->uid, r->role->gid));
    } else {
        put("x", "text");
    }
    OK(chown("x", USER_A, GROUP_A));
    OK(chmod("x", mode));
}

/* Each of the eight combinations of bits for the role; all bits for the two others, as they must not matter. */
static void bits_decide(const void *row)
{
    const struct right *r = row;

    OK(chmod(".", 0777));
    for (unsigned bits = 0; bits < 8; bits++) {
        char name[8];
        mode_t mode = (0777U & ~(7U << r->role->shift)) | bits << r->role->shift;
        bool is_allowed = (bits & r->attempt->needs) == r->attempt->needs;

        snprintf(name, sizeof name, "d%u", bits);
        OK(mkdir(name, 0755));
        OK(chmod(name, 0777));
        OK(chdir(name));
        make_target(r, mode);
        if (become(r->role->uid, r->role->gid)) {
            EXPECT(is_allowed ? 0 : EACCES, r->attempt->call());
            done();
        }
        OK(chdir(".."));
    }
}

static void root_is_allowed(const void *row)
{
    const struct attempt *a = row;
    struct right r = {a, &roles[0]};

    make_target(&r, 0);
    if (a->needs & NEEDS_X && !a->is_dir) {
        FAILS(EACCES, a->call()); /* nobody may execute it */
        OK(chmod("x", 0001));
    }
    OK(a->call());
}

static void supplementary_group(void)
{
    const gid_t groups[] = {23098, GROUP_A};

    put("x", "text");
    OK(chown("x", USER_A, GROUP_A));
    OK(chmod("x", 0040));
    if (in_child()) {
        OK(setgroups(2, groups));
        OK(setresgid(GROUP_B, GROUP_B, GROUP_B));
        OK(setresuid(USER_B, USER_B, USER_B));
        OK(open("x", O_RDONLY | O_CLOEXEC));
        FAILS(EACCES, open("x", O_WRONLY | O_CLOEXEC));
        done();
    }
}

static void real_and_effective(void)
{
    put("x", "text");
    OK(chmod("x", 0600));
    if (in_child()) {
        OK(setresuid(USER_A, 0, 0));
        FAILS(EACCES, access("x", R_OK));
        OK(faccessat(AT_FDCWD, "x", R_OK, AT_EACCESS));
        OK(open("x", O_RDONLY | O_CLOEXEC));
        done();
    }
}

static void execution(void)
{
    int fd = (int)OK(open("x", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));

    SAME(write(fd, "#!/bin/true\n", 12), 12);
    OK(close(fd));
    if (in_child()) {
        FAILS(EACCES, execl("./x", "x", (char *)NULL));
        done();
    }
    OK(chmod("x", 0755));
    if (in_child()) {
        OK(execl("./x", "x", (char *)NULL));
        done();
    }
}

/* --- sticky directories --- */

static const struct sticky {
    const char *name;
    uid_t dir, file, who;
    bool is_allowed;
} sticky_rows[] = {
    {"by_nobody_in_particular", 0, USER_A, USER_B, false},
    {"by_the_owner_of_the_file", 0, USER_A, USER_A, true},
    {"by_the_owner_of_the_directory", USER_A, USER_B, USER_A, true},
    {"by_root", USER_A, USER_B, 0, true},
};

static void sticky_directory(const void *row)
{
    const struct sticky *s = row;
    int err = s->is_allowed ? 0 : EPERM;

    OK(chmod(".", 0777));
    OK(mkdir("d", 0755));
    OK(chown("d", s->dir, GROUP_A));
    OK(chmod("d", 01777));
    put("d/f", "text");
    put("d/g", "text");
    put("d/h", "text");
    OK(mkdir("d/sub", 0777));
    const char *const names[] = {"d/f", "d/g", "d/h", "d/sub"};
    for (size_t i = 0; i < COUNT(names); i++)
        OK(chown(names[i], s->file, GROUP_A));
    if (become(s->who, GROUP_B)) {
        put("d/new", "text");
        EXPECT(err, unlink("d/f"));
        EXPECT(err, rename("d/g", "d/G"));
        EXPECT(err, rename("d/new", "d/h"));
        EXPECT(err, rmdir("d/sub"));
        done();
    }
}

static void removed_directory(void)
{
    struct stat st;

    OK(mkdir("d", 0755));
    OK(chdir("d"));
    OK(rmdir("../d"));
    FAILS(ENOENT, open("x", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    FAILS(ENOENT, mkdir("x", 0755));
    FAILS(ENOENT, symlink("a", "x"));
    FAILS(ENOENT, mkfifo("x", 0644));
    FAILS(ENOENT, stat("x", &st));
    OK(stat(".", &st));
    SAME(st.st_nlink, 0);
}

static const struct suite_test tests[] = {
    TEST(supplementary_group),
    TEST(real_and_effective),
    TEST(execution),
    TEST(removed_directory),
};

void access_cases(void)
{
    for (size_t i = 0; i < COUNT(attempts); i++) {
        for (size_t k = 0; k < COUNT(roles); k++) {
            struct right r = {&attempts[i], &roles[k]};
            suite_case(bits_decide, &r, "%s__by_%s", attempts[i].name, roles[k].name);
        }
        suite_case(root_is_allowed, &attempts[i], "%s__by_root", attempts[i].name);
    }
    for (size_t i = 0; i < COUNT(sticky_rows); i++)
        suite_case(sticky_directory, &sticky_rows[i], "sticky__%s", sticky_rows[i].name);
    suite_tests(tests, COUNT(tests));
}
