/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/agent_fixture.h - an agent that has one volume and no threads, for tests of its parts. Header only.
 */
#pragma once

#include "check.h"

#include <stdio.h>

#include "crypto/certificate.h"
#include "node/agent_int.h"
#include "tmpdir.h"

enum { FIXTURE_NOW_S = 1795324800, FIXTURE_PEM_MAX = 65536 };

struct agent_fixture {
    struct tmpdir tmp;
    struct path path;
    struct clock_manual clock;
    struct agent a;
    struct holding *h;
};

static inline void fixture_identity(struct identity *ret)
{
    CLEANUP(buf_done) struct buf request = buf_init(FIXTURE_PEM_MAX);
    const struct certificate_order order = {CERTIFICATE_CLIENT, "node-1", NULL, FIXTURE_NOW_S,
                                            3600};

    *ret = (struct identity){.authority = buf_init(FIXTURE_PEM_MAX),
                             .certificate = buf_init(FIXTURE_PEM_MAX)};
    snprintf(ret->node, sizeof ret->node, "1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a10");
    check_ok(key_pair_new(&ret->key));
    check_ok(certificate_authority_make(ret->key, "fleet", FIXTURE_NOW_S, 7200, random_system(),
                                        &ret->authority));
    check_ok(certificate_request_make(ret->key, "n", &request));
    check_ok(certificate_issue(ret->key, buf_view(&ret->authority), buf_view(&request), &order,
                               random_system(), &ret->certificate));
}

/* A revoke of its volume has come in. */
static inline void fixture_holding(struct agent_fixture *f)
{
    struct wish *w;

    check_ok(agent_add(&f->a, "1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a11", &f->h));
    w = &f->h->wish;
    *w = (struct wish){.is_present = true, .is_revoked = true, .goal = 7};
    snprintf(w->volume, sizeof w->volume, "%s", f->h->id);
    snprintf(w->organisation, sizeof w->organisation, "1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a12");
    snprintf(w->cluster, sizeof w->cluster, "1f69fdd2-5c1e-4a1e-9d5c-0c6b4f6f0a13");
    snprintf(w->region, sizeof w->region, "us-west-2");
    f->h->has_wish = true;
}

static inline int agent_setup(void **state)
{
    static struct agent_fixture fixture;
    struct agent_fixture *f = &fixture;

    *f = (struct agent_fixture){.tmp = tmpdir_make()};
    f->path = tmpdir_path(&f->tmp, "node");
    clock_manual_init(&f->clock, 1000, FIXTURE_NOW_S);
    check_ok(secret_init());
    f->a.conf.random = random_system();
    f->a.clock = &f->clock.clock;
    f->a.io = io_posix();
    pthread_mutex_init(&f->a.mutex, NULL);
    pthread_cond_init(&f->a.work, NULL);
    pthread_cond_init(&f->a.news, NULL);
    check_ok(node_dir_open(f->path.text, &f->a.dir));
    fixture_identity(&f->a.identity);
    fixture_holding(f);
    *state = f;
    return 0;
}

static inline int agent_teardown(void **state)
{
    struct agent_fixture *f = *state;

    agent_forget(&f->a, f->h);
    for (struct waiting_receipt *r = f->a.receipts, *next; r; r = next) {
        next = r->next;
        json_decref(r->receipt);
        mem_free(r);
    }
    identity_done(&f->a.identity);
    node_dir_close(f->a.dir);
    tmpdir_remove(&f->tmp);
    return 0;
}

/* Its process is to be found there. */
static inline void listen_at(struct agent_fixture *f)
{
    int len = snprintf(f->h->socket, sizeof f->h->socket, "%s/v.sock", f->path.text);

    assert_true(len > 0 && (size_t)len < sizeof f->h->socket);
}

/* As a pass or a lock that begins now. */
static inline struct job job_of(struct agent_fixture *f)
{
    struct job j = {.a = &f->a, .h = f->h, .wish = f->h->wish, .deed = f->h->deed};

    memcpy(j.socket, f->h->socket, sizeof j.socket);
    return j;
}
