/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a request that was signed is recognised, in both forms; one that was changed, is too old, is for
 * something else or is malformed is refused with the code and the words of AWS.
 */
#include "localkms/aws_sigv4.h"

#include <string.h>

#include "check.h"
#include "localkms/aws_canonical.h"

static const char SECRET[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
enum { T0 = 1440938160 }; /* 20150830T123600Z */

#define SCOPE "AKIDEXAMPLE/20150830/us-east-1/kms/aws4_request"
#define SIGNED "content-type;host;x-amz-date;x-amz-security-token;x-amz-target"
#define SIGNATURE "1a76ba105cf7c410651606d8c839e65faab57e89e9f965a0dee9bb73caf9317c"
#define AUTHORIZATION                                                                              \
    "AWS4-HMAC-SHA256 Credential=" SCOPE ", SignedHeaders=" SIGNED ", Signature=" SIGNATURE

static struct sigv4_request encrypt_request(void)
{
    return (struct sigv4_request){
        "POST",
        "/",
        "",
        6,
        {{"Host", "kms.us-east-1.amazonaws.com"},
         {"Content-Type", "application/x-amz-json-1.1"},
         {"X-Amz-Date", "20150830T123600Z"},
         {"X-Amz-Security-Token", "TOKEN"},
         {"X-Amz-Target", "TrentService.Encrypt"},
         {"Authorization", AUTHORIZATION}},
        view_text("{\"KeyId\":\"alias/cmk\",\"Plaintext\":\"aGVsbG8=\"}"),
    };
}

static const struct sigv4_wanted wanted_kms = {T0, "kms", true};

/* verdict(request, wanted, refusal): read, found and compared. */
static bool verdict(const struct sigv4_request *request, const struct sigv4_wanted *wanted,
                    struct aws_refusal *refusal)
{
    CLEANUP(sigv4_claim_done) struct sigv4_claim claim = {0};
    uint8_t key[HASH_BYTES];
    bool is_signed = false;

    refusal->code = NULL;
    if (!sigv4_read(request, wanted, &claim, refusal))
        return false;
    assert_string_equal(claim.access_key, "AKIDEXAMPLE");
    check_ok(sigv4_key(view_text(SECRET), &claim, key));
    check_ok(sigv4_is_signed(request, &claim, key, &is_signed));
    return is_signed;
}

static void check_refused(const struct sigv4_request *request, const struct sigv4_wanted *wanted,
                          const char *code, const char *text)
{
    struct aws_refusal refusal = {0};

    assert_false(verdict(request, wanted, &refusal));
    assert_non_null(refusal.code);
    assert_string_equal(refusal.code, code);
    if (!strstr(refusal.message, text))
        fail_msg("\"%s\" does not hold \"%s\"", refusal.message, text);
}

static void set_authorization(struct sigv4_request *request, const char *value)
{
    request->headers[5].value = value;
}

static void suite__get_vanilla__known_answer(void **state)
{
    struct sigv4_request request = {
        "GET",
        "/",
        "",
        3,
        {{"host", "example.amazonaws.com"},
         {"x-amz-date", "20150830T123600Z"},
         {"authorization",
          "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
          "SignedHeaders=host;x-amz-date, "
          "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"}},
        {NULL, 0}};
    struct sigv4_wanted wanted = {T0, "service", false};
    struct aws_refusal refusal = {0};

    (void)state;
    assert_true(verdict(&request, &wanted, &refusal));
}

static void kms_encrypt__known_answer__signed(void **state)
{
    struct sigv4_request request = encrypt_request();
    struct aws_refusal refusal = {0};

    (void)state;
    assert_true(verdict(&request, &wanted_kms, &refusal));
}

static void any_part__changed__not_signed(void **state)
{
    struct aws_refusal refusal = {0};

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        struct sigv4_request request = encrypt_request();
        if (i < 5)
            request.headers[i].value = i == 2 ? "20150830T123601Z" : "other";
        else if (i == 5)
            request.body = view_text("{}");
        else if (i == 6)
            request.query = "a=b";
        else
            request.method = "PUT";
        assert_false(verdict(&request, &wanted_kms, &refusal));
        assert_null(refusal.code); /* well-formed, and wrong */
    }
}

static void header_given_twice__one_signed__not_signed(void **state)
{
    struct sigv4_request request = encrypt_request();
    struct aws_refusal refusal = {0};

    (void)state;
    request.headers[request.header_count++] =
        (struct sigv4_header){"x-amz-target", "TrentService.Decrypt"};
    assert_false(verdict(&request, &wanted_kms, &refusal));
}

static void secret__other__not_signed(void **state)
{
    CLEANUP(sigv4_claim_done) struct sigv4_claim claim = {0};
    struct sigv4_request request = encrypt_request();
    struct aws_refusal refusal = {0};
    uint8_t key[HASH_BYTES];
    bool is_signed = true;

    (void)state;
    assert_true(sigv4_read(&request, &wanted_kms, &claim, &refusal));
    check_ok(sigv4_key(view_text("another"), &claim, key));
    check_ok(sigv4_is_signed(&request, &claim, key, &is_signed));
    assert_false(is_signed);
}

static void key__secret_too_long__bug(void **state)
{
    struct sigv4_claim claim = {0};
    uint8_t key[HASH_BYTES], secret[300] = {0};

    (void)state;
    check_rc(sigv4_key(view_of(secret, sizeof secret), &claim, key), BUG);
}

static void clock__five_minutes_off__accepted_and_beyond_refused(void **state)
{
    struct sigv4_request request = encrypt_request();
    struct sigv4_wanted late = {T0 + 300, "kms", true}, early = {T0 - 300, "kms", true};
    struct aws_refusal refusal = {0};

    (void)state;
    assert_true(verdict(&request, &late, &refusal));
    assert_true(verdict(&request, &early, &refusal));
    late.now_s++;
    check_refused(&request, &late, "InvalidSignatureException",
                  "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z "
                  "(20150830T124101Z - 5 min.)");
    early.now_s--;
    check_refused(&request, &early, "InvalidSignatureException",
                  "Signature not yet current: 20150830T123600Z is still later than "
                  "20150830T123559Z (20150830T123059Z + 5 min.)");
}

static void scope__for_something_else__words_of_aws(void **state)
{
    static const struct {
        const char *scope, *text;
    } cases[] = {
        {"AKIDEXAMPLE/20150830/us-east-1/sts/aws4_request",
         "Credential should be scoped to correct service: 'kms'."},
        {"AKIDEXAMPLE/20150830/moon/kms/aws4_request",
         "Credential should be scoped to a valid region."},
        {"AKIDEXAMPLE/20150831/us-east-1/kms/aws4_request",
         "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
         "HTTP: '20150831' != '20150830', from '20150830T123600Z'."},
        {"AKIDEXAMPLE/20150830/us-east-1/kms/aws4_requests",
         "Credential should be scoped with a valid terminator: 'aws4_request', not"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sigv4_request request = encrypt_request();
        char text[512];
        snprintf(text, sizeof text,
                 "AWS4-HMAC-SHA256 Credential=%s, SignedHeaders=" SIGNED ", Signature=" SIGNATURE,
                 cases[i].scope);
        set_authorization(&request, text);
        check_refused(&request, &wanted_kms, "InvalidSignatureException", cases[i].text);
    }
}

static void authorization__malformed__incomplete(void **state)
{
    static const struct {
        const char *value, *text;
    } cases[] = {
        {"AWS4-HMAC-SHA256", "requires 'Credential' parameter. Authorization header requires "
                             "'Signature' parameter. Authorization header requires "
                             "'SignedHeaders' parameter."},
        {"AWS4-HMAC-SHA256 Credential=" SCOPE ", SignedHeaders=host",
         "Authorization header requires 'Signature' parameter. (Hashed with SHA-256"},
        {"AWS4-HMAC-SHA1 Credential=" SCOPE, "Unsupported AWS 'algorithm'"},
        {"Bearer abc", "Unsupported AWS 'algorithm'"},
        {"AWS4-HMAC-SHA256 Credential=" SCOPE ", Credential=" SCOPE, "distinct key=value pairs"},
        {"AWS4-HMAC-SHA256 What=else", "distinct key=value pairs"},
        {"AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=" SIGNATURE,
         "Credential must have exactly 5 slash-delimited elements"},
        {"AWS4-HMAC-SHA256 Credential=a/b/c/d/e/f, SignedHeaders=host, Signature=" SIGNATURE,
         "Credential must have exactly 5 slash-delimited elements"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sigv4_request request = encrypt_request();
        set_authorization(&request, cases[i].value);
        check_refused(&request, &wanted_kms, "IncompleteSignatureException", cases[i].text);
    }
}

static void authorization__absent_or_without_date__refused(void **state)
{
    struct sigv4_request request = encrypt_request();
    struct sigv4_wanted wanted_sts = {T0, "sts", false};

    (void)state;
    request.headers[2].name = "X-Other";
    check_refused(&request, &wanted_kms, "IncompleteSignatureException",
                  "requires existence of either a 'X-Amz-Date' or a 'Date' header.");
    request = encrypt_request();
    request.headers[2].value = "Sun, 30 Aug 2015 12:36:00 GMT";
    check_refused(&request, &wanted_kms, "IncompleteSignatureException", "'basic format'");
    request.headers[2].value = "20150830X123600Z";
    check_refused(&request, &wanted_kms, "IncompleteSignatureException", "'basic format'");
    request.header_count = 5;
    check_refused(&request, &wanted_kms, "MissingAuthenticationTokenException",
                  "Missing Authentication Token");
    check_refused(&request, &wanted_sts, "MissingAuthenticationToken",
                  "Request is missing Authentication Token");
}

static void signed_headers__without_a_deciding_one__refused(void **state)
{
    static const struct {
        const char *list, *text;
    } cases[] = {
        {"x-amz-date;x-amz-security-token;x-amz-target", "'Host' or ':authority' must be"},
        {"host;x-amz-security-token;x-amz-target", "'x-amz-date' must be"},
        {"host;x-amz-date;x-amz-target", "'x-amz-security-token' must be"},
        {"host;x-amz-date;x-amz-security-token", "'x-amz-target' must be"},
        {"ghost;hosts;x-amz-date", "'Host' or ':authority' must be"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sigv4_request request = encrypt_request();
        char text[512];
        snprintf(text, sizeof text,
                 "AWS4-HMAC-SHA256 Credential=" SCOPE ",SignedHeaders=%s,Signature=" SIGNATURE,
                 cases[i].list);
        set_authorization(&request, text);
        check_refused(&request, &wanted_kms, "InvalidSignatureException", cases[i].text);
    }
}

static void signed_headers__absent_or_unsorted__not_signed(void **state)
{
    static const char *const lists[] = {
        "host;x-absent;x-amz-date;x-amz-security-token;x-amz-target",
        "x-amz-date;host;x-amz-security-token;x-amz-target",
        "host;host;x-amz-date;x-amz-security-token;x-amz-target",
    };
    struct aws_refusal refusal = {0};

    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct sigv4_request request = encrypt_request();
        char text[512];
        snprintf(text, sizeof text,
                 "AWS4-HMAC-SHA256 Credential=" SCOPE ",SignedHeaders=%s,Signature=" SIGNATURE,
                 lists[i]);
        set_authorization(&request, text);
        assert_false(verdict(&request, &wanted_kms, &refusal));
    }
}

/* Made with botocore 1.43 for this secret, expires 900. */
#define PRESIGNED                                                                                  \
    "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256"                 \
    "&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fsts%2Faws4_request"                    \
    "&X-Amz-Date=20150830T123600Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host"                      \
    "&X-Amz-Security-Token=a%2Fb%2Bc%3D"

static void check_presigned(int64_t now_s, const char *signature, bool want)
{
    char query[1024];
    struct sigv4_request request = {
        "GET", "/", query, 1, {{"host", "sts.us-east-1.amazonaws.com"}}, {NULL, 0}};
    struct sigv4_wanted wanted = {now_s, "sts", false};
    struct aws_refusal refusal = {0};

    snprintf(query, sizeof query, "%s&X-Amz-Signature=%s", PRESIGNED, signature);
    if (verdict(&request, &wanted, &refusal) != want)
        fail_msg("%lld: %s", (long long)now_s, refusal.code ? refusal.message : "not signed");
}

static void presigned__until_it_expires__signed(void **state)
{
    static const char good[] = "aba41704a241a8cda308d8c13152c4869e314688d8d9bd5612c38a2ce291918a";

    (void)state;
    check_presigned(T0, good, true);
    check_presigned(T0 + 900, good, true);
    check_presigned(T0 + 901, good, false);
    check_presigned(T0 - 301, good, false);
    check_presigned(T0, SIGNATURE, false);
    check_presigned(T0, "12", false);
}

static void presigned__malformed__incomplete(void **state)
{
    static const struct {
        const char *query, *text;
    } cases[] = {
        {"X-Amz-Algorithm=AWS4-HMAC-SHA256", "must include 'X-Amz-Credential'"},
        {"X-Amz-Algorithm=none", "Unsupported AWS 'algorithm'"},
        {"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%zz&X-Amz-Signature=1",
         "must include 'X-Amz-Credential'"},
        {"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Signature=b"
         "&X-Amz-SignedHeaders=host",
         "must include 'X-Amz-Date'"},
        {"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Signature=b"
         "&X-Amz-SignedHeaders=host&X-Amz-Date=20150830T123600Z&X-Amz-Expires=604801",
         "X-Amz-Expires must be"},
    };
    struct sigv4_wanted wanted = {T0, "sts", false};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sigv4_request request = {"GET",    "/", cases[i].query, 1, {{"host", "sts"}},
                                        {NULL, 0}};
        check_refused(&request, &wanted, "IncompleteSignature", cases[i].text);
    }
}

/* The suite AWS published: normalisation of paths, queries and headers. */
static void canonical__odd_requests__normal_form(void **state)
{
    static const struct {
        const char *path, *query, *header, *want;
    } cases[] = {
        {"/", "", " a   b ", "GET\n/\n\nmy:a b\n\nmy\n"},
        {"", "", "a\tb", "GET\n/\n\nmy:a b\n\nmy\n"},
        {"/a/./b/../c//d/", "", "", "GET\n/a/c/d/\n\nmy:\n\nmy\n"},
        {"/../..", "", "x", "GET\n/\n\nmy:x\n\nmy\n"},
        {"/a%20b/~c", "", "x", "GET\n/a%2520b/~c\n\nmy:x\n\nmy\n"},
        {"/", "b=2&a=1&a=0&c", "x", "GET\n/\na=0&a=1&b=2&c=\nmy:x\n\nmy\n"},
        {"/", "a=%7e&b=%2f&b=a+b&&X-Amz-Signature=1", "x",
         "GET\n/\na=~&b=%2F&b=a%20b\nmy:x\n\nmy\n"},
        {"/", "a-=1&a=2", "x", "GET\n/\na=2&a-=1\nmy:x\n\nmy\n"},
    };
    struct sigv4_claim claim = {.signed_headers = "my"};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sigv4_request request = {
            "GET", cases[i].path, cases[i].query, 1, {{"My", cases[i].header}}, {NULL, 0}};
        CLEANUP(buf_done) struct buf got = buf_init(4096);
        check_ok(canonical_write(&request, &claim, &got));
        assert_memory_equal(got.bytes, cases[i].want, strlen(cases[i].want));
        assert_int_equal(got.len, strlen(cases[i].want) + 64);
    }
}

static void canonical__several_headers_of_a_name__joined(void **state)
{
    struct sigv4_request request = {"GET",    "/", "", 3, {{"My", "2"}, {"x", "-"}, {"my", " 1 "}},
                                    {NULL, 0}};
    struct sigv4_claim claim = {.signed_headers = "my"};
    CLEANUP(buf_done) struct buf got = buf_init(4096), small = buf_init(10);

    (void)state;
    check_ok(canonical_write(&request, &claim, &got));
    assert_non_null(strstr(buf_text(&got), "\nmy:2,1\n"));
    check_rc(canonical_write(&request, &claim, &small), LIMIT);
}

static void canonical__too_many_parts__limit(void **state)
{
    struct sigv4_claim claim = {.signed_headers = "host"};
    CLEANUP(buf_done) struct buf got = buf_init(1 << 20);
    char path[2048] = "", query[512] = "";

    (void)state;
    for (size_t i = 0; i < 600; i++)
        memcpy(path + 2 * i, "/a", 3);
    for (size_t i = 0; i < 65; i++)
        memcpy(query + 2 * i, "a&", 3);
    struct sigv4_request request = {"GET", path, "", 1, {{"host", "h"}}, {NULL, 0}};
    check_rc(canonical_write(&request, &claim, &got), LIMIT);
    request.path = "/";
    request.query = query;
    check_rc(canonical_write(&request, &claim, &got), LIMIT);
}

static void decode__malformed__usage(void **state)
{
    static const char *const bad[] = {"%", "%1", "%g1", "%1g", "a%00"};
    CLEANUP(buf_done) struct buf got = buf_init(100);

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_rc(canonical_decode(view_text(bad[i]), &got), USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suite__get_vanilla__known_answer),
        cmocka_unit_test(kms_encrypt__known_answer__signed),
        cmocka_unit_test(any_part__changed__not_signed),
        cmocka_unit_test(header_given_twice__one_signed__not_signed),
        cmocka_unit_test(secret__other__not_signed),
        cmocka_unit_test(key__secret_too_long__bug),
        cmocka_unit_test(clock__five_minutes_off__accepted_and_beyond_refused),
        cmocka_unit_test(scope__for_something_else__words_of_aws),
        cmocka_unit_test(authorization__malformed__incomplete),
        cmocka_unit_test(authorization__absent_or_without_date__refused),
        cmocka_unit_test(signed_headers__without_a_deciding_one__refused),
        cmocka_unit_test(signed_headers__absent_or_unsorted__not_signed),
        cmocka_unit_test(presigned__until_it_expires__signed),
        cmocka_unit_test(presigned__malformed__incomplete),
        cmocka_unit_test(canonical__odd_requests__normal_form),
        cmocka_unit_test(canonical__several_headers_of_a_name__joined),
        cmocka_unit_test(canonical__too_many_parts__limit),
        cmocka_unit_test(decode__malformed__usage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
