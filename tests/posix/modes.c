/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/modes.c - chmod(2), chown(2), and what takes set-user-id and set-group-id bits away.
 */
#include <stdio.h>
#include <sys/mman.h>

#include "suite.h"

static void chmod_of(const void *row)
{
    enum thing thing = *(const enum thing *)row;
    static const mode_t modes[] = {0,    0400, 0200,  0100,  0777,  0640,
                                   0001, 0707, 01777, 02755, 04711, 07777};

    make_thing(thing, "x");
    for (size_t i = 0; i < COUNT(modes); i++) {
        if (thing == A_SYMLINK) {
            FAILS(EOPNOTSUPP, fchmodat(AT_FDCWD, "x", modes[i], AT_SYMLINK_NOFOLLOW));
            SAME(mode_of("x"), 0777);
            continue;
        }
        OK(chmod("x", modes[i]));
        SAME(mode_of("x"), modes[i]);
        SAME(stat_of("x").st_mode & S_IFMT, thing_types[thing]);
    }
}

static void chown_of(const void *row)
{
    enum thing thing = *(const enum thing *)row;
    const uid_t same_uid = (uid_t)-1;
    const gid_t same_gid = (gid_t)-1;

    make_thing(thing, "x");
    OK(lchown("x", USER_A, GROUP_B));
    SAME(stat_of("x").st_uid, USER_A);
    SAME(stat_of("x").st_gid, GROUP_B);
    OK(lchown("x", same_uid, GROUP_A));
    SAME(stat_of("x").st_uid, USER_A);
    SAME(stat_of("x").st_gid, GROUP_A);
    OK(lchown("x", USER_B, same_gid));
    SAME(stat_of("x").st_uid, USER_B);
    SAME(stat_of("x").st_gid, GROUP_A);
    OK(lchown("x", same_uid, same_gid));
    SAME(stat_of("x").st_uid, USER_B);
    OK(lchown("x", 4000000000U, 4000000001U));
    SAME(stat_of("x").st_uid, 4000000000U);
    SAME(stat_of("x").st_gid, 4000000001U);
}

/* Who may: as root, owner, another. */
static void who_may_chmod(void)
{
    put("x", "text");
    OK(chown("x", USER_A, GROUP_A));
    if (become(USER_A, GROUP_A)) {
        OK(chmod("x", 0600));
        OK(chmod("x", 06755));
        done();
    }
    SAME(mode_of("x"), 06755);
    if (become(USER_B, GROUP_A)) {
        FAILS(EPERM, chmod("x", 0777));
        done();
    }
    SAME(mode_of("x"), 06755);
}

static void who_may_chown(void)
{
    put("x", "text");
    OK(chown("x", USER_A, GROUP_A));
    if (become(USER_A, GROUP_B)) {
        FAILS(EPERM, chown("x", USER_B, (gid_t)-1));
        FAILS(EPERM, chown("x", (uid_t)-1, 23099));
        OK(chown("x", USER_A, GROUP_B));
        SAME(stat_of("x").st_gid, GROUP_B);
        FAILS(EPERM, chown("x", (uid_t)-1, GROUP_A)); /* no longer in it */
        done();
    }
    if (become(USER_B, GROUP_B)) {
        FAILS(EPERM, chown("x", USER_B, GROUP_B));
        FAILS(EPERM, chown("x", (uid_t)-1, GROUP_B));
        done();
    }
    SAME(stat_of("x").st_uid, USER_A);
}

static void set_group_id_of_a_foreign_group(void)
{
    put("x", "text");
    OK(mkdir("d", 0755));
    OK(chown("x", USER_A, GROUP_B));
    OK(chown("d", USER_A, GROUP_B));
    if (become(USER_A, GROUP_A)) {
        OK(chmod("x", 02755));
        OK(chmod("d", 02755));
        done();
    }
    SAME(mode_of("x"), 0755);
    SAME(mode_of("d"), 0755);
}

/* --- what takes the bits away --- */

static void by_chown(const char *name)
{
    OK(chown(name, USER_A, GROUP_B));
}

static void by_chown_to_the_same(const char *name)
{
    OK(chown(name, USER_A, GROUP_A));
}

static void by_write(const char *name)
{
    int fd = (int)OK(open(name, O_WRONLY | O_CLOEXEC));

    SAME(pwrite(fd, "T", 1, 0), 1);
    OK(close(fd));
}

static void by_direct_write(const char *name)
{
    int fd = (int)OK(open(name, O_WRONLY | O_DIRECT | O_CLOEXEC));
    void *page = aligned_alloc(4096, 4096);

    HOLDS(page != NULL);
    SAME(pwrite(fd, page, 4096, 0), 4096);
    OK(close(fd));
    free(page);
}

static void by_truncate(const char *name)
{
    OK(truncate(name, 2));
}

static void by_ftruncate(const char *name)
{
    int fd = (int)OK(open(name, O_WRONLY | O_CLOEXEC));

    OK(ftruncate(fd, 9));
    OK(close(fd));
}

static void by_open_truncate(const char *name)
{
    OK(close((int)OK(open(name, O_WRONLY | O_TRUNC | O_CLOEXEC))));
}

static void by_fallocate(const char *name)
{
    int fd = (int)OK(open(name, O_WRONLY | O_CLOEXEC));

    OK(fallocate(fd, 0, 0, 10000));
    OK(close(fd));
}

static void by_punch_hole(const char *name)
{
    int fd = (int)OK(open(name, O_WRONLY | O_CLOEXEC));

    OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 2));
    OK(close(fd));
}

static void by_copy_file_range(const char *name)
{
    int in = (int)OK(open("from", O_RDONLY | O_CLOEXEC));
    int fd = (int)OK(open(name, O_WRONLY | O_CLOEXEC));

    SAME(copy_file_range(in, NULL, fd, NULL, 4, 0), 4);
    OK(close(fd));
}

static void by_nothing(const char *name)
{
    OK(close((int)OK(open(name, O_RDWR | O_CLOEXEC))));
}

static const struct taker {
    const char *name;
    void (*take)(const char *name);
    bool also_from_root; /* chown does */
    bool is_harmless;
} takers[] = {
    {"chown", by_chown, true, false},
    {"chown_to_the_same", by_chown_to_the_same, true, false},
    {"write", by_write, false, false},
    {"direct_write", by_direct_write, false, false},
    {"truncate", by_truncate, false, false},
    {"ftruncate", by_ftruncate, false, false},
    {"open_truncate", by_open_truncate, false, false},
    {"fallocate", by_fallocate, false, false},
    {"punch_hole", by_punch_hole, false, false},
    {"copy_file_range", by_copy_file_range, false, false},
    {"open", by_nothing, false, true},
};

static const mode_t set_id_modes[] = {06777, 06767, 04755, 02775, 02765, 04644, 02666};

struct set_id_case {
    const struct taker *taker;
    bool is_root;
};

static mode_t left_of(mode_t mode)
{
    mode &= ~(mode_t)04000;
    /* without group execution the bit is a mark of another kind */
    return mode & 010 ? mode & ~(mode_t)02000 : mode;
}

static void take_as(const struct set_id_case *c, const char *name)
{
    if (c->is_root) {
        c->taker->take(name);
        return;
    }
    if (become(USER_A, GROUP_A)) {
        c->taker->take(name);
        done();
    }
}

static void set_id_bits(const void *row)
{
    const struct set_id_case *c = row;

    OK(chmod(".", 0777));
    put("from", "text");
    for (size_t i = 0; i < COUNT(set_id_modes); i++) {
        char name[16], said[64];
        mode_t mode = set_id_modes[i];

        snprintf(name, sizeof name, "x%04o", mode);
        put_bytes(name, 5000);
        OK(chown(name, USER_A, GROUP_A));
        OK(chmod(name, mode | 0200));
        take_as(c, name);
        snprintf(said, sizeof said, "%04o", mode_of(name));
        if (c->taker->is_harmless || (c->is_root && !c->taker->also_from_root))
            SAME(mode_of(name), mode | 0200);
        else if (!(mode & 010) && (mode & 02000)) /* both are allowed */
            suite_note("%04o becomes %s", mode | 0200, said);
        else
            SAME(mode_of(name), left_of(mode | 0200));
    }
}

static void by_chown_of_nothing(void)
{
    put("x", "text");
    OK(chmod("x", 06777));
    OK(chown("x", (uid_t)-1, (gid_t)-1));
    suite_note("%04o", mode_of("x"));
}

static void taken_away_again(void)
{
    put("x", "text");
    OK(chown("x", USER_A, GROUP_A));
    OK(chmod("x", 06777));
    if (become(USER_A, GROUP_A)) {
        int fd = (int)OK(open("x", O_WRONLY | O_CLOEXEC));
        SAME(pwrite(fd, "T", 1, 0), 1);
        SAME(mode_of("x"), 0777);
        OK(fchmod(fd, 06777));
        SAME(pwrite(fd, "T", 1, 1), 1);
        SAME(mode_of("x"), 0777);
        done();
    }
}

static void directories_keep_theirs(void)
{
    OK(mkdir("d", 0755));
    OK(chmod("d", 06755));
    OK(chown("d", USER_A, GROUP_A));
    SAME(mode_of("d"), 06755);
}

static void by_shared_mapping(void)
{
    put_bytes("x", 5000);
    OK(chown("x", USER_A, GROUP_A));
    OK(chmod("x", 06777));
    if (become(USER_A, GROUP_A)) {
        int fd = (int)OK(open("x", O_RDWR | O_CLOEXEC));
        char *map = mmap(NULL, 5000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        HOLDS(map != MAP_FAILED);
        map[0] = 1;
        OK(msync(map, 5000, MS_SYNC));
        done();
    }
    suite_note("%04o", mode_of("x"));
}

static void sticky_bit_of_a_file(void)
{
    put("x", "text");
    OK(chown("x", USER_A, GROUP_A));
    if (become(USER_A, GROUP_A)) {
        OK(chmod("x", 01644));
        done();
    }
    SAME(mode_of("x"), 01644);
}

static void by_descriptor(void)
{
    put("x", "text");
    int fd = (int)OK(open("x", O_RDONLY | O_CLOEXEC));
    OK(fchmod(fd, 0601));
    OK(fchown(fd, USER_A, GROUP_A));
    OK(fchownat(fd, "", USER_B, (gid_t)-1, AT_EMPTY_PATH));
    SAME(mode_of("x"), 0601);
    SAME(stat_of("x").st_uid, USER_B);
    SAME(stat_of("x").st_gid, GROUP_A);
}

static void through_a_link(void)
{
    put("x", "text");
    OK(symlink("x", "s"));
    OK(chmod("s", 0600));
    OK(chown("s", USER_A, GROUP_A));
    SAME(mode_of("x"), 0600);
    SAME(stat_of("x").st_uid, USER_A);
    SAME(stat_of("s").st_uid, 0);
}

static const struct suite_test tests[] = {
    TEST(who_may_chmod),
    TEST(who_may_chown),
    TEST(set_group_id_of_a_foreign_group),
    TEST(directories_keep_theirs),
    TEST(by_chown_of_nothing),
    TEST(taken_away_again),
    TEST(by_shared_mapping),
    TEST(sticky_bit_of_a_file),
    TEST(by_descriptor),
    TEST(through_a_link),
};

void modes_cases(void)
{
    for (enum thing thing = 0; thing < THING_COUNT; thing++) {
        suite_case(chmod_of, &thing, "chmod__of_a_%s", thing_names[thing]);
        suite_case(chown_of, &thing, "chown__of_a_%s", thing_names[thing]);
    }
    for (size_t i = 0; i < COUNT(takers); i++) {
        for (int is_root = 0; is_root < 2; is_root++) {
            struct set_id_case c = {&takers[i], is_root != 0};
            if (!is_root && takers[i].take == by_chown)
                continue; /* may not */
            suite_case(set_id_bits, &c, "set_id_bits__%s_by_%s", takers[i].name,
                       is_root ? "root" : "the_owner");
        }
    }
    suite_tests(tests, COUNT(tests));
}
