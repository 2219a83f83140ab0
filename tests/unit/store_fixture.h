/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/store_fixture.h - a control store in a directory of its own, and rows to put into it.
 */
#pragma once

#include <string.h>

#include "base/mem.h"
#include "check.h"
#include "control/store.h"
#include "tmpdir.h"

#define ORGANISATION "0a000000-0000-4000-8000-000000000001"
#define CLUSTER "0c000000-0000-4000-8000-000000000001"
#define NODE "0d000000-0000-4000-8000-000000000001"
#define VOLUME "0e000000-0000-4000-8000-000000000001"

struct store_fixture {
    struct tmpdir tmp;
    struct clock_manual clock;
    struct store_conf conf;
    struct store *store;
};

static inline void store_fixture_open(struct store_fixture *f)
{
    f->tmp = tmpdir_make();
    clock_manual_init(&f->clock, 0, 1000);
    f->conf = (struct store_conf){f->tmp.path, &f->clock.clock, random_system()};
    check_ok(store_create(&f->conf));
    check_ok(store_open(&f->conf, &f->store));
}

static inline void store_fixture_close(struct store_fixture *f)
{
    store_close(f->store);
    tmpdir_remove(&f->tmp);
}

/* A text into a member of a row. */
#define PUT_TEXT(member, text) snprintf((member), sizeof(member), "%s", (text))

/* id_of(kind, n): an id like CLUSTER with another number. */
struct id_text {
    char text[ID_BYTES];
};
static inline struct id_text id_of(const char *kind, unsigned n)
{
    struct id_text id;

    snprintf(id.text, sizeof id.text, "%s000000-0000-4000-8000-%012u", kind, n % 1000000000);
    return id;
}

static inline struct organisation organisation_row(unsigned n)
{
    struct organisation row = {.created = 1000 + n};

    PUT_TEXT(row.id, id_of("0a", n).text);
    snprintf(row.name, sizeof row.name, "organisation %u", n);
    PUT_TEXT(row.label, "label");
    return row;
}

/* Cluster n of organisation 1; on the heap, mem_free. */
static inline struct cluster *cluster_row(unsigned n)
{
    struct cluster *row;

    check_ok(mem_new(1, sizeof *row, &row));
    row->number = n;
    PUT_TEXT(row->id, id_of("0c", n).text);
    PUT_TEXT(row->organisation, ORGANISATION);
    snprintf(row->name, sizeof row->name, "cluster-%u", n);
    row->state = CLUSTER_CREATED;
    PUT_TEXT(row->provider, "AWS");
    PUT_TEXT(row->engine, "none");
    PUT_TEXT(row->dialect, n % 2 ? "native" : "cockroach");
    row->lease = (struct lease_terms){60000, 15000, 3600000};
    row->rotation = (struct rotation_terms){1, 2, 3, 4, true};
    row->created = row->updated = 1000 + n;
    row->revision = 1;
    PUT_TEXT(row->extra, "{}");
    return row;
}

static inline struct region region_row(const char *cluster, const char *name)
{
    struct region row = {.node_count = 3, .state = REGION_READY, .status = CMEK_ENABLED};

    PUT_TEXT(row.cluster, cluster);
    PUT_TEXT(row.name, name);
    row.access = ACCESS_OPEN;
    row.serial_data = 7;
    return row;
}

static inline struct region_key region_key_row(const char *cluster, const char *region, unsigned n)
{
    struct region_key row = {.number = n, .status = CMEK_ENABLED, .is_wanted = true};

    PUT_TEXT(row.id, id_of("0b", n).text);
    PUT_TEXT(row.cluster, cluster);
    PUT_TEXT(row.region, region);
    PUT_TEXT(row.spec.type, "AWS_KMS");
    PUT_TEXT(row.spec.uri, "arn:aws:kms:us-west-2:111122223333:key/1234abcd");
    PUT_TEXT(row.spec.auth_principal, "arn:aws:iam::111122223333:role/cmek");
    return row;
}

static inline struct node node_row(unsigned n, const char *region)
{
    struct node row = {.joined = 1000 + n};

    PUT_TEXT(row.id, id_of("0d", n).text);
    snprintf(row.name, sizeof row.name, "node-%u", n);
    PUT_TEXT(row.region, region);
    PUT_TEXT(row.address, "10.0.0.1");
    snprintf(row.certificate, sizeof row.certificate, "%064u", n);
    return row;
}

static inline struct cluster_volume volume_row(unsigned n, const char *region)
{
    struct cluster_volume row = {.ordinal = n, .goal = n, .reached = -1, .is_wanted = true};

    PUT_TEXT(row.id, id_of("0e", n).text);
    PUT_TEXT(row.cluster, CLUSTER);
    PUT_TEXT(row.region, region);
    PUT_TEXT(row.node, NODE);
    row.port = 26257;
    return row;
}

/* Puts an organisation, cluster 1 of it with regions "a" and "b", node 1, into an open transaction. */
static inline void store_fixture_fill(struct store_tx *tx)
{
    CLEANUP(mem_freep) struct cluster *cluster = cluster_row(1);
    struct organisation organisation = organisation_row(1);
    struct region a = region_row(CLUSTER, "a"), b = region_row(CLUSTER, "b");
    struct node node = node_row(1, "a");

    check_ok(store_organisation_put(tx, &organisation));
    check_ok(store_cluster_put(tx, cluster));
    check_ok(store_region_put(tx, &b));
    check_ok(store_region_put(tx, &a));
    check_ok(store_node_put(tx, &node));
}

static inline ks_rc store_fixture_audit(struct store_tx *tx, const char *action)
{
    return store_tx_audit(tx, NULL,
                          &(struct store_event){.action = action, .organisation = ORGANISATION});
}
