/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/drv_null.c - the driver that protects nothing, for development.
 *
 * Spec: any uri; it names the key. Opens only in development mode. A wrap is an envelope (kms/bound.h) around the key in
 * clear: whoever reads the keyring reads the volume. Nothing can be revoked.
 */
#include <string.h>

#include "base/mem.h"
#include "kms/bound.h"
#include "kms/driver.h"

#define VERSION_TEXT "0"

struct null_kms {
    struct kms base; /* first */
    char uri[ENVELOPE_REFERENCE_BYTES];
};

static struct null_kms *of(struct kms *kms)
{
    return (struct null_kms *)(void *)kms;
}

static ks_rc check_deadline(const struct kms_call *call)
{
    if (call->deadline_ms && clock_boot_ms(call->clock) >= call->deadline_ms)
        return ks_fail(KS_E_TIMEOUT, "the time for this call is over");
    return KS_SUCCESS;
}

static ks_rc null_open(const struct kms_conf *conf, struct kms **ret)
{
    struct null_kms *d;

    ENSURE(conf->is_development, KS_E_USAGE,
           "NULL_KMS protects nothing: the volume's key lies in clear beside its data; for "
           "development "
           "add --dev, else wrap the volume under a key of a key service");
    ENSURE(strlen(conf->spec->uri) < sizeof d->uri, KS_E_LIMIT, "the name of the key is too long");
    TRY(mem_new(1, sizeof *d, &d));
    d->base.driver = &kms_driver_null;
    memcpy(d->uri, conf->spec->uri, strlen(conf->spec->uri) + 1);
    *ret = &d->base;
    return KS_SUCCESS;
}

static ks_rc null_wrap(struct kms *kms, const struct kms_call *call,
                       const struct key_context *context, const struct secret *plain,
                       struct buf *ret_blob, char ret_version[KEY_VERSION_BYTES])
{
    CLEANUP(secret_freep) struct secret *bound = NULL;
    struct envelope e;

    TRY(check_deadline(call));
    TRY(bound_plain(context, plain, &bound));
    memcpy(e.reference, of(kms)->uri, sizeof e.reference);
    e.ciphertext = secret_view(bound);
    TRY(envelope_write(&e, context, ret_blob));
    memcpy(ret_version, VERSION_TEXT, sizeof VERSION_TEXT);
    return KS_SUCCESS;
}

static ks_rc null_unwrap(struct kms *kms, const struct kms_call *call,
                         const struct key_context *context, struct view blob,
                         struct secret **ret_plain)
{
    struct envelope e;

    TRY(check_deadline(call));
    TRY(envelope_read(blob, context, &e));
    ENSURE(strcmp(e.reference, of(kms)->uri) == 0, KS_E_WRONG_KEY,
           "the wrapped key belongs to the key %.100s", e.reference);
    return bound_open(context, e.ciphertext, ret_plain);
}

static ks_rc null_version(struct kms *kms, const struct kms_call *call,
                          const struct key_context *context, char ret[KEY_VERSION_BYTES])
{
    (void)kms, (void)context;
    TRY(check_deadline(call));
    memcpy(ret, VERSION_TEXT, sizeof VERSION_TEXT);
    return KS_SUCCESS;
}

static void null_close(struct kms *kms)
{
    mem_free(kms);
}

const struct kms_driver kms_driver_null = {
    .type = "NULL_KMS",
    .abi = KMS_DRIVER_ABI,
    .caps = 0,
    .open = null_open,
    .wrap = null_wrap,
    .unwrap = null_unwrap,
    .version = null_version,
    .close = null_close,
};
