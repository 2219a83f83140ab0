/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/store_changes.h - a store in which one row counts the changes that were made to it and as many events tell of them: what
 * crash and fault tests of the control plane do again and again.
 */
#pragma once

#include "store_fixture.h"

/* store_changes_open(f): a store of its own with a cluster, and nothing counted yet. */
static inline void store_changes_open(struct store_fixture *f)
{
    struct region region = region_row(CLUSTER, "a");
    struct store_tx *tx;

    store_fixture_open(f);
    check_ok(store_tx_begin(f->store, &tx));
    store_tx_observe(tx);
    store_fixture_fill(tx);
    region.serial_data = 0;
    check_ok(store_region_put(tx, &region));
    check_ok(store_tx_commit(&tx));
}

/* store_changes_shut(f): nobody has the store any more; store_fixture_close works all the same. */
static inline void store_changes_shut(struct store_fixture *f)
{
    store_close(f->store);
    f->store = NULL;
}

/* store_changes_make(store, number): one transaction: the region counts it, the event tells of it. */
static inline ks_rc store_changes_make(struct store *store, uint32_t number)
{
    CLEANUP(store_tx_end) struct store_tx *tx = NULL;
    struct region region = region_row(CLUSTER, "a");

    region.serial_data = number;
    TRY(store_tx_begin(store, &tx));
    TRY(store_region_put(tx, &region));
    TRY(store_fixture_audit(tx, "region.count"));
    return store_tx_commit(&tx);
}

/* store_changes_count(store): how many there are, after checking that as many events are. */
static inline uint32_t store_changes_count(struct store *store)
{
    struct store_view *v;
    struct region region;
    int64_t events;

    check_ok(store_view_begin(store, &v));
    check_ok(store_region_get(v, CLUSTER, "a", &region));
    check_ok(store_events_verify(v, &events));
    assert_int_equal(events, region.serial_data);
    store_view_end(&v);
    return region.serial_data;
}
