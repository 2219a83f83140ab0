/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_chain_metadata.c - credentials that the platform gives: of a container (ECS, EKS Pod Identity) and of an EC2 instance
 * (IMDSv2).
 *
 * Never falls back to version 1 of the instance's service, which has no session and gives credentials to whoever can make
 * this host send a GET. Never goes through a proxy.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "kms/aws_chain.h"
#include "kms/secret_file.h"

enum {
    CONNECT_MS_MAX =
        1000, /* in a container with a hop limit of 1 the instance's service never answers */
    REPLY_BYTES_MAX = 32 * 1024,
    TOKEN_BYTES = 2048,
    ROLE_BYTES = 128,
};

/* --- containers --- */

/* An address that only this host or its platform has. */
static bool is_local(const char *host, size_t len)
{
    static const char *const hosts[] = {"localhost", "[::1]", "169.254.170.2", "169.254.170.23",
                                        "[fd00:ec2::23]"};

    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        if (strlen(hosts[i]) == len && strncasecmp(host, hosts[i], len) == 0)
            return true;
    if (len < 4 || strncmp(host, "127.", 4) != 0)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isdigit((unsigned char)host[i]) && host[i] != '.')
            return false;
    return true;
}

/* A request that carries a token must not go to just any host in clear. */
static ks_rc check_full_uri(const char *uri)
{
    const char *host = uri + 7;
    size_t len;

    if (strncasecmp(uri, "https://", 8) == 0)
        return KS_SUCCESS;
    ENSURE(strncasecmp(uri, "http://", 7) == 0, KS_E_CREDENTIAL,
           "AWS_CONTAINER_CREDENTIALS_FULL_URI is no URL");
    len =
        host[0] == '[' ? strcspn(host, "]") + (strchr(host, ']') != NULL) : strcspn(host, ":/?#@");
    ENSURE(strchr(":/?#", host[len]) && is_local(host, len), KS_E_CREDENTIAL,
           "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor on this host: %.100s", uri);
    return KS_SUCCESS;
}

static ks_rc container_url(const struct aws_env *env, char url[HTTP_URL_MAX])
{
    const char *relative = aws_env_get(env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = aws_env_get(env, "AWS_CONTAINER_CREDENTIALS_FULL_URI");

    ENSURE(relative || full, KS_E_NOT_FOUND, "not in a container");
    if (relative) {
        ENSURE(relative[0] == '/', KS_E_CREDENTIAL,
               "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with a slash");
        full = relative;
    } else {
        TRY(check_full_uri(full));
    }
    int n = snprintf(url, HTTP_URL_MAX, "%s%s", relative ? "http://169.254.170.2" : "", full);
    ENSURE(n < HTTP_URL_MAX, KS_E_CREDENTIAL, "the URI of the container's credentials is too long");
    return KS_SUCCESS;
}

/* The token that the platform has put somewhere for us; with its terminator. NULL: none. */
static ks_rc container_token(const struct aws_env *env, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *line = NULL;
    const char *file = aws_env_get(env, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *text = aws_env_get(env, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    struct view token;

    if (!file && !text)
        return KS_SUCCESS;
    if (file)
        TRY(secret_line_read(io_posix(), file, &line));
    token = file ? secret_view(line) : view_text(text);
    TRY(secret_new(token.len + 1, ret));
    memcpy(secret_bytes(*ret), token.bytes, token.len);
    return KS_SUCCESS;
}

ks_rc aws_chain_container(struct aws_chain *chain, const struct kms_call *call,
                          struct aws_credentials **ret)
{
    CLEANUP(http_reply_done) struct http_reply reply = {0};
    CLEANUP(secret_freep) struct secret *token = NULL;
    char url[HTTP_URL_MAX];
    struct http_request request = {.method = "GET",
                                   .url = url,
                                   .deadline_ms = call->deadline_ms,
                                   .connect_ms_max = CONNECT_MS_MAX,
                                   .reply_bytes_max = REPLY_BYTES_MAX};

    TRY(container_url(&chain->env, url));
    TRY(container_token(&chain->env, &token));
    if (token)
        request.headers[request.header_count++] =
            (struct http_header){"Authorization", (char *)secret_bytes(token)};
    TRY(aws_chain_get(chain, &request, &reply));
    ENSURE(reply.status == 200, KS_E_CREDENTIAL,
           "the container's credential service answers with HTTP status %d", reply.status);
    return aws_credentials_from_json(buf_view(&reply.body), "Token", ret);
}

/* --- instances --- */

struct instance {
    struct aws_chain *chain;
    const struct kms_call *call;
    char base[HTTP_URL_MAX / 2];
    char token[TOKEN_BYTES];
};

static ks_rc find_base(struct instance *i)
{
    const struct aws_env *env = &i->chain->env;
    const char *set = aws_env_get(env, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *mode = aws_env_get(env, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    bool is_ipv6 = mode && strcasecmp(mode, "IPv6") == 0;

    ENSURE(!aws_env_is(env, "AWS_EC2_METADATA_DISABLED"), KS_E_NOT_FOUND,
           "the instance's metadata service is disabled");
    if (!set)
        set = is_ipv6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
    size_t len = strlen(set);
    ENSURE(len < sizeof i->base, KS_E_CREDENTIAL, "AWS_EC2_METADATA_SERVICE_ENDPOINT is too long");
    memcpy(i->base, set, len + 1);
    while (len > 0 && i->base[len - 1] == '/')
        i->base[--len] = '\0';
    return KS_SUCCESS;
}

static ks_rc instance_send(struct instance *i, const char *method, const char *path,
                           struct http_header header, struct http_reply *ret)
{
    char url[HTTP_URL_MAX];
    const struct http_request request = {.method = method,
                                         .url = url,
                                         .header_count = 1,
                                         .headers = {header},
                                         .deadline_ms = i->call->deadline_ms,
                                         .connect_ms_max = CONNECT_MS_MAX,
                                         .reply_bytes_max = REPLY_BYTES_MAX};

    snprintf(url, sizeof url, "%s/latest/%s", i->base, path);
    return aws_chain_get(i->chain, &request, ret);
}

static bool copy_word(struct view text, char *room, size_t len)
{
    if (text.len == 0 || text.len >= len)
        return false;
    for (size_t at = 0; at < text.len; at++)
        if (text.bytes[at] <= ' ' || text.bytes[at] > '~')
            return false;
    memcpy(room, text.bytes, text.len);
    room[text.len] = '\0';
    return true;
}

static ks_rc begin_session(struct instance *i)
{
    const struct http_header ttl = {"X-aws-ec2-metadata-token-ttl-seconds", "21600"};
    CLEANUP(http_reply_done) struct http_reply reply = {0};

    TRY(instance_send(i, "PUT", "api/token", ttl, &reply));
    ENSURE(reply.status == 200 && copy_word(buf_view(&reply.body), i->token, sizeof i->token),
           KS_E_CREDENTIAL,
           "the instance's metadata service gives no session (HTTP status %d); version 1 of it is "
           "not used",
           reply.status);
    return KS_SUCCESS;
}

/* A session that has ended meanwhile (401) is begun anew, once. */
static ks_rc instance_get(struct instance *i, const char *path, struct http_reply *ret)
{
    const struct http_header header = {"X-aws-ec2-metadata-token", i->token};

    TRY(instance_send(i, "GET", path, header, ret));
    if (ret->status != 401)
        return KS_SUCCESS;
    http_reply_done(ret);
    TRY(begin_session(i));
    return instance_send(i, "GET", path, header, ret);
}

/* "security-credentials/" lists the one role of the instance. */
static ks_rc find_role(struct instance *i, char role[ROLE_BYTES])
{
    CLEANUP(http_reply_done) struct http_reply reply = {0};

    TRY(instance_get(i, "meta-data/iam/security-credentials/", &reply));
    ENSURE(reply.status != 404, KS_E_CREDENTIAL, "the instance has no IAM role");
    struct view name = buf_view(&reply.body);
    const uint8_t *end = name.len ? memchr(name.bytes, '\n', name.len) : NULL;
    if (end)
        name.len = (size_t)(end - name.bytes);
    ENSURE(reply.status == 200 && copy_word(name, role, ROLE_BYTES) && !strchr(role, '/'),
           KS_E_CREDENTIAL, "the instance's metadata service names no role (HTTP status %d)",
           reply.status);
    return KS_SUCCESS;
}

static ks_rc check_code(struct view text)
{
    CLEANUP(json_decrefp) json_t *object = NULL;
    struct json_limits limits = {REPLY_BYTES_MAX, 4};
    const char *code = "";

    ks_rc rc = json_read(text, limits, "the instance's credentials", &object);
    if (ks_ok(rc))
        rc = json_may_text(object, "Code", ROLE_BYTES, &code);
    ENSURE(ks_ok(rc) && strcmp(code, "Success") == 0, KS_E_CREDENTIAL,
           "the instance's metadata service has no credentials: %s",
           ks_ok(rc) ? code : ks_text(rc));
    return KS_SUCCESS;
}

static ks_rc fetch_of_instance(struct instance *i, struct aws_credentials **ret)
{
    CLEANUP(http_reply_done) struct http_reply reply = {0};
    char role[ROLE_BYTES], path[ROLE_BYTES + 64];

    TRY(begin_session(i));
    TRY(find_role(i, role));
    snprintf(path, sizeof path, "meta-data/iam/security-credentials/%s", role);
    TRY(instance_get(i, path, &reply));
    ENSURE(reply.status == 200, KS_E_CREDENTIAL,
           "the instance's metadata service has no credentials of role %s (HTTP status %d)", role,
           reply.status);
    TRY(check_code(buf_view(&reply.body)));
    return aws_credentials_from_json(buf_view(&reply.body), "Token", ret);
}

ks_rc aws_chain_instance(struct aws_chain *chain, const struct kms_call *call,
                         struct aws_credentials **ret)
{
    struct instance i = {.chain = chain, .call = call};

    TRY(find_base(&i));
    ks_rc rc = fetch_of_instance(&i, ret);
    if (rc.cls != KS_CLASS_UNREACHABLE || ks_is(rc, KS_E_CREDENTIAL))
        return rc;
    /* Outside of EC2 nobody is there: most likely there is no credential at all, and asking again does not help. */
    return ks_fail(KS_E_CREDENTIAL,
                   "there are none in the environment, in a profile, by web identity or of a "
                   "container, and the instance's metadata service cannot be reached: %s",
                   ks_text(rc));
}
