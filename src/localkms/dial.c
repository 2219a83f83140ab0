/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/dial.c - the rules, and which of them a request meets.
 */
#include "localkms/dial.h"

#include <stdatomic.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "net/http_server.h"

enum { RULES_MAX = 256, NAME_BYTES = 256, GARBAGE_BYTES = 200 };
enum { HANG_MS_PRESET = 3600 * 1000 };

static const char *const effect_names[DIAL_EFFECT_COUNT] = {
    [DIAL_LATENCY] = "latency", [DIAL_THROTTLE] = "throttle", [DIAL_ERROR] = "error",
    [DIAL_DENY] = "deny",       [DIAL_HANG] = "hang",         [DIAL_RESET] = "reset",
    [DIAL_GARBAGE] = "garbage", [DIAL_LAG] = "lag",           [DIAL_SKEW] = "skew",
};

struct rule {
    int64_t id;
    enum dial_effect effect;
    int64_t ms;
    char account[NAME_BYTES], key[NAME_BYTES], operation[NAME_BYTES]; /* empty: any */
    uint64_t from_ms, until_ms; /* boot time; until 0: no end */
    _Atomic int64_t left;       /* how often it still acts; negative: without bound */
    int64_t percent;
};

struct dial {
    struct realm *realm;
    bool is_on;
    pthread_rwlock_t lock;
    struct rule *rules[RULES_MAX];
    _Atomic size_t count; /* read without the lock to see that there are none */
    int64_t last_id;
};

ks_rc dial_open(struct realm *r, bool is_on, struct dial **ret)
{
    struct dial *d;

    TRY(mem_new(1, sizeof *d, &d));
    d->realm = r;
    d->is_on = is_on;
    pthread_rwlock_init(&d->lock, NULL);
    *ret = d;
    return KS_SUCCESS;
}

void dial_close(struct dial *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->count; i++)
        mem_free(d->rules[i]);
    pthread_rwlock_destroy(&d->lock);
    mem_free(d);
}

/* ---- rules ---- */

static ks_rc read_effect(const json_t *from, enum dial_effect *ret)
{
    const char *name;

    TRY(json_get_text(from, "effect", 32, &name));
    for (int i = DIAL_NONE + 1; i < DIAL_EFFECT_COUNT; i++)
        if (strcmp(effect_names[i], name) == 0) {
            *ret = (enum dial_effect)i;
            return KS_SUCCESS;
        }
    return ks_fail(
        KS_E_USAGE,
        "\"effect\" must be latency, throttle, error, deny, hang, reset, garbage, lag or "
        "skew");
}

static ks_rc read_name(const json_t *from, const char *name, char out[NAME_BYTES])
{
    const char *text = "";

    TRY(json_may_text(from, name, NAME_BYTES - 1, &text));
    memcpy(out, text, strlen(text) + 1);
    return KS_SUCCESS;
}

static ks_rc check_members(const json_t *from)
{
    static const char *const known[] = {"effect",   "ms",     "account", "key",     "operation",
                                        "after_ms", "for_ms", "count",   "percent", "id"};
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)from, name, value)
    {
        bool is_known = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            is_known |= strcmp(known[i], name) == 0;
        ENSURE(is_known, KS_E_USAGE, "\"%.40s\" is not known", name);
    }
    return KS_SUCCESS;
}

static ks_rc read_rule(const json_t *from, uint64_t now, struct rule *ret)
{
    const int64_t day_ms = 86400 * 1000;
    int64_t after = 0, during = 0, count = -1;

    ENSURE(json_is_object(from), KS_E_USAGE, "a rule is an object");
    TRY(check_members(from));
    TRY(read_effect(from, &ret->effect));
    TRY(json_may_int(from, "ms", -day_ms, day_ms, &ret->ms));
    ENSURE(ret->ms >= 0 || ret->effect == DIAL_SKEW, KS_E_USAGE, "\"ms\" is negative");
    TRY(read_name(from, "account", ret->account));
    TRY(read_name(from, "key", ret->key));
    TRY(read_name(from, "operation", ret->operation));
    TRY(json_may_int(from, "after_ms", 0, day_ms, &after));
    TRY(json_may_int(from, "for_ms", 0, day_ms, &during));
    TRY(json_may_int(from, "count", 1, INT64_MAX, &count));
    ret->percent = 100;
    TRY(json_may_int(from, "percent", 1, 100, &ret->percent));
    ret->from_ms = now + (uint64_t)after;
    ret->until_ms = during ? ret->from_ms + (uint64_t)during : 0;
    ret->left = count;
    return KS_SUCCESS;
}

ks_rc dial_add(struct dial *d, const json_t *from, int64_t *ret_id)
{
    CLEANUP(mem_freep) struct rule *rule = NULL;

    ENSURE(d->is_on, KS_E_STATE, "faults cannot be dialled here; start the service with --dial");
    TRY(mem_new(1, sizeof *rule, &rule));
    TRY(read_rule(from, realm_now_ms(d->realm), rule));
    pthread_rwlock_wrlock(&d->lock);
    bool has_room = d->count < RULES_MAX;
    if (has_room) {
        *ret_id = rule->id = ++d->last_id;
        d->rules[d->count] = TAKE(rule);
        d->count++;
    }
    pthread_rwlock_unlock(&d->lock);
    ENSURE(has_room, KS_E_LIMIT, "more than %d rules", RULES_MAX);
    return KS_SUCCESS;
}

static json_t *show(const struct rule *rule, uint64_t now)
{
    json_t *to = json_pack("{s:I, s:s, s:I, s:I, s:b}", "id", (json_int_t)rule->id, "effect",
                           effect_names[rule->effect], "ms", (json_int_t)rule->ms, "percent",
                           (json_int_t)rule->percent, "active",
                           now >= rule->from_ms && (!rule->until_ms || now < rule->until_ms) &&
                               rule->left != 0);

    if (rule->account[0])
        json_object_set_new(to, "account", json_string(rule->account));
    if (rule->key[0])
        json_object_set_new(to, "key", json_string(rule->key));
    if (rule->operation[0])
        json_object_set_new(to, "operation", json_string(rule->operation));
    if (rule->left >= 0)
        json_object_set_new(to, "count", json_integer((json_int_t)rule->left));
    return to;
}

ks_rc dial_list(struct dial *d, json_t **ret)
{
    json_t *all = json_array();

    pthread_rwlock_rdlock(&d->lock);
    for (size_t i = 0; i < d->count; i++)
        json_array_append_new(all, show(d->rules[i], realm_now_ms(d->realm)));
    pthread_rwlock_unlock(&d->lock);
    ENSURE(all, KS_E_NO_MEMORY, "no memory for a list");
    *ret = all;
    return KS_SUCCESS;
}

ks_rc dial_remove(struct dial *d, int64_t id)
{
    size_t kept = 0, removed = 0;

    pthread_rwlock_wrlock(&d->lock);
    for (size_t i = 0; i < d->count; i++)
        if (id == 0 || d->rules[i]->id == id) {
            mem_free(d->rules[i]);
            removed++;
        } else {
            d->rules[kept++] = d->rules[i];
        }
    d->count = kept;
    pthread_rwlock_unlock(&d->lock);
    ENSURE(id == 0 || removed > 0, KS_E_NOT_FOUND, "no rule %lld", (long long)id);
    return KS_SUCCESS;
}

/* ---- meeting them ---- */

/* A pattern may end with '*'. */
static bool is_like(const char *pattern, const char *text)
{
    size_t len = strlen(pattern);

    if (len == 0)
        return true;
    if (!text)
        return false;
    return pattern[len - 1] == '*' ? strncmp(pattern, text, len - 1) == 0
                                   : strcmp(pattern, text) == 0;
}

/* A key may be named by its ARN or by the id at the end of it. */
static bool is_key(const char *pattern, const char *key)
{
    const char *id = strrchr(pattern, '/');

    return is_like(pattern, key) || (key && id && strcmp(id + 1, key) == 0);
}

static bool is_lucky(struct dial *d, const struct rule *rule)
{
    uint32_t number;

    if (rule->percent >= 100)
        return true;
    return ks_ok(random_fill(d->realm->random, &number, sizeof number)) &&
           number % 100 < (uint32_t)rule->percent;
}

static bool use_up(struct rule *rule)
{
    int64_t left = rule->left;

    while (left > 0)
        if (atomic_compare_exchange_weak(&rule->left, &left, left - 1))
            return true;
    return left < 0;
}

static bool is_met(struct dial *d, struct rule *rule, const struct dial_subject *subject,
                   uint64_t now)
{
    return now >= rule->from_ms && (rule->until_ms == 0 || now < rule->until_ms) &&
           is_like(rule->account, subject->account) && is_key(rule->key, subject->key) &&
           is_like(rule->operation, subject->operation) && is_lucky(d, rule) && use_up(rule);
}

/* The first rule with one of these effects (a set of bits) that the subject meets. */
static enum dial_effect meet(struct dial *d, unsigned effects, const struct dial_subject *subject,
                             int64_t *ret_ms)
{
    enum dial_effect effect = DIAL_NONE;

    if (d->count == 0)
        return DIAL_NONE;
    uint64_t now = realm_now_ms(d->realm);
    pthread_rwlock_rdlock(&d->lock);
    for (size_t i = 0; i < d->count && effect == DIAL_NONE; i++)
        if ((effects >> d->rules[i]->effect & 1) && is_met(d, d->rules[i], subject, now)) {
            effect = d->rules[i]->effect;
            *ret_ms = d->rules[i]->ms;
        }
    pthread_rwlock_unlock(&d->lock);
    return effect;
}

enum dial_effect dial_refusal(struct dial *d, const struct dial_subject *subject)
{
    int64_t ms;

    return meet(d, 1u << DIAL_THROTTLE | 1u << DIAL_ERROR | 1u << DIAL_DENY, subject, &ms);
}

uint64_t dial_lag_ms(struct dial *d, const struct dial_subject *subject)
{
    int64_t ms = 0;

    return meet(d, 1u << DIAL_LAG, subject, &ms) == DIAL_NONE ? 0 : (uint64_t)ms;
}

int64_t dial_skew_ms(struct dial *d)
{
    int64_t ms = 0;

    return meet(d, 1u << DIAL_SKEW, &(struct dial_subject){0}, &ms) == DIAL_NONE ? 0 : ms;
}

/* ---- acting ---- */

struct delayed {
    struct realm *realm;
    void (*again)(struct realm *r, struct http_exchange *x);
};

static void go_on(void *arg, struct http_exchange *x, bool is_stopping)
{
    CLEANUP(mem_freep) struct delayed *delayed = arg;

    if (is_stopping)
        http_hang_up(x, view_text(""));
    else
        delayed->again(delayed->realm, x);
}

static void delay(struct realm *r, struct http_exchange *x, uint64_t ms,
                  void (*again)(struct realm *r, struct http_exchange *x))
{
    struct delayed *delayed;

    if (!ks_ok(mem_new(1, sizeof *delayed, &delayed))) {
        http_hang_up(x, view_text(""));
        return;
    }
    *delayed = (struct delayed){r, again};
    http_answer_later(x, ms, go_on, delayed);
}

static void hang_up(struct realm *r, struct http_exchange *x)
{
    (void)r;
    http_hang_up(x, view_text(""));
}

static void answer_garbage(struct realm *r, struct http_exchange *x)
{
    uint8_t bytes[GARBAGE_BYTES];

    if (ks_ok(random_fill(r->random, bytes, sizeof bytes)))
        http_answer(x, 200, "application/x-amz-json-1.1", view_of(bytes, sizeof bytes));
    else
        hang_up(r, x);
}

bool dial_intercept(struct realm *r, struct http_exchange *x, const struct dial_subject *subject,
                    void (*again)(struct realm *r, struct http_exchange *x))
{
    int64_t ms = 0;
    unsigned effects = 1u << DIAL_LATENCY | 1u << DIAL_HANG | 1u << DIAL_RESET | 1u << DIAL_GARBAGE;
    enum dial_effect effect = meet(r->dial, effects, subject, &ms);

    if (effect == DIAL_NONE)
        return false;
    if (effect == DIAL_LATENCY)
        delay(r, x, (uint64_t)ms, again);
    else if (effect == DIAL_HANG)
        delay(r, x, ms ? (uint64_t)ms : HANG_MS_PRESET, hang_up);
    else if (effect == DIAL_RESET)
        hang_up(r, x);
    else
        answer_garbage(r, x);
    return true;
}
