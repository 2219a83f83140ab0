/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_ini.h - the shared configuration files of AWS's tools: ~/.aws/config and ~/.aws/credentials.
 *
 * Looks things up in the text itself and copies nothing, so that secrets in it stay where the file was read to. Lines
 * that it does not know are passed over: the files belong to other programs too.
 */
#pragma once

#include "base/view.h"

/* What is looked for. */
struct aws_ini_key {
    const char *kind;    /* "profile" of "[profile dev]", "services"; "" for "[dev]" */
    const char *section; /* "dev". Kind "profile" finds [default] too */
    const char *name;    /* in lower case; in the file in any case */
    const char *sub;     /* name of an indented line below name; NULL: the value of name itself */
};

/* aws_ini_find(text, key, ret): the value, without blanks and comment around it; of several the last. False and *ret as it
 * was when there is none. */
bool aws_ini_find(struct view text, const struct aws_ini_key *key, struct view *ret);
/* aws_ini_has(text, kind, section): whether there is such a section. */
bool aws_ini_has(struct view text, const char *kind, const char *section);
