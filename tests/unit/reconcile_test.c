/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: each step of each change of a region's CMEK, one row at a time: what is asked in which status, what volumes say, and what becomes
 * of it. The tables of docs/CMEK.md are those of the code.
 */
#include "control/reconcile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NOW = 1000000 };

static struct rec r;

static struct rec_volume *volume(size_t i)
{
    return &r.volumes[i];
}

/* A region with volumes that are open under the platform's key. */
static void begin(size_t volumes)
{
    memset(&r, 0, sizeof r);
    r.now = NOW;
    r.region.is_platform_wanted = true;
    r.volume_count = volumes;
    for (size_t i = 0; i < volumes; i++)
        r.volumes[i] = (struct rec_volume){
            .is_wanted = true, .is_current = true, .is_platform = true, .access = ACCESS_OPEN};
}

static enum rec_rule rule(enum rec_verb verb, enum rec_match match)
{
    struct rec_ask ask = {verb, match, REC_DATA, 1};

    return rec_rule_of(&r, &ask);
}

static void ask(enum rec_verb verb, enum rec_match match)
{
    struct rec_ask a = {verb, match, REC_DATA, 1};
    enum operation_kind kind;
    uint32_t serial;

    assert_int_equal(rec_rule_of(&r, &a), REC_BEGIN);
    assert_true(rec_begin(&r, &a, &kind, &serial));
    r.steps[r.step_count++] = (struct rec_step){.kind = kind, .serial = serial, .began = r.now};
    rec_settle(&r);
}

static void wrap(size_t i, size_t k, enum wrap_state state, enum rec_error error)
{
    r.volumes[i].wraps[k] = (struct rec_wrap){state, error};
}

/* Every volume has done what the wish says now. */
static void all_follow(void)
{
    for (size_t i = 0; i < r.volume_count; i++) {
        for (size_t k = 0; k < r.key_count; k++)
            wrap(i, k, r.keys[k].is_wanted ? WRAP_ACTIVE : WRAP_ABSENT, REC_ERROR_NONE);
        volume(i)->is_platform = r.region.is_platform_wanted;
        volume(i)->is_current = true;
        volume(i)->access = ACCESS_OPEN;
        volume(i)->cause = CAUSE_NONE;
        memcpy(volume(i)->done, r.region.serial, sizeof r.region.serial);
    }
    rec_settle(&r);
}

static void begin_enabled(size_t volumes)
{
    begin(volumes);
    ask(REC_DO_ENABLE, REC_MATCH_NONE);
    all_follow();
    all_follow();
    assert_int_equal(r.region.status, CMEK_ENABLED);
    r.step_count = 0;
    r.is_reencrypt_due = false;
}

static void close_all(enum cause cause)
{
    for (size_t i = 0; i < r.volume_count; i++) {
        volume(i)->access = ACCESS_LOCKED;
        volume(i)->cause = cause;
    }
    rec_settle(&r);
}

static void enable__one_of_three_is_slow__both_openers_stay(void **state)
{
    (void)state;
    begin(3);
    ask(REC_DO_ENABLE, REC_MATCH_NONE);
    assert_int_equal(r.region.status, CMEK_ENABLING);
    assert_true(r.keys[0].is_wanted && r.region.is_platform_wanted);
    wrap(0, 0, WRAP_ACTIVE, REC_ERROR_NONE);
    wrap(1, 0, WRAP_ACTIVE, REC_ERROR_NONE);
    rec_settle(&r);
    assert_true(r.region.is_platform_wanted);
    assert_int_equal(r.region.why.reason, REC_WHY_WORKING);
    assert_int_equal(r.region.why.volume, 2);
    wrap(2, 0, WRAP_ACTIVE, REC_ERROR_NONE);
    rec_settle(&r);
    assert_false(r.region.is_platform_wanted);
    assert_int_equal(r.region.status, CMEK_ENABLING);
}

static void enable__all_follow__enabled_and_existing_data_is_due(void **state)
{
    (void)state;
    begin(3);
    ask(REC_DO_ENABLE, REC_MATCH_NONE);
    all_follow();
    assert_int_equal(r.region.status, CMEK_ENABLING);
    all_follow();
    assert_int_equal(r.region.status, CMEK_ENABLED);
    assert_int_equal(r.keys[0].status, CMEK_ENABLED);
    assert_int_equal(r.steps[0].state, OPERATION_SUCCEEDED);
    assert_true(r.is_reencrypt_due);
    assert_int_equal(r.region.serial[REC_STORE], 1);
    assert_int_equal(r.region.serial[REC_DATA], 1);
    assert_int_equal(r.region.serial[REC_REENCRYPT], 1);
}

static void enable__refused_on_one__goes_back(void **state)
{
    (void)state;
    begin(2);
    ask(REC_DO_ENABLE, REC_MATCH_NONE);
    wrap(0, 0, WRAP_ACTIVE, REC_ERROR_NONE);
    wrap(1, 0, WRAP_FAILED, REC_ERROR_NO);
    rec_settle(&r);
    assert_int_equal(r.region.status, CMEK_ENABLE_FAILED);
    assert_int_equal(r.keys[0].status, CMEK_ENABLE_FAILED);
    assert_int_equal(r.keys[0].why.reason, REC_WHY_KEY_REFUSED);
    assert_int_equal(r.keys[0].why.volume, 1);
    assert_false(r.keys[0].is_wanted);
    assert_true(r.region.is_platform_wanted);
    assert_int_equal(r.steps[0].state, OPERATION_FAILED);
    assert_int_equal(rule(REC_DO_ENABLE, REC_MATCH_NONE), REC_BEGIN);
    assert_int_equal(rule(REC_DO_PUT, REC_MATCH_NONE), REC_BEGIN);
}

static void enable__service_silent__waits_ten_minutes(void **state)
{
    (void)state;
    begin(2);
    ask(REC_DO_ENABLE, REC_MATCH_NONE);
    wrap(0, 0, WRAP_ACTIVE, REC_ERROR_NONE);
    wrap(1, 0, WRAP_FAILED, REC_ERROR_SILENT);
    r.now = NOW + REC_PATIENCE_S - 1;
    rec_settle(&r);
    assert_int_equal(r.region.status, CMEK_ENABLING);
    assert_int_equal(r.keys[0].why.reason, REC_WHY_KEY_SILENT);
    r.now = NOW + REC_PATIENCE_S;
    rec_settle(&r);
    assert_int_equal(r.region.status, CMEK_ENABLE_FAILED);
    assert_true(r.region.why.is_timed_out);
}

/* A region that was made with its keys and nothing beside them. */
static void enable__alone_and_refused__falls_back_to_the_platform(void **state)
{
    (void)state;
    begin(2);
    ask(REC_DO_ENABLE, REC_MATCH_NONE);
    r.region.is_platform_wanted = false;
    for (size_t i = 0; i < 2; i++) {
        volume(i)->is_platform = volume(i)->is_current = false;
        volume(i)->access = ACCESS_NONE;
    }
    rec_settle(&r);
    assert_int_equal(r.region.status, CMEK_ENABLING);
    wrap(1, 0, WRAP_FAILED, REC_ERROR_NO);
    rec_settle(&r);
    assert_int_equal(r.region.status, CMEK_ENABLE_FAILED);
    assert_true(r.region.is_platform_wanted);
    assert_int_equal(r.steps[0].state, OPERATION_FAILED);
}

static void enable__node_away__waits_for_it(void **state)
{
    (void)state;
    begin(2);
    ask(REC_DO_ENABLE, REC_MATCH_NONE);
    wrap(0, 0, WRAP_ACTIVE, REC_ERROR_NONE);
    volume(1)->is_away = true;
    r.now = NOW + 100 * (int64_t)REC_PATIENCE_S;
    rec_settle(&r);
    assert_int_equal(r.region.status, CMEK_ENABLING);
    assert_int_equal(r.region.why.reason, REC_WHY_AWAY);
    assert_int_equal(r.region.why.volume, 1);
}

static void enable__volume_added_meanwhile__is_waited_for(void **state)
{
    (void)state;
    begin(1);
    ask(REC_DO_ENABLE, REC_MATCH_NONE);
    wrap(0, 0, WRAP_ACTIVE, REC_ERROR_NONE);
    r.volume_count = 2;
    r.volumes[1] = (struct rec_volume){.is_wanted = true};
    rec_settle(&r);
    assert_true(r.region.is_platform_wanted);
    r.volumes[1].is_wanted = false; /* and taken away again */
    rec_settle(&r);
    assert_false(r.region.is_platform_wanted);
}

static void rotate__all_follow__old_key_leaves_last(void **state)
{
    (void)state;
    begin_enabled(2);
    ask(REC_DO_PUT, REC_MATCH_NONE);
    assert_int_equal(r.region.status, CMEK_ROTATING);
    assert_int_equal(r.keys[0].status, CMEK_DISABLING);
    assert_true(r.keys[0].is_wanted && r.keys[1].is_wanted);
    assert_false(r.region.is_platform_wanted);
    all_follow();
    assert_false(r.keys[0].is_wanted);
    assert_int_equal(r.region.status, CMEK_ROTATING);
    all_follow();
    assert_int_equal(r.region.status, CMEK_ENABLED);
    assert_int_equal(r.keys[0].status, CMEK_DISABLED);
    assert_int_equal(r.keys[1].status, CMEK_ENABLED);
    assert_false(r.is_reencrypt_due);
}

/* The same key as somebody else: a volume has one wrap for both, and it is the newer one's. */
static void rotate__older_wrap_is_gone_already__ends_all_the_same(void **state)
{
    (void)state;
    begin_enabled(1);
    ask(REC_DO_PUT, REC_MATCH_NONE);
    wrap(0, 0, WRAP_ABSENT, REC_ERROR_NONE);
    wrap(0, 1, WRAP_ACTIVE, REC_ERROR_NONE);
    rec_settle(&r);
    assert_false(r.keys[0].is_wanted);
    all_follow();
    assert_int_equal(r.region.status, CMEK_ENABLED);
}

static void rotate__refused__old_key_stays_in_force(void **state)
{
    (void)state;
    begin_enabled(2);
    ask(REC_DO_PUT, REC_MATCH_NONE);
    wrap(0, 1, WRAP_ACTIVE, REC_ERROR_NONE);
    wrap(1, 1, WRAP_FAILED, REC_ERROR_NO);
    rec_settle(&r);
    assert_int_equal(r.region.status, CMEK_ROTATE_FAILED);
    assert_int_equal(r.keys[0].status, CMEK_ENABLED);
    assert_int_equal(r.keys[1].status, CMEK_ENABLE_FAILED);
    assert_false(r.region.is_platform_wanted);
    assert_int_equal(rule(REC_DO_PUT, REC_MATCH_FORCE), REC_BEGIN);
}

static void rotate__same_key__rewraps(void **state)
{
    (void)state;
    begin_enabled(2);
    ask(REC_DO_PUT, REC_MATCH_FORCE);
    assert_int_equal(r.region.status, CMEK_ROTATING);
    assert_int_equal(r.key_count, 1);
    assert_int_equal(r.steps[0].serial, 1);
    assert_int_equal(rule(REC_DO_PUT, REC_MATCH_FORCE), REC_JOIN);
    assert_int_equal(rule(REC_DO_PUT, REC_MATCH_NONE), REC_BUSY);
    all_follow();
    assert_int_equal(r.region.status, CMEK_ENABLED);
    assert_int_equal(r.steps[0].state, OPERATION_SUCCEEDED);
}

static void rotate__same_key_refused__rotate_failed(void **state)
{
    (void)state;
    begin_enabled(1);
    ask(REC_DO_ROTATE_CMEK, REC_MATCH_NONE);
    volume(0)->failed_level = REC_REWRAP;
    volume(0)->failed_error = REC_ERROR_NO;
    rec_settle(&r);
    assert_int_equal(r.region.status, CMEK_ROTATE_FAILED);
    assert_int_equal(r.region.why.reason, REC_WHY_LEVEL);
    assert_int_equal(r.steps[0].state, OPERATION_FAILED);
}

static void revoke__node_silent__revoking_names_it(void **state)
{
    (void)state;
    begin_enabled(2);
    ask(REC_DO_REVOKE, REC_MATCH_NONE);
    assert_int_equal(r.region.status, CMEK_REVOKING);
    assert_true(r.region.is_revoked);
    volume(0)->access = ACCESS_LOCKED;
    volume(0)->cause = CAUSE_REVOKED;
    volume(0)->is_current = volume(0)->has_receipt = true;
    volume(1)->is_away = true;
    r.now += 100000;
    rec_settle(&r);
    assert_int_equal(r.region.status, CMEK_REVOKING);
    assert_int_equal(r.region.why.reason, REC_WHY_AWAY);
    assert_int_equal(r.region.why.volume, 1);
    assert_int_equal(rule(REC_DO_REVOKE, REC_MATCH_NONE), REC_JOIN);
}

static void revoke__receipt_missing__waits_then_says_so(void **state)
{
    (void)state;
    begin_enabled(1);
    ask(REC_DO_REVOKE, REC_MATCH_NONE);
    volume(0)->is_current = true;
    close_all(CAUSE_REVOKED);
    assert_int_equal(r.region.status, CMEK_REVOKING);
    assert_int_equal(r.region.why.reason, REC_WHY_NO_RECEIPT);
    r.now += REC_RECEIPT_WAIT_S;
    rec_settle(&r);
    assert_int_equal(r.region.status, CMEK_REVOKED);
    assert_int_equal(r.region.why.reason, REC_WHY_NO_RECEIPT);
    assert_int_equal(r.steps[0].state, OPERATION_SUCCEEDED);
}

static void revoke__locked_for_an_older_wish__does_not_count(void **state)
{
    (void)state;
    begin_enabled(1);
    ask(REC_DO_REVOKE, REC_MATCH_NONE);
    volume(0)->has_receipt = true;
    close_all(CAUSE_DENIED);
    assert_int_equal(r.region.status, CMEK_REVOKING);
}

static void revoke__during_a_rotation__overtakes_it_and_it_goes_on_after_the_restore(void **state)
{
    (void)state;
    begin_enabled(1);
    ask(REC_DO_PUT, REC_MATCH_NONE);
    ask(REC_DO_REVOKE, REC_MATCH_NONE);
    assert_int_equal(r.steps[0].state, OPERATION_CANCELLED);
    assert_int_equal(r.steps[0].why.reason, REC_WHY_OVERTAKEN);
    volume(0)->is_current = volume(0)->has_receipt = true;
    close_all(CAUSE_REVOKED);
    assert_int_equal(r.region.status, CMEK_REVOKED);
    ask(REC_DO_RESTORE, REC_MATCH_NONE);
    assert_int_equal(r.region.status, CMEK_ROTATING);
    all_follow();
    all_follow();
    assert_int_equal(r.region.status, CMEK_ENABLED);
    assert_int_equal(r.keys[1].status, CMEK_ENABLED);
    assert_int_equal(r.steps[2].state, OPERATION_SUCCEEDED);
}

static void restore__all_open__enabled(void **state)
{
    (void)state;
    begin_enabled(2);
    ask(REC_DO_REVOKE, REC_MATCH_NONE);
    for (size_t i = 0; i < 2; i++)
        volume(i)->is_current = volume(i)->has_receipt = true;
    close_all(CAUSE_REVOKED);
    ask(REC_DO_RESTORE, REC_MATCH_NONE);
    assert_int_equal(r.region.status, CMEK_ENABLING);
    assert_false(r.region.is_revoked);
    assert_int_equal(r.region.serial[REC_RESTORE], 1);
    all_follow();
    assert_int_equal(r.region.status, CMEK_ENABLED);
    assert_int_equal(r.steps[1].state, OPERATION_SUCCEEDED);
}

static void restore__service_denies__revoked_by_it(void **state)
{
    (void)state;
    begin_enabled(1);
    ask(REC_DO_REVOKE, REC_MATCH_NONE);
    volume(0)->is_current = volume(0)->has_receipt = true;
    close_all(CAUSE_REVOKED);
    ask(REC_DO_RESTORE, REC_MATCH_NONE);
    volume(0)->is_current = true;
    close_all(CAUSE_DENIED);
    assert_int_equal(r.region.status, CMEK_REVOKED);
    assert_false(r.region.is_revoked);
    assert_int_equal(r.steps[1].state, OPERATION_FAILED);
    assert_int_equal(rule(REC_DO_RESTORE, REC_MATCH_NONE), REC_NOT);
    all_follow();
    assert_int_equal(r.region.status, CMEK_ENABLED);
}

static void restore__service_silent__ends_after_ten_minutes_and_opens_by_itself(void **state)
{
    (void)state;
    begin_enabled(1);
    ask(REC_DO_REVOKE, REC_MATCH_NONE);
    volume(0)->is_current = volume(0)->has_receipt = true;
    close_all(CAUSE_REVOKED);
    ask(REC_DO_RESTORE, REC_MATCH_NONE);
    close_all(CAUSE_UNREACHABLE);
    assert_int_equal(r.region.status, CMEK_ENABLING);
    r.now += REC_PATIENCE_S;
    rec_settle(&r);
    assert_int_equal(r.region.status, CMEK_REVOKED);
    assert_int_equal(r.region.access, ACCESS_LOCKED);
    assert_int_equal(r.region.cause, CAUSE_UNREACHABLE);
    assert_int_equal(r.steps[1].state, OPERATION_FAILED);
    all_follow();
    assert_int_equal(r.region.status, CMEK_ENABLED);
}

static void denial__at_the_service__revoked_and_back_by_itself(void **state)
{
    (void)state;
    begin_enabled(3);
    volume(1)->access = ACCESS_LOCKED;
    volume(1)->cause = CAUSE_DENIED;
    rec_settle(&r);
    assert_int_equal(r.region.status, CMEK_REVOKED);
    assert_int_equal(r.region.cause, CAUSE_DENIED);
    assert_int_equal(r.region.why.reason, REC_WHY_DENIED);
    assert_int_equal(r.region.why.volume, 1);
    assert_int_equal(r.keys[0].why.reason, REC_WHY_DENIED);
    assert_int_equal(rule(REC_DO_REVOKE, REC_MATCH_NONE), REC_BEGIN);
    volume(1)->cause = CAUSE_UNREACHABLE; /* an answer that is missing now takes nothing back */
    rec_settle(&r);
    assert_int_equal(r.region.status, CMEK_REVOKED);
    all_follow();
    assert_int_equal(r.region.status, CMEK_ENABLED);
    assert_int_equal(r.region.why.reason, REC_WHY_NOTHING);
}

static void outage__at_the_service__stays_enabled_and_says_so(void **state)
{
    (void)state;
    begin_enabled(2);
    volume(0)->access = ACCESS_GRACE;
    volume(0)->cause = CAUSE_UNREACHABLE;
    rec_settle(&r);
    assert_int_equal(r.region.status, CMEK_ENABLED);
    assert_int_equal(r.region.access, ACCESS_GRACE);
    volume(0)->access = ACCESS_LOCKED;
    rec_settle(&r);
    assert_int_equal(r.region.status, CMEK_ENABLED);
    assert_int_equal(r.region.access, ACCESS_LOCKED);
    assert_int_equal(r.region.cause, CAUSE_UNREACHABLE);
    assert_int_equal(r.region.why.reason, REC_WHY_SILENT);
}

static void disable__all_follow__platform_alone(void **state)
{
    (void)state;
    begin_enabled(2);
    ask(REC_DO_DISABLE, REC_MATCH_NONE);
    assert_int_equal(r.region.status, CMEK_DISABLING);
    assert_true(r.keys[0].is_wanted && r.region.is_platform_wanted);
    all_follow();
    assert_false(r.keys[0].is_wanted);
    all_follow();
    assert_int_equal(r.region.status, CMEK_DISABLED);
    assert_int_equal(r.keys[0].status, CMEK_DISABLED);
    assert_int_equal(rule(REC_DO_REVOKE, REC_MATCH_NONE), REC_SKIP);
    assert_int_equal(rule(REC_DO_DISABLE, REC_MATCH_NONE), REC_NOTHING);
}

static void disable__service_denies__disable_failed_then_revoked_by_it(void **state)
{
    (void)state;
    begin_enabled(1);
    ask(REC_DO_DISABLE, REC_MATCH_NONE);
    close_all(CAUSE_DENIED);
    assert_int_equal(r.region.status, CMEK_REVOKED);
    assert_int_equal(r.keys[0].status, CMEK_ENABLED);
    assert_false(r.region.is_platform_wanted);
    assert_int_equal(r.steps[0].state, OPERATION_FAILED);
}

static void levels__all_have_done_it__succeeded(void **state)
{
    (void)state;
    begin_enabled(2);
    ask(REC_DO_ROTATE_OTHER, REC_MATCH_NONE);
    assert_int_equal(r.region.status, CMEK_ENABLED);
    volume(0)->done[REC_DATA] = r.steps[0].serial;
    rec_settle(&r);
    assert_int_equal(r.steps[0].state, OPERATION_RUNNING);
    volume(1)->done[REC_DATA] = r.steps[0].serial;
    rec_settle(&r);
    assert_int_equal(r.steps[0].state, OPERATION_SUCCEEDED);
}

static void cancel__before_the_old_key_leaves__goes_back_after_it_does_not(void **state)
{
    (void)state;
    begin_enabled(2);
    ask(REC_DO_PUT, REC_MATCH_NONE);
    assert_true(rec_cancel(&r, 0));
    all_follow();
    assert_int_equal(r.region.status, CMEK_ENABLED);
    assert_int_equal(r.keys[0].status, CMEK_ENABLED);
    assert_int_equal(r.keys[1].status, CMEK_DISABLED);
    assert_int_equal(r.steps[0].state, OPERATION_CANCELLED);

    begin_enabled(2);
    ask(REC_DO_PUT, REC_MATCH_NONE);
    all_follow();
    assert_false(rec_cancel(&r, 0));
    assert_int_equal(r.steps[0].state, OPERATION_RUNNING);
}

static void cancel__several_wait_for_the_change__ends_all_of_them(void **state)
{
    static const enum rec_match matches[] = {REC_MATCH_NONE, REC_MATCH_FORCE};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        begin_enabled(2);
        ask(REC_DO_PUT, matches[i]);
        r.steps[r.step_count++] = r.steps[0];
        assert_true(rec_cancel(&r, 1));
        all_follow();
        assert_int_equal(r.region.status, CMEK_ENABLED);
        assert_int_equal(r.steps[0].state, OPERATION_CANCELLED);
        assert_int_equal(r.steps[1].state, OPERATION_CANCELLED);
    }
}

static void cancel__reencryption__volumes_are_not_behind_any_more(void **state)
{
    struct rec_ask a = {REC_DO_ROTATE_OTHER, REC_MATCH_NONE, REC_REENCRYPT, 0};
    enum operation_kind kind;
    uint32_t serial;

    (void)state;
    begin(2);
    assert_true(rec_begin(&r, &a, &kind, &serial));
    r.steps[r.step_count++] = (struct rec_step){.kind = kind, .serial = serial, .began = NOW};
    volume(0)->done[REC_REENCRYPT] = serial;
    assert_true(rec_cancel(&r, 0));
    assert_int_equal(r.region.serial[REC_REENCRYPT], serial - 1);
    assert_true(rec_begin(&r, &a, &kind, &serial));
    assert_int_equal(serial, 2); /* not again the number that one of them has done */
}

static void cancel__revocation__cannot_be(void **state)
{
    (void)state;
    begin_enabled(1);
    ask(REC_DO_REVOKE, REC_MATCH_NONE);
    assert_false(rec_cancel(&r, 0));
    assert_true(r.region.is_revoked);
}

static void removed__region__its_steps_are_cancelled(void **state)
{
    (void)state;
    begin_enabled(1);
    ask(REC_DO_PUT, REC_MATCH_NONE);
    r.steps[r.step_count++] = (struct rec_step){.kind = OPERATION_CMEK_CHECK, .began = NOW};
    r.region.is_removing = true;
    rec_settle(&r);
    assert_int_equal(r.steps[0].state, OPERATION_CANCELLED);
    assert_int_equal(r.steps[1].state, OPERATION_CANCELLED);
    assert_int_equal(rule(REC_DO_PUT, REC_MATCH_NONE), REC_NOT);
}

static void keys__too_many__refused(void **state)
{
    struct rec_ask a = {REC_DO_PUT, REC_MATCH_NONE, REC_DATA, REC_KEYS_MAX};
    enum operation_kind kind;
    uint32_t serial;

    (void)state;
    begin_enabled(1);
    assert_false(rec_begin(&r, &a, &kind, &serial));
}

/* -- the document ------------------------------------------------------------------------------------------------------ */

enum { LINE_BYTES = 512, CELLS_MAX = 16 };

static const char *document; /* path of docs/CMEK.md */

/* Cells of a line of a table, without blanks around them; 0 when it is none. */
static size_t split(char *line, char *cells[CELLS_MAX])
{
    size_t count = 0;

    if (line[0] != '|')
        return 0;
    char *rest = line + 1;
    line[strcspn(line, "\n")] = 0;
    for (char *at; (at = strsep(&rest, "|")) && rest && count < CELLS_MAX;) {
        at += strspn(at, " ");
        for (size_t len = strlen(at); len && at[len - 1] == ' '; len--)
            at[len - 1] = 0;
        cells[count++] = at;
    }
    return count;
}

/* each(cells, count, status): for each line that begins with a status; how many there were. */
static size_t each_row(const char *heading, void (*each)(char **, size_t, enum cmek_status))
{
    char line[LINE_BYTES], *cells[CELLS_MAX];
    enum cmek_status status;
    bool is_inside = false;
    size_t found = 0;
    FILE *f = fopen(document, "r");

    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        if (line[0] == '#')
            is_inside = strstr(line, heading) != NULL;
        size_t count = is_inside ? split(line, cells) : 0;
        if (!count || !cmek_status_parse(cells[0], &status))
            continue;
        each(cells, count, status);
        found++;
    }
    assert_int_equal(fclose(f), 0);
    return found;
}

/* What a word of the table means when its note does not hold, and when it does. */
static const struct {
    const char *word;
    enum rec_rule plain, noted;
} words[] = {
    {"begins", REC_BEGIN, REC_BEGIN},
    {"joins", REC_JOIN, REC_JOIN},
    {"nothing", REC_NOTHING, REC_NOTHING},
    {"skips", REC_SKIP, REC_SKIP},
    {"busy", REC_BUSY, REC_BUSY},
    {"no", REC_NOT, REC_NOT},
    {"joins (1)", REC_BUSY, REC_JOIN},
    {"nothing (2)", REC_NOT, REC_NOTHING},
    {"begins (3)", REC_NOT, REC_BEGIN},
    {"joins (4)", REC_BUSY, REC_JOIN},
    {"nothing (5)", REC_BEGIN, REC_NOTHING},
    {"joins (6)", REC_BUSY, REC_JOIN},
};

/* The region in a status, with a note of the table holding or not. */
static void stand(enum cmek_status status, char note, bool is_so)
{
    begin(1);
    r.region.status = status;
    r.region.is_revoked = is_so && (note == '3' || note == '5');
    if (is_so && note == '4')
        r.steps[r.step_count++] = (struct rec_step){.kind = OPERATION_CMEK_RESTORE};
    if (!is_so && note == '6')
        r.keys[r.key_count++] = (struct rec_key){.status = CMEK_ENABLING, .is_wanted = true};
}

static void check_cell(const char *cell, enum cmek_status status, enum rec_verb verb)
{
    const char *at = strchr(cell, '(');
    char note = at ? at[1] : 0;
    enum rec_match match = note == '1'   ? REC_MATCH_NEW
                           : note == '2' ? REC_MATCH_FORCE
                                         : REC_MATCH_NONE;

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(words[i].word, cell) != 0)
            continue;
        stand(status, note, false);
        assert_int_equal(rule(verb, REC_MATCH_NONE), words[i].plain);
        stand(status, note, true);
        assert_int_equal(rule(verb, match), words[i].noted);
        return;
    }
    fail_msg("\"%s\" is no word of the table", cell);
}

static void check_rules_row(char **cells, size_t count, enum cmek_status status)
{
    assert_int_equal(count, 1 + REC_VERB_COUNT);
    for (size_t v = 0; v < REC_VERB_COUNT; v++)
        check_cell(cells[1 + v], status, (enum rec_verb)v);
}

static void check_followers_row(char **cells, size_t count, enum cmek_status status)
{
    char list[LINE_BYTES], name[64];

    assert_int_equal(count, 2);
    snprintf(list, sizeof list, " %s,", cells[1]);
    for (int to = 0; to < CMEK_STATUS_COUNT; to++) {
        snprintf(name, sizeof name, " %s,", cmek_status_name((enum cmek_status)to));
        bool is_listed = to == (int)status || strstr(list, name);
        if (is_listed != rec_may_follow(status, (enum cmek_status)to))
            fail_msg("%s to %s", cells[0], name);
    }
}

static void tables__of_the_document__are_those_of_the_code(void **state)
{
    (void)state;
    if (!document)
        skip(); /* its path is the first argument */
    assert_int_equal(each_row("What may be asked", check_rules_row), CMEK_STATUS_COUNT);
    assert_int_equal(each_row("How statuses follow", check_followers_row), CMEK_STATUS_COUNT);
}

int main(int argc, char **argv)
{
    document = argc > 1 ? argv[1] : NULL;

    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enable__one_of_three_is_slow__both_openers_stay),
        cmocka_unit_test(enable__all_follow__enabled_and_existing_data_is_due),
        cmocka_unit_test(enable__refused_on_one__goes_back),
        cmocka_unit_test(enable__service_silent__waits_ten_minutes),
        cmocka_unit_test(enable__alone_and_refused__falls_back_to_the_platform),
        cmocka_unit_test(enable__node_away__waits_for_it),
        cmocka_unit_test(enable__volume_added_meanwhile__is_waited_for),
        cmocka_unit_test(rotate__all_follow__old_key_leaves_last),
        cmocka_unit_test(rotate__older_wrap_is_gone_already__ends_all_the_same),
        cmocka_unit_test(rotate__refused__old_key_stays_in_force),
        cmocka_unit_test(rotate__same_key__rewraps),
        cmocka_unit_test(rotate__same_key_refused__rotate_failed),
        cmocka_unit_test(revoke__node_silent__revoking_names_it),
        cmocka_unit_test(revoke__receipt_missing__waits_then_says_so),
        cmocka_unit_test(revoke__locked_for_an_older_wish__does_not_count),
        cmocka_unit_test(revoke__during_a_rotation__overtakes_it_and_it_goes_on_after_the_restore),
        cmocka_unit_test(restore__all_open__enabled),
        cmocka_unit_test(restore__service_denies__revoked_by_it),
        cmocka_unit_test(restore__service_silent__ends_after_ten_minutes_and_opens_by_itself),
        cmocka_unit_test(denial__at_the_service__revoked_and_back_by_itself),
        cmocka_unit_test(outage__at_the_service__stays_enabled_and_says_so),
        cmocka_unit_test(disable__all_follow__platform_alone),
        cmocka_unit_test(disable__service_denies__disable_failed_then_revoked_by_it),
        cmocka_unit_test(levels__all_have_done_it__succeeded),
        cmocka_unit_test(cancel__before_the_old_key_leaves__goes_back_after_it_does_not),
        cmocka_unit_test(cancel__several_wait_for_the_change__ends_all_of_them),
        cmocka_unit_test(cancel__reencryption__volumes_are_not_behind_any_more),
        cmocka_unit_test(cancel__revocation__cannot_be),
        cmocka_unit_test(removed__region__its_steps_are_cancelled),
        cmocka_unit_test(keys__too_many__refused),
        cmocka_unit_test(tables__of_the_document__are_those_of_the_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
