/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/filekey.c - the keys of one file, one per generation that its blocks name.
 *
 * A key is derived when it is first needed and kept in guarded memory while the file is in use.
 */
#include "base/mem.h"
#include "crypto/kdf.h"
#include "volume/volume_int.h"

static const char file_key_info[] = "keystead file key v1";

enum { INFO_BYTES = sizeof file_key_info - 1 + BLOCK_ID_BYTES };

ks_rc file_key_derive(const struct keyset *keys, uint32_t generation, const uint8_t *volume_id,
                      const uint8_t *file_id, struct xaes_ctx *cipher, struct xaes_key *ret)
{
    struct view data_key = keyset_data_key(keys, generation);
    uint8_t info[INFO_BYTES], key[XAES_KEY_BYTES];

    ENSURE(data_key.len != 0, KS_E_CORRUPT, "a block names key generation %u, which there is not",
           generation);
    memcpy(info, file_key_info, sizeof file_key_info - 1);
    memcpy(info + sizeof file_key_info - 1, file_id, BLOCK_ID_BYTES);
    ks_rc rc = kdf_derive(data_key, view_of(volume_id, BLOCK_ID_BYTES), view_of(info, sizeof info),
                          key, sizeof key);
    if (ks_ok(rc))
        rc = xaes_key_init(ret, cipher, view_of(key, sizeof key));
    mem_wipe(key, sizeof key);
    return rc;
}

static struct xaes_key *find(struct inode *i, uint32_t generation)
{
    struct file_key *k = i->keys;

    while (k && k->generation != generation)
        k = k->next;
    return k ? k->key : NULL;
}

static ks_rc make(const struct file_op *op, uint32_t generation, struct file_key **ret)
{
    CLEANUP(mem_freep) struct file_key *k = NULL;
    void *slot;

    TRY(mem_new(1, sizeof *k, &k));
    k->generation = generation;
    TRY(secret_pool_get(op->v->key_pool, &slot));
    k->key = slot;
    ks_rc rc = file_key_derive(op->v->keys, generation, op->v->conf.volume_id, op->i->file_id,
                               op->s->cipher, k->key);
    if (!ks_ok(rc)) {
        secret_pool_put(op->v->key_pool, slot);
        return rc;
    }
    *ret = TAKE(k);
    return KS_SUCCESS;
}

ks_rc file_key_get(const struct file_op *op, uint32_t generation, const struct xaes_key **ret)
{
    struct inode *i = op->i;
    struct file_key *k;
    ks_rc rc = KS_SUCCESS;

    pthread_mutex_lock(&i->keys_mutex);
    const struct xaes_key *key = find(i, generation);
    if (!key) {
        rc = make(op, generation, &k);
        if (ks_ok(rc)) {
            k->next = i->keys;
            i->keys = k;
            key = k->key;
        }
    }
    pthread_mutex_unlock(&i->keys_mutex);
    if (ks_ok(rc))
        *ret = key;
    return rc;
}
