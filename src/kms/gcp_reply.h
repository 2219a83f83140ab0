/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/gcp_reply.h - requests and replies of Cloud KMS v1 (private to kms/gcp_*).
 *
 * Every byte string goes with its CRC-32C, ours to the service and the service's to us; what was not checked is
 * not believed. Failures to understand a reply are BAD_REPLY.
 */
#pragma once

#include "base/buf.h"
#include "base/rc.h"
#include "base/secret.h"
#include "kms/driver.h"

/* gcp_encrypt_body(plain, aad, ret), gcp_decrypt_body(blob, aad, ret): appended; ret is a wiping buffer. */
ks_rc gcp_encrypt_body(struct view plain, struct view aad, struct buf *ret) KS_MUST;
ks_rc gcp_decrypt_body(struct view blob, struct view aad, struct buf *ret) KS_MUST;

/* gcp_encrypt_reply(body, key, ret_blob, ret_version): key is the resource name that was asked for; the version's
 * full resource name goes to ret_version. */
ks_rc gcp_encrypt_reply(struct view body, const char *key, struct buf *ret_blob,
                        char ret_version[KEY_VERSION_BYTES]) KS_MUST;
ks_rc gcp_decrypt_reply(struct view body, struct secret **ret_plain) KS_MUST;
/* gcp_key_reply(body, key, ret): the primary version's name. DENIED classes for one that is not enabled, USAGE for a
 * key of another purpose. */
ks_rc gcp_key_reply(struct view body, const char *key, char ret_version[KEY_VERSION_BYTES]) KS_MUST;
