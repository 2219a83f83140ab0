/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/volume_fixture.c - an opened volume on any io back end, for tests.
 */
#include "volume_fixture.h"

#include <unistd.h>

#include "base/mem.h"
#include "io/crash.h"
#include "key/hierarchy.h"
#include "key/local_key.h"

/* A key service that wraps by copying: what is tested here is not the wrapping. */
static ks_rc copy_wrap(struct key_service *s, const struct key_spec *spec,
                       const struct key_context *context, const struct secret *plain,
                       struct buf *ret_blob, char ret_version[KEY_VERSION_BYTES])
{
    (void)s;
    (void)spec;
    (void)context;
    memset(ret_version, 0, KEY_VERSION_BYTES);
    ret_version[0] = '1';
    return buf_append(ret_blob, secret_view(plain));
}

static ks_rc copy_unwrap(struct key_service *s, const struct key_spec *spec,
                         const struct key_context *context, struct view blob, struct secret **ret)
{
    (void)s;
    (void)spec;
    (void)context;
    return secret_copy(blob, ret);
}

static ks_rc copy_version(struct key_service *s, const struct key_spec *spec,
                          const struct key_context *context, char ret[KEY_VERSION_BYTES])
{
    (void)s;
    (void)spec;
    (void)context;
    memset(ret, 0, KEY_VERSION_BYTES);
    ret[0] = '1';
    return KS_SUCCESS;
}

static struct key_service copying = {copy_wrap, copy_unwrap, copy_version};

ks_rc fixture_keys_new(uint32_t payload, struct fixture_keys **ret)
{
    struct key_spec spec = {"TEST", "key", ""};
    struct fixture_keys *k;

    TRY(secret_init());
    TRY(mem_new(1, sizeof *k, &k));
    TRY(keyring_new(&k->keyring));
    k->keyring->block_payload = payload;
    memset(k->keyring->volume_id, 0x5a, KEYRING_ID_BYTES);
    TRY(hierarchy_build(k->keyring, &spec, 1, &copying, clock_system(), random_system(), &k->keys));
    *ret = k;
    return KS_SUCCESS;
}

/* A keyset of its own: an opened volume owns the one that it uses. */
ks_rc fixture_keys_again(struct fixture_keys *k, struct keyset **ret)
{
    CLEANUP(secret_freep) struct secret *store_key = NULL;

    TRY(secret_copy(keyset_store_key(k->keys), &store_key));
    return keyset_open(k->keyring, &store_key, ret);
}

ks_rc fixture_keys_rotate(struct fixture_keys *k)
{
    struct keyring_data_key *old, *fresh;
    CLEANUP(secret_freep) struct secret *key = NULL;
    struct keyset *keys;

    TRY(secret_new(DATA_KEY_BYTES, &key));
    TRY(random_fill(random_system(), secret_bytes(key), DATA_KEY_BYTES));
    TRY(keyring_add_data_key(k->keyring, &fresh));
    old = &k->keyring->data_keys[k->keyring->data_key_count - 2];
    old->state = DATA_KEY_OLDER;
    old->retired_s = 1;
    fresh->generation = old->generation + 1;
    fresh->state = DATA_KEY_NEWEST;
    fresh->created_s = 1;
    TRY(local_key_seal_data(k->keyring, keyset_store_key(k->keys), secret_view(key),
                            random_system(), fresh));
    TRY(fixture_keys_again(k, &keys));
    keyset_free(k->keys);
    k->keys = keys;
    return KS_SUCCESS;
}

ks_rc fixture_keys_destroy(struct fixture_keys *k, uint32_t generation)
{
    struct keyring_data_key *d = keyring_find_data_key(k->keyring, generation);
    struct keyset *keys;

    mem_wipe(d->wrapped, sizeof d->wrapped);
    d->state = DATA_KEY_DESTROYED;
    d->destroyed_s = 1;
    TRY(fixture_keys_again(k, &keys));
    keyset_free(k->keys);
    k->keys = keys;
    return KS_SUCCESS;
}

void fixture_keys_free(struct fixture_keys *k)
{
    keyset_free(k->keys);
    keyring_free(k->keyring);
    mem_free(k);
}

ks_rc fixture_layout(struct io *io, const char *path)
{
    struct io_node *root;

    TRY(io->ops->open_root(io, path, &root));
    TRY(io->ops->mkdir(io, root, "tree", 0700));
    TRY(io->ops->mkdir(io, root, "long", 0700));
    ks_rc rc = io->ops->sync_dir(io, root);
    io->ops->node_close(io, root);
    return rc;
}

static void count_alert(void *arg, const char *text)
{
    struct fixture *f = arg;

    (void)text;
    f->alerts++;
}

static ks_rc open_all(struct fixture *f, const char *path, struct fixture_keys *k)
{
    struct io *io = f->io;
    struct keyset *keys;
    struct stat st;

    TRY(io->ops->open_root(io, path, &f->root));
    TRY(io->ops->lookup(io, f->root, "tree", &f->tree, &st));
    TRY(io->ops->lookup(io, f->root, "long", &f->long_names, &st));
    struct volume_conf conf = {.io = io,
                               .clock = clock_system(),
                               .random = random_system(),
                               .tree = f->tree,
                               .long_names = f->long_names,
                               .block_payload = k->keyring->block_payload,
                               .alert = count_alert,
                               .alert_arg = f};
    memcpy(conf.volume_id, k->keyring->volume_id, KEYRING_ID_BYTES);
    TRY(volume_new(&conf, &f->v));
    TRY(fixture_keys_again(k, &keys));
    TRY(volume_set_keys(f->v, &keys));
    volume_set_door(f->v, VOLUME_OPEN);
    return KS_SUCCESS;
}

ks_rc fixture_open(struct io *io, const char *path, struct fixture_keys *k, struct fixture **ret)
{
    struct fixture *f;

    TRY(mem_new(1, sizeof *f, &f));
    f->io = io;
    ks_rc rc = open_all(f, path, k);
    if (!ks_ok(rc)) {
        fixture_close(f);
        return rc;
    }
    *ret = f;
    return KS_SUCCESS;
}

static void node_close(struct io *io, struct io_node *node)
{
    if (node)
        io->ops->node_close(io, node);
}

void fixture_close(struct fixture *f)
{
    if (!f)
        return;
    volume_free(f->v);
    node_close(f->io, f->tree);
    node_close(f->io, f->long_names);
    node_close(f->io, f->root);
    mem_free(f);
}

ks_rc fixture_in_memory(uint32_t payload, struct io **ret_io, struct fixture_keys **ret_keys,
                        struct fixture **ret)
{
    TRY(fixture_keys_new(payload, ret_keys));
    TRY(crash_new(ret_io));
    TRY(fixture_layout(*ret_io, "/"));
    return fixture_open(*ret_io, "/", *ret_keys, ret);
}

void fixture_in_memory_free(struct io *io, struct fixture_keys *k, struct fixture *f)
{
    fixture_close(f);
    crash_free(io);
    fixture_keys_free(k);
}

ks_rc fixture_rotate(struct fixture *f, struct fixture_keys *k)
{
    CLEANUP(keyset_freep) struct keyset *keys = NULL;

    TRY(fixture_keys_rotate(k));
    TRY(fixture_keys_again(k, &keys));
    TRY(volume_set_keys(f->v, &keys));
    ENSURE(!keys, KS_E_BUG, "the volume has not taken the keys");
    return KS_SUCCESS;
}

ks_rc fixture_file(struct fixture *f, const char *name, bool is_new, struct inode **ret,
                   struct handle **ret_handle)
{
    struct caller me = {geteuid(), getegid()};
    struct inode *i;
    struct stat st;

    if (is_new)
        return volume_create(f->v, volume_root(f->v), name, 0644, &me, ret, &st, ret_handle);
    TRY(volume_lookup(f->v, volume_root(f->v), name, &i, &st));
    ks_rc rc = volume_open(f->v, i, false, ret_handle);
    if (!ks_ok(rc)) {
        volume_forget(f->v, i, 1);
        return rc;
    }
    *ret = i;
    return KS_SUCCESS;
}

void fixture_file_close(struct fixture *f, struct inode *i, struct handle *h)
{
    volume_close(f->v, h);
    volume_forget(f->v, i, 1);
}

ks_rc fixture_write(struct fixture *f, const char *name, bool is_new, const void *bytes, size_t len)
{
    struct inode *i;
    struct handle *h;

    TRY(fixture_file(f, name, is_new, &i, &h));
    ks_rc rc = volume_write(f->v, i, bytes, len, 0);
    fixture_file_close(f, i, h);
    return rc;
}
