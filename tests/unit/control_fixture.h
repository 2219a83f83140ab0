/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/control_fixture.h - as much of a control plane as accounts and audit need: its store, no threads. And callers.
 */
#pragma once

#include "base/secret.h"
#include "control/account.h"
#include "control/control_int.h"
#include "control/idempotency.h"
#include "store_fixture.h"

struct control_fixture {
    struct store_fixture store;
    struct control control;
    struct control *c; /* &control */
};

static inline void control_fixture_open(struct control_fixture *f)
{
    memset(f, 0, sizeof *f);
    check_ok(secret_init());
    store_fixture_open(&f->store);
    f->c = &f->control;
    f->c->store = f->store.store;
    f->c->clock = &f->store.clock.clock;
    f->c->random = random_system();
    check_ok(key_uses_new(&f->c->uses));
    check_ok(repeats_new(&f->c->repeats));
}

static inline void control_fixture_close(struct control_fixture *f)
{
    key_uses_free(f->c->uses);
    repeats_free(f->c->repeats);
    store_fixture_close(&f->store);
}

/* caller_of(organisation, cluster): an administrator of that scope, as the local command line is one of the platform. */
static inline struct caller caller_of(const char *organisation, const char *cluster)
{
    struct caller by = {.role = ROLE_ADMIN};

    PUT_TEXT(by.name, "tester");
    PUT_TEXT(by.organisation, organisation);
    PUT_TEXT(by.cluster, cluster);
    return by;
}
