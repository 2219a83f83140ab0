/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/control_store.c - what a read of the control plane's store costs, and how that grows with the number of clusters.
 *
 * Fills a store with clusters of three regions with two keys each and reads one of them at random, by the time of the
 * processor, so that other work on the machine does not count: the cluster alone, all that GET cmek shows, an API key as each
 * request has to look it up, a part of the list; and commits one change with its event. Run by
 * `meson test --benchmark control_store`; arguments are the numbers of clusters, else 1000, 10000 and 100000.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "store_fixture.h"

enum { READS = 20000, LISTS = 500, COMMITS = 200, BATCH = 1000 };

static const char *const REGIONS[] = {"eu-west-1", "us-east-1", "us-west-2"};

static struct store_fixture fixture;
static unsigned cluster_count;

static double now_us(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* -- filling -- */

static void put_one(struct store_tx *tx, unsigned n)
{
    CLEANUP(mem_freep) struct cluster *cluster = cluster_row(n);
    struct store_api_key key = {.key = {.created = n}};

    check_ok(store_cluster_put(tx, cluster));
    for (unsigned r = 0; r < 3; r++) {
        struct region region = region_row(cluster->id, REGIONS[r]);
        check_ok(store_region_put(tx, &region));
        for (unsigned k = 0; k < 2; k++) {
            struct region_key row = region_key_row(cluster->id, REGIONS[r], 6 * n + 2 * r + k);
            check_ok(store_region_key_put(tx, &row));
        }
    }
    PUT_TEXT(key.key.id, id_of("0f", n).text);
    PUT_TEXT(key.key.organisation, ORGANISATION);
    check_ok(store_api_key_put(tx, &key));
}

static void fill(unsigned count)
{
    struct store_tx *tx;
    unsigned n = 1;

    while (n <= count) {
        check_ok(store_tx_begin(fixture.store, &tx));
        store_tx_observe(tx);
        if (n == 1) {
            struct organisation organisation = organisation_row(1);
            check_ok(store_organisation_put(tx, &organisation));
        }
        for (unsigned i = 0; i < BATCH && n <= count; i++)
            put_one(tx, n++);
        check_ok(store_tx_commit(&tx));
    }
}

/* -- what is timed -- */

static unsigned any_cluster(void)
{
    static uint64_t state = 1;

    state = state * 6364136223846793005u + 1442695040888963407u;
    return 1 + (unsigned)(state >> 33) % cluster_count;
}

static void read_cluster(struct store_view *v)
{
    static struct cluster cluster;

    check_ok(store_cluster_get(v, id_of("0c", any_cluster()).text, &cluster));
}

static void read_cmek(struct store_view *v)
{
    static struct cluster cluster;
    CLEANUP(mem_freep) struct region *regions = NULL;
    CLEANUP(mem_freep) struct region_key *keys = NULL;
    size_t count;

    check_ok(store_cluster_get(v, id_of("0c", any_cluster()).text, &cluster));
    check_ok(store_regions(v, cluster.id, &regions, &count));
    check_ok(store_region_keys(v, cluster.id, NULL, &keys, &count));
    if (count != 6)
        exit(1);
}

static void read_key(struct store_view *v)
{
    struct store_api_key key;

    check_ok(store_api_key_get(v, id_of("0f", any_cluster()).text, &key));
}

static void read_list(struct store_view *v)
{
    CLEANUP(mem_freep) struct cluster *clusters = NULL;
    struct store_clusters_ask ask = {.organisation = ORGANISATION};
    struct store_page page = {.number = any_cluster(), .count_max = 25};
    size_t count;

    check_ok(store_clusters(v, &ask, &page, &clusters, &count));
}

static double time_reads(void (*read_one)(struct store_view *v), int count)
{
    double start = now_us(CLOCK_THREAD_CPUTIME_ID);

    for (int i = 0; i < count; i++) {
        struct store_view *v;
        check_ok(store_view_begin(fixture.store, &v));
        read_one(v);
        store_view_end(&v);
    }
    return (now_us(CLOCK_THREAD_CPUTIME_ID) - start) / count;
}

/* By the wall: most of it is waiting for the disk. */
static double time_commits(void)
{
    double start = now_us(CLOCK_MONOTONIC);

    for (int i = 0; i < COMMITS; i++) {
        struct store_tx *tx;
        struct region region = region_row(id_of("0c", any_cluster()).text, REGIONS[0]);
        check_ok(store_tx_begin(fixture.store, &tx));
        check_ok(store_region_put(tx, &region));
        check_ok(store_fixture_audit(tx, "cmek.enable"));
        check_ok(store_tx_commit(&tx));
    }
    return (now_us(CLOCK_MONOTONIC) - start) / COMMITS;
}

static void run(unsigned count)
{
    struct stat st;

    cluster_count = count;
    store_fixture_open(&fixture);
    double start = now_us(CLOCK_MONOTONIC);
    fill(count);
    double filled = now_us(CLOCK_MONOTONIC) - start;
    (void)time_reads(read_cmek, READS); /* warm */
    double cluster = time_reads(read_cluster, READS), cmek = time_reads(read_cmek, READS),
           key = time_reads(read_key, READS), list = time_reads(read_list, LISTS),
           commit = time_commits();
    if (stat(tmpdir_path(&fixture.tmp, "control.db").text, &st) != 0)
        exit(1);
    printf("| %u | %.1f | %.1f | %.1f | %.1f | %.0f | %.0f | %.1f |\n", count, cluster, cmek, key,
           list, commit, (double)st.st_size / 1e6, filled / 1e6);
    fflush(stdout);
    store_fixture_close(&fixture);
}

int main(int argc, char **argv)
{
    static const unsigned counts[] = {1000, 10000, 100000};

    printf("| clusters | one cluster, us | GET cmek, us | API key, us | list of 25, us | "
           "commit, us (wall) | MB | filled in s |\n|---|---|---|---|---|---|---|---|\n");
    for (int i = 1; i < argc; i++)
        run((unsigned)strtoul(argv[i], NULL, 10));
    for (size_t i = 0; argc < 2 && i < sizeof counts / sizeof counts[0]; i++)
        run(counts[i]);
    return 0;
}
