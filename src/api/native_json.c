/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/native_json.c - values of the model in the native API's JSON.
 */
#include "api/native_json.h"

#include <string.h>

static json_t *text_or_null(const char *text)
{
    return text[0] ? json_string(text) : json_null();
}

json_t *native_items(size_t count, const void *first, size_t bytes,
                     json_t *(*show)(const void *value))
{
    json_t *array = json_array();
    const char *at = first;

    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(array, show(at + i * bytes)) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

json_t *native_platform(const struct platform *p)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "aws_account",
                     text_or_null(p->aws_account), "aws_principal", text_or_null(p->aws_principal),
                     "gcp_project", text_or_null(p->gcp_project), "gcp_service_account",
                     text_or_null(p->gcp_service_account), "azure_client_id",
                     text_or_null(p->azure_client_id), "azure_application",
                     text_or_null(p->azure_application), "updated_at", api_time(p->updated));
}

json_t *native_organisation(const struct organisation *o)
{
    return json_pack("{s:s, s:s, s:s, s:o}", "id", o->id, "name", o->name, "label", o->label,
                     "created_at", api_time(o->created));
}

json_t *native_api_key(const struct api_key *k)
{
    return json_pack("{s:s, s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:b}", "id", k->id, "organisation",
                     text_or_null(k->organisation), "cluster", text_or_null(k->cluster), "name",
                     k->name, "role", role_name(k->role), "created_at", api_time(k->created),
                     "expires_at", api_time(k->expires), "last_used_at", api_time(k->last_used),
                     "is_revoked", k->is_revoked);
}

json_t *native_node(const struct node *n)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "id", n->id, "name", n->name,
                     "region", n->region, "state", node_state_name(n->state), "address", n->address,
                     "certificate", n->certificate, "version", n->version, "joined_at",
                     api_time(n->joined), "seen_at", api_time(n->seen));
}

json_t *native_lease(const struct lease_terms *t)
{
    return json_pack("{s:I, s:I, s:I}", "lease_ms", t->lease_ms, "probe_ms", t->probe_ms,
                     "grace_ms", t->grace_ms);
}

json_t *native_rotation(const struct rotation_terms *t)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:b}", "cmek_s", t->cmek_s, "store_s", t->store_s,
                     "data_s", t->data_s, "reencrypt_s", t->reencrypt_s, "is_rewrap_automatic",
                     t->is_rewrap_automatic);
}

json_t *native_region(const struct region *r)
{
    return json_pack("{s:s, s:i, s:s, s:s, s:b, s:s, s:s, s:s, s:o, s:o}", "name", r->name,
                     "node_count", (int)r->node_count, "state", region_state_name(r->state),
                     "cmek_status", cmek_status_name(r->status), "is_revoked", r->is_revoked,
                     "access", access_name(r->access), "cause", cause_name(r->cause), "message",
                     r->message, "created_at", api_time(r->created), "updated_at",
                     api_time(r->updated));
}

static json_t *write_region(const void *value)
{
    return native_region(value);
}

static json_t *cluster_itself(const struct cluster *c)
{
    return json_pack(
        "{s:s, s:I, s:s, s:s, s:o, s:s, s:s, s:o, s:b, s:o, s:o, s:s, s:o, s:o, s:o, s:I}", "id",
        c->id, "number", c->number, "name", c->name, "state", cluster_state_name(c->state),
        "provider", text_or_null(c->provider), "engine", c->engine, "dialect", c->dialect,
        "creator", text_or_null(c->creator), "is_delete_protected", c->is_delete_protected, "lease",
        native_lease(&c->lease), "rotation", native_rotation(&c->rotation), "message", c->message,
        "created_at", api_time(c->created), "updated_at", api_time(c->updated), "deleted_at",
        api_time(c->deleted), "revision", c->revision);
}

json_t *native_cluster(const struct cluster_view *v)
{
    json_t *cluster = cluster_itself(&v->cluster);
    json_t *regions = native_items(v->region_count, v->regions, sizeof *v->regions, write_region);

    if (json_object_set_new(cluster, "cmek_status", json_string(cmek_status_name(v->status))) ==
            0 &&
        json_object_set_new(cluster, "operation", text_or_null(v->operation)) == 0 &&
        json_object_set(cluster, "regions", regions) == 0) {
        json_decref(regions);
        return cluster;
    }
    json_decref(regions);
    json_decref(cluster);
    return NULL;
}

/* ---- CMEK ---- */

static json_t *write_key(const void *value)
{
    const struct region_key *k = value;

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:o, s:o, s:o}", "id", k->id, "type",
                     k->spec.type, "uri", k->spec.uri, "auth_principal", k->spec.auth_principal,
                     "status", cmek_status_name(k->status), "version", text_or_null(k->version),
                     "message", k->message, "created_at", api_time(k->created), "updated_at",
                     api_time(k->updated), "retired_at", api_time(k->retired));
}

static json_t *write_cmek_region(const void *value)
{
    const struct cmek_region *r = value;

    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:o, s:o}", "region", r->region.name, "status",
                     cmek_status_name(r->region.status), "access", access_name(r->region.access),
                     "cause", cause_name(r->region.cause), "is_revoked", r->region.is_revoked,
                     "message", r->region.message, "updated_at", api_time(r->region.updated),
                     "keys", native_items(r->key_count, r->keys, sizeof *r->keys, write_key));
}

json_t *native_cmek(const struct cmek_view *v)
{
    return json_pack(
        "{s:s, s:s, s:I, s:o}", "cluster", v->cluster, "status", cmek_status_name(v->status),
        "revision", v->revision, "regions",
        native_items(v->region_count, v->regions, sizeof *v->regions, write_cmek_region));
}

/* ---- volumes ---- */

static json_t *progress_of(const struct cluster_volume *v)
{
    if (v->bytes_total == 0)
        return json_null();
    return json_pack("{s:I, s:I, s:I}", "bytes_done", v->bytes_done, "bytes_total", v->bytes_total,
                     "rate", v->rate);
}

static json_t *keyring_of(const struct cluster_volume *v)
{
    return json_pack("{s:o, s:o}", "sequence",
                     v->anchor.volume[0] ? json_integer(v->anchor.sequence) : json_null(), "found",
                     v->found ? json_integer(v->found) : json_null());
}

json_t *native_volume(const struct cluster_volume *v)
{
    json_t *engine = json_pack("{s:s, s:s, s:o, s:i, s:o}", "state", engine_state_name(v->engine),
                               "message", v->engine_message, "host", text_or_null(v->host), "port",
                               (int)v->port, "connection", text_or_null(v->connection));

    return json_pack("{s:s, s:s, s:s, s:I, s:b, s:I, s:I, s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:o}",
                     "id", v->id, "region", v->region, "node", v->node, "ordinal",
                     (json_int_t)v->ordinal, "is_wanted", v->is_wanted, "goal", v->goal, "reached",
                     v->reached, "access", access_name(v->access), "cause", cause_name(v->cause),
                     "message", v->message, "is_platform", v->is_platform, "progress",
                     progress_of(v), "engine", engine, "keyring", keyring_of(v), "reported_at",
                     api_time(v->reported));
}

/* ---- operations, receipts, audit ---- */

static json_t *error_of(const struct operation *o)
{
    if (!o->error_class[0])
        return json_null();
    return json_pack("{s:s, s:s}", "class", o->error_class, "code", o->error_code);
}

json_t *native_operation(const struct operation *o)
{
    return json_pack("{s:s, s:o, s:s, s:s, s:o, s:o, s:s, s:I, s:I, s:o, s:I, s:I, s:o, s:o, s:o}",
                     "id", o->id, "cluster", text_or_null(o->cluster), "kind",
                     operation_kind_name(o->kind), "state", operation_state_name(o->state), "by",
                     text_or_null(o->by), "error", error_of(o), "message", o->message, "bytes_done",
                     o->bytes_done, "bytes_total", o->bytes_total, "eta_s",
                     o->eta_s < 0 ? json_null() : json_integer(o->eta_s), "volumes_done",
                     (json_int_t)o->volumes_done, "volumes_total", (json_int_t)o->volumes_total,
                     "created_at", api_time(o->created), "updated_at", api_time(o->updated),
                     "finished_at", api_time(o->finished));
}

static json_t *write_step(const void *value)
{
    const struct operation_step *s = value;

    return json_pack("{s:s, s:s, s:s}", "region", s->region, "state",
                     operation_state_name(s->state), "message", s->message);
}

json_t *native_operation_steps(const struct operation_view *v)
{
    json_t *operation = native_operation(&v->operation);
    json_t *steps = native_items(v->step_count, v->steps, sizeof *v->steps, write_step);

    if (json_object_set_new(operation, "steps", steps) == 0)
        return operation;
    json_decref(operation);
    return NULL;
}

json_t *native_receipt(const struct receipt *r)
{
    return control_receipt_json(r);
}

json_t *native_audit_event(const struct audit_event *e)
{
    return control_audit_json(e);
}
