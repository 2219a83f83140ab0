/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the AWS driver asks what it should, believes only answers about its key, classifies every other answer
 * as the table of errors says, and gets along with clocks that are wrong and credentials that end.
 */
#include "answers.h"
#include "aws_fixture.h"

#define ARN_OTHER "arn:aws:kms:" REGION ":111122223333:key/other"
#define DESCRIBED(state)                                                                           \
    "{\"KeyMetadata\":{\"Arn\":\"" KEY_ARN "\",\"KeyState\":\"" state                              \
    "\",\"CreationDate\":1.7E9,\"KeyUsage\":\"ENCRYPT_DECRYPT\",\"KeySpec\":\"SYMMETRIC_"          \
    "DEFAULT\","                                                                                   \
    "\"DeletionDate\":1766000000.123,\"CurrentKeyMaterialId\":\"material-1\"}}"
#define ENCRYPTED "{\"KeyId\":\"" KEY_ARN "\",\"CiphertextBlob\":\"Y2lwaGVy\"}"
#define DECRYPTED                                                                                  \
    "{\"KeyId\":\"" KEY_ARN                                                                        \
    "\",\"Plaintext\":\"aGVsbG8=\",\"EncryptionAlgorithm\":\"SYMMETRIC_DEFAULT\"}"

struct driver_fixture {
    struct aws_fixture base; /* first */
    struct kms *kms;
    struct key_context context;
};

static ks_rc open_key(struct driver_fixture *f, const char *uri, const char *role)
{
    struct key_spec spec = {"AWS_KMS", "", ""};
    const struct kms_conf conf = {
        .spec = &spec, .clock = &f->base.clock.clock, .env = fixture_env, .env_arg = &f->base};
    struct kms *kms = NULL;

    snprintf(spec.uri, sizeof spec.uri, "%s", uri);
    snprintf(spec.auth_principal, sizeof spec.auth_principal, "%s", role);
    ks_rc rc = kms_driver_aws.open(&conf, &kms);
    if (!ks_ok(rc)) {
        assert_null(kms);
        return rc;
    }
    kms_driver_aws.close(f->kms);
    f->kms = kms;
    return rc;
}

static int setup(void **state)
{
    static struct driver_fixture f;

    memset(&f, 0, sizeof f);
    fixture_begin(&f.base);
    fixture_keys(&f.base);
    f.context.count = 2;
    f.context.pairs[0].name = "organisation";
    f.context.pairs[0].value = "org-1";
    f.context.pairs[1].name = "purpose";
    f.context.pairs[1].value = "store \"key\"";
    check_ok(open_key(&f, KEY_ARN, ""));
    *state = &f;
    return 0;
}

static int setup_role(void **state)
{
    setup(state);
    check_ok(open_key(*state, KEY_ARN, ROLE_ARN));
    return 0;
}

static int teardown(void **state)
{
    struct driver_fixture *f = *state;

    kms_driver_aws.close(f->kms);
    kms_driver_aws.close(NULL);
    fixture_end(&f->base);
    return 0;
}

static void answer(struct driver_fixture *f, int status, const char *body)
{
    wire_server_answer(f->base.server, status, "x-amzn-RequestId: kms-1\r\n", body);
}

static ks_rc unwrap(struct driver_fixture *f)
{
    struct kms_call call = fixture_call(&f->base);
    struct secret *plain = NULL;
    ks_rc rc = f->kms->driver->unwrap(f->kms, &call, &f->context, view_text("cipher"), &plain);

    if (ks_ok(rc))
        check_bytes(secret_view(plain), view_text("hello"));
    else
        assert_null(plain);
    secret_free(plain);
    return rc;
}

static ks_rc wrap(struct driver_fixture *f, char version[KEY_VERSION_BYTES])
{
    CLEANUP(buf_done) struct buf blob = buf_init(KEY_BLOB_MAX);
    CLEANUP(secret_freep) struct secret *plain = NULL;
    struct kms_call call = fixture_call(&f->base);

    check_ok(secret_copy(view_text("hello"), &plain));
    ks_rc rc = f->kms->driver->wrap(f->kms, &call, &f->context, plain, &blob, version);
    check_bytes(buf_view(&blob), view_text(ks_ok(rc) ? "cipher" : ""));
    return rc;
}

static ks_rc version_of(struct driver_fixture *f, char version[KEY_VERSION_BYTES])
{
    struct kms_call call = fixture_call(&f->base);

    return f->kms->driver->version(f->kms, &call, &f->context, version);
}

/* --- requests --- */

static void unwrap__request__names_key_and_context_and_is_signed(void **state)
{
    struct driver_fixture *f = *state;

    answer(f, 200, DECRYPTED);
    check_ok(unwrap(f));
    const struct wire_request *sent = wire_server_request(f->base.server, 0);
    check_bytes(sent->body,
                view_text("{\"KeyId\":\"" KEY_ARN "\",\"EncryptionContext\":{\"organisation\":"
                          "\"org-1\",\"purpose\":\"store \\\"key\\\"\"},\"CiphertextBlob\":"
                          "\"Y2lwaGVy\"}"));
    assert_string_equal(sent->method, "POST");
    assert_string_equal(sent->target, "/");
    assert_string_equal(fixture_header(&f->base, 0, "X-Amz-Target"), "TrentService.Decrypt");
    assert_string_equal(fixture_header(&f->base, 0, "Content-Type"), "application/x-amz-json-1.1");
    assert_string_equal(fixture_header(&f->base, 0, "X-Amz-Date"), "20270115T080000Z");
    const char *authorization = fixture_header(&f->base, 0, "Authorization");
    assert_non_null(strstr(authorization, "AKIDEXAMPLE/20270115/eu-west-1/kms/aws4_request, "));
    assert_non_null(strstr(authorization, "content-type;host;x-amz-date;x-amz-target"));
    assert_string_equal(f->base.note.request_id, "kms-1");
}

static void wrap__described_first__its_material_is_the_version(void **state)
{
    struct driver_fixture *f = *state;
    char version[KEY_VERSION_BYTES] = "";

    answer(f, 200, DESCRIBED("Enabled"));
    answer(f, 200, ENCRYPTED);
    check_ok(wrap(f, version));
    assert_string_equal(version, "material-1");
    assert_string_equal(fixture_header(&f->base, 0, "X-Amz-Target"), "TrentService.DescribeKey");
    assert_string_equal(fixture_header(&f->base, 1, "X-Amz-Target"), "TrentService.Encrypt");
    assert_true(fixture_sent(&f->base, 1, "\"Plaintext\":\"aGVsbG8=\""));
    assert_true(fixture_sent(&f->base, 1, "\"EncryptionContext\":{\"organisation\":\"org-1\""));
}

static void wrap__may_not_describe__arn_is_the_version(void **state)
{
    struct driver_fixture *f = *state;
    char version[KEY_VERSION_BYTES] = "";

    answer(f, 400, "{\"__type\":\"AccessDeniedException\"}");
    answer(f, 200, ENCRYPTED);
    check_ok(wrap(f, version));
    assert_string_equal(version, KEY_ARN);
}

static void wrap__describe_or_encrypt_fails__nothing_written(void **state)
{
    struct driver_fixture *f = *state;
    char version[KEY_VERSION_BYTES] = "as it was";

    answer(f, 200, DESCRIBED("Disabled"));
    check_rc(wrap(f, version), KEY_DISABLED);
    answer(f, 500, "");
    check_rc(wrap(f, version), UNREACHABLE);
    answer(f, 200, DESCRIBED("Enabled"));
    answer(f, 400, "{\"__type\":\"AccessDeniedException\"}");
    check_rc(wrap(f, version), DENIED);
    answer(f, 200, DESCRIBED("Enabled"));
    answer(f, 200, "{\"KeyId\":\"" KEY_ARN "\"}");
    check_rc(wrap(f, version), BAD_REPLY);
    assert_string_equal(version, "as it was");
}

static void version__states__as_denials(void **state)
{
    static const struct {
        const char *body;
        enum ks_code code;
    } replies[] = {
        {DESCRIBED("Updating"), KS_E_OK},
        {DESCRIBED("Disabled"), KS_E_KEY_DISABLED},
        {DESCRIBED("PendingDeletion"), KS_E_KEY_PENDING_DELETION},
        {DESCRIBED("PendingReplicaDeletion"), KS_E_KEY_PENDING_DELETION},
        {DESCRIBED("PendingImport"), KS_E_DENIED},
        {DESCRIBED("Unavailable"), KS_E_DENIED},
        {DESCRIBED("Sleeping"), KS_E_BAD_REPLY},
        {"{\"KeyMetadata\":{\"Arn\":\"" ARN_OTHER "\",\"KeyState\":\"Enabled\"}}", KS_E_BAD_REPLY},
        {"{\"KeyMetadata\":{\"Arn\":\"" KEY_ARN "\"}}", KS_E_BAD_REPLY},
        {"{\"KeyMetadata\":[]}", KS_E_BAD_REPLY},
        {"{}", KS_E_BAD_REPLY},
        {"{\"KeyMetadata\":{\"Arn\":\"" KEY_ARN
         "\",\"KeyState\":\"Enabled\",\"KeyUsage\":\"SIGN_VERIFY\"}}",
         KS_E_USAGE},
        {"{\"KeyMetadata\":{\"Arn\":\"" KEY_ARN
         "\",\"KeyState\":\"Enabled\",\"CustomerMasterKeySpec\":\"RSA_2048\"}}",
         KS_E_USAGE},
        {"{\"KeyMetadata\":{\"Arn\":\"" KEY_ARN
         "\",\"KeyState\":\"Enabled\",\"DeletionDate\":1e999}}",
         KS_E_BAD_REPLY},
    };
    struct driver_fixture *f = *state;
    char version[KEY_VERSION_BYTES] = "";

    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        answer(f, 200, replies[i].body);
        ks_rc rc = version_of(f, version);
        if (rc.code != replies[i].code)
            fail_msg("%s: %s", replies[i].body, ks_name(rc));
    }
    answer(f, 200, "{\"KeyMetadata\":{\"Arn\":\"" KEY_ARN "\",\"KeyState\":\"Enabled\"}}");
    check_ok(version_of(f, version));
    assert_string_equal(version, KEY_ARN);
}

/* --- answers, most of them faulty --- */

#define TYPE(type) "{\"__type\":\"" type "\",\"message\":\"because\"}"

static const struct answer table[] = {
    {.name = "good", .body = DECRYPTED, .code = KS_E_OK},
    {"denied", 400, "x-amzn-RequestId: r-7\r\n", TYPE("AccessDeniedException"), ANSWER_WHOLE,
     KS_E_DENIED, "r-7", 0, "because"},
    {"denied, as emulators do", 403, NULL, TYPE("AccessDeniedException"), .code = KS_E_DENIED},
    {"disabled", 400, NULL, TYPE("DisabledException"), .code = KS_E_KEY_DISABLED},
    {"state", 400, NULL, TYPE("KMSInvalidStateException"), .code = KS_E_DENIED},
    {"pending deletion", 400, NULL,
     "{\"__type\":\"KMSInvalidStateException\",\"message\":\"arn is pending deletion.\"}",
     .code = KS_E_KEY_PENDING_DELETION},
    {"not found", 400, NULL, TYPE("NotFoundException"), .code = KS_E_KEY_NOT_FOUND},
    {"throttled", 400, "Retry-After: 3\r\n", TYPE("ThrottlingException"), ANSWER_WHOLE,
     KS_E_THROTTLED, NULL, 3000, NULL},
    {"throttled with a date", 429, "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
     TYPE("TooManyRequestsException"), .code = KS_E_THROTTLED},
    {"internal", 500, NULL, TYPE("KMSInternalException"), .code = KS_E_UNREACHABLE},
    {"unavailable", 500, NULL, TYPE("KeyUnavailableException"), .code = KS_E_UNREACHABLE},
    {"dependency", 503, NULL, TYPE("DependencyTimeoutException"), .code = KS_E_UNREACHABLE},
    {"gateway", 502, NULL, "<html>Bad Gateway</html>", .code = KS_E_UNREACHABLE},
    {"portal", 403, NULL, "<html>Pay for your WiFi</html>", .code = KS_E_BAD_REPLY},
    {"redirect", 302, "Location: http://127.0.0.1:1/\r\n", "", .code = KS_E_BAD_REPLY},
    {"unknown error", 400, NULL, TYPE("SurpriseException"), ANSWER_WHOLE, KS_E_BAD_REPLY, NULL, 0,
     "report it"},
    {"type in the header", 400, "x-amzn-ErrorType: DisabledException:http://x/\r\n", "",
     .code = KS_E_KEY_DISABLED},
    {"type with prefix", 400, NULL, TYPE("com.amazonaws.kms#NotFoundException"),
     .code = KS_E_KEY_NOT_FOUND},
    {"ciphertext", 400, NULL, "{\"__type\":\"InvalidCiphertextException\",\"message\":null}",
     .code = KS_E_AUTH},
    {"other key", 400, NULL, TYPE("IncorrectKeyException"), .code = KS_E_WRONG_KEY},
    {"wrong usage", 400, NULL, TYPE("InvalidKeyUsageException"), .code = KS_E_USAGE},
    {"validation", 400, NULL, TYPE("ValidationException"), .code = KS_E_USAGE},
    {"clock without a date", 400, NULL, TYPE("RequestExpired"), .code = KS_E_UNREACHABLE},
    {"expired token", 400, NULL, TYPE("ExpiredTokenException"), .code = KS_E_CREDENTIAL},
    {"unknown access key", 400, NULL, TYPE("UnrecognizedClientException"), .code = KS_E_CREDENTIAL},
    {"signature", 403, NULL, TYPE("InvalidSignatureException"), .code = KS_E_CREDENTIAL},
    {"no body", .body = "", .code = KS_E_BAD_REPLY},
    {"no object", .body = "[]", .code = KS_E_BAD_REPLY},
    {"empty object", .body = "{}", .code = KS_E_BAD_REPLY},
    {"not JSON", .body = "{\"KeyId\":", .code = KS_E_BAD_REPLY},
    {"twice", .body = "{\"KeyId\":\"a\",\"KeyId\":\"a\"}", .code = KS_E_BAD_REPLY},
    {"of another key", .body = "{\"KeyId\":\"" ARN_OTHER "\",\"Plaintext\":\"aGVsbG8=\"}",
     .code = KS_E_BAD_REPLY},
    {"without key", .body = "{\"Plaintext\":\"aGVsbG8=\"}", .code = KS_E_BAD_REPLY},
    {"without plaintext", .body = "{\"KeyId\":\"" KEY_ARN "\"}", .code = KS_E_BAD_REPLY},
    {"plaintext no base64", .body = "{\"KeyId\":\"" KEY_ARN "\",\"Plaintext\":\"a b\"}",
     .code = KS_E_BAD_REPLY},
    {"plaintext empty", .body = "{\"KeyId\":\"" KEY_ARN "\",\"Plaintext\":\"\"}",
     .code = KS_E_BAD_REPLY},
    {"plaintext a number", .body = "{\"KeyId\":\"" KEY_ARN "\",\"Plaintext\":7}",
     .code = KS_E_BAD_REPLY},
    {"plaintext too long",
     .body = "{\"KeyId\":\"" KEY_ARN
             "\",\"Plaintext\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
             "AAAAAAAAAAAAAAAAAAAAAAAA\"}",
     .code = KS_E_BAD_REPLY},
    {"other algorithm",
     .body = "{\"KeyId\":\"" KEY_ARN
             "\",\"Plaintext\":\"aGVsbG8=\",\"EncryptionAlgorithm\":\"RSAES_OAEP_SHA_256\"}",
     .code = KS_E_BAD_REPLY},
    {"too deep", .body = "{\"a\":[[[[[[[[1]]]]]]]]}", .code = KS_E_BAD_REPLY},
    {"half", .body = DECRYPTED, .fault = ANSWER_HALF, .code = KS_E_UNREACHABLE},
    {"long", .body = DECRYPTED, .fault = ANSWER_LONG, .code = KS_E_BAD_REPLY},
    {"no HTTP", .body = "SSH-2.0-OpenSSH_9.2\r\n", .fault = ANSWER_RAW, .code = KS_E_BAD_REPLY},
    {"nothing", .fault = ANSWER_NOTHING, .code = KS_E_UNREACHABLE},
    {"reset", .fault = ANSWER_RESET, .code = KS_E_UNREACHABLE},
    {"hang", .fault = ANSWER_HANG, .code = KS_E_TIMEOUT},
    {"hang in the middle", .body = DECRYPTED, .fault = ANSWER_HANG_HALF, .code = KS_E_TIMEOUT},
};

static ks_rc attempt_unwrap(void *arg, const struct kms_call *call)
{
    struct driver_fixture *f = arg;
    struct secret *plain = NULL;
    ks_rc rc = f->kms->driver->unwrap(f->kms, call, &f->context, view_text("cipher"), &plain);

    assert_true(ks_ok(rc) == (plain != NULL));
    secret_free(plain);
    return rc;
}

static void unwrap__each_answer__classified(void **state)
{
    struct driver_fixture *f = *state;
    struct key_spec spec = {"AWS_KMS", KEY_ARN, ""};
    const struct kms_conf conf = {.spec = &spec, .env = fixture_env, .env_arg = &f->base};
    const struct answers a = {f->base.server, NULL, attempt_unwrap, f};

    kms_driver_aws.close(f->kms);
    check_ok(kms_driver_aws.open(&conf, &f->kms)); /* on the system's clock */
    answers_check(&a, table, sizeof table / sizeof table[0]);
}

static void unwrap__no_ciphertext__corrupt_without_a_request(void **state)
{
    static const uint8_t large[7000];
    struct driver_fixture *f = *state;
    struct kms_call call = fixture_call(&f->base);
    struct secret *plain = NULL;

    check_rc(f->kms->driver->unwrap(f->kms, &call, &f->context, view_of("", 0), &plain), AUTH);
    check_rc(f->kms->driver->unwrap(f->kms, &call, &f->context, view_of(large, 7000), &plain),
             AUTH);
    call.deadline_ms = f->base.clock.now_ms;
    check_rc(f->kms->driver->unwrap(f->kms, &call, &f->context, view_text("x"), &plain), TIMEOUT);
    assert_int_equal(wire_server_count(f->base.server), 0);
}

/* --- the clock --- */

static void unwrap__clock_wrong__corrected_once_and_for_later(void **state)
{
    struct driver_fixture *f = *state;

    wire_server_answer(f->base.server, 400, "Date: Fri, 15 Jan 2027 09:30:00 GMT\r\n",
                       "{\"__type\":\"InvalidSignatureException\",\"message\":\"Signature expired: "
                       "20270115T080000Z is now earlier than 20270115T092500Z\"}");
    answer(f, 200, DECRYPTED);
    check_ok(unwrap(f));
    assert_string_equal(fixture_header(&f->base, 1, "X-Amz-Date"), "20270115T093000Z");
    answer(f, 200, DECRYPTED);
    check_ok(unwrap(f));
    assert_int_equal(wire_server_count(f->base.server), 3);
    assert_string_equal(fixture_header(&f->base, 2, "X-Amz-Date"), "20270115T093000Z");
}

static void unwrap__clock_still_wrong__not_a_third_time(void **state)
{
    struct driver_fixture *f = *state;

    wire_server_answer(f->base.server, 400, "Date: Fri, 15 Jan 2027 09:30:00 GMT\r\n",
                       TYPE("RequestTimeTooSkewed"));
    wire_server_answer(f->base.server, 400, "Date: Fri, 15 Jan 2027 10:30:00 GMT\r\n",
                       TYPE("RequestTimeTooSkewed"));
    check_rc(unwrap(f), UNREACHABLE);
    assert_int_equal(wire_server_count(f->base.server), 2);
}

static void unwrap__clock_right_but_refused__not_repeated(void **state)
{
    struct driver_fixture *f = *state;

    wire_server_answer(f->base.server, 400, "Date: Fri, 15 Jan 2027 08:00:01 GMT\r\n",
                       TYPE("RequestExpired"));
    check_rc(unwrap(f), UNREACHABLE);
    assert_int_equal(wire_server_count(f->base.server), 1);
}

/* --- credentials --- */

static void unwrap__credentials_refused__others_tried_once(void **state)
{
    struct driver_fixture *f = *state;

    fixture_set(&f->base, "AWS_ACCESS_KEY_ID", NULL);
    fixture_set(&f->base, "AWS_SECRET_ACCESS_KEY", NULL);
    fixture_write(&f->base, "credentials",
                  "[default]\naws_access_key_id = OLD\naws_secret_access_key = s\n");
    answer(f, 200, DECRYPTED);
    check_ok(unwrap(f));
    fixture_write(&f->base, "credentials",
                  "[default]\naws_access_key_id = NEW\naws_secret_access_key = s\n");
    answer(f, 400, TYPE("UnrecognizedClientException"));
    answer(f, 200, DECRYPTED);
    check_ok(unwrap(f));
    assert_non_null(strstr(fixture_header(&f->base, 1, "Authorization"), "Credential=OLD/"));
    assert_non_null(strstr(fixture_header(&f->base, 2, "Authorization"), "Credential=NEW/"));
    answer(f, 400, TYPE("UnrecognizedClientException"));
    ks_rc rc = unwrap(f); /* there are no others now */
    check_rc(rc, CREDENTIAL);
    check_text(rc, "UnrecognizedClientException");
    assert_int_equal(wire_server_count(f->base.server), 4);
}

static void unwrap__no_credentials__credential_without_a_request(void **state)
{
    struct driver_fixture *f = *state;

    fixture_set(&f->base, "AWS_ACCESS_KEY_ID", NULL);
    fixture_set(&f->base, "AWS_SECRET_ACCESS_KEY", NULL);
    check_rc(unwrap(f), CREDENTIAL);
    assert_int_equal(wire_server_count(f->base.server), 0);
}

/* --- roles --- */

static void role__assumed_with_organisation__kept_for_half_a_minute(void **state)
{
    struct driver_fixture *f = *state;

    fixture_role(&f->base, "ROLE1", IN_AN_HOUR);
    for (int i = 0; i < 3; i++) {
        answer(f, 200, DECRYPTED);
        check_ok(unwrap(f));
    }
    assert_true(fixture_sent(&f->base, 0, "&ExternalId=org-1"));
    assert_true(fixture_sent(&f->base, 0, "&RoleSessionName=keystead"));
    assert_non_null(strstr(fixture_header(&f->base, 3, "Authorization"), "Credential=ROLE1/"));
    assert_string_equal(fixture_header(&f->base, 3, "X-Amz-Security-Token"), "t0ken");
    f->base.clock.now_ms += 30000;
    fixture_role(&f->base, "ROLE2", IN_AN_HOUR);
    answer(f, 200, DECRYPTED);
    check_ok(unwrap(f));
    assert_non_null(strstr(fixture_header(&f->base, 5, "Authorization"), "Credential=ROLE2/"));
    assert_int_equal(wire_server_count(f->base.server), 6);
}

static void role__each_organisation__a_session_of_its_own(void **state)
{
    struct driver_fixture *f = *state;

    fixture_role(&f->base, "ROLE1", IN_AN_HOUR);
    answer(f, 200, DECRYPTED);
    check_ok(unwrap(f));
    f->context.pairs[0].value = "org-2";
    fixture_role(&f->base, "ROLE2", IN_AN_HOUR);
    answer(f, 200, DECRYPTED);
    check_ok(unwrap(f));
    assert_true(fixture_sent(&f->base, 2, "&ExternalId=org-2"));
    f->context.pairs[0].name = "cluster"; /* no organisation, no ExternalId */
    fixture_role(&f->base, "ROLE3", IN_AN_HOUR);
    answer(f, 200, DECRYPTED);
    check_ok(unwrap(f));
    assert_false(fixture_sent(&f->base, 4, "ExternalId"));
    f->context.pairs[0].name = "organisation";
    answer(f, 200, DECRYPTED);
    check_ok(unwrap(f));
    assert_non_null(strstr(fixture_header(&f->base, 6, "Authorization"), "Credential=ROLE2/"));
}

static void role__organisation_that_cannot_be_an_external_id__usage(void **state)
{
    struct driver_fixture *f = *state;

    f->context.pairs[0].value = "two words";
    check_rc(unwrap(f), USAGE);
    assert_int_equal(wire_server_count(f->base.server), 0);
}

static void role__trust_policy_edited__denied_within_half_a_minute_and_back(void **state)
{
    struct driver_fixture *f = *state;

    fixture_role(&f->base, "ROLE1", IN_AN_HOUR);
    answer(f, 200, DECRYPTED);
    check_ok(unwrap(f));
    f->base.clock.now_ms += 30000;
    fixture_sts_error(&f->base, 403, "AccessDenied");
    ks_rc rc = unwrap(f);
    check_rc(rc, DENIED);
    check_text(rc, "trust policy");
    check_text(rc, "ExternalId org-1");
    assert_int_equal(wire_server_count(f->base.server), 3); /* KMS was not asked */
    fixture_role(&f->base, "ROLE2", IN_AN_HOUR);
    answer(f, 200, DECRYPTED);
    check_ok(unwrap(f));
}

static void role__not_to_be_renewed__used_until_it_has_expired(void **state)
{
    struct driver_fixture *f = *state;

    fixture_role(&f->base, "ROLE1", IN_AN_HOUR);
    answer(f, 200, DECRYPTED);
    check_ok(unwrap(f));
    f->base.clock.now_ms += 30000;
    fixture_sts_error(&f->base, 400, "Throttling");
    answer(f, 200, DECRYPTED);
    check_ok(unwrap(f));
    answer(f, 200, DECRYPTED);
    check_ok(unwrap(f)); /* STS is left alone for a while */
    assert_int_equal(wire_server_count(f->base.server), 5);
    f->base.clock.now_s += 3600;
    fixture_sts_error(&f->base, 400, "Throttling");
    check_rc(unwrap(f), THROTTLED);
    assert_int_equal(wire_server_count(f->base.server), 6);
}

static void role__other_refusals_of_sts__credential(void **state)
{
    static const char *const codes[] = {"InvalidClientTokenId", "ValidationError",
                                        "RegionDisabledException", "SignatureDoesNotMatch"};
    struct driver_fixture *f = *state;

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        fixture_sts_error(&f->base, 403, codes[i]);
        check_rc(unwrap(f), CREDENTIAL);
    }
    wire_server_answer(f->base.server, 200, "", "<AssumeRoleResponse/>");
    check_rc(unwrap(f), BAD_REPLY);
    wire_server_answer(f->base.server, 403, "", "<html/>");
    check_rc(unwrap(f), BAD_REPLY);
}

static void role__session_taken_for_expired__assumed_anew_once(void **state)
{
    struct driver_fixture *f = *state;

    fixture_role(&f->base, "ROLE1", IN_AN_HOUR);
    answer(f, 400, TYPE("ExpiredTokenException"));
    fixture_role(&f->base, "ROLE2", IN_AN_HOUR);
    answer(f, 200, DECRYPTED);
    check_ok(unwrap(f));
    assert_int_equal(wire_server_count(f->base.server), 4);
}

/* Own credentials are renewed ahead of their end, and used until it when that fails. */
static void own__near_their_end__renewed_and_else_used_up(void **state)
{
    struct driver_fixture *f = *state;

    fixture_set(&f->base, "AWS_ACCESS_KEY_ID", NULL);
    fixture_set(&f->base, "AWS_SECRET_ACCESS_KEY", NULL);
    fixture_write(&f->base, "config",
                  "[default]\nrole_arn = " ROLE_ARN "\nsource_profile = default\n"
                  "aws_access_key_id = BASE\naws_secret_access_key = s\n");
    fixture_role(&f->base, "ONE", IN_AN_HOUR);
    answer(f, 200, DECRYPTED);
    check_ok(unwrap(f));
    f->base.clock.now_ms += 3200 * 1000; /* 6 min 40 s before the end: not yet */
    f->base.clock.now_s += 3200;
    answer(f, 200, DECRYPTED);
    check_ok(unwrap(f));
    f->base.clock.now_ms += 150 * 1000; /* 4 min 10 s before the end */
    f->base.clock.now_s += 150;
    fixture_sts_error(&f->base, 403, "AccessDenied");
    answer(f, 200, DECRYPTED);
    check_ok(unwrap(f));
    assert_non_null(strstr(fixture_header(&f->base, 4, "Authorization"), "Credential=ONE/"));
    f->base.clock.now_ms += 30 * 1000;
    f->base.clock.now_s += 30;
    fixture_role(&f->base, "TWO", "2027-01-15T10:00:00Z");
    answer(f, 200, DECRYPTED);
    check_ok(unwrap(f));
    assert_non_null(strstr(fixture_header(&f->base, 6, "Authorization"), "Credential=TWO/"));
}

struct worker {
    struct driver_fixture *f;
    struct kms_note note;
    bool is_good;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    struct kms_call call = {0, &w->f->base.clock.clock, &w->note};

    w->is_good = true;
    for (int i = 0; i < 20; i++) {
        struct secret *plain = NULL;
        ks_rc rc =
            w->f->kms->driver->unwrap(w->f->kms, &call, &w->f->context, view_text("x"), &plain);
        w->is_good = w->is_good && ks_ok(rc);
        secret_free(plain);
    }
    return NULL;
}

static void role__many_threads__one_session(void **state)
{
    static const char decrypted[] = "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s";
    struct driver_fixture *f = *state;
    struct worker workers[8];
    pthread_t threads[8];
    char reply[1000];

    snprintf(reply, sizeof reply, decrypted, strlen(DECRYPTED), DECRYPTED);
    fixture_role(&f->base, "ROLE1", IN_AN_HOUR);
    const struct wire_reply rest = {view_text(reply), WIRE_KEEP, true};
    wire_server_push(f->base.server, &rest);
    for (int i = 0; i < 8; i++) {
        workers[i] = (struct worker){.f = f};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        assert_true(workers[i].is_good);
    }
    assert_int_equal(wire_server_count(f->base.server), 1 + 8 * 20);
}

/* --- open, scope, permissions --- */

static void open__malformed__usage(void **state)
{
    struct driver_fixture *f = *state;

    check_rc(open_key(f, "arn:aws:kms:eu-west-1:1:key/x", ""), USAGE);
    check_rc(open_key(f, "alias/x", ""), USAGE);
    check_rc(open_key(f, KEY_ID, ""), USAGE); /* no region known */
    check_rc(open_key(f, KEY_ARN, "cmek"), USAGE);
    fixture_set(&f->base, "AWS_REGION", "eu-west-1");
    check_ok(open_key(f, KEY_ID, ""));
    fixture_set(&f->base, "AWS_ENDPOINT_URL", "nowhere");
    check_rc(open_key(f, KEY_ARN, ""), USAGE);
}

static void scope__caller__account_and_region(void **state)
{
    struct driver_fixture *f = *state;
    char scope[KMS_SCOPE_BYTES];

    kms_driver_aws.scope(f->kms, scope);
    assert_string_equal(scope, "aws:111122223333:eu-west-1");
    fixture_set(&f->base, "AWS_ACCOUNT_ID", "444455556666");
    kms_driver_aws.scope(f->kms, scope);
    assert_string_equal(scope, "aws:444455556666:eu-west-1");
    check_ok(open_key(f, KEY_ARN, "arn:aws:iam::777788889999:role/x"));
    kms_driver_aws.scope(f->kms, scope);
    assert_string_equal(scope, "aws:777788889999:eu-west-1");
}

static ks_rc try_permission(struct driver_fixture *f, const char *name)
{
    struct kms_call call = fixture_call(&f->base);

    for (const struct kms_permission *p = kms_driver_aws.permissions; p->name; p++)
        if (strcmp(p->name, name) == 0)
            return p->attempt(f->kms, &call, &f->context);
    fail_msg("there is no permission %s", name);
    return KS_SUCCESS;
}

static void permissions__each__asks_for_what_it_is_named(void **state)
{
    struct driver_fixture *f = *state;

    answer(f, 200, ENCRYPTED);
    check_ok(try_permission(f, "kms:Encrypt"));
    answer(f, 200, ENCRYPTED);
    answer(f, 200, DECRYPTED);
    check_ok(try_permission(f, "kms:Decrypt"));
    answer(f, 200, DESCRIBED("Enabled"));
    check_ok(try_permission(f, "kms:DescribeKey"));
    answer(f, 200, "{}");
    check_ok(try_permission(f, "kms:GenerateDataKey"));
    assert_string_equal(fixture_header(&f->base, 4, "X-Amz-Target"),
                        "TrentService.GenerateDataKey");
    answer(f, 200, ENCRYPTED);
    answer(f, 200, "{}");
    check_ok(try_permission(f, "kms:ReEncrypt*"));
    assert_string_equal(fixture_header(&f->base, 6, "X-Amz-Target"), "TrentService.ReEncrypt");
    assert_true(fixture_sent(&f->base, 6, "\"SourceKeyId\":\"" KEY_ARN "\",\"DestinationKeyId\""));
    answer(f, 400, TYPE("AccessDeniedException"));
    check_rc(try_permission(f, "kms:GenerateDataKey"), DENIED);
    answer(f, 400, TYPE("AccessDeniedException"));
    ks_rc rc = try_permission(f, "kms:Decrypt"); /* nothing to try it with */
    check_rc(rc, STATE);
    check_text(rc, "kms:Encrypt");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_ROLE(name) cmocka_unit_test_setup_teardown(name, setup_role, teardown)
    const struct CMUnitTest tests[] = {
        TEST(unwrap__request__names_key_and_context_and_is_signed),
        TEST(wrap__described_first__its_material_is_the_version),
        TEST(wrap__may_not_describe__arn_is_the_version),
        TEST(wrap__describe_or_encrypt_fails__nothing_written),
        TEST(version__states__as_denials),
        TEST(unwrap__each_answer__classified),
        TEST(unwrap__no_ciphertext__corrupt_without_a_request),
        TEST(unwrap__clock_wrong__corrected_once_and_for_later),
        TEST(unwrap__clock_still_wrong__not_a_third_time),
        TEST(unwrap__clock_right_but_refused__not_repeated),
        TEST(unwrap__credentials_refused__others_tried_once),
        TEST(unwrap__no_credentials__credential_without_a_request),
        TEST_ROLE(role__assumed_with_organisation__kept_for_half_a_minute),
        TEST_ROLE(role__each_organisation__a_session_of_its_own),
        TEST_ROLE(role__organisation_that_cannot_be_an_external_id__usage),
        TEST_ROLE(role__trust_policy_edited__denied_within_half_a_minute_and_back),
        TEST_ROLE(role__not_to_be_renewed__used_until_it_has_expired),
        TEST_ROLE(role__other_refusals_of_sts__credential),
        TEST_ROLE(role__session_taken_for_expired__assumed_anew_once),
        TEST(own__near_their_end__renewed_and_else_used_up),
        TEST_ROLE(role__many_threads__one_session),
        TEST(open__malformed__usage),
        TEST(scope__caller__account_and_region),
        TEST(permissions__each__asks_for_what_it_is_named),
    };

    check_ok(secret_init());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
