/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/names.c - names in cipher, in place or in long/.
 */
#include "volume/names.h"

#include <pthread.h>
#include <sodium.h>

#include "base/mem.h"
#include "crypto/kdf.h"
#include "crypto/siv.h"
#include "io/atomic_file.h"

enum {
    BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING,
    DIGEST_TEXT_BYTES = 44, /* base64 of 32 bytes, with terminator */
    LONG_MARK = '~',
};

struct names {
    pthread_mutex_t storing; /* two that store the same record would share its temporary name */
    struct siv *siv;
    struct io *io;
    struct io_node *long_dir;
};

static struct view kind_aad(enum name_kind kind)
{
    static const char *const texts[] = {[NAME_ENTRY] = "keystead name v1",
                                        [NAME_TARGET] = "keystead target v1",
                                        [NAME_ATTRIBUTE] = "keystead attribute v1"};

    return view_text(texts[kind]);
}

static size_t plain_max(enum name_kind kind)
{
    return kind == NAME_TARGET ? TARGET_PLAIN_MAX : NAME_PLAIN_MAX;
}

ks_rc names_new(struct view key, struct io *io, struct io_node *long_dir, struct names **ret)
{
    CLEANUP(mem_freep) struct names *n = NULL;

    TRY(mem_new(1, sizeof *n, &n));
    TRY(siv_new(key, &n->siv));
    pthread_mutex_init(&n->storing, NULL);
    n->io = io;
    n->long_dir = long_dir;
    *ret = TAKE(n);
    return KS_SUCCESS;
}

void names_free(struct names *n)
{
    if (!n)
        return;
    siv_free(n->siv);
    pthread_mutex_destroy(&n->storing);
    mem_free(n);
}

static ks_rc digest_text(struct view sealed, char out[DIGEST_TEXT_BYTES])
{
    uint8_t digest[KDF_HASH_BYTES];

    TRY(kdf_hash(sealed, digest));
    sodium_bin2base64(out, DIGEST_TEXT_BYTES, digest, sizeof digest, BASE64);
    return KS_SUCCESS;
}

/* Nothing that can be read like a file, or more than was ever written. LIMIT as a code: as a class it is also want
 * of memory or descriptors. */
static bool is_no_record(ks_rc rc)
{
    return ks_is_os(rc, EISDIR) || ks_is_os(rc, ELOOP) || ks_is_os(rc, ENXIO) ||
           ks_is(rc, KS_E_LIMIT);
}

/* ENOENT when there is none. Whose digest is right has the right contents. */
static ks_rc read_record(struct names *n, const char *digest, struct buf *ret)
{
    char right[DIGEST_TEXT_BYTES];
    ks_rc rc = atomic_file_read(n->io, n->long_dir, digest, NAME_LONG_MAX, ret);

    ENSURE(!is_no_record(rc), KS_E_CORRUPT, "long name record %s is nothing that this volume wrote",
           digest);
    TRY(rc);
    TRY(digest_text(buf_view(ret), right));
    ENSURE(strcmp(right, digest) == 0, KS_E_CORRUPT, "long name record %s is damaged", digest);
    return KS_SUCCESS;
}

/* What there is must be what was to be written: nobody could open what would refer to it. It is not written over, since it
 * may be something else that somebody needs. */
static ks_rc store_long(struct names *n, const char *digest, struct view sealed)
{
    CLEANUP(buf_done) struct buf kept = buf_init(NAME_LONG_MAX);
    ks_rc rc = read_record(n, digest, &kept);

    if (!ks_is_os(rc, ENOENT))
        return rc;
    return atomic_file_write(n->io, n->long_dir, digest, 0600, sealed);
}

static ks_rc seal_long(struct names *n, struct view sealed, bool is_storing, struct buf *ret)
{
    char digest[DIGEST_TEXT_BYTES];

    TRY(digest_text(sealed, digest));
    if (is_storing) {
        pthread_mutex_lock(&n->storing);
        ks_rc rc = store_long(n, digest, sealed);
        pthread_mutex_unlock(&n->storing);
        TRY(rc);
    }
    return buf_printf(ret, "%c%s", LONG_MARK, digest);
}

ks_rc names_seal(struct names *n, enum name_kind kind, const char *plain, size_t max,
                 bool is_storing, struct buf *ret)
{
    size_t len = strlen(plain);
    uint8_t sealed[NAME_LONG_MAX];

    if (len == 0)
        return ks_os(ENOENT);
    if (len > plain_max(kind))
        return ks_os(ENAMETOOLONG);
    TRY(siv_seal(n->siv, kind_aad(kind), view_of(plain, len), sealed));
    size_t text_bytes = sodium_base64_encoded_len(len + SIV_TAG_BYTES, BASE64); /* with NUL */
    if (text_bytes - 1 > max)
        return seal_long(n, view_of(sealed, len + SIV_TAG_BYTES), is_storing, ret);
    uint8_t *tail;
    TRY(buf_extend(ret, text_bytes, &tail));
    sodium_bin2base64((char *)tail, text_bytes, sealed, len + SIV_TAG_BYTES, BASE64);
    ret->len--; /* the terminator is behind the contents, not in it */
    return KS_SUCCESS;
}

static ks_rc load_long(struct names *n, const char *digest, struct buf *ret)
{
    ENSURE(names_is_record(digest), KS_E_FORMAT, "not a name that this volume wrote");
    ks_rc rc = read_record(n, digest, ret);
    ENSURE(!ks_is_os(rc, ENOENT), KS_E_CORRUPT, "long name record %s is lost", digest);
    return rc;
}

bool names_is_record(const char *name)
{
    static const char base64url[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    return strlen(name) == DIGEST_TEXT_BYTES - 1 &&
           strspn(name, base64url) == DIGEST_TEXT_BYTES - 1;
}

ks_rc names_check_record(struct names *n, const char *name)
{
    CLEANUP(buf_done) struct buf sealed = buf_init(NAME_LONG_MAX);

    return load_long(n, name, &sealed);
}

static ks_rc decode(const char *text, struct buf *ret)
{
    size_t room = strlen(text), len = 0;
    uint8_t *tail;

    TRY(buf_extend(ret, room, &tail));
    int failed = sodium_base642bin(tail, room, text, room, NULL, &len, NULL, BASE64);
    ENSURE(!failed, KS_E_FORMAT, "not a name that this volume wrote");
    buf_cut(ret, ret->len - (room - len));
    return KS_SUCCESS;
}

ks_rc names_open(struct names *n, enum name_kind kind, const char *text, struct buf *ret)
{
    CLEANUP(buf_done) struct buf sealed = buf_init(2 * NAME_LONG_MAX);
    uint8_t *tail;

    if (text[0] == LONG_MARK)
        TRY(load_long(n, text + 1, &sealed));
    else
        TRY(decode(text, &sealed));
    ENSURE(sealed.len > SIV_TAG_BYTES, KS_E_FORMAT, "not a name that this volume wrote");
    size_t len = sealed.len - SIV_TAG_BYTES, before = ret->len;
    /* The record of a target may be longer than any name: that is damage where a name stands, not want of room. */
    ENSURE(len <= plain_max(kind), KS_E_FORMAT, "not a name that this volume wrote");
    TRY(buf_extend(ret, len, &tail));
    ks_rc rc = siv_open(n->siv, kind_aad(kind), buf_view(&sealed), tail);
    if (ks_ok(rc) && memchr(tail, 0, len))
        rc = ks_fail(KS_E_FORMAT, "a name holds a zero byte");
    if (!ks_ok(rc))
        ret->len = before;
    return rc;
}
