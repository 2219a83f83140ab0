/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_files.c - the environment and the shared files of AWS's tools.
 */
#include "kms/aws_files.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/environment.h"
#include "kms/aws_ini.h"
#include "kms/secret_file.h"

enum { FILE_BYTES_MAX = 256 * 1024 };

struct aws_env aws_env_of(const struct kms_conf *conf)
{
    return conf->env ? (struct aws_env){conf->env, conf->env_arg}
                     : (struct aws_env){environment_get, NULL};
}

const char *aws_env_get(const struct aws_env *env, const char *name)
{
    const char *value = env->get(env->arg, name);

    return value && value[0] ? value : NULL;
}

bool aws_env_is(const struct aws_env *env, const char *name)
{
    const char *value = aws_env_get(env, name);

    return value && (strcasecmp(value, "true") == 0 || strcmp(value, "1") == 0);
}

/* The path that a variable names, else ~/.aws/NAME; false without a home. */
static bool find_path(const struct aws_env *env, const char *variable, const char *name,
                      char path[SECRET_FILE_PATH_BYTES])
{
    const char *named = aws_env_get(env, variable), *home = aws_env_get(env, "HOME");
    bool is_below_home = named && strncmp(named, "~/", 2) == 0;

    if (named && !is_below_home)
        return snprintf(path, SECRET_FILE_PATH_BYTES, "%s", named) < SECRET_FILE_PATH_BYTES;
    if (!home)
        return false;
    int n = is_below_home ? snprintf(path, SECRET_FILE_PATH_BYTES, "%s%s", home, named + 1)
                          : snprintf(path, SECRET_FILE_PATH_BYTES, "%s/.aws/%s", home, name);
    return n < SECRET_FILE_PATH_BYTES;
}

static ks_rc read_one(const struct aws_env *env, const char *variable, const char *name,
                      struct secret **ret)
{
    const struct secret_file_bounds bounds = {0, FILE_BYTES_MAX, "a file of AWS settings"};
    char path[SECRET_FILE_PATH_BYTES];

    if (!find_path(env, variable, name, path))
        return KS_SUCCESS;
    ks_rc rc = secret_file_read(io_posix(), path, bounds, ret);
    if (ks_ok(rc) || ks_is_os(rc, ENOENT) || ks_is_os(rc, ENOTDIR))
        return KS_SUCCESS;
    if (rc.cls == KS_CLASS_LIMIT && !ks_is(rc, KS_E_LIMIT))
        return rc; /* of this process, not of the file */
    return ks_fail(KS_E_CREDENTIAL, "%.200s cannot be read: %s", path, ks_text(rc));
}

ks_rc aws_files_read(const struct aws_env *env, struct aws_files *ret)
{
    CLEANUP(aws_files_done) struct aws_files f = {.config = NULL};
    const char *profile = aws_env_get(env, "AWS_PROFILE");

    if (!profile)
        profile = aws_env_get(env, "AWS_DEFAULT_PROFILE");
    f.is_profile_named = profile != NULL;
    ENSURE(!profile || strlen(profile) < sizeof f.profile, KS_E_CREDENTIAL,
           "the name of the profile in AWS_PROFILE is too long");
    snprintf(f.profile, sizeof f.profile, "%s", profile ? profile : "default");
    TRY(read_one(env, "AWS_CONFIG_FILE", "config", &f.config));
    TRY(read_one(env, "AWS_SHARED_CREDENTIALS_FILE", "credentials", &f.credentials));
    *ret = f;
    f.config = f.credentials = NULL;
    return KS_SUCCESS;
}

void aws_files_done(struct aws_files *f)
{
    secret_free(f->config);
    secret_free(f->credentials);
    f->config = f->credentials = NULL;
}

static struct view text_of(const struct secret *s)
{
    return s ? secret_view(s) : view_of(NULL, 0);
}

bool aws_profile_exists(const struct aws_files *f, const char *profile)
{
    return aws_ini_has(text_of(f->credentials), "", profile) ||
           aws_ini_has(text_of(f->config), "profile", profile);
}

bool aws_profile_find(const struct aws_files *f, const char *profile, const char *name,
                      struct view *ret)
{
    const struct aws_ini_key in_credentials = {"", profile, name, NULL};
    const struct aws_ini_key in_config = {"profile", profile, name, NULL};
    struct view value;

    if (!aws_ini_find(text_of(f->credentials), &in_credentials, &value) &&
        !aws_ini_find(text_of(f->config), &in_config, &value))
        return false;
    if (value.len == 0)
        return false;
    *ret = value;
    return true;
}

static bool copy(struct view value, char *room, size_t len)
{
    bool fits = value.len > 0 && value.len < len;

    if (fits)
        memcpy(room, value.bytes, value.len);
    room[fits ? value.len : 0] = '\0';
    return fits;
}

bool aws_profile_text(const struct aws_files *f, const char *profile, const char *name, char *room,
                      size_t len)
{
    struct view value = {NULL, 0};

    aws_profile_find(f, profile, name, &value);
    return copy(value, room, len);
}

bool aws_service_text(const struct aws_files *f, const char *profile, const char *service,
                      const char *name, char *room, size_t len)
{
    struct view value = {NULL, 0};
    char section[AWS_PROFILE_BYTES];
    const struct aws_ini_key key = {"services", section, service, name};

    if (aws_profile_text(f, profile, "services", section, sizeof section))
        aws_ini_find(text_of(f->config), &key, &value);
    return copy(value, room, len);
}
