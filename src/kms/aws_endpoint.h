/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_endpoint.h - where the services of AWS are reached, and through what.
 *
 * By the rules of AWS's own tools: environment before shared files, a service's own setting before the one for all. Read
 * once, when a key is opened.
 */
#pragma once

#include "kms/aws_files.h"
#include "kms/aws_key.h"

enum { AWS_HOST_BYTES = 280, AWS_PATH_BYTES = 256, AWS_URL_BYTES = 1024 };

struct aws_endpoint {
    char url[AWS_URL_BYTES]; /* without a slash at the end but for the path's own */
    char
        host[AWS_HOST_BYTES]; /* as in the Host header: with the port when it is not the scheme's */
    char path[AWS_PATH_BYTES]; /* "/", or what the setting says */
};

/* aws_endpoint_parse(text, ret): a URL, http or https, without user, query and fragment. USAGE. */
ks_rc aws_endpoint_parse(const char *text, struct aws_endpoint *ret) KS_MUST;
/* aws_endpoint_find(env, files, service, key, ret): of "kms" or "sts" for the region of key. USAGE for a setting that is no
 * URL, with its name. */
ks_rc aws_endpoint_find(const struct aws_env *env, const struct aws_files *files,
                        const char *service, const struct aws_key *key,
                        struct aws_endpoint *ret) KS_MUST;

/* aws_region_find(env, files, room): the region for names that have none: AWS_REGION, AWS_DEFAULT_REGION, the profile's. */
bool aws_region_find(const struct aws_env *env, const struct aws_files *files,
                     char room[AWS_REGION_BYTES]);
