/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/credentials.c - writing an access key to a file of its owner.
 */
#include "cli/credentials.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/args.h"

enum { TEXT_BYTES = 512 };

ks_rc credentials_path(const struct cli *cli, const char *account, char **ret)
{
    if (args_has(cli, OPT_CREDENTIALS))
        return mem_text(cli->texts[OPT_CREDENTIALS], ret);
    return mem_format(ret, "%s/%s.credentials", cli->texts[OPT_DIR], account);
}

ks_rc credentials_check_new(const char *path)
{
    ENSURE(access(path, F_OK) != 0, KS_E_EXISTS, "%s is there already; it is not overwritten",
           path);
    return KS_SUCCESS;
}

ks_rc credentials_write(const char *path, const char *id, const char *secret)
{
    char text[TEXT_BYTES];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return ks_fail_os(errno, "credentials %s", path);
    int len =
        snprintf(text, sizeof text,
                 "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", id, secret);
    ssize_t n = write(fd, text, (size_t)len);
    mem_wipe(text, sizeof text);
    ENSURE(close(fd) == 0 && n == len, KS_E_IO, "credentials %s cannot be written", path);
    return KS_SUCCESS;
}
