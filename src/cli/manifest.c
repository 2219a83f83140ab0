/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/manifest.c - key specs of regions in a file.
 */
#include "cli/manifest.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/key_spec.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "control/model.h"

enum { FILE_BYTES_MAX = 1 << 20, DEPTH_MAX = 8 };

static const char *const file_members[] = {"region_specs", NULL};
static const char *const region_members[] = {"region", "key_spec", "key_specs", NULL};
static const char *const key_members[] = {"type", "uri", "auth_principal", NULL};

/* ---- parts ---- */

static bool is_among(const char *word, const char *const words[])
{
    for (; *words; words++)
        if (strcmp(*words, word) == 0)
            return true;
    return false;
}

static ks_rc check_members(json_t *object, const char *const members[])
{
    const char *name;
    json_t *value;

    ENSURE(json_is_object(object), KS_E_USAGE, "it must be a map with %s", members[0]);
    json_object_foreach(object, name, value)
    {
        (void)value;
        ENSURE(is_among(name, members), KS_E_USAGE, "\"%.60s\" is not known here", name);
    }
    return KS_SUCCESS;
}

/* A guide's text in braces, or in angle brackets, that was to be replaced. */
static bool is_placeholder(const char *text)
{
    size_t len = strlen(text);

    return len > 2 &&
           ((text[0] == '{' && text[len - 1] == '}') || (text[0] == '<' && text[len - 1] == '>'));
}

static ks_rc read_text(const json_t *object, const char *name, size_t len_max, const char **ret)
{
    TRY(json_get_text(object, name, len_max, ret));
    ENSURE((*ret)[0], KS_E_USAGE, "%s is empty", name);
    ENSURE(!is_placeholder(*ret), KS_E_USAGE, "%s is still the placeholder %.80s", name, *ret);
    return KS_SUCCESS;
}

static ks_rc add_key(json_t *key, json_t *keys)
{
    const char *type, *uri, *principal = "";

    TRY(check_members(key, key_members));
    TRY(read_text(key, "type", KEY_TYPE_BYTES - 1, &type));
    TRY(read_text(key, "uri", KEY_URI_BYTES - 1, &uri));
    if (json_is_string(json_object_get(key, "auth_principal")) &&
        json_string_length(json_object_get(key, "auth_principal")) == 0)
        json_object_del(key, "auth_principal");
    if (json_object_get(key, "auth_principal"))
        TRY(read_text(key, "auth_principal", KEY_PRINCIPAL_BYTES - 1, &principal));
    ENSURE(json_array_append_new(keys, json_pack("{s:s, s:s, s:s}", "type", type, "uri", uri,
                                                 "auth_principal", principal)) == 0,
           KS_E_NO_MEMORY, "out of memory");
    return KS_SUCCESS;
}

static ks_rc add_keys(const json_t *region, json_t *keys)
{
    json_t *one = json_object_get(region, "key_spec"), *many = NULL, *key;
    size_t i;

    TRY(json_may_array(region, "key_specs", REGION_KEYS_MAX, &many));
    ENSURE(!one != !many, KS_E_USAGE, "it needs either key_spec, or key_specs for several keys");
    if (one)
        return ks_wrap(add_key(one, keys), "key_spec");
    ENSURE(json_array_size(many) > 0, KS_E_USAGE, "key_specs is empty");
    json_array_foreach(many, i, key) TRY(ks_wrap(add_key(key, keys), "key_specs[%zu]", i));
    return KS_SUCCESS;
}

static bool has_region(const json_t *regions, const char *name)
{
    const json_t *region;
    size_t i;

    json_array_foreach(regions, i,
                       region) if (strcmp(json_string_value(json_object_get(region, "region")),
                                          name) == 0) return true;
    return false;
}

static ks_rc add_region(json_t *given, json_t *regions)
{
    CLEANUP(json_decrefp) json_t *keys = json_array();
    const char *name;

    ENSURE(keys, KS_E_NO_MEMORY, "out of memory");
    TRY(check_members(given, region_members));
    TRY(read_text(given, "region", NAME_BYTES - 1, &name));
    ENSURE(!has_region(regions, name), KS_E_USAGE, "region %s is there twice", name);
    TRY(ks_wrap(add_keys(given, keys), "region %s", name));
    ENSURE(json_array_append_new(regions, json_pack("{s:s, s:O}", "region", name, "keys", keys)) ==
               0,
           KS_E_NO_MEMORY, "out of memory");
    return KS_SUCCESS;
}

static ks_rc take(json_t *file, json_t *regions)
{
    json_t *specs = NULL, *region;
    size_t i;

    TRY(check_members(file, file_members));
    TRY(json_get_array(file, "region_specs", REGIONS_MAX, &specs));
    ENSURE(json_array_size(specs) > 0, KS_E_USAGE, "region_specs is empty");
    json_array_foreach(specs, i, region)
        TRY(ks_wrap(add_region(region, regions), "region_specs[%zu]", i));
    return KS_SUCCESS;
}

/* ---- the file ---- */

static bool is_json(struct view text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!strchr(" \t\r\n", text.bytes[i]))
            return text.bytes[i] == '{';
    return false;
}

ks_rc manifest_parse(struct view text, const char *path, json_t **ret)
{
    CLEANUP(json_decrefp) json_t *file = NULL;
    CLEANUP(json_decrefp) json_t *regions = json_array();

    ENSURE(regions, KS_E_NO_MEMORY, "out of memory");
    if (is_json(text))
        TRY(json_read(text, (struct json_limits){FILE_BYTES_MAX, DEPTH_MAX}, path, &file));
    else
        TRY(yaml_read(text, (struct json_limits){FILE_BYTES_MAX, DEPTH_MAX}, path, &file));
    TRY(ks_wrap(take(file, regions), "%s", path));
    *ret = TAKE(regions);
    return KS_SUCCESS;
}

static void close_fd(const int *fd)
{
    if (*fd > STDIN_FILENO)
        close(*fd);
}

ks_rc manifest_read(const char *path, json_t **ret)
{
    bool is_stdin = strcmp(path, "-") == 0;
    CLEANUP(close_fd) int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    CLEANUP(buf_done) struct buf text = buf_init(FILE_BYTES_MAX + 1);
    uint8_t part[4096];
    ssize_t n;

    if (fd < 0)
        return ks_fail_os(errno, "%s", path);
    while ((n = read(fd, part, sizeof part)) > 0)
        TRY(ks_wrap(buf_append(&text, view_of(part, (size_t)n)), "%s", path));
    if (n < 0)
        return ks_fail_os(errno, "%s", path);
    return manifest_parse(buf_view(&text), is_stdin ? "standard input" : path, ret);
}
