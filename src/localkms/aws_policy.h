/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_policy.h - AWS policy documents: read, checked, and asked about one request.
 *
 * A document that is accepted is understood in full: an element, operator or value that would be ignored is refused, in
 * AWS's words. What cannot be decided (more values than fit) counts as denied.
 *
 * Source: "IAM JSON policy elements reference" and "Policy evaluation logic" (IAM user guide).
 */
#pragma once

#include "base/buf.h"
#include "base/rc.h"
#include "base/view.h"
#include "localkms/aws_auth.h"

enum { POLICY_BYTES_MAX = 32768, POLICY_DEPTH_MAX = 8 };

enum policy_kind {
    POLICY_IDENTITY, /* of a user, role or session: no principal */
    POLICY_TRUST,    /* of a role: who may assume it; no resource */
    POLICY_KEY,      /* of a KMS key */
};

/* policy_parse(text, kind, ret): USAGE with AWS's message as its text; LIMIT when longer than POLICY_BYTES_MAX. */
ks_rc policy_parse(struct view text, enum policy_kind kind, struct aws_policy **ret) KS_MUST;
void policy_free(struct aws_policy *p);
void policy_freep(struct aws_policy **p);
/* policy_text(p): the document as it was given. policy_write(p, ret): appends it in compact form. */
const char *policy_text(const struct aws_policy *p);
ks_rc policy_write(const struct aws_policy *p, struct buf *ret) KS_MUST;
/* policy_each_principal(p, each, arg): the ARNs, account numbers and ids under "AWS" that are not "*"; ends with the first
 * failure of each. */
ks_rc policy_each_principal(const struct aws_policy *p, ks_rc (*each)(void *arg, const char *text),
                            void *arg) KS_MUST;

/* What a policy says to a request. Each flag is only ever set: several policies add up. */
struct policy_answer {
    bool is_denied;
    bool allows_account; /* to the caller's account, which may hand it on by policies of its own */
    bool
        allows_principal; /* to the user or role itself, or to everybody; of an identity policy: at all */
    bool allows_session; /* to this very session */
};

/* policy_ask(p, identity, access, answer): adds what p says. access->resource_policy and is_granted play no part. Any
 * thread. */
void policy_ask(const struct aws_policy *p, const struct aws_identity *identity,
                const struct aws_access *access, struct policy_answer *answer);

/* All that the policies around a request said. */
struct policy_answers {
    struct policy_answer identity; /* of the user or role; everything for a root user */
    struct policy_answer resource, session;
    bool has_resource, has_session; /* whether there are such policies */
    bool is_own_account;            /* the resource is in the account of the caller */
    bool is_granted;                /* by a grant of the resource */
};

enum policy_verdict {
    POLICY_ALLOWED,
    POLICY_DENIED_BY_IDENTITY,
    POLICY_DENIED_BY_SESSION,
    POLICY_DENIED_BY_RESOURCE,
    POLICY_NO_IDENTITY, /* nothing of the kind allows it */
    POLICY_NO_SESSION,
    POLICY_NO_RESOURCE,
};

/*
 * policy_decide(a): a Deny anywhere wins. In the caller's account the resource policy allows a principal by itself, or its
 * account, and then the identity policies decide; without a resource policy they decide alone. Across accounts both sides
 * must allow. A session policy limits all of that, but for a resource policy that names the session. A grant stands in for
 * both sides.
 */
enum policy_verdict policy_decide(const struct policy_answers *a);
