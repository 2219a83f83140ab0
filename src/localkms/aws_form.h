/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_form.h - the parameters of an awsQuery request: a form in the body, or the query of a GET.
 */
#pragma once

#include "base/rc.h"
#include "base/view.h"

enum { FORM_FIELDS_MAX = 512, FORM_BYTES_MAX = 256 * 1024 };

struct form;

/* form_parse(text, ret): fields in order, decoded. USAGE for malformed encoding, a NUL, what is not UTF-8, or a name given twice; LIMIT. */
ks_rc form_parse(struct view text, struct form **ret) KS_MUST;
void form_free(struct form *f);
void form_freep(struct form **f);
/* form_get(f, name): the value, NULL when absent. */
const char *form_get(const struct form *f, const char *name);
/* form_member(f, list, n, part): of "Tags.member.2.Key": list "Tags", n 2, part "Key"; part NULL for "List.member.2". */
const char *form_member(const struct form *f, const char *list, unsigned n, const char *part);
