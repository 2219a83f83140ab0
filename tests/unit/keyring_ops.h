/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/keyring_ops.h - every change of a keyring as a table, for the crash and fault tests.
 *
 * A world is a keyring in the root directory of some io. Its wraps carry long texts, so that it lies
 * on several pages and a power loss has subsets to choose from. It has three generations of data keys, of which
 * the second may be destroyed.
 */
#pragma once

#include "key/hierarchy_int.h"
#include "key_stub.h"

enum { OPS_WRAPS = 5, OPS_PRINCIPAL_BYTES = 1000, OPS_GENERATIONS = 3 };

struct ops_world {
    struct io *io;
    struct io_node *dir;
    struct stub_service service;
    struct clock_manual clock;
    struct hierarchy h;
    struct keyset *keys;
    struct keyring *fresh; /* for create: not on any disk yet */
    uint8_t data_key[DATA_KEY_BYTES], name_key[NAME_KEY_BYTES]; /* what must never be lost */
};

static inline void ops_take_keys(struct ops_world *w, struct keyset *keys)
{
    keyset_free(w->keys);
    w->keys = keys;
}

static inline void ops_add_generations(struct ops_world *w)
{
    CLEANUP(secret_freep) struct secret *store_key = NULL;
    struct keyset *keys;

    check_ok(secret_copy(keyset_store_key(w->keys), &store_key));
    while (w->fresh->data_key_count < OPS_GENERATIONS)
        check_ok(data_key_make(w->fresh, secret_view(store_key), 1900000000, random_system()));
    check_ok(keyset_open(w->fresh, &store_key, &keys));
    ops_take_keys(w, keys);
}

static inline void ops_begin(struct ops_world *w, struct io *io)
{
    static const char *const uris[OPS_WRAPS] = {"a", "b", "c", "d", "e"};

    memset(w, 0, sizeof *w);
    check_ok(secret_init());
    w->io = io;
    stub_init(&w->service);
    clock_manual_init(&w->clock, 5000, 1900000000);
    check_ok(io->ops->open_root(io, "/", &w->dir));
    check_ok(stub_keyring(&w->service, uris, OPS_WRAPS, &w->fresh, &w->keys));
    for (size_t i = 0; i < OPS_WRAPS; i++)
        memset(w->fresh->wraps[i].spec.auth_principal, 'x', OPS_PRINCIPAL_BYTES);
    ops_add_generations(w);
    memcpy(w->data_key, keyset_data_key(w->keys, 1).bytes, sizeof w->data_key);
    memcpy(w->name_key, keyset_name_key(w->keys).bytes, sizeof w->name_key);
    w->h = (struct hierarchy){NULL, &w->service.service, &w->clock.clock, random_system(), NULL};
}

static inline void ops_end(struct ops_world *w)
{
    keyring_file_close(w->h.file);
    keyset_free(w->keys);
    keyring_free(w->fresh);
    w->io->ops->node_close(w->io, w->dir);
}

static inline ks_rc ops_create(struct ops_world *w)
{
    CLEANUP(secret_freep) struct secret *mac_key = NULL;

    TRY(keyset_mac_key(w->keys, &mac_key));
    return keyring_file_create(w->io, w->dir, w->fresh, secret_view(mac_key), &w->h.file);
}

static inline ks_rc ops_cmek_one(struct ops_world *w)
{
    w->service.keys[0].version++;
    return hierarchy_rotate_cmek(&w->h, w->keys, 1, NULL);
}

static inline ks_rc ops_cmek_other_key(struct ops_world *w)
{
    struct key_spec spec = stub_spec("f");

    return hierarchy_rotate_cmek(&w->h, w->keys, 2, &spec);
}

static inline ks_rc ops_cmek_all(struct ops_world *w)
{
    return hierarchy_rotate_cmek(&w->h, w->keys, 0, NULL);
}

static inline ks_rc ops_store(struct ops_world *w)
{
    struct keyset *keys;

    TRY(hierarchy_rotate_store(&w->h, w->keys, &keys));
    ops_take_keys(w, keys);
    return hierarchy_settle(&w->h);
}

static inline ks_rc ops_data(struct ops_world *w)
{
    struct keyset *keys;

    TRY(hierarchy_rotate_data(&w->h, w->keys, &keys));
    ops_take_keys(w, keys);
    return KS_SUCCESS;
}

static inline ks_rc ops_destroy(struct ops_world *w)
{
    const uint32_t second = 2;
    struct keyset *keys;

    TRY(hierarchy_destroy_data_keys(&w->h, w->keys, &second, 1, &keys));
    ops_take_keys(w, keys);
    return hierarchy_settle(&w->h);
}

static inline ks_rc ops_add_wrap(struct ops_world *w)
{
    struct key_spec spec = stub_spec("g");
    uint32_t id;

    return hierarchy_add_wrap(&w->h, w->keys, &spec, &id);
}

/* The newest active wrap, whatever its number is by now. */
static inline ks_rc ops_remove_wrap(struct ops_world *w)
{
    const struct keyring *k = keyring_file_current(w->h.file);
    size_t i = k->wrap_count;

    while (k->wraps[i - 1].state != KEYRING_WRAP_ACTIVE)
        i--;
    return hierarchy_remove_wrap(&w->h, w->keys, k->wraps[i - 1].id);
}

static inline ks_rc ops_settings(struct ops_world *w)
{
    struct keyring_settings s = keyring_file_current(w->h.file)->settings;

    s.grace_ms = s.grace_ms == 1000 ? 2000 : 1000;
    return hierarchy_set_settings(&w->h, w->keys, &s);
}

struct ops_op {
    const char *name;
    ks_rc (*run)(struct ops_world *w);
    bool takes_away; /* something that must be in neither copy any more */
};

/* In an order in which each can follow the one before; create is first. */
static const struct ops_op ops_all[] = {
    {"create", ops_create, false},
    {"rotate cmek, one wrap", ops_cmek_one, true},
    {"rotate cmek, other key", ops_cmek_other_key, true},
    {"rotate cmek, all wraps", ops_cmek_all, true},
    {"rotate store", ops_store, true},
    {"rotate data", ops_data, false},
    {"destroy a data key", ops_destroy, true},
    {"add wrap", ops_add_wrap, false},
    {"remove wrap", ops_remove_wrap, true},
    {"settings", ops_settings, false},
};

enum { OPS_COUNT = sizeof ops_all / sizeof ops_all[0] };

/*
 * ops_reopen(w, io, ret_mac): opens the keyring in io as a restart would, with the keys that must never
 * be lost, goes on working with it, and tells which state it was by its MAC. NOT_FOUND when there is no
 * keyring. io is changed.
 */
static inline ks_rc ops_reopen(struct ops_world *w, struct io *io,
                               uint8_t ret_mac[KEYRING_HASH_BYTES])
{
    struct ops_world again = *w; /* the same key service */
    struct keyset *keys = NULL;

    again.io = io;
    again.h.file = NULL;
    again.h.service = &again.service.service;
    TRY(io->ops->open_root(io, "/", &again.dir));
    ks_rc rc = keyring_file_open(io, again.dir, true, &again.h.file);
    if (ks_ok(rc)) {
        memcpy(ret_mac, keyring_file_current(again.h.file)->mac, KEYRING_HASH_BYTES);
        rc = hierarchy_open(&again.h, &keys);
    }
    if (ks_ok(rc)) {
        check_bytes(keyset_data_key(keys, 1), view_of(w->data_key, sizeof w->data_key));
        check_bytes(keyset_name_key(keys), view_of(w->name_key, sizeof w->name_key));
        bool is_destroyed =
            keyring_file_current(again.h.file)->data_keys[1].state == DATA_KEY_DESTROYED;
        assert_int_equal(keyset_data_key(keys, 2).len, is_destroyed ? 0 : DATA_KEY_BYTES);
        again.keys = keys;
        rc = ops_data(&again);
        keyset_free(again.keys);
    }
    keyring_file_close(again.h.file);
    io->ops->node_close(io, again.dir);
    return rc;
}
