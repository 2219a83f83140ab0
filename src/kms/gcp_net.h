/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/gcp_net.h - requests to Google's services: where they are and how they are asked (private to kms/gcp_*).
 *
 * The environment decides what the gcloud command lets it decide: endpoints, proxy, authorities, credentials.
 */
#pragma once

#include "base/buf.h"
#include "kms/driver.h"
#include "kms/gcp_error.h"
#include "net/http_client.h"

enum {
    GCP_URL_BYTES = 4096,
    GCP_UNIVERSE_BYTES = 128,
    GCP_PROJECT_BYTES = 128,
    GCP_REPLY_MAX = 64 * 1024
};

struct gcp_net {
    struct http_client *http;
    struct clock *clock;
    const char *(*env)(void *arg, const char *name);
    void *env_arg;
};

ks_rc gcp_net_init(const struct kms_conf *conf, struct gcp_net *ret) KS_MUST;
void gcp_net_done(struct gcp_net *n);
/* gcp_env(n, name): NULL when it is not set. */
const char *gcp_env(const struct gcp_net *n, const char *name);

enum gcp_service { GCP_KMS, GCP_IAM_CREDENTIALS };
/* gcp_endpoint(n, service, universe, ret): its base URL without a slash at the end: an override of the environment,
 * or the service in universe ("" is googleapis.com). */
ks_rc gcp_endpoint(const struct gcp_net *n, enum gcp_service service, const char *universe,
                   char ret[GCP_URL_BYTES]) KS_MUST;

/* A request. Texts are borrowed; NULL where there is none. */
struct gcp_request {
    const char *method, *url;
    const char *authorization; /* "Bearer ..." */
    const char *quota_project;
    const char *content_type;
    struct http_header extra[4]; /* ended by a NULL name */
    struct view body;
    uint32_t connect_ms_max;
};

/* gcp_send(n, call, request, ret): any complete reply is a success, whatever its status; otherwise as
 * http_client_send. */
ks_rc gcp_send(const struct gcp_net *n, const struct kms_call *call,
               const struct gcp_request *request, struct http_reply *ret) KS_MUST;
