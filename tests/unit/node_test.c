/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a node joins with a token that is good once, is known by its certificate and by no other, renews it without being shut out,
 * and is removed only when it has nothing that is wanted.
 */
#include "base/base64.h"
#include "base/mem.h"
#include "control/live.h"
#include "fleet_fixture.h"

static int set_up(void **state)
{
    struct fleet *f;

    check_ok(mem_new(1, sizeof *f, &f));
    fleet_open(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fleet_close(*state);
    mem_freep(state);
    return 0;
}

static struct buf make_request(void)
{
    CLEANUP(key_pair_freep) struct key_pair *key = NULL;
    struct buf request = buf_init(FLEET_PEM_MAX);

    check_ok(key_pair_new(&key));
    check_ok(certificate_request_make(key, "n", &request));
    return request;
}

/* What join or renew gave: the node's id and its certificate's fingerprint. */
struct joined {
    char node[ID_BYTES], fingerprint[65];
};

static struct joined take_reply(json_t *reply)
{
    struct joined j;
    struct certificate_facts facts;

    snprintf(j.node, sizeof j.node, "%s", json_string_value(json_object_get(reply, "node")));
    check_ok(certificate_read(view_text(json_string_value(json_object_get(reply, "certificate"))),
                              &facts));
    snprintf(j.fingerprint, sizeof j.fingerprint, "%s", facts.fingerprint);
    json_decref(reply);
    return j;
}

static ks_rc join_with(struct fleet *f, const char *token, struct joined *ret)
{
    CLEANUP(buf_done) struct buf request = make_request();
    json_t *reply;

    TRY(control_node_join(f->c, token, buf_text(&request), "n1", "10.0.0.1", &reply));
    *ret = take_reply(reply);
    return KS_SUCCESS;
}

static struct joined join(struct fleet *f)
{
    char token[256];
    struct joined j;

    check_ok(control_join_token_create(f->c, &f->platform, "us-west-2", 3600, token));
    check_ok(join_with(f, token, &j));
    return j;
}

/* A node that lost its time: its key signs a new request. */
struct lapsed {
    struct key_pair *key;
    struct buf request, certificate, proof;
    char node[ID_BYTES];
};

static void sign_request(struct lapsed *l, const struct key_pair *key)
{
    CLEANUP(buf_done) struct buf signature = buf_init(256);

    buf_done(&l->proof);
    l->proof = buf_init(512);
    check_ok(key_pair_sign(key, buf_view(&l->request), &signature));
    check_ok(base64_write(buf_view(&signature), BASE64_STANDARD, &l->proof));
}

static struct lapsed lapse(struct fleet *f)
{
    struct lapsed l = {.request = make_request(), .certificate = buf_init(65536)};
    CLEANUP(buf_done) struct buf first = buf_init(65536);
    char token[256];
    json_t *reply;

    check_ok(key_pair_new(&l.key));
    check_ok(certificate_request_make(l.key, "n", &first));
    check_ok(control_join_token_create(f->c, &f->platform, "us-west-2", 3600, token));
    check_ok(control_node_join(f->c, token, buf_text(&first), "n1", "10.0.0.1", &reply));
    check_ok(buf_append(&l.certificate,
                        view_text(json_string_value(json_object_get(reply, "certificate")))));
    snprintf(l.node, sizeof l.node, "%s", json_string_value(json_object_get(reply, "node")));
    json_decref(reply);
    sign_request(&l, l.key);
    return l;
}

static void lapsed_done(struct lapsed *l)
{
    key_pair_free(l->key);
    buf_done(&l->request);
    buf_done(&l->certificate);
    buf_done(&l->proof);
}

static ks_rc rejoin(struct fleet *f, struct lapsed *l, const char *region, struct joined *ret)
{
    const struct node_rejoin ask = {buf_text(&l->request), buf_text(&l->certificate),
                                    buf_text(&l->proof)};
    char token[256];
    json_t *reply;

    check_ok(control_join_token_create(f->c, &f->platform, region, 3600, token));
    TRY(control_node_rejoin(f->c, token, &ask, &reply));
    *ret = take_reply(reply);
    check_rc(control_node_rejoin(f->c, token, &ask, &reply), PERMISSION); /* good once */
    return KS_SUCCESS;
}

static void rejoin__by_the_key_that_it_had__stays_the_node(void **state)
{
    struct fleet *f = *state;
    CLEANUP(lapsed_done) struct lapsed l = lapse(f);
    struct certificate_facts old;
    struct joined j;
    struct node n;

    check_ok(certificate_read(buf_view(&l.certificate), &old));
    check_ok(rejoin(f, &l, "us-west-2", &j));
    assert_string_equal(j.node, l.node);
    check_ok(rejoin(f, &l, "us-west-2",
                    &j)); /* the reply was lost: the old one counts until the new one is used */
    check_ok(control_node_authenticate(f->c, j.fingerprint, &n));
    assert_string_equal(n.id, l.node);
    assert_string_equal(n.name, "n1");
    check_rc(control_node_authenticate(f->c, old.fingerprint, &n), PERMISSION);
    check_rc(rejoin(f, &l, "us-west-2", &j), PERMISSION);
}

static void rejoin__not_proved_or_another_region__refused(void **state)
{
    struct fleet *f = *state;
    CLEANUP(lapsed_done) struct lapsed l = lapse(f), other = lapse(f);
    struct joined j;

    sign_request(&l, other.key);
    check_rc(rejoin(f, &l, "us-west-2", &j), PERMISSION);
    sign_request(&l, l.key);
    check_rc(rejoin(f, &l, "eu-west-1", &j), USAGE);
    buf_done(&l.proof);
    l.proof = buf_init(16);
    check_ok(buf_append(&l.proof, view_text("?")));
    check_rc(rejoin(f, &l, "us-west-2", &j), PERMISSION);
    check_ok(control_node_remove(f->c, &f->platform, other.node));
    check_rc(rejoin(f, &other, "us-west-2", &j), PERMISSION);
}

static void a_token__used__is_good_once(void **state)
{
    struct fleet *f = *state;
    char token[256];
    struct joined j;
    struct node n;

    check_ok(control_join_token_create(f->c, &f->platform, "us-west-2", 3600, token));
    assert_int_equal(strlen(token), 4 + 36 + 1 + 64 + 1 + 64);
    check_ok(join_with(f, token, &j));
    check_ok(control_node_authenticate(f->c, j.fingerprint, &n));
    assert_string_equal(n.id, j.node);
    assert_string_equal(n.region, "us-west-2");
    assert_string_equal(n.name, "n1");
    check_rc(join_with(f, token, &j), PERMISSION);
}

static void a_token__late_or_wrong__is_refused_with_one_text(void **state)
{
    struct fleet *f = *state;
    char token[256], other[256];
    struct joined j;

    check_ok(control_join_token_create(f->c, &f->platform, "us-west-2", 60, token));
    memcpy(other, token, sizeof other);
    other[60] = other[60] == '0' ? '1' : '0'; /* in the secret */
    check_rc(join_with(f, other, &j), PERMISSION);
    check_rc(join_with(f, "ksj_", &j), PERMISSION);
    check_rc(join_with(f, "", &j), PERMISSION);
    memcpy(other, token, sizeof other);
    other[10] = 'X';
    check_rc(join_with(f, other, &j), PERMISSION);
    other[4 + 36 + 1 + 10] = 0;
    check_rc(join_with(f, other, &j), PERMISSION);
    f->clock.now_s += 60;
    check_rc(join_with(f, token, &j), PERMISSION);
    check_text(join_with(f, token, &j), "unknown, expired, or was used");
}

static void a_token__of_nobody__does_not_wait_for_changes(void **state)
{
    struct fleet *f = *state;
    CLEANUP(work_abandon) struct work w = {0};
    char token[256];
    struct joined j;

    check_ok(control_join_token_create(f->c, &f->platform, "us-west-2", 60, token));
    token[60] = token[60] == '0' ? '1' : '0'; /* in the secret */
    check_ok(work_begin(f->c, &w));
    check_rc(join_with(f, token, &j), PERMISSION);
}

static void a_token__without_its_fingerprint__is_good(void **state)
{
    struct fleet *f = *state;
    char token[256];
    struct joined j;

    check_ok(control_join_token_create(f->c, &f->platform, "us-west-2", 60, token));
    token[4 + 36 + 1 + 64] = 0;
    check_ok(join_with(f, token, &j));
}

static void
what_joins__with_a_bad_name_or_request__is_refused_and_the_token_stays_good(void **state)
{
    struct fleet *f = *state;
    CLEANUP(buf_done) struct buf request = make_request();
    char token[256];
    struct joined j;
    json_t *reply = NULL;

    check_ok(control_join_token_create(f->c, &f->platform, "us-west-2", 60, token));
    check_rc(control_node_join(f->c, token, buf_text(&request), "", "h", &reply), USAGE);
    check_rc(control_node_join(f->c, token, buf_text(&request), "a b", "h", &reply), USAGE);
    check_rc(control_node_join(f->c, token, buf_text(&request), "n", "<h>", &reply), USAGE);
    check_rc(control_node_join(f->c, token, "no request", "n", "h", &reply), USAGE);
    assert_null(reply);
    check_ok(join_with(f, token, &j));
}

static void tokens__asked_for_wrongly__are_refused(void **state)
{
    struct fleet *f = *state;
    char token[256];

    check_rc(control_join_token_create(f->c, &f->platform, "US WEST", 60, token), USAGE);
    check_rc(control_join_token_create(f->c, &f->platform, "", 60, token), USAGE);
    check_rc(control_join_token_create(f->c, &f->platform, "a", 0, token), USAGE);
    check_rc(control_join_token_create(f->c, &f->platform, "a", (int64_t)31 * 86400, token), USAGE);
    check_rc(control_join_token_create(f->c, &f->admin, "a", 60, token), NOT_FOUND);
}

static ks_rc renew(struct fleet *f, const char *node, struct joined *ret)
{
    CLEANUP(buf_done) struct buf request = make_request();
    json_t *reply;

    TRY(control_node_renew(f->c, node, buf_text(&request), &reply));
    *ret = take_reply(reply);
    return KS_SUCCESS;
}

static void a_certificate__renewed__counts_from_its_first_use(void **state)
{
    struct fleet *f = *state;
    struct joined old = join(f), lost, new;
    struct node n;

    check_ok(renew(f, old.node, &lost));
    check_ok(control_node_authenticate(f->c, old.fingerprint, &n));
    check_ok(renew(f, old.node, &new));
    check_rc(control_node_authenticate(f->c, lost.fingerprint, &n), PERMISSION);
    fleet_reopen(f);
    check_ok(control_node_authenticate(f->c, new.fingerprint, &n));
    assert_string_equal(n.id, old.node);
    check_ok(control_node_authenticate(f->c, new.fingerprint, &n));
    check_rc(control_node_authenticate(f->c, old.fingerprint, &n), PERMISSION);
}

static void a_certificate__of_nobody__is_refused(void **state)
{
    struct fleet *f = *state;
    struct joined j = join(f);
    struct node n;

    check_rc(control_node_authenticate(f->c, "", &n), PERMISSION);
    j.fingerprint[0] = j.fingerprint[0] == 'a' ? 'b' : 'a';
    check_rc(control_node_authenticate(f->c, j.fingerprint, &n), PERMISSION);
    check_rc(renew(f, "00000000-0000-4000-8000-000000000000", &j), NOT_FOUND);
}

static void a_node__removed__is_known_no_more(void **state)
{
    struct fleet *f = *state;
    struct joined j = join(f), renewed;
    struct node n;

    check_ok(renew(f, j.node, &renewed));
    check_rc(control_node_remove(f->c, &f->admin, j.node), NOT_FOUND);
    check_rc(control_node_remove(f->c, &f->platform, "nobody"), NOT_FOUND);
    check_ok(control_node_remove(f->c, &f->platform, j.node));
    check_ok(control_node_remove(f->c, &f->platform, j.node));
    check_rc(control_node_authenticate(f->c, j.fingerprint, &n), PERMISSION);
    check_rc(control_node_authenticate(f->c, renewed.fingerprint, &n), PERMISSION);
    check_rc(renew(f, j.node, &renewed), PERMISSION);
}

static void a_node_with_volumes__removed__only_when_nobody_wants_them(void **state)
{
    struct fleet *f = *state;
    struct joined j = join(f);
    struct region_wish region = fleet_region("us-west-2", 2);
    struct cluster_wish wish = fleet_wish("orders", &region, 1);
    struct cluster_view *v, *gone;
    CLEANUP(mem_freep) struct cluster_volume *volumes = NULL;
    char password[LIVE_PASSWORD_BYTES];
    size_t count;

    check_ok(control_cluster_create(f->c, &f->admin, &wish, &v));
    check_ok(control_volumes(f->c, &f->admin, v->cluster.id, &volumes, &count));
    check_ok(live_set_password(f->c->live, volumes[0].id, "s3cret"));
    check_rc(control_node_remove(f->c, &f->platform, j.node), STATE);
    check_text(control_node_remove(f->c, &f->platform, j.node), v->cluster.id);
    check_ok(control_cluster_delete(f->c, &f->admin, v->cluster.id, &gone));
    cluster_view_free(gone);
    check_rc(control_node_remove(f->c, &f->platform, j.node), STATE);
    check_text(control_node_remove(f->c, &f->platform, j.node), "still taking 2 volumes away");
    f->clock.now_s += NODE_AWAY_S + 1;
    check_ok(control_node_remove(f->c, &f->platform, j.node));
    check_ok(control_cluster_get(f->c, &f->admin, v->cluster.id, &gone));
    assert_int_equal(gone->cluster.state, CLUSTER_DELETED);
    assert_false(live_password(f->c->live, volumes[0].id, password));
    cluster_view_free(gone);
    cluster_view_free(v);
}

static int64_t seen_of(struct fleet *f, const char *node)
{
    struct slice slice = {.count_max = 10};
    struct node *nodes;
    size_t count;
    int64_t seen = 0;

    check_ok(control_node_list(f->c, &f->platform, &slice, &nodes, &count));
    for (size_t i = 0; i < count; i++)
        if (strcmp(nodes[i].id, node) == 0)
            seen = nodes[i].seen;
    mem_free(nodes);
    return seen;
}

static void a_node__heard__is_seen_and_a_restart_remembers(void **state)
{
    struct fleet *f = *state;
    struct joined j = join(f);
    json_t *desired = NULL;

    f->clock.now_s += 100;
    check_ok(control_node_desired(f->c, j.node, 0, &desired));
    assert_null(desired);
    assert_int_equal(seen_of(f, j.node), f->clock.now_s);
    f->clock.now_s += 7;
    fleet_reopen(f);
    assert_int_equal(seen_of(f, j.node), f->clock.now_s - 7);
}

static ks_rc take_report(struct fleet *f, const char *node, const char *text)
{
    CLEANUP(work_abandon) struct work w = {0};
    json_t *report = json_loads(text, 0, NULL);

    assert_non_null(report);
    ks_rc rc = work_begin(f->c, &w);
    if (ks_ok(rc))
        rc = node_take_report(&w, node, report);
    if (ks_ok(rc))
        rc = work_end(&w);
    json_decref(report);
    return rc;
}

static void a_report__about_the_node__is_kept(void **state)
{
    struct fleet *f = *state;
    struct joined j = join(f);
    struct region_wish region = fleet_region("us-west-2", 1);
    struct cluster_wish wish = fleet_wish("orders", &region, 1);
    struct node n;
    struct cluster_view *v = NULL;

    check_ok(
        take_report(f, j.node, "{\"version\":\"1.2\",\"address\":\"h2\",\"engines\":[\"redis\"]}"));
    check_ok(control_node_authenticate(f->c, j.fingerprint, &n));
    assert_string_equal(n.version, "1.2");
    assert_string_equal(n.address, "h2");
    snprintf(wish.engine, sizeof wish.engine, "postgresql");
    check_rc(control_cluster_create(f->c, &f->admin, &wish, &v), USAGE);
    check_text(control_cluster_create(f->c, &f->admin, &wish, &v),
               "no node has the engine \"postgresql\"");
    snprintf(wish.engine, sizeof wish.engine, "redis");
    check_ok(control_cluster_create(f->c, &f->admin, &wish, &v));
    cluster_view_free(v);
}

static struct node stored_node(struct fleet *f, const char *id)
{
    CLEANUP(store_view_end) struct store_view *v = NULL;
    struct node n;

    check_ok(store_view_begin(f->c->store, &v));
    check_ok(store_node_get(v, id, &n));
    return n;
}

static bool is_away(struct fleet *f, const char *id)
{
    struct node n = stored_node(f, id);

    return node_is_away(f->c, &n);
}

enum { YEAR_S = 365 * 86400 };

/* The clock jumps, the node reports, that is stored. */
static struct joined report_in_a_year(struct fleet *f)
{
    struct joined j = join(f);

    f->clock.now_s += YEAR_S;
    check_ok(take_report(f, j.node, "{}"));
    check_ok(control_tick(f->c));
    assert_false(is_away(f, j.node));
    return j;
}

static void a_node__heard_in_a_future_that_was_none__is_away_after_a_restart(void **state)
{
    struct fleet *f = *state;
    struct joined j = report_in_a_year(f);

    f->clock.now_s -= YEAR_S;
    fleet_reopen(f);
    assert_false(is_away(f, j.node));
    f->clock.now_s += 200;
    assert_true(is_away(f, j.node));
    check_ok(take_report(f, j.node, "{}"));
    assert_false(is_away(f, j.node));
    assert_int_equal(seen_of(f, j.node), f->clock.now_s);
    check_ok(control_tick(f->c));
    fleet_reopen(f);
    assert_int_equal(seen_of(f, j.node), f->clock.now_s);
}

static void a_node__heard_in_a_future_that_was_none__is_away_without_a_restart(void **state)
{
    struct fleet *f = *state;
    struct joined heard = report_in_a_year(f), stored = report_in_a_year(f);

    fleet_reopen(f);
    check_ok(take_report(f, heard.node, "{}"));
    check_ok(control_tick(f->c));
    f->clock.now_s -= (int64_t)2 * YEAR_S;
    check_ok(control_tick(f->c));
    assert_int_equal(stored_node(f, heard.node).seen, f->clock.now_s);
    assert_false(is_away(f, heard.node));
    assert_false(is_away(f, stored.node));
    f->clock.now_s += 200;
    check_ok(control_tick(f->c));
    assert_true(is_away(f, heard.node));
    assert_true(is_away(f, stored.node));
}

static void a_node__joined_long_after_the_start__is_there(void **state)
{
    struct fleet *f = *state;

    f->clock.now_s += NODE_AWAY_S + 1;
    struct joined j = join(f);
    assert_false(is_away(f, j.node));
}

static void a_report__malformed__is_refused(void **state)
{
    struct fleet *f = *state;
    struct joined j = join(f);

    check_rc(take_report(f, j.node, "{\"version\":7}"), USAGE);
    check_rc(take_report(f, j.node, "{\"address\":\"a b\"}"), USAGE);
    check_rc(take_report(f, j.node, "{\"engines\":[1]}"), USAGE);
    check_rc(take_report(f, j.node, "{\"engines\":{}}"), USAGE);
    check_rc(take_report(f, "00000000-0000-4000-8000-000000000000", "{}"), NOT_FOUND);
}

static void nodes__listed_in_slices__come_once_each(void **state)
{
    struct fleet *f = *state;
    struct slice slice = {.count_max = 2};
    struct node *nodes;
    size_t count, all = 0;

    for (int i = 0; i < 5; i++)
        join(f);
    do {
        check_ok(control_node_list(f->c, &f->platform, &slice, &nodes, &count));
        all += count;
        mem_free(nodes);
    } while (slice.after[0]);
    assert_int_equal(all, 5);
    check_rc(control_node_list(f->c, &f->admin, &slice, &nodes, &count), NOT_FOUND);
    slice.count_max = 0;
    check_rc(control_node_list(f->c, &f->platform, &slice, &nodes, &count), USAGE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_token__used__is_good_once),
        TEST(rejoin__by_the_key_that_it_had__stays_the_node),
        TEST(rejoin__not_proved_or_another_region__refused),
        TEST(a_token__late_or_wrong__is_refused_with_one_text),
        TEST(a_token__of_nobody__does_not_wait_for_changes),
        TEST(a_token__without_its_fingerprint__is_good),
        TEST(what_joins__with_a_bad_name_or_request__is_refused_and_the_token_stays_good),
        TEST(tokens__asked_for_wrongly__are_refused),
        TEST(a_certificate__renewed__counts_from_its_first_use),
        TEST(a_certificate__of_nobody__is_refused),
        TEST(a_node__removed__is_known_no_more),
        TEST(a_node_with_volumes__removed__only_when_nobody_wants_them),
        TEST(a_node__heard__is_seen_and_a_restart_remembers),
        TEST(a_report__about_the_node__is_kept),
        TEST(a_node__heard_in_a_future_that_was_none__is_away_after_a_restart),
        TEST(a_node__heard_in_a_future_that_was_none__is_away_without_a_restart),
        TEST(a_node__joined_long_after_the_start__is_there),
        TEST(a_report__malformed__is_refused),
        TEST(nodes__listed_in_slices__come_once_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
