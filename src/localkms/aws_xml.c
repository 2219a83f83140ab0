/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_xml.c - writing XML: elements and texts, escaped.
 */
#include "localkms/aws_xml.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

/* Answers that hold a secret are no longer than this: growing would leave copies of it behind. */
enum { FIRST_BYTES = 16 * 1024 };

struct xml xml_init(void)
{
    struct xml x = {.text = buf_init(XML_BYTES_MAX), .rc = KS_SUCCESS};
    uint8_t *room;

    x.rc = buf_extend(&x.text, FIRST_BYTES, &room);
    x.text.len = 0;
    return x;
}

void xml_done(struct xml *x)
{
    if (x->text.bytes)
        mem_wipe(x->text.bytes, x->text.room);
    buf_done(&x->text);
}

static void add(struct xml *x, struct view v)
{
    if (ks_ok(x->rc))
        x->rc = buf_append(&x->text, v);
}

static void add_text(struct xml *x, const char *text)
{
    add(x, view_text(text));
}

void xml_open(struct xml *x, const char *name)
{
    if (x->depth == XML_DEPTH_MAX) {
        x->rc = ks_fail(KS_E_BUG, "XML nested deeper than %d", XML_DEPTH_MAX);
        return;
    }
    x->open[x->depth++] = name;
    add_text(x, "<");
    add_text(x, name);
    add_text(x, ">");
}

void xml_close(struct xml *x)
{
    if (x->depth == 0) {
        x->rc = ks_fail(KS_E_BUG, "XML closed once too often");
        return;
    }
    add_text(x, "</");
    add_text(x, x->open[--x->depth]);
    add_text(x, ">");
}

static const char *escape_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\t':
        return "&#x9;";
    case '\n':
        return "&#xA;";
    case '\r':
        return "&#xD;";
    default:
        return (uint8_t)c < ' ' ? "\xef\xbf\xbd" : NULL;
    }
}

static void add_escaped(struct xml *x, const char *text)
{
    while (*text) {
        size_t plain = 0;
        while (text[plain] && !escape_of(text[plain]))
            plain++;
        add(x, view_of(text, plain));
        text += plain;
        if (*text)
            add_text(x, escape_of(*text++));
    }
}

void xml_attribute(struct xml *x, const char *name, const char *value)
{
    if (!ks_ok(x->rc))
        return;
    x->text.len--; /* the '>' of the element */
    add_text(x, " ");
    add_text(x, name);
    add_text(x, "=\"");
    add_escaped(x, value);
    add_text(x, "\">");
}

void xml_text(struct xml *x, const char *name, const char *value)
{
    if (!value)
        return;
    xml_open(x, name);
    add_escaped(x, value);
    xml_close(x);
}

void xml_number(struct xml *x, const char *name, int64_t value)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRId64, value);
    xml_text(x, name, text);
}

void xml_bool(struct xml *x, const char *name, bool value)
{
    xml_text(x, name, value ? "true" : "false");
}

void xml_time(struct xml *x, const char *name, int64_t s)
{
    char text[CLOCK_TEXT_BYTES];

    clock_format(s, text);
    xml_text(x, name, text);
}

void xml_encoded(struct xml *x, const char *name, const char *value)
{
    xml_open(x, name);
    for (; *value; value++) {
        char code[4];
        bool is_plain = isalnum((uint8_t)*value) || strchr("-_.~", *value);
        snprintf(code, sizeof code, "%%%02X", (unsigned)(uint8_t)*value);
        add(x, is_plain ? view_of(value, 1) : view_text(code));
    }
    xml_close(x);
}

ks_rc xml_end(struct xml *x, struct view *ret)
{
    TRY(x->rc);
    ENSURE(x->depth == 0, KS_E_BUG, "XML element %s is left open", x->open[x->depth - 1]);
    *ret = buf_view(&x->text);
    return KS_SUCCESS;
}
