/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_serve.c - keystead serve setup, keystead serve: the control plane as a process.
 *
 * Keys of the API go to files that only their owner reads, never to the terminal. The process never sees a key of a volume; what it
 * holds (the key of the authority, passwords of engines) is kept from core files, debuggers and the swap.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/server.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/dev.h"
#include "cli/listen.h"
#include "cli/output.h"
#include "cli/platform_options.h"
#include "fuse/harden.h"
#include "fuse/mount_env.h"
#include "io/atomic_file.h"

static const char PLATFORM_FILE[] = "platform.key", ADMIN_FILE[] = "admin.key",
                  FIRST_ORGANISATION[] = "default";

enum { KEEP_DAYS = 400, DAY_S = 86400 };

static int64_t keep_s(const struct cli *cli, enum cli_opt option)
{
    return (int64_t)(args_has(cli, option) ? cli->numbers[option] : KEEP_DAYS) * DAY_S;
}

static struct control_conf control_conf_of(const struct cli *cli)
{
    return (struct control_conf){.dir = cli->texts[OPT_SERVE_DIR],
                                 .clock = clock_system(),
                                 .random = random_system(),
                                 .engine = cli->texts[OPT_SERVE_ENGINE],
                                 .is_development = args_has(cli, OPT_SERVE_DEVELOPMENT),
                                 .audit_keep_s = keep_s(cli, OPT_SERVE_AUDIT_DAYS),
                                 .history_keep_s = keep_s(cli, OPT_SERVE_HISTORY_DAYS),
                                 .is_node_identity_allowed =
                                     args_has(cli, OPT_SERVE_NODE_IDENTITY)};
}

/* ---- setup ---- */

static ks_rc key_write(const char *path, const char *secret)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return ks_fail_os(errno, "key file %s", path);
    size_t len = strlen(secret);
    bool is_written = write(fd, secret, len) == (ssize_t)len && write(fd, "\n", 1) == 1;
    ENSURE(close(fd) == 0 && is_written, KS_E_IO, "key file %s cannot be written", path);
    return KS_SUCCESS;
}

/* An administrator's key for a scope, in a file. One that is there is of a setup that was interrupted, and stays. */
static ks_rc make_key(struct control *c, const struct caller *by, const char *dir, const char *file,
                      const struct api_key *wish)
{
    CLEANUP(mem_freep) char *path = NULL;
    char secret[API_SECRET_TEXT_BYTES];
    struct api_key made;

    TRY(mem_format(&path, "%s/%s", dir, file));
    if (access(path, F_OK) == 0)
        return KS_SUCCESS;
    TRY(control_api_key_create(c, by, wish, &made, secret));
    ks_rc rc = key_write(path, secret);
    mem_wipe(secret, sizeof secret);
    return rc;
}

static ks_rc refuse_second(struct control *c, const struct caller *by, const char *dir)
{
    CLEANUP(mem_freep) struct organisation *all = NULL;
    struct slice slice = {.count_max = 1};
    size_t count;

    TRY(control_organisation_list(c, by, &slice, &all, &count));
    ENSURE(count == 0, KS_E_EXISTS, "%s is set up already, with the organisation %s", dir,
           all[0].name);
    return KS_SUCCESS;
}

static ks_rc make_accounts(struct control *c, const struct cli *cli, struct organisation *ret)
{
    const struct caller by = {.name = "keystead serve setup", .role = ROLE_ADMIN};
    struct api_key wish = {.name = "platform administrator", .role = ROLE_ADMIN};
    struct platform_change identity;
    struct platform platform;
    const char *dir = cli->texts[OPT_SERVE_DIR], *name = cli->texts[OPT_SERVE_ORGANISATION];

    TRY(refuse_second(c, &by, dir));
    platform_options_read(cli, &identity);
    TRY(control_platform_change(c, &by, &identity, &platform));
    TRY(make_key(c, &by, dir, PLATFORM_FILE, &wish));
    TRY(control_organisation_create(c, &by, name ? name : FIRST_ORGANISATION, ret));
    wish = (struct api_key){.name = "administrator", .role = ROLE_ADMIN};
    memcpy(wish.organisation, ret->id, sizeof wish.organisation);
    return make_key(c, &by, dir, ADMIN_FILE, &wish);
}

static void show_next(const struct cli *cli, const struct organisation *o)
{
    const char *dir = cli->texts[OPT_SERVE_DIR];

    printf("control plane set up in ");
    output_text(stdout, dir);
    printf(", organisation %s (%s)\nkeys of the API, for administrators:\n  ", o->name, o->id);
    output_text(stdout, dir);
    printf("/%s  of the platform: organisations, nodes\n  ", PLATFORM_FILE);
    output_text(stdout, dir);
    printf("/%s     of the organisation: clusters and their keys\nnext: keystead serve --dir ",
           ADMIN_FILE);
    output_text(stdout, dir);
    putchar('\n');
}

ks_rc cmd_serve_setup(struct cli *cli)
{
    CLEANUP(control_closep) struct control *c = NULL;
    struct control_conf conf = control_conf_of(cli);
    struct organisation first;

    umask(0077);
    ks_rc rc = control_create(&conf);
    if (!ks_is(
            rc,
            KS_E_EXISTS)) /* of a setup that did not come to its end, unless the store says otherwise */
        TRY(rc);
    TRY(control_open(&conf, &c));
    TRY(make_accounts(c, cli, &first));
    show_next(cli, &first);
    return KS_SUCCESS;
}

/* ---- serve ---- */

static ks_rc read_conf(const struct cli *cli, struct listen_place places[2],
                       struct api_server_conf *ret)
{
    const char *api = cli->texts[OPT_SERVE_LISTEN], *nodes = cli->texts[OPT_SERVE_LISTEN_NODES];
    char preset[32];

    snprintf(preset, sizeof preset, "127.0.0.1:%d", API_PORT);
    TRY(listen_parse("--listen", api ? api : preset, &places[0]));
    snprintf(preset, sizeof preset, "127.0.0.1:%d", API_NODES_PORT);
    TRY(listen_parse("--listen-nodes", nodes ? nodes : preset, &places[1]));
    ENSURE(args_has(cli, OPT_SERVE_TLS_CERT) == args_has(cli, OPT_SERVE_TLS_KEY), KS_E_USAGE,
           "--tls-cert and --tls-key belong together");
    ret->api = (struct api_listen){places[0].address, places[0].port};
    ret->nodes = (struct api_listen){places[1].address, places[1].port};
    ret->names = cli->texts[OPT_SERVE_NAMES];
    ret->is_plain = args_has(cli, OPT_SERVE_PLAIN);
    ret->cert_file = cli->texts[OPT_SERVE_TLS_CERT];
    ret->key_file = cli->texts[OPT_SERVE_TLS_KEY];
    ret->requests_per_second = args_has(cli, OPT_SERVE_REQUESTS)
                                   ? (uint32_t)cli->numbers[OPT_SERVE_REQUESTS]
                                   : API_REQUESTS_PER_SECOND;
    return KS_SUCCESS;
}

static ks_rc write_endpoint(struct io *io, struct io_node *dir, const char *name, const char *url)
{
    char line[API_URL_BYTES + 1];
    int len = snprintf(line, sizeof line, "%s\n", url);

    return ks_wrap(atomic_file_write(io, dir, name, 0644, view_of(line, (size_t)len)), "%s", name);
}

/* Until it is told to end. dir is the state directory. */
static ks_rc run(const struct cli *cli, const struct api_server *server, struct io_node *dir,
                 const sigset_t *ending)
{
    struct io *io = io_posix();
    int number = 0;

    TRY(write_endpoint(io, dir, "endpoint", api_server_url(server)));
    TRY(write_endpoint(io, dir, "nodes-endpoint", api_server_nodes_url(server)));
    log_line(LOG_NOTICE, "serving %s at %s, nodes at %s", cli->texts[OPT_SERVE_DIR],
             api_server_url(server), api_server_nodes_url(server));
    mount_notify("READY=1");
    sigwait(ending, &number);
    mount_notify("STOPPING=1");
    log_line(LOG_NOTICE, "ending");
    /* files that stay behind lead to ports where nobody answers: no harm */
    IGNORE(io->ops->unlink(io, dir, "endpoint"));
    IGNORE(io->ops->unlink(io, dir, "nodes-endpoint"));
    return KS_SUCCESS;
}

static ks_rc run_in_directory(const struct cli *cli, const struct api_server *server,
                              const sigset_t *ending)
{
    struct io *io = io_posix();
    struct io_node *dir;

    TRY(ks_wrap(io->ops->open_root(io, cli->texts[OPT_SERVE_DIR], &dir), "state directory %.200s",
                cli->texts[OPT_SERVE_DIR]));
    ks_rc rc = run(cli, server, dir, ending);
    io->ops->node_close(io, dir);
    return rc;
}

static ks_rc serve(const struct cli *cli, struct api_server_conf *conf, const sigset_t *ending)
{
    CLEANUP(mem_freep) char *backups = NULL;
    struct control_conf control = control_conf_of(cli);
    struct api_server *server;

    TRY(mem_format(&backups, "%s/backups", cli->texts[OPT_SERVE_DIR]));
    TRY(control_open(&control, &conf->control));
    conf->backup_dir = backups;
    if (mkdir(backups, 0700) != 0 && errno != EEXIST)
        return ks_fail_os(errno, "%s", backups);
    TRY(api_server_start(conf, &server));
    ks_rc rc = run_in_directory(cli, server, ending);
    api_server_stop(server);
    control_close(TAKE(conf->control)); /* it may have news until then */
    api_server_free(server);
    return rc;
}

ks_rc cmd_serve(struct cli *cli)
{
    struct harden_conf hard = {.is_swap_allowed = args_has(cli, OPT_ALLOW_SWAP),
                               .may_gain_nothing = true};
    struct api_server_conf conf = {.clock = clock_system(), .random = random_system()};
    struct listen_place places[2];
    sigset_t ending;

    if (args_has(cli, OPT_DEV_FLEET))
        return dev_run_fleet(cli);
    log_setup("serve", LOG_INFO);
    TRY(read_conf(cli, places, &conf));
    TRY(harden_process(&hard));
    umask(0077);
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &ending, NULL); /* for all threads that are started from here on */
    ks_rc rc = serve(cli, &conf, &ending);
    control_close(conf.control);
    return rc;
}
