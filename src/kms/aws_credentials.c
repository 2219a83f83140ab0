/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_credentials.c - what a request to AWS is signed with.
 */
#include "kms/aws_credentials.h"

#include "base/json.h"
#include "base/mem.h"
#include "kms/aws_time.h"

enum { JSON_BYTES_MAX = 32 * 1024, JSON_DEPTH_MAX = 4, EXPIRATION_MAX = 40 };

/* They go into header lines. */
static bool is_printable(struct view text, size_t room)
{
    if (text.len == 0 || text.len >= room)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.bytes[i] <= ' ' || text.bytes[i] > '~')
            return false;
    return true;
}

static ks_rc text_secret(struct view text, struct secret **ret)
{
    TRY(secret_new(text.len + 1, ret));
    memcpy(secret_bytes(*ret), text.bytes, text.len);
    return KS_SUCCESS;
}

ks_rc aws_credentials_new(const struct aws_credentials_parts *parts, struct aws_credentials **ret)
{
    CLEANUP(aws_credentials_unrefp) struct aws_credentials *c = NULL;

    ENSURE(is_printable(parts->access_key, AWS_ACCESS_KEY_BYTES), KS_E_CREDENTIAL,
           "the access key id is empty, too long or holds blanks");
    ENSURE(is_printable(parts->secret_key, AWS_SECRET_KEY_BYTES), KS_E_CREDENTIAL,
           "the secret access key is empty, too long or holds blanks");
    ENSURE(parts->token.len == 0 || is_printable(parts->token, AWS_TOKEN_BYTES), KS_E_CREDENTIAL,
           "the session token is too long or holds blanks");
    TRY(mem_new(1, sizeof *c, &c));
    c->users = 1;
    if (parts->expiration && parts->expiration[0])
        ENSURE(aws_time_iso(parts->expiration, &c->expires_s), KS_E_CREDENTIAL,
               "the expiration of the credentials is no time: \"%.40s\"", parts->expiration);
    memcpy(c->access_key, parts->access_key.bytes, parts->access_key.len);
    TRY(secret_copy(parts->secret_key, &c->secret_key));
    if (parts->token.len)
        TRY(text_secret(parts->token, &c->token));
    *ret = TAKE(c);
    return KS_SUCCESS;
}

static ks_rc read_parts(const json_t *object, const char *token_name,
                        struct aws_credentials_parts *ret)
{
    const char *access_key, *secret_key, *token = "";

    TRY(json_get_text(object, "AccessKeyId", AWS_ACCESS_KEY_BYTES - 1, &access_key));
    TRY(json_get_text(object, "SecretAccessKey", AWS_SECRET_KEY_BYTES - 1, &secret_key));
    TRY(json_may_text(object, token_name, AWS_TOKEN_BYTES - 1, &token));
    TRY(json_may_text(object, "Expiration", EXPIRATION_MAX, &ret->expiration));
    ret->access_key = view_text(access_key);
    ret->secret_key = view_text(secret_key);
    ret->token = view_text(token);
    return KS_SUCCESS;
}

ks_rc aws_credentials_from_json(struct view text, const char *token_name,
                                struct aws_credentials **ret)
{
    CLEANUP(json_decrefp) json_t *object = NULL;
    struct json_limits limits = {JSON_BYTES_MAX, JSON_DEPTH_MAX};
    struct aws_credentials_parts parts = {.expiration = NULL};

    ks_rc rc = json_read(text, limits, "the credentials", &object);
    if (ks_ok(rc))
        rc = read_parts(object, token_name, &parts);
    ENSURE(ks_ok(rc) || rc.cls != KS_CLASS_USAGE, KS_E_CREDENTIAL,
           "the credentials cannot be understood: %s", ks_text(rc));
    TRY(rc);
    return aws_credentials_new(&parts, ret);
}

static bool is_same_secret(const struct secret *a, const struct secret *b)
{
    return a && b ? secret_is_equal(secret_view(a), secret_view(b)) : a == b;
}

bool aws_credentials_is_same(const struct aws_credentials *a, const struct aws_credentials *b)
{
    if (!a || !b)
        return a == b;
    return strcmp(a->access_key, b->access_key) == 0 &&
           is_same_secret(a->secret_key, b->secret_key) && is_same_secret(a->token, b->token);
}

struct aws_credentials *aws_credentials_ref(struct aws_credentials *c)
{
    __atomic_add_fetch(&c->users, 1, __ATOMIC_RELAXED);
    return c;
}

void aws_credentials_unref(struct aws_credentials *c)
{
    if (!c || __atomic_sub_fetch(&c->users, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    secret_free(c->secret_key);
    secret_free(c->token);
    mem_free(c);
}

void aws_credentials_unrefp(struct aws_credentials **c)
{
    aws_credentials_unref(*c);
}
