/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_kms_admin.c - keystead kms account ..., keystead kms dial ...: asking a running key service.
 *
 * Where it is and the right to ask come from its state directory: DIR/endpoint and DIR/admin.token.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/credentials.h"
#include "cli/output.h"
#include "kms/secret_file.h"
#include "net/http_client.h"

enum { REPLY_BYTES_MAX = 8 << 20, DEPTH_MAX = 16, LINE_BYTES = 256 };

/* ---- one request ---- */

static ks_rc read_state(const char *dir, const char *name, struct secret **ret)
{
    CLEANUP(mem_freep) char *path = NULL;

    TRY(mem_format(&path, "%s/%s", dir, name));
    ks_rc rc = secret_line_read(io_posix(), path, ret);
    if (!ks_ok(rc))
        return ks_wrap(rc, "no key service runs on %.200s", dir);
    return rc;
}

static void client_freep(struct http_client **c)
{
    http_client_freep(c);
}

static ks_rc fill(const struct cli *cli, const char *path, struct buf *url, struct buf *bearer)
{
    CLEANUP(secret_freep) struct secret *endpoint = NULL, *token = NULL;

    TRY(read_state(cli->texts[OPT_DIR], "endpoint", &endpoint));
    TRY(read_state(cli->texts[OPT_DIR], "admin.token", &token));
    struct view where = secret_view(endpoint), what = secret_view(token);
    TRY(buf_printf(url, "%.*s/keystead/v1/%s", (int)where.len, (const char *)where.bytes, path));
    TRY(buf_append(bearer, view_text("Bearer ")));
    return buf_append(bearer, what);
}

static ks_rc judge(const struct http_reply *reply, json_t **ret)
{
    CLEANUP(json_decrefp) json_t *value = NULL;
    json_t *error = NULL;
    const char *code = "BUG", *message = "it gave no reason";

    TRY(json_read(buf_view(&reply->body), (struct json_limits){REPLY_BYTES_MAX, DEPTH_MAX},
                  "reply of the key service", &value));
    if (reply->status == 200) {
        *ret = TAKE(value);
        return KS_SUCCESS;
    }
    TRY(json_may_object(value, "error", &error));
    TRY(json_may_text(error, "code", 64, &code));
    TRY(json_may_text(error, "message", 1024, &message));
    return ks_fail(ks_from_name(code), "%s", message);
}

static void wipe(struct buf *b)
{
    if (b->bytes)
        mem_wipe(b->bytes, b->len);
    buf_done(b);
}

/* body NULL: none. */
static ks_rc ask_service(const struct cli *cli, const char *method, const char *path,
                         const json_t *body, json_t **ret)
{
    CLEANUP(client_freep) struct http_client *client = NULL;
    CLEANUP(http_reply_done) struct http_reply reply = {0};
    CLEANUP(buf_done) struct buf url = buf_init(HTTP_URL_MAX), text = buf_init(REPLY_BYTES_MAX);
    CLEANUP(wipe) struct buf bearer = buf_init(LINE_BYTES);

    TRY(fill(cli, path, &url, &bearer));
    if (body)
        TRY(json_write(body, false, &text));
    TRY(http_client_new(&(struct http_client_conf){.ca_file = cli->texts[OPT_CA_FILE]}, &client));
    struct http_request request = {
        .method = method,
        .url = buf_text(&url),
        .header_count = 2,
        .headers = {{"Authorization", buf_text(&bearer)}, {"Content-Type", "application/json"}},
        .body = buf_view(&text),
        .reply_bytes_max = REPLY_BYTES_MAX};
    TRY(http_client_send(client, &request, &reply));
    return judge(&reply, ret);
}

/* ---- accounts ---- */

ks_rc cmd_kms_account_create(struct cli *cli)
{
    CLEANUP(mem_freep) char *path = NULL;
    CLEANUP(json_decrefp) json_t *body = json_pack("{s:s}", "account", cli->args[0]);
    CLEANUP(json_decrefp) json_t *reply = NULL;
    const char *id, *secret;

    TRY(credentials_path(cli, cli->args[0], &path));
    TRY(credentials_check_new(path));
    TRY(ask_service(cli, "POST", "accounts", body, &reply));
    TRY(json_get_text(reply, "access_key_id", 128, &id));
    TRY(json_get_text(reply, "secret_access_key", 128, &secret));
    TRY(credentials_write(path, id, secret));
    printf("account %s made; the access key of its root user is in ", cli->args[0]);
    output_text(stdout, path);
    putchar('\n');
    return KS_SUCCESS;
}

ks_rc cmd_kms_account_list(struct cli *cli)
{
    CLEANUP(json_decrefp) json_t *reply = NULL;
    const json_t *account;
    size_t i;

    TRY(ask_service(cli, "GET", "accounts", NULL, &reply));
    if (cli->is_json)
        return output_json(TAKE(reply));
    json_array_foreach(json_object_get(reply, "accounts"), i, account)
        printf("%s\n", json_string_value(account));
    return KS_SUCCESS;
}

/* ---- the dial ---- */

static void add_text(const struct cli *cli, json_t *rule, const char *name, enum cli_opt opt)
{
    if (args_has(cli, opt))
        json_object_set_new(rule, name, json_string(cli->texts[opt]));
}

static void add_number(const struct cli *cli, json_t *rule, const char *name, enum cli_opt opt)
{
    if (args_has(cli, opt))
        json_object_set_new(rule, name, json_integer((json_int_t)cli->numbers[opt]));
}

ks_rc cmd_kms_dial_set(struct cli *cli)
{
    CLEANUP(json_decrefp) json_t *rule = json_pack("{s:s}", "effect", cli->args[0]);
    CLEANUP(json_decrefp) json_t *reply = NULL;
    int64_t id;

    add_text(cli, rule, "account", OPT_ACCOUNT);
    add_text(cli, rule, "operation", OPT_OPERATION);
    add_text(cli, rule, "key", OPT_OF_KEY);
    add_number(cli, rule, "ms", OPT_TIME);
    add_number(cli, rule, "after_ms", OPT_AFTER);
    add_number(cli, rule, "for_ms", OPT_DURING);
    add_number(cli, rule, "count", OPT_COUNT);
    add_number(cli, rule, "percent", OPT_PERCENT);
    TRY(ask_service(cli, "POST", "dial", rule, &reply));
    TRY(json_get_int(reply, "id", 1, INT64_MAX, &id));
    printf("rule %lld set; end it with: keystead kms dial clear %lld --dir ", (long long)id,
           (long long)id);
    output_text(stdout, cli->texts[OPT_DIR]);
    putchar('\n');
    return KS_SUCCESS;
}

static const char *text_of(const json_t *rule, const char *name)
{
    const char *text = json_string_value(json_object_get(rule, name));

    return text ? text : "any";
}

ks_rc cmd_kms_dial_list(struct cli *cli)
{
    CLEANUP(json_decrefp) json_t *reply = NULL;
    CLEANUP(table_freep) struct table *table = NULL;
    const json_t *rule;
    size_t i;

    TRY(ask_service(cli, "GET", "dial", NULL, &reply));
    if (cli->is_json)
        return output_json(TAKE(reply));
    TRY(table_new(">id|effect|>ms|>percent|account|key|operation|active", &table));
    json_array_foreach(json_object_get(reply, "rules"), i, rule)
    {
        table_add(table, "%lld", (long long)json_integer_value(json_object_get(rule, "id")));
        table_add(table, "%s", text_of(rule, "effect"));
        table_add(table, "%lld", (long long)json_integer_value(json_object_get(rule, "ms")));
        table_add(table, "%lld", (long long)json_integer_value(json_object_get(rule, "percent")));
        table_add(table, "%s", text_of(rule, "account"));
        table_add(table, "%s", text_of(rule, "key"));
        table_add(table, "%s", text_of(rule, "operation"));
        table_add(table, "%s", json_is_true(json_object_get(rule, "active")) ? "yes" : "no");
    }
    return table_print(table, 0);
}

ks_rc cmd_kms_dial_clear(struct cli *cli)
{
    CLEANUP(json_decrefp) json_t *reply = NULL;
    CLEANUP(mem_freep) char *path = NULL;

    if (cli->arg_count > 0)
        TRY(mem_format(&path, "dial/%s", cli->args[0]));
    TRY(ask_service(cli, "DELETE", path ? path : "dial", NULL, &reply));
    printf(path ? "rule cleared\n" : "all rules cleared\n");
    return KS_SUCCESS;
}
