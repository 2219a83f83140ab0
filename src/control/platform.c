/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/platform.c - as whom the nodes come to the customers' key services, as the operator says it.
 *
 * It is told to customers, who put it into trust policies; nothing here makes it so. It stands in the store, so every reply says
 * what was told last.
 */
#include <string.h>

#include "base/json.h"
#include "control/control_int.h"
#include "control/message.h"
#include "control/scope.h"
#include "control/store.h"

enum { ACCOUNT_DIGITS = 12, PROJECT_MIN = 6, PROJECT_MAX = 30, UUID_LEN = 36 };

/* -- what each of them is like -- */

static bool is_account(const char *text)
{
    return strlen(text) == ACCOUNT_DIGITS && strspn(text, "0123456789") == ACCOUNT_DIGITS;
}

static bool is_project(const char *text)
{
    size_t len = strlen(text);

    return len >= PROJECT_MIN && len <= PROJECT_MAX && text[0] >= 'a' && text[0] <= 'z' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == len && text[len - 1] != '-';
}

static bool is_uuid(const char *text)
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

    if (strlen(text) != UUID_LEN)
        return false;
    for (size_t i = 0; i < UUID_LEN; i++)
        if (shape[i] == '-' ? text[i] != '-' : !strchr("0123456789abcdefABCDEF", text[i]))
            return false;
    return true;
}

/* Where the account begins in the ARN of something of IAM's; NULL: it is none. */
static const char *account_of(const char *arn)
{
    static const char service[] = ":iam::";
    const char *at = strstr(arn, service);

    return at ? at + strlen(service) : NULL;
}

/* "arn:aws:iam::444455556666:user/keystead", and the same in another partition. */
static bool is_principal(const char *text)
{
    const char *account = account_of(text);

    if (!account || strncmp(text, "arn:aws", 7) != 0 ||
        strspn(account, "0123456789") != ACCOUNT_DIGITS)
        return false;
    const char *name = account + ACCOUNT_DIGITS;
    return (strncmp(name, ":user/", 6) == 0 || strncmp(name, ":role/", 6) == 0) && name[6];
}

/* "name@project.iam.gserviceaccount.com" */
static bool is_service_account(const char *text)
{
    static const char end[] = ".iam.gserviceaccount.com";
    const char *at = strchr(text, '@');
    size_t len = strlen(text);

    return at && at > text && !strchr(at + 1, '@') && len > strlen(end) &&
           strcmp(text + len - strlen(end), end) == 0;
}

static bool is_name(const char *text)
{
    CLEANUP(json_decrefp) json_t *utf8 = json_string(text);

    for (const char *at = text; *at; at++)
        if ((uint8_t)*at < 0x20 || *at == 0x7f)
            return false;
    return utf8;
}

static const struct {
    size_t asked, offset, bytes; /* in platform_change, in platform */
    const char *name;
    bool (*is_it)(const char *text);
    const char *shape;
} members[] = {
#define MEMBER(name, is_it, shape)                                                                 \
    {                                                                                              \
        offsetof(struct platform_change, name), offsetof(struct platform, name),                   \
            sizeof(((struct platform *)0)->name), #name, is_it, shape                              \
    }
    MEMBER(aws_account, is_account, "must have 12 digits"),
    MEMBER(aws_principal, is_principal,
           "must be the ARN of a user or role: arn:aws:iam::ACCOUNT:role/NAME"),
    MEMBER(gcp_project, is_project, "must have 6 to 30 small letters, digits and dashes"),
    MEMBER(gcp_service_account, is_service_account,
           "must be the address of a service account: NAME@PROJECT.iam.gserviceaccount.com"),
    MEMBER(azure_client_id, is_uuid, "must be a UUID"),
    MEMBER(azure_application, is_name, "must be a name in UTF-8 without control characters"),
#undef MEMBER
};
enum { MEMBER_COUNT = sizeof members / sizeof *members };

static char *member_of(struct platform *p, size_t i)
{
    return (char *)p + members[i].offset;
}

static const char *asked_of(const struct platform_change *change, size_t i)
{
    return *(const char *const *)(const void *)((const char *)change + members[i].asked);
}

/* -- changing -- */

static ks_rc take_member(const struct platform_change *change, size_t i, struct platform *p)
{
    const char *asked = asked_of(change, i);

    if (!asked)
        return KS_SUCCESS;
    ENSURE(!asked[0] || (strlen(asked) < members[i].bytes && members[i].is_it(asked)), KS_E_USAGE,
           "\"%s\" %s", members[i].name, members[i].shape);
    message_copy(member_of(p, i), members[i].bytes, asked);
    return KS_SUCCESS;
}

/* Clients of one cloud are told both, and put either into a policy: they must mean the same. */
static ks_rc check_agreement(const struct platform *p)
{
    if (p->aws_principal[0]) {
        const char *account = account_of(p->aws_principal);
        ENSURE(strncmp(account, p->aws_account, ACCOUNT_DIGITS) == 0, KS_E_USAGE,
               "\"aws_principal\" is of the account %.12s, so \"aws_account\" must be that too",
               account);
    }
    if (p->gcp_service_account[0]) {
        const char *project = strchr(p->gcp_service_account, '@') + 1;
        size_t len = strcspn(project, ".");
        ENSURE(
            len == strlen(p->gcp_project) && strncmp(project, p->gcp_project, len) == 0, KS_E_USAGE,
            "\"gcp_service_account\" is of the project %.*s, so \"gcp_project\" must be that too",
            (int)len, project);
    }
    return KS_SUCCESS;
}

static json_t *detail_of(struct platform *p)
{
    json_t *detail = json_object();

    for (size_t i = 0; detail && i < MEMBER_COUNT; i++)
        /* an event that says less is better than none */
        json_object_set_new(detail, members[i].name, json_string(member_of(p, i)));
    return detail;
}

static bool is_same(struct platform *a, struct platform *b)
{
    for (size_t i = 0; i < MEMBER_COUNT; i++)
        if (strcmp(member_of(a, i), member_of(b, i)) != 0)
            return false;
    return true;
}

ks_rc control_platform_change(struct control *c, const struct caller *by,
                              const struct platform_change *change, struct platform *ret)
{
    CLEANUP(store_tx_end) struct store_tx *tx = NULL;
    struct platform was, row;

    ENSURE(caller_is_platform(by) && caller_has_role(by, ROLE_ADMIN), KS_E_PERMISSION,
           "this is for administrators of the platform");
    TRY(store_tx_begin(c->store, &tx));
    TRY(store_platform_get(store_tx_view(tx), &was));
    row = was;
    for (size_t i = 0; i < MEMBER_COUNT; i++)
        TRY(take_member(change, i, &row));
    TRY(check_agreement(&row));
    if (!is_same(&row, &was)) {
        row.updated = clock_wall_s(c->clock);
        TRY(store_platform_put(tx, &row));
        TRY(store_tx_audit(tx, by,
                           &(struct store_event){.action = "platform.change",
                                                 .object = "platform",
                                                 .detail = detail_of(&row)}));
        TRY(store_tx_commit(&tx));
    }
    *ret = row;
    return KS_SUCCESS;
}

ks_rc control_platform_get(struct control *c, struct platform *ret)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;

    TRY(store_view_begin(c->store, &v));
    return store_platform_get(v, ret);
}
