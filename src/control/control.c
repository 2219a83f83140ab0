/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/control.c - the control plane made, opened and closed.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "control/account.h"
#include "control/authority.h"
#include "control/check.h"
#include "control/control_int.h"
#include "control/idempotency.h"
#include "control/live.h"
#include "control/message.h"
#include "control/state_dir.h"
#include "control/store.h"
#include "control/ticker.h"

static struct store_conf store_conf_of(const struct control_conf *conf)
{
    return (struct store_conf){conf->dir, conf->clock, conf->random};
}

/* The store last: a directory without one was not made to the end and is made anew. */
ks_rc control_create(const struct control_conf *conf)
{
    struct store_conf store = store_conf_of(conf);

    TRY(state_dir_make(conf->dir));
    ks_rc rc = authority_make(conf->dir, conf->clock, conf->random);
    if (!ks_ok(rc) && !ks_is(rc, KS_E_EXISTS))
        return rc;
    return ks_wrap(store_create(&store), "state directory %.200s", conf->dir);
}

/*
 * Goals of this life of the program are above all that any life before has given, also when the store is a copy from before some of
 * them: else a node could take a wish for one that it has reached already. A thousand goals a second are never given for long.
 */
static ks_rc raise_goals(struct control *c)
{
    CLEANUP(work_abandon) struct work w = {0};

    TRY(work_begin(c, &w));
    TRY(store_counter_get(store_tx_view(w.tx), STORE_GOAL, &c->goal_before));
    TRY(store_tx_raise(w.tx, STORE_GOAL, w.now * GOALS_A_SECOND));
    TRY(store_counter_get(store_tx_view(w.tx), STORE_GOAL, &c->goal_raised));
    store_tx_observe(w.tx);
    return work_end(&w);
}

/* Before anything in it is touched. */
static ks_rc check_dir(const char *dir)
{
    CLEANUP(state_dir_close) struct io_node *node = NULL;

    return state_dir_open(dir, &node);
}

static ks_rc open_parts(struct control *c, const struct control_conf *conf)
{
    struct store_conf store = store_conf_of(conf);

    TRY(check_dir(conf->dir));
    TRY(ks_wrap(store_open(&store, &c->store), "state directory %.200s", conf->dir));
    TRY(authority_open(conf->dir, conf->clock, conf->random, &c->authority));
    TRY(raise_goals(c));
    TRY(live_new(clock_wall_s(c->clock), &c->live));
    TRY(checks_new(&c->checks));
    TRY(key_uses_new(&c->uses));
    TRY(repeats_new(&c->repeats));
    return ticker_new(&c->ticker);
}

ks_rc control_open_quiet(const struct control_conf *conf, struct control **ret)
{
    CLEANUP(control_closep) struct control *c = NULL;

    TRY(mem_new(1, sizeof *c, &c));
    pthread_mutex_init(&c->watch_mutex, NULL);
    c->clock = conf->clock;
    c->random = conf->random;
    c->is_development = conf->is_development;
    c->audit_keep_s = conf->audit_keep_s;
    c->history_keep_s = conf->history_keep_s;
    c->is_node_identity_allowed = conf->is_node_identity_allowed;
    message_copy(c->dir, sizeof c->dir, conf->dir);
    message_copy(c->engine, sizeof c->engine, conf->engine ? conf->engine : "none");
    TRY(open_parts(c, conf));
    *ret = TAKE(c);
    return KS_SUCCESS;
}

ks_rc control_open(const struct control_conf *conf, struct control **ret)
{
    CLEANUP(control_closep) struct control *c = NULL;

    TRY(control_open_quiet(conf, &c));
    TRY(ticker_start(c->ticker, c));
    *ret = TAKE(c);
    return KS_SUCCESS;
}

/* When nodes were heard is stored once more, so that a restart does not take them for away; and when keys were used. */
void control_close(struct control *c)
{
    if (!c)
        return;
    ticker_free(c->ticker);
    if (c->store && c->live)
        /* only worth a minute */
        IGNORE(node_store_seen(c));
    if (c->store && c->uses)
        /* only worth a minute */
        IGNORE(key_uses_store(c, true));
    repeats_free(c->repeats);
    key_uses_free(c->uses);
    authority_free(c->authority);
    checks_free(c->checks);
    live_free(c->live);
    store_close(c->store);
    pthread_mutex_destroy(&c->watch_mutex);
    mem_free(c);
}

void control_closep(struct control **c)
{
    control_close(*c);
    *c = NULL;
}

ks_rc control_backup(struct control *c, const char *path)
{
    return store_backup(c->store, path);
}

const char *control_authority(struct control *c)
{
    return authority_pem(c->authority);
}

ks_rc control_server_certificate(struct control *c, const char *names, struct buf *ret_cert,
                                 struct buf *ret_key)
{
    return authority_make_server(c->authority, names, SERVER_CERTIFICATE_DAYS, ret_cert, ret_key);
}
