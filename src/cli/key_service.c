/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/key_service.c - asking a running key service in its own protocol.
 */
#include "cli/key_service.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/args.h"
#include "cli/credentials.h"
#include "kms/aws_ini.h"
#include "kms/secret_file.h"

enum { CREDENTIALS_BYTES_MAX = 64 * 1024, REPLY_DEPTH_MAX = 16, TIMEOUT_MS = 30000 };

static const char ACCOUNT_PRESET[] = "111122223333", REGION_PRESET[] = "us-east-1";

/* ---- where, and as whom ---- */

/* Nothing of the environment counts here: the state directory says it all. */
static const char *env_of(void *arg, const char *name)
{
    const struct cli *cli = arg;

    return strcmp(name, "AWS_CA_BUNDLE") == 0 ? cli->texts[OPT_CA_FILE] : NULL;
}

static ks_rc read_endpoint(const char *dir, struct aws_endpoint *ret)
{
    CLEANUP(secret_freep) struct secret *line = NULL;
    CLEANUP(mem_freep) char *path = NULL, *url = NULL;

    TRY(mem_format(&path, "%s/endpoint", dir));
    TRY(ks_wrap(secret_line_read(io_posix(), path, &line), "no key service runs on %.200s", dir));
    struct view text = secret_view(line);
    TRY(mem_format(&url, "%.*s", (int)text.len, (const char *)text.bytes));
    return aws_endpoint_parse(url, ret);
}

static ks_rc take_credentials(struct view file, const char *path, struct aws_credentials **ret)
{
    struct aws_credentials_parts parts = {0};
    struct aws_ini_key id = {"", "default", "aws_access_key_id", NULL};
    struct aws_ini_key secret = {"", "default", "aws_secret_access_key", NULL};

    ENSURE(aws_ini_find(file, &id, &parts.access_key) &&
               aws_ini_find(file, &secret, &parts.secret_key),
           KS_E_CREDENTIAL, "%s holds no access key", path);
    return aws_credentials_new(&parts, ret);
}

static ks_rc read_credentials(struct cli *cli, const char *account, struct aws_credentials **ret)
{
    const struct secret_file_bounds bounds = {1, CREDENTIALS_BYTES_MAX, "a file of credentials"};
    CLEANUP(secret_freep) struct secret *file = NULL;
    CLEANUP(mem_freep) char *path = NULL;

    TRY(credentials_path(cli, account, &path));
    ks_rc rc = secret_file_read(io_posix(), path, bounds, &file);
    ENSURE(!ks_is_os(rc, ENOENT), KS_E_CREDENTIAL,
           "%s is not there; name the account with --account, or its file with --credentials",
           path);
    TRY(ks_wrap(rc, "%s", path));
    return take_credentials(secret_view(file), path, ret);
}

ks_rc key_service_open(struct cli *cli, struct key_service *ret)
{
    const struct aws_env env = {env_of, cli};
    const struct aws_files files = {0};

    ret->account = args_has(cli, OPT_ACCOUNT) ? cli->texts[OPT_ACCOUNT] : ACCOUNT_PRESET;
    ret->region = args_has(cli, OPT_REGION) ? cli->texts[OPT_REGION] : REGION_PRESET;
    ENSURE(aws_is_region(ret->region), KS_E_USAGE, "--region %.60s is no region", ret->region);
    TRY(read_endpoint(cli->texts[OPT_DIR], &ret->endpoint));
    TRY(read_credentials(cli, ret->account, &ret->credentials));
    return aws_http_init(&env, &files, clock_system(), &ret->http);
}

void key_service_done(struct key_service *s)
{
    aws_http_done(&s->http);
    aws_credentials_unref(s->credentials);
}

/* ---- requests ---- */

static ks_rc send(struct key_service *s, struct aws_exchange *x, struct http_reply *ret)
{
    struct kms_call call = {clock_boot_ms(clock_system()) + TIMEOUT_MS, clock_system(), NULL};
    enum aws_cure cure = AWS_CURE_NONE;

    x->endpoint = &s->endpoint;
    x->region = s->region;
    x->credentials = s->credentials;
    return aws_http_send(&s->http, &call, x, ret, &cure);
}

ks_rc key_service_kms(struct key_service *s, const char *operation, json_t *body, json_t **ret)
{
    CLEANUP(json_decrefp) json_t *taken = body;
    CLEANUP(buf_done) struct buf text = buf_init(AWS_REPLY_BYTES_MAX);
    CLEANUP(http_reply_done) struct http_reply reply = {0};
    char target[128];

    ENSURE(body, KS_E_NO_MEMORY, "out of memory");
    TRY(json_write(taken, false, &text));
    snprintf(target, sizeof target, "TrentService.%s", operation);
    struct aws_exchange x = {
        .service = "kms",
        .header_count = 2,
        .headers = {{"Content-Type", "application/x-amz-json-1.1"}, {"X-Amz-Target", target}},
        .body = buf_view(&text),
        .judge = aws_error_read};
    TRY(send(s, &x, &reply));
    if (!ret || reply.body.len == 0)
        return KS_SUCCESS;
    return json_read(buf_view(&reply.body),
                     (struct json_limits){AWS_REPLY_BYTES_MAX, REPLY_DEPTH_MAX},
                     "reply of the key service", ret);
}

static void judge_xml(const struct http_reply *reply, struct aws_error *ret)
{
    CLEANUP(mem_freep) struct aws_sts_reply *parsed = NULL;
    ks_rc rc = mem_new(1, sizeof *parsed, &parsed);

    if (ks_ok(rc))
        rc = aws_sts_reply_parse(buf_view(&reply->body), parsed);
    if (ks_ok(rc))
        aws_error_set(ret, parsed->error_type, parsed->error_message);
}

ks_rc key_service_iam(struct key_service *s, struct view form, struct aws_sts_reply *ret)
{
    CLEANUP(http_reply_done) struct http_reply reply = {0};
    struct aws_exchange x = {
        .service = "iam",
        .header_count = 1,
        .headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}},
        .body = form,
        .judge = judge_xml};

    TRY(send(s, &x, &reply));
    return ret ? aws_sts_reply_parse(buf_view(&reply.body), ret) : KS_SUCCESS;
}

ks_rc form_add(struct buf *form, const char *name, const char *value)
{
    TRY(buf_printf(form, "%s%s=", form->len ? "&" : "", name));
    for (const char *c = value; *c; c++) {
        bool is_plain = isalnum((unsigned char)*c) || strchr("-_.~", *c);
        TRY(is_plain ? buf_append(form, view_of(c, 1))
                     : buf_printf(form, "%%%02X", (unsigned)(unsigned char)*c));
    }
    return KS_SUCCESS;
}
