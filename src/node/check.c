/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/check.c - tries keys that no volume has yet, as volumes here would use them.
 */
#include <stdio.h>

#include "base/environment.h"
#include "base/log.h"
#include "base/mem.h"
#include "kms/key_check.h"
#include "node/agent_int.h"

struct checking {
    struct agent *a;
    struct wish_check check;
};

static ks_rc try_key(struct checking *c, const struct key_spec *spec)
{
    CLEANUP(mem_freep) struct key_check *result = NULL;
    const struct kms_conf conf = {.spec = spec,
                                  .clock = c->a->clock,
                                  .env = environment_get,
                                  .is_development = c->a->conf.is_development};
    const struct kms_driver *driver;
    struct kms *kms = NULL;
    struct key_context context = {0};

    if (c->check.organisation[0]) {
        context.pairs[context.count].name = "organisation";
        context.pairs[context.count++].value = c->check.organisation;
    }
    context.pairs[context.count].name = "purpose";
    context.pairs[context.count++].value = "key-check";
    TRY(mem_new(1, sizeof *result, &result));
    TRY(kms_driver_find(spec->type, &driver));
    TRY(driver->open(&conf, &kms));
    key_check_run(kms, c->a->clock, &context, result);
    driver->close(kms);
    return key_check_verdict(result);
}

static const char *outcome_name(ks_rc rc)
{
    if (ks_ok(rc))
        return "OK";
    return rc.cls == KS_CLASS_DENIED        ? "DENIED"
           : rc.cls == KS_CLASS_UNREACHABLE ? "UNREACHABLE"
                                            : "USAGE";
}

static json_t *result_json(struct checking *c, const struct key_spec *spec)
{
    CLEANUP(buf_done) struct buf mend = buf_init(MEND_MAX);
    ks_rc rc = try_key(c, spec);
    char message[MESSAGE_BYTES] = "";

    if (!ks_ok(rc))
        failure_hide_paths(ks_text(rc), &spec, 1, message);
    failure_mend(spec, c->check.organisation, rc, message, &mend);
    json_t *text = json_string(message), *what = json_string(buf_text(&mend));
    return json_pack("{s:s, s:s, s:s, s:o, s:o}", "outcome", outcome_name(rc), "class",
                     ks_class_name(rc), "code", ks_ok(rc) ? "OK" : ks_name(rc), "message",
                     text ? text : json_string(""), "mend", what ? what : json_string(""));
}

static void *run(void *arg)
{
    struct checking *c = arg;
    struct agent *a = c->a;
    json_t *results = json_array();

    for (size_t i = 0; i < c->check.key_count; i++)
        json_array_append_new(results, result_json(c, &c->check.keys[i]));
    pthread_mutex_lock(&a->mutex);
    json_array_append_new(a->check_results,
                          json_pack("{s:s, s:o}", "check", c->check.id, "results", results));
    a->checking--;
    pthread_cond_broadcast(&a->news);
    pthread_mutex_unlock(&a->mutex);
    mem_free(c);
    return NULL;
}

static bool is_known(const struct agent *a, const char *id)
{
    for (size_t i = 0; i < CHECKS_MAX; i++)
        if (strcmp(a->checks[i], id) == 0)
            return true;
    return false;
}

/* A few at a time, and no more than are told. With the mutex. */
static bool take_place(struct agent *a, const char *id)
{
    size_t untold = a->checking + json_array_size(a->check_results);

    if (is_known(a, id) || a->checking == CHECKING_MAX || untold >= CHECKS_MAX)
        return false;
    memcpy(a->checks[a->check_next++ % CHECKS_MAX], id, ID_BYTES);
    a->checking++;
    return true;
}

static void give_back(struct agent *a, const char *id)
{
    pthread_mutex_lock(&a->mutex);
    for (size_t i = 0; i < CHECKS_MAX; i++)
        if (strcmp(a->checks[i], id) == 0)
            a->checks[i][0] = 0;
    a->checking--;
    pthread_mutex_unlock(&a->mutex);
}

static ks_rc begin(struct agent *a, const struct wish_check *check)
{
    struct checking *c = NULL;
    pthread_t thread;

    TRY(mem_new(1, sizeof *c, &c));
    *c = (struct checking){a, *check};
    int err = pthread_create(&thread, NULL, run, c);
    if (err) {
        mem_free(c);
        return ks_fail_os(err, "no thread");
    }
    pthread_detach(thread);
    return KS_SUCCESS;
}

bool check_begin(struct agent *a, const struct wish_check *check)
{
    pthread_mutex_lock(&a->mutex);
    bool is_ours = take_place(a, check->id);
    pthread_mutex_unlock(&a->mutex);
    if (!is_ours)
        return false;
    ks_rc rc = begin(a, check);
    if (ks_ok(rc))
        return true;
    give_back(a, check->id);
    log_line(LOG_ERROR, "a check of keys is not made: %s", ks_text(rc));
    return false;
}
