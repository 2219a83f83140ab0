/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a path leads to exactly the route that stands in a table, with its parameters decoded and bounded, and a
 * table that contradicts itself or leaves out a permission is refused.
 */
#include <stdio.h>
#include <string.h>

#include "api/router.h"
#include "check.h"

static ks_rc answer(struct api_call *call)
{
    (void)call;
    return KS_SUCCESS;
}

#define ROUTE(method_, path_, operation_)                                                          \
    {                                                                                              \
        .method = (method_), .path = (path_), .operation = (operation_),                           \
        API_MAY(API_CUSTOMER, ROLE_VIEWER), .handle = answer, .body_bytes_max = 100                \
    }

static const struct api_route routes[] = {
    ROUTE("GET", "/v1/health", "health"),
    ROUTE("GET", "/v1/clusters", "list"),
    ROUTE("POST", "/v1/clusters", "create"),
    ROUTE("GET", "/v1/clusters/{cluster}", "get"),
    ROUTE("DELETE", "/v1/clusters/{cluster}", "delete"),
    ROUTE("GET", "/v1/clusters/available", "available"),
    ROUTE("PUT", "/v1/clusters/{cluster}/regions/{region}", "region"),
};
static const struct api_dialect dialect = {
    .name = "test", .routes = routes, .route_count = sizeof routes / sizeof *routes};

struct fixture {
    struct router *router;
    char values[API_PARAMS_MAX][API_PARAM_BYTES];
    struct route_hit hit;
};

static ks_rc make(const struct api_dialect *d, struct router **ret)
{
    return router_new(&d, 1, ret);
}

static int setup(void **state)
{
    static struct fixture f;

    check_ok(make(&dialect, &f.router));
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    router_free(f->router);
    return 0;
}

static void match(struct fixture *f, const char *method, const char *path)
{
    router_match(f->router, method, path, f->values, &f->hit);
}

static void check_hit(struct fixture *f, const char *method, const char *path, const char *want)
{
    match(f, method, path);
    if (f->hit.match != ROUTE_FOUND || strcmp(f->hit.route->operation, want) != 0)
        fail_msg("%s %s: not %s", method, path, want);
}

static void check_none(struct fixture *f, const char *path)
{
    match(f, "GET", path);
    if (f->hit.match != ROUTE_NO_PATH)
        fail_msg("%s: matches %s", path, f->hit.route ? f->hit.route->operation : "some path");
}

static void match__each_route__found(void **state)
{
    struct fixture *f = *state;

    check_hit(f, "GET", "/v1/health", "health");
    check_hit(f, "HEAD", "/v1/health", "health");
    check_hit(f, "GET", "/v1/clusters", "list");
    check_hit(f, "POST", "/v1/clusters", "create");
    check_hit(f, "GET", "/v1/clusters/abc", "get");
    assert_string_equal(f->values[0], "abc");
    check_hit(f, "GET", "/v1/clusters/available", "available");
    check_hit(f, "PUT", "/v1/clusters/abc/regions/us-west-2", "region");
    assert_string_equal(f->values[0], "abc");
    assert_string_equal(f->values[1], "us-west-2");
}

static void match__other_paths__none(void **state)
{
    struct fixture *f = *state;

    check_none(f, "");
    check_none(f, "/");
    check_none(f, "v1/health");
    check_none(f, "/v1");
    check_none(f, "/v1/health/");
    check_none(f, "//v1/health");
    check_none(f, "/v1/Health");
    check_none(f, "/v1/%68ealth");
    check_none(f, "/v1/clusters/");
    check_none(f, "/v1/clusters//regions/a");
    check_none(f, "/v1/clusters/abc/regions");
    check_none(f, "/v1/clusters/abc/regions/a/b");
    check_none(f, "/v1/{clusters}");
}

static void match__other_method__says_which(void **state)
{
    struct fixture *f = *state;

    match(f, "PATCH", "/v1/clusters");
    assert_int_equal(f->hit.match, ROUTE_NO_METHOD);
    assert_string_equal(f->hit.allow, "GET, HEAD, POST");
    match(f, "OPTIONS", "/v1/clusters/x");
    assert_int_equal(f->hit.match, ROUTE_NO_METHOD);
    assert_string_equal(f->hit.allow, "GET, HEAD, DELETE");
    match(f, "get", "/v1/health");
    assert_int_equal(f->hit.match, ROUTE_NO_METHOD);
    match(f, "HEAD", "/v1/clusters/a/regions/b");
    assert_string_equal(f->hit.allow, "PUT");
}

static void match__encoded_value__decoded(void **state)
{
    struct fixture *f = *state;

    check_hit(f, "GET", "/v1/clusters/a%2Fb%20%c3%a9+", "get");
    assert_string_equal(f->values[0], "a/b \xc3\xa9+");
    check_none(f, "/v1/clusters/a%00b");
    check_none(f, "/v1/clusters/a%0ab");
    check_none(f, "/v1/clusters/a%zz");
    check_none(f, "/v1/clusters/a%4");
    check_none(f, "/v1/clusters/%");
}

static void match__long_value__none(void **state)
{
    struct fixture *f = *state;
    char path[512];

    snprintf(path, sizeof path, "/v1/clusters/%0*d", API_PARAM_BYTES - 1, 7);
    check_hit(f, "GET", path, "get");
    snprintf(path, sizeof path, "/v1/clusters/%0*d", API_PARAM_BYTES, 7);
    check_none(f, path);
}

static void body_max__is_the_largest(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(router_body_max(f->router), 100);
}

static void check_refused(const struct api_route *bad, size_t count, const char *part)
{
    struct api_dialect d = {.name = "bad", .routes = bad, .route_count = count};
    struct router *r = NULL;

    ks_rc rc = make(&d, &r);
    assert_true(ks_is(rc, KS_E_BUG));
    check_text(rc, part);
    assert_null(r);
}

static void new__contradictions__refused(void **state)
{
    struct api_route good = ROUTE("GET", "/a/{b}", "x"), bad = good;
    struct api_route twice[2] = {good, ROUTE("GET", "/a/{c}", "y")};

    (void)state;
    check_refused(twice, 2, "there twice");
    bad.who = 0;
    check_refused(&bad, 1, "no permission");
    bad.who = API_PUBLIC | API_PLATFORM;
    check_refused(&bad, 1, "public and is not");
    bad = good;
    bad.handle = NULL;
    check_refused(&bad, 1, "not complete");
    bad = good;
    bad.path = "/a/{b}/{b}";
    check_refused(&bad, 1, "twice");
    bad.path = "a";
    check_refused(&bad, 1, "no path");
    bad.path = "/{a}/{b}/{c}/{d}/{e}";
    check_refused(&bad, 1, "no path");
    bad = good;
    bad.method = "TRACE";
    check_refused(&bad, 1, "no method");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(match__each_route__found),
        cmocka_unit_test(match__other_paths__none),
        cmocka_unit_test(match__other_method__says_which),
        cmocka_unit_test(match__encoded_value__decoded),
        cmocka_unit_test(match__long_value__none),
        cmocka_unit_test(body_max__is_the_largest),
        cmocka_unit_test(new__contradictions__refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
