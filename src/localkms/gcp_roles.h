/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/gcp_roles.h - roles, and what a policy of Google's IAM allows. Pure.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

enum { GOOG_TEXT_BYTES = 600, GOOG_ETAG_BYTES = 32 };

/* goog_policy_allows(policy, member, permission): whether a binding of policy (NULL: none) gives it to member
 * ("serviceAccount:EMAIL"). */
bool goog_policy_allows(const json_t *policy, const char *member, const char *permission);
/* goog_policy_check(policy, problem): whether policy may be set; if not, problem says why in Google's words. Whether
 * service accounts in it exist is not looked at. */
bool goog_policy_check(const json_t *policy, char problem[GOOG_TEXT_BYTES]);
/* goog_policy_each(policy, each, arg): every member of every binding; ends with the first false. */
bool goog_policy_each(const json_t *policy, bool (*each)(void *arg, const char *member), void *arg);
