/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: the small decisions of the agent: what a status says, which keys are missing and which unwanted, when something is tried
 * again, what would mend it, and whether a host has room.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "check.h"
#include "node/agent_int.h"
#include "node/capacity.h"

static const char STATUS[] =
    "{\"ok\": true, \"state\": \"LOCKED\", \"revoked\": false, \"cause\": \"DENIED\", \"message\": "
    "\"no\", \"keyring\": {\"sequence\": 7, \"sequence_min\": 6},"
    " \"volume\": {\"id\": \"0f\", \"backing\": \"/b\", \"mountpoint\": \"/m\", \"pid\": 17},"
    " \"lease\": {\"left_ms\": 1, \"max_ms\": 60000, \"grace_ms\": 3600000, \"probe_ms\": 15000},"
    " \"wraps\": [{\"id\": 1, \"state\": \"RETIRED\", \"type\": \"FILE\", \"uri\": \"/s#old\"},"
    "  {\"id\": 2, \"state\": \"ACTIVE\", \"type\": \"FILE\", \"uri\": \"/s#one\", "
    "\"auth_principal\": \"/k\", \"key_version\": \"3\"},"
    "  {\"id\": 3, \"state\": \"ACTIVE\", \"type\": \"FILE\", \"uri\": \"/p#platform\", "
    "\"auth_principal\": \"/pk\", \"key_version\": \"1\"}],"
    " \"generations\": [], \"receipt\": {\"at\": \"2026-11-22T05:20:00Z\", \"cause\": \"DENIED\", "
    "\"duration_ms\": 31, \"handles_cut\": 2}}";

static const struct key_spec PLATFORM = {"FILE", "/p#platform", "/pk"};

static void look(struct seen *s)
{
    json_t *status = json_loads(STATUS, 0, NULL);

    assert_non_null(status);
    check_ok(seen_status(status, s));
    json_decref(status);
}

static struct wish wish_for(const char *uri, const char *principal, bool is_platform)
{
    struct wish w = {.is_present = true,
                     .is_platform = is_platform,
                     .key_count = 1,
                     .lease = {60000, 15000, 3600000}};

    snprintf(w.keys[0].spec.type, sizeof w.keys[0].spec.type, "FILE");
    snprintf(w.keys[0].spec.uri, sizeof w.keys[0].spec.uri, "%s", uri);
    snprintf(w.keys[0].spec.auth_principal, sizeof w.keys[0].spec.auth_principal, "%s", principal);
    return w;
}

static void status__whole__taken_over(void **state)
{
    struct seen s = {0};

    (void)state;
    look(&s);
    assert_true(s.is_made && s.is_running && !s.is_revoked);
    assert_int_equal(s.state, LEASE_LOCKED);
    assert_int_equal(s.cause, CAUSE_DENIED);
    assert_string_equal(s.message, "no");
    assert_int_equal(s.pid, 17);
    assert_string_equal(s.keyring, "0f");
    assert_int_equal(s.sequence, 7);
    assert_int_equal(s.wrap_count, 2);
    assert_string_equal(s.wraps[0].version, "3");
    assert_int_equal(s.lock_cause, CAUSE_DENIED);
    assert_int_equal(s.lock_duration_ms, 31);
    seen_done(&s);
}

static void failed_requests__of_its_process__taken_over_and_gone_with_it(void **state)
{
    json_t *status = json_loads(STATUS, 0, NULL);
    struct seen s = {0};

    (void)state;
    check_ok(seen_status(status, &s)); /* locked: it has no counters */
    assert_null(s.requests_failed);
    json_object_set_new(
        status, "counters",
        json_pack("{s:i, s:{s:i, s:i}}", "reads", 7, "failed", "io", 3, "no_space", 0));
    check_ok(seen_status(status, &s));
    assert_int_equal(json_integer_value(json_object_get(s.requests_failed, "io")), 3);
    assert_int_equal(json_object_size(s.requests_failed), 2);
    json_object_set_new(status, "counters", json_null());
    check_ok(seen_status(status, &s));
    assert_null(s.requests_failed);
    seen_done(&s);
    json_decref(status);
}

static void refusal__as_the_probe_said__is_known_by_its_code(void **state)
{
    static const struct {
        const char *code;
        enum ks_code refusal;
    } rows[] = {{"KEY_DISABLED", KS_E_KEY_DISABLED},
                {"KEY_DESTROYED", KS_E_KEY_DESTROYED},
                {"UNREACHABLE", KS_E_DENIED}, /* no refusal */
                {"NO_SUCH_CODE", KS_E_DENIED}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct seen s = {0};
        json_t *status = json_loads(STATUS, 0, NULL);
        assert_int_equal(
            json_object_set_new(status, "last_probe", json_pack("{s:s}", "code", rows[i].code)), 0);
        check_ok(seen_status(status, &s));
        assert_int_equal(s.refusal, rows[i].refusal);
        seen_done(&s);
        json_decref(status);
    }
}

static void status__without_what_counts__bad_reply_and_output_untouched(void **state)
{
    static const char *const needed[] = {"state", "volume", "wraps"};
    struct seen s = {.pid = 5};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        json_t *status = json_loads(STATUS, 0, NULL);
        json_object_del(status, needed[i]);
        check_rc(seen_status(status, &s), BAD_REPLY);
        assert_int_equal(s.pid, 5);
        json_decref(status);
    }
}

static struct step_view view_for(const struct wish *w)
{
    struct seen s = {0};
    struct deed d = {0};
    struct step_view v;

    look(&s);
    seen_view(&s, w, &d, &PLATFORM, &v);
    seen_done(&s);
    return v;
}

static void keys__as_wished__held(void **state)
{
    struct wish w = wish_for("/s#one", "/k", true);
    struct step_view v = view_for(&w);

    (void)state;
    assert_int_equal(v.keys_held, 2);
    assert_int_equal(v.keys_missing + v.keys_to_swap + v.keys_unwanted, 0);
    assert_false(v.is_set_due);
}

static void keys__another_one_or_another_principal__missing_or_to_swap(void **state)
{
    struct wish w = wish_for("/s#two", "/k", false);
    struct step_view v = view_for(&w);

    (void)state;
    assert_int_equal(v.keys_missing, 1);
    assert_int_equal(v.keys_unwanted, 2);
    w = wish_for("/s#one", "/other", true);
    v = view_for(&w);
    assert_int_equal(v.keys_to_swap, 1);
    assert_int_equal(v.keys_held, 1);
    assert_int_equal(v.keys_unwanted, 0);
}

/* While a change of the principal is under way both are wanted, and one wrap can be only one of them: the newer one. */
static void keys__the_same_one_twice__the_last_one_counts(void **state)
{
    struct wish w = wish_for("/s#one", "/other", true), newer = wish_for("/s#one", "/k", true);

    (void)state;
    w.keys[1] = newer.keys[0];
    w.key_count = 2;
    struct step_view v = view_for(&w);
    assert_int_equal(v.keys_to_swap + v.keys_missing + v.keys_unwanted, 0);
    assert_int_equal(v.keys_held, 2);
    w.keys[1] = w.keys[0];
    w.keys[0] = newer.keys[0];
    v = view_for(&w);
    assert_int_equal(v.keys_to_swap, 1);
    assert_true(seen_is_overruled(&w, &PLATFORM, 0));
    assert_false(seen_is_overruled(&w, &PLATFORM, 1));
    assert_false(seen_is_overruled(&w, &PLATFORM, 2));
}

static void keys__unwanted__found_one_by_one(void **state)
{
    struct wish w = wish_for("/s#one", "/k", false);
    struct seen s = {0};

    (void)state;
    look(&s);
    assert_int_equal(seen_unwanted(&s, &w, &PLATFORM)->id, 3);
    w.is_platform = true;
    assert_null(seen_unwanted(&s, &w, &PLATFORM));
    seen_done(&s);
}

static void rolled_back__served_with_another_or_older_keyring__told(void **state)
{
    static const struct {
        struct anchor anchor;
        bool is_rolled_back;
    } rows[] = {{{"", 0, 0}, false},
                {{"0f", 7, 0}, false},
                {{"0f", 6, 2}, false},
                {{"0f", 8, 0}, true},
                {{"1f", 7, 0}, true}};
    struct seen s = {0};

    (void)state;
    look(&s);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct deed d = {.anchor = rows[i].anchor};
        assert_int_equal(seen_is_rolled_back(&s, &d), rows[i].is_rolled_back);
    }
    const struct deed above = {.anchor = {"0f", 8, 0}};
    s.sequence = 0; /* no key has vouched for anything yet */
    assert_false(seen_is_rolled_back(&s, &above));
    s.cause = CAUSE_ROLLED_BACK; /* its process says so itself */
    assert_true(seen_is_rolled_back(&s, &above));
    s.is_revoked = true;
    assert_false(seen_is_rolled_back(&s, &above));
    s.is_revoked = s.is_running = false;
    assert_false(seen_is_rolled_back(&s, &above));
    seen_done(&s);
}

static int64_t told_of_keyring(const struct agent *a, const struct holding *h, const char *member)
{
    json_t *told = report_volume(a, h);

    assert_non_null(told);
    int64_t value = json_integer_value(json_object_get(json_object_get(told, "keyring"), member));
    json_decref(told);
    return value;
}

/* The control plane must not know more than a node that is cut off: only what is on its disk is told. */
static void report__keyring__is_told_as_it_was_kept_and_what_is_refused(void **state)
{
    CLEANUP(mem_freep) struct agent *a = NULL;
    CLEANUP(mem_freep) struct holding *h = NULL;

    (void)state;
    check_ok(mem_new(1, sizeof *a, &a));
    check_ok(mem_new(1, sizeof *h, &h));
    h->deed.is_made = true;
    h->deed.anchor = (struct anchor){"0f", 9, 2};
    h->kept_anchor = (struct anchor){"0f", 7, 1};
    snprintf(h->seen.keyring, sizeof h->seen.keyring, "0f");
    h->seen.found = 3;
    assert_int_equal(told_of_keyring(a, h, "sequence"), 7);
    assert_int_equal(told_of_keyring(a, h, "accepted"), 1);
    assert_int_equal(told_of_keyring(a, h, "found"), 0);
    h->failure.rc = ks_fail(KS_E_ROLLED_BACK, "older");
    assert_int_equal(told_of_keyring(a, h, "found"), 3);
    h->seen.is_running = true;
    assert_int_equal(told_of_keyring(a, h, "found"), 0);
}

/* Noted before it has its name, and once more with each attempt: the control plane takes such a count for another keyring. */
static void report__keyring_of_what_is_not_made_yet__is_not_told(void **state)
{
    CLEANUP(mem_freep) struct agent *a = NULL;
    CLEANUP(mem_freep) struct holding *h = NULL;

    (void)state;
    check_ok(mem_new(1, sizeof *a, &a));
    check_ok(mem_new(1, sizeof *h, &h));
    h->deed.anchor = h->kept_anchor = (struct anchor){"0f", 1, 3};
    for (int i = 0; i < 2; i++) {
        h->deed.is_made = i;
        assert_int_equal(told_of_keyring(a, h, "sequence"), i ? 1 : 0);
        assert_int_equal(told_of_keyring(a, h, "accepted"), i ? 3 : 0);
    }
}

static const char *refusal(const struct agent *a, const struct holding *h)
{
    static char message[MESSAGE_BYTES];
    enum access access;
    enum cause cause;

    report_access(a, h, &access, &cause, message);
    assert_int_equal(access, ACCESS_FAILED);
    assert_int_equal(cause, CAUSE_ROLLED_BACK);
    return message;
}

/* A forged copy that claims a high number stands beside an older true one: nobody may be led to accept the claim. */
static void report__forged_number__is_not_found_but_told_as_what_it_is(void **state)
{
    static const struct {
        const char *keyring;
        int64_t found;
        bool is_acceptable;
    } rows[] = {{"0f", 8, true}, {"0f", 9, false}, {"0f", 1LL << 40, false}, {"1f", 8, false}};
    CLEANUP(mem_freep) struct agent *a = NULL;
    CLEANUP(mem_freep) struct holding *h = NULL;

    (void)state;
    check_ok(mem_new(1, sizeof *a, &a));
    check_ok(mem_new(1, sizeof *h, &h));
    h->deed.is_made = h->seen.is_made = true;
    h->deed.anchor = (struct anchor){"0f", 9, 0};
    h->failure.rc = ks_fail(KS_E_ROLLED_BACK, "older");
    h->seen.found_name = "keyring.1";
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(h->seen.keyring, sizeof h->seen.keyring, "%s", rows[i].keyring);
        h->seen.found = rows[i].found;
        assert_int_equal(told_of_keyring(a, h, "found"), rows[i].is_acceptable ? rows[i].found : 0);
        const char *message = refusal(a, h);
        assert_int_equal(strstr(message, "accept-rollback") != NULL, rows[i].is_acceptable);
        assert_int_equal(strstr(message, "move the forged keyring.1 away") != NULL,
                         !rows[i].is_acceptable);
    }
}

static void serials__behind__due(void **state)
{
    struct wish w = wish_for("/s#one", "/k", true);

    (void)state;
    w.serials = (struct wish_serials){.store = 1, .restore = 2};
    w.lease.grace_ms = 5;
    struct step_view v = view_for(&w);
    assert_true(v.is_store_due && v.is_restore_due && v.is_set_due);
    assert_false(v.is_rewrap_due || v.is_data_due || v.is_reencrypt_due);
}

static void backoff__grows_to_its_bound(void **state)
{
    uint64_t before = 0;

    (void)state;
    for (unsigned tries = 1; tries < 20; tries++) {
        uint64_t ms = failure_backoff_ms(tries, random_system());
        assert_true(ms >= 750 && ms <= 30000);
        assert_true(tries > 5 || ms > before);
        before = ms;
    }
    assert_true(before >= 22500);
}

static void link_pause__never_longer_than_a_revoke_may_wait(void **state)
{
    (void)state;
    assert_true(failure_link_pause_ms(1, random_system()) <= 1000);
    for (unsigned tries = 3; tries < 20; tries++) {
        uint64_t ms = failure_link_pause_ms(tries, random_system());
        assert_true(ms >= 3000 && ms <= 4000);
    }
}

static void failure__noted_and_cleared(void **state)
{
    struct failure f = {0};

    (void)state;
    failure_note(&f, ks_fail(KS_E_KEY_DISABLED, "it is off"), 1000, random_system());
    assert_string_equal(f.text, "it is off");
    assert_int_equal(f.rc.cls, KS_CLASS_DENIED);
    assert_true(f.until_ms > 1000);
    failure_clear(&f);
    assert_true(ks_ok(f.rc) && f.until_ms == 0 && f.tries == 0);
}

static void explain__refusal__ends_with_what_mends_it(void **state)
{
    static const struct key_spec spec = {"AWS_KMS", "arn:aws:kms:eu-west-1:111122223333:key/1234",
                                         "arn:aws:iam::111122223333:role/db"};
    char text[MESSAGE_BYTES];

    (void)state;
    ks_rc denied = ks_fail(KS_E_DENIED, "no");
    failure_explain(&spec, "org-1", denied, "kms:Encrypt is refused", text);
    assert_non_null(strstr(text, "kms:Encrypt is refused\nto mend it: "));
    assert_non_null(strstr(text, "\"Action\": \"kms:Encrypt\""));
    failure_explain(&spec, "org-1", denied, "refused", text);
    assert_non_null(strstr(text, "\"Action\": \"kms:Decrypt\""));
    failure_explain(&spec, "org-1", KS_SUCCESS, "fine", text);
    assert_string_equal(text, "fine");
}

static void lock_id__other_lock__other_id(void **state)
{
    struct seen s = {0};
    char one[96], two[96];

    (void)state;
    look(&s);
    prove_lock_id(&s, one);
    s.lock_handles++;
    prove_lock_id(&s, two);
    assert_string_not_equal(one, two);
    seen_done(&s);
}

static void capacity__text_of_the_host__read(void **state)
{
    uint64_t mib = 0;

    (void)state;
    check_ok(capacity_available(view_text("MemTotal: 9 kB\nMemAvailable:    2097152 kB\n"), &mib));
    assert_int_equal(mib, 2048);
    check_rc(capacity_available(view_text("MemTotal: 9 kB\n"), &mib), BAD_REPLY);
    check_rc(capacity_available(view_text("MemAvailable: x"), &mib), BAD_REPLY);
    check_rc(capacity_available(view_text("MemAvailable:"), &mib), BAD_REPLY);
}

static void capacity__too_little_or_too_many__says_what_to_do(void **state)
{
    (void)state;
    check_ok(capacity_judge(CAPACITY_VOLUME_MIB + CAPACITY_RESERVE_MIB, 1000, 0));
    ks_rc rc = capacity_judge(CAPACITY_VOLUME_MIB + CAPACITY_RESERVE_MIB - 1, 0, 0);
    check_rc(rc, LIMIT);
    check_text(rc, "add memory");
    check_ok(capacity_judge(4096, 9, 10));
    rc = capacity_judge(4096, 10, 10);
    check_rc(rc, LIMIT);
    check_text(rc, "--volumes");
}

static void check_shown(const char *text, const char *shown)
{
    static const struct key_spec file = {"FILE", "/of/customer/s#orders", "/of/customer/key"};
    const struct key_spec *specs[] = {&file};
    char out[MESSAGE_BYTES];

    failure_hide_paths(text, specs, 1, out);
    assert_string_equal(out, shown);
}

/* While somebody locks it, for a revoke that is over or one that came just now: that is no failure, and no news for a customer. */
static void unlock__while_it_is_being_locked__waits_and_is_no_failure(void **state)
{
    CLEANUP(mem_freep) struct agent *a = NULL;
    CLEANUP(mem_freep) struct holding *h = NULL;
    CLEANUP(mem_freep) struct job *j = NULL;

    (void)state;
    check_ok(mem_new(1, sizeof *a, &a));
    check_ok(mem_new(1, sizeof *h, &h));
    check_ok(mem_new(1, sizeof *j, &j));
    pthread_mutex_init(&a->mutex, NULL);
    j->a = a;
    j->h = h;
    h->is_locking = true;
    check_ok(step_take(j, STEP_UNLOCK));
    assert_true(j->is_held_back && !j->is_more_due && !h->is_unlocking);
    h->is_locking = false;
    h->wish.is_revoked = true;
    check_ok(step_take(j, STEP_UNLOCK));
    h->wish.is_revoked = false;
    check_rc(step_take(j, STEP_UNLOCK), STATE); /* sent, if there were somebody */
    assert_false(h->is_unlocking);
    pthread_mutex_destroy(&a->mutex);
}

static void paths__in_a_text_for_customers__are_hidden_and_the_rest_is_kept(void **state)
{
    (void)state;
    check_shown("/srv/node/volumes/7/backing: no wrap opens: wrap 1: AWS_KMS:arn:aws:kms:us-east-1:"
                "1:key/2: the role may not; POST https://kms.example:8200/v1/x: 400",
                "no wrap opens: wrap 1: AWS_KMS:arn:aws:kms:us-east-1:"
                "1:key/2: the role may not; POST https://kms.example:8200/v1/x: 400");
    check_shown("key file /etc/keystead/key cannot be used", "key file [path] cannot be used");
    check_shown("wrap 1: /root/.aws/credentials: no profile", "wrap 1: no profile");
    check_shown("it is in /srv/node.", "it is in [path].");
    check_shown("/srv/node", "[path]");
    check_shown("wrap 1: FILE:/of/customer/s#orders: key orders in /of/customer/s is disabled; "
                "--key-file /of/customer/key",
                "wrap 1: FILE:/of/customer/s#orders: key orders in /of/customer/s is disabled; "
                "--key-file /of/customer/key");
    check_shown("wrap 2: FILE:/of/platform/s#p: no", "wrap 2: FILE:[path]#p: no");
    check_shown("no right over '/subscriptions/7/x' for \"transit/keys/a\", and/or / at /v1",
                "no right over '/subscriptions/7/x' for \"transit/keys/a\", and/or / at /v1");
    check_shown("", "");
}

static void paths__in_a_text_that_is_too_long__end_with_the_room(void **state)
{
    static const struct key_spec none;
    const struct key_spec *specs[] = {&none};
    char text[3 * MESSAGE_BYTES], out[MESSAGE_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = " /a/b"[i % 5];
    text[sizeof text - 1] = 0;
    failure_hide_paths(text, specs, 1, out);
    assert_true(strlen(out) < sizeof out);
    assert_null(strstr(out, "/a"));
    memset(text, 'x', sizeof text - 1);
    failure_hide_paths(text, specs, 1, out);
    assert_true(strlen(out) < sizeof out && strlen(out) > sizeof out - 10);
}

/* As it is reported: no text of it names where the node keeps the volume. */
static void report__of_a_failure__names_no_path_of_the_node(void **state)
{
    static const char at[] = "/srv/node/volumes/7/backing: no wrap opens: the key is disabled";
    struct agent *a = NULL;
    struct holding *h = NULL;

    (void)state;
    check_ok(mem_new(1, sizeof *a, &a));
    check_ok(mem_new(1, sizeof *h, &h));
    h->wish = wish_for("/s#one", "/k", false);
    h->seen.is_made = h->is_seen = true;
    h->failed_step = STEP_REWRAP;
    failure_note(&h->failure, ks_fail(KS_E_KEY_DISABLED, "%s", at), 0, random_system());
    failure_note(&h->key_failures[0], h->failure.rc, 0, random_system());
    json_t *report = report_volume(a, h);
    char *text = json_dumps(report, 0);
    assert_null(strstr(text, "/srv"));
    assert_string_equal(json_string_value(json_object_get(report, "message")),
                        "no wrap opens: the key is disabled");
    free(text);
    json_decref(report);
    mem_free(h);
    mem_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status__whole__taken_over),
        cmocka_unit_test(failed_requests__of_its_process__taken_over_and_gone_with_it),
        cmocka_unit_test(refusal__as_the_probe_said__is_known_by_its_code),
        cmocka_unit_test(status__without_what_counts__bad_reply_and_output_untouched),
        cmocka_unit_test(keys__as_wished__held),
        cmocka_unit_test(keys__another_one_or_another_principal__missing_or_to_swap),
        cmocka_unit_test(keys__the_same_one_twice__the_last_one_counts),
        cmocka_unit_test(keys__unwanted__found_one_by_one),
        cmocka_unit_test(rolled_back__served_with_another_or_older_keyring__told),
        cmocka_unit_test(report__forged_number__is_not_found_but_told_as_what_it_is),
        cmocka_unit_test(report__keyring__is_told_as_it_was_kept_and_what_is_refused),
        cmocka_unit_test(report__keyring_of_what_is_not_made_yet__is_not_told),
        cmocka_unit_test(serials__behind__due),
        cmocka_unit_test(backoff__grows_to_its_bound),
        cmocka_unit_test(link_pause__never_longer_than_a_revoke_may_wait),
        cmocka_unit_test(failure__noted_and_cleared),
        cmocka_unit_test(explain__refusal__ends_with_what_mends_it),
        cmocka_unit_test(lock_id__other_lock__other_id),
        cmocka_unit_test(capacity__text_of_the_host__read),
        cmocka_unit_test(capacity__too_little_or_too_many__says_what_to_do),
        cmocka_unit_test(unlock__while_it_is_being_locked__waits_and_is_no_failure),
        cmocka_unit_test(paths__in_a_text_for_customers__are_hidden_and_the_rest_is_kept),
        cmocka_unit_test(paths__in_a_text_that_is_too_long__end_with_the_room),
        cmocka_unit_test(report__of_a_failure__names_no_path_of_the_node),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
