/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_endpoint.c - where the services of AWS are reached.
 */
#include "kms/aws_endpoint.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { SETTING_BYTES = 64 };

/* A host name or address with an optional port. */
static bool is_authority(const char *text, size_t len)
{
    if (len == 0 || len >= AWS_HOST_BYTES)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("-._:[]", text[i]))
            return false;
    return true;
}

static bool is_path(const char *text)
{
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("-._~/", *text))
            return false;
    return true;
}

/* Without the port that is understood anyway: clients leave it out, and the host is signed. */
static void set_host(const char *authority, size_t len, bool is_tls, struct aws_endpoint *e)
{
    const char *usual = is_tls ? ":443" : ":80";
    size_t tail = strlen(usual);

    if (len > tail && strncmp(authority + len - tail, usual, tail) == 0)
        len -= tail;
    snprintf(e->host, sizeof e->host, "%.*s", (int)len, authority);
}

/* Without slashes at its end; "/" for none. */
static void set_path(const char *path, struct aws_endpoint *e)
{
    size_t len = strlen(path);

    while (len > 0 && path[len - 1] == '/')
        len--;
    snprintf(e->path, sizeof e->path, "%s%.*s", len ? "" : "/", (int)len, path);
}

ks_rc aws_endpoint_parse(const char *text, struct aws_endpoint *ret)
{
    struct aws_endpoint e;
    bool is_tls = strncasecmp(text, "https://", 8) == 0;

    ENSURE(is_tls || strncasecmp(text, "http://", 7) == 0, KS_E_USAGE,
           "\"%.200s\" is no URL that begins with https:// or http://", text);
    const char *authority = text + (is_tls ? 8 : 7);
    size_t len = strcspn(authority, "/");
    const char *path = authority + len;
    ENSURE(is_authority(authority, len) && is_path(path) && strlen(path) < sizeof e.path,
           KS_E_USAGE, "\"%.200s\" is no URL of a service: scheme, host, maybe port and path",
           text);
    set_host(authority, len, is_tls, &e);
    set_path(path, &e);
    snprintf(e.url, sizeof e.url, "http%s://%.*s%s", is_tls ? "s" : "", (int)len, authority,
             e.path);
    *ret = e;
    return KS_SUCCESS;
}

/* What the profile says: of the service in its "services" section, then of all. */
static bool find_in_files(const struct aws_files *files, const char *service, char *room,
                          size_t len)
{
    return aws_service_text(files, files->profile, service, "endpoint_url", room, len) ||
           aws_profile_text(files, files->profile, "endpoint_url", room, len);
}

static bool is_ignoring(const struct aws_env *env, const struct aws_files *files)
{
    char text[8];

    if (aws_env_get(env, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"))
        return aws_env_is(env, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    return aws_profile_text(files, files->profile, "ignore_configured_endpoint_urls", text,
                            sizeof text) &&
           strcasecmp(text, "true") == 0;
}

/* The setting that overrides the endpoint and where it stands; false when there is none. */
static bool find_override(const struct aws_env *env, const struct aws_files *files,
                          const char *service, char value[AWS_URL_BYTES], char where[SETTING_BYTES])
{
    const char *text;

    if (is_ignoring(env, files))
        return false;
    snprintf(where, SETTING_BYTES, "AWS_ENDPOINT_URL_%s", strcmp(service, "kms") ? "STS" : "KMS");
    text = aws_env_get(env, where);
    if (!text) {
        snprintf(where, SETTING_BYTES, "AWS_ENDPOINT_URL");
        text = aws_env_get(env, where);
    }
    if (text) {
        snprintf(value, AWS_URL_BYTES, "%s", text);
        return true;
    }
    snprintf(where, SETTING_BYTES, "endpoint_url of the profile");
    return find_in_files(files, service, value, AWS_URL_BYTES);
}

static bool uses_fips(const struct aws_env *env, const struct aws_files *files)
{
    char text[8];

    if (aws_env_get(env, "AWS_USE_FIPS_ENDPOINT"))
        return aws_env_is(env, "AWS_USE_FIPS_ENDPOINT");
    return aws_profile_text(files, files->profile, "use_fips_endpoint", text, sizeof text) &&
           strcasecmp(text, "true") == 0;
}

ks_rc aws_endpoint_find(const struct aws_env *env, const struct aws_files *files,
                        const char *service, const struct aws_key *key, struct aws_endpoint *ret)
{
    char url[AWS_URL_BYTES], where[SETTING_BYTES];

    if (find_override(env, files, service, url, where))
        return ks_wrap(aws_endpoint_parse(url, ret), "%s", where);
    /* In GovCloud the plain name of STS is the FIPS endpoint. */
    bool is_fips = uses_fips(env, files) &&
                   !(strcmp(service, "sts") == 0 && strcmp(key->partition, "aws-us-gov") == 0);
    snprintf(url, sizeof url, "https://%s%s.%s.%s", service, is_fips ? "-fips" : "", key->region,
             aws_partition_suffix(key->partition));
    return aws_endpoint_parse(url, ret);
}

bool aws_region_find(const struct aws_env *env, const struct aws_files *files,
                     char room[AWS_REGION_BYTES])
{
    const char *text = aws_env_get(env, "AWS_REGION");

    if (!text)
        text = aws_env_get(env, "AWS_DEFAULT_REGION");
    if (!text)
        return aws_profile_text(files, files->profile, "region", room, AWS_REGION_BYTES);
    snprintf(room, AWS_REGION_BYTES, "%s", text);
    return true;
}
