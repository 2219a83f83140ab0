/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/gcp_roles.c - the roles that exist here, and the evaluation of policies.
 *
 * Invariant: a role or a condition that is not understood is refused when a policy is set, so none can be in one.
 */
#include "localkms/gcp_roles.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { PATTERNS_MAX = 8, BINDINGS_MAX = 256, MEMBERS_MAX = 1500 };

/* A pattern may end with '*'; with '!' in front it takes away. The first that fits decides. */
static const struct role {
    const char *name, *patterns[PATTERNS_MAX];
} roles[] = {
    {"roles/owner", {"!iam.serviceAccounts.getAccessToken", "*"}},
    {"roles/viewer",
     {"cloudkms.keyRings.get", "cloudkms.keyRings.list", "cloudkms.cryptoKeys.get",
      "cloudkms.cryptoKeys.list", "cloudkms.cryptoKeyVersions.get",
      "cloudkms.cryptoKeyVersions.list", "cloudkms.importJobs.list"}},
    {"roles/cloudkms.admin", {"!cloudkms.cryptoKeyVersions.useTo*", "cloudkms.*"}},
    {"roles/cloudkms.viewer",
     {"cloudkms.keyRings.get", "cloudkms.keyRings.list", "cloudkms.cryptoKeys.get",
      "cloudkms.cryptoKeys.list", "cloudkms.cryptoKeyVersions.get",
      "cloudkms.cryptoKeyVersions.list", "cloudkms.importJobs.get", "cloudkms.importJobs.list"}},
    {"roles/cloudkms.cryptoKeyEncrypterDecrypter",
     {"cloudkms.cryptoKeyVersions.useToEncrypt", "cloudkms.cryptoKeyVersions.useToDecrypt"}},
    {"roles/cloudkms.cryptoKeyEncrypter", {"cloudkms.cryptoKeyVersions.useToEncrypt"}},
    {"roles/cloudkms.cryptoKeyDecrypter", {"cloudkms.cryptoKeyVersions.useToDecrypt"}},
    {"roles/cloudkms.importer", {"cloudkms.importJobs.*"}},
    {"roles/iam.serviceAccountTokenCreator", {"iam.serviceAccounts.getAccessToken"}},
    {"roles/iam.serviceAccountUser", {"iam.serviceAccounts.actAs", "iam.serviceAccounts.get"}},
    {"roles/iam.serviceAccountAdmin",
     {"!iam.serviceAccounts.getAccessToken", "iam.serviceAccounts.*"}},
    {"roles/iam.serviceAccountKeyAdmin",
     {"iam.serviceAccountKeys.*", "iam.serviceAccounts.get", "iam.serviceAccounts.list"}},
    {"roles/resourcemanager.projectIamAdmin",
     {"resourcemanager.projects.getIamPolicy", "resourcemanager.projects.setIamPolicy"}},
};

static const struct role *find_role(const char *name)
{
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (strcmp(roles[i].name, name) == 0)
            return &roles[i];
    return NULL;
}

static bool fits(const char *pattern, const char *permission)
{
    size_t len = strlen(pattern);

    if (len && pattern[len - 1] == '*')
        return strncmp(pattern, permission, len - 1) == 0;
    return strcmp(pattern, permission) == 0;
}

static bool role_has(const struct role *r, const char *permission)
{
    for (size_t i = 0; i < PATTERNS_MAX && r->patterns[i]; i++) {
        bool is_taken = r->patterns[i][0] == '!';
        if (fits(r->patterns[i] + is_taken, permission))
            return !is_taken;
    }
    return false;
}

static bool is_member(const char *in_policy, const char *member)
{
    if (strcmp(in_policy, "allUsers") == 0 || strcmp(in_policy, "allAuthenticatedUsers") == 0)
        return true;
    return strcasecmp(in_policy, member) == 0;
}

static bool binding_allows(const json_t *binding, const char *member, const char *permission)
{
    const struct role *role = find_role(json_string_value(json_object_get(binding, "role")));
    const json_t *value;
    size_t i;

    if (!role || !role_has(role, permission))
        return false;
    json_array_foreach(json_object_get(binding, "members"), i,
                       value) if (is_member(json_string_value(value), member)) return true;
    return false;
}

bool goog_policy_allows(const json_t *policy, const char *member, const char *permission)
{
    const json_t *binding;
    size_t i;

    json_array_foreach(json_object_get(policy, "bindings"), i,
                       binding) if (binding_allows(binding, member, permission)) return true;
    return false;
}

static bool is_member_text(const char *text)
{
    static const char *const prefixes[] = {"user:", "serviceAccount:", "group:", "domain:"};

    if (!text)
        return false;
    if (strcmp(text, "allUsers") == 0 || strcmp(text, "allAuthenticatedUsers") == 0)
        return true;
    for (size_t i = 0; i < 4; i++)
        if (strncmp(text, prefixes[i], strlen(prefixes[i])) == 0 && text[strlen(prefixes[i])])
            return true;
    return false;
}

static bool check_binding(const json_t *binding, char problem[GOOG_TEXT_BYTES])
{
    const char *role = json_string_value(json_object_get(binding, "role"));
    const json_t *members = json_object_get(binding, "members"), *value;
    size_t i;

    problem[0] = 0;
    if (!role || !find_role(role))
        snprintf(problem, GOOG_TEXT_BYTES, "Role %.100s is not supported for this resource.",
                 role ? role : "");
    else if (json_object_get(binding, "condition"))
        snprintf(problem, GOOG_TEXT_BYTES, "Conditions are not supported by this service.");
    else if (members && (!json_is_array(members) || json_array_size(members) > MEMBERS_MAX))
        snprintf(problem, GOOG_TEXT_BYTES, "The members of a binding must be at most %d texts.",
                 MEMBERS_MAX);
    json_array_foreach(members, i,
                       value) if (!problem[0] && !is_member_text(json_string_value(value)))
        snprintf(problem, GOOG_TEXT_BYTES, "The member %.100s is of an unknown type.",
                 json_is_string(value) ? json_string_value(value) : "");
    return !problem[0];
}

bool goog_policy_check(const json_t *policy, char problem[GOOG_TEXT_BYTES])
{
    const json_t *bindings = json_object_get(policy, "bindings"), *binding;
    size_t i;

    if (!json_is_object(policy) || (bindings && !json_is_array(bindings)) ||
        json_array_size(bindings) > BINDINGS_MAX) {
        snprintf(problem, GOOG_TEXT_BYTES, "The policy must be an object with at most %d bindings.",
                 BINDINGS_MAX);
        return false;
    }
    json_array_foreach(bindings, i, binding) if (!check_binding(binding, problem)) return false;
    return true;
}

static bool each_member(const json_t *binding, bool (*each)(void *arg, const char *member),
                        void *arg)
{
    const json_t *value;
    size_t i;

    json_array_foreach(json_object_get(binding, "members"), i,
                       value) if (!each(arg, json_string_value(value))) return false;
    return true;
}

bool goog_policy_each(const json_t *policy, bool (*each)(void *arg, const char *member), void *arg)
{
    const json_t *binding;
    size_t i;

    json_array_foreach(json_object_get(policy, "bindings"), i,
                       binding) if (!each_member(binding, each, arg)) return false;
    return true;
}
