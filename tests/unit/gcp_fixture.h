/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/gcp_fixture.h - a server in the place of all of Google, and an environment that leads there.
 */
#pragma once

#include <stdio.h>

#include "kms/gcp_net.h"
#include "tmpdir.h"
#include "wire_server.h"

enum { GCP_FIXTURE_VARIABLES = 12 };

struct gcp_fixture {
    struct wire_server *server;
    struct tmpdir dir;
    struct {
        const char *name;
        char value[512];
    } env[GCP_FIXTURE_VARIABLES];
    size_t env_count;
};

/* gcp_fixture_set(f, name, value): a variable of the environment; value NULL or "" removes it. */
static inline void gcp_fixture_set(struct gcp_fixture *f, const char *name, const char *value)
{
    size_t i = 0;

    while (i < f->env_count && strcmp(f->env[i].name, name) != 0)
        i++;
    assert_true(i < GCP_FIXTURE_VARIABLES);
    if (i == f->env_count)
        f->env_count++;
    f->env[i].name = name;
    snprintf(f->env[i].value, sizeof f->env[i].value, "%s", value ? value : "");
}

static inline const char *gcp_fixture_env(void *arg, const char *name)
{
    const struct gcp_fixture *f = arg;

    for (size_t i = 0; i < f->env_count; i++)
        if (strcmp(f->env[i].name, name) == 0)
            return f->env[i].value[0] ? f->env[i].value : NULL;
    return NULL;
}

/* gcp_fixture_file(f, name, text): a file in the fixture's directory; its path. */
static inline struct path gcp_fixture_file(const struct gcp_fixture *f, const char *name,
                                           const char *text)
{
    struct path p = tmpdir_path(&f->dir, name);

    file_put(p.text, view_text(text));
    return p;
}

/* gcp_fixture_start(f, has_token_file): with a token file, no token is ever asked for. */
static inline void gcp_fixture_start(struct gcp_fixture *f, bool has_token_file)
{
    memset(f, 0, sizeof *f);
    f->dir = tmpdir_make();
    check_ok(wire_server_start(NULL, &f->server));
    const char *url = wire_server_url(f->server);
    gcp_fixture_set(f, "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS", url);
    gcp_fixture_set(f, "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", url);
    gcp_fixture_set(f, "GCE_METADATA_HOST", url + strlen("http://"));
    gcp_fixture_set(f, "CLOUDSDK_CONFIG", f->dir.path);
    if (has_token_file)
        gcp_fixture_set(f, "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE",
                        gcp_fixture_file(f, "token", "file-token\n").text);
}

static inline void gcp_fixture_stop(struct gcp_fixture *f)
{
    wire_server_stop(f->server);
    tmpdir_remove(&f->dir);
}

/* gcp_fixture_open(f, uri, principal, ret): the driver in that environment. */
static inline ks_rc gcp_fixture_open(struct gcp_fixture *f, const char *uri, const char *principal,
                                     struct kms **ret)
{
    struct key_spec spec = {"GCP_CLOUD_KMS", "", ""};
    struct kms_conf conf = {
        .spec = &spec, .clock = clock_system(), .env = gcp_fixture_env, .env_arg = f};

    snprintf(spec.uri, sizeof spec.uri, "%s", uri);
    snprintf(spec.auth_principal, sizeof spec.auth_principal, "%s", principal);
    return kms_driver_gcp.open(&conf, ret);
}
