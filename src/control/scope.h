/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/scope.h - what a caller may see and do: the one place where scopes and roles are compared.
 *
 * A key of the platform (organisation "") manages organisations, nodes and keys of the API and sees no cluster. A key of an
 * organisation sees that organisation's objects, a key of a cluster that cluster's only. Pure functions, any thread.
 * Whoever may not see an object is told what is told about one that does not exist.
 */
#pragma once

#include "control/model.h"

/* caller_is_platform(by): its scope is the platform. */
bool caller_is_platform(const struct caller *by);
/* caller_may_see(by, organisation, cluster): an object of that organisation ("": of the platform) and, unless cluster is
 * "", of that cluster. */
bool caller_may_see(const struct caller *by, const char *organisation, const char *cluster);
/* caller_may_see_organisation(by, organisation): the organisation itself, its name and label: its own keys and the platform's. */
bool caller_may_see_organisation(const struct caller *by, const char *organisation);
/* caller_has_role(by, role): its role is that one or a greater one. */
bool caller_has_role(const struct caller *by, enum role role);
/* caller_may_grant(by, key): it may make or take back a key of that scope and role: none wider than its own. */
bool caller_may_grant(const struct caller *by, const struct api_key *key);
