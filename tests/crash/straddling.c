/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/crash/straddling.c - blocks that straddle pages.
 */
#include "straddling.h"

#include "base/mem.h"
#include "crypto/siv.h"

enum { NONCE_BYTES = 16, HEAD_BYTES = NONCE_BYTES + SIV_TAG_BYTES, PLAIN_BYTES = 4096 };
enum { SEALED_BYTES = HEAD_BYTES + PLAIN_BYTES };

struct straddling {
    struct io *io;
    struct io_node *root, *node;
    struct io_file *file;
    struct siv *siv;
    uint64_t nonce;
};

/* --- blocks --- */

static ks_rc block_read(struct straddling *s, size_t index, uint8_t *plain, size_t *ret_len)
{
    uint8_t sealed[SEALED_BYTES];
    size_t got;

    TRY(s->io->ops->pread(s->io, s->file, sealed, sizeof sealed, index * SEALED_BYTES, &got));
    *ret_len = got > HEAD_BYTES ? got - HEAD_BYTES : 0;
    if (got == 0)
        return KS_SUCCESS;
    ENSURE(got > HEAD_BYTES, KS_E_CORRUPT, "block %zu ends in its head", index);
    return siv_open(s->siv, view_of(sealed, NONCE_BYTES),
                    view_of(sealed + NONCE_BYTES, got - NONCE_BYTES), plain);
}

static ks_rc block_write(struct straddling *s, size_t index, const uint8_t *plain, size_t len)
{
    uint8_t sealed[SEALED_BYTES] = {0};

    s->nonce++;
    memcpy(sealed, &s->nonce, sizeof s->nonce);
    TRY(siv_seal(s->siv, view_of(sealed, NONCE_BYTES), view_of(plain, len), sealed + NONCE_BYTES));
    return s->io->ops->pwrite(s->io, s->file, sealed, HEAD_BYTES + len, index * SEALED_BYTES);
}

/* Bytes that all lie in one block, over what the block has; in NULL: zeros. */
static ks_rc block_change(struct straddling *s, size_t at, const uint8_t *in, size_t len)
{
    uint8_t plain[PLAIN_BYTES] = {0};
    size_t offset = at % PLAIN_BYTES, old;

    TRY(block_read(s, at / PLAIN_BYTES, plain, &old));
    if (in)
        memcpy(plain + offset, in, len);
    else
        memset(plain + offset, 0, len);
    return block_write(s, at / PLAIN_BYTES, plain, offset + len > old ? offset + len : old);
}

static ks_rc change(struct straddling *s, const uint8_t *in, size_t len, size_t at)
{
    for (size_t done = 0, n; done < len; done += n) {
        size_t room = PLAIN_BYTES - (at + done) % PLAIN_BYTES;
        n = len - done < room ? len - done : room;
        TRY(block_change(s, at + done, in ? in + done : NULL, n));
    }
    return KS_SUCCESS;
}

/* --- the file --- */

static ks_rc size_of(struct straddling *s, size_t *ret)
{
    struct stat st;

    TRY(s->io->ops->file_stat(s->io, s->file, &st));
    size_t length = (size_t)st.st_size, blocks = (length + SEALED_BYTES - 1) / SEALED_BYTES;
    *ret = length > blocks * HEAD_BYTES ? length - blocks * HEAD_BYTES : 0;
    return KS_SUCCESS;
}

static ks_rc cut(struct straddling *s, size_t size)
{
    uint8_t plain[PLAIN_BYTES];
    size_t index = size / PLAIN_BYTES, rest = size % PLAIN_BYTES, old = 0;

    if (rest > 0)
        TRY(block_read(s, index, plain, &old));
    TRY(s->io->ops->truncate(s->io, s->file, index * SEALED_BYTES));
    return rest > 0 ? block_write(s, index, plain, rest) : KS_SUCCESS;
}

ks_rc straddling_resize(struct straddling *s, size_t size)
{
    size_t old;

    TRY(size_of(s, &old));
    return size < old ? cut(s, size) : change(s, NULL, size - old, old);
}

ks_rc straddling_write(struct straddling *s, const uint8_t *in, size_t len, size_t at)
{
    size_t size;

    TRY(size_of(s, &size));
    if (at > size)
        TRY(straddling_resize(s, at));
    return change(s, in, len, at);
}

ks_rc straddling_read(struct straddling *s, uint8_t *out, size_t len, size_t *ret_len)
{
    uint8_t plain[PLAIN_BYTES];
    size_t n, done = 0;

    do {
        TRY(block_read(s, done / PLAIN_BYTES, plain, &n));
        ENSURE(n <= len - done, KS_E_CORRUPT, "more than %zu bytes", len);
        memcpy(out + done, plain, n);
        done += n;
    } while (n == PLAIN_BYTES);
    *ret_len = done;
    return KS_SUCCESS;
}

ks_rc straddling_sync(struct straddling *s)
{
    return s->io->ops->sync(s->io, s->file, true);
}

/* --- its birth and end --- */

static ks_rc open_file(struct straddling *s, bool is_new)
{
    struct stat st;

    TRY(s->io->ops->open_root(s->io, "/", &s->root));
    if (is_new)
        return s->io->ops->create(s->io, s->root, "file", 0600, &s->node, &s->file);
    TRY(s->io->ops->lookup(s->io, s->root, "file", &s->node, &st));
    return s->io->ops->open(s->io, s->node, false, &s->file);
}

ks_rc straddling_open(struct io *io, bool is_new, struct straddling **ret)
{
    static const uint8_t key[SIV_KEY_BYTES] = "the key of a test";
    struct straddling *s;

    TRY(mem_new(1, sizeof *s, &s));
    s->io = io;
    ks_rc rc = siv_new(view_of(key, sizeof key), &s->siv);
    if (ks_ok(rc))
        rc = open_file(s, is_new);
    if (!ks_ok(rc)) {
        straddling_close(s);
        return rc;
    }
    *ret = s;
    return KS_SUCCESS;
}

void straddling_close(struct straddling *s)
{
    if (s->file)
        s->io->ops->close(s->io, s->file);
    if (s->node)
        s->io->ops->node_close(s->io, s->node);
    if (s->root)
        s->io->ops->node_close(s->io, s->root);
    siv_free(s->siv);
    mem_free(s);
}
