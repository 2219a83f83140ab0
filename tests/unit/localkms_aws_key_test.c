/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a key is in the state that its record, its material and the time say, and a ciphertext opens
 * only with the key, the material and the encryption context it was made with.
 */
#include "base/json.h"
#include "check.h"
#include "localkms/aws_blob.h"

static const char POLICY[] =
    "{\\\"Version\\\":\\\"2012-10-17\\\",\\\"Statement\\\":[{\\\"Effect\\\":\\\"Allow\\\","
    "\\\"Principal\\\":{\\\"AWS\\\":"
    "\\\"111122223333\\\"},\\\"Action\\\":\\\"kms:*\\\",\\\"Resource\\\":\\\"*\\\"}]}";
static const char ID[] = "c74ce7f8-89a5-483b-a331-7a7d12a20a54";
static const char M1[] = "1111111111111111111111111111111111111111111111111111111111111111";
static const char M2[] = "2222222222222222222222222222222222222222222222222222222222222222";

struct fixture {
    struct aws_vault vault;
    struct secret *material;
};

static void set_up(struct fixture *f, size_t materials)
{
    check_ok(secret_init());
    check_ok(secret_pool_new(sizeof(struct xaes_key), &f->vault.pool));
    check_ok(xaes_ctx_new(&f->vault.ctx));
    check_ok(secret_new(materials * AWS_MATERIAL_BYTES, &f->material));
    for (size_t i = 0; i < materials; i++)
        memset(secret_bytes(f->material) + i * AWS_MATERIAL_BYTES, (int)i + 1, AWS_MATERIAL_BYTES);
}

static void tear_down(struct fixture *f)
{
    secret_free(f->material);
    xaes_ctx_free(f->vault.ctx);
    secret_pool_free(f->vault.pool);
}

/* more: further members of the record; materials: its list. */
static json_t *make_record(const char *id, const char *state, const char *more,
                           const char *materials)
{
    char text[4096];

    snprintf(
        text, sizeof text,
        "{\"id\":\"%s\",\"account\":\"111122223333\",\"region\":\"eu-west-1\",\"state\":\"%s\","
        "\"policy\":\"%s\",%s\"materials\":[%s],\"grants\":[]}",
        id, state, POLICY, more, materials);
    json_t *record = json_loads(text, 0, NULL);
    assert_non_null(record);
    return record;
}

static const char ONE[] =
    "{\"id\":\"1111111111111111111111111111111111111111111111111111111111111111\","
    "\"state\":\"CURRENT\",\"present\":true}";
static const char ONE_EXPIRING[] =
    "{\"id\":\"1111111111111111111111111111111111111111111111111111111111111111\","
    "\"state\":\"CURRENT\",\"present\":true,\"expires\":500}";
static const char TWO_ONE_WAITS[] =
    "{\"id\":\"1111111111111111111111111111111111111111111111111111111111111111\","
    "\"state\":\"CURRENT\",\"present\":true},"
    "{\"id\":\"2222222222222222222222222222222222222222222222222222222222222222\","
    "\"state\":\"PENDING_ROTATION\",\"present\":false}";
static const char TWO_ONE_LOST[] =
    "{\"id\":\"1111111111111111111111111111111111111111111111111111111111111111\","
    "\"state\":\"NON_CURRENT\",\"present\":false},"
    "{\"id\":\"2222222222222222222222222222222222222222222222222222222222222222\","
    "\"state\":\"CURRENT\",\"present\":true}";

static const struct {
    const char *state, *more, *materials;
    int64_t now_s;
    enum aws_key_state want;
} states[] = {
    {"Enabled", "", ONE, 1, AWS_KEY_ENABLED},
    {"Disabled", "", ONE, 1, AWS_KEY_DISABLED},
    {"Enabled", "\"external\":true,", "", 1, AWS_KEY_PENDING_IMPORT},
    {"Disabled", "\"external\":true,", "", 1, AWS_KEY_PENDING_IMPORT},
    {"Enabled", "", ONE_EXPIRING, 499, AWS_KEY_ENABLED},
    {"Enabled", "", ONE_EXPIRING, 500, AWS_KEY_PENDING_IMPORT},
    {"Enabled", "", TWO_ONE_WAITS, 1, AWS_KEY_ENABLED},
    {"Enabled", "", TWO_ONE_LOST, 1, AWS_KEY_PENDING_IMPORT},
    {"PendingDeletion", "\"deletion\":100,", ONE, 99, AWS_KEY_PENDING_DELETION},
    {"PendingDeletion", "\"deletion\":100,", ONE, 100, AWS_KEY_GONE},
};

static void state__record_material_and_time__as_in_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        struct fixture f;
        struct aws_key *key;
        set_up(&f, 1);
        bool has_material = states[i].materials[0] != 0;
        check_ok(aws_key_make(&f.vault,
                              make_record(ID, states[i].state, states[i].more, states[i].materials),
                              has_material ? f.material : NULL, &key));
        assert_int_equal(aws_key_state(key, states[i].now_s), states[i].want);
        assert_string_equal(
            key->arn,
            "arn:aws:kms:eu-west-1:111122223333:key/c74ce7f8-89a5-483b-a331-7a7d12a20a54");
        aws_key_free(key);
        tear_down(&f);
    }
}

static void make__malformed__refused(void **state)
{
    struct fixture f;
    struct aws_key *key = NULL;

    (void)state;
    set_up(&f, 1);
    check_rc(aws_key_make(&f.vault, make_record(ID, "Odd", "", ONE), f.material, &key), FORMAT);
    check_rc(aws_key_make(&f.vault, make_record(ID, "Enabled", "", ONE), NULL, &key), FORMAT);
    check_rc(aws_key_make(&f.vault, make_record(ID, "Enabled", "", ""), f.material, &key), FORMAT);
    check_rc(aws_key_make(&f.vault, json_object(), NULL, &key), USAGE);
    check_rc(aws_key_make(&f.vault, NULL, NULL, &key), NO_MEMORY);
    json_t *no_policy = make_record(ID, "Enabled", "", ONE);
    json_object_set_new(no_policy, "policy", json_string("{}"));
    check_rc(aws_key_make(&f.vault, no_policy, f.material, &key), USAGE);
    assert_null(key);
    tear_down(&f);
}

static void material__of_a_key__as_it_was_given(void **state)
{
    struct fixture f;
    struct aws_key *key;
    struct secret *got = NULL;

    (void)state;
    set_up(&f, 1);
    check_ok(
        aws_key_make(&f.vault, make_record(ID, "Enabled", "", TWO_ONE_LOST), f.material, &key));
    check_ok(aws_key_material(key, &got));
    check_bytes(secret_view(got), secret_view(f.material));
    assert_string_equal(aws_key_current(key)->id, M2);
    assert_non_null(aws_key_find_material(key, M1));
    assert_null(aws_key_find_material(key, "1111"));
    secret_free(got);
    aws_key_free(key);
    tear_down(&f);
}

/* ---- ciphertexts ---- */

static ks_rc open_with(const struct aws_material *m, const char *context, const struct buf *blob,
                       struct buf *ret)
{
    json_t *pairs = context ? json_loads(context, 0, NULL) : NULL;
    ks_rc rc = aws_blob_open(m, pairs, buf_view(blob), ret);

    json_decref(pairs);
    return rc;
}

static void blob__right_context_in_any_order__opens(void **state)
{
    static const char *const ids[] = {ID, "mrk-97c8455e84e84aaf81804d907ede1ef1"};
    char id[AWS_KEY_NAME_BYTES], material_id[AWS_MATERIAL_ID_BYTES];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct fixture f;
        struct aws_key *key;
        CLEANUP(buf_done) struct buf blob = buf_init(8192), plain = buf_init(8192);
        set_up(&f, 1);
        check_ok(aws_key_make(&f.vault, make_record(ids[i], "Enabled", "", ONE), f.material, &key));
        json_t *context = json_loads("{\"a\":\"1\",\"b\":\"2\"}", 0, NULL);
        check_ok(aws_blob_seal(key, context, view_text("hello"), random_system(), &blob));
        json_decref(context);
        check_ok(aws_blob_names(buf_view(&blob), id, material_id));
        assert_string_equal(id, ids[i]);
        const struct aws_material *m = aws_key_find_material(key, material_id);
        assert_non_null(m);
        check_ok(open_with(m, "{\"b\":\"2\",\"a\":\"1\"}", &blob, &plain));
        check_bytes(buf_view(&plain), view_text("hello"));
        aws_key_free(key);
        tear_down(&f);
    }
}

static void blob__other_context_or_changed_byte__auth(void **state)
{
    static const char *const others[] = {NULL,
                                         "{}",
                                         "{\"a\":\"1\"}",
                                         "{\"a\":\"1\",\"b\":\"3\"}",
                                         "{\"a\":\"1b\",\"\":\"2\"}",
                                         "{\"a\":\"1\",\"b\":\"2\",\"c\":\"\"}"};
    struct fixture f;
    struct aws_key *key;
    CLEANUP(buf_done) struct buf blob = buf_init(8192), plain = buf_init(8192);
    json_t *context = json_loads("{\"a\":\"1\",\"b\":\"2\"}", 0, NULL);

    (void)state;
    set_up(&f, 1);
    check_ok(aws_key_make(&f.vault, make_record(ID, "Enabled", "", ONE), f.material, &key));
    check_ok(aws_blob_seal(key, context, view_text("hello"), random_system(), &blob));
    json_decref(context);
    const struct aws_material *m = aws_key_current(key);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        check_rc(open_with(m, others[i], &blob, &plain), AUTH);
    for (size_t i = 0; i < blob.len; i++) {
        blob.bytes[i] ^= 1;
        check_rc(open_with(m, "{\"a\":\"1\",\"b\":\"2\"}", &blob, &plain), AUTH);
        blob.bytes[i] ^= 1;
    }
    aws_key_free(key);
    tear_down(&f);
}

static void blob__cut_or_foreign__format(void **state)
{
    char id[AWS_KEY_NAME_BYTES], material_id[AWS_MATERIAL_ID_BYTES];
    uint8_t bytes[AWS_BLOB_OVERHEAD] = {1, 1};

    (void)state;
    check_ok(aws_blob_names(view_of(bytes, sizeof bytes), id, material_id));
    check_rc(aws_blob_names(view_of(bytes, sizeof bytes - 1), id, material_id), FORMAT);
    bytes[0] = 2;
    check_rc(aws_blob_names(view_of(bytes, sizeof bytes), id, material_id), FORMAT);
    bytes[0] = 1;
    bytes[1] = 3;
    check_rc(aws_blob_names(view_of(bytes, sizeof bytes), id, material_id), FORMAT);
}

static void blob__context_too_long__limit(void **state)
{
    struct fixture f;
    struct aws_key *key;
    CLEANUP(buf_done) struct buf blob = buf_init(16384);
    static char text[AWS_CONTEXT_BYTES_MAX + 1];

    (void)state;
    set_up(&f, 1);
    check_ok(aws_key_make(&f.vault, make_record(ID, "Enabled", "", ONE), f.material, &key));
    memset(text, 'x', sizeof text - 1);
    json_t *context = json_pack("{s:s}", "k", text);
    check_rc(aws_blob_seal(key, context, view_text("hello"), random_system(), &blob), LIMIT);
    json_decref(context);
    aws_key_free(key);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state__record_material_and_time__as_in_the_table),
        cmocka_unit_test(make__malformed__refused),
        cmocka_unit_test(material__of_a_key__as_it_was_given),
        cmocka_unit_test(blob__right_context_in_any_order__opens),
        cmocka_unit_test(blob__other_context_or_changed_byte__auth),
        cmocka_unit_test(blob__cut_or_foreign__format),
        cmocka_unit_test(blob__context_too_long__limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
