/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: any text given as the name of a key in a PKCS#11 token is refused as USAGE or LIMIT, or names a token, a key and
 * an absolute path of a module. Target function: p11_token_init. No module is loaded.
 */
#include "fuzz.h"

#include <string.h>

#include "kms/p11_token.h"

static void token_done(struct p11_token *t)
{
    p11_token_done(t);
    pthread_mutex_destroy(&t->mutex);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(token_done) struct p11_token token = {.module = NULL};
    static struct key_spec spec = {"PKCS11", "", ""};
    struct kms_conf conf = {.spec = &spec};
    size_t len = size < sizeof spec.uri - 1 ? size : sizeof spec.uri - 1;

    pthread_mutex_init(&token.mutex, NULL);
    memcpy(spec.uri, data, len);
    spec.uri[len] = 0;
    ks_rc rc = p11_token_init(&conf, &token);
    if (!ks_ok(rc)) {
        fuzz_demand(rc.cls == KS_CLASS_USAGE || rc.cls == KS_CLASS_LIMIT);
        return 0;
    }
    fuzz_demand(token.name[0] && token.module);
    fuzz_demand(!token.pin.file[0] || token.pin.file[0] == '/');
    return 0;
}
