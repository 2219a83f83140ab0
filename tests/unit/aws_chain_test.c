/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: each source of credentials works as AWS's own tools have it, in their order; what is wrong with one is
 * told and never taken for a denial.
 */
#include "kms/aws_chain.h"

#include "aws_fixture.h"

struct chain_fixture {
    struct aws_fixture base; /* first */
    struct aws_http http;
    struct aws_chain chain;
    struct aws_credentials *got;
};

static int setup(void **state)
{
    static struct chain_fixture f;
    struct aws_files files = {.config = NULL};

    memset(&f, 0, sizeof f);
    fixture_begin(&f.base);
    f.chain.env = (struct aws_env){fixture_env, &f.base};
    check_ok(aws_http_init(&f.chain.env, &files, &f.base.clock.clock, &f.http));
    f.chain.sts.http = &f.http;
    check_ok(aws_endpoint_parse(wire_server_url(f.base.server), &f.chain.sts.endpoint));
    snprintf(f.chain.sts.region, sizeof f.chain.sts.region, REGION);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct chain_fixture *f = *state;

    aws_credentials_unref(f->got);
    aws_http_done(&f->http);
    fixture_end(&f->base);
    return 0;
}

static ks_rc fetch(struct chain_fixture *f)
{
    struct kms_call call = fixture_call(&f->base);

    aws_credentials_unref(TAKE(f->got));
    ks_rc rc = aws_chain_fetch(&f->chain, &call, &f->got);
    if (!ks_ok(rc)) {
        assert_null(f->got);
        check_class(rc, UNREACHABLE);
    }
    return rc;
}

static void check_key(struct chain_fixture *f, const char *access_key)
{
    check_ok(fetch(f));
    assert_string_equal(f->got->access_key, access_key);
}

static void check_wrong(struct chain_fixture *f, const char *text)
{
    ks_rc rc = fetch(f);

    check_rc(rc, CREDENTIAL);
    check_text(rc, text);
}

static void fetch__nothing_configured__credential_that_says_what_was_looked_at(void **state)
{
    check_wrong(*state, "AWS_ACCESS_KEY_ID");
}

static void environment__keys_and_token__used_before_all_else(void **state)
{
    struct chain_fixture *f = *state;

    fixture_write(&f->base, "credentials",
                  "[default]\naws_access_key_id = P\naws_secret_access_key = s\n");
    fixture_keys(&f->base);
    check_key(f, "AKIDEXAMPLE");
    assert_null(f->got->token);
    fixture_set(&f->base, "AWS_SESSION_TOKEN", "tok");
    check_key(f, "AKIDEXAMPLE");
    assert_string_equal((char *)secret_bytes(f->got->token), "tok");
}

static void environment__half_of_a_pair__credential(void **state)
{
    struct chain_fixture *f = *state;

    fixture_set(&f->base, "AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
    check_wrong(f, "only one of");
}

static void profile__keys__of_the_credentials_file_first(void **state)
{
    struct chain_fixture *f = *state;

    fixture_write(&f->base, "config",
                  "[default]\naws_access_key_id = C\naws_secret_access_key = c\n"
                  "[profile dev]\naws_access_key_id = D\naws_secret_access_key = d\n"
                  "aws_session_token = t\n");
    check_key(f, "C");
    fixture_write(&f->base, "credentials",
                  "[default]\naws_access_key_id = F\naws_secret_access_key = f\n");
    check_key(f, "F");
    fixture_set(&f->base, "AWS_PROFILE", "dev");
    check_key(f, "D");
    assert_non_null(f->got->token);
}

static void profile__named_but_not_there__credential(void **state)
{
    struct chain_fixture *f = *state;

    fixture_set(&f->base, "AWS_PROFILE", "missing");
    check_wrong(f, "no profile missing");
}

static void profile__half_of_a_pair__credential(void **state)
{
    struct chain_fixture *f = *state;

    fixture_write(&f->base, "credentials", "[default]\naws_access_key_id = F\n");
    check_wrong(f, "only one of aws_access_key_id");
}

static void profile__without_credentials__next_source(void **state)
{
    struct chain_fixture *f = *state;

    fixture_write(&f->base, "config", "[default]\nregion = eu-west-1\n");
    check_wrong(f, "there are no AWS credentials");
}

static void profile__role__assumed_with_its_source(void **state)
{
    struct chain_fixture *f = *state;

    fixture_write(&f->base, "config",
                  "[profile base]\naws_access_key_id = BASE\naws_secret_access_key = b\n"
                  "[profile r]\nrole_arn = " ROLE_ARN "\nsource_profile = base\n"
                  "external_id = org/1\nrole_session_name = me\nduration_seconds = 7200\n");
    fixture_set(&f->base, "AWS_PROFILE", "r");
    fixture_role(&f->base, "ASIAROLE", IN_AN_HOUR);
    check_key(f, "ASIAROLE");
    assert_int_equal(f->got->expires_s, FIXTURE_WALL + 3600);
    assert_non_null(strstr(fixture_header(&f->base, 0, "Authorization"), "Credential=BASE/"));
    assert_non_null(
        strstr(fixture_header(&f->base, 0, "Authorization"), "/eu-west-1/sts/aws4_request"));
    assert_true(fixture_sent(&f->base, 0, "Action=AssumeRole&Version=2011-06-15&"));
    assert_true(
        fixture_sent(&f->base, 0, "RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fcmek"));
    assert_true(fixture_sent(&f->base, 0, "&ExternalId=org%2F1"));
    assert_true(fixture_sent(&f->base, 0, "&RoleSessionName=me&"));
    assert_true(fixture_sent(&f->base, 0, "&DurationSeconds=7200"));
    assert_string_equal(f->base.note.request_id, "sts-1");
}

static void profile__role_of_a_role__at_most_an_hour(void **state)
{
    struct chain_fixture *f = *state;

    fixture_write(&f->base, "config",
                  "[profile a]\nrole_arn = " ROLE_ARN "\nsource_profile = b\n"
                  "duration_seconds = 43200\n"
                  "[profile b]\nrole_arn = " ROLE_ARN "2\nsource_profile = b\n"
                  "aws_access_key_id = SELF\naws_secret_access_key = b\nduration_seconds = 900\n");
    fixture_set(&f->base, "AWS_PROFILE", "a");
    fixture_role(&f->base, "FIRST", IN_AN_HOUR);
    fixture_role(&f->base, "SECOND", IN_AN_HOUR);
    check_key(f, "SECOND");
    assert_true(fixture_sent(&f->base, 0, "&DurationSeconds=900"));
    assert_true(fixture_sent(&f->base, 1, "&DurationSeconds=3600"));
    assert_non_null(strstr(fixture_header(&f->base, 0, "Authorization"), "Credential=SELF/"));
    assert_non_null(strstr(fixture_header(&f->base, 1, "Authorization"), "Credential=FIRST/"));
    assert_string_equal(fixture_header(&f->base, 1, "X-Amz-Security-Token"), "t0ken");
}

static void profile__that_cannot_work__credential_that_says_why(void **state)
{
    static const struct {
        const char *config, *text;
    } wrong[] = {
        {"[default]\nrole_arn = r\n", "either source_profile or credential_source"},
        {"[default]\nrole_arn = r\nsource_profile = a\ncredential_source = Environment\n",
         "either source_profile or credential_source"},
        {"[default]\nrole_arn = r\nsource_profile = a\n", "no profile a"},
        {"[default]\nrole_arn = r\nsource_profile = a\n[profile a]\nregion = x\n",
         "source_profile a has no credentials"},
        {"[default]\nrole_arn = r\nsource_profile = default\n", "has no credentials"},
        {"[default]\nrole_arn = r\nsource_profile = a\n"
         "[profile a]\nrole_arn = r\nsource_profile = b\n"
         "[profile b]\nrole_arn = r\nsource_profile = a\n",
         "leads back to profile a"},
        {"[default]\nrole_arn = r\ncredential_source = Environment\n", "has no credentials"},
        {"[default]\nrole_arn = r\ncredential_source = Moon\n", "no credential_source \"Moon\""},
        {"[default]\nrole_arn = r\nmfa_serial = m\nsource_profile = a\n", "MFA"},
        {"[default]\naws_access_key_id = a\naws_secret_access_key = b\nrole_arn = r\n"
         "source_profile = default\nduration_seconds = 60\n",
         "duration_seconds"},
        {"[default]\nsso_session = s\n", "IAM Identity Center"},
        {"[default]\nsso_start_url = s\n", "credential_process"},
        {"[default]\ncredential_process = /nonexistent/program\n", "no program"},
        {"[default]\ncredential_process = sh -c 'exit 7'\n", "exit status 7"},
        {"[default]\ncredential_process = echo 'not json'\n", "printed no credentials"},
        {"[default]\ncredential_process = echo '{\"Version\":2}'\n", "version 1"},
        {"[default]\ncredential_process = echo 'open\n", "quote"},
        {"[default]\ncredential_process = ''\n", "names no program"},
        {"[default]\nrole_arn = r\nweb_identity_token_file = /nonexistent\n", "/nonexistent"},
    };
    struct chain_fixture *f = *state;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        fixture_write(&f->base, "config", wrong[i].config);
        check_wrong(f, wrong[i].text);
    }
    assert_int_equal(wire_server_count(f->base.server), 0);
}

static void profile__credential_source__container(void **state)
{
    struct chain_fixture *f = *state;

    fixture_write(&f->base, "config",
                  "[default]\nrole_arn = " ROLE_ARN "\ncredential_source = EcsContainer\n");
    fixture_set(&f->base, "AWS_CONTAINER_CREDENTIALS_FULL_URI", wire_server_url(f->base.server));
    wire_server_answer(f->base.server, 200, "",
                       "{\"AccessKeyId\":\"TASK\",\"SecretAccessKey\":\"s\",\"Token\":\"t\","
                       "\"Expiration\":\"" IN_AN_HOUR "\"}");
    fixture_role(&f->base, "ASIAROLE", IN_AN_HOUR);
    check_key(f, "ASIAROLE");
    assert_non_null(strstr(fixture_header(&f->base, 1, "Authorization"), "Credential=TASK/"));
}

static void profile__role_refused__credential_and_no_denial(void **state)
{
    struct chain_fixture *f = *state;

    fixture_write(&f->base, "config",
                  "[default]\naws_access_key_id = a\naws_secret_access_key = b\n"
                  "role_arn = " ROLE_ARN "\nsource_profile = default\n");
    fixture_sts_error(&f->base, 403, "AccessDenied");
    check_wrong(f, "AccessDenied: because");
    fixture_sts_error(&f->base, 400, "Throttling");
    check_rc(fetch(f), THROTTLED);
    fixture_sts_error(&f->base, 500, "InternalFailure");
    check_rc(fetch(f), UNREACHABLE);
}

static void profile__process__its_words_and_output(void **state)
{
    struct chain_fixture *f = *state;
    char config[500];

    snprintf(config, sizeof config,
             "[default]\ncredential_process = sh -c \"cat %s/.aws/\\\"$0\\\" #\" 'out put' ; no\n",
             f->base.home.path);
    fixture_write(&f->base, "config", config);
    fixture_write(&f->base, "out put",
                  "{\"Version\":1,\"AccessKeyId\":\"PROC\",\"SecretAccessKey\":\"s\","
                  "\"SessionToken\":\"t\",\"Expiration\":\"" IN_AN_HOUR "\"}\n");
    /* The inline comment ends the value at " #", so the quote stays open. */
    check_wrong(f, "quote");
    snprintf(config, sizeof config,
             "[default]\ncredential_process = sh -c \"cat %s/.aws/\\\"$0\\\"\" 'out put'\n",
             f->base.home.path);
    fixture_write(&f->base, "config", config);
    check_key(f, "PROC");
    assert_string_equal((char *)secret_bytes(f->got->token), "t");
    assert_int_equal(f->got->expires_s, FIXTURE_WALL + 3600);
}

static void web_identity__environment__unsigned_with_the_token_of_now(void **state)
{
    struct chain_fixture *f = *state;
    char path[200];

    fixture_write(&f->base, "token", "eyJ.one\n");
    snprintf(path, sizeof path, "%s/.aws/token", f->base.home.path);
    fixture_set(&f->base, "AWS_WEB_IDENTITY_TOKEN_FILE", path);
    check_wrong(f, "AWS_ROLE_ARN");
    fixture_set(&f->base, "AWS_ROLE_ARN", ROLE_ARN);
    fixture_role(&f->base, "ASIAWEB", IN_AN_HOUR);
    check_key(f, "ASIAWEB");
    assert_string_equal(fixture_header(&f->base, 0, "Authorization"), "");
    assert_true(fixture_sent(&f->base, 0, "Action=AssumeRoleWithWebIdentity&"));
    const struct wire_request *sent = wire_server_request(f->base.server, 0);
    assert_memory_equal(sent->body.bytes + sent->body.len - 25, "&WebIdentityToken=eyJ.one", 25);
    fixture_write(&f->base, "token", "eyJ.two\n");
    fixture_role(&f->base, "ASIAWEB", IN_AN_HOUR);
    check_key(f, "ASIAWEB");
    assert_true(fixture_sent(&f->base, 1, "WebIdentityToken=eyJ.two"));
    fixture_sts_error(&f->base, 400, "InvalidIdentityToken");
    check_wrong(f, "InvalidIdentityToken");
    fixture_sts_error(&f->base, 400, "IDPCommunicationError");
    check_rc(fetch(f), UNREACHABLE);
}

static void web_identity__profile__its_role(void **state)
{
    struct chain_fixture *f = *state;
    char config[500];

    fixture_write(&f->base, "token", "eyJ.one");
    snprintf(config, sizeof config,
             "[default]\nrole_arn = " ROLE_ARN "\nweb_identity_token_file = %s/.aws/token\n",
             f->base.home.path);
    fixture_write(&f->base, "config", config);
    fixture_role(&f->base, "ASIAWEB", IN_AN_HOUR);
    check_key(f, "ASIAWEB");
}

static void container__full_uri__with_the_token_of_now(void **state)
{
    struct chain_fixture *f = *state;
    char path[200];

    fixture_write(&f->base, "auth", "Bearer one\n");
    snprintf(path, sizeof path, "%s/.aws/auth", f->base.home.path);
    fixture_set(&f->base, "AWS_CONTAINER_CREDENTIALS_FULL_URI", wire_server_url(f->base.server));
    fixture_set(&f->base, "AWS_CONTAINER_AUTHORIZATION_TOKEN", "from the environment");
    wire_server_answer(f->base.server, 200, "",
                       "{\"AccessKeyId\":\"TASK\",\"SecretAccessKey\":\"s\",\"Token\":\"t\","
                       "\"Expiration\":\"" IN_AN_HOUR "\"}");
    check_key(f, "TASK");
    assert_string_equal(fixture_header(&f->base, 0, "Authorization"), "from the environment");
    fixture_set(&f->base, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path);
    wire_server_answer(f->base.server, 404, "", "");
    check_wrong(f, "HTTP status 404");
    assert_string_equal(fixture_header(&f->base, 1, "Authorization"), "Bearer one");
    wire_server_answer(f->base.server, 503, "", "");
    check_rc(fetch(f), UNREACHABLE);
    wire_server_answer(f->base.server, 200, "", "{\"AccessKeyId\":\"TASK\"}");
    check_wrong(f, "SecretAccessKey");
}

static void container__uri_of_another_host__not_asked(void **state)
{
    static const char *const wrong[] = {
        "http://example.com/",
        "http://169.254.170.3/",
        "http://localhost.example/",
        "http://127.0.0.1.example/",
        "http://localhost@example/",
        "ftp://localhost/",
        "http://[fd00:ec2::24]/",
        "http://127.0.0.1@example/x",
        "http://169.254.169.254/",
        "http://[fd00:ec2::23].com/",
        "http:///x",
    };
    struct chain_fixture *f = *state;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        fixture_set(&f->base, "AWS_CONTAINER_CREDENTIALS_FULL_URI", wrong[i]);
        check_wrong(f, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    }
    fixture_set(&f->base, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "no-slash");
    check_wrong(f, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
}

static void use_instance(struct chain_fixture *f)
{
    fixture_set(&f->base, "AWS_EC2_METADATA_DISABLED", NULL);
    fixture_set(&f->base, "AWS_EC2_METADATA_SERVICE_ENDPOINT", wire_server_url(f->base.server));
}

#define INSTANCE                                                                                   \
    "{\"Code\":\"Success\",\"AccessKeyId\":\"INST\",\"SecretAccessKey\":\"s\",\"Token\":\"t\","    \
    "\"Expiration\":\"" IN_AN_HOUR "\"}"

static void instance__session_role_credentials__read(void **state)
{
    struct chain_fixture *f = *state;

    use_instance(f);
    wire_server_answer(f->base.server, 200, "", "TOKEN1");
    wire_server_answer(f->base.server, 200, "", "my-role\n");
    wire_server_answer(f->base.server, 200, "", INSTANCE);
    check_key(f, "INST");
    assert_string_equal(wire_server_request(f->base.server, 0)->method, "PUT");
    assert_string_equal(wire_server_request(f->base.server, 0)->target, "/latest/api/token");
    assert_string_equal(fixture_header(&f->base, 0, "X-aws-ec2-metadata-token-ttl-seconds"),
                        "21600");
    assert_string_equal(fixture_header(&f->base, 1, "X-aws-ec2-metadata-token"), "TOKEN1");
    assert_string_equal(wire_server_request(f->base.server, 2)->target,
                        "/latest/meta-data/iam/security-credentials/my-role");
}

static void instance__session_ended__begun_anew_once(void **state)
{
    struct chain_fixture *f = *state;

    use_instance(f);
    wire_server_answer(f->base.server, 200, "", "TOKEN1");
    wire_server_answer(f->base.server, 401, "", "");
    wire_server_answer(f->base.server, 200, "", "TOKEN2");
    wire_server_answer(f->base.server, 200, "", "my-role");
    wire_server_answer(f->base.server, 200, "", INSTANCE);
    check_key(f, "INST");
    assert_string_equal(fixture_header(&f->base, 3, "X-aws-ec2-metadata-token"), "TOKEN2");
    wire_server_answer(f->base.server, 200, "", "TOKEN1");
    wire_server_answer(f->base.server, 401, "", "");
    wire_server_answer(f->base.server, 200, "", "TOKEN2");
    wire_server_answer(f->base.server, 401, "", "");
    check_wrong(f, "HTTP status 401");
    assert_int_equal(wire_server_count(f->base.server), 9);
}

static void instance__anything_else__credential_and_never_version_1(void **state)
{
    struct chain_fixture *f = *state;

    use_instance(f);
    wire_server_answer(f->base.server, 403, "", "");
    check_wrong(f, "version 1 of it is not used");
    assert_int_equal(wire_server_count(f->base.server), 1);
    wire_server_answer(f->base.server, 200, "", "tok en");
    check_wrong(f, "gives no session");
    wire_server_answer(f->base.server, 200, "", "TOKEN");
    wire_server_answer(f->base.server, 404, "", "");
    check_wrong(f, "no IAM role");
    wire_server_answer(f->base.server, 200, "", "TOKEN");
    wire_server_answer(f->base.server, 200, "", "../evil");
    check_wrong(f, "names no role");
    wire_server_answer(f->base.server, 200, "", "TOKEN");
    wire_server_answer(f->base.server, 200, "", "my-role");
    wire_server_answer(f->base.server, 200, "", "{\"Code\":\"AssumeRoleUnauthorizedAccess\"}");
    check_wrong(f, "AssumeRoleUnauthorizedAccess");
    wire_server_answer(f->base.server, 503, "", "");
    check_wrong(f, "cannot be reached");
    fixture_set(&f->base, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1");
    check_wrong(f, "cannot be reached");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(fetch__nothing_configured__credential_that_says_what_was_looked_at),
        TEST(environment__keys_and_token__used_before_all_else),
        TEST(environment__half_of_a_pair__credential),
        TEST(profile__keys__of_the_credentials_file_first),
        TEST(profile__named_but_not_there__credential),
        TEST(profile__half_of_a_pair__credential),
        TEST(profile__without_credentials__next_source),
        TEST(profile__role__assumed_with_its_source),
        TEST(profile__role_of_a_role__at_most_an_hour),
        TEST(profile__that_cannot_work__credential_that_says_why),
        TEST(profile__credential_source__container),
        TEST(profile__role_refused__credential_and_no_denial),
        TEST(profile__process__its_words_and_output),
        TEST(web_identity__environment__unsigned_with_the_token_of_now),
        TEST(web_identity__profile__its_role),
        TEST(container__full_uri__with_the_token_of_now),
        TEST(container__uri_of_another_host__not_asked),
        TEST(instance__session_role_credentials__read),
        TEST(instance__session_ended__begun_anew_once),
        TEST(instance__anything_else__credential_and_never_version_1),
    };

    check_ok(secret_init());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
