/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: each way to a token asks what Google's documentation says; tokens are kept, renewed ahead of
 * their end and asked for anew where a customer may have taken back a right; and no refusal of our own
 * identity looks like one of the customer.
 */
#include "kms/gcp_auth.h"

#include "base/base64.h"
#include "base/json.h"
#include "gcp_fixture.h"

#define OWN_TOKEN(text)                                                                            \
    "{\"access_token\":\"" text "\",\"expires_in\":3600,\"token_type\":\"Bearer\"}"
#define TARGET_TOKEN(text) "{\"accessToken\":\"" text "\",\"expireTime\":\"2027-01-15T08:15:00Z\"}"
#define METADATA "Metadata-Flavor: Google\r\n"
#define TARGET "keys@customer.iam.gserviceaccount.com"

enum { WALL = 1800000000, LIFE_MS = 3600 * 1000 }; /* 2027-01-15T08:00:00Z */

static struct gcp_fixture f;
static struct clock_manual manual;
static struct gcp_net net;
static struct rsa *key;

static int setup(void **state)
{
    struct kms_conf conf = {.clock = &manual.clock, .env = gcp_fixture_env, .env_arg = &f};

    (void)state;
    gcp_fixture_start(&f, false);
    clock_manual_init(&manual, 1000000, WALL);
    check_ok(gcp_net_init(&conf, &net));
    /* the clock of the client decides when a request hangs: the real one */
    http_client_free(net.http);
    struct http_client_conf http = {.clock = clock_system()};
    check_ok(http_client_new(&http, &net.http));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gcp_net_done(&net);
    gcp_fixture_stop(&f);
    return 0;
}

static const struct kms_call call = {0, NULL, NULL};

static void answer(int status, const char *headers, const char *body)
{
    wire_server_answer(f.server, status, headers, body);
}

static const struct wire_request *request(size_t i)
{
    return wire_server_request(f.server, i);
}

static bool body_holds(size_t i, const char *part)
{
    struct view body = request(i)->body;

    return memmem(body.bytes, body.len, part, strlen(part)) != NULL;
}

/* The decoded value of a form's field. */
static void form_field(const struct wire_request *r, const char *name, char *room, size_t len)
{
    char text[16384];
    size_t used = 0;

    assert_true(r->body.len < sizeof text);
    memcpy(text, r->body.bytes, r->body.len);
    text[r->body.len] = 0;
    char *at = strstr(text, name);
    while (at && ((at != text && at[-1] != '&') || at[strlen(name)] != '='))
        at = strstr(at + 1, name);
    assert_non_null(at);
    for (at += strlen(name) + 1; *at && *at != '&'; at++) {
        char digits[3] = {at[0], at[0] ? at[1] : 0, 0};
        assert_true(used + 1 < len);
        if (*at == '%') {
            digits[0] = at[1];
            digits[1] = at[2];
            room[used++] = (char)strtoul(digits, NULL, 16);
            at += 2;
        } else {
            room[used++] = *at;
        }
    }
    room[used] = 0;
}

static void check_field(const struct wire_request *r, const char *name, const char *want)
{
    char value[8192];

    form_field(r, name, value, sizeof value);
    assert_string_equal(value, want);
}

static void fetch_ok(const char *want)
{
    CLEANUP(gcp_token_done) struct gcp_token t = {0};

    check_ok(gcp_token_fetch(&net, &call, &t));
    check_bytes(secret_view(t.text), view_text(want));
}

static void use_file(const char *text)
{
    gcp_fixture_set(&f, "GOOGLE_APPLICATION_CREDENTIALS",
                    gcp_fixture_file(&f, "credentials.json", text).text);
}

/* --- ways --- */

static void use_service_account(void)
{
    CLEANUP(secret_freep) struct secret *der = NULL;
    CLEANUP(buf_done) struct buf pem = buf_init(8192), text = buf_init(16384);
    CLEANUP(json_decrefp) json_t *doc = NULL;
    char url[256];

    check_ok(rsa_private_der(key, &der));
    check_ok(buf_append(&pem, view_text("-----BEGIN PRIVATE KEY-----\n")));
    check_ok(base64_write(secret_view(der), BASE64_STANDARD, &pem));
    check_ok(buf_append(&pem, view_text("\n-----END PRIVATE KEY-----\n")));
    snprintf(url, sizeof url, "%s/token", wire_server_url(f.server));
    doc = json_pack("{s:s,s:s,s:s,s:s,s:s}", "type", "service_account", "client_email", "a@b",
                    "private_key_id", "kid-1", "private_key", buf_text(&pem), "token_uri", url);
    check_ok(json_write(doc, false, &text));
    use_file(buf_text(&text));
}

static void read_part(const char *part, size_t len, json_t **ret)
{
    CLEANUP(buf_done) struct buf text = buf_init(4096);

    check_ok(base64_read(view_of(part, len), BASE64_URL, &text));
    check_ok(json_read(buf_view(&text), (struct json_limits){4096, 4}, "part", ret));
}

static void check_claims(const json_t *claims)
{
    char url[256];

    snprintf(url, sizeof url, "%s/token", wire_server_url(f.server));
    assert_string_equal(json_string_value(json_object_get(claims, "iss")), "a@b");
    assert_string_equal(json_string_value(json_object_get(claims, "aud")), url);
    assert_int_equal(json_integer_value(json_object_get(claims, "iat")), WALL);
    assert_int_equal(json_integer_value(json_object_get(claims, "exp")), WALL + 3600);
    assert_string_equal(json_string_value(json_object_get(claims, "scope")),
                        "https://www.googleapis.com/auth/cloud-platform");
}

static void fetch__service_account__a_signed_assertion(void **state)
{
    CLEANUP(json_decrefp) json_t *header = NULL, *claims = NULL;
    CLEANUP(buf_done) struct buf signature = buf_init(1024);
    char jwt[4096];

    (void)state;
    use_service_account();
    answer(200, "", OWN_TOKEN("t-1"));
    fetch_ok("t-1");
    assert_string_equal(request(0)->target, "/token");
    check_field(request(0), "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
    form_field(request(0), "assertion", jwt, sizeof jwt);
    char *dot = strchr(jwt, '.'), *last = strrchr(jwt, '.');
    read_part(jwt, (size_t)(dot - jwt), &header);
    read_part(dot + 1, (size_t)(last - dot) - 1, &claims);
    assert_string_equal(json_string_value(json_object_get(header, "alg")), "RS256");
    assert_string_equal(json_string_value(json_object_get(header, "kid")), "kid-1");
    check_claims(claims);
    check_ok(base64_read(view_text(last + 1), BASE64_URL, &signature));
    check_ok(rsa_verify_rs256(key, view_of(jwt, (size_t)(last - jwt)), buf_view(&signature)));
    json_decref(TAKE(claims));
}

static void fetch__authorized_user__a_refresh(void **state)
{
    char text[512];

    (void)state;
    snprintf(text, sizeof text,
             "{\"type\":\"authorized_user\",\"client_id\":\"id\",\"client_secret\":\"s&=\","
             "\"refresh_token\":\"1//r\",\"token_uri\":\"%s/t\"}",
             wire_server_url(f.server));
    use_file(text);
    answer(200, "", OWN_TOKEN("t-2"));
    fetch_ok("t-2");
    check_field(request(0), "grant_type", "refresh_token");
    check_field(request(0), "client_secret", "s&=");
    check_field(request(0), "refresh_token", "1//r");
}

static void fetch__metadata_server__asked_with_its_header(void **state)
{
    char header[32];

    (void)state;
    answer(200, METADATA, OWN_TOKEN("t-3"));
    fetch_ok("t-3");
    assert_string_equal(request(0)->target,
                        "/computeMetadata/v1/instance/service-accounts/default/token");
    assert_true(wire_request_header(request(0), "metadata-flavor", header, sizeof header));
    assert_string_equal(header, "Google");
}

static void federation(const char *source, const char *impersonation)
{
    char text[2048];

    snprintf(text, sizeof text,
             "{\"type\":\"external_account\",\"audience\":\"//iam/pool\",\"subject_token_type\":"
             "\"urn:ietf:params:oauth:token-type:jwt\",\"token_url\":\"%s/sts\",%s"
             "\"credential_source\":%s}",
             wire_server_url(f.server), impersonation, source);
    use_file(text);
}

static void fetch__federation_from_a_file__exchanged(void **state)
{
    struct path subject = gcp_fixture_file(&f, "subject", "ey.sub.ject\n");
    char source[400];

    (void)state;
    snprintf(source, sizeof source, "{\"file\":\"%s\"}", subject.text);
    federation(source, "");
    answer(200, "", OWN_TOKEN("t-4"));
    fetch_ok("t-4");
    assert_string_equal(request(0)->target, "/sts");
    check_field(request(0), "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
    check_field(request(0), "audience", "//iam/pool");
    check_field(request(0), "subject_token", "ey.sub.ject");
    check_field(request(0), "requested_token_type",
                "urn:ietf:params:oauth:token-type:access_token");
}

static void fetch__federation_from_a_url__exchanged_and_impersonated(void **state)
{
    char source[400], impersonation[400], header[64];

    (void)state;
    snprintf(source, sizeof source,
             "{\"url\":\"%s/subject\",\"headers\":{\"X-Ask\":\"yes\"},\"format\":{\"type\":"
             "\"json\",\"subject_token_field_name\":\"tok\"}}",
             wire_server_url(f.server));
    snprintf(impersonation, sizeof impersonation,
             "\"service_account_impersonation_url\":\"%s/x:generateAccessToken\",",
             wire_server_url(f.server));
    federation(source, impersonation);
    answer(200, "", "{\"tok\":\"subject-1\"}");
    answer(200, "", OWN_TOKEN("federated"));
    answer(200, "", TARGET_TOKEN("t-5"));
    fetch_ok("t-5");
    assert_true(wire_request_header(request(0), "x-ask", header, sizeof header));
    check_field(request(1), "subject_token", "subject-1");
    assert_string_equal(request(2)->target, "/x:generateAccessToken");
    assert_true(wire_request_header(request(2), "authorization", header, sizeof header));
    assert_string_equal(header, "Bearer federated");
}

static void fetch__impersonated_file__through_its_source(void **state)
{
    char text[1024];

    (void)state;
    snprintf(text, sizeof text,
             "{\"type\":\"impersonated_service_account\",\"delegates\":[\"projects/-/"
             "serviceAccounts/hop\"],\"service_account_impersonation_url\":\"%s/"
             "y:generateAccessToken\",\"source_credentials\":{\"type\":\"authorized_user\","
             "\"client_id\":\"id\",\"client_secret\":\"s\",\"refresh_token\":\"r\","
             "\"token_uri\":\"%s/t\"}}",
             wire_server_url(f.server), wire_server_url(f.server));
    use_file(text);
    answer(200, "", OWN_TOKEN("source"));
    answer(200, "", TARGET_TOKEN("t-6"));
    fetch_ok("t-6");
    assert_true(body_holds(1, "\"delegates\":[\"projects/-/serviceAccounts/hop\"]"));
}

/* --- refusals and faulty replies of our own identity --- */

static const struct {
    int status;
    const char *headers, *body;
    enum ks_code code;
} own_faults[] = {
    {400, "", "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT\"}",
     KS_E_CREDENTIAL},
    {400, "", "{\"error\":\"invalid_grant\",\"error_description\":\"in a reasonable timeframe\"}",
     KS_E_CREDENTIAL},
    {401, "", "{\"error\":\"invalid_client\"}", KS_E_CREDENTIAL},
    {403, "", "{\"error\":{\"code\":403,\"status\":\"PERMISSION_DENIED\"}}", KS_E_CREDENTIAL},
    {404, "", "{\"error\":{\"code\":404,\"status\":\"NOT_FOUND\"}}", KS_E_CREDENTIAL},
    {403, "", "<html/>", KS_E_BAD_REPLY},
    {429, "", "{\"error\":\"slow_down\"}", KS_E_THROTTLED},
    {500, "", "{\"error\":\"internal_failure\"}", KS_E_UNREACHABLE},
    {503, "", "", KS_E_UNREACHABLE},
    {200, "", "", KS_E_BAD_REPLY},
    {200, "", "{}", KS_E_BAD_REPLY},
    {200, "", "{\"access_token\":\"\"}", KS_E_BAD_REPLY},
    {200, "", "{\"access_token\":\"a b\"}", KS_E_BAD_REPLY},
    {200, "", "{\"access_token\":\"a\\nb\"}", KS_E_BAD_REPLY},
    {200, "", "{\"access_token\":7}", KS_E_BAD_REPLY},
    {200, "", "{\"access_token\":\"a\",\"expires_in\":-1}", KS_E_BAD_REPLY},
};

static void fetch__refused_or_faulty__never_a_denial(void **state)
{
    (void)state;
    use_service_account();
    for (size_t i = 0; i < sizeof own_faults / sizeof *own_faults; i++) {
        CLEANUP(gcp_token_done) struct gcp_token t = {0};
        answer(own_faults[i].status, own_faults[i].headers, own_faults[i].body);
        ks_rc rc = gcp_token_fetch(&net, &call, &t);
        if (!ks_is(rc, own_faults[i].code))
            fail_msg("%d %s: %s", own_faults[i].status, own_faults[i].body, ks_name(rc));
        assert_null(t.text);
    }
}

static void fetch__faulty_metadata_server__never_a_denial(void **state)
{
    static const struct {
        int status;
        const char *headers;
        enum ks_code code;
    } faults[] = {
        {200, "", KS_E_BAD_REPLY},         {404, METADATA, KS_E_CREDENTIAL},
        {403, METADATA, KS_E_CREDENTIAL},  {429, METADATA, KS_E_THROTTLED},
        {503, METADATA, KS_E_UNREACHABLE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        CLEANUP(gcp_token_done) struct gcp_token t = {0};
        answer(faults[i].status, faults[i].headers, OWN_TOKEN("x"));
        ks_rc rc = gcp_token_fetch(&net, &call, &t);
        if (!ks_is(rc, faults[i].code))
            fail_msg("%d: %s", faults[i].status, ks_name(rc));
    }
}

static void fetch__nobody_at_the_metadata_address__credential_that_says_what_to_do(void **state)
{
    CLEANUP(gcp_token_done) struct gcp_token t = {0};

    (void)state;
    gcp_fixture_set(&f, "GCE_METADATA_HOST", "127.0.0.1:1");
    ks_rc rc = gcp_token_fetch(&net, &call, &t);
    check_rc(rc, CREDENTIAL);
    check_text(rc, "GOOGLE_APPLICATION_CREDENTIALS");
}

static void fetch__bad_token_file_or_subject__credential(void **state)
{
    CLEANUP(gcp_token_done) struct gcp_token t = {0};

    (void)state;
    gcp_fixture_set(&f, "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE",
                    gcp_fixture_file(&f, "token", "a b\n").text);
    check_rc(gcp_token_fetch(&net, &call, &t), CREDENTIAL);
    gcp_fixture_set(&f, "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", NULL);
    federation("{\"file\":\"/nowhere/subject\"}", "");
    check_rc(gcp_token_fetch(&net, &call, &t), CREDENTIAL);
    assert_int_equal(wire_server_count(f.server), 0);
}

/* --- the cache --- */

static void get_ok(struct gcp_auth *a, const char *want)
{
    CLEANUP(gcp_grant_done) struct gcp_grant g = {0};

    check_ok(gcp_auth_get(a, &call, &g));
    assert_string_equal(buf_text(&g.bearer), want);
}

static struct gcp_auth *auth_new(const char *principal)
{
    struct gcp_auth *a = NULL;

    check_ok(gcp_auth_new(&net, principal, &a));
    return a;
}

static void get__token_in_hand__asked_for_once_and_renewed_ahead(void **state)
{
    struct gcp_auth *a = auth_new("");

    (void)state;
    answer(200, METADATA, OWN_TOKEN("one"));
    get_ok(a, "Bearer one");
    manual.now_ms += LIFE_MS - 226 * 1000;
    get_ok(a, "Bearer one");
    assert_int_equal(wire_server_count(f.server), 1);
    manual.now_ms += 2 * 1000;
    answer(200, METADATA, OWN_TOKEN("two"));
    get_ok(a, "Bearer two");
    assert_int_equal(wire_server_count(f.server), 2);
    gcp_auth_free(a);
}

static void get__renewal_fails__used_on_until_its_end(void **state)
{
    CLEANUP(gcp_grant_done) struct gcp_grant g = {0};
    struct gcp_auth *a = auth_new("");

    (void)state;
    answer(200, METADATA, OWN_TOKEN("one"));
    get_ok(a, "Bearer one");
    manual.now_ms += LIFE_MS - 200 * 1000;
    answer(503, METADATA, "");
    get_ok(a, "Bearer one");
    get_ok(a, "Bearer one"); /* not asked again at once */
    assert_int_equal(wire_server_count(f.server), 2);
    manual.now_ms += 16 * 1000;
    answer(503, METADATA, "");
    get_ok(a, "Bearer one");
    assert_int_equal(wire_server_count(f.server), 3);
    manual.now_ms += 180 * 1000;
    answer(503, METADATA, "");
    check_rc(gcp_auth_get(a, &call, &g), UNREACHABLE);
    gcp_auth_free(a);
}

static void get__rejected__another_one(void **state)
{
    struct gcp_auth *a = auth_new("");
    struct gcp_grant g = {0};

    (void)state;
    answer(200, METADATA, OWN_TOKEN("one"));
    check_ok(gcp_auth_get(a, &call, &g));
    gcp_auth_reject(a, g.serial);
    answer(200, METADATA, OWN_TOKEN("two"));
    get_ok(a, "Bearer two");
    gcp_auth_reject(a, g.serial); /* somebody who is late */
    get_ok(a, "Bearer two");
    gcp_grant_done(&g);
    gcp_auth_free(a);
}

static void get__principal__through_its_hops_and_again_after_30_s(void **state)
{
    struct gcp_auth *a = auth_new("hop@x.example," TARGET);

    (void)state;
    answer(200, METADATA, OWN_TOKEN("own"));
    answer(200, "", TARGET_TOKEN("theirs"));
    get_ok(a, "Bearer theirs");
    assert_string_equal(request(1)->target,
                        "/v1/projects/-/serviceAccounts/" TARGET ":generateAccessToken");
    assert_true(body_holds(1, "[\"projects/-/serviceAccounts/hop@x.example\"]"));
    manual.now_ms += 29 * 1000;
    get_ok(a, "Bearer theirs");
    manual.now_ms += 2 * 1000;
    answer(200, "", TARGET_TOKEN("again"));
    get_ok(a, "Bearer again");
    assert_int_equal(wire_server_count(f.server), 3);
    gcp_auth_free(a);
}

static void get__principal_refuses__denied_although_a_token_lives(void **state)
{
    CLEANUP(gcp_grant_done) struct gcp_grant g = {0};
    struct gcp_auth *a = auth_new(TARGET);

    (void)state;
    answer(200, METADATA, OWN_TOKEN("own"));
    answer(200, "", TARGET_TOKEN("theirs"));
    get_ok(a, "Bearer theirs");
    manual.now_ms += 61 * 1000;
    answer(403, "",
           "{\"error\":{\"code\":403,\"status\":\"PERMISSION_DENIED\",\"message\":\"Permission "
           "'iam.serviceAccounts.getAccessToken' denied on resource\"}}");
    ks_rc rc = gcp_auth_get(a, &call, &g);
    check_rc(rc, DENIED);
    check_text(rc, "serviceAccountTokenCreator");
    answer(200, "", TARGET_TOKEN("back"));
    get_ok(a, "Bearer back");
    gcp_auth_free(a);
}

static void get__principal_does_not_answer__used_on_until_its_end(void **state)
{
    CLEANUP(gcp_grant_done) struct gcp_grant g = {0};
    struct gcp_auth *a = auth_new(TARGET);

    (void)state;
    answer(200, METADATA, OWN_TOKEN("own"));
    answer(200, "", TARGET_TOKEN("theirs")); /* lives for 15 minutes */
    get_ok(a, "Bearer theirs");
    manual.now_ms += 61 * 1000;
    answer(503, "", "");
    get_ok(a, "Bearer theirs");
    manual.now_ms += 14 * 60 * 1000;
    answer(503, "", "");
    check_rc(gcp_auth_get(a, &call, &g), UNREACHABLE);
    gcp_auth_free(a);
}

static void get__own_token_ended_early__one_new_one_is_tried(void **state)
{
    struct gcp_auth *a = auth_new(TARGET);

    (void)state;
    answer(200, METADATA, OWN_TOKEN("own"));
    answer(200, "", TARGET_TOKEN("theirs"));
    get_ok(a, "Bearer theirs");
    manual.now_ms += 15 * 60 * 1000;
    answer(401, "", "{\"error\":{\"code\":401,\"status\":\"UNAUTHENTICATED\"}}");
    answer(200, METADATA, OWN_TOKEN("own-2"));
    answer(200, "", TARGET_TOKEN("theirs-2"));
    get_ok(a, "Bearer theirs-2");
    gcp_auth_free(a);
}

static void get__principal_answers_otherwise__classified(void **state)
{
    static const struct {
        int status;
        const char *body;
        enum ks_code code;
    } faults[] = {
        {404, "{\"error\":{\"code\":404,\"status\":\"NOT_FOUND\"}}", KS_E_DENIED},
        {400, "{\"error\":{\"code\":400,\"status\":\"FAILED_PRECONDITION\"}}", KS_E_DENIED},
        {403,
         "{\"error\":{\"code\":403,\"status\":\"PERMISSION_DENIED\",\"details\":[{\"reason\":"
         "\"SERVICE_DISABLED\"}]}}",
         KS_E_CREDENTIAL},
        {403, "<html/>", KS_E_BAD_REPLY},
        {429, "{\"error\":{\"status\":\"RESOURCE_EXHAUSTED\"}}", KS_E_THROTTLED},
        {200, "{\"accessToken\":\"x\"}", KS_E_BAD_REPLY},
        {200, "{\"accessToken\":\"x\",\"expireTime\":\"soon\"}", KS_E_BAD_REPLY},
        {200, "{\"expireTime\":\"2027-01-15T08:15:00Z\"}", KS_E_BAD_REPLY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        CLEANUP(gcp_grant_done) struct gcp_grant g = {0};
        struct gcp_auth *a = auth_new(TARGET);
        answer(200, METADATA, OWN_TOKEN("own"));
        answer(faults[i].status, "", faults[i].body);
        ks_rc rc = gcp_auth_get(a, &call, &g);
        if (!ks_is(rc, faults[i].code))
            fail_msg("%d %s: %s", faults[i].status, faults[i].body, ks_name(rc));
        gcp_auth_free(a);
    }
}

static void try__tokens_in_hand__asks_all_the_same(void **state)
{
    struct gcp_auth *a = auth_new("");

    (void)state;
    answer(200, METADATA, OWN_TOKEN("one"));
    answer(200, METADATA, OWN_TOKEN("two"));
    answer(404, METADATA, "");
    get_ok(a, "Bearer one");
    check_ok(gcp_auth_try(a, &call));
    check_rc(gcp_auth_try(a, &call), CREDENTIAL);
    gcp_auth_free(a);
}

static int make_key(void **state)
{
    (void)state;
    return ks_ok(secret_init()) && ks_ok(rsa_generate(2048, &key)) ? 0 : -1;
}

static int drop_key(void **state)
{
    (void)state;
    rsa_free(key);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fetch__service_account__a_signed_assertion),
        TEST(fetch__authorized_user__a_refresh),
        TEST(fetch__metadata_server__asked_with_its_header),
        TEST(fetch__federation_from_a_file__exchanged),
        TEST(fetch__federation_from_a_url__exchanged_and_impersonated),
        TEST(fetch__impersonated_file__through_its_source),
        TEST(fetch__refused_or_faulty__never_a_denial),
        TEST(fetch__faulty_metadata_server__never_a_denial),
        TEST(fetch__nobody_at_the_metadata_address__credential_that_says_what_to_do),
        TEST(fetch__bad_token_file_or_subject__credential),
        TEST(get__token_in_hand__asked_for_once_and_renewed_ahead),
        TEST(get__renewal_fails__used_on_until_its_end),
        TEST(get__rejected__another_one),
        TEST(get__principal__through_its_hops_and_again_after_30_s),
        TEST(get__principal_refuses__denied_although_a_token_lives),
        TEST(get__principal_does_not_answer__used_on_until_its_end),
        TEST(get__own_token_ended_early__one_new_one_is_tried),
        TEST(get__principal_answers_otherwise__classified),
        TEST(try__tokens_in_hand__asks_all_the_same),
    };

    return cmocka_run_group_tests(tests, make_key, drop_key);
}
