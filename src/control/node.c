/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/node.c - nodes as they stand: when they were heard, what they say about themselves, lists of them, removing them.
 */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "control/cluster_int.h"
#include "control/live.h"
#include "control/message.h"
#include "control/node_int.h"
#include "control/scope.h"
#include "control/slice.h"

/* -- who may ---------------------------------------------------------------------------------------------------------- */

ks_rc node_check_platform(const struct caller *by, const char *what)
{
    ENSURE(caller_is_platform(by), KS_E_NOT_FOUND, "there is no such %s", what);
    return KS_SUCCESS;
}

bool node_text_is_plain(const char *text, size_t room)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~' || strchr("\"\\<>", text[i]))
            return false;
    return len && len < room;
}

ks_rc node_get_joined(struct store_view *v, const char *id, struct node *ret)
{
    TRY(store_node_get(v, id, ret));
    ENSURE(ret->state == NODE_JOINED, KS_E_PERMISSION, "node %s was removed", ret->name);
    return KS_SUCCESS;
}

ks_rc node_audit(struct work *w, const struct caller *by, const char *action, const struct node *n)
{
    char object[128] = "";

    message_put(object, sizeof object, "node/%s", n->id);
    struct store_event event = {
        .action = action,
        .object = object,
        .detail = json_pack("{s:s, s:s, s:s}", "name", n->name, "region", n->region, "certificate",
                            n->certificate),
    };
    return store_tx_audit(w->tx, by, &event);
}

/* -- when it was heard ------------------------------------------------------------------------------------------------- */

ks_rc node_heard(struct control *c, const char *node)
{
    return live_heard(c->live, node, clock_wall_s(c->clock));
}

static int64_t last_seen(struct control *c, const struct node *node)
{
    return live_last(c->live, node->id, node->seen);
}

bool node_is_away(struct control *c, const struct node *node)
{
    return clock_wall_s(c->clock) - last_seen(c, node) > NODE_AWAY_S;
}

void node_seen_text(struct control *c, const struct node *node, char out[NAME_BYTES])
{
    int64_t age = clock_wall_s(c->clock) - last_seen(c, node);

    out[0] = '\0';
    if (age <= NODE_AWAY_S)
        message_put(out, NAME_BYTES, "heard in the last %d s", NODE_AWAY_S);
    else if (age < 2 * 3600)
        message_put(out, NAME_BYTES, "not heard for %lld min", (long long)(age / 60));
    else
        message_put(out, NAME_BYTES, "not heard for %lld hours", (long long)(age / 3600));
}

static ks_rc take_engines(struct control *c, const char *node, const json_t *report)
{
    const char *names[LIVE_ENGINES_MAX];
    json_t *list = NULL;

    TRY(json_may_array(report, "engines", LIVE_ENGINES_MAX, &list));
    if (!list)
        return KS_SUCCESS;
    for (size_t i = 0; i < json_array_size(list); i++) {
        names[i] = json_string_value(json_array_get(list, i));
        ENSURE(names[i] && strlen(names[i]) < WORD_BYTES, KS_E_USAGE,
               "engines holds something that is not the name of one");
    }
    return live_set_engines(c->live, node, names, json_array_size(list));
}

ks_rc node_take_report(struct work *w, const char *node, const json_t *report)
{
    struct node n;
    const char *version = NULL, *address = NULL;

    TRY(json_may_text(report, "version", WORD_BYTES - 1, &version));
    TRY(json_may_text(report, "address", HOST_BYTES - 1, &address));
    ENSURE(!address || node_text_is_plain(address, HOST_BYTES), KS_E_USAGE,
           "the address of a node is a host name or an address");
    TRY(take_engines(w->c, node, report));
    TRY(node_heard(w->c, node));
    TRY(node_get_joined(store_tx_view(w->tx), node, &n));
    bool is_new = version && message_copy(n.version, sizeof n.version, version);
    is_new = (address && message_copy(n.address, sizeof n.address, address)) || is_new;
    if (!is_new)
        return KS_SUCCESS;
    store_tx_observe(w->tx);
    return store_node_put(w->tx, &n);
}

/* A node that was removed meanwhile is left as it is. */
static ks_rc store_seen(struct work *w, const struct live_heard_at *heard)
{
    struct node n;
    ks_rc rc = store_node_get(store_tx_view(w->tx), heard->node, &n);

    if (ks_is(rc, KS_E_NOT_FOUND))
        return KS_SUCCESS;
    TRY(rc);
    if (n.seen == heard->at)
        return KS_SUCCESS;
    n.seen = heard->at;
    return store_node_put(w->tx, &n);
}

ks_rc node_store_seen(struct control *c)
{
    CLEANUP(work_abandon) struct work w = {0};
    CLEANUP(mem_freep) struct live_heard_at *heard = NULL;
    size_t count;

    TRY(live_take_heard(c->live, &heard, &count));
    if (!count)
        return KS_SUCCESS;
    TRY(work_begin(c, &w));
    store_tx_observe(w.tx);
    for (size_t i = 0; i < count; i++)
        TRY(store_seen(&w, &heard[i]));
    return work_end(&w);
}

/* -- for the platform -------------------------------------------------------------------------------------------------- */

ks_rc control_node_list(struct control *c, const struct caller *by, struct slice *slice,
                        struct node **ret, size_t *ret_count)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;
    CLEANUP(mem_freep) struct node *nodes = NULL;
    struct store_page page;
    struct slice next = *slice;
    size_t count;

    TRY(node_check_platform(by, "resource"));
    TRY(slice_begin(slice, &page));
    TRY(store_view_begin(c->store, &v));
    TRY(store_nodes(v, &page, &nodes, &count));
    if (slice_has_more(&next, &count))
        TRY(slice_go_on_by_time(&next, nodes[count - 1].joined, nodes[count - 1].id));
    for (size_t i = 0; i < count; i++)
        nodes[i].seen = last_seen(c, &nodes[i]);
    *slice = next;
    *ret_count = count;
    *ret = TAKE(nodes);
    return KS_SUCCESS;
}

/* What is not wanted any more and cannot be reported gone, because its node will never report again. */
static ks_rc drop_volumes(struct work *w, const struct node *n)
{
    CLEANUP(mem_freep) struct cluster_volume *volumes = NULL;
    size_t count;

    TRY(store_volumes_of_node(store_tx_view(w->tx), n->id, 0, UINT32_MAX, &volumes, &count));
    for (size_t i = 0; i < count; i++)
        ENSURE(!volumes[i].is_wanted, KS_E_STATE,
               "node %s has volumes: delete or scale down cluster %s and others on it first",
               n->name, volumes[i].cluster);
    ENSURE(!count || node_is_away(w->c, n), KS_E_STATE,
           "node %s is still taking %zu volumes away: wait for it, or stop it for good", n->name,
           count);
    for (size_t i = 0; i < count; i++) {
        TRY(store_volume_delete(w->tx, volumes[i].id));
        TRY(live_set_password(w->c->live, volumes[i].id, NULL));
        TRY(live_set_failed(w->c->live, volumes[i].id, NULL));
        TRY(cluster_bring(w, volumes[i].cluster));
    }
    return KS_SUCCESS;
}

ks_rc control_node_remove(struct control *c, const struct caller *by, const char *id)
{
    CLEANUP(work_abandon) struct work w = {0};
    struct node n;

    TRY(node_check_platform(by, "node"));
    ENSURE(id_is_valid(id), KS_E_NOT_FOUND, "there is no node %.40s", id);
    TRY(work_begin(c, &w));
    ks_rc rc = store_node_get(store_tx_view(w.tx), id, &n);
    ENSURE(!ks_is(rc, KS_E_NOT_FOUND), KS_E_NOT_FOUND, "there is no node %.40s", id);
    TRY(rc);
    if (n.state == NODE_REMOVED)
        return KS_SUCCESS;
    TRY(drop_volumes(&w, &n));
    n.state = NODE_REMOVED;
    TRY(store_node_put(w.tx, &n));
    TRY(node_forget_renewed(&w, n.id));
    TRY(node_audit(&w, by, "node.remove", &n));
    work_tell(&w, 'n', n.id);
    return work_end(&w);
}
