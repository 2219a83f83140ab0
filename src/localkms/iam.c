/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/iam.c - opening and closing the model of IAM; accounts.
 */
#include "localkms/iam.h"

#include <string.h>

#include "base/mem.h"
#include "localkms/iam_int.h"

enum { SECRET_SLOT_BYTES = 64 };

/* Policies that AWS manages and that people attach without a thought. */
static const struct {
    const char *name, *text;
} managed[] = {
    {"AdministratorAccess", "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
                            "\"Action\":\"*\",\"Resource\":\"*\"}]}"},
    {"IAMFullAccess", "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
                      "\"Action\":\"iam:*\",\"Resource\":\"*\"}]}"},
    {"AWSKeyManagementServicePowerUser",
     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":["
     "\"kms:CreateAlias\",\"kms:CreateKey\",\"kms:DeleteAlias\",\"kms:Describe*\","
     "\"kms:GenerateRandom\",\"kms:Get*\",\"kms:List*\",\"kms:TagResource\","
     "\"kms:UntagResource\",\"iam:ListGroups\",\"iam:ListRoles\",\"iam:ListUsers\"],"
     "\"Resource\":\"*\"}]}"},
};

static ks_rc add_managed(struct iam *iam)
{
    for (size_t i = 0; i < sizeof managed / sizeof *managed; i++) {
        CLEANUP(json_freep)
        json_t *record = json_pack("{s:s, s:s, s:s, s:s, s:i, s:s}", "account", "aws", "name",
                                   managed[i].name, "path", "/", "id", "ANPAKEYSTEADMANAGED00",
                                   "created", 0, "text", managed[i].text);
        ENSURE(record, KS_E_NO_MEMORY, "no memory for a policy");
        TRY(iam_add_builtin(iam, IAM_POLICY, record));
    }
    return KS_SUCCESS;
}

ks_rc iam_open(struct realm *r, struct iam **ret)
{
    struct iam *iam;

    TRY(mem_new(1, sizeof *iam, &iam));
    iam->realm = r;
    pthread_rwlock_init(&iam->lock, NULL);
    ks_rc rc = secret_pool_new(SECRET_SLOT_BYTES, &iam->secrets);
    if (ks_ok(rc))
        rc = session_table_new(&iam->sessions);
    if (ks_ok(rc))
        rc = key_cache_new(&iam->signing_keys);
    if (ks_ok(rc))
        rc = iam_load(iam);
    if (ks_ok(rc))
        rc = add_managed(iam);
    if (!ks_ok(rc)) {
        iam_close(iam);
        return ks_wrap(rc, "accounts and roles");
    }
    *ret = iam;
    return KS_SUCCESS;
}

void iam_close(struct iam *iam)
{
    if (!iam)
        return;
    key_cache_free(iam->signing_keys);
    session_table_free(iam, iam->sessions);
    for (size_t kind = 0; kind < IAM_KINDS; kind++) {
        for (size_t i = 0; i < iam->tables[kind].count; i++)
            iam_object_free(iam, iam->tables[kind].items[i]);
        mem_free(iam->tables[kind].items);
    }
    if (iam->secrets)
        secret_pool_free(iam->secrets);
    pthread_rwlock_destroy(&iam->lock);
    mem_free(iam);
}

/* ---- accounts ---- */

static bool is_account(const char *text)
{
    size_t digits = strspn(text, "0123456789");

    return digits == AWS_ACCOUNT_BYTES - 1 && text[digits] == '\0';
}

static ks_rc account_add_in_turn(struct iam *iam, const char *account, const struct lk_event *event)
{
    CLEANUP(json_freep) json_t *record = NULL;

    ENSURE(!iam_find(iam, IAM_ACCOUNT, account), KS_E_EXISTS, "account %s exists", account);
    record =
        json_pack("{s:s, s:I}", "account", account, "created", (json_int_t)realm_now_s(iam->realm));
    ENSURE(record, KS_E_NO_MEMORY, "no memory for an account");
    return iam_put(iam, IAM_ACCOUNT, record, NULL, event);
}

ks_rc iam_account_add(struct iam *iam, const char *account, const struct lk_event *event,
                      struct iam_key_pair *ret)
{
    ENSURE(is_account(account), KS_E_USAGE, "an account is twelve digits, not \"%.64s\"", account);
    realm_turn(iam->realm);
    ks_rc rc = account_add_in_turn(iam, account, event);
    if (ks_ok(rc))
        rc = iam_key_new(iam, account, "", event, ret);
    realm_turn_end(iam->realm);
    return rc;
}

ks_rc iam_account_new_key(struct iam *iam, const char *account, const struct lk_event *event,
                          struct iam_key_pair *ret)
{
    ks_rc rc;

    realm_turn(iam->realm);
    if (iam_find(iam, IAM_ACCOUNT, account))
        rc = iam_key_new(iam, account, "", event, ret);
    else
        rc = ks_fail(KS_E_NOT_FOUND, "no account %.64s", account);
    realm_turn_end(iam->realm);
    return rc;
}

bool iam_account_has(struct iam *iam, const char *account)
{
    pthread_rwlock_rdlock(&iam->lock);
    bool has = iam_find(iam, IAM_ACCOUNT, account) != NULL;
    pthread_rwlock_unlock(&iam->lock);
    return has;
}

ks_rc iam_account_each(struct iam *iam, ks_rc (*each)(void *arg, const char *account), void *arg)
{
    const struct iam_table *t = &iam->tables[IAM_ACCOUNT];
    ks_rc rc = KS_SUCCESS;

    pthread_rwlock_rdlock(&iam->lock);
    for (size_t i = 0; i < t->count && ks_ok(rc); i++)
        rc = each(arg, t->items[i]->account);
    pthread_rwlock_unlock(&iam->lock);
    return rc;
}

bool iam_principal_exists(struct iam *iam, const char *arn)
{
    char account[AWS_ACCOUNT_BYTES] = "";
    size_t len = strlen(arn);

    if (is_account(arn))
        return iam_account_has(iam, arn);
    if (len == 30 && strncmp(arn, "arn:aws:iam::", 13) == 0 && strcmp(arn + 25, ":root") == 0) {
        memcpy(account, arn + 13, AWS_ACCOUNT_BYTES - 1);
        return iam_account_has(iam, account);
    }
    pthread_rwlock_rdlock(&iam->lock);
    const struct iam_object *o = iam_find_arn(iam, arn);
    bool exists = o && o->kind != IAM_POLICY;
    pthread_rwlock_unlock(&iam->lock);
    return exists;
}
