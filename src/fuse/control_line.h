/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/control_line.h - JSON objects, one per line, on a stream socket.
 *
 * Bounded: a line longer than CONTROL_LINE_MAX, or one that is no JSON object, ends the conversation.
 */
#pragma once

#include "fuse/control.h"

enum { CONTROL_WRITE_MS_MAX = 5000 };

struct control_line {
    int fd;     /* borrowed */
    size_t len; /* bytes in room */
    char *room; /* CONTROL_LINE_MAX bytes */
};

ks_rc control_line_init(struct control_line *l, int fd) KS_MUST;
void control_line_done(struct control_line *l);

/* control_line_read(l, timeout_ms, ret): the next object; *ret is NULL at the orderly end of the stream.
 * TIMEOUT when no whole line came in time, LIMIT for a long line, FORMAT, IO. */
ks_rc control_line_read(struct control_line *l, int timeout_ms, json_t **ret) KS_MUST;
/* control_line_write(fd, object): one line; IO when the peer is gone, TIMEOUT when it does not read: within CONTROL_WRITE_MS_MAX, or
 * within timeout_ms. */
ks_rc control_line_write(int fd, json_t *object) KS_MUST;
ks_rc control_line_write_within(int fd, json_t *object, uint32_t timeout_ms) KS_MUST;

/* control_error(rc): the object {"ok":false,"error":{...}} of a failure; NULL without memory.
 * control_result(reply): back again: success, or the error a reply names with its message as text. */
json_t *control_error(ks_rc rc);
ks_rc control_result(json_t *reply) KS_MUST;
