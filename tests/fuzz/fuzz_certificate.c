/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: any text given as a certificate or as a request for one is refused as FORMAT, or as a certificate gives facts that are
 * within their bounds, and as a request gives a certificate that can be read and is the authority's.
 */
#include "fuzz.h"

#include <string.h>

#include "crypto/certificate.h"

static struct {
    struct key_pair *key;
    struct buf pem;
} authority;

static void make_authority(void)
{
    authority.pem = buf_init(16 * 1024);
    fuzz_demand(ks_ok(key_pair_new(&authority.key)));
    fuzz_demand(ks_ok(certificate_authority_make(authority.key, "Fleet", 1700000000, 86400,
                                                 random_system(), &authority.pem)));
}

static void try_certificate(struct view text)
{
    struct certificate_facts facts;

    ks_rc rc = certificate_read(text, &facts);
    if (!ks_ok(rc)) {
        fuzz_demand(ks_is(rc, KS_E_FORMAT));
        return;
    }
    fuzz_demand(strlen(facts.name) < sizeof facts.name && strlen(facts.fingerprint) == 64);
    rc = certificate_is_issued_by(text, buf_view(&authority.pem), CERTIFICATE_CLIENT, 1700000000);
    fuzz_demand(ks_is(rc, KS_E_AUTH));
    fuzz_demand(ks_is(certificate_verify(text, text, text), KS_E_AUTH));
}

static void try_request(struct view text)
{
    const struct certificate_order order = {CERTIFICATE_CLIENT, "node", NULL, 1700000000, 60};
    CLEANUP(buf_done) struct buf pem = buf_init(16 * 1024);

    ks_rc rc = certificate_issue(authority.key, buf_view(&authority.pem), text, &order,
                                 random_system(), &pem);
    if (ks_ok(rc))
        fuzz_demand(ks_ok(certificate_is_issued_by(buf_view(&pem), buf_view(&authority.pem),
                                                   CERTIFICATE_CLIENT, 1700000000)));
    else
        fuzz_demand(ks_is(rc, KS_E_FORMAT));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct key_pair *key;

    if (!authority.key)
        make_authority();
    try_certificate(view_of(data, size));
    try_request(view_of(data, size));
    ks_rc rc = key_pair_read(view_of(data, size), &key);
    if (ks_ok(rc))
        key_pair_free(key);
    else
        fuzz_demand(ks_is(rc, KS_E_FORMAT));
    return 0;
}
