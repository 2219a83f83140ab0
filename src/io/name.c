/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io/name.c - checks that every back end makes before it does anything.
 */
#include "io/name.h"

#include <string.h>

ks_rc io_name_check(const char *name)
{
    ENSURE(name[0] != '\0', KS_E_USAGE, "an empty name");
    ENSURE(strcmp(name, ".") != 0 && strcmp(name, "..") != 0, KS_E_USAGE,
           "\"%s\" where one name in a directory is needed", name);
    ENSURE(!strchr(name, '/'), KS_E_USAGE, "a '/' in the name \"%s\"", name);
    return KS_SUCCESS;
}

ks_rc io_regular_check(mode_t mode)
{
    if (S_ISREG(mode))
        return KS_SUCCESS;
    if (S_ISDIR(mode))
        return ks_os(EISDIR);
    return ks_os(S_ISLNK(mode) ? ELOOP : ENXIO);
}
