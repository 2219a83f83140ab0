/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/aws_sign.c - prints our signatures of requests, to be compared with those of another signer.
 *
 * Reads one JSON object a line: service, region, method, host, path, headers (object), body (base64), now, access_key,
 * secret_key, token ("" for none). Prints the Authorization header of each.
 */
#include <stdio.h>

#include "base/base64.h"
#include "base/json.h"
#include "kms/aws_sign.h"

enum { LINE_MAX_BYTES = 1 << 20, TEXT_MAX = 1 << 16 };

static ks_rc read_headers(json_t *object, struct aws_to_sign *request,
                          struct http_header room[HTTP_HEADERS_MAX])
{
    json_t *headers, *value;
    const char *name;

    TRY(json_get_object(object, "headers", &headers));
    ENSURE(json_object_size(headers) <= HTTP_HEADERS_MAX, KS_E_USAGE, "too many headers");
    json_object_foreach(headers, name, value)
    {
        room[request->header_count++] = (struct http_header){name, json_string_value(value)};
    }
    request->headers = room;
    return KS_SUCCESS;
}

static ks_rc read_request(json_t *object, struct aws_to_sign *ret, struct http_header *room,
                          struct buf *body)
{
    const char *text;

    TRY(json_get_text(object, "service", TEXT_MAX, &ret->service));
    TRY(json_get_text(object, "region", TEXT_MAX, &ret->region));
    TRY(json_get_text(object, "method", TEXT_MAX, &ret->method));
    TRY(json_get_text(object, "host", TEXT_MAX, &ret->host));
    TRY(json_get_text(object, "path", TEXT_MAX, &ret->path));
    TRY(json_get_int(object, "now", 0, INT64_MAX, &ret->now_s));
    TRY(read_headers(object, ret, room));
    TRY(json_get_text(object, "body", TEXT_MAX, &text));
    TRY(base64_read(view_text(text), BASE64_STANDARD, body));
    ret->body = buf_view(body);
    return KS_SUCCESS;
}

static ks_rc read_credentials(const json_t *object, struct aws_credentials **ret)
{
    const char *access_key, *secret_key, *token;

    TRY(json_get_text(object, "access_key", TEXT_MAX, &access_key));
    TRY(json_get_text(object, "secret_key", TEXT_MAX, &secret_key));
    TRY(json_get_text(object, "token", TEXT_MAX, &token));
    const struct aws_credentials_parts parts = {view_text(access_key), view_text(secret_key),
                                                view_text(token), NULL};
    return aws_credentials_new(&parts, ret);
}

static ks_rc sign_line(const char *line)
{
    CLEANUP(aws_credentials_unrefp) struct aws_credentials *credentials = NULL;
    CLEANUP(buf_done) struct buf body = buf_init(TEXT_MAX);
    CLEANUP(json_decrefp) json_t *object = NULL;
    struct http_header room[HTTP_HEADERS_MAX];
    struct aws_to_sign request = {.header_count = 0};
    struct aws_signature signature;
    const struct json_limits limits = {LINE_MAX_BYTES, 3};

    TRY(json_read(view_text(line), limits, "the request", &object));
    TRY(read_request(object, &request, room, &body));
    TRY(read_credentials(object, &credentials));
    TRY(aws_sign(&request, credentials, &signature));
    puts(signature.authorization);
    return KS_SUCCESS;
}

int main(void)
{
    static char line[LINE_MAX_BYTES];
    ks_rc rc = secret_init();

    while (ks_ok(rc) && fgets(line, sizeof line, stdin))
        rc = sign_line(line);
    if (!ks_ok(rc))
        fprintf(stderr, "aws_sign: %s\n", ks_text(rc));
    return ks_exit(rc);
}
