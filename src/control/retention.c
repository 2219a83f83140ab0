/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/retention.c - old events, operations and receipts, out of the store in batches.
 *
 * Invariant: no event and no receipt is removed that is not in a file. A batch has one file, named by its first record, so that a batch that is taken up
 * again after a crash writes the same file again.
 */
#include "control/retention.h"

#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/message.h"
#include "control/state_dir.h"
#include "control/store.h"
#include "io/atomic_file.h"

static const char ARCHIVE[] = "audit";
enum { FILE_BYTES_MAX = 64 * 1024 * 1024 };

/* -- files ------------------------------------------------------------------------------------------------------------------ */

static ks_rc open_archive(const char *dir, struct io_node **ret)
{
    CLEANUP(state_dir_close) struct io_node *root = NULL;
    struct io *io = io_posix();
    struct stat st;

    TRY(state_dir_open(dir, &root));
    ks_rc rc = io->ops->mkdir(io, root, ARCHIVE, 0700);
    if (ks_ok(rc))
        TRY(io->ops->sync_dir(io, root));
    else if (!ks_is_os(rc, EEXIST))
        return rc;
    return io->ops->lookup(io, root, ARCHIVE, ret, &st);
}

static ks_rc write_file(struct control *c, const char *name, const struct buf *lines)
{
    CLEANUP(state_dir_close) struct io_node *dir = NULL;

    TRY(ks_wrap(open_archive(c->dir, &dir), "%s/%s", c->dir, ARCHIVE));
    return ks_wrap(atomic_file_write(io_posix(), dir, name, 0600, buf_view(lines)), "%s/%s/%s",
                   c->dir, ARCHIVE, name);
}

/* Takes the value over. */
static ks_rc add_line(struct buf *lines, json_t *value)
{
    ENSURE(value, KS_E_NO_MEMORY, "no memory for an archive");
    ks_rc rc = json_write(value, false, lines);
    json_decref(value);
    TRY(rc);
    return buf_append(lines, view_text("\n"));
}

/* Whether a batch is worth its transaction and its file: a full one, or one that has been due for long. */
static bool is_worth_it(size_t count, size_t full, int64_t oldest, int64_t before)
{
    return count == full || (count > 0 && oldest < before - RETENTION_LATE_S);
}

/* -- events ----------------------------------------------------------------------------------------------------------------- */

/* The oldest events, as far as they are from before then: they stand by time. */
static ks_rc read_events(struct control *c, int64_t before, struct audit_event **ret,
                         size_t *ret_count)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;
    CLEANUP(mem_freep) struct audit_event *events = NULL;
    struct store_anchor anchor;
    int64_t first_kept;
    size_t count;

    TRY(store_view_begin(c->store, &v));
    TRY(store_events_anchor(v, &anchor));
    TRY(store_event_since(v, before, &first_kept));
    int64_t old = first_kept - 1 - anchor.number;
    uint32_t max = old < RETENTION_EVENTS ? (uint32_t)old : RETENTION_EVENTS;
    TRY(store_events_behind(v, anchor.number, max, &events, &count));
    *ret = TAKE(events);
    *ret_count = count;
    return KS_SUCCESS;
}

static ks_rc archive_events(struct control *c, const struct audit_event *events, size_t count,
                            char name[NAME_BYTES])
{
    CLEANUP(buf_done) struct buf lines = buf_init(FILE_BYTES_MAX);

    for (size_t i = 0; i < count; i++)
        TRY(add_line(&lines, control_audit_json(&events[i])));
    message_put(name, NAME_BYTES, "events-%012lld.jsonl", (long long)events[0].number);
    return write_file(c, name, &lines);
}

static ks_rc prune_events(struct control *c, int64_t now, bool *ret_is_done)
{
    CLEANUP(work_abandon) struct work w = {0};
    CLEANUP(mem_freep) struct audit_event *events = NULL;
    int64_t before = now - c->audit_keep_s;
    char name[NAME_BYTES] = "";
    size_t count = 0;

    if (!c->audit_keep_s)
        return KS_SUCCESS;
    TRY(read_events(c, before, &events, &count));
    if (!is_worth_it(count, RETENTION_EVENTS, count ? events[0].at : 0, before))
        return KS_SUCCESS;
    TRY(archive_events(c, events, count, name));
    TRY(work_begin(c, &w));
    TRY(store_events_remove(w.tx, &events[count - 1], name));
    *ret_is_done = true;
    return work_end(&w);
}

/* -- operations and receipts ------------------------------------------------------------------------------------------------ */

struct history {
    size_t operation_count, receipt_count;
    struct operation *operations;
    struct receipt *receipts;
};

static void history_done(struct history *h)
{
    mem_free(h->operations);
    mem_free(h->receipts);
}

static ks_rc read_history(struct control *c, int64_t before, struct history *h)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;

    TRY(store_view_begin(c->store, &v));
    TRY(store_operations_ended(v, before, RETENTION_HISTORY, &h->operations, &h->operation_count));
    return store_receipts_old(v, before, RETENTION_HISTORY, &h->receipts, &h->receipt_count);
}

static ks_rc archive_receipts(struct control *c, const struct history *h, char name[NAME_BYTES])
{
    CLEANUP(buf_done) struct buf lines = buf_init(FILE_BYTES_MAX);

    if (h->receipt_count == 0)
        return KS_SUCCESS;
    for (size_t i = 0; i < h->receipt_count; i++)
        TRY(add_line(&lines, control_receipt_json(&h->receipts[i])));
    message_put(name, NAME_BYTES, "receipts-%s.jsonl", h->receipts[0].id);
    return write_file(c, name, &lines);
}

static ks_rc delete_history(struct work *w, const struct history *h, const char *name)
{
    struct store_event event = {
        .action = "history.prune",
        .object = "history",
        .detail = json_pack("{s:I, s:I, s:s}", "operations", (json_int_t)h->operation_count,
                            "receipts", (json_int_t)h->receipt_count, "file", name),
    };

    TRY(store_tx_audit(w->tx, NULL, &event));
    for (size_t i = 0; i < h->operation_count; i++)
        TRY(store_operation_delete(w->tx, h->operations[i].id));
    for (size_t i = 0; i < h->receipt_count; i++)
        TRY(store_receipt_delete(w->tx, h->receipts[i].id));
    return KS_SUCCESS;
}

static bool is_history_worth_it(const struct history *h, int64_t before)
{
    return is_worth_it(h->operation_count, RETENTION_HISTORY,
                       h->operation_count ? h->operations[0].finished : 0, before) ||
           is_worth_it(h->receipt_count, RETENTION_HISTORY,
                       h->receipt_count ? h->receipts[0].at : 0, before);
}

static ks_rc prune_history(struct control *c, int64_t now, bool *ret_is_done)
{
    CLEANUP(work_abandon) struct work w = {0};
    CLEANUP(history_done) struct history h = {0};
    int64_t before = now - c->history_keep_s;
    char name[NAME_BYTES] = "";

    if (!c->history_keep_s)
        return KS_SUCCESS;
    TRY(read_history(c, before, &h));
    if (!is_history_worth_it(&h, before))
        return KS_SUCCESS;
    TRY(archive_receipts(c, &h, name));
    TRY(work_begin(c, &w));
    TRY(delete_history(&w, &h, name));
    *ret_is_done = true;
    return work_end(&w);
}

/* -- both ------------------------------------------------------------------------------------------------------------------- */

ks_rc retention_tick(struct control *c, int64_t now)
{
    bool is_done = false;

    if (now >= c->pruned_at && now - c->pruned_at < RETENTION_LOOK_S)
        return KS_SUCCESS;
    ks_rc events = prune_events(c, now, &is_done);
    ks_rc history = prune_history(c, now, &is_done);
    if (!is_done) /* nothing to do, or nothing that can be done */
        c->pruned_at = now;
    ks_rc rc = ks_ok(events) ? history : events;
    if (!ks_ok(rc)) /* nobody asked for it who could be told */
        log_line(LOG_ERROR, "old records stay in the store: %s", ks_text(rc));
    return rc;
}
