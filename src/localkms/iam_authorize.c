/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/iam_authorize.c - whether somebody may do something: all policies around a request, asked and decided.
 */
#include <stdio.h>
#include <string.h>

#include "localkms/aws_refusal.h"
#include "localkms/iam_int.h"

struct request {
    const struct iam *iam;
    const struct aws_identity *who;
    const struct aws_access *access;
};

static void ask_managed(const struct request *r, const char *arn, struct policy_answer *answer)
{
    const struct iam_object *policy = iam_seen(r->iam, iam_find_arn(r->iam, arn));

    if (policy && policy->kind == IAM_POLICY)
        policy_ask(policy->document, r->who, r->access, answer);
}

/* Under the lock. The user or role must still be the one that was authenticated. */
static void ask_identity(const struct request *r, struct policy_answer *answer)
{
    const struct iam_object *o = iam_seen(r->iam, iam_find_arn(r->iam, r->who->principal));

    if (r->who->kind == AWS_ROOT) {
        answer->allows_principal = true;
        return;
    }
    size_t len = o && o->unique_id ? strlen(o->unique_id) : 0;
    if (len == 0 || strncmp(r->who->user_id, o->unique_id, len) != 0) {
        answer->is_denied = true;
        return;
    }
    for (size_t i = 0; i < o->inline_count; i++)
        policy_ask(o->inlines[i], r->who, r->access, answer);
    for (size_t i = 0; i < o->attached_count; i++)
        ask_managed(r, o->attached[i], answer);
}

/* Under the lock. */
static void ask_session(const struct request *r, struct policy_answers *answers)
{
    const struct iam_session *s = r->who->iam_session;

    if (!s)
        return;
    answers->has_session = true;
    if (s->policy)
        policy_ask(s->policy, r->who, r->access, &answers->session);
    for (size_t i = 0; i < json_array_size(s->policy_arns); i++)
        ask_managed(r, json_string_value(json_array_get(s->policy_arns, i)), &answers->session);
}

/* AWS does not say why a role cannot be assumed: whoever guesses ExternalIds learns nothing. */
static bool refuse(const struct request *r, enum policy_verdict verdict,
                   struct aws_refusal *refusal)
{
    static const struct {
        const char *text;
        bool names_action;
    } reasons[] = {
        [POLICY_ALLOWED] = {"", false},
        [POLICY_DENIED_BY_IDENTITY] = {" with an explicit deny in an identity-based policy", false},
        [POLICY_DENIED_BY_SESSION] = {" with an explicit deny in a session policy", false},
        [POLICY_DENIED_BY_RESOURCE] = {" with an explicit deny in a resource-based policy", false},
        [POLICY_NO_IDENTITY] = {" because no identity-based policy allows the ", true},
        [POLICY_NO_SESSION] = {" because no session policy allows the ", true},
        [POLICY_NO_RESOURCE] = {" because no resource-based policy allows the ", true},
    };
    const char *action = r->access->action;
    bool is_silent = strncmp(action, "sts:", 4) == 0;
    bool names_action = !is_silent && reasons[verdict].names_action;

    return aws_refuse(refusal, AWS_DENIED, strncmp(action, "kms:", 4) == 0,
                      "User: %.800s is not authorized to perform: %s on resource: %.800s%s%s%s",
                      r->who->arn, action, r->access->resource,
                      is_silent ? "" : reasons[verdict].text, names_action ? action : "",
                      names_action ? " action" : "");
}

bool iam_authorize_locked(struct iam *iam, const struct aws_identity *identity,
                          const struct aws_access *access, struct aws_refusal *refusal)
{
    struct request r = {iam, identity, access};
    struct policy_answers answers = {
        .has_resource = access->resource_policy != NULL,
        .is_own_account = strcmp(access->account, identity->account) == 0,
        .is_granted = access->is_granted,
    };

    ask_identity(&r, &answers.identity);
    ask_session(&r, &answers);
    if (access->resource_policy)
        policy_ask(access->resource_policy, identity, access, &answers.resource);
    enum policy_verdict verdict = policy_decide(&answers);
    return verdict == POLICY_ALLOWED || refuse(&r, verdict, refusal);
}

bool aws_authorize(struct iam *iam, const struct aws_identity *identity,
                   const struct aws_access *access, struct aws_refusal *refusal)
{
    pthread_rwlock_rdlock(&iam->lock);
    bool is_allowed = iam_authorize_locked(iam, identity, access, refusal);
    pthread_rwlock_unlock(&iam->lock);
    return is_allowed;
}
