/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/reconcile_world.h - a region in a world of its own: nodes that work, crash and report late, a key service with moods,
 * a customer who asks for anything at any time. Small enough that millions of its states can be looked at.
 */
#pragma once

#include "control/reconcile.h"

enum { W_VOLUMES = 3, W_KEYS = 6, W_STEPS = 6, W_MAIL = 4 };

enum w_mood { W_ALLOW, W_DENY, W_SILENT, W_MOODS };

/* What a volume is to be, as its node last read it. Keys are bits. */
struct w_wish {
    int16_t goal;
    uint8_t keys;
    bool is_present, is_platform, is_revoked;
    uint8_t serial[REC_LEVEL_COUNT];
};

/* What a node says of a volume. */
struct w_report {
    bool is_used;
    uint8_t volume;
    int16_t birth; /* of the volume: another one may stand in its place by now */
    int16_t reached;
    uint8_t access, cause;
    bool is_platform, has_receipt;
    uint8_t wraps, failed, failed_no; /* bits by key */
    uint8_t done[REC_LEVEL_COUNT];
    uint8_t level_error;
    uint8_t ids[W_KEYS]; /* that the bits stood for */
};

struct w_volume {
    bool is_used, is_wanted; /* of the store */
    int16_t goal, birth;
    struct w_report stored;
    bool has_receipt;
    /* of the node */
    struct w_wish wish;
    bool exists, is_mounted, is_locked, has_platform, is_receipt_due, was_revoked;
    uint8_t lock_cause;
    uint8_t wraps, failed, failed_no;
    uint8_t done[REC_LEVEL_COUNT];
    int16_t reached;
};

struct w_key {
    bool is_used;
    uint8_t id; /* other for each, so that old reports cannot be about a later key in its place */
    uint8_t status;
    bool is_wanted;
    int32_t since;
};

struct w_step {
    bool is_used;
    uint8_t kind;
    uint8_t serial;
    int32_t began;
};

struct world {
    int32_t now;
    int16_t goals;
    uint8_t ids;
    uint8_t status;
    bool is_revoked, is_platform_wanted;
    uint8_t serial[REC_LEVEL_COUNT];
    uint8_t moods[W_KEYS];
    struct w_key keys[W_KEYS];
    struct w_step steps[W_STEPS];
    struct w_volume volumes[W_VOLUMES];
    struct w_report mail[W_MAIL]; /* under way; may arrive in any order, again, or never */
    const char *broken;           /* which promise, as soon as one is */
};

void world_begin(struct world *w, size_t volumes);
/* world_action_count: actions are numbers below it. world_act(w, action, draw): false: cannot be done now. draw: decides about
 * details; any number. */
unsigned world_action_count(void);
const char *world_action_name(unsigned action);
bool world_act(struct world *w, unsigned action, unsigned draw);
/* world_calm(w): everybody is back, the key service allows, everything arrives. Afterwards all has ended. */
void world_calm(struct world *w);
