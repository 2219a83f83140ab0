/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: no two organisations get one user id, an id that somebody of the host has is given to none, and what was given is kept.
 */
#include "node/owners.h"

#include <stdio.h>
#include <unistd.h>

#include "tmpdir.h"

enum { FIRST = 1900000000, COUNT = 8 };

struct place {
    struct tmpdir tmp;
    struct path path, etc;
    struct node_dir *dir;
    struct owners *owners;
    struct owners_conf conf;
};

static void open_owners(struct place *p)
{
    owners_free(p->owners);
    p->owners = NULL;
    check_ok(owners_open(&p->conf, &p->owners));
}

static int setup(void **state)
{
    static struct place p;

    p = (struct place){.tmp = tmpdir_make()};
    p.path = tmpdir_path(&p.tmp, "node");
    p.etc = tmpdir_path(&p.tmp, "etc");
    assert_int_equal(mkdir(p.etc.text, 0755), 0);
    check_ok(node_dir_open(p.path.text, &p.dir));
    p.conf = (struct owners_conf){p.dir, p.etc.text, FIRST, FIRST + COUNT - 1};
    open_owners(&p);
    *state = &p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;

    owners_free(p->owners);
    node_dir_close(p->dir);
    tmpdir_remove(&p->tmp);
    return 0;
}

static void put(struct place *p, const char *dir, const char *name, const char *text)
{
    struct path path;

    snprintf(path.text, sizeof path.text, "%.200s/%.50s/%.50s", p->tmp.path, dir, name);
    file_put(path.text, view_text(text));
}

static uid_t find(struct place *p, const char *organisation)
{
    uid_t id = 0;

    check_ok(owners_find(p->owners, organisation, &id));
    assert_true(id >= FIRST && id < FIRST + COUNT);
    return id;
}

static void find__each_organisation__its_own_for_ever(void **state)
{
    struct place *p = *state;
    char name[16];
    uid_t ids[COUNT];

    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "o%d", i);
        ids[i] = find(p, name);
        for (int k = 0; k < i; k++)
            assert_int_not_equal(ids[k], ids[i]);
    }
    open_owners(p);
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "o%d", i);
        assert_int_equal(find(p, name), ids[i]);
    }
    uid_t id = 7;
    check_rc(owners_find(p->owners, "one more", &id), LIMIT);
    assert_int_equal(id, 7);
}

static void find__two_nodes__mostly_the_same(void **state)
{
    struct place *p = *state;
    struct path other = tmpdir_path(&p->tmp, "other");
    struct owners_conf conf = p->conf;
    struct owners *owners = NULL;
    uid_t id = 0;

    check_ok(node_dir_open(other.text, &conf.dir));
    check_ok(owners_open(&conf, &owners));
    check_ok(owners_find(owners, "acme", &id));
    assert_int_equal(id, find(p, "acme"));
    owners_free(owners);
    node_dir_close(conf.dir);
}

static void find__ids_of_the_host__are_passed_over(void **state)
{
    struct place *p = *state;

    put(p, "etc", "passwd",
        "root:x:0:0:root:/root:/bin/sh\nbroken\nx:x:1900000000:1900000001::/:/\n");
    put(p, "etc", "group", "x:x:1900000002:\n:::\n");
    put(p, "etc", "subuid", "x:1900000003:2\nx:y:z\nhuge:99999999999999999999:1\n");
    put(p, "etc", "subgid", "x:1900000005:1\nx:1900000007:1");
    assert_int_equal(find(p, "acme"), 1900000006);
    uid_t id = 7;
    check_rc(owners_find(p->owners, "other", &id), LIMIT);
}

static void find__an_account_came_later__refused_not_shared(void **state)
{
    struct place *p = *state;
    char line[64];
    uid_t id = find(p, "acme"), got = 7;

    snprintf(line, sizeof line, "eve:x:%u:%u::/:/bin/sh\n", id, id);
    put(p, "etc", "passwd", line);
    ks_rc rc = owners_find(p->owners, "acme", &got);
    check_rc(rc, STATE);
    check_text(rc, "passwd");
    assert_int_equal(got, 7);
    put(p, "etc", "passwd", "");
    assert_int_equal(find(p, "acme"), id);
}

static void find__no_organisation__usage(void **state)
{
    struct place *p = *state;
    uid_t id;

    check_rc(owners_find(p->owners, "", &id), USAGE);
}

static void find__cannot_be_kept__not_given(void **state)
{
    struct place *p = *state;
    struct path tmp = tmpdir_path(&p->tmp, "node/owners.json.tmp");
    uid_t id = 7;

    assert_int_equal(mkdir(tmp.text, 0700), 0); /* where its next text would be made */
    ks_rc rc = owners_find(p->owners, "acme", &id);
    assert_false(ks_ok(rc));
    assert_int_equal(id, 7);
    assert_int_equal(rmdir(tmp.text), 0);
    find(p, "acme");
}

static void find__files_of_the_host_cannot_be_read__fails(void **state)
{
    struct place *p = *state;
    struct path passwd = tmpdir_path(&p->tmp, "etc/passwd");
    uid_t id = 7;

    assert_int_equal(mkdir(passwd.text, 0700), 0);
    assert_false(ks_ok(owners_find(p->owners, "acme", &id)));
    assert_int_equal(rmdir(passwd.text), 0);
    assert_int_equal(rmdir(p->etc.text), 0);
    assert_false(ks_ok(owners_find(p->owners, "acme", &id)));
    assert_int_equal(mkdir(p->etc.text, 0700), 0);
}

static void open__damaged__corrupt_and_left_as_it_is(void **state)
{
    static const char *const texts[] = {"", "[]", "{}", "{\"engine_uids\":{\"acme\":0}}",
                                        "{\"engine_uids\":{\"acme\":\"7\"}}"};
    struct place *p = *state;
    struct owners *owners = NULL;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put(p, "node", "owners.json", texts[i]);
        check_rc(owners_open(&p->conf, &owners), CORRUPT);
        assert_null(owners);
    }
}

static void open__no_range__usage(void **state)
{
    struct place *p = *state;
    struct owners *owners = NULL;

    p->conf.first = 0;
    check_rc(owners_open(&p->conf, &owners), USAGE);
    p->conf.first = p->conf.last + 1;
    check_rc(owners_open(&p->conf, &owners), USAGE);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(find__each_organisation__its_own_for_ever),
        T(find__two_nodes__mostly_the_same),
        T(find__ids_of_the_host__are_passed_over),
        T(find__an_account_came_later__refused_not_shared),
        T(find__no_organisation__usage),
        T(find__cannot_be_kept__not_given),
        T(find__files_of_the_host_cannot_be_read__fails),
        T(open__damaged__corrupt_and_left_as_it_is),
        T(open__no_range__usage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
