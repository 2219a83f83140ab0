/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: a receipt holds for what was signed by a node of this fleet, to the byte, and for nothing else.
 */
#include "node/receipt.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

struct fleet {
    struct key_pair *authority_key, *node_key;
    struct buf authority, certificate;
    json_t *receipt;
};

static const int64_t NOW = 1795324800; /* 2026-11-22 */

static void make_certificate(struct fleet *f, enum certificate_use use)
{
    struct buf request = buf_init(65536);
    const struct certificate_order order = {
        .use = use, .name = "node-1", .now = NOW, .seconds = 3600};

    f->certificate.len = 0;
    check_ok(certificate_request_make(f->node_key, "anybody", &request));
    check_ok(certificate_issue(f->authority_key, buf_view(&f->authority), buf_view(&request),
                               &order, random_system(), &f->certificate));
    buf_done(&request);
}

static struct wish sample_wish(void)
{
    struct wish w = {.goal = 41, .key_count = 1};

    snprintf(w.volume, sizeof w.volume, "1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11");
    snprintf(w.organisation, sizeof w.organisation, "1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a12");
    snprintf(w.cluster, sizeof w.cluster, "1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a13");
    snprintf(w.region, sizeof w.region, "us-west-2");
    snprintf(w.keys[0].spec.type, sizeof w.keys[0].spec.type, "FILE");
    snprintf(w.keys[0].spec.uri, sizeof w.keys[0].spec.uri, "/s \"quoted\"#k");
    return w;
}

static void make_text(const struct wish *w, struct buf *ret)
{
    const struct receipt_facts facts = {.id = "1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a15",
                                        .wish = w,
                                        .node = "node-1",
                                        .cause = CAUSE_REVOKED,
                                        .asked_s = NOW,
                                        .locked_s = NOW + 1,
                                        .duration_ms = 31,
                                        .handles_cut = 4,
                                        .engine_stopped_ms = 12};

    check_ok(receipt_text(&facts, ret));
}

static int setup(void **state)
{
    static struct fleet f;
    struct buf text = buf_init(RECEIPT_TEXT_MAX);
    struct wish w = sample_wish();

    f = (struct fleet){.authority = buf_init(65536), .certificate = buf_init(65536)};
    check_ok(key_pair_new(&f.authority_key));
    check_ok(key_pair_new(&f.node_key));
    check_ok(certificate_authority_make(f.authority_key, "fleet", NOW, 7200, random_system(),
                                        &f.authority));
    make_certificate(&f, CERTIFICATE_CLIENT);
    make_text(&w, &text);
    check_ok(receipt_sign(buf_view(&text), f.node_key, buf_view(&f.certificate), &f.receipt));
    buf_done(&text);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fleet *f = *state;

    key_pair_free(f->authority_key);
    key_pair_free(f->node_key);
    buf_done(&f->authority);
    buf_done(&f->certificate);
    json_decref(f->receipt);
    return 0;
}

static ks_rc verify(struct fleet *f)
{
    struct receipt_claim claim = {.text = NULL};
    ks_rc rc = receipt_verify(f->receipt, buf_view(&f->authority), &claim);

    json_decref(claim.text);
    return rc;
}

static void text__same_facts__the_documented_bytes(void **state)
{
    struct wish w = sample_wish();
    struct buf text = buf_init(RECEIPT_TEXT_MAX);

    (void)state;
    make_text(&w, &text);
    assert_string_equal(
        buf_text(&text),
        "{\"keystead_receipt\":1,\"id\":\"1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a15\","
        "\"organisation\":\"1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a12\",\"cluster\":\"1f69fdd2-5c1e-"
        "4a1e-9d5c-0c6b4f6f0a13\","
        "\"region\":\"us-west-2\",\"volume\":\"1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11\",\"node\":"
        "\"node-1\","
        "\"reason\":\"REVOKED\",\"asked_at\":\"2026-11-22T05:20:00Z\",\"locked_at\":\"2026-11-"
        "22T05:20:01Z\","
        "\"duration_ms\":31,\"handles_cut\":4,\"engine_stopped_ms\":12,"
        "\"keys\":[{\"type\":\"FILE\",\"uri\":\"/s \\\"quoted\\\"#k\"}],\"goal\":41}");
    buf_done(&text);
}

/* The text has to fit into what the control plane keeps of it: a report with one that does not would be refused for ever. */
static void text__the_longest_keys_of_a_change__fits(void **state)
{
    struct wish w = sample_wish();
    struct buf text = buf_init(RECEIPT_TEXT_MAX);

    (void)state;
    for (w.key_count = 0; w.key_count < WISH_KEYS_MAX; w.key_count++) {
        struct key_spec *spec = &w.keys[w.key_count].spec;
        snprintf(spec->type, sizeof spec->type, "VAULT_TRANSIT");
        memset(spec->uri, 'k', sizeof spec->uri - 1);
    }
    make_text(&w, &text);
    assert_true(text.len < sizeof((struct receipt *)NULL)->text);
    buf_done(&text);
}

static void verify__as_signed__holds_and_tells_who(void **state)
{
    struct fleet *f = *state;
    struct receipt_claim claim = {.text = NULL};

    check_ok(receipt_verify(f->receipt, buf_view(&f->authority), &claim));
    assert_string_equal(claim.node, "node-1");
    assert_int_equal(strlen(claim.fingerprint), 64);
    assert_int_equal(json_integer_value(json_object_get(claim.text, "handles_cut")), 4);
    json_decref(claim.text);
}

static void verify__any_byte_of_the_text_changed__does_not_hold(void **state)
{
    struct fleet *f = *state;
    char text[RECEIPT_TEXT_MAX];

    snprintf(text, sizeof text, "%s", json_string_value(json_object_get(f->receipt, "text")));
    for (size_t i = 0; text[i]; i++) {
        text[i] ^= 1;
        json_t *changed = json_string(text);
        if (changed) { /* else it is no text any more */
            json_object_set_new(f->receipt, "text", changed);
            check_rc(verify(f), AUTH);
        }
        text[i] ^= 1;
    }
}

static void verify__foreign_authority_or_server_certificate__does_not_hold(void **state)
{
    struct fleet *f = *state;
    struct key_pair *key;
    struct buf other = buf_init(65536);

    check_ok(key_pair_new(&key));
    check_ok(certificate_authority_make(key, "fleet", NOW, 7200, random_system(), &other));
    struct receipt_claim claim = {.text = NULL};
    check_rc(receipt_verify(f->receipt, buf_view(&other), &claim), AUTH);
    assert_null(claim.text);
    make_certificate(f, CERTIFICATE_SERVER);
    json_object_set_new(f->receipt, "certificate", json_string(buf_text(&f->certificate)));
    check_rc(verify(f), AUTH);
    key_pair_free(key);
    buf_done(&other);
}

static void verify__no_receipt__format(void **state)
{
    struct fleet *f = *state;
    static const char *const names[] = {"text", "signature", "certificate"};

    for (size_t i = 0; i < 3; i++) {
        json_t *kept = json_incref(json_object_get(f->receipt, names[i]));
        json_object_set_new(f->receipt, names[i], json_integer(1));
        check_rc(verify(f), FORMAT);
        json_object_set_new(f->receipt, names[i], kept);
    }
    json_object_set_new(f->receipt, "signature", json_string("no base64!"));
    check_rc(verify(f), FORMAT);
}

static void verify__another_text_of_the_same_node__format(void **state)
{
    struct fleet *f = *state;

    json_decref(f->receipt);
    check_ok(receipt_sign(view_text("{\"keystead_receipt\":2}"), f->node_key,
                          buf_view(&f->certificate), &f->receipt));
    check_rc(verify(f), FORMAT);
}

static ks_rc no_random(struct random *r, void *out, size_t len)
{
    (void)r, (void)out, (void)len;
    return ks_fail(KS_E_IO, "no randomness");
}

static void id__random_or_none(void **state)
{
    struct random none = {no_random};
    char id[ID_BYTES] = "", other[ID_BYTES] = "";

    (void)state;
    check_ok(receipt_id(random_system(), id));
    check_ok(receipt_id(random_system(), other));
    assert_true(id_is_valid(id) && id_is_valid(other));
    assert_string_not_equal(id, other);
    check_rc(receipt_id(&none, id), IO);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(text__same_facts__the_documented_bytes),
        TEST(text__the_longest_keys_of_a_change__fits),
        TEST(verify__as_signed__holds_and_tells_who),
        TEST(verify__any_byte_of_the_text_changed__does_not_hold),
        TEST(verify__foreign_authority_or_server_certificate__does_not_hold),
        TEST(verify__no_receipt__format),
        TEST(verify__another_text_of_the_same_node__format),
        TEST(id__random_or_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
