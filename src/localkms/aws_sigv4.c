/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_sigv4.c - takes apart what a request says about its signature, and recomputes it.
 *
 * Keeps nothing. The text of a request never gets into a refusal in full: AWS echoes a digest of a malformed header, since it
 * may hold a secret that was put in the wrong place; so do we.
 */
#include "localkms/aws_sigv4.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/secret.h"
#include "localkms/aws_canonical.h"
#include "localkms/aws_refusal.h"

enum { CANONICAL_MAX = 256 * 1024, TOKEN_MAX = 16 * 1024 };

static const char ALGORITHM[] = "AWS4-HMAC-SHA256";
static const char TERMINATOR[] = "aws4_request";

/* What is needed of either form, as text. */
enum part { CREDENTIAL, SIGNATURE, SIGNED_HEADERS, PARTS };

struct parts {
    struct view raw[PARTS];
    int64_t expires_s; /* how long it is good for; 0: the header form, which does not say */
};

struct reading {
    const struct sigv4_request *request;
    const struct sigv4_wanted *wanted;
    struct sigv4_claim *claim;
    struct aws_refusal *refusal;
};

#define REFUSE(r, kind, ...) aws_refuse((r)->refusal, kind, (r)->wanted->is_json, __VA_ARGS__)

void sigv4_claim_done(struct sigv4_claim *c)
{
    mem_free(c->token_room);
    c->token_room = NULL;
    c->token = NULL;
}

static const char *header_value(const struct sigv4_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (strcasecmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    return NULL;
}

static bool keep(struct view v, char *room, size_t bytes)
{
    if (v.len >= bytes)
        return false;
    if (v.len)
        memcpy(room, v.bytes, v.len);
    room[v.len] = '\0';
    return true;
}

static bool is_text(struct view v, const char *text)
{
    return view_is_equal(v, view_text(text));
}

/* "20150830T123600Z" as seconds; false when it is no such time. */
static bool time_parse(const char *text, int64_t *ret_s)
{
    char iso[CLOCK_TEXT_BYTES];

    if (strlen(text) != SIGV4_TIME_BYTES - 1 || text[8] != 'T')
        return false;
    snprintf(iso, sizeof iso, "%.4s-%.2s-%.2sT%.2s:%.2s:%.3s", text, text + 4, text + 6, text + 9,
             text + 11, text + 13);
    return clock_parse(iso, ret_s);
}

static void time_format(int64_t s, char ret[SIGV4_TIME_BYTES])
{
    char iso[CLOCK_TEXT_BYTES];
    size_t n = 0;

    clock_format(s, iso);
    for (const char *p = iso; *p && n + 1 < SIGV4_TIME_BYTES; p++)
        if (*p != '-' && *p != ':')
            ret[n++] = *p;
    ret[n] = '\0';
}

/* AWS's words for a header in which something is missing. */
static bool refuse_header(struct reading *r, const struct parts *parts, const char *header)
{
    static const char *const names[PARTS] = {"Credential", "Signature", "SignedHeaders"};
    CLEANUP(buf_done) struct buf digest = buf_init(64);
    uint8_t hash[HASH_BYTES];
    char missing[512] = "";

    for (size_t i = 0; i < PARTS; i++)
        if (!parts->raw[i].bytes)
            snprintf(missing + strlen(missing), sizeof missing - strlen(missing),
                     "Authorization header requires '%s' parameter. ", names[i]);
    if (r->claim->time[0] == '\0')
        snprintf(missing + strlen(missing), sizeof missing - strlen(missing),
                 "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' "
                 "header. ");
    if (!ks_ok(hash_sha256(view_text(header), hash)) ||
        !ks_ok(base64_write(view_of(hash, sizeof hash), BASE64_STANDARD, &digest)))
        return REFUSE(r, AWS_INTERNAL, "no memory");
    return REFUSE(r, AWS_INCOMPLETE,
                  "%s(Hashed with SHA-256 and encoded with Base64) Authorization=%s", missing,
                  buf_text(&digest));
}

/* One "Name=value" of the header. */
static bool read_pair(struct view pair, struct parts *ret)
{
    static const char *const names[PARTS] = {"Credential=", "Signature=", "SignedHeaders="};

    for (size_t i = 0; i < PARTS; i++) {
        size_t len = strlen(names[i]);
        if (pair.len <= len || memcmp(pair.bytes, names[i], len) != 0)
            continue;
        if (ret->raw[i].bytes)
            return false;
        ret->raw[i] = view_of(pair.bytes + len, pair.len - len);
        return true;
    }
    return false;
}

static bool read_header_form(struct reading *r, const char *header, struct parts *ret)
{
    size_t len = strlen(ALGORITHM);
    const char *p = header + len;

    if (strncmp(header, ALGORITHM, len) != 0 || (*p != ' ' && *p != '\0'))
        return REFUSE(r, AWS_INCOMPLETE,
                      "Unsupported AWS 'algorithm'; expected 'AWS4-HMAC-SHA256'.");
    for (p += strspn(p, " ,"); *p; p += strspn(p, " ,")) {
        size_t n = strcspn(p, " ,");
        if (!read_pair(view_of(p, n), ret))
            return REFUSE(r, AWS_INCOMPLETE,
                          "The Authorization header is not a list of distinct key=value pairs of "
                          "Credential, SignedHeaders and Signature.");
        p += n;
    }
    const char *date = header_value(r->request, "x-amz-date");
    if (date && !keep(view_text(date), r->claim->time, sizeof r->claim->time))
        return REFUSE(r, AWS_INCOMPLETE,
                      "Date must be in ISO-8601 'basic format'. Got a longer one. See "
                      "http://en.wikipedia.org/wiki/ISO_8601");
    r->claim->token = header_value(r->request, "x-amz-security-token");
    if (!ret->raw[CREDENTIAL].bytes || !ret->raw[SIGNATURE].bytes ||
        !ret->raw[SIGNED_HEADERS].bytes || !date)
        return refuse_header(r, ret, header);
    return true;
}

/* query_value(query, name, ret): the raw value of the first parameter of this name. */
static bool query_value(const char *query, const char *name, struct view *ret)
{
    size_t len = strlen(name);

    for (const char *p = query; p; p = strchr(p, '&')) {
        p += *p == '&';
        if (strncmp(p, name, len) == 0 && p[len] == '=') {
            *ret = view_of(p + len + 1, strcspn(p + len + 1, "&"));
            return true;
        }
    }
    return false;
}

static bool query_number(struct view raw, int64_t max, int64_t *ret)
{
    int64_t n = 0;

    if (raw.len == 0 || raw.len > 9)
        return false;
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.bytes[i] < '0' || raw.bytes[i] > '9')
            return false;
        n = n * 10 + (raw.bytes[i] - '0');
    }
    *ret = n;
    return n > 0 && n <= max;
}

static bool read_query_token(struct reading *r)
{
    CLEANUP(buf_done) struct buf text = buf_init(TOKEN_MAX);
    struct view raw = {0};

    if (!query_value(r->request->query, "X-Amz-Security-Token", &raw))
        return true;
    if (!ks_ok(canonical_decode(raw, &text)) ||
        !ks_ok(mem_text(buf_text(&text), &r->claim->token_room)))
        return REFUSE(r, AWS_UNKNOWN_KEY, "The security token included in the request is invalid");
    r->claim->token = r->claim->token_room;
    return true;
}

/* decoded may hold the Credential and the SignedHeaders, whose slashes and semicolons may be encoded. */
static bool read_query_form(struct reading *r, struct buf *decoded, struct parts *ret)
{
    static const char *const names[PARTS] = {"X-Amz-Credential", "X-Amz-Signature",
                                             "X-Amz-SignedHeaders"};
    const char *query = r->request->query;
    struct view raw = {0}, date = {0};
    size_t at[PARTS + 1] = {0};

    for (size_t i = 0; i < PARTS; i++) {
        if (!query_value(query, names[i], &raw) || !ks_ok(canonical_decode(raw, decoded)))
            return REFUSE(r, AWS_INCOMPLETE,
                          "AWS query-string parameters must include '%s'. Re-examine the "
                          "query-string parameters.",
                          names[i]);
        at[i + 1] = decoded->len;
    }
    for (size_t i = 0; i < PARTS; i++)
        ret->raw[i] = view_of(decoded->bytes + at[i], at[i + 1] - at[i]);
    if (!query_value(query, "X-Amz-Date", &date) ||
        !keep(date, r->claim->time, sizeof r->claim->time))
        return REFUSE(r, AWS_INCOMPLETE,
                      "AWS query-string parameters must include 'X-Amz-Date'. Re-examine the "
                      "query-string parameters.");
    if (!query_value(query, "X-Amz-Expires", &raw) ||
        !query_number(raw, SIGV4_EXPIRES_S_MAX, &ret->expires_s))
        return REFUSE(r, AWS_INCOMPLETE,
                      "X-Amz-Expires must be a number from 1 to 604800 seconds.");
    return read_query_token(r);
}

static bool read_scope(struct reading *r, struct view credential)
{
    struct sigv4_claim *c = r->claim;
    char text[512] = "", *part[5], *rest = text;
    size_t count = 0;

    if (!keep(credential, text, sizeof text))
        text[0] = '\0';
    for (char *p; count < 5 && (p = strsep(&rest, "/"));)
        part[count++] = p;
    if (count != 5 || rest || !keep(view_text(part[0]), c->access_key, sizeof c->access_key) ||
        !keep(view_text(part[1]), c->day, sizeof c->day) ||
        !keep(view_text(part[2]), c->region, sizeof c->region) ||
        !keep(view_text(part[3]), c->service, sizeof c->service))
        return REFUSE(r, AWS_INCOMPLETE,
                      "Credential must have exactly 5 slash-delimited elements, e.g. "
                      "keyid/date/region/service/term");
    if (strcmp(part[4], TERMINATOR) != 0)
        return REFUSE(r, AWS_BAD_SIGNATURE,
                      "Credential should be scoped with a valid terminator: 'aws4_request', not "
                      "'%.64s'.",
                      part[4]);
    return true;
}

static bool is_region(const char *s)
{
    size_t dashes = 0;

    for (const char *p = s; *p; p++) {
        if (!islower((uint8_t)*p) && !isdigit((uint8_t)*p) && *p != '-')
            return false;
        dashes += *p == '-';
    }
    return dashes >= 2 && islower((uint8_t)*s) && isdigit((uint8_t)s[strlen(s) - 1]);
}

static bool check_scope(struct reading *r)
{
    const struct sigv4_claim *c = r->claim;

    if (strncmp(c->day, c->time, 8) != 0 || c->day[0] == '\0')
        return REFUSE(r, AWS_BAD_SIGNATURE,
                      "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of "
                      "date from HTTP: '%s' != '%.8s', from '%s'.",
                      c->day, c->time, c->time);
    if (!is_region(c->region))
        return REFUSE(r, AWS_BAD_SIGNATURE, "Credential should be scoped to a valid region.");
    if (strcmp(c->service, r->wanted->service) != 0)
        return REFUSE(r, AWS_BAD_SIGNATURE, "Credential should be scoped to correct service: '%s'.",
                      r->wanted->service);
    return true;
}

static bool check_time(struct reading *r, int64_t expires_s)
{
    int64_t now = r->wanted->now_s, sent = 0, window = expires_s ? expires_s : SIGV4_SKEW_S;
    char current[SIGV4_TIME_BYTES], limit[SIGV4_TIME_BYTES];
    const char *time = r->claim->time;

    if (!time_parse(time, &sent))
        return REFUSE(r, AWS_INCOMPLETE,
                      "Date must be in ISO-8601 'basic format'. Got '%s'. See "
                      "http://en.wikipedia.org/wiki/ISO_8601",
                      time);
    time_format(now, current);
    if (sent + window < now) {
        time_format(now - window, limit);
        return REFUSE(r, AWS_BAD_SIGNATURE,
                      "Signature expired: %s is now earlier than %s (%s - %lld %s.)", time, limit,
                      current, (long long)(expires_s ? window : window / 60),
                      expires_s ? "s" : "min");
    }
    if (sent > now + SIGV4_SKEW_S) {
        time_format(now + SIGV4_SKEW_S, limit);
        return REFUSE(r, AWS_BAD_SIGNATURE,
                      "Signature not yet current: %s is still later than %s (%s + 5 min.)", time,
                      limit, current);
    }
    return true;
}

static bool is_listed(const char *names, const char *name)
{
    size_t len = strlen(name);

    for (const char *p = names; p; p = strchr(p, ';')) {
        p += *p == ';';
        if (strncmp(p, name, len) == 0 && (p[len] == ';' || p[len] == '\0'))
            return true;
    }
    return false;
}

/* A header that decides what is done must not be one that a stranger can add. */
static bool check_signed(struct reading *r)
{
    static const char *const deciding[] = {"x-amz-date", "x-amz-security-token", "x-amz-target"};
    const char *names = r->claim->signed_headers;

    if (!is_listed(names, "host"))
        return REFUSE(r, AWS_BAD_SIGNATURE,
                      "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
    for (size_t i = 0; i < sizeof deciding / sizeof *deciding; i++)
        if (header_value(r->request, deciding[i]) && !is_listed(names, deciding[i]))
            return REFUSE(r, AWS_BAD_SIGNATURE,
                          "'%s' must be a 'SignedHeader' in the AWS Authorization.", deciding[i]);
    return true;
}

static bool keep_parts(struct reading *r, const struct parts *parts)
{
    CLEANUP(buf_done) struct buf signature = buf_init(HASH_BYTES + 1);
    struct sigv4_claim *c = r->claim;

    if (!keep(parts->raw[SIGNED_HEADERS], c->signed_headers, sizeof c->signed_headers))
        return REFUSE(r, AWS_INCOMPLETE, "The list of SignedHeaders is too long.");
    if (!read_scope(r, parts->raw[CREDENTIAL]))
        return false;
    if (parts->raw[SIGNATURE].len != 2 * HASH_BYTES ||
        !ks_ok(hex_read(parts->raw[SIGNATURE], &signature)))
        return REFUSE(r, AWS_BAD_SIGNATURE,
                      "The request signature we calculated does not match the signature you "
                      "provided. Check your AWS Secret Access Key and signing method. Consult the "
                      "service documentation for details.");
    memcpy(c->signature, signature.bytes, HASH_BYTES);
    return true;
}

bool sigv4_read(const struct sigv4_request *request, const struct sigv4_wanted *wanted,
                struct sigv4_claim *ret, struct aws_refusal *refusal)
{
    CLEANUP(sigv4_claim_done) struct sigv4_claim claim = {0};
    CLEANUP(buf_done) struct buf decoded = buf_init(4096);
    struct reading r = {request, wanted, &claim, refusal};
    const char *header = header_value(request, "authorization");
    struct parts parts = {0};
    struct view any = {0};

    claim.is_query = !header && query_value(request->query, "X-Amz-Algorithm", &any);
    if (!header && !claim.is_query)
        return REFUSE(&r, AWS_NO_TOKEN, "%s",
                      wanted->is_json ? "Missing Authentication Token"
                                      : "Request is missing Authentication Token");
    if (claim.is_query && !is_text(any, ALGORITHM))
        return REFUSE(&r, AWS_INCOMPLETE,
                      "Unsupported AWS 'algorithm'; expected 'AWS4-HMAC-SHA256'.");
    if (claim.is_query ? !read_query_form(&r, &decoded, &parts)
                       : !read_header_form(&r, header, &parts))
        return false;
    if (!keep_parts(&r, &parts) || !check_time(&r, parts.expires_s) || !check_scope(&r) ||
        !check_signed(&r))
        return false;
    *ret = claim;
    claim.token_room = NULL;
    return true;
}

/* The chain of keys: each is the MAC of the next word under the one before. */
static void chain_wipe(uint8_t (*chain)[HASH_BYTES])
{
    mem_wipe(chain, sizeof *chain);
}

static void seed_wipe(uint8_t (*seed)[260])
{
    mem_wipe(seed, sizeof *seed);
}

ks_rc sigv4_key(struct view secret, const struct sigv4_claim *claim, uint8_t ret[HASH_BYTES])
{
    const char *const words[] = {claim->day, claim->region, claim->service, TERMINATOR};
    CLEANUP(seed_wipe) uint8_t seed[260] = "AWS4";
    CLEANUP(chain_wipe) uint8_t key[HASH_BYTES] = {0};
    struct view under = view_of(seed, 4 + secret.len);

    ENSURE(secret.len <= sizeof seed - 4, KS_E_BUG, "a secret access key of %zu bytes", secret.len);
    memcpy(seed + 4, secret.bytes, secret.len);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        TRY(hash_hmac(under, view_text(words[i]), key));
        under = view_of(key, sizeof key);
    }
    memcpy(ret, key, sizeof key);
    return KS_SUCCESS;
}

/* What the signature is the MAC of. */
static ks_rc write_string_to_sign(const struct sigv4_claim *c, struct view canonical,
                                  struct buf *ret)
{
    const char *const words[] = {ALGORITHM, "\n", c->time,    "\n", c->day,     "/",
                                 c->region, "/",  c->service, "/",  TERMINATOR, "\n"};
    uint8_t digest[HASH_BYTES];

    TRY(hash_sha256(canonical, digest));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        TRY(buf_append(ret, view_text(words[i])));
    return hex_write(view_of(digest, sizeof digest), ret);
}

ks_rc sigv4_is_signed(const struct sigv4_request *request, const struct sigv4_claim *claim,
                      const uint8_t key[HASH_BYTES], bool *ret)
{
    CLEANUP(buf_done) struct buf canonical = buf_init(CANONICAL_MAX);
    CLEANUP(buf_done) struct buf to_sign = buf_init(512);
    uint8_t mac[HASH_BYTES];

    ks_rc rc = canonical_write(request, claim, &canonical);
    if (ks_is(rc, KS_E_DENIED) || ks_is(rc, KS_E_USAGE)) {
        *ret = false;
        return KS_SUCCESS;
    }
    TRY(rc);
    TRY(write_string_to_sign(claim, buf_view(&canonical), &to_sign));
    TRY(hash_hmac(view_of(key, HASH_BYTES), buf_view(&to_sign), mac));
    *ret = secret_is_equal(view_of(mac, sizeof mac), view_of(claim->signature, HASH_BYTES));
    return KS_SUCCESS;
}
