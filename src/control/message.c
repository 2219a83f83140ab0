/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/message.c - bounded texts.
 */
#include "control/message.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A reply cannot be written with half a character in it. */
static void cut(char *text, size_t len)
{
    size_t start = len;

    while (start && ((uint8_t)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (!start || !((uint8_t)text[start - 1] & 0x80))
        return;
    uint8_t first = (uint8_t)text[start - 1];
    size_t need = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (len - (start - 1) < need)
        text[start - 1] = '\0';
}

bool message_put(char *out, size_t room, const char *fmt, ...)
{
    char text[MESSAGE_BYTES];
    va_list args;

    if (room > sizeof text)
        room = sizeof text;
    va_start(args, fmt);
    int len = vsnprintf(text, room, fmt, args);
    va_end(args);
    if (len < 0)
        text[0] = '\0';
    else if ((size_t)len >= room)
        cut(text, room - 1);
    bool is_other = strcmp(out, text) != 0;
    memset(out, 0, room);
    memcpy(out, text, strlen(text));
    return is_other;
}

bool message_copy(char *out, size_t room, const char *text)
{
    return message_put(out, room, "%s", text ? text : "");
}
