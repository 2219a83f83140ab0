/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: KMS and STS are reached where AWS's own tools would reach them with the same settings.
 */
#include "kms/aws_endpoint.h"

#include "aws_fixture.h"

static int setup(void **state)
{
    static struct aws_fixture f;

    fixture_begin(&f);
    fixture_set(&f, "AWS_ENDPOINT_URL", NULL);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture_end(*state);
    return 0;
}

static ks_rc find(struct aws_fixture *f, const char *service, const char *arn,
                  struct aws_endpoint *ret)
{
    CLEANUP(aws_files_done) struct aws_files files = {.config = NULL};
    const struct aws_env env = {fixture_env, f};
    struct aws_key key;

    check_ok(aws_files_read(&env, &files));
    check_ok(aws_key_parse(arn, NULL, &key));
    return aws_endpoint_find(&env, &files, service, &key, ret);
}

static void check_url(struct aws_fixture *f, const char *service, const char *arn, const char *want)
{
    struct aws_endpoint e;

    check_ok(find(f, service, arn, &e));
    assert_string_equal(e.url, want);
}

static void find__no_setting__of_region_and_partition(void **state)
{
    (void)state;
    check_url(*state, "kms", KEY_ARN, "https://kms.eu-west-1.amazonaws.com/");
    check_url(*state, "sts", KEY_ARN, "https://sts.eu-west-1.amazonaws.com/");
    check_url(*state, "kms", "arn:aws-cn:kms:cn-north-1:111122223333:key/a",
              "https://kms.cn-north-1.amazonaws.com.cn/");
    check_url(*state, "kms", "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/a",
              "https://kms.us-gov-west-1.amazonaws.com/");
}

static void find__fips__its_host_name(void **state)
{
    fixture_set(*state, "AWS_USE_FIPS_ENDPOINT", "true");
    check_url(*state, "kms", KEY_ARN, "https://kms-fips.eu-west-1.amazonaws.com/");
    check_url(*state, "sts", "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/a",
              "https://sts.us-gov-west-1.amazonaws.com/");
    fixture_set(*state, "AWS_USE_FIPS_ENDPOINT", NULL);
    fixture_write(*state, "config", "[default]\nuse_fips_endpoint = true\n");
    check_url(*state, "sts", KEY_ARN, "https://sts-fips.eu-west-1.amazonaws.com/");
}

static void find__overrides__in_their_order(void **state)
{
    fixture_write(*state, "config", "[default]\nendpoint_url = http://profile\n");
    check_url(*state, "kms", KEY_ARN, "http://profile/");
    fixture_write(*state, "config",
                  "[default]\nendpoint_url = http://profile\nservices = mine\n"
                  "[services mine]\nkms =\n  endpoint_url = http://service\n");
    check_url(*state, "kms", KEY_ARN, "http://service/");
    check_url(*state, "sts", KEY_ARN, "http://profile/");
    fixture_set(*state, "AWS_ENDPOINT_URL", "http://all");
    check_url(*state, "kms", KEY_ARN, "http://all/");
    fixture_set(*state, "AWS_ENDPOINT_URL_KMS", "http://kms");
    fixture_set(*state, "AWS_ENDPOINT_URL_STS", "https://sts:8443/x/");
    check_url(*state, "kms", KEY_ARN, "http://kms/");
    check_url(*state, "sts", KEY_ARN, "https://sts:8443/x");
    fixture_set(*state, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    check_url(*state, "kms", KEY_ARN, "https://kms.eu-west-1.amazonaws.com/");
}

static void find__profile_that_ignores_them__ignored(void **state)
{
    fixture_write(*state, "config",
                  "[profile a]\nendpoint_url = http://x\nignore_configured_endpoint_urls = true\n");
    fixture_set(*state, "AWS_PROFILE", "a");
    check_url(*state, "kms", KEY_ARN, "https://kms.eu-west-1.amazonaws.com/");
}

static void find__setting_that_is_no_url__usage_that_names_it(void **state)
{
    struct aws_endpoint e;

    fixture_set(*state, "AWS_ENDPOINT_URL_KMS", "localhost:4566");
    ks_rc rc = find(*state, "kms", KEY_ARN, &e);
    check_rc(rc, USAGE);
    check_text(rc, "AWS_ENDPOINT_URL_KMS");
}

static void parse__urls__host_as_in_the_header(void **state)
{
    static const struct {
        const char *url, *host, *path;
    } right[] = {
        {"http://localhost", "localhost", "/"},
        {"HTTP://localhost:80/", "localhost", "/"},
        {"https://kms.example:443", "kms.example", "/"},
        {"https://kms.example:80//", "kms.example:80", "/"},
        {"http://127.0.0.1:4566/a/b/", "127.0.0.1:4566", "/a/b"},
        {"http://[::1]:4566", "[::1]:4566", "/"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        struct aws_endpoint e;
        check_ok(aws_endpoint_parse(right[i].url, &e));
        assert_string_equal(e.host, right[i].host);
        assert_string_equal(e.path, right[i].path);
    }
}

static void parse__no_url__usage_and_output_untouched(void **state)
{
    static const char *const wrong[] = {"",
                                        "localhost",
                                        "ftp://localhost",
                                        "http://",
                                        "http:///path",
                                        "http://user:secret@host",
                                        "http://host?query",
                                        "http://host/a?query",
                                        "http://host/#fragment",
                                        "http://host/a b",
                                        "http://ho st/"};
    struct aws_endpoint e = {.url = "as it was"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        check_rc(aws_endpoint_parse(wrong[i], &e), USAGE);
    assert_string_equal(e.url, "as it was");
}

static void region__settings__in_their_order(void **state)
{
    const struct aws_env env = {fixture_env, *state};
    struct aws_files files = {.config = NULL};
    char region[AWS_REGION_BYTES];

    check_ok(aws_files_read(&env, &files));
    assert_false(aws_region_find(&env, &files, region));
    fixture_write(*state, "config", "[default]\nregion = eu-north-1\n");
    aws_files_done(&files);
    check_ok(aws_files_read(&env, &files));
    assert_true(aws_region_find(&env, &files, region));
    assert_string_equal(region, "eu-north-1");
    fixture_set(*state, "AWS_DEFAULT_REGION", "eu-west-2");
    assert_true(aws_region_find(&env, &files, region));
    assert_string_equal(region, "eu-west-2");
    fixture_set(*state, "AWS_REGION", "eu-west-3");
    assert_true(aws_region_find(&env, &files, region));
    assert_string_equal(region, "eu-west-3");
    aws_files_done(&files);
}

static void files__named_elsewhere__read_there(void **state)
{
    const struct aws_env env = {fixture_env, *state};
    struct aws_fixture *fixture = *state;
    struct aws_files files = {.config = NULL};
    char path[200], value[20];

    fixture_write(*state, "mine", "[profile default]\nregion = r1\n");
    snprintf(path, sizeof path, "%s/.aws/mine", fixture->home.path);
    fixture_set(*state, "AWS_CONFIG_FILE", path);
    check_ok(aws_files_read(&env, &files));
    assert_true(aws_profile_text(&files, "default", "region", value, sizeof value));
    aws_files_done(&files);
    fixture_set(*state, "AWS_CONFIG_FILE", "~/.aws/mine");
    check_ok(aws_files_read(&env, &files));
    assert_true(aws_profile_text(&files, "default", "region", value, sizeof value));
    assert_string_equal(value, "r1");
    assert_false(aws_profile_text(&files, "default", "region", value, 2));
    aws_files_done(&files);
}

static void files__that_cannot_be_read__credential_with_the_path(void **state)
{
    const struct aws_env env = {fixture_env, *state};
    struct aws_fixture *fixture = *state;
    struct aws_files files;

    fixture_set(*state, "AWS_CONFIG_FILE", fixture->home.path); /* a directory */
    ks_rc rc = aws_files_read(&env, &files);
    check_rc(rc, CREDENTIAL);
    check_text(rc, fixture->home.path);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(find__no_setting__of_region_and_partition),
        TEST(find__fips__its_host_name),
        TEST(find__overrides__in_their_order),
        TEST(find__profile_that_ignores_them__ignored),
        TEST(find__setting_that_is_no_url__usage_that_names_it),
        TEST(parse__urls__host_as_in_the_header),
        TEST(parse__no_url__usage_and_output_untouched),
        TEST(region__settings__in_their_order),
        TEST(files__named_elsewhere__read_there),
        TEST(files__that_cannot_be_read__credential_with_the_path),
    };

    check_ok(secret_init());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
