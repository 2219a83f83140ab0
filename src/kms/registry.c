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

static const struct kms_driver *drivers[DRIVERS_MAX] = {&kms_driver_file};
static size_t driver_count = 1;

static ks_rc unknown_type(const char *type)
{
    char known[256] = "";
    size_t used = 0;

    for (size_t i = 0; i < driver_count; i++) {
        size_t len = strlen(drivers[i]->type);
        if (used + len + 3 > sizeof known)
            break;
        memcpy(known + used, ", ", 2);
        memcpy(known + used + 2, drivers[i]->type, len + 1);
        used += len + 2;
    }
    return ks_fail(KS_E_USAGE, "there is no key service of type \"%.40s\"; known types: %s", type,
                   known + 2);
}

static const struct kms_driver *find(const char *type)
{
    for (size_t i = 0; i < driver_count; i++)
        if (strcmp(drivers[i]->type, type) == 0)
            return drivers[i];
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
    ENSURE(driver_count < DRIVERS_MAX, KS_E_BUG, "more than %d key service drivers", DRIVERS_MAX);
    drivers[driver_count++] = driver;
    return KS_SUCCESS;
}
