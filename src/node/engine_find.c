/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/engine_find.c - where the templates of this program are.
 */
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "node/engine_int.h"

enum { LEVELS_MAX = 5 };

/* room: a directory; whether it has templates in the place. */
static ks_rc try_place(const char *dir, const char *place, char **ret)
{
    CLEANUP(mem_freep) char *path = NULL, *one = NULL;

    TRY(mem_format(&path, "%s/%s", dir, place));
    TRY(mem_format(&one, "%s/postgresql.yml", path));
    ENSURE(access(one, R_OK) == 0, KS_E_NOT_FOUND, "there are no templates in %s", path);
    *ret = TAKE(path);
    return KS_SUCCESS;
}

ks_rc engine_templates_find(char **ret)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);

    ENSURE(n > 0, KS_E_NOT_FOUND, "the place of this program is not known");
    exe[n] = 0;
    for (int level = 0; level < LEVELS_MAX; level++) {
        char *slash = strrchr(exe, '/');
        if (!slash || slash == exe)
            break;
        *slash = 0;
        const char *place = level <= 1 ? "share/keystead/engines" : "engines";
        ks_rc rc = try_place(exe, place, ret);
        if (!ks_is(rc, KS_E_NOT_FOUND))
            return rc;
    }
    return ks_fail(KS_E_NOT_FOUND, "the templates of engines were not found; name their directory");
}
