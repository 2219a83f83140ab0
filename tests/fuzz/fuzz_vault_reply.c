/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: any status and any JSON from a Vault is classified, and never as a success that holds nothing. The first two bytes are
 * the status. Target functions: vault_answer, vault_read_key, vault_read_ciphertext, vault_read_plaintext,
 * vault_read_login, vault_read_lookup.
 */
#include "fuzz.h"

#include <string.h>

#include "kms/vault_answer.h"

static void is_refused(ks_rc rc)
{
    fuzz_demand(ks_is(rc, KS_E_BAD_REPLY) || rc.cls == KS_CLASS_LIMIT);
}

static void try_fields(const json_t *json)
{
    CLEANUP(secret_freep) struct secret *plain = NULL;
    struct vault_key key;
    struct vault_lease lease;
    const char *text;
    int64_t version;

    ks_rc rc = vault_read_key(json, &key);
    if (ks_ok(rc))
        fuzz_demand(key.latest_version >= 1);
    else
        is_refused(rc);
    rc = vault_read_ciphertext(json, &text, &version);
    if (ks_ok(rc))
        fuzz_demand(strncmp(text, "vault:v", 7) == 0 && version >= 1);
    else
        is_refused(rc);
    rc = vault_read_plaintext(json, &plain);
    if (ks_ok(rc))
        fuzz_demand(secret_view(plain).len > 0);
    else
        is_refused(rc);
    rc = vault_read_login(json, &lease);
    if (ks_ok(rc))
        fuzz_demand(lease.token[0] && lease.seconds >= 0);
    else
        is_refused(rc);
    rc = vault_read_lookup(json, &lease);
    if (ks_ok(rc))
        fuzz_demand(lease.seconds >= 0);
    else
        is_refused(rc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(json_decrefp) json_t *json = NULL;
    struct json_limits limits = {REST_REPLY_MAX, 16};
    enum vault_verdict verdict;

    if (size < 2)
        return 0;
    fuzz_demand(ks_ok(secret_init()));
    /* Bytes that are no JSON are a reply without an object. */
    IGNORE(json_read(view_of(data + 2, size - 2), limits, "input", &json));
    struct rest_reply reply = {.status = 100 + (data[0] << 8 | data[1]) % 500,
                               .json = json_is_object(json) ? json : NULL};
    ks_rc rc = vault_answer(&reply, "input", &verdict);
    fuzz_demand(!ks_ok(rc) || reply.status == 204 || (reply.status == 200 && reply.json));
    fuzz_demand(rc.cls != KS_CLASS_DENIED || (reply.status >= 400 && reply.json));
    fuzz_demand(verdict == VAULT_FINAL || rc.cls == KS_CLASS_UNREACHABLE ||
                rc.cls == KS_CLASS_DENIED);
    try_fields(reply.json);
    return 0;
}
