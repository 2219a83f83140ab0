/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/fake_node.h - a node without volumes: takes what is desired, keeps the state a node would keep, and reports.
 *
 * It speaks to the control plane by its functions, with the documents of docs/NODES.md. The test says how it behaves: away, silent,
 * slow, stale, with a broken disk or engine, and what the key service answers about each key. Nothing in it waits.
 */
#pragma once

#include "control/control.h"
#include "crypto/certificate.h"

enum { FAKE_VOLUMES_MAX = 2100, FAKE_KEYS_MAX = 12, FAKE_CHECKS_MAX = 8 };

enum fake_answer { FAKE_ALLOW, FAKE_DENY, FAKE_SILENT };

struct fake_wrap {
    char id[ID_BYTES];
    bool is_active;
    enum fake_answer answer; /* the last, about this key */
    json_t *key;             /* as it was wished */
};

struct fake_volume {
    char id[ID_BYTES];
    json_t *wish; /* the newest that was taken; NULL: it is gone, and that is to be reported */
    int64_t goal, reached, revoked_goal;
    bool exists, is_platform, is_locked, is_new; /* is_new: not reported since it changed */
    enum access access;
    enum cause cause;
    size_t wrap_count;
    struct fake_wrap wraps[FAKE_KEYS_MAX];
    int64_t done[5]; /* rewrap, store, data, reencrypt, restore */
};

struct fake_node {
    struct control *c;
    char id[ID_BYTES], name[NAME_BYTES];
    struct key_pair *key;
    struct buf certificate;
    int64_t since;

    bool is_away;           /* does nothing at all */
    bool is_silent;         /* works on, and nothing that it says arrives */
    bool is_stale;          /* does not ask what to do */
    bool is_disk_failing;   /* no volume can be opened */
    bool is_engine_failing; /* no engine starts */
    unsigned steps_max;     /* volumes that one round works on; 0: all */
    enum fake_answer (*answer)(void *arg, const char *uri); /* NULL: ALLOW */
    void *arg;

    size_t count;
    struct fake_volume *volumes[FAKE_VOLUMES_MAX];
    json_t *receipts; /* not accepted yet */
    size_t check_count;
    json_t *checks[FAKE_CHECKS_MAX]; /* results, not reported yet */
};

/* fake_node_join(c, platform, region, name, ret): with a token of its own. */
ks_rc fake_node_join(struct control *c, const struct caller *platform, const char *region,
                     const char *name, struct fake_node **ret) KS_MUST;
void fake_node_free(struct fake_node *n);

/* fake_node_poll(n, ret_is_new): asks what to do. fake_node_work(n): does it; whether something changed. fake_node_report(n, is_full): all of it, or
 * what changed. */
ks_rc fake_node_poll(struct fake_node *n, bool *ret_is_new) KS_MUST;
bool fake_node_work(struct fake_node *n);
ks_rc fake_node_report(struct fake_node *n, bool is_full) KS_MUST;
/* fake_node_step(n, ret_is_moving): one round of these three. */
ks_rc fake_node_step(struct fake_node *n, bool *ret_is_moving) KS_MUST;
/* fake_node_restart(n, c): a new life of the node, or of the control plane: c is the one to speak to from now on. */
void fake_node_restart(struct fake_node *n, struct control *c);
/* fake_nodes_run(nodes, count): rounds of all of them until none moves, at most 200; BUSY when they still do. */
ks_rc fake_nodes_run(struct fake_node **nodes, size_t count) KS_MUST;
/* fake_node_find(n, id): its volume, or NULL. */
struct fake_volume *fake_node_find(struct fake_node *n, const char *id);
