/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/key_check.c - one attempt per right.
 */
#include "kms/key_check.h"

#include <stdio.h>
#include <string.h>

enum { ATTEMPT_MS = 10000, SAMPLE_BYTES = 32 };

/* --- rights of drivers that name none --- */

static ks_rc wrap_sample(struct kms *kms, const struct kms_call *call,
                         const struct key_context *context, struct buf *blob)
{
    CLEANUP(secret_freep) struct secret *sample = NULL;
    char version[KEY_VERSION_BYTES];

    TRY(secret_new(SAMPLE_BYTES, &sample));
    return kms->driver->wrap(kms, call, context, sample, blob, version);
}

static ks_rc try_wrap(struct kms *kms, const struct kms_call *call,
                      const struct key_context *context)
{
    CLEANUP(buf_done) struct buf blob = buf_init(KEY_BLOB_MAX);

    return wrap_sample(kms, call, context, &blob);
}

static ks_rc try_unwrap(struct kms *kms, const struct kms_call *call,
                        const struct key_context *context)
{
    CLEANUP(buf_done) struct buf blob = buf_init(KEY_BLOB_MAX);
    CLEANUP(secret_freep) struct secret *plain = NULL;

    TRY(wrap_sample(kms, call, context, &blob));
    return kms->driver->unwrap(kms, call, context, buf_view(&blob), &plain);
}

static ks_rc try_version(struct kms *kms, const struct kms_call *call,
                         const struct key_context *context)
{
    char version[KEY_VERSION_BYTES];

    return kms->driver->version(kms, call, context, version);
}

static const struct kms_permission plain_permissions[] = {
    {"wrap", "new volumes, wraps and rotations fail", true, try_wrap},
    {"unwrap", "no volume under this key can be opened", true, try_unwrap},
    {"version", "new versions of the key go unnoticed", false, try_version},
    {NULL, NULL, false, NULL},
};

/* --- trying --- */

/* A key that is disabled or gone says nothing about who may use it. */
static enum key_right right_of(ks_rc rc)
{
    if (ks_ok(rc))
        return KEY_RIGHT_GRANTED;
    return ks_is(rc, KS_E_DENIED) ? KEY_RIGHT_MISSING : KEY_RIGHT_UNKNOWN;
}

static void check_one(struct kms *kms, struct clock *clock, const struct key_context *context,
                      const struct kms_permission *p, struct key_right_result *ret)
{
    struct kms_note note = {"", 0};
    struct kms_call call = {clock_boot_ms(clock) + ATTEMPT_MS, clock, &note};

    *ret = (struct key_right_result){.name = p->name, .why = p->why, .is_required = p->is_required};
    ret->rc = p->attempt(kms, &call, context);
    ret->right = right_of(ret->rc);
    if (!ks_ok(ret->rc))
        snprintf(ret->text, sizeof ret->text, "%s", ks_text(ret->rc));
    memcpy(ret->request_id, note.request_id, sizeof ret->request_id);
}

void key_check_run(struct kms *kms, struct clock *clock, const struct key_context *context,
                   struct key_check *ret)
{
    const struct kms_permission *p =
        kms->driver->permissions ? kms->driver->permissions : plain_permissions;

    ret->count = 0;
    for (; p->name && ret->count < KEY_RIGHTS_MAX; p++)
        check_one(kms, clock, context, p, &ret->results[ret->count++]);
}

/* --- the verdict --- */

static int weight(const struct key_right_result *r)
{
    if (!r->is_required || ks_ok(r->rc))
        return 0;
    if (r->right == KEY_RIGHT_MISSING)
        return 4;
    if (r->rc.cls == KS_CLASS_DENIED)
        return 3;
    return r->rc.cls == KS_CLASS_UNREACHABLE ? 2 : 1;
}

ks_rc key_check_verdict(const struct key_check *check)
{
    const struct key_right_result *worst = NULL;

    for (size_t i = 0; i < check->count; i++)
        if (weight(&check->results[i]) > (worst ? weight(worst) : 0))
            worst = &check->results[i];
    if (!worst)
        return KS_SUCCESS;
    if (worst->rc.code >= KS_CODE_OS)
        return ks_fail_os(worst->rc.code - KS_CODE_OS, "%s: %s", worst->name, worst->text);
    return ks_fail((enum ks_code)worst->rc.code, "%s: %s", worst->name, worst->text);
}

const char *key_right_name(enum key_right right)
{
    static const char *const names[] = {"granted", "missing", "cannot tell"};

    return names[right];
}
