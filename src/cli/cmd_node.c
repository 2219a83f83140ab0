/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_node.c - keystead node join, keystead node run.
 *
 * The token comes from a file or from standard input, never from the command line.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/output.h"
#include "cli/resolve.h"
#include "fuse/harden.h"
#include "fuse/mount_env.h"
#include "node/agent.h"
#include "node/engine.h"
#include "node/join.h"
#include "node/owners.h"

enum {
    KEEP_DELETED_MS = 7 * 24 * 3600 * 1000,
    VERSION_CHECK_MS = 3600 * 1000,
    PORT_FIRST = 26000,
    PORT_LAST = 26999,
    LOG_MS_MAX = 2000,
};

/* The directory made absolute; it may not be there yet, what it stands in must be. */
static ks_rc take_dir(const struct cli *cli, char **ret)
{
    CLEANUP(mem_freep) char *given = NULL, *parent = NULL;

    TRY(mem_text(cli->texts[OPT_NODE_DIR], &given));
    size_t len = strlen(given);
    while (len > 1 && given[len - 1] == '/')
        given[--len] = 0;
    if (access(given, F_OK) == 0)
        return resolve_absolute(given, "--dir", ret);
    char *slash = strrchr(given, '/');
    const char *name = slash ? slash + 1 : given;
    if (slash)
        *slash = 0;
    TRY(resolve_absolute(!slash ? "." : given[0] ? given : "/", "what --dir stands in", &parent));
    return mem_format(ret, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, name);
}

/* ---- join ---- */

/* All of it, up to its first line end. */
static ks_rc read_token(int fd, struct join_token *ret)
{
    CLEANUP(secret_freep) struct secret *room = NULL;
    size_t len = 0;

    TRY(secret_new(JOIN_TOKEN_MAX + 1, &room));
    uint8_t *at = secret_bytes(room);
    for (ssize_t n = 1; n > 0 && len <= JOIN_TOKEN_MAX; len += (size_t)n) {
        n = read(fd, at + len, JOIN_TOKEN_MAX + 1 - len);
        if (n < 0)
            return ks_fail_os(errno, "reading the join token");
    }
    const uint8_t *end = memchr(at, '\n', len);
    len = end ? (size_t)(end - at) : len;
    while (len > 0 && (at[len - 1] == '\r' || at[len - 1] == ' '))
        len--;
    return join_token_read(view_of(at, len), ret);
}

static ks_rc take_token(const struct cli *cli, struct join_token *ret)
{
    const char *path = cli->texts[OPT_TOKEN_FILE];

    if (!path || strcmp(path, "-") == 0)
        return read_token(STDIN_FILENO, ret);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ks_fail_os(errno, "--token-file %s", path);
    ks_rc rc = read_token(fd, ret);
    close(fd);
    return ks_wrap(rc, "--token-file %s", path);
}

static ks_rc say_joined(struct cli *cli, struct node_dir *dir)
{
    CLEANUP(identity_done) struct identity who = {0};

    TRY(identity_read(dir, &who));
    if (cli->is_json)
        return output_json(json_pack("{s:s, s:s, s:s}", "node", who.node, "region", who.region,
                                     "nodes_url", who.nodes_url));
    printf("node %s of region %s\nnext: keystead node run --dir ", who.node, who.region);
    output_text(stdout, node_dir_path(dir));
    putchar('\n');
    return KS_SUCCESS;
}

ks_rc cmd_node_join(struct cli *cli)
{
    CLEANUP(join_token_done) struct join_token token = {0};
    CLEANUP(node_dir_closep) struct node_dir *dir = NULL;
    CLEANUP(mem_freep) char *path = NULL;
    char host[HOST_NAME_MAX + 1] = "";

    TRY(take_token(cli, &token));
    if (gethostname(host, sizeof host) != 0)
        return ks_fail_os(errno, "the host's name");
    TRY(take_dir(cli, &path));
    TRY(node_dir_open_to_join(
        path, &dir)); /* its agent takes up a new certificate when its own has expired */
    const struct join_conf conf = {.dir = dir,
                                   .clock = clock_system(),
                                   .server = cli->texts[OPT_NODE_SERVER],
                                   .ca_file = cli->texts[OPT_JOIN_CA_FILE],
                                   .name = cli->texts[OPT_NODE_NAME],
                                   .address = cli->texts[OPT_NODE_ADDRESS],
                                   .host = host,
                                   .token = &token};
    TRY(join(&conf));
    return say_joined(cli, dir);
}

/* ---- run ---- */

/* Numbers that an option gives as FIRST-LAST; standard: when it is not given. */
struct range {
    unsigned long first, last;
};

static ks_rc take_range(const struct cli *cli, enum cli_opt opt, struct range standard,
                        unsigned long most, struct range *ret)
{
    const char *text = cli->texts[opt];
    struct range r = standard;
    char *end = NULL;

    if (text) {
        r.first = strtoul(text, &end, 10);
        bool is_range = end != text && *end == '-' && end[1];
        r.last = is_range ? strtoul(end + 1, &end, 10) : 0;
        ENSURE(is_range && *end == 0 && r.first > 0 && r.first <= r.last && r.last <= most,
               KS_E_USAGE, "--%s %.60s is not FIRST-LAST, e.g. %lu-%lu", cli_options[opt].name,
               text, standard.first, standard.last);
    }
    *ret = r;
    return KS_SUCCESS;
}

static ks_rc take_ports(const struct cli *cli, struct agent_conf *conf)
{
    struct range r;

    TRY(take_range(cli, OPT_PORTS, (struct range){PORT_FIRST, PORT_LAST}, UINT16_MAX, &r));
    conf->port_first = (uint16_t)r.first;
    conf->port_last = (uint16_t)r.last;
    TRY(take_range(cli, OPT_ENGINE_UIDS, (struct range){OWNERS_FIRST, OWNERS_LAST}, UINT32_MAX - 2,
                   &r));
    conf->uid_first = (uid_t)r.first;
    conf->uid_last = (uid_t)r.last;
    return KS_SUCCESS;
}

static ks_rc take_address(const struct cli *cli, struct agent_conf *conf)
{
    const char *text = cli->texts[OPT_ENGINE_ADDRESS];
    struct in6_addr room;

    conf->engine_address = text ? text : "127.0.0.1";
    ENSURE(inet_pton(AF_INET, conf->engine_address, &room) == 1 ||
               inet_pton(AF_INET6, conf->engine_address, &room) == 1,
           KS_E_USAGE, "--engine-address %.80s is no numeric address", conf->engine_address);
    return KS_SUCCESS;
}

/* Volume processes are started from the program as it is on the disk, so that they can be told apart and upgraded. */
static ks_rc take_program(char room[PATH_MAX])
{
    ssize_t len = readlink("/proc/self/exe", room, PATH_MAX - 1);

    if (len < 0)
        return ks_fail_os(errno, "this program's path");
    room[len] = 0;
    if (access(room, X_OK) != 0) /* it was replaced or removed since */
        snprintf(room, PATH_MAX, "/proc/self/exe");
    return KS_SUCCESS;
}

static uint64_t ms_or(const struct cli *cli, enum cli_opt opt, uint64_t otherwise)
{
    return args_has(cli, opt) ? cli->numbers[opt] : otherwise;
}

static void take_plain(const struct cli *cli, struct agent_conf *conf)
{
    conf->platform_key = cli->texts[OPT_PLATFORM_KEY];
    conf->platform_principal = cli->texts[OPT_PLATFORM_PRINCIPAL];
    conf->volumes_max = (uint32_t)cli->numbers[OPT_VOLUMES];
    conf->keep_deleted_ms = ms_or(cli, OPT_KEEP_DELETED, KEEP_DELETED_MS);
    conf->version_check_ms = ms_or(cli, OPT_VERSION_CHECK, VERSION_CHECK_MS);
    conf->is_leaving_running = args_has(cli, OPT_LEAVE_RUNNING);
    conf->is_swap_allowed = args_has(cli, OPT_ALLOW_SWAP);
    conf->is_development = args_has(cli, OPT_DEV);
    conf->clock = clock_system();
    conf->random = random_system();
}

/* Without templates a node runs volumes alone, and says so of those that want an engine. */
static ks_rc take_engines(const struct cli *cli, char **ret)
{
    if (args_has(cli, OPT_ENGINES))
        return resolve_absolute(cli->texts[OPT_ENGINES], "--engines", ret);
    ks_rc rc = engine_templates_find(ret);
    return ks_is(rc, KS_E_NOT_FOUND) ? mem_text("/nonexistent", ret) : rc;
}

static ks_rc serve(const struct agent_conf *conf)
{
    struct agent *agent = NULL;
    sigset_t ending;
    int number = 0;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ending, NULL); /* for all threads that are started from here on */
    TRY(log_detach());
    TRY(agent_start(conf, &agent));
    log_line(LOG_NOTICE, "at work in %s", conf->dir);
    mount_notify("READY=1");
    sigwait(&ending, &number);
    mount_notify("STOPPING=1");
    log_line(LOG_NOTICE, "ending%s", conf->is_leaving_running ? "; volumes and engines go on" : "");
    agent_stop(agent);
    fflush(stdout);
    log_flush(LOG_MS_MAX);
    _exit(0); /* a thread may still hang in the network */
}

ks_rc cmd_node_run(struct cli *cli)
{
    CLEANUP(mem_freep) char *dir = NULL, *run_dir = NULL, *engines = NULL;
    const struct harden_conf hard = {.is_swap_allowed = args_has(cli, OPT_ALLOW_SWAP)};
    struct agent_conf conf = {0};
    char program[PATH_MAX];

    log_setup("node", LOG_INFO);
    TRY(take_ports(cli, &conf));
    TRY(take_address(cli, &conf));
    TRY(take_program(program));
    TRY(take_dir(cli, &dir));
    TRY(resolve_run_dir(cli, &run_dir));
    TRY(take_engines(cli, &engines));
    take_plain(cli, &conf);
    conf.engines_dir = engines;
    conf.dir = dir;
    conf.run_dir = run_dir;
    conf.program = program;
    ENSURE(access(dir, F_OK) == 0, KS_E_NOT_FOUND,
           "there is no %s; join a fleet first: keystead node join", dir);
    TRY(harden_process(&hard));
    return serve(&conf);
}
