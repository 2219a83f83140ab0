/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/audit.c - appending lines side by side: each writer takes its place with one atomic addition and writes there.
 *
 * Writers hold the file for reading, whoever changes files holds it for writing. A line that could not be written leaves a
 * gap of zero bytes, which readers of the log skip.
 */
#include "localkms/audit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/mem.h"

enum { LINE_BYTES_MAX = 64 * 1024, SYNC_MS_PRESET = 1000, NAME_BYTES = 32 };

struct lk_audit {
    struct io *io;
    struct io_node *dir;
    struct io_file *file;
    pthread_rwlock_t lock; /* of file */
    _Atomic uint64_t end;
    uint64_t file_bytes_max;

    pthread_t syncer;
    pthread_mutex_t mutex;
    pthread_cond_t ending_changed;
    uint32_t sync_ms;
    bool is_ending;
};

/* ---- lines ---- */

/* As a JSON string; bytes that are no ASCII text are escaped one by one, since an ill-formed text must not hide a line. */
static ks_rc write_text(const char *text, struct buf *ret)
{
    TRY(buf_append(ret, view_text("\"")));
    for (const char *at = text; *at;) {
        size_t plain = 0;
        while (at[plain] >= 0x20 && at[plain] < 0x7f && at[plain] != '"' && at[plain] != '\\')
            plain++;
        TRY(buf_append(ret, view_of(at, plain)));
        at += plain;
        if (*at)
            TRY(buf_printf(ret, "\\u%04x", (unsigned)(uint8_t)*at++));
    }
    return buf_append(ret, view_text("\""));
}

static ks_rc write_member(const char *name, const char *text, struct buf *ret)
{
    if (!text)
        return KS_SUCCESS;
    TRY(buf_append(ret, view_text(",\"")));
    TRY(buf_append(ret, view_text(name)));
    TRY(buf_append(ret, view_text("\":")));
    return write_text(text, ret);
}

ks_rc lk_event_write(const struct lk_event *event, int64_t now_s, struct buf *ret)
{
    char when[CLOCK_TEXT_BYTES];

    clock_format(now_s, when);
    TRY(buf_append(ret, view_text("{\"time\":")));
    TRY(write_text(when, ret));
    TRY(write_member("request_id", event->request_id, ret));
    TRY(write_member("principal", event->principal, ret));
    TRY(write_member("account", event->account, ret));
    TRY(write_member("source", event->source, ret));
    TRY(write_member("operation", event->operation, ret));
    TRY(write_member("resource", event->resource, ret));
    if (event->context) { /* JSON already */
        TRY(buf_append(ret, view_text(",\"context\":")));
        TRY(buf_append(ret, view_text(event->context)));
    }
    TRY(write_member("outcome", event->outcome, ret));
    return buf_append(ret, view_text("}"));
}

/* ---- files ---- */

static ks_rc open_file(struct lk_audit *a)
{
    struct io_node *node = NULL;
    struct io_file *file = NULL;
    struct stat st = {0};

    ks_rc rc = a->io->ops->lookup(a->io, a->dir, "audit.log", &node, &st);
    if (ks_ok(rc))
        rc = a->io->ops->open(a->io, node, false, &file);
    else if (ks_is_os(rc, ENOENT))
        rc = a->io->ops->create(a->io, a->dir, "audit.log", 0600, &node, &file);
    if (node)
        a->io->ops->node_close(a->io, node);
    if (!ks_ok(rc))
        return ks_wrap(rc, "the audit log");
    a->file = file;
    a->end = (uint64_t)st.st_size;
    return KS_SUCCESS;
}

static void numbered(unsigned n, char out[NAME_BYTES])
{
    if (n == 0)
        snprintf(out, NAME_BYTES, "audit.log");
    else
        snprintf(out, NAME_BYTES, "audit.log.%u", n);
}

/* Under the lock for writing. */
static ks_rc change_files(struct lk_audit *a)
{
    char from[NAME_BYTES], to[NAME_BYTES];

    TRY(a->io->ops->sync(a->io, a->file, true));
    for (unsigned n = AUDIT_FILES_MAX - 1; n > 0; n--) {
        numbered(n - 1, from);
        numbered(n, to);
        ks_rc rc = a->io->ops->rename(a->io, a->dir, from, a->dir, to, 0);
        if (!ks_ok(rc) && !ks_is_os(rc, ENOENT))
            return ks_wrap(rc, "the audit log");
    }
    a->io->ops->close(a->io, a->file);
    a->file = NULL;
    return open_file(a);
}

static ks_rc change_files_when_full(struct lk_audit *a)
{
    ks_rc rc = KS_SUCCESS;

    if (a->end < a->file_bytes_max && a->file)
        return rc;
    pthread_rwlock_wrlock(&a->lock);
    if (!a->file)
        rc = open_file(a);
    if (ks_ok(rc) && a->end >= a->file_bytes_max)
        rc = change_files(a);
    pthread_rwlock_unlock(&a->lock);
    return rc;
}

static ks_rc append(struct lk_audit *a, struct view line)
{
    pthread_rwlock_rdlock(&a->lock);
    ks_rc rc = a->file ? KS_SUCCESS : ks_fail(KS_E_IO, "the audit log is not open");
    if (ks_ok(rc)) {
        uint64_t at = atomic_fetch_add(&a->end, line.len);
        rc = a->io->ops->pwrite(a->io, a->file, line.bytes, line.len, at);
    }
    pthread_rwlock_unlock(&a->lock);
    return ks_wrap(rc, "the audit log");
}

ks_rc lk_audit_use(struct lk_audit *a, int64_t now_s, const struct lk_event *event)
{
    CLEANUP(buf_done) struct buf line = buf_init(LINE_BYTES_MAX);

    TRY(lk_event_write(event, now_s, &line));
    TRY(buf_append(&line, view_text("\n")));
    TRY(change_files_when_full(a));
    return append(a, buf_view(&line));
}

/* ---- syncing ---- */

static void sync_now(struct lk_audit *a)
{
    pthread_rwlock_rdlock(&a->lock);
    if (a->file)
        /* a disk that fails shows with the next line: pwrite or the change of files tells it */
        IGNORE(a->io->ops->sync(a->io, a->file, true));
    pthread_rwlock_unlock(&a->lock);
}

static void *sync_main(void *arg)
{
    struct lk_audit *a = arg;
    uint64_t synced = a->end;

    pthread_mutex_lock(&a->mutex);
    while (!a->is_ending) {
        struct timespec until = clock_deadline(a->sync_ms);
        pthread_cond_timedwait(&a->ending_changed, &a->mutex, &until);
        uint64_t end = a->end;
        if (end == synced)
            continue;
        pthread_mutex_unlock(&a->mutex);
        sync_now(a);
        synced = end;
        pthread_mutex_lock(&a->mutex);
    }
    pthread_mutex_unlock(&a->mutex);
    return NULL;
}

ks_rc lk_audit_open(const struct lk_audit_conf *conf, struct lk_audit **ret)
{
    CLEANUP(mem_freep) struct lk_audit *a = NULL;

    TRY(mem_new(1, sizeof *a, &a));
    a->io = conf->io;
    a->dir = conf->dir;
    a->file_bytes_max = conf->file_bytes ? conf->file_bytes : AUDIT_FILE_BYTES;
    a->sync_ms = conf->sync_ms ? conf->sync_ms : SYNC_MS_PRESET;
    TRY(open_file(a));
    pthread_rwlock_init(&a->lock, NULL);
    pthread_mutex_init(&a->mutex, NULL);
    clock_cond_init(&a->ending_changed);
    int err = pthread_create(&a->syncer, NULL, sync_main, a);
    if (err != 0) {
        a->io->ops->close(a->io, a->file);
        return ks_fail_os(err, "a thread");
    }
    *ret = TAKE(a);
    return KS_SUCCESS;
}

void lk_audit_close(struct lk_audit *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->mutex);
    a->is_ending = true;
    pthread_cond_signal(&a->ending_changed);
    pthread_mutex_unlock(&a->mutex);
    pthread_join(a->syncer, NULL);
    sync_now(a);
    if (a->file)
        a->io->ops->close(a->io, a->file);
    pthread_cond_destroy(&a->ending_changed);
    pthread_mutex_destroy(&a->mutex);
    pthread_rwlock_destroy(&a->lock);
    mem_free(a);
}
