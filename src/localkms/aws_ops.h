/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_ops.h - the operations of AWS KMS, and what they share.
 *
 * Each is run as its line in aws_ops.c says; false with the fault in the call. An operation with a key finds it in
 * c->key, permitted and in a right state.
 */
#pragma once

#include "localkms/aws_call.h"

/* aws_op_crypto.c */
bool aws_encrypt(struct aws_call *c);
bool aws_decrypt(struct aws_call *c);
bool aws_generate_data_key(struct aws_call *c);
bool aws_generate_data_key_without_plaintext(struct aws_call *c);
bool aws_generate_random(struct aws_call *c);
bool aws_re_encrypt(struct aws_call *c);

/* aws_op_key.c */
bool aws_create_key(struct aws_call *c);
bool aws_describe_key(struct aws_call *c);
bool aws_list_keys(struct aws_call *c);
bool aws_enable_key(struct aws_call *c);
bool aws_disable_key(struct aws_call *c);
bool aws_schedule_key_deletion(struct aws_call *c);
bool aws_cancel_key_deletion(struct aws_call *c);
bool aws_update_key_description(struct aws_call *c);

/* aws_op_policy.c */
bool aws_get_key_policy(struct aws_call *c);
bool aws_put_key_policy(struct aws_call *c);
bool aws_list_key_policies(struct aws_call *c);
bool aws_tag_resource(struct aws_call *c);
bool aws_untag_resource(struct aws_call *c);
bool aws_list_resource_tags(struct aws_call *c);

/* aws_op_alias.c */
bool aws_create_alias(struct aws_call *c);
bool aws_update_alias(struct aws_call *c);
bool aws_delete_alias(struct aws_call *c);
bool aws_list_aliases(struct aws_call *c);

/* aws_op_grant.c */
bool aws_create_grant(struct aws_call *c);
bool aws_list_grants(struct aws_call *c);
bool aws_list_retirable_grants(struct aws_call *c);
bool aws_revoke_grant(struct aws_call *c);
bool aws_retire_grant(struct aws_call *c);

/* aws_op_import.c */
bool aws_get_parameters_for_import(struct aws_call *c);
bool aws_import_key_material(struct aws_call *c);
bool aws_delete_imported_key_material(struct aws_call *c);

/* aws_op_rotation.c */
bool aws_rotate_key_on_demand(struct aws_call *c);
bool aws_enable_key_rotation(struct aws_call *c);
bool aws_disable_key_rotation(struct aws_call *c);
bool aws_get_key_rotation_status(struct aws_call *c);
bool aws_list_key_rotations(struct aws_call *c);

/* ---- shared ---- */

/* aws_publish(c, record): c->key becomes what record (an edited copy, taken over) says, with its present material.
 * c->key is NULL afterwards. */
bool aws_publish(struct aws_call *c, json_t *record);
/* aws_publish_material(c, record, material): with this material instead; material that was there before is destroyed. */
bool aws_publish_material(struct aws_call *c, json_t *record, const struct secret *material);
/* aws_edit(c): a copy of c->key's record to be edited; NULL with the fault set. */
json_t *aws_edit(struct aws_call *c);

/* aws_policy_accept(c, text, arn): whether a new key policy is well-formed, names principals that exist, and does not lock the
 * caller out; MalformedPolicyDocumentException. */
bool aws_policy_accept(struct aws_call *c, const char *text, const char *arn);
/* aws_tags_read(c, list, tags): adds the tags of a request to the object tags; TagException, LimitExceededException. */
bool aws_tags_read(struct aws_call *c, const json_t *list, json_t *tags);

/* aws_material_new(c, key_id, material, ret): the record of a material that has just been made or imported: its id follows from
 * its bytes, so that the same material has the same id. */
ks_rc aws_material_new(const char *key_id, struct view material, int64_t now_s,
                       json_t **ret) KS_MUST;
/* aws_material_rotate(record, present, fresh, how, now_s, ret): adds fresh (32 bytes) as the current material of the edited
 * record; ret gets all material. how: "AUTOMATIC", "ON_DEMAND". */
ks_rc aws_material_rotate(json_t *record, const struct secret *present, const struct secret *fresh,
                          const char *how, int64_t now_s, struct secret **ret) KS_MUST;

/* A list that is given out in pages: {"NAME": [...], "Truncated": ..., "NextMarker": ...}. */
struct aws_page {
    json_t *list;
    size_t limit;
    const char *next; /* marker of the next page; NULL: this is the last */
};
/* aws_page_reply(c, name, page): takes page->list over. */
bool aws_page_reply(struct aws_call *c, const char *name, struct aws_page *page);
