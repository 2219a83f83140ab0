/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/p11_error.c - what the return values of PKCS#11 (v2.40, 11.1) mean for a key.
 *
 * The one table. A value that is not in it is no answer about a key: UNREACHABLE.
 */
#include "kms/p11_module.h"

enum { AEAD_DECRYPT_FAILED = 0x35 }; /* v3.0 */

struct fault {
    CK_RV rv;
    enum ks_code code;
    bool is_transient;
    const char *name, *hint;
};

static const struct fault faults[] = {
    /* about the PIN: never tried again with the same one */
    {CKR_PIN_INCORRECT, KS_E_CREDENTIAL, false, "CKR_PIN_INCORRECT", "the PIN is wrong"},
    {CKR_PIN_INVALID, KS_E_CREDENTIAL, false, "CKR_PIN_INVALID", "the PIN is wrong"},
    {CKR_PIN_LEN_RANGE, KS_E_CREDENTIAL, false, "CKR_PIN_LEN_RANGE", "the PIN is wrong"},
    {CKR_PIN_EXPIRED, KS_E_CREDENTIAL, false, "CKR_PIN_EXPIRED", "set a new PIN on the token"},
    {CKR_PIN_LOCKED, KS_E_CREDENTIAL, false, "CKR_PIN_LOCKED",
     "the token is locked after wrong PINs; its security officer can unlock it"},
    {CKR_USER_PIN_NOT_INITIALIZED, KS_E_CREDENTIAL, false, "CKR_USER_PIN_NOT_INITIALIZED",
     "set a user PIN on the token"},
    {CKR_USER_ANOTHER_ALREADY_LOGGED_IN, KS_E_CREDENTIAL, false,
     "CKR_USER_ANOTHER_ALREADY_LOGGED_IN", "another user of the token is logged in"},
    {CKR_USER_TOO_MANY_TYPES, KS_E_CREDENTIAL, false, "CKR_USER_TOO_MANY_TYPES",
     "the token allows no further login"},
    /* the way to the token: made anew once */
    {CKR_DEVICE_ERROR, KS_E_UNREACHABLE, true, "CKR_DEVICE_ERROR", "the token has a problem"},
    {CKR_DEVICE_MEMORY, KS_E_UNREACHABLE, true, "CKR_DEVICE_MEMORY", "the token is out of memory"},
    {CKR_DEVICE_REMOVED, KS_E_UNREACHABLE, true, "CKR_DEVICE_REMOVED", "the token was removed"},
    {CKR_TOKEN_NOT_PRESENT, KS_E_UNREACHABLE, true, "CKR_TOKEN_NOT_PRESENT",
     "the token is not there"},
    {CKR_TOKEN_NOT_RECOGNIZED, KS_E_UNREACHABLE, true, "CKR_TOKEN_NOT_RECOGNIZED",
     "the token is not there"},
    {CKR_SLOT_ID_INVALID, KS_E_UNREACHABLE, true, "CKR_SLOT_ID_INVALID", "the token is not there"},
    {CKR_SESSION_HANDLE_INVALID, KS_E_UNREACHABLE, true, "CKR_SESSION_HANDLE_INVALID",
     "the session has ended"},
    {CKR_SESSION_CLOSED, KS_E_UNREACHABLE, true, "CKR_SESSION_CLOSED", "the session has ended"},
    {CKR_SESSION_COUNT, KS_E_UNREACHABLE, true, "CKR_SESSION_COUNT", "too many sessions"},
    {CKR_CRYPTOKI_NOT_INITIALIZED, KS_E_UNREACHABLE, true, "CKR_CRYPTOKI_NOT_INITIALIZED",
     "the module was finalised"},
    {CKR_USER_NOT_LOGGED_IN, KS_E_UNREACHABLE, true, "CKR_USER_NOT_LOGGED_IN",
     "the login has ended"},
    {CKR_FUNCTION_FAILED, KS_E_UNREACHABLE, true, "CKR_FUNCTION_FAILED", "the token has a problem"},
    {CKR_GENERAL_ERROR, KS_E_UNREACHABLE, true, "CKR_GENERAL_ERROR", "the token has a problem"},
    {CKR_HOST_MEMORY, KS_E_UNREACHABLE, false, "CKR_HOST_MEMORY", "the module is out of memory"},
    {CKR_FUNCTION_CANCELED, KS_E_UNREACHABLE, false, "CKR_FUNCTION_CANCELED",
     "somebody cancelled it"},
    {CKR_OPERATION_ACTIVE, KS_E_UNREACHABLE, true, "CKR_OPERATION_ACTIVE", "the session is in use"},
    {CKR_OPERATION_NOT_INITIALIZED, KS_E_UNREACHABLE, true, "CKR_OPERATION_NOT_INITIALIZED",
     "the session was made anew"},
    /* answers about the key */
    {CKR_KEY_HANDLE_INVALID, KS_E_KEY_NOT_FOUND, false, "CKR_KEY_HANDLE_INVALID",
     "the key has just been removed"},
    {CKR_OBJECT_HANDLE_INVALID, KS_E_KEY_NOT_FOUND, false, "CKR_OBJECT_HANDLE_INVALID",
     "the key has just been removed"},
    {CKR_WRAPPING_KEY_HANDLE_INVALID, KS_E_KEY_NOT_FOUND, false, "CKR_WRAPPING_KEY_HANDLE_INVALID",
     "the key has just been removed"},
    {CKR_UNWRAPPING_KEY_HANDLE_INVALID, KS_E_KEY_NOT_FOUND, false,
     "CKR_UNWRAPPING_KEY_HANDLE_INVALID", "the key has just been removed"},
    {CKR_KEY_FUNCTION_NOT_PERMITTED, KS_E_KEY_DISABLED, false, "CKR_KEY_FUNCTION_NOT_PERMITTED",
     "the key's attributes forbid it"},
    {CKR_ACTION_PROHIBITED, KS_E_DENIED, false, "CKR_ACTION_PROHIBITED", "the token forbids it"},
    /* how the key or token is made */
    {CKR_MECHANISM_INVALID, KS_E_USAGE, false, "CKR_MECHANISM_INVALID",
     "the token lacks the mechanism"},
    {CKR_MECHANISM_PARAM_INVALID, KS_E_USAGE, false, "CKR_MECHANISM_PARAM_INVALID",
     "the token does not take these parameters"},
    {CKR_ARGUMENTS_BAD, KS_E_USAGE, false, "CKR_ARGUMENTS_BAD",
     "the token does not take these parameters"},
    {CKR_KEY_TYPE_INCONSISTENT, KS_E_USAGE, false, "CKR_KEY_TYPE_INCONSISTENT",
     "the key is no AES key"},
    {CKR_WRAPPING_KEY_TYPE_INCONSISTENT, KS_E_USAGE, false, "CKR_WRAPPING_KEY_TYPE_INCONSISTENT",
     "the key is no AES key"},
    {CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT, KS_E_USAGE, false,
     "CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT", "the key is no AES key"},
    {CKR_KEY_SIZE_RANGE, KS_E_USAGE, false, "CKR_KEY_SIZE_RANGE",
     "the token does not take a key of this size"},
    {CKR_FUNCTION_NOT_SUPPORTED, KS_E_USAGE, false, "CKR_FUNCTION_NOT_SUPPORTED",
     "the module lacks the function"},
    {CKR_TEMPLATE_INCONSISTENT, KS_E_USAGE, false, "CKR_TEMPLATE_INCONSISTENT",
     "the token does not let such an object be made"},
    {CKR_ATTRIBUTE_VALUE_INVALID, KS_E_USAGE, false, "CKR_ATTRIBUTE_VALUE_INVALID",
     "the token does not let such an object be made"},
    /* about the ciphertext */
    {CKR_ENCRYPTED_DATA_INVALID, KS_E_AUTH, false, "CKR_ENCRYPTED_DATA_INVALID",
     "the wrapped key was not made by this key"},
    {CKR_ENCRYPTED_DATA_LEN_RANGE, KS_E_AUTH, false, "CKR_ENCRYPTED_DATA_LEN_RANGE",
     "the wrapped key was not made by this key"},
    {AEAD_DECRYPT_FAILED, KS_E_AUTH, false, "CKR_AEAD_DECRYPT_FAILED",
     "the wrapped key was not made by this key"},
    {CKR_WRAPPED_KEY_INVALID, KS_E_AUTH, false, "CKR_WRAPPED_KEY_INVALID",
     "the wrapped key was not made by this key"},
    {CKR_WRAPPED_KEY_LEN_RANGE, KS_E_AUTH, false, "CKR_WRAPPED_KEY_LEN_RANGE",
     "the wrapped key was not made by this key"},
    {CKR_SIGNATURE_INVALID, KS_E_AUTH, false, "CKR_SIGNATURE_INVALID",
     "the wrapped key was not made by this key"},
};

static const struct fault *find(CK_RV rv)
{
    static const struct fault unknown = {0, KS_E_UNREACHABLE, false, "an unknown value",
                                         "see the module's documentation"};

    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        if (faults[i].rv == rv)
            return &faults[i];
    return &unknown;
}

ks_rc p11_error(CK_RV rv, const char *what)
{
    const struct fault *fault = find(rv);

    return ks_fail(fault->code, "%s gave %s (0x%lx): %s", what, fault->name, rv, fault->hint);
}

bool p11_is_transient(CK_RV rv)
{
    return find(rv)->is_transient;
}
