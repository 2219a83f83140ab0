/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/filekey.c - the keys of one file, one per generation that its blocks name.
 *
 * A key is derived when it is first needed and kept in guarded memory while the file is in use. It is given out only as long as there is
 * the data key that it was made from.
 */
#include "base/mem.h"
#include "crypto/kdf.h"
#include "volume/volume_int.h"

static const char file_key_info[] = "keystead file key v1";

enum { INFO_BYTES = sizeof file_key_info - 1 + BLOCK_ID_BYTES };

static ks_rc derive(const struct file_op *op, struct view data_key, struct xaes_key *ret)
{
    struct view volume_id = view_of(op->v->conf.volume_id, BLOCK_ID_BYTES);
    uint8_t info[INFO_BYTES], key[XAES_KEY_BYTES];

    memcpy(info, file_key_info, sizeof file_key_info - 1);
    memcpy(info + sizeof file_key_info - 1, op->i->file_id, BLOCK_ID_BYTES);
    ks_rc rc = kdf_derive(data_key, volume_id, view_of(info, sizeof info), key, sizeof key);
    if (ks_ok(rc))
        rc = xaes_key_init(ret, op->s->cipher, view_of(key, sizeof key));
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

static ks_rc make(const struct file_op *op, uint32_t generation, struct view data_key,
                  struct file_key **ret)
{
    CLEANUP(mem_freep) struct file_key *k = NULL;
    void *slot;

    TRY(mem_new(1, sizeof *k, &k));
    k->generation = generation;
    TRY(secret_pool_get(op->v->key_pool, &slot));
    k->key = slot;
    ks_rc rc = derive(op, data_key, k->key);
    if (!ks_ok(rc)) {
        secret_pool_put(op->v->key_pool, slot);
        return rc;
    }
    *ret = TAKE(k);
    return KS_SUCCESS;
}

ks_rc file_key_get(const struct file_op *op, uint32_t generation, const struct xaes_key **ret)
{
    struct view data_key = keyset_data_key(op->v->keys, generation);
    struct inode *i = op->i;
    struct file_key *k;
    ks_rc rc = KS_SUCCESS;

    ENSURE(data_key.len != 0, KS_E_CORRUPT, "a block names key generation %u, which there is not",
           generation);
    pthread_mutex_lock(&i->keys_mutex);
    const struct xaes_key *key = find(i, generation);
    if (!key) {
        rc = make(op, generation, data_key, &k);
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
