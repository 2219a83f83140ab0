/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/file_session.c - the root key of a file key store and what a call needs from it.
 *
 * Invariant: nobody gets a session whose root key does not fit the root record's commitment.
 */
#include "kms/file_session.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/kdf.h"
#include "io/atomic_file.h"
#include "kms/key_file.h"
#include "kms/stretched.h"

enum { ROOT_KEY_BYTES = 32, SUBKEY_BYTES = 32, LOCK_WAIT_MS = 5000, LOCK_POLL_MS = 50 };

static const char KEY_FILE_INFO[] = "keystead file store key file v1";
static const char SUBKEYS_INFO[] = "keystead file store subkeys v1";

ks_rc store_unreachable(const struct file_store *s, ks_rc rc)
{
    char reason[256];

    if (rc.code < KS_CODE_OS)
        return ks_wrap(rc, "key store %.200s", s->path);
    snprintf(reason, sizeof reason, "%s", ks_text(rc));
    return ks_fail(KS_E_UNREACHABLE,
                   "key store %.200s cannot be reached: %s; is its file system mounted, and may "
                   "this user read it?",
                   s->path, reason);
}

static ks_rc from_key_file(struct file_store *s, const struct file_root *root, struct secret *ret)
{
    CLEANUP(secret_freep) struct secret *bytes = NULL;

    ENSURE(s->key_file, KS_E_CREDENTIAL,
           "key store %.200s is opened by a key file; name it with --key-file", s->path);
    TRY(key_file_read(s->io, s->key_file, &bytes));
    return kdf_derive(secret_view(bytes), view_of(root->salt, sizeof root->salt),
                      view_text(KEY_FILE_INFO), secret_bytes(ret), ROOT_KEY_BYTES);
}

static ks_rc from_passphrase(struct file_store *s, const struct file_root *root, struct secret *ret)
{
    CLEANUP(secret_freep) struct secret *passphrase = NULL;
    char what[256];

    ENSURE(!s->key_file, KS_E_CREDENTIAL,
           "key store %.200s is opened by a passphrase, not by a key file; leave out --key-file",
           s->path);
    if (s->root_key) {
        memcpy(secret_bytes(ret), secret_view(s->root_key).bytes, ROOT_KEY_BYTES);
        return KS_SUCCESS;
    }
    if (stretched_find(s->stretched, root->salt, root->cost, ret))
        return KS_SUCCESS;
    ENSURE(s->passphrase, KS_E_CREDENTIAL,
           "key store %.200s needs its passphrase and there is nobody to ask; give it with "
           "--passphrase-file",
           s->path);
    snprintf(what, sizeof what, "passphrase of the key store %.200s", s->path);
    TRY(s->passphrase(s->passphrase_arg, what, &passphrase));
    return pwhash_derive(secret_view(passphrase), root->salt, root->cost, secret_bytes(ret),
                         ROOT_KEY_BYTES);
}

ks_rc session_root_key(struct file_store *s, const struct file_root *root, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *key = NULL;

    TRY(secret_new(ROOT_KEY_BYTES, &key));
    switch (root->kdf) {
    case FILE_KDF_KEY_FILE:
        TRY(from_key_file(s, root, key));
        break;
    case FILE_KDF_PASSPHRASE:
        TRY(from_passphrase(s, root, key));
        break;
    }
    *ret = TAKE(key);
    return KS_SUCCESS;
}

static ks_rc check_root_key(struct file_store *s, const struct file_root *root,
                            const struct secret *key)
{
    uint8_t found[KEYWRAP_COMMIT_BYTES];

    TRY(file_root_commit(root, secret_view(key), found));
    if (secret_is_equal(view_of(found, sizeof found), view_of(root->commitment, sizeof found)))
        return KS_SUCCESS;
    if (s->key_file)
        return ks_fail(KS_E_WRONG_KEY,
                       "%.180s is not the key file of the key store %.180s; name the file that was "
                       "made with the store (--key-file), or restore it from its backup",
                       s->key_file, s->path);
    return ks_fail(KS_E_WRONG_KEY, "this is not the passphrase of the key store %.200s; try again",
                   s->path);
}

static ks_rc read_root(struct file_session *f, struct file_root *ret)
{
    CLEANUP(buf_done) struct buf bytes = buf_init(FILE_ROOT_MAX);

    TRY(atomic_file_read(f->store->io, f->dir, "store", FILE_ROOT_MAX, &bytes));
    return ks_wrap(file_root_parse(buf_view(&bytes), ret), "its root record");
}

static ks_rc derive_subkeys(struct file_session *f, const struct file_root *root,
                            const struct secret *key)
{
    TRY(secret_new(2 * SUBKEY_BYTES, &f->subkeys));
    return kdf_derive(secret_view(key), view_of(root->id, sizeof root->id), view_text(SUBKEYS_INFO),
                      secret_bytes(f->subkeys), 2 * SUBKEY_BYTES);
}

/* Stretching a passphrase takes most of a second, so the result is kept, here and for the other clients; a key file's is not.
 * Only with a key that the root record's commitment has proven. */
static void keep_root_key(struct file_store *s, const struct file_root *root, struct secret **key)
{
    s->root_key = TAKE(*key);
    /* without memory for it the others stretch it themselves */
    IGNORE(stretched_keep(s->stretched, root->salt, root->cost, s->root_key));
}

static ks_rc begin(struct file_session *f)
{
    CLEANUP(secret_freep) struct secret *key = NULL;
    struct file_store *s = f->store;
    struct file_root root;

    TRY(store_unreachable(s, s->io->ops->open_root(s->io, s->path, &f->dir)));
    TRY(store_unreachable(s, read_root(f, &root)));
    TRY(store_unreachable(s, s->io->ops->lookup(s->io, f->dir, "keys", &f->keys, NULL)));
    TRY(session_root_key(s, &root, &key));
    TRY(check_root_key(s, &root, key));
    TRY(derive_subkeys(f, &root, key));
    if (root.kdf == FILE_KDF_PASSPHRASE && !s->root_key)
        keep_root_key(s, &root, &key);
    return KS_SUCCESS;
}

ks_rc session_begin(struct file_store *s, struct file_session *ret)
{
    struct file_session f = {.store = s};
    ks_rc rc = begin(&f);

    if (ks_ok(rc))
        *ret = f;
    else
        session_end(&f);
    return rc;
}

void session_end(struct file_session *f)
{
    if (!f->store)
        return;
    struct io *io = f->store->io;
    if (f->lock)
        io->ops->close(io, f->lock);
    struct io_node *nodes[] = {f->lock_node, f->keys, f->dir};
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++)
        if (nodes[i])
            io->ops->node_close(io, nodes[i]);
    secret_free(f->subkeys);
    *f = (struct file_session){.store = NULL};
}

struct view session_mac_key(const struct file_session *f)
{
    return view_of(secret_view(f->subkeys).bytes, SUBKEY_BYTES);
}

struct view session_wrap_key(const struct file_session *f)
{
    return view_of(secret_view(f->subkeys).bytes + SUBKEY_BYTES, SUBKEY_BYTES);
}

ks_rc session_lock(struct file_session *f)
{
    struct file_store *s = f->store;
    struct io *io = s->io;
    uint64_t deadline = clock_boot_ms(s->clock) + LOCK_WAIT_MS;

    TRY(ks_wrap(io->ops->lookup(io, f->dir, "lock", &f->lock_node, NULL),
                "cannot lock the key store %.200s", s->path));
    TRY(ks_wrap(io->ops->open(io, f->lock_node, false, &f->lock),
                "cannot lock the key store %.200s for a change", s->path));
    ks_rc rc = io->ops->lock(io, f->lock);
    while (rc.cls == KS_CLASS_BUSY && clock_boot_ms(s->clock) < deadline) {
        clock_sleep_ms(s->clock, LOCK_POLL_MS);
        rc = io->ops->lock(io, f->lock);
    }
    if (rc.cls == KS_CLASS_BUSY)
        return ks_fail(KS_E_BUSY, "another process is changing the key store %.200s; try again",
                       s->path);
    return ks_wrap(rc, "cannot lock the key store %.200s", s->path);
}
