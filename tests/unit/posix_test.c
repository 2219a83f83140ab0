/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what only the posix back end can get wrong: descriptors that leak or are inherited, running out
 * of them half-way, writes that the kernel cuts short, and reads past the page cache, also those that fail.
 * The contract itself: io_contract_test.c.
 */
#include "io_help.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "base/mem.h"

struct fixture {
    struct io *io;
    struct io_node *root;
    char path[64];
};

static int setup(void **state)
{
    static struct fixture f;

    f.io = io_posix();
    help_temp_dir(f.path);
    f.root = help_root(f.io, f.path);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    f->io->ops->node_close(f->io, f->root);
    help_temp_remove(f->path);
    return 0;
}

/* Calls see for every descriptor that this process has open. */
static void for_each_fd(void (*see)(int fd, int *arg), int *arg)
{
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *entry;

    assert_non_null(dir);
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.' && strtol(entry->d_name, NULL, 10) != dirfd(dir))
            see((int)strtol(entry->d_name, NULL, 10), arg);
    closedir(dir);
}

static void count_fd(int fd, int *arg)
{
    (void)fd;
    (*arg)++;
}

static void count_inherited_fd(int fd, int *arg)
{
    *arg += !(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static int fds(void (*see)(int fd, int *arg))
{
    int count = 0;

    for_each_fd(see, &count);
    return count;
}

static void everything_open__is_closed_on_exec_and_on_close(void **state)
{
    struct fixture *f = *state;
    struct io *io = f->io;
    int before = fds(count_fd), inherited = fds(count_inherited_fd);
    struct io_node *node, *again;
    struct io_file *file, *reader;
    struct io_dir *dir;

    check_ok(io->ops->create(io, f->root, "a", 0600, &node, &file));
    check_ok(io->ops->lookup(io, f->root, "a", &again, NULL));
    check_ok(io->ops->open(io, again, true, &reader));
    check_ok(io->ops->dir_open(io, f->root, &dir));
    check_ok(io->ops->sync_dir(io, f->root));
    assert_int_equal(fds(count_fd), before + 5);
    assert_int_equal(fds(count_inherited_fd), inherited);
    io->ops->dir_close(io, dir);
    io->ops->close(io, reader);
    io->ops->close(io, file);
    io->ops->node_close(io, again);
    io->ops->node_close(io, node);
    assert_int_equal(fds(count_fd), before);
}

static void failures__leave_no_descriptor_behind(void **state)
{
    struct fixture *f = *state;
    struct io *io = f->io;
    int before = fds(count_fd);
    struct io_node *node;
    struct io_file *file;
    struct io_dir *dir;

    help_put(io, f->root, "a", "");
    struct io_node *a = help_lookup(io, f->root, "a");
    check_os(io->ops->create(io, f->root, "a", 0600, &node, &file), EEXIST);
    check_os(io->ops->lookup(io, f->root, "none", &node, NULL), ENOENT);
    check_os(io->ops->dir_open(io, a, &dir), ENOTDIR);
    check_os(io->ops->open(io, f->root, true, &file), EISDIR);
    io->ops->node_close(io, a);
    assert_int_equal(fds(count_fd), before);
}

/* A limit of descriptors that leaves room for exactly more of them; returns the old one. */
static struct rlimit leave_fds(int more)
{
    struct rlimit old, tight;
    int spare[8];

    for (int i = 0; i < more; i++)
        spare[i] = dup(0);
    int next = dup(0);
    close(next);
    for (int i = 0; i < more; i++)
        close(spare[i]);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    tight = old;
    tight.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    return old;
}

static void create__no_descriptor_for_the_node__name_is_gone_again(void **state)
{
    struct fixture *f = *state;
    struct io_node *node = NULL;
    struct io_file *file = NULL;
    struct rlimit old = leave_fds(1);

    ks_rc rc = f->io->ops->create(f->io, f->root, "a", 0600, &node, &file);
    setrlimit(RLIMIT_NOFILE, &old);
    check_os(rc, EMFILE);
    check_class(rc, LIMIT);
    assert_null(node);
    assert_null(file);
    assert_false(help_exists(f->io, f->root, "a"));
}

static void open_and_lookup__no_descriptor__emfile(void **state)
{
    struct fixture *f = *state;
    struct io_node *node = NULL;
    struct io_file *file = NULL;
    struct io_dir *dir = NULL;

    help_put(f->io, f->root, "a", "");
    struct io_node *a = help_lookup(f->io, f->root, "a");
    struct rlimit old = leave_fds(0);
    ks_rc opened = f->io->ops->open(f->io, a, true, &file);
    ks_rc found = f->io->ops->lookup(f->io, f->root, "a", &node, NULL);
    ks_rc listed = f->io->ops->dir_open(f->io, f->root, &dir);
    ks_rc synced = f->io->ops->sync_dir(f->io, f->root);
    setrlimit(RLIMIT_NOFILE, &old);
    check_os(opened, EMFILE);
    check_os(found, EMFILE);
    check_os(listed, EMFILE);
    check_os(synced, EMFILE);
    f->io->ops->node_close(f->io, a);
}

/* The kernel writes up to the limit of the file size and says so only when asked to go on. */
static void pwrite__cut_short__fails_with_the_reason(void **state)
{
    struct fixture *f = *state;
    struct rlimit old, tight;
    char bytes[2000] = {0};
    struct io_file *file = help_create(f->io, f->root, "a");

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    tight = old;
    tight.rlim_cur = 1000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    ks_rc rc = f->io->ops->pwrite(f->io, file, bytes, sizeof bytes, 0);
    setrlimit(RLIMIT_FSIZE, &old);
    check_os(rc, EFBIG);
    check_class(rc, LIMIT);
    assert_int_equal(help_size(f->io, f->root, "a"), 1000);
    f->io->ops->close(f->io, file);
}

static void pread__directory_of_data_gone__reads_on(void **state)
{
    struct fixture *f = *state;
    struct io_file *file;

    check_ok(f->io->ops->mkdir(f->io, f->root, "d", 0700));
    struct io_node *d = help_lookup(f->io, f->root, "d");
    help_put(f->io, d, "a", "text");
    file = help_open(f->io, d, "a");
    check_ok(f->io->ops->unlink(f->io, d, "a"));
    check_ok(f->io->ops->rmdir(f->io, f->root, "d"));
    assert_int_equal(help_byte(f->io, file, 0), 't');
    f->io->ops->close(f->io, file);
    f->io->ops->node_close(f->io, d);
}

static void device__looked_up__is_not_opened(void **state)
{
    struct fixture *f = *state;
    struct io_file *file = NULL;
    struct io_node *node;
    struct stat st;

    /* a device that does not exist: a real open would be ENXIO or ENODEV, a node is fine */
    if (!ks_ok(f->io->ops->mknod(f->io, f->root, "dev", S_IFCHR | 0600, makedev(240, 77))))
        skip();
    check_ok(f->io->ops->lookup(f->io, f->root, "dev", &node, &st));
    assert_int_equal(st.st_rdev, makedev(240, 77));
    check_os(f->io->ops->open(f->io, node, false, &file), ENXIO);
    f->io->ops->node_close(f->io, node);
}

/* What a user who is not root does with files of his own; 0, or the number of the step that failed. */
static int use_without_rights(struct fixture *f)
{
    struct io_node *node;
    struct io_file *file;
    struct stat st;
    char got[3];
    size_t len;

    if (!ks_ok(f->io->ops->create(f->io, f->root, "file", 0444, &node, &file)))
        return 1;
    if (!ks_ok(f->io->ops->pwrite(f->io, file, "abc", 3, 0)))
        return 2;
    f->io->ops->close(f->io, file);
    if (!ks_ok(f->io->ops->open(f->io, node, false, &file)))
        return 3;
    if (!ks_ok(f->io->ops->pwrite(f->io, file, "d", 1, 0)) ||
        !ks_ok(f->io->ops->pread(f->io, file, got, 3, 0, &len)) || memcmp(got, "dbc", 3) != 0)
        return 4;
    f->io->ops->close(f->io, file);
    if (!ks_ok(f->io->ops->stat(f->io, node, &st)) || (st.st_mode & 07777) != 0444)
        return 5;
    f->io->ops->node_close(f->io, node);
    return 0;
}

static void open__own_file_whose_mode_forbids_it__works_and_keeps_the_mode(void **state)
{
    enum { NOBODY = 65534 };
    struct fixture *f = *state;
    int status = -1;

    assert_int_equal(chmod(f->path, 0777), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
                  ? 99
                  : use_without_rights(f));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void open__file_of_somebody_else__is_refused(void **state)
{
    enum { NOBODY = 65534 };
    struct fixture *f = *state;
    struct io_node *node;
    struct io_file *file;
    int status = -1;

    if (geteuid() != 0)
        skip(); /* there is nobody else */
    check_ok(f->io->ops->create(f->io, f->root, "file", 0400, &node, &file));
    f->io->ops->close(f->io, file);
    pid_t child = fork();
    if (child == 0)
        _exit(setgid(NOBODY) != 0 || setuid(NOBODY) != 0 ||
              !ks_is_os(f->io->ops->open(f->io, node, false, &file), EACCES));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    f->io->ops->node_close(f->io, node);
}

/* --- reads past the page cache --- */

enum { PAST_PAGES = 64, PAST_BYTES = PAST_PAGES * IO_PAGE_BYTES };

struct past {
    struct io_file *file;
    int fd; /* of the same file */
    uint8_t *wrote, *got;
};

struct cached {
    uint64_t pages, dirty, written_back, evicted, evicted_lately;
};

/* What the host has of the file in its cache; false: it does not say (Linux before 6.5). */
static bool look_at_cache(const struct past *p, struct cached *ret)
{
    struct {
        uint64_t at, len;
    } range = {0, PAST_BYTES};

    return syscall(451, p->fd, &range, ret, 0) == 0;
}

static long cached_pages(const struct past *p)
{
    struct cached found;

    return look_at_cache(p, &found) ? (long)found.pages : -1;
}

static int direct_fails_with; /* an errno; 0: it does not */

/* NOLINTBEGIN(bugprone-reserved-identifier) */
ssize_t __real_pread64(int fd, void *out, size_t len, off_t at);
ssize_t __wrap_pread64(int fd, void *out, size_t len, off_t at);
/* NOLINTEND(bugprone-reserved-identifier) */

ssize_t __wrap_pread64(int fd, void *out, size_t len, off_t at)
{
    if (!direct_fails_with || !(fcntl(fd, F_GETFL) & O_DIRECT))
        return __real_pread64(fd, out, len, at);
    errno = direct_fails_with;
    return -1;
}

/* How much this process has had the disk read. */
static unsigned long long disk_bytes(void)
{
    FILE *f = fopen("/proc/self/io", "re");
    unsigned long long bytes = 0;
    char line[64];

    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        if (strncmp(line, "read_bytes:", 11) == 0)
            bytes = strtoull(line + 11, NULL, 10);
    fclose(f);
    return bytes;
}

static bool may_read_past(const struct fixture *f)
{
    char path[128];

    snprintf(path, sizeof path, "%s/past", f->path);
    int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* A file on the disk, of which the page cache has nothing; false: there is no such thing here. */
static bool past_begin(struct fixture *f, struct past *p)
{
    char path[128];

    snprintf(path, sizeof path, "%s/past", f->path);
    direct_fails_with = 0;
    check_ok(mem_new_pages(PAST_PAGES, &p->wrote));
    check_ok(mem_new_pages(PAST_PAGES, &p->got));
    for (size_t n = 0; n < PAST_PAGES; n++)
        memset(p->wrote + n * IO_PAGE_BYTES, (int)n + 1, IO_PAGE_BYTES);
    p->file = help_create(f->io, f->root, "past");
    p->fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(p->fd >= 0);
    check_ok(f->io->ops->pwrite(f->io, p->file, p->wrote, PAST_BYTES, 0));
    check_ok(f->io->ops->sync(f->io, p->file, false));
    assert_int_equal(posix_fadvise(p->fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    return cached_pages(p) == 0 && may_read_past(f);
}

static void past_end(struct fixture *f, struct past *p)
{
    f->io->ops->close(f->io, p->file);
    close(p->fd);
    mem_free(p->wrote);
    mem_free(p->got);
}

static void read_past(struct fixture *f, struct past *p)
{
    size_t len = 0;

    check_ok(f->io->ops->pread_past(f->io, p->file, p->got, PAST_BYTES, 0, &len));
    assert_int_equal(len, PAST_BYTES);
    assert_memory_equal(p->got, p->wrote, PAST_BYTES);
}

/* Ends the test where the host cannot do it, and says so. */
static void past_begin_or_skip(struct fixture *f, struct past *p)
{
    if (past_begin(f, p))
        return;
    past_end(f, p);
    skip();
}

static void pread_past__on_the_disk_only__leaves_nothing_in_the_cache(void **state)
{
    struct past p;

    past_begin_or_skip(*state, &p);
    read_past(*state, &p);
    assert_int_equal(cached_pages(&p), 0);
    past_end(*state, &p);
}

static void pread_past__in_the_cache__takes_it_from_there(void **state)
{
    struct fixture *f = *state;
    struct past p;
    size_t len;

    past_begin_or_skip(f, &p);
    check_ok(f->io->ops->pread(f->io, p.file, p.got, PAST_BYTES, 0, &len));
    unsigned long long before = disk_bytes();
    read_past(f, &p);
    assert_true(disk_bytes() == before);
    past_end(f, &p);
}

/* The kernel would write it out first. */
static void pread_past__page_not_on_the_disk_yet__is_left_for_later(void **state)
{
    struct fixture *f = *state;
    struct cached found;
    struct past p;

    past_begin_or_skip(f, &p);
    memset(p.wrote + 20 * IO_PAGE_BYTES, 0xEE, IO_PAGE_BYTES);
    check_ok(f->io->ops->pwrite(f->io, p.file, p.wrote + 20 * IO_PAGE_BYTES, IO_PAGE_BYTES,
                                20 * IO_PAGE_BYTES));
    read_past(f, &p);
    assert_true(look_at_cache(&p, &found));
    assert_int_equal(found.dirty, 1);
    past_end(f, &p);
}

/* Where direct reads end: in the last page, which need not be whole, and behind it. */
static void pread_past__end_of_the_file__gives_what_is_there(void **state)
{
    struct fixture *f = *state;
    const uint64_t sizes[] = {PAST_BYTES - IO_PAGE_BYTES, PAST_BYTES - 100};
    struct past p;
    size_t len;

    past_begin_or_skip(f, &p);
    for (size_t n = 0; n < 2; n++) {
        check_ok(f->io->ops->pwrite(f->io, p.file, p.wrote, PAST_BYTES, 0));
        check_ok(f->io->ops->truncate(f->io, p.file, sizes[n]));
        check_ok(f->io->ops->sync(f->io, p.file, false));
        assert_int_equal(posix_fadvise(p.fd, 0, 0, POSIX_FADV_DONTNEED), 0);
        check_ok(f->io->ops->pread_past(f->io, p.file, p.got, PAST_BYTES, 0, &len));
        assert_int_equal(len, sizes[n]);
        assert_memory_equal(p.got, p.wrote, sizes[n]);
        check_ok(f->io->ops->pread_past(f->io, p.file, p.got, PAST_BYTES, PAST_BYTES, &len));
        assert_int_equal(len, 0);
    }
    past_end(f, &p);
}

/* A descriptor is wanted for it, and not to be had. */
static void pread_past__no_descriptor__reads_all_the_same(void **state)
{
    struct fixture *f = *state;
    struct rlimit old, none;
    struct past p;

    past_begin_or_skip(f, &p);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = (struct rlimit){0, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    read_past(f, &p);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    past_end(f, &p);
}

/* The kernel found no place for what was written meanwhile, has dropped it, and says so to this reader only: what the file holds now
 * would be taken for what was written. */
static void pread_past__write_lost_meanwhile__fails_though_the_file_can_be_read(void **state)
{
    const int lost[] = {ENOSPC, EDQUOT};
    struct fixture *f = *state;
    struct past p;
    size_t len;

    past_begin_or_skip(f, &p);
    for (size_t n = 0; n < 2; n++) {
        direct_fails_with = lost[n];
        check_os(f->io->ops->pread_past(f->io, p.file, p.got, PAST_BYTES, 0, &len), lost[n]);
    }
    past_end(f, &p);
}

static void pread_past__direct_read_fails_otherwise__reads_all_the_same(void **state)
{
    struct past p;

    past_begin_or_skip(*state, &p);
    direct_fails_with = EIO;
    read_past(*state, &p);
    assert_int_equal(cached_pages(&p), PAST_PAGES);
    past_end(*state, &p);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(open__own_file_whose_mode_forbids_it__works_and_keeps_the_mode),
        T(open__file_of_somebody_else__is_refused),
        T(everything_open__is_closed_on_exec_and_on_close),
        T(failures__leave_no_descriptor_behind),
        T(create__no_descriptor_for_the_node__name_is_gone_again),
        T(open_and_lookup__no_descriptor__emfile),
        T(pwrite__cut_short__fails_with_the_reason),
        T(pread__directory_of_data_gone__reads_on),
        T(pread_past__on_the_disk_only__leaves_nothing_in_the_cache),
        T(pread_past__in_the_cache__takes_it_from_there),
        T(pread_past__page_not_on_the_disk_yet__is_left_for_later),
        T(pread_past__end_of_the_file__gives_what_is_there),
        T(pread_past__no_descriptor__reads_all_the_same),
        T(pread_past__write_lost_meanwhile__fails_though_the_file_can_be_read),
        T(pread_past__direct_read_fails_otherwise__reads_all_the_same),
        T(device__looked_up__is_not_opened),
    };
#undef T

    return cmocka_run_group_tests(tests, NULL, NULL);
}
