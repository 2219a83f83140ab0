/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/dev_fleet.c - "serve --dev": the provider's side: control plane, an organisation with its API key, a node for each region.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/dev_int.h"
#include "cli/fleet.h"
#include "kms/secret_file.h"

enum { ENGINE_PORT_FIRST = 26000, ENGINE_PORTS = 100, LINE_BYTES = 512 };

static const char LISTEN_PRESET[] = "127.0.0.1:8443", LISTEN_NODES_PRESET[] = "127.0.0.1:8444";

/* ---- control plane ---- */

static bool has_endpoint(void *arg)
{
    return dev_has(arg, "control/endpoint");
}

static ks_rc open_client(const struct dev *d, const char *key_file, struct fleet_client **ret)
{
    CLEANUP(mem_freep) char *path = NULL;

    TRY(dev_path(d, key_file, &path));
    return fleet_client_new(&(struct fleet_client_conf){.server = d->url, .key_file = path}, ret);
}

/* A file with the header that curl sends the key in, so that it is on no command line. */
static ks_rc write_header(const struct dev *d)
{
    CLEANUP(mem_freep) char *key = NULL, *header = NULL;
    CLEANUP(secret_freep) struct secret *secret = NULL;
    CLEANUP(buf_done) struct buf line = buf_init_wiping(LINE_BYTES);

    if (dev_has(d, "curl-header"))
        return KS_SUCCESS;
    TRY(dev_path(d, "control/admin.key", &key));
    TRY(dev_path(d, "curl-header", &header));
    TRY(secret_line_read(io_posix(), key, &secret));
    TRY(buf_append(&line, view_text("Authorization: Bearer ")));
    TRY(buf_append(&line, secret_view(secret)));
    return fleet_write_secret(header, buf_text(&line));
}

static ks_rc read_organisation(struct dev *d)
{
    CLEANUP(json_decrefp) json_t *who = NULL;

    TRY(fleet_get(d->admin, "/v1/caller", &who));
    snprintf(d->organisation, sizeof d->organisation, "%s", fleet_text(who, "organisation"));
    return KS_SUCCESS;
}

static const char *text_or(const struct dev *d, enum cli_opt opt, const char *preset)
{
    return args_has(d->cli, opt) ? d->cli->texts[opt] : preset;
}

static ks_rc start_control(struct dev *d, const char *dir)
{
    CLEANUP(mem_freep) char *log = NULL;
    const char *const argv[] = {d->program,
                                "serve",
                                "--dir",
                                dir,
                                "--plain",
                                "--listen",
                                text_or(d, OPT_SERVE_LISTEN, LISTEN_PRESET),
                                "--listen-nodes",
                                text_or(d, OPT_SERVE_LISTEN_NODES, LISTEN_NODES_PRESET),
                                "--engine",
                                text_or(d, OPT_SERVE_ENGINE, "none"),
                                "--requests-per-second",
                                "0",
                                NULL};

    TRY(dev_path(d, "logs/serve.log", &log));
    return dev_start(&d->processes, &(struct dev_start){.stage = DEV_CONTROL,
                                                        .name = "the control plane",
                                                        .log = log,
                                                        .argv = argv});
}

/* For trust policies; where it is so already nothing happens. */
static ks_rc say_identity(const struct dev *d)
{
    return fleet_send(d->platform, "PATCH", "/v1/platform",
                      json_pack("{s:s, s:s}", "aws_account", DEV_PROVIDER, "aws_principal",
                                "arn:aws:iam::" DEV_PROVIDER ":user/" DEV_PROVIDER_USER),
                      NULL);
}

ks_rc dev_control_start(struct dev *d)
{
    CLEANUP(mem_freep) char *dir = NULL, *endpoint = NULL;

    TRY(dev_path(d, "control", &dir));
    TRY(dev_path(d, "control/endpoint", &endpoint));
    if (!dev_has(d, "control/admin.key"))
        TRY(dev_run((const char *const[]){d->program, "serve", "setup", "--dir", dir,
                                          "--organisation", "dev", NULL},
                    NULL));
    unlink(endpoint); /* of a time before, when it did not end in good order */
    TRY(start_control(d, dir));
    TRY(dev_wait(d, has_endpoint, d, "the control plane"));
    TRY(dev_read_url(d, "control/endpoint", d->url));
    TRY(write_header(d));
    TRY(open_client(d, "control/platform.key", &d->platform));
    TRY(open_client(d, "control/admin.key", &d->admin));
    TRY(say_identity(d));
    return read_organisation(d);
}

/* ---- nodes ---- */

static ks_rc join(const struct dev *d, const char *region, const char *dir)
{
    CLEANUP(json_decrefp) json_t *made = NULL;
    CLEANUP(mem_freep) char *token_file = NULL;
    const char *token;

    TRY(mem_format(&token_file, "%s/%s.token", d->dir, region));
    unlink(token_file);
    TRY(fleet_send(d->platform, "POST", "/v1/join-tokens", json_pack("{s:s}", "region", region),
                   &made));
    TRY(json_get_text(made, "token", 512, &token));
    TRY(fleet_write_secret(token_file, token));
    ks_rc rc = dev_run((const char *const[]){d->program, "node", "join", "--dir", dir, "--server",
                                             d->url, "--token-file", token_file, "--name", region,
                                             "--address", "127.0.0.1", NULL},
                       NULL);
    unlink(token_file);
    return rc;
}

/* Nodes ask the key service as the provider's user, as they would ask AWS. */
static ks_rc run_node(struct dev *d, const char *region, const char *dir, unsigned number)
{
    CLEANUP(mem_freep)
    char *name = NULL, *log = NULL, *ports = NULL, *url = NULL, *file = NULL, *run = NULL;
    unsigned first = ENGINE_PORT_FIRST + number * ENGINE_PORTS;

    TRY(mem_format(&name, "node %s", region));
    TRY(mem_format(&log, "%s/logs/node-%s.log", d->dir, region));
    TRY(mem_format(&ports, "%u-%u", first, first + ENGINE_PORTS - 1));
    TRY(mem_format(&url, "AWS_ENDPOINT_URL=%s", d->kms_url));
    TRY(mem_format(&file, "AWS_SHARED_CREDENTIALS_FILE=%s/kms/444455556666.keystead.credentials",
                   d->dir));
    TRY(mem_format(&run, "KEYSTEAD_RUN_DIR=%s/run", d->dir));
    const char *engines = d->cli->texts[OPT_DEV_ENGINES];
    return dev_start(
        &d->processes,
        &(struct dev_start){
            .stage = DEV_NODES,
            .name = name,
            .log = log,
            .argv = (const char *const[]){d->program, "node", "run", "--dir", dir, "--ports", ports,
                                          engines ? "--engines" : NULL, engines, NULL},
            .env = (const char *const[]){url, file, run, NULL}});
}

/* Whether every region is served. */
static bool are_seen(void *arg)
{
    const struct dev *d = arg;
    CLEANUP(json_decrefp) json_t *nodes = NULL;
    const json_t *node;
    size_t i, seen = 0;

    if (!ks_ok(fleet_list(d->platform, "/v1/nodes", 0, &nodes)))
        return false;
    json_array_foreach(nodes, i, node) seen += json_is_string(json_object_get(node, "seen_at"));
    return seen >= d->region_count;
}

ks_rc dev_nodes_start(struct dev *d)
{
    for (size_t i = 0; i < d->region_count; i++) {
        CLEANUP(mem_freep) char *name = NULL, *dir = NULL;
        TRY(mem_format(&name, "node-%s", d->regions[i]));
        TRY(dev_path(d, name, &dir));
        if (!dev_has(d, name))
            TRY(join(d, d->regions[i], dir));
        TRY(run_node(d, d->regions[i], dir, (unsigned)i));
    }
    return dev_wait(d, are_seen, d, "a node of each region");
}
