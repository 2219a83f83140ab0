/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/run_dir.c - the runtime directory of key services.
 */
#include "kms/run_dir.h"

#include <stdio.h>
#include <unistd.h>

#include "base/environment.h"

const char *kms_run_dir(char room[KMS_RUN_DIR_BYTES])
{
    const char *own = environment_get(NULL, "KEYSTEAD_RUN_DIR");
    const char *user = environment_get(NULL, "XDG_RUNTIME_DIR");
    int n;

    if (own)
        n = snprintf(room, KMS_RUN_DIR_BYTES, "%s/kms", own);
    else if (geteuid() == 0)
        n = snprintf(room, KMS_RUN_DIR_BYTES, "/run/keystead/kms");
    else if (user)
        n = snprintf(room, KMS_RUN_DIR_BYTES, "%s/keystead/kms", user);
    else
        return NULL;
    return room[0] == '/' && n < KMS_RUN_DIR_BYTES ? room : NULL;
}
