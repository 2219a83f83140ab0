/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/realm_fixture.h - a realm of the embedded key service in a directory of its own, on a clock that stands still.
 */
#pragma once

#include "base/secret.h"
#include "check.h"
#include "localkms/realm.h"
#include "tmpdir.h"

struct realm_fixture {
    struct tmpdir tmp;
    struct secret *root;
    struct clock_manual clock;
    struct realm *realm;
};

static inline struct realm_conf realm_fixture_conf(struct realm_fixture *f)
{
    return (struct realm_conf){
        .dir = f->tmp.path, .root = f->root, .clock = &f->clock.clock, .is_dial_on = true};
}

/* realm_fixture_open(f): again, as after a restart. */
static inline void realm_fixture_open(struct realm_fixture *f)
{
    struct realm_conf conf = realm_fixture_conf(f);

    realm_close(f->realm);
    f->realm = NULL;
    check_ok(realm_open(&conf, &f->realm));
}

static inline void realm_fixture_start(struct realm_fixture *f)
{
    struct realm_conf conf;

    *f = (struct realm_fixture){.tmp = tmpdir_make()};
    check_ok(secret_init());
    check_ok(secret_new(32, &f->root));
    clock_manual_init(&f->clock, 1000, 1900000000);
    conf = realm_fixture_conf(f);
    check_ok(realm_create(&conf));
    realm_fixture_open(f);
}

static inline void realm_fixture_stop(struct realm_fixture *f)
{
    realm_close(f->realm);
    secret_free(f->root);
    tmpdir_remove(&f->tmp);
}
