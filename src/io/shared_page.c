/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/shared_page.c - opens and maps the file of a shared page.
 */
#include "io/shared_page.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static ks_rc check_owner(int fd, mode_t type, const char *dir, const char *name)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return ks_fail_os(errno, "%s/%s", dir, name);
    ENSURE((st.st_mode & S_IFMT) == type && st.st_uid == geteuid() && !(st.st_mode & 077),
           KS_E_USAGE, "%s/%s is not for this user alone", dir, name);
    return KS_SUCCESS;
}

static ks_rc map_file(int fd, const char *dir, const char *name, void **ret)
{
    TRY(check_owner(fd, S_IFREG, dir, name));
    /* never smaller: another process has it mapped */
    struct stat st;
    if (fstat(fd, &st) != 0 ||
        (st.st_size < SHARED_PAGE_BYTES && ftruncate(fd, SHARED_PAGE_BYTES) != 0))
        return ks_fail_os(errno, "%s/%s", dir, name);
    void *page = mmap(NULL, SHARED_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        return ks_fail_os(errno, "%s/%s", dir, name);
    *ret = page;
    return KS_SUCCESS;
}

static ks_rc open_in(int dir_fd, const char *dir, const char *name, void **ret)
{
    TRY(check_owner(dir_fd, S_IFDIR, dir, "."));
    int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0)
        return ks_fail_os(errno, "%s/%s", dir, name);
    ks_rc rc = map_file(fd, dir, name, ret);
    close(fd);
    return rc;
}

ks_rc shared_page_open(const char *dir, const char *name, void **ret)
{
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return ks_fail_os(errno, "cannot make %s", dir);
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir_fd < 0)
        return ks_fail_os(errno, "%s", dir);
    ks_rc rc = open_in(dir_fd, dir, name, ret);
    close(dir_fd);
    return rc;
}

void shared_page_close(void *page)
{
    if (page)
        munmap(page, SHARED_PAGE_BYTES);
}
