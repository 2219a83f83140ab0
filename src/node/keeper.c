/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/keeper.c - what is done now and then: what was deleted long ago goes, a certificate that ages is renewed, and key
 * services are asked whether a key has a newer version.
 */
#include <stdio.h>

#include "base/environment.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/program.h"
#include "kms/driver.h"
#include "node/agent_int.h"
#include "node/deleted.h"
#include "node/engine.h"

enum { PERIOD_MS_MAX = 60000, PERIOD_MS_MIN = 1000, VERSION_CALL_MS = 10000 };

/* --- what was deleted --- */

static void sweep(struct agent *a)
{
    char boot[PROGRAM_BOOT_BYTES];
    const struct deleted_conf conf = {.dir = a->dir,
                                      .boot = boot,
                                      .now_ms = clock_boot_ms(a->clock),
                                      .keep_ms = a->conf.keep_deleted_ms};
    unsigned count = 0;

    program_boot(boot);
    ks_rc rc = deleted_sweep(&conf, &count);

    if (!ks_ok(rc))
        log_line(LOG_WARNING, "what was deleted is not removed yet: %s", ks_text(rc));
    else if (count)
        log_line(LOG_NOTICE, "removed the backing directories of %u deleted volumes", count);
}

/* --- the certificate --- */

static ks_rc renew(struct agent *a)
{
    CLEANUP(buf_done) struct buf request = buf_init(65536);
    CLEANUP(key_pair_freep) struct key_pair *key = NULL;
    CLEANUP(json_decrefp) json_t *reply = NULL;
    struct identity newer, older;

    TRY(identity_request(a->identity.name, &key, &request));
    TRY(link_renew(a->link, buf_view(&request), &reply));
    TRY(identity_replace(a->dir, key, reply));
    TRY(identity_read(a->dir, &newer));
    pthread_mutex_lock(&a->mutex);
    older = a->identity;
    a->identity = newer;
    pthread_mutex_unlock(&a->mutex);
    identity_done(&older);
    return link_refresh(a->link);
}

static void renew_when_aging(struct agent *a)
{
    pthread_mutex_lock(&a->mutex);
    bool is_due = identity_is_aging(&a->identity, clock_wall_s(a->clock)) && !a->is_serve_away;
    pthread_mutex_unlock(&a->mutex);
    if (!is_due)
        return;
    ks_rc rc = renew(a);
    if (ks_ok(rc))
        log_line(LOG_NOTICE, "the certificate of this node is renewed");
    else
        log_line(LOG_WARNING, "the certificate of this node is not renewed yet: %s", ks_text(rc));
}

/* --- engines --- */

static void add_engine(void *arg, const struct engine_template *t, ks_rc check)
{
    if (ks_ok(check))
        json_array_append_new(arg, json_string(engine_template_name(t)));
}

void keeper_find_engines(struct agent *a)
{
    json_t *found = json_array();
    ks_rc rc = engine_templates(a->conf.engines_dir, add_engine, found);

    if (!ks_ok(rc)) {
        json_decref(found);
        return; /* a volume that wants an engine says so */
    }
    pthread_mutex_lock(&a->mutex);
    json_decref(a->engines);
    a->engines = found;
    pthread_mutex_unlock(&a->mutex);
}

/* --- versions of keys --- */

/* One key as one organisation asks for it, with the version that its service has. */
struct version_ask {
    struct key_spec spec;
    char organisation[ID_BYTES];
    char version[KEY_VERSION_BYTES];
};

static ks_rc ask_version(struct agent *a, struct version_ask *q)
{
    const struct kms_conf conf = {.spec = &q->spec,
                                  .clock = a->clock,
                                  .env = environment_get,
                                  .is_development = a->conf.is_development};
    struct key_context context = {0};
    struct kms_call call = {clock_boot_ms(a->clock) + VERSION_CALL_MS, a->clock, NULL};
    const struct kms_driver *driver;
    struct kms *kms = NULL;

    if (q->organisation[0]) {
        context.pairs[context.count].name = "organisation";
        context.pairs[context.count++].value = q->organisation;
    }
    TRY(kms_driver_find(q->spec.type, &driver));
    ENSURE((driver->caps & KMS_CAP_VERSIONS) != 0, KS_E_UNSUPPORTED, "its keys have no versions");
    TRY(driver->open(&conf, &kms));
    ks_rc rc = driver->version(kms, &call, &context, q->version);
    driver->close(kms);
    return rc;
}

static bool is_candidate(const struct holding *h)
{
    return h->has_wish && h->wish.is_present && h->wish.is_rewrap_automatic && h->seen.is_running &&
           h->seen.state == LEASE_OPEN;
}

/* With the mutex: the i-th key in use by volumes that want its newest version. */
static bool find_ask(struct agent *a, size_t i, struct version_ask *ret)
{
    for (struct holding *h = a->holdings; h; h = h->next)
        for (size_t k = 0; is_candidate(h) && k < h->wish.key_count; k++)
            if (i-- == 0) {
                ret->spec = h->wish.keys[k].spec;
                snprintf(ret->organisation, sizeof ret->organisation, "%s", h->wish.organisation);
                return true;
            }
    return false;
}

static bool is_same_ask(const struct version_ask *q, const struct key_spec *spec,
                        const char *organisation)
{
    return key_spec_is_same(&q->spec, spec) &&
           strcmp(q->spec.auth_principal, spec->auth_principal) == 0 &&
           strcmp(q->organisation, organisation) == 0;
}

/* With the mutex. A volume is told once about each version: where names of versions cannot be compared nothing goes round in circles. */
static void spread(struct agent *a, const struct version_ask *q)
{
    for (struct holding *h = a->holdings; h; h = h->next) {
        const struct seen_wrap *w = is_candidate(h) ? seen_key(&h->seen, &q->spec) : NULL;
        if (!w || !is_same_ask(q, &w->spec, h->wish.organisation) ||
            strcmp(w->version, q->version) == 0 || strcmp(h->version_tried, q->version) == 0)
            continue;
        memcpy(h->version_tried, q->version, sizeof h->version_tried);
        h->is_newer = true;
        h->seen_seq++;
        agent_stir(a, h);
        log_line(LOG_NOTICE, "volume %s: the key %s has a newer version", h->id, q->spec.type);
    }
}

static bool was_asked(const struct version_ask *all, size_t count, const struct version_ask *q)
{
    for (size_t i = 0; i < count; i++)
        if (is_same_ask(&all[i], &q->spec, q->organisation))
            return true;
    return false;
}

/* Each key once. */
static ks_rc check_versions(struct agent *a)
{
    CLEANUP(mem_freep) struct version_ask *all = NULL;
    struct version_ask q;
    size_t count = 0;

    for (size_t i = 0;; i++) {
        q = (struct version_ask){0};
        pthread_mutex_lock(&a->mutex);
        bool is_one = find_ask(a, i, &q);
        pthread_mutex_unlock(&a->mutex);
        if (!is_one)
            return KS_SUCCESS;
        if (was_asked(all, count, &q))
            continue;
        TRY(mem_grow(count + 1, sizeof *all, &all));
        ks_rc rc = ask_version(a, &q);
        all[count++] = q;
        if (!ks_ok(rc) ||
            !q.version
                 [0]) /* it is asked again the next time; what it means for volumes shows by their probes */
            continue;
        pthread_mutex_lock(&a->mutex);
        spread(a, &q);
        pthread_mutex_unlock(&a->mutex);
    }
}

/* --- */

static uint64_t period_ms(const struct agent_conf *c)
{
    uint64_t ms = PERIOD_MS_MAX;

    if (c->version_check_ms && c->version_check_ms < ms)
        ms = c->version_check_ms;
    if (c->keep_deleted_ms < ms)
        ms = c->keep_deleted_ms;
    return ms < PERIOD_MS_MIN ? PERIOD_MS_MIN : ms;
}

static bool wait_turn(struct agent *a)
{
    struct timespec until = clock_deadline(period_ms(&a->conf));

    pthread_mutex_lock(&a->mutex);
    while (!a->is_ending && pthread_cond_timedwait(&a->ended, &a->mutex, &until) == 0)
        ;
    bool is_ending = a->is_ending;
    pthread_mutex_unlock(&a->mutex);
    return !is_ending;
}

void *agent_keeper(void *agent)
{
    struct agent *a = agent;
    uint64_t checked_ms = clock_boot_ms(a->clock);

    while (wait_turn(a)) {
        uint64_t now_ms = clock_boot_ms(a->clock);
        sweep(a);
        keeper_find_engines(a);
        renew_when_aging(a);
        if (a->conf.version_check_ms && now_ms - checked_ms >= a->conf.version_check_ms) {
            ks_rc rc = check_versions(a);
            if (!ks_ok(rc))
                log_line(LOG_WARNING, "versions of keys: %s", ks_text(rc));
            checked_ms = now_ms;
        }
    }
    return NULL;
}
