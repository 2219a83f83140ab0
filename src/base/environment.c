/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/environment.c - the one reader of the environment for the folders below cli/ and fuse/.
 */
#include "base/environment.h"

#include <stdlib.h>

const char *environment_get(void *arg, const char *name)
{
    const char *value = secure_getenv(name);

    (void)arg;
    return value && value[0] != '\0' ? value : NULL;
}
