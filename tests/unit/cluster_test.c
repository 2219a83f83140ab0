/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a cluster's life from wish to record: what may be wished, what becomes of it, and that nobody else sees any of it.
 */
#include "control/live.h"
#include "fleet_fixture.h"

static int set_up(void **state)
{
    struct fleet *f;
    char id[ID_BYTES];

    check_ok(mem_new(1, sizeof *f, &f));
    fleet_open(f);
    fleet_join(f, "east", "e1", id);
    fleet_join(f, "west", "w1", id);
    fleet_join(f, "west", "w2", id);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fleet_close(*state);
    mem_freep(state);
    return 0;
}

static struct cluster_view *create(struct fleet *f, const char *name, uint32_t east, uint32_t west)
{
    struct region_wish regions[2] = {fleet_region("east", east), fleet_region("west", west)};
    struct cluster_wish wish = fleet_wish(name, regions, west ? 2 : 1);
    struct cluster_view *v;

    check_ok(control_cluster_create(f->c, &f->admin, &wish, &v));
    return v;
}

static void check_state(struct fleet *f, const char *id, enum cluster_state state)
{
    struct cluster_view *v;

    check_ok(control_cluster_get(f->c, &f->admin, id, &v));
    assert_string_equal(cluster_state_name(v->cluster.state), cluster_state_name(state));
    cluster_view_free(v);
}

static void a_cluster__created__is_there_when_its_volumes_are(void **state)
{
    struct fleet *f = *state;
    struct cluster_view *v = create(f, "orders", 1, 3);
    struct cluster_volume *volumes;
    size_t count;

    assert_int_equal(v->cluster.state, CLUSTER_CREATING);
    assert_int_equal(v->region_count, 2);
    assert_true(v->operation[0]);
    assert_non_null(strstr(v->cluster.message, "volume 0 on node"));
    check_ok(control_volumes(f->c, &f->viewer, v->cluster.id, &volumes, &count));
    assert_int_equal(count, 4);
    mem_free(volumes);
    fleet_volumes_become(f, v->cluster.id, ACCESS_OPEN, ENGINE_NONE);
    check_state(f, v->cluster.id, CLUSTER_CREATED);
    cluster_view_free(v);
}

static void a_cluster__deleted__is_kept_for_the_record(void **state)
{
    struct fleet *f = *state;
    struct cluster_view *v = create(f, "orders", 1, 2), *gone;

    fleet_volumes_become(f, v->cluster.id, ACCESS_OPEN, ENGINE_NONE);
    check_ok(control_cluster_delete(f->c, &f->admin, v->cluster.id, &gone));
    assert_int_equal(gone->cluster.state, CLUSTER_DELETING);
    cluster_view_free(gone);
    fleet_volumes_become(f, v->cluster.id, ACCESS_NONE, ENGINE_NONE);
    check_state(f, v->cluster.id, CLUSTER_DELETED);
    check_ok(control_cluster_delete(f->c, &f->admin, v->cluster.id, &gone));
    cluster_view_free(gone);
    cluster_view_free(v);
    v = create(f, "orders", 1, 0);
    cluster_view_free(v);
}

static void a_wish_with_many_faults__created__is_refused_with_all_of_them(void **state)
{
    struct fleet *f = *state;
    struct region_wish regions[2] = {fleet_region("mars", 1), fleet_region("east", 0)};
    struct cluster_wish wish = fleet_wish("Orders", regions, 2);
    struct cluster_view *v = NULL;

    wish.lease.lease_ms = 1;
    ks_rc rc = control_cluster_create(f->c, &f->admin, &wish, &v);
    check_rc(rc, USAGE);
    check_text(rc, "begins with a letter");
    check_text(rc, "lease_ms");
    check_text(rc, "no node serves region \"mars\"");
    check_text(rc, "0 nodes in region east");
    assert_null(v);
}

static void a_key_that_cannot_be_one__created_with__is_refused(void **state)
{
    struct fleet *f = *state;
    struct region_wish region = fleet_region("east", 1);
    struct cluster_wish wish = fleet_wish("orders", &region, 1);
    struct cluster_view *v = NULL;

    region.key_count = 1;
    snprintf(region.keys[0].type, sizeof region.keys[0].type, "AWS_KMS");
    snprintf(region.keys[0].uri, sizeof region.keys[0].uri, "alias/orders");
    check_rc(control_cluster_create(f->c, &f->admin, &wish, &v), USAGE);
    check_text(control_cluster_create(f->c, &f->admin, &wish, &v), "east");
    assert_null(v);
}

static void a_cluster__asked_for_twice__is_the_same_while_it_is_created(void **state)
{
    struct fleet *f = *state;
    struct cluster_view *v = create(f, "orders", 1, 2), *again = create(f, "orders", 1, 2);
    struct region_wish region = fleet_region("east", 3);
    struct cluster_wish wish = fleet_wish("orders", &region, 1);

    assert_string_equal(v->cluster.id, again->cluster.id);
    cluster_view_free(again);
    check_rc(control_cluster_create(f->c, &f->admin, &wish, &again), EXISTS);
    fleet_volumes_become(f, v->cluster.id, ACCESS_OPEN, ENGINE_NONE);
    region.node_count = 1;
    check_rc(control_cluster_create(f->c, &f->admin, &wish, &again), EXISTS);
    cluster_view_free(v);
}

static void put_key(struct region_wish *region, const char *uri, const char *principal)
{
    struct key_spec *key = &region->keys[region->key_count++];

    snprintf(key->type, sizeof key->type, "NULL_KMS");
    snprintf(key->uri, sizeof key->uri, "%s", uri);
    snprintf(key->auth_principal, sizeof key->auth_principal, "%s", principal);
}

/* Of two that were made with keys k1 and k2. */
static void check_other_keys(struct fleet *f, const char *one, const char *two,
                             const char *principal)
{
    struct region_wish region = fleet_region("east", 1);
    struct cluster_wish wish = fleet_wish("orders", &region, 1);
    struct cluster_view *v;

    if (one)
        put_key(&region, one, "");
    if (two)
        put_key(&region, two, principal);
    check_rc(control_cluster_create(f->c, &f->admin, &wish, &v), EXISTS);
}

static void a_cluster__asked_for_again_with_other_keys__exists(void **state)
{
    struct fleet *f = *state;
    struct region_wish region = fleet_region("east", 1);
    struct cluster_wish wish = fleet_wish("orders", &region, 1);
    struct cluster_view *v = create(f, "bare", 1, 0), *again;

    cluster_view_free(v);
    put_key(&region, "k1", "");
    put_key(&region, "k2", "");
    check_ok(control_cluster_create(f->c, &f->admin, &wish, &v));
    check_other_keys(f, NULL, NULL, "");
    check_other_keys(f, "k1", NULL, "");
    check_other_keys(f, "k1", "k3", "");
    check_other_keys(f, "k1", "k2", "somebody");
    region.key_count = 0; /* in another order it is the same wish */
    put_key(&region, "k2", "");
    put_key(&region, "k1", "");
    check_ok(control_cluster_create(f->c, &f->admin, &wish, &again));
    assert_string_equal(again->cluster.id, v->cluster.id);
    cluster_view_free(again);
    cluster_view_free(v);
    snprintf(wish.name, sizeof wish.name, "bare");
    check_rc(control_cluster_create(f->c, &f->admin, &wish, &again), EXISTS);
}

static void check_other(struct fleet *f, const struct cluster_wish *wish)
{
    struct cluster_view *v;

    check_rc(control_cluster_create(f->c, &f->admin, wish, &v), EXISTS);
}

static void a_cluster__asked_for_again_on_other_terms__exists(void **state)
{
    struct fleet *f = *state;
    struct region_wish region = fleet_region("east", 1);
    const struct cluster_wish plain = fleet_wish("orders", &region, 1);
    struct cluster_wish other;
    struct cluster_view *v, *again;

    check_ok(control_cluster_create(f->c, &f->admin, &plain, &v));
    other = plain;
    other.is_delete_protected = true;
    check_other(f, &other);
    other = plain;
    other.lease.lease_ms = v->cluster.lease.lease_ms + 1000;
    check_other(f, &other);
    other = plain;
    other.lease.probe_ms = v->cluster.lease.probe_ms + 1000;
    check_other(f, &other);
    other = plain;
    other.lease.grace_ms = v->cluster.lease.grace_ms + 1000;
    check_other(f, &other);
    other = plain;
    other.rotation.cmek_s = 86400;
    check_other(f, &other);
    other = plain;
    other.rotation.store_s = 86400;
    check_other(f, &other);
    other = plain;
    other.rotation.data_s = 86400;
    check_other(f, &other);
    other = plain;
    other.rotation.reencrypt_s = 86400;
    check_other(f, &other);
    other = plain;
    other.rotation.is_rewrap_automatic = true;
    check_other(f, &other);
    other = plain;
    snprintf(other.dialect, sizeof other.dialect, "cockroach");
    check_other(f, &other);
    other = plain;
    other.lease = v->cluster.lease; /* the defaults, said */
    check_ok(control_cluster_create(f->c, &f->admin, &other, &again));
    assert_string_equal(again->cluster.id, v->cluster.id);
    cluster_view_free(again);
    cluster_view_free(v);
}

static void a_caller_without_organisation__creating__is_refused(void **state)
{
    struct fleet *f = *state;
    struct region_wish region = fleet_region("east", 1);
    struct cluster_wish wish = fleet_wish("orders", &region, 1);
    struct cluster_view *v = NULL;
    struct caller narrow = f->admin;

    check_rc(control_cluster_create(f->c, &f->platform, &wish, &v), PERMISSION);
    snprintf(narrow.cluster, sizeof narrow.cluster, "%s", FLEET_OTHER);
    check_rc(control_cluster_create(f->c, &narrow, &wish, &v), PERMISSION);
}

static void check_message(struct fleet *f, const char *id, const char *part)
{
    struct cluster_view *v;

    check_ok(control_cluster_get(f->c, &f->admin, id, &v));
    if (!strstr(v->cluster.message, part))
        fail_msg("\"%s\" does not hold \"%s\"", v->cluster.message, part);
    cluster_view_free(v);
}

static void a_cluster_whose_disks_fail__waited_for__has_failed_and_may_recover(void **state)
{
    struct fleet *f = *state;
    struct cluster_view *v = create(f, "orders", 1, 0);
    const char *id = v->cluster.id;
    struct operation o;
    CLEANUP(store_view_end) struct store_view *view = NULL;

    fleet_volumes_become(f, id, ACCESS_FAILED, ENGINE_NONE);
    check_state(f, id, CLUSTER_CREATING);
    check_message(f, id, "region east: 0 of 1 volumes are there; volume 0 on node e1");
    f->clock.now_s += 601;
    check_ok(control_tick(f->c));
    check_state(f, id, CLUSTER_CREATION_FAILED);
    check_ok(store_view_begin(f->c->store, &view));
    check_ok(store_operation_get(view, v->operation, &o));
    assert_int_equal(o.state, OPERATION_FAILED);
    assert_int_equal(o.finished, f->clock.now_s);
    store_view_end(&view);
    fleet_volumes_become(f, id, ACCESS_OPEN, ENGINE_NONE);
    check_state(f, id, CLUSTER_CREATED);
    check_message(f, id, "");
    cluster_view_free(v);
}

static void a_cluster_on_a_node_that_is_away__waited_for__names_it_and_fails_late(void **state)
{
    struct fleet *f = *state;
    struct cluster_view *v = create(f, "orders", 1, 0);

    f->clock.now_s += 120;
    check_ok(control_tick(f->c));
    check_state(f, v->cluster.id, CLUSTER_CREATING);
    check_message(f, v->cluster.id, "node e1 (not heard for 2 min) has not been reported yet");
    f->clock.now_s += 3600;
    check_ok(control_tick(f->c));
    check_state(f, v->cluster.id, CLUSTER_CREATION_FAILED);
    cluster_view_free(v);
}

static void an_engine__not_running__keeps_the_cluster_waiting(void **state)
{
    struct fleet *f = *state;
    struct region_wish region = fleet_region("east", 1);
    struct cluster_wish wish = fleet_wish("orders", &region, 1);
    struct cluster_view *v;

    snprintf(wish.engine, sizeof wish.engine, "redis");
    check_ok(control_cluster_create(f->c, &f->admin, &wish, &v));
    fleet_volumes_become(f, v->cluster.id, ACCESS_OPEN, ENGINE_NONE);
    check_state(f, v->cluster.id, CLUSTER_CREATING);
    fleet_volumes_become(f, v->cluster.id, ACCESS_OPEN, ENGINE_STARTING);
    check_state(f, v->cluster.id, CLUSTER_CREATING);
    fleet_volumes_become(f, v->cluster.id, ACCESS_OPEN, ENGINE_RUNNING);
    check_state(f, v->cluster.id, CLUSTER_CREATED);
    cluster_view_free(v);
}

static void a_protected_cluster__deleted__stays(void **state)
{
    struct fleet *f = *state;
    struct cluster_view *v = create(f, "orders", 1, 0), *after;
    bool yes = true, no = false;

    check_ok(control_cluster_change(f->c, &f->admin, v->cluster.id,
                                    &(struct cluster_change){.is_delete_protected = &yes}, &after));
    cluster_view_free(after);
    check_rc(control_cluster_delete(f->c, &f->admin, v->cluster.id, &after), STATE);
    check_state(f, v->cluster.id, CLUSTER_CREATING);
    check_ok(control_cluster_change(f->c, &f->admin, v->cluster.id,
                                    &(struct cluster_change){.is_delete_protected = &no}, &after));
    cluster_view_free(after);
    check_ok(control_cluster_delete(f->c, &f->admin, v->cluster.id, &after));
    cluster_view_free(after);
    cluster_view_free(v);
}

static void a_deletion__while_a_node_is_away__names_the_node(void **state)
{
    struct fleet *f = *state;
    struct cluster_view *v = create(f, "orders", 1, 0), *after;

    fleet_volumes_become(f, v->cluster.id, ACCESS_OPEN, ENGINE_NONE);
    check_ok(control_cluster_delete(f->c, &f->admin, v->cluster.id, &after));
    assert_int_equal(after->cluster.state, CLUSTER_DELETING);
    cluster_view_free(after);
    f->clock.now_s += 3 * 3600;
    check_ok(control_tick(f->c));
    check_message(f, v->cluster.id, "node e1 (not heard for 3 hours) is being taken away");
    check_state(f, v->cluster.id, CLUSTER_DELETING);
    cluster_view_free(v);
}

/* -- lists ----------------------------------------------------------------------------------------------------------- */

static void count_names(struct fleet *f, const struct cluster_filter *filter, bool is_descending,
                        const char *drop, int seen[8])
{
    struct slice slice = {.count_max = 2, .is_descending = is_descending};
    struct cluster_view **views, *gone;
    size_t count;

    memset(seen, 0, 8 * sizeof seen[0]);
    do {
        check_ok(control_cluster_list(f->c, &f->admin, filter, &slice, &views, &count));
        for (size_t i = 0; i < count; i++)
            seen[views[i]->cluster.name[1] - '0']++;
        cluster_views_free(views, count);
        if (drop) { /* something comes and something goes between two parts */
            cluster_view_free(create(f, "c7", 1, 0));
            check_ok(control_cluster_delete(f->c, &f->admin, drop, &gone));
            cluster_view_free(gone);
            fleet_volumes_become(f, drop, ACCESS_NONE, ENGINE_NONE);
            drop = NULL;
        }
    } while (slice.after[0]);
}

static void a_list_that_changes__read_in_parts__repeats_and_skips_nothing_that_stays(void **state)
{
    static const enum cluster_order orders[] = {CLUSTER_BY_CREATED, CLUSTER_BY_NAME};
    char id[8][ID_BYTES];
    int seen[8];
    size_t dropped = 0;

    for (size_t o = 0; o < 2; o++) {
        for (int direction = 0; direction < 2; direction++) {
            struct fleet *f = *state;
            struct cluster_filter filter = {.order = orders[o]};
            tear_down(state);
            set_up(state);
            f = *state;
            for (int i = 0; i < 6; i++) {
                char name[4] = {'c', (char)('0' + i), 0};
                struct cluster_view *v = create(f, name, 1, 0);
                memcpy(id[i], v->cluster.id, ID_BYTES);
                cluster_view_free(v);
            }
            count_names(f, &filter, direction, id[dropped % 6], seen);
            for (size_t i = 0; i < 6; i++)
                assert_true(seen[i] == 1 || (i == dropped % 6 && seen[i] <= 1));
            assert_true(seen[7] <= 1);
            dropped++;
        }
    }
}

/* The names of a part, "c0 c1 ", and where the parts beside it are. */
static void read_part(struct fleet *f, const struct cluster_filter *filter, struct slice *slice,
                      char names[64])
{
    struct cluster_view **views;
    size_t count;

    names[0] = 0;
    check_ok(control_cluster_list(f->c, &f->admin, filter, slice, &views, &count));
    for (size_t i = 0; i < count; i++)
        snprintf(names + strlen(names), 64 - strlen(names), "%s ", views[i]->cluster.name);
    cluster_views_free(views, count);
}

static void a_list__read_there_and_back__has_the_same_parts(void **state)
{
    static const struct {
        enum cluster_order order;
        bool is_descending;
        const char *parts[3];
    } rows[] = {
        {CLUSTER_BY_CREATED, false, {"c4 c3 ", "c2 c1 ", "c0 "}},
        {CLUSTER_BY_CREATED, true, {"c0 c1 ", "c2 c3 ", "c4 "}},
        {CLUSTER_BY_NAME, false, {"c0 c1 ", "c2 c3 ", "c4 "}},
        {CLUSTER_BY_NAME, true, {"c4 c3 ", "c2 c1 ", "c0 "}},
    };
    struct fleet *f = *state;
    char names[64];

    for (int i = 4; i >= 0; i--) {
        char name[4] = {'c', (char)('0' + i), 0};
        cluster_view_free(create(f, name, 1, 0));
    }
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        const struct cluster_filter filter = {.order = rows[r].order};
        struct slice slice = {.count_max = 2, .is_descending = rows[r].is_descending};
        for (int i = 0; i < 3; i++) {
            read_part(f, &filter, &slice, names);
            assert_string_equal(names, rows[r].parts[i]);
            assert_int_equal(slice.before[0] != 0, i > 0);
            assert_int_equal(slice.after[0] != 0, i < 2);
        }
        for (int i = 1; i >= 0; i--) {
            memcpy(slice.after, slice.before, sizeof slice.after);
            read_part(f, &filter, &slice, names);
            assert_string_equal(names, rows[r].parts[i]);
            assert_int_equal(slice.before[0] != 0, i > 0);
        }
        read_part(f, &filter, &slice, names); /* and there again */
        assert_string_equal(names, rows[r].parts[1]);
    }
}

static void deleted_clusters__listed__only_when_asked_for(void **state)
{
    struct fleet *f = *state;
    struct cluster_view *v = create(f, "c1", 1, 0), *gone;
    int seen[8];

    cluster_view_free(create(f, "c2", 1, 0));
    check_ok(control_cluster_delete(f->c, &f->admin, v->cluster.id, &gone));
    cluster_view_free(gone);
    fleet_volumes_become(f, v->cluster.id, ACCESS_NONE, ENGINE_NONE);
    count_names(f, &(struct cluster_filter){0}, false, NULL, seen);
    assert_true(seen[1] == 0 && seen[2] == 1);
    count_names(f, &(struct cluster_filter){.is_with_deleted = true}, false, NULL, seen);
    assert_true(seen[1] == 1 && seen[2] == 1);
    count_names(f, &(struct cluster_filter){.is_with_deleted = true, .order = CLUSTER_BY_DELETED},
                true, NULL, seen);
    assert_true(seen[1] == 1 && seen[2] == 1);
    count_names(f, &(struct cluster_filter){.dialect = "cockroach"}, false, NULL, seen);
    assert_true(seen[1] == 0 && seen[2] == 0);
    cluster_view_free(v);
}

static void a_key_of_one_cluster__lists__that_one(void **state)
{
    struct fleet *f = *state;
    struct cluster_view *v = create(f, "c1", 1, 0), **views;
    struct caller narrow = f->admin;
    struct slice slice = {.count_max = 5};
    size_t count;

    cluster_view_free(create(f, "c2", 1, 0));
    memcpy(narrow.cluster, v->cluster.id, ID_BYTES);
    check_ok(
        control_cluster_list(f->c, &narrow, &(struct cluster_filter){0}, &slice, &views, &count));
    assert_int_equal(count, 1);
    assert_string_equal(views[0]->cluster.name, "c1");
    cluster_views_free(views, count);
    cluster_view_free(v);
}

/* -- what is inside -------------------------------------------------------------------------------------------------- */

static void put_connection(struct fleet *f, const char *cluster)
{
    CLEANUP(work_abandon) struct work w = {0};
    CLEANUP(mem_freep) struct cluster_volume *volumes = NULL;
    const char *detail = "{\"wraps\":[1]}";
    size_t count;

    check_ok(work_begin(f->c, &w));
    check_ok(store_volumes(store_tx_view(w.tx), cluster, NULL, &volumes, &count));
    snprintf(volumes[0].host, sizeof volumes[0].host, "10.0.0.1");
    volumes[0].port = 6379;
    check_ok(store_volume_put(w.tx, &volumes[0]));
    check_ok(store_document_put(
        w.tx, &(struct store_document){"volume", volumes[0].id, cluster, view_text(detail)}));
    store_tx_observe(w.tx);
    check_ok(work_end(&w));
    check_ok(live_set_password(f->c->live, volumes[0].id, "s3cret"));
}

static void connections__asked_for__operators_get_the_password_from_memory(void **state)
{
    struct fleet *f = *state;
    struct cluster_view *v = create(f, "orders", 1, 0);
    const char *id = v->cluster.id;
    json_t *list = NULL, *one;

    put_connection(f, id);
    check_rc(control_connections(f->c, &f->viewer, id, &list), PERMISSION);
    check_ok(control_connections(f->c, &f->admin, id, &list));
    assert_int_equal(json_array_size(list), 1);
    one = json_array_get(list, 0);
    assert_string_equal(json_string_value(json_object_get(one, "password")), "s3cret");
    assert_string_equal(json_string_value(json_object_get(one, "host")), "10.0.0.1");
    json_decref(list);
    fleet_reopen(f);
    check_ok(control_connections(f->c, &f->admin, id, &list));
    assert_true(json_is_null(json_object_get(json_array_get(list, 0), "password")));
    json_decref(list);
    cluster_view_free(v);
}

static void a_volume__looked_into__shows_what_its_node_reported(void **state)
{
    struct fleet *f = *state;
    struct cluster_view *v = create(f, "orders", 1, 1), *other = create(f, "other", 1, 0);
    struct cluster_volume *volumes;
    size_t count;
    json_t *detail = NULL;

    put_connection(f, v->cluster.id);
    check_ok(control_volumes(f->c, &f->viewer, v->cluster.id, &volumes, &count));
    check_ok(control_volume_detail(f->c, &f->viewer, v->cluster.id, volumes[0].id, &detail));
    assert_int_equal(json_array_size(json_object_get(detail, "wraps")), 1);
    json_decref(detail);
    check_ok(control_volume_detail(f->c, &f->viewer, v->cluster.id, volumes[1].id, &detail));
    assert_int_equal(json_object_size(detail), 0);
    json_decref(detail);
    check_rc(control_volume_detail(f->c, &f->viewer, other->cluster.id, volumes[0].id, &detail),
             NOT_FOUND);
    check_rc(control_volume_detail(f->c, &f->viewer, v->cluster.id, "none", &detail), NOT_FOUND);
    mem_free(volumes);
    cluster_view_free(v);
    cluster_view_free(other);
}

/* Every function that names a cluster, by callers who may not see it. */
static void another_organisation__asks_for_anything__finds_nothing(void **state)
{
    struct fleet *f = *state;
    struct cluster_view *v = create(f, "orders", 1, 0), *view = NULL, **views;
    const struct caller *others[] = {&f->foreign, &f->platform};
    const char *id = v->cluster.id;
    struct slice slice = {.count_max = 5};
    struct cluster_volume *volumes;
    bool yes = true;
    size_t count;
    json_t *json;

    for (size_t i = 0; i < 2; i++) {
        const struct caller *by = others[i];
        check_rc(control_cluster_get(f->c, by, id, &view), NOT_FOUND);
        check_rc(control_cluster_delete(f->c, by, id, &view), NOT_FOUND);
        check_rc(control_cluster_change(
                     f->c, by, id, &(struct cluster_change){.is_delete_protected = &yes}, &view),
                 NOT_FOUND);
        check_rc(control_volumes(f->c, by, id, &volumes, &count), NOT_FOUND);
        check_rc(control_volume_detail(f->c, by, id, id, &json), NOT_FOUND);
        check_rc(control_connections(f->c, by, id, &json), NOT_FOUND);
        check_ok(control_cluster_list(f->c, by, &(struct cluster_filter){.is_with_deleted = true},
                                      &slice, &views, &count));
        assert_int_equal(count, 0);
        cluster_views_free(views, count);
    }
    check_rc(control_cluster_get(f->c, &f->admin, "../etc", &view), NOT_FOUND);
    check_state(f, id, CLUSTER_CREATING);
    cluster_view_free(v);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_cluster__created__is_there_when_its_volumes_are),
        TEST(a_cluster__deleted__is_kept_for_the_record),
        TEST(a_wish_with_many_faults__created__is_refused_with_all_of_them),
        TEST(a_key_that_cannot_be_one__created_with__is_refused),
        TEST(a_cluster__asked_for_twice__is_the_same_while_it_is_created),
        TEST(a_cluster__asked_for_again_with_other_keys__exists),
        TEST(a_cluster__asked_for_again_on_other_terms__exists),
        TEST(a_caller_without_organisation__creating__is_refused),
        TEST(a_cluster_whose_disks_fail__waited_for__has_failed_and_may_recover),
        TEST(a_cluster_on_a_node_that_is_away__waited_for__names_it_and_fails_late),
        TEST(an_engine__not_running__keeps_the_cluster_waiting),
        TEST(a_protected_cluster__deleted__stays),
        TEST(a_deletion__while_a_node_is_away__names_the_node),
        TEST(a_list_that_changes__read_in_parts__repeats_and_skips_nothing_that_stays),
        TEST(a_list__read_there_and_back__has_the_same_parts),
        TEST(deleted_clusters__listed__only_when_asked_for),
        TEST(a_key_of_one_cluster__lists__that_one),
        TEST(connections__asked_for__operators_get_the_password_from_memory),
        TEST(a_volume__looked_into__shows_what_its_node_reported),
        TEST(another_organisation__asks_for_anything__finds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
