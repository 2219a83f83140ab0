/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_canonical.c - the canonical request of Signature Version 4.
 *
 * Believes nothing that the client computed: paths, parameters, headers and the digest of the body are those of the
 * request itself.
 */
#include "localkms/aws_canonical.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"

enum { PARAMETERS_MAX = 64, SEGMENTS_MAX = 256, ENCODED_MAX = 64 * 1024 };

static bool is_unreserved(uint8_t c)
{
    return isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~';
}

static ks_rc encode(struct view text, struct buf *ret)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.bytes[i];
        uint8_t hex[3] = {'%', (uint8_t)digits[c >> 4], (uint8_t)digits[c & 15]};
        TRY(buf_append(ret, is_unreserved(c) ? view_of(&text.bytes[i], 1) : view_of(hex, 3)));
    }
    return KS_SUCCESS;
}

static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

ks_rc canonical_decode(struct view text, struct buf *ret)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.bytes[i];
        if (c == '%') {
            int high = i + 2 < text.len ? digit(text.bytes[i + 1]) : -1;
            int low = i + 2 < text.len ? digit(text.bytes[i + 2]) : -1;
            ENSURE(high >= 0 && low >= 0 && high + low > 0, KS_E_USAGE, "malformed encoding");
            c = (uint8_t)(high << 4 | low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        TRY(buf_append(ret, view_of(&c, 1)));
    }
    return KS_SUCCESS;
}

/* cut(rest, at, ret): the part of rest before the next at, which is taken off; false when there is no more. */
static bool cut(const char **rest, char at, struct view *ret)
{
    const char *from = *rest, *end;

    if (!from)
        return false;
    end = strchr(from, at);
    *ret = end ? view_of(from, (size_t)(end - from)) : view_text(from);
    *rest = end ? end + 1 : NULL;
    return true;
}

static bool is_text(struct view v, const char *text)
{
    return view_is_equal(v, view_text(text));
}

static ks_rc write_path(const char *path, struct buf *ret)
{
    struct view segments[SEGMENTS_MAX], segment = {0};
    bool is_folder = path[0] && path[strlen(path) - 1] == '/';
    size_t count = 0;

    while (cut(&path, '/', &segment)) {
        if (is_text(segment, "..")) {
            count -= count > 0;
        } else if (segment.len > 0 && !is_text(segment, ".")) {
            ENSURE(count < SEGMENTS_MAX, KS_E_LIMIT, "a path of too many segments");
            segments[count++] = segment;
        }
    }
    for (size_t i = 0; i < count; i++) {
        TRY(buf_append(ret, view_text("/")));
        TRY(encode(segments[i], ret));
    }
    return count == 0 || is_folder ? buf_append(ret, view_text("/")) : KS_SUCCESS;
}

/* A parameter: offsets into the text of all, which moves while it grows. */
struct parameter {
    size_t name, value, end;
    const struct buf *text;
};

static int parameter_order(const void *left, const void *right)
{
    const struct parameter *a = left, *b = right;
    const char *text = (const char *)a->text->bytes;
    int by_name = strcmp(text + a->name, text + b->name);

    return by_name ? by_name : strcmp(text + a->value, text + b->value);
}

static ks_rc encode_anew(struct view raw, struct buf *ret)
{
    CLEANUP(buf_done) struct buf decoded = buf_init(ENCODED_MAX);

    TRY(canonical_decode(raw, &decoded));
    TRY(encode(buf_view(&decoded), ret));
    return buf_append(ret, view_of("", 1));
}

static ks_rc read_parameters(const char *query, struct buf *text, struct parameter *ret,
                             size_t *ret_count)
{
    struct view pair = {0};
    size_t count = 0;

    while (cut(&query, '&', &pair)) {
        const uint8_t *equals = pair.len ? memchr(pair.bytes, '=', pair.len) : NULL;
        struct view name = equals ? view_of(pair.bytes, (size_t)(equals - pair.bytes)) : pair;
        struct view value =
            equals ? view_of(equals + 1, pair.len - name.len - 1) : view_of(NULL, 0);
        if (pair.len == 0 || is_text(name, "X-Amz-Signature"))
            continue;
        ENSURE(count < PARAMETERS_MAX, KS_E_LIMIT, "a query of too many parameters");
        ret[count].text = text;
        ret[count].name = text->len;
        TRY(encode_anew(name, text));
        ret[count].value = text->len;
        TRY(encode_anew(value, text));
        count++;
    }
    *ret_count = count;
    return KS_SUCCESS;
}

static ks_rc write_query(const char *query, struct buf *ret)
{
    CLEANUP(buf_done) struct buf text = buf_init(ENCODED_MAX);
    struct parameter parameters[PARAMETERS_MAX];
    size_t count = 0;

    if (query[0] == '\0')
        return KS_SUCCESS;
    TRY(read_parameters(query, &text, parameters, &count));
    if (count > 0)
        qsort(parameters, count, sizeof *parameters, parameter_order);
    for (size_t i = 0; i < count; i++)
        TRY(buf_printf(ret, "%s%s=%s", i ? "&" : "", (const char *)text.bytes + parameters[i].name,
                       (const char *)text.bytes + parameters[i].value));
    return KS_SUCCESS;
}

/* White space around it dropped, and any inside folded to one blank. */
static ks_rc write_folded(const char *value, struct buf *ret)
{
    bool is_first = true;

    for (const char *p = value; *p;) {
        p += strspn(p, " \t\r\n");
        size_t len = strcspn(p, " \t\r\n");
        if (len > 0 && !is_first)
            TRY(buf_append(ret, view_text(" ")));
        TRY(buf_append(ret, view_of(p, len)));
        is_first = false;
        p += len;
    }
    return KS_SUCCESS;
}

static ks_rc write_header(const struct sigv4_request *request, struct view name, struct buf *ret)
{
    bool is_found = false;

    TRY(buf_append(ret, name));
    for (size_t i = 0; i < request->header_count; i++) {
        const struct sigv4_header *h = &request->headers[i];
        if (strlen(h->name) != name.len ||
            strncasecmp(h->name, (const char *)name.bytes, name.len) != 0)
            continue;
        TRY(buf_append(ret, view_text(is_found ? "," : ":")));
        TRY(write_folded(h->value, ret));
        is_found = true;
    }
    ENSURE(is_found, KS_E_DENIED, "a signed header is not there");
    return buf_append(ret, view_text("\n"));
}

static bool is_before(struct view a, struct view b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.bytes, b.bytes, len) : 0;

    return order < 0 || (order == 0 && a.len < b.len);
}

static ks_rc write_headers(const struct sigv4_request *request, const char *names, struct buf *ret)
{
    struct view name = {0}, last = {0};

    while (cut(&names, ';', &name)) {
        ENSURE(is_before(last, name), KS_E_DENIED, "the list of signed headers is not sorted");
        TRY(write_header(request, name, ret));
        last = name;
    }
    return KS_SUCCESS;
}

ks_rc canonical_write(const struct sigv4_request *request, const struct sigv4_claim *claim,
                      struct buf *ret)
{
    struct view names = view_text(claim->signed_headers);
    uint8_t digest[HASH_BYTES];

    TRY(buf_append(ret, view_text(request->method)));
    TRY(buf_append(ret, view_text("\n")));
    TRY(write_path(request->path, ret));
    TRY(buf_append(ret, view_text("\n")));
    TRY(write_query(request->query, ret));
    TRY(buf_append(ret, view_text("\n")));
    TRY(write_headers(request, claim->signed_headers, ret));
    TRY(buf_append(ret, view_text("\n")));
    TRY(buf_append(ret, names));
    TRY(buf_append(ret, view_text("\n")));
    TRY(hash_sha256(request->body, digest));
    return hex_write(view_of(digest, sizeof digest), ret);
}
