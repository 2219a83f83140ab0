/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/native_account.c - organisations and keys of the API.
 */
#include <string.h>

#include "api/native.h"
#include "base/json.h"
#include "base/mem.h"

static json_t *text_or_null(const char *text)
{
    return text[0] ? json_string(text) : json_null();
}

ks_rc native_whoami(struct api_call *call)
{
    const struct caller *who = &call->caller;

    return api_reply(call, 200,
                     json_pack("{s:s, s:s, s:o, s:o, s:s}", "key", who->key, "name", who->name,
                               "organisation", text_or_null(who->organisation), "cluster",
                               text_or_null(who->cluster), "role", role_name(who->role)));
}

/* ---- organisations ---- */

static json_t *write_organisation(const void *value)
{
    return native_organisation(value);
}

ks_rc native_organisation_list(struct api_call *call)
{
    CLEANUP(mem_freep) struct organisation *all = NULL;
    struct slice slice;
    size_t count;

    TRY(native_slice(call, &slice));
    TRY(control_organisation_list(call->control, &call->caller, &slice, &all, &count));
    return native_reply_page(call, &slice,
                             native_items(count, all, sizeof *all, write_organisation));
}

ks_rc native_organisation_create(struct api_call *call)
{
    struct organisation made;
    char name[NAME_BYTES];

    TRY(known_members(call->body, "name"));
    TRY(read_name(call->body, "name", sizeof name, name));
    TRY(control_organisation_create(call->control, &call->caller, name, &made));
    return api_reply(call, 201, native_organisation(&made));
}

ks_rc native_organisation_get(struct api_call *call)
{
    struct organisation o;

    TRY(control_organisation_get(call->control, &call->caller, api_param(call, "organisation"),
                                 &o));
    return api_reply(call, 200, native_organisation(&o));
}

/* ---- keys ---- */

static json_t *write_api_key(const void *value)
{
    return native_api_key(value);
}

ks_rc native_api_key_list(struct api_call *call)
{
    CLEANUP(mem_freep) struct api_key *all = NULL;
    struct slice slice;
    size_t count;

    TRY(native_slice(call, &slice));
    TRY(control_api_key_list(call->control, &call->caller, &slice, &all, &count));
    return native_reply_page(call, &slice, native_items(count, all, sizeof *all, write_api_key));
}

static ks_rc read_scope(const json_t *body, const char *member, const char *preset,
                        char ret[ID_BYTES])
{
    const char *text = preset;

    TRY(json_may_text(body, member, ID_BYTES - 1, &text));
    ENSURE(!text[0] || id_is_valid(text), KS_E_USAGE, "\"%s\" is no id", member);
    memcpy(ret, text, strlen(text) + 1);
    return KS_SUCCESS;
}

static ks_rc read_wish(const struct api_call *call, struct api_key *ret)
{
    const char *role = NULL, *expires = NULL;

    TRY(known_members(call->body, "name,role,organisation,cluster,expires_at"));
    TRY(read_name(call->body, "name", sizeof ret->name, ret->name));
    TRY(json_get_text(call->body, "role", WORD_BYTES, &role));
    ENSURE(role_parse(role, &ret->role), KS_E_USAGE, "\"role\" must be VIEWER, OPERATOR or ADMIN");
    TRY(read_scope(call->body, "organisation", call->caller.organisation, ret->organisation));
    TRY(read_scope(call->body, "cluster", call->caller.cluster, ret->cluster));
    TRY(json_may_text(call->body, "expires_at", CLOCK_TEXT_BYTES, &expires));
    ENSURE(!expires || clock_parse(expires, &ret->expires), KS_E_USAGE,
           "\"expires_at\" must be a time like 2027-01-31T00:00:00Z");
    return KS_SUCCESS;
}

ks_rc native_api_key_create(struct api_call *call)
{
    char secret[API_SECRET_TEXT_BYTES];
    struct api_key wish = {0}, made;

    TRY(read_wish(call, &wish));
    TRY(control_api_key_create(call->control, &call->caller, &wish, &made, secret));
    json_t *reply = native_api_key(&made);
    int failed = json_object_set_new(reply, "secret", json_string(secret));
    mem_wipe(secret, sizeof secret);
    ENSURE(failed == 0, KS_E_NO_MEMORY, "a reply");
    return api_reply(call, 201, reply);
}

ks_rc native_api_key_revoke(struct api_call *call)
{
    TRY(control_api_key_revoke(call->control, &call->caller, api_param(call, "key")));
    return api_reply_empty(call, 204);
}
