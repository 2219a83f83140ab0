/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/p11_key.c - finding AES keys in a token.
 *
 * Everything that a module says is bounded before it is used. What a key may do is read from its attributes each
 * time, so that a key whose use was switched off is noticed with the next call.
 */
#include "kms/p11_key.h"

#include <stdlib.h>

#include "base/mem.h"

/* CKM_AES_KEY_WRAP_KWP of v3.0 has no name in p11-kit's header. */
enum { MECHANISM_KWP = 0x210b };

struct way {
    enum p11_way way;
    CK_MECHANISM_TYPE mechanism;
    CK_FLAGS flags; /* that the token's mechanism needs */
};

static const struct way ways[] = {
    {P11_WAY_GCM, CKM_AES_GCM, CKF_ENCRYPT | CKF_DECRYPT},
    {P11_WAY_KWP, MECHANISM_KWP, CKF_WRAP | CKF_UNWRAP},
    {P11_WAY_PAD, CKM_AES_KEY_WRAP_PAD, CKF_WRAP | CKF_UNWRAP},
    {P11_WAY_WRAP, CKM_AES_KEY_WRAP, CKF_WRAP | CKF_UNWRAP},
};

static bool is_allowed(const struct p11_key *key, const struct way *way)
{
    return way->flags & CKF_ENCRYPT ? key->may_encrypt && key->may_decrypt
                                    : key->may_wrap && key->may_unwrap;
}

static bool has_mechanism(struct p11_session *s, const struct way *way)
{
    CK_MECHANISM_INFO info = {.flags = 0};

    /* A mechanism that is not there is one that is not used. */
    return s->f->C_GetMechanismInfo(s->slot, way->mechanism, &info) == CKR_OK &&
           (info.flags & way->flags) == way->flags;
}

ks_rc p11_key_way(struct p11_session *s, const struct p11_key *key, enum p11_way *ret)
{
    bool is_any_allowed = false;

    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        if (!is_allowed(key, &ways[i]))
            continue;
        is_any_allowed = true;
        if (!has_mechanism(s, &ways[i]))
            continue;
        *ret = ways[i].way;
        return KS_SUCCESS;
    }
    ENSURE(is_any_allowed, KS_E_KEY_DISABLED,
           "the key's attributes allow neither CKA_ENCRYPT with CKA_DECRYPT nor CKA_WRAP with "
           "CKA_UNWRAP");
    return ks_fail(KS_E_USAGE,
                   "the token %s has neither CKM_AES_GCM nor CKM_AES_KEY_WRAP for what the "
                   "attributes of the key allow",
                   s->token->name);
}

/* --- finding --- */

static void add_attribute(CK_ATTRIBUTE *template, CK_ULONG *count, P11KitUri *uri,
                          CK_ATTRIBUTE_TYPE type)
{
    const CK_ATTRIBUTE *wanted = p11_kit_uri_get_attribute(uri, type);

    if (wanted)
        template[(*count)++] = *wanted;
}

static ks_rc find_handles(struct p11_session *s, CK_OBJECT_HANDLE handles[P11_KEYS_MAX + 1],
                          CK_ULONG *ret_count)
{
    CK_OBJECT_CLASS cls = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_BBOOL is_token = CK_TRUE;
    CK_ATTRIBUTE template[5] = {{CKA_CLASS, &cls, sizeof cls},
                                {CKA_KEY_TYPE, &type, sizeof type},
                                {CKA_TOKEN, &is_token, sizeof is_token}};
    CK_ULONG count = 3;

    add_attribute(template, &count, s->token->uri, CKA_LABEL);
    add_attribute(template, &count, s->token->uri, CKA_ID);
    TRY(p11_check(s, s->f->C_FindObjectsInit(s->handle, template, count), "C_FindObjectsInit"));
    CK_ULONG found = 0;
    ks_rc rc = p11_check(s, s->f->C_FindObjects(s->handle, handles, P11_KEYS_MAX + 1, &found),
                         "C_FindObjects");
    CK_RV end = s->f->C_FindObjectsFinal(s->handle);
    TRY(rc);
    TRY(p11_check(s, end, "C_FindObjectsFinal"));
    ENSURE(found <= P11_KEYS_MAX, KS_E_USAGE,
           "more than %d keys in token %s match; name one with id=", P11_KEYS_MAX, s->token->name);
    *ret_count = found;
    return KS_SUCCESS;
}

static bool is_about_one_attribute(CK_RV rv)
{
    return rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_SENSITIVE ||
           rv == CKR_BUFFER_TOO_SMALL;
}

static bool has_length(const CK_ATTRIBUTE *a, CK_ULONG max)
{
    return a->ulValueLen != CK_UNAVAILABLE_INFORMATION && a->ulValueLen <= max;
}

static ks_rc read_key(struct p11_session *s, CK_OBJECT_HANDLE handle, struct p11_key *ret)
{
    CK_BBOOL may[4] = {CK_FALSE, CK_FALSE, CK_FALSE, CK_FALSE};
    struct p11_key k = {.handle = handle};
    CK_ATTRIBUTE a[] = {{CKA_ID, k.id, sizeof k.id}, {CKA_LABEL, k.label, sizeof k.label},
                        {CKA_ENCRYPT, &may[0], 1},   {CKA_DECRYPT, &may[1], 1},
                        {CKA_WRAP, &may[2], 1},      {CKA_UNWRAP, &may[3], 1}};
    CK_RV rv = s->f->C_GetAttributeValue(s->handle, handle, a, sizeof a / sizeof a[0]);

    if (!is_about_one_attribute(rv))
        TRY(p11_check(s, rv, "C_GetAttributeValue"));
    ENSURE(has_length(&a[0], sizeof k.id) && has_length(&a[1], sizeof k.label), KS_E_USAGE,
           "a key in token %s has an id of more than %d or a label of more than %d bytes",
           s->token->name, P11_ID_BYTES, P11_LABEL_BYTES);
    k.id_len = a[0].ulValueLen;
    k.label_len = a[1].ulValueLen;
    k.may_encrypt = has_length(&a[2], 1) && may[0];
    k.may_decrypt = has_length(&a[3], 1) && may[1];
    k.may_wrap = has_length(&a[4], 1) && may[2];
    k.may_unwrap = has_length(&a[5], 1) && may[3];
    *ret = k;
    return KS_SUCCESS;
}

static struct view number(const struct p11_key *k)
{
    size_t zeros = 0;

    while (zeros < k->id_len && k->id[zeros] == 0)
        zeros++;
    return view_of(k->id + zeros, k->id_len - zeros);
}

/* The highest id first; for qsort. */
static int compare(const void *a, const void *b)
{
    struct view x = number(a), y = number(b);

    if (x.len != y.len)
        return x.len < y.len ? 1 : -1;
    return x.len ? memcmp(y.bytes, x.bytes, x.len) : 0;
}

ks_rc p11_key_find(struct p11_session *s, struct p11_keys *ret)
{
    CK_OBJECT_HANDLE handles[P11_KEYS_MAX + 1];
    CK_ULONG count;

    TRY(find_handles(s, handles, &count));
    ENSURE(
        count > 0, KS_E_KEY_NOT_FOUND,
        "the token %s has no such AES key; make one with: pkcs11-tool --login --keygen --key-type "
        "AES:32 --label LABEL --id 01",
        s->token->name);
    for (CK_ULONG i = 0; i < count; i++)
        TRY(read_key(s, handles[i], &ret->keys[i]));
    qsort(ret->keys, count, sizeof ret->keys[0], compare);
    for (CK_ULONG i = 1; i < count; i++)
        ENSURE(compare(&ret->keys[i - 1], &ret->keys[i]) != 0, KS_E_USAGE,
               "two keys in token %s have the same label and id; give each version its own id",
               s->token->name);
    ret->count = count;
    return KS_SUCCESS;
}
