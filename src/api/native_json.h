/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/native_json.h - values of the model as the native API shows them, and wishes as it takes them.
 *
 * Names are those of the model. What has not happened (a time of 0, an empty id) is null. Writers return NULL without memory. Readers
 * return USAGE with the name of the member, and refuse members that are not known.
 */
#pragma once

#include "api/route.h"

/* native_items(count, first, bytes, show): an array of what show makes of each. */
json_t *native_items(size_t count, const void *first, size_t bytes,
                     json_t *(*show)(const void *value));
json_t *native_platform(const struct platform *p);
json_t *native_organisation(const struct organisation *o);
json_t *native_api_key(const struct api_key *k);
json_t *native_node(const struct node *n);
json_t *native_cluster(const struct cluster_view *v);
json_t *native_region(const struct region *r);
json_t *native_lease(const struct lease_terms *t);
json_t *native_rotation(const struct rotation_terms *t);
json_t *native_cmek(const struct cmek_view *v);
json_t *native_volume(const struct cluster_volume *v);
json_t *native_operation(const struct operation *o);
/* native_operation_steps(v): the operation with its steps. */
json_t *native_operation_steps(const struct operation_view *v);
json_t *native_receipt(const struct receipt *r);
json_t *native_audit_event(const struct audit_event *e);

/* known_members(object, names): USAGE for a member that is none of the comma-separated names. object may be NULL. */
ks_rc known_members(const json_t *object, const char *names) KS_MUST;
/* read_name(object, member, room, ret): a text of 1 to room - 1 bytes that must be there. */
ks_rc read_name(const json_t *object, const char *member, size_t room, char *ret) KS_MUST;
/* read_lease, read_rotation(body, member, ret): members that are absent stay as they are. */
ks_rc read_lease(const json_t *body, const char *member, struct lease_terms *ret) KS_MUST;
ks_rc read_rotation(const json_t *terms, struct rotation_terms *ret) KS_MUST;
/* read_region_wishes(body, ret, ret_count): "regions": [{"name", "node_count", "keys": [...]}]; the caller frees *ret with mem_free. */
ks_rc read_region_wishes(const json_t *body, struct region_wish **ret, size_t *ret_count) KS_MUST;
ks_rc read_region_wish(const json_t *object, struct region_wish *ret) KS_MUST;
/* read_region_specs(body, ret, ret_count): "regions": [{"region", "keys": [...]}]; none when absent; mem_free. */
ks_rc read_region_specs(const json_t *body, struct region_spec **ret, size_t *ret_count) KS_MUST;
