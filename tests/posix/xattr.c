/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/xattr.c - extended attributes.
 */
#include <linux/capability.h>
#include <stdio.h>
#include <sys/xattr.h>

#include "suite.h"

static int get(const char *path, const char *name, char *out, size_t room)
{
    return (int)lgetxattr(path, name, out, room);
}

/* What each name space says to root, and what is read back. */
static const struct space {
    const char *name;
    const char *attribute;
} spaces[] = {
    {"user", "user.a"},     {"trusted", "trusted.a"},          {"security", "security.a"},
    {"no_name_space", "a"}, {"unknown_name_space", "other.a"}, {"user_without_a_name", "user."},
    {"system", "system.a"},
};

struct space_case {
    const struct space *space;
    enum thing thing;
};

static void set_and_get(const void *row)
{
    const struct space_case *c = row;
    const char *name = c->space->attribute;
    char got[8];

    make_thing(c->thing, "x");
    int rc = lsetxattr("x", name, "value", 5, 0);
    suite_note("%s", suite_errno(rc == 0 ? 0 : errno));
    if (rc != 0)
        return;
    SAME(get("x", name, got, sizeof got), 5);
    HOLDS(memcmp(got, "value", 5) == 0);
    OK(lremovexattr("x", name));
    FAILS(ENODATA, get("x", name, got, sizeof got));
    FAILS(ENODATA, lremovexattr("x", name));
}

static void create_and_replace(void)
{
    put("x", "text");
    FAILS(ENODATA, setxattr("x", "user.a", "1", 1, XATTR_REPLACE));
    OK(setxattr("x", "user.a", "1", 1, XATTR_CREATE));
    FAILS(EEXIST, setxattr("x", "user.a", "2", 1, XATTR_CREATE));
    OK(setxattr("x", "user.a", "three", 5, XATTR_REPLACE));
    OK(setxattr("x", "user.a", "", 0, 0));
    SAME(get("x", "user.a", NULL, 0), 0);
    FAILS(EINVAL, setxattr("x", "user.a", "2", 1, 0x40));
}

static void sizes(void)
{
    char value[1000], got[1000];

    memset(value, 'v', sizeof value);
    put("x", "text");
    OK(setxattr("x", "user.a", value, sizeof value, 0));
    SAME(get("x", "user.a", NULL, 0), 1000);
    FAILS(ERANGE, get("x", "user.a", got, 999));
    SAME(get("x", "user.a", got, 1000), 1000);
    HOLDS(memcmp(value, got, 1000) == 0);
}

static void longest_value(void)
{
    char *value = calloc(1, 70000);

    HOLDS(value != NULL);
    put("x", "text");
    FAILS(E2BIG, setxattr("x", "user.a", value, 65537, 0));
    size_t low = 0, high = 65537;
    while (low + 1 < high) {
        size_t middle = (low + high) / 2;
        if (setxattr("x", "user.a", value, middle, 0) == 0)
            low = middle;
        else
            high = middle;
        removexattr("x", "user.a");
    }
    suite_note("%zu bytes", low);
    FAILS(low == 65536 ? E2BIG : ENOSPC, setxattr("x", "user.a", value, low + 1, 0));
    free(value);
}

static void longest_name(void)
{
    char name[300] = "user.";
    size_t len = 5;

    put("x", "text");
    memset(name + 5, 'n', 290);
    for (size_t i = 6; i <= 255; i++) {
        char cut = name[i];
        name[i] = 0;
        if (setxattr("x", name, "v", 1, 0) == 0)
            len = i;
        removexattr("x", name);
        name[i] = cut;
    }
    suite_note("%zu bytes", len);
    name[256] = 0;
    FAILS(ERANGE, setxattr("x", name, "v", 1, 0));
    FAILS(ERANGE, get("x", name, NULL, 0));
    if (len < 255) {
        name[255] = 0;
        setxattr("x", name, "v", 1, 0);
        suite_note("longer: %s", suite_errno(errno));
    }
}

static bool lists(const char *list, long len, const char *name)
{
    for (const char *at = list; at < list + len; at += strlen(at) + 1)
        if (strcmp(at, name) == 0)
            return true;
    return false;
}

static void list(void)
{
    char names[512], name[16];

    put("x", "text");
    SAME(listxattr("x", names, sizeof names), 0);
    long want = 0;
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "user.n%d", i);
        OK(setxattr("x", name, "v", 1, 0));
        want += (long)strlen(name) + 1;
    }
    SAME(listxattr("x", NULL, 0), want);
    FAILS(ERANGE, listxattr("x", names, (size_t)want - 1));
    SAME(listxattr("x", names, sizeof names), want);
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "user.n%d", i);
        HOLDS(lists(names, want, name));
    }
    OK(removexattr("x", "user.n3"));
    HOLDS(!lists(names, listxattr("x", names, sizeof names), "user.n3"));
}

static void list_of_trusted(void)
{
    char names[512];

    put("x", "text");
    OK(setxattr("x", "trusted.a", "v", 1, 0));
    OK(setxattr("x", "user.a", "v", 1, 0));
    HOLDS(lists(names, OK(listxattr("x", names, sizeof names)), "trusted.a"));
    if (become(USER_A, GROUP_A)) {
        long len = OK(listxattr("x", names, sizeof names));
        HOLDS(lists(names, len, "user.a"));
        suite_note("trusted names are shown to users: %s",
                   lists(names, len, "trusted.a") ? "yes" : "no");
        FAILS(ENODATA, get("x", "trusted.a", NULL, 0));
        FAILS(EPERM, setxattr("x", "trusted.a", "w", 1, 0));
        done();
    }
}

static void permissions(void)
{
    put("x", "text");
    OK(setxattr("x", "user.a", "v", 1, 0));
    OK(chmod("x", 0640));
    if (become(USER_A, GROUP_A)) {
        FAILS(EACCES, get("x", "user.a", NULL, 0));
        FAILS(EACCES, setxattr("x", "user.a", "w", 1, 0));
        FAILS(EACCES, removexattr("x", "user.a"));
        done();
    }
    OK(chmod("x", 0644));
    if (become(USER_A, GROUP_A)) {
        SAME(get("x", "user.a", NULL, 0), 1);
        FAILS(EACCES, setxattr("x", "user.a", "w", 1, 0));
        FAILS(EPERM, setxattr("x", "security.a", "w", 1, 0));
        done();
    }
}

static void sticky_directory(void)
{
    OK(mkdir("d", 0755));
    OK(chmod("d", 01777));
    if (become(USER_A, GROUP_A)) {
        FAILS(EPERM, setxattr("d", "user.a", "v", 1, 0));
        done();
    }
}

static void by_descriptor_and_name(void)
{
    char got[4];

    put("x", "text");
    OK(symlink("x", "s"));
    int fd = (int)OK(open("x", O_RDONLY | O_CLOEXEC));
    OK(fsetxattr(fd, "user.a", "v", 1, 0));
    SAME(getxattr("s", "user.a", got, sizeof got), 1);
    OK(unlink("x"));
    SAME(fgetxattr(fd, "user.a", got, sizeof got), 1);
    OK(fsetxattr(fd, "user.b", "w", 1, 0));
    OK(fremovexattr(fd, "user.a"));
    SAME(flistxattr(fd, NULL, 0), 7);
}

static void kept_by_rename_and_link(void)
{
    put("x", "text");
    OK(setxattr("x", "user.a", "v", 1, 0));
    OK(link("x", "l"));
    OK(rename("x", "y"));
    SAME(get("y", "user.a", NULL, 0), 1);
    SAME(get("l", "user.a", NULL, 0), 1);
    put("z", "text");
    OK(rename("z", "y"));
    FAILS(ENODATA, get("y", "user.a", NULL, 0));
    put("y", "again");
    SAME(get("l", "user.a", NULL, 0), 1);
}

static void any_bytes(void)
{
    char name[256] = "user.", value[256], got[256];

    for (int i = 0; i < 100; i++) {
        name[5 + i] = (char)(i + 100);
        value[i] = (char)i;
    }
    put("x", "text");
    OK(setxattr("x", name, value, 100, 0));
    SAME(get("x", name, got, sizeof got), 100);
    HOLDS(memcmp(value, got, 100) == 0);
    SAME(listxattr("x", got, sizeof got), 106);
    HOLDS(strcmp(got, name) == 0);
}

static const char *after_write(void)
{
    int fd = (int)OK(open("x", O_WRONLY | O_CLOEXEC));

    SAME(write(fd, "T", 1), 1);
    return get("x", "security.capability", NULL, 0) < 0 ? "gone" : "there";
}

static void capabilities_go_with_a_write(void)
{
    struct vfs_cap_data cap = {.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE};

    cap.data[0].permitted = 1U << CAP_NET_BIND_SERVICE;
    put("x", "text");
    OK(setxattr("x", "security.capability", &cap, XATTR_CAPS_SZ_2, 0));
    SAME(get("x", "security.capability", NULL, 0), XATTR_CAPS_SZ_2);
    suite_note("after a write: %s", after_write());
    OK(setxattr("x", "security.capability", &cap, XATTR_CAPS_SZ_2, 0));
    OK(chown("x", USER_A, GROUP_A));
    suite_note("after chown: %s", get("x", "security.capability", NULL, 0) < 0 ? "gone" : "there");
    OK(setxattr("x", "security.capability", &cap, XATTR_CAPS_SZ_2, 0));
    OK(truncate("x", 1));
    suite_note("after truncate: %s",
               get("x", "security.capability", NULL, 0) < 0 ? "gone" : "there");
}

/* An access control list that gives USER_A reading: as the kernel keeps it. */
static const struct {
    uint32_t version;
    struct {
        uint16_t tag, perm;
        uint32_t id;
    } entries[5];
} acl = {2,
         {{0x01, 6, (uint32_t)-1},
          {0x02, 4, USER_A},
          {0x04, 0, (uint32_t)-1},
          {0x10, 4, (uint32_t)-1},
          {0x20, 0, (uint32_t)-1}}};

static void access_control_list(void)
{
    put("x", "text");
    OK(chmod("x", 0600));
    int rc = setxattr("x", "system.posix_acl_access", &acl, sizeof acl, 0);
    suite_note("%s", suite_errno(rc == 0 ? 0 : errno));
    if (become(USER_A, GROUP_A)) {
        if (rc == 0)
            OK(open("x", O_RDONLY | O_CLOEXEC));
        else
            FAILS(EACCES, open("x", O_RDONLY | O_CLOEXEC));
        done();
    }
}

static void default_access_control_list(void)
{
    OK(mkdir("d", 0755));
    int rc = setxattr("d", "system.posix_acl_default", &acl, sizeof acl, 0);
    suite_note("%s", suite_errno(rc == 0 ? 0 : errno));
    put("d/x", "text");
    SAME(mode_of("d/x"), rc == 0 ? 0640 : 0644);
}

static const struct suite_test tests[] = {
    TEST(create_and_replace),
    TEST(sizes),
    TEST(longest_value),
    TEST(longest_name),
    TEST(list),
    TEST(list_of_trusted),
    TEST(permissions),
    TEST(sticky_directory),
    TEST(by_descriptor_and_name),
    TEST(kept_by_rename_and_link),
    TEST(any_bytes),
    TEST(capabilities_go_with_a_write),
    TEST(access_control_list),
    TEST(default_access_control_list),
};

void xattr_cases(void)
{
    for (size_t i = 0; i < COUNT(spaces); i++) {
        for (enum thing thing = 0; thing < THING_COUNT; thing++) {
            struct space_case c = {&spaces[i], thing};
            suite_case(set_and_get, &c, "%s__of_a_%s", spaces[i].name, thing_names[thing]);
        }
    }
    suite_tests(tests, COUNT(tests));
}
