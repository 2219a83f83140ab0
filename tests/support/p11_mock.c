/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/p11_mock.c - a PKCS#11 module that answers as it is told.
 *
 * What it seals is readable by anybody: it stands in for the behaviour of a module, not for its secrecy.
 */
#include "p11_mock.h"

#include <p11-kit/pkcs11.h>
#include <stdint.h>
#include <string.h>

enum { KEYS_MAX = 80, FAULTS_MAX = 8, FUNCTIONS_MAX = 64, VALUE_MAX = 256, OBJECT = 500 };

struct key {
    char label[40];
    unsigned char id, number;
    bool is_here;
};

struct fault {
    char function[40];
    CK_RV rv;
    unsigned skip, count;
};

static struct {
    struct key keys[KEYS_MAX];
    size_t key_count;
    struct fault faults[FAULTS_MAX];
    size_t fault_count;
    struct {
        char name[40];
        unsigned calls;
    } functions[FUNCTIONS_MAX];
    CK_BBOOL may[4];
    bool has_gcm, is_logged_in, is_initialised;
    CK_MECHANISM_TYPE wrap_mechanism;
    char token[33];
    CK_FLAGS flags;
    unsigned copies;
    CK_ULONG lie;
    /* of the one find, the one operation and the one object that are in progress */
    CK_OBJECT_HANDLE found[KEYS_MAX];
    CK_ULONG found_count;
    CK_OBJECT_HANDLE key;
    struct ck_gcm_params gcm;
    unsigned char object[VALUE_MAX];
    CK_ULONG object_len;
} m;

static void count_call(const char *function)
{
    for (size_t i = 0; i < FUNCTIONS_MAX; i++) {
        if (m.functions[i].name[0] && strcmp(m.functions[i].name, function) != 0)
            continue;
        memcpy(m.functions[i].name, function, strlen(function) + 1);
        m.functions[i].calls++;
        return;
    }
}

static CK_RV enter(const char *function)
{
    count_call(function);
    for (size_t i = 0; i < m.fault_count; i++) {
        struct fault *f = &m.faults[i];
        if (strcmp(f->function, function) != 0 || (f->skip && f->skip--) || !f->count)
            continue;
        f->count--;
        return f->rv;
    }
    return CKR_OK;
}

#define ENTER()                                                                                    \
    do {                                                                                           \
        CK_RV entered_ = enter(__func__);                                                          \
        if (entered_ != CKR_OK)                                                                    \
            return entered_;                                                                       \
    } while (0)

static void mock_reset(void)
{
    memset(&m, 0, sizeof m);
    memset(m.may, CK_TRUE, sizeof m.may);
    m.has_gcm = true;
    m.wrap_mechanism = CKM_AES_KEY_WRAP;
    memcpy(m.token, "mock", 5);
    m.flags = CKF_LOGIN_REQUIRED | CKF_TOKEN_INITIALIZED;
    m.copies = 1;
    m.key_count = 1;
    m.keys[0] = (struct key){"orders", 1, 7, true};
}

static void mock_fail(const char *function, unsigned long rv, unsigned skip, unsigned count)
{
    struct fault *f = &m.faults[m.fault_count++];

    memcpy(f->function, function, strlen(function) + 1);
    f->rv = rv;
    f->skip = skip;
    f->count = count;
}

static unsigned mock_calls(const char *function)
{
    for (size_t i = 0; i < FUNCTIONS_MAX; i++)
        if (strcmp(m.functions[i].name, function) == 0)
            return m.functions[i].calls;
    return 0;
}

static void mock_add_key(const char *label, unsigned char id, unsigned char number)
{
    struct key *k = &m.keys[m.key_count++];

    memcpy(k->label, label, strlen(label) + 1);
    k->id = id;
    k->number = number;
    k->is_here = true;
}

static void mock_remove_key(const char *label, unsigned char id)
{
    for (size_t i = 0; i < m.key_count; i++)
        if (strcmp(m.keys[i].label, label) == 0 && m.keys[i].id == id)
            m.keys[i].is_here = false;
}

static void mock_allow(bool may_encrypt, bool may_decrypt, bool may_wrap, bool may_unwrap)
{
    m.may[0] = may_encrypt;
    m.may[1] = may_decrypt;
    m.may[2] = may_wrap;
    m.may[3] = may_unwrap;
}

static void mock_mechanisms(bool has_gcm, unsigned long wrap_mechanism)
{
    m.has_gcm = has_gcm;
    m.wrap_mechanism = wrap_mechanism;
}

static void mock_set_token(const char *label, unsigned long flags, unsigned copies)
{
    memcpy(m.token, label, strlen(label) + 1);
    m.flags = flags;
    m.copies = copies;
}

static void mock_lie(unsigned long bytes)
{
    m.lie = bytes;
}

/* --- the module --- */

CK_RV C_Initialize(void *args)
{
    (void)args;
    ENTER();
    if (m.is_initialised)
        return CKR_CRYPTOKI_ALREADY_INITIALIZED;
    m.is_initialised = true;
    m.is_logged_in = false;
    return CKR_OK;
}

CK_RV C_Finalize(void *reserved)
{
    (void)reserved;
    ENTER();
    m.is_initialised = false;
    return CKR_OK;
}

CK_RV C_GetSlotList(CK_BBOOL with_token, CK_SLOT_ID *slots, CK_ULONG *count)
{
    (void)with_token;
    ENTER();
    for (unsigned i = 0; slots && i < m.copies && i < *count; i++)
        slots[i] = 3 + i;
    *count = m.copies + m.lie;
    return CKR_OK;
}

CK_RV C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
    (void)slot;
    ENTER();
    memset(info, ' ',
           sizeof info->label + sizeof info->manufacturerID + sizeof info->model +
               sizeof info->serialNumber);
    memcpy(info->label, m.token, strlen(m.token));
    info->flags = m.flags;
    return CKR_OK;
}

CK_RV C_GetMechanismInfo(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
    (void)slot;
    ENTER();
    info->flags = type == CKM_AES_GCM ? CKF_ENCRYPT | CKF_DECRYPT : CKF_WRAP | CKF_UNWRAP;
    if (type == CKM_AES_GCM ? m.has_gcm : type == m.wrap_mechanism)
        return CKR_OK;
    return CKR_MECHANISM_INVALID;
}

CK_RV C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
                    CK_SESSION_HANDLE *session)
{
    (void)slot, (void)flags, (void)application, (void)notify;
    ENTER();
    *session = 11;
    return CKR_OK;
}

CK_RV C_CloseSession(CK_SESSION_HANDLE session)
{
    (void)session;
    ENTER();
    return CKR_OK;
}

CK_RV C_GetSessionInfo(CK_SESSION_HANDLE session, CK_SESSION_INFO *info)
{
    (void)session;
    ENTER();
    info->state = m.is_logged_in ? CKS_RO_USER_FUNCTIONS : CKS_RO_PUBLIC_SESSION;
    return CKR_OK;
}

CK_RV C_Login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG len)
{
    (void)session, (void)user;
    ENTER();
    if (len != 4 || memcmp(pin, "1234", 4) != 0) {
        m.flags |= CKF_USER_PIN_COUNT_LOW;
        return CKR_PIN_INCORRECT;
    }
    m.is_logged_in = true;
    return CKR_OK;
}

static bool is_match(const struct key *k, const CK_ATTRIBUTE *a)
{
    if (a->type == CKA_LABEL)
        return a->ulValueLen == strlen(k->label) && memcmp(a->pValue, k->label, a->ulValueLen) == 0;
    if (a->type == CKA_ID)
        return a->ulValueLen == 1 && *(const unsigned char *)a->pValue == k->id;
    return true;
}

CK_RV C_FindObjectsInit(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count)
{
    (void)session;
    ENTER();
    m.found_count = 0;
    for (size_t i = 0; i < m.key_count; i++) {
        bool is_here = m.keys[i].is_here;
        for (CK_ULONG a = 0; a < count; a++)
            is_here = is_here && is_match(&m.keys[i], &template[a]);
        if (is_here)
            m.found[m.found_count++] = i + 1;
    }
    return CKR_OK;
}

CK_RV C_FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG max,
                    CK_ULONG *count)
{
    (void)session;
    ENTER();
    *count = m.found_count < max ? m.found_count : max;
    memcpy(objects, m.found, *count * sizeof *objects);
    return CKR_OK;
}

CK_RV C_FindObjectsFinal(CK_SESSION_HANDLE session)
{
    (void)session;
    ENTER();
    return CKR_OK;
}

static void answer(CK_ATTRIBUTE *a, const void *value, CK_ULONG len)
{
    if (len <= a->ulValueLen)
        memcpy(a->pValue, value, len);
    a->ulValueLen = len + m.lie;
}

CK_RV C_GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                          CK_ATTRIBUTE *template, CK_ULONG count)
{
    (void)session;
    ENTER();
    if (object == OBJECT) {
        answer(&template[0], m.object, m.object_len);
        return CKR_OK;
    }
    const struct key *k = &m.keys[object - 1];
    for (CK_ULONG i = 0; i < count; i++) {
        CK_ATTRIBUTE *a = &template[i];
        if (a->type == CKA_ID)
            answer(a, &k->id, 1);
        else if (a->type == CKA_LABEL)
            answer(a, k->label, strlen(k->label));
        else
            answer(a, &m.may[i - 2], 1); /* in the driver's order */
    }
    return CKR_OK;
}

/* A sum over everything that the tag must depend on. */
static unsigned char tag(CK_OBJECT_HANDLE key, const unsigned char *data, CK_ULONG len)
{
    unsigned sum = m.keys[key - 1].number;

    for (CK_ULONG i = 0; i < len; i++)
        sum = sum * 31 + data[i];
    for (CK_ULONG i = 0; m.gcm.aad_ptr && i < m.gcm.aad_len; i++)
        sum = sum * 31 + m.gcm.aad_ptr[i];
    return (unsigned char)(sum ^ sum >> 8 ^ sum >> 16);
}

CK_RV C_EncryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    (void)session;
    ENTER();
    m.key = key;
    memcpy(&m.gcm, mechanism->pParameter, sizeof m.gcm);
    return CKR_OK;
}

CK_RV C_Encrypt(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG len, CK_BYTE *out,
                CK_ULONG *out_len)
{
    (void)session;
    ENTER();
    memcpy(out, in, len);
    memset(out + len, tag(m.key, in, len), 16);
    *out_len = len + 16 + m.lie;
    return CKR_OK;
}

CK_RV C_DecryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    (void)session;
    ENTER();
    m.key = key;
    memcpy(&m.gcm, mechanism->pParameter, sizeof m.gcm);
    return CKR_OK;
}

CK_RV C_Decrypt(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG len, CK_BYTE *out,
                CK_ULONG *out_len)
{
    (void)session;
    ENTER();
    if (len < 17 || in[len - 1] != tag(m.key, in, len - 16))
        return CKR_ENCRYPTED_DATA_INVALID;
    memcpy(out, in, len - 16);
    *out_len = len - 16 + m.lie;
    return CKR_OK;
}

CK_RV C_CreateObject(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count,
                     CK_OBJECT_HANDLE *object)
{
    (void)session;
    ENTER();
    for (CK_ULONG i = 0; i < count; i++)
        if (template[i].type == CKA_VALUE && template[i].ulValueLen <= VALUE_MAX) {
            m.object_len = template[i].ulValueLen;
            memcpy(m.object, template[i].pValue, m.object_len);
        }
    *object = OBJECT;
    return CKR_OK;
}

CK_RV C_DestroyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
    (void)session, (void)object;
    ENTER();
    m.object_len = 0;
    return CKR_OK;
}

CK_RV C_WrapKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                CK_OBJECT_HANDLE object, CK_BYTE *out, CK_ULONG *out_len)
{
    (void)session, (void)mechanism, (void)object;
    ENTER();
    m.gcm.aad_ptr = NULL;
    memcpy(out, m.object, m.object_len);
    memset(out + m.object_len, tag(key, m.object, m.object_len), 8);
    *out_len = m.object_len + 8 + m.lie;
    return CKR_OK;
}

CK_RV C_UnwrapKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                  CK_BYTE *in, CK_ULONG len, CK_ATTRIBUTE *template, CK_ULONG count,
                  CK_OBJECT_HANDLE *object)
{
    (void)session, (void)mechanism, (void)template, (void)count;
    ENTER();
    m.gcm.aad_ptr = NULL;
    if (len < 9 || len - 8 > VALUE_MAX || in[len - 1] != tag(key, in, len - 8))
        return CKR_WRAPPED_KEY_INVALID;
    m.object_len = len - 8;
    memcpy(m.object, in, m.object_len);
    *object = OBJECT;
    return CKR_OK;
}

static CK_FUNCTION_LIST functions = {
    .version = {2, 40},
    .C_Initialize = C_Initialize,
    .C_Finalize = C_Finalize,
    .C_GetSlotList = C_GetSlotList,
    .C_GetTokenInfo = C_GetTokenInfo,
    .C_GetMechanismInfo = C_GetMechanismInfo,
    .C_OpenSession = C_OpenSession,
    .C_CloseSession = C_CloseSession,
    .C_GetSessionInfo = C_GetSessionInfo,
    .C_Login = C_Login,
    .C_FindObjectsInit = C_FindObjectsInit,
    .C_FindObjects = C_FindObjects,
    .C_FindObjectsFinal = C_FindObjectsFinal,
    .C_GetAttributeValue = C_GetAttributeValue,
    .C_EncryptInit = C_EncryptInit,
    .C_Encrypt = C_Encrypt,
    .C_DecryptInit = C_DecryptInit,
    .C_Decrypt = C_Decrypt,
    .C_CreateObject = C_CreateObject,
    .C_DestroyObject = C_DestroyObject,
    .C_WrapKey = C_WrapKey,
    .C_UnwrapKey = C_UnwrapKey,
};

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
    ENTER();
    *list = &functions;
    return CKR_OK;
}

const struct p11_mock *p11_mock_control(void)
{
    static const struct p11_mock control = {
        mock_reset, mock_fail,       mock_calls,     mock_add_key, mock_remove_key,
        mock_allow, mock_mechanisms, mock_set_token, mock_lie,
    };

    return &control;
}
