/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/grants.h - what must be granted at a provider so that a key can be used, as text that is ready to paste.
 *
 * The texts are data: one template per provider and form in kms/grants/. A name between at signs stands for a value
 * that the key spec or the caller gives; two at signs for one. Values that would need quoting are refused.
 */
#pragma once

#include "base/key_spec.h"

struct grants_template {
    const char *type, *form, *text; /* "AWS_KMS", "cloudformation"; ended by NULLs */
};
extern const struct grants_template grants_templates[]; /* made at build time */

struct grants_values {
    const struct key_spec *spec;
    const char *external_id; /* NULL: not given */
    const char *trusted;     /* who may act as the principal; NULL: not given */
    const char *permission;  /* the one in question; NULL: none */
};

/* grants_write(values, form, ret): the text of that form, or of the first one when form is NULL. USAGE when the provider has no such
 * form (the text lists those it has), when a value is needed that was not given, or would need quoting. */
ks_rc grants_write(const struct grants_values *values, const char *form, struct buf *ret) KS_MUST;
/* grants_mend(values, rc, ret): what to do about rc, one line or more without the last line break; nothing when the provider's text says nothing. Values
 * that were not given stand as their names. */
ks_rc grants_mend(const struct grants_values *values, ks_rc rc, struct buf *ret) KS_MUST;
/* grants_hints(values, env, env_arg, ret): what looks wrong in the spec or the environment before anything is asked; a line each. */
ks_rc grants_hints(const struct grants_values *values,
                   const char *(*env)(void *arg, const char *name), void *env_arg,
                   struct buf *ret) KS_MUST;
