/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/drv_aws.c - the driver for keys in AWS KMS.
 *
 * Spec: uri the ARN of a key (or of an alias, or a key id for the region of the environment), auth_principal the ARN of a
 * role to assume, or empty. Wraps are bound to the context by AWS (EncryptionContext); its "organisation" is also the
 * ExternalId of the role. One attempt for each call, apart from two that AWS asks to mend: a clock that is wrong, and
 * credentials that have expired, are put right and the request is sent once more.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kms/aws_kms.h"
#include "kms/driver.h"

enum { PROBE_BYTES = 32 };

struct aws_driver {
    struct kms base; /* first */
    struct aws_kms kms;
};

static struct aws_kms *of(struct kms *kms)
{
    return &((struct aws_driver *)(void *)kms)->kms;
}

static void aws_close(struct kms *kms)
{
    if (!kms)
        return;
    aws_kms_done(of(kms));
    mem_free(kms);
}

static void aws_closep(struct aws_driver **d)
{
    aws_close(*d ? &(*d)->base : NULL);
}

static ks_rc aws_open(const struct kms_conf *conf, struct kms **ret)
{
    CLEANUP(aws_closep) struct aws_driver *d = NULL;

    TRY(mem_new(1, sizeof *d, &d));
    d->base.driver = &kms_driver_aws;
    TRY(aws_kms_init(&d->kms, conf));
    *ret = &TAKE(d)->base;
    return KS_SUCCESS;
}

/*
 * AWS does not say with which material it has encrypted, so the key is described first: after a rotation in between
 * the wrap counts as older than it is, and is merely made anew. Who may not describe the key gets its ARN.
 */
static ks_rc aws_wrap(struct kms *kms, const struct kms_call *call,
                      const struct key_context *context, const struct secret *plain,
                      struct buf *ret_blob, char ret_version[KEY_VERSION_BYTES])
{
    CLEANUP(buf_done) struct buf blob = buf_init(KEY_BLOB_MAX);
    char version[KEY_VERSION_BYTES], arn[KEY_VERSION_BYTES];

    ks_rc rc = aws_kms_describe(of(kms), call, context, version);
    bool is_described = ks_ok(rc);
    if (!is_described && !ks_is(rc, KS_E_DENIED))
        return rc;
    TRY(aws_kms_encrypt(of(kms), call, context, plain, &blob, arn));
    TRY(buf_append(ret_blob, buf_view(&blob)));
    memcpy(ret_version, is_described ? version : arn, KEY_VERSION_BYTES);
    return KS_SUCCESS;
}

static ks_rc aws_unwrap(struct kms *kms, const struct kms_call *call,
                        const struct key_context *context, struct view blob,
                        struct secret **ret_plain)
{
    return aws_kms_decrypt(of(kms), call, context, blob, ret_plain);
}

static ks_rc aws_version(struct kms *kms, const struct kms_call *call,
                         const struct key_context *context, char ret[KEY_VERSION_BYTES])
{
    return aws_kms_describe(of(kms), call, context, ret);
}

/* Requests count against the account that makes them: the role's, else as far as is known the key's own. */
static void aws_scope(const struct kms *kms, char ret[KMS_SCOPE_BYTES])
{
    const struct aws_kms *k = &((const struct aws_driver *)(const void *)kms)->kms;
    char account[AWS_ACCOUNT_ID_BYTES];
    const char *set = aws_env_get(&k->principal.chain.env, "AWS_ACCOUNT_ID");

    snprintf(account, sizeof account, "%s", set ? set : k->key.account);
    /* The role's form was checked when the key was opened; without one account stays as it is. */
    IGNORE(aws_role_account(k->principal.role_arn, account));
    snprintf(ret, KMS_SCOPE_BYTES, "aws:%s:%s", account, k->key.region);
}

/* --- what the customer must allow --- */

static ks_rc probe_encrypt(struct kms *kms, const struct kms_call *call,
                           const struct key_context *context, struct buf *blob)
{
    CLEANUP(secret_freep) struct secret *plain = NULL;
    char arn[KEY_VERSION_BYTES];

    TRY(secret_new(PROBE_BYTES, &plain));
    return aws_kms_encrypt(of(kms), call, context, plain, blob, arn);
}

static ks_rc try_encrypt(struct kms *kms, const struct kms_call *call,
                         const struct key_context *context)
{
    CLEANUP(buf_done) struct buf blob = buf_init(KEY_BLOB_MAX);

    return probe_encrypt(kms, call, context, &blob);
}

/* A ciphertext to try a permission with; who may not make one cannot tell about the permission. */
static ks_rc probe_blob(struct kms *kms, const struct kms_call *call,
                        const struct key_context *context, struct buf *blob)
{
    ks_rc rc = probe_encrypt(kms, call, context, blob);

    ENSURE(rc.cls != KS_CLASS_DENIED, KS_E_STATE, "it cannot be tried without kms:Encrypt");
    return rc;
}

static ks_rc try_decrypt(struct kms *kms, const struct kms_call *call,
                         const struct key_context *context)
{
    CLEANUP(buf_done) struct buf blob = buf_init(KEY_BLOB_MAX);
    CLEANUP(secret_freep) struct secret *plain = NULL;

    TRY(probe_blob(kms, call, context, &blob));
    return aws_kms_decrypt(of(kms), call, context, buf_view(&blob), &plain);
}

static ks_rc try_reencrypt(struct kms *kms, const struct kms_call *call,
                           const struct key_context *context)
{
    CLEANUP(buf_done) struct buf blob = buf_init(KEY_BLOB_MAX);

    TRY(probe_blob(kms, call, context, &blob));
    return aws_kms_reencrypt(of(kms), call, context, buf_view(&blob));
}

static ks_rc try_generate(struct kms *kms, const struct kms_call *call,
                          const struct key_context *context)
{
    return aws_kms_generate(of(kms), call, context);
}

static ks_rc try_describe(struct kms *kms, const struct kms_call *call,
                          const struct key_context *context)
{
    char version[KEY_VERSION_BYTES];

    return aws_kms_describe(of(kms), call, context, version);
}

static const struct kms_permission permissions[] = {
    {"kms:Decrypt", "volumes cannot be opened", true, try_decrypt},
    {"kms:Encrypt", "volumes cannot be created, wraps cannot be added and rotated", true,
     try_encrypt},
    {"kms:DescribeKey", "a rotation of the key in AWS is not noticed, and its state not told",
     false, try_describe},
    {"kms:GenerateDataKey", "nothing today; the vendors' policies name it", false, try_generate},
    {"kms:ReEncrypt*", "nothing today; the vendors' policies name it", false, try_reencrypt},
    {0},
};

const struct kms_driver kms_driver_aws = {
    .type = "AWS_KMS",
    .abi = KMS_DRIVER_ABI,
    .caps = KMS_CAP_CONTEXT | KMS_CAP_VERSIONS,
    .open = aws_open,
    .wrap = aws_wrap,
    .unwrap = aws_unwrap,
    .version = aws_version,
    .close = aws_close,
    .scope = aws_scope,
    .permissions = permissions,
};
