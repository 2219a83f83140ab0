/* SPDX-License-Identifier: Apache-2.0 */
/*
 * support/sigv4_check.c - judges requests that somebody else signed.
 *
 * Reads one JSON object a line: method, path, query, headers (pairs), body (hexadecimal), secret, service, now. Answers each
 * with a line: "signed", "not signed", or the code and text of the refusal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "localkms/aws_sigv4.h"

enum { LINE_BYTES = 1 << 20 };

static const char *text_of(const json_t *value, const char *name)
{
    const char *text = json_string_value(json_object_get(value, name));

    return text ? text : "";
}

static void judge(const json_t *line, struct view body)
{
    const json_t *headers = json_object_get(line, "headers");
    struct sigv4_wanted wanted = {json_integer_value(json_object_get(line, "now")),
                                  text_of(line, "service"), true};
    struct sigv4_request request = {text_of(line, "method"), text_of(line, "path"),
                                    text_of(line, "query"),  0,
                                    {{NULL, NULL}},          body};
    CLEANUP(sigv4_claim_done) struct sigv4_claim claim = {0};
    struct aws_refusal refusal = {0};
    uint8_t key[HASH_BYTES];
    bool is_signed = false;

    for (size_t i = 0; i < json_array_size(headers) && i < SIGV4_HEADERS_MAX; i++) {
        const json_t *pair = json_array_get(headers, i);
        request.headers[request.header_count++] = (struct sigv4_header){
            json_string_value(json_array_get(pair, 0)), json_string_value(json_array_get(pair, 1))};
    }
    if (!sigv4_read(&request, &wanted, &claim, &refusal))
        printf("%s: %s\n", refusal.code, refusal.message);
    else if (!ks_ok(sigv4_key(view_text(text_of(line, "secret")), &claim, key)) ||
             !ks_ok(sigv4_is_signed(&request, &claim, key, &is_signed)))
        printf("failed\n");
    else
        printf("%s\n", is_signed ? "signed" : "not signed");
}

int main(void)
{
    const struct json_limits limits = {LINE_BYTES, 8};
    static char text[LINE_BYTES];

    while (fgets(text, sizeof text, stdin)) {
        CLEANUP(buf_done) struct buf body = buf_init(LINE_BYTES);
        json_t *line = NULL;
        if (!ks_ok(json_read(view_text(text), limits, "line", &line)) ||
            !ks_ok(hex_read(view_text(text_of(line, "body")), &body)))
            return 1;
        judge(line, buf_view(&body));
        json_decref(line);
        fflush(stdout);
    }
    return 0;
}
