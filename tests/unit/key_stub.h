/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/key_stub.h - a key service and a volume's keyring for tests of key/.
 *
 * The service wraps for real (crypto/keywrap) under a key made from uri and version, bound to the
 * context, and can be told per uri how to answer.
 */
#pragma once

#include "check.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "crypto/kdf.h"
#include "crypto/keywrap.h"
#include "io/io.h"
#include "key/hierarchy.h"

enum { STUB_KEYS = 12 };

struct stub_service {
    struct key_service service;
    struct {
        char uri[64];
        enum ks_code answer; /* KS_E_OK: as it should */
        unsigned version;
        unsigned lies; /* unwraps that give other bytes */
        bool has_empty_blob;
    } keys[STUB_KEYS];
    unsigned wraps, unwraps;
};

static inline size_t stub_key(struct stub_service *s, const char *uri)
{
    size_t i = 0;

    while (i + 1 < STUB_KEYS && s->keys[i].uri[0] && strcmp(s->keys[i].uri, uri) != 0)
        i++;
    if (!s->keys[i].uri[0]) {
        snprintf(s->keys[i].uri, sizeof s->keys[i].uri, "%.63s", uri);
        s->keys[i].version = 1;
    }
    return i;
}

/* stub_answer(s, uri, code): every call for uri fails with code from now on; KS_E_OK ends that. */
static inline void stub_answer(struct stub_service *s, const char *uri, enum ks_code code)
{
    s->keys[stub_key(s, uri)].answer = code;
}

static inline ks_rc stub_check(struct stub_service *s, const struct key_spec *spec, size_t *ret)
{
    *ret = stub_key(s, spec->uri);
    if (s->keys[*ret].answer != KS_E_OK)
        return ks_fail(s->keys[*ret].answer, "stub says %s", spec->uri);
    return KS_SUCCESS;
}

static inline ks_rc stub_kek(const char *uri, unsigned version, uint8_t kek[32])
{
    char name[96];

    snprintf(name, sizeof name, "%.80s@%u", uri, version);
    return kdf_hash(view_text(name), kek);
}

static inline ks_rc stub_wrap(struct key_service *service, const struct key_spec *spec,
                              const struct key_context *context, const struct secret *plain,
                              struct buf *ret_blob, char ret_version[KEY_VERSION_BYTES])
{
    struct stub_service *s = (struct stub_service *)(void *)service;
    CLEANUP(buf_done) struct buf aad = buf_init(65536);
    uint8_t kek[32], *tail;
    size_t i;

    s->wraps++;
    TRY(stub_check(s, spec, &i));
    if (s->keys[i].has_empty_blob)
        return KS_SUCCESS;
    TRY(key_context_aad(context, &aad));
    TRY(stub_kek(spec->uri, s->keys[i].version, kek));
    uint8_t version = (uint8_t)s->keys[i].version;
    TRY(buf_append(ret_blob, view_of(&version, 1)));
    TRY(buf_extend(ret_blob, keywrap_bytes(secret_view(plain).len), &tail));
    snprintf(ret_version, KEY_VERSION_BYTES, "v%u", version);
    return keywrap_seal(view_of(kek, 32), buf_view(&aad), secret_view(plain), random_system(),
                        tail);
}

static inline ks_rc stub_unwrap(struct key_service *service, const struct key_spec *spec,
                                const struct key_context *context, struct view blob,
                                struct secret **ret_plain)
{
    struct stub_service *s = (struct stub_service *)(void *)service;
    CLEANUP(buf_done) struct buf aad = buf_init(65536);
    uint8_t kek[32];
    size_t i;

    s->unwraps++;
    TRY(stub_check(s, spec, &i));
    TRY(key_context_aad(context, &aad));
    ENSURE(blob.len > 1, KS_E_FORMAT, "stub: short blob");
    TRY(stub_kek(spec->uri, blob.bytes[0], kek));
    TRY(keywrap_open(view_of(kek, 32), buf_view(&aad), view_of(blob.bytes + 1, blob.len - 1),
                     ret_plain));
    if (s->keys[i].lies)
        secret_bytes(*ret_plain)[0] ^= 1;
    return KS_SUCCESS;
}

static inline ks_rc stub_version(struct key_service *service, const struct key_spec *spec,
                                 const struct key_context *context, char ret[KEY_VERSION_BYTES])
{
    struct stub_service *s = (struct stub_service *)(void *)service;
    size_t i;

    (void)context;
    TRY(stub_check(s, spec, &i));
    snprintf(ret, KEY_VERSION_BYTES, "v%u", s->keys[i].version);
    return KS_SUCCESS;
}

static inline void stub_init(struct stub_service *s)
{
    memset(s, 0, sizeof *s);
    s->service = (struct key_service){stub_wrap, stub_unwrap, stub_version};
}

static inline struct key_spec stub_spec(const char *uri)
{
    struct key_spec spec = {"STUB", "", ""};

    snprintf(spec.uri, sizeof spec.uri, "%s", uri);
    return spec;
}

/* stub_keyring(s, uris, count, ret, ret_keys): a built keyring, not on any disk yet. */
static inline ks_rc stub_keyring(struct stub_service *s, const char *const *uris, size_t count,
                                 struct keyring **ret, struct keyset **ret_keys)
{
    CLEANUP(keyring_freep) struct keyring *k = NULL;
    struct key_spec specs[KEYRING_ACTIVE_MAX + 1];
    struct clock_manual clock;

    clock_manual_init(&clock, 1000, 1800000000);
    TRY(keyring_new(&k));
    memset(k->volume_id, 0x5a, sizeof k->volume_id);
    k->sequence = 1;
    snprintf(k->label, sizeof k->label, "orders");
    snprintf(k->organisation, sizeof k->organisation, "acme");
    snprintf(k->cluster, sizeof k->cluster, "c1");
    for (size_t i = 0; i < count; i++)
        specs[i] = stub_spec(uris[i]);
    TRY(hierarchy_build(k, specs, count, &s->service, &clock.clock, random_system(), ret_keys));
    *ret = TAKE(k);
    return KS_SUCCESS;
}

/* A directory of the host for one test; dir_end removes it with the plain files in it. */
struct test_dir {
    char path[64];
    struct io *io;
    struct io_node *node;
};

static inline void dir_begin(struct test_dir *d)
{
    snprintf(d->path, sizeof d->path, "keystead-test-XXXXXX");
    assert_non_null(mkdtemp(d->path));
    d->io = io_posix();
    check_ok(d->io->ops->open_root(d->io, d->path, &d->node));
}

static inline void dir_empty(const char *path)
{
    DIR *dir = opendir(path);

    assert_non_null(dir);
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        char at[1024];

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(at, sizeof at, "%.700s/%.255s", path, e->d_name);
        if (e->d_type == DT_DIR) {
            dir_empty(at);
            assert_int_equal(rmdir(at), 0);
        } else {
            assert_int_equal(unlink(at), 0);
        }
    }
    closedir(dir);
}

static inline void dir_end(struct test_dir *d)
{
    d->io->ops->node_close(d->io, d->node);
    dir_empty(d->path);
    assert_int_equal(rmdir(d->path), 0);
}

/* file_flip(d, name, at): flips a bit; file_put, file_get: whole contents. */
static inline void file_put(const struct test_dir *d, const char *name, struct view v)
{
    char at[512];

    snprintf(at, sizeof at, "%s/%s", d->path, name);
    FILE *f = fopen(at, "wb");
    assert_non_null(f);
    if (v.len)
        assert_int_equal(fwrite(v.bytes, 1, v.len, f), v.len);
    assert_int_equal(fclose(f), 0);
}

static inline void file_get(const struct test_dir *d, const char *name, struct buf *ret)
{
    char at[512];
    uint8_t block[4096];

    snprintf(at, sizeof at, "%s/%s", d->path, name);
    FILE *f = fopen(at, "rb");
    assert_non_null(f);
    for (size_t n = fread(block, 1, sizeof block, f); n; n = fread(block, 1, sizeof block, f))
        check_ok(buf_append(ret, view_of(block, n)));
    assert_int_equal(fclose(f), 0);
}

static inline void file_flip(const struct test_dir *d, const char *name, size_t at)
{
    CLEANUP(buf_done) struct buf b = buf_init(1 << 20);

    file_get(d, name, &b);
    b.bytes[at % b.len] ^= 0x10;
    file_put(d, name, buf_view(&b));
}
