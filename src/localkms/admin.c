/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/admin.c - the service's own requests.
 */
#include "localkms/admin.h"

#include <string.h>

#include "base/json.h"

static const char PREFIX[] = "/keystead/v1/";
enum { ANSWER_BYTES_MAX = 1 << 20 };

static bool is_mine(const struct http_exchange *x)
{
    return strncmp(http_path(x), PREFIX, strlen(PREFIX)) == 0;
}

static void answer(struct http_exchange *x, int status, json_t *value)
{
    CLEANUP(buf_done) struct buf text = buf_init(ANSWER_BYTES_MAX);

    if (value && ks_ok(json_write(value, false, &text)))
        http_answer(x, status, "application/json", buf_view(&text));
    else
        http_answer(x, 500, NULL, view_text(""));
    json_decref(value);
}

static void answer_failure(struct http_exchange *x, ks_rc rc)
{
    answer(x, ks_http(rc),
           json_pack("{s:{s:s, s:s, s:s}}", "error", "class", ks_class_name(rc), "code",
                     ks_name(rc), "message", ks_text(rc)));
}

static void get_health(struct realm *r, struct http_exchange *x)
{
    (void)r;
    answer(x, 200, json_pack("{s:s}", "status", "ok"));
}

static const struct route {
    const char *method, *path;
    void (*handle)(struct realm *r, struct http_exchange *x);
} routes[] = {
    {"GET", "health", get_health},
};

static void handle(struct realm *r, struct http_exchange *x)
{
    const char *path = http_path(x) + strlen(PREFIX);

    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (strcmp(routes[i].method, http_method(x)) == 0 && strcmp(routes[i].path, path) == 0) {
            routes[i].handle(r, x);
            return;
        }
    answer_failure(
        x, ks_fail(KS_E_NOT_FOUND, "no such request: %.10s %.100s", http_method(x), http_path(x)));
}

const struct lk_wire admin_wire = {"admin", is_mine, handle};
