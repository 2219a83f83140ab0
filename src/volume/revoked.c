/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/revoked.c - the record that a volume was revoked through our own interface.
 *
 * Only ENOENT says that a volume is not revoked; nothing else is ever taken for that.
 */
#include "volume/revoked.h"

#include <stdio.h>

#include "base/clock.h"
#include "io/atomic_file.h"

enum { RECORD_MODE = 0600, RECORD_BYTES_MAX = 64 };

/* find(io, dir, ret, st): whether it is there, and its attributes. */
static ks_rc find(struct io *io, struct io_node *dir, bool *ret, struct stat *st)
{
    struct io_node *node = NULL;
    ks_rc rc = io->ops->lookup(io, dir, REVOKED_FILE, &node, st);

    if (ks_ok(rc))
        io->ops->node_close(io, node);
    else if (!ks_is_os(rc, ENOENT))
        return ks_wrap(rc, "cannot tell whether it was revoked: cannot look for the file %s",
                       REVOKED_FILE);
    *ret = ks_ok(rc);
    return KS_SUCCESS;
}

ks_rc revoked_check(struct io *io, struct io_node *dir, bool *ret)
{
    struct stat st;

    return find(io, dir, ret, &st);
}

/* written_time(io, dir): what the record says; 0 when it says nothing that makes sense. */
static int64_t written_time(struct io *io, struct io_node *dir)
{
    CLEANUP(buf_done) struct buf text = buf_init(RECORD_BYTES_MAX);
    int64_t s = 0;

    if (!ks_ok(atomic_file_read(io, dir, REVOKED_FILE, RECORD_BYTES_MAX, &text)) || text.len == 0)
        return 0;
    if (text.bytes[text.len - 1] == '\n')
        text.bytes[text.len - 1] = 0;
    return clock_parse((const char *)text.bytes, &s) ? s : 0;
}

ks_rc revoked_time(struct io *io, struct io_node *dir, int64_t *ret_s)
{
    struct stat st;
    bool is_revoked = false;

    *ret_s = 0;
    TRY(find(io, dir, &is_revoked, &st));
    if (!is_revoked)
        return KS_SUCCESS;
    *ret_s = written_time(io, dir);
    if (*ret_s <= 0)
        *ret_s = st.st_mtime > 0 ? st.st_mtime : 1; /* 0 would say "not revoked" */
    return KS_SUCCESS;
}

ks_rc revoked_set(struct io *io, struct io_node *dir, int64_t now_s)
{
    char when[CLOCK_TEXT_BYTES], line[CLOCK_TEXT_BYTES + 1];
    int64_t since_s = 0;

    /* the time is for people: that it cannot be read must not stop the record */
    IGNORE(revoked_time(io, dir, &since_s));
    if (since_s <= 0)
        since_s = now_s > 0 ? now_s : 1;
    clock_format(since_s, when);
    snprintf(line, sizeof line, "%s\n", when);
    return ks_wrap(atomic_file_write(io, dir, REVOKED_FILE, RECORD_MODE, view_text(line)),
                   "the revocation cannot be recorded");
}

static ks_rc remove_record(struct io *io, struct io_node *dir)
{
    ks_rc rc = io->ops->unlink(io, dir, REVOKED_FILE);

    if (!ks_ok(rc) && !ks_is_os(rc, ENOENT))
        return rc;
    /* also when it was gone: an earlier removal may not have become durable */
    return io->ops->sync_dir(io, dir);
}

ks_rc revoked_clear(struct io *io, struct io_node *dir)
{
    return ks_wrap(remove_record(io, dir),
                   "the record of the revocation, the file %s, cannot be "
                   "removed",
                   REVOKED_FILE);
}
