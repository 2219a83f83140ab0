/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the files of the guides are taken as they stand there, YAML and JSON alike; every other one is refused with words
 * that say where and what.
 */
#include "cli/manifest.h"

#include "base/json.h"
#include "tmpdir.h"

static json_t *taken;

static ks_rc parse(const char *text)
{
    json_decref(taken);
    taken = NULL;
    return manifest_parse(view_text(text), "cmek.yml", &taken);
}

static const char *text_at(size_t region, size_t key, const char *member)
{
    json_t *keys = json_object_get(json_array_get(taken, region), "keys");

    return json_string_value(json_object_get(json_array_get(keys, key), member));
}

static const char guide_yaml[] = "---\n"
                                 "region_specs:\n"
                                 "- region: us-west-2\n"
                                 "  key_spec:\n"
                                 "    type: AWS_KMS\n"
                                 "    uri: \"arn:aws:kms:us-west-2:111122223333:key/1\"\n"
                                 "    auth_principal: \"arn:aws:iam::111122223333:role/db\"\n"
                                 "- region: us-central1\n"
                                 "  key_spec:\n"
                                 "    type: GCP_CLOUD_KMS\n"
                                 "    uri: projects/p/locations/l/keyRings/r/cryptoKeys/k\n"
                                 "    auth_principal: db@p.iam.gserviceaccount.com\n";

static const char guide_json[] =
    "{\"region_specs\": [{\"region\": \"us-west-2\", \"key_spec\": {\"type\": \"AWS_KMS\", "
    "\"uri\": "
    "\"arn:aws:kms:us-west-2:111122223333:key/1\", \"auth_principal\": "
    "\"arn:aws:iam::111122223333:role/db\"}}, {\"region\": \"us-central1\", \"key_spec\": "
    "{\"type\": \"GCP_CLOUD_KMS\", \"uri\": \"projects/p/locations/l/keyRings/r/cryptoKeys/k\", "
    "\"auth_principal\": \"db@p.iam.gserviceaccount.com\"}}]}\n";

static void parse__the_guides_files__the_same(void **state)
{
    static const char *const texts[] = {guide_yaml, guide_json};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        check_ok(parse(texts[i]));
        assert_int_equal(json_array_size(taken), 2);
        assert_string_equal(json_string_value(json_object_get(json_array_get(taken, 1), "region")),
                            "us-central1");
        assert_string_equal(text_at(0, 0, "type"), "AWS_KMS");
        assert_string_equal(text_at(0, 0, "uri"), "arn:aws:kms:us-west-2:111122223333:key/1");
        assert_string_equal(text_at(1, 0, "auth_principal"), "db@p.iam.gserviceaccount.com");
    }
}

static void parse__several_keys_and_no_principal__kept(void **state)
{
    (void)state;
    check_ok(parse("region_specs:\n- region: a\n  key_specs:\n  - {type: FILE, uri: /k#a}\n"
                   "  - {type: AWS_KMS, uri: arn, auth_principal: ''}\n"));
    assert_string_equal(text_at(0, 0, "uri"), "/k#a");
    assert_string_equal(text_at(0, 0, "auth_principal"), "");
    assert_string_equal(text_at(0, 1, "auth_principal"), "");
}

#define SPEC "{type: A, uri: u}"

static void parse__each_fault__told_with_its_place(void **state)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "is empty"},
        {"[]", "region_specs"},
        {"just words", "region_specs"},
        {"{", "cmek.yml"},
        {"{\"region_specs\": [}", "cmek.yml"},
        {"region_specs: [\n", "cmek.yml"},
        {"other: 1\n", "\"other\" is not known"},
        {"region_specs: 1\n", "region_specs"},
        {"region_specs: []\n", "region_specs is empty"},
        {"region_specs: [5]\n", "region_specs[0]"},
        {"region_specs:\n- key_spec: " SPEC "\n", "region_specs[0]: \"region\" "},
        {"region_specs:\n- {region: '', key_spec: " SPEC "}\n", "region is empty"},
        {"region_specs:\n- {region: 5, key_spec: " SPEC "}\n", "region_specs[0]: \"region\" "},
        {"region_specs:\n- {region: a, key_spec: " SPEC "}\n- {region: a, key_spec: " SPEC "}\n",
         "region_specs[1]: region a is there twice"},
        {"region_specs:\n- {region: a}\n", "region a: it needs either key_spec"},
        {"region_specs:\n- {region: a, key_spec: " SPEC ", key_specs: [" SPEC "]}\n",
         "it needs either key_spec"},
        {"region_specs:\n- {region: a, key_specs: []}\n", "key_specs is empty"},
        {"region_specs:\n- {region: a, key_specs: [" SPEC "," SPEC "," SPEC "," SPEC "," SPEC
         "]}\n",
         "key_specs"},
        {"region_specs:\n- {region: a, keyspec: " SPEC "}\n", "\"keyspec\" is not known"},
        {"region_specs:\n- {region: a, key_spec: 1}\n", "key_spec: it must be a map"},
        {"region_specs:\n- {region: a, key_spec: {uri: u}}\n", "key_spec: \"type\""},
        {"region_specs:\n- {region: a, key_spec: {type: A}}\n", "key_spec: \"uri\""},
        {"region_specs:\n- {region: a, key_spec: {type: A, uri: ''}}\n", "uri is empty"},
        {"region_specs:\n- {region: a, key_spec: {type: A, uri: 5}}\n", "uri"},
        {"region_specs:\n- {region: a, key_spec: {type: A, uri: \"{YOUR_KEY}\"}}\n",
         "uri is still the placeholder {YOUR_KEY}"},
        {"region_specs:\n- {region: a, key_spec: {type: A, uri: u, auth_principal: <role>}}\n",
         "auth_principal is still the placeholder <role>"},
        {"region_specs:\n- {region: a, key_spec: {type: A, uri: u, auth_principal: 5}}\n",
         "auth_principal"},
        {"region_specs:\n- {region: a, key_spec: {type: A, uri: u, url: x}}\n",
         "\"url\" is not known"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ks_rc rc = parse(cases[i].text);
        if (rc.cls != KS_CLASS_USAGE)
            fail_msg("case %zu: %s", i, ks_name(rc));
        check_text(rc, "cmek.yml");
        check_text(rc, cases[i].words);
    }
}

static void parse__texts_too_long__refused(void **state)
{
    char text[4096], uri[3000];

    (void)state;
    memset(uri, 'u', sizeof uri - 1);
    uri[sizeof uri - 1] = '\0';
    snprintf(text, sizeof text, "region_specs:\n- {region: a, key_spec: {type: A, uri: %s}}\n",
             uri);
    check_class(parse(text), USAGE);
}

static void read__a_file__as_parsed(void **state)
{
    struct tmpdir dir = tmpdir_make();
    struct path file = tmpdir_path(&dir, "cmek.json");

    (void)state;
    file_put(file.text, view_text(guide_json));
    json_decref(taken);
    taken = NULL;
    check_ok(manifest_read(file.text, &taken));
    assert_int_equal(json_array_size(taken), 2);
    ks_rc rc = manifest_read(tmpdir_path(&dir, "none").text, &taken);
    assert_true(ks_is_os(rc, ENOENT));
    tmpdir_remove(&dir);
}

static void read__more_than_a_megabyte__limit(void **state)
{
    static char big[(1 << 20) + 2];
    struct tmpdir dir = tmpdir_make();
    struct path file = tmpdir_path(&dir, "big.yml");

    (void)state;
    memset(big, '#', sizeof big);
    file_put(file.text, view_of(big, sizeof big));
    check_rc(manifest_read(file.text, &taken), LIMIT);
    tmpdir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__the_guides_files__the_same),
        cmocka_unit_test(parse__several_keys_and_no_principal__kept),
        cmocka_unit_test(parse__each_fault__told_with_its_place),
        cmocka_unit_test(parse__texts_too_long__refused),
        cmocka_unit_test(read__a_file__as_parsed),
        cmocka_unit_test(read__more_than_a_megabyte__limit),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    json_decref(taken);
    return failed;
}
