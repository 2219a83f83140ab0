/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/file_record.c - the two records of a file key store, as bytes.
 *
 * Root: "KSFS" | version 2 | kdf 2 | id 16 | created 8 | ops 8 | memory 8 | salt 16 | commitment 32
 *       | SHA-256 of all before 32
 * Key:  "KSFK" | version 2 | state 2 | name 2+n | id 16 | created 8 | changed 8 | deletion 8
 *       | count 4 | count times (created 8, wrapped 104) | HMAC-SHA-256 of all before 32
 * Does no I/O and holds no key in clear.
 */
#include "kms/file_record.h"

#include <string.h>

#include "base/codec.h"
#include "base/mem.h"
#include "crypto/kdf.h"

static const char ROOT_MAGIC[] = "KSFS", KEY_MAGIC[] = "KSFK";
static const char ROOT_INFO[] = "keystead file store root v1";

/* A newer record must be told as such before anything else in it is looked at. */
static ks_rc check_version(struct view in, const char *magic, uint16_t known)
{
    struct rd r = rd_init(in);

    rd_magic(&r, magic);
    uint16_t version = rd_u16(&r);
    if (rd_ok(&r) && version > known)
        return ks_fail(KS_E_NEWER_VERSION,
                       "is of format version %u, written by a newer version of keystead; this one "
                       "knows %u",
                       version, known);
    return KS_SUCCESS;
}

static bool is_root_sane(const struct file_root *r)
{
    switch (r->kdf) {
    case FILE_KDF_KEY_FILE:
        return r->cost.ops == 0 && r->cost.mem_bytes == 0;
    case FILE_KDF_PASSPHRASE:
        return pwhash_cost_is_valid(r->cost);
    }
    return false;
}

ks_rc file_root_parse(struct view in, struct file_root *ret)
{
    uint8_t sum[KDF_HASH_BYTES], found[KDF_HASH_BYTES];
    struct file_root root = {.kdf = 0};
    struct rd r = rd_init(in);

    TRY(check_version(in, ROOT_MAGIC, FILE_ROOT_VERSION));
    rd_magic(&r, ROOT_MAGIC);
    rd_expect(&r, rd_u16(&r) == FILE_ROOT_VERSION, "has an unknown version");
    root.kdf = (enum file_kdf)rd_u16(&r);
    rd_bytes(&r, root.id, sizeof root.id);
    root.created_s = (int64_t)rd_u64(&r);
    root.cost.ops = rd_u64(&r);
    root.cost.mem_bytes = rd_u64(&r);
    rd_bytes(&r, root.salt, sizeof root.salt);
    rd_bytes(&r, root.commitment, sizeof root.commitment);
    size_t summed = r.at;
    rd_bytes(&r, found, sizeof found);
    rd_expect(&r, is_root_sane(&root), "asks for a key derivation that is not allowed");
    TRY(rd_done(&r));
    TRY(kdf_hash(view_of(in.bytes, summed), sum));
    ENSURE(memcmp(sum, found, sizeof sum) == 0, KS_E_FORMAT, "is damaged: its sum is wrong");
    *ret = root;
    return KS_SUCCESS;
}

/* What stands before the commitment, which is just what the commitment binds. */
static void write_root_fields(struct wr *w, const struct file_root *r)
{
    wr_bytes(w, view_text(ROOT_MAGIC));
    wr_u16(w, FILE_ROOT_VERSION);
    wr_u16(w, (uint16_t)r->kdf);
    wr_bytes(w, view_of(r->id, sizeof r->id));
    wr_u64(w, (uint64_t)r->created_s);
    wr_u64(w, r->cost.ops);
    wr_u64(w, r->cost.mem_bytes);
    wr_bytes(w, view_of(r->salt, sizeof r->salt));
}

ks_rc file_root_write(const struct file_root *r, struct buf *ret)
{
    uint8_t sum[KDF_HASH_BYTES];
    size_t start = ret->len;
    struct wr w = wr_init(ret);

    write_root_fields(&w, r);
    wr_bytes(&w, view_of(r->commitment, sizeof r->commitment));
    TRY(wr_done(&w));
    TRY(kdf_hash(view_of(ret->bytes + start, ret->len - start), sum));
    return buf_append(ret, view_of(sum, sizeof sum));
}

ks_rc file_root_commit(const struct file_root *r, struct view root_key,
                       uint8_t ret[KEYWRAP_COMMIT_BYTES])
{
    CLEANUP(buf_done) struct buf info = buf_init(FILE_ROOT_MAX);
    struct wr w = wr_init(&info);

    wr_text16(&w, ROOT_INFO);
    write_root_fields(&w, r);
    TRY(wr_done(&w));
    return keywrap_commit(root_key, buf_view(&info), ret);
}

ks_rc file_name_check(const char *name)
{
    size_t len = strlen(name);
    size_t good = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");

    ENSURE(len >= 1 && len <= FILE_STORE_NAME_BYTES && good == len && !strchr("._-", name[0]),
           KS_E_USAGE,
           "\"%.80s\" is no name for a key: it has 1 to %d of the characters a-z 0-9 . _ - and "
           "begins with a letter or digit, e.g. orders-2026",
           name, FILE_STORE_NAME_BYTES);
    return KS_SUCCESS;
}

/* State and versions must agree: a destroyed key has no material, any other has. */
static bool is_material_sane(const struct file_record *r)
{
    for (uint32_t i = 0; i < r->version_count; i++) {
        bool is_gone = mem_is_zero(r->versions[i].wrapped, FILE_WRAPPED_BYTES);
        if (is_gone != (r->state == FILE_KEY_DESTROYED))
            return false;
    }
    return true;
}

static void read_versions(struct rd *r, struct file_record *record)
{
    for (uint32_t i = 0; i < record->version_count; i++) {
        record->versions[i].created_s = (int64_t)rd_u64(r);
        rd_bytes(r, record->versions[i].wrapped, FILE_WRAPPED_BYTES);
    }
    rd_expect(r, is_material_sane(record), "holds material that does not fit its state");
}

static uint32_t read_head(struct rd *r, struct file_record *record)
{
    rd_magic(r, KEY_MAGIC);
    rd_expect(r, rd_u16(r) == FILE_KEY_VERSION, "has an unknown version");
    record->state = (enum file_key_state)rd_u16(r);
    rd_expect(r, record->state >= FILE_KEY_ENABLED && record->state <= FILE_KEY_DESTROYED,
              "has an unknown state");
    rd_text16(r, record->name, sizeof record->name);
    rd_bytes(r, record->id, sizeof record->id);
    record->created_s = (int64_t)rd_u64(r);
    record->changed_s = (int64_t)rd_u64(r);
    record->deletion_s = (int64_t)rd_u64(r);
    rd_expect(r, (record->deletion_s != 0) == (record->state == FILE_KEY_PENDING_DELETION),
              "has a time of deletion that does not fit its state");
    uint32_t count = rd_u32(r);
    rd_expect(r, count >= 1 && count <= FILE_STORE_VERSIONS_MAX, "has too many or no versions");
    return rd_ok(r) ? count : 0;
}

ks_rc file_record_parse(struct view in, struct file_record **ret)
{
    CLEANUP(file_record_freep) struct file_record *record = NULL;
    struct rd r = rd_init(in);

    TRY(check_version(in, KEY_MAGIC, FILE_KEY_VERSION));
    TRY(mem_new(1, sizeof *record, &record));
    uint32_t count = read_head(&r, record);
    TRY(mem_new(count, sizeof *record->versions, &record->versions));
    record->version_count = count;
    read_versions(&r, record);
    rd_view(&r, FILE_MAC_BYTES);
    TRY(rd_done(&r));
    TRY(ks_is(file_name_check(record->name), KS_E_USAGE)
            ? ks_fail(KS_E_FORMAT, "holds a name that no key can have")
            : KS_SUCCESS);
    *ret = TAKE(record);
    return KS_SUCCESS;
}

ks_rc file_record_check_mac(struct view in, struct view mac_key)
{
    uint8_t mac[KDF_HASH_BYTES];

    ENSURE(in.len >= FILE_MAC_BYTES, KS_E_FORMAT, "is too short");
    struct view body = view_of(in.bytes, in.len - FILE_MAC_BYTES);
    TRY(kdf_mac(mac_key, body, mac));
    ENSURE(secret_is_equal(view_of(mac, sizeof mac), view_of(in.bytes + body.len, FILE_MAC_BYTES)),
           KS_E_AUTH, "fails authentication: damaged or tampered with");
    return KS_SUCCESS;
}

ks_rc file_record_write(const struct file_record *r, struct view mac_key, struct buf *ret)
{
    uint8_t mac[KDF_HASH_BYTES];
    size_t start = ret->len;
    struct wr w = wr_init(ret);

    wr_bytes(&w, view_text(KEY_MAGIC));
    wr_u16(&w, FILE_KEY_VERSION);
    wr_u16(&w, (uint16_t)r->state);
    wr_text16(&w, r->name);
    wr_bytes(&w, view_of(r->id, sizeof r->id));
    wr_u64(&w, (uint64_t)r->created_s);
    wr_u64(&w, (uint64_t)r->changed_s);
    wr_u64(&w, (uint64_t)r->deletion_s);
    wr_u32(&w, r->version_count);
    for (uint32_t i = 0; i < r->version_count; i++) {
        wr_u64(&w, (uint64_t)r->versions[i].created_s);
        wr_bytes(&w, view_of(r->versions[i].wrapped, FILE_WRAPPED_BYTES));
    }
    TRY(wr_done(&w));
    TRY(kdf_mac(mac_key, view_of(ret->bytes + start, ret->len - start), mac));
    return buf_append(ret, view_of(mac, sizeof mac));
}

ks_rc file_record_add(struct file_record *r, struct file_version **ret)
{
    ENSURE(r->version_count < FILE_STORE_VERSIONS_MAX, KS_E_LIMIT,
           "key %s has %d versions, the most there may be; create a new key", r->name,
           FILE_STORE_VERSIONS_MAX);
    TRY(mem_grow(r->version_count + 1, sizeof *r->versions, &r->versions));
    struct file_version *v = &r->versions[r->version_count++];
    memset(v, 0, sizeof *v);
    *ret = v;
    return KS_SUCCESS;
}

void file_record_free(struct file_record *r)
{
    if (!r)
        return;
    mem_free(r->versions);
    mem_free(r);
}

void file_record_freep(struct file_record **r)
{
    file_record_free(*r);
}
