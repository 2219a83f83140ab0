/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/account.c - organisations and keys of the API: making, listing, revoking.
 *
 * Only administrators change anything here, each within the own scope (control/scope.h). What a caller may not see does not exist for
 * it.
 */
#include "control/account.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "control/control_int.h"
#include "control/scope.h"
#include "control/slice.h"
#include "control/store.h"

enum { LABEL_WORD_MAX = 40 };

/* A name for people: not empty, no control characters, no blanks at its ends. */
static ks_rc check_name(const char *what, const char *name)
{
    size_t len = strnlen(name, NAME_BYTES);

    ENSURE(len >= 1 && len < NAME_BYTES, KS_E_USAGE, "%s has from 1 to %d bytes", what,
           NAME_BYTES - 1);
    for (size_t i = 0; i < len; i++)
        ENSURE((uint8_t)name[i] >= 0x20 && name[i] != 0x7f, KS_E_USAGE,
               "%s must not hold control characters", what);
    ENSURE(name[0] != ' ' && name[len - 1] != ' ', KS_E_USAGE,
           "%s must not begin or end with a blank", what);
    return KS_SUCCESS;
}

/* -- organisations -- */

/* "Acme GmbH" -> "acme-gmbh-1f69": a word that can stand in addresses. */
static void make_label(struct organisation *o)
{
    size_t len = 0;

    for (size_t i = 0; o->name[i] && len < LABEL_WORD_MAX; i++) {
        char ch = o->name[i];
        if (ch >= 'A' && ch <= 'Z')
            ch = (char)(ch - 'A' + 'a');
        bool is_plain = (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9');
        if (is_plain)
            o->label[len++] = ch;
        else if (len > 0 && o->label[len - 1] != '-')
            o->label[len++] = '-';
    }
    if (len > 0 && o->label[len - 1] != '-')
        o->label[len++] = '-';
    snprintf(o->label + len, sizeof o->label - len, "%.4s", o->id);
}

static ks_rc check_platform_admin(const struct caller *by)
{
    ENSURE(caller_is_platform(by) && caller_has_role(by, ROLE_ADMIN), KS_E_PERMISSION,
           "this is for administrators of the platform");
    return KS_SUCCESS;
}

ks_rc control_organisation_create(struct control *c, const struct caller *by, const char *name,
                                  struct organisation *ret)
{
    CLEANUP(store_tx_end) struct store_tx *tx = NULL;
    struct organisation row = {.created = clock_wall_s(c->clock)};

    TRY(check_platform_admin(by));
    TRY(check_name("the name of an organisation", name));
    snprintf(row.name, sizeof row.name, "%s", name);
    TRY(store_id(c->store, row.id));
    make_label(&row);
    TRY(store_tx_begin(c->store, &tx));
    ks_rc rc = store_organisation_put(tx, &row);
    ENSURE(!ks_is(rc, KS_E_EXISTS), KS_E_EXISTS, "there is an organisation \"%s\" already", name);
    TRY(rc);
    char object[64];
    snprintf(object, sizeof object, "organisation/%s", row.id);
    TRY(store_tx_audit(tx, by,
                       &(struct store_event){.action = "organisation.create",
                                             .organisation = row.id,
                                             .object = object,
                                             .detail = json_pack("{s:s}", "name", row.name)}));
    TRY(store_tx_commit(&tx));
    *ret = row;
    return KS_SUCCESS;
}

static ks_rc no_organisation(const char *id)
{
    return ks_fail(KS_E_NOT_FOUND, "there is no organisation %.36s", id);
}

ks_rc control_organisation_get(struct control *c, const struct caller *by, const char *id,
                               struct organisation *ret)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;

    if (!caller_may_see_organisation(by, id))
        return no_organisation(id);
    TRY(store_view_begin(c->store, &v));
    ks_rc rc = store_organisation_get(v, id, ret);
    return ks_is(rc, KS_E_NOT_FOUND) ? no_organisation(id) : rc;
}

/* A list of the one that a key of an organisation sees. */
static ks_rc list_own(struct control *c, const struct caller *by, struct organisation **ret,
                      size_t *ret_count)
{
    CLEANUP(mem_freep) struct organisation *row = NULL;

    TRY(mem_new(1, sizeof *row, &row));
    TRY(control_organisation_get(c, by, by->organisation, row));
    *ret = TAKE(row);
    *ret_count = 1;
    return KS_SUCCESS;
}

ks_rc control_organisation_list(struct control *c, const struct caller *by, struct slice *slice,
                                struct organisation **ret, size_t *ret_count)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;
    CLEANUP(mem_freep) struct organisation *rows = NULL;
    struct store_page page;
    size_t count;

    TRY(slice_begin(slice, &page));
    if (!caller_is_platform(by)) {
        slice->after[0] = '\0';
        return list_own(c, by, ret, ret_count);
    }
    TRY(store_view_begin(c->store, &v));
    TRY(store_organisations(v, &page, &rows, &count));
    if (slice_has_more(slice, &count))
        TRY(slice_go_on_by_time(slice, rows[count - 1].created, rows[count - 1].id));
    *ret = TAKE(rows);
    *ret_count = count;
    return KS_SUCCESS;
}

/* -- keys of the API -- */

static ks_rc no_key(const char *id)
{
    return ks_fail(KS_E_NOT_FOUND, "there is no API key %.36s", id);
}

/* What the key is for is there, and visible to who wants it. */
static ks_rc check_scope(struct store_view *v, const struct caller *by, const struct api_key *wish)
{
    CLEANUP(mem_freep) struct cluster *cluster = NULL;
    struct organisation organisation;

    ENSURE(wish->organisation[0] || !wish->cluster[0], KS_E_USAGE,
           "a key of a cluster is a key of its organisation too: name it");
    if (!caller_may_see_organisation(by, wish->organisation))
        return no_organisation(wish->organisation);
    if (!wish->organisation[0])
        return KS_SUCCESS;
    ks_rc rc = store_organisation_get(v, wish->organisation, &organisation);
    if (ks_is(rc, KS_E_NOT_FOUND))
        return no_organisation(wish->organisation);
    TRY(rc);
    if (!wish->cluster[0])
        return KS_SUCCESS;
    TRY(mem_new(1, sizeof *cluster, &cluster));
    rc = store_cluster_get(v, wish->cluster, cluster);
    if (!ks_is(rc, KS_E_NOT_FOUND))
        TRY(rc);
    bool is_visible = ks_ok(rc) && strcmp(cluster->organisation, wish->organisation) == 0 &&
                      caller_may_see(by, cluster->organisation, cluster->id);
    ENSURE(is_visible, KS_E_NOT_FOUND, "there is no cluster %.36s", wish->cluster);
    return KS_SUCCESS;
}

static ks_rc check_wish(struct control *c, const struct caller *by, const struct api_key *wish)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;

    TRY(check_name("the name of an API key", wish->name));
    ENSURE(wish->expires == 0 || wish->expires > clock_wall_s(c->clock), KS_E_USAGE,
           "the time at which the key expires has passed");
    TRY(store_view_begin(c->store, &v));
    TRY(check_scope(v, by, wish));
    ENSURE(caller_may_grant(by, wish), KS_E_PERMISSION,
           "a key cannot be given a wider scope or a greater role than the one that makes it, "
           "which must be an administrator's");
    return KS_SUCCESS;
}

static ks_rc audit_key(struct store_tx *tx, const struct caller *by, const char *action,
                       const struct api_key *key)
{
    char object[64];

    snprintf(object, sizeof object, "apikey/%s", key->id);
    return store_tx_audit(
        tx, by,
        &(struct store_event){.action = action,
                              .organisation = key->organisation,
                              .cluster = key->cluster,
                              .object = object,
                              .detail = json_pack("{s:s, s:s, s:I}", "name", key->name, "role",
                                                  role_name(key->role), "expires",
                                                  (json_int_t)key->expires)});
}

ks_rc control_api_key_create(struct control *c, const struct caller *by, const struct api_key *wish,
                             struct api_key *ret, char ret_secret[API_SECRET_TEXT_BYTES])
{
    CLEANUP(store_tx_end) struct store_tx *tx = NULL;
    struct store_api_key row = {.key = *wish};
    char secret[API_SECRET_TEXT_BYTES];

    TRY(check_wish(c, by, wish));
    row.key.created = clock_wall_s(c->clock);
    row.key.last_used = 0;
    row.key.is_revoked = false;
    TRY(store_id(c->store, row.key.id));
    TRY(api_secret_make(c->random, "ksk", row.key.id, secret, row.hash));
    TRY(store_tx_begin(c->store, &tx));
    TRY(store_api_key_put(tx, &row));
    TRY(audit_key(tx, by, "apikey.create", &row.key));
    TRY(store_tx_commit(&tx));
    *ret = row.key;
    memcpy(ret_secret, secret, sizeof secret);
    mem_wipe(secret, sizeof secret);
    return KS_SUCCESS;
}

ks_rc control_api_key_list(struct control *c, const struct caller *by, struct slice *slice,
                           struct api_key **ret, size_t *ret_count)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;
    CLEANUP(mem_freep) struct store_api_key *rows = NULL;
    CLEANUP(mem_freep) struct api_key *keys = NULL;
    struct store_page page;
    size_t count;

    TRY(slice_begin(slice, &page));
    TRY(store_view_begin(c->store, &v));
    TRY(store_api_keys(v, by, &page, &rows, &count));
    if (slice_has_more(slice, &count))
        TRY(slice_go_on_by_time(slice, rows[count - 1].key.created, rows[count - 1].key.id));
    TRY(mem_new(count, sizeof *keys, &keys));
    for (size_t i = 0; i < count; i++)
        keys[i] = rows[i].key;
    *ret = TAKE(keys);
    *ret_count = count;
    return KS_SUCCESS;
}

ks_rc control_api_key_revoke(struct control *c, const struct caller *by, const char *id)
{
    CLEANUP(store_tx_end) struct store_tx *tx = NULL;
    struct store_api_key row;

    TRY(store_tx_begin(c->store, &tx));
    ks_rc rc = store_api_key_get(store_tx_view(tx), id, &row);
    if (ks_is(rc, KS_E_NOT_FOUND))
        return no_key(id);
    TRY(rc);
    if (!caller_may_see(by, row.key.organisation, row.key.cluster))
        return no_key(id);
    ENSURE(caller_has_role(by, ROLE_ADMIN), KS_E_PERMISSION,
           "API keys are revoked by administrators");
    if (row.key.is_revoked)
        return KS_SUCCESS;
    row.key.is_revoked = true;
    TRY(store_api_key_put(tx, &row));
    TRY(audit_key(tx, by, "apikey.revoke", &row.key));
    return store_tx_commit(&tx);
}
