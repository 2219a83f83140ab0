/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/main.c - the executable: parses, runs one command, turns its result into text and exit code.
 *
 * The only place that prints an error and the only one that decides the exit code.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/secret.h"
#include "cli/args.h"
#include "cli/help.h"
#include "cli/output.h"
#include "fuse/keyring_json.h"
#include "io/io.h"

static void print_error(const struct cli *cli, ks_rc rc)
{
    const char *text = ks_text(rc);

    if (cli->is_json) {
        json_t *error = json_pack("{s:{s:s, s:s, s:o}}", "error", "class", ks_class_name(rc),
                                  "code", ks_name(rc), "message", json_text(text));
        if (error)
            json_dumpf(error, stderr, JSON_ENSURE_ASCII);
        json_decref(error);
    } else {
        fprintf(stderr, "keystead: ");
        output_text(stderr, text);
    }
    fputc('\n', stderr);
}

static ks_rc run(struct cli *cli, int argc, char *argv[])
{
    TRY(args_parse(argc, argv, cli));
    if (!cli->command) {
        help_overview(stdout, NULL);
        return KS_SUCCESS;
    }
    if (cli->is_help) {
        help_command(cli->command);
        return KS_SUCCESS;
    }
    TRY(secret_init());
    secret_allow_swap(args_has(cli, OPT_ALLOW_SWAP));
    return cli->command->run(cli);
}

static ks_rc finish_output(void)
{
    ENSURE(fflush(stdout) == 0 && !ferror(stdout), KS_E_IO, "cannot write to standard output");
    return KS_SUCCESS;
}

/* A file that is opened later must not get the number of a standard stream that the caller has closed. */
static void fill_standard_streams(void)
{
    int fd = open("/dev/null", O_RDWR);

    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = dup(fd);
    if (fd > STDERR_FILENO)
        close(fd);
}

/* A write that meets the limit on the size of files fails, and what failed is taken back: a process that it kills could not do that. Nor
 * may a write end in the middle of a page, which would be neither the old one nor the new one. */
static void bear_file_limit(void)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return;
    limit.rlim_cur -= limit.rlim_cur % IO_PAGE_BYTES;
    setrlimit(RLIMIT_FSIZE, &limit);
}

int main(int argc, char *argv[])
{
    struct cli cli;

    fill_standard_streams();
    bear_file_limit();
    log_setup("keystead", LOG_NOTICE);
    ks_rc rc = run(&cli, argc, argv);
    if (ks_ok(rc))
        rc = finish_output();
    if (ks_ok(rc))
        return cli.exit_code;
    fflush(stdout);
    print_error(&cli, rc);
    return ks_exit(rc);
}
