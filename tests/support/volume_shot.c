/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/volume_shot.c - what a small volume looks like from outside.
 */
#include "volume_shot.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

static const char *const names[] = {SHOT_FILE,      "other", "second",  "empty",    "sub",
                                    "sub/moved",    "link",  "newlink", "fifo",     "newdir",
                                    SHOT_LONG_NAME, "new",   "third",   "sub/other"};
static const char *const attributes[] = {"user.a", "user.b"};

static void say(struct shot *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct shot *s, const char *fmt, ...)
{
    size_t at = strlen(s->text);
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(s->text + at, sizeof s->text - at, fmt, args);
    va_end(args);
    assert_true(len >= 0 && (size_t)len < sizeof s->text - at);
}

static ks_rc find(struct fixture *f, const char *path, struct inode **ret, struct stat *st)
{
    struct inode *dir;

    if (strncmp(path, "sub/", 4) != 0)
        return volume_lookup(f->v, volume_root(f->v), path, ret, st);
    TRY(volume_lookup(f->v, volume_root(f->v), "sub", &dir, st));
    ks_rc rc = volume_lookup(f->v, dir, path + 4, ret, st);
    volume_forget(f->v, dir, 1);
    return rc;
}

/* As runs: "7*9000 0*100". */
static void say_bytes(struct shot *s, const uint8_t *bytes, size_t len)
{
    for (size_t at = 0, end; at < len; at = end) {
        for (end = at; end < len && bytes[end] == bytes[at];)
            end++;
        say(s, " %u*%zu", bytes[at], end - at);
    }
}

static void say_contents(struct fixture *f, struct shot *s, struct inode *i, const struct stat *st,
                         bool is_apart)
{
    static uint8_t got[SHOT_FILE_BYTES];
    size_t len;

    check_ok(volume_read(f->v, i, got, sizeof got, 0, &len));
    assert_int_equal(len, st->st_size);
    if (!is_apart) {
        say_bytes(s, got, len);
        return;
    }
    memcpy(s->bytes, got, len);
    s->len = len;
}

static void say_attributes(struct fixture *f, struct shot *s, struct inode *i)
{
    CLEANUP(buf_done) struct buf list = buf_init(4096);
    size_t listed = 0;

    check_ok(volume_listxattr(f->v, i, &list));
    for (size_t n = 0; n < sizeof attributes / sizeof attributes[0]; n++) {
        CLEANUP(buf_done) struct buf value = buf_init(4096);
        ks_rc rc = volume_getxattr(f->v, i, attributes[n], &value);
        if (ks_is_os(rc, ENODATA))
            continue;
        check_ok(rc);
        say(s, " %s=%s", attributes[n], buf_text(&value));
        listed += strlen(attributes[n]) + 1;
    }
    assert_int_equal(list.len, listed);
}

static void say_target(struct fixture *f, struct shot *s, struct inode *i)
{
    CLEANUP(buf_done) struct buf target = buf_init(4096);

    check_ok(volume_readlink(f->v, i, &target));
    say(s, " -> %s", buf_text(&target));
}

/* Whether it is there. */
static bool say_object(struct fixture *f, struct shot *s, const char *path)
{
    struct inode *i;
    struct stat st;
    ks_rc rc = find(f, path, &i, &st);

    if (ks_is_os(rc, ENOENT))
        return false;
    check_ok(rc);
    say(s, "%.20s: %o %u:%u links %u", path, st.st_mode, st.st_uid, st.st_gid,
        (unsigned)st.st_nlink);
    say(s, st.st_mtim.tv_sec == SHOT_MTIME_S ? " mtime" : "");
    if (S_ISLNK(st.st_mode))
        say_target(f, s, i);
    else
        say_attributes(f, s, i);
    if (S_ISREG(st.st_mode))
        say_contents(f, s, i, &st, strcmp(path, SHOT_FILE) == 0);
    say(s, "\n");
    volume_forget(f->v, i, 1);
    return true;
}

static size_t count_listed(struct fixture *f)
{
    struct io_dirent e = {0};
    struct handle *h;
    size_t count = 0;

    check_ok(volume_opendir(f->v, volume_root(f->v), &h));
    do {
        check_ok(volume_readdir(f->v, h, e.next, &e));
        count += e.name[0] && strcmp(e.name, ".") != 0 && strcmp(e.name, "..") != 0;
    } while (e.name[0]);
    volume_close(f->v, h);
    return count;
}

void shot_take(struct fixture *f, struct shot *ret)
{
    size_t found = 0;

    memset(ret, 0, sizeof *ret);
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        bool is_there = say_object(f, ret, names[n]);
        found += is_there && !strchr(names[n], '/');
    }
    assert_int_equal(count_listed(f), found);
}

bool shot_is_same(const struct shot *a, const struct shot *b)
{
    return strcmp(a->text, b->text) == 0 && a->len == b->len &&
           memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}
