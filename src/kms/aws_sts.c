/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_sts.c - credentials of a role from AWS STS (awsQuery protocol, version 2011-06-15).
 */
#include "kms/aws_sts.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kms/aws_sts_reply.h"

enum { FORM_BYTES_MAX = 96 * 1024, NUMBER_BYTES = 16 };

/* One pair more of a form, percent-encoded (RFC 3986). */
static ks_rc add(struct buf *form, const char *name, struct view value)
{
    TRY(buf_printf(form, "%s%s=", form->len ? "&" : "", name));
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.bytes[i];
        bool is_plain = isalnum(c) || (c && strchr("-_.~", c));
        TRY(is_plain ? buf_append(form, view_of(&c, 1)) : buf_printf(form, "%%%02X", c));
    }
    return KS_SUCCESS;
}

static ks_rc write_form(const char *action, const struct aws_role *role, struct buf *form)
{
    char seconds[NUMBER_BYTES];

    TRY(add(form, "Action", view_text(action)));
    TRY(add(form, "Version", view_text("2011-06-15")));
    TRY(add(form, "RoleArn", view_text(role->arn)));
    TRY(add(form, "RoleSessionName", view_text(role->session_name)));
    if (role->external_id)
        TRY(add(form, "ExternalId", view_text(role->external_id)));
    if (!role->duration_s)
        return KS_SUCCESS;
    snprintf(seconds, sizeof seconds, "%u", role->duration_s);
    return add(form, "DurationSeconds", view_text(seconds));
}

static void judge(const struct http_reply *reply, struct aws_error *ret)
{
    CLEANUP(mem_freep) struct aws_sts_reply *r = NULL;

    aws_error_set(ret, NULL, NULL);
    /* What cannot be read is an error without a type. */
    if (ks_ok(mem_new(1, sizeof *r, &r)) && ks_ok(aws_sts_reply_parse(buf_view(&reply->body), r)))
        aws_error_set(ret, r->error_type, r->error_message);
}

static ks_rc read_reply(const struct kms_call *call, struct view body, struct aws_credentials **ret)
{
    CLEANUP(secret_freep) struct secret *room = NULL;
    struct aws_sts_reply *r;

    TRY(secret_new(sizeof *r, &room));
    r = (void *)secret_bytes(room);
    TRY(aws_sts_reply_parse(body, r));
    aws_note_id(call, r->request_id);
    ENSURE(r->token[0] && r->expiration[0], KS_E_BAD_REPLY, "STS gave no credentials");
    const struct aws_credentials_parts parts = {view_text(r->access_key), view_text(r->secret_key),
                                                view_text(r->token), r->expiration};
    ks_rc rc = aws_credentials_new(&parts, ret);
    ENSURE(!ks_is(rc, KS_E_CREDENTIAL), KS_E_BAD_REPLY, "STS gave no usable credentials");
    return rc;
}

static ks_rc post(const struct aws_sts *sts, const struct kms_call *call, const struct buf *form,
                  const struct aws_credentials *base, struct aws_credentials **ret,
                  enum aws_cure *cure)
{
    CLEANUP(http_reply_done) struct http_reply reply = {0};
    const struct aws_exchange x = {
        .endpoint = &sts->endpoint,
        .service = "sts",
        .region = sts->region,
        .credentials = base,
        .header_count = 1,
        .headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}},
        .body = buf_view(form),
        .judge = judge};

    TRY(aws_http_send(sts->http, call, &x, &reply, cure));
    return read_reply(call, buf_view(&reply.body), ret);
}

ks_rc aws_sts_assume_role(const struct aws_sts *sts, const struct kms_call *call,
                          const struct aws_role *role, const struct aws_credentials *base,
                          struct aws_credentials **ret, enum aws_cure *cure)
{
    CLEANUP(buf_done) struct buf form = buf_init(FORM_BYTES_MAX);

    *cure = AWS_CURE_NONE;
    TRY(write_form("AssumeRole", role, &form));
    return post(sts, call, &form, base, ret, cure);
}

/* A token ends where its line ends. */
static struct view token_text(const struct secret *token)
{
    struct view v = secret_view(token);

    while (v.len > 0 && isspace(v.bytes[v.len - 1]))
        v.len--;
    return v;
}

ks_rc aws_sts_web_identity(const struct aws_sts *sts, const struct kms_call *call,
                           const struct aws_role *role, const struct secret *token,
                           struct aws_credentials **ret)
{
    CLEANUP(buf_done) struct buf form = buf_init_wiping(FORM_BYTES_MAX);
    enum aws_cure cure;

    TRY(write_form("AssumeRoleWithWebIdentity", role, &form));
    TRY(add(&form, "WebIdentityToken", token_text(token)));
    return post(sts, call, &form, NULL, ret, &cure);
}
