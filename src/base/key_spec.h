/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/key_spec.h - the name of a customer's key and what a wrap under it is bound to.
 *
 * Plain values shared by the key hierarchy and the key service drivers. No secrets.
 */
#pragma once

#include "base/buf.h"
#include "base/rc.h"

enum {
    KEY_TYPE_BYTES = 32, /* all with terminator */
    KEY_URI_BYTES = 2048,
    KEY_PRINCIPAL_BYTES = 2048,
    KEY_VERSION_BYTES = 512,
    KEY_BLOB_MAX = 8192, /* ciphertext of a wrap */
    KEY_PLAIN_MAX = 64,  /* plaintext of a wrap */
    KEY_CONTEXT_MAX = 12,
};

/* A key spec: what service, which key, as whom to ask. */
struct key_spec {
    char type[KEY_TYPE_BYTES];                /* "FILE", "AWS_KMS", ... upper case */
    char uri[KEY_URI_BYTES];                  /* FILE: "DIR#NAME" */
    char auth_principal[KEY_PRINCIPAL_BYTES]; /* FILE: path of the key file that opens the store,
                                                 empty for a passphrase */
};

/*
 * What a wrap is bound to: purpose, organisation, cluster, region, volume, store key. Pairs stand in
 * ascending order of name. AWS takes them as EncryptionContext, others as one canonical AAD.
 */
struct key_context {
    size_t count;
    struct {
        const char *name, *value; /* borrowed; values are not empty */
    } pairs[KEY_CONTEXT_MAX];
};

/*
 * key_spec_parse(text, ret): "type:uri" with the type in either case, e.g. "file:/srv/kms#orders".
 * USAGE with an example when it has another form; LIMIT when too long. auth_principal stays empty.
 */
ks_rc key_spec_parse(const char *text, struct key_spec *ret) KS_MUST;
/* key_spec_is_same(a, b): same type and uri, whoever asks. */
bool key_spec_is_same(const struct key_spec *a, const struct key_spec *b);

/* key_context_aad(context, ret): one unambiguous byte string: u16 count, then length-prefixed names
 * and values (wr_text16). */
ks_rc key_context_aad(const struct key_context *context, struct buf *ret) KS_MUST;
