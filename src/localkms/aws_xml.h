/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_xml.h - writing XML: elements and texts, escaped.
 *
 * The first failure sticks: it is asked for once, at the end.
 */
#pragma once

#include "base/buf.h"
#include "base/rc.h"

enum { XML_DEPTH_MAX = 12, XML_BYTES_MAX = 4 << 20 };

struct xml {
    struct buf text;
    const char *open[XML_DEPTH_MAX]; /* names of elements that are not closed yet; borrowed */
    size_t depth;
    ks_rc rc;
};

/* xml_init(): an empty document. xml_done(x): wipes and frees it, since answers hold keys; for CLEANUP. */
struct xml xml_init(void);
void xml_done(struct xml *x);
/* xml_open(x, name), xml_close(x): an element around what is written in between. name is a literal. */
void xml_open(struct xml *x, const char *name);
void xml_close(struct xml *x);
/* xml_attribute(x, name, value): of the element that was just opened. */
void xml_attribute(struct xml *x, const char *name, const char *value);
/* xml_text(x, name, value): <name>value</name>, escaped; nothing for NULL. What XML cannot hold (control characters) becomes
 * U+FFFD. */
void xml_text(struct xml *x, const char *name, const char *value);
void xml_number(struct xml *x, const char *name, int64_t value);
void xml_bool(struct xml *x, const char *name, bool value);
/* xml_time(x, name, s): "2026-11-22T01:02:03Z". */
void xml_time(struct xml *x, const char *name, int64_t s);
/* xml_encoded(x, name, value): percent-encoded as IAM does with policies. */
void xml_encoded(struct xml *x, const char *name, const char *value);
/* xml_end(x, ret): the document; NO_MEMORY, LIMIT. BUG when an element is left open. */
ks_rc xml_end(struct xml *x, struct view *ret) KS_MUST;
