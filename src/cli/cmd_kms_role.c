/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_kms_role.c - keystead kms role ...: how an account lets another one use a key of its own.
 *
 * What the guides of managed databases have a customer do: a role that the provider's account may assume under an
 * ExternalId, and that may use the key. Taking it away again is the customer's revoke.
 */
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/key_service.h"
#include "cli/output.h"

enum { FORM_BYTES_MAX = 32 * 1024, ACCOUNT_LEN = 12, ARN_BYTES = 320 };

static const char POLICY_NAME[] = "use-the-key";

static bool is_account(const char *text)
{
    return strlen(text) == ACCOUNT_LEN && strspn(text, "0123456789") == ACCOUNT_LEN;
}

/* Adds a policy document; takes it over. */
static ks_rc add_policy(struct buf *form, const char *name, json_t *policy)
{
    CLEANUP(json_decrefp) json_t *taken = policy;
    CLEANUP(buf_done) struct buf text = buf_init(FORM_BYTES_MAX);

    ENSURE(taken, KS_E_NO_MEMORY, "out of memory");
    TRY(json_write(taken, false, &text));
    return form_add(form, name, buf_text(&text));
}

static json_t *trust_policy(const char *trusted, const char *external_id)
{
    return json_pack("{s:s, s:[{s:s, s:{s:s}, s:s, s:{s:{s:s}}}]}", "Version", "2012-10-17",
                     "Statement", "Effect", "Allow", "Principal", "AWS", trusted, "Action",
                     "sts:AssumeRole", "Condition", "StringEquals", "sts:ExternalId", external_id);
}

static json_t *key_policy(const char *arn)
{
    return json_pack("{s:s, s:[{s:s, s:[s,s,s,s,s], s:s}]}", "Version", "2012-10-17", "Statement",
                     "Effect", "Allow", "Action", "kms:Encrypt", "kms:Decrypt",
                     "kms:GenerateDataKey*", "kms:ReEncrypt*", "kms:DescribeKey", "Resource", arn);
}

static ks_rc begin_form(struct buf *form, const char *action, const char *role)
{
    TRY(form_add(form, "Action", action));
    TRY(form_add(form, "Version", "2010-05-08"));
    return form_add(form, "RoleName", role);
}

static ks_rc make_role(struct key_service *s, struct cli *cli)
{
    CLEANUP(buf_done) struct buf form = buf_init(FORM_BYTES_MAX);
    const char *trust = cli->texts[OPT_TRUST];
    char trusted[ARN_BYTES];

    snprintf(trusted, sizeof trusted, is_account(trust) ? "arn:aws:iam::%s:root" : "%s", trust);
    TRY(begin_form(&form, "CreateRole", cli->args[0]));
    TRY(add_policy(&form, "AssumeRolePolicyDocument",
                   trust_policy(trusted, cli->texts[OPT_EXTERNAL_ID])));
    return key_service_iam(s, buf_view(&form), NULL);
}

static ks_rc allow_key(struct key_service *s, const char *role, const char *arn)
{
    CLEANUP(buf_done) struct buf form = buf_init(FORM_BYTES_MAX);

    TRY(begin_form(&form, "PutRolePolicy", role));
    TRY(form_add(&form, "PolicyName", POLICY_NAME));
    TRY(add_policy(&form, "PolicyDocument", key_policy(arn)));
    return key_service_iam(s, buf_view(&form), NULL);
}

static ks_rc find_key(struct key_service *s, const char *name, char ret_arn[ARN_BYTES])
{
    CLEANUP(json_decrefp) json_t *reply = NULL;
    json_t *metadata = NULL;
    const char *arn;
    char id[ARN_BYTES];
    bool is_name = strncmp(name, "arn:", 4) != 0;

    snprintf(id, sizeof id, "%s%s", is_name ? "alias/" : "", name);
    TRY(key_service_kms(s, "DescribeKey", json_pack("{s:s}", "KeyId", id), &reply));
    TRY(json_get_object(reply, "KeyMetadata", &metadata));
    TRY(json_get_text(metadata, "Arn", ARN_BYTES - 1, &arn));
    snprintf(ret_arn, ARN_BYTES, "%s", arn);
    return KS_SUCCESS;
}

ks_rc cmd_kms_role_create(struct cli *cli)
{
    CLEANUP(key_service_done) struct key_service s = {0};
    char arn[ARN_BYTES], role[ARN_BYTES];

    TRY(key_service_open(cli, &s));
    TRY(find_key(&s, cli->texts[OPT_OF_KEY], arn));
    TRY(make_role(&s, cli));
    TRY(allow_key(&s, cli->args[0], arn));
    snprintf(role, sizeof role, "arn:aws:iam::%s:role/%s", s.account, cli->args[0]);
    if (cli->is_json)
        return output_json(json_pack("{s:s, s:s}", "role", role, "key", arn));
    printf("role made: %s\n", role);
    printf(
        "next, as account %s: keystead volume create BACKING --key aws_kms:%s --auth-principal %s "
        "--organisation %s\n",
        cli->texts[OPT_TRUST], arn, role, cli->texts[OPT_EXTERNAL_ID]);
    return KS_SUCCESS;
}

ks_rc cmd_kms_role_delete(struct cli *cli)
{
    CLEANUP(buf_done) struct buf policy = buf_init(FORM_BYTES_MAX), form = buf_init(FORM_BYTES_MAX);
    CLEANUP(key_service_done) struct key_service s = {0};

    TRY(key_service_open(cli, &s));
    TRY(begin_form(&policy, "DeleteRolePolicy", cli->args[0]));
    TRY(form_add(&policy, "PolicyName", POLICY_NAME));
    TRY(key_service_iam(&s, buf_view(&policy), NULL));
    TRY(begin_form(&form, "DeleteRole", cli->args[0]));
    TRY(key_service_iam(&s, buf_view(&form), NULL));
    printf("role ");
    output_text(stdout, cli->args[0]);
    printf(" is gone; volumes that used a key in it lock with their next probe\n");
    return KS_SUCCESS;
}
