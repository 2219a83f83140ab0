/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/gcp_credentials.h - who we are to Google, as a credentials file says it (private to kms/gcp_*).
 *
 * The file is one of those that Google's tools write. It is read each time a token is fetched, so one that was
 * replaced counts with the next token, and no private key stays in memory between.
 */
#pragma once

#include "base/secret.h"
#include "crypto/rsa.h"
#include "kms/gcp_net.h"

enum { GCP_EMAIL_BYTES = 320, GCP_HOPS_MAX = 4, GCP_PATH_BYTES = 4096, GCP_SOURCE_HEADERS_MAX = 3 };

enum gcp_kind {
    GCP_SERVICE_ACCOUNT,
    GCP_AUTHORIZED_USER,
    GCP_EXTERNAL_ACCOUNT, /* workload identity federation */
    GCP_IMPERSONATED,
};

struct gcp_federation {
    char audience[GCP_URL_BYTES], subject_token_type[256], file[GCP_PATH_BYTES], url[GCP_URL_BYTES];
    char field[128]; /* of a subject token in JSON; "" when it is the whole text */
    char user_project[GCP_PROJECT_BYTES]; /* of workforce pools */
    size_t header_count;
    struct {
        char name[64], value[256];
    } headers[GCP_SOURCE_HEADERS_MAX]; /* with the request to url */
};

struct gcp_credentials {
    enum gcp_kind kind;
    char token_url[GCP_URL_BYTES];
    char universe[GCP_UNIVERSE_BYTES], quota_project[GCP_PROJECT_BYTES];
    char email[GCP_EMAIL_BYTES], key_id[128]; /* GCP_SERVICE_ACCOUNT */
    struct rsa *key;
    char client_id[256]; /* GCP_AUTHORIZED_USER */
    struct secret *client_secret, *refresh_token;
    struct gcp_federation *federation; /* GCP_EXTERNAL_ACCOUNT */
    char impersonation_url
        [GCP_URL_BYTES]; /* GCP_IMPERSONATED; also of GCP_EXTERNAL_ACCOUNT, or "" */
    size_t delegate_count;
    char delegates[GCP_HOPS_MAX][GCP_EMAIL_BYTES];
    struct gcp_credentials *source; /* GCP_IMPERSONATED */
};

/* gcp_credentials_parse(text, ret): CREDENTIAL with the member that is wrong, and for the kinds that are not
 * supported (tokens from AWS, from programs, by certificate) with what to use instead. */
ks_rc gcp_credentials_parse(struct view text, struct gcp_credentials **ret) KS_MUST;
/* gcp_credentials_find(net, ret): those that the environment names, as Google's clients look for them: the file
 * in GOOGLE_APPLICATION_CREDENTIALS, then that of the gcloud command. *ret NULL: neither, ask the metadata server. */
ks_rc gcp_credentials_find(const struct gcp_net *net, struct gcp_credentials **ret) KS_MUST;
void gcp_credentials_free(struct gcp_credentials *c);
void gcp_credentials_freep(struct gcp_credentials **c);
