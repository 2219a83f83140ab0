/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/root.c - from a key file or a passphrase to the root key, by the salt in DIR/root.json.
 */
#include "localkms/root.h"

#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"
#include "crypto/kdf.h"
#include "crypto/pwhash.h"
#include "io/atomic_file.h"
#include "kms/key_file.h"

enum { FORMAT_VERSION = 1, FILE_BYTES_MAX = 4096, DEPTH_MAX = 4 };
static const char FILE_NAME[] = "root.json", INFO[] = "keystead kms root v1";

/* What DIR/root.json says. */
struct root_file {
    bool is_passphrase;
    uint8_t salt[PWHASH_SALT_BYTES];
    struct pwhash_cost cost;
};

static void node_done(struct io_node **node)
{
    if (*node)
        io_posix()->ops->node_close(io_posix(), *node);
}

/* ---- the file ---- */

static ks_rc write_file(const struct root_conf *conf, struct io_node *dir,
                        const struct root_file *file)
{
    CLEANUP(buf_done) struct buf salt = buf_init(64), text = buf_init(FILE_BYTES_MAX);

    TRY(hex_write(view_of(file->salt, sizeof file->salt), &salt));
    CLEANUP(json_decrefp)
    json_t *value =
        json_pack("{s:i, s:s, s:s, s:I, s:I}", "format", FORMAT_VERSION, "source",
                  file->is_passphrase ? "passphrase" : "key-file", "salt", buf_text(&salt), "ops",
                  (json_int_t)file->cost.ops, "mem_bytes", (json_int_t)file->cost.mem_bytes);
    ENSURE(value, KS_E_NO_MEMORY, "no memory for %s", FILE_NAME);
    TRY(json_write(value, true, &text));
    return atomic_file_write(conf->io, dir, FILE_NAME, 0600, buf_view(&text));
}

static ks_rc parse(struct view text, struct root_file *ret)
{
    CLEANUP(json_decrefp) json_t *value = NULL;
    CLEANUP(buf_done) struct buf salt = buf_init(4 * PWHASH_SALT_BYTES);
    const char *source, *salt_text;
    int64_t format, ops, mem_bytes;

    TRY(json_read(text, (struct json_limits){FILE_BYTES_MAX, DEPTH_MAX}, FILE_NAME, &value));
    TRY(json_get_int(value, "format", 0, INT64_MAX, &format));
    ENSURE(format <= FORMAT_VERSION, KS_E_NEWER_VERSION, "%s has version %lld", FILE_NAME,
           (long long)format);
    TRY(json_get_text(value, "source", 32, &source));
    TRY(json_get_text(value, "salt", 2 * PWHASH_SALT_BYTES, &salt_text));
    TRY(json_get_int(value, "ops", 0, INT64_MAX, &ops));
    TRY(json_get_int(value, "mem_bytes", 0, INT64_MAX, &mem_bytes));
    TRY(hex_read(view_text(salt_text), &salt));
    ENSURE(salt.len == PWHASH_SALT_BYTES, KS_E_FORMAT, "%s: the salt is too short", FILE_NAME);
    memcpy(ret->salt, salt.bytes, PWHASH_SALT_BYTES);
    ret->is_passphrase = strcmp(source, "passphrase") == 0;
    ret->cost = (struct pwhash_cost){(uint64_t)ops, (uint64_t)mem_bytes};
    ENSURE(!ret->is_passphrase || pwhash_cost_is_valid(ret->cost), KS_E_FORMAT,
           "%s: the cost of the passphrase is out of range", FILE_NAME);
    return KS_SUCCESS;
}

/* ---- the key ---- */

static ks_rc from_passphrase(const struct root_conf *conf, const struct root_file *file,
                             struct secret *root)
{
    CLEANUP(secret_freep) struct secret *passphrase = NULL;

    ENSURE(conf->passphrase, KS_E_CREDENTIAL, "nobody can be asked for the passphrase");
    TRY(conf->passphrase(conf->passphrase_arg, "passphrase of the key service", &passphrase));
    return pwhash_derive(secret_view(passphrase), file->salt, file->cost, secret_bytes(root),
                         ROOT_BYTES);
}

static ks_rc from_key_file(const struct root_conf *conf, const struct root_file *file,
                           struct secret *root)
{
    CLEANUP(secret_freep) struct secret *bytes = NULL;

    TRY(key_file_read(conf->io, conf->key_file, &bytes));
    return kdf_derive(secret_view(bytes), view_of(file->salt, sizeof file->salt), view_text(INFO),
                      secret_bytes(root), ROOT_BYTES);
}

static ks_rc derive(const struct root_conf *conf, const struct root_file *file, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *root = NULL;

    ENSURE(file->is_passphrase || conf->key_file, KS_E_USAGE,
           "%s opens with a key file; name it with --key-file", conf->dir);
    ENSURE(!file->is_passphrase || !conf->key_file, KS_E_USAGE,
           "%s opens with a passphrase, not with a key file", conf->dir);
    TRY(secret_new(ROOT_BYTES, &root));
    TRY(file->is_passphrase ? from_passphrase(conf, file, root) : from_key_file(conf, file, root));
    *ret = TAKE(root);
    return KS_SUCCESS;
}

ks_rc root_make(const struct root_conf *conf, struct secret **ret)
{
    CLEANUP(node_done) struct io_node *dir = NULL;
    CLEANUP(buf_done) struct buf there = buf_init(FILE_BYTES_MAX);
    struct pwhash_cost preset = pwhash_cost_default();
    struct root_file file = {.is_passphrase = !conf->key_file};

    TRY(conf->io->ops->open_root(conf->io, conf->dir, &dir));
    ks_rc rc = atomic_file_read(conf->io, dir, FILE_NAME, FILE_BYTES_MAX, &there);
    ENSURE(!ks_ok(rc), KS_E_EXISTS, "%s is a state directory already", conf->dir);
    if (!ks_is_os(rc, ENOENT))
        return rc;
    if (file.is_passphrase)
        file.cost = (struct pwhash_cost){conf->pwhash_ops ? conf->pwhash_ops : preset.ops,
                                         conf->pwhash_mem_bytes ? conf->pwhash_mem_bytes
                                                                : preset.mem_bytes};
    TRY(random_fill(conf->random, file.salt, sizeof file.salt));
    if (conf->key_file)
        TRY(key_file_make(conf->io, conf->key_file, conf->random));
    TRY(derive(conf, &file, ret));
    rc = write_file(conf, dir, &file);
    if (!ks_ok(rc)) {
        secret_free(*ret);
        *ret = NULL;
    }
    return rc;
}

ks_rc root_open(const struct root_conf *conf, struct secret **ret)
{
    CLEANUP(node_done) struct io_node *dir = NULL;
    CLEANUP(buf_done) struct buf text = buf_init(FILE_BYTES_MAX);
    struct root_file file = {0};

    ks_rc rc = conf->io->ops->open_root(conf->io, conf->dir, &dir);
    if (ks_ok(rc))
        rc = atomic_file_read(conf->io, dir, FILE_NAME, FILE_BYTES_MAX, &text);
    if (ks_is_os(rc, ENOENT))
        return ks_fail(KS_E_NOT_FOUND,
                       "%s is no state directory of a key service; make one with: keystead kms "
                       "setup --dir %s",
                       conf->dir, conf->dir);
    TRY(ks_wrap(rc, "state directory %.200s", conf->dir));
    TRY(ks_wrap(parse(buf_view(&text), &file), "state directory %.200s", conf->dir));
    return derive(conf, &file, ret);
}
