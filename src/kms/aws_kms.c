/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_kms.c - the operations of AWS KMS that are used (protocol JSON 1.1, API version 2014-11-01).
 */
#include "kms/aws_kms.h"

#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"

enum {
    BODY_BYTES_MAX = 64 * 1024,
    CIPHERTEXT_MAX = 6144, /* what Decrypt takes */
};

/* --- the key's place --- */

static ks_rc find_endpoints(struct aws_kms *k, const struct aws_env *env,
                            const struct aws_files *files, struct aws_chain *chain)
{
    TRY(aws_endpoint_find(env, files, "kms", &k->key, &k->endpoint));
    TRY(aws_endpoint_find(env, files, "sts", &k->key, &chain->sts.endpoint));
    memcpy(chain->sts.region, k->key.region, sizeof chain->sts.region);
    chain->sts.http = &k->http;
    chain->env = *env;
    return KS_SUCCESS;
}

ks_rc aws_kms_init(struct aws_kms *k, const struct kms_conf *conf)
{
    CLEANUP(aws_files_done) struct aws_files files = {.config = NULL};
    const struct aws_env env = aws_env_of(conf);
    const char *role = conf->spec->auth_principal;
    char region[AWS_REGION_BYTES], account[AWS_ACCOUNT_ID_BYTES];
    struct aws_chain chain;

    TRY(aws_files_read(&env, &files));
    bool has_region = aws_region_find(&env, &files, region);
    TRY(aws_key_parse(conf->spec->uri, has_region ? region : NULL, &k->key));
    if (role[0])
        TRY(aws_role_account(role, account));
    TRY(find_endpoints(k, &env, &files, &chain));
    TRY(aws_http_init(&env, &files, conf->clock ? conf->clock : clock_system(), &k->http));
    aws_principal_init(&k->principal, &chain, role);
    return KS_SUCCESS;
}

void aws_kms_done(struct aws_kms *k)
{
    if (k->http.clock) /* the last that can fail comes before the principal */
        aws_principal_done(&k->principal);
    aws_http_done(&k->http);
}

/* --- requests --- */

struct operation {
    struct aws_kms *kms;
    const struct kms_call *call;
    const char *target; /* "TrentService.Encrypt" */
    struct view body;
    struct http_reply *reply;
};

static ks_rc send_signed(void *arg, const struct aws_credentials *credentials, enum aws_cure *cure)
{
    struct operation *o = arg;
    const struct aws_exchange x = {
        .endpoint = &o->kms->endpoint,
        .service = "kms",
        .region = o->kms->key.region,
        .credentials = credentials,
        .header_count = 2,
        .headers = {{"Content-Type", "application/x-amz-json-1.1"}, {"X-Amz-Target", o->target}},
        .body = o->body,
        .judge = aws_error_read};

    return aws_http_send(&o->kms->http, o->call, &x, o->reply, cure);
}

/* The tenant's name goes into the customer's trust policy. */
static const char *external_id(const struct key_context *context)
{
    for (size_t i = 0; i < context->count; i++)
        if (strcmp(context->pairs[i].name, "organisation") == 0)
            return context->pairs[i].value;
    return NULL;
}

static ks_rc run(struct operation *o, const struct key_context *context, const struct buf *body)
{
    const struct kms_call *call = o->call;

    ENSURE(!call->deadline_ms || clock_boot_ms(call->clock) < call->deadline_ms, KS_E_TIMEOUT,
           "the time for this call is over");
    o->body = buf_view(body);
    return aws_principal_use(&o->kms->principal, call, external_id(context), send_signed, o);
}

/* --- bodies --- */

static ks_rc add_context(struct buf *body, const char *name, const struct key_context *context)
{
    CLEANUP(json_decrefp) json_t *object = json_object();

    if (context->count == 0)
        return KS_SUCCESS;
    for (size_t i = 0; i < context->count; i++)
        ENSURE(json_object_set_new(object, context->pairs[i].name,
                                   json_string(context->pairs[i].value)) == 0,
               KS_E_USAGE, "the context of the key holds what is no text: %s",
               context->pairs[i].name);
    TRY(buf_printf(body, ",\"%s\":", name));
    return json_write(object, false, body);
}

static ks_rc add_bytes(struct buf *body, const char *name, struct view bytes)
{
    TRY(buf_printf(body, ",\"%s\":\"", name));
    TRY(base64_write(bytes, BASE64_STANDARD, body));
    return buf_append(body, view_text("\""));
}

/* A key's name needs no escaping: aws_key_parse lets no other characters through. */
static ks_rc begin_body(struct buf *body, const char *name, const struct aws_kms *k)
{
    return buf_printf(body, "{\"%s\":\"%s\"", name, k->key.id);
}

static ks_rc end_body(struct buf *body)
{
    return buf_append(body, view_text("}"));
}

/* --- operations --- */

ks_rc aws_kms_describe(struct aws_kms *k, const struct kms_call *call,
                       const struct key_context *context, char ret[KEY_VERSION_BYTES])
{
    CLEANUP(buf_done) struct buf body = buf_init(BODY_BYTES_MAX);
    CLEANUP(http_reply_done) struct http_reply reply = {0};
    struct operation o = {k, call, "TrentService.DescribeKey", .reply = &reply};

    TRY(begin_body(&body, "KeyId", k));
    TRY(end_body(&body));
    TRY(run(&o, context, &body));
    return aws_kms_read_describe(&k->key, buf_view(&reply.body), ret);
}

ks_rc aws_kms_encrypt(struct aws_kms *k, const struct kms_call *call,
                      const struct key_context *context, const struct secret *plain,
                      struct buf *ret, char ret_arn[KEY_VERSION_BYTES])
{
    CLEANUP(buf_done) struct buf body = buf_init_wiping(BODY_BYTES_MAX);
    CLEANUP(http_reply_done) struct http_reply reply = {0};
    struct operation o = {k, call, "TrentService.Encrypt", .reply = &reply};

    TRY(begin_body(&body, "KeyId", k));
    TRY(add_context(&body, "EncryptionContext", context));
    TRY(add_bytes(&body, "Plaintext", secret_view(plain)));
    TRY(end_body(&body));
    TRY(run(&o, context, &body));
    return aws_kms_read_encrypt(&k->key, buf_view(&reply.body), ret, ret_arn);
}

/* Outside of this AWS says that the request is malformed; but it is the data that is. */
static ks_rc check_ciphertext(struct view blob)
{
    ENSURE(blob.len > 0 && blob.len <= CIPHERTEXT_MAX, KS_E_AUTH,
           "a ciphertext of AWS KMS has 1 to %d bytes, this one %zu", CIPHERTEXT_MAX, blob.len);
    return KS_SUCCESS;
}

ks_rc aws_kms_decrypt(struct aws_kms *k, const struct kms_call *call,
                      const struct key_context *context, struct view blob, struct secret **ret)
{
    CLEANUP(buf_done) struct buf body = buf_init(BODY_BYTES_MAX);
    CLEANUP(http_reply_done) struct http_reply reply = {0};
    struct operation o = {k, call, "TrentService.Decrypt", .reply = &reply};

    TRY(check_ciphertext(blob));
    TRY(begin_body(&body, "KeyId", k));
    TRY(add_context(&body, "EncryptionContext", context));
    TRY(add_bytes(&body, "CiphertextBlob", blob));
    TRY(end_body(&body));
    TRY(run(&o, context, &body));
    return aws_kms_read_decrypt(&k->key, buf_view(&reply.body), ret);
}

ks_rc aws_kms_generate(struct aws_kms *k, const struct kms_call *call,
                       const struct key_context *context)
{
    CLEANUP(buf_done) struct buf body = buf_init(BODY_BYTES_MAX);
    CLEANUP(http_reply_done) struct http_reply reply = {0};
    struct operation o = {k, call, "TrentService.GenerateDataKey", .reply = &reply};

    TRY(begin_body(&body, "KeyId", k));
    TRY(add_context(&body, "EncryptionContext", context));
    TRY(buf_append(&body, view_text(",\"KeySpec\":\"AES_256\"")));
    TRY(end_body(&body));
    return run(&o, context, &body);
}

ks_rc aws_kms_reencrypt(struct aws_kms *k, const struct kms_call *call,
                        const struct key_context *context, struct view blob)
{
    CLEANUP(buf_done) struct buf body = buf_init(BODY_BYTES_MAX);
    CLEANUP(http_reply_done) struct http_reply reply = {0};
    struct operation o = {k, call, "TrentService.ReEncrypt", .reply = &reply};

    TRY(begin_body(&body, "SourceKeyId", k));
    TRY(buf_printf(&body, ",\"DestinationKeyId\":\"%s\"", k->key.id));
    TRY(add_context(&body, "SourceEncryptionContext", context));
    TRY(add_context(&body, "DestinationEncryptionContext", context));
    TRY(add_bytes(&body, "CiphertextBlob", blob));
    TRY(end_body(&body));
    return run(&o, context, &body);
}
