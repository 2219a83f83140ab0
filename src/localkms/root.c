/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/root.c - from a key file, a passphrase or a key at another service to the root key, by what DIR/root.json says.
 */
#include "localkms/root.h"

#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"
#include "crypto/kdf.h"
#include "crypto/pwhash.h"
#include "io/atomic_file.h"
#include "kms/key_file.h"
#include "kms/policy.h"

enum { FORMAT_VERSION = 1, FILE_BYTES_MAX = 32 * 1024, DEPTH_MAX = 4 };
static const char FILE_NAME[] = "root.json", INFO[] = "keystead kms root v1";

enum root_source { FROM_KEY_FILE, FROM_PASSPHRASE, FROM_KEY, SOURCES };
static const char *const source_names[SOURCES] = {"key-file", "passphrase", "key"};

/* What DIR/root.json says. */
struct root_file {
    enum root_source source;
    struct key_spec spec; /* FROM_KEY, like wrap */
    struct buf wrap;
    uint8_t salt[PWHASH_SALT_BYTES];
    struct pwhash_cost cost;
};

static void node_done(struct io_node **node)
{
    if (*node)
        io_posix()->ops->node_close(io_posix(), *node);
}

/* ---- the file ---- */

static void file_done(struct root_file *file)
{
    buf_done(&file->wrap);
}

/* The members of a root key that is wrapped. */
static ks_rc add_wrap(const struct root_file *file, json_t *value)
{
    CLEANUP(buf_done) struct buf wrap = buf_init(2 * KEY_BLOB_MAX);

    TRY(base64_write(buf_view(&file->wrap), BASE64_STANDARD, &wrap));
    json_t *key = json_pack("{s:s, s:s, s:s}", "type", file->spec.type, "uri", file->spec.uri,
                            "auth_principal", file->spec.auth_principal);
    ENSURE(key && json_object_set_new(value, "key", key) == 0 &&
               json_object_set_new(value, "wrap", json_string(buf_text(&wrap))) == 0,
           KS_E_NO_MEMORY, "no memory for %s", FILE_NAME);
    return KS_SUCCESS;
}

static ks_rc write_file(const struct root_conf *conf, struct io_node *dir,
                        const struct root_file *file)
{
    CLEANUP(buf_done) struct buf salt = buf_init(64), text = buf_init(FILE_BYTES_MAX);

    TRY(hex_write(view_of(file->salt, sizeof file->salt), &salt));
    CLEANUP(json_decrefp)
    json_t *value =
        json_pack("{s:i, s:s, s:s, s:I, s:I}", "format", FORMAT_VERSION, "source",
                  source_names[file->source], "salt", buf_text(&salt), "ops",
                  (json_int_t)file->cost.ops, "mem_bytes", (json_int_t)file->cost.mem_bytes);
    ENSURE(value, KS_E_NO_MEMORY, "no memory for %s", FILE_NAME);
    if (file->source == FROM_KEY)
        TRY(add_wrap(file, value));
    TRY(json_write(value, true, &text));
    return atomic_file_write(conf->io, dir, FILE_NAME, 0600, buf_view(&text));
}

static ks_rc parse_source(const json_t *value, enum root_source *ret)
{
    const char *source;

    TRY(json_get_text(value, "source", 32, &source));
    for (unsigned n = 0; n < SOURCES; n++)
        if (strcmp(source, source_names[n]) == 0) {
            *ret = (enum root_source)n;
            return KS_SUCCESS;
        }
    return ks_fail(KS_E_FORMAT, "%s: a root key from \"%s\" is not known", FILE_NAME, source);
}

static ks_rc parse_wrap(const json_t *value, struct root_file *ret)
{
    const char *type, *uri, *principal, *wrap;
    json_t *key = NULL;

    TRY(json_get_object(value, "key", &key));
    TRY(json_get_text(key, "type", sizeof ret->spec.type - 1, &type));
    TRY(json_get_text(key, "uri", sizeof ret->spec.uri - 1, &uri));
    TRY(json_get_text(key, "auth_principal", sizeof ret->spec.auth_principal - 1, &principal));
    TRY(json_get_text(value, "wrap", 2 * KEY_BLOB_MAX, &wrap));
    snprintf(ret->spec.type, sizeof ret->spec.type, "%s", type);
    snprintf(ret->spec.uri, sizeof ret->spec.uri, "%s", uri);
    snprintf(ret->spec.auth_principal, sizeof ret->spec.auth_principal, "%s", principal);
    return base64_read(view_text(wrap), BASE64_STANDARD, &ret->wrap);
}

static ks_rc parse(struct view text, struct root_file *ret)
{
    CLEANUP(json_decrefp) json_t *value = NULL;
    CLEANUP(buf_done) struct buf salt = buf_init(4 * PWHASH_SALT_BYTES);
    const char *salt_text;
    int64_t format, ops, mem_bytes;

    TRY(json_read(text, (struct json_limits){FILE_BYTES_MAX, DEPTH_MAX}, FILE_NAME, &value));
    TRY(json_get_int(value, "format", 0, INT64_MAX, &format));
    ENSURE(format <= FORMAT_VERSION, KS_E_NEWER_VERSION, "%s has version %lld", FILE_NAME,
           (long long)format);
    TRY(parse_source(value, &ret->source));
    TRY(json_get_text(value, "salt", 2 * PWHASH_SALT_BYTES, &salt_text));
    TRY(json_get_int(value, "ops", 0, INT64_MAX, &ops));
    TRY(json_get_int(value, "mem_bytes", 0, INT64_MAX, &mem_bytes));
    TRY(hex_read(view_text(salt_text), &salt));
    ENSURE(salt.len == PWHASH_SALT_BYTES, KS_E_FORMAT, "%s: the salt is too short", FILE_NAME);
    memcpy(ret->salt, salt.bytes, PWHASH_SALT_BYTES);
    ret->cost = (struct pwhash_cost){(uint64_t)ops, (uint64_t)mem_bytes};
    ENSURE(ret->source != FROM_PASSPHRASE || pwhash_cost_is_valid(ret->cost), KS_E_FORMAT,
           "%s: the cost of the passphrase is out of range", FILE_NAME);
    return ret->source == FROM_KEY ? parse_wrap(value, ret) : KS_SUCCESS;
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

static ks_rc check_source(const struct root_conf *conf, const struct root_file *file)
{
    ENSURE(file->source != FROM_KEY_FILE || conf->key_file, KS_E_USAGE,
           "%s opens with a key file; name it with --key-file", conf->dir);
    ENSURE(file->source == FROM_KEY_FILE || !conf->key_file, KS_E_USAGE,
           "%s opens with %s, not with a key file", conf->dir,
           file->source == FROM_KEY ? "a key at another service" : "a passphrase");
    return KS_SUCCESS;
}

static ks_rc derive(const struct root_conf *conf, const struct root_file *file, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *root = NULL;

    TRY(secret_new(ROOT_BYTES, &root));
    TRY(file->source == FROM_PASSPHRASE ? from_passphrase(conf, file, root)
                                        : from_key_file(conf, file, root));
    *ret = TAKE(root);
    return KS_SUCCESS;
}

/* ---- the key at another service ---- */

static ks_rc client_open(const struct root_conf *conf, const struct key_spec *spec,
                         struct kms_client **ret)
{
    struct kms_options options = {.random = conf->random,
                                  .passphrase = conf->passphrase,
                                  .passphrase_arg = conf->passphrase_arg};

    return kms_client_open(spec, &options, ret);
}

/* The wrap is bound to the directory that it was made for. */
static struct key_context context_of(const char *salt)
{
    return (struct key_context){2, {{"purpose", "key-service-root"}, {"state", salt}}};
}

static ks_rc wrap_new(const struct root_conf *conf, struct root_file *file, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *root = NULL;
    CLEANUP(kms_client_closep) struct kms_client *client = NULL;
    CLEANUP(buf_done) struct buf salt = buf_init(64);
    char version[KEY_VERSION_BYTES];

    file->spec = *conf->spec;
    TRY(hex_write(view_of(file->salt, sizeof file->salt), &salt));
    struct key_context context = context_of(buf_text(&salt));
    TRY(secret_new(ROOT_BYTES, &root));
    TRY(random_fill(conf->random, secret_bytes(root), ROOT_BYTES));
    TRY(client_open(conf, &file->spec, &client));
    TRY(kms_client_wrap(client, &context, root, &file->wrap, version));
    *ret = TAKE(root);
    return KS_SUCCESS;
}

static ks_rc unwrap(const struct root_conf *conf, const struct root_file *file, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *root = NULL;
    CLEANUP(kms_client_closep) struct kms_client *client = NULL;
    CLEANUP(buf_done) struct buf salt = buf_init(64);

    TRY(hex_write(view_of(file->salt, sizeof file->salt), &salt));
    struct key_context context = context_of(buf_text(&salt));
    TRY(client_open(conf, &file->spec, &client));
    TRY(kms_client_unwrap(client, &context, buf_view(&file->wrap), &root));
    ENSURE(secret_view(root).len == ROOT_BYTES, KS_E_FORMAT, "the root key has another length");
    *ret = TAKE(root);
    return KS_SUCCESS;
}

static ks_rc get(const struct root_conf *conf, const struct root_file *file, struct secret **ret)
{
    TRY(check_source(conf, file));
    return file->source == FROM_KEY ? unwrap(conf, file, ret) : derive(conf, file, ret);
}

/* A wrap that does not open again is found out before anything depends on it. */
static ks_rc wrap_and_check(const struct root_conf *conf, struct root_file *file,
                            struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *made = NULL, *opened = NULL;

    TRY(wrap_new(conf, file, &made));
    TRY(unwrap(conf, file, &opened));
    ENSURE(secret_is_equal(secret_view(made), secret_view(opened)), KS_E_WRONG_KEY,
           "the wrapped root key does not open again");
    *ret = TAKE(made);
    return KS_SUCCESS;
}

static enum root_source source_of(const struct root_conf *conf)
{
    if (conf->spec)
        return FROM_KEY;
    return conf->key_file ? FROM_KEY_FILE : FROM_PASSPHRASE;
}

ks_rc root_make(const struct root_conf *conf, struct secret **ret)
{
    CLEANUP(node_done) struct io_node *dir = NULL;
    CLEANUP(buf_done) struct buf there = buf_init(FILE_BYTES_MAX);
    struct pwhash_cost preset = pwhash_cost_default();
    CLEANUP(file_done)
    struct root_file file = {.source = source_of(conf), .wrap = buf_init(KEY_BLOB_MAX)};

    TRY(conf->io->ops->open_root(conf->io, conf->dir, &dir));
    ks_rc rc = atomic_file_read(conf->io, dir, FILE_NAME, FILE_BYTES_MAX, &there);
    ENSURE(!ks_ok(rc), KS_E_EXISTS, "%s is a state directory already", conf->dir);
    if (!ks_is_os(rc, ENOENT))
        return rc;
    if (file.source == FROM_PASSPHRASE)
        file.cost = (struct pwhash_cost){conf->pwhash_ops ? conf->pwhash_ops : preset.ops,
                                         conf->pwhash_mem_bytes ? conf->pwhash_mem_bytes
                                                                : preset.mem_bytes};
    TRY(random_fill(conf->random, file.salt, sizeof file.salt));
    if (conf->key_file)
        TRY(key_file_make(conf->io, conf->key_file, conf->random));
    TRY(file.source == FROM_KEY ? wrap_and_check(conf, &file, ret) : derive(conf, &file, ret));
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
    CLEANUP(file_done) struct root_file file = {.wrap = buf_init(KEY_BLOB_MAX)};

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
    return get(conf, &file, ret);
}
