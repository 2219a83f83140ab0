/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/crdb.h - the dialect of CockroachDB Cloud (/api/v1): what its files share.
 *
 * Clients of that service work unchanged: the shapes, words and statuses are theirs (docs/COCKROACH.md says what differs and why).
 * What Keystead has no use for (plan, labels, hardware, ...) is kept with the cluster and given back as it came. No rule of
 * CMEK stands here; those are behind control/control.h.
 */
#pragma once

#include "api/route.h"

/* ---- what the dialect keeps of a cluster (api/crdb_kept.c) ---- */

enum {
    CRDB_TEXT_BYTES = 256,
    CRDB_LABELS_MAX = 64,
    CRDB_BODY_MAX = 256 * 1024,
};

/* crdb_kept_open(extra, ret): the members kept with a cluster; those that were never given have their presets. The caller owns it. */
ks_rc crdb_kept_open(const char *extra, json_t **ret) KS_MUST;
/* crdb_kept_create(request, kept), crdb_kept_patch(request, kept): takes over what a body of POST /clusters or PATCH /clusters/{id} says.
 * USAGE names the member; UNSUPPORTED what cannot be had from us. */
ks_rc crdb_kept_create(const json_t *request, json_t *kept) KS_MUST;
ks_rc crdb_kept_patch(const json_t *request, json_t *kept) KS_MUST;
/* crdb_kept_write(extra, kept, ret): appends the new extra of the cluster; what other dialects keep there stays. */
ks_rc crdb_kept_write(const char *extra, const json_t *kept, struct buf *ret) KS_MUST;
/* crdb_kept_engine(kept): the engine that a label asks for; NULL when none does. */
const char *crdb_kept_engine(const json_t *kept);
/* crdb_kept_backups(kept): a new object as GET backups-config gives it; NULL without memory. */
json_t *crdb_kept_backups(const json_t *kept);
/* crdb_kept_set_backups(request, kept): takes over what PATCH backups-config says. STATE: retention was chosen before. */
ks_rc crdb_kept_set_backups(const json_t *request, json_t *kept) KS_MUST;

/* ---- bodies (api/crdb_read.c) ---- */

/* crdb_read_specs(body, name, ret, ret_count): the array of region specs under name; absent: count 0. The caller frees *ret. */
ks_rc crdb_read_specs(const json_t *body, const char *name, struct region_spec **ret,
                      size_t *ret_count) KS_MUST;
/* crdb_read_protection(request, ret, ret_is_given): "delete_protection". */
ks_rc crdb_read_protection(const json_t *request, bool *ret, bool *ret_is_given) KS_MUST;
/* crdb_read_nodes(nodes, ret, ret_count): an object of numbers of nodes by region. The caller frees *ret. */
ks_rc crdb_read_nodes(json_t *nodes, struct region_wish **ret, size_t *ret_count) KS_MUST;
/* crdb_read_regions(body, view, cmek, ret, ret_count): all regions that the cluster is to have after a PATCH, in the documented form
 * (dedicated.region_nodes with cmek_region_specs) or in the one the guides show (region_specs alone: each new one gets as many
 * nodes as the first region has). *ret_count 0: regions stay. USAGE: a new region without a key in a cluster that has CMEK,
 * another key for a region that is there. The caller frees *ret. */
ks_rc crdb_read_regions(const json_t *body, const struct cluster_view *view,
                        const struct cmek_view *cmek, struct region_wish **ret,
                        size_t *ret_count) KS_MUST;

/* ---- replies (api/crdb_show.c) ---- */

/* crdb_is_locked(view): an operation is at work on it, or it is not there yet. */
bool crdb_is_locked(const struct cluster_view *view);
/* crdb_show_cluster(view, volumes, count, by, is_old): a new object "Cluster"; NULL without memory. */
json_t *crdb_show_cluster(const struct cluster_view *view, const struct cluster_volume *volumes,
                          size_t count, const struct platform *by, bool is_old);
/* crdb_show_cmek(view): a new object "CMEKClusterInfo"; NULL without memory. */
json_t *crdb_show_cmek(const struct cmek_view *view);
/* ---- lists (api/crdb_list.c) ---- */

/* crdb_slice(call, ret): "pagination.*" of the query. */
ks_rc crdb_slice(const struct api_call *call, struct slice *ret) KS_MUST;
/* crdb_reply_list(call, name, members, slice): {"<name>": members, "pagination": {...}}; takes members over. slice as control/ left it. */
ks_rc crdb_reply_list(struct api_call *call, const char *name, json_t *members,
                      const struct slice *slice) KS_MUST;
/* crdb_reply_part(call, name, all): the part of the whole list that "pagination.*" asks for; takes all over. For lists that are short. */
ks_rc crdb_reply_part(struct api_call *call, const char *name, json_t *all) KS_MUST;

/* ---- checks before keys are used (api/crdb_check.c) ---- */

/*
 * crdb_check(call, specs, count, ret_is_waiting): has the keys tried on nodes of their regions, and waits up to 10 s for it. Keys that the
 * regions have already are not tried. *ret_is_waiting: the handler is to return and will be called again. An answer that the
 * key service denies its use is an answer 400, which clients take for a grant that has not arrived yet; no answer is none.
 */
ks_rc crdb_check(struct api_call *call, const struct region_spec *specs, size_t count,
                 bool *ret_is_waiting) KS_MUST;
/* crdb_try(call, specs, count, ret_is_waiting): the same for whoever only wants to know: all of them are tried, and whatever is not a yes
 * is an error. */
ks_rc crdb_try(struct api_call *call, const struct region_spec *specs, size_t count,
               bool *ret_is_waiting) KS_MUST;

/* ---- errors (api/crdb_error.c) ---- */

/* crdb_end(call, rc): the result of a handler, with the statuses that clients of this dialect act upon. */
ks_rc crdb_end(struct api_call *call, ks_rc rc) KS_MUST;
/* crdb_error_body(call, error): google.rpc.Status; NULL without memory. */
json_t *crdb_error_body(const struct api_call *call, const struct api_error *error);

/* ---- handlers ---- */

/* crdb_is_old(call): the client speaks a version of before 2024-09-16, with other words for plans and operations. */
bool crdb_is_old(const struct api_call *call);
/* crdb_check_provider(provider): USAGE for what is none of the three clouds. */
ks_rc crdb_check_provider(const char *provider) KS_MUST;
/* crdb_reply_cluster(call, view): answers with the cluster. */
ks_rc crdb_reply_cluster(struct api_call *call, const struct cluster_view *view) KS_MUST;
ks_rc crdb_cluster_create(struct api_call *call) KS_MUST;
ks_rc crdb_cluster_get(struct api_call *call) KS_MUST;
ks_rc crdb_cluster_list(struct api_call *call) KS_MUST;
ks_rc crdb_cluster_patch(struct api_call *call) KS_MUST;
ks_rc crdb_cluster_delete(struct api_call *call) KS_MUST;
ks_rc crdb_backups_get(struct api_call *call) KS_MUST;
ks_rc crdb_backups_patch(struct api_call *call) KS_MUST;
ks_rc crdb_cmek_get(struct api_call *call) KS_MUST;
ks_rc crdb_cmek_post(struct api_call *call) KS_MUST;
ks_rc crdb_cmek_put(struct api_call *call) KS_MUST;
ks_rc crdb_cmek_patch(struct api_call *call) KS_MUST;
ks_rc crdb_nodes(struct api_call *call) KS_MUST;
ks_rc crdb_cert(struct api_call *call) KS_MUST;
ks_rc crdb_regions(struct api_call *call) KS_MUST;
ks_rc crdb_versions(struct api_call *call) KS_MUST;
ks_rc crdb_organization(struct api_call *call) KS_MUST;
