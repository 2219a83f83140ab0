/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/profile.h - profiles: where a control plane is and which file holds the API key for it, under a name.
 *
 * They lie in $XDG_CONFIG_HOME/keystead/profiles.json (~/.config/keystead/profiles.json), mode 0600, and name files only: no
 * secret is ever in there.
 */
#pragma once

#include <jansson.h>

#include "base/rc.h"

enum { PROFILE_NAME_BYTES = 64 };

/* One profile; each text is owned and may be NULL. profile_done(p): for CLEANUP. */
struct profile {
    char *server, *key_file, *ca_file;
};
void profile_done(struct profile *p);

/* profile_path(ret): of the file, by the environment. USAGE when there is neither XDG_CONFIG_HOME nor HOME. */
ks_rc profile_path(char **ret) KS_MUST;

/*
 * profile_load(path, ret): {"current": NAME or null, "profiles": {NAME: {"server", "key_file", "ca_file"}}}, checked. Without a
 * file: no profiles. FORMAT for a file that is something else; the text names it. profile_store(path, all): makes missing
 * directories; the file is old or new, never a mixture.
 */
ks_rc profile_load(const char *path, json_t **ret) KS_MUST;
ks_rc profile_store(const char *path, const json_t *all) KS_MUST;

/* profile_check_name(name): USAGE unless it is made of a-z, 0-9, dot, dash and underscore, 63 at most. */
ks_rc profile_check_name(const char *name) KS_MUST;
/* profile_choose(all, name, ret): the profile of that name; NULL: the current one. NOT_FOUND says which there are. */
ks_rc profile_choose(const json_t *all, const char *name, struct profile *ret) KS_MUST;
