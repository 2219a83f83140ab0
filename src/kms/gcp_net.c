/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/gcp_net.c - one HTTP client for all services that a driver of Google's asks.
 *
 * Owns the client. Never follows where a reply points.
 */
#include "kms/gcp_net.h"

#include <stdio.h>
#include <string.h>

#include "base/environment.h"
#include "base/mem.h"

static const struct {
    const char *override, *name;
} services[] = {
    [GCP_KMS] = {"CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS", "cloudkms"},
    [GCP_IAM_CREDENTIALS] = {"CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", "iamcredentials"},
};

const char *gcp_env(const struct gcp_net *n, const char *name)
{
    return n->env(n->env_arg, name);
}

static const char *first_of(const struct gcp_net *n, const char *const *names)
{
    const char *value = NULL;

    for (; *names && !value; names++)
        value = gcp_env(n, *names);
    return value;
}

/* The metadata server is on the host itself, whatever else is behind a proxy. */
static ks_rc no_proxy(const struct gcp_net *n, char **ret)
{
    static const char *const names[] = {"NO_PROXY", "no_proxy", NULL};
    const char *given = first_of(n, names), *metadata = gcp_env(n, "GCE_METADATA_HOST");

    return mem_format(ret, "%s%s%s%smetadata.google.internal,169.254.169.254", given ? given : "",
                      given ? "," : "", metadata ? metadata : "", metadata ? "," : "");
}

ks_rc gcp_net_init(const struct kms_conf *conf, struct gcp_net *ret)
{
    static const char *const proxies[] = {"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy",
                                          NULL};
    static const char *const authorities[] = {"CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", "SSL_CERT_FILE",
                                              NULL};
    CLEANUP(mem_freep) char *except = NULL;
    struct gcp_net n = {.clock = conf->clock,
                        .env = conf->env ? conf->env : environment_get,
                        .env_arg = conf->env_arg};

    TRY(no_proxy(&n, &except));
    struct http_client_conf http = {.clock = conf->clock,
                                    .ca_file = first_of(&n, authorities),
                                    .proxy = first_of(&n, proxies),
                                    .no_proxy = except};
    TRY(http_client_new(&http, &n.http));
    *ret = n;
    return KS_SUCCESS;
}

void gcp_net_done(struct gcp_net *n)
{
    http_client_free(TAKE(n->http));
}

ks_rc gcp_endpoint(const struct gcp_net *n, enum gcp_service service, const char *universe,
                   char ret[GCP_URL_BYTES])
{
    const char *given = gcp_env(n, services[service].override);
    int len;

    if (given)
        len = snprintf(ret, GCP_URL_BYTES, "%s", given);
    else
        len = snprintf(ret, GCP_URL_BYTES, "https://%s.%s", services[service].name,
                       universe[0] ? universe : "googleapis.com");
    ENSURE(len > 0 && len < GCP_URL_BYTES, KS_E_USAGE, "the value of %s is too long",
           services[service].override);
    while (len > 0 && ret[len - 1] == '/')
        ret[--len] = 0;
    return KS_SUCCESS;
}

static void add(struct http_request *r, const char *name, const char *value)
{
    if (value && value[0])
        r->headers[r->header_count++] = (struct http_header){name, value};
}

ks_rc gcp_send(const struct gcp_net *n, const struct kms_call *call,
               const struct gcp_request *request, struct http_reply *ret)
{
    struct http_request r = {.method = request->method,
                             .url = request->url,
                             .body = request->body,
                             .deadline_ms = call->deadline_ms,
                             .connect_ms_max = request->connect_ms_max,
                             .reply_bytes_max = GCP_REPLY_MAX};

    add(&r, "Authorization", request->authorization);
    add(&r, "x-goog-user-project", request->quota_project);
    add(&r, "Content-Type", request->content_type);
    for (const struct http_header *h = request->extra; h->name; h++)
        add(&r, h->name, h->value);
    return http_client_send(n->http, &r, ret);
}
