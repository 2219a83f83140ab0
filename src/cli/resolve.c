/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/resolve.c - which volume a path means.
 */
#include "cli/resolve.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cli/args.h"

enum { MOUNTINFO_BYTES_MAX = 16 * 1024 * 1024, CHUNK_BYTES = 16 * 1024 };
static const char source_prefix[] = "keystead:";

void place_done(struct place *p)
{
    mem_free(p->backing);
    mem_free(p->mountpoint);
    *p = (struct place){NULL, NULL};
}

/* ---- the table of mounts ---- */

static struct view next_word(struct view *line)
{
    size_t start = 0, end = 0;

    while (start < line->len && line->bytes[start] == ' ')
        start++;
    end = start;
    while (end < line->len && line->bytes[end] != ' ')
        end++;
    struct view word = view_of(line->bytes + start, end - start);
    *line = view_of(line->bytes + end, line->len - end);
    return word;
}

static bool is_octal(const uint8_t *at)
{
    return at[0] >= '0' && at[0] <= '3' && at[1] >= '0' && at[1] <= '7' && at[2] >= '0' &&
           at[2] <= '7';
}

/* The kernel writes blanks, tabs, new lines and backslashes as \ooo. */
static bool unescape(struct view word, char out[RESOLVE_PATH_BYTES])
{
    size_t used = 0;

    for (size_t i = 0; i < word.len; i++) {
        uint8_t c = word.bytes[i];
        if (used == RESOLVE_PATH_BYTES - 1)
            return false;
        if (c == '\\' && word.len - i > 3 && is_octal(word.bytes + i + 1)) {
            const uint8_t *digits = word.bytes + i + 1;
            c = (uint8_t)((digits[0] - '0') << 6 | (digits[1] - '0') << 3 | (digits[2] - '0'));
            i += 3;
        }
        out[used++] = (char)c;
    }
    out[used] = '\0';
    return used > 0;
}

/* "36 35 98:0 / /mnt rw,noatime master:1 - fuse.keystead keystead:/srv/x rw": proc(5) */
static bool parse_mount(struct view line, struct mount_entry *ret)
{
    const size_t prefix_len = sizeof source_prefix - 1;

    for (int i = 0; i < 4; i++)
        next_word(&line);
    struct view point = next_word(&line);
    struct view word = next_word(&line);
    while (word.len > 0 && !(word.len == 1 && word.bytes[0] == '-'))
        word = next_word(&line);
    struct view type = next_word(&line);
    struct view source = next_word(&line);
    if (type.len < 4 || memcmp(type.bytes, "fuse", 4) != 0 || source.len <= prefix_len ||
        memcmp(source.bytes, source_prefix, prefix_len) != 0)
        return false;
    source = view_of(source.bytes + prefix_len, source.len - prefix_len);
    return unescape(point, ret->point) && unescape(source, ret->backing);
}

bool mount_entry_next(struct view *text, struct mount_entry *ret)
{
    while (text->len > 0) {
        const uint8_t *end = memchr(text->bytes, '\n', text->len);
        size_t len = end ? (size_t)(end - text->bytes) : text->len;
        struct view line = view_of(text->bytes, len);
        len += end != NULL;
        *text = view_of(text->bytes + len, text->len - len);
        if (parse_mount(line, ret))
            return true;
    }
    return false;
}

static ks_rc read_mounts(struct buf *ret)
{
    int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    ks_rc rc = KS_SUCCESS;
    ssize_t n = 1;

    ENSURE(fd >= 0, KS_E_IO, "cannot read /proc/self/mountinfo: %s", strerror(errno));
    while (n > 0 && ks_ok(rc)) {
        uint8_t *tail = NULL;
        rc = buf_extend(ret, CHUNK_BYTES, &tail);
        n = ks_ok(rc) ? read(fd, tail, CHUNK_BYTES) : 0;
        if (ks_ok(rc))
            buf_cut(ret, ret->len - (CHUNK_BYTES - (size_t)(n > 0 ? n : 0)));
    }
    close(fd);
    return rc;
}

/* ---- paths ---- */

ks_rc resolve_absolute(const char *path, const char *what, char **ret)
{
    char out[PATH_MAX];

    if (!realpath(path, out))
        return ks_fail_os(errno, "%s %s", what, path);
    return mem_text(out, ret);
}

/* The path with its parent resolved and its last part as it stands: a mount point stays untouched. */
static ks_rc resolve_parent(const char *path, char **ret)
{
    CLEANUP(mem_freep) char *parent = NULL;
    char resolved[PATH_MAX];
    size_t len = strlen(path);

    while (len > 1 && path[len - 1] == '/')
        len--;
    size_t start = len;
    while (start > 0 && path[start - 1] != '/')
        start--;
    struct view last = view_of(path + start, len - start);
    bool is_dots = view_is_equal(last, view_text(".")) || view_is_equal(last, view_text(".."));
    if (last.len == 0 || is_dots)
        return resolve_absolute(path, "volume", ret);
    TRY(mem_format(&parent, "%.*s", start > 0 ? (int)start : 1, start > 0 ? path : "."));
    if (!realpath(parent, resolved))
        return ks_fail_os(errno, "volume %s", path);
    return mem_format(ret, "%s/%.*s", strcmp(resolved, "/") == 0 ? "" : resolved, (int)last.len,
                      path + start);
}

/* The last entry wins: it is the one on top. */
static bool find_mount(struct view mounts, const char *path, bool is_backing,
                       struct mount_entry *ret)
{
    bool is_found = false;

    for (struct mount_entry e; mount_entry_next(&mounts, &e);) {
        if (strcmp(is_backing ? e.backing : e.point, path) == 0) {
            *ret = e;
            is_found = true;
        }
    }
    return is_found;
}

static ks_rc take_mount(const struct mount_entry *e, struct place *ret)
{
    CLEANUP(place_done) struct place place = {NULL, NULL};

    TRY(mem_text(e->backing, &place.backing));
    TRY(mem_text(e->point, &place.mountpoint));
    *ret = place;
    place = (struct place){NULL, NULL};
    return KS_SUCCESS;
}

static bool has_keyring(const char *path)
{
    char name[PATH_MAX + 16];

    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s/keyring.%d", path, i);
        if (access(name, F_OK) == 0)
            return true;
    }
    return false;
}

/* A path inside a mount is a likely slip; the answer names the mount point. */
static ks_rc no_volume(struct view mounts, const char *path)
{
    for (struct mount_entry e; mount_entry_next(&mounts, &e);) {
        size_t len = strlen(e.point);
        if (strncmp(e.point, path, len) == 0 && path[len] == '/')
            return ks_fail(KS_E_NOT_FOUND, "%s lies inside a volume; its mount point is %s", path,
                           e.point);
    }
    return ks_fail(
        KS_E_NOT_FOUND,
        "%s is no volume: neither the mount point of one nor a backing directory (which holds "
        "keyring.0 and keyring.1); mounts are listed by: findmnt -t fuse.keystead",
        path);
}

ks_rc resolve_place(const char *path, struct place *ret)
{
    CLEANUP(buf_done) struct buf mounts = buf_init(MOUNTINFO_BYTES_MAX);
    CLEANUP(mem_freep) char *near = NULL;
    CLEANUP(mem_freep) char *absolute = NULL;
    struct mount_entry entry;

    ENSURE(path[0] != '\0', KS_E_USAGE, "the path of the volume is empty");
    TRY(read_mounts(&mounts));
    TRY(resolve_parent(path, &near));
    if (find_mount(buf_view(&mounts), near, false, &entry))
        return take_mount(&entry, ret);
    TRY(resolve_absolute(path, "volume", &absolute));
    if (find_mount(buf_view(&mounts), absolute, false, &entry) ||
        find_mount(buf_view(&mounts), absolute, true, &entry))
        return take_mount(&entry, ret);
    if (!has_keyring(absolute))
        return no_volume(buf_view(&mounts), absolute);
    ret->backing = TAKE(absolute);
    ret->mountpoint = NULL;
    return KS_SUCCESS;
}

ks_rc resolve_run_dir(const struct cli *cli, char **ret)
{
    const char *given =
        cli->texts[OPT_RUN_DIR] ? cli->texts[OPT_RUN_DIR] : getenv("KEYSTEAD_RUN_DIR");
    const char *session = getenv("XDG_RUNTIME_DIR");
    char here[PATH_MAX];

    if (given && given[0] == '/')
        return mem_text(given, ret);
    if (given && given[0] != '\0') {
        if (!getcwd(here, sizeof here))
            return ks_fail_os(errno, "the current directory");
        return mem_format(ret, "%s/%s", here, given);
    }
    if (geteuid() != 0 && session && session[0] == '/')
        return mem_format(ret, "%s/keystead", session);
    return mem_text("/run/keystead", ret);
}
