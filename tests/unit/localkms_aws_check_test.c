/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: parameters of AWS KMS requests that are out of bounds are refused, in AWS's words, and nothing of a
 * secret is in them.
 */
#include "base/mem.h"
#include "check.h"
#include "localkms/aws_call.h"

static enum aws_fault check(const char *op, const char *text, char **message)
{
    json_t *params = json_loads(text, 0, NULL);

    assert_non_null(params);
    assert_non_null(aws_op_find(op));
    mem_free(*message);
    *message = NULL;
    enum aws_fault fault = aws_check(aws_op_find(op), params, message);
    json_decref(params);
    return fault;
}

static void check__right__none(void **state)
{
    CLEANUP(mem_freep) char *message = NULL;

    (void)state;
    assert_int_equal(check("Encrypt",
                           "{\"KeyId\":\"k\",\"Plaintext\":\"aGk=\",\"DryRun\":null,"
                           "\"EncryptionContext\":{\"a\":\"b\"},\"NobodyKnows\":1}",
                           &message),
                     AWS_FAULT_NONE);
    assert_null(message);
}

static const struct {
    const char *op, *params;
    enum aws_fault fault;
    const char *message;
} cases[] = {
    {"Encrypt", "{\"Plaintext\":\"aGk=\"}", AWS_VALIDATION,
     "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must "
     "not be null"},
    {"Encrypt", "{\"KeyId\":\"\"}", AWS_VALIDATION,
     "2 validation errors detected: Value '' at 'keyId' failed to satisfy constraint: Member must "
     "have length greater than or equal to 1; Value null at 'plaintext' failed to satisfy "
     "constraint: Member must not be null"},
    {"Encrypt", "{\"KeyId\":\"k\",\"Plaintext\":\"\"}", AWS_VALIDATION,
     "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must "
     "have length greater than or equal to 1"},
    {"ScheduleKeyDeletion", "{\"KeyId\":\"k\",\"PendingWindowInDays\":31}", AWS_VALIDATION,
     "1 validation error detected: Value '31' at 'pendingWindowInDays' failed to satisfy "
     "constraint: Member must have value less than or equal to 30"},
    {"GenerateDataKey", "{\"KeyId\":\"k\",\"KeySpec\":\"AES\"}", AWS_VALIDATION,
     "1 validation error detected: Value 'AES' at 'keySpec' failed to satisfy constraint: Member "
     "must satisfy enum value set: [AES_256, AES_128]"},
    {"ListKeys", "{\"Limit\":0}", AWS_VALIDATION,
     "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must "
     "have value greater than or equal to 1"},
    {"Encrypt", "{\"KeyId\":1,\"Plaintext\":\"aGk=\"}", AWS_SERIALIZATION,
     "The value of KeyId can not be converted to String"},
    {"Encrypt", "{\"KeyId\":\"k\",\"Plaintext\":\"aGk=\",\"EncryptionContext\":{\"a\":1}}",
     AWS_SERIALIZATION, "The value of EncryptionContext can not be converted to Map"},
    {"ListKeys", "{\"Limit\":\"10\"}", AWS_SERIALIZATION,
     "The value of Limit can not be converted to Integer"},
    {"TagResource", "{\"KeyId\":\"k\",\"Tags\":{}}", AWS_SERIALIZATION,
     "The value of Tags can not be converted to Structure"},
};

static void check__wrong__fault_and_text_of_aws(void **state)
{
    CLEANUP(mem_freep) char *message = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(check(cases[i].op, cases[i].params, &message), cases[i].fault);
        assert_string_equal(message, cases[i].message);
    }
}

static void find__unknown__null(void **state)
{
    (void)state;
    assert_null(aws_op_find("encrypt"));
    assert_null(aws_op_find(""));
    assert_null(aws_op_find("Zzz"));
}

/* The search in the table relies on its order. */
static void find__all__there(void **state)
{
    static const char *const names[] = {"CancelKeyDeletion",
                                        "CreateAlias",
                                        "CreateGrant",
                                        "CreateKey",
                                        "Decrypt",
                                        "DeleteAlias",
                                        "DeleteImportedKeyMaterial",
                                        "DescribeKey",
                                        "DisableKey",
                                        "DisableKeyRotation",
                                        "EnableKey",
                                        "EnableKeyRotation",
                                        "Encrypt",
                                        "GenerateDataKey",
                                        "GenerateDataKeyWithoutPlaintext",
                                        "GenerateRandom",
                                        "GetKeyPolicy",
                                        "GetKeyRotationStatus",
                                        "GetParametersForImport",
                                        "ImportKeyMaterial",
                                        "ListAliases",
                                        "ListGrants",
                                        "ListKeyPolicies",
                                        "ListKeyRotations",
                                        "ListKeys",
                                        "ListResourceTags",
                                        "ListRetirableGrants",
                                        "PutKeyPolicy",
                                        "ReEncrypt",
                                        "RetireGrant",
                                        "RevokeGrant",
                                        "RotateKeyOnDemand",
                                        "ScheduleKeyDeletion",
                                        "TagResource",
                                        "UntagResource",
                                        "UpdateAlias",
                                        "UpdateKeyDescription"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_non_null(aws_op_find(names[i]));
        assert_string_equal(aws_op_find(names[i])->name, names[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check__right__none),
        cmocka_unit_test(check__wrong__fault_and_text_of_aws),
        cmocka_unit_test(find__unknown__null),
        cmocka_unit_test(find__all__there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
