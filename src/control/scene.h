/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/scene.h - a region with everything the reconciler looks at, read from the store and written back.
 *
 * Between scene_read and scene_write who asks for something changes s->rec (control/reconcile.h); the rest are the rows behind it.
 * One piece of work reads, settles and writes; what did not change is not written.
 */
#pragma once

#include "control/control_int.h"
#include "control/reconcile.h"
#include "control/store.h"

/* A running operation's step in this region. */
struct scene_step {
    struct operation operation;
    struct operation_step step;
};

struct scene {
    struct work *w;
    struct cluster cluster;
    struct region region;
    struct rec rec, before; /* before: as it was read */
    struct region_key keys[REC_KEYS_MAX];
    bool is_key_new[REC_KEYS_MAX]; /* not in the store yet */
    size_t volume_count;
    struct cluster_volume *volumes; /* as rec.volumes */
    struct node *nodes;             /* of each volume */
    struct volume_key
        *volume_keys; /* [volume * REC_KEYS_MAX + key]; state ABSENT where there is none */
    size_t step_count;
    struct scene_step steps[REC_STEPS_MAX]; /* as rec.steps */
};

/* scene_read(w, cluster, region, ret): NOT_FOUND. */
ks_rc scene_read(struct work *w, const char *cluster, const char *region,
                 struct scene **ret) KS_MUST;
/* scene_write(s, by): settles it, then writes what has changed: keys, region, steps with their operations, new goals, audit events
 * of changes of status. by NULL: the reconciler. */
ks_rc scene_write(struct scene *s, const struct caller *by) KS_MUST;
void scene_freep(struct scene **s);

/* scene_add_key(s, spec): the row for the key that rec_begin has appended at this place. */
ks_rc scene_add_key(struct scene *s, size_t at, const struct key_spec *spec) KS_MUST;
/* scene_add_step(s, operation, serial): a step in this region, of an operation that is in the store. LIMIT. */
ks_rc scene_add_step(struct scene *s, const struct operation *o, uint32_t serial) KS_MUST;

/* scene_error(text): what a class of errors says about another attempt. */
enum rec_error scene_error(const char *error_class);

/* -- texts (control/reason.c) ------------------------------------------------------------------------------------------ */

/* reason_put(s, why, out): what people are told; "" for NOTHING. Not for KEEP. */
void reason_put(const struct scene *s, struct rec_why why, char out[MESSAGE_BYTES]);
/* reason_error(s, why, class, code): of what stands behind it; "" where there is none. */
void reason_error(const struct scene *s, struct rec_why why, char error_class[WORD_BYTES],
                  char error_code[WORD_BYTES]);

/* -- operations (control/operation.c) ---------------------------------------------------------------------------------- */

struct operation_wish {
    enum operation_kind kind;
    const char *organisation, *cluster;
};
/* operation_begin(w, by, wish, ret): a running operation without steps yet. */
ks_rc operation_begin(struct work *w, const struct caller *by, const struct operation_wish *wish,
                      struct operation *ret) KS_MUST;
/* operation_count(step, kind, volumes, count): how far the volumes of the step's region are; true when that has changed. */
bool operation_count(struct operation_step *step, enum operation_kind kind,
                     const struct cluster_volume *volumes, size_t count);
/* operation_settle(w, o): its state, message and progress out of its steps; written and told when changed. */
ks_rc operation_settle(struct work *w, struct operation *o) KS_MUST;
