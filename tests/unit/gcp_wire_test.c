/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the Google wire of the embedded key service answers over HTTP as Cloud KMS does: each request and
 * each refusal; states, rights and imports are enforced; all of it survives a restart.
 */
#include "localkms/gcp_call.h"

#include <sys/stat.h>

#include "base/base64.h"
#include "base/json.h"
#include "crypto/hash.h"
#include "crypto/rsa.h"
#include "localkms/admin.h"
#include "net/http_client.h"
#include "realm_fixture.h"

#define RINGS "projects/cust/locations/l/keyRings"
#define RING RINGS "/r"
#define KEY RING "/cryptoKeys/k"
#define FIRST KEY "/cryptoKeyVersions/1"
#define OWNER "owner@cust.iam.gserviceaccount.com"
#define APP "app-account@cust.iam.gserviceaccount.com"

static struct realm_fixture f;
static struct lk_server *server;
static struct http_client *client;
static char base[64];
static json_t *owner_file;
static char owner[4096], app[4096]; /* tokens */

/* --- asking --- */

static json_t *answer; /* of the last request */

static int ask(const char *token, const char *method, const char *path, const char *body)
{
    CLEANUP(buf_done) struct buf bearer = buf_init(8192);
    CLEANUP(http_reply_done) struct http_reply reply = {0};
    char url[2048];

    snprintf(url, sizeof url, "%s/v1/%s", base, path);
    check_ok(buf_printf(&bearer, "Bearer %s", token));
    struct http_request request = {.method = method, .url = url, .body = view_text(body)};
    if (token[0])
        request.headers[request.header_count++] =
            (struct http_header){"Authorization", buf_text(&bearer)};
    check_ok(http_client_send(client, &request, &reply));
    json_decref(answer);
    answer = json_loadb((const char *)reply.body.bytes, reply.body.len, 0, NULL);
    return reply.status;
}

static const char *at(const char *name)
{
    const char *text = json_string_value(json_object_get(answer, name));

    return text ? text : "";
}

static const char *error_at(const char *name)
{
    const char *text = json_string_value(json_object_get(json_object_get(answer, "error"), name));

    return text ? text : "";
}

static void ask_ok(const char *token, const char *method, const char *path, const char *body)
{
    int status = ask(token, method, path, body);

    if (status != 200)
        fail_msg("%s %s: %d %s %s", method, path, status, error_at("status"), error_at("message"));
}

static void ask_fails(const char *token, const char *method, const char *path, const char *body,
                      const char *want)
{
    int status = ask(token, method, path, body);

    if (status == 200 || strcmp(error_at("status"), want) != 0)
        fail_msg("%s %s: wanted %s, got %d %s %s", method, path, want, status, error_at("status"),
                 error_at("message"));
}

/* --- logging in --- */

static void part(json_t *object, struct buf *jwt)
{
    CLEANUP(buf_done) struct buf text = buf_init(4096);

    check_ok(json_write(object, false, &text));
    check_ok(base64_write(buf_view(&text), BASE64_URL, jwt));
    json_decref(object);
}

/* An assertion of the account of a credentials file; now_s is what its clock says. */
static void sign(const json_t *file, const char *aud, int64_t now_s, struct buf *jwt)
{
    CLEANUP(buf_done) struct buf signature = buf_init(1024);
    CLEANUP(rsa_freep) struct rsa *key = NULL;
    const char *pem = json_string_value(json_object_get(file, "private_key"));

    check_ok(rsa_from_pem(view_text(pem), &key));
    part(json_pack("{s:s,s:O}", "alg", "RS256", "kid", json_object_get(file, "private_key_id")),
         jwt);
    check_ok(buf_printf(jwt, "."));
    part(json_pack("{s:O,s:O,s:s,s:I,s:I,s:s}", "iss", json_object_get(file, "client_email"), "sub",
                   json_object_get(file, "client_email"), "aud", aud, "iat", (json_int_t)now_s,
                   "exp", (json_int_t)now_s + 3600, "scope", "x"),
         jwt);
    check_ok(rsa_sign_rs256(key, buf_view(jwt), &signature));
    check_ok(buf_printf(jwt, "."));
    check_ok(base64_write(buf_view(&signature), BASE64_URL, jwt));
}

static int post_assertion(const char *grant, const struct buf *jwt)
{
    CLEANUP(buf_done) struct buf form = buf_init(16384);
    CLEANUP(http_reply_done) struct http_reply reply = {0};
    char url[128];

    snprintf(url, sizeof url, "%s/token", base);
    check_ok(buf_printf(&form, "grant_type=%s&assertion=%s", grant, buf_text(jwt)));
    struct http_request request = {.method = "POST", .url = url, .body = buf_view(&form)};
    check_ok(http_client_send(client, &request, &reply));
    json_decref(answer);
    answer = json_loadb((const char *)reply.body.bytes, reply.body.len, 0, NULL);
    return reply.status;
}

#define GRANT "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"

static void log_in(const json_t *file, char token[4096])
{
    CLEANUP(buf_done) struct buf jwt = buf_init(8192);

    sign(file, json_string_value(json_object_get(file, "token_uri")), f.clock.now_s, &jwt);
    assert_int_equal(post_assertion(GRANT, &jwt), 200);
    snprintf(token, 4096, "%s", at("access_token"));
}

/* --- setting up --- */

static void serve(void)
{
    struct http_server_conf conf = {.address = "127.0.0.1", .threads = 2};

    check_ok(lk_server_start(f.realm, &conf, &server));
    snprintf(base, sizeof base, "http://127.0.0.1:%u", lk_server_port(server));
}

static int setup(void **state)
{
    struct lk_event event = {.operation = "test", .outcome = "ok"};
    struct http_client_conf conf = {0};

    (void)state;
    realm_fixture_start(&f);
    serve();
    check_ok(http_client_new(&conf, &client));
    check_ok(goog_project_add(f.realm, "cust", base, &event, &owner_file));
    log_in(owner_file, owner);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    http_client_free(client);
    lk_server_stop(server);
    json_decref(owner_file);
    json_decref(answer);
    answer = NULL;
    realm_fixture_stop(&f);
    return 0;
}

static void make_key(void)
{
    ask_ok(owner, "POST", RINGS "?keyRingId=r", "{}");
    ask_ok(owner, "POST", RING "/cryptoKeys?cryptoKeyId=k", "{\"purpose\":\"ENCRYPT_DECRYPT\"}");
}

/* An account with a key of its own, logged in. */
static void make_app(void)
{
    CLEANUP(buf_done) struct buf text = buf_init(16384);
    CLEANUP(json_decrefp) json_t *file = NULL;

    ask_ok(owner, "POST", "projects/cust/serviceAccounts", "{\"accountId\":\"app-account\"}");
    assert_string_equal(at("email"), APP);
    ask_ok(owner, "POST", "projects/-/serviceAccounts/" APP "/keys", "{}");
    check_ok(base64_read(view_text(at("privateKeyData")), BASE64_STANDARD, &text));
    file = json_loadb((const char *)text.bytes, text.len, 0, NULL);
    log_in(file, app);
}

static void seal(const char *token, char ret[1024])
{
    char body[1200];

    ask_ok(token, "POST", KEY ":encrypt",
           "{\"plaintext\":\"aGVsbG8=\",\"additionalAuthenticatedData\":\"YWFk\"}");
    snprintf(body, sizeof body, "{\"ciphertext\":\"%s\",\"additionalAuthenticatedData\":\"YWFk\"}",
             at("ciphertext"));
    snprintf(ret, 1024, "%.1023s", body);
}

static void set_role(const char *resource, const char *role, const char *member)
{
    char path[512], body[1024];

    snprintf(path, sizeof path, "%s:setIamPolicy", resource);
    snprintf(body, sizeof body,
             "{\"policy\":{\"bindings\":[{\"role\":\"%s\",\"members\":[\"serviceAccount:%s\"]}]}}",
             role, member);
    ask_ok(owner, "POST", path, body);
}

/* --- tests --- */

static void encrypt__there_and_back__with_checksums(void **state)
{
    char body[1024];

    (void)state;
    make_key();
    ask_ok(owner, "POST", KEY ":encrypt",
           "{\"plaintext\":\"aGVsbG8=\",\"plaintextCrc32c\":\"2591144780\","
           "\"additional_authenticated_data\":\"\",\"additionalAuthenticatedDataCrc32c\":0}");
    assert_string_equal(at("name"), FIRST);
    assert_true(json_is_true(json_object_get(answer, "verifiedPlaintextCrc32c")));
    assert_true(json_is_true(json_object_get(answer, "verifiedAdditionalAuthenticatedDataCrc32c")));
    seal(owner, body);
    ask_ok(owner, "POST", KEY ":decrypt", body);
    assert_string_equal(at("plaintext"), "aGVsbG8=");
    assert_string_equal(at("plaintextCrc32c"), "2591144780");
    assert_true(json_is_true(json_object_get(answer, "usedPrimary")));
}

static void encrypt__bad_requests__invalid_argument(void **state)
{
    static const char *const bodies[] = {
        "{\"plaintext\":\"aGVsbG8=\",\"plaintextCrc32c\":\"1\"}",
        "{\"plaintext\":\"aGVsbG8=\",\"plaintextCrc32c\":\"x\"}",
        "{\"plaintext\":\"***\"}",
        "{\"plaintext\":7}",
        "{\"plain\":\"\"}",
        "[]",
        "\"x\"",
        "{",
        "{\"plaintext\":\"\",\"plaintext\":\"\"}",
    };

    (void)state;
    make_key();
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        ask_fails(owner, "POST", KEY ":encrypt", bodies[i], "INVALID_ARGUMENT");
}

static void decrypt__wrong_data_or_key__told_apart(void **state)
{
    char body[1024];

    (void)state;
    make_key();
    ask_ok(owner, "POST", RING "/cryptoKeys?cryptoKeyId=k2", "{\"purpose\":1}");
    seal(owner, body);
    ask_fails(owner, "POST", RING "/cryptoKeys/k2:decrypt", body, "INVALID_ARGUMENT");
    assert_non_null(strstr(error_at("message"), "correct CryptoKey"));
    char *aad = strstr(body, "YWFk");
    aad[0] = 'Z';
    ask_fails(owner, "POST", KEY ":decrypt", body, "INVALID_ARGUMENT");
    assert_non_null(strstr(error_at("message"), "additional_authenticated_data"));
    ask_fails(owner, "POST", KEY ":decrypt", "{\"ciphertext\":\"AAAA\"}", "INVALID_ARGUMENT");
}

static void states__each_move__as_the_table_says(void **state)
{
    char body[1024];

    (void)state;
    make_key();
    seal(owner, body);
    ask_ok(owner, "PATCH", FIRST "?updateMask=state", "{\"state\":\"DISABLED\"}");
    assert_string_equal(at("state"), "DISABLED");
    ask_fails(owner, "POST", KEY ":decrypt", body, "FAILED_PRECONDITION");
    assert_non_null(strstr(error_at("message"), "current state is: DISABLED."));
    ask_fails(owner, "POST", KEY ":encrypt", "{\"plaintext\":\"YQ==\"}", "FAILED_PRECONDITION");
    ask_ok(owner, "PATCH", FIRST "?updateMask=state", "{\"state\":1}");
    ask_ok(owner, "POST", KEY ":decrypt", body);
    ask_fails(owner, "POST", FIRST ":restore", "{}", "FAILED_PRECONDITION");
    ask_ok(owner, "POST", FIRST ":destroy", "{}");
    assert_string_equal(at("state"), "DESTROY_SCHEDULED");
    ask_fails(owner, "POST", FIRST ":destroy", "{}", "FAILED_PRECONDITION");
    ask_fails(owner, "PATCH", FIRST "?updateMask=state", "{\"state\":\"ENABLED\"}",
              "FAILED_PRECONDITION");
    ask_ok(owner, "POST", FIRST ":restore", "{}");
    assert_string_equal(at("state"), "DISABLED");
    ask_fails(owner, "PATCH", FIRST "?updateMask=state", "{\"state\":\"DESTROYED\"}",
              "INVALID_ARGUMENT");
    ask_fails(owner, "PATCH", FIRST, "{\"state\":\"ENABLED\"}", "INVALID_ARGUMENT");
}

static int64_t log_bytes(void)
{
    char path[512];
    struct stat st = {.st_size = -1};

    snprintf(path, sizeof path, "%s/store.db-wal", f.tmp.path);
    assert_int_equal(stat(path, &st), 0);
    return (int64_t)st.st_size;
}

static void destroy__its_time_has_come__material_is_gone(void **state)
{
    char body[1024];

    (void)state;
    make_key();
    seal(owner, body);
    ask_ok(owner, "POST", FIRST ":destroy", "{}");
    f.clock.now_s += 30 * 24 * 3600;
    log_in(owner_file, owner);
    ask_ok(owner, "GET", FIRST, "");
    assert_string_equal(at("state"), "DESTROYED");
    ask_fails(owner, "POST", KEY ":decrypt", body, "FAILED_PRECONDITION");
    ask_fails(owner, "POST", FIRST ":restore", "{}", "FAILED_PRECONDITION");
    check_ok(goog_tick(f.realm));
    assert_null(goog_find(f.realm, FIRST)->secret);
    assert_int_equal(log_bytes(), 0); /* of the store: nothing of it is left there */
    ask_ok(owner, "GET", FIRST, "");
    assert_true(at("destroyEventTime")[0] != 0);
}

static void versions__new_primary__old_ciphertexts_still_open(void **state)
{
    char body[1024];

    (void)state;
    make_key();
    seal(owner, body);
    ask_ok(owner, "POST", KEY "/cryptoKeyVersions", "{}");
    assert_string_equal(at("name"), KEY "/cryptoKeyVersions/2");
    ask_ok(owner, "POST", KEY ":updatePrimaryVersion", "{\"cryptoKeyVersionId\":\"2\"}");
    ask_ok(owner, "POST", KEY ":encrypt", "{\"plaintext\":\"YQ==\"}");
    assert_string_equal(at("name"), KEY "/cryptoKeyVersions/2");
    ask_ok(owner, "POST", KEY ":decrypt", body);
    assert_true(json_is_false(json_object_get(answer, "usedPrimary")));
    ask_fails(owner, "POST", KEY ":updatePrimaryVersion", "{\"cryptoKeyVersionId\":\"9\"}",
              "NOT_FOUND");
    ask_fails(owner, "POST", KEY ":updatePrimaryVersion", "{\"cryptoKeyVersionId\":\"x\"}",
              "INVALID_ARGUMENT");
    ask_ok(owner, "GET", KEY "/cryptoKeyVersions?pageSize=1", "");
    assert_string_equal(at("nextPageToken"), "1");
    ask_ok(owner, "GET", KEY "/cryptoKeyVersions?pageSize=1&pageToken=1", "");
    assert_int_equal(json_array_size(json_object_get(answer, "cryptoKeyVersions")), 1);
    assert_string_equal(at("nextPageToken"), "");
}

static void create__bad_requests__refused(void **state)
{
    static const struct {
        const char *path, *body, *want;
    } bad[] = {
        {RINGS "?keyRingId=r", "{}", "ALREADY_EXISTS"},
        {RINGS "?keyRingId=a%2Fb", "{}", "INVALID_ARGUMENT"},
        {RINGS, "{}", "INVALID_ARGUMENT"},
        {RING "/cryptoKeys?cryptoKeyId=k", "{\"purpose\":\"ENCRYPT_DECRYPT\"}", "ALREADY_EXISTS"},
        {RING "/cryptoKeys?cryptoKeyId=n", "{}", "INVALID_ARGUMENT"},
        {RING "/cryptoKeys?cryptoKeyId=n", "{\"purpose\":\"ASYMMETRIC_SIGN\"}", "INVALID_ARGUMENT"},
        {RING "/cryptoKeys?cryptoKeyId=n", "{\"purpose\":1,\"rotationPeriod\":\"86400s\"}",
         "INVALID_ARGUMENT"},
        {RING "/cryptoKeys?cryptoKeyId=n", "{\"purpose\":1,\"importOnly\":true}",
         "INVALID_ARGUMENT"},
        {RING "/cryptoKeys?cryptoKeyId=n", "{\"purpose\":1,\"labels\":{\"a\":7}}",
         "INVALID_ARGUMENT"},
        {RING "/cryptoKeys?cryptoKeyId=n", "{\"purpose\":1,\"destroyScheduledDuration\":\"1s\"}",
         "INVALID_ARGUMENT"},
        {RING "/cryptoKeys?cryptoKeyId=n",
         "{\"purpose\":1,\"versionTemplate\":{\"protectionLevel\":\"EXTERNAL\"}}",
         "INVALID_ARGUMENT"},
        {RINGS "/none/cryptoKeys?cryptoKeyId=n", "{\"purpose\":1}", "NOT_FOUND"},
        {"projects/none/locations/l/keyRings?keyRingId=r", "{}", "PERMISSION_DENIED"},
        {RING "/importJobs?importJobId=j", "{\"importMethod\":\"ROT13\"}", "INVALID_ARGUMENT"},
        {"projects/cust/serviceAccounts", "{\"accountId\":\"X\"}", "INVALID_ARGUMENT"},
    };

    (void)state;
    make_key();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ask_fails(owner, "POST", bad[i].path, bad[i].body, bad[i].want);
}

static void create__body_of_the_javascript_client__is_no_fields(void **state)
{
    (void)state;
    ask_ok(owner, "POST", RINGS "?keyRingId=r", "\"\"");
    ask_fails(owner, "POST", RINGS "?keyRingId=n", "\" \"", "INVALID_ARGUMENT");
}

static void unknown_paths__not_an_answer_about_a_key(void **state)
{
    (void)state;
    assert_int_equal(ask(owner, "POST", KEY ":frobnicate", "{}"), 404);
    assert_null(answer);
    assert_int_equal(ask(owner, "PUT", KEY, "{}"), 404);
    assert_null(answer);
}

static void rights__granted_and_taken__count_at_once(void **state)
{
    char body[1024];

    (void)state;
    make_key();
    make_app();
    ask_fails(app, "POST", KEY ":encrypt", "{\"plaintext\":\"YQ==\"}", "PERMISSION_DENIED");
    assert_non_null(strstr(error_at("message"), "useToEncrypt"));
    set_role(KEY, "roles/cloudkms.cryptoKeyEncrypterDecrypter", APP);
    seal(app, body);
    ask_ok(app, "POST", KEY ":decrypt", body);
    ask_fails(app, "GET", KEY, "", "PERMISSION_DENIED");
    ask_fails(app, "POST", KEY ":setIamPolicy", "{\"policy\":{}}", "PERMISSION_DENIED");
    ask_ok(app, "POST", KEY ":testIamPermissions",
           "{\"permissions\":[\"cloudkms.cryptoKeyVersions.useToDecrypt\","
           "\"cloudkms.cryptoKeys.get\"]}");
    assert_int_equal(json_array_size(json_object_get(answer, "permissions")), 1);
    ask_ok(owner, "POST", KEY ":setIamPolicy", "{\"policy\":{\"bindings\":[]}}");
    ask_fails(app, "POST", KEY ":decrypt", body, "PERMISSION_DENIED");
    set_role(RING, "roles/cloudkms.cryptoKeyDecrypter", APP); /* comes down from the ring */
    ask_ok(app, "POST", KEY ":decrypt", body);
    ask_fails(app, "POST", KEY ":encrypt", "{\"plaintext\":\"YQ==\"}", "PERMISSION_DENIED");
    ask_fails(app, "GET", RINGS "/none", "", "PERMISSION_DENIED");
    ask_fails(owner, "GET", RINGS "/none", "", "NOT_FOUND");
}

static void policies__bad_or_outdated__refused(void **state)
{
    char body[256];

    (void)state;
    make_key();
    ask_fails(owner, "POST", KEY ":setIamPolicy", "{}", "INVALID_ARGUMENT");
    ask_fails(owner, "POST", KEY ":setIamPolicy",
              "{\"policy\":{\"bindings\":[{\"role\":\"roles/owner\",\"members\":[\"serviceAccount:"
              "none@cust.iam.gserviceaccount.com\"]}]}}",
              "INVALID_ARGUMENT");
    assert_non_null(strstr(error_at("message"), "does not exist"));
    ask_ok(owner, "GET", KEY ":getIamPolicy", "");
    snprintf(body, sizeof body, "{\"policy\":{\"etag\":\"%s\"}}", at("etag"));
    ask_ok(owner, "POST", KEY ":setIamPolicy", body);
    ask_fails(owner, "POST", KEY ":setIamPolicy", body, "ABORTED");
}

static void tokens__wrong_in_any_way__unauthenticated(void **state)
{
    char changed[4096];

    (void)state;
    make_key();
    ask_fails("", "GET", KEY, "", "UNAUTHENTICATED");
    ask_fails("x", "GET", KEY, "", "UNAUTHENTICATED");
    ask_fails("ya29.AAAA", "GET", KEY, "", "UNAUTHENTICATED");
    ask_fails("a.b.c", "GET", KEY, "", "UNAUTHENTICATED");
    for (size_t i = 5; i < strlen(owner) - 1; i += 7) {
        memcpy(changed, owner, sizeof changed);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        ask_fails(changed, "GET", KEY, "", "UNAUTHENTICATED");
    }
    f.clock.now_s += 3601;
    ask_fails(owner, "GET", KEY, "", "UNAUTHENTICATED");
}

static void tokens__account_disabled_or_deleted__end_at_once(void **state)
{
    (void)state;
    make_key();
    make_app();
    set_role(KEY, "roles/cloudkms.viewer", APP);
    ask_ok(app, "GET", KEY, "");
    ask_ok(owner, "POST", "projects/-/serviceAccounts/" APP ":disable", "{}");
    ask_fails(app, "GET", KEY, "", "UNAUTHENTICATED");
    ask_ok(owner, "POST", "projects/-/serviceAccounts/" APP ":enable", "{}");
    ask_ok(app, "GET", KEY, "");
    ask_ok(owner, "DELETE", "projects/-/serviceAccounts/" APP, "");
    ask_fails(app, "GET", KEY, "", "UNAUTHENTICATED");
    ask_ok(owner, "POST", "projects/cust/serviceAccounts", "{\"accountId\":\"app-account\"}");
    ask_fails(app, "GET", KEY, "", "UNAUTHENTICATED"); /* another account of the same name */
}

static void assertions__wrong_in_any_way__invalid_grant(void **state)
{
    const char *aud = json_string_value(json_object_get(owner_file, "token_uri"));
    const struct {
        const char *grant, *aud;
        int64_t skew_s;
        bool is_changed;
        int status;
    } table[] = {
        {GRANT, aud, 0, false, 200},
        {GRANT, "https://oauth2.googleapis.com/token", 0, false, 200},
        {GRANT, aud, 299, false, 200},
        {GRANT, aud, 600, false, 400},
        {GRANT, aud, -2 * 3600, false, 400},
        {GRANT, "https://elsewhere.example/token", 0, false, 400},
        {GRANT, aud, 0, true, 400},
        {"password", aud, 0, false, 400},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        CLEANUP(buf_done) struct buf jwt = buf_init(8192);
        sign(owner_file, table[i].aud, f.clock.now_s + table[i].skew_s, &jwt);
        if (table[i].is_changed)
            jwt.bytes[jwt.len - 10] ^= 1;
        if (post_assertion(table[i].grant, &jwt) != table[i].status)
            fail_msg("line %zu: %s", i, at("error_description"));
        if (table[i].status != 200)
            assert_true(at("error")[0] != 0);
    }
}

static void bearer__self_signed__taken_for_our_address_only(void **state)
{
    CLEANUP(buf_done) struct buf good = buf_init(8192);
    CLEANUP(buf_done) struct buf bad = buf_init(8192);

    (void)state;
    make_key();
    sign(owner_file, "https://cloudkms.googleapis.com/", f.clock.now_s, &good);
    ask_ok(buf_text(&good), "GET", KEY, "");
    sign(owner_file, "https://elsewhere.example/", f.clock.now_s, &bad);
    ask_fails(buf_text(&bad), "GET", KEY, "", "UNAUTHENTICATED");
}

#define TARGET "projects/-/serviceAccounts/" OWNER
#define SCOPED "{\"scope\":[\"https://www.googleapis.com/auth/cloud-platform\"]"

static void generate_token__only_with_the_right__and_through_hops(void **state)
{
    char token[4096];

    (void)state;
    make_key();
    make_app();
    ask_fails(app, "POST", TARGET ":generateAccessToken", SCOPED "}", "PERMISSION_DENIED");
    set_role(TARGET, "roles/iam.serviceAccountTokenCreator", APP);
    ask_ok(app, "POST", TARGET ":generateAccessToken", SCOPED ",\"lifetime\":\"600s\"}");
    snprintf(token, sizeof token, "%s", at("accessToken"));
    ask_ok(token, "GET", KEY, "");
    ask_fails(app, "POST", TARGET ":generateAccessToken", "{}", "INVALID_ARGUMENT");
    ask_fails(app, "POST", TARGET ":generateAccessToken", SCOPED ",\"lifetime\":\"7200s\"}",
              "INVALID_ARGUMENT");
    ask_ok(owner, "POST", "projects/cust/serviceAccounts", "{\"accountId\":\"hop-account\"}");
    set_role(TARGET, "roles/iam.serviceAccountTokenCreator",
             "hop-account@cust.iam.gserviceaccount.com");
    ask_fails(app, "POST", TARGET ":generateAccessToken", SCOPED "}", "PERMISSION_DENIED");
    set_role("projects/-/serviceAccounts/hop-account@cust.iam.gserviceaccount.com",
             "roles/iam.serviceAccountTokenCreator", APP);
    ask_ok(app, "POST", TARGET ":generateAccessToken",
           SCOPED ",\"delegates\":[\"projects/-/serviceAccounts/"
                  "hop-account@cust.iam.gserviceaccount.com\"]}");
    f.clock.now_s += 601;
    ask_fails(token, "GET", KEY, "", "UNAUTHENTICATED");
}

/* --- imports --- */

static void make_import_key(void)
{
    ask_ok(owner, "POST", RINGS "?keyRingId=r", "{}");
    ask_ok(owner, "POST", RING "/cryptoKeys?cryptoKeyId=k&skipInitialVersionCreation=True",
           "{\"purpose\":\"ENCRYPT_DECRYPT\",\"importOnly\":true}");
}

static void wrap(const char *pem, bool has_aes, enum rsa_hash hash, struct view material,
                 struct buf *ret)
{
    CLEANUP(buf_done) struct buf wrapped = buf_init(4096);
    CLEANUP(rsa_freep) struct rsa *key = NULL;
    const uint8_t kek[32] = {7};

    check_ok(rsa_from_pem(view_text(pem), &key));
    check_ok(rsa_oaep_wrap(key, hash, has_aes ? view_of(kek, 32) : material, &wrapped));
    if (has_aes)
        check_ok(kwp_wrap(view_of(kek, 32), material, &wrapped));
    check_ok(base64_write(buf_view(&wrapped), BASE64_STANDARD, ret));
}

static void import(const char *job, const struct buf *wrapped, const char *target)
{
    CLEANUP(buf_done) struct buf body = buf_init(16384);

    check_ok(buf_printf(&body,
                        "{\"algorithm\":\"GOOGLE_SYMMETRIC_ENCRYPTION\",\"importJob\":\"%s\","
                        "\"wrappedKey\":\"%s\"%s%s%s}",
                        job, buf_text(wrapped), target ? ",\"cryptoKeyVersion\":\"" : "",
                        target ? target : "", target ? "\"" : ""));
    ask(owner, "POST", KEY "/cryptoKeyVersions:import", buf_text(&body));
}

static void make_job(const char *id, const char *method, char pem[2048])
{
    char path[512], body[256];

    snprintf(path, sizeof path, RING "/importJobs?importJobId=%s", id);
    snprintf(body, sizeof body, "{\"importMethod\":\"%s\",\"protectionLevel\":\"SOFTWARE\"}",
             method);
    ask_ok(owner, "POST", path, body);
    assert_string_equal(at("state"), "ACTIVE");
    snprintf(pem, 2048, "%s",
             json_string_value(json_object_get(json_object_get(answer, "publicKey"), "pem")));
}

static void import__each_method__the_material_is_used(void **state)
{
    static const struct {
        const char *id, *method;
        bool has_aes;
        enum rsa_hash hash;
    } methods[] = {
        {"a", "RSA_OAEP_3072_SHA1_AES_256", true, RSA_SHA1},
        {"b", "RSA_OAEP_3072_SHA256_AES_256", true, RSA_SHA256},
        {"c", "RSA_OAEP_3072_SHA256", false, RSA_SHA256},
    };

    (void)state;
    make_import_key();
    for (size_t i = 0; i < 3; i++) {
        CLEANUP(buf_done) struct buf wrapped = buf_init(8192);
        const uint8_t material[32] = {1, (uint8_t)i};
        char pem[2048], job[512], name[512];
        make_job(methods[i].id, methods[i].method, pem);
        wrap(pem, methods[i].has_aes, methods[i].hash, view_of(material, 32), &wrapped);
        snprintf(job, sizeof job, RING "/importJobs/%s", methods[i].id);
        import(job, &wrapped, NULL);
        assert_string_equal(at("state"), "PENDING_IMPORT");
        snprintf(name, sizeof name, KEY "/cryptoKeyVersions/%zu", i + 1);
        ask_ok(owner, "GET", name, "");
        assert_string_equal(at("state"), "ENABLED");
        check_bytes(secret_view(goog_find(f.realm, name)->secret), view_of(material, 32));
    }
}

static void import__bad_material__import_failed_and_may_be_tried_again(void **state)
{
    CLEANUP(buf_done)
    struct buf bad = buf_init(8192), good = buf_init(8192), other = buf_init(8192);
    const uint8_t material[32] = {1}, another[32] = {2};
    char pem[2048], body[1024];

    (void)state;
    make_import_key();
    make_job("j", "RSA_OAEP_3072_SHA256_AES_256", pem);
    wrap(pem, true, RSA_SHA1, view_of(material, 32), &bad);
    wrap(pem, true, RSA_SHA256, view_of(material, 32), &good);
    wrap(pem, true, RSA_SHA256, view_of(another, 32), &other);
    import(RING "/importJobs/j", &bad, NULL);
    ask_ok(owner, "GET", FIRST, "");
    assert_string_equal(at("state"), "IMPORT_FAILED");
    assert_true(at("importFailureReason")[0] != 0);
    import(RING "/importJobs/j", &good, FIRST);
    ask_ok(owner, "GET", FIRST, "");
    assert_string_equal(at("state"), "ENABLED");
    ask_ok(owner, "POST", KEY ":updatePrimaryVersion", "{\"cryptoKeyVersionId\":\"1\"}");
    seal(owner, body);
    import(RING "/importJobs/j", &good, FIRST);
    assert_string_equal(error_at("status"), "FAILED_PRECONDITION");
    ask_ok(owner, "POST", FIRST ":destroy", "{}");
    f.clock.now_s += 30 * 24 * 3600;
    log_in(owner_file, owner);
    import(RING "/importJobs/j", &good, FIRST);
    assert_string_equal(error_at("status"), "FAILED_PRECONDITION"); /* the job has expired */
    make_job("j2", "RSA_OAEP_3072_SHA256", pem);
    good.len = other.len = 0;
    wrap(pem, false, RSA_SHA256, view_of(another, 32), &other);
    import(RING "/importJobs/j2", &other, FIRST);
    ask_ok(owner, "GET", FIRST, "");
    assert_string_equal(at("state"), "IMPORT_FAILED"); /* not the same material */
    wrap(pem, false, RSA_SHA256, view_of(material, 32), &good);
    import(RING "/importJobs/j2", &good, FIRST);
    ask_ok(owner, "POST", KEY ":decrypt", body); /* what it sealed before opens again */
}

static void import__without_right_or_job__refused(void **state)
{
    CLEANUP(buf_done) struct buf wrapped = buf_init(64);

    (void)state;
    make_import_key();
    check_ok(buf_printf(&wrapped, "AAAA"));
    import(RING "/importJobs/none", &wrapped, NULL);
    assert_string_equal(error_at("status"), "NOT_FOUND");
    import("projects/other/locations/l/keyRings/r/importJobs/j", &wrapped, NULL);
    assert_string_equal(error_at("status"), "PERMISSION_DENIED");
    ask_fails(owner, "POST", KEY "/cryptoKeyVersions", "{}", "FAILED_PRECONDITION");
}

/* --- lasting --- */

static void restart__everything_is_as_it_was(void **state)
{
    char body[1024];

    (void)state;
    make_key();
    make_app();
    set_role(KEY, "roles/cloudkms.cryptoKeyEncrypterDecrypter", APP);
    seal(app, body);
    lk_server_stop(server);
    realm_fixture_open(&f);
    serve();
    ask_ok(app, "POST", KEY ":decrypt", body);
    assert_string_equal(at("plaintext"), "aGVsbG8=");
    ask_fails(app, "GET", KEY, "", "PERMISSION_DENIED");
}

static void project_add__twice_or_badly_named__refused(void **state)
{
    struct lk_event event = {.operation = "test", .outcome = "ok"};
    json_t *file = NULL;

    (void)state;
    check_rc(goog_project_add(f.realm, "cust", base, &event, &file), EXISTS);
    check_rc(goog_project_add(f.realm, "Cust", base, &event, &file), USAGE);
    check_rc(goog_project_add(f.realm, "abc", base, &event, &file), USAGE);
    assert_null(file);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(encrypt__there_and_back__with_checksums),
        TEST(encrypt__bad_requests__invalid_argument),
        TEST(decrypt__wrong_data_or_key__told_apart),
        TEST(states__each_move__as_the_table_says),
        TEST(destroy__its_time_has_come__material_is_gone),
        TEST(versions__new_primary__old_ciphertexts_still_open),
        TEST(create__bad_requests__refused),
        TEST(create__body_of_the_javascript_client__is_no_fields),
        TEST(unknown_paths__not_an_answer_about_a_key),
        TEST(rights__granted_and_taken__count_at_once),
        TEST(policies__bad_or_outdated__refused),
        TEST(tokens__wrong_in_any_way__unauthenticated),
        TEST(tokens__account_disabled_or_deleted__end_at_once),
        TEST(assertions__wrong_in_any_way__invalid_grant),
        TEST(bearer__self_signed__taken_for_our_address_only),
        TEST(generate_token__only_with_the_right__and_through_hops),
        TEST(import__each_method__the_material_is_used),
        TEST(import__bad_material__import_failed_and_may_be_tried_again),
        TEST(import__without_right_or_job__refused),
        TEST(restart__everything_is_as_it_was),
        TEST(project_add__twice_or_badly_named__refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
