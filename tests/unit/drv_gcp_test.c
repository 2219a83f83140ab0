/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the driver asks Cloud KMS as its documentation says, checks what comes back, and tells each
 * answer, good or faulty, for what it is.
 */
#include "answers.h"
#include "base/base64.h"
#include "base/json.h"
#include "crypto/hash.h"
#include "gcp_fixture.h"
#include "tmpdir.h"

#define KEY "projects/p-1/locations/europe-west1/keyRings/r/cryptoKeys/k"
#define VERSION KEY "/cryptoKeyVersions/7"
#define SEALED "c2VhbGVk" /* "sealed" */
#define PLAIN "a store key"
#define VERIFIED                                                                                   \
    "\"verifiedPlaintextCrc32c\":true,\"verifiedAdditionalAuthenticatedDataCrc32c\":true"

static struct gcp_fixture f;
static struct key_context context = {1, {{"purpose", "test"}}};

static int setup(void **state)
{
    (void)state;
    gcp_fixture_start(&f, true);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gcp_fixture_stop(&f);
    return 0;
}

static struct kms *open_key(const char *principal)
{
    struct kms *kms = NULL;

    check_ok(gcp_fixture_open(&f, KEY, principal, &kms));
    return kms;
}

static struct kms_call one_call(struct kms_note *note)
{
    return (struct kms_call){clock_boot_ms(clock_system()) + 5000, clock_system(), note};
}

static uint32_t crc(const char *text)
{
    return hash_crc32c(view_text(text));
}

static void encrypted(char *room, size_t len)
{
    snprintf(room, len,
             "{\"name\":\"" VERSION "\",\"ciphertext\":\"" SEALED
             "\",\"ciphertextCrc32c\":\"%u\"," VERIFIED ",\"protectionLevel\":\"SOFTWARE\"}",
             crc("sealed"));
}

static void decrypted(char *room, size_t len)
{
    snprintf(room, len,
             "{\"plaintext\":\"YSBzdG9yZSBrZXk=\",\"plaintextCrc32c\":\"%u\",\"usedPrimary\":true}",
             crc(PLAIN));
}

/* --- the spec --- */

static void open__malformed_uri__usage(void **state)
{
    static const char *const uris[] = {
        "",
        "projects",
        KEY "/",
        KEY "/cryptoKeyVersions/1",
        "/" KEY,
        "projects/P/locations/l/keyRings/r/cryptoKeys/k",
        "projects/p/locations/l/keyRings/r/cryptoKeys/",
        "projects/p/locations/l/keyRings//cryptoKeys/k",
        "projects/p/locations/l/keyRings/r",
        "projects/p/locations/l/keyRings/r/cryptoKeys/k?x",
        "projects/p/locations/../keyRings/r/cryptoKeys/k",
        "projects/p/locations/l/keyrings/r/cryptoKeys/k",
        "projects/p/locations/l/keyRings/r/cryptoKeys/"
        "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk",
    };

    (void)state;
    for (size_t i = 0; i < sizeof uris / sizeof *uris; i++) {
        struct kms *kms = NULL;
        check_rc(gcp_fixture_open(&f, uris[i], "", &kms), USAGE);
        assert_null(kms);
    }
    assert_int_equal(wire_server_count(f.server), 0);
}

static void open__malformed_principal__usage(void **state)
{
    static const char *const principals[] = {
        "nobody", "a@b@c", "@b", "a@", "a@b,", ",a@b", "a@b/../x", "a@b,b@b,c@b,d@b,e@b,f@b"};

    (void)state;
    for (size_t i = 0; i < sizeof principals / sizeof *principals; i++) {
        struct kms *kms = NULL;
        check_rc(gcp_fixture_open(&f, KEY, principals[i], &kms), USAGE);
        assert_null(kms);
    }
}

static void scope__names_the_project(void **state)
{
    struct kms *kms = open_key("");
    char scope[KMS_SCOPE_BYTES];

    (void)state;
    kms->driver->scope(kms, scope);
    assert_string_equal(scope, "gcp:p-1");
    kms->driver->close(kms);
    kms_driver_gcp.close(NULL);
}

/* --- good answers --- */

static void check_member(const json_t *doc, const char *name, struct view bytes)
{
    CLEANUP(buf_done) struct buf text = buf_init(1024);
    char crc_name[64], crc_text[16];

    check_ok(base64_write(bytes, BASE64_STANDARD, &text));
    assert_string_equal(json_string_value(json_object_get(doc, name)), buf_text(&text));
    snprintf(crc_name, sizeof crc_name, "%sCrc32c", name);
    snprintf(crc_text, sizeof crc_text, "%u", hash_crc32c(bytes));
    assert_string_equal(json_string_value(json_object_get(doc, crc_name)), crc_text);
}

static void check_body(size_t request, const char *name, struct view bytes)
{
    CLEANUP(json_decrefp) json_t *doc = NULL;
    CLEANUP(buf_done) struct buf aad = buf_init(1024);
    const struct wire_request *r = wire_server_request(f.server, request);

    check_ok(json_read(r->body, (struct json_limits){65536, 4}, "body", &doc));
    check_ok(key_context_aad(&context, &aad));
    check_member(doc, name, bytes);
    check_member(doc, "additionalAuthenticatedData", buf_view(&aad));
}

static void wrap__granted__asks_and_answers_with_checksums(void **state)
{
    CLEANUP(secret_freep) struct secret *plain = NULL;
    CLEANUP(buf_done) struct buf blob = buf_init(KEY_BLOB_MAX);
    char version[KEY_VERSION_BYTES], body[512], header[64];
    struct kms *kms = open_key("");
    struct kms_note note = {"", 0};
    struct kms_call call = one_call(&note);

    (void)state;
    encrypted(body, sizeof body);
    wire_server_answer(f.server, 200, "x-goog-request-id: abc-1\r\n", body);
    check_ok(secret_copy(view_text(PLAIN), &plain));
    check_ok(kms->driver->wrap(kms, &call, &context, plain, &blob, version));
    check_bytes(buf_view(&blob), view_text("sealed"));
    assert_string_equal(version, VERSION);
    assert_string_equal(note.request_id, "abc-1");
    const struct wire_request *r = wire_server_request(f.server, 0);
    assert_string_equal(r->method, "POST");
    assert_string_equal(r->target, "/v1/" KEY ":encrypt");
    assert_true(wire_request_header(r, "authorization", header, sizeof header));
    assert_string_equal(header, "Bearer file-token");
    check_body(0, "plaintext", view_text(PLAIN));
    kms->driver->close(kms);
}

static void unwrap__granted__the_plain_bytes(void **state)
{
    CLEANUP(secret_freep) struct secret *plain = NULL;
    struct kms *kms = open_key("");
    struct kms_call call = one_call(NULL);
    char body[512];

    (void)state;
    decrypted(body, sizeof body);
    wire_server_answer(f.server, 200, "", body);
    check_ok(kms->driver->unwrap(kms, &call, &context, view_text("sealed"), &plain));
    check_bytes(secret_view(plain), view_text(PLAIN));
    assert_string_equal(wire_server_request(f.server, 0)->target, "/v1/" KEY ":decrypt");
    check_body(0, "ciphertext", view_text("sealed"));
    kms->driver->close(kms);
}

static void version__enabled_primary__its_name(void **state)
{
    struct kms *kms = open_key("");
    struct kms_call call = one_call(NULL);
    char version[KEY_VERSION_BYTES];

    (void)state;
    wire_server_answer(f.server, 200, "",
                       "{\"name\":\"" KEY "\",\"purpose\":\"ENCRYPT_DECRYPT\",\"primary\":{"
                       "\"name\":\"" VERSION "\",\"state\":\"ENABLED\"}}");
    check_ok(kms->driver->version(kms, &call, &context, version));
    assert_string_equal(version, VERSION);
    assert_string_equal(wire_server_request(f.server, 0)->method, "GET");
    assert_string_equal(wire_server_request(f.server, 0)->target, "/v1/" KEY);
    kms->driver->close(kms);
}

/* --- faulty answers --- */

static ks_rc attempt_unwrap(void *arg, const struct kms_call *call)
{
    struct secret *plain = NULL;
    struct kms *kms = arg;

    ks_rc rc = kms->driver->unwrap(kms, call, &context, view_text("sealed"), &plain);
    if (!ks_ok(rc))
        assert_null(plain);
    secret_free(plain);
    return rc;
}

static ks_rc attempt_wrap(void *arg, const struct kms_call *call)
{
    CLEANUP(secret_freep) struct secret *plain = NULL;
    CLEANUP(buf_done) struct buf blob = buf_init(KEY_BLOB_MAX);
    char version[KEY_VERSION_BYTES] = "untouched";
    struct kms *kms = arg;

    check_ok(secret_copy(view_text(PLAIN), &plain));
    ks_rc rc = kms->driver->wrap(kms, call, &context, plain, &blob, version);
    if (!ks_ok(rc)) {
        assert_int_equal(blob.len, 0);
        assert_string_equal(version, "untouched");
    }
    return rc;
}

static ks_rc attempt_version(void *arg, const struct kms_call *call)
{
    char version[KEY_VERSION_BYTES] = "untouched";
    struct kms *kms = arg;

    ks_rc rc = kms->driver->version(kms, call, &context, version);
    if (!ks_ok(rc))
        assert_string_equal(version, "untouched");
    return rc;
}

#define ERROR(code, status, message)                                                               \
    "{\"error\":{\"code\":" #code ",\"status\":\"" status "\",\"message\":\"" message "\"}}"
#define VIOLATION(type)                                                                            \
    "{\"error\":{\"code\":400,\"status\":\"FAILED_PRECONDITION\",\"message\":\"no\",\"details\":[" \
    "{\"@type\":\"type.googleapis.com/google.rpc.PreconditionFailure\",\"violations\":["           \
    "{\"type\":\"" type "\",\"subject\":\"" VERSION "\"}]}]}}"
#define REASON(code, status, reason)                                                               \
    "{\"error\":{\"code\":" #code ",\"status\":\"" status "\",\"message\":\"no\",\"details\":["    \
    "{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\"" reason "\"}]}}"

static const struct answer unwrap_answers[] = {
    {"disabled", 400, NULL,
     ERROR(400, "FAILED_PRECONDITION", "v is not enabled, current state is: DISABLED."),
     .code = KS_E_KEY_DISABLED, .text = "DISABLED"},
    {"disabled, by violation", 400, NULL, VIOLATION("KEY_DISABLED"), .code = KS_E_KEY_DISABLED},
    {"scheduled", 400, NULL,
     ERROR(400, "FAILED_PRECONDITION", "v is not enabled, current state is: DESTROY_SCHEDULED."),
     .code = KS_E_KEY_PENDING_DELETION},
    {"destroyed", 400, NULL,
     ERROR(400, "FAILED_PRECONDITION", "v is not enabled, current state is: DESTROYED."),
     .code = KS_E_KEY_DESTROYED},
    {"pending generation", 400, NULL,
     ERROR(400, "FAILED_PRECONDITION", "v is not enabled, current state is: PENDING_GENERATION."),
     .code = KS_E_KEY_DISABLED},
    {"another precondition", 400, NULL, ERROR(400, "FAILED_PRECONDITION", "billing"),
     .code = KS_E_DENIED},
    {"forbidden", 403, NULL,
     ERROR(403, "PERMISSION_DENIED",
           "Permission 'cloudkms.cryptoKeyVersions.useToDecrypt' denied on resource"),
     .code = KS_E_DENIED, .text = "useToDecrypt"},
    {"service disabled", 403, NULL, REASON(403, "PERMISSION_DENIED", "SERVICE_DISABLED"),
     .code = KS_E_DENIED},
    {"billing disabled", 403, NULL, REASON(403, "PERMISSION_DENIED", "BILLING_DISABLED"),
     .code = KS_E_DENIED},
    {"too small a scope", 403, NULL,
     REASON(403, "PERMISSION_DENIED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"), .code = KS_E_CREDENTIAL,
     .text = "cloud-platform"},
    {"rate limit as 403", 403, NULL, REASON(403, "PERMISSION_DENIED", "RATE_LIMIT_EXCEEDED"),
     .code = KS_E_THROTTLED},
    {"forbidden by something in between", 403, NULL, "<html>Forbidden</html>",
     .code = KS_E_BAD_REPLY, .text = "proxy"},
    {"no such key", 404, NULL, ERROR(404, "NOT_FOUND", "CryptoKey not found."),
     .code = KS_E_KEY_NOT_FOUND},
    {"no such page", 404, NULL, "<html>404</html>", .code = KS_E_BAD_REPLY},
    {"an error of no kind", 404, NULL, "{\"error\":404}", .code = KS_E_BAD_REPLY},
    {"denial with another status", 500, NULL, ERROR(403, "PERMISSION_DENIED", "no"),
     .code = KS_E_UNREACHABLE},
    {"denial as a success", 200, NULL, ERROR(403, "PERMISSION_DENIED", "no"),
     .code = KS_E_BAD_REPLY},
    {"wrong key", 400, NULL,
     ERROR(400, "INVALID_ARGUMENT",
           "Decryption failed: verify that 'name' refers to the correct CryptoKey."),
     .code = KS_E_WRONG_KEY},
    {"wrong ciphertext", 400, NULL,
     ERROR(400, "INVALID_ARGUMENT",
           "Decryption failed: the ciphertext is invalid: verify that 'ciphertext' and "
           "'additional_authenticated_data' are correct."),
     .code = KS_E_AUTH},
    {"our checksum did not fit", 400, NULL,
     ERROR(400, "INVALID_ARGUMENT",
           "The checksum in field ciphertext_crc32c did not match the data in field ciphertext."),
     .code = KS_E_BAD_REPLY},
    {"another argument", 400, NULL, ERROR(400, "INVALID_ARGUMENT", "name"), .code = KS_E_USAGE},
    {"unauthenticated", 401, NULL, ERROR(401, "UNAUTHENTICATED", "expired"),
     .code = KS_E_CREDENTIAL},
    {"quota", 429, "Retry-After: 7\r\n", ERROR(429, "RESOURCE_EXHAUSTED", "quota"),
     .code = KS_E_THROTTLED, .retry_after_ms = 7000},
    {"quota with a delay", 429, NULL,
     "{\"error\":{\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[{\"retryDelay\":\"1.5s\"}]}}",
     .code = KS_E_THROTTLED, .retry_after_ms = 1500},
    {"quota without a word", 429, NULL, "", .code = KS_E_THROTTLED},
    {"internal", 500, NULL, ERROR(500, "INTERNAL", "oops"), .code = KS_E_UNREACHABLE},
    {"unavailable", 503, "x-request-id: r-9\r\n", ERROR(503, "UNAVAILABLE", "later"),
     .code = KS_E_UNREACHABLE, .request_id = "r-9"},
    {"deadline", 504, NULL, ERROR(504, "DEADLINE_EXCEEDED", "late"), .code = KS_E_TIMEOUT},
    {"bad gateway", 502, NULL, "<html/>", .code = KS_E_UNREACHABLE},
    {"an id in the details", 403, NULL,
     "{\"error\":{\"code\":403,\"status\":\"PERMISSION_DENIED\",\"details\":[{\"requestId\":"
     "\"id-3\"}]}}",
     .code = KS_E_DENIED, .request_id = "id-3"},
    {"moved", 302, "Location: http://127.0.0.1:9/\r\n", "", .code = KS_E_BAD_REPLY},
    {"no body", 200, NULL, "", .code = KS_E_BAD_REPLY},
    {"no JSON", 200, NULL, "plaintext", .code = KS_E_BAD_REPLY},
    {"an array", 200, NULL, "[]", .code = KS_E_BAD_REPLY},
    {"twice the same name", 200, NULL, "{\"plaintext\":\"YQ==\",\"plaintext\":\"YQ==\"}",
     .code = KS_E_BAD_REPLY},
    {"no plaintext", 200, NULL, "{\"plaintextCrc32c\":\"1\"}", .code = KS_E_BAD_REPLY},
    {"plaintext of another type", 200, NULL, "{\"plaintext\":7,\"plaintextCrc32c\":\"1\"}",
     .code = KS_E_BAD_REPLY},
    {"plaintext that is no base64", 200, NULL, "{\"plaintext\":\"***\",\"plaintextCrc32c\":\"1\"}",
     .code = KS_E_BAD_REPLY},
    {"no checksum", 200, NULL, "{\"plaintext\":\"YQ==\"}", .code = KS_E_BAD_REPLY,
     .text = "plaintextCrc32c"},
    {"wrong checksum", 200, NULL, "{\"plaintext\":\"YQ==\",\"plaintextCrc32c\":\"1\"}",
     .code = KS_E_BAD_REPLY, .text = "damaged"},
    {"a checksum out of range", 200, NULL,
     "{\"plaintext\":\"YQ==\",\"plaintextCrc32c\":\"4294967296\"}", .code = KS_E_BAD_REPLY},
    {"half", 200, NULL, "{\"plaintext\":\"YQ==\"}", ANSWER_HALF, .code = KS_E_UNREACHABLE},
    {"without end", 200, NULL, "{}", ANSWER_LONG, .code = KS_E_BAD_REPLY},
    {"not HTTP", 0, NULL, "SSH-2.0-OpenSSH_9.2\r\n", ANSWER_RAW, .code = KS_E_BAD_REPLY},
    {"nothing", 0, NULL, NULL, ANSWER_NOTHING, .code = KS_E_UNREACHABLE},
    {"reset", 0, NULL, NULL, ANSWER_RESET, .code = KS_E_UNREACHABLE},
    {"hang", 0, NULL, NULL, ANSWER_HANG, .code = KS_E_TIMEOUT},
    {"hang in the middle", 0, NULL, "{}", ANSWER_HANG_HALF, .code = KS_E_TIMEOUT},
};

#define WRAPPED(name, rest) "{\"name\":\"" name "\",\"ciphertext\":\"" SEALED "\"," rest "}"

static const struct answer wrap_answers[] = {
    {"not verified", 200, NULL,
     WRAPPED(VERSION, "\"verifiedPlaintextCrc32c\":false,"
                      "\"verifiedAdditionalAuthenticatedDataCrc32c\":true"),
     .code = KS_E_BAD_REPLY, .text = "verifiedPlaintextCrc32c"},
    {"data not verified", 200, NULL, WRAPPED(VERSION, "\"verifiedPlaintextCrc32c\":true"),
     .code = KS_E_BAD_REPLY, .text = "verifiedAdditional"},
    {"no checksum", 200, NULL, WRAPPED(VERSION, VERIFIED), .code = KS_E_BAD_REPLY},
    {"wrong checksum", 200, NULL, WRAPPED(VERSION, VERIFIED ",\"ciphertextCrc32c\":\"1\""),
     .code = KS_E_BAD_REPLY, .text = "damaged"},
    {"another key", 200, NULL,
     WRAPPED("projects/p-1/locations/europe-west1/keyRings/r/cryptoKeys/k2/cryptoKeyVersions/1",
             VERIFIED),
     .code = KS_E_BAD_REPLY, .text = "another key"},
    {"no version", 200, NULL, WRAPPED(KEY "/cryptoKeyVersions/", VERIFIED), .code = KS_E_BAD_REPLY},
    {"no name", 200, NULL, "{\"ciphertext\":\"" SEALED "\"}", .code = KS_E_BAD_REPLY},
    {"wrong purpose", 400, NULL,
     ERROR(400, "FAILED_PRECONDITION", "the purpose of the CryptoKey is not ENCRYPT_DECRYPT"),
     .code = KS_E_USAGE},
    {"forbidden", 403, NULL, ERROR(403, "PERMISSION_DENIED", "useToEncrypt"), .code = KS_E_DENIED},
};

#define PRIMARY(state)                                                                             \
    "{\"purpose\":\"ENCRYPT_DECRYPT\",\"primary\":{\"name\":\"" VERSION "\",\"state\":\"" state    \
    "\"}}"

static const struct answer version_answers[] = {
    {"disabled", 200, NULL, PRIMARY("DISABLED"), .code = KS_E_KEY_DISABLED},
    {"scheduled", 200, NULL, PRIMARY("DESTROY_SCHEDULED"), .code = KS_E_KEY_PENDING_DELETION},
    {"destroyed", 200, NULL, PRIMARY("DESTROYED"), .code = KS_E_KEY_DESTROYED},
    {"not yet generated", 200, NULL, PRIMARY("PENDING_GENERATION"), .code = KS_E_UNREACHABLE},
    {"unknown state", 200, NULL, PRIMARY("SLEEPING"), .code = KS_E_BAD_REPLY},
    {"no primary", 200, NULL, "{\"purpose\":\"ENCRYPT_DECRYPT\"}", .code = KS_E_KEY_DISABLED},
    {"signing key", 200, NULL, "{\"purpose\":\"ASYMMETRIC_SIGN\"}", .code = KS_E_USAGE,
     .text = "ENCRYPT_DECRYPT"},
    {"no purpose", 200, NULL, "{}", .code = KS_E_BAD_REPLY},
    {"primary of another key", 200, NULL,
     "{\"purpose\":\"ENCRYPT_DECRYPT\",\"primary\":{\"name\":\"x\",\"state\":\"ENABLED\"}}",
     .code = KS_E_BAD_REPLY},
    {"no such key", 404, NULL, ERROR(404, "NOT_FOUND", "no"), .code = KS_E_KEY_NOT_FOUND},
};

static void check_answers(ks_rc (*attempt)(void *, const struct kms_call *),
                          const struct answer *table, size_t count)
{
    struct kms *kms = open_key("");
    struct answers a = {.server = f.server, .attempt = attempt, .arg = kms};

    answers_check(&a, table, count);
    kms->driver->close(kms);
}

static void unwrap__faulty_answers__classified(void **state)
{
    (void)state;
    check_answers(attempt_unwrap, unwrap_answers, sizeof unwrap_answers / sizeof *unwrap_answers);
}

static void wrap__faulty_answers__classified(void **state)
{
    (void)state;
    check_answers(attempt_wrap, wrap_answers, sizeof wrap_answers / sizeof *wrap_answers);
}

static void version__faulty_answers__classified(void **state)
{
    (void)state;
    check_answers(attempt_version, version_answers,
                  sizeof version_answers / sizeof *version_answers);
}

static void unwrap__401_once__fetches_another_token_and_succeeds(void **state)
{
    CLEANUP(secret_freep) struct secret *plain = NULL;
    struct kms *kms = open_key("");
    struct kms_call call = one_call(NULL);
    char body[512];

    (void)state;
    decrypted(body, sizeof body);
    wire_server_answer(f.server, 401, "", ERROR(401, "UNAUTHENTICATED", "expired"));
    wire_server_answer(f.server, 200, "", body);
    check_ok(kms->driver->unwrap(kms, &call, &context, view_text("sealed"), &plain));
    assert_int_equal(wire_server_count(f.server), 2);
    kms->driver->close(kms);
}

static void unwrap__time_is_over__timeout_without_a_request(void **state)
{
    struct kms *kms = open_key("");
    struct kms_call call = {1, clock_system(), NULL};
    struct secret *plain = NULL;

    (void)state;
    check_rc(kms->driver->unwrap(kms, &call, &context, view_text("sealed"), &plain), TIMEOUT);
    assert_int_equal(wire_server_count(f.server), 0);
    kms->driver->close(kms);
}

/* --- rights --- */

static ks_rc try_right(struct kms *kms, const char *name)
{
    struct kms_call call = one_call(NULL);

    for (const struct kms_permission *p = kms->driver->permissions; p->name; p++)
        if (strcmp(p->name, name) == 0)
            return p->attempt(kms, &call, &context);
    fail_msg("no right %s", name);
    return KS_SUCCESS;
}

static void rights__granted__all_succeed(void **state)
{
    struct kms *kms = open_key("");
    char sealed[512], plain[512];

    (void)state;
    encrypted(sealed, sizeof sealed);
    decrypted(plain, sizeof plain);
    check_ok(try_right(kms, "iam.serviceAccounts.getAccessToken"));
    wire_server_answer(f.server, 200, "", sealed);
    check_ok(try_right(kms, "cloudkms.cryptoKeyVersions.useToEncrypt"));
    wire_server_answer(f.server, 200, "", sealed);
    wire_server_answer(f.server, 200, "", plain);
    check_ok(try_right(kms, "cloudkms.cryptoKeyVersions.useToDecrypt"));
    wire_server_answer(f.server, 200, "", PRIMARY("ENABLED"));
    check_ok(try_right(kms, "cloudkms.cryptoKeys.get"));
    kms->driver->close(kms);
}

static void rights__decrypt_without_encrypt__told_apart(void **state)
{
    struct kms *kms = open_key("");

    (void)state;
    wire_server_answer(f.server, 403, "", ERROR(403, "PERMISSION_DENIED", "no"));
    wire_server_answer(f.server, 400, "", ERROR(400, "INVALID_ARGUMENT", "Decryption failed: x"));
    check_ok(try_right(kms, "cloudkms.cryptoKeyVersions.useToDecrypt"));
    wire_server_answer(f.server, 403, "", ERROR(403, "PERMISSION_DENIED", "no"));
    wire_server_answer(f.server, 403, "", ERROR(403, "PERMISSION_DENIED", "no"));
    check_rc(try_right(kms, "cloudkms.cryptoKeyVersions.useToDecrypt"), DENIED);
    kms->driver->close(kms);
}

static void rights__principal_refuses__the_others_cannot_be_told(void **state)
{
    static const char *const names[] = {"cloudkms.cryptoKeyVersions.useToEncrypt",
                                        "cloudkms.cryptoKeyVersions.useToDecrypt",
                                        "cloudkms.cryptoKeys.get"};
    struct kms *kms = open_key("keys@customer.iam.gserviceaccount.com");

    (void)state;
    for (size_t i = 0; i < 4; i++)
        wire_server_answer(f.server, 403, "", ERROR(403, "PERMISSION_DENIED", "no"));
    check_rc(try_right(kms, "iam.serviceAccounts.getAccessToken"), DENIED);
    for (size_t i = 0; i < 3; i++)
        check_rc(try_right(kms, names[i]), CREDENTIAL);
    assert_int_equal(wire_server_count(f.server), 4);
    kms->driver->close(kms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(open__malformed_uri__usage, setup, teardown),
        cmocka_unit_test_setup_teardown(open__malformed_principal__usage, setup, teardown),
        cmocka_unit_test_setup_teardown(scope__names_the_project, setup, teardown),
        cmocka_unit_test_setup_teardown(wrap__granted__asks_and_answers_with_checksums, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(unwrap__granted__the_plain_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(version__enabled_primary__its_name, setup, teardown),
        cmocka_unit_test_setup_teardown(unwrap__faulty_answers__classified, setup, teardown),
        cmocka_unit_test_setup_teardown(wrap__faulty_answers__classified, setup, teardown),
        cmocka_unit_test_setup_teardown(version__faulty_answers__classified, setup, teardown),
        cmocka_unit_test_setup_teardown(unwrap__401_once__fetches_another_token_and_succeeds, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(unwrap__time_is_over__timeout_without_a_request, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(rights__granted__all_succeed, setup, teardown),
        cmocka_unit_test_setup_teardown(rights__decrypt_without_encrypt__told_apart, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(rights__principal_refuses__the_others_cannot_be_told, setup,
                                        teardown),
    };

    if (!ks_ok(secret_init()))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
