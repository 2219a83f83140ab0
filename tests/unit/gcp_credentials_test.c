/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: credentials files as Google's tools write them are read, found where Google's clients look for
 * them, and everything else is refused as CREDENTIAL with the member that is wrong.
 */
#include "kms/gcp_credentials.h"

#include "base/base64.h"
#include "base/json.h"
#include "gcp_fixture.h"

static char pem[4096];

static int make_key(void **state)
{
    CLEANUP(rsa_freep) struct rsa *key = NULL;
    CLEANUP(secret_freep) struct secret *der = NULL;
    CLEANUP(buf_done) struct buf text = buf_init(sizeof pem - 1);

    (void)state;
    check_ok(rsa_generate(2048, &key));
    check_ok(rsa_private_der(key, &der));
    check_ok(buf_append(&text, view_text("-----BEGIN PRIVATE KEY-----\n")));
    check_ok(base64_write(secret_view(der), BASE64_STANDARD, &text));
    check_ok(buf_append(&text, view_text("\n-----END PRIVATE KEY-----\n")));
    memcpy(pem, buf_text(&text), text.len + 1);
    return 0;
}

/* The text of a file with that member left out or replaced by value; NULL: none. */
static void service_account(const char *member, json_t *value, struct buf *ret)
{
    CLEANUP(json_decrefp)
    json_t *doc = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "type", "service_account",
                            "project_id", "p", "private_key_id", "kid-1", "private_key", pem,
                            "client_email", "a@p.iam.gserviceaccount.com", "token_uri",
                            "https://oauth2.example/token", "universe_domain", "googleapis.com");

    assert_non_null(doc);
    if (member && value)
        json_object_set_new(doc, member, value);
    else if (member)
        json_object_del(doc, member);
    check_ok(json_write(doc, false, ret));
}

static void parse__service_account__all_of_it(void **state)
{
    CLEANUP(gcp_credentials_freep) struct gcp_credentials *c = NULL;
    CLEANUP(buf_done) struct buf text = buf_init(16384);

    (void)state;
    service_account(NULL, NULL, &text);
    check_ok(gcp_credentials_parse(buf_view(&text), &c));
    assert_int_equal(c->kind, GCP_SERVICE_ACCOUNT);
    assert_string_equal(c->email, "a@p.iam.gserviceaccount.com");
    assert_string_equal(c->key_id, "kid-1");
    assert_string_equal(c->token_url, "https://oauth2.example/token");
    assert_string_equal(c->universe, "googleapis.com");
    assert_int_equal(rsa_bits(c->key), 2048);
}

static void parse__no_token_uri__the_usual_one(void **state)
{
    CLEANUP(gcp_credentials_freep) struct gcp_credentials *c = NULL;
    CLEANUP(buf_done) struct buf text = buf_init(16384);

    (void)state;
    service_account("token_uri", NULL, &text);
    check_ok(gcp_credentials_parse(buf_view(&text), &c));
    assert_string_equal(c->token_url, "https://oauth2.googleapis.com/token");
}

static void parse__faulty_service_account__credential(void **state)
{
    const struct {
        const char *member;
        json_t *value;
    } faults[] = {
        {"type", NULL},
        {"type", json_string("gdch_service_account")},
        {"client_email", NULL},
        {"client_email", json_string("")},
        {"private_key", NULL},
        {"private_key", json_string("-----BEGIN PRIVATE KEY-----\nAAAA\n")},
        {"private_key", json_integer(1)},
        {"token_uri", json_string("file:///etc/passwd")},
        {"token_uri", json_string("https://user@evil.example/")},
        {"universe_domain", json_string("evil.example/x?")},
        {"quota_project_id", json_string("a\r\nb")},
    };

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        CLEANUP(buf_done) struct buf text = buf_init(16384);
        struct gcp_credentials *c = NULL;
        service_account(faults[i].member, faults[i].value, &text);
        check_rc(gcp_credentials_parse(buf_view(&text), &c), CREDENTIAL);
        assert_null(c);
    }
}

static void parse__other_kinds__read(void **state)
{
    static const struct {
        const char *text;
        enum gcp_kind kind;
    } good[] = {
        {"{\"type\":\"authorized_user\",\"client_id\":\"i\",\"client_secret\":\"s\","
         "\"refresh_token\":\"r\",\"quota_project_id\":\"q\"}",
         GCP_AUTHORIZED_USER},
        {"{\"type\":\"external_account\",\"audience\":\"//iam/x\",\"subject_token_type\":\"t\","
         "\"token_url\":\"https://sts.example/v1/token\",\"credential_source\":{\"file\":\"/t\"}}",
         GCP_EXTERNAL_ACCOUNT},
        {"{\"type\":\"external_account\",\"audience\":\"//iam/x\",\"subject_token_type\":\"t\","
         "\"token_url\":\"https://sts.example/v1/token\",\"credential_source\":{\"url\":"
         "\"http://169.254.169.254/x\",\"headers\":{\"Metadata\":\"true\"},\"format\":{\"type\":"
         "\"json\",\"subject_token_field_name\":\"access_token\"}}}",
         GCP_EXTERNAL_ACCOUNT},
        {"{\"type\":\"impersonated_service_account\",\"service_account_impersonation_url\":"
         "\"https://iam.example/a:generateAccessToken\",\"delegates\":[\"projects/-/x\"],"
         "\"source_credentials\":{\"type\":\"authorized_user\",\"client_id\":\"i\","
         "\"client_secret\":\"s\",\"refresh_token\":\"r\"}}",
         GCP_IMPERSONATED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        CLEANUP(gcp_credentials_freep) struct gcp_credentials *c = NULL;
        check_ok(gcp_credentials_parse(view_text(good[i].text), &c));
        assert_int_equal(c->kind, good[i].kind);
    }
}

static void parse__nonsense__credential(void **state)
{
    static const char *const faults[] = {
        "",
        "no",
        "[]",
        "{}",
        "{\"type\":7}",
        "{\"type\":\"authorized_user\"}",
        "{\"type\":\"authorized_user\",\"client_id\":\"i\",\"client_secret\":\"\","
        "\"refresh_token\":\"r\"}",
        "{\"type\":\"external_account\"}",
        "{\"type\":\"external_account\",\"audience\":\"a\",\"subject_token_type\":\"t\","
        "\"token_url\":\"https://x\",\"credential_source\":{\"environment_id\":\"aws1\"}}",
        "{\"type\":\"external_account\",\"audience\":\"a\",\"subject_token_type\":\"t\","
        "\"token_url\":\"https://x\",\"credential_source\":{\"executable\":{\"command\":\"x\"}}}",
        "{\"type\":\"external_account\",\"audience\":\"a\",\"subject_token_type\":\"t\","
        "\"token_url\":\"https://x\",\"credential_source\":{\"file\":\"f\",\"format\":{\"type\":"
        "\"xml\"}}}",
        "{\"type\":\"external_account\",\"audience\":\"a\",\"subject_token_type\":\"t\","
        "\"token_url\":\"https://x\",\"credential_source\":{\"url\":\"https://y\",\"headers\":{"
        "\"a\":\"b\\r\\nc\"}}}",
        "{\"type\":\"impersonated_service_account\",\"service_account_impersonation_url\":"
        "\"https://x\"}",
        "{\"type\":\"impersonated_service_account\",\"service_account_impersonation_url\":"
        "\"https://x\",\"source_credentials\":{\"type\":\"impersonated_service_account\","
        "\"service_account_impersonation_url\":\"https://x\",\"source_credentials\":{}}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct gcp_credentials *c = NULL;
        ks_rc rc = gcp_credentials_parse(view_text(faults[i]), &c);
        if (!ks_is(rc, KS_E_CREDENTIAL))
            fail_msg("%s: %s", faults[i], ks_ok(rc) ? "accepted" : ks_text(rc));
        assert_null(c);
    }
}

static ks_rc find(struct gcp_fixture *f, struct gcp_credentials **ret)
{
    struct gcp_net net = {.clock = clock_system(), .env = gcp_fixture_env, .env_arg = f};

    return gcp_credentials_find(&net, ret);
}

static void find__the_places_of_google__in_their_order(void **state)
{
    static const char user[] = "{\"type\":\"authorized_user\",\"client_id\":\"%s\","
                               "\"client_secret\":\"s\",\"refresh_token\":\"r\"}";
    CLEANUP(gcp_credentials_freep) struct gcp_credentials *b = NULL;
    CLEANUP(gcp_credentials_freep) struct gcp_credentials *c = NULL;
    struct gcp_credentials *none = NULL;
    struct gcp_fixture f;
    char text[256];

    (void)state;
    gcp_fixture_start(&f, false);
    check_ok(find(&f, &none));
    assert_null(none);
    snprintf(text, sizeof text, user, "gcloud");
    gcp_fixture_file(&f, "application_default_credentials.json", text);
    check_ok(find(&f, &b));
    assert_string_equal(b->client_id, "gcloud");
    snprintf(text, sizeof text, user, "named");
    gcp_fixture_set(&f, "GOOGLE_APPLICATION_CREDENTIALS",
                    gcp_fixture_file(&f, "named.json", text).text);
    check_ok(find(&f, &c));
    assert_string_equal(c->client_id, "named");
    gcp_fixture_stop(&f);
}

static void find__named_file_missing_or_bad__credential_with_its_name(void **state)
{
    struct gcp_credentials *c = NULL;
    struct gcp_fixture f;

    (void)state;
    gcp_fixture_start(&f, false);
    gcp_fixture_set(&f, "GOOGLE_APPLICATION_CREDENTIALS", tmpdir_path(&f.dir, "none.json").text);
    ks_rc rc = find(&f, &c);
    check_rc(rc, CREDENTIAL);
    check_text(rc, "none.json");
    gcp_fixture_file(&f, "application_default_credentials.json", "{\"type\":\"x\"}");
    gcp_fixture_set(&f, "GOOGLE_APPLICATION_CREDENTIALS", NULL);
    rc = find(&f, &c);
    check_rc(rc, CREDENTIAL);
    check_text(rc, "application_default");
    assert_null(c);
    gcp_fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__service_account__all_of_it),
        cmocka_unit_test(parse__no_token_uri__the_usual_one),
        cmocka_unit_test(parse__faulty_service_account__credential),
        cmocka_unit_test(parse__other_kinds__read),
        cmocka_unit_test(parse__nonsense__credential),
        cmocka_unit_test(find__the_places_of_google__in_their_order),
        cmocka_unit_test(find__named_file_missing_or_bad__credential_with_its_name),
    };

    if (!ks_ok(secret_init()))
        return 1;
    return cmocka_run_group_tests(tests, make_key, NULL);
}
