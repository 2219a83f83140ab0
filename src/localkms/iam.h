/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/iam.h - accounts, users, access keys, roles and their policies, as AWS IAM has them; and the sessions that STS
 * gives out.
 *
 * All of it is in memory and in the store; a change is in the store before it is answered, and counts from then on for every
 * request. Sessions are not stored: a session token is a sealed record of itself, so it survives a restart, and dies with its
 * role. Thread-safe.
 */
#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "base/rc.h"
#include "base/secret.h"
#include "localkms/aws_auth.h"
#include "localkms/store.h"

enum { IAM_KEY_ID_BYTES = 21, IAM_SECRET_BYTES = 41 };

/* iam_open(store, random, ret): reads what the store has; the first time it makes the key that seals session tokens. The
 * store and random must live longer. AUTH, CORRUPT, NO_MEMORY. */
ks_rc iam_open(struct lk_store *store, struct random *random, struct iam **ret) KS_MUST;
void iam_close(struct iam *iam);
void iam_closep(struct iam **iam);

/* An access key as its owner gets it, once. */
struct iam_key_pair {
    char id[IAM_KEY_ID_BYTES];
    char secret[IAM_SECRET_BYTES];
};
void iam_key_pair_wipe(struct iam_key_pair *p);

/*
 * What AWS has no request for. iam_account_add(iam, account, now_s, ret): a new account of twelve digits, with an access key
 * of its root user; EXISTS, USAGE. iam_account_has(iam, account). iam_account_each(iam, each, arg): in ascending order.
 */
ks_rc iam_account_add(struct iam *iam, const char *account, int64_t now_s,
                      struct iam_key_pair *ret) KS_MUST;
bool iam_account_has(struct iam *iam, const char *account);
ks_rc iam_account_each(struct iam *iam, ks_rc (*each)(void *arg, const char *account),
                       void *arg) KS_MUST;
/* iam_account_new_key(iam, account, now_s, ret): another access key of the root user, who lost his; at most two, NOT_FOUND. */
ks_rc iam_account_new_key(struct iam *iam, const char *account, int64_t now_s,
                          struct iam_key_pair *ret) KS_MUST;
/* iam_principal_exists(iam, arn): whether a policy may name it: an account that is known, or a user, role or session of a role
 * that is there. */
bool iam_principal_exists(struct iam *iam, const char *arn);
