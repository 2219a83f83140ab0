/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/router.c - the trie of paths.
 *
 * A fork stands for the segments so far. Its words are sorted; it has at most one child for a parameter. Segments are borrowed from
 * the tables of routes, which are static.
 */
#include "api/router.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum method { GET, POST, PUT, PATCH, DELETE, METHOD_COUNT };
static const char *const method_names[METHOD_COUNT] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

enum { WORDS_MAX = 32 };

struct fork {
    struct view word;
    size_t word_count;
    struct fork *words[WORDS_MAX]; /* sorted */
    struct fork *parameter;
    const struct api_dialect *dialect; /* of its routes */
    const struct api_route *routes[METHOD_COUNT];
};

struct router {
    struct fork root;
    size_t body_bytes_max;
};

/* ---- segments ---- */

/* The next segment of a path, *at behind it; false at the end. "" is a segment. */
static bool next_segment(const char **at, struct view *ret)
{
    if (**at != '/')
        return false;
    const char *begin = *at + 1;
    size_t len = strcspn(begin, "/");
    *ret = view_of(begin, len);
    *at = begin + len;
    return true;
}

static bool is_parameter(struct view segment)
{
    return segment.len > 2 && segment.bytes[0] == '{' && segment.bytes[segment.len - 1] == '}';
}

static int compare(struct view a, struct view b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len ? memcmp(a.bytes, b.bytes, a.len) : 0;
}

/* The place of a word among the children, or where it would be. */
static size_t place_of(const struct fork *n, struct view word, bool *ret_is_there)
{
    size_t low = 0, high = n->word_count;

    *ret_is_there = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare(n->words[middle]->word, word);
        if (order == 0) {
            *ret_is_there = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- making ---- */

static ks_rc child_for_word(struct fork *n, struct view word, struct fork **ret)
{
    bool is_there;
    size_t i = place_of(n, word, &is_there);

    if (!is_there) {
        struct fork *fresh;
        ENSURE(n->word_count < WORDS_MAX, KS_E_BUG, "too many routes begin alike");
        TRY(mem_new(1, sizeof *fresh, &fresh));
        fresh->word = word;
        memmove(n->words + i + 1, n->words + i, (n->word_count - i) * sizeof n->words[0]);
        n->words[i] = fresh;
        n->word_count++;
    }
    *ret = n->words[i];
    return KS_SUCCESS;
}

static ks_rc child_for(struct fork *n, struct view segment, struct fork **ret)
{
    if (!is_parameter(segment))
        return child_for_word(n, segment, ret);
    if (!n->parameter)
        TRY(mem_new(1, sizeof *n->parameter, &n->parameter));
    *ret = n->parameter;
    return KS_SUCCESS;
}

static bool method_parse(const char *text, enum method *ret)
{
    for (int i = 0; i < METHOD_COUNT; i++)
        if (strcmp(method_names[i], text) == 0) {
            *ret = (enum method)i;
            return true;
        }
    return false;
}

static ks_rc check_route(const struct api_route *route)
{
    const char *at = route->path;
    struct view segment;
    size_t segments = 0, parameters = 0;

    ENSURE(route->who != 0, KS_E_BUG, "%s %s has no permission", route->method, route->path);
    ENSURE(route->handle && route->operation, KS_E_BUG, "%s %s is not complete", route->method,
           route->path);
    ENSURE(!(route->who & API_PUBLIC) || route->who == API_PUBLIC, KS_E_BUG,
           "%s %s is public and is not", route->method, route->path);
    for (; next_segment(&at, &segment); segments++) {
        if (!is_parameter(segment))
            continue;
        ENSURE(!memmem(at, strlen(at), segment.bytes, segment.len), KS_E_BUG,
               "%s has a parameter twice", route->path);
        parameters++;
    }
    ENSURE(*at == 0 && segments > 0 && segments <= API_SEGMENTS_MAX && parameters <= API_PARAMS_MAX,
           KS_E_BUG, "%s is no path for a route", route->path);
    return KS_SUCCESS;
}

static ks_rc add(struct router *r, const struct api_dialect *dialect, const struct api_route *route)
{
    struct fork *n = &r->root;
    const char *at = route->path;
    struct view segment;
    enum method method;

    TRY(check_route(route));
    ENSURE(method_parse(route->method, &method), KS_E_BUG, "%s is no method", route->method);
    while (next_segment(&at, &segment))
        TRY(child_for(n, segment, &n));
    ENSURE(!n->routes[method], KS_E_BUG, "%s %s is there twice", route->method, route->path);
    n->routes[method] = route;
    n->dialect = dialect;
    if (route->body_bytes_max > r->body_bytes_max)
        r->body_bytes_max = route->body_bytes_max;
    return KS_SUCCESS;
}

static void free_children(struct fork *n)
{
    for (size_t i = 0; i < n->word_count; i++) {
        free_children(n->words[i]);
        mem_free(n->words[i]);
    }
    if (n->parameter)
        free_children(n->parameter);
    mem_free(n->parameter);
}

void router_free(struct router *r)
{
    if (!r)
        return;
    free_children(&r->root);
    mem_free(r);
}

void router_freep(struct router **r)
{
    router_free(*r);
}

ks_rc router_new(const struct api_dialect *const dialects[], size_t count, struct router **ret)
{
    CLEANUP(router_freep) struct router *r = NULL;

    TRY(mem_new(1, sizeof *r, &r));
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < dialects[i]->route_count; k++)
            TRY(add(r, dialects[i], &dialects[i]->routes[k]));
    *ret = TAKE(r);
    return KS_SUCCESS;
}

size_t router_body_max(const struct router *r)
{
    return r->body_bytes_max;
}

/* ---- matching ---- */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool decode(struct view from, char out[API_PARAM_BYTES])
{
    size_t len = 0;

    for (size_t i = 0; i < from.len; i++) {
        int c = from.bytes[i];
        if (c == '%') {
            int high = i + 2 < from.len ? hex_digit(from.bytes[i + 1]) : -1;
            int low = i + 2 < from.len ? hex_digit(from.bytes[i + 2]) : -1;
            c = high >= 0 && low >= 0 ? high << 4 | low : 0;
            i += 2;
        }
        if (c < 0x20 || c == 0x7f || len == API_PARAM_BYTES - 1)
            return false;
        out[len++] = (char)c;
    }
    out[len] = 0;
    return len > 0;
}

static const struct fork *walk(const struct fork *n, const char *path,
                               char values[API_PARAMS_MAX][API_PARAM_BYTES])
{
    struct view segment;
    size_t count = 0;

    while (next_segment(&path, &segment)) {
        bool is_there;
        size_t i = place_of(n, segment, &is_there);
        if (is_there) {
            n = n->words[i];
            continue;
        }
        if (!n->parameter || !decode(segment, values[count]))
            return NULL;
        count++;
        n = n->parameter;
    }
    return *path == 0 ? n : NULL;
}

static void write_allow(const struct fork *n, char out[ROUTER_ALLOW_BYTES])
{
    size_t len = 0;

    for (int i = 0; i < METHOD_COUNT; i++)
        if (n->routes[i])
            len += (size_t)snprintf(out + len, ROUTER_ALLOW_BYTES - len, "%s%s%s", len ? ", " : "",
                                    method_names[i], i == GET ? ", HEAD" : "");
}

void router_match(const struct router *r, const char *method, const char *path,
                  char values[API_PARAMS_MAX][API_PARAM_BYTES], struct route_hit *ret)
{
    const struct fork *n = walk(&r->root, path, values);
    enum method m;

    *ret = (struct route_hit){.match = ROUTE_NO_PATH};
    if (!n || !n->dialect)
        return;
    ret->dialect = n->dialect;
    ret->match = ROUTE_NO_METHOD;
    if (method_parse(strcmp(method, "HEAD") == 0 ? "GET" : method, &m))
        ret->route = n->routes[m];
    if (ret->route)
        ret->match = ROUTE_FOUND;
    else
        write_allow(n, ret->allow);
}
