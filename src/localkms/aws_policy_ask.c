/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_policy_ask.c - what a policy says to a request.
 */
#include <stdio.h>
#include <string.h>

#include "localkms/aws_policy_int.h"

static bool is_covered(const struct pattern_list *list, struct question *q, const char *text,
                       bool is_no_case)
{
    char room[EXPANDED_BYTES];

    for (size_t i = 0; i < list->count; i++) {
        const char *pattern = pattern_expand(&list->items[i], q, room);
        if (pattern && glob_match(pattern, view_text(text), is_no_case))
            return true;
    }
    return false;
}

/* How a statement names the caller; an account's root user is the account itself. */
static struct policy_answer naming(const struct principal *p, const struct aws_identity *who)
{
    struct policy_answer how = {0};
    size_t len;

    switch (p->kind) {
    case PRINCIPAL_ANY:
        how.allows_principal = true;
        break;
    case PRINCIPAL_ACCOUNT:
        how.allows_account = strcmp(p->text, who->account) == 0;
        how.allows_principal = how.allows_account && who->kind == AWS_ROOT;
        break;
    case PRINCIPAL_EXACT:
        len = strcspn(who->user_id, ":");
        how.allows_principal = strcmp(p->text, who->principal) == 0 ||
                               (strlen(p->text) == len && strncmp(p->text, who->user_id, len) == 0);
        how.allows_session = who->kind == AWS_ROLE_SESSION && strcmp(p->text, who->arn) == 0;
        break;
    case PRINCIPAL_OTHER:
        break;
    }
    return how;
}

/* Allow with NotPrincipal is for everybody whom no entry covers in any way. A Deny excepts only who is named in every form
 * that he has: account, role and session. */
static bool is_excepted(const struct statement *s, const struct aws_identity *who,
                        const struct policy_answer *named)
{
    bool is_named = named->allows_account || named->allows_principal || named->allows_session;

    if (s->is_allow)
        return is_named;
    for (size_t i = 0; i < s->principal_count; i++)
        if (s->principals[i].kind == PRINCIPAL_ANY)
            return true;
    return named->allows_account && named->allows_principal &&
           (who->kind != AWS_ROLE_SESSION || named->allows_session);
}

/* In which ways a statement is about the caller. */
static struct policy_answer addressed(const struct statement *s, const struct aws_identity *who)
{
    struct policy_answer named = {0};

    if (!s->has_principal)
        return (struct policy_answer){.allows_principal = true};
    for (size_t i = 0; i < s->principal_count; i++) {
        struct policy_answer how = naming(&s->principals[i], who);
        named.allows_account |= how.allows_account;
        named.allows_principal |= how.allows_principal;
        named.allows_session |= how.allows_session;
    }
    if (!s->is_not_principal)
        return named;
    return (struct policy_answer){.allows_principal = !is_excepted(s, who, &named)};
}

static bool is_about(const struct statement *s, struct question *q)
{
    if (is_covered(&s->actions, q, q->access->action, true) == s->is_not_action)
        return false;
    if (s->resources.count > 0 &&
        is_covered(&s->resources, q, q->access->resource, false) == s->is_not_resource)
        return false;
    for (size_t i = 0; i < s->condition_count; i++)
        if (!condition_holds(&s->conditions[i], q))
            return false;
    return true;
}

void policy_ask(const struct aws_policy *p, const struct aws_identity *identity,
                const struct aws_access *access, struct policy_answer *answer)
{
    struct question q = {identity, access, false};

    for (size_t i = 0; i < p->statement_count; i++) {
        const struct statement *s = &p->statements[i];
        struct policy_answer how = addressed(s, identity);
        if (!how.allows_account && !how.allows_principal && !how.allows_session)
            continue;
        if (!is_about(s, &q))
            continue;
        if (!s->is_allow) {
            answer->is_denied = true;
            continue;
        }
        answer->allows_account |= how.allows_account;
        answer->allows_principal |= how.allows_principal;
        answer->allows_session |= how.allows_session;
    }
    answer->is_denied |= q.is_uncertain;
}

static enum policy_verdict limited(const struct policy_answers *a)
{
    return !a->has_session || a->session.allows_principal ? POLICY_ALLOWED : POLICY_NO_SESSION;
}

enum policy_verdict policy_decide(const struct policy_answers *a)
{
    const struct policy_answer *resource = &a->resource;

    if (a->identity.is_denied)
        return POLICY_DENIED_BY_IDENTITY;
    if (a->has_session && a->session.is_denied)
        return POLICY_DENIED_BY_SESSION;
    if (a->has_resource && resource->is_denied)
        return POLICY_DENIED_BY_RESOURCE;
    if (a->is_granted)
        return limited(a);
    if (a->has_resource && a->is_own_account && resource->allows_session)
        return POLICY_ALLOWED;
    if (a->has_resource && a->is_own_account && resource->allows_principal)
        return limited(a);
    if (a->has_resource
            ? !resource->allows_account && !resource->allows_principal && !resource->allows_session
            : !a->is_own_account)
        return POLICY_NO_RESOURCE;
    return a->identity.allows_principal ? limited(a) : POLICY_NO_IDENTITY;
}
