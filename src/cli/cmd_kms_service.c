/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_kms_service.c - keystead kms setup, keystead kms serve: the embedded key service as a process.
 *
 * The process is hardened before it reads the root key. Secrets go to files that only their owner reads, never to the
 * terminal.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/ask.h"
#include "cli/credentials.h"
#include "cli/key_option.h"
#include "cli/listen.h"
#include "cli/output.h"
#include "cli/resolve.h"
#include "fuse/harden.h"
#include "fuse/mount_env.h"
#include "io/atomic_file.h"
#include "kms/secret_file.h"
#include "localkms/iam.h"
#include "localkms/root.h"
#include "localkms/server.h"

enum { URL_BYTES = 128 };
static const char ACCOUNT_PRESET[] = "111122223333", CREDENTIAL_NAME[] = "keystead-kms-root";

static struct root_conf root_conf(struct cli *cli, const char *key_file, bool is_new)
{
    return (struct root_conf){.io = io_posix(),
                              .dir = cli->texts[OPT_DIR],
                              .key_file = key_file,
                              .passphrase = is_new ? ask_new_passphrase : ask_passphrase,
                              .passphrase_arg = cli,
                              .random = random_system()};
}

/* ---- setup ---- */

static ks_rc make_state(struct cli *cli, struct secret **ret_root)
{
    struct root_conf conf = root_conf(cli, cli->texts[OPT_KEY_FILE], true);
    struct key_spec spec;

    if (args_has(cli, OPT_ROOT_KEY)) {
        const struct cli_key key = {.spec = cli->texts[OPT_ROOT_KEY],
                                    .principal = cli->texts[OPT_AUTH_PRINCIPAL]};
        ENSURE(!cli->texts[OPT_KEY_FILE] && !cli->texts[OPT_PASSPHRASE_FILE], KS_E_USAGE,
               "--root-key excludes --key-file and --passphrase-file");
        TRY(key_option_spec(&key, &spec));
        conf.spec = &spec;
        conf.passphrase = ask_passphrase;
    }
    TRY(realm_make_directory(conf.dir));
    ks_rc rc = root_make(&conf, ret_root);
    if (ks_is(
            rc,
            KS_E_EXISTS)) { /* of a setup that did not come to its end, unless the store says otherwise */
        conf.passphrase = ask_passphrase;
        rc = root_open(&conf, ret_root);
    }
    TRY(rc);
    rc = realm_create(&(struct realm_conf){.dir = conf.dir, .root = *ret_root});
    return ks_is(rc, KS_E_EXISTS) ? KS_SUCCESS : rc;
}

static ks_rc refuse_second(void *arg, const char *account)
{
    return ks_fail(KS_E_EXISTS, "%s is set up already, with account %s", (const char *)arg,
                   account);
}

static ks_rc make_account(struct realm *r, const char *dir, const char *account, const char *path)
{
    CLEANUP(iam_key_pair_wipe) struct iam_key_pair pair = {0};
    union {
        const char *text;
        void *arg;
    } of = {dir};

    TRY(iam_account_each(r->iam, refuse_second, of.arg));
    TRY(credentials_check_new(path));
    TRY(iam_account_add(r->iam, account,
                        &(struct lk_event){.principal = "keystead kms setup",
                                           .operation = "keystead:CreateAccount",
                                           .resource = account,
                                           .outcome = "ok"},
                        &pair));
    return credentials_write(path, pair.id, pair.secret);
}

static void show_next(const struct cli *cli, const char *account, const char *credentials)
{
    printf("key service set up in ");
    output_text(stdout, cli->texts[OPT_DIR]);
    printf(", account %s\n", account);
    if (cli->texts[OPT_KEY_FILE])
        printf("keep a copy of its key file in a safe place, away from this host\n");
    printf("next: keystead kms serve --dir ");
    output_text(stdout, cli->texts[OPT_DIR]);
    if (cli->texts[OPT_KEY_FILE]) {
        printf(" --key-file ");
        output_text(stdout, cli->texts[OPT_KEY_FILE]);
    }
    printf("\nthen, for AWS's tools:\n  export AWS_ENDPOINT_URL=http://127.0.0.1:%d\n"
           "  export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1\n  export "
           "AWS_SHARED_CREDENTIALS_FILE=",
           LK_PORT);
    output_text(stdout, credentials);
    putchar('\n');
}

ks_rc cmd_kms_setup(struct cli *cli)
{
    CLEANUP(secret_freep) struct secret *root = NULL;
    CLEANUP(realm_closep) struct realm *r = NULL;
    CLEANUP(mem_freep) char *path = NULL, *absolute = NULL;
    const char *dir = cli->texts[OPT_DIR];
    const char *account = cli->texts[OPT_ACCOUNT] ? cli->texts[OPT_ACCOUNT] : ACCOUNT_PRESET;

    umask(0077); /* what SQLite makes is for the owner only, as the directory is */
    TRY(credentials_path(cli, account, &path));
    TRY(make_state(cli, &root));
    TRY(realm_open(&(struct realm_conf){.dir = dir, .root = root}, &r));
    TRY(make_account(r, dir, account, path));
    TRY(resolve_absolute(path, "credentials", &absolute));
    show_next(cli, account, absolute);
    return KS_SUCCESS;
}

/* ---- serve ---- */

/* Where a client on this host reaches it. */
static void write_url(const struct http_server_conf *conf, uint16_t port, char out[URL_BYTES])
{
    const char *scheme = conf->cert_file ? "https" : "http";
    bool is_v6 = strchr(conf->address, ':') != NULL;
    const char *host = strcmp(conf->address, "0.0.0.0") == 0 ? "127.0.0.1"
                       : strcmp(conf->address, "::") == 0    ? "::1"
                                                             : conf->address;

    snprintf(out, URL_BYTES, is_v6 ? "%s://[%s]:%u" : "%s://%s:%u", scheme, host, port);
}

static ks_rc root_for_serving(struct cli *cli, struct secret **ret)
{
    const char *key_file = cli->texts[OPT_KEY_FILE];
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    char path[SECRET_FILE_PATH_BYTES];

    if (!key_file && directory && ks_ok(secret_file_in(directory, CREDENTIAL_NAME, path)) &&
        access(path, R_OK) == 0)
        key_file = path;
    struct root_conf conf = root_conf(cli, key_file, false);
    return root_open(&conf, ret);
}

static ks_rc check_tls(const struct cli *cli, const struct http_server_conf *conf)
{
    ENSURE(args_has(cli, OPT_TLS_CERT) == args_has(cli, OPT_TLS_KEY), KS_E_USAGE,
           "--tls-cert and --tls-key belong together");
    if (!conf->cert_file && strncmp(conf->address, "127.", 4) != 0 &&
        strcmp(conf->address, "::1") != 0)
        log_line(LOG_WARNING,
                 "%s is reached from elsewhere without TLS: keys cross the network "
                 "in clear; pass --tls-cert and --tls-key",
                 conf->address);
    return KS_SUCCESS;
}

static ks_rc serve(struct cli *cli, struct realm *r, struct http_server_conf *conf,
                   const sigset_t *ending)
{
    struct lk_server *server;
    char url[URL_BYTES], line[URL_BYTES + 1];
    int number = 0;

    TRY(lk_server_start(r, conf, &server));
    write_url(conf, lk_server_port(server), url);
    int len = snprintf(line, sizeof line, "%s\n", url);
    ks_rc rc = atomic_file_write(r->io, r->dir, "endpoint", 0644, view_of(line, (size_t)len));
    if (ks_ok(rc)) {
        log_line(LOG_NOTICE, "serving %s at %s%s", cli->texts[OPT_DIR], url,
                 args_has(cli, OPT_DIAL) ? ", with faults on demand" : "");
        mount_notify("READY=1");
        sigwait(ending, &number);
        mount_notify("STOPPING=1");
        log_line(LOG_NOTICE, "ending");
        /* a file that stays behind leads to a port where nobody answers: no harm */
        IGNORE(r->io->ops->unlink(r->io, r->dir, "endpoint"));
    }
    lk_server_stop(server);
    return ks_wrap(rc, "the endpoint file");
}

ks_rc cmd_kms_serve(struct cli *cli)
{
    CLEANUP(secret_freep) struct secret *root = NULL;
    CLEANUP(realm_closep) struct realm *r = NULL;
    struct http_server_conf conf = {.cert_file = cli->texts[OPT_TLS_CERT],
                                    .key_file = cli->texts[OPT_TLS_KEY]};
    struct harden_conf hard = {.is_swap_allowed = args_has(cli, OPT_ALLOW_SWAP),
                               .may_gain_nothing = true};
    const char *listen = cli->texts[OPT_LISTEN];
    struct listen_place place;
    char preset[32];
    sigset_t ending;

    log_setup("kms", LOG_INFO);
    snprintf(preset, sizeof preset, "127.0.0.1:%d", LK_PORT);
    TRY(listen_parse("--listen", listen ? listen : preset, &place));
    conf.address = place.address;
    conf.port = place.port;
    TRY(check_tls(cli, &conf));
    TRY(harden_process(&hard));
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    signal(SIGPIPE, SIG_IGN);
    TRY(root_for_serving(cli, &root));
    pthread_sigmask(SIG_BLOCK, &ending, NULL); /* for all threads that are started from here on */
    struct realm_conf realm = {
        .dir = cli->texts[OPT_DIR], .root = root, .is_dial_on = args_has(cli, OPT_DIAL)};
    TRY(realm_open(&realm, &r));
    return serve(cli, r, &conf, &ending);
}
