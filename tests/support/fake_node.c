/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/fake_node.c - a node in memory.
 */
#include "fake_node.h"

#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"

enum { PEM_MAX = 65536, ROUNDS_MAX = 200 };

static const char *const levels[] = {"rewrap", "store", "data", "reencrypt", "restore"};
enum { LEVELS = 5, LEVEL_OF_RESTORE = 4 };

/* -- life ------------------------------------------------------------------------------------------------------------ */

static ks_rc join(struct fake_node *n, const struct caller *platform, const char *region)
{
    CLEANUP(buf_done) struct buf request = buf_init(PEM_MAX);
    char token[256];
    json_t *reply;

    TRY(control_join_token_create(n->c, platform, region, 3600, token));
    TRY(key_pair_new(&n->key));
    TRY(certificate_request_make(n->key, n->name, &request));
    TRY(control_node_join(n->c, token, buf_text(&request), n->name, "127.0.0.1", &reply));
    snprintf(n->id, sizeof n->id, "%s", json_string_value(json_object_get(reply, "node")));
    ks_rc rc = buf_append(&n->certificate,
                          view_text(json_string_value(json_object_get(reply, "certificate"))));
    json_decref(reply);
    return rc;
}

ks_rc fake_node_join(struct control *c, const struct caller *platform, const char *region,
                     const char *name, struct fake_node **ret)
{
    struct fake_node *n;

    TRY(mem_new(1, sizeof *n, &n));
    n->c = c;
    n->certificate = buf_init(PEM_MAX);
    n->receipts = json_array();
    snprintf(n->name, sizeof n->name, "%s", name);
    ks_rc rc = join(n, platform, region);
    if (!ks_ok(rc)) {
        fake_node_free(n);
        return rc;
    }
    *ret = n;
    return KS_SUCCESS;
}

static void drop_wraps(struct fake_volume *v)
{
    for (size_t i = 0; i < v->wrap_count; i++)
        json_decref(v->wraps[i].key);
    v->wrap_count = 0;
}

static void free_volume(struct fake_volume *v)
{
    drop_wraps(v);
    json_decref(v->wish);
    mem_free(v);
}

static void drop_checks(struct fake_node *n)
{
    for (size_t i = 0; i < n->check_count; i++)
        json_decref(n->checks[i]);
    n->check_count = 0;
}

void fake_node_free(struct fake_node *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < n->count; i++)
        free_volume(n->volumes[i]);
    drop_checks(n);
    json_decref(n->receipts);
    key_pair_free(n->key);
    buf_done(&n->certificate);
    mem_free(n);
}

void fake_node_restart(struct fake_node *n, struct control *c)
{
    n->c = c;
    n->since = 0;
    drop_checks(n);
    for (size_t i = 0; i < n->count; i++) {
        n->volumes[i]->reached = -1;
        n->volumes[i]->is_new = true;
    }
}

struct fake_volume *fake_node_find(struct fake_node *n, const char *id)
{
    for (size_t i = 0; i < n->count; i++)
        if (strcmp(n->volumes[i]->id, id) == 0)
            return n->volumes[i];
    return NULL;
}

/* -- asking ---------------------------------------------------------------------------------------------------------- */

static enum fake_answer ask(struct fake_node *n, const json_t *key)
{
    const char *uri = json_string_value(json_object_get(key, "uri"));

    return n->answer ? n->answer(n->arg, uri ? uri : "") : FAKE_ALLOW;
}

static ks_rc take_wish(struct fake_node *n, json_t *wish)
{
    const char *id = json_string_value(json_object_get(wish, "volume"));
    struct fake_volume *v = fake_node_find(n, id);

    if (!v) {
        ENSURE(n->count < FAKE_VOLUMES_MAX, KS_E_LIMIT, "too many volumes on a double");
        TRY(mem_new(1, sizeof *v, &v));
        snprintf(v->id, sizeof v->id, "%s", id);
        v->reached = -1;
        n->volumes[n->count++] = v;
    }
    json_decref(v->wish);
    v->wish = json_incref(wish);
    v->goal = json_integer_value(json_object_get(wish, "goal"));
    return KS_SUCCESS;
}

static json_t *result_json(enum fake_answer answer)
{
    switch (answer) {
    case FAKE_ALLOW:
        return json_pack("{s:s}", "outcome", "OK");
    case FAKE_DENY:
        return json_pack("{s:s, s:s, s:s, s:s, s:s}", "outcome", "DENIED", "class", "DENIED",
                         "code", "DENIED", "message", "the key service says no", "mend",
                         "grant kms:Decrypt to the principal");
    case FAKE_SILENT:
        break;
    }
    return json_pack("{s:s, s:s, s:s, s:s}", "outcome", "UNREACHABLE", "class", "UNREACHABLE",
                     "code", "TIMEOUT", "message", "the key service does not answer");
}

static void do_check(struct fake_node *n, const json_t *check)
{
    json_t *results = json_array(), *key;
    size_t i;

    if (n->check_count == FAKE_CHECKS_MAX) {
        json_decref(results);
        return;
    }
    json_array_foreach(json_object_get(check, "keys"), i, key)
        json_array_append_new(results, result_json(ask(n, key)));
    n->checks[n->check_count++] =
        json_pack("{s:O, s:o}", "check", json_object_get(check, "check"), "results", results);
}

static ks_rc take_desired(struct fake_node *n, const json_t *desired)
{
    json_t *one;
    size_t i;

    json_array_foreach(json_object_get(desired, "volumes"), i, one) TRY(take_wish(n, one));
    json_array_foreach(json_object_get(desired, "checks"), i, one) do_check(n, one);
    n->since = json_integer_value(json_object_get(desired, "revision"));
    return KS_SUCCESS;
}

ks_rc fake_node_poll(struct fake_node *n, bool *ret_is_new)
{
    json_t *desired = NULL;

    *ret_is_new = false;
    if (n->is_away || n->is_stale)
        return KS_SUCCESS;
    TRY(control_node_desired(n->c, n->id, n->since, &desired));
    if (!desired)
        return KS_SUCCESS;
    *ret_is_new = true;
    ks_rc rc = take_desired(n, desired);
    json_decref(desired);
    return rc;
}

/* -- working --------------------------------------------------------------------------------------------------------- */

static bool is_wished(const struct fake_volume *v, const char *member)
{
    return json_is_true(json_object_get(v->wish, member));
}

static struct fake_wrap *find_wrap(struct fake_volume *v, const char *id)
{
    for (size_t i = 0; i < v->wrap_count; i++)
        if (strcmp(v->wraps[i].id, id) == 0)
            return &v->wraps[i];
    return NULL;
}

static void add_wraps(struct fake_node *n, struct fake_volume *v)
{
    json_t *key;
    size_t i;

    json_array_foreach(json_object_get(v->wish, "keys"), i, key)
    {
        const char *id = json_string_value(json_object_get(key, "id"));
        struct fake_wrap *w = find_wrap(v, id);
        if (!w && v->wrap_count < FAKE_KEYS_MAX) {
            w = &v->wraps[v->wrap_count++];
            *w = (struct fake_wrap){.key = json_incref(key)};
            snprintf(w->id, sizeof w->id, "%s", id);
        }
        if (w) {
            w->answer = ask(n, key);
            w->is_active = w->is_active || (w->answer == FAKE_ALLOW && !v->is_locked);
        }
    }
    v->is_platform = v->is_platform || (is_wished(v, "platform") && !v->is_locked);
}

static bool is_key_wished(const struct fake_volume *v, const char *id)
{
    json_t *key;
    size_t i;

    json_array_foreach(json_object_get(v->wish, "keys"), i,
                       key) if (strcmp(json_string_value(json_object_get(key, "id")), id) ==
                                0) return true;
    return false;
}

/* The last opener that is wished stays, and no opener is dropped while none of the wished ones is there. */
static void drop_unwished(struct fake_volume *v)
{
    bool has_wished = v->is_platform && is_wished(v, "platform");
    size_t kept = 0;

    for (size_t i = 0; i < v->wrap_count; i++)
        has_wished = has_wished || (v->wraps[i].is_active && is_key_wished(v, v->wraps[i].id));
    for (size_t i = 0; i < v->wrap_count; i++) {
        struct fake_wrap w = v->wraps[i];
        if (is_key_wished(v, w.id) || (w.is_active && !has_wished))
            v->wraps[kept++] = w;
        else
            json_decref(w.key);
    }
    v->wrap_count = kept;
    if (has_wished && !is_wished(v, "platform"))
        v->is_platform = false;
}

static void set_access(struct fake_volume *v, enum access access, enum cause cause)
{
    v->access = access;
    v->cause = cause;
    v->is_locked = access == ACCESS_LOCKED;
}

/* What the openers that are there allow. */
static void open_or_lock(struct fake_node *n, struct fake_volume *v)
{
    bool is_allowed = v->is_platform, is_silent = false, was_open = v->access == ACCESS_OPEN;

    for (size_t i = 0; i < v->wrap_count; i++) {
        enum fake_answer answer = ask(n, v->wraps[i].key);
        is_allowed = is_allowed || (v->wraps[i].is_active && answer == FAKE_ALLOW);
        is_silent = is_silent || answer == FAKE_SILENT;
    }
    if (n->is_disk_failing)
        set_access(v, ACCESS_FAILED, CAUSE_ERROR);
    else if (is_allowed)
        set_access(v, ACCESS_OPEN, CAUSE_NONE);
    else if (is_silent)
        set_access(v, was_open ? ACCESS_GRACE : ACCESS_LOCKED, CAUSE_UNREACHABLE);
    else
        set_access(v, ACCESS_LOCKED, CAUSE_DENIED);
}

static ks_rc write_receipt(struct fake_node *n, const struct fake_volume *v, struct buf *text)
{
    const char *at = "2026-11-22T05:20:00Z";
    json_t *w = v->wish;

    return buf_printf(
        text,
        "{\"keystead_receipt\":1,\"id\":\"%.8s-0000-4000-8000-%012lld\",\"organisation\":\"%s\","
        "\"cluster\":\"%s\",\"region\":\"%s\",\"volume\":\"%s\",\"node\":\"%s\","
        "\"reason\":\"REVOKED\",\"asked_at\":\"%s\",\"locked_at\":\"%s\",\"duration_ms\":0,"
        "\"handles_cut\":0,\"engine_stopped_ms\":0,\"keys\":[],\"goal\":%lld}",
        v->id, (long long)(v->goal % 1000000000000),
        json_string_value(json_object_get(w, "organisation")),
        json_string_value(json_object_get(w, "cluster")),
        json_string_value(json_object_get(w, "region")), v->id, n->id, at, at, (long long)v->goal);
}

static ks_rc add_receipt(struct fake_node *n, const struct fake_volume *v)
{
    CLEANUP(buf_done) struct buf text = buf_init(4096), der = buf_init(256);
    CLEANUP(buf_done) struct buf signature = buf_init(512);

    TRY(write_receipt(n, v, &text));
    TRY(key_pair_sign(n->key, buf_view(&text), &der));
    TRY(base64_write(buf_view(&der), BASE64_STANDARD, &signature));
    json_array_append_new(n->receipts, json_pack("{s:s, s:s, s:s}", "text", buf_text(&text),
                                                 "signature", buf_text(&signature), "certificate",
                                                 buf_text(&n->certificate)));
    return KS_SUCCESS;
}

static void revoke(struct fake_node *n, struct fake_volume *v)
{
    set_access(v, ACCESS_LOCKED, CAUSE_REVOKED);
    v->reached = v->goal;
    if (v->revoked_goal == v->goal)
        return;
    v->revoked_goal = v->goal;
    /* only memory can be missing, and then the test fails by itself */
    IGNORE(add_receipt(n, v));
}

static bool are_openers_right(const struct fake_volume *v)
{
    size_t wished = json_array_size(json_object_get(v->wish, "keys")), active = 0;

    for (size_t i = 0; i < v->wrap_count; i++)
        active += v->wraps[i].is_active;
    return active == wished && v->wrap_count == wished &&
           v->is_platform == is_wished(v, "platform");
}

static void take_serials(struct fake_volume *v, bool is_all)
{
    const json_t *serials = json_object_get(v->wish, "serials");

    for (int i = 0; i < LEVELS; i++)
        if (is_all || i == LEVEL_OF_RESTORE || v->access == ACCESS_OPEN)
            v->done[i] = json_integer_value(json_object_get(serials, levels[i]));
}

static void bring(struct fake_node *n, struct fake_volume *v)
{
    if (!v->exists)
        take_serials(v, true);
    if (is_wished(v, "revoked")) {
        revoke(n, v);
        return;
    }
    v->is_locked = false;
    add_wraps(n, v);
    drop_unwished(v);
    open_or_lock(n, v);
    v->exists = v->exists || v->access == ACCESS_OPEN;
    take_serials(v, false);
    if (are_openers_right(v) && (v->access == ACCESS_OPEN || v->cause == CAUSE_DENIED))
        v->reached = v->goal;
}

static void take_away(struct fake_volume *v)
{
    drop_wraps(v);
    v->is_platform = v->exists = false;
    set_access(v, ACCESS_NONE, CAUSE_NONE);
    v->reached = v->goal;
}

/* Whether a volume is another than before: what counts in a report, as numbers. */
static uint64_t sum_of(const struct fake_volume *v)
{
    uint64_t sum = (uint64_t)v->reached * 31 + (uint64_t)v->access * 7 + (uint64_t)v->cause * 5 +
                   v->is_platform;

    for (size_t i = 0; i < v->wrap_count; i++)
        sum = sum * 131 + (uint64_t)v->wraps[i].id[0] * 17 + (uint64_t)v->wraps[i].answer * 3 +
              v->wraps[i].is_active;
    for (int i = 0; i < LEVELS; i++)
        sum = sum * 131 + (uint64_t)v->done[i];
    return sum;
}

static bool work_on(struct fake_node *n, struct fake_volume *v)
{
    uint64_t before = sum_of(v);
    const char *state = json_string_value(json_object_get(v->wish, "state"));

    if (strcmp(state, "ABSENT") == 0)
        take_away(v);
    else
        bring(n, v);
    bool is_changed = sum_of(v) != before;
    v->is_new = v->is_new || is_changed;
    return is_changed;
}

bool fake_node_work(struct fake_node *n)
{
    bool is_changed = false;
    unsigned steps = 0;

    for (size_t i = 0; !n->is_away && i < n->count; i++) {
        if (n->steps_max && steps == n->steps_max)
            break;
        if (!work_on(n, n->volumes[i]))
            continue;
        is_changed = true;
        steps++;
    }
    return is_changed;
}

/* -- reporting ------------------------------------------------------------------------------------------------------- */

static json_t *error_json(enum fake_answer answer)
{
    if (answer == FAKE_DENY)
        return json_pack("{s:s, s:s, s:s}", "class", "DENIED", "code", "KEY_DISABLED", "message",
                         "the key is disabled: enable it at the key service");
    return json_pack("{s:s, s:s, s:s}", "class", "UNREACHABLE", "code", "TIMEOUT", "message",
                     "the key service does not answer");
}

static json_t *wraps_json(const struct fake_volume *v)
{
    json_t *list = json_array();

    for (size_t i = 0; i < v->wrap_count; i++) {
        const struct fake_wrap *w = &v->wraps[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "id", w->id, "state",
                                              w->is_active ? "ACTIVE" : "FAILED", "version",
                                              w->is_active ? "1" : "", "error",
                                              w->is_active ? json_null() : error_json(w->answer)));
    }
    return list;
}

static json_t *serials_json(const struct fake_volume *v)
{
    json_t *o = json_object();

    for (int i = 0; i < LEVELS; i++)
        json_object_set_new(o, levels[i], json_integer(v->done[i]));
    return o;
}

static json_t *engine_json(const struct fake_node *n, const struct fake_volume *v)
{
    const char *engine = json_string_value(json_object_get(v->wish, "engine"));
    bool has_engine = strcmp(engine, "none") != 0, is_open = v->access == ACCESS_OPEN;
    const char *state = !has_engine            ? "NONE"
                        : !is_open             ? "STOPPED"
                        : n->is_engine_failing ? "FAILED"
                                               : "RUNNING";
    json_t *o = json_pack("{s:s, s:s, s:s, s:i, s:s}", "state", state, "message",
                          n->is_engine_failing && has_engine ? "it ends by itself" : "", "host",
                          "127.0.0.1", "port", 5432, "connection", "test://127.0.0.1:5432/");

    if (has_engine && is_open)
        json_object_set_new(o, "password", json_string("correct horse"));
    return o;
}

static const char *message_of(const struct fake_volume *v)
{
    if (v->access == ACCESS_FAILED)
        return "the disk fails";
    if (v->cause == CAUSE_DENIED)
        return "the key is disabled: enable it at the key service";
    return v->cause == CAUSE_UNREACHABLE ? "the key service does not answer" : "";
}

static json_t *volume_json(const struct fake_node *n, const struct fake_volume *v)
{
    json_t *o = json_pack("{s:s, s:I, s:s, s:s, s:s, s:o}", "volume", v->id, "goal",
                          (json_int_t)v->reached, "access", access_name(v->access), "cause",
                          cause_name(v->cause), "message", message_of(v), "keys", wraps_json(v));
    json_t *rest =
        json_pack("{s:b, s:o, s:n, s:n, s:o}", "platform", (int)v->is_platform, "serials",
                  serials_json(v), "failed", "progress", "engine", engine_json(n, v));

    json_object_update(o, rest);
    json_decref(rest);
    return o;
}

static json_t *report_json(const struct fake_node *n, bool is_full)
{
    json_t *volumes = json_array(), *checks = json_array();

    for (size_t i = 0; i < n->count; i++)
        if (is_full || n->volumes[i]->is_new)
            json_array_append_new(volumes, volume_json(n, n->volumes[i]));
    for (size_t i = 0; i < n->check_count; i++)
        json_array_append(checks, n->checks[i]);
    return json_pack("{s:b, s:o, s:o, s:O, s:s, s:s}", "full", (int)is_full, "volumes", volumes,
                     "checks", checks, "receipts", n->receipts, "version", "1.0", "address",
                     "127.0.0.1");
}

/* What was reported gone is forgotten. */
static void keep_rest(struct fake_node *n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n->count; i++) {
        struct fake_volume *v = n->volumes[i];
        v->is_new = false;
        const char *state = json_string_value(json_object_get(v->wish, "state"));
        if (strcmp(state, "ABSENT") == 0 && v->access == ACCESS_NONE && v->reached == v->goal)
            free_volume(v);
        else
            n->volumes[kept++] = v;
    }
    n->count = kept;
}

ks_rc fake_node_report(struct fake_node *n, bool is_full)
{
    json_t *reply = NULL;

    if (n->is_away || n->is_silent)
        return KS_SUCCESS;
    json_t *report = report_json(n, is_full);
    ks_rc rc = control_node_report(n->c, n->id, report, &reply);
    json_decref(report);
    json_decref(reply);
    TRY(rc);
    keep_rest(n);
    drop_checks(n);
    json_array_clear(n->receipts);
    return KS_SUCCESS;
}

static bool has_news(const struct fake_node *n)
{
    for (size_t i = 0; i < n->count; i++)
        if (n->volumes[i]->is_new)
            return true;
    return n->check_count || json_array_size(n->receipts);
}

ks_rc fake_node_step(struct fake_node *n, bool *ret_is_moving)
{
    bool is_new;

    TRY(fake_node_poll(n, &is_new));
    bool is_changed = fake_node_work(n);
    *ret_is_moving = is_new || is_changed;
    return has_news(n) ? fake_node_report(n, false) : KS_SUCCESS;
}

ks_rc fake_nodes_run(struct fake_node **nodes, size_t count)
{
    bool is_moving = true;

    for (int round = 0; is_moving && round < ROUNDS_MAX; round++) {
        is_moving = false;
        for (size_t i = 0; i < count; i++) {
            bool is_one_moving;
            TRY(fake_node_step(nodes[i], &is_one_moving));
            is_moving = is_moving || is_one_moving;
        }
    }
    ENSURE(!is_moving, KS_E_BUSY, "the nodes still move after %d rounds", ROUNDS_MAX);
    return KS_SUCCESS;
}
