/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_errors.c - what an error of AWS means. The table is aws_errors.def.
 */
#include "kms/aws_errors.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"

enum { JSON_BYTES_MAX = 64 * 1024, JSON_DEPTH_MAX = 8, MESSAGE_MAX = 8192 };

static const struct known {
    const char *type;
    enum ks_code code;
    enum aws_cure cure;
} known[] = {
#define AWS_ERROR(type, code, cure) {type, KS_E_##code, AWS_CURE_##cure},
#include "kms/aws_errors.def"
#undef AWS_ERROR
};

void aws_error_set(struct aws_error *e, const char *type, const char *message)
{
    const char *name = type ? type : "", *hash = strrchr(name, '#');

    name = hash ? hash + 1 : name;
    snprintf(e->type, sizeof e->type, "%.*s", (int)strcspn(name, ":"), name);
    snprintf(e->message, sizeof e->message, "%s", message ? message : "");
    for (char *c = e->message; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
}

/* NULL when it is no text. */
static const char *text_of(const json_t *body, const char *name)
{
    const char *text = NULL;

    /* A reply without it is told by an empty type. */
    IGNORE(json_may_text(body, name, MESSAGE_MAX, &text));
    return text;
}

static void read_body(const json_t *body, const char *header, struct aws_error *ret)
{
    const char *lower = text_of(body, "message");

    aws_error_set(ret, header[0] ? header : text_of(body, "__type"),
                  lower ? lower : text_of(body, "Message"));
}

void aws_error_read(const struct http_reply *reply, struct aws_error *ret)
{
    CLEANUP(json_decrefp) json_t *body = NULL;
    struct json_limits limits = {JSON_BYTES_MAX, JSON_DEPTH_MAX};
    char header[AWS_ERROR_TYPE_BYTES + 256];

    http_reply_header(reply, "x-amzn-ErrorType", header, sizeof header);
    header[strcspn(header, ":")] = '\0';
    /* Not JSON: the header may still say it. */
    IGNORE(json_read(buf_view(&reply->body), limits, "the error", &body));
    read_body(json_is_object(body) ? body : NULL, header, ret);
}

static const struct known *find(const char *type)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].type, type) == 0)
            return &known[i];
    return NULL;
}

/* KMSInvalidStateException stands for several states, and a signature may be wrong because of the clock. */
static struct known refine(const struct known *k, const char *message)
{
    struct known fine = *k;

    if (strcmp(k->type, "KMSInvalidStateException") == 0 && strcasestr(message, "pending deletion"))
        fine.code = KS_E_KEY_PENDING_DELETION;
    if ((strcmp(k->type, "InvalidSignatureException") == 0 ||
         strcmp(k->type, "SignatureDoesNotMatch") == 0) &&
        (strcasestr(message, "signature expired") || strcasestr(message, "not yet current"))) {
        fine.code = KS_E_UNREACHABLE;
        fine.cure = AWS_CURE_CLOCK;
    }
    return fine;
}

static ks_rc unknown(const struct aws_error *e, int status)
{
    if (status >= 500)
        return ks_fail(KS_E_UNREACHABLE, "HTTP status %d %s: %s", status, e->type, e->message);
    if (!e->type[0])
        return ks_fail(KS_E_BAD_REPLY,
                       "HTTP status %d without an error of AWS; is something else answering there?",
                       status);
    return ks_fail(
        KS_E_BAD_REPLY,
        "HTTP status %d with the unknown error %s: %s; it is taken for an outage, please "
        "report it",
        status, e->type, e->message);
}

ks_rc aws_error_result(const struct aws_error *e, int status, enum aws_cure *cure)
{
    const struct known *k = find(e->type);

    *cure = AWS_CURE_NONE;
    if (!k)
        return unknown(e, status);
    struct known fine = refine(k, e->message);
    *cure = fine.cure;
    return ks_fail(fine.code, "%s%s%s", e->type, e->message[0] ? ": " : "", e->message);
}
