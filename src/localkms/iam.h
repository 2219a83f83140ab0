/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/iam.h - accounts, users, access keys, roles and their policies, as AWS IAM has them; and the sessions that STS
 * gives out.
 *
 * All of it is in memory and in the store; a change is in the store before it is answered, and counts from then on for every
 * request. Sessions are not stored: a session token is a sealed record of itself, so it survives a restart, and dies with its
 * role. Changes take the turn of the realm; readers need no lock of the realm, and may hold any. Thread-safe.
 */
#pragma once

#include "localkms/aws_auth.h"
#include "localkms/realm.h"

enum { IAM_KEY_ID_BYTES = 21, IAM_SECRET_BYTES = 41 };

/* iam_open(r, ret): reads what the store has. The realm must live longer. AUTH, CORRUPT, NO_MEMORY. */
ks_rc iam_open(struct realm *r, struct iam **ret) KS_MUST;
void iam_close(struct iam *iam);

/* An access key as its owner gets it, once. */
struct iam_key_pair {
    char id[IAM_KEY_ID_BYTES];
    char secret[IAM_SECRET_BYTES];
};
void iam_key_pair_wipe(struct iam_key_pair *p);

/*
 * What AWS has no request for. iam_account_add(iam, account, event, ret): a new account of twelve digits, with an access key
 * of its root user; EXISTS, USAGE. iam_account_has(iam, account). iam_account_each(iam, each, arg): in ascending order.
 * event: for the audit; who did it.
 */
ks_rc iam_account_add(struct iam *iam, const char *account, const struct lk_event *event,
                      struct iam_key_pair *ret) KS_MUST;
bool iam_account_has(struct iam *iam, const char *account);
ks_rc iam_account_each(struct iam *iam, ks_rc (*each)(void *arg, const char *account),
                       void *arg) KS_MUST;
/* iam_account_new_key(iam, account, event, ret): another access key of the root user, who lost his; at most two (LIMIT);
 * NOT_FOUND. */
ks_rc iam_account_new_key(struct iam *iam, const char *account, const struct lk_event *event,
                          struct iam_key_pair *ret) KS_MUST;
/* iam_principal_exists(iam, arn): whether a policy may name it: an account (also as twelve digits) that is known, or a user,
 * role or session of a role that is there. */
bool iam_principal_exists(struct iam *iam, const char *arn);
