/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key/keyring_format.c - the keyring as bytes. docs/FORMAT.md, section "Keyring", is normative.
 *
 * Reader and writer stand side by side, field by field, and both hold a keyring against the same
 * rules (keyring_problem): what the writer lets through the reader takes, and nothing else.
 */
#include <string.h>

#include "base/codec.h"
#include "base/mem.h"
#include "base/secret.h"
#include "crypto/kdf.h"
#include "key/keyring.h"

#define KEYRING_MAGIC "KSKEYRNG"

enum {
    MAGIC_BYTES = 8,
    TIME_RESERVED_BYTES = 8,
    HEAD_RESERVED_BYTES = 24,
    RECORD_RESERVED_BYTES = 3,
    TAIL_BYTES = 2 * KEYRING_HASH_BYTES, /* mac, sum */
    SUITE_XAES = 1,
};

/* The end of the year 9999: a time that no clock of ours shows is a damaged field. */
#define TIME_LIMIT INT64_C(253402300799)

/* --- the rules ------------------------------------------------------------------------------ */

/* The UTF-8 sequences there are: lead byte, range of the second byte, length. Leaves out overlong
 * forms, surrogates and the C1 controls, which some terminals obey. */
static const struct utf8_form {
    uint8_t lead_min, lead_max, second_min, second_max, len;
} utf8_forms[] = {
    {0x20, 0x7e, 0, 0, 1},       {0xc2, 0xc2, 0xa0, 0xbf, 2}, {0xc3, 0xdf, 0x80, 0xbf, 2},
    {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
    {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
    {0xf4, 0xf4, 0x80, 0x8f, 4},
};

/* The length of the sequence at this place of a terminated text; 0 when it is none. */
static size_t utf8_length(const uint8_t *at)
{
    const struct utf8_form *f = utf8_forms;
    const struct utf8_form *end = f + sizeof utf8_forms / sizeof utf8_forms[0];

    while (f < end && (at[0] < f->lead_min || at[0] > f->lead_max))
        f++;
    if (f == end || (f->len > 1 && (at[1] < f->second_min || at[1] > f->second_max)))
        return 0;
    for (size_t i = 2; i < f->len; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return f->len;
}

/* Texts go to terminals and into JSON. */
static bool is_text(const char *text)
{
    const uint8_t *at = (const uint8_t *)text;

    for (size_t len; *at; at += len) {
        len = utf8_length(at);
        if (len == 0)
            return false;
    }
    return true;
}

static bool is_time(int64_t t)
{
    return t >= 0 && t <= TIME_LIMIT;
}

static bool is_type(const char *type)
{
    for (const char *at = type; *at; at++)
        if (!(*at >= 'A' && *at <= 'Z') && !(*at >= '0' && *at <= '9') && *at != '_')
            return false;
    return type[0] != 0;
}

static const char *wrap_problem(const struct keyring *k, const struct keyring_wrap *w)
{
    bool is_active = w->state == KEYRING_WRAP_ACTIVE;

    if (!is_active && w->state != KEYRING_WRAP_RETIRED)
        return "a wrap has an unknown state";
    if (!is_type(w->spec.type) || !w->spec.uri[0] || !is_text(w->spec.uri) ||
        !is_text(w->spec.auth_principal) || !is_text(w->key_version))
        return "a wrap names no proper key";
    if (!is_time(w->created_s) || !is_time(w->retired_s) || (is_active && w->retired_s))
        return "a wrap has an impossible time";
    if (w->store_key_id == 0 || w->store_key_id > k->store_key_id)
        return "a wrap is of an unknown store key";
    if (is_active && w->store_key_id != k->store_key_id)
        return "an active wrap is of an older store key";
    if (is_active != (w->blob_len > 0) || is_active != (w->canary_len > 0))
        return "a wrap has a ciphertext too many or too few";
    if (w->blob_len > KEY_BLOB_MAX || w->canary_len > KEY_BLOB_MAX)
        return "a wrap's ciphertext is too long";
    if (!is_active && !mem_is_zero(w->canary_hash, sizeof w->canary_hash))
        return "a retired wrap has a canary";
    return NULL;
}

static const char *wraps_problem(const struct keyring *k)
{
    size_t active = keyring_active_count(k);
    uint32_t last_id = 0;

    if (k->wrap_count > KEYRING_WRAPS_MAX || active > KEYRING_ACTIVE_MAX)
        return "too many wraps";
    if (active == 0)
        return "no active wrap: nothing could open the volume";
    for (size_t i = 0; i < k->wrap_count; i++) {
        const struct keyring_wrap *w = &k->wraps[i];
        const char *problem = wrap_problem(k, w);

        if (problem)
            return problem;
        if (w->id <= last_id)
            return "wraps are not in ascending order";
        last_id = w->id;
    }
    return k->next_wrap_id <= last_id ? "the next wrap's number is taken" : NULL;
}

static const char *data_key_problem(const struct keyring_data_key *d, bool is_last)
{
    bool is_destroyed = d->state == DATA_KEY_DESTROYED;

    if (is_last != (d->state == DATA_KEY_NEWEST))
        return "the last generation, and only that, must be the newest";
    if (!is_last && d->state != DATA_KEY_OLDER && !is_destroyed)
        return "a generation has an unknown state";
    if (!is_time(d->created_s) || !is_time(d->retired_s) || !is_time(d->destroyed_s))
        return "a generation has an impossible time";
    if (!is_destroyed && d->destroyed_s)
        return "a generation has a time of destruction and its key";
    if (is_destroyed != mem_is_zero(d->wrapped, sizeof d->wrapped))
        return "a generation has a key too many or too few";
    return NULL;
}

static const char *data_keys_problem(const struct keyring *k)
{
    uint32_t last_generation = 0;

    if (k->data_key_count == 0 || k->data_key_count > KEYRING_DATA_KEYS_MAX)
        return "too few or too many generations";
    for (size_t i = 0; i < k->data_key_count; i++) {
        const struct keyring_data_key *d = &k->data_keys[i];
        const char *problem = data_key_problem(d, i + 1 == k->data_key_count);

        if (problem)
            return problem;
        if (d->generation <= last_generation)
            return "generations are not in ascending order";
        last_generation = d->generation;
    }
    return NULL;
}

static const char *head_problem(const struct keyring *k)
{
    if (k->suite != SUITE_XAES)
        return "an unknown cipher suite";
    if (k->block_payload != 3584 && k->block_payload != 4032)
        return "an unknown block size";
    if (k->sequence == 0 || k->store_key_id == 0)
        return "a number is zero that never is";
    if (mem_is_zero(k->volume_id, sizeof k->volume_id))
        return "no volume id";
    if (!is_time(k->created_s) || !is_time(k->store_key_created_s))
        return "an impossible time";
    if (!is_text(k->label) || !is_text(k->organisation) || !is_text(k->cluster) ||
        !is_text(k->region))
        return "a text holds control characters or is not UTF-8";
    return ks_ok(keyring_settings_check(&k->settings)) ? NULL : "settings out of range";
}

const char *keyring_problem(const struct keyring *k)
{
    const char *problem = head_problem(k);

    if (!problem)
        problem = wraps_problem(k);
    return problem ? problem : data_keys_problem(k);
}

/* --- reading and writing, field by field ---------------------------------------------------- */

static void write_head(struct wr *w, const struct keyring *k)
{
    wr_bytes(w, view_text(KEYRING_MAGIC));
    wr_u16(w, KEYRING_VERSION);
    wr_u16(w, k->suite);
    wr_u32(w, k->block_payload);
    wr_bytes(w, view_of(k->volume_id, sizeof k->volume_id));
    wr_u64(w, k->sequence);
    wr_u64(w, (uint64_t)k->created_s);
    wr_zero(w, TIME_RESERVED_BYTES);
    wr_u32(w, k->settings.lease_ms_max);
    wr_u32(w, k->settings.probe_ms);
    wr_u32(w, k->settings.grace_ms);
    wr_u32(w, k->settings.data_rotation_s);
    wr_u64(w, (uint64_t)k->store_key_created_s);
    wr_u32(w, k->store_key_id);
    wr_u32(w, k->next_wrap_id);
    wr_bytes(w, view_of(k->store_commit, sizeof k->store_commit));
    wr_bytes(w, view_of(k->name_key, sizeof k->name_key));
    wr_u16(w, (uint16_t)k->wrap_count);
    wr_u16(w, (uint16_t)k->data_key_count);
    wr_zero(w, HEAD_RESERVED_BYTES);
    wr_text16(w, k->label);
    wr_text16(w, k->organisation);
    wr_text16(w, k->cluster);
    wr_text16(w, k->region);
}

/* Magic and version are read before, by check_version. */
static void read_head(struct rd *r, struct keyring *k)
{
    rd_view(r, MAGIC_BYTES + 2);
    k->suite = rd_u16(r);
    k->block_payload = rd_u32(r);
    rd_bytes(r, k->volume_id, sizeof k->volume_id);
    k->sequence = rd_u64(r);
    k->created_s = (int64_t)rd_u64(r);
    rd_zero(r, TIME_RESERVED_BYTES);
    k->settings.lease_ms_max = rd_u32(r);
    k->settings.probe_ms = rd_u32(r);
    k->settings.grace_ms = rd_u32(r);
    k->settings.data_rotation_s = rd_u32(r);
    k->store_key_created_s = (int64_t)rd_u64(r);
    k->store_key_id = rd_u32(r);
    k->next_wrap_id = rd_u32(r);
    rd_bytes(r, k->store_commit, sizeof k->store_commit);
    rd_bytes(r, k->name_key, sizeof k->name_key);
}

/* The counts are checked here, because they say how much memory is asked for. */
static void read_head_rest(struct rd *r, struct keyring *k, size_t *ret_wraps,
                           size_t *ret_data_keys)
{
    *ret_wraps = rd_u16(r);
    *ret_data_keys = rd_u16(r);
    rd_expect(r, *ret_wraps <= KEYRING_WRAPS_MAX, "too many wraps");
    rd_expect(r, *ret_data_keys <= KEYRING_DATA_KEYS_MAX, "too many generations");
    rd_zero(r, HEAD_RESERVED_BYTES);
    rd_text16(r, k->label, sizeof k->label);
    rd_text16(r, k->organisation, sizeof k->organisation);
    rd_text16(r, k->cluster, sizeof k->cluster);
    rd_text16(r, k->region, sizeof k->region);
}

static void write_wrap(struct wr *w, const struct keyring_wrap *wrap)
{
    wr_u32(w, wrap->id);
    wr_u8(w, (uint8_t)wrap->state);
    wr_zero(w, RECORD_RESERVED_BYTES);
    wr_u32(w, wrap->store_key_id);
    wr_u64(w, (uint64_t)wrap->created_s);
    wr_u64(w, (uint64_t)wrap->retired_s);
    wr_bytes(w, view_of(wrap->canary_hash, sizeof wrap->canary_hash));
    wr_text16(w, wrap->spec.type);
    wr_text16(w, wrap->spec.uri);
    wr_text16(w, wrap->spec.auth_principal);
    wr_text16(w, wrap->key_version);
    wr_blob16(w, view_of(wrap->blob, wrap->blob_len));
    wr_blob16(w, view_of(wrap->canary_blob, wrap->canary_len));
}

static ks_rc read_wrap(struct rd *r, struct keyring *k)
{
    struct keyring_wrap *wrap;

    k->next_wrap_id = 1; /* read_all puts the right one back: the ids come from the bytes */
    TRY(keyring_add_wrap(k, &wrap));
    wrap->id = rd_u32(r);
    wrap->state = (enum keyring_wrap_state)rd_u8(r);
    rd_zero(r, RECORD_RESERVED_BYTES);
    wrap->store_key_id = rd_u32(r);
    wrap->created_s = (int64_t)rd_u64(r);
    wrap->retired_s = (int64_t)rd_u64(r);
    rd_bytes(r, wrap->canary_hash, sizeof wrap->canary_hash);
    rd_text16(r, wrap->spec.type, sizeof wrap->spec.type);
    rd_text16(r, wrap->spec.uri, sizeof wrap->spec.uri);
    rd_text16(r, wrap->spec.auth_principal, sizeof wrap->spec.auth_principal);
    rd_text16(r, wrap->key_version, sizeof wrap->key_version);
    struct view blob = rd_blob16(r, KEY_BLOB_MAX);
    struct view canary = rd_blob16(r, KEY_BLOB_MAX);
    return keyring_wrap_set(wrap, blob, canary);
}

static void write_data_key(struct wr *w, const struct keyring_data_key *d)
{
    wr_u32(w, d->generation);
    wr_u8(w, (uint8_t)d->state);
    wr_zero(w, RECORD_RESERVED_BYTES);
    wr_u64(w, (uint64_t)d->created_s);
    wr_u64(w, (uint64_t)d->retired_s);
    wr_u64(w, (uint64_t)d->destroyed_s);
    wr_bytes(w, view_of(d->wrapped, sizeof d->wrapped));
}

static void read_data_key(struct rd *r, struct keyring_data_key *d)
{
    d->generation = rd_u32(r);
    d->state = (enum keyring_data_key_state)rd_u8(r);
    rd_zero(r, RECORD_RESERVED_BYTES);
    d->created_s = (int64_t)rd_u64(r);
    d->retired_s = (int64_t)rd_u64(r);
    d->destroyed_s = (int64_t)rd_u64(r);
    rd_bytes(r, d->wrapped, sizeof d->wrapped);
}

static ks_rc read_data_keys(struct rd *r, struct keyring *k, size_t count)
{
    TRY(mem_new(count, sizeof *k->data_keys, &k->data_keys));
    k->data_key_count = count;
    for (size_t i = 0; i < count && rd_ok(r); i++)
        read_data_key(r, &k->data_keys[i]);
    return KS_SUCCESS;
}

static ks_rc read_all(struct rd *r, struct keyring *k)
{
    size_t wraps, data_keys;

    read_head(r, k);
    uint32_t next_wrap_id = k->next_wrap_id;
    read_head_rest(r, k, &wraps, &data_keys);
    for (size_t i = 0; i < wraps && rd_ok(r); i++)
        TRY(read_wrap(r, k));
    k->next_wrap_id = next_wrap_id;
    if (rd_ok(r))
        TRY(read_data_keys(r, k, data_keys));
    rd_bytes(r, k->mac, sizeof k->mac);
    return KS_SUCCESS;
}

/* --- whole keyrings ------------------------------------------------------------------------- */

/* Before anything else, so that a newer format is told as such and not as damage. */
static ks_rc check_version(struct view in)
{
    struct rd r = rd_init(in);

    rd_magic(&r, KEYRING_MAGIC);
    uint16_t version = rd_u16(&r);
    rd_expect(&r, version != 0, "version zero");
    ENSURE(rd_ok(&r), KS_E_FORMAT, "the keyring %s", r.problem);
    ENSURE(version <= KEYRING_VERSION, KS_E_NEWER_VERSION,
           "the keyring has format version %u, this program knows up to %d; use a newer keystead",
           version, KEYRING_VERSION);
    return KS_SUCCESS;
}

bool keyring_is_whole(struct view in)
{
    uint8_t sum[KDF_HASH_BYTES];

    if (in.len <= TAIL_BYTES)
        return false;
    size_t summed = in.len - KEYRING_HASH_BYTES;
    return ks_ok(kdf_hash(view_of(in.bytes, summed), sum)) &&
           memcmp(sum, in.bytes + summed, sizeof sum) == 0;
}

ks_rc keyring_parse(struct view in, struct keyring **ret)
{
    CLEANUP(keyring_freep) struct keyring *k = NULL;

    ENSURE(in.len <= KEYRING_BYTES_MAX, KS_E_LIMIT, "a keyring of %zu bytes; at most %d", in.len,
           KEYRING_BYTES_MAX);
    TRY(check_version(in));
    ENSURE(keyring_is_whole(in), KS_E_CORRUPT, "the keyring's sum is wrong: it is damaged");
    struct rd r = rd_init(view_of(in.bytes, in.len - KEYRING_HASH_BYTES));
    TRY(keyring_new(&k));
    TRY(read_all(&r, k));
    TRY(ks_wrap(rd_done(&r), "the keyring is malformed"));
    const char *problem = keyring_problem(k);
    ENSURE(!problem, KS_E_FORMAT, "the keyring is malformed: %s", problem);
    *ret = TAKE(k);
    return KS_SUCCESS;
}

static ks_rc append_tail(struct view mac_key, struct buf *out)
{
    uint8_t mac[KDF_HASH_BYTES], sum[KDF_HASH_BYTES];

    TRY(kdf_mac(mac_key, buf_view(out), mac));
    TRY(buf_append(out, view_of(mac, sizeof mac)));
    TRY(kdf_hash(buf_view(out), sum));
    return buf_append(out, view_of(sum, sizeof sum));
}

ks_rc keyring_write(const struct keyring *k, struct view mac_key, struct buf *ret)
{
    CLEANUP(buf_done) struct buf out = buf_init(KEYRING_BYTES_MAX);
    const char *problem = keyring_problem(k);

    ENSURE(!problem, KS_E_USAGE, "this keyring cannot be written: %s", problem);
    struct wr w = wr_init(&out);
    write_head(&w, k);
    for (size_t i = 0; i < k->wrap_count; i++)
        write_wrap(&w, &k->wraps[i]);
    for (size_t i = 0; i < k->data_key_count; i++)
        write_data_key(&w, &k->data_keys[i]);
    TRY(wr_done(&w));
    TRY(append_tail(mac_key, &out));
    return buf_append(ret, buf_view(&out));
}

ks_rc keyring_check_mac(struct view in, struct view mac_key)
{
    uint8_t mac[KDF_HASH_BYTES];

    ENSURE(in.len > TAIL_BYTES, KS_E_FORMAT, "the keyring is too short for a mac");
    size_t covered = in.len - TAIL_BYTES;
    TRY(kdf_mac(mac_key, view_of(in.bytes, covered), mac));
    ENSURE(secret_is_equal(view_of(mac, sizeof mac), view_of(in.bytes + covered, sizeof mac)),
           KS_E_AUTH, "the keyring was changed by somebody who does not have its key");
    return KS_SUCCESS;
}
