/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmek_board.c - the state of a cluster's customer keys as something people read at a glance.
 */
#include "cli/cmek_board.h"

#include <stdio.h>
#include <string.h>

#include "cli/fleet.h"
#include "cli/output.h"

/* First match; "" matches anything. */
static const struct {
    const char *status, *cause, *advice;
} advices[] = {
    {"", "ROLLED_BACK",
     "put the newest keyring of that volume back; or, if a backup was restored on purpose, accept "
     "it: "
     "keystead cluster accept-rollback %s VOLUME"},
    {"DISABLED", "",
     "the volumes are under the platform's key; to put them under yours: keystead "
     "cmek enable %s -f cmek_config.yml"},
    {"ENABLE_FAILED", "",
     "mend what the message says, then: keystead cmek enable %s -f "
     "cmek_config.yml"},
    {"ROTATE_FAILED", "",
     "the key before is still in force; mend what the message says, then: "
     "keystead cmek rotate %s --region %s -f cmek_config.yml"},
    {"DISABLE_FAILED", "",
     "your key is still in force; mend what the message says, then: keystead "
     "cmek disable %s --region %s"},
    {"REVOKE_FAILED", "",
     "not everything is locked yet; ask for it again: keystead cmek revoke %s "
     "--region %s"},
    {"REVOKED", "DENIED",
     "the key service says no; give the key back there, and the volumes open "
     "by themselves"},
    {"REVOKED", "", "to give access back: keystead cmek restore %s --region %s"},
    {"", "DENIED",
     "the key service says no; give the key back there, and the volumes open by "
     "themselves"},
    {"", "UNREACHABLE",
     "nothing answers for the key; volumes stay open for their grace and open by "
     "themselves when it answers again"},
    {"", "ERROR", "see the message, and the log of the node it names"},
};

const char *cmek_board_advice(const char *status, const char *cause)
{
    for (size_t i = 0; i < sizeof advices / sizeof advices[0]; i++)
        if ((!advices[i].status[0] || strcmp(advices[i].status, status) == 0) &&
            (!advices[i].cause[0] || strcmp(advices[i].cause, cause) == 0))
            return advices[i].advice;
    return NULL;
}

/* The advice with cluster and region in the places of its %s. */
static void show_advice(const char *advice, const char *cluster, const char *region)
{
    const char *const names[] = {cluster, region};
    char text[1024] = "";
    size_t used = 0, name = 0;

    for (const char *at = advice; *at && used < sizeof text - 1;) {
        bool is_name = strncmp(at, "%s", 2) == 0 && name < 2;
        int n = is_name ? snprintf(text + used, sizeof text - used, "%s", names[name++])
                        : snprintf(text + used, sizeof text - used, "%c", *at);
        used += n > 0 ? (size_t)n : 0;
        at += is_name ? 2 : 1;
    }
    output_field("  to do", "%s", text);
}

/* Each line of the text under the one before. */
static void show_lines(const char *name, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        output_field(name, "%.*s", (int)len, text);
        text += len + (text[len] == '\n');
        name = "";
    }
}

static void show_key(const json_t *key)
{
    output_field("  key", "%s %s", fleet_text(key, "type"), fleet_text(key, "uri"));
    if (strcmp(fleet_text(key, "auth_principal"), "-") != 0)
        output_field("", "as %s", fleet_text(key, "auth_principal"));
    output_field("", "%s, version %s, since %s", fleet_text(key, "status"),
                 fleet_text(key, "version"), fleet_text(key, "created_at"));
}

/* What is said of the region, and of its keys where that is something else. */
static void show_messages(const json_t *region)
{
    const char *of_region = fleet_text(region, "message");
    const json_t *key;
    size_t i;

    if (strcmp(of_region, "-") != 0)
        show_lines("  message", of_region);
    json_array_foreach(json_object_get(region, "keys"), i, key)
    {
        const char *text = fleet_text(key, "message");
        bool is_past = json_is_string(json_object_get(key, "retired_at"));
        if (!is_past && strcmp(text, "-") != 0 && strcmp(text, of_region) != 0)
            show_lines("  message", text);
    }
}

static void show_region(const char *cluster, const json_t *region)
{
    const char *name = fleet_text(region, "region"), *status = fleet_text(region, "status");
    const char *cause = fleet_text(region, "cause");
    const char *advice = cmek_board_advice(status, cause);
    const json_t *key;
    size_t i, past = 0;

    printf("\n");
    output_field(name, "%s, data %s%s%s", status, fleet_text(region, "access"),
                 strcmp(cause, "-") != 0 && strcmp(cause, "NONE") != 0 ? ", because " : "",
                 strcmp(cause, "-") != 0 && strcmp(cause, "NONE") != 0 ? cause : "");
    json_array_foreach(json_object_get(region, "keys"), i, key)
    {
        if (json_is_string(json_object_get(key, "retired_at")))
            past++;
        else
            show_key(key);
    }
    if (past > 0)
        output_field("", "keys before: %zu; see: keystead cmek history %s", past, cluster);
    show_messages(region);
    if (advice)
        show_advice(advice, cluster, name);
}

void cmek_board_show(const json_t *cluster, const json_t *cmek)
{
    const char *name = fleet_text(cluster, "name"), *operation = fleet_text(cluster, "operation");
    const json_t *region;
    size_t i;

    printf("cluster ");
    output_text(stdout, name);
    printf(": CMEK ");
    output_text(stdout, fleet_text(cmek, "status"));
    putchar('\n');
    if (strcmp(operation, "-") != 0)
        output_field("at work", "keystead operation wait %s", operation);
    json_array_foreach(json_object_get(cmek, "regions"), i, region) show_region(name, region);
}
