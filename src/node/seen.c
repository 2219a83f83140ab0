/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/seen.c - reading a status, and comparing it with a wish.
 */
#include "node/seen.h"

#include <stdio.h>

#include "base/json.h"

void seen_done(struct seen *s)
{
    json_decref(s->wraps_json);
    json_decref(s->generations);
    json_decref(s->requests_failed);
    *s = (struct seen){0};
}

static void copy(const json_t *object, const char *name, char *room, size_t bytes)
{
    const char *text = json_string_value(json_object_get(object, name));

    snprintf(room, bytes, "%s", text ? text : "");
}

static uint32_t number(const json_t *object, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(object, name));

    return n < 0 ? 0 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static ks_rc read_state(const json_t *status, struct seen *s)
{
    const char *name = json_string_value(json_object_get(status, "state"));

    for (int i = LEASE_OPEN; name && i <= LEASE_LOCKED; i++)
        if (strcmp(lease_state_name((enum lease_state)i), name) == 0) {
            s->state = (enum lease_state)i;
            return KS_SUCCESS;
        }
    return ks_fail(KS_E_BAD_REPLY, "the volume's status has no state that is known");
}

static enum cause read_cause(const json_t *object)
{
    const char *name = json_string_value(json_object_get(object, "cause"));
    enum cause cause = CAUSE_NONE;

    return name && cause_parse(name, &cause) ? cause : CAUSE_NONE;
}

static void add_wrap(const json_t *wrap, struct seen *s)
{
    const char *state = json_string_value(json_object_get(wrap, "state"));

    if (!state || strcmp(state, "ACTIVE") != 0 || s->wrap_count == KEYRING_ACTIVE_MAX)
        return;
    struct seen_wrap *w = &s->wraps[s->wrap_count++];
    w->id = number(wrap, "id");
    copy(wrap, "type", w->spec.type, sizeof w->spec.type);
    copy(wrap, "uri", w->spec.uri, sizeof w->spec.uri);
    copy(wrap, "auth_principal", w->spec.auth_principal, sizeof w->spec.auth_principal);
    copy(wrap, "key_version", w->version, sizeof w->version);
}

static enum ks_code read_refusal(const json_t *status)
{
    const char *name =
        json_string_value(json_object_get(json_object_get(status, "last_probe"), "code"));
    enum ks_code code = name ? ks_from_name(name) : KS_E_DENIED;
    ks_rc rc = ks_fail(code, "as the probe said");

    return rc.cls == KS_CLASS_DENIED ? code : KS_E_DENIED;
}

static void read_lock(const json_t *status, struct seen *s)
{
    const json_t *receipt = json_object_get(status, "receipt");

    copy(receipt, "at", s->lock_at, sizeof s->lock_at);
    s->lock_cause = read_cause(receipt);
    s->lock_duration_ms = number(receipt, "duration_ms");
    s->lock_handles = number(receipt, "handles_cut");
}

/* While it is locked it has no counters. */
static json_t *read_failed(const json_t *status)
{
    json_t *failed = json_object_get(json_object_get(status, "counters"), "failed");

    return json_is_object(failed) ? json_incref(failed) : NULL;
}

ks_rc seen_status(const json_t *status, struct seen *ret)
{
    struct seen s = {.is_made = true, .is_running = true};
    const json_t *volume = json_object_get(status, "volume");
    const json_t *lease = json_object_get(status, "lease"), *wrap;
    json_t *wraps = json_object_get(status, "wraps");
    size_t i;

    TRY(read_state(status, &s));
    ENSURE(json_is_array(wraps) && json_is_object(volume), KS_E_BAD_REPLY,
           "the volume's status lacks a member");
    s.is_revoked = json_is_true(json_object_get(status, "revoked"));
    s.pid = (int)number(volume, "pid");
    copy(volume, "id", s.keyring, sizeof s.keyring);
    s.sequence =
        json_integer_value(json_object_get(json_object_get(status, "keyring"), "sequence"));
    copy(volume, "backing", s.backing, sizeof s.backing);
    copy(volume, "mountpoint", s.mountpoint, sizeof s.mountpoint);
    s.lease_ms = number(lease, "max_ms");
    s.probe_ms = number(lease, "probe_ms");
    s.grace_ms = number(lease, "grace_ms");
    s.cause = read_cause(status);
    copy(status, "message", s.message, sizeof s.message);
    s.refusal = read_refusal(status);
    json_array_foreach(wraps, i, wrap) add_wrap(wrap, &s);
    read_lock(status, &s);
    s.wraps_json = json_incref(wraps);
    s.generations = json_incref(json_object_get(status, "generations"));
    s.requests_failed = read_failed(status);
    seen_done(ret);
    *ret = s;
    return KS_SUCCESS;
}

void seen_keyring_id(const struct keyring *k, char out[ANCHOR_VOLUME_BYTES])
{
    for (size_t i = 0; i < KEYRING_ID_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", k->volume_id[i]);
}

void seen_keyring(const struct keyring *k, bool is_revoked, struct seen *ret)
{
    seen_done(ret);
    ret->is_made = true;
    ret->is_revoked = is_revoked;
    seen_keyring_id(k, ret->keyring);
    ret->found = k->sequence > INT64_MAX ? INT64_MAX : (int64_t)k->sequence;
    ret->state = LEASE_LOCKED;
    ret->lease_ms = k->settings.lease_ms_max;
    ret->probe_ms = k->settings.probe_ms;
    ret->grace_ms = k->settings.grace_ms;
    for (size_t i = 0; i < k->wrap_count && ret->wrap_count < KEYRING_ACTIVE_MAX; i++) {
        const struct keyring_wrap *w = &k->wraps[i];
        if (w->state != KEYRING_WRAP_ACTIVE)
            continue;
        struct seen_wrap *s = &ret->wraps[ret->wrap_count++];
        s->id = w->id;
        s->spec = w->spec;
        snprintf(s->version, sizeof s->version, "%s", w->key_version);
    }
}

/* --- against a wish --- */

const struct seen_wrap *seen_key(const struct seen *s, const struct key_spec *spec)
{
    for (size_t i = 0; i < s->wrap_count; i++)
        if (key_spec_is_same(&s->wraps[i].spec, spec))
            return &s->wraps[i];
    return NULL;
}

bool seen_is_exact(const struct seen_wrap *w, const struct key_spec *spec)
{
    return key_spec_is_same(&w->spec, spec) &&
           strcmp(w->spec.auth_principal, spec->auth_principal) == 0;
}

const struct key_spec *seen_wanted(const struct wish *w, const struct key_spec *platform, size_t i)
{
    if (i < w->key_count)
        return &w->keys[i].spec;
    return i == w->key_count && w->is_platform ? platform : NULL;
}

bool seen_is_overruled(const struct wish *w, const struct key_spec *platform, size_t i)
{
    const struct key_spec *spec = seen_wanted(w, platform, i), *later;

    while ((later = seen_wanted(w, platform, ++i)))
        if (key_spec_is_same(spec, later))
            return true;
    return false;
}

static bool is_wanted(const struct seen_wrap *wrap, const struct wish *w,
                      const struct key_spec *platform)
{
    const struct key_spec *spec;

    for (size_t i = 0; (spec = seen_wanted(w, platform, i)); i++)
        if (key_spec_is_same(&wrap->spec, spec))
            return true;
    return false;
}

const struct seen_wrap *seen_unwanted(const struct seen *s, const struct wish *w,
                                      const struct key_spec *platform)
{
    for (size_t i = 0; i < s->wrap_count; i++)
        if (!is_wanted(&s->wraps[i], w, platform))
            return &s->wraps[i];
    return NULL;
}

static void count_keys(const struct seen *s, const struct wish *w, const struct key_spec *platform,
                       struct step_view *v)
{
    const struct key_spec *spec;

    for (size_t i = 0; (spec = seen_wanted(w, platform, i)); i++) {
        const struct seen_wrap *wrap = seen_key(s, spec);
        if (seen_is_overruled(w, platform, i))
            continue;
        if (!wrap)
            v->keys_missing++;
        else if (!seen_is_exact(wrap, spec))
            v->keys_to_swap++;
        else
            v->keys_held++;
    }
    for (size_t i = 0; i < s->wrap_count; i++)
        v->keys_unwanted += !is_wanted(&s->wraps[i], w, platform);
    v->keys_free = (unsigned)(KEYRING_ACTIVE_MAX - s->wrap_count);
}

static bool is_other_lease(const struct seen *s, const struct lease_terms *t)
{
    return s->lease_ms != (uint64_t)t->lease_ms || s->probe_ms != (uint64_t)t->probe_ms ||
           s->grace_ms != (uint64_t)t->grace_ms;
}

bool seen_is_rolled_back(const struct seen *s, const struct deed *d)
{
    if (!s->is_running || s->is_revoked)
        return false;
    return s->cause == CAUSE_ROLLED_BACK ||
           (s->sequence && !anchor_holds(&d->anchor, s->keyring, s->sequence));
}

void seen_view(const struct seen *s, const struct wish *w, const struct deed *d,
               const struct key_spec *platform, struct step_view *ret)
{
    *ret = (struct step_view){
        .is_present = w->is_present,
        .is_revoke_wanted = w->is_revoked,
        .is_restore_due = d->done.restore < w->serials.restore,
        .is_rewrap_due = d->done.rewrap < w->serials.rewrap,
        .is_store_due = d->done.store < w->serials.store,
        .is_data_due = d->done.data < w->serials.data,
        .is_reencrypt_due = d->done.reencrypt < w->serials.reencrypt,
        .is_set_due = is_other_lease(s, &w->lease),
        .is_made = s->is_made,
        .is_running = s->is_running,
        .is_revoked = s->is_revoked,
        .is_rolled_back = seen_is_rolled_back(s, d),
        .state = s->state,
    };
    count_keys(s, w, platform, ret);
}
