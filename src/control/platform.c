/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/identity.c - as whom the nodes come to the customers' key services, as the operator says it.
 *
 * It is told to customers, who put it into trust policies; nothing here makes it so.
 */
#include <string.h>

#include "control/control_int.h"
#include "control/message.h"

enum { ACCOUNT_DIGITS = 12, PROJECT_MIN = 6, PROJECT_MAX = 30, UUID_LEN = 36 };

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

static const char *keep(char to[NAME_BYTES], const char *text)
{
    if (!text)
        return NULL;
    message_copy(to, NAME_BYTES, text);
    return to;
}

ks_rc identity_take(struct control *c, const struct provider_identity *p)
{
    ENSURE(!p->aws_account || is_account(p->aws_account), KS_E_USAGE,
           "an account of AWS has %d digits", ACCOUNT_DIGITS);
    ENSURE(!p->gcp_project || is_project(p->gcp_project), KS_E_USAGE,
           "the id of a project of Google Cloud has %d to %d small letters, digits and dashes",
           PROJECT_MIN, PROJECT_MAX);
    ENSURE(!p->azure_client_id || is_uuid(p->azure_client_id), KS_E_USAGE,
           "the client id of an application of Azure is a UUID");
    c->provider.aws_account = keep(c->aws_account, p->aws_account);
    c->provider.gcp_project = keep(c->gcp_project, p->gcp_project);
    c->provider.azure_client_id = keep(c->azure_client_id, p->azure_client_id);
    return KS_SUCCESS;
}

const struct provider_identity *control_provider(const struct control *c)
{
    return &c->provider;
}
