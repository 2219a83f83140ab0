/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: any bytes given as an envelope or as a bound plaintext are refused with the right class, or write back to just
 * these bytes. Target functions: envelope_read, envelope_write, bound_open, bound_plain.
 */
#include "fuzz.h"

#include "kms/bound.h"

static struct key_context context(void)
{
    struct key_context c = {.count = 1};

    c.pairs[0].name = "volume";
    c.pairs[0].value = "one";
    return c;
}

static void try_envelope(struct view in, const struct key_context *c)
{
    CLEANUP(buf_done) struct buf again = buf_init(KEY_BLOB_MAX);
    struct envelope e;
    ks_rc rc = envelope_read(in, c, &e);

    if (!ks_ok(rc)) {
        fuzz_demand(rc.cls == KS_CLASS_CORRUPT || ks_is(rc, KS_E_NEWER_VERSION));
        return;
    }
    fuzz_demand(ks_ok(envelope_write(&e, c, &again)));
    fuzz_demand(view_is_equal(buf_view(&again), in));
}

/* The sum keeps a fuzzer out, so the ciphertext of every envelope goes through a whole one too. */
static void try_contents(struct view in, const struct key_context *c)
{
    CLEANUP(buf_done) struct buf blob = buf_init(KEY_BLOB_MAX);
    struct envelope e = {.reference = "v1", .ciphertext = in}, got;

    if (!in.len || !ks_ok(envelope_write(&e, c, &blob)))
        return;
    fuzz_demand(ks_ok(envelope_read(buf_view(&blob), c, &got)));
    fuzz_demand(view_is_equal(got.ciphertext, in));
}

static void try_bound(struct view in, const struct key_context *c)
{
    CLEANUP(secret_freep) struct secret *plain = NULL, *again = NULL;
    ks_rc rc = bound_open(c, in, &plain);

    if (!ks_ok(rc)) {
        fuzz_demand(rc.cls == KS_CLASS_CORRUPT);
        return;
    }
    fuzz_demand(ks_ok(bound_plain(c, plain, &again)));
    fuzz_demand(view_is_equal(secret_view(again), in));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct key_context c = context();

    fuzz_demand(ks_ok(secret_init()));
    try_envelope(view_of(data, size), &c);
    try_contents(view_of(data, size), &c);
    try_bound(view_of(data, size), &c);
    return 0;
}
