/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the PKCS#11 driver keeps the contract of kms/driver.h over a module that answers as it is told:
 * every answer has its class, a PIN that was refused is not given again, and sessions that die are made anew once.
 * Real tokens are used in the end-to-end tests.
 */
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <pthread.h>

#include "kms/driver.h"
#include "p11_mock.h"
#include "tmpdir.h"

static const char *module_path;
static const struct p11_mock *mock;
static struct tmpdir tmp;
static struct path pin_path;
static struct kms *kms;
static struct secret *plain;
static struct buf blob;
static char version[KEY_VERSION_BYTES];
static struct key_context context;

static struct key_spec spec_of(const char *part)
{
    struct key_spec s = {"PKCS11", "", ""};

    snprintf(s.uri, sizeof s.uri, "%s?module-path=%s&pin-source=file:%s", part, module_path,
             pin_path.text);
    return s;
}

static ks_rc open_spec(struct key_spec spec, struct kms **ret)
{
    struct kms_conf conf = {.spec = &spec, .clock = clock_system()};

    return kms_driver_pkcs11.open(&conf, ret);
}

static struct kms *open_key(const char *part)
{
    struct kms *opened = NULL;

    check_ok(open_spec(spec_of(part), &opened));
    return opened;
}

static int setup(void **state)
{
    (void)state;
    tmp = tmpdir_make();
    pin_path = tmpdir_path(&tmp, "pin");
    file_put(pin_path.text, view_text("1234\n"));
    mock->reset();
    kms = open_key("token=mock;object=orders");
    blob = buf_init(KEY_BLOB_MAX);
    check_ok(secret_copy(view_text("0123456789abcdef0123456789abcdef"), &plain));
    context.count = 2;
    context.pairs[0].name = "purpose";
    context.pairs[0].value = "store-key";
    context.pairs[1].name = "volume";
    context.pairs[1].value = "0011";
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kms_driver_pkcs11.close(TAKE(kms));
    secret_free(TAKE(plain));
    buf_done(&blob);
    tmpdir_remove(&tmp);
    return 0;
}

static struct kms_call call(void)
{
    return (struct kms_call){0, clock_system(), NULL};
}

static ks_rc wrap(struct kms *with)
{
    struct kms_call c = call();

    blob.len = 0;
    return kms_driver_pkcs11.wrap(with, &c, &context, plain, &blob, version);
}

static ks_rc unwrap_view(struct kms *with, struct view in)
{
    struct kms_call c = call();
    struct secret *got = NULL;
    ks_rc rc = kms_driver_pkcs11.unwrap(with, &c, &context, in, &got);

    if (ks_ok(rc))
        check_bytes(secret_view(got), secret_view(plain));
    else
        assert_null(got);
    secret_free(got);
    return rc;
}

static ks_rc unwrap(struct kms *with)
{
    return unwrap_view(with, buf_view(&blob));
}

static ks_rc get_version(struct kms *with)
{
    struct kms_call c = call();

    return kms_driver_pkcs11.version(with, &c, &context, version);
}

/* --- ways --- */

static void check_way(void)
{
    for (size_t len = 1; len <= KEY_PLAIN_MAX; len++) {
        secret_free(TAKE(plain));
        check_ok(secret_new(len, &plain));
        memset(secret_bytes(plain), (int)len, len);
        check_ok(wrap(kms));
        assert_string_equal(version, "01");
        check_ok(unwrap(kms));
    }
    for (size_t bit = 0; bit < 8 * blob.len; bit++) {
        blob.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ks_rc rc = unwrap(kms);
        assert_true(rc.cls == KS_CLASS_CORRUPT || (bit < 8 && ks_is(rc, KS_E_NEWER_VERSION)));
        blob.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t len = 0; len < blob.len; len++)
        check_class(unwrap_view(kms, view_of(blob.bytes, len)), CORRUPT);
    context.pairs[1].value = "0012";
    check_class(unwrap(kms), CORRUPT);
}

static void wrap__gcm__opens_and_damage_is_told(void **state)
{
    (void)state;
    check_way();
    assert_true(mock->calls("C_Encrypt") > 0);
    assert_int_equal(mock->calls("C_WrapKey"), 0);
}

static void check_wrap_mechanism(CK_MECHANISM_TYPE type)
{
    mock->mechanisms(false, type);
    check_way();
    assert_true(mock->calls("C_WrapKey") > 0);
    assert_int_equal(mock->calls("C_Encrypt"), 0);
    assert_int_equal(mock->calls("C_CreateObject") + mock->calls("C_UnwrapKey"),
                     mock->calls("C_DestroyObject"));
}

static void wrap__no_gcm__each_kind_of_key_wrap(void **state)
{
    (void)state;
    check_wrap_mechanism(0x210b);
}

static void wrap__only_key_wrap_pad__used(void **state)
{
    (void)state;
    check_wrap_mechanism(CKM_AES_KEY_WRAP_PAD);
}

static void wrap__only_plain_key_wrap__used(void **state)
{
    (void)state;
    check_wrap_mechanism(CKM_AES_KEY_WRAP);
}

static void unwrap__token_changed_its_preference__old_wrap_opens(void **state)
{
    (void)state;
    mock->mechanisms(false, CKM_AES_KEY_WRAP);
    check_ok(wrap(kms));
    mock->mechanisms(true, CKM_AES_KEY_WRAP);
    check_ok(unwrap(kms));
}

static void wrap__no_mechanism__usage(void **state)
{
    (void)state;
    mock->mechanisms(false, 0);
    check_rc(wrap(kms), USAGE);
}

/* --- the key --- */

static void use__key_removed__not_found(void **state)
{
    (void)state;
    check_ok(wrap(kms));
    mock->remove_key("orders", 1);
    check_rc(unwrap(kms), KEY_NOT_FOUND);
    check_rc(wrap(kms), KEY_NOT_FOUND);
    check_rc(get_version(kms), KEY_NOT_FOUND);
    check_class(get_version(kms), DENIED);
}

static void use__attributes_forbid_it__disabled(void **state)
{
    (void)state;
    check_ok(wrap(kms));
    mock->allow(false, false, false, false);
    check_rc(unwrap(kms), KEY_DISABLED);
    check_rc(wrap(kms), KEY_DISABLED);
    check_rc(get_version(kms), KEY_DISABLED);
}

static void wrap__gcm_not_allowed__key_wrap_is_used(void **state)
{
    (void)state;
    mock->allow(true, false, true, true);
    check_ok(wrap(kms));
    assert_int_equal(mock->calls("C_WrapKey"), 1);
    check_ok(unwrap(kms));
}

static void versions__newest_wraps_and_old_ones_open(void **state)
{
    struct buf old = buf_init(KEY_BLOB_MAX);

    (void)state;
    check_ok(wrap(kms));
    check_ok(buf_append(&old, buf_view(&blob)));
    mock->add_key("orders", 2, 9);
    check_ok(get_version(kms));
    assert_string_equal(version, "02");
    check_ok(wrap(kms));
    assert_string_equal(version, "02");
    check_ok(unwrap(kms));
    check_ok(unwrap_view(kms, buf_view(&old)));
    mock->remove_key("orders", 1);
    check_rc(unwrap_view(kms, buf_view(&old)), KEY_DESTROYED);
    check_ok(unwrap(kms));
    buf_done(&old);
}

static void unwrap__other_label__wrong_key(void **state)
{
    (void)state;
    mock->add_key("bills", 1, 7);
    struct kms *other = open_key("token=mock;object=bills");
    check_ok(wrap(kms));
    check_rc(unwrap(other), WRONG_KEY);
    kms_driver_pkcs11.close(other);
}

static void unwrap__key_made_anew_under_the_same_name__corrupt(void **state)
{
    (void)state;
    check_ok(wrap(kms));
    mock->remove_key("orders", 1);
    mock->add_key("orders", 1, 99);
    check_class(unwrap(kms), CORRUPT);
}

static void find__two_keys_with_one_id__usage(void **state)
{
    (void)state;
    mock->add_key("orders", 1, 8);
    check_rc(wrap(kms), USAGE);
}

static void find__too_many_keys__usage(void **state)
{
    (void)state;
    for (unsigned char id = 2; id < 70; id++)
        mock->add_key("orders", id, id);
    check_rc(wrap(kms), USAGE);
}

static void find__by_id__that_version(void **state)
{
    struct kms *first = open_key("token=mock;object=orders;id=%01");

    (void)state;
    mock->add_key("orders", 2, 9);
    check_ok(wrap(first));
    assert_string_equal(version, "01");
    kms_driver_pkcs11.close(first);
}

/* --- answers --- */

enum { WRAP = 1, UNWRAP, GCM = 8, KEYWRAP = 16 };

static const struct answer {
    const char *function;
    CK_RV rv;
    int use;
    enum ks_code code;
} answers[] = {
    {"C_Initialize", CKR_HOST_MEMORY, WRAP | GCM, KS_E_UNREACHABLE},
    {"C_Initialize", CKR_CANT_LOCK, WRAP | GCM, KS_E_UNREACHABLE},
    {"C_GetSlotList", CKR_GENERAL_ERROR, WRAP | GCM, KS_E_UNREACHABLE},
    {"C_GetSlotList", CKR_CRYPTOKI_NOT_INITIALIZED, UNWRAP | GCM, KS_E_UNREACHABLE},
    {"C_GetTokenInfo", CKR_TOKEN_NOT_PRESENT, UNWRAP | GCM, KS_E_UNREACHABLE},
    {"C_GetTokenInfo", CKR_TOKEN_NOT_RECOGNIZED, UNWRAP | GCM, KS_E_UNREACHABLE},
    {"C_OpenSession", CKR_SESSION_COUNT, WRAP | GCM, KS_E_UNREACHABLE},
    {"C_OpenSession", CKR_DEVICE_REMOVED, WRAP | GCM, KS_E_UNREACHABLE},
    {"C_GetSessionInfo", CKR_SESSION_HANDLE_INVALID, WRAP | GCM, KS_E_UNREACHABLE},
    {"C_Login", CKR_PIN_LOCKED, WRAP | GCM, KS_E_CREDENTIAL},
    {"C_Login", CKR_PIN_EXPIRED, WRAP | GCM, KS_E_CREDENTIAL},
    {"C_Login", CKR_USER_PIN_NOT_INITIALIZED, WRAP | GCM, KS_E_CREDENTIAL},
    {"C_Login", CKR_USER_ANOTHER_ALREADY_LOGGED_IN, WRAP | GCM, KS_E_CREDENTIAL},
    {"C_Login", CKR_DEVICE_ERROR, WRAP | GCM, KS_E_UNREACHABLE},
    {"C_FindObjectsInit", CKR_SESSION_CLOSED, WRAP | GCM, KS_E_UNREACHABLE},
    {"C_FindObjectsInit", CKR_OPERATION_ACTIVE, WRAP | GCM, KS_E_UNREACHABLE},
    {"C_FindObjects", CKR_DEVICE_ERROR, UNWRAP | GCM, KS_E_UNREACHABLE},
    {"C_FindObjectsFinal", CKR_DEVICE_ERROR, UNWRAP | GCM, KS_E_UNREACHABLE},
    {"C_GetAttributeValue", CKR_OBJECT_HANDLE_INVALID, WRAP | GCM, KS_E_KEY_NOT_FOUND},
    {"C_GetAttributeValue", CKR_FUNCTION_FAILED, WRAP | GCM, KS_E_UNREACHABLE},
    {"C_EncryptInit", CKR_KEY_HANDLE_INVALID, WRAP | GCM, KS_E_KEY_NOT_FOUND},
    {"C_EncryptInit", CKR_KEY_FUNCTION_NOT_PERMITTED, WRAP | GCM, KS_E_KEY_DISABLED},
    {"C_EncryptInit", CKR_MECHANISM_PARAM_INVALID, WRAP | GCM, KS_E_USAGE},
    {"C_EncryptInit", CKR_KEY_TYPE_INCONSISTENT, WRAP | GCM, KS_E_USAGE},
    {"C_EncryptInit", CKR_KEY_SIZE_RANGE, WRAP | GCM, KS_E_USAGE},
    {"C_EncryptInit", CKR_FUNCTION_NOT_SUPPORTED, WRAP | GCM, KS_E_USAGE},
    {"C_Encrypt", CKR_DEVICE_MEMORY, WRAP | GCM, KS_E_UNREACHABLE},
    {"C_Encrypt", CKR_FUNCTION_CANCELED, WRAP | GCM, KS_E_UNREACHABLE},
    {"C_Encrypt", CKR_ACTION_PROHIBITED, WRAP | GCM, KS_E_DENIED},
    {"C_Encrypt", CKR_VENDOR_DEFINED + 5, WRAP | GCM, KS_E_UNREACHABLE},
    {"C_DecryptInit", CKR_USER_NOT_LOGGED_IN, UNWRAP | GCM, KS_E_UNREACHABLE},
    {"C_DecryptInit", CKR_KEY_FUNCTION_NOT_PERMITTED, UNWRAP | GCM, KS_E_KEY_DISABLED},
    {"C_Decrypt", CKR_ENCRYPTED_DATA_INVALID, UNWRAP | GCM, KS_E_AUTH},
    {"C_Decrypt", CKR_ENCRYPTED_DATA_LEN_RANGE, UNWRAP | GCM, KS_E_AUTH},
    {"C_Decrypt", 0x35, UNWRAP | GCM, KS_E_AUTH},
    {"C_Decrypt", CKR_GENERAL_ERROR, UNWRAP | GCM, KS_E_UNREACHABLE},
    {"C_CreateObject", CKR_TEMPLATE_INCONSISTENT, WRAP | KEYWRAP, KS_E_USAGE},
    {"C_CreateObject", CKR_ATTRIBUTE_VALUE_INVALID, WRAP | KEYWRAP, KS_E_USAGE},
    {"C_WrapKey", CKR_WRAPPING_KEY_HANDLE_INVALID, WRAP | KEYWRAP, KS_E_KEY_NOT_FOUND},
    {"C_WrapKey", CKR_WRAPPING_KEY_TYPE_INCONSISTENT, WRAP | KEYWRAP, KS_E_USAGE},
    {"C_WrapKey", CKR_MECHANISM_INVALID, WRAP | KEYWRAP, KS_E_USAGE},
    {"C_DestroyObject", CKR_DEVICE_ERROR, WRAP | KEYWRAP, KS_E_UNREACHABLE},
    {"C_UnwrapKey", CKR_WRAPPED_KEY_INVALID, UNWRAP | KEYWRAP, KS_E_AUTH},
    {"C_UnwrapKey", CKR_WRAPPED_KEY_LEN_RANGE, UNWRAP | KEYWRAP, KS_E_AUTH},
    {"C_UnwrapKey", CKR_UNWRAPPING_KEY_HANDLE_INVALID, UNWRAP | KEYWRAP, KS_E_KEY_NOT_FOUND},
    {"C_UnwrapKey", CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT, UNWRAP | KEYWRAP, KS_E_USAGE},
};

static void check_answer(const struct answer *a)
{
    setup(NULL);
    if (a->use & KEYWRAP)
        mock->mechanisms(false, CKM_AES_KEY_WRAP);
    if (a->use & UNWRAP)
        check_ok(wrap(kms));
    mock->fail_calls(a->function, a->rv, 0, P11_MOCK_ALWAYS);
    ks_rc rc = a->use & UNWRAP ? unwrap(kms) : wrap(kms);
    if (rc.code != a->code)
        fail_msg("%s giving 0x%lx: %s: %s", a->function, a->rv, ks_name(rc), ks_text(rc));
    assert_true(a->use & UNWRAP || blob.len == 0);
    teardown(NULL);
}

static void answer__each_of_the_table__its_class(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        check_answer(&answers[i]);
    setup(NULL);
}

static void answer__transient_once__made_anew_and_works(void **state)
{
    (void)state;
    check_ok(wrap(kms));
    mock->fail_calls("C_Decrypt", CKR_SESSION_HANDLE_INVALID, 0, 1);
    check_ok(unwrap(kms));
    assert_int_equal(mock->calls("C_Initialize"), 2);
    assert_int_equal(mock->calls("C_Login"), 2);
}

static void answer__transient_for_good__tried_twice_and_no_more(void **state)
{
    (void)state;
    check_ok(wrap(kms));
    mock->fail_calls("C_Decrypt", CKR_DEVICE_ERROR, 0, P11_MOCK_ALWAYS);
    check_class(unwrap(kms), UNREACHABLE);
    assert_int_equal(mock->calls("C_Decrypt"), 2);
}

static void answer__lengths_that_lie__refused(void **state)
{
    (void)state;
    check_ok(wrap(kms));
    mock->lie(1000000);
    check_rc(wrap(kms), BAD_REPLY); /* the number of slots */
    mock->lie(0);
    check_ok(wrap(kms));
}

/* --- the token and the PIN --- */

static void token__not_there__unreachable(void **state)
{
    (void)state;
    check_ok(wrap(kms));
    mock->set_token("another", CKF_TOKEN_INITIALIZED, 1);
    check_rc(unwrap(kms), UNREACHABLE);
    mock->set_token("mock", CKF_TOKEN_INITIALIZED, 0);
    check_rc(unwrap(kms), UNREACHABLE);
}

static void token__two_of_that_name__usage(void **state)
{
    (void)state;
    mock->set_token("mock", CKF_TOKEN_INITIALIZED, 2);
    check_rc(wrap(kms), USAGE);
}

static void token__needs_no_login__none_made(void **state)
{
    (void)state;
    mock->set_token("mock", CKF_TOKEN_INITIALIZED, 1);
    check_ok(wrap(kms));
    assert_int_equal(mock->calls("C_Login"), 0);
}

static void pin__wrong__given_once_even_to_a_new_driver(void **state)
{
    (void)state;
    file_put(pin_path.text, view_text("9876\n"));
    check_rc(wrap(kms), CREDENTIAL);
    check_rc(wrap(kms), CREDENTIAL);
    kms_driver_pkcs11.close(TAKE(kms));
    kms = open_key("token=mock;object=orders");
    check_rc(wrap(kms), CREDENTIAL);
    assert_int_equal(mock->calls("C_Login"), 1);
    file_put(pin_path.text, view_text("1234\n"));
    check_ok(wrap(kms));
}

static void pin__wrong_but_right_one_was_given_since__tried_again(void **state)
{
    (void)state;
    file_put(pin_path.text, view_text("9875\n"));
    check_rc(wrap(kms), CREDENTIAL);
    mock->set_token("mock", CKF_TOKEN_INITIALIZED | CKF_LOGIN_REQUIRED, 1); /* count is reset */
    check_rc(wrap(kms), CREDENTIAL);
    assert_int_equal(mock->calls("C_Login"), 2);
}

static void pin__one_try_left__none_made(void **state)
{
    (void)state;
    mock->set_token("mock", CKF_TOKEN_INITIALIZED | CKF_LOGIN_REQUIRED | CKF_USER_PIN_FINAL_TRY, 1);
    check_rc(wrap(kms), CREDENTIAL);
    mock->set_token("mock", CKF_TOKEN_INITIALIZED | CKF_LOGIN_REQUIRED | CKF_USER_PIN_LOCKED, 1);
    check_rc(wrap(kms), CREDENTIAL);
    assert_int_equal(mock->calls("C_Login"), 0);
}

static void pin__file_missing__credential(void **state)
{
    (void)state;
    assert_int_equal(unlink(pin_path.text), 0);
    check_rc(wrap(kms), CREDENTIAL);
}

static const char *credentials_env(void *arg, const char *name)
{
    return strcmp(name, "CREDENTIALS_DIRECTORY") == 0 ? arg : NULL;
}

static struct kms *open_with(const char *query, struct kms_conf conf)
{
    struct key_spec spec = {"PKCS11", "", ""};
    struct kms *opened = NULL;

    snprintf(spec.uri, sizeof spec.uri, "token=mock;object=orders?module-path=%s%s", module_path,
             query);
    conf.spec = &spec;
    conf.clock = clock_system();
    check_ok(kms_driver_pkcs11.open(&conf, &opened));
    return opened;
}

static void pin__credential_of_the_service_manager__used(void **state)
{
    struct kms_conf conf = {.env = credentials_env, .env_arg = tmp.path};

    (void)state;
    struct kms *opened = open_with("&pin-source=credential:pin", conf);
    check_ok(wrap(opened));
    kms_driver_pkcs11.close(opened);
    conf.env_arg = NULL;
    mock->reset();
    opened = open_with("&pin-source=credential:pin", conf);
    check_rc(wrap(opened), CREDENTIAL);
    kms_driver_pkcs11.close(opened);
}

static ks_rc ask(void *arg, const char *what, struct secret **ret)
{
    assert_string_equal(what, "PIN of token mock");
    ++*(int *)arg;
    return secret_copy(view_text("1234"), ret);
}

static void pin__no_source__asked_for_once(void **state)
{
    int asked = 0;
    struct kms_conf conf = {.passphrase = ask, .passphrase_arg = &asked};

    (void)state;
    struct kms *opened = open_with("", conf);
    check_ok(wrap(opened));
    check_ok(unwrap(opened));
    assert_int_equal(asked, 1);
    kms_driver_pkcs11.close(opened);
    conf.passphrase = NULL;
    opened = open_with("", conf);
    mock->reset();
    check_rc(wrap(opened), CREDENTIAL);
    kms_driver_pkcs11.close(opened);
}

/* --- the spec --- */

static void open__malformed_spec__usage(void **state)
{
    static const char *const specs[] = {
        "",
        "token=mock",
        "object=orders?module-path=/m.so",
        "token=mock;object=orders",
        "token=;object=orders?module-path=/m.so",
        "token=mock;object=orders?module-path=relative.so",
        "token=mock;object=orders?module-path=/m.so&pin-value=1234",
        "token=mock;object=orders;wrong=1?module-path=/m.so",
        "token=mock;object=orders;type=private?module-path=/m.so",
        "token=mock;object=orders;slot-id=3?module-path=/m.so",
        "token=mock;object=orders?module-path=/m.so&pin-source=relative",
        "token=mock;object=orders?module-path=/m.so&pin-source=credential:",
        "token=%zz;object=orders?module-path=/m.so",
    };
    struct kms *opened = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        struct key_spec spec = {"PKCS11", "", ""};
        snprintf(spec.uri, sizeof spec.uri, "%s", specs[i]);
        ks_rc rc = open_spec(spec, &opened);
        if (!ks_is(rc, KS_E_USAGE))
            fail_msg("%s: %s", specs[i], ks_name(rc));
        assert_null(opened);
    }
}

static void open__pin_file_and_pin_source__usage(void **state)
{
    struct key_spec spec = spec_of("token=mock;object=orders");
    struct kms *opened = NULL;

    (void)state;
    snprintf(spec.auth_principal, sizeof spec.auth_principal, "/etc/pin");
    check_rc(open_spec(spec, &opened), USAGE);
}

static void use__module_is_missing_or_none__unreachable(void **state)
{
    struct key_spec spec = {"PKCS11", "token=a;object=b?module-path=/no/module.so", "/etc/pin"};
    struct kms *opened = NULL;

    (void)state;
    check_ok(open_spec(spec, &opened));
    check_rc(wrap(opened), UNREACHABLE);
    kms_driver_pkcs11.close(opened);
}

/* --- the rest of the table --- */

static void use__deadline_passed__timeout(void **state)
{
    struct kms_call c = {1, clock_system(), NULL};

    (void)state;
    check_rc(kms_driver_pkcs11.version(kms, &c, &context, version), TIMEOUT);
    assert_int_equal(mock->calls("C_GetSlotList"), 0);
}

static void wrap__nothing_or_too_much__usage(void **state)
{
    (void)state;
    secret_free(TAKE(plain));
    check_ok(secret_new(KEY_PLAIN_MAX + 1, &plain));
    check_rc(wrap(kms), USAGE);
}

static void permissions__key_may_only_encrypt__told_apart(void **state)
{
    const struct kms_permission *p = kms_driver_pkcs11.permissions;
    struct kms_call c = call();

    (void)state;
    for (; p->name; p++)
        check_ok(p->attempt(kms, &c, &context));
    mock->allow(true, false, false, false);
    for (p = kms_driver_pkcs11.permissions; p->name; p++)
        check_rc(p->attempt(kms, &c, &context), KEY_DISABLED);
}

static void scope__names_the_token(void **state)
{
    char scope[KMS_SCOPE_BYTES];

    (void)state;
    kms_driver_pkcs11.scope(kms, scope);
    assert_string_equal(scope, "pkcs11:mock");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(wrap__gcm__opens_and_damage_is_told),
        TEST(wrap__no_gcm__each_kind_of_key_wrap),
        TEST(wrap__only_key_wrap_pad__used),
        TEST(wrap__only_plain_key_wrap__used),
        TEST(unwrap__token_changed_its_preference__old_wrap_opens),
        TEST(wrap__no_mechanism__usage),
        TEST(use__key_removed__not_found),
        TEST(use__attributes_forbid_it__disabled),
        TEST(wrap__gcm_not_allowed__key_wrap_is_used),
        TEST(versions__newest_wraps_and_old_ones_open),
        TEST(unwrap__other_label__wrong_key),
        TEST(unwrap__key_made_anew_under_the_same_name__corrupt),
        TEST(find__two_keys_with_one_id__usage),
        TEST(find__too_many_keys__usage),
        TEST(find__by_id__that_version),
        cmocka_unit_test_teardown(answer__each_of_the_table__its_class, teardown),
        TEST(answer__transient_once__made_anew_and_works),
        TEST(answer__transient_for_good__tried_twice_and_no_more),
        TEST(answer__lengths_that_lie__refused),
        TEST(token__not_there__unreachable),
        TEST(token__two_of_that_name__usage),
        TEST(token__needs_no_login__none_made),
        TEST(pin__wrong__given_once_even_to_a_new_driver),
        TEST(pin__wrong_but_right_one_was_given_since__tried_again),
        TEST(pin__one_try_left__none_made),
        TEST(pin__file_missing__credential),
        TEST(pin__credential_of_the_service_manager__used),
        TEST(pin__no_source__asked_for_once),
        TEST(open__malformed_spec__usage),
        TEST(open__pin_file_and_pin_source__usage),
        TEST(use__module_is_missing_or_none__unreachable),
        TEST(use__deadline_passed__timeout),
        TEST(wrap__nothing_or_too_much__usage),
        TEST(permissions__key_may_only_encrypt__told_apart),
        TEST(scope__names_the_token),
    };
    const struct p11_mock *(*control)(void) = NULL;

    assert_int_equal(argc, 2);
    module_path = argv[1];
    void *library = dlopen(module_path, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    void *symbol = dlsym(library, "p11_mock_control");
    assert_non_null(symbol);
    memcpy(&control, &symbol, sizeof control);
    mock = control();
    check_ok(secret_init());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
