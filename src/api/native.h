/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/native.h - the handlers of the native API, and what they share.
 */
#pragma once

#include "api/native_json.h"
#include "api/serve.h"

/* native_slice(call, ret): "limit", "after", "order" of the query. */
ks_rc native_slice(const struct api_call *call, struct slice *ret) KS_MUST;
/* native_reply_page(call, slice, items): {"items", "next_page"} with a Link header; takes items over, NULL is NO_MEMORY. slice as control/
 * left it. */
ks_rc native_reply_page(struct api_call *call, const struct slice *slice, json_t *items) KS_MUST;
/* native_reply_items(call, items): a list without parts. */
ks_rc native_reply_items(struct api_call *call, json_t *items) KS_MUST;
/* native_reply_operation(call, operation): 202 with its Location. */
ks_rc native_reply_operation(struct api_call *call, const struct operation *o) KS_MUST;
/* native_etag(call, revision): the ETag of the reply. */
ks_rc native_etag(struct api_call *call, int64_t revision) KS_MUST;
/* native_reply_revision(call, status, revision, value): with its ETag. */
ks_rc native_reply_revision(struct api_call *call, int status, int64_t revision,
                            json_t *value) KS_MUST;
/* native_if_match(call, ret): the revision of If-Match; 0 when there is none or "*". 400 for what is no ETag of ours. */
ks_rc native_if_match(struct api_call *call, int64_t *ret) KS_MUST;
/* native_if_matched(call, revision, rc): the result of a change that was to happen at that revision only: 412 when there was another. */
ks_rc native_if_matched(struct api_call *call, int64_t revision, ks_rc rc) KS_MUST;

extern const struct view native_openapi; /* the document of this API */

ks_rc native_health(struct api_call *call) KS_MUST;
ks_rc native_document(struct api_call *call) KS_MUST;
/* api/native_platform.c */
ks_rc native_platform_get(struct api_call *call) KS_MUST;
ks_rc native_platform_change(struct api_call *call) KS_MUST;
/* api/native_account.c */
ks_rc native_whoami(struct api_call *call) KS_MUST;
ks_rc native_organisation_list(struct api_call *call) KS_MUST;
ks_rc native_organisation_create(struct api_call *call) KS_MUST;
ks_rc native_organisation_get(struct api_call *call) KS_MUST;
ks_rc native_api_key_list(struct api_call *call) KS_MUST;
ks_rc native_api_key_create(struct api_call *call) KS_MUST;
ks_rc native_api_key_revoke(struct api_call *call) KS_MUST;
/* api/native_fleet.c */
ks_rc native_node_list(struct api_call *call) KS_MUST;
ks_rc native_node_remove(struct api_call *call) KS_MUST;
ks_rc native_join_token_create(struct api_call *call) KS_MUST;
ks_rc native_region_names(struct api_call *call) KS_MUST;
ks_rc native_backup_create(struct api_call *call) KS_MUST;
/* api/native_cluster.c */
ks_rc native_cluster_list(struct api_call *call) KS_MUST;
ks_rc native_cluster_create(struct api_call *call) KS_MUST;
ks_rc native_cluster_get(struct api_call *call) KS_MUST;
ks_rc native_cluster_change(struct api_call *call) KS_MUST;
ks_rc native_cluster_delete(struct api_call *call) KS_MUST;
ks_rc native_rotation_get(struct api_call *call) KS_MUST;
ks_rc native_rotation_put(struct api_call *call) KS_MUST;
ks_rc native_volume_list(struct api_call *call) KS_MUST;
ks_rc native_volume_get(struct api_call *call) KS_MUST;
ks_rc native_accept_rollback(struct api_call *call) KS_MUST;
ks_rc native_connection(struct api_call *call) KS_MUST;
/* api/native_region.c */
ks_rc native_region_list(struct api_call *call) KS_MUST;
ks_rc native_region_get(struct api_call *call) KS_MUST;
ks_rc native_region_add(struct api_call *call) KS_MUST;
ks_rc native_region_scale(struct api_call *call) KS_MUST;
ks_rc native_region_remove(struct api_call *call) KS_MUST;
/* api/native_cmek.c */
ks_rc native_cmek_get(struct api_call *call) KS_MUST;
ks_rc native_cmek_put(struct api_call *call) KS_MUST;
ks_rc native_cmek_post(struct api_call *call) KS_MUST;
ks_rc native_cmek_keys(struct api_call *call) KS_MUST;
/* api/native_record.c */
ks_rc native_operation_list(struct api_call *call) KS_MUST;
ks_rc native_operation_get(struct api_call *call) KS_MUST;
ks_rc native_operation_cancel(struct api_call *call) KS_MUST;
ks_rc native_receipt_list(struct api_call *call) KS_MUST;
ks_rc native_audit_list(struct api_call *call) KS_MUST;
ks_rc native_audit_verify(struct api_call *call) KS_MUST;
