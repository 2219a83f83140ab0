/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the driver of Azure Key Vault asks what it must, gets tokens in every way there is, shows them to nobody
 * they were not asked for, and gives each answer its class. A scripted server plays vault and token
 * service.
 */
#include "answers.h"
#include "base/base64.h"
#include "check.h"
#include "kms/azure_token.h"
#include "kms/bound.h"
#include "tmpdir.h"

#define TOKEN "{\"access_token\":\"ey.one\",\"expires_in\":3600,\"token_type\":\"Bearer\"}"
#define ERROR(code, message) "{\"error\":{\"code\":\"" code "\",\"message\":\"" message "\"}}"
#define INNER(code, inner, message)                                                                \
    "{\"error\":{\"code\":\"" code "\",\"message\":\"" message                                     \
    "\",\"innererror\":{\"code\":\"" inner "\"}}}"

static struct wire_server *server;
static struct key_context context;
static struct secret *plain;
static struct buf blob;
static char wrapped[2048], unwrapped[2048], unwrapped_other[2048], key_reply[1024],
    key_disabled[1024];
static struct tmpdir tmp;
static struct path secret_path;
static struct {
    const char *name, *value;
} settings[8];

static const char *env(void *arg, const char *name)
{
    (void)arg;
    if (strcmp(name, "AZURE_AUTHORITY_HOST") == 0)
        return wire_server_url(server);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (settings[i].name && strcmp(settings[i].name, name) == 0)
            return settings[i].value;
    return NULL;
}

static void set(size_t i, const char *name, const char *value)
{
    settings[i].name = name;
    settings[i].value = value;
}

static ks_rc open_spec(const char *uri, const char *principal, struct clock *clock,
                       struct kms **ret)
{
    struct key_spec spec = {"AZURE_KEY_VAULT", "", ""};
    struct kms_conf conf = {.spec = &spec, .clock = clock, .env = env};

    snprintf(spec.uri, sizeof spec.uri, "%s", uri);
    snprintf(spec.auth_principal, sizeof spec.auth_principal, "%s", principal);
    return kms_driver_azure.open(&conf, ret);
}

static struct kms *open_key(const char *principal)
{
    char uri[512];
    struct kms *kms = NULL;

    snprintf(uri, sizeof uri, "%s/keys/orders", wire_server_url(server));
    check_ok(open_spec(uri, principal, clock_system(), &kms));
    return kms;
}

static void value_reply(struct view bytes, char out[2048])
{
    struct buf text = buf_init(1024);

    check_ok(base64_write(bytes, BASE64_URL, &text));
    snprintf(out, 2048, "{\"kid\":\"%s/keys/orders/v1\",\"value\":\"%s\"}", wire_server_url(server),
             buf_text(&text));
    buf_done(&text);
}

static void make_samples(void)
{
    struct envelope e = {.reference = "orders/v1", .ciphertext = view_text("ciphertext")};
    struct secret *bound, *other, *other_bound;

    check_ok(bound_plain(&context, plain, &bound));
    check_ok(secret_new(32, &other));
    check_ok(bound_plain(&context, other, &other_bound));
    value_reply(secret_view(bound), unwrapped);
    value_reply(secret_view(other_bound), unwrapped_other);
    value_reply(view_text("ciphertext"), wrapped);
    snprintf(key_reply, sizeof key_reply,
             "{\"key\":{\"kid\":\"%s/keys/orders/"
             "v2\",\"kty\":\"RSA\"},\"attributes\":{\"enabled\":true}}",
             wire_server_url(server));
    snprintf(key_disabled, sizeof key_disabled,
             "{\"key\":{\"kid\":\"%s/keys/orders/v2\"},\"attributes\":{\"enabled\":false}}",
             wire_server_url(server));
    blob = buf_init(KEY_BLOB_MAX);
    check_ok(envelope_write(&e, &context, &blob));
    secret_free(bound);
    secret_free(other);
    secret_free(other_bound);
}

static int setup(void **state)
{
    (void)state;
    memset(settings, 0, sizeof settings);
    set(0, "AZURE_CLIENT_ID", "the-client");
    set(1, "AZURE_CLIENT_SECRET", "the secret");
    tmp = tmpdir_make();
    secret_path = tmpdir_path(&tmp, "secret");
    file_put(secret_path.text, view_text("in-the-file\n"));
    check_ok(wire_server_start(NULL, &server));
    context.count = 1;
    context.pairs[0].name = "volume";
    context.pairs[0].value = "0011";
    check_ok(secret_copy(view_text("0123456789abcdef0123456789abcdef"), &plain));
    make_samples();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    wire_server_stop(TAKE(server));
    secret_free(TAKE(plain));
    buf_done(&blob);
    tmpdir_remove(&tmp);
    return 0;
}

static struct kms_call a_call(void)
{
    return (struct kms_call){0, clock_system(), NULL};
}

static ks_rc unwrap_with(struct kms *kms, const struct kms_call *call)
{
    struct secret *got = NULL;
    ks_rc rc = kms_driver_azure.unwrap(kms, call, &context, buf_view(&blob), &got);

    if (ks_ok(rc))
        check_bytes(secret_view(got), secret_view(plain));
    else
        assert_null(got);
    secret_free(got);
    return rc;
}

static ks_rc wrap_with(struct kms *kms, const struct kms_call *call)
{
    struct buf out = buf_init(KEY_BLOB_MAX);
    char version[KEY_VERSION_BYTES] = "untouched";
    ks_rc rc = kms_driver_azure.wrap(kms, call, &context, plain, &out, version);

    assert_true(ks_ok(rc) ? out.len > 0 && strcmp(version, "v1") == 0
                          : out.len == 0 && strcmp(version, "untouched") == 0);
    buf_done(&out);
    return rc;
}

static ks_rc unwrap(struct kms *kms)
{
    struct kms_call call = a_call();

    return unwrap_with(kms, &call);
}

static ks_rc version(struct kms *kms, char ret[KEY_VERSION_BYTES])
{
    struct kms_call call = a_call();

    return kms_driver_azure.version(kms, &call, &context, ret);
}

static void answer(int status, const char *body)
{
    wire_server_answer(server, status, "", body);
}

/* --- every answer --- */

static ks_rc attempt_unwrap(void *arg, const struct kms_call *call)
{
    struct kms *kms = open_key(arg);
    ks_rc rc = unwrap_with(kms, call);

    kms_driver_azure.close(kms);
    return rc;
}

static ks_rc attempt_wrap(void *arg, const struct kms_call *call)
{
    struct kms *kms = open_key(arg);
    ks_rc rc = wrap_with(kms, call);

    kms_driver_azure.close(kms);
    return rc;
}

static void before_vault(void *arg, struct wire_server *s)
{
    (void)arg;
    wire_server_answer(s, 200, "", TOKEN);
}

static const struct answer vault_answers[] = {
    {"disabled", 403, NULL,
     INNER("Forbidden", "KeyDisabled", "Operation unwrapKey is not allowed on a disabled key."),
     .code = KS_E_KEY_DISABLED},
    {"disabled, told in words", 403, NULL,
     ERROR("Forbidden", "Operation unwrapKey is not allowed on a disabled key."),
     .code = KS_E_KEY_DISABLED},
    {"disabled, inner error written otherwise", 403, NULL,
     "{\"error\":{\"code\":\"Forbidden\",\"message\":\"\",\"innerError\":{\"code\":\"KeyDisabled\"}"
     "}}",
     .code = KS_E_KEY_DISABLED},
    {"not yet valid", 403, NULL, INNER("Forbidden", "KeyNotYetValid", "no"),
     .code = KS_E_KEY_DISABLED},
    {"expired", 403, NULL, ERROR("Forbidden", "The key has expired."), .code = KS_E_KEY_DISABLED},
    {"key_ops", 403, NULL, ERROR("Forbidden", "Operation unwrapKey is not permitted on this key."),
     .code = KS_E_KEY_DISABLED},
    {"RBAC", 403, NULL, INNER("Forbidden", "ForbiddenByRbac", "Caller is not authorized"),
     .code = KS_E_DENIED},
    {"access policy", 403, NULL, INNER("Forbidden", "AccessDenied", "no keys/unwrap"),
     .code = KS_E_DENIED},
    {"firewall", 403, NULL, INNER("Forbidden", "ForbiddenByFirewall", "Client address"),
     .code = KS_E_DENIED, .text = "firewall"},
    {"no key", 404, "x-ms-request-id: id-7\r\n",
     ERROR("KeyNotFound", "A key with (name/id) orders was not found"), .code = KS_E_KEY_NOT_FOUND,
     .request_id = "id-7"},
    {"deleted", 404, NULL, ERROR("KeyNotFound", "Key orders is currently in a deleted state"),
     .code = KS_E_KEY_PENDING_DELETION},
    {"deleted, told as a conflict", 409, NULL,
     INNER("Conflict", "ObjectIsDeletedButRecoverable", "x"), .code = KS_E_KEY_PENDING_DELETION},
    {"conflict", 409, NULL, ERROR("Conflict", "is being changed"), .code = KS_E_UNREACHABLE},
    {"ciphertext", 400, NULL, ERROR("BadParameter", "Error occurred while decoding"),
     .code = KS_E_AUTH},
    {"405", 405, NULL, ERROR("MethodNotAllowed", "no"), .code = KS_E_USAGE},
    {"401 for good", 401, NULL, ERROR("Unauthorized", "AKV10000"), .code = KS_E_CREDENTIAL},
    {"throttled", 429, "Retry-After: 10\r\n", ERROR("Throttled", "slow down"),
     .code = KS_E_THROTTLED, .retry_after_ms = 10000},
    {"throttled without words", 429, NULL, NULL, .code = KS_E_THROTTLED},
    {"408", 408, NULL, ERROR("RequestTimeout", "late"), .code = KS_E_UNREACHABLE},
    {"500", 500, NULL, ERROR("InternalServerError", "oh"), .code = KS_E_UNREACHABLE},
    {"503 of a proxy", 503, NULL, "<html>", .code = KS_E_UNREACHABLE},
    {"418", 418, NULL, ERROR("Teapot", "short"), .code = KS_E_UNREACHABLE},
    {"302", 302, "Location: http://127.0.0.1:1/\r\n", NULL, .code = KS_E_UNREACHABLE},
    {"403 of a proxy", 403, NULL, "<html>forbidden</html>", .code = KS_E_BAD_REPLY},
    {"404 of a web server", 404, NULL, "nothing here", .code = KS_E_BAD_REPLY},
    {"400 of a web server", 400, NULL, "{}", .code = KS_E_BAD_REPLY},
    {"empty", 200, NULL, NULL, .code = KS_E_BAD_REPLY},
    {"not JSON", 200, NULL, "<html>", .code = KS_E_BAD_REPLY},
    {"an array", 200, NULL, "[]", .code = KS_E_BAD_REPLY},
    {"nothing in it", 200, NULL, "{}", .code = KS_E_BAD_REPLY},
    {"no value", 200, NULL, "{\"kid\":\"https://v.vault.azure.net/keys/orders/v1\"}",
     .code = KS_E_BAD_REPLY},
    {"empty value", 200, NULL,
     "{\"kid\":\"https://v.vault.azure.net/keys/orders/v1\",\"value\":\"\"}",
     .code = KS_E_BAD_REPLY},
    {"value is a number", 200, NULL,
     "{\"kid\":\"https://v.vault.azure.net/keys/orders/v1\",\"value\":1}", .code = KS_E_BAD_REPLY},
    {"value is no base64", 200, NULL,
     "{\"kid\":\"https://v.vault.azure.net/keys/orders/v1\",\"value\":\"!\"}",
     .code = KS_E_BAD_REPLY},
    {"value of somebody else", 200, NULL,
     "{\"kid\":\"https://v.vault.azure.net/keys/orders/v1\",\"value\":\"aGVsbG8\"}",
     .code = KS_E_FORMAT},
    {"kid is no url", 200, NULL, "{\"kid\":\"orders\",\"value\":\"aGVsbG8\"}",
     .code = KS_E_BAD_REPLY},
    {"kid without version", 200, NULL,
     "{\"kid\":\"https://v.vault.azure.net/keys/orders\",\"value\":\"aGVsbG8\"}",
     .code = KS_E_BAD_REPLY},
    {"kid of another key", 200, NULL,
     "{\"kid\":\"https://v.vault.azure.net/keys/bills/v1\",\"value\":\"aGVsbG8\"}",
     .code = KS_E_BAD_REPLY},
    {"half", 200, NULL, "{", ANSWER_HALF, KS_E_UNREACHABLE},
    {"too long", 200, NULL, "{}", ANSWER_LONG, KS_E_BAD_REPLY},
    {"no HTTP", 0, NULL, "SSH-2.0-x\r\n", ANSWER_RAW, KS_E_BAD_REPLY},
    {"reset", 0, NULL, NULL, ANSWER_RESET, KS_E_UNREACHABLE},
    {"hangs", 0, NULL, NULL, ANSWER_HANG, KS_E_TIMEOUT},
};

static void unwrap__every_answer__its_class(void **state)
{
    char principal[] = "tenant";
    struct answers a = {server, before_vault, attempt_unwrap, principal};

    (void)state;
    answers_check(&a, vault_answers, sizeof vault_answers / sizeof vault_answers[0]);
}

static const struct answer wrap_answers[] = {
    {"does not take it", 400, NULL,
     ERROR("BadParameter", "Key and signing algorithm are incompatible"), .code = KS_E_USAGE},
    {"denied", 403, NULL, ERROR("Forbidden", "ForbiddenByRbac"), .code = KS_E_DENIED},
};

static void wrap__every_answer__its_class(void **state)
{
    char principal[] = "tenant";
    struct answers a = {server, before_vault, attempt_wrap, principal};

    (void)state;
    answers_check(&a, wrap_answers, sizeof wrap_answers / sizeof wrap_answers[0]);
}

static const struct answer token_answers[] = {
    {"wrong secret", 401, NULL,
     "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: Invalid client "
     "secret\"}",
     .code = KS_E_CREDENTIAL, .text = "AADSTS7000215"},
    {"no such tenant", 400, NULL, "{\"error\":\"invalid_request\"}", .code = KS_E_CREDENTIAL},
    {"not JSON", 200, NULL, "<html>", .code = KS_E_BAD_REPLY},
    {"no token", 200, NULL, "{\"expires_in\":1}", .code = KS_E_BAD_REPLY},
    {"empty token", 200, NULL, "{\"access_token\":\"\"}", .code = KS_E_BAD_REPLY},
    {"token with a line end", 200, NULL, "{\"access_token\":\"a\\r\\nX: y\"}",
     .code = KS_E_BAD_REPLY},
    {"time is a word", 200, NULL, "{\"access_token\":\"a\",\"expires_in\":\"soon\"}",
     .code = KS_E_BAD_REPLY},
    {"throttled", 429, NULL, "{}", .code = KS_E_THROTTLED},
    {"500", 500, NULL, NULL, .code = KS_E_UNREACHABLE},
    {"410", 410, NULL, NULL, .code = KS_E_UNREACHABLE},
    {"reset", 0, NULL, NULL, ANSWER_RESET, KS_E_UNREACHABLE},
};

static void token__every_answer__its_class(void **state)
{
    char principal[] = "tenant";
    struct answers a = {server, NULL, attempt_unwrap, principal};

    (void)state;
    answers_check(&a, token_answers, sizeof token_answers / sizeof token_answers[0]);
}

/* --- requests --- */

static void check_target(size_t i, const char *want)
{
    assert_string_equal(wire_server_request(server, i)->target, want);
}

static bool body_has(size_t i, const char *part)
{
    const struct wire_request *r = wire_server_request(server, i);
    char text[4096];

    snprintf(text, sizeof text, "%.*s", (int)r->body.len, (const char *)r->body.bytes);
    return strstr(text, part) != NULL;
}

static void check_header(size_t i, const char *name, const char *want)
{
    char got[256];

    wire_request_header(wire_server_request(server, i), name, got, sizeof got);
    assert_string_equal(got, want);
}

static void wrap__right_key__unwrapped_once_before_it_counts(void **state)
{
    struct kms *kms = open_key("tenant");
    struct kms_call call = a_call();

    (void)state;
    answer(200, TOKEN);
    answer(200, wrapped);
    answer(200, unwrapped);
    check_ok(wrap_with(kms, &call));
    check_target(0, "/tenant/oauth2/v2.0/token");
    assert_true(body_has(0, "client_id=the-client") && body_has(0, "client_secret=the%20secret") &&
                body_has(0, "scope=https%3A%2F%2Fvault.azure.net%2F.default"));
    check_target(1, "/keys/orders/wrapkey?api-version=7.4");
    check_target(2, "/keys/orders/v1/unwrapkey?api-version=7.4");
    check_header(2, "Authorization", "Bearer ey.one");
    assert_true(body_has(1, "RSA-OAEP-256"));
    kms_driver_azure.close(kms);
}

static void wrap__disabled_key_still_wraps__told_as_disabled(void **state)
{
    struct kms *kms = open_key("tenant");
    struct kms_call call = a_call();

    (void)state;
    answer(200, TOKEN);
    answer(200, wrapped);
    answer(403, INNER("Forbidden", "KeyDisabled", "no"));
    check_rc(wrap_with(kms, &call), KEY_DISABLED);
    answer(200, wrapped);
    answer(200, unwrapped_other);
    check_rc(wrap_with(kms, &call), BAD_REPLY);
    kms_driver_azure.close(kms);
}

static void unwrap__other_context_or_key__nothing_is_asked(void **state)
{
    struct envelope e = {.reference = "bills/v1", .ciphertext = view_text("x")};
    struct kms *kms = open_key("tenant");

    (void)state;
    context.pairs[0].value = "0012";
    check_rc(unwrap(kms), AUTH);
    blob.len = 0;
    check_ok(envelope_write(&e, &context, &blob));
    check_rc(unwrap(kms), WRONG_KEY);
    memcpy(e.reference, "orders/../x", 12);
    blob.len = 0;
    check_ok(envelope_write(&e, &context, &blob));
    check_rc(unwrap(kms), FORMAT);
    assert_int_equal(wire_server_count(server), 0);
    kms_driver_azure.close(kms);
}

static void version__read_or_told_by_a_wrap(void **state)
{
    struct kms *kms = open_key("tenant");
    char got[KEY_VERSION_BYTES];
    struct secret *zeros, *bound;
    char reply[2048];

    (void)state;
    check_ok(secret_new(32, &zeros));
    check_ok(bound_plain(&context, zeros, &bound));
    value_reply(secret_view(bound), reply);
    answer(200, TOKEN);
    answer(200, key_reply);
    check_ok(version(kms, got));
    assert_string_equal(got, "v2");
    check_target(1, "/keys/orders?api-version=7.4");
    answer(403, ERROR("Forbidden", "no keys/get"));
    answer(200, wrapped);
    answer(200, reply);
    check_ok(version(kms, got));
    assert_string_equal(got, "v1");
    answer(200, key_disabled);
    check_rc(version(kms, got), KEY_DISABLED);
    answer(200, "{\"key\":{}}");
    check_rc(version(kms, got), BAD_REPLY);
    secret_free(zeros);
    secret_free(bound);
    kms_driver_azure.close(kms);
}

/* --- tokens --- */

static void token__refused__another_is_fetched_once(void **state)
{
    struct kms *kms = open_key("tenant");

    (void)state;
    answer(200, TOKEN);
    answer(401, ERROR("Unauthorized", "expired"));
    answer(200, "{\"access_token\":\"ey.two\",\"expires_in\":\"3600\"}");
    answer(200, unwrapped);
    check_ok(unwrap(kms));
    check_header(3, "Authorization", "Bearer ey.two");
    kms_driver_azure.close(kms);
}

static void token__near_its_end__refreshed_but_kept_when_that_fails(void **state)
{
    struct clock_manual manual;
    struct kms *kms = NULL;
    char uri[512];

    (void)state;
    clock_manual_init(&manual, 1000, 1);
    snprintf(uri, sizeof uri, "%s/keys/orders", wire_server_url(server));
    check_ok(open_spec(uri, "tenant", &manual.clock, &kms));
    struct kms_call call = {0, &manual.clock, NULL};
    answer(200, TOKEN);
    answer(200, unwrapped);
    check_ok(unwrap_with(kms, &call));
    manual.now_ms += 3400 * 1000;
    answer(500, "");
    answer(200, unwrapped);
    check_ok(unwrap_with(kms, &call));
    manual.now_ms += 15 * 1000; /* not asked for again at once */
    answer(200, unwrapped);
    check_ok(unwrap_with(kms, &call));
    check_header(4, "Authorization", "Bearer ey.one");
    manual.now_ms += 15 * 1000;
    answer(500, "");
    answer(200, unwrapped);
    check_ok(unwrap_with(kms, &call));
    check_header(6, "Authorization", "Bearer ey.one");
    manual.now_ms += 270 * 1000;
    answer(500, "");
    check_rc(unwrap_with(kms, &call), UNREACHABLE);
    kms_driver_azure.close(kms);
}

static void token__tenant_not_known__learned_from_the_challenge(void **state)
{
    struct kms *kms = open_key("");
    char challenge[512];

    (void)state;
    snprintf(challenge, sizeof challenge,
             "WWW-Authenticate: Bearer authorization=\"%s/told-tenant\", "
             "resource=\"https://127.0.0.1\"\r\n",
             wire_server_url(server));
    wire_server_answer(server, 401, challenge, "");
    answer(200, TOKEN);
    answer(200, unwrapped);
    check_ok(unwrap(kms));
    check_header(0, "Authorization", "");
    check_target(1, "/told-tenant/oauth2/v2.0/token");
    kms_driver_azure.close(kms);
}

static void token__asked_for_another_domain__not_given(void **state)
{
    struct kms *kms = open_key("");

    (void)state;
    wire_server_answer(server, 401,
                       "WWW-Authenticate: Bearer authorization=\"https://login.example.com/t\", "
                       "resource=\"https://graph.example.com\"\r\n",
                       "");
    wire_server_answer(server, 401,
                       "WWW-Authenticate: Bearer authorization=\"https://login.example.com/t\", "
                       "resource=\"https://graph.example.com\"\r\n",
                       "");
    check_rc(unwrap(kms), CREDENTIAL);
    for (size_t i = 0; i < wire_server_count(server); i++)
        check_header(i, "Authorization", "");
    kms_driver_azure.close(kms);
}

static void token__secret_in_a_file__used(void **state)
{
    char principal[512];

    (void)state;
    set(1, NULL, NULL);
    snprintf(principal, sizeof principal, "tenant;client=other;secret=%s", secret_path.text);
    struct kms *kms = open_key(principal);
    answer(200, TOKEN);
    answer(200, unwrapped);
    check_ok(unwrap(kms));
    assert_true(body_has(0, "client_secret=in-the-file") && body_has(0, "client_id=other"));
    kms_driver_azure.close(kms);
}

static void token__federated__assertion_is_sent(void **state)
{
    struct kms *kms = open_key("tenant");

    (void)state;
    set(1, "AZURE_FEDERATED_TOKEN_FILE", secret_path.text);
    answer(200, TOKEN);
    answer(200, unwrapped);
    check_ok(unwrap(kms));
    assert_true(body_has(0, "client_assertion=in-the-file") && body_has(0, "jwt-bearer"));
    kms_driver_azure.close(kms);
}

static void token__app_service__asked_with_its_header(void **state)
{
    struct kms *kms = open_key("");
    char endpoint[512];

    (void)state;
    snprintf(endpoint, sizeof endpoint, "%s/msi/token", wire_server_url(server));
    set(1, "IDENTITY_ENDPOINT", endpoint);
    set(2, "IDENTITY_HEADER", "the-header");
    answer(200, "{\"access_token\":\"ey.app\",\"expires_in\":\"3600\"}");
    answer(200, unwrapped);
    check_ok(unwrap(kms));
    check_target(0, "/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fvault.azure.net&"
                    "client_id=the-client");
    check_header(0, "X-IDENTITY-HEADER", "the-header");
    check_header(1, "Authorization", "Bearer ey.app");
    kms_driver_azure.close(kms);
}

static void token__no_client_or_file__credential(void **state)
{
    struct kms *kms;

    (void)state;
    set(0, NULL, NULL);
    kms = open_key("tenant");
    check_rc(unwrap(kms), CREDENTIAL);
    kms_driver_azure.close(kms);
    kms = open_key("tenant;client=c;secret=/no/such/file");
    check_rc(unwrap(kms), CREDENTIAL);
    kms_driver_azure.close(kms);
    assert_int_equal(wire_server_count(server), 0);
}

/* --- names and challenges --- */

static void open__malformed_spec__usage(void **state)
{
    static const struct {
        const char *uri, *principal;
    } specs[] = {
        {"", ""},
        {"orders", ""},
        {"http://v.vault.azure.net/keys/orders", ""},
        {"https://:v.vault.azure.net/keys/orders", ""},
        {"https://v}.vault.azure.net/keys/orders", ""},
        {"https://keys/orders", ""},
        {"https://v.vault.azure.net/orders", ""},
        {"https://v.vault.azure.net/keys/", ""},
        {"https://v.vault.azure.net/keys/orders/", ""},
        {"https://v.vault.azure.net/keys/orders/v1/x", ""},
        {"https://v.vault.azure.net/secrets/keys/orders", ""},
        {"https://v.vault.azure.net/keys/or_ders", ""},
        {"https://v.vault.azure.net/keys/orders", "ten/ant"},
        {"https://v.vault.azure.net/keys/orders", "tenant;color=blue"},
        {"https://v.vault.azure.net/keys/orders", "tenant;secret=relative"},
    };
    struct kms *kms = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        ks_rc rc = open_spec(specs[i].uri, specs[i].principal, clock_system(), &kms);
        if (!ks_is(rc, KS_E_USAGE))
            fail_msg("%s %s: %s", specs[i].uri, specs[i].principal, ks_name(rc));
        assert_null(kms);
    }
}

static void challenge__forms_of_the_service__parsed(void **state)
{
    struct azure_challenge c;

    (void)state;
    check_ok(azure_challenge_parse("Bearer authorization=\"https://login.windows.net/72f9\", "
                                   "resource=\"https://vault.azure.net\"",
                                   &c));
    assert_string_equal(c.authority, "https://login.windows.net");
    assert_string_equal(c.tenant, "72f9");
    assert_true(azure_challenge_is_for(&c, "mine.vault.azure.net"));
    assert_true(azure_challenge_is_for(&c, "vault.azure.net"));
    assert_false(azure_challenge_is_for(&c, "mine.vault.azure.net.example.com"));
    assert_false(azure_challenge_is_for(&c, "minevault.azure.net"));
    check_ok(azure_challenge_parse("Bearer authorization_uri=\"https://login.windows.net/72f9/x\", "
                                   "scope=https://managedhsm.azure.net/.default",
                                   &c));
    assert_string_equal(c.resource, "https://managedhsm.azure.net");
}

static void challenge__malformed__bad_reply(void **state)
{
    static const char *const headers[] = {
        "",
        "Basic realm=x",
        "Bearer ",
        "Bearer authorization=\"https://login.windows.net/t\"",
        "Bearer resource=\"https://vault.azure.net\"",
        "Bearer authorization=\"https://login.windows.net\", resource=\"https://vault.azure.net\"",
        "Bearer authorization=\"http://login.windows.net/t\", resource=\"https://vault.azure.net\"",
        "Bearer authorization=\"\", resource=\"https://vault.azure.net\"",
        "Bearer authorization=\"https://login/../t\", resource=\"https://vault.azure.net\"",
        "Bearer xauthorization=\"https://login.windows.net/t\", resource=\"https://v.azure.net\"",
        "Bearer authorization=\"https://login.windows.net/t\", resource=\"/.default\"",
    };
    struct azure_challenge c;

    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        check_rc(azure_challenge_parse(headers[i], &c), BAD_REPLY);
}

static void clouds__authority_follows_the_vault(void **state)
{
    struct kms *kms = NULL;
    char scope[KMS_SCOPE_BYTES];
    struct azure_token t = {.rest = NULL};
    struct rest rest = {NULL, env, NULL};

    (void)state;
    check_ok(open_spec("https://v.vault.azure.cn/keys/orders", "t", clock_system(), &kms));
    kms_driver_azure.scope(kms, scope);
    assert_string_equal(scope, "azure:v.vault.azure.cn");
    kms_driver_azure.close(kms);
    check_ok(azure_token_init(&rest, "t", "v.vault.usgovcloudapi.net", &t));
    assert_string_equal(t.resource, "https://vault.usgovcloudapi.net");
}

static void permissions__tried_for_real(void **state)
{
    const struct kms_permission *p = kms_driver_azure.permissions;
    struct kms *kms = open_key("tenant");
    struct kms_call call = a_call();

    (void)state;
    answer(200, TOKEN);
    answer(200, wrapped);
    check_ok(p[0].attempt(kms, &call, &context));
    answer(200, wrapped);
    answer(403, ERROR("Forbidden", "ForbiddenByRbac"));
    check_rc(p[1].attempt(kms, &call, &context), DENIED);
    answer(403, ERROR("Forbidden", "ForbiddenByRbac"));
    check_rc(p[2].attempt(kms, &call, &context), DENIED);
    kms_driver_azure.close(kms);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(unwrap__every_answer__its_class),
        TEST(wrap__every_answer__its_class),
        TEST(token__every_answer__its_class),
        TEST(wrap__right_key__unwrapped_once_before_it_counts),
        TEST(wrap__disabled_key_still_wraps__told_as_disabled),
        TEST(unwrap__other_context_or_key__nothing_is_asked),
        TEST(version__read_or_told_by_a_wrap),
        TEST(token__refused__another_is_fetched_once),
        TEST(token__near_its_end__refreshed_but_kept_when_that_fails),
        TEST(token__tenant_not_known__learned_from_the_challenge),
        TEST(token__asked_for_another_domain__not_given),
        TEST(token__secret_in_a_file__used),
        TEST(token__federated__assertion_is_sent),
        TEST(token__app_service__asked_with_its_header),
        TEST(token__no_client_or_file__credential),
        TEST(open__malformed_spec__usage),
        TEST(challenge__forms_of_the_service__parsed),
        TEST(challenge__malformed__bad_reply),
        TEST(clouds__authority_follows_the_vault),
        TEST(permissions__tried_for_real),
    };

    check_ok(secret_init());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
