/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/control.h - talking to a running volume process.
 *
 * A Unix socket per volume, RUN_DIR/<volume id in hex>.sock, mode 0600; the peer must be root or the owner
 * of the process (SO_PEERCRED). One JSON object per line in each direction, at most 64 KiB:
 *   request  {"op": "...", ...}
 *   reply    {"ok": true, ...} or {"ok": false, "error": {"class", "code", "message"}}
 * docs/CONTROL.md lists the operations.
 */
#pragma once

#include <jansson.h>

#include "base/rc.h"

enum { CONTROL_LINE_MAX = 64 * 1024 };

/* control_path(run_dir, volume_id, ret): the socket's path. */
ks_rc control_path(const char *run_dir, const uint8_t volume_id[16], char **ret) KS_MUST;

/*
 * control_call(path, request, timeout_ms, ret): one request and its reply. NOT_FOUND when no volume process
 * listens (the socket is absent or dead). An error reply comes back as the result it names, with its
 * message as text. *ret is the whole reply, to be json_decref'ed.
 */
ks_rc control_call(const char *path, json_t *request, int timeout_ms, json_t **ret) KS_MUST;

/* control_call_progress: the same for an operation that reports before it replies (verify); progress gets
 * each such line, and timeout_ms is from one line to the next. */
ks_rc control_call_progress(const char *path, json_t *request, int timeout_ms,
                            void (*progress)(void *arg, json_t *line), void *arg,
                            json_t **ret) KS_MUST;

/* control_converse(path, request, ret): begins a conversation and sends the request; what comes is read with fuse/control_line.h. The
 * descriptor is the caller's; closing it ends the operation. NOT_FOUND as above. */
ks_rc control_converse(const char *path, json_t *request, int *ret) KS_MUST;

/* control_process(path, ret): a descriptor (pidfd) of the process that listens, whether it answers or not. NOT_FOUND; TIMEOUT when too many
 * wait for it already. */
ks_rc control_process(const char *path, int *ret) KS_MUST;

/*
 * Watching a volume: the operation "watch" (docs/CONTROL.md). One thread calls control_watch_next, any may call
 * control_watch_cancel until control_watch_free.
 */
struct control_watch;

/* control_watch_open(path, ret): NOT_FOUND as above; BUSY when too many watch. */
ks_rc control_watch_open(const char *path, struct control_watch **ret) KS_MUST;
/* control_watch_next(w, timeout_ms, ret): the next line, the first at once; to be json_decref'ed. TIMEOUT: nothing changed, it may be
 * called again. NOT_FOUND: the volume process ended. STATE: it was cancelled. After any other failure only control_watch_free. */
ks_rc control_watch_next(struct control_watch *w, int timeout_ms, json_t **ret) KS_MUST;
/* control_watch_cancel(w): control_watch_next returns at once, now and ever after. */
void control_watch_cancel(struct control_watch *w);
void control_watch_free(struct control_watch *w);
void control_watch_freep(struct control_watch **w);
