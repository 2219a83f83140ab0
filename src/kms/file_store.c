/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/file_store.c - making and opening a file key store.
 *
 * Layout: DIR/store (root record), DIR/keys/NAME.key (key records), DIR/lock. The root record is
 * written last, so a store is there whole or not at all.
 */
#include "kms/file_store.h"

#include <string.h>

#include "base/mem.h"
#include "io/atomic_file.h"
#include "kms/file_session.h"
#include "kms/key_file.h"

enum { PASSPHRASE_BYTES_MIN = 8 };

static void store_done(struct file_store *s)
{
    mem_free(s->path);
    mem_free(s->key_file);
    secret_free(s->root_key);
}

static ks_rc store_init(struct file_store *s, const struct file_store_conf *conf)
{
    s->io = conf->io;
    s->passphrase = conf->passphrase;
    s->passphrase_arg = conf->passphrase_arg;
    s->stretched = conf->stretched;
    s->clock = conf->clock;
    s->random = conf->random;
    TRY(mem_text(conf->path, &s->path));
    return conf->key_file ? mem_text(conf->key_file, &s->key_file) : KS_SUCCESS;
}

void file_store_close(struct file_store *s)
{
    if (!s)
        return;
    store_done(s);
    mem_free(s);
}

void file_store_closep(struct file_store **s)
{
    file_store_close(*s);
}

/* Whether there is a root record at all: NOT_FOUND tells "no store" from "a store out of reach". */
static ks_rc find_store(struct file_store *s)
{
    CLEANUP(session_end) struct file_session f = {.store = s};
    ks_rc rc = s->io->ops->open_root(s->io, s->path, &f.dir);

    if (ks_ok(rc))
        rc = s->io->ops->lookup(s->io, f.dir, "store", &f.lock_node, NULL);
    if (ks_is_os(rc, ENOENT) || ks_is_os(rc, ENOTDIR))
        return ks_fail(KS_E_NOT_FOUND,
                       "there is no key store in %.200s; make one with: keystead kms init --store "
                       "%.200s",
                       s->path, s->path);
    return store_unreachable(s, rc);
}

ks_rc file_store_open(const struct file_store_conf *conf, struct file_store **ret)
{
    CLEANUP(file_store_closep) struct file_store *s = NULL;
    struct file_session f = {.store = NULL};

    TRY(mem_new(1, sizeof *s, &s));
    TRY(store_init(s, conf));
    TRY(find_store(s));
    TRY(session_begin(s, &f));
    session_end(&f);
    *ret = TAKE(s);
    return KS_SUCCESS;
}

static ks_rc make_dir(struct file_store *s)
{
    CLEANUP(session_end) struct file_session f = {.store = s};
    char name[IO_NAME_BYTES + 1];

    TRY(path_open_parent(s->io, s->path, &f.dir, name));
    ks_rc rc = s->io->ops->mkdir(s->io, f.dir, name, 0700);
    if (ks_is_os(rc, EEXIST))
        return KS_SUCCESS;
    return ks_ok(rc) ? s->io->ops->sync_dir(s->io, f.dir) : rc;
}

/* The lock file and the directory of keys; what a broken attempt left behind is used again. */
static ks_rc make_inside(struct file_session *f)
{
    struct io *io = f->store->io;
    ks_rc rc = io->ops->mkdir(io, f->dir, "keys", 0700);

    if (!ks_ok(rc) && !ks_is_os(rc, EEXIST))
        return rc;
    rc = io->ops->mknod(io, f->dir, "lock", S_IFREG | 0600, 0);
    if (!ks_ok(rc) && !ks_is_os(rc, EEXIST))
        return rc;
    return io->ops->sync_dir(io, f->dir);
}

static ks_rc no_store_yet(struct file_session *f)
{
    struct io_node *node = NULL;
    struct io *io = f->store->io;
    ks_rc rc = io->ops->lookup(io, f->dir, "store", &node, NULL);

    if (node)
        io->ops->node_close(io, node);
    if (ks_ok(rc))
        return ks_fail(KS_E_EXISTS, "there is a key store in %.200s already", f->store->path);
    return ks_is_os(rc, ENOENT) ? KS_SUCCESS : rc;
}

/* Asks for the passphrase of the new store through the store's own way, but refuses a short one. */
static ks_rc ask_long_one(void *arg, const char *what, struct secret **ret)
{
    const struct file_store_conf *conf = arg;
    CLEANUP(secret_freep) struct secret *passphrase = NULL;

    ENSURE(conf->passphrase, KS_E_CREDENTIAL,
           "a key store needs a key file (--key-file) or a passphrase (--passphrase-file)");
    TRY(conf->passphrase(conf->passphrase_arg, what, &passphrase));
    ENSURE(secret_view(passphrase).len >= PASSPHRASE_BYTES_MIN, KS_E_USAGE,
           "the passphrase of a key store has at least %d bytes", PASSPHRASE_BYTES_MIN);
    *ret = TAKE(passphrase);
    return KS_SUCCESS;
}

static ks_rc new_root(struct file_store *s, const struct file_store_conf *conf,
                      struct file_root *root)
{
    CLEANUP(secret_freep) struct secret *key = NULL;

    *root = (struct file_root){.kdf = FILE_KDF_KEY_FILE, .created_s = clock_wall_s(s->clock)};
    TRY(random_fill(s->random, root->id, sizeof root->id));
    TRY(random_fill(s->random, root->salt, sizeof root->salt));
    if (!conf->key_file) {
        root->kdf = FILE_KDF_PASSPHRASE;
        root->cost = pwhash_cost_default();
        if (conf->pwhash_ops)
            root->cost = (struct pwhash_cost){conf->pwhash_ops, conf->pwhash_mem_bytes};
        ENSURE(pwhash_cost_is_valid(root->cost), KS_E_USAGE, "a cost that Argon2id does not allow");
    }
    TRY(session_root_key(s, root, &key));
    return file_root_commit(root, secret_view(key), root->commitment);
}

static ks_rc create_in(struct file_store *s, const struct file_store_conf *conf)
{
    CLEANUP(session_end) struct file_session f = {.store = s};
    CLEANUP(buf_done) struct buf bytes = buf_init(FILE_ROOT_MAX);
    struct file_root root;

    TRY(s->io->ops->open_root(s->io, s->path, &f.dir));
    TRY(make_inside(&f));
    TRY(session_lock(&f));
    TRY(no_store_yet(&f));
    if (s->key_file)
        TRY(key_file_make(s->io, s->key_file, s->random));
    TRY(new_root(s, conf, &root));
    TRY(file_root_write(&root, &bytes));
    return atomic_file_write(s->io, f.dir, "store", 0600, buf_view(&bytes));
}

ks_rc file_store_create(const struct file_store_conf *conf)
{
    CLEANUP(store_done) struct file_store s = {.io = NULL};
    struct file_store_conf asked = *conf;

    TRY(store_init(&s, conf));
    s.passphrase = ask_long_one;
    s.passphrase_arg = &asked;
    TRY(ks_wrap(make_dir(&s), "cannot make the key store %.200s", conf->path));
    return ks_wrap(create_in(&s, conf), "cannot make the key store %.200s", conf->path);
}
