/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the document of the native API says what the table of routes says, and nothing else: paths, verbs, operationIds,
 * permissions, parameters, bodies, in both directions. And docs/API.md, given as argument, has a line for each route.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "api/native.h"
#include "base/json.h"
#include "base/mem.h"
#include "check.h"

static const char *document_path;
static json_t *document;

static int setup(void **state)
{
    (void)state;
    check_ok(json_read(native_openapi, (struct json_limits){1 << 20, 64}, "openapi", &document));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    json_decref(document);
    return 0;
}

static json_t *at(json_t *object, const char *name)
{
    return json_object_get(object, name);
}

static const char *text_at(json_t *object, const char *name)
{
    const char *text = json_string_value(at(object, name));

    return text ? text : "";
}

/* The verb in lower case, as documents have it. */
static const char *verb_of(const struct api_route *route)
{
    static const char *const verbs[][2] = {
        {"GET", "get"}, {"POST", "post"}, {"PUT", "put"}, {"PATCH", "patch"}, {"DELETE", "delete"}};

    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verbs[i][0], route->method) == 0)
            return verbs[i][1];
    return "";
}

static json_t *operation_of(const struct api_route *route)
{
    json_t *operation = at(at(at(document, "paths"), route->path), verb_of(route));

    if (!operation)
        fail_msg("%s %s is not in the document", route->method, route->path);
    return operation;
}

/* A parameter that stands for another place is followed there. */
static json_t *resolve(json_t *parameter)
{
    static const char PREFIX[] = "#/components/parameters/";
    const char *ref = text_at(parameter, "$ref");

    if (!ref[0])
        return parameter;
    assert_int_equal(strncmp(ref, PREFIX, sizeof PREFIX - 1), 0);
    return at(at(at(document, "components"), "parameters"), ref + sizeof PREFIX - 1);
}

/* The names of the parameters in one place, comma-separated, in the order of the document. */
static void names_in(json_t *operation, const char *place, char *out, size_t room)
{
    json_t *parameter;
    size_t i;

    out[0] = 0;
    json_array_foreach(at(operation, "parameters"), i, parameter)
    {
        json_t *p = resolve(parameter);
        size_t len = strlen(out);
        if (strcmp(text_at(p, "in"), place) == 0)
            snprintf(out + len, room - len, "%s%s", len ? "," : "", text_at(p, "name"));
    }
}

static void names_of_path(const char *path, char *out, size_t room)
{
    out[0] = 0;
    for (const char *from = strchr(path, '{'); from; from = strchr(from + 1, '{')) {
        size_t len = strlen(out);
        snprintf(out + len, room - len, "%s%.*s", len ? "," : "", (int)strcspn(from + 1, "}"),
                 from + 1);
    }
}

static const struct {
    enum api_who who;
    const char *name;
} scopes[] = {{API_PUBLIC, "public"},
              {API_PLATFORM, "platform"},
              {API_ORGANISATION, "organisation"},
              {API_CLUSTER, "cluster"},
              {API_NODE, "node"}};

static void check_permission(const struct api_route *route, json_t *operation)
{
    json_t *permission = at(operation, "x-permission"), *name;
    unsigned who = 0;
    size_t i;

    json_array_foreach(at(permission, "who"), i, name)
    {
        for (size_t k = 0; k < sizeof scopes / sizeof *scopes; k++)
            if (strcmp(scopes[k].name, json_string_value(name)) == 0)
                who |= scopes[k].who;
    }
    if (who != route->who || strcmp(text_at(permission, "role"), role_name(route->least)) != 0)
        fail_msg("%s %s: another permission than the table's", route->method, route->path);
    bool is_open = json_is_array(at(operation, "security"));
    assert_int_equal(is_open, route->who == API_PUBLIC);
}

static void check_parameters(const struct api_route *route, json_t *operation)
{
    char got[256], want[256];

    names_in(operation, "path", got, sizeof got);
    names_of_path(route->path, want, sizeof want);
    assert_string_equal(got, want);
    names_in(operation, "query", got, sizeof got);
    assert_string_equal(got, route->query ? route->query : "");
    names_in(operation, "header", got, sizeof got);
    bool is_repeatable = strstr(got, "Idempotency-Key") != NULL;
    assert_int_equal(is_repeatable, (route->flags & API_REPEATABLE) != 0);
}

static void check_body(const struct api_route *route, json_t *operation)
{
    json_t *body = at(operation, "requestBody");

    assert_int_equal(body != NULL, route->body_bytes_max > 0);
    if (body)
        assert_int_equal(json_is_true(at(body, "required")), !(route->flags & API_BODY_MAY_MISS));
}

static void route__each__is_in_the_document(void **state)
{
    (void)state;
    for (size_t i = 0; i < native_dialect.route_count; i++) {
        const struct api_route *route = &native_dialect.routes[i];
        json_t *operation = operation_of(route);
        assert_string_equal(text_at(operation, "operationId"), route->operation);
        check_permission(route, operation);
        check_parameters(route, operation);
        check_body(route, operation);
        assert_non_null(at(at(operation, "responses"), "default"));
    }
}

static bool is_route(const char *path, const char *verb)
{
    for (size_t i = 0; i < native_dialect.route_count; i++) {
        const struct api_route *route = &native_dialect.routes[i];
        if (strcmp(route->path, path) == 0 && strcmp(verb_of(route), verb) == 0)
            return true;
    }
    return false;
}

static void document__each_operation__is_a_route(void **state)
{
    const char *path, *verb;
    json_t *item, *operation;

    (void)state;
    json_object_foreach(at(document, "paths"), path, item)
    {
        json_object_foreach(item, verb, operation)
        {
            if (!is_route(path, verb))
                fail_msg("%s %s is no route", verb, path);
        }
    }
}

/* Every reference leads somewhere. */
static void check_references(json_t *value)
{
    const char *name;
    json_t *member;
    size_t i;

    json_object_foreach(value, name, member)
    {
        if (strcmp(name, "$ref") == 0) {
            const char *ref = json_string_value(member), *last = strrchr(ref, '/') + 1;
            char group[64];
            assert_int_equal(sscanf(ref, "#/components/%63[^/]/", group), 1);
            if (!at(at(at(document, "components"), group), last))
                fail_msg("%s is not there", ref);
        }
        check_references(member);
    }
    json_array_foreach(value, i, member) check_references(member);
}

static void document__references__all_there(void **state)
{
    (void)state;
    check_references(document);
}

static void operation_ids__unique(void **state)
{
    (void)state;
    for (size_t i = 0; i < native_dialect.route_count; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(native_dialect.routes[i].operation,
                                    native_dialect.routes[k].operation);
}

static void guide__each_route__has_a_line(void **state)
{
    static char text[1 << 20];
    char want[256];

    (void)state;
    FILE *file = fopen(document_path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    for (size_t i = 0; i < native_dialect.route_count; i++) {
        const struct api_route *route = &native_dialect.routes[i];
        snprintf(want, sizeof want, "| `%s %s` | %s |", route->method, route->path,
                 route->who == API_PUBLIC ? "" : role_name(route->least));
        if (!strstr(text, want))
            fail_msg("docs/API.md has no line %s", want);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(route__each__is_in_the_document),
        cmocka_unit_test(document__each_operation__is_a_route),
        cmocka_unit_test(document__references__all_there),
        cmocka_unit_test(operation_ids__unique),
        cmocka_unit_test(guide__each_route__has_a_line),
    };

    document_path = argc > 1 ? argv[1] : "docs/API.md";
    return cmocka_run_group_tests(tests, setup, teardown);
}
