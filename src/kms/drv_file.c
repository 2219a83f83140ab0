/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/drv_file.c - the driver for keys in a file store (kms/file_store.h).
 *
 * Spec: uri "DIR#NAME" with an absolute DIR, auth_principal the key file or empty for a passphrase.
 * Opens the store with the first call that needs it, so that a store that is out of reach at one
 * moment is found at the next. Never retries, sleeps or logs.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kms/driver.h"
#include "kms/file_record.h"
#include "kms/file_store.h"

struct file_driver {
    struct kms base; /* first */
    char dir[KEY_URI_BYTES], key_file[KEY_PRINCIPAL_BYTES];
    const char *name; /* in dir's array, behind its terminator */
    ks_rc (*passphrase)(void *arg, const char *what, struct secret **ret) KS_MUST;
    void *passphrase_arg;
    struct stretched *stretched;
    struct clock *clock;
    struct file_store *store; /* NULL: not opened yet */
};

static struct file_driver *of(struct kms *kms)
{
    return (struct file_driver *)(void *)kms;
}

static ks_rc split(struct file_driver *d, const struct key_spec *spec)
{
    memcpy(d->dir, spec->uri, sizeof d->dir);
    memcpy(d->key_file, spec->auth_principal, sizeof d->key_file);
    char *hash = strrchr(d->dir, '#');
    ENSURE(hash && hash > d->dir, KS_E_USAGE,
           "\"%.200s\" names no key in a store; write it as file:DIR#NAME, e.g. "
           "file:/srv/kms#orders",
           spec->uri);
    *hash = 0;
    d->name = hash + 1;
    /* Daemons have another working directory than the shell in which the spec was written. */
    ENSURE(d->dir[0] == '/', KS_E_USAGE,
           "\"%.200s\" is a relative path; write the store's directory from the root, e.g. "
           "file:/srv/kms#orders",
           d->dir);
    ENSURE(!d->key_file[0] || d->key_file[0] == '/', KS_E_USAGE,
           "\"%.200s\" is a relative path; write the key file's path from the root", d->key_file);
    return file_name_check(d->name);
}

static ks_rc file_open(const struct kms_conf *conf, struct kms **ret)
{
    CLEANUP(mem_freep) struct file_driver *d = NULL;

    TRY(mem_new(1, sizeof *d, &d));
    TRY(split(d, conf->spec));
    d->base.driver = &kms_driver_file;
    d->passphrase = conf->passphrase;
    d->passphrase_arg = conf->passphrase_arg;
    d->stretched = conf->stretched;
    d->clock = conf->clock;
    *ret = &TAKE(d)->base;
    return KS_SUCCESS;
}

/* A directory without a store is what an unmounted file system looks like: no answer about a key. */
static ks_rc open_store(struct file_driver *d)
{
    struct file_store_conf conf = {.io = io_posix(),
                                   .path = d->dir,
                                   .key_file = d->key_file[0] ? d->key_file : NULL,
                                   .passphrase = d->passphrase,
                                   .passphrase_arg = d->passphrase_arg,
                                   .stretched = d->stretched,
                                   .clock = d->clock,
                                   .random = random_system()};
    ks_rc rc = file_store_open(&conf, &d->store);

    if (ks_is(rc, KS_E_NOT_FOUND))
        return ks_fail(KS_E_UNREACHABLE,
                       "there is no key store in %.200s; is its file system mounted?", d->dir);
    return rc;
}

static ks_rc begin(struct file_driver *d, const struct kms_call *call)
{
    if (call->deadline_ms && clock_boot_ms(call->clock) >= call->deadline_ms)
        return ks_fail(KS_E_TIMEOUT, "the time for this call is over");
    return d->store ? KS_SUCCESS : open_store(d);
}

static ks_rc file_wrap(struct kms *kms, const struct kms_call *call,
                       const struct key_context *context, const struct secret *plain,
                       struct buf *ret_blob, char ret_version[KEY_VERSION_BYTES])
{
    CLEANUP(buf_done) struct buf aad = buf_init(KEY_BLOB_MAX);
    struct file_driver *d = of(kms);
    uint32_t version;

    (void)context;
    TRY(begin(d, call));
    TRY(key_context_aad(context, &aad));
    TRY(file_store_wrap(d->store, d->name, buf_view(&aad), plain, ret_blob, &version));
    snprintf(ret_version, KEY_VERSION_BYTES, "%u", version);
    return KS_SUCCESS;
}

static ks_rc file_unwrap(struct kms *kms, const struct kms_call *call,
                         const struct key_context *context, struct view blob,
                         struct secret **ret_plain)
{
    CLEANUP(buf_done) struct buf aad = buf_init(KEY_BLOB_MAX);
    struct file_driver *d = of(kms);

    TRY(begin(d, call));
    TRY(key_context_aad(context, &aad));
    return file_store_unwrap(d->store, d->name, buf_view(&aad), blob, ret_plain);
}

static ks_rc file_version(struct kms *kms, const struct kms_call *call,
                          const struct key_context *context, char ret[KEY_VERSION_BYTES])
{
    struct file_driver *d = of(kms);
    uint32_t version;

    (void)context;
    TRY(begin(d, call));
    TRY(file_store_version(d->store, d->name, &version));
    snprintf(ret, KEY_VERSION_BYTES, "%u", version);
    return KS_SUCCESS;
}

static void file_close(struct kms *kms)
{
    if (!kms)
        return;
    file_store_close(of(kms)->store);
    mem_free(kms);
}

const struct kms_driver kms_driver_file = {
    .type = "FILE",
    .abi = KMS_DRIVER_ABI,
    .caps = KMS_CAP_CONTEXT | KMS_CAP_VERSIONS,
    .open = file_open,
    .wrap = file_wrap,
    .unwrap = file_unwrap,
    .version = file_version,
    .close = file_close,
};
