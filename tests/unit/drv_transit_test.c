/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the driver of Vault transit asks what it must, understands nothing but what a Vault would say, tells a
 * token that has run out from a key that is denied, and keeps its tokens alive. A scripted server plays
 * the service; tests/peers runs the contract against a real one.
 */
#include "answers.h"
#include "base/base64.h"
#include "check.h"
#include "kms/bound.h"
#include "kms/vault_auth.h"
#include "tmpdir.h"

#define LOOKUP "{\"data\":{\"ttl\":0,\"renewable\":false}}"
#define KEY(more)                                                                                  \
    "{\"request_id\":\"r-key\",\"data\":{\"type\":\"aes256-gcm96\",\"latest_version\":3" more "}}"
#define CIPHERTEXT                                                                                 \
    "{\"request_id\":\"r-1\",\"data\":{\"ciphertext\":\"vault:v3:AAAA\",\"key_version\":3}}"
#define ERRORS(text) "{\"errors\":[\"" text "\"]}"
#define POLICY ERRORS("1 error occurred:\\n\\t* permission denied\\n\\n")

static struct wire_server *server;
static struct key_context context;
static struct secret *plain;
static struct buf blob;
static char good_plaintext[512];
static struct tmpdir tmp;
static struct path secret_path;
static const char *token_env;

static const char *env(void *arg, const char *name)
{
    (void)arg;
    if (strcmp(name, "VAULT_TOKEN") == 0)
        return token_env;
    if (strcmp(name, "VAULT_ADDR") == 0)
        return wire_server_url(server);
    return NULL;
}

static ks_rc open_spec(const char *uri, const char *principal, struct kms **ret)
{
    struct key_spec spec = {"VAULT_TRANSIT", "", ""};
    struct kms_conf conf = {.spec = &spec, .clock = clock_system(), .env = env};

    snprintf(spec.uri, sizeof spec.uri, "%s", uri);
    snprintf(spec.auth_principal, sizeof spec.auth_principal, "%s", principal);
    return kms_driver_transit.open(&conf, ret);
}

static struct kms *open_key(const char *principal)
{
    struct kms *kms = NULL;

    check_ok(open_spec("transit/keys/orders", principal, &kms));
    return kms;
}

/* The plaintext that a right answer holds, and a blob whose envelope is whole. */
static void make_samples(void)
{
    struct envelope e = {.reference = "v3", .ciphertext = view_of("\0vault:v3:AAAA", 14)};
    struct buf text = buf_init(sizeof good_plaintext - 1);
    struct secret *bound;

    check_ok(bound_plain(&context, plain, &bound));
    check_ok(base64_write(secret_view(bound), BASE64_STANDARD, &text));
    snprintf(good_plaintext, sizeof good_plaintext,
             "{\"request_id\":\"r-2\",\"data\":{\"plaintext\":\"%s\"}}", buf_text(&text));
    blob = buf_init(KEY_BLOB_MAX);
    check_ok(envelope_write(&e, &context, &blob));
    buf_done(&text);
    secret_free(bound);
}

static int setup(void **state)
{
    (void)state;
    tmp = tmpdir_make();
    secret_path = tmpdir_path(&tmp, "secret");
    file_put(secret_path.text, view_text("the-secret-id\n"));
    token_env = "s.token";
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
    ks_rc rc = kms_driver_transit.unwrap(kms, call, &context, buf_view(&blob), &got);

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
    ks_rc rc = kms_driver_transit.wrap(kms, call, &context, plain, &out, version);

    assert_true(ks_ok(rc) ? out.len > 0 && strcmp(version, "v3") == 0
                          : out.len == 0 && strcmp(version, "untouched") == 0);
    buf_done(&out);
    return rc;
}

static ks_rc unwrap(struct kms *kms)
{
    struct kms_call call = a_call();

    return unwrap_with(kms, &call);
}

static ks_rc wrap(struct kms *kms)
{
    struct kms_call call = a_call();

    return wrap_with(kms, &call);
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

    kms_driver_transit.close(kms);
    return rc;
}

static ks_rc attempt_wrap(void *arg, const struct kms_call *call)
{
    struct kms *kms = open_key(arg);
    ks_rc rc = wrap_with(kms, call);

    kms_driver_transit.close(kms);
    return rc;
}

static void before_unwrap(void *arg, struct wire_server *s)
{
    (void)arg;
    wire_server_answer(s, 200, "", LOOKUP);
}

static void before_encrypt(void *arg, struct wire_server *s)
{
    before_unwrap(arg, s);
    wire_server_answer(s, 200, "", KEY(""));
}

static const struct answer decrypt_answers[] = {
    {"sealed", 503, NULL, ERRORS("Vault is sealed"), .code = KS_E_UNREACHABLE, .text = "unseal"},
    {"policy", 403, NULL, POLICY, .code = KS_E_DENIED},
    {"invalid token", 403, NULL,
     ERRORS("2 errors occurred:\\n\\t* permission denied\\n\\t* invalid token\\n\\n"),
     .code = KS_E_CREDENTIAL},
    {"bad token", 403, NULL, ERRORS("* bad token"), .code = KS_E_CREDENTIAL},
    {"unsure, and lookup-self is refused too", 403, NULL, ERRORS("permission denied"),
     .code = KS_E_CREDENTIAL},
    {"no token", 400, NULL, ERRORS("missing client token"), .code = KS_E_CREDENTIAL},
    {"401", 401, NULL, ERRORS("who are you"), .code = KS_E_CREDENTIAL},
    {"no key", 400, NULL, ERRORS("encryption key not found"), .code = KS_E_KEY_NOT_FOUND},
    {"no route", 404, NULL, ERRORS("no handler for route"), .code = KS_E_KEY_NOT_FOUND},
    {"too old", 400, NULL,
     ERRORS("ciphertext or signature version is disallowed by policy (too old)"),
     .code = KS_E_KEY_DISABLED},
    {"soft-deleted", 400, NULL, ERRORS("refusing to use soft-deleted key"),
     .code = KS_E_KEY_DISABLED},
    {"too new", 400, NULL, ERRORS("invalid ciphertext: version is too new"),
     .code = KS_E_WRONG_KEY},
    {"tag", 400, NULL, ERRORS("cipher: message authentication failed"), .code = KS_E_AUTH},
    {"base64", 400, NULL, ERRORS("invalid ciphertext: could not decode base64"), .code = KS_E_AUTH},
    {"no prefix", 400, NULL, ERRORS("invalid ciphertext: no prefix"), .code = KS_E_AUTH},
    {"other 400", 400, NULL, ERRORS("missing 'context' for key derivation"), .code = KS_E_USAGE},
    {"405", 405, NULL, ERRORS("unsupported operation"), .code = KS_E_USAGE},
    {"throttled", 429, "Retry-After: 7\r\n", ERRORS("too many"), .code = KS_E_THROTTLED,
     .retry_after_ms = 7000},
    {"throttled by a proxy", 429, NULL, "<html>", .code = KS_E_THROTTLED},
    {"not caught up", 412, NULL, ERRORS("required index state not present"),
     .code = KS_E_UNREACHABLE},
    {"standby", 473, NULL, ERRORS("performance standby"), .code = KS_E_UNREACHABLE},
    {"words of a denial with a status that is none", 300, NULL, ERRORS("encryption key not found"),
     .code = KS_E_UNREACHABLE},
    {"elsewhere", 307, "Location: http://127.0.0.1:1/\r\n", NULL, .code = KS_E_UNREACHABLE},
    {"500", 500, NULL, ERRORS("internal error"), .code = KS_E_UNREACHABLE},
    {"502 of a proxy", 502, NULL, "<html>bad gateway</html>", .code = KS_E_UNREACHABLE},
    {"418", 418, NULL, ERRORS("a teapot"), .code = KS_E_UNREACHABLE},
    {"403 of a proxy", 403, NULL, "<html>forbidden</html>", .code = KS_E_BAD_REPLY},
    {"404 of a web server", 404, NULL, "not found", .code = KS_E_BAD_REPLY},
    {"204", 204, NULL, NULL, .code = KS_E_BAD_REPLY},
    {"empty", 200, NULL, NULL, .code = KS_E_BAD_REPLY},
    {"not JSON", 200, NULL, "<html>", .code = KS_E_BAD_REPLY},
    {"an array", 200, NULL, "[]", .code = KS_E_BAD_REPLY},
    {"no data", 200, NULL, "{}", .code = KS_E_BAD_REPLY},
    {"data is a text", 200, NULL, "{\"data\":\"x\"}", .code = KS_E_BAD_REPLY},
    {"no plaintext", 200, NULL, "{\"data\":{}}", .code = KS_E_BAD_REPLY},
    {"plaintext is a number", 200, NULL, "{\"data\":{\"plaintext\":1}}", .code = KS_E_BAD_REPLY},
    {"plaintext is empty", 200, NULL, "{\"data\":{\"plaintext\":\"\"}}", .code = KS_E_BAD_REPLY},
    {"plaintext is no base64", 200, NULL, "{\"data\":{\"plaintext\":\"!!\"}}",
     .code = KS_E_BAD_REPLY},
    {"plaintext of somebody else", 200, NULL, "{\"data\":{\"plaintext\":\"aGVsbG8=\"}}",
     .code = KS_E_FORMAT},
    {"twice the same name", 200, NULL, "{\"data\":{},\"data\":{}}", .code = KS_E_BAD_REPLY},
    {"half", 200, NULL, "{\"data\":{", ANSWER_HALF, KS_E_UNREACHABLE},
    {"too long", 200, NULL, "{}", ANSWER_LONG, KS_E_BAD_REPLY},
    {"no HTTP", 0, NULL, "SSH-2.0-OpenSSH\r\n", ANSWER_RAW, KS_E_BAD_REPLY},
    {"closed", 0, NULL, NULL, ANSWER_NOTHING, KS_E_UNREACHABLE},
    {"reset", 0, NULL, NULL, ANSWER_RESET, KS_E_UNREACHABLE},
    {"hangs", 0, NULL, NULL, ANSWER_HANG, KS_E_TIMEOUT},
    {"hangs half way", 200, NULL, "{", ANSWER_HANG_HALF, KS_E_TIMEOUT},
};

static void decrypt__every_answer__its_class(void **state)
{
    char principal[] = "";
    struct answers a = {server, before_unwrap, attempt_unwrap, principal};

    (void)state;
    answers_check(&a, decrypt_answers, sizeof decrypt_answers / sizeof decrypt_answers[0]);
}

static const struct answer encrypt_answers[] = {
    {"right", 200, NULL, CIPHERTEXT, .code = KS_E_OK, .request_id = "r-1"},
    {"policy", 403, NULL, POLICY, .code = KS_E_DENIED},
    {"no ciphertext", 200, NULL, "{\"data\":{}}", .code = KS_E_BAD_REPLY},
    {"other prefix", 200, NULL, "{\"data\":{\"ciphertext\":\"AAAA\",\"key_version\":3}}",
     .code = KS_E_BAD_REPLY},
    {"version 0", 200, NULL, "{\"data\":{\"ciphertext\":\"vault:v0:A\",\"key_version\":0}}",
     .code = KS_E_BAD_REPLY},
    {"no version at all", 200, NULL, "{\"data\":{\"ciphertext\":\"vault:v:A\"}}",
     .code = KS_E_BAD_REPLY},
    {"version 0 in the text only", 200, NULL, "{\"data\":{\"ciphertext\":\"vault:v0:A\"}}",
     .code = KS_E_BAD_REPLY},
    {"version in the text only", 200, NULL, "{\"data\":{\"ciphertext\":\"vault:v3:A\"}}",
     .code = KS_E_OK},
};

static void encrypt__every_answer__its_class(void **state)
{
    char principal[] = "";
    struct answers a = {server, before_encrypt, attempt_wrap, principal};

    (void)state;
    answers_check(&a, encrypt_answers, sizeof encrypt_answers / sizeof encrypt_answers[0]);
}

static const struct answer key_answers[] = {
    {"no key", 404, NULL, "{\"errors\":[]}", .code = KS_E_KEY_NOT_FOUND},
    {"may not read", 403, NULL, POLICY, .code = KS_E_DENIED},
    {"soft-deleted", 200, NULL, KEY(",\"soft_deleted\":true"), .code = KS_E_KEY_DISABLED},
    {"RSA", 200, NULL, "{\"data\":{\"type\":\"rsa-2048\",\"latest_version\":1}}",
     .code = KS_E_USAGE},
    {"convergent", 200, NULL, KEY(",\"derived\":true,\"convergent_encryption\":true"),
     .code = KS_E_USAGE},
    {"no type", 200, NULL, "{\"data\":{\"latest_version\":1}}", .code = KS_E_BAD_REPLY},
    {"version is a text", 200, NULL,
     "{\"data\":{\"type\":\"aes256-gcm96\",\"latest_version\":\"x\"}}", .code = KS_E_BAD_REPLY},
};

static void key__every_answer__its_class(void **state)
{
    char principal[] = "";
    struct answers a = {server, before_unwrap, attempt_wrap, principal};

    (void)state;
    answers_check(&a, key_answers, sizeof key_answers / sizeof key_answers[0]);
}

static const struct answer login_answers[] = {
    {"wrong secret", 400, NULL, ERRORS("invalid role or secret ID"), .code = KS_E_CREDENTIAL},
    {"no such method", 404, NULL, ERRORS("no handler for route"), .code = KS_E_CREDENTIAL},
    {"denied", 403, NULL, ERRORS("permission denied"), .code = KS_E_CREDENTIAL},
    {"sealed", 503, NULL, ERRORS("Vault is sealed"), .code = KS_E_UNREACHABLE},
    {"no auth", 200, NULL, "{\"auth\":null}", .code = KS_E_BAD_REPLY},
    {"empty token", 200, NULL, "{\"auth\":{\"client_token\":\"\"}}", .code = KS_E_BAD_REPLY},
    {"token with a line end", 200, NULL, "{\"auth\":{\"client_token\":\"a\\r\\nb\"}}",
     .code = KS_E_CREDENTIAL},
};

static void login__every_answer__its_class(void **state)
{
    char principal[KEY_PRINCIPAL_BYTES];
    struct answers a = {server, NULL, attempt_unwrap, principal};

    (void)state;
    snprintf(principal, sizeof principal, "approle:role@%s", secret_path.text);
    answers_check(&a, login_answers, sizeof login_answers / sizeof login_answers[0]);
}

/* --- requests --- */

static bool body_has(size_t i, const char *part)
{
    const struct wire_request *r = wire_server_request(server, i);
    char text[4096];

    snprintf(text, sizeof text, "%.*s", (int)r->body.len, (const char *)r->body.bytes);
    return strstr(text, part) != NULL;
}

static void check_request(size_t i, const char *method, const char *target, const char *token)
{
    const struct wire_request *r = wire_server_request(server, i);
    char got[256];

    assert_string_equal(r->method, method);
    assert_string_equal(r->target, target);
    wire_request_header(r, "X-Vault-Token", got, sizeof got);
    assert_string_equal(got, token);
}

static void wrap__right_key__asked_for_first_and_bound(void **state)
{
    struct kms *kms = open_key("");

    (void)state;
    answer(200, LOOKUP);
    answer(200, KEY(""));
    answer(200, CIPHERTEXT);
    check_ok(wrap(kms));
    check_request(0, "GET", "/v1/auth/token/lookup-self", "s.token");
    check_request(1, "GET", "/v1/transit/keys/orders", "s.token");
    check_request(2, "POST", "/v1/transit/encrypt/orders", "s.token");
    assert_true(body_has(2, "associated_data"));
    assert_false(body_has(2, "\"context\""));
    assert_false(body_has(2, "MDEyMzQ1Njc4OWFi")); /* the plaintext does not stand there alone */
    kms_driver_transit.close(kms);
}

static void wrap__derived_key__context_is_sent_and_opens(void **state)
{
    struct kms *kms = open_key("");
    struct kms_call call = a_call();
    struct secret *got = NULL;
    char version[KEY_VERSION_BYTES];

    (void)state;
    answer(200, LOOKUP);
    answer(200, KEY(",\"derived\":true"));
    answer(200, CIPHERTEXT);
    answer(200, good_plaintext);
    blob.len = 0;
    check_ok(kms_driver_transit.wrap(kms, &call, &context, plain, &blob, version));
    assert_true(body_has(2, "\"context\""));
    check_ok(kms_driver_transit.unwrap(kms, &call, &context, buf_view(&blob), &got));
    assert_true(body_has(3, "\"context\""));
    secret_free(got);
    kms_driver_transit.close(kms);
}

static void use__namespace__sent_with_every_request(void **state)
{
    char uri[512], ns[64];
    struct kms *kms = NULL;

    (void)state;
    snprintf(uri, sizeof uri, "%s/v1/deep/transit/keys/orders?namespace=team/a",
             wire_server_url(server));
    check_ok(open_spec(uri, "", &kms));
    answer(200, LOOKUP);
    answer(200, good_plaintext);
    check_ok(unwrap(kms));
    for (size_t i = 0; i < 2; i++) {
        wire_request_header(wire_server_request(server, i), "X-Vault-Namespace", ns, sizeof ns);
        assert_string_equal(ns, "team/a");
    }
    check_request(1, "POST", "/v1/deep/transit/decrypt/orders", "s.token");
    kms_driver_transit.close(kms);
}

static void unwrap__other_context__nothing_is_asked(void **state)
{
    struct kms *kms = open_key("");

    (void)state;
    context.pairs[0].value = "0012";
    check_rc(unwrap(kms), AUTH);
    assert_int_equal(wire_server_count(server), 0);
    kms_driver_transit.close(kms);
}

static void use__deadline_passed__nothing_is_asked(void **state)
{
    struct kms_call call = {1, clock_system(), NULL};
    struct kms *kms = open_key("");

    (void)state;
    check_rc(unwrap_with(kms, &call), TIMEOUT);
    assert_int_equal(wire_server_count(server), 0);
    kms_driver_transit.close(kms);
}

/* --- tokens --- */

static void token__unsure_but_alive__denied(void **state)
{
    struct kms *kms = open_key("");

    (void)state;
    answer(200, LOOKUP);
    answer(403, ERRORS("permission denied"));
    answer(200, LOOKUP);
    check_rc(unwrap(kms), DENIED);
    answer(403, ERRORS("permission denied"));
    answer(403, POLICY); /* it may not look at itself, but it is known */
    check_rc(unwrap(kms), DENIED);
    answer(403, ERRORS("permission denied"));
    answer(503, ERRORS("Vault is sealed"));
    check_rc(unwrap(kms), UNREACHABLE);
    kms_driver_transit.close(kms);
}

static void token__replaced_in_its_file__second_try_works(void **state)
{
    struct kms *kms = open_key(secret_path.text);

    (void)state;
    answer(200, LOOKUP);
    answer(200, good_plaintext);
    check_ok(unwrap(kms));
    file_put(secret_path.text, view_text("s.newer\n"));
    answer(403, ERRORS("bad token"));
    answer(200, LOOKUP);
    answer(200, good_plaintext);
    check_ok(unwrap(kms));
    check_request(4, "POST", "/v1/transit/decrypt/orders", "s.newer");
    kms_driver_transit.close(kms);
}

static void token__still_refused__tried_twice_and_no_more(void **state)
{
    struct kms *kms = open_key("");

    (void)state;
    for (int i = 0; i < 2; i++) {
        answer(200, LOOKUP);
        answer(403, ERRORS("bad token"));
    }
    check_rc(unwrap(kms), CREDENTIAL);
    assert_int_equal(wire_server_count(server), 4);
    kms_driver_transit.close(kms);
}

static void token__none__credential(void **state)
{
    struct kms *kms = open_key("");

    (void)state;
    token_env = NULL;
    check_rc(unwrap(kms), CREDENTIAL);
    token_env = "with blank";
    check_rc(unwrap(kms), CREDENTIAL);
    assert_int_equal(wire_server_count(server), 0);
    kms_driver_transit.close(kms);
}

static struct kms *open_with_clock(const char *principal, struct clock *clock)
{
    struct key_spec spec = {"VAULT_TRANSIT", "transit/keys/orders", ""};
    struct kms_conf conf = {.spec = &spec, .clock = clock, .env = env};
    struct kms *kms = NULL;

    snprintf(spec.auth_principal, sizeof spec.auth_principal, "%s", principal);
    check_ok(kms_driver_transit.open(&conf, &kms));
    return kms;
}

static void approle__logs_in_renews_and_logs_in_again(void **state)
{
    char principal[KEY_PRINCIPAL_BYTES];
    struct clock_manual manual;

    (void)state;
    clock_manual_init(&manual, 1000, 1);
    snprintf(principal, sizeof principal, "approle:the-role@%s;mount=teams/approle",
             secret_path.text);
    struct kms *kms = open_with_clock(principal, &manual.clock);
    struct kms_call call = {0, &manual.clock, NULL};
    answer(200, "{\"auth\":{\"client_token\":\"s.one\",\"lease_duration\":90,\"renewable\":true}}");
    answer(200, good_plaintext);
    check_ok(unwrap_with(kms, &call));
    check_request(0, "POST", "/v1/auth/teams/approle/login", "");
    assert_true(body_has(0, "\"the-role\"") && body_has(0, "\"the-secret-id\""));
    check_request(1, "POST", "/v1/transit/decrypt/orders", "s.one");

    manual.now_ms += 61000; /* two thirds are over */
    answer(200, "{\"auth\":{\"client_token\":\"s.one\",\"lease_duration\":90,\"renewable\":true}}");
    answer(200, good_plaintext);
    check_ok(unwrap_with(kms, &call));
    check_request(2, "POST", "/v1/auth/token/renew-self", "s.one");

    manual.now_ms += 91000; /* run out */
    answer(200, "{\"auth\":{\"client_token\":\"s.two\",\"lease_duration\":90,\"renewable\":true}}");
    answer(200, good_plaintext);
    check_ok(unwrap_with(kms, &call));
    check_request(5, "POST", "/v1/transit/decrypt/orders", "s.two");

    manual.now_ms += 61000; /* a renewal that fails does no harm */
    answer(500, ERRORS("no"));
    answer(200, good_plaintext);
    check_ok(unwrap_with(kms, &call));

    manual.now_ms += 15000; /* and is tried again after half of what was left */
    answer(200, "{\"auth\":{\"client_token\":\"s.two\",\"lease_duration\":90,\"renewable\":true}}");
    answer(200, good_plaintext);
    check_ok(unwrap_with(kms, &call));
    check_request(8, "POST", "/v1/auth/token/renew-self", "s.two");
    check_request(9, "POST", "/v1/transit/decrypt/orders", "s.two");
    kms_driver_transit.close(kms);
}

static void kubernetes__logs_in_with_the_service_account(void **state)
{
    char principal[KEY_PRINCIPAL_BYTES];

    (void)state;
    snprintf(principal, sizeof principal, "kubernetes:db@%s", secret_path.text);
    struct kms *kms = open_key(principal);
    answer(200, "{\"auth\":{\"client_token\":\"s.k\"}}");
    answer(200, good_plaintext);
    check_ok(unwrap(kms));
    check_request(0, "POST", "/v1/auth/kubernetes/login", "");
    assert_true(body_has(0, "\"jwt\":\"the-secret-id\"") && body_has(0, "\"role\":\"db\""));
    kms_driver_transit.close(kms);
}

/* --- the spec --- */

static void open__malformed_spec__usage(void **state)
{
    static const struct {
        const char *uri, *principal;
    } specs[] = {
        {"", ""},
        {"transit/orders", ""},
        {"transit/keys/", ""},
        {"transit/keys/a/b", ""},
        {"../keys/a", ""},
        {"http://vault.example.com/v1/transit/keys/orders", ""},
        {"https://user@vault.example.com/v1/transit/keys/orders", ""},
        {"https:///v1/transit/keys/orders", ""},
        {"ftp://vault.example.com/v1/transit/keys/orders", ""},
        {"https://vault.example.com/transit/keys/orders", ""},
        {"https://vault.example.com/v1/transit/keys/or ders", ""},
        {"transit/keys/orders?version=3", ""},
        {"transit/keys/orders?namespace=", ""},
        {"transit/keys/orders", "s.a-token-is-no-principal"},
        {"transit/keys/orders", "approle:role"},
        {"transit/keys/orders", "approle:@/secret"},
        {"transit/keys/orders", "approle:role@relative"},
        {"transit/keys/orders", "approle:role@/secret;mount=../sys"},
        {"transit/keys/orders", "kubernetes:"},
    };
    struct kms *kms = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        ks_rc rc = open_spec(specs[i].uri, specs[i].principal, &kms);
        if (!ks_is(rc, KS_E_USAGE))
            fail_msg("%s %s: %s", specs[i].uri, specs[i].principal, ks_name(rc));
        assert_null(kms);
    }
}

static void scope__names_host_and_namespace(void **state)
{
    char scope[KMS_SCOPE_BYTES];
    struct kms *kms = NULL;

    (void)state;
    check_ok(
        open_spec("https://vault.example.com:8200/v1/transit/keys/orders?namespace=a", "", &kms));
    kms_driver_transit.scope(kms, scope);
    assert_string_equal(scope, "vault:vault.example.com:8200:a");
    kms_driver_transit.close(kms);
}

static void permissions__tried_for_real(void **state)
{
    const struct kms_permission *p = kms_driver_transit.permissions;
    struct kms *kms = open_key("");
    struct kms_call call = a_call();

    (void)state;
    answer(200, LOOKUP);
    answer(200, KEY(""));
    check_ok(p[0].attempt(kms, &call, &context));
    answer(200, KEY(""));
    answer(403, POLICY);
    check_rc(p[1].attempt(kms, &call, &context), DENIED);
    answer(200, KEY(""));
    answer(200, CIPHERTEXT);
    answer(403, POLICY);
    check_rc(p[2].attempt(kms, &call, &context), DENIED);
    kms_driver_transit.close(kms);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(decrypt__every_answer__its_class),
        TEST(encrypt__every_answer__its_class),
        TEST(key__every_answer__its_class),
        TEST(login__every_answer__its_class),
        TEST(wrap__right_key__asked_for_first_and_bound),
        TEST(wrap__derived_key__context_is_sent_and_opens),
        TEST(use__namespace__sent_with_every_request),
        TEST(unwrap__other_context__nothing_is_asked),
        TEST(use__deadline_passed__nothing_is_asked),
        TEST(token__unsure_but_alive__denied),
        TEST(token__replaced_in_its_file__second_try_works),
        TEST(token__still_refused__tried_twice_and_no_more),
        TEST(token__none__credential),
        TEST(approle__logs_in_renews_and_logs_in_again),
        TEST(kubernetes__logs_in_with_the_service_account),
        TEST(open__malformed_spec__usage),
        TEST(scope__names_host_and_namespace),
        TEST(permissions__tried_for_real),
    };

    check_ok(secret_init());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
