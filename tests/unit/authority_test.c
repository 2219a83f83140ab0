/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the authority is made once, its key is private, what it signs is good for what it is for, and files that do not belong together
 * are refused.
 */
#include <sys/stat.h>

#include "check.h"
#include "control/authority.h"
#include "control/state_dir.h"
#include "crypto/certificate.h"
#include "tmpdir.h"

enum { PEM_MAX = 65536, NOW = 1800000000 };

struct fixture {
    struct tmpdir tmp;
    struct clock_manual clock;
};

static struct authority *open_in(struct fixture *f)
{
    struct authority *a;

    check_ok(authority_open(f->tmp.path, &f->clock.clock, random_system(), &a));
    return a;
}

static void set_up(struct fixture *f)
{
    f->tmp = tmpdir_make();
    clock_manual_init(&f->clock, 0, NOW);
    check_ok(authority_make(f->tmp.path, &f->clock.clock, random_system()));
}

static struct buf make_request(void)
{
    CLEANUP(key_pair_freep) struct key_pair *key = NULL;
    struct buf request = buf_init(PEM_MAX);

    check_ok(key_pair_new(&key));
    check_ok(certificate_request_make(key, "whatever it says", &request));
    return request;
}

static void an_authority__made__has_a_private_key_and_ten_years(void **state)
{
    struct fixture f;
    struct stat st;
    struct certificate_facts facts;

    (void)state;
    set_up(&f);
    assert_int_equal(stat(tmpdir_path(&f.tmp, "authority.key").text, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    struct authority *a = open_in(&f);
    check_ok(certificate_read(view_text(authority_pem(a)), &facts));
    assert_string_equal(facts.fingerprint, authority_fingerprint(a));
    assert_int_equal(facts.not_after, NOW + (int64_t)AUTHORITY_DAYS * 86400);
    authority_free(a);
    check_rc(authority_make(f.tmp.path, &f.clock.clock, random_system()), EXISTS);
    tmpdir_remove(&f.tmp);
}

static void a_node__signed__has_its_id_whatever_the_request_says(void **state)
{
    struct fixture f;
    struct certificate_facts facts;
    CLEANUP(buf_done) struct buf pem = buf_init(PEM_MAX), request = make_request();

    (void)state;
    set_up(&f);
    struct authority *a = open_in(&f);
    struct view authority = view_text(authority_pem(a));
    check_ok(authority_sign_node(a, buf_text(&request), "the-node", &pem));
    check_ok(certificate_read(buf_view(&pem), &facts));
    assert_string_equal(facts.name, "the-node");
    check_ok(certificate_is_issued_by(buf_view(&pem), authority, CERTIFICATE_CLIENT, NOW));
    check_class(certificate_is_issued_by(buf_view(&pem), authority, CERTIFICATE_SERVER, NOW),
                CORRUPT);
    check_class(certificate_is_issued_by(buf_view(&pem), authority, CERTIFICATE_CLIENT,
                                         NOW + (int64_t)366 * 86400),
                CORRUPT);
    check_rc(authority_sign_node(a, "no request", "x", &pem), USAGE);
    authority_free(a);
    tmpdir_remove(&f.tmp);
}

static void a_server__signed__is_good_for_servers(void **state)
{
    struct fixture f;
    CLEANUP(buf_done) struct buf pem = buf_init(PEM_MAX), key = buf_init_wiping(PEM_MAX);

    (void)state;
    set_up(&f);
    struct authority *a = open_in(&f);
    check_ok(authority_make_server(a, "localhost,127.0.0.1", 90, &pem, &key));
    check_ok(certificate_is_issued_by(buf_view(&pem), view_text(authority_pem(a)),
                                      CERTIFICATE_SERVER, NOW));
    assert_non_null(strstr(buf_text(&key), "PRIVATE KEY"));
    authority_free(a);
    tmpdir_remove(&f.tmp);
}

static void an_authority_near_its_end__signing__gives_no_more_than_it_has(void **state)
{
    struct fixture f;
    struct certificate_facts facts;
    CLEANUP(buf_done) struct buf pem = buf_init(PEM_MAX), request = make_request();

    (void)state;
    set_up(&f);
    struct authority *a = open_in(&f);
    f.clock.now_s = NOW + (int64_t)(AUTHORITY_DAYS - 1) * 86400;
    check_ok(authority_sign_node(a, buf_text(&request), "n", &pem));
    check_ok(certificate_read(buf_view(&pem), &facts));
    assert_int_equal(facts.not_after, NOW + (int64_t)AUTHORITY_DAYS * 86400);
    f.clock.now_s += 86400;
    check_rc(authority_sign_node(a, buf_text(&request), "n", &pem), STATE);
    authority_free(a);
    tmpdir_remove(&f.tmp);
}

static void a_key_of_another__opened__is_refused(void **state)
{
    struct fixture f, g;
    struct authority *a = NULL;

    (void)state;
    set_up(&f);
    set_up(&g);
    assert_int_equal(rename(tmpdir_path(&g.tmp, "authority.key").text,
                            tmpdir_path(&f.tmp, "authority.key").text),
                     0);
    check_rc(authority_open(f.tmp.path, &f.clock.clock, random_system(), &a), AUTH);
    check_rc(authority_open(g.tmp.path, &g.clock.clock, random_system(), &a), NOT_FOUND);
    check_text(authority_open(g.tmp.path, &g.clock.clock, random_system(), &a), "authority.key");
    assert_null(a);
    tmpdir_remove(&f.tmp);
    tmpdir_remove(&g.tmp);
}

static void a_directory_that_is_not_there__used__is_told(void **state)
{
    struct fixture f;
    struct authority *a = NULL;
    struct path deep;

    (void)state;
    set_up(&f);
    deep = tmpdir_path(&f.tmp, "none");
    check_rc(authority_open(deep.text, &f.clock.clock, random_system(), &a), NOT_FOUND);
    check_text(authority_open(deep.text, &f.clock.clock, random_system(), &a),
               "keystead serve setup --dir");
    check_ok(state_dir_make(deep.text));
    check_ok(state_dir_make(deep.text));
    check_rc(authority_open(deep.text, &f.clock.clock, random_system(), &a), NOT_FOUND);
    deep = tmpdir_path(&f.tmp, "no/where");
    check_text(state_dir_make(deep.text), "mkdir -p");
    check_class(state_dir_make(deep.text), USAGE);
    check_rc(state_dir_make(""), USAGE);
    tmpdir_remove(&f.tmp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_authority__made__has_a_private_key_and_ten_years),
        cmocka_unit_test(a_node__signed__has_its_id_whatever_the_request_says),
        cmocka_unit_test(a_server__signed__is_good_for_servers),
        cmocka_unit_test(an_authority_near_its_end__signing__gives_no_more_than_it_has),
        cmocka_unit_test(a_key_of_another__opened__is_refused),
        cmocka_unit_test(a_directory_that_is_not_there__used__is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
