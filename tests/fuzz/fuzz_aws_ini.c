/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: in any bytes as a shared configuration file, what is found lies within them, holds no line end and no blank around
 * it, and stands in a section that is found too.
 */
#include "fuzz.h"

#include <string.h>

#include "kms/aws_ini.h"

static const struct aws_ini_key keys[] = {
    {"profile", "default", "region", NULL}, {"profile", "dev", "role_arn", NULL},
    {"", "dev", "aws_access_key_id", NULL}, {"services", "local", "kms", "endpoint_url"},
    {"profile", "a b", "x", NULL},
};

static void demand_found_well(struct view text, const struct aws_ini_key *key, struct view value)
{
    fuzz_demand(value.bytes >= text.bytes && value.bytes + value.len <= text.bytes + text.len);
    fuzz_demand(value.len == 0 || !memchr(value.bytes, '\n', value.len));
    fuzz_demand(value.len == 0 || !strchr(" \t\r", value.bytes[0]) || value.bytes[0] == 0);
    fuzz_demand(aws_ini_has(text, key->kind, key->section));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view text = view_of(data, size), value;

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (aws_ini_find(text, &keys[i], &value))
            demand_found_well(text, &keys[i], value);
    return 0;
}
