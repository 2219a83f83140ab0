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
