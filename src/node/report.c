/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/report.c - what is told about one volume (docs/NODES.md).
 */
#include <stdio.h>

#include "node/agent_int.h"

/* A text of ours as JSON; what is no UTF-8 is not told. */
static json_t *text_json(const char *text)
{
    json_t *t = json_string(text);

    return t ? t : json_string("");
}

/* What those who own the volume may read of a text. */
static json_t *public_json(const struct holding *h, const char *text)
{
    const struct key_spec *specs[REGION_KEYS_MAX];
    char out[MESSAGE_BYTES];

    for (size_t i = 0; i < h->wish.key_count; i++)
        specs[i] = &h->wish.keys[i].spec;
    failure_hide_paths(text, specs, h->wish.key_count, out);
    return text_json(out);
}

/* --- access --- */

static enum cause cause_of(ks_rc rc)
{
    return rc.cls == KS_CLASS_DENIED        ? CAUSE_DENIED
           : rc.cls == KS_CLASS_UNREACHABLE ? CAUSE_UNREACHABLE
           : ks_ok(rc)                      ? CAUSE_NONE
                                            : CAUSE_ERROR;
}

/* The key that a message about a refusal is about: the first that the volume has. */
static void explain_cause(const struct holding *h, char out[MESSAGE_BYTES])
{
    const struct seen *s = &h->seen;

    if (s->cause != CAUSE_DENIED || s->wrap_count == 0) {
        snprintf(out, MESSAGE_BYTES, "%s", s->message);
        return;
    }
    ks_rc denied = ks_fail(s->refusal ? s->refusal : KS_E_DENIED, "%s", s->message);
    failure_explain(&s->wraps[0].spec, h->wish.organisation, denied, s->message, out);
}

static void access_running(const struct holding *h, enum access *ret_access, enum cause *ret_cause,
                           char out[MESSAGE_BYTES])
{
    static const enum access of[] = {[LEASE_OPEN] = ACCESS_OPEN,
                                     [LEASE_GRACE] = ACCESS_GRACE,
                                     [LEASE_LOCKING] = ACCESS_LOCKING,
                                     [LEASE_LOCKED] = ACCESS_LOCKED};
    const struct seen *s = &h->seen;

    *ret_access = of[s->state];
    if (s->state == LEASE_OPEN)
        return;
    *ret_cause = s->cause;
    if (s->is_revoked) {
        *ret_cause = CAUSE_REVOKED;
        if (!h->wish.is_revoked && h->deed.done.restore >= h->wish.serials.restore)
            snprintf(out, MESSAGE_BYTES,
                     "it was locked on its host by \"keystead volume lock\"; restore, or unlock it "
                     "there");
        return;
    }
    explain_cause(h, out);
}

/* Its keyring is older than one that was there before. */
static bool is_refused(const struct holding *h)
{
    return ks_is(h->failure.rc, KS_E_ROLLED_BACK) && !h->seen.is_running && h->seen.found > 0;
}

/* What was found is what was refused. A number is only a claim: when it is not below the anchor, another copy was refused behind it, and
 * who accepted the claim would have every true keyring refused. */
static bool is_acceptable(const struct holding *h)
{
    const struct anchor *a = &h->deed.anchor;

    return is_refused(h) && h->seen.found < a->sequence && anchor_is_of(a, h->seen.keyring);
}

static void explain_forged(const struct holding *h, char out[MESSAGE_BYTES])
{
    snprintf(out, MESSAGE_BYTES,
             "%s in its backing directory says that it is sequence %lld of the keyring, but no key "
             "vouches for that, and the other copy is older than sequence %lld, which was there "
             "before: put the keyring of that one back; or move the forged %s away, volumes/%s/"
             "backing/%s on its node: then the other copy can be accepted",
             h->seen.found_name, (long long)h->seen.found, (long long)h->deed.anchor.sequence,
             h->seen.found_name, h->id, h->seen.found_name);
}

static void explain_refusal(const struct holding *h, char out[MESSAGE_BYTES])
{
    if (!is_acceptable(h)) {
        explain_forged(h, out);
        return;
    }
    snprintf(out, MESSAGE_BYTES,
             "its keyring has sequence %lld, but one with %lld was there before: put that one "
             "back; or accept "
             "this older one, if a backup was restored on purpose: keystead cluster "
             "accept-rollback %s %s/%u",
             (long long)h->seen.found, (long long)h->deed.anchor.sequence, h->wish.cluster_name,
             h->wish.region, h->wish.ordinal);
}

/* Its process goes on with what it has open, on a disk or directory that is not there: that is no volume as it should be. */
static bool is_lost(const struct holding *h)
{
    return h->seen.is_lost && h->seen.state != LEASE_LOCKED && !ks_ok(h->failure.rc);
}

void report_access(const struct agent *a, const struct holding *h, enum access *ret_access,
                   enum cause *ret_cause, char out[MESSAGE_BYTES])
{
    const struct seen *s = &h->seen;
    bool is_failing = !ks_ok(h->failure.rc);

    (void)a;
    *ret_access = ACCESS_NONE;
    *ret_cause = CAUSE_NONE;
    out[0] = 0;
    if (h->is_gone)
        return;
    if (s->is_running && !is_lost(h)) {
        access_running(h, ret_access, ret_cause, out);
    } else if (h->wish.is_revoked && (s->is_revoked || !s->is_made) && h->is_seen) {
        *ret_access = ACCESS_LOCKED;
        *ret_cause = CAUSE_REVOKED;
    } else if (is_failing && (s->is_made || h->deed.is_made)) {
        *ret_access = ACCESS_FAILED;
    }
    if (out[0] || !is_failing || *ret_access == ACCESS_OPEN)
        return;
    if (is_refused(h))
        explain_refusal(h, out);
    else
        snprintf(out, MESSAGE_BYTES, "%s", h->failure.text);
    if (*ret_cause == CAUSE_NONE)
        *ret_cause = ks_is(h->failure.rc, KS_E_ROLLED_BACK) ? CAUSE_ROLLED_BACK
                     : *ret_access == ACCESS_FAILED         ? CAUSE_ERROR
                                                            : cause_of(h->failure.rc);
}

/* --- keys --- */

static json_t *error_json(const struct holding *h, const struct failure *f,
                          const struct key_spec *spec)
{
    char text[MESSAGE_BYTES];

    if (ks_ok(f->rc))
        return json_null();
    failure_explain(spec, h->wish.organisation, f->rc, f->text, text);
    return json_pack("{s:s, s:s, s:o}", "class", ks_class_name(f->rc), "code", ks_name(f->rc),
                     "message", public_json(h, text));
}

/* A volume that cannot be made says so of each of its keys. */
static const struct failure *failure_of_key(const struct holding *h, size_t i)
{
    if (!ks_ok(h->key_failures[i].rc))
        return &h->key_failures[i];
    bool is_unmade = !h->seen.is_made && h->failed_step == STEP_CREATE;
    bool is_swapping = h->failed_step == STEP_SWAP_KEY;
    return is_unmade || is_swapping ? &h->failure : &h->key_failures[i];
}

static json_t *key_json(const struct holding *h, size_t i)
{
    const struct wish_key *key = &h->wish.keys[i];
    const struct seen_wrap *wrap = seen_key(&h->seen, &key->spec);
    const struct failure *f = failure_of_key(h, i);

    if (wrap && seen_is_exact(wrap, &key->spec))
        return json_pack("{s:s, s:s, s:o, s:n}", "id", key->id, "state", "ACTIVE", "version",
                         text_json(wrap->version), "error");
    return json_pack("{s:s, s:s, s:s, s:o}", "id", key->id, "state",
                     ks_ok(f->rc) ? "ABSENT" : "FAILED", "version", "", "error",
                     error_json(h, f, &key->spec));
}

static json_t *keys_json(const struct holding *h)
{
    json_t *keys = json_array();

    for (size_t i = 0; i < h->wish.key_count; i++)
        json_array_append_new(keys, key_json(h, i));
    return keys;
}

/* --- the rest --- */

static json_t *failed_json(const struct holding *h)
{
    const char *level = step_level(h->failed_step);

    if (ks_ok(h->failure.rc) || !level)
        return json_null();
    return json_pack("{s:s, s:s, s:s, s:o}", "level", level, "class", ks_class_name(h->failure.rc),
                     "code", ks_name(h->failure.rc), "message", public_json(h, h->failure.text));
}

static json_t *progress_json(const struct holding *h)
{
    if (!h->is_rekeying)
        return json_null();
    return json_pack("{s:I, s:I, s:I}", "bytes_done", (json_int_t)h->rekey_done, "bytes_total",
                     (json_int_t)h->rekey_total, "rate", (json_int_t)h->rekey_rate);
}

static json_t *engine_json(const struct agent *a, const struct holding *h)
{
    struct power_status s = {.state = ENGINE_NONE};
    bool has_engine = h->wish.engine[0] && strcmp(h->wish.engine, "none") != 0;

    if (h->power)
        power_status(h->power, &s);
    else if (has_engine)
        s.state = ENGINE_STOPPED;
    return json_pack("{s:s, s:o, s:s, s:i, s:o}", "state", engine_state_name(s.state), "message",
                     text_json(s.message), "host", has_engine ? a->identity.address : "", "port",
                     has_engine ? (int)h->deed.port : 0, "connection", text_json(s.connection));
}

static json_t *serials_json(const struct wish_serials *s)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "rewrap", (json_int_t)s->rewrap, "store",
                     (json_int_t)s->store, "data", (json_int_t)s->data, "reencrypt",
                     (json_int_t)s->reencrypt, "restore", (json_int_t)s->restore);
}

/* Only what is on the disk here: the control plane must not know more than a node that was cut off. And only of what is there: one that is
 * being made is noted before it has its name, each time anew, and until then the control plane would hear of a keyring that never was. */
static json_t *keyring_json(const struct holding *h)
{
    static const struct anchor none;
    json_t *keyring = anchor_write(h->deed.is_made ? &h->kept_anchor : &none);

    if (keyring && is_acceptable(h) &&
        json_object_set_new(keyring, "found", json_integer(h->seen.found)) != 0) {
        json_decref(keyring);
        return NULL;
    }
    return keyring;
}

json_t *report_volume(const struct agent *a, const struct holding *h)
{
    const struct seen_wrap *platform = seen_key(&h->seen, &a->platform);
    enum access access;
    enum cause cause;
    char message[MESSAGE_BYTES];

    report_access(a, h, &access, &cause, message);
    return json_pack("{s:s, s:I, s:s, s:s, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o}", "volume",
                     h->id, "goal", (json_int_t)h->deed.reached, "access", access_name(access),
                     "cause", cause_name(cause), "message", public_json(h, message), "keys",
                     keys_json(h), "platform", platform != NULL, "serials",
                     serials_json(&h->deed.done), "failed", failed_json(h), "progress",
                     progress_json(h), "engine", engine_json(a, h), "keyring", keyring_json(h));
}
