/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_kms_user.c - keystead kms user create: somebody who may assume the roles that others let him.
 *
 * What a provider's account needs: its root user may not assume roles, as at AWS.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/args.h"
#include "cli/credentials.h"
#include "cli/key_service.h"
#include "cli/output.h"

enum { FORM_BYTES_MAX = 8 * 1024 };

static const char ASSUME_POLICY[] = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":"
                                    "\"Allow\",\"Action\":\"sts:AssumeRole\","
                                    "\"Resource\":\"*\"}]}";

static ks_rc begin_form(struct buf *form, const char *action, const char *user)
{
    TRY(form_add(form, "Action", action));
    TRY(form_add(form, "Version", "2010-05-08"));
    return form_add(form, "UserName", user);
}

static ks_rc make_user(struct key_service *s, const char *name)
{
    CLEANUP(buf_done) struct buf user = buf_init(FORM_BYTES_MAX), policy = buf_init(FORM_BYTES_MAX);

    TRY(begin_form(&user, "CreateUser", name));
    TRY(key_service_iam(s, buf_view(&user), NULL));
    TRY(begin_form(&policy, "PutUserPolicy", name));
    TRY(form_add(&policy, "PolicyName", "assume-roles"));
    TRY(form_add(&policy, "PolicyDocument", ASSUME_POLICY));
    return key_service_iam(s, buf_view(&policy), NULL);
}

static void reply_wipe(struct aws_sts_reply *r)
{
    mem_wipe(r, sizeof *r);
}

static ks_rc make_access_key(struct key_service *s, const char *name, const char *path)
{
    CLEANUP(reply_wipe) struct aws_sts_reply reply = {0};
    CLEANUP(buf_done) struct buf form = buf_init(FORM_BYTES_MAX);

    TRY(begin_form(&form, "CreateAccessKey", name));
    TRY(key_service_iam(s, buf_view(&form), &reply));
    ENSURE(reply.access_key[0] && reply.secret_key[0], KS_E_BAD_REPLY,
           "the key service made an access key and does not tell it");
    return credentials_write(path, reply.access_key, reply.secret_key);
}

ks_rc cmd_kms_user_create(struct cli *cli)
{
    CLEANUP(key_service_done) struct key_service s = {0};
    CLEANUP(mem_freep) char *path = NULL;

    TRY(key_service_open(cli, &s));
    TRY(mem_format(&path, "%s/%s.%s.credentials", cli->texts[OPT_DIR], s.account, cli->args[0]));
    TRY(credentials_check_new(path));
    TRY(make_user(&s, cli->args[0]));
    TRY(make_access_key(&s, cli->args[0], path));
    if (cli->is_json)
        return output_json(json_pack("{s:s, s:s}", "user", cli->args[0], "credentials", path));
    printf("user ");
    output_text(stdout, cli->args[0]);
    printf(" made in account %s; the access key is in ", s.account);
    output_text(stdout, path);
    putchar('\n');
    return KS_SUCCESS;
}
