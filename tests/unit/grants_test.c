/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the parts of each provider's key names reach the texts, what is not known is asked for, and nothing
 * that would end a string in a shell or a JSON document gets in. The texts themselves are tried in tests/peers.
 */
#include "kms/grants.h"

#include <stdio.h>

#include "check.h"

#define KEY "arn:aws:kms:eu-west-1:111122223333:key/1234abcd"
#define ROLE "arn:aws:iam::111122223333:role/team/keys"

static struct key_spec spec;
static struct buf text;
static struct grants_values values;

static int setup(void **state)
{
    (void)state;
    spec = (struct key_spec){"AWS_KMS", KEY, ROLE};
    values = (struct grants_values){&spec, "acme", "arn:aws:iam::444455556666:role/db", NULL};
    text = buf_init(65536);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_done(&text);
    return 0;
}

static void name_key(const char *type, const char *uri)
{
    snprintf(spec.type, sizeof spec.type, "%s", type);
    snprintf(spec.uri, sizeof spec.uri, "%s", uri);
}

static void check_holds(const char *part)
{
    if (!strstr(buf_text(&text), part))
        fail_msg("no \"%s\" in:\n%s", part, buf_text(&text));
}

static void write__every_form__has_no_open_name(void **state)
{
    static const char *const keys[][2] = {
        {"AWS_KMS", KEY},
        {"GCP_CLOUD_KMS", "projects/p1/locations/l1/keyRings/r1/cryptoKeys/k1"},
        {"AZURE_KEY_VAULT", "https://vault1.vault.azure.net/keys/k1"},
        {"VAULT_TRANSIT", "https://h:8200/v1/a/transit/keys/k1?namespace=n"},
        {"FILE", "/srv/kms#k1"},
        {"PKCS11", "token=t;object=k1"},
    };
    size_t written = 0;

    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        name_key(keys[i][0], keys[i][1]);
        for (const struct grants_template *t = grants_templates; t->type; t++) {
            if (strcmp(t->type, spec.type) != 0 || strcmp(t->form, "mend") == 0)
                continue;
            text.len = 0;
            check_ok(grants_write(&values, t->form, &text));
            assert_true(text.len > 100);
            written++;
        }
    }
    assert_int_equal(written, 13);
}

static void write__aws__names_role_region_and_external_id(void **state)
{
    (void)state;
    check_ok(grants_write(&values, NULL, &text));
    check_holds("--role-name keys ");
    check_holds("--region eu-west-1 --key-id " KEY);
    check_holds("{\"sts:ExternalId\": \"acme\"}");
    check_holds("{\"AWS\": \"arn:aws:iam::444455556666:role/db\"}");
}

static void write__vault_name_without_address__has_its_mount(void **state)
{
    (void)state;
    name_key("VAULT_TRANSIT", "transit/keys/orders");
    check_ok(grants_write(&values, "policy", &text));
    check_holds("path \"transit/decrypt/orders\"");
}

static void write__value_not_given__usage_with_the_option(void **state)
{
    (void)state;
    values.trusted = NULL;
    ks_rc rc = grants_write(&values, "trust", &text);
    check_rc(rc, USAGE);
    check_text(rc, "--trusted");
    values.trusted = "x";
    values.external_id = NULL;
    rc = grants_write(&values, "trust", &text);
    check_text(rc, "--organisation");
}

static void write__value_that_needs_quoting__usage(void **state)
{
    static const char *const bad[] = {"a b", "a\"b", "a'b", "$(x)", "`x`", "a\\b", "a;b", "a\nb"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        values.external_id = bad[i];
        check_rc(grants_write(&values, "trust", &text), USAGE);
    }
}

static void write__unknown_form_or_type__usage_with_those_there_are(void **state)
{
    (void)state;
    ks_rc rc = grants_write(&values, "poem", &text);
    check_rc(rc, USAGE);
    check_text(rc, "cli policy trust cloudformation terraform");
    check_rc(grants_write(&values, "mend", &text), USAGE);
    name_key("NULL_KMS", "x");
    check_rc(grants_write(&values, NULL, &text), USAGE);
}

static void write__name_of_another_form__usage(void **state)
{
    (void)state;
    name_key("GCP_CLOUD_KMS", "projects/p");
    check_rc(grants_write(&values, NULL, &text), USAGE);
}

static void mend__denied__exact_statement(void **state)
{
    (void)state;
    values.permission = "kms:Decrypt";
    check_ok(grants_mend(&values, ks_fail(KS_E_DENIED, "no"), &text));
    check_holds("{\"Effect\": \"Allow\", \"Principal\": {\"AWS\": \"" ROLE
                "\"}, \"Action\": \"kms:Decrypt\", \"Resource\": \"*\"}");
}

static void mend__each_state__one_command(void **state)
{
    (void)state;
    check_ok(grants_mend(&values, ks_fail(KS_E_KEY_DISABLED, "x"), &text));
    assert_string_equal(buf_text(&text), "aws kms enable-key --region eu-west-1 --key-id " KEY);
    text.len = 0;
    check_ok(grants_mend(&values, ks_fail(KS_E_TIMEOUT, "x"), &text));
    assert_int_equal(text.len, 0); /* nothing is known to mend it */
}

static const char *environment(void *arg, const char *name)
{
    const char *const *pair = arg;

    return strcmp(pair[0], name) == 0 ? pair[1] : NULL;
}

static void check_hint(const char *name, const char *value, const char *want)
{
    const char *pair[] = {name, value};

    text.len = 0;
    check_ok(grants_hints(&values, environment, pair, &text));
    if (want)
        check_holds(want);
    else
        assert_int_equal(text.len, 0);
}

static void hints__spec_and_environment_at_odds__told(void **state)
{
    (void)state;
    check_hint("AWS_REGION", "eu-west-1", NULL);
    check_hint("AWS_REGION", "us-east-1", "eu-west-1 is asked, not us-east-1");
    check_hint("AWS_ENDPOINT_URL_KMS", "https://kms.us-east-1.amazonaws.com", "the endpoint");
    check_hint("AWS_ENDPOINT_URL", "http://127.0.0.1:4566", NULL);
    values.external_id = NULL;
    check_hint("X", "", "no ExternalId is sent");
    name_key("AWS_KMS", "alias/orders");
    check_hint("X", "", "an alias");
    snprintf(spec.auth_principal, sizeof spec.auth_principal, "keys");
    check_hint("X", "", "no ARN of a role");
    name_key("FILE", "/srv/kms#k");
    check_hint("AWS_REGION", "us-east-1", NULL);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(write__every_form__has_no_open_name),
        T(write__aws__names_role_region_and_external_id),
        T(write__vault_name_without_address__has_its_mount),
        T(write__value_not_given__usage_with_the_option),
        T(write__value_that_needs_quoting__usage),
        T(write__unknown_form_or_type__usage_with_those_there_are),
        T(write__name_of_another_form__usage),
        T(mend__denied__exact_statement),
        T(mend__each_state__one_command),
        T(hints__spec_and_environment_at_odds__told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
