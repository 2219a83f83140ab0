/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: any text in the place of a credentials file is accepted with all that its kind needs, or refused as a
 * missing credential; never as anything that looks like an answer about a key.
 */
#include "fuzz.h"

#include "kms/gcp_credentials.h"

static void demand_whole(const struct gcp_credentials *c)
{
    switch (c->kind) {
    case GCP_SERVICE_ACCOUNT:
        fuzz_demand(c->key && c->email[0] && c->token_url[0]);
        break;
    case GCP_AUTHORIZED_USER:
        fuzz_demand(c->client_secret && c->refresh_token && c->token_url[0]);
        break;
    case GCP_EXTERNAL_ACCOUNT:
        fuzz_demand(c->federation && c->token_url[0] &&
                    (c->federation->file[0] || c->federation->url[0]));
        break;
    case GCP_IMPERSONATED:
        fuzz_demand(c->source && c->impersonation_url[0]);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(gcp_credentials_freep) struct gcp_credentials *c = NULL;
    static bool is_ready;

    if (!is_ready) {
        is_ready = ks_ok(secret_init());
        secret_allow_swap(true);
    }
    ks_rc rc = gcp_credentials_parse(view_of(data, size), &c);
    if (ks_ok(rc))
        demand_whole(c);
    else
        fuzz_demand(rc.cls == KS_CLASS_UNREACHABLE || rc.cls == KS_CLASS_LIMIT);
    return 0;
}
