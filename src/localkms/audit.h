/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/audit.h - the log of uses: one JSON object a line in DIR/audit.log.
 *
 * A line is in the file before the reply to its request leaves: it survives the end of this process at any moment. It is
 * synced with the change of files and once a second: a power loss may take the last second of it. (Changes of state are in
 * the store itself, in the transaction that makes them.) A file that has grown to AUDIT_FILE_BYTES becomes audit.log.1, and so
 * on up to AUDIT_FILES_MAX; the oldest is dropped.
 */
#pragma once

#include "io/io.h"
#include "localkms/realm.h"

enum { AUDIT_FILE_BYTES = 64 << 20, AUDIT_FILES_MAX = 16 };

struct lk_audit_conf {
    struct io *io;
    struct io_node *dir; /* borrowed until it is closed */
    uint64_t file_bytes; /* 0: AUDIT_FILE_BYTES */
    uint32_t sync_ms;    /* 0: 1000 */
};

ks_rc lk_audit_open(const struct lk_audit_conf *conf, struct lk_audit **ret) KS_MUST;
void lk_audit_close(struct lk_audit *a);
/* lk_audit_use(a, now_s, event): the line is in the file when it returns. Any thread, without waiting for others but while
 * files are changed. IO, NO_SPACE: then the use must be refused. */
ks_rc lk_audit_use(struct lk_audit *a, int64_t now_s, const struct lk_event *event) KS_MUST;
/* lk_event_write(event, now_s, ret): the event as one JSON object, appended. */
ks_rc lk_event_write(const struct lk_event *event, int64_t now_s, struct buf *ret) KS_MUST;
