/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the control plane is made once, opened by one, told of its news after they are durable and not before, and its thread brings on
 * what is running.
 */
#include <sys/stat.h>
#include <unistd.h>

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

static void a_state_directory__made__is_private_and_made_once(void **state)
{
    struct fleet *f = *state;
    struct path dir = tmpdir_path(&f->tmp, "state");
    struct control_conf conf = f->conf;
    struct control *c = NULL;
    struct stat st;

    conf.dir = dir.text;
    check_rc(control_open(&conf, &c), NOT_FOUND);
    check_ok(control_create(&conf));
    assert_int_equal(stat(dir.text, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    check_rc(control_create(&conf), EXISTS);
    check_rc(control_create(&f->conf), EXISTS);
    check_ok(control_open(&conf, &c));
    check_rc(control_open(&conf, &(struct control *){NULL}), BUSY);
    control_closep(&c);
    check_ok(control_open(&conf, &c));
    control_close(c);
    control_close(NULL);
}

static void a_state_directory__that_others_may_enter__is_refused(void **state)
{
    struct fleet *f = *state;
    struct path dir = tmpdir_path(&f->tmp, "open");
    struct control_conf conf = f->conf;
    struct control *c = NULL;

    conf.dir = dir.text;
    assert_int_equal(mkdir(dir.text, 0700), 0);
    assert_int_equal(chmod(dir.text, 0750), 0);
    ks_rc rc = control_create(&conf);
    check_rc(rc, PERMISSION);
    check_text(rc, "chmod 0700");
    assert_int_equal(rmdir(dir.text), 0); /* nothing was made in it */

    control_closep(&f->c);
    assert_int_equal(chmod(f->tmp.path, 0701), 0);
    check_rc(control_open(&f->conf, &c), PERMISSION);
    assert_int_equal(chmod(f->tmp.path, 0700), 0);
    check_ok(control_open_quiet(&f->conf, &f->c));
}

static void a_state_directory__of_another_user__is_refused(void **state)
{
    struct fleet *f = *state;
    struct control *c = NULL;

    if (geteuid() != 0)
        skip();
    control_closep(&f->c);
    assert_int_equal(chown(f->tmp.path, 65534, (gid_t)-1), 0);
    ks_rc rc = control_open(&f->conf, &c);
    assert_int_equal(chown(f->tmp.path, 0, (gid_t)-1), 0);
    check_rc(rc, PERMISSION);
    check_text(rc, "belongs to user 65534");
}

static void an_authority_that_is_lost__opened__is_told(void **state)
{
    struct fleet *f = *state;
    struct control *c = NULL;

    control_closep(&f->c);
    assert_int_equal(remove(tmpdir_path(&f->tmp, "authority.key").text), 0);
    check_rc(control_open(&f->conf, &c), NOT_FOUND);
    assert_null(c);
}

static void a_copy__made_while_in_use__opens(void **state)
{
    struct fleet *f = *state;
    struct path copy = tmpdir_path(&f->tmp, "copy.db"), dir = tmpdir_path(&f->tmp, "restored");
    struct control_conf conf = f->conf;
    struct control *c;
    struct path path;

    check_ok(control_backup(f->c, copy.text));
    check_rc(control_backup(f->c, copy.text), EXISTS);
    assert_int_equal(mkdir(dir.text, 0700), 0);
    static const char *const names[] = {"authority.pem", "authority.key"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(path.text, sizeof path.text, "%.120s/%s", dir.text, names[i]);
        assert_int_equal(rename(tmpdir_path(&f->tmp, names[i]).text, path.text), 0);
    }
    snprintf(path.text, sizeof path.text, "%.120s/control.db", dir.text);
    assert_int_equal(rename(copy.text, path.text), 0);
    conf.dir = dir.text;
    check_ok(control_open(&conf, &c));
    assert_string_equal(control_authority(c), control_authority(f->c));
    control_close(c);
}

static void news__of_work_that_is_abandoned__are_not_told(void **state)
{
    struct fleet *f = *state;
    CLEANUP(work_abandon) struct work w = {0};

    f->told = 0;
    check_ok(work_begin(f->c, &w));
    work_tell(&w, 'n', "a");
    work_abandon(&w);
    assert_int_equal(f->told, 0);
    check_ok(work_begin(f->c, &w));
    work_tell(&w, 'o', "b");
    work_tell(&w, 'o', "b");
    assert_int_equal(f->told, 0);
    check_ok(work_end(&w));
    assert_int_equal(f->told, 1);
    assert_int_equal(f->told_kind, 'o');
    assert_string_equal(f->told_id, "b");
}

static void more_news_than_can_be_named__told__go_to_all_nodes(void **state)
{
    struct fleet *f = *state;
    CLEANUP(work_abandon) struct work w = {0};
    char id[ID_BYTES];

    f->told = 0;
    check_ok(work_begin(f->c, &w));
    for (int i = 0; i < NEWS_MAX + 10; i++) {
        snprintf(id, sizeof id, "%d", i);
        work_tell(&w, 'n', id);
    }
    check_ok(work_end(&w));
    assert_int_equal(f->told, 1);
    assert_string_equal(f->told_id, "");
}

static void a_server_certificate__asked_for__is_signed_by_the_authority(void **state)
{
    struct fleet *f = *state;
    CLEANUP(buf_done) struct buf pem = buf_init(FLEET_PEM_MAX), key = buf_init_wiping(8192);

    check_ok(control_server_certificate(f->c, "localhost", &pem, &key));
    check_ok(certificate_is_issued_by(buf_view(&pem), view_text(control_authority(f->c)),
                                      CERTIFICATE_SERVER, f->clock.now_s));
}

static void join_tokens__long_expired__are_forgotten_by_the_ticker(void **state)
{
    struct fleet *f = *state;
    struct store_join_token token;
    CLEANUP(store_view_end) struct store_view *v = NULL;
    char text[256], id[ID_BYTES];

    check_ok(control_join_token_create(f->c, &f->platform, "a", 60, text));
    snprintf(id, sizeof id, "%.36s", text + 4);
    check_ok(control_tick(f->c));
    check_ok(store_view_begin(f->c->store, &v));
    check_ok(store_join_token_get(v, id, &token));
    store_view_end(&v);
    f->clock.now_s += 60 + 86400 + 3600;
    check_ok(control_tick(f->c));
    check_ok(store_view_begin(f->c->store, &v));
    check_rc(store_join_token_get(v, id, &token), NOT_FOUND);
}

/* More clusters than one round takes up: each is reached within a few rounds. */
static void many_clusters__running__are_all_taken_up_in_turn(void **state)
{
    struct fleet *f = *state;
    char node[ID_BYTES], name[16];
    struct region_wish region = fleet_region("a", 1);
    struct cluster_view *v;
    struct cluster_view **views;
    struct slice slice = {.count_max = SLICE_MAX};
    size_t count, failed = 0;

    fleet_join(f, "a", "n", node);
    for (int i = 0; i < 2 * TICK_BATCH + 50; i++) {
        snprintf(name, sizeof name, "c%d", i);
        struct cluster_wish wish = fleet_wish(name, &region, 1);
        check_ok(control_cluster_create(f->c, &f->admin, &wish, &v));
        cluster_view_free(v);
    }
    f->clock.now_s += 3601;
    for (int i = 0; i < 4; i++)
        check_ok(control_tick(f->c));
    check_ok(
        control_cluster_list(f->c, &f->admin, &(struct cluster_filter){0}, &slice, &views, &count));
    for (size_t i = 0; i < count; i++)
        failed += views[i]->cluster.state == CLUSTER_CREATION_FAILED;
    assert_int_equal(count, 2 * TICK_BATCH + 50);
    assert_int_equal(failed, count);
    cluster_views_free(views, count);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_state_directory__made__is_private_and_made_once),
        TEST(a_state_directory__that_others_may_enter__is_refused),
        TEST(a_state_directory__of_another_user__is_refused),
        TEST(an_authority_that_is_lost__opened__is_told),
        TEST(a_copy__made_while_in_use__opens),
        TEST(news__of_work_that_is_abandoned__are_not_told),
        TEST(more_news_than_can_be_named__told__go_to_all_nodes),
        TEST(a_server_certificate__asked_for__is_signed_by_the_authority),
        TEST(join_tokens__long_expired__are_forgotten_by_the_ticker),
        TEST(many_clusters__running__are_all_taken_up_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
