/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a transfer moves everything that a directory tree holds into a volume and back and leaves nothing behind; it
 * can be stopped and started again; it overwrites nothing; it removes an original only after a sync that
 * came after the naming of its copy; and what is damaged stays, and is told.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/mem.h"
#include "tmpdir.h"
#include "volume/transfer.h"
#include "volume_fixture.h"

enum { MIB = 1 << 20, BIG = 3 * MIB + 12345, SPARSE = 64 * MIB };

struct bench {
    struct tmpdir tmp;
    struct fixture_keys *keys;
    struct fixture *f;
    struct io_node *dir;
    struct side_plain plain;
    struct side_volume volume;
    struct transfer_result result;
    unsigned rounds_left;
};

static struct path at(struct bench *b, const char *name)
{
    struct path p;

    snprintf(p.text, sizeof p.text, "%s/plain/%s", b->tmp.path, name);
    return p;
}

static int bench_new(void **state)
{
    struct io *io = io_posix();
    struct bench *b;

    check_ok(mem_new(1, sizeof *b, &b));
    b->tmp = tmpdir_make();
    assert_int_equal(mkdir(at(b, "").text, 0755), 0);
    assert_int_equal(mkdir(tmpdir_path(&b->tmp, "vol").text, 0700), 0);
    check_ok(fixture_keys_new(3584, &b->keys));
    check_ok(fixture_layout(io, tmpdir_path(&b->tmp, "vol").text));
    check_ok(fixture_open(io, tmpdir_path(&b->tmp, "vol").text, b->keys, &b->f));
    check_ok(io->ops->open_root(io, at(b, "").text, &b->dir));
    side_plain_init(&b->plain, io, b->dir);
    side_volume_init(&b->volume, b->f->v, io, b->f->tree);
    *state = b;
    return 0;
}

static int bench_free(void **state)
{
    struct io *io = io_posix();
    struct bench *b = *state;

    io->ops->node_close(io, b->dir);
    fixture_close(b->f);
    fixture_keys_free(b->keys);
    tmpdir_remove(&b->tmp);
    mem_free(b);
    return 0;
}

static bool count_down(void *arg, const struct transfer_progress *p)
{
    struct bench *b = arg;

    assert_true(p->bytes <= p->bytes_total);
    assert_true(p->objects <= p->objects_total);
    return b->rounds_left == 0 || --b->rounds_left > 0;
}

static ks_rc adopt(struct bench *b)
{
    struct transfer_conf conf = {.from = &b->plain.side,
                                 .to = &b->volume.side,
                                 .is_measured = true,
                                 .pending_max = 3,
                                 .progress = count_down,
                                 .arg = b};

    return transfer_run(&conf, &b->result);
}

static ks_rc release(struct bench *b)
{
    struct transfer_conf conf = {.from = &b->volume.side,
                                 .to = &b->plain.side,
                                 .is_measured = true,
                                 .pending_max = 3,
                                 .progress = count_down,
                                 .arg = b};

    return transfer_run(&conf, &b->result);
}

static void put(struct bench *b, const char *name, size_t size)
{
    FILE *f = fopen(at(b, name).text, "wb");

    assert_non_null(f);
    for (size_t i = 0; i < size; i++)
        assert_int_not_equal(fputc((int)(i * 7 % 251), f), EOF);
    assert_int_equal(fclose(f), 0);
}

static void check_put(struct bench *b, const char *name, size_t size)
{
    FILE *f = fopen(at(b, name).text, "rb");

    assert_non_null(f);
    for (size_t i = 0; i < size; i++)
        if (fgetc(f) != (int)(i * 7 % 251))
            fail_msg("%s: byte %zu differs", name, i);
    assert_int_equal(fgetc(f), EOF);
    fclose(f);
}

static struct stat stat_of(struct bench *b, const char *name)
{
    struct stat st;

    assert_int_equal(lstat(at(b, name).text, &st), 0);
    return st;
}

static unsigned entries_of(struct bench *b, const char *name)
{
    struct stat st = stat_of(b, name);

    return (unsigned)st.st_nlink;
}

static ks_rc count_entry(void *arg, const char *name)
{
    (void)name;
    (*(unsigned *)arg)++;
    return KS_SUCCESS;
}

static unsigned root_entries(struct side *side)
{
    unsigned count = 0;

    check_ok(side->ops->list(side, side->ops->root(side), count_entry, &count));
    return count;
}

static const struct timespec old_times[2] = {{1000000000, 1}, {1100000000, 987654321}};

static void make_rich_tree(struct bench *b)
{
    assert_int_equal(mkdir(at(b, "base").text, 0750), 0);
    assert_int_equal(mkdir(at(b, "base/deep").text, 0700), 0);
    put(b, "base/big", BIG);
    put(b, "base/deep/small", 10);
    put(b, "empty", 0);
    assert_int_equal(link(at(b, "base/big").text, at(b, "second name").text), 0);
    assert_int_equal(symlink("base/big", at(b, "sym").text), 0);
    assert_int_equal(mkfifo(at(b, "fifo").text, 0640), 0);
    put(b, "sparse", 1);
    assert_int_equal(truncate(at(b, "sparse").text, SPARSE), 0);
    assert_int_equal(setxattr(at(b, "empty").text, "user.colour", "red", 3, 0), 0);
    assert_int_equal(chmod(at(b, "base/deep/small").text, 04711), 0);
    assert_int_equal(utimensat(AT_FDCWD, at(b, "base/big").text, old_times, 0), 0);
    assert_int_equal(utimensat(AT_FDCWD, at(b, "base").text, old_times, 0), 0);
}

/* Times of directories are kept when nobody stopped the transfer. */
static void check_rich_tree(struct bench *b, bool was_stopped)
{
    char text[16];
    struct stat big = stat_of(b, "base/big"), base = stat_of(b, "base");

    check_put(b, "base/big", BIG);
    check_put(b, "base/deep/small", 10);
    check_put(b, "empty", 0);
    assert_int_equal(stat_of(b, "second name").st_ino, big.st_ino);
    assert_int_equal(big.st_mtim.tv_sec, old_times[1].tv_sec);
    assert_int_equal(big.st_mtim.tv_nsec, old_times[1].tv_nsec);
    if (!was_stopped)
        assert_int_equal(base.st_mtim.tv_sec, old_times[1].tv_sec);
    assert_int_equal(base.st_mode & 07777, 0750);
    assert_int_equal(stat_of(b, "base/deep/small").st_mode & 07777, 04711);
    assert_int_equal(readlink(at(b, "sym").text, text, sizeof text), 8);
    assert_true(S_ISFIFO(stat_of(b, "fifo").st_mode));
    assert_int_equal(stat_of(b, "sparse").st_size, SPARSE);
    assert_true(stat_of(b, "sparse").st_blocks * 512 < 64 << 10);
    assert_int_equal(getxattr(at(b, "empty").text, "user.colour", text, sizeof text), 3);
}

static void there_and_back__everything__as_it_was(void **state)
{
    struct bench *b = *state;

    struct stat root;

    make_rich_tree(b);
    assert_int_equal(chmod(at(b, "").text, 02750), 0);
    check_ok(adopt(b));
    check_ok(volume_getattr(b->f->v, volume_root(b->f->v), &root));
    assert_int_equal(root.st_mode & 07777, 02750);
    assert_int_equal(b->result.progress.objects, 7);
    assert_int_equal(b->result.progress.objects, b->result.progress.objects_total);
    assert_int_equal(b->result.progress.bytes, b->result.progress.bytes_total);
    assert_int_equal(root_entries(&b->plain.side), 0);
    assert_int_equal(root_entries(&b->volume.side), 6);
    check_ok(release(b));
    assert_int_equal(root_entries(&b->volume.side), 0);
    check_rich_tree(b, false);
}

static void stopped__at_every_round__goes_on_and_ends_complete(void **state)
{
    struct bench *b = *state;
    unsigned stops = 0;

    make_rich_tree(b);
    for (unsigned rounds = 1; rounds < 20; rounds++) {
        b->rounds_left = rounds;
        ks_rc rc = rounds % 2 ? adopt(b) : release(b);
        assert_int_equal(ks_ok(rc), !b->result.is_interrupted);
        stops += b->result.is_interrupted;
    }
    assert_true(stops > 5);
    b->rounds_left = 0;
    check_ok(adopt(b));
    assert_int_equal(root_entries(&b->plain.side), 0);
    check_ok(release(b));
    check_rich_tree(b, true);
}

static void name_taken__by_other_contents__exists_and_both_stay(void **state)
{
    struct bench *b = *state;

    put(b, "file", 5000);
    check_ok(adopt(b));
    put(b, "file", 5001);
    ks_rc rc = adopt(b);
    check_rc(rc, EXISTS);
    check_text(rc, "file: ");
    check_put(b, "file", 5001);
    assert_int_equal(rename(at(b, "file").text, at(b, "mine").text), 0);
    check_ok(release(b));
    check_put(b, "file", 5000);
    check_put(b, "mine", 5001);
}

static void name_taken__by_another_kind__exists(void **state)
{
    struct bench *b = *state;

    put(b, "thing", 10);
    check_ok(adopt(b));
    assert_int_equal(mkdir(at(b, "thing").text, 0700), 0);
    check_rc(adopt(b), EXISTS);
    assert_int_equal(rmdir(at(b, "thing").text), 0);
    assert_int_equal(symlink("x", at(b, "thing").text), 0);
    check_rc(adopt(b), EXISTS);
    assert_int_equal(entries_of(b, "thing"), 1);
}

static void same_contents_there__from_before__original_is_removed(void **state)
{
    struct bench *b = *state;

    put(b, "file", 5000);
    check_ok(adopt(b));
    put(b, "file", 5000);
    check_ok(adopt(b));
    assert_int_equal(root_entries(&b->plain.side), 0);
    check_ok(release(b));
    check_put(b, "file", 5000);
}

static void unfinished_copies__from_before__are_removed(void **state)
{
    struct bench *b = *state;

    put(b, "file", 100);
    put(b, TRANSFER_NAME "0", 7);
    check_ok(adopt(b));
    assert_int_equal(root_entries(&b->plain.side), 0);
    assert_int_equal(root_entries(&b->volume.side), 1);
}

static void linked_elsewhere__is_moved_and_counted(void **state)
{
    struct bench *b = *state;

    put(b, "file", 100);
    assert_int_equal(link(at(b, "file").text, tmpdir_path(&b->tmp, "elsewhere").text), 0);
    check_ok(adopt(b));
    assert_int_equal(b->result.files_linked_elsewhere, 1);
    assert_int_equal(root_entries(&b->plain.side), 0);
}

/* Appends to the file while it is copied. */
static bool disturb(void *arg, const struct transfer_progress *p)
{
    struct bench *b = arg;

    if (p->bytes > 0 && b->rounds_left++ == 0) {
        FILE *f = fopen(at(b, "file").text, "ab");
        assert_non_null(f);
        assert_int_equal(fputc('x', f), 'x');
        fclose(f);
    }
    return true;
}

static bool go_on(void *arg, const struct transfer_progress *p)
{
    const struct bench *b = arg;

    assert_int_equal(p->bytes_total, 0);
    assert_int_equal(p->objects_total, 0);
    return b->rounds_left == 0;
}

static void not_measured__everything_is_moved_and_nothing_counted_before(void **state)
{
    struct bench *b = *state;
    struct transfer_conf conf = {
        .from = &b->plain.side, .to = &b->volume.side, .progress = go_on, .arg = b};

    make_rich_tree(b);
    check_ok(transfer_run(&conf, &b->result));
    assert_int_equal(b->result.progress.objects, 7);
    assert_int_equal(root_entries(&b->plain.side), 0);
    check_ok(release(b));
    check_rich_tree(b, false);
}

static void not_measured__can_be_interrupted(void **state)
{
    struct bench *b = *state;
    struct transfer_conf conf = {
        .from = &b->plain.side, .to = &b->volume.side, .progress = go_on, .arg = b};

    make_rich_tree(b);
    b->rounds_left = 1;
    check_rc(transfer_run(&conf, &b->result), BUSY);
    assert_true(b->result.is_interrupted);
    b->rounds_left = 0;
    check_ok(adopt(b));
    assert_int_equal(root_entries(&b->plain.side), 0);
}

static void changed_meanwhile__busy_and_stays(void **state)
{
    struct bench *b = *state;
    struct transfer_conf conf = {
        .from = &b->plain.side, .to = &b->volume.side, .progress = disturb, .arg = b};

    put(b, "file", 2 * MIB);
    ks_rc rc = transfer_run(&conf, &b->result);
    check_rc(rc, BUSY);
    check_text(rc, "stop what uses it");
    assert_int_equal(stat_of(b, "file").st_size, 2 * MIB + 1);
    b->rounds_left = 0;
    check_ok(adopt(b));
    assert_int_equal(root_entries(&b->plain.side), 0);
}

/* Appends to "file" when it was copied and compared long ago. */
static bool disturb_later(void *arg, const struct transfer_progress *p)
{
    struct bench *b = arg;

    if (p->bytes > MIB && b->rounds_left++ == 0) {
        FILE *f = fopen(at(b, "file").text, "ab");
        assert_non_null(f);
        assert_int_equal(fputc('x', f), 'x');
        fclose(f);
    }
    return true;
}

static void check_disturbed_stays(struct bench *b, size_t size)
{
    struct transfer_conf conf = {.from = &b->plain.side,
                                 .to = &b->volume.side,
                                 .pending_max = 1,
                                 .progress = disturb_later,
                                 .arg = b};

    ks_rc rc = transfer_run(&conf, &b->result);
    check_rc(rc, BUSY);
    check_text(rc, "stop what uses it");
    assert_int_equal(stat_of(b, "file").st_size, size + 1);
}

static void linked_elsewhere__changed_before_its_removal__busy_and_stays(void **state)
{
    struct bench *b = *state;

    put(b, "file", 100);
    put(b, "middle", 2 * MIB);
    assert_int_equal(link(at(b, "file").text, tmpdir_path(&b->tmp, "elsewhere").text), 0);
    check_disturbed_stays(b, 100);
}

static void same_contents_there__changed_before_its_removal__busy_and_stays(void **state)
{
    struct bench *b = *state;

    put(b, "file", 100);
    check_ok(adopt(b));
    put(b, "file", 100);
    put(b, "middle", 2 * MIB);
    check_disturbed_stays(b, 100);
}

/* --- the order of naming, sync and removal, also between two file systems --- */

static struct side_ops watched_to, watched_from;
static const struct side_ops *real_to, *real_from;
static unsigned named, named_durable, removed;

static ks_rc watch_rename(struct side *s, struct side_node *dir, const char *from, const char *to)
{
    named++;
    return real_to->rename(s, dir, from, to);
}

static ks_rc watch_sync(struct side *s)
{
    TRY(real_to->sync_all(s));
    named_durable = named;
    return KS_SUCCESS;
}

static ks_rc watch_unlink(struct side *s, struct side_node *dir, const char *name)
{
    removed++;
    assert_true(removed <= named_durable);
    return real_from->unlink(s, dir, name);
}

static void original__removed_after_its_copys_name_is_durable(void **state)
{
    struct bench *b = *state;

    named = named_durable = removed = 0;
    real_to = b->volume.side.ops;
    real_from = b->plain.side.ops;
    watched_to = *real_to;
    watched_from = *real_from;
    watched_to.rename = watch_rename;
    watched_to.sync_all = watch_sync;
    watched_from.unlink = watch_unlink;
    b->volume.side.ops = &watched_to;
    b->plain.side.ops = &watched_from;
    make_rich_tree(b);
    check_ok(adopt(b));
    assert_int_equal(removed, 7);
}

/* As if another file system were mounted at "mounted". */
static ks_rc lookup_mounted(struct side *s, struct side_node *dir, const char *name,
                            struct side_node **ret, struct stat *ret_stat)
{
    TRY(real_to->lookup(s, dir, name, ret, ret_stat));
    if (strcmp(name, "mounted") == 0)
        ret_stat->st_dev++;
    return KS_SUCCESS;
}

static void mount_within_the_receiving_side__unsupported_and_stays(void **state)
{
    struct bench *b = *state;

    assert_int_equal(mkdir(at(b, "mounted").text, 0755), 0);
    put(b, "mounted/file", 100);
    check_ok(adopt(b));
    assert_int_equal(mkdir(at(b, "mounted").text, 0755), 0);
    real_to = b->plain.side.ops;
    watched_to = *real_to;
    watched_to.lookup = lookup_mounted;
    b->plain.side.ops = &watched_to;
    ks_rc rc = release(b);
    check_rc(rc, UNSUPPORTED);
    check_text(rc, "mounted: another file system");
    assert_int_equal(root_entries(&b->volume.side), 1);
    b->plain.side.ops = real_to;
    check_ok(release(b));
    check_put(b, "mounted/file", 100);
}

/* --- damage in the volume --- */

/* The path of the one entry of a directory. */
static struct path entry_of(const char *path)
{
    struct path found = {""};
    DIR *dir = opendir(path);

    assert_non_null(dir);
    for (const struct dirent *e = readdir(dir); e; e = readdir(dir))
        if (e->d_name[0] != '.')
            snprintf(found.text, sizeof found.text, "%.120s/%.120s", path, e->d_name);
    closedir(dir);
    assert_int_not_equal(found.text[0], '\0');
    return found;
}

/* The one object of the volume, as the backing directory has it. */
static struct path backing_object(struct bench *b)
{
    return entry_of(tmpdir_path(&b->tmp, "vol/tree").text);
}

/* The first letter becomes the other case, and the second time it is as it was. */
static void flip_letter(char *name)
{
    name[strspn(name, "0123456789-_")] ^= 0x20;
}

/* Of its only attribute. */
static void flip_attribute_name(const char *path)
{
    char name[IO_NAME_BYTES + 2], value[256];
    ssize_t name_len = listxattr(path, name, sizeof name);

    assert_true(name_len > 0);
    assert_int_equal(strlen(name) + 1, name_len);
    ssize_t len = getxattr(path, name, value, sizeof value);
    assert_true(len > 0);
    assert_int_equal(removexattr(path, name), 0);
    flip_letter(name + strlen("user.ks."));
    assert_int_equal(setxattr(path, name, value, (size_t)len, 0), 0);
}

/* The object of the volume at path, and below DIR as name, has one attribute, user.colour. */
static void check_attribute_stops_release(struct bench *b, const char *path, const char *name,
                                          const char *told)
{
    char text[16];

    flip_attribute_name(path);
    ks_rc rc = release(b);
    check_class(rc, CORRUPT);
    check_text(rc, told);
    assert_int_equal(access(path, F_OK), 0);
    flip_attribute_name(path);
    check_ok(release(b));
    assert_int_equal(getxattr(at(b, name).text, "user.colour", text, sizeof text), 3);
}

static void release__attribute_of_a_file_with_a_damaged_name__corrupt_and_stays(void **state)
{
    struct bench *b = *state;

    put(b, "file", 100);
    assert_int_equal(setxattr(at(b, "file").text, "user.colour", "red", 3, 0), 0);
    check_ok(adopt(b));
    check_attribute_stops_release(b, backing_object(b).text, "file", "file: attribute user.ks.");
    check_put(b, "file", 100);
}

static void release__attribute_of_a_directory_with_a_damaged_name__corrupt_and_stays(void **state)
{
    struct bench *b = *state;

    assert_int_equal(mkdir(at(b, "sub").text, 0755), 0);
    assert_int_equal(setxattr(at(b, "sub").text, "user.colour", "red", 3, 0), 0);
    check_ok(adopt(b));
    check_attribute_stops_release(b, backing_object(b).text, "sub", "sub: attribute user.ks.");
}

static void release__attribute_of_the_root_with_a_damaged_name__corrupt(void **state)
{
    struct bench *b = *state;

    assert_int_equal(setxattr(at(b, "").text, "user.colour", "red", 3, 0), 0);
    check_ok(adopt(b));
    check_attribute_stops_release(b, tmpdir_path(&b->tmp, "vol/tree").text, "",
                                  "the directory itself: attribute user.ks.");
}

/* Everything else is moved: who has a damaged volume wants out of it what can be had. */
static void release__damaged_name_in_a_directory__stays_with_its_directory(void **state)
{
    struct bench *b = *state;
    struct path dir, sound, damaged;

    assert_int_equal(mkdir(at(b, "sub").text, 0755), 0);
    put(b, "sub/file", 100);
    check_ok(adopt(b));
    dir = backing_object(b);
    sound = entry_of(dir.text);
    damaged = sound;
    flip_letter(damaged.text + strlen(dir.text) + 1);
    assert_int_equal(rename(sound.text, damaged.text), 0);
    put(b, "other", 200);
    check_ok(adopt(b));
    ks_rc rc = release(b);
    check_rc(rc, NOT_EMPTY);
    check_text(rc, "sub: something in it is left");
    check_put(b, "other", 200);
    assert_int_equal(rename(damaged.text, sound.text), 0);
    check_ok(release(b));
    check_put(b, "sub/file", 100);
}

/* --- access control lists --- */

/* u::rwx, u:1234:rwx, g::---, m::rwx, o::---, as linux/posix_acl_xattr.h has it: version, then permission and tag, id. */
static const uint32_t acl_1234[] = {2,          0x70001, UINT32_MAX, 0x70002, 1234,      4,
                                    UINT32_MAX, 0x70010, UINT32_MAX, 0x20,    UINT32_MAX};

static void set_acl(struct bench *b, const char *name, const char *attribute)
{
    if (setxattr(at(b, name).text, attribute, acl_1234, sizeof acl_1234, 0) != 0) {
        assert_int_equal(errno, EOPNOTSUPP);
        print_message("no access control lists on this file system\n");
        skip();
    }
}

static void adopt__file_with_an_access_control_list__unsupported_and_stays(void **state)
{
    struct bench *b = *state;

    put(b, "file", 100);
    set_acl(b, "file", "system.posix_acl_access");
    ks_rc rc = adopt(b);
    check_rc(rc, UNSUPPORTED);
    check_text(rc, "file: its extended attribute system.posix_acl_access");
    check_put(b, "file", 100);
}

/* A file of mode 0660 would be open to user 1234, who is not of its group. */
static void release__into_a_directory_with_a_default_list__unsupported_and_stays(void **state)
{
    struct bench *b = *state;

    assert_int_equal(mkdir(at(b, "sub").text, 0755), 0);
    put(b, "sub/file", 100);
    check_ok(adopt(b));
    assert_int_equal(mkdir(at(b, "sub").text, 0755), 0);
    set_acl(b, "sub", "system.posix_acl_default");
    ks_rc rc = release(b);
    check_rc(rc, UNSUPPORTED);
    check_text(rc, "sub: the directory on the other side has a default access control list");
    assert_int_equal(access(at(b, "sub/file").text, F_OK), -1);
    set_acl(b, "", "system.posix_acl_default");
    check_rc(release(b), UNSUPPORTED);
    assert_int_equal(removexattr(at(b, "").text, "system.posix_acl_default"), 0);
    assert_int_equal(removexattr(at(b, "sub").text, "system.posix_acl_default"), 0);
    check_ok(release(b));
    check_put(b, "sub/file", 100);
}

#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, bench_new, bench_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BENCH(there_and_back__everything__as_it_was),
        WITH_BENCH(stopped__at_every_round__goes_on_and_ends_complete),
        WITH_BENCH(name_taken__by_other_contents__exists_and_both_stay),
        WITH_BENCH(name_taken__by_another_kind__exists),
        WITH_BENCH(same_contents_there__from_before__original_is_removed),
        WITH_BENCH(unfinished_copies__from_before__are_removed),
        WITH_BENCH(linked_elsewhere__is_moved_and_counted),
        WITH_BENCH(not_measured__everything_is_moved_and_nothing_counted_before),
        WITH_BENCH(not_measured__can_be_interrupted),
        WITH_BENCH(changed_meanwhile__busy_and_stays),
        WITH_BENCH(linked_elsewhere__changed_before_its_removal__busy_and_stays),
        WITH_BENCH(same_contents_there__changed_before_its_removal__busy_and_stays),
        WITH_BENCH(mount_within_the_receiving_side__unsupported_and_stays),
        WITH_BENCH(original__removed_after_its_copys_name_is_durable),
        WITH_BENCH(adopt__file_with_an_access_control_list__unsupported_and_stays),
        WITH_BENCH(release__into_a_directory_with_a_default_list__unsupported_and_stays),
        WITH_BENCH(release__damaged_name_in_a_directory__stays_with_its_directory),
        WITH_BENCH(release__attribute_of_a_file_with_a_damaged_name__corrupt_and_stays),
        WITH_BENCH(release__attribute_of_a_directory_with_a_damaged_name__corrupt_and_stays),
        WITH_BENCH(release__attribute_of_the_root_with_a_damaged_name__corrupt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
