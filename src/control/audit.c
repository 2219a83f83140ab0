/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control/audit.c - what a caller may read of the audit events, and whether they are all there as they were written.
 */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "control/control_int.h"
#include "control/scope.h"
#include "control/slice.h"
#include "control/store.h"

enum { LOOKS_MAX = 20 }; /* pages that one call looks through for events of one action */

static bool is_action(const char *wanted, const char *action)
{
    size_t len = wanted ? strlen(wanted) : 0;

    if (!wanted)
        return true;
    if (len > 0 && wanted[len - 1] == '*')
        return strncmp(wanted, action, len - 1) == 0;
    return strcmp(wanted, action) == 0;
}

/* The cluster whose events are asked for; false when the caller sees none of them. */
static bool choose_cluster(const struct caller *by, const struct audit_filter *filter,
                           const char **ret)
{
    *ret = filter->cluster;
    if (by->cluster[0] == '\0')
        return !caller_is_platform(by) || !filter->cluster;
    *ret = by->cluster;
    return !filter->cluster || strcmp(filter->cluster, by->cluster) == 0;
}

/* The numbers between which events have the times asked for: times rise with numbers. */
static ks_rc choose_range(struct store_view *v, const struct audit_filter *filter,
                          struct store_events_ask *ask)
{
    ask->first = 1;
    ask->last = INT64_MAX - 1;
    if (filter->since > 0)
        TRY(store_event_since(v, filter->since, &ask->first));
    if (filter->until > 0 && filter->until < INT64_MAX) {
        TRY(store_event_since(v, filter->until + 1, &ask->last));
        ask->last--;
    }
    return KS_SUCCESS;
}

/* number: of an event, or whatever a caller says it is. */
static void go_on_from(struct store_events_ask *ask, int64_t number)
{
    if (number == INT64_MAX) /* no event has it, and nothing is behind it */
        number--;
    if (ask->is_descending && number - 1 < ask->last)
        ask->last = number - 1;
    else if (!ask->is_descending && number + 1 > ask->first)
        ask->first = number + 1;
}

/* What was found so far of what is wanted. */
struct catch
{
    struct audit_event *events;
    size_t count, room;
    int64_t at; /* number of the last one that was looked at */
    bool is_end;
};

static void look_at(struct catch *found, const struct audit_event *events, size_t count,
                    const char *action)
{
    for (size_t i = 0; i < count && found->count < found->room; i++) {
        found->at = events[i].number;
        if (is_action(action, events[i].action))
            found->events[found->count++] = events[i];
    }
}

static ks_rc look(struct store_view *v, struct store_events_ask *ask, const char *action,
                  struct catch *found)
{
    CLEANUP(mem_freep) struct audit_event *events = NULL;
    size_t count;

    TRY(store_events(v, ask, &events, &count));
    look_at(found, events, count, action);
    bool is_all = count == 0 || found->at == events[count - 1].number;
    found->is_end = count < ask->count_max && is_all;
    if (count > 0)
        go_on_from(ask, found->at);
    return KS_SUCCESS;
}

static ks_rc search(struct control *c, struct store_events_ask *ask,
                    const struct audit_filter *filter, int64_t after, struct catch *found)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;

    TRY(store_view_begin(c->store, &v));
    TRY(choose_range(v, filter, ask));
    if (after > 0)
        go_on_from(ask, after);
    for (int i = 0; i < LOOKS_MAX && found->count < found->room && !found->is_end; i++)
        TRY(look(v, ask, filter->action, found));
    return KS_SUCCESS;
}

ks_rc control_audit_list(struct control *c, const struct caller *by,
                         const struct audit_filter *filter, struct slice *slice,
                         struct audit_event **ret, size_t *ret_count)
{
    CLEANUP(mem_freep) struct audit_event *events = NULL;
    struct store_page page;
    struct catch found = {.room = slice->count_max};

    TRY(slice_begin(slice, &page));
    struct store_events_ask ask = {.is_platform = caller_is_platform(by),
                                   .organisation = by->organisation,
                                   .count_max = slice->count_max + 1,
                                   .is_descending = slice->is_descending};
    TRY(mem_new(slice->count_max, sizeof *events, &events));
    found.events = events;
    found.is_end = !choose_cluster(by, filter, &ask.cluster);
    TRY(search(c, &ask, filter, page.number, &found));
    slice->after[0] = '\0';
    if (!found.is_end)
        TRY(slice_go_on(slice, &(struct store_page){.number = found.at}));
    *ret = TAKE(events);
    *ret_count = found.count;
    return KS_SUCCESS;
}

ks_rc control_audit_behind(struct control *c, int64_t number, struct audit_event **ret,
                           size_t *ret_count)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;

    TRY(store_view_begin(c->store, &v));
    return store_events_behind(v, number, SLICE_MAX, ret, ret_count);
}

ks_rc control_audit_verify(struct control *c, int64_t *ret_count)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;

    TRY(store_view_begin(c->store, &v));
    return store_events_verify(v, ret_count);
}
