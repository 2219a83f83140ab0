/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fleet_fixture.h - a control plane in a directory of its own, on a clock that stands still, with two organisations, and
 * nodes to join to it. What happens on the nodes is said by the test (fleet_volumes_become) or by a double (fake_node.h).
 */
#pragma once

#include <string.h>

#include "base/mem.h"
#include "base/secret.h"
#include "check.h"
#include "control/control_int.h"
#include "control/store.h"
#include "crypto/certificate.h"
#include "tmpdir.h"

#define FLEET_ORGANISATION "0a000000-0000-4000-8000-000000000001"
#define FLEET_OTHER "0a000000-0000-4000-8000-000000000002"
#define FLEET_PEM_MAX 65536

struct fleet {
    struct tmpdir tmp;
    struct clock_manual clock;
    struct control_conf conf;
    struct control *c;
    struct caller platform, admin, viewer, foreign; /* admin, viewer: of FLEET_ORGANISATION */
    size_t told;                                    /* how often something was told */
    char told_kind, told_id[ID_BYTES];              /* the last */
};

static inline void fleet_told(void *arg, char kind, const char *id)
{
    struct fleet *f = arg;

    f->told++;
    f->told_kind = kind;
    snprintf(f->told_id, sizeof f->told_id, "%s", id);
}

static inline struct caller fleet_caller(const char *organisation, enum role role)
{
    struct caller by = {.role = role};

    snprintf(by.organisation, sizeof by.organisation, "%s", organisation);
    snprintf(by.name, sizeof by.name, "tester");
    return by;
}

static inline void fleet_add_organisation(struct fleet *f, const char *id)
{
    CLEANUP(work_abandon) struct work w = {0};
    struct organisation row = {.created = 1};

    snprintf(row.id, sizeof row.id, "%s", id);
    snprintf(row.name, sizeof row.name, "organisation %s", id + 30);
    check_ok(work_begin(f->c, &w));
    check_ok(store_organisation_put(w.tx, &row));
    store_tx_observe(w.tx);
    check_ok(work_end(&w));
}

/* fleet_reopen(f): as after the end of the process. */
static inline void fleet_reopen(struct fleet *f)
{
    control_closep(&f->c);
    check_ok(control_open_quiet(&f->conf, &f->c));
    control_watch(f->c, fleet_told, f);
}

static inline void fleet_open(struct fleet *f)
{
    *f = (struct fleet){.tmp = tmpdir_make()};
    secret_allow_swap(true);
    check_ok(secret_init());
    clock_manual_init(&f->clock, 0, 1800000000);
    f->conf = (struct control_conf){.dir = f->tmp.path,
                                    .clock = &f->clock.clock,
                                    .random = random_system(),
                                    .is_development = true};
    check_ok(control_create(&f->conf));
    fleet_reopen(f);
    f->platform = fleet_caller("", ROLE_ADMIN);
    f->admin = fleet_caller(FLEET_ORGANISATION, ROLE_ADMIN);
    f->viewer = fleet_caller(FLEET_ORGANISATION, ROLE_VIEWER);
    f->foreign = fleet_caller(FLEET_OTHER, ROLE_ADMIN);
    fleet_add_organisation(f, FLEET_ORGANISATION);
    fleet_add_organisation(f, FLEET_OTHER);
}

static inline void fleet_close(struct fleet *f)
{
    control_close(f->c);
    tmpdir_remove(&f->tmp);
}

/* fleet_join(f, region, name, ret): a node joins; its id. */
static inline void fleet_join(struct fleet *f, const char *region, const char *name,
                              char ret[ID_BYTES])
{
    CLEANUP(key_pair_freep) struct key_pair *key = NULL;
    CLEANUP(buf_done) struct buf request = buf_init(FLEET_PEM_MAX);
    char token[256];
    json_t *reply;

    check_ok(control_join_token_create(f->c, &f->platform, region, 3600, token));
    check_ok(key_pair_new(&key));
    check_ok(certificate_request_make(key, name, &request));
    check_ok(control_node_join(f->c, token, buf_text(&request), name, "127.0.0.1", &reply));
    snprintf(ret, ID_BYTES, "%s", json_string_value(json_object_get(reply, "node")));
    json_decref(reply);
}

/* fleet_volumes_become(f, cluster, access, engine): each node has brought its volumes to their goals and reported this of them; of
 * those that are not wanted that they are gone. Then the cluster is settled. */
static inline void fleet_volumes_become(struct fleet *f, const char *cluster, enum access access,
                                        enum engine_state engine)
{
    CLEANUP(work_abandon) struct work w = {0};
    CLEANUP(mem_freep) struct cluster_volume *volumes = NULL;
    size_t count;

    check_ok(work_begin(f->c, &w));
    store_tx_observe(w.tx);
    check_ok(store_volumes(store_tx_view(w.tx), cluster, NULL, &volumes, &count));
    for (size_t i = 0; i < count; i++) {
        volumes[i].reached = volumes[i].goal;
        volumes[i].access = volumes[i].is_wanted ? access : ACCESS_NONE;
        volumes[i].cause = access == ACCESS_FAILED ? CAUSE_ERROR : CAUSE_NONE;
        volumes[i].engine = engine;
        volumes[i].reported = w.now;
        check_ok(store_volume_put(w.tx, &volumes[i]));
    }
    check_ok(cluster_settle(&w, cluster));
    check_ok(work_end(&w));
}

static inline struct region_wish fleet_region(const char *name, uint32_t node_count)
{
    struct region_wish r = {.node_count = node_count};

    snprintf(r.name, sizeof r.name, "%s", name);
    return r;
}

/* fleet_wish(name, regions, count): a cluster without an engine. */
static inline struct cluster_wish fleet_wish(const char *name, const struct region_wish *regions,
                                             size_t count)
{
    struct cluster_wish w = {.region_count = count, .regions = regions};

    snprintf(w.name, sizeof w.name, "%s", name);
    return w;
}
