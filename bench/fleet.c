/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/fleet.c - what a large fleet costs the control plane, without a network: 1 000 nodes with 20 volumes each, of clusters with three
 * nodes in each of three regions, and one cluster with a volume on every node.
 *
 *     fleet [NODES [VOLUMES]]
 *
 * Prints how long it takes to make a cluster, to revoke one (one transaction for all its volumes), to tell every node what it has to do
 * then, to take every node's report, and a whole answer to a node that starts. Times only; nothing is judged.
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/secret.h"
#include "control/control_int.h"
#include "control/store.h"
#include "fake_node.h"

enum { REGIONS = 32, NODES = 1000, VOLUMES = 20, SMALL_REGIONS = 3, SMALL_NODES = 3 };

static const char ORGANISATION[] = "0a000000-0000-4000-8000-000000000001";

/* A step that does not succeed ends the benchmark. */
#define MUST(e)                                                                                    \
    do {                                                                                           \
        ks_rc must_rc_ = (e);                                                                      \
        if (!ks_ok(must_rc_)) {                                                                    \
            fprintf(stderr, "%s: %s\n", #e, ks_text(must_rc_));                                    \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

struct samples {
    size_t count;
    double ms[NODES * 8];
};

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void add(struct samples *s, double since_ms)
{
    if (s->count < sizeof s->ms / sizeof s->ms[0])
        s->ms[s->count++] = now_ms() - since_ms;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void show(const char *what, struct samples *s)
{
    double sum = 0;

    if (!s->count)
        return;
    qsort(s->ms, s->count, sizeof s->ms[0], compare);
    for (size_t i = 0; i < s->count; i++)
        sum += s->ms[i];
    printf("%-44s %6zu times  median %8.2f ms  p99 %8.2f ms  all %9.1f ms\n", what, s->count,
           s->ms[s->count / 2], s->ms[s->count * 99 / 100], sum);
    s->count = 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void add_organisation(struct control *c)
{
    CLEANUP(work_abandon) struct work w = {0};
    struct organisation row = {.created = 1};

    snprintf(row.id, sizeof row.id, "%s", ORGANISATION);
    snprintf(row.name, sizeof row.name, "bench");
    MUST(work_begin(c, &w));
    MUST(store_organisation_put(w.tx, &row));
    store_tx_observe(w.tx);
    MUST(work_end(&w));
}

static void region_name(char out[NAME_BYTES], int region)
{
    snprintf(out, NAME_BYTES, "r%02d", region);
}

static void join_nodes(struct control *c, struct fake_node **nodes, int count)
{
    struct caller platform = {.role = ROLE_ADMIN};
    char region[NAME_BYTES], name[NAME_BYTES];

    for (int i = 0; i < count; i++) {
        region_name(region, i % REGIONS);
        snprintf(name, sizeof name, "n%d", i);
        MUST(fake_node_join(c, &platform, region, name, &nodes[i]));
    }
}

/* In so many regions, from a place that moves on with its number. */
static void create(struct control *c, const struct caller *by, int number, int count, int nodes)
{
    struct region_wish *regions;
    struct cluster_wish wish = {.region_count = (size_t)count};
    struct cluster_view *v;

    MUST(mem_new(REGIONS, sizeof *regions, &regions));
    for (int i = 0; i < count; i++) {
        region_name(regions[i].name, (number * count + i) % REGIONS);
        regions[i].node_count = (uint32_t)nodes;
        regions[i].key_count = 1;
        snprintf(regions[i].keys[0].type, sizeof regions[i].keys[0].type, "NULL_KMS");
        snprintf(regions[i].keys[0].uri, sizeof regions[i].keys[0].uri, "null:%s", regions[i].name);
    }
    snprintf(wish.name, sizeof wish.name, "cluster-%d", number);
    wish.regions = regions;
    MUST(control_cluster_create(c, by, &wish, &v));
    cluster_view_free(v);
    mem_free(regions);
}

static void run_until_quiet(struct fake_node **nodes, int count, struct samples *reports)
{
    bool is_moving = true;

    while (is_moving) {
        is_moving = false;
        for (int i = 0; i < count; i++) {
            bool is_new;
            MUST(fake_node_poll(nodes[i], &is_new));
            bool is_changed = fake_node_work(nodes[i]);
            is_moving = is_moving || is_new || is_changed;
            if (!is_changed)
                continue;
            double began = now_ms();
            MUST(fake_node_report(nodes[i], false));
            add(reports, began);
        }
    }
}

static void revoke_cluster(struct control *c, const struct caller *by, const char *name,
                           struct samples *s)
{
    CLEANUP(mem_freep) struct cluster *cluster = NULL;
    CLEANUP(store_view_end) struct store_view *v = NULL;
    struct cmek_ask ask = {.verb = CMEK_REVOKE};
    struct operation o;

    MUST(mem_new(1, sizeof *cluster, &cluster));
    MUST(store_view_begin(c->store, &v));
    MUST(store_cluster_by_name(v, by->organisation, name, cluster));
    store_view_end(&v);
    double began = now_ms();
    MUST(control_cmek_ask(c, by, cluster->id, &ask, &o));
    add(s, began);
}

static void ask_all(struct fake_node **nodes, int count, bool is_from_start, struct samples *s)
{
    for (int i = 0; i < count; i++) {
        json_t *desired = NULL;
        double began = now_ms();
        MUST(control_node_desired(nodes[i]->c, nodes[i]->id, is_from_start ? 0 : nodes[i]->since,
                                  &desired));
        add(s, began);
        json_decref(desired);
    }
}

static void measure(struct control *c, int node_count, int clusters, struct samples *s)
{
    struct fake_node **nodes;
    struct caller by = {.role = ROLE_ADMIN};

    snprintf(by.organisation, sizeof by.organisation, "%s", ORGANISATION);
    MUST(mem_new((size_t)node_count, sizeof *nodes, &nodes));
    join_nodes(c, nodes, node_count);
    for (int i = 1; i < clusters; i++) {
        double began = now_ms();
        create(c, &by, i, SMALL_REGIONS, SMALL_NODES);
        add(s, began);
    }
    show("create a cluster of 3 x 3", s);
    run_until_quiet(nodes, node_count, s);
    show("take a report about 20 volumes of a node", s);
    ask_all(nodes, node_count, false, s);
    show("a node asks, there is nothing", s);
    ask_all(nodes, node_count, true, s);
    show("a node asks for everything", s);
    revoke_cluster(c, &by, "cluster-1", s);
    show("revoke a cluster of 3 x 3", s);
    double large = now_ms();
    create(c, &by, 0, REGIONS, node_count / REGIONS);
    add(s, large);
    show("create a cluster with a volume on each node", s);
    revoke_cluster(c, &by, "cluster-0", s);
    show("revoke a cluster with a volume on each node", s);
    ask_all(nodes, node_count, false, s);
    show("a node asks, one volume is to be locked", s);
    run_until_quiet(nodes, node_count, s);
    show("take a report that one volume is locked", s);
    for (int i = 0; i < node_count; i++)
        fake_node_free(nodes[i]);
    mem_free(nodes);
}

int main(int argc, char **argv)
{
    int nodes = argc > 1 ? (int)strtol(argv[1], NULL, 10) : NODES;
    int volumes = argc > 2 ? (int)strtol(argv[2], NULL, 10) : VOLUMES;
    char dir[] = "/tmp/keystead-bench-XXXXXX";
    struct control_conf conf = {
        .dir = dir, .clock = clock_system(), .random = random_system(), .is_development = true};
    struct samples *s;
    struct control *c;

    if (nodes < REGIONS || nodes > NODES || volumes < 1 || !mkdtemp(dir)) {
        fprintf(stderr, "fleet: from %d to %d nodes, and a directory /tmp\n", REGIONS, NODES);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    secret_allow_swap(true);
    MUST(secret_init());
    MUST(mem_new(1, sizeof *s, &s));
    MUST(control_create(&conf));
    MUST(control_open_quiet(&conf, &c));
    add_organisation(c);
    measure(c, nodes, 1 + nodes * (volumes - 1) / (SMALL_REGIONS * SMALL_NODES), s);
    control_close(c);
    mem_free(s);
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
