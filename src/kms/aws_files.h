/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_files.h - the environment and the shared files in which AWS's tools keep their settings and credentials.
 */
#pragma once

#include "base/secret.h"
#include "kms/driver.h"

enum { AWS_PROFILE_BYTES = 256, AWS_VALUE_BYTES = 4096 };

/* The environment as the driver was told to see it. */
struct aws_env {
    const char *(*get)(void *arg, const char *name);
    void *arg;
};

/* aws_env_of(conf): that of conf, or the process's own.
 * aws_env_get(env, name): NULL when it is not set or empty. aws_env_is(env, name): whether it says "true" or "1". */
struct aws_env aws_env_of(const struct kms_conf *conf);
const char *aws_env_get(const struct aws_env *env, const char *name);
bool aws_env_is(const struct aws_env *env, const char *name);

/* The two files, as they were when they were read. */
struct aws_files {
    struct secret *config, *credentials; /* NULL: there is none */
    char profile[AWS_PROFILE_BYTES];     /* the one in use */
    bool is_profile_named;               /* by the environment: then it must be there */
};

/*
 * aws_files_read(env, ret): AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE, or ~/.aws/config and ~/.aws/credentials. A file that
 * is not there is none; CREDENTIAL for one that cannot be read. aws_files_done(f): for CLEANUP.
 */
ks_rc aws_files_read(const struct aws_env *env, struct aws_files *ret) KS_MUST;
void aws_files_done(struct aws_files *f);

/* aws_profile_exists(f, profile). */
bool aws_profile_exists(const struct aws_files *f, const char *profile);
/* aws_profile_find(f, profile, name, ret): the value of the credentials file, else that of the config file; valid as
 * long as f. False when there is none or it is empty. */
bool aws_profile_find(const struct aws_files *f, const char *profile, const char *name,
                      struct view *ret);
/* aws_profile_text(f, profile, name, room, len): the same, copied; "" when there is none or it does not fit. */
bool aws_profile_text(const struct aws_files *f, const char *profile, const char *name, char *room,
                      size_t len);
/* aws_service_text(f, profile, service, name, room, len): from the section "[services S]" that the profile names. */
bool aws_service_text(const struct aws_files *f, const char *profile, const char *service,
                      const char *name, char *room, size_t len);
