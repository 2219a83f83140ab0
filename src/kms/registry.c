/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/registry.c - which drivers there are.
 *
 * Owns the list of this process. A driver with a hole in its table never gets in, so nobody above
 * has to ask whether a function is there.
 */
#include <string.h>

#include "kms/driver.h"

enum { DRIVERS_MAX = 16 };

static const struct kms_driver *const built_in[] = {
    &kms_driver_aws,  &kms_driver_azure,  &kms_driver_file,    &kms_driver_gcp,
    &kms_driver_null, &kms_driver_pkcs11, &kms_driver_transit,
};
static const struct kms_driver *added[DRIVERS_MAX]; /* by tests */
static size_t added_count;

static size_t driver_count(void)
{
    return sizeof built_in / sizeof built_in[0] + added_count;
}

static const struct kms_driver *driver_at(size_t i)
{
    size_t count = sizeof built_in / sizeof built_in[0];

    return i < count ? built_in[i] : added[i - count];
}

static ks_rc unknown_type(const char *type)
{
    char known[256] = "";
    size_t used = 0;

    for (size_t i = 0; i < driver_count(); i++) {
        const char *name = driver_at(i)->type;
        size_t len = strlen(name);
        if (used + len + 3 > sizeof known)
            break;
        memcpy(known + used, ", ", 2);
        memcpy(known + used + 2, name, len + 1);
        used += len + 2;
    }
    return ks_fail(KS_E_USAGE, "there is no key service of type \"%.40s\"; known types: %s", type,
                   known + 2);
}

static const struct kms_driver *find(const char *type)
{
    for (size_t i = 0; i < driver_count(); i++)
        if (strcmp(driver_at(i)->type, type) == 0)
            return driver_at(i);
    return NULL;
}

ks_rc kms_driver_find(const char *type, const struct kms_driver **ret)
{
    const struct kms_driver *driver = find(type);

    if (!driver)
        return unknown_type(type);
    *ret = driver;
    return KS_SUCCESS;
}

ks_rc kms_driver_add(const struct kms_driver *driver)
{
    ENSURE(driver->type && driver->abi == KMS_DRIVER_ABI, KS_E_BUG,
           "a key service driver has abi %u, this program %d", driver->abi, KMS_DRIVER_ABI);
    ENSURE(driver->open && driver->wrap && driver->unwrap && driver->version && driver->close,
           KS_E_BUG, "the key service driver %s lacks a function", driver->type);
    ENSURE(!find(driver->type), KS_E_BUG, "there are two key service drivers %s", driver->type);
    ENSURE(added_count < DRIVERS_MAX, KS_E_BUG, "more than %d key service drivers", DRIVERS_MAX);
    added[added_count++] = driver;
    return KS_SUCCESS;
}
