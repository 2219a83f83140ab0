/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/file_use.c - wrapping and unwrapping with the keys of a file key store.
 *
 * Invariants: a key is used in state ENABLED only; its material is in clear only for the length of
 * one call. Takes no lock: records are replaced whole.
 */
#include <string.h>

#include "base/codec.h"
#include "base/mem.h"
#include "kms/file_session.h"

enum { BLOB_VERSION = 1, BLOB_HEAD = 1 + FILE_KEY_ID_BYTES + 4 };

static ks_rc check_usable(const struct file_store *s, const struct file_record *r)
{
    char when[CLOCK_TEXT_BYTES];

    switch (file_record_state(r, s->clock)) {
    case FILE_KEY_ENABLED:
        return KS_SUCCESS;
    case FILE_KEY_DISABLED:
        return ks_fail(KS_E_KEY_DISABLED,
                       "key %s in %.120s is disabled; enable it with: keystead kms key enable %s "
                       "--store %.120s%s%.120s",
                       r->name, s->path, r->name, s->path, store_option(s), store_option_value(s));
    case FILE_KEY_PENDING_DELETION:
        clock_format(r->deletion_s, when);
        return ks_fail(KS_E_KEY_PENDING_DELETION,
                       "key %s in %.100s will be destroyed at %s; keep it with: keystead kms key "
                       "cancel-deletion %s --store %.100s%s%.100s",
                       r->name, s->path, when, r->name, s->path, store_option(s),
                       store_option_value(s));
    case FILE_KEY_DESTROYED:
        return ks_fail(KS_E_KEY_DESTROYED,
                       "key %s in %.200s is destroyed; what it wrapped cannot be opened any more",
                       r->name, s->path);
    }
    return ks_fail(KS_E_BUG, "a state that does not exist");
}

/* A usable key: its record in an open session. */
static ks_rc begin_use(struct file_store *s, const char *name, struct file_session *f,
                       struct file_record **ret)
{
    CLEANUP(file_record_freep) struct file_record *r = NULL;

    TRY(file_name_check(name));
    TRY(session_begin(s, f));
    TRY(session_load(f, name, &r));
    TRY(check_usable(s, r));
    *ret = TAKE(r);
    return KS_SUCCESS;
}

static ks_rc open_material(struct file_session *f, const struct file_record *r, uint32_t version,
                           struct secret **ret)
{
    struct material_aad aad;

    return ks_wrap(keywrap_open(session_wrap_key(f), material_aad(r, version, &aad),
                                view_of(r->versions[version - 1].wrapped, FILE_WRAPPED_BYTES), ret),
                   "material of key %s version %u", r->name, version);
}

/* What a ciphertext is bound to: its own head (format, key, version) and the caller's context. */
static ks_rc blob_aad(struct view head, struct view aad, struct buf *ret)
{
    TRY(buf_append(ret, head));
    return buf_append(ret, aad);
}

/* Ciphertext: format 1 | key id 16 | key version 4 | wrapped plaintext. */
ks_rc file_store_wrap(struct file_store *s, const char *name, struct view aad,
                      const struct secret *plain, struct buf *ret_blob, uint32_t *ret_version)
{
    CLEANUP(session_end) struct file_session f = {.store = NULL};
    CLEANUP(file_record_freep) struct file_record *r = NULL;
    CLEANUP(secret_freep) struct secret *material = NULL;
    CLEANUP(buf_done) struct buf blob = buf_init(KEY_BLOB_MAX), bound = buf_init(2 * KEY_BLOB_MAX);
    struct view pt = secret_view(plain);
    struct wr w = wr_init(&blob);
    uint8_t *tail;

    ENSURE(pt.len >= 1 && pt.len <= KEY_PLAIN_MAX, KS_E_USAGE, "%zu bytes; a key wraps 1 to %d",
           pt.len, KEY_PLAIN_MAX);
    TRY(begin_use(s, name, &f, &r));
    TRY(open_material(&f, r, r->version_count, &material));
    wr_u8(&w, BLOB_VERSION);
    wr_bytes(&w, view_of(r->id, sizeof r->id));
    wr_u32(&w, r->version_count);
    TRY(wr_done(&w));
    TRY(blob_aad(buf_view(&blob), aad, &bound));
    TRY(buf_extend(&blob, keywrap_bytes(pt.len), &tail));
    TRY(keywrap_seal(secret_view(material), buf_view(&bound), pt, s->random, tail));
    TRY(buf_append(ret_blob, buf_view(&blob)));
    *ret_version = r->version_count;
    return KS_SUCCESS;
}

static ks_rc read_head(const struct file_record *r, struct view blob, uint32_t *ret_version)
{
    struct rd in = rd_init(blob);
    uint8_t format = rd_u8(&in);
    struct view id = rd_view(&in, FILE_KEY_ID_BYTES);
    uint32_t version = rd_u32(&in);

    ENSURE(rd_ok(&in) && format != 0, KS_E_FORMAT, "is no ciphertext of a file key store");
    ENSURE(format == BLOB_VERSION, KS_E_NEWER_VERSION,
           "the ciphertext has format %u, written by a newer version of keystead", format);
    ENSURE(view_is_equal(id, view_of(r->id, sizeof r->id)), KS_E_WRONG_KEY,
           "the ciphertext belongs to another key than %s", r->name);
    ENSURE(version >= 1 && version <= r->version_count, KS_E_WRONG_KEY,
           "the ciphertext names version %u of key %s, which has %u; was the store restored from "
           "an old backup?",
           version, r->name, r->version_count);
    *ret_version = version;
    return KS_SUCCESS;
}

ks_rc file_store_unwrap(struct file_store *s, const char *name, struct view aad, struct view blob,
                        struct secret **ret_plain)
{
    CLEANUP(session_end) struct file_session f = {.store = NULL};
    CLEANUP(file_record_freep) struct file_record *r = NULL;
    CLEANUP(secret_freep) struct secret *material = NULL;
    CLEANUP(buf_done) struct buf bound = buf_init(2 * KEY_BLOB_MAX);
    uint32_t version;

    TRY(begin_use(s, name, &f, &r));
    TRY(read_head(r, blob, &version));
    TRY(open_material(&f, r, version, &material));
    TRY(blob_aad(view_of(blob.bytes, BLOB_HEAD), aad, &bound));
    return ks_wrap(keywrap_open(secret_view(material), buf_view(&bound),
                                view_of(blob.bytes + BLOB_HEAD, blob.len - BLOB_HEAD), ret_plain),
                   "a ciphertext of key %s", r->name);
}

ks_rc file_store_version(struct file_store *s, const char *name, uint32_t *ret_version)
{
    CLEANUP(session_end) struct file_session f = {.store = NULL};
    CLEANUP(file_record_freep) struct file_record *r = NULL;

    TRY(begin_use(s, name, &f, &r));
    *ret_version = r->version_count;
    return KS_SUCCESS;
}
