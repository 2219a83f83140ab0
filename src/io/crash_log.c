/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/crash_log.c - the log of a crash file system: what is durable when, and the rebuild.
 *
 * Invariant: covered_at of a page write or metadata operation is the time right after the first sync
 * that covers it, so whether it is pending at a time t can be read from it alone.
 */
#include <assert.h>

#include "base/mem.h"
#include "io/crash.h"
#include "io/crash_int.h"

static bool is_sync(const struct crash_event *e)
{
    return e->kind == CRASH_SYNC || e->kind == CRASH_SYNC_DIR || e->kind == CRASH_SYNC_ALL;
}

static void event_done(struct crash_event *e)
{
    mem_freep(&e->name);
    mem_freep(&e->to_name);
    mem_freep(&e->value.bytes);
    crash_page_unref(e->page);
}

static ks_rc copy_text(const char *text, const char **ret)
{
    char *copy = NULL;

    if (text)
        TRY(mem_text(text, &copy));
    *ret = copy;
    return KS_SUCCESS;
}

static ks_rc copy_bytes(struct view from, struct view *ret)
{
    uint8_t *bytes;

    if (from.len == 0)
        return KS_SUCCESS;
    TRY(mem_new(1, from.len, &bytes));
    memcpy(bytes, from.bytes, from.len);
    *ret = view_of(bytes, from.len);
    return KS_SUCCESS;
}

/* The copy owns what the original borrows; event_done may be called after a failure too. */
static ks_rc event_copy(const struct crash_event *from, struct crash_event *to)
{
    *to = *from;
    to->name = to->to_name = NULL;
    to->value = view_of(NULL, 0);
    crash_page_ref(to->page);
    TRY(copy_text(from->name, &to->name));
    TRY(copy_text(from->to_name, &to->to_name));
    return copy_bytes(from->value, &to->value);
}

static bool is_settled(const struct crash_event *e)
{
    return is_sync(e) || e->covered_at != SIZE_MAX;
}

/* A file's contents are found through its making, its size and its holes. */
static bool is_about_data(const struct crash_event *e)
{
    return e->kind == CRASH_MAKE || e->kind == CRASH_TRUNCATE || e->kind == CRASH_ALLOCATE ||
           e->kind == CRASH_PUNCH;
}

/* Whether the metadata operation e is one that the sync must make durable. */
static bool is_concerned(const struct crash_event *sync, const struct crash_event *e)
{
    bool is_object = e->ino == sync->ino || e->other_ino == sync->ino;

    if (sync->kind == CRASH_SYNC_ALL)
        return true;
    if (sync->kind == CRASH_SYNC_DIR)
        return is_object || e->dir == sync->ino || e->to_dir == sync->ino;
    return is_object && (!sync->flags || is_about_data(e));
}

static bool is_page_covered(const struct crash_event *sync, const struct crash_event *e)
{
    return sync->kind == CRASH_SYNC_ALL || (sync->kind == CRASH_SYNC && e->ino == sync->ino);
}

/* Behind the newest metadata operation that the sync concerns; those before it go along. */
static size_t metadata_end(const struct crash *c, const struct crash_event *sync)
{
    size_t end = c->log_count - 1;

    while (end > c->settled &&
           (c->log[end - 1].kind == CRASH_PAGE || is_settled(&c->log[end - 1]) ||
            !is_concerned(sync, &c->log[end - 1])))
        end--;
    return end;
}

/* The newest event is a sync: marks what it covers. */
static void cover(struct crash *c)
{
    const struct crash_event *sync = &c->log[c->log_count - 1];
    size_t end = metadata_end(c, sync);

    for (size_t i = c->settled; i + 1 < c->log_count; i++) {
        struct crash_event *e = &c->log[i];
        bool is_covered = e->kind == CRASH_PAGE ? is_page_covered(sync, e) : i < end;
        if (is_covered && !is_settled(e))
            e->covered_at = c->log_count;
    }
    while (c->settled < c->log_count && is_settled(&c->log[c->settled]))
        c->settled++;
}

static ks_rc log_reserve(struct crash *c)
{
    size_t room = c->log_room ? 2 * c->log_room : 64;

    if (c->log_count < c->log_room)
        return KS_SUCCESS;
    TRY(mem_grow(room, sizeof *c->log, &c->log));
    c->log_room = room;
    return KS_SUCCESS;
}

ks_rc crash_do(struct crash *c, struct crash_event *e)
{
    TRY(log_reserve(c));
    e->time = ++c->clock;
    e->covered_at = SIZE_MAX;
    struct crash_event *logged = &c->log[c->log_count];
    ks_rc rc = event_copy(e, logged);
    if (ks_ok(rc))
        rc = crash_tree_apply(c->live, e);
    if (!ks_ok(rc)) {
        event_done(logged);
        return rc;
    }
    c->log_count++;
    if (is_sync(e))
        cover(c);
    return KS_SUCCESS;
}

void crash_log_free(struct crash *c)
{
    for (size_t i = 0; i < c->log_count; i++)
        event_done(&c->log[i]);
    mem_free(c->log);
}

size_t crash_time(struct io *io)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);

    return c->log_count;
}

static bool is_pending(const struct crash_event *e, size_t t)
{
    return e->covered_at > t && !is_sync(e);
}

void crash_pending(struct io *io, size_t t, size_t *ret_pages, size_t *ret_metadata)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);
    size_t pages = 0, metadata = 0;

    assert(t <= c->log_count);
    for (size_t i = 0; i < t; i++)
        if (is_pending(&c->log[i], t))
            *(c->log[i].kind == CRASH_PAGE ? &pages : &metadata) += 1;
    *ret_pages = pages;
    *ret_metadata = metadata;
}

/* The choices of one rebuild, and how many of each kind were made so far. */
struct choices {
    size_t metadata_kept, metadata_seen, pages_seen;
    bool (*page_kept)(void *arg, size_t i);
    void *arg;
};

static bool is_kept(struct choices *ch, const struct crash_event *e, size_t t)
{
    if (!is_pending(e, t))
        return true;
    if (e->kind != CRASH_PAGE)
        return ch->metadata_seen++ < ch->metadata_kept;
    size_t i = ch->pages_seen++;
    return !ch->page_kept || ch->page_kept(ch->arg, i);
}

/* The choice is made for every pending write, also for those to files that did not survive. */
static ks_rc replay(const struct crash *c, size_t t, struct choices *ch, struct crash_tree *tree)
{
    for (size_t i = 0; i < t; i++) {
        const struct crash_event *e = &c->log[i];
        if (!is_kept(ch, e, t))
            continue;
        if (e->kind == CRASH_PAGE && !crash_tree_inode(tree, e->ino))
            continue;
        TRY(crash_tree_apply(tree, e));
    }
    assert(ch->metadata_kept <= ch->metadata_seen);
    return KS_SUCCESS;
}

ks_rc crash_rebuild(struct io *io, size_t t, size_t metadata_kept,
                    bool (*page_kept)(void *arg, size_t i), void *arg, struct io **ret)
{
    CLEANUP(crash_unlockp) struct crash *c = crash_lock(io);
    CLEANUP(crash_tree_freep) struct crash_tree *replayed = NULL, *named = NULL;
    struct choices ch = {.metadata_kept = metadata_kept, .page_kept = page_kept, .arg = arg};

    assert(t <= c->log_count);
    TRY(crash_tree_clone(c->base, &replayed));
    TRY(replay(c, t, &ch, replayed));
    TRY(crash_tree_clone(replayed, &named)); /* leaves out the files without a name */
    TRY(crash_adopt(named, c->clock, ret));
    named = NULL;
    return KS_SUCCESS;
}
