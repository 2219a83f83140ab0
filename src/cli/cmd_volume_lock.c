/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_volume_lock.c - keystead volume lock, keystead volume unlock.
 *
 * A running volume is asked and then watched until it is where it should be; for an unmounted one only the
 * record is made or removed, which the next mount obeys. That asks no key service.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/dashboard.h"
#include "cli/output.h"
#include "cli/target.h"

enum { LOCK_TIMEOUT_MS = 30000, UNLOCK_TIMEOUT_MS = 60000, POLL_MS = 50 };

static ks_rc wait_state(struct target *t, const char *state, uint64_t timeout_ms)
{
    struct clock *clock = clock_system();
    uint64_t until = clock_boot_ms(clock) + timeout_ms;

    TRY(target_refresh(t));
    while (strcmp(dashboard_text(t->status, "state"), state) != 0) {
        if (clock_boot_ms(clock) >= until) {
            const json_t *probe = json_object_get(t->status, "last_probe");
            return ks_fail(KS_E_TIMEOUT,
                           "the volume is %s, not %s, after %" PRIu64 " s; last probe: %s %s",
                           dashboard_text(t->status, "state"), state, timeout_ms / 1000,
                           dashboard_text(probe, "result"), dashboard_text(probe, "message"));
        }
        poll(NULL, 0, POLL_MS);
        TRY(target_refresh(t));
    }
    return KS_SUCCESS;
}

static void say_label(const struct target *t)
{
    printf("volume ");
    output_text(stdout, t->keyring->label);
}

/* The record alone, under the volume's lock. */
static ks_rc record(struct target *t, bool is_revoked)
{
    TRY(target_open(t));
    return backing_set_revoked(t->backing, is_revoked);
}

static ks_rc print_lock(const struct target *t)
{
    json_t *receipt = json_object_get(t->status, "receipt");

    if (t->cli->is_json)
        return output_json(json_pack("{s:s, s:O}", "state",
                                     target_is_running(t) ? "LOCKED" : "UNMOUNTED", "receipt",
                                     receipt ? receipt : json_null()));
    say_label(t);
    if (!target_is_running(t)) {
        printf(" is not mounted; it will stay locked when it is\n");
        return KS_SUCCESS;
    }
    printf(" is locked\n");
    if (json_is_object(receipt)) {
        output_field("at", "%s", dashboard_text(receipt, "at"));
        output_field("reason", "%s", dashboard_text(receipt, "reason"));
        output_field("took", "%lld ms",
                     (long long)json_integer_value(json_object_get(receipt, "duration_ms")));
        output_field("files cut", "%lld",
                     (long long)json_integer_value(json_object_get(receipt, "handles_cut")));
    }
    return KS_SUCCESS;
}

ks_rc cmd_volume_lock(struct cli *cli)
{
    CLEANUP(target_done) struct target t = {0};

    TRY(target_init(cli, cli->args[0], &t));
    TRY(ask_confirmation(
        cli, target_name(&t),
        "Every access to the volume's files will fail at once, and its keys are wiped from "
        "memory. Nothing is lost; \"keystead volume unlock\" brings it back."));
    if (target_is_running(&t)) {
        TRY(target_call(&t, json_pack("{s:s}", "op", "lock"), NULL));
        TRY(wait_state(&t, "LOCKED", LOCK_TIMEOUT_MS));
    } else {
        TRY(record(&t, true));
    }
    return print_lock(&t);
}

ks_rc cmd_volume_unlock(struct cli *cli)
{
    CLEANUP(target_done) struct target t = {0};

    TRY(target_init(cli, cli->args[0], &t));
    if (target_is_running(&t)) {
        TRY(target_call(&t, json_pack("{s:s}", "op", "unlock"), NULL));
        TRY(wait_state(&t, "OPEN", UNLOCK_TIMEOUT_MS));
    } else {
        TRY(record(&t, false));
    }
    if (cli->is_json)
        return output_json(
            json_pack("{s:s}", "state", target_is_running(&t) ? "OPEN" : "UNMOUNTED"));
    say_label(&t);
    printf(target_is_running(&t) ? " is open\n"
                                 : " is not mounted; its key service decides at the next mount\n");
    return KS_SUCCESS;
}
