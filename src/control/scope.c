/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/scope.c - comparing a caller's scope and role with an object's.
 */
#include "control/scope.h"

#include <string.h>

bool caller_is_platform(const struct caller *by)
{
    return by->organisation[0] == '\0';
}

bool caller_may_see(const struct caller *by, const char *organisation, const char *cluster)
{
    bool is_of_cluster = cluster[0] != '\0';

    if (caller_is_platform(by))
        return !is_of_cluster;
    if (strcmp(by->organisation, organisation) != 0)
        return false;
    return by->cluster[0] == '\0' || strcmp(by->cluster, cluster) == 0;
}

bool caller_may_see_organisation(const struct caller *by, const char *organisation)
{
    return caller_is_platform(by) || strcmp(by->organisation, organisation) == 0;
}

bool caller_has_role(const struct caller *by, enum role role)
{
    return by->role >= role;
}

bool caller_may_grant(const struct caller *by, const struct api_key *key)
{
    if (!caller_has_role(by, ROLE_ADMIN) || by->role < key->role)
        return false;
    /* Of an organisation's clusters the platform sees none; who manages that organisation decides about them. */
    return caller_may_see(by, key->organisation, key->cluster);
}
