/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/aws_keys.h - all AWS keys and aliases of the realm.
 *
 * Finding needs the realm held for reading, or the turn; what is found lives as long as that. Changes need the turn
 * (realm.h); they are durable with their audit event when they return, and the model shows them.
 */
#pragma once

#include "localkms/aws_key.h"
#include "localkms/realm.h"

enum { AWS_ALIAS_BYTES = 257 }; /* "alias/..." */

struct aws_alias {
    char account[AWS_ACCOUNT_BYTES], region[64];
    char name[AWS_ALIAS_BYTES];
    char target[AWS_KEY_NAME_BYTES]; /* id of a key */
    int64_t created_s, changed_s;
};

ks_rc aws_keys_open(struct realm *r, struct aws_keys **ret) KS_MUST;
void aws_keys_close(struct aws_keys *s);

/* aws_keys_find(s, id): NULL when there is none; the key as it is, without any dialled delay. */
struct aws_key *aws_keys_find(const struct aws_keys *s, const char *id);
/* aws_keys_from(s, id): the place of the first key or alias behind a marker, for lists in order; aws_keys_at(s, place): NULL at
 * the end. An alias is placed by account, region and name. */
size_t aws_keys_from(const struct aws_keys *s, const char *id);
struct aws_key *aws_keys_at(const struct aws_keys *s, size_t place);
const struct aws_alias *aws_alias_find(const struct aws_keys *s, const char *account,
                                       const char *region, const char *name);
size_t aws_alias_from(const struct aws_keys *s, const char *account, const char *region,
                      const char *name);
const struct aws_alias *aws_alias_at(const struct aws_keys *s, size_t place);

/*
 * aws_keys_put(r, record, material, is_destroying, event): adds the key, or puts it in the place of the one with its id.
 * Takes the record over. is_destroying: what was there before must not be found in the files any more.
 */
ks_rc aws_keys_put(struct realm *r, json_t *record, const struct secret *material,
                   bool is_destroying, const struct lk_event *event) KS_MUST;
/* aws_keys_destroy(r, id, event): the key and all aliases of it. */
ks_rc aws_keys_destroy(struct realm *r, const char *id, const struct lk_event *event) KS_MUST;
ks_rc aws_alias_put(struct realm *r, const struct aws_alias *alias,
                    const struct lk_event *event) KS_MUST;
ks_rc aws_alias_delete(struct realm *r, const struct aws_alias *alias,
                       const struct lk_event *event) KS_MUST;

/* aws_keys_tick(r): destroys keys whose deletion is due, drops material that has expired, rotates what is due. Takes the turn
 * itself. Called about once a second. */
ks_rc aws_keys_tick(struct realm *r) KS_MUST;
