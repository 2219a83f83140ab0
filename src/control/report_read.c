/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/report_read.c - reads what nodes report; decides nothing.
 */
#include "control/report_read.h"

#include <string.h>

#include "base/json.h"
#include "control/live.h"

enum { COUNT_MAX = INT32_MAX };

static const int64_t bytes_max = (int64_t)1 << 60;

static bool is_among(const char *const *names, const char *name)
{
    for (size_t i = 0; names[i]; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

/* only(object, names, what): no member but these; names end with NULL. */
static ks_rc only(const json_t *object, const char *const *names, const char *what)
{
    json_t *o =
        (json_t *)(uintptr_t)object; /* jansson's iterator wants it writable and does not write */

    ENSURE(json_is_object(object), KS_E_USAGE, "%s is no object", what);
    for (void *at = json_object_iter(o); at; at = json_object_iter_next(o, at))
        ENSURE(is_among(names, json_object_iter_key(at)), KS_E_USAGE,
               "%s has a member \"%.40s\" that is not known", what, json_object_iter_key(at));
    return KS_SUCCESS;
}

static ks_rc read_id(const json_t *object, const char *name, const char **ret)
{
    TRY(json_get_text(object, name, ID_BYTES - 1, ret));
    ENSURE(id_is_valid(*ret), KS_E_USAGE, "%s is no id", name);
    return KS_SUCCESS;
}

static ks_rc read_error(const json_t *o, struct report_error *ret)
{
    *ret = (struct report_error){"", "", ""};
    TRY(json_may_text(o, "class", WORD_BYTES - 1, &ret->error_class));
    TRY(json_may_text(o, "code", WORD_BYTES - 1, &ret->code));
    return json_may_text(o, "message", REPORT_TEXT_MAX, &ret->message);
}

static ks_rc read_key(const json_t *one, struct report_key *ret)
{
    static const char *const names[] = {"id", "state", "version", "error", NULL};
    static const char *const error_names[] = {"class", "code", "message", NULL};
    const char *state;
    json_t *error = NULL;

    TRY(only(one, names, "a key"));
    TRY(read_id(one, "id", &ret->id));
    TRY(json_get_text(one, "state", WORD_BYTES, &state));
    ENSURE(wrap_state_parse(state, &ret->state), KS_E_USAGE, "\"%.20s\" is no state of a key",
           state);
    ret->version = "";
    TRY(json_may_text(one, "version", KEY_VERSION_BYTES - 1, &ret->version));
    TRY(json_may_object(one, "error", &error));
    if (error)
        TRY(only(error, error_names, "an error"));
    return read_error(error, &ret->error);
}

static ks_rc read_keys(const json_t *one, struct report_volume *ret)
{
    json_t *keys = NULL;
    const json_t *key;
    size_t i;

    ret->key_count = 0;
    TRY(json_may_array(one, "keys", REPORT_KEYS_MAX, &keys));
    json_array_foreach(keys, i, key) TRY(read_key(key, &ret->keys[ret->key_count++]));
    return KS_SUCCESS;
}

static ks_rc read_serials(const json_t *one, struct report_volume *ret)
{
    static const char *const names[] = {"rewrap", "store", "data", "reencrypt", "restore", NULL};
    json_t *serials = NULL;

    ret->rewrap = ret->store = ret->data = ret->reencrypt = ret->restore = 0;
    TRY(json_may_object(one, "serials", &serials));
    if (!serials)
        return KS_SUCCESS;
    TRY(only(serials, names, "serials"));
    TRY(json_may_int(serials, "rewrap", 0, COUNT_MAX, &ret->rewrap));
    TRY(json_may_int(serials, "store", 0, COUNT_MAX, &ret->store));
    TRY(json_may_int(serials, "data", 0, COUNT_MAX, &ret->data));
    TRY(json_may_int(serials, "reencrypt", 0, COUNT_MAX, &ret->reencrypt));
    return json_may_int(serials, "restore", 0, COUNT_MAX, &ret->restore);
}

static const char *level_name(const char *level)
{
    static const char *const levels[] = {"rewrap", "store", "data", "reencrypt"};

    if (strcmp(level, "cmek") == 0)
        return "rewrap";
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (strcmp(levels[i], level) == 0)
            return levels[i];
    }
    return NULL;
}

static ks_rc read_failed(const json_t *one, struct report_volume *ret)
{
    static const char *const names[] = {"level", "class", "code", "message", NULL};
    json_t *failed = NULL;
    const char *level = "";

    ret->failed_level = "";
    ret->failed = (struct report_error){"", "", ""};
    TRY(json_may_object(one, "failed", &failed));
    if (!failed)
        return KS_SUCCESS;
    TRY(only(failed, names, "failed"));
    TRY(json_get_text(failed, "level", WORD_BYTES - 1, &level));
    ret->failed_level = level_name(level);
    ENSURE(ret->failed_level, KS_E_USAGE, "\"%.20s\" is no level", level);
    return read_error(failed, &ret->failed);
}

static ks_rc read_progress(const json_t *one, struct report_volume *ret)
{
    static const char *const names[] = {"bytes_done", "bytes_total", "rate", NULL};
    json_t *progress = NULL;

    ret->bytes_done = ret->bytes_total = ret->rate = 0;
    TRY(json_may_object(one, "progress", &progress));
    if (!progress)
        return KS_SUCCESS;
    TRY(only(progress, names, "progress"));
    TRY(json_may_int(progress, "bytes_done", 0, bytes_max, &ret->bytes_done));
    TRY(json_may_int(progress, "bytes_total", 0, bytes_max, &ret->bytes_total));
    return json_may_int(progress, "rate", 0, bytes_max, &ret->rate);
}

static ks_rc read_engine(const json_t *one, struct report_volume *ret)
{
    static const char *const names[] = {"state",      "message",  "host", "port",
                                        "connection", "password", NULL};
    json_t *engine = NULL;
    const char *state;

    ret->engine = ENGINE_NONE;
    ret->engine_message = ret->host = ret->connection = "";
    ret->password = NULL;
    ret->port = 0;
    TRY(json_may_object(one, "engine", &engine));
    ret->has_engine = engine != NULL;
    if (!engine)
        return KS_SUCCESS;
    TRY(only(engine, names, "engine"));
    TRY(json_get_text(engine, "state", WORD_BYTES, &state));
    ENSURE(engine_state_parse(state, &ret->engine), KS_E_USAGE,
           "\"%.20s\" is no state of an engine", state);
    TRY(json_may_text(engine, "message", REPORT_TEXT_MAX, &ret->engine_message));
    TRY(json_may_text(engine, "host", HOST_BYTES - 1, &ret->host));
    TRY(json_may_int(engine, "port", 0, UINT16_MAX, &ret->port));
    TRY(json_may_text(engine, "connection", HOST_BYTES - 1, &ret->connection));
    return json_may_text(engine, "password", LIVE_PASSWORD_BYTES - 1, &ret->password);
}

static ks_rc read_detail(const json_t *one, struct report_volume *ret)
{
    json_t *wraps = NULL, *generations = NULL;

    TRY(json_may_array(one, "wraps", REPORT_DETAIL_MAX, &wraps));
    TRY(json_may_array(one, "generations", REPORT_DETAIL_MAX, &generations));
    ret->wraps = wraps;
    ret->generations = generations;
    return KS_SUCCESS;
}

/* Kinds may be added; what they are called is for people. */
static ks_rc read_requests_failed(const json_t *one, struct report_volume *ret)
{
    json_t *failed = NULL;
    const char *kind;
    const json_t *count;

    TRY(json_may_object(one, "requests_failed", &failed));
    ENSURE(json_object_size(failed) <= REPORT_FAILED_MAX, KS_E_USAGE,
           "requests_failed has more than %d kinds", REPORT_FAILED_MAX);
    json_object_foreach(failed, kind, count)
    {
        ENSURE(strlen(kind) < WORD_BYTES && json_is_integer(count) &&
                   json_integer_value(count) >= 0,
               KS_E_USAGE, "requests_failed: \"%.20s\" is no count", kind);
    }
    ret->requests_failed = failed;
    return KS_SUCCESS;
}

static ks_rc read_keyring(const json_t *one, struct report_volume *ret)
{
    static const char *const names[] = {"volume", "sequence", "accepted", "found", NULL};
    json_t *keyring = NULL;
    const char *volume = "";

    ret->anchor = (struct anchor){0};
    ret->found = 0;
    TRY(json_may_object(one, "keyring", &keyring));
    if (!keyring)
        return KS_SUCCESS;
    TRY(only(keyring, names, "keyring"));
    TRY(json_may_text(keyring, "volume", sizeof ret->anchor.volume - 1, &volume));
    memcpy(ret->anchor.volume, volume, strlen(volume) + 1);
    TRY(json_may_int(keyring, "sequence", 0, INT64_MAX, &ret->anchor.sequence));
    TRY(json_may_int(keyring, "accepted", 0, ANCHOR_ACCEPTED_MAX, &ret->anchor.accepted));
    return json_may_int(keyring, "found", 0, INT64_MAX, &ret->found);
}

static ks_rc read_access(const json_t *one, struct report_volume *ret)
{
    const char *access, *cause = "NONE";

    TRY(json_get_text(one, "access", WORD_BYTES, &access));
    ENSURE(access_parse(access, &ret->access), KS_E_USAGE, "\"%.20s\" is no access", access);
    TRY(json_may_text(one, "cause", WORD_BYTES, &cause));
    ENSURE(cause_parse(cause, &ret->cause), KS_E_USAGE, "\"%.20s\" is no cause", cause);
    ret->message = "";
    return json_may_text(one, "message", REPORT_TEXT_MAX, &ret->message);
}

ks_rc report_read_volume(const json_t *one, struct report_volume *ret)
{
    static const char *const names[] = {
        "volume",  "goal",   "access",   "cause",  "message", "keys",        "platform",
        "serials", "failed", "progress", "engine", "wraps",   "generations", "requests_failed",
        "keyring", NULL};

    TRY(only(one, names, "a volume"));
    TRY(read_id(one, "volume", &ret->id));
    TRY(json_get_int(one, "goal", -1, INT64_MAX, &ret->goal));
    TRY(read_access(one, ret));
    ret->is_platform = false;
    TRY(json_may_bool(one, "platform", &ret->is_platform));
    TRY(read_keys(one, ret));
    TRY(read_serials(one, ret));
    TRY(read_failed(one, ret));
    TRY(read_progress(one, ret));
    TRY(read_engine(one, ret));
    TRY(read_requests_failed(one, ret));
    TRY(read_keyring(one, ret));
    return read_detail(one, ret);
}

/* -- the other parts --------------------------------------------------------------------------------------------------------- */

static ks_rc read_result(const json_t *one)
{
    static const char *const names[] = {"outcome", "class", "code", "message", "mend", NULL};
    static const char *const outcomes[] = {"OK", "DENIED", "UNREACHABLE", "USAGE", NULL};
    struct report_error error;
    const char *outcome, *mend = "";

    TRY(only(one, names, "a result"));
    TRY(json_get_text(one, "outcome", WORD_BYTES, &outcome));
    ENSURE(is_among(outcomes, outcome), KS_E_USAGE, "\"%.20s\" is no outcome", outcome);
    TRY(json_may_text(one, "mend", REPORT_TEXT_MAX, &mend));
    return read_error(one, &error);
}

ks_rc report_read_check(const json_t *one)
{
    static const char *const names[] = {"check", "results", NULL};
    json_t *results;
    const json_t *result;
    const char *id;
    size_t i;

    TRY(only(one, names, "a check"));
    TRY(read_id(one, "check", &id));
    TRY(json_get_array(one, "results", REGION_KEYS_MAX, &results));
    json_array_foreach(results, i, result) TRY(read_result(result));
    return KS_SUCCESS;
}

ks_rc report_read_receipt(const json_t *one)
{
    static const char *const names[] = {"text", "signature", "certificate", NULL};
    static const struct receipt *const r; /* for the sizes only */
    const char *text;

    TRY(only(one, names, "a receipt"));
    TRY(json_get_text(one, "text", sizeof r->text - 1, &text));
    TRY(json_get_text(one, "signature", sizeof r->signature - 1, &text));
    return json_get_text(one, "certificate", sizeof r->certificate - 1, &text);
}

ks_rc report_read(const json_t *document, struct report *ret)
{
    /* version, address, engines: of the node itself (node_take_report) */
    static const char *const names[] = {"full",    "revision", "volumes", "checks", "receipts",
                                        "version", "address",  "engines", NULL};
    json_t *volumes = NULL, *checks = NULL, *receipts = NULL;
    struct report r = {.revision = INT64_MAX};

    TRY(only(document, names, "the report"));
    TRY(json_may_bool(document, "full", &r.is_full));
    TRY(json_may_int(document, "revision", 0, INT64_MAX, &r.revision));
    TRY(json_may_array(document, "volumes", REPORT_VOLUMES_MAX, &volumes));
    TRY(json_may_array(document, "checks", REPORT_CHECKS_MAX, &checks));
    TRY(json_may_array(document, "receipts", REPORT_RECEIPTS_MAX, &receipts));
    r.volumes = volumes;
    r.checks = checks;
    r.receipts = receipts;
    *ret = r;
    return KS_SUCCESS;
}
