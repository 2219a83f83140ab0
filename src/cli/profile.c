/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/profile.c - the file of profiles: reader and writer side by side.
 */
#include "cli/profile.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/environment.h"
#include "base/json.h"
#include "base/mem.h"
#include "io/atomic_file.h"
#include "kms/key_file.h"

enum { FILE_BYTES_MAX = 256 * 1024, DEPTH_MAX = 4, TEXT_MAX = 4096 };

static const char *const members[] = {"server", "key_file", "ca_file"};

void profile_done(struct profile *p)
{
    mem_free(p->server);
    mem_free(p->key_file);
    mem_free(p->ca_file);
    *p = (struct profile){NULL, NULL, NULL};
}

ks_rc profile_path(char **ret)
{
    const char *config = environment_get(NULL, "XDG_CONFIG_HOME");
    const char *home = environment_get(NULL, "HOME");

    ENSURE(config || home, KS_E_USAGE,
           "there is no place for profiles: neither XDG_CONFIG_HOME nor HOME is set; name the "
           "server with --server and --key-file");
    if (config)
        return mem_format(ret, "%s/keystead/profiles.json", config);
    return mem_format(ret, "%s/.config/keystead/profiles.json", home);
}

ks_rc profile_check_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_");

    ENSURE(len > 0 && len < PROFILE_NAME_BYTES && name[len] == '\0', KS_E_USAGE,
           "\"%.80s\" is no name for a profile: a-z, 0-9, dot, dash and underscore, 63 at most",
           name);
    return KS_SUCCESS;
}

/* ---- reading ---- */

static ks_rc check_profile(const char *name, const json_t *profile)
{
    const char *text = NULL;

    TRY(profile_check_name(name));
    ENSURE(json_is_object(profile), KS_E_USAGE, "profile %s is no object", name);
    TRY(json_get_text(profile, "server", TEXT_MAX, &text));
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        TRY(json_may_text(profile, members[i], TEXT_MAX, &text));
    return KS_SUCCESS;
}

static ks_rc check(const json_t *all)
{
    const char *name, *current = NULL;
    json_t *profiles = NULL, *profile;

    ENSURE(json_is_object(all), KS_E_USAGE, "it is no JSON object");
    TRY(json_may_text(all, "current", PROFILE_NAME_BYTES - 1, &current));
    TRY(json_get_object(all, "profiles", &profiles));
    json_object_foreach(profiles, name, profile) TRY(check_profile(name, profile));
    ENSURE(!current || json_object_get(profiles, current), KS_E_USAGE,
           "the current profile %s is not among the profiles", current);
    return KS_SUCCESS;
}

struct place {
    struct io_node *dir;
    char name[IO_NAME_BYTES + 1];
};

static void place_done(struct place *p)
{
    if (p->dir)
        io_posix()->ops->node_close(io_posix(), p->dir);
}

static ks_rc read_file(const char *path, struct buf *ret)
{
    CLEANUP(place_done) struct place place = {0};

    TRY(path_open_parent(io_posix(), path, &place.dir, place.name));
    return atomic_file_read(io_posix(), place.dir, place.name, FILE_BYTES_MAX, ret);
}

ks_rc profile_load(const char *path, json_t **ret)
{
    CLEANUP(buf_done) struct buf text = buf_init(FILE_BYTES_MAX);
    CLEANUP(json_decrefp) json_t *all = NULL;
    ks_rc rc = read_file(path, &text);

    if (ks_is_os(rc, ENOENT)) {
        *ret = json_pack("{s:n, s:{}}", "current", "profiles");
        ENSURE(*ret, KS_E_NO_MEMORY, "out of memory");
        return KS_SUCCESS;
    }
    TRY(ks_wrap(rc, "profiles in %s", path));
    rc = json_read(buf_view(&text), (struct json_limits){FILE_BYTES_MAX, DEPTH_MAX}, "it", &all);
    if (ks_ok(rc))
        rc = check(all);
    if (rc.cls == KS_CLASS_USAGE)
        return ks_fail(KS_E_FORMAT, "profiles in %s: %s; mend the file or remove it", path,
                       ks_text(rc));
    TRY(rc);
    *ret = TAKE(all);
    return KS_SUCCESS;
}

/* ---- writing ---- */

/* Makes the directories that path lies in. */
static ks_rc make_directories(const char *path)
{
    CLEANUP(mem_freep) char *copy = NULL;

    TRY(mem_text(path, &copy));
    for (char *at = strchr(copy + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = '\0';
        if (mkdir(copy, 0700) != 0 && errno != EEXIST)
            return ks_fail_os(errno, "directory %s", copy);
        *at = '/';
    }
    return KS_SUCCESS;
}

ks_rc profile_store(const char *path, const json_t *all)
{
    CLEANUP(place_done) struct place place = {0};
    CLEANUP(buf_done) struct buf text = buf_init(FILE_BYTES_MAX);

    TRY(ks_wrap(json_write(all, true, &text), "profiles"));
    TRY(buf_append(&text, view_text("\n")));
    TRY(make_directories(path));
    TRY(ks_wrap(path_open_parent(io_posix(), path, &place.dir, place.name), "%s", path));
    return ks_wrap(atomic_file_write(io_posix(), place.dir, place.name, 0600, buf_view(&text)),
                   "profiles in %s", path);
}

/* ---- choosing ---- */

static ks_rc not_found(json_t *profiles, const char *name)
{
    char known[256] = "";
    const char *one;
    json_t *profile;

    json_object_foreach(profiles, one, profile)
    {
        size_t len = strlen(known);
        (void)profile;
        snprintf(known + len, sizeof known - len, "%s%s", len ? ", " : "", one);
    }
    return ks_fail(KS_E_NOT_FOUND, "there is no profile \"%.63s\"; there %s%s", name,
                   known[0] ? "are: "
                            : "are none: keystead profile set NAME --server URL "
                              "--key-file FILE makes one",
                   known);
}

static ks_rc take(const json_t *profile, const char *member, char **ret)
{
    const char *text = json_string_value(json_object_get(profile, member));

    return text ? mem_text(text, ret) : KS_SUCCESS;
}

ks_rc profile_choose(const json_t *all, const char *name, struct profile *ret)
{
    CLEANUP(profile_done) struct profile p = {NULL, NULL, NULL};
    json_t *profiles = json_object_get(all, "profiles");

    if (!name)
        name = json_string_value(json_object_get(all, "current"));
    ENSURE(name, KS_E_USAGE,
           "no server is named: keystead profile set NAME --server URL --key-file FILE makes a "
           "profile and uses it; or add --server and --key-file");
    const json_t *profile = json_object_get(profiles, name);
    if (!profile)
        return not_found(profiles, name);
    TRY(take(profile, "server", &p.server));
    TRY(take(profile, "key_file", &p.key_file));
    TRY(take(profile, "ca_file", &p.ca_file));
    *ret = p;
    p = (struct profile){NULL, NULL, NULL};
    return KS_SUCCESS;
}
