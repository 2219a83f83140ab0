/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_blob.h - ciphertexts of AWS keys.
 *
 * Layout: version 1 | kind of id 1 | id of the key 16 | id of the material (its first 16 bytes) 16 | nonce 24 | tag 16 |
 * ciphertext. Everything before the nonce, and the encryption context in order of its names, is authenticated.
 */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "base/random.h"
#include "localkms/aws_key.h"

enum {
    AWS_BLOB_OVERHEAD = 2 + 16 + 16 + XAES_NONCE_BYTES + XAES_TAG_BYTES,
    AWS_CONTEXT_BYTES_MAX = 8192,
    AWS_CONTEXT_PAIRS_MAX = 256,
};

/* aws_blob_seal(key, context, plain, random, ret): under the current material. LIMIT when the context is too long. Any thread. */
ks_rc aws_blob_seal(const struct aws_key *key, const json_t *context, struct view plain,
                    struct random *random, struct buf *ret) KS_MUST;
/* aws_blob_names(blob, ret_key_id, ret_material_id): which key and material it needs; FORMAT when it is no blob. */
ks_rc aws_blob_names(struct view blob, char ret_key_id[AWS_KEY_NAME_BYTES],
                     char ret_material_id[AWS_MATERIAL_ID_BYTES]) KS_MUST;
/* aws_blob_open(material, context, blob, ret): AUTH for another context or a changed blob. ret holds the plain text: wipe it. */
ks_rc aws_blob_open(const struct aws_material *material, const json_t *context, struct view blob,
                    struct buf *ret) KS_MUST;
