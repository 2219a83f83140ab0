/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: whatever a server answers in the place of Cloud KMS or of a token service, it gives a result that is
 * allowed for it, and outputs only with a success. The first byte chooses the reader.
 */
#include "fuzz.h"

#include "kms/gcp_reply.h"
#include "kms/gcp_token.h"

static const char KEY[] = "projects/p/locations/l/keyRings/r/cryptoKeys/k";

/* Nothing that came over the network is a mistake of the caller, but a key of the wrong purpose. */
static void demand_class(ks_rc rc, bool may_deny)
{
    bool is_denied = rc.cls == KS_CLASS_DENIED || rc.cls == KS_CLASS_USAGE;

    fuzz_demand(ks_ok(rc) || rc.cls == KS_CLASS_UNREACHABLE || (may_deny && is_denied));
}

static void read_encrypt(struct view body)
{
    CLEANUP(buf_done) struct buf blob = buf_init(KEY_BLOB_MAX);
    char version[KEY_VERSION_BYTES] = "";
    ks_rc rc = gcp_encrypt_reply(body, KEY, &blob, version);

    demand_class(rc, false);
    fuzz_demand(ks_ok(rc) == (blob.len > 0) && ks_ok(rc) == (version[0] != 0));
}

static void read_decrypt(struct view body)
{
    CLEANUP(secret_freep) struct secret *plain = NULL;
    ks_rc rc = gcp_decrypt_reply(body, &plain);

    demand_class(rc, false);
    fuzz_demand(ks_ok(rc) == (plain != NULL));
}

static void read_key(struct view body)
{
    char version[KEY_VERSION_BYTES] = "";
    ks_rc rc = gcp_key_reply(body, KEY, version);

    demand_class(rc, true);
    fuzz_demand(ks_ok(rc) == (version[0] != 0));
}

static void read_error(struct view body)
{
    static const int statuses[] = {400, 401, 403, 404, 429, 500, 503};
    struct gcp_error e;

    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        gcp_error_read(statuses[i], body, &e);
        fuzz_demand(!ks_ok(gcp_error_rc(&e, GCP_ASKED_KMS)));
        fuzz_demand(gcp_error_rc(&e, GCP_ASKED_PRINCIPAL).cls != KS_CLASS_CORRUPT);
        demand_class(gcp_error_rc(&e, GCP_ASKED_OWN), false);
    }
}

static void read_tokens(struct view body)
{
    CLEANUP(secret_freep) struct secret *one = NULL, *two = NULL;
    uint32_t lifetime_s = 0;

    demand_class(gcp_token_parse(body, &one, &lifetime_s), false);
    demand_class(gcp_token_parse_generated(body, 1800000000, &two, &lifetime_s), false);
    secret_free(TAKE(two));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const readers[])(struct view) = {read_encrypt, read_decrypt, read_key, read_error,
                                                   read_tokens};
    static bool is_ready;

    if (!is_ready) {
        is_ready = ks_ok(secret_init());
        secret_allow_swap(true);
    }
    if (size > 0)
        readers[data[0] % 5](view_of(data + 1, size - 1));
    return 0;
}
