/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: any status and any JSON from Azure Key Vault is classified, any challenge and any name of a key is refused or has the parts
 * it must have. The first two bytes are the status. Target functions: azure_answer, azure_read_value, azure_read_key,
 * azure_read_token, azure_challenge_parse, azure_key_parse.
 */
#include "fuzz.h"

#include <string.h>

#include "base/mem.h"
#include "kms/azure_reply.h"

static void is_refused(ks_rc rc)
{
    fuzz_demand(ks_is(rc, KS_E_BAD_REPLY) || rc.cls == KS_CLASS_LIMIT);
}

static void is_key(const struct azure_key *key)
{
    fuzz_demand(key->host[0] && key->name[0] && !strchr(key->name, '/') &&
                !strpbrk(key->version, "/?#.%"));
}

static void try_reply(int status, json_t *json)
{
    struct rest_reply reply = {.status = status, .json = json};

    for (int verb = AZURE_GET; verb <= AZURE_UNWRAP; verb++) {
        ks_rc rc = azure_answer((enum azure_verb)verb, &reply);
        fuzz_demand(!ks_ok(rc) || (status == 200 && json));
        fuzz_demand(rc.cls != KS_CLASS_DENIED || (status >= 400 && json));
    }
}

static void try_fields(const json_t *json)
{
    struct azure_key kid;
    const char *text;
    int64_t seconds;
    bool is_enabled;

    ks_rc rc = azure_read_value(json, &kid, &text);
    if (ks_ok(rc))
        is_key(&kid);
    else
        is_refused(rc);
    rc = azure_read_key(json, &kid, &is_enabled);
    if (ks_ok(rc))
        is_key(&kid);
    else
        is_refused(rc);
    rc = azure_read_token(json, &text, &seconds);
    if (ks_ok(rc))
        fuzz_demand(text[0] && seconds >= 0);
    else
        is_refused(rc);
}

static void try_text(const char *text)
{
    struct azure_challenge challenge;
    struct azure_key key;

    ks_rc rc = azure_challenge_parse(text, &challenge);
    if (ks_ok(rc))
        fuzz_demand(challenge.tenant[0] && challenge.resource[0] &&
                    !strpbrk(challenge.tenant, "/.?"));
    else
        is_refused(rc);
    rc = azure_key_parse(text, &key);
    if (ks_ok(rc))
        is_key(&key);
    else
        fuzz_demand(ks_is(rc, KS_E_USAGE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(json_decrefp) json_t *json = NULL;
    CLEANUP(mem_freep) char *text = NULL;
    struct json_limits limits = {REST_REPLY_MAX, 16};

    if (size < 2)
        return 0;
    /* Bytes that are no JSON are a reply without an object. */
    IGNORE(json_read(view_of(data + 2, size - 2), limits, "input", &json));
    json_t *object = json_is_object(json) ? json : NULL;
    try_reply(100 + (data[0] << 8 | data[1]) % 500, object);
    try_fields(object);
    fuzz_demand(ks_ok(mem_format(&text, "%.*s", (int)(size - 2), (const char *)data + 2)));
    try_text(text);
    return 0;
}
