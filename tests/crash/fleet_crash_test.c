/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a control plane that is killed at any moment of creating, changing and deleting clusters comes back with each of them whole: every
 * region has the volumes it says, what is under way has its operation, the audit chain holds, and all goes on to its end.
 *
 * A child works on the store and writes a byte for every step; the parent kills it after a number of steps drawn from a seed,
 * opens the same directory and looks. KEYSTEAD_CRASH_SEED draws others, KEYSTEAD_CRASH_SEQUENCES more.
 */
#include <signal.h>
#include <sys/wait.h>

#include "fleet_fixture.h"

enum { ROUNDS = 12, STEPS_MAX = 60, CLUSTERS = 6, EXPECTED_MAX = 100 };

static uint64_t draw(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005 + 1442695040888963407;
    return *seed >> 33;
}

static int64_t setting(const char *name, int64_t otherwise)
{
    const char *text = getenv(name);

    return text ? strtoll(text, NULL, 10) : otherwise;
}

/* -- the child ------------------------------------------------------------------------------------------------------- */

static void child_create(struct fleet *f, uint64_t *seed)
{
    struct region_wish regions[2] = {fleet_region("east", 1 + (uint32_t)draw(seed) % 4),
                                     fleet_region("west", 1 + (uint32_t)draw(seed) % 4)};
    char name[16];
    struct cluster_view *v = NULL;

    snprintf(name, sizeof name, "c%d", (int)(draw(seed) % CLUSTERS));
    struct cluster_wish wish = fleet_wish(name, regions, 1 + draw(seed) % 2);
    ks_rc rc = control_cluster_create(f->c, &f->admin, &wish, &v);
    if (ks_ok(rc))
        cluster_view_free(v);
    else if (rc.cls != KS_CLASS_USAGE)
        fail_msg("create: %s", ks_text(rc));
}

static void child_change(struct fleet *f, const char *id, uint64_t *seed)
{
    struct region_wish regions[2] = {fleet_region("east", 1 + (uint32_t)draw(seed) % 4),
                                     fleet_region("west", 1 + (uint32_t)draw(seed) % 4)};
    struct cluster_change change = {.region_count = 1 + draw(seed) % 2, .regions = regions};
    struct cluster_view *v = NULL;
    ks_rc rc = control_cluster_change(f->c, &f->admin, id, &change, &v);

    if (ks_ok(rc))
        cluster_view_free(v);
    else if (rc.cls != KS_CLASS_USAGE && rc.cls != KS_CLASS_BUSY)
        fail_msg("change: %s", ks_text(rc));
}

static void child_step(struct fleet *f, uint64_t *seed)
{
    struct slice slice = {.count_max = EXPECTED_MAX};
    struct cluster_view **views, *gone;
    size_t count;

    check_ok(
        control_cluster_list(f->c, &f->admin, &(struct cluster_filter){0}, &slice, &views, &count));
    const char *id = count ? views[draw(seed) % count]->cluster.id : NULL;
    switch (id ? draw(seed) % 5 : 0) {
    case 0:
        child_create(f, seed);
        break;
    case 1:
        child_change(f, id, seed);
        break;
    case 2:
        fleet_volumes_become(f, id, ACCESS_OPEN, ENGINE_NONE);
        break;
    case 3:
        check_ok(control_tick(f->c));
        break;
    default:
        check_ok(control_cluster_delete(f->c, &f->admin, id, &gone));
        cluster_view_free(gone);
        break;
    }
    cluster_views_free(views, count);
}

static void child_run(struct fleet *f, int tell, uint64_t seed)
{
    check_ok(control_open_quiet(&f->conf, &f->c));
    for (;;) {
        child_step(f, &seed);
        if (write(tell, "x", 1) != 1)
            _exit(1);
    }
}

/* -- the parent ------------------------------------------------------------------------------------------------------ */

static void run_and_kill(struct fleet *f, uint64_t *seed)
{
    int tell[2], status;
    uint64_t steps = draw(seed) % STEPS_MAX, child_seed = draw(seed);
    char byte;

    assert_int_equal(pipe(tell), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(tell[0]);
        child_run(f, tell[1], child_seed);
    }
    close(tell[1]);
    for (uint64_t i = 0; i < steps; i++)
        if (read(tell[0], &byte, 1) != 1)
            fail_msg("the child ended by itself");
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    close(tell[0]);
}

static void check_region(const struct cluster_view *v, const struct region *r,
                         const struct cluster_volume *volumes, size_t count)
{
    bool is_going = r->state == REGION_REMOVING;
    uint32_t wanted = 0;

    for (size_t i = 0; i < count; i++)
        wanted += volumes[i].is_wanted && strcmp(volumes[i].region, r->name) == 0;
    if (wanted != (is_going ? 0 : r->node_count))
        fail_msg("cluster %s, region %s (%s): %u volumes for %u nodes", v->cluster.name, r->name,
                 region_state_name(r->state), wanted, r->node_count);
}

static void check_cluster(struct fleet *f, const struct cluster_view *v)
{
    struct cluster_volume *volumes;
    size_t count;

    check_ok(control_volumes(f->c, &f->admin, v->cluster.id, &volumes, &count));
    for (size_t i = 0; i < v->region_count; i++)
        check_region(v, &v->regions[i], volumes, count);
    if (v->cluster.state == CLUSTER_CREATING || v->cluster.state == CLUSTER_DELETING)
        assert_true(v->operation[0]);
    mem_free(volumes);
}

static void finish_cluster(struct fleet *f, const char *id)
{
    struct cluster_view *v;

    fleet_volumes_become(f, id, ACCESS_OPEN, ENGINE_NONE);
    check_ok(control_cluster_get(f->c, &f->admin, id, &v));
    assert_true(v->cluster.state == CLUSTER_CREATED || v->cluster.state == CLUSTER_DELETED);
    assert_string_equal(v->operation, "");
    cluster_view_free(v);
}

static void look(struct fleet *f)
{
    struct slice slice = {.count_max = SLICE_MAX};
    struct cluster_filter filter = {.is_with_deleted = true};
    struct cluster_view **views;
    size_t count;
    int64_t events;

    check_ok(control_open_quiet(&f->conf, &f->c));
    check_ok(control_cluster_list(f->c, &f->admin, &filter, &slice, &views, &count));
    for (size_t i = 0; i < count; i++)
        check_cluster(f, views[i]);
    check_ok(control_audit_verify(f->c, &events));
    assert_true(events > 0);
    check_ok(control_tick(f->c));
    for (size_t i = 0; i < count; i++)
        finish_cluster(f, views[i]->cluster.id);
    cluster_views_free(views, count);
    control_closep(&f->c);
}

static void a_control_plane__killed_at_any_moment__goes_on(void **state)
{
    struct fleet f;
    char node[ID_BYTES];
    uint64_t seed = (uint64_t)setting("KEYSTEAD_CRASH_SEED", 1);
    int64_t rounds = setting("KEYSTEAD_CRASH_SEQUENCES", ROUNDS);

    (void)state;
    fleet_open(&f);
    fleet_join(&f, "east", "e1", node);
    fleet_join(&f, "west", "w1", node);
    fleet_join(&f, "west", "w2", node);
    control_closep(&f.c);
    for (int64_t i = 0; i < rounds; i++) {
        run_and_kill(&f, &seed);
        look(&f);
    }
    fleet_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_control_plane__killed_at_any_moment__goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
