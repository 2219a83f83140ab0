/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_chain_profile.c - credentials by a profile of the shared files.
 *
 * A profile with role_arn assumes that role, with the credentials of source_profile, of credential_source or of a web
 * identity token; others hold keys or name a program that prints them. What needs a person (MFA, SSO in a browser) is
 * refused with what to do instead.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kms/aws_chain.h"

enum { PROFILES_MAX = 8, EXTERNAL_ID_BYTES = 1225, SESSION_NAME_BYTES = 65, NUMBER_BYTES = 8 };

/* One way through the profiles. */
struct walk {
    struct aws_chain *chain;
    const struct aws_files *files;
    const struct kms_call *call;
    char seen[PROFILES_MAX][AWS_PROFILE_BYTES];
    size_t seen_count;
    bool is_chained; /* the credentials at hand are a role's already */
};

static ks_rc resolve(struct walk *w, const char *profile, struct aws_credentials **ret) KS_MUST;

static bool find(const struct walk *w, const char *profile, const char *name, struct view *ret)
{
    return aws_profile_find(w->files, profile, name, ret);
}

static bool has(const struct walk *w, const char *profile, const char *name)
{
    struct view value;

    return find(w, profile, name, &value);
}

static ks_rc take_keys(struct walk *w, const char *profile, struct aws_credentials **ret)
{
    struct aws_credentials_parts parts = {.expiration = NULL};
    bool has_id = find(w, profile, "aws_access_key_id", &parts.access_key);
    bool has_key = find(w, profile, "aws_secret_access_key", &parts.secret_key);

    ENSURE(has_id || has_key, KS_E_NOT_FOUND, "profile %s has no keys", profile);
    ENSURE(has_id && has_key, KS_E_CREDENTIAL,
           "profile %s has only one of aws_access_key_id and aws_secret_access_key", profile);
    find(w, profile, "aws_session_token", &parts.token);
    return ks_wrap(aws_credentials_new(&parts, ret), "profile %s", profile);
}

static ks_rc take_source(struct walk *w, const char *profile, const char *source,
                         struct aws_credentials **ret)
{
    static const struct {
        const char *name;
        aws_chain_source *fetch;
    } sources[] = {{"Environment", aws_chain_environment},
                   {"Ec2InstanceMetadata", aws_chain_instance},
                   {"EcsContainer", aws_chain_container}};

    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++)
        if (strcmp(source, sources[i].name) == 0)
            return sources[i].fetch(w->chain, w->call, ret);
    return ks_fail(KS_E_CREDENTIAL, "profile %s: there is no credential_source \"%.60s\"", profile,
                   source);
}

/* The credentials to assume the role of profile with. */
static ks_rc take_base(struct walk *w, const char *profile, struct aws_credentials **ret)
{
    char source_profile[AWS_PROFILE_BYTES], source[AWS_PROFILE_BYTES];
    bool has_profile =
        aws_profile_text(w->files, profile, "source_profile", source_profile, AWS_PROFILE_BYTES);
    bool has_source =
        aws_profile_text(w->files, profile, "credential_source", source, AWS_PROFILE_BYTES);

    ENSURE(has_profile != has_source, KS_E_CREDENTIAL,
           "profile %s has role_arn and needs either source_profile or credential_source", profile);
    if (has_source) {
        ks_rc rc = take_source(w, profile, source, ret);
        ENSURE(!ks_is(rc, KS_E_NOT_FOUND), KS_E_CREDENTIAL,
               "profile %s: credential_source %s has no credentials", profile, source);
        return rc;
    }
    ks_rc rc = strcmp(source_profile, profile) == 0 ? take_keys(w, profile, ret)
                                                    : resolve(w, source_profile, ret);
    ENSURE(!ks_is(rc, KS_E_NOT_FOUND), KS_E_CREDENTIAL,
           "profile %s: its source_profile %s has no credentials", profile, source_profile);
    return rc;
}

/* The longest that AWS allows for a role that was assumed by a role is an hour. */
static ks_rc read_duration(const struct walk *w, const char *profile, uint32_t *ret)
{
    char text[NUMBER_BYTES], *end;

    *ret = 0;
    if (!has(w, profile, "duration_seconds"))
        return KS_SUCCESS;
    aws_profile_text(w->files, profile, "duration_seconds", text, sizeof text);
    unsigned long s = strtoul(text, &end, 10);
    ENSURE(text[0] && *end == '\0' && s >= AWS_ROLE_SESSION_S_MIN && s <= AWS_ROLE_SESSION_S_MAX,
           KS_E_CREDENTIAL, "profile %s: duration_seconds is a number from %d to %d", profile,
           AWS_ROLE_SESSION_S_MIN, AWS_ROLE_SESSION_S_MAX);
    *ret = w->is_chained && s > AWS_ROLE_CHAINED_S_MAX ? AWS_ROLE_CHAINED_S_MAX : (uint32_t)s;
    return KS_SUCCESS;
}

static ks_rc assume(struct walk *w, const char *profile, const struct aws_role *role,
                    struct aws_credentials **ret)
{
    CLEANUP(aws_credentials_unrefp) struct aws_credentials *base = NULL;
    struct aws_role timed = *role;
    enum aws_cure cure;

    TRY(take_base(w, profile, &base));
    TRY(read_duration(w, profile, &timed.duration_s));
    ks_rc rc = aws_sts_assume_role(&w->chain->sts, w->call, &timed, base, ret, &cure);
    w->is_chained = true;
    return ks_wrap(rc, "profile %s: role %.200s", profile, role->arn);
}

static ks_rc take_role(struct walk *w, const char *profile, const char *arn,
                       struct aws_credentials **ret)
{
    char external_id[EXTERNAL_ID_BYTES], session_name[SESSION_NAME_BYTES];
    char token_file[AWS_VALUE_BYTES];
    struct aws_role role = {.arn = arn, .session_name = AWS_SESSION_NAME};

    ENSURE(!has(w, profile, "mfa_serial"), KS_E_CREDENTIAL,
           "profile %s asks for a code of an MFA device (mfa_serial), which a service cannot give; "
           "use a role without it",
           profile);
    if (aws_profile_text(w->files, profile, "external_id", external_id, sizeof external_id))
        role.external_id = external_id;
    if (aws_profile_text(w->files, profile, "role_session_name", session_name, sizeof session_name))
        role.session_name = session_name;
    if (!aws_profile_text(w->files, profile, "web_identity_token_file", token_file,
                          sizeof token_file))
        return assume(w, profile, &role, ret);
    w->is_chained = true;
    role.external_id = NULL;
    TRY(read_duration(w, profile, &role.duration_s));
    return aws_chain_web_role(w->chain, w->call, &role, token_file, ret);
}

static ks_rc enter(struct walk *w, const char *profile)
{
    for (size_t i = 0; i < w->seen_count; i++)
        ENSURE(strcmp(w->seen[i], profile) != 0, KS_E_CREDENTIAL,
               "the source_profile of profiles leads back to profile %s", profile);
    ENSURE(w->seen_count < PROFILES_MAX, KS_E_CREDENTIAL,
           "more than %d profiles refer to each other with source_profile", PROFILES_MAX);
    snprintf(w->seen[w->seen_count++], AWS_PROFILE_BYTES, "%s", profile);
    return KS_SUCCESS;
}

static ks_rc resolve(struct walk *w, const char *profile, struct aws_credentials **ret)
{
    char role_arn[AWS_VALUE_BYTES];
    struct view command;

    TRY(enter(w, profile));
    ENSURE(aws_profile_exists(w->files, profile), KS_E_CREDENTIAL, "there is no profile %s",
           profile);
    if (aws_profile_text(w->files, profile, "role_arn", role_arn, sizeof role_arn))
        return take_role(w, profile, role_arn, ret);
    ks_rc rc = take_keys(w, profile, ret);
    if (!ks_is(rc, KS_E_NOT_FOUND))
        return rc;
    if (find(w, profile, "credential_process", &command))
        return ks_wrap(aws_chain_process(w->call, command, ret), "profile %s", profile);
    ENSURE(!has(w, profile, "sso_session") && !has(w, profile, "sso_start_url"), KS_E_UNSUPPORTED,
           "profile %s signs in with IAM Identity Center (sso_*), which needs a browser; set "
           "credential_process = aws configure export-credentials --profile %s in a profile of its "
           "own, or use a role",
           profile, profile);
    return ks_fail(KS_E_NOT_FOUND, "profile %s has no credentials", profile);
}

ks_rc aws_chain_profile(struct aws_chain *chain, const struct kms_call *call,
                        struct aws_credentials **ret)
{
    CLEANUP(aws_files_done) struct aws_files files = {.config = NULL};
    struct walk w = {.chain = chain, .files = &files, .call = call};

    TRY(aws_files_read(&chain->env, &files));
    if (!files.is_profile_named && !aws_profile_exists(&files, files.profile))
        return ks_fail(KS_E_NOT_FOUND, "there is no profile %s", files.profile);
    return resolve(&w, files.profile, ret);
}
