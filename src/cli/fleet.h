/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/fleet.h - what the commands that ask a control plane share: which one, whole lists, names for ids, tables,
 * confirmations, waiting for operations.
 */
#pragma once

#include <jansson.h>

#include "cli/cli.h"
#include "cli/fleet_client.h"

/* fleet_open(cli, ret): --server, --key-file, --ca-file over the profile: --profile, KEYSTEAD_PROFILE, the current one. */
ks_rc fleet_open(struct cli *cli, struct fleet_client **ret) KS_MUST;

/* ---- requests (cli/fleet.c) ---- */

/* fleet_get(c, target, ret); fleet_send(c, method, target, body, ret): body is taken over, NULL is out of memory; see
 * fleet_client_ask. fleet_call: without a body. */
ks_rc fleet_get(struct fleet_client *c, const char *target, json_t **ret) KS_MUST;
ks_rc fleet_send(struct fleet_client *c, const char *method, const char *target, json_t *body,
                 json_t **ret) KS_MUST;
ks_rc fleet_call(struct fleet_client *c, const char *method, const char *target,
                 json_t **ret) KS_MUST;
/* fleet_page(c, target, all, next): appends the items of a part to all: of the one that begins at next ("": the first), which is then where the
 * one behind it begins, "" when there is none. */
enum { FLEET_NEXT_BYTES = 1024 };
ks_rc fleet_page(struct fleet_client *c, const char *target, json_t *all,
                 char next[FLEET_NEXT_BYTES]) KS_MUST;
/* fleet_list(c, target, max, ret): the items of all pages, max at most (0: 100 000). fleet_items: of a list that has no pages. */
ks_rc fleet_list(struct fleet_client *c, const char *target, size_t max, json_t **ret) KS_MUST;
ks_rc fleet_items(struct fleet_client *c, const char *target, json_t **ret) KS_MUST;

/* A target below "/v1" out of segments, up to the first that is NULL: fleet_target(ret, "clusters", id, "cmek"). */
#define fleet_target(ret, ...) fleet_target_of((ret), (const char *const[]){__VA_ARGS__, NULL})
ks_rc fleet_target_of(struct buf *ret, const char *const *segments) KS_MUST;
enum { FLEET_TARGET_BYTES = 4096 };

/* fleet_find_cluster(c, name_or_id, ret): the cluster; NOT_FOUND. fleet_find(c, kind, name_or_id, ret): one of a list, e.g.
 * "organisations", by id or the only one of that name. */
ks_rc fleet_find_cluster(struct fleet_client *c, const char *text, json_t **ret) KS_MUST;
ks_rc fleet_find(struct fleet_client *c, const char *kind, const char *text, json_t **ret) KS_MUST;

/* ---- output (cli/fleet_table.c) ---- */

enum fleet_cell { CELL_TEXT, CELL_NUMBER, CELL_BYTES, CELL_YES };
struct fleet_column {
    const char *heading; /* as in table_new */
    const char *member;  /* "key.uri" is uri of key */
    enum fleet_cell kind;
};

/* fleet_show(cli, rows, member, columns, empty): takes rows over. A table whose last column has a NULL heading, or the text empty
 * when there are no rows; with --output json {member: rows}. */
ks_rc fleet_show(const struct cli *cli, json_t *rows, const char *member,
                 const struct fleet_column *columns, const char *empty) KS_MUST;
/* fleet_text(object, path): "-" when it is absent or empty. fleet_number: 0. */
const char *fleet_text(const json_t *object, const char *path);
json_int_t fleet_number(const json_t *object, const char *path);

/* ---- people (cli/fleet_wait.c) ---- */

/* fleet_confirm(cli, name, warning): prints the warning and has name typed, or compares it with --yes NAME. USAGE. */
ks_rc fleet_confirm(const struct cli *cli, const char *name, const char *warning) KS_MUST;
/* fleet_wait(cli, c, id, ret): until the operation is over, with progress on a terminal. The error it ended with; BUSY after
 * --timeout. Ctrl-C ends the program with a word on how to go on looking; the operation goes on. *ret, also of a failed
 * one, is the caller's. */
ks_rc fleet_wait(const struct cli *cli, struct fleet_client *c, const char *id,
                 json_t **ret) KS_MUST;
/* fleet_operation_of(reply): id of the operation that a reply is, or names; NULL: none; borrowed. fleet_begun(cli, c, reply, text): what
 * commands that begin an operation end with: waits for it with --wait and prints its state, or as JSON the operation that
 * has ended or the reply, which is taken over. */
const char *fleet_operation_of(const json_t *reply);
ks_rc fleet_begun(const struct cli *cli, struct fleet_client *c, json_t *reply) KS_MUST;
/* fleet_write_secret(path, text): a new file of mode 0600 with a line; EXISTS. fleet_check_new(path): EXISTS; before
 * the secret is asked for. */
ks_rc fleet_check_new(const char *path) KS_MUST;
ks_rc fleet_write_secret(const char *path, const char *text) KS_MUST;
