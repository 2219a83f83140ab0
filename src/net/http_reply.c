/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/http_reply.c - what was received, and its headers by name.
 */
#include <string.h>
#include <strings.h>

#include "net/http_client.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The value in a line of len bytes when the line is of that header; an empty view at NULL when not. */
static struct view line_value(const char *line, size_t len, const char *name)
{
    size_t name_len = strlen(name), at = name_len + 1;

    if (len < at || line[name_len] != ':' || strncasecmp(line, name, name_len) != 0)
        return view_of(NULL, 0);
    while (at < len && is_blank(line[at]))
        at++;
    while (len > at && is_blank(line[len - 1]))
        len--;
    return view_of(line + at, len - at);
}

bool http_reply_header(const struct http_reply *reply, const char *name, char *room, size_t len)
{
    const char *line = buf_text(&reply->header);

    room[0] = 0;
    while (*line) {
        size_t line_len = strcspn(line, "\r\n");
        struct view value = line_value(line, line_len, name);
        if (value.bytes) {
            size_t n = value.len < len - 1 ? value.len : len - 1;
            memcpy(room, value.bytes, n);
            room[n] = 0;
            return true;
        }
        line += line_len;
        line += strspn(line, "\r\n");
    }
    return false;
}

void http_reply_done(struct http_reply *reply)
{
    buf_done(&reply->body);
    buf_done(&reply->header);
    reply->status = 0;
}
