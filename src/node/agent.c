/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/agent.c - the beginning and the end of an agent, and its list of volumes.
 */
#include "node/agent_int.h"

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "fuse/control.h"
#include "kms/file_store.h"

enum {
    STOP_ENGINE_MS = 10000,
    UNMOUNT_MS_MAX = 60000,
    STOP_THREADS_MAX = 16,
    URGENT_MS_MAX = 20000,
    URGENT_LOOK_MS = 20,
};
static const char PLATFORM_KEY[] = "platform";

/* --- the list --- */

struct holding *agent_find(struct agent *a, const char *id)
{
    for (struct holding *h = a->holdings; h; h = h->next)
        if (strcmp(h->id, id) == 0)
            return h;
    return NULL;
}

ks_rc agent_add(struct agent *a, const char *id, struct holding **ret)
{
    struct holding *h = NULL;

    TRY(mem_new(1, sizeof *h, &h));
    snprintf(h->id, sizeof h->id, "%s", id);
    h->deed.reached = -1;
    h->is_deed_saved = true;
    h->is_wish_saved = true;
    h->engine_stopped_ms = -1;
    h->process_fd = -1;
    h->next = a->holdings;
    a->holdings = h;
    a->holding_count++;
    *ret = h;
    return KS_SUCCESS;
}

void agent_forget(struct agent *a, struct holding *h)
{
    struct holding **at = &a->holdings;

    while (*at != h)
        at = &(*at)->next;
    *at = h->next;
    a->holding_count--;
    seen_done(&h->seen);
    json_decref(h->told);
    json_decref(h->told_wraps);
    json_decref(h->told_generations);
    power_free(h->power, false);
    secret_free(h->password);
    if (h->process_fd >= 0)
        close(h->process_fd);
    mem_free(h);
}

void agent_wake(struct agent *a)
{
    pthread_cond_broadcast(&a->work);
}

void agent_stir(struct agent *a, struct holding *h)
{
    h->due_ms = 0;
    h->is_stirred = true; /* a pass under way may have looked too early */
    agent_wake(a);
}

/* --- the node's own key --- */

static ks_rc make_store(struct agent *a, const char *store, const char *key_file)
{
    const struct file_store_conf conf = {.io = a->io,
                                         .path = store,
                                         .key_file = key_file,
                                         .clock = a->clock,
                                         .random = a->conf.random};
    CLEANUP(file_store_closep) struct file_store *s = NULL;
    struct file_key_info info;

    ks_rc rc = file_store_create(&conf);
    if (!ks_ok(rc) && !ks_is(rc, KS_E_EXISTS))
        return rc;
    TRY(file_store_open(&conf, &s));
    rc = file_store_key_create(s, PLATFORM_KEY, &info);
    return ks_is(rc, KS_E_EXISTS) ? KS_SUCCESS : rc;
}

static ks_rc own_platform(struct agent *a)
{
    CLEANUP(mem_freep) char *store = NULL, *key_file = NULL;

    TRY(node_dir_file(a->dir, "platform", &store));
    TRY(node_dir_file(a->dir, "platform.key", &key_file));
    TRY(ks_wrap(make_store(a, store, key_file), "the platform's key"));
    snprintf(a->platform.type, sizeof a->platform.type, "FILE");
    int len = snprintf(a->platform.uri, sizeof a->platform.uri, "%s#%s", store, PLATFORM_KEY);
    ENSURE(len > 0 && (size_t)len < sizeof a->platform.uri, KS_E_LIMIT, "%s is too long", store);
    snprintf(a->platform.auth_principal, sizeof a->platform.auth_principal, "%s", key_file);
    return KS_SUCCESS;
}

static ks_rc find_platform(struct agent *a)
{
    if (!a->conf.platform_key)
        return own_platform(a);
    TRY(ks_wrap(key_spec_parse(a->conf.platform_key, &a->platform), "--platform-key"));
    if (a->conf.platform_principal)
        snprintf(a->platform.auth_principal, sizeof a->platform.auth_principal, "%s",
                 a->conf.platform_principal);
    return KS_SUCCESS;
}

/* --- beginning --- */

static ks_rc start_thread(pthread_t *thread, void *(*run)(void *), struct agent *a)
{
    int err = pthread_create(thread, NULL, run, a);

    return err ? ks_fail_os(err, "no thread for the node") : KS_SUCCESS;
}

static ks_rc start_threads(struct agent *a)
{
    pthread_t listener;

    for (int i = 0; i < WORKERS; i++)
        TRY(start_thread(&a->workers[i], agent_worker, a));
    TRY(start_thread(&a->teller, agent_teller, a));
    TRY(start_thread(&a->keeper, agent_keeper, a));
    TRY(start_thread(&a->watcher, agent_watcher, a));
    TRY(start_thread(&listener, agent_listen, a));
    pthread_detach(listener); /* it may hang in the network at the end */
    return KS_SUCCESS;
}

static ks_rc begin(struct agent *a)
{
    TRY(node_dir_open(a->conf.dir, &a->dir));
    TRY(identity_read(a->dir, &a->identity));
    TRY(find_platform(a));
    TRY(link_new(a->dir, a->identity.nodes_url, a->clock, &a->link));
    a->check_results = json_array();
    ENSURE(a->check_results, KS_E_NO_MEMORY, "no memory for a node");
    keeper_find_engines(a);
    TRY(prove_load(a));
    TRY(agent_load(a));
    pthread_mutex_lock(&a->mutex);
    urgent_wake(a);
    pthread_mutex_unlock(&a->mutex);
    return start_threads(a);
}

ks_rc agent_start(const struct agent_conf *conf, struct agent **ret)
{
    struct agent *a = NULL;

    TRY(mem_new(1, sizeof *a, &a));
    a->conf = *conf;
    a->clock = conf->clock;
    a->io = io_posix();
    a->is_full_due = true;
    pthread_mutex_init(&a->mutex, NULL);
    pthread_mutex_init(&a->owners_mutex, NULL);
    clock_cond_init(&a->work);
    clock_cond_init(&a->news);
    clock_cond_init(&a->urgent);
    clock_cond_init(&a->ended);
    /* After a failure the process ends; threads that were started may still look at it. */
    TRY(begin(a));
    *ret = a;
    return KS_SUCCESS;
}

/* --- end --- */

/* One that was mounted last may not have been looked at yet. */
static ks_rc unmount(struct agent *a, struct holding *h)
{
    CLEANUP(json_decrefp) json_t *request = json_pack("{s:s}", "op", "unmount");
    CLEANUP(json_decrefp) json_t *reply = NULL;
    CLEANUP(mem_freep) struct job *j = NULL;

    ENSURE(request, KS_E_NO_MEMORY, "no memory for a request");
    TRY(mem_new(1, sizeof *j, &j));
    pthread_mutex_lock(&a->mutex);
    *j = (struct job){.a = a, .h = h, .wish = h->wish, .deed = h->deed};
    memcpy(j->socket, h->socket, sizeof j->socket);
    pthread_mutex_unlock(&a->mutex);
    ks_rc rc = look_for_process(j);
    seen_done(&j->seen);
    return j->socket[0] ? control_call(j->socket, request, UNMOUNT_MS_MAX, &reply) : rc;
}

static void close_one(struct agent *a, struct holding *h)
{
    if (h->power && !power_off(h->power, STOP_ENGINE_MS))
        log_line(LOG_ERROR, "volume %s: its engine does not end", h->id);
    ks_rc rc = unmount(a, h);
    if (!ks_ok(rc) && !ks_is(rc, KS_E_NOT_FOUND))
        log_line(LOG_ERROR, "volume %s is left mounted: %s", h->id, ks_text(rc));
    pthread_mutex_lock(&a->mutex);
    h->seen.is_running = !ks_ok(rc) && !ks_is(rc, KS_E_NOT_FOUND);
    h->is_news = true;
    pthread_mutex_unlock(&a->mutex);
}

/* Takes volumes until none is left. */
static void *close_run(void *arg)
{
    struct agent *a = arg;

    for (;;) {
        pthread_mutex_lock(&a->mutex);
        struct holding *h = a->holdings;
        while (h && h->is_closing)
            h = h->next;
        if (h)
            h->is_closing = true;
        pthread_mutex_unlock(&a->mutex);
        if (!h)
            return NULL;
        close_one(a, h);
    }
}

static void close_all(struct agent *a)
{
    pthread_t threads[STOP_THREADS_MAX];
    int count = 0;

    while (count < STOP_THREADS_MAX && (size_t)count < a->holding_count &&
           pthread_create(&threads[count], NULL, close_run, a) == 0)
        count++;
    if (count == 0)
        close_run(a);
    while (count > 0)
        pthread_join(threads[--count], NULL);
}

static bool is_any_locking(const struct agent *a)
{
    for (const struct holding *h = a->holdings; h; h = h->next)
        if (h->is_locking)
            return true;
    return false;
}

/* What is urgent is done first; what hangs is left, with everything that it may still touch. */
bool agent_wait_urgent(struct agent *a)
{
    uint64_t by_ms = clock_boot_ms(a->clock) + URGENT_MS_MAX;
    bool is_any = true;

    while (is_any && clock_boot_ms(a->clock) < by_ms) {
        pthread_mutex_lock(&a->mutex);
        is_any = is_any_locking(a);
        pthread_mutex_unlock(&a->mutex);
        if (is_any)
            clock_sleep_ms(a->clock, URGENT_LOOK_MS);
    }
    return !is_any;
}

/* Engines go on: they are told so before the process ends. */
static void leave_all(struct agent *a)
{
    if (!agent_wait_urgent(a))
        return;
    for (struct holding *h = a->holdings; h; h = h->next) {
        power_free(h->power, true);
        h->power = NULL;
    }
}

void agent_stop(struct agent *a)
{
    pthread_mutex_lock(&a->mutex);
    a->is_ending = true;
    pthread_cond_broadcast(&a->work);
    pthread_cond_broadcast(&a->news);
    pthread_cond_broadcast(&a->urgent);
    pthread_cond_broadcast(&a->ended);
    pthread_mutex_unlock(&a->mutex);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(a->workers[i], NULL);
    pthread_join(a->teller, NULL);
    if (a->conf.is_leaving_running) {
        leave_all(a);
        return;
    }
    close_all(a);
    tell_last(a);
}
